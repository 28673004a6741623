"""How much of one move another shared: a ratio of two estimates and its confidence set."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from research.study.settings import coverage


@dataclass(frozen=True)
class Shared:
    """How much of the announcer's abnormal move a group shared, with its Fieller interval.

    Attributes
    ----------
    ratio : float
        CAR of the group over CAR of the announcer; NaN where one is missing.
    low, high : float
        Ends of the set of ratios that the data do not reject.
    kind : {"interval", "outside", "everything", "none"}
        ``interval``: between ``low`` and ``high``. ``outside``: below ``low`` or above ``high``.
        ``everything``: no ratio is rejected. The last two occur where the announcer's own move
        cannot be told from zero. ``none``: there are no figures.
    """

    ratio: float
    low: float
    high: float
    kind: str


def fieller(
    numerator: float,
    denominator: float,
    numerator_se: float,
    denominator_se: float,
    correlation: float,
    df: float,
    confidence: float = 0.95,
) -> Shared:
    r"""Confidence set of a ratio of two estimates by Fieller's theorem.

    All :math:`\theta` for which the t-statistic of :math:`a - \theta b` does not reject:

    .. math::  (a - \theta b)^2 \le q^2 (v_a - 2\theta c + \theta^2 v_b)

    with q the quantile of t(df). Where b cannot be told from zero the set is not bounded, and says so;
    the delta method would give a short interval there.

    Parameters
    ----------
    numerator, denominator, numerator_se, denominator_se : float
    correlation : float
        Of the two estimates' errors.
    df : float
    confidence : float, default 0.95

    Returns
    -------
    Shared

    Notes
    -----
    Source: Fieller (1954, Journal of the Royal Statistical Society B 16).
    """
    confidence = coverage(confidence)
    a, b = numerator, denominator
    q = float(stats.t.ppf((1 + confidence) / 2, df)) ** 2
    covariance = correlation * numerator_se * denominator_se
    # square * theta^2 - 2 * half * theta + constant <= 0
    square = b**2 - q * denominator_se**2
    half = a * b - q * covariance
    constant = a**2 - q * numerator_se**2
    ratio = float(a / b) if b != 0 else float("nan")
    root = half**2 - square * constant
    if square > 0:
        width = float(np.sqrt(max(root, 0.0)))
        return Shared(ratio, (half - width) / square, (half + width) / square, "interval")
    if root <= 0 or square == 0:
        return Shared(ratio, -np.inf, np.inf, "everything")
    ends = sorted([(half - np.sqrt(root)) / square, (half + np.sqrt(root)) / square])
    return Shared(ratio, float(ends[0]), float(ends[1]), "outside")
