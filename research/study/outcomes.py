"""What a test takes and what it returns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from research.study.correlation import MeanCorrelation
from research.study.ranks import DaySums
from research.study.resampling import Clusters

Floats = NDArray[np.float64]

MEAN = "mean CAR = 0"
MEAN_STANDARDISED = "mean standardised CAR = 0"
NORMAL = "N(0,1)"


@dataclass(frozen=True)
class TestResult:
    """Outcome of one test on one window.

    Attributes
    ----------
    test : str
        Name as in METHODS 9.
    statistic, df, p_value : float
        NaN where undefined; ``df`` is NaN for the normal distribution. p-values are two-sided.
    n_events : int
        Events that entered.
    null, distribution, definition : str
        What is tested, the reference distribution, and the choice made where the
        literature has several.
    note : str
        Why something is missing or was left out; empty otherwise.
    """

    __test__: ClassVar[bool] = False

    test: str
    statistic: float
    df: float
    p_value: float
    n_events: int
    null: str
    distribution: str
    definition: str
    note: str = ""


@dataclass(frozen=True)
class WindowSample:
    """The events that survive the missing-day policy of one window.

    Attributes
    ----------
    car, variance : ndarray of shape (n_events,)
        Cumulative abnormal returns and their forecast-error variances (METHODS 3.4).
    scar : ndarray of shape (n_events,)
        ``CAR / sqrt(variance)``; NaN where the estimation window has no variance.
    df : ndarray of shape (n_events,)
        ``M - k`` of each event.
    date : ndarray of shape (n_events,)
        Day zero, the label of the date clusters.
    length : int
        ``L``, days of the window.
    day_scar : ndarray of shape (n_events,)
        Sum of the daily standardised abnormal returns over the square root of L (Patell 1976).
    columns : slice
        Columns of the window within the event window.
    n_estimation : int
        Days of the estimation window.
    sums : DaySums or None
        Reduction of the estimation windows, where a test asked for it.
    correlations : mapping of name to callable
        ``overlap``, ``calendar`` and ``event`` mean residual correlation.
    seed, draws : int
        Of the bootstraps.
    """

    car: Floats
    variance: Floats
    scar: Floats
    df: Floats
    date: NDArray
    length: int
    day_scar: Floats
    columns: slice = field(default_factory=lambda: slice(0, 0))
    n_estimation: int = 0
    sums: DaySums | None = None
    correlations: dict[str, Callable[[], MeanCorrelation]] = field(default_factory=dict)
    seed: int = 0
    draws: int = 9999

    @property
    def exists(self) -> NDArray[np.bool_]:
        """Events whose SCAR exists."""
        return np.isfinite(self.scar)

    def lost(self) -> str:
        """A note on events without a SCAR; empty if there are none."""
        n = int((~self.exists).sum())
        return f"{n} event(s) without estimation variance left out" if n else ""

    def clusters(self, values: Floats, keep: NDArray[np.bool_] | None = None) -> Clusters:
        """Values summed by day zero."""
        return Clusters.of(values, self.date if keep is None else self.date[keep])


def student(name: str, statistic: float, df: float, n: int, null: str, definition: str, note: str = "") -> TestResult:
    """Result with a two-sided Student p-value."""
    p_value = float(2 * stats.t.sf(abs(statistic), df)) if df > 0 else np.nan
    return TestResult(name, float(statistic), float(df), p_value, n, null, f"t({df:g})", definition, note)


def normal(name: str, statistic: float, n: int, null: str, definition: str, note: str = "") -> TestResult:
    """Result with a two-sided standard normal p-value."""
    p_value = float(2 * stats.norm.sf(abs(statistic)))
    return TestResult(name, float(statistic), np.nan, p_value, n, null, NORMAL, definition, note)


def undefined(name: str, n: int, null: str, distribution: str, definition: str, note: str) -> TestResult:
    """A row that says why there is no number."""
    return TestResult(name, np.nan, np.nan, np.nan, n, null, distribution, definition, note)


def joined(*notes: str) -> str:
    """Notes joined, the empty ones left out."""
    return "; ".join(note for note in notes if note)


def no_spread(values: Floats) -> bool:
    """Whether values are equal but for rounding."""
    return bool(values.std(ddof=1) <= 8 * np.finfo(float).eps * np.abs(values).max()) if len(values) > 1 else True


def mean_t(name: str, values: Floats, null: str, definition: str, note: str = "") -> TestResult:
    """Mean over its cross-sectional standard error, t(N - 1)."""
    n = len(values)
    if n < 2:
        return undefined(name, n, null, "t(N-1)", definition, joined(note, "needs at least 2 events"))
    if no_spread(values):
        return undefined(name, n, null, f"t({n - 1})", definition, joined(note, "no variance across events"))
    statistic = values.mean() / (values.std(ddof=1) / np.sqrt(n))
    return student(name, statistic, n - 1, n, null, definition, note)
