"""Did it take the sector along: the reaction of peers on another company's day (METHODS 6.8)."""

from __future__ import annotations

import datetime as dt
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from research.analysis._peer_events import around, events_on, known_under
from research.analysis._tiers import MEANING, TIERS, UNKNOWN, assign_tiers, peer_days
from research.analysis.pass_through import MIN_DATES, Pass, pass_through, spillover_panel
from research.analysis.sharing import Shared, fieller
from research.errors import InputError, ParameterError, ResearchWarning
from research.events.announcements import Announcements
from research.events.calendar import TradingCalendar
from research.study.models import MatchedModel, resolve_model
from research.study.peers import tickers_of
from research.study.results import EventStudyResults
from research.study.settings import relative_window
from research.study.study import EventStudy

__all__ = [
    "MEANING",
    "MIN_DATES",
    "TIERS",
    "UNKNOWN",
    "Pass",
    "Shared",
    "Spillover",
    "assign_tiers",
    "fieller",
    "pass_through",
    "peer_days",
    "spillover",
    "spillover_panel",
]


@dataclass(frozen=True)
class Spillover:
    """Peers on one company's day zero.

    Attributes
    ----------
    announcer : str
    day_zero : Timestamp
    window : (int, int)
    own : Series
        ``car, se, t, df, p_value, low, high`` of the announcer.
    peers : DataFrame
        One row a peer: ``peer, tier, own_day_zero, offset, timing, kind, car, se, t, df, p_value, low, high,
        n_observations, note``; NaN figures and a ``note`` where the peer could not be studied.
    portfolios : DataFrame, indexed by tier
        ``members`` (list), ``n, car, se, t, df, p_value, low, high, se_independent, correlation, n_observations,
        note``; a row for every tier, empty ones without figures.
    shared : dict of tier to Shared
    results : EventStudyResults
        The study of announcer, peers and portfolios behind it.
    """

    announcer: str
    day_zero: pd.Timestamp
    window: tuple[int, int]
    own: pd.Series
    peers: pd.DataFrame
    portfolios: pd.DataFrame
    shared: dict[str, Shared]
    results: EventStudyResults

    def of_tier(self, tier: str) -> list[str]:
        """Peers of a tier that have figures."""
        rows = self.peers[(self.peers["tier"] == tier) & self.peers["car"].notna()]
        return [str(name) for name in rows["peer"]]


def spillover(
    announcements: Announcements,
    returns: pd.DataFrame,
    ticker: str,
    day_zero: str | dt.date | pd.Timestamp,
    peers: Iterable[str] | str | None = None,
    model: Any = "market",
    market: pd.Series | None = None,
    *,
    window: tuple[int, int] | str = (0, 0),
    estimation: tuple[int, int] | str = (-250, -11),
    min_observations: int = 100,
    calendar: str | TradingCalendar = "XNYS",
) -> Spillover:
    r"""Abnormal returns of peers on another company's day zero, in three tiers apart.

    A tier's portfolio is the equal-weighted mean return of its members, *one* series, estimated like
    a share on days on which no member announced. Its residual variance is that of the mean of the members'
    residuals, so its standard error carries their correlation,

    .. math::  \mathrm{Var}(\bar e) = \frac{1}{n^2}\Big(\sum_i s_i^2 + \bar\rho \sum_{i \ne j} s_i s_j\Big)

    where independent members would have the first sum only (``se_independent``).

    Parameters
    ----------
    announcements : Announcements
        Everything known of announcer and peers, of every kind: it decides the tiers. Days around a
        company's own earnings announcements are cut from its estimation window.
    returns : DataFrame, sessions x tickers
        Simple total returns.
    ticker : str
        The announcer.
    day_zero : date, Timestamp or ISO text
        Its day zero, a session.
    peers : iterable of str, or comma-separated str, optional
        By default every other column of ``returns``.
    model, market
        As :class:`EventStudy` takes them; a matched model has no peers for a portfolio and is refused.
    window : (int, int), default (0, 0)
        Days summed, relative to the announcer's day zero.
    estimation, min_observations, calendar
        As :class:`EventStudy` takes them.

    Returns
    -------
    Spillover

    Raises
    ------
    InputError
        If the announcer itself cannot be studied on that day, with the reason; if there are no peers.
    ParameterError
        If ``day_zero`` is no session of the calendar; for a matched model, and whatever :class:`EventStudy` refuses.

    Notes
    -----
    The tiers look one session to either side, as the rule says; where a longer window holds a clean member's own
    day zero, the portfolio's note names it. The common shock of the day that is not the announcement is in every
    tier; one day permits description of what moved, not of why. Source: Foster (1981, JAE 3).
    """
    days, length = _calendar(calendar), relative_window("window", window)
    day_zero = _session(day_zero, days)
    resolved = resolve_model(model)
    if isinstance(resolved, MatchedModel):
        raise ParameterError(
            "a tier's portfolio has no peers of its own",
            parameter="model",
            value=resolved.name,
            allowed="a model without groups",
        )
    names = _names(returns, ticker, peers)
    tiers = assign_tiers(peer_days(announcements, days), day_zero, names, days)
    choices: dict[str, Any] = {
        "model": model, "market": market, "window": around(length), "estimation": estimation,
        "min_observations": min_observations, "calendar": days,
    }  # fmt: skip
    first = _study([ticker, *names], day_zero, announcements, returns, **choices)
    figures = _figures(first, length)
    own = figures.loc[ticker]
    if pd.isna(own["car"]):
        raise InputError(
            f"{ticker} cannot be studied on {day_zero:%Y-%m-%d}: {own['note']}",
            parameter="ticker",
            remedy="Without the announcer's own move there is nothing to compare its peers with.",
        )
    table = tiers.merge(figures, left_on="peer", right_index=True, how="left")
    groups = {tier: table.loc[(table["tier"] == tier) & table["car"].notna(), "peer"].tolist() for tier in TIERS}
    results, portfolios = _portfolios(groups, table, day_zero, announcements, returns, length, ticker, choices)
    shared = {tier: _shared(results, portfolios.loc[tier], own, f"tier_{tier}", ticker, length) for tier in TIERS}
    return Spillover(ticker, pd.Timestamp(day_zero), length, own, table, portfolios, shared, results)


def _calendar(calendar: str | TradingCalendar) -> TradingCalendar:
    return calendar if isinstance(calendar, TradingCalendar) else TradingCalendar(calendar)


def _session(day: str | dt.date | pd.Timestamp, calendar: TradingCalendar) -> pd.Timestamp:
    """A session's label: midnight without a zone."""
    allowed = "a session of the calendar, as a date or as text such as 2024-10-31"
    try:
        label = pd.Timestamp(day)
    except (ValueError, TypeError) as error:
        raise ParameterError("no date", parameter="day_zero", value=str(day), allowed=allowed) from error
    if pd.isna(label) or label.tz is not None or label != label.normalize():
        raise ParameterError("no label of a session", parameter="day_zero", value=str(day), allowed=allowed)
    if label not in calendar.sessions:
        raise ParameterError(
            "no session",
            parameter="day_zero",
            value=f"{label:%Y-%m-%d}",
            allowed=allowed,
            remedy="Take day zero from TradingCalendar.day_zero or from a study's ledger.",
        )
    return label.as_unit("ns")


def _names(returns: pd.DataFrame, ticker: str, peers: Iterable[str] | str | None) -> list[str]:
    given = list(returns.columns) if peers is None else tickers_of(peers)
    names = [str(name) for name in given if name != ticker]
    if not names:
        raise InputError("no peers", parameter="peers", remedy="Name companies other than the announcer.")
    return names


def _study(
    tickers: list[str],
    day_zero: pd.Timestamp,
    announcements: Announcements,
    returns: pd.DataFrame,
    aliases: dict[str, list[str]] | None = None,
    **choices: Any,
) -> EventStudyResults:
    events = events_on(tickers, [day_zero] * len(tickers))
    known = known_under(announcements, aliases or {name: [name] for name in tickers})
    with warnings.catch_warnings():
        # Few known announcements are said in the notes of the tiers.
        warnings.simplefilter("ignore", ResearchWarning)
        return EventStudy(events, returns, known_announcements=events if known is None else known, **choices).fit()


def _figures(results: EventStudyResults, window: tuple[int, int]) -> pd.DataFrame:
    """CAR of every ticker with its interval, or the reason why there is none."""
    sums = results.car(*window).reset_index(drop=True)
    half = stats.t.ppf(0.975, sums["df"]) * sums["se"]
    sums["low"], sums["high"] = sums["car"] - half, sums["car"] + half
    sums["n_observations"] = results.parameters["n_observations"].to_numpy()
    sums.index = pd.Index(results.events["ticker"].to_numpy())
    ledger = results.ledger.set_index("ticker")
    table = sums.drop(columns="n_days").reindex(ledger.index)
    notes = np.where(ledger["status"] == "used", "", ledger["reason"] + ": " + ledger["detail"].fillna(""))
    table["note"] = np.where((notes == "") & table["car"].isna(), "a return is missing in the window", notes)
    return table


def _portfolios(
    groups: dict[str, list[str]],
    table: pd.DataFrame,
    day_zero: pd.Timestamp,
    announcements: Announcements,
    returns: pd.DataFrame,
    window: tuple[int, int],
    ticker: str,
    choices: dict[str, Any],
) -> tuple[EventStudyResults, pd.DataFrame]:
    """The announcer and each tier's portfolio in one study; cut days kept where too few would be left."""
    series = {
        f"tier_{tier}": returns[members].mean(axis=1, skipna=False) for tier, members in groups.items() if members
    }
    panel = pd.DataFrame({ticker: returns[ticker], **series})
    aliases = {ticker: [ticker], **{f"tier_{tier}": members for tier, members in groups.items() if members}}
    tickers = list(panel.columns)
    results = _study(tickers, day_zero, announcements, panel, aliases, **choices)
    figures, note = _figures(results, window), dict.fromkeys(tickers, "")
    lost = [name for name in tickers[1:] if figures.loc[name, "note"].startswith("short-estimation")]
    if lost:
        results = _study(tickers, day_zero, announcements, panel, aliases, **choices, other_announcements="keep")
        figures = _figures(results, window)
        text = "its members announce on so many days that those were left in the estimation window; the error is large"
        note |= dict.fromkeys(lost, text)
    rows = []
    for tier, members in groups.items():
        if not members:
            rows.append({"tier": tier, "members": [], "n": 0, "note": "no peer of this tier has figures"})
            continue
        row = figures.loc[f"tier_{tier}"].to_dict()
        own = table[table["peer"].isin(members)]
        independent = float(np.sqrt((own["se"] ** 2).sum()) / len(members))
        row |= {"tier": tier, "members": members, "n": len(members), "se_independent": independent}
        row["correlation"] = _implied_correlation(row["se"], own["se"].to_numpy())
        row["note"] = "; ".join(filter(None, [row["note"], note[f"tier_{tier}"], _own_news(own, window, tier)]))
        rows.append(row)
    columns = [
        "members", "n", "car", "se", "t", "df", "p_value", "low", "high", "se_independent", "correlation",
        "n_observations", "note",
    ]  # fmt: skip
    return results, pd.DataFrame(rows).set_index("tier").reindex(columns=columns)


def _own_news(members: pd.DataFrame, window: tuple[int, int], tier: str) -> str:
    """Which clean members have a day zero of their own inside a window that reaches beyond the tier's one session."""
    inside = members["offset"].between(*window)
    if tier != "clean" or not inside.any():
        return ""
    names = ", ".join(members.loc[inside, "peer"])
    return f"the window is so long that it holds announcements of their own by {names}"


def _implied_correlation(se: float, members: NDArray[np.float64]) -> float:
    """Mean correlation of the members' residuals that the portfolio's error implies; NaN for one member."""
    n = len(members)
    if n < 2 or np.isnan(se):
        return float("nan")
    alone = float((members**2).sum())
    together = float(members.sum() ** 2) - alone
    if together == 0:  # all but one without residuals
        return float("nan")
    return float(((n * se) ** 2 - alone) / together)


def _shared(
    results: EventStudyResults,
    portfolio: pd.Series,
    own: pd.Series,
    name: str,
    ticker: str,
    window: tuple[int, int],
) -> Shared:
    """Ratio of the portfolio's CAR to the announcer's, both from one study."""
    if pd.isna(portfolio["car"]):
        return Shared(np.nan, np.nan, np.nan, "none")
    tickers = results.events["ticker"].tolist()
    both = [results.estimation_path(tickers.index(one))["residual"] for one in (name, ticker)]
    joint = pd.concat(both, axis=1).dropna().to_numpy()
    correlation = float(np.corrcoef(joint.T)[0, 1])
    return fieller(
        portfolio["car"], own["car"], portfolio["se"], own["se"], correlation, min(portfolio["df"], own["df"])
    )
