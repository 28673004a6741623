"""TradingCalendar against hand-written instants, raw schedules and the definition in a plain loop."""

from __future__ import annotations

import datetime as dt
import pickle
from functools import cache
from zoneinfo import ZoneInfo

import exchange_calendars
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from research.errors import CalendarRangeError, InputError, ParameterError
from research.events.calendar import TradingCalendar

# exchange_calendars itself trips over a deprecation of pandas 3.1.
pytestmark = pytest.mark.filterwarnings("ignore:Series.values:DeprecationWarning")

XNYS = TradingCalendar("XNYS")

# (instant, timing, day zero), each worked out by hand from the exchange's published hours.
NEW_YORK = [
    # Sunday 2024-03-10: clocks forward. 09:30 is 14:30 UTC on the Friday, 13:30 UTC on the Monday.
    ("2024-03-08T14:29:59Z", "bmo", "2024-03-08"),
    ("2024-03-08T14:30:00Z", "dmh", "2024-03-08"),
    ("2024-03-08T20:59:59Z", "dmh", "2024-03-08"),
    ("2024-03-08T21:00:00Z", "amc", "2024-03-11"),
    ("2024-03-10T06:59:59Z", "closed", "2024-03-11"),
    ("2024-03-10T07:00:00Z", "closed", "2024-03-11"),
    ("2024-03-11T13:29:59Z", "bmo", "2024-03-11"),
    ("2024-03-11T13:30:00Z", "dmh", "2024-03-11"),
    ("2024-03-11T19:59:59Z", "dmh", "2024-03-11"),
    ("2024-03-11T20:00:00Z", "amc", "2024-03-12"),
    # Sunday 2024-11-03: clocks back.
    ("2024-11-01T19:59:59Z", "dmh", "2024-11-01"),
    ("2024-11-01T20:00:00Z", "amc", "2024-11-04"),
    ("2024-11-03T05:30:00Z", "closed", "2024-11-04"),
    ("2024-11-03T06:30:00Z", "closed", "2024-11-04"),
    ("2024-11-04T14:29:59Z", "bmo", "2024-11-04"),
    ("2024-11-04T14:30:00Z", "dmh", "2024-11-04"),
    ("2024-11-04T20:30:00Z", "dmh", "2024-11-04"),
    ("2024-11-04T21:00:00Z", "amc", "2024-11-05"),
    # Early close at 13:00, then a holiday.
    ("2024-07-03T12:59:59-04:00", "dmh", "2024-07-03"),
    ("2024-07-03T13:00:00-04:00", "amc", "2024-07-05"),
    ("2024-07-03T13:00:01-04:00", "amc", "2024-07-05"),
    ("2024-07-03T15:00:00-04:00", "amc", "2024-07-05"),
    ("2024-07-04T10:00:00-04:00", "closed", "2024-07-05"),
    # One second either side of an ordinary open and close, and one nanosecond.
    ("2024-10-30T09:29:59-04:00", "bmo", "2024-10-30"),
    ("2024-10-30T09:30:00-04:00", "dmh", "2024-10-30"),
    ("2024-10-30T09:30:01-04:00", "dmh", "2024-10-30"),
    ("2024-10-30T15:59:59-04:00", "dmh", "2024-10-30"),
    ("2024-10-30T16:00:00-04:00", "amc", "2024-10-31"),
    ("2024-10-30T16:00:01-04:00", "amc", "2024-10-31"),
    ("2024-10-30T16:05:00-04:00", "amc", "2024-10-31"),
    # Sandy: closed on Monday and Tuesday.
    ("2012-10-26T16:00:00-04:00", "amc", "2012-10-31"),
    ("2012-10-29T08:00:00-04:00", "closed", "2012-10-31"),
    ("2012-10-30T17:00:00-04:00", "closed", "2012-10-31"),
    ("2012-10-31T08:00:00-04:00", "bmo", "2012-10-31"),
    # September 2001: closed from Tuesday 11th to Friday 14th.
    ("2001-09-10T16:30:00-04:00", "amc", "2001-09-17"),
    ("2001-09-11T08:00:00-04:00", "closed", "2001-09-17"),
    ("2001-09-14T12:00:00-04:00", "closed", "2001-09-17"),
    ("2001-09-17T09:29:59-04:00", "bmo", "2001-09-17"),
    # Days of mourning: Reagan, Ford, Bush, Carter.
    ("2004-06-11T10:00:00-04:00", "closed", "2004-06-14"),
    ("2004-06-10T16:00:00-04:00", "amc", "2004-06-14"),
    ("2007-01-02T07:00:00-05:00", "closed", "2007-01-03"),
    ("2018-12-04T16:15:00-05:00", "amc", "2018-12-06"),
    ("2018-12-05T07:00:00-05:00", "closed", "2018-12-06"),
    ("2025-01-08T16:05:00-05:00", "amc", "2025-01-10"),
    ("2025-01-09T10:00:00-05:00", "closed", "2025-01-10"),
    # Juneteenth: a session in 2021, the Monday after it closed in 2022.
    ("2021-06-18T10:00:00-04:00", "dmh", "2021-06-18"),
    ("2022-06-20T10:00:00-04:00", "closed", "2022-06-21"),
    ("2022-06-17T16:00:00-04:00", "amc", "2022-06-21"),
    # New Year's Day 2022 was a Saturday: the Friday before was a full session.
    ("2021-12-31T15:59:59-05:00", "dmh", "2021-12-31"),
    ("2021-12-31T16:00:00-05:00", "amc", "2022-01-03"),
    # ... and 2023 a Sunday: the Monday after it was closed.
    ("2023-01-02T10:00:00-05:00", "closed", "2023-01-03"),
    # The UTC or Tokyo date is not New York's.
    ("2024-10-31T00:30:00Z", "amc", "2024-10-31"),
    ("2024-10-31T03:59:59Z", "amc", "2024-10-31"),
    ("2024-10-31T04:00:00Z", "bmo", "2024-10-31"),
    ("2024-10-31T05:05:00+09:00", "amc", "2024-10-31"),
    ("2024-10-31T04:59:59+09:00", "dmh", "2024-10-30"),
    ("2024-11-02T08:00:00+09:00", "amc", "2024-11-04"),
    # Weekend.
    ("2024-10-26T12:00:00-04:00", "closed", "2024-10-28"),
    ("2024-10-27T23:59:59-04:00", "closed", "2024-10-28"),
    ("2024-10-28T00:00:00-04:00", "bmo", "2024-10-28"),
]

LONDON = [
    ("2024-12-23T16:29:59Z", "dmh", "2024-12-23"),
    ("2024-12-23T16:30:00Z", "amc", "2024-12-24"),
    ("2024-12-24T12:29:59Z", "dmh", "2024-12-24"),  # half day, then Christmas and Boxing Day
    ("2024-12-24T12:30:00Z", "amc", "2024-12-27"),
    ("2024-12-25T09:00:00Z", "closed", "2024-12-27"),
    ("2024-07-01T06:59:59Z", "bmo", "2024-07-01"),  # 08:00 in summer is 07:00 UTC
    ("2024-07-01T07:00:00Z", "dmh", "2024-07-01"),
    ("2022-09-19T10:00:00Z", "closed", "2022-09-20"),  # funeral of the Queen
]

TOKYO = [
    ("2024-05-07T08:59:59+09:00", "bmo", "2024-05-07"),
    ("2024-05-07T09:00:00+09:00", "dmh", "2024-05-07"),
    ("2024-05-07T12:00:00+09:00", "dmh", "2024-05-07"),  # the lunch break belongs to the session
    ("2024-05-07T14:59:59+09:00", "dmh", "2024-05-07"),
    ("2024-05-07T15:00:00+09:00", "amc", "2024-05-08"),
    ("2024-05-06T23:30:00Z", "bmo", "2024-05-07"),  # still the 6th, a holiday, in UTC
    ("2024-05-03T12:00:00+09:00", "closed", "2024-05-07"),
    ("2025-01-06T15:15:00+09:00", "dmh", "2025-01-06"),  # closes at 15:30 since 2024-11-05
]


@pytest.mark.parametrize(("code", "cases"), [("XNYS", NEW_YORK), ("XLON", LONDON), ("XTKS", TOKYO)])
def test_timing_and_day_zero_of_known_instants(code, cases):
    calendar = TradingCalendar(code)
    instants, timings, days = zip(*cases, strict=True)
    found = pd.DataFrame(
        {"timing": calendar.timing(instants), "day": calendar.day_zero(instants).strftime("%Y-%m-%d")},
        index=instants,
    )
    expected = pd.DataFrame({"timing": timings, "day": days}, index=instants)
    assert found[(found["timing"] != expected["timing"]) | (found["day"] != expected["day"])].empty


def test_one_nanosecond_decides_at_the_close():
    close = pd.Timestamp("2024-10-30 16:00", tz="America/New_York").as_unit("ns")
    instants = [close - pd.Timedelta(1, unit="ns"), close]
    assert list(XNYS.timing(instants)) == ["dmh", "amc"]
    assert list(XNYS.day_zero(instants)) == [pd.Timestamp("2024-10-30"), pd.Timestamp("2024-10-31")]


def by_definition(schedule: pd.DataFrame, zone: ZoneInfo, instant: dt.datetime) -> tuple[str, pd.Timestamp]:
    """Min{d: close(d) > t} and the labels, by walking the raw schedule."""
    day_zero = next(day for day, close in schedule["close"].items() if close > instant)
    today = pd.Timestamp(instant.astimezone(zone).date())
    if today not in schedule.index:
        return "closed", day_zero
    if instant < schedule.loc[today, "open"]:
        return "bmo", day_zero
    return ("dmh" if instant < schedule.loc[today, "close"] else "amc"), day_zero


@cache
def raw_calendar(code: str, start: str = "2012-01-03", end: str = "2012-12-31"):
    return exchange_calendars.get_calendar(code, start=start, end=end)


@settings(max_examples=300, deadline=None)
@given(
    code=st.sampled_from(["XNYS", "XLON", "XTKS"]),
    instant=st.datetimes(dt.datetime(2012, 1, 5), dt.datetime(2012, 12, 20)),
    offset=st.integers(-12, 14),
)
def test_day_zero_agrees_with_its_definition(code, instant, offset):
    calendar = TradingCalendar(code)
    moment = instant.replace(tzinfo=dt.timezone(dt.timedelta(hours=offset)))
    timing, day_zero = by_definition(raw_calendar(code).schedule, ZoneInfo(str(calendar.timezone)), moment)
    assert calendar.timing([moment])[0] == timing
    assert calendar.day_zero([moment])[0] == day_zero


def test_every_boundary_of_a_year_agrees_with_the_raw_schedule():
    schedule = raw_calendar("XNYS").schedule
    second = pd.Timedelta(seconds=1)
    for column, at, before in (("open", "dmh", "bmo"), ("close", "amc", "dmh")):
        instants = pd.DatetimeIndex(schedule[column])[:-1]
        assert set(XNYS.timing(instants)) == {at}
        assert set(XNYS.timing(instants - second)) == {before}
        assert (XNYS.day_zero(instants - second) == schedule.index[:-1]).all()
    assert (XNYS.day_zero(pd.DatetimeIndex(schedule["close"])[:-1]) == schedule.index[1:]).all()


def test_sessions_equal_those_of_exchange_calendars():
    raw = raw_calendar("XNYS", "1990-01-02", "2030-12-31")
    assert XNYS.sessions.equals(raw.sessions)
    assert (XNYS.opens == pd.DatetimeIndex(raw.opens)).all()
    assert (XNYS.closes == pd.DatetimeIndex(raw.closes)).all()
    assert (XNYS.sessions[XNYS.is_early_close(XNYS.sessions)] == raw.early_closes).all()


def test_index_types():
    assert XNYS.sessions.dtype == "datetime64[ns]"
    assert XNYS.sessions.is_normalized
    assert str(XNYS.opens.dtype) == str(XNYS.closes.dtype) == "datetime64[ns, UTC]"
    days = XNYS.day_zero(["2024-10-30T16:05-04:00"])
    assert days.dtype == "datetime64[ns]"
    assert days.tz is None
    assert XNYS.timing(["2024-10-30T16:05-04:00"]).dtype.kind == "U"


@pytest.mark.parametrize("unit", ["s", "us", "ns"])
@pytest.mark.parametrize("wrap", [pd.Index, pd.Series, list, np.array])
def test_any_container_and_unit(unit, wrap):
    instants = pd.DatetimeIndex(["2024-10-30 20:05", "2024-07-03 16:59:59"], tz="UTC").as_unit(unit)
    assert list(XNYS.timing(wrap(instants))) == ["amc", "dmh"]
    assert list(XNYS.day_zero(wrap(instants.tz_convert("Asia/Tokyo"))).strftime("%m-%d")) == [
        "10-31",
        "07-03",
    ]


def test_scalars_and_mixed_offsets():
    assert list(XNYS.timing("2024-10-30T16:05:00-04:00")) == ["amc"]
    mixed = [
        "2024-01-30T16:05:00-05:00",
        pd.Timestamp("2024-10-31 05:05", tz="Asia/Tokyo"),
        dt.datetime(2024, 10, 30, 13, 0, tzinfo=dt.UTC),
    ]
    assert list(XNYS.timing(mixed)) == ["amc", "amc", "bmo"]
    assert XNYS.day_zero([]).empty
    assert XNYS.timing([]).shape == (0,)


def test_local_date():
    found = XNYS.local_date(["2024-10-31T03:59:59Z", "2024-10-31T04:00:00Z", "1985-01-01T00:00:00+09:00"])
    assert list(found.strftime("%Y-%m-%d")) == ["2024-10-30", "2024-10-31", "1984-12-31"]
    assert found.dtype == "datetime64[ns]"


def test_bare_dates():
    dates = ["2024-10-30", "2024-10-30", "2024-10-30", "2024-10-26", "2024-10-26", "2012-10-26", "2012-10-29"]
    flags = ["bmo", "dmh", "amc", "bmo", "amc", "amc", "dmh"]
    expected = [
        "2024-10-30",
        "2024-10-30",
        "2024-10-31",
        "2024-10-28",
        "2024-10-28",
        "2012-10-31",
        "2012-10-31",
    ]
    assert list(XNYS.day_zero_from_date(dates, flags).strftime("%Y-%m-%d")) == expected
    assert list(XNYS.day_zero_from_date(dates[:1], "amc").strftime("%Y-%m-%d")) == ["2024-10-31"]


def test_bare_dates_agree_with_instants_of_that_day():
    days = pd.date_range("2012-10-01", "2013-01-15")
    morning = (days + pd.Timedelta(hours=7)).tz_localize("America/New_York")
    evening = (days + pd.Timedelta(hours=17)).tz_localize("America/New_York")
    assert (XNYS.day_zero_from_date(days, "bmo") == XNYS.day_zero(morning)).all()
    assert (XNYS.day_zero_from_date(days, "amc") == XNYS.day_zero(evening)).all()


def test_sessions_positions_and_hours():
    assert list(XNYS.is_session(["2024-10-30", "2024-10-26", "2025-01-09"])) == [True, False, False]
    assert list(XNYS.position(["1990-01-02", "1990-01-04"])) == [0, 2]
    assert XNYS.session_close("2024-07-03") == pd.Timestamp("2024-07-03 17:00", tz="UTC")
    assert XNYS.session_open(pd.Timestamp("2024-07-03")) == pd.Timestamp("2024-07-03 13:30", tz="UTC")
    assert list(XNYS.session_close(["2024-01-03", "2024-07-05"]).hour) == [21, 20]
    assert list(XNYS.is_early_close(["2024-07-03", "2024-07-05", "2024-11-29"])) == [True, False, True]


def test_naive_missing_and_unreadable_instants_are_all_named():
    values = pd.Series(
        ["2024-10-30 16:05", "2024-10-30T16:05Z", None, "soon", 45595, "2024-10-30T16:05Z"],
        index=["a", "b", "c", "d", "e", "f"],
    )
    for method in (XNYS.timing, XNYS.day_zero, XNYS.local_date):
        with pytest.raises(InputError, match="4 of 6") as caught:
            method(values)
        assert list(caught.value.rows["row"]) == ["a", "c", "d", "e"]
        assert "no UTC offset" in caught.value.rows["problem"].iloc[0]


def test_naive_index_is_refused_whole():
    with pytest.raises(InputError) as caught:
        XNYS.day_zero(pd.date_range("2024-10-01", periods=30, freq="h"))
    assert len(caught.value.rows) == 30


def test_missing_in_an_aware_index_is_named():
    with pytest.raises(InputError) as caught:
        XNYS.timing(pd.DatetimeIndex(["2024-10-30 16:05", None], tz="UTC"))
    assert list(caught.value.rows["row"]) == [1]


def test_outside_the_span_tells_before_from_after():
    values = ["1989-12-29T15:00Z", "2024-10-30T16:05Z", "2031-01-02T16:05Z"]
    for method in (XNYS.timing, XNYS.day_zero):
        with pytest.raises(CalendarRangeError, match="1 before it, 1 after it") as caught:
            method(values)
        assert list(caught.value.rows["row"]) == [0, 2]
        assert caught.value.rows["problem"].str.split().str[0].tolist() == ["before", "after"]


def test_edges_of_the_span():
    short = TradingCalendar("XNYS", "2024-10-26", "2024-10-30")  # begins on a Saturday
    assert short.day_zero(["2024-10-26T00:00:00-04:00"])[0] == pd.Timestamp("2024-10-28")
    assert short.day_zero(["2024-10-30T15:59:59-04:00"])[0] == pd.Timestamp("2024-10-30")
    for outside in ("2024-10-25T23:59:59-04:00", "2024-10-30T16:00:00-04:00"):
        with pytest.raises(CalendarRangeError):
            short.day_zero([outside])
    assert short.day_zero_from_date(["2024-10-29"], "amc")[0] == pd.Timestamp("2024-10-30")
    with pytest.raises(CalendarRangeError):
        short.day_zero_from_date(["2024-10-30"], "amc")


@pytest.mark.parametrize("year", ["1066", "9999"])
def test_absurd_years_are_named_not_overflowed(year):
    with pytest.raises(InputError, match="1700 to 2200"):
        XNYS.day_zero([f"{year}-10-30T16:05Z"])
    far = pd.DatetimeIndex(np.array([f"{year}-10-30"], dtype="M8[s]")).tz_localize("UTC")
    with pytest.raises(InputError, match="1700 to 2200"):
        XNYS.local_date(far)


def test_dates_that_are_no_sessions_are_named():
    with pytest.raises(InputError) as caught:
        XNYS.position(["2024-10-30", "2024-10-26", "2025-01-09"])
    assert list(caught.value.rows["row"]) == [1, 2]
    assert "Saturday" in caught.value.rows["problem"].iloc[0]
    with pytest.raises(InputError):
        XNYS.session_close("2024-12-25")


@pytest.mark.parametrize(
    "bad",
    [
        "2024-10-30T16:05",
        "2024-10-30T00:00Z",
        None,
        "30/10/2024",
        20241030,
        pd.Timestamp("2024-10-30", tz="UTC"),
    ],
)
def test_what_is_no_bare_date(bad):
    for method in (XNYS.is_session, XNYS.position, lambda value: XNYS.day_zero_from_date(value, "bmo")):
        with pytest.raises(InputError) as caught:
            method(["2024-10-30", bad])
        assert list(caught.value.rows["row"]) == [1]


def test_dates_outside_the_span():
    with pytest.raises(CalendarRangeError, match="1 before it, 1 after it"):
        XNYS.is_session(["1980-01-02", "2050-01-03"])


def test_impossible_flags():
    with pytest.raises(InputError) as caught:
        XNYS.day_zero_from_date(["2024-10-30"] * 4, ["bmo", "tns", None, "AMC"])
    assert list(caught.value.rows["row"]) == [1, 2, 3]
    with pytest.raises(ParameterError):
        XNYS.day_zero_from_date(["2024-10-30"] * 3, ["bmo", "amc"])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("XNYZ",), "Did you mean"),
        (("xnys",), "'XNYS'"),
        ((None,), "unknown exchange calendar"),
        (("XNYS", "2024-01-01", "2023-01-01"), "start before the end"),
        (("XNYS", "soon"), "start"),
        (("XNYS", None, "2300-01-01"), "end"),
        (("XNYS", "2024-01-01T10:00"), "bare calendar date"),
        (("XTKS", "1960-01-01"), "XTKS"),
    ],
)
def test_impossible_calendars(arguments, words):
    with pytest.raises(ParameterError, match=words):
        TradingCalendar(*arguments)


@pytest.mark.parametrize("kind", [ValueError, NotImplementedError])
def test_a_calendar_that_cannot_be_built_is_an_error_of_ours(monkeypatch, kind):
    """As that of Tel Aviv in some versions of exchange_calendars, or that of Athens beside pandas 3.1."""

    def fails(*_args, **_kwargs):
        raise kind("Special dates [" + "Timestamp('1990-01-07'), " * 1000 + "] are not sessions.")

    monkeypatch.setattr("research.events.calendar.exchange_calendars.get_calendar", fails)
    with pytest.raises(ParameterError, match="can build no XWAR") as caught:
        TradingCalendar("XWAR", start="1991-04-18" if kind is ValueError else "1991-04-19")
    assert len(str(caught.value)) < 500


def test_default_span_is_cut_to_what_is_recorded():
    assert TradingCalendar("XTKS").start == pd.Timestamp("1997-01-01")
    assert pd.Timestamp("1990-01-02") == XNYS.start
    assert pd.Timestamp("2030-12-31") == XNYS.end


def test_a_futures_session_that_opens_the_evening_before():
    calendar = TradingCalendar("CMES", "2024-01-02", "2024-12-31")
    sunday_evening = ["2024-10-27T19:00:00-05:00"]
    assert list(calendar.timing(sunday_evening)) == ["dmh"]
    assert calendar.day_zero(sunday_evening)[0] == pd.Timestamp("2024-10-28")


def test_value_semantics():
    assert TradingCalendar("NYSE") == XNYS
    assert hash(TradingCalendar("NYSE")) == hash(XNYS)
    assert TradingCalendar("XLON") != XNYS
    assert pickle.loads(pickle.dumps(XNYS)) == XNYS
    assert repr(XNYS) == "TradingCalendar('XNYS', 1990-01-02..2030-12-31)"
    with pytest.raises(AttributeError):
        XNYS.code = "XLON"
