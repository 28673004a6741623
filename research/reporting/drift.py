"""The sections of the report on drift after announcements, every word from a number."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from research.analysis.drift import GUARD, Drift, DriftStudy, post_announcement_drift
from research.analysis.portfolios import CalendarTime
from research.errors import InputError
from research.events.announcements import Announcements
from research.reporting import words
from research.reporting._drift_words import BASIS_POINTS, HEADLINE, cards, group_counts, group_names, title, verdict
from research.reporting.samples import choice_sentence, factors_of, ledger, market_of, provenance, selected
from research.reporting.tables import (
    Column,
    Fragment,
    facts,
    number_column,
    paragraph,
    percent_column,
    size_column,
    table,
)

__all__ = [
    "calendar_portfolios",
    "calendar_sentence",
    "calendar_table",
    "cards",
    "definitions",
    "endings_table",
    "factors_of",
    "group_counts",
    "group_names",
    "group_table",
    "ledger",
    "long_short_rows",
    "long_short_table",
    "market_of",
    "payload",
    "provenance",
    "selected",
    "studied",
    "title",
    "value_table",
    "verdict",
]


def studied(
    events: Announcements, returns: pd.DataFrame, market: pd.Series, *, grouping: str = "auto", **choices: Any
) -> tuple[DriftStudy, str]:
    """:func:`research.post_announcement_drift`; where no surprise parts the announcements, of all together.

    Returns
    -------
    study : DriftStudy
    note : str
        Why there are no groups; empty where there are.
    """
    try:
        return post_announcement_drift(events, returns, market, grouping=grouping, **choices), ""
    except InputError as error:
        if grouping != "auto" or error.parameter != "surprise":
            raise
        study = post_announcement_drift(events, returns, market, grouping="none", **choices)
        problem = f"{error.problem[0].upper()}{error.problem[1:]}"
        return study, f"{problem}, so all announcements are held together."


def endings_table(study: DriftStudy) -> Fragment:
    """Where the windows ended, and which announcements could not be held."""
    events = study.headline.events
    used = events[events["status"] == "used"]
    rows = [
        ("held", "to the horizon", int((used["ended"] == "horizon").sum())),
        (
            "held",
            f"to {GUARD} sessions before the next announcement",
            int((used["ended"] == "next announcement").sum()),
        ),
    ]
    left = events.loc[events["status"] != "used", "reason"].value_counts()
    rows += [("left out", str(reason), int(n)) for reason, n in left.items()]
    excluded = study.results.exclusions
    rows += [("not studied", str(reason), int(n)) for reason, n in excluded.items()]
    rows.append(("input", "all of the above", len(study.results.ledger)))
    frame = pd.DataFrame(rows, columns=["status", "why", "events"])
    shown = table(
        frame,
        {"status": "status", "why": "until when, or why not", "events": Column("announcements", lambda n: f"{n:,}")},
        mark=lambda row: row["status"] == "input",
    )
    if not len(used):
        return shown + paragraph("No announcement could be held.")
    unknown = int((used["next"].isna()).sum())
    last = used["last"]
    text = (
        f"The last day held lies between day {last.min()} and day {last.max()}; the median is day {last.median():.0f}."
    )
    if unknown:
        text += (
            f" For {words.count(unknown, 'announcement')} the next one is not in the data, so nothing says that it "
            "lies beyond the horizon."
        )
    return shown + paragraph(text)


def group_table(drift: Drift) -> Fragment:
    """Mean CAR and BHAR of every group."""
    names = group_names(drift.ranks)
    car = drift.table[drift.table["measure"] == "car"].reset_index(drop=True)
    bhar = drift.table[drift.table["measure"] == "bhar"].reset_index(drop=True)
    shown = pd.DataFrame(
        {
            "group": names,
            "events": car["n_events"],
            "car": car["estimate"],
            "low": car["low"],
            "high": car["high"],
            "p": car["p_value"],
            "bhar": bhar["estimate"],
            "bhar_low": bhar["low"],
            "bhar_high": bhar["high"],
        }
    )
    columns: dict[str, Column | str] = {
        "group": "surprise",
        "events": Column("events", lambda n: f"{n:,}"),
        "car": percent_column("CAR"),
        "low": percent_column("95% from"),
        "high": percent_column("to"),
        "p": Column("p", words.p_value),
        "bhar": percent_column("BHAR"),
        "bhar_low": percent_column("95% from"),
        "bhar_high": percent_column("to"),
    }
    caption = f"Benchmark: {drift.benchmark}. Groups: {drift.ranks.label}. Errors clustered by calendar quarter."
    return table(shown, columns, caption=caption) + _missing(drift.table)


def _missing(rows: pd.DataFrame) -> Fragment:
    """Why some rows have no interval."""
    notes = rows.loc[rows["low"].isna() & (rows["note"] != ""), "note"]
    if not len(notes):
        return Fragment("", "")
    return paragraph(f"No interval where there is a dash: {words.listing(list(dict.fromkeys(notes)))}.", "note")


def value_table(study: DriftStudy, weights: str = "") -> Fragment:
    """Value-weighted means where market capitalisations are given; ``weights`` names their column."""
    rows = study.headline.value_weighted
    if not len(rows):
        return paragraph(
            "No market capitalisations are given, so every announcement counts alike; the parameter weights names the "
            "column that holds them.",
            "note",
        )
    names = group_names(study.headline.ranks)
    shown = rows.assign(
        group=["best minus worst" if isinstance(group, str) else names[int(group)] for group in rows["group"]],
        measure=rows["measure"].str.upper(),
    )
    columns: dict[str, Column | str] = {
        "measure": "measure",
        "group": "surprise",
        "n_events": Column("events", lambda n: f"{n:,}"),
        "estimate": percent_column("value-weighted mean"),
        "low": percent_column("95% from"),
        "high": percent_column("to"),
        "p_value": Column("p", words.p_value),
        "mde": size_column("detectable"),
        "largest_share": size_column("heaviest", 0),
    }
    by = weights or "market capitalisation"
    shown_table = table(
        shown,
        columns,
        caption=f"Weighted by {by}; benchmark {study.headline.benchmark}, errors clustered by "
        "calendar quarter. Heaviest: share of the one announcement that weighs most in its group.",
    )
    found = study.value_calendar
    assert found is not None
    row = found.table.loc[("long" if study.headline.ranks.n_groups == 1 else "long_short", "Newey-West")]
    if not np.isfinite(row["alpha"]):
        return shown_table + _missing(rows) + paragraph(f"In calendar time there is no estimate: {row['note']}.")
    daily, low, high = (words.number(BASIS_POINTS * row[name], 1, signed=True) for name in ("alpha", "low", "high"))
    return (
        shown_table
        + _missing(rows)
        + paragraph(
            f"In calendar time the value-weighted portfolio has an intercept of {daily} basis points a day, 95% "
            f"interval {low} to {high} (Newey-West, {words.count(int(row['n_days']), 'day')})."
        )
    )


def long_short_rows(study: DriftStudy) -> pd.DataFrame:
    """Best minus worst by benchmark, measure and method, for table and figure.

    BHAR is against the market return whatever the model, so it appears once.
    """
    parts = []
    for number, (name, drift) in enumerate(study.by_benchmark.items()):
        rows = drift.long_short[(drift.long_short["measure"] == "car") | (number == 0)].copy()
        measure = rows["measure"].str.upper()
        rows["label"] = [
            f"{one}, {name if one == 'CAR' else 'market'}: {method}"
            for one, method in zip(measure, rows["method"], strict=True)
        ]
        rows["headline"] = (number == 0) & (rows["measure"] == "car") & (rows["method"] == HEADLINE)
        parts.append(rows)
    table_ = pd.concat(parts, ignore_index=True)
    return table_.sort_values("measure", ascending=False, kind="stable", ignore_index=True)


def long_short_table(study: DriftStudy) -> Fragment:
    """Best minus worst group under every benchmark and method of inference."""
    rows = long_short_rows(study)
    if study.headline.ranks.n_groups == 1:
        return paragraph("There is one group only, so nothing to subtract.", "note")
    columns: dict[str, Column | str] = {
        "label": "measure, benchmark: inference",
        "estimate": percent_column("best minus worst"),
        "low": percent_column("95% from"),
        "high": percent_column("to"),
        "t": number_column("t"),
        "p_value": Column("p", words.p_value),
        "mde": size_column("detectable"),
    }
    return table(
        rows,
        columns,
        caption="Best minus worst group. Detectable: the smallest difference this design finds four times in five.",
        mark=lambda row: bool(row["headline"]),
    ) + _missing(rows)


def _regressed(calendar: CalendarTime) -> str:
    """What the portfolios are regressed on, and what is left in their legs."""
    legs = (
        "legs in excess of the risk-free return" if calendar.excess else "legs with the risk-free return still in them"
    )
    names = "the market return" if calendar.factors == ("market",) else words.listing(list(calendar.factors))
    return f"regressed on {names}; {legs}"


def calendar_portfolios(factors: pd.DataFrame | None) -> dict[str, Any]:
    """Arguments of the calendar-time portfolios: the source's factors and risk-free return where it has them."""
    if factors is None:
        return {}
    regressors = factors.drop(columns="RF", errors="ignore").dropna(axis=1, how="all")
    chosen: dict[str, Any] = {"factors": regressors} if regressors.shape[1] else {}
    return chosen | ({"risk_free": factors["RF"]} if "RF" in factors.columns else {})


def calendar_table(study: DriftStudy) -> Fragment:
    """Intercepts of the calendar-time portfolios."""
    shown = study.calendar.table.reset_index()
    names = {"long": "best (long)", "short": "worst (short)", "long_short": "long minus short"}
    if study.headline.ranks.n_groups == 1:
        shown, names = shown[shown["portfolio"] == "long"], {"long": "all announcements"}
    shown = shown.copy()
    shown["portfolio"] = shown["portfolio"].map(names)
    for name in ("alpha", "low", "high"):
        shown[name] = BASIS_POINTS * shown[name]
    columns: dict[str, Column | str] = {
        "portfolio": "portfolio",
        "method": "method",
        "alpha": Column("intercept, bp a day", lambda value: words.number(value, 1, signed=True)),
        "low": Column("95% from", lambda value: words.number(value, 1, signed=True)),
        "high": Column("to", lambda value: words.number(value, 1, signed=True)),
        "t": number_column("t"),
        "p_value": Column("p", words.p_value),
        "n_days": Column("days", lambda n: f"{n:,}"),
        "mean_firms": number_column("companies held", 1),
    }
    portfolios = table(
        shown,
        columns,
        caption=f"Calendar time: equal-weighted, at least {study.calendar.min_firms} companies a leg, "
        f"{_regressed(study.calendar)}; Newey-West with {words.count(study.calendar.lags, 'lag')}.",
        mark=lambda row: row["method"] == "Newey-West" and row["portfolio"] == "long minus short",
    )
    return portfolios + _missing(shown)


def calendar_sentence(study: DriftStudy) -> Fragment:
    """What calendar time does and does not settle."""
    ahead = (
        "The groups use bounds known only afterwards, so nobody could have held these portfolios. "
        if study.headline.ranks.looks_ahead
        else ""
    )
    return paragraph(
        f"{ahead}Here every day is one observation, so overlapping holdings are no problem; days with few companies "
        "weigh as much as others except in the count-weighted estimate. Trading costs are not included.",
        "note",
    )


def definitions(study: DriftStudy, start: int, end: int) -> Fragment:
    """The terms of the report."""
    return facts(
        {
            "holding window": f"day +{start} to the smaller of +{end} and {GUARD} sessions before the company's next "
            "announcement",
            "surprise": "EPS against the estimate, relative to the estimate (floor 5 cents a share)",
            "groups": study.headline.ranks.label,
            "CAR": "sum of abnormal returns over the holding window",
            "BHAR": "buy-and-hold return of the share minus that of the market over the same days",
            "market-adjusted": "return minus market return; nothing is estimated",
            "alpha 0": "market model with its slope but without its intercept, which would be carried forward over "
            "sixty days",
            "overlap-weighted": "correlation of estimation residuals on common days, weighted by the overlap of the "
            "holding windows, enters both groups' variances and their covariance",
            "clustered by quarter": "announcements of one calendar quarter count as one observation",
            "heaviest": "share of the one announcement with the largest weight in its group, where there are weights",
            "detectable": f"{words.MDE_FACTOR} standard errors: found four times in five by a 5% test",
        }
    )


def payload(study: DriftStudy, source_name: str, start: int, end: int) -> dict[str, Any]:
    """The numbers of the report, machine-readable."""
    events = study.headline.events
    results = study.results
    calendar = study.calendar.table.reset_index()
    return {
        "holding": [start, end],
        "groups": {
            "label": study.headline.ranks.label,
            "looks_ahead": study.headline.ranks.looks_ahead,
            "counts": dict(zip(group_names(study.headline.ranks), group_counts(study.headline), strict=True)),
        },
        "ledger": {
            "input": len(results.ledger),
            "used": len(results),
            "excluded": {str(reason): int(n) for reason, n in results.exclusions.items()},
        },
        "held": {
            "used": int((events["status"] == "used").sum()),
            "left_out": {
                str(reason): int(n)
                for reason, n in events.loc[events["status"] != "used", "reason"].value_counts().items()
            },
            "ended": {
                str(reason): int(n)
                for reason, n in events.loc[events["status"] == "used", "ended"].value_counts().items()
            },
        },
        "by_benchmark": {
            name: {"groups": drift.table.to_dict("records"), "long_short": drift.long_short.to_dict("records")}
            for name, drift in study.by_benchmark.items()
        },
        "calendar_time": calendar.to_dict("records"),
        "value_weighted": study.headline.value_weighted.to_dict("records"),
        "how_chosen": choice_sentence(source_name),
    }
