"""Parametric tests of METHODS 4.2 to 4.9 and the clustered ones of 4.16 to 4.18."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from research.study.correlation import MeanCorrelation
from research.study.outcomes import (
    MEAN,
    MEAN_STANDARDISED,
    NORMAL,
    TestResult,
    WindowSample,
    joined,
    mean_t,
    no_spread,
    normal,
    student,
    undefined,
)
from research.study.resampling import jackknife_t, t_statistics, wild_p_value

Floats = NDArray[np.float64]

#: Caveat of every correction by estimation-window correlation (METHODS 8.3).
CAVEAT = "r from the estimation window: correlation that the event day adds is not captured"


def cross_sectional_t(sample: WindowSample) -> TestResult:
    r"""Cross-sectional t (METHODS 4.2).

    .. math::  t = \frac{\bar C}{sd_{N-1}(CAR)/\sqrt N} \sim t(N-1)

    Needs independent events; robust to event-induced variance.
    Source: Brown and Warner (1980, JFE 8).
    """
    return mean_t("cross_sectional_t", sample.car, MEAN, "sd of CAR with divisor N-1")


def portfolio_z(sample: WindowSample) -> TestResult:
    r"""Mean CAR over its forecast-error variance (METHODS 4.3).

    .. math::  z = \frac{\bar C}{\sqrt{N^{-2} \sum_i Var_i}} \sim N(0, 1)

    Not robust to event-induced variance or correlation.
    Source: MacKinlay (1997, JEL 35); Campbell, Lo and MacKinlay (1997), J1.
    """
    name, definition, n = "portfolio_z", "full forecast-error variance of each CAR", len(sample.car)
    total = sample.variance.sum()
    if n == 0 or not total > 0:
        return undefined(name, n, MEAN, NORMAL, definition, "no event with variance")
    return normal(name, sample.car.sum() / np.sqrt(total), n, MEAN, definition)


def crude_dependence_t(sample: WindowSample) -> TestResult:
    r"""Crude dependence adjustment (METHODS 4.4).

    .. math::  t = \frac{\bar C}{\sqrt L\, \hat S}, \quad \hat S = sd_{T-1}(\bar A_\tau), \quad
               \bar A_\tau = \text{mean}_i\, AR_{i\tau} \text{ over EST}

    Ignores estimation error: over-rejects for windows long against the estimation window.
    Source: Brown and Warner (1980, JFE 8; 1985, JFE 14).
    """
    name, definition, n = (
        "crude_dependence_t",
        "sd of the mean residual by event-time day, divisor T-1",
        len(sample.car),
    )
    if n == 0 or sample.sums is None:
        return undefined(name, n, MEAN, "t(T-1)", definition, "no event left")
    present = sample.sums.present[: sample.n_estimation]
    means = sample.sums.residual[present > 0] / present[present > 0]
    if len(means) < 2 or no_spread(means):
        return undefined(name, n, MEAN, "t(T-1)", definition, "no variance over the estimation days")
    t = sample.car.mean() / (np.sqrt(sample.length) * means.std(ddof=1))
    return student(name, t, len(means) - 1, n, MEAN, definition)


def _patell(name: str, values: Floats, sample: WindowSample, definition: str) -> TestResult:
    """Sum of standardised values over the root of the sum of their variances."""
    exists = np.isfinite(values)
    df, n = sample.df[exists], int(exists.sum())
    lost = len(values) - n
    note = f"{lost} event(s) without estimation variance left out" if lost else ""
    if n == 0:
        return undefined(name, 0, MEAN_STANDARDISED, NORMAL, definition, joined(note, "no event left"))
    if (df <= 2).any():
        reason = "an event has M - k <= 2, so its SCAR has no variance"
        return undefined(name, n, MEAN_STANDARDISED, NORMAL, definition, joined(note, reason))
    z = values[exists].sum() / np.sqrt((df / (df - 2)).sum())
    return normal(name, z, n, MEAN_STANDARDISED, definition, note)


def patell_z(sample: WindowSample) -> TestResult:
    r"""Patell's Z in its canonical form (METHODS 4.5).

    .. math::  Z = \frac{\sum_i SCAR_i}{\sqrt{\sum_i Q_i}}, \quad
               Q_i = \frac{M_i - k}{M_i - k - 2} \sim N(0, 1)

    Invalid under event-induced variance and under cross-correlation.
    Source: Patell (1976, Journal of Accounting Research 14).
    """
    definition = "SCAR with full forecast-error covariance; Q = (M-k)/(M-k-2)"
    return _patell("patell_z", sample.scar, sample, definition)


def patell_z_1976(sample: WindowSample) -> TestResult:
    r"""Patell's Z as printed in 1976 (METHODS 4.5b).

    .. math::  Z = \frac{\sum_i L^{-1/2} \sum_t SAR_{it}}{\sqrt{\sum_i Q_i}}, \quad
               SAR_{it} = \frac{AR_{it}}{s_i \sqrt{C_{tt}}}

    The serial covariance of forecast errors is ignored; equal to ``patell_z`` for one day.
    """
    definition = "daily SAR summed over root L, serial covariance ignored; Q = (M-k)/(M-k-2)"
    return _patell("patell_z_1976", sample.day_scar, sample, definition)


def adjusted_patell_z(sample: WindowSample) -> TestResult:
    r"""Patell's Z with the overlap-weighted correlation (METHODS 4.6).

    .. math::  Z \sqrt{\frac{1}{1 + (N - 1)\bar r}}

    Source: Kolari and Pynnonen (2010, Review of Financial Studies 23), eq. 13.
    """
    plain = patell_z(sample)
    name, n = "adjusted_patell_z", plain.n_events
    if np.isnan(plain.statistic):
        return undefined(name, n, MEAN_STANDARDISED, NORMAL, plain.definition, plain.note)
    mean = sample.correlations["overlap"]()
    inflation = 1 + (n - 1) * mean.value if n > 1 else 1.0
    definition = f"{plain.definition}; {_described('overlap', mean)}"
    if inflation <= 0:
        return undefined(name, n, MEAN_STANDARDISED, NORMAL, definition, "1 + (N-1) r is not positive")
    return normal(name, plain.statistic / np.sqrt(inflation), n, MEAN_STANDARDISED, definition, CAVEAT)


def bmp_t(sample: WindowSample) -> TestResult:
    r"""Standardised cross-sectional t (METHODS 4.7).

    .. math::  t = \frac{\overline{SCAR}}{sd_{N-1}(SCAR)/\sqrt N} \sim t(N-1)

    Robust to event-induced variance, not to cross-correlation.
    Source: Boehmer, Musumeci and Poulsen (1991, JFE 30).
    """
    scar = sample.scar[sample.exists]
    return mean_t("bmp_t", scar, MEAN_STANDARDISED, "sd of SCAR with divisor N-1", sample.lost())


def adjusted_bmp(sample: WindowSample, kind: str) -> TestResult:
    r"""BMP with a mean residual correlation (METHODS 4.8), the headline with ``kind="overlap"``.

    .. math::  t_{BMP} \sqrt{\frac{1 - \bar r}{1 + (N - 1)\bar r}} \sim t(N-1)

    Parameters
    ----------
    kind : {"overlap", "calendar", "event"}
        Which mean: over pairs weighted by the overlap of their windows; over all pairs by
        calendar day (right only if all windows coincide); by relative day (compares
        different days when dates differ).

    Notes
    -----
    Source: Kolari and Pynnonen (2010, RFS 23), eq. 10; partially overlapping windows are
    treated by Kolari, Pape and Pynnonen (2018, SSRN 3167271).
    """
    name = "adjusted_bmp_t" if kind == "overlap" else f"adjusted_bmp_t_{kind}"
    plain = bmp_t(sample)
    n = plain.n_events
    if np.isnan(plain.statistic):
        return undefined(name, n, MEAN_STANDARDISED, plain.distribution, plain.definition, plain.note)
    mean = sample.correlations[kind]()
    definition = f"sd of SCAR with divisor N-1; {_described(kind, mean)}"
    if np.isnan(mean.value):
        note = joined(plain.note, "no pair of events has 30 common days")
        return undefined(name, n, MEAN_STANDARDISED, plain.distribution, definition, note)
    if 1 + (n - 1) * mean.value <= 0 or mean.value >= 1:
        note = joined(plain.note, "1 + (N-1) r is not positive, or r is 1")
        return undefined(name, n, MEAN_STANDARDISED, plain.distribution, definition, note)
    scale = np.sqrt((1 - mean.value) / (1 + (n - 1) * mean.value))
    return student(name, plain.statistic * scale, n - 1, n, MEAN_STANDARDISED, definition, joined(plain.note, CAVEAT))


_KINDS = {
    "overlap": "overlap-weighted over calendar days",
    "calendar": "plain mean over calendar days",
    "event": "plain mean by relative day",
}


def _described(kind: str, mean: MeanCorrelation) -> str:
    short = f", {mean.n_short} pairs below 30 common days" if mean.n_short else ""
    return f"r = {mean.value:.5f}, {_KINDS[kind]}{short}"


def skewness_adjusted(values: Floats, centre: float | Floats = 0.0, kind: str = "hall") -> Floats:
    r"""Skewness-adjusted t of Johnson or Hall, row by row (METHODS 4.9).

    .. math::  t_J = \sqrt N\left(S + \tfrac{\gamma S^2}{3} + \tfrac{\gamma}{6N}\right), \quad
               t_H = \sqrt N\left(S + \tfrac{\gamma S^2}{3} + \tfrac{\gamma^2 S^3}{27} + \tfrac{\gamma}{6N}\right)

    with :math:`S = (\bar C - c)/s`, s with divisor N-1, and
    :math:`\gamma = \sum d^3 / (N s^3)` (Lyon, Barber and Tsai 1999, JF 54).

    Parameters
    ----------
    values : ndarray of shape (..., N)
    centre : float
        ``c``, the mean under the null.
    """
    n = values.shape[-1]
    mean, s = values.mean(axis=-1), values.std(axis=-1, ddof=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        gamma = ((values - mean[..., None]) ** 3).sum(axis=-1) / (n * s**3)
        ratio = (mean - centre) / s
    cubic = gamma**2 * ratio**3 / 27 if kind == "hall" else 0.0
    return np.asarray(np.sqrt(n) * (ratio + gamma * ratio**2 / 3 + cubic + gamma / (6 * n)))


#: What simulation says of both skewness-adjusted tests; docs/methods.md has the rates.
LIBERAL = "too liberal: rejects 6 to 9 of 100 true nulls"


def _skewness_t(name: str, kind: str, sample: WindowSample) -> TestResult:
    definition, n = "gamma lbt: sum d^3/(N s^3), s with N-1", len(sample.car)
    if n < 3 or no_spread(sample.car):
        return undefined(name, n, MEAN, "t(N-1)", definition, "needs at least 3 events that differ")
    return student(name, float(skewness_adjusted(sample.car, kind=kind)), n - 1, n, MEAN, definition, LIBERAL)


def johnson_t(sample: WindowSample) -> TestResult:
    """Johnson's skewness-adjusted t (METHODS 4.9). Source: Johnson (1978, JASA 73)."""
    return _skewness_t("johnson_t", "johnson", sample)


def hall_t(sample: WindowSample) -> TestResult:
    """Hall's skewness-adjusted t (METHODS 4.9). Source: Hall (1992, JRSS-B 54)."""
    return _skewness_t("hall_t", "hall", sample)


def _clustered(name: str, values: Floats, keep: NDArray[np.bool_], null: str, sample: WindowSample) -> TestResult:
    clusters, definition = sample.clusters(values[keep], keep), "clusters: day zero; factor G/(G-1)"
    g, n = len(clusters), int(keep.sum())
    if g < 2:
        return undefined(name, n, null, "t(G-1)", definition, "needs at least 2 dates")
    t = float(t_statistics(clusters.total, clusters.size))
    if not np.isfinite(t):
        return undefined(name, n, null, f"t({g - 1})", definition, "no variance across dates")
    longer = (
        "windows longer than a day overlap across dates, which clusters by date ignore" if sample.length > 1 else ""
    )
    return student(name, t, g - 1, n, null, f"{definition}; G = {g}", longer)


def date_clustered_t(sample: WindowSample) -> TestResult:
    r"""Mean CAR with standard errors clustered by day zero (METHODS 4.16).

    .. math::  se^2 = \frac{G}{G-1} \sum_g \Big(\sum_{i \in g} d_i\Big)^2 / N^2 \quad t(G-1)
    """
    return _clustered("date_clustered_t", sample.car, np.ones(len(sample.car), dtype=bool), MEAN, sample)


def date_clustered_scar_t(sample: WindowSample) -> TestResult:
    """Mean SCAR with standard errors clustered by day zero (METHODS 4.16)."""
    return _clustered("date_clustered_scar_t", sample.scar, sample.exists, MEAN_STANDARDISED, sample)


def wild_bootstrap(sample: WindowSample) -> TestResult:
    """Wild cluster bootstrap of the mean CAR by day zero, the null imposed (METHODS 4.17).

    Source: Cameron, Gelbach and Miller (2008, Review of Economics and Statistics 90).
    """
    name, clusters, n = "wild_bootstrap", sample.clusters(sample.car), len(sample.car)
    definition = "Rademacher weights by day zero, null imposed"
    if len(clusters) < 2:
        return undefined(name, n, MEAN, "bootstrap", definition, "needs at least 2 dates")
    t, p_value, how = wild_p_value(clusters, sample.seed, sample.draws)
    if np.isnan(t):
        return undefined(name, n, MEAN, "bootstrap", definition, "no variance across dates")
    return TestResult(name, t, np.nan, p_value, n, MEAN, "bootstrap", f"{definition}; {how}; G = {len(clusters)}")


def cluster_jackknife_t(sample: WindowSample) -> TestResult:
    """Mean CAR with the cluster jackknife CV3J by day zero (METHODS 4.18)."""
    name, clusters, n = "cluster_jackknife_t", sample.clusters(sample.car), len(sample.car)
    g, definition = len(clusters), "CV3J, clusters: day zero"
    if g < 2:
        return undefined(name, n, MEAN, "t(G-1)", definition, "needs at least 2 dates")
    t = jackknife_t(clusters)
    if np.isnan(t):
        return undefined(name, n, MEAN, f"t({g - 1})", definition, "no variance across dates")
    return student(name, t, g - 1, n, MEAN, f"{definition}; G = {g}")
