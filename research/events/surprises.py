"""How big the news was: earnings surprises and their classes (METHODS 5)."""

from __future__ import annotations

import numpy as np
import pandas as pd

from research.errors import InputError, ParameterError

#: Estimates smaller than this many dollars a share, on the share basis of the
#: announcement day, would blow a percentage up; they are replaced by it (METHODS 5.5).
FLOOR = 0.05

#: Percentage surprises closer to zero than this are in line (METHODS 5.7).
DEAD_BAND = 0.01

CLASSES = ("beat", "in line", "miss", "no estimate")


def percentage_surprise(frame: pd.DataFrame, floor: float = FLOOR) -> pd.Series:
    r"""Surprise relative to the estimate, in decimals.

    .. math::  \frac{A - F}{\max(|F|, floor)}

    A vendor's own unrounded figure (``surprise_pct``, per cent) comes first where it is
    given. The floor holds on the share basis of the announcement day, so a column
    ``eps_split_divisor`` (figures as printed on the day over figures in the table) scales
    it; without the column the table's basis is taken to be the day's own.

    Parameters
    ----------
    frame : DataFrame
        ``Announcements.frame`` or any table with ``eps_actual`` and ``eps_estimate``.
    floor : float, default 0.05
        Dollars a share; 0 gives NaN at an estimate of 0.

    Returns
    -------
    Series
        NaN without an actual, an estimate, or (floor 0) at an estimate of 0. Its sign is
        that of ``A - F`` except where the vendor's figure says otherwise.

    Raises
    ------
    InputError
        Without the columns. ParameterError for a negative floor.
    """
    missing = [name for name in ("eps_actual", "eps_estimate") if name not in frame.columns]
    if missing:
        raise InputError(
            f"no column {' and '.join(missing)}",
            parameter="frame",
            remedy="A surprise needs an actual and an estimate.",
        )
    if floor < 0:
        raise ParameterError("negative floor", parameter="floor", value=floor, allowed="0 or more dollars a share")
    actual, estimate = frame["eps_actual"].astype(float), frame["eps_estimate"].astype(float)
    divisor = frame["eps_split_divisor"].astype(float) if "eps_split_divisor" in frame.columns else 1.0
    scale = np.maximum(estimate.abs(), floor / divisor)
    computed = (actual - estimate) / scale.where(scale > 0)
    if "surprise_pct" not in frame.columns:
        return computed.rename("surprise")
    vendor = frame["surprise_pct"].astype(float) / 100
    return vendor.where(vendor.notna() & actual.notna(), computed).rename("surprise")


def surprise_class(surprise: pd.Series, dead_band: float = DEAD_BAND) -> pd.Series:
    """``beat``, ``in line`` or ``miss`` by a dead-band around zero; ``no estimate`` where NaN.

    Parameters
    ----------
    surprise : Series
        Decimals, as :func:`percentage_surprise` returns them.
    dead_band : float, default 0.01
        ``|surprise| < dead_band`` is in line.
    """
    if dead_band < 0:
        raise ParameterError("negative dead-band", parameter="dead_band", value=dead_band, allowed="0 or more")
    classes = np.select(
        [surprise.isna(), surprise.abs() < dead_band, surprise > 0],
        ["no estimate", "in line", "beat"],
        "miss",
    )
    return pd.Series(classes, index=surprise.index, name="class", dtype=object)
