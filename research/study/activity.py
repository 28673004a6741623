r"""Non-directional reactions: how much happened, whichever way (METHODS 3.9)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from research.errors import InputError, ParameterError
from research.study import estimation
from research.study.inputs import session_labels

if TYPE_CHECKING:
    from research.study.results import EventStudyResults

Floats = NDArray[np.float64]


def beaver_u(results: EventStudyResults) -> pd.DataFrame:
    r"""Squared abnormal returns over their forecast-error variance.

    .. math::  U_{it} = \frac{AR_{it}^2}{s_i^2 C_{tt}}, \qquad E[U] = \frac{M-k}{M-k-2}

    under normality and an unchanged variance.

    Returns
    -------
    DataFrame, events x relative days
        NaN where the return is missing or the estimation window has no variance. Source:
        Beaver (1968, Journal of Accounting Research 6 supplement); Patell (1976, JAR 14).
    """
    errors = results.standard_errors
    return (results.abnormal_returns / errors.where(errors > 0)) ** 2


def average_u(results: EventStudyResults) -> pd.DataFrame:
    r"""Mean U per relative day, AVAR, and tests of an unchanged variance.

    .. math::  AVAR_t = \ln \bar U_t, \quad
               z_t = \frac{\sum_i (U_{it} - E_i)}{\sqrt{\sum_i V_i}}, \quad
               V = \frac{2 d^2 (d - 1)}{(d - 2)^2 (d - 4)}, \; d = M - k

    U is distributed F(1, d) under normality and an unchanged variance, which gives E and V
    for the z; the t is cross-sectional on U - E and needs independent events only.

    Returns
    -------
    DataFrame indexed by relative day
        ``mean_u, expected, avar, z, z_p_value, t, t_p_value, n_events``; z is NaN if an event
        has d <= 4. Source: Landsman and Maydew (2002, Journal of Accounting Research 40).
    """
    u = beaver_u(results).to_numpy()
    d = results.degrees_of_freedom[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        expected = np.where(d > 2, d / (d - 2), np.nan) + 0 * u
        variance = np.where(d > 4, 2 * d**2 * (d - 1) / ((d - 2) ** 2 * (d - 4)), np.nan) + 0 * u
    present = ~np.isnan(u)
    n = present.sum(axis=0)
    excess = u - expected
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.where(n > 0, np.where(present, u, 0).sum(axis=0) / n, np.nan)
        mean_expected = np.where(n > 0, np.where(present, expected, 0).sum(axis=0) / n, np.nan)
        average_excess = mean - mean_expected
        z = average_excess * n / np.sqrt(np.where(present, variance, 0).sum(axis=0))
        squares = (np.where(present, excess - average_excess, 0) ** 2).sum(axis=0)
        t = np.where((n > 1) & (squares > 0), average_excess / np.sqrt(squares / (n - 1) / n), np.nan)
        avar = np.log(mean)
    return pd.DataFrame(
        {
            "mean_u": mean,
            "expected": mean_expected,
            "avar": avar,
            "z": z,
            "z_p_value": 2 * stats.norm.sf(np.abs(z)),
            "t": t,
            "t_p_value": 2 * stats.t.sf(np.abs(t), np.maximum(n - 1, 1)),
            "n_events": n,
        },
        index=pd.Index(results.relative_days, name="relative_day"),
    )


def abnormal_volume(results: EventStudyResults, log_volume: pd.DataFrame) -> pd.DataFrame:
    r"""Log volume over its mean in the estimation window, in standard deviations of that window.

    .. math::  AV_{it} = \frac{\ln V_{it} - \overline{\ln V}_i}{sd_{M-1}(\ln V_i)}

    The days cut around other announcements are cut here as well; a turnover in logs
    serves in the place of volume where shares outstanding are known.

    Parameters
    ----------
    log_volume : DataFrame, sessions x tickers
        :meth:`Prices.log_volume`; NaN where there is no volume.

    Returns
    -------
    DataFrame, events x relative days
        NaN without volume on the day, or with fewer than ``min_observations`` days with
        volume in the estimation window.

    Raises
    ------
    InputError
        For volumes that are infinite (logs of 0), repeated columns or dates that cannot be read.
    """
    if not isinstance(log_volume, pd.DataFrame) or log_volume.columns.has_duplicates:
        raise InputError(
            "not a table with one column a ticker", parameter="log_volume", remedy="Pass sessions x tickers."
        )
    index = session_labels(log_volume.index, "log_volume")
    values = log_volume.to_numpy(dtype=np.float64, na_value=np.nan)
    if np.isinf(values).any():
        raise InputError("infinite log volumes", parameter="log_volume", remedy="Volumes of 0 are missing: use NaN.")
    frame = pd.DataFrame(values, index=index, columns=log_volume.columns.astype(str))
    out = np.full((len(results), len(results.relative_days)), np.nan)
    for rows, panel, events in results.volume_panels(frame):
        fit = estimation.fit_linear(panel, events, results.settings.estimation)
        usable = (fit.n_observations >= results.settings.min_observations) & (fit.sigma > 0)
        abnormal, _ = estimation.abnormal_returns(panel, events, fit, results.settings.window)
        with np.errstate(divide="ignore", invalid="ignore"):
            out[rows] = np.where(usable[:, None], abnormal / fit.sigma[:, None], np.nan)
    return pd.DataFrame(out, index=results.index, columns=pd.Index(results.relative_days, name="relative_day"))


def average_volume(volume: pd.DataFrame) -> pd.DataFrame:
    """Mean abnormal volume per relative day with a cross-sectional t.

    Parameters
    ----------
    volume : DataFrame, events x relative days
        As :func:`abnormal_volume` returns it.

    Returns
    -------
    DataFrame indexed by relative day
        ``mean, se, t, p_value, n_events``; independent events are assumed.

    Raises
    ------
    ParameterError
        If the table has no relative days.
    """
    if volume.shape[1] == 0:
        raise ParameterError("no relative days", parameter="volume")
    n = volume.notna().sum()
    se = volume.std(ddof=1) / np.sqrt(n)
    t = volume.mean() / se.where(se > 0)
    p_value = 2 * stats.t.sf(t.abs(), np.maximum(n - 1, 1))
    return pd.DataFrame({"mean": volume.mean(), "se": se, "t": t, "p_value": p_value, "n_events": n})
