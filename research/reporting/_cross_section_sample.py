"""The used announcements of a report with surprise, class and reaction, and the numbers its sections share."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from research.analysis.clusters import codes
from research.analysis.effects import Effect, effect, effect_of_arrays
from research.analysis.robustness import adjust_p_values, leave_one_out, romano_wolf, subperiods
from research.study.results import EventStudyResults

#: Classes in the order of tables.
CLASSES = ("beat", "in line", "miss")

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

        ``gap`` is 1 for a beat, 0 for a miss and NaN otherwise: the slope on it is beats minus misses.
        """
        events = self.results.events.reset_index(drop=True)
        frame = events[["ticker", "day_zero", "timing", "announced_on"]].set_index(pd.Index(events["event_id"]))
        frame["eps_surprise"] = column(events, "eps_surprise", np.nan)
        frame["class"] = column(events, "surprise_class", "no estimate")
        frame["car"] = self.results.car(*self.window)["car"].to_numpy()
        frame["gap"] = frame["class"].map({"beat": 1.0, "miss": 0.0}).astype(float)
        return frame

    @property
    def counts(self) -> dict[str, int]:
        """Used events of each class."""
        return {name: int((self.frame["class"] == name).sum()) for name in CLASSES}

    @cached_property
    def headline(self) -> Effect:
        """Beats minus misses over the primary window, errors clustered by day zero."""
        return effect(self.frame["car"], self.frame["day_zero"], self.frame["gap"])

    @cached_property
    def without_each(self) -> pd.DataFrame:
        """The headline without each firm in turn, smallest first."""
        frame = self.frame
        return leave_one_out(frame["car"], frame["day_zero"], frame["ticker"], frame["gap"])

    @cached_property
    def periods(self) -> pd.DataFrame:
        """The headline in three consecutive periods."""
        return subperiods(self.frame["car"], self.frame["day_zero"], self.frame["gap"])

    @cached_property
    def trend(self) -> Effect:
        """Change of the headline from the first two thirds to the last: the interaction, clustered by day zero."""
        frame = self.frame.dropna(subset=["car", "gap"])
        bounds = self.periods
        late = frame["day_zero"] >= bounds["first"].iloc[-1]
        y = frame["car"].to_numpy()
        # Partial out level, lateness and the early gap; what is left of the interaction is the change.
        gap, last = frame["gap"].to_numpy(), late.to_numpy(dtype=float)
        others = np.column_stack([np.ones(len(y)), gap, last])
        if not len(y) or np.linalg.matrix_rank(np.column_stack([others, gap * last])) < 4:
            return effect_of_arrays(y, codes(frame["day_zero"]), np.zeros(len(y)))
        rest = gap * last - others @ np.linalg.lstsq(others, gap * last, rcond=None)[0]
        left = y - others @ np.linalg.lstsq(others, y, rcond=None)[0]
        return effect_of_arrays(left, codes(frame["day_zero"]), rest)

    @cached_property
    def paths(self) -> pd.DataFrame:
        """Mean running CAR by class with 95% limits, errors clustered by day zero."""
        running = self.results.abnormal_returns.cumsum(axis=1, skipna=False).to_numpy()
        rows = []
        for name in CLASSES:
            chosen = (self.frame["class"] == name).to_numpy()
            days = self.frame["day_zero"][chosen]
            for j, day in enumerate(self.results.relative_days):
                found = effect(pd.Series(running[chosen, j], index=days.index), days)
                rows.append({"class": name, "relative_day": int(day), **vars(found)})
        paths = pd.DataFrame(rows)
        return paths[paths["n_events"] > 0]

    @property
    def family_windows(self) -> list[tuple[int, int]]:
        """Windows of the declared family inside the fitted one."""
        first, last = self.results.settings.window
        return [window for window in WINDOWS if first <= window[0] and window[1] <= last]

    @cached_property
    def family(self) -> pd.DataFrame:
        """Mean CAR of every class and window, with p-values adjusted over the whole family."""
        columns = {}
        for window in self.family_windows:
            car = self.results.car(*window)["car"].to_numpy()
            for name in CLASSES:
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
    return events[name].to_numpy() if name in events.columns else default
