"""The command: exit codes, one line a message, paths and nothing else on stdout."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

import research
from research import cli
from research.errors import InputError, offences
from research.reporting import _parameters, notebooks

DECLARED = (
    "ticker: str = 'META'  # the company\nevent_date: str = '2024-10-30'\nsource: str = 'sample'\n"
    "window: str = '-10,10'"
)
FINISH = (
    "from research.reporting.notebooks import complete\n"
    "complete({'ticker': ticker, 'date': event_date, 'window': window})"
)


def write(folder: Path, name: str, *cells: str, parameters: str | None = DECLARED) -> None:
    tagged = [] if parameters is None else [new_code_cell(parameters, metadata={"tags": ["parameters"]})]
    content = [new_markdown_cell(f"# The {name}"), *tagged, *map(new_code_cell, cells)]
    nbformat.write(new_notebook(cells=content), folder / f"{name}.ipynb")


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """A notebook folder of our own, and an empty current folder."""
    folder = tmp_path / "shelf"
    folder.mkdir()
    write(folder, "announcement", FINISH)
    monkeypatch.setattr(_parameters, "notebook_directory", lambda: folder)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return folder


@pytest.fixture
def unrun(monkeypatch):
    """The test fails if a notebook runs."""
    monkeypatch.setattr(notebooks, "execute", lambda *args: pytest.fail("must not run"))


def command(capsys, *arguments):
    """Exit code, stdout and stderr of the command."""
    try:
        status = cli.main(list(arguments))
    except SystemExit as end:  # argparse
        status = end.code
    captured = capsys.readouterr()
    assert "Traceback" not in captured.err
    return status, captured.out, captured.err


def test_report_prints_its_path_and_nothing_else(shelf, capsys):
    status, out, err = command(
        capsys, "report", "META", "2024-10-31", "--parameter", "window=-5,5", "--output", "some/where"
    )
    assert status == 0
    assert out == "some/where/meta-2024-10-30/report.html\n"
    results = json.loads(Path("some/where/meta-2024-10-30/results.json").read_text(encoding="utf-8"))
    assert results == {"ticker": "META", "date": "2024-10-30", "window": "-5,5"}
    assert all(line.startswith("earnings-study: ") for line in err.splitlines())
    assert "day zero of the announcement of 2024-10-30" in err
    assert os.listdir() == ["some"]


def test_failed_notebook(shelf, capsys):
    write(shelf, "broken", "raise ValueError('no\\nluck')")
    status, out, err = command(capsys, "run", "broken")
    assert (status, out) == (1, "")
    assert "cell 4 raised ValueError: no." in err.splitlines()[-1]
    (failed,) = Path("reports").iterdir()
    assert failed.name.startswith("broken-")
    assert failed.name.endswith(".failed")


@pytest.mark.usefixtures("shelf", "unrun")
@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["reprot", "META", "2024-10-30"],
        ["report", "META"],
        ["report", "META", "2024-10-30", "--colour"],
        ["report", "../../x", "2024-10-30"],
        ["report", "<script>", "2024-10-30"],
        ["report", "", "2024-10-30"],
        ["report", "META", "30.10.2024"],
        ["report", "META", "2024-02-30"],
        ["report", "META", "2024-10-30", "--source", "bloomberg"],
        ["report", "META", "2024-10-30", "--parameter", "window"],
        ["report", "META", "2024-10-30", "--parameter", "=3"],
        ["report", "META", "2024-10-30", "--parameter", "windwo=-1,1"],
        ["report", "META", "2024-10-30", "--parameter", "window=3,1"],
        ["report", "META", "2024-10-30", "--parameter", "ticker=AAPL"],
        ["report", "META", "2024-10-30", "--parameter", "window=0,1", "--parameter", "window=0,2"],
        ["run", "anouncement"],
        ["run", "../shelf/announcement"],
        ["run", "announcement", "--parameter", "ticker=../x"],
    ],
)
def test_wrong_usage_is_2_and_touches_nothing(capsys, arguments):
    status, out, err = command(capsys, *arguments)
    assert (status, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert err.startswith("earnings-study: ")
    assert os.listdir() == []


@pytest.mark.usefixtures("shelf", "unrun")
def test_nearest_names_are_suggested(capsys):
    assert "Did you mean 'announcement'?" in command(capsys, "run", "anouncement")[2]
    arguments = ["run", "announcement", "--parameter", "windwo=0,1"]
    assert "Did you mean 'window'?" in command(capsys, *arguments)[2]


@pytest.mark.usefixtures("shelf", "unrun")
def test_unknown_ticker_and_date_without_announcement_are_1(capsys):
    status, out, err = command(capsys, "report", "METAA", "2024-10-30")
    assert (status, out) == (1, "")
    assert "META" in err
    status, out, err = command(capsys, "report", "META", "2024-10-29")
    assert (status, out) == (1, "")
    assert "2024-10-30" in err
    assert os.listdir() == []


@pytest.mark.usefixtures("shelf", "unrun")
def test_unwritable_output_is_1(capsys):
    Path("taken").write_text("mine", encoding="utf-8")
    for output in ("taken", "taken/reports"):
        status, out, err = command(capsys, "report", "META", "2024-10-30", "--output", output)
        assert (status, out) == (1, "")
        assert "cannot write" in err.splitlines()[-1]
    assert Path("taken").read_text(encoding="utf-8") == "mine"


@pytest.mark.usefixtures("shelf", "unrun")
def test_missing_folder_of_files_is_refused(capsys):
    status, out, _ = command(capsys, "report", "META", "2024-10-30", "--source", "files:nowhere")
    assert (status, out) == (1, "")


def test_notebooks_are_listed_with_their_parameters(shelf, capsys):
    write(shelf, "unfinished", "1", parameters=None)
    status, out, err = command(capsys, "notebooks")
    assert status == 0
    assert out.splitlines() == [
        "announcement: The announcement",
        "  ticker: str = 'META'  # the company",
        "  event_date: str = '2024-10-30'",
        "  source: str = 'sample'",
        "  window: str = '-10,10'",
    ]
    assert "no cell tagged 'parameters'" in err


def test_notebook_without_parameters_cell_is_2(shelf, unrun, capsys):
    write(shelf, "unfinished", "1", parameters=None)
    assert command(capsys, "run", "unfinished")[0] == 2


def test_interrupt_is_130_in_one_line(shelf, monkeypatch, capsys):
    def interrupted(*args, **settings):
        raise KeyboardInterrupt

    monkeypatch.setattr(notebooks, "run_notebook", interrupted)
    status, out, err = command(capsys, "run", "announcement")
    assert (status, out) == (130, "")
    assert err == "earnings-study: interrupted; nothing was published\n"


def test_rows_of_an_input_error_are_shown_and_debug_adds_the_traceback(shelf, monkeypatch, capsys):
    def bad(*args, **settings):
        raise InputError("bad table", rows=offences([(7, "close", -1, "negative")]))

    monkeypatch.setattr(notebooks, "run_notebook", bad)
    status, _, err = command(capsys, "run", "announcement")
    assert status == 1
    assert "row 7, close: negative" in err
    assert cli.main(["run", "announcement", "--debug"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_version(capsys):
    assert command(capsys, "--version") == (0, f"earnings-study {research.__version__}\n", "")


def start(shelf: Path, *arguments: str, prelude: str = "") -> subprocess.Popen:
    """The command in a process of its own, with our notebook folder."""
    script = (
        "import sys, pathlib\nfrom research.reporting import _parameters\n"
        f"_parameters.notebook_directory = lambda: pathlib.Path({str(shelf)!r})\n"
        f"{prelude}sys.argv[1:] = {list(arguments)!r}\nfrom research.cli import main\nsys.exit(main())"
    )
    home = str(Path(research.__file__).parent.parent)
    return subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": home},
    )


def test_interrupt_stops_the_kernel_too(shelf):
    mark = shelf.parent / "kernel.pid"
    write(shelf, "slow", f"import os, time\nopen({str(mark)!r}, 'w').write(str(os.getpid()))\ntime.sleep(600)")
    process = start(shelf, "run", "slow")
    deadline = time.monotonic() + 60
    while not (mark.exists() and mark.read_text(encoding="utf-8")) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert out == ""
    assert err.splitlines()[-1] == "earnings-study: interrupted; nothing was published"
    assert "Traceback" not in err
    with pytest.raises(ProcessLookupError):
        os.kill(int(mark.read_text(encoding="utf-8")), 0)
    assert list(Path("reports").iterdir()) == []


def test_what_a_kernel_writes_around_python_stays_off_stdout(shelf):
    write(shelf, "noisy", "import os, sys\nos.system('echo shouted')\nsys.stderr.write('muttered')", FINISH)
    out, err = start(shelf, "run", "noisy").communicate(timeout=60)
    assert len(out.splitlines()) == 1
    assert out.startswith("reports/noisy-")
    assert "muttered" not in err
    assert "notebook.log" in err


@pytest.mark.parametrize("debug", [False, True])
def test_fault_of_the_program_shows_a_traceback_only_on_demand(shelf, debug):
    fault = "from research.reporting import notebooks\nnotebooks.run_notebook = lambda *a, **k: 1 / 0\n"
    process = start(shelf, "run", "announcement", *["--debug"] * debug, prelude=fault)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (1, "")
    assert ("Traceback" in err) is debug
    if not debug:
        assert err == (
            "earnings-study: unexpected ZeroDivisionError: division by zero "
            "(a fault of the program; --debug shows where)\n"
        )


def test_help_names_every_command(capsys):
    status, out, _ = command(capsys, "--help")
    assert status == 0
    assert all(name in out for name in ("report", "run", "rerun", "notebooks"))
