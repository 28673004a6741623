"""Pictures of a spillover report: peers in their tiers on one day, and the panel over many announcements."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke

from research.analysis.spillover import TIERS, Pass, Spillover
from research.reporting import words
from research.reporting._figure_data import MOST_POINTS, behind, in_groups
from research.reporting.plots import BLUE, GREEN, INK, MUTED, ORANGE, RULE, Picture, _canvas, _percent_axis, _styled

_COLOURS = {"clean": BLUE, "adjacent": "#8c8c8c", "confounded": ORANGE}
_ALPHA = 0.05

#: The line's green is too light for letters.
_GREEN_TEXT = "#00694d"

_MARKS = {"clean": "o", "adjacent": "s", "confounded": "v"}


@_styled
def neighbours(day: Spillover) -> Picture:
    """Abnormal returns of announcer, peers and portfolios on one day, with 95% intervals, in tiers."""
    rows: list[tuple[str, str, pd.Series, bool]] = [(day.announcer, "announcer", day.own, True)]
    for tier in TIERS:
        peers = day.peers[(day.peers["tier"] == tier) & day.peers["car"].notna()]
        rows += [(str(row["peer"]), tier, row, False) for _, row in peers.sort_values("car").iterrows()]
        if len(peers) > 1:
            rows.append((f"{tier} together", tier, day.portfolios.loc[tier], True))
    figure, ax = _canvas(9, 1.5 + 0.36 * len(rows))
    previous = ""
    for i, (_, tier, row, strong) in enumerate(rows):
        y = len(rows) - i
        if tier != previous and i:
            ax.axhline(y + 0.5, color=RULE, linewidth=0.9)
        previous = tier
        colour = _COLOURS.get(tier, INK)
        car, low, high = (100 * float(row[key]) for key in ("car", "low", "high"))
        ax.hlines(y, low, high, color=colour, linewidth=3 if strong else 1.8, alpha=0.55)
        marker = "D" if strong else _MARKS.get(tier, "o")
        ax.scatter([car], [y], color=colour, s=58 if strong else 40, marker=marker, zorder=3)
        ax.annotate(
            words.number(car, 2, signed=True),
            (max(high, car), y),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            fontsize=9.5,
            fontweight="bold" if strong else "normal",
        )
    ax.axvline(0, color=MUTED, linewidth=0.8)
    names = [name if strong else f"{name}, {tier}" for name, tier, _, strong in rows]
    ax.set_yticks(np.arange(len(rows), 0, -1), names)
    ax.margins(x=0.12)
    ax.set_ylim(0.4, len(rows) + 0.6)
    ax.set_xlabel("abnormal return, per cent, with 95% interval")
    _percent_axis(ax.xaxis)
    ax.set_title(f"{day.day_zero:%Y-%m-%d}: {_finding(day)}")
    alt = "Points with 95% intervals by tier: " + "; ".join(
        f"{name} ({tier}) {words.percent(row['car'])}, {words.interval(row['low'], row['high'])}"
        for name, tier, row, _ in rows
    )
    caption = (
        "Diamonds: announcer, and each tier as one portfolio. Clean peers had no news of their own within one session."
    )
    drawn = pd.DataFrame(
        [(name, tier, *(row[key] for key in ("car", "low", "high"))) for name, tier, row, _ in rows],
        columns=["name", "tier", "car", "low", "high"],
    )
    headings = {
        "name": "company or portfolio",
        "tier": "tier",
        "car": "abnormal return, %",
        "low": "95% from, %",
        "high": "to, %",
    }
    return Picture(figure, alt, caption, behind(drawn, headings))


def _finding(day: Spillover) -> str:
    """Both moves, and which of them can be told from zero."""
    own, clean = day.own, day.portfolios.loc["clean"]
    text = f"{day.announcer} {words.percent(own['car'])}"
    if not clean["n"]:
        return f"{text}; no peer is clean that day"
    text += f", its clean {'peer' if clean['n'] == 1 else 'peers'} {words.percent(clean['car'])}"
    told = [bool(row["p_value"] < _ALPHA) for row in (own, clean)]
    if all(told):
        return f"{text}, both distinguishable from zero"
    if not any(told):
        return f"{text}, neither distinguishable from zero"
    return f"{text}, only {'the former' if told[0] else 'the latter'} distinguishable from zero"


@_styled
def panel(table: pd.DataFrame, through: Pass, ticker: str, this: pd.Timestamp | None = None) -> Picture:
    """Abnormal returns of clean peers against the announcer's, over all its announcements.

    Parameters
    ----------
    table : DataFrame
        Rows of the clean tier of the panel.
    through : Pass
        The regression over them.
    ticker : str
    this : Timestamp, optional
        Day zero to mark.
    """
    figure, ax = _canvas(9, 4.4)
    x, y = 100 * table["announcer_car"].to_numpy(), 100 * table["car"].to_numpy()
    few = len(table) <= MOST_POINTS
    ax.scatter(x, y, s=26 if few else 12, color=BLUE, alpha=0.55 if few else 0.35, linewidths=0)
    marked = (table["day_zero"] == this).to_numpy() if this is not None else np.zeros(len(table), dtype=bool)
    if marked.any():
        ax.scatter(x[marked], y[marked], s=44, facecolor="none", edgecolor=INK, linewidth=1.5, zorder=4)
        ax.annotate(
            f"{this:%Y-%m-%d}",
            (x[marked][0], y[marked].max()),
            xytext=(4, 10),
            textcoords="offset points",
            fontsize=9.5,
            fontweight="bold",
        )
    ax.axhline(0, color=MUTED, linewidth=0.8)
    ax.axvline(0, color=MUTED, linewidth=0.8)
    who = f"Clean peers on {words.count(through.n_dates, 'announcement')} of {ticker}"
    if through.note:
        title = f"{who}: {through.note}"
    else:
        ends = np.array([x.min(), x.max()])
        ax.plot(ends, 100 * through.intercept + through.slope * ends, color=GREEN, linewidth=2, zorder=3)
        _slope_label(ax, through)
        told = through.p_value if np.isnan(through.bootstrap_p) else through.bootstrap_p
        way = "moved with it" if through.slope > 0 else "moved against it"
        title = f"{who} {way}" if told < _ALPHA else f"{who}: no slope distinguishable from zero"
    ax.set_title(title)
    ax.set_xlabel(f"abnormal return of {ticker}, per cent")
    ax.set_ylabel("abnormal return of a peer, per cent")
    for axis in (ax.xaxis, ax.yaxis):
        _percent_axis(axis)
    alt = f"Scatter of {words.count(len(table), 'pair')} of abnormal returns, peer against {ticker}. {title}"
    alt += "." if through.note else f"; {_slope_text(through)}."
    ring = "; ringed: the announcement of this report" if marked.any() else ""
    if len(table) > MOST_POINTS:
        data = in_groups(table["announcer_car"], table["car"], (f"return of {ticker}", "return of peers"))
    else:
        headings = {
            "day_zero": "day zero",
            "peer": "peer",
            "announcer_car": f"abnormal return of {ticker}, %",
            "car": "abnormal return of the peer, %",
        }
        data = behind(table, headings)
    fitted = "" if through.note else "; the line is fitted by least squares"
    return Picture(figure, alt, f"One dot a peer and announcement{ring}{fitted}.", data)


def _slope_text(through: Pass) -> str:
    low, high = (words.number(limit, 3, signed=True) for limit in (through.low, through.high))
    return f"slope {words.number(through.slope, 3, signed=True)}, 95% interval {low} to {high}"


def _slope_label(ax: Axes, through: Pass) -> None:
    """The slope in figures, in a corner and in the colour of the line."""
    ax.text(
        0.012,
        0.975,
        _slope_text(through),
        transform=ax.transAxes,
        va="top",
        fontsize=10,
        fontweight="bold",
        color=_GREEN_TEXT,
        path_effects=[withStroke(linewidth=2.6, foreground="white")],
        zorder=6,
    )
