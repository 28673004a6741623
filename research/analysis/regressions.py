"""Cross-sectional regressions of the reaction on what was announced (METHODS 6).

The response is a generated variable, so its variance is never assumed known: standard
errors are heteroskedasticity-consistent, or clustered, or bootstrapped.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import patsy
import statsmodels.api as sm
import statsmodels.formula.api as smf

from research.analysis import clusters
from research.analysis._design import (
    PERIODS,
    Names,
    check_design,
    check_variation,
    collinear_columns,
    complete_rows,
    event_frame,
    formula_names,
    no_number,
    not_evaluated,
)
from research.errors import InputError, ParameterError, ResearchWarning, in_words, nearest
from research.study.results import EventStudyResults

COVARIANCES = ("nonrobust", "HC0", "HC1", "HC2", "HC3")


def regress(
    results: EventStudyResults,
    formula: str,
    window: tuple[int, int] = (0, 1),
    *,
    covariance: str | None = None,
    cluster: str | Sequence[str] | None = None,
    fixed_effects: str | Sequence[str] = (),
    data: pd.DataFrame | None = None,
) -> Any:
    r"""Least squares of the abnormal return of a window on covariates of the announcements.

    .. math::  CAR_i = a + b'z_i + u_i

    Parameters
    ----------
    results : EventStudyResults
    formula : str
        Such as ``"car ~ eps_surprise + ln_size"``; ``bhar`` as response for buy-and-hold
        returns. Covariates are the columns of ``results.events`` and of ``data``, the
        derived ``eps_surprise, surprise_class, sue, sue_seasonal, sue_foster,
        revenue_surprise``, and ``timing, week, month, quarter, year`` of day zero.
    window : (int, int), default (0, 1)
        Relative days of the response.
    covariance : {"HC3", "HC2", "HC1", "HC0", "nonrobust"}, optional
    cluster : str or list of one or two, optional
        Columns to cluster on, such as ``["ticker", "day_zero"]``. Two ways:
        :math:`V_1 + V_2 - V_{1\cap2}`, each with its own CR1 factor, and the Student
        distribution with ``min(G) - 1`` degrees of freedom.
    fixed_effects : str or list, optional
        Columns with one dummy a value, such as ``"ticker"``, ``"day_zero"``, ``"quarter"``. Events
        alone in their value are left out (they would be fitted without error).
    data : DataFrame, optional
        Further covariates, indexed by ``event_id`` or like ``results.events``.

    Returns
    -------
    statsmodels RegressionResults
        With attributes of ours: ``sample`` (the events used and their columns), ``ledger``
        (every event with the reason why it was left out), ``inference`` (a sentence on how
        standard errors were computed) and ``choices`` (the same for :func:`compare`). With neither ``covariance`` nor
        ``cluster`` the choice is: by ticker and day zero where both have at least 30
        clusters; by day zero where firms or dates repeat otherwise; HC3 where neither does.

    Raises
    ------
    ParameterError
        A formula that names an unknown covariate or cannot be read; an unknown covariance or
        cluster; a single cluster.
    InputError
        A column that is missing for every event or does not vary, perfect collinearity, fewer
        events than parameters, an event with leverage 1 under HC2 or HC3.

    Warns
    -----
    ResearchWarning
        Fewer than 30 clusters in a dimension (use
        :func:`research.analysis.bootstrap.wild_cluster_bootstrap`), or a two-way covariance
        that was not positive semidefinite.

    Notes
    -----
    Sources: MacKinnon and White (1985, Journal of Econometrics 29) for HC3; Cameron, Gelbach
    and Miller (2011, JBES 29) and Thompson (2011, JFE 99) for two-way clustering.
    """
    if covariance is not None and cluster is not None:
        raise ParameterError("give covariance or cluster, not both", parameter="covariance", value=covariance)
    if covariance is not None and covariance not in COVARIANCES:
        raise ParameterError(
            "unknown covariance",
            parameter="covariance",
            value=covariance,
            allowed=", ".join(COVARIANCES) + "; for clusters use cluster=",
            remedy=nearest(str(covariance), COVARIANCES) or None,
        )
    by = None if cluster is None else _columns("cluster", cluster)
    if by == []:
        raise ParameterError("no column", parameter="cluster", value=cluster, allowed="one or two columns")
    effects = _columns("fixed_effects", fixed_effects)
    sample, ledger, names = prepare(results, formula, window, data, [*(by or []), *effects])
    sample, ledger = _drop_singletons(sample, ledger, effects)
    model = _model(formula, sample, names, effects)
    kept = pd.Index(model.data.row_labels)
    ledger.loc[sample.index.difference(kept), ["status", "reason"]] = ["left out", "a term is undefined"]
    sample = sample.loc[kept]
    if covariance is None and by is None:
        by, covariance = _choose(sample)
    fitted = _clustered(model, sample, by) if by else _robust(model, covariance or "HC3")
    fitted.sample = sample
    fitted.ledger = ledger
    fitted.inference = _inference(sample, by, covariance, effects)
    fitted.choices = {
        "standard errors": f"clustered by {' and '.join(by)}" if by else str(covariance),
        "clusters": ", ".join(f"{sample[name].nunique():,}" for name in by) if by else "–",
        "fixed effects": " and ".join(effects) or "–",
    }
    return fitted


def _columns(parameter: str, value: object) -> list[str]:
    """One name, or several."""
    names = [value] if isinstance(value, str) else list(value) if isinstance(value, Iterable) else None
    if names is None or not all(isinstance(name, str) for name in names):
        raise ParameterError("no column names", parameter=parameter, value=value, allowed="a name or a list of names")
    return names


def prepare(
    results: EventStudyResults,
    formula: str,
    window: tuple[int, int],
    data: pd.DataFrame | None = None,
    further: Sequence[str] = (),
) -> tuple[pd.DataFrame, pd.DataFrame, Names]:
    """Events that a formula can use, the ledger of all, and the columns it names.

    ``further`` columns (clusters, fixed effects) are checked to exist, and events without them are left out.
    """
    if data is not None and not isinstance(data, pd.DataFrame):
        raise ParameterError("not a DataFrame", parameter="data", value=type(data).__name__)
    base = [str(name) for name in results.events.columns] + list(PERIODS)
    extra = [] if data is None else [str(name) for name in data.columns]
    names = formula_names(formula, [*base, *extra])
    frame = event_frame(results, window, [*names.all, *further], data)
    for name in further:
        if name not in frame.columns:
            known = [str(column) for column in frame.columns]
            raise ParameterError(
                "no such column", parameter="cluster or fixed_effects", value=name, allowed=in_words(known),
                remedy=nearest(str(name), known) or None,
            )  # fmt: skip
    sample, ledger = complete_rows(frame, names, further)
    return sample, ledger, names


def _drop_singletons(
    sample: pd.DataFrame, ledger: pd.DataFrame, effects: Sequence[str]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Leave out events that are alone in a fixed effect, until none is (Correia 2015)."""
    ledger = ledger.copy()
    while effects:
        alone = pd.Series(False, index=sample.index)
        for name in effects:
            alone |= sample.groupby(name)[name].transform("size") == 1
        if not alone.any():
            break
        ledger.loc[sample.index[alone], ["status", "reason"]] = ["left out", "alone in a fixed effect"]
        sample = sample[~alone]
    if effects and not len(sample):
        raise InputError(
            "every event is alone in a fixed effect", parameter="fixed_effects", value=list(effects),
            remedy="Choose a coarser one, such as quarter.",
        )  # fmt: skip
    return sample, ledger


def _model(formula: str, sample: pd.DataFrame, names: Names, effects: Sequence[str]) -> Any:
    """An OLS model with a checked design."""
    try:
        model = smf.ols(formula, sample, missing="drop")
    except (patsy.PatsyError, TypeError, ValueError) as error:
        raise not_evaluated(formula, error) from error
    if np.ndim(model.endog) != 1:
        raise no_number(formula)
    X = pd.DataFrame(np.asarray(model.exog), index=model.data.row_labels, columns=model.exog_names)
    if effects:
        check_variation(sample, names)
        X = _with_dummies(X, sample.loc[X.index], effects)
        model = sm.OLS(pd.Series(np.asarray(model.endog), index=X.index, name=model.endog_names), X)
    check_design(X, X.index)
    return model


def _with_dummies(X: pd.DataFrame, sample: pd.DataFrame, effects: Sequence[str]) -> pd.DataFrame:
    """The design with one dummy a value of each fixed effect, redundant dummies left out."""
    parts = [X if "Intercept" in X.columns else X.assign(Intercept=1.0)]
    for name in effects:
        dummies = pd.get_dummies(sample[name].astype(str), prefix=name, prefix_sep="=", dtype=float)
        parts.append(dummies.iloc[:, 1:])
    fixed = pd.concat([parts[0][["Intercept"]], *parts[1:]], axis=1)
    # Two sets of effects may hang together in several separate blocks: each costs one dummy more.
    if len(effects) > 1:
        fixed = fixed.iloc[:, independent_columns(fixed.to_numpy())]
    return pd.concat([parts[0].drop(columns="Intercept"), fixed], axis=1)


def independent_columns(values: np.ndarray) -> list[int]:
    """Positions of columns that are no combination of earlier ones, by elimination in their order."""
    if not collinear_columns(values):
        return list(range(values.shape[1]))
    kept: list[int] = []
    basis = np.empty((values.shape[0], 0))
    for j, column in enumerate(values.T):
        rest = column - basis @ (basis.T @ column)
        rest = rest - basis @ (basis.T @ rest)
        size = float(np.linalg.norm(rest))
        if size > 1e-8 * np.linalg.norm(column):
            kept.append(j)
            basis = np.column_stack([basis, rest / size])
    return kept


def _choose(sample: pd.DataFrame) -> tuple[list[str] | None, str | None]:
    """Clusters by the rule of METHODS 8.5."""
    firms, days = sample["ticker"].nunique(), sample["day_zero"].nunique()
    if firms == len(sample) and days == len(sample):
        return None, "HC3"
    if min(firms, days) >= clusters.FEW_CLUSTERS:
        return ["ticker", "day_zero"], None
    return ["day_zero"] if days > 1 else ["ticker"], None


def _robust(model: Any, covariance: str) -> Any:
    """A fit with a heteroskedasticity-consistent covariance and the Student distribution."""
    if covariance in ("HC2", "HC3"):
        X = np.asarray(model.exog, dtype=np.float64)
        leverage = np.einsum("ij,ij->i", X, np.linalg.solve(X.T @ X, X.T).T)
        full = np.flatnonzero(leverage > 1 - 1e-9)
        if len(full):
            labels = model.data.row_labels
            raise InputError(
                "events that alone decide a coefficient (leverage 1): " + in_words(labels[i] for i in full),
                parameter="covariance",
                value=covariance,
                remedy="Merge the category that only they have, or leave them out.",
            )
    return model.fit(cov_type=covariance, use_t=True)


def _clustered(model: Any, sample: pd.DataFrame, by: Sequence[str]) -> Any:
    """A fit with a clustered covariance; one that is not positive semidefinite is repaired and told."""
    groups = clusters.cluster_codes(sample, by)
    keywords = {"groups": groups if len(by) > 1 else groups[:, 0], "use_correction": True, "df_correction": True}
    fitted = model.fit(cov_type="cluster", cov_kwds=keywords, use_t=True)
    if len(by) > 1:
        repaired, clipped = clusters.positive_semidefinite(np.asarray(fitted.cov_params()))
        if clipped:
            fitted = model.fit(cov_type="cluster", cov_kwds=keywords, use_t=True)
            fitted._results.cov_params_default = repaired
            clusters.warn_clipped(by)
    counts = {name: int(groups[:, j].max()) + 1 for j, name in enumerate(by)}
    few = [f"{count} by {name}" for name, count in counts.items() if count < clusters.FEW_CLUSTERS]
    if few:
        warnings.warn(
            f"few clusters ({in_words(few)}): a Student test on this covariance rejects too often; "
            "use wild_cluster_bootstrap, or cluster by day zero with firm effects",
            ResearchWarning,
            stacklevel=3,
        )
    return fitted


def _inference(sample: pd.DataFrame, by: Sequence[str] | None, covariance: str | None, effects: Sequence[str]) -> str:
    """How the standard errors were computed."""
    if by:
        counts = in_words(f"{sample[name].nunique()} by {name}" for name in by)
        text = f"clustered ({counts}), CR1 factors, Student with min(G) - 1 degrees of freedom"
    else:
        text = f"{covariance}, Student with n - k degrees of freedom"
    return text + (f"; fixed effects of {' and '.join(effects)}" if effects else "")
