"""Locks that end with the process that holds them, however it ends.

The operating system drops them when the last descriptor of the process is closed, also
after a kill or a crash, so that there is nothing to recover and no stale lock to judge.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from research.errors import ReportError

#: Name of the lock file in a folder of reports. It is never removed: whoever removed it
#: could remove the one that another process has just locked.
LOCK_FILE = ".rerun.lock"


def acquire(descriptor: int) -> bool:
    """Lock what ``descriptor`` refers to; False where another process has it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_current(descriptor: int, path: Path) -> bool:
    """Whether ``path`` still leads to what ``descriptor`` refers to."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False


@contextlib.contextmanager
def rerun_lock(output: Path) -> Iterator[None]:
    """Keep every other rerun out of the folder ``output`` for the time of the block.

    Raises
    ------
    ReportError
        If another rerun is at work there, or the folder cannot be written to.
    """
    path = output / LOCK_FILE
    try:
        output.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise unwritable(output, error) from error
    try:
        if not acquire(descriptor):
            holder = os.read(descriptor, 20).decode("ascii", "replace").strip() or "unknown"
            raise ReportError(
                f"another rerun is at work there (process {holder})",
                parameter="output",
                value=str(output),
                remedy="Wait for it to end; its lock ends with it.",
            )
        with contextlib.suppress(OSError):  # a full disk: the lock itself needs no room
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def unwritable(path: Path, error: OSError) -> ReportError:
    """Error for a folder that does not take what belongs into it."""
    return ReportError(
        f"cannot write ({error.strerror or error})",
        parameter="output",
        value=str(path),
        remedy="Choose another folder, or make room.",
    )
