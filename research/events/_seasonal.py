"""Seasonal differences of earnings, firm by firm and in order of time (METHODS 5.1, 5.2)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: Days between an announcement and the one of the same quarter a year before. Announcement
#: dates move by weeks, never by half a quarter, so a missing quarter is not bridged.
YEAR = (315, 415)

#: Days between announcements of consecutive quarters.
QUARTER = (50, 135)

#: Differences older than this many days are no history of the present.
MEMORY = 4 * 366


@dataclass(frozen=True)
class Seasonal:
    """One firm's quarters in order of time.

    Attributes
    ----------
    difference : ndarray of shape (n,)
        ``E_q - E_{q-4}``; NaN where either quarter is missing.
    previous : ndarray of shape (n,)
        The difference of the quarter before; NaN where that quarter is missing.
    day : ndarray of int64, shape (n,)
        Announcement dates in days.
    """

    difference: Floats
    previous: Floats
    day: NDArray[np.int64]


def seasonal(day: NDArray[np.int64], value: Floats) -> Seasonal:
    """Differences against the same quarter of the year before, matched by announcement date.

    Parameters
    ----------
    day : ndarray of int64, ascending
    value : ndarray
        Earnings on one share basis.
    """
    difference = value - _matched(day, value, YEAR)
    return Seasonal(difference, _matched(day, difference, QUARTER), day)


def _matched(day: NDArray[np.int64], value: Floats, distance: tuple[int, int]) -> Floats:
    """For each announcement the value of the one that lies ``distance`` days before it.

    The one nearest the middle of the range where several fit; NaN where none does.
    """
    found = np.full(len(day), np.nan)
    middle = sum(distance) / 2
    for i in range(len(day)):
        gap = day[i] - day[:i]
        fits = np.flatnonzero((gap >= distance[0]) & (gap <= distance[1]))
        if len(fits):
            found[i] = value[fits[np.argmin(np.abs(gap[fits] - middle))]]
    return found


def standardise(firm: Seasonal, i: int, method: str, history: int) -> tuple[float, float, int, str]:
    """Unexpected earnings of quarter ``i``, their scale, the history used, and why there is no number.

    Only quarters before ``i`` enter expectation and scale.
    """
    current = firm.difference[i]
    if np.isnan(current):
        return np.nan, np.nan, 0, "no earnings, or none of the same quarter a year before"
    recent = firm.day[:i] >= firm.day[i] - MEMORY
    usable = recent & ~np.isnan(firm.difference[:i])
    if method == "foster":
        usable &= ~np.isnan(firm.previous[:i])
    rows = np.flatnonzero(usable)[-history:]
    n = len(rows)
    if n < history:
        unexpected = current if method == "seasonal" else np.nan
        return unexpected, np.nan, n, f"{n} of {history} earlier seasonal differences"
    past = firm.difference[rows]
    if method == "foster":
        return _foster(firm, i, rows)
    drift = float(past.mean()) if method == "seasonal-drift" else 0.0
    scale = float(past.std(ddof=1))
    if scale <= 8 * np.finfo(float).eps * np.abs(past).max():
        return current - drift, np.nan, n, "earlier seasonal differences do not vary"
    return current - drift, scale, n, ""


def _foster(firm: Seasonal, i: int, rows: NDArray[np.intp]) -> tuple[float, float, int, str]:
    """First-order autoregression of the seasonal difference on its history."""
    n = len(rows)
    if np.isnan(firm.previous[i]):
        return np.nan, np.nan, n, "no seasonal difference of the quarter before"
    x, y = firm.previous[rows], firm.difference[rows]
    spread = x - x.mean()
    if n < 4 or np.abs(spread).max() <= 8 * np.finfo(float).eps * max(np.abs(x).max(), 1e-300):
        return np.nan, np.nan, n, "earlier seasonal differences do not identify the autoregression"
    slope = float(spread @ y / (spread @ spread))
    level = float(y.mean() - slope * x.mean())
    residual = y - level - slope * x
    scale = float(np.sqrt(residual @ residual / (n - 2)))
    unexpected = float(firm.difference[i] - level - slope * firm.previous[i])
    if scale <= 8 * np.finfo(float).eps * np.abs(y).max():
        return unexpected, np.nan, n, "the autoregression fits its history without error"
    return unexpected, scale, n, ""


def in_time(frame: pd.DataFrame) -> list[NDArray[np.intp]]:
    """Positions of the usable rows of each ticker and kind, in order of announcement."""
    usable = frame["status"].eq("ok").to_numpy() if "status" in frame.columns else np.ones(len(frame), dtype=bool)
    usable = usable & frame["announced_on"].notna().to_numpy()
    keys = ["ticker", "kind"] if "kind" in frame.columns else ["ticker"]
    rows = np.flatnonzero(usable)
    groups = frame.iloc[rows].groupby(keys, sort=True).indices
    day = frame["announced_on"].to_numpy(dtype="datetime64[D]")
    return [rows[part][np.argsort(day[rows[part]], kind="stable")] for part in groups.values()]
