"""The restricted wild-cluster bootstrap: inference with few clusters (METHODS 4.17, 6.9)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from research.analysis import clusters
from research.errors import InputError, ParameterError
from research.study.settings import coverage, whole_number

Floats = NDArray[np.float64]

#: Up to this many clusters all sign patterns are enumerated.
ENUMERATE = 12

#: Sign patterns handled together.
_CHUNK = 2048

#: A bootstrap statistic this close to the observed one is the same one: sums in another order.
_TIE = 1e-9


@dataclass(frozen=True)
class BootstrapResult:
    """Outcome of a wild-cluster bootstrap of one coefficient.

    Attributes
    ----------
    term, cluster : str
    estimate, se, statistic : float
        Coefficient, CR1 standard error, and t of the null.
    p_value : float
        Two-sided, of ``|t|``.
    null : float
        Value of the coefficient under the null.
    low, high : float
        Limits of the confidence interval: the nulls that the test does not reject. NaN when they
        were not asked for, infinite when the test rejects no null on that side.
    n_clusters, draws : int
        Clusters, and sign patterns used.
    enumerated : bool
        Whether these are all patterns; then ``p_value`` is exact.
    granularity : float
        Smallest difference between two p-values: ``2 / 2**G`` enumerated, else ``1 / (draws + 1)``.
    definition : str
    """

    term: str
    cluster: str
    estimate: float
    se: float
    statistic: float
    p_value: float
    null: float
    low: float
    high: float
    n_clusters: int
    draws: int
    enumerated: bool
    granularity: float
    definition: str


@dataclass(frozen=True)
class _Scores:
    """What the bootstrap needs of a regression, cluster by cluster (Roodman et al. 2019).

    With the null imposed the restricted residual is ``e - null * x`` where ``x`` is the
    regressor of interest with the others partialled out, so everything is linear in the
    null. Attributes ending in ``_e`` and ``_x`` are the two parts.
    """

    estimate: float
    size: float  # x'x
    factor: float  # CR1
    own_e: Floats  # x_g'e_g
    own_x: Floats  # x_g'x_g
    left: Floats  # x_g'X_g, clusters x parameters
    right_e: Floats  # (X'X)^-1 X_g'e_g
    right_x: Floats  # (X'X)^-1 X_g'x_g

    def moments(self, signs: Floats) -> _Moments:
        """Numerators and variances under each row of signs."""
        e = signs * self.own_e - (signs @ self.right_e) @ self.left.T
        x = signs * self.own_x - (signs @ self.right_x) @ self.left.T
        return _Moments(
            signs @ self.own_e,
            signs @ self.own_x,
            self.factor * np.einsum("ij,ij->i", e, e),
            self.factor * np.einsum("ij,ij->i", e, x),
            self.factor * np.einsum("ij,ij->i", x, x),
        )


@dataclass(frozen=True)
class _Moments:
    """Shift ``e - null x`` and variance ``ee - 2 null ex + null^2 xx`` of the coefficient, per sign pattern."""

    e: Floats
    x: Floats
    ee: Floats
    ex: Floats
    xx: Floats

    def t(self, null: float) -> Floats:
        """The statistic of each pattern under a null."""
        with np.errstate(divide="ignore", invalid="ignore"):
            variance = np.maximum(self.ee - 2 * null * self.ex + null**2 * self.xx, 0.0)
            return np.asarray((self.e - null * self.x) / np.sqrt(variance))


@dataclass(frozen=True)
class _Test:
    """The observed statistic and the drawn ones, as functions of the null."""

    observed: _Moments
    drawn: _Moments
    enumerated: bool

    def p_value(self, null: float) -> float:
        """Share of patterns whose statistic is at least as large; NaN without an observed one."""
        observed = abs(float(self.observed.t(null)[0]))
        if not np.isfinite(observed):
            return float("nan")
        # A pattern without variance has no statistic; counting it is the cautious side.
        exceeding = int((~(np.abs(self.drawn.t(null)) < observed * (1 - _TIE))).sum())
        n = len(self.drawn.e)
        return exceeding / n if self.enumerated else (1 + exceeding) / (n + 1)


def wild_cluster_bootstrap(
    fitted: Any,
    term: str | None = None,
    cluster: str = "day_zero",
    *,
    null: float = 0.0,
    draws: int = 9999,
    seed: int = 0,
    interval: bool = True,
    confidence: float = 0.95,
) -> BootstrapResult:
    r"""Restricted wild-cluster bootstrap of one coefficient (WCR, Rademacher weights, CR1 t).

    .. math::  y^* = X\tilde\beta + v_g \tilde u_g, \quad v_g = \pm 1, \qquad
               p = \Pr(|t^*| \ge |t|)

    Residuals and coefficients are those of the regression with the null imposed. Up to 12
    clusters every pattern of signs is used, the identity included, and p is exact; else
    ``p = (1 + #) / (draws + 1)`` over seeded draws, with the clusters in the order of their
    labels, so that the order of the events is immaterial.

    Parameters
    ----------
    fitted : statsmodels results of :func:`research.analysis.regressions.regress`
    term : str, optional
        Coefficient; by default the first after the intercept.
    cluster : str, default "day_zero"
    null : float, default 0
    draws : int, default 9999
    seed : int, default 0
    interval : bool, default True
        Also invert the test into a confidence interval.
    confidence : float, default 0.95

    Returns
    -------
    BootstrapResult

    Raises
    ------
    ParameterError
        An unknown coefficient, a single cluster, no draws.

    Notes
    -----
    With few clusters p cannot be small: with 5 of them it is never below 1/16. Sources:
    Cameron, Gelbach and Miller (2008, Review of Economics and Statistics 90); Roodman,
    MacKinnon, Nielsen and Webb (2019, Stata Journal 19).
    """
    draws, confidence = whole_number("draws", draws, 1), coverage(confidence)
    if not np.isfinite(null):
        raise ParameterError("no value of a coefficient", parameter="null", value=null, allowed="a finite number")
    if not isinstance(getattr(fitted, "sample", None), pd.DataFrame):
        raise ParameterError(
            "a fit without its sample", parameter="fitted", value=type(fitted).__name__, allowed="what regress returned"
        )
    cluster = clusters.one_column(cluster)
    position = clusters.term_position(fitted, term)
    name = str(fitted.model.exog_names[position])
    labels = clusters.cluster_codes(fitted.sample, [cluster])[:, 0]
    scores = _scores(fitted, position, labels)
    g = int(labels.max()) + 1
    enumerated = g <= ENUMERATE
    test = _Test(scores.moments(np.ones((1, g))), _draw(scores, g, draws, seed), enumerated)
    n = len(test.drawn.e)
    se = float(
        np.sqrt(test.observed.ee - 2 * scores.estimate * test.observed.ex + scores.estimate**2 * test.observed.xx)[0]
    )
    se /= scores.size
    low = high = float("nan")
    if interval and np.isfinite(se) and se > 0:
        step = float(stats.t.ppf((1 + confidence) / 2, g - 1)) * se
        low = _limit(test, scores.estimate, -step, 1 - confidence)
        high = _limit(test, scores.estimate, step, 1 - confidence)
    weights = f"all {n} sign patterns" if enumerated else f"{n} draws, seed {seed}"
    return BootstrapResult(
        term=name,
        cluster=cluster,
        estimate=scores.estimate,
        se=se,
        statistic=float(test.observed.t(null)[0]),
        p_value=test.p_value(null),
        null=float(null),
        low=low,
        high=high,
        n_clusters=g,
        draws=n,
        enumerated=enumerated,
        granularity=2 / n if enumerated else 1 / (n + 1),
        definition=f"restricted wild-cluster bootstrap by {cluster}, Rademacher weights, {weights}, CR1 t",
    )


def _scores(fitted: Any, position: int, labels: NDArray[np.int64]) -> _Scores:
    """Cluster sums of one coefficient's regression."""
    X = np.asarray(fitted.model.exog, dtype=np.float64)
    y = np.asarray(fitted.model.endog, dtype=np.float64)
    n, k = X.shape
    others = np.delete(X, position, axis=1)
    basis, _ = np.linalg.qr(others)
    x = X[:, position] - basis @ (basis.T @ X[:, position])
    e = y - basis @ (basis.T @ y)
    size = float(x @ x)
    if size <= 1e-20 * float(X[:, position] @ X[:, position]):
        raise InputError("the coefficient is not identified", parameter="term", value=fitted.model.exog_names[position])
    g = int(labels.max()) + 1
    inverse = np.linalg.inv(X.T @ X)

    def summed(values: Floats) -> Floats:
        total = np.zeros((g, *values.shape[1:]))
        np.add.at(total, labels, values)
        return total

    return _Scores(
        estimate=float(x @ e) / size,
        size=size,
        factor=g / (g - 1) * (n - 1) / (n - k),
        own_e=summed(x * e),
        own_x=summed(x * x),
        left=summed(x[:, None] * X),
        right_e=summed(X * e[:, None]) @ inverse,
        right_x=summed(X * x[:, None]) @ inverse,
    )


def _draw(scores: _Scores, g: int, draws: int, seed: int) -> _Moments:
    """Moments of every sign pattern up to 12 clusters, else of seeded draws."""
    parts = [scores.moments(signs) for signs in sign_patterns(g, draws, seed)]
    return _Moments(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in _Moments.__dataclass_fields__)
    )


def sign_patterns(g: int, draws: int, seed: int) -> Iterator[Floats]:
    """Signs of ``g`` clusters in blocks of rows: every pattern up to :data:`ENUMERATE` clusters, else seeded draws."""
    if g <= ENUMERATE:
        bits = (np.arange(2**g)[:, None] >> np.arange(g)) & 1
        yield np.where(bits == 1, -1.0, 1.0)
        return
    rng = np.random.default_rng(seed)
    for start in range(0, draws, _CHUNK):
        bits = rng.integers(0, 2, size=(min(_CHUNK, draws - start), g), dtype=np.int8)
        yield np.where(bits == 1, -1.0, 1.0)


def _limit(test: _Test, estimate: float, step: float, alpha: float) -> float:
    """The null in the direction of ``step`` at which the test begins to reject, by doubling and bisection."""
    inside, outside = 0.0, 1.0
    while test.p_value(estimate + outside * step) > alpha:
        inside, outside = outside, 2 * outside
        if outside > 64:
            return float(np.copysign(np.inf, step))
    while outside - inside > 1e-4:
        middle = (inside + outside) / 2
        if test.p_value(estimate + middle * step) > alpha:
            inside = middle
        else:
            outside = middle
    return estimate + inside * step
