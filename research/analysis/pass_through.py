"""Spillover over many announcements: how much of an announcer's move reaches its peers (METHODS 6.8)."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import statsmodels.api as sm

from research.analysis import clusters
from research.analysis._peer_events import around, events_on, known_under
from research.analysis._tiers import pairs, peer_days
from research.analysis.bootstrap import wild_cluster_bootstrap
from research.errors import ResearchWarning
from research.events.announcements import Announcements
from research.events.calendar import TradingCalendar
from research.study.peers import tickers_of
from research.study.results import EventStudyResults
from research.study.settings import relative_window
from research.study.study import EventStudy

#: Below this many days zero there is no regression: a slope's clustered error is not to be had from fewer.
MIN_DATES = 5


def spillover_panel(
    announcements: Announcements,
    results: EventStudyResults,
    returns: pd.DataFrame,
    announcers: Iterable[str] | str,
    peers: Iterable[str] | str | None = None,
    market: pd.Series | None = None,
    *,
    window: tuple[int, int] | str = (0, 0),
) -> pd.DataFrame:
    """Every peer on every announcement of the announcers: who moved how much, and what can be said of it.

    Parameters
    ----------
    announcements : Announcements
        Everything known; decides the tiers.
    results : EventStudyResults
        The study of the announcers; its model and windows are used for the peers as well.
    returns : DataFrame, sessions x tickers
        The returns of that study.
    announcers : iterable of str, or comma-separated str
        Their used events of kind ``earnings`` (or whatever kind the study holds) are taken.
    peers : iterable of str, or comma-separated str, optional
        By default every column of ``returns``.
    market : Series, optional
        The market return of that study, where its model needs one.
    window : (int, int), default (0, 0)
        Must lie inside the study's.

    Returns
    -------
    DataFrame
        ``event_id, announcer, day_zero, announcer_car, announcer_se, peer, tier, offset, car, se``; a pair without
        figures on either side is left out.
    """
    length, settings = relative_window("window", window), results.settings
    days = TradingCalendar(settings.calendar)
    own = results.car(*length).reset_index(drop=True)[["car", "se"]].set_axis(["announcer_car", "announcer_se"], axis=1)
    events = pd.concat([results.events[["event_id", "ticker", "day_zero"]].reset_index(drop=True), own], axis=1)
    events = events[events["ticker"].isin(tickers_of(announcers))].dropna(subset=["announcer_car"])
    names = [str(name) for name in (returns.columns if peers is None else tickers_of(peers))]
    known = [name for name in dict.fromkeys(names) if name in returns.columns]
    table = pairs(peer_days(announcements, days), events, known, days)
    if table.empty:
        return table.assign(announcer_car=np.nan, announcer_se=np.nan, car=np.nan, se=np.nan)
    wanted = table[["peer", "day_zero"]].drop_duplicates()
    peer_events = events_on(wanted["peer"].tolist(), wanted["day_zero"].tolist())
    own_days = known_under(announcements, {name: [name] for name in known})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResearchWarning)
        fitted = EventStudy(
            peer_events,
            returns,
            results.model,
            market,
            window=around(length),
            estimation=settings.estimation,
            min_observations=settings.min_observations,
            calendar=days,
            known_announcements=peer_events if own_days is None else own_days,
        ).fit()
    sums = fitted.car(*length)[["car", "se"]].reset_index().rename(columns={"ticker": "peer"})
    table = table.merge(events[["event_id", "announcer_car", "announcer_se"]], on="event_id")
    return table.merge(sums, on=["peer", "day_zero"]).dropna(subset=["car"]).reset_index(drop=True)


@dataclass(frozen=True)
class Pass:
    """How much of an announcer's abnormal move reaches its peers, over many announcements.

    Attributes
    ----------
    slope, se, t, df, p_value, low, high : float
        Of the announcer's CAR; errors clustered by day zero, CR1, t(G - 1).
    intercept : float
    n, n_dates : int
        Pairs, and days zero among them.
    r_squared : float
    bootstrap_p : float
        Restricted wild-cluster bootstrap by date; given below 30 dates, else NaN.
    reliability : float
        Share of the variance of the announcer's CAR that is not estimation error; the slope is drawn
        towards zero by that factor.
    note : str
        Why there are no figures; empty where there are.
    """

    slope: float
    se: float
    t: float
    df: float
    p_value: float
    low: float
    high: float
    intercept: float
    n: int
    n_dates: int
    r_squared: float
    bootstrap_p: float
    reliability: float
    note: str


def pass_through(panel: pd.DataFrame, *, confidence: float = 0.95, seed: int = 0, draws: int = 1999) -> Pass:
    r"""Regression of the peers' CAR on the announcer's, clustered by day zero.

    .. math::  CAR_{p} = a + b\, CAR_{announcer} + u

    Where several announce on one day zero each is an announcer to the others, and the day is one cluster
    in inference.

    Parameters
    ----------
    panel : DataFrame
        Rows of one tier of :func:`spillover_panel`.
    confidence : float, default 0.95
    seed, draws : int
        Of the bootstrap that is run below 30 dates.

    Returns
    -------
    Pass
        Without figures, and with a note, below 5 dates or where the announcer's CAR does not vary.

    Notes
    -----
    Source: Foster (1981, JAE 3); for the bootstrap Cameron, Gelbach and Miller (2008).
    """
    n, n_dates = len(panel), int(panel["day_zero"].nunique()) if len(panel) else 0
    varies = n > 2 and float(np.ptp(panel["announcer_car"])) > 0
    if n_dates < MIN_DATES or not varies:
        why = f"{n_dates} days zero, at least {MIN_DATES} are needed" if n_dates < MIN_DATES else "no variation"
        return Pass(*(np.nan,) * 8, n, n_dates, np.nan, np.nan, np.nan, why)
    X = pd.DataFrame({"Intercept": 1.0, "announcer_car": panel["announcer_car"].to_numpy(dtype=np.float64)})
    groups = clusters.cluster_codes(panel, ["day_zero"])[:, 0]
    fitted = sm.OLS(panel["car"].to_numpy(dtype=np.float64), X).fit(
        cov_type="cluster", cov_kwds={"groups": groups, "use_correction": True, "df_correction": True}, use_t=True
    )
    fitted.sample = panel
    low, high = fitted.conf_int(1 - confidence).loc["announcer_car"]
    few = n_dates < clusters.FEW_CLUSTERS
    drawn = (
        wild_cluster_bootstrap(fitted, "announcer_car", "day_zero", draws=draws, seed=seed, interval=False).p_value
        if few
        else np.nan
    )
    per_event = panel.drop_duplicates("event_id")
    noise = float((per_event["announcer_se"] ** 2).mean()) / float(per_event["announcer_car"].var())
    return Pass(
        slope=float(fitted.params["announcer_car"]),
        se=float(fitted.bse["announcer_car"]),
        t=float(fitted.tvalues["announcer_car"]),
        df=float(n_dates - 1),
        p_value=float(fitted.pvalues["announcer_car"]),
        low=float(low),
        high=float(high),
        intercept=float(fitted.params["Intercept"]),
        n=n,
        n_dates=n_dates,
        r_squared=float(fitted.rsquared),
        bootstrap_p=float(drawn),
        reliability=1 - noise,
        note="",
    )
