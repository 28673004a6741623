"""What reports share: what they read of a source, the choice of a sample, its ledger, and how it was chosen."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

import pandas as pd

from research.errors import NotFoundError, ParameterError
from research.events.announcements import Announcements
from research.reporting import words
from research.reporting.tables import Column, Fragment, facts, paragraph, table
from research.study.alignment import REASONS
from research.study.models import resolve_model
from research.study.results import EventStudyResults


def market_of(source: Any, symbol: str, model: str = "market") -> pd.Series | None:
    """Market return for a report.

    Parameters
    ----------
    source : Source
    symbol : str
        Empty for the one that goes with the source. Where the source does not say which that is,
        its only series is called ``market``, for nobody knows its name; otherwise ``^GSPC``.
    model : str

    Returns
    -------
    Series or None
        None where the source has no market and the model needs none.

    Raises
    ------
    NotFoundError
        If ``symbol`` is not there, or nothing is and the model needs a market.
    """
    if symbol or source.market_symbol:
        return source.market_returns(symbol or source.market_symbol)
    with contextlib.suppress(NotFoundError):
        return source.market_returns("market")
    try:
        return source.market_returns("^GSPC")
    except NotFoundError as error:
        if not resolve_model(model).needs_market:
            return None
        raise NotFoundError(
            f"the model {model!r} needs a market, and {source.name} has no market series",
            parameter="market",
            remedy="Give it a market file, name one of its tickers as the market, or choose model=mean-adjusted.",
        ) from error


def factors_of(source: Any) -> pd.DataFrame | None:
    """Factor returns of a source; None where it has none."""
    return source.factors() if "factors" in source.capabilities else None


def selected(announcements: Announcements, tickers: str = "", start: str = "", end: str = "") -> Announcements:
    """Announcements of a comma-separated list of tickers between two dates; empty texts choose all.

    Raises
    ------
    ParameterError
        A malformed date, or a start after the end.
    NotFoundError
        An unknown ticker, or no announcement in between.
    """
    names = [name.strip() for name in tickers.split(",") if name.strip()]
    for name in names:
        announcements.for_ticker(name)  # raises, with a suggestion, for an unknown one
    first, last = _day("start", start), _day("end", end)
    if first is not None and last is not None and first > last:
        raise ParameterError("the period is reversed", parameter="start", value=start, remedy=f"end is {end}.")
    frame = announcements.frame
    kept = frame["ticker"].isin(names) if names else pd.Series(True, index=frame.index)
    if first is not None:
        kept &= frame["announced_on"] >= first
    if last is not None:
        kept &= frame["announced_on"] <= last
    if not kept.any():
        raise NotFoundError("no announcement of these tickers in this period", parameter="start, end")
    return announcements.select(kept.to_numpy())


def _day(name: str, text: str) -> pd.Timestamp | None:
    if not text.strip():
        return None
    try:
        return pd.Timestamp(pd.to_datetime(text.strip(), format="%Y-%m-%d"))
    except ValueError as error:
        raise ParameterError("no date", parameter=name, value=text, allowed="YYYY-MM-DD") from error


def used_sentence(results: EventStudyResults) -> str:
    """How many of the input events were used, and why the rest were not."""
    used, total = len(results), len(results.ledger)
    text = f"{used:,} of {words.count(total, 'announcement')} used"
    reasons = [f"{n} {reason} ({REASONS[str(reason)]})" for reason, n in results.exclusions.items()]
    return f"{text}; left out: {words.listing(reasons)}." if reasons else f"{text}; none left out."


def ledger(results: EventStudyResults) -> Fragment:
    """The ledger: used + excluded = input, in words and as a table."""
    rows = [("used", "", len(results))]
    rows += [("excluded", f"{reason}: {REASONS[str(reason)]}", int(n)) for reason, n in results.exclusions.items()]
    rows.append(("input", "used + excluded", len(results.ledger)))
    frame = pd.DataFrame(rows, columns=["status", "reason", "events"])
    columns: dict[str, Column | str] = {
        "status": "status",
        "reason": "reason",
        "events": Column("announcements", lambda n: f"{n:,}"),
    }
    shown = table(frame, columns, mark=lambda row: row["status"] == "input")
    return paragraph(used_sentence(results)) + shown


def choice_sentence(source_name: str) -> str:
    """How the firms were chosen, and what that forbids to infer (METHODS 6.9)."""
    if source_name == "sample":
        return (
            "The companies were chosen by hand, not drawn: technology names known today as winners, and firms that "
            "survived to the end of the data. So nothing here says what earnings news is worth in the market as a "
            "whole: no average reaction, no drift, no hit rate of a strategy can be inferred from it."
        )
    return (
        "This report does not know how the companies of its source were chosen. Unless they were drawn without regard "
        "to what became of them, averages over them do not describe the market."
    )


def choice(source_name: str) -> Fragment:
    """The same as a note."""
    return paragraph(choice_sentence(source_name), "note")


def source_facts(source: Any, others: Mapping[str, str]) -> Fragment:
    """Name and content hash of a source, and what else the numbers rest on."""
    return facts({"source": source.name, "content hash of the source": source.fingerprint()["sha256"], **others})


def provenance(results: EventStudyResults, source: Any, seed: int = 0, draws: int = 0) -> Fragment:
    """Where the numbers come from, and what made the random ones repeatable."""
    settings = results.settings
    events = results.events
    return source_facts(
        source,
        {
            "model": f"{results.model.name}: {results.model.definition}",
            "market": results.market_name or "none",
            "event window": f"[{settings.window[0]}, {settings.window[1]}]",
            "estimation window": f"[{settings.estimation[0]}, {settings.estimation[1]}], at least "
            f"{settings.min_observations} usable days; other announcements {settings.other_announcements}",
            "day zeros": f"{events['day_zero'].min():%Y-%m-%d} to {events['day_zero'].max():%Y-%m-%d}"
            if len(events)
            else "none",
            "random draws": f"{draws:,}, seed {seed}" if draws else "none",
        },
    )
