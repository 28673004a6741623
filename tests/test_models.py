"""Every expected-return model against a route of its own: statsmodels with event-day dummies, or a loop."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

import research as es
from research.market.factors import FactorReturns
from research.study import garch
from research.study.models import (
    BlumeModel,
    DimsonModel,
    FactorModel,
    MatchedModel,
    ScholesWilliamsModel,
    TradeToTradeModel,
    VasicekModel,
)
from research.study.thin_trading import since_last_trade, spans, weighted
from tests import oracles
from tests.panels import ragged_panel

pytestmark = pytest.mark.filterwarnings("ignore::research.errors.ResearchWarning")

WINDOW, ESTIMATION = (-10, 10), (-250, -11)


@pytest.fixture(scope="module")
def panel():
    return ragged_panel()


@pytest.fixture(scope="module")
def factors(panel):
    rng = np.random.default_rng(11)
    names = ["SMB", "HML", "RMW", "CMA", "Mom"]
    table = pd.DataFrame(rng.normal(0, 0.005, (len(panel.market), 5)), index=panel.market.index, columns=names)
    table["RF"] = 0.00005
    table["Mkt-RF"] = panel.market - table["RF"]
    table.iloc[300, 1] = np.nan  # one factor missing on one day: that row is no complete row
    return table


def study(panel, model, **choices):
    choices = {"market": panel.market, "min_observations": 60, **choices}
    return es.EventStudy(panel.announcements, panel.returns, model, **choices).fit()


def used_events(panel, results):
    timed = panel.announcements.timed()
    known = {}
    for ticker, day in zip(panel.announcements.frame["ticker"], timed["day_zero"], strict=True):
        known.setdefault(ticker, []).append(panel.returns.index.get_loc(day))
    for i, (ticker, day_zero) in enumerate(results.index):
        yield i, ticker, panel.returns.index.get_loc(day_zero), known[ticker]


FACTOR_COLUMNS = {
    "capm": ["Mkt-RF"],
    "ff3": ["Mkt-RF", "SMB", "HML"],
    "carhart": ["Mkt-RF", "SMB", "HML", "Mom"],
    "ff5": ["Mkt-RF", "SMB", "HML", "RMW", "CMA"],
    "ff6": ["Mkt-RF", "SMB", "HML", "RMW", "CMA", "Mom"],
}


@pytest.mark.parametrize("model", [*FACTOR_COLUMNS, "alpha zero"])
def test_factor_models_agree_with_event_day_dummies(panel, factors, model):
    columns = FACTOR_COLUMNS.get(model, FACTOR_COLUMNS["ff3"])
    spec = FactorModel(columns, alpha_zero=True) if model == "alpha zero" else model
    results = study(panel, spec, factors=factors)
    X = factors[columns].to_numpy()
    if model != "alpha zero":
        X = np.column_stack([np.ones(len(X)), X])
    k = X.shape[1]
    car = results.car(-10, 10, missing="available")
    for i, ticker, day, known in list(used_events(panel, results))[::4]:
        y = (panel.returns[ticker] - factors["RF"]).to_numpy()
        rows = oracles.estimation_positions(day, ESTIMATION, len(y), known)
        ols, days, m = oracles.dummy_regression(y, X, rows, day, WINDOW)
        assert results.parameters["n_observations"].iloc[i] == m
        np.testing.assert_allclose(results.abnormal_returns.iloc[i][days], ols.params[k:], rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(results.standard_errors.iloc[i][days], ols.bse[k:], rtol=1e-9)
        effect, se, _ = oracles.sum_of_dummies(ols, k)
        np.testing.assert_allclose(car[["car", "se"]].iloc[i], [effect, se], rtol=1e-9, atol=1e-12)
        names = ["beta"] if model == "capm" else columns
        np.testing.assert_allclose(results.parameters[names].iloc[i], ols.params[k - len(names) : k], rtol=1e-8)


def market_rows(panel, ticker, day, known, neighbours=False):
    y, x = panel.returns[ticker].to_numpy(), panel.market.to_numpy()
    rows = [p for p in oracles.estimation_positions(day, ESTIMATION, len(y), known) if np.isfinite(y[p])]
    if neighbours:
        rows = [p for p in rows if 0 < p < len(x) - 1]
    return y, x, np.array(rows)


def slope(y, *x):
    return sm.OLS(y, sm.add_constant(np.column_stack(x))).fit().params


def test_scholes_williams_is_the_ratio_of_three_simple_slopes(panel):
    results = study(panel, ScholesWilliamsModel())
    for i, ticker, day, known in list(used_events(panel, results))[::5]:
        y, x, rows = market_rows(panel, ticker, day, known, neighbours=True)
        total = sum(slope(y[rows], x[rows + j])[1] for j in (-1, 0, 1))
        rho = np.corrcoef(x[rows], x[rows - 1])[0, 1]
        beta = total / (1 + 2 * rho)
        alpha = y[rows].mean() - beta * x[rows].mean()
        np.testing.assert_allclose(results.parameters[["alpha", "beta"]].iloc[i], [alpha, beta], rtol=1e-9, atol=1e-14)
        ar = y[day] - alpha - beta * x[day]
        np.testing.assert_allclose(results.abnormal_returns.loc[:, 0].iloc[i], ar, rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize("model", ["scholes-williams", "dimson"])
def test_the_markets_lag_is_read_from_before_the_first_return(panel, model):
    """The market series is longer than the returns: the first session of the grid has a lag."""
    event = panel.announcements.for_ticker("F05")
    late = panel.returns.iloc[200:]
    day = late.index[0]
    full = es.EventStudy(event, late, model, panel.market, min_observations=60).fit()
    cut_off = es.EventStudy(event, late, model, panel.market[day:], min_observations=60).fit()
    first = [i for i, zero in enumerate(full.index.get_level_values(1)) if late.index.get_loc(zero) <= 250]
    more = full.parameters["n_observations"] - cut_off.parameters["n_observations"]
    assert first
    assert (more.iloc[first] == 1).all()
    i, x = first[0], panel.market.to_numpy()
    y, _ = full.estimation_data(np.array([i]))
    zero = panel.returns.index.get_loc(full.index[i][1])
    rows = [p for p in range(zero - 250, zero - 10) if p >= 0 and not np.isnan(y[0][p - zero + 250])]
    assert rows[0] == 200
    values = panel.returns["F05"].to_numpy()[rows]
    rows = np.array(rows)
    if model == "scholes-williams":
        total = sum(slope(values, x[rows + j])[1] for j in (-1, 0, 1))
        beta = total / (1 + 2 * np.corrcoef(x[rows], x[rows - 1])[0, 1])
    else:
        beta = slope(values, x[rows - 1], x[rows], x[rows + 1])[1:].sum()
    np.testing.assert_allclose(full.parameters["beta"].iloc[i], beta, rtol=1e-9)


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("exact", [0.0, 1.3])
def test_shares_without_residuals_raise_no_flood_of_warnings(panel, exact):
    returns = panel.returns.assign(F05=exact * panel.market)
    few = panel.announcements.for_ticker("F05")
    with pytest.warns(es.ResearchWarning, match="did not converge for"):
        garch_results = es.EventStudy(few, returns, "garch", panel.market, min_observations=60).fit()
    assert garch_results.parameters[["alpha", "beta", "omega", "a", "b"]].isna().all(axis=None)
    assert garch_results.test([(0, 1)])["statistic"].isna().all()
    used = garch_results.ledger[garch_results.ledger["status"] == "used"]
    assert used["detail"].str.startswith("GARCH estimation did not converge").all()
    shrunk = es.EventStudy(few, returns, "vasicek", panel.market, min_observations=60).fit()
    np.testing.assert_allclose(shrunk.parameters["beta"], exact, atol=1e-12)


@pytest.mark.parametrize("fowler_rorke", [False, True])
def test_dimson_sums_the_slopes_of_one_regression(panel, fowler_rorke):
    results = study(panel, DimsonModel(fowler_rorke=fowler_rorke))
    for i, ticker, day, known in list(used_events(panel, results))[::5]:
        y, x, rows = market_rows(panel, ticker, day, known, neighbours=True)
        b = slope(y[rows], x[rows - 1], x[rows], x[rows + 1])[1:]
        rho = np.corrcoef(x[rows], x[rows - 1])[0, 1]
        w = (1 + rho) / (1 + 2 * rho) if fowler_rorke else 1.0
        np.testing.assert_allclose(results.parameters["beta"].iloc[i], b[1] + w * (b[0] + b[2]), rtol=1e-9)


def test_vasicek_shrinks_by_precision(panel):
    plain, shrunk = study(panel, "market"), study(panel, "vasicek")
    betas = plain.parameters["beta"]
    mean, variance = np.mean(betas), np.var(betas, ddof=1)
    for i, ticker, day, known in list(used_events(panel, plain))[::7]:
        y, x, rows = market_rows(panel, ticker, day, known)
        ols = sm.OLS(y[rows], sm.add_constant(x[rows])).fit()
        se2 = ols.bse[1] ** 2
        beta = (mean / variance + ols.params[1] / se2) / (1 / variance + 1 / se2)
        np.testing.assert_allclose(shrunk.parameters["beta"].iloc[i], beta, rtol=1e-9)
        np.testing.assert_allclose(
            shrunk.parameters["alpha"].iloc[i], y[rows].mean() - beta * x[rows].mean(), rtol=1e-9, atol=1e-14
        )
    given = study(panel, VasicekModel(prior_mean=1.0, prior_variance=1e12))
    np.testing.assert_allclose(given.parameters["beta"], betas, rtol=1e-9)
    blume = study(panel, BlumeModel())
    np.testing.assert_allclose(blume.parameters["beta"], 1 / 3 + 2 / 3 * betas, rtol=1e-12)


def test_vasicek_of_one_event_has_no_prior(panel):
    one = panel.announcements.select([panel.announcements.frame["event_id"].iloc[8]])
    with pytest.raises(es.ParameterError, match="no prior"):
        es.EventStudy(one, panel.returns, "vasicek", panel.market, known_announcements=panel.announcements).fit()


# -- GARCH --------------------------------------------------------------------------------


def garch_series(n=240, seed=2):
    rng = np.random.default_rng(seed)
    x, e, h = rng.normal(0, 0.9, n), np.empty(n), 1.0
    for t in range(n):
        e[t] = np.sqrt(h) * rng.standard_normal()
        h = 0.1 + 0.15 * e[t] ** 2 + 0.75 * h
    return 0.05 + 1.1 * x + e, x


def test_garch_likelihood_at_given_parameters_is_the_recursion():
    y, x = garch_series()
    backcast = 1.234
    alpha, beta, omega, a, b = 0.04, 1.2, 0.12, 0.1, 0.8
    total, h, previous = 0.0, None, None
    for t in range(len(y)):
        e = y[t] - alpha - beta * x[t]
        h = omega + (a + b) * backcast if t == 0 else omega + a * previous**2 + b * h
        total += -0.5 * (np.log(2 * np.pi) + np.log(h) + e * e / h)
        previous = e
    got = garch.log_likelihood(np.array([alpha, beta, omega, a, b]), y, x, backcast)
    np.testing.assert_allclose(got, total, rtol=1e-12)


def test_garch_maximum_is_at_least_as_likely_as_that_of_arch():
    arch = pytest.importorskip("arch")
    y, x = garch_series(900)
    ours = garch.fit(y / 100, x / 100, np.array([1, 5]))
    design = np.column_stack([np.ones_like(x), x])
    backcast = float(np.mean((y - design @ np.linalg.lstsq(design, y, rcond=None)[0]) ** 2))
    model = arch.arch_model(y, x=x[:, None], mean="ARX", lags=0, rescale=False)
    theirs = model.fit(disp="off", backcast=backcast).params.to_numpy()
    mine = np.array([100 * ours.alpha, ours.beta, 1e4 * ours.omega, ours.a, ours.b])
    assert ours.converged
    assert garch.log_likelihood(mine, y, x, backcast) >= garch.log_likelihood(theirs, y, x, backcast) - 1e-6
    np.testing.assert_allclose(mine, theirs, atol=0.03)


def test_garch_forecast_is_the_iterated_recursion():
    h, e, omega, a, b = 1.3, -0.7, 0.1, 0.12, 0.8
    one = omega + a * e**2 + b * h
    two = omega + (a + b) * one
    three = omega + (a + b) * two
    np.testing.assert_allclose(garch.forecast(h, e, omega, a, b, np.array([1, 2, 3])), [one, two, three], rtol=1e-12)


def test_many_maxima_show_a_progress_bar_on_stderr(panel, capsys, monkeypatch):
    few = es.EventStudy(
        panel.announcements.for_ticker("F05"), panel.returns, "garch", panel.market, min_observations=60
    )
    few.fit()
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr("research.study.fitting.SLOW_FROM", 5)
    few.fit()
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "GARCH" in shown.err


def test_garch_study_standardises_by_the_forecast(panel):
    few = panel.announcements.for_ticker("F05")
    results = es.EventStudy(few, panel.returns, "garch", panel.market, min_observations=60).fit()
    assert {"omega", "a", "b"} <= set(results.parameters.columns)
    errors = results.standard_errors.loc[:, 0:1]
    both = errors.notna().all(axis=1)
    expected = np.sqrt((errors**2).sum(axis=1))
    np.testing.assert_allclose(results.car(0, 1)["se"][both], expected[both], rtol=1e-12)
    path = results.path(0)
    if path["ar"].notna().all():
        np.testing.assert_allclose(path["car_se"], np.sqrt(np.cumsum(path["ar_se"] ** 2)), rtol=1e-12)


# -- matched peers -----------------------------------------------------------------------------


def test_matched_returns_leave_out_the_firm_and_neighbouring_announcers(panel):
    groups = {f"F{i:02d}": "odd" if i % 2 else "even" for i in range(11)}
    results = study(panel, MatchedModel(groups), other_announcements="keep")
    timed = panel.announcements.timed()
    announcing = {}
    for ticker, day in zip(panel.announcements.frame["ticker"], timed["day_zero"], strict=True):
        announcing.setdefault(ticker, set()).add(panel.returns.index.get_loc(day))
    R = panel.returns
    checked = 0
    for i, ticker, day, _ in list(used_events(panel, results))[::6]:
        peers = [
            name
            for name, group in groups.items()
            if group == groups[ticker] and name != ticker and not announcing[name] & {day - 1, day, day + 1}
        ]
        difference = R[ticker].to_numpy() - R[peers].mean(axis=1, skipna=True).to_numpy()
        rows = [p for p in range(max(day - 250, 0), day - 10) if np.isfinite(difference[p])]
        np.testing.assert_allclose(results.abnormal_returns.loc[:, 0].iloc[i], difference[day], rtol=1e-9, atol=1e-13)
        sigma = np.sqrt(np.mean(difference[rows] ** 2))
        np.testing.assert_allclose(results.parameters["sigma"].iloc[i], sigma, rtol=1e-9)
        checked += 1
    assert checked > 10
    lost = results.ledger[(results.ledger["ticker"] == "F11") & (results.ledger["status"] == "excluded")]
    assert set(lost["reason"]) == {"missing-market"}


@pytest.mark.parametrize("missing", [None, np.nan])
def test_a_missing_group_is_no_group(panel, missing):
    groups = {f"F{i:02d}": "one" if i < 6 else missing for i in range(12)}
    results = study(panel, MatchedModel(pd.Series(groups)))
    used = set(results.index.get_level_values("ticker"))
    assert used
    assert used <= {f"F{i:02d}" for i in range(6)}
    held = results.bhar(0, 1, reference=groups)
    assert held["bhar"].notna().sum() > 10
    whole = study(panel, "market").bhar(0, 1, reference=groups)
    assert whole.loc["F07", "bhar"].isna().all()


@pytest.mark.parametrize("groups", [{}, ["F01"], None])
def test_matching_needs_a_mapping(groups):
    with pytest.raises(es.ParameterError, match="no groups"):
        MatchedModel(groups)


# -- thin trading --------------------------------------------------------------------------------


def test_since_last_trade_and_spans():
    levels = pd.DataFrame({"A": [10.0, np.nan, 12.0, 12.6, np.nan, np.nan, np.nan, 13.0]})
    returns = since_last_trade(levels, max_gap=3)["A"]
    np.testing.assert_allclose(returns[[2, 3]], [0.2, 0.05])
    assert returns.isna().tolist() == [True, True, False, False, True, True, True, True]
    assert since_last_trade(levels, max_gap=4)["A"].iloc[-1] == pytest.approx(13 / 12.6 - 1)
    np.testing.assert_array_equal(spans(np.array([[0.1, np.nan, 0.2, 0.05]])), [[1, np.nan, 2, 1]])


def test_a_return_after_a_long_gap_has_no_span():
    """Trades on sessions 0, 1, 14, 15: the return of 14 is missing, and that of 15 spans one session, not 14."""
    levels = pd.DataFrame({"A": np.full(20, np.nan)})
    levels.loc[[0, 1, 14, 15, 16], "A"] = [10.0, 11.0, 12.0, 12.6, 12.5]
    market = np.linspace(-0.01, 0.01, 20)
    returns = since_last_trade(levels).to_numpy().T
    assert np.flatnonzero(np.isfinite(returns[0])).tolist() == [1, 15, 16]
    y, regressors, weights = weighted(returns, market)
    assert np.flatnonzero(np.isfinite(y[0])).tolist() == [1, 16]
    assert weights[0, 16] == 1
    np.testing.assert_allclose(regressors[:, 0, 16], [1, np.log1p(market[16])], rtol=1e-12)
    # With a longer gap allowed the return of 14 exists and spans 13 sessions.
    long = since_last_trade(levels, max_gap=13).to_numpy().T
    y, regressors, weights = weighted(long, market, max_gap=13)
    np.testing.assert_allclose(weights[0, [14, 15]], [np.sqrt(13), 1])
    np.testing.assert_allclose(regressors[1, 0, 14], np.log1p(market[2:15]).sum() / np.sqrt(13), rtol=1e-12)
    with pytest.raises(es.ParameterError, match="max_gap"):
        TradeToTradeModel(max_gap=0)


def test_trade_to_trade_agrees_with_weighted_least_squares():
    calendar = es.TradingCalendar("XNYS")
    sessions = calendar.sessions[calendar.sessions.slice_indexer("2019-01-02", "2021-12-31")]
    rng = np.random.default_rng(5)
    market = pd.Series(rng.normal(0, 0.01, len(sessions)), index=sessions, name="MKT")
    level = pd.Series(
        100 * np.exp(np.cumsum(1.2 * np.log1p(market) + rng.normal(0, 0.01, len(sessions)))), index=sessions
    )
    level[rng.random(len(sessions)) < 0.3] = np.nan
    day = 500
    level.iloc[day - 1 : day + 2] = level.ffill().iloc[day - 1 : day + 2] * [1.0, 1.03, 1.02]
    returns = since_last_trade(level.to_frame("THIN"))
    event = pd.DataFrame({"ticker": ["THIN"], "announced_at": [sessions[day].strftime("%Y-%m-%d")], "session": ["bmo"]})
    results = es.EventStudy(event, returns, TradeToTradeModel(), market, window=(-5, 5), estimation=(-250, -6)).fit()
    log_return, log_market = np.log1p(returns["THIN"].to_numpy()), np.log1p(market.to_numpy())
    rows, n = [], {}
    last = None
    for p in range(len(sessions)):
        if np.isfinite(log_return[p]):
            n[p] = p - last if last is not None else 1
            last = p
            rows.append(p)
    X = {p: np.array([n[p], log_market[p - n[p] + 1 : p + 1].sum()]) for p in rows}
    estimation = [p for p in rows if day - 250 <= p <= day - 6]
    fit = sm.WLS(
        [log_return[p] for p in estimation], [X[p] for p in estimation], weights=[1 / n[p] for p in estimation]
    ).fit()
    np.testing.assert_allclose(results.parameters[["alpha", "beta"]].iloc[0], fit.params, rtol=1e-9)
    np.testing.assert_allclose(results.parameters["sigma"].iloc[0], np.sqrt(fit.scale), rtol=1e-9)
    inside = [p for p in rows if day <= p <= day + 1]
    assert inside == [day, day + 1]
    v = sum(X[p] for p in inside)
    car = sum(log_return[p] for p in inside) - v @ fit.params
    variance = fit.scale * sum(n[p] for p in inside) + v @ fit.cov_params() @ v
    got = results.car(0, 1).iloc[0]
    np.testing.assert_allclose([got["car"], got["se"]], [car, np.sqrt(variance)], rtol=1e-9)
    # A window that begins on a session without a trade takes in what happened before it.
    gap = next(p for p in rows if day - 5 < p < day and n[p] > 1)
    assert np.isnan(results.car(gap - day, gap - day)["car"].iloc[0])


# -- factors ------------------------------------------------------------------------------------


def test_percent_factors_are_detected(factors):
    with pytest.raises(es.InputError, match="can only be per cent"):
        FactorReturns.from_frame(100 * factors)
    read = FactorReturns.from_frame(100 * factors, units="percent")
    pd.testing.assert_frame_equal(read.frame, factors, check_freq=False, rtol=1e-12)
    risk_free = factors.assign(RF=0.02)
    with pytest.raises(es.InputError, match="RF has a typical"):
        FactorReturns.from_frame(risk_free)
    with pytest.raises(es.InputError, match="decimals already"):
        FactorReturns.from_frame(factors, units="percent")


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("units", ["decimals", "percent"])
def test_a_factor_without_a_value_has_no_units(factors, units):
    given = (100 * factors if units == "percent" else factors).assign(SMB=np.nan)
    assert FactorReturns.from_frame(given, units=units).frame["SMB"].isna().all()
    assert FactorReturns.from_frame(given * np.nan, units=units).frame.isna().all(axis=None)


def test_dates_and_codes_of_factors_that_cannot_be_used_are_named(factors):
    """A stamp with a time of day would meet no session, and -99.99 would pass for a crash."""
    index = factors.index.to_series().reset_index(drop=True)
    index[2], index[5], index[7] = index[2] + pd.Timedelta("16h"), index[4], pd.NaT
    with pytest.raises(es.InputError) as caught:
        FactorReturns.from_frame(factors.set_axis(pd.DatetimeIndex(index)))
    assert caught.value.rows[["row", "problem"]].to_numpy().tolist() == [
        [2, "has a time of day"],
        [5, "appears twice"],
        [7, "has no date"],
    ]
    percent = 100 * factors
    percent.loc[factors.index[3], "SMB"] = -99.99
    percent.loc[factors.index[9], "RF"] = -999
    with pytest.raises(es.InputError, match="code for a missing value") as caught:
        FactorReturns.from_frame(percent, units="percent")
    assert caught.value.rows["row"].tolist() == [f"{factors.index[i]:%Y-%m-%d}" for i in (3, 9)]
    assert caught.value.rows["value"].tolist() == [-99.99, -999]  # as written, not divided


def test_factor_names_are_understood_and_missing_ones_named(panel, factors):
    renamed = factors.rename(columns={"Mkt-RF": "mktrf", "Mom": "UMD"})
    assert {"Mkt-RF", "Mom"} <= set(FactorReturns.from_frame(renamed).names)
    with pytest.raises(es.ParameterError, match="no factor RMW, CMA"):
        study(panel, "ff5", factors=factors.drop(columns=["RMW", "CMA"]))
    with pytest.raises(es.ParameterError, match="needs factor returns"):
        study(panel, "ff3")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda f: f.assign(SMB="x"), "not numeric"),
        (lambda f: pd.concat([f, f[["SMB"]]], axis=1), "appear twice"),
        (lambda f: pd.concat([f, f.iloc[:1]]), "twice"),
        (lambda f: f.assign(SMB=np.inf), "infinite"),
        (lambda f: f.reset_index(drop=True), "no dates"),
        (lambda f: f.iloc[:0], "no factor returns"),
    ],
)
def test_bad_factor_tables(factors, spoil, said):
    with pytest.raises(es.InputError, match=said):
        FactorReturns.from_frame(spoil(factors))


def test_capm_falls_back_on_the_market_return(panel, factors):
    both = study(panel, "capm", factors=factors)
    without = study(panel, "capm", factors=factors[["RF"]])
    np.testing.assert_allclose(both.parameters["beta"], without.parameters["beta"], rtol=1e-9)


def test_one_factor_may_be_named_by_itself(panel, factors):
    assert FactorModel("SMB") == FactorModel(["SMB"])
    results = study(panel, FactorModel("SMB"), factors=factors)
    assert list(results.parameters.columns[:2]) == ["alpha", "SMB"]


def test_unknown_model_suggests_the_nearest(panel):
    with pytest.raises(es.ParameterError, match="market-adjusted"):
        study(panel, "market-adjust")
