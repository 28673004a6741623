"""Bar filter, legs, anatomy and the market's own legs: against known truth, plain arithmetic and bad input."""

import importlib.util
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import research as es
from research.analysis import legs as many
from research.analysis._boundaries import first_move
from research.analysis.bar_filter import mark_bars, without_marked
from research.analysis.market_legs import BarBenchmark
from research.analysis.reaction import LEGS, reaction
from research.market.yahoo_bars import yahoo_bars
from research.reporting import plots_reaction
from research.reporting._evening_axes import time_axis

ZONE = "America/New_York"
DAY, NEXT = pd.Timestamp("2024-05-14"), pd.Timestamp("2024-05-15")
META_ZERO = pd.Timestamp("2024-10-31")


def synthetic():
    """The benchmark's generator; benchmarks are no package, so by path."""
    path = Path(__file__).resolve().parent.parent / "benchmarks" / "bar_filter.py"
    spec = importlib.util.spec_from_file_location("bar_filter_benchmark", path)
    module = importlib.util.module_from_spec(spec)
    # dataclasses look their module up
    import sys

    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


BENCHMARK = synthetic()


@pytest.fixture(scope="module")
def calendar():
    return es.TradingCalendar("XNYS")


def at(clock, day=DAY):
    return pd.Timestamp(f"{day:%Y-%m-%d} {clock}", tz=ZONE)


def bars_of(rows, step=None):
    """Bars from (day, clock, price) or (day, clock, open, high, low, close, volume)."""
    table = []
    for day, clock, *prices in rows:
        if len(prices) == 1:
            prices = [prices[0]] * 4 + [100.0]
        table.append((at(clock, day), *prices))
    return es.Bars.from_frame(pd.DataFrame(table, columns=["ts", "open", "high", "low", "close", "volume"]), step=step)


def world(day=DAY, following=NEXT, close=100.0, opened=104.0, last=102.0, **event):
    """Event and daily prices of one ticker around one evening."""
    table = pd.DataFrame({"date": [day, following], "ticker": "ACME", "open": [close, opened], "close": [close, last]})
    prices = es.Prices.from_frame(table)
    given = {"ticker": "ACME", "announced_at": at("16:05", day).isoformat(), **event}
    row = es.Announcements.from_frame(pd.DataFrame([given])).frame.iloc[0]
    return row, prices


def react(rows, calendar, timing="amc", day=DAY, following=NEXT, step="1min", bars=None, **event):
    choices = {name: event.pop(name) for name in ("bar_filter", "benchmark") if name in event}
    row, prices = world(day, following, **event)
    bars = bars_of(rows, step) if bars is None else bars
    return reaction(row, timing, following, prices.returns(), calendar, prices, bars, **choices)


EVENING = [
    (DAY, "15:59", 100.0),
    (DAY, "16:04", 101.0),
    (DAY, "16:05", 95.0),
    (DAY, "16:30", 99.95),
    (DAY, "16:59", 97.0),
    (DAY, "17:30", 94.0),
    (DAY, "19:58", 96.0),
    (NEXT, "08:00", 98.0),
]
CALL = at("17:00").isoformat()


# ------------------------------------------------------------------ legs


def test_legs_by_hand(calendar):
    found = react(EVENING, calendar, call_at=CALL)
    expected = {
        "pre_release": np.log(101 / 100),
        "release": np.log(97 / 101),
        "call": np.log(96 / 97),
        "pre_market": np.log(104 / 96),
        "session": np.log(102 / 104),
    }
    assert found.log == pytest.approx(expected, abs=1e-12)
    assert found.segments["value"].sum() == pytest.approx(np.log(102 / 100), abs=1e-12)
    assert found.simple["after_hours"] == pytest.approx(-0.04)
    assert found.segments["leg"].tolist() == list(LEGS)


def test_anatomy_by_hand(calendar):
    course = react(EVENING, calendar, call_at=CALL).anatomy
    assert course["release_price"] == 101.0
    assert course["first"]["price"] == 95.0
    assert course["first"]["at"] == at("16:06")
    assert course["reaction"]["from_close"] == pytest.approx(-0.05)
    assert (course["lowest"]["price"], course["highest"]["price"]) == (94.0, 99.95)
    # 99.95 is within 0.1% of 100: back at the close when that bar has ended.
    assert course["back_at"] == at("16:31")
    # Half of the way from 101 to 96 is passed at once, left again at 16:30, and passed for good at 16:59.
    assert course["half_at"] == at("16:06")
    assert course["half_for_good_at"] == at("17:00")
    first = np.log(95 / 101)
    assert course["reversed"]["end_of_extended"] == pytest.approx(1 - np.log(96 / 101) / first)
    assert course["reversed"]["open"] == pytest.approx(1 - np.log(104 / 101) / first)


def test_bmo_legs_run_from_the_close_before_to_the_open(calendar):
    rows = [(DAY, "15:59", 100.0), (NEXT, "06:58", 100.5), (NEXT, "07:10", 106.0), (NEXT, "08:29", 105.0)]
    given = {"announced_at": at("07:00", NEXT).isoformat(), "call_at": at("08:30", NEXT).isoformat()}
    found = react(rows, calendar, timing="bmo", **given)
    assert found.log["pre_release"] == pytest.approx(np.log(100.5 / 100))
    assert found.log["release"] == pytest.approx(np.log(105 / 100.5))
    assert found.log["call"] == pytest.approx(np.log(104 / 105))
    assert found.log["pre_market"] is None
    assert sum(v for v in found.log.values() if v is not None) == pytest.approx(np.log(1.02), abs=1e-12)


@pytest.mark.parametrize("step", [1, 2, 5, 15])
def test_bars_of_any_length_give_the_same_legs_at_their_own_boundaries(calendar, step):
    """A bar that is still running at an instant holds its future and is not used."""
    one = BENCHMARK.evening(3, step=step, n_each=0, gaps=0.0)
    found = reaction(one.event, "amc", NEXT, one.returns, calendar, one.prices, one.bars)
    assert found.log == pytest.approx(one.legs, abs=1e-12)


def test_an_early_close_evening_ends_at_17(calendar):
    day, following = pd.Timestamp("2024-07-03"), pd.Timestamp("2024-07-05")
    rows = [
        (day, "12:59", 100.0),
        (day, "13:20", 101.0),
        (day, "13:40", 97.0),
        (day, "16:59", 96.0),
        (day, "17:10", 90.0),  # after the end of extended trading
    ]
    given = {"announced_at": at("13:30", day).isoformat()}
    found = react(rows, calendar, day=day, following=following, **given)
    assert found.log["pre_release"] == pytest.approx(np.log(1.01))
    assert found.log["release"] == pytest.approx(np.log(96 / 101))
    assert found.points.set_index("label").loc["end of extended trading", "at"] == at("17:00", day)
    assert any("closed early, at 13:00" in note for note in found.notes)


# ------------------------------------------------------------------ bad input: a message, and the rest intact


def test_call_before_the_release_is_not_used_and_said(calendar):
    found = react(EVENING, calendar, call_at=at("15:00").isoformat())
    assert found.log["call"] is None
    assert found.segments["value"].sum() == pytest.approx(np.log(1.02), abs=1e-12)
    assert any("15:00, is not after the release at 16:05" in note for note in found.notes)


def test_a_call_next_morning_has_no_leg_of_its_own(calendar):
    found = react(EVENING, calendar, call_at=at("08:30", NEXT).isoformat())
    assert found.log["call"] is None
    assert found.log["release"] == pytest.approx(np.log(96 / 101))
    assert any("2024-05-15 08:30, outside the hours" in note for note in found.notes)


def test_bars_that_start_after_the_release_leave_one_leg_for_two(calendar):
    found = react([row for row in EVENING if row[1] >= "16:30" or row[0] == NEXT], calendar, call_at=CALL)
    assert found.log["pre_release"] is None
    assert found.log["release"] is None
    assert found.log["call"] == pytest.approx(np.log(96 / 97))
    assert found.segments.iloc[0][["start", "end"]].tolist() == ["close", "call"]
    assert found.segments["value"].sum() == pytest.approx(np.log(1.02), abs=1e-12)
    assert any("they begin at 16:30" in note for note in found.notes)


def test_no_trade_between_close_and_release_is_no_gap_in_the_data(calendar):
    """Bars reach back before the close, so nobody traded; the last price is the close."""
    found = react([row for row in EVENING if row[1] != "16:04"], calendar, call_at=CALL)
    assert found.log["pre_release"] == 0.0
    assert any("No trade between the close and 16:05" in note for note in found.notes)


@pytest.mark.parametrize(("step", "begins"), [("15min", "16:00"), ("30min", "16:00")])
def test_a_bar_that_runs_across_the_release_is_said_to(calendar, step, begins):
    """Its trades lie on both sides of the release, so it is no pause without trades."""
    rows = [(DAY, "15:30", 100.0), (DAY, begins, 95.0), (DAY, "17:00", 97.0), (NEXT, "08:00", 98.0)]
    found = react(rows, calendar, step=step)
    assert found.log["pre_release"] == 0.0
    length = step.removesuffix("min")
    assert any(f"{length}-minute bar from 16:00 runs across 16:05 (release)" in note for note in found.notes)
    assert not any("No trade between" in note for note in found.notes)


def test_a_release_with_seconds_is_told_with_them(calendar):
    found = react(EVENING, calendar, announced_at=at("16:05:30").isoformat(), call_at=CALL)
    assert found.log["pre_release"] == pytest.approx(np.log(1.01))
    assert any("bar from 16:05 runs across 16:05:30 (release)" in note for note in found.notes)


def test_bars_that_end_in_the_evening_are_said_to(calendar):
    rows = [row for row in EVENING if row[0] == DAY and row[1] < "19:00"]
    found = react(rows, calendar, call_at=CALL)
    assert any("The bars end at 17:31; the price at 20:00" in note for note in found.notes)
    assert found.segments["value"].sum() == pytest.approx(np.log(1.02), abs=1e-12)


def test_bars_of_regular_hours_only_split_nothing_before_the_open(calendar):
    """Without a print between the sessions a leg of zero would be invented, not observed."""
    rows = [(DAY, "15:58", 100.0), (DAY, "15:59", 100.0), (NEXT, "09:30", 104.0), (NEXT, "09:31", 103.0)]
    found = react(rows, calendar, call_at=CALL)
    assert set(found.log.values()) == {None}
    assert found.simple["after_hours"] is None
    assert not found.complete
    assert any("no price between the close at 16:00 and the open at 09:30" in note for note in found.notes)
    assert found.segments["value"].sum() == pytest.approx(np.log(1.02), abs=1e-12)


def test_a_release_after_extended_trading_runs_to_the_open(calendar):
    found = react(EVENING, calendar, announced_at=at("20:30").isoformat())
    assert found.log["pre_release"] == pytest.approx(np.log(0.96))
    assert found.log["release"] == pytest.approx(np.log(104 / 96))
    assert found.log["pre_market"] is None


def test_empty_bars_are_no_bars(calendar):
    bars = bars_of(EVENING, "1min").between(at("01:00"), at("02:00"))
    found = react([], calendar, bars=bars)
    assert set(found.log.values()) == {None}
    assert not found.complete
    assert any("No bars" in note for note in found.notes)
    assert found.segments["value"].tolist() == pytest.approx([np.log(1.04), np.log(102 / 104)])


@pytest.mark.parametrize("timing", ["dmh", "closed", "unknown"])
def test_other_timings_have_no_legs_within_the_day(calendar, timing):
    found = react(EVENING, calendar, timing=timing)
    assert not found.complete
    assert any("outside trading hours only" in note for note in found.notes)
    assert any("mixes" in note for note in found.notes) is (timing == "dmh")


def test_bars_without_offsets_and_overlapping_bars_are_refused_with_every_row():
    table = pd.DataFrame({"ts": ["2024-05-14 16:05", "2024-05-14 16:06"], "close": [1.0, 2.0]})
    with pytest.raises(es.InputError, match="time zone") as error:
        es.Bars.from_frame(table)
    assert len(error.value.rows) == 2
    stamps = [at("16:00"), at("16:01"), at("16:02"), at("16:02") + pd.Timedelta(seconds=20)]
    with pytest.raises(es.InputError, match="before it has ended"):
        es.Bars.from_frame(pd.DataFrame({"ts": stamps, "close": 1.0}), step="1min")


# ------------------------------------------------------------------ the release, where no minute is known


def test_a_filing_time_gives_way_to_the_first_bar_that_moved(calendar):
    rng = np.random.default_rng(5)
    minutes = pd.date_range(at("15:50"), at("17:30"), freq="1min", inclusive="left")
    level = 100 * np.exp(np.cumsum(rng.normal(0, 3e-4, len(minutes))))
    level[minutes >= at("16:05")] *= 0.96
    bars = es.Bars.from_frame(pd.DataFrame({"ts": minutes, "close": level}))
    given = {"announced_at": at("16:20").isoformat(), "announced_at_source": "sec_8k_acceptance"}
    found = react(
        [], calendar, bars=bars, close=float(level[9]), opened=float(level[-1]), last=float(level[-1]), **given
    )
    assert found.points.set_index("label").loc["release", "at"] == at("16:05")
    assert any("the filing at 16:20 is only an upper bound" in note for note in found.notes)
    assert first_move(bars, at("16:05") + pd.Timedelta(minutes=1), at("17:00")) is None


def test_without_a_move_the_filing_time_stands_as_an_upper_bound(calendar):
    given = {"announced_at": at("16:05").isoformat(), "announced_at_source": "sec_8k_acceptance"}
    found = react(EVENING, calendar, **given)
    assert found.release_basis == "sec 8k acceptance, an upper bound"
    assert found.log["pre_release"] == pytest.approx(np.log(1.01))


def test_a_session_flag_alone_leaves_close_to_evening_in_one_leg(calendar):
    found = react(EVENING, calendar, announced_at=f"{DAY:%Y-%m-%d}", session="amc")
    assert found.log["release"] is None
    assert found.segments.iloc[0][["start", "end"]].tolist() == ["close", "end of extended trading"]
    assert any("minute of the release is not known" in note for note in found.notes)


# ------------------------------------------------------------------ the filter


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("step", [1, 5])
def test_the_filter_marks_every_planted_print_and_at_most_one_in_a_hundred_good_ones(seed, step):
    one = BENCHMARK.evening(seed, step=step, n_each=3 if step == 1 else 1)
    assert len(one.planted)
    score = BENCHMARK.score(one)
    assert score["caught"] == 1.0
    assert score["wrongly marked"] <= 0.01
    assert score["largest leg error"] < 1e-12


def calm_rows(n=60, start="16:10", price=100.0, seed=0, day=DAY):
    """Quiet bars with small wicks."""
    rng = np.random.default_rng(seed)
    closes = price * np.exp(np.cumsum(rng.normal(0, 3e-4, n)))
    minutes = pd.date_range(at(start, day), periods=n, freq="1min")
    return [
        (day, f"{minute:%H:%M}", close, close * 1.0002, close * 0.9998, close, 500.0)
        for minute, close in zip(minutes, closes, strict=True)
    ]


def changed(rows, i, **cells):
    names = ["day", "clock", "open", "high", "low", "close", "volume"]
    row = dict(zip(names, rows[i], strict=True)) | cells
    return [*rows[:i], tuple(row[name] for name in names), *rows[i + 1 :]]


def findings(rows, calendar, closes=None):
    marks = mark_bars(bars_of(rows, "1min"), calendar, closes)
    return {
        (f"{start.tz_convert(ZONE):%H:%M}", field): kind
        for start, field, kind in marks[["at", "field", "finding"]].to_numpy()
    }


def test_quiet_bars_and_a_jump_that_stays_are_left_alone(calendar):
    rows = calm_rows()
    assert findings(rows, calendar) == {}
    jumped = [
        (*row[:2], *(price * 0.95 for price in row[2:6]), row[6]) if i >= 30 else row for i, row in enumerate(rows)
    ]
    assert findings(jumped, calendar) == {}


def test_a_lone_close_is_a_spike_and_takes_its_wick_along(calendar):
    rows = changed(calm_rows(), 30, close=103.0, high=103.1)
    assert findings(rows, calendar) == {("16:40", "close"): "spike", ("16:40", "high"): "spike"}


def test_a_close_inside_the_range_of_the_bar_beside_it_is_a_price(calendar):
    rows = changed(changed(calm_rows(), 30, close=103.0, high=103.1), 31, high=103.0)
    assert ("16:40", "close") not in findings(rows, calendar)


def test_regular_hours_are_never_marked(calendar):
    rows = changed(calm_rows(start="10:00"), 30, close=103.0, high=103.1, volume=0.0)
    assert findings(rows, calendar) == {}


def test_a_late_report_of_the_close_is_known_by_the_price_itself(calendar):
    rows = calm_rows()
    official = round(rows[30][5] * 1.0013, 2)
    late = changed(rows, 30, high=official)
    assert findings(late, calendar, {DAY: official}) == {("16:40", "high"): "late-close-print"}
    # Two cents beside the close it is no report of it, and too near the other bars to be a spike.
    assert findings(late, calendar, {DAY: official + 0.02}) == {}
    assert findings(late, calendar) == {}


def test_a_stale_open_is_marked_with_the_wick_that_holds_it(calendar):
    rows = changed(calm_rows(), 30, open=98.0, low=97.5)
    assert findings(rows, calendar) == {("16:40", "open"): "stale-open", ("16:40", "low"): "stale-open"}


def test_zero_volume_is_marked_unless_the_vendor_reports_none(calendar):
    rows = changed(calm_rows(), 30, volume=0.0)
    assert set(findings(rows, calendar)) == {("16:40", name) for name in ("open", "high", "low", "close")}
    silent = [(*row[:6], 0.0) for row in calm_rows()]
    assert findings(silent, calendar) == {}


def test_early_close_makes_the_afternoon_extended_hours(calendar):
    day = pd.Timestamp("2024-07-03")
    rows = changed(calm_rows(start="14:00", day=day), 30, close=103.0, high=103.1)
    assert ("14:30", "close") in findings(rows, calendar)


def test_marked_cells_are_blanked_and_nothing_is_deleted(calendar):
    bars = bars_of(changed(calm_rows(), 30, close=103.0, high=103.1), "1min")
    before = bars.frame
    cleaned = without_marked(bars, mark_bars(bars, calendar))
    pd.testing.assert_frame_equal(bars.frame, before)
    assert len(cleaned) == len(bars)
    assert cleaned.step == bars.step
    assert int(cleaned.frame.isna().sum().sum()) == 2
    assert cleaned.frame["volume"].notna().all()


def test_bars_of_closes_alone_and_very_few_bars_do_not_fail(calendar):
    rows = calm_rows()
    frame = bars_of(changed(rows, 30, close=103.0), "1min").frame.reset_index()[["ts", "close"]]
    marks = mark_bars(es.Bars.from_frame(frame), calendar)
    assert marks[["field", "finding"]].to_numpy().tolist() == [["close", "spike"]]
    for n in (1, 2, 3):
        assert mark_bars(es.Bars.from_frame(frame.head(n), step="1min"), calendar).empty


def test_a_conclusion_that_hangs_on_the_filter_is_said_to(calendar):
    """A spike on the very bar on which a leg ends: the leg differs, and the reader is told by how much."""
    rows = [(DAY, "15:59", 100.0), *calm_rows(n=55, start="16:05"), (NEXT, "08:00", 98.0)]
    rows = changed(
        [(*row, *([row[2]] * 3), 10.0) if len(row) == 3 else row for row in rows], 54, close=104.0, high=104.0
    )
    call = at("16:59").isoformat()
    on = react(rows, calendar, call_at=call)
    off = react(rows, calendar, call_at=call, bar_filter=False)
    assert abs(on.log["release"]) < 0.01
    assert off.log["release"] == pytest.approx(np.log(104.0 / off.points.set_index("label").loc["release", "price"]))
    assert any("leg release would be" in text for text in on.changes)
    assert any("left out" in text for text in off.changes)
    pd.testing.assert_frame_equal(on.marks, off.marks)


# ------------------------------------------------------------------ the sample's evening


@pytest.fixture(scope="module")
def meta(calendar):
    prices = es.sample.prices()
    total = float(es.sample.market_returns()["2024-10-31"])
    fund = BarBenchmark("SPXL", es.sample.intraday("SPXL", "2024-10-30"), 3, total, "^GSPC")
    event = es.sample.announcements().find("META", "2024-10-30")
    bars = es.sample.intraday("META", "2024-10-30")
    return reaction(event, "amc", pd.Timestamp("2024-10-31"), prices.returns(), calendar, prices, bars, benchmark=fund)


def test_the_course_of_metas_evening(meta):
    """The figures of the founding story, as a reader would check them on the tape."""
    points = meta.points.set_index("label")["price"]
    change = points / points["close"] - 1
    assert round(100 * change["release"], 1) == 0.8
    assert round(100 * meta.anatomy["reaction"]["from_close"], 1) == -3.4
    assert meta.anatomy["reaction"]["at"] - at("16:05", pd.Timestamp("2024-10-30")) <= pd.Timedelta(minutes=10)
    assert meta.anatomy["back_at"] == at("16:30", pd.Timestamp("2024-10-30"))
    assert round(100 * change["call"], 1) == -1.7
    assert round(100 * change["end of extended trading"], 1) == -3.2
    assert round(100 * change["open"], 1) == -1.1
    assert round(100 * meta.simple["close_to_close"], 2) == -4.09
    assert abs(meta.segments["value"].sum() - np.log1p(meta.simple["close_to_close"])) < 1e-12


def test_the_datasheets_bad_prints_are_the_ones_marked(meta):
    found = {(f"{start.tz_convert(ZONE):%H:%M}", field) for start, field in meta.marks[["at", "field"]].to_numpy()}
    late = {(clock, "high") for clock in ("16:25", "16:33", "16:43")}
    assert found == late | {("08:00", "open"), ("08:00", "low")}
    assert meta.changes == ()


def test_the_markets_own_legs(meta):
    tape = es.sample.intraday("SPXL", "2024-10-30")
    clocks = [("16:00", 30), ("16:05", 30), ("17:00", 30), ("20:00", 30), ("09:30", 31)]
    closes = [tape.price_at(at(clock, pd.Timestamp(f"2024-10-{day}"))) for clock, day in clocks]
    assert closes[0] == 167.25  # 15:59, not the print of 16:00
    own = meta.market.legs["value"].to_numpy()
    np.testing.assert_allclose(own[:4], np.diff(np.log(closes)) / 3, atol=1e-15)
    assert own.sum() == pytest.approx(np.log1p(float(es.sample.market_returns()["2024-10-31"])))
    assert any("thinly" in note and "3 minutes old" in note for note in meta.market.notes)
    assert any("3 times" in note for note in meta.market.notes)


def test_a_market_without_an_early_trade_or_a_total_has_unknown_legs(calendar):
    late = bars_of([(DAY, "16:30", 50.0), (DAY, "19:00", 51.0), (NEXT, "09:00", 52.0)], "1min")
    found = react(EVENING, calendar, call_at=CALL, benchmark=BarBenchmark("FUND", late))
    values = found.market.legs["value"]
    assert np.isnan(values.iloc[0])
    assert values.iloc[2] == pytest.approx(np.log(51 / 50))
    assert np.isnan(values.iloc[-1])
    assert any("no trade before: close, release" in note for note in found.market.notes)


def test_the_picture_bears_a_price_of_ten_times_and_bars_around_the_clock(calendar):
    friday, monday = pd.Timestamp("2024-05-17"), pd.Timestamp("2024-05-20")
    starts = pd.date_range(at("15:50", friday), at("10:00", monday), freq="15min")
    path = pd.DataFrame({"ts": starts, "close": np.r_[np.full(2, 100.0), np.full(len(starts) - 2, 990.0)]})
    found = react(
        [],
        calendar,
        bars=es.Bars.from_frame(path),
        day=friday,
        following=monday,
        opened=1000.0,
        last=1010.0,
        call_at=None,
    )
    picture = plots_reaction.evening(found, "ACME", calendar.timezone)
    assert "+910.0% at the close" in picture.alt
    assert len(picture.figure.axes[0].get_yticks()) > 3


@pytest.mark.parametrize("kept", [slice("16:30", None), slice(None, "17:30")])
def test_the_picture_shows_the_whole_evening_even_where_bars_do_not(calendar, kept):
    """Bars that begin late or end early leave a gap beside the line, not a shorter evening."""
    first, last = kept.start or "00:00", kept.stop or "24:00"
    found = react([row for row in EVENING if row[0] == NEXT or first <= row[1] <= last], calendar, call_at=CALL)
    axis = time_axis(found.bars.frame, found)
    evening = [stretch for stretch in axis.stretches if stretch[0] < at("20:00")]
    assert evening[0][0] <= at("16:00")
    assert evening[-1][1] == at("20:00")
    places = [axis(one) for one in found.points["at"]]
    assert places == sorted(set(places))


@pytest.mark.parametrize("multiple", [0, np.nan, np.inf])
def test_an_impossible_multiple_is_refused(multiple):
    with pytest.raises(es.ParameterError, match="multiple"):
        BarBenchmark("FUND", bars_of(EVENING, "1min"), multiple)


def test_an_inverse_fund_is_turned_round(calendar):
    rows = [
        (DAY, "15:59", 50.0),
        (DAY, "16:04", 49.0),
        (DAY, "16:59", 49.0),
        (DAY, "19:58", 48.0),
        (NEXT, "09:29", 47.0),
    ]
    found = react(EVENING, calendar, call_at=CALL, benchmark=BarBenchmark("INV", bars_of(rows, "1min"), -1))
    assert found.market.legs["value"].iloc[0] == pytest.approx(-np.log(49 / 50))


# ------------------------------------------------------------------ many events


def test_daily_legs_match_a_plain_loop():
    prices = es.sample.prices()
    events = es.sample.announcements("META").frame
    timed = es.sample.announcements("META").timed()
    table = pd.DataFrame({"ticker": "META", "day_zero": timed["day_zero"], "timing": timed["timing"]})
    found = many.daily_legs(table, prices)
    opens, closes = prices.field("open")["META"], prices.field("adj_close")["META"]
    raw = prices.field("close")["META"]
    for i in (5, 20, 40, len(events) - 1):
        day = table["day_zero"].iloc[i]
        before = prices.sessions[prices.sessions.get_loc(day) - 1]
        assert found["total"].iloc[i] == pytest.approx(np.log(closes[day] / closes[before]), abs=1e-10)
        assert found["intraday"].iloc[i] == pytest.approx(np.log(raw[day] / opens[day]), abs=1e-12)
    both = found["overnight"] + found["intraday"]
    np.testing.assert_allclose(both, found["total"], atol=1e-12)
    assert set(found["first"]) == {"overnight"}


def test_first_leg_by_timing_and_missing_prices_stay_missing():
    table = pd.DataFrame(
        {
            "ticker": ["META", "META", "META", "NOPE"],
            "day_zero": pd.to_datetime(["2024-10-31", "2024-10-30", "2024-10-29", "2024-10-31"]),
            "timing": ["amc", "dmh", "unknown", "bmo"],
        }
    )
    found = many.daily_legs(table, es.sample.prices())
    assert found["first"].tolist() == ["overnight", "intraday", None, "overnight"]
    assert found["mixed"].tolist() == [False, True, False, False]
    assert found.loc[3, ["total", "overnight", "intraday"]].isna().all()


def test_daily_legs_are_adjusted_leg_by_leg():
    prices = es.sample.prices()
    table = pd.DataFrame({"ticker": ["META"], "day_zero": [pd.Timestamp("2020-07-31")], "timing": ["amc"]})
    found = many.daily_legs(table, prices, benchmark=(prices, "AAPL"))
    own = np.log1p(prices.overnight().at[pd.Timestamp("2020-07-31"), "AAPL"])
    assert found["overnight_adjusted"].iloc[0] == pytest.approx(found["overnight"].iloc[0] - own)
    with pytest.raises(es.ParameterError, match="AAPL"):
        many.daily_legs(table, prices, benchmark=(prices, "AAPLL"))


def test_weighted_price_contribution_by_hand():
    table = pd.DataFrame({"total": [0.04, -0.02, 0.01, np.nan], "overnight": [0.03, -0.03, 0.01, 0.5]})
    table["intraday"] = table["total"] - table["overnight"]
    found = many.weighted_price_contribution(table).set_index("leg")
    # (0.03 + 0.03 + 0.01) / (0.04 + 0.02 + 0.01)
    assert found.loc["overnight", "contribution"] == pytest.approx(0.07 / 0.07)
    assert found["contribution"].sum() == pytest.approx(1)
    assert found.loc["overnight", "n_events"] == 3
    assert np.isnan(found.loc["overnight", "se"])  # three events are too few


def test_contribution_jackknife_leaves_clusters_out_together():
    rng = np.random.default_rng(2)
    total = rng.normal(0, 0.05, 30)
    table = pd.DataFrame({"total": total, "overnight": 0.7 * total + rng.normal(0, 0.01, 30)})
    table["intraday"] = table["total"] - table["overnight"]
    cluster = np.repeat(np.arange(10), 3)
    found = many.weighted_price_contribution(table, cluster=cluster).set_index("leg").loc["overnight"]
    without = []
    for g in range(10):
        part = table[cluster != g]
        without.append((part["overnight"] * np.sign(part["total"])).sum() / part["total"].abs().sum())
    assert found["se"] == pytest.approx(np.sqrt(9 / 10 * ((without - np.mean(without)) ** 2).sum()))
    assert found["n_clusters"] == 10


@pytest.mark.parametrize("labels", [["a", "b"], ["a", None, "b", "c", "d", "e"]])
def test_contribution_refuses_clusters_that_are_not_one_a_row(labels):
    table = pd.DataFrame({"total": [0.1] * 6, "overnight": [0.05] * 6, "intraday": [0.05] * 6})
    with pytest.raises(es.ParameterError, match="not one label a row"):
        many.weighted_price_contribution(table, cluster=labels)
    for confidence in (95, True, "0.9", None):
        with pytest.raises(es.ParameterError, match="confidence: no coverage of an interval"):
            many.weighted_price_contribution(table, confidence=confidence)


def test_a_day_zero_outside_the_prices_has_no_legs(calendar):
    row, prices = world()
    for day in (pd.Timestamp("2024-05-20"), pd.Timestamp("2023-05-15")):
        found = reaction(row, "amc", day, prices.returns(), calendar, prices, bars_of(EVENING, "1min"))
        assert set(found.simple.values()) == {None}
        assert not found.complete


def test_bars_that_begin_late_are_still_held_to_the_share_basis(calendar):
    late = [row for row in EVENING if row[0] == NEXT or row[1] >= "16:30"]
    halved = [(day, clock, price / 2) for day, clock, price in late]
    with pytest.raises(es.InputError, match="the bar at the open says 49 and the daily open 104"):
        react(halved, calendar)


def test_evening_legs_keep_an_event_whose_bars_cannot_be_used(calendar):
    row, prices = world()
    events = pd.DataFrame([{**row, "timing": "amc", "day_zero": NEXT}])
    bars = bars_of([(day, clock, price / 2) for day, clock, price in EVENING], "1min")
    table = many.evening_legs(events, {row["event_id"]: bars}, prices.returns(), calendar, prices)
    assert table["total"].iloc[0] == pytest.approx(np.log(1.02))
    assert table[list(LEGS)].isna().all(axis=None)
    assert "share basis" in table["note"].iloc[0]
    with pytest.raises(es.InputError, match="no event has bars"):
        many.evening_legs(events, {"other": bars}, prices.returns(), calendar, prices)


def test_contribution_refuses_what_has_no_legs():
    table = pd.DataFrame({"total": [0.01], "overnight": [np.nan], "intraday": [np.nan]})
    with pytest.raises(es.InputError, match="no event has all"):
        many.weighted_price_contribution(table)
    with pytest.raises(es.ParameterError, match="evening"):
        many.weighted_price_contribution(table, legs=["evening"])


def test_evening_legs_of_the_events_that_have_bars(meta, calendar):
    events = es.sample.announcements("META")
    table = events.frame.assign(**events.timed()[["timing", "day_zero"]])
    prices = es.sample.prices()
    bars = {"META-earnings-2024-10-31": es.sample.intraday("META", "2024-10-30")}
    found = many.evening_legs(table, bars, prices.returns(), calendar, prices)
    assert len(found) == 1
    assert found.iloc[0][list(LEGS)].to_dict() == pytest.approx(meta.log)
    assert "release_adjusted" not in found
    fund = BarBenchmark("SPXL", es.sample.intraday("SPXL", "2024-10-30"), 3.0, es.sample.market_returns()[META_ZERO])
    adjusted = many.evening_legs(
        table, bars, prices.returns(), calendar, prices, benchmarks={"META-earnings-2024-10-31": fund}
    ).iloc[0]
    own = meta.market.legs.set_index("leg")["value"]
    for leg in LEGS:
        assert adjusted[f"{leg}_adjusted"] == pytest.approx(meta.log[leg] - own[leg], abs=1e-12)
    none = many.evening_legs(table, bars, prices.returns(), calendar, prices, benchmarks={}).iloc[0]
    assert none[[f"{leg}_adjusted" for leg in LEGS]].isna().all()


# ------------------------------------------------------------------ bars as Yahoo gives them


def yahoo_history(n=30, start="16:00"):
    index = pd.date_range(at(start), periods=n, freq="1min", name="Datetime")
    rng = np.random.default_rng(0)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 3e-4, n)))
    columns = {"Open": close, "High": close * 1.0002, "Low": close * 0.9998, "Close": close, "Volume": 0}
    return pd.DataFrame(columns, index=index).assign(**{"Dividends": 0.0, "Stock Splits": 0.0})


def test_yahoos_extended_hours_are_read_and_their_zero_volumes_are_no_finding(calendar):
    history = yahoo_history()
    bars = yahoo_bars(history)
    assert len(bars) == 30
    assert bars.step == pd.Timedelta(minutes=1)
    assert bars.price_at(at("16:10")) == history["Close"].iloc[9]
    assert mark_bars(bars, calendar).empty


def test_yahoos_running_quote_and_rows_without_a_close_are_no_bars():
    history = yahoo_history()
    quote = history.iloc[[-1]].set_axis(pd.DatetimeIndex([at("16:30") + pd.Timedelta(seconds=17)]))
    history.iloc[4, 3] = np.nan
    bars = yahoo_bars(pd.concat([history, quote]))
    assert len(bars) == 29
    assert bars.frame.index[-1] == at("16:29")


@pytest.mark.parametrize("order", [0, 1])
def test_yahoos_download_has_a_level_of_tickers(order):
    history = pd.concat({"META": yahoo_history(), "SPY": yahoo_history()}, axis=1)
    history = history if order == 0 else history.swaplevel(axis=1)
    assert len(yahoo_bars(history, "META")) == 30
    with pytest.raises(es.InputError, match="no such ticker"):
        yahoo_bars(history, "NOPE")


@pytest.mark.parametrize("saved", [False, True])
def test_bars_take_yahoos_table_as_it_is(saved):
    history = yahoo_history().assign(Dividends=0.0)
    given = history.rename_axis("Datetime").reset_index() if saved else history
    pd.testing.assert_frame_equal(es.Bars.from_frame(given).frame, yahoo_bars(history).frame)
    text = history.rename_axis("Datetime").reset_index().astype({"Datetime": str})
    pd.testing.assert_frame_equal(es.Bars.from_frame(text).frame, yahoo_bars(history).frame)
    with pytest.raises(es.InputError, match="time zone"):
        es.Bars.from_frame(history.tz_localize(None))
    assert len(es.Bars.from_frame(history.tz_localize(None), timezone=ZONE)) == 30
    with pytest.raises(es.InputError, match=r"Did you mean 'Close'"):
        es.Bars.from_frame(pd.DataFrame({"time": [1], "Close": [1.0]}))


def test_a_folder_takes_yahoos_table_as_saved(tmp_path):
    (tmp_path / "intraday").mkdir()
    yahoo_history().rename_axis("Datetime").to_csv(tmp_path / "intraday" / f"ACME_{DAY:%Y-%m-%d}.csv")
    pd.DataFrame({"ticker": ["ACME"], "announced_at": [at("16:05").isoformat()]}).to_csv(
        tmp_path / "events.csv", index=False
    )
    pd.DataFrame({"date": [DAY, NEXT], "ticker": "ACME", "close": [100.0, 101.0]}).to_csv(
        tmp_path / "prices.csv", index=False
    )
    source = es.open_source(f"files:{tmp_path}")
    event = source.announcements().frame.iloc[0]
    assert len(source.intraday("ACME", event)) == 30


def test_yahoos_empty_or_foreign_tables_are_refused():
    with pytest.raises(es.InputError, match="empty"):
        yahoo_bars(yahoo_history().head(0))
    with pytest.raises(es.InputError, match="no closes"):
        yahoo_bars(yahoo_history()[["Open"]])
    with pytest.raises(es.InputError, match="time zone"):
        yahoo_bars(yahoo_history().tz_localize(None))
