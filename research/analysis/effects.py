"""One number with its clustered uncertainty: a mean reaction, or the slope on one covariate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from research.analysis import clusters
from research.errors import InputError, ParameterError, offences

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Effect:
    """An estimate, how sure one can be, and what could have been seen.

    Attributes
    ----------
    estimate, se, t, df, p_value, low, high : float
        CR1 standard error by cluster, Student with ``n_clusters - 1`` degrees of freedom, 95% limits;
        NaN with fewer than two clusters or no variation.
    mde : float
        Smallest effect that this design finds four times in five; see :func:`minimum_detectable_effect`.
    n_events, n_clusters : int
    note : str
        Why something is NaN.
    """

    estimate: float
    se: float
    t: float
    df: float
    p_value: float
    low: float
    high: float
    mde: float
    n_events: int
    n_clusters: int
    note: str = ""


def minimum_detectable_effect(se: float, power: float = 0.8, alpha: float = 0.05) -> float:
    r"""Effect that a two-sided test of size ``alpha`` finds with probability ``power``.

    .. math::  (z_{1-\alpha/2} + z_{power})\,se

    2.8 standard errors for 5% and 80%. A test that does not reject says nothing about smaller effects.
    """
    if not 0 < alpha < 1 or not alpha < power < 1:
        raise ParameterError("impossible power or size", parameter="power", value=power, allowed="alpha < power < 1")
    return float((stats.norm.ppf(1 - alpha / 2) + stats.norm.ppf(power)) * se)


def positive(values: Floats) -> NDArray[np.bool_]:
    """Which values can be weights: finite and above zero."""
    return np.isfinite(values) & (values > 0)


def check_weights(weights: pd.Series) -> None:
    """Refuse weights that are given and not positive numbers.

    Raises
    ------
    InputError
        With all of them.
    """
    values = weights.to_numpy(dtype=np.float64)
    wrong = ~np.isnan(values) & ~positive(values)
    if wrong.any():
        name = str(weights.name or "weight")
        raise InputError(
            "weights that are not positive numbers",
            parameter="weights",
            rows=offences((weights.index[i], name, float(values[i]), "not positive") for i in np.flatnonzero(wrong)),
            remedy="Leave an unknown one empty.",
        )


def effect(
    response: pd.Series, cluster: pd.Series, covariate: pd.Series | None = None, weights: pd.Series | None = None
) -> Effect:
    r"""Mean of a response, or its least-squares slope on one covariate, with clustered errors.

    .. math::  se^2 = \frac{G}{G-1}\frac{n-1}{n-k}\,\big[(X'WX)^{-1}\textstyle\sum_g X_g'W_gu_gu_g'W_gX_g
               (X'WX)^{-1}\big]_{jj}

    For an unweighted mean that is METHODS 4.16. With a covariate of 0 and 1 the slope is a difference of
    (weighted) means.

    Parameters
    ----------
    response, cluster, covariate : Series indexed alike
        Events with a missing response or covariate are left out.
    weights : Series indexed alike, optional
        Positive, such as market capitalisations; events without one are left out. Equal by default.

    Returns
    -------
    Effect
        With a reason and without a standard error where the data cannot give one: fewer than two
        clusters, no variation, or a covariate that would not vary without one of the clusters, whose
        own spread the residuals then do not show.

    Raises
    ------
    InputError
        Weights that are not positive numbers.
    """
    if weights is not None:
        check_weights(weights)
    kept = response.notna() & cluster.notna()
    for other in (covariate, weights):
        if other is not None:
            kept &= other.notna()
    y = response[kept].to_numpy(dtype=np.float64)
    labels = clusters.codes(cluster[kept])
    x = None if covariate is None else covariate[kept].to_numpy(dtype=np.float64)
    w = None if weights is None else weights[kept].to_numpy(dtype=np.float64)
    return effect_of_arrays(y, labels, x, w)


def effect_of_arrays(
    y: Floats, labels: NDArray[np.int64], x: Floats | None = None, weights: Floats | None = None
) -> Effect:
    """As :func:`effect`, of complete arrays; ``labels`` are 0 to G - 1, ``weights`` positive."""
    n, g = len(y), int(labels.max(initial=-1)) + 1
    if n == 0:
        return _undefined(np.nan, 0, 0, "no event")
    X = np.ones((n, 1)) if x is None else np.column_stack([x, np.ones(n)])
    if x is not None and (n < 3 or np.ptp(x) <= 1e-12 * np.abs(x).max()):
        return _undefined(np.nan, n, g, "the covariate does not vary")
    if weights is not None:
        root = np.sqrt(weights / weights.mean())
        X, y = X * root[:, None], y * root
    if x is not None and g > 1 and _rests_on_one_cluster(x, labels, g):
        estimate = float(np.linalg.lstsq(X, y, rcond=None)[0][0])
        note = "without one cluster the covariate does not vary, so that cluster alone decides the slope"
        return _undefined(estimate, n, g, note)
    return slope(y, X, labels)


def slope(y: Floats, X: Floats, labels: NDArray[np.int64]) -> Effect:
    """Coefficient of the first column of a design with its clustered error; the columns must not be collinear."""
    n, g = len(y), int(labels.max(initial=-1)) + 1
    beta = np.linalg.lstsq(X, y, rcond=None)[0]
    estimate = float(beta[0])
    if g < 2:
        return _undefined(estimate, n, g, "fewer than two clusters")
    if n <= X.shape[1]:
        return _undefined(estimate, n, g, "fewer events than parameters")
    u = y - X @ beta
    se = float(np.sqrt(clusters.cluster_covariance(X, u, labels)[0, 0]))
    if not se > 8 * np.finfo(float).eps * np.abs(y).max():
        return _undefined(estimate, n, g, "no variation")
    half, t = float(stats.t.ppf(0.975, g - 1)) * se, estimate / se
    p = float(2 * stats.t.sf(abs(t), g - 1))
    mde = minimum_detectable_effect(se)
    return Effect(estimate, se, t, float(g - 1), p, estimate - half, estimate + half, mde, n, g)


def _rests_on_one_cluster(x: Floats, labels: NDArray[np.int64], g: int) -> bool:
    """Whether leaving out one cluster leaves a covariate without variation."""
    low, high = np.full(g, np.inf), np.full(g, -np.inf)
    np.minimum.at(low, labels, x)
    np.maximum.at(high, labels, x)
    # Of two clusters, leaving out either leaves the other: only that one must vary.
    smallest, largest = np.partition(low, 1)[:2], np.partition(high, g - 2)[g - 2 :][::-1]
    without_low = np.where(low == smallest[0], smallest[1], smallest[0])
    without_high = np.where(high == largest[0], largest[1], largest[0])
    return bool((without_high - without_low <= 1e-12 * np.abs(x).max()).any())


def _undefined(estimate: float, n: int, g: int, note: str) -> Effect:
    nan = float("nan")
    return Effect(estimate, nan, nan, nan, nan, nan, nan, nan, n, g, note)
