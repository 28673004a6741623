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

from collections.abc import Callable, Iterator, Sequence
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
    return overlaps(read, day, [window_length], np.ones((1, len(day)), dtype=bool))[0]


def overlaps(
    read: Reader,
    day: NDArray[np.int64],
    window_lengths: Sequence[int | NDArray[np.int64]],
    members: NDArray[np.bool_],
) -> list[MeanCorrelation]:
    """:func:`overlap` of several windows at once: the correlations, which take the time, are the same for all.

    Parameters
    ----------
    read, day
        As there.
    window_lengths : sequence of int or ndarray
        One a window.
    members : ndarray of bool, shape (n_windows, n_events)
        Events that count in each window.
    """
    longest = max((int(np.max(length)) for length in window_lengths), default=1)

    def weights(left: NDArray[np.intp], right: NDArray[np.intp]) -> Iterator[Floats]:
        apart = np.abs(day[right][None, :] - day[left][:, None])
        for length, mask in zip(window_lengths, members, strict=True):
            if isinstance(length, np.ndarray):
                common = np.minimum.outer(day[left] + length[left], day[right] + length[right])
                common -= np.maximum.outer(day[left], day[right])
                weight = np.maximum(0, common) / np.sqrt(np.multiply.outer(length[left], length[right]))
            else:
                weight = np.maximum(0, length - apart) / length
            yield weight if mask.all() else weight * np.logical_and.outer(mask[left], mask[right])

    found = _sums_over_pairs(read, day, longest - 1, weights, len(members))
    out = []
    for (total, _, short), mask in zip(found, members, strict=True):
        n = int(mask.sum())
        pairs = n * (n - 1) // 2
        out.append(MeanCorrelation(total / pairs if pairs else np.nan, pairs, short))
    return out


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
    total, counted, _ = _sums_over_pairs(read, day, n_days - MIN_COMMON_DAYS, _alike)[0]
    return MeanCorrelation(total / counted if counted else np.nan, counted, n * (n - 1) // 2 - counted)


def event_time(read: Reader, n: int) -> MeanCorrelation:
    """Mean correlation over all pairs with days paired by their relative number."""
    if n < 2:
        return MeanCorrelation(np.nan, 0, 0)
    # One date for all: the columns of the residual matrices are the relative days.
    total, counted, short = _sums_over_pairs(read, np.zeros(n, dtype=np.int64), 0, _alike)[0]
    return MeanCorrelation(total / counted if counted else np.nan, counted, short)


def _alike(left: NDArray[np.intp], right: NDArray[np.intp]) -> Iterator[Floats]:
    """The same weight for every pair."""
    yield np.ones((len(left), len(right)))


def _sums_over_pairs(
    read: Reader,
    day: NDArray[np.int64],
    reach: int,
    weights: Callable[[NDArray[np.intp], NDArray[np.intp]], Iterator[Floats]],
    n_weights: int = 1,
) -> list[tuple[float, int, int]]:
    """Sums of weight times correlation over pairs at most ``reach`` sessions apart that have a weight.

    ``weights`` takes the positions of some events and of others and gives ``n_weights`` matrices.

    Returns
    -------
    list of (total, counted, short), one a weight
        ``counted`` and ``short`` are the pairs with and without enough common days.
    """
    order = np.argsort(day, kind="stable")
    days = day[order]
    totals, counts, shorts = [0.0] * n_weights, [0] * n_weights, [0] * n_weights
    for start in range(0, len(order), _BLOCK):
        stop = min(start + _BLOCK, len(order))
        last = int(np.searchsorted(days, days[stop - 1] + reach, side="right"))
        left = read(order[start:stop])
        for first in range(start, last, 4 * _BLOCK):
            end = min(first + 4 * _BLOCK, last)
            right = left if (first, end) == (start, stop) else read(order[first:end])
            rho, common = _correlations(left, days[start:stop], right, days[first:end])
            usable = (common >= MIN_COMMON_DAYS) & np.isfinite(rho)
            rho[~usable] = 0.0
            near = np.abs(days[None, first:end] - days[start:stop, None]) <= reach
            near &= np.arange(first, end)[None, :] > np.arange(start, stop)[:, None]
            for k, weight in enumerate(weights(order[start:stop], order[first:end])):
                pair = near & (weight > 0)
                counted = int(np.count_nonzero(pair & usable))
                totals[k] += float((rho * weight)[pair].sum())
                counts[k] += counted
                shorts[k] += int(np.count_nonzero(pair)) - counted
    return list(zip(totals, counts, shorts, strict=True))


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
