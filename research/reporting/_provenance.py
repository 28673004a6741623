"""Where a report comes from: versions, source snapshot, and the hash of every input.

Two runs with the same input hash give the same report; no clock enters it.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import json
import platform
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import research
from research.reporting._parameters import NotebookInfo

_PACKAGE = Path(__file__).resolve().parent.parent
_LIBRARIES = (
    "pandas",
    "numpy",
    "scipy",
    "statsmodels",
    "exchange_calendars",
    "matplotlib",
    "seaborn",
    "nbconvert",
    "papermill",
)
_FILES = "files:"


@functools.cache
def _versions() -> tuple[tuple[str, str], ...]:
    libraries = ((name, importlib.metadata.version(name)) for name in _LIBRARIES)
    return (("research", research.__version__), ("python", platform.python_version()), *libraries)


def versions() -> dict[str, str]:
    """Versions of this package, of Python and of the libraries that touch the numbers."""
    return dict(_versions())


@functools.cache
def code_hash() -> str:
    """SHA-256 over the sources and page templates of this package."""
    digest = hashlib.sha256()
    for path in sorted(_PACKAGE.rglob("*"), key=lambda item: item.relative_to(_PACKAGE).as_posix()):
        name = path.relative_to(_PACKAGE).as_posix()
        # `resources` holds copies of the sample and the notebooks, hashed on their own.
        if name.startswith("resources/") or path.suffix not in (".py", ".j2", ".css"):
            continue
        digest.update(f"{name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()


@functools.cache
def _sample_fingerprint() -> dict[str, Any]:
    from research.sources.protocol import open_source

    return open_source("sample").fingerprint()


def source_fingerprint(source: str | None) -> dict[str, Any] | None:
    """Fingerprint of the data behind ``source``; None for a notebook that names no source.

    The embedded sample cannot change under a running process and is hashed once; a
    folder of files is hashed each time.
    """
    if source is None:
        return None
    if source == "sample":
        return _sample_fingerprint()
    from research.sources.protocol import open_source

    return {**open_source(source).fingerprint(), "source": portable_source(source)}


def portable_source(source: str) -> str:
    """``source`` as reports name it: a folder of files by its own name, not by its path."""
    folder = source_folder(source)
    if folder is None:
        return source
    name = folder.name if folder != Path.home() else ""
    return _FILES + (name if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name) else "data")


def source_folder(source: str) -> Path | None:
    """Absolute folder behind a ``files:DIR`` source, None for any other."""
    return Path(source.removeprefix(_FILES)).expanduser().resolve() if source.startswith(_FILES) else None


def link_source(source: str, work: Path) -> None:
    """Make the portable name of a ``files:DIR`` source reach its folder from inside ``work``."""
    folder = source_folder(source)
    if folder is not None:
        (work / portable_source(source).removeprefix(_FILES)).symlink_to(folder, target_is_directory=True)


def manifest(
    info: NotebookInfo, parameters: Mapping[str, Any], fingerprint: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Contents of ``manifest.json``, the input hash included.

    Parameters
    ----------
    info : NotebookInfo
    parameters : mapping
        Values of all the notebook's parameters, checked.
    fingerprint : mapping, optional
        Of the source, where the caller has just taken it; otherwise it is taken now.
    """
    values = dict(parameters)
    source = values.get("source")
    if fingerprint is None:
        fingerprint = source_fingerprint(source)
    if source is not None:
        values["source"] = portable_source(source)
    facts = {
        "notebook": info.name,
        "parameters": values,
        "versions": versions(),
        "source": fingerprint,
        "code": code_hash(),
        "notebook_file": hashlib.sha256(info.path.read_bytes()).hexdigest(),
    }
    canonical = json.dumps(facts, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return {**facts, "input_hash": hashlib.sha256(canonical.encode()).hexdigest()}
