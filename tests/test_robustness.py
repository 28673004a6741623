"""Specification curve, adjustments, placebo, samples without a firm: against plain loops and statsmodels."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from statsmodels.stats.multitest import multipletests

import research as es
from research.analysis._placebo import CleanPools, Drawn, reactions
from research.analysis.effects import effect, minimum_detectable_effect
from research.analysis.robustness import (
    adjust_p_values,
    leave_one_out,
    placebo,
    romano_wolf,
    specification_curve,
    subperiods,
)
from tests.panels import ragged_panel

pytestmark = pytest.mark.filterwarnings("ignore::research.errors.ResearchWarning")


@pytest.fixture(scope="module")
def panel():
    return ragged_panel(seed=3, n_firms=14, last="2019-12-31")


@pytest.fixture(scope="module")
def results(panel):
    return es.EventStudy(panel.announcements, panel.returns, market=panel.market, window=(-5, 5)).fit()


def series(results, window=(0, 1)):
    ids = results.events["event_id"].to_numpy()
    car = pd.Series(results.car(*window)["car"].to_numpy(), index=ids)
    return car, pd.Series(results.events["day_zero"].to_numpy(), index=ids)


def test_a_mean_and_a_slope_with_clusters_equal_statsmodels(results):
    car, days = series(results)
    kept = car.notna()
    labels = pd.factorize(days[kept])[0]
    found = effect(car, days)
    fit = sm.OLS(car[kept], np.ones(kept.sum())).fit(cov_type="cluster", cov_kwds={"groups": labels}, use_t=True)
    assert (found.estimate, found.se, found.p_value) == pytest.approx(
        (fit.params.iloc[0], fit.bse.iloc[0], fit.pvalues.iloc[0])
    )
    # METHODS 4.16, written out
    d = car[kept] - car[kept].mean()
    sums = d.groupby(days[kept]).sum()
    g, n = len(sums), len(d)
    assert found.se == pytest.approx(np.sqrt(g / (g - 1) * (sums**2).sum()) / n, rel=1e-12)
    x = pd.Series(np.random.default_rng(0).normal(size=len(car)), index=car.index)
    slope = effect(car, days, x)
    X = sm.add_constant(x[kept])
    fit = sm.OLS(car[kept], X).fit(cov_type="cluster", cov_kwds={"groups": labels}, use_t=True)
    assert (slope.estimate, slope.se) == pytest.approx((fit.params.iloc[1], fit.bse.iloc[1]))
    assert found.mde == pytest.approx(2.8016 * found.se, rel=1e-4)


def test_undefined_effects_say_why():
    y = pd.Series([1.0, 2.0, 3.0])
    days = pd.Series(pd.to_datetime(["2020-01-02", "2020-01-03", "2020-01-06"]))
    assert effect(y * np.nan, days).note == "no event"
    assert effect(y, days.iloc[[0, 0, 0]].set_axis(y.index)).note == "fewer than two clusters"
    assert effect(y * 0 + 1, days).note == "no variation"
    assert effect(y, days, y * 0 + 1).note == "the covariate does not vary"
    assert np.isnan(effect(y, days, y * 0 + 1).estimate)
    with pytest.raises(es.ParameterError):
        minimum_detectable_effect(0.1, power=0.01)


def test_a_difference_that_one_cluster_decides_has_no_standard_error():
    """One event on a side fits its own mean: the residuals say nothing of that side's spread."""
    rng = np.random.default_rng(0)
    y = pd.Series(rng.normal(size=20))
    side = pd.Series(np.arange(20) == 4, dtype=float)
    alone = effect(y, pd.Series(range(20)), side)
    assert alone.estimate == pytest.approx(y[4] - y.drop(4).mean())
    assert np.isnan(alone.se)
    assert alone.note == "without one cluster the covariate does not vary, so that cluster alone decides the slope"
    two = side.copy()
    two[5] = 1.0
    days = pd.Series(range(20))
    assert np.isfinite(effect(y, days, two).se)
    days[5] = 4  # both on one day
    assert np.isnan(effect(y, days, two).se)
    # A covariate of many values is decided by one cluster only if it is constant without it.
    many = pd.Series(np.where(np.arange(20) < 3, np.arange(20.0), 7.0))
    assert np.isnan(effect(y, pd.Series(np.repeat(range(4), 5)), many).se)
    assert np.isfinite(effect(y, pd.Series(np.arange(20) % 4), many).se)
    assert np.isfinite(effect(y, pd.Series(np.arange(20) % 2), many).se)


def test_weighted_effects_equal_statsmodels(results):
    car, days = series(results)
    rng = np.random.default_rng(2)
    weights = pd.Series(rng.uniform(0.5, 20, len(car)), index=car.index)
    x = pd.Series(rng.normal(size=len(car)), index=car.index)
    kept = car.notna()
    labels = pd.factorize(days[kept])[0]
    found = effect(car, days, x, weights)
    fit = sm.WLS(car[kept], sm.add_constant(x[kept]), weights=weights[kept])
    fit = fit.fit(cov_type="cluster", cov_kwds={"groups": labels}, use_t=True)
    assert (found.estimate, found.se, found.p_value) == pytest.approx(
        (fit.params.iloc[1], fit.bse.iloc[1], fit.pvalues.iloc[1])
    )
    mean = effect(car, days, weights=weights)
    assert mean.estimate == pytest.approx(np.average(car[kept], weights=weights[kept]))
    with pytest.raises(es.InputError, match="positive") as caught:
        effect(car, days, weights=weights * 0)
    assert len(caught.value.rows) == len(weights)


def test_every_specification_is_the_study_one_would_run_by_hand(panel):
    curve = specification_curve(
        panel.announcements,
        panel.returns,
        panel.market,
        windows=[(0, 0), (-1, 1)],
        models=["market", "market-adjusted"],
        estimations=[(-250, -11), (-120, -11)],
    )
    # market-adjusted estimates nothing, so a second estimation window is no other specification
    assert len(curve) == 2 * 3 * (2 + 1)
    assert not curve["primary"].any()  # the declared window (0, 1) is not among them
    by_hand = es.EventStudy(
        panel.announcements, panel.returns, market=panel.market, window=(-2, 2), estimation=(-120, -11)
    ).fit()
    table = by_hand.abnormal_returns.to_numpy()
    amc = (by_hand.events["timing"] == "amc").to_numpy()
    days = by_hand.events["day_zero"].to_numpy()
    expected = {"instant": np.zeros(len(amc), dtype=int), "date": -amc.astype(int), "next session": amc * 0 + 1}
    for rule, shift in expected.items():
        sums = [row[2 + s - 1 : 2 + s + 2].sum() for row, s in zip(table, shift, strict=True)]
        own = effect(pd.Series(sums), pd.Series(days))
        chosen = curve[
            (curve["window"] == (-1, 1))
            & (curve["model"] == "market")
            & (curve["estimation"] == (-120, -11))
            & (curve["day_zero_rule"] == rule)
        ].iloc[0]
        assert chosen["estimate"] == pytest.approx(own.estimate, rel=1e-12)
        assert chosen["se"] == pytest.approx(own.se, rel=1e-12)
        assert chosen["n_events"] == own.n_events
    assert amc.any()
    assert not amc.all()


def test_the_declared_specification_is_marked_once(panel):
    curve = specification_curve(panel.announcements, panel.returns, panel.market, models=["market"])
    assert curve["primary"].sum() == 1
    row = curve[curve["primary"]].iloc[0]
    assert (row["window"], row["estimation"], row["day_zero_rule"]) == ((0, 1), (-250, -11), "instant")
    with pytest.raises(es.ParameterError, match="Did you mean 'instant'"):
        specification_curve(panel.announcements, panel.returns, panel.market, day_zero_rules=["instance"])


def test_adjusted_p_values_equal_statsmodels_and_pass_over_nan():
    p = pd.Series([0.001, np.nan, 0.04, 0.03, 0.2], index=list("abcde"))
    found = adjust_p_values(p, ["holm", "benjamini-hochberg", "benjamini-yekutieli"])
    present = p.dropna()
    for ours, theirs in {"holm": "holm", "benjamini-hochberg": "fdr_bh", "benjamini-yekutieli": "fdr_by"}.items():
        np.testing.assert_allclose(found.loc[present.index, ours], multipletests(present, method=theirs)[1])
        assert np.isnan(found.loc["b", ours])
    # Holm by hand: 4 x 0.001, 3 x 0.03, max(2 x 0.04, before), 0.2
    np.testing.assert_allclose(found["holm"].dropna(), [0.004, 0.09, 0.09, 0.2])
    with pytest.raises(es.ParameterError, match="Did you mean 'holm'"):
        adjust_p_values(p, ["hol"])
    with pytest.raises(es.ParameterError):
        adjust_p_values(pd.Series([1.2]))


def test_romano_wolf_equals_a_loop_over_the_same_signs():
    rng = np.random.default_rng(7)
    n, g, draws = 60, 15, 300
    cluster = pd.Series(rng.integers(0, g, n))
    common = rng.normal(size=n)
    responses = pd.DataFrame({"a": common + 0.4, "b": common * 0.5 + rng.normal(size=n), "c": rng.normal(size=n) + 0.6})
    responses.loc[:6, "c"] = np.nan
    found = romano_wolf(responses, cluster, draws=draws, seed=2)

    labels = sorted(cluster.unique())

    def t(values, groups):
        present = np.isfinite(values)
        v, c = values[present], groups[present]
        d = v - v.mean()
        sums = [d[c == label].sum() for label in set(c)]
        return v.mean() / (np.sqrt(len(sums) / (len(sums) - 1) * np.sum(np.square(sums))) / len(v))

    keys = cluster.to_numpy()
    observed = np.array([t(responses[name].to_numpy(), keys) for name in responses])
    bits = np.random.default_rng(2).integers(0, 2, size=(draws, len(labels)), dtype=np.int8)
    drawn = []
    for row in bits:
        sign = {label: (-1.0 if bit else 1.0) for label, bit in zip(labels, row, strict=True)}
        weights = np.array([sign[key] for key in keys])
        drawn.append([abs(t(responses[name].to_numpy() * weights, keys)) for name in responses])
    drawn = np.array(drawn)
    np.testing.assert_allclose(found["t"], observed, rtol=1e-9)
    order = np.argsort(-np.abs(observed))
    running, expected = 0.0, np.zeros(3)
    for position, j in enumerate(order):
        rest = order[position:]
        running = max(running, (1 + (drawn[:, rest].max(axis=1) >= abs(observed[j]) * (1 - 1e-9)).sum()) / (draws + 1))
        expected[j] = running
    np.testing.assert_allclose(found["romano_wolf"], expected, rtol=1e-12)
    assert (found["romano_wolf"] >= found["p_value"]).all()


def test_romano_wolf_gains_over_holm_where_tests_repeat_each_other():
    rng = np.random.default_rng(1)
    base = rng.normal(0.35, 1, 60)
    responses = pd.DataFrame({i: base + rng.normal(0, 1e-3, 60) for i in range(8)})
    found = romano_wolf(responses, pd.Series(range(60)), draws=999)
    holm = adjust_p_values(found["p_value"], ["holm"])["holm"]
    assert found["romano_wolf"].max() < 2 * found["p_value"].max()
    assert holm.min() > 3 * found["romano_wolf"].min()


def test_romano_wolf_refuses_the_impossible():
    responses = pd.DataFrame({"a": [1.0, 2.0], "flat": [np.nan, np.nan]})
    with pytest.raises(es.ParameterError):
        romano_wolf(responses, pd.Series([1, 1]))
    with pytest.raises(es.InputError):
        romano_wolf(responses, pd.Series([1, 2], index=[5, 6]))
    for draws in (0, True, 2.0):
        with pytest.raises(es.ParameterError, match="draws"):
            romano_wolf(responses, pd.Series([1, 2]), draws=draws)
    assert np.isnan(romano_wolf(responses, pd.Series([1, 2]), draws=9).loc["flat", "romano_wolf"])


def test_without_one_firm_is_the_sample_without_it(results):
    car, days = series(results)
    firms = pd.Series(results.events["ticker"].to_numpy(), index=car.index)
    table = leave_one_out(car, days, firms)
    assert sorted(table.index) == sorted(firms.unique())
    name = table.index[0]
    own = effect(car[firms != name], days[firms != name])
    assert table.loc[name, "estimate"] == own.estimate
    assert table.loc[name, "change"] == pytest.approx(own.estimate - effect(car, days).estimate)
    assert table["estimate"].is_monotonic_increasing


def test_subperiods_part_the_events_by_time_and_split_no_day(results):
    car, days = series(results)
    table = subperiods(car, days, parts=4)
    assert table["n_events"].sum() == car.notna().sum()
    assert (table["first"].to_numpy()[1:] > table["last"].to_numpy()[:-1]).all()
    assert table["n_events"].max() < 2 * table["n_events"].min()
    with pytest.raises(es.ParameterError):
        subperiods(car, days, parts=1)


def test_placebo_moves_clusters_together_to_days_without_news(panel):
    seen = []
    found = placebo(panel.announcements, panel.returns, panel.market, draws=8, seed=1, progress=seen.append)
    assert seen == list(range(8))
    assert len(found["draws"]) == 8
    t = found["draws"]["t"].abs()
    assert found["p_value"] == (1 + (t >= abs(found["observed"].t)).sum()) / 9
    assert found["granularity"] == 1 / 9
    assert found["moved"] > 0.5
    again = placebo(panel.announcements, panel.returns, panel.market, draws=8, seed=1)
    pd.testing.assert_frame_equal(found["draws"], again["draws"])


def test_placebo_days_keep_their_distance(panel):
    results = es.EventStudy(panel.announcements, panel.returns, market=panel.market, window=(0, 1)).fit()
    pools = CleanPools(results, panel.announcements, panel.returns, es.TradingCalendar("XNYS"), 5)
    drawn = pools.draw(np.random.default_rng(0))
    events = results.events.reset_index(drop=True)
    moved = pd.DataFrame({"ticker": events["ticker"].to_numpy()[drawn.event], "session": drawn.session})
    assert not moved.duplicated().any()
    assert len(moved) > 0.5 * len(events)
    timed = panel.announcements.timed()["day_zero"]
    tickers = panel.announcements.frame["ticker"]
    for ticker, session in moved.itertuples(index=False):
        own = pools.sessions.get_indexer(timed[(tickers == ticker) & timed.notna()])
        assert np.abs(own - session).min() > 5
    # Firms that shared a day zero share the placebo day.
    together = moved["session"].groupby(events["day_zero"].to_numpy()[drawn.event]).nunique()
    assert (together == 1).all()


def test_a_firm_is_never_drawn_twice_on_a_session(panel):
    results = es.EventStudy(panel.announcements, panel.returns, market=panel.market, window=(0, 1)).fit()
    # So near to each other the few sessions that are left are drawn again and again.
    pools = CleanPools(results, panel.announcements, panel.returns, es.TradingCalendar("XNYS"), 28)
    rng = np.random.default_rng(0)
    lost = 0
    for _ in range(40):
        drawn = pools.draw(rng)
        keys = list(zip(pools.firm[drawn.event].tolist(), drawn.session.tolist(), strict=True))
        assert len(set(keys)) == len(keys)
        lost += sum(map(len, pools._members)) - len(keys)
    assert lost > 0


@pytest.mark.parametrize("model", ["market", "vasicek", es.VasicekModel(1.0, 0.05), "matched"])
def test_every_placebo_estimate_is_that_of_its_own_study(panel, model):
    """Draws that are estimated together against one study a draw, from announcements in a table."""
    if model == "matched":
        model = es.MatchedModel({name: f"G{at % 2}" for at, name in enumerate(panel.returns.columns)})
    covariate = pd.Series(
        np.random.default_rng(1).normal(size=len(panel.announcements)), index=panel.announcements.frame["event_id"]
    )
    choices = {"model": model, "market": panel.market, "window": (0, 1), "known_announcements": panel.announcements}
    found = placebo(panel.announcements, panel.returns, panel.market, model=model, covariate=covariate, draws=3, seed=9)
    results = es.EventStudy(panel.announcements, panel.returns, **choices).fit()
    pools = CleanPools(results, panel.announcements, panel.returns, es.TradingCalendar("XNYS"), 5)
    rng = np.random.default_rng(9)
    events = results.events.reset_index(drop=True)
    for row in found["draws"].itertuples():
        drawn = pools.draw(rng)
        table = events.loc[drawn.event, ["event_id", "ticker"]].assign(
            announced_at=[f"{pools.sessions[at]:%Y-%m-%d}" for at in drawn.session], session="bmo"
        )
        one = es.EventStudy(es.Announcements.from_frame(table), panel.returns, **choices).fit()
        car = pd.Series(one.car(0, 1)["car"].to_numpy(), index=one.events["event_id"])
        days = pd.Series(one.events["day_zero"].to_numpy(), index=car.index)
        own = effect(car, days, covariate.reindex(car.index))
        assert (row.estimate, row.t, row.n_events) == pytest.approx((own.estimate, own.t, own.n_events), rel=1e-9)


def test_draws_estimated_in_small_batches_are_the_same(panel, monkeypatch):
    whole = placebo(panel.announcements, panel.returns, panel.market, draws=6, seed=2)
    monkeypatch.setattr("research.analysis._placebo.BATCH", 150)
    parts = placebo(panel.announcements, panel.returns, panel.market, draws=6, seed=2)
    pd.testing.assert_frame_equal(whole["draws"], parts["draws"])


def test_a_prior_of_the_cross_section_is_that_of_each_draw(panel, monkeypatch):
    """Whatever is drawn beside it, and where too few are left for a prior there is no statistic, not an error."""
    ids = panel.announcements.frame["event_id"]
    choices = {"model": "vasicek", "known_announcements": panel.announcements, "seed": 2}
    for kept in (ids.tolist(), ids.iloc[[7, 20]].tolist()):
        few = panel.announcements.select(kept)
        whole = placebo(few, panel.returns, panel.market, draws=6, **choices)
        monkeypatch.setattr("research.analysis._placebo.BATCH", 1)
        parts = placebo(few, panel.returns, panel.market, draws=6, **choices)
        monkeypatch.undo()
        pd.testing.assert_frame_equal(whole["draws"], parts["draws"])
    results = es.EventStudy(few, panel.returns, "vasicek", panel.market, window=(0, 1)).fit()
    pools = CleanPools(results, panel.announcements, panel.returns, es.TradingCalendar("XNYS"), 5)

    def fit(moved):
        return es.EventStudy(moved, panel.returns, "vasicek", panel.market, window=(0, 1)).fit()

    drawn = pools.draw(np.random.default_rng(0))
    alone = Drawn(drawn.event[:1], drawn.session[:1])
    ((_, values),) = reactions(pools, [alone], fit, (0, 1), together=False)
    assert np.isnan(values).tolist() == [True]


def test_draws_are_not_all_held_at_once(panel, monkeypatch):
    results = es.EventStudy(panel.announcements, panel.returns, market=panel.market, window=(0, 1)).fit()
    pools = CleanPools(results, panel.announcements, panel.returns, es.TradingCalendar("XNYS"), 5)
    rng = np.random.default_rng(0)
    pulled = []

    def draws():
        for number in range(20):
            pulled.append(number)
            yield pools.draw(rng)

    def fit(moved):
        return es.EventStudy(moved, panel.returns, market=panel.market, window=(0, 1)).fit()

    monkeypatch.setattr("research.analysis._placebo.BATCH", 1)
    found = reactions(pools, draws(), fit, (0, 1), together=True)
    next(found)
    assert len(pulled) == 2


def test_placebo_keeps_clear_of_announcements_that_are_not_studied(panel):
    frame = panel.announcements.frame
    late = panel.announcements.select((frame["announced_on"] > pd.Timestamp("2018-09-01")).to_numpy())
    results = es.EventStudy(
        late, panel.returns, market=panel.market, window=(0, 1), known_announcements=panel.announcements
    ).fit()
    calendar = es.TradingCalendar("XNYS")
    pools = CleanPools(results, panel.announcements, panel.returns, calendar, 5)
    timed = panel.announcements.timed()["day_zero"]
    rng = np.random.default_rng(0)
    for _ in range(20):
        drawn = pools.draw(rng)
        for event, session in zip(drawn.event, drawn.session, strict=True):
            own = pools.sessions.get_indexer(timed[(frame["ticker"] == pools.firms[event]) & timed.notna()])
            assert np.abs(own - session).min() > 5
    # A planted move on the announcements that are not studied must not reach the placebos.
    returns = panel.returns.copy()
    for ticker, day in zip(frame["ticker"], timed, strict=True):
        if pd.notna(day):
            returns.loc[day, ticker] += 0.2
    found = placebo(late, returns, panel.market, draws=20, known_announcements=panel.announcements)
    assert found["draws"]["estimate"].abs().max() < 0.02


def test_placebo_without_room_or_draws_has_no_p_value(panel):
    found = placebo(panel.announcements, panel.returns, panel.market, draws=3, distance=500)
    assert np.isnan(found["p_value"])
    assert found["draws"]["t"].isna().all()
    assert found["moved"] == 0
    none = placebo(panel.announcements, panel.returns, panel.market, draws=0)
    assert np.isnan(none["p_value"])
    assert np.isnan(none["granularity"])
    for keywords in ({"draws": -1}, {"draws": 2.5}, {"draws": True}, {"distance": -1}, {"distance": True}):
        with pytest.raises(es.ParameterError):
            placebo(panel.announcements, panel.returns, panel.market, **keywords)


def test_placebo_finds_a_planted_reaction(panel):
    returns = panel.returns.copy()
    study = es.EventStudy(panel.announcements, returns, market=panel.market, window=(0, 1)).fit()
    for ticker, day in study.index:
        returns.loc[day, ticker] += 0.05
    found = placebo(panel.announcements, returns, panel.market, draws=19, seed=0)
    assert found["p_value"] == 1 / 20
    assert found["draws"]["estimate"].abs().max() < 0.02


def test_beats_that_fell_against_independence(results):
    ids = results.events["event_id"]
    rng = np.random.default_rng(4)
    surprise = pd.Series(rng.choice([0.05, -0.05, 0.0], len(ids)), index=ids)
    found = es.beat_but_dip(results, surprise)
    ar = results.car(0, 0)["car"].to_numpy()
    present = np.isfinite(ar)
    beat = surprise.to_numpy() > 0.01
    row = found.table.loc["raw"]
    assert row["n_both"] == (beat & (ar < 0)).sum()
    assert row["falls_of_beats"] == pytest.approx((ar[beat & present] < 0).mean())
    assert row["base_rate"] == pytest.approx((ar[present] < 0).mean())
    assert row["p_value"] > 0.05  # the surprises were drawn without looking at the reaction
    z = results.yardsticks(0)["z_own"].to_numpy()
    assert found.table.loc["scaled", "n_both"] == (beat & (z < -1)).sum()
    assert set(found.listed("scaled").index) == set(ids[beat & (z < -1)])
    assert found.listed("raw")["day_zero"].is_monotonic_decreasing
    with pytest.raises(es.InputError, match="no event has both"):
        es.beat_but_dip(results, surprise * np.nan)
    with pytest.raises(es.ParameterError):
        found.listed("both")
    everything = es.beat_but_dip(results, surprise * 0 + 0.05)
    assert np.isnan(everything.table.loc["raw", "p_value"])


def test_the_linearised_error_of_the_difference_covers():
    """The standard error of 'falls of beats minus base rate' against its spread over many samples."""
    from research.analysis.beats import _compare

    rng = np.random.default_rng(0)
    differences, errors = [], []
    for _ in range(400):
        beat = pd.Series(rng.random(120) < 0.6)
        fall = pd.Series(rng.random(120) < np.where(beat, 0.4, 0.6))
        row = _compare(beat, fall, pd.Series(np.arange(120)))
        differences.append(row["difference"])
        errors.append(row["se"])
    assert np.mean(errors) == pytest.approx(np.std(differences), rel=0.12)


def test_impossible_requests_are_told(panel, results):
    ids = results.events["event_id"]
    twice = pd.Series([1.0, 2.0], index=["a", "a"])
    cases = [
        (lambda: romano_wolf(pd.DataFrame({"a": list("abc")}), pd.Series([1, 2, 3])), es.InputError, "not numeric: a"),
        (lambda: adjust_p_values(pd.Series(["x"])), es.ParameterError, "numbers"),
        (lambda: subperiods(pd.Series([np.nan]), pd.Series(pd.to_datetime(["2020-01-02"]))), es.InputError, "no event"),
        (
            lambda: specification_curve(panel.announcements, panel.returns, panel.market, windows=[]),
            es.ParameterError,
            "windows",
        ),
        (
            lambda: placebo(panel.announcements, panel.returns, panel.market, covariate=twice, draws=1),
            es.InputError,
            "twice",
        ),
        (
            lambda: specification_curve(
                panel.announcements, panel.returns, panel.market, covariate=pd.Series("x", index=ids)
            ),
            es.ParameterError,
            "numbers",
        ),
    ]
    for call, error, message in cases:
        with pytest.raises(error, match=message):
            call()


def test_a_table_is_checked_once_for_all_specifications(panel, monkeypatch):
    table = panel.announcements.frame[["ticker", "announced_at"]]
    calls = []
    checked = es.Announcements.from_frame.__func__

    def counted(cls, frame, **choices):
        calls.append(len(frame))
        return checked(cls, frame, **choices)

    monkeypatch.setattr(es.Announcements, "from_frame", classmethod(counted))
    found = specification_curve(table, panel.returns, panel.market, windows=[(0, 0)], day_zero_rules=["instant"])
    assert len(found) == 5
    assert calls == [len(table)]


def test_placebo_takes_a_table_like_a_study_does(panel):
    table = panel.announcements.frame[["ticker", "announced_at"]]
    one = placebo(table, panel.returns, panel.market, draws=3)
    other = placebo(es.Announcements.from_frame(table), panel.returns, panel.market, draws=3)
    pd.testing.assert_frame_equal(one["draws"], other["draws"])


def test_a_small_family_is_enumerated():
    """Up to 12 clusters p is the exact share of all sign patterns, stepdown included."""
    rng = np.random.default_rng(5)
    a = rng.normal(0.5, 1, 24)
    values = pd.DataFrame({"a": a, "b": 0.6 * a + rng.normal(0.2, 1, 24)})
    found = romano_wolf(values, pd.Series(np.repeat(range(6), 4)), draws=7, seed=0)

    def t(w):
        d = (w - w.mean()).reshape(6, 4).sum(axis=1)
        return abs(w.mean() / (np.sqrt(6 / 5 * (d**2).sum()) / 24))

    drawn = []
    for signs in itertools.product([1, -1], repeat=6):
        drawn.append([t(values[name].to_numpy() * np.repeat(signs, 4)) for name in values])
    drawn = np.array(drawn)
    observed = np.array([t(values[name].to_numpy()) for name in values])
    single = (drawn >= observed * (1 - 1e-9)).mean(axis=0)
    np.testing.assert_allclose(found["p_value"], single, atol=1e-12)
    top, other = np.argsort(-observed)
    first = (drawn.max(axis=1) >= observed[top] * (1 - 1e-9)).mean()
    assert found["romano_wolf"].iloc[top] == pytest.approx(first, abs=1e-12)
    assert found["romano_wolf"].iloc[other] == pytest.approx(max(first, single[other]), abs=1e-12)
