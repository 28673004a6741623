"""The index and the feed: complete, safe, readable without a script, honest about what failed."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path

import pytest

from research.errors import ReportError
from research.reporting import _publishing, site

TODAY = dt.date(2024, 11, 20)
NASTY = "<script>alert(1)</script> **bold** $\\alpha$ ../../etc/passwd \"'&"
ATOM = "{http://www.w3.org/2005/Atom}"


def report(folder: Path, slug: str, *, move=-0.0409, status="final", input_hash="aa", date="2024-10-30", **facts):
    """A report's folder as the runner leaves it."""
    target = folder / slug
    target.mkdir(parents=True)
    manifest = {"notebook": "announcement", "parameters": {"ticker": "META"}, "input_hash": input_hash}
    manifest |= {"status": status, "window_ends": "2024-11-14", "data_end": "2024-11-01"}
    results = {
        "event": {"ticker": "META", "day_zero": "2024-10-31"},
        "day_zero": {"return": move, "abnormal_return": -0.0145, "t": -1.07},
    }
    shown = {"ticker": "META", "announced_on": date, "fiscal_period": "2024Q3", "class": "beat", **facts}
    contents = {"manifest": manifest, "results": results, "inputs": {"announcement": shown}}
    for name, content in contents.items():
        (target / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
    (target / "report.html").write_text("<p>report</p>", encoding="utf-8")
    return target


def failure(folder: Path, slug: str, reason: str) -> None:
    target = folder / f"{slug}.failed"
    target.mkdir(parents=True)
    record = {"parameters": {"ticker": "AAPL", "event_date": "2024-10-31"}, "reason": reason}
    (target / "failed.json").write_text(json.dumps(record), encoding="utf-8")
    (target / "failed.log").write_text("log", encoding="utf-8")


class Rows(HTMLParser):
    """Cells of the table of reports."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.statuses: list[str] = []
        self.hrefs: list[str] = []
        self._inside = self._cell = False
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self._inside |= given.get("id") == "reports"
        if "data-status" in given:
            self.rows.append([])
            self.statuses.append(given["data-status"])
        if tag in ("td", "th") and self.rows:
            self._cell = True
            self.rows[-1].append("")
        if tag == "a":
            self.hrefs.append(given["href"])

    def handle_endtag(self, tag):
        if tag in ("td", "th"):
            self._cell = False
        if tag == "table":
            self._inside = False

    def handle_data(self, data):
        if self._inside and self._cell and self.rows:
            self.rows[-1][-1] += data


def index(folder: Path, **given) -> str:
    return site.build(folder, TODAY, **given).read_text(encoding="utf-8")


def test_every_report_has_its_row_with_its_figures(tmp_path):
    report(tmp_path, "meta-2024-10-30")
    report(tmp_path, "meta-2024-07-31", move=0.0482, date="2024-07-31", **{"class": "miss"})
    found = Rows(index(tmp_path))
    assert [row[0] for row in found.rows] == ["META", "META"]
    assert found.rows[0][1:] == ["final", "2024Q3", "2024-10-30", "−4.09", "−1.45", "−1.07", "beat", "0"]
    assert found.rows[1][3:5] == ["2024-07-31", "+4.82"]
    assert {"meta-2024-10-30/report.html", "meta-2024-07-31/report.html"} <= set(found.hrefs)


def test_age_counts_from_the_day_a_version_was_first_seen(tmp_path):
    report(tmp_path, "meta-2024-10-30")
    site.build(tmp_path, dt.date(2024, 11, 1))
    assert Rows(index(tmp_path)).rows[0][-1] == "19"
    manifest = tmp_path / "meta-2024-10-30" / "manifest.json"
    manifest.write_text(manifest.read_text(encoding="utf-8").replace('"aa"', '"bb"'), encoding="utf-8")
    assert Rows(index(tmp_path)).rows[0][-1] == "0"


def test_damaged_state_is_made_anew(tmp_path):
    report(tmp_path, "meta-2024-10-30")
    for damage in ("", "[]", '{"meta-2024-10-30": 7}', "\x00"):
        (tmp_path / site.STATE).write_text(damage, encoding="utf-8")
        assert Rows(index(tmp_path)).rows[0][-1] == "0"


def test_failures_are_told_at_once_and_keep_the_earlier_report(tmp_path):
    report(tmp_path, "meta-2024-10-30")
    failure(tmp_path, "meta-2024-10-30", "cell 4 raised ValueError: no luck")
    failure(tmp_path, "aapl-2024-10-31", "lost its kernel")
    page = index(tmp_path)
    found = Rows(page)
    assert sorted(found.statuses) == ["failed", "failed"]
    assert "2 failed" in page
    assert "2 reports need attention." in page
    assert "cell 4 raised ValueError: no luck (the report is an earlier one)" in page
    assert "meta-2024-10-30/report.html" in found.hrefs
    assert "aapl-2024-10-31/report.html" not in found.hrefs
    assert {"meta-2024-10-30.failed/failed.log", "aapl-2024-10-31.failed/failed.log"} <= set(found.hrefs)
    assert page.index("need attention") < page.index('id="reports"')


def test_failure_without_a_folder_is_told_too(tmp_path):
    report(tmp_path, "meta-2024-10-30")
    assert Rows(index(tmp_path, failures={"meta-2024-10-30"})).statuses == ["failed"]
    assert Rows(index(tmp_path, failures={"new"})).statuses == ["final", "failed"]


@pytest.mark.parametrize(
    ("today", "expected"),
    [(dt.date(2024, 11, 14), "preliminary"), (dt.date(2024, 11, 18), "preliminary"), (dt.date(2024, 11, 19), "stale")],
)
def test_preliminary_becomes_stale_when_its_data_do_not_come(tmp_path, today, expected):
    report(tmp_path, "meta-2024-10-30", status="preliminary")
    page = site.build(tmp_path, today).read_text(encoding="utf-8")
    assert Rows(page).statuses == [expected]
    assert "data until 2024-11-01, event window until 2024-11-14" in page


def test_what_cannot_be_studied_is_marked_and_no_alarm(tmp_path):
    failure(tmp_path, "aapl-2024-10-31", "could not be studied: short-estimation")
    path = tmp_path / "aapl-2024-10-31.failed" / "failed.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "excluded": True}), encoding="utf-8")
    page = index(tmp_path)
    assert Rows(page).statuses == ["excluded"]
    assert "short-estimation" in page
    assert "attention" not in page
    assert Rows(index(tmp_path, failures={"aapl-2024-10-31"})).statuses == ["failed"]


def test_other_news_shows_its_kind_and_an_unknown_hour(tmp_path):
    target = report(
        tmp_path, "meta-2023-02-27-strategy", kind="strategy", fiscal_period=None, **{"class": "no estimate"}
    )
    results = json.loads((target / "results.json").read_text())
    results["plausible"] = [{"day_zero": "2023-02-27"}, {"day_zero": "2023-02-28"}]
    (target / "results.json").write_text(json.dumps(results), encoding="utf-8")
    (row,) = Rows(index(tmp_path)).rows
    assert row[2] == "strategy"
    assert "hour unknown" in row[1]
    assert row[7] == ""


def test_damaged_report_is_told(tmp_path):
    target = report(tmp_path, "meta-2024-10-30")
    (target / "manifest.json").write_text("{", encoding="utf-8")
    (target / "results.json").write_text("[1]", encoding="utf-8")
    page = index(tmp_path)
    assert Rows(page).statuses == ["failed"]
    assert "manifest.json of this report is damaged" in page


def test_report_on_no_announcement_has_its_row(tmp_path):
    target = tmp_path / "season-ab"
    target.mkdir()
    (target / "manifest.json").write_text('{"notebook": "season", "status": "final"}', encoding="utf-8")
    (target / "results.json").write_text('{"day_zero": null, "event": null}', encoding="utf-8")
    (target / "report.html").write_text("x", encoding="utf-8")
    assert Rows(index(tmp_path)).rows == [["season", "final", "", "", "–", "–", "–", "", "0"]]


def test_foreign_and_hidden_folders_are_no_reports(tmp_path):
    for name in (".meta.0123456789ab", "notes"):
        (tmp_path / name).mkdir()
    (tmp_path / "readme.txt").write_text("x", encoding="utf-8")
    page = index(tmp_path)
    assert "There is no report yet." in page
    assert 'id="reports"' not in page


def test_announcements_to_come_say_what_is_expected(tmp_path):
    coming = [
        {"ticker": "META", "announced_on": "2025-01-29", "timing": "amc", "at": None, "note": "", "eps_estimate": 6.75},
        {"ticker": "AAPL", "announced_on": "2024-11-19", "timing": "bmo", "at": "13:00 UTC", "note": "waiting"},
    ]
    page = index(tmp_path, coming=coming)
    assert page.index("2024-11-19") < page.index("2025-01-29")
    assert "6.75" in page
    assert "waiting" in page
    assert "13:00 UTC" in page


def test_nothing_in_the_data_becomes_markup(tmp_path):
    report(tmp_path, "meta-2024-10-30", ticker=NASTY, fiscal_period=NASTY, **{"class": NASTY})
    failure(tmp_path, "aapl-2024-10-31", NASTY)
    coming = [{"ticker": NASTY, "announced_on": "2025-01-01", "timing": NASTY, "note": NASTY, "fiscal_period": NASTY}]
    page = index(tmp_path, coming=coming, problems=[NASTY], title=NASTY)
    assert page.count("<script>") == 1
    assert "&lt;script&gt;alert(1)" in page
    assert Rows(page).rows[1][0] == NASTY
    feed = ET.fromstring((tmp_path / site.FEED).read_bytes())
    assert NASTY in feed.find(f"{ATOM}entry/{ATOM}title").text
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        ".site.json",
        "aapl-2024-10-31.failed",
        "feed.xml",
        "index.html",
        "meta-2024-10-30",
    ]


def test_only_the_one_script_may_run_and_nothing_is_loaded(tmp_path):
    report(tmp_path, "meta-2024-10-30")
    page = index(tmp_path)
    (script,) = re.findall(r"<script>(.*?)</script>", page, flags=re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in page
    assert "default-src 'none'" in page
    assert not re.search(r"\s(src|srcset|action|on[a-z]+)=", page)
    assert not re.search(r"https?://", page)


def test_feed_is_atom_and_a_new_version_is_a_new_entry(tmp_path):
    report(tmp_path, "meta-2024-10-30")
    report(tmp_path, "meta-2024-07-31", date="2024-07-31")
    failure(tmp_path, "aapl-2024-10-31", "no report stands here")
    site.build(tmp_path, dt.date(2024, 11, 1), base_url="https://example.org/r")
    first = ET.fromstring((tmp_path / site.FEED).read_bytes())
    for parent in (first, *first.findall(f"{ATOM}entry")):
        for name in ("id", "title", "updated"):
            assert len(parent.findall(ATOM + name)) == 1
        assert re.fullmatch(r"2024-11-01T00:00:00Z", parent.find(f"{ATOM}updated").text)
    ids = [entry.find(f"{ATOM}id").text for entry in first.findall(f"{ATOM}entry")]
    assert len(set(ids)) == 2
    links = [entry.find(f"{ATOM}link").get("href") for entry in first.findall(f"{ATOM}entry")]
    assert "https://example.org/r/meta-2024-10-30/report.html" in links
    manifest = tmp_path / "meta-2024-10-30" / "manifest.json"
    manifest.write_text(manifest.read_text(encoding="utf-8").replace('"aa"', '"bb"'), encoding="utf-8")
    site.build(tmp_path, TODAY)
    second = ET.fromstring((tmp_path / site.FEED).read_bytes())
    entries = second.findall(f"{ATOM}entry")
    assert entries[0].find(f"{ATOM}updated").text == "2024-11-20T00:00:00Z"
    assert len({entry.find(f"{ATOM}id").text for entry in entries} - set(ids)) == 1
    assert entries[0].find(f"{ATOM}link").get("href") == "meta-2024-10-30/report.html"


def test_same_folder_and_day_give_the_same_bytes(tmp_path):
    report(tmp_path, "meta-2024-10-30")
    site.build(tmp_path, TODAY)
    before = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in tmp_path.iterdir() if path.is_file()}
    site.build(tmp_path, TODAY)
    after = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in tmp_path.iterdir() if path.is_file()}
    assert before == after


def test_full_disk_leaves_the_old_index(tmp_path, monkeypatch):
    report(tmp_path, "meta-2024-10-30")
    before = index(tmp_path)

    def full(self, *args, **settings):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(ReportError, match="No space left"):
        site.build(tmp_path, dt.date(2025, 1, 1))
    assert (tmp_path / "index.html").read_text(encoding="utf-8") == before
    assert not [path for path in tmp_path.iterdir() if _publishing._HIDDEN.fullmatch(path.name)]
