"""A firm's other announcements: how many fall into a window, and on which relative days."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
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
    abnormal, errors : ndarray of shape (n_events, L)
        Abnormal returns of the event window and their standard errors.
    variance : ndarray of shape (n_events, L), optional
        Forecast variance of each day, for models in which it changes.
    extra : dict of ndarray
        Further estimates, as columns of ``parameters``.
    """

    kind: str
    rows: NDArray[np.intp]
    panel: estimation.Panel
    events: estimation.Events
    fit: estimation.LinearFit
    known: tuple[NDArray[np.int64], NDArray[np.int64]]
    abnormal: Floats = field(default_factory=lambda: np.empty((0, 0)))
    errors: Floats = field(default_factory=lambda: np.empty((0, 0)))
    variance: Floats | None = None
    extra: dict[str, Floats] = field(default_factory=dict)

    @property
    def firm(self) -> NDArray[np.int64]:
        """Column of the returns of each event; shape (n_events,)."""
        return self.events.owner


def _between(part: KindFit, width: int, offset: int, start: int, end: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """First and one past the last of ``part.known`` with day zero in ``[start, end]`` of each event."""
    firm, position = part.known
    keys = firm * (width + 1) + position  # sorted by construction
    day = part.events.day - offset
    base = part.firm * (width + 1)
    first = np.searchsorted(keys, base + np.clip(day + start, 0, width), side="left")
    after = np.searchsorted(keys, base + np.clip(day + end, -1, width), side="right")
    return first, np.maximum(after, first)


def count(part: KindFit, width: int, offset: int, start: int, end: int) -> NDArray[np.int64]:
    """Known announcements of each event's firm with day zero in ``[start, end]``, its own apart.

    Parameters
    ----------
    part : KindFit
        Events of one kind.
    width : int
        Sessions of the grid.
    offset : int
        Padding columns before the grid's first session.
    start, end : int
        Relative days, both included.
    """
    first, after = _between(part, width, offset, start, end)
    found = after - first
    if start <= 0 <= end:
        at, past = _between(part, width, offset, 0, 0)
        found = found - (past - at)
    return found.astype(np.int64)


def days_cut(part: KindFit, start: int, end: int) -> NDArray[np.int64]:
    """Days of each estimation window that have a return and were cut or lacked a lag; shape (n_events,)."""
    cut = np.empty(len(part.rows), dtype=np.int64)

    def count_present(rows: slice) -> None:
        events = part.events.part(rows)
        y = estimation.gather(part.panel.y, events.firm, events.day + start, end - start + 1)
        cut[rows] = (~np.isnan(y)).sum(axis=1) - part.fit.n_observations[rows]

    estimation.run_in_chunks(count_present, len(cut), chunk=2048)
    return cut


def next_known(part: KindFit, width: int, offset: int) -> Floats:
    """Relative day of the firm's next known announcement, two sessions away or more; NaN without one.

    An announcement of unknown hour is known on two neighbouring sessions, of which
    neither is the next announcement; hence the two.

    Parameters
    ----------
    part : KindFit
        Events of one kind.
    width : int
        Sessions of the grid.
    offset : int
        Padding columns before the grid's first session.
    """
    firm, day = part.known
    keys = firm * (width + 1) + day  # sorted by construction
    own = part.events.day - offset
    at = np.searchsorted(keys, part.firm * (width + 1) + own + 1, side="right")
    found = np.full(len(part.rows), np.nan)
    inside = np.flatnonzero(at < len(keys))
    same = inside[firm[at[inside]] == part.firm[inside]]
    found[same] = day[at[same]] - own[same]
    return found


def days_inside(part: KindFit, width: int, offset: int, window: tuple[int, int]) -> NDArray[np.object_]:
    """Relative days of other announcements inside a window, as text such as ``"-5, +6"``."""
    found = np.full(len(part.rows), "", dtype=object)
    first, after = _between(part, width, offset, *window)
    for i in np.flatnonzero(count(part, width, offset, *window)):
        days = part.known[1][first[i] : after[i]] - (part.events.day[i] - offset)
        found[i] = ", ".join(f"{day:+d}" for day in days if day != 0)
    return found
