"""Symmetries that hold whatever the data: scale, order, batches, and events that cannot be used."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import research as es
from research.study.inference import TEST_NAMES
from tests.panels import ragged_panel

pytestmark = pytest.mark.filterwarnings("ignore::research.errors.ResearchWarning")

QUICK = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

PANEL = ragged_panel(n_firms=8, last="2019-06-28")
FRAME = PANEL.announcements.frame[["ticker", "announced_at"]]


def study(frame=FRAME, returns=PANEL.returns, market=PANEL.market, **choices):
    choices = {"known_announcements": PANEL.announcements, "min_observations": 60, **choices}
    return es.EventStudy(es.Announcements.from_frame(frame), returns, market=market, **choices).fit()


BASE = study()
BASE_TESTS = BASE.test([(0, 1), (-1, 1)], tests="all", draws=199)


def same_tests(results, rtol=1e-8):
    table = results.test([(0, 1), (-1, 1)], tests="all", draws=199)
    np.testing.assert_allclose(table["statistic"], BASE_TESTS["statistic"], rtol=rtol, atol=1e-9)
    np.testing.assert_allclose(table["p_value"], BASE_TESTS["p_value"], rtol=1e-6, atol=1e-9)


@QUICK
@given(scale=st.floats(1e-3, 0.9) | st.floats(1.1, 5))
def test_scaling_returns_and_market_leaves_every_statistic_unchanged(scale):
    # Beyond -100% a return is impossible, so the losses of the panel bound the scale.
    scale = min(scale, 0.99 / -min(PANEL.returns.min().min(), PANEL.market.min()))
    results = study(returns=PANEL.returns * scale, market=PANEL.market * scale)
    same_tests(results)
    np.testing.assert_allclose(results.car(0, 1)["car"], scale * BASE.car(0, 1)["car"], rtol=1e-9, atol=1e-14)


@QUICK
@given(seed=st.integers(0, 2**16))
def test_the_order_of_events_changes_nothing(seed):
    order = np.random.default_rng(seed).permutation(len(FRAME))
    results = study(frame=FRAME.iloc[order].reset_index(drop=True))
    same_tests(results)
    pd.testing.assert_frame_equal(
        results.car(0, 1).sort_index(), BASE.car(0, 1).sort_index(), rtol=1e-12, check_exact=False
    )


@QUICK
@given(seed=st.integers(0, 2**16))
def test_the_order_of_firms_changes_nothing(seed):
    order = np.random.default_rng(seed).permutation(PANEL.returns.shape[1])
    results = study(returns=PANEL.returns.iloc[:, order])
    pd.testing.assert_frame_equal(results.abnormal_returns, BASE.abnormal_returns)
    same_tests(results)


@QUICK
@given(cut=st.integers(1, len(FRAME) - 1), workers=st.sampled_from([1, 2, 3]))
def test_batches_change_no_number(cut, workers):
    announcements = PANEL.announcements
    parts = []
    for mask in (np.arange(len(FRAME)) < cut, np.arange(len(FRAME)) >= cut):
        part = es.EventStudy(
            announcements.select(mask), PANEL.returns, market=PANEL.market,
            known_announcements=announcements, min_observations=60,
        )  # fmt: skip
        parts.append(part.fit(workers=workers))
    for name in ("abnormal_returns", "standard_errors"):
        joined = pd.concat([getattr(part, name) for part in parts])
        np.testing.assert_allclose(joined, getattr(BASE, name), rtol=0, atol=1e-12)


def test_an_event_with_a_missing_day_zero_changes_only_the_ledger():
    day = PANEL.returns.index[500]
    returns = PANEL.returns.assign(NEW=0.001 * np.arange(len(PANEL.returns)) % 0.02)
    returns.loc[day, "NEW"] = np.nan
    added = pd.DataFrame({"ticker": ["NEW"], "announced_at": [pd.Timestamp(f"{day:%Y-%m-%d} 12:00", tz="UTC")]})
    results = study(frame=pd.concat([FRAME, added], ignore_index=True), returns=returns)
    assert len(results.ledger) == len(BASE.ledger) + 1
    assert results.ledger["reason"].iloc[-1] == "missing-day-zero"
    pd.testing.assert_frame_equal(results.abnormal_returns, BASE.abnormal_returns)
    same_tests(results)


@QUICK
@given(shift=st.floats(-0.01, 0.01))
def test_a_constant_added_to_a_firm_goes_into_its_alpha(shift):
    results = study(returns=PANEL.returns + shift)
    np.testing.assert_allclose(results.abnormal_returns, BASE.abnormal_returns, atol=1e-13)
    np.testing.assert_allclose(results.parameters["alpha"], BASE.parameters["alpha"] + shift, atol=1e-13)


def test_a_share_that_is_its_market_has_no_abnormal_return():
    returns = PANEL.returns.assign(F05=PANEL.market * 1.3 + 0.0001)
    results = study(returns=returns)
    own = results.car(-1, 1).loc["F05"]
    np.testing.assert_allclose(own["car"], 0, atol=1e-15)
    assert (own["se"] == 0).all()
    assert own["t"].isna().all()


def test_all_names_are_computed_for_every_window():
    assert BASE_TESTS["test"].tolist() == [*TEST_NAMES, *TEST_NAMES]
