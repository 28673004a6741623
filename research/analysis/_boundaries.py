"""The instants between the legs of a reaction, the prices there, and the legs between them."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from research.events.calendar import TradingCalendar
from research.market.intraday import Bars

CLOSE, RELEASE, CALL = "close", "release", "call"
EXTENDED, OPEN, LAST = "end of extended trading", "open", "close of day zero"

#: Extended trading ends this long after the close: 20:00, and 17:00 after an early close.
EXTENDED_LENGTH = pd.Timedelta(hours=4)

#: A release is read off the bars where one of them moved by this many times the evening's noise.
FIRST_MOVE = 12.0

#: A boundary whose last trade is older than this is said to be.
OLD_TRADE = pd.Timedelta(minutes=15)

#: Name of the leg between two neighbouring boundaries; any other pair is several legs in one.
LEG_BETWEEN = {
    (CLOSE, RELEASE): "pre_release",
    (RELEASE, CALL): "release",
    (RELEASE, EXTENDED): "release",
    (RELEASE, OPEN): "release",
    (CALL, EXTENDED): "call",
    (CALL, OPEN): "call",
    (EXTENDED, OPEN): "pre_market",
    (OPEN, LAST): "session",
}


@dataclass
class Boundaries:
    """Points between the legs, collected in order of time, and what was noticed on the way.

    Attributes
    ----------
    points : list of (label, instant, price, instant of the last trade)
    notes : list of str
    release_basis : str
        What the instant of the release rests on; empty where there is none.
    """

    points: list[tuple[str, pd.Timestamp, float, pd.Timestamp]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    release_basis: str = ""

    def table(self) -> pd.DataFrame:
        """``label, at, price, traded_at``; instants in UTC."""
        return pd.DataFrame(self.points, columns=["label", "at", "price", "traded_at"])


@dataclass(frozen=True)
class Span:
    """The night between two sessions, and the daily prices around it.

    Attributes
    ----------
    close, open, last : float
        Traded close before, open and close of day zero.
    """

    timing: str
    before: pd.Timestamp
    day_zero: pd.Timestamp
    close: float
    open: float
    last: float
    calendar: TradingCalendar

    @property
    def closed_at(self) -> pd.Timestamp:
        """Close of the session before day zero."""
        return self.calendar.session_close(self.before)

    @property
    def opens_at(self) -> pd.Timestamp:
        """Open of day zero."""
        return self.calendar.session_open(self.day_zero)

    @property
    def ends_at(self) -> pd.Timestamp:
        """Close of day zero."""
        return self.calendar.session_close(self.day_zero)

    @property
    def extended_at(self) -> pd.Timestamp:
        """End of extended trading on the evening before day zero."""
        return self.closed_at + EXTENDED_LENGTH

    def clock(self, instant: pd.Timestamp) -> str:
        """Time of day on the exchange's clock, with seconds where there are any."""
        there = instant.tz_convert(self.calendar.timezone)
        return f"{there:%H:%M:%S}" if there.second else f"{there:%H:%M}"


def boundaries(event: pd.Series, span: Span, bars: Bars) -> Boundaries:
    """Instants and prices between the legs, in order of time.

    Each boundary takes the last trade at or before its instant. Where the bars begin
    after it, its price is not known: the boundary is left out with a note, and the
    legs on either side of it become one.

    Parameters
    ----------
    event : Series
        One row of ``Announcements.frame``.
    span : Span
    bars : Bars
        Doubtful prints already blanked where that is wanted.
    """
    found = Boundaries()
    inner = _inner(event, span, bars, found)
    found.points.append((CLOSE, span.closed_at, span.close, span.closed_at))
    for label, instant in inner:
        _add(found, label, instant, span, bars)
    found.points.append((OPEN, span.opens_at, span.open, span.opens_at))
    found.points.append((LAST, span.ends_at, span.last, span.ends_at))
    if span.timing == "amc" and span.calendar.is_early_close(pd.DatetimeIndex([span.before]))[0]:
        found.notes.append(
            f"The session before closed early, at {span.clock(span.closed_at)}; extended trading then ends at "
            f"{span.clock(span.extended_at)}."
        )
    return found


def _inner(event: pd.Series, span: Span, bars: Bars, found: Boundaries) -> list[tuple[str, pd.Timestamp]]:
    """Boundaries between the close and the open, before any price is looked up."""
    release = release_instant(event, span, bars, found)
    inner: list[tuple[str, pd.Timestamp]] = [] if release is None else [(RELEASE, release)]
    late = release is not None and span.timing == "amc" and release >= span.extended_at
    if late:
        found.notes.append(
            f"The release came after extended trading had ended at {span.clock(span.extended_at)}; "
            "the leg after it runs to the open."
        )
    stop = span.extended_at if span.timing == "amc" and not late else span.opens_at
    call = _call(event, release, stop, span, found)
    if call is not None:
        inner.append((CALL, call))
    if span.timing == "amc" and not late:
        inner.append((EXTENDED, span.extended_at))
    return inner


def release_instant(event: pd.Series, span: Span, bars: Bars, found: Boundaries) -> pd.Timestamp | None:
    """The release: the source's minute, else the first bar that moved, else a filing time as upper bound."""
    given = event["announced_at"] if pd.notna(event["announced_at"]) else None
    exact = given is not None and str(event.get("precision")) in ("second", "minute")
    source = str(event.get("announced_at_source") or "")
    filed = exact and any(word in source for word in ("acceptance", "filing"))
    if exact and not filed:
        found.release_basis = source.replace("_", " ") or "as given by the source"
        if "reaction" in source:
            found.notes.append(
                "The minute of the release was itself read off the prices, so the split between the first two legs "
                "leans on them."
            )
        return given
    morning = span.opens_at.tz_convert(span.calendar.timezone).normalize()
    start = span.closed_at if span.timing == "amc" else morning.tz_convert("UTC")
    stop = span.extended_at if span.timing == "amc" else span.opens_at
    seen = first_move(bars, start, given if filed and given is not None else stop)
    if seen is not None:
        found.release_basis = f"first bar that moved by more than {FIRST_MOVE:g} times the noise of the evening"
        bound = f"; the filing at {span.clock(given)} is only an upper bound" if filed and given is not None else ""
        found.notes.append(f"The release is taken from the {found.release_basis}, {span.clock(seen)}{bound}.")
        return seen
    if filed:
        found.release_basis = f"{source.replace('_', ' ')}, an upper bound"
        found.notes.append("The instant of the release is a filing time, which is an upper bound only.")
        return given
    found.notes.append(
        "The minute of the release is not known, so what came before it cannot be told from what came after."
    )
    return None


def first_move(bars: Bars, start: pd.Timestamp, stop: pd.Timestamp) -> pd.Timestamp | None:
    """Start of the first bar in ``[start, stop)`` that moved by more than 12 times the evening's noise.

    The noise is 1.4826 times the median absolute log move between the bars' closes there.
    """
    closes = bars.between(start - bars.step, max(stop, start - bars.step)).frame["close"].dropna()
    moves = np.log(closes).diff().abs().iloc[1:]
    if len(moves) < 10:  # noise is not known from fewer
        return None
    large = moves[moves > FIRST_MOVE * 1.4826 * max(float(moves.median()), 1e-5)]
    return None if large.empty else pd.Timestamp(large.index[0])


def _call(
    event: pd.Series, release: pd.Timestamp | None, stop: pd.Timestamp, span: Span, found: Boundaries
) -> pd.Timestamp | None:
    """Start of the call, where it lies between the release and the end of the evening."""
    call = event.get("call_at")
    if pd.isna(call):
        found.notes.append("No call time is known; the leg after the release holds the call as well.")
        return None
    if release is not None and call <= release:
        found.notes.append(
            f"The call time given, {span.clock(call)}, is not after the release at {span.clock(release)}; one of them "
            "must be wrong, and the call is not used."
        )
        return None
    if call >= stop or call < span.closed_at:
        when = f"{call.tz_convert(span.calendar.timezone):%Y-%m-%d %H:%M}"
        found.notes.append(
            f"The call began at {when}, outside the hours that are split here; it has no leg of its own."
        )
        return None
    return pd.Timestamp(call)


def _add(found: Boundaries, label: str, instant: pd.Timestamp, span: Span, bars: Bars) -> None:
    """One boundary with the last trade at or before it, or a note that there is none."""
    price, traded_at = last_trade(bars, instant)
    running = _running(bars, instant)
    first = bars.frame.index[0] if len(bars) else None
    if traded_at is not None and traded_at <= span.closed_at:
        if running is None and instant > span.closed_at:
            found.notes.append(f"No trade between the close and {span.clock(instant)} ({label}).")
        found.points.append((label, instant, span.close, span.closed_at))
    elif traded_at is None:
        begins = "there is none at all" if first is None else f"they begin at {span.clock(first)}"
        found.notes.append(
            f"The bars say nothing of the price at {span.clock(instant)} ({label}): {begins}. "
            "The legs on both sides of it are shown as one."
        )
        return
    else:
        if running is None and instant - traded_at > OLD_TRADE:
            age = int((instant - traded_at).total_seconds() // 60)
            ends = traded_at >= bars.frame.index[-1] + bars.step
            found.notes.append(
                f"The bars end at {span.clock(traded_at)}; the price at {span.clock(instant)} ({label}) is the last of "
                f"them, {age} minutes old."
                if ends
                else f"At {span.clock(instant)} ({label}) the last trade was {age} minutes old."
            )
        found.points.append((label, instant, price, traded_at))
    if running is not None:
        found.notes.append(
            f"The {bars.step / pd.Timedelta(minutes=1):g}-minute bar from {span.clock(running)} runs across "
            f"{span.clock(instant)} ({label}); its trades before and after cannot be told apart, and all of its move "
            "counts as after."
        )


def _running(bars: Bars, instant: pd.Timestamp) -> pd.Timestamp | None:
    """Start of the bar with a close that has begun before an instant and ends after it."""
    closes = bars.between(instant - bars.step + pd.Timedelta(1, "ns"), instant).frame["close"].dropna()
    return None if closes.empty else pd.Timestamp(closes.index[-1])


def last_trade(bars: Bars, instant: pd.Timestamp) -> tuple[float, pd.Timestamp | None]:
    """Close of the last bar that has ended at or before an instant, and when it ended."""
    closes = bars.frame["close"].dropna()
    place = int(closes.index.searchsorted(instant - bars.step, side="right")) - 1
    return (np.nan, None) if place < 0 else (float(closes.iloc[place]), closes.index[place] + bars.step)


def segments(points: pd.DataFrame, overnight: float, intraday: float) -> pd.DataFrame:
    """Log returns between neighbouring points; they add to the close-to-close return.

    The one that ends at the open takes dividends and splits, so the legs add to the
    total return exactly.

    Parameters
    ----------
    points : DataFrame
        ``label, price``; first the close, last but one the open.
    overnight, intraday : float
        Simple total returns, close to open and open to close.

    Returns
    -------
    DataFrame
        ``leg`` (name, None where several legs are in one), ``start, end`` (labels), ``value``.
    """
    labels, prices = points["label"].tolist(), points["price"].to_numpy(dtype=np.float64)
    rows: list[tuple[Any, str, str, float]] = []
    for i, (start, end) in enumerate(itertools.pairwise(labels)):
        if end == OPEN:
            value = float(np.log1p(overnight) - np.log(prices[i] / prices[0]))
        elif end == LAST:
            value = float(np.log1p(intraday))
        else:
            value = float(np.log(prices[i + 1] / prices[i]))
        rows.append((LEG_BETWEEN.get((start, end)), start, end, value))
    return leg_table(rows)


def leg_table(rows: list[tuple[Any, str, str, float]]) -> pd.DataFrame:
    """``leg, start, end, value``; a missing leg stays None, which text columns would turn into NaN."""
    table = pd.DataFrame([row[1:] for row in rows], columns=["start", "end", "value"]).astype({"value": float})
    table.insert(0, "leg", pd.Series([row[0] for row in rows], dtype=object))
    return table
