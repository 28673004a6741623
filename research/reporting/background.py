"""What stands behind a report: the estimation, its neighbours, the ledger, definitions and provenance."""

from __future__ import annotations

from typing import Any

import pandas as pd

from research.analysis.spillover import peer_days
from research.events.surprises import FLOOR
from research.reporting import words
from research.reporting.case import Case
from research.reporting.samples import choice_sentence, source_facts
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
from research.study.yardsticks import MIN_EARLIER_DAYS


def estimation_table(case: Case) -> Fragment:
    """Estimates with and without the firm's other announcements in the estimation window."""
    rows = []
    fits = [("other announcements cut", case.results), ("left in", case.kept)]
    if case.stricter is not None:
        fits.append(("earnings days cut as well", case.stricter))
    for label, results in fits:
        i = results.locate(str(case.event["event_id"]))
        one, zero, window = results.parameters.iloc[i], results.car(0, 0).iloc[i], results.diagnostics.iloc[i]
        rows.append(
            {
                "label": label,
                "alpha": one.get("alpha"),
                "beta": one.get("beta"),
                "sigma": one["sigma"],
                "r_squared": one["r_squared"],
                "n": one["n_observations"],
                "cut": window["n_cut"],
                "ar": zero["car"],
                "t": zero["t"],
            }
        )
    frame = pd.DataFrame(rows)
    columns: dict[str, Column | str] = {
        "label": "",
        "n": Column("days used", lambda n: f"{n:.0f}"),
        "cut": Column("days cut", lambda n: f"{n:.0f}"),
        "alpha": percent_column("alpha a day", 3),
        "beta": number_column("beta", 3),
        "sigma": size_column("sigma a day", 3),
        "r_squared": number_column("R²", 3),
        "ar": percent_column("day-zero AR", 3),
        "t": number_column("t"),
    }
    return table(
        frame.dropna(axis=1, how="all"),
        {k: v for k, v in columns.items() if k in frame.dropna(axis=1, how="all")},
    )


def estimation_sentence(case: Case) -> Fragment:
    """The estimation window in words."""
    window = case.results.diagnostics.iloc[case.position]
    text = (
        f"Estimation window {window['estimation_start']:%Y-%m-%d} to {window['estimation_end']:%Y-%m-%d}: "
        f"{words.count(int(window['n_observations']), 'day')} used, {window['n_cut']} cut around "
        f"{words.count(int(window['n_other_announcements']), 'other announcement')}, "
        f"{window['n_missing']} without data."
    )
    if window["other_in_window"]:
        day = window["other_in_window"]
        text += f" Another announcement of the company falls inside the event window, on day {day}."
    return paragraph(text + _other_kinds(case))


def _other_kinds(case: Case) -> str:
    """What news of other kinds does to an event: it is not cut, and may lie inside the window."""
    days = peer_days(case.announcements, case.calendar)
    own = days[(days["ticker"] == case.ticker) & (days["kind"] != case.event["kind"])]
    place = int(case.calendar.position(pd.DatetimeIndex([case.day_zero]))[0])
    first, last = case.results.settings.window
    near = own[(own["position"] - place).between(first, last)]
    found = [f"{row.kind} on day {row.position - place:+d}" for row in near.itertuples()]
    text = f" News of another kind lies inside the event window: {words.listing(found)}." if found else ""
    text = text.replace("-", "\N{MINUS SIGN}")
    if case.event["kind"] == "earnings":
        return text
    return (
        f" Only days around other {case.event['kind']} news are cut, since the cut concerns news of the same kind; "
        "the company's "
        "earnings days stay in the estimation window and widen every interval. The table below has both." + text
    )


def same_day_table(case: Case) -> Fragment:
    """Other companies whose day zero is the same session."""
    events = case.results.events.reset_index(drop=True)
    zero = case.results.car(0, 0).reset_index(drop=True)
    rows = (events["day_zero"] == case.day_zero) & (events["ticker"] != case.ticker)
    ledger = case.results.ledger
    lost = ledger[
        (ledger["day_zero"] == case.day_zero) & (ledger["status"] == "excluded") & (ledger["ticker"] != case.ticker)
    ]
    if not rows.any() and not len(lost):
        return paragraph("No other company in the data has its day zero on this session.")
    frame = pd.DataFrame(
        {
            "ticker": events.loc[rows, "ticker"],
            "timing": events.loc[rows, "timing"],
            "announced": events.loc[rows, "announced_on"],
            "ar": zero.loc[rows, "car"],
            "t": zero.loc[rows, "t"],
            "note": "",
        }
    )
    excluded = pd.DataFrame(
        {
            "ticker": lost["ticker"],
            "timing": lost["timing"],
            "announced": pd.NaT,
            "note": lost["reason"] + ": " + lost["detail"],
        }
    )
    frame = pd.concat([frame, excluded], ignore_index=True) if len(excluded) else frame
    columns: dict[str, Column | str] = {
        "ticker": "company",
        "timing": "timing",
        "ar": percent_column("day-zero AR"),
        "t": number_column("t"),
        "note": Column("note", optional=True),
    }
    return table(
        frame,
        columns,
        caption=f"Companies with the same day zero, {case.day_zero:%Y-%m-%d}. "
        "Their news and this one's cannot be told apart in common moves.",
    )


def ledger_table(case: Case) -> Fragment:
    """Used + excluded = input, for the firm and for everything the study was given."""
    ledger = case.results.ledger
    parts = {case.ticker: ledger[ledger["ticker"] == case.ticker], "all companies": ledger}
    rows = []
    for name, part in parts.items():
        rows.append((name, "used", "", int((part["status"] == "used").sum())))
        for reason, n in part.loc[part["status"] == "excluded", "reason"].value_counts().items():
            rows.append((name, "excluded", str(reason), int(n)))
        rows.append((name, "input", "used + excluded", len(part)))
    frame = pd.DataFrame(rows, columns=["who", "status", "reason", "events"])
    return table(
        frame,
        {
            "who": "announcements of",
            "status": "",
            "reason": "reason",
            "events": Column("events", lambda n: f"{n:,}"),
        },
        mark=lambda row: row["status"] == "input",
    )


def definitions(case: Case) -> Fragment:
    """The terms of the report."""
    settings = case.results.settings
    return facts(
        {
            "EPS surprise": f"actual less estimate over the size of the estimate, taken as at least {FLOOR:.2f} "
            "a share; the vendor's own percentage comes first where it gives one",
            "day zero": "first session whose close lies strictly after the announcement",
            "abnormal return (AR)": f"return minus what the model expects; model: {case.results.model.definition}",
            "estimation window": f"trading days {words.number(settings.estimation[0], 0)} to "
            f"{words.number(settings.estimation[1], 0)}; days \N{MINUS SIGN}1 to +1 around the firm's other "
            f"announcements: {settings.other_announcements}",
            "standard error": "residual standard deviation with the full forecast-error correction "
            "(Patell 1976; Campbell, Lo and MacKinlay 1997)",
            "t against ordinary days": "AR over its standard error, Student with M \N{MINUS SIGN} k degrees of freedom "
            "(days used less coefficients)",
            "z against own earnings days": "AR over the root mean square of the firm's earlier day-zero ARs, "
            f"at least {MIN_EARLIER_DAYS} of them",
            "rank": "by absolute size among the earlier days and this one; 1 is the largest move",
            "legs": "log returns between the close before, the release, the call, the end of extended trading, the "
            "open and "
            "the close of day zero; each takes the last trade at or before its instant",
            "doubtful print": "a cell of an extended-hours bar that a rule marks: a late report of the close, a "
            "stale open, a "
            "lone spike, a bar without a trade; regular hours are never touched",
            "weighted price contribution": "sum of a leg in the direction of the whole move over the sum of absolute "
            "moves "
            "(Barclay and Hendershott 2003)",
            "Beaver's U": "squared AR over its variance on ordinary days (Beaver 1968)",
            "CAR": "sum of abnormal returns; an event leaves a window in which a day is missing",
            "detectable at 80% power": f"{words.MDE_FACTOR} standard errors: the smallest effect that a two-sided "
            "5% test finds four times in five",
            "timing": "bmo before the open, dmh during market hours, amc after the close, "
            "closed on a day without trading",
        }
    )


def provenance(case: Case, source: Any) -> Fragment:
    """Where the numbers come from."""
    event = case.event
    items = {
        "announcement instant from": str(event["announced_at_source"]).replace("_", " ")
        if pd.notna(event.get("announced_at_source"))
        else "the source, unstated",
        "estimate from": str(event["estimate_source"]) if pd.notna(event.get("estimate_source")) else "not stated",
        "market": case.results.market_name or "none",
    }
    if pd.notna(event.get("announced_at_note")):
        items["why that instant"] = str(event["announced_at_note"])
    if source.name == "sample":
        items["market return"] = "S&P 500 price index, without dividends"
    return source_facts(source, {**items, "how the companies were chosen": choice_sentence(source.name)})
