"""Announcements: what is accepted, what is refused with which row, and the embedded sample."""

from __future__ import annotations

import datetime as dt
import pickle
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from research.errors import CalendarRangeError, InputError, NotFoundError, ParameterError
from research.events.announcements import Announcements
from research.events.calendar import TradingCalendar
from research.resources import sample_directory


def table(*rows: tuple, columns: str = "ticker announced_at session") -> pd.DataFrame:
    return pd.DataFrame([dict(zip(columns.split(), row, strict=False)) for row in rows], dtype=object)


def one(cell, session=None, **options) -> pd.Series:
    """The single row that a cell of announced_at becomes, with its timing."""
    events = Announcements.from_frame(table(("META", cell, session)), **options)
    return pd.concat([events.frame.iloc[0], events.timed().iloc[0]])


def problem(frame: pd.DataFrame, **options) -> pd.DataFrame:
    """Offences of a table that must be refused."""
    with pytest.raises(InputError) as caught:
        Announcements.from_frame(frame, **options)
    return caught.value.rows


@pytest.fixture(scope="module")
def sample() -> Announcements:
    return Announcements.from_csv(sample_directory() / "events.csv")


# --- the embedded sample -------------------------------------------------------------------


def test_sample_counts(sample):
    timed = sample.timed()
    assert len(sample) == 1040
    assert len(sample.tickers) == 25
    assert timed["timing"].value_counts().to_dict() == {"bmo": 613, "amc": 400, "unknown": 27}
    assert (sample.frame["status"] == "ok").all()
    assert timed["day_zero"].isna().sum() == 27
    assert not timed["assumed"].any()


def test_sample_instants_and_flags_agree(sample):
    raw = pd.read_csv(sample_directory() / "events.csv", dtype=str, keep_default_na=False)
    exact = raw["announced_at"].str.len() > 10
    assert exact.sum() == 240
    wall = raw.loc[exact, "announced_at"].str[11:16]  # New York wall time, as text
    assert ((wall < "09:30") == (raw.loc[exact, "session"] == "bmo")).all()
    assert ((wall >= "16:00") == (raw.loc[exact, "session"] == "amc")).all()
    assert (sample.timed().loc[exact.to_numpy(), "timing"].to_numpy() == raw.loc[exact, "session"]).all()
    assert (sample.frame["announced_on"].dt.strftime("%Y-%m-%d") == raw["announced_at"].str[:10]).all()


def test_meta_third_quarter(sample):
    found = sample.find("META", "2024-10-30")
    assert found["event_id"] == "META-earnings-2024-10-31"
    assert found["announced_at"] == pd.Timestamp("2024-10-30 20:05", tz="UTC")
    assert found["call_at"] == pd.Timestamp("2024-10-30 21:00", tz="UTC")
    assert (found["timing"], found["day_zero"]) == ("amc", pd.Timestamp("2024-10-31"))
    assert (found["eps_actual"], found["eps_estimate"], found["precision"]) == (6.03, 5.25, "minute")
    assert sample.find("META", pd.Timestamp("2024-10-31"))["event_id"] == found["event_id"]


def test_sample_columns_and_types(sample):
    frame = sample.frame
    assert list(frame.columns) == [
        *("event_id", "ticker", "kind", "announced_at", "announced_on", "precision", "session", "call_at"),
        *("exchange", "fiscal_period", "eps_actual", "eps_estimate", "surprise_pct", "status", "detail"),
        *("estimate_source", "eps_split_divisor", "announced_at_source", "sec_accepted_at"),
    ]
    assert sample.covariates == list(frame.columns[-4:])
    assert str(frame["announced_at"].dtype) == str(frame["call_at"].dtype) == "datetime64[ns, UTC]"
    assert frame["announced_on"].dtype == "datetime64[ns]"
    assert frame["eps_split_divisor"].dtype == float
    assert frame["event_id"].is_unique
    assert sum(flag is None for flag in frame["session"]) == 27


def test_timeline_has_unknown_timing():
    events = Announcements.from_csv(sample_directory() / "timeline.csv")
    assert list(events.frame["kind"]) == ["strategy", "product"]
    assert list(events.timed()["timing"]) == ["unknown", "unknown"]
    assert list(events.frame["event_id"]) == ["META-strategy-2023-02-27", "META-product-2024-04-18"]
    assert events.covariates == ["headline", "source"]


# --- times and dates -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "utc", "precision"),
    [
        ("2024-10-30T16:05:00-04:00", "2024-10-30 20:05:00", "minute"),
        ("2024-10-30 16:05-0400", "2024-10-30 20:05:00", "minute"),
        ("2024-10-30T20:05:07Z", "2024-10-30 20:05:07", "second"),
        ("2024-10-30 20:05:00 UTC", "2024-10-30 20:05:00", "minute"),
        ("2024-10-31T05:05:00+09:00", "2024-10-30 20:05:00", "minute"),
        ("2024-10-31T01:35:00.250+05:30", "2024-10-30 20:05:00.250", "second"),
        ("2024-10-31T00:00:00Z", "2024-10-31 00:00:00", "minute"),  # an offset makes it an instant
        (pd.Timestamp("2024-10-30 16:05", tz="America/New_York"), "2024-10-30 20:05:00", "minute"),
        (dt.datetime(2024, 10, 30, 20, 5, tzinfo=dt.UTC), "2024-10-30 20:05:00", "minute"),
    ],
)
def test_instants(cell, utc, precision):
    row = one(cell)
    assert row["announced_at"] == pd.Timestamp(utc, tz="UTC")
    assert row["announced_on"] == pd.Timestamp("2024-10-30")
    assert (row["precision"], row["timing"]) == (precision, "amc")
    assert row["day_zero"] == pd.Timestamp("2024-10-31")


@pytest.mark.parametrize(
    "cell",
    [
        *("2024-10-30", "20241030", "2024/10/30", " 2024-10-30 ", "2024-10-30 00:00:00", 20241030),
        *(dt.date(2024, 10, 30), pd.Timestamp("2024-10-30"), np.datetime64("2024-10-30")),
    ],
)
def test_bare_dates(cell):
    for flag, day_zero in (("bmo", "2024-10-30"), ("dmh", "2024-10-30"), ("amc", "2024-10-31")):
        row = one(cell, flag)
        assert row["announced_at"] is pd.NaT
        assert (row["announced_on"], row["day_zero"]) == (pd.Timestamp("2024-10-30"), pd.Timestamp(day_zero))
        assert (row["precision"], row["timing"], row["session"]) == ("session", flag, flag)
    row = one(cell)
    assert (row["precision"], row["timing"], row["session"]) == ("date", "unknown", None)
    assert row["day_zero"] is pd.NaT


def test_mixed_offsets_and_dates_in_one_column():
    cells = [
        "2024-01-30T16:05:00-05:00",
        "2024-07-30T16:05:00-04:00",
        "2024-11-07T05:05:00+09:00",
        "2024-04-30",
    ]
    frame = Announcements.from_frame(pd.DataFrame({"ticker": "META", "announced_at": cells})).frame
    assert list(frame["announced_at"].dt.strftime("%m-%d %H:%M").fillna("")) == [
        "01-30 21:05",
        "07-30 20:05",
        "11-06 20:05",
        "",
    ]


@pytest.mark.parametrize("unit", ["s", "us", "ns"])
def test_typed_columns(unit):
    aware = pd.DatetimeIndex(["2024-10-30 20:05"], tz="UTC").as_unit(unit)
    naive = pd.DatetimeIndex(["2024-10-30"]).as_unit(unit)
    for cells in (aware, naive):
        frame = Announcements.from_frame(pd.DataFrame({"ticker": ["META"], "announced_at": cells})).frame
        assert str(frame["announced_at"].dtype) == "datetime64[ns, UTC]"
        assert frame["announced_on"].dtype == "datetime64[ns]"
        assert frame["announced_on"].iloc[0] == pd.Timestamp("2024-10-30")


def test_naive_times_need_a_zone():
    frame = table(("META", "2024-10-30 16:05"), ("AAPL", "2024-10-31T16:30:00-04:00"), ("KO", "2024-10-23 06:55"))
    rows = problem(frame)
    assert list(rows["row"]) == [0, 2]
    assert rows["problem"].str.contains("timezone=").all()
    events = Announcements.from_frame(frame, timezone="America/New_York")
    assert list(events.timed()["timing"]) == ["amc", "amc", "bmo"]
    # The same wall time in Tokyo is before the open in New York; a given offset wins.
    assert list(Announcements.from_frame(frame, timezone="Asia/Tokyo").timed()["timing"]) == [
        "bmo",
        "amc",
        "amc",
    ]


def test_times_that_the_clock_change_skips_or_repeats():
    frame = table(("META", "2024-03-10 02:30"), ("META", "2024-11-03 01:30"), ("META", "2024-11-03 03:30"))
    rows = problem(frame, timezone="America/New_York")
    assert list(rows["row"]) == [0, 1]


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("45595", "Excel serial"),
        ("45595.67", "Excel serial"),
        (45595, "Excel serial"),
        (45595.67, "Excel serial"),
        ("10/30/2024", "either order"),
        ("30.10.2024", "either order"),
        ("10/11/24", "either order"),
        ("24-10-30", "either order"),
        ("2024-10-30 4:05 PM", "12-hour"),
        ("2024-10-30 16:05 EDT", "zone names"),
        ("2024-02-30", "no such date"),
        ("2024-10-30T25:00:00Z", "no such date"),
        ("2024-10-30T16:05:60Z", "no such date"),
        ("2024-10-30T16:05:00+29:00", "no such UTC offset"),
        ("soon", "cannot be read"),
        ("0001-01-01", "the year 1 "),
        ("9999-12-31", "the year 9999"),
        ("", "is missing"),
        (None, "is missing"),
        (float("nan"), "is missing"),
        (pd.NaT, "is missing"),
        (True, "bool"),
    ],
)
def test_unreadable_times(cell, words):
    rows = problem(table(("META", "2024-07-31", "amc"), ("META", cell, "amc")))
    assert list(rows["row"]) == [1]
    assert rows["column"].iloc[0] == "announced_at"
    assert words in rows["problem"].iloc[0]


def test_outside_the_calendar_is_named():
    frame = table(
        ("A", "1962-02-01", "amc"),
        ("B", "2024-10-30", "amc"),
        ("C", "2035-02-01T12:00Z"),
        ("D", "2050-01-03"),
    )
    with pytest.raises(CalendarRangeError) as caught:
        Announcements.from_frame(frame)
    rows = caught.value.rows
    assert list(rows["row"]) == [0, 2, 3]
    assert list(rows["value"]) == ["1962-02-01", "2035-02-01 12:00:00+00:00", "2050-01-03"]
    with pytest.raises(InputError) as caught:  # something else is wrong as well
        Announcements.from_frame(frame.replace("amc", "soon"))
    assert not isinstance(caught.value, CalendarRangeError)
    assert rows["problem"].str.extract(r"lies (\w+)")[0].tolist() == ["before", "after", "after"]


def test_date_precision_makes_the_time_a_placeholder():
    columns = "ticker announced_at session announced_at_precision"
    frame = table(
        ("META", "2024-10-30T06:00:00-04:00", "amc", "date"),
        ("META", "2024-07-31T06:00:00-04:00", None, "date"),
        ("META", "2024-04-24T06:00:00-04:00", None, "session"),
        columns=columns,
    )
    events = Announcements.from_frame(frame)
    assert list(events.timed()["timing"]) == ["amc", "unknown", "bmo"]
    assert events.frame["announced_at"].isna().tolist() == [True, True, False]


def test_impossible_precision():
    columns = "ticker announced_at session announced_at_precision"
    rows = problem(
        table(("META", "2024-10-30", "amc", "minute"), ("META", "2024-07-31", "amc", "hour"), columns=columns)
    )
    assert list(rows["row"]) == [0, 1]


# --- flags ---------------------------------------------------------------------------------


@pytest.mark.parametrize("flag", ["AMC", " amc ", "Amc"])
def test_flags_in_any_case(flag):
    assert one("2024-10-30", flag)["session"] == "amc"


@pytest.mark.parametrize("flag", ["", "nan", "N/A", "unknown", None, float("nan"), pd.NA])
def test_blank_flags(flag):
    assert one("2024-10-30", flag)["timing"] == "unknown"


@pytest.mark.parametrize("flag", ["post", "pre", "closed", "1", 1, True])
def test_impossible_flags(flag):
    rows = problem(table(("META", "2024-10-30", flag)))
    assert (rows["column"].iloc[0], rows["row"].iloc[0]) == ("session", 0)
    assert "bmo" in rows["problem"].iloc[0]


@pytest.mark.parametrize(
    ("cell", "flag", "agrees"),
    [
        ("2024-10-30T16:05:00-04:00", "amc", True),
        ("2024-10-30T16:00:00-04:00", "amc", True),
        ("2024-10-30T16:00:00-04:00", "dmh", False),
        ("2024-10-30T16:05:00-04:00", "bmo", False),
        ("2024-10-30T09:29:59-04:00", "bmo", True),
        ("2024-10-30T09:30:00-04:00", "bmo", False),
        ("2024-07-03T13:00:00-04:00", "amc", True),  # early close
        ("2024-07-03T13:00:00-04:00", "dmh", False),
        ("2024-10-26T08:00:00-04:00", "bmo", True),  # a Saturday: before Monday's open ...
        ("2024-10-26T08:00:00-04:00", "amc", True),  # ... and after Friday's close
        ("2024-10-26T12:00:00-04:00", "dmh", False),
    ],
)
def test_a_flag_may_not_contradict_an_exact_time(cell, flag, agrees):
    frame = table(("META", cell, flag))
    if agrees:
        assert len(Announcements.from_frame(frame)) == 1
    else:
        assert "contradicts" in problem(frame)["problem"].iloc[0]
        ledger = Announcements.from_frame(frame, errors="ledger")
        assert ledger.frame["status"].tolist() == ["invalid"]
        assert ledger.timed()["day_zero"].isna().all()


# --- tickers, kinds, exchanges -------------------------------------------------------------


@pytest.mark.parametrize("name", ["META", "BRK.B", "BF-B", "^GSPC", "0700.HK", "TRUE", "NA", "NAN", "7203.T", "ES=F"])
def test_tickers_accepted(name):
    assert Announcements.from_frame(table((f" {name} ", "2024-10-30"))).tickers == [name]


@pytest.mark.parametrize(
    "name",
    [
        *("../../x", "<script>", "A/B", "A B", "", "  ", ".", "..", "-A", "A\nB", "A\x00", "É", "A" * 21),
        *(None, float("nan"), True, 700, 7.0, dt.date(2024, 3, 1), "C:\\x", "A;B", "A'B", "%2e"),
    ],
)
def test_tickers_refused(name):
    rows = problem(table((name, "2024-10-30"), ("META", "2024-10-30")))
    assert list(rows["row"]) == [0]
    assert rows["column"].iloc[0] == "ticker"


def test_a_refused_ticker_does_not_reach_the_table():
    ledger = Announcements.from_frame(table(("../../x", "2024-10-30", "amc"), ("KO", "2024-10-23")), errors="ledger")
    assert ledger.tickers == ["KO"]
    assert "/" not in "".join(ledger.frame["event_id"])
    assert "../../x" in ledger.frame["detail"].iloc[0]


def test_kinds():
    columns = "ticker announced_at kind"
    events = Announcements.from_frame(
        table(("META", "2024-10-30", "Product"), ("META", "2024-10-30", None), columns=columns)
    )
    assert list(events.frame["kind"]) == ["product", "earnings"]
    assert list(problem(table(("META", "2024-10-30", "<b>"), columns=columns))["column"]) == ["kind"]


def test_each_row_on_its_own_exchange():
    columns = "ticker announced_at exchange"
    frame = table(
        ("SHEL.L", "2024-10-31T07:00:00Z", "XLON"),  # the opening instant in London winter time is 08:00 UTC
        ("7203.T", "2024-11-06T05:00:00Z", "XTKS"),  # 14:00 in Tokyo
        ("META", "2024-10-30T23:30:00Z", None),
        columns=columns,
    )
    events = Announcements.from_frame(frame)
    assert list(events.frame["exchange"]) == ["XLON", "XTKS", "XNYS"]
    assert list(events.timed()["timing"]) == ["bmo", "dmh", "amc"]
    assert list(events.frame["announced_on"].dt.day) == [31, 6, 30]
    assert list(events.timed(calendar="XNYS")["timing"]) == ["bmo", "bmo", "amc"]
    rows = problem(table(("META", "2024-10-30", "XNYZ"), ("KO", "2024-10-30", 5), columns=columns))
    assert list(rows["row"]) == [0, 1]
    assert "Did you mean" in rows["problem"].iloc[0]


def test_exchange_local_date_beyond_midnight():
    frame = table(("7203.T", "2024-11-05T16:00:00Z", "XTKS"), columns="ticker announced_at exchange")
    assert Announcements.from_frame(frame).frame["announced_on"].iloc[0] == pd.Timestamp("2024-11-06")


# --- numbers and other columns -------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "value"), [("1.5", 1.5), ("-.05", -0.05), (" 2e3 ", 2000.0), (3, 3.0), (Decimal("1.25"), 1.25)]
)
def test_numbers(cell, value):
    events = Announcements.from_frame(table(("META", "2024-10-30", cell), columns="ticker announced_at eps_actual"))
    assert events.frame["eps_actual"].iloc[0] == value


@pytest.mark.parametrize(
    "cell",
    ["$1.50", "1,50", "1,234.5", "5%", "(0.15)", "1.2B", "inf", float("inf"), True, "abc", 1j, "1_000"],
)
@pytest.mark.parametrize("column", ["eps_actual", "revenue_estimate", "surprise_pct"])
def test_numbers_refused(cell, column):
    rows = problem(
        table(("META", "2024-10-30", 1.0), ("KO", "2024-10-30", cell), columns=f"ticker announced_at {column}")
    )
    assert (list(rows["row"]), list(rows["column"])) == ([1], [column])


def test_missing_numbers_stay_missing():
    cells = [None, "", "NA", "n/a", "-", np.float32("nan"), pd.NA]
    frame = pd.DataFrame({"ticker": list("ABCDEFG"), "announced_at": "2024-10-30", "eps_actual": cells}, dtype=object)
    events = Announcements.from_frame(frame)
    assert events.frame["eps_actual"].isna().all()
    assert events.frame["eps_actual"].dtype == float


def test_estimates_dated_after_the_announcement():
    columns = "ticker announced_at session estimate_as_of"
    frame = table(
        ("A", "2024-10-30T16:05:00-04:00", None, "2024-10-30T16:05:00-04:00"),
        ("B", "2024-10-30T16:05:00-04:00", None, "2024-10-30T16:05:01-04:00"),
        ("C", "2024-10-30T16:05:00-04:00", None, "2024-10-30"),
        ("D", "2024-10-30T16:05:00-04:00", None, "2024-10-31"),
        ("E", "2024-10-30", "amc", "2024-10-30T23:00:00-04:00"),
        ("F", "2024-10-30", "amc", "2024-10-31"),
        ("G", "2024-10-30", "amc", None),
        columns=columns,
    )
    rows = problem(frame)
    assert list(rows["row"]) == [1, 3, 5]
    assert set(rows["column"]) == {"estimate_as_of"}
    kept = Announcements.from_frame(frame.drop(index=[1, 3, 5])).frame
    assert str(kept["estimate_as_of"].dtype) == "datetime64[ns, UTC]"
    assert kept["estimate_as_of"].iloc[1] == pd.Timestamp("2024-10-30 04:00", tz="UTC")  # local midnight


def test_a_call_needs_a_time():
    columns = "ticker announced_at session call_at"
    assert list(problem(table(("META", "2024-10-30", "amc", "2024-10-30"), columns=columns))["column"]) == ["call_at"]


def test_absent_optional_columns_are_not_invented():
    frame = Announcements.from_frame(pd.DataFrame({"ticker": ["META"], "announced_at": ["2024-10-30"], "x": [1]})).frame
    assert list(frame.columns) == [
        *("event_id", "ticker", "kind", "announced_at", "announced_on", "precision", "session", "call_at"),
        *("exchange", "status", "detail", "x"),
    ]


def test_the_callers_frame_stays_as_it_was():
    frame = pd.DataFrame({" ticker": ["META"], "announced_at": ["2024-10-30"], "x": [1]}, index=["a"])
    before = frame.copy(deep=True)
    events = Announcements.from_frame(frame)
    pd.testing.assert_frame_equal(frame, before)
    copy = events.frame
    copy.loc[0, "x"] = 99
    assert events.frame["x"].iloc[0] == 1


# --- duplicates and identifiers ------------------------------------------------------------


def test_duplicates_are_same_ticker_kind_and_day_zero():
    frame = table(
        ("META", "2024-10-30T16:05:00-04:00", None),
        ("META", "2024-10-30", "amc"),
        ("META", "2024-10-31T08:00:00-04:00", None),  # another date, the same day zero
        ("META", "2024-10-30", "bmo"),  # the same date, another day zero
        ("KO", "2024-10-23", None),
        ("KO", "2024-10-23", None),
        ("KO", "2024-10-23", "bmo"),  # known timing is not compared with unknown
    )
    frame.index = list("abcdefg")
    rows = problem(frame)
    assert list(rows["row"]) == ["b", "c", "f"]
    assert rows["problem"].str[-1].tolist() == ["a", "a", "e"]
    ledger = Announcements.from_frame(frame, errors="ledger")
    ok = "ok"
    assert list(ledger.frame["status"]) == [ok, "duplicate", "duplicate", ok, ok, "duplicate", ok]
    assert len(ledger) == len(frame)
    assert ledger.frame["event_id"].is_unique
    timed = ledger.timed(unknown_timing="same-session")
    assert timed["day_zero"].notna().tolist() == [True, False, False, True, True, False, True]
    assert timed["assumed"].tolist() == [False, False, False, False, True, False, False]


def test_kinds_on_one_day_zero_are_no_duplicates():
    frame = table(
        ("META", "2024-10-30", "earnings"),
        ("META", "2024-10-30", "product"),
        columns="ticker announced_at kind",
    )
    assert len(Announcements.from_frame(frame)) == 2


def test_aliases_unite_tickers():
    frame = table(("FB", "2021-10-25", "amc"), ("META", "2024-10-30", "amc"), ("META", "2021-10-25", "amc"))
    events = Announcements.from_frame(frame.iloc[:2], aliases={"FB": "META"})
    assert events.tickers == ["META"]
    assert events.find("FB", "2021-10-25")["event_id"] == "META-earnings-2021-10-26"
    assert list(problem(frame, aliases={"FB": "META"})["row"]) == [2]
    with pytest.raises(ParameterError):
        Announcements.from_frame(frame, aliases={"FB": "../x"})


def test_given_identifiers():
    columns = "ticker announced_at session event_id"
    frame = table(
        ("A", "2024-10-30", "amc", "q3"),
        ("B", "2024-10-30", "amc", 7),
        ("C", "2024-10-30", "amc", None),
        columns=columns,
    )
    assert list(Announcements.from_frame(frame).frame["event_id"]) == ["q3", "7", "C-earnings-2024-10-31"]
    twice = frame.assign(event_id=["q3", "q3", "C-earnings-2024-10-31"])
    rows = problem(twice)
    assert (list(rows["row"]), list(rows["column"])) == ([1], ["event_id"])
    ledger = Announcements.from_frame(twice, errors="ledger").frame
    assert list(ledger["event_id"]) == ["q3", "q3-2", "C-earnings-2024-10-31"]
    assert list(ledger["status"]) == ["ok", "duplicate", "ok"]


# --- one error for all rows, and the ledger ------------------------------------------------

MESSY = table(
    ("META", "2024-10-30 16:05", None),
    ("AAPL", "2024-10-31", "amc"),
    ("../x", "10/30/2024", "post"),
    ("AAPL", "2024-10-31", "amc"),
    ("KO", "2024-10-23T06:55:00-04:00", "amc"),
)


def test_every_offence_of_every_row_in_one_error():
    with pytest.raises(InputError) as caught:
        Announcements.from_frame(MESSY)
    offences = list(zip(caught.value.rows["row"], caught.value.rows["column"], strict=True))
    assert offences == [
        (0, "announced_at"),
        (2, "ticker"),
        (2, "session"),
        (2, "announced_at"),
        (3, "ticker"),
        (4, "session"),
    ]
    assert "4 of 5 announcements" in str(caught.value)
    assert 'errors="ledger"' in str(caught.value)


def test_ledger_keeps_every_row_with_its_reason():
    ledger = Announcements.from_frame(MESSY, errors="ledger")
    assert list(ledger.frame["status"]) == ["invalid", "ok", "invalid", "duplicate", "invalid"]
    assert (ledger.frame["detail"] == "").tolist() == [False, True, False, False, False]
    assert ledger.timed(unknown_timing="next-session")["day_zero"].notna().tolist() == [
        False,
        True,
        False,
        False,
        False,
    ]
    assert repr(ledger) == "Announcements(5 of 3 tickers, 2024-10-23..2024-10-31, 4 unusable)"


def test_hundreds_of_offences_all_travel_with_the_error():
    days = pd.date_range("2024-01-01 16:05", periods=300)
    with pytest.raises(InputError) as caught:
        Announcements.from_frame(pd.DataFrame({"ticker": "META", "announced_at": days}))
    assert len(caught.value.rows) == 300
    assert len(str(caught.value).splitlines()) < 30


def test_labels_that_repeat_are_told_apart():
    frame = table(("META", "soon"), ("META", "later"))
    frame.index = ["x", "x"]
    assert list(problem(frame)["row"]) == ["x (position 0)", "x (position 1)"]


# --- column names and empty tables ---------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["tickr", "announced_at"], "'tickr'"),
        (["Ticker", "announced_at"], "'Ticker'"),
        (["symbol", "announced_at"], "'symbol'"),
        (["ticker", "date"], "'date'"),
        (["ticker", "announcedat"], "'announcedat'"),
    ],
)
def test_wrong_names_suggest_the_nearest(names, words):
    with pytest.raises(InputError, match="wrong column names") as caught:
        Announcements.from_frame(pd.DataFrame([["META", "2024-10-30"]], columns=names))
    assert f"Did you mean {words}?" in str(caught.value)


def test_near_misses_of_optional_names_are_not_taken_for_covariates():
    frame = pd.DataFrame(
        [["META", "2024-10-30", "amc", 6.03]], columns=["ticker", "announced_at", "Session", "EPS Actual"]
    )
    with pytest.raises(InputError) as caught:
        Announcements.from_frame(frame)
    assert "'session'" in str(caught.value)
    assert "'eps_actual'" in str(caught.value)
    events = Announcements.from_frame(frame, columns={"Session": "session", "EPS Actual": "eps_actual"})
    assert events.frame["eps_actual"].iloc[0] == 6.03


def test_columns_mapping():
    frame = pd.DataFrame([["META", "2024-10-30"]], columns=["symbol", "date"])
    events = Announcements.from_frame(frame, columns={"symbol": "ticker", "date": "announced_at"})
    assert events.tickers == ["META"]
    with pytest.raises(InputError, match="symbl"):
        Announcements.from_frame(frame, columns={"symbl": "ticker"})


@pytest.mark.parametrize("name", ["status", "detail", "timing", "day_zero", "assumed"])
def test_reserved_names(name):
    frame = pd.DataFrame([["META", "2024-10-30", "x"]], columns=["ticker", "announced_at", name])
    with pytest.raises(InputError, match=name):
        Announcements.from_frame(frame)


def test_doubled_and_unnamed_columns():
    for names in (["ticker", "announced_at", "ticker"], ["ticker", "announced_at", 0]):
        with pytest.raises(InputError):
            Announcements.from_frame(pd.DataFrame([["META", "2024-10-30", "x"]], columns=names))


def test_ticker_in_the_index():
    frame = pd.DataFrame({"ticker": ["META"], "announced_at": ["2024-10-30"]}).set_index("ticker")
    with pytest.raises(InputError, match="reset_index"):
        Announcements.from_frame(frame)


def test_empty_and_absurd_tables():
    with pytest.raises(InputError, match="no rows"):
        Announcements.from_frame(pd.DataFrame(columns=["ticker", "announced_at"]))
    for wrong in (pd.DataFrame(), [("META", "2024-10-30")], None):
        with pytest.raises(InputError):
            Announcements.from_frame(wrong)


@pytest.mark.parametrize(
    "options", [{"errors": "ignore"}, {"timezone": "New York"}, {"timezone": 5}, {"aliases": {"FB": 1}}]
)
def test_impossible_options(options):
    with pytest.raises(ParameterError):
        Announcements.from_frame(table(("META", "2024-10-30")), **options)


# --- CSV -----------------------------------------------------------------------------------


def csv(tmp_path, content: str | bytes):
    path = tmp_path / "events.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_csv_rows_are_named_by_their_line(tmp_path):
    path = csv(
        tmp_path,
        "ticker,announced_at,session,headline\n"
        'META,2024-10-30,amc,"two\nlines"\n'
        "\n"
        "KO,soon,bmo,\n"
        ",,,\n"
        "PG,2024-10-18,early,\n",
    )
    with pytest.raises(InputError) as caught:
        Announcements.from_csv(path)
    assert list(caught.value.rows["row"]) == [5, 7]


def test_csv_keeps_tickers_as_text(tmp_path):
    path = csv(tmp_path, "ticker,announced_at\nTRUE,2024-10-30\nNA,2024-10-30\nNAN,2024-10-30\n0700,2024-10-30\n")
    assert list(Announcements.from_csv(path).frame["ticker"]) == ["TRUE", "NA", "NAN", "0700"]


def test_csv_covariates(tmp_path):
    path = csv(
        tmp_path,
        "ticker,announced_at,size,gvkey,sector,empty\nA,2024-10-30,1.5,001690,tech,\nB,2024-10-30,NA,012141,,\n",
    )
    frame = Announcements.from_csv(path).frame
    assert frame["size"].tolist()[0] == 1.5
    assert np.isnan(frame["size"].iloc[1])
    assert frame["gvkey"].tolist() == ["001690", "012141"]
    assert frame["sector"].isna().tolist() == [False, True]
    assert frame["empty"].isna().all()


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize(("separator", "end"), [(",", "\n"), (";", "\r\n"), ("\t", "\r")])
def test_csv_dialects(tmp_path, mark, separator, end):
    lines = ["ticker,announced_at,session,", "META,2024-10-30,amc,", "KO,2024-10-23,bmo,"]
    path = csv(tmp_path, mark + end.join(lines).replace(",", separator).encode())
    assert list(Announcements.from_csv(path).timed()["timing"]) == ["amc", "bmo"]


def test_csv_ragged_lines(tmp_path):
    path = csv(tmp_path, "ticker,announced_at,session\nMETA,2024-10-30\nKO,2024-10-23,bmo\nPG,2024-10-18,bmo,1,2\n")
    with pytest.raises(InputError) as caught:
        Announcements.from_csv(path)
    assert list(caught.value.rows["row"]) == [2, 4]
    assert list(Announcements.from_csv(path, errors="ledger").frame["status"]) == ["invalid", "ok", "invalid"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "empty"),
        ("\n \n", "empty"),
        ("ticker,announced_at\n", "no rows"),
        ("symbol,when\nMETA,2024-10-30\n", "'symbol'"),
        ('ticker,announced_at\nMETA,2024-10-30\nKO,"2024-10-23\n', "line 3"),
        (
            "ticker,announced_at\nMETA,2024-10-30\nNESTLÉ,2024-10-30\n".encode("latin-1"),
            "line 3 of the file is not UTF-8",
        ),
        ("ticker,announced_at\n".encode("utf-16"), "UTF-8"),
        (b"ticker,announced_at\nME\x00TA,2024-10-30\n", "no ticker"),
        ("ticker,announced_at,ticker\nMETA,2024-10-30,x\n", "twice"),
    ],
)
def test_csv_that_cannot_be_used(tmp_path, content, words):
    with pytest.raises(InputError, match=words):
        Announcements.from_csv(csv(tmp_path, content))


def test_csv_that_is_not_there(tmp_path):
    for path in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(InputError, match="cannot be read"):
            Announcements.from_csv(path)


def test_csv_and_frame_agree(sample):
    frame = pd.read_csv(sample_directory() / "events.csv", dtype={"ticker": str})
    other = Announcements.from_frame(frame)
    names = [
        "event_id",
        "announced_at",
        "announced_on",
        "precision",
        "session",
        "eps_actual",
        "fiscal_period",
    ]
    pd.testing.assert_frame_equal(other.frame[names], sample.frame[names])


# --- timed, select, find -------------------------------------------------------------------


def test_policies_for_unknown_timing():
    frame = table(("META", "2023-02-27"), ("META", "2023-02-25"), ("META", "2012-10-29"), ("META", "2023-03-01", "amc"))
    events = Announcements.from_frame(frame)
    expected = {
        "exclude": ["", "", "", "2023-03-02"],
        "same-session": ["2023-02-27", "2023-02-27", "2012-10-31", "2023-03-02"],
        "next-session": ["2023-02-28", "2023-02-27", "2012-10-31", "2023-03-02"],
    }
    for policy, days in expected.items():
        timed = events.timed(unknown_timing=policy)
        assert timed["day_zero"].dt.strftime("%Y-%m-%d").fillna("").tolist() == days
        assert timed["assumed"].tolist() == [policy != "exclude"] * 3 + [False]
        assert timed["timing"].tolist() == ["unknown"] * 3 + ["amc"]
        assert timed.index.equals(events.frame.index)
    with pytest.raises(ParameterError, match="same-session"):
        events.timed(unknown_timing="same")


def test_timed_on_another_calendar(sample):
    own, given = sample.timed(), sample.timed(TradingCalendar("XNYS"))
    pd.testing.assert_frame_equal(own, given)
    with pytest.raises(CalendarRangeError) as caught:
        sample.timed(TradingCalendar("XNYS", "2014-01-02", "2024-12-31"))
    early = sample.frame["announced_on"] < pd.Timestamp("2014-01-02")
    assert set(caught.value.rows["row"]) <= set(np.flatnonzero(early))


def test_select_and_for_ticker(sample):
    meta = sample.for_ticker("META")
    assert (len(meta), meta.tickers) == (48, ["META"])
    assert meta.frame.index.equals(pd.RangeIndex(48))
    chosen = sample.select(["META-earnings-2024-10-31", "AAPL-earnings-2013-01-24"])
    assert list(chosen.frame["ticker"]) == ["AAPL", "META"]
    assert list(chosen.timed()["day_zero"]) == [pd.Timestamp("2013-01-24"), pd.Timestamp("2024-10-31")]
    assert len(sample.select(sample.frame["ticker"] == "KO")) == 40
    assert len(sample.select((sample.frame["ticker"] == "KO").astype("boolean"))) == 40
    assert len(sample.select(np.zeros(1040, dtype=bool))) == 0
    with pytest.raises(NotFoundError, match="META-earnings-2024-10-31"):
        sample.select(["META-earnings-2024-10-30"])
    with pytest.raises(ParameterError):
        sample.select([True, False])
    with pytest.raises(NotFoundError, match="Did you mean 'META'"):
        sample.for_ticker("METAA")


def test_find_says_which_dates_there_are(sample):
    with pytest.raises(NotFoundError) as caught:
        sample.find("META", "2024-10-15")
    assert "2024-10-30, 2024-07-31" in str(caught.value)
    assert "40 more" in str(caught.value)
    with pytest.raises(NotFoundError, match="NVDA"):
        sample.find("NVDAA", "2024-10-30")
    for wrong in ("10/30/2024", "2024-10-30T16:05Z", "", None, pd.Timestamp("2024-10-30", tz="UTC")):
        with pytest.raises(ParameterError):
            sample.find("META", wrong)


def test_find_among_several_kinds():
    frame = table(
        ("META", "2024-10-30", "amc", "earnings"),
        ("META", "2024-10-31", "bmo", "product"),
        ("META", "2024-09-25", "dmh", "product"),
        ("META", "2024-09-25", "dmh", "strategy"),
        ("META", "2024-09-24", "amc", "strategy-memo"),
        columns="ticker announced_at session kind",
    )
    events = Announcements.from_frame(frame)
    assert events.find("META", "2024-10-31")["kind"] == "earnings"
    assert events.find("META", "2024-10-31", kind="product")["kind"] == "product"
    with pytest.raises(ParameterError, match="product, strategy"):
        events.find("META", "2024-09-25")
    with pytest.raises(NotFoundError, match="guidance"):
        events.find("META", "2024-10-31", kind="guidance")


def test_covariates_can_be_added(sample):
    size = pd.DataFrame({"ln_size": np.arange(1040.0)}, index=range(5, 1045))
    more = sample.with_covariates(size)
    assert more.covariates == [*sample.covariates, "ln_size"]
    assert more.frame["ln_size"].tolist() == list(range(1040))
    pd.testing.assert_frame_equal(more.timed(), sample.timed())
    assert "ln_size" not in sample.frame
    for wrong in (
        size.iloc[1:],
        size.rename(columns={"ln_size": "session"}),
        size.rename(columns={"ln_size": "day_zero"}),
    ):
        with pytest.raises(ParameterError):
            sample.with_covariates(wrong)


def test_find_names_the_kinds_there_are():
    events = Announcements.from_frame(
        table(("META", "2024-10-30", "amc", "product"), columns="ticker announced_at session kind")
    )
    with pytest.raises(NotFoundError, match="Did you mean 'product'") as caught:
        events.find("META", "2024-10-30", kind="produkt")
    assert caught.value.parameter == "kind"


@pytest.mark.parametrize(
    "date", [20241030, 45595.0, True, None, "20241030T", "2024-10-30T16:05", pd.NaT, ["2024-10-30"]]
)
def test_find_guesses_no_date(sample, date):
    with pytest.raises(ParameterError, match="no calendar date"):
        sample.find("META", date)


def test_find_prefers_the_date_over_the_day_zero():
    events = Announcements.from_frame(table(("META", "2024-10-29", "amc"), ("META", "2024-10-30", "amc")))
    assert events.find("META", "2024-10-30")["announced_on"] == pd.Timestamp("2024-10-30")


def test_find_skips_unusable_rows():
    ledger = Announcements.from_frame(
        table(("META", "2024-10-30", "post"), ("META", "2024-07-31", "amc")), errors="ledger"
    )
    with pytest.raises(NotFoundError, match="2024-07-31"):
        ledger.find("META", "2024-10-30")


def test_the_table_can_be_checked_again(sample):
    again = Announcements.from_frame(sample.frame)
    pd.testing.assert_frame_equal(again.frame, sample.frame)
    pd.testing.assert_frame_equal(again.timed(), sample.timed())


def test_a_date_column_must_agree_with_the_instant():
    frame = table(("META", "2024-10-31T01:00:00Z", "2024-10-31"), columns="ticker announced_at announced_on")
    assert list(problem(frame)["column"]) == ["announced_on"]


def test_immutable_and_picklable(sample):
    with pytest.raises(AttributeError):
        sample.frame = None
    copy = pickle.loads(pickle.dumps(sample))
    pd.testing.assert_frame_equal(copy.frame, sample.frame)
    assert repr(sample) == "Announcements(1040 of 25 tickers, 2013-01-16..2024-11-20)"


# --- metrics -------------------------------------------------------------------------------

METRICS = pd.DataFrame(
    {
        "ticker": ["FB", "META", "META"],
        "announced_at": ["2024-10-30T16:05:00-04:00", "2024-10-30", "2019-01-02"],
        "metric": ["eps", "revenue", "users"],
        "actual": ["6.03", 40.589, None],
        "basis": ["consensus", "consensus", "none"],
    }
)


def test_metrics_are_tied_to_their_announcements():
    frame = table(("META", "2024-10-30T16:05:00-04:00", "amc"), ("KO", "2024-10-23", "bmo"))
    events = Announcements.from_frame(frame, metrics=METRICS, aliases={"FB": "META"})
    metrics = events.metrics
    assert metrics["event_id"].tolist() == ["META-earnings-2024-10-31"] * 2 + [None]
    assert metrics["actual"].tolist()[:2] == [6.03, 40.589]
    assert metrics["estimate"].isna().all()
    assert metrics["basis"].tolist() == METRICS["basis"].tolist()
    assert len(events.for_ticker("META").metrics) == 2
    assert events.for_ticker("KO").metrics.empty
    assert Announcements.from_frame(frame).metrics is None
    again = Announcements.from_frame(events.frame, metrics=metrics)
    pd.testing.assert_frame_equal(again.metrics, metrics)


def test_metrics_of_one_figure_with_several_estimates():
    events = Announcements.from_frame(
        table(("META", "2024-10-30", "amc")),
        metrics=pd.DataFrame(
            {"ticker": "META", "announced_at": "2024-10-30", "metric": "eps", "estimate": [5.25, 5.22]}
        ),
    )
    assert len(events.metrics) == 2


def test_bad_metrics_list_every_row():
    bad = pd.DataFrame(
        {
            "ticker": ["META", "../x", "META", "META", "META"],
            "announced_at": ["soon", "2024-10-30", "2024-10-30", "2024-10-30", "2024-10-30"],
            "metric": ["eps", "eps", "", "eps", "eps"],
            "estimate": [1, 2, 3, "$4", 5],
            "estimate_as_of": [None, None, None, None, "2024-10-31"],
        }
    )
    for errors in ("raise", "ledger"):
        with pytest.raises(InputError, match="metrics: 5 of 5") as caught:
            Announcements.from_frame(table(("META", "2024-10-30", "amc")), metrics=bad, errors=errors)
        assert list(caught.value.rows["column"]) == [
            "announced_at",
            "ticker",
            "metric",
            "estimate",
            "estimate_as_of",
        ]
    twice = pd.concat([METRICS.iloc[:1]] * 2, ignore_index=True)
    with pytest.raises(InputError, match="repeats"):
        Announcements.from_frame(table(("META", "2024-10-30", "amc")), metrics=twice)


def test_sample_metrics(sample):
    metrics = pd.read_csv(sample_directory() / "metrics.csv", dtype={"ticker": str})
    events = Announcements.from_csv(sample_directory() / "events.csv", metrics=metrics)
    assert set(events.metrics["event_id"]) == {"META-earnings-2024-10-31"}
    assert len(events.metrics) == len(metrics)
