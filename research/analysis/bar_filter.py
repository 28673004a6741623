"""Doubtful prints of the extended hours: found by rule, marked, never deleted.

Outside regular hours the tape carries prints that are no price of that minute: late
reports of the official close, opens of orders agreed hours before, single trades far
from everything around them, bars without a trade. The rules here are conservative:
regular hours are never touched, and what could have been a real move (it stayed, or
the bars beside it went there as well) is left alone. A caller decides whether to look at
the raw bars or at those with the marked cells blanked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from research.events.calendar import TradingCalendar
from research.market.intraday import FIELDS, Bars

Floats = NDArray[np.float64]

#: A lone print is marked when it stands this many local noise scales off everything around it.
SPIKE = 6.0

#: The same for an open, whose own bar closes back where the bar before had closed.
STALE_OPEN = 6.0

#: A print at exactly the official close needs to stand off its bar by this many scales only.
LATE_CLOSE = 2.0

#: Noise is never taken for smaller than this (log): a quiet stretch is no reason to mark a tick.
NOISE_FLOOR = 3e-4

#: One-bar moves on each side from which the local noise is measured.
SIDE = 8

#: If more of the extended-hours bars than this have no volume, the vendor reports none there.
UNREPORTED_VOLUME = 0.5

#: A pause counts as this many bars, however long it is.
_PAUSE = 60.0

#: What each finding means, in the words of a report.
FINDINGS = {
    "late-close-print": "exactly the official close, away from the trading of that minute: a late report",
    "stale-open": "an open away from the close before it and from its own bar's close: an order agreed earlier",
    "spike": "one print away from the bars on both sides, to which the price returned at once",
    "zero-volume": "a bar without a trade between bars that have some: a quote, not a price",
}

_PRICES = ("open", "high", "low", "close")
_COLUMNS = ["at", "field", "finding", "value", "expected", "departure"]


@dataclass(frozen=True)
class _Tape:
    """Bars that have a close, as arrays; NaN for fields that the input does not have.

    ``moves[j]`` is the absolute log move from bar j - 1 to bar j over the square root of the bars in
    between, NaN for the first.
    """

    starts: pd.DatetimeIndex
    step: int
    extended: NDArray[np.bool_]
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    moves: Floats

    def __len__(self) -> int:
        return len(self.starts)


def mark_bars(
    bars: Bars, calendar: TradingCalendar, official_closes: Mapping[pd.Timestamp, float] | None = None
) -> pd.DataFrame:
    r"""Doubtful cells of the extended-hours bars.

    With :math:`m_t = |\ln c_t/c_{t-1}|`, divided by the square root of the bars in
    between where minutes are missing, the local noise is 1.4826 times the median of
    the nearest eight on one side, whichever side is livelier, the moves into and out of
    the bar itself apart, and at least 0.03%. A cell is marked as

    ``zero-volume``
        volume 0, unless most extended-hours bars have none (then the vendor reports none);
    ``late-close-print``
        equal to the official close of the session that has ended (to half a cent, or 1e-5
        of it), and beyond its bar's body (an open or close: off the closes before and after)
        by more than 2 noise scales of both sides together;
    ``stale-open``
        an open off the close before *and* off its own bar's close, on the same side, by more
        than 6 scales, and outside the range of the bar before. The wick that holds it as well;
    ``spike``
        a close more than 6 scales off the closes before *and* after, on the same side, which
        are themselves within half of that of each other, and outside the range of both bars
        beside it; or a high or low as far beyond its own body and both ranges beside it.

    Parameters
    ----------
    bars : Bars
    calendar : TradingCalendar
        Says which bars lie outside regular hours, early closes included.
    official_closes : mapping of session to price, optional
        Official closes on the bars' share basis; without them late reports are caught only
        where they are spikes.

    Returns
    -------
    DataFrame
        One row a marked cell, in order of time: ``at`` (start of the bar, UTC), ``field``
        (``open high low close``), ``finding``, ``value``, ``expected`` (what it is compared
        with) and ``departure`` (log of one over the other). Empty where nothing is doubtful.

    Notes
    -----
    The first and the last bar before a pause have one neighbour nearby; the other lies
    beyond the pause, where the noise is scaled up with the square root of the time (at most
    60 bars), so a bad print there is rarely marked. The thresholds are decisions
    of this package; ``benchmarks/bar_filter.py`` measures what they catch.
    """
    tape = _tape(bars, calendar)
    rows: list[tuple[int, str, str, float, float]] = []
    silent = _silent(tape)
    for i in silent:
        beside = float(tape.close[i - 1] if i else tape.close[i])
        rows += [(int(i), name, "zero-volume", float(getattr(tape, name)[i]), beside) for name in _known(tape, int(i))]
    closes = _official(tape, calendar, official_closes)
    for i in np.setdiff1d(np.flatnonzero(tape.extended), silent):
        if 0 < i < len(tape) - 1:
            rows += _judge(tape, int(i), float(closes[i]))
    first = {(i, name): (finding, value, expected) for i, name, finding, value, expected in reversed(rows)}
    listed = [
        (tape.starts[i], name, *first[i, name], float(np.log(first[i, name][1] / first[i, name][2])))
        for i, name in sorted(first, key=lambda key: (key[0], _PRICES.index(key[1])))
    ]
    table = pd.DataFrame(listed, columns=_COLUMNS)
    table["at"] = (
        pd.DatetimeIndex(table["at"]).tz_convert("UTC") if len(table) else pd.DatetimeIndex([], tz="UTC").as_unit("ns")
    )
    return table


def without_marked(bars: Bars, marks: pd.DataFrame) -> Bars:
    """The bars with every marked cell blanked; the bars themselves stay.

    Parameters
    ----------
    bars : Bars
    marks : DataFrame
        As :func:`mark_bars` returns it.

    Returns
    -------
    Bars
        Of the same step, so that a gap in the closes is a gap in time.
    """
    frame = bars.frame
    for field, part in marks.groupby("field"):
        frame.loc[pd.DatetimeIndex(part["at"]), field] = np.nan
    fields = {name: frame[name].to_numpy(dtype=np.float64, copy=True) for name in FIELDS if name in frame}
    return Bars(pd.DatetimeIndex(frame.index), fields, bars.step)


def extended_hours(starts: pd.DatetimeIndex, calendar: TradingCalendar) -> NDArray[np.bool_]:
    """Whether each bar begins outside regular trading hours."""
    return np.asarray(calendar.timing(starts) != "dmh") if len(starts) else np.zeros(0, dtype=bool)


def _tape(bars: Bars, calendar: TradingCalendar) -> _Tape:
    frame = bars.frame
    frame = frame[frame["close"].notna()]
    starts = pd.DatetimeIndex(frame.index)
    blank = np.full(len(frame), np.nan)
    fields = {name: frame[name].to_numpy(dtype=np.float64) if name in frame else blank for name in (*_PRICES, "volume")}
    between = np.clip(np.diff(starts.asi8) / bars.step.value, 1.0, _PAUSE)
    moves = np.concatenate([[np.nan], np.abs(np.diff(np.log(fields["close"]))) / np.sqrt(between)])[: len(frame)]
    return _Tape(starts, bars.step.value, extended_hours(starts, calendar), **fields, moves=moves)


def _known(tape: _Tape, i: int) -> list[str]:
    """Price fields that a bar has."""
    return [name for name in _PRICES if not np.isnan(getattr(tape, name)[i])]


def _silent(tape: _Tape) -> NDArray[np.intp]:
    """Extended-hours bars without a trade, where the vendor reports volumes at all."""
    empty = tape.extended & (tape.volume == 0)
    return np.flatnonzero(empty & (empty.sum() <= UNREPORTED_VOLUME * tape.extended.sum()))


def _official(tape: _Tape, calendar: TradingCalendar, closes: Mapping[pd.Timestamp, float] | None) -> Floats:
    """For each bar, the official close of the last session that has ended; NaN where unknown."""
    if not closes:
        return np.full(len(tape), np.nan)
    ended = calendar.closes.searchsorted(tape.starts, side="right") - 1
    return np.array([closes.get(calendar.sessions[i], np.nan) if i >= 0 else np.nan for i in ended], dtype=np.float64)


def _bars_between(tape: _Tape, i: int, j: int) -> float:
    """Bars from one start to the other, at most 60 (a pause is not made of trading time)."""
    return float(np.clip((tape.starts.asi8[j] - tape.starts.asi8[i]) / tape.step, 1.0, _PAUSE))


def _noise(tape: _Tape, i: int) -> tuple[float, float]:
    """Noise of one bar around bar ``i``: the livelier side's, and both sides' together."""
    reach = _PAUSE * max(tape.step, 60_000_000_000)
    sides = []
    for span in (slice(max(i - SIDE, 1), i), slice(i + 2, i + 2 + SIDE)):
        near = np.abs(tape.starts.asi8[span] - tape.starts.asi8[i]) <= reach
        sides.append(tape.moves[span][near])
    medians = [1.4826 * float(np.median(side)) for side in sides if len(side) >= SIDE // 2]
    together = np.concatenate(sides)
    typical = 1.4826 * float(np.median(together)) if len(together) else np.inf
    return max([*medians, NOISE_FLOOR] if medians else [np.inf]), max(typical, NOISE_FLOOR)


def _judge(tape: _Tape, i: int, official: float) -> list[tuple[int, str, str, float, float]]:
    """Findings on one bar; of several on one cell the first stands."""
    before, after = i - 1, i + 1
    lively, typical = _noise(tape, i)
    found = _late_prints(tape, i, (before, after), official, typical)
    found += _lone_close(tape, i, (before, after), lively)
    if not any(name == "close" for _, name, *_ in found):  # its own close is then no yardstick
        found += _stale_open(tape, i, before, lively)
        found += _lone_wick(tape, i, (before, after), lively)
    return found


def _late_prints(
    tape: _Tape, i: int, beside: tuple[int, int], official: float, noise: float
) -> list[tuple[int, str, str, float, float]]:
    if np.isnan(official):
        return []
    closes = [float(tape.close[j]) for j in beside]
    found = []
    for name in _PRICES:
        value = float(getattr(tape, name)[i])
        if not abs(value - official) <= max(0.005, 1e-5 * official):  # false for NaN
            continue
        body = [float(tape.close[i])] if name in ("high", "low", "open") else []
        if name in ("high", "low") and not np.isnan(tape.open[i]):
            body.append(float(tape.open[i]))
        yardsticks = body if name in ("high", "low") else [*body, closes[0]] if name == "open" else closes
        departures = np.log(value / np.array(yardsticks))
        one_side = bool((departures > 0).all() or (departures < 0).all())
        if one_side and np.abs(departures).min() > LATE_CLOSE * noise:
            found.append((i, name, "late-close-print", value, yardsticks[int(np.abs(departures).argmin())]))
    return found


def _range(tape: _Tape, j: int) -> tuple[float, float]:
    """Lowest and highest print of a bar; its close alone where nothing else is known."""
    return float(np.nanmin([tape.low[j], tape.close[j]])), float(np.nanmax([tape.high[j], tape.close[j]]))


def _lone_close(tape: _Tape, i: int, beside: tuple[int, int], noise: float) -> list[tuple[int, str, str, float, float]]:
    value, before, after = (float(tape.close[j]) for j in (i, *beside))
    departures = np.log(value / np.array([before, after]))
    lengths = np.sqrt([_bars_between(tape, beside[0], i), _bars_between(tape, i, beside[1])])
    ranges = [_range(tape, j) for j in beside]
    off = bool((departures > SPIKE * noise * lengths).all() or (departures < -SPIKE * noise * lengths).all())
    returned = abs(np.log(after / before)) < 0.5 * np.abs(departures).min()
    inside = min(low for low, _ in ranges) <= value <= max(high for _, high in ranges)
    if not off or not returned or inside:
        return []
    reference = float(np.sqrt(before * after))
    side = np.sign(departures[0])
    # Whatever else of the bar lies as far out belongs to the same print.
    cells = {name: float(getattr(tape, name)[i]) for name in _PRICES}
    limit = 0.5 * np.abs(departures).min()
    return [
        (i, name, "spike", cell, reference)
        for name, cell in cells.items()
        if not np.isnan(cell) and side * np.log(cell / reference) > limit
    ]


def _stale_open(tape: _Tape, i: int, before: int, noise: float) -> list[tuple[int, str, str, float, float]]:
    opened, close, previous = float(tape.open[i]), float(tape.close[i]), float(tape.close[before])
    if np.isnan(opened):
        return []
    departures = np.log(opened / np.array([previous, close]))
    reach = STALE_OPEN * noise * np.sqrt([_bars_between(tape, before, i), 1.0])
    off = bool((departures > reach).all() or (departures < -reach).all())
    low, high = _range(tape, before)
    returned = abs(np.log(close / previous)) < 0.5 * np.abs(departures).min()
    if not off or not returned or low <= opened <= high:
        return []
    found = [(i, "open", "stale-open", opened, previous)]
    name = "high" if departures[0] > 0 else "low"
    wick = float(getattr(tape, name)[i])
    if not np.isnan(wick):  # beyond the open by definition, so it is no better than the open
        found.append((i, name, "stale-open", wick, max(previous, close) if name == "high" else min(previous, close)))
    return found


def _lone_wick(tape: _Tape, i: int, beside: tuple[int, int], noise: float) -> list[tuple[int, str, str, float, float]]:
    ranges = [_range(tape, j) for j in beside]
    length = np.sqrt(max(_bars_between(tape, beside[0], i), _bars_between(tape, i, beside[1])))
    body = [float(tape.close[i])] + ([] if np.isnan(tape.open[i]) else [float(tape.open[i])])
    found = []
    for name, value, limit in (
        ("high", float(tape.high[i]), max([*body, *(high for _, high in ranges)])),
        ("low", float(tape.low[i]), min([*body, *(low for low, _ in ranges)])),
    ):
        departure = np.log(value / limit) * (1 if name == "high" else -1)
        if departure > SPIKE * noise * length:  # false for NaN
            found.append((i, name, "spike", value, limit))
    return found
