"""Coverage of planted effects: do intervals hold the truth at their nominal rate.

Announcements of a season share days and an industry's news; every announcement moves its share by a known
response to its surprise on day zero, with a variance of its own, and by a known daily drift afterwards. The
whole pipeline runs on each panel, and the table says how often each interval holds the truth.

    python benchmarks/coverage.py [panels] [seed]
"""

from __future__ import annotations

import sys
import time
import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd

import research as es
from research.analysis.drift import drift

#: Response of day zero's return to a surprise of one.
RESPONSE = 0.5

#: Daily drift of a share after a surprise of one, while it is held.
DRIFT = 0.004

HOLDING = (2, 40)


@dataclass(frozen=True)
class Design:
    """Announcements that stay the same from panel to panel."""

    announcements: es.Announcements
    sessions: pd.DatetimeIndex
    firm: np.ndarray
    day: np.ndarray
    surprise: np.ndarray
    tickers: list[str]


def design(n_firms: int = 40, n_quarters: int = 8, seed: int = 0) -> Design:
    """Firms that announce within a season of fifteen sessions each quarter."""
    rng = np.random.default_rng(seed)
    calendar = es.TradingCalendar("XNYS").sessions
    first = calendar.searchsorted(pd.Timestamp("2015-01-02"))
    sessions = calendar[first : first + 260 + 63 * n_quarters + 63]
    tickers = [f"F{i:03d}" for i in range(n_firms)]
    firm = np.repeat(np.arange(n_firms), n_quarters)
    quarter = np.tile(np.arange(n_quarters), n_firms)
    day = 255 + 63 * quarter + rng.integers(0, 15, len(firm))
    surprise = rng.standard_t(5, len(firm)) * 0.04
    table = pd.DataFrame(
        {
            "ticker": [tickers[i] for i in firm],
            "announced_at": sessions[day].strftime("%Y-%m-%d"),
            "session": "bmo",
            "ue": surprise,
        }
    )
    return Design(es.Announcements.from_frame(table), sessions, firm, day, surprise, tickers)


def panel(made: Design, rng: np.random.Generator) -> tuple[pd.DataFrame, pd.Series]:
    """Returns with the planted response and drift, a market and three industries."""
    n, k = len(made.sessions), len(made.tickers)
    market = rng.standard_t(5, n) * 0.008
    industry = rng.normal(0, 0.006, (n, 3))[:, np.arange(k) % 3]
    returns = market[:, None] * rng.uniform(0.6, 1.5, k) + industry + rng.standard_t(5, (n, k)) * 0.012
    # Event days are more violent than others, and their shocks are shared within a day.
    shared = rng.normal(0, 0.012, n)
    returns[made.day, made.firm] += RESPONSE * made.surprise + rng.normal(0, 0.03, len(made.day)) + shared[made.day]
    for firm, day, surprise in zip(made.firm, made.day, made.surprise, strict=True):
        returns[day + HOLDING[0] : day + HOLDING[1] + 1, firm] += DRIFT * surprise
    index = made.sessions
    return pd.DataFrame(returns, index=index, columns=made.tickers), pd.Series(market, index=index, name="M")


def response_intervals(made: Design, returns: pd.DataFrame, market: pd.Series, draws: int) -> dict[str, bool]:
    """Whether each interval of the response holds the truth."""
    results = es.EventStudy(made.announcements, returns, market=market, window=(0, 0)).fit()
    inside = {}
    for name, choices in {
        "HC3": {"covariance": "HC3"},
        "clustered by day zero": {"cluster": "day_zero"},
        "clustered by firm and day zero": {"cluster": ["ticker", "day_zero"]},
        "firm effects, clustered by day zero": {"cluster": "day_zero", "fixed_effects": "ticker"},
    }.items():
        fitted = es.regress(results, "car ~ ue", (0, 0), **choices)
        low, high = np.asarray(fitted.conf_int())[list(fitted.model.exog_names).index("ue")]
        inside[f"response, {name}"] = bool(low <= RESPONSE <= high)
    # The interval of the inverted bootstrap holds the truth exactly where the test at the truth does not reject.
    found = es.wild_cluster_bootstrap(fitted, "ue", "day_zero", null=RESPONSE, draws=draws, interval=False)
    inside["response, wild-cluster bootstrap by day zero"] = found.p_value > 0.05
    return inside


def drift_intervals(made: Design, returns: pd.DataFrame, market: pd.Series) -> dict[str, bool]:
    """Whether each interval of best minus worst third holds the planted drift."""
    results = es.EventStudy(made.announcements, returns, "market-adjusted", market, window=(0, HOLDING[1])).fit()
    ids = results.events["event_id"]
    surprise = pd.Series(results.events["ue"].to_numpy(), index=ids)
    found = drift(results, surprise, start=HOLDING[0], end=HOLDING[1], grouping="terciles")
    used = found.events[found.events["status"] == "used"]
    planted = DRIFT * used["surprise"] * (used["last"] - HOLDING[0] + 1)
    truth = planted[used["group"] == 2].mean() - planted[used["group"] == 0].mean()
    rows = found.long_short[found.long_short["measure"] == "car"]
    return {f"drift, {row.method}": bool(row.low <= truth <= row.high) for row in rows.itertuples()}


def coverage(panels: int, seed: int = 0, draws: int = 399, **sizes: int) -> pd.DataFrame:
    """Share of panels on which each nominal 95% interval holds the truth.

    Returns
    -------
    DataFrame indexed by interval
        ``coverage`` and its binomial standard error.
    """
    made = design(**sizes)
    rng = np.random.default_rng(seed)
    held = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", es.ResearchWarning)
        for _ in range(panels):
            returns, market = panel(made, rng)
            held.append(response_intervals(made, returns, market, draws) | drift_intervals(made, returns, market))
    table = pd.DataFrame(held).mean().to_frame("coverage")
    table["standard error"] = np.sqrt(table["coverage"] * (1 - table["coverage"]) / panels)
    return table


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    begun = time.perf_counter()
    print(coverage(count, int(sys.argv[2]) if len(sys.argv) > 2 else 0).round(3).to_string())
    print(f"{count} panels in {time.perf_counter() - begun:.0f} s")
