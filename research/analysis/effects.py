"""One number with its clustered uncertainty: a mean reaction, or the slope on one covariate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from research.analysis import clusters
from research.errors import ParameterError

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


def effect(response: pd.Series, cluster: pd.Series, covariate: pd.Series | None = None) -> Effect:
    r"""Mean of a response, or its least-squares slope on one covariate, with clustered errors.

    .. math::  se^2 = \frac{G}{G-1}\frac{n-1}{n-k}\,\big[(X'X)^{-1}\textstyle\sum_g X_g'u_gu_g'X_g(X'X)^{-1}\big]_{jj}

    For a mean that is METHODS 4.16. With a covariate of 0 and 1 the slope is a difference of means.

    Parameters
    ----------
    response, cluster, covariate : Series indexed alike
        Events with a missing response or covariate are left out.
    """
    kept = response.notna() & cluster.notna()
    if covariate is not None:
        kept &= covariate.notna()
    y = response[kept].to_numpy(dtype=np.float64)
    labels = clusters.codes(cluster[kept])
    x = None if covariate is None else covariate[kept].to_numpy(dtype=np.float64)
    return effect_of_arrays(y, labels, x)


def effect_of_arrays(y: Floats, labels: NDArray[np.int64], x: Floats | None = None) -> Effect:
    """As :func:`effect`, of complete arrays; ``labels`` are 0 to G - 1."""
    n, g = len(y), int(labels.max(initial=-1)) + 1
    X = np.ones((n, 1)) if x is None else np.column_stack([x, np.ones(n)])
    if x is not None and (n < 3 or np.ptp(x) <= 1e-12 * max(1.0, np.abs(x).max(initial=0))):
        return _undefined(np.nan, n, g, "the covariate does not vary")
    if n == 0:
        return _undefined(np.nan, 0, 0, "no event")
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


def _undefined(estimate: float, n: int, g: int, note: str) -> Effect:
    nan = float("nan")
    return Effect(estimate, nan, nan, nan, nan, nan, nan, nan, n, g, note)
