"""The house itself: what is derived stays derived, rooms import downwards, a wheel works anywhere."""

import ast
import re
import runpy
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import research

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ["errors", "resources", "events", "market", "sources", "study", "analysis", "reporting", "cli"]


@pytest.fixture(scope="module")
def pyproject():
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_environment_yml_follows_from_pyproject(pyproject):
    script = runpy.run_path(str(ROOT / ".ci" / "environment_yml.py"))
    assert (ROOT / "environment.yml").read_text() == script["environment"](pyproject), "run `make environment`"


def test_the_packages_that_were_asked_for_are_in_the_environment():
    text = (ROOT / "environment.yml").read_text()
    assert all(f"- {name}" in text for name in ("pandas", "statsmodels", "yfinance", "jupyter", "seaborn"))


def test_conda_finds_the_packages_under_its_own_names(pyproject):
    """conda neither takes a hyphen for an underscore nor has every version: one wrong line and nothing installs."""
    import yaml

    *conda, last = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    names = [re.split("[<>=]", line)[0] for line in conda]
    assert "jupyter_client" in names
    assert "jupyter-client" not in names
    assert "exchange-calendars" not in names
    assert [re.split("[<>=]", line)[0] for line in last["pip"]] == ["exchange-calendars", "--editable ."]
    every = {re.match(r"[A-Za-z0-9._-]+", requirement)[0] for requirement in pyproject["project"]["dependencies"]}
    assert {name.replace("_", "-") for name in every} <= {name.replace("_", "-") for name in names} | {
        "exchange-calendars"
    }


def test_every_dependency_is_pinned_and_no_host_is_named(pyproject):
    project = pyproject["project"]
    wanted = [
        *project["dependencies"],
        *(name for extra in project["optional-dependencies"].values() for name in extra),
    ]
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pinned = {re.sub(r"[-_.]+", "-", line.split("==")[0]).lower() for line in lines}
    for requirement in wanted:
        name = re.sub(r"[-_.]+", "-", re.match(r"[A-Za-z0-9._-]+", requirement)[0]).lower()
        assert name in pinned or name == "eventstudy", name
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.!+_-]+", line) for line in lines)


def test_every_package_that_is_imported_is_declared(pyproject):
    """Nothing works only because another package happens to bring it along."""
    declared = {
        re.match(r"[A-Za-z0-9._-]+", requirement)[0].lower().replace("-", "_")
        for requirement in pyproject["project"]["dependencies"]
    }
    imported = set()
    for path in (ROOT / "research").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0].lower() for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                imported.add(node.module.split(".")[0].lower())
    others = imported - {name.lower() for name in sys.stdlib_module_names} - {"research"}
    # yfinance asks for a session of whichever of the two it uses itself.
    assert others - declared == {"curl_cffi", "requests"}
    # papermill runs notebooks with the one in kernels of the other.
    assert declared - others == {"nbclient", "ipykernel"}


def imported_rooms(path):
    """Rooms that a module imports at any level, the one allowed upward import inside a function apart."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        for name in names:
            parts = name.split(".")
            if parts[0] == "research" and len(parts) > 1 and parts[1] in ROOMS:
                yield parts[1]


@pytest.mark.parametrize("room", ROOMS)
def test_rooms_import_downwards_only(room):
    base = ROOT / "research" / room
    paths = sorted(base.rglob("*.py")) if base.is_dir() else [base.with_suffix(".py")]
    allowed = set(ROOMS[: ROOMS.index(room) + 1])
    for path in paths:
        upward = set(imported_rooms(path)) - allowed
        # results.plot() is the one place where a result reaches up, inside the method.
        if path.name == "results.py" and room == "study":
            upward -= {"reporting"}
        assert not upward, f"{path.relative_to(ROOT)} imports {sorted(upward)}"


def test_only_the_calendar_knows_exchange_calendars():
    knowing = [
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "research").rglob("*.py")
        if re.search(r"^\s*(import|from) exchange_calendars", path.read_text(), re.MULTILINE)
    ]
    assert knowing == ["research/events/calendar.py"]


def test_public_names_exist_and_are_all_listed():
    assert sorted(research.__all__) == sorted(research._HOMES)
    for name in research.__all__:
        assert getattr(research, name) is not None


def test_notebooks_are_committed_without_outputs():
    import nbformat

    found = sorted((ROOT / "notebooks").glob("*.ipynb"))
    assert found
    for path in found:
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
        for cell in notebook.cells:
            assert cell.cell_type != "code" or (not cell.outputs and cell.execution_count is None), path.name
        assert sum("parameters" in cell.metadata.get("tags", []) for cell in notebook.cells) == 1


def kept(path):
    """Whether a file of the package belongs into a wheel."""
    return path.is_file() and "__pycache__" not in path.parts


@pytest.mark.slow
def test_a_built_wheel_runs_outside_the_repository(tmp_path):
    """The wheel carries sample, notebooks and templates, and needs nothing of the checkout."""
    build = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--wheel-dir",
        str(tmp_path),
        str(ROOT),
    ]
    subprocess.run(build, check=True, capture_output=True, cwd=tmp_path)
    wheel = next(tmp_path.glob("earnings_event_study-*.whl"))
    site = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
        carried = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert carried == {
        *(path.relative_to(ROOT).as_posix() for path in (ROOT / "research").rglob("*") if kept(path)),
        *(f"research/resources/data/sample/{path.name}" for path in (ROOT / "data" / "sample").iterdir()),
        *(f"research/resources/notebooks/{path.name}" for path in (ROOT / "notebooks").glob("*.ipynb")),
    }
    program = (
        "import sys; sys.path.insert(0, sys.argv.pop(1)); import research, research.resources as r; "
        "assert 'site' in research.__file__ and 'site' in str(r.resource_root()); "
        "from research.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "PYTHONPATH": str(site)}
    done = subprocess.run(
        [sys.executable, "-c", program, str(site), "report", "META", "2024-10-30"],
        cwd=elsewhere,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "reports/meta-2024-10-30/report.html"
    assert (elsewhere / done.stdout.strip()).stat().st_size > 100_000
