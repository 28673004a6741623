"""Print the conda environment that follows from pyproject.toml: `make environment`."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
#: conda takes names as they are: what is called otherwise on conda-forge than on the package index.
CONDA_NAMES = {"jupyter-client": "jupyter_client"}
#: Packages whose recent versions conda-forge lacks.
FROM_PIP = {"exchange-calendars"}


def environment(pyproject: dict) -> str:
    """Text of environment.yml: the run-time dependencies, JupyterLab, and the package itself."""
    project = pyproject["project"]
    conda, pip = [], []
    for requirement in sorted([*project["dependencies"], *project["optional-dependencies"]["lab"]]):
        name, version = re.fullmatch(r"([A-Za-z0-9._-]+)(.*)", requirement).groups()
        (pip if name in FROM_PIP else conda).append(CONDA_NAMES.get(name, name) + version)
    lines = [
        "# Derived from pyproject.toml by `make environment`; edit that file, not this one.",
        f"name: {project['name']}",
        "channels:",
        "  - conda-forge",
        "dependencies:",
        f"  - python{project['requires-python']}",
        *(f"  - {package}" for package in conda),
        "  - pip",
        "  - pip:",
        *(f"      - {package}" for package in pip),
        "      - --editable .",
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(environment(tomllib.loads((ROOT / "pyproject.toml").read_text())), end="")
