"""News of unknown hour in the body of a report: every plausible session side by side."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pandas as pd

from research.reporting import words
from research.reporting.case import Case
from research.reporting.tables import (
    Column,
    Fragment,
    number_column,
    paragraph,
    percent_column,
    size_column,
    subheading,
    table,
)


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
        "overnight": replace(percent_column("close to open"), optional=True),
        "intraday": replace(percent_column("open to close"), optional=True),
        "ar": percent_column("abnormal return"),
        "low": percent_column("95% from"),
        "high": percent_column("to"),
        "t": number_column("t"),
        "p": Column("p", words.p_value),
        "mde": size_column("detectable at 80% power"),
    }
    return table(pd.DataFrame(rows), columns, caption="Both sessions that could have reacted first.")


def reading(case: Case) -> Fragment:
    """Heading of the part of the report that holds for one reading; nothing where the hour is known."""
    if not case.reading:
        return paragraph("")
    return subheading(f"If the news came {case.reading}: day zero {words.date(case.day_zero)}")
