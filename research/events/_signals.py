"""Signs of everything an announcement brought, and the class that follows from them (METHODS 5.7)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

#: Bases of a metric that say what was expected; a comparison with the year before is no surprise.
_EXPECTED = {"consensus": "", "previous_guidance": " (guidance)"}

SIGNAL_CLASSES = ("all above", "mixed", "all below", "in line", "no estimate")


def relative(actual: pd.Series, estimate: pd.Series) -> pd.Series:
    """``(actual - estimate) / |estimate|``; NaN at an estimate of 0."""
    size = estimate.abs()
    return (actual - estimate) / size.where(size > 0)


def metric_surprises(metrics: pd.DataFrame | None, event_ids: pd.Series) -> pd.DataFrame:
    """Relative surprise of every metric, events x metrics.

    The first row of a metric counts where several sources differ. Rows whose ``basis`` is
    neither a consensus nor earlier guidance (the year before, say) are no expectation;
    without the column every estimate is taken to be one.
    """
    index = pd.Index(event_ids, name="event_id")
    if metrics is None:
        return pd.DataFrame(index=index)
    known = metrics.dropna(subset=["event_id", "actual", "estimate"])
    basis = known["basis"] if "basis" in known.columns else pd.Series("consensus", index=known.index)
    known = known[basis.isin(_EXPECTED)]
    names = known["metric"].astype(str) + basis.reindex(known.index).map(_EXPECTED)
    table = pd.DataFrame(
        {
            "event_id": known["event_id"],
            "metric": names,
            "surprise": relative(known["actual"].astype(float), known["estimate"].astype(float)),
        }
    ).drop_duplicates(["event_id", "metric"])
    wide = pd.DataFrame(index=index)
    for name, rows in table.groupby("metric", sort=False):
        wide[str(name)] = rows.set_index("event_id")["surprise"].reindex(index)
    return wide


def signs(surprises: pd.DataFrame, dead_band: float, orientation: Mapping[str, int]) -> pd.DataFrame:
    """+1 above, 0 within the dead-band, -1 below expectation; NaN without an estimate."""
    values = surprises.to_numpy(dtype=float)
    found = np.where(np.isnan(values), np.nan, np.where(np.abs(values) < dead_band, 0.0, np.sign(values)))
    facing = np.array([orientation.get(str(name), 1) for name in surprises.columns], dtype=float)
    return pd.DataFrame(found * facing, index=surprises.index, columns=surprises.columns)


def classify(signals: pd.DataFrame) -> pd.Series:
    """One of :data:`SIGNAL_CLASSES` per row; signals within their dead-band decide nothing."""
    up, down = (signals > 0).any(axis=1), (signals < 0).any(axis=1)
    known = signals.notna().any(axis=1)
    classes = np.select(
        [~known, up & down, up, down], ["no estimate", "mixed", "all above", "all below"], default="in line"
    )
    return pd.Series(classes, index=signals.index, name="signals", dtype=object)
