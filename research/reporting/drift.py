"""The sections of the report on drift after announcements, every word from a number."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from research.analysis.drift import GUARD, Drift, DriftStudy
from research.analysis.ranks import Ranks
from research.reporting import words
from research.reporting.samples import choice_sentence, ledger, provenance, selected
from research.reporting.tables import (
    Column,
    Fragment,
    facts,
    heading,
    number_column,
    paragraph,
    percent_column,
    size_column,
    table,
)
from research.reporting.tables import cards as card_row

__all__ = [
    "calendar_sentence",
    "calendar_table",
    "cards",
    "definitions",
    "endings_table",
    "group_counts",
    "group_names",
    "group_table",
    "ledger",
    "long_short_rows",
    "long_short_table",
    "payload",
    "provenance",
    "selected",
    "title",
    "verdict",
]

#: Method of inference of the headline.
HEADLINE = "overlap-weighted"

_BASIS_POINTS = 1e4


def group_names(ranks: Ranks) -> list[str]:
    """Names of the groups, worst surprises first."""
    if ranks.n_groups == 10:
        return [f"decile {i}" for i in range(1, 11)]
    if ranks.label.startswith("sign"):
        return ["negative", "zero", "positive"]
    return ["worst third", "middle third", "best third"]


def group_counts(drift: Drift) -> list[int]:
    """Events held of each group."""
    used = drift.events[drift.events["status"] == "used"]
    return [int((used["group"] == group).sum()) for group in range(drift.ranks.n_groups)]


def title(study: DriftStudy, start: int, end: int) -> Fragment:
    """What was held, and for how long."""
    events = study.headline.events
    used = int((events["status"] == "used").sum())
    firms = events.loc[events["status"] == "used", "ticker"].nunique()
    return heading(
        f"Drift after {words.count(used, 'earnings announcement')} of {words.count(firms, 'company', 'companies')}, "
        f"days {start} to {end}"
    )


def _row(drift: Drift, measure: str = "car", method: str = HEADLINE) -> pd.Series:
    chosen = (drift.long_short["measure"] == measure) & (drift.long_short["method"] == method)
    return drift.long_short[chosen].iloc[0]


def verdict(study: DriftStudy, source_name: str) -> Fragment:
    """What was found under the headline benchmark, under the others, and what the sample forbids."""
    drift = study.headline
    row = _row(drift)
    names = group_names(drift.ranks)
    low, high = names[0], names[-1]
    if not np.isfinite(row["estimate"]):
        found = f"Fewer than two events in the {low} or the {high} group: there is nothing to compare."
        return paragraph(found, "verdict") + paragraph(choice_sentence(source_name), "warn")
    found = (
        f"Against the {drift.benchmark} benchmark the {high} of surprises came out {words.percent(row['estimate'])} "
        f"ahead of the {low} between day +2 and the end of the holding. That is "
        f"{words.distinguishable(row['estimate'], row['se'], row['p_value'], 'zero')}; 95% interval "
        f"{words.interval(row['low'], row['high'])}, with overlapping windows accounted for."
    )
    markup = paragraph(found, "verdict")
    second = " ".join(filter(None, [_benchmarks(study), _calendar(study), _all_rise(drift, names)]))
    notes = paragraph(second) if second else Fragment("", "")
    return markup + notes + paragraph(choice_sentence(source_name), "warn")


def _benchmarks(study: DriftStudy) -> str:
    """How much the benchmark decides."""
    values = {name: float(_row(drift)["estimate"]) for name, drift in study.by_benchmark.items()}
    if len(values) < 2:
        return ""
    told = words.listing([f"{words.percent(value)} ({name})" for name, value in values.items()])
    signs = {np.sign(value) for value in values.values()}
    agreed = "the sign is the same under all"
    consequence = "the benchmark decides the sign, so no sign is claimed" if len(signs) > 1 else agreed
    return f"By benchmark: {told}; {consequence}."


def _calendar(study: DriftStudy) -> str:
    row = study.calendar.table.loc[("long_short", "Newey-West")]
    if not np.isfinite(row["p_value"]):
        return (
            f"In calendar time there are too few days with {study.calendar.min_firms} companies in both legs "
            "to form a portfolio."
        )
    daily = words.number(_BASIS_POINTS * row["alpha"], 1, signed=True)
    p = words.p_value(row["p_value"])
    return f"As a portfolio in calendar time the difference is {daily} basis points a day (p {p})."


def _all_rise(drift: Drift, names: list[str]) -> str:
    """Say so when every group drifts the same way: then the sample, not the surprise, is what drifts."""
    groups = drift.table[drift.table["measure"] == "car"]
    if groups["low"].gt(0).all() or groups["high"].lt(0).all():
        direction = "rose" if groups["estimate"].iloc[0] > 0 else "fell"
        return (
            f"Every group {direction} against the benchmark, the {names[0]} as well "
            f"({words.percent(groups['estimate'].iloc[0])}): the sample itself drifts, whatever the surprise."
        )
    return ""


def cards(study: DriftStudy) -> Fragment:
    """The figures that matter."""
    drift = study.headline
    names, counts = group_names(drift.ranks), group_counts(drift)
    means = drift.table[drift.table["measure"] == "car"]["estimate"].tolist()
    row, daily = _row(drift), study.calendar.table.loc[("long_short", "Newey-West")]
    used = drift.events["status"] == "used"
    return card_row(
        [
            ("Announcements held", f"{int(used.sum()):,}", f"of {len(study.results.ledger):,}"),
            (names[-1].capitalize(), words.percent(means[-1]), words.count(counts[-1], "announcement")),
            (names[0].capitalize(), words.percent(means[0]), words.count(counts[0], "announcement")),
            (
                "Best minus worst",
                words.percent(row["estimate"]),
                f"95% interval {words.interval(row['low'], row['high'], 1)}",
            ),
            (
                "Calendar time, a day",
                f"{words.number(_BASIS_POINTS * daily['alpha'], 1, signed=True)} bp",
                f"p {words.p_value(daily['p_value'])}, {words.count(int(daily['n_days']), 'day')}",
            ),
        ]
    )


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
    unknown = int((used["next"].isna()).sum())
    text = (
        f"The last day held lies between day {int(used['last'].min())} and day {int(used['last'].max())}, "
        f"day {int(used['last'].median())} in the middle. For {words.count(unknown, 'announcement')} the next one "
        "is not in the data, so nothing says that it lies beyond the horizon."
        if len(used)
        else "No announcement could be held."
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
    return table(shown, columns, caption=caption)


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
    )


def calendar_table(study: DriftStudy) -> Fragment:
    """Intercepts of the calendar-time portfolios."""
    shown = study.calendar.table.reset_index()
    names = {"long": "best (long)", "short": "worst (short)", "long_short": "long minus short"}
    shown["portfolio"] = shown["portfolio"].map(names)
    for name in ("alpha", "low", "high"):
        shown[name] = _BASIS_POINTS * shown[name]
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
    return table(
        shown,
        columns,
        caption=f"Calendar time: equal-weighted, at least {study.calendar.min_firms} companies a leg, "
        f"regressed on the market; Newey-West with {study.calendar.lags} lags.",
        mark=lambda row: row["method"] == "Newey-West" and row["portfolio"] == "long minus short",
    )


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
        "how_chosen": choice_sentence(source_name),
    }
