"""What the hour of an announcement is worth, and what announcements left in the estimation window cost.

Both questions are put to real announcements: the same study is run with and without the hours, and with
and without the cut, and the two runs are compared event by event.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from research.analysis._draws import dates_only
from research.analysis._replications import Progress
from research.analysis.simulation import Design, simulate_all
from research.errors import InputError, ResearchWarning
from research.events.announcements import Announcements
from research.study.results import EventStudyResults
from research.study.study import EventStudy

__all__ = ["ARMS", "WrongDay", "dates_only", "power_of_hours", "sigma_with_others", "wrong_day"]

#: How announcements are dated in :func:`power_of_hours`: ``{arm: (hours, window)}``.
ARMS = {
    "hour known, day 0": ("known", (0, 0)),
    "hour known, days 0 and +1": ("known", (0, 1)),
    "date taken for day 0": ("ignored", (0, 0)),
    "hour unknown, days 0 and +1": ("unknown", (0, 1)),
}

EFFECTS = (0.0, 0.005, 0.01, 0.02)

#: Relative days on which reactions are compared.
_WINDOW = (-5, 5)


@dataclass(frozen=True)
class WrongDay:
    """The same announcements with and without their hour.

    Attributes
    ----------
    events : DataFrame indexed by ``event_id``
        ``ticker, timing, moved`` (the date's session is not day zero), ``sigma`` (of ordinary days),
        ``exact`` and ``by_date``: abnormal return on day zero and on the session of the date, decimals.
    paths : DataFrame indexed by relative day
        ``exact, by_date``: mean over events of the squared abnormal return over its forecast variance (Beaver
        1968; 1 on ordinary days) when day zero follows from the instant and from the date.
    table : DataFrame
        One row a timing, and ``all``: ``n, moved`` (share), ``exact, by_date, missed`` (mean absolute abnormal
        return on day zero, on the date's session, and their difference over the first).
    """

    events: pd.DataFrame
    paths: pd.DataFrame
    table: pd.DataFrame

    @property
    def squared_on_wrong_day(self) -> float:
        """Share of all squared standardised reactions (day zeros) that the date's session does not hold."""
        squared = (self.events["exact"] / self.events["sigma"]) ** 2
        return float(squared[self.events["moved"]].sum() / squared.sum())


def wrong_day(
    announcements: Announcements, returns: pd.DataFrame, market: pd.Series | None = None, **choices: Any
) -> WrongDay:
    """Run a study twice: day zero by the instant, and day zero by the date alone.

    Parameters
    ----------
    announcements : Announcements
        Those of unknown hour are left out.
    returns, market, **choices
        As in :class:`research.EventStudy`, but for ``window``.

    Returns
    -------
    WrongDay
        Over the announcements that both runs can use, with a return on both days.

    Raises
    ------
    InputError
        If the hour of no announcement is known.
    """
    known = announcements.select((announcements.timed()["timing"] != "unknown").to_numpy())
    if not len(known):
        raise InputError("no announcement of known hour", parameter="announcements")
    exact = _fit(known, returns, market, **choices)
    by_date = _fit(dates_only(known, ignored=True), returns, market, **choices)
    frame = pd.DataFrame(
        {
            "ticker": exact.events["ticker"].to_numpy(),
            "timing": exact.events["timing"].to_numpy(),
            "day_zero": exact.events["day_zero"].to_numpy(),
            "sigma": exact.parameters["sigma"].to_numpy(),
            "exact": exact.abnormal_returns[0].to_numpy(),
        },
        index=pd.Index(exact.events["event_id"], name="event_id"),
    )
    other = pd.DataFrame(
        {"by_date": by_date.abnormal_returns[0].to_numpy(), "date_zero": by_date.events["day_zero"].to_numpy()},
        index=pd.Index(by_date.events["event_id"], name="event_id"),
    )
    events = frame.join(other, how="inner").dropna(subset=["exact", "by_date"])
    events["moved"] = events["day_zero"] != events["date_zero"]
    events = events[["ticker", "timing", "moved", "sigma", "exact", "by_date"]]
    paths = pd.DataFrame({name: _path(run, events.index) for name, run in (("exact", exact), ("by_date", by_date))})
    return WrongDay(events, paths, _by_timing(events))


def _fit(
    announcements: Announcements, returns: pd.DataFrame, market: pd.Series | None, **choices: Any
) -> EventStudyResults:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResearchWarning)
        return EventStudy(announcements, returns, market=market, **{"window": _WINDOW, **choices}).fit()


def _path(results: EventStudyResults, kept: pd.Index) -> pd.Series:
    """Mean squared standardised abnormal return by relative day."""
    rows = results.events["event_id"].isin(kept).to_numpy()
    ratio = results.abnormal_returns[rows] / results.standard_errors[rows]
    return (ratio**2).mean()


def _by_timing(events: pd.DataFrame) -> pd.DataFrame:
    rows = {}
    for timing, part in [*events.groupby("timing"), ("all", events)]:
        exact, by_date = part["exact"].abs().mean(), part["by_date"].abs().mean()
        rows[timing] = (len(part), part["moved"].mean(), exact, by_date, 1 - by_date / exact)
    columns = ["n", "moved", "exact", "by_date", "missed"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("timing")


def sigma_with_others(
    announcements: Announcements, returns: pd.DataFrame, market: pd.Series | None = None, **choices: Any
) -> pd.DataFrame:
    """Residual standard deviation with the firm's other announcements cut from the estimation window, and left in.

    Parameters
    ----------
    announcements, returns, market, **choices
        As in :class:`research.EventStudy`, but for ``other_announcements``.

    Returns
    -------
    DataFrame indexed by ``event_id``
        ``ticker, cut, kept`` (sigma, decimals), ``ratio`` (kept over cut: 1.5 makes every t a third smaller)
        and ``n_other`` (announcements known in the estimation window). Events whose window holds no other
        announcement are left out: nothing could be cut.
    """
    cut = _fit(announcements, returns, market, **choices, other_announcements="cut")
    kept = _fit(announcements, returns, market, **choices, other_announcements="keep")
    columns = {}
    for name, results in (("cut", cut), ("kept", kept)):
        index = pd.Index(results.events["event_id"], name="event_id")
        columns[name] = pd.Series(results.parameters["sigma"].to_numpy(), index=index)
    table = pd.DataFrame(columns).dropna()
    index = pd.Index(cut.events["event_id"], name="event_id")
    table.insert(0, "ticker", pd.Series(cut.events["ticker"].to_numpy(), index=index))
    table["ratio"] = table["kept"] / table["cut"]
    table["n_other"] = pd.Series(cut.other_announcements(), index=index)
    return table[np.isfinite(table["ratio"]) & (table["n_other"] > 0)]


def power_of_hours(
    n_replications: int = 250,
    *,
    effects: Iterable[float] = EFFECTS,
    variances: Iterable[float] = (1.0, 14.0),
    after_close: float = 0.45,
    test: str = "adjusted_bmp_t",
    seed: int = 0,
    workers: int | None = None,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Power of one test with and without the hours of the announcements, on the same draws.

    Parameters
    ----------
    n_replications : int
        Of 50 events each, residuals t(4).
    effects : iterable of float
        Added to the return of the true day zero.
    variances : iterable of float
        Multiples of the residual variance on the true day zero: 1 is quiet news, 14 a median earnings day.
    after_close : float
        Share of announcements made after the close: 45% of American ones (deHaan, Shevlin and Thornock
        2015, JAE 60).
    test, seed, workers, progress
        As in :func:`research.analysis.simulation.simulate`.

    Returns
    -------
    DataFrame
        ``variance, arm, effect, rate, low, high, n``; arms are those of :data:`ARMS`.
    """
    grid = list(itertools.product(variances, ARMS, effects))
    designs = [
        Design(
            f"{arm}, variance x{variance:g}, effect {effect:g}", "t4", window=ARMS[arm][1], effect=effect,
            variance=variance, variance_days=(0, 0), after_close=after_close, hours=ARMS[arm][0],
        )
        for variance, arm, effect in grid
    ]  # fmt: skip
    simulations = simulate_all(designs, n_replications, test, seed=seed, workers=workers, progress=progress)
    rows = []
    for (variance, arm, effect), one in zip(grid, simulations, strict=True):
        rates = one.rates().loc[test]
        figures = {name: rates[name] for name in ("rate", "low", "high", "n")}
        rows.append({"variance": variance, "arm": arm, "effect": effect, **figures})
    return pd.DataFrame(rows)
