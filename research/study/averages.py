"""Means over events, a column a day, with the limits that independent events would have."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Floats = NDArray[np.float64]


def with_limits(prefix: str, values: Floats, confidence: float) -> dict[str, NDArray[np.generic]]:
    """Mean of each column's present values, its cross-sectional standard error and limits.

    Parameters
    ----------
    prefix : str
        Of the names of the columns.
    values : ndarray of shape (n_events, n_days)
        NaN where an event does not count.
    confidence : float
        Coverage of the limits, between 0 and 1.

    Returns
    -------
    dict of ndarray of shape (n_days,)
        ``{prefix}, {prefix}_se, {prefix}_low, {prefix}_high, {prefix}_n``. The error is the
        standard deviation with divisor N - 1 over sqrt N, the limits come from t(N - 1); the
        mean is NaN without an event, the rest with fewer than two.
    """
    present = ~np.isnan(values)
    n = present.sum(axis=0)
    filled = np.where(present, values, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.where(n > 0, filled.sum(axis=0) / n, np.nan)
        squares = (np.where(present, values - mean, 0.0) ** 2).sum(axis=0)
        se = np.where(n > 1, np.sqrt(squares / (n - 1) / n), np.nan)
        half = stats.t.ppf((1 + confidence) / 2, n - 1) * se
    return {
        prefix: mean,
        f"{prefix}_se": se,
        f"{prefix}_low": mean - half,
        f"{prefix}_high": mean + half,
        f"{prefix}_n": n,
    }
