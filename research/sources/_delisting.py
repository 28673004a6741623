"""Delisting returns, as CRSP files give them, and what is done with them.

On the day on which a file gives a delisting return (CRSP's DLRET), the return of that day is

.. math:: (1 + r)(1 + d) - 1,

and :math:`d` itself where the day has no return of its own. Without it, whoever held the share to
the end is spared the end. Where a delisting for poor performance (CRSP's DLSTCD 500 and 520 to 584)
has no return, nothing is put in its place unless ``missing_delisting_return`` in
columns.toml says what; the usual value is -0.30 (Shumway 1997, *Journal of Finance* 52,
327-340, for NYSE and AMEX; -0.55 for Nasdaq, Shumway and Warther 1999, *Journal of Finance* 54, 2361-2379).
"""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd

from research.errors import ResearchWarning
from research.sources._settings import fold
from research.sources._tables import Table

_NAMES = {"dlret": "delisting_return", "dlstcd": "delisting_code"}
_OURS = frozenset(_NAMES.values())
#: CRSP's letters and numbers for a return that is missing.
_MISSING = frozenset(
    {"A", "B", "C", "D", "E", "P", "S", "T"} | {f"-{n}{n}{end}" for n in "456789" for end in ("", ".0")}
)


def with_delistings(table: Table) -> Table:
    """A table of returns with CRSP's names as ours and its codes for missing returns left out.

    Files without a column on delistings are passed on as they are.
    """
    named = {str(name): _NAMES[fold(str(name))] for name in table.frame if fold(str(name)) in _NAMES}
    frame = table.frame.rename(columns=named)
    if not _OURS & set(frame.columns):
        return table
    for name in frame.columns:
        if fold(str(name)) in ("ret", "delisting_return") and frame[name].dtype == object:
            coded = frame[name].isin(_MISSING)
            frame[name] = frame[name].where(~coded, "")
    return Table(table.name, frame, table.dates)


def compounded(returns: pd.Series, delisting: pd.Series) -> pd.Series:
    """Returns with the delisting return of the same row compounded in; decimals."""
    both = (1 + returns.fillna(0.0)) * (1 + delisting) - 1
    return returns.where(delisting.isna(), both)


def imputed(delisting: pd.Series, codes: pd.Series, value: float | None) -> pd.Series:
    """Delisting returns with ``value`` where a delisting for poor performance has none.

    Warns
    -----
    ResearchWarning
        If there are such rows and no value to put in.
    """
    code = pd.to_numeric(codes, errors="coerce")
    poor = ((code == 500) | code.between(520, 584)) & delisting.isna()
    if value is None and poor.any():
        warnings.warn(
            f"{int(poor.sum())} delistings for poor performance have no return, which flatters their holders; "
            "missing_delisting_return in columns.toml can say one",
            ResearchWarning,
            stacklevel=4,
        )
    return delisting if value is None else delisting.where(~poor, np.float64(value))
