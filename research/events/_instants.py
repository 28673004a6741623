"""What a caller may pass as instants or dates, turned into one DatetimeIndex.

Naive and aware times are never mixed: an instant must carry its offset, a date must
not. Every value that breaks the rule is named.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd

from research.errors import InputError, ParameterError, offences
from research.events import _iso

#: Years accepted; nanoseconds reach from 1677 to 2262.
_YEARS = range(1700, 2201)


def is_scalar(values: Any) -> bool:
    """Whether ``values`` is one date, time or text rather than several."""
    return isinstance(values, str | dt.date | np.datetime64)


def instants(values: Any) -> tuple[pd.DatetimeIndex, pd.Index]:
    """Tz-aware instants in UTC, and the labels by which an error names their rows.

    Parameters
    ----------
    values : scalar or array-like
        Aware datetimes of any mixture of offsets, or ISO 8601 text with an offset.

    Returns
    -------
    DatetimeIndex of shape (n,)
        ``datetime64[ns, UTC]``.
    Index
        Series index labels, else positions.

    Raises
    ------
    InputError
        Naive, missing or unreadable values, years that nanoseconds cannot hold.
    """
    cells, labels = _cells(values)
    if isinstance(cells, pd.DatetimeIndex) and cells.tz is not None and _fits(cells):
        return cells.tz_convert("UTC").as_unit("ns"), labels
    usual = _usual(cells)
    if usual is not None and usual.tz is not None:
        return usual, labels
    read = [_moment(cell) for cell in cells]
    problems = [problem or (None if moment.tz is not None else "has no UTC offset") for moment, problem in read]
    refuse(
        ((label, "timestamp", cell, problem) for label, cell, problem in zip(labels, cells, problems, strict=True)),
        len(cells),
        "instants",
        allowed="instants such as 2024-10-30T16:05:00-04:00",
        remedy="Give naive times their zone first, for instance with .tz_localize('America/New_York').",
    )
    return _index([moment.tz_convert("UTC") for moment, _ in read]).tz_localize("UTC"), labels


def dates(values: Any, column: str) -> tuple[pd.DatetimeIndex, pd.Index]:
    """Tz-naive midnights, and the labels by which an error names their rows.

    Parameters
    ----------
    values : scalar or array-like
        Dates, naive datetimes at midnight, or ISO 8601 text of a date.
    column : str
        What to call the values in an error.

    Returns
    -------
    DatetimeIndex of shape (n,)
    Index
        Series index labels, else positions.

    Raises
    ------
    InputError
        Missing or unreadable values, values with a time of day or an offset.
    """
    cells, labels = _cells(values)
    if isinstance(cells, pd.DatetimeIndex) and cells.tz is None and _fits(cells) and cells.is_normalized:
        return cells.as_unit("ns"), labels
    usual = _usual(cells)
    if usual is not None and usual.tz is None and usual.is_normalized:
        return usual, labels
    read = [_moment(cell) for cell in cells]
    problems = [problem or _not_a_date(moment) for moment, problem in read]
    refuse(
        ((label, column, cell, problem) for label, cell, problem in zip(labels, cells, problems, strict=True)),
        len(cells),
        "dates",
        allowed="dates such as 2024-10-30",
        remedy="Use the calendar date at the exchange, without a time and without an offset.",
    )
    return _index([moment for moment, _ in read]), labels


def chosen(flags: Any, labels: pd.Index, allowed: tuple[str, ...]) -> np.ndarray:
    """One of some flags for each row, shape (n,); a single one stands for all.

    Raises
    ------
    InputError
        Anything else than ``allowed``; every row is named.
    ParameterError
        Another number of flags than of rows.
    """
    given = [flags] * len(labels) if isinstance(flags, str) or flags is None else list(flags)
    if len(given) != len(labels):
        raise ParameterError(
            f"{len(given)} flags for {len(labels)} dates", parameter="flags", allowed="one flag, or one a date"
        )
    wrong = [not (isinstance(flag, str) and flag in allowed) for flag in given]
    if any(wrong):
        refuse(
            (
                (label, "flag", flag, "is no session flag" if bad else None)
                for label, flag, bad in zip(labels, given, wrong, strict=True)
            ),
            len(given),
            "session flags",
            allowed=", ".join(allowed),
            remedy="Leave rows of unknown timing out, or choose a policy for them.",
        )
    return np.array(given, dtype=object)


def refuse(
    checked: Any, total: int, what: str, *, allowed: str, remedy: str, error: type[InputError] = InputError
) -> None:
    """Raise ``error`` with every row ``(label, column, value, problem)`` whose problem is not None."""
    wrong = [(label, column, str(value), problem) for label, column, value, problem in checked if problem]
    if wrong:
        raise error(
            f"{len(wrong)} of {total} values cannot be used as {what}",
            rows=offences(wrong),
            allowed=allowed,
            remedy=remedy,
        )


def _cells(values: Any) -> tuple[Any, pd.Index]:
    if is_scalar(values) or values is None:
        values = [values]
    labels = values.index if isinstance(values, pd.Series) else None
    if not isinstance(values, pd.Index):
        typed = isinstance(values, pd.Series | np.ndarray) and values.dtype.kind == "M"
        # Kept as objects: pandas would read naive times as UTC once offsets are mixed.
        values = pd.Index(values) if typed else pd.Index(list(values), dtype=object)
    return values, pd.RangeIndex(len(values)) if labels is None else labels


def _usual(cells: pd.Index) -> pd.DatetimeIndex | None:
    """Cells of one usual kind as a whole; None where it takes a look at each of them.

    Aware datetimes, or text of a usual layout, with an offset throughout or nowhere.
    """
    if cells.dtype != object or not len(cells):
        return None
    kinds = set(map(type, cells))
    if kinds == {str}:
        read = _iso.times(cells.to_numpy(), _YEARS)
        naive = read.offset == _iso.NOTHING
        if (read.wall == _iso.NOTHING).any() or (naive.any() and not naive.all()):
            return None
        plain = pd.DatetimeIndex((read.wall - np.where(naive, 0, read.offset)).view("M8[ns]"))
        return plain if naive.all() else plain.tz_localize("UTC")
    if not kinds <= {dt.datetime, pd.Timestamp} or any(cell.tzinfo is None for cell in cells):
        return None
    try:
        if kinds == {pd.Timestamp}:
            found = pd.DatetimeIndex(np.fromiter((cell.value for cell in cells), "M8[ns]", len(cells)), tz="UTC")
        elif any(cell.fold for cell in cells):  # which pandas may read as the other of two equal hours
            return None
        else:
            found = pd.DatetimeIndex(pd.to_datetime(cells, utc=True)).as_unit("ns")
    except (ValueError, OverflowError):  # years out of bounds: each cell is looked at, and named
        return None
    return found if _fits(found) else None


def _moment(cell: Any) -> tuple[Any, str | None]:
    """One cell as a Timestamp, naive or aware, or what is wrong with it."""
    if cell is None or cell is pd.NaT or cell is pd.NA or (isinstance(cell, float) and cell != cell):
        return pd.NaT, "is missing"
    if not is_scalar(cell):
        return pd.NaT, f"is {type(cell).__name__}, neither a date nor a time"
    try:
        moment = pd.Timestamp(dt.datetime.fromisoformat(cell.strip()) if isinstance(cell, str) else cell)
    except ValueError:
        return pd.NaT, "cannot be read as ISO 8601"
    if moment is pd.NaT:
        return moment, "is missing"
    return moment, None if moment.year in _YEARS else "lies outside the years 1700 to 2200"


def _fits(cells: pd.DatetimeIndex) -> bool:
    """Whether no value is missing and every year can be held in nanoseconds."""
    return not cells.hasnans and (cells.empty or (cells.min().year in _YEARS and cells.max().year in _YEARS))


def _not_a_date(moment: pd.Timestamp) -> str | None:
    if moment.tz is not None:
        return "has an offset; local_date() turns instants into dates"
    return None if moment == moment.normalize() else "has a time of day"


def _index(moments: list[pd.Timestamp]) -> pd.DatetimeIndex:
    """Tz-naive index, in nanoseconds, of the wall times."""
    plain = [moment.tz_localize(None).as_unit("ns").to_datetime64() for moment in moments]
    return pd.DatetimeIndex(np.array(plain, dtype="M8[ns]"))
