"""A firm's other announcements: how many fall into a window, and on which relative days."""

from __future__ import annotations

from dataclasses import dataclass, field

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
    firm : ndarray of int64, shape (n_events,)
        Column of the returns. ``events.firm`` is the row of the panel, which is another one
        where every event has a panel row of its own.
    known : (ndarray, ndarray)
        Firm and grid position of every known announcement of this kind.
    abnormal, errors : ndarray of shape (n_events, L)
        Abnormal returns of the event window and their standard errors.
    variance : ndarray of shape (n_events, L), optional
        Forecast variance of each day, for models in which it changes.
    extra : dict of ndarray
        Further estimates, as columns of ``parameters``.
    """

    kind: str
    rows: NDArray[np.intp]
    firm: NDArray[np.int64]
    panel: estimation.Panel
    events: estimation.Events
    fit: estimation.LinearFit
    known: tuple[NDArray[np.int64], NDArray[np.int64]]
    abnormal: Floats = field(default_factory=lambda: np.empty((0, 0)))
    errors: Floats = field(default_factory=lambda: np.empty((0, 0)))
    variance: Floats | None = None
    extra: dict[str, Floats] = field(default_factory=dict)


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
    base = part.firm * width
    first = np.searchsorted(known, base + np.clip(day + start, 0, width - 1), side="left")
    after = np.searchsorted(known, base + np.clip(day + end, -1, width - 1), side="right")
    found = after - first
    if start <= 0 <= end:
        found = found - np.isin(base + day, known)
    return np.maximum(found, 0).astype(np.int64)


def days_cut(part: KindFit, start: int, end: int) -> NDArray[np.int64]:
    """Days of each estimation window that have a return and were cut or lacked a lag; shape (n_events,)."""
    cut = np.empty(len(part.rows), dtype=np.int64)

    def count_present(rows: slice) -> None:
        events = part.events.part(rows)
        y = estimation.gather(part.panel.y, events.firm, events.day + start, end - start + 1)
        cut[rows] = (~np.isnan(y)).sum(axis=1) - part.fit.n_observations[rows]

    estimation.run_in_chunks(count_present, len(cut), chunk=2048)
    return cut


def days_inside(part: KindFit, sessions: pd.DatetimeIndex, offset: int, window: tuple[int, int]) -> NDArray[np.object_]:
    """Relative days of other announcements inside a window, as text such as ``"-5, +6"``."""
    found = np.full(len(part.rows), "", dtype=object)
    for i in np.flatnonzero(count(part, sessions, offset, *window)):
        days = part.known[1][part.known[0] == part.firm[i]] - (part.events.day[i] - offset)
        found[i] = ", ".join(f"{day:+d}" for day in days if window[0] <= day <= window[1] and day != 0)
    return found
