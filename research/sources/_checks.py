"""Offences of one file, from its spelling and from its content, in one error."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from research.errors import InputError, offences
from research.sources._tables import Table

#: ``(line, column, cell, problem)``.
Offence = tuple[Any, str, Any, str]
_T = TypeVar("_T")


def text_column(table: Table, name: str) -> tuple[pd.Series, list[Offence]]:
    """A column of names as text; whole numbers become their digits, anything else is an offence."""
    wrong: list[Offence] = []
    texts = []
    for line, cell in table.frame[name].items():
        if isinstance(cell, int) and not isinstance(cell, bool):
            cell = str(cell)
        texts.append(cell if isinstance(cell, str) else "")
        if not texts[-1]:
            wrong.append((line, name, None if isinstance(cell, str) or pd.isna(cell) else cell, "is no text"))
    return pd.Series(texts, index=table.frame.index, name=name, dtype=object), wrong


def repeats(line_dates: pd.Series, names: pd.Series | None = None) -> list[Offence]:
    """Rows that give a date (of a name) a second time."""
    keys = pd.DataFrame({"date": line_dates, "name": "" if names is None else names})
    repeated = keys.duplicated() & keys["date"].notna()
    return [
        (line, "date", " ".join(filter(None, [f"{date:%Y-%m-%d}", name])), "repeats an earlier row")
        for line, date, name in zip(
            keys.index[repeated], keys["date"][repeated], keys["name"][repeated], strict=True
        )
    ]


def refused(name: str, found: list[Offence], error: InputError | None = None) -> InputError:
    """Error over a file with every offence: those found here, and those of a type's own checks.

    Where both complain about one cell, the complaint found here stands: it knows how the
    cell was spelled.
    """
    rows, kind, remedy = offences(found), InputError, "Correct these cells."
    if error is not None:
        mine = {(str(row), column) for row, column, *_ in found}
        pairs = zip(error.rows["row"], error.rows["column"], strict=True)
        new = np.array([(str(row), column) not in mine for row, column in pairs], dtype=bool)
        rows = pd.concat([rows, error.rows[new]], ignore_index=True) if found else error.rows
        kind, remedy = type(error), error.remedy or remedy
    return kind(
        f"{name} cannot be used as it is (row numbers are lines of the file)", rows=rows, remedy=remedy
    )


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
