"""A snapshot as a source: what was fetched, read back offline, checked by its hashes."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from research.errors import NotFoundError, ResearchWarning, SourceError, in_words, nearest
from research.events.announcements import Announcements
from research.events.calendar import TradingCalendar
from research.market._daily import ROUNDING
from research.market.intraday import Bars
from research.market.prices import Prices
from research.sources import edgar, french, yahoo
from research.sources._common import EventLike, announcement_day, new_york, ticker_list
from research.sources.reconciliation import reconcile
from research.sources.snapshots import Snapshot, SnapshotStore, Vintage, to_frame

_FETCH = "earnings-study fetch {} --source {}"
#: Days between an announcement and the date that was expected for it.
_EXPECTED = pd.Timedelta(days=14)


class SnapshotSource:
    """One snapshot behind the protocol of :class:`research.sources.protocol.Source`.

    Prices and announcements are Yahoo's; where the snapshot holds EDGAR's acceptances of a
    company, they correct and sharpen its announcement instants; factors are French's.

    Parameters
    ----------
    snapshot : Snapshot
    name : str
        ``yahoo`` or ``snapshot:ID``.

    Raises
    ------
    SourceError
        If the snapshot holds nothing from Yahoo.
    """

    def __init__(self, snapshot: Snapshot, name: str) -> None:
        if not snapshot.keys(yahoo.SOURCE):
            raise SourceError(
                f"{name} holds no prices", remedy=f"Fetch them first: {_FETCH.format('TICKER ...', 'yahoo')}"
            )
        self.name = name
        self.snapshot = snapshot

    def __repr__(self) -> str:
        return f"SnapshotSource({self.name!r}, {self.snapshot.id!r})"

    @property
    def capabilities(self) -> frozenset[str]:
        """Announcements, prices and a market; factors and intraday where they were fetched."""
        optional = {"factors"} if self.snapshot.find(french.SOURCE, french.KEY) else set()
        if any(self.vintage(key).has("intraday") for key in self.snapshot.keys(yahoo.SOURCE)):
            optional.add("intraday")
        return frozenset({"announcements", "prices", "market"} | optional)

    @property
    def market_symbol(self) -> str | None:
        """SPY, whose returns hold dividends, or the S&P 500 index; None if neither was fetched."""
        known = self.snapshot.keys(yahoo.SOURCE)
        return next((symbol for symbol in (yahoo.MARKET, "^GSPC") if symbol in known), None)

    def announcements(self, tickers: str | Iterable[str] | None = None) -> Announcements:
        """Announcements, reconciled with EDGAR; those still to come are listed with their expected date.

        Rows that cannot be used stay in the table with their reason. ``announced_at_source`` says what
        an instant rests on, ``sec_accepted_at`` when the 8-K was accepted, and ``announced_at_note``
        why an instant is not the vendor's. An estimate has an ``estimate_as_of`` where it was fetched
        before the announcement; the vendor's table of today has none, since it may have been revised.

        Raises
        ------
        NotFoundError
            If a ticker was not fetched, or announced nothing.
        SourceError
            If a file of the snapshot is damaged.
        """
        parts = []
        for ticker in self.companies(tickers):
            part = self._events(ticker)
            if len(part):
                parts.append(part)
        if not parts:
            raise NotFoundError(
                f"{self.name} holds no announcement of {in_words(ticker_list(tickers or ['any company']))}"
            )
        return Announcements.from_frame(pd.concat(parts, ignore_index=True), errors="ledger")

    def reconciliation(self, tickers: str | Iterable[str] | None = None) -> pd.DataFrame:
        """Yahoo's and EDGAR's instants side by side, and which one counts.

        Returns
        -------
        DataFrame
            ``ticker`` and the columns of :func:`research.sources.reconciliation.reconcile`.
        """
        parts = []
        for ticker in self.companies(tickers):
            table = self._reconciled(ticker)
            parts.append(table.assign(ticker=ticker)[["ticker", *table.columns]])
        return pd.concat(parts, ignore_index=True)

    def news(self) -> Announcements:
        """The announcements: only results are fetched."""
        return self.announcements()

    def prices(self, tickers: str | Iterable[str] | None = None) -> Prices:
        """Daily raw bars with dividends and splits, of which the total returns follow.

        Cells that Yahoo cannot mean (a price of zero, an open outside low to high, a date
        without a session) are left out, with a warning that counts them.
        """
        wanted = self._known(tickers)
        rows = self._stacked("prices", wanted)
        rows = self._sane(rows)
        rows["ticker"] = rows["ticker"].astype(object)
        paying = [ticker for ticker in wanted if self.vintage(ticker).has("actions")]
        actions = _declared(self._stacked("actions", paying)) if paying else None
        if actions is not None:
            actions = actions[actions["ex_date"].isin(self._calendar.sessions)].reset_index(drop=True)
        return Prices.from_frame(rows, actions=actions)

    def _stacked(self, table: str, tickers: list[str]) -> pd.DataFrame:
        """One table of many tickers as one frame; put together before pandas sees it, which is what takes time."""
        parts = [self.vintage(ticker).read(table) for ticker in tickers]
        frame = to_frame(pa.concat_tables(parts))
        owner = np.repeat(np.arange(len(tickers)), [part.num_rows for part in parts])
        return frame.assign(ticker=pd.Categorical.from_codes(owner, tickers))

    def returns(self, tickers: str | Iterable[str] | None = None) -> pd.DataFrame:
        """Simple total returns, sessions x tickers; NaN unless both sessions have a price."""
        prices = self.prices(tickers)
        return prices.returns(None if tickers is None else ticker_list(tickers))

    def market_returns(self, symbol: str = yahoo.MARKET) -> pd.Series:
        """Simple total returns of a symbol that was fetched, named after it, without NaN."""
        return self.returns([symbol])[symbol].dropna()

    def intraday(self, ticker: str, event: EventLike) -> Bars | None:
        """Minute bars from the session before the announcement to the one after it; None without."""
        vintage = self.vintage(self._known([ticker])[0])
        if not vintage.has("intraday"):
            return None
        day = announcement_day(event)
        bars = vintage.frame("intraday")
        place = int(self._calendar.sessions.searchsorted(day))
        first, last = self._calendar.sessions[place - 1], self._calendar.sessions[place + 1]
        dates = bars["ts"].dt.tz_convert(edgar.NEW_YORK).dt.tz_localize(None).dt.normalize()
        near = bars[dates.between(first, last)]
        if not dates.eq(day).any():
            return None
        return Bars.from_frame(near.reset_index(drop=True), step="1min")

    def factors(self) -> pd.DataFrame:
        """French's five factors, momentum and the risk-free rate, daily, in decimals.

        ``SMB`` is that of the five-factor file, also for the three-factor models.

        Raises
        ------
        SourceError
            If they were not fetched.
        """
        vintage = self.snapshot.find(french.SOURCE, french.KEY)
        if vintage is None:
            raise SourceError(f"{self.name} has no factors", remedy="Fetch them: earnings-study fetch --source french")
        return french.combined(vintage.frame("factors5"), vintage.frame("momentum"))

    def estimates(self, tickers: str | Iterable[str] | None = None) -> pd.DataFrame:
        """Every consensus that was ever fetched, with the time at which it was.

        Returns
        -------
        DataFrame
            ``ticker, fetched_at, period, metric, period_end, expected_from, expected_to,
            date_is_estimate, mean, low, high, n_analysts, year_ago``.
        """
        parts = [
            self.vintage(ticker).frame("estimates").assign(ticker=ticker)
            for ticker in self.companies(tickers)
            if self.vintage(ticker).has("estimates")
        ]
        if not parts:
            raise SourceError(f"{self.name} holds no estimates")
        table = pd.concat(parts, ignore_index=True)
        return table[["ticker", *table.columns.drop("ticker")]]

    def fingerprint(self) -> dict[str, Any]:
        """Hash of every vintage, one over all of them, and the name of the snapshot."""
        return self.snapshot.fingerprint(self.name)

    # --- parts ----------------------------------------------------------------------------

    @cached_property
    def _calendar(self) -> TradingCalendar:
        return new_york()

    def vintage(self, ticker: str) -> Vintage:
        """What was fetched from Yahoo about one ticker; NotFoundError without."""
        vintage = self.snapshot.find(yahoo.SOURCE, ticker)
        if vintage is None:
            known = self.snapshot.keys(yahoo.SOURCE)
            raise NotFoundError(
                f"{self.name} holds nothing of {ticker}",
                parameter="tickers",
                allowed=in_words(known),
                remedy=" ".join(filter(None, [nearest(ticker, known), f"Fetch it: {_FETCH.format(ticker, 'yahoo')}"])),
            )
        return vintage

    def _known(self, tickers: str | Iterable[str] | None) -> list[str]:
        known = self.snapshot.keys(yahoo.SOURCE)
        if tickers is None:
            return known
        wanted = ticker_list(tickers)
        missing = [ticker for ticker in wanted if ticker not in set(known)]
        if len(missing) == 1:
            self.vintage(missing[0])
        if missing:
            raise NotFoundError(
                f"{self.name} holds nothing of {in_words(missing)}",
                parameter="tickers",
                allowed=in_words(known),
                remedy=f"Fetch them: {_FETCH.format(' '.join(missing), 'yahoo')}",
            )
        return wanted

    def companies(self, tickers: str | Iterable[str] | None) -> list[str]:
        """Those of the tickers that announce anything; all that were asked for must have been fetched."""
        return [ticker for ticker in self._known(tickers) if "announcements" in self.vintage(ticker).manifest["tables"]]

    def _reconciled(self, ticker: str) -> pd.DataFrame:
        vintage = self.vintage(ticker)
        table = vintage.frame("announcements")
        filings = self.snapshot.find(edgar.SOURCE, ticker)
        acceptances = filings.frame("acceptances") if filings is not None and filings.has("acceptances") else None
        return reconcile(table, acceptances, self._calendar, name=yahoo.SOURCE)

    def _events(self, ticker: str) -> pd.DataFrame:
        vintage = self.vintage(ticker)
        vendor, instants = vintage.frame("announcements"), self._reconciled(ticker)
        stamps = instants["announced_at"].dt.strftime("%Y-%m-%dT%H:%M:%S+00:00").astype(object)
        frame = pd.DataFrame(
            {
                "ticker": ticker,
                "announced_at": stamps.where(
                    instants["announced_at"].notna(), instants["announced_on"].dt.strftime("%Y-%m-%d")
                ),
                "announced_at_precision": instants["precision"],
                "session": instants["session"],
                "eps_actual": vendor["eps_actual"],
                "eps_estimate": vendor["eps_estimate"],
                "surprise_pct": vendor["surprise_pct"],
                "announced_at_source": instants["announced_at_source"],
                "sec_accepted_at": instants["sec_accepted_at"],
                "announced_at_note": instants["detail"],
            }
        )
        begun = instants["announced_at"].where(
            instants["announced_at"].notna(),
            instants["announced_on"].dt.tz_localize(edgar.NEW_YORK).dt.tz_convert("UTC"),
        )
        return self._with_consensus(frame, begun, vintage)

    @staticmethod
    def _with_consensus(frame: pd.DataFrame, begun: pd.Series, vintage: Vintage) -> pd.DataFrame:
        """The consensus as it was fetched last before each announcement, where it was fetched at all."""
        frame = frame.assign(estimate_as_of=None, estimate_source="Yahoo's table, of the time of the fetch")
        if not vintage.has("estimates"):
            return frame
        splits = pd.Series(dtype=float, index=pd.DatetimeIndex([]))
        if vintage.has("actions"):
            splits = vintage.frame("actions").dropna(subset="split_ratio").set_index("ex_date")["split_ratio"]
        table = vintage.frame("estimates")
        table = table[(table["period"] == "next") & (table["metric"] == "eps") & table["mean"].notna()]
        for row, limit in begun.items():  # a bare date begins at midnight
            near = (table["expected_from"] - limit).abs() <= _EXPECTED
            known = table[near & (table["fetched_at"] < limit)]
            if len(known):
                latest = known.iloc[-1]
                since = splits[splits.index > latest["fetched_at"].tz_convert(edgar.NEW_YORK).tz_localize(None)]
                frame.loc[row, "eps_estimate"] = _on_basis(latest["mean"], frame.loc[row, "eps_estimate"], since.prod())
                frame.loc[row, "estimate_as_of"] = latest["fetched_at"].isoformat()
                frame.loc[row, "estimate_source"] = "Yahoo's consensus, kept on that day"
                frame.loc[row, "surprise_pct"] = np.nan  # it belongs to the estimate that was replaced
        return frame

    def _sane(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Bars without what Yahoo cannot mean."""
        sessions = self._calendar.sessions
        on_session = rows["date"].isin(sessions).to_numpy()
        notes = {"rows on days without a session": int((~on_session).sum())}
        rows = rows[on_session].reset_index(drop=True)
        bad = ~(rows["close"] > 0).to_numpy()
        notes["closes that are no positive price"] = int(bad.sum())
        slack = 1 + ROUNDING
        inner = rows[["open", "close"]].to_numpy()
        low, high = rows["low"].to_numpy()[:, None], rows["high"].to_numpy()[:, None]
        with np.errstate(invalid="ignore"):
            odd = ((inner > high * slack) | (inner < low / slack)).any(axis=1) | (low > high)[:, 0]
            odd |= ~(rows[["open", "high", "low"]].to_numpy() > 0).all(axis=1)
        notes["bars whose open, high and low contradict the close"] = int((odd & ~bad).sum())
        rows.loc[odd | bad, ["open", "high", "low"]] = np.nan
        rows.loc[bad, "close"] = np.nan
        rows.loc[(rows["volume"] < 0).to_numpy(), "volume"] = np.nan
        found = [f"{count} {words}" for words, count in notes.items() if count]
        if found:
            warnings.warn(f"{self.name}: left out {'; '.join(found)}", ResearchWarning, stacklevel=3)
        return rows


def open_snapshot(name: str | None, store: SnapshotStore | None = None) -> SnapshotSource:
    """A recorded snapshot by its name; for None the latest state, as ``yahoo``.

    Raises
    ------
    NotFoundError, SourceError
        If there is no such snapshot, nothing was fetched, or its record is damaged.
    """
    store = store or SnapshotStore()
    if name is None:
        return SnapshotSource(store.state(), yahoo.SOURCE)
    snapshot = store.snapshot(name)
    return SnapshotSource(snapshot, f"snapshot:{snapshot.id}")


def pinned(spec: str, store: SnapshotStore | None = None) -> str:
    """Source spec that will mean the same for ever: ``yahoo`` as ``snapshot:ID``, any other as it is.

    The snapshot is recorded, so that a report can be replayed from it.

    Raises
    ------
    SourceError
        If nothing was fetched, or the record cannot be written.
    """
    if spec != yahoo.SOURCE:
        return spec
    store = store or SnapshotStore()
    return f"snapshot:{store.record(store.state()).id}"


def _on_basis(kept: float, listed: float, ratio: float) -> float:
    """A consensus on the share basis of the vendor's table, which may have been divided by splits since.

    Of the figure as kept and the figure divided by the splits, the one nearer to the estimate that the
    table lists today; divided where it lists none.
    """
    divided = kept / ratio
    if not (listed * kept > 0):
        return divided
    return min((kept, divided), key=lambda value: abs(np.log(value / listed)))


def _declared(actions: pd.DataFrame) -> pd.DataFrame:
    """Actions as :class:`Prices` wants them: Yahoo's closes hold all splits, its dividends are divided by them.

    A dividend is brought back to the share on which it was declared: times the ratios of the
    splits of its ex-date and later.
    """
    actions = actions.assign(ticker=actions["ticker"].astype(object))
    ratio = actions["split_ratio"].fillna(1.0)
    later = ratio[::-1].groupby(actions["ticker"][::-1]).cumprod()[::-1]
    splits = actions[actions["split_ratio"].notna()].assign(dividend=np.nan, absorbed=True)
    paid = actions["dividend"].notna()
    dividends = actions[paid].assign(dividend=(actions["dividend"] * later)[paid], split_ratio=np.nan, absorbed=False)
    return pd.concat([splits, dividends], ignore_index=True)
