"""One run of a study: padding, one kernel call a kind of news, exclusions, assembly."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from research.events.announcements import Announcements
from research.events.calendar import TradingCalendar
from research.study import alignment, corrections, estimation, garch, peers, thin_trading
from research.study.models import Design, ExpectedReturnModel, GarchModel, MatchedModel, Series, TradeToTradeModel
from research.study.neighbours import KindFit
from research.study.results import EventStudyResults
from research.study.settings import Settings

Floats = NDArray[np.float64]

#: What the ledger says of events that are used, but whose likelihood found no maximum.
UNCONVERGED = "GARCH estimation did not converge: no estimates"


@dataclass(frozen=True)
class Known:
    """Every known announcement of one kind on the grid.

    Attributes
    ----------
    firm, day : ndarray of int64
        Sorted by firm, then day.
    shape : (int, int)
        Firms and sessions.
    """

    firm: NDArray[np.int64]
    day: NDArray[np.int64]
    shape: tuple[int, int]

    @cached_property
    def counts(self) -> NDArray[np.int8]:
        """How many of them claim a session for their days -1 to +1; shape (n_firms, n_sessions)."""
        return alignment.cut_counts(self.firm, self.day, *self.shape)


def padded(values: Floats, padding: tuple[int, int]) -> Floats:
    """A copy of the values with columns of NaN before and after those of the last axis."""
    left, right = padding
    end = left + values.shape[-1]
    out = np.empty((*values.shape[:-1], end + right))
    out[..., :left] = out[..., end:] = np.nan
    out[..., left:end] = values
    return out


@dataclass(frozen=True)
class Fitter:
    """Checked inputs of a study, and the steps from them to its results.

    Attributes
    ----------
    returns : DataFrame, sessions x tickers
    raw : ndarray of shape (n_firms, n_columns)
        The same, firm-major and padded as the settings say.
    """

    events: Announcements
    known: Announcements
    returns: pd.DataFrame
    raw: Floats
    series: Series
    market_name: str | None
    model: ExpectedReturnModel
    calendar: TradingCalendar
    settings: Settings
    workers: int | None = None

    def run(self) -> EventStudyResults:
        """Estimate kind by kind, exclude what cannot be estimated, assemble in input order."""
        aligned = alignment.align(
            self.events,
            self.series.sessions,
            self.returns,
            self.design.complete(),
            self.calendar,
            self.settings.unknown_timing,
        )
        rows = aligned.candidates
        kinds = aligned.table["kind"].to_numpy()[rows]
        # Without any candidate the tables are empty but have their columns.
        names = pd.unique(kinds) if len(rows) else ["earnings"]
        parts = tuple(self._fit_kind(aligned, rows[kinds == kind], str(kind)) for kind in names)
        market = self.series.market
        return EventStudyResults(
            settings=self.settings,
            model=self.model,
            market_name=self.market_name,
            _aligned=aligned,
            _covariates=self.events.frame,
            _sessions=self.series.sessions,
            _tickers=self.returns.columns,
            _offset=self.left,
            _raw=self.raw,
            _benchmark=None if market is None else self._pad(market[None, :])[0],
            _parts=parts,
        )

    # -- arrays on the padded grid ---------------------------------------------------------

    @cached_property
    def design(self) -> Design:
        """What the model asks for."""
        return self.model.design(self.series)

    @property
    def left(self) -> int:
        """Columns before the first session."""
        return self.settings.padding[0]

    def _pad(self, values: Floats) -> Floats:
        return padded(values, self.settings.padding)

    def _inside(self, padded: Floats) -> Floats:
        """The sessions of a padded array, as a view."""
        return padded[..., self.left : self.left + len(self.series.sessions)]

    @cached_property
    def _known_by_kind(self) -> dict[str, Known]:
        return {}

    def _known(self, kind: str) -> Known:
        if kind not in self._known_by_kind:
            firm, day = alignment.known_days(
                self.known, kind, self.series.sessions, self.returns.columns, self.calendar
            )
            self._known_by_kind[kind] = Known(firm, day, self.returns.shape[::-1])
        return self._known_by_kind[kind]

    # -- one kind ------------------------------------------------------------------------------

    def _panel(self, firm: NDArray[np.int64], day: NDArray[np.int64], known: Known) -> estimation.Panel:
        """The model's variables; rows are firms, or events where every event has its own benchmark."""
        cut = self._cut(known)
        if isinstance(self.model, MatchedModel):
            codes = peers.group_codes(list(self.returns.columns), self.model.groups)
            own = peers.difference(self.returns.to_numpy().T, codes, known.counts, firm, day)
            return self._with_cut(self._pad(own), np.empty((0, self.raw.shape[1])), cut)
        if isinstance(self.model, TradeToTradeModel):
            market = self.series.need_market(self.model.name)
            y, regressors, weights = thin_trading.weighted(self.returns.to_numpy().T, market, self.model.max_gap)
            y[np.isnan(regressors).any(axis=0)] = np.nan
            panel = self._with_cut(self._pad(y), self._pad(regressors), cut)
            return replace(panel, weights=self._pad(weights))
        panel = self._with_cut(self._excess(), self._pad(self.design.regressors), cut)
        if corrections.needs_neighbours(self.model):
            panel = corrections.with_neighbours(panel, self._market_with_lag())
        return panel

    def _excess(self) -> Floats:
        """Return minus offset, NaN where any series of the model is missing; ``raw`` itself if equal."""
        complete, offset = self.design.complete(), self.design.offset
        if complete.all() and offset is None:
            return self.raw
        y = self.raw.copy()
        inside = self._inside(y)
        if offset is not None:
            inside -= offset
        inside[:, ~complete] = np.nan
        return y

    def _cut(self, known: Known) -> estimation.Cut | None:
        """What the estimation windows leave out, on the padded grid."""
        if self.settings.other_announcements != "cut":
            return None
        stride = self.raw.shape[1] + 1
        return estimation.Cut(known.firm * stride + known.day + self.left, stride, alignment.CUT)

    def _with_cut(self, y: Floats, regressors: Floats, cut: estimation.Cut | None) -> estimation.Panel:
        return estimation.Panel(y, np.nan_to_num(regressors, nan=0.0), self.design.constant, cut=cut)

    def _fit_kind(self, aligned: alignment.Alignment, rows: NDArray[np.intp], kind: str) -> KindFit:
        """Kernel input and output for the events of one kind."""
        firm, day, known = aligned.firm[rows], aligned.day[rows], self._known(kind)
        panel = self._panel(firm, day, known)
        row = np.arange(len(rows)) if isinstance(self.model, MatchedModel) else firm
        events = estimation.Events(row, day + self.left, owner=firm)
        fit = estimation.fit_linear(panel, events, self.settings.estimation, self.workers)
        kept = self._exclude_unusable(aligned, rows, panel, events, fit)
        events, fit = events.part(kept), estimation.select(fit, kept)
        part = KindFit(kind, rows[kept], panel, events, fit, (known.firm, known.day))
        return self._with_errors(self._corrected(aligned, part))

    def _corrected(self, aligned: alignment.Alignment, part: KindFit) -> KindFit:
        """The model's own estimates where they are not the least-squares ones."""
        if isinstance(self.model, GarchModel):
            return self._with_garch(aligned, part)
        if not self.model.needs_market or not len(self.design.regressors):
            return part
        fit = corrections.corrected(
            self.model,
            part.panel,
            part.events,
            self.settings.estimation,
            part.fit,
            self._market_with_lag(),
            self.workers,
        )
        return replace(part, fit=fit)

    def _market_with_lag(self) -> Floats:
        """The padded market return, with the session before the grid where it is known."""
        market = self._pad(self.design.regressors)[0]
        if self.left:
            market[self.left - 1] = self.series.market_before
        return market

    def _with_errors(self, part: KindFit) -> KindFit:
        """Abnormal returns and their standard errors over the event window."""
        abnormal, errors = estimation.abnormal_returns(
            part.panel, part.events, part.fit, self.settings.window, self.workers
        )
        if part.variance is not None:
            errors = np.where(np.isnan(abnormal), np.nan, np.sqrt(part.variance))
        return replace(part, abnormal=abnormal, errors=errors)

    def _with_garch(self, aligned: alignment.Alignment, part: KindFit) -> KindFit:
        """Maximum-likelihood estimates, event by event, and forecast variances; a remark where there are none."""
        (first, last), (start, end) = self.settings.window, self.settings.estimation
        ahead = np.arange(first, last + 1) - end
        y = estimation.estimation_returns(part.panel, part.events, (start, end))
        x = estimation.event_regressors(part.panel, part.events, (start, end))[:, :, 0]
        fits = [garch.fit(own[~np.isnan(own)], market[~np.isnan(own)], ahead) for own, market in zip(y, x, strict=True)]
        failed = np.array([not one.converged for one in fits], dtype=bool)
        aligned.remark(part.rows[failed], UNCONVERGED)
        columns = {
            name: np.array([getattr(one, name) if one.converged else np.nan for one in fits])
            for name in ("alpha", "beta", "omega", "a", "b")
        }
        variance = np.array([one.variance if one.converged else np.full(len(ahead), np.nan) for one in fits])
        fit = replace(part.fit, intercept=columns["alpha"], slopes=columns["beta"][:, None])
        extra = {name: columns[name] for name in ("omega", "a", "b")}
        return replace(part, fit=fit, variance=variance.reshape(len(fits), len(ahead)), extra=extra)

    def _exclude_unusable(
        self,
        aligned: alignment.Alignment,
        rows: NDArray[np.intp],
        panel: estimation.Panel,
        events: estimation.Events,
        fit: estimation.LinearFit,
    ) -> NDArray[np.intp]:
        """Note events without a benchmark or a usable estimation window in the ledger; positions of the rest."""
        none = np.isnan(panel.y[events.firm, events.day])
        short = ~none & (fit.n_observations < self.settings.min_observations)
        flat = ~none & ~short & fit.collinear
        required = self.settings.min_observations
        texts = [f"{n} usable estimation days, {required} required" for n in fit.n_observations[short]]
        aligned.exclude(rows[none], "missing-market", "no benchmark return on day zero")
        aligned.exclude(rows[short], "short-estimation", texts)
        aligned.exclude(
            rows[flat],
            "missing-market",
            "the market or factor returns do not vary, or repeat each other, in the estimation window",
        )
        return np.flatnonzero(~none & ~short & ~flat)
