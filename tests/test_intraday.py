"""Bars: instants, gaps, clock changes, and what is refused."""

from __future__ import annotations

import datetime as dt
import pickle
from zoneinfo import ZoneInfo

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings

from research.errors import InputError, ParameterError
from research.market.intraday import Bars
from research.market.yahoo_bars import yahoo_bars
from research.resources import sample_directory

NEW_YORK = "America/New_York"


def bars_frame(stamps, closes=None, **columns):
    closes = np.arange(1.0, len(stamps) + 1) if closes is None else closes
    return pd.DataFrame({"ts": stamps, "close": closes, **columns})


def evening(*clock):
    return [f"2024-10-30T{time}-04:00" for time in clock]


def offending(frame, **kwargs):
    with pytest.raises(InputError) as caught:
        Bars.from_frame(frame, **kwargs)
    rows = caught.value.rows
    return list(rows[["row", "column", "problem"]].itertuples(index=False, name=None))


@pytest.fixture(scope="module")
def meta():
    return pd.read_parquet(sample_directory() / "intraday_META_2024-10-30.parquet")


# --- the sample -------------------------------------------------------------------------


def test_legs_of_the_evening_of_meta(meta):
    """Log legs as published with the data: closes 591.80 and 567.58 and the open 585.00 are daily prices."""
    bars = Bars.from_frame(meta)
    after = [bars.price_at(moment) for moment in evening("16:05:00", "17:00:00", "20:00:00")]
    path = np.log([591.80, *after, 585.00, 567.58])
    legs = np.diff(path)
    np.testing.assert_allclose(legs, [0.0083, -0.0251, -0.0156, 0.0207, -0.0302], atol=5e-5)
    assert legs.sum() == pytest.approx(np.log(567.58 / 591.80), abs=1e-12)


def test_the_tape_is_kept_as_it_came(meta):
    bars = Bars.from_frame(meta)
    assert len(bars) == len(meta) == 544
    assert bars.step == pd.Timedelta(minutes=1)
    frame = bars.frame
    assert frame.index.name == "ts"
    assert str(frame.index.dtype) == "datetime64[ns, UTC]"
    assert list(frame.columns) == ["open", "high", "low", "close", "volume"]
    release = frame.loc[pd.Timestamp("2024-10-30 16:05", tz=NEW_YORK)]
    assert (release["low"], release["high"]) == (554.85, 599.95)
    assert repr(bars) == "Bars(544 1-minute bars, 2024-10-30 19:50..2024-10-31 14:00 UTC)"


def test_thin_bars_of_the_fund_keep_their_gaps():
    table = pd.read_parquet(sample_directory() / "intraday_SPXL_2024-10-30.parquet")
    bars = Bars.from_frame(table)
    assert bars.step == pd.Timedelta(minutes=1)
    stamps = list(pd.DatetimeIndex(table["ts"]).tz_convert("UTC"))
    closes = list(table["close"])
    for moment in pd.date_range("2024-10-30 15:49", "2024-10-31 10:05", freq="7min", tz=NEW_YORK):
        ended = [c for t, c in zip(stamps, closes, strict=True) if t + pd.Timedelta(minutes=1) <= moment]
        np.testing.assert_equal(bars.price_at(moment), ended[-1] if ended else np.nan)


# --- prices at instants -----------------------------------------------------------------


def test_a_bar_answers_once_it_has_ended():
    bars = Bars.from_frame(bars_frame(evening("16:03:00", "16:04:00", "16:05:00", "16:09:00")))
    asked = {
        "16:03:59": np.nan,
        "16:04:00": 1.0,
        "16:04:59.999999999": 1.0,
        "16:05:00": 2.0,
        "16:05:59": 2.0,
        "16:06:00": 3.0,
        "16:09:59": 3.0,  # nothing traded in between
        "16:10:00": 4.0,
        "20:00:00": 4.0,
    }
    for time, expected in asked.items():
        np.testing.assert_equal(bars.price_at(f"2024-10-30T{time}-04:00"), expected)


def test_five_minute_bars_answer_five_minutes_later():
    stamps = pd.date_range("2024-10-30 15:55", periods=4, freq="5min", tz=NEW_YORK)
    bars = Bars.from_frame(bars_frame(stamps))
    assert bars.step == pd.Timedelta(minutes=5)
    assert bars.price_at(evening("16:05:00")[0]) == 2.0  # of 16:00, not of 16:05
    assert bars.price_at(evening("16:09:59")[0]) == 2.0
    assert bars.price_at(evening("16:10:00")[0]) == 3.0


def test_a_missing_close_is_looked_past():
    bars = Bars.from_frame(bars_frame(evening("16:03", "16:04", "16:05"), [1.0, np.nan, np.nan]))
    assert bars.price_at(evening("16:06")[0]) == 1.0
    assert len(bars) == 3
    none = Bars.from_frame(bars_frame(evening("16:03", "16:04"), [np.nan, np.nan]))
    assert np.isnan(none.price_at(evening("18:00")[0]))


def test_zones_of_stamps_and_questions_do_not_matter(meta):
    utc = meta["ts"].dt.tz_convert("UTC")
    new_york = utc.dt.tz_convert(NEW_YORK)
    kinds = {
        "utc": (utc, None),
        "new york": (new_york, None),
        "tokyo": (utc.dt.tz_convert("Asia/Tokyo"), None),
        "iso text": (new_york.map(lambda stamp: stamp.isoformat()), None),
        "zulu text": (utc.dt.strftime("%Y-%m-%dT%H:%M:%SZ"), None),
        "naive New York": (new_york.dt.tz_localize(None), NEW_YORK),
        "naive text": (new_york.dt.strftime("%Y-%m-%d %H:%M"), ZoneInfo(NEW_YORK)),
        "objects": (new_york.astype(object), None),
        "aware, zone given too": (utc, NEW_YORK),
    }
    expected = Bars.from_frame(meta)
    instant = pd.Timestamp("2024-10-30 17:00", tz=NEW_YORK)
    for stamps, timezone in kinds.values():
        bars = Bars.from_frame(meta.assign(ts=stamps), timezone=timezone)
        pd.testing.assert_frame_equal(bars.frame, expected.frame)
        for zone in ("UTC", "Asia/Tokyo", NEW_YORK):
            assert bars.price_at(instant.tz_convert(zone)) == 581.99
    assert expected.price_at(instant.to_pydatetime()) == 581.99
    assert expected.price_at("2024-10-30T21:00Z") == 581.99


def test_the_night_the_clocks_change():
    """New York 2024-11-03: 01:30 comes twice, an hour apart; 2024-03-10: 02:30 never comes."""
    twice = ["2024-11-03T01:30:00-04:00", "2024-11-03T01:31:00-04:00", "2024-11-03T01:30:00-05:00"]
    bars = Bars.from_frame(bars_frame(twice, [1.0, 2.0, 3.0]), step="1min")
    assert bars.frame.index[2] - bars.frame.index[0] == pd.Timedelta(hours=1)
    assert bars.price_at("2024-11-03T01:31:00-04:00") == 1.0
    assert bars.price_at("2024-11-03T01:31:00-05:00") == 3.0
    naive = bars_frame(["2024-11-03 00:59", "2024-11-03 01:30", "2024-11-03 02:00"])
    assert offending(naive, timezone=NEW_YORK) == [(1, "ts", f"is told twice or never in {NEW_YORK}")]
    spring = bars_frame(pd.to_datetime(["2024-03-10 01:59", "2024-03-10 02:30", "2024-03-10 03:00"]))
    assert offending(spring, timezone=NEW_YORK) == [(1, "ts", f"is told twice or never in {NEW_YORK}")]
    # an evening on either side: 16:05 New York is 20:05 and then 21:05 UTC
    for day, hour in (("2024-11-01", 20), ("2024-11-04", 21)):
        frame = bars_frame([f"{day} 16:04", f"{day} 16:05"])
        assert Bars.from_frame(frame, timezone=NEW_YORK).price_at(f"{day}T{hour}:05Z") == 1.0


@settings(deadline=None, max_examples=50)
@given(
    minutes=st.lists(st.integers(0, 200), min_size=2, max_size=40, unique=True),
    length=st.sampled_from([1, 5]),
    seconds=st.integers(-600, 200 * 300),
)
def test_price_at_equals_a_plain_search(minutes, length, seconds):
    origin = pd.Timestamp("2024-10-30 09:30", tz=NEW_YORK)
    stamps = [origin + pd.Timedelta(minutes=length * minute) for minute in minutes]
    bars = Bars.from_frame(bars_frame(stamps), step=pd.Timedelta(minutes=length))
    instant = origin + pd.Timedelta(seconds=seconds)
    ended = [
        (stamp, close) for close, stamp in enumerate(stamps, start=1) if stamp + pd.Timedelta(minutes=length) <= instant
    ]
    np.testing.assert_equal(bars.price_at(instant), float(max(ended)[1]) if ended else np.nan)


def test_between_takes_the_start_and_leaves_the_end():
    bars = Bars.from_frame(bars_frame(evening("16:03", "16:04", "16:05", "16:06"), volume=[1, 2, 3, 0]))
    part = bars.between(*evening("16:04", "16:06"))
    assert part.frame["close"].tolist() == [2.0, 3.0]
    assert part.step == bars.step
    assert len(part.between(*evening("16:05", "16:06"))) == 1  # one bar keeps its length
    empty = bars.between(*evening("18:00", "19:00"))
    assert len(empty) == 0
    assert np.isnan(empty.price_at(evening("20:00")[0]))
    assert repr(empty) == "Bars(no 1-minute bars)"
    with pytest.raises(ParameterError, match="ends before it starts"):
        bars.between(*evening("18:00", "17:00"))


@pytest.mark.parametrize(
    "instant",
    [
        "2024-10-30T16:05",
        dt.datetime(2024, 10, 30, 16, 5),
        "later",
        "",
        None,
        pd.NaT,
        1730318700,
        "9999-01-01T00:00Z",
    ],
)
def test_questions_need_an_instant(instant):
    bars = Bars.from_frame(bars_frame(evening("16:03", "16:04")))
    with pytest.raises(ParameterError, match="instant"):
        bars.price_at(instant)
    with pytest.raises(ParameterError, match="start"):
        bars.between(instant, evening("17:00")[0])


# --- the table --------------------------------------------------------------------------


def test_rows_are_sorted_and_the_frame_left_alone():
    frame = bars_frame(evening("16:05", "16:03", "16:04"), [3.0, 1.0, 2.0], note=["x", "y", "z"])
    before = frame.copy(deep=True)
    bars = Bars.from_frame(frame)
    assert bars.frame["close"].tolist() == [1.0, 2.0, 3.0]
    assert bars.frame.index.is_monotonic_increasing
    pd.testing.assert_frame_equal(frame, before)
    table = bars.frame
    table.iloc[0, 0] = 99.0
    assert bars.frame.iloc[0, 0] == 1.0
    with pytest.raises(AttributeError, match="immutable"):
        bars.step = pd.Timedelta(0)
    pd.testing.assert_frame_equal(pickle.loads(pickle.dumps(bars)).frame, bars.frame)


def test_every_offending_row_is_listed_at_once():
    frame = pd.DataFrame(
        {
            "ts": [
                *evening("16:00", "16:01", "16:01"),
                "2024-10-30T20:01:00Z",
                "2024-10-30 16:05",
                None,
                "noon",
            ],
            "close": [1.0, 0.0, 1.0, 1.0, 1.0, 1.0, "x"],
            "high": [1.0, 1.0, 1.0, 1.0, np.inf, 0.5, 1.0],
            "low": [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0],
            "volume": [0, 1, -1, 1, 1, 1, 1],
        },
        index=list("abcdefg"),
    )
    assert offending(frame) == [
        ("b", "close", "is not positive"),
        ("c", "volume", "is negative"),
        ("c", "ts", "repeats the instant of another row"),
        ("d", "ts", "repeats the instant of another row"),
        ("e", "ts", "carries no time zone"),
        ("e", "high", "is infinite"),
        ("f", "ts", "has no instant"),
        ("f", "high", "is below low 1"),
        ("g", "ts", "is no instant"),
        ("g", "close", "is not a number"),
    ]


def test_naive_stamps_are_refused_with_the_remedy():
    stamps = pd.to_datetime(["2024-10-30 16:00", "2024-10-30 16:01"])
    with pytest.raises(InputError, match="timezone="):
        Bars.from_frame(bars_frame(stamps))
    assert len(offending(bars_frame(stamps.strftime("%Y-%m-%d %H:%M")))) == 2


@pytest.mark.parametrize(
    "cell",
    [
        "2024-10-30",
        "30/10/2024 16:00",
        "16:00",
        "2024-13-30T16:00Z",
        1730318700,
        45595.66,
        dt.date(2024, 10, 30),
    ],
)
def test_stamps_are_not_guessed(cell):
    frame = bars_frame([*evening("16:00", "16:01"), "x"]).astype({"ts": object})
    frame["ts"] = [*evening("16:00", "16:01"), cell]
    assert offending(frame, timezone=NEW_YORK) == [(2, "ts", "is no instant")]


def test_a_year_that_nanoseconds_cannot_hold():
    stamps = pd.Series(["2024-10-30 16:00", "9024-10-30 16:01"]).astype("datetime64[s]")
    assert offending(bars_frame(stamps), timezone="UTC") == [(1, "ts", "has an impossible year")]


def test_bars_must_not_overlap():
    frame = bars_frame(evening("16:00", "16:01", "16:02", "16:02:30", "16:04"))
    assert offending(frame) == [(3, "ts", "begins before the 1-minute bar before it has ended")]
    five = bars_frame(evening("16:00", "16:01", "16:02"))
    assert len(offending(five, step="5min")) == 2


def test_the_length_of_a_bar_can_be_said():
    sparse = bars_frame(evening("16:00", "16:07", "16:14"))
    assert Bars.from_frame(sparse).step == pd.Timedelta(minutes=7)
    said = Bars.from_frame(sparse, step="1min")
    assert said.price_at(evening("16:08")[0]) == 2.0
    one = bars_frame(evening("16:00"))
    with pytest.raises(InputError, match="step="):
        Bars.from_frame(one)
    assert Bars.from_frame(one, step=dt.timedelta(minutes=1)).price_at(evening("16:01")[0]) == 1.0
    with pytest.raises(InputError, match="Prices"):
        Bars.from_frame(bars_frame(["2024-10-30T00:00Z", "2024-10-31T00:00Z"]))
    for step in ("0min", "-1min", "1D", "soon", pd.NaT):
        with pytest.raises(ParameterError, match="step"):
            Bars.from_frame(sparse, step=step)


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (pd.DataFrame(), "is empty"),
        (bars_frame([]), "is empty"),
        (bars_frame(evening("16:00")).rename(columns={"ts": "timestamp"}), "lacks the column ts"),
        (bars_frame(evening("16:00")).rename(columns={"close": "Close"}), "Did you mean 'Close'"),
        (bars_frame(evening("16:00")).set_index("ts"), r"reset_index\(\)"),
        (bars_frame(evening("16:00"), Volume=[1]), "'Volume' for 'volume'"),
    ],
)
def test_tables_of_the_wrong_shape(frame, message):
    with pytest.raises(InputError, match=message):
        Bars.from_frame(frame)


def test_unknown_time_zones_are_told_with_a_suggestion():
    frame = bars_frame(["2024-10-30 16:00", "2024-10-30 16:01"])
    with pytest.raises(ParameterError, match="Did you mean 'America/New_York'"):
        Bars.from_frame(frame, timezone="America/NewYork")
    with pytest.raises(ParameterError, match="no such time zone"):
        Bars.from_frame(frame, timezone="../../etc/passwd")


@pytest.mark.parametrize("minutes", [1, 2, 5, 15])
@pytest.mark.parametrize(("later", "kept"), [("17s", 0), ("37s", 0), ("60s", 0), ("90s", 0), ("0s", 1)])
def test_yahoos_price_of_the_moment_is_no_bar(minutes, later, kept):
    """It is stamped when it was asked for, now and then on a whole minute."""
    index = pd.date_range("2024-07-03 09:30", "2024-07-03 16:45", freq=f"{minutes}min", tz=NEW_YORK)
    history = pd.DataFrame({"Close": np.arange(1.0, len(index) + 1), "Volume": 0.0}, index=index.rename("Datetime"))
    last = index[-1] + pd.Timedelta(minutes=minutes) if kept else index[-1]
    if minutes == 1 and later == "60s":
        kept = 1  # the next bar of its own
    bars = yahoo_bars(pd.concat([history, history.iloc[[-1]].set_axis([last + pd.Timedelta(later)])]))
    assert bars.step == pd.Timedelta(minutes=minutes)
    assert len(bars) == len(index) + kept
