"""Returns from trade to trade for shares that do not trade every session (METHODS 3.7)."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from research.errors import whole_number

Floats = NDArray[np.float64]

#: Longer gaps are suspensions or holes in the data, not thin trading.
MAX_GAP = 10


def since_last_trade(levels: pd.DataFrame, max_gap: int = MAX_GAP) -> pd.DataFrame:
    """Simple returns since the last traded level.

    Parameters
    ----------
    levels : DataFrame, sessions x tickers
        Total-return levels (adjusted closes) on every session of the grid, NaN where
        there was no trade.
    max_gap : int, default 10
        Sessions that a return may span; after a longer gap the return is NaN.

    Returns
    -------
    DataFrame of the same shape
        NaN on sessions without a trade and on the first trade.

    Raises
    ------
    ParameterError
        For a gap below one session.
    """
    max_gap = whole_number("max_gap", max_gap, 1)
    before = levels.ffill(limit=max_gap - 1).shift(1) if max_gap > 1 else levels.shift(1)
    return levels / before - 1


def spans(returns: Floats) -> Floats:
    """Sessions that each return spans: the run of missing days before it and its own.

    Parameters
    ----------
    returns : ndarray of shape (n_firms, n_sessions)
        Returns since the last trade.

    Returns
    -------
    ndarray of the same shape
        NaN where the return is; the first return of a firm spans one session.
    """
    present = ~np.isnan(returns)
    columns = np.arange(returns.shape[1])
    last = np.where(present, columns, -1)
    previous = np.maximum.accumulate(np.concatenate([np.full((len(returns), 1), -1), last[:, :-1]], axis=1), axis=1)
    span = np.where(previous >= 0, columns - previous, 1).astype(np.float64)
    return np.where(present, span, np.nan)


def weighted(returns: Floats, market: Floats, max_gap: int = MAX_GAP) -> tuple[Floats, Floats, Floats]:
    r"""The weighted regression's variables.

    Parameters
    ----------
    returns : ndarray of shape (n_firms, n_sessions)
        Simple returns since the last trade.
    market : ndarray of shape (n_sessions,)
        Simple daily market return.
    max_gap : int
        Returns that seem to span more sessions follow a trade whose own return was left
        out for its gap; they are NaN.

    Returns
    -------
    y : ndarray of shape (n_firms, n_sessions)
        :math:`\ln(1 + R)/\sqrt n`.
    regressors : ndarray of shape (2, n_firms, n_sessions)
        :math:`\sqrt n` and :math:`\sum \ln(1 + R_m)/\sqrt n` over the same span; NaN where
        a market return in the span is missing.
    weights : ndarray of shape (n_firms, n_sessions)
        :math:`\sqrt n`.
    """
    n = spans(returns)
    n[n > max_gap] = np.nan
    missing = np.isnan(market)
    level = np.concatenate([[0.0], np.cumsum(np.where(missing, 0.0, np.log1p(market)))])
    holes = np.concatenate([[0], np.cumsum(missing)])
    after = np.arange(1, len(market) + 1)
    before = after - np.nan_to_num(n, nan=1.0).astype(np.int64)
    summed = np.where(holes[after] > holes[before], np.nan, level[after] - level[before])
    root = np.sqrt(n)
    with np.errstate(divide="ignore"):
        y = np.log1p(returns) / root
    return y, np.stack([root, summed / root]), root
