"""Figures of the report on methods: size, power, the staggered season, the wrong day, inflated sigma."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from research.analysis.dating import ARMS, WrongDay
from research.analysis.simulation import SIZE, Simulation, Validation, band
from research.reporting import words
from research.reporting._figure_data import behind
from research.reporting.plots import BLUE, GREEN, INK, MUTED, ORANGE, PURPLE, RULE, Picture, _canvas, _styled

#: Colour, mark and dashes of each dating of the announcements.
_ARM_STYLE = dict(
    zip(
        ARMS,
        ((BLUE, "o", "-"), (GREEN, "s", "-"), (ORANGE, "v", (0, (4, 2))), (PURPLE, "D", (0, (1, 1.2)))),
        strict=True,
    )
)

#: The corrections of BMP under staggered dates, with their colour and mark.
CORRECTIONS = {
    "bmp_t": ("none (bmp_t)", "#8c8c8c", "o"),
    "adjusted_bmp_t_event": ("event time", PURPLE, "s"),
    "adjusted_bmp_t_calendar": ("calendar", GREEN, "^"),
    "date_clustered_scar_t": ("date clusters", ORANGE, "v"),
    "adjusted_bmp_t": ("overlap-weighted", BLUE, "D"),
}


def _size_band(ax: Axes, n: int, *, vertical: bool) -> None:
    """The 95% band of a true size of 5%."""
    low, high = (100 * edge for edge in band(n))
    if vertical:
        ax.axvspan(low, high, color=GREEN, alpha=0.15, linewidth=0)
        ax.axvline(100 * SIZE, color=MUTED, linewidth=0.8)
    else:
        ax.axhspan(low, high, color=GREEN, alpha=0.15, linewidth=0)
        ax.axhline(100 * SIZE, color=MUTED, linewidth=0.8)


@_styled
def sizes(validation: Validation, panels: Mapping[str, str], tests: Sequence[str]) -> Picture:
    """Rejection rates of true nulls, a panel a design, a row a test.

    Parameters
    ----------
    validation : Validation
    panels : mapping of design name to the panel's title
    tests : sequence of str
        From top to bottom.
    """
    figure, axes = _canvas(9, 1.6 + 0.27 * len(tests), ncols=len(panels), sharey=True)
    rates = validation.rates(panels, tests)
    n = validation.n_replications
    low, high = band(n)
    last = 100 * float(np.nanmax(rates.to_numpy()))
    told = []
    for ax, (design, title) in zip(np.atleast_1d(axes), panels.items(), strict=True):
        row = rates.loc[design]
        _size_band(ax, n, vertical=True)
        for y, rate in enumerate(row):
            if np.isnan(rate):
                ax.annotate("undefined", (100 * high + 2, y), fontsize=8.5, color=MUTED, va="center")
                continue
            fine = low <= rate <= high
            ax.plot([100 * SIZE, 100 * rate], [y, y], color=RULE, linewidth=1.5, zorder=1)
            ax.scatter([100 * rate], [y], s=34, color=BLUE if fine else ORANGE, marker="o" if fine else "X", zorder=3)
            ax.annotate(
                words.number(100 * rate, 1), (100 * rate, y), xytext=(6, 0), textcoords="offset points", va="center",
                fontsize=8.5,
            )  # fmt: skip
        ax.set_title(title, fontsize=10)
        # Room for the figure beside the furthest mark.
        ax.set_xlim(-1.5, 1.3 * last + 2)
        ax.set_xticks([5, *(tick for tick in (20, 40, 60, 80) if tick < last + 5)])
        present = row.dropna()
        outside = present[(present < low) | (present > high)]
        told.append(f"{title.replace(chr(10), ' ')}: {len(outside)} of {len(present)} outside the band")
    first = np.atleast_1d(axes)[0]
    first.set_yticks(range(len(tests)), tests)
    first.set_ylim(len(tests) - 0.5, -0.5)
    inside = rates.ge(low).where(rates.notna()) & rates.le(high)
    everywhere = [str(test) for test in tests if inside[test].all() and rates[test].notna().all()]
    _headline(figure, _kept(everywhere, len(panels)))
    figure.supxlabel("rejections of a true null at 5%, per cent of replications", fontsize=10)
    alt = "Rejection rates of true null hypotheses by test. " + "; ".join(told) + "."
    caption = (
        f"{n:,} replications of 50 events. Green: where a true size of 5% lies 95 times in 100 "
        f"({words.percent(low, 1, signed=False)} to {words.percent(high, 1, signed=False)}); crosses lie outside."
    )
    columns = {name: f"{label.replace(chr(10), ' ')}, %" for name, label in panels.items()}
    return Picture(figure, alt, caption, _by_test(rates, columns))


def _headline(figure: Figure, text: str) -> None:
    """The finding above several panels."""
    figure.suptitle(text, x=0.01, ha="left", fontweight="bold", fontsize=12)


def _kept(tests: list[str], situations: int) -> str:
    """Which tests hold their size in every panel."""
    if not tests:
        return f"No test keeps its size in all {situations} situations"
    keep = "keeps its size" if len(tests) == 1 else "keep their size"
    return f"{'Only ' if len(tests) < 4 else ''}{words.listing(tests)} {keep} in all {situations} situations"


def _by_test(rates: pd.DataFrame, columns: Mapping[str, str]) -> pd.DataFrame:
    """Rejection rates, one row a test and one column a design."""
    wide = rates.T.rename_axis("test").reset_index()
    return behind(wide, {"test": "test", **columns})


@_styled
def power(simulations: Sequence[Simulation], tests: Sequence[str]) -> Picture:
    """Power of tests against the abnormal return of day zero, designs that differ in their effect."""
    figure, ax = _canvas(9, 4.4)
    table = pd.DataFrame({one.design.effect: one.rates().loc[list(tests), "rate"] for one in simulations}).sort_index(
        axis=1
    )
    colours = (BLUE, ORANGE, GREEN, PURPLE, INK, "#8c8c8c", "#E69F00")
    marks = ("D", "v", "s", "^", "o", "P", "X")
    order = table.mean(axis=1).sort_values(ascending=False).index
    for test, colour, mark in zip(order, colours, marks, strict=False):
        row = table.loc[test]
        ax.plot(100 * row.index, 100 * row, color=colour, marker=mark, markersize=5, linewidth=1.8, label=test)
    ax.axhline(100 * SIZE, color=MUTED, linewidth=0.8, linestyle=(0, (4, 3)))
    ax.set_ylim(0, 103)
    ax.set_xlabel("abnormal return added to day zero, per cent")
    ax.set_ylabel("rejections, per cent")
    ax.legend(loc="center right", fontsize=9)
    middle = table.columns[len(table.columns) // 2]
    at = table[middle]
    finding = f"{words.percent(at.min(), 0, signed=False)} to {words.percent(at.max(), 0, signed=False)}"
    ax.set_title(f"50 events find {words.percent(middle, 1, signed=False)} in {finding} of the cases, test by test")
    alt = (
        f"Lines of power by effect for {words.listing([str(test) for test in order])}; at {words.percent(middle, 1)}: "
        + (", ".join(f"{test} {words.percent(value, 0, signed=False)}" for test, value in at.items()))
    )
    caption = "Residuals t(4), daily standard deviation 1.2% to 3%, one day. Dashed: the size, 5%."
    headings = {
        "test": "test",
        **{effect: f"effect of {words.percent(effect, 2, signed=False)}, %" for effect in table},
    }
    data = behind(table.loc[order].rename_axis("test").reset_index(), headings)
    return Picture(figure, alt, caption, data)


@_styled
def season(validation: Validation, designs: Mapping[str, str]) -> Picture:
    """Size of BMP with each correction when events are staggered.

    Parameters
    ----------
    designs : mapping of design name to its label
    """
    figure, ax = _canvas(9, 1.6 + 0.5 * len(designs))
    rates = 100 * validation.rates(designs, CORRECTIONS)
    _size_band(ax, validation.n_replications, vertical=True)
    for i, (test, (label, colour, mark)) in enumerate(CORRECTIONS.items()):
        shift = 0.13 * (i - (len(CORRECTIONS) - 1) / 2)
        ax.scatter(rates[test], np.arange(len(designs)) + shift, color=colour, marker=mark, s=44, label=label, zorder=3)
    for y in range(1, len(designs)):
        ax.axhline(y - 0.5, color=RULE, linewidth=0.6)
    ax.set_yticks(range(len(designs)), list(designs.values()))
    ax.set_ylim(len(designs) - 0.5, -0.5)
    ax.set_xlim(left=-0.5)
    ax.set_xlabel("rejections of a true null at 5%, per cent of replications")
    ax.legend(title="correction", loc="lower right", fontsize=9, title_fontsize=9)
    low, high = band(validation.n_replications)
    held = ((rates >= 100 * low) & (rates <= 100 * high)).sum()
    overlap = int(held["adjusted_bmp_t"])
    kept = f"its size in {'all' if overlap == len(designs) else f'{overlap} of'} {len(designs)} seasons"
    best = overlap > held.drop("adjusted_bmp_t").max()
    ax.set_title(f"{'Only the' if best else 'The'} overlap-weighted correction keeps {kept}")
    counted = words.listing([f"{label} {int(held[test])}" for test, (label, _, _) in CORRECTIONS.items()])
    alt = f"Sizes of BMP under {len(designs)} staggered designs by correction. Inside the band: {counted}."
    caption = (
        "50 events drawn over so many days, residuals of the same calendar day correlated by 5%. Green: band of a true "
        "size of 5%. Clusters by date do not exist when all events share one."
    )
    wide = (rates / 100).rename(index=designs).rename_axis("season").reset_index()
    data = behind(wide, {"season": "season", **{test: f"{label}, %" for test, (label, *_) in CORRECTIONS.items()}})
    return Picture(figure, alt, caption, data)


@_styled
def reaction_days(wrong: WrongDay) -> Picture:
    """Mean squared standardised abnormal return by relative day, with and without the hour."""
    figure, ax = _canvas(9, 3.8)
    days = wrong.paths.index.to_numpy()
    for shift, name, colour, label in (
        (-0.2, "exact", BLUE, "day zero by the hour"),
        (0.2, "by_date", ORANGE, "day zero by the date"),
    ):
        ax.bar(days + shift, wrong.paths[name], width=0.38, color=colour, label=label)
    ax.axhline(1, color=MUTED, linewidth=0.8, linestyle=(0, (4, 3)))
    ax.annotate("ordinary\nday", (days[-1] + 0.6, 1), fontsize=9, color=MUTED, va="center")
    ax.set_xlim(days[0] - 0.7, days[-1] + 1.4)
    ax.set_xticks(days)
    ax.set_xlabel("trading days relative to day zero")
    ax.set_ylabel("squared abnormal return\nover its forecast variance")
    ax.legend(loc="upper left", fontsize=9)
    lost = words.percent(wrong.squared_on_wrong_day, 0, signed=False)
    ax.set_title(f"By the date alone, {lost} of the squared reaction falls on the wrong day")
    zero, after = wrong.paths.loc[0], wrong.paths.loc[1]
    alt = (
        f"Bars by relative day. Day zero: {words.number(zero['exact'], 1)} with the hour, "
        f"{words.number(zero['by_date'], 1)} by the date; day +1: {words.number(after['exact'], 1)} and "
        f"{words.number(after['by_date'], 1)}."
    )
    headings = {"day": "relative day", "exact": "day zero by the hour", "by_date": "day zero by the date"}
    data = behind(wrong.paths.rename_axis("day").reset_index(), headings)
    return Picture(figure, alt, f"{len(wrong.events):,} announcements of known hour, each dated both ways.", data)


@_styled
def power_of_hours(table: pd.DataFrame, labels: Mapping[float, str]) -> Picture:
    """Power curves by dating, a panel a variance of day zero.

    Parameters
    ----------
    table : DataFrame
        As :func:`research.analysis.dating.power_of_hours` returns it.
    labels : mapping of variance multiple to the panel's title
    """
    figure, axes = _canvas(10, 4.5, ncols=len(labels), sharey=True)
    _headline(figure, _cost_of_dates(table, min(labels)))
    told = []
    for ax, (variance, title) in zip(np.atleast_1d(axes), labels.items(), strict=True):
        part = table[table["variance"] == variance]
        for arm, (colour, mark, dashes) in _ARM_STYLE.items():
            row = part[part["arm"] == arm]
            x = 100 * row["effect"]
            ax.fill_between(x, 100 * row["low"], 100 * row["high"], color=colour, alpha=0.1, linewidth=0)
            ax.plot(x, 100 * row["rate"], color=colour, marker=mark, markersize=5, linestyle=dashes, label=arm)
        ax.axhline(100 * SIZE, color=MUTED, linewidth=0.8, linestyle=(0, (4, 3)))
        ax.set_title(title, fontsize=10.5)
        ax.set_ylim(0, 103)
        ax.set_xlabel("abnormal return added to day zero, per cent")
        largest = part[part["effect"] == part["effect"].max()].set_index("arm")["rate"]
        told.append(title + ": " + ", ".join(f"{a} {words.percent(v, 0, signed=False)}" for a, v in largest.items()))
    first = np.atleast_1d(axes)[0]
    first.set_ylabel("rejections, per cent")
    handles, names = first.get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=2, fontsize=9)
    n = int(table["n"].iloc[0])
    alt = "Power curves by how announcements are dated. At the largest effect: " + "; ".join(told) + "."
    caption = f"{n:,} replications of 50 events a point, residuals t(4); bands: 95%. Dashed: 5%."
    headings = {
        "variance": "variance of day zero, multiple", "arm": "dating", "effect": "effect, %", "rate": "rejections, %",
        "low": "95% from, %", "high": "to, %",
    }  # fmt: skip
    return Picture(figure, alt, caption, behind(table, headings))


def _cost_of_dates(table: pd.DataFrame, variance: float) -> str:
    """Power with the hour and with the date alone, at the effect where they differ most."""
    exact, ignored = next(iter(ARMS)), next(arm for arm, (hours, _) in ARMS.items() if hours == "ignored")
    wide = table[table["variance"] == variance].pivot_table(index="effect", columns="arm", values="rate")
    effect = (wide[exact] - wide[ignored]).idxmax()
    before, after = (words.percent(wide.loc[effect, arm], 0, signed=False) for arm in (exact, ignored))
    size = words.percent(effect, 1, signed=False)
    return f"Dated without the hour, the power to find {size} falls from {before} to {after}"


@_styled
def sigma_ratio(table: pd.DataFrame, marked: pd.Series | None = None) -> Picture:
    """Distribution of sigma with other announcements left in over sigma with them cut.

    Parameters
    ----------
    table : DataFrame
        As :func:`research.analysis.dating.sigma_with_others` returns it.
    marked : Series, optional
        A row of it to point at.
    """
    figure, ax = _canvas(9, 3.4)
    ratio = table["ratio"]
    bins = np.arange(0.025 * np.floor(min(0.95, ratio.min()) / 0.025), ratio.max() + 0.05, 0.025)
    ax.hist(ratio, bins=bins.tolist(), color=BLUE, alpha=0.8, edgecolor="white")
    ax.axvline(1, color=MUTED, linewidth=0.8)
    middle = float(ratio.median())
    ax.axvline(middle, color=ORANGE, linewidth=2)
    top = ax.get_ylim()[1]
    ax.annotate(
        f"median {words.number(middle, 2)}", (middle, 0.93 * top), xytext=(6, 0), textcoords="offset points",
        fontsize=9.5, color=ORANGE,
    )  # fmt: skip
    if marked is not None:
        ax.annotate(
            f"{marked.name}\n{words.number(marked['ratio'], 2)}", (float(marked["ratio"]), 0), xytext=(0, 42),
            textcoords="offset points", ha="center", fontsize=9, arrowprops={"arrowstyle": "-|>", "color": INK},
        )  # fmt: skip
    ax.set_xlabel("sigma with the other announcements left in, over sigma with them cut")
    ax.set_ylabel("announcements")
    tenth = float(ratio.quantile(0.9))
    ax.set_title(f"Left in, others inflate sigma by {words.percent(tenth - 1, 0, signed=False)} or more for one in ten")
    alt = (
        f"Histogram of {len(ratio):,} ratios, median {words.number(middle, 2)}, largest {words.number(ratio.max(), 2)}."
    )
    counts, edges = np.histogram(ratio, bins)
    drawn = pd.DataFrame({"low": edges[:-1], "high": edges[1:], "n": counts})
    data = behind(drawn[drawn["n"] > 0], {"low": "ratio from", "high": "below", "n": "announcements"})
    return Picture(figure, alt, "One announcement each; a ratio of 1.25 turns a t of 2.0 into 1.6.", data)
