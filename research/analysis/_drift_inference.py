"""Inference on drift: windows of one season overlap, so its events are not independent (METHODS 4.8, 6.6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from research.analysis._design import numbers
from research.analysis.effects import check_weights, effect, minimum_detectable_effect
from research.errors import InputError, ParameterError, in_words, nearest
from research.study import correlation
from research.study.results import EventStudyResults

Floats = NDArray[np.float64]


def quarter(events: pd.DataFrame) -> pd.Series:
    """Calendar quarter of day zero."""
    return pd.Series(pd.DatetimeIndex(events["day_zero"]).to_period("Q").astype(str), index=events.index)


def _column(results: EventStudyResults, name: str) -> pd.Series:
    """A numeric covariate by ``event_id``."""
    events = results.events
    numeric = [str(one) for one in events.columns if pd.api.types.is_numeric_dtype(events[one])]
    if name not in numeric:
        raise ParameterError(
            "no numeric column of the announcements",
            parameter="weights",
            value=name,
            allowed=in_words(numeric),
            remedy=nearest(name, numeric) or None,
        )
    return pd.Series(events[name].to_numpy(dtype=np.float64), index=events["event_id"].to_numpy())


def checked_weights(results: EventStudyResults, weights: str | pd.Series | None) -> pd.Series | None:
    """Weights by ``event_id``; None where none are given.

    Raises
    ------
    ParameterError
        No numeric column, or no Series of numbers.
    InputError
        An event twice, weights that are not positive, or none for any studied event.
    """
    if weights is None:
        return None
    values = _column(results, weights) if isinstance(weights, str) else numbers(weights, "weights")
    check_weights(values)
    if not values.reindex(results.events["event_id"]).notna().any():
        example = next(iter(results.events["event_id"]), None)
        raise InputError(
            "no studied event has a weight",
            parameter="weights",
            allowed="a Series indexed by event_id, or a numeric column of the announcements",
            remedy=None if example is None else f"An event id looks like {example!r}.",
        )
    return values


def mean_path(values: Floats, labels: NDArray[np.intp]) -> tuple[Floats, Floats]:
    """Mean of every column and half of its clustered 95% interval (METHODS 4.16); NaN with one cluster."""
    g, n = int(labels.max()) + 1, len(values)
    mean = values.mean(axis=0)
    if g < 2:
        return mean, np.full(len(mean), np.nan)
    totals = np.zeros((g, values.shape[1]))
    np.add.at(totals, labels, values - mean)
    se = np.sqrt(g / (g - 1) * (totals**2).sum(axis=0)) / n
    return mean, float(stats.t.ppf(0.975, g - 1)) * se


def value_weighted(events: pd.DataFrame, weights: pd.Series | None, top: int, bottom: int) -> pd.DataFrame:
    """Weighted means of the groups and their difference; empty without weights."""
    columns = [
        "group",
        "measure",
        "estimate",
        "se",
        "low",
        "high",
        "p_value",
        "mde",
        "n_events",
        "largest_share",
        "note",
    ]
    if weights is None:
        return pd.DataFrame(columns=columns)
    used = events[events["status"] == "used"]
    weight, labels = weights.reindex(used.index), quarter(used)
    share = weight / weight.groupby(used["group"]).transform("sum")
    rows = []
    for measure in ("car", "bhar"):
        for group in range(top + 1):
            part = used["group"] == group
            found = effect(used.loc[part, measure], labels[part], weights=weight[part])
            rows.append({"group": group, "measure": measure, "largest_share": share[part].max(), **vars(found)})
        if top > bottom:
            sides = used["group"].isin([top, bottom])
            long = (used.loc[sides, "group"] == top).astype(float)
            found = effect(used.loc[sides, measure], labels[sides], long, weight[sides])
            largest = share[sides].max()
            rows.append({"group": "top minus bottom", "measure": measure, "largest_share": largest, **vars(found)})
    return pd.DataFrame(rows)[columns]


def long_short(results: EventStudyResults, events: pd.DataFrame, top: int, bottom: int, start: int) -> pd.DataFrame:
    """Top minus bottom group by every method of inference; empty where there is one group only."""
    columns = ["measure", "method", "estimate", "se", "t", "df", "p_value", "low", "high", "mde"]
    columns += ["n_long", "n_short", "note"]
    if not top > bottom:
        return pd.DataFrame(columns=columns)
    sides = (events["status"] == "used") & events["group"].isin([top, bottom])
    part = events[sides]
    long = (part["group"] == top).astype(float)
    rows = []
    lengths = events["last"].to_numpy() - start + 1
    reads = Correlations.of(results, sides.to_numpy(), (part["group"] == top).to_numpy(), lengths)
    for measure in ("car", "bhar"):
        y = part[measure]
        rows.append({"measure": measure, "method": "overlap-weighted", **overlap(y, long == 1, reads)})
        for method, cluster in (("clustered by quarter", quarter(part)), ("clustered by day zero", part["day_zero"])):
            rows.append({"measure": measure, "method": method, **vars(effect(y, cluster, long))})
    table = pd.DataFrame(rows)
    table["n_long"], table["n_short"] = int(long.sum()), int((1 - long).sum())
    return table[columns]


@dataclass(frozen=True)
class Correlations:
    """Overlap-weighted mean correlation within the long, within the short group, and across."""

    long: float
    short: float
    across: float

    @classmethod
    def of(
        cls,
        results: EventStudyResults,
        sides: NDArray[np.bool_],
        long: NDArray[np.bool_],
        lengths: NDArray[np.int64],
    ) -> Correlations:
        """``sides`` are the events of both groups, ``long`` says which of those; ``lengths`` are of all events."""
        rows = np.flatnonzero(sides)
        days = results.grid_day

        def total(chosen: NDArray[np.intp]) -> float:
            n = len(chosen)
            if n < 2:
                return 0.0
            found = correlation.overlap(lambda at: results.read_residuals(chosen[at]), days[chosen], lengths[chosen])
            return found.value * n * (n - 1) / 2

        n_long, n_short = int(long.sum()), int((~long).sum())
        inside = total(rows[long]), total(rows[~long])
        across = total(rows) - sum(inside)

        def mean(value: float, pairs: float) -> float:
            return value / pairs if pairs else 0.0

        return cls(
            mean(inside[0], n_long * (n_long - 1) / 2),
            mean(inside[1], n_short * (n_short - 1) / 2),
            mean(across, n_long * n_short),
        )


def overlap(y: pd.Series, long: pd.Series, r: Correlations) -> dict[str, Any]:
    r"""Difference of two means whose events are correlated.

    .. math::  V = \frac{s_L^2}{n_L}(1 + (n_L-1)\bar r_L) + \frac{s_S^2}{n_S}(1 + (n_S-1)\bar r_S)
                   - 2 s_L s_S \bar r_{LS}
    """
    one, other = y[long].to_numpy(), y[~long].to_numpy()
    n, m = len(one), len(other)
    if n < 2 or m < 2:
        return {**dict.fromkeys(("estimate", "se", "t", "df", "p_value", "low", "high", "mde"), np.nan),
                "note": "a group has fewer than two events"}  # fmt: skip
    s, q = one.std(ddof=1), other.std(ddof=1)
    variance = s**2 / n * (1 + (n - 1) * r.long) + q**2 / m * (1 + (m - 1) * r.short) - 2 * s * q * r.across
    estimate, df = float(one.mean() - other.mean()), float(n + m - 2)
    note = f"mean overlap-weighted correlation {r.long:.4f}, {r.short:.4f}, across {r.across:.4f}"
    if not variance > 0:
        note += "; they leave no positive variance"
    se = float(np.sqrt(variance)) if variance > 0 else float("nan")
    half = float(stats.t.ppf(0.975, df)) * se
    return {
        "estimate": estimate, "se": se, "t": estimate / se, "df": df,
        "p_value": float(2 * stats.t.sf(abs(estimate / se), df)), "low": estimate - half, "high": estimate + half,
        "mde": minimum_detectable_effect(se), "note": note,
    }  # fmt: skip
