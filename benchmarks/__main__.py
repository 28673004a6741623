"""Run every benchmark and write RESULTS.md: `make bench`, or `python -m benchmarks engine` for some of them."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "RESULTS.md"

#: Name of each benchmark and the title of its section.
SECTIONS = {
    "boundary": "Boundary",
    "engine": "Engine",
    "simulation": "Simulation",
    "coverage": "Coverage of planted effects",
    "snapshots": "Snapshots",
    "reruns": "Reruns",
    "bar_filter": "Bar filter",
}

_PACKAGES = ("numpy", "pandas", "scipy", "statsmodels", "pyarrow")


def machine() -> str:
    """Processor, memory and versions, without a name of the machine."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        found = re.search(r"model name\s*:\s*(.+)", info.read_text())
        cpu = found[1].strip() if found else cpu
    pages = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    packages = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    return f"{cpu}, {os.cpu_count()} cores, {pages / 2**30:.0f} GiB; Python {platform.python_version()}, {packages}."


def run(name: str) -> str:
    """Output of one benchmark, as Markdown."""
    done = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{name}"], cwd=HERE.parent, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"benchmarks.{name} failed:\n{done.stderr}")
    text = done.stdout.strip()
    if text.startswith("## "):
        return text
    body = text if "|---" in text else f"```text\n{text}\n```"
    return f"## {SECTIONS[name]}\n\n{body}"


def sections() -> dict[str, str]:
    """Sections of the present RESULTS.md by title, so that some can be renewed alone."""
    if not RESULTS.exists():
        return {}
    parts = re.split(r"^## ", RESULTS.read_text(), flags=re.MULTILINE)[1:]
    return {part.splitlines()[0]: f"## {part.strip()}" for part in parts}


def main(names: list[str]) -> None:
    """Renew the sections of the named benchmarks, all by default."""
    found = sections()
    for name in names or [name for name in SECTIONS if (HERE / f"{name}.py").exists()]:
        print(f"{name} ...", file=sys.stderr, flush=True)
        text = run(name)
        found[text.splitlines()[0].removeprefix("## ")] = text
    order = [title for title in SECTIONS.values() if title in found]
    order += [title for title in found if title not in order]
    head = ["# Benchmark results", "", "Written by `make bench`; ratios are between runs side by side.", "", machine()]
    RESULTS.write_text("\n\n".join(["\n".join(head), *(found[title] for title in order)]) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
