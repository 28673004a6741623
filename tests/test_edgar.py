"""EDGAR as it answers: acceptance instants from headers, the rate, the contact, and its failures."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from loopback import Filing, Loopback

from research.errors import SourceError, UsageError
from research.sources import edgar
from research.sources._http import GATEWAY, Pace
from research.sources._retry import Budget, Retry, TransientError
from research.sources.snapshots import SnapshotStore

CONTACT = "Jane Doe jane.doe@example.com"
RECENT = [
    Filing("0001326801-24-000078", "20241030160833", "2024-10-30"),
    Filing("0001326801-24-000060", "20240731160510", "2024-07-31", lying_z=True),
    Filing("0001326801-24-000050", "20240605120000", "2024-06-05", items="5.02"),
    Filing("0001326801-24-000049", "20240604120000", "2024-06-04", form="8-K/A"),
    Filing("0001326801-24-000048", "20240603120000", "2024-06-03", form="10-Q"),
    Filing("0001326801-22-000100", "20221011174122", "2022-10-12"),  # after 17:30, as PepsiCo files
]
OLDER = [Filing("0001326801-15-000010", "20150128160611", "2015-01-28", items="2.02")]


@pytest.fixture
def sec(monkeypatch):
    monkeypatch.setenv(edgar.CONTACT, CONTACT)
    state = Loopback()
    state.filers = {"META": (1326801, list(RECENT), list(OLDER))}
    with state.serving() as url:
        monkeypatch.setenv(GATEWAY, url)
        yield state


def client(**more):
    retry = Retry(2, 1.0, sleep=lambda seconds: None, uniform=lambda: 0.5)
    return edgar.EdgarClient(Budget(60), retry, sleep=lambda seconds: None, **more)


def test_acceptances_are_read_from_the_headers(sec):
    tables, facts, incomplete = client().fetch("meta", "2000-01-01")
    table = tables["acceptances"].set_index("accession")
    assert (facts, incomplete) == ({"cik": 1326801}, {})
    assert list(table.index) == [f"0001326801-{n}" for n in ("15-000010", "22-000100", "24-000060", "24-000078")]
    assert table.loc["0001326801-24-000078", "accepted_at"] == pd.Timestamp("2024-10-30T20:08:33Z")
    assert table.loc["0001326801-15-000010", "accepted_at"] == pd.Timestamp("2015-01-28T21:06:11Z")


def test_the_z_of_the_json_is_not_believed(sec):
    table = client().fetch("META", "2000-01-01")[0]["acceptances"].set_index("accession")
    assert table.loc["0001326801-24-000060", "json_clock"] == "new-york"
    assert table.loc["0001326801-24-000060", "accepted_at"] == pd.Timestamp("2024-07-31T20:05:10Z")
    assert table.loc["0001326801-24-000078", "json_clock"] == "utc"


def test_a_filing_after_half_past_five_is_public_on_the_morning_of_its_date(sec):
    row = client().fetch("META", "2000-01-01")[0]["acceptances"].set_index("accession").loc["0001326801-22-000100"]
    assert row["accepted_at"] == pd.Timestamp("2022-10-11T17:41:22", tz="America/New_York")
    assert row["filed_on"] == pd.Timestamp("2022-10-12")
    assert row["public_at"] == pd.Timestamp("2022-10-12T06:00", tz="America/New_York")


@pytest.mark.parametrize(
    ("accepted", "filed", "public"),
    [
        ("2024-10-30 16:08:33", "2024-10-30", "2024-10-30 16:08:33"),
        ("2024-10-30 17:29:59", "2024-10-30", "2024-10-30 17:29:59"),
        ("2024-10-30 17:30:01", "2024-10-31", "2024-10-31 06:00"),
        ("2024-11-01 18:00:00", "2024-11-04", "2024-11-04 06:00"),  # a weekend, and the end of summer time
        ("2024-07-03 21:00:00", "2024-07-05", "2024-07-05 06:00"),  # over a holiday
    ],
)
def test_public_at(accepted, filed, public):
    found = edgar.public_at(pd.Timestamp(accepted), pd.Timestamp(filed))
    assert found == pd.Timestamp(public, tz="America/New_York")


def test_both_layouts_of_a_header_are_read(sec, monkeypatch):
    old = (
        "<SEC-HEADER>x.hdr.sgml : 20241030\n<ACCEPTANCE-DATETIME>20241030160833\n"
        "ACCESSION NUMBER:\t\t0001326801-24-000078\nCONFORMED SUBMISSION TYPE:\t8-K\n"
        "ITEM INFORMATION:\t\tResults of Operations and Financial Condition\nFILED AS OF DATE:\t\t20241030\n"
    )
    monkeypatch.setattr(sec, "header", lambda path: old)
    table = client().fetch("META", "2024-10-01")[0]["acceptances"]
    assert table["accepted_at"].tolist() == [pd.Timestamp("2024-10-30T20:08:33Z")]
    monkeypatch.setattr(sec, "header", lambda path: "<SEC-HEADER>\n")
    with pytest.raises(SourceError, match="no <ACCEPTANCE-DATETIME>"):
        client().fetch("META", "2024-10-01")


def test_a_filing_without_a_header_of_its_own_is_read_from_the_submission(sec):
    sec.fail("hdr.sgml", "missing", times=99)
    table = client().fetch("META", "2000-01-01")[0]["acceptances"].set_index("accession")
    assert len(table) == 4
    assert table.loc["0001326801-22-000100", "accepted_at"] == pd.Timestamp("2022-10-11T21:41:22Z")
    assert table.loc["0001326801-22-000100", "filed_on"] == pd.Timestamp("2022-10-12")


def test_results_had_another_item_before_august_2004(sec):
    sec.filers["META"][2].append(Filing("0001326801-04-000010", "20040128160611", "2004-01-28", items="7, 12"))
    sec.filers["META"][2].append(Filing("0001326801-04-000011", "20040129160611", "2004-01-29", items="7"))
    table = client().fetch("META", "2000-01-01")[0]["acceptances"]
    assert table["accession"].tolist()[0] == "0001326801-04-000010"
    assert len(table) == 5


def test_older_parts_of_the_list_are_asked_for_only_where_they_matter(sec):
    assert len(client().fetch("META", "2016-01-01")[0]["acceptances"]) == 3
    assert not sec.asked("submissions-001")


def test_a_403_about_the_rate_is_waited_out_for_the_ten_minutes_that_it_lasts(sec):
    slept = []
    patient = edgar.EdgarClient(Budget(3600), Retry(2, 1.0, sleep=slept.append), sleep=lambda seconds: None)
    sec.fail("submissions", "threshold", times=1)
    assert len(patient.fetch("META", "2000-01-01")[0]["acceptances"]) == 4
    assert slept == [600.0]
    sec.fail("submissions", "threshold", times=99)
    with pytest.raises(TransientError, match="limits the rate"):
        patient.fetch("META", "2000-01-01")


def test_headers_that_are_known_are_not_asked_for_again(sec, tmp_path):
    store = SnapshotStore(tmp_path)
    tables, facts, _ = client().fetch("META", "2000-01-01")
    now = pd.Timestamp("2024-11-01T00:00Z")
    store.land("edgar", "META", tables, request={"start": "2000-01-01"}, fetched_at=now, facts=facts)
    sec.requests.clear()
    sec.filers["META"][1].insert(0, Filing("0001326801-25-000001", "20250129160500", "2025-01-29"))
    again, _, _ = client().fetch("META", "2000-01-01", store.vintages("edgar", "META"))
    assert [path.rpartition("/")[2] for path in sec.asked("hdr.sgml")] == ["0001326801-25-000001.hdr.sgml"]
    pd.testing.assert_frame_equal(again["acceptances"].iloc[:-1], tables["acceptances"])


@pytest.mark.parametrize("given", [None, "", "  ", "nobody", "jane@", "@example.com"])
def test_nothing_is_asked_without_a_contact(sec, monkeypatch, given):
    monkeypatch.delenv(edgar.CONTACT) if given is None else monkeypatch.setenv(edgar.CONTACT, given)
    with pytest.raises(UsageError, match=edgar.CONTACT):
        client()
    assert sec.requests == []


def test_the_contact_is_sent_and_written_nowhere(sec, tmp_path):
    store = SnapshotStore(tmp_path)
    tables, facts, _ = client().fetch("META", "2000-01-01")
    assert all(CONTACT in headers["User-Agent"] for _, _, headers in sec.requests)
    now = pd.Timestamp("2024-11-01T00:00Z")
    store.land("edgar", "META", tables, request={"start": "2000-01-01"}, fetched_at=now, facts=facts)
    for path in tmp_path.rglob("*"):
        assert path.is_dir() or b"jane" not in path.read_bytes()
    assert "jane" not in repr(client())


def test_no_second_sees_more_than_ten_requests():
    clock = [0.0]
    pace = Pace(1.1 / edgar.MOST_PER_SECOND, sleep=lambda s: clock.__setitem__(0, clock[0] + s), clock=lambda: clock[0])
    sent = []
    for number in range(60):
        pace.wait()
        sent.append(clock[0])
        clock[0] += 0.3 if number == 30 else 0.01
    assert max(sum(start <= at < start + 1 for at in sent) for start in sent) <= edgar.MOST_PER_SECOND


def test_unknown_tickers_and_empty_histories(sec):
    with pytest.raises(SourceError, match="no company of this ticker"):
        client().fetch("SPY", "2000-01-01")
    assert client().fetch("META", "2030-01-01")[0]["acceptances"].empty


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("429", "limits the rate"),
        ("500", "fault"),
        ("truncate", "cut short"),
        ("html", "data was due"),
        ("reset", "broke"),
    ],
)
def test_failures_are_named(sec, kind, words):
    sec.fail("submissions", kind, times=99)
    with pytest.raises(TransientError, match=words):
        client().fetch("META", "2000-01-01")
    sec.faults.clear()
    sec.fail("submissions", kind, times=1)
    assert len(client().fetch("META", "2000-01-01")[0]["acceptances"]) == 4


def test_a_hang_ends(sec):
    sec.fail("company_tickers", "hang", times=99)
    with pytest.raises(TransientError, match="no answer in time"):
        client(timeout=0.2).fetch("META", "2000-01-01")


def test_a_refusal_is_no_transient_failure(sec, monkeypatch):
    monkeypatch.setattr(edgar, "contact", lambda: "somebody")
    with pytest.raises(SourceError, match="EDGAR refuses \\(HTTP 403\\)") as caught:
        client().fetch("META", "2000-01-01")
    assert not isinstance(caught.value, TransientError)


def test_a_changed_shape_is_named(sec, monkeypatch):
    monkeypatch.setattr(sec, "submissions", lambda name: json.loads('{"filings": {"recent": {}, "files": []}}'))
    with pytest.raises(SourceError, match="another shape"):
        client().fetch("META", "2000-01-01")
