"""Reading a long table of daily bars: every check that a table of prices has to pass."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from research.errors import InputError, ParameterError, in_words
from research.events.calendar import TradingCalendar
from research.market._checks import Findings, check_columns, label_codes, numbers, ticker_codes

#: Columns of prices, in the order in which they are kept.
FIELDS = ("open", "high", "low", "close", "adj_close", "volume")

#: Relative slack of open and close against low and high: a few ulps of float32.
ROUNDING = 1e-6

#: Columns of a vendor's price table that belong into ``actions``.
_ACTION_COLUMNS = ("dividend", "dividends", "stock splits", "split", "splits", "split ratio", "capital gains")

#: CRSP's daily file begins in December 1925; an earlier date is a typing error unless
#: the caller passes a calendar that covers it.
_EARLIEST = pd.Timestamp("1925-01-01")

_LONG = (
    "adj_close may stand in for close. A wide table becomes long with "
    ".melt(ignore_index=False, var_name='ticker', value_name='close')."
)
_NOT_POSITIVE = "Leave missing prices empty; CRSP marks bid/ask midpoints with a minus sign."


def read_daily(
    long: pd.DataFrame, calendar: str | TradingCalendar
) -> tuple[pd.DatetimeIndex, list[str], dict[str, np.ndarray], str]:
    """Check a long table and lay it out as sessions by tickers.

    Parameters
    ----------
    long : DataFrame
        As in :meth:`research.market.prices.Prices.from_frame`.
    calendar : str or TradingCalendar

    Returns
    -------
    sessions : DatetimeIndex, shape (n_sessions,)
    tickers : list of str
    fields : dict of str to ndarray, shape (n_sessions, n_tickers)
        The columns that the table has.
    code : str
        Code of the calendar.

    Raises
    ------
    InputError
        Listing every offending row.
    CalendarRangeError
        If all that is wrong are dates outside the calendar.
    """
    _check_shape(long)
    found = Findings(long, "prices")
    codes, labels = label_codes(long["date"], found)
    column, tickers = ticker_codes(long["ticker"], found)
    grid = _calendar_for(calendar, labels)
    _check_sessions(long["date"], codes, labels, grid, found)
    cells = {name: _cells(long[name], found) for name in FIELDS if name in long.columns}
    _check_bars(cells, found)
    row = grid.sessions.get_indexer(labels)[codes]
    _check_repeats(long, row, column, found)
    found.raise_if_any()
    first, last = row.min(), row.max()
    fields = {name: np.full((last - first + 1, len(tickers)), np.nan) for name in cells}
    for name, values in cells.items():
        fields[name][row - first, column] = values
    sessions = pd.DatetimeIndex(grid.sessions[first : last + 1].to_numpy())
    return sessions, tickers, fields, grid.code


def _check_shape(long: pd.DataFrame) -> None:
    """Columns and rows enough to be prices."""
    if isinstance(long, pd.DataFrame) and not len(long):
        raise InputError("the table of prices is empty", remedy="Check the file or query it came from.")
    named = [str(name) for name in getattr(long, "columns", [])]
    price = "close" if "close" in named or "adj_close" not in named else "adj_close"
    required = ["date", "ticker", price]
    check_columns(long, "prices", required, [name for name in FIELDS if name != price], _LONG)
    strays = [name for name in named if name.casefold().replace("_", " ") in _ACTION_COLUMNS]
    if strays:
        raise InputError(
            f"the table of prices has columns of corporate actions: {in_words(strays)}",
            remedy="Pass them as actions= (ticker, ex_date, dividend, split_ratio, absorbed), or drop them.",
        )
    if long[[name for name in ("close", "adj_close") if name in named]].isna().all(axis=None):
        raise InputError("the table of prices has no price in any row", remedy="Check the columns close, adj_close.")


def _calendar_for(calendar: str | TradingCalendar, labels: pd.DatetimeIndex) -> TradingCalendar:
    """Calendar as given, or by its code over a span that reaches back to the data."""
    if isinstance(calendar, TradingCalendar):
        return calendar
    usual = TradingCalendar(calendar)
    plausible = labels[labels >= _EARLIEST]
    if not len(plausible) or plausible.min() >= usual.start:
        return usual
    first = plausible.min()
    try:
        return TradingCalendar(calendar, start=f"{first.year}-01-01")
    except ParameterError:  # not recorded that far back: the rows are reported instead
        return usual


def _check_sessions(
    date: pd.Series, codes: np.ndarray, labels: pd.DatetimeIndex, grid: TradingCalendar, found: Findings
) -> None:
    """Every date has to be a session that the calendar covers."""
    name = grid.code
    span = f"Correct the dates, or pass calendar=TradingCalendar({name!r}, start=..., end=...) that covers them."
    cases: list[tuple[np.ndarray, str, str, bool]] = [
        (labels < grid.start, f"lies before {name} is covered ({grid.start:%Y-%m-%d})", span, True),
        (labels > grid.end, f"lies after {name} is covered ({grid.end:%Y-%m-%d})", span, True),
        (
            (labels >= grid.start) & (labels <= grid.end) & ~labels.isin(grid.sessions),
            f"is no session of {name}",
            "Give the exchange the prices come from as calendar=, or remove filled-in days.",
            False,
        ),
    ]
    for mask, problem, remedy, out_of_range in cases:
        if mask.any():
            found.add(np.flatnonzero(mask[codes]), "date", date, problem, remedy, out_of_range)


def _cells(column: pd.Series, found: Findings) -> np.ndarray:
    volume = column.name == "volume"
    return numbers(column, found, zero=volume, remedy="Leave unknown volumes empty." if volume else _NOT_POSITIVE)


def _check_bars(cells: Mapping[str, np.ndarray], found: Findings) -> None:
    """High not below low; open and close between them; one offence a row tells enough."""
    faulty = np.zeros(len(next(iter(cells.values()))), dtype=bool)
    pairs = [("high", "low"), ("open", "low"), ("open", "high"), ("close", "low"), ("close", "high")]
    for name, bound in pairs:
        if name not in cells or bound not in cells:
            continue
        value, limit = cells[name], cells[bound]
        beyond = value < limit * (1 - ROUNDING) if bound == "low" else value > limit * (1 + ROUNDING)
        rows = np.flatnonzero(beyond & ~faulty)
        faulty |= beyond
        side = "below low" if bound == "low" else "above high"
        texts = [f"is {side} {limit[row]:.10g}" for row in rows]
        found.add(rows, name, value, texts, "Adjust all of open, high, low and close alike, or none.")


def _check_repeats(long: pd.DataFrame, row: np.ndarray, column: np.ndarray, found: Findings) -> None:
    """One row for a ticker and a session; all but the first are offences."""
    placed = np.flatnonzero((row >= 0) & (column >= 0))
    if not len(placed):
        return
    width = int(column.max()) + 1
    key = row[placed] * width + column[placed]
    seen = np.zeros((int(row.max()) + 1) * width, dtype=bool)
    seen[key] = True
    if np.count_nonzero(seen) == len(key):  # the usual case, without sorting
        return
    _, first, inverse = np.unique(key, return_index=True, return_inverse=True)
    original = placed[first[inverse]]  # np.unique returns first occurrences
    where = np.flatnonzero(placed != original)
    texts = [f"repeats the date of row {long.index[original[i]]!s} for the same ticker" for i in where]
    found.add(placed[where], "date", long["date"], texts, "Keep one row per date and ticker.")
