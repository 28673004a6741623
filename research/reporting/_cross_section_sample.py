"""The used announcements of a report with surprise, class and reaction, and the numbers its sections share."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from research.analysis.bootstrap import ENUMERATE
from research.analysis.clusters import codes
from research.analysis.effects import Effect, effect, slope
from research.analysis.robustness import adjust_p_values, leave_one_out, romano_wolf, subperiods
from research.study.results import EventStudyResults

#: Classes in the order of tables.
CLASSES = ("beat", "in line", "miss")

#: The one class of announcements none of which has an estimate.
ALL = "all"

#: Beats and misses that a difference needs for an interval of its own: fewer say nothing about their spread.
MIN_EACH = 5

#: The family of windows that was declared before looking (METHODS 8.2).
WINDOWS = ((0, 0), (0, 1), (-1, 1), (-10, -1))


@dataclass(frozen=True, eq=False)
class Sample:
    """Used announcements with surprise, class and reaction.

    Attributes
    ----------
    results : EventStudyResults
        Of announcements that carry ``eps_surprise`` and ``surprise_class``.
    window : (int, int)
        Primary window.
    source_name : str
    draws, seed : int
        Of every bootstrap.
    """

    results: EventStudyResults
    window: tuple[int, int]
    source_name: str
    draws: int
    seed: int

    @cached_property
    def frame(self) -> pd.DataFrame:
        """One row a used event, by ``event_id``: ``ticker, day_zero, timing, eps_surprise, class, car, gap``.

        ``gap`` is 1 for a beat, 0 for a miss and NaN otherwise: the slope on it is beats minus misses. Where no
        announcement has a surprise, all are of one class.
        """
        events = self.results.events.reset_index(drop=True)
        frame = events[["ticker", "day_zero", "timing", "announced_on"]].set_index(pd.Index(events["event_id"]))
        frame["eps_surprise"] = column(events, "eps_surprise", np.nan)
        frame["class"] = column(events, "surprise_class", "no estimate")
        if not frame["class"].isin(CLASSES).any():
            frame["class"] = ALL
        frame["car"] = self.results.car(*self.window)["car"].to_numpy()
        frame["gap"] = frame["class"].map({"beat": 1.0, "miss": 0.0}).astype(float)
        return frame

    @property
    def surprised(self) -> bool:
        """Whether any announcement has a surprise, so that beats and misses can be told apart."""
        return bool(self.frame["class"].isin(CLASSES).any())

    @property
    def classes(self) -> tuple[str, ...]:
        """Classes that tables have rows for."""
        return CLASSES if self.surprised else (ALL,)

    @property
    def what(self) -> str:
        """What the headline number is."""
        return "beats minus misses" if self.surprised else "the mean reaction"

    @property
    def contrast(self) -> pd.Series | None:
        """Covariate whose slope is the headline number; None where that is a mean."""
        return self.frame["gap"] if self.surprised else None

    @property
    def counts(self) -> dict[str, int]:
        """Used events of each class."""
        names = CLASSES if self.surprised else (*CLASSES, ALL)
        return {name: int((self.frame["class"] == name).sum()) for name in names}

    @property
    def fewest(self) -> int:
        """Events on the smaller side of the headline number."""
        counts = self.counts
        return min(counts["beat"], counts["miss"]) if self.surprised else counts[ALL]

    @cached_property
    def headline(self) -> Effect:
        """Beats minus misses (or the mean) over the primary window, errors clustered by day zero."""
        return effect(self.frame["car"], self.frame["day_zero"], self.contrast)

    @cached_property
    def without_each(self) -> pd.DataFrame:
        """The headline without each firm in turn, smallest first."""
        frame = self.frame
        return leave_one_out(frame["car"], frame["day_zero"], frame["ticker"], self.contrast)

    @cached_property
    def periods(self) -> pd.DataFrame:
        """The headline in three consecutive periods, with the beats and misses in each.

        Limits and p are NaN where there are fewer than :data:`MIN_EACH` on a side.
        """
        frame = self.frame
        if not self._known.any():
            columns = ["first", "last", "estimate", "low", "high", "p_value", "mde", "n_events", "beats", "misses"]
            return pd.DataFrame(columns=columns)
        table = subperiods(frame["car"], frame["day_zero"], self.contrast)
        for name, value in (("beats", 1.0), ("misses", 0.0)):
            days = frame["day_zero"][self._known & (frame["gap"] == value)]
            table[name] = [int(days.between(row.first, row.last).sum()) for row in table.itertuples()]
        sides = table[["beats", "misses"]].min(axis=1) if self.surprised else table["n_events"]
        table.loc[sides < MIN_EACH, ["se", "t", "low", "high", "p_value", "mde"]] = np.nan
        return table

    @property
    def _known(self) -> pd.Series:
        """Events that enter the headline."""
        known = self.frame["car"].notna()
        return known & self.frame["gap"].notna() if self.surprised else known

    @cached_property
    def trend(self) -> Effect:
        """Change of the headline from the first two thirds to the last: the interaction, clustered by day zero.

        Undefined where a third has too few events for an interval.
        """
        frame = self.frame[self._known]
        n, days = len(frame), int(frame["day_zero"].nunique())
        if len(self.periods) < 3 or self.periods["p_value"].isna().any():
            nan = float("nan")
            return Effect(nan, nan, nan, nan, nan, nan, nan, nan, n, days, "too few events in a period")
        late = (frame["day_zero"] >= self.periods["first"].iloc[-1]).to_numpy(dtype=float)
        gap = frame["gap"].to_numpy() if self.surprised else None
        columns = [late, np.ones(n)] if gap is None else [gap * late, gap, late, np.ones(n)]
        return slope(frame["car"].to_numpy(), np.column_stack(columns), codes(frame["day_zero"]))

    @cached_property
    def paths(self) -> pd.DataFrame:
        """Mean running CAR by class with 95% limits, errors clustered by day zero."""
        running = self.results.abnormal_returns.cumsum(axis=1, skipna=False).to_numpy()
        rows = []
        for name in self.classes:
            chosen = (self.frame["class"] == name).to_numpy()
            days = self.frame["day_zero"][chosen]
            for j, day in enumerate(self.results.relative_days):
                found = effect(pd.Series(running[chosen, j], index=days.index), days)
                rows.append({"class": name, "relative_day": int(day), **vars(found)})
        paths = pd.DataFrame(rows)
        return paths[paths["n_events"] > 0]

    @property
    def family_windows(self) -> list[tuple[int, int]]:
        """Windows of the declared family inside the fitted one, the primary among them."""
        first, last = self.results.settings.window
        declared = dict.fromkeys([*WINDOWS, self.window])
        return [window for window in declared if first <= window[0] and window[1] <= last]

    @property
    def smallest_p(self) -> float:
        """Smallest p-value that the family's bootstrap can give."""
        days = int(self.frame["day_zero"].nunique())
        return 2 / 2**days if days <= ENUMERATE else 1 / (self.draws + 1)

    @cached_property
    def family(self) -> pd.DataFrame:
        """Mean CAR of every class and window, with p-values adjusted over the whole family."""
        columns = {}
        for window in self.family_windows:
            car = self.results.car(*window)["car"].to_numpy()
            for name in self.classes:
                values = np.where(self.frame["class"] == name, car, np.nan)
                if np.isfinite(values).sum() > 1:
                    columns[(name, window)] = values
        responses = pd.DataFrame(dict(enumerate(columns.values())), index=self.frame.index)
        if responses.shape[1] == 0 or self.frame["day_zero"].nunique() < 2:
            return pd.DataFrame()
        found = romano_wolf(responses, self.frame["day_zero"], draws=self.draws, seed=self.seed)
        adjusted = adjust_p_values(found["p_value"])
        keys = pd.DataFrame(list(columns), columns=["class", "window"])
        return pd.concat([keys, found.join(adjusted[["holm", "benjamini-hochberg"]])], axis=1)


def column(events: pd.DataFrame, name: str, default: Any) -> Any:
    """Values of a column, or a default where there is none."""
    return events[name].to_numpy() if name in events.columns else default
