"""Ranks of surprises that were known at the time: deciles of the quarter before (METHODS 6.2)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from research.errors import InputError, ParameterError

#: Deciles need this many surprises a quarter (METHODS 6.2).
DECILE_EVENTS = 50

GROUPINGS = ("auto", "deciles", "terciles", "sign", "none")


@dataclass(frozen=True)
class Ranks:
    """Group and rank of every event.

    Attributes
    ----------
    group : Series of float
        0 for the worst surprises to ``n_groups - 1`` for the best; NaN without a surprise or (deciles) without a
        quarter before.
    rank : Series of float
        ``group`` scaled to [-0.5, 0.5].
    n_groups : int
    label : str
        How the groups were made, for captions.
    looks_ahead : bool
        Whether the bounds use surprises announced later: such groups cannot be traded.
    """

    group: pd.Series
    rank: pd.Series
    n_groups: int
    label: str
    looks_ahead: bool


def rank_surprises(surprise: pd.Series, day_zero: pd.Series, grouping: str = "auto") -> Ranks:
    """Sort events by surprise into groups.

    Parameters
    ----------
    surprise : Series
    day_zero : Series indexed alike
    grouping : {"auto", "deciles", "terciles", "sign", "none"}
        ``deciles``: bounds from the surprises of the *previous* calendar quarter, so that the
        group is known on the day. ``sign``: negative, zero, positive; known on the day as well.
        ``terciles``: of all events pooled, which looks ahead and is labelled so. ``auto``:
        deciles where the median quarter has at least 50 surprises and another follows, else pooled terciles.
        ``none``: one group of all events, with or without a surprise.

    Returns
    -------
    Ranks

    Raises
    ------
    InputError
        If no event has a surprise, or pooled terciles have no spread.
    """
    if grouping not in GROUPINGS:
        raise ParameterError("unknown grouping", parameter="grouping", value=grouping, allowed=", ".join(GROUPINGS))
    values = surprise.astype(float)
    if grouping == "none":
        one, unranked = pd.Series(0.0, index=values.index), pd.Series(np.nan, index=values.index)
        return Ranks(one, unranked, 1, "all announcements together", False)
    if not values.notna().any():
        raise InputError("no event has a surprise", parameter="surprise", remedy="Estimates and actuals are needed.")
    quarter = pd.Series(pd.DatetimeIndex(day_zero).to_period("Q"), index=surprise.index)
    sizes = values.groupby(quarter).count()
    enough = float(sizes.median()) >= DECILE_EVENTS
    chosen = grouping if grouping != "auto" else ("deciles" if enough else "terciles")
    if chosen == "deciles":
        group = _previous_quarter(values, quarter)
        if group.notna().any() or grouping == "deciles":
            return _ranks(group, 10, "deciles of the previous quarter's surprises", False)
    if chosen == "sign":
        group = np.sign(values) + 1
        return _ranks(group, 3, "sign of the surprise (negative, zero, positive)", False)
    low, high = values.quantile([1 / 3, 2 / 3])
    if not low < high:
        raise InputError(
            "the surprises cannot be split into thirds: they are too few, or too many of them are alike",
            parameter="surprise",
            value=int(values.notna().sum()),
            remedy="Group by sign, or hold all announcements together (grouping none).",
        )
    group = ((values > low).astype(float) + (values > high)).where(values.notna())
    return _ranks(group, 3, "terciles of all surprises pooled (bounds known only afterwards)", True)


def _ranks(group: pd.Series, n: int, label: str, looks_ahead: bool) -> Ranks:
    return Ranks(group, group / (n - 1) - 0.5, n, label, looks_ahead)


def _previous_quarter(values: pd.Series, quarter: pd.Series) -> pd.Series:
    """Decile of each surprise in the distribution of the calendar quarter before."""
    group = pd.Series(np.nan, index=values.index)
    for period in quarter.unique():
        before = values[quarter == period - 1].dropna().to_numpy()
        rows = (quarter == period) & values.notna()
        if len(before) >= DECILE_EVENTS:
            bounds = np.quantile(before, np.arange(0.1, 0.95, 0.1))
            group[rows] = np.searchsorted(bounds, values[rows].to_numpy(), side="left")
    return group
