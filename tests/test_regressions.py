"""Regressions against statsmodels, linearmodels, plain loops and full enumeration."""

from __future__ import annotations

import itertools
import warnings

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf
from linearmodels.iv import IV2SLS
from linearmodels.panel import FamaMacBeth as PanelFamaMacBeth
from linearmodels.panel import PanelOLS
from scipy import stats

import research as es
from research.analysis import clusters
from research.analysis.period_regressions import newey_west
from research.analysis.ranks import rank_surprises
from research.analysis.response import quantile_cluster_covariance, rank_response
from tests.panels import ragged_panel

pytestmark = pytest.mark.filterwarnings("ignore::research.errors.ResearchWarning")


@pytest.fixture(scope="module")
def results():
    """Events of 40 firms with covariates, some missing, and string keys."""
    panel = ragged_panel(seed=11, n_firms=40, last="2019-12-31")
    frame = panel.announcements.frame
    rng = np.random.default_rng(5)
    n = len(frame)
    table = frame[["ticker", "announced_at"]].assign(
        x=rng.normal(size=n),
        size=rng.normal(10, 2, n),
        sector=rng.choice(["tech", "bank", "retail"], n),
        eps_actual=rng.normal(1, 0.2, n).round(2),
        eps_estimate=rng.normal(1, 0.2, n).round(2),
        one=1.0,
    )
    table.loc[rng.choice(n, 20, replace=False), "x"] = np.nan
    announcements = es.Announcements.from_frame(table)
    return es.EventStudy(announcements, panel.returns, market=panel.market, min_observations=60).fit()


def design(fitted):
    return np.asarray(fitted.model.exog), np.asarray(fitted.model.endog)


def loop_clusters(X, u, keys):
    """CR1 covariance, one cluster after the other."""
    n, k = X.shape
    bread = np.linalg.inv(X.T @ X)
    meat = np.zeros((k, k))
    for key in set(keys):
        rows = [i for i, own in enumerate(keys) if own == key]
        score = sum(X[i] * u[i] for i in rows)
        meat += np.outer(score, score)
    g = len(set(keys))
    return g / (g - 1) * (n - 1) / (n - k) * bread @ meat @ bread


def test_hc3_equals_the_formula_row_by_row(results):
    fitted = es.regress(results, "car ~ x + size", (0, 1), covariance="HC3")
    X, y = design(fitted)
    bread = np.linalg.inv(X.T @ X)
    beta = bread @ X.T @ y
    meat = np.zeros((3, 3))
    for row, response in zip(X, y, strict=True):
        h = row @ bread @ row
        meat += np.outer(row, row) * ((response - row @ beta) / (1 - h)) ** 2
    np.testing.assert_allclose(fitted.params, beta, atol=1e-12)
    np.testing.assert_allclose(fitted.cov_params(), bread @ meat @ bread, rtol=1e-9)
    assert "HC3" in str(fitted.summary())
    car = results.car(0, 1)["car"].to_numpy()
    np.testing.assert_allclose(y, car[results.events["event_id"].isin(fitted.sample.index).to_numpy()])


@pytest.mark.parametrize("key", ["ticker", "day_zero", "sector"])
def test_one_way_clusters_equal_a_loop_statsmodels_and_linearmodels(results, key):
    fitted = es.regress(results, "car ~ x + size", (0, 1), cluster=key)
    X, y = design(fitted)
    keys = fitted.sample[key].tolist()
    np.testing.assert_allclose(fitted.cov_params(), loop_clusters(X, np.asarray(fitted.resid), keys), rtol=1e-9)
    np.testing.assert_allclose(fitted.bse**2, np.diag(fitted.cov_params()), rtol=1e-9)
    labels = pd.factorize(fitted.sample[key])[0]
    other = IV2SLS(y, X, None, None).fit(cov_type="clustered", clusters=labels, debiased=True)
    np.testing.assert_allclose(fitted.cov_params(), other.cov, rtol=1e-9)
    assert fitted.tvalues.iloc[0] == pytest.approx(fitted.params.iloc[0] / fitted.bse.iloc[0])
    assert fitted.df_resid_inference == len(set(keys)) - 1


def test_two_way_clusters_with_string_keys_equal_the_three_parts(results):
    fitted = es.regress(results, "car ~ x + C(sector)", (0, 1), cluster=["ticker", "day_zero"])
    X, y = design(fitted)
    u = np.asarray(fitted.resid)
    firms, days = fitted.sample["ticker"].tolist(), fitted.sample["day_zero"].tolist()
    both = list(zip(firms, days, strict=True))
    expected = loop_clusters(X, u, firms) + loop_clusters(X, u, days) - loop_clusters(X, u, both)
    np.testing.assert_allclose(fitted.cov_params(), expected, rtol=1e-9)
    codes = np.column_stack([pd.factorize(fitted.sample[name])[0] for name in ("ticker", "day_zero")])
    ours, clipped = clusters.two_way_covariance(X, u, codes)
    assert not clipped
    np.testing.assert_allclose(ours, expected, rtol=1e-9)
    theirs = sm.OLS(y, X).fit(cov_type="cluster", cov_kwds={"groups": codes}, use_t=True)
    np.testing.assert_allclose(fitted.cov_params(), theirs.cov_params(), rtol=1e-9)
    np.testing.assert_allclose(fitted.pvalues, theirs.pvalues, rtol=1e-9)
    assert fitted.df_resid_inference == min(len(set(firms)), len(set(days))) - 1


def test_singleton_clusters_are_hc1(results):
    data = pd.DataFrame({"own": results.events["event_id"].to_numpy()}, index=results.events["event_id"])
    fitted = es.regress(results, "car ~ x", (0, 1), cluster="own", data=data)
    robust = es.regress(results, "car ~ x", (0, 1), covariance="HC1")
    np.testing.assert_allclose(fitted.cov_params(), robust.cov_params(), rtol=1e-9)


def test_a_covariance_that_is_not_psd_is_clipped_and_told(results):
    rng = np.random.default_rng(3)
    matrix = np.diag([1.0, 0.5, -0.2])
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    repaired, clipped = clusters.positive_semidefinite(turn @ matrix @ turn.T)
    assert clipped
    np.testing.assert_allclose(np.linalg.eigvalsh(repaired), [0, 0.5, 1], atol=1e-12)
    ids = results.events["event_id"]
    for seed in range(300):  # two coarse random keys make a negative root likely
        rng = np.random.default_rng(seed)
        data = pd.DataFrame({"a": rng.choice(list("pqr"), len(ids)), "b": rng.choice(list("uvw"), len(ids))}, index=ids)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            fitted = es.regress(results, "car ~ x + size", (0, 1), cluster=["a", "b"], data=data)
        if any("not positive semidefinite" in str(one.message) for one in caught):
            assert np.linalg.eigvalsh(np.asarray(fitted.cov_params())).min() >= -1e-15
            np.testing.assert_allclose(fitted.bse**2, np.diag(fitted.cov_params()), rtol=1e-9)
            break
    else:
        pytest.fail("no design with a negative root in 300 tries")


def test_events_without_a_covariate_are_left_out_and_listed(results):
    fitted = es.regress(results, "car ~ x", (0, 1))
    car = results.car(0, 1)["car"].to_numpy()
    missing = results.events["x"].isna().to_numpy()
    assert fitted.nobs == (~missing & ~np.isnan(car)).sum()
    assert fitted.ledger["reason"].value_counts()["no x"] == (missing & ~np.isnan(car)).sum()
    assert len(fitted.ledger) == len(results)
    assert (fitted.ledger["status"] == "used").sum() == fitted.nobs
    frame = pd.DataFrame({"car": car, "x": results.events["x"].to_numpy()}).dropna()
    np.testing.assert_allclose(fitted.params, smf.ols("car ~ x", frame).fit().params, rtol=1e-9)


def test_fixed_effects_equal_dummies_and_linearmodels(results):
    fitted = es.regress(results, "car ~ x", (0, 1), cluster="day_zero", fixed_effects="ticker")
    dummies = es.regress(results, "car ~ x + C(ticker)", (0, 1), cluster="day_zero")
    assert fitted.params["x"] == pytest.approx(dummies.params["x"], rel=1e-9)
    assert fitted.bse["x"] == pytest.approx(dummies.bse["x"], rel=1e-9)
    both = es.regress(results, "car ~ x + size", (0, 1), fixed_effects=["ticker", "day_zero"], covariance="nonrobust")
    sample = both.sample.reset_index(drop=True)
    panel = sample.set_index(["ticker", "day_zero"])
    other = PanelOLS(panel["car"], panel[["x", "size"]], entity_effects=True, time_effects=True).fit()
    np.testing.assert_allclose(both.params[["x", "size"]], other.params, rtol=1e-8)
    # Firms and days hang together in several blocks; linearmodels counts a dummy too many for each.
    counted = np.sqrt(both.df_resid / other.df_resid)
    assert both.df_resid >= other.df_resid
    np.testing.assert_allclose(both.bse[["x", "size"]] * counted, other.std_errors, rtol=1e-8)
    assert (sample.groupby("day_zero").size() > 1).all()
    assert (both.ledger["reason"] == "alone in a fixed effect").any()


def test_the_default_covariance_follows_the_number_of_clusters(results):
    assert es.regress(results, "car ~ x", (0, 1)).choices["standard errors"] == "clustered by ticker and day_zero"
    few = es.regress(results, "car ~ x", (0, 1), data=_only(results, "ticker", 12))
    assert few.choices["standard errors"] == "clustered by day_zero"
    once = es.regress(results, "car ~ y", (0, 1), data=_once(results))
    assert once.choices["standard errors"] == "HC3"


def _only(results, name, n):
    """The covariate x for the first n values of a column alone."""
    events = results.events.reset_index(drop=True)
    kept = events[name].isin(events[name].unique()[:n])
    return pd.DataFrame({"x": events["x"].where(kept).to_numpy()}, index=events["event_id"])


def _once(results):
    """A covariate that exists for one event of each firm, all on different days."""
    events = results.events.reset_index(drop=True)
    value = pd.Series(np.nan, index=events["event_id"])
    firms, days = set(), set()
    rng = np.random.default_rng(0)
    for event in events.itertuples():
        if event.ticker not in firms and event.day_zero not in days:
            value[event.event_id] = rng.normal()
            firms.add(event.ticker)
            days.add(event.day_zero)
    return value.to_frame("y")


def test_few_clusters_warn(results):
    with pytest.warns(es.ResearchWarning, match="3 by sector"):
        es.regress(results, "car ~ x", (0, 1), cluster="sector")


def test_derived_covariates_and_functions(results):
    fitted = es.regress(results, "car ~ np.arctan(10 * eps_surprise) + C(surprise_class) + C(timing)", (0, 1))
    assert fitted.nobs > 300
    surprise = es.surprises.percentage_surprise(results.events)
    np.testing.assert_allclose(
        es.regress(results, "car ~ eps_surprise", (0, 1)).sample["eps_surprise"],
        surprise.to_numpy()[results.events["event_id"].isin(fitted.sample.index).to_numpy()],
    )


BAD_FORMULAS = {
    "car ~ car + x": (es.ParameterError, "car on both sides"),
    "car ~ eps_suprise": (es.ParameterError, "Did you mean 'eps_surprise'"),
    "car ~": (es.ParameterError, "no formula|cannot be read"),
    "x": (es.ParameterError, "no formula"),
    "~ x": (es.ParameterError, "no formula"),
    "car ~ x +* size": (es.ParameterError, "cannot be"),
    "car ~ one": (es.InputError, "one is 1.0 for all"),
    "car ~ exchange": (es.InputError, "exchange is XNYS for all"),
    "car ~ x + I(3 * x)": (es.InputError, "perfect collinearity among x"),
    "car ~ C(ticker) * C(day_zero)": (es.InputError, "cannot identify"),
    "car ~ revenue_surprise": (es.InputError, "no column to make this from"),
    "car ~ announced_at": (es.ParameterError, "cannot be evaluated"),
    "sector ~ x": (es.ParameterError, "no number|cannot be evaluated"),
}


@pytest.mark.parametrize("formula", BAD_FORMULAS)
def test_a_formula_that_cannot_be_used_is_one_clear_error(results, formula):
    error, message = BAD_FORMULAS[formula]
    with pytest.raises(error, match=message):
        es.regress(results, formula, (0, 1))


def test_other_impossible_requests(results):
    ids = results.events["event_id"]
    cases = [
        ({"cluster": []}, es.ParameterError, "one or two columns"),
        ({"cluster": 3}, es.ParameterError, "no column names"),
        ({"fixed_effects": [3]}, es.ParameterError, "no column names"),
        ({"data": {"z": 1}}, es.ParameterError, "not a DataFrame"),
        ({"data": pd.DataFrame([[1.0, 2.0]], columns=["z", "z"], index=[ids.iloc[0]])}, es.InputError, "z"),
        ({"cluster": "tickr"}, es.ParameterError, "Did you mean 'ticker'"),
        ({"cluster": "one"}, es.ParameterError, "one cluster"),
        ({"cluster": ["ticker", "day_zero", "sector"]}, es.ParameterError, "one or two"),
        ({"covariance": "HC9"}, es.ParameterError, "HC3"),
        ({"covariance": "HC3", "cluster": "ticker"}, es.ParameterError, "not both"),
        ({"data": pd.DataFrame({"z": [1.0]}, index=["nobody"])}, es.InputError, "no row belongs"),
        ({"data": pd.DataFrame({"car": [1.0]}, index=[ids.iloc[0]])}, es.ParameterError, "come from the results"),
        ({"data": pd.DataFrame({"z": [1.0, 2.0]}, index=[ids.iloc[0]] * 2)}, es.InputError, "twice"),
    ]
    for keywords, error, message in cases:
        with pytest.raises(error, match=message):
            es.regress(results, "car ~ x", (0, 1), **keywords)
    with pytest.raises(es.InputError, match="no event has a value of z"):
        es.regress(results, "car ~ z", (0, 1), data=pd.DataFrame({"z": np.nan}, index=ids))
    with pytest.raises(es.InputError, match="infinite"):
        es.regress(results, "car ~ z", (0, 1), data=pd.DataFrame({"z": [np.inf] + [1.0, 2.0] * 40}, index=ids[:81]))
    with pytest.raises(es.ParameterError, match="outside the fitted"):
        es.regress(results, "car ~ x", (0, 50))


def test_a_category_without_an_event_is_no_column(results):
    ids = results.events["event_id"]
    values = pd.Categorical(np.resize(["a", "b"], len(ids)), categories=["a", "b", "never"])
    fitted = es.regress(results, "car ~ z", (0, 1), data=pd.DataFrame({"z": values}, index=ids))
    assert list(fitted.params.index) == ["Intercept", "z[T.b]"]


def test_windows_may_be_texts_and_studies_empty(results):
    text = es.regress(results, "car ~ x", "0,1")
    np.testing.assert_array_equal(text.params, es.regress(results, "car ~ x", (0, 1)).params)
    panel = ragged_panel(seed=11, n_firms=8, last="2019-12-31")
    empty = es.EventStudy(
        panel.announcements, panel.returns.rename(columns=lambda name: f"X{name}"), market=panel.market
    ).fit()
    assert len(empty) == 0
    with pytest.raises(es.InputError, match="used no event"):
        es.regress(empty, "car ~ timing")


def test_things_that_are_no_numbers_are_refused(results):
    fitted = es.regress(results, "car ~ x")
    plain = sm.OLS(np.arange(5.0), np.ones(5)).fit()
    for call in (
        lambda: es.arctan_response(results, "sector"),
        lambda: rank_response(results, "sector"),
        lambda: es.quantile_regressions(results, "car ~ x", quantiles=["half"]),
        lambda: es.wild_cluster_bootstrap(plain),
        lambda: es.wild_cluster_bootstrap(fitted, "x", ["ticker"]),
        lambda: es.wild_cluster_bootstrap(fitted, "x", null=np.nan),
        lambda: es.compare(["(1)"]),
        lambda: es.beat_but_dip(results, pd.Series("a", index=results.events["event_id"])),
    ):
        with pytest.raises(es.ParameterError):
            call()


def test_a_category_of_one_event_has_no_hc3(results):
    data = pd.DataFrame({"odd": "usual"}, index=results.events["event_id"])
    data.iloc[3, 0] = "unique"
    with pytest.raises(es.InputError, match="leverage 1"):
        es.regress(results, "car ~ C(odd)", (0, 0), covariance="HC3", data=data)


def test_all_announcements_after_the_close_leave_timing_without_variation(results):
    events = results.events
    after = pd.DataFrame({"z": np.where(events["timing"] == "amc", events["x"], np.nan)}, index=events["event_id"])
    with pytest.raises(es.InputError, match="timing is amc for all"):
        es.regress(results, "car ~ z + C(timing)", (0, 1), data=after)


# -- wild-cluster bootstrap ------------------------------------------------------------------


def brute_force(X, y, position, keys, null):
    """Refit everything under every pattern of signs."""
    labels = sorted(set(keys))

    def t(response):
        beta = np.linalg.lstsq(X, response, rcond=None)[0]
        covariance = loop_clusters(X, response - X @ beta, keys)
        return (beta[position] - null) / np.sqrt(covariance[position, position])

    others = np.delete(X, position, axis=1)
    shifted = y - null * X[:, position]
    restricted = np.linalg.lstsq(others, shifted, rcond=None)[0]
    fit = others @ restricted + null * X[:, position]
    residual = y - fit
    observed = abs(t(y))
    drawn = []
    for signs in itertools.product([1, -1], repeat=len(labels)):
        sign = dict(zip(labels, signs, strict=True))
        drawn.append(abs(t(fit + residual * np.array([sign[key] for key in keys]))))
    return t(y), float(np.mean(np.array(drawn) >= observed * (1 - 1e-9)))


@pytest.mark.parametrize("null", [0.0, 0.004])
def test_bootstrap_equals_full_enumeration(results, null):
    data = _only(results, "ticker", 7)
    fitted = es.regress(results, "car ~ x + size", (0, 1), data=data, covariance="HC1")
    found = es.wild_cluster_bootstrap(fitted, "x", "ticker", null=null)
    X, y = design(fitted)
    position = list(fitted.model.exog_names).index("x")
    t, p = brute_force(X, y, position, fitted.sample["ticker"].tolist(), null)
    assert found.enumerated
    assert found.draws == 2**found.n_clusters
    assert found.granularity == 2 / 2**found.n_clusters
    assert found.statistic == pytest.approx(t, rel=1e-9)
    assert found.p_value == pytest.approx(p, abs=1e-12)


def test_bootstrap_is_seeded_and_blind_to_the_order_of_events(results):
    fitted = es.regress(results, "car ~ x", (0, 1))
    one = es.wild_cluster_bootstrap(fitted, "x", "ticker", draws=499, seed=4)
    assert not one.enumerated
    assert one.granularity == 1 / 500
    again = es.wild_cluster_bootstrap(fitted, "x", "ticker", draws=499, seed=4)
    assert one == again
    order = np.random.default_rng(0).permutation(int(fitted.nobs))
    turned = sm.OLS(fitted.model.endog[order], pd.DataFrame(fitted.model.exog[order], columns=fitted.model.exog_names))
    turned = turned.fit()
    turned.sample = fitted.sample.iloc[order]
    other = es.wild_cluster_bootstrap(turned, "x", "ticker", draws=499, seed=4)
    assert other.p_value == one.p_value
    assert other.low == pytest.approx(one.low, rel=1e-6)
    drawn = es.wild_cluster_bootstrap(fitted, "x", "ticker", draws=499, seed=5)
    assert drawn.statistic == one.statistic
    assert abs(drawn.p_value - one.p_value) < 0.12


def test_the_interval_is_the_set_of_nulls_that_are_not_rejected(results):
    fitted = es.regress(results, "car ~ x", (0, 1))
    found = es.wild_cluster_bootstrap(fitted, "x", "ticker", draws=999)
    width = found.high - found.low
    inside = [found.low + 0.01 * width, found.high - 0.01 * width]
    outside = [found.low - 0.01 * width, found.high + 0.01 * width]
    for null in inside:
        assert es.wild_cluster_bootstrap(fitted, "x", "ticker", null=null, draws=999).p_value > 0.05
    for null in outside:
        assert es.wild_cluster_bootstrap(fitted, "x", "ticker", null=null, draws=999).p_value <= 0.05


def test_five_clusters_cannot_reject_at_five_per_cent(results):
    fitted = es.regress(results, "car ~ x", (0, 1), data=_only(results, "ticker", 5), covariance="HC1")
    assert fitted.sample["ticker"].nunique() == 5
    found = es.wild_cluster_bootstrap(fitted, "x", "ticker", null=10.0)
    assert found.p_value == 2 / 2**5
    assert np.isinf(found.low)
    assert np.isinf(found.high)


def test_bootstrap_refuses_the_impossible(results):
    fitted = es.regress(results, "car ~ x", (0, 1))
    refused = [{"term": "xx"}, {"cluster": "one"}, {"cluster": "nothing"}, {"cluster": ["day_zero"]}]
    refused += [{"draws": 0}, {"draws": True}, {"confidence": 1.0}, {"confidence": "0.9"}]
    for keywords in refused:
        with pytest.raises(es.ParameterError, match=next(iter(keywords))):
            es.wild_cluster_bootstrap(fitted, **keywords)
    with pytest.raises(es.ParameterError, match="lags"):
        es.fama_macbeth(results, "car ~ x", lags=True)


def test_effective_clusters_of_equal_and_of_lopsided_ones():
    sizes = [10] * 8
    assert _effective(sizes) == pytest.approx(8)
    assert _effective([200] + [1] * 7) < 1.2


def _effective(sizes):
    keys = np.repeat(np.arange(len(sizes)), sizes)
    fitted = sm.OLS(np.arange(len(keys), dtype=float), pd.DataFrame({"Intercept": np.ones(len(keys))})).fit()
    fitted.sample = pd.DataFrame({"key": keys})
    return clusters.effective_clusters(fitted, "key", "Intercept")


# -- Fama-MacBeth, quantiles, response curves, portfolios ---------------------------------------


def test_fama_macbeth_equals_a_loop_and_linearmodels(results):
    found = es.fama_macbeth(results, "car ~ x", (0, 1), lags=2)
    sample = es.regress(results, "car ~ x", (0, 1)).sample
    slopes = []
    for _, part in sample.groupby("quarter"):
        if len(part) <= 2:
            continue
        X = np.column_stack([np.ones(len(part)), part["x"]])
        slopes.append(np.linalg.solve(X.T @ X, X.T @ part["car"])[1])
    slopes = np.array(slopes)
    T, d = len(slopes), slopes - slopes.mean()
    gamma = [sum(d[t] * d[t - j] for t in range(j, T)) / T for j in range(3)]
    variance = (gamma[0] + 2 * (2 / 3) * gamma[1] + 2 * (1 / 3) * gamma[2]) / T
    row = found.table.loc["x"]
    assert row["mean"] == pytest.approx(slopes.mean(), rel=1e-9)
    assert row["se"] == pytest.approx(np.sqrt(variance), rel=1e-9)
    assert row["df"] == T - 1
    hac = sm.OLS(slopes, np.ones(T)).fit(cov_type="HAC", cov_kwds={"maxlags": 2, "use_correction": False})
    assert row["se"] == pytest.approx(hac.bse[0], rel=1e-9)
    used = sample[sample["quarter"].isin(found.periods.index[found.periods["note"] == ""])]
    panel = used.assign(const=1.0, t=pd.factorize(used["quarter"])[0])
    panel = panel.assign(i=panel.groupby("t").cumcount()).set_index(["i", "t"])
    other = PanelFamaMacBeth(panel["car"], panel[["const", "x"]]).fit(cov_type="kernel", bandwidth=2, debiased=False)
    assert row["mean"] == pytest.approx(other.params["x"], rel=1e-9)


def test_fama_macbeth_says_which_periods_cannot(results):
    found = es.fama_macbeth(results, "car ~ x + size + C(sector)", (0, 1), by="week")
    poor = found.periods[found.periods["note"] != ""]
    assert len(poor)
    assert poor["x"].isna().all()
    assert len(found.periods) == len(poor) + found.table.loc["x", "n_periods"]
    with pytest.raises(es.ParameterError):
        es.fama_macbeth(results, "car ~ x", by="decade")
    with pytest.raises(es.InputError, match=r"no week identifies"):
        es.fama_macbeth(results, "car ~ C(ticker) * x", by="week")


def test_newey_west_without_lags_is_the_plain_standard_error():
    values = np.random.default_rng(1).normal(size=40)
    assert newey_west(values, 0) == pytest.approx(values.std() / np.sqrt(40))


def test_quantiles_are_statsmodels(results):
    found = es.quantile_regressions(results, "car ~ x", (0, 1), quantiles=[0.25, 0.5])
    sample = es.regress(results, "car ~ x", (0, 1)).sample
    for q, fit in found.items():
        np.testing.assert_allclose(fit.params, smf.quantreg("car ~ x", sample).fit(q=q).params, rtol=1e-6)
    with pytest.raises(es.ParameterError):
        es.quantile_regressions(results, "car ~ x", quantiles=[1.0])
    alone = es.quantile_regressions(results, "car ~ x", (0, 1), quantiles=0.5)
    assert list(alone) == [0.5]
    pd.testing.assert_series_equal(alone[0.5].params, found[0.5].params)
    for keywords in ({"quantiles": None}, {"quantiles": "half"}, {"quantiles": 1.0}, {"cluster": ["day_zero"]}):
        with pytest.raises(es.ParameterError, match=next(iter(keywords))):
            es.quantile_regressions(results, "car ~ x", **keywords)


def test_clustered_quantiles_equal_a_loop(results):
    found = es.quantile_regressions(results, "car ~ x + size", (0, 1), quantiles=[0.3, 0.8], cluster="day_zero")
    for q, fit in found.items():
        X, y = design(fit)
        n, k = X.shape
        u = y - X @ np.asarray(fit.params)
        h = stats.norm.ppf(0.975) ** (2 / 3) * n ** (-1 / 3)
        h *= (1.5 * stats.norm.pdf(stats.norm.ppf(q)) ** 2 / (2 * stats.norm.ppf(q) ** 2 + 1)) ** (1 / 3)
        c = np.median(np.abs(u - np.median(u))) * (stats.norm.ppf(q + h) - stats.norm.ppf(q - h))
        B, meat = np.zeros((k, k)), np.zeros((k, k))
        for row, residual in zip(X, u, strict=True):
            if abs(residual) <= c:
                B += np.outer(row, row) / (2 * c)
        days = fit.sample["day_zero"].tolist()
        for day in set(days):
            score = sum(row * (q - (residual < 0)) for row, residual, own in zip(X, u, days, strict=True) if own == day)
            meat += np.outer(score, score)
        g = len(set(days))
        V = g / (g - 1) * np.linalg.inv(B) @ meat @ np.linalg.inv(B)
        np.testing.assert_allclose(fit.cov_params(), V, rtol=1e-9)
        np.testing.assert_allclose(fit.bse, np.sqrt(np.diag(V)), rtol=1e-9)
        np.testing.assert_allclose(fit.pvalues, 2 * stats.t.sf(np.abs(fit.params / fit.bse), g - 1), rtol=1e-9)
        assert f"{g} by day_zero" in fit.inference
        assert fit.nobs == len(fit.sample)
    plain = es.quantile_regressions(results, "car ~ x", (0, 1), quantiles=[0.5])[0.5]
    assert "independent" in plain.inference
    assert "independent events" in es.compare([plain]).frame.to_string()
    with pytest.raises(es.ParameterError, match="Did you mean 'ticker'"):
        es.quantile_regressions(results, "car ~ x", cluster="tickr")
    with pytest.raises(es.ParameterError, match="one cluster"):
        es.quantile_regressions(results, "car ~ x", cluster="one")


def test_clustered_quantile_errors_match_the_spread_that_independence_misses():
    """Events of a cluster share regressor and shock; the median slope's spread over many samples is the judge."""
    rng = np.random.default_rng(12)
    labels = np.repeat(np.arange(40), 10)
    slopes, clustered, plain = [], [], []
    for _ in range(150):
        x = rng.normal(size=40)[labels]
        y = rng.normal(size=40)[labels] + rng.normal(size=400)
        X = np.column_stack([np.ones(400), x])
        fit = sm.QuantReg(y, X).fit(q=0.5, max_iter=5000)
        slopes.append(fit.params[1])
        plain.append(fit.bse[1])
        clustered.append(np.sqrt(quantile_cluster_covariance(X, fit.resid, labels, 0.5)[1, 1]))
    assert np.mean(clustered) == pytest.approx(np.std(slopes), rel=0.15)
    assert np.mean(plain) < 0.6 * np.std(slopes)


def test_quantiles_without_density_near_zero_have_no_error():
    X = np.column_stack([np.ones(20), np.arange(20.0)])
    found = quantile_cluster_covariance(X, np.repeat([-1.0, 1.0], 10), np.arange(20), 0.5)
    assert np.isfinite(found).all() or np.isnan(found).all()
    assert np.isnan(quantile_cluster_covariance(X, np.zeros(20), np.arange(20), 0.5)).all()


@pytest.mark.parametrize("formula", ["car ~ announced_at", "sector ~ x", "car ~ C(nothing)"])
def test_every_regression_refuses_a_formula_that_cannot_be_evaluated(results, formula):
    for run in (es.regress, es.fama_macbeth, es.quantile_regressions):
        with pytest.raises(es.ParameterError, match=r"cannot be evaluated|no number|names no covariate"):
            run(results, formula, (0, 1))


def test_undefined_terms_leave_the_ledger_true(results):
    """A logarithm of negative values drops events: the sample and ledger must say so."""
    with np.errstate(invalid="ignore"):
        fits = [
            es.quantile_regressions(results, "car ~ np.log(x)", (0, 1), quantiles=[0.5])[0.5],
            es.regress(results, "car ~ np.log(x)", (0, 1), covariance="HC3"),
        ]
    for fit in fits:
        assert len(fit.sample) == fit.nobs == (fit.ledger["status"] == "used").sum()
        assert (fit.ledger["reason"] == "a term is undefined").any()
        assert (fit.sample["x"] > 0).all()


def planted(results, response):
    """The results with abnormal returns of day zero and one replaced by a planted response."""
    ids = results.events["event_id"]
    rng = np.random.default_rng(8)
    ue = pd.Series(rng.standard_t(4, len(ids)) * 0.05, index=ids)
    noise = rng.normal(0, 0.01, len(ids))
    return pd.DataFrame({"ue": ue, "reaction": response(ue) + noise})


def test_arctan_response_finds_a_planted_curve(results, monkeypatch):
    data = planted(results, lambda ue: 0.01 + 0.03 * np.arctan(12 * ue))
    _replace_car(monkeypatch, results, data["reaction"])
    found = es.arctan_response(results, "ue", (0, 1), data=data[["ue"]])
    assert not found.linear
    assert found.slope == pytest.approx(0.36, abs=3 * found.slope_se)
    assert found.saturation == pytest.approx(0.03 * np.pi / 2, abs=3 * found.saturation_se)
    # The optimum: no small step in any of the three parameters is better.
    ue, y = data["ue"].to_numpy(), data["reaction"].to_numpy()
    for a, b, c in itertools.product([-1e-4, 0, 1e-4], repeat=3):
        tried = found.intercept + a + (found.scale + b) * np.arctan((found.curvature + 10 * c) * ue)
        assert ((y - tried) ** 2).sum() >= found.ssr * (1 - 1e-9)


def test_arctan_falls_back_to_the_line(results, monkeypatch):
    data = planted(results, lambda ue: 0.01 + 0.3 * ue)
    data["ue"] = data["ue"] / data["ue"].abs().max() * 1e-3
    data["reaction"] = 5 * data["ue"] + np.random.default_rng(2).normal(0, 1e-9, len(data))
    _replace_car(monkeypatch, results, data["reaction"])
    found = es.arctan_response(results, "ue", (0, 1), data=data[["ue"]])
    assert found.linear
    assert found.slope == pytest.approx(5, rel=1e-3)
    assert np.isnan(found.saturation)


def _replace_car(monkeypatch, results, values):
    real = type(results).car

    def car(self, start, end, **kwargs):
        return real(self, start, end, **kwargs).assign(car=values.to_numpy())

    monkeypatch.setattr(type(results), "car", car)


def test_deciles_come_from_the_quarter_before():
    rng = np.random.default_rng(6)
    days = pd.to_datetime(np.repeat(["2019-02-01", "2019-05-01", "2019-08-01"], 60))
    surprise = pd.Series(rng.normal(np.repeat([0, 5, 0], 60), 1))
    ranks = rank_surprises(surprise, pd.Series(days))
    assert ranks.label.startswith("deciles of the previous")
    assert not ranks.looks_ahead
    assert ranks.group[:60].isna().all()
    # The second quarter is far above the first: nearly all in the best decile of what was known.
    assert (ranks.group[60:120] == 9).mean() > 0.9
    bounds = np.quantile(surprise[60:120], np.arange(0.1, 0.95, 0.1))
    expected = [sum(value > bound for bound in bounds) for value in surprise[120:]]
    assert ranks.group[120:].tolist() == expected
    alone = rank_surprises(surprise[:60], pd.Series(days[:60]))  # no quarter before it
    assert "terciles" in alone.label
    assert rank_surprises(surprise[:60], pd.Series(days[:60]), "deciles").group.isna().all()
    with pytest.raises(es.InputError, match="cannot be split into thirds"):
        rank_surprises(pd.Series([1.0, 1.0, 1.0, 2.0]), pd.Series(days[:4]), "terciles")
    few = rank_surprises(surprise[::10], pd.Series(days)[::10])
    assert few.looks_ahead
    assert "terciles" in few.label
    sign = rank_surprises(pd.Series([-1.0, 0, 2, np.nan]), pd.Series(days[:4]), "sign")
    assert sign.rank.tolist()[:3] == [-0.5, 0, 0.5]
    with pytest.raises(es.InputError, match="no event has a surprise"):
        rank_surprises(pd.Series([np.nan]), pd.Series(days[:1]))


def test_rank_response_slope_is_top_minus_bottom_for_two_groups(results):
    fitted, ranks = rank_response(results, "x", (0, 1), grouping="sign")
    assert ranks.n_groups == 3
    car, x = fitted.sample["car"], fitted.sample["surprise_rank"]
    assert fitted.params["surprise_rank"] == pytest.approx(car[x > 0].mean() - car[x < 0].mean(), rel=1e-9)


def test_sefcik_thompson_estimates_equal_ols_of_day_zero_returns():
    rng = np.random.default_rng(9)
    sessions = es.TradingCalendar("XNYS").sessions
    sessions = sessions[sessions.searchsorted(pd.Timestamp("2018-01-02")) :][:300]
    market = pd.Series(rng.normal(0, 0.01, 300), index=sessions, name="M")
    names = [f"F{i:02d}" for i in range(15)]
    returns = pd.DataFrame(market.to_numpy()[:, None] + rng.normal(0, 0.02, (300, 15)), index=sessions, columns=names)
    table = pd.DataFrame({"ticker": names, "announced_at": f"{sessions[270]:%Y-%m-%d}", "session": "bmo"})
    table["z"] = rng.normal(size=15)
    results = es.EventStudy(es.Announcements.from_frame(table), returns, market=market).fit()
    found = es.sefcik_thompson(results, "car ~ z")
    ols = smf.ols("car ~ z", results.car(0, 0).assign(z=results.events["z"])).fit()
    np.testing.assert_allclose(found["estimate"][ols.params.index], ols.params, rtol=1e-9, atol=1e-12)
    # The standard error, from one time-series regression a portfolio.
    F = np.column_stack([np.ones(15), table["z"]])
    P = returns.iloc[20:260].to_numpy() @ np.linalg.solve(F.T @ F, F.T).T
    last = returns.iloc[270].to_numpy() @ np.linalg.solve(F.T @ F, F.T).T
    m = np.append(market.iloc[20:260], market.iloc[270])
    X = np.column_stack([np.ones(241), m, np.arange(241) == 240])
    for j, name in enumerate(["Intercept", "z"]):
        fit = sm.OLS(np.append(P[:, j], last[j]), X).fit()
        assert found.loc[name, "se"] == pytest.approx(fit.bse[2], rel=1e-9)
    # The identity holds for what is estimated by least squares or not at all; other slopes are refused.
    rf = pd.DataFrame({"Mkt-RF": market, "SMB": rng.normal(0, 0.01, 300), "HML": market**2, "RF": 1e-4})
    for model in ("market-adjusted", "mean-adjusted", "capm", "ff3"):
        other = es.EventStudy(es.Announcements.from_frame(table), returns, model, market=market, factors=rf).fit()
        answer = es.sefcik_thompson(other, "car ~ z")
        ols = smf.ols("car ~ z", other.car(0, 0).assign(z=other.events["z"])).fit()
        np.testing.assert_allclose(answer["estimate"][ols.params.index], ols.params, rtol=1e-9, atol=1e-12)
        assert np.isfinite(answer["se"]).all()
    for model in ("dimson", "scholes-williams", "vasicek", "blume", "garch"):
        other = es.EventStudy(es.Announcements.from_frame(table), returns, model, market=market).fit()
        with pytest.raises(es.ParameterError, match=f"{model}.*not plain least squares"):
            es.sefcik_thompson(other, "car ~ z")
    own = es.EventStudy(es.Announcements.from_frame(table), returns, es.TradeToTradeModel(), market=market).fit()
    with pytest.raises(es.ParameterError, match="regressors of its own"):
        es.sefcik_thompson(own, "car ~ z")
    with pytest.raises(es.InputError, match="timing is bmo for all 15"):
        es.sefcik_thompson(results, "car ~ z + C(timing)")
    many = es.sample.announcements(["META", "AAPL"])
    study = es.EventStudy(many, es.sample.prices().returns(), market=es.sample.market_returns()).fit()
    with pytest.raises(es.ParameterError, match="day zeros"):
        es.sefcik_thompson(study, "car ~ eps_surprise")


# -- the table of a paper ----------------------------------------------------------------------


def test_compare_shows_every_number_once(results):
    fits = {"plain": es.regress(results, "car ~ x", (0, 1)), "wide": es.regress(results, "car ~ x + size", (0, 1))}
    table = es.compare(fits, digits=5)
    assert table.frame.loc[("x", ""), "plain"].rstrip("*").replace("−", "-") == f"{fits['plain'].params['x']:.5f}"
    assert table.frame.loc[("x", "se"), "wide"] == f"({fits['wide'].bse['x']:.5f})"
    assert table.frame.loc[("size", ""), "plain"] == ""
    assert table.frame.index[-5][0] != "Intercept"
    assert table.frame.loc[("events", ""), "plain"] == f"{int(fits['plain'].nobs):,}"
    latex = es.compare({"a_b & c": fits["plain"]}).to_latex()
    assert r"a\_b \& c" in latex
    assert latex.count(r"\\") == 2 + 1 + 2 + 2 + len(table.footer.index) - 2
    markup = es.compare({"<b>": fits["plain"]})._repr_html_()
    assert "<b>" not in markup
    assert "&lt;b&gt;" in markup
    assert "x" not in es.compare(fits, hide=["x"]).tidy["term"].tolist()
    with pytest.raises(es.ParameterError):
        es.compare({})


def test_stars_follow_p():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"y": rng.normal(size=200), "z": rng.normal(size=200)})
    frame["y"] += 3 * frame["z"]
    table = es.compare([smf.ols("y ~ z", frame).fit()])
    assert table.frame.loc[("z", ""), "(1)"].endswith("***")
    assert "*" not in es.compare([smf.ols("y ~ z", frame).fit()], stars=False).frame.to_string()
