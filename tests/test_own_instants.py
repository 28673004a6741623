"""Wire times and SEC acceptances in a folder of one's own: what they do to the announcements."""

from __future__ import annotations

import warnings
from types import SimpleNamespace

import pandas as pd
import pytest

from research.cli import main
from research.errors import InputError, NotFoundError, ResearchWarning
from research.reporting.background import provenance
from research.sources._own_instants import filings
from research.sources._settings import Settings
from research.sources._tables import Table
from research.sources.files import FilesSource
from research.study.study import EventStudy

EVENTS = """\
ticker,announced_at,session,announced_at_source,eps_actual,eps_estimate
ACME,2024-05-01,amc,vendor,1.2,1.1
ACME,2024-08-01T16:05:00-04:00,,wire,1.3,1.1
ACME,2024-10-31,bmo,,1.4,1.1
ACME,2025-02-03,,,1.5,1.1
ZZZ,2024-05-02,bmo,,1,1
"""
#: A vendor's day too early; a filing long after the wire; a sharper minute; a session where there was none.
FILINGS = """\
ticker,accepted_at,filed_on
ACME,2024-05-02T16:31:10-04:00,2024-05-02
ACME,2024-08-02T17:00:00-04:00,2024-08-02
ACME,2024-10-31T07:02:00-04:00,2024-10-31
ACME,2025-02-03T16:20:00-05:00,
"""


@pytest.fixture
def folder(tmp_path):
    def write(**tables):
        days = pd.bdate_range("2024-04-01", "2025-02-28", freq="C", holidays=["2024-05-27", "2024-06-19", "2024-07-04"])
        days = days.drop(pd.to_datetime(["2024-09-02", "2024-11-28", "2024-12-25", "2025-01-01", "2025-01-09"]))
        days = days.drop(pd.to_datetime(["2025-01-20", "2025-02-17"]))
        prices = pd.DataFrame({"ACME": range(100, 100 + len(days)), "ZZZ": 50.0}, index=days)
        texts = {"events": EVENTS, "prices": prices.to_csv(index_label="date"), **tables}
        for old in tmp_path.iterdir():
            old.unlink()
        for name, text in texts.items():
            (tmp_path / (name if "." in name else f"{name}.csv")).write_text(text)
        return tmp_path

    return write


def test_filings_move_and_sharpen_and_the_table_says_so(folder):
    source = FilesSource(folder(filings=FILINGS))
    table = source.reconciliation("ACME")
    assert table["agreement"].tolist() == ["moved", "agrees", "sharpened", "sharpened"]
    assert table["announced_at_source"].tolist() == ["sec_8k_acceptance", "wire", *["sec_8k_acceptance"] * 2]
    assert source.reconciliation()["ticker"].tolist() == ["ACME"] * 4 + ["ZZZ"]
    assert source.reconciliation()["agreement"].tolist()[-1] == "alone"
    frame = source.announcements().frame
    assert frame["announced_at"].tolist()[:4] == [
        pd.Timestamp("2024-05-02T20:31:10Z"),
        pd.Timestamp("2024-08-01T20:05:00Z"),  # the wire's, although the filing came a day later
        pd.Timestamp("2024-10-31T11:02:00Z"),
        pd.Timestamp("2025-02-03T21:20:00Z"),
    ]
    assert frame["announced_at_source"].tolist()[:4] == table["announced_at_source"].tolist()
    assert "day zero moved from 2024-05-02 to 2024-05-03" in frame["announced_at_note"].iloc[0]
    assert frame["announced_at_note"].isna().tolist() == [False, True, False, False, True]
    assert pd.Timestamp(frame["sec_accepted_at"].iloc[1]) == pd.Timestamp("2024-08-02T21:00:00Z")
    assert frame["event_id"].iloc[0] == "ACME-earnings-2024-05-03"
    assert frame["eps_actual"].tolist() == [1.2, 1.3, 1.4, 1.5, 1.0]
    with pytest.raises(NotFoundError, match="QQQ"):
        source.reconciliation("QQQ")


def test_the_ledger_says_that_an_announcement_was_moved(folder):
    source = FilesSource(folder(filings=FILINGS))
    study = EventStudy(
        source.announcements("ACME"),
        source.returns(),
        model="market-adjusted",
        market="ZZZ",
        window=(-1, 1),
        estimation=(-20, -2),
        min_observations=10,
    )
    ledger = study.fit().ledger
    assert ledger["status"].tolist() == ["used"] * 4
    assert "day zero moved from 2024-05-02 to 2024-05-03" in ledger["detail"].iloc[0]
    assert ledger["detail"].iloc[1] == ""


def test_a_report_says_why_an_instant_is_not_that_of_the_file(folder):
    source = FilesSource(folder(filings=FILINGS))
    pages = []
    for date in ("2024-05-02", "2024-08-01"):
        case = SimpleNamespace(
            event=source.announcements().find("ACME", date), results=SimpleNamespace(market_name="ZZZ")
        )
        pages.append(provenance(case, source).markup)
    assert "day zero moved from 2024-05-02 to 2024-05-03" in pages[0]
    assert "why that instant" not in pages[1]


def test_the_wire_goes_before_the_sec(folder):
    wire = "ticker,announced_at\nACME,2024-05-02T06:45:30-04:00\nACME,2024-10-31 06:30\n"
    toml = 'timezone = "America/New_York"\n'
    source = FilesSource(folder(filings=FILINGS, wire=wire, **{"columns.toml": toml}))
    table = source.reconciliation("ACME")
    assert table["announced_at_source"].tolist()[:3] == ["wire"] * 3
    assert table["agreement"].tolist() == [
        "sharpened",
        "agrees",
        "sharpened",
        "sharpened",
    ]  # amc and bmo share day zero
    frame = source.announcements("ACME").frame
    assert frame["announced_at"].iloc[0] == pd.Timestamp("2024-05-02T10:45:30Z")
    assert frame["precision"].tolist() == ["second", "minute", "minute", "minute"]
    assert frame["announced_at_note"].iloc[0] == "released on the wire at 2024-05-02 06:45:30 New York"
    moved = FilesSource(folder(wire="ticker,announced_at\nACME,2024-05-02T16:05:00-04:00\n", filings=FILINGS))
    note = moved.announcements().frame["announced_at_note"].iloc[0]
    assert note.startswith("released on the wire")
    assert note.endswith("day zero moved from 2024-05-02 to 2024-05-03")


def test_metrics_follow_their_announcement(folder):
    metrics = "ticker,announced_at,metric,actual,estimate\nACME,2024-05-01,capex,5,4\nZZZ,2024-05-02,users,2,2\n"
    metrics += "ACME,2023-05-01,capex,1,1\n"
    announcements = FilesSource(folder(filings=FILINGS, metrics=metrics)).announcements()
    owners = announcements.metrics["event_id"]
    assert owners.tolist()[:2] == ["ACME-earnings-2024-05-03", "ZZZ-earnings-2024-05-02"]
    assert owners.isna().tolist() == [False, False, True]
    assert announcements.metrics["actual"].tolist() == [5, 2, 1]


def test_without_other_instants_nothing_changes(folder):
    source = FilesSource(folder())
    assert list(source.announcements().frame["announced_at_source"][:2]) == ["vendor", "wire"]
    assert "announced_at_note" not in source.announcements().frame
    assert source.reconciliation()["announced_at_source"].tolist() == ["vendor", "wire", "file", "file", "file"]


@pytest.mark.parametrize(
    "also", [{}, {"filings": FILINGS}, {"wire": "ticker,announced_at\nOLD,2024-05-01T16:05-04:00\n"}]
)
def test_an_alias_is_good_for_questions_with_other_instants_and_without(folder, also):
    toml = '[aliases]\nOLD = "ACME"\n"ACME US Equity" = "ACME"\n'
    announcements = FilesSource(folder(**also, **{"columns.toml": toml})).announcements()
    assert announcements.find("OLD", "2024-10-31")["ticker"] == "ACME"
    assert len(announcements.for_ticker("OLD")) == 4


def test_own_identifiers_and_other_kinds_stay_what_they_were(folder):
    events = (
        "event_id,ticker,announced_at,session,kind\ne1,ACME,2024-05-01,amc,earnings\ne2,ACME,2024-05-01,amc,product\n"
    )
    frame = FilesSource(folder(events=events, filings=FILINGS)).announcements().frame
    assert frame["event_id"].tolist() == ["e1", "e2"]
    assert frame["announced_on"].tolist() == [pd.Timestamp("2024-05-02"), pd.Timestamp("2024-05-01")]


def test_a_filing_of_the_evening_before_makes_a_morning(folder):
    events = "ticker,announced_at,session\nACME,2024-10-30,\n"
    accepted = "ticker,accepted_at,filed_on\nACME,2024-10-29T18:01:00-04:00,2024-10-30\n"
    source = FilesSource(folder(events=events, filings=accepted))
    row = source.announcements().find("ACME", "2024-10-30")
    assert (row["session"], row["precision"], row["timing"]) == ("bmo", "session", "bmo")
    assert row["announced_at_source"] == "sec_filing_date"
    assert row["day_zero"] == pd.Timestamp("2024-10-30")
    assert pd.Timestamp(row["sec_accepted_at"]) == pd.Timestamp("2024-10-29T22:01:00Z")


def test_filings_of_the_evening_are_public_the_next_morning():
    rows = {
        "2024-10-30 17:29:00": "2024-10-30 17:29",
        "2024-10-30 17:31:00": "2024-10-31 06:00",
        "2024-11-01 20:00:00": "2024-11-04 06:00",  # a weekend with a change of the clocks
        "2024-11-02 12:00:00": "2024-11-04 06:00",
    }
    frame = pd.DataFrame({"ticker": "A", "accepted_at": list(rows)}, dtype=object)
    found = filings(Table("filings.csv", frame), Settings(timezone="America/New_York"))
    assert found["public_at"].tolist() == [pd.Timestamp(text, tz="America/New_York") for text in rows.values()]


def test_every_row_that_is_no_instant_is_named(folder):
    bad = (
        "ticker,accepted_at,filed_on\n"
        "ACME,2024-05-02,2024-05-02\n"  # 2: no time
        "ACME,2024-05-02 16:31,2024-05-02\n"  # 3: no offset, no zone
        ",2024-05-02T16:31-04:00,\n"  # 4: no ticker
        "ACME,soon,\n"  # 5
        "ACME,,\n"  # 6
        "ACME,2024-05-02T25:31-04:00,\n"  # 7: no such hour
        "ACME,2024-05-02T16:31-04:00,3/4/24\n"  # 8: no date
        "A B,45414.5,\n"  # 9: neither
    )
    with pytest.raises(InputError) as caught:
        FilesSource(folder(filings=bad)).announcements()
    named = {(int(row.row), row.column) for row in caught.value.rows.itertuples()}
    instants = {(line, "accepted_at") for line in (2, 3, 5, 6, 7, 9)}
    assert named == instants | {(4, "ticker"), (9, "ticker"), (8, "filed_on")}
    assert "filings.csv" in str(caught.value)
    skipped = "ticker,announced_at\nACME,2024-03-10 02:30\nACME,2024-11-03 01:30\n"
    toml = {"columns.toml": 'timezone = "America/New_York"'}
    with pytest.raises(InputError, match=r"wire\.csv(.|\n)*exists twice") as caught:
        FilesSource(folder(wire=skipped, filings=FILINGS, **toml)).announcements()
    assert len(caught.value.rows) == 2
    with pytest.raises(InputError, match=r"Did you mean 'acceptanceDateTime'"):
        FilesSource(folder(filings="ticker,acceptanceDateTime\nACME,x\n")).reconciliation()


def test_two_announcements_on_one_day_zero_are_named_by_line(folder):
    events = "ticker,announced_at,session\nACME,2024-05-01,amc\nACME,2024-05-03,bmo\n"
    wire = "ticker,announced_at\nACME,2024-05-02T16:05-04:00\nACME,2024-05-03T07:05-04:00\n"
    with pytest.raises(InputError, match="row 3, ticker: same ticker") as caught:
        FilesSource(folder(events=events, wire=wire)).announcements()
    assert "events.csv" in str(caught.value)
    assert caught.value.rows["problem"].tolist() == [
        "same ticker, kind and day zero 2024-05-03 as row 2"
        "; wire.csv puts it at 2024-05-03 07:05:00 New York, events.csv at 2024-05-03 bmo"
        "; wire.csv puts row 2 at 2024-05-02 16:05:00 New York, events.csv at 2024-05-01 amc"
    ]
    accepted = "ticker,accepted_at\nACME,2024-05-02T16:05-04:00\n"
    events = "ticker,announced_at,session\nACME,2024-05-03T12:05-04:00,\nACME,2024-05-01,amc\n"
    with pytest.raises(InputError, match="row 3, ticker") as caught:
        FilesSource(folder(events=events, filings=accepted)).announcements()
    assert caught.value.rows["problem"].tolist() == [
        "same ticker, kind and day zero 2024-05-03 as row 2"
        "; filings.csv puts it at 2024-05-02 16:05:00 New York, events.csv at 2024-05-01 amc"
    ]


def test_an_estimate_overtaken_by_a_move_says_who_moved_it(folder):
    events = (
        "ticker,announced_at,session,estimate_as_of\n"
        "ZZZ,2024-05-02,bmo,2024-05-01\n"
        "ACME,2024-05-03,amc,2024-05-02T18:00:00-04:00\n"
        "ACME,2024-08-05,amc,2024-08-03T18:00:00-04:00\n"
    )
    wire = "ticker,announced_at\nACME,2024-05-02T16:05-04:00\n"
    accepted = "ticker,accepted_at\nACME,2024-08-01T18:05-04:00\n"
    FilesSource(folder(events=events)).announcements()
    with pytest.raises(InputError) as caught:
        FilesSource(folder(events=events, wire=wire, filings=accepted)).announcements()
    assert str(caught.value).startswith("events.csv cannot be used")
    assert caught.value.rows[["row", "column"]].to_numpy().tolist() == [[3, "estimate_as_of"], [4, "estimate_as_of"]]
    assert caught.value.rows["problem"].tolist() == [
        "is after the announcement; wire.csv puts it at 2024-05-02 16:05:00 New York, events.csv at 2024-05-03 amc",
        "is after the announcement; filings.csv puts it at 2024-08-02 bmo, events.csv at 2024-08-05 amc",
    ]


def test_a_metric_overtaken_by_a_move_is_named_in_its_own_file(folder):
    metrics = (
        "ticker,announced_at,metric,actual,estimate,estimate_as_of\n"
        "ZZZ,2024-05-02,users,2,2,\n"
        "ACME,2024-05-01,capex,5,4,2024-05-01T18:00:00-04:00\n"
        "ACME,2024-08-01,capex,5,4,2024-08-01T18:00:00-04:00\n"  # later than its time, which the metrics do not have
        "ACME,2024-05-01,users,5,4,2024-04-01\n"
    )
    FilesSource(folder(metrics=metrics)).announcements()
    wire = "ticker,announced_at\nACME,2024-05-01T16:05-04:00\n"
    with pytest.raises(InputError) as caught:
        FilesSource(folder(metrics=metrics, wire=wire)).announcements()
    assert str(caught.value).startswith("metrics.csv cannot be used")
    assert caught.value.rows[["row", "column"]].to_numpy().tolist() == [[3, "estimate_as_of"]]
    assert caught.value.rows["problem"].tolist() == [
        "is after the announcement; wire.csv puts its announcement at 2024-05-01 16:05:00 New York, "
        "events.csv at 2024-05-01 amc"
    ]


@pytest.mark.parametrize("file", ["wire", "filings"])
def test_instants_without_a_session_are_named_by_line(folder, file):
    column = {"wire": "announced_at", "filings": "accepted_at"}[file]
    cells = [
        "2099-01-05T18:00:00-05:00",
        "1949-12-30T18:00:00-05:00",  # before the first session that is known
        "2030-12-31T16:00:00-05:00",  # the last close
        "2300-01-05T18:00:00-05:00",  # beyond what nanoseconds hold
        "9999-12-31T23:00:00-05:00",
        "1500-01-05T18:00:00-05:00",
    ]
    text = f"ticker,{column}\nACME,2024-05-02T16:31:10-04:00\n" + "".join(f"ACME,{cell}\n" for cell in cells)
    with pytest.raises(InputError, match="outside the sessions of New York, 1950-01-03 to 2030-12-31") as caught:
        FilesSource(folder(**{file: text})).announcements()
    assert caught.value.rows[["row", "column"]].to_numpy().tolist() == [[line, column] for line in range(3, 9)]
    assert caught.value.rows["value"].tolist() == cells


def test_typed_instants_and_filing_dates_without_a_session_are_named(folder):
    far = pd.DatetimeIndex(["2024-05-02T20:31", "2300-01-05T20:31", "2099-01-05T20:31"], dtype="datetime64[us]")
    for zone in ("UTC", "America/New_York", None):
        frame = pd.DataFrame({"ticker": "ACME", "accepted_at": far.tz_localize(zone)}, index=[1, 2, 3])
        with pytest.raises(InputError, match="outside the sessions") as caught:
            filings(Table("filings.parquet", frame), Settings(timezone="America/New_York"))
        assert caught.value.rows["row"].tolist() == [2, 3]
    lines = ["ACME,2024-05-02T16:31:10-04:00,2031-01-02", "ACME,2024-05-02T16:31-04:00,2400-01-02"]
    dated = "\n".join(["ticker,accepted_at,filed_on", *lines])
    with pytest.raises(InputError, match=r"outside the (sessions|years)") as caught:
        FilesSource(folder(filings=dated)).announcements()
    assert caught.value.rows[["row", "column"]].to_numpy().tolist() == [[2, "filed_on"], [3, "filed_on"]]


def test_companies_without_announcements_are_named_by_line(folder):
    wire = (
        "ticker,announced_at\nACME,2024-05-01T16:05-04:00\nacme,2024-05-01T16:05-04:00\nQQQQQ,2024-05-01T16:05-04:00\n"
    )
    accepted = "ticker,accepted_at\nACMEA,2024-05-01T16:05-04:00\nA B,2024-05-01T16:05-04:00\n"
    with pytest.raises(InputError, match="Did you mean 'ACME'") as caught:
        FilesSource(folder(wire=wire)).announcements()
    assert caught.value.rows[["row", "column", "value"]].to_numpy().tolist() == [
        [3, "ticker", "acme"],
        [4, "ticker", "QQQQQ"],
    ]
    with pytest.raises(InputError, match="Did you mean 'ACME'") as caught:
        FilesSource(folder(filings=accepted)).reconciliation()
    assert caught.value.rows[["row", "column"]].to_numpy().tolist() == [[2, "ticker"], [3, "ticker"]]


def test_rows_of_no_announcement_are_listed_as_unmatched(folder):
    wire = (
        "ticker,announced_at\nZZZ,2024-05-02T07:00-04:00\nACME,2023-05-01T16:05:30-04:00\nACME,2024-08-01T16:06-04:00\n"
    )
    accepted = FILINGS + "ACME,2024-07-01T18:01:00-04:00,\nACME,2024-05-02T16:31:10-04:00,2024-05-02\n"
    source = FilesSource(folder(wire=wire, filings=accepted))
    with pytest.warns(ResearchWarning, match=r"4 rows of wire\.csv and filings\.csv without an earnings announcement"):
        table = source.reconciliation()
    assert table["agreement"].tolist() == ["moved", "agrees", *["sharpened"] * 3, *["unmatched"] * 4]
    left = table[table["agreement"] == "unmatched"]
    assert left["ticker"].tolist() == ["ACME"] * 4
    assert left["announced_at"].isna().all()
    assert left["announced_at_source"].tolist() == ["wire", "wire", "sec_filing_date", "sec_8k_acceptance"]
    far = "New York: no earnings announcement of ACME in New York is within six days"
    assert left["detail"].tolist() == [
        f"row 3 of wire.csv, 2023-05-01 16:05:30 {far}",
        "row 4 of wire.csv, 2024-08-01 16:06:00 New York: the announcement near it has a closer one",
        f"row 6 of filings.csv, 2024-07-01 18:01:00 {far}",
        "row 7 of filings.csv, 2024-05-02 16:31:10 New York: the announcement near it has a closer one",
    ]
    assert left["sec_accepted_at"].isna().tolist() == [True, True, False, False]
    assert left["edgar_day_zero"].tolist()[2:] == [pd.Timestamp("2024-07-02"), pd.Timestamp("2024-05-03")]
    instants = table.dtypes[["announced_at", "sec_accepted_at", "announced_on", "vendor_day_zero", "edgar_day_zero"]]
    assert instants.astype(str).tolist() == ["datetime64[ns, UTC]"] * 2 + ["datetime64[ns]"] * 3
    assert table["gap_hours"].dtype == float
    assert len(source.announcements()) == 5  # it is told once
    assert source.reconciliation("ZZZ")["agreement"].tolist() == ["sharpened"]


def test_rows_of_companies_with_other_news_only_are_unmatched(folder):
    events = "ticker,announced_at,session,kind\nACME,2024-05-01,amc,product\nACME,2024-05-02,amc,guidance\n"
    source = FilesSource(folder(events=events, filings=FILINGS))
    with pytest.warns(ResearchWarning, match=r"4 rows of filings\.csv"):
        announcements = source.announcements()
    assert announcements.frame["announced_on"].tolist() == [pd.Timestamp("2024-05-01"), pd.Timestamp("2024-05-02")]
    assert source.reconciliation()["agreement"].tolist() == ["unmatched"] * 4


def test_a_wire_file_may_repeat_the_times_of_the_events_file(folder):
    events = EVENTS + "ACME,2024-08-05,amc,,1,1\n"
    source = FilesSource(folder(events=events, wire="ticker,announced_at\nACME,2024-08-01T16:05:00-04:00\n"))
    with warnings.catch_warnings():
        warnings.simplefilter("error", ResearchWarning)
        assert source.reconciliation("ACME")["agreement"].tolist() == ["alone", "agrees", "alone", "alone", "alone"]


def test_the_wire_of_other_news_does_not_time_the_earnings(folder):
    events = (
        "ticker,announced_at,session,kind,announced_at_source\n"
        "ACME,2024-05-01,amc,earnings,\nACME,2024-05-03T09:00-04:00,,product,wire\n"
    )
    source = FilesSource(folder(events=events, wire="ticker,announced_at\nACME,2024-05-01T16:05-04:00\n"))
    assert source.reconciliation()["announced_at"].tolist() == [pd.Timestamp("2024-05-01T20:05Z")]
    assert FilesSource(folder(events=events)).reconciliation()["agreement"].tolist() == ["alone"]


def test_the_command_tells_a_warning_once_and_in_one_line(folder, capsys):
    path = folder(filings=FILINGS + "ACME,2024-07-01T18:01:00-04:00,\n")
    assert main(["report", "ACME", "2024-09-09", "--source", f"files:{path}"]) == 1
    out, err = capsys.readouterr()
    first, second = err.splitlines()
    assert first.startswith("earnings-study: warning: files:")
    assert "1 row of filings.csv without an earnings announcement" in first
    assert "2024-09-09" in second
    assert out == ""
