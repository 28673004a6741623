"""Factor returns: French's names, decimals, and a check that they are not in per cent."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from research.errors import InputError, ParameterError, in_words, nearest, offences

_SPELLINGS = {
    "mkt-rf": "Mkt-RF", "mktrf": "Mkt-RF", "mkt_rf": "Mkt-RF", "smb": "SMB", "hml": "HML", "rmw": "RMW", "cma": "CMA",
    "mom": "Mom", "umd": "Mom", "wml": "Mom", "rf": "RF", "r_f": "RF",
}  # fmt: skip

#: A typical absolute daily return of an equity factor beyond this is in per cent:
#: decimals lie near 0.005, per cent near 0.5.
_TYPICAL_FACTOR = 0.05
#: The same for the daily risk-free rate: 0.002 a day would be 65% a year.
_TYPICAL_RISK_FREE = 0.002

#: Below this after division by 100 they were decimals already: 0.0001 is a hundredth of a per cent.
_TINY_FACTOR = 1e-4

#: No factor loses nearly everything in a day; French writes -99.99 and -999 where nothing is known.
_NOT_KNOWN = -0.99

UNITS = ("decimals", "percent")


class FactorReturns:
    """Daily factor returns in decimals; immutable.

    Columns have the names of Kenneth French's data library (``Mkt-RF SMB HML RMW CMA Mom RF``);
    others are kept under their own names.
    """

    _frame: pd.DataFrame

    def __init__(self, frame: pd.DataFrame) -> None:
        object.__setattr__(self, "_frame", frame)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"FactorReturns are immutable; cannot set {name!r}")

    @classmethod
    def from_frame(cls, frame: pd.DataFrame, *, units: str = "decimals") -> FactorReturns:
        """Check a table of factor returns.

        Parameters
        ----------
        frame : DataFrame, sessions x factors
            Index of dates; common spellings of the names (``MKT_RF``, ``UMD``) are understood.
        units : {"decimals", "percent"}
            What the numbers are. French's files are in per cent.

        Returns
        -------
        FactorReturns

        Raises
        ------
        InputError
            No rows, missing or repeated dates, dates with a time of day, repeated columns,
            text, infinite values, codes for missing values such as -99.99, or numbers that
            can only be per cent when ``units`` says decimals (and the reverse). Missing
            values stay NaN: sessions without a factor are left out of estimation.
        """
        if units not in UNITS:
            raise ParameterError("unknown unit", parameter="units", value=units, allowed=", ".join(UNITS))
        if not isinstance(frame, pd.DataFrame) or frame.empty:
            raise InputError("no factor returns", parameter="factors", remedy="Pass a DataFrame, sessions x factors.")
        named = frame.rename(columns=lambda name: _SPELLINGS.get(str(name).strip().lower(), str(name).strip()))
        _check_shape(named)
        values = named.to_numpy(dtype=np.float64, na_value=np.nan)
        given = pd.DataFrame(values, index=named.index.tz_localize(None).as_unit("ns"), columns=named.columns)
        checked = given / (100 if units == "percent" else 1)
        # Cells are shown as they were written.
        _refuse(given, np.isinf(values), "infinite")
        _check_units(checked, units)
        _refuse(given, checked.to_numpy() <= _NOT_KNOWN, "a code for a missing value")
        return cls(checked.sort_index())

    @property
    def frame(self) -> pd.DataFrame:
        """The factors in decimals; a copy."""
        return self._frame.copy()

    @property
    def names(self) -> list[str]:
        """Names of the factors."""
        return list(self._frame.columns)

    def __repr__(self) -> str:
        first, last = self._frame.index[0], self._frame.index[-1]
        return f"FactorReturns({', '.join(self.names)}; {first:%Y-%m-%d} to {last:%Y-%m-%d})"

    def select(self, names: Iterable[str], sessions: pd.DatetimeIndex) -> np.ndarray:
        """Factors on the sessions of a grid.

        Returns
        -------
        ndarray of shape (n_names, n_sessions)
            NaN where a session is missing.

        Raises
        ------
        ParameterError
            For a factor that is not there.
        """
        wanted = list(names)
        missing = [name for name in wanted if name not in self._frame.columns]
        if missing:
            raise ParameterError(
                f"no factor {in_words(missing)}",
                parameter="factors",
                allowed=in_words(self.names),
                remedy=nearest(missing[0], self.names) or "Add the column, or choose a model without it.",
            )
        return self._frame[wanted].reindex(sessions).to_numpy().T


def _check_shape(frame: pd.DataFrame) -> None:
    if frame.columns.has_duplicates:
        repeated = frame.columns[frame.columns.duplicated()].unique()
        raise InputError(
            "factor columns that appear twice: " + in_words(repeated), parameter="factors", remedy="Keep one of each."
        )
    if not isinstance(frame.index, pd.DatetimeIndex):
        raise InputError(
            "the index has no dates",
            parameter="factors",
            value=str(frame.index.dtype),
            remedy="Numbers such as 20241030 become dates by pd.to_datetime(index.astype(str)).",
        )
    index = frame.index.tz_localize(None)
    repeats = index.duplicated()
    problems = [
        "has no date" if missing else "appears twice" if again else "has a time of day" if timed else None
        for missing, again, timed in zip(index.isna(), repeats, index != index.normalize(), strict=True)
    ]
    rows = offences((row, "index", str(index[row]), text) for row, text in enumerate(problems) if text)
    if len(rows):
        raise InputError(
            f"{len(rows)} of {len(index)} dates cannot be used",
            parameter="factors",
            rows=rows,
            remedy="Keep one row a session, named by its date.",
        )
    text = [str(name) for name, dtype in frame.dtypes.items() if not pd.api.types.is_numeric_dtype(dtype)]
    if text:
        raise InputError(
            "columns that are not numeric: " + in_words(text), parameter="factors", remedy="Convert them to floats."
        )


def _refuse(frame: pd.DataFrame, where: np.ndarray, what: str) -> None:
    """One error for every cell of a mask."""
    if where.any():
        raise InputError(
            f"{int(where.sum())} factor returns are no returns",
            parameter="factors",
            rows=offences(
                (f"{frame.index[i]:%Y-%m-%d}", str(frame.columns[j]), float(f"{frame.iloc[i, j]:.6g}"), what)
                for i, j in np.argwhere(where).tolist()
            ),
            remedy="Missing days are NaN.",
        )


def _check_units(frame: pd.DataFrame, units: str) -> None:
    """Refuse numbers that can only be per cent; the classic mistake is silent otherwise."""
    frame = frame.dropna(axis="columns", how="all")
    for name in frame.columns:
        limit = _TYPICAL_RISK_FREE if name == "RF" else _TYPICAL_FACTOR
        typical = float(frame[name].abs().median())
        if typical > limit:
            remedy = (
                'French\'s files are in per cent: pass units="percent" to FactorReturns.from_frame, or divide by 100.'
                if units == "decimals"
                else "Check the file: even after division by 100 the numbers are too large."
            )
            raise InputError(
                f"{name} has a typical absolute daily value of {typical:.3g}, which can only be per cent",
                parameter="factors",
                allowed="decimals (0.01 is one per cent)",
                remedy=remedy,
            )
    typical = (
        frame[[name for name in frame.columns if name in _SPELLINGS.values() and name != "RF"]].abs().median().max()
    )
    if units == "percent" and typical < _TINY_FACTOR:
        raise InputError(
            f"after division by 100 the largest typical absolute daily value is {typical:.3g}",
            parameter="units",
            value=units,
            allowed="percent where 1.0 is one per cent",
            remedy='The numbers are decimals already: pass units="decimals".',
        )
