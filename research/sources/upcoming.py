"""What is coming: expected date and figures of the next announcements, and how the company reacted before."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from research.errors import NotFoundError, SourceError
from research.events.calendar import TradingCalendar
from research.sources.listing import json_cell
from research.sources.replay import SnapshotSource

_NEW_YORK = "America/New_York"

COLUMNS = (
    "ticker",
    "expected_on",
    "expected_to",
    "session",
    "date_is_estimate",
    "eps_mean",
    "eps_low",
    "eps_high",
    "eps_year_ago",
    "n_analysts",
    "revenue_mean",
    "as_of",
    "n_past",
    "typical_move",
    "mean_move",
    "mean_low",
    "mean_high",
    "largest_move",
    "share_up",
    "latest_move",
    "latest_on",
    "market",
)


def upcoming(source: SnapshotSource, tickers: str | Iterable[str], now: pd.Timestamp) -> pd.DataFrame:
    r"""Next announcement of each company, soonest first.

    Parameters
    ----------
    source : SnapshotSource
    tickers : str or iterable of str
    now : Timestamp
        Time-zone-aware; announcements expected before this day are no longer upcoming.

    Returns
    -------
    DataFrame
        One row per company, columns :data:`COLUMNS`. ``expected_on`` and ``expected_to`` are dates in New
        York, equal where the day is known; ``date_is_estimate`` is missing where nobody says. Figures
        are the consensus fetched last, at ``as_of``. Moves are decimals: stock minus market on
        the day zero of the ``n_past`` past announcements, :math:`r_{i0} - r_{m0}`; ``typical_move`` is the root
        of their mean square, ``mean_move`` their mean with its 95 % interval ``mean_low`` to ``mean_high``
        (:math:`\bar r \pm t_{n-1,\,0.975}\, s/\sqrt{n}`, NaN for one alone), ``share_up`` the share above zero.
        NaN where nothing is known.

    Raises
    ------
    NotFoundError
        If a company was not fetched.
    SourceError
        If the time has no zone, or a file is damaged.
    """
    if now.tzinfo is None:
        raise SourceError("the time of an upcoming listing needs a time zone", parameter="now", value=str(now))
    found = [_company(source, ticker, now) for ticker in source.companies(tickers)]
    table = pd.DataFrame(found, columns=list(COLUMNS))
    return table.sort_values(["expected_on", "ticker"], na_position="last", ignore_index=True)


def _company(source: SnapshotSource, ticker: str, now: pd.Timestamp) -> dict[str, Any]:
    vintage = source.vintage(ticker)
    today = now.tz_convert(_NEW_YORK).tz_localize(None).normalize()
    row: dict[str, Any] = {"ticker": ticker, "as_of": vintage.fetched_at}
    listed = vintage.frame("announcements")
    ahead = listed[listed["announced_on"] >= today]
    if len(ahead):
        first = ahead.iloc[0]
        row |= {"expected_on": first["announced_on"], "expected_to": first["announced_on"], "session": first["session"]}
    if vintage.has("estimates"):
        row |= _consensus(vintage.frame("estimates"), today)
    return row | _reactions(source, ticker)


def rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The listing for programs: a row a company, instants as text, what is not known as None."""
    return [{str(name): json_cell(value) for name, value in row.items()} for row in table.to_dict("records")]


def lines(table: pd.DataFrame) -> list[str]:
    """The listing as text, two lines a company."""
    if table.empty:
        return ["no company among them announces earnings"]
    return [line for row in table.to_dict("records") for line in _lines(row)]


def _lines(row: dict[Any, Any]) -> list[str]:
    when = "no date known"
    if pd.notna(row["expected_on"]):
        when = f"{row['expected_on']:%a %Y-%m-%d}"
        if pd.notna(row["expected_to"]) and row["expected_to"] != row["expected_on"]:
            when += f" to {row['expected_to']:%Y-%m-%d}"
        when += f" {row['session']}" if isinstance(row["session"], str) else ""
        when += {True: " (estimated)", False: " (announced)"}.get(row["date_is_estimate"], "")
    parts = [f"{row['ticker']}: {when}"]
    if pd.notna(row["eps_mean"]):
        span = f" ({row['eps_low']:.2f} to {row['eps_high']:.2f})" if pd.notna(row["eps_low"]) else ""
        ago = f", a year ago {row['eps_year_ago']:.2f}" if pd.notna(row["eps_year_ago"]) else ""
        parts.append(f"EPS expected {row['eps_mean']:.2f}{span}{ago}")
    if pd.notna(row["revenue_mean"]):
        parts.append(f"revenue {row['revenue_mean'] / 1e6:,.0f} million")
    parts.append(f"as of {row['as_of']:%Y-%m-%d %H:%M} UTC")
    if not row["n_past"]:
        return ["; ".join(parts), "  no earlier announcement with prices"]
    span = f" (95% interval {row['mean_low']:+.1%} to {row['mean_high']:+.1%})" if pd.notna(row["mean_low"]) else ""
    past = (
        f"  {row['n_past']:.0f} earlier {'one' if row['n_past'] == 1 else 'ones'}: "
        f"typically {row['typical_move']:.1%} against {row['market']} on day zero, mean {row['mean_move']:+.1%}{span}, "
        f"up {row['share_up']:.0%} of the time, largest {row['largest_move']:+.1%}, "
        f"latest {row['latest_move']:+.1%} on {row['latest_on']:%Y-%m-%d}"
    )
    return ["; ".join(parts), past]


def _consensus(table: pd.DataFrame, today: pd.Timestamp) -> dict[str, Any]:
    """The consensus fetched last, if the day it was for is still to come."""
    latest = table[table["fetched_at"] == table["fetched_at"].max()]
    nearest = latest[latest["period"] == "next"].set_index("metric")
    quarter = latest[latest["period"] == "0q"].set_index("metric")
    row: dict[str, Any] = {"as_of": latest["fetched_at"].iloc[0]}
    if not len(nearest):
        return row
    first, last = (
        nearest[name].iloc[0].tz_convert(_NEW_YORK).tz_localize(None) if pd.notna(nearest[name].iloc[0]) else pd.NaT
        for name in ("expected_from", "expected_to")
    )
    if pd.notna(last) and last.normalize() < today:
        return row  # it has been announced since
    if pd.notna(first):
        row |= {"expected_on": first.normalize(), "expected_to": last.normalize()}
        row["date_is_estimate"] = nearest["date_is_estimate"].iloc[0]
    if "eps" in nearest.index:
        row |= {f"eps_{name}": nearest.loc["eps", name] for name in ("mean", "low", "high")}
    if "revenue" in nearest.index:
        row["revenue_mean"] = nearest.loc["revenue", "mean"]
    if "eps" in quarter.index:
        row |= {"n_analysts": quarter.loc["eps", "n_analysts"], "eps_year_ago": quarter.loc["eps", "year_ago"]}
    return row


def _reactions(source: SnapshotSource, ticker: str) -> dict[str, Any]:
    market = source.market_symbol
    try:
        timed = source.announcements(ticker).timed(TradingCalendar())
    except NotFoundError:  # it has announced nothing so far
        return {"n_past": 0, "market": market}
    if market is None:
        return {"n_past": 0}
    days = pd.DatetimeIndex(timed["day_zero"].dropna())
    both = source.returns(list(dict.fromkeys([ticker, market])))
    moves = (both[ticker] - both[market]).reindex(days).dropna().sort_index()
    if moves.empty:
        return {"n_past": 0, "market": market}
    mean, half = float(moves.mean()), np.nan
    if len(moves) > 1:
        half = float(stats.t.ppf(0.975, len(moves) - 1) * moves.std(ddof=1) / np.sqrt(len(moves)))
    return {
        "n_past": len(moves),
        "typical_move": float(np.sqrt((moves**2).mean())),
        "mean_move": mean,
        "mean_low": mean - half,
        "mean_high": mean + half,
        "largest_move": float(moves[moves.abs().idxmax()]),
        "share_up": float((moves > 0).mean()),
        "latest_move": float(moves.iloc[-1]),
        "latest_on": moves.index[-1],
        "market": market,
    }
