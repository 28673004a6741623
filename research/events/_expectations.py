"""What was expected: analysts' consensus, earlier guidance, and the share basis both stand on."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import numpy as np
import pandas as pd

from research.errors import InputError, ParameterError, whole_number
from research.events._checks import GUIDANCE_AS_OF, as_of, beginnings, local_dates, zone_of
from research.events._columns import Columns
from research.events._tables import Findings, row_labels

_EPS_COLUMNS = ("eps_actual", "eps_estimate", "eps_estimate_sd", "guidance_low", "guidance_high", "guidance_consensus")


def require(frame: pd.DataFrame, names: Sequence[str], remedy: str) -> None:
    """One error for all columns that are missing."""
    missing = [name for name in names if name not in frame.columns]
    if missing:
        raise InputError(f"no column {' and '.join(missing)}", parameter="frame", remedy=remedy)


def figures(frame: pd.DataFrame, *names: str) -> list[pd.Series]:
    """Columns of a table as numbers, NaN where missing.

    Raises
    ------
    InputError
        Every cell that is no finite number, in one error.
    """
    columns, findings = _columns(frame)
    read = [pd.Series(columns.numbers(name), index=frame.index, name=name) for name in names]
    _refuse(findings, f"of {len(frame)} rows hold what is no number", "Correct them, or leave the cells empty.")
    return read


def _columns(frame: pd.DataFrame, zone: dt.tzinfo | None = None) -> tuple[Columns, Findings]:
    findings = Findings(row_labels(frame))
    return Columns(frame, findings, zone), findings


def _refuse(findings: Findings, problem: str, remedy: str) -> None:
    if len(findings):
        raise findings.error(f"{len(findings)} {problem}", remedy)


def consensus(
    forecasts: pd.DataFrame, frame: pd.DataFrame, *, days: int = 90, timezone: str | dt.tzinfo | None = None
) -> pd.DataFrame:
    """Median, spread and number of the analysts' latest forecasts before each announcement.

    Parameters
    ----------
    forecasts : DataFrame
        One row a forecast: ``event_id`` of the announcement it is for, ``analyst``,
        ``forecast_at`` (an instant with its offset, or a bare date at the exchange) and ``eps``.
    frame : DataFrame
        ``Announcements.frame``.
    days : int, default 90
        A forecast older than this on the day of the announcement does not count.
    timezone : str or tzinfo, optional
        Zone of times of ``forecast_at`` without a UTC offset, which are an error otherwise.

    Returns
    -------
    DataFrame indexed like ``frame``
        ``eps_estimate`` (median), ``eps_estimate_sd`` (divisor n-1), ``eps_estimate_count``
        and ``estimate_as_of`` (latest forecast used, UTC). Only forecasts made strictly before
        the instant count; where only a date is known on either side, those of earlier dates.

    Raises
    ------
    InputError
        Missing columns; forecasts without an instant or a number, every row named.
    ParameterError
        Impossible ``days`` or ``timezone``.
    """
    require(forecasts, ("event_id", "analyst", "forecast_at", "eps"), "One row a forecast.")
    require(frame, ("event_id", "announced_at", "announced_on", "exchange"), "Pass Announcements.frame.")
    days = whole_number("days", days, 0)
    columns, findings = _columns(forecasts, zone_of(timezone))
    made, eps = columns.moments("forecast_at"), columns.numbers("eps")
    for name, missing in (
        ("forecast_at", np.isnat(made.instants) & np.isnat(made.dates)),
        ("eps", np.isnan(eps)),
    ):
        for row in np.flatnonzero(missing & ~findings.faulty()).tolist():
            findings.add(row, name, None, "is missing")
    _refuse(
        findings,
        f"of {len(forecasts)} forecasts without an instant or a number",
        "Correct them, or leave those forecasts out of the table.",
    )
    place = pd.Index(frame["event_id"]).get_indexer(pd.Index(forecasts["event_id"]))
    found = np.flatnonzero(place >= 0)
    rows, made = place[found], made.take(found)
    exchange, on = frame["exchange"].to_numpy(dtype=object)[rows], frame["announced_on"].to_numpy()[rows]
    at, announced = beginnings(made, exchange), pd.DatetimeIndex(frame["announced_at"])[rows]
    date = np.where(np.isnat(made.dates), local_dates(made.instants, exchange), made.dates)
    # Dated the day of the news without a time, a forecast may have been written after it.
    exact = np.asarray(announced.notna()) & ~np.isnat(made.instants)
    kept = np.where(exact, np.asarray(at < announced), date < on) & (date >= on - np.timedelta64(days, "D"))
    known = pd.DataFrame(
        {"place": rows, "analyst": forecasts["analyst"].to_numpy()[found], "at": at, "eps": eps[found]}
    )
    latest = known[kept].sort_values("at", kind="stable").drop_duplicates(["place", "analyst"], keep="last")
    groups = latest.groupby("place")
    table = pd.DataFrame(
        {
            "eps_estimate": groups["eps"].median(),
            "eps_estimate_sd": groups["eps"].std(ddof=1),
            "eps_estimate_count": groups["eps"].size(),
            "estimate_as_of": groups["at"].max(),
        }
    ).reindex(range(len(frame)))
    table["eps_estimate_count"] = table["eps_estimate_count"].fillna(0).astype(int)
    return table.set_axis(frame.index, axis="index")


def guidance_revision(frame: pd.DataFrame, price: pd.Series | None = None) -> pd.DataFrame:
    r"""New guidance against the consensus before it (METHODS 5.8).

    .. math::  \frac{(low + high)/2 - consensus}{P}

    Parameters
    ----------
    frame : DataFrame
        ``guidance_low``, ``guidance_high`` (the same number twice for a point),
        ``guidance_consensus`` and ``guidance_consensus_as_of``.
    price : Series indexed like ``frame``, optional
        Scale for per-share guidance; by default the size of the consensus (then a
        relative revision, as for revenue).

    Returns
    -------
    DataFrame indexed like ``frame``
        ``guidance_revision`` and ``guidance_width`` (range over the same scale). NaN where the consensus is
        undated, since it may have been revised after the news, and in rows that are not ``ok``.

    Raises
    ------
    InputError
        Low above high, or a consensus dated after the announcement; every row is named.
    """
    names = ("guidance_low", "guidance_high", "guidance_consensus", GUIDANCE_AS_OF)
    require(frame, (*names, "announced_at", "announced_on", "exchange"), "Pass Announcements.frame with them.")
    if "status" in frame.columns:  # what is wrong with the other rows was said when the table was checked
        frame = frame.assign(**{name: frame[name].where(frame["status"] == "ok") for name in names})
    low, high, before = figures(frame, *names[:3])
    columns, findings = _columns(frame)
    dated = columns.moments(GUIDANCE_AS_OF)
    for row in np.flatnonzero(low > high).tolist():
        findings.add(row, names[0], low.iloc[row], "lies above guidance_high")
    as_of(
        {name: frame[name] for name in ("exchange", "announced_at", "announced_on")},
        dated,
        findings,
        GUIDANCE_AS_OF,
        strictly=True,
    )
    _refuse(
        findings,
        f"of {len(frame)} rows of guidance cannot be used",
        "Correct them, or leave the cells empty; Announcements.from_frame reads the column with its timezone=.",
    )
    scale = before.abs() if price is None else price
    scale = scale.where((scale > 0) & ~(np.isnat(dated.instants) & np.isnat(dated.dates)))
    return pd.DataFrame(
        {"guidance_revision": ((low + high) / 2 - before) / scale, "guidance_width": (high - low) / scale}
    )


def on_one_basis(frame: pd.DataFrame, actions: pd.DataFrame) -> pd.DataFrame:
    """Per-share figures as printed on their days, put on the share basis after the last split.

    Parameters
    ----------
    frame : DataFrame
        ``Announcements.frame`` with figures as printed.
    actions : DataFrame
        ``ticker, ex_date, split_ratio`` (new shares per old one), as in ``Prices.actions``.

    Returns
    -------
    DataFrame
        A copy with every per-share column divided by the splits whose ex-date lies after
        the announcement, and that product as ``eps_split_divisor``.

    Raises
    ------
    ParameterError
        If the table has an ``eps_split_divisor`` already: it would be divided twice.
    """
    if "eps_split_divisor" in frame.columns:
        raise ParameterError("the figures were divided already", parameter="frame", value="eps_split_divisor")
    require(actions, ("ticker", "ex_date", "split_ratio"), "Pass Prices.actions.")
    splits = actions.dropna(subset=["split_ratio"])
    divisor = np.ones(len(frame))
    days = frame["announced_on"].to_numpy(dtype="datetime64[D]")
    tickers = frame["ticker"].to_numpy()
    ex_dates = splits["ex_date"].to_numpy(dtype="datetime64[D]")
    for ticker, ex_date, ratio in zip(splits["ticker"], ex_dates, splits["split_ratio"], strict=True):
        divisor[(tickers == ticker) & (days < ex_date)] *= float(ratio)
    changed = frame.copy()
    for name in _EPS_COLUMNS:
        if name in changed.columns:
            changed[name] = figures(changed, name)[0] / divisor
    changed["eps_split_divisor"] = divisor
    return changed
