"""Putting a finished folder in place: whole, in one step, or not at all.

A folder that is being written carries a lock which ends with its process, so that what a
killed process left behind can be told from what another one is working on.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from research.errors import ReportError
from research.reporting._lock import acquire, is_current, unwritable

#: One of these tells a folder of ours from one that happens to have the name.
_OURS = ("manifest.json", "report.html", "failed.log")
#: Hidden names of folders being written; those that were moved aside end in ``.old``.
_HIDDEN = re.compile(r"\.(?P<target>.+)\.[0-9a-f]{12}(?P<aside>\.old)?")
#: Beginning of the names of folders to work in.
_SCRATCH = "earnings-study-"
_SCRATCH_NAME = re.compile(re.escape(_SCRATCH) + "[0-9a-f]{12}")


def require_writable(output: Path, target: Path) -> None:
    """Create the output folder and make sure that ``target`` can be put into it.

    Raises
    ------
    ReportError
        If the folder cannot be created or written to, or if something that is no report
        stands in the place of the report.
    """
    probe = _sibling(target)
    try:
        output.mkdir(parents=True, exist_ok=True)
        probe.mkdir()
        probe.rmdir()
    except OSError as error:
        raise unwritable(output, error) from error
    taken = target.exists() and not target.is_dir()
    if not taken and target.is_dir():
        names = {path.name for path in target.iterdir()}
        taken = bool(names) and names.isdisjoint(_OURS)
    if taken:
        raise ReportError(
            "something that is no report stands where the report belongs",
            parameter="output",
            value=str(target),
            remedy="Move it away, or choose another output folder.",
        )


def publish(files: Mapping[str, str], target: Path) -> None:
    """Write ``files`` into a new folder and let it take the place of ``target``.

    Readers see the old folder or the new one, never a mixture: where the system can
    exchange two folders in one step (Linux), there is no moment without a report.
    Elsewhere the old folder is moved aside first and moved back if the second step
    fails; between the two renames the name is free for an instant.

    Raises
    ------
    ReportError
        If anything could not be written; ``target`` is then as it was.
    """
    target = target.resolve()  # a link to a folder elsewhere stays a link
    try:
        with locked_folder(target.parent, f".{target.name}.") as staging:
            for name, content in files.items():
                (staging / name).write_text(content, encoding="utf-8", newline="\n")
            _swap(staging, target)
    except OSError as error:
        raise unwritable(target, error) from error


def write_whole(path: Path, content: str) -> None:
    """Write one file so that readers see the old content or the new, and only if it differs.

    Raises
    ------
    ReportError
        If it could not be written; the old content is then still there.
    """
    staging = _sibling(path)
    try:
        if path.is_file() and path.read_bytes() == content.encode():
            return
        staging.write_text(content, encoding="utf-8", newline="\n")
        staging.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            staging.unlink(missing_ok=True)
        raise unwritable(path, error) from error


@contextlib.contextmanager
def locked_folder(parent: Path, prefix: str, mode: int = 0o777) -> Iterator[Path]:
    """A new folder, locked as long as this process uses it and removed afterwards."""
    while True:
        folder = parent / f"{prefix}{secrets.token_hex(6)}"
        folder.mkdir(mode=mode)
        lock = os.open(folder, os.O_RDONLY)
        if acquire(lock) and is_current(lock, folder):
            break
        os.close(lock)  # a sweep came between the two steps and took the folder for a leftover
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def scratch_folder() -> contextlib.AbstractContextManager[Path]:
    """A private folder among the system's temporary ones, removed afterwards or by the next sweep."""
    return locked_folder(Path(tempfile.gettempdir()).resolve(), _SCRATCH, mode=0o700)


def sweep(output: Path) -> list[str]:
    """Remove what killed processes left in a folder of reports and among the temporary ones; names of it."""
    return _sweep(output, _HIDDEN) + _sweep(Path(tempfile.gettempdir()), _SCRATCH_NAME)


def _sweep(parent: Path, pattern: re.Pattern[str]) -> list[str]:
    """Remove what killed processes left in ``parent``.

    A report that such a process had moved aside, and not yet replaced, gets its name back.
    Folders that a living process is writing are locked, and left alone.
    """
    swept = []
    for path in sorted(parent.iterdir()):
        hidden = pattern.fullmatch(path.name)
        if not hidden or path.is_symlink():
            continue
        with contextlib.suppress(OSError):  # someone else's, or gone meanwhile
            if path.is_file():
                path.unlink()
                swept.append(path.name)
                continue
            lock = os.open(path, os.O_RDONLY)
            try:
                if not acquire(lock):
                    continue
                if hidden.groupdict().get("aside") and not (parent / hidden["target"]).exists():
                    path.rename(parent / hidden["target"])
                    continue
                shutil.rmtree(path)
                swept.append(path.name)
            finally:
                os.close(lock)
    return swept


def withdraw(target: Path, names: tuple[str, ...]) -> None:
    """Remove the files ``names`` of a folder, and the folder where nothing else is in it."""
    if target.is_dir():
        for name in names:
            (target / name).unlink(missing_ok=True)
        if not any(target.iterdir()):
            target.rmdir()


def _sibling(target: Path) -> Path:
    """A free hidden name beside ``target``, hence on the same file system."""
    return target.parent / f".{target.name}.{secrets.token_hex(6)}"


def _swap(staging: Path, target: Path) -> None:
    try:
        staging.rename(target)  # the name is free, or an empty folder has it
        return
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
    if _exchange(staging, target):
        return  # `staging` is now the old report, and the caller removes it
    hidden = _sibling(target)
    aside = hidden.with_name(f"{hidden.name}.old")
    target.rename(aside)
    try:
        staging.rename(target)
    except OSError:
        aside.rename(target)
        raise
    shutil.rmtree(aside, ignore_errors=True)


def _exchange(first: Path, second: Path) -> bool:
    """Exchange two folders atomically; False where the system or file system cannot."""
    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None) if os.name == "posix" else None
    if renameat2 is None:
        return False
    current_folder, exchange = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
    return bool(renameat2(current_folder, os.fsencode(first), current_folder, os.fsencode(second), exchange) == 0)
