"""Legs of many reactions, and which of them carries the price discovery."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from research.analysis.market_legs import BarBenchmark
from research.analysis.reaction import LEGS, Reaction, reaction
from research.errors import InputError, ParameterError, in_words, nearest
from research.events.calendar import TradingCalendar
from research.market.intraday import Bars
from research.market.prices import Prices
from research.study.settings import coverage

Floats = NDArray[np.float64]

#: Legs that daily prices allow, in the order of time.
DAILY_LEGS = ("overnight", "intraday")

#: Share of the clusters left out at a time in the jackknife is one; below this many there is no interval.
_MIN_CLUSTERS = 5


def daily_legs(events: pd.DataFrame, prices: Prices, benchmark: tuple[Prices, str] | None = None) -> pd.DataFrame:
    r"""Log legs of day zero from daily prices, for many events at once.

    .. math::  \ln(1 + r_{cc}) = \ln(1 + r_{co}) + \ln(1 + r_{oc})

    Parameters
    ----------
    events : DataFrame of shape (n, any)
        ``ticker, day_zero, timing``, such as ``results.events``; any index.
    prices : Prices
    benchmark : (Prices, ticker), optional
        What the legs are adjusted for, leg by leg with its own legs; never its whole day.

    Returns
    -------
    DataFrame of shape (n, 5) or (n, 7)
        In the order of ``events``: ``total, overnight, intraday`` (log, NaN where a price is missing),
        ``first`` (the leg in which the news was first priced: ``overnight`` for bmo, amc and closed,
        ``intraday`` for dmh, None where the timing is unknown), ``mixed`` (True for dmh, whose first leg
        holds hours before the news as well) and with a benchmark ``overnight_adjusted,
        intraday_adjusted``.

    Notes
    -----
    Source: Lou, Polk and Skouras (2019, JFE 134); dividends and splits fall into the overnight leg.
    """
    tables = {"total": prices.returns(), "overnight": prices.overnight(), "intraday": prices.intraday()}
    found = pd.DataFrame(index=events.index)
    sessions, tickers = pd.DatetimeIndex(events["day_zero"]), pd.Index(events["ticker"])
    for name, table in tables.items():
        found[name] = np.log1p(_cells(table, sessions, tickers))
    timing = events["timing"].to_numpy()
    first = pd.Series(np.where(timing == "dmh", "intraday", "overnight"), index=events.index, dtype=object)
    found["first"] = first.where(timing != "unknown", None)
    found["mixed"] = timing == "dmh"
    if benchmark is not None:
        other, ticker = benchmark
        if ticker not in other.tickers:
            raise ParameterError(
                "the benchmark has no prices",
                parameter="benchmark",
                value=ticker,
                remedy=nearest(ticker, list(other.tickers)) or None,
            )
        for name, table in (("overnight", other.overnight()), ("intraday", other.intraday())):
            own = np.log1p(_cells(table, sessions, pd.Index([ticker] * len(events))))
            found[f"{name}_adjusted"] = found[name] - own
    return found


def _cells(table: pd.DataFrame, sessions: pd.DatetimeIndex, tickers: pd.Index) -> Floats:
    """One cell an event; NaN where the table has no such session or ticker."""
    row, column = table.index.get_indexer(sessions), table.columns.get_indexer(tickers)
    values = table.to_numpy(dtype=np.float64)[row, column] if table.size else np.full(len(sessions), np.nan)
    return np.where((row >= 0) & (column >= 0), values, np.nan)


def evening_legs(
    events: pd.DataFrame,
    bars: Mapping[str, Bars],
    returns: pd.DataFrame,
    calendar: TradingCalendar,
    prices: Prices,
    *,
    bar_filter: bool = True,
    benchmarks: Mapping[str, BarBenchmark] | None = None,
) -> pd.DataFrame:
    """The five log legs of every event that has bars within the day.

    Parameters
    ----------
    events : DataFrame
        Rows of ``results.events``: ``event_id, ticker, announced_at, call_at, timing, day_zero`` and the rest.
    bars : mapping of event_id to Bars
        Bars of each evening and the next morning.
    returns, calendar, prices, bar_filter
        As :func:`research.analysis.reaction.reaction` takes them.
    benchmarks : mapping of event_id to BarBenchmark, optional
        What the legs of an evening are adjusted for, leg by leg with its own legs.

    Returns
    -------
    DataFrame, indexed by event_id
        ``total`` (log) and ``pre_release, release, call, pre_market, session``, NaN where a leg cannot be
        formed, and ``note``: why, in one text; bars that cannot be used leave their event without legs. With
        benchmarks also ``pre_release_adjusted`` and so on, NaN where the benchmark's own leg is not known. One row
        a mapped event, in the order of ``events``.

    Raises
    ------
    InputError
        If no event has bars.
    """
    rows = {}
    for event in (row for _, row in events.iterrows() if row["event_id"] in bars):
        day_zero, own = pd.Timestamp(event["day_zero"]), bars[event["event_id"]]
        timing = str(event["timing"])
        problem = ""
        try:
            market = None if benchmarks is None else benchmarks.get(event["event_id"])
            choices: dict[str, Any] = {"bar_filter": bar_filter, "benchmark": market}
            one = reaction(event, timing, day_zero, returns, calendar, prices, own, **choices)
        except InputError as error:
            problem = f"The bars cannot be used: {error}. "
            one = reaction(event, timing, day_zero, returns, calendar, prices, None)
        total = one.simple["close_to_close"]
        rows[event["event_id"]] = {
            "total": np.nan if total is None else np.log1p(total),
            **{leg: np.nan if value is None else value for leg, value in one.log.items()},
            **({} if benchmarks is None else _adjusted(one)),
            "note": problem + " ".join(one.notes),
        }
    if not rows:
        raise InputError(
            "no event has bars",
            parameter="bars",
            value=in_words(bars) or "an empty mapping",
            remedy="Its keys are the event_ids of the events.",
        )
    adjusted = [] if benchmarks is None else [f"{leg}_adjusted" for leg in LEGS]
    table = pd.DataFrame.from_dict(rows, orient="index").reindex(columns=["total", *LEGS, *adjusted, "note"])
    return table.rename_axis("event_id")


def _adjusted(one: Reaction) -> dict[str, float]:
    """Legs less the market's own between the same instants; NaN where either is not known."""
    if one.market is None:
        return dict.fromkeys((f"{leg}_adjusted" for leg in LEGS), np.nan)
    own = {leg: value for leg, value in zip(one.market.legs["leg"], one.market.legs["value"], strict=True) if leg}
    values = {leg: np.nan if value is None else value for leg, value in one.log.items()}
    return {f"{leg}_adjusted": values[leg] - own.get(leg, np.nan) for leg in LEGS}


def weighted_price_contribution(
    table: pd.DataFrame,
    legs: Iterable[str] = DAILY_LEGS,
    *,
    cluster: NDArray[np.object_] | pd.Series | None = None,
    confidence: float = 0.95,
) -> pd.DataFrame:
    r"""Which leg carries the reaction, across events.

    .. math::  WPC_j = \sum_s \frac{|r_s|}{\sum_i |r_i|} \cdot \frac{r_{s,j}}{r_s}

    Large reactions weigh more, and a leg that ran against the total counts against it; the
    contributions of legs that add to the total add to 1.

    Parameters
    ----------
    table : DataFrame
        ``total`` and the legs, log returns, one row an event. Rows with any of them missing are left out.
    legs : iterable of str
    cluster : array-like, optional
        Labels such as day zero; events of one label are left out together. By default each event is its
        own cluster.
    confidence : float, default 0.95

    Returns
    -------
    DataFrame
        ``leg, contribution, se, low, high, n_events, n_clusters``. The standard error is the
        delete-one-cluster jackknife's, limits from t(G - 1); NaN below 5 clusters.

    Raises
    ------
    InputError
        If no event has all legs and a total other than zero.
    ParameterError
        A leg that is no column, clusters of another length than the table or without a label, no probability.

    Notes
    -----
    Source: Barclay and Hendershott (2003, Review of Financial Studies 16).
    """
    names = list(legs)
    unknown = [name for name in ("total", *names) if name not in table.columns]
    if unknown:
        raise ParameterError(
            "no such columns", parameter="legs", value=in_words(unknown), allowed=in_words(table.columns)
        )
    confidence = coverage(confidence)
    if cluster is not None and (len(cluster) != len(table) or pd.isna(np.asarray(cluster, dtype=object)).any()):
        raise ParameterError(
            "not one label a row",
            parameter="cluster",
            value=in_words(cluster, 5),
            allowed=f"{len(table)} labels, none missing",
        )
    complete = table[["total", *names]].notna().all(axis=1).to_numpy() & (table["total"] != 0).to_numpy()
    if not complete.any():
        raise InputError(
            "no event has all of these legs",
            parameter="legs",
            value=in_words(names),
            remedy="See which prices are missing.",
        )
    total = table.loc[complete, "total"].to_numpy(dtype=np.float64)
    parts = table.loc[complete, names].to_numpy(dtype=np.float64)
    labels = np.arange(len(total)) if cluster is None else pd.factorize(np.asarray(cluster)[complete])[0]
    g = int(labels.max()) + 1
    signed = np.zeros((g, len(names)))
    size = np.zeros(g)
    np.add.at(signed, labels, parts * np.sign(total)[:, None])
    np.add.at(size, labels, np.abs(total))
    contribution = signed.sum(axis=0) / size.sum()
    se = np.full(len(names), np.nan)
    if g >= _MIN_CLUSTERS:
        without = (signed.sum(axis=0) - signed) / (size.sum() - size)[:, None]
        se = np.sqrt((g - 1) / g * ((without - without.mean(axis=0)) ** 2).sum(axis=0))
    half = stats.t.ppf((1 + confidence) / 2, g - 1) * se if g > 1 else se
    return pd.DataFrame(
        {
            "leg": names,
            "contribution": contribution,
            "se": se,
            "low": contribution - half,
            "high": contribution + half,
            "n_events": len(total),
            "n_clusters": g,
        }
    )
