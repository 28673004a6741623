"""Prices: what is refused, what is reported, and the returns that follow."""

from __future__ import annotations

import datetime as dt
import pickle

import exchange_calendars
import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings

from research.errors import (
    CalendarRangeError,
    InputError,
    NotFoundError,
    ParameterError,
    ResearchError,
)
from research.events.calendar import TradingCalendar
from research.market.prices import Prices
from research.resources import sample_directory

# exchange_calendars itself, asked here as an independent witness, warns on pandas 3.1
pytestmark = pytest.mark.filterwarnings("ignore:Series.values returning an ndarray that drops timezone")

WEEK = ["2024-01-02", "2024-01-03", "2024-01-04", "2024-01-05", "2024-01-08", "2024-01-09"]


def long_frame(closes, ticker="AAA", dates=None, **columns):
    dates = WEEK[: len(closes)] if dates is None else dates
    return pd.DataFrame({"date": pd.to_datetime(dates), "ticker": ticker, "close": closes, **columns})


def actions(**columns):
    return pd.DataFrame({"ticker": "AAA", "ex_date": ["2024-01-03"], **columns})


def offending(frame, error=InputError, **kwargs):
    """Offences of a frame that must be refused, as (row, column, problem)."""
    with pytest.raises(error) as caught:
        Prices.from_frame(frame, **kwargs)
    rows = caught.value.rows
    return list(rows[["row", "column", "problem"]].itertuples(index=False, name=None))


@pytest.fixture(scope="module")
def tables():
    folder = sample_directory()
    return {
        "daily": pd.read_parquet(folder / "prices_daily.parquet"),
        "twenty": pd.read_parquet(folder / "prices_sp500_20.parquet"),
        "actions": pd.read_csv(folder / "actions.csv"),
    }


@pytest.fixture(scope="module")
def sample(tables):
    long = pd.concat([tables["daily"], tables["twenty"]], ignore_index=True)
    return Prices.from_frame(long, actions=tables["actions"])


# --- the sample -------------------------------------------------------------------------


def test_sample_loads_on_the_exchange_sessions(sample):
    raw = exchange_calendars.get_calendar("XNYS", start="2011-01-03", end="2025-06-30").sessions
    raw = raw[(raw >= "2012-01-03") & (raw <= "2024-12-31")]
    assert len(sample.tickers) == 25
    assert sample.tickers == sorted(sample.tickers)
    assert sample.sessions.equals(pd.DatetimeIndex(raw.to_numpy()))
    assert sample.sessions.dtype == "datetime64[ns]"
    assert sample.field("adj_close").count().sum() == 18_441 + 52_554
    assert repr(sample) == (
        "Prices(25 tickers, 3270 XNYS sessions 2012-01-03..2024-12-31, "
        "open high low close adj_close volume, 31 actions)"
    )


def test_meta_after_its_third_quarter(sample):
    day = pd.Timestamp("2024-10-31")
    # 567.1225 / 591.323, 567.58 / 585 and their quotient, from the printed table
    assert sample.returns().loc[day, "META"] == pytest.approx(567.1225 / 591.323 - 1, abs=1e-15)
    assert sample.returns().loc[day, "META"] == pytest.approx(-0.040926, abs=5e-7)
    assert sample.overnight().loc[day, "META"] == pytest.approx(-0.011490, abs=5e-7)
    assert sample.intraday().loc[day, "META"] == pytest.approx(-0.029778, abs=5e-7)


def test_no_return_joins_the_two_tables_of_microsoft(sample, tables):
    returns = sample.returns("MSFT")["MSFT"].dropna()
    assert not len(returns["2022-12-29":"2023-09-22"])
    assert returns.index[returns.index < "2023"].max() == pd.Timestamp("2022-12-28")
    assert returns.index[returns.index > "2023-01-01"].min() == pd.Timestamp("2023-09-25")
    assert len(returns) == (2766 - 1) + (321 - 1)


def test_returns_equal_a_plain_loop(sample, tables):
    sessions = {session.date(): place for place, session in enumerate(sample.sessions)}
    returns = sample.returns()
    for ticker in ("GE", "NVDA"):
        rows = pd.concat([tables["daily"], tables["twenty"]])
        rows = rows[rows["ticker"] == ticker].sort_values("date")
        expected, before = {}, None
        for date, price in zip(rows["date"], rows["adj_close"], strict=True):
            if before is not None and sessions[date] == sessions[before[0]] + 1:
                expected[pd.Timestamp(date)] = price / before[1] - 1
            before = (date, price)
        got = returns[ticker].dropna()
        assert got.to_dict() == expected


def test_closes_and_actions_agree_with_adjusted_closes(sample, tables):
    """Dividends of the sample begin in September 2023; adj_close there carries seven digits."""
    bare = Prices.from_frame(tables["daily"].drop(columns="adj_close"), actions=tables["actions"])
    since = slice("2023-09-25", None)
    from_actions, adjusted = bare.returns().loc[since], sample.returns().loc[since, bare.tickers]
    gap = (from_actions - adjusted).abs()
    dividends = tables["actions"].dropna(subset=["dividend"])
    ex_days = pd.DataFrame(False, index=gap.index, columns=gap.columns)
    for row in dividends.itertuples():
        ex_days.loc[pd.Timestamp(row.ex_date), row.ticker] = True
    assert gap.where(~ex_days).max().max() < 2e-6
    # the back-adjustment factor 1 - D/C' against CRSP's (C + D)/C': r D/C' on the ex-date
    assert gap.where(ex_days).max().max() < 4e-5
    assert ex_days.to_numpy().sum() == len(dividends) == 22
    # NVDA's 0.04 was paid on shares before the 10-for-1 split: 0.004 on those of the table
    close = bare.field("close")["NVDA"]
    place = bare.sessions.get_loc(pd.Timestamp("2024-03-05"))
    by_hand = (close.iloc[place] + 0.004) / close.iloc[place - 1] - 1
    assert bare.returns().loc["2024-03-05", "NVDA"] == pytest.approx(by_hand, abs=1e-15)


def test_diagnosis_of_the_sample_is_short_and_finds_the_known_traps(sample):
    found = sample.diagnose()
    assert list(found.columns) == ["ticker", "date", "finding", "value", "detail"]
    lines = set(zip(found["ticker"], found["date"].dt.strftime("%Y-%m-%d"), found["finding"], strict=True))
    assert ("GOOG", "2014-03-27", "volume") in lines
    assert ("MSFT", "2022-12-29", "gap") in lines
    goog = found[(found["ticker"] == "GOOG") & (found["finding"] == "volume")].iloc[0]
    assert "2014-03-27 to 2014-04-02" in goog["detail"]
    gap = found[found["finding"] == "gap"].iloc[0]
    calendar = exchange_calendars.get_calendar("XNYS", start="2022-01-03", end="2024-01-31")
    assert gap["value"] == len(calendar.sessions_in_range("2022-12-29", "2023-09-21"))
    assert len(found) <= 10


# --- returns and legs -------------------------------------------------------------------


def test_missing_sessions_stay_missing():
    # 2024-01-04 has no row at all, 2024-01-08 an empty one
    frame = long_frame([10.0, 11.0, 12.0, np.nan, 13.0], dates=[WEEK[i] for i in (0, 1, 3, 4, 5)])
    prices = Prices.from_frame(frame)
    assert list(prices.sessions.strftime("%Y-%m-%d")) == WEEK
    assert prices.field("close")["AAA"].isna().tolist() == [False, False, True, False, True, False]
    np.testing.assert_allclose(prices.returns()["AAA"], [np.nan, 0.1, *[np.nan] * 4])
    gaps = prices.diagnose()
    assert gaps["finding"].tolist() == ["gap", "gap"]
    assert gaps["date"].tolist() == [pd.Timestamp("2024-01-04"), pd.Timestamp("2024-01-08")]


def test_each_return_comes_from_one_basis():
    # adj_close starts on the third session: the return into it has only closes to go by
    frame = long_frame([10.0, 11.0, 12.0, 13.2], adj_close=[np.nan, np.nan, 6.0, 6.9])
    table = actions(dividend=[1.1]).assign(ex_date="2024-01-05")
    returns = Prices.from_frame(frame, actions=table).returns()["AAA"]
    # the dividend of the last day is inside 6.9 / 6 and is not added again
    np.testing.assert_allclose(returns, [np.nan, 0.1, 12 / 11 - 1, 0.15], rtol=1e-12)


def test_dividend_and_split_of_one_day_count_per_old_share():
    """CRSP: (p f + d) / p' - 1, the dividend per share held before the ex-date."""
    frame = long_frame([100.0, 51.0])
    row = {"dividend": [4.0], "split_ratio": [2.0]}
    raw = Prices.from_frame(frame, actions=actions(**row, absorbed=[False]))
    assert raw.returns()["AAA"].iloc[1] == pytest.approx((51 * 2 + 4) / 100 - 1)
    # the same holding on closes that have absorbed the split: 4 per old share is 2 per new one
    table = pd.DataFrame(
        {
            "ticker": "AAA",
            "ex_date": "2024-01-03",
            "dividend": [4.0, np.nan],
            "split_ratio": [np.nan, 2.0],
            "absorbed": [False, True],
        }
    )
    adjusted = Prices.from_frame(long_frame([50.0, 51.0]), actions=table)
    assert adjusted.returns()["AAA"].iloc[1] == pytest.approx(raw.returns()["AAA"].iloc[1])


def test_actions_that_are_absorbed_or_elsewhere_change_nothing():
    frame = long_frame([10.0, 11.0, 12.0])
    plain = Prices.from_frame(frame).returns()
    table = pd.DataFrame(
        {
            "ticker": ["AAA", "AAA", "BBB"],
            "ex_date": ["2024-01-03", "1995-03-01", "2024-01-04"],
            "dividend": [1.0, 0.5, 3.0],
            "absorbed": ["True", "false", "FALSE"],
        }
    )
    prices = Prices.from_frame(frame, actions=table)
    pd.testing.assert_frame_equal(prices.returns(), plain)
    assert len(prices.actions) == 3
    assert prices.actions["absorbed"].tolist() == [False, True, False]  # sorted by ticker and date
    assert prices.diagnose()["finding"].tolist() == ["unused-actions"]


def test_several_dividends_of_one_day_add_up():
    table = pd.DataFrame({"ticker": "AAA", "ex_date": "2024-01-03", "dividend": [0.5, 1.5]})
    prices = Prices.from_frame(long_frame([10.0, 10.0]), actions=table)
    assert prices.returns()["AAA"].iloc[1] == pytest.approx(0.2)


def test_legs_are_missing_where_the_open_is():
    frame = long_frame([10.0, 11.0, 12.0], open=[10.0, np.nan, 11.5])
    prices = Prices.from_frame(frame)
    assert prices.intraday()["AAA"].isna().tolist() == [False, True, False]
    assert prices.overnight()["AAA"].isna().tolist() == [True, True, False]
    assert Prices.from_frame(long_frame([10.0, 11.0])).overnight().isna().all(axis=None)


def test_a_dividend_falls_into_the_overnight_leg():
    frame = long_frame([10.0, 9.9], open=[10.0, 9.0])
    prices = Prices.from_frame(frame, actions=actions(dividend=[1.0]))
    assert prices.intraday()["AAA"].iloc[1] == pytest.approx(0.1)
    assert prices.overnight()["AAA"].iloc[1] == pytest.approx((1 + 0.09) / 1.1 - 1)


def lists_of(low, high):
    return st.lists(st.floats(low, high), min_size=6, max_size=6)


@settings(deadline=None, max_examples=60)
@given(lists_of(50, 100), lists_of(50, 100), lists_of(50, 100))
def test_legs_multiply_to_the_total_return(opens, closes, adjusted):
    prices = Prices.from_frame(long_frame(closes, open=opens, adj_close=adjusted))
    legs = prices.returns(), prices.overnight(), prices.intraday()
    total, night, day = (leg["AAA"].to_numpy()[1:] for leg in legs)
    np.testing.assert_allclose((1 + night) * (1 + day), 1 + total, rtol=1e-15, atol=0)
    np.testing.assert_allclose(1 + day, np.divide(closes, opens)[1:], rtol=1e-15)
    np.testing.assert_allclose(1 + total, np.divide(adjusted[1:], adjusted[:-1]), rtol=1e-15)


@settings(deadline=None, max_examples=60)
@given(
    closes=lists_of(1, 1e4),
    ratio=st.sampled_from([2.0, 3.0, 1.5, 0.125, 10.0, 2.0075]),
    day=st.integers(1, 5),
    dividend=st.floats(0.01, 5.0),
    ex_day=st.integers(1, 5),
)
def test_a_split_leaves_returns_alone(closes, ratio, day, dividend, ex_day):
    """Raw closes with the split to apply, and adjusted ones that absorbed it, earn the same."""
    adjusted = np.array(closes)
    raw = np.where(np.arange(6) < day, adjusted * ratio, adjusted)
    # the owner of one raw share, night by night
    wealth = [raw[t] * (ratio if t == day else 1) + (dividend if t == ex_day else 0) for t in range(1, 6)]
    expected = np.array(wealth) / raw[:-1]

    for prices, absorbed in ((raw, False), (adjusted, True)):
        table = pd.DataFrame(
            {
                "ticker": "AAA",
                "ex_date": [WEEK[day], WEEK[ex_day]],
                "dividend": [np.nan, dividend],
                "split_ratio": [ratio, np.nan],
                "absorbed": [absorbed, False],
            }
        )
        returns = Prices.from_frame(long_frame(prices), actions=table).returns()["AAA"]
        np.testing.assert_allclose(1 + returns.to_numpy()[1:], expected, rtol=1e-11)


# --- accessors --------------------------------------------------------------------------


def test_log_volume_is_missing_at_zero():
    volume = Prices.from_frame(long_frame([1.0, 2.0, 3.0], volume=[0, np.e, np.nan])).log_volume()["AAA"]
    np.testing.assert_allclose(volume, [np.nan, 1.0, np.nan])


def test_order_of_rows_and_kinds_of_columns_do_not_matter():
    frame = pd.concat([long_frame([1.0, 2.0, 3.0]), long_frame([4.0, 5.0, 6.0], ticker="TRUE")])
    frame = frame.set_axis(range(6))
    expected = Prices.from_frame(frame).returns()
    kinds = [
        frame.sample(frac=1, random_state=3),
        frame.assign(date=frame["date"].dt.strftime("%Y-%m-%d")),
        frame.assign(date=frame["date"].dt.date),
        frame.assign(date=frame["date"].astype("datetime64[s]")),
        frame.assign(ticker=frame["ticker"].astype("category")),
        frame.assign(ticker=frame["ticker"].astype(object)),
        frame.assign(close=frame["close"].astype("float32")),
        frame.assign(close=frame["close"].astype("Int64")),
        frame.assign(close=[f" {value}" for value in frame["close"]]),
        frame.assign(close=frame["close"].astype("float64[pyarrow]")),
    ]
    for kind in kinds:
        before = kind.copy(deep=True)
        pd.testing.assert_frame_equal(Prices.from_frame(kind).returns(), expected)
        pd.testing.assert_frame_equal(kind, before)  # the caller's frame is left alone


def test_what_is_handed_out_is_a_copy():
    prices = Prices.from_frame(long_frame([1.0, 2.0]), actions=actions(dividend=[0.5]))
    close, table = prices.field("close"), prices.actions
    close.iloc[0, 0] = 99.0
    table.loc[0, "dividend"] = 99.0
    prices.tickers.append("ZZZ")
    assert prices.field("close").iloc[0, 0] == 1.0
    assert prices.actions["dividend"].tolist() == [0.5]
    assert prices.tickers == ["AAA"]
    with pytest.raises(AttributeError, match="immutable"):
        prices.tickers = []
    pd.testing.assert_frame_equal(pickle.loads(pickle.dumps(prices)).returns(), prices.returns())


def test_unknown_names_are_told_with_a_suggestion():
    prices = Prices.from_frame(long_frame([1.0, 2.0], ticker="META"))
    with pytest.raises(NotFoundError, match=r"got 'META1'.*Did you mean 'META'"):
        prices.returns("META1")
    with pytest.raises(ParameterError, match="adj_close"):
        prices.field("adjclose")
    assert prices.field("volume").isna().all(axis=None)  # known, not in the input
    assert prices.fields == ("close",)
    assert list(prices.returns(["META"]).columns) == ["META"]


def test_other_exchanges_and_older_dates():
    new_year = Prices.from_frame(long_frame([1.0, 2.0], dates=["2024-01-04", "2024-01-05"]), calendar="XTKS")
    assert len(new_year.sessions) == 2
    assert offending(long_frame([1.0], dates=["2024-01-03"]), calendar="XTKS")[0][2] == "is no session of XTKS"
    old = Prices.from_frame(long_frame([1.0, 2.0], dates=["1987-10-16", "1987-10-19"]))
    assert old.returns()["AAA"].iloc[1] == 1.0
    own = TradingCalendar("XNYS", start="2024-01-01", end="2024-03-28")
    assert len(Prices.from_frame(long_frame([1.0, 2.0]), calendar=own).sessions) == 2


# --- refusals ---------------------------------------------------------------------------


def test_every_offending_row_is_listed_at_once():
    frame = pd.DataFrame(
        {
            "date": [
                "2024-01-02",
                "2024-01-03",
                "2024-01-06",
                "02/01/2024",
                None,
                "2024-01-03",
                "2024-01-04",
            ],
            "ticker": ["AAA", "AAA", "AAA", "AAA", "AAA", "AAA", "<script>"],
            "open": [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0],
            "close": ["1.5", "0", "2", "2", "2", "1,5", "inf"],
            "volume": [-1.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0],
        },
        index=list("abcdefg"),
    )
    assert offending(frame) == [
        ("a", "volume", "is negative"),
        ("b", "close", "is not positive"),
        ("c", "date", "is no session of XNYS"),
        ("d", "date", "is no date YYYY-MM-DD; other spellings are not guessed"),
        ("e", "date", "has no date"),
        ("f", "close", "is not a number"),
        ("f", "date", "repeats the date of row b for the same ticker"),
        ("g", "ticker", offending(frame)[7][2]),
        ("g", "close", "is infinite"),
    ]
    assert offending(frame)[7][2].startswith("is no ticker")


@pytest.mark.parametrize(
    "cell",
    [
        "2024-02-30",
        "2024-01",
        "20240102",
        20240102,
        45293,
        45293.0,
        "Jan 2 2024",
        "2024-01-02 16:00",
        dt.datetime(2024, 1, 2, 16),
        pd.Timestamp("2024-01-02", tz="UTC"),
        "2024-01-02T00:00:00Z",
        dt.datetime(1024, 1, 2),
        True,
    ],
)
def test_dates_are_not_guessed(cell):
    frame = long_frame([1.0, 2.0]).astype({"date": object})
    frame["date"] = [dt.date(2024, 1, 3), cell]
    assert [row[:2] for row in offending(frame)] == [(1, "date")]


def test_whole_date_columns_of_the_wrong_kind():
    frame = long_frame([1.0, 2.0])
    with pytest.raises(InputError, match=r"carry a time zone.*tz_localize\(None\)"):
        Prices.from_frame(frame.assign(date=frame["date"].dt.tz_localize("America/New_York")))
    assert len(offending(frame.assign(date=frame["date"] + pd.Timedelta(hours=16)))) == 2
    assert len(offending(frame.assign(date=[45293, 45294]))) == 2


@pytest.mark.parametrize("cell", [1, 1.5, True, None, np.nan, "", " AAA", "../../x", "<b>", "A" * 21, "-A", b"AAA"])
def test_tickers_are_text_and_harmless(cell):
    frame = long_frame([1.0, 2.0]).astype({"ticker": object})
    frame["ticker"] = ["AAA", cell]
    assert [row[:2] for row in offending(frame)] == [(1, "ticker")]


@pytest.mark.parametrize(
    "cell", ["1,234.5", "$5", "five", "N/A", True, "-inf", float("inf"), -3.0, 0, dt.date(2024, 1, 2)]
)
def test_prices_are_positive_numbers(cell):
    frame = long_frame([1.0, 2.0]).astype({"close": object})
    frame["close"] = [1.0, cell]
    assert [row[:2] for row in offending(frame)] == [(1, "close")]


@pytest.mark.parametrize("cell", ["", "  ", None, np.nan, pd.NA])
def test_blank_prices_are_missing(cell):
    frame = long_frame([1.0, 2.0]).astype({"close": object})
    frame["close"] = [1.0, cell]
    assert Prices.from_frame(frame).field("close")["AAA"].isna().tolist() == [False, True]


def test_duplicates_name_the_row_they_repeat():
    frame = pd.concat([long_frame([1.0, 2.0]), long_frame([1.0, 2.0], ticker="BBB"), long_frame([3.0, 4.0])])
    frame = frame.set_axis(range(10, 16))
    assert offending(frame) == [
        (14, "date", "repeats the date of row 10 for the same ticker"),
        (15, "date", "repeats the date of row 11 for the same ticker"),
    ]


def test_bars_have_to_be_consistent():
    bars = {"open": [1.0, 1.0, 3.1, 0.9], "high": [3.0, 0.5, 3.0, 3.0], "low": [1.0, 2.0, 1.0, 1.0]}
    rows = offending(long_frame([2.0, 2.0, 2.0, 3.1], **bars))
    assert rows == [
        (1, "high", "is below low 2"),
        (2, "open", "is above high 3"),
        (3, "open", "is below low 1"),
    ]
    assert offending(long_frame([3.1], high=[3.0]))[0][:2] == (0, "close")
    # rounding is no inconsistency
    noise = long_frame([2.0 * (1 + 4e-7)], open=[1.0 * (1 - 4e-7)], high=[2.0], low=[1.0])
    assert Prices.from_frame(noise).field("open").notna().all(axis=None)


def test_dates_outside_the_calendar_have_their_own_error():
    rows = offending(long_frame([1.0, 2.0], dates=["2024-01-02", "2150-01-02"]), CalendarRangeError)
    assert rows == [(1, "date", rows[0][2])]
    assert "lies after" in rows[0][2]
    early = offending(long_frame([1.0, 2.0], dates=["1824-01-02", "2024-01-02"]), CalendarRangeError)
    assert "lies before" in early[0][2]
    mixed = offending(long_frame([-1.0, 2.0], dates=["2024-01-02", "2150-01-03"]))
    assert len(mixed) == 2
    with pytest.raises(InputError) as caught:
        Prices.from_frame(long_frame([-1.0, 2.0], dates=["2024-01-02", "2150-01-03"]))
    assert not isinstance(caught.value, CalendarRangeError)


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (pd.DataFrame(), "is empty"),
        (pd.DataFrame({"date": [], "ticker": [], "close": []}), "is empty"),
        (long_frame([1.0]).drop(columns="ticker"), "lacks the column ticker"),
        (long_frame([1.0]).rename(columns={"close": "Close"}), "Did you mean 'Close'"),
        (long_frame([1.0]).rename(columns={"date": "Date"}), "Did you mean 'Date'"),
        (long_frame([1.0]).set_index(["date", "ticker"]), r"reset_index\(\)"),
        (long_frame([1.0]).drop(columns="close"), "lacks the column close"),
        (long_frame([1.0], **{"Adj Close": [1.0]}), "'Adj Close' for 'adj_close'"),
        (long_frame([1.0], volumes=[1.0]), "'volumes' for 'volume'"),
        (long_frame([1.0], Dividends=[1.0]), "columns of corporate actions: Dividends"),
        (pd.concat([long_frame([1.0]), long_frame([1.0])[["close"]]], axis=1), "more than one column close"),
        (long_frame([np.nan, np.nan]), "no price in any row"),
        (pd.DataFrame({"AAPL": [1.0]}, index=pd.to_datetime(["2024-01-02"])), r"\.melt\("),
    ],
)
def test_tables_of_the_wrong_shape(frame, message):
    with pytest.raises(InputError, match=message):
        Prices.from_frame(frame)


def test_what_is_no_table_at_all():
    with pytest.raises(ParameterError, match="DataFrame"):
        Prices.from_frame({"date": ["2024-01-02"]})
    with pytest.raises(ResearchError, match="XNYS"):
        Prices.from_frame(long_frame([1.0]), calendar="XNYZ")


def test_many_faults_are_all_kept_and_few_printed():
    frame = long_frame(-np.ones(6))
    frame = pd.concat([frame.assign(ticker=f"T{i}") for i in range(50)], ignore_index=True)
    with pytest.raises(InputError) as caught:
        Prices.from_frame(frame)
    assert len(caught.value.rows) == 300
    assert "280 more" in str(caught.value)


@pytest.mark.parametrize(
    ("table", "column", "problem"),
    [
        (actions(dividend=[-0.1]), "dividend", "is negative"),
        (actions(dividend=["0,5"]), "dividend", "is not a number"),
        (actions(split_ratio=[0.0], absorbed=[False]), "split_ratio", "is not positive"),
        (actions(split_ratio=[2.0], absorbed=[None]), "absorbed", "is neither true nor false"),
        (actions(split_ratio=[2.0], absorbed=["yes"]), "absorbed", "is neither true nor false"),
        (actions(dividend=[np.nan]), "dividend", "row has neither a dividend nor a split"),
        (actions(dividend=[0.0]), "dividend", "row has neither a dividend nor a split"),
        (actions(dividend=[1.0]).assign(ex_date="2024-01-06"), "ex_date", "is no session of the calendar"),
        (actions(dividend=[1.0]).assign(ex_date="1/3/2024"), "ex_date", "is no date YYYY-MM-DD; other"),
        (actions(dividend=[1.0]).assign(ticker=7), "ticker", "is no ticker"),
    ],
)
def test_actions_are_checked(table, column, problem):
    rows = offending(long_frame([1.0] * 6), actions=table)
    assert [(row[0], row[1]) for row in rows] == [(0, column)]
    assert rows[0][2].startswith(problem)


def test_actions_need_their_columns_and_no_repeats():
    frame = long_frame([1.0] * 6)
    with pytest.raises(InputError, match="lacks the column absorbed"):
        Prices.from_frame(frame, actions=actions(split_ratio=[2.0]))
    with pytest.raises(InputError, match="lacks the column ex_date"):
        Prices.from_frame(frame, actions=actions(dividend=[2.0]).rename(columns={"ex_date": "date"}))
    twice = pd.concat([actions(dividend=[0.5])] * 2, ignore_index=True)
    assert offending(frame, actions=twice) == [(1, "ex_date", "repeats an earlier row and would count twice")]
    assert not len(Prices.from_frame(frame, actions=pd.DataFrame()).actions)


# --- the diagnosis ----------------------------------------------------------------------


class Market:
    """Independent random walks with volumes on XNYS sessions; tables of sessions by tickers to spoil."""

    def __init__(self, n_tickers=8, n_sessions=300, seed=0):
        raw = exchange_calendars.get_calendar("XNYS", start="2022-01-03", end="2023-12-29").sessions
        self.days = pd.DatetimeIndex(raw.to_numpy())[:n_sessions]
        rng = np.random.default_rng(seed)
        shape = (n_sessions, n_tickers)
        close = 50 * np.exp(np.cumsum(rng.normal(0, 0.02, shape), axis=0))
        opens = np.vstack([close[:1], close[:-1]]) * np.exp(rng.normal(0, 0.008, shape))
        self.fields = {"open": opens, "close": close, "volume": rng.lognormal(14, 0.3, shape)}

    def __getitem__(self, name):
        return self.fields[name]

    def prices(self, **kwargs):
        n_tickers = self["close"].shape[1]
        long = {
            "date": np.repeat(self.days, n_tickers),
            "ticker": [f"T{i}" for i in range(n_tickers)] * len(self.days),
            **{name: values.ravel() for name, values in self.fields.items()},
        }
        return Prices.from_frame(pd.DataFrame(long), **kwargs)

    def findings(self):
        """Findings as (ticker, position of the session, finding), and the whole table."""
        found = self.prices().diagnose()
        places = self.days.get_indexer(found["date"]).tolist()
        return list(zip(found["ticker"], places, found["finding"], strict=True)), found


@pytest.mark.parametrize("n_tickers", [1, 8])
def test_clean_data_have_no_findings(n_tickers):
    assert Market(n_tickers).findings()[0] == []


@pytest.mark.parametrize(
    ("ratio", "name"),
    [(2.0, "2-for-1"), (10.0, "10-for-1"), (1.5, "3-for-2"), (0.125, "1-for-8"), (20.0, "20-for-1")],
)
def test_an_unrecorded_split_is_found(ratio, name):
    market = Market(seed=1)
    for field in ("open", "close"):
        market[field][:120, 3] *= ratio
    # a session on which the stock itself goes with the market: 3-for-2 has little slack for more
    moves = np.delete(market["close"][120] / market["close"][119], 3)
    scale = market["close"][119, 3] / ratio * np.median(moves) / market["close"][120, 3]
    for field in ("open", "close"):
        market[field][120:, 3] *= scale
    lines, found = market.findings()
    assert lines == [("T3", 120, "split-jump")]
    assert f"a {name} split" in found["detail"].iloc[0]
    assert found["value"].iloc[0] == pytest.approx(1 / ratio, rel=0.02)


def test_a_market_crash_is_no_split_and_a_wild_ticker_is_not_suspected():
    market = Market(seed=2)
    for field in ("open", "close"):
        market[field][150:] *= 0.5  # everything halves
    market["close"][:, 1] = 50 * np.cumprod(np.random.default_rng(5).choice([0.5, 0.8, 1.25, 2.0], 300))
    market["open"][:, 1] = np.nan
    assert market.findings()[0] == []


def test_a_split_recorded_on_the_wrong_basis_is_named():
    market = Market(n_tickers=6, seed=3)
    day = market.days[100]
    table = pd.DataFrame({"ticker": "T2", "ex_date": [day], "split_ratio": [10.0], "absorbed": [False]})
    found = market.prices(actions=table).diagnose()
    assert found["finding"].tolist() == ["split-jump"]
    assert "the recorded 10 is marked absorbed=false" in found["detail"].iloc[0]


def test_stale_closes_and_opens():
    market = Market(seed=4)
    market["close"][50:55, 0] = market["close"][49, 0] * 1.01  # five closes
    market["volume"][50:55, 0] = 0.0
    market["close"][100:104, 0] = market["close"][99, 0] * 1.01  # four are not enough
    market["open"][200:206, 5] = market["close"][199:205, 5]
    market["open"][250:254, 5] = market["close"][249:253, 5]
    lines, found = market.findings()
    assert lines == [("T0", 50, "stale-close"), ("T0", 50, "zero-volume"), ("T5", 200, "stale-open")]
    assert found["value"].tolist() == [5, 5, 6]
    assert found["detail"].iloc[0].endswith("no volume")


def test_volumes_out_of_line():
    market = Market(seed=6)
    market["volume"][80:85, 4] /= 100  # another unit for a week
    market["volume"][150, 4] *= 20  # one loud day is news
    market["volume"][200:203, 6] *= 3  # so are three busy ones
    market["volume"][120:124] /= 50  # a thin market everywhere
    lines, found = market.findings()
    assert lines == [("T4", 80, "volume")]
    assert found["value"].iloc[0] == pytest.approx(0.01, rel=0.6)


def test_a_bad_open_and_rows_without_a_price():
    market = Market(seed=7)
    market["open"][60, 2] *= 1.3
    market["close"][70:72, 2] = np.nan
    lines, found = market.findings()
    assert lines == [("T2", 60, "legs-reverse"), ("T2", 70, "gap"), ("T2", 70, "no-price")]
    assert found["value"].iloc[0] == pytest.approx(0.3, abs=0.06)
    assert found["value"].tolist()[1:] == [2, 2]
