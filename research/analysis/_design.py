"""From results and a formula to a checked design: which events enter, and what they are regressed on."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import patsy
from numpy.typing import NDArray
from patsy import builtins as patsy_builtins

from research.errors import InputError, ParameterError, in_words, nearest, offences
from research.events import surprises
from research.study.results import EventStudyResults
from research.study.settings import relative_window

Floats = NDArray[np.float64]

#: Columns that the results themselves provide, beside the covariates of the announcements.
RESPONSES = ("car", "bhar")

#: Covariates derived from the announcements on request.
DERIVED = ("eps_surprise", "surprise_class", "sue_seasonal", "sue", "sue_foster", "revenue_surprise")

#: Labels of the time of day zero, for fixed effects and clusters.
PERIODS = ("week", "month", "quarter", "year")

_FREE_NAMES = {"np", *patsy_builtins.__all__, *dir(builtins)}


@dataclass(frozen=True)
class Names:
    """Columns that a formula uses."""

    response: tuple[str, ...]
    covariates: tuple[str, ...]

    @property
    def all(self) -> tuple[str, ...]:
        """Every column, each once."""
        return tuple(dict.fromkeys(self.response + self.covariates))


def event_frame(
    results: EventStudyResults, window: tuple[int, int], wanted: Sequence[str], data: pd.DataFrame | None = None
) -> pd.DataFrame:
    """The used events with response and covariates, indexed by ``event_id``.

    Parameters
    ----------
    results : EventStudyResults
    window : (int, int)
        Of ``car`` and ``bhar``.
    wanted : sequence of str
        Columns needed; derived ones are computed only when they are.
    data : DataFrame, optional
        Further covariates, indexed by ``event_id`` or like ``results.events``.

    Returns
    -------
    DataFrame
        Covariates, ``ticker, day_zero, timing``, periods of day zero, and the response.
    """
    window = relative_window("window", window)
    events = results.events.reset_index(drop=True)
    if not len(events):
        raise InputError(
            "the study used no event", parameter="results", remedy="results.ledger has the reason for each of them."
        )
    frame = events.set_index(pd.Index(events["event_id"], name="event_id")).drop(columns="event_id")
    zero = pd.DatetimeIndex(frame["day_zero"])
    iso = zero.isocalendar()
    frame["week"] = [f"{year}-W{week:02d}" for year, week in zip(iso["year"], iso["week"], strict=True)]
    frame["month"] = zero.strftime("%Y-%m")
    frame["quarter"] = zero.to_period("Q").astype(str)
    frame["year"] = zero.year.astype(str)
    if data is not None:
        extra = aligned(data, results, frame.index)
        frame = frame.drop(columns=[name for name in extra.columns if name in frame.columns]).join(extra)
    if any(name in DERIVED and name not in frame.columns for name in wanted):
        derived = surprises.table(results.announced).reindex(frame.index)
        frame = frame.join(derived[[name for name in derived.columns if name not in frame.columns]])
    frame["car"] = results.car(*window)["car"].to_numpy()
    if "bhar" in wanted:
        frame["bhar"] = results.bhar(*window)["bhar"].to_numpy()
    return frame


def numbers(values: pd.Series, parameter: str) -> pd.Series:
    """A Series as floats, each label once.

    Raises
    ------
    ParameterError
        If it is no Series of numbers.
    InputError
        If a label appears twice.
    """
    if not isinstance(values, pd.Series):
        raise ParameterError("not a Series", parameter=parameter, value=type(values).__name__)
    if values.index.has_duplicates:
        twice = values.index[values.index.duplicated()].unique()
        raise InputError("labels that appear twice: " + in_words(str(one) for one in twice), parameter=parameter)
    try:
        return values.astype(float)
    except (TypeError, ValueError) as error:
        raise ParameterError("not a Series of numbers", parameter=parameter, value=str(values.dtype)) from error


def eps_surprises(covariates: pd.DataFrame, *, needed: bool = True) -> pd.Series:
    """Percentage surprise of the EPS columns by ``event_id``; NaN without such columns where it is not ``needed``.

    Raises
    ------
    InputError
        If the announcements have nothing to make it from, and it is needed.
    """
    table = surprises.table(covariates)
    if "eps_surprise" not in table.columns:
        if not needed:
            return pd.Series(np.nan, index=table.index, name="eps_surprise")
        raise InputError(
            "no event has a surprise",
            parameter="surprise",
            remedy="The announcements need eps_actual and eps_estimate, or surprise_pct; or pass surprise=.",
        )
    return table["eps_surprise"]


def aligned(data: pd.DataFrame, results: EventStudyResults, event_ids: pd.Index) -> pd.DataFrame:
    """Further covariates on the rows of the used events."""
    if data.columns.has_duplicates:
        raise InputError(
            "columns that appear twice: " + in_words(data.columns[data.columns.duplicated()].unique()), parameter="data"
        )
    if data.columns.isin(RESPONSES).any():
        raise ParameterError(
            "car and bhar come from the results", parameter="data", remedy="Give the column another name."
        )
    if "event_id" in data.columns:
        data = data.set_index("event_id")
    if data.index.has_duplicates:
        raise InputError(
            "events that appear twice: " + in_words(data.index[data.index.duplicated()].unique()), parameter="data"
        )
    if data.index.nlevels > 1 or data.index.equals(results.index):
        return data.reindex(results.index).set_index(event_ids)
    if not data.index.isin(event_ids).any():
        raise InputError(
            "no row belongs to a used event",
            parameter="data",
            allowed="an index of event ids, or that of results.events",
            remedy=f"An event id looks like {event_ids[0]!r}." if len(event_ids) else None,
        )
    return data.reindex(event_ids)


def formula_names(formula: str, available: Sequence[str]) -> Names:
    """Columns that a formula uses, on the left and on the right.

    Raises
    ------
    ParameterError
        If the formula cannot be read, has no left side, or names what is no column.
    """
    if not isinstance(formula, str) or "~" not in formula or not formula.split("~")[0].strip():
        raise ParameterError(
            "no formula with a response", parameter="formula", value=formula, allowed="such as 'car ~ eps_surprise'"
        )
    try:
        described = patsy.ModelDesc.from_formula(formula)
        sides = [
            [factor.code for term in terms for factor in term.factors]
            for terms in (described.lhs_termlist, described.rhs_termlist)
        ]
        found = [tuple(dict.fromkeys(name for code in codes for name in _names(code, available))) for codes in sides]
    except (patsy.PatsyError, SyntaxError) as error:
        raise ParameterError(
            f"the formula cannot be read: {str(error).splitlines()[0]}", parameter="formula", value=formula
        ) from error
    both = [name for name in found[0] if name in found[1]]
    if both:
        raise ParameterError(
            f"{in_words(both)} on both sides, so it would explain itself", parameter="formula", value=formula
        )
    known = set(available) | set(DERIVED) | set(RESPONSES)
    unknown = [name for side in found for name in side if name not in known]
    if unknown:
        raise ParameterError(
            "the formula names no covariate of the announcements: " + in_words(dict.fromkeys(unknown)),
            parameter="formula",
            value=formula,
            allowed=in_words(sorted(known)),
            remedy=" ".join(filter(None, [nearest(name, sorted(known)) for name in unknown])) or None,
        )
    return Names(*found)


def _names(code: str, available: Sequence[str]) -> list[str]:
    """Variables in one factor, functions and constants apart; ``Q("odd name")`` counts as its text."""
    tree = ast.parse(code, mode="eval")
    quoted = [
        str(node.args[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "Q"
        and node.args
        and isinstance(node.args[0], ast.Constant)
    ]
    free = _FREE_NAMES - set(available)
    plain = [node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id not in free]
    return [*plain, *quoted]


def complete_rows(frame: pd.DataFrame, names: Names, further: Sequence[str] = ()) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Events with every column that a formula uses, and the ledger of the others.

    Returns
    -------
    sample : DataFrame
    ledger : DataFrame indexed by ``event_id``
        ``ticker, day_zero, status`` (``used`` or ``left out``) and ``reason``.

    Raises
    ------
    InputError
        If a column is missing for every event, infinite for some, or does not vary.
    """
    needed = list(dict.fromkeys([*names.all, *further]))
    absent = [name for name in needed if name not in frame.columns]
    if absent:
        raise InputError(
            "the announcements have no column to make this from: " + in_words(absent),
            parameter="formula",
            remedy="A surprise needs eps_actual (and eps_estimate), a revenue surprise revenue_actual and "
            "revenue_estimate; bhar needs a market return.",
        )
    missing = frame[needed].isna()
    for name in names.covariates:
        missing[name] |= frame[name].eq("no estimate") if frame[name].dtype == object else False
    empty = [name for name in needed if missing[name].all()]
    if empty:
        raise InputError(
            f"no event has a value of {in_words(empty)}",
            parameter="formula",
            remedy="surprises.table(announcements) has the reason for each event in its column 'note'."
            if set(empty) & set(DERIVED)
            else "Fill the column, choose another window, or leave it out.",
        )
    infinite = [
        (row, name, float(frame.at[row, name]), "infinite")
        for name in needed
        if pd.api.types.is_float_dtype(frame[name])
        for row in frame.index[np.isinf(frame[name].to_numpy(dtype=float))]
    ]
    if infinite:
        raise InputError("infinite covariates", parameter="data", rows=offences(infinite))
    reason = pd.Series("", index=frame.index, dtype=object)
    for name in reversed(needed):
        reason[missing[name]] = "a day of the window is missing" if name in RESPONSES else f"no {name}"
    ledger = frame[["ticker", "day_zero"]].copy()
    ledger["status"] = np.where(reason == "", "used", "left out").astype(object)
    ledger["reason"] = reason
    sample = frame[reason == ""].copy()
    for name in names.covariates:
        # A category that no event of the sample has would be a column of zeros.
        if isinstance(sample[name].dtype, pd.CategoricalDtype):
            sample[name] = sample[name].cat.remove_unused_categories()
    check_variation(sample, names)
    return sample, ledger


def design_matrices(formula: str, sample: pd.DataFrame) -> tuple[pd.Series, pd.DataFrame]:
    """Response and regressors of a formula; events with an undefined term are left out.

    Raises
    ------
    ParameterError
        If the formula cannot be evaluated, or its left side is no number.
    """
    try:
        y, X = patsy.dmatrices(formula, sample, return_type="dataframe", NA_action="drop")
    except (patsy.PatsyError, TypeError, ValueError) as error:
        raise not_evaluated(formula, error) from error
    if y.shape[1] != 1:
        raise no_number(formula)
    return y.iloc[:, 0], X


def not_evaluated(formula: str, error: Exception) -> ParameterError:
    """What to raise when a formula fails on the data."""
    return ParameterError(
        f"the formula cannot be evaluated: {str(error).splitlines()[0]}", parameter="formula", value=formula
    )


def no_number(formula: str) -> ParameterError:
    """What to raise when a formula's left side is a category."""
    return ParameterError(
        "the response is no number", parameter="formula", value=formula, allowed="car, bhar or a numeric column"
    )


def check_variation(sample: pd.DataFrame, names: Names) -> None:
    """Refuse columns that do not vary: their coefficient does not exist."""
    if not len(sample):
        raise InputError(
            "no event has every column of the formula",
            parameter="formula",
            remedy="Each column has values, but no event has all of them; look at the regression's ledger one by one.",
        )
    constant = [name for name in names.all if sample[name].nunique() < 2]
    if constant:
        whose = f"all {len(sample)} events" if len(sample) > 1 else "the only event"
        raise InputError(
            "no variation on this sample: "
            + in_words(f"{name} is {_shown(sample[name].iloc[0])} for {whose}" for name in constant),
            parameter="formula",
            remedy="Leave it out, or use a sample on which it varies.",
        )


def _shown(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) and value != round(value, 6) else str(value)


def check_design(X: pd.DataFrame, events: pd.Index, parameter: str = "formula") -> None:
    """Refuse a design that does not identify its coefficients.

    ``parameter`` is the argument that the columns come from; messages speak of a formula's terms and covariates
    where that is the formula.

    Raises
    ------
    InputError
        Fewer events than parameters, infinite terms, or perfect collinearity, with the columns concerned.
    """
    n, k = X.shape
    if n <= k:
        raise InputError(
            f"{n} event{'' if n == 1 else 's'} cannot identify {k} parameters",
            parameter=parameter,
            remedy="Use fewer covariates, and see that none is text with a value for every event.",
        )
    values = X.to_numpy(dtype=np.float64)
    bad = ~np.isfinite(values)
    if bad.any():
        raise InputError(
            "terms of the formula are infinite for some events" if parameter == "formula" else "infinite values",
            parameter=parameter,
            rows=offences((events[i], X.columns[j], float(values[i, j]), "infinite") for i, j in np.argwhere(bad)),
        )
    involved = collinear_columns(values)
    if involved:
        raise InputError(
            "perfect collinearity among " + in_words(X.columns[j] for j in involved),
            parameter=parameter,
            remedy="Leave one of them out"
            + ("; a covariate may also be constant within the fixed effects." if parameter == "formula" else "."),
        )


def collinear_columns(values: Floats, tolerance: float = 1e-10) -> list[int]:
    """Columns that take part in a linear dependence; empty when there is none."""
    norms = np.linalg.norm(values, axis=0)
    zero = np.flatnonzero(norms == 0)
    if len(zero):
        return [int(j) for j in zero]
    _, singular, rotation = np.linalg.svd(values / norms, full_matrices=False)
    null = rotation[singular < tolerance * singular[0]]
    if not len(null):
        return []
    return [int(j) for j in np.flatnonzero((np.abs(null) > 1e-6).any(axis=0))]
