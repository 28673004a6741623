"""The commands fetch, snapshots, template and upcoming, and reports that are replayed from a snapshot."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest
from loopback import Company, Filing, Loopback
from yfinance.data import SingletonMeta

import research as es
from research import cli
from research.sources import edgar, fetching, sample, snapshots, yahoo
from research.sources._http import GATEWAY
from research.sources._progress import FetchProgress
from research.sources._retry import Retry
from research.sources.files import FilesSource
from research.sources.snapshots import SnapshotStore
from research.sources.template import write_template

ROWS = [
    ("October 30, 2024 at 4 PM EDT", "5.25", "6.03", "+14.86"),
    ("July 31, 2024 at 4 PM EDT", "4.73", "5.16", "+9.09"),
    ("April 24, 2024 at 4 PM EDT", "4.32", "4.71", "+9.03"),
    ("February 1, 2024 at 4 PM EST", "4.96", "5.33", "+7.46"),
]


@pytest.fixture
def played(monkeypatch, tmp_path):
    monkeypatch.setattr(SingletonMeta, "_instances", {})
    monkeypatch.setattr(yahoo, "PACE", 0.0)
    monkeypatch.setattr(fetching, "Retry", lambda: Retry(2, 1.0, sleep=lambda seconds: None))
    monkeypatch.setenv(snapshots.ROOT, str(tmp_path / "snapshots"))
    monkeypatch.delenv(edgar.CONTACT, raising=False)
    state = Loopback()
    state.add(Company("SPY", instrument="ETF"))
    state.add(Company("META", rows=list(ROWS)))
    with state.serving() as url:
        monkeypatch.setenv(GATEWAY, url)
        yield state


@pytest.fixture
def run(capsys):
    def command(*arguments):
        capsys.readouterr()
        code = cli.main(list(arguments))
        out, err = capsys.readouterr()
        return code, out, err

    return command


def test_one_of_fifty_fails_and_a_rerun_fetches_only_that_one(played, run):
    tickers = [f"T{number:02d}" for number in range(49)] + ["BAD"]
    for ticker in tickers:
        played.add(Company(ticker, rows=ROWS[:1]))
    played.fail("chart/BAD", "500", times=99)
    code, out, err = run("fetch", *tickers, "--market", "", "--start", "2024-01-02")
    store = SnapshotStore()
    assert code == 1
    assert out.strip() == store.state().id
    assert sorted(store.state().keys("yahoo")) == sorted(tickers[:-1])
    assert "49 landed, 1 failed" in err
    assert "failed: yahoo/BAD: Yahoo has a fault of its own (HTTP 500)" in err
    assert "50/50 BAD" in err
    assert "Traceback" not in err
    played.faults.clear()
    played.requests.clear()
    code, _, err = run("fetch", *tickers, "--market", "", "--start", "2024-01-02")
    assert code == 0
    assert "1 landed, 49 up to date" in err
    assert {path.rpartition("/")[2].partition("?")[0] for path in played.asked("/chart/")} == {"BAD"}


def test_the_market_comes_along_and_force_fetches_again(played, run):
    assert run("fetch", "meta", "--start", "2024-01-02")[0] == 0
    assert SnapshotStore().state().keys("yahoo") == ["META", "SPY"]
    assert "2 up to date" in run("fetch", "META", "--start", "2024-01-02")[2]
    assert "2 landed" in run("fetch", "META", "--start", "2023-01-03")[2]  # an earlier start is another request
    assert "2 landed" in run("fetch", "META", "--start", "2023-01-03", "--force")[2]
    assert len(SnapshotStore().vintages("yahoo", "META")) == 3


def test_what_is_older_than_the_latest_close_is_fetched_again(played):
    def at(now):
        played.now = pd.Timestamp(now)
        return fetching.fetch(["META"], market=None, start="2024-01-02", now=lambda: pd.Timestamp(now))

    assert len(at("2024-11-14T22:00Z").landed) == 1
    assert at("2024-11-15T20:59Z").current == ["yahoo/META"]  # the next session still runs
    assert at("2024-11-15T21:19Z").current == ["yahoo/META"]  # its bars are not settled
    assert len(at("2024-11-15T21:21Z").landed) == 1
    assert at("2024-11-17T12:00Z").current == ["yahoo/META"]


def test_what_is_incomplete_counts_as_left_over(played, run):
    played.fail("quoteSummary", "500", times=99)
    code, _, err = run("fetch", "META", "--market", "", "--start", "2024-01-02")
    assert code == 1
    assert "1 landed" in err
    assert "incomplete: yahoo/META: no estimates: Yahoo has a fault of its own (HTTP 500)" in err
    played.faults.clear()
    code, _, err = run("fetch", "META", "--market", "", "--start", "2024-01-02")
    assert (code, "1 landed" in err) == (0, True)


def test_a_service_that_is_gone_is_not_asked_fifty_times(monkeypatch, played, run):
    monkeypatch.setenv(GATEWAY, "http://127.0.0.1:9")
    code, out, err = run("fetch", *[f"T{number:02d}" for number in range(50)], "--start", "2024-01-02")
    assert (code, out) == (1, "")
    assert "0 landed, 51 failed" in err
    assert "not tried after 3 failures in a row" in err
    assert err.count("\n") < 15


def test_a_full_disk_ends_the_fetch_at_once(played, run, monkeypatch):
    def refuse(*args):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(snapshots, "write", refuse)
    code, out, err = run("fetch", "META", "AAPL", "--start", "2024-01-02")
    assert (code, out) == (1, "")
    assert "the disk is full; nothing was changed" in err
    assert not played.asked("AAPL")
    assert SnapshotStore().vintages() == []


def test_the_budget_is_for_everything(played, run):
    played.fail("chart", "hang", times=99)
    began = time.monotonic()
    code, _, err = run("fetch", "META", "AAPL", "--market", "", "--budget", "1", "--start", "2024-01-02")
    assert code == 1
    assert "time budget of 1 s" in err
    assert time.monotonic() - began < 60


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["fetch"], "no ticker to fetch"),
        (["fetch", "../x"], "no ticker"),
        (["fetch", "META", "--source", "bloomberg"], "cannot be fetched from"),
        (["fetch", "META", "--source", "yaho"], "Did you mean 'yahoo'"),
        (["fetch", "META", "--start", "01/02/2024"], "no date to begin with"),
        (["fetch", "META", "--start", "2024-02-30"], "no date to begin with"),
        (["fetch", "META", "--budget", "0"], "time budget is positive"),
        (["fetch", "META", "--source", "edgar"], edgar.CONTACT),
        (["snapshots", "prune", "--keep", "0"], "at least one"),
    ],
)
def test_wrong_usage_is_code_2_and_asks_nobody(played, run, arguments, words):
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert words in err
    assert err.count("\n") == 1
    assert played.requests == []


def test_a_gateway_that_is_none_is_wrong_usage(played, run, monkeypatch):
    monkeypatch.setenv(GATEWAY, "ftp://somewhere")
    code, out, err = run("fetch", "META")
    assert (code, out) == (2, "")
    assert "EARNINGS_STUDY_GATEWAY: the gateway is no address (got 'ftp://somewhere')" in err
    assert "another shape" not in err


def test_several_sources_at_once_and_as_json(played, run, monkeypatch):
    monkeypatch.setenv(edgar.CONTACT, "Jane Doe jane@example.com")
    played.filers["META"] = (1326801, [Filing("0001326801-24-000078", "20241030160833", "2024-10-30")], [])
    code, out, err = run("fetch", "META", "--source", "yahoo,edgar", "--json", "--start", "2024-01-02")
    answer = json.loads(out)
    assert code == 0
    assert [label.split("/")[:2] for label in answer["landed"]] == [
        ["yahoo", "SPY"],
        ["yahoo", "META"],
        ["edgar", "META"],
    ]
    assert (answer["failed"], answer["snapshot"]) == ({}, SnapshotStore().state().id)
    assert "jane" not in err + out
    event = es.open_source("yahoo").announcements().find("META", "2024-10-30")
    assert event["announced_at"] == pd.Timestamp("2024-10-30T20:08:33Z")


def test_list_show_verify_diff_and_prune(played, run):
    assert "no snapshots yet" in run("snapshots", "list")[2]
    run("fetch", "META", "--start", "2024-01-02")
    first = SnapshotStore().state().id
    company = played.companies["META"]
    company.splits, company.rescaled = {"2024-11-18": (2, 1)}, 2.0
    company.rows[0] = ("October 31, 2024 at 4 PM EDT", *ROWS[0][1:])
    run("fetch", "META", "--force", "--start", "2024-01-02")
    second = SnapshotStore().state().id
    assert run("snapshots", "list")[1].splitlines()[0].startswith(first)
    shown = run("snapshots", "show", second[:6])[1]
    assert "yahoo/META" in shown
    assert "prices" in shown
    for arguments in ([first, second], [first], ["META"]):
        code, out, _ = run("snapshots", "diff", *arguments)
        assert code == 0
        assert "divided by 2, as the split since then says" in out
        assert "October 30, 2024 at 4 PM EDT -> October 31, 2024 at 4 PM EDT (by +1 day)" in out
    listed = json.loads(run("snapshots", "list", "--json")[1])
    assert [row["snapshot"] for row in listed] == [first, second]
    assert listed[0]["sources"] == {"yahoo": 2}
    members = json.loads(run("snapshots", "show", second, "--json")[1])
    assert [(row["source"], row["key"]) for row in members] == [("yahoo", "META"), ("yahoo", "SPY")]
    assert members[0]["tables"]["announcements"] == len(ROWS)
    changes = json.loads(run("snapshots", "diff", first, second, "--json")[1])
    assert {row["change"] for row in changes} >= {"rescaled", "moved"}
    assert all(row["key"] == "META" for row in changes)
    assert json.loads(run("snapshots", "verify", "--json")[1]) == []
    code, out, err = run("snapshots", "verify")
    assert (code, out) == (0, "")
    assert "all files match" in err
    victim = SnapshotStore().vintages("yahoo", "META")[0].folder / "prices.parquet"
    victim.write_bytes(victim.read_bytes()[:-7])
    code, out, err = run("snapshots", "verify")
    assert code == 1
    assert out.splitlines()[0].startswith("yahoo/META/")
    assert "prices.parquet: does not match its hash" in out
    assert run("snapshots", "show", "nope")[0] == 1
    assert run("snapshots", "diff", second, "nope")[0] == 1
    code, _, err = run("snapshots", "diff", "nope")
    assert code == 1
    assert "no such snapshot, and no such company" in err
    code, _, err = run("snapshots", "prune", "--keep", "1")
    assert code == 0
    assert [one.id for one in SnapshotStore().snapshots()] == [second]
    assert run("snapshots", "verify")[0] == 0


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_the_listing_tells_damaged_records_apart_from_none(played, run, form):
    assert run("snapshots", "list", *form)[::2] == (
        0,
        "earnings-study: no snapshots yet; earnings-study fetch TICKER ... makes the first\n",
    )
    run("fetch", "META", "--start", "2024-01-02")
    store = SnapshotStore()
    (good,) = store.snapshots()
    (store.root / "sets" / "0123456789ab.json").write_text("{")
    code, out, err = run("snapshots", "list", *form)
    assert code == 1
    assert good.id in out
    assert "0123456789ab" not in out
    assert err == "earnings-study: damaged: snapshot 0123456789ab: sets/0123456789ab.json cannot be read\n"
    (store.root / "sets" / f"{good.id}.json").unlink()
    code, out, err = run("snapshots", "list", *form)
    assert (code, out) == (1, "[]\n" if form else "")
    assert "no snapshots yet" not in err
    assert len(err.splitlines()) == 1


def test_upcoming(played, run):
    played.companies["META"].rows.insert(0, ("January 28, 2030 at 4 PM EST", "8.2", "-", "-"))
    soon = pd.Timestamp.now(tz="America/New_York").normalize() + pd.Timedelta(days=9, hours=16)
    played.companies["META"].upcoming = {
        "earningsDate": [{"raw": int(soon.timestamp())}],
        "isEarningsDateEstimate": True,
        "earningsAverage": {"raw": 6.75},
        "earningsLow": {"raw": 6.1},
        "earningsHigh": {"raw": 7.2},
        "revenueAverage": {"raw": 46_980_000_000},
    }
    run("fetch", "META", "--start", "2023-06-01")
    code, out, err = run("upcoming", "meta")
    assert (code, err) == (0, "")
    head, past = out.splitlines()
    assert head.startswith(f"META: {soon:%a %Y-%m-%d} ")
    assert "(estimated); EPS expected 6.75 (6.10 to 7.20); revenue 46,980 million; as of" in head
    assert "4 earlier ones" in past
    returns = es.open_source("yahoo").returns(["META", "SPY"])
    moves = (returns["META"] - returns["SPY"]).loc[
        pd.to_datetime(["2024-02-02", "2024-04-25", "2024-08-01", "2024-10-31"])
    ]
    assert f"typically {(moves**2).mean() ** 0.5:.1%} against SPY" in past
    assert f"latest {moves.iloc[-1]:+.1%} on 2024-10-31" in past
    half = 3.182446 * moves.std() / 2  # Student's t with 3 degrees of freedom
    assert f"mean {moves.mean():+.1%} (95% interval {moves.mean() - half:+.1%} to {moves.mean() + half:+.1%})" in past
    assert run("upcoming", "NOPE")[0] == 1
    (row,) = json.loads(run("upcoming", "META", "--json")[1])
    assert (row["ticker"], row["n_past"], row["date_is_estimate"]) == ("META", 4, True)
    assert row["expected_on"] == f"{soon:%Y-%m-%d}"
    assert row["as_of"].endswith("+00:00")
    assert row["n_analysts"] is None
    assert row["mean_high"] == pytest.approx(moves.mean() + half, rel=1e-6)


def test_progress_is_on_stderr_with_an_estimate(capsys):
    seconds = iter([0.0, 0.0, 10.0, 400.0])
    told = []
    with FetchProgress(told.append, clock=lambda: next(seconds)) as progress:
        for done, label in enumerate(("A", "B", "C")):
            progress.step(label, done, 40)
        progress.step("", 40, 40)
    assert told[0] == "1/40 A"
    assert told[1] == "2/40 B, about 6 min left"
    assert told[2].startswith("3/40 C, about ")
    assert capsys.readouterr() == ("", "")


def test_the_bar_of_a_terminal_is_on_stderr(monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with FetchProgress(lambda line: None) as progress:
        progress.step("META", 0, 2)
        progress.tell("something")
        progress.step("", 2, 2)
    out, err = capsys.readouterr()
    assert out == ""
    assert "META" in err


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="sends a signal")
def test_an_interrupted_fetch_says_so_and_goes_on(played, tmp_path):
    tickers = [f"T{number:02d}" for number in range(6)]
    for ticker in tickers:
        played.add(Company(ticker, rows=ROWS[:1]))
    played.fail("chart/T03", "hang", times=1)
    command = [sys.executable, "-m", "research", "fetch", *tickers, "--market", "", "--start", "2024-01-02"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    for line in process.stderr:
        if "4/6 T03" in line:
            time.sleep(0.3)
            process.send_signal(signal.SIGINT)
            break
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "interrupted; what has landed is kept" in err
    assert (out, "Traceback" in err) == ("", False)
    store = SnapshotStore()
    assert store.state().keys("yahoo") == tickers[:3]
    assert [one.id for one in store.snapshots()] == [store.state().id]
    outcome = fetching.fetch(tickers, market=None, start="2024-01-02")
    assert (len(outcome.current), len(outcome.landed)) == (3, 3)


@pytest.mark.slow
def test_a_report_names_its_snapshot_and_is_replayed_from_it_to_the_byte(played, run, tmp_path):
    run("fetch", "META", "--start", "2023-01-03")
    kept = SnapshotStore().state().id
    code, out, err = run("report", "META", "2024-10-30", "--source", "yahoo", "--output", str(tmp_path / "a"))
    assert code == 0, err
    folder = tmp_path / "a" / "meta-2024-10-30"
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["source"]["source"] == f"snapshot:{kept}"
    assert out.strip() == str(folder / "report.html")
    played.companies["META"].rewritten = {"2024-10-31": 42.0}
    run("fetch", "META", "--force", "--start", "2023-01-03")
    assert SnapshotStore().state().id != kept
    played.requests.clear()
    code, _, err = run("report", "META", "2024-10-30", "--source", f"snapshot:{kept}", "--output", str(tmp_path / "b"))
    assert code == 0, err
    assert played.requests == []  # offline
    for name in ("report.html", "notebook.ipynb", "results.json", "manifest.json"):
        again = tmp_path / "b" / "meta-2024-10-30" / name
        assert again.read_bytes() == (folder / name).read_bytes(), name


# --- one's own data ----------------------------------------------------------------------


def test_the_template_is_a_folder_that_works(run, tmp_path):
    folder = tmp_path / "mine"
    code, out, err = run("template", str(folder))
    assert (code, out.strip()) == (0, str(folder))
    assert f"report META 2024-10-30 --source files:{folder}" in err
    assert sorted(os.listdir(folder)) == ["README.txt", "columns.toml", "events.csv", "market.csv", "prices.csv"]
    source = FilesSource(folder)
    event = source.announcements().find("META", "2024-10-30")
    assert event["announced_at"] == sample.announcements("META").find("META", "2024-10-30")["announced_at"]
    assert event["call_at"] == pd.Timestamp("2024-10-30T21:00Z")
    mine, theirs = source.returns("META")["META"].iloc[1:], sample.prices().returns("META")["META"]
    pd.testing.assert_series_equal(mine, theirs.loc[mine.index], check_freq=False, rtol=1e-9)
    study = es.EventStudy(source.announcements(), source.returns(), market=source.market_returns(source.market_symbol))
    assert "META-earnings-2024-10-31" in set(study.fit().ledger.query("status == 'used'")["event_id"])


def test_a_template_overwrites_nothing(run, tmp_path):
    (tmp_path / "events.csv").write_text("mine")
    code, _, err = run("template", str(tmp_path))
    assert code == 1
    assert "not empty; nothing was written" in err
    assert os.listdir(tmp_path) == ["events.csv"]
    blocked = tmp_path / "events.csv" / "inside"
    assert run("template", str(blocked))[0] == 1
    (tmp_path / "empty").mkdir()
    assert write_template(tmp_path / "empty").name == "empty"
    assert sorted(os.listdir(tmp_path)) == ["empty", "events.csv"]
