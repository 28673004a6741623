"""Spillover: tiers by rule, portfolios with their correlation, ratios and slopes against independent routes."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from panels import ragged_panel
from scipy import stats

import research as es
from research.analysis._tiers import pairs
from research.analysis.spillover import (
    TIERS,
    assign_tiers,
    fieller,
    pass_through,
    peer_days,
    spillover,
    spillover_panel,
)
from research.reporting import plots_spillover

META_DAY = pd.Timestamp("2024-10-31")

pytestmark = pytest.mark.filterwarnings("ignore::research.errors.ResearchWarning")


@pytest.fixture(scope="module")
def calendar():
    return es.TradingCalendar("XNYS")


@pytest.fixture(scope="module")
def sample():
    known = es.sample.announcements(kinds=("earnings", "strategy", "product"))
    return known, es.sample.prices().returns(), es.sample.market_returns()


@pytest.fixture(scope="module")
def meta(sample):
    known, returns, market = sample
    return spillover(known, returns, "META", META_DAY, market=market)


# ------------------------------------------------------------------ tiers


def test_the_sample_sorts_itself_by_rule(meta):
    tier = meta.peers.set_index("peer")["tier"]
    assert tier["MSFT"] == "confounded"
    assert set(tier.index[tier == "adjacent"]) == {"GOOG", "AMZN", "AAPL"}
    assert set(tier.index[tier == "clean"]) == {"NFLX", "NVDA"}
    # The rest of the sample ends in 2022: without a calendar there, nothing is called clean.
    assert set(tier[~tier.isin(TIERS)]) == {"unknown"}
    offset = meta.peers.set_index("peer")["offset"]
    assert offset[["GOOG", "MSFT", "AMZN"]].tolist() == [-1, 0, 1]


def announced(*rows):
    table = pd.DataFrame(rows, columns=["ticker", "announced_at", "session"])
    return es.Announcements.from_frame(table)


def tier_of(known, day, calendar, peer="B"):
    return assign_tiers(peer_days(known, calendar), pd.Timestamp(day), [peer], calendar).iloc[0]


@pytest.mark.parametrize(
    ("date", "session", "tier"),
    [
        ("2024-05-14", "amc", "confounded"),  # day zero Wednesday 15
        ("2024-05-15", "bmo", "confounded"),
        ("2024-05-15", "amc", "adjacent"),
        ("2024-05-13", "amc", "adjacent"),
        ("2024-05-16", "amc", "clean"),
        ("2024-05-13", "bmo", "clean"),
        ("2024-05-14", None, "confounded"),  # hour unknown: Tuesday 14 or Wednesday 15
        ("2024-05-15", None, "confounded"),
        ("2024-05-16", None, "adjacent"),
        ("2023-11-01", "amc", "unknown"),  # no announcement within 100 days
    ],
)
def test_tier_by_the_distance_of_the_peers_own_day_zero(calendar, date, session, tier):
    assert tier_of(announced(("B", date, session)), "2024-05-15", calendar)["tier"] == tier


def test_distance_is_in_sessions_not_days(calendar):
    """Friday's evening has its day zero on Monday: one session after Friday, three days."""
    known = announced(("B", "2024-05-17", "amc"))
    assert tier_of(known, "2024-05-17", calendar)["tier"] == "adjacent"


def test_the_nearest_announcement_decides(calendar):
    known = announced(("B", "2024-03-01", "amc"), ("B", "2024-05-15", "bmo"), ("B", "2024-07-01", "amc"))
    found = tier_of(known, "2024-05-15", calendar)
    assert (found["tier"], found["offset"]) == ("confounded", 0)


def test_a_peer_nobody_knows_is_unknown_not_clean(calendar):
    found = tier_of(announced(("A", "2024-05-14", "amc")), "2024-05-15", calendar)
    assert found["tier"] == "unknown"
    assert pd.isna(found["own_day_zero"])


@pytest.mark.parametrize(
    ("day", "tier"),
    [
        ("2024-03-15", "clean"),  # 43 days after the last known one: the next is due in weeks
        ("2024-04-30", "unknown"),  # 89 days after it: the next is due, and nobody has told its date
        ("2023-12-15", "clean"),  # between two that are a quarter apart
        ("2023-05-15", "unknown"),  # 102 and 80 days from two known ones with a quarter missing between them
        ("2022-12-05", "clean"),  # 59 days before the first known one
        ("2022-11-15", "unknown"),
    ],
)
def test_where_an_announcement_may_be_missing_the_calendar_is_unknown(calendar, day, tier):
    known = announced(*(("B", date, "bmo") for date in ("2023-02-02", "2023-08-03", "2023-11-02", "2024-02-01")))
    days, session = peer_days(known, calendar), pd.Timestamp(day)
    assert assign_tiers(days, session, ["B"], calendar)["tier"].tolist() == [tier]
    event = pd.DataFrame({"event_id": ["e"], "ticker": ["A"], "day_zero": [session]})
    assert pairs(days, event, ["B"], calendar)["tier"].tolist() == [tier]


def test_the_sample_has_no_clean_peer_where_its_history_ends(sample, calendar):
    """RRC's last announcement known is of July 2019, so nobody knows which day in October was its own."""
    found = assign_tiers(peer_days(sample[0], calendar), pd.Timestamp("2019-10-23"), ["RRC"], calendar)
    assert found["tier"].tolist() == ["unknown"]


def test_panel_tiers_equal_those_of_single_days(sample, calendar):
    known, returns, market = sample
    events = es.EventStudy(es.sample.announcements(), returns, market=market).fit()
    panel = spillover_panel(known, events, returns, ["META"], market=market)
    days = peer_days(known, calendar)
    for day in (pd.Timestamp("2016-04-28"), pd.Timestamp("2020-07-31"), META_DAY):
        part = panel[panel["day_zero"] == day].set_index("peer")
        single = assign_tiers(days, day, list(part.index), calendar).set_index("peer")
        assert part["tier"].equals(single["tier"].loc[part.index])


# ------------------------------------------------------------------ figures of one day


def test_peer_figures_equal_a_regression_by_hand(meta, sample):
    """NVDA: the t of a day dummy in one regression over estimation days and day zero (METHODS 3.5)."""
    known, returns, market = sample
    sessions = returns.index
    zero = sessions.get_loc(META_DAY)
    rows = np.arange(zero - 250, zero - 10)
    timed = known.timed()
    frame = known.frame
    own = timed.loc[(frame["ticker"] == "NVDA") & (frame["kind"] == "earnings"), "day_zero"].dropna()
    for place in sessions.get_indexer(own):
        rows = np.setdiff1d(rows, [place - 1, place, place + 1])
    rows = np.append(rows, zero)
    y, m = returns["NVDA"].to_numpy()[rows], market.reindex(sessions).to_numpy()[rows]
    X = np.column_stack([np.ones(len(rows)), m, rows == zero]).astype(float)
    fitted = sm.OLS(y, X).fit()
    one = meta.peers.set_index("peer").loc["NVDA"]
    assert one["car"] == pytest.approx(fitted.params[2], abs=1e-12)
    assert one["t"] == pytest.approx(fitted.tvalues[2], abs=1e-8)
    assert one["n_observations"] == len(rows) - 1


def test_the_announcers_figures_are_those_of_its_own_report(meta):
    assert round(100 * meta.own["car"], 3) == -1.449
    assert meta.own["n_observations"] == 231


def test_portfolio_error_carries_the_correlation(meta):
    clean = meta.portfolios.loc["clean"]
    peers = meta.peers.set_index("peer").loc[clean["members"]]
    # Equal weights: the portfolio's abnormal return is near the mean of its members' (cut days differ).
    assert clean["car"] == pytest.approx(peers["car"].mean(), abs=2e-3)
    assert clean["se_independent"] == pytest.approx(np.sqrt((peers["se"] ** 2).sum()) / 2)
    assert clean["se"] > clean["se_independent"]


def test_portfolio_error_recovers_a_known_correlation(calendar):
    """Eight peers with residual correlation 0.5: the error is that of their mean, not of independent ones."""
    rng = np.random.default_rng(4)
    sessions = calendar.sessions[calendar.sessions.slice_indexer("2018-01-02", "2019-12-31")]
    n = len(sessions)
    market = pd.Series(rng.normal(0, 0.01, n), index=sessions, name="M")
    common = rng.normal(0, 0.01, n)
    tickers = ["A", *(f"P{i}" for i in range(8))]
    noise = {name: (common + rng.normal(0, 0.01, n)) if name != "A" else rng.normal(0, 0.01, n) for name in tickers}
    returns = pd.DataFrame({name: market.to_numpy() + values for name, values in noise.items()}, index=sessions)
    day = sessions[400]
    quarters = [sessions[i] for i in (250, 313, 376)]
    rows = [(name, f"{date:%Y-%m-%d}", "bmo") for name in tickers[1:] for date in quarters]
    known = announced(*rows, ("A", f"{day:%Y-%m-%d}", "bmo"))
    found = spillover(known, returns, "A", day, market=market)
    clean = found.portfolios.loc["clean"]
    assert clean["n"] == 8
    assert clean["correlation"] == pytest.approx(0.5, abs=0.08)
    # Var of the mean: sigma^2 (rho + (1 - rho)/n), sigma^2 = 2e-4.
    assert clean["se"] == pytest.approx(np.sqrt(2e-4 * (0.5 + 0.5 / 8)), rel=0.1)
    assert clean["se"] / clean["se_independent"] == pytest.approx(np.sqrt(1 + 7 * 0.5), rel=0.1)


def test_every_peer_has_figures_or_a_reason(meta):
    lost = meta.peers["car"].isna()
    assert (meta.peers.loc[lost, "note"] != "").all()
    assert (meta.peers.loc[~lost, "note"] == "").all()


def test_peers_without_prices_are_listed_with_the_reason(sample):
    known, returns, market = sample
    found = spillover(known, returns, "META", META_DAY, ["NVDA", "NOPE"], market=market)
    nope = found.peers.set_index("peer").loc["NOPE"]
    assert nope["note"].startswith("no-prices")
    assert found.portfolios.loc["clean", "members"] == ["NVDA"]


def test_all_peers_confounded_leaves_the_other_tiers_empty_and_says_so(sample):
    known, returns, market = sample
    found = spillover(known, returns, "META", META_DAY, ["MSFT"], market=market)
    assert found.portfolios.loc["confounded", "n"] == 1
    for tier in ("clean", "adjacent"):
        assert found.portfolios.loc[tier, "n"] == 0
        assert found.portfolios.loc[tier, "note"]
        assert found.shared[tier].kind == "none"


def test_no_peer_with_prices_still_gives_the_announcer(sample):
    known, returns, market = sample
    found = spillover(known, returns, "META", META_DAY, ["NOPE", "NADA"], market=market)
    assert found.own["n_observations"] == 231
    assert found.peers["car"].isna().all()
    assert (found.portfolios["n"] == 0).all()


def test_an_announcer_that_cannot_be_studied_is_an_error_with_the_reason(sample):
    known, returns, market = sample
    with pytest.raises(es.InputError, match="outside-price-history"):
        spillover(known, returns, "JPM", META_DAY, ["META"], market=market)
    with pytest.raises(es.InputError, match="no peers"):
        spillover(known, returns, "META", META_DAY, ["META"], market=market)


def test_peers_that_announce_on_most_days_keep_them_and_say_so(calendar):
    """Ten peers announcing all the time leave no uncut estimation window for their portfolio."""
    rng = np.random.default_rng(6)
    sessions = calendar.sessions[calendar.sessions.slice_indexer("2018-01-02", "2019-12-31")]
    tickers = ["A", *(f"P{i}" for i in range(10))]
    returns = pd.DataFrame(rng.normal(0, 0.01, (len(sessions), 11)), index=sessions, columns=tickers)
    day = sessions[420]
    rows = [
        (name, f"{sessions[i]:%Y-%m-%d}", "bmo")
        for j, name in enumerate(tickers[1:])
        for i in range(165 + 3 * j, 410, 31)
    ]
    found = spillover(
        announced(*rows, ("A", f"{day:%Y-%m-%d}", "bmo")), returns, "A", day, market=returns.mean(axis=1).rename("M")
    )
    clean = found.portfolios.loc["clean"]
    assert clean["n"] == 10
    assert "left in the estimation window" in clean["note"]
    assert clean["n_observations"] == 240


# ------------------------------------------------------------------ ratios


def rejects(theta, a, b, sa, sb, rho, df):
    se = np.sqrt(sa**2 - 2 * theta * rho * sa * sb + theta**2 * sb**2)
    return abs(a - theta * b) > stats.t.ppf(0.975, df) * se


@pytest.mark.parametrize(
    ("numbers", "kind"),
    [
        ((0.02, 0.10, 0.010, 0.012, 0.3), "interval"),
        ((-0.02, -0.10, 0.010, 0.012, -0.4), "interval"),
        ((0.04, 0.020, 0.010, 0.012, 0.3), "outside"),
        ((0.01, 0.015, 0.010, 0.012, 0.3), "everything"),
    ],
)
def test_fieller_set_is_the_set_of_ratios_that_are_not_rejected(numbers, kind):
    found = fieller(*numbers, df=120)
    assert found.kind == kind
    assert found.ratio == pytest.approx(numbers[0] / numbers[1])
    for theta in np.linspace(-60, 60, 4001):
        inside = {
            "interval": found.low <= theta <= found.high,
            "outside": theta <= found.low or theta >= found.high,
            "everything": True,
        }[kind]
        near_an_end = min(abs(theta - found.low), abs(theta - found.high)) < 1e-6
        assert near_an_end or inside == (not rejects(theta, *numbers, 120))


def test_fieller_of_zero_has_no_ratio_but_a_set():
    found = fieller(0.05, 0.0, 0.01, 0.01, 0.0, 100)
    assert np.isnan(found.ratio)
    assert found.kind == "outside"
    assert found.low < 0 < found.high
    for confidence in (95, True, "0.9"):
        with pytest.raises(es.ParameterError, match="confidence"):
            fieller(0.05, 0.1, 0.01, 0.01, 0.0, 100, confidence=confidence)


def test_share_on_the_sample_is_unbounded_because_metas_own_move_is_not_told_from_zero(meta):
    assert meta.own["p_value"] > 0.05
    assert meta.shared["clean"].kind == "everything"


# ------------------------------------------------------------------ many announcements


def made_panel(slope, n_dates=40, per_day=5, seed=0):
    rng = np.random.default_rng(seed)
    car = rng.normal(0, 0.05, n_dates)
    shock = rng.normal(0, 0.01, n_dates)
    rows = [
        (f"E{i}", "A", pd.Timestamp("2020-01-01") + pd.Timedelta(days=7 * i), f"P{j}", car[i], 0.01,
         slope * car[i] + shock[i] + rng.normal(0, 0.005))
        for i in range(n_dates) for j in range(per_day)
    ]  # fmt: skip
    names = ["event_id", "announcer", "day_zero", "peer", "announcer_car", "announcer_se", "car"]
    return pd.DataFrame(rows, columns=names)


def test_slope_and_clustered_error_equal_the_formula():
    panel = made_panel(0.2)
    found = pass_through(panel)
    X = np.column_stack([np.ones(len(panel)), panel["announcer_car"]])
    y = panel["car"].to_numpy()
    bread = np.linalg.inv(X.T @ X)
    b = bread @ X.T @ y
    e = y - X @ b
    meat = sum(
        np.outer(X[rows].T @ e[rows], X[rows].T @ e[rows])
        for rows in (np.flatnonzero(panel["day_zero"] == day) for day in panel["day_zero"].unique())
    )
    g, n = 40, len(panel)
    v = g / (g - 1) * (n - 1) / (n - 2) * bread @ meat @ bread
    assert found.slope == pytest.approx(b[1])
    assert found.se == pytest.approx(np.sqrt(v[1, 1]))
    assert found.df == 39
    half = stats.t.ppf(0.975, 39) * found.se
    assert (found.low, found.high) == pytest.approx((b[1] - half, b[1] + half))
    assert np.isnan(found.bootstrap_p)
    naive = np.sqrt(np.diag(bread * (e @ e) / (n - 2)))[1]
    assert found.se > 1.3 * naive  # five peers share each day's shock


def test_few_days_bring_a_bootstrap_and_too_few_a_note():
    few = pass_through(made_panel(0.8, n_dates=10))
    assert 0 < few.bootstrap_p < 0.05
    none = pass_through(made_panel(0.2, n_dates=4))
    assert np.isnan(none.slope)
    assert "4 days zero, at least 5" in none.note
    assert pass_through(made_panel(0.2).head(0)).note


def test_an_announcer_that_never_moves_has_no_slope():
    assert pass_through(made_panel(0.2).assign(announcer_car=0.01)).note == "no variation"


def test_panel_recovers_a_planted_spillover():
    """Every peer takes 30% of the announcer's abnormal move: the panel finds it, clustered by date."""
    panel = ragged_panel(n_firms=10)
    returns = panel.returns.copy()
    results = es.EventStudy(panel.announcements, returns, market=panel.market).fit()
    rng = np.random.default_rng(1)
    events = results.events.reset_index(drop=True)
    days = events.loc[events["ticker"] == "F05", "day_zero"]
    for day in days:
        move = rng.choice([-1, 1]) * rng.uniform(0.05, 0.15)
        returns.loc[day, "F05"] = returns.loc[day, "F05"] + move
        others = [name for name in returns.columns if name != "F05"]
        returns.loc[day, others] = returns.loc[day, others] + 0.3 * move
    planted = es.EventStudy(panel.announcements, returns, market=panel.market).fit()
    found = spillover_panel(panel.announcements, planted, returns, ["F05"], market=panel.market)
    clean = pass_through(found[found["tier"] == "clean"])
    assert clean.low < 0.3 < clean.high
    assert clean.p_value < 0.01 or clean.bootstrap_p < 0.05
    assert not (found["peer"] == found["announcer"]).any()


def test_panel_pairs_carry_the_announcers_car_of_the_study(sample):
    known, returns, market = sample
    results = es.EventStudy(es.sample.announcements(), returns, market=market).fit()
    panel = spillover_panel(known, results, returns, ["META", "NFLX"], ["NVDA", "META"], market=market)
    cars = pd.Series(results.car(0, 0)["car"].to_numpy(), index=results.events["event_id"].to_numpy())
    np.testing.assert_allclose(panel["announcer_car"], cars.loc[panel["event_id"]].to_numpy())
    assert set(zip(panel["announcer"], panel["peer"], strict=True)) == {
        ("META", "NVDA"),
        ("NFLX", "NVDA"),
        ("NFLX", "META"),
    }


def test_panel_without_a_usable_peer_is_empty_with_its_columns(sample):
    known, returns, market = sample
    results = es.EventStudy(es.sample.announcements("META"), returns, market=market).fit()
    panel = spillover_panel(known, results, returns, ["META"], ["NOPE"], market=market)
    assert panel.empty
    assert {"announcer_car", "car", "tier"} <= set(panel.columns)
    assert pass_through(panel).note


@pytest.mark.parametrize("day", ["2024-10-31", pd.Timestamp("2024-10-31").date(), META_DAY.as_unit("s")])
def test_a_day_in_any_spelling_and_peers_as_text(sample, meta, day):
    known, returns, market = sample
    found = spillover(known, returns, "META", day, "MSFT, NFLX,,MSFT", market=market)
    assert found.peers["peer"].tolist() == ["MSFT", "NFLX"]
    assert found.own["car"] == meta.own["car"]
    assert found.day_zero == META_DAY


@pytest.mark.parametrize("day", ["2024-11-02", "2024-10-31T16:00", META_DAY.tz_localize("UTC"), "soon", pd.NaT])
def test_a_day_that_is_no_session_is_refused(sample, day):
    known, returns, market = sample
    with pytest.raises(es.ParameterError, match="day_zero"):
        spillover(known, returns, "META", day, market=market)


def test_own_news_inside_a_long_window_is_named(sample, meta):
    """Netflix is clean on that day by its announcement nine sessions before."""
    known, returns, market = sample
    found = spillover(known, returns, "META", META_DAY, market=market, window=(-9, 0))
    assert found.peers.set_index("peer").loc["NFLX", ["tier", "offset"]].tolist() == ["clean", -9]
    assert found.portfolios.loc["clean", "note"].endswith("announcements of their own by NFLX")
    assert meta.portfolios.loc["clean", "note"] == ""


def test_a_matched_model_is_refused(sample):
    known, returns, market = sample
    model = es.MatchedModel(dict.fromkeys(returns.columns, "tech"))
    with pytest.raises(es.ParameterError, match="portfolio has no peers"):
        spillover(known, returns, "META", META_DAY, model=model, market=market)


def test_a_peer_that_never_moves_leaves_the_correlation_undefined(sample):
    known, returns, market = sample
    found = spillover(known, returns.assign(NFLX=0.0), "META", META_DAY, ["NFLX", "NVDA"], market=market)
    assert np.isnan(found.portfolios.loc["clean", "correlation"])
    assert found.portfolios.loc["clean", "n"] == 2


# ------------------------------------------------------------------ pictures


def test_titles_say_what_can_be_told_from_zero(meta, sample):
    title = plots_spillover.neighbours(meta).figure.axes[0].get_title("left")
    assert title == "2024-10-31: META −1.45%, its clean peers +1.13%, neither distinguishable from zero"
    none = replace(meta, portfolios=meta.portfolios.assign(n=0))
    assert "no peer is clean that day" in plots_spillover.neighbours(none).figure.axes[0].get_title("left")
    own = meta.own.copy()
    own["p_value"] = 0.01
    title = plots_spillover.neighbours(replace(meta, own=own)).figure.axes[0].get_title("left")
    assert title.endswith("only the former distinguishable from zero")


@pytest.mark.parametrize(("slope", "told"), [(0.5, "moved with it"), (-0.5, "moved against it"), (0.0, "no slope")])
def test_the_panels_title_is_its_finding(slope, told):
    rng = np.random.default_rng(1)
    days = pd.bdate_range("2020-01-01", periods=40)
    own = rng.normal(0, 0.05, 40)
    table = pd.DataFrame(
        {"event_id": [f"e{i}" for i in range(40)], "day_zero": days, "peer": "TWIN", "announcer_car": own}
    ).assign(announcer_se=0.01, car=slope * own + rng.normal(0, 0.01, 40))
    picture = plots_spillover.panel(table, pass_through(table), "ACME")
    assert told in picture.figure.axes[0].get_title("left")
    assert "95% interval" in picture.alt
