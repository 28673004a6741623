"""Rank and sign tests of METHODS 4.10 to 4.15."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from research.study.outcomes import NORMAL, TestResult, WindowSample, joined, normal, student, undefined

Floats = NDArray[np.float64]

RANK_NULL = "the event days rank like any other day"
SIGN_NULL = "positive and negative CARs are equally likely"

#: Up to this many values without ties the signed-rank p-value is exact.
EXACT = 50


def _corrado(name: str, total: Floats, sample: WindowSample, definition: str) -> TestResult:
    r"""Sum of the window's scaled mean ranks over their standard deviation."""
    n = len(sample.car)
    if n == 0 or sample.sums is None:
        return undefined(name, n, RANK_NULL, NORMAL, definition, "no event left")
    present = sample.sums.present
    with np.errstate(divide="ignore", invalid="ignore"):
        q = np.where(present > 0, total / np.sqrt(present), np.nan)
    spread = np.sqrt(np.nanmean(q**2))
    if not spread > 0:
        return undefined(name, n, RANK_NULL, NORMAL, definition, "the ranks have no variance")
    window = q[sample.n_estimation :][sample.columns]
    if np.isnan(window).any():
        return undefined(name, n, RANK_NULL, NORMAL, definition, "a day of the window has no event")
    return normal(name, window.sum() / (np.sqrt(sample.length) * spread), n, RANK_NULL, definition)


def corrado_rank_z(sample: WindowSample) -> TestResult:
    r"""Rank test in the form that allows missing days (METHODS 4.10).

    .. math::  U_{i\tau} = \frac{rank}{n_i + 1} - \tfrac12, \quad
               q_\tau = N_\tau^{-1/2} \sum_i U_{i\tau}, \quad
               z = \frac{\sum_{\tau \in W} q_\tau}{\sqrt{L}\, S}, \quad S^2 = \text{mean}_\tau\, q_\tau^2

    Ranks over EST and the whole EVT. Loses its size under event-induced variance.
    Source: Corrado (1989, JFE 23); Corrado and Zivney (1992, JFQA 27); Cowan (1992, RQFA 2).
    """
    total = sample.sums.corrado if sample.sums is not None else np.empty(0)
    return _corrado("corrado_rank_z", total, sample, "ranks over EST and the whole event window, ties averaged")


def corrado_zivney_z(sample: WindowSample) -> TestResult:
    """Rank test with event-day variance removed (METHODS 4.11).

    As :func:`corrado_rank_z` on standardised returns, those of the event window divided by
    their day's cross-sectional standard deviation. Source: Corrado and Zivney (1992, JFQA 27).
    """
    total = sample.sums.corrado_zivney if sample.sums is not None else np.empty(0)
    definition = "as corrado_rank_z, event-window SAR over their day's cross-sectional sd (N-1)"
    if len(sample.car) < 2:
        return undefined("corrado_zivney_z", len(sample.car), RANK_NULL, NORMAL, definition, "needs at least 2 events")
    return _corrado("corrado_zivney_z", total, sample, definition)


def _grank_mean(sample: WindowSample) -> tuple[float, Floats, Floats, str]:
    """Mean rank of the event, means and counts by day, and why there is none."""
    n = int(sample.exists.sum())
    if n < 2:
        return np.nan, np.empty(0), np.empty(0), "needs at least 2 events with variance"
    sums = sample.sums
    if sums is None or not sums.grank.size or not sums.grank_present[-1] > 0:
        return np.nan, np.empty(0), np.empty(0), "no variance across events"
    used = sums.grank_present > 0
    means = sums.grank[used] / sums.grank_present[used]
    return float(means[-1]), means, sums.grank_present[used], ""


def grank_t(sample: WindowSample) -> TestResult:
    r"""Generalised rank t (METHODS 4.12).

    The SCAR, divided by its cross-sectional standard deviation, is ranked among the
    standardised residuals as one extra day.

    .. math::  S^2 = \frac1T \sum_\tau \frac{n_\tau}{n} \bar U_\tau^2 \text{ (day 0 included)}, \quad
               Z = \bar U_0 / S, \quad t = Z \sqrt{\frac{T - 2}{T - 1 - Z^2}} \sim t(T-2)

    Source: Kolari and Pynnonen (2011, Journal of Empirical Finance 18).
    """
    name, definition, n = "grank_t", "day 0 counted in S^2; T days including it", int(sample.exists.sum())
    zero, means, counts, why = _grank_mean(sample)
    if why:
        return undefined(name, n, RANK_NULL, "t(T-2)", definition, joined(sample.lost(), why))
    days = len(means)
    spread = np.sqrt((counts / n * means**2).sum() / days)
    z = zero / spread if spread > 0 else np.nan
    if not days - 1 - z**2 > 0:
        return undefined(name, n, RANK_NULL, "t(T-2)", definition, "the ranks have no variance")
    t = z * np.sqrt((days - 2) / (days - 1 - z**2))
    return student(name, t, days - 2, n, RANK_NULL, f"{definition}; T = {days}", sample.lost())


def grank_z(sample: WindowSample) -> TestResult:
    r"""Generalised rank z, valid under independence only (METHODS 4.12).

    .. math::  Z = \bar U_0 \Big/ \sqrt{n^{-2} \sum_i \frac{T_i - 1}{12 (T_i + 1)}} \sim N(0, 1)
    """
    name, definition, n = "grank_z", "variance of uniform ranks, independent events", int(sample.exists.sum())
    zero, _, _, why = _grank_mean(sample)
    if why or sample.sums is None:
        return undefined(name, n, RANK_NULL, NORMAL, definition, joined(sample.lost(), why))
    z = zero / np.sqrt(sample.sums.grank_variance / n**2)
    return normal(name, z, n, RANK_NULL, definition, sample.lost())


def sign_z(sample: WindowSample) -> TestResult:
    r"""Sign test (METHODS 4.13).

    .. math::  z = \frac{n_+ - N/2}{\sqrt{N/4}}

    Invalid for skewed returns. The exact binomial p-value stands in the note.
    """
    name, n, positive = "sign_z", len(sample.car), int((sample.car > 0).sum())
    definition = "n+ counts CAR strictly above 0, p = 1/2"
    if n == 0:
        return undefined(name, 0, SIGN_NULL, NORMAL, definition, "no event left")
    exact = stats.binomtest(positive, n, 0.5).pvalue
    note = f"{positive} of {n} positive; exact binomial p = {exact:.4g}"
    return normal(name, (positive - n / 2) / np.sqrt(n / 4), n, SIGN_NULL, definition, note)


def generalized_sign_z(sample: WindowSample) -> TestResult:
    r"""Generalised sign test (METHODS 4.14).

    .. math::  z = \frac{n_+ - N\hat p}{\sqrt{N \hat p (1 - \hat p)}}, \quad
               \hat p = \text{mean}_i(\text{share of positive residuals in EST})

    Source: Cowan (1992, Review of Quantitative Finance and Accounting 2).
    """
    name, n, null = "generalized_sign_z", len(sample.car), "the share of positive CARs is that of the estimation window"
    definition = "p = mean share of strictly positive estimation residuals"
    if n == 0 or sample.sums is None:
        return undefined(name, n, null, NORMAL, definition, "no event left")
    p = sample.sums.positive_share / n
    if not 0 < p < 1:
        return undefined(name, n, null, NORMAL, definition, f"p = {p:g} leaves no variance")
    positive = int((sample.car > 0).sum())
    z = (positive - n * p) / np.sqrt(n * p * (1 - p))
    return normal(name, z, n, null, f"{definition}: {p:.4f}", f"{positive} of {n} positive")


def wilcoxon(sample: WindowSample) -> TestResult:
    r"""Wilcoxon signed-rank test on the CARs (METHODS 4.15).

    .. math::  z = \frac{W_+ - n(n+1)/4}{\sqrt{n(n+1)(2n+1)/24 - \sum (t^3 - t)/48}}

    after zeros are dropped; t are the sizes of groups of ties. Exact p for up to 50 values
    without ties. Tests symmetry about 0, not the mean.
    """
    name, null = "wilcoxon", "CARs are symmetric about 0"
    values = sample.car[sample.car != 0]
    n, definition = len(values), "zeros dropped, ties averaged; p exact up to n = 50 without ties"
    if n == 0:
        return undefined(name, 0, null, NORMAL, definition, "no event differs from 0")
    ranks = stats.rankdata(np.abs(values))
    ties = np.unique(ranks, return_counts=True)[1].astype(float)
    variance = n * (n + 1) * (2 * n + 1) / 24 - (ties**3 - ties).sum() / 48
    z = (ranks[values > 0].sum() - n * (n + 1) / 4) / np.sqrt(variance)
    if n > EXACT or (ties > 1).any():
        return normal(name, z, n, null, definition)
    exact = float(stats.wilcoxon(values, method="exact").pvalue)
    return TestResult(name, float(z), np.nan, exact, n, null, "exact signed-rank", definition)
