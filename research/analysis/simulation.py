"""Size and power of the tests, by simulation through the package's own pipeline (METHODS 7).

Replications lie side by side in one study: their firms are columns of one frame of returns, and a
covariate says which replication an announcement belongs to. So what is validated is what a reader
runs: :class:`research.Announcements`, :class:`research.EventStudy` and ``results.test``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from research.analysis._designs import (
    DESIGNS,
    HOLDS,
    REFERENCE,
    REFERENCE_N,
    TABLE_A,
    TABLE_B,
    TESTS_A,
    TESTS_B,
    Design,
    design_named,
    table_of,
)
from research.analysis._draws import Draw, draw
from research.analysis._replications import Progress, fit, run, tasks_of
from research.errors import ParameterError
from research.study.inference import resolve_tests
from research.study.models import MatchedModel, resolve_model
from research.study.settings import whole_number

__all__ = [
    "AGREEMENT",
    "DESIGNS",
    "FAMILY",
    "FULL",
    "HOLDS",
    "QUICK",
    "REFERENCE",
    "SIZE",
    "TABLE_A",
    "TABLE_B",
    "Design",
    "Draw",
    "Simulation",
    "Validation",
    "agreement",
    "band",
    "draw",
    "fit",
    "simulate",
    "simulate_all",
    "validate",
]

#: Nominal size of every test.
SIZE = 0.05

#: Draws of the wild bootstrap inside a simulation: (1 + 199) * 5% is a whole number, so its size can be exact.
DRAWS = 199

#: Replications of each design: enough to find what is broken, and enough to compare with published tables.
QUICK, FULL = 250, 3000

#: All cells that must hold do so together with this probability when every true size is 5%.
FAMILY = 0.99

#: Level of the two-sample bands around published rates.
AGREEMENT = 0.999


def band(n: int, level: float = 0.95, size: float = SIZE) -> tuple[float, float]:
    """Central interval of a rejection rate over ``n`` replications when the true size is ``size``.

    Exact binomial quantiles over n: .024 to .080 for 250 replications at 95%, .042 to .058 for 3,000.
    """
    if n < 1:
        return float("nan"), float("nan")
    low, high = stats.binom.ppf([(1 - level) / 2, (1 + level) / 2], n, size) / n
    return float(low), float(high)


def agreement(rate: float, n: int, other: float, n_other: int) -> float:
    r"""Two-sample z of two rejection rates.

    .. math::  z = \frac{p_1 - p_2}{\sqrt{\bar p (1 - \bar p)(1/n_1 + 1/n_2)}}

    with the pooled rate; 0 where both are the same.
    """
    pooled = (rate * n + other * n_other) / (n + n_other)
    se = np.sqrt(pooled * (1 - pooled) * (1 / n + 1 / n_other))
    return float((rate - other) / se) if se > 0 else 0.0


@dataclass(frozen=True)
class Simulation:
    """Outcome of :func:`simulate`.

    Attributes
    ----------
    design : Design
    model : str
    seed : int
    p_values : DataFrame, replications x tests
        NaN where a test was undefined.
    """

    design: Design
    model: str
    seed: int
    p_values: pd.DataFrame

    def rates(self, alpha: float = SIZE) -> pd.DataFrame:
        """Rejection rate of each test with its uncertainty.

        Returns
        -------
        DataFrame indexed by test
            ``rejections``, ``n`` (replications in which the test exists), ``rate``, ``low, high``
            (Clopper and Pearson 1934, 95%), ``band_low, band_high`` (where the rate would lie with
            probability 95% at least if the size were ``alpha``), ``inside``.
        """
        counted = self.p_values.notna().sum()
        rejected = (self.p_values <= alpha).sum()
        rows = {}
        for test in self.p_values.columns:
            k, n = int(rejected[test]), int(counted[test])
            low = float(stats.beta.ppf(0.025, k, n - k + 1)) if k else 0.0
            high = float(stats.beta.ppf(0.975, k + 1, n - k)) if k < n else 1.0
            edges = band(n, size=alpha)
            rate = k / n if n else float("nan")
            inside = bool(edges[0] <= rate <= edges[1])
            limits = (low, high) if n else (float("nan"), float("nan"))
            rows[test] = (k, n, rate, *limits, *edges, inside)
        columns = ["rejections", "n", "rate", "low", "high", "band_low", "band_high", "inside"]
        return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("test")

    def __repr__(self) -> str:
        return f"Simulation({self.design.name!r}, {len(self.p_values)} replications, model={self.model!r})"


def simulate(
    design: Design | str,
    n_replications: int = 1000,
    tests: str | Iterable[str] = "default",
    *,
    model: Any = "market",
    seed: int = 0,
    draws: int = DRAWS,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Simulation:
    """Simulate a design and test every replication.

    Parameters
    ----------
    design : Design or str
        Or the name of one of :data:`DESIGNS`.
    n_replications : int
    tests : str or iterable of str
        As in :meth:`EventStudyResults.test`.
    model : str or model object
        Any expected-return model but ``matched``, whose peers the design does not have.
    seed, draws : int
        Of everything that is random; draws of the wild bootstrap.
    workers : int, optional
        Processes; by default one a core. The numbers do not depend on it. A script that asks for more
        than one needs the usual ``if __name__ == "__main__":`` guard.
    progress : callable, optional
        Called with the replications done and their total.

    Returns
    -------
    Simulation

    Raises
    ------
    ParameterError
        An unknown design, test or model, the model ``matched``, or a count or seed that is none.

    Notes
    -----
    Replications lie side by side in one study and go through :class:`research.EventStudy` and ``results.test`` as a
    reader's own events do; see :mod:`research.analysis.simulation` and, for the sizes published, METHODS 7.
    """
    return simulate_all(
        [design], n_replications, tests, model=model, seed=seed, draws=draws, workers=workers, progress=progress
    )[0]


def simulate_all(
    designs: Iterable[Design | str],
    n_replications: int = 1000,
    tests: str | Iterable[str] = "default",
    *,
    model: Any = "market",
    seed: int = 0,
    draws: int = DRAWS,
    workers: int | None = None,
    progress: Progress | None = None,
) -> list[Simulation]:
    """Simulate several designs at once, shared among the same processes.

    Parameters
    ----------
    designs : iterable of Design or str
    n_replications
        Of each design. This and everything else as in :func:`simulate`.

    Returns
    -------
    list of Simulation
        In the order of the designs. All are drawn with one seed, so that differences between designs owe as
        little to chance as their shapes allow.
    """
    names = tuple(resolve_tests(tests))
    wanted = [(one, names) for one in _designs(designs)]
    return _simulated(wanted, n_replications, model, seed, draws, workers, progress)


def _simulated(
    wanted: Sequence[tuple[Design, tuple[str, ...]]],
    n_replications: int,
    model: Any,
    seed: int,
    draws: int,
    workers: int | None,
    progress: Progress | None,
) -> list[Simulation]:
    """Simulations of designs, each with tests of its own."""
    n_replications, draws = whole_number("n_replications", n_replications, 1), whole_number("draws", draws, 1)
    seed = whole_number("seed", seed, 0)
    workers = None if workers is None else whole_number("workers", workers, 1)
    if not wanted:
        raise ParameterError("no design", parameter="designs", allowed="at least one")
    resolved = resolve_model(model)
    if isinstance(resolved, MatchedModel):
        raise ParameterError(
            "simulated firms have no peers", parameter="model", value=resolved.name, allowed="any other model"
        )
    batches = [tasks_of(design, n_replications, names, model, seed, draws) for design, names in wanted]
    parts = iter(run([task for tasks in batches for task in tasks], workers, progress))
    return [
        Simulation(design, resolved.name, seed, pd.concat([next(parts) for _ in tasks]))
        for (design, _), tasks in zip(wanted, batches, strict=True)
    ]


def _designs(given: Iterable[Design | str] | Design | str) -> list[Design]:
    """Designs by name or as they are; one alone is a list of one."""
    several = [given] if isinstance(given, Design | str) else list(given)
    return [design_named(one) if isinstance(one, str) else one for one in several]


@dataclass(frozen=True)
class Validation:
    """Outcome of :func:`validate`.

    Attributes
    ----------
    table : DataFrame
        One row a design and test: ``design, table`` (``A``, ``B`` or empty), ``test, rejections, n, rate,
        low, high`` (as :meth:`Simulation.rates`), ``band_low, band_high, inside`` (95% band of a size of
        5%), ``power`` (the null is false: no size), ``must_hold``, ``holds`` (inside the family's band;
        missing where nothing must hold), ``reference`` (published rate), ``z`` (two-sample, against it)
        and ``agrees`` (within 99.9%).
    n_replications, seed : int
    """

    table: pd.DataFrame
    n_replications: int
    seed: int

    @property
    def failures(self) -> pd.DataFrame:
        """Cells that must hold 5% and do not."""
        return self.table[self.table["must_hold"] & self.table["holds"].isin([False])]

    @property
    def disagreements(self) -> pd.DataFrame:
        """Cells outside the 99.9% band around the published rate."""
        return self.table[self.table["reference"].notna() & self.table["agrees"].isin([False])]

    @property
    def passed(self) -> bool:
        """Whether every size that must hold does."""
        return self.failures.empty

    def rates(self, designs: Iterable[str], tests: Iterable[str]) -> pd.DataFrame:
        """Rejection rates, designs x tests; NaN where a test was not run or never defined."""
        wide = self.table.pivot_table(index="design", columns="test", values="rate", aggfunc="first")
        return wide.reindex(index=list(designs), columns=list(tests))

    def sentence(self) -> str:
        """The verdict in one sentence."""
        must = int(self.table["must_hold"].sum())
        held = must - len(self.failures)
        compared = int(self.table["reference"].notna().sum())
        return (
            f"{held} of {must} sizes that must hold 5% do; {compared - len(self.disagreements)} of {compared} rates "
            f"agree with the published ones; {self.n_replications:,} replications a design, seed {self.seed}"
        )

    def lines(self) -> list[str]:
        """Every cell on a line, marked, and the verdict."""
        width = int(self.table["test"].str.len().max())
        marks = max(len(_mark(row)) for row in self.table.itertuples(index=False))
        out = []
        for design, rows in self.table.groupby("design", sort=False):
            out.append(str(design))
            for row in rows.itertuples(index=False):
                rate = "undefined" if row.n == 0 else f"{row.rate:.3f}"
                published = "" if np.isnan(row.reference) else f"published {row.reference:.3f}"
                out.append(f"  {row.test:<{width}}  {rate:>9}  {_mark(row):<{marks}}  {published}".rstrip())
        low, high = band(self.n_replications)
        out.append(f"95% band of a size of 5% over {self.n_replications:,} replications: {low:.3f} to {high:.3f}")
        return [*out, self.sentence()]

    def as_dict(self) -> dict[str, Any]:
        """Plain Python objects for JSON; missing values are None."""
        plain = self.table.astype(object).where(self.table.notna(), None)
        return {
            "n_replications": self.n_replications,
            "seed": self.seed,
            "passed": self.passed,
            "summary": self.sentence(),
            "cells": plain.to_dict(orient="records"),
        }


def _mark(row: Any) -> str:
    """What is to be said of one cell."""
    if row.n == 0:
        return ""
    if row.must_hold:
        where = "inside" if row.inside else "outside the 95% band"
        return f"holds, {where}" if row.holds else "FAILS"
    if row.power:
        return "power"
    return "inside" if row.inside else "outside"


def validate(
    n_replications: int = QUICK,
    *,
    designs: Iterable[Design | str] | None = None,
    seed: int = 0,
    draws: int = DRAWS,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Validation:
    """Simulate every design of :data:`DESIGNS` and judge the sizes declared in :data:`HOLDS`.

    Parameters
    ----------
    n_replications : int
        Of each design.
    designs : iterable of Design or str, optional
        Only these.
    seed, draws, workers, progress
        As in :func:`simulate`.

    Returns
    -------
    Validation

    Notes
    -----
    A size holds if its rate lies in the binomial band whose level makes all that must hold do so together
    with probability 99% when each true size is 5% (Bonferroni). Published rates are those of METHODS
    tables A and B.
    """
    chosen = _designs(DESIGNS.values() if designs is None else designs)
    wanted = [(one, tuple(resolve_tests(TESTS_B if table_of(one) == "B" else TESTS_A))) for one in chosen]
    simulations = _simulated(wanted, n_replications, "market", seed, draws, workers, progress)
    family = 1 - (1 - FAMILY) / max(1, sum(len(HOLDS.get(design.name, ())) for design in chosen))
    rows = [_cell(one.design, str(test), row, family) for one in simulations for test, row in one.rates().iterrows()]
    return Validation(pd.DataFrame(rows), n_replications, seed)


def _cell(design: Design, test: str, rates: pd.Series, family: float) -> dict[str, Any]:
    """One row of :attr:`Validation.table`."""
    n, rate = int(rates["n"]), float(rates["rate"])
    must = test in HOLDS.get(design.name, ())
    low, high = band(n, family)
    # A design of the same name that differs from the table's has no published rate.
    published = REFERENCE[design.name].get(test, float("nan")) if table_of(design) else float("nan")
    comparable = n > 0 and np.isfinite(published)
    z = agreement(rate, n, published, REFERENCE_N[table_of(design)]) if comparable else float("nan")
    return {
        "design": design.name,
        "table": table_of(design),
        "test": test,
        **rates.to_dict(),
        "power": design.effect != 0,
        "must_hold": must,
        # A test that must hold and was never defined does not hold.
        "holds": bool(n and low <= rate <= high) if must else None,
        "reference": published,
        "z": z,
        "agrees": bool(abs(z) <= stats.norm.ppf((1 + AGREEMENT) / 2)) if comparable else None,
    }
