"""The recipes of docs/scheduling.md: each is taken from the page and tried."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
import types
from pathlib import Path

import pytest
import yaml

from research import cli
from research.reporting import notebooks, reruns

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "scheduling.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)


def parsed(command: str):
    """Options of an `earnings-study` command line; argparse exits on what it does not know."""
    words = shlex.split(command)
    start = next(n for n, word in enumerate(words) if word.endswith("earnings-study"))
    ends = [n for n, word in enumerate(words) if word in (">>", "||", "&&") and n > start]
    return cli._parser().parse_args(words[start + 1 : min(ends, default=len(words))])


def test_schedule_on_the_page_is_valid(tmp_path):
    (text,) = blocks("toml")
    (tmp_path / "earnings.toml").write_text(text, encoding="utf-8")
    found = reruns.read_schedule(tmp_path / "earnings.toml")
    assert found.watches[0].tickers == ("META", "AAPL", "ON", "NAN")
    assert found.watches[0].source == f"files:{tmp_path / 'data'}"
    assert found.jobs[0].parameters["source"] == "sample"
    assert found.output == tmp_path / "reports"


def test_table_on_the_page_lists_every_key_with_its_default():
    from research.reporting import _schedule

    table = PAGE[PAGE.index("| table |") : PAGE.index("The whole schedule")]
    known = {*_schedule._TOP, *_schedule._NOTEBOOK, *_schedule._WATCH}
    assert {name for name in known if f"`{name}`" not in table and f"`[[{name}]]`" not in table} == set()


def test_cron_line():
    (text,) = blocks("cron")
    (line,) = [line for line in text.splitlines() if not line.startswith("#")]
    fields = line.split(None, 5)
    assert len(fields) == 6
    for value, (low, high) in zip(fields[:5], [(0, 59), (0, 23), (1, 31), (1, 12), (0, 7)], strict=True):
        assert value == "*" or all(low <= int(n) <= high for n in value.split("-"))
    assert "%" not in fields[5]  # a newline to cron
    assert parsed(fields[5]).schedule == "earnings.toml"


def test_systemd_units(tmp_path):
    service, timer = blocks("ini")
    command = re.search(r"^ExecStart=(.*)$", service, flags=re.MULTILINE)[1]
    assert parsed(command).command == "rerun"
    assert "OnCalendar=" in timer
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze: the units were only read")
    # The paths of the page do not exist here; everything else is systemd's to judge.
    service = service.replace(command, "/bin/true").replace("/srv/earnings", "/tmp").replace("User=earnings\n", "")
    (tmp_path / "earnings-study.service").write_text(service, encoding="utf-8")
    (tmp_path / "earnings-study.timer").write_text(timer, encoding="utf-8")
    units = [str(tmp_path / f"earnings-study.{kind}") for kind in ("service", "timer")]
    done = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True, check=False)
    complaints = [line for line in done.stderr.splitlines() if "earnings-study" in line and "Failed to" not in line]
    assert complaints == []
    calendar = re.search(r"^OnCalendar=(.*)$", timer, flags=re.MULTILINE)[1]
    assert subprocess.run(["systemd-analyze", "calendar", calendar], capture_output=True, check=False).returncode == 0


def test_github_workflow():
    (text,) = blocks("yaml")
    flow = yaml.safe_load(text)
    (job,) = flow["jobs"].values()
    commands = [step["run"] for step in job["steps"] if "run" in step]
    assert parsed(commands[-1]).schedule == "earnings.toml"
    for step in job["steps"]:
        assert ("run" in step) != ("uses" in step)
        assert "run" in step or re.fullmatch(r"actions/[a-z-]+@v\d+", step["uses"])
    upload = job["steps"][-1]
    assert upload["if"] == "always()"
    assert upload["with"]["path"] == "reports"  # where the schedule of the page puts them
    cron = flow[True]["schedule"][0]["cron"]  # YAML 1.1 reads the key `on` as true
    assert len(cron.split()) == 5


def test_airflow_operator(monkeypatch):
    """The operator hands its arguments to papermill.execute_notebook; they must be what the notebook declares."""
    (text,) = blocks("python")
    calls = []

    class Dag:
        def __init__(self, *names, **settings):
            calls.append(("dag", names, settings))

        def __enter__(self):
            return self

        def __exit__(self, *details):
            return None

    parts = ["airflow", "airflow.providers", "airflow.providers.papermill", "airflow.providers.papermill.operators"]
    for name in [*parts, f"{parts[-1]}.papermill"]:
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    sys.modules["airflow"].DAG = Dag
    sys.modules[f"{parts[-1]}.papermill"].PapermillOperator = lambda **given: calls.append(("task", given))
    exec(compile(text, "dag.py", "exec"), {})
    (given,) = [call[1] for call in calls if call[0] == "task"]
    assert (ROOT / given["input_nb"]).is_file()
    info = notebooks.find_notebook(Path(given["input_nb"]).name)
    assert notebooks.check_parameters(info, given["parameters"])["ticker"] == "META"
    assert {type(value) for value in given["parameters"].values()} == {str}


def test_papermill_command_line():
    from papermill.cli import papermill

    (text,) = blocks("console")
    words = shlex.split(text.strip().removeprefix("$ "))
    assert words[0] == "papermill"
    options = papermill.make_context("papermill", words[1:]).params
    assert (ROOT / options["notebook_path"]).is_file()
    assert options["parameters"] == ()
    given = dict(options["parameters_raw"])
    assert notebooks.check_parameters(notebooks.find_notebook("announcement"), given)["event_date"] == "2024-10-30"


def test_options_on_the_page_exist():
    paragraph = PAGE[PAGE.index("Options: `--workers N`") : PAGE.index("### What a watch does")]
    named = re.findall(r"`(--[a-z]+)(?: [A-Z-]+)?`", paragraph)
    values = {"--workers": "2", "--today": "2024-01-02"}
    line = " ".join(f"{option} {values.get(option, '')}" for option in named)
    options = vars(parsed(f"earnings-study rerun earnings.toml {line}"))
    assert {"--" + name for name, value in options.items() if value and name not in ("command", "schedule")} == set(
        named
    )
    assert len(named) == 4
