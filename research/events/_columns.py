"""Whole columns of an announcements table: what is clean at once, the rest cell by cell.

The readers of single cells (:mod:`research.events._cells`) say what a cell means and what
is wrong with it. Here only the work is saved: cells that are equal are read once, and
times and numbers of the usual form are read as arrays.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.types import is_integer_dtype

from research.events import _cells, _iso
from research.events._tables import Findings

Stamps = NDArray[np.datetime64]

_NOT_TEXT = {type(None), type(pd.NaT), type(pd.NA), float}
#: Everything that occurs in a plain number; longer texts are read cell by cell.
_NUMERALS = np.frombuffer(b"0123456789+-.eE", dtype=np.uint8).astype(np.uint32)
_LONGEST_NUMBER = 32


@dataclass(frozen=True, slots=True)
class Moments:
    """Instants and bare dates of a column, shape (n,): at most one of the two in a row.

    Attributes
    ----------
    instants : ndarray of datetime64[ns], shape (n,)
        In UTC; NaT elsewhere.
    dates : ndarray of datetime64[ns], shape (n,)
        At the exchange; NaT elsewhere.
    refused : ndarray of bool, shape (n,)
        Cells that were found fault with.
    """

    instants: Stamps
    dates: Stamps
    refused: NDArray[np.bool_]

    @classmethod
    def none(cls, n: int) -> Moments:
        """Nothing in any of ``n`` rows."""
        return cls(nat(n), nat(n), np.zeros(n, dtype=bool))

    def take(self, rows: NDArray[np.intp]) -> Moments:
        """Rows in another order, some of them perhaps several times."""
        return Moments(self.instants[rows], self.dates[rows], self.refused[rows])


class Columns:
    """Columns of one table by name, and the findings that reading them adds to.

    Parameters
    ----------
    frame : DataFrame of shape (n, any)
    findings : Findings
    zone : tzinfo or None
        Zone of times without an offset.
    """

    def __init__(self, frame: pd.DataFrame, findings: Findings, zone: dt.tzinfo | None) -> None:
        self._frame = frame
        self._findings = findings
        self._zone = zone

    def __contains__(self, name: str) -> bool:
        return name in self._frame.columns

    def __len__(self) -> int:
        return len(self._frame)

    def values(self, name: str, reader: Callable[[Any], Any], default: Any = None) -> NDArray[Any]:
        """What a cell reader makes of each cell; ``default`` where it refuses, noted.

        Returns
        -------
        ndarray of object, shape (n,)
        """
        if name not in self:
            return np.full(len(self), reader(None), dtype=object)
        cells, codes = _distinct(self._frame[name])
        read = np.empty(len(cells), dtype=object)
        problems: dict[int, str] = {}
        for place, cell in enumerate(cells):
            try:
                read[place] = reader(cell)
            except _cells.CellError as error:
                read[place], problems[place] = default, str(error)
        self._note(name, problems, codes)
        return read if codes is None else read[codes]

    def numbers(self, name: str) -> NDArray[np.float64]:
        """Finite numbers, NaN where a cell is missing or was refused; shape (n,)."""
        if name not in self:
            return np.full(len(self), np.nan)
        column = self._frame[name]
        if column.dtype.kind in "fiu":
            values, codes = column.to_numpy(dtype=np.float64, na_value=np.nan).copy(), None
            cells, unread = column, np.flatnonzero(np.isinf(values))
        else:
            cells, codes = _distinct(column)
            values, plain = _plain_numbers(cells)
            unread = np.flatnonzero(~plain)
        problems = {}
        for place in unread.tolist():
            try:
                values[place] = _cells.number(_cell(cells, place))
            except _cells.CellError as error:
                values[place], problems[place] = np.nan, str(error)
        self._note(name, problems, codes)
        return values if codes is None else values[codes]

    def moments(self, name: str) -> Moments:
        """Instants and bare dates, see :func:`research.events._cells.moment`."""
        return self._moments(name, partial(_cells.moment, zone=self._zone), self._zone)

    def instants(self, name: str) -> Stamps:
        """Instants in UTC, NaT where missing; a bare date is refused. Shape (n,)."""
        return self._moments(name, partial(_cells.instant, zone=self._zone), self._zone, bare=False).instants

    def dates(self, name: str) -> Moments:
        """Bare dates; an instant is refused."""
        return self._moments(name, _cells.bare_date, None, exact=False)

    def _moments(
        self,
        name: str,
        reader: Callable[[Any], _cells.Moment | None],
        zone: dt.tzinfo | None,
        *,
        exact: bool = True,
        bare: bool = True,
    ) -> Moments:
        if name not in self:
            return Moments.none(len(self))
        cells, codes = _distinct(self._frame[name])
        instants, dates, done = _usual_moments(cells, zone)
        wanted = np.isnat(dates) if not bare else np.isnat(instants) if not exact else True
        found = Moments(instants, dates, np.zeros(len(cells), dtype=bool))
        problems = {}
        for place in np.flatnonzero(~(done & wanted)).tolist():
            instants[place] = dates[place] = np.datetime64("NaT")
            try:
                moment = reader(_cell(cells, place))
            except _cells.CellError as error:
                problems[place], found.refused[place] = str(error), True
                continue
            if moment is not None and moment.instant is not None:
                instants[place] = moment.instant.tz_localize(None).to_datetime64()
            elif moment is not None and moment.date is not None:
                dates[place] = moment.date.to_datetime64()
        self._note(name, problems, codes)
        return found if codes is None else found.take(codes)

    def _note(self, name: str, problems: dict[int, str], codes: NDArray[np.intp] | None) -> None:
        """Note each row of every cell that was refused."""
        if not problems:
            return
        places = np.arange(len(self)) if codes is None else codes
        for row in np.flatnonzero(np.isin(places, list(problems))).tolist():
            self._findings.add(row, name, _cells.shown(self._frame[name].iloc[row]), problems[int(places[row])])


def nat(n: int) -> Stamps:
    """``n`` times NaT in nanoseconds."""
    return np.full(n, np.datetime64("NaT"), dtype="M8[ns]")


def with_numbers(frame: pd.DataFrame, names: Iterable[str], findings: Findings) -> pd.DataFrame:
    """Columns of text that hold nothing but plain numbers as numbers; blanks elsewhere as None.

    Codes with leading zeros are not numbers; a number too large for floating point is noted.
    """
    columns = Columns(frame, findings, None)
    return frame.assign(
        **{name: columns.numbers(name) if _is_numeric(frame[name]) else _without_blanks(frame[name]) for name in names}
    )


def _is_numeric(column: pd.Series) -> bool:
    """Whether a column of text is numeric throughout."""
    cells, _ = _distinct(column)
    _, plain = _plain_numbers(cells)
    texts = [
        cell
        for cell, done in zip(cells, plain.tolist(), strict=True)
        if cell is not None and (done or not _cells.is_missing(cell))
    ]
    return bool(texts) and all(map(_cells.is_plain_number, texts))


def _without_blanks(column: pd.Series) -> pd.Series:
    return pd.Series([cell if cell and cell.strip() else None for cell in column], index=column.index, dtype=object)


def _cell(cells: Any, place: int) -> Any:
    return cells.iloc[place] if isinstance(cells, pd.Series) else cells[place]


def _distinct(column: pd.Series) -> tuple[Any, NDArray[np.intp] | None]:
    """Cells to read, and which of them stands for each row (None: the cells are the rows).

    Text and whole numbers are read once for all rows that have them; everything that
    holds nothing counts as None there. Times keep their type.
    """
    if column.dtype.kind == "M":
        return column, None
    if is_integer_dtype(column.dtype):
        codes, uniques = pd.factorize(column)
        cells = [*np.asarray(uniques, dtype=object).tolist(), None]
    else:
        cells = column.to_numpy(dtype=object)
        if not _is_text(cells):
            return list(column), None
        codes, uniques = pd.factorize(cells)
        cells = [*uniques, None]
    return cells, np.where(codes < 0, len(cells) - 1, codes)


def _is_text(cells: Iterable[Any]) -> bool:
    """Whether cells are text, or hold nothing, and can be told apart by pandas."""
    kinds = set(map(type, cells))
    if not kinds <= {str, *_NOT_TEXT}:
        return False
    if float in kinds and not all(cell != cell for cell in cells if type(cell) is float):
        return False
    # Before version 3 pandas takes texts for equal that differ after a NUL only.
    return "\0" not in "".join(cell for cell in cells if type(cell) is str)


def _plain_numbers(cells: Iterable[Any]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Numbers of the texts that plainly are one, and which those are; None is a missing number."""
    texts = list(cells)
    values, plain = np.full(len(texts), np.nan), np.array([cell is None for cell in texts], dtype=bool)
    usual = [type(cell) is str and 0 < len(cell) <= _LONGEST_NUMBER and "\0" not in cell for cell in texts]
    rows = np.flatnonzero(usual)
    if len(rows):
        # The width is said, not found: it decides how the characters lie in memory.
        given = np.array([texts[row] for row in rows.tolist()], dtype=f"U{_LONGEST_NUMBER}")
        characters = given.view(np.uint32).reshape(len(rows), -1)
        numeral = (np.isin(characters, _NUMERALS) | (characters == 0)).all(axis=1)
        rows, given = rows[numeral], given[numeral]
        try:
            # Of texts with these characters alone, float() reads exactly the plain numbers.
            found = given.astype(np.float64)
        except ValueError:
            return values, plain
        finite = np.isfinite(found)
        values[rows[finite]] = found[finite]
        plain[rows[finite]] = True
    return values, plain


def _usual_moments(cells: Any, zone: dt.tzinfo | None) -> tuple[Stamps, Stamps, NDArray[np.bool_]]:
    """Instants, bare dates, and which cells were understood, of a typed column or of text."""
    typed = isinstance(cells, pd.Series)
    read = _typed_times(cells) if typed else _iso.times(cells, _cells.YEARS)
    known, aware = read.wall != _iso.NOTHING, read.offset != _iso.NOTHING
    instants = np.where(known & aware, read.wall - np.where(aware, read.offset, 0), _iso.NOTHING)
    midnight = known & ~aware & (read.wall % _iso.DAY == 0)
    dates = np.where(midnight, read.wall, _iso.NOTHING)
    done = known & (aware | midnight)
    local = known & ~done
    if zone is not None and local.any():
        wall = pd.DatetimeIndex(read.wall[local].view("M8[ns]"))
        placed = wall.tz_localize(zone, ambiguous="NaT", nonexistent="NaT").tz_convert("UTC").asi8
        instants[local], done[local] = placed, placed != _iso.NOTHING
    if typed:
        done |= cells.isna().to_numpy()
    return instants.view("M8[ns]"), dates.view("M8[ns]"), done


def _typed_times(column: pd.Series) -> _iso.Times:
    """Times of a datetime column: those with a zone on the clock of UTC."""
    stamps = pd.DatetimeIndex(column)
    usual = np.asarray((stamps.year >= _cells.YEARS[0]) & (stamps.year <= _cells.YEARS[-1]))
    wall = stamps.where(usual).as_unit("ns").asi8  # NaT is NOTHING
    return _iso.Times(wall, np.where(usual & (stamps.tz is not None), 0, _iso.NOTHING))
