"""Drift after announcements: who is held, until when, and how sure one can be (METHODS 3.11, 6.6, 6.7).

A long window must not lean on an estimated intercept, so the default benchmark estimates
none; the market model stands beside it. A window ends two sessions before the next
announcement of the firm, and the ledger says where each one ended.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from research.analysis._design import eps_surprises, numbers
from research.analysis._drift_inference import checked_weights, long_short, mean_path, quarter, value_weighted
from research.analysis.clusters import codes
from research.analysis.effects import effect
from research.analysis.portfolios import MIN_FIRMS, CalendarTime, calendar_time
from research.analysis.ranks import Ranks, rank_surprises
from research.errors import InputError, ParameterError, ResearchWarning, in_words
from research.events.announcements import Announcements
from research.study.inputs import as_announcements
from research.study.results import EventStudyResults
from research.study.study import EventStudy

Floats = NDArray[np.float64]

#: First day held: day +1 may still belong to the announcement where the hour is uncertain.
START = 2

#: Last day held at the longest.
END = 60

#: Sessions before the next announcement at which a window ends.
GUARD = 2

#: Benchmarks in the order of trust: none of the first two rests on an estimated intercept.
BENCHMARKS = ("market-adjusted", "market, alpha 0", "market")


def holding_windows(results: EventStudyResults, start: int = START, end: int = END) -> pd.DataFrame:
    """Where the window of each used event ends, and why.

    Parameters
    ----------
    results : EventStudyResults
        Fitted on a window that contains ``[start, end]``.
    start, end : int
        First and last relative day.

    Returns
    -------
    DataFrame indexed by ``event_id``
        ``ticker, day_zero, next`` (relative day of the next known announcement of the firm and
        kind; NaN where none is known), ``last`` (``min(end, next - 2)``), ``ended``
        (``horizon`` or ``next announcement``), ``status`` (``used`` or ``left out``), ``reason``:
        ``no room before the next announcement``, ``prices end inside the window``, ``a day is missing``.
    """
    if not start < end:
        raise ParameterError("the window is empty", parameter="start, end", value=(start, end), allowed="start < end")
    results.check_window(start, end)
    events = results.events
    following = results.next_announcement()
    last = np.where(np.isnan(following), end, np.minimum(end, following - GUARD)).astype(np.int64)
    table = pd.DataFrame(
        {
            "ticker": events["ticker"].to_numpy(),
            "day_zero": events["day_zero"].to_numpy(),
            "next": following,
            "last": last,
            "ended": np.where(last < end, "next announcement", "horizon").astype(object),
        },
        index=pd.Index(events["event_id"], name="event_id"),
    )
    abnormal = results.abnormal_returns.to_numpy()[:, start - results.settings.window[0] :]
    days = np.arange(start, start + abnormal.shape[1])
    inside = days[None, :] <= last[:, None]
    day = results.grid_day
    ends = results.last_return_day()
    gone = day + last > ends
    holes = (np.isnan(abnormal) & inside).any(axis=1)
    reason = np.select(
        [last < start, gone, holes],
        ["no room before the next announcement", "prices end inside the window", "a day is missing"],
        default="",
    ).astype(object)
    table["status"] = np.where(reason == "", "used", "left out").astype(object)
    table["reason"] = reason
    return table


@dataclass(frozen=True)
class Drift:
    """Drift by group of surprise under one benchmark.

    Attributes
    ----------
    benchmark : str
    ranks : Ranks
        How groups were made; ``ranks.label`` belongs into every caption.
    events : DataFrame indexed by ``event_id``
        As :func:`holding_windows`, with ``surprise, group, car, bhar`` (NaN where left out).
    table : DataFrame
        One row a group and measure: ``group, measure, estimate, se, low, high, p_value, n_events``,
        errors clustered by calendar quarter of day zero.
    paths : DataFrame
        ``group, relative_day, car, low, high``: mean CAR up to a day; an event that has ended stays at its end.
    long_short : DataFrame
        Top minus bottom group by measure and method of inference: ``measure, method, estimate, se, t,
        df, p_value, low, high, mde, n_long, n_short, note``. Empty with a single group.
    value_weighted : DataFrame
        One row a measure and group, and one for ``top minus bottom``: ``group, measure, estimate, se, low, high,
        p_value, mde, n_events, largest_share`` (weight of the heaviest event in its group, the larger one of a
        difference), ``note``; errors clustered by calendar quarter. Empty where no weights were given.
    """

    benchmark: str
    ranks: Ranks
    events: pd.DataFrame
    table: pd.DataFrame
    paths: pd.DataFrame
    long_short: pd.DataFrame
    value_weighted: pd.DataFrame


def drift(
    results: EventStudyResults,
    surprise: pd.Series,
    *,
    start: int = START,
    end: int = END,
    grouping: str = "auto",
    alpha: str = "estimated",
    weights: str | pd.Series | None = None,
) -> Drift:
    r"""Drift of groups of surprise under the model of one fitted study.

    .. math::  CAR_i = \sum_{\tau = start}^{last_i} AR_{i\tau}, \qquad
               BHAR_i = \prod(1 + R_{i\tau}) - \prod(1 + R_{m\tau})

    Parameters
    ----------
    results : EventStudyResults
        Fitted on a window that contains ``[start, end]``.
    surprise : Series indexed by ``event_id``
    start, end : int
    grouping : str
        As in :func:`research.analysis.ranks.rank_surprises`.
    alpha : {"estimated", "zero"}
        ``zero`` leaves the estimated intercept out of what is expected.
    weights : str or Series indexed by ``event_id``, optional
        Market capitalisation before the announcement, or the covariate that holds it. Value-weighted
        means then stand beside the equal-weighted ones; events without one are not in them.

    Returns
    -------
    Drift

    Raises
    ------
    ParameterError
        An unknown choice or column.
    InputError
        No event is left, none has a surprise, weights that are not positive, or none for any studied event.

    Notes
    -----
    Windows of one season overlap, so events are not independent. Methods of inference:
    ``overlap-weighted`` enters the correlation of estimation residuals on common days, weighted by the
    overlap of the windows, into the variance of both groups and their covariance;
    ``clustered by quarter`` and ``clustered by day zero`` take events of one quarter (day) as one observation.
    """
    if alpha not in ("estimated", "zero"):
        raise ParameterError("unknown choice", parameter="alpha", value=alpha, allowed="estimated, zero")
    events = holding_windows(results, start, end)
    events["surprise"] = numbers(surprise, "surprise").reindex(events.index)
    endless = np.isinf(events["surprise"])
    if endless.any() and grouping != "none":
        raise InputError("infinite surprises: " + in_words(events.index[endless]), parameter="surprise")
    ranks = rank_surprises(events["surprise"], events["day_zero"], grouping)
    events["group"] = ranks.group
    sums, bhar = _paths(results, events["last"].to_numpy(), start, end, alpha)
    used = (events["status"] == "used").to_numpy()
    events["car"] = np.where(used, sums[:, -1], np.nan)
    events["bhar"] = np.where(used, bhar, np.nan)
    unranked = events["group"].isna() & used
    events.loc[unranked, "status"] = "left out"
    events.loc[unranked, "reason"] = np.where(
        events.loc[unranked, "surprise"].isna(), "no surprise", "no quarter before with enough surprises to rank it in"
    )
    if not (events["status"] == "used").any():
        reasons = events["reason"].value_counts()
        raise InputError(
            "no event is left: " + (in_words(f"{reason} ({n})" for reason, n in reasons.items()) or "none was studied"),
            parameter="results",
            remedy="Shorten the holding window, or look at holding_windows(results).",
        )
    name = results.model.name + (", alpha 0" if alpha == "zero" else "")
    top, bottom = ranks.n_groups - 1, 0
    return Drift(
        name,
        ranks,
        events,
        _group_table(events, ranks.n_groups),
        _group_paths(events, sums, start, ranks.n_groups),
        long_short(results, events, top, bottom, start),
        value_weighted(events, checked_weights(results, weights), top, bottom),
    )


def _paths(
    results: EventStudyResults, last: NDArray[np.int64], start: int, end: int, alpha: str
) -> tuple[Floats, Floats]:
    """Running CAR held at its end, shape (n_events, L), and BHAR to the end; NaN where a day is missing."""
    first = start - results.settings.window[0]
    abnormal = results.abnormal_returns.to_numpy()[:, first : first + end - start + 1]
    days = np.arange(start, end + 1)
    held = days[None, :] <= last[:, None]
    if alpha == "zero" and "alpha" in results.parameters:
        abnormal = abnormal + results.parameters["alpha"].to_numpy()[:, None]
    sums = np.cumsum(np.where(held, abnormal, 0.0), axis=1)
    growth = np.prod(1 + np.where(held, results.held_returns((start, end)), 0.0), axis=1)
    market = results.market_held((start, end))
    if market is None:
        return sums, np.full(len(sums), np.nan)
    return sums, growth - np.prod(1 + np.where(held, market, 0.0), axis=1)


def _group_table(events: pd.DataFrame, n_groups: int) -> pd.DataFrame:
    used = events[events["status"] == "used"]
    labels = quarter(used)
    rows = []
    for measure in ("car", "bhar"):
        for group in range(n_groups):
            part = used["group"] == group
            found = effect(used.loc[part, measure], labels[part])
            rows.append({"group": group, "measure": measure, **vars(found)})
    columns = ["group", "measure", "estimate", "se", "low", "high", "p_value", "n_events", "n_clusters", "note"]
    return pd.DataFrame(rows)[columns]


def _group_paths(events: pd.DataFrame, sums: Floats, start: int, n_groups: int) -> pd.DataFrame:
    used = (events["status"] == "used").to_numpy()
    labels = codes(quarter(events))
    days = np.arange(start, start + sums.shape[1])
    parts = []
    for group in range(n_groups):
        rows = used & (events["group"] == group).to_numpy()
        if not rows.any():
            continue
        mean, half = mean_path(sums[rows], np.unique(labels[rows], return_inverse=True)[1])
        columns = {"group": group, "relative_day": days, "car": mean, "low": mean - half, "high": mean + half}
        parts.append(pd.DataFrame(columns))
    return pd.concat(parts, ignore_index=True)


@dataclass(frozen=True)
class DriftStudy:
    """Drift under several benchmarks, and as portfolios in calendar time.

    Attributes
    ----------
    by_benchmark : dict of name to Drift
        In the order of :data:`BENCHMARKS`; the first is the headline.
    calendar : CalendarTime
        Equal-weighted.
    results : EventStudyResults
        The study behind the headline, for its ledger.
    value_calendar : CalendarTime or None
        Value-weighted; None where no weights were given.
    """

    by_benchmark: dict[str, Drift]
    calendar: CalendarTime
    results: EventStudyResults
    value_calendar: CalendarTime | None = None

    @property
    def headline(self) -> Drift:
        """Drift under the first benchmark."""
        return next(iter(self.by_benchmark.values()))


def post_announcement_drift(
    events: Announcements | pd.DataFrame,
    returns: pd.DataFrame,
    market: pd.Series | str,
    surprise: pd.Series | None = None,
    *,
    start: int = START,
    end: int = END,
    grouping: str = "auto",
    benchmarks: Iterable[str] = BENCHMARKS,
    factors: pd.DataFrame | None = None,
    risk_free: pd.Series | None = None,
    min_firms: int = MIN_FIRMS,
    weights: str | pd.Series | None = None,
    **choices: Any,
) -> DriftStudy:
    """Drift after announcements by surprise, under several benchmarks and in calendar time.

    Parameters
    ----------
    events, returns, market
        As in :class:`research.EventStudy`.
    surprise : Series indexed by ``event_id``, optional
        By default the percentage surprise of the EPS columns, which ``grouping="none"`` can do without.
    start, end, grouping
        As in :func:`drift`.
    benchmarks : sequence of model names, with ", alpha 0" appended to leave an intercept out
    factors : DataFrame, optional
        Regressors of the calendar-time portfolio; the market return by default.
    risk_free : Series, optional
        Subtracted from the legs of the calendar-time portfolio; zero by default.
    min_firms : int
        As in :func:`research.analysis.portfolios.calendar_time`.
    weights : str or Series indexed by ``event_id``, optional
        As in :func:`drift`; value-weighted portfolios then stand beside the equal-weighted ones.
    **choices
        Further arguments of the study, such as ``estimation``.

    Returns
    -------
    DriftStudy

    Raises
    ------
    ParameterError
        No benchmark or an unknown one, an empty window, an impossible grouping or number of firms.
    InputError
        No event is left to study (the message counts the reasons), none has a surprise, or unusable weights.
    """
    events = as_announcements(events)
    if factors is None and market is None:
        raise ParameterError(
            "nothing to regress the portfolios on", parameter="market", remedy="Pass market= or factors=."
        )
    given = eps_surprises(events.frame, needed=grouping != "none") if surprise is None else surprise
    fitted: dict[str, EventStudyResults] = {}
    found: dict[str, Drift] = {}
    for name in benchmarks:
        model, _, alpha = name.partition(", ")
        if alpha not in ("", "alpha 0"):
            raise ParameterError(
                "unknown benchmark", parameter="benchmarks", value=name, allowed="a model name, or one and ', alpha 0'"
            )
        if model not in fitted:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ResearchWarning)
                fitted[model] = EventStudy(events, returns, model, market, window=(0, end), **choices).fit()
        found[name] = drift(
            fitted[model], given, start=start, end=end, grouping=grouping, weights=weights,
            alpha="zero" if alpha else "estimated",
        )  # fmt: skip
    if not found:
        raise ParameterError("no benchmark", parameter="benchmarks", allowed="at least one")
    headline = next(iter(found.values()))
    results = next(iter(fitted.values()))
    positions = portfolio_positions(headline, results, start)
    x = _market_column(returns, market) if factors is None else factors
    calendar = calendar_time(returns, positions, x, min_firms=min_firms, risk_free=risk_free)
    if weights is None:
        return DriftStudy(found, calendar, results)
    weight = checked_weights(results, weights)
    assert weight is not None
    heavy = positions.assign(weight=weight.reindex(positions.index)).dropna(subset=["weight"])
    return DriftStudy(
        found, calendar, results, calendar_time(returns, heavy, x, min_firms=min_firms, risk_free=risk_free)
    )


def _market_column(returns: pd.DataFrame, market: pd.Series | pd.DataFrame | str) -> pd.DataFrame:
    """The market return of a study, in whichever form it was given and accepted, as the one factor."""
    if isinstance(market, pd.DataFrame):
        return market.set_axis(["market"], axis=1)
    return (returns[market] if isinstance(market, str) else market).to_frame("market")


def portfolio_positions(headline: Drift, results: EventStudyResults, start: int = START) -> pd.DataFrame:
    """First and last session of each holding by ``event_id``: the top group long, the bottom group short.

    A single group is held long.
    """
    events = headline.events
    top = headline.ranks.n_groups - 1
    chosen = (events["status"] == "used") & events["group"].isin([0, top])
    part = events[chosen]
    zero = results.sessions.get_indexer(pd.DatetimeIndex(part["day_zero"]))
    return pd.DataFrame(
        {
            "ticker": part["ticker"].to_numpy(),
            "first": results.sessions[zero + start],
            "last": results.sessions[zero + part["last"].to_numpy()],
            "side": np.where(part["group"] == top, 1, -1),
        },
        index=part.index,
    )
