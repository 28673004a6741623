"""The founding example on real prices: the figures that everything else is judged by."""

import numpy as np
import pandas as pd
import pytest

import research as es
from research.analysis.reaction import LEGS, reaction

META = "META-earnings-2024-10-31"

pytestmark = pytest.mark.filterwarnings("ignore::research.errors.ResearchWarning")


@pytest.fixture(scope="module")
def inputs():
    return es.sample.announcements(), es.sample.prices().returns(), es.sample.market_returns()


@pytest.fixture(scope="module")
def results(inputs):
    events, returns, market = inputs
    return es.EventStudy(events, returns, market=market).fit()


@pytest.fixture(scope="module")
def meta(results):
    return results.locate(META)


def test_meta_is_timed_after_the_close_with_day_zero_on_the_next_session(results, meta):
    row = results.ledger.set_index("event_id").loc[META]
    assert row["timing"] == "amc"
    assert row["day_zero"] == pd.Timestamp("2024-10-31")
    assert row["status"] == "used"


def test_meta_against_ordinary_days(results, meta):
    one, zero = results.parameters.iloc[meta], results.car(0, 0).iloc[meta]
    assert one["n_observations"] == 231
    assert results.diagnostics["n_cut"].iloc[meta] == 9
    assert round(one["beta"], 3) == 1.441
    assert round(100 * one["sigma"], 3) == 1.332
    assert round(100 * zero["car"], 3) == -1.449
    assert round(zero["t"], 2) == -1.07
    assert zero["df"] == 229
    assert round(100 * results.path(meta).loc[0, "return"], 4) == -4.0926
    assert round(100 * results.market_return(pd.Timestamp("2024-10-31")), 4) == -1.8615


def test_meta_against_its_own_earnings_days(results, meta):
    row = results.yardsticks().iloc[meta]
    assert round(row["z_own"], 2) == -0.14
    assert row["n_own"] == 45
    assert row["rank_own"] == 41


def test_leaving_the_other_announcements_in_inflates_sigma(inputs):
    events, returns, market = inputs
    kept = es.EventStudy(events.for_ticker("META"), returns, market=market, other_announcements="keep").fit()
    i = kept.locate(META)
    one, zero = kept.parameters.iloc[i], kept.car(0, 0).iloc[i]
    assert one["n_observations"] == 240
    assert round(one["beta"], 3) == 1.523
    assert round(100 * one["sigma"], 3) == 1.957
    assert round(100 * zero["car"], 3) == -1.331
    assert round(zero["t"], 2) == -0.67


def test_a_date_only_study_looks_at_the_wrong_day(results, meta):
    day_before = results.path(meta).loc[-1]
    assert day_before["session"] == pd.Timestamp("2024-10-30")
    assert round(100 * day_before["return"], 2) == -0.25
    assert round(100 * day_before["ar"], 1) == 0.2


def test_every_announcement_of_the_sample_is_accounted_for(results):
    ledger = results.ledger
    assert len(ledger) == 1040
    assert (ledger["status"] == "used").sum() + results.exclusions.sum() == 1040
    assert results.exclusions["unknown-timing"] == 27
    # Six names begin in January 2013: their events of that half-year have no full window.
    short = ledger[ledger["reason"] == "short-estimation"]
    assert short["day_zero"].lt("2013-06-30").sum() + (short["ticker"] == "MSFT").sum() == len(short)


def test_ordinary_days_are_the_wrong_yardstick_for_earnings_days(results):
    """The technology names: variance ratio about 35 in the mean, 14 in the median, three in four beyond 1.96."""
    t = results.car(0, 0)["t"]
    technology = t[t.index.get_level_values("ticker").isin(["META", "AAPL", "AMZN", "GOOG", "NFLX", "NVDA"])]
    assert round((technology**2).mean()) == 36
    assert round((technology**2).median()) == 15
    assert round(technology.abs().gt(1.96).mean(), 2) == 0.74
    assert round(t.abs().gt(1.96).mean(), 2) == 0.6


def evening(prices, bars, **changes):
    events = es.sample.announcements()
    event = pd.concat([events.find("META", "2024-10-30"), pd.Series(changes, dtype=object)])
    event = event[~event.index.duplicated(keep="last")]
    day = pd.Timestamp("2024-10-31")
    return reaction(event, "amc", day, prices.returns(), es.TradingCalendar("XNYS"), prices, bars)


def test_legs_of_the_evening():
    legs = evening(es.sample.prices(), es.sample.intraday("META", "2024-10-30"))
    shown = {name: round(100 * legs.log[name], 2) for name in LEGS}
    assert shown == {"pre_release": 0.83, "release": -2.51, "call": -1.56, "pre_market": 2.07, "session": -3.02}
    assert abs(sum(legs.log.values()) - np.log(567.58 / 591.80)) < 1e-12
    assert round(100 * legs.simple["after_hours"], 2) == round(100 * (573.00 / 591.80 - 1), 2)
    np.testing.assert_allclose(legs.simple["overnight"], 585.00 / 591.80 - 1, atol=1e-9)
    np.testing.assert_allclose(legs.simple["intraday"], 567.58 / 585.00 - 1, atol=1e-9)


def test_legs_without_a_call_time_run_the_release_to_the_end_of_the_evening():
    legs = evening(es.sample.prices(), es.sample.intraday("META", "2024-10-30"), call_at=pd.NaT)
    assert legs.log["call"] is None
    assert round(100 * legs.log["release"], 2) == round(-2.5062 - 1.5568, 2)
    present = [value for value in legs.log.values() if value is not None]
    assert abs(sum(present) - np.log(567.58 / 591.80)) < 1e-12
    assert any("call time" in note for note in legs.notes)


def test_legs_without_bars_are_none_and_say_why():
    legs = evening(es.sample.prices(), None)
    assert set(legs.log.values()) == {None}
    assert legs.simple["after_hours"] is None
    assert legs.simple["overnight"] is not None
    assert any("No bars" in note for note in legs.notes)


def test_bars_on_another_share_basis_are_refused():
    bars = es.sample.intraday("META", "2024-10-30").frame.reset_index()
    doubled = bars.assign(**{name: 2 * bars[name] for name in ("open", "high", "low", "close")})
    with pytest.raises(es.InputError, match="share basis"):
        evening(es.sample.prices(), es.Bars.from_frame(doubled))
