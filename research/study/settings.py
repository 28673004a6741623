"""The choices of a study: checked when made, printed with every result."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from research.errors import ParameterError, nearest

_OTHER_ANNOUNCEMENTS = ("cut", "keep")
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
        if not isinstance(self.min_observations, int | np.integer) or self.min_observations < 1:
            raise ParameterError(
                "not a number of days",
                parameter="min_observations",
                value=self.min_observations,
                allowed="an integer of at least 1",
            )
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


def relative_window(name: str, window: object) -> tuple[int, int]:
    """A pair of relative days ``(first, last)``; the text ``"-10,10"`` of a notebook parameter will do.

    Raises
    ------
    ParameterError
        If it is not a pair of integers in ascending order.
    """
    try:
        first, last = map(int, window.split(",")) if isinstance(window, str) else window  # type: ignore[misc]
    except (TypeError, ValueError):
        first = last = None
    numbers = all(isinstance(day, int | np.integer) and not isinstance(day, bool) for day in (first, last))
    if not numbers:
        raise ParameterError(
            "not a pair of relative days",
            parameter=name,
            value=window,
            allowed="two integers such as (-1, 1)",
        )
    if first > last:  # type: ignore[operator]
        raise ParameterError("the window is reversed", parameter=name, value=window, remedy=f"Write ({last}, {first}).")
    return int(first), int(last)  # type: ignore[arg-type, call-overload]


def check_confidence(confidence: float) -> None:
    """Refuse what is no coverage of a confidence interval.

    Raises
    ------
    ParameterError
    """
    number = isinstance(confidence, int | float | np.number) and not isinstance(confidence, bool)
    if not number or not 0 < confidence < 1:
        raise ParameterError(
            "not a coverage", parameter="confidence", value=confidence, allowed="between 0 and 1, such as 0.95"
        )


def check_bootstrap(seed: int, draws: int) -> None:
    """Refuse a seed or a number of draws that is no such number.

    Raises
    ------
    ParameterError
    """
    for name, value, least in (("seed", seed, 0), ("draws", draws, 1)):
        if not isinstance(value, int | np.integer) or value < least:
            raise ParameterError("not a number", parameter=name, value=value, allowed=f"an integer from {least}")


def _one_of(parameter: str, value: object, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ParameterError(
            "unknown choice",
            parameter=parameter,
            value=value,
            allowed=", ".join(allowed),
            remedy=nearest(str(value), allowed) or None,
        )
