"""Numbers as a reader meets them: one place for signs, units and the words of a verdict."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

#: Multiple of the standard error that a two-sided 5% test detects with 80% power (METHODS 8.8).
MDE_FACTOR = 2.8

_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

TIMINGS = {
    "bmo": "before the open",
    "dmh": "during trading hours",
    "amc": "after the close",
    "closed": "on a day without trading",
    "unknown": "at an unknown hour",
}

#: Names of common indices by their symbol.
INDICES = {
    "market": "market",
    "^DJI": "Dow Jones Industrial Average",
    "^GSPC": "S&P 500",
    "^IXIC": "Nasdaq Composite",
    "^NDX": "Nasdaq 100",
    "^RUT": "Russell 2000",
}


def number(value: Any, digits: int = 2, *, signed: bool = False) -> str:
    """A number with a typographic minus and thousands separators; a dash where there is none."""
    if value is None or pd.isna(value) or math.isinf(value):
        return "–"
    text = f"{value:{'+' if signed else ''},.{digits}f}"
    if float(text.replace(",", "")) == 0:
        text = text.lstrip("+-")
    return text.replace("-", "\N{MINUS SIGN}")


def percent(value: Any, digits: int = 2, *, signed: bool = True) -> str:
    """A decimal fraction in per cent: ``-0.0145`` is ``−1.45%``."""
    if value is None or pd.isna(value) or math.isinf(value):
        return "–"
    return number(100 * value, digits, signed=signed) + "%"


def p_value(value: Any) -> str:
    """A p-value with three decimals, ``<0.001`` below that."""
    if value is None or pd.isna(value):
        return "–"
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def market(symbol: str | None) -> str:
    """Name of a market in a sentence: ``the S&P 500`` for ``^GSPC``, other symbols as they are."""
    return f"the {INDICES[symbol]}" if symbol in INDICES else symbol or "no market"


def date(value: pd.Timestamp) -> str:
    """Weekday and ISO date."""
    return f"{_WEEKDAYS[value.weekday()]} {value:%Y-%m-%d}"


def interval(low: float, high: float, digits: int = 2) -> str:
    """Two limits in per cent."""
    return f"{percent(low, digits)} to {percent(high, digits)}"


def ordinal(n: int) -> str:
    """1st, 2nd, 3rd, 4th ..."""
    suffix = "th" if 10 <= n % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(n % 10, "th")
    return f"{n}{suffix}"


def count(n: int, noun: str, plural: str | None = None) -> str:
    """``1 day``, ``2 days``."""
    return f"{n:,} {noun if n == 1 else plural or noun + 's'}"


def listing(items: list[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    if len(items) < 2:
        return "".join(items)
    return ", ".join(items[:-1]) + " and " + items[-1]


def distinguishable(estimate: float, se: float, p: float, against: str, alpha: float = 0.05) -> str:
    """Verdict on one estimate, with what could have been detected where the test does not reject.

    A test that does not reject is reported as not distinguishable, never as no effect.
    """
    if pd.isna(p):
        return f"cannot be compared with {against} (no standard error)"
    if p < alpha:
        return f"distinguishable from {against} (p {p_value(p)})"
    return (
        f"not distinguishable from {against} (p {p_value(p)}); with 80% power this design detects moves "
        f"of {percent(MDE_FACTOR * se, 1, signed=False)} or more, so smaller ones cannot be ruled out"
    )


def size_in_words(rank: int, n: int) -> str:
    """Where a move stands among its ``n`` earlier ones and itself, by absolute size (1 = largest)."""
    share = (rank - 0.5) / (n + 1)
    if share <= 0.1:
        return "among the most violent"
    if share <= 1 / 3:
        return "larger than most"
    if share <= 2 / 3:
        return "of middling size"
    return "smaller than most" if share <= 0.85 else "among the quietest"
