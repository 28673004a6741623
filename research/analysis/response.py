"""Earnings-response curves: arctan, rank and quantile regressions (METHODS 6.2, 6.6)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import statsmodels.api as sm
from numpy.typing import NDArray
from scipy import optimize, stats

from research.analysis import clusters
from research.analysis._design import aligned, check_design, design_matrices, numbers
from research.analysis.ranks import Ranks, rank_surprises
from research.analysis.regressions import prepare, regress
from research.errors import InputError, ParameterError
from research.study.results import EventStudyResults

Floats = NDArray[np.float64]

#: Starting values of c, in units of one over the surprise's typical size.
_STARTS = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0)


@dataclass(frozen=True)
class ArctanResponse:
    r"""Fit of :math:`CAR = a + b \arctan(c \cdot UE)`.

    Attributes
    ----------
    intercept, scale, curvature : float
        ``a``, ``b`` (positive or negative) and ``c`` (positive).
    slope : float
        ``b c``, the response to a small surprise.
    saturation : float
        ``b pi / 2``, the response to a very large one, beside the intercept.
    slope_se, saturation_se, df, slope_p, saturation_p : float
        From the clustered covariance of (a, b, c) by the delta method; NaN for the linear fit's saturation.
    linear : bool
        The curvature is not identified (no minimum away from c = 0): the fit is the line.
    ssr, linear_ssr : float
    n_events : int
    note : str
    """

    intercept: float
    scale: float
    curvature: float
    slope: float
    saturation: float
    slope_se: float
    saturation_se: float
    df: float
    slope_p: float
    saturation_p: float
    linear: bool
    ssr: float
    linear_ssr: float
    n_events: int
    note: str

    def predict(self, surprise: Floats) -> Floats:
        """Expected response at given surprises."""
        ue = np.asarray(surprise, dtype=np.float64)
        if self.linear:
            return self.intercept + self.slope * ue
        return self.intercept + self.scale * np.arctan(self.curvature * ue)


def arctan_response(
    results: EventStudyResults,
    surprise: str = "eps_surprise",
    window: tuple[int, int] = (0, 1),
    *,
    cluster: str = "day_zero",
    data: pd.DataFrame | None = None,
) -> ArctanResponse:
    r"""Nonlinear earnings response: steep for small surprises, flat for large ones.

    .. math::  CAR_i = a + b \arctan(c\,UE_i) + u_i

    Least squares from several starting values of c (a and b follow linearly). Where c UE is
    small throughout, b and c are not identified apart; then the line is returned and says so.

    Parameters
    ----------
    results, window, data
        As in :func:`research.analysis.regressions.regress`.
    surprise : str
        Column of the surprise.
    cluster : str
        Of the standard errors (CR1).

    Raises
    ------
    ParameterError
        An unknown column or window.
    InputError
        A surprise that is missing for every event or does not vary, or fewer events than parameters.

    Notes
    -----
    Source: Freeman and Tse (1992, Journal of Accounting Research 30).
    """
    sample, _, _ = prepare(results, f"car ~ {surprise}", window, data, [cluster])
    ue, y = numbers(sample[surprise], "surprise").to_numpy(), sample["car"].to_numpy(dtype=float)
    if len(y) <= 3:
        raise InputError(f"{len(y)} events cannot identify 3 parameters", parameter="surprise")
    line = _linear(ue, y)
    unit = 1 / float(np.quantile(np.abs(ue[ue != 0]), 0.75))
    fits = [_bounded(ue, y, start * unit) for start in _STARTS]
    logc, ssr = min(fits, key=lambda fit: fit[1])
    c = float(np.exp(logc))
    labels = clusters.cluster_codes(sample, [cluster])[:, 0]
    df = float(labels.max())
    # The curve contains the line as c -> 0 and a step as c grows; at both ends b and c are one parameter.
    reach = c * float(np.abs(ue).max())
    if ssr >= line[2] * (1 - 1e-6) or reach < 0.05:
        X = np.column_stack([np.ones_like(ue), ue])
        covariance = clusters.cluster_covariance(X, y - X @ np.array(line[:2]), labels)
        se = float(np.sqrt(covariance[1, 1]))
        return ArctanResponse(
            line[0], np.nan, np.nan, line[1], np.nan, se, np.nan, df, _p(line[1], se, df), np.nan, True,
            line[2], line[2], len(y), "no curvature found: the line",
        )  # fmt: skip
    a, b = _amplitude(ue, y, c)
    gradient = np.column_stack([np.ones_like(ue), np.arctan(c * ue), b * ue / (1 + (c * ue) ** 2)])
    steep = c * float(np.abs(ue[ue != 0]).min()) > 50
    if steep or np.linalg.cond(gradient / np.linalg.norm(gradient, axis=0)) > 1e8:
        covariance, note = np.full((3, 3), np.nan), "a step: only the sign of the surprise matters, no slope at zero"
    else:
        covariance = clusters.cluster_covariance(gradient, y - a - b * np.arctan(c * ue), labels)
        note = ""
    slope_se = float(np.sqrt(np.array([0, c, b]) @ covariance @ np.array([0, c, b])))
    saturation_se = float(np.pi / 2 * np.sqrt(covariance[1, 1]))
    top = b * np.pi / 2
    return ArctanResponse(
        a, b, c, b * c, top, slope_se, saturation_se, df, _p(b * c, slope_se, df), _p(top, saturation_se, df), False,
        ssr, line[2], len(y), note,
    )  # fmt: skip


def _p(estimate: float, se: float, df: float) -> float:
    return float(2 * stats.t.sf(abs(estimate / se), df)) if se > 0 else float("nan")


def _linear(ue: Floats, y: Floats) -> tuple[float, float, float]:
    slope = float(np.cov(ue, y)[0, 1] / ue.var(ddof=1))
    intercept = float(y.mean() - slope * ue.mean())
    return intercept, slope, float(((y - intercept - slope * ue) ** 2).sum())


def _amplitude(ue: Floats, y: Floats, c: float) -> tuple[float, float]:
    """Intercept and scale at a given curvature."""
    x = np.arctan(c * ue)
    d = x - x.mean()
    b = float(d @ y / (d @ d))
    return float(y.mean() - b * x.mean()), b


def _bounded(ue: Floats, y: Floats, start: float) -> tuple[float, float]:
    """Curvature (its log) and residual sum of squares of the best fit near a start."""

    def loss(log_c: float) -> float:
        c = float(np.exp(log_c))
        a, b = _amplitude(ue, y, c)
        return float(((y - a - b * np.arctan(c * ue)) ** 2).sum())

    centre = float(np.log(start))
    found = optimize.minimize_scalar(
        loss, bounds=(centre - 1.5, centre + 1.5), method="bounded", options={"xatol": 1e-10}
    )
    return float(found.x), float(found.fun)


def rank_response(
    results: EventStudyResults,
    surprise: str = "eps_surprise",
    window: tuple[int, int] = (0, 1),
    *,
    grouping: str = "auto",
    data: pd.DataFrame | None = None,
    **choices: Any,
) -> tuple[Any, Ranks]:
    """Regression on the surprise's rank in [-0.5, 0.5]: the slope is top minus bottom group.

    Parameters
    ----------
    results, window, data
        As in :func:`research.analysis.regressions.regress`, and so is ``choices``.
    surprise : str
    grouping : str
        As in :func:`research.analysis.ranks.rank_surprises`.

    Returns
    -------
    fitted : statsmodels results
        With the coefficient ``surprise_rank``.
    ranks : Ranks
        How the groups were made.
    """
    sample, _, _ = prepare(results, f"car ~ {surprise}", window, data)
    ranks = rank_surprises(numbers(sample[surprise], "surprise"), sample["day_zero"], grouping)
    extra = pd.DataFrame({"surprise_rank": ranks.rank})
    if data is not None:
        event_ids = pd.Index(results.events["event_id"], name="event_id")
        extra = aligned(data, results, event_ids).join(extra)
    return regress(results, "car ~ surprise_rank", window, data=extra, **choices), ranks


def quantile_regressions(
    results: EventStudyResults,
    formula: str,
    window: tuple[int, int] = (0, 1),
    *,
    quantiles: float | Iterable[float] = (0.1, 0.25, 0.5, 0.75, 0.9),
    cluster: str | None = None,
    data: pd.DataFrame | None = None,
) -> dict[float, Any]:
    """Quantile regressions of the response, one a quantile.

    Parameters
    ----------
    results, formula, window, data
        As in :func:`research.analysis.regressions.regress`.
    quantiles : float or iterable of float
        Strictly between 0 and 1.
    cluster : str, optional
        Column within which events may move together, such as ``"day_zero"``; see
        :func:`quantile_cluster_covariance`. By default the standard errors are statsmodels'
        robust kernel estimate, which takes events to be independent.

    Returns
    -------
    dict of quantile to statsmodels QuantRegResults
        With ``sample``, ``ledger``, ``inference`` and ``choices`` as those of ``regress``.

    Raises
    ------
    ParameterError
        No quantiles, one outside 0 to 1, an unknown covariate or cluster.
    InputError
        As in :func:`research.analysis.regressions.regress`.

    Notes
    -----
    Source: Koenker and Bassett (1978, Econometrica 46).
    """
    given = list(quantiles) if isinstance(quantiles, Iterable) else [quantiles]
    chosen = [float(q) if isinstance(q, int | float | np.floating) else np.nan for q in given]
    if not chosen or any(not 0 < q < 1 for q in chosen):
        raise ParameterError("no quantiles", parameter="quantiles", value=quantiles, allowed="strictly between 0 and 1")
    cluster = None if cluster is None else clusters.one_column(cluster)
    sample, ledger, _ = prepare(results, formula, window, data, [] if cluster is None else [cluster])
    y, X = design_matrices(formula, sample)
    check_design(X, X.index)
    ledger = ledger.copy()
    ledger.loc[sample.index.difference(X.index), ["status", "reason"]] = ["left out", "a term is undefined"]
    sample = sample.loc[X.index]
    labels = None if cluster is None else clusters.cluster_codes(sample, [cluster])[:, 0]
    fits = {}
    for q in chosen:
        fit = sm.QuantReg(y, X).fit(q=q)
        fit.sample, fit.ledger = sample, ledger
        if labels is None:
            fit.inference = "robust kernel covariance, which takes events to be independent"
            fit.choices = {"standard errors": "kernel, independent events", "clusters": "–", "fixed effects": "–"}
        else:
            g = int(labels.max()) + 1
            fit._results.cov_params_default = quantile_cluster_covariance(
                X.to_numpy(), np.asarray(fit.resid), labels, q
            )
            fit._results.use_t, fit._results.df_resid_inference = True, g - 1
            fit.inference = f"clustered ({g} by {cluster}), uniform kernel, Student with {g - 1} degrees of freedom"
            fit.choices = {"standard errors": f"clustered by {cluster}", "clusters": f"{g:,}", "fixed effects": "–"}
        fits[q] = fit
    return fits


def quantile_cluster_covariance(X: Floats, residuals: Floats, labels: NDArray[np.int64], q: float) -> Floats:
    r"""Covariance of a quantile regression whose events move together within clusters.

    .. math::  V = \frac{G}{G-1} B^{-1} \Big[\sum_g s_g s_g'\Big] B^{-1}, \qquad
               s_g = \sum_{i \in g} x_i (q - 1\{u_i < 0\}), \qquad
               B = \frac{1}{2c} \sum_i 1\{|u_i| \le c\}\, x_i x_i'

    The bandwidth is :math:`c = \kappa\,(\Phi^{-1}(q + h) - \Phi^{-1}(q - h))` with the median absolute
    deviation of the residuals for :math:`\kappa` and Hall and Sheather's h.

    Parameters
    ----------
    X : ndarray of shape (n, k)
    residuals : ndarray of shape (n,)
    labels : ndarray of int, shape (n,)
        0 to G - 1.
    q : float

    Returns
    -------
    ndarray of shape (k, k)
        NaN where too few residuals lie near zero to tell the density there.

    Notes
    -----
    Source: Parente and Santos Silva (2016, Journal of Econometric Methods 5); the kernel of Powell
    (1991) and the bandwidth of Hall and Sheather (1988, JRSS-B 50).
    """
    n, k = X.shape
    z = float(stats.norm.ppf(q))
    h = n ** (-1 / 3) * stats.norm.ppf(0.975) ** (2 / 3) * (1.5 * stats.norm.pdf(z) ** 2 / (2 * z**2 + 1)) ** (1 / 3)
    h = min(h, 0.99 * min(q, 1 - q))
    spread = float(np.median(np.abs(residuals - np.median(residuals))))
    c = spread * float(stats.norm.ppf(q + h) - stats.norm.ppf(q - h))
    near = np.abs(residuals) <= c
    B = X[near].T @ X[near] / (2 * c) if c > 0 else np.zeros((k, k))
    if np.linalg.matrix_rank(B) < k:
        return np.full((k, k), np.nan)
    g = int(labels.max()) + 1
    scores = np.zeros((g, k))
    np.add.at(scores, labels, X * (q - (residuals < 0))[:, None])
    inverse = np.linalg.inv(B)
    return g / (g - 1) * (inverse @ (scores.T @ scores) @ inverse)
