"""Anatomy of one reaction: which part fell where between two closes.

Daily prices split it at the open (METHODS 1.5); minute bars, where they exist, at
the release and at the start of the call as well (METHODS 1.6). One evening permits
description, not inference.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from research.errors import InputError
from research.events.calendar import TradingCalendar
from research.market.intraday import Bars
from research.market.prices import Prices

#: Log legs in the order of time.
LEGS = ("pre_release", "release", "call", "pre_market", "session")

#: End of extended trading on the exchange's clock.
EXTENDED_CLOSE = "20:00"

#: Adjusted and traded closes that give the same return within this saw no distribution;
#: vendors round adjusted closes, and the legs are to add up on the traded ones.
_NO_DISTRIBUTION = 2e-5

#: A bar at the close further than this from the daily close (log) is on another share basis.
_SAME_BASIS = 0.10


@dataclass(frozen=True)
class Reaction:
    """Legs of one announcement's reaction.

    Attributes
    ----------
    timing : str
    simple : dict
        ``close_to_close, overnight, intraday, after_hours`` as simple returns; None
        where the prices for it do not exist.
    log : dict
        ``pre_release, release, call, pre_market, session`` as log returns; None where
        the minute bars for it do not exist. Those of one event add to
        ``log(1 + close_to_close)``.
    points : DataFrame
        The prices between the legs: ``label, at`` (UTC instant), ``price``.
    notes : tuple of str
        What a reader must know: what is missing, and why.
    """

    timing: str
    simple: dict[str, float | None]
    log: dict[str, float | None]
    points: pd.DataFrame
    notes: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """Whether there are log legs from close to close."""
        return len(self.points) > 0


def reaction(
    event: pd.Series,
    timing: str,
    day_zero: pd.Timestamp,
    returns: pd.DataFrame,
    calendar: TradingCalendar,
    prices: Prices | None = None,
    bars: Bars | None = None,
) -> Reaction:
    r"""Split day zero's close-to-close return into legs.

    For news after the close of session d (``amc``) the five log legs run
    :math:`C_d \to` release :math:`\to` call :math:`\to` 20:00
    :math:`\to O_{d+1} \to C_{d+1}`; for news before the open (``bmo``)
    :math:`C_{d-1} \to` release :math:`\to` call, if it starts before the open,
    :math:`\to O_d \to C_d`. Each boundary takes the last trade at or before its
    instant. Dividends and splits fall into the leg that ends at the open, so the
    legs add to the total return exactly.

    Parameters
    ----------
    event : Series
        One row of ``Announcements.frame``.
    timing : {"bmo", "dmh", "amc", "closed", "unknown"}
    day_zero : Timestamp
        Session that could first react.
    returns : DataFrame, sessions x tickers
        Simple total returns, for the whole of day zero.
    calendar : TradingCalendar
    prices : Prices, optional
        Daily prices; without them day zero is not split at the open.
    bars : Bars, optional
        Bars of the day of the announcement and the next morning, extended hours included.

    Returns
    -------
    Reaction

    Notes
    -----
    A leg that cannot be formed is None, with a note; nothing is interpolated.
    """
    ticker = str(event["ticker"])
    simple = _simple_legs(returns, prices, ticker, day_zero)
    log: dict[str, float | None] = dict.fromkeys(LEGS)
    before = calendar.sessions[calendar.position(pd.DatetimeIndex([day_zero]))[0] - 1]
    close = None if prices is None else _price(prices, "close", ticker, before)
    notes: list[str] = []
    points: list[tuple[str, pd.Timestamp, float]] = []
    if simple["overnight"] is None:
        notes.append("No opening price on day zero, so its return cannot be split at the open.")
    if bars is None:
        notes.append("No bars within the day for this event: the hours before the open cannot be told apart.")
    elif timing not in ("amc", "bmo"):
        notes.append("Legs within the day are formed for news outside trading hours only.")
    elif prices is None or close is None or simple["overnight"] is None:
        notes.append("The legs need the daily close before and the open of day zero.")
    else:
        points = _boundaries(event, timing, before, day_zero, close, prices, calendar, bars, notes)
        log = _log_legs(points, simple, close)
        if timing == "amc" and points[-3][0] == "end of extended trading":
            simple["after_hours"] = points[-3][2] / close - 1
    return Reaction(timing, simple, log, pd.DataFrame(points, columns=["label", "at", "price"]), tuple(notes))


def _price(prices: Prices, field: str, ticker: str, session: pd.Timestamp) -> float | None:
    """One price, None where missing."""
    table = prices.field(field)
    if session not in table.index or ticker not in table.columns:
        return None
    value = float(table.at[session, ticker])
    return None if np.isnan(value) else value


def _simple_legs(
    returns: pd.DataFrame, prices: Prices | None, ticker: str, day_zero: pd.Timestamp
) -> dict[str, float | None]:
    """Daily legs of METHODS 1.5."""
    tables = {"close_to_close": returns}
    if prices is not None:
        tables |= {"overnight": prices.overnight(), "intraday": prices.intraday()}
    legs: dict[str, float | None] = dict.fromkeys(("close_to_close", "overnight", "intraday", "after_hours"))
    for name, table in tables.items():
        if day_zero in table.index and ticker in table.columns:
            value = float(table.at[day_zero, ticker])
            legs[name] = None if np.isnan(value) else value
    return legs if prices is None else _on_traded_prices(legs, prices, ticker, day_zero)


def _on_traded_prices(
    legs: dict[str, float | None], prices: Prices, ticker: str, day_zero: pd.Timestamp
) -> dict[str, float | None]:
    """The legs from traded prices themselves where no distribution fell between the two closes."""
    position = prices.sessions.get_loc(day_zero)
    before, last = (_price(prices, "close", ticker, prices.sessions[i]) for i in (position - 1, position))
    first, total = _price(prices, "open", ticker, day_zero), legs["close_to_close"]
    if before is None or last is None or total is None or abs(last / before - 1 - total) > _NO_DISTRIBUTION:
        return legs
    exact = {"close_to_close": last / before - 1}
    if first is not None:
        exact |= {"overnight": first / before - 1, "intraday": last / first - 1}
    return {**legs, **exact}


def _boundaries(
    event: pd.Series,
    timing: str,
    before: pd.Timestamp,
    day_zero: pd.Timestamp,
    close: float,
    prices: Prices,
    calendar: TradingCalendar,
    bars: Bars,
    notes: list[str],
) -> list[tuple[str, pd.Timestamp, float]]:
    """Instants and prices between the legs, in order of time."""
    closed_at = calendar.session_close(before)
    opens_at = calendar.session_open(day_zero)
    _check_basis(bars, closed_at, close)
    release = event["announced_at"] if pd.notna(event["announced_at"]) else None
    call = event["call_at"] if "call_at" in event and pd.notna(event["call_at"]) else None
    inner: list[tuple[str, pd.Timestamp]] = []
    if release is None:
        notes.append(
            "The minute of the release is not known, so what came before it cannot be told from what came after."
        )
    elif str(event.get("precision")) not in ("second", "minute"):
        notes.append("The release is known to the session only.")
    else:
        inner.append(("release", release))
    extended = _extended_close(before, calendar) if timing == "amc" else opens_at
    if call is not None and inner and release is not None and release < call < extended:
        inner.append(("call", call))
    elif call is None:
        notes.append("No call time is known; the leg after the release holds the call as well.")
    if timing == "amc":
        inner.append(("end of extended trading", extended))
    found = [("close", closed_at, close)]
    for label, instant in inner:
        price = bars.price_at(instant)
        found.append((label, instant, close if np.isnan(price) else price))
        if np.isnan(price):
            notes.append(f"No trade between the close and the instant of: {label}.")
    open_price, last = (
        _price(prices, "open", event["ticker"], day_zero),
        _price(prices, "close", event["ticker"], day_zero),
    )
    assert open_price is not None  # the overnight leg exists
    assert last is not None
    return [
        *found,
        ("open", opens_at, open_price),
        ("close of day zero", calendar.session_close(day_zero), last),
    ]


def _extended_close(session: pd.Timestamp, calendar: TradingCalendar) -> pd.Timestamp:
    """End of extended trading on the evening of ``session``, as an instant."""
    local = pd.Timestamp(f"{session:%Y-%m-%d} {EXTENDED_CLOSE}").tz_localize(calendar.timezone)
    return local.tz_convert("UTC")


def _check_basis(bars: Bars, closed_at: pd.Timestamp, close: float) -> None:
    """Refuse bars that are on another share basis than the daily close."""
    at_close = bars.price_at(closed_at)
    if not np.isnan(at_close) and abs(np.log(at_close / close)) > _SAME_BASIS:
        raise InputError(
            f"the bar at the close says {at_close:g} and the daily close {close:g}",
            parameter="bars",
            remedy="Bring bars and daily prices to the same share basis (splits).",
        )


def _log_legs(
    points: list[tuple[str, pd.Timestamp, float]], simple: dict[str, float | None], close: float
) -> dict[str, float | None]:
    """Log legs between the boundaries; the one that ends at the open takes dividends and splits."""
    assert simple["overnight"] is not None
    assert simple["intraday"] is not None
    legs: dict[str, float | None] = dict.fromkeys(LEGS)
    names = {"release": "pre_release", "call": "release", "end of extended trading": "call"}
    labels = [label for label, _, _ in points]
    inside = list(points[1:-2])
    previous = close
    for label, _, price in inside:
        name = names[label]
        if label == "end of extended trading" and "call" not in labels:
            name = "release" if "release" in labels else ""
        if name:
            legs[name] = float(np.log(price / previous))
        previous = price
    rest = float(np.log1p(simple["overnight"]) - np.log(previous / close))
    legs[_leg_to_open(labels)] = rest
    legs["session"] = float(np.log1p(simple["intraday"]))
    return legs


def _leg_to_open(labels: list[str]) -> str:
    """Name of the leg that ends at the open."""
    if "end of extended trading" in labels:
        return "pre_market"
    if "call" in labels:
        return "call"
    return "release" if "release" in labels else "pre_market"
