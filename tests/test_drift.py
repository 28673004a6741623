"""Drift: where windows end, sums and buy-and-hold by plain loops, inference by pairs, portfolios by day."""

from __future__ import annotations

import importlib.util
import itertools
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

import research as es
from research.analysis.drift import drift, holding_windows, portfolio_positions
from research.analysis.effects import effect
from research.reporting.drift import calendar_table, studied, value_table
from tests.panels import ragged_panel

pytestmark = pytest.mark.filterwarnings("ignore::research.errors.ResearchWarning")

END = 50


@pytest.fixture(scope="module")
def panel():
    return ragged_panel(seed=21, n_firms=14, last="2019-12-31")


@pytest.fixture(scope="module")
def study(panel):
    return es.EventStudy(panel.announcements, panel.returns, "market-adjusted", panel.market, window=(0, END)).fit()


@pytest.fixture(scope="module")
def surprise(study):
    ids = study.events["event_id"]
    return pd.Series(np.random.default_rng(2).normal(size=len(ids)), index=ids)


def positions(study, panel):
    """Ticker, position of day zero and of the next announcement, by hand from the announcements."""
    sessions = panel.returns.index
    timed = panel.announcements.timed()["day_zero"]
    tickers = panel.announcements.frame["ticker"]
    for ticker, day in study.index:
        at = sessions.get_loc(day)
        own = sorted(sessions.get_loc(one) for one in timed[tickers == ticker])
        later = [one for one in own if one > at]
        yield ticker, at, (later[0] - at if later else None)


def test_every_window_ends_two_sessions_before_the_next_announcement(study, panel):
    found = holding_windows(study, 2, END)
    n = len(panel.returns)
    for row, (ticker, at, following) in zip(found.itertuples(), positions(study, panel), strict=True):
        last = END if following is None else min(END, following - 2)
        assert row.last == last
        assert row.ended == ("horizon" if last == END else "next announcement")
        held = panel.returns[ticker].iloc[at + 2 : min(n, at + last + 1)]
        market = panel.market.iloc[at + 2 : min(n, at + last + 1)]
        priced = panel.returns[ticker].last_valid_index()
        if last < 2:
            assert row.reason == "no room before the next announcement"
        elif at + last >= n or panel.returns.index[at + last] > priced:
            assert row.reason == "prices end inside the window"
        elif held.isna().any() or market.isna().any():
            assert row.reason == "a day is missing"
        else:
            assert row.reason == ""
    assert {"a day is missing", ""} <= set(found["reason"])
    assert (found["ended"] == "next announcement").any()


def test_announcements_six_sessions_apart_leave_three_days(study):
    found = holding_windows(study, 2, END)
    close = found[found["ticker"] == "F04"]
    assert set(close["last"]) == {4, END}  # the next one on day 6
    nearer = holding_windows(study, 5, END)
    assert "no room before the next announcement" in nearer["reason"].tolist()


def test_prices_that_end_inside_the_window_are_told_from_a_missing_day(panel):
    newest = panel.announcements.timed()["day_zero"].max()
    shorter = panel.returns.iloc[: panel.returns.index.get_loc(newest) + 20]
    study = es.EventStudy(panel.announcements, shorter, "market-adjusted", panel.market, window=(0, END)).fit()
    found = holding_windows(study, 2, END)
    late = (found["day_zero"] >= shorter.index[-END]) & (found["last"] == END)
    assert late.any()
    assert (found.loc[late, "reason"] == "prices end inside the window").all()
    gone = panel.returns.copy()
    gone.iloc[500:, 5] = np.nan  # a firm that stops trading
    study = es.EventStudy(panel.announcements, gone, "market-adjusted", panel.market, window=(0, END)).fit()
    last = holding_windows(study, 2, END).query("ticker == 'F05'").iloc[-1]
    assert last["reason"] == "prices end inside the window"


def test_bands_of_the_paths_are_those_of_single_days(study, surprise):
    found = drift(study, surprise, start=2, end=END)
    used = found.events[found.events["status"] == "used"]
    top = used[used["group"] == 2]
    own = effect(top["car"], pd.Series(pd.DatetimeIndex(top["day_zero"]).to_period("Q").astype(str), index=top.index))
    end = found.paths[found.paths["group"] == 2].iloc[-1]
    assert (end["low"], end["high"]) == pytest.approx((own.low, own.high))


def test_sums_and_buy_and_hold_are_those_of_a_loop(study, panel, surprise):
    found = drift(study, surprise, start=2, end=END)
    checked = 0
    for row, (ticker, at, _) in zip(found.events.itertuples(), positions(study, panel), strict=True):
        if row.status != "used":
            assert np.isnan(row.car)
            continue
        own = panel.returns[ticker].iloc[at + 2 : at + row.last + 1]
        market = panel.market.iloc[at + 2 : at + row.last + 1]
        assert row.car == pytest.approx((own - market).sum(), abs=1e-12)
        assert row.bhar == pytest.approx((1 + own).prod() - (1 + market).prod(), abs=1e-12)
        checked += 1
    assert checked > 50


def test_groups_paths_and_differences_agree_with_each_other(study, surprise):
    found = drift(study, surprise, start=2, end=END)
    used = found.events[found.events["status"] == "used"]
    for group in range(3):
        own = used.loc[used["group"] == group, "car"]
        path = found.paths[found.paths["group"] == group]
        assert path["car"].iloc[-1] == pytest.approx(own.mean())
        row = found.table[(found.table["group"] == group) & (found.table["measure"] == "car")].iloc[0]
        assert row["estimate"] == pytest.approx(own.mean())
        assert row["n_events"] == len(own)
    gap = used.loc[used["group"] == 2, "car"].mean() - used.loc[used["group"] == 0, "car"].mean()
    np.testing.assert_allclose(found.long_short.query("measure == 'car'")["estimate"], gap)
    assert found.ranks.looks_ahead
    assert (found.long_short["mde"] > 2.7 * found.long_short["se"]).all()


def test_overlap_weighted_variance_equals_a_loop_over_pairs(study, surprise):
    found = drift(study, surprise, start=2, end=END, grouping="sign")
    part = found.events[(found.events["status"] == "used") & found.events["group"].isin([0, 2])]
    sessions = pd.DatetimeIndex(study.sessions)
    residual = {}
    for event_id in part.index:
        path = study.estimation_path(event_id)["residual"].dropna()
        residual[event_id] = path
    days = dict(zip(part.index, sessions.get_indexer(part["day_zero"]), strict=True))
    sums = {(0, 0): 0.0, (2, 2): 0.0, (0, 2): 0.0}
    for a, b in itertools.combinations(part.index, 2):
        held = [set(range(days[one] + 2, days[one] + part["last"][one] + 1)) for one in (a, b)]
        weight = len(held[0] & held[1]) / np.sqrt(len(held[0]) * len(held[1]))
        if weight == 0:
            continue
        common = residual[a].index.intersection(residual[b].index)
        if len(common) < 30:
            continue
        rho = np.corrcoef(residual[a][common], residual[b][common])[0, 1]
        key = tuple(sorted((int(part["group"][a]), int(part["group"][b]))))
        sums[key] += rho * weight
    long, short = part.loc[part["group"] == 2, "car"], part.loc[part["group"] == 0, "car"]
    n, m = len(long), len(short)
    r_long, r_short = sums[2, 2] / (n * (n - 1) / 2), sums[0, 0] / (m * (m - 1) / 2)
    across = sums[0, 2] / (n * m)
    s, q = long.std(), short.std()
    variance = s**2 / n * (1 + (n - 1) * r_long) + q**2 / m * (1 + (m - 1) * r_short) - 2 * s * q * across
    row = found.long_short.query("measure == 'car' and method == 'overlap-weighted'").iloc[0]
    assert row["se"] == pytest.approx(np.sqrt(variance), rel=1e-9)
    assert row["df"] == n + m - 2
    assert len(set(part["last"])) > 1  # windows of different lengths took part


def test_clustered_differences_equal_statsmodels(study, surprise):
    found = drift(study, surprise, start=2, end=END, grouping="sign")
    part = found.events[(found.events["status"] == "used") & found.events["group"].isin([0, 2])]
    X = sm.add_constant((part["group"] == 2).astype(float))
    labels = pd.factorize(pd.DatetimeIndex(part["day_zero"]).to_period("Q"))[0]
    fit = sm.OLS(part["car"], X).fit(cov_type="cluster", cov_kwds={"groups": labels}, use_t=True)
    row = found.long_short.query("measure == 'car' and method == 'clustered by quarter'").iloc[0]
    assert (row["se"], row["p_value"]) == pytest.approx((fit.bse["group"], fit.pvalues["group"]))


def test_without_alpha_the_market_model_keeps_its_slope_only(panel, surprise):
    study = es.EventStudy(panel.announcements, panel.returns, "market", panel.market, window=(0, END)).fit()
    found = drift(study, surprise, start=2, end=END, alpha="zero")
    beta = study.parameters["beta"].to_numpy()
    for i, (row, (ticker, at, _)) in enumerate(zip(found.events.itertuples(), positions(study, panel), strict=True)):
        if row.status == "used":
            own = panel.returns[ticker].iloc[at + 2 : at + row.last + 1]
            market = panel.market.iloc[at + 2 : at + row.last + 1]
            assert row.car == pytest.approx((own - beta[i] * market).sum(), abs=1e-12)
    with_alpha = drift(study, surprise, start=2, end=END)
    used = found.events["status"] == "used"
    days = found.events["last"] - 1
    expected = found.events["car"] - study.parameters["alpha"].to_numpy() * days
    np.testing.assert_allclose(with_alpha.events.loc[used, "car"], expected[used], atol=1e-12)


def test_calendar_time_equals_a_loop_over_days(study, panel, surprise):
    found = drift(study, surprise, start=2, end=END, grouping="sign")
    held = portfolio_positions(found, study, 2)
    factors = panel.market.to_frame("market")
    portfolio = es.calendar_time(panel.returns, held, factors, min_firms=2, lags=3)
    legs = {1: [], -1: []}
    for day in panel.returns.index:
        for side, values in legs.items():
            now = held[(held["side"] == side) & (held["first"] <= day) & (day <= held["last"])]
            own = [panel.returns.loc[day, name] for name in sorted(set(now["ticker"]))]
            own = [value for value in own if np.isfinite(value)]
            values.append(np.mean(own) if len(own) >= 2 else np.nan)
    long, short = (pd.Series(legs[side], index=panel.returns.index) for side in (1, -1))
    np.testing.assert_allclose(portfolio.returns["long_short"], long - short, atol=1e-15)
    y = (long - short).dropna()
    X = sm.add_constant(panel.market[y.index])
    table = portfolio.table.loc["long_short"]
    ols = sm.OLS(y, X).fit()
    assert (table.loc["OLS", "alpha"], table.loc["OLS", "se"]) == pytest.approx((ols.params["const"], ols.bse["const"]))
    hac = sm.OLS(y, X).fit(cov_type="HAC", cov_kwds={"maxlags": 3, "use_correction": True}, use_t=True)
    assert table.loc["Newey-West", "se"] == pytest.approx(hac.bse["const"], rel=1e-9)
    assert table.loc["Newey-West", "p_value"] == pytest.approx(hac.pvalues["const"], rel=1e-9)
    counts = portfolio.returns.loc[y.index, ["n_long", "n_short"]].min(axis=1)
    wls = sm.WLS(y, X, weights=counts).fit(cov_type="HC1", use_t=True)
    assert (table.loc["count-weighted", "alpha"], table.loc["count-weighted", "se"]) == pytest.approx(
        (wls.params["const"], wls.bse["const"]), rel=1e-9
    )
    assert table.loc["OLS", "n_days"] == len(y)


def test_calendar_time_without_enough_firms_is_nan(study, panel, surprise):
    held = portfolio_positions(drift(study, surprise, start=2, end=END), study, 2)
    empty = es.calendar_time(panel.returns, held, panel.market.to_frame("m"), min_firms=50)
    assert empty.table["alpha"].isna().all()
    assert (empty.table["n_days"] == 0).all()
    assert set(empty.table["note"]) == {"no day with enough firms and all factors"}
    with pytest.raises(es.ParameterError):
        es.calendar_time(panel.returns, held, panel.market.to_frame("m"), min_firms=0)


def test_legs_are_in_excess_of_the_risk_free_return_on_several_factors(study, panel, surprise):
    held = portfolio_positions(drift(study, surprise, start=2, end=END, grouping="sign"), study, 2)
    rng = np.random.default_rng(5)
    factors = pd.DataFrame({"m": panel.market, "smb": rng.normal(0, 0.01, len(panel.market))})
    rf = pd.Series(rng.uniform(0, 0.0002, len(panel.market)), index=panel.market.index)
    plain = es.calendar_time(panel.returns, held, factors, min_firms=2)
    excess = es.calendar_time(panel.returns, held, factors, min_firms=2, risk_free=rf)
    assert (plain.factors, plain.excess, excess.excess) == (("m", "smb"), False, True)
    for name, riskless in (("long", rf), ("short", rf), ("long_short", 0 * rf)):
        y = (plain.returns[name] - riskless).dropna()
        ols = sm.OLS(y, sm.add_constant(factors.loc[y.index])).fit()
        row = excess.table.loc[(name, "OLS")]
        assert (row["alpha"], row["se"], row["p_value"]) == pytest.approx(
            (ols.params["const"], ols.bse["const"], ols.pvalues["const"]), rel=1e-9
        )


def test_value_weighted_portfolios_equal_a_loop_over_days(study, panel, surprise):
    found = drift(study, surprise, start=2, end=END, grouping="sign")
    held = portfolio_positions(found, study, 2)
    rng = np.random.default_rng(4)
    held["weight"] = rng.uniform(1, 50, len(held))
    portfolio = es.calendar_time(panel.returns, held, panel.market.to_frame("m"), min_firms=2)
    for name, side in (("long", 1), ("short", -1)):
        for day in panel.returns.index[::7]:
            now = held[(held["side"] == side) & (held["first"] <= day) & (day <= held["last"])].sort_values("first")
            own = {one.ticker: (panel.returns.loc[day, one.ticker], one.weight) for one in now.itertuples()}
            kept = [(value, weight) for value, weight in own.values() if np.isfinite(value)]
            total = sum(weight for _, weight in kept)
            value = sum(value * weight for value, weight in kept) / total if len(kept) >= 2 else np.nan
            assert portfolio.returns.loc[day, name] == pytest.approx(value, nan_ok=True, abs=1e-15)
            assert portfolio.returns.loc[day, f"n_{name}"] == len(kept)
    alike = es.calendar_time(panel.returns, held.assign(weight=3.0), panel.market.to_frame("m"), min_firms=2)
    plain = es.calendar_time(panel.returns, held.drop(columns="weight"), panel.market.to_frame("m"), min_firms=2)
    pd.testing.assert_frame_equal(alike.table, plain.table)


def test_value_weighted_groups_equal_statsmodels(study, surprise):
    weights = pd.Series(np.random.default_rng(7).uniform(1, 9, len(surprise)), index=surprise.index, name="cap")
    weights.iloc[::11] = np.nan
    found = drift(study, surprise, start=2, end=END, weights=weights)
    events = found.events.assign(weight=weights)
    used = events[(events["status"] == "used") & events["weight"].notna()]
    for row in found.value_weighted.itertuples():
        difference = row.group == "top minus bottom"
        part = used[used["group"].isin([0, 2])] if difference else used[used["group"] == row.group]
        X = pd.DataFrame({"slope": (part["group"] == 2).astype(float), "level": 1.0})
        labels = pd.factorize(pd.DatetimeIndex(part["day_zero"]).to_period("Q"))[0]
        X = X if difference else X[["level"]]
        fit = sm.WLS(part[row.measure], X, weights=part["weight"])
        fit = fit.fit(cov_type="cluster", cov_kwds={"groups": labels}, use_t=True)
        assert (row.estimate, row.se, row.p_value) == pytest.approx(
            (fit.params.iloc[0], fit.bse.iloc[0], fit.pvalues.iloc[0]), rel=1e-9
        )
        assert row.n_events == len(part)
        if not difference:
            assert row.largest_share == pytest.approx(part["weight"].max() / part["weight"].sum())
    assert drift(study, surprise, start=2, end=END).value_weighted.empty


def test_weights_come_from_a_column_and_are_checked(panel):
    frame = panel.announcements.frame
    table = frame[["ticker", "announced_at"]].assign(cap=np.linspace(1, 9, len(frame)), name="x")
    events = es.Announcements.from_frame(table)
    values = pd.Series(np.random.default_rng(3).normal(size=len(frame)), index=events.frame["event_id"])
    found = es.post_announcement_drift(events, panel.returns, panel.market, values, end=END, weights="cap", min_firms=1)
    assert len(found.headline.value_weighted) == 8
    assert found.value_calendar.table.loc[("long_short", "OLS"), "n_days"] > 0
    for weights, error, message in (
        ("capp", es.ParameterError, "Did you mean 'cap'"),
        ("name", es.ParameterError, "no numeric column"),
        (values * 0 - 1, es.InputError, "not positive"),
        (pd.concat([values, values]).abs(), es.InputError, "twice"),
        (values.astype(str) + "x", es.ParameterError, "not a Series of numbers"),
        ({"a": 1.0}, es.ParameterError, "not a Series"),
        (pd.Series([np.nan], index=["nobody"]), es.InputError, "no studied event has a weight"),
        (pd.Series([1.0], index=["nobody"]), es.InputError, "no studied event has a weight"),
    ):
        with pytest.raises(error, match=message):
            es.post_announcement_drift(events, panel.returns, panel.market, values, end=END, weights=weights)


def test_holdings_that_cannot_be_used_are_one_error(panel):
    day = panel.returns.index[300]
    good = {"ticker": "F00", "first": day, "last": panel.returns.index[320], "side": 1, "weight": 1.0}
    rows = [
        good,
        {**good, "ticker": "ZZZ"},
        {**good, "side": 0},
        {**good, "last": panel.returns.index[200]},
        {**good, "weight": -1.0},
    ]
    with pytest.raises(es.InputError) as caught:
        es.calendar_time(panel.returns, pd.DataFrame(rows), panel.market.to_frame("m"))
    assert caught.value.rows["row"].tolist() == [1, 2, 3, 4]
    with pytest.raises(es.InputError, match="no column side"):
        es.calendar_time(panel.returns, pd.DataFrame([good]).drop(columns="side"), panel.market.to_frame("m"))
    with pytest.raises(es.ParameterError, match="lags"):
        es.calendar_time(panel.returns, pd.DataFrame([good]), panel.market.to_frame("m"), lags=-1)
    twice = pd.DataFrame({"m": panel.market, "again": 2 * panel.market})
    with pytest.raises(es.InputError, match="factors: perfect collinearity among m, again") as caught:
        es.calendar_time(panel.returns, pd.DataFrame([good]), twice, min_firms=1)
    assert "fixed effects" not in str(caught.value)
    with pytest.raises(es.InputError, match="factors: infinite values"):
        es.calendar_time(panel.returns, pd.DataFrame([good]), (panel.market * np.inf).to_frame("m"), min_firms=1)
    with pytest.raises(es.InputError, match="not positive"):
        es.calendar_time(panel.returns, pd.DataFrame([{**good, "weight": "x"}]), panel.market.to_frame("m"))


def test_a_leg_that_cannot_tell_the_factors_apart_says_so(panel):
    """Factors that vary, but not on the days of the short leg: the long leg is none the worse for it."""
    days = panel.returns.index
    firms = panel.returns.columns[panel.returns.iloc[260:341].notna().all()]
    held = pd.DataFrame(
        {"ticker": firms[:2], "first": [days[260], days[300]], "last": [days[340], days[310]], "side": [1, -1]}
    )
    event = pd.Series(0.0, index=days, name="flag").where(days < days[315], 1.0)
    factors = pd.DataFrame({"m": panel.market, "flag": event})
    found = es.calendar_time(panel.returns, held, factors, min_firms=1)
    long = found.table.loc["long"]
    assert np.isfinite(long["se"]).all()
    assert (long["note"] == "").all()
    y = found.returns["long"].dropna()
    ols = sm.OLS(y, sm.add_constant(factors.loc[y.index])).fit()
    assert long.loc["OLS", "se"] == pytest.approx(ols.bse["const"], rel=1e-9)
    for name in ("short", "long_short"):
        part = found.table.loc[name]
        assert part[["alpha", "se", "t", "df", "p_value", "low", "high"]].isna().all(axis=None)
        assert set(part["note"]) == {"on these 11 days perfect collinearity among flag"}


def test_all_announcements_together_are_one_group_held_long(study, surprise, panel):
    found = drift(study, surprise * np.nan, start=2, end=END, grouping="none")
    used = found.events[found.events["status"] == "used"]
    assert found.ranks.n_groups == 1
    assert found.table.iloc[0]["estimate"] == pytest.approx(used["car"].mean())
    endless = drift(study, surprise * np.inf, start=2, end=END, grouping="none")
    pd.testing.assert_frame_equal(endless.table, found.table)
    # Nothing to subtract, and so no row that would have to say why not.
    assert found.long_short.empty
    assert list(found.long_short.columns) == list(drift(study, surprise, start=2, end=END).long_short.columns)
    assert (portfolio_positions(found, study, 2)["side"] == 1).all()


def test_all_announcements_together_need_no_estimates(panel):
    assert "eps_actual" not in panel.announcements.frame.columns
    found = es.post_announcement_drift(panel.announcements, panel.returns, panel.market, end=END, grouping="none")
    nothing = pd.Series(np.nan, index=panel.announcements.frame["event_id"])
    own = es.post_announcement_drift(
        panel.announcements, panel.returns, panel.market, nothing, end=END, grouping="none"
    )
    assert (found.headline.events["status"] == "used").sum() > 50
    pd.testing.assert_frame_equal(found.headline.table, own.headline.table)
    pd.testing.assert_frame_equal(found.calendar.table, own.calendar.table)
    study, note = studied(panel.announcements, panel.returns, panel.market, end=END)
    assert "held together" in note
    pd.testing.assert_frame_equal(found.headline.table, study.headline.table)


def test_drift_takes_events_and_a_market_in_every_form_that_a_study_takes(panel, surprise):
    choices = {"surprise": surprise, "end": END, "benchmarks": ["market-adjusted"]}
    plain = es.post_announcement_drift(panel.announcements, panel.returns, panel.market, **choices)
    table = panel.announcements.frame[["event_id", "ticker", "announced_at"]]
    for events, market in ((panel.announcements, panel.market.to_frame("index")), (table, panel.market)):
        found = es.post_announcement_drift(events, panel.returns, market, **choices)
        pd.testing.assert_frame_equal(found.headline.table, plain.headline.table)
        pd.testing.assert_frame_equal(found.calendar.table, plain.calendar.table)
    with pytest.raises(es.ParameterError, match="nothing to regress the portfolios on"):
        es.post_announcement_drift(panel.announcements, panel.returns, None, **choices)


def test_the_report_says_why_calendar_time_has_no_estimate(panel, surprise):
    events = panel.announcements
    weights = pd.Series(1.0, index=surprise.index)
    found, _ = studied(events, panel.returns, panel.market, surprise=surprise, end=END, min_firms=50, weights=weights)
    assert "No interval where there is a dash: no day with enough firms" in calendar_table(found).text
    assert "In calendar time there is no estimate: no day with enough firms" in value_table(found).text


def test_announcements_without_estimates_say_so(panel):
    with pytest.raises(es.InputError, match="no event has a surprise"):
        es.post_announcement_drift(panel.announcements, panel.returns, panel.market, end=END)
    last = panel.announcements.timed()["day_zero"].max()
    late = panel.announcements.select((panel.announcements.timed()["day_zero"] == last).to_numpy())
    values = pd.Series(1.0, index=late.frame["event_id"])
    shorter = panel.returns.loc[: last + pd.Timedelta(days=9)]
    choices = {"end": END, "grouping": "sign", "known_announcements": panel.announcements}
    with pytest.raises(es.InputError, match=r"no event is left: prices end inside the window"):
        es.post_announcement_drift(late, shorter, panel.market, values, **choices)


def test_impossible_requests(study, surprise):
    for keywords in (
        {"start": 2, "end": END + 1},
        {"start": 5, "end": 5},
        {"alpha": "none"},
        {"grouping": "quintiles"},
    ):
        with pytest.raises(es.ParameterError):
            drift(study, surprise, **{"start": 2, "end": END, **keywords})
    for bad, error in ((surprise.astype(str) + "x", es.ParameterError), (surprise * np.inf, es.InputError)):
        with pytest.raises(error):
            drift(study, bad, start=2, end=END)
    with pytest.raises(es.InputError, match="twice"):
        drift(study, pd.concat([surprise, surprise]), start=2, end=END)
    with pytest.raises(es.InputError, match="no event has a surprise"):
        drift(study, surprise * np.nan, start=2, end=END)
    with pytest.raises(es.InputError, match="no event has a surprise"):
        drift(study, pd.Series([1.0], index=["nobody"]), start=2, end=END)


def test_benchmarks_without_an_intercept_come_first(panel):
    frame = panel.announcements.frame
    rng = np.random.default_rng(3)
    values = pd.Series(rng.normal(size=len(frame)), index=frame["event_id"])
    found = es.post_announcement_drift(panel.announcements, panel.returns, panel.market, values, end=END)
    assert list(found.by_benchmark) == ["market-adjusted", "market, alpha 0", "market"]
    assert found.headline.benchmark == "market-adjusted"
    bhar = [one.events["bhar"].to_numpy() for one in found.by_benchmark.values()]
    np.testing.assert_allclose(bhar[0], bhar[2])
    with pytest.raises(es.ParameterError, match="alpha 0"):
        es.post_announcement_drift(
            panel.announcements, panel.returns, panel.market, values, benchmarks=["market, beta 1"]
        )


# -- a planted effect ----------------------------------------------------------------------------


def simulator():
    path = Path(__file__).resolve().parents[1] / "benchmarks" / "coverage.py"
    spec = importlib.util.spec_from_file_location("coverage_simulation", path)
    module = importlib.util.module_from_spec(spec)
    # dataclasses look their module up by name
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_intervals_cover_a_planted_response_and_drift():
    simulation = simulator()
    table = simulation.coverage(40, seed=1, draws=199, n_firms=24, n_quarters=4)
    # 40 panels at a true rate of 0.95: 33 or fewer inside happens once in 700.
    assert (table["coverage"] >= 34 / 40).all(), table
    assert table["coverage"].mean() < 1.0


def test_the_planted_numbers_are_found_and_zero_is_refuted():
    simulation = simulator()
    made = simulation.design(n_firms=40, n_quarters=8, seed=5)
    returns, market = simulation.panel(made, np.random.default_rng(5))
    results = es.EventStudy(made.announcements, returns, market=market, window=(0, 0)).fit()
    fitted = es.regress(results, "car ~ ue", (0, 0), cluster="day_zero")
    assert fitted.params["ue"] == pytest.approx(simulation.RESPONSE, abs=3 * fitted.bse["ue"])
    assert fitted.pvalues["ue"] < 0.001
    assert es.wild_cluster_bootstrap(fitted, "ue", draws=999).p_value == 1 / 1000


@pytest.mark.filterwarnings("ignore::research.errors.ResearchWarning")
def test_holding_windows_under_a_model_whose_panel_has_a_row_an_event():
    """The windows depend on the announcements and prices, not on how a model lays out its panel."""
    from research.study.models import MatchedModel
    from tests.panels import ragged_panel

    panel = ragged_panel(n_firms=8)
    groups = dict.fromkeys(panel.returns.columns, "all")
    choices = {"market": panel.market, "window": (-1, 30), "min_observations": 60}
    matched = es.EventStudy(panel.announcements, panel.returns, MatchedModel(groups), **choices).fit()
    plain = es.EventStudy(panel.announcements, panel.returns, "market-adjusted", **choices).fit()
    ours, theirs = holding_windows(matched, 2, 30), holding_windows(plain, 2, 30)
    both = ours.index.intersection(theirs.index)
    assert len(both) > 50
    pd.testing.assert_series_equal(ours.loc[both, "last"], theirs.loc[both, "last"])
