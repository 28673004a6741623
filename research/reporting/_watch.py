"""Which announcements of a watch are due for a report, and which are still to come.

The day is given by whoever runs the schedule. A report never sees it: it decides which
reports are made, not what stands in them.
"""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from research.errors import nearest
from research.events.calendar import TradingCalendar
from research.reporting import _changes, site
from research.reporting._completion import plain
from research.reporting._parameters import check_parameters
from research.reporting._schedule import Task, Watch
from research.reporting.notebooks import announcement_slug
from research.sources.protocol import Source, open_source

#: Columns of an announcement to come that an index shows where the source has them.
_EXPECTED = ("fiscal_period", "eps_estimate", "revenue_estimate")


@dataclass
class Found:
    """What a watch found.

    Attributes
    ----------
    tasks : list of Task
        Reports to be made or looked after.
    coming : list of dict
        Announcements without a report yet: ``ticker announced_on at timing note`` and what
        is expected.
    problems : list of str
        What the operator has to know, one line each; each fails the run.
    """

    tasks: list[Task] = field(default_factory=list)
    coming: list[dict[str, Any]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def look(watch: Watch, today: dt.date, output: Path) -> Found:
    """Look up what a watch has to do on the day ``today``.

    An announcement is due once the data hold its day zero, and for ``since_days`` days;
    beyond that only while its report is preliminary. One whose first close is not there
    yet, or that lies up to ``ahead_days`` days ahead, is still to come.

    Raises
    ------
    ResearchError
        If the source cannot be opened or read.
    """
    data = open_source(watch.source)
    found = Found()
    rows = _rows(data, watch, found)
    data_end = data.returns().index[-1]
    day = pd.Timestamp(today)
    oldest, horizon = day - pd.Timedelta(days=watch.since_days), day + pd.Timedelta(days=watch.ahead_days)
    waiting: list[pd.Timestamp] = []
    for row in _one_a_report(rows, watch):
        slug = announcement_slug(row["ticker"], f"{row['announced_on']:%Y-%m-%d}", row["kind"])
        recent = row["announced_on"] >= oldest
        if row["announced_on"] > day:
            if row["announced_on"] <= horizon:
                found.coming.append(_coming(row, ""))
        elif row["day_zero"] > data_end:
            if recent:
                found.coming.append(_coming(row, f"waiting for the close of {row['day_zero']:%Y-%m-%d}"))
                waiting.append(row["day_zero"])
        elif recent or _is_preliminary(output / slug):
            given = {**watch.parameters, "ticker": row["ticker"], "event_date": f"{row['announced_on']:%Y-%m-%d}"}
            if row["kind"] != "earnings" and _tells_kinds(watch):
                given["kind"] = row["kind"]
            values = check_parameters(watch.info, given)
            keep = watch.refresh == "preliminary"
            found.tasks.append(Task(slug, watch.info, values, watch.timeout, keep_final=keep, watched=True))
    if waiting and min(waiting) < day - pd.Timedelta(days=site.LATE):
        found.problems.append(
            f"{watch.where}: the prices of {data.name} end on {data_end:%Y-%m-%d}, and announcements wait for those of "
            f"{min(waiting):%Y-%m-%d}"
        )
    return found


def _rows(data: Source, watch: Watch, found: Found) -> pd.DataFrame:
    """Usable announcements of the watched companies with timing and day zero, by date.

    Where the hour is unknown, day zero is the last session that may have been the first to
    react, so that the data hold every reading before a report is made.
    """
    announcements = data.news()
    frame = announcements.frame.join(announcements.timed(unknown_timing="next-session")[["timing", "day_zero"]])
    if watch.tickers is not None:
        known = set(announcements.tickers)
        for ticker in watch.tickers:
            if ticker not in known:
                hint = nearest(ticker, sorted(known))
                found.problems.append(f"{watch.where}: {data.name} has no announcements of {ticker}. {hint}".strip())
        frame = frame[frame["ticker"].isin(watch.tickers)]
    return frame[(frame["status"] == "ok") & frame["announced_on"].notna()].sort_values(["announced_on", "ticker"])


def _tells_kinds(watch: Watch) -> bool:
    """Whether the notebook can be told which of several news of a day is meant."""
    return any(parameter.name == "kind" for parameter in watch.info.parameters)


def _one_a_report(rows: pd.DataFrame, watch: Watch) -> Iterator[dict[str, Any]]:
    """Rows of which no two would be the same report, by date, ticker and kind, earnings first.

    A report is found by ticker, date and kind, and so is its folder. A notebook without the
    parameter ``kind`` knows ticker and date alone, so that it gets one row of each day.
    """
    wanted = watch.parameters.get("kind")
    order = rows[rows["kind"] == wanted] if wanted else rows
    order = order.assign(_other=order["kind"] != "earnings").sort_values(["announced_on", "ticker", "_other", "kind"])
    same = ["ticker", "announced_on", *(["kind"] if _tells_kinds(watch) else [])]
    yield from order.drop_duplicates(same).drop(columns="_other").to_dict("records")


def _is_preliminary(report: Path) -> bool:
    if not report.is_dir():
        return False
    manifest = _changes.read_json(report / "manifest.json")
    return isinstance(manifest, dict) and manifest.get("status") == "preliminary"


@functools.cache
def _zone(exchange: str) -> Any:
    """Time zone of an exchange."""
    return TradingCalendar(exchange).timezone


def _coming(row: dict[str, Any], note: str) -> dict[str, Any]:
    """An announcement to come, in plain types."""
    at = row["announced_at"]
    return plain(
        {
            "ticker": row["ticker"],
            "kind": row["kind"],
            "announced_on": f"{row['announced_on']:%Y-%m-%d}",
            "at": f"{at.tz_convert(_zone(str(row['exchange']))):%H:%M %Z}" if pd.notna(at) else None,
            "timing": row["timing"],
            "note": note,
            **{name: row.get(name) for name in _EXPECTED},
        }
    )
