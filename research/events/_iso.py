"""ISO 8601 text of the usual layouts, read a whole column at a time.

Only what is beyond doubt is understood here. Everything else (odd layouts, impossible
dates, blanks around the text) is left to the readers of single cells, whose word on
what a cell means and on what is wrong with it is final.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Nanoseconds since 1970 that stand for no time, as in numpy.
NOTHING = np.iinfo(np.int64).min

_SECOND = 1_000_000_000
#: Nanoseconds of a minute and of a day.
MINUTE, DAY = 60 * _SECOND, 86400 * _SECOND
_HOUR = 60 * MINUTE
_LARGEST_OFFSET = 15 * _HOUR

#: ``0`` is a digit, ``T`` a T or a blank, ``+`` a sign; anything else is itself.
_DATE = "0000-00-00"
_CLOCKS = ("00:00", "00:00:00", "00:00:00.000", "00:00:00.000000", "00:00:00.000000000")
_OFFSETS = ("", "Z", "+00:00", "+0000")
_LAYOUTS = ((_DATE, "", ""), *((f"{_DATE}T{clock}", clock, offset) for clock in _CLOCKS for offset in _OFFSETS))
_ALLOWED = {"T": "Tt ", "Z": "Zz", "+": "+-"}
#: Rows read at once: their characters stay in the processor's cache.
_CHUNK = 8192


@dataclass(frozen=True, slots=True)
class Times:
    """What a column of text says, one element a cell; :data:`NOTHING` where it was not understood.

    Attributes
    ----------
    wall : ndarray of int64, shape (n,)
        Nanoseconds since 1970 on the text's own clock.
    offset : ndarray of int64, shape (n,)
        Nanoseconds by which that clock is ahead of UTC; :data:`NOTHING` without an offset.
    """

    wall: NDArray[np.int64]
    offset: NDArray[np.int64]


def times(cells: Sequence[Any], years: range) -> Times:
    """Read the cells that are text of a usual layout.

    Parameters
    ----------
    cells : sequence of object, shape (n,)
    years : range
        Years that are understood.

    Returns
    -------
    Times
    """
    texts = np.empty(len(cells), dtype=object)
    texts[:] = cells
    length = np.fromiter((len(cell) if type(cell) is str else 0 for cell in cells), dtype=np.int64, count=len(cells))
    found = Times(np.full(len(cells), NOTHING), np.full(len(cells), NOTHING))
    for layout, clock, offset in _LAYOUTS:
        template = layout + offset
        for rows in _chunks(np.flatnonzero(length == len(template))):
            characters = texts[rows].astype(f"U{len(template)}").view(np.uint32).reshape(len(rows), -1).T
            fits = _fits(characters, template)
            if fits.any():
                read = _read(characters[:, fits], clock, offset, years)
                found.wall[rows[fits]], found.offset[rows[fits]] = read.wall, read.offset
    return found


def _chunks(rows: NDArray[np.intp]) -> Iterator[NDArray[np.intp]]:
    for start in range(0, len(rows), _CHUNK):
        yield rows[start : start + _CHUNK]


def _fits(characters: NDArray[np.uint32], template: str) -> NDArray[np.bool_]:
    """Whether each column of characters, shape (length, n), follows the template."""
    fits = np.ones(characters.shape[1], dtype=bool)
    for sign, row in zip(template, characters, strict=True):
        if sign == "0":
            fits &= row - np.uint32(48) <= 9  # below "0" wraps around
        else:
            fits &= np.logical_or.reduce([row == ord(allowed) for allowed in _ALLOWED.get(sign, sign)])
    return fits


def _read(characters: NDArray[np.uint32], clock: str, offset: str, years: range) -> Times:
    """Numbers of texts that follow a layout; impossible ones are not understood."""
    digits = characters.astype(np.int64) - 48

    def number(start: int, length: int) -> NDArray[np.int64]:
        powers = 10 ** np.arange(length - 1, -1, -1, dtype=np.int64)
        return powers @ digits[start : start + length]

    year, month, day = number(0, 4), number(5, 2), number(8, 2)
    first = (year - 1970).astype("M8[Y]").astype("M8[M]") + (month - 1)
    date = first.astype("M8[D]") + (day - 1)
    possible = (year >= years[0]) & (year <= years[-1]) & (month >= 1) & (month <= 12)
    possible &= (day >= 1) & (date.astype("M8[M]") == first)
    time = np.zeros(len(year), dtype=np.int64)
    if clock:
        hour, minute = number(11, 2), number(14, 2)
        second = number(17, 2) if len(clock) > 5 else np.zeros_like(hour)
        places = len(clock) - len("00:00:00.")
        fraction = number(20, places) * 10 ** (9 - places) if places > 0 else 0
        possible &= (hour < 24) & (minute < 60) & (second < 60)
        time = hour * _HOUR + minute * MINUTE + second * _SECOND + fraction
    ahead = np.full(len(year), NOTHING)
    if offset == "Z":
        ahead[:] = 0
    elif offset:
        place = len(_DATE) + 1 + len(clock)
        minutes = number(place + len(offset) - 2, 2)
        size = number(place + 1, 2) * _HOUR + minutes * MINUTE
        possible &= (minutes < 60) & (size <= _LARGEST_OFFSET)
        ahead = np.where(characters[place] == ord("-"), -size, size)
    # The span of nanoseconds is wider than the years accepted, but not than what 4 digits can say.
    days = np.where(possible, date.astype(np.int64), 0)
    wall = days * DAY + time
    return Times(np.where(possible, wall, NOTHING), np.where(possible, ahead, NOTHING))
