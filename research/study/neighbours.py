"""A firm's other announcements: how many fall into a window, and on which relative days."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from research.study import estimation

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class KindFit:
    """Kernel input and output of the events of one kind.

    Attributes
    ----------
    rows : ndarray of shape (n_events,)
        Their rows in the input table.
    known : (ndarray, ndarray)
        Firm and grid position of every known announcement of this kind.
    """

    kind: str
    rows: NDArray[np.intp]
    panel: estimation.Panel
    events: estimation.Events
    fit: estimation.LinearFit
    abnormal: Floats
    errors: Floats
    known: tuple[NDArray[np.int64], NDArray[np.int64]]


def count(part: KindFit, sessions: pd.DatetimeIndex, offset: int, start: int, end: int) -> NDArray[np.int64]:
    """Known announcements of each event's firm with day zero in ``[start, end]``, its own apart.

    Parameters
    ----------
    part : KindFit
        Events of one kind.
    sessions : DatetimeIndex
        The grid.
    offset : int
        Padding columns before the grid's first session.
    start, end : int
        Relative days, both included.
    """
    width = len(sessions) + 1
    known = part.known[0] * width + part.known[1]  # sorted by construction
    day = part.events.day - offset
    base = part.events.firm * width
    first = np.searchsorted(known, base + np.clip(day + start, 0, width - 1), side="left")
    after = np.searchsorted(known, base + np.clip(day + end, -1, width - 1), side="right")
    found = after - first
    if start <= 0 <= end:
        found = found - np.isin(base + day, known)
    return np.maximum(found, 0).astype(np.int64)


def days_inside(part: KindFit, sessions: pd.DatetimeIndex, offset: int, window: tuple[int, int]) -> NDArray[np.object_]:
    """Relative days of other announcements inside a window, as text such as ``"-5, +6"``."""
    found = np.full(len(part.rows), "", dtype=object)
    for i in np.flatnonzero(count(part, sessions, offset, *window)):
        days = part.known[1][part.known[0] == part.events.firm[i]] - (part.events.day[i] - offset)
        found[i] = ", ".join(f"{day:+d}" for day in days if window[0] <= day <= window[1] and day != 0)
    return found
