"""How long snapshots take to write and to load: 500 companies by 10 years unless told otherwise.

    python benchmarks/snapshots.py [COMPANIES] [YEARS]

Prints seconds and sizes. The reading is done in a fresh process, calendar included, and once more
in the same one; on a busy machine the processor time is the figure to look at.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from research.events.calendar import TradingCalendar
from research.sources.replay import open_snapshot
from research.sources.snapshots import SnapshotStore

_LAST = pd.Timestamp("2024-12-31")


def build(root: Path, companies: int, years: int) -> SnapshotStore:
    store = SnapshotStore(root)
    sessions = TradingCalendar().sessions
    sessions = sessions[(sessions <= _LAST) & (sessions > _LAST - pd.DateOffset(years=years))]
    rng = np.random.default_rng(0)
    moment = pd.Timestamp("2025-01-02T12:00:00Z")
    for number in range(companies):
        close = 50 * np.exp(np.cumsum(rng.normal(0, 0.02, len(sessions))))
        opens = close * (1 + rng.normal(0, 0.005, len(sessions)))
        bars = pd.DataFrame({"date": sessions, "open": opens, "high": np.maximum(opens, close) * 1.01})
        bars["low"] = np.minimum(opens, close) * 0.99
        bars["close"] = close
        bars["volume"] = rng.integers(10**5, 10**7, len(sessions)).astype(float)
        paid = pd.DataFrame({"ex_date": sessions[40::63], "dividend": 0.2, "split_ratio": np.nan})
        tables = {"prices": bars.round(dict.fromkeys(("open", "high", "low", "close"), 2)), "actions": paid}
        store.land("yahoo", f"T{number:05d}", tables, request={"start": "2000-01-01"}, fetched_at=moment)
    store.record(store.state())
    return store


def load(root: Path) -> tuple[float, float, float, float]:
    began, busy = time.perf_counter(), time.process_time()
    source = open_snapshot(None, SnapshotStore(root))
    opened = time.perf_counter()
    prices = source.prices()
    read = time.perf_counter()
    prices.returns()
    return opened - began, read - opened, time.perf_counter() - read, time.process_time() - busy


def _report(label: str, times: tuple[float, float, float, float]) -> None:
    total = f"all {sum(times[:3]):.2f} s ({times[3]:.2f} s of processor time)"
    print(f"{label}: open {times[0]:.2f} s, prices {times[1]:.2f} s, returns {times[2]:.2f} s, {total}")


def main(companies: int = 500, years: int = 10) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        began = time.perf_counter()
        build(root, companies, years)
        size = sum(path.stat().st_size for path in root.rglob("*") if path.is_file())
        seconds = time.perf_counter() - began
        print(f"{companies} companies by {years} years: written in {seconds:.1f} s, {size / 1e6:.0f} MB")
        subprocess.run([sys.executable, __file__, "--load", scratch], check=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--load"]:
        for label in ("fresh process", "once more"):
            _report(label, load(Path(sys.argv[2])))
    else:
        main(*map(int, sys.argv[1:]))
