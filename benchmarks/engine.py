"""The estimation engine against a loop of statsmodels and against PyPI's eventstudy.

    python -m benchmarks.engine

One run, side by side, on synthetic panels of 4,000 firms by 2,520 sessions; prints the
table that goes into RESULTS.md.
"""

from __future__ import annotations

import resource
import sys
import time
import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd
import statsmodels.api as sm

import research as es
from research.study import estimation
from research.study.inference import TEST_NAMES
from research.study.models import FactorModel

SESSIONS, FIRMS, EVENTS = 2520, 4000, 100_000
WINDOW, ESTIMATION = (-10, 10), (-250, -11)
WINDOWS = [(0, 1), (-1, 1), (-10, -1)]
QUICK_DEFAULTS = [
    "cross_sectional_t", "bmp_t", "hall_t", "grank_t", "generalized_sign_z", "wilcoxon", "date_clustered_t",
]  # fmt: skip


def best(work: Callable[[], object], repeat: int = 3) -> float:
    """Shortest of some runs, seconds."""
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def panel(firms: int, events: int, seed: int = 0) -> tuple[es.Announcements, pd.DataFrame, pd.Series, pd.DataFrame]:
    """Firms that announce every quarter within five weeks of each other."""
    rng = np.random.default_rng(seed)
    grid = es.TradingCalendar("XNYS").sessions
    sessions = grid[grid.searchsorted(pd.Timestamp("2012-01-03")) :][:SESSIONS]
    factors = pd.DataFrame(
        rng.standard_normal((SESSIONS, 5)) * 0.006, index=sessions, columns=["Mkt-RF", "SMB", "HML", "RMW", "CMA"]
    ).assign(RF=0.0)
    market = factors["Mkt-RF"].rename("market")
    tickers = [f"T{i:05d}" for i in range(firms)]
    values = rng.standard_normal((firms, SESSIONS))
    values *= 0.02
    values += market.to_numpy()
    # Firm-major memory is what a frame made of columns has, and what ours are read from.
    returns = pd.DataFrame(values.T, index=sessions, columns=tickers, copy=False)
    quarters = -(-events // firms)
    spacing = (SESSIONS - 320) // quarters
    position = 290 + spacing * np.arange(quarters)[:, None] + rng.integers(0, min(25, spacing), (quarters, firms))
    frame = pd.DataFrame({"ticker": np.tile(tickers, quarters), "announced_at": sessions[position.ravel()]})
    frame = frame.iloc[:events].assign(session="bmo")
    frame["announced_at"] = frame["announced_at"].dt.strftime("%Y-%m-%d")
    return es.Announcements.from_frame(frame), returns, market, factors


def study(
    events: es.Announcements, returns: pd.DataFrame, market: pd.Series, **choices: object
) -> es.EventStudyResults:
    """From announcements and a returns frame to abnormal returns, standard errors and CAR."""
    results = es.EventStudy(events, returns, market=market, **choices).fit()  # type: ignore[arg-type]
    assert len(results.abnormal_returns) == len(results.standard_errors) == len(results.car(0, 1))
    return results


def kernel(results: es.EventStudyResults) -> float:
    """Seconds of the batched least squares alone."""
    part, _ = results.home(0)
    return best(lambda: estimation.fit_linear(part.panel, part.events, ESTIMATION))


def statsmodels_loop(returns: pd.DataFrame, results: es.EventStudyResults, market: pd.Series, n: int) -> float:
    """Seconds an event of fitting and predicting with standard errors by statsmodels."""
    x, by_firm = market.to_numpy(), returns.to_numpy().T
    start = time.perf_counter()
    for firm, day in zip(results.firms[:n], results.grid_day[:n], strict=True):
        y = by_firm[firm]
        rows, event = slice(day + ESTIMATION[0], day + ESTIMATION[1] + 1), slice(day + WINDOW[0], day + WINDOW[1] + 1)
        fit = sm.OLS(y[rows], sm.add_constant(x[rows])).fit()
        predicted = fit.get_prediction(sm.add_constant(x[event]))
        abnormal, errors = y[event] - predicted.predicted_mean, np.sqrt(predicted.var_pred_mean + fit.scale)
        assert abnormal.shape == errors.shape
    return (time.perf_counter() - start) / n


def statsmodels_pandas_loop(returns: pd.DataFrame, results: es.EventStudyResults, market: pd.Series, n: int) -> float:
    """Seconds an event of the same as it is usually written: labelled data in, a summary frame out."""
    X = sm.add_constant(market)
    start = time.perf_counter()
    for (ticker, _), day in zip(results.index[:n], results.grid_day[:n], strict=True):
        rows, event = slice(day + ESTIMATION[0], day + ESTIMATION[1] + 1), slice(day + WINDOW[0], day + WINDOW[1] + 1)
        fit = sm.OLS(returns[ticker].iloc[rows], X.iloc[rows]).fit()
        predicted = fit.get_prediction(X.iloc[event])
        abnormal = returns[ticker].iloc[event] - predicted.summary_frame()["mean"].to_numpy()
        assert len(abnormal) == len(predicted.se_obs)
    return (time.perf_counter() - start) / n


def eventstudy_loop(returns: pd.DataFrame, results: es.EventStudyResults, market: pd.Series, n: int) -> float:
    """Seconds an event of PyPI's eventstudy, given arrays so that its look-ups by date cost nothing."""
    from eventstudy import Single, models

    x, by_firm = market.to_numpy(), returns.to_numpy().T
    length = ESTIMATION[1] - ESTIMATION[0] + 1
    start = time.perf_counter()
    for firm, day in zip(results.firms[:n], results.grid_day[:n], strict=True):
        y = by_firm[firm]
        rows = slice(day + ESTIMATION[0], day + WINDOW[1] + 1)
        data = {"security_returns": y[rows], "market_returns": x[rows]}
        Single(models.market_model, data, event_window=WINDOW, estimation_size=length, buffer_size=0)
    return (time.perf_counter() - start) / n


def memory_floor(results: es.EventStudyResults) -> float:
    """Seconds of reading every estimation window of returns once, as the largest value of each run."""
    part, _ = results.home(0)
    windows = np.lib.stride_tricks.sliding_window_view(part.panel.y, ESTIMATION[1] - ESTIMATION[0] + 1, axis=1)
    out = np.empty(len(part.firm))

    def read(rows: slice) -> None:
        out[rows] = windows[part.events.firm[rows], part.events.day[rows] + ESTIMATION[0]].max(axis=1)

    return best(lambda: estimation.run_in_chunks(read, len(part.firm)))


def scaling() -> list[tuple[int, float]]:
    """Seconds an event of a whole fit for growing numbers of events, the largest on 20,000 firms."""
    found = []
    for events, firms in ((10_000, FIRMS), (100_000, FIRMS), (1_000_000, 20_000)):
        announcements, returns, market, _ = panel(firms, events)
        seconds = best(lambda a=announcements, r=returns, m=market: study(a, r, m), 2 if events > 10**5 else 3)
        found.append((events, seconds / events))
        del announcements, returns
    return found


def section() -> str:
    """Measure everything and return the Markdown."""
    warnings.simplefilter("ignore", es.ResearchWarning)
    events, returns, market, factors = panel(FIRMS, EVENTS)
    results = study(events, returns, market)
    whole = best(lambda: study(events, returns, market), 5)
    alone = kernel(results)
    floor = memory_floor(results)
    five = best(lambda: study(events, returns, market, model=FactorModel(tuple(factors.columns[:5])), factors=factors))
    quick = best(lambda: results.test(WINDOWS, tests=QUICK_DEFAULTS), 2)
    rest = [name for name in TEST_NAMES if "adjusted" not in name and name != "wild_bootstrap"]
    every = best(lambda: results.test(WINDOWS, tests=rest), 2)
    every_one = best(lambda: results.test([(0, 1)], tests=rest), 2)
    overlap = best(lambda: results.test([(0, 1)], tests="adjusted_bmp_t"), 1)
    overlap_three = best(lambda: results.test(WINDOWS, tests="adjusted_bmp_t"), 1)
    ours = whole / EVENTS
    by_statsmodels = statsmodels_loop(returns, results, market, 1000)
    by_pandas = statsmodels_pandas_loop(returns, results, market, 300)
    by_eventstudy = eventstudy_loop(returns, results, market, 1000)
    rows = [
        (
            "100,000 events, market model, to abnormal returns, errors and CAR",
            f"{whole:.3f} s",
            f"{1e6 * ours:.2f} µs an event",
        ),
        ("the least-squares kernel alone", f"{alone:.3f} s", f"{1e6 * alone / EVENTS:.2f} µs an event"),
        ("reading the estimation windows once", f"{floor:.3f} s", f"kernel is {alone / floor:.1f} times that"),
        (
            "loop of statsmodels.OLS on bare arrays, fit and prediction errors",
            f"{1e6 * by_statsmodels:.0f} µs an event",
            f"{by_statsmodels / ours:.0f} times ours",
        ),
        (
            "the same loop on labelled data with a summary frame",
            f"{1e6 * by_pandas:.0f} µs an event",
            f"{by_pandas / ours:.0f} times ours",
        ),
        (
            "PyPI eventstudy 0.1a12, arrays handed over",
            f"{1e6 * by_eventstudy:.0f} µs an event",
            f"{by_eventstudy / ours:.0f} times ours",
        ),
        ("five-factor model", f"{five:.3f} s", f"{five / whole:.1f} times the market model"),
        (
            "default tests, three windows, bootstrap and overlap apart",
            f"{quick:.2f} s",
            f"{1e6 * quick / EVENTS:.1f} µs an event",
        ),
        (
            "all tests, three windows, bootstrap and overlap apart",
            f"{every:.2f} s",
            f"{1e6 * every / EVENTS:.1f} µs an event",
        ),
        (
            "all tests, one window, bootstrap and overlap apart",
            f"{every_one:.2f} s",
            f"{1e6 * every_one / EVENTS:.1f} µs an event",
        ),
        ("overlap-weighted correlation, window (0, 1)", f"{overlap:.1f} s", "exact, all overlapping pairs"),
        ("overlap-weighted correlation, three windows", f"{overlap_three:.1f} s", ""),
    ]
    grown = scaling()
    exponent = np.polyfit(np.log([n for n, _ in grown]), np.log([n * s for n, s in grown]), 1)[0]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    lines = [
        "## Engine",
        "",
        f"{FIRMS:,} firms by {SESSIONS:,} sessions, window {WINDOW}, estimation {ESTIMATION}.",
        "",
    ]
    lines += ["| what | time | and |", "|---|---|---|", *(f"| {a} | {b} | {c} |" for a, b, c in rows), ""]
    lines += ["| events | µs an event |", "|---|---|", *(f"| {n:,} | {1e6 * s:.2f} |" for n, s in grown), ""]
    lines += [f"Time grows as events to the power {exponent:.2f}. Peak memory of the process {peak:.1f} GB.", ""]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write(section())
