"""Covariances that let observations of a cluster move together (METHODS 6.3, 6.9)."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from research.errors import InputError, ParameterError, ResearchWarning, in_words, nearest

Floats = NDArray[np.float64]

#: Below this many clusters a Student test on a clustered covariance rejects too often.
FEW_CLUSTERS = 30


def codes(keys: pd.Series) -> NDArray[np.int64]:
    """Labels as integers in the order of the sorted labels, whatever their type.

    Raises
    ------
    InputError
        If a label is missing.
    """
    missing = keys.isna()
    if missing.any():
        raise InputError(
            f"{int(missing.sum())} events have no cluster label in {keys.name!r}",
            parameter="cluster",
            remedy="Fill the labels, or leave those events out of data=.",
        )
    return pd.factorize(keys, sort=True)[0].astype(np.int64)


def one_column(cluster: object) -> str:
    """The name of the one column to cluster by.

    Raises
    ------
    ParameterError
        For anything but a name.
    """
    if not isinstance(cluster, str):
        raise ParameterError("one dimension", parameter="cluster", value=cluster, allowed="the name of a column")
    return cluster


def cluster_codes(sample: pd.DataFrame, by: Sequence[str]) -> NDArray[np.int64]:
    """Integer labels, one column a dimension; each dimension needs two clusters.

    Raises
    ------
    ParameterError
        More than two dimensions, an unknown column, or a single cluster.
    """
    if not 1 <= len(by) <= 2 or len(set(by)) != len(by):
        raise ParameterError(
            "one or two different dimensions", parameter="cluster", value=list(by), allowed="such as ['ticker']"
        )
    columns = []
    for name in by:
        if name not in sample.columns:
            raise ParameterError(
                "no such column",
                parameter="cluster",
                value=name,
                allowed=in_words(sample.columns),
                remedy=nearest(str(name), [str(column) for column in sample.columns]) or None,
            )
        labels = codes(sample[name])
        if labels.max(initial=-1) < 1:
            raise ParameterError(
                f"all {len(sample)} events are in one cluster, so nothing is left to tell clusters apart",
                parameter="cluster",
                value=name,
                allowed="a column with at least two values",
            )
        columns.append(labels)
    return np.column_stack(columns)


def cluster_covariance(X: Floats, residuals: Floats, labels: NDArray[np.int64]) -> Floats:
    r"""One-way cluster-robust covariance of least squares with its CR1 factor.

    .. math::  V = \frac{G}{G-1}\frac{n-1}{n-k}(X'X)^{-1}\Big[\sum_g X_g'u_g u_g'X_g\Big](X'X)^{-1}

    Source: Liang and Zeger (1986, Biometrika 73); the factor as in Stata.
    """
    n, k = X.shape
    clusters = int(labels.max()) + 1
    scores = np.zeros((clusters, k))
    np.add.at(scores, labels, X * residuals[:, None])
    bread = np.linalg.inv(X.T @ X)
    return clusters / (clusters - 1) * (n - 1) / (n - k) * (bread @ (scores.T @ scores) @ bread)


def two_way_covariance(X: Floats, residuals: Floats, labels: NDArray[np.int64]) -> tuple[Floats, bool]:
    r"""Two-way cluster-robust covariance, each part with its own CR1 factor.

    .. math::  V = V_1 + V_2 - V_{1 \cap 2}

    Returns
    -------
    covariance : ndarray of shape (k, k)
        Negative eigenvalues are set to zero.
    clipped : bool
        Whether there were any.

    Notes
    -----
    Sources: Cameron, Gelbach and Miller (2011, Journal of Business and Economic Statistics
    29); Thompson (2011, JFE 99).
    """
    both = pd.factorize(labels[:, 0] * (int(labels[:, 1].max()) + 1) + labels[:, 1], sort=True)[0].astype(np.int64)
    covariance = (
        cluster_covariance(X, residuals, labels[:, 0])
        + cluster_covariance(X, residuals, labels[:, 1])
        - cluster_covariance(X, residuals, both)
    )
    return positive_semidefinite(covariance)


def positive_semidefinite(covariance: Floats) -> tuple[Floats, bool]:
    """The nearest covariance without negative eigenvalues, and whether it had any."""
    roots, vectors = np.linalg.eigh((covariance + covariance.T) / 2)
    # Rounding leaves tiny negative roots in a matrix that is singular; they say nothing.
    if roots[0] >= -1e-12 * max(roots[-1], 0.0):
        return covariance, False
    return (vectors * np.clip(roots, 0.0, None)) @ vectors.T, True


def warn_clipped(by: Sequence[str]) -> None:
    """Tell that a two-way covariance had to be repaired."""
    warnings.warn(
        f"the covariance clustered by {' and '.join(by)} was not positive semidefinite; its negative eigenvalues "
        "were set to zero (Cameron, Gelbach and Miller 2011), so some standard errors are rough",
        ResearchWarning,
        stacklevel=4,
    )


def effective_clusters(fitted: Any, cluster: str, term: str | None = None) -> float:
    r"""How many equal clusters would be as informative as those of a fitted regression.

    .. math::  G^* = \frac{G}{1 + \Gamma}, \qquad \Gamma = \frac1G \sum_g
               \Big(\frac{\gamma_g - \bar\gamma}{\bar\gamma}\Big)^2, \qquad
               \gamma_g = \big(a'(X'X)^{-1}X_g'\mathbf 1\big)^2

    Errors of a cluster are taken to be perfectly correlated, the least favourable case. A
    Student test with far fewer effective than counted clusters rejects too often.

    Parameters
    ----------
    fitted : statsmodels results of :func:`research.analysis.regressions.regress`
    cluster : str
    term : str, optional
        Coefficient concerned; by default the first after the intercept.

    Notes
    -----
    Source: Carter, Schnepel and Steigerwald (2017, Review of Economics and Statistics 99).
    """
    X = np.asarray(fitted.model.exog, dtype=np.float64)
    labels = cluster_codes(fitted.sample, [cluster])[:, 0]
    row = np.linalg.inv(X.T @ X)[term_position(fitted, term)]
    sums = np.zeros(int(labels.max()) + 1)
    np.add.at(sums, labels, X @ row)
    gamma = sums**2
    if gamma.mean() == 0:
        return float("nan")
    return float(len(gamma) / (1 + gamma.var() / gamma.mean() ** 2))


def term_position(fitted: Any, term: str | None) -> int:
    """Position of a coefficient; by default the first after the intercept.

    Raises
    ------
    ParameterError
        For a name that is no coefficient; the nearest is suggested.
    """
    names = [str(name) for name in fitted.model.exog_names]
    if term is None:
        return next((i for i, name in enumerate(names) if name != "Intercept"), 0)
    if term not in names:
        raise ParameterError(
            "no such coefficient",
            parameter="term",
            value=term,
            allowed=in_words(names),
            remedy=nearest(str(term), names) or None,
        )
    return names.index(term)
