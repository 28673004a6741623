"""Numbers as spreadsheets print them: decimal commas, thousands separators, currencies, blanks.

Whether a comma is decimal is decided once a file, from cells that leave no doubt
(``27,4`` or ``1.234,56`` against ``27.4`` or ``1,234.56``); ``1,234`` alone proves nothing.
A file that contradicts itself, or proves nothing, is refused with the cells named.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_bool_dtype, is_numeric_dtype

from research.errors import InputError, offences
from research.sources._checks import Offence
from research.sources._tables import Table

#: Spellings of "no value", Bloomberg's and the statistics packages' included.
MISSING = frozenset(
    {"", "na", "n/a", "n.a.", "#n/a", "#na", "#n/a n/a", "nan", "null", "none", "-", "--", "–", "—", "."}
)
_CURRENCY = re.compile(r"^([+-]?)(?:US)?[$€£¥]\s*|\s*[$€£¥]$")
_SPACES = re.compile(r"(?<=\d)[\s'’](?=\d{3})")  # 1 234 567 and the Swiss 1'234'567
_GROUPS = {
    ".": re.compile(r"[+-]?(?=[\d.])(\d+|\d{1,3}(,\d{3})+)?(\.\d*)?([eE][+-]?\d+)?"),
    ",": re.compile(r"[+-]?(?=[\d,])(\d+|\d{1,3}(\.\d{3})+)?(,\d*)?([eE][+-]?\d+)?"),
}
_ONE_GROUP = re.compile(r"[+-]?[1-9]\d{0,2}[.,]\d{3}")


class NotANumberError(ValueError):
    """A cell that is no number; the message says why."""


def parse_table(
    table: Table,
    columns: Sequence[str],
    *,
    decimal: str | None = None,
    percent: Mapping[str, float] | None = None,
) -> tuple[pd.DataFrame, list[Offence]]:
    """Turn columns of a table into float64.

    Parameters
    ----------
    table : Table
    columns : sequence of str
        Columns that hold numbers.
    decimal : {".", ","}, optional
        The decimal mark of the file; default: found out from the cells.
    percent : mapping of str to float, optional
        Columns in which a cell may end in a percent sign, and the factor it stands for
        (0.01 where ``1.2%`` is 0.012). Elsewhere the sign is an offence.

    Returns
    -------
    numbers : DataFrame
        Same index, the columns asked for; NaN for a blank, and for a cell that is no number.
    offences : list of tuple
        ``(line, column, cell, problem)`` of every cell that is no number.

    Raises
    ------
    InputError
        If the decimal mark cannot be told, or the file mixes both.
    """
    frame = table.frame
    texts = {column: frame[column].tolist() for column in columns if not is_numeric_dtype(frame[column].dtype)}
    mark = decimal or _decimal_mark(table.name, frame.index, texts)
    signs = percent or {}
    found: list[Offence] = []
    done = {}
    for column in columns:
        if is_bool_dtype(frame[column].dtype):
            found += [
                (line, column, bool(cell), "is true or false, not a number") for line, cell in frame[column].items()
            ]
            done[column] = np.full(len(frame), np.nan)
        elif column in texts:
            done[column], wrong = _parse(texts[column], mark, signs.get(column))
            found += [(frame.index[place], column, texts[column][place], problem) for place, problem in wrong]
        else:
            done[column] = frame[column].to_numpy(dtype=float, na_value=np.nan)
    return pd.DataFrame(done, index=frame.index, columns=list(columns)), found


def is_blank(cell: str) -> bool:
    """Whether a cell says that there is no value."""
    return cell.strip().casefold() in MISSING


def number(cell: str, mark: str = ".", percent: float | None = None) -> float:
    """One cell as a number.

    Raises
    ------
    NotANumberError
        If it is none.
    """
    text = cell.strip().replace("−", "-")
    if is_blank(text):
        return float("nan")
    if text.startswith("#"):
        raise NotANumberError("is an error value of a spreadsheet")
    negative = text.startswith("(") and text.endswith(")")
    text = _CURRENCY.sub(r"\1", text[1:-1].strip() if negative else text)
    share = text.endswith("%")
    if share and percent is None:
        raise NotANumberError("is a percentage where an amount belongs")
    text = _SPACES.sub("", text.removesuffix("%").strip())
    if not _GROUPS[mark].fullmatch(text) or not text.lstrip("+-.,")[:1].isdigit():
        raise NotANumberError("is no number" + ("" if mark == "." else " with a decimal comma, which this file uses"))
    plain = text.replace(",", "") if mark == "." else text.replace(".", "").replace(",", ".")
    value = float(plain) * (percent if share and percent else 1)
    return -value if negative else value


def _parse(cells: list[Any], mark: str, percent: float | None) -> tuple[np.ndarray, list[tuple[int, str]]]:
    """Values, and the places that hold none with the reason."""
    if mark == "." and not _contains(cells, "_"):  # which Python reads over: 1_000
        try:  # nearly every file; the rest of this function is for the others
            return np.array(["nan" if cell == "" else cell for cell in cells], dtype=object).astype(float), []
        except (TypeError, ValueError):
            pass
    known: dict[Any, float | str] = {}
    for cell in cells:
        if cell not in known:
            known[cell] = _value(cell, lambda text: number(text, mark, percent))
    found = [known[cell] for cell in cells]
    wrong = [(place, value) for place, value in enumerate(found) if isinstance(value, str)]
    return np.array([np.nan if isinstance(value, str) else value for value in found], dtype=float), wrong


def _contains(cells: list[Any], mark: str) -> bool:
    """Whether any text among the cells has a character; in one search where all are text, as they are in a CSV file."""
    try:
        return mark in "\n".join(cells)
    except TypeError:
        return any(mark in cell for cell in cells if isinstance(cell, str))


def _value(cell: Any, parse: Callable[[str], float]) -> float | str:
    """Number of a cell, or what is wrong with it."""
    if cell is None or cell is pd.NaT or cell is pd.NA:
        return float("nan")
    try:
        return parse(cell) if isinstance(cell, str) else float(cell)
    except NotANumberError as error:
        return str(error)
    except (TypeError, ValueError):
        return "is no number"


def _decimal_mark(name: str, lines: pd.Index, texts: dict[str, list[Any]]) -> str:
    """Decimal mark of a file, from every numeric cell that has one or could have one."""
    if not any(_contains(cells, ",") for cells in texts.values()):
        return "."
    proofs: dict[str, list[Offence]] = {".": [], ",": [], "?": []}
    for column, cells in texts.items():
        for line, cell in zip(lines, cells, strict=True):
            kind = _proof(cell) if isinstance(cell, str) else None
            if kind:
                proofs[kind].append((line, column, cell, ""))
    if proofs["."] and proofs[","]:
        odd, usual = sorted((".", ","), key=lambda mark: len(proofs[mark]))
        words = {".": "point", ",": "comma"}
        raise InputError(
            f"{name} mixes decimal points and decimal commas (row numbers are lines of the file)",
            rows=_because(proofs[odd], f"has a decimal {words[odd]} where others have a {words[usual]}"),
            remedy="Use one of them throughout the file.",
        )
    doubtful = [offence for offence in proofs["?"] if "," in offence[2]]
    if doubtful and not proofs["."] and not proofs[","]:
        raise InputError(
            f"{name}: it cannot be told whether the comma is decimal or separates thousands "
            "(row numbers are lines of the file)",
            rows=_because(doubtful, "could be read both ways"),
            remedy='Say decimal = "," or decimal = "." at the top of columns.toml.',
        )
    return "," if proofs[","] else "."


def _because(found: list[Offence], problem: str) -> pd.DataFrame:
    return offences((line, column, cell, problem) for line, column, cell, _ in found)


def _proof(cell: str) -> str | None:
    """Which decimal mark a cell proves: ``.``, ``,``, ``?`` for either, None for no evidence."""
    text = _SPACES.sub("", re.sub(r"[^\d.,\s'’]", "", cell).strip())
    commas, points = text.count(","), text.count(".")
    if not any(character.isdigit() for character in text) or not (commas or points):
        return None
    if commas and points:
        return "," if text.rindex(",") > text.rindex(".") else "."
    if commas + points > 1:
        return "." if commas else ","
    if _ONE_GROUP.fullmatch(text):
        return "?"
    return "," if commas else "."
