"""What a study refuses, and how it says so."""

import numpy as np
import pandas as pd
import pytest

import research as es
from tests.panels import ragged_panel

pytestmark = pytest.mark.filterwarnings("ignore::research.errors.ResearchWarning")


@pytest.fixture(scope="module")
def panel():
    return ragged_panel(n_firms=6)


def study(panel, **choices):
    inputs = {"events": panel.announcements, "returns": panel.returns, "market": panel.market, **choices}
    return es.EventStudy(**inputs)


@pytest.mark.parametrize(
    ("choices", "said"),
    [
        ({"window": (10, -10)}, "reversed"),
        ({"window": (0,)}, "not a pair"),
        ({"window": "0;1"}, "not a pair"),
        ({"window": (0.0, 1.0)}, "not a pair"),
        ({"window": (True, 5)}, "not a pair"),
        ({"estimation": (-250, -10)}, "must end before the event window"),
        ({"estimation": (-11, -250)}, "reversed"),
        ({"min_observations": 0}, "min_observations"),
        ({"min_observations": 241}, "more days are required"),
        ({"min_observations": 2}, "estimates 2 coefficients"),
        ({"other_announcements": "drop"}, "cut, keep"),
        ({"unknown_timing": "same-sesion"}, "same-session"),
        ({"model": "marktet"}, "market"),
        ({"market": None}, "needs a market return"),
        ({"window": {-1, 1}}, "not a pair"),
        ({"window": (-1, 20241030)}, "-10000 to 10000"),
        ({"min_observations": True}, "min_observations"),
        ({"min_observations": "100"}, "min_observations"),
        ({"model": es.MarketModel}, r"MarketModel\(\) is one"),
        ({"model": es.MatchedModel, "market": "F99"}, "a class, not a model"),
        ({"market": "F99"}, "no such column"),
        ({"market": 3.0}, "neither a Series"),
        ({"calendar": "XNYC"}, "XNYS"),
    ],
)
def test_impossible_choices(panel, choices, said):
    with pytest.raises(es.ParameterError, match=said):
        study(panel, **choices)


def spoilt(panel, change):
    returns = panel.returns.copy()
    return change(returns)


def with_infinity(returns):
    returns.iloc[10, 3] = np.inf
    returns.iloc[20, 4] = -1.5
    return returns


def on_a_sunday(returns):
    index = returns.index.to_list()
    index[100] = pd.Timestamp("2017-05-28")
    return returns.set_axis(pd.DatetimeIndex(index)).sort_index()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (with_infinity, ["2017-01-18", "F03", "2017-02-01", "F04"]),
        (lambda r: pd.concat([r, r[["F01"]]], axis=1), ["appear twice", "F01"]),
        (lambda r: pd.concat([r, r.iloc[[5]]]), ["appear twice", "2017-01-10"]),
        (lambda r: r.assign(F01=r["F01"].astype(str)), ["not numeric", "F01"]),
        (lambda r: r > 0, ["not numeric", "F00"]),
        (lambda r: r.astype(complex), ["not numeric", "F00"]),
        (lambda r: r.astype(object), ["not numeric", "F00"]),
        (lambda r: r.set_axis(["1", 1, *r.columns[2:]], axis=1), ["appear twice", "1"]),
        (lambda r: pd.concat({"close": r}, axis=1), ["several levels"]),
        (lambda r: 100 * r, ["below -100%", "decimals"]),
        (lambda r: r.iloc[:0], ["no returns"]),
        (lambda r: r.reset_index(drop=True), ["DatetimeIndex"]),
        (lambda r: r.set_axis(r.index + pd.Timedelta(hours=16)), ["times of day"]),
        (on_a_sunday, ["no session", "2017-05-28"]),
        (lambda r: None, ["no returns"]),
    ],
)
def test_unusable_returns_name_every_offence(panel, change, said):
    with pytest.raises(es.InputError) as caught:
        study(panel, returns=spoilt(panel, change))
    for word in said:
        assert word in str(caught.value)


def test_infinite_returns_keep_the_offending_rows(panel):
    with pytest.raises(es.InputError) as caught:
        study(panel, returns=spoilt(panel, with_infinity))
    assert len(caught.value.rows) == 2


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda m: m.replace(m.iloc[7], np.inf), "infinite"),
        (lambda m: m.astype(str), "not numeric"),
        (lambda m: 100 * m, "decimals"),
        (lambda m: m * np.nan, "missing on every date"),
        (lambda m: m.iloc[:0], "missing on every date"),
        (lambda m: pd.concat([m, m.iloc[:1]]), "appear twice"),
        (lambda m: m.set_axis(m.index + pd.Timedelta(days=20 * 365)), "no date in common"),
    ],
)
def test_unusable_market_returns(panel, change, said):
    with pytest.raises(es.InputError, match=said):
        study(panel, market=change(panel.market))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda f: f.set_axis(f.index + pd.Timedelta(hours=16)), "time of day"),
        (lambda f: f.set_axis(f.index + pd.Timedelta(days=20 * 365)), "no date in common"),
        (lambda f: f.astype(object), "Convert them to floats"),
        (lambda f: f * np.nan, "factor return is missing on every date"),
        (lambda f: pd.concat([f.set_axis(f.index + pd.Timedelta(days=20 * 365)), f * np.nan]), "no date in common"),
    ],
)
def test_unusable_factor_returns(panel, change, said):
    factors = pd.DataFrame({"Mkt-RF": panel.market, "RF": 0.0001})
    with pytest.raises(es.InputError, match=said):
        study(panel, model="capm", factors=change(factors))


def test_returns_beyond_the_calendar_are_told_from_closed_days(panel):
    early = panel.returns.set_axis(pd.date_range("1980-01-01", periods=len(panel.returns)))
    with pytest.raises(es.CalendarRangeError, match="1990-01-02 to 2030-12-31") as caught:
        study(panel, returns=early)
    assert len(caught.value.rows) == len(early)
    assert "TradingCalendar('XNYS', start=" in str(caught.value)


def test_logs_of_a_total_loss_are_refused_where_logs_are_taken(panel):
    returns = panel.returns.copy()
    returns.iloc[[300, 400], 5] = -1.0
    market = panel.market.copy()
    market.iloc[7] = -1.0
    with pytest.raises(es.InputError, match="no logarithm") as caught:
        study(panel, returns=returns, market=market, model="trade-to-trade")
    assert caught.value.rows["column"].tolist() == ["F05", "F05", "market"]
    assert len(study(panel, returns=returns, min_observations=60).fit()) > 20


def test_windows_of_a_notebook_parameter(panel):
    results = study(panel, window="(-5, 5)", estimation="-200,-6", min_observations=60).fit()
    assert results.settings.window == (-5, 5)
    assert results.settings.estimation == (-200, -6)
    expected = results.test([(0, 1), (-1, 1)], tests="bmp_t")
    pd.testing.assert_frame_equal(results.test(["0,1", "(-1, 1)", (0, 1)], tests="bmp_t"), expected)
    pd.testing.assert_frame_equal(results.test("0,1", tests="bmp_t"), expected.iloc[:1])
    assert [tuple(window) for window in results.summary((0, 1)).means["window"]] == [(0, 1)]


@pytest.mark.parametrize("workers", [0, -1, 1.5, "two", True])
def test_impossible_numbers_of_threads(panel, workers):
    with pytest.raises(es.ParameterError, match="workers"):
        study(panel).fit(workers=workers)


@pytest.mark.parametrize(
    "ask",
    [
        lambda results: results.average(confidence=95),
        lambda results: results.average(confidence=1.0),
        lambda results: results.path(0, confidence=0),
        lambda results: results.path(0.5),
        lambda results: results.path(None),
        lambda results: results.bhar(0, 1, reference={}),
        lambda results: results.bhar(0, 1, reference={"ZZZ": "group"}),
        lambda results: results.summary([(0, 99)]),
        lambda results: results.test(None),
        lambda results: results.test(5),
        lambda results: results.test([(0, 1)], tests=None),
        lambda results: results.test([(0, 1)], tests=5),
        lambda results: results.test([(0, 1)], draws=True),
        lambda results: results.test([(0, 1)], by=["ticker"]),
        lambda results: results.yardsticks(11),
    ],
)
def test_impossible_questions_to_results(panel, ask):
    with pytest.raises(es.ParameterError):
        ask(study(panel, min_observations=60).fit())


def test_time_zones_and_gaps_of_the_index_are_settled_at_the_boundary(panel):
    plain = study(panel, min_observations=60).fit()
    zoned = panel.returns.set_axis(panel.returns.index.tz_localize("America/New_York"))
    pd.testing.assert_frame_equal(
        study(panel, returns=zoned, min_observations=60).fit().abnormal_returns, plain.abnormal_returns
    )
    shuffled = panel.returns.sample(frac=1, random_state=0)
    pd.testing.assert_frame_equal(
        study(panel, returns=shuffled, min_observations=60).fit().abnormal_returns, plain.abnormal_returns
    )
    # A session that is not in the table is a missing day, not a shorter calendar.
    missing = panel.returns.index[620]
    dropped = study(panel, returns=panel.returns.drop(index=missing), min_observations=60).fit()
    emptied = panel.returns.copy()
    emptied.loc[missing] = np.nan
    pd.testing.assert_frame_equal(
        dropped.abnormal_returns, study(panel, returns=emptied, min_observations=60).fit().abnormal_returns
    )


def test_a_market_that_ends_early_excludes_later_events(panel):
    end = panel.market.index[600]
    results = study(panel, market=panel.market[:end], min_observations=60).fit()
    late = results.ledger["day_zero"] > end
    lost = results.ledger[late & (results.ledger["reason"] == "missing-market")]
    assert len(lost) > 10
    assert (results.ledger.loc[results.ledger["status"] == "used", "day_zero"] <= end).all()
    assert results.car(0, 10)["car"].isna().any()


def test_a_market_without_variance_identifies_no_beta(panel):
    flat = panel.market * 0
    results = study(panel, market=flat, min_observations=60).fit()
    assert len(results) == 0
    reasons = results.exclusions
    assert reasons["missing-market"] > 20
    assert "do not vary" in results.ledger.loc[results.ledger["reason"] == "missing-market", "detail"].iloc[0]


def test_collinear_factors_are_named(panel):
    factors = pd.DataFrame({"SMB": panel.market, "HML": 2 * panel.market, "Mkt-RF": panel.market.shift(1), "RF": 0.0})
    results = study(panel, model="ff3", factors=factors, min_observations=60).fit()
    assert len(results) == 0
    assert results.exclusions["missing-market"] > 20


def test_a_study_without_usable_events_has_empty_tables_and_a_full_ledger(panel):
    frame = pd.DataFrame({"ticker": ["ZZZ", "F05"], "announced_at": ["2018-05-01", "2017-02-01"], "session": "amc"})
    results = study(panel, events=frame).fit()
    assert len(results) == 0
    assert results.ledger["reason"].tolist() == ["no-prices", "short-estimation"]
    assert results.abnormal_returns.shape == (0, 21)
    assert results.test([(0, 1)], tests="all")["statistic"].isna().all()
    assert results.average()["n_events"].eq(0).all()
    assert results.car(0, 1).empty
    assert results.yardsticks().empty
    assert "0" in repr(results.summary())
    with pytest.raises(es.NotFoundError, match="short-estimation"):
        results.path(results.ledger["event_id"].iloc[1])
    with pytest.raises(es.NotFoundError, match="no event has this id"):
        results.path("nothing")


@pytest.mark.parametrize("turned", [False, True])
def test_a_policy_that_brings_two_rows_onto_one_day_zero_uses_one(panel, turned):
    first, second = panel.returns.index[700], panel.returns.index[701]
    frame = pd.DataFrame(
        {
            "ticker": ["F05", "F05", "F05"],
            "announced_at": [f"{first:%Y-%m-%d}", f"{second:%Y-%m-%d}", f"{second:%Y-%m-%d}"],
            "session": [None, "bmo", "bmo"],
            "kind": ["earnings", "earnings", "product"],
        }
    )
    frame = frame.iloc[::-1] if turned else frame
    results = study(panel, events=frame, unknown_timing="next-session", min_observations=60).fit()
    ledger = results.ledger.set_index(["kind", "timing"])
    # The row whose hour is known stays; another kind of news is another event.
    assert ledger.loc[("earnings", "unknown"), ["status", "reason"]].tolist() == ["excluded", "duplicate"]
    assert ledger.loc[("earnings", "bmo"), "status"] == "used"
    assert ledger.loc[("product", "bmo"), "status"] == "used"
    assert results.index.is_unique


def test_announcements_outside_the_returns_are_not_taken_for_each_other(panel):
    sessions = panel.returns.index
    returns, market = panel.returns.iloc[300:800], panel.market.iloc[300:800]
    days = [sessions[i] for i in (200, 260, 300, 650, 850, 950)]
    dated = [(day, "bmo") for day in days]
    # Of unknown hour, and by the policy the day zeros of three of those above.
    dated += [(sessions[i], None) for i in (259, 649, 949)]
    frame = pd.DataFrame(
        {
            "ticker": "F05",
            "announced_at": [f"{day:%Y-%m-%d}" for day, _ in dated],
            "session": [flag for _, flag in dated],
        }
    )
    choices = {"returns": returns, "market": market, "unknown_timing": "next-session", "min_observations": 60}
    found = study(panel, events=frame, **choices).fit().ledger
    outside = "outside-price-history"
    expected = [outside, outside, "short-estimation", "", outside, outside, *["duplicate"] * 3]
    assert found["reason"].tolist() == expected
    mixed = frame.assign(ticker=["F05", "F04", "F05", "F05", "F04", "F05", "F05", "F05", "F04"])
    found = study(panel, events=mixed, **choices).fit().ledger
    expected = [outside, outside, "short-estimation", "", outside, outside, outside, "duplicate", outside]
    assert found["reason"].tolist() == expected


def test_a_studys_calendar_that_brings_two_rows_onto_one_day_zero_uses_one():
    sessions = es.TradingCalendar("XLON").sessions
    sessions = sessions[sessions.slice_indexer("2018-01-02", "2019-12-31")]
    rng = np.random.default_rng(0)
    returns = pd.DataFrame(rng.normal(0, 0.02, (len(sessions), 2)), index=sessions, columns=["A", "B"])
    market = pd.Series(rng.normal(0, 0.01, len(sessions)), index=sessions)
    instants = [
        pd.Timestamp("2019-07-10 17:00", tz="Europe/London"),
        pd.Timestamp("2019-07-11 09:30", tz="Europe/London"),
    ]
    frame = pd.DataFrame({"ticker": "A", "announced_at": instants})
    # 17:00 in London is in the middle of New York's session and after London's close.
    results = es.EventStudy(frame, returns, market=market, calendar="XLON").fit()
    assert results.ledger["reason"].tolist() == ["", "duplicate"]
    assert (results.ledger["day_zero"] == pd.Timestamp("2019-07-11")).all()


def test_a_day_zero_without_a_session_of_the_grid_moves_to_the_next(panel):
    # The Fourth of July is a session in London.
    instant = pd.Timestamp("2019-07-04 08:00", tz="Europe/London")
    frame = pd.DataFrame({"ticker": ["F05"], "announced_at": [instant], "exchange": ["XLON"]})
    results = study(panel, events=frame, min_observations=60).fit()
    assert results.index[0][1] == pd.Timestamp("2019-07-05")
    assert results.ledger["day_zero"].iloc[0] == pd.Timestamp("2019-07-05")
    assert results.path(0).loc[0, "session"] == pd.Timestamp("2019-07-05")


def test_the_alignment_across_exchanges_uses_each_rows_own_clock(panel):
    # 16:45 in London is after London's close and in the middle of New York's session.
    instant = pd.Timestamp("2019-07-10 16:45", tz="Europe/London")
    frame = pd.DataFrame(
        {
            "ticker": ["F05", "F05"],
            "announced_at": [instant, instant],
            "exchange": ["XLON", "XNYS"],
            "kind": ["earnings", "product"],
        }
    )
    ledger = study(panel, events=frame, min_observations=60).fit().ledger
    assert ledger["timing"].tolist() == ["amc", "dmh"]
    assert (ledger["day_zero"] == pd.to_datetime(["2019-07-11", "2019-07-10"])).all()


@pytest.mark.parametrize("missing", ["zero", "fill"])
def test_unknown_policies_for_missing_days(panel, missing):
    results = study(panel, min_observations=60).fit()
    with pytest.raises(es.ParameterError, match="complete, available"):
        results.car(0, 1, missing=missing)


def test_many_events_show_a_progress_bar_on_stderr_and_few_do_not(panel, capsys, monkeypatch):
    from research.study import estimation

    study(panel, min_observations=60).fit(workers=1)
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr(estimation, "PROGRESS_FROM", 10)
    for workers in (1, 2):
        study(panel, min_observations=60).fit(workers=workers)
        shown = capsys.readouterr()
        assert shown.out == ""
        assert "estimation" in shown.err
