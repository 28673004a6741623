"""The embedded sample: 25 companies, 2013 to 2024, with the minute bars of one evening.

``data/README.md`` describes every table and says what may not be concluded from it: the
firms were chosen, not drawn. Tables are read once per process; what the functions return
is immutable or a copy.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from typing import Any

import pandas as pd
import pyarrow.parquet as pq

from research.errors import NotFoundError, ParameterError, SourceError, in_words, nearest
from research.events.announcements import Announcements
from research.market.intraday import Bars
from research.market.prices import Prices
from research.resources import sample_directory
from research.sources._common import (
    EventLike,
    announcement_day,
    fingerprint,
    require_tickers,
    select_tickers,
    ticker_list,
)

#: The only market series of the sample: S&P 500, price index.
MARKET = "^GSPC"

_PRICE_TABLES = ("prices_daily", "prices_sp500_20")
_BARS = re.compile(r"intraday_(?P<ticker>.+)_(?P<date>\d{4}-\d{2}-\d{2})\.parquet")


def announcements(tickers: str | Iterable[str] | None = None, kinds: Iterable[str] = ("earnings",)) -> Announcements:
    """Announcements of the sample, with the metrics table of Meta's third quarter of 2024.

    Parameters
    ----------
    tickers : str or iterable of str, optional
        Which companies; default all 25.
    kinds : iterable of str, default ("earnings",)
        Which kinds. ``strategy`` and ``product`` are the two rows of :func:`timeline`,
        whose hour is not known.

    Returns
    -------
    Announcements
        1,040 earnings announcements by default: 613 bmo, 400 amc, 27 of unknown hour.

    Raises
    ------
    NotFoundError
        If a ticker announced nothing of these kinds.
    ParameterError
        If a kind does not occur in the sample.
    """
    wanted = (kinds,) if isinstance(kinds, str) else tuple(kinds)
    if set(wanted) == {"earnings"}:
        return select_tickers(_earnings(), tickers)
    everything = _all_kinds()
    kind = everything.frame["kind"]
    unknown = sorted(set(wanted) - set(kind))
    if unknown or not wanted:
        raise ParameterError(
            "not in the sample" if unknown else "no kind at all",
            parameter="kinds",
            value=in_words(unknown) or None,
            allowed=in_words(sorted(set(kind))),
        )
    return select_tickers(everything.select(kind.isin(wanted).to_numpy()), tickers)


def timeline() -> Announcements:
    """Dated company news other than earnings: two rows of unknown hour.

    Returns
    -------
    Announcements
    """
    return _timeline()


def metrics() -> pd.DataFrame:
    """What Meta reported for 2024Q3 beside what was expected, a year earlier, or guided before.

    Returns
    -------
    DataFrame
        The validated long metrics table of :class:`Announcements`, one row per metric and
        comparison; ``basis`` is ``consensus``, ``year_ago`` or ``previous_guidance``, and
        missing where there is nothing to compare with.
    """
    table = _earnings().metrics
    if table is None:
        raise SourceError("the sample's announcements carry no metrics table")
    return table.copy()


def prices() -> Prices:
    """Daily prices of both tables, with dividends and splits.

    Returns
    -------
    Prices
        25 tickers on the XNYS sessions 2012-01-03 to 2024-12-31. What a table does not
        have stays NaN: MSFT has no prices from 2022-12-29 to 2023-09-21 and none but
        ``adj_close`` before, on another basis than after, so no return spans the gap.
    """
    return _prices(None)


def market_levels() -> pd.Series:
    """Closing levels of the S&P 500 price index, dividends not included.

    Returns
    -------
    Series of shape (3270,)
        Named ``^GSPC``, on tz-naive sessions; index points.
    """
    return _market_levels().copy()


def market_returns(symbol: str = MARKET) -> pd.Series:
    r"""Simple daily returns of the S&P 500 price index.

    .. math:: R_{mt} = P_{mt} / P_{m,t-1} - 1

    Parameters
    ----------
    symbol : str, default "^GSPC"
        The sample has no other market series.

    Returns
    -------
    Series of shape (3269,)
        Named after the symbol, on tz-naive sessions from 2012-01-04, decimals, no NaN.

    Raises
    ------
    NotFoundError
        For any other symbol.
    """
    if symbol != MARKET:
        raise NotFoundError(
            "the sample has no such market series",
            parameter="symbol",
            value=symbol,
            allowed=MARKET,
            remedy=nearest(symbol, [MARKET]) or None,
        )
    return _market_levels().pct_change(fill_method=None).iloc[1:]


def intraday(ticker: str, date: EventLike) -> Bars | None:
    """Minute bars around an announcement, extended hours included.

    Parameters
    ----------
    ticker : str
        ``META``, or ``SPXL`` (a fund with three times the daily return of the S&P 500,
        the market side of the same evening).
    date : Series, Timestamp, date or str
        The announcement, or its exchange-local date.

    Returns
    -------
    Bars or None
        None where the sample has no bars.
    """
    return _intraday(str(ticker), announcement_day(date))


def actions() -> pd.DataFrame:
    """Dividends from 2023-09-22 on and splits from 2013 on.

    Returns
    -------
    DataFrame
        ``ticker``, ``ex_date`` (tz-naive), ``dividend`` (USD a share), ``split_ratio`` (new
        shares per old one), ``absorbed`` (bool: already in the prices).
    """
    return _actions().copy()


class SampleSource:
    """The embedded sample behind the protocol of :class:`research.sources.protocol.Source`."""

    name = "sample"
    capabilities = frozenset({"announcements", "prices", "market", "intraday", "metrics"})

    def __repr__(self) -> str:
        return "SampleSource()"

    @property
    def market_symbol(self) -> str:
        """The S&P 500, the only market series of the sample."""
        return MARKET

    def announcements(self, tickers: str | Iterable[str] | None = None) -> Announcements:
        """Earnings announcements; see :func:`announcements`."""
        return announcements(tickers)

    def news(self) -> Announcements:
        """Results and the dated company news of :func:`timeline`."""
        return announcements(kinds=("earnings", *dict.fromkeys(timeline().frame["kind"])))

    def prices(self, tickers: str | Iterable[str] | None = None) -> Prices:
        """Daily prices; see :func:`prices`."""
        return _prices(None if tickers is None else tuple(ticker_list(tickers)))

    def returns(self, tickers: str | Iterable[str] | None = None) -> pd.DataFrame:
        """Simple total returns, sessions x tickers; NaN unless both sessions have a price."""
        if tickers is None:
            return prices().returns()
        wanted = ticker_list(tickers)
        require_tickers(wanted, prices().tickers, "prices")
        return prices().returns(wanted)

    def market_returns(self, symbol: str = MARKET) -> pd.Series:
        """Simple returns of the S&P 500; see :func:`market_returns`."""
        return market_returns(symbol)

    def intraday(self, ticker: str, event: EventLike) -> Bars | None:
        """Minute bars around an announcement; see :func:`intraday`."""
        return intraday(ticker, event)

    def factors(self) -> pd.DataFrame:
        """The sample has no factor returns: always SourceError."""
        raise SourceError(
            "the sample has no factor returns",
            allowed=in_words(sorted(self.capabilities)),
            remedy="Bring them in a folder of your own (files:DIR), or use a market model.",
        )

    def fingerprint(self) -> dict[str, Any]:
        """Sha-256 of every table of the sample, and one over all of them."""
        directory = sample_directory()
        files = {path.name: path for path in directory.iterdir() if path.suffix in {".csv", ".parquet"}}
        return fingerprint(self.name, files)


@cache
def _metrics_text() -> pd.DataFrame:
    table = pd.read_csv(sample_directory() / "metrics.csv", dtype=object, keep_default_na=False)
    return table.where(table != "", None)


@cache
def _earnings() -> Announcements:
    return Announcements.from_csv(sample_directory() / "events.csv", metrics=_metrics_text())


@cache
def _timeline() -> Announcements:
    return Announcements.from_csv(sample_directory() / "timeline.csv")


@cache
def _all_kinds() -> Announcements:
    tables = [pd.read_csv(sample_directory() / name) for name in ("events.csv", "timeline.csv")]
    tables[0]["kind"] = "earnings"
    return Announcements.from_frame(pd.concat(tables, ignore_index=True), metrics=_metrics_text())


def _read(name: str) -> pd.DataFrame:
    """One Parquet table; dates and instants in nanoseconds whatever unit the file has."""
    frame = pq.read_table(sample_directory() / f"{name}.parquet").to_pandas(date_as_object=False)
    for column in frame.columns.intersection(["date", "ts"]):
        frame[column] = frame[column].dt.as_unit("ns")
    if "ticker" in frame:
        frame["ticker"] = frame["ticker"].astype(str)
    return frame


@cache
def _price_rows() -> pd.DataFrame:
    return pd.concat([_read(name) for name in _PRICE_TABLES], ignore_index=True)


@cache
def _prices(tickers: tuple[str, ...] | None) -> Prices:
    rows, events = _price_rows(), _actions()
    if tickers is not None:
        require_tickers(tickers, rows["ticker"].unique(), "prices")
        rows = rows[rows["ticker"].isin(tickers)].reset_index(drop=True)
    events = events[events["ticker"].isin(rows["ticker"].unique())].reset_index(drop=True)
    return Prices.from_frame(rows, actions=events)


@cache
def _actions() -> pd.DataFrame:
    table = pd.read_csv(sample_directory() / "actions.csv", dtype={"ticker": str, "absorbed": bool})
    table["ex_date"] = pd.to_datetime(table["ex_date"], format="%Y-%m-%d").dt.as_unit("ns")
    return table


@cache
def _market_levels() -> pd.Series:
    table = _read("market_daily")
    return table.set_index("date")["close"].rename(MARKET)


@cache
def _intraday(ticker: str, day: pd.Timestamp) -> Bars | None:
    for path in sorted(sample_directory().iterdir()):
        found = _BARS.fullmatch(path.name)
        if found and found["ticker"] == ticker and found["date"] == f"{day:%Y-%m-%d}":
            return Bars.from_frame(_read(path.stem))
    return None
