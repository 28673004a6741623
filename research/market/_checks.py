"""Checks that the tables of this room share: columns, dates, tickers and numbers.

No check stops at the first bad cell. Each adds what it finds to one :class:`Findings`,
which raises a single error naming every offending row of the caller's table.
"""

from __future__ import annotations

import datetime as dt
import difflib
import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_bool_dtype, is_complex_dtype, is_numeric_dtype

from research.errors import CalendarRangeError, InputError, ParameterError, in_words, nearest, offences

TICKER = re.compile(r"[A-Za-z0-9^][A-Za-z0-9.\-=^_]{0,19}")
TICKER_RULE = "1 to 20 of letters, digits and . - = ^ _, starting with a letter, digit or ^"

_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}([T ]00:00(:00(\.0+)?)?)?")
#: Labels have to fit datetime64[ns]; a year outside is a typing error, not history.
_FIRST_YEAR, _LAST_YEAR = 1678, 2261
#: Two names this similar are taken for one misspelt name.
_MISSPELT = 0.85


class Findings:
    """Offences of one table, collected by position and raised together."""

    def __init__(self, frame: pd.DataFrame, table: str) -> None:
        self._index = frame.index
        self._table = table
        self._items: list[tuple[int, str, Any, str]] = []
        self._remedies: dict[str, None] = {}
        self._only_range = True

    def add(
        self,
        rows: np.ndarray,
        column: str,
        values: Sequence[Any] | np.ndarray | pd.Series,
        problem: str | Sequence[str],
        remedy: str = "",
        out_of_range: bool = False,
    ) -> None:
        """Note the positions ``rows``; ``values`` and ``problem`` run along the whole table or fit all."""
        if not len(rows):
            return
        self._only_range &= out_of_range
        if remedy:
            self._remedies.setdefault(remedy)
        cells = values.iloc[rows].tolist() if isinstance(values, pd.Series) else [values[i] for i in rows]
        texts = [problem] * len(rows) if isinstance(problem, str) else problem
        self._items += [
            (int(row), column, cell.item() if isinstance(cell, np.generic) else cell, text)
            for row, cell, text in zip(rows, cells, texts, strict=True)
        ]

    def noted(self) -> np.ndarray:
        """Mask of the rows found fault with so far, shape (n_rows,)."""
        mask = np.zeros(len(self._index), dtype=bool)
        mask[[row for row, *_ in self._items]] = True
        return mask

    def raise_if_any(self) -> None:
        """Raise one error with all of them; rows in the caller's order."""
        if not self._items:
            return
        items = sorted(self._items, key=lambda item: item[0])
        count = len({item[0] for item in items})
        error = CalendarRangeError if self._only_range else InputError
        raise error(
            f"{count} of {len(self._index)} rows of the table of {self._table} cannot be used",
            rows=offences([(self._index[row], *rest) for row, *rest in items]),
            remedy=" ".join(self._remedies) or None,
        )


def check_columns(
    frame: pd.DataFrame, table: str, required: Sequence[str], optional: Sequence[str], hint: str = ""
) -> None:
    """Raise when a required column is missing, doubled, or an optional one only misspelt."""
    if not isinstance(frame, pd.DataFrame):
        raise ParameterError(
            f"the table of {table} has to be a pandas DataFrame", value=type(frame).__name__, remedy=hint
        )
    names = [str(name) for name in frame.columns]
    known = [*required, *optional]
    doubled = sorted({name for name in names if names.count(name) > 1 and name in known})
    if doubled:
        raise InputError(
            f"the table of {table} has more than one column {in_words(doubled)}", remedy="Keep one of each."
        )
    missing = [name for name in required if name not in names]
    misspelt = _misspelt([name for name in optional if name not in names], names, known)
    if missing:
        raise InputError(
            f"the table of {table} lacks the column {in_words(missing)}",
            value=names,
            allowed=f"required {in_words(required)}; optional {in_words(optional)}",
            remedy=" ".join(filter(None, [*_suggestions(missing, frame, names), hint])) or None,
        )
    if misspelt:
        # Passing over "Adj Close" would silently turn total returns into price returns.
        raise InputError(
            f"columns of the table of {table} look like misspelt names: "
            + in_words(f"{given!r} for {meant!r}" for given, meant in misspelt),
            remedy="Rename or drop them.",
        )


def _fold(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.casefold())


def _misspelt(absent: list[str], names: list[str], known: list[str]) -> list[tuple[str, str]]:
    folded = {_fold(name): name for name in names if name not in known}
    found = [(difflib.get_close_matches(_fold(name), list(folded), 1, _MISSPELT), name) for name in absent]
    return [(folded[match[0]], name) for match, name in found if match]


def _suggestions(missing: list[str], frame: pd.DataFrame, names: list[str]) -> Iterable[str]:
    levels = [str(level) for level in frame.index.names]
    for name in missing:
        if name in levels:
            yield f"{name!r} is in the index: call .reset_index() first."
        elif names:
            yield nearest(name, names)


def label_codes(column: pd.Series, found: Findings) -> tuple[np.ndarray, pd.DatetimeIndex]:
    """Positions into distinct session labels.

    Returns
    -------
    codes : ndarray of int, shape (n_rows,)
        -1 where the cell is no bare date.
    labels : DatetimeIndex
        Naive midnights, ``datetime64[ns]``, and NaT in the last place for code -1.
    """
    name = str(column.name)
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        raise InputError(
            "the dates carry a time zone",
            parameter=name,
            value=str(column.dtype),
            allowed="bare session dates",
            remedy=f"Keep the date on their own clock: frame[{name!r}].dt.tz_localize(None).dt.normalize().",
        )
    codes, uniques = pd.factorize(column)
    found.add(np.flatnonzero(codes < 0), name, column, "has no date")
    parsed = [_label(value) for value in uniques]
    problems = {code: text for code, text in enumerate(parsed) if isinstance(text, str)}
    if problems:
        rows = np.flatnonzero(np.isin(codes, list(problems)))
        remedy = "Give dates as YYYY-MM-DD or midnight datetime64, e.g. pd.to_datetime(..., format='%d/%m/%Y')."
        found.add(rows, name, column, [problems[codes[row]] for row in rows], remedy)
        codes = np.where(np.isin(codes, list(problems)), -1, codes)
    labels = [*(pd.NaT if isinstance(label, str) else label for label in parsed), pd.NaT]
    return codes, pd.DatetimeIndex(labels, dtype="datetime64[ns]")


def _label(value: Any) -> dt.datetime | str:
    """Naive midnight of a date cell, or what is wrong with it."""
    if isinstance(value, str):
        if not _ISO_DATE.fullmatch(value.strip()):
            return "is no date YYYY-MM-DD; other spellings are not guessed"
        try:
            value = dt.datetime.fromisoformat(value.strip()[:10])
        except ValueError:
            return "is no day of the calendar"
    elif isinstance(value, np.datetime64):
        value = pd.Timestamp(value)
    elif isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        value = dt.datetime(value.year, value.month, value.day)
    if not isinstance(value, dt.datetime):
        return "is no date; serial numbers and YYYYMMDD numbers are not guessed"
    if value.tzinfo is not None:
        return "carries a time zone; a session label is a bare date"
    if value.time() != dt.time(0):
        return "has a time of day; a session label is a bare date"
    if not _FIRST_YEAR <= value.year <= _LAST_YEAR:
        return "has an impossible year"
    return value


def ticker_codes(column: pd.Series, found: Findings) -> tuple[np.ndarray, list[str]]:
    """Positions into sorted ticker names; -1 where the cell is no ticker."""
    codes, uniques = pd.factorize(column)
    found.add(np.flatnonzero(codes < 0), "ticker", column, "has no ticker", "Read tickers as text.")
    values = list(uniques)
    bad = [code for code, v in enumerate(values) if not (isinstance(v, str) and TICKER.fullmatch(v))]
    rows = np.flatnonzero(np.isin(codes, bad))
    found.add(rows, "ticker", column, f"is no ticker ({TICKER_RULE})", "Read tickers as text.")
    order = np.array(sorted(set(range(len(values))) - set(bad), key=lambda code: values[code]), dtype=int)
    rank = np.full(len(values) + 1, -1)  # the last place serves code -1
    rank[order] = np.arange(len(order))
    return rank[codes], [str(values[code]) for code in order]


def numbers(column: pd.Series, found: Findings, *, zero: bool = False, remedy: str = "") -> np.ndarray:
    """Cells as float64, shape (n_rows,); NaN where missing or, after being noted, unusable.

    Positive numbers pass, and zero with ``zero=True``. Text is read as a number
    where it plainly is one; blank text is missing.
    """
    name = str(column.name)
    if is_numeric_dtype(column.dtype) and not is_bool_dtype(column.dtype) and not is_complex_dtype(column.dtype):
        values = column.to_numpy(dtype="float64", na_value=np.nan).copy()
    else:
        values = _parsed(column, found)
    infinite = np.isinf(values)
    found.add(np.flatnonzero(infinite), name, column, "is infinite", "Leave unknown cells empty.")
    with np.errstate(invalid="ignore"):
        low = (values < 0 if zero else values <= 0) & ~infinite
    found.add(np.flatnonzero(low), name, column, "is negative" if zero else "is not positive", remedy)
    values[infinite | low] = np.nan
    return values


def _parsed(column: pd.Series, found: Findings) -> np.ndarray:
    cells = column.astype(object)
    text = np.fromiter((isinstance(cell, str) for cell in cells), dtype=bool, count=len(cells))
    plain = np.fromiter(
        (isinstance(c, (str, int, float, np.number)) and not isinstance(c, (bool, complex)) for c in cells),
        dtype=bool,
        count=len(cells),
    )
    missing = np.array(cells.isna())  # a copy: pandas hands out read-only arrays
    missing[text] = [cell.strip() == "" for cell in cells[text]]
    values = np.full(len(cells), np.nan)
    readable = plain & ~missing
    values[readable] = pd.to_numeric(cells[readable], errors="coerce").to_numpy(dtype="float64")
    found.add(
        np.flatnonzero(np.isnan(values) & ~missing),
        str(column.name),
        column,
        "is not a number",
        "Read the file with its own signs: pandas.read_csv(decimal=..., thousands=...).",
    )
    return values
