"""The long table of metrics that may come with announcements: one row a figure and estimate."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from research.events import _cells
from research.events._checks import DEFAULT_EXCHANGE, as_of, when
from research.events._columns import Columns
from research.events._tables import Findings, row_labels, with_known_names

REQUIRED = ("ticker", "announced_at", "metric")
COLUMNS = (
    "event_id",
    "ticker",
    "announced_at",
    "announced_on",
    "metric",
    "actual",
    "estimate",
    "unit",
    "source",
    "estimate_as_of",
)


def checked_metrics(
    frame: pd.DataFrame, events: pd.DataFrame, zone: dt.tzinfo | None, aliases: Mapping[str, str]
) -> pd.DataFrame:
    """Typed metrics table, each row tied to its announcement.

    Parameters
    ----------
    frame : DataFrame
        ``ticker``, ``announced_at`` (an instant or a bare date), ``metric`` and any of
        ``actual``, ``estimate``, ``unit``, ``source``, ``estimate_as_of``; further columns
        are carried along. One metric may have several rows: estimates differ by source.
    events : DataFrame
        The announcements' own table.
    zone : tzinfo or None
        Zone of times without an offset.
    aliases : mapping of str to str

    Returns
    -------
    DataFrame
        :data:`COLUMNS`, then the further columns. ``event_id`` is None where the ticker has
        no announcement on that exchange-local date; absent columns are NaN or None.

    Raises
    ------
    InputError
        Every row that cannot be used, in one error; also rows that repeat another entirely.
    """
    frame = with_known_names(frame, None, what="metrics", required=REQUIRED, known=COLUMNS)
    findings = Findings(row_labels(frame))
    columns = Columns(frame, findings, zone)
    tickers = [aliases.get(name, name) for name in columns.values("ticker", _cells.ticker, "")]
    exchanges = dict(zip(events["ticker"], events["exchange"], strict=True))
    absent = np.full(len(frame), None, dtype=object)
    table: dict[str, Any] = {
        "ticker": tickers,
        "exchange": np.array([exchanges.get(ticker, DEFAULT_EXCHANGE) for ticker in tickers], dtype=object),
        "session": absent,
        "metric": columns.values("metric", _name, ""),
        "actual": columns.numbers("actual"),
        "estimate": columns.numbers("estimate"),
        "unit": pd.Series(columns.values("unit", _cells.text), dtype=object),
        "source": pd.Series(columns.values("source", _cells.text), dtype=object),
    }
    table.update(when(table, columns.moments("announced_at"), columns.dates("announced_on"), absent, findings))
    table["estimate_as_of"] = as_of(table, columns.moments("estimate_as_of"), findings)
    table["event_id"] = pd.Series(_owners(events, tickers, table["announced_on"]), dtype=object)
    further = frame[[name for name in frame.columns if name not in COLUMNS]].reset_index(drop=True)
    result = pd.concat([pd.DataFrame(table)[list(COLUMNS)], further], axis="columns")
    for row in np.flatnonzero(result.astype(str).duplicated()).tolist():
        findings.add(row, "metric", result["metric"].iloc[row], "repeats an earlier row in every column")
    if len(findings):
        raise findings.error(
            f"metrics: {len(findings)} of {len(frame)} rows cannot be used as they stand", "Correct or remove them."
        )
    return result


def _name(cell: Any) -> str:
    found = _cells.text(cell)
    if found is None:
        raise _cells.CellError("is missing")
    return found


def _owners(events: pd.DataFrame, tickers: list[str], dates: pd.DatetimeIndex) -> list[str | None]:
    """Announcement of each ticker and date; earnings before other kinds, usable before excluded rows."""
    keys = zip(events["ticker"], events["announced_on"], strict=True)
    preference = 2 * (events["status"] != "ok") + (events["kind"] != "earnings")
    owners: dict[Any, str] = {}
    for _, key, name in sorted(zip(preference, keys, events["event_id"], strict=True), key=lambda item: item[0]):
        owners.setdefault(key, name)
    return [owners.get(key) for key in zip(tickers, dates, strict=True)]
