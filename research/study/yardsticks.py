"""A firm's own event days as the yardstick of its latest one (METHODS 3.10)."""

from __future__ import annotations

import bisect

import numpy as np
import pandas as pd
from numpy.typing import NDArray

#: A firm needs this many earlier event days to be its own yardstick.
MIN_EARLIER_DAYS = 8


def own_days(abnormal: NDArray[np.float64], firms: pd.DataFrame, day_zero: NDArray[np.datetime64]) -> pd.DataFrame:
    r"""Each event's abnormal return against the firm's earlier ones of the same kind.

    .. math::  z_E = AR_{i0} \Big/ \sqrt{\tfrac 1n \sum_{j < i} AR_{j0}^2}

    Parameters
    ----------
    abnormal : ndarray of shape (n_events,)
        Abnormal return of the day; NaN is neither ranked nor remembered.
    firms : DataFrame of shape (n_events, any)
        Columns that identify a firm (and kind).
    day_zero : ndarray of datetime64, shape (n_events,)

    Returns
    -------
    DataFrame of shape (n_events, 4)
        ``z_own`` and ``rms_own``, NaN below 8 earlier days; ``rank_own``, 1 for the largest
        absolute value among the earlier days and this one; ``n_own``, earlier days.
    """
    n = len(abnormal)
    rms, rank, count = np.full(n, np.nan), np.full(n, np.nan), np.zeros(n, dtype=np.int64)
    codes = firms.groupby(list(firms.columns), sort=False).ngroup().to_numpy()
    seen: dict[int, tuple[list[float], list[float]]] = {}
    for i in np.argsort(day_zero, kind="stable"):
        sizes, squares = seen.setdefault(int(codes[i]), ([], [0.0]))
        count[i] = len(sizes)
        if np.isnan(abnormal[i]):
            continue
        size = abs(float(abnormal[i]))
        rank[i] = len(sizes) - bisect.bisect_right(sizes, size) + 1
        if len(sizes) >= MIN_EARLIER_DAYS:
            rms[i] = np.sqrt(squares[0] / len(sizes))
        bisect.insort(sizes, size)
        squares[0] += size**2
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(rms > 0, abnormal / rms, np.nan)
    return pd.DataFrame({"z_own": z, "rms_own": rms, "rank_own": rank, "n_own": count})
