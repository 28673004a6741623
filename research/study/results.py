"""Results of a study: frozen arrays, and the tidy tables derived from them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from research.errors import ExcludedError, NotFoundError, ParameterError, in_words, is_whole, nearest, whole_number
from research.study import averages, buy_and_hold, inference, neighbours, single_event, testing, yardsticks
from research.study.alignment import REASONS, when
from research.study.fitted import FittedEvents, ratio
from research.study.settings import coverage, relative_window

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from research.study.summary import Summary

Floats = NDArray[np.float64]

#: One window, or several.
Windows = Iterable[tuple[int, int]] | tuple[int, int]


@dataclass(frozen=True, eq=False, repr=False)
class EventStudyResults(FittedEvents):
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

    def __repr__(self) -> str:
        return (
            f"EventStudyResults({len(self._rows)} of {len(self._aligned.table)} events used, "
            f"model={self.model.name!r}, window={self.settings.window})"
        )

    @cached_property
    def index(self) -> pd.MultiIndex:
        """Index of the per-event tables."""
        levels = [_level(self._tickers, self.firms), _level(self._sessions, self.grid_day)]
        names = ["ticker", "day_zero"]
        if len(self._parts) > 1 and self._table.duplicated(names).any():
            kinds = pd.Index([part.kind for part in self._parts])
            levels.append(_level(kinds, self._homes[0]))
            names.append("kind")
        return pd.MultiIndex(*zip(*levels, strict=True), names=names, verify_integrity=False)

    # -- tables -------------------------------------------------------------------------

    @property
    def ledger(self) -> pd.DataFrame:
        """One row per input event, in input order: used + excluded = input.

        Columns ``event_id, ticker, kind, announced_at, timing, day_zero, status``
        (``used`` or ``excluded``), ``reason, detail``.
        """
        table = self._aligned.table.drop(columns="assumed")
        table.insert(table.columns.get_loc("timing"), "announced_at", when(self._covariates))
        status = np.where(table["reason"] == "", "used", "excluded").astype(object)
        table.insert(table.columns.get_loc("reason"), "status", status)
        return table

    @property
    def exclusions(self) -> pd.Series:
        """Number of excluded events per reason, largest first."""
        reasons = self._aligned.table["reason"]
        return reasons[reasons != ""].value_counts().rename("events")

    @property
    def events(self) -> pd.DataFrame:
        """The used announcements with all their covariates, indexed like the other tables; a copy."""
        return self._event_table.copy()

    @cached_property
    def _event_table(self) -> pd.DataFrame:
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
        return pd.DataFrame(values, index=self.index, columns=days, copy=True)

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

    @property
    def diagnostics(self) -> pd.DataFrame:
        """The estimation window of each event and what was cut from it.

        Columns ``estimation_start, estimation_end`` (sessions; the window's ends, moved
        to the data's where it begins earlier), ``n_observations``, ``n_cut`` (days with a
        return that were cut as a neighbourhood of another announcement), ``n_missing``
        (other days of the window without a complete row), ``n_other_announcements``
        (known ones whose day zero lies in the window) and ``other_in_window`` (relative
        days of other announcements inside the event window, comma-separated).
        """
        return self._diagnostics.copy()

    @cached_property
    def _diagnostics(self) -> pd.DataFrame:
        start, end = self.settings.estimation
        day, width = self.grid_day, len(self._sessions)
        last = width - 1
        cut = self._merged([neighbours.days_cut(part, start, end) for part in self._parts])
        inside = [neighbours.days_inside(part, width, self._offset, self.settings.window) for part in self._parts]
        return pd.DataFrame(
            {
                "estimation_start": self._sessions[np.clip(day + start, 0, last)],
                "estimation_end": self._sessions[np.clip(day + end, 0, last)],
                "n_observations": self._fit.n_observations,
                "n_cut": cut,
                "n_missing": end - start + 1 - cut - self._fit.n_observations,
                "n_other_announcements": self.other_announcements(),
                "other_in_window": self._merged(inside),
            },
            index=self.index,
        )

    def other_announcements(self) -> NDArray[np.int64]:
        """Known other announcements inside each event's estimation window; shape (n_events,)."""
        start, end = self.settings.estimation
        return self._merged(
            [neighbours.count(part, len(self._sessions), self._offset, start, end) for part in self._parts]
        )

    # -- windows ------------------------------------------------------------------------

    def check_window(self, start: int, end: int) -> tuple[int, int]:
        """A window of relative days inside the fitted one.

        Raises
        ------
        ParameterError
            If it is none, or reaches outside.
        """
        return self._inside(relative_window("window", (start, end)))

    def _inside(self, window: tuple[int, int]) -> tuple[int, int]:
        """The window, if it does not reach outside the fitted one."""
        if window[0] < self.settings.window[0] or window[1] > self.settings.window[1]:
            raise ParameterError(
                "the window reaches outside the fitted event window",
                parameter="window",
                value=window,
                allowed=f"relative days {self.settings.window[0]} to {self.settings.window[1]}",
                remedy="Fit the study with a wider window=.",
            )
        return window

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
        window = self.check_window(start, end)
        car, se, n_days = self._cumulate(window, missing)
        df = self._fit.degrees_of_freedom.astype(np.float64)
        t = ratio(car, se)
        columns = {
            "car": car,
            "se": se,
            "t": t,
            "df": df,
            "p_value": 2 * stats.t.sf(np.abs(t), df),
            "n_days": n_days,
        }
        return pd.DataFrame(columns, index=self.index)

    def bhar(self, start: int, end: int, reference: Iterable[str] | Mapping[str, str] | None = None) -> pd.DataFrame:
        r"""Buy-and-hold abnormal return.

        .. math::  BHAR_i = \prod_{t \in W}(1 + R_{it}) - \prod_{t \in W}(1 + R_{bt})

        Parameters
        ----------
        start, end : int
            First and last relative day, inside the fitted window.
        reference : iterable of str or mapping, optional
            By default the market return. A list of tickers, or a text of them: the reference portfolio is bought
            and held, :math:`\text{mean}_j \prod_t (1 + R_{jt})`, not rebalanced, without the event
            firm and firms with a missing day (Lyon, Barber and Tsai 1999, JF 54). A mapping of
            ticker to group: the firms of the event firm's group.

        Returns
        -------
        DataFrame
            ``bhar, buy_and_hold, benchmark`` (both as returns) and ``n_days``; NaN if a day
            is missing or no reference firm is left. Source: Barber and Lyon (1997, JFE 43).

        Raises
        ------
        ParameterError
            If there is neither a market return nor a reference.
        """
        return buy_and_hold.table(self, self.check_window(start, end), reference)

    def test_bhar(
        self,
        windows: Windows,
        reference: Iterable[str] | Mapping[str, str] | None = None,
        seed: int = 0,
        draws: int = 9999,
    ) -> pd.DataFrame:
        """Tests of a zero mean BHAR, skewness-adjusted ones among them (METHODS 3.8, 4.9, 4.20).

        Parameters
        ----------
        windows, seed, draws
            As in :meth:`test`.
        reference : iterable of str or mapping, optional
            As in :meth:`bhar`.

        Returns
        -------
        DataFrame
            As :meth:`test`, with the tests that need the values only, and
            ``skewness_bootstrap``.
        """
        seed, draws = whole_number("seed", seed, 0), whole_number("draws", draws, 1)
        return buy_and_hold.test_table(self, self.check_windows(windows), reference, seed, draws)

    def path(self, event: int | str = 0, *, confidence: float = 0.95) -> pd.DataFrame:
        """Abnormal return and running CAR of one event, with confidence limits.

        Parameters
        ----------
        event : int or str
            Position among the used events, or an ``event_id``.
        confidence : float, default 0.95
            Coverage of the limits, from t(M - k); between 0 and 1.

        Returns
        -------
        DataFrame indexed by relative day
            ``session, return, ar, ar_se, ar_low, ar_high, car, car_se, car_low, car_high``.
            The running CAR starts on the window's first day; NaN from the first missing day on.

        Raises
        ------
        NotFoundError
            For an event that was excluded, with the ledger's reason, or never given.
        """
        return single_event.path(self, self.locate(event), coverage(confidence))

    def estimation_path(self, event: int | str = 0) -> pd.DataFrame:
        """Estimation window of one event, day by day.

        Parameters
        ----------
        event : int or str
            Position among the used events, or an ``event_id``.

        Returns
        -------
        DataFrame indexed by session
            ``return``, ``residual`` (NaN on days that were not used) and ``cut`` (true on
            days cut as the neighbourhood of another announcement).
        """
        return single_event.estimation_path(self, self.locate(event))

    def locate(self, event: int | str) -> int:
        """Position of an event among the used ones.

        Parameters
        ----------
        event : int or str
            Position, from the end if negative, or an ``event_id``.

        Returns
        -------
        int

        Raises
        ------
        ExcludedError
            For an event that was left out, with the ledger's reason.
        NotFoundError
            For an event that was never given.
        """
        if isinstance(event, str):
            found = np.flatnonzero((self._table["event_id"] == event).to_numpy())
            if not len(found):
                self._refuse(event)
            return int(found[0])
        if not is_whole(event):
            raise ParameterError(
                "neither a position nor an event_id",
                parameter="event",
                value=event,
                allowed=f"an integer below {len(self)}, or an event_id of the ledger",
            )
        if not -len(self) <= event < len(self):
            raise NotFoundError(f"there are {len(self)} used events", parameter="event", value=event)
        return event % len(self)

    def _refuse(self, event_id: str) -> None:
        """Say why an event is not among the used ones."""
        table = self._aligned.table
        excluded = table[(table["event_id"] == event_id) & (table["reason"] != "")]
        if len(excluded):
            row = excluded.iloc[0]
            raise ExcludedError(
                f"{event_id} could not be studied: {row['reason']} ({row['detail'] or REASONS[row['reason']]})",
                parameter="event",
                remedy="The ledger has the reason for every event that was left out.",
            )
        raise NotFoundError(
            "no event has this id",
            parameter="event",
            value=event_id,
            allowed=in_words(table["event_id"], 10),
            remedy=nearest(event_id, table["event_id"].tolist()) or None,
        )

    # -- across events ---------------------------------------------------------------------

    def average(self, *, confidence: float = 0.95) -> pd.DataFrame:
        """Average abnormal return per relative day and its running sum.

        Parameters
        ----------
        confidence : float, default 0.95
            Coverage of the limits, between 0 and 1.

        Returns
        -------
        DataFrame indexed by relative day
            ``aar, aar_se, aar_low, aar_high, n_events`` over the events with that day, and
            ``caar, caar_se, caar_low, caar_high, n_events_caar`` over the events complete
            from the window's first day on: the means of :meth:`car` of the day, and of the
            window up to it. Standard errors are cross-sectional (sd with divisor N-1, over
            sqrt N), limits from t(N - 1): they assume independent events. NaN for fewer
            than two events.

        Raises
        ------
        ParameterError
            For a coverage outside 0 to 1.
        """
        confidence = coverage(confidence)
        first, days = self.settings.window[0], self.relative_days
        single = np.column_stack([self.reportable((day, day)) for day in days])
        running = np.column_stack([self.reportable((first, day)) for day in days])
        columns = averages.with_limits("aar", np.where(single, self._abnormal, np.nan), confidence)
        summed = np.where(running, np.cumsum(self._abnormal, axis=1), np.nan)
        columns |= averages.with_limits("caar", summed, confidence)
        table = pd.DataFrame(columns, index=pd.Index(days, name="relative_day"))
        return table.rename(columns={"aar_n": "n_events", "caar_n": "n_events_caar"})

    def test(
        self,
        windows: Windows = ((0, 1),),
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
        seed, draws = whole_number("seed", seed, 0), whole_number("draws", draws, 1)
        return testing.test_table(self, self.check_windows(windows), inference.resolve_tests(tests), by, seed, draws)

    def check_windows(self, windows: Windows) -> list[tuple[int, int]]:
        """Windows inside the fitted one from a list of pairs or a single pair, each of them once.

        Raises
        ------
        ParameterError
            If one is no window, or reaches outside.
        """
        if isinstance(windows, str) or not isinstance(windows, Iterable):
            listed: list[Any] = [windows]
        else:
            listed = list(windows)
            if len(listed) == 2 and all(is_whole(day) for day in listed):
                listed = [tuple(listed)]
        return list(dict.fromkeys(self._inside(relative_window("windows", window)) for window in listed))

    # -- yardsticks -----------------------------------------------------------------------------

    def yardsticks(self, day: int = 0) -> pd.DataFrame:
        r"""One day's abnormal return against ordinary days and against the firm's own event days.

        .. math::  z_E = \frac{AR_{i0}}{\sqrt{\frac 1n \sum_{j<i} AR_{j0}^2}}

        over the *earlier* used events of the same ticker and kind, at least 8
        (METHODS 3.10). On event days nearly every firm fails the ordinary-day test, so
        by itself that test says little.

        Parameters
        ----------
        day : int, default 0
            Relative day, inside the fitted window.

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

    def summary(self, windows: Windows | None = None) -> Summary:
        """What was studied, what was left out, and the tests; prints well, shows well in Jupyter.

        Parameters
        ----------
        windows : iterable of (int, int), optional
            By default those of the declared family that were fitted (METHODS 8.2).

        Returns
        -------
        Summary
        """
        from research.study.summary import Summary

        return Summary.of(self, windows)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Average abnormal returns and their running sum (of a single event: its own path).

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; a new figure by default.

        Returns
        -------
        matplotlib Axes
        """
        from research.reporting import plots  # the one import upwards, kept inside the function

        return plots.event_window(self, ax=ax)


def _level(labels: pd.Index, position: NDArray[np.int64]) -> tuple[pd.Index, NDArray[np.intp]]:
    """Those of the labels that occur, sorted, and the place of each row's among them."""
    occurs = np.flatnonzero(np.bincount(position, minlength=len(labels)))
    level, order = labels[occurs].sort_values(return_indexer=True)
    place = np.empty(len(labels), dtype=np.intp)
    place[occurs[order]] = np.arange(len(occurs))
    return level, place[position]
