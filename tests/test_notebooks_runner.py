"""Notebooks found, parameters checked, runs published: with real kernels where it matters."""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os
import re
import sys
import threading
import time
from datetime import date
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

import research
from research.errors import ParameterError, ReportError, UsageError
from research.reporting import _completion, _execution, _parameters, _provenance, _publishing, notebooks
from research.reporting._completion import RESULTS_TYPE, completed_results, plain

FINISH = "from research.reporting.notebooks import complete\ncomplete({})"


def write_notebook(path: Path, *cells: str, parameters: str | None = "ticker: str = 'META'") -> Path:
    """Notebook file of a heading, a parameters cell and code cells."""
    tagged = [] if parameters is None else [new_code_cell(parameters, metadata={"tags": ["parameters"]})]
    content = [new_markdown_cell("# A tiny notebook"), *tagged, *map(new_code_cell, cells)]
    nbformat.write(new_notebook(cells=content), path)
    return path


def tree(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def info_of(tmp_path: Path, *cells: str, **settings: str) -> notebooks.NotebookInfo:
    return notebooks.read_notebook(write_notebook(tmp_path / "tiny.ipynb", *cells, **settings))


# ---------------------------------------------------------------- the parameters cell


def test_parameters_cell_is_parsed_not_executed(tmp_path):
    info = info_of(
        tmp_path,
        parameters=(
            '"""Defaults."""\nticker: str = "META"  # the company\nn: int = -3\n'
            "share: float = 1  # a float too\nquick = True\nwindow: 'str' = (\n '-10,10'\n)  # days"
        ),
    )
    assert info.name == "tiny"
    assert info.title == "A tiny notebook"
    assert [(p.name, p.type, p.default, p.help) for p in info.parameters] == [
        ("ticker", "str", "META", "the company"),
        ("n", "int", -3, ""),
        ("share", "float", 1.0, "a float too"),
        ("quick", "bool", True, ""),
        ("window", "str", "-10,10", "days"),
    ]
    assert isinstance(info.parameters[2].default, float)


@pytest.mark.parametrize(
    "source",
    [
        "import os",
        "ticker: str",
        "a = b = 1",
        "a, b = 1, 2",
        "n: int = len('abc')",
        "n: int = '3'",
        "n: int = True",
        "peers: list = []",
        "x = None",
        "n = 1\nn = 2",
        "n: int = ",
    ],
)
def test_parameters_cell_with_anything_else_is_refused(tmp_path, source):
    with pytest.raises(UsageError, match="parameters cell of tiny"):
        info_of(tmp_path, parameters=source)


def test_notebook_without_parameters_cell_is_refused(tmp_path):
    with pytest.raises(UsageError, match="no cell tagged 'parameters'"):
        info_of(tmp_path, "1", parameters=None)


def test_notebook_with_two_parameters_cells_is_refused(tmp_path):
    cells = [new_code_cell("a = 1", metadata={"tags": ["parameters"]}) for _ in range(2)]
    nbformat.write(new_notebook(cells=cells), tmp_path / "two.ipynb")
    with pytest.raises(UsageError, match="2 cells tagged"):
        notebooks.read_notebook(tmp_path / "two.ipynb")


@pytest.mark.parametrize("content", ["", "{}", '{"cells": [1]}', "\ufeffnot json"])
def test_file_that_is_no_notebook_is_refused(tmp_path, content):
    (tmp_path / "bad.ipynb").write_text(content, encoding="utf-8")
    with pytest.raises(UsageError, match="cannot be read as a notebook"):
        notebooks.read_notebook(tmp_path / "bad.ipynb")


def test_unknown_notebook_suggests_the_nearest(tmp_path, monkeypatch):
    monkeypatch.setattr(_parameters, "notebook_directory", lambda: tmp_path)
    write_notebook(tmp_path / "announcement.ipynb")
    assert [info.name for info in notebooks.list_notebooks()] == ["announcement"]
    assert notebooks.find_notebook("announcement.ipynb").name == "announcement"
    with pytest.raises(UsageError, match="Did you mean 'announcement'"):
        notebooks.find_notebook("anouncement")
    with pytest.raises(UsageError):
        notebooks.find_notebook("../announcement")


# ---------------------------------------------------------------- values of parameters

ALL_NAMES = (
    "ticker: str = 'META'\ntickers: str = ''\npeers: str = ''\nmarket: str = '^GSPC'\n"
    "source: str = 'sample'\n"
    "event_date: str = '2024-10-30'\nwindow: str = '-10,10'\nestimation: str = '-250,-11'\n"
    "n: int = 1\nshare: float = 0.5\nquick: bool = False"
)


@pytest.fixture
def named(tmp_path):
    return info_of(tmp_path, parameters=ALL_NAMES)


def test_defaults_complete_what_is_given(named):
    values = notebooks.check_parameters(named, {"n": "7"})
    assert values["n"] == 7
    assert values["window"] == "-10,10"
    assert list(values) == [parameter.name for parameter in named.parameters]


@pytest.mark.parametrize("text", ["ON", "NO", "NAN", "007", "1e5", "TRUE", "null", "BRK.B", "^GSPC", "EURUSD=X"])
def test_strings_stay_the_strings_they_are(named, text):
    assert notebooks.check_parameters(named, {"ticker": text})["ticker"] == text


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("n", "-12", -12),
        ("n", 5, 5),
        ("share", "1e-3", 0.001),
        ("share", 2, 2.0),
        ("quick", "yes", True),
        ("quick", "False", False),
        ("quick", True, True),
        ("window", (-1, 1), "-1,1"),
        ("window", "0, 5", "0, 5"),
        ("tickers", ["META", "AAPL"], "META,AAPL"),
        ("tickers", "", ""),
        ("event_date", date(2024, 10, 30), "2024-10-30"),
    ],
)
def test_values_take_the_declared_type(named, name, value, expected):
    found = notebooks.check_parameters(named, {name: value})[name]
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ticker", "../../x"),
        ("ticker", "<script>"),
        ("ticker", ""),
        ("ticker", "META "),
        ("ticker", "META\n"),
        ("ticker", "A" * 21),
        ("ticker", "-META"),
        ("ticker", 7),
        ("ticker", None),
        ("tickers", "META,,AAPL"),
        ("tickers", "META;AAPL"),
        ("peers", "META,$x"),
        ("event_date", "2024-02-30"),
        ("event_date", "30.10.2024"),
        ("event_date", "2024-W44-3"),
        ("event_date", "20241030"),
        ("event_date", "2024-10-30T16:05"),
        ("window", "10,-10"),
        ("window", "-10"),
        ("window", "-10,10,20"),
        ("window", "-1.5,1"),
        ("window", "٣,٤"),
        ("n", "1.0"),
        ("n", "1_000"),
        ("n", True),
        ("n", 1.0),
        ("share", "nan"),
        ("share", "inf"),
        ("share", math.nan),
        ("share", "1e999"),
        ("quick", "perhaps"),
        ("quick", 1),
        ("source", "files:a\x00b"),
        ("source", "files:\u202egnp"),
        ("source", b"sample"),
    ],
)
def test_impossible_values_are_refused(named, name, value):
    with pytest.raises(ParameterError) as caught:
        notebooks.check_parameters(named, {name: value})
    assert caught.value.parameter == name
    assert caught.value.exit_code == 2


def test_unknown_model_is_refused_with_the_nearest(tmp_path):
    info = info_of(tmp_path, FINISH, parameters="model: str = 'market'")
    with pytest.raises(ParameterError, match="Did you mean 'market-adjusted'"):
        notebooks.check_parameters(info, {"model": "marketadjusted"})
    assert notebooks.check_parameters(info, {"model": "ff3"}) == {"model": "ff3"}


def test_unknown_parameter_is_refused_with_a_suggestion(named):
    with pytest.raises(UsageError, match="Did you mean 'window'"):
        notebooks.check_parameters(named, {"windwo": "0,1"})


def test_unknown_parameter_runs_nothing(tmp_path):
    info = info_of(tmp_path, FINISH)
    with pytest.raises(UsageError, match="ticker"):
        notebooks.run_notebook(info, {"tickr": "META"}, tmp_path / "reports")
    assert not (tmp_path / "reports").exists()


@pytest.mark.parametrize("slug", ["", "..", "a/b", "Upper", "-x", ".hidden", "a\n", "x.failed"])
def test_unsafe_slugs_are_refused(tmp_path, slug):
    with pytest.raises(UsageError, match="unsafe"):
        notebooks.run_notebook(info_of(tmp_path, FINISH), {}, tmp_path / "reports", slug=slug)


def test_slugs_name_the_kind_of_other_news():
    assert notebooks.announcement_slug("META", "2023-02-27", "strategy") == "meta-2023-02-27-strategy"
    assert notebooks.announcement_slug("META", "2023-02-27", "earnings") == "meta-2023-02-27"


def test_slugs_of_announcements_are_safe_and_distinct():
    tickers = ["META", "BRK.B", "BRK-B", "BRK_B", "^GSPC", "GSPC", "EURUSD=X"]
    slugs = [notebooks.announcement_slug(ticker, "2024-10-30") for ticker in tickers]
    assert slugs[0] == "meta-2024-10-30"
    assert len(set(slugs)) == len(slugs)
    assert all(_parameters.SLUG.fullmatch(slug) for slug in slugs)


# ---------------------------------------------------------------- the completion record


def test_results_become_plain_json():
    value = {
        "float": np.float32(0.5),
        "int": np.int64(3),
        "bool": np.bool_(True),
        "missing": [np.nan, math.inf, pd.NaT, pd.NA, None],
        "array": np.array([[1.0, np.nan], [3.0, 4.0]]),
        "tuple": (1, "a"),
        "instant": pd.Timestamp("2024-10-30 20:05", tz="UTC"),
        "day": np.datetime64("2024-10-31", "ns"),
        7: date(2024, 10, 31),
    }
    assert plain(value) == {
        "float": 0.5,
        "int": 3,
        "bool": True,
        "missing": [None] * 5,
        "array": [[1.0, None], [3.0, 4.0]],
        "tuple": [1, "a"],
        "instant": "2024-10-30T20:05:00+00:00",
        "day": "2024-10-31T00:00:00",
        "7": "2024-10-31",
    }
    assert plain(0.1 + 0.2) == 0.30000000000000004


@pytest.mark.parametrize(
    "value", [{"a": {1, 2}}, {"a": pd.Series([1])}, {"a": object()}, {(0, 1): 2}, {1: 0, "1": 0}, {"a": 1j}]
)
def test_what_has_no_json_form_is_refused(value):
    with pytest.raises(ParameterError, match="results"):
        plain(value)


def executed(*outputs_by_cell: list, skipped: int | None = None):
    cells = [
        new_code_cell("x", outputs=outputs, execution_count=None if position == skipped else position + 1)
        for position, outputs in enumerate(outputs_by_cell)
    ]
    return new_notebook(cells=cells)


def record(**changes):
    content = {"complete": True, "schema": _completion.SCHEMA, "results": {"a": 1}, **changes}
    return new_output("display_data", data={RESULTS_TYPE: content})


def test_completion_record_is_read_from_the_last_cell():
    assert completed_results(executed([], [record()])) == {"a": 1}


@pytest.mark.parametrize(
    "notebook",
    [
        executed([], []),
        executed([record()], []),
        executed([record()], [record()]),
        executed([], [record(), record()]),
        executed([], [record(complete=False)]),
        executed([], [record(schema=99)]),
        executed([], [record()], skipped=0),
        executed(),
    ],
    ids=["none", "early", "two cells", "twice", "incomplete", "foreign", "a cell did not run", "no code"],
)
def test_anything_else_is_no_completion(notebook):
    with pytest.raises(ReportError, match="without its completion record"):
        completed_results(notebook)


# ---------------------------------------------------------------- a run that succeeds

NASTY = """a"b'c\\n{brace} </script><b>&amp; $x_1$ "; import os; os._exit(1) #"""
SECRET = "planted-" + "5ecret-" * 3
ODD = {"ticker": "NAN", "a": "ON", "b": "NO", "c": "007", "d": "1e5", "note": NASTY}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Two runs of one notebook on the same inputs; the second replaces nothing of the first."""
    folder = tmp_path_factory.mktemp("runs")
    data = folder / "my-data"
    data.mkdir()
    (data / "events.csv").write_text("here", encoding="utf-8")
    path = write_notebook(
        folder / "tiny.ipynb",
        "import os, sys, warnings\nwarnings.warn('beware of the leopard')\n"
        "print(os.getcwd(), sys.executable, object())",
        "print(open(source.removeprefix('files:') + '/events.csv').read())\nhash('a')",
        "import matplotlib.pyplot as plt\n_ = plt.plot([1, 2])",
        "import hashlib, research\nfrom research.reporting.notebooks import complete\n"
        "of = lambda text: hashlib.sha256(text.encode()).hexdigest()\n"
        "complete({'values': [ticker, a, b, c, d, note], 'cwd': os.getcwd(), 'nan': float('nan'),\n"
        "          'executable': of(sys.executable), 'package': of(research.__file__)})",
        parameters="ticker: str = ''\na: str = ''\nb: str = ''\nc: str = ''\nd: str = ''\nnote: str = ''\n"
        "source: str = 'sample'",
    )
    info = notebooks.read_notebook(path)
    lines: list[str] = []
    elsewhere = folder / "jupyter"
    spec = elsewhere / "kernels" / "python3"
    spec.mkdir(parents=True)
    (spec / "kernel.json").write_text(
        json.dumps({"argv": ["/bin/false"], "display_name": "x", "language": "python"}), encoding="utf-8"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PLANTED_SECRET", SECRET)
        patch.setenv("JUPYTER_PATH", str(elsewhere))  # a python3 kernel that is none
        patch.setattr(_provenance, "source_fingerprint", lambda source: {"source": "files", "sha256": "00"})
        given = {**ODD, "source": f"files:{data}"}
        first = notebooks.run_notebook(info, given, folder / "one", progress=lines.append)
        patch.chdir(data)
        second = notebooks.run_notebook(info, {**given, "source": "files:."}, folder / "two" / "deeper")
    return folder, first, second, lines


def test_report_folder_is_complete(finished):
    folder, first, _, lines = finished
    assert set(tree(first.parent)) == {
        "report.html",
        "notebook.ipynb",
        "results.json",
        "manifest.json",
        "notebook.log",
    }
    assert [path.name for path in (folder / "one").iterdir()] == [first.parent.name]
    assert re.fullmatch(r"tiny-[0-9a-f]{10}", first.parent.name)
    assert all("\n" not in line for line in lines)


def test_values_arrive_as_they_were_given(finished):
    results = json.loads((finished[1].parent / "results.json").read_text(encoding="utf-8"))
    assert results["values"] == list(ODD.values())
    assert results["nan"] is None


def test_kernel_is_this_interpreter_with_this_package(finished):
    results = json.loads((finished[1].parent / "results.json").read_text(encoding="utf-8"))
    assert results["executable"] == hashlib.sha256(sys.executable.encode()).hexdigest()
    assert results["package"] == hashlib.sha256(research.__file__.encode()).hexdigest()


def test_same_inputs_give_the_same_bytes(finished):
    _, first, second, _ = finished
    assert first.parent.name == second.parent.name
    assert tree(first.parent) == tree(second.parent)


def test_report_names_neither_machine_nor_secret(finished):
    folder, first, _, _ = finished
    forbidden = [
        SECRET,
        "PLANTED_SECRET",
        str(folder),
        str(Path.home()),
        sys.prefix,
        "earnings-study-",
        " at 0x7",
    ]
    for name, content in tree(first.parent).items():
        text = content.decode("utf-8")
        assert [word for word in forbidden if word in text] == [], name


def test_warnings_are_logged_and_not_shown(finished):
    content = {name: data.decode("utf-8") for name, data in tree(finished[1].parent).items()}
    assert "beware of the leopard" in content["notebook.log"]
    assert "UserWarning" not in content["report.html"]
    assert "UserWarning" not in content["notebook.ipynb"]


def test_executed_notebook_is_valid_and_tidy(finished):
    notebook = nbformat.read(finished[1].parent / "notebook.ipynb", as_version=4)
    nbformat.validate(notebook)
    assert [cell.id for cell in notebook.cells] == [f"cell-{n:03d}" for n in range(1, len(notebook.cells) + 1)]
    assert notebook.metadata.papermill.parameters["source"] == "files:my-data"
    assert set(notebook.metadata.papermill) == {"parameters"}
    assert not any({"papermill", "execution"} & set(cell.metadata) for cell in notebook.cells)


def test_manifest_says_what_the_report_depends_on(finished):
    manifest = json.loads((finished[1].parent / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["notebook"] == "tiny"
    assert manifest["parameters"] == {**ODD, "source": "files:my-data"}
    assert manifest["versions"]["numpy"] == np.__version__
    assert len(manifest["input_hash"]) == 64


def test_markup_in_a_parameter_shows_as_text(finished):
    page = finished[1].read_text(encoding="utf-8")
    assert "</script>" not in page
    assert "&lt;/script&gt;" in page


# ---------------------------------------------------------------- the input hash


def test_input_hash_depends_on_every_input(tmp_path, monkeypatch):
    info = info_of(tmp_path, FINISH)
    base = notebooks.input_hash(info, {})
    assert notebooks.input_hash(info, {"ticker": "META"}) == base  # the default, spelt out
    assert notebooks.input_hash(info, {"ticker": "AAPL"}) != base
    with monkeypatch.context() as patch:
        patch.setattr(_provenance, "code_hash", lambda: "other")
        assert notebooks.input_hash(info, {}) != base
    with monkeypatch.context() as patch:
        patch.setattr(_provenance, "versions", lambda: {"numpy": "0"})
        assert notebooks.input_hash(info, {}) != base
    changed = info_of(tmp_path, "1", FINISH)
    assert notebooks.input_hash(changed, {}) != base


def test_input_hash_depends_on_the_source(tmp_path, monkeypatch):
    info = info_of(tmp_path, FINISH, parameters="source: str = 'sample'")
    hashes = []
    for digest in ("aa", "bb"):
        monkeypatch.setattr(_provenance, "source_fingerprint", lambda source, d=digest: {"sha256": d})
        hashes.append(notebooks.input_hash(info, {}))
    assert hashes[0] != hashes[1]


def test_sources_are_named_without_their_place(tmp_path):
    (tmp_path / "My data").mkdir()
    assert _provenance.portable_source("sample") == "sample"
    assert _provenance.portable_source(f"files:{tmp_path}/x/../prices") == "files:prices"
    assert _provenance.portable_source(f"files:{tmp_path}/My data") == "files:data"
    assert _provenance.portable_source(f"files:{Path.home()}") == "files:data"


def test_private_paths_are_cut_only_where_they_stand_alone():
    private = ["/home/ann/project", "/home/ann", "/tmp"]
    text = "/home/ann/project/a.py /home/annabel/x 'file:/tmp/y' https://host/tmp/z /home/ann"
    expected = "…/a.py /home/annabel/x 'file:…/y' https://host/tmp/z …"
    assert _execution.without_paths(text, private) == expected


# ---------------------------------------------------------------- runs that fail


@pytest.fixture
def earlier(tmp_path):
    """An output folder with a good report in it, and what that looked like."""
    target = tmp_path / "reports" / "meta-2024-10-30"
    target.mkdir(parents=True)
    for name in ("report.html", "manifest.json"):
        (target / name).write_text("the good one", encoding="utf-8")
    return target, tree(target)


def fail(tmp_path, earlier, *cells, timeout=60):
    """Run a notebook that must fail; the earlier report must not notice."""
    target, before = earlier
    with pytest.raises(ReportError) as caught:
        notebooks.run_notebook(info_of(tmp_path, *cells), {}, target.parent, slug=target.name, timeout=timeout)
    assert tree(target) == before
    failed = target.with_name(target.name + ".failed")
    assert set(tree(failed)) == set(notebooks.FAILED_FILES)
    assert sorted(path.name for path in target.parent.iterdir()) == [target.name, failed.name]
    log = (failed / "failed.log").read_text(encoding="utf-8")
    assert str(tmp_path) not in log
    assert caught.value.exit_code == 1
    assert "\n" not in str(caught.value)
    return str(caught.value), log


def test_exception_in_a_cell(tmp_path, earlier):
    message, log = fail(tmp_path, earlier, "1 / 0", FINISH)
    assert "cell 4 raised ZeroDivisionError: division by zero" in message
    assert "Traceback" in log
    # ... and the next success clears the failure away and replaces the report.
    target, _ = earlier
    path = notebooks.run_notebook(info_of(tmp_path, FINISH), {}, target.parent, slug=target.name)
    assert path == target / "report.html"
    assert "A tiny notebook" in path.read_text(encoding="utf-8")
    assert [item.name for item in target.parent.iterdir()] == [target.name]


def test_own_error_speaks_for_itself(tmp_path, earlier):
    cell = (
        "from research.errors import InputError, offences\n"
        "raise InputError('bad prices', rows=offences([(1, 'close', -1.0, 'negative')]))"
    )
    message, log = fail(tmp_path, earlier, cell, FINISH)
    assert "notebook tiny: bad prices. " in message
    assert "row 1, close: negative" in log


def test_killed_kernel(tmp_path, earlier):
    message, _ = fail(tmp_path, earlier, "import os, signal; os.kill(os.getpid(), signal.SIGKILL)", FINISH)
    assert "lost its kernel" in message


def test_kernel_that_dies_after_the_completion_record(tmp_path, earlier):
    fail(tmp_path, earlier, FINISH + "\nimport os, time; time.sleep(0.2); os._exit(0)")


def test_sys_exit_in_a_cell(tmp_path, earlier):
    message, _ = fail(tmp_path, earlier, "import sys; sys.exit(0)", FINISH)
    assert "without its completion record" in message
    assert "called exit" in message


def test_hang_is_stopped_in_time(tmp_path, earlier):
    started = time.monotonic()
    message, _ = fail(tmp_path, earlier, "import time; time.sleep(600)", FINISH, timeout=3)
    assert "did not finish within 3 seconds" in message
    assert time.monotonic() - started < 30


def test_missing_completion_record_and_unshowable_output(tmp_path, earlier):
    message, _ = fail(tmp_path, earlier, "print('done')")
    assert "without its completion record" in message
    script = "from IPython.display import HTML, display\ndisplay(HTML('<script>alert(1)</script>'))"
    message, _ = fail(tmp_path, earlier, script, FINISH)
    assert "self-contained" in message


@pytest.mark.parametrize("place", ["a file", "below a file"])
def test_unwritable_output_folder_fails_before_anything_runs(tmp_path, monkeypatch, place):
    (tmp_path / "taken").write_text("mine", encoding="utf-8")
    output = tmp_path / "taken" if place == "a file" else tmp_path / "taken" / "reports"
    monkeypatch.setattr(notebooks, "execute", lambda *args: pytest.fail("must not run"))
    with pytest.raises(ReportError, match="cannot write"):
        notebooks.run_notebook(info_of(tmp_path, FINISH), {}, output)
    assert (tmp_path / "taken").read_text(encoding="utf-8") == "mine"


def test_folder_that_is_no_report_is_not_replaced(tmp_path, monkeypatch):
    target = tmp_path / "reports" / "thesis"
    target.mkdir(parents=True)
    (target / "chapter-1.tex").write_text("years of work", encoding="utf-8")
    monkeypatch.setattr(notebooks, "execute", lambda *args: pytest.fail("must not run"))
    with pytest.raises(ReportError, match="no report"):
        notebooks.run_notebook(info_of(tmp_path, FINISH), {}, target.parent, slug="thesis")
    assert set(tree(target)) == {"chapter-1.tex"}


# ---------------------------------------------------------------- putting a folder in place


def test_full_disk_leaves_the_old_folder(earlier, monkeypatch):
    target, before = earlier

    def full(self, *args, **settings):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(ReportError, match="No space left"):
        _publishing.publish({"report.html": "new"}, target)
    assert tree(target) == before
    assert [path.name for path in target.parent.iterdir()] == [target.name]


def test_replacement_without_exchange(earlier, monkeypatch):
    target, _ = earlier
    monkeypatch.setattr(_publishing, "_exchange", lambda first, second: False)
    _publishing.publish({"report.html": "new"}, target)
    assert tree(target) == {"report.html": b"new"}
    assert [path.name for path in target.parent.iterdir()] == [target.name]


def test_replacement_without_exchange_goes_back_when_it_fails(earlier, monkeypatch):
    target, before = earlier
    rename, calls = Path.rename, []

    def failing(self, other):
        calls.append(self)
        if len(calls) == 3:  # new to target (taken), target aside, new to target
            raise OSError(errno.EIO, "unlucky")
        return rename(self, other)

    monkeypatch.setattr(_publishing, "_exchange", lambda first, second: False)
    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(ReportError, match="unlucky"):
        _publishing.publish({"report.html": "new"}, target)
    assert len(calls) == 4
    assert tree(target) == before


@pytest.mark.skipif(sys.platform != "linux", reason="folders are exchanged in one step on Linux only")
def test_a_reader_never_misses_the_report(earlier):
    target, _ = earlier
    missing, done = [], threading.Event()

    def read():
        while not done.is_set():
            try:
                os.stat(target / "report.html")
            except FileNotFoundError as error:
                missing.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    for round_ in range(100):
        _publishing.publish({"report.html": str(round_)}, target)
    done.set()
    reader.join()
    assert missing == []
    assert (target / "report.html").read_text(encoding="utf-8") == "99"


def test_folder_follows_the_umask(tmp_path):
    before = os.umask(0o022)
    try:
        _publishing.publish({"report.html": "x"}, tmp_path / "r")
    finally:
        os.umask(before)
    assert (tmp_path / "r").stat().st_mode & 0o777 == 0o755


def test_foreign_files_beside_a_failure_survive(tmp_path):
    (tmp_path / "failed.log").write_text("x", encoding="utf-8")
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    _publishing.withdraw(tmp_path, ("failed.log",))
    assert set(tree(tmp_path)) == {"notes.txt"}
