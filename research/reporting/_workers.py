"""Reports made side by side, each in a process of its own.

A process that is killed, runs out of memory or hangs takes only its own report with it.
Processes are forked from a server that has imported what all of them need, and end as
soon as the rerun ends, however that happens.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import forkserver
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from research.errors import ReportError, ResearchError
from research.reporting._publishing import scratch_folder
from research.reporting._schedule import Task

#: Modules that every report needs.
_PRELOADED = [
    "nbconvert.exporters",
    "papermill.engines",
    "papermill.parameterize",
    "research.reporting.html",
    "research.reporting.notebooks",
    "research.sources.protocol",
]
_SAFE_PATH = "PYTHONSAFEPATH"
#: Longest folder for temporary files, in bytes: the address of a local socket inside it may
#: have about 100 (108 on Linux, 104 on macOS), of which the names that Python adds take 32.
_LONGEST_FOLDER = 68
_SHORT_FOLDERS = ("/tmp", "/var/tmp", "/dev/shm")
#: Seconds beyond a report's own limit for starting, retrying, rendering and publishing.
_GRACE = 90.0
#: Seconds that a process has for its own end.
_FAREWELL = 5
#: How often a report whose kernel was lost is tried again.
_RETRIES = 1


@dataclass(frozen=True)
class Ended:
    """How the process of one report ended.

    Attributes
    ----------
    task : Task
    failure : str or None
        None for a published report.
    log : str or None
        What a process that ended without a word wrote before; None where the report's own
        log was kept.
    """

    task: Task
    failure: str | None
    log: str | None = None


def run_side_by_side(
    tasks: Sequence[Task], output: Path, workers: int, on_end: Callable[[Ended], None], grace: float = _GRACE
) -> None:
    """Make the reports of ``tasks``, ``workers`` at a time.

    Parameters
    ----------
    tasks : sequence of Task
    output : Path
        Absolute folder of the reports.
    workers : int
    on_end : callable
        Called in this process whenever a report is published or has failed.
    grace : float
        Seconds that a process may take beyond the limit of its report before it is killed.
    """
    context: Any = multiprocessing.get_context("forkserver")
    _start_server(context)
    left = list(reversed(tasks))
    running: dict[Connection, _Running] = {}
    with scratch_folder() as logs:
        try:
            while left or running:
                while left and len(running) < workers:
                    one = _start(context, left.pop(), output, logs, grace)
                    running[one.connection] = one
                soonest = min(one.deadline for one in running.values())
                ready = wait(list(running), timeout=max(0.0, soonest - time.monotonic()))
                now = time.monotonic()
                for key in [key for key, one in running.items() if key in ready or now >= one.deadline]:
                    on_end(running[key].end())
                    del running[key]
        finally:
            for one in running.values():
                one.stop()


def _start_server(context: Any) -> None:
    """Start the server from which the processes are forked.

    Python would look for the modules in the current folder first, where another package may
    have their names.
    """
    context.set_forkserver_preload(_PRELOADED)
    before = os.environ.get(_SAFE_PATH)
    os.environ[_SAFE_PATH] = "1"
    try:
        with _short_folder():
            forkserver.ensure_running()
    finally:
        _restore_safe_path(before)


@contextmanager
def _short_folder() -> Iterator[None]:
    """Let temporary files made inside have a name short enough for the address of a socket.

    ``TMPDIR`` of a batch system or a test may be far longer; everything else stays there.
    """
    before = tempfile.tempdir
    if len(os.fsencode(tempfile.gettempdir())) > _LONGEST_FOLDER:
        short = next((folder for folder in _SHORT_FOLDERS if os.access(folder, os.W_OK | os.X_OK)), None)
        if short is None:
            raise ReportError(
                "the name of the folder for temporary files is too long for a local socket",
                remedy=f"Set TMPDIR to a folder whose name has at most {_LONGEST_FOLDER} bytes.",
            )
        tempfile.tempdir = short
    try:
        yield
    finally:
        tempfile.tempdir = before


def _restore_safe_path(before: str | None) -> None:
    if before is None:
        os.environ.pop(_SAFE_PATH, None)
    else:
        os.environ[_SAFE_PATH] = before


@dataclass
class _Running:
    task: Task
    process: BaseProcess
    connection: Connection
    log: Path
    deadline: float

    def end(self) -> Ended:
        """Result of a process that has spoken, died, or is late."""
        told = None
        if self.connection.poll():
            try:
                told = self.connection.recv()
            except EOFError:
                told = None
        late = told is None and time.monotonic() >= self.deadline
        if late:
            self.stop()
        self.process.join(_FAREWELL)
        if self.process.is_alive():  # it has said what it had to say
            self.stop()
        self.connection.close()
        if told is not None:
            return Ended(self.task, told or None)
        log = self.log.read_text("utf-8", "replace") if self.log.exists() else ""
        code = self.process.exitcode
        how = (
            f"did not end within {self.task.timeout:g} seconds"
            if late
            else f"its process was killed by signal {-code}"
            if code and code < 0
            else "its process ended without a result"
        )
        return Ended(self.task, how, log.strip())

    def stop(self) -> None:
        self.process.terminate()
        self.process.join(_FAREWELL)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


def _start(context: Any, task: Task, output: Path, logs: Path, grace: float) -> _Running:
    receiving, sending = context.Pipe(duplex=False)
    log = logs / f"{task.slug}.log"
    arguments = (task, output, sending, log, os.environ.get(_SAFE_PATH))
    process = context.Process(target=_make, args=arguments, name=task.slug)
    process.start()
    sending.close()  # the process has its own; the pipe ends with it
    return _Running(task, process, receiving, log, time.monotonic() + task.timeout + grace)


def _make(task: Task, output: Path, sending: Connection, log: Path, safe_path: str | None) -> None:
    """What the process of one report does: say nothing for success, or why it failed."""
    _restore_safe_path(safe_path)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the rerun's to handle
    _end_with_rerun()
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    for stream in (1, 2):
        os.dup2(descriptor, stream)
    from research.reporting.notebooks import run_notebook

    try:
        run_notebook(task.info, task.parameters, output, slug=task.slug, timeout=task.timeout, retries=_RETRIES)
        told = ""
    except ResearchError as error:
        told = str(error)
    sending.send(told)


def _end_with_rerun() -> None:
    """Leave at once when the rerun is gone; a half-made report is not worth finishing unsupervised."""
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
