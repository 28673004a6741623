"""The time axis of an evening's picture, its hours, and where a label hides least."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from research.analysis._boundaries import CLOSE, EXTENDED, LAST, OPEN, RELEASE
from research.analysis.reaction import Reaction
from research.reporting import words
from research.reporting.plots import MUTED

#: A pause longer than this starts a new stretch of the time axis.
PAUSE = pd.Timedelta(hours=2)

#: Share of the axis that the label of an hour takes.
_HOUR_ROOM = 0.085


@dataclass(frozen=True)
class TimeAxis:
    """Time to place: stretches with bars side by side, the hours without any left out."""

    instants: np.ndarray
    places: np.ndarray
    stretches: list[tuple[pd.Timestamp, pd.Timestamp, float, float]]

    def __call__(self, at: Any) -> Any:
        stamps = pd.DatetimeIndex(at if isinstance(at, pd.DatetimeIndex) else [at]).as_unit("ns").asi8
        found = np.interp(stamps, self.instants, self.places)
        return found if isinstance(at, pd.DatetimeIndex) else float(found[0])


def time_axis(frame: pd.DataFrame, reaction: Reaction) -> TimeAxis:
    """Stretches of the time axis: each run of bars, the session of day zero to its close by itself."""
    assert reaction.bars is not None
    points = reaction.points.set_index("label")["at"]
    ends = pd.DatetimeIndex(frame.index) + reaction.bars.step
    bounds: list[tuple[pd.Timestamp, pd.Timestamp]] = []
    before = np.flatnonzero(ends <= points[OPEN])
    if len(before):
        starts = frame.index[before]
        cuts = np.flatnonzero(np.diff(starts.asi8) > PAUSE.value) + 1
        bounds += [(starts[run[0]], ends[before][run[-1]]) for run in np.split(np.arange(len(before)), cuts)]
        bounds = _whole_evening(bounds, points)
    bounds.append((points[OPEN], points[LAST]))
    anchor = points.get(RELEASE, points[CLOSE])
    weights = [3.2 if start <= anchor <= end else 1.35 if end != points[LAST] else 1.0 for start, end in bounds]
    room = sum(weights)
    instants: list[int] = []
    places: list[float] = []
    stretches = []
    place = 0.0
    for (start, end), weight in zip(bounds, weights, strict=True):
        width = weight / room
        # A stretch that begins where the one before ended has one instant for two places: keep it one.
        joined = bool(instants) and start.value <= instants[-1]
        begins = start + pd.Timedelta(1, "ns") if joined else start
        place += 0.025 if instants and not joined else 0.0
        instants += [begins.value, end.value]
        places += [place, place + width]
        stretches.append((start, end, place, place + width))
        place += width
    return TimeAxis(np.array(instants), np.array(places), stretches)


def _whole_evening(
    bounds: list[tuple[pd.Timestamp, pd.Timestamp]], points: pd.Series
) -> list[tuple[pd.Timestamp, pd.Timestamp]]:
    """Stretches that show the evening from the close to its end even where bars begin late or end early."""
    if EXTENDED not in points.index:
        return bounds
    evening = [i for i, (start, _) in enumerate(bounds) if start < points[EXTENDED]]
    if not evening:
        return bounds
    (start, end), last = bounds[0], evening[-1]
    bounds[0] = (min(start, points[CLOSE]), end)
    start, end = bounds[last]
    bounds[last] = (start, max(end, points[EXTENDED]))
    return bounds


def draw_hours(ax: Axes, axis: TimeAxis, timezone: Any) -> None:
    """Hours under each stretch, as many as fit, and the day under them."""
    span = axis.places[-1] - axis.places[0]
    shown: list[tuple[float, str]] = []
    for start, end, left, right in axis.stretches:
        hours = pd.date_range(start.tz_convert(timezone).ceil("h"), end.tz_convert(timezone), freq="h")
        fits = max(1, int((right - left) / span / _HOUR_ROOM))
        every = next((n for n in (1, 2, 3, 4, 6, 12, 24) if len(hours) / n <= fits), len(hours))
        for hour in hours[::-1][::every]:
            place = axis(hour)
            if all(abs(place - other) > _HOUR_ROOM * span for other, _ in shown):
                shown.append((place, f"{hour:%H:%M}"))
    shown.sort()
    ax.set_xticks([place for place, _ in shown], [text for _, text in shown], fontsize=9.5)
    ax.set_xlim(axis.places[0] - 0.01, axis.places[-1] + 0.012)
    days: dict[str, list[float]] = {}
    for start, _, left, right in axis.stretches:
        day = words.date(start.tz_convert(timezone).tz_localize(None).normalize())
        days.setdefault(day, []).extend([left, right])
    for day, ends in days.items():
        ax.annotate(
            day,
            (float(np.mean([min(ends), max(ends)])), 0),
            xycoords=("data", "axes fraction"),
            xytext=(0, -24),
            textcoords="offset points",
            ha="center",
            va="top",
            fontsize=10,
            color=MUTED,
        )
    for (_, before, _, right), (after, _, left, _) in itertools.pairwise(axis.stretches):
        if after - before > PAUSE:
            ax.axvspan(right, left, color="white", linewidth=0, zorder=8)


def best_place(
    ax: Axes,
    place: float,
    level: float,
    line: np.ndarray,
    path: np.ndarray,
    placed: list[tuple[float, float, float, float]],
    lines: int,
) -> tuple[str, bool, tuple[float, float, float, float]]:
    """Side of a label and whether it stands above: nearest to its point, clear of the line and other labels."""
    (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
    width, height = 0.085 * (right - left), 0.052 * lines * (top - bottom)
    best: tuple[float, str, bool, tuple[float, float, float, float]] | None = None
    for side, shift in (("center", 0.5), ("left", 0.0), ("right", 1.0)):
        start = place - shift * width
        around = path[(line >= start) & (line <= start + width)]
        for above in (True, False):
            edge = float(np.max([level, *around]) if above else np.min([level, *around]))
            low, high = (edge, edge + height) if above else (edge - height, edge)
            cost = abs(edge - level) / (top - bottom) + (0.03 if side != "center" else 0.0)
            crowded = any(start < b and a < start + width and low < d and c < high for a, b, c, d in placed)
            cost += 10.0 * (crowded or start < left or start + width > right or low < bottom or high > top)
            if best is None or cost < best[0] - 1e-9:
                best = (cost, side, above, (start, start + width, low, high))
    assert best is not None
    return best[1:]
