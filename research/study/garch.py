"""GARCH(1,1) market model: Gaussian likelihood, its maximum, and variance forecasts.

Returns are multiplied by 100 for conditioning, as is usual; parameters come back in
decimals.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.signal import lfilter

Floats = NDArray[np.float64]

_SCALE = 100.0

#: Residuals whose mean square is below this share of the return's are rounding.
ROUNDING = 1e-28

_LOG_2PI = float(np.log(2 * np.pi))


def conditional_variance(errors: Floats, omega: float, a: float, b: float, backcast: float) -> Floats:
    r"""Conditional variances of a run of errors.

    .. math::  h_t = \omega + a\,\varepsilon_{t-1}^2 + b\,h_{t-1}, \qquad h_1 = \omega + (a + b)\,v

    Parameters
    ----------
    errors : ndarray of shape (M,)
    backcast : float
        ``v``, the mean squared least-squares residual, in the place of everything before the window.

    Returns
    -------
    ndarray of shape (M,)
    """
    driven = np.empty_like(errors)
    driven[0] = omega + (a + b) * backcast
    driven[1:] = omega + a * errors[:-1] ** 2
    # The recursion in b alone is a first-order linear filter.
    return lfilter([1.0], [1.0, -b], driven)


def log_likelihood(parameters: Floats, y: Floats, x: Floats, backcast: float) -> float:
    r"""Gaussian log-likelihood of the market model with GARCH(1,1) errors.

    .. math::  -\tfrac12 \sum_t \left[\ln 2\pi + \ln h_t + \varepsilon_t^2/h_t\right]

    Parameters
    ----------
    parameters : (alpha, beta, omega, a, b)
        On the scale of ``y``.
    y, x : ndarray of shape (M,)
        Return and market return on complete rows, in order.
    backcast : float
        Mean squared least-squares residual.
    """
    alpha, beta, omega, a, b = parameters
    errors = y - alpha - beta * x
    h = conditional_variance(errors, omega, a, b, backcast)
    return float(-0.5 * (_LOG_2PI * len(y) + np.log(h).sum() + (errors**2 / h).sum()))


@dataclass(frozen=True)
class GarchFit:
    """Maximum-likelihood estimates of one event, in decimals.

    Attributes
    ----------
    variance : ndarray of shape (L,)
        Forecast variance of each day of the event window.
    converged : bool
    """

    alpha: float
    beta: float
    omega: float
    a: float
    b: float
    variance: Floats
    converged: bool


def fit(y: Floats, x: Floats, ahead: NDArray[np.int64]) -> GarchFit:
    """Fit one event.

    Parameters
    ----------
    y, x : ndarray of shape (M,)
        Return and market return on the complete rows of the estimation window, decimals.
    ahead : ndarray of shape (L,)
        Sessions from the end of the estimation window to each day of the event window, at least 1.

    Returns
    -------
    GarchFit
        Not converged, and NaN, where the market explains the return without a residual.
    """
    y, x = _SCALE * y, _SCALE * x
    design = np.column_stack([np.ones_like(x), x])
    start, *_ = np.linalg.lstsq(design, y, rcond=None)
    backcast = float(np.mean((y - design @ start) ** 2))
    if backcast <= ROUNDING * float(np.mean(y**2)):
        return _none(len(ahead))
    spread = np.sqrt(backcast)

    def natural(theta: Floats) -> Floats:
        # Persistence and the share of the news keep a, b >= 0 and a + b < 1 as plain bounds.
        persistence, news = theta[3], theta[4]
        return np.array(
            [theta[0] * spread, theta[1], theta[2] * backcast, persistence * news, persistence * (1 - news)]
        )

    def loss(theta: Floats) -> float:
        return -log_likelihood(natural(theta), y, x, backcast) / len(y)

    found = []
    for persistence, news in ((0.95, 0.08), (0.6, 0.3), (0.1, 0.5)):
        theta = np.array([start[0] / spread, start[1], 1 - persistence, persistence, news])
        bounds = [(None, None), (None, None), (1e-8, 10.0), (0.0, 0.9999), (0.0, 1.0)]
        options = {"maxiter": 500, "ftol": 1e-12}
        found.append(minimize(loss, theta, method="L-BFGS-B", bounds=bounds, options=options))
    best = min(found, key=lambda one: float(one.fun))
    alpha, beta, omega, a, b = natural(best.x)
    errors = y - alpha - beta * x
    h = conditional_variance(errors, omega, a, b, backcast)
    variance = forecast(h[-1], errors[-1], omega, a, b, ahead)
    return GarchFit(
        alpha=float(alpha / _SCALE),
        beta=float(beta),
        omega=float(omega / _SCALE**2),
        a=float(a),
        b=float(b),
        variance=variance / _SCALE**2,
        converged=bool(best.success),
    )


def _none(length: int) -> GarchFit:
    """Residuals without variance have no likelihood to maximise."""
    nan = float("nan")
    return GarchFit(nan, nan, nan, nan, nan, variance=np.full(length, nan), converged=False)


def forecast(h_last: float, error_last: float, omega: float, a: float, b: float, ahead: NDArray[np.int64]) -> Floats:
    r"""Variance forecasts ``j`` sessions after the last observation.

    .. math::  h_{M+1} = \omega + a\,\varepsilon_M^2 + b\,h_M, \qquad
               h_{M+j} = \bar h + (a + b)^{j-1}(h_{M+1} - \bar h), \quad \bar h = \omega/(1 - a - b)
    """
    following = omega + a * error_last**2 + b * h_last
    level = omega / (1 - a - b)
    return np.asarray(level + (a + b) ** (ahead - 1.0) * (following - level))
