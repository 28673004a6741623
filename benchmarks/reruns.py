"""A hundred reports of the sample: from nothing, unchanged, and by plain papermill and nbconvert.

Run ``python benchmarks/reruns.py [--reports N] [--plain N]``; a Markdown section comes on stdout.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import research as es
from research.reporting.reruns import default_workers
from research.resources import notebook_directory


def announcements(n: int) -> list[tuple[str, str]]:
    """The latest ``n`` announcements of the sample that can be studied, as ticker and date."""
    events = es.sample.announcements()
    results = es.EventStudy(
        events,
        es.sample.prices().returns(),
        market=es.sample.market_returns(),
        window=(-10, 10),
        estimation=(-250, -11),
    ).fit()
    used = results.ledger.loc[results.ledger["status"] == "used", "event_id"]
    frame = events.frame
    chosen = frame[frame["event_id"].isin(used)].sort_values(["announced_on", "ticker"]).tail(n)
    return [(row.ticker, f"{row.announced_on:%Y-%m-%d}") for row in chosen.itertuples()]


def seconds(command: list[str], **settings: object) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **settings)
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reports", type=int, default=100)
    parser.add_argument("--plain", type=int, default=5, help="reports by papermill and nbconvert")
    options = parser.parse_args()
    chosen = announcements(options.reports)
    environment = {**os.environ, "PYTHONPATH": str(Path(es.__file__).parent.parent)}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        jobs = "".join(
            f'[[notebook]]\nname = "announcement"\nparameters = {{ ticker = "{ticker}", event_date = "{day}" }}\n'
            for ticker, day in chosen
        )
        (folder / "schedule.toml").write_text(jobs, encoding="utf-8")
        rerun = [sys.executable, "-P", "-c", "import sys; from research.cli import main; sys.exit(main())", "rerun"]
        settings = {"cwd": folder, "env": environment}
        first = seconds([*rerun, "schedule.toml"], **settings)
        made = len(list(folder.glob("reports/*/report.html")))
        again = min(seconds([*rerun, "schedule.toml"], **settings) for _ in range(3))
        sizes = [path.stat().st_size for path in folder.glob("reports/*/report.html")]
        plain = 0.0
        for ticker, day in chosen[-options.plain :]:
            notebook = str(notebook_directory() / "announcement.ipynb")
            given = ["-r", "ticker", ticker, "-r", "event_date", day, "-r", "source", "sample"]
            plain += seconds([sys.executable, "-P", "-m", "papermill", notebook, "out.ipynb", *given], **settings)
            plain += seconds([sys.executable, "-P", "-m", "nbconvert", "--to", "html", "out.ipynb"], **settings)
    n, each = len(chosen), plain / options.plain
    workers = default_workers()
    print("## Reruns\n")
    print(f"{n} announcements of the sample, {workers} processors ({platform.machine()}), wall clock.\n")
    print("| what | seconds | a report |")
    print("|---|---:|---:|")
    print(f"| `earnings-study rerun` from nothing, {workers} at a time ({made} made) | {first:.0f} | {first / n:.2f} |")
    print(f"| the same with everything unchanged, best of 3 | {again:.2f} | {again / n:.3f} |")
    print(
        f"| plain papermill and nbconvert, one after the other (measured on {options.plain}, extrapolated to {n}) "
        f"| {each * n:.0f} | {each:.2f} |"
    )
    print(f"\nLargest page: {max(sizes) / 1e6:.2f} MB; median {sorted(sizes)[len(sizes) // 2] / 1e6:.2f} MB.")


if __name__ == "__main__":
    main()
