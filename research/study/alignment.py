"""Events laid on the session grid, and the ledger of those that could not be.

Nothing is dropped silently: every input row ends in the ledger as ``used`` or
``excluded`` with one reason.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from research.events.announcements import Announcements
from research.events.calendar import TradingCalendar

#: Reasons of exclusion with what they mean, in the order in which they are tried.
REASONS = {
    "invalid": "the row could not be read",
    "duplicate": "a second announcement of this ticker and kind on the same day zero",
    "unknown-timing": "a date without an hour or session: the first trading session that could react is unknown",
    "no-prices": "no return of this ticker in the data",
    "outside-price-history": "day zero lies before the first or after the last return of this ticker",
    "missing-day-zero": "no return on day zero",
    "missing-market": "the market or a factor is missing on day zero, or does not vary in the estimation window",
    "short-estimation": "fewer usable estimation days than required",
}

#: Days around another announcement that are cut from an estimation window (METHODS 3.1).
CUT = (-1, 0, 1)


@dataclass(frozen=True)
class Alignment:
    """Events on the grid.

    Attributes
    ----------
    table : DataFrame, one row per input event in input order
        ``event_id, ticker, kind, timing, day_zero, assumed, reason, detail``; ``reason``
        is empty for events that are still in.
    firm, day : ndarray of int64, shape (n_input,)
        Column of ``returns`` and position of day zero on the grid; -1 where there is none.
    """

    table: pd.DataFrame
    firm: NDArray[np.int64]
    day: NDArray[np.int64]

    @property
    def candidates(self) -> NDArray[np.intp]:
        """Input rows without a reason against them."""
        return np.flatnonzero((self.table["reason"] == "").to_numpy())

    def exclude(self, rows: NDArray[np.intp], reason: str, detail: str | list[str]) -> None:
        """Enter a reason for some input rows; the one change an alignment sees after it was made."""
        self.table.iloc[rows, self.table.columns.get_loc("reason")] = reason
        self.table.iloc[rows, self.table.columns.get_loc("detail")] = detail


def time_events(announcements: Announcements, calendar: TradingCalendar, unknown_timing: str) -> pd.DataFrame:
    """Timing and day zero of every announcement.

    An announcement keeps its own exchange's clock when the table names one other
    than the default; otherwise the study's calendar decides.
    """
    named = set(announcements.frame["exchange"].unique())
    # Placed already when the table was checked, unless the default exchange stands for the study's.
    own_clock = named != {"XNYS"} or calendar.code == "XNYS"
    return announcements.timed(calendar=None if own_clock else calendar, unknown_timing=unknown_timing)


def align(
    announcements: Announcements,
    sessions: pd.DatetimeIndex,
    returns: pd.DataFrame,
    market_present: NDArray[np.bool_],
    calendar: TradingCalendar,
    unknown_timing: str = "exclude",
) -> Alignment:
    """Lay announcements on the sessions of a return panel.

    Parameters
    ----------
    announcements : Announcements
    sessions : DatetimeIndex of length n_sessions
        Grid: all sessions of the calendar in the span of the returns.
    returns : DataFrame, n_sessions x tickers
    market_present : ndarray of bool, shape (n_sessions,)
        Whether every series that the model needs is present.
    calendar : TradingCalendar
    unknown_timing : {"exclude", "same-session", "next-session"}

    Returns
    -------
    Alignment
    """
    frame = announcements.frame
    timed = time_events(announcements, calendar, unknown_timing)
    table = pd.DataFrame(
        {
            "event_id": frame["event_id"],
            "ticker": frame["ticker"],
            "kind": frame["kind"],
            "timing": timed["timing"],
            "day_zero": timed["day_zero"],
            "assumed": timed["assumed"].astype(bool),
            "reason": np.where(frame["status"] == "ok", "", frame["status"]).astype(object),
            "detail": _details(frame),
        }
    )
    firm = returns.columns.get_indexer(pd.Index(frame["ticker"])).astype(np.int64)
    day = _grid_position(sessions, pd.DatetimeIndex(table["day_zero"]))
    _exclude(table, table["day_zero"].isna().to_numpy(), "unknown-timing", "announced on a date of unknown hour")

    present = returns.notna().to_numpy()
    has_any = present.any(axis=0)
    first = np.where(has_any, present.argmax(axis=0), len(sessions))
    last = np.where(has_any, len(sessions) - 1 - present[::-1].argmax(axis=0), -1)
    known = firm >= 0
    column = np.where(known, firm, 0)
    _exclude(table, ~known | ~has_any[column], "no-prices", "no return of this ticker")
    outside = (day < first[column]) | (day > last[column])
    _exclude(table, outside, "outside-price-history", _spans(sessions, first[column[outside]], last[column[outside]]))
    row = np.clip(day, 0, len(sessions) - 1)
    _exclude(table, ~present[row, column], "missing-day-zero", "no return on day zero")
    _exclude(table, ~market_present[row], "missing-market", "no market or factor return on day zero")
    return Alignment(table, np.where(known, firm, -1), day)


def _details(frame: pd.DataFrame) -> pd.Series:
    """What the ledger says of each row at first: why it is invalid, or why its instant is not the vendor's."""
    details = frame["detail"].astype(object)
    if "announced_at_note" not in frame.columns:
        return details
    notes = frame["announced_at_note"]
    return details.where((details != "") | notes.isna(), notes.astype(object))


def when(frame: pd.DataFrame) -> pd.Series:
    """The instant in UTC as text where there is one, else the bare date."""
    instants = frame["announced_at"].dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    return instants.where(frame["announced_at"].notna(), frame["announced_on"].dt.strftime("%Y-%m-%d")).astype(object)


def _grid_position(sessions: pd.DatetimeIndex, day_zero: pd.DatetimeIndex) -> NDArray[np.int64]:
    """Position of each day zero on the grid; -1 before it, its length after it.

    A day zero of another exchange on which the grid has no session moves to the
    next session of the grid.
    """
    position = sessions.searchsorted(day_zero).astype(np.int64)
    position[np.asarray(day_zero.isna() | (day_zero < sessions[0]))] = -1
    return position


def _exclude(table: pd.DataFrame, mask: NDArray[np.bool_], reason: str, detail: str | list[str]) -> None:
    """Give ``reason`` to the masked rows that have none yet; a list of details is one for each masked row."""
    rows = np.flatnonzero(mask)
    fresh = (table["reason"].iloc[rows] == "").to_numpy()
    texts = [detail] * len(rows) if isinstance(detail, str) else detail
    table.iloc[rows[fresh], table.columns.get_loc("reason")] = reason
    table.iloc[rows[fresh], table.columns.get_loc("detail")] = [
        text for text, wanted in zip(texts, fresh, strict=True) if wanted
    ]


def _spans(sessions: pd.DatetimeIndex, first: NDArray[np.intp], last: NDArray[np.intp]) -> list[str]:
    """For each column, a sentence on the span of its returns."""
    return [
        f"returns from {sessions[a]:%Y-%m-%d} to {sessions[b]:%Y-%m-%d}" if b >= 0 else "no return"
        for a, b in zip(first, last, strict=True)
    ]


def known_days(
    known: Announcements, kind: str, sessions: pd.DatetimeIndex, tickers: pd.Index, calendar: TradingCalendar
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Distinct day zeros of all known announcements of one kind, as firm and grid position.

    An announcement of unknown hour has two plausible day zeros, and both count:
    what is to be kept out of an estimation window is the reaction, wherever it fell.

    Returns
    -------
    firm, day : ndarray of int64
        Sorted by firm, then day, without repetition. Days outside the grid are left out.
    """
    frame = known.frame
    keep = (frame["kind"] == kind).to_numpy() & (frame["status"] != "invalid").to_numpy()
    firm = tickers.get_indexer(pd.Index(frame["ticker"])).astype(np.int64)
    keep &= firm >= 0
    keys = []
    for policy in ("same-session", "next-session"):
        timed = time_events(known, calendar, policy)
        day = _grid_position(sessions, pd.DatetimeIndex(timed["day_zero"]))
        # The second policy concerns the dates of unknown hour only.
        asked = keep if policy == "same-session" else keep & timed["assumed"].to_numpy(dtype=bool)
        inside = asked & (day >= 0) & (day < len(sessions))
        keys.append(firm[inside] * len(sessions) + day[inside])
    unique = np.unique(np.concatenate(keys))
    return unique // len(sessions), unique % len(sessions)


def cut_counts(firm: NDArray[np.int64], day: NDArray[np.int64], n_firms: int, n_sessions: int) -> NDArray[np.int8]:
    """How many known announcements claim each day (-1 to +1 around their day zero).

    Returns
    -------
    ndarray of int8, shape (n_firms, n_sessions)
    """
    counts = np.zeros((n_firms, n_sessions), dtype=np.int8)
    for offset in CUT:
        column = day + offset
        inside = (column >= 0) & (column < n_sessions)
        np.add.at(counts, (firm[inside], column[inside]), 1)
    return counts
