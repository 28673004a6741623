"""Speed of the simulation, and the full comparison with the published tables.

    python -m benchmarks.simulation            # 3,000 replications of 50 events, all default tests
    python -m benchmarks.simulation --tables   # every design, 3,000 replications each

Prints what goes into RESULTS.md.
"""

from __future__ import annotations

import os
import sys
import time

from research.analysis.simulation import FULL, simulate, validate


def default_tests() -> None:
    """Time one design under the default family."""
    start = time.perf_counter()
    outcome = simulate("null t4 L1", FULL)
    seconds = time.perf_counter() - start
    print(outcome.rates()[["rate", "band_low", "band_high", "inside"]].round(4).to_string())
    print(f"{FULL:,} replications of 50 events, default tests: {seconds:.1f} s on {os.cpu_count()} cores")


def tables() -> None:
    """Every design against its published rates."""
    start = time.perf_counter()
    outcome = validate(FULL)
    print("\n".join(outcome.lines()))
    print(f"{time.perf_counter() - start:.0f} s on {os.cpu_count()} cores")
    for name, rows in (("do not hold", outcome.failures), ("disagree", outcome.disagreements)):
        if len(rows):
            print(f"cells that {name}:\n{rows[['design', 'test', 'rate', 'reference', 'z']].round(3).to_string()}")


if __name__ == "__main__":
    tables() if "--tables" in sys.argv[1:] else default_tests()
