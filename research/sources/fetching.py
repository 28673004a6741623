"""Fetching many companies: each lands by itself, failures are named, and a rerun does what is left."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import pandas as pd

from research.errors import ParameterError, ResearchError, UsageError, in_words, nearest
from research.market._checks import TICKER, TICKER_RULE
from research.sources import edgar, french, yahoo
from research.sources._common import new_york
from research.sources._retry import Budget, BudgetError, Retry, TransientError
from research.sources._vintages import StorageError
from research.sources.snapshots import Snapshot, SnapshotStore, Vintage

#: Sources that can be fetched.
SOURCES = (yahoo.SOURCE, edgar.SOURCE, french.SOURCE)
#: First date of a history unless said otherwise.
START = "2000-01-01"

#: Companies in a row that fail for good before the rest is not tried any more.
_PATIENCE = 3
#: Earlier vintages whose rows are carried on: more than one, since two processes may have fetched at once.
_EARLIER = 3
#: A vintage from before the latest close, and its corrections, is not up to date.
_SETTLED = pd.Timedelta(minutes=20)


class Client(Protocol):
    """What fetches one company, or one data set."""

    def fetch(
        self, ticker: str, start: str, earlier: list[Vintage] | None = None
    ) -> tuple[dict[str, pd.DataFrame], dict[str, Any], dict[str, str]]:
        """Tables, facts, and what could not be had."""


@dataclass
class Outcome:
    """What became of a fetch.

    Attributes
    ----------
    landed : list of Vintage
    current : list of str
        ``source/key`` of what was up to date and not fetched again.
    failed : dict of str to str
        ``source/key`` and the reason; what was not even tried is among them.
    partial : dict of str to str
        ``source/key`` and what is missing from what landed.
    snapshot : Snapshot or None
        The state after it, recorded; None if there is nothing at all.
    """

    landed: list[Vintage] = field(default_factory=list)
    current: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    partial: dict[str, str] = field(default_factory=dict)
    snapshot: Snapshot | None = None

    @property
    def complete(self) -> bool:
        """Whether everything that was asked for is there."""
        return not self.failed and not self.partial


def fetch(
    tickers: Iterable[str],
    sources: Sequence[str] = (yahoo.SOURCE,),
    *,
    start: str = START,
    market: str | None = yahoo.MARKET,
    force: bool = False,
    budget: float = 3600.0,
    store: SnapshotStore | None = None,
    retry: Retry | None = None,
    now: Callable[[], pd.Timestamp] = lambda: pd.Timestamp.now(tz="UTC"),
    clock: Callable[[], float] = time.monotonic,
    tell: Callable[[str], None] = lambda line: None,
    step: Callable[[str, int, int], None] = lambda label, done, total: None,
    clients: dict[str, Client] | None = None,
) -> Outcome:
    """Fetch companies into snapshots.

    What was fetched since the latest close of New York, with the same request and completely, is up to
    date and not asked for again; so an interrupted or partly failed fetch goes on where it stopped.

    Parameters
    ----------
    tickers : iterable of str
    sources : sequence of str
        Of :data:`SOURCES`.
    start : str
        First date, YYYY-MM-DD.
    market : str, optional
        Security fetched along with the companies to measure them against; None for none.
    force : bool
        Fetch also what is up to date.
    budget : float
        Seconds for everything.
    store : SnapshotStore, optional
    retry : Retry, optional
    now, clock : callable
        The current instant; a clock in seconds.
    tell : callable
        Called with one line where something did not go smoothly.
    step : callable
        Called with label, number done and number in all, before each company and at the end.
    clients : dict, optional
        Who fetches, by source; made when first needed otherwise.

    Returns
    -------
    Outcome
        Failures included.

    Raises
    ------
    UsageError, ParameterError
        If the request, or a variable of the environment, makes no sense; nothing was fetched.
    SourceError
        If nothing can be written.
    """
    store = store or SnapshotStore()
    jobs = _jobs(tickers, sources, market)
    _check_start(start)
    limit = Budget(budget, clock)
    patience = retry or Retry()
    made: dict[str, Client] = dict(clients or {})
    for source in dict.fromkeys(source for source, _ in jobs):
        if source not in made:
            made[source] = _client(source, limit, patience, now, tell)
    outcome = Outcome()
    closed = _latest_close(now())
    in_a_row = 0
    try:
        for done, (source, key) in enumerate(jobs):
            label = f"{source}/{key}"
            step(key, done, len(jobs))
            if not force and _is_current(store.newest(source, key), start, closed):
                outcome.current.append(label)
                continue
            try:
                landed = _one(made[source], store, source, key, start, now)
            except BudgetError as error:
                _give_up(outcome, jobs[done:], error.problem)
                break
            except (StorageError, UsageError):  # the next company would fare no better
                raise
            except ResearchError as error:
                outcome.failed[label] = str(error)
                tell(f"{key}: {error}")
                in_a_row = in_a_row + 1 if isinstance(error, TransientError) else 0
                if in_a_row == _PATIENCE and done + 1 < len(jobs):
                    _give_up(outcome, jobs[done + 1 :], f"not tried after {_PATIENCE} failures in a row")
                    break
                continue
            in_a_row = 0
            outcome.landed.append(landed)
            missing = landed.manifest["incomplete"]
            if missing:
                outcome.partial[label] = "; ".join(f"no {name}: {reason}" for name, reason in missing.items())
        step("", len(jobs), len(jobs))
    finally:  # an interrupted fetch keeps what has landed, under a name
        if store.vintages():
            outcome.snapshot = store.record(store.state())
    return outcome


def _one(
    client: Client, store: SnapshotStore, source: str, key: str, start: str, now: Callable[[], pd.Timestamp]
) -> Vintage:
    earlier = store.vintages(source, key)[-_EARLIER:]
    tables, facts, incomplete = client.fetch(key, start, earlier)
    request = {"start": start}
    return store.land(source, key, tables, request=request, fetched_at=now(), facts=facts, incomplete=incomplete)


def _give_up(outcome: Outcome, jobs: Sequence[tuple[str, str]], reason: str) -> None:
    for source, key in jobs:
        outcome.failed[f"{source}/{key}"] = reason


def _jobs(tickers: Iterable[str], sources: Sequence[str], market: str | None) -> list[tuple[str, str]]:
    """Source and key of everything to be fetched, each once, the market first."""
    unknown = [source for source in sources if source not in SOURCES]
    if unknown or not sources:
        raise UsageError(
            "cannot be fetched from" if unknown else "no source",
            parameter="source",
            value=unknown[0] if unknown else None,
            allowed=in_words(SOURCES),
            remedy=(nearest(unknown[0], SOURCES) or None) if unknown else None,
        )
    wanted = list(dict.fromkeys(str(ticker).upper() for ticker in tickers))
    wrong = [ticker for ticker in wanted if not TICKER.fullmatch(ticker)]
    if wrong:
        raise UsageError("no ticker", parameter="TICKER", value=wrong[0], allowed=TICKER_RULE)
    companies = [source for source in sources if source != french.SOURCE]
    if companies and not wanted:
        raise UsageError("no ticker to fetch", parameter="TICKER", allowed=f"none is needed for {french.SOURCE} only")
    jobs = [(french.SOURCE, french.KEY)] if french.SOURCE in sources else []
    for source in companies:
        along = [market.upper()] if market and source == yahoo.SOURCE else []
        jobs += [(source, key) for key in dict.fromkeys([*along, *wanted])]
    return jobs


def _check_start(start: str) -> None:
    try:
        day = pd.Timestamp(start)
    except ValueError:
        day = pd.NaT
    if pd.isna(day) or f"{day:%Y-%m-%d}" != start or not pd.Timestamp("1950-01-01") <= day:
        raise ParameterError(
            "no date to begin with", parameter="start", value=start, allowed="YYYY-MM-DD, from 1950 on"
        )


def _client(
    source: str,
    budget: Budget,
    retry: Retry,
    now: Callable[[], pd.Timestamp],
    tell: Callable[[str], None],
) -> Client:
    if source == yahoo.SOURCE:
        return yahoo.YahooClient(budget, retry, now=now, tell=tell)
    if source == edgar.SOURCE:
        return edgar.EdgarClient(budget, retry, sleep=retry.sleep, tell=tell)
    return french.FrenchClient(budget, retry, tell=tell)


def _latest_close(now: pd.Timestamp) -> pd.Timestamp:
    """Instant at which the latest session's bars were settled."""
    closes = new_york().closes
    return closes[int(closes.searchsorted(now - _SETTLED, side="right")) - 1] + _SETTLED


def _is_current(vintage: Vintage | None, start: str, closed: pd.Timestamp) -> bool:
    if vintage is None:
        return False
    try:
        manifest = vintage.manifest
    except ResearchError:  # damaged: fetched again beside it
        return False
    return vintage.fetched_at >= closed and manifest["request"]["start"] <= start and not manifest["incomplete"]
