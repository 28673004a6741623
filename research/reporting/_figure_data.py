"""The numbers behind a figure, as the table that a report folds under it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any

import numpy as np
import pandas as pd

#: Ending of the headings whose columns are fractions, shown times 100.
_PERCENT = ", %"

#: Significant digits, and decimals at most: smaller numbers than these no picture shows.
_DIGITS, _DECIMALS = 4, 4

#: A scatter of more points than this is told in groups.
MOST_POINTS = 300

_GROUPS = 20


def behind(frame: pd.DataFrame, headings: Mapping[str, str]) -> pd.DataFrame:
    """Columns of a frame under the headings a reader understands.

    Parameters
    ----------
    frame : DataFrame
    headings : mapping of column to heading
        In the order shown. A heading that ends in ``, %`` stands for a fraction, which comes out times 100.
    """
    taken = {
        heading: 100 * frame[name].astype(float) if heading.endswith(_PERCENT) else frame[name]
        for name, heading in headings.items()
    }
    return pd.DataFrame(taken).reset_index(drop=True)


def in_groups(x: pd.Series, y: pd.Series, headings: tuple[str, str]) -> pd.DataFrame:
    """Means of y in up to 20 groups of equally many x, for scatters too full to list; pairs with NaN are left out.

    Parameters
    ----------
    x, y : Series of fractions
    headings : (str, str)
        What they are, without the unit.
    """
    pairs = pd.DataFrame({"x": x, "y": y}).astype(float).dropna()
    groups = pd.qcut(pairs["x"], _GROUPS, labels=False, duplicates="drop")
    found = pairs.groupby(groups).agg(
        n=("x", "size"), low=("x", "min"), high=("x", "max"), mean=("y", "mean"), sd=("y", "std")
    )
    across, up = headings
    return behind(
        found,
        {
            "low": f"{across} from, %",
            "high": "to, %",
            "n": "points",
            "mean": f"mean {up}, %",
            "sd": "standard deviation, %",
        },
    )


def wide(paths: pd.DataFrame, by: str, names: Mapping[Any, str], centre: str, banded: list[Any]) -> pd.DataFrame:
    """Paths side by side, one row a relative day, with the limits of those that are drawn with a band.

    Parameters
    ----------
    paths : DataFrame
        ``by, relative_day, low, high`` and the column ``centre``; fractions.
    by : str
        Column that tells the paths apart.
    names : mapping of the values of ``by`` to headings
    centre : str
    banded : list of values of ``by``
    """
    columns: dict[str, pd.Series] = {}
    for value, name in names.items():
        part = paths[paths[by] == value].set_index("relative_day")
        if not len(part):
            continue
        columns[f"{name}{_PERCENT}"] = 100 * part[centre]
        if value in banded:
            columns[f"{name}, 95% from{_PERCENT}"] = 100 * part["low"]
            columns[f"{name}, to{_PERCENT}"] = 100 * part["high"]
    return pd.DataFrame(columns).rename_axis("relative day").reset_index()


def metadata(frame: pd.DataFrame) -> dict[str, list[Any]]:
    """The frame as the page reads it: headings, and rows of texts and plain numbers."""
    rows = [[_cell(value) for value in row] for row in frame.itertuples(index=False, name=None)]
    return {"columns": [str(name) for name in frame.columns], "rows": rows}


def _cell(value: Any) -> str | int | float:
    """Four digits, or all of those before the point; ISO texts of instants; "" for what is missing."""
    if pd.isna(value):
        return ""
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, pd.Timestamp):
        if value.tz is None and value == value.normalize():
            return f"{value:%Y-%m-%d}"
        return value.isoformat(timespec="minutes" if value == value.floor("min") else "auto")
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        return _rounded(float(value))
    return str(value)


def _rounded(value: float) -> str | float:
    if math.isinf(value):  # JSON has no infinity
        return "∞" if value > 0 else "\N{MINUS SIGN}∞"
    if value == 0:
        return 0.0
    decimals = _DIGITS - 1 - math.floor(math.log10(abs(value)))
    return round(value, min(max(decimals, 0), _DECIMALS)) + 0.0  # never a negative zero
