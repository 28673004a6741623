"""Results of a study: frozen arrays, and the tidy tables derived from them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from research.errors import NotFoundError, ParameterError, in_words
from research.study import estimation, inference, neighbours, testing, yardsticks
from research.study.alignment import REASONS, Alignment
from research.study.neighbours import KindFit
from research.study.settings import Settings, relative_window

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from research.study.summary import Summary

Floats = NDArray[np.float64]

#: Policies for missing days in a window (METHODS 3.6).
MISSING = ("complete", "available")


@dataclass(frozen=True, eq=False, repr=False)
class EventStudyResults:
    """What :meth:`EventStudy.fit` returns.

    Tables have one row per used event, in the order of the input, with the index
    ``(ticker, day_zero)``; where two kinds of news share a day zero the index has
    the level ``kind`` as well.

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
    _offset: int
    _raw: Floats
    _benchmark: Floats | None
    _parts: tuple[KindFit, ...]

    def __repr__(self) -> str:
        return (
            f"EventStudyResults({len(self._rows)} of {len(self._aligned.table)} events used, "
            f"model={self.model.name!r}, window={self.settings.window})"
        )

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
        names = ("firm", "day", "keep_own")
        return estimation.Events(*(self._merged([getattr(p.events, name) for p in self._parts]) for name in names))

    @cached_property
    def _firm(self) -> NDArray[np.int64]:
        """Column of the returns of each used event."""
        return self._merged([part.firm for part in self._parts])

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

    @cached_property
    def index(self) -> pd.MultiIndex:
        """Index of the per-event tables."""
        columns = ["ticker", "day_zero"]
        if self._table.duplicated(columns).any():
            columns.append("kind")
        return pd.MultiIndex.from_frame(self._table[columns])

    @property
    def relative_days(self) -> NDArray[np.int64]:
        """Relative days of the event window."""
        return np.arange(self.settings.window[0], self.settings.window[1] + 1)

    # -- tables -------------------------------------------------------------------------

    @property
    def ledger(self) -> pd.DataFrame:
        """One row per input event, in input order: used + excluded = input.

        Columns ``event_id, ticker, kind, announced_at, timing, day_zero, status``
        (``used`` or ``excluded``), ``reason, detail``.
        """
        table = self._aligned.table.drop(columns="assumed").copy()
        status = np.where(table["reason"] == "", "used", "excluded").astype(object)
        table.insert(table.columns.get_loc("reason"), "status", status)
        return table

    @property
    def exclusions(self) -> pd.Series:
        """Number of excluded events per reason, largest first."""
        reasons = self._aligned.table["reason"]
        return reasons[reasons != ""].value_counts().rename("events")

    @cached_property
    def events(self) -> pd.DataFrame:
        """The used announcements with all their covariates, indexed like the other tables."""
        frame = self._covariates.iloc[self._rows].copy()
        frame["timing"] = self._table["timing"].to_numpy()
        frame["day_zero"] = self._table["day_zero"].to_numpy()
        return frame.set_index(self.index)

    @property
    def abnormal_returns(self) -> pd.DataFrame:
        """Abnormal returns in decimals, events x relative days; NaN where the return is missing."""
        return self._by_day(self._abnormal)

    @property
    def standard_errors(self) -> pd.DataFrame:
        """Forecast-error corrected standard errors of the abnormal returns, same shape."""
        return self._by_day(self._errors)

    def _by_day(self, values: Floats) -> pd.DataFrame:
        days = pd.Index(self.relative_days, name="relative_day")
        return pd.DataFrame(values.copy(), index=self.index, columns=days)

    @property
    def parameters(self) -> pd.DataFrame:
        """Estimates per event: ``alpha``, slopes, ``sigma``, ``n_observations``, ``r_squared``.

        ``alpha`` and the slopes are there only if the model estimates them.
        """
        fit = self._fit
        columns: dict[str, Any] = {"alpha": fit.intercept} if fit.constant else {}
        columns |= {name: fit.slopes[:, j] for j, name in enumerate(self._slope_names)}
        extra = self._parts[0].extra
        columns |= {name: self._merged([part.extra[name] for part in self._parts]) for name in extra}
        columns |= {"sigma": fit.sigma, "n_observations": fit.n_observations, "r_squared": fit.r_squared}
        return pd.DataFrame(columns, index=self.index)

    @property
    def _slope_names(self) -> tuple[str, ...]:
        return self.model.slope_names

    @cached_property
    def diagnostics(self) -> pd.DataFrame:
        """The estimation window of each event and what was cut from it.

        Columns ``estimation_start, estimation_end`` (sessions; the window's ends, moved
        to the data's where it begins earlier), ``n_observations``, ``n_cut`` (days with a
        return that were cut as a neighbourhood of another announcement), ``n_missing``
        (other days of the window without a complete row), ``n_other_announcements``
        (known ones whose day zero lies in the window) and ``other_in_window`` (relative
        days of other announcements inside the event window, comma-separated).
        """
        start, end = self.settings.estimation
        day = self.grid_day
        last = len(self._sessions) - 1
        cut = self._merged([neighbours.days_cut(part, start, end) for part in self._parts])
        counts = [neighbours.count(part, self._sessions, self._offset, start, end) for part in self._parts]
        inside = [
            neighbours.days_inside(part, self._sessions, self._offset, self.settings.window) for part in self._parts
        ]
        return pd.DataFrame(
            {
                "estimation_start": self._sessions[np.clip(day + start, 0, last)],
                "estimation_end": self._sessions[np.clip(day + end, 0, last)],
                "n_observations": self._fit.n_observations,
                "n_cut": cut,
                "n_missing": end - start + 1 - cut - self._fit.n_observations,
                "n_other_announcements": self._merged(counts),
                "other_in_window": self._merged(inside),
            },
            index=self.index,
        )

    def other_announcements(self) -> NDArray[np.int64]:
        """Known other announcements inside each event's estimation window; shape (n_events,)."""
        start, end = self.settings.estimation
        return self._merged([neighbours.count(part, self._sessions, self._offset, start, end) for part in self._parts])

    def market_return(self, session: pd.Timestamp) -> float:
        """Market return on a session of the grid; NaN without a market."""
        if self._benchmark is None:
            return float("nan")
        return float(self._benchmark[self._offset + self._sessions.get_loc(session)])

    # -- windows ------------------------------------------------------------------------

    def _check_window(self, start: int, end: int) -> tuple[int, int]:
        window = relative_window("window", (start, end))
        if window[0] < self.settings.window[0] or window[1] > self.settings.window[1]:
            raise ParameterError(
                "the window reaches outside the fitted event window",
                parameter="window",
                value=window,
                allowed=f"relative days {self.settings.window[0]} to {self.settings.window[1]}",
                remedy="Fit the study with a wider window=.",
            )
        return window

    def _reportable(self, window: tuple[int, int]) -> NDArray[np.bool_]:
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
        lost = ~self._reportable(window) | (n_days == 0) | np.isnan(car)
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

    def car(self, start: int, end: int, *, missing: str = "complete") -> pd.DataFrame:
        """Cumulative abnormal return of each event, with the full forecast-error variance.

        Parameters
        ----------
        start, end : int
            First and last relative day, inside the fitted window.
        missing : {"complete", "available"}
            ``complete``: NaN if any day is missing. ``available``: the sum, and the
            variance, over the days present (``n_days``). Nothing is ever zero-filled.

        Returns
        -------
        DataFrame
            ``car, se, t, df, p_value, n_days``; ``t = car / se`` is distributed t(M - k)
            under normality (METHODS 3.4, 4.1). ``t`` is NaN where ``se`` is 0.
        """
        window = self._check_window(start, end)
        car, se, n_days = self._cumulate(window, missing)
        df = self._fit.degrees_of_freedom.astype(np.float64)
        t = _ratio(car, se)
        columns = {
            "car": car,
            "se": se,
            "t": t,
            "df": df,
            "p_value": 2 * stats.t.sf(np.abs(t), df),
            "n_days": n_days,
        }
        return pd.DataFrame(columns, index=self.index)

    def bhar(self, start: int, end: int) -> pd.DataFrame:
        r"""Buy-and-hold abnormal return against the market return.

        .. math::  BHAR_i = \prod_{t \in W}(1 + R_{it}) - \prod_{t \in W}(1 + R_{mt})

        Returns
        -------
        DataFrame
            ``bhar, buy_and_hold, benchmark`` (both as returns) and ``n_days``; NaN if a day
            is missing. Source: Barber and Lyon (1997, JFE 43).

        Raises
        ------
        ParameterError
            If the study has no market return.
        """
        window = self._check_window(start, end)
        if self._benchmark is None:
            raise ParameterError(
                "a buy-and-hold abnormal return needs a benchmark",
                parameter="market",
                remedy="Give EventStudy market= a Series of simple returns.",
            )
        length = window[1] - window[0] + 1
        first = self._events.day + window[0]
        held = estimation.gather(self._raw, self._firm, first, length)
        market = estimation.gather(self._benchmark[None, :], np.zeros(len(self), dtype=np.int64), first, length)
        n_days = (~np.isnan(held + market)).sum(axis=1)
        own = np.prod(1 + held, axis=1) - 1
        benchmark = np.prod(1 + market, axis=1) - 1
        lost = ~self._reportable(window) | (n_days < length)
        own[lost] = benchmark[lost] = np.nan
        columns = {"bhar": own - benchmark, "buy_and_hold": own, "benchmark": benchmark, "n_days": n_days}
        return pd.DataFrame(columns, index=self.index)

    def path(self, event: int | str = 0, *, confidence: float = 0.95) -> pd.DataFrame:
        """Abnormal return and running CAR of one event, with confidence limits.

        Parameters
        ----------
        event : int or str
            Position among the used events, or an ``event_id``.
        confidence : float
            Coverage of the limits, from t(M - k).

        Returns
        -------
        DataFrame indexed by relative day
            ``session, return, ar, ar_se, ar_low, ar_high, car, car_se, car_low, car_high``.
            The running CAR starts on the window's first day; NaN from the first missing day on.
        """
        i = self.locate(event)
        rows = np.array([i])
        one, fit = self._events.part(rows), estimation.select(self._fit, rows)
        ar, ar_se = self._abnormal[i], self._errors[i]
        running = np.array([self._running(one, fit, ar[: n + 1]) for n in range(len(ar))])
        if self._variance is not None:
            running[:, 1] = np.where(np.isnan(running[:, 0]), np.nan, np.sqrt(np.cumsum(self._variance[i])))
        quantile = stats.t.ppf((1 + confidence) / 2, float(fit.degrees_of_freedom[0]))
        columns = one.day[0] + self.relative_days
        position = columns - self._offset
        inside = (position >= 0) & (position < len(self._sessions))
        table = pd.DataFrame(index=pd.Index(self.relative_days, name="relative_day"))
        table["session"] = self._sessions[np.clip(position, 0, len(self._sessions) - 1)]
        table.loc[~inside, "session"] = pd.NaT
        table["return"] = self._raw[self._firm[i], columns]
        for name, value, se in (("ar", ar, ar_se), ("car", running[:, 0], running[:, 1])):
            table[name], table[f"{name}_se"] = value, se
            table[f"{name}_low"], table[f"{name}_high"] = value - quantile * se, value + quantile * se
        return table

    def _running(self, one: estimation.Events, fit: estimation.LinearFit, ar: Floats) -> tuple[float, float]:
        """CAR from the window's first day over ``ar`` and its standard error; NaN with a gap."""
        start = self.settings.window[0]
        window = (start, start + len(ar) - 1)
        car, factor, n_days = estimation.cumulative(self._panel, one, fit, ar[None, :], window)
        if n_days[0] < len(ar):
            return np.nan, np.nan
        return float(car[0]), float(fit.sigma[0] * np.sqrt(factor[0]))

    def estimation_path(self, event: int | str = 0) -> pd.DataFrame:
        """Estimation window of one event, day by day.

        Returns
        -------
        DataFrame indexed by session
            ``return``, ``residual`` (NaN on days that were not used) and ``cut`` (true on
            days cut as the neighbourhood of another announcement).
        """
        i = self.locate(event)
        start, end = self.settings.estimation
        part, row = self._parts[self._homes[0][i]], self._homes[1][[i]]
        one, fit = part.events.part(row), estimation.select(part.fit, row)
        columns = one.day[0] + np.arange(start, end + 1)
        residual = estimation.residuals(part.panel, one, fit, self.settings.estimation)[0]
        raw = self._raw[self._firm[i], columns]
        position = columns - self._offset
        inside = (position >= 0) & (position < len(self._sessions))
        cut = np.isnan(residual) & ~np.isnan(part.panel.y[one.firm[0], columns])
        table = pd.DataFrame({"return": raw, "residual": residual, "cut": cut})[inside]
        return table.set_index(self._sessions[position[inside]].rename("session"))

    def locate(self, event: int | str) -> int:
        """Position of an event among the used ones.

        Raises
        ------
        NotFoundError
            For an event that was excluded, with the ledger's reason, or never given.
        """
        if isinstance(event, str):
            found = np.flatnonzero((self._table["event_id"] == event).to_numpy())
            if not len(found):
                self._refuse(event)
            return int(found[0])
        if not -len(self) <= event < len(self):
            raise NotFoundError(f"there are {len(self)} used events", parameter="event", value=event)
        return event % len(self)

    def _refuse(self, event_id: str) -> None:
        """Say why an event is not among the used ones."""
        table = self._aligned.table
        excluded = table[(table["event_id"] == event_id) & (table["reason"] != "")]
        if len(excluded):
            row = excluded.iloc[0]
            raise NotFoundError(
                f"{event_id} could not be studied: {row['reason']} ({row['detail'] or REASONS[row['reason']]})",
                parameter="event",
                remedy="The ledger has the reason for every event that was left out.",
            )
        raise NotFoundError(
            "no event has this id", parameter="event", value=event_id, allowed=in_words(table["event_id"], 10)
        )

    # -- across events ---------------------------------------------------------------------

    def average(self, *, confidence: float = 0.95) -> pd.DataFrame:
        """Average abnormal return per relative day and its running sum.

        Returns
        -------
        DataFrame indexed by relative day
            ``aar, aar_se, aar_low, aar_high, n_events`` over the events with that day, and
            ``caar, caar_se, caar_low, caar_high, n_events_caar`` over the events complete
            from the window's first day on. Standard errors are cross-sectional
            (sd with divisor N-1, over sqrt N), limits from t(N - 1): they assume
            independent events. NaN for fewer than two events.
        """
        reportable = self._reportable(self.settings.window)
        abnormal = self._abnormal[reportable]
        columns: dict[str, NDArray[Any]] = {}
        for prefix, values in (("aar", abnormal), ("caar", np.cumsum(abnormal, axis=1))):
            n, mean, se = _column_means(values)
            with np.errstate(invalid="ignore"):
                half = stats.t.ppf((1 + confidence) / 2, n - 1) * se
            columns |= {
                prefix: mean,
                f"{prefix}_se": se,
                f"{prefix}_low": mean - half,
                f"{prefix}_high": mean + half,
            }
            columns["n_events" if prefix == "aar" else "n_events_caar"] = n
        return pd.DataFrame(columns, index=pd.Index(self.relative_days, name="relative_day"))

    def test(
        self,
        windows: Iterable[tuple[int, int]] | tuple[int, int] = ((0, 1),),
        tests: str | Iterable[str] = "default",
        by: str | None = None,
        seed: int = 0,
        draws: int = 9999,
    ) -> pd.DataFrame:
        """Test statistics across events, one row per window and test.

        Parameters
        ----------
        windows : iterable of (int, int)
            Windows inside the fitted one; days missing in a window drop the event from it.
        tests : "default", "all", a name or a list of names
            See :data:`research.study.inference.TEST_NAMES` (METHODS 9). The headline is
            ``adjusted_bmp_t``.
        by : str, optional
            A covariate of the announcements: the tests for each of its values, and, where it
            has two, tests of their difference. Events without a value are in no group.
        seed, draws : int
            Of the bootstraps; results do not depend on the order of the input.

        Returns
        -------
        DataFrame
            ``window, test, statistic, df, p_value, n_events, null, distribution,
            definition, note``, with ``group`` first where ``by`` is given. Undefined
            statistics are NaN with a note.
        """
        for name, value, least in (("seed", seed, 0), ("draws", draws, 1)):
            if not isinstance(value, int | np.integer) or value < least:
                raise ParameterError("not a number", parameter=name, value=value, allowed=f"an integer from {least}")
        return testing.test_table(self, self._windows(windows), inference.resolve_tests(tests), by, seed, draws)

    def _windows(self, windows: Any) -> list[tuple[int, int]]:
        """A list of checked windows from a list or a single pair."""
        listed = list(windows)
        if len(listed) == 2 and all(isinstance(day, int | np.integer) for day in listed):
            listed = [tuple(listed)]
        return [self._check_window(*relative_window("windows", window)) for window in listed]

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
        return _ratio(self._abnormal[rows, columns], self._errors[rows, columns])

    def read_residuals(self, rows: NDArray[np.intp]) -> Floats:
        """Residuals of the estimation windows of some events; NaN on unused days."""
        window = self.settings.estimation
        if len(self._parts) == 1:
            part = self._parts[0]
            return estimation.residuals(part.panel, part.events.part(rows), estimation.select(part.fit, rows), window)
        out = np.empty((len(rows), window[1] - window[0] + 1))
        for code, part in enumerate(self._parts):
            mine = np.flatnonzero(self._homes[0][rows] == code)
            own = self._homes[1][rows[mine]]
            out[mine] = estimation.residuals(
                part.panel, part.events.part(own), estimation.select(part.fit, own), window
            )
        return out

    def read_chunk(self, rows: NDArray[np.intp]) -> tuple[Floats, Floats, Floats, Floats]:
        """Residuals, abnormal returns, sigma and standard errors of some events."""
        return self.read_residuals(rows), self._abnormal[rows], self._fit.sigma[rows], self._errors[rows]

    @cached_property
    def _homes(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """For each used event the kind's part that holds it, and its row there."""
        lengths = [len(part.rows) for part in self._parts]
        codes = self._merged([np.full(n, code) for code, n in enumerate(lengths)])
        return codes, self._merged([np.arange(n) for n in lengths])

    # -- yardsticks -----------------------------------------------------------------------------

    def yardsticks(self, day: int = 0) -> pd.DataFrame:
        r"""One day's abnormal return against ordinary days and against the firm's own event days.

        .. math::  z_E = \frac{AR_{i0}}{\sqrt{\frac 1n \sum_{j<i} AR_{j0}^2}}

        over the *earlier* used events of the same ticker and kind, at least 8
        (METHODS 3.10). On event days nearly every firm fails the ordinary-day test, so
        by itself that test says little.

        Returns
        -------
        DataFrame
            ``ar, se, t, df, p_value`` (ordinary days), ``z_own``, ``rms_own`` (NaN below 8
            earlier days), ``rank_own`` (1 = largest absolute move among the earlier days
            and this one) and ``n_own`` (earlier days).
        """
        ordinary = self.car(day, day).rename(columns={"car": "ar"}).drop(columns="n_days")
        own = yardsticks.own_days(
            ordinary["ar"].to_numpy(), self._table[["ticker", "kind"]], self._table["day_zero"].to_numpy()
        )
        return pd.concat([ordinary, own.set_index(self.index)], axis=1)

    # -- showing ----------------------------------------------------------------------------

    def summary(self, windows: Iterable[tuple[int, int]] | None = None) -> Summary:
        """What was studied, what was left out, and the tests; prints well, shows well in Jupyter."""
        from research.study.summary import Summary

        return Summary.of(self, windows)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Average abnormal returns and their running sum (of a single event: its own path)."""
        from research.reporting import plots  # the one import upwards, kept inside the function

        return plots.event_window(self, ax=ax)


def _ratio(value: Floats, scale: Floats) -> Floats:
    """``value / scale``, NaN where the scale is zero or missing."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(scale > 0, value / scale, np.nan)


def _column_means(values: Floats) -> tuple[NDArray[np.int64], Floats, Floats]:
    """Count, mean and cross-sectional standard error of each column's present values."""
    present = ~np.isnan(values)
    n = present.sum(axis=0)
    filled = np.where(present, values, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.where(n > 0, filled.sum(axis=0) / n, np.nan)
        squares = (np.where(present, values - mean, 0.0) ** 2).sum(axis=0)
        se = np.where(n > 1, np.sqrt(squares / (n - 1) / n), np.nan)
    return n, mean, se
