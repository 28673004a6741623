"""Figures: the title says the finding, axes carry units, and each figure has a text alternative.

Figures are built on :class:`matplotlib.figure.Figure` without pyplot, so nothing is
shown or kept open, and they come out as SVG without dates or random ids.
"""

from __future__ import annotations

import functools
import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, DateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from research.reporting import words

if TYPE_CHECKING:
    from research.analysis.reaction import Reaction
    from research.market.intraday import Bars
    from research.study.results import EventStudyResults

P = ParamSpec("P")
R = TypeVar("R")

# Okabe and Ito's palette: told apart by colour-blind readers and in grey.
INK, MUTED, RULE = "#222222", "#6b6b6b", "#d5d5d5"
BLUE, ORANGE, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"

#: Colour and mark of each class of surprise, in the order of the rows.
_SURPRISES = {
    "beat": (BLUE, "^"),
    "in line": ("#8c8c8c", "s"),
    "miss": (ORANGE, "v"),
    "no estimate": (PURPLE, "o"),
}

_STYLE: Any = {
    "axes.edgecolor": MUTED,
    "axes.grid": False,
    "axes.labelcolor": INK,
    "axes.labelsize": 10,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 12,
    "axes.titleweight": "bold",
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "legend.frameon": False,
    "svg.fonttype": "path",
    "svg.hashsalt": "earnings-study",
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
}


@dataclass(frozen=True)
class Picture:
    """A figure with its text alternative and caption, as Jupyter and the report show it."""

    figure: Figure
    alt: str
    caption: str = ""

    def svg(self) -> str:
        """The figure as SVG, the same bytes for the same figure."""
        buffer = io.StringIO()
        with mpl.rc_context(_STYLE):
            self.figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None}, bbox_inches="tight")
        return buffer.getvalue()

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict[str, str], dict[str, Any]]:
        described = {"alt": self.alt, "caption": self.caption}
        return {"image/svg+xml": self.svg(), "text/plain": self.alt}, {"image/svg+xml": described}

    def __repr__(self) -> str:
        return self.alt


def _styled(draw: Callable[P, R]) -> Callable[P, R]:
    """Draw in the house style and leave the caller's matplotlib settings as they were."""

    @functools.wraps(draw)
    def styled(*args: P.args, **kwargs: P.kwargs) -> R:
        with mpl.rc_context(_STYLE):
            return draw(*args, **kwargs)

    return styled


def _canvas(width: float, height: float, **grid: Any) -> tuple[Figure, Any]:
    """A figure with its axes."""
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(**grid)


def _percent_axis(axis: Any, digits: int = 0) -> None:
    axis.set_major_formatter(FuncFormatter(lambda value, _: words.number(value, digits)))


@_styled
def event_window(results: EventStudyResults, ax: Axes | None = None) -> Axes:
    """Average abnormal returns as bars and their running sum with its 95% band, per cent.

    A single event shows its own path with limits from its forecast-error variance.
    """
    if ax is None:
        ax = _canvas(9, 4.2)[1]
    if len(results) == 1:
        path = results.path(0)
        daily, running, low, high = (100 * path[name] for name in ("ar", "car", "car_low", "car_high"))
        title = f"{results.index[0][0]}: abnormal return and running sum around day zero"
    else:
        average = results.average()
        daily, running, low, high = (100 * average[name] for name in ("aar", "caar", "caar_low", "caar_high"))
        title = f"Average abnormal return and running sum, {words.count(len(results), 'event')}"
    draw_window(ax, daily, running, low, high)
    ax.set_title(title)
    return ax


def draw_window(ax: Axes, daily: pd.Series, running: pd.Series, low: pd.Series, high: pd.Series) -> None:
    """Bars of daily values and a line with its band, all in per cent, by relative day."""
    days = daily.index.to_numpy()
    ax.axhline(0, color=MUTED, linewidth=0.8)
    ax.axvline(0, color=RULE, linewidth=6, zorder=0)
    ax.fill_between(days, low, high, color=BLUE, alpha=0.15, linewidth=0, label="95% interval of the sum")
    ax.bar(
        days,
        daily,
        width=0.6,
        color=np.where(days == 0, ORANGE, "#b9b9b9"),
        label="abnormal return of the day",
    )
    ax.plot(days, running, color=BLUE, linewidth=2, marker="o", markersize=3, label="cumulative abnormal return")
    ax.set_xlabel("trading days relative to day zero")
    ax.set_ylabel("per cent")
    _percent_axis(ax.yaxis)
    ax.legend(loc="upper left", fontsize=9, ncols=3, bbox_to_anchor=(0, -0.16))


@_styled
def event_path(path: pd.DataFrame, ticker: str) -> Picture:
    """Abnormal returns and CAR of one event with its confidence band."""
    figure, ax = _canvas(9, 4.4)
    series = [100 * path[name] for name in ("ar", "car", "car_low", "car_high")]
    draw_window(ax, *series)
    zero, last = path.loc[0], path.iloc[-1]
    inside = last["car_low"] <= 0 <= last["car_high"]
    ending = "zero lies inside the band" if inside else "zero lies outside the band"
    ax.set_title(
        f"{ticker}: {words.percent(zero['ar'])} on day zero; "
        f"{words.percent(last['car'])} over {words.count(len(path), 'session')}, {ending}"
    )
    alt = (
        f"Bars of daily abnormal returns from day {path.index[0]} to day {path.index[-1]} and their running sum with a "
        f"95% band. Day zero: {words.percent(zero['ar'])}. Sum at the end: {words.percent(last['car'])}, "
        f"band {words.interval(last['car_low'], last['car_high'])}."
    )
    caption = "The band widens with the days summed; it comes from the estimation window's residual variance."
    return Picture(figure, alt, caption)


@_styled
def own_days(table: pd.DataFrame, this: pd.Series, ticker: str) -> Picture:
    """Strip of a firm's day-zero abnormal returns, beats and misses told apart, this one marked.

    Parameters
    ----------
    table : DataFrame
        Earlier days: ``day_zero, ar, surprise`` (``beat``, ``in line``, ``miss`` or ``no estimate``).
    this : Series
        The same for the event of the report.
    """
    figure, ax = _canvas(9, 3.1)
    rows = [name for name in _SURPRISES if (table["surprise"] == name).any() or this["surprise"] == name]
    shown = table.assign(percent=100 * table["ar"])
    for name in rows:
        sns.swarmplot(
            shown[shown["surprise"] == name],
            x="percent",
            y="surprise",
            order=rows,
            orient="h",
            ax=ax,
            size=7,
            color=_SURPRISES[name][0],
            marker=_SURPRISES[name][1],
        )
    level = rows.index(this["surprise"])
    ax.scatter([100 * this["ar"]], [level], s=190, facecolor="none", edgecolor=INK, linewidth=2, zorder=5)
    ax.scatter([100 * this["ar"]], [level], s=50, color=INK, marker=_SURPRISES[this["surprise"]][1], zorder=6)
    ax.annotate(
        f"this announcement {words.percent(this['ar'])}",
        (100 * this["ar"], level),
        xytext=(0, 30),
        textcoords="offset points",
        ha="center",
        fontsize=9,
        fontweight="bold",
        arrowprops={"arrowstyle": "-", "color": INK, "linewidth": 0.8},
    )
    ax.axvline(0, color=MUTED, linewidth=0.8)
    counts = [int((table["surprise"] == name).sum()) for name in rows]
    ax.set_yticks(range(len(rows)), [f"{name} ({n})" for name, n in zip(rows, counts, strict=True)])
    ax.set_ylim(len(rows) - 0.5, -0.9)
    ax.set_ylabel("")
    ax.set_xlabel("abnormal return on day zero, per cent")
    _percent_axis(ax.xaxis)
    larger = int((table["ar"].abs() > abs(this["ar"])).sum())
    ax.set_title(f"{larger} of {ticker}'s {len(table)} earlier earnings days moved it more than this one")
    alt = (
        f"Strip of {len(table)} earlier day-zero abnormal returns of {ticker}, from "
        f"{words.percent(table['ar'].min())} to {words.percent(table['ar'].max())}, in rows by earnings surprise. "
        f"This one is {words.percent(this['ar'])}; {larger} earlier ones were larger in absolute size."
    )
    caption = "One mark an announcement. Rows: EPS against the estimate, in line within 1%. In brackets: how many."
    return Picture(figure, alt, caption)


@_styled
def evening(bars: Bars, reaction: Reaction, ticker: str, timezone: Any) -> Picture:
    """Minute path from the close to the next morning, with close, release and call marked."""
    frame = bars.frame.tz_convert(timezone)
    points = reaction.points.assign(at=reaction.points["at"].dt.tz_convert(timezone))
    days = list(pd.unique(frame.index.normalize()))
    spans = [part.index[-1] - part.index[0] for _, part in frame.groupby(frame.index.normalize())]
    figure, axes = _canvas(
        9.4,
        4.6,
        ncols=len(days),
        sharey=True,
        squeeze=False,
        width_ratios=[span.total_seconds() for span in spans],
    )
    for ax, day in zip(axes[0], days, strict=True):
        part = frame[frame.index.normalize() == day]
        _draw_path(ax, part, bars.step, timezone)
        inside = points[(points["at"] >= part.index[0]) & (points["at"] <= part.index[-1] + bars.step)]
        _mark_points(ax, inside)
        ax.set_xlabel(f"{words.date(day.tz_localize(None))}, exchange time")
        if len(points):
            ax.axhline(points["price"].iloc[0], color=MUTED, linewidth=0.9, linestyle=(0, (4, 3)))
    axes[0][0].set_ylabel("US dollars")
    for ax in axes[0][1:]:
        ax.spines["left"].set_visible(False)
        ax.tick_params(left=False)
    low, high = frame["close"].quantile([0.002, 0.998])
    axes[0][0].set_ylim(low - 0.08 * (high - low), high + 0.45 * (high - low))
    parts = [
        f"{_LEG_NAMES[name]} {words.number(100 * value, 1, signed=True)}"
        for name, value in reaction.log.items()
        if value is not None
    ]
    stations = {
        "end of extended trading": "by 20:00",
        "open": "at the open",
        "close of day zero": "at the close",
    }
    moves = [
        f"{words.percent(price / points['price'].iloc[0] - 1, 1)} {stations[label]}"
        for label, _, price in points.itertuples(index=False)
        if label in stations
    ]
    title = f"{ticker}: {words.listing(moves)}" if moves else f"{ticker} from the close to the next morning"
    figure.suptitle(title, x=0.01, ha="left", fontweight="bold", fontsize=12)
    marks = [f"{label} {at:%H:%M} at {price:,.2f}" for label, at, price in points.itertuples(index=False)]
    alt = (
        f"{title}: line of bar closes with marks at {words.listing(marks)}. Legs, log per cent: {words.listing(parts)}."
    )
    caption = (
        f"Closes of the bars as traded{'; dashed: the close before the news' if len(points) else ''}. Minutes without a trade are "
        "gaps in the line. Extended-hours prints are thin and include late reports, so a single spike is no move of the price."
    )
    return Picture(figure, alt, caption)


_LEG_NAMES = {
    "pre_release": "before the release",
    "release": "release",
    "call": "call and after",
    "pre_market": "overnight to the open",
    "session": "next session",
}


def _draw_path(ax: Axes, part: pd.DataFrame, step: pd.Timedelta, timezone: Any) -> None:
    """Bar closes stamped at the end of their bars, broken where minutes are missing."""
    ends = part.index + step
    gaps = np.flatnonzero(np.diff(part.index.asi8) > 2 * step.value)
    values = part["close"].to_numpy(copy=True)
    for run in np.split(np.arange(len(part)), gaps + 1):
        ax.plot(ends[run], values[run], color=BLUE, linewidth=1.1, solid_capstyle="round")
    ax.xaxis.set_major_locator(AutoDateLocator(minticks=3, maxticks=6))
    ax.xaxis.set_major_formatter(DateFormatter("%H:%M", tz=timezone))
    _percent_axis(ax.yaxis)


def _mark_points(ax: Axes, points: pd.DataFrame) -> None:
    """A line, a dot and a label for each boundary; labels of close neighbours go on lower rows."""
    row, previous = 0, None
    for label, at, price in points.itertuples(index=False):
        row = row + 1 if previous is not None and at - previous < pd.Timedelta(hours=1) else 0
        previous = at
        ax.axvline(at, color=ORANGE, linewidth=1, alpha=0.8)
        ax.plot([at], [price], marker="o", color=ORANGE, markersize=6, markeredgecolor="white")
        late = at > points["at"].iloc[0] and at - points["at"].iloc[0] > pd.Timedelta(hours=2)
        ax.annotate(
            f"{label} {at:%H:%M}\n{price:,.2f}",
            (at, 1),
            xycoords=("data", "axes fraction"),
            xytext=(-4 if late else 4, -2 - 25 * row),
            textcoords="offset points",
            fontsize=8,
            va="top",
            ha="right" if late else "left",
        )


@_styled
def legs(reaction: Reaction) -> Picture:
    """Waterfall of the log legs from close to close."""
    present = [(name, value) for name, value in reaction.log.items() if value is not None]
    names = [_LEG_NAMES[name] for name, _ in present] + ["close to close"]
    values = 100 * np.array([value for _, value in present])
    total = values.sum()
    starts = np.concatenate([[0.0], np.cumsum(values)[:-1], [0.0]])
    heights = np.append(values, total)
    figure, ax = _canvas(9, 3.4)
    colours = [BLUE if value >= 0 else ORANGE for value in values] + [INK]
    ax.bar(np.arange(len(names)), heights, bottom=starts, color=colours, width=0.62)
    for i, (start, height) in enumerate(zip(starts, heights, strict=True)):
        top = max(start, start + height)
        ax.annotate(
            words.number(height, 2, signed=True),
            (i, top),
            xytext=(0, 3),
            textcoords="offset points",
            ha="center",
            fontsize=10,
        )
    for i in range(len(names) - 1):
        level = starts[i] + heights[i]
        ax.plot([i + 0.31, i + 0.69], [level, level], color=MUTED, linewidth=0.8)
    ax.axhline(0, color=MUTED, linewidth=0.8)
    top, bottom = max(0.0, *np.cumsum(values)), min(0.0, *np.cumsum(values))
    ax.set_ylim(bottom - 0.1 * (top - bottom), top + 0.2 * (top - bottom))
    ax.set_xticks(np.arange(len(names)), names)
    ax.set_ylabel("log return, per cent")
    _percent_axis(ax.yaxis)
    largest = max(present, key=lambda item: abs(item[1]))
    ax.set_title(
        f"The largest leg: {_LEG_NAMES[largest[0]]}, {words.number(100 * largest[1], 2, signed=True)} log per cent"
    )
    alt = "Waterfall of log legs: " + "; ".join(
        f"{name} {words.number(height, 2, signed=True)}%" for name, height in zip(names, heights, strict=True)
    )
    return Picture(figure, alt, "Log returns, so that the legs add up exactly to the close-to-close return.")


@_styled
def side_by_side(table: pd.DataFrame, ticker: str) -> Picture:
    """Day-zero abnormal return under several models and benchmarks with 95% intervals.

    Parameters
    ----------
    table : DataFrame
        ``label, ar, low, high``.
    """
    figure, ax = _canvas(9, 1.3 + 0.42 * len(table))
    position = np.arange(len(table))[::-1]
    values, low, high = (100 * table[name].to_numpy() for name in ("ar", "low", "high"))
    ax.hlines(position, low, high, color=BLUE, linewidth=2.2, alpha=0.6)
    ax.scatter(values, position, color=BLUE, s=46, zorder=3)
    for y, value, right in zip(position, values, high, strict=True):
        ax.annotate(
            words.number(value, 2, signed=True),
            (right, y),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            fontsize=9,
        )
    ax.axvline(0, color=MUTED, linewidth=0.8)
    ax.set_yticks(position, table["label"])
    ax.margins(x=0.12, y=0.12)
    ax.set_xlabel("abnormal return on day zero, per cent, with 95% interval")
    _percent_axis(ax.xaxis)
    rejecting = int(((table["low"] > 0) | (table["high"] < 0)).sum())
    ax.set_title(f"{rejecting} of {len(table)} benchmarks put {ticker}'s day zero outside its ordinary range")
    alt = "Points with intervals: " + "; ".join(
        f"{row.label}: {words.percent(row.ar)} ({words.interval(row.low, row.high)})" for row in table.itertuples()
    )
    return Picture(figure, alt, "Intervals from the residual spread of ordinary days under each model.")


@_styled
def residual_check(estimation: pd.DataFrame, ticker: str) -> Picture:
    """Estimation residuals over time with the days that were cut shaded.

    Parameters
    ----------
    estimation : DataFrame
        As :meth:`EventStudyResults.estimation_path` returns it.
    """
    residuals, cut = estimation["residual"].dropna(), estimation.index[estimation["cut"]]
    figure, ax = _canvas(9, 2.8)
    for day in cut:
        ax.axvspan(day - pd.Timedelta(hours=12), day + pd.Timedelta(hours=12), color=ORANGE, alpha=0.35, linewidth=0)
    ax.vlines(residuals.index, 0, 100 * residuals.to_numpy(), color=BLUE, linewidth=0.9)
    sigma = 100 * float(residuals.std())
    for level in (-2 * sigma, 2 * sigma):
        ax.axhline(level, color=MUTED, linewidth=0.8, linestyle=(0, (4, 3)))
    ax.axhline(0, color=MUTED, linewidth=0.8)
    outside = int((residuals.abs() > 0.02 * sigma).sum())
    ax.set_title(
        f"{ticker}: {outside} of {len(residuals)} residuals beyond two standard deviations (about 5% expected)"
    )
    ax.set_ylabel("residual, per cent")
    locator = AutoDateLocator(minticks=4, maxticks=8)
    ax.xaxis.set_major_locator(locator)
    ax.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    _percent_axis(ax.yaxis)
    alt = f"Residuals of {ticker}'s estimation window; {outside} of {len(residuals)} beyond two standard deviations; {len(cut)} days cut."
    return Picture(
        figure,
        alt,
        "Shaded: days -1 to +1 around the firm's other announcements, left out of the estimation.",
    )
