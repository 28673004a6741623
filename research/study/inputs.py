"""Checks of a study's inputs: one error that names everything that cannot be used."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from research.errors import CalendarRangeError, InputError, ParameterError, in_words, nearest, offences
from research.events.announcements import Announcements
from research.events.calendar import TradingCalendar
from research.market.factors import FactorReturns

Floats = NDArray[np.float64]

#: What is expected of returns, said wherever they cannot be that.
DECIMALS = "Simple returns in decimals are expected (0.01 is one per cent); missing days are NaN."


def as_announcements(events: Announcements | pd.DataFrame) -> Announcements:
    """The table of events, checked if it was not yet."""
    return events if isinstance(events, Announcements) else Announcements.from_frame(events)


def check_returns(returns: pd.DataFrame, calendar: TradingCalendar) -> pd.DataFrame:
    """Floats on every session of the span, perhaps a view; one error for whatever cannot be used."""
    if not isinstance(returns, pd.DataFrame) or returns.empty:
        raise InputError("no returns", parameter="returns", remedy="Pass a DataFrame, sessions x tickers.")
    if returns.columns.nlevels > 1:
        raise InputError(
            "columns of several levels",
            parameter="returns",
            remedy="Keep the level of the tickers, for instance with returns.droplevel(0, axis=1).",
        )
    columns = pd.Index(returns.columns).astype(str)
    if columns.has_duplicates:
        raise InputError(
            "ticker columns appear twice: " + in_words(columns[columns.duplicated()].unique()),
            parameter="returns",
            remedy="Keep one column a ticker.",
        )
    index = session_labels(returns.index, "returns")
    if not all(_is_real(dtype) for dtype in returns.dtypes.unique()):
        text = [str(name) for name, dtype in returns.dtypes.items() if not _is_real(dtype)]
        raise InputError(
            "columns that are not numeric: " + in_words(text), parameter="returns", remedy="Convert them to floats."
        )
    values = returns.to_numpy(dtype=np.float64, na_value=np.nan)
    # One pass decides; the slow search for the culprits runs only when there are any.
    with np.errstate(invalid="ignore"):
        impossible = bool(np.isinf(values).any() or (values < -1).any())
    if impossible:
        raise InputError(
            "returns that are infinite or below -100%",
            parameter="returns",
            rows=_impossible_returns(values, index, columns),
            remedy=DECIMALS,
        )
    _require_no_levels(values, "returns")
    frame = pd.DataFrame(values, index=index, columns=columns, copy=False)
    if not index.is_monotonic_increasing:
        frame = frame.sort_index()
    sessions = calendar.sessions[calendar.sessions.slice_indexer(frame.index[0], frame.index[-1])]
    strangers = frame.index.difference(sessions)
    outside = strangers[(strangers < calendar.start) | (strangers > calendar.end)]
    if len(outside):
        raise CalendarRangeError(
            f"{len(outside)} of {len(frame)} dates lie outside the {calendar.code} calendar",
            parameter="returns",
            rows=offences((f"{day:%Y-%m-%d}", "index", None, "outside the calendar") for day in outside),
            allowed=f"{calendar.start:%Y-%m-%d} to {calendar.end:%Y-%m-%d}",
            remedy=f"Pass calendar=TradingCalendar({calendar.code!r}, start=..., end=...) with a span that holds them.",
        )
    if len(strangers):
        raise InputError(
            f"dates that are no session of {calendar.code}",
            parameter="returns",
            rows=offences((f"{day:%Y-%m-%d}", "index", None, "not a session") for day in strangers),
            remedy="Drop them, or name the right calendar.",
        )
    return frame if len(sessions) == len(frame) else frame.reindex(sessions)


def _is_real(dtype: object) -> bool:
    """Whether a column holds numbers; True and False are none."""
    return pd.api.types.is_float_dtype(dtype) or pd.api.types.is_integer_dtype(dtype)


def _require_no_levels(values: Floats, parameter: str) -> None:
    """Refuse what can only be prices: never below zero, and mostly above 50% a day."""
    with np.errstate(invalid="ignore"):
        levels = not (values < 0).any() and np.count_nonzero(values > 0.5) > np.count_nonzero(values <= 0.5)
    if levels:
        raise InputError(
            "no value is negative and most are above 50%: these look like prices",
            parameter=parameter,
            remedy="Pass simple returns in decimals, for example prices.pct_change(fill_method=None).",
        )


def check_logarithms(returns: pd.DataFrame, market: pd.Series | None) -> None:
    """Refuse returns of -100%, for models that work in logs."""
    rows, columns = np.nonzero(returns.to_numpy() == -1)
    found = [(f"{returns.index[i]:%Y-%m-%d}", str(returns.columns[j])) for i, j in zip(rows, columns, strict=True)]
    if market is not None:
        found += [(f"{day:%Y-%m-%d}", "market") for day in returns.index[market.to_numpy() == -1]]
    if found:
        raise InputError(
            "returns of -100% have no logarithm",
            parameter="returns",
            rows=offences((day, name, -1.0, "no logarithm") for day, name in found),
            remedy="Set them to NaN, or choose a model in simple returns.",
        )


def _impossible_returns(values: Floats, index: pd.DatetimeIndex, columns: pd.Index) -> pd.DataFrame:
    with np.errstate(invalid="ignore"):
        where = np.argwhere(np.isinf(values) | (values < -1))
    return offences(
        (f"{index[i]:%Y-%m-%d}", str(columns[j]), float(values[i, j]), "impossible simple return") for i, j in where
    )


def session_labels(index: pd.Index, parameter: str) -> pd.DatetimeIndex:
    """Session labels as naive midnight nanoseconds.

    Raises
    ------
    InputError
        If the index is no dates, has times of day, or repeats a date.
    """
    if not isinstance(index, pd.DatetimeIndex):
        raise InputError(
            "the index is not a DatetimeIndex",
            parameter=parameter,
            remedy="Use pd.to_datetime on the dates first.",
        )
    labels = index.tz_localize(None).as_unit("ns")
    if labels.isna().any():
        raise InputError("the index has missing dates", parameter=parameter, remedy="Drop those rows.")
    if not (labels == labels.normalize()).all():
        raise InputError(
            "the index has times of day",
            parameter=parameter,
            remedy="Label each session by its date at midnight.",
        )
    if labels.has_duplicates:
        repeated = labels[labels.duplicated()].unique()
        raise InputError(
            "dates that appear twice: " + in_words(f"{day:%Y-%m-%d}" for day in repeated),
            parameter=parameter,
            remedy="Keep one row a session.",
        )
    return labels


def check_market(
    market: pd.Series | str | None, returns: pd.DataFrame, calendar: TradingCalendar
) -> tuple[pd.Series | None, float]:
    """The market return on the grid of ``returns``, and on the session before it (NaN where unknown)."""
    if market is None:
        return None, np.nan
    if isinstance(market, str):
        if market not in returns.columns:
            raise ParameterError(
                "no such column of `returns`",
                parameter="market",
                value=market,
                remedy=nearest(market, list(returns.columns)) or "Pass the market return as a Series.",
            )
        return returns[market], np.nan
    if isinstance(market, pd.DataFrame) and market.shape[1] == 1:
        market = market.iloc[:, 0]
    if not isinstance(market, pd.Series):
        raise ParameterError("neither a Series nor a column name", parameter="market", value=type(market).__name__)
    labels = session_labels(market.index, "market")
    if not _is_real(market.dtype):
        raise InputError("the market return is not numeric", parameter="market", remedy="Convert it to floats.")
    values = market.to_numpy(dtype=np.float64, na_value=np.nan, copy=True)
    with np.errstate(invalid="ignore"):
        bad = np.flatnonzero(np.isinf(values) | (values < -1))
    if len(bad):
        raise InputError(
            "market returns that are infinite or below -100%",
            parameter="market",
            rows=offences((f"{labels[i]:%Y-%m-%d}", "market", float(values[i]), "impossible") for i in bad),
            remedy=DECIMALS,
        )
    _require_no_levels(values, "market")
    _check_common(labels[~np.isnan(values)], returns, "market", "market return")
    checked = pd.Series(values, index=labels, name=market.name)
    earlier = calendar.sessions[: calendar.sessions.searchsorted(returns.index[0])]
    before = checked.get(earlier[-1], np.nan) if len(earlier) else np.nan
    return checked.reindex(returns.index), float(before)


def check_factors(factors: pd.DataFrame | FactorReturns | None, returns: pd.DataFrame) -> FactorReturns | None:
    """Factor returns that have sessions in common with the returns."""
    if factors is None:
        return None
    checked = factors if isinstance(factors, FactorReturns) else FactorReturns.from_frame(factors)
    frame = checked.frame
    labels = session_labels(frame.index, "factors")
    _check_common(labels[frame.notna().any(axis=1)], returns, "factors", "factor return")
    return checked


def _check_common(labels: pd.DatetimeIndex, returns: pd.DataFrame, parameter: str, what: str) -> None:
    """Refuse a series that has nothing to say on any session of the returns."""
    if labels.isin(returns.index).any():
        return
    if not len(labels):
        raise InputError(f"the {what} is missing on every date", parameter=parameter)
    raise InputError(
        f"the {what} has no date in common with the returns",
        parameter=parameter,
        remedy=f"It spans {labels.min():%Y-%m-%d} to {labels.max():%Y-%m-%d}, "
        f"the returns {returns.index[0]:%Y-%m-%d} to {returns.index[-1]:%Y-%m-%d}.",
    )
