"""Plain loops and textbook regressions, written from the formulas and not from the package.

Everything works on positions in the sessions of ``returns.index``.
"""

from __future__ import annotations

import numpy as np
import statsmodels.api as sm


def estimation_positions(day, estimation, n_sessions, other_days, cut=True):
    """Positions of the estimation window, without days -1..+1 around the firm's other announcements."""
    banned = {d + k for d in other_days if d != day for k in (-1, 0, 1)} if cut else set()
    first, last = day + estimation[0], day + estimation[1]
    return [p for p in range(first, last + 1) if 0 <= p < n_sessions and p not in banned]


def dummy_regression(y, X, positions, day, window):
    """One OLS over estimation and event window with a dummy for each event day (statsmodels).

    ``X`` includes the constant if the model has one; days of the window with a missing
    return get no row and no dummy. Returns the fitted model and the relative days that
    have a dummy; the dummies are its last coefficients.
    """
    rows = [p for p in positions if np.isfinite(y[p]) and np.isfinite(X[p]).all()]
    days = [
        k
        for k in range(window[0], window[1] + 1)
        if 0 <= day + k < len(y) and np.isfinite(y[day + k]) and np.isfinite(X[day + k]).all()
    ]
    event_rows = [day + k for k in days]
    design = np.vstack([X[rows], X[event_rows]]) if X.shape[1] else np.zeros((len(rows) + len(days), 0))
    dummies = np.vstack([np.zeros((len(rows), len(days))), np.eye(len(days))])
    response = np.concatenate([y[rows], y[event_rows]])
    return sm.OLS(response, np.hstack([design, dummies])).fit(), days, len(rows)


def sum_of_dummies(fit, n_regressors):
    """Estimate, standard error and t of the sum of the event-day dummies."""
    contrast = np.zeros(len(fit.params))
    contrast[n_regressors:] = 1.0
    test = fit.t_test(contrast)
    return float(test.effect[0]), float(np.ravel(test.sd)[0]), float(np.ravel(test.tvalue)[0])


def loop_market_model(y, x, positions, day, window):
    """Market model by scalar sums: alpha, beta, sigma, M, AR, se per relative day."""
    pairs = [(y[p], x[p]) for p in positions if np.isfinite(y[p]) and np.isfinite(x[p])]
    m = len(pairs)
    x_mean = sum(b for _, b in pairs) / m
    y_mean = sum(a for a, _ in pairs) / m
    sxx = sum((b - x_mean) ** 2 for _, b in pairs)
    beta = sum((b - x_mean) * (a - y_mean) for a, b in pairs) / sxx
    alpha = y_mean - beta * x_mean
    sigma = (sum((a - alpha - beta * b) ** 2 for a, b in pairs) / (m - 2)) ** 0.5
    ar, se = [], []
    for k in range(window[0], window[1] + 1):
        p = day + k
        if 0 <= p < len(y) and np.isfinite(y[p]) and np.isfinite(x[p]):
            ar.append(y[p] - alpha - beta * x[p])
            se.append(sigma * (1 + 1 / m + (x[p] - x_mean) ** 2 / sxx) ** 0.5)
        else:
            ar.append(np.nan)
            se.append(np.nan)
    return alpha, beta, sigma, m, np.array(ar), np.array(se)
