"""The site around the reports: an index that needs no server, and a feed.

Both are made from the folders of the reports, whoever made those. What is not in a report,
because no clock enters one, is kept beside them in ``.site.json``: the day on which each
version was first seen.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from research.reporting import words
from research.reporting._changes import read_json
from research.reporting._lock import unwritable
from research.reporting._parameters import FAILED
from research.reporting._publishing import write_whole

INDEX = "index.html"
FEED = "feed.xml"
STATE = ".site.json"
#: Days, a long weekend, after which data that have not come are late: a report that is still
#: preliminary so long after the end of its event window is stale.
LATE = 4
#: Newest versions in the feed.
_FEED_ENTRIES = 50
_TEMPLATES = Path(__file__).with_name("templates")
#: Order in which the index puts what needs attention first.
STATUSES = ("failed", "stale", "excluded", "preliminary", "final")


@dataclass(frozen=True)
class Entry:
    """One report as the index shows it.

    Attributes
    ----------
    slug : str
    name : str
        Ticker, or the notebook's name.
    period : str
        Fiscal period, or the kind of news that is no earnings.
    date : str
        Day of the announcement, ISO; empty for a report on no announcement.
    move, abnormal_return, t : float or None
        On day zero; decimals.
    surprise : str
        Class of the earnings surprise.
    status : str
        One of :data:`STATUSES`.
    detail : str
        Why it is not final, or what to bear in mind.
    built_on : str or None
        Day on which this version was first seen, ISO; None where no report stands.
    input_hash : str
    log : bool
        Whether a failed attempt left its log beside the report.
    """

    slug: str
    name: str
    period: str
    date: str
    move: float | None
    abnormal_return: float | None
    t: float | None
    surprise: str
    status: str
    detail: str
    built_on: str | None
    input_hash: str
    log: bool


def build(
    output: str | Path,
    today: dt.date,
    *,
    title: str = "Earnings reports",
    base_url: str = "",
    coming: Iterable[Mapping[str, Any]] = (),
    problems: Sequence[str] = (),
    failures: Collection[str] = (),
) -> Path:
    """Write index and feed of a folder of reports.

    Parameters
    ----------
    output : path
        Folder of the reports.
    today : date
        Day of the build; ages count to it.
    title : str
        Heading of the index and name of the feed.
    base_url : str
        Address of the folder, for readers of the feed; without it its links are relative.
    coming : iterable of mapping
        Announcements without a report yet: ``ticker announced_on at timing note
        fiscal_period eps_estimate revenue_estimate``.
    problems : sequence of str
        What went wrong outside a single report.
    failures : collection of str, optional
        Slugs whose last attempt failed, in case no log could be kept beside them.

    Returns
    -------
    Path
        Of the index.

    Raises
    ------
    ReportError
        If something could not be written; the earlier file is then still there.
    """
    output = Path(output)
    try:
        entries = survey(output, today, failures)
    except OSError as error:
        raise unwritable(output, error) from error
    seen = {entry.slug: [entry.input_hash, entry.built_on] for entry in entries if entry.built_on}
    page = (
        _environment()
        .get_template("site.html.j2")
        .render(
            title=title,
            today=today.isoformat(),
            entries=entries,
            statuses={status: sum(entry.status == status for entry in entries) for status in STATUSES},
            coming=sorted(coming, key=lambda row: (str(row["announced_on"]), str(row["ticker"]))),
            problems=problems,
            css=_read("page.css") + _read("site.css"),
            script=_read("site.js"),
            script_hash=base64.b64encode(hashlib.sha256(_read("site.js").encode()).digest()).decode(),
        )
    )
    write_whole(output / INDEX, "\n".join(line.rstrip() for line in page.splitlines()) + "\n")
    write_whole(output / FEED, _feed(entries, today, title, base_url))
    write_whole(output / STATE, json.dumps(seen, indent=1, sort_keys=True) + "\n")
    return output / INDEX


def survey(output: Path, today: dt.date, failures: Collection[str]) -> list[Entry]:
    """Every report of a folder, the newest announcement first, by what stands in its files."""
    folders = sorted(path for path in output.iterdir() if path.is_dir() and not path.name.startswith("."))
    failed = {path.name.removesuffix(FAILED): path for path in folders if path.name.endswith(FAILED)}
    reports = {path.name for path in folders if (path / "report.html").is_file()} - {p.name for p in failed.values()}
    state = read_json(output / STATE)
    seen = state if isinstance(state, dict) else {}
    entries = [
        _entry(output / slug, failed.get(slug), slug in failures, seen.get(slug), today)
        for slug in sorted({*reports, *failed, *failures})
    ]
    return sorted(entries, key=lambda entry: (entry.date, entry.slug), reverse=True)


def _entry(folder: Path, failed: Path | None, failing: bool, seen: Any, today: dt.date) -> Entry:
    manifest, results, inputs = (_mapping(folder / f"{name}.json") for name in ("manifest", "results", "inputs"))
    attempt = _mapping(failed / "failed.json") if failed is not None else {}
    input_hash = str(manifest.get("input_hash", ""))
    there = (folder / "report.html").is_file()
    known = isinstance(seen, list) and len(seen) == 2 and seen[0] == input_hash
    status, detail = _status(manifest, there, today)
    if failed is not None or failing:
        status = "excluded" if attempt.get("excluded") is True and not failing else "failed"
        detail = str(attempt.get("reason") or "the last attempt failed and left no log")
        detail += " (the report is an earlier one)" if there else ""
    elif results.get("plausible"):
        detail = "; ".join(filter(None, [detail, "hour unknown: figures of the first session that may have reacted"]))
    facts = {**(results.get("event") or {}), **(inputs.get("announcement") or {})}
    given = manifest.get("parameters") or attempt.get("parameters") or {}
    day = results.get("day_zero") or {}
    kind = str(facts.get("kind") or given.get("kind") or "earnings")
    other = "" if kind == "earnings" else kind
    return Entry(
        slug=folder.name,
        name=str(facts.get("ticker") or given.get("ticker") or manifest.get("notebook") or folder.name),
        period=str(facts.get("fiscal_period") or other),
        date=str(facts.get("announced_on") or given.get("event_date") or "")[:10],
        move=_number(day, "return"),
        abnormal_return=_number(day, "abnormal_return"),
        t=_number(day, "t"),
        surprise="" if other else str(facts.get("class") or ""),
        status=status,
        detail=detail,
        built_on=(str(seen[1]) if known else today.isoformat()) if there else None,
        input_hash=input_hash,
        log=failed is not None and (failed / "failed.log").is_file(),
    )


def _status(manifest: Mapping[str, Any], there: bool, today: dt.date) -> tuple[str, str]:
    if there and not manifest:
        return "failed", "manifest.json of this report is damaged"
    if manifest.get("status") != "preliminary":
        return "final", ""
    ends, data_end = str(manifest.get("window_ends", "")), str(manifest.get("data_end", ""))
    detail = f"data until {data_end}, event window until {ends}"
    late = (today - dt.timedelta(days=LATE)).isoformat()
    return ("stale" if ends < late else "preliminary"), detail


def _mapping(path: Path) -> dict[str, Any]:
    content = read_json(path)
    return content if isinstance(content, dict) else {}


def _number(values: Any, name: str) -> float | None:
    value = values.get(name) if isinstance(values, Mapping) else None
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


@cache
def _read(name: str) -> str:
    return (_TEMPLATES / name).read_text(encoding="utf-8")


@cache
def _environment() -> Any:
    from jinja2 import Environment, FileSystemLoader

    environment = Environment(loader=FileSystemLoader(_TEMPLATES), autoescape=True, trim_blocks=True)
    environment.filters.update(percent=words.percent, number=words.number, days=_days, link=quote)
    return environment


def _days(built_on: str, today: str) -> int:
    """Age in days."""
    return max((dt.date.fromisoformat(today) - dt.date.fromisoformat(built_on)).days, 0)


def _feed(entries: Sequence[Entry], today: dt.date, title: str, base_url: str) -> str:
    """Atom feed of the newest versions; one whose inputs changed is a new entry."""
    standing = [entry for entry in entries if entry.built_on]
    newest = sorted(standing, key=lambda entry: (entry.built_on or "", entry.date), reverse=True)[:_FEED_ENTRIES]
    base = base_url.rstrip("/") + "/" if base_url else ""
    items = [
        {
            "id": uuid.uuid5(uuid.NAMESPACE_URL, f"earnings-study:{entry.slug}:{entry.input_hash}").urn,
            "title": " ".join(filter(None, [entry.name, entry.period, entry.date])),
            "link": f"{base}{quote(entry.slug)}/report.html",
            "updated": f"{entry.built_on}T00:00:00Z",
            "summary": _summary(entry),
        }
        for entry in newest
    ]
    updated = max((item["updated"] for item in items), default=f"{today.isoformat()}T00:00:00Z")
    identity = uuid.uuid5(uuid.NAMESPACE_URL, f"earnings-study:{base_url or title}").urn
    template = _environment().get_template("feed.xml.j2")
    return str(template.render(title=title, id=identity, base=base, updated=updated, items=items)).strip() + "\n"


def _summary(entry: Entry) -> str:
    if entry.move is None:
        return f"Status: {entry.status}."
    return (
        f"Day zero {words.percent(entry.move)}, abnormal return {words.percent(entry.abnormal_return)}, "
        f"t {words.number(entry.t)}. Status: {entry.status}."
    )
