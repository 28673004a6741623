"""The arrays behind a study's results: the fits of all kinds in input order, and what is read of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from research.errors import ParameterError
from research.study import estimation, neighbours
from research.study.alignment import Alignment
from research.study.neighbours import KindFit
from research.study.ranks import EventArrays
from research.study.settings import Settings

Floats = NDArray[np.float64]

#: Policies for missing days in a window (METHODS 3.6).
MISSING = ("complete", "available")


@dataclass(frozen=True, eq=False, repr=False)
class FittedEvents:
    """Fits of all used events, in the order of the input.

    Attributes
    ----------
    settings : Settings
    model : ExpectedReturnModel
    market_name : str or None
    """

    settings: Settings
    model: Any
    market_name: str | None
    _aligned: Alignment
    _covariates: pd.DataFrame
    _sessions: pd.DatetimeIndex
    _tickers: pd.Index
    _offset: int
    _raw: Floats
    _benchmark: Floats | None
    _parts: tuple[KindFit, ...]

    def __len__(self) -> int:
        return len(self._rows)

    # -- assembly ---------------------------------------------------------------------

    @cached_property
    def _order(self) -> NDArray[np.intp]:
        """Position of each used event in the concatenated parts, in input order."""
        return np.argsort(np.concatenate([part.rows for part in self._parts]), kind="stable")

    @cached_property
    def _rows(self) -> NDArray[np.intp]:
        """Input rows of the used events, ascending."""
        return self._merged([part.rows for part in self._parts])

    def _merged(self, arrays: Sequence[NDArray[Any]]) -> NDArray[Any]:
        """Arrays of the kinds in input order; a single kind is in that order already."""
        return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)[self._order]

    @cached_property
    def _events(self) -> estimation.Events:
        names = ("firm", "day", "owner")
        return estimation.Events(*(self._merged([getattr(p.events, name) for p in self._parts]) for name in names))

    @cached_property
    def _variance(self) -> Floats | None:
        """Forecast variance of each day of the window, for models in which it changes."""
        if self._parts[0].variance is None:
            return None
        return self._merged([np.asarray(part.variance) for part in self._parts])

    @cached_property
    def _fit(self) -> estimation.LinearFit:
        if len(self._parts) == 1:
            return self._parts[0].fit
        names = [name for name in estimation.LinearFit.__dataclass_fields__ if name != "constant"]
        merged = {name: self._merged([getattr(p.fit, name) for p in self._parts]) for name in names}
        return estimation.LinearFit(constant=self._parts[0].fit.constant, **merged)

    @cached_property
    def _abnormal(self) -> Floats:
        return self._merged([part.abnormal for part in self._parts])

    @cached_property
    def _errors(self) -> Floats:
        return self._merged([part.errors for part in self._parts])

    @property
    def _panel(self) -> estimation.Panel:
        """Any kind's panel: they share regressors and differ in the cut days only."""
        return self._parts[0].panel

    @cached_property
    def _table(self) -> pd.DataFrame:
        return self._aligned.table.iloc[self._rows]

    @property
    def relative_days(self) -> NDArray[np.int64]:
        """Relative days of the event window."""
        return np.arange(self.settings.window[0], self.settings.window[1] + 1)

    def reportable(self, window: tuple[int, int]) -> NDArray[np.bool_]:
        """Events whose assumed day zero allows this window (METHODS 1.3).

        A date of unknown hour taken as its own session may have had its reaction
        one session later: only windows with both 0 and +1 hold it for certain.
        """
        allowed = np.ones(len(self), dtype=bool)
        if self.settings.unknown_timing == "same-session" and not window[0] <= 0 < window[1]:
            allowed &= ~self._table["assumed"].to_numpy(dtype=bool)
        return allowed

    def _cumulate(self, window: tuple[int, int], missing: str) -> tuple[Floats, Floats, NDArray[np.int64]]:
        """CAR, its standard error and the days summed; NaN where the policy forbids a number."""
        if missing not in MISSING:
            raise ParameterError("unknown policy", parameter="missing", value=missing, allowed=", ".join(MISSING))
        abnormal = self._abnormal[:, self.window_columns(window)]
        car, factor, n_days = estimation.cumulative(self._panel, self._events, self._fit, abnormal, window)
        if self._panel.weights is not None:
            n_days, reaching = estimation.sessions_spanned(self._panel, self._events, abnormal, window)
            car[reaching] = np.nan
        lost = ~self.reportable(window) | (n_days == 0) | np.isnan(car)
        if missing == "complete":
            lost |= n_days < window[1] - window[0] + 1
        if self._variance is None:
            se = self._fit.sigma * np.sqrt(factor)
        else:
            daily = self._variance[:, self.window_columns(window)]
            se = np.sqrt(np.where(np.isnan(abnormal), 0.0, daily).sum(axis=1))
        car[lost] = np.nan
        se[lost] = np.nan
        return car, se, n_days

    # -- what the tests read ------------------------------------------------------------------

    def cumulate(self, window: tuple[int, int]) -> tuple[Floats, Floats]:
        """CAR and its standard error of each event under the ``complete`` policy; shape (n_events,)."""
        return self._cumulate(window, "complete")[:2]

    @property
    def degrees_of_freedom(self) -> Floats:
        """``M - k`` of each event; shape (n_events,)."""
        return self._fit.degrees_of_freedom.astype(np.float64)

    @cached_property
    def grid_day(self) -> NDArray[np.int64]:
        """Position of each day zero among the sessions of the grid; shape (n_events,)."""
        return self._events.day - self._offset

    def window_columns(self, window: tuple[int, int]) -> slice:
        """Columns of a window within the event window."""
        return slice(window[0] - self.settings.window[0], window[1] - self.settings.window[0] + 1)

    def standardised(self, window: tuple[int, int], rows: NDArray[np.intp]) -> Floats:
        """Daily standardised abnormal returns of some events; shape (n_rows, L)."""
        columns = self.window_columns(window)
        return ratio(self._abnormal[rows, columns], self._errors[rows, columns])

    def read_residuals(self, rows: NDArray[np.intp]) -> Floats:
        """Residuals of the estimation windows of some events; NaN on unused days."""
        window = self.settings.estimation
        if len(self._parts) == 1:
            part = self._parts[0]
            return estimation.residuals(part.panel, part.events.part(rows), estimation.select(part.fit, rows), window)
        out = np.empty((len(rows), window[1] - window[0] + 1))
        for part, mine, own in self._by_kind(rows):
            out[mine] = estimation.residuals(
                part.panel, part.events.part(own), estimation.select(part.fit, own), window
            )
        return out

    def _by_kind(self, rows: NDArray[np.intp]) -> Iterator[tuple[KindFit, NDArray[np.intp], NDArray[np.intp]]]:
        """Each kind's fit, the positions among ``rows`` of the events it holds, and their rows in it."""
        for code, part in enumerate(self._parts):
            mine = np.flatnonzero(self._homes[0][rows] == code)
            yield part, mine, self._homes[1][rows[mine]]

    def estimation_data(self, rows: NDArray[np.intp]) -> tuple[Floats, Floats]:
        """What the regressions of some events were run on.

        Parameters
        ----------
        rows : ndarray of int, shape (n_rows,)
            Positions among the used events.

        Returns
        -------
        y : ndarray of shape (n_rows, M)
            Return minus the model's offset over the estimation window; NaN on unused days.
        X : ndarray of shape (n_rows, M, k)
            Regressors, the constant first where the model has one.
        """
        window = self.settings.estimation
        return self._stacked(rows, window, estimation.estimation_returns)

    def event_data(self, rows: NDArray[np.intp], window: tuple[int, int]) -> tuple[Floats, Floats]:
        """The same as :meth:`estimation_data` over a window of the event window, nothing cut."""

        def returns(panel: estimation.Panel, events: estimation.Events, window: tuple[int, int]) -> Floats:
            return estimation.gather(panel.y, events.firm, events.day + window[0], window[1] - window[0] + 1)

        return self._stacked(rows, window, returns)

    @property
    def shares_regressors(self) -> bool:
        """Whether events of one day zero have the same regressors, unweighted: no model of each firm's own."""
        return all(part.panel.regressors.ndim == 2 and part.panel.weights is None for part in self._parts)

    def _stacked(
        self,
        rows: NDArray[np.intp],
        window: tuple[int, int],
        read: Callable[[estimation.Panel, estimation.Events, tuple[int, int]], Floats],
    ) -> tuple[Floats, Floats]:
        length = window[1] - window[0] + 1
        y, X = np.empty((len(rows), length)), np.ones((len(rows), length, self._panel.n_coefficients))
        for part, mine, own in self._by_kind(rows):
            events = part.events.part(own)
            y[mine] = read(part.panel, events, window)
            X[mine, :, int(part.panel.constant) :] = estimation.event_regressors(part.panel, events, window)
        return y, X

    def event_arrays(self, rows: NDArray[np.intp]) -> EventArrays:
        """Abnormal returns, standard errors and sigma of some events."""
        return EventArrays(self._abnormal[rows], self._errors[rows], self._fit.sigma[rows])

    def volume_panels(
        self, log_volume: pd.DataFrame
    ) -> Iterator[tuple[NDArray[np.intp], estimation.Panel, estimation.Events]]:
        """Panels of log volume with the same cut days, and the used events they hold, kind by kind."""
        aligned = log_volume.reindex(index=self._sessions, columns=self._tickers).to_numpy().T
        y = np.full(self._raw.shape, np.nan)
        y[:, self._offset : self._offset + len(self._sessions)] = aligned
        for code, part in enumerate(self._parts):
            panel = estimation.Panel(y, np.zeros((0, self._raw.shape[1])), constant=True, cut=part.panel.cut)
            events = estimation.Events(part.firm, part.events.day, owner=part.firm)
            yield np.flatnonzero(self._homes[0] == code), panel, events

    def home(self, i: int) -> tuple[KindFit, NDArray[np.intp]]:
        """The kind's fit that holds a used event, and the event's row in it."""
        return self._parts[self._homes[0][i]], self._homes[1][[i]]

    def returns_of(self, i: int, days: NDArray[np.int64]) -> tuple[pd.DatetimeIndex, Floats]:
        """Sessions and returns of a used event's firm on relative days; NaT and NaN outside the data."""
        columns = self._events.day[i] + days
        position = columns - self._offset
        inside = (position >= 0) & (position < len(self._sessions))
        labels = self._sessions[np.clip(position, 0, len(self._sessions) - 1)].where(inside)
        return labels, self._raw[self.firms[i], columns]

    def held_returns(self, window: tuple[int, int]) -> Floats:
        """Returns of the event firms over a window; shape (n_events, L)."""
        first = self._events.day + window[0]
        return estimation.gather(self._raw, self.firms, first, window[1] - window[0] + 1)

    def market_held(self, window: tuple[int, int]) -> Floats | None:
        """Market returns over the same days; None without a market."""
        if self._benchmark is None:
            return None
        first = self._events.day + window[0]
        zeros = np.zeros(len(self), dtype=np.int64)
        return estimation.gather(self._benchmark[None, :], zeros, first, window[1] - window[0] + 1)

    def panel_returns(self, position: int, window: tuple[int, int]) -> Floats:
        """Returns of all firms over a window around a grid position; shape (n_firms, L)."""
        first = position + self._offset + window[0]
        return self._raw[:, first : first + window[1] - window[0] + 1]

    @property
    def firms(self) -> NDArray[np.int64]:
        """Column of each used event's firm among :attr:`tickers`; shape (n_events,)."""
        return self._events.owner

    @property
    def tickers(self) -> list[str]:
        """Columns of the returns."""
        return [str(name) for name in self._tickers]

    @property
    def sessions(self) -> pd.DatetimeIndex:
        """Sessions of the grid, which :attr:`grid_day` counts."""
        return self._sessions

    @property
    def announced(self) -> pd.DataFrame:
        """Every announcement given, used or not, with its covariates, in the order of the input; a copy."""
        return self._covariates.copy()

    def last_return_day(self) -> NDArray[np.int64]:
        """Grid position of the last return of each used event's firm; shape (n_events,)."""
        firms, place = np.unique(self.firms, return_inverse=True)
        present = ~np.isnan(self._raw[firms, self._offset : self._offset + len(self._sessions)])
        return (present.shape[1] - 1 - present[:, ::-1].argmax(axis=1))[place].astype(np.int64)

    def next_announcement(self) -> Floats:
        """Relative day of the firm's next known announcement of the same kind; NaN where none is known."""
        return self._merged([neighbours.next_known(part, len(self._sessions), self._offset) for part in self._parts])

    @cached_property
    def _homes(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """For each used event the kind's part that holds it, and its row there."""
        lengths = [len(part.rows) for part in self._parts]
        codes = self._merged([np.full(n, code) for code, n in enumerate(lengths)])
        return codes, self._merged([np.arange(n) for n in lengths])

    def market_return(self, session: pd.Timestamp) -> float:
        """Market return on a session of the grid; NaN without a market."""
        if self._benchmark is None:
            return float("nan")
        return float(self._benchmark[self._offset + self._sessions.get_loc(session)])


def ratio(value: Floats, scale: Floats) -> Floats:
    """``value / scale``, NaN where the scale is zero or missing."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(scale > 0, value / scale, np.nan)
