"""Day-by-day tables of one event of a study."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from research.study import estimation

if TYPE_CHECKING:
    from research.study.results import EventStudyResults

Floats = NDArray[np.float64]


def path(results: EventStudyResults, i: int, confidence: float) -> pd.DataFrame:
    """Table of :meth:`EventStudyResults.path` for the used event at position ``i``."""
    part, row = results.home(i)
    ar, ar_se = part.abnormal[row[0]], part.errors[row[0]]
    car, car_se = _running(part.panel, part.events.part(row), estimation.select(part.fit, row), ar, results)
    if part.variance is not None:
        car_se = np.where(np.isnan(car), np.nan, np.sqrt(np.cumsum(part.variance[row[0]])))
    quantile = stats.t.ppf((1 + confidence) / 2, results.degrees_of_freedom[i])
    sessions, returns = results.returns_of(i, results.relative_days)
    table = pd.DataFrame({"session": sessions, "return": returns})
    for name, value, se in (("ar", ar, ar_se), ("car", car, car_se)):
        table[name], table[f"{name}_se"] = value, se
        table[f"{name}_low"], table[f"{name}_high"] = value - quantile * se, value + quantile * se
    return table.set_index(pd.Index(results.relative_days, name="relative_day"))


def _running(
    panel: estimation.Panel,
    one: estimation.Events,
    fit: estimation.LinearFit,
    ar: Floats,
    results: EventStudyResults,
) -> tuple[Floats, Floats]:
    """CAR from the window's first day to each day and its standard error; NaN from a gap on."""
    start = results.settings.window[0]
    car, se = np.full(len(ar), np.nan), np.full(len(ar), np.nan)
    for n in range(1, len(ar) + 1):
        if np.isnan(ar[n - 1]):
            break
        total, factor, _ = estimation.cumulative(panel, one, fit, ar[None, :n], (start, start + n - 1))
        car[n - 1], se[n - 1] = total[0], fit.sigma[0] * np.sqrt(factor[0])
    return car, se


def estimation_path(results: EventStudyResults, i: int) -> pd.DataFrame:
    """Table of :meth:`EventStudyResults.estimation_path` for the used event at position ``i``."""
    start, end = results.settings.estimation
    part, row = results.home(i)
    one = part.events.part(row)
    residual = estimation.residuals(part.panel, one, estimation.select(part.fit, row), (start, end))[0]
    present = ~np.isnan(part.panel.y[one.firm[0], one.day[0] + np.arange(start, end + 1)])
    sessions, returns = results.returns_of(i, np.arange(start, end + 1))
    table = pd.DataFrame({"return": returns, "residual": residual, "cut": np.isnan(residual) & present})
    return table.set_index(sessions.rename("session"))[sessions.notna()]
