"""Offences of one file, from its spelling and from its content, in one error."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from research.errors import InputError, offences
from research.market._checks import TICKER, TICKER_RULE
from research.sources._tables import Table

#: ``(line, column, cell, problem)``.
Offence = tuple[Any, str, Any, str]
_T = TypeVar("_T")

_REMEDY = (
    "Correct these cells, or say how to read them in columns.toml: "
    "timezone, date_format, decimal, returns_unit, calendar, [aliases]."
)


def text_column(table: Table, name: str) -> tuple[pd.Series, list[Offence]]:
    """A column of names as text; whole numbers become their digits, anything else is an offence."""
    wrong: list[Offence] = []
    texts = []
    for line, cell in table.frame[name].items():
        if isinstance(cell, int) and not isinstance(cell, bool):
            cell = str(cell)
        texts.append(cell if isinstance(cell, str) else "")
        if not texts[-1]:
            missing = isinstance(cell, str) or pd.isna(cell)
            wrong.append((line, name, None if missing else cell, "is missing" if missing else "is no text"))
    return pd.Series(texts, index=table.frame.index, name=name, dtype=object), wrong


def no_tickers(names: pd.Series) -> list[Offence]:
    """Rows whose ticker is none; a missing one is :func:`text_column`'s to find."""
    odd = {name for name in names.unique() if name and not TICKER.fullmatch(name)}
    return [(line, "ticker", name, f"is no ticker ({TICKER_RULE})") for line, name in names.items() if name in odd]


def repeats(line_dates: pd.Series, names: pd.Series | None = None) -> list[Offence]:
    """Rows that give a date (of a name) a second time."""
    keys = pd.DataFrame({"date": line_dates, "name": "" if names is None else names})
    repeated = keys.duplicated() & keys["date"].notna()
    return [
        (line, "date", " ".join(filter(None, [f"{date:%Y-%m-%d}", name])), "repeats an earlier row")
        for line, date, name in zip(keys.index[repeated], keys["date"][repeated], keys["name"][repeated], strict=True)
    ]


def refused(name: str, found: list[Offence], error: InputError | None = None) -> InputError:
    """Error over a file with every offence: those found here, and those of a type's own checks.

    Where both complain about one cell, the complaint found here stands: it knows how the
    cell was spelled.
    """
    rows, kind = offences(found), InputError
    if error is not None:
        mine = {(str(row), column) for row, column, *_ in found}
        pairs = zip(error.rows["row"], error.rows["column"], strict=True)
        new = np.array([(str(row), column) not in mine for row, column in pairs], dtype=bool)
        rows = pd.concat([rows, error.rows[new]], ignore_index=True) if found else error.rows
        kind = type(error)
    values = pd.Series([_plain(value) for value in rows["value"]], index=rows.index, dtype=object)
    rows = rows.assign(value=values)  # a list would turn None into NaN beside text
    rows = rows.sort_values("row", key=lambda labels: labels.map(_line), kind="stable", ignore_index=True)
    counted = "records" if name.casefold().endswith(".parquet") else "lines"
    return kind(f"{name} cannot be used as it is (row numbers are {counted} of the file)", rows=rows, remedy=_REMEDY)


def _line(label: Any) -> int:
    """Line of a row label such as ``12`` or ``12 [META]``; the header comes first."""
    digits = str(label).partition(" ")[0]
    return int(digits) if digits.isdigit() else 0


def _plain(value: Any) -> Any:
    """A cell as a message may show it: a date without the name of its type."""
    if not isinstance(value, pd.Timestamp):
        return value
    return f"{value:%Y-%m-%d}" if value == value.normalize() else str(value)


def checked(name: str, found: list[Offence], build: Callable[[], _T]) -> _T:
    """Build a type of the package; its complaints join ``found``, under the file's name."""
    try:
        built = build()
    except InputError as error:
        if not len(error.rows) and not found:
            raise type(error)(
                f"{name}: {error.problem}", value=error.value, allowed=error.allowed, remedy=error.remedy
            ) from error
        raise refused(name, found, error) from error
    if found:
        raise refused(name, found)
    return built
