"""What was expected: analysts' consensus, earlier guidance, and the share basis both stand on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from research.errors import InputError, ParameterError, offences

_EPS_COLUMNS = ("eps_actual", "eps_estimate", "eps_estimate_sd", "guidance_low", "guidance_high", "guidance_consensus")


def require(frame: pd.DataFrame, names: Sequence[str], remedy: str) -> None:
    """One error for all columns that are missing."""
    missing = [name for name in names if name not in frame.columns]
    if missing:
        raise InputError(f"no column {' and '.join(missing)}", parameter="frame", remedy=remedy)


def consensus(forecasts: pd.DataFrame, frame: pd.DataFrame, *, days: int = 90) -> pd.DataFrame:
    """Median, spread and number of the analysts' latest forecasts before each announcement.

    Parameters
    ----------
    forecasts : DataFrame
        One row a forecast: ``event_id`` of the announcement it is for, ``analyst``,
        ``forecast_at`` (UTC instant or date) and ``eps``.
    frame : DataFrame
        ``Announcements.frame``.
    days : int, default 90
        A forecast older than this on the day of the announcement does not count.

    Returns
    -------
    DataFrame indexed like ``frame``
        ``eps_estimate`` (median), ``eps_estimate_sd`` (divisor n-1), ``eps_estimate_count``
        and ``estimate_as_of`` (latest forecast used). Only forecasts made strictly before
        the instant count; where only the date is known, those of earlier dates.

    Raises
    ------
    InputError
        Missing columns, forecasts without a date or number.
    """
    require(forecasts, ("event_id", "analyst", "forecast_at", "eps"), "One row a forecast.")
    at = pd.to_datetime(forecasts["forecast_at"], utc=True, errors="coerce")
    eps = pd.to_numeric(forecasts["eps"], errors="coerce")
    bad = at.isna() | ~np.isfinite(eps)
    if bad.any():
        raise InputError(
            f"{int(bad.sum())} forecasts without an instant or a number",
            parameter="forecasts",
            rows=offences(
                (label, "forecast_at, eps", f"{when}, {value}", "cannot be read")
                for label, when, value in forecasts.loc[bad, ["forecast_at", "eps"]].itertuples()
            ),
        )
    limit = frame["announced_at"].fillna(frame["announced_on"].dt.tz_localize("UTC"))
    limits = pd.Series(limit.to_numpy(), index=frame["event_id"].to_numpy())
    own = pd.DatetimeIndex(pd.to_datetime(forecasts["event_id"].map(limits), utc=True))
    made = pd.DatetimeIndex(at)
    kept = (made < own) & (made >= own - pd.Timedelta(days=days))
    known = pd.DataFrame({"event_id": forecasts["event_id"], "analyst": forecasts["analyst"], "at": at, "eps": eps})
    latest = known[kept].sort_values("at", kind="stable").drop_duplicates(["event_id", "analyst"], keep="last")
    groups = latest.groupby("event_id")
    table_ = pd.DataFrame(
        {
            "eps_estimate": groups["eps"].median(),
            "eps_estimate_sd": groups["eps"].std(ddof=1),
            "eps_estimate_count": groups["eps"].size(),
            "estimate_as_of": groups["at"].max(),
        }
    ).reindex(frame["event_id"])
    table_["eps_estimate_count"] = table_["eps_estimate_count"].fillna(0).astype(int)
    return table_.set_index(frame.index)


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
        undated: it may have been revised after the news.

    Raises
    ------
    InputError
        Low above high, or a consensus dated after the announcement; every row is named.
    """
    names = ("guidance_low", "guidance_high", "guidance_consensus", "guidance_consensus_as_of")
    require(frame, names, "See the docstring.")
    low, high, before = (frame[name].astype(float) for name in names[:3])
    as_of = pd.to_datetime(frame[names[3]], utc=True)
    limit = frame["announced_at"].fillna((frame["announced_on"] + pd.Timedelta(days=1)).dt.tz_localize("UTC"))
    bad = [(row, names[0], low[row], "lies above guidance_high") for row in frame.index[low > high]]
    bad += [(row, names[3], as_of[row], "lies after the announcement") for row in frame.index[as_of >= limit]]
    if bad:
        raise InputError("guidance that cannot be used", parameter="frame", rows=offences(bad))
    scale = before.abs() if price is None else price
    scale = scale.where((scale > 0) & as_of.notna())
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
            changed[name] = changed[name].astype(float) / divisor
    changed["eps_split_divisor"] = divisor
    return changed
