"""News of unknown hour in the body of a report: every plausible session side by side."""

from __future__ import annotations

import pandas as pd

from research.reporting import words
from research.reporting.case import Case
from research.reporting.tables import Column, Fragment, paragraph, subheading, table


def readings_table(*cases: Case) -> Fragment:
    """Every plausible session side by side, a column each; nothing where the hour is known."""
    if len(cases) < 2:
        return paragraph("")
    shown = pd.DataFrame({f"if the news came {one.reading}": _figures(one) for one in cases})
    shown = shown[(shown != words.number(None)).any(axis=1)].rename_axis("figure").reset_index()
    columns: dict[str, Column | str] = {"figure": ""}
    columns |= {name: Column(str(name), str) for name in shown.columns[1:]}
    return table(shown, columns, caption="Both sessions that could have reacted first.")


def _figures(case: Case) -> dict[str, str]:
    """Day zero in texts; a dash for what is not known."""
    day = case.day
    return {
        "day zero": f"{case.day_zero:%Y-%m-%d}",
        "return": words.percent(day["return"]),
        "market return": words.percent(case.market_return),
        "close to open": words.percent(case.reaction.simple["overnight"]),
        "open to close": words.percent(case.reaction.simple["intraday"]),
        "abnormal return": words.percent(day["ar"]),
        "95% interval": words.interval(day["ar_low"], day["ar_high"]),
        "t against ordinary days": words.number(day["t"], 2, signed=True),
        "p": words.p_value(day["p_value"]),
        "detectable at 80% power": words.percent(words.MDE_FACTOR * day["ar_se"], signed=False),
        "z against own days": words.number(day["z_own"], 2, signed=True),
    }


def reading(case: Case) -> Fragment:
    """Heading of the part of the report that holds for one reading; nothing where the hour is known."""
    if not case.reading:
        return paragraph("")
    return subheading(f"If the news came {case.reading}: day zero {words.date(case.day_zero)}")
