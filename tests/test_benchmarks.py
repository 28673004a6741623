"""Benchmarks made of other firms, and one event under several of them, against loops and single studies."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats

import research as es
from research.study.benchmarks import clean_peers, equal_weighted, side_by_side
from tests import oracles
from tests.panels import ragged_panel

pytestmark = pytest.mark.filterwarnings("ignore::research.errors.ResearchWarning")

CALENDAR = es.TradingCalendar("XNYS")
SESSIONS = CALENDAR.sessions[CALENDAR.sessions.slice_indexer("2019-01-02", "2019-12-31")]


@pytest.fixture(scope="module")
def panel():
    return ragged_panel(n_firms=8)


# -- clean peers ------------------------------------------------------------------------------


def announced(rows):
    return es.Announcements.from_frame(pd.DataFrame(rows, columns=["ticker", "announced_at", "session"]))


def day(position):
    return f"{SESSIONS[position]:%Y-%m-%d}"


@pytest.fixture
def returns():
    values = np.random.default_rng(1).normal(0, 0.01, (len(SESSIONS), 8))
    return pd.DataFrame(values, index=SESSIONS, columns=list("ABCDEFGH"))


def test_peers_have_a_return_and_no_announcement_within_one_session(returns):
    zero = 100
    announcements = announced(
        [
            ("A", day(zero), "bmo"),  # the announcer
            ("B", day(zero), "bmo"),  # the same day zero
            ("C", day(zero), "amc"),  # the session after
            ("D", day(zero - 1), "bmo"),  # the session before
            ("E", day(zero - 2), "bmo"),  # two before: clean
            ("F", day(zero + 1), "amc"),  # two after: clean
        ]
    )
    returns.loc[SESSIONS[zero], "G"] = np.nan
    assert clean_peers(announcements, returns, "A", SESSIONS[zero], CALENDAR) == ["E", "F", "H"]
    assert clean_peers(announcements, returns, "A", SESSIONS[zero], CALENDAR, list("HGFBA")) == ["H", "F"]
    # Another firm's day: A is a candidate like any other there, and clean two sessions off.
    assert clean_peers(announcements, returns, "H", SESSIONS[zero + 2], CALENDAR, ["A", "C", "F"]) == ["A"]


def test_a_text_names_tickers_and_no_letters(returns):
    returns = returns.rename(columns={"G": "BB", "H": "HH"})
    announcements = announced([("A", day(100), "bmo")])
    among = lambda text: clean_peers(announcements, returns, "A", SESSIONS[100], CALENDAR, text)  # noqa: E731
    assert among("BB") == ["BB"]
    assert among("HH, BB,A, HH") == ["HH", "BB"]
    with pytest.raises(es.NotFoundError, match="no returns of BF"):
        among("BF")
    pd.testing.assert_series_equal(equal_weighted(returns, "HH,BB"), equal_weighted(returns, ["HH", "BB"]))


def test_an_unknown_hour_makes_both_of_its_sessions_unclean(returns):
    announcements = announced([("A", day(100), "bmo"), ("B", day(98), None), ("C", day(97), None)])
    # Announced on 98 the reaction fell on 98 or 99, next to day zero 100; on 97 it fell on 97 or 98.
    assert clean_peers(announcements, returns, "A", SESSIONS[100], CALENDAR, ["B", "C"]) == ["C"]
    assert clean_peers(announcements, returns, "A", SESSIONS[97], CALENDAR, ["B", "C"]) == []


def test_peers_on_days_without_returns_or_without_a_session(returns):
    announcements = announced([("A", day(100), "bmo")])
    later = CALENDAR.sessions[CALENDAR.sessions.get_loc(SESSIONS[-1]) + 5]
    assert clean_peers(announcements, returns, "A", later, CALENDAR) == []
    first = CALENDAR.sessions[0]
    assert clean_peers(
        announcements, returns.set_axis(CALENDAR.sessions[: len(returns)]), "A", first, CALENDAR
    ) == list("BCDEFGH")
    with pytest.raises(es.InputError, match="not a session"):
        clean_peers(announcements, returns, "A", pd.Timestamp("2019-07-04"), CALENDAR)


# -- equal weights ----------------------------------------------------------------------------


def test_equal_weights_need_every_member(returns):
    returns.iloc[5, 1] = np.nan
    benchmark = equal_weighted(returns, ["B", "D", "H"], name="three")
    assert benchmark.name == "three"
    for position in (4, 5, 6):
        values = [returns[name].iloc[position] for name in "BDH"]
        expected = sum(values) / 3 if all(np.isfinite(values)) else np.nan
        np.testing.assert_allclose(benchmark.iloc[position], expected, rtol=1e-12)
    assert np.isnan(benchmark.iloc[5])
    assert benchmark.index.equals(returns.index)
    pd.testing.assert_series_equal(equal_weighted(returns, "D"), returns["D"].rename("peers"))
    assert equal_weighted(returns, []).isna().all()
    with pytest.raises(es.NotFoundError, match="no returns of X, Y"):
        equal_weighted(returns, ["B", "X", "Y"])


# -- side by side -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def event(panel):
    """An event of F05 with its position and the known day zeros of the firm."""
    frame, timed = panel.announcements.frame, panel.announcements.timed()
    own = (frame["ticker"] == "F05").to_numpy()
    known = panel.returns.index.get_indexer(pd.DatetimeIndex(timed["day_zero"][own]))
    return frame["event_id"][own].iloc[7], known[7], known


def expected_day_zero(y, x, rows, position):
    """Abnormal return, standard error and degrees of freedom of one day by a dummy in one OLS."""
    X = {"constant": np.ones((len(y), 1)), "none": np.empty((len(y), 0))}.get(x) if isinstance(x, str) else x
    fit, _, m = oracles.dummy_regression(y, X, rows, position, (0, 0))
    return fit.params[-1], fit.bse[-1], m - X.shape[1], m


def test_side_by_side_is_every_model_under_every_benchmark(panel, event):
    event_id, position, known = event
    y, x = panel.returns["F05"].to_numpy(), panel.market.to_numpy()
    peers = equal_weighted(panel.returns.fillna(0.0), ["F06", "F07"])
    table = side_by_side(
        event_id, panel.announcements, panel.returns, {"index": panel.market, "peers": peers}, min_observations=60
    )
    assert table["label"].tolist() == [
        "market, index",
        "market, peers",
        "market-adjusted, index",
        "market-adjusted, peers",
        "mean-adjusted",
    ]
    assert table["benchmark"].tolist() == ["index", "peers", "index", "peers", "none"]
    rows = oracles.estimation_positions(position, (-250, -11), len(y), known)
    z = peers.to_numpy()
    routes = [(y, sm.add_constant(x)), (y, sm.add_constant(z)), (y - x, "none"), (y - z, "none"), (y, "constant")]
    for (_, got), (left, design) in zip(table.iterrows(), routes, strict=True):
        ar, se, df, m = expected_day_zero(left, design, rows, position)
        np.testing.assert_allclose([got["ar"], got["se"], got["t"]], [ar, se, ar / se], rtol=1e-9)
        half = stats.t.ppf(0.975, df) * se
        np.testing.assert_allclose([got["low"], got["high"]], [ar - half, ar + half], rtol=1e-9)
        np.testing.assert_allclose(got["p_value"], 2 * stats.t.sf(abs(ar / se), df), rtol=1e-9)
        assert got["n_observations"] == m
        assert got["note"] == ""


def test_a_combination_that_cannot_be_estimated_says_why(panel, event):
    event_id, position, _ = event
    short = panel.market.iloc[position - 30 :]
    holed = panel.market.drop(panel.market.index[position])
    table = side_by_side(
        event_id,
        panel.announcements,
        panel.returns,
        {"index": panel.market, "short": short, "holed": holed},
        models=["market"],
        min_observations=60,
    ).set_index("benchmark")
    numbers = ["ar", "se", "low", "high", "t", "p_value", "n_observations"]
    assert table.loc["index", numbers].notna().all()
    assert table.loc[["short", "holed"], numbers].isna().all(axis=None)
    assert table.loc["short", "note"].startswith("short-estimation: ")
    assert table.loc["holed", "note"] == "missing-market: no market or factor return on day zero"


def test_side_by_side_takes_a_single_model_and_passes_choices_on(panel, event):
    event_id, _, _ = event
    arguments = (event_id, panel.announcements, panel.returns)
    one = side_by_side(*arguments, {}, models="mean-adjusted", min_observations=60)
    assert one["label"].tolist() == ["mean-adjusted"]
    kept = side_by_side(*arguments, {}, models="mean-adjusted", min_observations=60, other_announcements="keep")
    assert kept["n_observations"].iloc[0] > one["n_observations"].iloc[0]


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ({"event_id": "F05-earnings-1999-01-01"}, es.NotFoundError, "no event has this id"),
        ({"benchmarks": {}}, es.ParameterError, "there is none"),
        ({"models": []}, es.ParameterError, "no model"),
        ({"models": ["markt"]}, es.ParameterError, "Did you mean 'market'"),
    ],
)
def test_impossible_comparisons(panel, event, change, error, said):
    arguments = {
        "event_id": event[0],
        "announcements": panel.announcements,
        "returns": panel.returns,
        "benchmarks": {"index": panel.market},
        **change,
    }
    with pytest.raises(error, match=said):
        side_by_side(**arguments)
