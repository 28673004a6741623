"""``EventStudy``: every input checked at once, then one batched fit.

The checks come before any arithmetic, so that a study either runs on what was
given or says in one error what is wrong with it.
"""

from __future__ import annotations

import warnings

import pandas as pd

from research.errors import ParameterError, ResearchWarning, whole_number
from research.events.announcements import Announcements
from research.events.calendar import TradingCalendar
from research.market.factors import FactorReturns
from research.study.fitting import Fitter, padded
from research.study.inputs import as_announcements, check_factors, check_logarithms, check_market, check_returns
from research.study.models import ExpectedReturnModel, GarchModel, Series, TradeToTradeModel, resolve_model
from research.study.results import EventStudyResults
from research.study.settings import Settings

#: Fewer announcements than this in an estimation year and the cut is not doing its work.
FEW_KNOWN = 3


class EventStudy:
    """An event study, checked and ready to fit; immutable.

    Parameters
    ----------
    events : Announcements or DataFrame
        The events to study.
    returns : DataFrame, sessions x tickers
        Simple total returns in decimals. Missing days stay NaN; nothing is filled.
    model : str or model object, default "market"
        Expected-return model, see :mod:`research.study.models`.
    market : Series or str, optional
        Market return, as a Series or the name of a column of ``returns``: the market
        regressor, and the benchmark in market-adjusted returns and BHAR.
    factors : DataFrame or FactorReturns, optional
        Factor returns in decimals with French's names, for ``capm ff3 carhart ff5 ff6``.
    window : (int, int), default (-10, 10)
        Event window in sessions relative to day zero.
    estimation : (int, int), default (-250, -11)
        Estimation window; must end before the event window starts.
    min_observations : int, default 100
        Complete estimation days that an event needs after the cut.
    calendar : str or TradingCalendar, default "XNYS"
        Sessions of the grid; exchange_calendars code.
    known_announcements : Announcements or DataFrame, optional
        Every announcement known of these firms, studied or not; by default
        ``events`` itself, its excluded rows included.
    other_announcements : {"cut", "keep"}, default "cut"
        Whether days -1 to +1 around the firm's other announcements of the same
        kind are cut from the estimation window. Leaving them in inflates sigma.
    unknown_timing : {"exclude", "same-session", "next-session"}, default "exclude"
        What to do with a date whose hour is unknown.

    Raises
    ------
    ParameterError
        An impossible choice.
    InputError
        Returns or market series that cannot be used; every offence is listed.

    Notes
    -----
    Day zero is the first session whose close lies after the announcement's
    instant. Estimation uses complete rows only; abnormal returns carry the
    forecast-error correction of Patell (1976) and Campbell, Lo and MacKinlay (1997).

    Examples
    --------
    >>> import research as es
    >>> returns, market = es.sample.prices().returns(), es.sample.market_returns()
    >>> results = EventStudy(es.sample.announcements("META"), returns, market=market).fit()
    >>> meta = results.car(0, 0).iloc[results.locate("META-earnings-2024-10-31")]
    >>> print(f"{meta.car:.2%}, t {meta.t:.2f}")
    -1.45%, t -1.07
    """

    def __init__(
        self,
        events: Announcements | pd.DataFrame,
        returns: pd.DataFrame,
        model: str | ExpectedReturnModel = "market",
        market: pd.Series | str | None = None,
        factors: pd.DataFrame | FactorReturns | None = None,
        *,
        window: tuple[int, int] = (-10, 10),
        estimation: tuple[int, int] = (-250, -11),
        min_observations: int = 100,
        calendar: str | TradingCalendar = "XNYS",
        known_announcements: Announcements | pd.DataFrame | None = None,
        other_announcements: str = "cut",
        unknown_timing: str = "exclude",
    ) -> None:
        self._calendar = calendar if isinstance(calendar, TradingCalendar) else TradingCalendar(calendar)
        self.settings = Settings(
            window, estimation, min_observations, self._calendar.code, other_announcements, unknown_timing
        )
        self.model = resolve_model(model)
        if min_observations <= self.model.n_coefficients:
            raise ParameterError(
                f"the model {self.model.name!r} estimates {self.model.n_coefficients} coefficients",
                parameter="min_observations",
                value=min_observations,
                allowed=f"at least {self.model.n_coefficients + 1}",
            )
        self.events = as_announcements(events)
        self.known_announcements = self.events if known_announcements is None else as_announcements(known_announcements)
        checked = check_returns(returns, self._calendar)
        # The one copy, laid out as the kernels read it; the frame is a view of it.
        self._raw = padded(checked.to_numpy().T, self.settings.padding)
        left = self.settings.padding[0]
        self._returns = pd.DataFrame(
            self._raw[:, left : left + len(checked)].T, index=checked.index, columns=checked.columns, copy=False
        )
        self._market, before = check_market(market, self._returns, self._calendar)
        self.market_name = None if self._market is None else str(self._market.name or "market")
        market_values = None if self._market is None else self._market.to_numpy()
        self._series = Series(
            pd.DatetimeIndex(self._returns.index), market_values, check_factors(factors, self._returns), before
        )
        if isinstance(self.model, TradeToTradeModel):
            check_logarithms(self._returns, self._market)
        # A model that lacks its market or factors says so now, not when it is fitted.
        self.model.design(self._series)
        self._sealed = True

    def __setattr__(self, name: str, value: object) -> None:
        if getattr(self, "_sealed", False):
            raise AttributeError(f"an EventStudy is immutable; cannot set {name!r}")
        object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        return (
            f"EventStudy({len(self.events)} events, {self._returns.shape[1]} tickers, "
            f"model={self.model.name!r}, window={self.settings.window}, estimation={self.settings.estimation})"
        )

    def fit(self, *, workers: int | None = None) -> EventStudyResults:
        """Estimate every event at once.

        Parameters
        ----------
        workers : int, optional
            Threads of the kernel; by default the number of cores. The numbers do
            not depend on it.

        Returns
        -------
        EventStudyResults

        Raises
        ------
        ParameterError
            For a number of threads below one.

        Warns
        -----
        ResearchWarning
            When events have fewer than three other announcements known in their
            estimation window, since the cut then cannot do its work; when the likelihood
            of a GARCH model found no maximum for some.
        """
        fitted = Fitter(
            events=self.events,
            known=self.known_announcements,
            returns=self._returns,
            raw=self._raw,
            series=self._series,
            market_name=self.market_name,
            model=self.model,
            calendar=self._calendar,
            settings=self.settings,
            workers=None if workers is None else whole_number("workers", workers, 1),
        ).run()
        self._warn_few_known(fitted)
        self._warn_unconverged(fitted)
        return fitted

    def _warn_few_known(self, results: EventStudyResults) -> None:
        if self.settings.other_announcements != "cut" or not len(results):
            return
        few = int((results.other_announcements() < FEW_KNOWN).sum())
        if few:
            warnings.warn(
                f"{few} of {len(results)} events have fewer than {FEW_KNOWN} other announcements "
                "known in their estimation window, so the cut of own announcements cannot do its work there; "
                "pass known_announcements= with every announcement of these firms",
                ResearchWarning,
                stacklevel=3,
            )

    def _warn_unconverged(self, results: EventStudyResults) -> None:
        if not isinstance(self.model, GarchModel):
            return
        failed = int(results.parameters["omega"].isna().sum())
        if failed:
            warnings.warn(
                f"GARCH estimation did not converge for {failed} of {len(results)} events; "
                "they have no estimates, and the ledger names them",
                ResearchWarning,
                stacklevel=3,
            )
