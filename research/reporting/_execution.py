"""Running a notebook through papermill, in a kernel of this very interpreter.

The kernel is started from ``sys.executable`` whatever kernel specifications exist, works
in a scratch folder of its own, reads no one's IPython profile, and hashes with a fixed
seed. What comes back is tidied until two runs on the same inputs are equal byte by byte:
no timings, no random cell ids, no absolute paths, no memory addresses, no warnings.
"""

from __future__ import annotations

import ctypes
import os
import re
import signal
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import research
from research import errors

_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_ADDRESS = re.compile(r"\b0x[0-9a-f]{6,16}\b")
#: Folder of a cell's pseudo file in warnings and tracebacks; carries the process id.
_CELL_FILE = re.compile(r"\bipykernel_[0-9]+\b")
#: Seconds that a cell has once the time of the whole notebook is up.
_GRACE = 1


@dataclass(frozen=True)
class Execution:
    """What a run left behind.

    Attributes
    ----------
    notebook : NotebookNode
        The tidied notebook, as far as it came.
    failure : str or None
        Why the run failed, in one line.
    warnings : str
        What the cells wrote to stderr.
    log : str
        Tracebacks, ``warnings`` and the kernel's own messages.
    lost_kernel : bool
        Whether the failure was the kernel's, so that another attempt may succeed: it died,
        or could not be reached, such as when its port was taken in the meantime.
    excluded : bool
        Whether it failed because the study left its announcement out: the same inputs fail the
        same way.
    """

    notebook: Any
    failure: str | None
    warnings: str
    log: str
    lost_kernel: bool = False
    excluded: bool = False


def execute(path: Path, parameters: Mapping[str, Any], scratch: Path, timeout: float) -> Execution:
    """Run the notebook ``path`` with ``parameters`` to its end or its first failure.

    Parameters
    ----------
    path : Path
    parameters : mapping
        Values to inject, already checked.
    scratch : Path
        An empty folder; the kernel works in its subfolder ``work``.
    timeout : float
        Seconds for the whole notebook.
    """
    from papermill.engines import NBClientEngine

    work = scratch / "work"
    work.mkdir(exist_ok=True)
    notebook = _prepared(path, parameters)
    kernel_log = scratch / "kernel.log"
    deadline = time.monotonic() + timeout
    failure, lost = None, False
    with kernel_log.open("wb") as stream:
        try:
            NBClientEngine.execute_notebook(
                notebook,
                "python3",
                progress_bar=False,
                kernel_manager_class=_manager_class(scratch, stream.fileno()),
                resources={"metadata": {"path": str(work)}},
                timeout_func=lambda cell: max(_GRACE, deadline - time.monotonic()),
                iopub_timeout=60,
                record_timing=False,
                shutdown_kernel="immediate",
            )
        except TimeoutError:  # nbclient's CellTimeoutError
            failure = f"did not finish within {round(timeout, 1):g} seconds"
        except (RuntimeError, OSError) as error:  # nbclient's DeadKernelError is the common one
            failure, lost = f"lost its kernel ({_first_line(str(error)) or type(error).__name__})", True
    outcome = _outcome(notebook, parameters, failure, kernel_log.read_text("utf-8", "replace"), scratch)
    return replace(outcome, lost_kernel=lost)


def _prepared(path: Path, parameters: Mapping[str, Any]) -> Any:
    """Notebook with the parameters injected, in the state papermill's engine expects."""
    import nbformat
    from papermill.parameterize import parameterize_notebook

    notebook = nbformat.read(path, as_version=4)
    notebook.metadata.setdefault("papermill", nbformat.NotebookNode())
    for cell in notebook.cells:
        cell.metadata.setdefault("tags", [])
        cell.metadata.setdefault("papermill", nbformat.NotebookNode())
    return parameterize_notebook(notebook, dict(parameters), kernel_name="python3", language="python")


def _manager_class(scratch: Path, log: int) -> type:
    """Kernel manager that starts this interpreter, its own output going to the file ``log``."""
    from jupyter_client.kernelspec import KernelSpec
    from jupyter_client.manager import AsyncKernelManager

    class OwnInterpreter(AsyncKernelManager):
        """A kernel of ``sys.executable``, independent of installed kernel specifications."""

        def __init__(self, **settings: Any) -> None:
            super().__init__(**{"connection_file": str(scratch / "kernel.json"), "transport": "tcp", **settings})

        @property
        def kernel_spec(self) -> KernelSpec:
            command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
            return KernelSpec(argv=command, display_name="Python 3", language="python")

        async def start_kernel(self, **settings: Any) -> None:  # type: ignore[override]
            environment = kernel_environment(scratch)
            await super().start_kernel(
                stdout=log, stderr=log, env=environment, preexec_fn=_dies_with_parent(), **settings
            )

    return OwnInterpreter


def _dies_with_parent() -> Callable[[], None] | None:
    """What a new kernel calls first, so that it ends with the process that started it, even with a killed one.

    ipykernel looks for its parent as well, but cannot while a cell holds the interpreter.
    """
    prctl = getattr(ctypes.CDLL(None), "prctl", None) if sys.platform == "linux" else None
    if prctl is None:
        return None
    set_parent_death_signal = 1  # PR_SET_PDEATHSIG
    return lambda: prctl(set_parent_death_signal, int(signal.SIGKILL))


def kernel_environment(scratch: Path) -> dict[str, str]:
    """Environment of the kernel: the caller's, less what would make two runs differ."""
    environment = dict(os.environ)
    environment.update(
        IPYTHONDIR=str(scratch / "ipython"),
        # One thread each: reports run side by side, and the order of a sum is part of its result.
        MKL_NUM_THREADS="1",
        OMP_NUM_THREADS="1",
        OPENBLAS_NUM_THREADS="1",
        MPLBACKEND="module://matplotlib_inline.backend_inline",
        PYDEVD_DISABLE_FILE_VALIDATION="1",
        PYTHONHASHSEED="0",
        TZ="UTC",
    )
    home = str(Path(research.__file__).resolve().parent.parent)
    if home not in sysconfig.get_paths().values():
        # A checkout: the kernel must import this very package, installed or not.
        inherited = environment.get("PYTHONPATH")
        environment["PYTHONPATH"] = os.pathsep.join([home, inherited] if inherited else [home])
    return environment


def _outcome(
    notebook: Any, parameters: Mapping[str, Any], failure: str | None, kernel_log: str, scratch: Path
) -> Execution:
    private = private_paths(scratch)
    warnings = without_paths("".join(_streams(notebook, "stderr")), private)
    tracebacks = [
        _ANSI.sub("", "\n".join(output.traceback)) for output in _outputs(notebook) if output.output_type == "error"
    ]
    excluded = failure is None and _first_error(notebook) == errors.ExcludedError.__name__
    failure = failure or _cell_failure(notebook)
    _tidy(notebook, parameters, private)
    parts = [failure or "", *tracebacks, warnings, kernel_log]
    log = "\n\n".join(part.strip() for part in parts if part.strip())
    if failure is not None:
        failure = without_paths(failure, private)
    return Execution(notebook, failure, warnings, without_paths(log, private) + "\n", excluded=excluded)


def _outputs(notebook: Any) -> list[Any]:
    return [output for cell in notebook.cells for output in cell.get("outputs", [])]


def _streams(notebook: Any, name: str) -> list[str]:
    return [output.text for output in _outputs(notebook) if output.output_type == "stream" and output.name == name]


def _first_error(notebook: Any) -> str | None:
    """Name of the first error that a cell raised."""
    return next((str(output.ename) for output in _outputs(notebook) if output.output_type == "error"), None)


def _cell_failure(notebook: Any) -> str | None:
    """What the first failed cell complained about; our own errors speak for themselves."""
    for position, cell in enumerate(notebook.cells, start=1):
        for output in cell.get("outputs", []):
            if output.output_type != "error":
                continue
            if output.ename == "SystemExit":
                return f"ended without its completion record: cell {position} called exit"
            message = _first_line(output.evalue)
            own = getattr(errors, output.ename, None)
            if isinstance(own, type) and issubclass(own, errors.ResearchError):
                return message
            return f"cell {position} raised {output.ename}: {message}".removesuffix(": ")
    return None


def _first_line(text: str) -> str:
    lines = _ANSI.sub("", text).strip().splitlines()
    return lines[0].strip() if lines else ""


def _tidy(notebook: Any, parameters: Mapping[str, Any], private: list[str]) -> None:
    """Take out of ``notebook`` whatever differs between two runs or names this machine."""
    language = notebook.metadata.get("language_info", {})
    notebook.metadata = type(notebook)(
        kernelspec={"display_name": "Python 3", "language": "python", "name": "python3"},
        papermill={"parameters": dict(parameters)},
    )
    if "name" in language:  # a kernel that died early never said
        kept = ("name", "version", "file_extension")
        notebook.metadata["language_info"] = {key: language[key] for key in kept if key in language}
    for position, cell in enumerate(notebook.cells, start=1):
        cell["id"] = f"cell-{position:03d}"
        lasting = {key: value for key, value in cell.metadata.items() if key not in ("papermill", "execution")}
        cell.metadata = type(notebook)(lasting)
        if cell.cell_type == "code":
            cell.outputs = _tidied_outputs(cell.outputs, private)
    notebook.nbformat_minor = max(notebook.nbformat_minor, 5)


def _tidied_outputs(outputs: list[Any], private: list[str]) -> list[Any]:
    kept: list[Any] = []
    for output in outputs:
        if output.output_type == "stream":
            if output.name == "stderr":
                continue
            output.text = _ADDRESS.sub("0x...", without_paths(output.text, private))
            if kept and kept[-1].output_type == "stream":  # chunks depend on timing
                kept[-1].text += output.text
                continue
        elif output.output_type == "error":
            output.traceback = [without_paths(line, private) for line in output.traceback]
        else:
            output.metadata = _everywhere(output.get("metadata", {}), private)
            for kind, content in output.data.items():
                if kind not in ("image/png", "image/jpeg"):
                    output.data[kind] = _everywhere(content, private)
            if "text/plain" in output.data:
                output.data["text/plain"] = _ADDRESS.sub("0x...", output.data["text/plain"])
        kept.append(output)
    return kept


def _everywhere(content: Any, private: list[str]) -> Any:
    """:func:`without_paths` for every text inside lists and mappings."""
    if isinstance(content, str):
        return without_paths(content, private)
    if isinstance(content, list):
        return [_everywhere(item, private) for item in content]
    if isinstance(content, dict):  # nbformat's NotebookNode is one
        return type(content)({key: _everywhere(item, private) for key, item in content.items()})
    return content


def private_paths(scratch: Path) -> list[str]:
    """Folders of this machine that no report may name, the longest first."""
    folders = {scratch, Path(tempfile.gettempdir()), Path.home(), Path(sys.prefix), Path(sys.base_prefix)}
    folders.add(Path(research.__file__).parent.parent)
    folders |= {folder.resolve() for folder in folders}
    return sorted((str(folder) for folder in folders if len(folder.parts) > 1), key=lambda path: (-len(path), path))


def without_paths(text: str, private: list[str]) -> str:
    """``text`` with every private folder shortened to an ellipsis, process ids dropped."""
    text = _CELL_FILE.sub("ipykernel", text)
    for folder in private:
        if folder in text:
            text = re.sub(rf"(?<![\w.-]){re.escape(folder)}(?![\w-])", "…", text)
    return text
