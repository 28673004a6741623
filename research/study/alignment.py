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
        """Enter a reason for some input rows."""
        if len(rows):
            self.table.iloc[rows, self.table.columns.get_loc("reason")] = reason
            self.table.iloc[rows, self.table.columns.get_loc("detail")] = detail

    def remark(self, rows: NDArray[np.intp], detail: str) -> None:
        """Say something in the ledger of rows that stay in."""
        if len(rows):
            self.table.iloc[rows, self.table.columns.get_loc("detail")] = detail

    def exclude_if(self, mask: NDArray[np.bool_], reason: str, detail: str | list[str]) -> None:
        """Give ``reason`` to the masked rows that have none yet; a list of details is one for each masked row."""
        rows = np.flatnonzero(mask)
        if not len(rows):
            return
        fresh = (self.table["reason"].iloc[rows] == "").to_numpy()
        if not isinstance(detail, str):
            detail = [text for text, wanted in zip(detail, fresh, strict=True) if wanted]
        self.exclude(rows[fresh], reason, detail)


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
    day = _grid_position(sessions, pd.DatetimeIndex(timed["day_zero"]))
    inside = (day >= 0) & (day < len(sessions))
    day_zero = timed["day_zero"].to_numpy(dtype="datetime64[ns]", copy=True)
    day_zero[inside] = sessions.to_numpy()[day[inside]]
    table = pd.DataFrame(
        {
            "event_id": frame["event_id"],
            "ticker": frame["ticker"],
            "kind": frame["kind"],
            "timing": timed["timing"],
            "day_zero": day_zero,
            "assumed": timed["assumed"].astype(bool),
            "reason": np.where(frame["status"] == "ok", "", frame["status"]).astype(object),
            "detail": _details(frame),
        }
    )
    firm = _columns(frame["ticker"], returns.columns)
    found = Alignment(table, firm, day)
    found.exclude_if(np.isnat(day_zero), "unknown-timing", "announced on a date of unknown hour")
    repeated = _repeated(table, firm)
    found.exclude_if(repeated, "duplicate", "same ticker, kind and day zero as another announcement")

    values = returns.to_numpy()
    column, row = np.maximum(firm, 0), np.clip(day, 0, len(sessions) - 1)
    absent = (firm < 0) | ~inside | np.isnan(values[row, column])
    # Only shares without a return on a day zero need to be searched for what they have.
    first, last = np.full(len(firm), len(sessions)), np.full(len(firm), -1)
    doubtful = np.flatnonzero(absent & (firm >= 0))
    columns, code = np.unique(firm[doubtful], return_inverse=True)
    present = ~np.isnan(values[:, columns])
    some = present.any(axis=0)
    first[doubtful] = np.where(some, present.argmax(axis=0), len(sessions))[code]
    last[doubtful] = np.where(some, len(sessions) - 1 - present[::-1].argmax(axis=0), -1)[code]
    found.exclude_if(absent & (last < 0), "no-prices", "no return of this ticker")
    outside = absent & ((day < first) | (day > last))
    found.exclude_if(outside, "outside-price-history", _spans(sessions, first[outside], last[outside]))
    found.exclude_if(absent, "missing-day-zero", "no return on day zero")
    found.exclude_if(~market_present[row], "missing-market", "no market or factor return on day zero")
    return found


def _columns(tickers: pd.Series, columns: pd.Index) -> NDArray[np.int64]:
    """Position of each ticker among the columns; -1 where there is none."""
    codes, names = pd.factorize(tickers)
    # A missing ticker has the code -1, which takes the last entry.
    return np.append(columns.get_indexer(pd.Index(names)), -1)[codes].astype(np.int64)


def _repeated(table: pd.DataFrame, firm: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Rows still in whose ticker, kind and day zero another row has that is timed better or named earlier.

    The announcements were compared on their own exchanges' clocks; a policy for unknown
    hours or another calendar can bring two of them onto one day zero. Dates are compared and
    not places on the grid: all days before it, and all after it, would share one place.
    """
    rows = np.flatnonzero((table["reason"] == "").to_numpy() & (firm >= 0))
    kinds = pd.factorize(table["kind"])[0][rows]
    days, distinct = pd.factorize(table["day_zero"].to_numpy()[rows])
    keys = (kinds * (firm.max(initial=0) + 1) + firm[rows]) * (len(distinct) + 1) + days
    repeated = np.zeros(len(table), dtype=bool)
    if len(rows) and not np.diff(np.sort(keys)).all():
        order = np.lexsort((table["event_id"].to_numpy(dtype=object)[rows], table["assumed"].to_numpy()[rows], keys))
        repeated[rows[order[1:]]] = np.diff(keys[order]) == 0
    return repeated


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
    firm = _columns(frame["ticker"], tickers)
    keep &= firm >= 0
    timed = time_events(known, calendar, "same-session")
    # The second policy concerns the dates of unknown hour only.
    unknown_hour = keep & timed["assumed"].to_numpy(dtype=bool)
    placed = [(keep, timed)]
    if unknown_hour.any():
        placed.append((unknown_hour, time_events(known, calendar, "next-session")))
    days = [_grid_position(sessions, pd.DatetimeIndex(one["day_zero"])) for _, one in placed]
    rows = [np.flatnonzero(asked) for asked, _ in placed]
    return _distinct(
        np.concatenate([firm[some] for some in rows]),
        np.concatenate([day[some] for day, some in zip(days, rows, strict=True)]),
        len(sessions),
    )


def aligned_days(aligned: Alignment, kind: str, n_sessions: int) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
    """What :func:`known_days` returns for announcements that were aligned; None if some are of unknown hour."""
    if (aligned.table["timing"] == "unknown").any():
        return None
    rows = np.flatnonzero((aligned.table["kind"] == kind).to_numpy() & (aligned.firm >= 0))
    return _distinct(aligned.firm[rows], aligned.day[rows], n_sessions)


def _distinct(
    firm: NDArray[np.int64], day: NDArray[np.int64], n_sessions: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pairs on the grid, sorted and each of them once."""
    inside = (day >= 0) & (day < n_sessions)
    ordered = np.sort(firm[inside] * n_sessions + day[inside])
    distinct = ordered[np.diff(ordered, prepend=-1) != 0]
    return distinct // n_sessions, distinct % n_sessions


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
