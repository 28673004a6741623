"""A ragged synthetic panel: missing days, a short history, repeated firms, shared dates, close announcements."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

import research as es


@dataclass(frozen=True)
class SyntheticPanel:
    announcements: es.Announcements
    returns: pd.DataFrame
    market: pd.Series


def ragged_panel(seed: int = 7, n_firms: int = 12, first="2017-01-03", last="2020-12-31") -> SyntheticPanel:
    """Every hazard of a real panel in a small one.

    Firm 0 has a gap of a month, firm 1 begins late, firm 2 has no return at all, firm 3
    misses day zero of an event, firm 4 announces twice within five sessions, others
    share their dates; all announce every quarter.
    """
    rng = np.random.default_rng(seed)
    calendar = es.TradingCalendar("XNYS")
    sessions = calendar.sessions[calendar.sessions.slice_indexer(first, last)]
    n = len(sessions)
    market = pd.Series(rng.standard_t(5, n) * 0.008, index=sessions, name="MKT")
    tickers = [f"F{i:02d}" for i in range(n_firms)]
    beta = rng.uniform(0.5, 1.8, n_firms)
    noise = rng.standard_t(4, (n, n_firms)) * 0.012
    returns = pd.DataFrame(0.0003 + market.to_numpy()[:, None] * beta + noise, index=sessions, columns=tickers)
    rows = []
    for i, ticker in enumerate(tickers):
        shift = 0 if i % 3 == 0 else int(rng.integers(0, 12))
        for quarter in range(n // 63):
            position = 30 + 63 * quarter + shift
            if position >= n - 2:
                continue
            rows.append((ticker, sessions[position], "16:05" if i % 2 else "07:00"))
            if i == 4:
                rows.append((ticker, sessions[position + 5], "16:05"))
    returns[returns.abs() > 0.9] = np.nan
    returns = returns.mask(rng.random(returns.shape) < 0.01)
    returns.iloc[400:421, 0] = np.nan
    returns.iloc[:430, 1] = np.nan
    returns.iloc[:, 2] = np.nan
    frame = pd.DataFrame(rows, columns=["ticker", "date", "time"])
    stamps = pd.to_datetime(frame["date"].dt.strftime("%Y-%m-%d ") + frame["time"]).dt.tz_localize("America/New_York")
    table = pd.DataFrame({"ticker": frame["ticker"], "announced_at": stamps})
    announcements = es.Announcements.from_frame(table)
    third = announcements.timed()["day_zero"][announcements.frame["ticker"] == "F03"].iloc[8]
    returns.loc[third, "F03"] = np.nan
    return SyntheticPanel(announcements, returns, market)
