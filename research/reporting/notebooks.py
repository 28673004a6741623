"""Notebooks as reports: find them, check their parameters, run them, publish the result.

A report is a folder of ``report.html``, ``notebook.ipynb``, ``results.json`` and
``manifest.json``, and ``notebook.log`` when a cell wrote warnings to stderr (the page
does not show them). A run that fails leaves an earlier report as it was and puts
``failed-notebook.ipynb`` and ``failed.log`` into ``<slug>.failed`` beside it; the next
success removes them.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from research.errors import ReportError, UsageError
from research.reporting import _completion, _provenance, _publishing
from research.reporting._completion import complete, plain
from research.reporting._execution import Execution, execute
from research.reporting._parameters import (
    NotebookInfo,
    Parameter,
    check_date,
    check_parameters,
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

_SLUG = re.compile(r"[a-z0-9_][a-z0-9._-]{0,99}")
_FAILED_FILES = ("failed-notebook.ipynb", "failed.log")


def announcement_slug(ticker: str, event_date: str) -> str:
    """Folder name of an announcement's report, such as ``meta-2024-10-30``.

    Characters that do not belong into a folder name are spelt as ``_`` and their
    hexadecimal code, so that two tickers never share a folder for that reason.
    """
    check_ticker("ticker", ticker)
    check_date("event_date", event_date)
    safe = re.sub(r"[^a-z0-9.-]", lambda found: f"_{ord(found[0]):02x}", ticker.lower())
    return f"{safe}-{event_date}"


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
    if not _SLUG.fullmatch(slug):
        raise UsageError("unsafe folder name", parameter="slug", value=slug, allowed="a-z 0-9 . _ -")
    target = Path(output_dir) / slug
    _publishing.require_writable(Path(output_dir), target)
    tell(f"{info.name}: running, input hash {manifest['input_hash'][:10]}")
    _run(info, given, manifest, target, timeout, tell)
    return target / "report.html"


def _run(
    info: NotebookInfo,
    given: Mapping[str, Any],
    manifest: Mapping[str, Any],
    target: Path,
    timeout: float,
    tell: Callable[[str], None],
) -> None:
    failed = target.with_name(f"{target.name}.failed")
    with tempfile.TemporaryDirectory(prefix="earnings-study-", ignore_cleanup_errors=True) as folder:
        scratch = Path(folder).resolve()
        (scratch / "work").mkdir()
        if "source" in given:
            _provenance.link_source(given["source"], scratch / "work")
        execution = execute(info.path, manifest["parameters"], scratch, timeout)
        if execution.failure is not None:
            raise _failure(info, execution, execution.failure, failed)
        tell(f"{info.name}: rendering")
        try:
            files = _report(info, execution, manifest)
        except ReportError as error:
            raise _failure(info, execution, str(error), failed) from error
    _publishing.publish(files, target)
    _publishing.withdraw(failed, _FAILED_FILES)
    if "notebook.log" in files:
        tell(f"{info.name}: warnings are in {target / 'notebook.log'}")


def _report(info: NotebookInfo, execution: Execution, manifest: Mapping[str, Any]) -> dict[str, str]:
    """Contents of the report's files."""
    from research.reporting.html import render

    results = _completion.completed_results(execution.notebook)
    text = json.dumps(results, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    files = {
        "report.html": render(execution.notebook, title=info.title, manifest=manifest),
        "notebook.ipynb": _notebook_text(execution.notebook),
        "results.json": text + "\n",
        "manifest.json": json.dumps(manifest, indent=2, ensure_ascii=False) + "\n",
    }
    if execution.warnings.strip():
        files["notebook.log"] = execution.warnings.strip() + "\n"
    return files


def _notebook_text(notebook: Any) -> str:
    import nbformat

    return nbformat.writes(notebook, version=4).rstrip("\n") + "\n"


def _failure(info: NotebookInfo, execution: Execution, reason: str, failed: Path) -> ReportError:
    """Error that says why, with the failed notebook kept beside the report if the disk takes it."""
    log = execution.log if execution.failure is not None else f"{reason}\n\n{execution.log}"
    try:
        _publishing.publish(dict(zip(_FAILED_FILES, (_notebook_text(execution.notebook), log), strict=True)), failed)
        remedy = f"The failed notebook and its log are in {failed}."
    except ReportError as error:
        remedy = f"The failed notebook could not be kept: {error}"
    return ReportError(f"notebook {info.name}: {reason}", remedy=remedy)
