"""``EventStudy``: every input checked at once, then one batched fit.

The checks come before any arithmetic, so that a study either runs on what was
given or says in one error what is wrong with it.
"""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from research.errors import ParameterError, ResearchWarning
from research.events.announcements import Announcements
from research.events.calendar import TradingCalendar
from research.study import alignment, estimation
from research.study.inputs import as_announcements, check_market, check_returns
from research.study.models import Design, ExpectedReturnModel, resolve_model
from research.study.neighbours import KindFit
from research.study.results import EventStudyResults
from research.study.settings import Settings

Floats = NDArray[np.float64]

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
    """

    def __init__(
        self,
        events: Announcements | pd.DataFrame,
        returns: pd.DataFrame,
        model: str | ExpectedReturnModel = "market",
        market: pd.Series | str | None = None,
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
        self._returns = check_returns(returns, self._calendar)
        self._market = check_market(market, self._returns)
        self.market_name = None if self._market is None else str(self._market.name or "market")
        if self.model.needs_market and self._market is None:
            self.model.design(pd.DatetimeIndex(self._returns.index), None)  # raises its own error

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

        Warns
        -----
        ResearchWarning
            When events have fewer than three other announcements known in their
            estimation window, since the cut then cannot do its work.
        """
        sessions = pd.DatetimeIndex(self._returns.index)
        market = None if self._market is None else self._market.to_numpy()
        design = self.model.design(sessions, market)
        complete = design.complete()
        aligned = alignment.align(
            self.events, sessions, self._returns, complete, self._calendar, self.settings.unknown_timing
        )
        fitted = _Fitter(self, design, complete, aligned, workers).run()
        self._warn_few_known(fitted)
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


class _Fitter:
    """One run of a study: padding, one kernel call a kind, assembly."""

    def __init__(
        self,
        study: EventStudy,
        design: Design,
        complete: NDArray[np.bool_],
        aligned: alignment.Alignment,
        workers: int | None,
    ) -> None:
        self.study, self.design, self.aligned, self.workers = study, design, aligned, workers
        self.settings = study.settings
        self.sessions = pd.DatetimeIndex(study._returns.index)
        self.left = max(0, -self.settings.estimation[0], -self.settings.window[0])
        self.right = max(0, self.settings.window[1], self.settings.estimation[1])
        self.raw = self._pad(study._returns.to_numpy().T)
        self.y = self._excess(complete)
        self.regressors = np.nan_to_num(self._pad(design.regressors), nan=0.0)

    def _pad(self, values: Floats) -> Floats:
        """Values with NaN columns on both sides, so that every window lies inside."""
        padded = np.full((len(values), self.left + values.shape[1] + self.right), np.nan)
        padded[:, self.left : self.left + values.shape[1]] = values
        return padded

    def _excess(self, complete: NDArray[np.bool_]) -> Floats:
        """Return minus offset, NaN where any series of the model is missing; ``raw`` itself if equal."""
        if complete.all() and self.design.offset is None:
            return self.raw
        y = self.raw.copy()
        inside = y[:, self.left : self.left + len(self.sessions)]
        if self.design.offset is not None:
            inside -= self.design.offset
        inside[:, ~complete] = np.nan
        return y

    def run(self) -> EventStudyResults:
        """Estimate kind by kind, exclude what cannot be estimated, assemble in input order."""
        rows = self.aligned.candidates
        kinds = self.aligned.table["kind"].to_numpy()[rows]
        # Without any candidate the tables are empty but have their columns.
        names = pd.unique(kinds) if len(rows) else ["earnings"]
        parts = tuple(self._fit_kind(rows[kinds == kind], str(kind)) for kind in names)
        market = self.study._market
        return EventStudyResults(
            settings=self.settings,
            model=self.study.model,
            market_name=self.study.market_name,
            _aligned=self.aligned,
            _covariates=self.study.events.frame,
            _sessions=self.sessions,
            _offset=self.left,
            _raw=self.raw,
            _benchmark=None if market is None else self._pad(market.to_numpy()[None, :])[0],
            _parts=parts,
        )

    def _fit_kind(self, rows: NDArray[np.intp], kind: str) -> KindFit:
        """Kernel input and output for the events of one kind."""
        firm, day = self.aligned.firm[rows], self.aligned.day[rows]
        known_firm, known_day = alignment.known_days(
            self.study.known_announcements,
            kind,
            self.sessions,
            self.study._returns.columns,
            self.study._calendar,
        )
        y_estimation, keep_own = self.y, np.zeros((len(rows), 3), dtype=bool)
        if self.settings.other_announcements == "cut":
            counts = alignment.cut_counts(known_firm, known_day, *self.study._returns.shape[::-1])
            y_estimation = self.y.copy()
            y_estimation[:, self.left : self.left + len(self.sessions)][counts > 0] = np.nan
            keep_own = self._own_days(firm, day, known_firm, known_day, counts)
        panel = estimation.Panel(self.y, y_estimation, self.regressors, self.design.constant)
        events = estimation.Events(firm, day + self.left, keep_own)
        fit = estimation.fit_linear(panel, events, self.settings.estimation, self.workers)
        kept = self._exclude_unusable(rows, fit)
        events, fit = events.part(kept), estimation.select(fit, kept)
        abnormal, errors = estimation.abnormal_returns(panel, events, fit, self.settings.window, self.workers)
        return KindFit(kind, rows[kept], panel, events, fit, abnormal, errors, (known_firm, known_day))

    @staticmethod
    def _own_days(
        firm: NDArray[np.int64],
        day: NDArray[np.int64],
        known_firm: NDArray[np.int64],
        known_day: NDArray[np.int64],
        counts: NDArray[np.int8],
    ) -> NDArray[np.bool_]:
        """Days -1, 0, +1 that only the event itself claims (it is no *other* announcement)."""
        n_sessions = counts.shape[1]
        own_known = np.isin(firm * n_sessions + day, known_firm * n_sessions + known_day)
        columns = np.clip(day[:, None] + np.array(alignment.CUT), 0, n_sessions - 1)
        return own_known[:, None] & (counts[firm[:, None], columns] == 1)

    def _exclude_unusable(self, rows: NDArray[np.intp], fit: estimation.LinearFit) -> NDArray[np.intp]:
        """Note short or degenerate estimation windows in the ledger; positions of the rest."""
        table = self.aligned.table
        short = fit.n_observations < self.settings.min_observations
        for position in np.flatnonzero(short):
            table.loc[rows[position], ["reason", "detail"]] = [
                "short-estimation",
                f"{fit.n_observations[position]} usable estimation days, {self.settings.min_observations} required",
            ]
        flat = ~short & fit.collinear
        table.loc[rows[flat], ["reason", "detail"]] = [
            "missing-market",
            "the market or factor returns do not vary, or repeat each other, in the estimation window",
        ]
        return np.flatnonzero(~short & ~flat)
