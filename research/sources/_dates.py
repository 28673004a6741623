"""Dates as people write them, read right or refused, never guessed.

Year-first and day-month-year with dots are unambiguous, and so are dates with the name of the
month. Of ``3/4/2024`` a whole column decides, if one of its cells has a part above 12.
Serial numbers of spreadsheets and years of two digits are refused, unless
``date_format`` in columns.toml says how to read them.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from typing import Any

import pandas as pd

from research.sources._checks import Offence
from research.sources._tables import Table

_YEAR_FIRST = re.compile(r"(?P<y>\d{4})([-/.])(?P<m>\d{1,2})\2(?P<d>\d{1,2})")
_COMPACT = re.compile(r"(?P<y>(?:19|20)\d{2})(?P<m>\d{2})(?P<d>\d{2})")
_DOTTED = re.compile(r"(?P<d>\d{1,2})\.(?P<m>\d{1,2})\.(?P<y>\d{4})")
_SLASHED = re.compile(r"(?P<a>\d{1,2})([/-])(?P<b>\d{1,2})\2(?P<y>\d{4})")
_NAMED = ("%d-%b-%Y", "%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%b %d %Y", "%B %d %Y", "%d/%b/%Y")
_TWO_DIGITS = re.compile(r"\d{1,2}([-/.])(\d{1,2}|[A-Za-z]{3})\1\d{2}")
_SERIAL = re.compile(r"\d{5}(\.\d+)?")
_TIME = re.compile(
    r"(?P<h>\d{1,2}):(?P<m>\d{2})(?P<s>:\d{2}(?:\.\d+)?)?\s*(?P<half>[AaPp]\.?[Mm]\.?)?\s*(?P<offset>Z|z|[+-]\d{2}:?\d{2})?"
)
_MIDNIGHT = re.compile(r"0{1,2}:00(:00(\.0+)?)?")
_AN_OFFSET = re.compile(r"\s*(Z|z|[+-]\d{2}:?\d{2})$")
#: Years that instants in nanoseconds hold from the first day to the last.
YEARS = (1678, 2261)
_NO_YEAR = f"lies outside the years {YEARS[0]} to {YEARS[1]}"
_EXCEL_EPOCH = dt.date(1899, 12, 30)

_AMBIGUOUS = 'could be day/month or month/day; say date_format = "%d/%m/%Y" or "%m/%d/%Y" in columns.toml'


class NotADateError(ValueError):
    """A cell that is no date; the message says why."""


def parse_dates(column: pd.Series, date_format: str | None = None) -> tuple[pd.Series, list[Offence]]:
    """Session labels from a column of text or of dates.

    Parameters
    ----------
    column : Series
        Cells as read; the index labels name the rows in offences.
    date_format : str, optional
        ``strptime`` format of the column; year-first dates are read all the same.

    Returns
    -------
    dates : Series of datetime64[ns]
        Tz-naive midnights, NaT where a cell is no date.
    offences : list of tuple
        ``(line, column, cell, problem)``.
    """
    if isinstance(column.dtype, pd.DatetimeTZDtype) or pd.api.types.is_datetime64_dtype(column.dtype):
        return _typed_dates(column)
    cells = column.tolist()
    day_first = _day_first(cells)
    known: dict[Any, dt.date | str] = {}
    for cell in cells:
        if cell not in known:
            day = _date_or_problem(cell, day_first, date_format)
            known[cell] = day if isinstance(day, str) or YEARS[0] <= day.year <= YEARS[1] else _NO_YEAR
    found = [known[cell] for cell in cells]
    dates = pd.DatetimeIndex([pd.NaT if isinstance(day, str) else day for day in found], dtype="datetime64[ns]")
    wrong = [
        (line, str(column.name), cell, day)
        for line, cell, day in zip(column.index, cells, found, strict=True)
        if isinstance(day, str)
    ]
    return pd.Series(dates, index=column.index, name=column.name), wrong


def tidy_instants(column: pd.Series, date_format: str | None = None) -> tuple[pd.Series, list[Offence]]:
    """Instants and dates of announcements in the ISO spelling; time zones are left to Announcements.

    A column in which every time is midnight, with an offset or without, holds dates: midnight is what
    exports write for "no time", and reading it as an hour would call every announcement pre-open, or put
    it on the evening before.

    Parameters
    ----------
    column : Series
        Text.
    date_format : str, optional
        ``strptime`` format of the date part.

    Returns
    -------
    tidy : Series of object
        ``2024-10-30``, ``2024-10-30T16:05:00`` or with the offset it had; a cell that cannot
        be read is passed on unchanged.
    offences : list of tuple
        Cells whose date part cannot be read. Times are left to the table of announcements.
    """
    cells = column.tolist()
    split = [_split(cell) for cell in cells]
    day_first = _day_first([date for date, _ in split])
    bare = _without_times(split)
    tidy, wrong = [], []
    for line, cell, (date, time) in zip(column.index, cells, split, strict=True):
        value = cell
        if date:
            day = _date_or_problem(date, day_first, date_format)
            if isinstance(day, str):
                wrong.append((line, str(column.name), cell, day))
            else:
                value = f"{day:%Y-%m-%d}" if bare or not time else f"{day:%Y-%m-%d}T{_clock(time)}"
        tidy.append(value)
    return pd.Series(tidy, index=column.index, name=column.name, dtype=object), wrong


def with_times(table: Table) -> tuple[Table, list[Offence]]:
    """Announcements whose time is in a column of its own, ``announced_time``, as I/B/E/S has it, put together.

    A blank time leaves a bare date, and so does midnight, which is no time but the lack of one: behind a
    date as well, if it has no offset, or if the whole column of dates has no other time.

    Returns
    -------
    table : Table
        Without ``announced_time``.
    offences : list of tuple
        Times that are none, and those of an ``announced_at`` with a time already. Dates are left to
        :func:`tidy_instants`.
    """
    if "announced_time" not in table.frame:
        return table, []
    dates, times = table.frame["announced_at"], table.frame["announced_time"]
    if isinstance(dates.dtype, pd.DatetimeTZDtype) or pd.api.types.is_datetime64_dtype(dates.dtype):
        whole = dates.dt.tz_localize(None) == dates.dt.tz_localize(None).dt.normalize()
        dates = dates.dt.strftime("%Y-%m-%d").where(whole, dates.astype(str)).where(dates.notna(), None)
    texts = [_text(date) for date in dates]
    split = [_split(text) for text in texts]
    bare = _without_times(split)
    joined, wrong = [], []
    for line, date, text, (day, own), cell in zip(table.frame.index, dates, texts, split, times, strict=True):
        time = _text(cell)
        value, hour = date, own
        if own and (_MIDNIGHT.fullmatch(own) or bare):
            value, text, hour = day, day, ""
        if time and not _is_time(time):
            wrong.append((line, "announced_time", cell, "is no time such as 16:05 or 4:05 PM; bmo, dmh, amc: session"))
        elif time and (hour or ":" in text):
            wrong.append((line, "announced_time", cell, "stands beside an announced_at that has a time itself"))
        elif time and text and not _MIDNIGHT.fullmatch(time):
            value = f"{text} {time}"
        joined.append(value)
    frame = table.frame.drop(columns="announced_time")
    frame["announced_at"] = pd.Series(joined, index=frame.index, dtype=object)
    return Table(table.name, frame, table.dates - {"announced_at"}), wrong


def _text(cell: Any) -> str:
    """A cell as text; empty where it is missing."""
    return "" if cell is None or pd.isna(cell) else str(cell).strip()


def _without_times(split: Sequence[tuple[str, str]]) -> bool:
    """Whether no date of a column has a time behind it, but midnight, in whatever zone."""
    return all(not time or _MIDNIGHT.fullmatch(_AN_OFFSET.sub("", time)) for _, time in split)


def _typed_dates(column: pd.Series) -> tuple[pd.Series, list[Offence]]:
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        column = column.dt.tz_localize(None)  # its midnights are those of its own zone
    far = column.notna() & ~column.dt.year.between(*YEARS)
    dates = column.mask(far).astype("datetime64[ns]")
    late = dates.notna() & (dates != dates.dt.normalize())
    wrong: list[Offence] = [
        (line, str(column.name), str(cell), "has a time of day; a session label is a bare date")
        for line, cell in dates[late].items()
    ]
    wrong += [(line, str(column.name), str(cell), _NO_YEAR) for line, cell in column[far].items()]
    wrong += [(line, str(column.name), None, "has no date") for line in dates.index[dates.isna() & ~far]]
    return dates, wrong


def _day_first(cells: Sequence[Any]) -> bool | None:
    """Order of day and month in ``a/b/year``; None if the column does not prove one."""
    parts = [_SLASHED.match(cell) for cell in dict.fromkeys(c for c in cells if isinstance(c, str))]
    first = any(int(part["a"]) > 12 for part in parts if part)
    second = any(int(part["b"]) > 12 for part in parts if part)
    return first if first != second else None


def _date_or_problem(cell: Any, day_first: bool | None, date_format: str | None) -> dt.date | str:
    if isinstance(cell, dt.datetime):
        cell = cell.isoformat()
    elif isinstance(cell, dt.date):
        return cell
    elif isinstance(cell, int) and not isinstance(cell, bool):  # 20240304, as some databases keep their dates
        cell = str(cell)
    if not isinstance(cell, str):
        return "is no date" if pd.notna(cell) else "has no date"
    try:
        return _date(cell, day_first, date_format)
    except NotADateError as error:
        return str(error)
    except ValueError:
        return "is no day of the calendar"


def _date(cell: str, day_first: bool | None, date_format: str | None) -> dt.date:
    """Date of a cell; a time of midnight may follow it, in whatever zone the file has its days."""
    if not cell:
        raise NotADateError("has no date")
    text, _, time = cell.replace("T", " ", 1).partition(" ") if ":" in cell else (cell, "", "")
    if time and not _MIDNIGHT.fullmatch(_AN_OFFSET.sub("", time.strip())):
        raise NotADateError("has a time of day; a session label is a bare date")
    for pattern in (_YEAR_FIRST,) if date_format else (_YEAR_FIRST, _COMPACT, _DOTTED):
        found = pattern.fullmatch(text)
        if found:
            return dt.date(int(found["y"]), int(found["m"]), int(found["d"]))
    if date_format:
        try:
            return dt.datetime.strptime(text, date_format).date()
        except ValueError as error:
            raise NotADateError(f"does not follow date_format = {date_format!r}") from error
    return _slashed_or_named(text, day_first)


def _slashed_or_named(text: str, day_first: bool | None) -> dt.date:
    found = _SLASHED.fullmatch(text)
    if found:
        if day_first is None:
            raise NotADateError(_AMBIGUOUS)
        day, month = (found["a"], found["b"]) if day_first else (found["b"], found["a"])
        return dt.date(int(found["y"]), int(month), int(day))
    for pattern in _NAMED:
        try:
            return dt.datetime.strptime(text, pattern).date()
        except ValueError:
            continue
    if _TWO_DIGITS.fullmatch(text):
        raise NotADateError("has a year of two digits; write it out, or say date_format in columns.toml")
    if _SERIAL.fullmatch(text):
        meant = _EXCEL_EPOCH + dt.timedelta(days=int(float(text)))
        raise NotADateError(f"looks like a serial number of a spreadsheet ({meant} if its days count from 1900)")
    raise NotADateError("is no date YYYY-MM-DD")


def _split(cell: Any) -> tuple[str, str]:
    """Date and time part of an instant; two empty strings for anything else."""
    if not isinstance(cell, str):
        return "", ""
    time = _TIME.search(cell)
    if not time:
        return (cell, "") if re.search(r"\d", cell) else ("", "")
    if time.end() != len(cell):
        return "", ""
    return cell[: time.start()].rstrip(" Tt,"), time[0].strip()


def _is_time(text: str) -> bool:
    """Whether a text is a time of day, and one that exists."""
    try:
        dt.time.fromisoformat(_clock(text).upper())
    except ValueError:
        return False
    return bool(_TIME.fullmatch(text))


def _clock(time: str) -> str:
    """A time in 24 hours; one that does not exist is passed on unchanged."""
    found = _TIME.fullmatch(time)
    if not found:
        return time
    hour = int(found["h"])
    half = (found["half"] or "").lower().replace(".", "")
    if half and not 1 <= hour <= 12:
        return time
    if half:
        hour = hour % 12 + (12 if half == "pm" else 0)
    return f"{hour:02d}:{found['m']}{found['s'] or ''}{found['offset'] or ''}"
