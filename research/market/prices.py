"""Daily prices of many tickers, checked once, and the returns that follow from them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from research.errors import NotFoundError, ParameterError, in_words, nearest
from research.events.calendar import TradingCalendar
from research.market._actions import read_actions, unabsorbed
from research.market._daily import FIELDS, read_daily
from research.market._diagnosis import diagnose


class Prices:
    """Daily bars of a set of tickers on the sessions of one exchange calendar.

    Build it with :meth:`from_frame`; an instance never changes, and what it hands
    out are copies. Missing sessions stay missing: nothing is ever filled.

    Attributes
    ----------
    tickers : list of str
        Sorted.
    sessions : DatetimeIndex, shape (n_sessions,)
        Every session of the calendar from the first date of the data to the last,
        tz-naive midnight, ``datetime64[ns]``.
    fields : tuple of str
        Columns that the input had, of ``open high low close adj_close volume``.
    actions : DataFrame
        ``ticker, ex_date, dividend, split_ratio, absorbed``, sorted.

    Notes
    -----
    Basis. ``open high low close`` of a ticker share one basis, as a rule adjusted for
    splits but not for dividends; ``adj_close`` is adjusted for both. ``actions`` with
    ``absorbed`` true are in the closes already and change nothing.

    A dividend is the amount paid **per share as held before its ex-date**, as the
    company declared it. Closes that have absorbed later splits need it on their own
    basis, so it is divided by the ratios of the absorbed splits of its ex-date and
    after (0.04 on an NVDA share of March 2024 is 0.004 on the shares of the 10-for-1
    split of June). A vendor's dividends that are split-adjusted already have to be
    brought back first.
    """

    __slots__ = ("_actions", "_calendar", "_fields", "_sessions", "_tickers")

    _sessions: pd.DatetimeIndex
    _tickers: tuple[str, ...]
    _fields: Mapping[str, np.ndarray]
    _actions: pd.DataFrame
    _calendar: str

    def __init__(
        self,
        sessions: pd.DatetimeIndex,
        tickers: Iterable[str],
        fields: Mapping[str, np.ndarray],
        actions: pd.DataFrame,
        calendar: str,
    ) -> None:
        for values in fields.values():
            values.setflags(write=False)
        content = (sessions, tuple(tickers), dict(fields), actions, calendar)
        for name, value in zip(("_sessions", "_tickers", "_fields", "_actions", "_calendar"), content, strict=True):
            object.__setattr__(self, name, value)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"Prices are immutable; cannot set {name!r}")

    def __reduce__(self) -> tuple[type[Prices], tuple[object, ...]]:
        return Prices, (self._sessions, self._tickers, self._fields, self._actions, self._calendar)

    def __repr__(self) -> str:
        return (
            f"Prices({len(self._tickers)} tickers, {len(self._sessions)} {self._calendar} sessions "
            f"{self._sessions[0]:%Y-%m-%d}..{self._sessions[-1]:%Y-%m-%d}, "
            f"{' '.join(self._fields)}, {len(self._actions)} actions)"
        )

    @classmethod
    def from_frame(
        cls,
        long: pd.DataFrame,
        *,
        actions: pd.DataFrame | None = None,
        calendar: str | TradingCalendar = "XNYS",
    ) -> Prices:
        """Check a long table of prices and keep it as arrays.

        Parameters
        ----------
        long : DataFrame
            ``date`` (bare session dates: midnight datetime64, date objects or ISO
            text), ``ticker``, and ``close`` or ``adj_close`` or both; optional ``open
            high low volume``. Other columns are not kept. Any order of rows. NaN is a
            missing value, and a row with neither close is a missing session.
        actions : DataFrame, optional
            ``ticker, ex_date`` and any of ``dividend``, ``split_ratio`` (new shares
            per old share: 2 for 2-for-1, 0.125 for 1-for-8) and ``absorbed`` (needed
            where there are splits). Without it, returns from ``close`` are price returns.
        calendar : str or TradingCalendar, default "XNYS"
            Exchange whose sessions the dates are. A code is extended backwards as far
            as the data need, where the calendar is recorded that far.

        Returns
        -------
        Prices

        Raises
        ------
        InputError
            Listing every offending row: missing or misspelt columns, an empty table,
            dates that are no session or no date, tickers that are no text, a date twice
            for one ticker, prices that are not positive, volumes below zero, cells that
            are infinite or no number, high below low, open or close outside low to
            high by more than 1e-6 of the bound.
        CalendarRangeError
            Dates before or after everything the calendar covers.
        """
        sessions, tickers, fields, code = read_daily(long, calendar)
        return cls(sessions, tickers, fields, read_actions(actions, sessions), code)

    @property
    def tickers(self) -> list[str]:
        """Tickers, sorted."""
        return list(self._tickers)

    @property
    def sessions(self) -> pd.DatetimeIndex:
        """Every session of the calendar between the first and the last date."""
        return self._sessions

    @property
    def fields(self) -> tuple[str, ...]:
        """Columns that the input had."""
        return tuple(self._fields)

    @property
    def actions(self) -> pd.DataFrame:
        """Dividends and splits, sorted by ticker and ex-date; a copy."""
        return self._actions.copy()

    def field(self, name: str) -> pd.DataFrame:
        """One column as a table.

        Parameters
        ----------
        name : {"open", "high", "low", "close", "adj_close", "volume"}

        Returns
        -------
        DataFrame, shape (n_sessions, n_tickers)
            float64; NaN where missing, throughout if the input had no such column.

        Raises
        ------
        ParameterError
            For any other name.
        """
        if name not in FIELDS:
            raise ParameterError(
                "no such column of prices",
                parameter="name",
                value=name,
                allowed=in_words(FIELDS),
                remedy=nearest(str(name), FIELDS) or None,
            )
        return self._frame(self._values(name))

    def returns(self, tickers: str | Iterable[str] | None = None) -> pd.DataFrame:
        r"""Simple total returns from close to close.

        .. math::

            r_t = \frac{A_t}{A_{t-1}} - 1
            \qquad\text{or}\qquad
            r_t = \frac{C_t\,s_t + D_t}{C_{t-1}} - 1

        The first wherever ``adj_close`` :math:`A` exists at both sessions; else the
        second, from ``close`` :math:`C`, the split ratio :math:`s_t` and the dividend
        :math:`D_t` of the actions with ex-date :math:`t` that are not absorbed. Never
        both for one return.

        Parameters
        ----------
        tickers : str or iterable of str, optional
            All tickers unless given; the columns come in the order asked for.

        Returns
        -------
        DataFrame, shape (n_sessions, n_tickers)
            NaN unless both :math:`t` and the session before it have a price, so no
            return spans a gap.

        Raises
        ------
        NotFoundError
            Tickers that are not in the data.

        Notes
        -----
        The second formula is CRSP's holding period return, (p(t) f(t) + d(t)) / p(t')
        - 1 (Center for Research in Security Prices, *Data Descriptions Guide*, chapter
        CRSP Calculations). It settles what a dividend and a split on one ex-date mean:
        the dividend counts per share held **before** the split. One declared per new
        share has to be multiplied by the split ratio.

        The usual ``adj_close`` multiplies earlier prices by :math:`1 - D_t/C_{t-1}`,
        which makes :math:`r_t = C_t/(C_{t-1} - D_t) - 1` on the ex-date: larger than
        CRSP's by about :math:`r_t D_t/C_{t-1}`, at most a few hundred-thousandths for
        an ordinary quarterly dividend.
        """
        table = self._frame(self._returns())
        if tickers is None:
            return table
        wanted = [tickers] if isinstance(tickers, str) else list(tickers)
        unknown = [name for name in wanted if name not in self._tickers]
        if unknown:
            hints = (nearest(str(name), self._tickers) for name in unknown)
            raise NotFoundError(
                "no prices of these tickers" if len(unknown) > 1 else "no prices of this ticker",
                parameter="tickers",
                value=unknown if len(unknown) > 1 else unknown[0],
                allowed=in_words(self._tickers),
                remedy=" ".join(filter(None, hints)) or None,
            )
        return table[wanted]

    def intraday(self) -> pd.DataFrame:
        r"""Simple returns from open to close, :math:`C_t/O_t - 1`.

        Returns
        -------
        DataFrame, shape (n_sessions, n_tickers)
            NaN where open or close is missing.

        Notes
        -----
        Lou, Polk and Skouras (2019), *Journal of Financial Economics* 134, 192-213.
        """
        return self._frame(self._intraday())

    def overnight(self) -> pd.DataFrame:
        r"""Simple returns from the previous close to the open.

        .. math:: r_{co,t} = \frac{1 + r_t}{1 + r_{oc,t}} - 1

        with the total return :math:`r_t` of :meth:`returns` and :math:`r_{oc,t}` of
        :meth:`intraday`, so that the two legs multiply to the total return to rounding.
        Dividends and splits fall into this leg.

        Returns
        -------
        DataFrame, shape (n_sessions, n_tickers)
            NaN where either of the two is.

        Notes
        -----
        Lou, Polk and Skouras (2019), *Journal of Financial Economics* 134, 192-213.
        """
        return self._frame((1 + self._returns()) / (1 + self._intraday()) - 1)

    def log_volume(self) -> pd.DataFrame:
        """Natural logarithm of the volume in shares.

        Returns
        -------
        DataFrame, shape (n_sessions, n_tickers)
            NaN where the volume is missing or zero.
        """
        volume = self._values("volume")
        return self._frame(np.log(np.where(volume > 0, volume, np.nan)))

    def diagnose(self) -> pd.DataFrame:
        """Soft findings: data that may be right, but deserve a look before use.

        Returns
        -------
        DataFrame
            One row per finding, sorted by ticker and date: ``ticker``, ``date`` (first
            session concerned), ``finding``, ``value``, ``detail`` (a sentence). Nothing
            is changed or left out on account of a finding.

            ============== ===================================================== =============
            finding        meaning                                               value
            ============== ===================================================== =============
            gap            no price inside a ticker's history                    sessions
            no-price       other cells are filled, but no price                  sessions
            stale-close    five or more identical closes in a row                sessions
            stale-open     five or more opens in a row at the close before       sessions
            split-jump     a move by a usual split ratio, beyond six robust      price ratio
                           deviations of the ticker, median ticker removed
            legs-reverse   overnight leg beyond six robust deviations and 5 %,   overnight leg
                           three quarters of it undone within the session
            volume         three or more sessions beyond four robust deviations  median ratio
                           and six times (or a sixth of) the 61-session median
            zero-volume    a price without a trade                               sessions
            unused-actions actions of a ticker that has no prices                actions
            ============== ===================================================== =============

        Notes
        -----
        A split ratio counts as hit within 2 % for 3-for-2, 4 % for 2-for-1 and 6 % for
        3, 4, 5, 7, 8, 10, 15, 20, 50 and 100 for 1, in either direction. Real news can
        do the same: every finding is a question, not a verdict.
        """
        fields = {name: self._values(name) for name in FIELDS}
        return diagnose(self._sessions, self._tickers, fields, self._returns(), self._actions)

    def _values(self, name: str) -> np.ndarray:
        if name in self._fields:
            return self._fields[name]
        return np.full((len(self._sessions), len(self._tickers)), np.nan)

    def _frame(self, values: np.ndarray) -> pd.DataFrame:
        return pd.DataFrame(
            values,
            index=pd.DatetimeIndex(self._sessions, name="date"),
            columns=pd.Index(self._tickers, name="ticker"),
            copy=True,
        )

    def _returns(self) -> np.ndarray:
        adjusted, close = self._values("adj_close"), self._values("close")
        result = np.full(close.shape, np.nan)
        result[1:] = adjusted[1:] / adjusted[:-1] - 1
        if "close" not in self._fields:
            return result
        now = close
        if len(self._actions):
            split, dividend = unabsorbed(self._actions, self._sessions, self.tickers)
            now = close * split + dividend
        result[1:] = np.where(np.isnan(result[1:]), now[1:] / close[:-1] - 1, result[1:])
        return result

    def _intraday(self) -> np.ndarray:
        return self._values("close") / self._values("open") - 1
