"""Benchmarks made of other firms: matched peers (METHODS 2.5, 2.6)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from research.errors import NotFoundError, ParameterError, in_words
from research.events.announcements import Announcements
from research.events.calendar import TradingCalendar
from research.market.factors import FactorReturns
from research.study.models import FactorModel, resolve_model
from research.study.peers import tickers_of
from research.study.results import EventStudyResults
from research.study.study import EventStudy

#: A peer that announces itself within this many sessions of day zero is no benchmark.
NEIGHBOURHOOD = 1
#: Models compared side by side whatever there is; and those that want factor returns.
PLAIN_MODELS = ("market", "market-adjusted", "mean-adjusted")
FACTOR_MODELS = ("capm", "ff3", "carhart", "ff5", "ff6")


def clean_peers(
    announcements: Announcements,
    returns: pd.DataFrame,
    ticker: str,
    day_zero: pd.Timestamp,
    calendar: TradingCalendar,
    candidates: Iterable[str] | str | None = None,
) -> list[str]:
    """Firms without an announcement of their own within one session of day zero.

    Parameters
    ----------
    announcements : Announcements
        Everything known of the candidates; a date of unknown hour counts with both its
        plausible sessions.
    returns : DataFrame, sessions x tickers
        A peer must have a return on day zero.
    ticker : str
        The announcer, never its own peer.
    day_zero : Timestamp
        A session of ``calendar``.
    candidates : iterable of str, optional
        Columns of ``returns``, or a text that names one or, with commas, several; by default all of them.

    Returns
    -------
    list of str
        In the order of the candidates.

    Raises
    ------
    InputError
        If ``day_zero`` is no session.
    NotFoundError
        For candidates without any return; all of them are named.
    """
    pool = list(returns.columns) if candidates is None else tickers_of(candidates)
    _require_returns(pool, returns, "candidates")
    position = int(calendar.position([day_zero])[0])
    near = calendar.sessions[max(position - NEIGHBOURHOOD, 0) : position + NEIGHBOURHOOD + 1]
    busy: set[str] = set()
    for policy in ("same-session", "next-session"):
        timed = announcements.timed(unknown_timing=policy)
        busy |= set(announcements.frame.loc[timed["day_zero"].isin(near), "ticker"])
    present = returns.columns[returns.loc[day_zero].notna()] if day_zero in returns.index else pd.Index([])
    return [name for name in pool if name != ticker and name in present and name not in busy]


def _require_returns(names: list[str], returns: pd.DataFrame, parameter: str) -> None:
    """Refuse names that are no column, all of them in one error."""
    unknown = [name for name in names if name not in returns.columns]
    if unknown:
        raise NotFoundError(
            "no returns of " + in_words(unknown), parameter=parameter, allowed=in_words(returns.columns)
        )


def equal_weighted(returns: pd.DataFrame, members: Iterable[str] | str, name: str = "peers") -> pd.Series:
    """Equal-weighted mean return of a fixed set of firms.

    NaN on sessions on which any member has no return: a benchmark whose membership
    changes from day to day would put that change into the abnormal return. NaN throughout
    without a member.

    Raises
    ------
    NotFoundError
        For members that are no column of ``returns``; all of them are named.
    """
    chosen = tickers_of(members)
    _require_returns(chosen, returns, "members")
    part = returns[chosen]
    values = part.to_numpy()
    return pd.Series(values.mean(axis=1) if values.shape[1] else np.nan, index=part.index, name=name)


def available_models(factors: pd.DataFrame | FactorReturns | None = None) -> list[str]:
    """Models that need nothing but the return, a market, and the factors that are there.

    Parameters
    ----------
    factors : DataFrame or FactorReturns, optional
        Factor returns with French's names, as :class:`EventStudy` takes them.

    Returns
    -------
    list of str
        ``market``, ``market-adjusted`` and ``mean-adjusted``; then those of ``capm``, ``ff3``,
        ``carhart``, ``ff5`` and ``ff6`` whose factors and risk-free rate are all there.
    """
    if factors is not None and not isinstance(factors, FactorReturns):
        factors = FactorReturns.from_frame(factors)
    names = set() if factors is None else set(factors.names)
    found = [*PLAIN_MODELS]
    for name in FACTOR_MODELS:
        model = resolve_model(name)
        needed = model.columns if isinstance(model, FactorModel) else ("Mkt-RF",)
        if {"RF", *needed} <= names:
            found.append(name)
    return found


def side_by_side(
    event_id: str,
    announcements: Announcements,
    returns: pd.DataFrame,
    benchmarks: Mapping[str, pd.Series],
    models: Iterable[str] = PLAIN_MODELS,
    **choices: Any,
) -> pd.DataFrame:
    """Day zero of one event under every model and benchmark, since the choice can change a verdict.

    Parameters
    ----------
    event_id : str
        An event of ``announcements``; the others of its firm are cut from the estimation window.
    benchmarks : mapping of label to Series
        Market returns to compare with. Models that use none appear once.
    models : iterable of str
        See :func:`available_models`; factor models want ``factors=`` among the choices.
    **choices
        Passed to :class:`EventStudy`: windows and policies.

    Returns
    -------
    DataFrame
        ``label, model, benchmark, ar, se, low, high, t, p_value, n_observations, note``, one row
        a combination; 95% limits from t(M - k). A combination that cannot be estimated has
        NaN and the ledger's reason as its note.

    Raises
    ------
    NotFoundError
        If no announcement has this ``event_id``.
    ParameterError
        If there is no model, or a model needs a benchmark and there is none.
    """
    if not (announcements.frame["event_id"] == event_id).any():
        raise NotFoundError(
            "no event has this id",
            parameter="event_id",
            value=event_id,
            allowed=in_words(announcements.frame["event_id"], 10),
        )
    chosen = [resolve_model(name) for name in ([models] if isinstance(models, str) else models)]
    if not chosen:
        raise ParameterError("no model", parameter="models", allowed="at least one")
    needing = [model.name for model in chosen if model.needs_market]
    if needing and not benchmarks:
        raise ParameterError(f"{in_words(needing)} compare with a benchmark, and there is none", parameter="benchmarks")
    rows = []
    for model in chosen:
        pairs = benchmarks.items() if model.needs_market else [("none", None)]
        for label, benchmark in pairs:
            results = EventStudy(announcements, returns, model, benchmark, **choices).fit()
            rows.append({"model": model.name, "benchmark": label, **_day_zero(results, event_id)})
    table = pd.DataFrame(rows)
    table.insert(
        0,
        "label",
        table["model"] + table["benchmark"].map(lambda name: "" if name == "none" else f", {name}"),
    )
    return table


def _day_zero(results: EventStudyResults, event_id: str) -> dict[str, Any]:
    """One combination's figures, or the reason why there are none."""
    ledger = results.ledger.set_index("event_id").loc[event_id]
    if ledger["status"] != "used":
        empty = dict.fromkeys(("ar", "se", "low", "high", "t", "p_value", "n_observations"), np.nan)
        return {**empty, "note": f"{ledger['reason']}: {ledger['detail']}"}
    i = results.locate(event_id)
    one = results.car(0, 0).iloc[i]
    half = stats.t.ppf(0.975, one["df"]) * one["se"]
    return {
        "ar": one["car"],
        "se": one["se"],
        "low": one["car"] - half,
        "high": one["car"] + half,
        "t": one["t"],
        "p_value": one["p_value"],
        "n_observations": results.parameters["n_observations"].iloc[i],
        "note": "",
    }
