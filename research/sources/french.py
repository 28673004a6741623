"""Kenneth French's data library: daily factors, in decimals, with the risk-free rate.

The library's zips hold one text file: some lines of prose, a header, rows of ``yyyymmdd`` and
percentages, a copyright line. Two layouts are about, commas (CSV) and columns of
spaces (TXT), and the header's first cell is empty or says "Date". Missing returns are
-99.99 or -999.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from research.errors import SourceError, in_words
from research.sources._http import get
from research.sources._retry import Budget, Retry, TransientError

SOURCE = "french"
KEY = "daily"

_LIBRARY = "https://mba.tuck.dartmouth.edu/pages/faculty/ken.french/ftp/"
#: Table, its file, and the columns that it has to have.
_FILES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "factors3": ("F-F_Research_Data_Factors_daily_CSV.zip", ("Mkt-RF", "SMB", "HML", "RF")),
    "factors5": ("F-F_Research_Data_5_Factors_2x3_daily_CSV.zip", ("Mkt-RF", "SMB", "HML", "RMW", "CMA", "RF")),
    "momentum": ("F-F_Momentum_Factor_daily_CSV.zip", ("Mom",)),
}
_MISSING = (-99.99, -999.0)
_ROW = re.compile(r"\s*\d{8}\s*[, ]")
_KNOWN = frozenset({"Mkt-RF", "SMB", "HML", "RMW", "CMA", "RF", "Mom"})


class FrenchClient:
    """Fetches the daily factor files.

    Parameters
    ----------
    budget : Budget
    retry : Retry, optional
    timeout : float
    tell : callable
    """

    def __init__(
        self,
        budget: Budget,
        retry: Retry | None = None,
        *,
        timeout: float = 30.0,
        tell: Callable[[str], None] = lambda line: None,
    ) -> None:
        self._budget, self._retry, self._timeout, self._tell = budget, retry or Retry(), timeout, tell

    def __repr__(self) -> str:
        return "FrenchClient()"

    def fetch(
        self, key: str, start: str, earlier: list[Any] | None = None
    ) -> tuple[dict[str, pd.DataFrame], dict[str, Any], dict[str, str]]:
        """Tables ``factors3``, ``factors5`` and ``momentum``: ``date`` and one column a factor, decimals.

        The files are always fetched whole; ``start`` cuts them.

        Raises
        ------
        SourceError
            If the library does not deliver, or in a layout that is not known.
        """
        tables = {}
        for name, (file, columns) in _FILES.items():
            frame = self._retry.call(lambda f=file, c=columns: self._one(f, c), self._budget, self._tell)  # type: ignore[misc]
            tables[name] = frame[frame["date"] >= pd.Timestamp(start)].reset_index(drop=True)
        return tables, {}, {}

    def _one(self, file: str, columns: tuple[str, ...]) -> pd.DataFrame:
        data = get(_LIBRARY + file, service="French's data library", budget=self._budget, timeout=self._timeout)
        return read_zip(data, file, columns)


def read_zip(data: bytes, name: str, columns: tuple[str, ...]) -> pd.DataFrame:
    """One zipped file of the library.

    Parameters
    ----------
    data : bytes
    name : str
        For messages.
    columns : tuple of str
        Factors that it has to have.

    Returns
    -------
    DataFrame
        ``date`` (datetime64[ns]) and the factors in decimals; missing codes become NaN.

    Raises
    ------
    TransientError
        If it is no zip, as when the transfer was cut short or a page came instead.
    SourceError
        If its layout is not known.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = [member for member in archive.namelist() if member.casefold().endswith((".csv", ".txt"))]
            if len(members) != 1:
                raise SourceError(f"{name} holds {in_words(archive.namelist()) or 'nothing'} instead of one table")
            text = archive.read(members[0]).decode("latin-1")
    except (zipfile.BadZipFile, EOFError, zlib.error) as error:
        raise TransientError(f"French's data library: {name} is no complete zip file") from error
    return read_text(text, name, columns)


def read_text(text: str, name: str, columns: tuple[str, ...]) -> pd.DataFrame:
    """The daily table of one file; see :func:`read_zip`."""
    lines = text.replace("\r\n", "\n").split("\n")
    header: list[str] = []
    rows: list[list[str]] = []
    for line in lines:
        if _ROW.match(line):
            rows.append(_cells(line))
        elif rows:
            break  # the first table is the daily one; prose or other tables follow
        else:
            cells = [cell for cell in _cells(line) if cell and cell.casefold() != "date"]
            if cells and set(cells) <= _KNOWN:
                header = cells
    missing = [column for column in columns if column not in header]
    if missing or not rows:
        raise SourceError(
            f"French's data library: {name} has no column {in_words(missing)}" if rows else f"{name} has no daily row",
            remedy="Its layout has changed; bring the factors in a file of your own (files:DIR).",
        )
    ragged = [row[0] for row in rows if len(row) != len(header) + 1]
    if ragged:
        raise SourceError(f"French's data library: {name} has rows that do not fit its header: {in_words(ragged, 3)}")
    try:
        values = np.array([row[1:] for row in rows], dtype=object).astype(float)
        dates = pd.to_datetime(pd.Series([row[0] for row in rows]), format="%Y%m%d").dt.as_unit("ns")
    except ValueError as error:
        raise SourceError(f"French's data library: {name} has a cell that is no number ({error})") from error
    values[np.isin(values, _MISSING)] = np.nan
    frame = pd.DataFrame(values / 100, columns=header)[list(columns)]
    frame.insert(0, "date", dates)
    return frame


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.split(",")] if "," in line else line.split()


def combined(factors5: pd.DataFrame, momentum: pd.DataFrame) -> pd.DataFrame:
    """The five factors, momentum and the risk-free rate on one index of sessions."""
    five, mom = (frame.set_index(pd.DatetimeIndex(frame["date"], name="date")) for frame in (factors5, momentum))
    joined = five.drop(columns="date").join(mom.drop(columns="date"), how="left")
    return joined[["Mkt-RF", "SMB", "HML", "RMW", "CMA", "Mom", "RF"]]
