"""Soft findings about daily prices: what may be right, but deserves a look before use.

Everything here works on arrays of shape (n_sessions, n_tickers) and reports runs of
sessions, not single cells, so that one cause is one line.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

#: Sessions in a row with one close (or with the open at the close before) that are stale.
STALE_RUN = 5
#: Ratios at which shares are usually split, with the tolerance in log points. A move of
#: a half or a third happens on news, so little slack is given; one of 67 % and more is so
#: rare that the day's own move may be generously allowed for.
SPLIT_RATIOS: dict[float, float] = {1.5: 0.02, 2.0: 0.04}
SPLIT_RATIOS |= dict.fromkeys((3.0, 4.0, 5.0, 7.0, 8.0, 10.0, 15.0, 20.0, 50.0, 100.0), 0.06)
#: A jump is unlike the ticker's own moves beyond this many robust standard deviations.
JUMP_DEVIATIONS = 6.0
#: Fewer tickers than this have no market-wide median worth removing.
MIN_BREADTH = 5
#: Sessions in the centred window that says what volume is usual, and how few suffice.
VOLUME_WINDOW, VOLUME_MINIMUM = 61, 20
#: Robust deviations of log volume, and sessions in a row. One loud day is news, not an error,
VOLUME_DEVIATIONS, VOLUME_RUN = 4.0, 3
#: and so are some days at three times the usual; six times or a sixth of it is more often
#: another unit, another share class or a thin substitute market.
VOLUME_FACTOR = 6.0
#: Volumes that repeat almost exactly would make every ripple a deviation.
VOLUME_MIN_SCALE = 0.1
#: Legs that undo each other: size in log points and in robust deviations of the ticker's own.
LEG_MINIMUM, LEG_DEVIATIONS = 0.05, 6.0
#: Part of the overnight leg that may remain at the close.
LEG_REMAINDER = 0.25
#: Observations below which no robust deviation is computed.
MIN_OBSERVATIONS = 20

#: Median absolute deviation to standard deviation under normality.
_MAD = 1.4826

_Finding = tuple[str, pd.Timestamp, str, float, str]


def diagnose(
    sessions: pd.DatetimeIndex,
    tickers: Sequence[str],
    fields: Mapping[str, np.ndarray],
    returns: np.ndarray,
    actions: pd.DataFrame,
) -> pd.DataFrame:
    """Table of findings; see :meth:`research.market.prices.Prices.diagnose`.

    Parameters
    ----------
    sessions : DatetimeIndex, shape (n_sessions,)
    tickers : sequence of str
    fields : mapping of str to ndarray, shape (n_sessions, n_tickers)
        All six columns, NaN where missing.
    returns : ndarray, shape (n_sessions, n_tickers)
        Total returns.
    actions : DataFrame

    Returns
    -------
    DataFrame
        ``ticker, date, finding, value, detail``.
    """
    price = np.where(np.isnan(fields["close"]), fields["adj_close"], fields["close"])
    found: list[_Finding] = []
    for source in (
        _gaps(sessions, price),
        _no_prices(sessions, fields, price),
        _stale(sessions, price, fields),
        _split_jumps(sessions, tickers, returns, actions),
        _legs(sessions, fields, returns),
        _volumes(sessions, fields["volume"], price),
    ):
        found += [(tickers[column], sessions[row], *rest) for row, column, *rest in source]
    found += _unused(actions, tickers)
    table = pd.DataFrame(found, columns=["ticker", "date", "finding", "value", "detail"])
    table = table.astype({"ticker": str, "finding": str, "value": float, "detail": str})
    table["date"] = table["date"].astype("datetime64[ns]")
    return table.sort_values(["ticker", "date", "finding"], kind="stable", ignore_index=True)


def _runs(mask: np.ndarray, shortest: int = 1) -> Iterator[tuple[int, int, int]]:
    """Runs of true cells down the columns: column, first row, row after the last."""
    edge = np.zeros((1, mask.shape[1]), dtype=np.int8)
    steps = np.diff(np.vstack([edge, mask.astype(np.int8), edge]), axis=0).T
    columns, starts = np.nonzero(steps == 1)
    _, stops = np.nonzero(steps == -1)
    long = stops - starts >= shortest
    yield from zip(columns[long].tolist(), starts[long].tolist(), stops[long].tolist(), strict=True)


def _span(sessions: pd.DatetimeIndex, start: int, stop: int) -> str:
    if stop - start == 1:
        return f"on {sessions[start]:%Y-%m-%d}"
    return f"from {sessions[start]:%Y-%m-%d} to {sessions[stop - 1]:%Y-%m-%d}"


def _deviation(values: np.ndarray) -> np.ndarray:
    """Robust standard deviation about zero per column; NaN with too few observations."""
    table = pd.DataFrame(np.abs(values))
    enough = table.count() >= MIN_OBSERVATIONS
    return _MAD * table.median().where(enough).to_numpy(dtype=float)


def _without_market(values: np.ndarray) -> np.ndarray:
    """Values less the median across tickers of each session, where enough tickers have one."""
    table = pd.DataFrame(values)
    median = table.median(axis=1).where(table.count(axis=1) >= MIN_BREADTH).fillna(0.0)
    return values - median.to_numpy()[:, None]


def _gaps(sessions: pd.DatetimeIndex, price: np.ndarray) -> Iterator[Any]:
    present = ~np.isnan(price)
    inside = np.logical_or.accumulate(present) & np.logical_or.accumulate(present[::-1])[::-1]
    for column, start, stop in _runs(inside & ~present):
        length = stop - start
        text = f"no price {_span(sessions, start, stop)}; no return spans it"
        yield start, column, "gap", length, text


def _no_prices(sessions: pd.DatetimeIndex, fields: Mapping[str, np.ndarray], price: np.ndarray) -> Iterator[Any]:
    other = [~np.isnan(fields[name]) for name in ("open", "high", "low", "volume")]
    for column, start, stop in _runs(np.logical_or.reduce(other) & np.isnan(price)):
        text = f"cells other than the price are filled {_span(sessions, start, stop)}"
        yield start, column, "no-price", stop - start, text


def _stale(sessions: pd.DatetimeIndex, price: np.ndarray, fields: Mapping[str, np.ndarray]) -> Iterator[Any]:
    volume = fields["volume"]
    for column, start, stop in _runs(price[1:] == price[:-1], STALE_RUN - 1):
        stop += 1  # a run of n equal steps joins n + 1 closes
        traded = volume[start:stop, column]
        known = traded[~np.isnan(traded)]
        how = "volume unknown" if not len(known) else "no volume" if not known.any() else "with volume"
        text = f"close {price[start, column]:g} {_span(sessions, start, stop)}, {how}"
        yield start, column, "stale-close", stop - start, text
    for column, start, stop in _runs(fields["open"][1:] == fields["close"][:-1], STALE_RUN):
        text = f"open equals the close before it {_span(sessions, start + 1, stop + 1)}"
        yield start + 1, column, "stale-open", stop - start, text


def _split_jumps(
    sessions: pd.DatetimeIndex, tickers: Sequence[str], returns: np.ndarray, actions: pd.DataFrame
) -> Iterator[Any]:
    logs = _without_market(np.log1p(returns))
    ratios = np.array(list(SPLIT_RATIOS))
    slack = np.array(list(SPLIT_RATIOS.values()))
    with np.errstate(invalid="ignore"):
        large = np.abs(logs) > max(np.log(ratios[0]) - slack[0], 0.0)
        large &= ~(np.abs(logs) <= JUMP_DEVIATIONS * _deviation(logs))
    rows, columns = np.nonzero(large)
    distance = np.abs(np.abs(logs[rows, columns])[:, None] - np.log(ratios))
    near = distance.argmin(axis=1)
    hits = distance[np.arange(len(rows)), near] <= slack[near]
    for row, column, ratio in zip(rows[hits].tolist(), columns[hits].tolist(), ratios[near[hits]], strict=True):
        jump = logs[row, column]
        name = f"{ratio:g}-for-1" if jump < 0 else f"1-for-{ratio:g}"
        if ratio == ratios[0]:
            name = "3-for-2" if jump < 0 else "2-for-3"
        text = f"looks like a {name} split; {_recorded(actions, tickers[column], sessions[row])}"
        yield row, column, "split-jump", float(np.exp(jump)), text


def _recorded(actions: pd.DataFrame, ticker: str, session: pd.Timestamp) -> str:
    there = actions[(actions["ticker"] == ticker) & (actions["ex_date"] == session) & actions["split_ratio"].notna()]
    if there.empty:
        return "no split is recorded that day"
    first = there.iloc[0]
    return f"the recorded {first['split_ratio']:g} is marked absorbed={str(bool(first['absorbed'])).lower()}"


def _legs(sessions: pd.DatetimeIndex, fields: Mapping[str, np.ndarray], returns: np.ndarray) -> Iterator[Any]:
    session = np.log(fields["close"] / fields["open"])
    night = np.log1p(returns) - session
    with np.errstate(invalid="ignore"):
        undone = np.abs(night + session) <= LEG_REMAINDER * np.abs(night)
        undone &= np.abs(night) > LEG_MINIMUM
        undone &= np.abs(night) > LEG_DEVIATIONS * _deviation(night)
        undone &= np.abs(session) > LEG_DEVIATIONS * _deviation(session)
    for row, column in zip(*(index.tolist() for index in np.nonzero(undone)), strict=True):
        legs = np.expm1(night[row, column]), np.expm1(session[row, column])
        text = f"overnight {legs[0]:+.1%}, then {legs[1]:+.1%} within the session: is the open right?"
        yield row, column, "legs-reverse", float(legs[0]), text


def _volumes(sessions: pd.DatetimeIndex, volume: np.ndarray, price: np.ndarray) -> Iterator[Any]:
    for column, start, stop in _runs((volume == 0) & ~np.isnan(price)):
        text = f"a price without a trade {_span(sessions, start, stop)}"
        yield start, column, "zero-volume", stop - start, text
    logs = np.log(np.where(volume > 0, volume, np.nan))
    usual = pd.DataFrame(logs).rolling(VOLUME_WINDOW, center=True, min_periods=VOLUME_MINIMUM).median()
    away = _without_market(logs - usual.to_numpy())
    limit = VOLUME_DEVIATIONS * np.maximum(_deviation(away), VOLUME_MIN_SCALE)
    for side in (-1, 1):
        with np.errstate(invalid="ignore"):
            beyond = side * away > limit
        for column, start, stop in _runs(beyond, VOLUME_RUN):
            ratio = float(np.exp(np.median(away[start:stop, column])))
            if max(ratio, 1 / ratio) < VOLUME_FACTOR:
                continue
            text = f"volume about {ratio:.3g} times the usual {_span(sessions, start, stop)}"
            yield start, column, "volume", ratio, text


def _unused(actions: pd.DataFrame, tickers: Sequence[str]) -> list[_Finding]:
    strays = actions[~actions["ticker"].isin(list(tickers))]
    return [
        (str(name), group["ex_date"].iloc[0], "unused-actions", float(len(group)), "actions, but no prices")
        for name, group in strays.groupby("ticker")
    ]
