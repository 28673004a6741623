"""Trying again, with patience that ends: back-off, jitter, and one time budget for everything."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from research.errors import ParameterError, SourceError

_T = TypeVar("_T")


class TransientError(SourceError):
    """A service did not deliver this time; asking again later may help.

    Parameters
    ----------
    problem : str
    retry_after : float, optional
        Seconds that the service itself asked to wait.
    unreachable : bool
        Whether the service could not be reached at all, which other requests will find, too.
    """

    def __init__(self, problem: str, *, retry_after: float | None = None, unreachable: bool = False) -> None:
        self.retry_after = retry_after
        self.unreachable = unreachable
        super().__init__(problem)


class BudgetError(SourceError):
    """The total time allowed for a fetch is over."""


@dataclass(frozen=True)
class Budget:
    """Seconds that a whole fetch may take, measured on a clock of one's own choice.

    Parameters
    ----------
    seconds : float
        In all, waiting included.
    clock : callable
        Seconds since some fixed instant, never running backwards.
    """

    seconds: float
    clock: Callable[[], float] = time.monotonic
    started: float = field(init=False)

    def __post_init__(self) -> None:
        if not self.seconds > 0:
            raise ParameterError(
                "a time budget is positive", parameter="budget", value=self.seconds, allowed="seconds > 0"
            )
        object.__setattr__(self, "started", self.clock())

    def remaining(self) -> float:
        """Seconds left; zero at least."""
        return max(0.0, self.started + self.seconds - self.clock())

    def require(self, seconds: float = 0.0) -> None:
        """Raise BudgetError unless more than ``seconds`` are left."""
        if self.remaining() <= seconds:
            raise BudgetError(
                f"the time budget of {self.seconds:g} s is spent",
                remedy="What has landed is kept; the same command goes on from there. --budget gives it longer.",
            )


@dataclass(frozen=True)
class Retry:
    r"""Exponential back-off with jitter.

    Before attempt :math:`k = 2, 3, \dots` it waits
    :math:`d_k (1 + u)/2` seconds, :math:`d_k = \min(b\,2^{k-2}, c)`, u uniform on [0, 1), or as long as
    the service asked for, if that is longer.

    Parameters
    ----------
    attempts : int
        In all.
    base, cap : float
        b and c, seconds.
    sleep : callable
        Called with seconds.
    uniform : callable
        Draws u; so that many processes do not come back at the same moment.
    """

    attempts: int = 5
    base: float = 2.0
    cap: float = 90.0
    sleep: Callable[[float], None] = time.sleep
    uniform: Callable[[], float] = random.random

    def delay(self, failures: int) -> float:
        """Seconds to wait after so many failures."""
        return min(self.base * 2.0 ** (failures - 1), self.cap) * (1 + self.uniform()) / 2

    def call(self, work: Callable[[], _T], budget: Budget, tell: Callable[[str], None] = lambda line: None) -> _T:
        """Result of ``work``, called again after each TransientError.

        Raises
        ------
        TransientError
            The last one, when the attempts are used up.
        BudgetError
            If waiting would outlast the budget.
        """
        for failures in range(1, self.attempts + 1):
            budget.require()
            try:
                return work()
            except TransientError as error:
                if failures == self.attempts:
                    raise
                wait = max(self.delay(failures), error.retry_after or 0.0)
                if wait >= budget.remaining():
                    raise BudgetError(
                        f"{error.problem}, and the time budget of {budget.seconds:g} s "
                        "does not allow to wait and ask again",
                        remedy="What has landed is kept; the same command goes on from there.",
                    ) from error
                tell(f"{error.problem}; asking again in {wait:.0f} s")
                self.sleep(wait)
        raise ParameterError("no attempt allowed", parameter="attempts", value=self.attempts, allowed="1 or more")
