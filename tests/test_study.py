"""The study against independent routes: one OLS per event with event-day dummies, and a plain loop."""

import numpy as np
import pandas as pd
import pytest

import research as es
from tests import oracles
from tests.panels import ragged_panel

pytestmark = pytest.mark.filterwarnings("ignore::research.errors.ResearchWarning")

WINDOW, ESTIMATION = (-10, 10), (-250, -11)


@pytest.fixture(scope="module")
def panel():
    return ragged_panel()


def fit(panel, **choices):
    choices = {"min_observations": 60, "market": panel.market, **choices}
    return es.EventStudy(panel.announcements, panel.returns, **choices).fit()


@pytest.fixture(scope="module")
def fitted(panel):
    return fit(panel)


def positions_of(panel):
    """Day zeros of all announcements by ticker, as positions on the grid."""
    timed = panel.announcements.timed()
    frame = panel.announcements.frame
    found = {}
    for ticker, day in zip(frame["ticker"], timed["day_zero"], strict=True):
        found.setdefault(ticker, []).append(panel.returns.index.get_loc(day))
    return found


def used_events(panel, results):
    known = positions_of(panel)
    for i, (ticker, day_zero) in enumerate(results.index):
        yield i, ticker, panel.returns.index.get_loc(day_zero), known[ticker]


def regressors(model, market):
    ones = np.ones(len(market))
    return {
        "market": np.column_stack([ones, market]),
        "mean-adjusted": ones[:, None],
        "market-adjusted": np.empty((len(market), 0)),
    }[model]


@pytest.mark.parametrize("model", ["market", "mean-adjusted", "market-adjusted"])
@pytest.mark.parametrize("others", ["cut", "keep"])
def test_every_event_agrees_with_a_regression_with_event_day_dummies(panel, model, others):
    results = fit(panel, model=model, other_announcements=others)
    market = panel.market.to_numpy()
    X = regressors(model, market)
    windows = [(-10, 10), (0, 0), (0, 1), (-10, -1)]
    cars = {w: results.car(*w, missing="available") for w in windows}
    assert len(results) > 100
    for i, ticker, day, known in used_events(panel, results):
        y = panel.returns[ticker].to_numpy() - (market if model == "market-adjusted" else 0)
        rows = oracles.estimation_positions(day, ESTIMATION, len(y), known, cut=others == "cut")
        ols, days, m = oracles.dummy_regression(y, X, rows, day, WINDOW)
        k = X.shape[1]
        assert results.parameters["n_observations"].iloc[i] == m
        ar = results.abnormal_returns.iloc[i][days].to_numpy()
        np.testing.assert_allclose(ar, ols.params[k:], rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(results.standard_errors.iloc[i][days], ols.bse[k:], rtol=1e-9)
        absent = [d for d in range(WINDOW[0], WINDOW[1] + 1) if d not in days]
        assert results.abnormal_returns.iloc[i][absent].isna().all()
        assert results.standard_errors.iloc[i][absent].isna().all()
        np.testing.assert_allclose(results.parameters["sigma"].iloc[i], np.sqrt(ols.mse_resid), rtol=1e-9)
        for window, table in cars.items():
            part, inside, _ = oracles.dummy_regression(y, X, rows, day, window)
            if not inside:
                assert np.isnan(table["car"].iloc[i])
                continue
            effect, se, t = oracles.sum_of_dummies(part, k)
            got = table.iloc[i]
            np.testing.assert_allclose([got["car"], got["se"], got["t"]], [effect, se, t], rtol=1e-9, atol=1e-12)
            assert got["df"] == m - k
            assert got["n_days"] == len(inside)


def test_market_model_agrees_with_a_plain_loop(panel, fitted):
    x = panel.market.to_numpy()
    for i, ticker, day, known in used_events(panel, fitted):
        y = panel.returns[ticker].to_numpy()
        rows = oracles.estimation_positions(day, ESTIMATION, len(y), known)
        alpha, beta, sigma, m, ar, se = oracles.loop_market_model(y, x, rows, day, WINDOW)
        got = fitted.parameters.iloc[i]
        np.testing.assert_allclose([got["alpha"], got["beta"], got["sigma"]], [alpha, beta, sigma], rtol=1e-9)
        assert got["n_observations"] == m
        np.testing.assert_allclose(fitted.abnormal_returns.iloc[i], ar, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(fitted.standard_errors.iloc[i], se, rtol=1e-9)


def test_complete_policy_gives_a_number_only_without_a_gap(fitted):
    ar = fitted.abnormal_returns.loc[:, -1:1]
    complete = ar.notna().all(axis=1)
    car = fitted.car(-1, 1)
    assert (car["car"].notna() == complete).all()
    assert 0 < complete.sum() < len(complete)
    np.testing.assert_allclose(car["car"][complete], ar[complete].sum(axis=1), atol=1e-14)
    available = fitted.car(-1, 1, missing="available")
    np.testing.assert_allclose(available["car"][~complete], ar[~complete].sum(axis=1), atol=1e-14)


def test_ledger_accounts_for_every_event(panel, fitted):
    ledger = fitted.ledger
    assert len(ledger) == len(panel.announcements)
    assert ledger["event_id"].tolist() == panel.announcements.frame["event_id"].tolist()
    assert (ledger["status"] == "used").sum() == len(fitted)
    assert (ledger["status"] == "used").sum() + fitted.exclusions.sum() == len(ledger)
    excluded = ledger[ledger["status"] == "excluded"]
    assert set(excluded["reason"]) == {
        "no-prices",
        "outside-price-history",
        "short-estimation",
        "missing-day-zero",
    }
    assert (excluded["detail"] != "").all()
    assert (excluded.loc[excluded["ticker"] == "F02", "reason"] == "no-prices").all()


def test_bhar_is_the_difference_of_two_products(panel, fitted):
    table = fitted.bhar(0, 3)
    for i, ticker, day, _ in used_events(panel, fitted):
        own = market = 1.0
        for p in range(day, day + 4):
            r = panel.returns[ticker].iloc[p] if p < len(panel.returns) else np.nan
            own *= 1 + r
            market *= 1 + (panel.market.iloc[p] if p < len(panel.market) else np.nan)
        np.testing.assert_allclose(table["bhar"].iloc[i], own - market, rtol=1e-9, atol=1e-12)


def test_average_uses_present_events_and_cross_sectional_errors(fitted):
    average = fitted.average()
    ar = fitted.abnormal_returns
    for day in (-10, 0, 7):
        values = ar[day].dropna()
        assert average.loc[day, "n_events"] == len(values)
        np.testing.assert_allclose(average.loc[day, "aar"], values.mean(), rtol=1e-12)
        np.testing.assert_allclose(average.loc[day, "aar_se"], values.std() / np.sqrt(len(values)), rtol=1e-12)
    running = ar.loc[:, :3].dropna().sum(axis=1)
    np.testing.assert_allclose(average.loc[3, "caar"], running.mean(), rtol=1e-12)
    assert average.loc[3, "n_events_caar"] == len(running)


@pytest.mark.parametrize("window", [(-5, 5), (-5, 0)])
def test_average_is_the_mean_of_car_for_assumed_dates_too(panel, window):
    """A date of unknown hour taken as its own session counts only in windows that hold 0 and +1."""
    frame = panel.announcements.frame[["ticker", "announced_at"]].copy()
    frame["announced_at"] = frame["announced_at"].astype(object)
    frame["session"] = None
    local = panel.announcements.frame["announced_on"].dt.strftime("%Y-%m-%d")
    frame.loc[::3, "announced_at"] = local[::3]
    results = es.EventStudy(
        frame,
        panel.returns,
        market=panel.market,
        window=window,
        known_announcements=panel.announcements,
        unknown_timing="same-session",
        min_observations=60,
    ).fit()
    average = results.average()
    for day in results.relative_days:
        single, running = results.car(day, day)["car"].dropna(), results.car(window[0], day)["car"].dropna()
        assert average.loc[day, "n_events"] == len(single)
        assert average.loc[day, "n_events_caar"] == len(running)
        np.testing.assert_allclose(average.loc[day, ["aar", "caar"]], [single.mean(), running.mean()], rtol=1e-12)
    assert len(results) > average["n_events"].max()


def test_results_hand_out_what_they_were_estimated_on(panel, fitted):
    rows = np.array([30, 2, 17])
    y, X = fitted.estimation_data(rows)
    zero, x_zero = fitted.event_data(rows, (-1, 1))
    for at, i in enumerate(rows):
        ticker, day_zero = fitted.index[i]
        day = panel.returns.index.get_loc(day_zero)
        kept = fitted.estimation_path(i)["residual"].notna()
        used = ~np.isnan(y[at])
        np.testing.assert_array_equal(y[at][used], panel.returns[ticker][kept.index[kept]])
        np.testing.assert_array_equal(X[at][used, 1], panel.market[kept.index[kept]])
        assert (X[at][:, 0] == 1).all()
        fit = np.linalg.lstsq(X[at][used], y[at][used], rcond=None)[0]
        np.testing.assert_allclose(fit, fitted.parameters.iloc[i][["alpha", "beta"]].astype(float), rtol=1e-9)
        around = slice(day - 1, day + 2)
        np.testing.assert_array_equal(zero[at], panel.returns[ticker].iloc[around])
        np.testing.assert_array_equal(x_zero[at][:, 1], panel.market.iloc[around])


def test_the_next_announcement_and_the_last_return(panel, fitted):
    known = positions_of(panel)
    following, last = fitted.next_announcement(), fitted.last_return_day()
    for i, (ticker, day_zero) in enumerate(fitted.index):
        day = panel.returns.index.get_loc(day_zero)
        later = [other - day for other in known[ticker] if other > day]
        np.testing.assert_array_equal(following[i], min(later) if later else np.nan)
        assert last[i] == panel.returns.index.get_loc(panel.returns[ticker].last_valid_index())


def test_yardsticks_use_earlier_days_only(fitted):
    table = fitted.yardsticks().reset_index()
    zero = fitted.abnormal_returns[0].to_numpy()
    for i, row in table.iterrows():
        earlier = [
            zero[j]
            for j, other in table.iterrows()
            if other["ticker"] == row["ticker"] and other["day_zero"] < row["day_zero"]
        ]
        assert row["n_own"] == len(earlier)
        assert row["rank_own"] == 1 + sum(abs(value) > abs(zero[i]) for value in earlier)
        if len(earlier) >= 8:
            rms = np.sqrt(np.mean(np.square(earlier)))
            np.testing.assert_allclose(row["z_own"], zero[i] / rms, rtol=1e-9)
        else:
            assert np.isnan(row["z_own"])


def test_path_repeats_the_tables_of_one_event(fitted):
    i = int(np.flatnonzero(fitted.abnormal_returns.notna().all(axis=1))[0])
    path = fitted.path(i)
    np.testing.assert_array_equal(path["ar"], fitted.abnormal_returns.iloc[i])
    for end in (-10, 0, 10):
        one = fitted.car(-10, end).iloc[i]
        np.testing.assert_allclose(path.loc[end, ["car", "car_se"]].astype(float), one[["car", "se"]], rtol=1e-12)


def test_estimation_path_marks_the_cut(panel, fitted):
    i, ticker, day, known = next(iter(used_events(panel, fitted)))
    table = fitted.estimation_path(i)
    rows = oracles.estimation_positions(day, ESTIMATION, len(panel.returns), known)
    y = panel.returns[ticker]
    expected = [panel.returns.index[p] for p in rows if np.isfinite(y.iloc[p])]
    assert table.index[table["residual"].notna()].tolist() == expected
    assert table["cut"].sum() == fitted.diagnostics["n_cut"].iloc[i]
    np.testing.assert_allclose(table["residual"].sum(), 0, atol=1e-12)


def test_own_announcement_is_no_other_announcement(panel):
    """An estimation window that reaches day -1 keeps the event's own day -1 and cuts its neighbours'."""
    results = fit(panel, window=(0, 1), estimation=(-120, -1))
    for i, ticker, day, known in used_events(panel, results):
        y = panel.returns[ticker].to_numpy()
        rows = oracles.estimation_positions(day, (-120, -1), len(y), known)
        assert results.parameters["n_observations"].iloc[i] == np.isfinite(y[rows]).sum()


def test_two_announcements_closer_than_the_window_are_flagged(fitted):
    near = fitted.diagnostics.loc["F04", "other_in_window"]
    assert set(near) == {"+6", "-6"}
    assert (fitted.diagnostics.loc["F05", "other_in_window"] == "").all()


def test_known_announcements_decide_the_cut(panel):
    one = panel.announcements.select((panel.announcements.frame["ticker"] == "F05").to_numpy())
    last = one.select([one.frame["event_id"].iloc[-2]])
    with pytest.warns(es.ResearchWarning, match="1 of 1 events have fewer than 3"):
        alone = es.EventStudy(last, panel.returns, market=panel.market).fit()
    told = es.EventStudy(last, panel.returns, market=panel.market, known_announcements=one).fit()
    assert told.diagnostics["n_other_announcements"].iloc[0] == 3
    assert alone.parameters["n_observations"].iloc[0] - told.parameters["n_observations"].iloc[0] in (8, 9)


def test_market_can_be_a_column(panel):
    returns = panel.returns.assign(MKT=panel.market)
    by_name = es.EventStudy(panel.announcements, returns, market="MKT", min_observations=60).fit()
    pd.testing.assert_frame_equal(by_name.abnormal_returns, fit(panel).abnormal_returns)


def test_batches_and_threads_do_not_change_a_number(panel, fitted):
    half = panel.announcements.select(np.arange(len(panel.announcements)) % 2 == 0)
    part = es.EventStudy(
        half, panel.returns, market=panel.market, known_announcements=panel.announcements, min_observations=60
    ).fit(workers=1)
    whole = fitted.abnormal_returns.loc[part.index]
    np.testing.assert_allclose(part.abnormal_returns, whole, rtol=0, atol=1e-15)
    np.testing.assert_allclose(part.standard_errors, fitted.standard_errors.loc[part.index], rtol=0, atol=1e-15)


def test_tests_agree_with_the_formulas(fitted):
    table = fitted.test([(0, 1)], tests="all").set_index("test")
    car = fitted.car(0, 1).dropna()
    n, scar, df = len(car), car["t"].to_numpy(), car["df"].to_numpy()
    t_cs = car["car"].mean() / (car["car"].std() / np.sqrt(n))
    patell = sum(scar) / np.sqrt(sum(d / (d - 2) for d in df))
    bmp = scar.mean() / (np.std(scar, ddof=1) / np.sqrt(n))
    np.testing.assert_allclose(table.loc["cross_sectional_t", "statistic"], t_cs, rtol=1e-9)
    np.testing.assert_allclose(table.loc["patell_z", "statistic"], patell, rtol=1e-9)
    np.testing.assert_allclose(table.loc["bmp_t", "statistic"], bmp, rtol=1e-9)
    assert (table["n_events"] == n).all()


def test_a_single_event_gives_rows_with_a_note(panel):
    one = panel.announcements.select([panel.announcements.frame["event_id"].iloc[8]])
    results = es.EventStudy(
        one, panel.returns, market=panel.market, known_announcements=panel.announcements, min_observations=60
    ).fit()
    table = results.test([(0, 1)], tests=["cross_sectional_t", "bmp_t"])
    assert table["statistic"].isna().all()
    assert table["note"].str.contains("at least 2 events").all()


def test_unknown_timing_policies(panel):
    frame = pd.DataFrame({"ticker": ["F05"], "announced_at": [panel.returns.index[700].strftime("%Y-%m-%d")]})
    announcements = es.Announcements.from_frame(frame)

    def study(policy):
        return es.EventStudy(
            announcements,
            panel.returns,
            market=panel.market,
            known_announcements=panel.announcements,
            unknown_timing=policy,
            min_observations=60,
        ).fit()

    assert study("exclude").ledger["reason"].tolist() == ["unknown-timing"]
    same, following = study("same-session"), study("next-session")
    assert same.index[0][1] == panel.returns.index[700]
    assert following.index[0][1] == panel.returns.index[701]
    assert same.car(0, 0)["car"].isna().all()
    assert same.car(0, 1)["car"].notna().all()
    assert following.car(0, 0)["car"].notna().all()


def test_two_kinds_on_one_day_zero_are_both_fitted(panel):
    day = panel.returns.index[700].strftime("%Y-%m-%d")
    frame = pd.DataFrame(
        {
            "ticker": ["F05", "F05"],
            "announced_at": [day, day],
            "session": ["bmo", "bmo"],
            "kind": ["earnings", "product"],
        }
    )
    with pytest.warns(es.ResearchWarning):
        results = es.EventStudy(es.Announcements.from_frame(frame), panel.returns, market=panel.market).fit()
    assert results.index.names == ["ticker", "day_zero", "kind"]
    assert len(results) == 2
    assert results.index.get_level_values("kind").tolist() == ["earnings", "product"]


def test_nothing_is_changed_in_the_callers_frames(panel):
    before = panel.returns.copy()
    results = fit(panel)
    table = results.abnormal_returns
    table.loc[:, :] = 0
    pd.testing.assert_frame_equal(panel.returns, before)
    assert not (results.abnormal_returns == 0).all().all()
    for name in ("events", "diagnostics", "parameters", "ledger"):
        before, table = getattr(results, name), getattr(results, name)
        table["ticker"] = "changed"
        pd.testing.assert_frame_equal(getattr(results, name), before)


@pytest.mark.parametrize("model", ["market", "capm", "market-adjusted"])
def test_a_study_keeps_what_it_was_given(panel, model):
    """Frames that the caller changes after the study was made do not change its numbers."""
    returns, market = panel.returns.copy(), panel.market.copy()
    factors = pd.DataFrame({"Mkt-RF": market, "RF": 0.0001})
    study = es.EventStudy(panel.announcements, returns, model, market=market, factors=factors, min_observations=60)
    expected = study.fit()
    for frame in (returns, factors):
        frame.iloc[:, :] = 0.01
    market.iloc[:] = 0.02
    again = study.fit()
    pd.testing.assert_frame_equal(again.abnormal_returns, expected.abnormal_returns)
    pd.testing.assert_frame_equal(again.bhar(0, 1), expected.bhar(0, 1))
    for name in ("model", "settings", "events"):
        with pytest.raises(AttributeError, match="immutable"):
            setattr(study, name, None)
