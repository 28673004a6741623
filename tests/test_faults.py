"""What may go wrong at night: kills, clashes, full disks, vanished folders, hostile texts."""

from __future__ import annotations

import json
import os
import random
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

import research
from research.errors import ReportError
from research.reporting import _execution, _publishing, notebooks
from research.reporting._completion import RESULTS_TYPE, completed_results
from research.resources import notebook_directory

FINISH = "from research.reporting.notebooks import complete\n"
SECRET = "planted-" + "5ecret-" * 3
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="kernels end with their parent on Linux")


def write_notebook(path: Path, *cells: str, parameters: str = "n: int = 0") -> Path:
    tagged = new_code_cell(parameters, metadata={"tags": ["parameters"]})
    content = [new_markdown_cell("# A tiny notebook"), tagged, *map(new_code_cell, cells)]
    nbformat.write(new_notebook(cells=content), path)
    return path


def schedule(folder: Path, *names: str, n: int = 0) -> Path:
    path = folder / "schedule.toml"
    jobs = [f'[[notebook]]\nname = "{name}"\nslug = "{name}"\nparameters = {{ n = {n} }}\n' for name in names]
    path.write_text("".join(jobs), encoding="utf-8")
    return path


@pytest.fixture
def shelf(tmp_path):
    (tmp_path / "shelf").mkdir()
    (tmp_path / "tmp").mkdir()
    return tmp_path


def start(shelf: Path, *arguments: object, limit: int | None = None, temporary: Path | None = None) -> subprocess.Popen:
    """The command in a process of its own, with our notebooks and a folder for temporary files of its own."""
    script = (
        "import sys, pathlib\nfrom research.reporting import _parameters\n"
        f"_parameters.notebook_directory = lambda: pathlib.Path({str(shelf / 'shelf')!r})\n"
        f"sys.argv[1:] = {[str(one) for one in arguments]!r}\nfrom research.cli import main\nsys.exit(main())"
    )
    home = str(Path(research.__file__).parent.parent)
    environment = {
        **os.environ,
        "PYTHONPATH": home,
        "TMPDIR": str(temporary or shelf / "tmp"),
        "PLANTED_SECRET": SECRET,
    }
    return subprocess.Popen(
        [sys.executable, "-P", "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=shelf,
        env=environment,
        preexec_fn=None if limit is None else lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )


def finish(process: subprocess.Popen) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=120)
    assert "Traceback" not in err
    return process.returncode, out, err


def wait_for(path: Path, process: subprocess.Popen, timeout: float = 60) -> str:
    deadline = time.monotonic() + timeout
    while not (path.exists() and path.read_text(encoding="utf-8")):
        assert time.monotonic() < deadline, f"{path.name} did not come"
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.02)
    return path.read_text(encoding="utf-8")


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def require_whole(report: Path) -> int:
    """Every file of a report is there, complete, and of the same version, whose number is returned."""
    page = (report / "report.html").read_text(encoding="utf-8")
    assert page.endswith("</html>\n")
    n = json.loads((report / "results.json").read_text(encoding="utf-8"))["n"]
    manifest = json.loads((report / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["parameters"] == {"n": n}
    assert manifest["input_hash"] in page
    assert f"version {n}." in page
    nbformat.validate(nbformat.read(report / "notebook.ipynb", as_version=4))
    return n


# ---------------------------------------------------------------- kills


@pytest.mark.slow
def test_killed_at_twenty_random_points(shelf):
    """The old report stays whole, the lock is free at once, and the next run completes."""
    write_notebook(shelf / "shelf" / "one.ipynb", "print(f'version {n}.')", FINISH + "complete({'n': n})")
    reports = shelf / "reports"
    started = time.monotonic()
    assert finish(start(shelf, "rerun", schedule(shelf, "one")))[0] == 0
    whole_run = time.monotonic() - started
    draw = random.Random(20241030)
    killed, n = 0, 0
    while killed < 20:
        n += 1
        assert n <= 80, f"only {killed} of {n} runs could be killed before they ended"
        process, started = start(shelf, "rerun", schedule(shelf, "one", n=n)), time.monotonic()
        try:
            process.wait(timeout=draw.uniform(0.1, 1.0) * whole_run)
            whole_run = time.monotonic() - started  # it ended first: the machine is faster now than it was
        except subprocess.TimeoutExpired:
            process.kill()
        _, err = process.communicate(timeout=60)
        assert "another rerun" not in err
        killed += process.returncode == -signal.SIGKILL
        assert require_whole(reports / "one") <= n
        assert (reports / "index.html").read_text(encoding="utf-8").endswith("</html>\n")
    status, out, err = finish(start(shelf, "rerun", schedule(shelf, "one", n=999)))
    assert status == 0, err
    assert require_whole(reports / "one") == 999
    assert out == f"{reports / 'one' / 'report.html'}\n"
    expected = [".rerun.lock", ".site.json", "feed.xml", "index.html", "one"]
    assert sorted(item.name for item in reports.iterdir()) == expected
    assert [item for item in (shelf / "tmp").iterdir() if re.fullmatch("earnings-study-[0-9a-f]{12}", item.name)] == []
    for item in reports.rglob("*"):
        assert item.is_dir() or SECRET not in item.read_text(encoding="utf-8"), item.name


@LINUX
def test_nothing_runs_on_after_a_kill(shelf):
    mark = shelf / "kernel.pid"
    busy = f"import os, pathlib\npathlib.Path({str(mark)!r}).write_text(str(os.getpid()))\nsum(range(10**12))"
    write_notebook(shelf / "shelf" / "busy.ipynb", busy)
    process = start(shelf, "rerun", schedule(shelf, "busy"))
    kernel = int(wait_for(mark, process))
    process.kill()
    process.communicate(timeout=60)
    deadline = time.monotonic() + 30
    while is_alive(kernel) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_alive(kernel)
    assert not (shelf / "reports" / "busy").exists()


def test_interrupt_stops_everything_in_one_line(shelf):
    mark = shelf / "kernel.pid"
    slow = f"import os, pathlib, time\npathlib.Path({str(mark)!r}).write_text(str(os.getpid()))\ntime.sleep(600)"
    write_notebook(shelf / "shelf" / "slow.ipynb", slow)
    process = start(shelf, "rerun", schedule(shelf, "slow"))
    wait_for(mark, process)
    process.send_signal(signal.SIGINT)
    status, out, err = finish(process)
    assert (status, out) == (130, "")
    assert err == "earnings-study: interrupted; what was published stays\n"


def test_two_reruns_at_once(shelf):
    mark, go = shelf / "mark", shelf / "go"
    cell = (
        f"import pathlib, time\npathlib.Path({str(mark)!r}).write_text('x')\n"
        f"while not pathlib.Path({str(go)!r}).exists():\n    time.sleep(0.05)"
    )
    write_notebook(shelf / "shelf" / "slow.ipynb", cell, FINISH + "complete({'n': n})")
    path = schedule(shelf, "slow")
    first = start(shelf, "rerun", path)
    wait_for(mark, first)
    status, out, err = finish(start(shelf, "rerun", path, "--json"))
    assert (status, out) == (1, "")
    assert "another rerun is at work there" in err
    assert len(err.splitlines()) == 1
    go.write_text("x", encoding="utf-8")
    assert finish(first)[0] == 0


def test_leftovers_are_swept_and_what_is_in_use_is_not(tmp_path):
    dead = tmp_path / ".meta.0123456789ab"
    dead.mkdir()
    (dead / "report.html").write_text("half", encoding="utf-8")
    (tmp_path / ".index.html.0123456789ab").write_text("half", encoding="utf-8")
    (tmp_path / ".git").mkdir()
    with _publishing.locked_folder(tmp_path, ".aapl.") as used:
        swept = _publishing._sweep(tmp_path, _publishing._HIDDEN)
        assert used.is_dir()
    assert sorted(swept) == [".index.html.0123456789ab", ".meta.0123456789ab"]
    assert [item.name for item in tmp_path.iterdir()] == [".git"]


def test_report_that_was_moved_aside_gets_its_name_back(tmp_path):
    aside = tmp_path / ".meta.0123456789ab.old"
    aside.mkdir()
    (aside / "report.html").write_text("the good one", encoding="utf-8")
    _publishing._sweep(tmp_path, _publishing._HIDDEN)
    assert (tmp_path / "meta" / "report.html").read_text(encoding="utf-8") == "the good one"
    shutil.copytree(tmp_path / "meta", aside)
    _publishing._sweep(tmp_path, _publishing._HIDDEN)
    assert [item.name for item in tmp_path.iterdir()] == ["meta"]


# ---------------------------------------------------------------- disks and folders


def test_full_disk_keeps_the_report_and_marks_the_index(shelf):
    write_notebook(shelf / "shelf" / "big.ipynb", "print(f'version {n}.' + 'x' * n)", FINISH + "complete({'n': n})")
    assert finish(start(shelf, "rerun", schedule(shelf, "big", n=1)))[0] == 0
    status, out, err = finish(start(shelf, "rerun", schedule(shelf, "big", n=300_000), limit=200_000))
    assert (status, out) == (1, "")
    assert "File too large" in err
    assert "version 1.x" in (shelf / "reports" / "big" / "report.html").read_text(encoding="utf-8")
    assert "1 failed" in (shelf / "reports" / "index.html").read_text(encoding="utf-8")
    assert [item.name for item in (shelf / "reports").iterdir() if ".big." in item.name] == []


def test_output_folder_that_vanishes(shelf):
    """It is not made anew in silence: it may have been a mounted disk."""
    reports = shelf / "reports"
    cell = f"import shutil\nshutil.rmtree({str(reports)!r})"
    write_notebook(shelf / "shelf" / "rude.ipynb", cell, FINISH + "complete({'n': n})")
    status, out, err = finish(start(shelf, "rerun", schedule(shelf, "rude")))
    assert (status, out) == (1, "")
    assert "cannot write (No such file or directory)" in err
    assert not reports.exists()
    assert finish(start(shelf, "rerun", schedule(shelf, "rude")))[0] == 1


def test_folder_for_temporary_files_with_a_very_long_name(shelf):
    """Local sockets have addresses of about a hundred bytes; batch systems have longer folders."""
    write_notebook(shelf / "shelf" / "one.ipynb", FINISH + "complete({'n': n})")
    deep = shelf / ("a" * 60) / ("b" * 60)
    deep.mkdir(parents=True)
    path = schedule(shelf, "one")
    assert len(str(deep)) > 120
    status, out, err = finish(start(shelf, "rerun", path, temporary=deep))
    assert (status, out) == (0, f"{shelf / 'reports' / 'one' / 'report.html'}\n"), err
    assert list(deep.iterdir()) == []


def test_full_temporary_folder_is_told(tmp_path, monkeypatch):
    info = notebooks.read_notebook(write_notebook(tmp_path / "tiny.ipynb", FINISH + "complete({})"))

    def full(*arguments, **settings):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(_publishing, "scratch_folder", full)
    with pytest.raises(ReportError, match=r"folder for temporary files \(No space left"):
        notebooks.run_notebook(info, {}, tmp_path / "reports")


# ---------------------------------------------------------------- kernels


def test_kernel_that_dies_once_is_forgiven_once(tmp_path):
    mark = tmp_path / "mark"
    cell = (
        f"import os, pathlib, signal\nmark = pathlib.Path({str(mark)!r})\n"
        "if not mark.exists():\n    mark.write_text('x')\n    os.kill(os.getpid(), signal.SIGKILL)"
    )
    info = notebooks.read_notebook(write_notebook(tmp_path / "tiny.ipynb", cell, FINISH + "complete({})"))
    told: list[str] = []
    path = notebooks.run_notebook(info, {}, tmp_path / "reports", slug="tiny", retries=1, progress=told.append)
    assert path.is_file()
    assert any("trying once more" in line for line in told)
    mark.unlink()
    with pytest.raises(ReportError, match="lost its kernel"):
        notebooks.run_notebook(info, {}, tmp_path / "reports", slug="tiny")


def test_port_clash_is_forgiven_once(tmp_path, monkeypatch):
    info = notebooks.read_notebook(write_notebook(tmp_path / "tiny.ipynb", FINISH + "complete({})"))
    original, attempts = _execution._manager_class, []

    def clashing(*arguments):
        base = original(*arguments)
        attempts.append(base)

        class Clashing(base):
            def __init__(self, **settings):
                super().__init__(**settings)
                if len(attempts) == 1:
                    self.cache_ports, self.shell_port = False, taken.getsockname()[1]

        return Clashing

    monkeypatch.setattr(_execution, "_manager_class", clashing)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        notebooks.run_notebook(info, {}, tmp_path / "reports", slug="tiny", retries=1)
    assert len(attempts) == 2
    assert (tmp_path / "reports" / "tiny" / "report.html").is_file()


def test_notebook_that_fails_by_itself_is_not_tried_again(tmp_path):
    count = tmp_path / "count"
    cell = f"with open({str(count)!r}, 'a') as stream:\n    stream.write('x')\n1 / 0"
    info = notebooks.read_notebook(write_notebook(tmp_path / "tiny.ipynb", cell))
    with pytest.raises(ReportError, match="ZeroDivisionError"):
        notebooks.run_notebook(info, {}, tmp_path / "reports", retries=3)
    assert count.read_text(encoding="utf-8") == "x"


def test_source_that_changes_under_the_notebook_is_no_input(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    (data / "events.csv").write_text("ticker,announced_at,session\nA,2024-01-02,amc\n", encoding="utf-8")
    (data / "prices.csv").write_text("date,ticker,close\n2024-01-02,A,1\n", encoding="utf-8")
    cell = f"open({str(data / 'prices.csv')!r}, 'a').write('2024-01-03,A,2\\n')"
    info = notebooks.read_notebook(
        write_notebook(tmp_path / "tiny.ipynb", cell, FINISH + "complete({})", parameters="source: str = ''")
    )
    with pytest.raises(ReportError, match="the source changed while the notebook ran"):
        notebooks.run_notebook(info, {"source": f"files:{data}"}, tmp_path / "reports")


def test_hanging_notebook_ends_in_time_and_the_others_go_on(shelf):
    write_notebook(shelf / "shelf" / "hangs.ipynb", "import time\ntime.sleep(600)")
    write_notebook(shelf / "shelf" / "fine.ipynb", FINISH + "complete({'n': n})")
    path = schedule(shelf, "hangs", "fine")
    path.write_text(
        path.read_text(encoding="utf-8").replace("{ n = 0 }", "{ n = 0 }\ntimeout = 3", 1), encoding="utf-8"
    )
    status, out, err = finish(start(shelf, "rerun", path))
    assert status == 1
    assert [Path(line).parent.name for line in out.splitlines()] == ["fine"]
    assert "hangs: failed: notebook hangs: did not finish within 3 seconds" in err


# ---------------------------------------------------------------- hostile and awkward texts

NASTY = "<script>alert(1)</script><img src=x onerror=alert(2)> **bold** $\\alpha$ `x` [a](javascript:b) ../../etc \"'&"
ODD = ("ON", "NO", "NAN", "007", "1e5")


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """Two runs on real data under an odd ticker, with every free text hostile."""
    folder = tmp_path_factory.mktemp("hostile")
    data = folder / "data"
    data.mkdir()
    root = research.sample
    frame = root.announcements("AAPL").frame
    rows = frame[frame["announced_on"] >= "2021"][["announced_on", "session", "eps_actual", "eps_estimate"]]
    rows = rows.rename(columns={"announced_on": "announced_at"}).assign(session="amc")
    texts = dict.fromkeys(("fiscal_period", "headline", "estimate_source", "announced_at_source"), NASTY)
    rows["announced_at"] = rows["announced_at"].dt.strftime("%Y-%m-%d")
    events = [rows.assign(ticker=ticker, **texts) for ticker in ODD]
    pd.concat(events).to_csv(data / "events.csv", index=False)
    returns = root.prices().returns("AAPL").loc["2020":]
    wide = pd.concat([returns["AAPL"].rename(ticker) * (1 + i / 10) for i, ticker in enumerate(ODD)], axis=1)
    wide.rename_axis("date").to_csv(data / "returns.csv")
    market = root.market_returns().loc["2020":].rename("ret").rename_axis("date")
    market.to_csv(data / "market.csv")
    given = {"ticker": "NAN", "event_date": rows["announced_at"].iloc[-2], "source": f"files:{data}"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PLANTED_SECRET", SECRET)
        paths = [
            notebooks.run_notebook("announcement", given, folder / name, slug="odd", timeout=120) for name in ("a", "b")
        ]
    return folder, given, paths


def test_hostile_texts_show_as_texts_and_write_nowhere_else(hostile):
    folder, _, (first, _) = hostile
    page = first.read_text(encoding="utf-8")
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert not re.search(r"<script|<img src=x|<strong>bold|href=.javascript", page)
    assert sorted(item.name for item in folder.iterdir()) == ["a", "b", "data"]
    assert [item.name for item in (folder / "a").iterdir()] == ["odd"]
    home = str(Path.home())
    for item in first.parent.iterdir():
        text = item.read_text(encoding="utf-8")
        assert [word for word in (SECRET, str(folder), sys.prefix, home) if len(word) > 1 and word in text] == [], item


def test_odd_tickers_arrive_as_they_are(hostile):
    results = json.loads((hostile[2][0].parent / "results.json").read_text(encoding="utf-8"))
    assert results["event"]["ticker"] == "NAN"


def test_two_runs_give_the_same_bytes(hostile):
    first, second = ({p.name: p.read_bytes() for p in path.parent.iterdir()} for path in hostile[2])
    assert {"report.html", "results.json"} <= set(first)
    assert first == second


def test_page_is_under_a_megabyte(hostile):
    assert hostile[2][0].stat().st_size < 1_000_000


def test_plain_papermill_gives_the_same_numbers(hostile):
    """The notebook needs nothing of ours to run; `-r` keeps papermill from guessing types."""
    folder, given, (first, _) = hostile
    command = [sys.executable, "-P", "-m", "papermill", str(notebook_directory() / "announcement.ipynb"), "out.ipynb"]
    options = [word for name, value in given.items() for word in ("-r", name, value)]
    environment = {**os.environ, "PYTHONPATH": str(Path(research.__file__).parent.parent)}
    work = folder.parent / "papermill"
    work.mkdir(exist_ok=True)
    done = subprocess.run([*command, *options], cwd=work, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    plain = nbformat.read(work / "out.ipynb", as_version=4)
    assert any(RESULTS_TYPE in output.get("data", {}) for output in plain.cells[-1].outputs)
    assert completed_results(plain) == json.loads((first.parent / "results.json").read_text(encoding="utf-8"))
