"""The course of one evening in figures: first price, extremes, half of the move, what was reversed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from research.analysis._boundaries import EXTENDED, LAST, OPEN, RELEASE
from research.market.intraday import Bars

#: The first reaction is the furthest close within this time of the release.
FIRST_REACTION = pd.Timedelta(minutes=10)

#: A price this near to the close before (simple) is back at it.
BACK = 0.001


def anatomy(points: pd.DataFrame, bars: Bars) -> dict[str, Any] | None:
    r"""What the bars say of the time between the release and the open.

    With :math:`p(t)` the closes of the bars by the instant at which each bar ends,
    :math:`C` the close before and :math:`p_r` the price at the release, the share reversed by a
    later instant T is

    .. math::  1 - \frac{\ln p(T)/p_r}{\ln p_x/p_r}

    with :math:`p_x` the close furthest from :math:`p_r` within ten minutes of the release: 0 where the
    first reaction stands, 1 where it is undone, negative where the price went further.

    Parameters
    ----------
    points : DataFrame
        ``label, at, price`` of the boundaries; without a release there is no anatomy.
    bars : Bars
        Doubtful prints already blanked where that is wanted.

    Returns
    -------
    dict or None
        ``release_price``; ``first`` (first close after the release), ``reaction`` (furthest close within
        ten minutes), ``lowest`` and ``highest`` (closes to the end of extended trading, for bmo news to
        the open), ``lowest_print`` and ``highest_print`` (lows and highs): each ``at`` (the
        end of the bar), ``price`` and ``from_close`` (simple return from the close before), None where
        there is no bar; ``back_at`` (first instant after the reaction at which the price was back within
        0.1% of the close, or beyond it), ``half_at`` and ``half_for_good_at`` (half of the way from the release to
        the end of the evening, first reached and last left), ``reversed`` (share by each later
        boundary).
    """
    price = dict(zip(points["label"], points["price"], strict=True))
    at = dict(zip(points["label"], points["at"], strict=True))
    if RELEASE not in price:
        return None
    stop = at.get(EXTENDED, at[OPEN])
    frame = bars.frame
    ends = pd.DatetimeIndex(frame.index) + bars.step
    part = frame[(ends > at[RELEASE]) & (ends <= stop)]
    closes = part["close"].dropna()
    closes.index = pd.DatetimeIndex(closes.index) + bars.step
    close, released = float(points["price"].iloc[0]), float(price[RELEASE])
    found: dict[str, Any] = {"release_price": released}
    if closes.empty:
        return None
    early = closes[closes.index <= at[RELEASE] + FIRST_REACTION]
    furthest = np.log(early / released).abs()
    found["first"] = _spot(closes, closes.index[0], close)
    found["reaction"] = _spot(early, furthest.idxmax(), close) if len(early) else None
    found["lowest"], found["highest"] = (_spot(closes, i, close) for i in (closes.idxmin(), closes.idxmax()))
    for name, column, pick in (("lowest_print", "low", "idxmin"), ("highest_print", "high", "idxmax")):
        prints = part[column].dropna() if column in part else pd.Series(dtype=float)
        prints.index = pd.DatetimeIndex(prints.index) + bars.step
        found[name] = _spot(prints, getattr(prints, pick)(), close) if len(prints) else None
    found["back_at"] = _back(closes, found["reaction"], close)
    evening = price[EXTENDED] if EXTENDED in price else price[OPEN]
    found["half_at"], found["half_for_good_at"] = _half(closes, released, float(evening))
    found["reversed"] = _reversed(found["reaction"], released, price)
    return found


def _spot(series: pd.Series, instant: pd.Timestamp, close: float) -> dict[str, Any]:
    value = float(series[instant])
    return {"at": instant, "price": value, "from_close": value / close - 1}


def _back(closes: pd.Series, reaction: dict[str, Any] | None, close: float) -> pd.Timestamp | None:
    """First instant after the first reaction at which the price was back at the close before."""
    if reaction is None or abs(reaction["from_close"]) <= BACK:
        return None
    later = closes[closes.index > reaction["at"]] / close - 1
    back = later[later * np.sign(reaction["from_close"]) <= BACK]
    return None if back.empty else back.index[0]


def _half(closes: pd.Series, released: float, evening: float) -> tuple[pd.Timestamp | None, pd.Timestamp | None]:
    """Instants at which half of the way to the evening's last price was reached, first and for good."""
    way = np.log(evening / released)
    if way == 0:
        return None, None
    beyond = np.log(closes / released) / way >= 0.5
    if not beyond.any():
        return None, None
    short = np.flatnonzero(~beyond.to_numpy())
    last = 0 if not len(short) else int(short[-1]) + 1
    return beyond.idxmax(), closes.index[last] if last < len(closes) else None


def _reversed(reaction: dict[str, Any] | None, released: float, price: dict[str, float]) -> dict[str, float | None]:
    """Share of the first reaction that was gone by each later boundary."""
    names = {"end_of_extended": EXTENDED, "open": OPEN, "close": LAST}
    moved = 0.0 if reaction is None else float(np.log(reaction["price"] / released))
    return {
        name: 1 - float(np.log(price[label] / released)) / moved if label in price and moved else None
        for name, label in names.items()
    }
