"""Print the conda environment that follows from pyproject.toml: `make environment`."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def environment(pyproject: dict) -> str:
    """Text of environment.yml: the run-time dependencies, JupyterLab, and the package itself."""
    project = pyproject["project"]
    packages = sorted([*project["dependencies"], *project["optional-dependencies"]["lab"]])
    lines = [
        "# Derived from pyproject.toml by `make environment`; edit that file, not this one.",
        f"name: {project['name']}",
        "channels:",
        "  - conda-forge",
        "dependencies:",
        f"  - python{project['requires-python']}",
        *(f"  - {package}" for package in packages),
        "  - pip",
        "  - pip:",
        "      - --editable .",
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(environment(tomllib.loads((ROOT / "pyproject.toml").read_text())), end="")
