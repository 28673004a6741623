"""Random dates without news: where announcements may move, and the estimates on the dates drawn (METHODS 4.19)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from research.errors import ParameterError
from research.events.announcements import Announcements
from research.events.calendar import TradingCalendar
from research.study.alignment import known_days
from research.study.inputs import check_returns
from research.study.results import EventStudyResults

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

#: Rows of several draws that are drawn ahead and estimated in one study; bounds the memory, not the result.
BATCH = 100_000


@dataclass(frozen=True)
class Drawn:
    """One set of placebo announcements.

    Attributes
    ----------
    event : ndarray of int64
        Positions of the events that moved, among the used ones.
    session : ndarray of int64
        Grid positions they moved to.
    """

    event: Ints
    session: Ints


class CleanPools:
    """Sessions to which each cluster of announcements may move.

    Parameters
    ----------
    results : EventStudyResults
        The actual study.
    known : Announcements
        Every announcement known of the firms: none of them may be near a placebo.
    returns : DataFrame, sessions x tickers
    calendar : TradingCalendar
    distance : int
        Sessions that must lie between a placebo and every known announcement of the firm.
    """

    def __init__(
        self,
        results: EventStudyResults,
        known: Announcements,
        returns: pd.DataFrame,
        calendar: TradingCalendar,
        distance: int,
    ) -> None:
        panel = check_returns(returns, calendar)
        self.sessions = pd.DatetimeIndex(panel.index)
        frame = results.events[["ticker", "kind", "day_zero"]].reset_index(drop=True)
        self.firm = panel.columns.get_indexer(pd.Index(frame["ticker"])).astype(np.int64)
        self.firms, self.kinds = frame["ticker"].to_numpy(), frame["kind"].to_numpy()
        clean = self._clean(results, known, panel, calendar, distance)
        self._members: list[Ints] = []
        self._pools: list[Ints] = []
        for part in frame.groupby("day_zero", sort=True).indices.values():
            pool = np.flatnonzero(clean[self.firm[part]].all(axis=0))
            if len(pool):
                self._members.append(np.asarray(part, dtype=np.int64))
                self._pools.append(pool.astype(np.int64))
        self._sizes = np.array([len(pool) for pool in self._pools], dtype=np.int64)

    def _clean(
        self,
        results: EventStudyResults,
        known: Announcements,
        panel: pd.DataFrame,
        calendar: TradingCalendar,
        distance: int,
    ) -> NDArray[np.bool_]:
        """Firms by sessions: a return, no announcement near, and room for both windows."""
        n = len(self.sessions)
        clean: NDArray[np.bool_] = panel.notna().to_numpy().T.copy()
        for kind in np.unique(self.kinds):
            firm, day = known_days(known, str(kind), self.sessions, panel.columns, calendar)
            for offset in range(-distance, distance + 1):
                column = day + offset
                inside = (column >= 0) & (column < n)
                clean[firm[inside], column[inside]] = False
        clean[:, : 1 - results.settings.estimation[0]] = False
        clean[:, n - max(1, results.settings.window[1]) - 1 :] = False
        return clean

    def draw(self, rng: np.random.Generator) -> Drawn:
        """A random clean session for every cluster; no firm twice on one of them."""
        if not self._pools:
            return Drawn(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64))
        picks = rng.integers(0, self._sizes)
        places = [pool[pick] for pool, pick in zip(self._pools, picks, strict=True)]
        lengths = [len(part) for part in self._members]
        event, session = np.concatenate(self._members), np.repeat(np.array(places, dtype=np.int64), lengths)
        keys = self.firm[event] * len(self.sessions) + session
        home = np.repeat(np.arange(len(lengths)), lengths)
        _, place, counts = np.unique(keys, return_inverse=True, return_counts=True)
        repeated = counts[place] > 1
        if repeated.any():
            kept = ~np.isin(home, _late_comers(keys, home, np.unique(home[repeated])))
            event, session = event[kept], session[kept]
        return Drawn(event, session)

    def announcements(self, firm_kind: Ints, session: Ints, names: pd.DataFrame) -> Announcements:
        """Announcements before the open of given sessions, ``event_id`` their number.

        Parameters
        ----------
        firm_kind : ndarray of int64
            Rows of ``names``.
        session : ndarray of int64
            Grid positions.
        names : DataFrame
            ``ticker, kind``.
        """
        # Every row is one of a few checked ones with another date: thousands need no check cell by cell.
        pattern = names.assign(announced_at=f"{self.sessions[session[0]]:%Y-%m-%d}", session="bmo")
        return Announcements.repeated(Announcements.from_frame(pattern), firm_kind, self.sessions[session])


def _late_comers(keys: Ints, home: Ints, contested: Ints) -> list[int]:
    """Clusters one of whose firms an earlier cluster has put on the same session; ``home`` ascends."""
    taken: set[int] = set()
    late = []
    for cluster in contested.tolist():
        first, last = np.searchsorted(home, [cluster, cluster + 1])
        own = keys[first:last].tolist()
        if taken.isdisjoint(own):
            taken.update(own)
        else:
            late.append(cluster)
    return late


def reactions(
    pools: CleanPools,
    draws: Iterable[Drawn],
    fit: Callable[[Announcements], EventStudyResults],
    window: tuple[int, int],
    *,
    together: bool,
) -> Iterator[tuple[Drawn, Floats]]:
    """Every draw and the CAR of its placebo announcements; NaN where the study excluded one.

    Parameters
    ----------
    pools : CleanPools
    draws : iterable of Drawn
        Pulled as they are needed: a batch of them is held at a time.
    fit : callable
        The study of given announcements.
    window : (int, int)
        Of the CAR.
    together : bool
        Whether an event's estimate does not depend on the other events of its study. A firm and session that
        several draws share is then estimated once, and those of a batch of draws in one study. Otherwise (a
        prior that is the cross-section of the study) every draw is a study of its own; one that gives no such
        prior has no CAR.
    """
    names = pd.DataFrame({"ticker": pools.firms, "kind": pools.kinds})
    names = names.drop_duplicates(ignore_index=True)
    code = pd.MultiIndex.from_frame(names).get_indexer(pd.MultiIndex.from_arrays([pools.firms, pools.kinds]))

    def estimated(firm_kind: Ints, session: Ints) -> Floats:
        values = np.full(len(session), np.nan)
        if len(session):
            results = fit(pools.announcements(firm_kind, session, names))
            used = results.events["event_id"].astype(np.int64).to_numpy()
            values[used] = results.car(*window)["car"].to_numpy()
        return values

    if together:
        yield from _shared(draws, code, len(names), len(pools.sessions), estimated)
        return
    for one in draws:
        try:
            values = estimated(code[one.event], one.session)
        except ParameterError as error:
            # The model was good for the actual events: too few of this draw's were left for its prior.
            if error.parameter != "model":
                raise
            values = np.full(len(one.event), np.nan)
        yield one, values


def _shared(
    draws: Iterable[Drawn], code: Ints, n_codes: int, n: int, estimated: Callable[[Ints, Ints], Floats]
) -> Iterator[tuple[Drawn, Floats]]:
    """Draws whose events are estimated once a firm, kind (``code`` of each event) and session (of ``n``)."""
    values, done = np.full(n_codes * n, np.nan), np.zeros(n_codes * n, dtype=bool)
    for batch in _batches(draws):
        keys = [code[one.event] * n + one.session for one in batch]
        fresh = np.unique(np.concatenate(keys))
        fresh = fresh[~done[fresh]]
        values[fresh] = estimated(fresh // n, fresh % n)
        done[fresh] = True
        yield from zip(batch, (values[one] for one in keys), strict=True)


def _batches(draws: Iterable[Drawn]) -> Iterator[list[Drawn]]:
    """Consecutive draws with at most :data:`BATCH` rows, one draw at the least."""
    batch: list[Drawn] = []
    size = 0
    for one in draws:
        if batch and size + len(one.event) > BATCH:
            yield batch
            batch, size = [], 0
        batch.append(one)
        size += len(one.event)
    if batch:
        yield batch
