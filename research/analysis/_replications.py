"""Batches of replications: each is one study, and processes share them."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any

import pandas as pd

from research.analysis._designs import EVENT_WINDOW, Design
from research.analysis._draws import Draw, draw
from research.errors import ResearchError, ResearchWarning
from research.study.models import CapmModel, FactorModel, resolve_model
from research.study.results import EventStudyResults
from research.study.study import EventStudy

#: Replications of one study; results do not depend on how many processes share the batches.
BATCH = 50

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Task:
    """A batch of replications, as it travels to a process."""

    design: Design
    batch: int
    n: int
    tests: tuple[str, ...]
    model: Any
    seed: int
    draws: int


def fit(drawn: Draw, design: Design, model: Any = "market") -> EventStudyResults:
    """The study of a draw: all its replications in one fit."""
    with warnings.catch_warnings():
        # Simulated firms announce once or twice; there is nothing to cut, and nothing to warn of.
        warnings.simplefilter("ignore", ResearchWarning)
        return EventStudy(
            drawn.announcements,
            drawn.returns,
            model,
            drawn.market,
            drawn.factors if isinstance(resolve_model(model), FactorModel | CapmModel) else None,
            window=EVENT_WINDOW,
            estimation=design.estimation,
            unknown_timing="same-session",
            min_observations=min(100, (design.estimation[1] - design.estimation[0] + 1) * 2 // 3),
        ).fit(workers=1)


def _p_values(task: Task) -> pd.DataFrame:
    """p-values of a batch, replications x tests."""
    results = fit(draw(task.design, task.n, task.seed, task.batch), task.design, task.model)
    table = results.test(
        [task.design.window], list(task.tests), by="replication", seed=task.seed + task.batch, draws=task.draws
    )
    wide = table.pivot_table(index="group", columns="test", values="p_value", aggfunc="first").reindex(
        columns=list(task.tests)
    )
    # A replication whose events were all excluded rejects nothing and counts nowhere.
    wide = wide.reindex(range(task.n))
    wide.index = pd.RangeIndex(task.batch * BATCH, task.batch * BATCH + task.n, name="replication")
    return wide.rename_axis(columns="test")


def tasks_of(design: Design, n: int, tests: tuple[str, ...], model: Any, seed: int, draws: int) -> list[Task]:
    sizes = [min(BATCH, n - start) for start in range(0, n, BATCH)]
    return [Task(design, i, size, tests, model, seed, draws) for i, size in enumerate(sizes)]


def run(tasks: Sequence[Task], workers: int | None, progress: Progress | None) -> list[pd.DataFrame]:
    """p-values of every task, in order."""
    processes = min(workers or os.cpu_count() or 1, len(tasks))
    total, done = sum(task.n for task in tasks), 0
    found: dict[int, pd.DataFrame] = {}
    for i, part in _each(tasks, processes):
        found[i] = part
        done += tasks[i].n
        if progress is not None:
            progress(done, total)
    return [found[i] for i in range(len(tasks))]


def _each(tasks: Sequence[Task], processes: int) -> Iterator[tuple[int, pd.DataFrame]]:
    if processes == 1:
        for i, task in enumerate(tasks):
            yield i, _p_values(task)
        return
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        with _one_thread_each():
            waiting = {pool.submit(_p_values, task): i for i, task in enumerate(tasks)}
        try:
            for future in as_completed(waiting):
                yield waiting[future], future.result()
        except BrokenProcessPool as error:
            raise ResearchError(
                "a process of the simulation ended early",
                remedy='Guard the script with `if __name__ == "__main__":`, or pass workers=1.',
            ) from error
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Processes started inside leave threads to each other: matrix products of 50 rows do not pay for them."""
    names = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(dict.fromkeys(names, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
