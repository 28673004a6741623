"""What a vendor changed between two vintages of one company."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from research.sources.snapshots import Snapshot, Vintage

#: Tables that are compared, and what identifies their rows.
_KEYS: Mapping[str, tuple[str, ...]] = {
    "prices": ("date",),
    "actions": ("ex_date",),
    "announcements": ("announced_on",),
    "acceptances": ("accession",),
    "factors3": ("date",),
    "factors5": ("date",),
    "momentum": ("date",),
}
_PRICES = ["open", "high", "low", "close"]
#: Relative difference that is rounding, not a change.
_NOISE = 1e-6
#: Days by which a vendor may shift an announcement for it to be recognised.
_SHIFT = pd.Timedelta(days=5)

COLUMNS = ("source", "key", "table", "change", "row", "field", "before", "after", "detail")


def differences(before: Snapshot, after: Snapshot) -> pd.DataFrame:
    """Changes between two snapshots, for everything that both hold in different vintages.

    Returns
    -------
    DataFrame
        Columns :data:`COLUMNS`. ``change`` is ``added`` or ``removed`` (rows; runs of days in one line),
        ``rewritten`` (a cell), ``rescaled`` (all earlier prices by one factor, as after a split) or
        ``moved`` (an announcement on another day). New and lost companies are ``added`` and ``removed``.
    """
    rows: list[dict[str, Any]] = []
    names = sorted({(m.source, m.key) for m in (*before.members, *after.members)})
    for source, key in names:
        old, new = before.find(source, key), after.find(source, key)
        if old is None or new is None:
            change = "added" if old is None else "removed"
            rows.append({"source": source, "key": key, "table": "", "change": change, "detail": "the whole vintage"})
        elif old != new and old.sha256 != new.sha256:
            rows += [{"source": source, "key": key, **row} for row in changes(old, new)]
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(object).fillna("")


def changes(old: Vintage, new: Vintage) -> list[dict[str, Any]]:
    """Changes between two vintages of one source and key."""
    found: list[dict[str, Any]] = []
    for table, keys in _KEYS.items():
        if table not in old.manifest["tables"] or table not in new.manifest["tables"]:
            continue
        if old.manifest["tables"][table]["sha256"] == new.manifest["tables"][table]["sha256"]:
            continue
        a, b = (_keyed(vintage.frame(table), keys) for vintage in (old, new))
        splits = _new_splits(old, new) if table == "prices" else 1.0
        found += [{"table": table, **row} for row in _compare(a, b, table, splits)]
    return found


def _keyed(frame: pd.DataFrame, keys: tuple[str, ...]) -> pd.DataFrame:
    repeat = frame.groupby(list(keys)).cumcount()
    return frame.assign(_repeat=repeat).set_index([*keys, "_repeat"])


def _new_splits(old: Vintage, new: Vintage) -> float:
    """Product of the split ratios that the newer vintage knows and the older one did not."""
    known = []
    for vintage in (old, new):
        splits = (
            vintage.frame("actions") if vintage.has("actions") else pd.DataFrame({"split_ratio": [], "ex_date": []})
        )
        known.append(splits.dropna(subset="split_ratio").set_index("ex_date")["split_ratio"])
    return float(known[1][~known[1].index.isin(known[0].index)].prod())


def _compare(a: pd.DataFrame, b: pd.DataFrame, table: str, splits: float) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    gone, fresh = a.index.difference(b.index), b.index.difference(a.index)
    if table == "announcements":
        moved, gone, fresh = _moved(a, b, gone, fresh)
        rows += moved
    rows += _runs("removed", gone, a.index) + _runs("added", fresh, b.index)
    common = a.index.intersection(b.index)
    a, b = a.loc[common], b.loc[common]
    if table == "prices":
        rescaled, b = _rescaled(a, b, splits)
        rows += rescaled
    for name in [column for column in a.columns if column in b.columns]:
        rows += _cells(a[name], b[name], name)
    return rows


def _cells(x: pd.Series, y: pd.Series, name: str) -> list[dict[str, Any]]:
    if pd.api.types.is_float_dtype(x.dtype) and pd.api.types.is_float_dtype(y.dtype):
        same = np.isclose(x, y, rtol=_NOISE, atol=0, equal_nan=True)
    else:
        same = ((x == y) | (x.isna() & y.isna())).to_numpy()
    return [
        {
            "change": "rewritten",
            "row": _label(x.index[place]),
            "field": name,
            "before": x.iloc[place],
            "after": y.iloc[place],
        }
        for place in np.flatnonzero(~same)
    ]


def _rescaled(a: pd.DataFrame, b: pd.DataFrame, splits: float) -> tuple[list[dict[str, Any]], pd.DataFrame]:
    """Recognise one factor on all earlier prices; what remains is compared with it taken out."""
    ratio = (a["close"] / b["close"]).median()
    if not len(a) or not np.isfinite(ratio) or abs(ratio - 1) < 0.01:
        return [], b
    share = float(np.isclose(a["close"] / b["close"], ratio, rtol=1e-4).mean())
    if share < 0.9:
        return [], b
    explained = abs(ratio / splits - 1) < 0.01
    detail = f"{len(a)} earlier days divided by {ratio:.6g}, " + (
        "as the split since then says" if explained else "which no split since then explains"
    )
    back = b.assign(**{name: b[name] * ratio for name in _PRICES}, volume=b["volume"] / ratio)
    # A factor leaves the last digits of printed prices behind.
    near = np.isclose(a[_PRICES], back[_PRICES], rtol=1e-4) | (a[_PRICES].isna() & back[_PRICES].isna())
    back[_PRICES] = back[_PRICES].where(~near, a[_PRICES])
    back["volume"] = back["volume"].where(~np.isclose(a["volume"], back["volume"], rtol=1e-3), a["volume"])
    return [{"change": "rescaled", "row": f"to {_label(a.index[-1])}", "field": "prices", "detail": detail}], back


def _moved(
    a: pd.DataFrame, b: pd.DataFrame, gone: pd.Index, fresh: pd.Index
) -> tuple[list[dict[str, Any]], pd.Index, pd.Index]:
    """Pairs of a lost and a new announcement that lie a few days apart."""
    rows = []
    for lost in gone:
        near = [new for new in fresh if abs(new[0] - lost[0]) <= _SHIFT]
        if near:
            new = min(near, key=lambda entry: abs(entry[0] - lost[0]))
            days = (new[0] - lost[0]).days
            texts = {"before": a.loc[lost, "text"], "after": b.loc[new, "text"]}
            detail = f"by {days:+d} day" + ("s" if abs(days) > 1 else "")
            rows.append({"change": "moved", "row": _label(lost), "field": "announced_on", **texts, "detail": detail})
            gone, fresh = gone.drop([lost]), fresh.drop([new])
    return rows, gone, fresh


def _runs(change: str, some: pd.Index, every: pd.Index) -> list[dict[str, Any]]:
    """One line for rows that follow each other."""
    if not len(some):
        return []
    places = np.sort(every.get_indexer(some))
    breaks = np.flatnonzero(np.diff(places) > 1) + 1
    return [
        {
            "change": change,
            "row": _label(every[run[0]]) + (f" to {_label(every[run[-1]])}" if len(run) > 1 else ""),
            "detail": f"{len(run)} row" + ("s" if len(run) > 1 else ""),
        }
        for run in np.split(places, breaks)
    ]


def _label(entry: Any) -> str:
    first = entry[0] if isinstance(entry, tuple) else entry
    return f"{first:%Y-%m-%d}" if isinstance(first, pd.Timestamp) else str(first)
