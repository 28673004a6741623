"""Progress of a fetch on stderr: a bar on a terminal, a line for each company anywhere else."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any


class FetchProgress:
    """Shows how far a fetch is, and an estimate of the time left.

    Parameters
    ----------
    tell : callable
        Prints one line.
    clock : callable
    """

    def __init__(self, tell: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._print, self._clock = tell, clock
        self._bar: Any = None
        self._began = 0.0
        self._terminal = sys.stderr.isatty()

    def __enter__(self) -> FetchProgress:
        self._began = self._clock()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()

    def step(self, label: str, done: int, total: int) -> None:
        """Before each company, and at the end with an empty label."""
        if not self._terminal:
            if label:
                self._print(f"{done + 1}/{total} {label}{self._left(done, total)}")
            return
        if self._bar is None:
            from tqdm import tqdm

            self._bar = tqdm(total=total, unit="company", file=sys.stderr, leave=False, dynamic_ncols=True)
        self._bar.update(done - self._bar.n)
        self._bar.set_description(label)

    def tell(self, line: str) -> None:
        """One line, above the bar where there is one."""
        if self._bar is not None:
            self._bar.clear()
        self._print(line)
        if self._bar is not None:
            self._bar.refresh()

    def _left(self, done: int, total: int) -> str:
        spent = self._clock() - self._began
        if not done or spent < 2:
            return ""
        seconds = spent / done * (total - done)
        return f", about {seconds / 60:.0f} min left" if seconds >= 90 else f", about {seconds:.0f} s left"
