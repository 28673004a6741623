r"""Average residual correlation of the events of a study (METHODS 4.8).

:math:`\rho_{ij}` is the correlation of two events' estimation residuals on the calendar days
that both used, at least 30 of them, centred on those days. Its average enters the
variance of a mean in three ways: over pairs whose windows overlap, weighted by the
overlap (the default); over all pairs, right only if all windows coincide; and with days
paired by their relative number, which is what several packages compute and which compares
different calendar days when dates differ.

Every pair is computed exactly, by products of blocks of residual matrices: events are
sorted by day zero, and a block of them is multiplied with all later ones in reach.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: Fewer common days and a pair counts as uncorrelated (or is left out of plain means).
MIN_COMMON_DAYS = 30

#: Events multiplied at once; blocks of this size keep the products in the cache.
_BLOCK = 256

#: Reads residuals of some events: rows -> ndarray of shape (n_rows, n_days), NaN where unused.
Reader = Callable[[NDArray[np.intp]], Floats]


@dataclass(frozen=True)
class MeanCorrelation:
    """An average correlation and what it rests on.

    Attributes
    ----------
    value : float
        NaN where no pair can be formed.
    n_pairs : int
        Pairs in the average: all of them for ``overlap``, those with enough days otherwise.
    n_short : int
        Pairs with fewer than 30 common days; for ``overlap`` of those whose windows overlap.
    """

    value: float
    n_pairs: int
    n_short: int


def overlap(read: Reader, day: NDArray[np.int64], window_length: int | NDArray[np.int64]) -> MeanCorrelation:
    r"""Overlap-weighted mean correlation, the default.

    .. math::  \bar r = \frac{2}{N(N-1)} \sum_{i<j} \rho_{ij}\,\omega_{ij}, \qquad
               \omega_{ij} = \frac{\text{days common to both windows}}{\sqrt{L_i L_j}}

    Pairs whose windows do not overlap, and pairs with fewer than 30 common days, count as 0.
    Equals the mean correlation of Kolari and Pynnonen (2010) when all events share a date
    and is 0 when no windows overlap; Kolari, Pape and Pynnonen (2018, SSRN 3167271) treat
    partially overlapping windows.

    Parameters
    ----------
    read : callable
        Estimation residuals of given events.
    day : ndarray of int64, shape (n_events,)
        Position of day zero on the grid.
    window_length : int or ndarray of shape (n_events,)
        ``L``, sessions of the test window; one an event where windows end on different relative
        days. All begin on the same one.
    """
    n = len(day)
    if n < 2:
        return MeanCorrelation(np.nan, 0, 0)
    lengths = np.broadcast_to(np.asarray(window_length, dtype=np.int64), (n,))

    def weight(left: NDArray[np.intp], right: NDArray[np.intp]) -> Floats:
        i, j = left[:, None], right[None, :]
        common = np.minimum(day[i] + lengths[i], day[j] + lengths[j]) - np.maximum(day[i], day[j])
        return np.asarray(np.maximum(0, common) / np.sqrt(lengths[i] * lengths[j]))

    total, _, short = _sum_over_pairs(read, day, int(lengths.max()) - 1, weight)
    pairs = n * (n - 1) // 2
    return MeanCorrelation(total / pairs, pairs, short)


def calendar(read: Reader, day: NDArray[np.int64], n_days: int) -> MeanCorrelation:
    """Mean correlation over all pairs with at least 30 common calendar days.

    Parameters
    ----------
    n_days : int
        Length of the estimation window: pairs further apart have no day in common.
    """
    n = len(day)
    if n < 2:
        return MeanCorrelation(np.nan, 0, 0)
    total, counted, _ = _sum_over_pairs(read, day, n_days - MIN_COMMON_DAYS, _alike)
    return MeanCorrelation(total / counted if counted else np.nan, counted, n * (n - 1) // 2 - counted)


def event_time(read: Reader, n: int) -> MeanCorrelation:
    """Mean correlation over all pairs with days paired by their relative number."""
    if n < 2:
        return MeanCorrelation(np.nan, 0, 0)
    # One date for all: the columns of the residual matrices are the relative days.
    total, counted, short = _sum_over_pairs(read, np.zeros(n, dtype=np.int64), 0, _alike)
    return MeanCorrelation(total / counted if counted else np.nan, counted, short)


def _alike(left: NDArray[np.intp], right: NDArray[np.intp]) -> Floats:
    """The same weight for every pair."""
    return np.ones((len(left), len(right)))


def _sum_over_pairs(
    read: Reader,
    day: NDArray[np.int64],
    reach: int,
    weight: Callable[[NDArray[np.intp], NDArray[np.intp]], Floats],
) -> tuple[float, int, int]:
    """Sum of weight times correlation over pairs at most ``reach`` sessions apart with a weight.

    ``weight`` takes the positions of some events and of others and gives a matrix.

    Returns
    -------
    total : float
    counted, short : int
        Pairs with and without enough common days.
    """
    order = np.argsort(day, kind="stable")
    days = day[order]
    total, counted, short = 0.0, 0, 0
    for start in range(0, len(order), _BLOCK):
        stop = min(start + _BLOCK, len(order))
        last = int(np.searchsorted(days, days[stop - 1] + reach, side="right"))
        left = read(order[start:stop])
        for first in range(start, last, 4 * _BLOCK):
            end = min(first + 4 * _BLOCK, last)
            right = left if (first, end) == (start, stop) else read(order[first:end])
            rho, common = _correlations(left, days[start:stop], right, days[first:end])
            apart = days[None, first:end] - days[start:stop, None]
            later = np.arange(first, end)[None, :] > np.arange(start, stop)[:, None]
            weights = weight(order[start:stop], order[first:end])
            pair = later & (np.abs(apart) <= reach) & (weights > 0)
            enough = pair & (common >= MIN_COMMON_DAYS) & np.isfinite(rho)
            total += float((rho * weights)[enough].sum())
            counted += int(enough.sum())
            short += int(pair.sum()) - int(enough.sum())
    return total, counted, short


def _correlations(
    left: Floats, left_day: NDArray[np.int64], right: Floats, right_day: NDArray[np.int64]
) -> tuple[Floats, Floats]:
    """Correlations of every row of ``left`` with every row of ``right`` on their common calendar days.

    Both are laid on one calendar axis; six matrix products then give the sums over the
    days common to each pair.
    """
    base = min(int(left_day[0]), int(right_day[0]))
    width = max(int(left_day[-1]), int(right_day[-1])) - base + left.shape[1]
    x, in_x = _on_calendar(left, left_day - base, width)
    y, in_y = _on_calendar(right, right_day - base, width)
    common = in_x @ in_y.T
    sum_x, sum_y = x @ in_y.T, in_x @ y.T
    with np.errstate(divide="ignore", invalid="ignore"):
        covariance = x @ y.T - sum_x * sum_y / common
        variance_x = (x * x) @ in_y.T - sum_x**2 / common
        variance_y = in_x @ (y * y).T - sum_y**2 / common
        rho = covariance / np.sqrt(variance_x * variance_y)
    # Shares without residuals have no correlation, whatever rounding says.
    rho[(variance_x <= 0) | (variance_y <= 0)] = np.nan
    return rho, common


def _on_calendar(residuals: Floats, shift: NDArray[np.int64], width: int) -> tuple[Floats, Floats]:
    """Residuals moved to calendar columns, 0 where there is none, and the indicator of those there are."""
    n, length = residuals.shape
    laid, present = np.zeros((n, width)), np.zeros((n, width))
    missing = np.isnan(residuals)
    filled = np.where(missing, 0.0, residuals)
    # Rows come sorted by day, so that one slice serves all events of a date.
    starts = np.flatnonzero(np.diff(shift, prepend=shift[0] - 1))
    for first, last in zip(starts, [*starts[1:], n], strict=True):
        rows, columns = slice(first, last), slice(shift[first], shift[first] + length)
        laid[rows, columns] = filled[rows]
        present[rows, columns] = ~missing[rows]
    return laid, present
