"""What the commands on snapshots print: lines of text, made from what they found."""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pandas as pd

from research.errors import NotFoundError, SourceError
from research.sources._differences import changes, differences
from research.sources.fetching import Outcome
from research.sources.snapshots import SnapshotStore, Vintage

#: Lines of one company and table that a comparison prints before it counts the rest.
_SHOWN = 20


def snapshot_rows(store: SnapshotStore) -> list[dict[str, Any]]:
    """Readable snapshots, oldest first: ``snapshot, fetched_at, vintages`` and how many of each source."""
    return [
        {
            "snapshot": one.id,
            "fetched_at": one.fetched_at.isoformat(),
            "vintages": len(one.members),
            "sources": dict(sorted(Counter(member.source for member in one.members).items())),
        }
        for one in store.snapshots()
    ]


def snapshot_lines(store: SnapshotStore) -> list[str]:
    """Readable snapshots, oldest first; the others are :meth:`SnapshotStore.damaged_records`."""
    return [
        f"{row['snapshot']}  {_minute(row['fetched_at'])}  {row['vintages']} vintages: "
        + ", ".join(f"{source} {count}" for source, count in row["sources"].items())
        for row in snapshot_rows(store)
    ]


def member_rows(store: SnapshotStore, name: str) -> list[dict[str, Any]]:
    """What one snapshot holds: a row a vintage, with the rows of its tables and what is missing from it."""
    return [
        {
            "source": member.source,
            "key": member.key,
            "vintage": member.name,
            "fetched_at": member.fetched_at.isoformat(),
            "tables": {table: entry["rows"] for table, entry in member.manifest["tables"].items()},
            "incomplete": member.manifest["incomplete"],
            "sha256": member.sha256,
        }
        for member in store.snapshot(name).members
    ]


def show_lines(store: SnapshotStore, name: str) -> Iterator[str]:
    """What one snapshot holds."""
    snapshot = store.snapshot(name)
    yield f"snapshot {snapshot.id}, latest fetch {snapshot.fetched_at:%Y-%m-%d %H:%M:%S} UTC"
    for row in member_rows(store, snapshot.id):
        tables = ", ".join(f"{table} {count}" for table, count in row["tables"].items())
        line = f"{row['source']}/{row['key']}  {_minute(row['fetched_at'])}  {tables}"
        yield line + (f"; missing {', '.join(row['incomplete'])}" if row["incomplete"] else "")


def _minute(instant: str) -> str:
    return f"{pd.Timestamp(instant):%Y-%m-%d %H:%M} UTC"


def difference_lines(store: SnapshotStore, first: str, second: str | None) -> Iterator[str]:
    """What changed between two snapshots, or between the two latest vintages of a company.

    Parameters
    ----------
    store : SnapshotStore
    first : str
        A snapshot, or a ticker.
    second : str or None
        A later snapshot; None for the latest state, or where ``first`` is a ticker.
    """
    table = _compared(store, first, second)
    if table.empty:
        yield "no difference"
    for (source, key, name), rows in table.groupby(["source", "key", "table"], sort=False):
        counts = ", ".join(f"{count} {change}" for change, count in rows["change"].value_counts(sort=False).items())
        yield f"{source}/{key}" + (f" {name}" if name else "") + f": {counts}"
        for row in rows.head(_SHOWN).to_dict("records"):
            cells = [str(row["change"]), str(row["row"]), str(row["field"])]
            if row["field"] and row["change"] != "rescaled":
                cells.append(f"{_cell(row['before'])} -> {_cell(row['after'])}")
            yield "  " + " ".join(filter(None, [*cells, f"({row['detail']})" if row["detail"] else ""]))
        if len(rows) > _SHOWN:
            yield f"  ... and {len(rows) - _SHOWN} more"


def difference_rows(store: SnapshotStore, first: str, second: str | None) -> list[dict[str, Any]]:
    """The same as rows of text and numbers."""
    records = _compared(store, first, second).to_dict("records")
    return [{str(name): json_cell(value) for name, value in row.items()} for row in records]


def json_cell(value: Any) -> Any:
    """A cell as JSON can hold it: instants and dates (which have no zone) as text, missing values as null."""
    if value is pd.NaT:  # which passes for a date
        return None
    if isinstance(value, pd.Timestamp) and value.tzinfo is None:
        value = value.date()
    if isinstance(value, pd.Timestamp | dt.date):
        return value.isoformat()
    if isinstance(value, np.generic):
        value = value.item()
    missing = value is None or value is pd.NA or (isinstance(value, float) and not np.isfinite(value))
    return None if missing or value == "" else value


def _compared(store: SnapshotStore, first: str, second: str | None) -> pd.DataFrame:
    try:
        before = store.snapshot(first)
    except NotFoundError:
        pair = _latest_pair(store, first) if second is None else None
        if pair is None and second is None:
            raise NotFoundError(
                "no such snapshot, and no such company among those fetched from Yahoo",
                parameter="snapshot",
                value=first,
                remedy="`earnings-study snapshots list` and `show` list them.",
            ) from None
        if pair is None:
            raise
        rows = [{"source": pair[0].source, "key": pair[0].key, **row} for row in changes(*pair)]
        columns = ["source", "key", "table", "change", "row", "field", "before", "after", "detail"]
        return pd.DataFrame(rows, columns=columns).astype(object).fillna("")
    return differences(before, store.state() if second is None else store.snapshot(second))


def _latest_pair(store: SnapshotStore, ticker: str) -> tuple[Vintage, Vintage] | None:
    found = store.vintages("yahoo", ticker.upper())
    if len(found) == 1:
        raise SourceError(f"there is only one vintage of {ticker.upper()}, and nothing to compare it with")
    return (found[-2], found[-1]) if found else None


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, pd.Timestamp):
        return value.isoformat()
    return "nothing" if value is None or value == "" else str(value)


def damage_lines(damage: pd.DataFrame) -> list[str]:
    """Damaged files, one a line."""
    return [f"{file}: {problem}" for file, problem in damage.itertuples(index=False)]


def outcome_lines(outcome: Outcome) -> Iterator[str]:
    """How a fetch ended: counts, then what failed and what is missing."""
    parts = [f"{len(outcome.landed)} landed"]
    if outcome.current:
        parts.append(f"{len(outcome.current)} up to date")
    if outcome.failed:
        parts.append(f"{len(outcome.failed)} failed")
    yield ", ".join(parts) + (f"; snapshot {outcome.snapshot.id}" if outcome.snapshot else "")
    for label, reason in _grouped(outcome.failed):
        yield f"failed: {label}: {reason}"
    for label, reason in _grouped(outcome.partial):
        yield f"incomplete: {label}: {reason}"
    if not outcome.complete:
        yield "the same command fetches only what is left"


def _grouped(reasons: dict[str, str]) -> Iterable[tuple[str, str]]:
    """Labels with one reason, together."""
    by_reason: dict[str, list[str]] = {}
    for label, reason in reasons.items():
        by_reason.setdefault(reason, []).append(label)
    return [(" ".join(labels), reason) for reason, labels in by_reason.items()]


def outcome_json(outcome: Outcome) -> str:
    """The same for programs."""
    return json.dumps(
        {
            "snapshot": outcome.snapshot.id if outcome.snapshot else None,
            "landed": [vintage.label for vintage in outcome.landed],
            "current": outcome.current,
            "failed": outcome.failed,
            "incomplete": outcome.partial,
        },
        indent=2,
    )
