"""Test statistics of the event study: pure functions of arrays, one :class:`TestResult` each.

H0 is E[CAR] = 0 unless a definition says otherwise; p-values are two-sided. A
statistic that is undefined is NaN with a note that says why.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from research.errors import ParameterError, nearest

Floats = NDArray[np.float64]

NULL_MEAN = "mean CAR = 0"
NULL_MEAN_STANDARDISED = "mean standardised CAR = 0"


@dataclass(frozen=True)
class TestResult:
    """Outcome of one test on one window.

    Attributes
    ----------
    test : str
        Name as in METHODS 9.
    statistic, df, p_value : float
        NaN where undefined; ``df`` is NaN for the normal distribution.
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
    car : ndarray of shape (n_events,)
        Cumulative abnormal returns.
    scar : ndarray of shape (n_events,)
        ``CAR / sqrt(Var)`` with the full forecast-error covariance (METHODS 3.4);
        NaN where the estimation window has no variance.
    df : ndarray of shape (n_events,)
        ``M - k`` of each event.
    """

    car: Floats
    scar: Floats
    df: Floats

    def standardised(self) -> tuple[Floats, Floats, str]:
        """SCARs that exist with their degrees of freedom, and a note on those that do not."""
        exists = np.isfinite(self.scar)
        lost = int((~exists).sum())
        note = f"{lost} event(s) without estimation variance left out" if lost else ""
        return self.scar[exists], self.df[exists], note


def _student(name: str, statistic: float, df: float, n: int, null: str, definition: str, note: str = "") -> TestResult:
    """Result with a two-sided Student p-value."""
    p_value = float(2 * stats.t.sf(abs(statistic), df)) if df > 0 else np.nan
    return TestResult(name, float(statistic), float(df), p_value, n, null, f"t({df:g})", definition, note)


def _normal(name: str, statistic: float, n: int, null: str, definition: str, note: str = "") -> TestResult:
    """Result with a two-sided standard normal p-value."""
    p_value = float(2 * stats.norm.sf(abs(statistic)))
    return TestResult(name, float(statistic), np.nan, p_value, n, null, "N(0,1)", definition, note)


def _undefined(name: str, n: int, null: str, distribution: str, definition: str, note: str) -> TestResult:
    """A row that says why there is no number."""
    return TestResult(name, np.nan, np.nan, np.nan, n, null, distribution, definition, note)


def _mean_t(name: str, values: Floats, null: str, definition: str, note: str = "") -> TestResult:
    """Mean over its cross-sectional standard error, t(N - 1)."""
    n = len(values)
    if n < 2:
        return _undefined(name, n, null, "t(N-1)", definition, _and(note, "needs at least 2 events"))
    spread = values.std(ddof=1)
    # Equal values leave rounding noise, not zero.
    if spread <= 8 * np.finfo(float).eps * np.abs(values).max():
        return _undefined(name, n, null, f"t({n - 1})", definition, _and(note, "no variance across events"))
    return _student(name, values.mean() / (spread / np.sqrt(n)), n - 1, n, null, definition, note)


def _and(*notes: str) -> str:
    """Notes joined, the empty ones left out."""
    return "; ".join(note for note in notes if note)


def cross_sectional_t(sample: WindowSample) -> TestResult:
    r"""Cross-sectional t (METHODS 4.2).

    .. math::  t = \frac{\bar C}{sd_{N-1}(CAR)/\sqrt N} \sim t(N-1)

    Needs independent events; robust to event-induced variance.
    Source: Brown and Warner (1980, JFE 8).
    """
    return _mean_t("cross_sectional_t", sample.car, NULL_MEAN, "sd of CAR with divisor N-1")


def patell_z(sample: WindowSample) -> TestResult:
    r"""Patell's Z in its canonical form (METHODS 4.5).

    .. math::  Z = \frac{\sum_i SCAR_i}{\sqrt{\sum_i Q_i}}, \quad
               Q_i = \frac{M_i - k}{M_i - k - 2} \sim N(0, 1)

    Invalid under event-induced variance and under cross-correlation.
    Source: Patell (1976, Journal of Accounting Research 14).
    """
    definition = "SCAR with full forecast-error covariance; Q = (M-k)/(M-k-2)"
    scar, df, note = sample.standardised()
    name, n = "patell_z", len(scar)
    if n == 0:
        return _undefined(name, 0, NULL_MEAN_STANDARDISED, "N(0,1)", definition, _and(note, "no event left"))
    if (df <= 2).any():
        reason = "an event has M - k <= 2, so its SCAR has no variance"
        return _undefined(name, n, NULL_MEAN_STANDARDISED, "N(0,1)", definition, _and(note, reason))
    z = scar.sum() / np.sqrt((df / (df - 2)).sum())
    return _normal(name, z, n, NULL_MEAN_STANDARDISED, definition, note)


def bmp_t(sample: WindowSample) -> TestResult:
    r"""Standardised cross-sectional t (METHODS 4.7).

    .. math::  t = \frac{\overline{SCAR}}{sd_{N-1}(SCAR)/\sqrt N} \sim t(N-1)

    Robust to event-induced variance, not to cross-correlation.
    Source: Boehmer, Musumeci and Poulsen (1991, JFE 30).
    """
    scar, _, note = sample.standardised()
    return _mean_t("bmp_t", scar, NULL_MEAN_STANDARDISED, "sd of SCAR with divisor N-1", note)


@dataclass(frozen=True)
class _Test:
    """How a named test is computed, and whether it belongs to the default family."""

    compute: Callable[[WindowSample], TestResult]
    default: bool


_TESTS: dict[str, _Test] = {
    "cross_sectional_t": _Test(cross_sectional_t, True),
    "patell_z": _Test(patell_z, False),
    "bmp_t": _Test(bmp_t, True),
}

#: Names accepted by ``EventStudyResults.test(tests=...)``, in the order of the table.
TEST_NAMES = tuple(_TESTS)


def resolve_tests(tests: str | Iterable[str]) -> list[str]:
    """Names in the order of METHODS 9 for ``"default"``, ``"all"``, one name or several.

    Raises
    ------
    ParameterError
        For an unknown name; the nearest is suggested.
    """
    if tests == "default":
        return [name for name, test in _TESTS.items() if test.default]
    if tests == "all":
        return list(_TESTS)
    asked = [tests] if isinstance(tests, str) else list(tests)
    for name in asked:
        if name not in _TESTS:
            raise ParameterError(
                "unknown test",
                parameter="tests",
                value=name,
                allowed='"default", "all" or ' + ", ".join(_TESTS),
                remedy=nearest(str(name), TEST_NAMES) or None,
            )
    return [name for name in _TESTS if name in asked]


def run_tests(sample: WindowSample, names: Sequence[str]) -> list[TestResult]:
    """The named tests on one window's sample."""
    return [_TESTS[name].compute(sample) for name in names]
