"""Dividends and splits: the table as given, checked, and what it does to a close-to-close return."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from research.market._checks import Findings, check_columns, label_codes, numbers, ticker_codes

COLUMNS = ["ticker", "ex_date", "dividend", "split_ratio", "absorbed"]

_ABSORBED = "Say per row whether the prices already contain the action (true) or not (false)."


def empty_actions() -> pd.DataFrame:
    """Table of actions without a row."""
    return pd.DataFrame(
        {
            "ticker": pd.Series(dtype=str),
            "ex_date": pd.Series(dtype="datetime64[ns]"),
            "dividend": pd.Series(dtype=float),
            "split_ratio": pd.Series(dtype=float),
            "absorbed": pd.Series(dtype=bool),
        }
    )


def read_actions(frame: pd.DataFrame | None, sessions: pd.DatetimeIndex) -> pd.DataFrame:
    """Check a table of actions and sort it by ticker and ex-date.

    Parameters
    ----------
    frame : DataFrame or None
        Columns ``ticker``, ``ex_date`` and any of ``dividend``, ``split_ratio``,
        ``absorbed``; the last may be left out of a table without splits (false).
    sessions : DatetimeIndex
        Sessions of the prices. An ex-date between the first and the last has to be
        one of them; earlier and later ones are kept as they are.

    Returns
    -------
    DataFrame
        Columns :data:`COLUMNS`; NaN where a row has no dividend or no split.

    Raises
    ------
    InputError
        All offending rows at once.
    """
    if frame is None or (isinstance(frame, pd.DataFrame) and not len(frame)):
        return empty_actions()
    splits_given = isinstance(frame, pd.DataFrame) and "split_ratio" in frame.columns
    required = ["ticker", "ex_date", *(["absorbed"] if splits_given else [])]
    check_columns(
        frame,
        "actions",
        required,
        [name for name in COLUMNS if name not in required],
        _ABSORBED if splits_given else "",
    )
    found = Findings(frame, "actions")
    tickers, names = ticker_codes(frame["ticker"], found)
    dates, labels = label_codes(frame["ex_date"], found)
    dividend = _optional(frame, "dividend", found)
    ratio = _optional(frame, "split_ratio", found)
    absorbed = _flags(frame, found)
    nothing = np.isnan(dividend) & np.isnan(ratio) & ~found.noted()
    found.add(np.flatnonzero(nothing), "dividend", dividend, "row has neither a dividend nor a split")
    ex_dates = labels[dates]
    odd = (ex_dates >= sessions[0]) & (ex_dates <= sessions[-1]) & ~ex_dates.isin(sessions)
    found.add(
        np.flatnonzero(odd),
        "ex_date",
        frame["ex_date"],
        "is no session of the calendar",
        "Give the ex-date itself.",
    )
    table = pd.DataFrame(
        {
            "ticker": pd.Series([names[code] if code >= 0 else "" for code in tickers], dtype=str),
            "ex_date": ex_dates,
            "dividend": dividend,
            "split_ratio": ratio,
            "absorbed": absorbed,
        }
    )
    _no_repeats(table, found)
    found.raise_if_any()
    return table.sort_values(["ticker", "ex_date"], kind="stable", ignore_index=True)


def _optional(frame: pd.DataFrame, name: str, found: Findings) -> np.ndarray:
    if name not in frame.columns:
        return np.full(len(frame), np.nan)
    values = numbers(frame[name], found, zero=name == "dividend", remedy="Leave the cell empty where none.")
    return np.where(values == 0, np.nan, values)


def _flags(frame: pd.DataFrame, found: Findings) -> np.ndarray:
    if "absorbed" not in frame.columns:
        return np.zeros(len(frame), dtype=bool)
    cells = frame["absorbed"].tolist()
    read = [_flag(cell) for cell in cells]
    unread = np.flatnonzero([flag is None for flag in read])
    found.add(unread, "absorbed", frame["absorbed"], "is neither true nor false", _ABSORBED)
    return np.array([bool(flag) for flag in read])


def _flag(cell: Any) -> bool | None:
    if isinstance(cell, (bool, np.bool_)):
        return bool(cell)
    text = cell.strip().casefold() if isinstance(cell, str) else None
    return {"true": True, "false": False}.get(text or "")


def _no_repeats(table: pd.DataFrame, found: Findings) -> None:
    """The same row twice would be paid twice; two different dividends of one day are fine."""
    repeated = table.duplicated(["ticker", "ex_date", "dividend", "split_ratio"]) & table["ex_date"].notna()
    found.add(
        np.flatnonzero(repeated),
        "ex_date",
        table["ex_date"].dt.strftime("%Y-%m-%d"),
        "repeats an earlier row and would count twice",
        "Drop the repeated row, or add the amounts up in one.",
    )


def unabsorbed(actions: pd.DataFrame, sessions: pd.DatetimeIndex, tickers: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Split ratios and dividends that the closes do not contain yet.

    A dividend is an amount per share as held before its ex-date. The closes are on
    the basis after every absorbed split, so the amount is divided by the absorbed
    splits of its ex-date and later.

    Returns
    -------
    split, dividend : ndarray, shape (n_sessions, n_tickers)
        1 and 0 where there is nothing to apply.
    """
    split = np.ones((len(sessions), len(tickers)))
    dividend = np.zeros_like(split)
    row = sessions.get_indexer(pd.DatetimeIndex(actions["ex_date"]))
    column = pd.Index(tickers).get_indexer(pd.Index(actions["ticker"]))
    apply = ~actions["absorbed"].to_numpy() & (row >= 0) & (column >= 0)
    ratio = actions["split_ratio"].to_numpy()
    amount = actions["dividend"].to_numpy() / _later_absorbed(actions)
    splits = apply & ~np.isnan(ratio)
    dividends = apply & ~np.isnan(amount)
    np.multiply.at(split, (row[splits], column[splits]), ratio[splits])
    np.add.at(dividend, (row[dividends], column[dividends]), amount[dividends])
    return split, dividend


def _later_absorbed(actions: pd.DataFrame) -> np.ndarray:
    """Product of the ticker's absorbed split ratios from each row's ex-date on; rows are sorted."""
    ratio = actions["split_ratio"].where(actions["absorbed"]).fillna(1.0)
    onwards = ratio[::-1].groupby(actions["ticker"][::-1]).cumprod()[::-1]
    return onwards.groupby([actions["ticker"], actions["ex_date"]]).transform("first").to_numpy()
