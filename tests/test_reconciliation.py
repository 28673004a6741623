"""Which instant counts when the wire, EDGAR and a vendor disagree."""

from __future__ import annotations

import pandas as pd
import pytest

from research.errors import ParameterError
from research.events.calendar import TradingCalendar
from research.sources.edgar import public_at
from research.sources.reconciliation import COLUMNS, reconcile, unmatched

CALENDAR = TradingCalendar()


def vendor(*rows):
    """Rows of (date, session, time or None), New York."""
    table = pd.DataFrame(rows, columns=["announced_on", "session", "time"])
    dated = [(date, time) for date, _, time in rows]
    stamps = [pd.Timestamp(f"{d} {t}", tz="America/New_York") if t else pd.NaT for d, t in dated]
    table["announced_at"] = pd.to_datetime(pd.Series(stamps, dtype=object), utc=True)
    table["announced_on"] = pd.to_datetime(table["announced_on"])
    table["precision"] = ["minute" if t else "session" if s else "date" for _, s, t in rows]
    return table.drop(columns="time")


def filed(*rows):
    """Acceptances on the New York clock, each with its filing date (that of the stamp if left out)."""
    pairs = [(row, row[:10]) if isinstance(row, str) else row for row in rows]
    walls = [pd.Timestamp(accepted) for accepted, _ in pairs]
    public = [public_at(wall, pd.Timestamp(date)) for wall, (_, date) in zip(walls, pairs, strict=True)]
    accepted = [wall.tz_localize("America/New_York").tz_convert("UTC") for wall in walls]
    return pd.DataFrame({"accepted_at": accepted, "public_at": public})


def one(vendor_row, filing=None, **more):
    return reconcile(vendor(vendor_row), filed(filing) if filing else None, CALENDAR, **more).iloc[0]


def day_zero(row):
    if pd.notna(row["announced_at"]):
        return CALENDAR.day_zero(pd.DatetimeIndex([row["announced_at"]]))[0]
    return CALENDAR.day_zero_from_date(pd.DatetimeIndex([row["announced_on"]]), [row["session"]])[0]


CASES = [
    # vendor, filing, agreement, source, day zero
    (("2024-10-30", "amc", None), "2024-10-30 16:08", "sharpened", "sec_8k_acceptance", "2024-10-31"),
    (("2024-10-30", None, "16:05"), "2024-10-30 16:08", "sharpened", "sec_8k_acceptance", "2024-10-31"),
    (("2024-10-30", "bmo", None), "2024-10-30 07:02", "sharpened", "sec_8k_acceptance", "2024-10-30"),
    # announced in the morning, filed in the evening: an upper bound, no contradiction
    (("2024-10-30", "bmo", None), "2024-10-30 16:45", "differs", "vendor", "2024-10-30"),
    (("2024-10-30", None, "06:45"), "2024-10-30 17:15", "differs", "vendor", "2024-10-30"),
    # announced in the evening, filed the next morning: the same day zero, the evening stays
    (("2024-10-30", "amc", None), "2024-10-31 08:05", "agrees", "vendor", "2024-10-31"),
    # the vendor is a day early
    (("2024-10-29", "amc", None), "2024-10-30 16:08", "moved", "sec_8k_acceptance", "2024-10-31"),
    (("2024-10-29", "bmo", None), "2024-10-30 07:00", "moved", "sec_8k_acceptance", "2024-10-30"),
    # the vendor is a day late
    (("2024-10-31", "amc", None), "2024-10-30 16:08", "moved", "sec_8k_acceptance", "2024-10-31"),
    (("2024-10-31", "bmo", None), "2024-10-30 07:00", "moved", "sec_8k_acceptance", "2024-10-30"),
    # the vendor has the wrong part of the day: public before it had begun
    (("2024-10-30", "amc", None), "2024-10-30 07:00", "moved", "sec_8k_acceptance", "2024-10-30"),
    # a bare date
    (("2024-10-30", None, None), "2024-10-30 16:08", "sharpened", "sec_8k_acceptance", "2024-10-31"),
    (("2024-10-30", "amc", None), None, "alone", "vendor", "2024-10-31"),
    # another quarter's filing
    (("2024-10-30", "amc", None), "2024-07-31 16:05", "alone", "vendor", "2024-10-31"),
]


@pytest.mark.parametrize(("row", "filing", "agreement", "source", "zero"), CASES)
def test_the_rule(row, filing, agreement, source, zero):
    found = one(row, filing)
    assert (found["agreement"], found["announced_at_source"]) == (agreement, source)
    # moved late vendors keep the same day zero or go back; never is a session lost
    assert day_zero(found) == pd.Timestamp(zero)


def test_the_day_late_vendor_whose_day_zero_is_the_same_is_no_move():
    found = one(("2024-10-31", "bmo", None), "2024-10-30 16:08")
    assert found["announced_at_source"] == "sec_8k_acceptance"
    assert found["agreement"] == "sharpened"
    assert found["announced_on"] == pd.Timestamp("2024-10-30")


def test_pepsicos_mornings_are_not_put_a_day_early():
    # accepted on the evening before, dated and public the next morning
    for row in (("2022-10-12", "bmo", None), ("2022-10-12", None, None)):
        found = one(row, ("2022-10-11 17:41:22", "2022-10-12"))
        assert found["announced_on"] == pd.Timestamp("2022-10-12")
        assert found["session"] == "bmo"
        assert day_zero(found) == pd.Timestamp("2022-10-12")
        assert found["sec_accepted_at"] == pd.Timestamp("2022-10-11T21:41:22Z")
    assert (
        one(("2022-10-12", None, None), ("2022-10-11 17:41:22", "2022-10-12"))["announced_at_source"]
        == "sec_filing_date"
    )


def test_the_wire_comes_first():
    wire = pd.DataFrame({"announced_at": [pd.Timestamp("2024-10-30T20:05:07Z")]})
    found = one(("2024-10-29", "amc", None), "2024-10-30 16:08", wire=wire)
    assert (found["announced_at_source"], found["agreement"], found["precision"]) == ("wire", "moved", "second")
    assert found["announced_at"] == pd.Timestamp("2024-10-30T20:05:07Z")


def test_a_move_says_why():
    found = one(("2024-10-29", "amc", None), "2024-10-30 16:08", name="yahoo")
    assert "2024-10-30 16:08 New York" in found["detail"]
    assert "more than 12 hours after the yahoo's time" in found["detail"]
    assert "day zero moved from 2024-10-30 to 2024-10-31" in found["detail"]
    assert found["gap_hours"] == pytest.approx(16 + 8 / 60, abs=0.01)


def test_the_tolerance_is_what_decides():
    row, filing = ("2024-10-30", "bmo", None), "2024-10-30 16:45"  # 7 h 15 min after the open
    assert one(row, filing, tolerance=pd.Timedelta(hours=8))["agreement"] == "differs"
    assert one(row, filing, tolerance=pd.Timedelta(hours=7))["agreement"] == "moved"
    with pytest.raises(ParameterError, match="tolerance"):
        one(row, filing, tolerance=pd.Timedelta(hours=-1))


def test_filings_are_paired_once_and_the_closest_first():
    rows = vendor(("2024-10-24", "amc", None), ("2024-10-30", "amc", None), ("2024-07-31", "amc", None))
    filings = filed("2024-10-30 16:08", "2024-07-31 16:05", "2024-10-10 08:00")
    found = reconcile(rows, filings, CALENDAR)
    assert found["agreement"].tolist() == ["alone", "sharpened", "sharpened"]
    left = unmatched(rows, filings, CALENDAR)
    assert left["accepted_at"].tolist() == [pd.Timestamp("2024-10-10T12:00Z")]


def test_the_order_of_rows_and_their_labels_do_not_matter():
    rows = vendor(*[(date, "amc", None) for date in ("2024-10-29", "2024-07-31", "2024-04-24")])
    filings = filed("2024-10-30 16:08", "2024-07-31 16:05", "2024-04-24 16:07")
    straight = reconcile(rows, filings, CALENDAR)
    turned = reconcile(rows.iloc[::-1].set_axis(["c", "b", "a"]), filings.iloc[::-1], CALENDAR)
    assert list(turned.index) == ["c", "b", "a"]
    pd.testing.assert_frame_equal(turned.iloc[::-1].reset_index(drop=True), straight)
    assert list(straight.columns) == list(COLUMNS)


def test_no_rows_and_no_filings():
    empty = vendor(("2024-10-30", "amc", None)).iloc[:0]
    assert reconcile(empty, filed("2024-10-30 16:08"), CALENDAR).empty
    assert reconcile(vendor(("2024-10-30", "amc", None)), filed(), CALENDAR)["agreement"].tolist() == ["alone"]


def test_the_sample_is_not_moved_by_its_own_acceptances():
    """Acceptance stamps of the sample that were public on the row's day: none moves a day zero."""
    from research.sources import sample

    frame = sample.announcements().frame
    known = frame[frame["sec_accepted_at"].notna() & frame["session"].notna()]
    stamps = pd.to_datetime(known["sec_accepted_at"], utc=True)
    walls = stamps.dt.tz_convert("America/New_York").dt.tz_localize(None)
    late = walls - walls.dt.normalize() > pd.Timedelta(hours=17, minutes=30)
    dates = walls.dt.normalize().where(~late, known["announced_on"])
    moved = 0
    for ticker, rows in known.groupby("ticker"):
        mine = rows.index
        filings = pd.DataFrame(
            {"accepted_at": stamps[mine], "public_at": [public_at(walls[i], dates[i]) for i in mine]}
        )
        bare = rows.assign(announced_at=pd.NaT)
        bare["announced_at"] = pd.to_datetime(bare["announced_at"], utc=True)
        found = reconcile(bare, filings, CALENDAR)
        moved += int((found["agreement"] == "moved").sum())
        assert (found["agreement"] != "alone").all(), ticker
    assert moved == 0
