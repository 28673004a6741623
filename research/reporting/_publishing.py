"""Putting a finished folder in place: whole, in one step, or not at all."""

from __future__ import annotations

import ctypes
import errno
import os
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path

from research.errors import ReportError

#: One of these tells a folder of ours from one that happens to have the name.
_OURS = ("manifest.json", "report.html", "failed.log")


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
        raise _unwritable(output, error) from error
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
    staging = _sibling(target)
    try:
        staging.mkdir(parents=True)
        for name, content in files.items():
            (staging / name).write_text(content, encoding="utf-8", newline="\n")
        _swap(staging, target)
    except OSError as error:
        raise _unwritable(target, error) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


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
    aside = _sibling(target)
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


def _unwritable(path: Path, error: OSError) -> ReportError:
    return ReportError(
        f"cannot write ({error.strerror or error})",
        parameter="output",
        value=str(path),
        remedy="Choose another folder with --output, or make room.",
    )
