"""One regression a quarter, then the mean of its coefficients (METHODS 6.4)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from research.analysis._design import PERIODS, collinear_columns, design_matrices
from research.analysis.regressions import prepare
from research.errors import InputError, ParameterError
from research.study.results import EventStudyResults
from research.study.settings import whole_number

Floats = NDArray[np.float64]


def newey_west(values: Floats, lags: int) -> float:
    r"""Standard error of a mean that allows for autocorrelation.

    .. math::  V = \frac1T\Big(\gamma_0 + 2\sum_{j \le q}\big(1 - \tfrac{j}{q+1}\big)\gamma_j\Big),
               \qquad \gamma_j = \frac1T\sum_t d_t d_{t-j}

    ``d`` are deviations from the mean. Source: Newey and West (1987, Econometrica 55).

    Parameters
    ----------
    values : ndarray of shape (T,), in order of time
    lags : int
        ``q``; 0 for none.
    """
    d = values - values.mean()
    n = len(d)
    total = d @ d / n
    for j in range(1, min(lags, n - 1) + 1):
        total += 2 * (1 - j / (lags + 1)) * (d[j:] @ d[:-j]) / n
    return float(np.sqrt(max(total, 0.0) / n))


def automatic_lags(n: int) -> int:
    """``floor(4 (T/100)^(2/9))``, Newey and West (1994, Review of Economic Studies 61)."""
    return int(np.floor(4 * (n / 100) ** (2 / 9)))


@dataclass(frozen=True)
class FamaMacBeth:
    """Mean of the coefficients of one regression a period.

    Attributes
    ----------
    table : DataFrame indexed by coefficient
        ``mean, se, t, df, p_value, low, high, n_periods``; 95% limits.
    periods : DataFrame indexed by period
        Coefficients of each period, with ``n_events`` and ``note`` (why a period has none).
    lags : int
        Of the Newey-West standard error.
    n_events : int
        Events in the periods used.
    """

    table: pd.DataFrame
    periods: pd.DataFrame
    lags: int
    n_events: int


def fama_macbeth(
    results: EventStudyResults,
    formula: str,
    window: tuple[int, int] = (0, 1),
    *,
    by: str = "quarter",
    lags: int | None = None,
    data: pd.DataFrame | None = None,
) -> FamaMacBeth:
    """Regress period by period, then test the mean of the coefficients.

    Parameters
    ----------
    results, formula, window, data
        As in :func:`research.analysis.regressions.regress`.
    by : {"quarter", "month", "week", "year"}
        Period of day zero.
    lags : int, optional
        Of the Newey-West standard error over periods; by default
        ``floor(4 (T/100)^(2/9))``.

    Returns
    -------
    FamaMacBeth
        Periods that cannot identify the coefficients are left out and say so. Student
        with ``T - 1`` degrees of freedom; NaN for fewer than two periods.

    Raises
    ------
    ParameterError
        An unknown period or covariate, or an impossible number of lags.
    InputError
        If no period identifies the coefficients.

    Notes
    -----
    Every period counts alike, however many events it has. Source: Fama and MacBeth (1973,
    Journal of Political Economy 81).
    """
    if by not in PERIODS:
        raise ParameterError("unknown period", parameter="by", value=by, allowed=", ".join(PERIODS))
    lags = None if lags is None else whole_number("lags", lags, 0)
    sample, _, _ = prepare(results, formula, window, data)
    y, X = design_matrices(formula, sample)
    rows, counts, notes = {}, {}, {}
    for period, part in sample.loc[X.index].groupby(by, sort=True):
        design = X.loc[part.index].to_numpy()
        counts[period] = len(part)
        n, k = design.shape
        if n <= k:
            notes[period] = f"{n} events for {k} parameters"
        elif collinear_columns(design):
            notes[period] = "collinear or constant in this period"
        else:
            rows[period] = np.linalg.lstsq(design, y.loc[part.index].to_numpy(), rcond=None)[0]
    if not rows:
        raise InputError(
            f"no {by} identifies the coefficients",
            parameter="formula",
            remedy="Use longer periods or fewer covariates.",
        )
    estimates = pd.DataFrame.from_dict(rows, orient="index", columns=list(X.columns))
    used = len(estimates)
    q = automatic_lags(used) if lags is None else int(lags)
    table = pd.DataFrame([_mean(estimates[name].to_numpy(), q) for name in estimates], index=estimates.columns)
    periods = estimates.reindex(sorted(counts))
    periods["n_events"] = pd.Series(counts)
    periods["note"] = pd.Series(notes, dtype=object).reindex(periods.index).fillna("")
    periods.index.name = by
    return FamaMacBeth(table, periods, q, int(sum(counts[period] for period in rows)))


def _mean(values: Floats, lags: int) -> dict[str, float]:
    n = len(values)
    mean = float(values.mean())
    se = newey_west(values, lags) if n > 1 else np.nan
    if not se > 8 * np.finfo(float).eps * np.abs(values).max():
        se = np.nan
    half = float(stats.t.ppf(0.975, n - 1)) * se if n > 1 else np.nan
    t = mean / se
    p = float(2 * stats.t.sf(abs(t), n - 1)) if n > 1 else np.nan
    return {
        "mean": mean, "se": se, "t": t, "df": n - 1, "p_value": p,
        "low": mean - half, "high": mean + half, "n_periods": n,
    }  # fmt: skip
