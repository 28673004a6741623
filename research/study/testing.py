"""Tests across events: samples per window and group, one pass over the residuals, one tidy table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from research.errors import ParameterError, in_words, nearest
from research.study import correlation, inference, ranks
from research.study.correlation import MeanCorrelation
from research.study.fitted import ratio
from research.study.outcomes import TestResult, WindowSample, student, undefined

if TYPE_CHECKING:
    from research.study.results import EventStudyResults

Floats = NDArray[np.float64]
Window = tuple[int, int]

COLUMNS = [
    "window",
    "test",
    "statistic",
    "df",
    "p_value",
    "n_events",
    "null",
    "distribution",
    "definition",
    "note",
]


def test_table(
    results: EventStudyResults,
    windows: Sequence[Window],
    names: Sequence[str],
    by: str | None,
    seed: int,
    draws: int,
) -> pd.DataFrame:
    """Rows of :meth:`EventStudyResults.test`; the windows and names are checked already."""
    values = {window: results.cumulate(window) for window in windows}
    if by is None:
        samples = _samples(results, values, np.arange(len(results)), names, seed, draws)
        return _frame(_rows(samples, names))
    groups = _groups(results, by)
    # One frame at the end: with thousands of groups, a frame each would cost more than the tests.
    found: list[tuple[Window, TestResult]] = []
    labels: list[Any] = []
    for label, rows in groups.items():
        samples = _samples(results, values, rows, names, seed, draws)
        found += _rows(samples, names)
        labels += [label] * (len(found) - len(labels))
    if len(groups) == 2:
        (first, one), (second, other) = groups.items()
        found += _differences(results, values, one, other)
        labels += [f"{first} - {second}"] * (len(found) - len(labels))
    table = _frame(found)
    table.insert(0, "group", labels)
    return table


def _rows(samples: dict[Window, WindowSample], names: Sequence[str]) -> list[tuple[Window, TestResult]]:
    return [(window, outcome) for window, sample in samples.items() for outcome in inference.run_tests(sample, names)]


def _frame(rows: list[tuple[Window, TestResult]]) -> pd.DataFrame:
    return pd.DataFrame([{"window": window, **vars(outcome)} for window, outcome in rows], columns=COLUMNS)


def _groups(results: EventStudyResults, by: str) -> dict[Any, NDArray[np.intp]]:
    """Events by the value of a covariate; those without one are in no group."""
    events = results.events
    if not isinstance(by, str) or by not in events.columns:
        raise ParameterError(
            "no such covariate of the announcements",
            parameter="by",
            value=by,
            allowed=in_words(events.columns),
            remedy=nearest(str(by), [str(name) for name in events.columns]) or None,
        )
    column = events[by].reset_index(drop=True)
    if len(column) and column.isna().all():
        raise ParameterError("no event has a value of this covariate", parameter="by", value=by)
    if any(isinstance(value, list | dict | set) for value in column):
        raise ParameterError("the values of this covariate are collections", parameter="by", value=by)
    # Many groups are groups if they hold several events each, as the replications of a simulation do.
    if column.nunique() > max(50, len(column) // 5):
        raise ParameterError(
            f"{column.nunique()} different values make no groups",
            parameter="by",
            value=by,
            remedy="Cut the covariate into classes first.",
        )
    return {label: np.asarray(rows, dtype=np.intp) for label, rows in column.groupby(column, sort=True).indices.items()}


def _samples(
    results: EventStudyResults,
    values: dict[Window, tuple[Floats, Floats]],
    rows: NDArray[np.intp],
    names: Sequence[str],
    seed: int,
    draws: int,
) -> dict[Window, WindowSample]:
    """One sample a window out of the given events."""
    masks = np.array([~np.isnan(car[rows]) for car, _ in values.values()]).reshape(len(values), len(rows))
    scars = np.array([ratio(car[rows], se[rows]) for car, se in values.values()]).reshape(masks.shape)
    sums: list[ranks.DaySums | None] = [None] * len(values)
    needs = inference.needs_of(names)
    if needs and len(rows):
        arrays = results.event_arrays(rows)
        sums = [*ranks.day_sums(_reader(results, rows), arrays, masks, _spread_one(scars, masks), needs)]
    samples = {}
    usable = masks & np.isfinite(scars)
    # One pass over the pairs serves every window; it is made when a test asks.
    lengths = [end - start + 1 for start, end in values]
    day = results.grid_day[rows]
    overlaps = cache(lambda: correlation.overlaps(_reader(results, rows), day, lengths, usable))
    for k, ((window, (car, se)), mask, scar, total) in enumerate(zip(values.items(), masks, scars, sums, strict=True)):
        kept = rows[mask]
        length = window[1] - window[0] + 1
        samples[window] = WindowSample(
            car=car[kept],
            variance=se[kept] ** 2,
            scar=scar[mask],
            df=results.degrees_of_freedom[kept],
            date=results.grid_day[kept],
            length=length,
            day_scar=results.standardised(window, kept).sum(axis=1) / np.sqrt(length),
            columns=results.window_columns(window),
            n_estimation=results.settings.estimation[1] - results.settings.estimation[0] + 1,
            sums=total,
            correlations={"overlap": partial(_one, overlaps, k), **_correlations(results, rows[usable[k]])},
            seed=seed,
            draws=draws,
        )
    return samples


def _spread_one(scars: Floats, masks: NDArray[np.bool_]) -> Floats:
    """SCARs over their cross-sectional standard deviation; NaN where there is none."""
    out = np.full_like(scars, np.nan)
    for row, mask, target in zip(scars, masks, out, strict=True):
        usable = mask & np.isfinite(row)
        if usable.sum() > 1:
            spread = row[usable].std(ddof=1)
            if spread > 0:
                target[usable] = row[usable] / spread
    return out


def _reader(results: EventStudyResults, rows: NDArray[np.intp]) -> Callable[[slice | NDArray[np.intp]], Floats]:
    """Residuals of some of the given events."""
    return lambda part: results.read_residuals(rows[part])


def _one(found: Callable[[], list[MeanCorrelation]], k: int) -> MeanCorrelation:
    return found()[k]


def _correlations(results: EventStudyResults, rows: NDArray[np.intp]) -> dict[str, Callable[[], MeanCorrelation]]:
    """The two further mean correlations, computed when a test asks, at most once."""
    day = results.grid_day[rows]
    n_days = results.settings.estimation[1] - results.settings.estimation[0] + 1
    read = _reader(results, rows)
    return {
        "calendar": cache(lambda: correlation.calendar(read, day, n_days)),
        "event": cache(lambda: correlation.event_time(read, len(rows))),
    }


def _differences(
    results: EventStudyResults,
    values: dict[Window, tuple[Floats, Floats]],
    one: NDArray[np.intp],
    other: NDArray[np.intp],
) -> list[tuple[Window, TestResult]]:
    """Tests of equal mean CARs of two groups."""
    rows = []
    for window, (car, _) in values.items():
        a, b = one[~np.isnan(car[one])], other[~np.isnan(car[other])]
        rows.append((window, _welch(car[a], car[b])))
        rows.append((window, _clustered_difference(car[a], car[b], results.grid_day[a], results.grid_day[b])))
    return rows


NULL_DIFFERENCE = "both groups have the same mean CAR"


def _welch(a: Floats, b: Floats) -> TestResult:
    """Welch's t for two independent groups with variances of their own."""
    name, definition, n = "difference_welch_t", "unequal variances, independent events", len(a) + len(b)
    if min(len(a), len(b)) < 2:
        return undefined(name, n, NULL_DIFFERENCE, "t", definition, "each group needs at least 2 events")
    if a.std() == 0 and b.std() == 0:
        return undefined(name, n, NULL_DIFFERENCE, "t", definition, "no variance across events")
    outcome = stats.ttest_ind(a, b, equal_var=False)
    return student(name, float(outcome.statistic), float(outcome.df), n, NULL_DIFFERENCE, definition)


def _clustered_difference(a: Floats, b: Floats, date_a: NDArray, date_b: NDArray) -> TestResult:
    r"""Difference of means with standard errors clustered by day zero.

    .. math::  se^2 = \frac{G}{G-1} \sum_g \Big(\sum_{i \in g \cap A} \frac{d_i}{n_A}
               - \sum_{i \in g \cap B} \frac{d_i}{n_B}\Big)^2
    """
    name, definition, n = "difference_date_clustered_t", "clusters: day zero; factor G/(G-1)", len(a) + len(b)
    dates = np.concatenate([date_a, date_b])
    labels, codes = np.unique(dates, return_inverse=True)
    if min(len(a), len(b)) < 1 or len(labels) < 2:
        note = "needs events in both groups and at least 2 dates"
        return undefined(name, n, NULL_DIFFERENCE, "t(G-1)", definition, note)
    influence = np.concatenate([(a - a.mean()) / len(a), -(b - b.mean()) / len(b)])
    by_date = np.bincount(codes, weights=influence)
    g = len(labels)
    se = np.sqrt(g / (g - 1) * (by_date**2).sum())
    if not se > 0:
        return undefined(name, n, NULL_DIFFERENCE, f"t({g - 1})", definition, "no variance across dates")
    return student(name, (a.mean() - b.mean()) / se, g - 1, n, NULL_DIFFERENCE, f"{definition}; G = {g}")
