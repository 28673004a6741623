"""Yahoo Finance, through yfinance: daily bars and actions, minute bars, announcements, consensus.

Raw bars are kept (as traded, but for splits) together with the dividends; adjusted closes are
not, because Yahoo rewrites them after every dividend. yfinance is asked ticker by ticker, with
its exceptions on, and an empty answer is an error.
"""

from __future__ import annotations

import atexit
import functools
import json
import logging
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import pandas as pd

from research.errors import ResearchError, SourceError, in_words, nearest
from research.sources import _yahoo_pages as pages
from research.sources._common import new_york
from research.sources._http import Pace, refusal, routed, unreachable
from research.sources._retry import Budget, Retry, TransientError
from research.sources._vintages import ACCUMULATING, Vintage, accumulate

_T = TypeVar("_T")

SOURCE = "yahoo"
#: Market series that a study of Yahoo's prices is measured against: with dividends, and with an open.
MARKET = "SPY"

#: Seconds between requests, at least.
PACE = 0.2

_ROOT = "https://finance.yahoo.com"
_QUERY = "https://query2.finance.yahoo.com"
_PAGE = 100
_MOST_PAGES = 20
_MODULES = "calendarEvents,earningsTrend"
_BARS = {"Open": "open", "High": "high", "Low": "low", "Close": "close", "Volume": "volume"}
_ACTIONS = {"Dividends": "dividend", "Stock Splits": "split_ratio"}
_NEW_YORK = "America/New_York"
#: Yahoo goes on correcting a bar for a while after the close.
_SETTLED = pd.Timedelta(minutes=20)
#: Minute bars go back 30 days, and 8 days a request; a day of margin for time zones.
_MINUTE_DAYS = 29
#: What yfinance raises when an answer has another shape than it expects.
_SHAPES = (KeyError, TypeError, IndexError, AttributeError, ValueError)


class YahooClient:
    """Asks Yahoo for one company after the other.

    Parameters
    ----------
    budget : Budget
        Total time.
    retry : Retry, optional
    timeout : float
        Seconds for one answer.
    pace : float
        Seconds between requests, at least; default :data:`PACE`.
    now : callable
        The current instant, time-zone-aware.
    tell : callable
        Called with one line whenever something has to be asked again.
    """

    def __init__(
        self,
        budget: Budget,
        retry: Retry | None = None,
        *,
        timeout: float = 20.0,
        pace: float | None = None,
        now: Callable[[], pd.Timestamp] = lambda: pd.Timestamp.now(tz="UTC"),
        tell: Callable[[str], None] = lambda line: None,
    ) -> None:
        self._budget = budget
        self._retry = retry or Retry()
        self._now = now
        self._tell = tell
        self._calendar = new_york()
        self._session = _session(budget, timeout, Pace(PACE if pace is None else pace, self._retry.sleep))

    def __repr__(self) -> str:
        return "YahooClient()"

    def fetch(
        self, ticker: str, start: str, earlier: list[Vintage] | None = None
    ) -> tuple[dict[str, pd.DataFrame], dict[str, Any], dict[str, str]]:
        """Everything about one company.

        Parameters
        ----------
        ticker : str
        start : str
            First date of the daily bars.
        earlier : list of Vintage, optional
            Vintages whose estimates and minute bars are carried on.

        Returns
        -------
        tables : dict of str to DataFrame
            ``prices`` and ``actions``; for companies also ``announcements``, ``estimates``, ``intraday``.
        facts : dict
            Currency, exchange, kind of instrument.
        incomplete : dict
            Tables that could not be had this time, each with the reason.

        Raises
        ------
        TransientError
            If Yahoo did not deliver, however often it was asked.
        SourceError
            If it has no such ticker, or answers in another shape than before.
        BudgetError
            If the time is over.
        """
        with _exceptions_on():
            history, facts = self._ask(lambda: self._history(ticker, start))
            tables = self._daily(history, ticker)
            incomplete: dict[str, str] = {}
            if facts["instrument"] == "EQUITY":
                tables["announcements"] = self._announcements(ticker)
                optional = {
                    "estimates": lambda: self._estimates(ticker),
                    "intraday": lambda: self._minutes(ticker, tables["announcements"]),
                }
                for name in ACCUMULATING:
                    fresh, problem = self._optional(optional[name])
                    if problem:
                        incomplete[name] = problem
                    if fresh is None and earlier:
                        fresh = next((old.frame(name).iloc[:0] for old in earlier if old.has(name)), None)
                    if fresh is not None:
                        tables[name] = accumulate(name, fresh, earlier or [])
        return tables, facts, incomplete

    def _ask(self, work: Callable[[], _T]) -> _T:
        return self._retry.call(lambda: self._translated(work), self._budget, self._tell)

    def _optional(self, work: Callable[[], pd.DataFrame]) -> tuple[pd.DataFrame | None, str]:
        """What one table could do without; the reason where it has to."""
        try:
            return self._ask(work), ""
        except TransientError as error:
            if error.unreachable:
                raise
            return None, error.problem
        except SourceError as error:
            return None, error.problem

    def _translated(self, work: Callable[[], _T]) -> _T:
        """Result of one request, whatever goes wrong with it turned into one of our errors."""
        import yfinance
        from yfinance.data import YfData
        from yfinance.exceptions import YFRateLimitError, YFTickerMissingError

        YfData.cache_get.cache_clear()  # it keeps failed answers, too
        try:
            return work()
        except ResearchError:
            raise
        except YFRateLimitError as error:
            raise TransientError(
                "Yahoo limits the rate of requests (HTTP 429)", retry_after=self._session.retry_after
            ) from error
        except YFTickerMissingError as error:
            reason = getattr(error, "yahoo_reason", None)
            raise self._refused(reason) or TransientError("Yahoo answered with an empty table of prices") from error
        except yfinance.exceptions.YFException as error:
            raise TransientError(f"Yahoo is not available: {error}") from error
        except json.JSONDecodeError as error:
            raise self._refused() or TransientError("Yahoo did not answer with data where data was due") from error
        except OSError as error:
            raise self._refused() or unreachable("Yahoo", error) from error
        except _SHAPES as error:
            raise self._refused() or SourceError(
                f"Yahoo's answer has another shape than before ({type(error).__name__}: {error})",
                remedy="A newer yfinance may know it: pip install --upgrade yfinance.",
            ) from error

    def _refused(self, reason: str | None = None) -> SourceError | None:
        """Error for the status of the latest answer, if that says it all; with Yahoo's reason where it gives one."""
        status = self._session.status
        if status == 404:
            return SourceError(
                "Yahoo has no such ticker (HTTP 404)",
                remedy="Check its spelling on finance.yahoo.com; share classes are written BRK-B.",
            )
        if status == 401:
            return _unknown_to_yahoo()
        if reason and status in (400, 422):
            return SourceError(f"Yahoo refuses (HTTP {status}): {reason}", remedy="Check ticker and dates.")
        return refusal("Yahoo", status, str(self._session.retry_after or "")) if status >= 400 else None

    # --- daily bars -----------------------------------------------------------------------

    def _history(self, ticker: str, start: str) -> tuple[pd.DataFrame, dict[str, Any]]:
        import yfinance

        end = (self._now() + pd.Timedelta(days=2)).strftime("%Y-%m-%d")
        company = yfinance.Ticker(ticker, session=self._session)
        frame = company.history(start=start, end=end, interval="1d", auto_adjust=False, actions=True)
        if frame is None or frame.empty:
            raise TransientError("Yahoo answered with an empty table of prices")
        missing = [name for name in (*_BARS, *_ACTIONS) if name not in frame.columns]
        if missing:
            raise SourceError(
                f"Yahoo's prices have no column {in_words(map(repr, missing))}: their layout has changed",
                value=list(frame.columns),
                remedy=nearest(missing[0], list(frame.columns)) or None,
            )
        meta = company.history_metadata
        zone = str(meta.get("exchangeTimezoneName"))
        if zone != _NEW_YORK:
            raise SourceError(
                f"this security trades in {zone}",
                allowed="sessions of New York",
                remedy="Bring it in files of your own, with calendar = ... in columns.toml.",
            )
        facts = {"currency": meta.get("currency"), "exchange": meta.get("exchangeName")}
        return frame, {**facts, "instrument": str(meta.get("instrumentType") or "").upper()}

    def _daily(self, history: pd.DataFrame, ticker: str) -> dict[str, pd.DataFrame]:
        """Bars and actions of sessions that have ended; a running one is no bar yet."""
        dates = pd.DatetimeIndex(history.index).tz_localize(None).normalize().as_unit("ns")
        table = history.set_axis(dates, axis=0)
        if "Capital Gains" in table:  # a fund pays them out like a dividend
            table = table.assign(Dividends=table["Dividends"] + table["Capital Gains"].fillna(0))
        last = self.last_session()
        table = table[table.index <= last]
        if table.empty:
            raise SourceError(f"Yahoo has no session of {ticker} that has ended", remedy="Fetch again after the close.")
        bars = table[list(_BARS)].rename(columns=_BARS).astype(float)
        bars = bars[bars["close"].notna()]
        events = table[list(_ACTIONS)].rename(columns=_ACTIONS).astype(float)
        events = events.where(events != 0)
        events = events[events.notna().any(axis=1)]
        return {
            "prices": bars.rename_axis("date").reset_index(),
            "actions": events.rename_axis("ex_date").reset_index(),
        }

    def last_session(self) -> pd.Timestamp:
        """Label of the latest session that has ended, and settled."""
        ended = int(self._calendar.closes.searchsorted(self._now() - _SETTLED, side="right"))
        return self._calendar.sessions[ended - 1]

    # --- announcements and what is expected -------------------------------------------------

    def _announcements(self, ticker: str) -> pd.DataFrame:
        """All pages of the earnings calendar; yfinance's own reader knows one text form and one page."""
        rows: list[dict[str, str]] = []
        for number in range(_MOST_PAGES):
            page = self._ask(functools.partial(self._page, ticker, number * _PAGE))
            if page is None:
                break
            found, listed = page
            fresh = [row for row in found if row not in rows]
            rows += fresh
            if listed < _PAGE or not fresh:
                break
        if not rows:
            raise SourceError(
                f"Yahoo's calendar lists no earnings announcement of {ticker}",
                remedy="Bring its announcements in a file of your own (files:DIR).",
            )
        return pages.events(rows, ticker, self._calendar)

    def _page(self, ticker: str, offset: int) -> tuple[list[dict[str, str]], int] | None:
        from yfinance.data import YfData

        url = f"{_ROOT}/calendar/earnings?symbol={ticker}&offset={offset}&size={_PAGE}"
        answer = YfData(session=self._session).get(url)
        if answer.status_code >= 400:
            raise refusal("Yahoo", answer.status_code, answer.headers.get("Retry-After"), url)
        return pages.calendar_rows(answer.text, ticker)

    def _estimates(self, ticker: str) -> pd.DataFrame:
        from yfinance.data import YfData

        url = f"{_QUERY}/v10/finance/quoteSummary/{ticker}"
        answer = YfData(session=self._session).get(url, params={"modules": _MODULES, "symbol": ticker})
        if answer.status_code == 401:
            raise _unknown_to_yahoo()
        if answer.status_code >= 400:
            raise refusal("Yahoo", answer.status_code, answer.headers.get("Retry-After"), url)
        return pages.estimates(answer.json(), self._now())

    # --- minute bars ------------------------------------------------------------------------

    def _minutes(self, ticker: str, announcements: pd.DataFrame) -> pd.DataFrame:
        """Minute bars from the session before each recent announcement to its day zero."""
        import yfinance

        parts = []
        for first, last in self._recent(announcements):
            company = yfinance.Ticker(ticker, session=self._session)
            end = (last + pd.Timedelta(days=1)).strftime("%Y-%m-%d")
            frame = company.history(
                start=f"{first:%Y-%m-%d}", end=end, interval="1m", prepost=True, auto_adjust=False, actions=False
            )
            if frame is None or frame.empty:
                raise TransientError("Yahoo answered with an empty table of minute bars")
            stamps = pd.DatetimeIndex(frame.index).tz_convert("UTC").as_unit("ns")
            bars = frame[list(_BARS)].rename(columns=_BARS).astype(float).set_axis(stamps, axis=0)
            whole = (stamps == stamps.floor("min")) & (stamps + pd.Timedelta(minutes=1) <= self._now())
            parts.append(bars[whole & bars["close"].notna().to_numpy()].rename_axis("ts").reset_index())
        if not parts:
            columns = {name: pd.Series(dtype=float) for name in _BARS.values()}
            return pd.DataFrame({"ts": pd.Series(dtype="datetime64[ns, UTC]"), **columns})
        return pd.concat(parts, ignore_index=True).drop_duplicates("ts")

    def _recent(self, announcements: pd.DataFrame) -> list[tuple[pd.Timestamp, pd.Timestamp]]:
        """Spans of dates around the announcements that minute bars still reach."""
        sessions, last = self._calendar.sessions, self.last_session()
        today = self._now().tz_convert(_NEW_YORK).tz_localize(None).normalize()
        oldest = today - pd.Timedelta(days=_MINUTE_DAYS)
        spans = []
        for day in pd.DatetimeIndex(announcements["announced_on"]):
            place = int(sessions.searchsorted(day))
            first, zero = sessions[place - 1], sessions[place + 1]
            if oldest <= first and day <= last:
                spans.append((first, min(zero, last)))
        return spans


def _unknown_to_yahoo() -> TransientError:
    """Error for a crumb that does not fit the cookie, or was not handed out: the next attempt asks for another."""
    return TransientError("Yahoo does not accept its own crumb (HTTP 401)")


@contextmanager
def _exceptions_on() -> Iterator[None]:
    """Let yfinance raise instead of print, and keep it quiet, as long as we use it."""
    import yfinance

    debug = yfinance.config.debug
    before, logger = debug.hide_exceptions, logging.getLogger("yfinance")
    silenced = logging.NullHandler()
    debug.hide_exceptions = False
    propagate, logger.propagate = logger.propagate, False
    logger.addHandler(silenced)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="yfinance")
            yield
    finally:
        debug.hide_exceptions = before
        logger.propagate = propagate
        logger.removeHandler(silenced)


@functools.cache
def _own_cache() -> str:
    """Give yfinance a cache of cookies and time zones of its own: processes that share one lock each other out."""
    import yfinance

    folder = tempfile.mkdtemp(prefix="earnings-study-yahoo-")
    yfinance.set_tz_cache_location(folder)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _session(budget: Budget, timeout: float, pace: Pace) -> Any:
    """A session of the kind yfinance wants, kept to the pace, the time limit and the gateway."""
    _own_cache()
    try:
        from curl_cffi import requests as backend

        options: dict[str, Any] = {"impersonate": "chrome"}
    except ImportError:  # yfinance falls back to it, too
        import requests as backend  # type: ignore[no-redef]

        options = {}

    class Session(backend.Session):  # type: ignore[misc, name-defined]
        """Keeps the status of the latest answer, which yfinance's exceptions do not tell."""

        status = 0
        retry_after: float | None = None

        def request(self, method: Any, url: str, *args: Any, **kwargs: Any) -> Any:
            budget.require()
            pace.wait()
            self.status, self.retry_after = 0, None
            kwargs["timeout"] = min(timeout, max(budget.remaining(), 0.1))
            answer = super().request(method, routed(url), *args, **kwargs)
            self.status = answer.status_code
            after = answer.headers.get("Retry-After", "")
            self.retry_after = float(after) if after.isdigit() else None
            return answer

    return Session(**options)
