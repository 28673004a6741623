"""Figures: the title says the finding, axes carry units, and each figure has a text alternative.

Figures are built on :class:`matplotlib.figure.Figure` without pyplot, so nothing is
shown or kept open, and they come out as SVG without dates or random ids.
"""

from __future__ import annotations

import functools
import io
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import matplotlib as mpl
import matplotlib.style
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from research.reporting import words
from research.reporting._figure_data import behind, metadata

if TYPE_CHECKING:
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


#: Coordinates with more than two decimals (of a 72nd of an inch) say nothing and make up half of a file.
_PLACES = re.compile(r'\b(?:d|x|y|x1|x2|y1|y2|points)="[^"]*"')
_DECIMALS = re.compile(r"(\.\d{2})\d+")


@dataclass(frozen=True)
class Picture:
    """A figure with its text alternative, caption and data, as Jupyter and the report show it.

    ``data`` are the numbers that are drawn, under headings with units; the report folds them under the figure.
    """

    figure: Figure
    alt: str
    caption: str = ""
    data: pd.DataFrame | None = field(default=None, compare=False)

    def svg(self) -> str:
        """The figure as SVG, the same bytes however often it is asked for."""
        return self._rendered

    @functools.cached_property
    def _rendered(self) -> str:
        # Once only: the layout engine moves a figure a little each time it is drawn.
        buffer = io.StringIO()
        with house_style():
            self.figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None}, bbox_inches="tight")
        return _PLACES.sub(lambda found: _DECIMALS.sub(r"\1", found[0]), buffer.getvalue())

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict[str, str], dict[str, Any]]:
        described: dict[str, Any] = {"alt": self.alt, "caption": self.caption}
        if self.data is not None:
            described["data"] = metadata(self.data)
        return {"image/svg+xml": self.svg(), "text/plain": self.alt}, {"image/svg+xml": described}

    def __repr__(self) -> str:
        return self.alt


@contextmanager
def house_style(more: Mapping[str, Any] | None = None) -> Iterator[None]:
    """Matplotlib's own defaults and the house style, whatever the user's settings file says.

    Two people's reports of the same inputs are the same bytes; afterwards their settings are as
    they were.
    """
    with mpl.style.context(["default", {**_STYLE, **(more or {})}]):
        mpl.rcParams["timezone"] = "UTC"  # which styles leave alone
        yield


def _styled(draw: Callable[P, R]) -> Callable[P, R]:
    """Draw in the house style and leave the caller's matplotlib settings as they were."""

    @functools.wraps(draw)
    def styled(*args: P.args, **kwargs: P.kwargs) -> R:
        with house_style():
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
    headings = {
        "relative_day": "relative day",
        "ar": "abnormal return, %",
        "car": "running sum, %",
        "car_low": "sum, 95% from, %",
        "car_high": "to, %",
    }
    return Picture(figure, alt, caption, behind(path.rename_axis("relative_day").reset_index(), headings))


@_styled
def own_days(table: pd.DataFrame, this: pd.Series, ticker: str, days: str = "earnings days") -> Picture:
    """Strip of a firm's day-zero abnormal returns, beats and misses told apart, this one marked.

    Parameters
    ----------
    table : DataFrame
        Earlier days: ``day_zero, ar, surprise`` (``beat``, ``in line``, ``miss`` or ``no estimate``).
    this : Series
        The same for the event of the report.
    ticker : str
    days : str
        What such days are called.
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
    ax.set_title(f"{larger} of {ticker}'s {len(table)} earlier {days} moved it more than this one")
    alt = (
        f"Strip of {len(table)} earlier day-zero abnormal returns of {ticker}, from "
        f"{words.percent(table['ar'].min())} to {words.percent(table['ar'].max())}, in rows by earnings surprise. "
        f"This one is {words.percent(this['ar'])}; {larger} earlier ones were larger in absolute size."
    )
    caption = "One mark an announcement. Rows: EPS against the estimate, in line within 1%. In brackets: how many."
    columns = ["day_zero", "ar", "surprise"]
    drawn = pd.DataFrame(
        [*table[columns].itertuples(index=False, name=None), ("this announcement", this["ar"], this["surprise"])],
        columns=pd.Index(columns),
        dtype=object,
    )
    headings = {"day_zero": "day zero", "ar": "abnormal return, %", "surprise": "earnings surprise"}
    return Picture(figure, alt, caption, behind(drawn, headings))


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
    for y, value in zip(position, values, strict=True):  # above its point, where no line can cross it
        text = words.number(value, 2, signed=True)
        ax.annotate(text, (value, y), xytext=(0, 7), textcoords="offset points", ha="center", fontsize=9)
    ax.axvline(0, color=MUTED, linewidth=0.8)
    ax.set_yticks(position, table["label"])
    ax.margins(x=0.06)
    ax.set_ylim(-0.5, len(table) - 0.35)
    ax.set_xlabel("abnormal return on day zero, per cent, with 95% interval")
    _percent_axis(ax.xaxis)
    rejecting = int(((table["low"] > 0) | (table["high"] < 0)).sum())
    ax.set_title(f"{rejecting} of {len(table)} benchmarks put {ticker}'s day zero outside its ordinary range")
    alt = "Points with intervals: " + "; ".join(
        f"{row.label}: {words.percent(row.ar)} ({words.interval(row.low, row.high)})" for row in table.itertuples()
    )
    headings = {"label": "benchmark", "ar": "abnormal return, %", "low": "95% from, %", "high": "to, %"}
    caption = "Intervals from the residual spread of ordinary days under each model."
    return Picture(figure, alt, caption, behind(table, headings))


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
    alt = (
        f"Residuals of {ticker}'s estimation window; {outside} of {len(residuals)} beyond two standard deviations; "
        f"{len(cut)} days cut."
    )
    shaded = "Shaded: days \N{MINUS SIGN}1 to +1 around the firm's other announcements, left out of the estimation."
    caption = shaded if len(cut) else "No day was left out of the estimation."
    headings = {"session": "session", "residual": "residual, %", "cut": "cut"}
    return Picture(figure, alt, caption, behind(estimation.rename_axis("session").reset_index(), headings))
