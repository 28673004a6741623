"""Schedules and reruns: what is due, what is skipped, what changed, and what machines are told."""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

import research
from research import cli
from research.errors import ParameterError, ReportError, UsageError
from research.events.calendar import TradingCalendar
from research.reporting import _changes, _parameters, _watch, _workers, reruns
from research.reporting._inputs import collect
from research.reporting._lock import LOCK_FILE, rerun_lock

FINISH = "from research.reporting.notebooks import complete\n"
#: A notebook about one announcement that needs no study: one number from the source.
SMALL = (
    "import research as es\ndata = es.open_source(source)\nevent = data.announcements().find(ticker, event_date)\n"
    "day = f\"{event['day_zero']:%Y-%m-%d}\"\nmove = data.returns().loc[day, ticker]\n"
    + FINISH
    + "complete({'event': {'ticker': ticker, 'day_zero': day, 'kind': event['kind']}, 'market': None,\n"
    "          'day_zero': {'return': move}, 'ticker': ticker})"
)
DECLARED = (
    "ticker: str = 'META'\nevent_date: str = '2024-02-01'\nsource: str = 'sample'\nwindow: str = '-2,2'\nn: int = 1"
)


def write_notebook(path: Path, *cells: str, parameters: str = DECLARED) -> None:
    tagged = new_code_cell(parameters, metadata={"tags": ["parameters"]})
    content = [new_markdown_cell(f"# The {path.stem}"), tagged, *map(new_code_cell, cells)]
    nbformat.write(new_notebook(cells=content), path)


def write_data(folder: Path, until: str, *, tickers=("META", "NO"), scale: float = 1.0, extra: str = "") -> None:
    """Prices of every session from 2024 up to a day, and announcements on three dates."""
    folder.mkdir(exist_ok=True)
    days = TradingCalendar("XNYS").sessions
    days = days[(days >= "2024-01-02") & (days <= until)]
    lines = ["date,ticker,close"]
    for offset, ticker in enumerate(tickers):
        close = 100 + 10 * offset + np.sin(np.arange(len(days)) + offset) * scale
        lines += [f"{day:%Y-%m-%d},{ticker},{value:.6f}" for day, value in zip(days, close, strict=True)]
    (folder / "prices.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    rows = [f"{t},{d},amc,2024Q1,1.1,1.0" for t in tickers for d in ("2024-01-10", "2024-02-01", "2024-03-01")]
    header = "ticker,announced_at,session,fiscal_period,eps_actual,eps_estimate\n"
    (folder / "events.csv").write_text(header + "\n".join(rows) + "\n" + extra, encoding="utf-8")


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """A folder with our own notebooks, a schedule's data, and an unrelated current folder."""
    notebooks = tmp_path / "shelf"
    notebooks.mkdir()
    write_notebook(notebooks / "announcement.ipynb", SMALL)
    monkeypatch.setattr(_parameters, "notebook_directory", lambda: notebooks)
    write_data(tmp_path / "data", "2024-02-05")
    here = tmp_path / "here"
    here.mkdir()
    # Workers must not take modules from the folder they are started in.
    (here / "research.py").write_text("raise SystemExit('the wrong research')", encoding="utf-8")
    monkeypatch.chdir(here)
    return tmp_path


def schedule(folder: Path, text: str, name: str = "schedule.toml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


WATCH = '[[watch]]\ntickers = ["META", "NO"]\nsince_days = 10\nsource = "files:data"\n'


def outcomes(done: reruns.Rerun) -> dict[str, str]:
    return {one.slug: one.outcome for one in done.outcomes}


def text_of(folder: Path, slug: str) -> str:
    return (folder / "reports" / slug / "report.html").read_text(encoding="utf-8")


# ---------------------------------------------------------------- the schedule


def test_schedule_is_read_with_its_defaults(shelf):
    (shelf / "list.txt").write_text("\ufeffMETA # the first\n\n# none\nNO\n1e5\n007\nMETA\n", encoding="utf-8")
    found = reruns.read_schedule(
        schedule(
            shelf,
            'source = "files:data"\ntimeout = 30\n[[watch]]\ntickers_file = "list.txt"\n'
            '[[watch]]\ntickers = "*"\nsource = "sample"\nrefresh = "changed"\n'
            '[[notebook]]\nname = "announcement"\nslug = "mine"\nparameters = { n = 3 }\ntimeout = 5\n',
        )
    )
    assert found.output == shelf / "reports"
    first, second = found.watches
    assert first.tickers == ("META", "NO", "1e5", "007")
    assert (first.source, first.since_days, first.ahead_days) == (f"files:{shelf / 'data'}", 7, 30)
    assert (first.refresh, first.timeout) == ("preliminary", 30.0)
    assert (second.tickers, second.source, second.refresh) == (None, "sample", "changed")
    (job,) = found.jobs
    assert (job.slug, job.timeout, job.parameters["n"], job.parameters["ticker"]) == ("mine", 5.0, 3, "META")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no jobs"),
        ("tickers = [NO]", "in quotes"),
        ("[[watch]\n", "not valid TOML"),
        ('[watch]\ntickers = ["META"]', "two brackets"),
        ('[[watches]]\ntickers = ["META"]', "Did you mean 'watch'"),
        ('[[watch]]\nticker = ["META"]', "Did you mean 'tickers'"),
        ('[[watch]]\ntickers = ["META", 7]', 'Put it in quotes: "7"'),
        ("[[watch]]\ntickers = [1e5]", "in quotes"),
        ("[[watch]]\ntickers = [true]", "in quotes"),
        ('[[watch]]\ntickers = ["../x"]', "malformed ticker"),
        ('[[watch]]\ntickers = ["<b>"]', "malformed ticker"),
        ("[[watch]]\ntickers = []", "no list of tickers"),
        ('[[watch]]\ntickers = "META"', "no list of tickers"),
        ("[[watch]]\nsince_days = 3", "in one way"),
        ('[[watch]]\ntickers = ["A"]\ntickers_file = "x"', "in one way"),
        ('[[watch]]\ntickers_file = "absent.txt"', "cannot be read"),
        ('[[watch]]\ntickers = ["A"]\nsince_days = -1', "since_days"),
        ('[[watch]]\ntickers = ["A"]\nsince_days = true', "since_days"),
        ('[[watch]]\ntickers = ["A"]\nsince_days = 1.5', "since_days"),
        ('[[watch]]\ntickers = ["A"]\nrefresh = "change"', "Did you mean 'changed'"),
        ('[[watch]]\ntickers = ["A"]\nparameters = { ticker = "B" }', "sets this itself"),
        ('[[watch]]\ntickers = ["A"]\nparameters = { windwo = "-1,1" }', "Did you mean 'window'"),
        ('[[watch]]\ntickers = ["A"]\nparameters = { window = "3,1" }', "malformed window"),
        ('[[watch]]\ntickers = ["A"]\nparameters = "window"', "table of names"),
        ('[[watch]]\ntickers = ["A"]\nsource = "sample"\nparameters = { source = "sample" }', "given twice"),
        ('[[watch]]\ntickers = ["A"]\nnotebook = "anouncement"', "Did you mean 'announcement'"),
        ('[[watch]]\ntickers = ["A"]\nnotebook = "plain"', "about one announcement"),
        ('[[notebook]]\nname = "announcment"', "Did you mean 'announcement'"),
        ("[[notebook]]\nslug = 'x'", "a text is needed"),
        ('[[notebook]]\nname = "announcement"\nslug = "../x"', "unsafe"),
        ('[[notebook]]\nname = "announcement"\nparameters = { n = "x" }', "declared type"),
        ('[[notebook]]\nname = "announcement"\nparameters = { ticker = 7 }', "declared type"),
        ('[[notebook]]\nname = "plain"\nsource = "sample"', "takes no source"),
        ('[[notebook]]\nname = "announcement"\ntimeout = 0', "positive"),
        ('timeout = "600"\n[[notebook]]\nname = "announcement"', "positive"),
        ('timeout = inf\n[[notebook]]\nname = "announcement"', "positive"),
        ('output = ""\n[[notebook]]\nname = "announcement"', "a text is needed"),
    ],
)
def test_impossible_schedules_are_refused_in_one_line(shelf, text, message):
    write_notebook(shelf / "shelf" / "plain.ipynb", "1", parameters="n: int = 1")
    with pytest.raises(UsageError) as caught:
        reruns.read_schedule(schedule(shelf, text))
    assert message in str(caught.value)
    assert caught.value.exit_code == 2


def test_unreadable_schedule_is_2_and_touches_nothing(shelf, capsys):
    (shelf / "latin.toml").write_bytes(b"title = '\xe9'")
    for name in ("absent.toml", "latin.toml", "."):
        assert cli.main(["rerun", str(shelf / name)]) == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        assert len(captured.err.splitlines()) == 1
    path = schedule(shelf, WATCH)
    assert cli.main(["rerun", str(path), "--workers", "0"]) == 2
    assert cli.main(["rerun", str(path), "--today", "yesterday"]) == 2
    assert not (shelf / "reports").exists()


# ---------------------------------------------------------------- what a watch finds


def found_on(shelf: Path, day: str, text: str = WATCH) -> _watch.Found:
    read = reruns.read_schedule(schedule(shelf, text))
    return _watch.look(read.watches[0], dt.date.fromisoformat(day), read.output)


def test_watch_tells_due_waiting_and_coming(shelf):
    found = found_on(shelf, "2024-02-05")
    assert [task.slug for task in found.tasks] == ["meta-2024-02-01", "no-2024-02-01"]
    assert [task.parameters["ticker"] for task in found.tasks] == ["META", "NO"]
    assert [(row["ticker"], row["announced_on"], row["note"]) for row in found.coming] == [
        ("META", "2024-03-01", ""),
        ("NO", "2024-03-01", ""),
    ]
    assert found.coming[0]["eps_estimate"] == 1.0
    assert found.coming[0]["timing"] == "amc"


@pytest.mark.parametrize(
    ("day", "n"),
    [("2024-01-31", 0), ("2024-02-01", 0), ("2024-02-02", 1), ("2024-02-11", 1), ("2024-02-12", 0)],
)
def test_announcements_are_due_for_so_many_days(shelf, day, n):
    # until 2024-02-02 there is no close after the announcement of 2024-02-01, whatever the day
    write_data(shelf / "data", "2024-02-02" if day > "2024-02-01" else "2024-02-01", tickers=("META",))
    found = found_on(shelf, day, WATCH.replace(', "NO"', ""))
    assert len(found.tasks) == n


def test_announcement_without_its_close_waits_and_late_data_are_a_problem(shelf):
    write_data(shelf / "data", "2024-02-01")
    found = found_on(shelf, "2024-02-02")
    assert found.tasks == []
    assert found.problems == []
    assert found.coming[0]["note"] == "waiting for the close of 2024-02-02"
    late = found_on(shelf, "2024-02-08")
    assert "end on 2024-02-01" in late.problems[0]


def test_unknown_tickers_do_not_stop_the_others(shelf):
    found = found_on(shelf, "2024-02-05", WATCH.replace('"NO"', '"MTA"'))
    assert [task.slug for task in found.tasks] == ["meta-2024-02-01"]
    assert "no announcements of MTA. Did you mean 'META'?" in found.problems[0]


def test_announcement_of_unknown_hour_waits_for_its_last_reading(shelf):
    write_data(shelf / "data", "2024-02-05", extra="META,2024-02-05,,2024Q1,1,1\n")
    found = found_on(shelf, "2024-02-06")
    assert "meta-2024-02-05" not in [task.slug for task in found.tasks]
    assert found.coming[0]["note"] == "waiting for the close of 2024-02-06"
    write_data(shelf / "data", "2024-02-06", extra="META,2024-02-05,,2024Q1,1,1\n")
    assert "meta-2024-02-05" in [task.slug for task in found_on(shelf, "2024-02-06").tasks]


def test_report_with_two_readings_is_final_with_the_later_window(shelf):
    write_data(shelf / "data", "2024-02-08", extra="META,2024-02-05,,2024Q1,1,1\n")
    event = {"ticker": "META", "day_zero": "2024-02-05", "timing": "unknown"}
    given = {"source": f"files:{shelf / 'data'}", "window": "-2,3", "event_date": "2024-02-05"}
    assert collect({"event": event}, given)["status"] == "final"
    readings = [{"day_zero": "2024-02-05"}, {"day_zero": "2024-02-06"}]
    facts = collect({"event": event, "plausible": readings}, given)
    assert (facts["status"], facts["window_ends"]) == ("preliminary", "2024-02-09")


def with_news(shelf: Path, *rows: str) -> None:
    """Announcements of the folder with a kind each, and news of other kinds beside the earnings."""
    path = shelf / "data" / "events.csv"
    lines = path.read_text(encoding="utf-8").splitlines()
    earnings = [f"{line},earnings" for line in lines[1:]]
    path.write_text("\n".join([f"{lines[0]},kind", *earnings, *rows]), encoding="utf-8")


def test_notebook_that_knows_no_kinds_gets_one_announcement_a_day(shelf):
    with_news(shelf, "META,2024-02-01,amc,x,1,1,product")
    assert [task.slug for task in found_on(shelf, "2024-02-05").tasks] == ["meta-2024-02-01", "no-2024-02-01"]


def test_other_news_of_an_earnings_day_has_a_report_of_its_own(shelf):
    write_notebook(shelf / "shelf" / "announcement.ipynb", SMALL, parameters=f"{DECLARED}\nkind: str = ''")
    with_news(shelf, "META,2024-02-01,amc,x,1,1,product", "NO,2024-01-30,amc,x,,,strategy")
    tasks = {task.slug: task.parameters["kind"] for task in found_on(shelf, "2024-02-05").tasks}
    assert tasks == {
        "no-2024-01-30-strategy": "strategy",
        "meta-2024-02-01": "",
        "meta-2024-02-01-product": "product",
        "no-2024-02-01": "",
    }
    only = WATCH + "parameters = { kind = 'product' }\n"
    assert [task.slug for task in found_on(shelf, "2024-02-05", only).tasks] == ["meta-2024-02-01-product"]


def test_explicit_job_on_other_news_is_named_after_its_kind(shelf):
    write_notebook(shelf / "shelf" / "announcement.ipynb", SMALL, parameters=f"{DECLARED}\nkind: str = ''")
    with_news(shelf, "META,2024-02-01,amc,x,1,1,product")
    text = '[[notebook]]\nname = "announcement"\nsource = "files:data"\nparameters = { kind = "product" }\n'
    read = reruns.read_schedule(schedule(shelf, text))
    assert reruns._task(read.jobs[0]).slug == "meta-2024-02-01-product"


# ---------------------------------------------------------------- a rerun


def test_life_of_a_watched_report(shelf):
    """Preliminary, skipped, refreshed as data come, final, kept; and what changed each time."""
    path = schedule(shelf, WATCH)
    told: list[str] = []
    first = reruns.rerun(path, dt.date(2024, 2, 5), workers=2, tell=told.append)
    assert outcomes(first) == {"meta-2024-02-01": "published", "no-2024-02-01": "published"}
    assert {one.status for one in first.outcomes} == {"preliminary"}
    assert sorted(told) == ["meta-2024-02-01: published", "no-2024-02-01: published"]
    assert "Preliminary." in text_of(shelf, "no-2024-02-01")
    assert "event window ends on 2024-02-06, the data on 2024-02-05" in text_of(shelf, "no-2024-02-01")
    results = json.loads((shelf / "reports" / "no-2024-02-01" / "results.json").read_text(encoding="utf-8"))
    assert results["ticker"] == "NO"

    again = reruns.rerun(path, dt.date(2024, 2, 6), workers=2)
    assert set(outcomes(again).values()) == {"unchanged"}

    # NO's history is rewritten, the window completes, and the watch has moved on: still refreshed.
    write_data(shelf / "data", "2024-02-20", scale=1.5, extra="META,2024-03-15,amc,2024Q1,1,1\n")
    third = reruns.rerun(path, dt.date(2024, 2, 20), workers=2)
    assert outcomes(third) == {"meta-2024-02-01": "published", "no-2024-02-01": "published"}
    assert {one.status for one in third.outcomes} == {"final"}
    page = text_of(shelf, "no-2024-02-01")
    assert "Preliminary." not in page
    for words in (
        "What changed",
        "the data in events.csv and prices.csv",
        "The event window is complete",
        "1 announcement added in the data: META (1)",
        "daily returns of NO: 2024-02-02 from",
        "return on day zero",
    ):
        assert words in page, words
    before = {path.name: path.read_bytes() for path in (shelf / "reports" / "no-2024-02-01").iterdir()}

    # Final and out of the window: left alone, though other data came.
    write_data(shelf / "data", "2024-02-26")
    fourth = reruns.rerun(path, dt.date(2024, 2, 8), workers=2)
    assert set(outcomes(fourth).values()) == {"kept"}
    assert reruns.rerun(path, dt.date(2024, 2, 26), workers=2).outcomes == ()

    # Forced on the inputs of the third run: the same predecessor, so the same bytes.
    write_data(shelf / "data", "2024-02-20", scale=1.5, extra="META,2024-03-15,amc,2024Q1,1,1\n")
    forced = reruns.rerun(path, dt.date(2024, 2, 8), workers=2, force=True)
    assert set(outcomes(forced).values()) == {"published"}
    after = {path.name: path.read_bytes() for path in (shelf / "reports" / "no-2024-02-01").iterdir()}
    assert after == before
    assert sorted(item.name for item in (shelf / "reports").iterdir()) == [
        ".rerun.lock",
        ".site.json",
        "feed.xml",
        "index.html",
        "meta-2024-02-01",
        "no-2024-02-01",
    ]


def test_failure_leaves_the_report_and_is_told_everywhere(shelf, capsys):
    write_notebook(
        shelf / "shelf" / "moody.ipynb",
        "if n > 1:\n    raise ValueError('<b>no luck</b>')",
        FINISH + "complete({'n': n})",
    )
    text = '[[notebook]]\nname = "moody"\nslug = "moody"\nparameters = {{ n = {} }}\n'
    assert cli.main(["rerun", str(schedule(shelf, text.format(1))), "--today", "2024-02-05"]) == 0
    captured = capsys.readouterr()
    assert captured.out == f"{shelf / 'reports' / 'moody' / 'report.html'}\n"
    assert captured.err.splitlines()[-1].startswith("earnings-study: 1 published, 0 unchanged, 0 kept, 0 failed")
    before = text_of(shelf, "moody")
    assert cli.main(["rerun", str(schedule(shelf, text.format(2))), "--today", "2024-02-06", "--json"]) == 1
    captured = capsys.readouterr()
    told = json.loads(captured.out)
    assert told["exit_code"] == 1
    assert told["counts"] == {"published": 0, "unchanged": 0, "kept": 0, "failed": 1, "excluded": 0}
    assert "raised ValueError: <b>no luck</b>" in told["reports"][0]["message"]
    assert text_of(shelf, "moody") == before
    index = (shelf / "reports" / "index.html").read_text(encoding="utf-8")
    assert "&lt;b&gt;no luck&lt;/b&gt; (the report is an earlier one)" in index
    failed = shelf / "reports" / "moody.failed"
    assert {item.name for item in failed.iterdir()} == {"failed-notebook.ipynb", "failed.log", "failed.json"}
    for item in (shelf / "reports").rglob("*"):
        assert item.is_dir() or str(shelf) not in item.read_text(encoding="utf-8"), item.name
    # Back to parameters that work: unchanged inputs, but the failure is to be cleared.
    assert cli.main(["rerun", str(schedule(shelf, text.format(1))), "--today", "2024-02-07"]) == 0
    assert not failed.exists()
    assert "1 failed" not in (shelf / "reports" / "index.html").read_text(encoding="utf-8")


#: A notebook that cannot study META.
PICKY = (
    "from research.errors import ExcludedError\n"
    "if ticker == 'META':\n    raise ExcludedError(f'not studied: short-estimation ({REASON})')"
)


def test_what_cannot_be_studied_is_told_once(shelf, capsys):
    def picky(reason: str) -> None:
        write_notebook(shelf / "shelf" / "announcement.ipynb", PICKY.replace("REASON", reason), SMALL)

    def run(*options: str) -> tuple[int, dict[str, str], list[str]]:
        code = cli.main(["rerun", str(path), "--today", "2024-02-05", "--json", *options])
        captured = capsys.readouterr()
        told = json.loads(captured.out)
        assert told["exit_code"] == code
        index = (shelf / "reports" / "index.html").read_text(encoding="utf-8")
        assert index.count("short-estimation") > 0
        return code, {one["slug"]: one["outcome"] for one in told["reports"]}, captured.err.splitlines()

    path = schedule(shelf, WATCH)
    picky("2")
    code, found, lines = run()
    assert code == 1
    assert found == {"meta-2024-02-01": "failed", "no-2024-02-01": "published"}
    assert sum("short-estimation (2)" in line for line in lines) == 1
    # The same inputs: remembered, not run, no failure.
    code, found, lines = run()
    assert (code, found["meta-2024-02-01"]) == (0, "excluded")
    assert len(lines) == 1
    assert "1 excluded" in lines[0]
    page = (shelf / "reports" / "index.html").read_text(encoding="utf-8")
    assert 'class="status excluded"' in page
    assert "need attention" not in page
    # Other inputs, or --force: tried again, and the same reason is no news.
    write_data(shelf / "data", "2024-02-05", scale=2)
    assert run()[0] == 0
    assert run("--force")[:2] == (0, {"meta-2024-02-01": "excluded", "no-2024-02-01": "published"})
    # Another reason is news.
    picky("3")
    assert run()[:2] == (1, {"meta-2024-02-01": "failed", "no-2024-02-01": "published"})
    # At last it can be studied.
    write_notebook(shelf / "shelf" / "announcement.ipynb", SMALL)
    assert cli.main(["rerun", str(path), "--today", "2024-02-05"]) == 0
    assert not (shelf / "reports" / "meta-2024-02-01.failed").exists()
    assert "excluded" not in Path(shelf / "reports" / "index.html").read_text(encoding="utf-8").partition("<footer>")[0]


def test_report_that_was_asked_for_by_name_fails_every_time(shelf):
    write_notebook(shelf / "shelf" / "announcement.ipynb", PICKY.replace("REASON", "2"), SMALL)
    path = schedule(shelf, '[[notebook]]\nname = "announcement"\nsource = "files:data"\n')
    for _ in range(2):
        done = reruns.rerun(path, dt.date(2024, 2, 5), workers=1)
        assert (outcomes(done), done.exit_code) == ({"meta-2024-02-01": "failed"}, 1)


def test_source_that_cannot_be_opened_fails_its_jobs_only(shelf):
    text = (
        WATCH + '[[watch]]\ntickers = ["META"]\nsource = "files:absent"\n'
        '[[notebook]]\nname = "announcement"\nsource = "files:absent"\n'
    )
    done = reruns.rerun(schedule(shelf, text), dt.date(2024, 2, 5), workers=2)
    assert set(outcomes(done).values()) == {"published"}
    assert [line.partition(":")[0] for line in done.problems] == ["notebook 1", "watch 2"]
    assert done.exit_code == 1
    index = (shelf / "reports" / "index.html").read_text(encoding="utf-8")
    assert "The last run had 2 problems." in index
    assert str(shelf) not in index


def test_jobs_of_one_name_are_told_apart(shelf):
    two = '[[notebook]]\nname = "announcement"\nparameters = { n = %d }\nsource = "files:data"\n'
    read = reruns.read_schedule(schedule(shelf, two % 1 + two % 2))
    plan = reruns._Plan(shelf / "reports", force=False)
    plan.add_all(read, dt.date(2024, 2, 5))
    assert list(plan.outcomes) == ["meta-2024-02-01"]
    assert "another job has a report of the same name" in plan.problems[0]


def test_names_of_other_notebooks_do_not_follow_the_data(shelf):
    write_notebook(shelf / "shelf" / "season.ipynb", "1")
    read = reruns.read_schedule(schedule(shelf, '[[notebook]]\nname = "season"\nsource = "files:data"\n'))
    names = {reruns._task(read.jobs[0]).slug}
    write_data(shelf / "data", "2024-02-20")
    names.add(reruns._task(read.jobs[0]).slug)
    (name,) = names
    assert name.startswith("season-")
    other = reruns.read_schedule(
        schedule(shelf, '[[notebook]]\nname = "season"\nsource = "files:data"\nparameters = { n = 2 }\n')
    )
    assert reruns._task(other.jobs[0]).slug != name


def test_fetched_data_are_pinned_once_for_the_whole_run(shelf, monkeypatch):
    from research.sources import protocol

    calls = []

    def pinned(source):
        calls.append(source)
        return f"files:{shelf / 'data'}" if source == "yahoo" else source

    monkeypatch.setattr(protocol, "pinned", pinned)
    text = 'source = "yahoo"\n[[watch]]\ntickers = ["META", "NO"]\nsince_days = 10\n'
    text += '[[notebook]]\nname = "announcement"\nslug = "mine"\n'
    write_notebook(shelf / "shelf" / "announcement.ipynb", SMALL, parameters=DECLARED)
    plan = reruns._Plan(shelf / "reports", force=False)
    plan.add_all(reruns.read_schedule(schedule(shelf, text)), dt.date(2024, 2, 5))
    assert list(plan.tasks) == ["mine", "meta-2024-02-01", "no-2024-02-01"]
    assert {task.parameters["source"] for task in plan.tasks.values()} == {f"files:{shelf / 'data'}"}
    assert calls == ["yahoo"]


def test_later_snapshot_is_the_same_source():
    one, other = ({"parameters": {"source": f"snapshot:{name}", "n": 1}} for name in ("a", "b"))
    assert reruns._lasting(one) == reruns._lasting(other)
    assert reruns._lasting(one) != reruns._lasting({"parameters": {"source": "sample", "n": 1}})
    assert reruns._lasting({}) == {}


def test_second_rerun_is_refused_and_the_lock_ends_with_its_holder(shelf, capsys):
    path = schedule(shelf, WATCH)
    with rerun_lock(shelf / "reports"):
        assert cli.main(["rerun", str(path), "--today", "2024-02-05"]) == 1
        assert f"another rerun is at work there (process {os.getpid()})" in capsys.readouterr().err
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys, time, pathlib\nfrom research.reporting._lock import rerun_lock\n"
            "with rerun_lock(pathlib.Path(sys.argv[1])):\n    print('locked', flush=True); time.sleep(60)",
            str(shelf / "reports"),
        ],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(research.__file__).parent.parent), "PYTHONSAFEPATH": "1"},
    )
    assert holder.stdout.readline() == b"locked\n"
    with pytest.raises(ReportError, match=f"process {holder.pid}"), rerun_lock(shelf / "reports"):
        pass
    holder.kill()
    holder.communicate()
    with rerun_lock(shelf / "reports"):
        assert (shelf / "reports" / LOCK_FILE).read_text(encoding="ascii") == f"{os.getpid()}\n"


def test_worker_that_is_killed_takes_only_its_own_report(shelf):
    notebooks = shelf / "shelf"
    write_notebook(notebooks / "fatal.ipynb", "import os, signal\nos.kill(os.getppid(), signal.SIGKILL)")
    write_notebook(notebooks / "fine.ipynb", FINISH + "complete({})")
    text = '[[notebook]]\nname = "fatal"\nslug = "fatal"\n[[notebook]]\nname = "fine"\nslug = "fine"\n'
    done = reruns.rerun(schedule(shelf, text), dt.date(2024, 2, 5), workers=2)
    assert outcomes(done) == {"fatal": "failed", "fine": "published"}
    assert "killed by signal 9" in done.outcomes[0].message
    failed = shelf / "reports" / "fatal.failed"
    assert {item.name for item in failed.iterdir()} == {"failed.log", "failed.json"}


def test_rerun_that_cannot_work_says_so_for_every_report(shelf, monkeypatch):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(reruns, "run_side_by_side", full)
    done = reruns.rerun(schedule(shelf, WATCH), dt.date(2024, 2, 5))
    assert set(outcomes(done).values()) == {"failed"}
    assert done.problems == ("the rerun stopped early (No space left on device)",)


def test_process_that_outlives_its_limit_is_ended(shelf, monkeypatch):
    info = _parameters.read_notebook(shelf / "shelf" / "announcement.ipynb")
    task = reruns.Task("late", info, {}, timeout=0.5)
    ended: list[_workers.Ended] = []
    monkeypatch.setattr(_workers, "_make", _sleep)
    (shelf / "reports").mkdir()
    _workers.run_side_by_side([task], shelf / "reports", 1, ended.append, grace=0.5)
    assert [end.failure for end in ended] == ["did not end within 0.5 seconds"]


def _sleep(*arguments):
    import time

    time.sleep(600)


# ---------------------------------------------------------------- what changed


def version(hash_="aa", results=None, inputs=None, **manifest):
    return {
        "manifest": {"input_hash": hash_ * 32, **manifest},
        "results": results or {},
        "inputs": inputs or {},
    }


def test_figures_that_moved_are_named_with_both_values():
    old = {
        "day_zero": {"return": -0.0409, "p_value": 0.2},
        "windows": [{"start": -1, "end": 1, "car": None, "t": 1.0}, {"start": 0, "end": 1, "car": 0.5, "t": 2.0}],
        "parameters": {"beta": 1.0},
        "text": "not a figure",
        "flag": True,
    }
    new = {
        "day_zero": {"return": -0.0410, "p_value": 0.2 + 1e-12},
        "windows": [{"start": 0, "end": 1, "car": 0.5, "t": 2.5}, {"start": -1, "end": 1, "car": 0.01, "t": 1.0}],
        "parameters": {"beta": 1.0001},
        "text": "other",
        "flag": False,
    }
    assert list(_changes.moved_figures(old, new)) == [
        ("return on day zero", "−4.09%", "−4.10%"),
        ("t over days [0, 1]", "2", "2.5"),
        ("CAR over days [−1, 1]", "–", "+1.00%"),
        ("beta", "1", "1.0001"),
    ]


def test_inputs_that_changed_are_named():
    old = {"parameters": {"window": "-1,1"}, "code": "a", "notebook_file": "b", "versions": {"numpy": "1"}}
    assert _changes.changed_inputs(old, old) == []
    new = {**old, "parameters": {"window": "-2,2"}, "code": "c", "notebook_file": "d", "versions": {"numpy": "2"}}
    new["source"] = {"files": {"a.csv": "1"}}
    assert _changes.changed_inputs(old, new) == [
        "the parameter window",
        "the data in a.csv",
        "the notebook",
        "the code of the package",
        "the version of numpy",
    ]


def test_rewritten_data_are_told_from_new_data():
    rows = {"META-1": {"announced_at": "2024-01-01", "eps_estimate": 1.0, "eps_actual": None}}
    old = version(inputs={"returns": {"META": {"2024-01-02": 0.01, "2024-01-03": 0.02}}, "announcements": rows})
    grown = {"returns": {"META": {"2024-01-02": 0.01, "2024-01-03": 0.02, "2024-01-04": 0.5}}, "announcements": rows}
    assert "rewrote" not in _changes.changes_block(old, version("bb", inputs=grown))
    other = {"META-1": {**rows["META-1"], "eps_estimate": 1.1, "eps_actual": 2.0}}
    rewritten = {"returns": {"META": {"2024-01-02": 0.01, "2024-01-03": 0.03}}, "announcements": other}
    block = _changes.changes_block(old, version("bb", inputs=rewritten))
    assert "The source rewrote 1 daily return of META: 2024-01-03 from +2.00% to +3.00%." in block
    assert "The source rewrote the announcement META-1: eps estimate from 1.0 to 1.1." in block
    assert "No figure moved." in block


def test_nothing_in_the_versions_becomes_markup():
    nasty = "<script>alert(1)</script>"
    inputs = [
        {"returns": {nasty: {"d": n}}, "announcements": {nasty: {"x": nasty + str(n)}}, "counts": {nasty: n}}
        for n in (1, 2)
    ]
    block = _changes.changes_block(
        version(results={nasty: 1.0}, inputs=inputs[0], parameters={nasty: 1}, input_hash=nasty),
        version("bb", results={nasty: 2.0}, inputs=inputs[1], parameters={nasty: 2}),
    )
    assert "<script" not in block
    assert block.count("&lt;script&gt;") >= 5


def test_damaged_predecessor_is_no_predecessor(tmp_path):
    assert _changes.previous_version(tmp_path, "aa") is None
    for damage in ("", "[]", "{", "\x00"):
        (tmp_path / "manifest.json").write_text(damage, encoding="utf-8")
        assert _changes.previous_version(tmp_path, "aa") is None
    (tmp_path / "manifest.json").write_text('{"input_hash": "bb"}', encoding="utf-8")
    (tmp_path / "results.json").write_text("{", encoding="utf-8")
    assert _changes.previous_version(tmp_path, "aa") == {"manifest": {"input_hash": "bb"}}
    assert _changes.previous_version(tmp_path, "bb") is None


def test_window_of_a_delisted_firm_is_complete(shelf):
    """Its own prices end early, those of the others go on: nothing more will come."""
    write_data(shelf / "data", "2024-02-20")
    path = shelf / "data" / "prices.csv"
    lines = path.read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if not (",NO," in line and line > "2024-02-03")]
    path.write_text("\n".join(kept), encoding="utf-8")
    facts = collect(
        {"event": {"ticker": "NO", "day_zero": "2024-02-02"}}, {"source": f"files:{shelf / 'data'}", "window": "-2,2"}
    )
    assert facts["status"] == "final"
    assert facts["data_end"] == "2024-02-20"
    assert pd.Timestamp(facts["window_ends"]) == pd.Timestamp("2024-02-06")
    assert facts["announcement"]["class"] == "beat"


def test_results_on_no_announcement_have_no_inputs():
    for results in ({}, {"event": None}, {"event": {"ticker": "META"}}, {"event": "x"}):
        assert collect(results, {"source": "sample"}) is None
    assert collect({"event": {"ticker": "ZZZZ", "day_zero": "2024-02-02"}}, {"source": "sample"}) is None
    assert collect({"event": {"ticker": "META", "day_zero": "2024-10-31"}}, {}) is None


def test_parameter_errors_stay_parameter_errors(shelf):
    with pytest.raises(ParameterError):
        reruns.read_schedule(schedule(shelf, '[[notebook]]\nname = "announcement"\nparameters = { n = 1.5 }\n'))
