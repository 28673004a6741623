"""Figures of the reports on many announcements: paths by class, response, curve of specifications, drift."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from research.analysis.response import ArctanResponse
from research.reporting import words
from research.reporting._figure_data import MOST_POINTS, behind, in_groups, wide
from research.reporting.plots import BLUE, INK, MUTED, ORANGE, RULE, Picture, _canvas, _percent_axis, _styled

#: Colours and dashes of the classes of surprise.
CLASS_STYLE: dict[str, tuple[str, Any]] = {
    "beat": (BLUE, "-"),
    "in line": ("#8c8c8c", (0, (4, 2))),
    "miss": (ORANGE, (0, (1, 1.2))),
}


def _band(ax: Axes, days: Sequence[float], part: pd.DataFrame, name: str, style: tuple[str, Any]) -> None:
    colour, dashes = style
    ax.fill_between(days, 100 * part["low"], 100 * part["high"], color=colour, alpha=0.13, linewidth=0)
    ax.plot(days, 100 * part["estimate"], color=colour, linestyle=dashes, linewidth=2, label=name)


def _direct_labels(ax: Axes, ends: list[tuple[float, str, str]], x: float) -> None:
    """Names at the ends of the lines, pushed apart where they would overlap."""
    low, high = ax.get_ylim()
    gap = 0.055 * (high - low)
    placed: list[float] = []
    for y, text, colour in sorted(ends):
        at = max(y, placed[-1] + gap) if placed else y
        placed.append(at)
        ax.annotate(text, (x, at), xytext=(6, 0), textcoords="offset points", va="center", fontsize=9, color=colour)


@_styled
def class_paths(paths: pd.DataFrame, counts: Mapping[str, int]) -> Picture:
    """Mean cumulative abnormal return by class of surprise with 95% bands.

    Parameters
    ----------
    paths : DataFrame
        ``class, relative_day, estimate, low, high``.
    counts : mapping of class to number of events
    """
    figure, ax = _canvas(9, 4.4)
    ends = []
    for name, style in CLASS_STYLE.items():
        part = paths[paths["class"] == name]
        if len(part):
            _band(ax, part["relative_day"].tolist(), part, name, style)
            ends.append((100 * float(part["estimate"].iloc[-1]), f"{name} ({counts.get(name, 0)})", style[0]))
    ax.axhline(0, color=MUTED, linewidth=0.8)
    ax.axvline(0, color=RULE, linewidth=6, zorder=0)
    last = float(paths["relative_day"].max())
    ax.set_xlim(float(paths["relative_day"].min()), last + 0.14 * (last - float(paths["relative_day"].min())))
    _direct_labels(ax, ends, last)
    ax.set_xlabel("trading days relative to day zero")
    ax.set_ylabel("cumulative abnormal return, per cent")
    _percent_axis(ax.yaxis, 1)
    at_end = {
        name: paths[paths["class"] == name]["estimate"].iloc[-1]
        for name in CLASS_STYLE
        if (paths["class"] == name).any()
    }
    told = words.listing([f"{name} {words.percent(value, 1)}" for name, value in at_end.items()])
    ax.set_title(f"By day {last:+.0f}: {told}")
    alt = f"Lines of mean cumulative abnormal returns by class of EPS surprise with 95% bands. At the end: {told}."
    caption = (
        "Sum from the window's first day; in brackets the number of announcements. Bands: 95%, errors clustered by day "
        "zero. The grey bar is day zero."
    )
    data = wide(paths, "class", {name: name for name in CLASS_STYLE}, "estimate", list(CLASS_STYLE))
    return Picture(figure, alt, caption, data)


@_styled
def response(frame: pd.DataFrame, curve: ArctanResponse, window: tuple[int, int]) -> Picture:
    """Reaction against surprise, with the fitted curve.

    Parameters
    ----------
    frame : DataFrame
        ``eps_surprise, car, class``.
    curve : ArctanResponse
    """
    figure, ax = _canvas(9, 4.6)
    limit = float(np.nanquantile(frame["eps_surprise"].abs(), 0.95))
    inside = frame["eps_surprise"].abs() <= limit
    for name, (colour, _) in CLASS_STYLE.items():
        part = frame[inside & (frame["class"] == name)]
        ax.scatter(
            100 * part["eps_surprise"], 100 * part["car"], s=12, color=colour, alpha=0.4, linewidth=0, label=name
        )
    grid = np.linspace(-limit, limit, 401)
    ax.plot(100 * grid, 100 * curve.predict(grid), color=INK, linewidth=2, label="fit")
    ax.axhline(0, color=MUTED, linewidth=0.8)
    ax.axvline(0, color=MUTED, linewidth=0.8)
    ax.set_xlabel("EPS surprise, per cent of the estimate")
    ax.set_ylabel(f"CAR [{window[0]}, {window[1]}], per cent")
    _percent_axis(ax.xaxis)
    _percent_axis(ax.yaxis)
    ax.legend(loc="upper left", ncols=4, fontsize=9, bbox_to_anchor=(0, -0.15))
    if not curve.slope_p < 0.05:
        title = f"How steep it is near zero cannot be told from flat (p {words.p_value(curve.slope_p)})"
    elif curve.linear:
        title = f"A straight line: {words.number(curve.slope)} points of return per point of surprise"
    else:
        title = (
            f"Steep near zero ({words.number(curve.slope)} per point of surprise), "
            f"flat far out ({words.percent(curve.saturation, 1, signed=False)} at most)"
        )
    ax.set_title(title)
    outside = int((~inside & frame["eps_surprise"].notna()).sum())
    n = int(inside.sum())
    alt = f"Scatter of the reaction against the EPS surprise of {n} announcements, with a fitted curve. {title}."
    caption = (
        "One dot an announcement; the curve is CAR = a + b arctan(c surprise), fitted to all of them. "
        f"Not shown: {words.count(outside, 'surprise')} beyond {words.percent(limit, 0, signed=False)}."
    )
    return Picture(figure, alt, caption, _response_data(frame[inside], curve))


def _response_data(frame: pd.DataFrame, curve: ArctanResponse) -> pd.DataFrame:
    """The dots with the fit at their surprise; means of groups where there are too many to list."""
    if len(frame) > MOST_POINTS:
        return in_groups(frame["eps_surprise"], frame["car"], ("surprise", "CAR"))
    fitted = frame.assign(fit=curve.predict(frame["eps_surprise"].to_numpy())).sort_values("eps_surprise")
    headings = {"eps_surprise": "EPS surprise, %", "class": "class", "car": "CAR, %", "fit": "fit, %"}
    return behind(fitted, headings)


@_styled
def without_each(table: pd.DataFrame, whole: float, what: str) -> Picture:
    """The headline number without each firm in turn.

    Parameters
    ----------
    table : DataFrame indexed by the firm left out
        ``estimate, low, high``.
    whole : float
        The number with all firms.
    what : str
        What the number is.
    """
    figure, ax = _canvas(9, 1.2 + 0.2 * len(table))
    y = np.arange(len(table))
    ax.hlines(y, 100 * table["low"], 100 * table["high"], color=BLUE, alpha=0.45, linewidth=2)
    ax.scatter(100 * table["estimate"], y, color=BLUE, s=26, zorder=3)
    ax.axvline(100 * whole, color=INK, linewidth=1, linestyle=(0, (4, 3)))
    ax.axvline(0, color=MUTED, linewidth=0.8)
    ax.set_yticks(y, [str(name) for name in table.index], fontsize=8)
    ax.set_ylim(-0.7, len(table) - 0.3)
    ax.set_xlabel(f"{what}, per cent, with 95% interval")
    _percent_axis(ax.xaxis, 1)
    low, high = table["estimate"].min(), table["estimate"].max()
    ax.set_title(
        f"Without any one company it stays between {words.percent(low, 1)} and {words.percent(high, 1)} "
        f"({words.percent(whole, 1)} with all)"
    )
    alt = (
        f"Points with intervals, one for each company left out, from {words.percent(low)} without {table.index[0]} to "
        f"{words.percent(high)} without {table.index[-1]}; {words.percent(whole)} with all."
    )
    headings = {"left_out": "left out", "estimate": f"{what}, %", "low": "95% from, %", "high": "to, %"}
    caption = "Dashed: with all companies. Each row leaves out the company it names."
    return Picture(figure, alt, caption, behind(table.rename_axis("left_out").reset_index(), headings))


@_styled
def specification_curve(table: pd.DataFrame, what: str) -> Picture:
    """Estimates of every specification in ascending order, with their choices marked below.

    Parameters
    ----------
    table : DataFrame
        As :func:`research.analysis.robustness.specification_curve` returns it, NaN estimates dropped.
    what : str
    """
    ordered = table.sort_values("estimate", kind="stable", ignore_index=True)
    choices = {
        "window": [f"window [{a}, {b}]".replace("-", "\N{MINUS SIGN}") for a, b in ordered["window"]],
        "model": [f"model {name}" for name in ordered["model"]],
        "estimation": [f"estimation [{a}, {b}]".replace("-", "\N{MINUS SIGN}") for a, b in ordered["estimation"]],
        "rule": [f"day zero: {name}" for name in ordered["day_zero_rule"]],
    }
    labels = [label for column in choices.values() for label in dict.fromkeys(sorted(column))]
    figure, (top, below) = _canvas(
        9.4, 3 + 0.24 * len(labels), nrows=2, sharex=True, height_ratios=[2.6, 0.24 * len(labels)]
    )
    x = np.arange(len(ordered))
    firm = (ordered["low"] > 0) | (ordered["high"] < 0)
    colours = np.where(firm, BLUE, "#8c8c8c")
    top.vlines(x, 100 * ordered["low"], 100 * ordered["high"], color=colours, alpha=0.45, linewidth=2)
    top.scatter(x, 100 * ordered["estimate"], c=colours, s=18, zorder=3)
    main = ordered.index[ordered["primary"]]
    if len(main):
        top.scatter(main, 100 * ordered.loc[main, "estimate"], s=90, facecolor="none", edgecolor=ORANGE, linewidth=2)
        top.annotate(
            "declared beforehand",
            (main[0], 100 * ordered.loc[main[0], "low"]),
            xytext=(0, -4),
            textcoords="offset points",
            ha="center",
            va="top",
            fontsize=8,
            color=ORANGE,
        )
    top.axhline(0, color=MUTED, linewidth=0.8)
    top.set_ylabel("per cent")
    _percent_axis(top.yaxis)
    for row, label in enumerate(labels):
        marked = np.flatnonzero([label in column for column in zip(*choices.values(), strict=True)])
        below.scatter(marked, np.full(len(marked), row), marker="|", s=60, color=INK, linewidth=1.6)
    below.set_yticks(range(len(labels)), labels, fontsize=8)
    below.set_ylim(len(labels) - 0.5, -0.5)
    below.tick_params(axis="x", bottom=False, labelbottom=False)
    below.set_xlabel("specifications, smallest estimate first")
    top.tick_params(axis="x", bottom=False)
    low, high = ordered["estimate"].min(), ordered["estimate"].max()
    top.set_title(
        f"{int(firm.sum())} of {len(ordered)} specifications put it outside zero: "
        f"{words.percent(low, 1)} to {words.percent(high, 1)}"
    )
    alt = (
        f"Specification curve of {what}: {len(ordered)} estimates from {words.percent(low)} to {words.percent(high)}; "
        f"{int(firm.sum())} have a 95% interval that excludes zero."
    )
    caption = (
        f"{what[0].upper()}{what[1:]} under every combination of choices; marks below say which. Blue: 95% interval "
        "excludes zero. Rule date takes the calendar date for day zero, as a table without hours would; next session "
        "starts one day late."
    )
    spans = {name: [f"[{a}, {b}]" for a, b in ordered[name]] for name in ("window", "estimation")}
    headings = {
        "window": "window",
        "model": "model",
        "estimation": "estimation",
        "day_zero_rule": "day zero",
        "estimate": "estimate, %",
        "low": "95% from, %",
        "high": "to, %",
        "primary": "declared beforehand",
    }
    return Picture(figure, alt, caption, behind(ordered.assign(**spans), headings))


@_styled
def drift_paths(paths: pd.DataFrame, names: Sequence[str], counts: Sequence[int], label: str) -> Picture:
    """Mean cumulative abnormal return after the announcement, by group of surprise.

    Parameters
    ----------
    paths : DataFrame
        ``group, relative_day, car, low, high``.
    names : sequence of str
        Name of each group, worst surprises first.
    counts : sequence of int
        Events of each group.
    label : str
        How groups were made.
    """
    figure, ax = _canvas(9, 4.4)
    n = len(names)
    shades: list[tuple[str, Any]] = (
        [(ORANGE, (0, (1, 1.2))), ("#8c8c8c", (0, (4, 2))), (BLUE, "-")]
        if n == 3
        else [(ORANGE, (0, (1, 1.2)))] + [("#c9c9c9", "-")] * (n - 2) + [(BLUE, "-")]
    )
    ends = []
    for group, name in enumerate(names):
        part = paths[paths["group"] == group].rename(columns={"car": "estimate"})
        if not len(part):
            continue
        if group in (0, n - 1) or n == 3:
            _band(ax, part["relative_day"].tolist(), part, name, shades[group])
            ends.append((100 * float(part["estimate"].iloc[-1]), f"{name} ({counts[group]})", shades[group][0]))
        else:
            ax.plot(part["relative_day"], 100 * part["estimate"], color=shades[group][0], linewidth=1)
    ax.axhline(0, color=MUTED, linewidth=0.8)
    first, last = float(paths["relative_day"].min()), float(paths["relative_day"].max())
    ax.set_xlim(first, last + 0.24 * (last - first))
    _direct_labels(ax, ends, last)
    ax.set_xticks([day for day in range(0, int(last) + 1, 10) if day >= first])
    ax.set_xlabel("trading days after day zero")
    ax.set_ylabel("cumulative abnormal return, per cent")
    _percent_axis(ax.yaxis, 1)
    final = paths.groupby("group")["car"].last()
    gap = float(final.iloc[-1] - final.iloc[0])
    ax.set_title(f"By day {last:.0f} the best surprises are {words.percent(gap, 1)} ahead of the worst")
    alt = (
        "Lines of mean cumulative abnormal returns by group of surprise with 95% bands; best minus worst at the end "
        f"{words.percent(gap)}."
    )
    caption = (
        f"Groups: {label}; in brackets their numbers. A position that has ended (two sessions before the next "
        "announcement) stays at its last value. Bands: 95%, errors clustered by calendar quarter."
    )
    banded = list(range(n)) if n == 3 else [0, n - 1]
    return Picture(figure, alt, caption, wide(paths, "group", dict(enumerate(names)), "car", banded))


@_styled
def long_short(table: pd.DataFrame) -> Picture:
    """Best minus worst group by benchmark and method of inference.

    Parameters
    ----------
    table : DataFrame
        ``label, estimate, low, high, headline``.
    """
    figure, ax = _canvas(9, 1.3 + 0.3 * len(table))
    y = np.arange(len(table))[::-1]
    colours = np.where(table["headline"], ORANGE, BLUE)
    ax.hlines(y, 100 * table["low"], 100 * table["high"], color=colours, alpha=0.6, linewidth=2.2)
    ax.scatter(100 * table["estimate"], y, c=colours, s=34, zorder=3)
    for at, value, right in zip(y, 100 * table["estimate"], 100 * table["high"], strict=True):
        ax.annotate(
            words.number(value, 1, signed=True),
            (right, at),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
        )
    ax.axvline(0, color=MUTED, linewidth=0.8)
    ax.set_yticks(y, table["label"], fontsize=9)
    ax.margins(x=0.1, y=0.1)
    ax.set_xlabel("best minus worst group, per cent, with 95% interval")
    _percent_axis(ax.xaxis)
    outside = int(((table["low"] > 0) | (table["high"] < 0)).sum())
    ax.set_title(f"{outside} of {len(table)} intervals exclude zero")
    alt = "Points with intervals: " + "; ".join(
        f"{row.label}: {words.percent(row.estimate)} ({words.interval(row.low, row.high)})"
        for row in table.itertuples()
    )
    headings = {
        "label": "measure, benchmark: inference",
        "estimate": "best minus worst, %",
        "low": "95% from, %",
        "high": "to, %",
        "headline": "headline",
    }
    caption = "Orange: the headline, a benchmark without an estimated intercept."
    return Picture(figure, alt, caption, behind(table, headings))


@_styled
def calendar_time(returns: pd.DataFrame) -> Picture:
    """Running sum of the calendar-time portfolio's daily return, and the firms it holds."""
    figure, (top, below) = _canvas(9, 4.4, nrows=2, sharex=True, height_ratios=[3, 1])
    shown = returns["long_short"]
    total = 100 * shown.fillna(0).cumsum()
    gaps = shown.isna().to_numpy()
    top.plot(returns.index, total.where(~gaps), color=BLUE, linewidth=1.4)
    held = returns.index[(returns["n_long"] + returns["n_short"]) > 0]
    top.set_xlim(held[0], held[-1])
    top.axhline(0, color=MUTED, linewidth=0.8)
    top.set_ylabel("sum of daily\nreturns, per cent")
    _percent_axis(top.yaxis)
    below.fill_between(returns.index, returns["n_long"], color=BLUE, alpha=0.5, linewidth=0, step="mid", label="long")
    below.fill_between(
        returns.index, -returns["n_short"], color=ORANGE, alpha=0.5, linewidth=0, step="mid", label="short"
    )
    below.axhline(0, color=MUTED, linewidth=0.8)
    below.set_ylabel("firms held")
    below.yaxis.set_major_formatter(lambda value, _: f"{abs(value):.0f}")
    below.legend(loc="upper left", ncols=2, fontsize=8, bbox_to_anchor=(0, -0.3))
    days = int(shown.notna().sum())
    last = float(total.iloc[-1]) / 100
    top.set_title(f"Long the best, short the worst surprises: {words.percent(last, 0)} in all over {days:,} days")
    alt = (
        f"Line of the running sum of the long-short portfolio's daily returns, {words.percent(last)} after {days} "
        "days, with the firms held below."
    )
    caption = (
        "Equal weights, rebalanced daily, no costs. Breaks: days with too few firms in a leg. "
        "Not adjusted for the market."
    )
    return Picture(figure, alt, caption, _years(returns.loc[held[0] : held[-1]]))


def _years(returns: pd.DataFrame) -> pd.DataFrame:
    """The calendar-time portfolio by year: thousands of days are too many to list."""
    found = returns.groupby(returns.index.year).agg(
        days=("long_short", "count"), total=("long_short", "sum"), long=("n_long", "mean"), short=("n_short", "mean")
    )
    found["running"] = found["total"].cumsum()
    headings = {
        "year": "year",
        "days": "days held",
        "total": "sum of daily returns, %",
        "running": "running sum, %",
        "long": "firms held long, mean",
        "short": "firms held short, mean",
    }
    return behind(found.rename_axis("year").reset_index(), headings)
