"""The named tests of METHODS 9: which there are, which are the default, and what each needs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from research.errors import ParameterError, nearest
from research.study import nonparametric, parametric
from research.study.outcomes import TestResult, WindowSample, joined

__all__ = ["HEADLINE", "TEST_NAMES", "TestResult", "WindowSample", "needs_of", "resolve_tests", "run_tests"]

#: The test that a summary leads with (METHODS 8.3).
HEADLINE = "adjusted_bmp_t"


@dataclass(frozen=True)
class _Test:
    """How a named test is computed, whether it belongs to the default family, what it reads of EST."""

    compute: Callable[[WindowSample], TestResult]
    default: bool = False
    needs: tuple[str, ...] = ()


_TESTS: dict[str, _Test] = {
    "cross_sectional_t": _Test(parametric.cross_sectional_t, True),
    "portfolio_z": _Test(parametric.portfolio_z),
    "crude_dependence_t": _Test(parametric.crude_dependence_t, needs=("daily_mean",)),
    "patell_z": _Test(parametric.patell_z),
    "patell_z_1976": _Test(parametric.patell_z_1976),
    "adjusted_patell_z": _Test(parametric.adjusted_patell_z),
    "bmp_t": _Test(parametric.bmp_t, True),
    "adjusted_bmp_t": _Test(partial(parametric.adjusted_bmp, kind="overlap"), True),
    "adjusted_bmp_t_calendar": _Test(partial(parametric.adjusted_bmp, kind="calendar")),
    "adjusted_bmp_t_event": _Test(partial(parametric.adjusted_bmp, kind="event")),
    "johnson_t": _Test(parametric.johnson_t),
    "hall_t": _Test(parametric.hall_t, True),
    "corrado_rank_z": _Test(nonparametric.corrado_rank_z, needs=("corrado",)),
    "corrado_zivney_z": _Test(nonparametric.corrado_zivney_z, needs=("corrado_zivney",)),
    "grank_t": _Test(nonparametric.grank_t, True, ("grank",)),
    "grank_z": _Test(nonparametric.grank_z, needs=("grank",)),
    "sign_z": _Test(nonparametric.sign_z),
    "generalized_sign_z": _Test(nonparametric.generalized_sign_z, True, ("positive_share",)),
    "wilcoxon": _Test(nonparametric.wilcoxon, True),
    "date_clustered_t": _Test(parametric.date_clustered_t, True),
    "date_clustered_scar_t": _Test(parametric.date_clustered_scar_t),
    "wild_bootstrap": _Test(parametric.wild_bootstrap, True),
    "cluster_jackknife_t": _Test(parametric.cluster_jackknife_t),
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
    if isinstance(tests, str) and tests == "default":
        return [name for name, test in _TESTS.items() if test.default]
    if isinstance(tests, str) and tests == "all":
        return list(_TESTS)
    asked = [tests] if isinstance(tests, str) or not isinstance(tests, Iterable) else list(tests)
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


def needs_of(names: Iterable[str]) -> set[str]:
    """What the named tests read of the estimation windows."""
    return {need for name in names for need in _TESTS[name].needs}


def run_tests(sample: WindowSample, names: Sequence[str]) -> list[TestResult]:
    """The named tests on one window's sample."""
    return [_across_events(_TESTS[name].compute(sample)) for name in names]


def _across_events(outcome: TestResult) -> TestResult:
    """A test across events says nothing of one, whatever its formula gives: NaN with a note."""
    if outcome.n_events >= 2 or math.isnan(outcome.statistic):
        return outcome
    note = joined(outcome.note, "needs at least 2 events")
    return replace(outcome, statistic=math.nan, df=math.nan, p_value=math.nan, note=note)
