"""Figures of the report on drift: paths by group, best minus worst, portfolios in calendar time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from research.reporting import words
from research.reporting._figure_data import behind, wide
from research.reporting.plots import BLUE, MUTED, ORANGE, Picture, _canvas, _percent_axis, _styled
from research.reporting.plots_cross_section import band, direct_labels


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
    shades: list[tuple[str, Any]]
    if n == 3:
        shades = [(ORANGE, (0, (1, 1.2))), ("#8c8c8c", (0, (4, 2))), (BLUE, "-")]
    else:
        shades = [(ORANGE, (0, (1, 1.2)))] + [("#c9c9c9", "-")] * (n - 2) + [(BLUE, "-")]
    if n == 1:
        shades = [(BLUE, "-")]
    ends = []
    for group, name in enumerate(names):
        part = paths[paths["group"] == group].rename(columns={"car": "estimate"})
        if not len(part):
            continue
        if group in (0, n - 1) or n == 3:
            band(ax, part["relative_day"].tolist(), part, name, shades[group])
            ends.append((100 * float(part["estimate"].iloc[-1]), f"{name} ({counts[group]})", shades[group][0]))
        else:
            ax.plot(part["relative_day"], 100 * part["estimate"], color=shades[group][0], linewidth=1)
    ax.axhline(0, color=MUTED, linewidth=0.8)
    first, last = float(paths["relative_day"].min()), float(paths["relative_day"].max())
    ax.set_xlim(first, last + 0.24 * (last - first))
    direct_labels(ax, ends, last)
    ax.set_xticks([day for day in range(0, int(last) + 1, 10) if day >= first])
    ax.set_xlabel("trading days after day zero")
    ax.set_ylabel("cumulative abnormal return, per cent")
    _percent_axis(ax.yaxis, 1)
    final = paths.groupby("group")["car"].last()
    if 0 in final.index and n - 1 in final.index and n > 1:
        gap = float(final[n - 1] - final[0])
        title = f"By day {last:.0f}: {names[-1]} minus {names[0]} {words.percent(gap, 1)}"
    else:
        title = f"By day {last:.0f}: " + words.listing(
            [f"{names[int(group)]} {words.percent(value, 1)}" for group, value in final.items()]
        )
    ax.set_title(title)
    alt = f"Lines of mean cumulative abnormal returns by group of surprise with 95% bands. {title}."
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
    least, most = table["estimate"].min(), table["estimate"].max()
    ax.set_title(
        f"{words.percent(least, 1)} to {words.percent(most, 1)}; "
        f"{outside or 'none'} of {len(table)} intervals exclude{'s' if outside < 2 else ''} zero"
    )
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
    below.set_ylabel("companies\nheld")
    below.yaxis.set_major_formatter(lambda value, _: f"{abs(value):.0f}")
    below.legend(loc="upper left", ncols=2, fontsize=8, bbox_to_anchor=(0, -0.3))
    days = int(shown.notna().sum())
    last = float(total.iloc[-1]) / 100
    top.set_title(f"Long the best, short the worst surprises: {words.percent(last, 0)} in all over {days:,} days")
    alt = (
        f"Line of the running sum of the long-short portfolio's daily returns, {words.percent(last)} after {days} "
        "days, with the companies held below."
    )
    caption = (
        "Equal weights, rebalanced daily, no costs. Breaks: days with too few companies in a leg. "
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
        "long": "companies held long, mean",
        "short": "companies held short, mean",
    }
    return behind(found.rename_axis("year").reset_index(), headings)
