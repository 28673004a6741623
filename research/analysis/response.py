"""Earnings-response curves: arctan, rank and quantile regressions (METHODS 6.2, 6.6)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import patsy
import statsmodels.api as sm
from numpy.typing import NDArray
from scipy import optimize, stats

from research.analysis import clusters
from research.analysis._design import aligned, check_design
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

    Notes
    -----
    Source: Freeman and Tse (1992, Journal of Accounting Research 30).
    """
    sample, _, _ = prepare(results, f"car ~ {surprise}", window, data, [cluster])
    ue, y = sample[surprise].to_numpy(dtype=float), sample["car"].to_numpy(dtype=float)
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
    ranks = rank_surprises(sample[surprise], sample["day_zero"], grouping)
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
    quantiles: Sequence[float] = (0.1, 0.25, 0.5, 0.75, 0.9),
    data: pd.DataFrame | None = None,
) -> dict[float, Any]:
    """Quantile regressions of the response, one a quantile.

    Parameters
    ----------
    results, formula, window, data
        As in :func:`research.analysis.regressions.regress`.
    quantiles : sequence of float
        Strictly between 0 and 1.

    Returns
    -------
    dict of quantile to statsmodels QuantRegResults
        Standard errors from statsmodels' robust kernel estimate; they assume independent events.

    Notes
    -----
    Source: Koenker and Bassett (1978, Econometrica 46).
    """
    chosen = [float(q) for q in quantiles]
    if not chosen or any(not 0 < q < 1 for q in chosen):
        raise ParameterError("no quantiles", parameter="quantiles", value=quantiles, allowed="strictly between 0 and 1")
    sample, ledger, _ = prepare(results, formula, window, data)
    y, X = patsy.dmatrices(formula, sample, return_type="dataframe", NA_action="drop")
    check_design(X, X.index)
    fits = {}
    for q in chosen:
        fits[q] = sm.QuantReg(y.iloc[:, 0], X).fit(q=q)
        fits[q].sample, fits[q].ledger = sample, ledger
        fits[q].inference = "robust kernel covariance, independent events"
        fits[q].choices = {"standard errors": "robust kernel", "clusters": "–", "fixed effects": "–"}
    return fits
