"""Pictures of a spillover report: peers in their tiers on one day, and the panel over many announcements."""

from __future__ import annotations

import numpy as np
import pandas as pd

from research.analysis.spillover import TIERS, Pass, Spillover
from research.reporting import words
from research.reporting._figure_data import MOST_POINTS, behind, in_groups
from research.reporting.plots import BLUE, GREEN, INK, MUTED, ORANGE, RULE, Picture, _canvas, _percent_axis, _styled

_COLOURS = {"clean": BLUE, "adjacent": "#8c8c8c", "confounded": ORANGE}
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
    clean = day.portfolios.loc["clean"]
    move = f"{day.announcer} {words.percent(day.own['car'])}"
    title = (
        f"{move}; its clean peers {words.percent(clean['car'])}" if clean["n"] else f"{move}; no peer is clean that day"
    )
    ax.set_title(f"{day.day_zero:%Y-%m-%d}: {title}")
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
    ax.scatter(x, y, s=12, color=BLUE, alpha=0.35, linewidths=0)
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
    interval = f"{words.number(through.low, 3, signed=True)} to {words.number(through.high, 3, signed=True)}"
    if not through.note:
        ends = np.array([x.min(), x.max()])
        ax.plot(ends, 100 * through.intercept + through.slope * ends, color=GREEN, linewidth=2, zorder=3)
        title = f"slope {words.number(through.slope, 3, signed=True)}, 95% interval {interval}"
    else:
        title = through.note
    ax.set_title(f"Clean peers on {words.count(through.n_dates, 'announcement')} of {ticker}: {title}")
    ax.set_xlabel(f"abnormal return of {ticker}, per cent")
    ax.set_ylabel("abnormal return of a peer, per cent")
    for axis in (ax.xaxis, ax.yaxis):
        _percent_axis(axis)
    alt = f"Scatter of {words.count(len(table), 'pair')} of abnormal returns, peer against {ticker}; {title}."
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
    return Picture(figure, alt, f"One dot a peer and announcement{ring}.", data)
