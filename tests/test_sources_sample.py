"""The embedded sample: what it has to contain, checked against the facts and not against the code."""

from __future__ import annotations

import hashlib
import math
import warnings

import exchange_calendars
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from research.errors import NotFoundError, ParameterError, SourceError, UsageError
from research.resources import sample_directory
from research.sources import sample
from research.sources.protocol import CAPABILITIES, Source, open_source

FIRST = ["AAPL", "AMZN", "GOOG", "META", "NFLX", "NVDA"]
SECOND = ["AMD", "BAC", "BBY", "CVX", "GE", "HD", "JNJ", "JPM", "KO"]
SECOND += ["LLY", "MRK", "PEP", "PFE", "PG", "RRC", "UNH", "WMT", "XOM"]


@pytest.fixture(scope="module")
def returns():
    return sample.prices().returns()


def raw_sessions(start, end):
    """Session labels straight from exchange_calendars."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # its own, under pandas 3.1
        calendar = exchange_calendars.get_calendar("XNYS", start="2012-01-01", end="2025-01-31")
        return calendar.sessions_in_range(start, end)


# --- announcements ----------------------------------------------------------------------


def test_events_are_those_of_the_datasheet():
    frame = sample.announcements().frame
    assert len(frame) == 1040
    assert frame["ticker"].nunique() == 25
    assert frame["session"].value_counts().to_dict() == {"bmo": 613, "amc": 400}
    assert frame["session"].isna().sum() == 27
    assert set(frame["kind"]) == {"earnings"}
    assert (frame["status"] == "ok").all()
    counts = frame["ticker"].value_counts()
    assert {counts[ticker] for ticker in FIRST} == {48}
    assert counts["MSFT"] == 45
    assert counts["RRC"] == 27
    assert {counts[ticker] for ticker in SECOND if ticker != "RRC"} == {40}


def test_span_of_the_events():
    dates = sample.announcements().frame["announced_on"]
    assert dates.min() == pd.Timestamp("2013-01-16")
    assert dates.max() == pd.Timestamp("2024-11-20")
    assert dates.notna().all()


def test_meta_2024_10_30_is_exact():
    row = sample.announcements().find("META", "2024-10-30")
    assert row["announced_at"] == pd.Timestamp("2024-10-30T20:05:00Z")
    assert row["call_at"] == pd.Timestamp("2024-10-30T21:00:00Z")
    assert row["session"] == "amc"
    assert (row["eps_actual"], row["eps_estimate"]) == (6.03, 5.25)


def test_pepsico_mornings_are_not_the_evenings_before():
    frame = sample.announcements("PEP").frame
    mornings = frame[frame["announced_at_source"] == "sec_filing_date"]
    assert len(mornings) == 9
    assert set(mornings["session"]) == {"bmo"}
    accepted = pd.to_datetime(mornings["sec_accepted_at"], utc=True).dt.tz_convert("America/New_York")
    days = (mornings["announced_on"] - accepted.dt.tz_localize(None).dt.normalize()).dt.days
    assert (days >= 1).all()


def test_unknown_hours_have_no_day_zero():
    timed = sample.announcements().timed()
    assert (timed["timing"] == "unknown").sum() == 27
    assert timed["day_zero"].isna().sum() == 27


def test_selection_by_ticker_and_kind():
    assert sample.announcements("META").tickers == ["META"]
    assert len(sample.announcements(["META", "AAPL"])) == 96
    other = sample.announcements(kinds=("strategy", "product")).frame
    assert list(other["kind"]) == ["strategy", "product"]
    assert len(sample.announcements(kinds=("earnings", "product"))) == 1041
    with pytest.raises(NotFoundError, match="META"):
        sample.announcements("METR")
    with pytest.raises(ParameterError, match="earnings"):
        sample.announcements(kinds=("earnigns",))
    with pytest.raises(ParameterError):
        sample.announcements(tickers=[])


def test_timeline_has_no_hour():
    timeline = sample.timeline()
    assert len(timeline) == 2
    assert set(timeline.timed()["timing"]) == {"unknown"}
    assert list(timeline.frame["announced_on"]) == [pd.Timestamp("2023-02-27"), pd.Timestamp("2024-04-18")]


# --- metrics ----------------------------------------------------------------------------

#: Read from the press release and the pages cited, by hand.
PRINTED = {
    ("eps", "consensus"): (6.03, 5.25, "USD"),
    ("eps", "year_ago"): (6.03, 4.39, "USD"),
    ("revenue", "consensus"): (40.589, 40.29, "USD_billion"),
    ("revenue", "year_ago"): (40.589, 34.146, "USD_billion"),
    ("family_daily_active_people", "consensus"): (3.29, 3.31, "billion"),
    ("reality_labs_operating_loss", "consensus"): (4.428, 4.6, "USD_billion"),
    ("reality_labs_revenue", "consensus"): (270, 312.8, "USD_million"),
    ("capex_2024_low", "previous_guidance"): (38, 37, "USD_billion"),
    ("capex_2024_high", "previous_guidance"): (40, 40, "USD_billion"),
    ("total_expenses_2024_low", "previous_guidance"): (96, 96, "USD_billion"),
    ("total_expenses_2024_high", "previous_guidance"): (98, 99, "USD_billion"),
    ("fourth_quarter_revenue_midpoint", "consensus"): (46.5, 46.31, "USD_billion"),
}


@pytest.mark.parametrize("key", PRINTED, ids=lambda key: "-".join(key))
def test_metrics_are_as_printed(key):
    table = sample.metrics()
    row = table[(table["metric"] == key[0]) & (table["basis"] == key[1])].iloc[0]
    assert (row["actual"], row["estimate"], row["unit"]) == PRINTED[key]
    assert row["source"]
    assert row["estimate_source"]


def test_metrics_keep_rival_figures_and_words():
    table = sample.metrics()
    eps = table[(table["metric"] == "eps") & (table["basis"] == "consensus")]
    assert sorted(eps["estimate"]) == [5.22, 5.25, 5.29, 5.3]
    assert eps["estimate_source"].is_unique
    capex = table[table["metric"] == "capex_2025"].iloc[0]
    assert math.isnan(capex["actual"])
    assert math.isnan(capex["estimate"])
    assert "growth" in capex["note"]
    assert "46.09" in table.set_index("metric").loc["fourth_quarter_revenue_midpoint", "note"]


# --- prices -----------------------------------------------------------------------------


def test_shipped_tables_have_the_rows_and_types_of_the_datasheet():
    rows = {"prices_daily": 18441, "prices_sp500_20": 52554, "market_daily": 3270}
    for name, expected in rows.items():
        table = pq.read_table(sample_directory() / f"{name}.parquet")
        assert table.num_rows == expected
        assert str(table.schema.field("date").type) == "date32[day]"
        assert all(str(f.type) == "double" for f in table.schema if f.name in {"close", "adj_close", "open"})


def test_first_group_spans_every_session(returns):
    levels = sample.prices().field("adj_close")
    for ticker in FIRST:
        assert list(levels[ticker].dropna().index) == list(raw_sessions("2013-01-02", "2024-12-31"))
    for ticker in SECOND:
        assert list(levels[ticker].dropna().index) == list(raw_sessions("2012-01-03", "2022-12-28"))


def test_msft_is_two_pieces_without_a_return_across_the_hole(returns):
    msft = returns["MSFT"]
    hole = msft.loc["2022-12-29":"2023-09-22"]
    assert len(hole) > 180
    assert hole.isna().all()
    assert msft.loc["2022-12-28":"2022-12-28"].notna().all()
    assert msft.loc["2023-09-25":"2023-09-25"].notna().all()
    # First sessions of the two pieces have no return, all others do.
    assert msft.notna().sum() == (2766 - 1) + (321 - 1)


def test_published_returns_of_2024_10_31(returns):
    assert returns.loc["2024-10-31", "META"] == pytest.approx(-0.040926, abs=5e-7)
    # No dividend that day: the total return is that of the closes.
    assert returns.loc["2024-10-31", "META"] == pytest.approx(567.58 / 591.80 - 1, abs=2e-6)
    market = sample.market_returns()
    assert market.loc["2024-10-31"] == pytest.approx(5705.45 / 5813.67 - 1, abs=1e-15)
    assert round(100 * market.loc["2024-10-31"], 4) == -1.8615
    legs = sample.prices()
    assert 100 * legs.overnight().loc["2024-10-31", "META"] == pytest.approx(-1.1490, abs=2e-4)
    assert 100 * legs.intraday().loc["2024-10-31", "META"] == pytest.approx(-2.9778, abs=5e-5)


def test_ragged_columns_stay_ragged():
    prices = sample.prices()
    opens, volume, close = (prices.field(name) for name in ("open", "volume", "close"))
    assert opens["META"].notna().sum() == 3020
    for ticker in ["AAPL", "AMZN", "GOOG", "NFLX", "NVDA"]:
        assert opens[ticker].last_valid_index() == pd.Timestamp("2023-09-21")
        assert volume[ticker].last_valid_index() == pd.Timestamp("2023-09-21")
        assert close[ticker].last_valid_index() == pd.Timestamp("2024-12-31")
    assert opens["MSFT"].isna().all()
    assert close[SECOND].isna().all().all()
    assert close["MSFT"].first_valid_index() == pd.Timestamp("2023-09-22")


def test_prices_keep_every_decimal_of_the_raw_tables():
    prices = sample.prices()
    assert prices.field("adj_close").loc["2013-01-02", "META"] == 27.89345
    assert prices.field("close").loc["2024-10-30", "META"] == 591.80
    assert prices.field("volume").loc["2013-01-02", "META"] == 69846400
    assert sample.market_levels().loc["2012-01-03"] == 1277.06


def test_total_returns_agree_with_closes_plus_dividends(returns):
    """adj_close was computed from the dividends of actions.csv; go back by hand."""
    prices = sample.prices()
    close = prices.field("close")["META"].loc["2023-09-22":]
    table = sample.actions()
    paid = table[(table["ticker"] == "META") & table["dividend"].notna()]
    assert len(paid) == 4
    expected = close.pct_change(fill_method=None)
    for row in paid.itertuples():
        before = close[close.index < row.ex_date].iloc[-1]
        expected[row.ex_date] = close[row.ex_date] / (before - row.dividend) - 1
    difference = (returns["META"].loc["2023-09-25":] - expected.loc["2023-09-25":]).abs()
    assert difference.max() < 2e-6


def test_no_return_on_a_split_date_is_a_split(returns):
    table = sample.actions()
    for row in table[table["split_ratio"].notna()].itertuples():
        assert row.absorbed
        assert abs(returns.loc[row.ex_date, row.ticker]) < 0.06


# --- market -----------------------------------------------------------------------------


def test_market_series():
    market, levels = sample.market_returns(), sample.market_levels()
    assert market.name == levels.name == "^GSPC"
    assert market.index.dtype == levels.index.dtype == "datetime64[ns]"
    assert market.index.tz is None
    assert list(levels.index) == list(raw_sessions("2012-01-03", "2024-12-31"))
    assert len(market) == len(levels) - 1
    assert market.notna().all()
    growth = np.prod(1 + market.to_numpy())
    assert growth == pytest.approx(levels.iloc[-1] / levels.iloc[0], rel=1e-12)
    with pytest.raises(NotFoundError, match="GSPC"):
        sample.market_returns("^GSP")


def test_callers_cannot_change_what_others_get():
    levels = sample.market_levels()
    levels.iloc[:] = 0.0
    table = sample.actions()
    table["dividend"] = -1.0
    metrics = sample.metrics()
    metrics["actual"] = 0.0
    assert (sample.market_levels() > 0).all()
    assert (sample.actions()["dividend"].dropna() > 0).all()
    assert sample.metrics()["actual"].iloc[0] == 6.03


# --- intraday ---------------------------------------------------------------------------


def test_minute_bars_of_the_evening():
    bars = sample.intraday("META", "2024-10-30")
    frame = bars.frame
    assert len(frame) == 544
    assert bars.step == pd.Timedelta(minutes=1)
    local = frame.index.tz_convert("America/New_York")
    assert local[0] == pd.Timestamp("2024-10-30 15:50", tz="America/New_York")
    assert local[-1] == pd.Timestamp("2024-10-31 10:00", tz="America/New_York")
    assert frame.loc["2024-10-30T20:05:00Z", "low"] == 554.85
    assert frame.loc["2024-10-30T20:05:00Z", "high"] == 599.95
    spxl = sample.intraday("SPXL", "2024-10-30")
    assert len(spxl.frame) == 312
    assert spxl.frame.loc["2024-10-30T19:59:00Z", "close"] == 167.25


def test_bars_are_found_by_row_instant_or_date():
    row = sample.announcements().find("META", "2024-10-30")
    expected = sample.intraday("META", "2024-10-30").frame
    # Already the 31st in UTC, still the 30th in New York.
    late = pd.Timestamp("2024-10-31T00:30:00Z")
    for event in (row, late, pd.Timestamp("2024-10-30"), pd.Timestamp("2024-10-30").date()):
        pd.testing.assert_frame_equal(sample.intraday("META", event).frame, expected)


def test_no_bars_is_none_and_no_path():
    assert sample.intraday("META", "2024-07-31") is None
    assert sample.intraday("../intraday_META", "2024-10-30") is None
    assert sample.intraday("AAPL", "2024-10-30") is None
    with pytest.raises(ParameterError, match="YYYY-MM-DD"):
        sample.intraday("META", "tomorrow-ish")


# --- the source -------------------------------------------------------------------------


def test_sample_source_follows_the_protocol():
    source = open_source("sample")
    assert isinstance(source, Source)
    assert source.name == "sample"
    assert source.capabilities <= CAPABILITIES
    assert "factors" not in source.capabilities
    with pytest.raises(SourceError, match="factor"):
        source.factors()
    assert source.prices(["META", "MSFT"]).tickers == ["META", "MSFT"]
    assert list(source.returns("META").columns) == ["META"]
    assert len(source.announcements("META")) == 48
    assert source.announcements().metrics is not None
    with pytest.raises(NotFoundError, match="META"):
        source.prices(["METAA"])
    with pytest.raises(NotFoundError):
        source.returns("SPXL")


def test_returns_of_one_ticker_are_those_of_the_whole(returns):
    alone = open_source("sample").prices("META").returns()["META"]
    pd.testing.assert_series_equal(alone, returns["META"].loc[alone.index])


def test_fingerprint_is_that_of_the_files():
    found = open_source("sample").fingerprint()
    assert found["source"] == "sample"
    assert len(found["files"]) == 9
    for name, digest in found["files"].items():
        assert hashlib.sha256((sample_directory() / name).read_bytes()).hexdigest() == digest
    assert list(found["files"]) == sorted(found["files"])


@pytest.mark.parametrize("spec", ["bloomberg", "Sample", "", "files", "files:", "files: ", "csv:x", None])
def test_unknown_sources_name_what_is_allowed(spec):
    with pytest.raises(UsageError, match="files:DIR") as caught:
        open_source(spec)
    assert caught.value.exit_code == 2
