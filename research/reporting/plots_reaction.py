"""Pictures of one evening: the price path with its stations, and the legs as a waterfall beside it."""

from __future__ import annotations

import itertools
import re
import textwrap
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from research.analysis._boundaries import CALL, CLOSE, EXTENDED, LAST, OPEN, RELEASE
from research.analysis.reaction import Reaction
from research.reporting import words
from research.reporting._evening_axes import PAUSE, TimeAxis, best_place, draw_hours, time_axis
from research.reporting.plots import BLUE, INK, MUTED, ORANGE, PURPLE, RULE, Picture, _canvas, _styled

#: Bars further apart than this (in bar lengths) are not joined: gaps in the bars are gaps in the line.
_JOIN = 2

#: A label further from its point than this share of the panel's height is tied to it by a line.
_FAR = 0.05

#: Bars before the close that are shown.
_LEAD = pd.Timedelta(minutes=10)

#: Top of the panels as a share of the figure, with two rows of names of stations above them, and a row's height.
_TOP, _ROW = 0.765, 0.031

#: Characters of the title that fit on a line.
_WIDEST = 84

_HALO = [withStroke(linewidth=2.6, foreground="white")]
_SHADES = ("#f7f4ec", "#ffffff")
_MARKET = "#9a9a9a"

_STATIONS = {
    CLOSE: "close",
    RELEASE: "release",
    CALL: "call begins",
    EXTENDED: "evening ends",
    OPEN: "open",
    LAST: "close",
}


@_styled
def evening(reaction: Reaction, ticker: str, timezone: Any) -> Picture:
    """Price path from the close before to the close of day zero, the legs as a waterfall beside it.

    Both panels share one scale: logarithms, so that the legs add up, labelled by the simple change they
    stand for.

    Parameters
    ----------
    reaction : Reaction
        With bars; see :attr:`Reaction.complete`.
    ticker : str
    timezone : tzinfo
        The exchange's.
    """
    assert reaction.bars is not None
    figure = Figure(figsize=(10.4, 6.2))
    left, right = figure.subplots(ncols=2, sharey=True, width_ratios=[2.1, 1], gridspec_kw={"wspace": 0.05})
    figure.subplots_adjust(left=0.06, right=0.995, top=_TOP, bottom=0.115)
    frame = reaction.bars.frame
    shown = frame[frame.index >= reaction.points["at"].iloc[0] - _LEAD]
    shown = shown[shown.index < reaction.points["at"].iloc[-1]]
    axis = time_axis(shown, reaction)
    _shade(left, reaction, axis)
    _market(left, reaction, axis)
    _path(left, shown, reaction, axis)
    _marks(left, reaction, axis)
    _limits(left, shown, reaction)
    draw_hours(left, axis, timezone)
    rows = _station_names(left, reaction, axis, timezone)
    figure.subplots_adjust(top=_TOP - _ROW * max(rows - 2, 0))
    _values(left, shown, reaction, axis, timezone)
    _waterfall(right, reaction, timezone)
    _percent_ticks(left)
    title = evening_title(reaction, ticker, timezone)
    close = reaction.points["price"].iloc[0]
    length = f"{reaction.bars.step / pd.Timedelta(minutes=1):g}-minute"
    figure.text(0.012, 0.985, _two_lines(title), fontsize=15, fontweight="bold", va="top", linespacing=1.15)
    figure.text(
        0.012,
        0.872,
        f"Change from the close before ({close:,.2f} dollars); closes of {length} bars; exchange time",
        fontsize=10.5,
        color=MUTED,
        va="top",
    )
    right.text(
        0, 1.075, "The same move in legs", transform=right.transAxes, fontsize=11.5, fontweight="bold", va="bottom"
    )
    right.text(0, 1.02, "log return, per cent: the legs add up", transform=right.transAxes, fontsize=9.5, color=MUTED)
    return Picture(
        figure,
        _alt(reaction, title, timezone),
        _caption(reaction, shown, left.get_ylim()),
        _stations(reaction, timezone),
    )


def _two_lines(title: str) -> str:
    """The title broken where both lines are about as long, if it needs two."""
    width = _WIDEST if len(title) <= _WIDEST else min(_WIDEST, len(title) // 2 + 16)
    # A change and its hour stay on one line.
    kept = re.sub(r" (at|by)( the)? ", lambda found: found.group().replace(" ", "\N{NO-BREAK SPACE}"), title)
    return textwrap.fill(kept, width).replace("\N{NO-BREAK SPACE}", " ")


def evening_title(reaction: Reaction, ticker: str, timezone: Any) -> str:
    """The course of the evening in one sentence made from the numbers."""
    close = float(reaction.points["price"].iloc[0])
    at = reaction.points.set_index("label")
    course = reaction.anatomy
    parts = []
    if course is not None and course["reaction"] is not None:
        first = course["reaction"]
        minutes = int((first["at"] - at.loc[RELEASE, "at"]).total_seconds() // 60)
        spot = words.percent(first["from_close"], 1)
        parts.append(f"{spot} within {words.count(minutes, 'minute')} of the release")
        if course["back_at"] is not None:
            parts.append(f"back at zero by {course['back_at'].tz_convert(timezone):%H:%M}")
    if EXTENDED in at.index:
        clock = at.loc[EXTENDED, "at"].tz_convert(timezone)
        parts.append(f"{words.percent(at.loc[EXTENDED, 'price'] / close - 1, 1)} at {clock:%H:%M}")
    parts.append(f"{words.percent(at.loc[OPEN, 'price'] / close - 1, 1)} at the open")
    parts.append(f"{words.percent(reaction.simple['close_to_close'], 1)} at the close")
    return f"{ticker}: {words.listing(parts)}"


def _level(price: Any, reaction: Reaction) -> Any:
    """Log change from the close before, per cent."""
    return 100 * np.log(price / float(reaction.points["price"].iloc[0]))


def _shade(ax: Axes, reaction: Reaction, axis: TimeAxis) -> None:
    """The legs as bands, told apart by a tint."""
    places = [axis(at) for at in reaction.points["at"]]
    for i, (start, end) in enumerate(itertools.pairwise(places)):
        ax.axvspan(start, end, color=_SHADES[i % 2], linewidth=0, zorder=0)
    for label, place in zip(reaction.points["label"], places, strict=True):
        strong = label in (RELEASE, CALL)
        ax.axvline(place, color=ORANGE if strong else RULE, linewidth=1.3 if strong else 1.0, zorder=1)
    ax.axhline(0, color=MUTED, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)


def _runs(index: pd.DatetimeIndex, step: pd.Timedelta, join: float) -> list[np.ndarray]:
    """Positions of bars that follow each other without a gap."""
    return np.split(np.arange(len(index)), np.flatnonzero(np.diff(index.asi8) > join * step.value) + 1)


def _path(ax: Axes, frame: pd.DataFrame, reaction: Reaction, axis: TimeAxis) -> None:
    """Closes at the ends of their bars, and the range of each bar behind them."""
    assert reaction.bars is not None
    step = reaction.bars.step
    if {"low", "high"} <= set(frame.columns):
        ranges = frame[["low", "high"]].dropna()
        place = axis(pd.DatetimeIndex(ranges.index) + step)
        low, high = _level(ranges["low"].to_numpy(), reaction), _level(ranges["high"].to_numpy(), reaction)
        for run in _runs(pd.DatetimeIndex(ranges.index), step, _JOIN):
            ax.fill_between(place[run], low[run], high[run], color=BLUE, alpha=0.2, linewidth=0, zorder=2)
    closes = frame["close"].dropna()
    values, ends = _level(closes.to_numpy(), reaction), pd.DatetimeIndex(closes.index) + step
    for run in _runs(pd.DatetimeIndex(closes.index), step, _JOIN):
        alone = len(run) == 1
        ax.plot(
            axis(ends[run]),
            values[run],
            color=BLUE,
            linewidth=1.5,
            marker="o" if alone else None,
            markersize=1.6,
            solid_joinstyle="round",
            zorder=4,
        )
    later = reaction.points[reaction.points["at"] > ends[-1]]
    if len(later):
        place = [axis(ends[-1]), *(axis(at) for at in later["at"])]
        levels = [values[-1], *_level(later["price"].to_numpy(), reaction)]
        ax.plot(place, levels, color=BLUE, linewidth=1, linestyle=":", zorder=3)


def _market(ax: Axes, reaction: Reaction, axis: TimeAxis) -> None:
    """The market's own path, faint."""
    market = reaction.market
    if market is None or market.path.empty or reaction.bars is None:
        return
    path = market.path[market.path.index <= reaction.points["at"].iloc[-1]]
    runs = _runs(pd.DatetimeIndex(path.index), pd.Timedelta(minutes=1), PAUSE / pd.Timedelta(minutes=1))
    for run in runs:
        ax.plot(
            axis(pd.DatetimeIndex(path.index[run])), 100 * path.to_numpy()[run], color=_MARKET, linewidth=1.1, zorder=2
        )
    name = market.name if market.multiple == 1 else f"{market.name} ÷ {market.multiple:g}"
    first = runs[0]
    spot = first[int(0.72 * (len(first) - 1))]
    ax.annotate(
        f"market ({name})",
        (axis(path.index[spot]), 100 * path.iloc[spot]),
        xytext=(0, -5),
        textcoords="offset points",
        fontsize=9.5,
        color="#707070",
        ha="center",
        va="top",
        path_effects=_HALO,
        zorder=6,
    )


def _marks(ax: Axes, reaction: Reaction, axis: TimeAxis) -> None:
    """Doubtful prints as crosses where the tape has them."""
    marks = reaction.marks
    if marks.empty or reaction.bars is None:
        return
    first, last = reaction.points["at"].iloc[0] - _LEAD, reaction.points["at"].iloc[-1]
    marks = marks[(marks["at"] >= first) & (marks["at"] < last)]
    place = axis(pd.DatetimeIndex(marks["at"]) + reaction.bars.step)
    ax.plot(
        place, _level(marks["value"].to_numpy(), reaction), linestyle="", marker="x", color=PURPLE, markersize=7,
        markeredgewidth=1.8, zorder=5,
    )  # fmt: skip
    done = "left out" if reaction.filtered else "kept"
    ax.text(
        0.995,
        0.985,
        f"× {words.count(len(marks), 'doubtful print')}, {done}",
        transform=ax.transAxes,
        ha="right",
        va="top",
        fontsize=9.5,
        color="#a34f80",
        path_effects=_HALO,
        zorder=9,
    )


def _limits(ax: Axes, frame: pd.DataFrame, reaction: Reaction) -> None:
    """Room for every close and point; a single bar's range may reach beyond, and the caption says so."""
    closes = _level(frame["close"].dropna().to_numpy(), reaction)
    levels = np.concatenate([closes, _level(reaction.points["price"].to_numpy(), reaction)])
    margin = 0.13 * max(float(levels.max() - levels.min()), 0.5)
    ax.set_ylim(levels.min() - margin, levels.max() + margin)


def _percent_ticks(ax: Axes) -> None:
    """Ticks at round simple changes on the log scale."""
    low, high = (100 * np.expm1(limit / 100) for limit in ax.get_ylim())
    steps = (0.25, 0.5, *(figure * 10.0**power for power in range(6) for figure in (1, 2, 5)))
    step = next((s for s in steps if (high - low) / s <= 9), steps[-1])
    rounds = np.arange(np.ceil(low / step), np.floor(high / step) + 1) * step
    digits = 0 if step >= 1 else 2 if step == 0.25 else 1
    ax.set_yticks(100 * np.log1p(rounds / 100), [words.percent(value / 100, digits) for value in rounds])
    ax.tick_params(axis="y", length=0, labelsize=10.5)
    for place in 100 * np.log1p(rounds / 100):
        ax.axhline(place, color=RULE, linewidth=0.5, zorder=0.5)
    for side in ("left", "right"):
        ax.spines[side].set_visible(False)


def _station_names(ax: Axes, reaction: Reaction, axis: TimeAxis, timezone: Any) -> int:
    """Names of the stations above the panel; those of close neighbours go on a higher row. The number of rows."""
    span = axis.places[-1] - axis.places[0]
    taken: list[float] = []
    for label, at in zip(reaction.points["label"], reaction.points["at"], strict=True):
        text, place = f"{_STATIONS[label]} {at.tz_convert(timezone):%H:%M}", axis(at)
        strong = label in (RELEASE, CALL)
        length = (0.0125 if strong else 0.0113) * len(text) * span
        # The first name ends at its line, which lies at the left edge, the evening's because the open is close by;
        # the last ones have no room on the right.
        right = label in (CLOSE, EXTENDED) or place + length > axis.places[-1] + 0.02 * span
        start = place - length if right else place
        row = next((i for i, end in enumerate(taken) if start > end + 0.015 * span), len(taken))
        taken[row : row + 1] = [place - 0.015 * span if label == CLOSE else start + length]
        ax.annotate(
            text,
            (place, 1),
            xycoords=("data", "axes fraction"),
            xytext=(2 if right and label != CLOSE else -1, 4 + 14 * row),
            textcoords="offset points",
            ha="right" if right else "left",
            va="bottom",
            fontsize=9.5,
            color=ORANGE if strong else INK,
            fontweight="bold" if strong else "normal",
        )
    return len(taken)


def _spots(reaction: Reaction, timezone: Any) -> list[tuple[pd.Timestamp, float, str]]:
    """Instants whose change is written into the picture, with the clock where no station tells it."""
    points = reaction.points[reaction.points["label"] != CLOSE]
    spots = [(at, float(price), "") for at, price in zip(points["at"], points["price"], strict=True)]
    course = reaction.anatomy
    if course is None or course["reaction"] is None or reaction.bars is None:
        return spots
    turn, back = course["reaction"], course["back_at"]
    spots.append((turn["at"], turn["price"], f"{turn['at'].tz_convert(timezone):%H:%M}"))
    if back is not None:
        spots.append((back, reaction.bars.price_at(back), f"{back.tz_convert(timezone):%H:%M}"))
    return sorted(spots, key=lambda spot: spot[0])


def _values(ax: Axes, frame: pd.DataFrame, reaction: Reaction, axis: TimeAxis, timezone: Any) -> None:
    """Changes from the close before at the stations and turns, each where it hides least."""
    assert reaction.bars is not None
    closes = frame["close"].dropna()
    line = np.asarray(axis(pd.DatetimeIndex(closes.index) + reaction.bars.step))
    path = np.asarray(_level(closes.to_numpy(), reaction))
    placed: list[tuple[float, float, float, float]] = []
    for at, price, clock in _spots(reaction, timezone):
        place, level = axis(at), float(_level(price, reaction))
        ax.plot([place], [level], marker="o", color=INK, markersize=5, markeredgecolor="white", zorder=7)
        text = words.percent(price / float(reaction.points["price"].iloc[0]) - 1, 1)
        side, above, box = best_place(ax, place, level, line, path, placed, lines=2 if clock else 1)
        placed.append(box)
        edge = box[2] if above else box[3]
        if abs(edge - level) > _FAR * (ax.get_ylim()[1] - ax.get_ylim()[0]):
            ax.plot([place, place], [level, edge], color=INK, linewidth=0.8, zorder=6)
        if clock:
            text = f"{clock}\n{text}" if above else f"{text}\n{clock}"
        ax.annotate(
            text,
            (place, edge),
            xytext=({"left": 3, "center": 0, "right": -3}[side], 4 if above else -4),
            textcoords="offset points",
            ha=side,
            va="bottom" if above else "top",
            fontsize=10 if clock else 11,
            fontweight="bold",
            linespacing=1.05,
            path_effects=_HALO,
            zorder=9,
        )


def leg_names(reaction: Reaction, timezone: Any = None) -> list[str]:
    """A short name for each segment, by what lies at its ends; the evening's end by the clock where one is given."""
    at = dict(zip(reaction.points["label"], reaction.points["at"], strict=True))
    evening = "evening's end"
    if timezone is not None and EXTENDED in at:
        evening = f"{at[EXTENDED].tz_convert(timezone):%H:%M}"
    ends = {CLOSE: "close", RELEASE: "release", CALL: "call", EXTENDED: evening, OPEN: "open", LAST: "close"}
    special = {"pre_release": "before release", "session": "open to close"}
    return [
        special.get(leg) or f"{ends[start]} to {ends[end]}"
        for leg, start, end in reaction.segments[["leg", "start", "end"]].itertuples(index=False)
    ]


def _waterfall(ax: Axes, reaction: Reaction, timezone: Any, wrap: int = 7) -> None:
    """The legs from zero to the total, each with the market's own leg beside it."""
    values = 100 * reaction.segments["value"].to_numpy()
    starts = np.concatenate([[0.0], np.cumsum(values)])
    names = [*leg_names(reaction, timezone), "total"]
    market = None if reaction.market is None else 100 * reaction.market.legs["value"].to_numpy()
    width = 0.62
    for i, (start, value) in enumerate(zip([*starts[:-1], 0.0], [*values, starts[-1]], strict=True)):
        total = i == len(values)
        ax.bar(i, value, bottom=start, width=width, color=INK if total else BLUE if value >= 0 else ORANGE, zorder=3)
        if not total:
            ax.plot([i - width / 2, i + 1 + width / 2], [start + value] * 2, color=MUTED, linewidth=0.7, zorder=2)
        ax.annotate(
            words.number(value, 2, signed=True),
            (i, start + value),
            xytext=(0, 3 if value >= 0 else -4),
            textcoords="offset points",
            ha="center",
            va="bottom" if value >= 0 else "top",
            fontsize=9.5,
            fontweight="bold",
            path_effects=_HALO,
            zorder=6,
        )
    if market is not None:
        own = np.append(market, market.sum())
        base = np.append(starts[:-1], 0.0)
        places = np.arange(len(own)) + width / 2 - 0.09
        ax.bar(places, own, bottom=base, width=0.18, color="#d9d9d9", edgecolor="white", linewidth=0.6, zorder=4)
        ax.text(
            0.02, 0.02, "grey: the market's own leg", transform=ax.transAxes, fontsize=9.5, color="#707070",
            path_effects=_HALO, zorder=7,
        )  # fmt: skip
    ax.axhline(0, color=MUTED, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)
    ax.set_xticks(np.arange(len(names)), [textwrap.fill(name, wrap) for name in names], fontsize=9)
    ax.tick_params(axis="both", length=0, labelleft=False)
    ax.set_xlim(-0.55, len(names) - 0.45)
    ax.spines["left"].set_visible(False)
    for label in ax.get_yticklabels():
        label.set_visible(False)


@_styled
def legs(reaction: Reaction, timezone: Any = None) -> Picture:
    """Waterfall of the log legs alone, for reactions that only open and close split."""
    figure, ax = _canvas(9, 3.6)
    _waterfall(ax, reaction, timezone, wrap=20)
    values = 100 * reaction.segments["value"].to_numpy()
    levels = np.concatenate([[0.0], np.cumsum(values)])
    margin = 0.18 * max(levels.max() - levels.min(), 0.2)
    ax.set_ylim(levels.min() - margin, levels.max() + margin)
    ax.tick_params(axis="y", labelleft=True)
    for label in ax.get_yticklabels():
        label.set_visible(True)
    ax.set_ylabel("log return, per cent")
    names = leg_names(reaction, timezone)
    largest = int(np.argmax(np.abs(values)))
    ax.set_title(f"The largest leg: {names[largest]}, {words.number(values[largest], 2, signed=True)} log per cent")
    caption = "Log returns, so that the legs add up exactly to the close-to-close return."
    alt = "Waterfall of log legs: " + _leg_list(reaction, timezone)
    return Picture(figure, alt, caption, _leg_data(reaction, timezone))


def _leg_data(reaction: Reaction, timezone: Any) -> pd.DataFrame:
    """The legs, the market's own beside them, and their total, in log per cent."""
    data = pd.DataFrame({"leg": leg_names(reaction, timezone)})
    data["log return, log %"] = 100 * reaction.segments["value"].to_numpy()
    if reaction.market is not None:
        data["market's own leg, log %"] = 100 * reaction.market.legs["value"].to_numpy()
    # As in the picture: the market has no total where it lacks a leg.
    data.loc[len(data)] = ["total", *(data[name].sum(skipna=False) for name in data.columns[1:])]
    return data


def _stations(reaction: Reaction, timezone: Any) -> pd.DataFrame:
    """The boundaries with their prices, each with the leg that ends there: what both panels have in common.

    The minutes between them are left out; they are the bars of the source.
    """
    points, legs_ = reaction.points, _leg_data(reaction, timezone)
    data = pd.DataFrame(
        {
            "station": [_STATIONS[label] for label in points["label"]],
            "exchange time": [at.tz_convert(timezone) for at in points["at"]],
            "price, dollars": [words.number(price, 2) for price in points["price"]],
            "change from the close before, %": 100 * (points["price"] / float(points["price"].iloc[0]) - 1),
        }
    ).reset_index(drop=True)
    # The first leg ends at the second station; the total stays with the legs.
    return data.join(legs_.iloc[:-1].set_axis(range(1, len(legs_))).rename(columns={"leg": "leg that ends there"}))


def _leg_list(reaction: Reaction, timezone: Any) -> str:
    total = float(reaction.segments["value"].sum())
    parts = [
        f"{name} {words.number(100 * value, 2, signed=True)}"
        for name, value in zip(leg_names(reaction, timezone), reaction.segments["value"], strict=True)
    ]
    return f"{', '.join(parts)}; together {words.number(100 * total, 2, signed=True)} log per cent."


def _alt(reaction: Reaction, title: str, timezone: Any) -> str:
    stations = [
        f"{_STATIONS[label]} {at.tz_convert(timezone):%H:%M} at {price:,.2f}"
        for label, at, price in reaction.points[["label", "at", "price"]].itertuples(index=False)
    ]
    market = ""
    if reaction.market is not None:
        own = reaction.market.legs["value"]
        market = f" The market's own legs: {', '.join(words.number(100 * v, 2, signed=True) for v in own)}."
    return (
        f"{title}. Line of bar closes with stations {words.listing(stations)}; waterfall of legs beside it: "
        f"{_leg_list(reaction, timezone)}{market}"
    )


def _caption(reaction: Reaction, frame: pd.DataFrame, limits: tuple[float, float]) -> str:
    texts = ["Minutes without a trade are gaps in the line; dotted: no bars."]
    if {"low", "high"} <= set(frame.columns):
        texts.insert(0, "Pale: the range of each bar.")
        close = float(reaction.points["price"].iloc[0])
        ends = [float(frame["low"].min()), float(frame["high"].max())]
        beyond = [end for end in ends if not limits[0] <= _level(end, reaction) <= limits[1]]
        if beyond:
            reached = words.listing([words.percent(end / close - 1, 1) for end in beyond])
            texts.append(f"Single bars reach {reached}, beyond the picture.")
    if len(reaction.marks):
        done = "left out of every figure" if reaction.filtered else "kept in every figure"
        prints = words.count(len(reaction.marks), "print")
        texts.append(f"Crosses: {prints} that the filter finds doubtful, {done} and listed below.")
    texts.append("Both panels share one scale: where a leg ends on the right, the price stood on the left.")
    return " ".join(texts)
