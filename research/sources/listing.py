"""What the commands on snapshots print: lines of text, made from what they found."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

import pandas as pd

from research.errors import NotFoundError, SourceError
from research.sources._differences import changes, differences
from research.sources.fetching import Outcome
from research.sources.snapshots import Snapshot, SnapshotStore, Vintage

#: Lines of one company and table that a comparison prints before it counts the rest.
_SHOWN = 20


def snapshot_lines(store: SnapshotStore) -> list[str]:
    """All recorded snapshots, oldest first."""
    found = store.snapshots()
    if not found:
        return ["no snapshots yet; earnings-study fetch TICKER ... makes the first"]
    return [
        f"{one.id}  {one.fetched_at:%Y-%m-%d %H:%M} UTC  {len(one.members)} vintages: "
        + ", ".join(f"{source} {sum(m.source == source for m in one.members)}" for source in _sources(one))
        for one in found
    ]


def _sources(snapshot: Snapshot) -> list[str]:
    return sorted({member.source for member in snapshot.members})


def show_lines(store: SnapshotStore, name: str) -> Iterator[str]:
    """What one snapshot holds."""
    snapshot = store.snapshot(name)
    yield f"snapshot {snapshot.id}, latest fetch {snapshot.fetched_at:%Y-%m-%d %H:%M:%S} UTC"
    for member in snapshot.members:
        manifest = member.manifest
        rows = ", ".join(f"{table} {entry['rows']}" for table, entry in manifest["tables"].items())
        line = f"{member.source}/{member.key}  {member.fetched_at:%Y-%m-%d %H:%M} UTC  {rows}"
        yield line + (f"; missing {', '.join(manifest['incomplete'])}" if manifest["incomplete"] else "")


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


def _compared(store: SnapshotStore, first: str, second: str | None) -> pd.DataFrame:
    try:
        before = store.snapshot(first)
    except NotFoundError:
        pair = _latest_pair(store, first) if second is None else None
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
