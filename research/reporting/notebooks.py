"""Notebooks as reports: find them, check their parameters, run them, publish the result.

A report is a folder of ``report.html``, ``notebook.ipynb``, ``results.json`` and
``manifest.json``. Some reports have more: ``notebook.log`` when a cell wrote warnings to
stderr (the page does not show them), ``inputs.json`` with the data behind an announcement's
figures, and ``previous.json`` with the last version that had other inputs. A run that fails
leaves an earlier report as it was and puts ``failed-notebook.ipynb``, ``failed.log`` and
``failed.json`` into ``<slug>.failed`` beside it; the next success removes them.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from research.errors import ReportError, UsageError
from research.reporting import _changes, _completion, _inputs, _provenance, _publishing
from research.reporting._completion import complete, plain
from research.reporting._execution import Execution, execute, private_paths, without_paths
from research.reporting._parameters import (
    FAILED,
    NotebookInfo,
    Parameter,
    check_date,
    check_parameters,
    check_slug,
    check_ticker,
    find_notebook,
    list_notebooks,
    notebook_names,
    read_notebook,
)

__all__ = [
    "NotebookInfo",
    "Parameter",
    "announcement_slug",
    "check_date",
    "check_parameters",
    "check_ticker",
    "complete",
    "find_notebook",
    "input_hash",
    "list_notebooks",
    "notebook_names",
    "plain",
    "read_notebook",
    "run_notebook",
]

FAILED_FILES = ("failed-notebook.ipynb", "failed.log", "failed.json")


def announcement_slug(ticker: str, event_date: str, kind: str = "earnings") -> str:
    """Folder name of an announcement's report, such as ``meta-2024-10-30``.

    News of another kind than earnings has its kind at the end, such as ``meta-2023-02-27-strategy``,
    so that it and earnings of the same day each have their report. Characters that do not belong
    into a folder name are spelt as ``_`` and their hexadecimal code, so that two tickers never
    share a folder for that reason.
    """
    check_ticker("ticker", ticker)
    check_date("event_date", event_date)
    safe = re.sub(r"[^a-z0-9.-]", lambda found: f"_{ord(found[0]):02x}", ticker.lower())
    return f"{safe}-{event_date}" + ("" if kind == "earnings" else f"-{kind}")


def input_hash(info: NotebookInfo, parameters: Mapping[str, Any]) -> str:
    """SHA-256 of everything a report depends on: unchanged hash, unchanged report.

    Parameters
    ----------
    info : NotebookInfo
    parameters : mapping
        What the caller gives; checked, and completed by the notebook's defaults.

    Returns
    -------
    str
        Over the sources and templates of this package, the notebook file, all
        parameters, the fingerprint of the source and the versions of the libraries.

    Raises
    ------
    UsageError, SourceError
        If the parameters are wrong or the source cannot be opened.
    """
    return str(_provenance.manifest(info, check_parameters(info, parameters))["input_hash"])


def run_notebook(
    notebook: NotebookInfo | str,
    parameters: Mapping[str, Any],
    output_dir: str | Path,
    *,
    slug: str | None = None,
    timeout: float = 600,
    retries: int = 0,
    progress: Callable[[str], None] | None = None,
) -> Path:
    """Run a notebook and publish its report.

    Parameters
    ----------
    notebook : NotebookInfo or str
        A notebook, or the name of one in the notebook folder.
    parameters : mapping
        Values or texts; see :func:`check_parameters`.
    output_dir : path
        Folder of the reports; created when missing.
    slug : str, optional
        Name of the report's folder; by default the notebook's name and the first ten
        characters of the input hash.
    timeout : float, default 600
        Seconds for the whole notebook.
    retries : int, default 0
        How often to start again when the kernel died or could not be reached; a notebook
        that fails by itself is never tried twice.
    progress : callable, optional
        Called with one line at each stage.

    Returns
    -------
    Path
        Of ``report.html``.

    Raises
    ------
    UsageError
        If the notebook, a parameter or the slug is impossible; nothing ran.
    SourceError
        If the source cannot be opened; nothing ran.
    ReportError
        If the notebook failed, ended without its completion record, did not end in
        time, or if the report could not be rendered or written. An earlier report is
        still in place.
    """
    info = find_notebook(notebook) if isinstance(notebook, str) else notebook
    tell = progress or (lambda line: None)
    given = check_parameters(info, parameters)
    if not timeout > 0:
        raise UsageError("a time limit is positive", parameter="timeout", value=timeout, allowed="seconds > 0")
    manifest = _provenance.manifest(info, given)
    if slug is None:
        stem = re.sub("[^a-z0-9]+", "-", info.name.lower()).strip("-") or "notebook"
        slug = f"{stem}-{manifest['input_hash'][:10]}"
    check_slug(slug)
    target = Path(output_dir) / slug
    _publishing.require_writable(Path(output_dir), target)
    tell(f"{info.name}: running, input hash {manifest['input_hash'][:10]}")
    _run(_Attempt(info, given, manifest, target, timeout, retries, tell))
    return target / "report.html"


@dataclass(frozen=True)
class _Attempt:
    """One run on its way to publication."""

    info: NotebookInfo
    given: Mapping[str, Any]
    manifest: Mapping[str, Any]
    target: Path
    timeout: float
    retries: int
    tell: Callable[[str], None]

    @property
    def failed(self) -> Path:
        return self.target.with_name(self.target.name + FAILED)


def _run(attempt: _Attempt) -> None:
    info, tell = attempt.info, attempt.tell
    deadline = time.monotonic() + attempt.timeout
    for left in reversed(range(attempt.retries + 1)):
        execution = _executed(attempt, max(1.0, deadline - time.monotonic()))
        if not (execution.lost_kernel and left):
            break
        tell(f"{info.name}: {execution.failure}; trying once more")
    if execution.failure is not None:
        raise _failure(attempt, execution, execution.failure)
    tell(f"{info.name}: rendering")
    try:
        files = _report(attempt, execution)
    except ReportError as error:
        raise _failure(attempt, execution, str(error)) from error
    _publishing.publish(files, attempt.target)
    _publishing.withdraw(attempt.failed, FAILED_FILES)
    if "notebook.log" in files:
        tell(f"{info.name}: warnings are in {attempt.target / 'notebook.log'}")


def _executed(attempt: _Attempt, timeout: float) -> Execution:
    """The executed notebook; a failure where the data changed under it."""
    given, manifest = attempt.given, attempt.manifest
    try:
        with _publishing.scratch_folder() as scratch:
            (scratch / "work").mkdir()
            if "source" in given:
                _provenance.link_source(given["source"], scratch / "work")
            execution = execute(attempt.info.path, manifest["parameters"], scratch, timeout)
    except OSError as error:
        raise ReportError(
            f"notebook {attempt.info.name}: cannot work in the folder for temporary files ({error.strerror or error})",
            remedy="Make room there, or name another one in the environment variable TMPDIR.",
        ) from error
    if execution.failure is None and _provenance.source_fingerprint(given.get("source")) != manifest["source"]:
        return replace(
            execution, failure="the source changed while the notebook ran, so its figures belong to no input"
        )
    return execution


def _report(attempt: _Attempt, execution: Execution) -> dict[str, str]:
    """Contents of the report's files."""
    from research.reporting.html import render

    results = _completion.completed_results(execution.notebook)
    inputs = _inputs.collect(results, attempt.given)
    manifest = {**attempt.manifest, "status": "final"}
    if inputs is not None:
        manifest |= {name: inputs[name] for name in ("status", "window_ends", "data_end")}
    previous = _changes.previous_version(attempt.target, manifest["input_hash"])
    current = {"manifest": manifest, "results": results, "inputs": inputs}
    notices = [_preliminary(manifest)] if manifest["status"] == "preliminary" else []
    if previous is not None:
        notices.append(_changes.changes_block(previous, current))
    files = {
        "report.html": render(execution.notebook, title=attempt.info.title, manifest=manifest, notices=notices),
        "notebook.ipynb": _notebook_text(execution.notebook),
        "results.json": _json(results),
        "manifest.json": _json(manifest, in_order=True),
    }
    if inputs is not None:
        files["inputs.json"] = _json(inputs)
    if previous is not None:
        files[_changes.PREVIOUS] = _json(previous)
    if execution.warnings.strip():
        files["notebook.log"] = execution.warnings.strip() + "\n"
    return files


def _preliminary(manifest: Mapping[str, Any]) -> str:
    return (
        '<p class="warn"><strong>Preliminary.</strong> The event window ends on '
        f"{manifest['window_ends']}, the data on {manifest['data_end']}: figures over days still to come are "
        "missing. A rerun with the complete window makes the report final.</p>"
    )


def _json(content: Mapping[str, Any], *, in_order: bool = False) -> str:
    return json.dumps(content, indent=2, sort_keys=not in_order, ensure_ascii=False, allow_nan=False) + "\n"


def _notebook_text(notebook: Any) -> str:
    import nbformat

    return nbformat.writes(notebook, version=4).rstrip("\n") + "\n"


def _failure(attempt: _Attempt, execution: Execution, reason: str) -> ReportError:
    """Error that says why, with the failed notebook kept beside the report if the disk takes it."""
    log = execution.log if execution.failure is not None else f"{reason}\n\n{execution.log}"
    notebook = _notebook_text(execution.notebook)
    remedy = keep_failure(attempt.failed, attempt.manifest, reason, log, notebook, excluded=execution.excluded)
    return ReportError(f"notebook {attempt.info.name}: {reason.rstrip('.')}", remedy=remedy)


def keep_failure(
    failed: Path, manifest: Mapping[str, Any], reason: str, log: str, notebook: str | None, *, excluded: bool = False
) -> str:
    """Put what a failed attempt left beside its report; a sentence that says where it is.

    ``excluded`` goes into its record: the study left the announcement out, and will again on the same inputs.
    """
    private = private_paths(failed.parent.absolute())
    reason, log = (without_paths(text, private) for text in (reason, log))
    record = {**{name: manifest[name] for name in ("notebook", "parameters", "input_hash")}, "reason": reason}
    record["excluded"] = excluded
    contents = dict(zip(FAILED_FILES, (notebook, log, _json(record, in_order=True)), strict=True))
    try:
        _publishing.publish({name: text for name, text in contents.items() if text is not None}, failed)
    except ReportError as error:
        return f"The log could not be kept: {error}"
    return f"What it left is in {failed}."
