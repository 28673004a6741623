"""Heading, verdict and cards of the report on drift, every word from a number."""

from __future__ import annotations

import numpy as np
import pandas as pd

from research.analysis.drift import Drift, DriftStudy
from research.analysis.effects import minimum_detectable_effect
from research.analysis.ranks import Ranks
from research.reporting import words
from research.reporting._cross_section_words import MIN_EVENTS, told
from research.reporting.samples import choice_sentence
from research.reporting.tables import Fragment, heading, paragraph
from research.reporting.tables import cards as card_row

#: Method of inference of the headline.
HEADLINE = "overlap-weighted"

#: Basis points in one.
BASIS_POINTS = 1e4


def group_names(ranks: Ranks) -> list[str]:
    """Names of the groups, worst surprises first."""
    if ranks.n_groups == 1:
        return ["all announcements"]
    if ranks.n_groups == 10:
        return [f"decile {i}" for i in range(1, 11)]
    if ranks.label.startswith("sign"):
        return ["negative", "zero", "positive"]
    return ["worst third", "middle third", "best third"]


def _of_surprises(name: str) -> str:
    """A group in a sentence."""
    return f"{name} surprises" if name in ("negative", "zero", "positive") else f"the {name} of surprises"


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


def verdict(study: DriftStudy, source_name: str, note: str = "") -> Fragment:
    """What was found under the headline benchmark, under the others, and what the sample forbids."""
    drift = study.headline
    names = group_names(drift.ranks)
    chosen = paragraph(choice_sentence(source_name), "warn")
    found = _together(drift, note) if drift.ranks.n_groups == 1 else _gap(drift, names)
    second = [_benchmarks(study), _calendar(study), _all_rise(drift, names)] if _large(drift) else []
    texts = " ".join(filter(None, second))
    return paragraph(found, "verdict") + (paragraph(texts) if texts else Fragment("", "")) + chosen


def _large(drift: Drift) -> bool:
    """Whether the groups compared are large enough for an answer (METHODS 8.9)."""
    counts = group_counts(drift)
    return min(counts[0], counts[-1]) >= MIN_EVENTS


def _gap(drift: Drift, names: list[str]) -> str:
    """Best minus worst group in words."""
    row, counts, start = _row(drift), group_counts(drift), int(drift.paths["relative_day"].min())
    low, high = _of_surprises(names[0]), _of_surprises(names[-1])
    if not _large(drift):
        text = (
            f"{words.count(counts[-1], 'announcement')} of {high}, {words.count(counts[0], 'announcement')} of {low}: "
            f"with fewer than {MIN_EVENTS} in either group this design cannot say whether they drifted apart."
        )
        if np.isfinite(row["low"]):
            text += f" The 95% interval of the difference is {words.interval(row['low'], row['high'], 1)}."
        return text
    side = "ahead of" if row["estimate"] >= 0 else "behind"
    size = words.percent(abs(row["estimate"]), signed=False)
    return (
        f"Against the {drift.benchmark} benchmark {high} ended {size} {side} {low}, from day "
        f"{start:+d} to the end of the holding. With overlapping windows accounted for, that "
        f"{told(row['estimate'], row['se'], row['p_value'], row['low'], row['high'])}."
    )


def _together(drift: Drift, note: str) -> str:
    """The drift of all announcements in words."""
    row = drift.table[drift.table["measure"] == "car"].iloc[0]
    start = int(drift.paths["relative_day"].min())
    if not _large(drift):
        text = f"With fewer than {MIN_EVENTS} announcements this design cannot say whether they drifted."
    else:
        mean = words.percent(row["estimate"])
        text = (
            f"Against the {drift.benchmark} benchmark they came out {mean} on average from day "
            f"{start:+d} to the end of the holding, which "
            f"{told(row['estimate'], row['se'], row['p_value'], row['low'], row['high'])}."
        )
    return " ".join(filter(None, [note, text]))


def _headline(drift: Drift) -> float:
    """Best minus worst, or the mean of a single group."""
    if drift.ranks.n_groups == 1:
        return float(drift.table[drift.table["measure"] == "car"]["estimate"].iloc[0])
    return float(_row(drift)["estimate"])


def _benchmarks(study: DriftStudy) -> str:
    """How much the benchmark decides."""
    if len(study.by_benchmark) < 2:
        return ""
    values = {name: _headline(drift) for name, drift in study.by_benchmark.items()}
    told = words.listing([f"{words.percent(value)} ({name})" for name, value in values.items()])
    signs = {np.sign(value) for value in values.values()}
    agreed = "the sign is the same under all"
    consequence = "the benchmark decides the sign, so no sign is claimed" if len(signs) > 1 else agreed
    return f"By benchmark: {told}; {consequence}."


def _calendar(study: DriftStudy) -> str:
    single = study.headline.ranks.n_groups == 1
    row = study.calendar.table.loc[("long" if single else "long_short", "Newey-West")]
    if not np.isfinite(row["p_value"]):
        legs = "" if single else " in both legs"
        return (
            f"In calendar time there are too few days with {study.calendar.min_firms} companies{legs} "
            "to form a portfolio."
        )
    daily, low, high = (words.number(BASIS_POINTS * row[name], 1, signed=True) for name in ("alpha", "low", "high"))
    text = (
        f"As a portfolio in calendar time it is {daily} basis points a day, 95% interval {low} to {high} "
        f"(p {words.p_value(row['p_value'])})"
    )
    if row["p_value"] >= 0.05:
        detectable = words.number(BASIS_POINTS * minimum_detectable_effect(row["se"]), 1)
        text += f"; with 80% power {detectable} or more would be seen"
    return f"{text}."


def _all_rise(drift: Drift, names: list[str]) -> str:
    """Say so when every group drifts the same way: then the sample, not the surprise, is what drifts."""
    groups = drift.table[drift.table["measure"] == "car"]
    if len(groups) < 2:
        return ""
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
    groups = drift.table[drift.table["measure"] == "car"]
    means = groups["estimate"].tolist()
    single = drift.ranks.n_groups == 1
    used = drift.events["status"] == "used"
    figures = [("Announcements held", f"{int(used.sum()):,}", f"of {len(study.results.ledger):,}")]
    if single:
        row = groups.iloc[0]
        figures.append(("Mean CAR", words.percent(means[0]), _surely(row)))
    else:
        row = _row(drift)
        figures += [
            (names[-1].capitalize(), words.percent(means[-1]), words.count(counts[-1], "announcement")),
            (names[0].capitalize(), words.percent(means[0]), words.count(counts[0], "announcement")),
            ("Best minus worst", words.percent(row["estimate"]), _surely(row)),
        ]
    daily = study.calendar.table.loc[("long" if single else "long_short", "Newey-West")]
    if np.isfinite(daily["alpha"]):
        value = f"{words.number(BASIS_POINTS * daily['alpha'], 1, signed=True)} bp"
        days = words.count(int(daily["n_days"]), "day")
        figures.append(("Calendar time, a day", value, f"p {words.p_value(daily['p_value'])}, {days}"))
    return card_row(figures)


def _surely(row: pd.Series) -> str:
    """The interval under a figure."""
    known = np.isfinite(row["low"])
    return f"95% interval {words.interval(row['low'], row['high'], 1)}" if known else "no interval: too few"
