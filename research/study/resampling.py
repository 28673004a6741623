"""Clustered means: cluster-robust standard error, jackknife, wild and skewness bootstraps.

Everything here works on one value an event and the code of its cluster.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: With this many clusters or fewer, all patterns of signs are enumerated (METHODS 4.17).
ENUMERATE = 12

#: Sign patterns evaluated at once.
_BATCH = 2048


@dataclass(frozen=True)
class Clusters:
    """Sums of the values by cluster, in the order of the clusters' labels.

    Attributes
    ----------
    total : ndarray of shape (G,)
    size : ndarray of shape (G,)
    """

    total: Floats
    size: Floats

    @classmethod
    def of(cls, values: Floats, labels: NDArray) -> Clusters:
        """Sums and sizes; a sorted order inside clusters makes the input's order immaterial."""
        order = np.lexsort((values, labels))
        codes = np.unique(labels[order], return_inverse=True)[1]
        size = np.bincount(codes).astype(np.float64)
        return cls(np.bincount(codes, weights=values[order]).astype(np.float64), size)

    def __len__(self) -> int:
        return len(self.total)

    @property
    def n(self) -> float:
        """Number of events."""
        return float(self.size.sum())


def t_statistics(totals: Floats, size: Floats) -> Floats:
    r"""Student statistic of the mean with clustered standard errors, for one or many vectors of cluster sums.

    .. math::  se^2 = \frac{G}{G-1} \frac{\sum_g (\sum_{i \in g} d_i)^2}{N^2}, \quad d_i = y_i - \bar y

    Parameters
    ----------
    totals : ndarray of shape (..., G)
    size : ndarray of shape (G,)
    """
    n, g = size.sum(), len(size)
    mean = totals.sum(axis=-1) / n
    deviations = totals - mean[..., None] * size
    with np.errstate(divide="ignore", invalid="ignore"):
        return mean / np.sqrt(g / (g - 1) * (deviations**2).sum(axis=-1) / n**2)


def wild_p_value(clusters: Clusters, seed: int, draws: int) -> tuple[float, float, str]:
    r"""Wild cluster bootstrap of the mean with the null imposed: the signs of whole clusters are flipped.

    Returns
    -------
    t, p_value : float
    how : str
        Enumeration with its granularity, or the number of draws.
    """
    g = len(clusters)
    observed = float(t_statistics(clusters.total, clusters.size))
    if not np.isfinite(observed):
        return np.nan, np.nan, ""
    # Ties with the observed statistic (the identity among them) must not hang on rounding.
    bar = abs(observed) * (1 - 1e-12)
    if g <= ENUMERATE:
        patterns = 1.0 - 2.0 * ((np.arange(2**g)[:, None] >> np.arange(g)) & 1)
        t = t_statistics(patterns * clusters.total, clusters.size)
        share = float((_as_extreme(t, bar)).mean())
        return observed, share, f"all {2**g} sign patterns, granularity {2 / 2**g:.2g}"
    generator = np.random.default_rng(seed)
    exceeding = 0
    for start in range(0, draws, _BATCH):
        signs = 1.0 - 2.0 * generator.integers(0, 2, size=(min(_BATCH, draws - start), g))
        exceeding += int(_as_extreme(t_statistics(signs * clusters.total, clusters.size), bar).sum())
    return observed, (1 + exceeding) / (draws + 1), f"{draws} Rademacher draws, seed {seed}"


def _as_extreme(t: Floats, bar: float) -> NDArray[np.bool_]:
    """Draws at least as extreme; one without any spread is infinitely so."""
    return ~(np.abs(t) < bar)


def jackknife_t(clusters: Clusters) -> float:
    r"""Cluster jackknife CV3J.

    .. math::  se^2 = \frac{G-1}{G} \sum_g (\theta_{(g)} - \bar\theta_{(\cdot)})^2
    """
    n, g = clusters.n, len(clusters)
    without = (clusters.total.sum() - clusters.total) / (n - clusters.size)
    se = np.sqrt((g - 1) / g * ((without - without.mean()) ** 2).sum())
    return float(clusters.total.sum() / n / se) if se > 0 else np.nan


def skewness_draws(values: Floats, statistic: Callable[[Floats, float], Floats], seed: int, draws: int) -> Floats:
    """Bootstrap distribution of a skewness-adjusted t from resamples of a quarter of the sample.

    Parameters
    ----------
    values : ndarray of shape (n_events,)
    statistic : callable
        Maps draws of shape (n_draws, n) and the sample mean, their centre, to statistics.
    seed, draws : int

    Returns
    -------
    ndarray
        The draws whose statistic exists. Source: Lyon, Barber and Tsai (1999, JF 54).
    """
    ordered = np.sort(values)
    generator = np.random.default_rng(seed)
    n = max(len(values) // 4, 2)
    drawn = []
    for start in range(0, draws, _BATCH):
        sample = generator.integers(0, len(values), size=(min(_BATCH, draws - start), n))
        drawn.append(statistic(ordered[sample], float(ordered.mean())))
    t = np.concatenate(drawn)
    return t[np.isfinite(t)]
