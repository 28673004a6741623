"""Matched peers: each event's return minus the mean return of its firm's group (METHODS 2.5)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def tickers_of(names: Iterable[str] | str) -> list[str]:
    """Tickers without repetition; text is one of them, or a comma-separated list."""
    parts = [part.strip() for part in names.split(",")] if isinstance(names, str) else list(names)
    return [name for name in dict.fromkeys(parts) if name != ""]


def group_codes(tickers: list[str], groups: Mapping[str, str]) -> NDArray[np.int64]:
    """Code of each ticker's group; -1 for a ticker in none, or whose group is missing (None, NaN)."""
    labels = pd.Series([groups.get(ticker) for ticker in tickers], dtype=object)
    return pd.factorize(labels)[0].astype(np.int64)


def difference(
    returns: Floats,
    codes: NDArray[np.int64],
    announcing: NDArray[np.int8],
    firm: NDArray[np.int64],
    day: NDArray[np.int64],
) -> Floats:
    """Return of each event's firm minus the mean of its peers present, session by session.

    Parameters
    ----------
    returns : ndarray of shape (n_firms, n_sessions)
    codes : ndarray of shape (n_firms,)
        Groups; -1 for none.
    announcing : ndarray of shape (n_firms, n_sessions)
        Positive within one session of an announcement: such firms are no peers of an
        event whose day zero that session is.
    firm, day : ndarray of shape (n_events,)

    Returns
    -------
    ndarray of shape (n_events, n_sessions)
        NaN where the firm or every peer has no return.
    """
    out = np.full((len(firm), returns.shape[1]), np.nan)
    for code in np.unique(codes[codes >= 0]):
        members = np.flatnonzero(codes == code)
        present = ~np.isnan(returns[members])
        filled = np.where(present, returns[members], 0.0)
        total, count = filled.sum(axis=0), present.sum(axis=0)
        for i in np.flatnonzero(codes[firm] == code):
            left_out = (announcing[members, day[i]] > 0) | (members == firm[i])
            n = count - present[left_out].sum(axis=0)
            with np.errstate(divide="ignore", invalid="ignore"):
                mean = np.where(n > 0, (total - filled[left_out].sum(axis=0)) / n, np.nan)
            out[i] = returns[firm[i]] - mean
    return out
