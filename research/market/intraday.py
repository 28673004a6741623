"""Bars within the day, extended hours included, of one instrument."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

import numpy as np
import pandas as pd

from research.errors import InputError, ParameterError, nearest
from research.market._checks import Findings, check_columns, numbers

#: Columns kept, in this order.
FIELDS = ("open", "high", "low", "close", "volume")

_STAMP = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?\s*(?P<zone>Z|[+-]\d{2}(:?\d{2})?)?")
#: datetime64[ns] ends in 1677 and 2262.
_YEARS = (1678, 2261)

_NAIVE = "Give timezone= the zone of the stamps, for instance 'America/New_York'."
_DAY = pd.Timedelta(days=1)


class Bars:
    """Intraday bars of one instrument, stamped at their start.

    Build it with :meth:`from_frame`; an instance never changes. Prints of the
    extended hours stay as they came: late reports of the official close, stray highs
    and lows are part of the tape, and minutes without a trade stay missing.

    Attributes
    ----------
    frame : DataFrame, shape (n_bars, n_columns)
        Those of ``open high low close volume`` that the input had, float64; index
        ``ts``, start of each bar, sorted, ``datetime64[ns, UTC]``.
    step : Timedelta
        Length of one bar.
    """

    __slots__ = ("_fields", "_starts", "_step")

    _starts: pd.DatetimeIndex
    _fields: Mapping[str, np.ndarray]
    _step: pd.Timedelta

    def __init__(self, starts: pd.DatetimeIndex, fields: Mapping[str, np.ndarray], step: pd.Timedelta) -> None:
        for values in fields.values():
            values.setflags(write=False)
        object.__setattr__(self, "_starts", starts)
        object.__setattr__(self, "_fields", dict(fields))
        object.__setattr__(self, "_step", step)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"Bars are immutable; cannot set {name!r}")

    def __reduce__(self) -> tuple[type[Bars], tuple[Any, ...]]:
        return Bars, (self._starts, self._fields, self._step)

    def __len__(self) -> int:
        return len(self._starts)

    def __repr__(self) -> str:
        length = f"{self._step / pd.Timedelta(minutes=1):g}-minute bars"
        if not len(self):
            return f"Bars(no {length})"
        first, last = self._starts[0], self._starts[-1]
        return f"Bars({len(self)} {length}, {first:%Y-%m-%d %H:%M}..{last:%Y-%m-%d %H:%M} UTC)"

    @classmethod
    def from_frame(
        cls,
        frame: pd.DataFrame,
        *,
        timezone: str | dt.tzinfo | None = None,
        step: str | dt.timedelta | None = None,
    ) -> Bars:
        """Check a table of bars.

        Parameters
        ----------
        frame : DataFrame
            ``ts`` (start of the bar: tz-aware, or ISO text with an offset) and
            ``close``; optional ``open high low volume``. Other columns are not kept.
            Any order of rows. A missing close stays missing. A table of one ticker as
            yfinance returns it (``prepost=True``), starts in the index or in ``Datetime``,
            is taken too; see :func:`research.market.yahoo_bars.yahoo_bars`.
        timezone : str or tzinfo, optional
            Zone in which stamps *without* an offset are read; stamps with one keep it.
        step : str or timedelta, optional
            Length of a bar. By default the most frequent spacing (the shortest of
            equally frequent ones), which thinly traded series can hide.

        Returns
        -------
        Bars

        Raises
        ------
        InputError
            Listing every offending row: missing or misspelt columns, an empty table,
            stamps that are missing, unreadable, naive without ``timezone``, or told
            twice or never by the zone's clock change; one stamp twice; bars that
            begin before the one before has ended; prices that are not positive,
            volumes below zero, cells that are infinite or no number; high below low.
        ParameterError
            An unknown time zone, or a step that is no positive duration below a day.
        """
        if isinstance(frame, pd.DataFrame) and not len(frame):
            raise InputError("the table of bars is empty", remedy="Check the file or query it came from.")
        if _as_yahoo_has_it(frame):
            from research.market.yahoo_bars import yahoo_table

            frame = yahoo_table(frame)
        optional = [name for name in FIELDS if name != "close"]
        check_columns(frame, "bars", ["ts", "close"], optional)
        length = None if step is None else _length(step)
        found = Findings(frame, "bars")
        starts = _starts(frame["ts"], _zone(timezone), found)
        cells = {name: numbers(frame[name], found, zero=name == "volume") for name in FIELDS if name in frame.columns}
        if "high" in cells and "low" in cells:
            below = np.flatnonzero(cells["high"] < cells["low"])
            texts = [f"is below low {cells['low'][row]:.10g}" for row in below]
            found.add(below, "high", cells["high"], texts)
        order = np.argsort(starts.asi8, kind="stable")
        _check_repeats(frame["ts"], starts, order, found)
        found.raise_if_any()
        starts = starts[order]
        length = _usual_spacing(starts) if length is None else length
        _check_overlaps(frame["ts"], starts, order, length, found)
        found.raise_if_any()
        return cls(starts, {name: values[order] for name, values in cells.items()}, length)

    @property
    def frame(self) -> pd.DataFrame:
        """The bars as a table indexed by their start in UTC; a copy."""
        return pd.DataFrame(dict(self._fields), index=pd.DatetimeIndex(self._starts, name="ts"), copy=True)

    @property
    def step(self) -> pd.Timedelta:
        """Length of one bar."""
        return self._step

    def price_at(self, instant: str | dt.datetime) -> float:
        """Last price known at an instant.

        Parameters
        ----------
        instant : tz-aware datetime or ISO text with an offset

        Returns
        -------
        float
            Close of the last bar that has *ended* at or before ``instant`` and has a
            close, however long ago; NaN if there is none. A one-minute bar stamped
            16:04 answers for 16:05:00 and, while no later one has ended, for any
            instant after it. A bar still running at ``instant`` holds trades of its
            future and is not used.

        Raises
        ------
        ParameterError
            If ``instant`` is naive, missing or unreadable.
        """
        close = self._fields["close"]
        known = np.flatnonzero(~np.isnan(close))
        ends = self._starts.asi8[known] + self._step.value
        place = int(np.searchsorted(ends, _instant(instant, "instant").value, side="right")) - 1
        return float(close[known[place]]) if place >= 0 else float("nan")

    def between(self, start: str | dt.datetime, end: str | dt.datetime) -> Bars:
        """Bars that begin within ``[start, end)``.

        Parameters
        ----------
        start, end : tz-aware datetime or ISO text with an offset

        Returns
        -------
        Bars
            With the same step; without a bar where none begins in the span.

        Raises
        ------
        ParameterError
            If an end is naive, missing or unreadable, or ``end`` lies before ``start``.
        """
        first, last = _instant(start, "start"), _instant(end, "end")
        if last < first:
            raise ParameterError("the span ends before it starts", parameter="end", value=str(end))
        part = slice(*np.searchsorted(self._starts.asi8, [first.value, last.value], side="left"))
        return Bars(self._starts[part], {name: v[part].copy() for name, v in self._fields.items()}, self._step)


def _as_yahoo_has_it(frame: Any) -> bool:
    """Whether the starts are in the index, or in ``Datetime``, and closes under ``Close``."""
    if not isinstance(frame, pd.DataFrame) or {"ts", "close"} & set(frame.columns):
        return False
    tops = {name for level in range(frame.columns.nlevels) for name in frame.columns.get_level_values(level)}
    return "Close" in tops and (isinstance(frame.index, pd.DatetimeIndex) or "Datetime" in tops)


def _zone(timezone: str | dt.tzinfo | None) -> dt.tzinfo | None:
    if timezone is None or isinstance(timezone, dt.tzinfo):
        return timezone
    try:
        return ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, TypeError, OSError) as error:
        raise ParameterError(
            "no such time zone",
            parameter="timezone",
            value=timezone,
            allowed="IANA names such as 'America/New_York', or a tzinfo",
            remedy=nearest(str(timezone), sorted(available_timezones())) or None,
        ) from error


def _length(step: str | dt.timedelta) -> pd.Timedelta:
    try:
        length = pd.Timedelta(step)
        if pd.Timedelta(0) < length < _DAY:  # false for NaT
            return length.as_unit("ns")
    except (ValueError, TypeError):
        pass  # unreadable is as impossible as negative
    raise ParameterError(
        "no length of an intraday bar",
        parameter="step",
        value=step,
        allowed="a positive duration below one day, such as '1min'",
    )


def _instant(instant: Any, parameter: str) -> pd.Timestamp:
    """One aware instant in UTC, nanoseconds."""
    problem = "no instant"
    # Numbers are left out: pandas would read them as nanoseconds since 1970.
    if isinstance(instant, (str, dt.datetime)):
        try:
            moment = pd.Timestamp(instant)
            if isinstance(moment, pd.Timestamp) and moment.tzinfo is not None:
                return moment.tz_convert("UTC").as_unit("ns")
            problem = "no instant without its time zone"
        except ValueError:  # OutOfBoundsDatetime is one, too
            pass
    raise ParameterError(
        problem,
        parameter=parameter,
        value=str(instant),
        allowed="a tz-aware datetime, or text such as 2024-10-30T16:05:00-04:00",
    )


def _starts(column: pd.Series, zone: dt.tzinfo | None, found: Findings) -> pd.DatetimeIndex:
    """Stamps in UTC, nanoseconds; NaT where they have been noted as unusable."""
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        stamps = pd.DatetimeIndex(column)
        naive = column.notna().to_numpy() & (stamps.tz is None)
        stamps = stamps.tz_localize("UTC") if stamps.tz is None else stamps.tz_convert("UTC")
    else:
        stamps, naive = _from_cells(column, found)
    strange = np.asarray((stamps.year < _YEARS[0]) | (stamps.year > _YEARS[1]))  # nanoseconds end there
    found.add(np.flatnonzero(strange), "ts", column, "has an impossible year")
    instants = pd.DatetimeIndex(stamps.where(~strange)).as_unit("ns")
    found.add(np.flatnonzero(_missing(instants) & ~found.noted()), "ts", column, "has no instant")
    return _placed(column, instants, naive, zone, found) if naive.any() else instants


def _placed(
    column: pd.Series, instants: pd.DatetimeIndex, naive: np.ndarray, zone: dt.tzinfo | None, found: Findings
) -> pd.DatetimeIndex:
    """Naive stamps, so far taken for UTC, read on the clock of their zone."""
    if zone is None:
        found.add(np.flatnonzero(naive), "ts", column, "carries no time zone", _NAIVE)
        return instants
    wall = instants[naive].tz_localize(None)
    placed = wall.tz_localize(zone, ambiguous="NaT", nonexistent="NaT").tz_convert("UTC")
    lost = np.flatnonzero(naive)[_missing(placed) & ~_missing(wall)]
    found.add(lost, "ts", column, f"is told twice or never in {zone}", "Give these stamps with an offset.")
    values = instants.asi8.copy()
    values[naive] = placed.asi8
    return pd.DatetimeIndex(values.view("M8[ns]")).tz_localize("UTC")


def _missing(instants: pd.DatetimeIndex) -> np.ndarray:
    return np.asarray(instants.isna())


def _from_cells(column: pd.Series, found: Findings) -> tuple[pd.DatetimeIndex, np.ndarray]:
    """Text and datetime objects, offsets mixed; naive ones taken for UTC and marked."""
    cells = column.astype(object)
    texts = [cell.isoformat() if isinstance(cell, dt.datetime) else cell for cell in cells]
    matches = [_STAMP.fullmatch(text.strip()) if isinstance(text, str) else None for text in texts]
    readable = pd.Series([match and match.group() for match in matches], dtype=object)
    stamps = pd.DatetimeIndex(pd.to_datetime(readable, utc=True, format="ISO8601", errors="coerce"))
    unread = np.flatnonzero(_missing(stamps) & cells.notna().to_numpy())
    remedy = "Write stamps as 2024-10-30T16:05:00-04:00; numbers and bare dates are not guessed."
    found.add(unread, "ts", column, "is no instant", remedy)
    naive = np.array([match is not None and match["zone"] is None for match in matches])
    return stamps, naive & ~_missing(stamps)


def _check_repeats(column: pd.Series, starts: pd.DatetimeIndex, order: np.ndarray, found: Findings) -> None:
    """One bar per instant, whatever zone it is written in; all but the first are offences."""
    ordered = starts.asi8[order]
    again = np.append(False, ordered[1:] == ordered[:-1]) & ~_missing(starts[order])
    found.add(np.sort(order[again]), "ts", column, "repeats the instant of another row", "Keep one bar each.")


def _usual_spacing(starts: pd.DatetimeIndex) -> pd.Timedelta:
    """Most frequent spacing of sorted, distinct stamps."""
    if len(starts) < 2:
        raise InputError("one bar does not tell its length", remedy="Pass it: Bars.from_frame(..., step='1min').")
    spacing, count = np.unique(np.diff(starts.asi8), return_counts=True)
    usual = pd.Timedelta(int(spacing[count.argmax()]), unit="ns")
    if usual >= _DAY:
        raise InputError(
            "the stamps lie a day or more apart; these are no bars within the day",
            value=str(usual),
            remedy="Daily bars belong into Prices; for sparse minute bars pass step=.",
        )
    return usual


def _check_overlaps(
    column: pd.Series, starts: pd.DatetimeIndex, order: np.ndarray, length: pd.Timedelta, found: Findings
) -> None:
    """No bar begins before the one before it has ended."""
    early = np.append(False, np.diff(starts.asi8) < length.value)
    minutes = length / pd.Timedelta(minutes=1)
    found.add(
        order[early],
        "ts",
        column,
        f"begins before the {minutes:g}-minute bar before it has ended",
        "Keep bars of one length, or pass step= if the usual spacing is not that length.",
    )
