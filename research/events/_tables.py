"""Tables before their cells are read: CSV text, column names, the list of findings."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from research.errors import CalendarRangeError, InputError, in_words, nearest, offences, unreadable

# Names under which other people's tables hold the required columns.
_SYNONYMS = {
    "ticker": ("symbol", "tic", "stock", "code", "act_symbol"),
    "announced_at": ("date", "datetime", "timestamp", "announcement_date", "report_date", "rdq", "anndats"),
}


class Findings:
    """Offences found so far, by row position and column."""

    def __init__(self, labels: list[Any]) -> None:
        self.labels = labels
        self._problems: dict[int, list[tuple[str, Any, str]]] = {}
        self._repeats: set[int] = set()
        self._only_range = True

    def add(self, row: int, column: str, value: Any, problem: str, *, out_of_range: bool = False) -> None:
        """Note one offence; ``out_of_range`` if it is that the calendar does not reach so far."""
        self._only_range &= out_of_range
        self._problems.setdefault(row, []).append((column, value, problem))

    def add_repeat(self, row: int, column: str, value: Any, problem: str) -> None:
        """Note a row that repeats an earlier one."""
        self._repeats.add(row)
        self.add(row, column, value, problem)

    def status(self, row: int) -> str:
        """``ok``, ``duplicate`` or ``invalid``."""
        if row not in self._problems:
            return "ok"
        return "duplicate" if row in self._repeats else "invalid"

    def __contains__(self, row: int) -> bool:
        return row in self._problems

    def __len__(self) -> int:
        return len(self._problems)

    def faulty(self) -> np.ndarray:
        """Mask of the rows found fault with so far, shape (n_rows,)."""
        mask = np.zeros(len(self.labels), dtype=bool)
        mask[list(self._problems)] = True
        return mask

    def verdicts(self) -> tuple[list[str], list[str]]:
        """``status`` and ``detail`` of every row."""
        status, detail = ["ok"] * len(self.labels), [""] * len(self.labels)
        for row in self._problems:
            status[row], detail[row] = self.status(row), self.detail(row)
        return status, detail

    def detail(self, row: int) -> str:
        """Everything wrong with one row, in one line."""
        return "; ".join(
            f"{column}: {problem}" + ("" if value is None else f" (got {value!r})")
            for column, value, problem in self._problems.get(row, [])
        )

    def error(self, problem: str, remedy: str) -> InputError:
        """Error over all of them; of its own class where all that is wrong are places outside the calendar."""
        kind = CalendarRangeError if self._only_range else InputError
        return kind(problem, rows=self.rows(), remedy=remedy)

    def rows(self) -> pd.DataFrame:
        """Offences in row order, with the caller's own row labels."""
        return offences(
            (self.labels[row], column, value, problem)
            for row in sorted(self._problems)
            for column, value, problem in self._problems[row]
        )


def row_labels(frame: pd.DataFrame) -> list[Any]:
    """Index labels, with the position added where labels repeat."""
    if frame.index.is_unique:
        return list(frame.index)
    return [f"{label} (position {place})" for place, label in enumerate(frame.index)]


def with_known_names(
    frame: pd.DataFrame,
    columns: Mapping[str, str] | None,
    *,
    what: str,
    required: tuple[str, ...],
    known: tuple[str, ...],
    reserved: tuple[str, ...] = (),
) -> pd.DataFrame:
    """Copy of a table under the package's column names, or one error on every wrong name.

    Parameters
    ----------
    frame : DataFrame
    columns : mapping, optional
        Caller's column name to the package's.
    what : str
        Name of the table in messages.
    required, known, reserved : tuple of str
        Names that must be there, that have a meaning, and that the package writes itself.

    Raises
    ------
    InputError
    """
    if not isinstance(frame, pd.DataFrame):
        raise InputError(f"{what} come as a DataFrame, not as {type(frame).__name__}")
    names = _renamed(frame, dict(columns or {}), what)
    problems = [(name, "appears twice") for name in dict.fromkeys(names) if names.count(name) > 1]
    problems += [(name, f"is missing. {_suggestion(name, frame)}".strip()) for name in required if name not in names]
    problems += [(name, "is a name that the package writes itself; rename it") for name in names if name in reserved]
    folded = {_folded(name): name for name in known}
    problems += [
        (name, f"is not a known name, but nearly: did you mean {folded[_folded(name)]!r}?")
        for name in names
        if _folded(name) in folded and name not in known
    ]
    if problems:
        raise InputError(
            f"{what}: wrong column names",
            rows=offences(("header", name, None, problem) for name, problem in problems),
            allowed=f"required {in_words(required)}; the table has {in_words(names)}",
            remedy='Rename them, or pass columns={"your name": "our name"}.',
        )
    if frame.empty:
        raise InputError(f"{what}: the table has no rows", remedy="Give at least one announcement.")
    return frame.set_axis(names, axis="columns")


def _renamed(frame: pd.DataFrame, columns: dict[str, str], what: str) -> list[str]:
    given = list(frame.columns)
    unnamed = [name for name in given if not isinstance(name, str)]
    if unnamed:
        raise InputError(f"{what}: column names are text, these are not: {in_words(unnamed)}")
    names = [name.strip() for name in given]
    absent = [name for name in columns if name not in names]
    if absent:
        raise InputError(
            f"{what}: columns= names columns that the table lacks: {in_words(absent)}",
            allowed=in_words(names),
            remedy=nearest(absent[0], names) or 'Write columns={"your name": "our name"}.',
        )
    return [columns.get(name, name) for name in names]


def _folded(name: str) -> str:
    return re.sub(r"[\s_.-]", "", name.casefold())


def _suggestion(name: str, frame: pd.DataFrame) -> str:
    if name in frame.index.names:
        return "It is in the index: call reset_index() first"
    names = [str(column).strip() for column in frame.columns]
    for column in names:
        if column.casefold() in _SYNONYMS.get(name, ()):
            return f"Did you mean {column!r}?"
    return nearest(name, names)


def read_csv(path: Any) -> tuple[pd.DataFrame, list[tuple[int, str, Any, str]]]:
    """CSV file as text cells, indexed by the line on which each row begins (header: line 1).

    Parameters
    ----------
    path : str or path-like
        UTF-8, with or without a byte order mark; comma, semicolon or tab.

    Returns
    -------
    DataFrame of str
    list of (row position, column, value, problem)
        Rows whose number of cells differs from the header's.

    Raises
    ------
    InputError
        Unreadable or empty file, wrong encoding, broken quotes.

    Notes
    -----
    The standard reader instead of pandas': tickers such as NA, TRUE or 007 stay text,
    and the true line numbers survive blank lines and quoted line breaks.
    """
    content = _decoded(path)
    head = next((line for line in io.StringIO(content, newline=None) if line.strip()), None)
    if head is None:
        raise InputError("the file is empty", parameter="path", value=str(path))
    delimiter = max(",;\t", key=head.count)
    reader = csv.reader(io.StringIO(content, newline=""), delimiter=delimiter, strict=True)
    records, begins = [], 1
    try:
        for record in reader:
            if any(map(str.strip, record)):
                records.append((begins, record))
            begins = reader.line_num + 1
    except csv.Error as error:
        raise InputError(
            f"line {begins} of the file is no CSV: {error}",
            parameter="path",
            value=str(path),
            remedy="Look for an unmatched quotation mark on that line.",
        ) from error
    return _rectangular(records)


def _decoded(path: Any) -> str:
    try:
        raw = Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"the file cannot be read: {unreadable(error)}", parameter="path", value=str(path)) from error
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"line {line} of the file is not UTF-8",
            parameter="path",
            value=str(path),
            remedy="Save it as CSV UTF-8.",
        ) from error


def _rectangular(
    records: list[tuple[int, list[str]]],
) -> tuple[pd.DataFrame, list[tuple[int, str, Any, str]]]:
    header = records[0][1]
    while header and not header[-1].strip():  # spreadsheets pad lines with separators
        header = header[:-1]
    width, ragged, rows = len(header), [], []
    for place, (_, cells) in enumerate(records[1:]):
        if len(cells) != width:
            if len(cells) < width or any(map(str.strip, cells[width:])):
                ragged.append((place, "line", None, f"has {len(cells)} cells, the header has {width}"))
            cells = (cells + [""] * width)[:width]
        rows.append(cells)
    lines: list[Hashable] = [line for line, _ in records[1:]]
    index = pd.Index(lines, name="line", dtype=object)
    table = np.array(rows, dtype=object).reshape(len(rows), width)
    return pd.DataFrame(table, columns=header, index=index, dtype=object), ragged
