"""Betas corrected for non-synchronous trading or shrunk: least squares first, then one formula each."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from research.errors import ParameterError
from research.study import estimation
from research.study.estimation import Events, LinearFit, Panel
from research.study.models import (
    BlumeModel,
    DimsonModel,
    ExpectedReturnModel,
    ScholesWilliamsModel,
    VasicekModel,
)

Floats = NDArray[np.float64]


def with_neighbours(panel: Panel, market: Floats) -> Panel:
    """The panel restricted to estimation rows whose market lag and lead exist.

    Parameters
    ----------
    panel : Panel
        Of the market model.
    market : ndarray of shape (n_columns,)
        Padded market return, NaN where missing; lag and lead are read from it in full.
    """
    usable = np.isfinite(market) & np.isfinite(_shifted(market, -1)) & np.isfinite(_shifted(market, 1))
    return replace(panel, y_estimation=np.where(usable, panel.source, np.nan))


def needs_neighbours(model: ExpectedReturnModel) -> bool:
    """Whether a model's estimation rows need the market's lag and lead."""
    return isinstance(model, ScholesWilliamsModel | DimsonModel)


def corrected(
    model: ExpectedReturnModel,
    panel: Panel,
    events: Events,
    window: tuple[int, int],
    fit: LinearFit,
    market: Floats,
    workers: int | None = None,
) -> LinearFit:
    """The fit with the model's own beta, and the intercept reset to go through the means.

    ``sigma``, ``centre`` and the cross products stay those of the least-squares market
    model, so the standard errors are approximate (METHODS 2.1 to 2.3).
    """
    if isinstance(model, ScholesWilliamsModel):
        beta = _scholes_williams(panel, events, window, fit, market, workers)
    elif isinstance(model, DimsonModel):
        beta = _dimson(model, panel, events, window, market, workers)
    elif isinstance(model, VasicekModel):
        beta = _vasicek(model, fit)
    elif isinstance(model, BlumeModel):
        beta = 1 / 3 + 2 / 3 * fit.slopes[:, 0]
    else:
        return fit
    mean_return = fit.intercept + fit.slopes[:, 0] * fit.centre[:, 0]
    return replace(fit, slopes=beta[:, None], intercept=mean_return - beta * fit.centre[:, 0])


def _shifted(market: Floats, by: int) -> Floats:
    """The market return ``by`` sessions later (earlier if negative); NaN beyond the ends."""
    moved = np.full_like(market, np.nan)
    if by > 0:
        moved[:-by] = market[by:]
    else:
        moved[-by:] = market[:by]
    return moved


def _with_regressors(panel: Panel, *regressors: Floats) -> Panel:
    return replace(panel, regressors=np.nan_to_num(np.stack(regressors), nan=0.0))


def _scholes_williams(
    panel: Panel, events: Events, window: tuple[int, int], fit: LinearFit, market: Floats, workers: int | None
) -> Floats:
    """``(b-1 + b0 + b+1) / (1 + 2 rho_m)`` from three simple regressions on the same rows."""
    total = fit.slopes[:, 0].copy()
    for by in (-1, 1):
        shifted = _with_regressors(panel, _shifted(market, by))
        total += estimation.fit_linear(shifted, events, window, workers).slopes[:, 0]
    return total / (1 + 2 * _autocorrelation(panel, events, window, market, workers))


def _dimson(
    model: DimsonModel, panel: Panel, events: Events, window: tuple[int, int], market: Floats, workers: int | None
) -> Floats:
    """Sum of the slopes of one regression on lag, same day and lead."""
    joint = _with_regressors(panel, _shifted(market, -1), market, _shifted(market, 1))
    slopes = estimation.fit_linear(joint, events, window, workers).slopes
    if not model.fowler_rorke:
        return slopes.sum(axis=1)
    rho = _autocorrelation(panel, events, window, market, workers)
    weight = (1 + rho) / (1 + 2 * rho)
    return slopes[:, 1] + weight * (slopes[:, 0] + slopes[:, 2])


def _autocorrelation(
    panel: Panel, events: Events, window: tuple[int, int], market: Floats, workers: int | None
) -> Floats:
    """Correlation of the market with its lag on each event's estimation rows."""
    stand_in = replace(panel, y_estimation=np.where(np.isnan(panel.source), np.nan, market))
    lagged = estimation.fit_linear(_with_regressors(stand_in, _shifted(market, -1)), events, window, workers)
    return np.sign(lagged.slopes[:, 0]) * np.sqrt(np.maximum(lagged.r_squared, 0.0))


def _vasicek(model: VasicekModel, fit: LinearFit) -> Floats:
    """Precision-weighted mean of the estimate and the prior."""
    beta = fit.slopes[:, 0]
    if model.prior_mean is not None and model.prior_variance is not None:
        mean, variance = model.prior_mean, model.prior_variance
    elif len(beta) < 2:
        raise ParameterError(
            "the cross-section of one event gives no prior",
            parameter="model",
            value="vasicek",
            remedy="Study at least two events, or give VasicekModel(prior_mean, prior_variance).",
        )
    else:
        mean, variance = float(beta.mean()), float(beta.var(ddof=1))
    error = fit.sigma**2 * fit.gram_inverse[:, 0, 0]
    # Written without dividing by either variance: a share without residuals keeps its beta.
    total = error + variance
    return np.where(total > 0, (mean * error + beta * variance) / np.where(total > 0, total, 1.0), beta)
