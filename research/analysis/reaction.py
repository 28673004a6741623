"""Anatomy of one reaction: which part fell where between two closes.

Daily prices split it at the open (METHODS 1.5); bars within the day, where they exist,
at the release and at the start of the call as well (METHODS 1.6). One evening permits
description, not inference.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from research.analysis._anatomy import anatomy
from research.analysis._boundaries import CLOSE as _CLOSE
from research.analysis._boundaries import EXTENDED, LAST, OPEN, Boundaries, Span, boundaries, leg_table, segments
from research.analysis.bar_filter import mark_bars, without_marked
from research.analysis.market_legs import BarBenchmark, MarketLegs, market_legs
from research.errors import InputError
from research.events.calendar import TradingCalendar
from research.market.intraday import Bars
from research.market.prices import Prices

#: Log legs in the order of time.
LEGS = ("pre_release", "release", "call", "pre_market", "session")

#: Adjusted and traded closes that give the same return within this saw no distribution;
#: vendors round adjusted closes, and the legs are to add up on the traded ones.
_NO_DISTRIBUTION = 2e-5

#: A bar at the close further than this from the daily close (log) is on another share basis.
_SAME_BASIS = 0.10

#: Where bars begin after the close, their last price before the open may differ from it by this much (log): less than
#: a split of three for two.
_SAME_BASIS_LATER = 0.35


def _no_marks() -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series(dtype=object) for name in ("at", "field", "finding")})


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
        the bars for it do not exist or it cannot be told from its neighbour.
    points : DataFrame
        The prices between the legs: ``label, at`` (UTC instant), ``price``, ``traded_at``
        (when the last trade at or before it was). Empty without bars.
    notes : tuple of str
        What a reader must know: what is missing, and why.
    segments : DataFrame
        ``leg, start, end, value``: the log returns between neighbouring points, which add to
        ``log(1 + close_to_close)``; ``leg`` is None where several legs are in one. Without
        bars there are two, split at the open; without an open none.
    anatomy : dict or None
        The course of the evening in figures, see :func:`research.analysis._anatomy.anatomy`.
    marks : DataFrame
        Doubtful prints, see :func:`research.analysis.bar_filter.mark_bars`.
    filtered : bool
        Whether the marked prints were left out of everything above.
    changes : tuple of str
        What reads differently with the filter the other way round; empty where nothing does.
    market : MarketLegs or None
        The market's own legs between the same instants.
    bars : Bars or None
        The bars that the figures rest on, marked cells blanked if ``filtered``.
    release_basis : str
        What the instant of the release rests on; empty where it is not known or not needed.
    """

    timing: str
    simple: dict[str, float | None]
    log: dict[str, float | None]
    points: pd.DataFrame
    notes: tuple[str, ...]
    segments: pd.DataFrame = field(default_factory=lambda: leg_table([]))
    anatomy: dict[str, Any] | None = None
    marks: pd.DataFrame = field(default_factory=_no_marks)
    filtered: bool = True
    changes: tuple[str, ...] = ()
    market: MarketLegs | None = None
    bars: Bars | None = None
    release_basis: str = ""

    @property
    def complete(self) -> bool:
        """Whether there are log legs from close to close that bars within the day split."""
        return len(self.points) > 0


def reaction(
    event: pd.Series,
    timing: str,
    day_zero: pd.Timestamp,
    returns: pd.DataFrame,
    calendar: TradingCalendar,
    prices: Prices | None = None,
    bars: Bars | None = None,
    *,
    bar_filter: bool = True,
    benchmark: BarBenchmark | None = None,
) -> Reaction:
    r"""Split day zero's close-to-close return into legs.

    For news after the close of session d (``amc``) the five log legs run
    :math:`C_d \to` release :math:`\to` call :math:`\to` the end of extended trading (20:00; 17:00 after an
    early close) :math:`\to O_{d+1} \to C_{d+1}`; for news before the open (``bmo``)
    :math:`C_{d-1} \to` release :math:`\to` call, if it starts before the open,
    :math:`\to O_d \to C_d`. Each boundary takes the last trade at or before its
    instant. Dividends and splits fall into the leg that ends at the open, so the
    legs add to the total return exactly.

    Parameters
    ----------
    event : Series
        One row of ``Announcements.frame``. Where its instant is a filing time (by
        ``announced_at_source``) or no minute is known, the release is read off the first bar that moved.
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
    bar_filter : bool, default True
        Whether doubtful prints are left out; they are listed in either case.
    benchmark : BarBenchmark, optional
        Bars that stand for the market between the same instants.

    Returns
    -------
    Reaction

    Raises
    ------
    InputError
        If the bars are on another share basis than the daily close.

    Notes
    -----
    A leg that cannot be formed is None, with a note; nothing is interpolated.
    """
    ticker = str(event["ticker"])
    simple = _simple_legs(returns, prices, ticker, day_zero)
    before = calendar.sessions[calendar.position(pd.DatetimeIndex([day_zero]))[0] - 1]
    span = _span(timing, before, day_zero, ticker, calendar, prices, simple)
    missing = _why_no_legs(timing, simple, span, prices, bars)
    if missing or span is None or bars is None or not len(bars):
        return Reaction(
            timing, simple, dict.fromkeys(LEGS), Boundaries().table(), missing, segments=_daily_segments(simple)
        )
    _check_basis(bars, span)
    closes = {} if prices is None else prices.field("close")[ticker].dropna().to_dict()
    marks = mark_bars(bars, calendar, closes)
    cleaned = without_marked(bars, marks)
    shown, other = (_read(event, span, simple, kind) for kind in ((cleaned, bars) if bar_filter else (bars, cleaned)))
    if "after_hours" in shown:
        simple["after_hours"] = shown["after_hours"]
    return Reaction(
        timing,
        simple,
        shown["log"],
        shown["points"],
        tuple(shown["notes"]),
        segments=shown["segments"],
        anatomy=shown["anatomy"],
        marks=marks,
        filtered=bar_filter,
        changes=_changes(shown, other, span, bar_filter) if len(marks) else (),
        market=None if benchmark is None else market_legs(shown["segments"], shown["points"], benchmark),
        bars=cleaned if bar_filter else bars,
        release_basis=shown["release_basis"],
    )


def _span(
    timing: str,
    before: pd.Timestamp,
    day_zero: pd.Timestamp,
    ticker: str,
    calendar: TradingCalendar,
    prices: Prices | None,
    simple: dict[str, float | None],
) -> Span | None:
    """The night around the news; None where a daily price is missing."""
    if prices is None or simple["overnight"] is None or simple["intraday"] is None:
        return None
    close = _price(prices, "close", ticker, before)
    first, last = (_price(prices, name, ticker, day_zero) for name in ("open", "close"))
    if close is None or first is None or last is None:
        return None
    return Span(timing, before, day_zero, close, first, last, calendar)


def _why_no_legs(
    timing: str, simple: dict[str, float | None], span: Span | None, prices: Prices | None, bars: Bars | None
) -> tuple[str, ...]:
    """Why day zero cannot be split within the day; empty where it can."""
    notes = []
    if simple["overnight"] is None:
        notes.append("No opening price on day zero, so its return cannot be split at the open.")
    if bars is None or not len(bars):
        notes.append(
            "No bars within the day can be used for this event: the hours before the open cannot be told apart."
        )
    elif timing not in ("amc", "bmo"):
        notes.append("Legs within the day are formed for news outside trading hours only.")
    elif span is None:
        notes.append("The legs need the daily close before and the open of day zero.")
    elif not _trades_between_sessions(bars, span):
        notes.append(
            f"The bars hold no price between the close at {span.clock(span.closed_at)} and the open at "
            f"{span.clock(span.opens_at)}: either they cover regular hours only or nobody traded, and the hours before "
            "the open cannot be told apart."
        )
    if timing == "dmh" and simple["intraday"] is not None:
        notes.append(
            "The news came during trading hours: the leg from open to close mixes what came before it and after."
        )
    split = bars is not None and timing in ("amc", "bmo") and span is not None and _trades_between_sessions(bars, span)
    return () if split else tuple(notes)


def _trades_between_sessions(bars: Bars, span: Span) -> bool:
    """Whether any bar of the extended hours before day zero has a close."""
    return bool(bars.between(span.closed_at, span.opens_at).frame["close"].notna().any())


def _daily_segments(simple: dict[str, float | None]) -> pd.DataFrame:
    """The two legs that open and close allow."""
    if simple["overnight"] is None or simple["intraday"] is None:
        return leg_table([])
    rows: list[tuple[Any, str, str, float]] = [
        (None, _CLOSE, OPEN, float(np.log1p(simple["overnight"]))),
        ("session", OPEN, LAST, float(np.log1p(simple["intraday"]))),
    ]
    return leg_table(rows)


def _read(event: pd.Series, span: Span, simple: dict[str, float | None], bars: Bars) -> dict[str, Any]:
    """Boundaries, legs and anatomy from one set of bars."""
    assert simple["overnight"] is not None  # a span has both
    assert simple["intraday"] is not None
    found = boundaries(event, span, bars)
    points = found.table()
    parts = segments(points, simple["overnight"], simple["intraday"])
    log: dict[str, float | None] = dict.fromkeys(LEGS)
    log |= {leg: value for leg, value in zip(parts["leg"], parts["value"], strict=True) if leg is not None}
    read = {
        "points": points,
        "segments": parts,
        "log": log,
        "notes": found.notes,
        "release_basis": found.release_basis,
        "anatomy": anatomy(points, bars),
    }
    evening = points.loc[points["label"] == EXTENDED, "price"]
    if len(evening):
        read["after_hours"] = float(evening.iloc[0]) / span.close - 1
    return read


def _changes(shown: dict[str, Any], other: dict[str, Any], span: Span, filtered: bool) -> tuple[str, ...]:
    """What reads differently on the other set of bars."""
    way = "With the doubtful prints left in" if filtered else "With the doubtful prints left out"
    found = []
    for leg in LEGS:
        here, there = shown["log"][leg], other["log"][leg]
        if here != there and (here is None or there is None or abs(here - there) > 1e-9):
            value = "cannot be formed" if there is None else f"would be {_log_percent(there)} log per cent"
            against = "" if here is None else f" instead of {_log_percent(here)}"
            found.append(f"{way} the leg {leg.replace('_', ' ')} {value}{against}.")
    spots = {
        "first": "the first close after the release",
        "reaction": "the furthest close within ten minutes",
        "lowest": "the lowest close of the evening",
        "highest": "the highest close of the evening",
        "lowest_print": "the lowest print of the evening",
        "highest_print": "the highest print of the evening",
    }
    here, there = shown["anatomy"] or {}, other["anatomy"] or {}
    for name, words in spots.items():
        a, b = here.get(name), there.get(name)
        if a is not None and b is not None and a != b:
            found.append(
                f"{way} {words} would be {b['price']:.2f} at {span.clock(b['at'])} instead of {a['price']:.2f} at "
                f"{span.clock(a['at'])}."
            )
    return tuple(found)


def _log_percent(value: float) -> str:
    return f"{100 * value:+.2f}".replace("-", "\N{MINUS SIGN}")


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
    if day_zero not in prices.sessions:
        return legs
    position = prices.sessions.get_loc(day_zero)
    before, last = (_price(prices, "close", ticker, prices.sessions[i]) for i in (position - 1, position))
    first, total = _price(prices, "open", ticker, day_zero), legs["close_to_close"]
    if before is None or last is None or total is None or abs(last / before - 1 - total) > _NO_DISTRIBUTION:
        return legs
    exact = {"close_to_close": last / before - 1}
    if first is not None:
        exact |= {"overnight": first / before - 1, "intraday": last / first - 1}
    return {**legs, **exact}


def _check_basis(bars: Bars, span: Span) -> None:
    """Refuse bars that are on another share basis than the daily close."""
    checks = [("close", span.closed_at, span.close, _SAME_BASIS)]
    if np.isnan(bars.price_at(span.closed_at)):
        checks = [("open", span.opens_at, span.open, _SAME_BASIS_LATER)]
    for name, at, daily, limit in checks:
        seen = bars.price_at(at)
        if not np.isnan(seen) and abs(np.log(seen / daily)) > limit:
            raise InputError(
                f"the bar at the {name} says {seen:g} and the daily {name} {daily:g}",
                parameter="bars",
                remedy="Bring bars and daily prices to the same share basis (splits).",
            )
