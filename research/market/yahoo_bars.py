"""Bars in the shape in which Yahoo's history of a day comes, extended hours included (``prepost=True``)."""

from __future__ import annotations

import numpy as np
import pandas as pd

from research.errors import InputError, in_words
from research.market.intraday import FIELDS, Bars


def yahoo_bars(history: pd.DataFrame, ticker: str | None = None) -> Bars:
    """Bars from a table as ``yfinance.Ticker.history(..., prepost=True)`` or ``download`` returns it.

    That is: the start of each bar in the index, tz-aware, and columns ``Open High Low Close Volume``, possibly under
    a level of tickers; further columns are not kept. A last row that does not start a bar (the price of the moment,
    stamped to the second) is no bar and is left out, and so are rows without a close. Outside regular hours
    Yahoo reports a volume of 0 for every bar. :meth:`Bars.from_frame` takes such a table as well, where it holds
    one ticker.

    Parameters
    ----------
    history : DataFrame
    ticker : str, optional
        Which one, where the columns hold several.

    Returns
    -------
    Bars

    Raises
    ------
    InputError
        An empty table, no such ticker, no closes, an index without time zone; and whatever
        :meth:`Bars.from_frame` refuses.
    """
    if not len(history):
        raise InputError("the history is empty", remedy="Check symbol, dates and interval.")
    return Bars.from_frame(yahoo_table(history, ticker))


def yahoo_table(history: pd.DataFrame, ticker: str | None = None) -> pd.DataFrame:
    """The bars of such a table under the names that :meth:`Bars.from_frame` takes.

    Parameters
    ----------
    history : DataFrame
        As :func:`yahoo_bars` takes it, or with the starts in a column ``Datetime``, as a saved one has them.
    ticker : str, optional

    Returns
    -------
    DataFrame
        ``ts`` and those of ``open high low close volume`` that there are.
    """
    if not isinstance(history.columns, pd.MultiIndex) and "Datetime" in history.columns:
        history = history.set_index("Datetime")
    table = _one_ticker(history, ticker)
    table = table.rename(columns={str(name): str(name).lower() for name in table.columns})
    if "close" not in table.columns:
        raise InputError("the history has no closes", allowed=in_words(history.columns), parameter="history")
    kept = table[[name for name in FIELDS if name in table.columns]]
    kept = kept.rename_axis("ts").reset_index()
    kept = kept[kept["close"].notna()]
    return _without_running_quote(kept)


def _one_ticker(history: pd.DataFrame, ticker: str | None) -> pd.DataFrame:
    """The columns of one ticker, without their level of tickers."""
    if not isinstance(history.columns, pd.MultiIndex):
        return history
    fields = {name.capitalize() for name in FIELDS}
    level = next(
        (i for i in range(history.columns.nlevels) if not fields & set(history.columns.get_level_values(i))), 1
    )
    names = list(dict.fromkeys(history.columns.get_level_values(level)))
    wanted = names[0] if ticker is None and len(names) == 1 else ticker
    if wanted not in names:
        raise InputError("no such ticker in the history", parameter="ticker", value=ticker, allowed=in_words(names))
    part = history.xs(wanted, axis=1, level=level)
    assert isinstance(part, pd.DataFrame)
    return part


def _without_running_quote(table: pd.DataFrame) -> pd.DataFrame:
    """The rows without a last one that begins off the grid of the others.

    The grid is their most frequent spacing: of quarter hours, 15:52:00 starts none.
    """
    if not pd.api.types.is_datetime64_any_dtype(table["ts"]) or len(table) < 3:
        return table
    stamps = pd.DatetimeIndex(table["ts"]).as_unit("ns").asi8
    spacings = np.diff(stamps)
    lengths, counts = np.unique(spacings[:-1], return_counts=True)
    usual = lengths[counts.argmax()]
    off = spacings[-1] % usual != 0 and (spacings[:-1] % usual == 0).all() if usual > 0 else False
    return table.iloc[:-1] if off else table
