"""Reading other people's tables: CSV as it really comes out of spreadsheets, and Parquet.

Cells of a CSV file stay text here (a ticker TRUE, NA or 007 is a ticker), and every row
keeps its line number in the file, so that any complaint can name it.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from research.errors import InputError, offences, unreadable

_DELIMITERS = (",", ";", "\t", "|")
#: How files begin that are called .csv and are none.
_NO_TEXT = {
    b"PK\x03\x04": "an Excel workbook",
    b"\xd0\xcf\x11\xe0": "an Excel workbook of the old kind",
    b"\x1f\x8b": "compressed (gzip)",
    b"PAR1": "a Parquet file",
}
#: Header of a column of row numbers, also after it went through pandas once more.
_NAMELESS = frozenset({"", "Unnamed: 0"})
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True)
class Table:
    """One file as read.

    Attributes
    ----------
    name : str
        File name, as messages show it.
    frame : DataFrame
        Its cells. The index, named ``line``, counts lines of the file for CSV (the header
        is line 1) and records from 1 for Parquet.
    dates : frozenset of str
        Columns that the file itself declares to be dates without a time (Parquet only).
    """

    name: str
    frame: pd.DataFrame
    dates: frozenset[str] = frozenset()


def read_table(path: Path, name: str | None = None) -> Table:
    """Read one CSV or Parquet file.

    Parameters
    ----------
    path : Path
        The file; its suffix decides.
    name : str, optional
        How messages call it; default its own name.

    Returns
    -------
    Table

    Raises
    ------
    InputError
        If it is empty, has a header only, is no text in UTF-8, has ragged rows or
        repeated column names (every such row or name is listed), or is no Parquet.
    """
    label = name or path.name
    table = _read_parquet(path, label) if path.suffix.casefold() == ".parquet" else _read_csv(path, label)
    if table.frame.empty:
        raise InputError(f"{label} has no rows", remedy="It needs at least one row below the header.")
    return table


def _closed(name: str, error: OSError) -> InputError:
    return InputError(f"{name} cannot be read ({unreadable(error)})", remedy="Check who may read it.")


# --- CSV --------------------------------------------------------------------------------


def _read_csv(path: Path, name: str) -> Table:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise _closed(name, error) from error
    text = _decode(data, name)
    if not text.strip():
        raise InputError(f"{name} is empty", remedy="It needs a header line and at least one row.")
    if text.lstrip()[:1] == "<":
        raise InputError(f"{name} is a web page, not a table", remedy="Download the table itself, as CSV.")
    delimiter, skipped = _delimiter(text)
    records = _unquoted(text, delimiter, skipped) or _quoted(text, delimiter, skipped, name)
    width = len(records.header)
    columns = {place: records.cells[place::width] for place in range(width)}
    frame = pd.DataFrame(columns, index=pd.Index(records.lines, name="line", dtype="int64"), dtype=object)
    frame.columns = pd.Index(records.header, dtype=object)
    return Table(name, _without_row_numbers(frame))


def _decode(data: bytes, name: str) -> str:
    for beginning, what in _NO_TEXT.items():
        if data.startswith(beginning):
            raise InputError(f"{name} is {what}, not text", remedy="Save it as 'CSV UTF-8' first.")
    if data.startswith(_UTF16):  # what Excel calls "Unicode text"
        return data.decode("utf-16", errors="replace").lstrip("\ufeff")
    if b"\x00" in data:
        raise InputError(f"{name} is not text: it contains NUL bytes", remedy="Save it as 'CSV UTF-8'.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{name} is not UTF-8 (row numbers are lines of the file)",
            rows=offences(_undecodable(data)),
            remedy="Save it as 'CSV UTF-8', or convert it from its old encoding (often Windows-1252).",
        ) from error


def _undecodable(data: bytes) -> list[tuple[int, str, None, str]]:
    found: list[tuple[int, str, None, str]] = []
    for number, line in enumerate(data.removeprefix(codecs.BOM_UTF8).splitlines(), start=1):
        try:
            line.decode("utf-8")
        except UnicodeDecodeError as error:
            byte = line[error.start]
            found.append((number, "line", None, f"byte 0x{byte:02x} at position {error.start + 1} is not UTF-8"))
    return found


def _delimiter(text: str) -> tuple[str, int]:
    """Delimiter of the header, and how many leading records are not table (Excel's ``sep=;``)."""
    first = text.lstrip("\r\n").partition("\n")[0]
    declared = re.fullmatch(r"sep=(.)\s*", first)
    if declared:
        return declared[1], 1
    unquoted = re.sub(r'"[^"]*"', "", first)
    return max(_DELIMITERS, key=unquoted.count), 0


@dataclass(frozen=True)
class _Records:
    """Header, the line of each row, and all cells in one list, row after row.

    One flat list: millions of small ones would keep the garbage collector busy for
    longer than the reading takes.
    """

    header: list[str]
    lines: list[int]
    cells: list[str]


def _unquoted(text: str, delimiter: str, skipped: int) -> _Records | None:
    """Rows of a file without quotation marks; None where they need a closer look."""
    if '"' in text:
        return None
    blank = delimiter + " \t"
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    kept = [(number, line) for number, line in enumerate(lines, start=1) if line.strip(blank)][skipped:]
    if not kept:
        return None
    header = [cell.strip() for cell in kept[0][1].split(delimiter)]
    width = len(header)
    if not all(header[1:]) or len(set(header)) < width:
        return None
    if any(line.count(delimiter) != width - 1 for _, line in kept):
        return None
    cells = delimiter.join(line for _, line in kept[1:]).split(delimiter) if len(kept) > 1 else []
    return _Records(header, [number for number, _ in kept[1:]], [cell.strip() for cell in cells])


def _quoted(text: str, delimiter: str, skipped: int, name: str) -> _Records:
    """Rows of any file, a row with the line on which it begins; blank ones left out."""
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=delimiter, strict=True, skipinitialspace=delimiter != "\t"
    )
    header: list[str] = []
    lines: list[int] = []
    cells: list[str] = []
    ragged = []
    begins, seen = 1, 0
    try:
        for record in reader:
            line, begins = begins, reader.line_num + 1
            row = [cell.strip() for cell in record]
            if not any(row):
                continue
            seen += 1
            if seen <= skipped:
                continue
            if not header:
                header = _header(row, line, name)
            elif len(row) < len(header) or any(row[len(header) :]):
                ragged.append((line, "line", None, f"{len(row)} cells where the header has {len(header)}"))
            else:
                lines.append(line)
                cells += row[: len(header)]
    except csv.Error as error:
        raise InputError(
            f"{name} is no well-formed CSV",
            rows=offences([(begins, "line", None, str(error))]),
            remedy="Look for a quotation mark that is never closed, at that line or before it.",
        ) from error
    if ragged:
        raise InputError(
            f"{name} has rows that do not fit its header (row numbers are lines of the file)",
            rows=offences(ragged),
            remedy="Remove notes above and below the table, and put quotes around cells that contain the delimiter "
            f"{delimiter!r}.",
        )
    return _Records(header, lines, cells)


def _header(cells: list[str], line: int, name: str) -> list[str]:
    """Column names; spreadsheets pad lines with nameless columns, which go."""
    while cells and not cells[-1]:
        cells = cells[:-1]
    repeated = [cell for cell, count in Counter(cells).items() if count > 1]
    if repeated:
        raise InputError(
            f"{name} has columns of the same name",
            rows=offences([(line, cell or "(no name)", None, "appears more than once") for cell in repeated]),
            remedy="Give every column its own name.",
        )
    return cells


def _without_row_numbers(frame: pd.DataFrame) -> pd.DataFrame:
    """Drop a nameless first column that only counts the rows, as ``DataFrame.to_csv`` and R leave it."""
    first = next(iter(frame.columns), None)
    if first not in _NAMELESS:
        return frame
    counts = [[str(number) for number in range(begin, begin + len(frame))] for begin in (0, 1)]
    return frame.drop(columns=first) if frame[first].tolist() in counts else frame


# --- Parquet ----------------------------------------------------------------------------


def _read_parquet(path: Path, name: str) -> Table:
    try:
        table = pq.read_table(path)
    except (pa.ArrowInvalid, OSError) as error:
        if isinstance(error, OSError) and error.errno:
            raise _closed(name, error) from error
        raise InputError(f"{name} is no readable Parquet file", remedy="Write it again.") from error
    repeated = [column for column, count in Counter(table.column_names).items() if count > 1]
    if repeated:
        raise InputError(f"{name} has columns of the same name: {', '.join(repeated)}")
    dates = frozenset(field.name for field in table.schema if pa.types.is_date(field.type))
    frame = table.to_pandas(date_as_object=False, ignore_metadata=True)
    # An unnamed pandas index is stored under this name.
    frame = frame.rename(columns={"__index_level_0__": ""})
    for column in frame.columns:
        if isinstance(frame[column].dtype, pd.CategoricalDtype):
            frame[column] = frame[column].astype(frame[column].cat.categories.dtype)
    frame.index = pd.RangeIndex(1, len(frame) + 1, name="line")
    return Table(name, frame, frozenset("" if column == "__index_level_0__" else column for column in dates))
