"""Bad input through the command: one clear message, the right exit code, no traceback, nothing half-written."""

import json

import numpy as np
import pandas as pd
import pytest

import research as es
from research.cli import main

SESSIONS = es.TradingCalendar("XNYS").sessions
FIRST, LAST = SESSIONS.get_indexer(pd.to_datetime(["2021-01-04", "2023-06-30"]))


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def write_files(folder, *, events=None, last=LAST, gap=None):
    """A folder for ``files:DIR``: one company with nine quarterly announcements, daily prices, a market."""
    folder.mkdir()
    rng = np.random.default_rng(3)
    days = SESSIONS[FIRST : last + 1]
    market = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, len(days))))
    close = 50 * np.exp(np.cumsum(rng.normal(0, 0.02, len(days))))
    prices = pd.DataFrame({"date": days.strftime("%Y-%m-%d"), "ticker": "ACME", "close": close.round(4)})
    if gap is not None:
        prices = prices[prices["date"] != gap]
    prices.to_csv(folder / "prices.csv", index=False)
    pd.DataFrame({"date": days.strftime("%Y-%m-%d"), "close": market.round(4)}).to_csv(
        folder / "market.csv", index=False
    )
    if events is None:
        dates = [SESSIONS[FIRST + 40 + 63 * i].strftime("%Y-%m-%d") for i in range(9)]
        events = "ticker,announced_at,session\n" + "".join(f"ACME,{date},amc\n" for date in dates)
    (folder / "events.csv").write_text(events)
    return [line.split(",")[1] for line in events.splitlines()[1:]]


def report(capsys, *arguments):
    """Exit code, stdout and stderr of ``earnings-study report``."""
    code = main(["report", *arguments])
    captured = capsys.readouterr()
    assert "Traceback" not in captured.err
    return code, captured.out, captured.err


def nothing_published(tmp_path):
    return not list(tmp_path.rglob("report.html"))


def test_own_files_give_a_report_even_with_a_missing_day_in_the_window(tmp_path, capsys):
    dates = write_files(tmp_path / "mine")
    day = SESSIONS[SESSIONS.get_loc(pd.Timestamp(dates[6])) + 4].strftime("%Y-%m-%d")
    prices = pd.read_csv(tmp_path / "mine" / "prices.csv")
    prices[prices["date"] != day].to_csv(tmp_path / "mine" / "prices.csv", index=False)
    code, out, err = report(capsys, "ACME", dates[6], "--source", "files:mine")
    assert code == 0, err
    folder = tmp_path / out.strip().removesuffix("report.html")
    results = json.loads((folder / "results.json").read_text())
    windows = {(w["start"], w["end"]): w["car"] for w in results["windows"]}
    assert windows[0, 1] is not None
    assert windows[-10, 10] is None
    assert results["ledger"]["input"] == results["ledger"]["used"] + sum(results["ledger"]["excluded"].values())
    assert str(tmp_path) not in (folder / "report.html").read_text()


@pytest.mark.parametrize(
    ("choice", "said"),
    [("early", "short-estimation"), ("stop", "outside-price-history")],
    ids=["too early for an estimation window", "prices stop before day zero"],
)
def test_an_event_that_cannot_be_studied_says_why(tmp_path, capsys, choice, said):
    last = LAST if choice == "early" else FIRST + 40 + 63 * 8
    dates = write_files(tmp_path / "mine", last=last)
    date = dates[0] if choice == "early" else dates[8]
    code, out, err = report(capsys, "ACME", date, "--source", "files:mine")
    assert (code, out) == (1, "")
    assert said in err
    assert nothing_published(tmp_path)


@pytest.mark.parametrize(
    ("events", "said"),
    [
        ("", ["events.csv", "empty"]),
        ("ticker,announced_at,session\n", ["events.csv"]),
        ("tickr,announced_at,session\nACME,2022-01-05,amc\n", ["tickr", "ticker"]),
        (
            "ticker,announced_at,session\nACME,2022-01-05T16:05:00,\nACME,2022-04-05T16:05:00,\n",
            ["2022-01-05", "2022-04-05", "row 2", "row 3"],
        ),
        (
            "ticker,announced_at,session\nACME,2022-01-05,amc\nACME,2022-01-05,amc\n",
            ["row 3", "same ticker, kind and day zero"],
        ),
        ("ticker,announced_at,session\nACME,2022-01-05,lunch\nACME,soon,amc\n", ["lunch", "soon", "row 2", "row 3"]),
    ],
    ids=["zero bytes", "header only", "wrong column", "naive times", "duplicates", "flag and cell"],
)
def test_events_that_cannot_be_read_name_every_row(tmp_path, capsys, events, said):
    write_files(tmp_path / "mine", events=events)
    code, out, err = report(capsys, "ACME", "2022-01-05", "--source", "files:mine")
    assert (code, out) == (1, "")
    for word in said:
        assert word in err
    assert nothing_published(tmp_path)


def test_unknown_ticker_and_date_say_what_there_is(tmp_path, capsys):
    dates = write_files(tmp_path / "mine")
    code, _, err = report(capsys, "ACNE", dates[5], "--source", "files:mine")
    assert code == 1
    assert "ACME" in err
    code, _, err = report(capsys, "ACME", "2022-02-02", "--source", "files:mine")
    assert code == 1
    assert any(date in err for date in dates)


@pytest.mark.parametrize("ticker", ["../../x", "<script>", "", "A B", "x" * 30])
def test_malformed_tickers_are_wrong_usage(tmp_path, capsys, ticker):
    code, out, _ = report(capsys, ticker, "2024-10-30")
    assert (code, out) == (2, "")
    assert list(tmp_path.iterdir()) == []


def test_unwritable_output_leaves_no_half_report(tmp_path, capsys):
    (tmp_path / "taken").write_text("a file where the folder should be")
    code, out, _ = report(capsys, "META", "2024-10-30", "--output", "taken")
    assert (code, out) == (1, "")
    assert (tmp_path / "taken").read_text() == "a file where the folder should be"
