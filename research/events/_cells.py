"""One cell of an announcements table at a time: read it, or say what is wrong with it.

Nothing is guessed. A cell that could mean two things is refused with the form to use.
"""

from __future__ import annotations

import datetime as dt
import math
import numbers
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from research.events.calendar import SESSION_FLAGS

TICKER = re.compile(r"[A-Za-z0-9^][A-Za-z0-9.\-=^_]{0,19}")
PRECISIONS = ("second", "minute", "session", "date")

# Compared in lower case. Tickers are exempt: NA and NAN are tickers.
_MISSING = frozenset({"", "na", "n/a", "#n/a", "nan", "nat", "null", "none", "<na>", "-", "--"})
_KIND = re.compile(r"[a-z][a-z0-9_-]{0,39}")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_LEADING_ZERO = re.compile(r"[+-]?0\d")
_MOMENT = re.compile(
    r"(?P<year>\d{4})(?P<mark>[-/]?)(?P<month>\d\d)(?P=mark)(?P<day>\d\d)"
    r"(?:[Tt ] *(?P<hour>\d\d):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,](?P<fraction>\d{1,9}))?)?"
    r" *(?P<offset>[Zz]|UTC|GMT|[+-]\d\d(?::?\d\d)?)?)?"
)
_FORMS = "write 2024-10-30, or 2024-10-30T16:05:00-04:00"
#: Years in which an announcement may lie.
YEARS = range(1900, 2201)
_LARGEST_OFFSET = dt.timedelta(hours=15)


class CellError(ValueError):
    """What is wrong with one cell; collected into an InputError, never shown by itself."""


@dataclass(frozen=True, slots=True)
class Moment:
    """An instant, or a bare calendar date.

    Exactly one of the two is set; ``instant`` is in UTC, ``date`` at the exchange.
    """

    date: pd.Timestamp | None = None
    instant: pd.Timestamp | None = None


def is_missing(cell: Any) -> bool:
    """Whether a cell holds nothing: None, NaN, NaT, blank text or a usual code for them."""
    if isinstance(cell, str):
        return cell.strip().casefold() in _MISSING
    return (
        cell is None
        or cell is pd.NaT
        or cell is pd.NA
        or (isinstance(cell, float | np.floating) and bool(np.isnan(cell)))
    )


def shown(cell: Any) -> Any:
    """A cell as a message may print it."""
    return None if not isinstance(cell, str) and is_missing(cell) else str(cell)[:80]


def ticker(cell: Any) -> str:
    """A ticker symbol, as text that is safe in a file name and in a page."""
    if not isinstance(cell, str) and is_missing(cell):
        raise CellError("the ticker is missing (a ticker NA or NAN needs reading with keep_default_na=False)")
    if not isinstance(cell, str):
        raise CellError(f"a ticker is text, this is {type(cell).__name__}; read the column as text (dtype=str)")
    if not cell.strip():
        raise CellError("the ticker is blank")
    if not TICKER.fullmatch(cell.strip()):
        raise CellError("no ticker: allowed are 1 to 20 letters, digits and . - = ^ _, a letter, digit or ^ first")
    return cell.strip()


def moment(cell: Any, zone: dt.tzinfo | None) -> Moment | None:
    """An instant or a bare date; None where the cell is missing.

    Parameters
    ----------
    cell : object
        ISO 8601 text (``2024-10-30``, ``20241030``, ``2024/10/30``, with or without time
        and offset), a date, or a datetime. Midnight without an offset is a bare date:
        tools that know no dates write one that way.
    zone : tzinfo or None
        Zone of times without an offset; None refuses them.

    Raises
    ------
    CellError
    """
    if is_missing(cell):
        return None
    if isinstance(cell, np.datetime64):
        cell = pd.Timestamp(cell)
    if isinstance(cell, dt.date):
        return _placed(_timestamp(cell), zone)
    if isinstance(cell, numbers.Integral) and not isinstance(cell, bool) and len(str(cell)) == 8:
        cell = str(cell)
    if not isinstance(cell, str):
        raise CellError(f"a {type(cell).__name__} is no date (Excel serial numbers are not guessed); {_FORMS}")
    found = _MOMENT.fullmatch(cell.strip())
    if not found:
        raise CellError(_unreadable(cell.strip()))
    return _placed(_from_parts(found), zone)


def _timestamp(value: dt.date) -> pd.Timestamp:
    if value.year not in YEARS:
        raise CellError(f"the year {value.year} lies outside {YEARS[0]} to {YEARS[-1]}")
    return pd.Timestamp(value).as_unit("ns")


def _from_parts(found: re.Match[str]) -> pd.Timestamp:
    year, month, day, hour, minute, second = (
        int(found[part] or 0) for part in ("year", "month", "day", "hour", "minute", "second")
    )
    try:
        stamp = _timestamp(dt.datetime(year, month, day, hour, minute, second))
    except CellError:
        raise
    except ValueError as error:
        raise CellError(f"no such date or time: {error}") from error
    stamp += pd.Timedelta(int((found["fraction"] or "0").ljust(9, "0")), unit="ns")
    return stamp if found["offset"] is None else stamp.tz_localize(_offset(found["offset"]))


def _offset(text: str) -> dt.timezone:
    if text[0] not in "+-":
        return dt.UTC
    digits = text[1:].replace(":", "").ljust(4, "0")
    size = dt.timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    if size > _LARGEST_OFFSET or int(digits[2:]) > 59:
        raise CellError(f"no such UTC offset: {text}")
    return dt.timezone(-size if text[0] == "-" else size)


def _placed(stamp: pd.Timestamp, zone: dt.tzinfo | None) -> Moment:
    if stamp.tz is not None:
        return Moment(instant=stamp.tz_convert("UTC"))
    if stamp == stamp.normalize():
        return Moment(date=stamp)
    if zone is None:
        raise CellError('a time without a UTC offset; add the offset, or pass timezone="America/New_York" or such')
    local: Any = stamp.tz_localize(zone, ambiguous="NaT", nonexistent="NaT")
    if local is pd.NaT:
        raise CellError(f"the clock change in {zone} skips or repeats this time; add the offset")
    return Moment(instant=local.tz_convert("UTC"))


def _unreadable(text: str) -> str:
    if re.fullmatch(r"\d+(\.\d*)?", text):
        return f"a bare number is no date (Excel serial numbers are not guessed); {_FORMS}"
    if re.match(r"\d{1,2}([/.-])\d{1,2}\1\d{2,4}", text):
        return f"day and month can be read in either order; {_FORMS}"
    if re.search(r"\d *[A-Za-z]{2,}$|/", text):
        return f"12-hour clocks and zone names are not read; {_FORMS}"
    return f"cannot be read as a date or time; {_FORMS}"


def instant(cell: Any, zone: dt.tzinfo | None) -> Moment | None:
    """An instant; a bare date is refused, a missing cell is None."""
    found = moment(cell, zone)
    if found is not None and found.instant is None:
        raise CellError(f"a time of day is needed; {_FORMS.partition(', or ')[2]}")
    return found


def bare_date(cell: Any) -> Moment | None:
    """A calendar date without time and offset; a missing cell is None."""
    found = moment(cell, dt.UTC)
    if found is not None and found.date is None:
        raise CellError("a bare date is expected, without time and offset")
    return found


def number(cell: Any) -> float:
    """A finite number; NaN where the cell is missing."""
    if is_missing(cell):
        return math.nan
    if isinstance(cell, str):
        if not _NUMBER.fullmatch(cell.strip()):
            raise CellError("no plain number (write 1234.5: no currency sign, percent sign, unit or separator)")
        cell = cell.strip()
    elif isinstance(cell, bool | np.bool_) or not isinstance(cell, numbers.Number | np.generic):
        raise CellError(f"no number but {type(cell).__name__}")
    try:
        value = float(cell)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError) as error:
        raise CellError("no real number") from error
    if math.isinf(value):
        raise CellError("infinite")
    return value


def session_flag(cell: Any) -> str | None:
    """``bmo``, ``dmh`` or ``amc`` in lower case; None where missing or ``unknown``."""
    if is_missing(cell) or (isinstance(cell, str) and cell.strip().casefold() == "unknown"):
        return None
    if not isinstance(cell, str) or cell.strip().lower() not in SESSION_FLAGS:
        raise CellError("no session flag: bmo (before the open), dmh (during the day), amc (after the close), or blank")
    return cell.strip().lower()


def precision(cell: Any) -> str | None:
    """How exact the time is; None where the cell is missing."""
    if is_missing(cell):
        return None
    if not isinstance(cell, str) or cell.strip().lower() not in PRECISIONS:
        raise CellError(f"no precision: {', '.join(PRECISIONS)}, or blank")
    return cell.strip().lower()


def kind(cell: Any) -> str:
    """Kind of the announcement in lower case; ``earnings`` where the cell is missing."""
    if is_missing(cell):
        return "earnings"
    if not isinstance(cell, str) or not _KIND.fullmatch(cell.strip().lower()):
        raise CellError("no kind: a word such as earnings, guidance or product (letters, digits, - and _)")
    return cell.strip().lower()


def text(cell: Any) -> str | None:
    """Text without control characters; whole numbers lose a trailing ``.0``; None where missing."""
    if is_missing(cell):
        return None
    if isinstance(cell, bool | np.bool_):
        raise CellError("text expected, not a truth value")
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)
    found = str(cell).strip()
    if not found.isprintable():
        raise CellError("holds control characters")
    return found


def is_plain_number(text: str) -> bool:
    """Whether text is a number throughout; a code with leading zeros is not."""
    digits = text.strip()
    return bool(_NUMBER.fullmatch(digits)) and not _LEADING_ZERO.match(digits)
