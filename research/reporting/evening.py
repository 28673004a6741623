"""The reaction section of a report: bars found and checked, legs in words and tables, doubtful prints listed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from research.analysis import legs as many
from research.analysis._boundaries import CALL, EXTENDED, LAST, OPEN, RELEASE
from research.analysis.bar_filter import FINDINGS
from research.analysis.market_legs import BarBenchmark
from research.analysis.reaction import Reaction, reaction
from research.errors import MAX_ROWS_SHOWN, InputError, ParameterError, ResearchError
from research.events.calendar import TradingCalendar
from research.market.intraday import Bars
from research.market.prices import Prices
from research.reporting import words
from research.reporting.case import Case
from research.reporting.plots_reaction import leg_names
from research.reporting.tables import (
    Column,
    Fragment,
    bullets,
    details,
    paragraph,
    percent_column,
    size_column,
    table,
)

#: Sentence with which a report declines to say more than it knows.
NO_CAUSE = "The legs say when the price moved. They do not say why."

#: Rows of unusable bars that a note names.
_ROWS = 3

#: Fewer events than this and a share of legs across events is not shown.
_MIN_EVENTS = 8


def load_bars(source: Any, ticker: str, event: pd.Series) -> tuple[Bars | None, str]:
    """Bars of an evening, or the reason why they cannot be used.

    Bars that cannot be read must not cost the reader the rest of the report.

    Returns
    -------
    Bars or None
    str
        Empty, or what is wrong with the bars, on one line.
    """
    if "intraday" not in source.capabilities:
        return None, ""
    try:
        return source.intraday(ticker, event), ""
    except ResearchError as error:
        return None, f"The bars of {ticker} cannot be used: {_brief(error)}"


def _brief(error: ResearchError) -> str:
    """An error on one line: of many offending rows the first three and the number of the others."""
    lines = [" ".join(line.split()) for line in str(error).splitlines()]
    n = len(error.rows) if isinstance(error, InputError) else 0
    if n <= _ROWS:
        return " ".join(lines)
    listed = min(n, MAX_ROWS_SHOWN) + (n > MAX_ROWS_SHOWN)
    head, rows = lines[:-listed], lines[-listed:][:_ROWS]
    return f"{' '.join(head)} {'; '.join(rows)}; and {n - _ROWS:,} more."


def market_bars(
    source: Any, spec: str, event: pd.Series, market: pd.Series, day_zero: pd.Timestamp
) -> tuple[BarBenchmark | None, str]:
    """The instrument whose bars stand for the market.

    Parameters
    ----------
    source : Source
    spec : str
        Symbol, with its multiple of the market's return after a colon: ``SPY``, ``SPXL:3``. Empty for none.
    event : Series
    market : Series
        Daily market return; its day zero closes the gap where the bars end early.
    day_zero : Timestamp

    Returns
    -------
    BarBenchmark or None
    str
        Empty, or why there is none.

    Raises
    ------
    ParameterError
        If the multiple is no number.
    """
    symbol, _, text = spec.strip().partition(":")
    if not symbol:
        return None, ""
    try:
        multiple = float(text) if text else 1.0
    except ValueError as error:
        raise ParameterError(
            "no multiple of a market", parameter="market_bars", value=spec, allowed="SYMBOL or SYMBOL:NUMBER"
        ) from error
    bars, problem = load_bars(source, symbol, event)
    if bars is None:
        return None, problem
    total = float(market[day_zero]) if day_zero in market.index else None
    return BarBenchmark(symbol, bars, multiple, total, str(market.name)), ""


def reaction_of(
    event: pd.Series,
    timing: str,
    day_zero: pd.Timestamp,
    returns: pd.DataFrame,
    calendar: TradingCalendar,
    prices: Prices | None,
    bars: Bars | None,
    benchmark: BarBenchmark | None,
    *,
    bar_filter: bool = True,
    problems: tuple[str, ...] = (),
) -> Reaction:
    """The reaction, from open and close alone where the bars turn out not to fit; problems become notes."""
    choices: dict[str, Any] = {"bar_filter": bar_filter, "benchmark": benchmark}
    try:
        found = reaction(event, timing, day_zero, returns, calendar, prices, bars, **choices)
    except ResearchError as error:
        if bars is None:
            raise
        found = reaction(event, timing, day_zero, returns, calendar, prices, None, **choices)
        problems = (*problems, f"The bars cannot be used: {_brief(error)}")
    return replace(found, notes=(*filter(None, problems), *found.notes))


def filter_switch(text: str) -> bool:
    """The notebooks' parameter ``bar_filter``: ``on`` or ``off``.

    Raises
    ------
    ParameterError
        For anything else.
    """
    if text not in ("on", "off"):
        raise ParameterError("no such switch", parameter="bar_filter", value=text, allowed="on, off")
    return text == "on"


def course_sentence(case: Case) -> Fragment:
    """Which part of the move fell into which leg, in words made from the numbers."""
    found = case.reaction
    if found.segments.empty:
        return paragraph("Day zero cannot be split: an opening price is missing.", "note")
    values, names = found.segments["value"].to_numpy(), leg_names(found, case.zone)
    total = float(values.sum())
    spans = [_span(name) for name in names]
    parts = [f"{_log(value)} from {span}" for span, value in zip(spans, values, strict=True)]
    text = f"From close to close the price moved {_log(total)} log per cent: {words.listing(parts)}."
    if len(values) > 2:
        text += f" The largest leg is that from {spans[int(np.argmax(np.abs(values)))]}."
    text += _market_sentence(found, spans) + _release_or_call(found)
    return paragraph(text)


def _span(name: str) -> str:
    """The ends of a leg in running text, from its short name."""
    name = {"before release": "close to release"}.get(name, name)
    ends = (end if end[0].isdigit() or "evening" in end else f"the {end}" for end in name.split(" to "))
    return " to ".join(ends).replace("evening's end", "the evening's end")


def _log(value: float) -> str:
    return words.number(100 * value, 2, signed=True)


def _market_sentence(found: Reaction, spans: list[str]) -> str:
    if found.market is None or found.market.legs["value"].isna().all():
        return " The market's own legs are not known, so these are raw."
    own = found.market.legs["value"]
    if own.notna().all():
        told = words.listing([_log(value) for value in own])
        return f" Over the same spans the market moved {told}, {_log(float(own.sum()))} in all."
    parts = [f"{_log(value)} from {span}" for span, value in zip(spans, own, strict=True) if pd.notna(value)]
    return f" The market moved {words.listing(parts)}; its other legs are not known."


def _release_or_call(found: Reaction) -> str:
    """The two legs that the question is about, side by side, and what became of them by the open."""
    release, call, night = (found.log[name] for name in ("release", "call", "pre_market"))
    if release is None or call is None or CALL not in found.points["label"].tolist():
        return ""
    text = (
        f" Between the release and the start of the call the price moved {_log(release)}, from then to the end of "
        "the evening "
        f"{_log(call)}"
    )
    together = release + call
    if night is not None and together and night * together < 0:
        share = -night / together
        text += f"; by the open {words.percent(share, 0, signed=False)} of the two together had been reversed"
    return text + "."


def legs_table(case: Case) -> Fragment:
    """The legs of the reaction, the market's own beside them, and the simple returns."""
    found = case.reaction
    rows: list[dict[str, Any]] = []
    market = None if found.market is None else found.market.legs
    for i, name in enumerate(leg_names(found, case.zone)):
        row = {"leg": name, "value": found.segments["value"].iloc[i], "scale": "log"}
        if market is not None:
            row |= {"market": market["value"].iloc[i], "doubt": market["doubt"].iloc[i]}
            row["difference"] = row["value"] - row["market"]
        rows.append(row)
    if rows:
        sums = pd.DataFrame(rows).drop(columns=["leg", "scale", "doubt"], errors="ignore").sum(skipna=False)
        rows.append({"leg": "sum of the legs", "scale": "log", **sums.to_dict()})
    simple = {
        "close_to_close": "close to close",
        "after_hours": "close to end of extended trading",
        "overnight": "close to open",
        "intraday": "open to close",
    }
    kept = [(simple[name], value) for name, value in found.simple.items() if value is not None]
    rows += [{"leg": name, "value": value, "scale": "simple"} for name, value in kept]
    frame = pd.DataFrame(rows, columns=["leg", "value", "market", "difference", "doubt", "scale"])
    columns: dict[str, Column | str] = {"leg": "leg", "value": percent_column("return")}
    if market is not None and found.market is not None:
        columns |= {
            "market": percent_column(f"market ({found.market.name})"),
            "difference": percent_column("difference"),
            "doubt": size_column("doubt from thin trading"),
        }
    columns["scale"] = "scale"
    return table(frame, columns, mark=lambda row: row["leg"] == "sum of the legs")


def course_table(case: Case) -> Fragment:
    """The stations of the evening: when, at what price, how far from the close before."""
    found = case.reaction
    if not found.complete:
        return paragraph("")
    close = float(found.points["price"].iloc[0])
    rows = [
        (at, {CALL: "call begins", RELEASE: "last trade before the release"}.get(label, label), price)
        for label, at, price in found.points[["label", "at", "price"]].itertuples(index=False)
    ]
    course = found.anatomy or {}
    spots = {
        "first": "first close after the release",
        "reaction": "furthest close within ten minutes",
        "lowest": "lowest close after the release",
        "highest": "highest close after the release",
        "lowest_print": "lowest print after the release",
        "highest_print": "highest print after the release",
    }
    rows += [(course[key]["at"], name, course[key]["price"]) for key, name in spots.items() if course.get(key)]
    if course.get("back_at") is not None and found.bars is not None:
        rows.append((course["back_at"], "back within 0.1% of the close before", found.bars.price_at(course["back_at"])))
    frame = pd.DataFrame(rows, columns=["at", "what", "price"]).sort_values("at", kind="stable", ignore_index=True)
    frame["when"] = [f"{at.tz_convert(case.zone):%a %H:%M}" for at in frame["at"]]
    frame["change"] = frame["price"] / close - 1
    stations = {"close", "last trade before the release", "call begins", EXTENDED, OPEN, LAST}
    columns: dict[str, Column | str] = {
        "when": "when",
        "what": "station",
        "price": Column("price", words.number),
        "change": percent_column("from the close before"),
    }
    return table(
        frame,
        columns,
        caption="The course of the evening. Closes and prints by the end of their bar.",
        mark=lambda row: row["what"] in stations,
    ) + _course_words(course, found, case)


def _course_words(course: dict[str, Any], found: Reaction, case: Case) -> Fragment:
    """Half of the move, and what was reversed."""
    if not course:
        return paragraph("")
    texts = []
    first, lasting = course["half_at"], course["half_for_good_at"]
    if first is not None:
        released = found.points.set_index("label").loc[RELEASE, "at"]
        minutes = int((first - released).total_seconds() // 60)
        after = words.count(minutes, "minute")
        text = f"Half of the way from the release to the end of the evening was first covered after {after}"
        good = f", for good by {lasting.tz_convert(case.zone):%H:%M}" if lasting is not None else ""
        texts.append(text + good + ".")
    shares = {name: value for name, value in course["reversed"].items() if value is not None}
    named = {"end_of_extended": "the end of the evening", "open": "the open", "close": "the close of day zero"}
    if shares:
        parts = [f"{words.percent(value, 0)} by {named[name]}" for name, value in shares.items()]
        texts.append(
            "Of the first reaction (the furthest close within ten minutes of the release) was reversed: "
            f"{words.listing(parts)}; "
            "a negative share means that the price went further."
        )
    return bullets(texts) if texts else paragraph("")


def marks_table(case: Case) -> Fragment:
    """Every doubtful print, with what it is compared with, and what would read differently."""
    found = case.reaction
    if not found.complete:
        return paragraph("")
    if found.marks.empty:
        return paragraph("The filter finds no doubtful print in the bars of the extended hours.")
    shown = found.marks.assign(
        when=[f"{at.tz_convert(case.zone):%a %H:%M}" for at in found.marks["at"]],
        finding=found.marks["finding"].str.replace("-", " "),
    )
    columns: dict[str, Column | str] = {
        "when": "bar beginning",
        "field": "cell",
        "finding": "finding",
        "value": Column("print", words.number),
        "expected": Column("beside it", words.number),
        "departure": percent_column("apart, log"),
    }
    state = "left out of every figure above" if found.filtered else "kept in every figure above"
    where = words.count(found.marks["at"].nunique(), "bar")
    caption = f"{words.count(len(shown), 'doubtful print')} in {where}, {state}; nothing is deleted."
    rules = bullets([f"{name.replace('-', ' ')}: {FINDINGS[name]}." for name in dict.fromkeys(found.marks["finding"])])
    told = list(found.changes) or [
        "No leg, first price or extreme in this report reads differently with the filter the other way round."
    ]
    return table(shown, columns, caption=caption) + details("What each finding means", rules) + bullets(told)


def legs_notes(case: Case) -> Fragment:
    """What the legs rest on."""
    found = case.reaction
    texts = list(found.notes)
    if found.release_basis:
        texts.append(f"Instant of the release: {found.release_basis}.")
    if found.market is not None:
        texts += found.market.notes
        texts.append("The difference takes the market's leg with a beta of one; it is no abnormal return.")
    else:
        texts.append("The legs are raw, not adjusted for the market, whose own legs are not in the data.")
    return bullets([*texts, NO_CAUSE, "One evening permits description, not inference."])


def contribution(case: Case, prices: Prices | None) -> Fragment:
    """Which leg carried the company's reactions so far: weighted price contribution of open and close."""
    if prices is None:
        return paragraph("")
    events = case.results.events.reset_index(drop=True)
    own = events[(events["ticker"] == case.ticker) & (events["kind"] == case.event["kind"])]
    own = own[own["day_zero"] <= case.day_zero]
    found = many.daily_legs(own, prices)
    usable = found[found[["total", *many.DAILY_LEGS]].notna().all(axis=1) & (found["total"] != 0)]
    if len(usable) < _MIN_EVENTS:
        return paragraph(
            f"Shares of the legs across {case.ticker}'s announcements need at least {_MIN_EVENTS} with open and "
            "close; there "
            f"{'is' if len(usable) == 1 else 'are'} {len(usable)}.",
            "note",
        )
    shares = many.weighted_price_contribution(usable).set_index("leg")
    night = shares.loc["overnight"]
    mixed = int(found.loc[usable.index, "mixed"].sum())
    text = (
        f"Over {words.count(len(usable), 'announcement')} of {case.ticker} with open and close, this one included, "
        f"{words.percent(night['contribution'], 0, signed=False)} of the reaction came between close and open "
        f"(95% interval {words.percent(night['low'], 0, signed=False)} to "
        f"{words.percent(night['high'], 0, signed=False)}), the rest between open "
        "and close: weighted price contribution, so that large reactions weigh more."
    )
    if mixed:
        text += (
            f" {words.count(mixed, 'announcement')} came during trading hours, whose later leg mixes before and after."
        )
    return paragraph(text)
