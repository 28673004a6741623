"""Portfolios that carry the cross-correlation of events in their own time series (METHODS 6.5, 6.7)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from research.analysis._design import Names, check_design, check_variation, collinear_columns, design_matrices
from research.analysis.effects import positive
from research.analysis.period_regressions import automatic_lags
from research.analysis.regressions import prepare
from research.errors import InputError, ParameterError, in_words, offences
from research.study.models import BlumeModel, DimsonModel, GarchModel, ScholesWilliamsModel, VasicekModel
from research.study.results import EventStudyResults
from research.study.settings import whole_number

Floats = NDArray[np.float64]

#: Market models with another slope than that of least squares on the market.
_NOT_LEAST_SQUARES = (BlumeModel, DimsonModel, GarchModel, ScholesWilliamsModel, VasicekModel)

#: Days with fewer firms are left out of a calendar-time portfolio.
MIN_FIRMS = 5


def sefcik_thompson(results: EventStudyResults, formula: str, day: str | pd.Timestamp | None = None) -> pd.DataFrame:
    r"""Cross-sectional regression of events on one date, with standard errors from portfolio time series.

    .. math::  W = (F'F)^{-1}F', \qquad P_t = W R_t, \qquad P_{jt} = a_j + b_j'x_t + d_j D_{0t} + e_{jt}

    Parameters
    ----------
    results : EventStudyResults
        Its model gives ``x``: one that is estimated by plain least squares, or not at all. The estimation
        days are those on which every firm has a return and none is cut.
    formula : str
        Such as ``"car ~ eps_surprise"``; only its right side matters, the response is day zero's return.
    day : date, optional
        Day zero; needed where the results have several.

    Returns
    -------
    DataFrame indexed by coefficient
        ``estimate`` (:math:`d_j`, the least-squares coefficient of day-zero abnormal returns on
        F), ``se, t, df, p_value``. The standard error carries the correlation across firms, but
        takes the event day to be as quiet as the others: event-induced variance is not in it.

    Raises
    ------
    ParameterError
        Several day zeros without ``day``, a day without events, an unknown covariate, a model with
        regressors of its own for each firm, or one whose estimates are not plain least squares.
    InputError
        A covariate that does not vary on that day, or too few common estimation days.

    Notes
    -----
    Source: Sefcik and Thompson (1986, Journal of Accounting Research 24).
    """
    sample, _, names = prepare(results, formula, (0, 0))
    days = sample["day_zero"].unique()
    if day is None and len(days) != 1:
        raise ParameterError(
            f"the events have {len(days)} day zeros; these portfolios are for one", parameter="day",
            allowed=in_words((f"{one:%Y-%m-%d}" for one in sample["day_zero"].value_counts().index), 5),
            remedy="For events on many days use regress(..., cluster='day_zero').",
        )  # fmt: skip
    chosen = pd.Timestamp(days[0] if day is None else day)
    sample = sample[sample["day_zero"] == chosen]
    if not len(sample):
        raise ParameterError("no event has this day zero", parameter="day", value=f"{chosen:%Y-%m-%d}")
    check_variation(sample, Names((), names.covariates))
    F = design_matrices(formula, sample)[1]
    check_design(F, F.index)
    rows = np.array([results.locate(str(name)) for name in F.index])
    y, x = _time_series(results, rows)
    weights = np.linalg.solve(F.to_numpy().T @ F.to_numpy(), F.to_numpy().T)
    P = y @ weights.T
    dummy = np.zeros(len(y))
    dummy[-1] = 1.0
    design = np.column_stack([x, dummy])
    n, k = design.shape
    if n <= k:
        raise InputError(f"{n - 1} common estimation days cannot identify {k - 1} parameters", parameter="results")
    inverse = np.linalg.inv(design.T @ design)
    coefficients = inverse @ design.T @ P
    residuals = P - design @ coefficients
    se = np.sqrt((residuals**2).sum(axis=0) / (n - k) * inverse[-1, -1])
    estimate = coefficients[-1]
    t = estimate / se
    columns = {"estimate": estimate, "se": se, "t": t, "df": float(n - k), "p_value": 2 * stats.t.sf(np.abs(t), n - k)}
    return pd.DataFrame(columns, index=F.columns)


def _time_series(results: EventStudyResults, rows: NDArray[np.intp]) -> tuple[Floats, Floats]:
    """Returns of the events' firms on their common estimation days and day zero, and the model's regressors."""
    if not results.shares_regressors:
        raise ParameterError(
            f"the model {results.model.name!r} has regressors of its own for each firm, so no portfolio can be "
            "regressed on them", parameter="results", remedy="Fit the study with a market or factor model.",
        )  # fmt: skip
    if isinstance(results.model, _NOT_LEAST_SQUARES):
        raise ParameterError(
            f"the estimates of the model {results.model.name!r} are not plain least squares on its regressors, so the "
            "portfolios would not have its abnormal returns", parameter="results",
            allowed="market, market-adjusted, mean-adjusted, capm, or a factor model",
        )  # fmt: skip
    y, X = results.estimation_data(rows)
    zero, x_zero = results.event_data(rows, (0, 0))
    used = ~np.isnan(y).any(axis=0)
    return np.vstack([y[:, used].T, zero.T]), np.vstack([X[0, used], x_zero[0]])


@dataclass(frozen=True)
class CalendarTime:
    """Calendar-time portfolio and its regression.

    Attributes
    ----------
    table : DataFrame indexed by (portfolio, method)
        Methods ``OLS``, ``Newey-West`` and ``count-weighted``: ``alpha`` (decimals a day), ``se, t,
        df, p_value, low, high`` (95%), ``n_days``, ``mean_firms``, ``note`` (why something is NaN).
    returns : DataFrame indexed by session
        ``long, short, long_short`` and the firms held, ``n_long, n_short``; NaN on days with too few.
    min_firms : int
    lags : int
        Of Newey-West.
    factors : tuple of str
        What the portfolios were regressed on.
    excess : bool
        Whether a risk-free return was subtracted from the legs.
    """

    table: pd.DataFrame
    returns: pd.DataFrame
    min_firms: int
    lags: int
    factors: tuple[str, ...] = ()
    excess: bool = False


def calendar_time(
    returns: pd.DataFrame,
    positions: pd.DataFrame,
    factors: pd.DataFrame,
    *,
    min_firms: int = MIN_FIRMS,
    lags: int | None = None,
    risk_free: pd.Series | None = None,
) -> CalendarTime:
    r"""Hold every firm while it is inside its window; regress the daily return on factors.

    .. math::  R_{pt} - R_{ft} = \alpha + \beta' f_t + e_t

    Parameters
    ----------
    returns : DataFrame, sessions x tickers
    positions : DataFrame
        One row an event: ``ticker``, ``first`` and ``last`` session held, ``side`` (+1 long, -1 short), and
        optionally ``weight``, such as the market capitalisation before the announcement.
    factors : DataFrame
        On sessions, decimals; the market's excess return in the simplest case.
    min_firms : int, default 5
        A day counts only with at least so many firms in the leg (long-short: in each leg).
    lags : int, optional
        Of Newey-West; by default ``floor(4 (T/100)^(2/9))`` with the days of the long-short portfolio (of a
        leg, where there is no day with both).
    risk_free : Series, optional
        Subtracted from the legs; zero by default (the long-short return needs none).

    Returns
    -------
    CalendarTime
        The portfolio is rebalanced daily, to equal weights or to the positions' ``weight``. Count-weighted
        least squares gives a day the weight of its number of firms (long-short: the smaller leg's); its standard
        error is HC1. A firm held twice on a day counts once, with the weight of its later announcement.

    Raises
    ------
    ParameterError
        Impossible ``min_firms`` or ``lags``.
    InputError
        Positions without a column they need, of a ticker without returns, on neither side or of no
        positive weight, and factors that are infinite, repeat each other or do not vary. Where they do so on
        the days of one portfolio only, it has no estimate and a note.

    Notes
    -----
    Every day, not every event, is one observation, so that overlapping windows are no
    problem. Sources: Jaffe (1974, Journal of Business 47); Mandelker (1974, JFE 1); Fama (1998, JFE 49).
    """
    min_firms = whole_number("min_firms", min_firms, 1)
    lags = None if lags is None else whole_number("lags", lags, 0)
    _check_positions(positions, returns.columns)
    legs = {}
    for name, side in (("long", 1), ("short", -1)):
        legs[name] = _leg(returns, positions[positions["side"] == side], min_firms)
    daily = pd.DataFrame({name: leg[0] for name, leg in legs.items()}, index=returns.index)
    counts = pd.DataFrame({f"n_{name}": leg[1] for name, leg in legs.items()}, index=returns.index)
    daily["long_short"] = daily["long"] - daily["short"]
    weights = {
        "long": counts["n_long"],
        "short": counts["n_short"],
        "long_short": counts[["n_long", "n_short"]].min(axis=1),
    }
    if risk_free is not None:
        for name in legs:
            daily[name] -= risk_free.reindex(returns.index)
    days = daily.notna().sum()
    used_lags = automatic_lags(int(days["long_short"] or days.max())) if lags is None else lags
    x = factors.reindex(returns.index)
    _check_factors(x)
    parts = [_alphas(name, daily[name], x, weights[name], used_lags) for name in ("long", "short", "long_short")]
    table = pd.concat(parts).set_index(["portfolio", "method"])
    names = tuple(str(name) for name in factors.columns)
    return CalendarTime(table, daily.join(counts), min_firms, used_lags, names, risk_free is not None)


def _check_positions(positions: pd.DataFrame, tickers: pd.Index) -> None:
    """Refuse holdings that would silently be left out."""
    absent = [name for name in ("ticker", "first", "last", "side") if name not in positions.columns]
    if absent:
        raise InputError(
            "no column " + in_words(absent), parameter="positions", allowed="ticker, first, last, side and weight"
        )
    problems = {
        "ticker": ~positions["ticker"].isin(tickers),
        "side": ~positions["side"].isin([1, -1]),
        "last": positions["first"].isna() | positions["last"].isna() | (positions["last"] < positions["first"]),
    }
    if "weight" in positions.columns:
        weight = pd.to_numeric(positions["weight"], errors="coerce").to_numpy(dtype=np.float64)
        problems["weight"] = pd.Series(~positive(weight), index=positions.index)
    texts = {"ticker": "has no returns", "side": "neither 1 nor -1", "last": "before first, or missing"}
    rows = [
        (row, name, positions[name].iloc[at], texts.get(name, "not positive"))
        for name, wrong in problems.items()
        for at, (row, bad) in enumerate(wrong.items())
        if bad
    ]
    if rows:
        raise InputError("holdings that cannot be used", parameter="positions", rows=offences(rows))


def _leg(returns: pd.DataFrame, positions: pd.DataFrame, min_firms: int) -> tuple[Floats, Floats]:
    """Weighted return of the firms held each day, and how many they are."""
    held = np.zeros(returns.shape)
    ordered = positions.sort_values("first", kind="stable")
    first = returns.index.searchsorted(pd.DatetimeIndex(ordered["first"]), side="left")
    last = returns.index.searchsorted(pd.DatetimeIndex(ordered["last"]), side="right")
    columns = returns.columns.get_indexer(pd.Index(ordered["ticker"]))
    weights = ordered["weight"].to_numpy(dtype=np.float64) if "weight" in ordered.columns else np.ones(len(ordered))
    for a, b, column, weight in zip(first, last, columns, weights, strict=True):
        held[a:b, column] = weight
    values = returns.to_numpy(dtype=np.float64)
    held[np.isnan(values)] = 0.0
    count = (held > 0).sum(axis=1)
    total = np.where(held > 0, held * values, 0.0).sum(axis=1)
    enough = count >= min_firms
    mean = np.where(enough, total / np.where(enough, held.sum(axis=1), 1.0), np.nan)
    return mean, count.astype(np.float64)


def _check_factors(factors: pd.DataFrame) -> None:
    """Refuse factors that no portfolio can be regressed on: over all their days infinite, constant or repeated."""
    days = factors.dropna()
    design = pd.DataFrame(days.to_numpy(dtype=np.float64), index=days.index, columns=[str(one) for one in factors])
    design.insert(0, "alpha", 1.0, allow_duplicates=True)
    if len(design) > design.shape[1]:
        check_design(design, design.index.strftime("%Y-%m-%d"), "factors")


def _alphas(name: str, y: pd.Series, factors: pd.DataFrame, weights: pd.Series, lags: int) -> pd.DataFrame:
    """Intercept of one portfolio by the three methods."""
    usable = y.notna() & factors.notna().all(axis=1)
    Y = y[usable].to_numpy()
    X = np.column_stack([np.ones(len(Y)), factors[usable].to_numpy(dtype=np.float64)])
    w = weights[usable].to_numpy(dtype=np.float64)
    n, k = X.shape
    note = ""
    if not n:
        note = "no day with enough firms and all factors"
    elif n <= k:
        note = f"{n} {'day' if n == 1 else 'days'} for {k} parameters"
    elif repeated := collinear_columns(X):
        names = ["alpha", *map(str, factors.columns)]
        note = f"on these {n} days perfect collinearity among " + in_words(names[j] for j in repeated)
    identified = not note
    shared = {"portfolio": name, "n_days": n, "mean_firms": float(w.mean()) if n else np.nan, "note": note}
    rows = []
    for method in ("OLS", "Newey-West", "count-weighted"):
        alpha = se = np.nan
        if identified:
            alpha, se = _intercept(X, Y, w, method, lags)
        df = float(n - k) if identified else np.nan
        half = float(stats.t.ppf(0.975, df)) * se if identified else np.nan
        t = alpha / se
        p = float(2 * stats.t.sf(abs(t), df)) if identified else np.nan
        rows.append(
            {"method": method, "alpha": alpha, "se": se, "t": t, "df": df, "p_value": p,
             "low": alpha - half, "high": alpha + half, **shared}
        )  # fmt: skip
    return pd.DataFrame(rows)


def _intercept(X: Floats, y: Floats, weights: Floats, method: str, lags: int) -> tuple[float, float]:
    """Intercept and its standard error."""
    n, k = X.shape
    root = np.sqrt(weights)[:, None] if method == "count-weighted" else np.ones((n, 1))
    A, b = X * root, y * root[:, 0]
    bread = np.linalg.inv(A.T @ A)
    beta = bread @ A.T @ b
    u = b - A @ beta
    if method == "OLS":
        return float(beta[0]), float(np.sqrt(u @ u / (n - k) * bread[0, 0]))
    scores = A * u[:, None]
    meat = scores.T @ scores
    if method == "Newey-West":
        for j in range(1, min(lags, n - 1) + 1):
            cross = scores[j:].T @ scores[:-j]
            meat += (1 - j / (lags + 1)) * (cross + cross.T)
    return float(beta[0]), float(np.sqrt((bread @ meat @ bread)[0, 0] * n / (n - k)))
