"""Trading sessions of an exchange: from an instant to its timing and its day zero.

The only module of the package that knows ``exchange_calendars``.
"""

from __future__ import annotations

import datetime as dt
import textwrap
import warnings
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias, overload

import exchange_calendars
import numpy as np
import pandas as pd
from exchange_calendars.errors import CalendarError

from research.errors import CalendarRangeError, InputError, ParameterError, nearest, offences
from research.events import _instants

#: Span of a calendar when none is asked for. Fixed dates: a span that moved with the
#: clock would let the same inputs succeed one year and fail another.
DEFAULT_START = "1990-01-02"
DEFAULT_END = "2030-12-31"

#: Timing labels in the order of the codes that :meth:`TradingCalendar.timing` computes.
TIMINGS = ("bmo", "dmh", "amc", "closed")

#: Flags that a bare date may carry.
SESSION_FLAGS = ("bmo", "dmh", "amc")

# What exchange_calendars raises; some versions of pandas lack what Orthodox holidays need.
_CANNOT = (ValueError, NotImplementedError, CalendarError)

# What an argument may be: one value, a list, an array, an Index or a Series.
_Values: TypeAlias = Any


@dataclass(frozen=True)
class _Schedule:
    """Read-only arrays of one calendar; shared by every TradingCalendar of the same span."""

    code: str
    start: pd.Timestamp
    end: pd.Timestamp
    first_instant: pd.Timestamp
    timezone: dt.tzinfo
    sessions: pd.DatetimeIndex
    opens: pd.DatetimeIndex
    closes: pd.DatetimeIndex
    early: np.ndarray


class TradingCalendar:
    """Sessions of one exchange over a fixed span.

    Parameters
    ----------
    code : str, default "XNYS"
        Calendar code of ``exchange_calendars`` (an ISO 10383 MIC such as ``XNYS``,
        ``XLON``, ``XTKS``) or one of its aliases (``NYSE``).
    start, end : str or date-like, optional
        First and last calendar date covered. Default 1990-01-02 to 2030-12-31, cut to
        what is recorded for the exchange; never dependent on today's date.

    Raises
    ------
    ParameterError
        Unknown code, unreadable or reversed span, or a span outside what is recorded.

    Notes
    -----
    Day zero of an instant :math:`t` is the first session that closes after it,

    .. math:: d_0(t) = \\min\\{d : \\mathrm{close}(d) > t\\},

    with a strict inequality: news at the closing instant itself is first priced by the
    next session (Berkman and Truong 2009, *Journal of Accounting Research* 47, 71-103).
    A midday break (Tokyo, Hong Kong) belongs to the session.

    Methods that take several values accept a scalar, a list, an array, an Index or a
    Series. Errors name every offending row by its Series index label, else by position.

    Examples
    --------
    >>> calendar = TradingCalendar("XNYS")
    >>> calendar.timing(["2024-10-30T16:05:00-04:00"])
    array(['amc'], dtype='<U6')
    >>> calendar.day_zero(["2024-10-30T16:05:00-04:00"])[0]
    Timestamp('2024-10-31 00:00:00')
    """

    __slots__ = ("_schedule",)

    _schedule: _Schedule

    def __init__(self, code: str = "XNYS", start: Any = None, end: Any = None) -> None:
        schedule = _schedule(_canonical(code), _bound(start, "start"), _bound(end, "end"))
        object.__setattr__(self, "_schedule", schedule)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a TradingCalendar is immutable; cannot set {name!r}")

    def __repr__(self) -> str:
        return f"TradingCalendar({self.code!r}, {self.start:%Y-%m-%d}..{self.end:%Y-%m-%d})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TradingCalendar) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    def __reduce__(self) -> tuple[Any, ...]:
        return TradingCalendar, self._key

    @property
    def _key(self) -> tuple[str, pd.Timestamp, pd.Timestamp]:
        return self.code, self.start, self.end

    @property
    def code(self) -> str:
        """Canonical calendar code."""
        return self._schedule.code

    @property
    def start(self) -> pd.Timestamp:
        """First calendar date covered."""
        return self._schedule.start

    @property
    def end(self) -> pd.Timestamp:
        """Last calendar date covered."""
        return self._schedule.end

    @property
    def timezone(self) -> dt.tzinfo:
        """Local time zone of the exchange."""
        return self._schedule.timezone

    @property
    def sessions(self) -> pd.DatetimeIndex:
        """Session labels, tz-naive midnight."""
        return self._schedule.sessions

    @property
    def opens(self) -> pd.DatetimeIndex:
        """Opening instants in UTC, one a session."""
        return self._schedule.opens

    @property
    def closes(self) -> pd.DatetimeIndex:
        """Closing instants in UTC, one a session."""
        return self._schedule.closes

    def day_zero(self, timestamps: _Values) -> pd.DatetimeIndex:
        """First session that closes strictly after each instant.

        Parameters
        ----------
        timestamps : array-like of tz-aware instants, shape (n,)
            Any mixture of offsets; text is read as ISO 8601 with an offset.

        Returns
        -------
        DatetimeIndex of shape (n,)
            Session labels, tz-naive midnight.

        Raises
        ------
        InputError
            Naive times, missing or unreadable ones; every row is named.
        CalendarRangeError
            Instants before the span, or not before its last close.
        """
        instants = self._covered_instants(timestamps)
        return self.sessions[self._next_close(instants)]

    def timing(self, timestamps: _Values) -> np.ndarray:
        """Where each instant lies relative to the trading session of its local day.

        Parameters
        ----------
        timestamps : array-like of tz-aware instants, shape (n,)

        Returns
        -------
        ndarray of str, shape (n,)
            ``bmo`` before the open, ``dmh`` from the open until just before the close,
            ``amc`` at the close or later, ``closed`` on a local date without a session.

        """
        instants = self._covered_instants(timestamps)
        following = self._next_close(instants)
        local = self._local_dates(instants)
        opened = self.opens.asi8[following] <= instants.asi8
        same_day = self.sessions.asi8[following] == local.asi8
        # Ask for an open session before asking for the date: futures sessions begin on
        # the evening before the date that they are named after.
        codes = np.select([opened, same_day, self._sessions_at(local)], [1, 0, 2], default=3)
        return np.array(TIMINGS)[codes]

    def local_date(self, timestamps: _Values) -> pd.DatetimeIndex:
        """Calendar date of each instant at the exchange.

        Parameters
        ----------
        timestamps : array-like of tz-aware instants, shape (n,)
            Need not lie within the span of the calendar.

        Returns
        -------
        DatetimeIndex of shape (n,)
            Tz-naive midnights.

        Raises
        ------
        InputError
            Naive times, missing or unreadable ones.
        """
        return self._local_dates(_instants.instants(timestamps)[0])

    def day_zero_from_date(self, dates: _Values, flags: _Values) -> pd.DatetimeIndex:
        """Day zero of bare local dates that carry a session flag.

        Parameters
        ----------
        dates : array-like of tz-naive dates, shape (n,)
            Calendar dates at the exchange.
        flags : str or array-like of str, shape (n,)
            ``bmo`` and ``dmh``: the first session on or after the date. ``amc``: the
            first session after the date.

        Returns
        -------
        DatetimeIndex of shape (n,)

        Raises
        ------
        InputError
            Missing dates, dates with a time or a zone, unknown flags.
        CalendarRangeError
            Dates outside the span, or with no later session within it.
        """
        days, labels = self._covered_dates(dates, "date")
        after = _instants.chosen(flags, labels, SESSION_FLAGS) == "amc"
        left = self.sessions.asi8.searchsorted(days.asi8, side="left")
        right = self.sessions.asi8.searchsorted(days.asi8, side="right")
        found = np.where(after, right, left)
        beyond = found == len(self.sessions)
        if beyond.any():
            raise self._range_error("date", days, labels, np.zeros_like(beyond), beyond)
        return self.sessions[found]

    def is_session(self, dates: _Values) -> np.ndarray:
        """Whether each date is a trading session.

        Parameters
        ----------
        dates : array-like of tz-naive dates, shape (n,)

        Returns
        -------
        ndarray of bool, shape (n,)

        Raises
        ------
        InputError, CalendarRangeError
            Missing dates, dates with a time or a zone; dates outside the span.
        """
        days, _ = self._covered_dates(dates, "date")
        return self._sessions_at(days)

    def position(self, sessions: _Values) -> np.ndarray:
        """Place of each session in :attr:`sessions`.

        Parameters
        ----------
        sessions : array-like of session labels, shape (n,)

        Returns
        -------
        ndarray of int64, shape (n,)

        Raises
        ------
        InputError
            Dates that are no session, or no dates; every row is named.
        CalendarRangeError
            Dates outside the span.
        """
        days, labels = self._covered_dates(sessions, "session")
        wrong = ~self._sessions_at(days)
        if wrong.any():
            names = labels.tolist()
            raise InputError(
                f"{int(wrong.sum())} of {len(days)} dates are not sessions of {self.code}",
                rows=offences(
                    (names[i], "session", f"{days[i]:%Y-%m-%d}", self._why_closed(days[i]))
                    for i in np.flatnonzero(wrong).tolist()
                ),
                remedy="Use trading dates of the exchange, or another calendar.",
            )
        return self.sessions.asi8.searchsorted(days.asi8).astype(np.int64)

    @overload
    def session_open(self, session: str | dt.date) -> pd.Timestamp: ...
    @overload
    def session_open(self, session: _Values) -> Any: ...
    def session_open(self, session: _Values) -> pd.DatetimeIndex | pd.Timestamp:
        """Opening instant of one session (Timestamp) or of several (DatetimeIndex), in UTC."""
        found = self.opens[self.position(session)]
        return found[0] if _instants.is_scalar(session) else found

    @overload
    def session_close(self, session: str | dt.date) -> pd.Timestamp: ...
    @overload
    def session_close(self, session: _Values) -> Any: ...
    def session_close(self, session: _Values) -> pd.DatetimeIndex | pd.Timestamp:
        """Closing instant of one session (Timestamp) or of several (DatetimeIndex), in UTC."""
        found = self.closes[self.position(session)]
        return found[0] if _instants.is_scalar(session) else found

    def is_early_close(self, sessions: _Values) -> np.ndarray:
        """Whether each session closes earlier than usual (13:00 in New York).

        Parameters
        ----------
        sessions : array-like of session labels, shape (n,)

        Returns
        -------
        ndarray of bool, shape (n,)
        """
        return self._schedule.early[self.position(sessions)]

    def _next_close(self, instants: pd.DatetimeIndex) -> np.ndarray:
        # side="right" is the strict inequality of day zero.
        return self.closes.asi8.searchsorted(instants.asi8, side="right")

    def _local_dates(self, instants: pd.DatetimeIndex) -> pd.DatetimeIndex:
        return instants.tz_convert(self.timezone).tz_localize(None).normalize()

    def _sessions_at(self, days: pd.DatetimeIndex) -> np.ndarray:
        labels = self.sessions.asi8
        place = np.minimum(labels.searchsorted(days.asi8), len(labels) - 1)
        return labels[place] == days.asi8

    def _why_closed(self, day: pd.Timestamp) -> str:
        reason = f"a {day:%A}" if day.weekday() > 4 else "a day on which the exchange was closed"
        return f"is {reason}, not a session of {self.code}"

    def _covered_instants(self, values: _Values) -> pd.DatetimeIndex:
        instants, labels = _instants.instants(values)
        # Every session from local midnight of `start` on is known, so an instant from
        # then on has its true day zero; from the last close on it has none.
        before = np.asarray(instants < self._schedule.first_instant)
        after = np.asarray(instants >= self.closes[-1])
        if before.any() or after.any():
            raise self._range_error("timestamp", instants, labels, before, after)
        return instants

    def _covered_dates(self, values: _Values, column: str) -> tuple[pd.DatetimeIndex, pd.Index]:
        days, labels = _instants.dates(values, column)
        before, after = np.asarray(days < self.start), np.asarray(days > self.end)
        if before.any() or after.any():
            raise self._range_error(column, days, labels, before, after)
        return days, labels

    def _range_error(
        self, column: str, values: pd.DatetimeIndex, labels: pd.Index, before: np.ndarray, after: np.ndarray
    ) -> CalendarRangeError:
        names = labels.tolist()
        ends = {True: f"before the calendar's start, {self.start:%Y-%m-%d}"}
        ends[False] = f"after the calendar's last session, {self.sessions[-1]:%Y-%m-%d}"
        return CalendarRangeError(
            f"{int((before | after).sum())} of {len(values)} values lie outside the {self.code} calendar "
            f"({int(before.sum())} before it, {int(after.sum())} after it)",
            rows=offences(
                (names[i], column, _shown(values[i]), ends[bool(before[i])])
                for i in np.flatnonzero(before | after).tolist()
            ),
            allowed=f"{self.start:%Y-%m-%d} to {self.end:%Y-%m-%d}",
            remedy=f"Build TradingCalendar({self.code!r}, start=..., end=...) with a span that holds them.",
        )


def _shown(value: pd.Timestamp) -> str:
    return f"{value:%Y-%m-%d}" if value.tz is None else str(value)


def _canonical(code: str) -> str:
    if isinstance(code, str) and code in _aliases():
        return _aliases()[code]
    raise ParameterError(
        "unknown exchange calendar",
        parameter="code",
        value=code,
        allowed="a calendar code of exchange_calendars, such as XNYS, XLON or XTKS",
        remedy=nearest(str(code), list(_aliases())) or None,
    )


@lru_cache(maxsize=1)
def _aliases() -> dict[str, str]:
    """Every code and alias that exchange_calendars knows, with its canonical code."""
    names = exchange_calendars.get_calendar_names(include_aliases=True)
    return {name: exchange_calendars.resolve_alias(name) for name in names}


def _bound(value: Any, parameter: str) -> pd.Timestamp | None:
    if value is None:
        return None
    problem = None
    try:
        day = pd.Timestamp(value)
        if day is pd.NaT or isinstance(value, int | float) or day.tz is not None or day != day.normalize():
            problem = "not a bare calendar date"
        else:
            return day.as_unit("ns")
    except (ValueError, TypeError) as error:
        problem = f"not a calendar date: {error}"
    raise ParameterError(problem, parameter=parameter, value=value, allowed="a date such as '2012-01-03'")


@lru_cache(maxsize=64)
def _schedule(code: str, start: pd.Timestamp | None, end: pd.Timestamp | None) -> _Schedule:
    """Build, once for each span, the arrays of a calendar."""
    first, last = start or pd.Timestamp(DEFAULT_START), end or pd.Timestamp(DEFAULT_END)
    with warnings.catch_warnings():
        # exchange_calendars uses an attribute that pandas 3.1 deprecates.
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            source = exchange_calendars.get_calendar(code, start=first, end=last)
        except _CANNOT:
            first, last = _within_records(code, start, end)
            source = _build(code, first, last)
        early = source.sessions.isin(source.early_closes)
    early.flags.writeable = False
    return _Schedule(
        code=code,
        start=first.as_unit("ns"),
        end=last.as_unit("ns"),
        # Some zones skip midnight on the day that summer time begins.
        first_instant=first.tz_localize(source.tz, ambiguous=True, nonexistent="shift_forward"),
        timezone=source.tz,
        sessions=_plain(source.sessions),
        opens=_plain(pd.DatetimeIndex(source.opens).tz_convert(None)).tz_localize("UTC"),
        closes=_plain(pd.DatetimeIndex(source.closes).tz_convert(None)).tz_localize("UTC"),
        early=early,
    )


def _within_records(
    code: str, start: pd.Timestamp | None, end: pd.Timestamp | None
) -> tuple[pd.Timestamp, pd.Timestamp]:
    """Span asked for, its default ends moved into what is recorded for the exchange."""
    kind = type(_build(code, None, None))
    lowest, highest = kind.bound_min(), kind.bound_max()
    first, last = pd.Timestamp(DEFAULT_START), pd.Timestamp(DEFAULT_END)
    return (
        start or (first if lowest is None else max(first, lowest)),
        end or (last if highest is None else min(last, highest)),
    )


def _build(code: str, first: pd.Timestamp | None, last: pd.Timestamp | None) -> exchange_calendars.ExchangeCalendar:
    """Calendar of exchange_calendars over a span, None for its own default."""
    try:
        return exchange_calendars.get_calendar(code, start=first, end=last)
    except _CANNOT as error:
        raise ParameterError(
            f"exchange_calendars can build no {code} calendar for this span: {textwrap.shorten(str(error), 200)}",
            parameter="start, end",
            value=None if first is None or last is None else (f"{first:%Y-%m-%d}", f"{last:%Y-%m-%d}"),
            allowed="a start before the end, within the years recorded for the exchange",
        ) from error


def _plain(index: pd.DatetimeIndex) -> pd.DatetimeIndex:
    """Naive index in nanoseconds, without the frequency and name of its source."""
    return pd.DatetimeIndex(index.as_unit("ns").asi8.view("datetime64[ns]"))
