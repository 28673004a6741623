"""The top of a report on news of unknown hour: every plausible session side by side, and no verdict they do not "
"share."""

from __future__ import annotations

from typing import Any

import pandas as pd
from scipy import stats

from research.reporting import words
from research.reporting.case import Case, same_verdict
from research.reporting.tables import (
    Column,
    Fragment,
    cards,
    heading,
    number_column,
    paragraph,
    percent_column,
    size_column,
    table,
)


def title_of_readings(*cases: Case) -> Fragment:
    """Heading that names both sessions and takes neither for granted."""
    case = cases[0]
    moves = words.listing([f"{words.percent(one.day['return'])} on {one.day_zero:%Y-%m-%d}" for one in cases])
    return heading(
        f"{case.ticker} ({case.event['kind']}), {case.event['announced_on']:%Y-%m-%d}, hour unknown: {moves}"
    )


def headline_of_readings(*cases: Case) -> Fragment:
    """What each reading of the hour would mean, what they share, and the window that holds both."""
    case = cases[0]
    what = "its results" if case.event["kind"] == "earnings" else f"news ({case.event['kind']})"
    text = f"{case.ticker} announced {what} on {words.date(case.event['announced_on'])}, at an hour that is not known."
    if isinstance(case.event.get("headline"), str):
        text += f" {case.event['headline']}."
    parts = [
        f"If it came {one.reading}, day zero is {words.date(one.day_zero)}: the share returned "
        f"{words.percent(one.day['return'])}, an abnormal return of {words.percent(one.day['ar'])} (p "
        f"{words.p_value(one.day['p_value'])})."
        for one in cases
    ]
    return paragraph(" ".join([text, *parts]), "verdict") + paragraph(f"{_verdict(*cases)} {_both(cases)}")


def _verdict(*cases: Case) -> str:
    rejects = [bool(one.day["p_value"] < 0.05) for one in cases]
    if not same_verdict(*cases):
        if any(rejects):
            return "The readings lead to different verdicts, so none is given."
        return (
            "The readings point in opposite directions, so no verdict is given; on neither is the abnormal return of "
            "day zero distinguishable from that of an ordinary day."
        )
    if all(rejects):
        side = "above" if cases[0].day["ar"] > 0 else "below"
        return f"On either reading the abnormal return of day zero is distinguishable from zero, and {side} it."
    return "On neither reading is the abnormal return of day zero distinguishable from that of an ordinary day."


def _both(cases: tuple[Case, ...]) -> str:
    """The window that contains every plausible day zero."""
    case, last = cases[0], len(cases) - 1
    if case.results.settings.window[1] < last:
        return ""
    one = case.results.car(0, last).iloc[case.position]
    half = stats.t.ppf(0.975, one["df"]) * one["se"]
    return (
        f"Over the {words.count(last + 1, 'session')} together, which hold the reaction on any reading, the abnormal "
        "return is "
        f"{words.percent(one['car'])} (95% interval {words.interval(one['car'] - half, one['car'] + half)}), "
        f"{words.distinguishable(one['car'], one['se'], one['p_value'], 'zero')}."
    )


def cards_of_readings(*cases: Case) -> Fragment:
    """Return and abnormal return of each plausible session."""
    figures = []
    for one in cases:
        figures.append(
            (
                f"Return, {one.day_zero:%Y-%m-%d}",
                words.percent(one.day["return"]),
                f"{one.results.market_name or 'no market'} {words.percent(one.market_return)}",
            )
        )
        figures.append(
            (
                f"Abnormal return, {one.day_zero:%Y-%m-%d}",
                words.percent(one.day["ar"]),
                f"t {words.number(one.day['t'])}, 95% interval {words.interval(one.day['ar_low'], one.day['ar_high'])}",
            )
        )
    verdict = "shared" if same_verdict(*cases) else "withheld"
    figures.append(("Verdict", verdict, "both readings agree" if verdict == "shared" else "the readings disagree"))
    return cards(figures)


def readings_table(*cases: Case) -> Fragment:
    """Every plausible session side by side; nothing where the hour is known."""
    if len(cases) < 2:
        return paragraph("")
    rows: list[dict[str, Any]] = [
        {
            "reading": one.reading,
            "session": f"{one.day_zero:%Y-%m-%d}",
            "return": one.day["return"],
            "market": one.market_return,
            "overnight": one.reaction.simple["overnight"],
            "intraday": one.reaction.simple["intraday"],
            "ar": one.day["ar"],
            "low": one.day["ar_low"],
            "high": one.day["ar_high"],
            "t": one.day["t"],
            "p": one.day["p_value"],
            "mde": words.MDE_FACTOR * one.day["ar_se"],
        }
        for one in cases
    ]
    columns: dict[str, Column | str] = {
        "reading": "if the news came",
        "session": "day zero",
        "return": percent_column("return"),
        "market": percent_column("market"),
        "overnight": percent_column("close to open"),
        "intraday": percent_column("open to close"),
        "ar": percent_column("abnormal return"),
        "low": percent_column("95% from"),
        "high": percent_column("to"),
        "t": number_column("t"),
        "p": Column("p", words.p_value),
        "mde": size_column("detectable at 80% power"),
    }
    return table(pd.DataFrame(rows), columns, caption="Both sessions that could have reacted first.")


def reading(case: Case) -> Fragment:
    """Which reading the part of the report below holds for; nothing where the hour is known."""
    if not case.reading:
        return paragraph("")
    return paragraph(f"If the news came {case.reading}: day zero {words.date(case.day_zero)}.", "note")
