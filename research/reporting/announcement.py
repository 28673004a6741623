"""The sections of an announcement's report: tables and sentences made from the numbers.

The notebook runs the study with the public functions of the package and hands the
results to a :class:`Case`; nothing here estimates anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from scipy import stats

from research.reporting import words
from research.reporting.activity import activity, activity_figure, activity_sentence, activity_table
from research.reporting.background import (
    definitions,
    estimation_sentence,
    estimation_table,
    ledger_table,
    provenance,
    same_day_table,
)
from research.reporting.case import Case, payload
from research.reporting.evening import (
    contribution,
    course_sentence,
    course_table,
    filter_switch,
    legs_notes,
    legs_table,
    load_bars,
    market_bars,
    marks_table,
    reaction_of,
)
from research.reporting.headline import days_of, header_cards, headline, title, too_few_days
from research.reporting.hypotheses import Hypothesis, hypotheses, with_earnings_cut
from research.reporting.samples import factors_of, market_of
from research.reporting.tables import (
    Column,
    Fragment,
    number_column,
    numbered,
    paragraph,
    percent_column,
    size_column,
    table,
)
from research.reporting.unknown_hour import reading, readings_table
from research.study.benchmarks import available_models
from research.study.models import resolve_model
from research.study.yardsticks import MIN_EARLIER_DAYS

__all__ = [
    "Case",
    "Hypothesis",
    "activity",
    "activity_figure",
    "activity_sentence",
    "activity_table",
    "announcement_table",
    "benchmarks_table",
    "contribution",
    "course_sentence",
    "course_table",
    "days_of",
    "definitions",
    "estimation_sentence",
    "estimation_table",
    "factors_of",
    "filter_switch",
    "guidance_note",
    "header_cards",
    "headline",
    "hypotheses",
    "ledger_table",
    "legs_notes",
    "legs_table",
    "load_bars",
    "market_bars",
    "market_of",
    "marks_table",
    "models_for",
    "own_days_sentence",
    "payload",
    "peers_note",
    "provenance",
    "reaction_of",
    "reading",
    "readings_table",
    "run_up_table",
    "same_day_table",
    "timeline_table",
    "timing_sentence",
    "title",
    "unsplit",
    "with_earnings_cut",
]


def models_for(factors: pd.DataFrame | None, benchmarks: Mapping[str, pd.Series]) -> list[str]:
    """Models that a report compares: those whose factors are there, and a benchmark where they need one."""
    return [name for name in available_models(factors) if benchmarks or not resolve_model(name).needs_market]


def announcement_table(case: Case) -> Fragment:
    """What was expected, what came, guidance and other metrics, each with source and vintage."""
    metrics = case.metrics
    if metrics is None:
        return _eps_table(case)
    shown = metrics.reset_index(drop=True)
    shown["metric"] = shown["metric"].replace({"eps": "EPS"})
    for name in ("metric", "unit", "basis"):
        shown[name] = shown[name].str.replace("_", " ") if name in shown else ""
    shown["difference"] = (shown["actual"] - shown["estimate"]) / shown["estimate"].abs()
    compared = (
        shown["estimate_source"] if "estimate_source" in shown else pd.Series(None, index=shown.index, dtype=object)
    )
    sources = list(dict.fromkeys([*shown["source"].dropna(), *compared.dropna()]))
    shown["sources"] = [_numbers(sources, pair) for pair in zip(shown["source"], compared, strict=True)]
    shown["vintage"] = _vintages(shown)
    shown["note"] = shown["note"].fillna("") if "note" in shown else ""
    columns: dict[str, Column | str] = {
        "metric": "metric",
        "actual": Column("came", _figure),
        "estimate": Column("compared with", _figure),
        "unit": Column("unit", optional=True),
        "basis": Column("comparison", optional=True),
        "difference": percent_column("difference", 1),
        "vintage": Column("comparison as of", optional=True),
        "sources": Column("sources", optional=True),
        "note": Column("note", optional=True),
    }
    main = table(shown, columns, caption="What came, and what it is compared with.")
    if sources:
        main += numbered(sources, "Sources, in the order of their numbers")
    return main if (metrics["metric"] == "eps").any() else main + _eps_table(case)


def _numbers(sources: list[str], cited: tuple[Any, ...]) -> str:
    """Numbers of the cited sources, such as ``1; 3``."""
    return "; ".join(dict.fromkeys(str(sources.index(source) + 1) for source in cited if pd.notna(source)))


def _figure(value: Any) -> str:
    return words.number(value, 2 if pd.isna(value) or abs(value) < 1000 else 0)


def _vintages(shown: pd.DataFrame) -> list[str]:
    """Dates of the estimates; nothing where none of them is known, which the note below says once."""
    if "estimate_as_of" not in shown or shown["estimate_as_of"].isna().all():
        return [""] * len(shown)
    return [_vintage(value) for value in shown["estimate_as_of"]]


def _vintage(value: Any) -> str:
    return "not known" if pd.isna(value) else f"{value:%Y-%m-%d}"


def _eps_table(case: Case) -> Fragment:
    """The announcement's own columns where no metrics table came with it."""
    event = case.event
    rows = []
    for name, label in (("eps", "earnings per share"), ("revenue", "revenue")):
        actual, estimate = event.get(f"{name}_actual"), event.get(f"{name}_estimate")
        if pd.notna(actual) or pd.notna(estimate):
            difference = case.this["surprise_pct"] if name == "eps" else (actual - estimate) / abs(estimate)
            rows.append((label, actual, estimate, difference))
    if not rows and event["kind"] != "earnings" and case.metrics is None:
        what = str(event["headline"]) if isinstance(event.get("headline"), str) else f"News of kind {event['kind']}"
        source = f" Source: {event['source']}." if isinstance(event.get("source"), str) else ""
        return paragraph(f"{what}. There are no figures to set against expectations.{source}")
    if not rows:
        if case.metrics is not None:
            return paragraph("")
        return paragraph("The source has no figures for this announcement, neither reported nor expected.", "note")
    frame = pd.DataFrame(rows, columns=["metric", "actual", "estimate", "difference"])
    frame["source"] = event.get("estimate_source") if pd.notna(event.get("estimate_source")) else "not stated"
    frame["vintage"] = _vintage(event["estimate_as_of"]) if pd.notna(event.get("estimate_as_of")) else ""
    columns: dict[str, Column | str] = {
        "metric": "metric",
        "actual": Column("came", _figure),
        "estimate": Column("expected", _figure),
        "difference": percent_column("difference", 1),
        "source": "source of the estimate",
        "vintage": Column("as of", optional=True),
    }
    return table(frame, columns, caption="What came, and what was expected.")


def guidance_note(case: Case) -> Fragment:
    """What the comparison can and cannot carry."""
    metrics, source = case.metrics, case.event.get("estimate_source")
    texts = []
    if metrics is None:
        if pd.notna(case.event.get("eps_estimate")) and pd.isna(case.event.get("estimate_as_of")):
            texts.append(
                "The estimate carries no date: it may have been revised after the announcement, so the difference is "
                "indicative."
            )
        return paragraph(" ".join(texts))
    dated = metrics["estimate_as_of"].notna() if "estimate_as_of" in metrics else metrics["metric"].isna()
    if not dated.all():
        which = "Some" if dated.any() else "None"
        texts.append(
            f"{which} of these comparisons {'carry no date' if dated.any() else 'carries a date'}: an estimate may "
            "have been revised after the announcement, so the differences are indicative."
        )
    if pd.notna(source):
        texts.append(f"The EPS estimate at the top comes from {source}.")
    return paragraph(" ".join(texts))


#: What stands behind the instant of a release, in words.
_INSTANTS = {
    "first_reaction_bar": "read off the prices: the first bar that moved",
    "sec_8k_acceptance": "when the SEC accepted the 8-K, so it came no later",
    "sec_filing_date": "from the date of the SEC filing",
}


def timeline_table(case: Case, *others: Case) -> Fragment:
    """From the close before to the close of day zero, on the exchange's clock; of each reading of an unknown hour."""
    position = case.calendar.position(pd.DatetimeIndex([case.day_zero]))[0]
    before = case.calendar.session_close(case.calendar.sessions[position - 1])
    rows: list[tuple[str, Any, str]] = [("close before", before, "the last price that cannot know the news")]
    for one in (case, *others):
        first = "first auction after the news" if one.timing != "dmh" else ""
        last = "end of the first session that could react"
        if one.reading:
            first = last = f"if the news came {one.reading}"
        rows.append(("open of day zero", one.calendar.session_open(one.day_zero), first))
        rows.append(("close of day zero", one.calendar.session_close(one.day_zero), last))
    event = case.event
    source = event.get("announced_at_source")
    how = _INSTANTS.get(str(source), f"from {str(source).replace('_', ' ')}") if pd.notna(source) else ""
    if pd.notna(event["announced_at"]):
        rows.append(("release", event["announced_at"], how or "as given by the source"))
    if pd.notna(event.get("sec_accepted_at")) and source != "sec_8k_acceptance":
        accepted = pd.Timestamp(event["sec_accepted_at"])
        rows.append(("8-K accepted by the SEC", accepted, _acceptance(case, accepted)))
    if pd.notna(event.get("call_at")):
        rows.append(("call begins", event["call_at"], ""))
    frame = pd.DataFrame(rows, columns=["what", "at", "note"])
    frame["at"] = [pd.Timestamp(at).tz_convert(case.zone) for at in frame["at"]]
    frame = frame.sort_values("at", kind="stable", ignore_index=True)
    frame["when"] = [f"{at:%a %Y-%m-%d %H:%M %Z}" for at in frame["at"]]
    return table(frame, {"what": "", "when": "when (exchange clock)", "note": "note"})


def _acceptance(case: Case, accepted: pd.Timestamp) -> str:
    """What the acceptance of the 8-K says about the release, which it cannot come before."""
    day = case.calendar.day_zero(pd.DatetimeIndex([accepted.tz_convert("UTC")]))[0]
    if accepted.tz_convert(case.zone).tz_localize(None).normalize() < case.event["announced_on"]:
        same = "with the same day zero" if day == case.day_zero else f"which would make day zero {day:%Y-%m-%d}"
        return f"on an earlier day than the announcement of the source, {same}"
    return "the release came no later"


#: How exactly the instant of the news is known.
_PRECISION = {
    "second": "its instant is known to the second",
    "minute": "its instant is known to the minute",
    "session": "the source gives no hour, only the side of the session",
    "date": "the source gives the date only",
}


def timing_sentence(case: Case) -> Fragment:
    """Timing, day zero, and where a date-only study would have looked."""
    timing = case.timing
    if case.reading:
        return paragraph(
            f"The hour of the news of {words.date(case.event['announced_on'])} is not known. Day zero is the first "
            "session "
            "whose close lies after it: that day's own session if the news came before its close, the next one if "
            "after."
        )
    text = (
        f"The news came {words.TIMINGS[timing]} ({timing}); {_PRECISION[str(case.event['precision'])]}. "
        f"Day zero is the first session whose close lies after the announcement: {words.date(case.day_zero)}."
    )
    session = case.calendar.sessions[case.calendar.sessions.searchsorted(case.event["announced_on"])]
    if session != case.day_zero:
        offset = int(
            (
                case.calendar.position(pd.DatetimeIndex([session]))
                - case.calendar.position(pd.DatetimeIndex([case.day_zero]))
            )[0]
        )
        if offset in case.path.index:
            there = case.path.loc[offset]
            text += (
                f" A study that knows the date only would use {words.date(session)}, which shows a return "
                f"of {words.percent(there['return'])} and an abnormal return of {words.percent(there['ar'])}: "
                "the wrong day."
            )
    return paragraph(text)


def unsplit(case: Case) -> Fragment:
    """Why the move of day zero cannot be split into legs."""
    return paragraph(" ".join(case.reaction.notes) or "Day zero cannot be split: an opening price is missing.", "note")


def own_days_sentence(case: Case) -> Fragment:
    """The reaction among the company's own, in words."""
    earlier = case.earlier
    if len(earlier) < MIN_EARLIER_DAYS:
        return paragraph(too_few_days(case), "note")
    same = earlier[earlier["surprise"] == case.this["surprise"]]
    day = case.day
    text = (
        f"The typical size (root mean square) of the {len(earlier)} earlier {days_of(case)} is "
        f"{words.percent(day['rms_own'], 1, signed=False)}; this one is {words.number(day['z_own'], 2, signed=True)} "
        f"times that."
    )
    if case.this["surprise"] in ("beat", "miss", "in line") and len(same):
        down = int((same["ar"] < 0).sum())
        named = {"beat": ("beat", "beats"), "miss": ("miss", "misses")}.get(
            str(case.this["surprise"]), ("result in line", "results in line")
        )
        earlier_ones = words.count(len(same), f"earlier {named[0]}", f"earlier {named[1]}")
        text += f" Of its {earlier_ones}, {down} had a negative abnormal return on day zero."
    return paragraph(text)


def run_up_table(case: Case) -> Fragment:
    """CAR over the declared family of windows that the study fitted."""
    first, last = case.results.settings.window
    family = [
        (-10, -1, "run-up"),
        (0, 0, "reaction"),
        (0, 1, "primary"),
        (-1, 1, "surrounding"),
        (2, 10, "after"),
        (first, last, "whole window"),
    ]
    rows = []
    for start, end, name in family:
        if first <= start and end <= last:
            one = case.results.car(start, end).iloc[case.position]
            half = stats.t.ppf(0.975, one["df"]) * one["se"]
            rows.append(
                (
                    name,
                    f"[{start},\u00a0{end}]".replace("-", "\u2212"),
                    one["car"],
                    one["se"],
                    one["car"] - half,
                    one["car"] + half,
                    one["t"],
                    one["p_value"],
                    words.MDE_FACTOR * one["se"],
                )
            )
    frame = pd.DataFrame(rows, columns=["name", "window", "car", "se", "low", "high", "t", "p", "mde"])
    columns: dict[str, Column | str] = {
        "name": "",
        "window": "days",
        "car": percent_column("CAR"),
        "se": size_column("standard error"),
        "low": percent_column("95% from"),
        "high": percent_column("to"),
        "t": number_column("t"),
        "p": Column("p", words.p_value),
        "mde": size_column("detectable at 80% power"),
    }
    return table(
        frame,
        columns,
        caption="Cumulative abnormal returns. The windows overlap and several tests were made, so one p below 0.05 "
        "among them is weak evidence.",
    )


def benchmarks_table(frame: pd.DataFrame) -> Fragment:
    """Day zero under each model and benchmark."""
    columns: dict[str, Column | str] = {
        "model": "model",
        "benchmark": "benchmark",
        "ar": percent_column("abnormal return"),
        "low": percent_column("95% from"),
        "high": percent_column("to"),
        "t": number_column("t"),
        "p_value": Column("p", words.p_value),
        "n_observations": Column("estimation days", lambda n: f"{n:.0f}"),
        "note": Column("note", optional=True),
    }
    return table(frame, columns)


def peers_note(members: list[str]) -> Fragment:
    """Which firms make up the peer benchmark."""
    if not members:
        return paragraph(
            "No other company of the source has prices and no announcement of its own within one session of day zero, "
            "so there is no peer benchmark.",
            "note",
        )
    few = " So few peers make a noisy benchmark." if len(members) < 5 else ""
    return paragraph(
        f"Peers: the equal-weighted return of {words.listing(members)}, the companies of the source without an "
        f"announcement of their own within one session of day zero.{few}"
    )
