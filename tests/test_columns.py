"""Columns read as arrays say the same, cell by cell, as the readers of single cells."""

from __future__ import annotations

import datetime as dt
import itertools
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from research.events import _cells, _iso
from research.events._columns import Columns, with_numbers
from research.events._tables import Findings
from research.events.announcements import Announcements
from research.events.calendar import TradingCalendar

NEW_YORK = ZoneInfo("America/New_York")

DATES = [
    *("2024-10-30", "2024-02-29", "2023-02-29", "2024-04-31", "2024-00-10", "2024-13-01", "2024-01-00", "0000-01-01"),
    *("1899-12-31", "1900-01-01", "2200-12-31", "2201-01-01", "9999-12-31", "2024-03-10", "2024-11-03"),
]
CLOCKS = [
    *("", "T16:05", " 16:05", "t16:05:07", "T00:00", "T00:00:00", "T24:00", "T23:59:59", "T16:60:00", "T16:05:60"),
    *("T16:05:07.250", "T16:05:07.123456", "T16:05:07.123456789", "T16:05:07,5", "T02:30", "T01:30", "T00:00:00.000"),
]
OFFSETS = ["", "Z", "z", "+05:30", "-04:00", "-0400", "+15:00", "+15:01", "-00:00", "+05:60", "+09", " UTC", "?"]
TEXTS = [date + clock + offset for date, clock, offset in itertools.product(DATES, CLOCKS, OFFSETS)]
STRANGE = [
    *("２０２４-10-30", "2024-10-30\0", "2024-10-30T10:00:00\0", " 2024-10-30 ", "2024/10/30", "20241030", "45595"),
    *("", "NA", "nan", "2024-10-30T16:05:00-04:00 ", "soon", "x" * 5000),
]
OTHERS = [
    *(None, float("nan"), pd.NaT, pd.NA, 20241030, 45595, 45595.0, True, b"2024-10-30", Decimal("20241030")),
    *(dt.date(2024, 10, 30), dt.datetime(2024, 10, 30, 16, 5), dt.datetime(2024, 10, 30, 16, 5, tzinfo=NEW_YORK)),
    *(np.datetime64("2024-10-30"), pd.Timestamp("2024-10-30 16:05", tz="Asia/Tokyo"), np.str_("2024-10-30")),
]
NUMBERS = [
    *(
        "1.5",
        "-.5",
        "5.",
        "+1e-3",
        "1e999",
        "1,5",
        "1_000",
        "$3",
        "",
        " 7 ",
        "NA",
        "-",
        "0x10",
        "１２",
        "1" * 40,
        "e",
        "1e",
        "1\0",
        "1\x002",
    ),
    *(1.5, 3, None, float("nan"), float("inf"), True, 1 + 2j, Decimal("2.5"), 10**400, np.int8(3), np.float32(1.25)),
]


def by_cell(cells, reader):
    """What the reader of single cells says: values, and problems by row."""
    values, problems = [], {}
    for row, cell in enumerate(cells):
        try:
            values.append(reader(cell))
        except _cells.CellError as error:
            values.append(None)
            problems[row] = str(error)
    return values, problems


def columns(cells, zone=None, dtype=object) -> tuple[Columns, Findings]:
    column = cells if isinstance(cells, pd.Series) else pd.Series(cells, dtype=dtype)
    findings = Findings(list(range(len(column))))
    return Columns(pd.DataFrame({"x": column}), findings, zone), findings


def assert_moments(cells, zone, **options):
    read, findings = columns(cells, zone, **options)
    found = read.moments("x")
    values, problems = by_cell(list(cells), lambda cell: _cells.moment(cell, zone))
    assert dict(zip(*(findings.rows()[name] for name in ("row", "problem")), strict=True)) == problems
    assert np.flatnonzero(found.refused).tolist() == list(problems)
    for moment, instant, date in zip(values, found.instants, found.dates, strict=True):
        want = moment or _cells.Moment()
        assert np.isnat(instant) if want.instant is None else pd.Timestamp(instant, tz="UTC") == want.instant
        assert np.isnat(date) if want.date is None else pd.Timestamp(date) == want.date


@pytest.mark.parametrize("zone", [None, NEW_YORK, dt.timezone(dt.timedelta(hours=9))])
def test_times_of_every_spelling(zone):
    assert_moments(TEXTS + STRANGE, zone)
    assert_moments(TEXTS[:50] + STRANGE + OTHERS, zone)
    assert_moments(OTHERS, zone)


def test_the_usual_spellings_are_read_as_arrays():
    usual = ["2024-10-30", "2024-10-30T16:05:00-04:00", "2024-10-30 20:05:00+0000", "2024-10-30T20:05:00.123Z"]
    assert (_iso.times(usual, _cells.YEARS).wall != _iso.NOTHING).all()


@pytest.mark.parametrize("unit", ["s", "us", "ns"])
@pytest.mark.parametrize("zone", [None, NEW_YORK])
@pytest.mark.parametrize("of_column", [None, "UTC", "Asia/Tokyo"])
def test_datetime_columns(unit, zone, of_column):
    stamps = pd.Series(
        ["2024-10-30", "2024-10-30 16:05", None, "2024-11-03 01:30", "2024-03-10 02:30", "1899-12-31", "2201-01-01"],
        dtype=f"datetime64[{unit}]",
    )
    if of_column:
        stamps = stamps.dt.tz_localize(of_column)
    assert_moments(stamps, zone)


TEXT_NUMBERS = [cell for cell in NUMBERS if isinstance(cell, str)]


@pytest.mark.parametrize(
    ("cells", "dtype"),
    [
        (NUMBERS, object),
        # Without anything that float() refuses, all are read at once.
        (["1.5", "-.5", "5.", "+1e-3", "1e999", "1,5", "", "NA", "1\0", " 7 "], object),
        *((TEXT_NUMBERS, dtype) for dtype in (object, "string", "category")),
    ],
)
def test_numbers_of_every_kind(cells, dtype):
    read, findings = columns(cells, dtype=dtype)
    values, problems = by_cell(cells, _cells.number)
    wanted = np.array([np.nan if value is None else value for value in values])
    np.testing.assert_array_equal(read.numbers("x"), wanted)
    assert dict(zip(*(findings.rows()[name] for name in ("row", "problem")), strict=True)) == problems


@pytest.mark.parametrize("cells", [["A", "", None, "A", "a b", pd.NA, "NA"], [1, True, 1.0, "1", None], [2.0, np.nan]])
def test_cells_that_are_equal_are_not_the_same(cells):
    """1, 1.0 and True are equal in Python, yet not to a reader."""
    for reader in (_cells.ticker, _cells.text, _cells.session_flag, _cells.kind):
        read, findings = columns(cells)
        values, problems = by_cell(cells, reader)
        assert read.values("x", reader).tolist() == values
        assert dict(zip(*(findings.rows()[name] for name in ("row", "problem")), strict=True)) == problems


def test_a_number_too_large_for_floating_point_is_named():
    frame = pd.DataFrame({"x": ["1", "1e999"], "code": ["01", "2"], "text": ["a", " "]}, dtype=object)
    findings = Findings([2, 3])
    read = with_numbers(frame, list(frame.columns), findings)
    assert findings.rows()[["row", "column", "problem"]].to_numpy().tolist() == [[3, "x", "infinite"]]
    assert read["code"].tolist() == ["01", "2"]
    assert read["text"].tolist() == ["a", None]


def test_many_rows_of_one_name_are_told_apart():
    """Numbered one after the other, not each from the start again."""
    frame = pd.DataFrame({"ticker": ["META"] * 20_000, "announced_at": "soon"})
    names = Announcements.from_frame(frame, errors="ledger").frame["event_id"]
    assert names.is_unique
    assert names.iloc[-1] == "META-earnings-undated-20000"


def test_the_order_of_rows_decides_which_of_two_repeats_the_other():
    rng = np.random.default_rng(7)
    n = 400
    frame = pd.DataFrame(
        {
            "ticker": rng.choice(["A", "B", "C"], n),
            "kind": rng.choice(["earnings", "product"], n),
            "announced_at": rng.choice(["2024-10-30", "2024-10-31", "soon", "2024-10-30T08:00:00-04:00"], n),
            "session": rng.choice(["bmo", "amc", None], n),
            "event_id": rng.choice([None, *"abcdefgh"], n),
        }
    )
    events = Announcements.from_frame(frame, errors="ledger")
    day = {"bmo": 0, "amc": 1}
    first: dict[tuple, int] = {}
    for row, (ticker, kind, at, session, name) in enumerate(frame.itertuples(index=False)):
        detail = events.frame["detail"].iloc[row]
        if at == "soon" or (len(at) > 10 and session == "amc"):  # the second contradicts its flag
            assert events.frame["status"].iloc[row] == "invalid"
            continue
        flag = session if session in day else "bmo" if len(at) > 10 else None
        place = int(at[8:10]) + day[flag] if flag else None
        keys = [(ticker, kind, place, at[:10] if place is None else None)]
        keys += [(name,)] if isinstance(name, str) else []
        said = [first[key] for key in keys if key in first]
        assert [f"as row {earlier}" in detail for earlier in said] == [True] * len(said)
        assert events.frame["status"].iloc[row] == ("duplicate" if said else "ok")
        for key in keys:
            first.setdefault(key, row)


def test_a_missing_time_is_named_beside_other_faults():
    frame = pd.DataFrame({"ticker": ["", "A", "B"], "announced_at": [None, None, "soon"]})
    details = Announcements.from_frame(frame, errors="ledger").frame["detail"].tolist()
    assert "announced_at: is missing" in details[0]
    assert details[1] == "announced_at: is missing"
    assert "is missing" not in details[2]


def test_two_dates_of_one_row_must_agree():
    frame = pd.DataFrame({"ticker": ["A", "B"], "announced_at": "2024-10-30", "announced_on": "2024-10-30"})
    assert (Announcements.from_frame(frame).frame["status"] == "ok").all()
    frame.loc[1, "announced_on"] = "2024-10-31"
    frame.loc[0, "announced_on"] = "2024-10-30 16:05"
    details = Announcements.from_frame(frame, errors="ledger").frame["detail"].tolist()
    assert details[0].startswith("announced_on: a bare date is expected")
    assert details[1] == "announced_on: announced_at falls on 2024-10-30 (got '2024-10-31')"


def test_an_estimate_of_a_day_without_midnight():
    """Clocks in Brazil went from 23:59 to 01:00 on 2018-11-04."""
    frame = pd.DataFrame(
        {
            "ticker": ["PETR4"],
            "announced_at": "2018-11-06T09:00:00-02:00",
            "exchange": "BVMF",
            "estimate_as_of": "2018-11-04",
        }
    )
    assert Announcements.from_frame(frame).frame["estimate_as_of"].iloc[0] == pd.Timestamp("2018-11-04 03:00", tz="UTC")


def test_instants_of_every_kind_of_list():
    """Text, datetimes and Timestamps, alone, are read as a whole; mixed, one by one: the same."""
    calendar = TradingCalendar("XNYS")
    stamps = pd.date_range("2024-02-28 20:59:59", "2024-12-01", freq="7h13min", tz="UTC")
    stamps = stamps.append(pd.DatetimeIndex(["2024-11-03 05:30", "2024-11-03 06:30"], tz="UTC"))
    local = stamps.tz_convert(NEW_YORK)
    kinds = [
        [stamp.isoformat() for stamp in local],
        list(local),
        list(local.to_pydatetime()),  # one of them in the hour that comes twice
        [stamp.astimezone(dt.UTC) for stamp in local.to_pydatetime()],
        [stamp if place % 2 else stamp.isoformat() for place, stamp in enumerate(local)],
    ]
    for cells in kinds:
        assert calendar.day_zero(cells).equals(calendar.day_zero(stamps))
        assert (calendar.timing(pd.Series(cells, dtype=object)) == calendar.timing(stamps)).all()
