"""The choices of a study: checked when made, printed with every result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from research.errors import ParameterError, is_whole, nearest, whole_number

__all__ = ["FURTHEST", "Settings", "coverage", "is_whole", "relative_window", "whole_number"]

_OTHER_ANNOUNCEMENTS = ("cut", "keep")
#: No window reaches further: forty years of sessions.
FURTHEST = 10_000

_UNKNOWN_TIMING = ("exclude", "same-session", "next-session")


@dataclass(frozen=True)
class Settings:
    """The choices of a study, checked; printed with every result.

    Attributes
    ----------
    window, estimation : (int, int)
        First and last relative trading day, both included.
    """

    window: tuple[int, int] = (-10, 10)
    estimation: tuple[int, int] = (-250, -11)
    min_observations: int = 100
    calendar: str = "XNYS"
    other_announcements: str = "cut"
    unknown_timing: str = "exclude"

    def __post_init__(self) -> None:
        object.__setattr__(self, "window", relative_window("window", self.window))
        object.__setattr__(self, "estimation", relative_window("estimation", self.estimation))
        if self.estimation[1] >= self.window[0]:
            raise ParameterError(
                f"the estimation window must end before the event window {self.window} starts",
                parameter="estimation",
                value=self.estimation,
                remedy=f"Let it end on relative day {self.window[0] - 1} or earlier.",
            )
        object.__setattr__(self, "min_observations", whole_number("min_observations", self.min_observations, 1))
        length = self.estimation[1] - self.estimation[0] + 1
        if self.min_observations > length:
            raise ParameterError(
                f"more days are required than the estimation window has ({length})",
                parameter="min_observations",
                value=self.min_observations,
                remedy="Lower min_observations or lengthen the estimation window.",
            )
        _one_of("other_announcements", self.other_announcements, _OTHER_ANNOUNCEMENTS)
        _one_of("unknown_timing", self.unknown_timing, _UNKNOWN_TIMING)

    @property
    def padding(self) -> tuple[int, int]:
        """Columns to put before the first and after the last session, so that every window lies inside."""
        days = (*self.window, *self.estimation)
        return max(0, -min(days)), max(0, *days)


def relative_window(name: str, window: object) -> tuple[int, int]:
    """A pair of relative days ``(first, last)``.

    The texts ``"-10,10"`` and ``"(-10, 10)"`` will do: a notebook parameter arrives as one.

    Raises
    ------
    ParameterError
        If it is not a pair of integers in ascending order, or reaches beyond 10,000 sessions.
    """
    days = _days(window)
    if days is None:
        raise ParameterError(
            "not a pair of relative days",
            parameter=name,
            value=window,
            allowed="two integers such as (-1, 1)",
        )
    first, last = days
    if first > last:
        raise ParameterError("the window is reversed", parameter=name, value=window, remedy=f"Write ({last}, {first}).")
    if max(-first, last) > FURTHEST:
        raise ParameterError(
            "relative days count sessions from day zero",
            parameter=name,
            value=window,
            allowed=f"-{FURTHEST} to {FURTHEST}",
        )
    return first, last


def _days(window: object) -> tuple[int, int] | None:
    """Two integers out of a pair or its text; None for anything else."""
    try:
        if isinstance(window, str):
            first, last = map(int, window.strip().strip("()[]").split(","))
        elif isinstance(window, Sequence | np.ndarray):
            first, last = window
        else:
            return None
    except (TypeError, ValueError):
        return None
    return (int(first), int(last)) if is_whole(first) and is_whole(last) else None


def coverage(value: object) -> float:
    """Coverage of confidence limits, strictly between 0 and 1; a ParameterError for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not 0 < value < 1:
        raise ParameterError(
            "no coverage of an interval",
            parameter="confidence",
            value=value,
            allowed="a number between 0 and 1, such as 0.95",
        )
    return float(value)


def _one_of(parameter: str, value: object, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ParameterError(
            "unknown choice",
            parameter=parameter,
            value=value,
            allowed=", ".join(allowed),
            remedy=nearest(str(value), allowed) or None,
        )
