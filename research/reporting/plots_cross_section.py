"""Figures of the report on many announcements: paths by class, response, curve of specifications, placebo."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from scipy import stats

from research.analysis.effects import Effect
from research.analysis.response import ArctanResponse
from research.reporting import words
from research.reporting._figure_data import MOST_POINTS, behind, in_groups, wide
from research.reporting.plots import BLUE, INK, MUTED, ORANGE, RULE, Picture, _canvas, _percent_axis, _styled

#: Colours and dashes of the classes of surprise.
CLASS_STYLE: dict[str, tuple[str, Any]] = {
    "beat": (BLUE, "-"),
    "in line": ("#8c8c8c", (0, (4, 2))),
    "miss": (ORANGE, (0, (1, 1.2))),
    "all": (BLUE, "-"),
}

#: Companies shown one by one; of more, those at both ends.
_COMPANIES = 40


def band(ax: Axes, days: Sequence[float], part: pd.DataFrame, name: str, style: tuple[str, Any]) -> None:
    """A line with its 95% band; fractions, drawn in per cent."""
    colour, dashes = style
    ax.fill_between(days, 100 * part["low"], 100 * part["high"], color=colour, alpha=0.13, linewidth=0)
    ax.plot(days, 100 * part["estimate"], color=colour, linestyle=dashes, linewidth=2, label=name)


def direct_labels(ax: Axes, ends: list[tuple[float, str, str]], x: float) -> None:
    """Names at the ends of the lines, pushed apart where they would overlap."""
    low, high = ax.get_ylim()
    gap = 0.055 * (high - low)
    placed: list[float] = []
    for y, text, colour in sorted(ends):
        at = max(y, placed[-1] + gap) if placed else y
        placed.append(at)
        behind_text = {"facecolor": "white", "edgecolor": "none", "pad": 0.8}
        ax.annotate(
            text,
            (x, at),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            fontsize=9,
            color=colour,
            bbox=behind_text,
        )


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
            band(ax, part["relative_day"].tolist(), part, name, style)
            ends.append((100 * float(part["estimate"].iloc[-1]), f"{name} ({counts.get(name, 0)})", style[0]))
    ax.axhline(0, color=MUTED, linewidth=0.8)
    ax.axvline(0, color=RULE, linewidth=6, zorder=0)
    last = float(paths["relative_day"].max())
    ax.set_xlim(float(paths["relative_day"].min()), last + 0.14 * (last - float(paths["relative_day"].min())))
    direct_labels(ax, ends, last)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
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
        if not len(part):
            continue
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
    flat = not curve.slope_p < 0.05
    if flat:
        title = f"How steep it is near zero cannot be told from flat (p {words.p_value(curve.slope_p)})"
    elif curve.linear:
        title = f"A straight line: {words.number(curve.slope)} points of return per point of surprise"
    else:
        title = (
            f"{words.number(curve.slope)} points of return per point of surprise near zero, "
            f"{words.percent(curve.saturation, 1, signed=False)} at most far out"
        )
    ax.set_title(title)
    outside = int((~inside & frame["eps_surprise"].notna()).sum())
    n = int(inside.sum())
    alt = f"Scatter of the reaction against the EPS surprise of {n} announcements, with a fitted curve. {title}."
    caption = (
        f"One dot an announcement; the curve is CAR = a + b arctan(c surprise), fitted to all of them. {_slopes(curve)}"
        f" Not shown: {words.count(outside, 'surprise')} beyond {words.percent(limit, 0, signed=False)}."
    )
    return Picture(figure, alt, caption, _response_data(frame[inside], curve))


def _slopes(curve: ArctanResponse) -> str:
    """The slope near zero and the saturation with their intervals, and what slope could have been seen."""
    if not np.isfinite(curve.slope_se):
        return f"No interval: {curve.note}."
    quantile = float(stats.t.ppf(0.975, curve.df))
    half = quantile * curve.slope_se
    low, high = words.number(curve.slope - half), words.number(curve.slope + half)
    text = f"Slope near zero {words.number(curve.slope)}, 95% interval {low} to {high}"
    if not curve.slope_p < 0.05:
        text += (
            f"; a slope of {words.number(words.MDE_FACTOR * curve.slope_se)} or more would be seen four times in five"
        )
    if np.isfinite(curve.saturation_se):
        half = quantile * curve.saturation_se
        text += f". Far out {words.percent(curve.saturation, 1)}, 95% interval "
        text += words.interval(curve.saturation - half, curve.saturation + half, 1)
    return f"{text}."


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
    left_out, complete = len(table) - _COMPANIES, table
    if left_out > 0:
        table = pd.concat([table.head(_COMPANIES // 2), table.tail(_COMPANIES // 2)])
    figure, ax = _canvas(9, 1.4 + 0.2 * len(table))
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
    if left_out > 0:
        caption += (
            f" Shown are the {_COMPANIES // 2} with the smallest and the {_COMPANIES // 2} with the largest figures."
        )
    return Picture(figure, alt, caption, behind(complete.rename_axis("left_out").reset_index(), headings))


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
    top.set_ylabel(f"{what}, per cent")
    _percent_axis(top.yaxis, 1)
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
def placebo(draws: pd.DataFrame, observed: Effect, p_value: float, what: str) -> Picture:
    """The t-statistic on dates without news beside the one on the real dates.

    Parameters
    ----------
    draws : DataFrame
        ``t`` of every set of random dates.
    observed : Effect
        The same on the real dates.
    p_value : float
    what : str
        What the statistic tests.
    """
    values = draws["t"].dropna().to_numpy()
    figure, ax = _canvas(9, 3.2)
    edges = np.histogram_bin_edges(values, bins=min(30, max(5, len(values) // 8)))
    counts, _, _ = ax.hist(values, bins=edges, color=BLUE, alpha=0.55)
    ax.axvline(0, color=MUTED, linewidth=0.8)
    ax.set_ylim(0, 1.2 * counts.max())
    ax.set_xlabel(f"t-statistic of {what}, errors clustered by day zero")
    ax.set_ylabel("sets of random dates")
    if np.isfinite(observed.t):
        ax.axvline(observed.t, color=ORANGE, linewidth=2)
        ends = min(values.min(), observed.t), max(values.max(), observed.t)
        right = observed.t > sum(ends) / 2
        ax.annotate(
            f"real dates {words.number(observed.t, 1)}",
            (observed.t, 1.12 * counts.max()),
            xytext=(-6 if right else 6, 0),
            textcoords="offset points",
            ha="right" if right else "left",
            va="center",
            fontsize=9,
            color=ORANGE,
        )
        larger = int((np.abs(values) >= abs(observed.t)).sum())
        have = "has" if larger < 2 else "have"
        title = (
            f"{larger or 'None'} of {len(values):,} sets without news {have} as large a t as the real dates "
            f"(p {words.p_value(p_value)})"
        )
    else:
        title = "The real dates have no t-statistic to compare"
    ax.set_title(title)
    span = f"{words.number(values.min(), 1)} to {words.number(values.max(), 1)}"
    alt = f"Histogram of the t-statistic of {what} on {len(values):,} sets of random dates, from {span}. {title}."
    caption = "Bars: the same pipeline on random dates without news. Orange: on the real dates."
    data = pd.DataFrame({"low": edges[:-1], "high": edges[1:], "n": counts.astype(int)})
    return Picture(figure, alt, caption, behind(data, {"low": "t from", "high": "to", "n": "sets"}))
