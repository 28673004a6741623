"""The market's own legs of one evening, from bars that may be thin and of a leveraged fund.

A leg is set against the market's same leg, never against its whole day (METHODS 1.5).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from research.analysis._boundaries import CLOSE, EXTENDED, LAST, last_trade
from research.errors import ParameterError
from research.market.intraday import Bars


@dataclass(frozen=True)
class BarBenchmark:
    """An instrument whose bars stand for the market.

    Attributes
    ----------
    name : str
    bars : Bars
    multiple : float, default 1
        How many times the market's daily return it seeks (3 for a fund of three times the index, negative for
        an inverse one). Log returns are divided by it, which is an approximation for legs within
        a day: off by about ``(multiple - 1) / 2`` times the squared return.
    total : float, optional
        The market's simple close-to-close return on day zero; where the bars end before the close, the
        last leg is what the others leave of it.
    total_name : str
        Where ``total`` comes from, for the notes.
    """

    name: str
    bars: Bars
    multiple: float = 1.0
    total: float | None = None
    total_name: str = "the market return"

    def __post_init__(self) -> None:
        if not np.isfinite(self.multiple) or self.multiple == 0:
            raise ParameterError(
                "no multiple of a market",
                parameter="multiple",
                value=self.multiple,
                allowed="a finite number other than 0",
            )


@dataclass(frozen=True)
class MarketLegs:
    """The market's legs between the same instants as a share's.

    Attributes
    ----------
    name : str
    multiple : float
    legs : DataFrame
        Like the share's segments: ``leg, start, end``, ``value`` (log, divided by the multiple; NaN where
        the bars have no price) and ``doubt`` (one standard deviation that the age of the last trades
        alone can put into ``value``).
    path : Series
        Log change since the close, divided by the multiple, by the instant at which each bar ends.
    notes : tuple of str
    """

    name: str
    multiple: float
    legs: pd.DataFrame
    path: pd.Series
    notes: tuple[str, ...]


def market_legs(segments: pd.DataFrame, points: pd.DataFrame, benchmark: BarBenchmark) -> MarketLegs:
    r"""Legs of the market between the boundaries of a share's reaction.

    .. math::  b_j = \frac{1}{m} \ln \frac{F(t_j)}{F(t_{j-1})}

    with F the last trade at or before each instant and m the multiple. A last trade that is k bars
    old leaves a doubt of :math:`\sigma \sqrt k / |m|`, with :math:`\sigma` 1.4826 times the median absolute
    one-bar move of the fund; at both ends of a leg they add in squares.

    Parameters
    ----------
    segments : DataFrame
        ``leg, start, end`` of the share.
    points : DataFrame
        ``label, at`` of the boundaries.
    benchmark : BarBenchmark

    Returns
    -------
    MarketLegs
    """
    bars, multiple = benchmark.bars, benchmark.multiple
    instants = dict(zip(points["label"], points["at"], strict=True))
    trades = {label: last_trade(bars, at) for label, at in instants.items()}
    noise = _noise(bars)
    ages = {
        label: np.nan if at is None else float((instants[label] - at) / bars.step) for label, (_, at) in trades.items()
    }
    covered = len(bars) > 0 and bars.frame.index[-1] + bars.step >= instants[LAST]
    rows = []
    for leg in segments.itertuples(index=False):
        value = float(np.log(trades[leg.end][0] / trades[leg.start][0])) / multiple
        doubt = noise * np.sqrt(ages[leg.start] + ages[leg.end]) / abs(multiple)
        rows.append((leg.leg, leg.start, leg.end, value, doubt))
    table = pd.DataFrame(rows, columns=["leg", "start", "end", "value", "doubt"])
    notes = [_thin(benchmark, instants, trades, table)]
    if not covered:
        notes.append(_rest(table, benchmark))
    if abs(multiple) != 1:
        notes.append(
            f"{benchmark.name} seeks {multiple:g} times the market's daily return; its log returns are divided by "
            f"{multiple:g}, an approximation that is good for moves of a few per cent."
        )
    return MarketLegs(
        benchmark.name, multiple, table, _path(bars, instants[CLOSE], multiple), tuple(filter(None, notes))
    )


def _noise(bars: Bars) -> float:
    """Robust standard deviation of a one-bar log move, missing bars allowed for."""
    closes = bars.frame["close"].dropna()
    if len(closes) < 3:
        return float("nan")
    gaps = np.minimum(np.diff(closes.index.asi8) / bars.step.value, 60)
    return 1.4826 * float(np.median(np.abs(np.diff(np.log(closes.to_numpy()))) / np.sqrt(gaps)))


def _rest(table: pd.DataFrame, benchmark: BarBenchmark) -> str:
    """Give the last leg what the others leave of the day's return; say so."""
    others = table["value"].iloc[:-1]
    last = table.index[-1]
    table.loc[last, "doubt"] = np.nan
    if benchmark.total is None or np.isnan(benchmark.total) or others.isna().any():
        table.loc[last, "value"] = np.nan
        return f"The bars of {benchmark.name} end before the close, so the market's last leg is not known."
    table.loc[last, "value"] = float(np.log1p(benchmark.total)) - float(others.sum())
    total = f"{100 * np.log1p(benchmark.total):.2f}".replace("-", "\N{MINUS SIGN}")
    return (
        f"The bars of {benchmark.name} end before the close of day zero; the market's last leg is what the earlier "
        f"ones leave of the day's move of {benchmark.total_name}, {total} log per cent."
    )


def _thin(
    benchmark: BarBenchmark,
    instants: dict[str, pd.Timestamp],
    trades: dict[str, tuple[float, pd.Timestamp | None]],
    table: pd.DataFrame,
) -> str:
    """How old the last trades at the boundaries were, and what that can do to a leg."""
    inner = [label for label in instants if label != LAST]
    missing = [label for label in inner if trades[label][1] is None]
    if missing:
        return f"{benchmark.name} has no trade before: {', '.join(missing)}; the market's legs there are not known."
    ages = {label: instants[label] - (trades[label][1] or instants[label]) for label in inner}
    oldest = max(ages, key=lambda label: ages[label])
    minutes = int(ages[oldest].total_seconds() // 60)
    if minutes == 0:
        return ""
    worst = float(table["doubt"].iloc[:-1].max())
    age = f"{minutes} {'minute' if minutes == 1 else 'minutes'} old"
    return (
        f"{benchmark.name} trades thinly outside regular hours{_coverage(benchmark.bars, instants)}; where the legs "
        f"meet, its last trade was up to {age} ({oldest}). That alone puts a doubt of up to {100 * worst:.2f} per cent "
        "(one standard deviation) into a leg. What such a fund shows is late, so a move of the market may appear one "
        "leg after it happened."
    )


def _coverage(bars: Bars, instants: dict[str, pd.Timestamp]) -> str:
    """Share of the evening's bars that exist."""
    if EXTENDED not in instants:
        return ""
    possible = (instants[EXTENDED] - instants[CLOSE]) / bars.step
    return f", with {len(bars.between(instants[CLOSE], instants[EXTENDED]))} of {possible:.0f} bars of the evening"


def _path(bars: Bars, closed_at: pd.Timestamp, multiple: float) -> pd.Series:
    closes = bars.frame["close"].dropna()
    base, traded = last_trade(bars, closed_at)
    if traded is None:
        return pd.Series(dtype=np.float64)
    later = closes[closes.index >= closed_at]
    values = np.log(later.to_numpy() / base) / multiple
    return pd.Series(values, index=pd.DatetimeIndex(later.index) + bars.step)
