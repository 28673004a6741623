"""Beaver's U, AVAR and abnormal volume against loops written from the formulas."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import research as es
from research.study import activity
from tests import oracles
from tests.panels import ragged_panel

pytestmark = pytest.mark.filterwarnings("ignore::research.errors.ResearchWarning")


@pytest.fixture(scope="module")
def panel():
    return ragged_panel()


@pytest.fixture(scope="module")
def results(panel):
    return es.EventStudy(panel.announcements, panel.returns, market=panel.market, min_observations=60).fit()


def test_u_is_the_squared_standardised_return(results):
    u = activity.beaver_u(results)
    i, day = 3, 2
    expected = (results.abnormal_returns.iloc[i][day] / results.standard_errors.iloc[i][day]) ** 2
    np.testing.assert_allclose(u.iloc[i][day], expected, rtol=1e-12)
    assert (u.isna() == results.abnormal_returns.isna()).all().all()


def test_average_u_and_its_tests(results):
    table, u = activity.average_u(results), activity.beaver_u(results)
    d = results.car(0, 0)["df"].to_numpy()
    for day in (-3, 0, 5):
        keep = u[day].notna().to_numpy()
        values, dk = u[day].to_numpy()[keep], d[keep]
        mean = np.array([stats.f.mean(1, k) for k in dk])
        variance = np.array([stats.f.var(1, k) for k in dk])
        np.testing.assert_allclose(table.loc[day, "mean_u"], values.mean(), rtol=1e-12)
        np.testing.assert_allclose(table.loc[day, "expected"], mean.mean(), rtol=1e-12)
        np.testing.assert_allclose(table.loc[day, "avar"], np.log(values.mean()), rtol=1e-12)
        np.testing.assert_allclose(table.loc[day, "z"], (values - mean).sum() / np.sqrt(variance.sum()), rtol=1e-9)
        np.testing.assert_allclose(table.loc[day, "t"], stats.ttest_1samp(values - mean, 0).statistic, rtol=1e-9)
        assert table.loc[day, "n_events"] == len(values)


def test_abnormal_volume_against_a_loop(panel, results):
    rng = np.random.default_rng(8)
    volume = pd.DataFrame(
        rng.normal(15, 0.5, panel.returns.shape), index=panel.returns.index, columns=panel.returns.columns
    ).mask(rng.random(panel.returns.shape) < 0.02)
    volume["F07"] = np.nan
    got = activity.abnormal_volume(results, volume)
    assert got.loc["F07"].isna().all().all()
    timed = panel.announcements.timed()["day_zero"]
    tickers = panel.announcements.frame["ticker"]
    for i, (ticker, day_zero) in list(enumerate(results.index))[::6]:
        if ticker == "F07":
            continue
        day = panel.returns.index.get_loc(day_zero)
        known = [panel.returns.index.get_loc(d) for d, t in zip(timed, tickers, strict=True) if t == ticker]
        values = volume[ticker].to_numpy()
        rows = oracles.estimation_positions(day, (-250, -11), len(values), known)
        base = values[rows][np.isfinite(values[rows])]
        np.testing.assert_allclose(got.iloc[i][1], (values[day + 1] - base.mean()) / base.std(ddof=1), rtol=1e-9)
    average = activity.average_volume(got)
    np.testing.assert_allclose(average.loc[0, "t"], stats.ttest_1samp(got[0].dropna(), 0).statistic, rtol=1e-9)


def test_infinite_volumes_are_refused(panel, results):
    with pytest.raises(es.InputError, match="infinite"):
        activity.abnormal_volume(results, panel.returns * np.inf)


def test_volumes_come_as_one_column_a_ticker(panel, results):
    volume = panel.returns.abs()
    for table in (volume["F05"], pd.concat([volume, volume[["F05"]]], axis=1)):
        with pytest.raises(es.InputError, match="one column a ticker"):
            activity.abnormal_volume(results, table)


def test_the_sample_reacts_on_day_zero():
    prices = es.sample.prices()
    meta = es.sample.announcements("META")
    results = es.EventStudy(meta, prices.returns(), market=es.sample.market_returns()).fit()
    volume = activity.abnormal_volume(results, prices.log_volume())
    average = activity.average_volume(volume)
    assert average["mean"].idxmax() == 0
    assert activity.average_u(results)["mean_u"].idxmax() == 0


# -- buy and hold ---------------------------------------------------------------------------


def loop_reference(panel, results, members_of, window):
    for i, (ticker, day_zero) in enumerate(results.index):
        day = panel.returns.index.get_loc(day_zero)
        days = range(day + window[0], day + window[1] + 1)
        if max(days) >= len(panel.returns):
            yield i, np.nan
            continue
        grown = []
        for name in members_of(ticker):
            r = panel.returns[name].to_numpy()[list(days)]
            if name != ticker and np.isfinite(r).all():
                grown.append(np.prod(1 + r))
        own = panel.returns[ticker].to_numpy()[list(days)]
        yield i, np.prod(1 + own) - np.mean(grown) if grown and np.isfinite(own).all() else np.nan


def test_reference_portfolio_is_bought_and_held(panel, results):
    members = ["F03", "F05", "F06", "F09"]
    got = results.bhar(0, 5, reference=members)["bhar"].to_numpy()
    expected = [value for _, value in loop_reference(panel, results, lambda ticker: members, (0, 5))]
    np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-13)
    groups = {f"F{i:02d}": "odd" if i % 2 else "even" for i in range(11)}
    got = results.bhar(-1, 1, reference=groups)["bhar"].to_numpy()
    same = lambda ticker: [name for name in groups if groups[name] == groups.get(ticker)]  # noqa: E731
    expected = [value for _, value in loop_reference(panel, results, same, (-1, 1))]
    np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-13)
    assert np.isnan(results.bhar(-1, 1, reference=groups).loc["F11", "bhar"]).all()


def test_a_reference_of_one_text_is_a_list_of_tickers(results):
    for text, listed in (("F03", ["F03"]), ("F03, F05", ["F03", "F05"])):
        pd.testing.assert_frame_equal(results.bhar(0, 1, text), results.bhar(0, 1, listed))
        found = results.test_bhar([(0, 1), (0, 5)], text, draws=99)
        pd.testing.assert_frame_equal(found, results.test_bhar([(0, 1), (0, 5)], iter(listed), draws=99))


def test_tests_of_the_mean_bhar(results):
    table = results.test_bhar([(0, 5)], draws=999).set_index("test")
    values = results.bhar(0, 5)["bhar"].dropna()
    np.testing.assert_allclose(
        table.loc["cross_sectional_t", "statistic"], stats.ttest_1samp(values, 0).statistic, rtol=1e-9
    )
    assert (table["n_events"] == len(values)).all()
    assert "BHAR" in table.loc["hall_t", "null"]
    bootstrap = table.loc["skewness_bootstrap"]
    assert 0 < bootstrap["p_value"] <= 1
    assert "critical values" in bootstrap["definition"]


def test_bad_references(panel, results):
    with pytest.raises(es.ParameterError, match="no returns of ZZZ"):
        results.bhar(0, 1, reference=["ZZZ"])
    mean_adjusted = es.EventStudy(panel.announcements, panel.returns, "mean-adjusted", min_observations=60).fit()
    with pytest.raises(es.ParameterError, match="benchmark"):
        mean_adjusted.bhar(0, 1)
