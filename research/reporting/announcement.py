"""The sections of an announcement's report: tables and sentences made from the numbers.

The notebook runs the study with the public functions of the package and hands the
results to a :class:`Case`; nothing here estimates anything.
"""

from __future__ import annotations

from typing import Any

import pandas as pd
from scipy import stats

from research.reporting import words
from research.reporting.case import Case, payload
from research.reporting.headline import header_cards, headline, own_yardstick, title
from research.reporting.tables import (
    Column,
    Fragment,
    bullets,
    facts,
    number_column,
    numbered,
    paragraph,
    percent_column,
    size_column,
    table,
)
from research.study.yardsticks import MIN_EARLIER_DAYS

__all__ = [
    "Case",
    "announcement_table",
    "benchmarks_table",
    "definitions",
    "estimation_sentence",
    "estimation_table",
    "guidance_note",
    "header_cards",
    "headline",
    "ledger_table",
    "legs_notes",
    "legs_table",
    "own_days_sentence",
    "payload",
    "peers_note",
    "provenance",
    "run_up_table",
    "same_day_table",
    "timeline_table",
    "timing_sentence",
    "title",
]

#: Sentence with which a report declines to say more than it knows.
NO_CAUSE = "The legs say when the price moved. They do not say why."


def announcement_table(case: Case) -> Fragment:
    """What was expected, what came, guidance and other metrics, each with source and vintage."""
    metrics = case.metrics
    if metrics is None:
        return _eps_table(case)
    shown = metrics.reset_index(drop=True)
    for name in ("metric", "unit", "basis"):
        shown[name] = shown[name].str.replace("_", " ") if name in shown else ""
    shown["difference"] = (shown["actual"] - shown["estimate"]) / shown["estimate"].abs()
    compared = (
        shown["estimate_source"] if "estimate_source" in shown else pd.Series(None, index=shown.index, dtype=object)
    )
    sources = list(dict.fromkeys([*shown["source"].dropna(), *compared.dropna()]))
    shown["sources"] = [_numbers(sources, pair) for pair in zip(shown["source"], compared, strict=True)]
    shown["vintage"] = (
        [_vintage(value) for value in shown["estimate_as_of"]] if "estimate_as_of" in shown else "not known"
    )
    columns: dict[str, Column | str] = {
        "metric": "metric",
        "actual": Column("came", _figure),
        "estimate": Column("compared with", _figure),
        "unit": "unit",
        "basis": "comparison",
        "difference": percent_column("difference", 1),
        "vintage": "comparison as of",
        "sources": "sources",
    }
    if "note" in shown and shown["note"].notna().any():
        columns["note"] = "note"
        shown["note"] = shown["note"].fillna("")
    main = table(shown, columns, caption="What came, and what it is compared with.")
    return main + numbered(sources, "Sources, in the order of their numbers")


def _numbers(sources: list[str], cited: tuple[Any, ...]) -> str:
    """Numbers of the cited sources, such as ``1, 3``."""
    return ", ".join(dict.fromkeys(str(sources.index(source) + 1) for source in cited if pd.notna(source)))


def _figure(value: Any) -> str:
    return words.number(value, 2 if pd.isna(value) or abs(value) < 1000 else 0)


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
    if not rows:
        return paragraph("The source has no figures for this announcement, neither reported nor expected.", "note")
    frame = pd.DataFrame(rows, columns=["metric", "actual", "estimate", "difference"])
    frame["source"] = event.get("estimate_source") if pd.notna(event.get("estimate_source")) else "not stated"
    frame["vintage"] = _vintage(event.get("estimate_as_of"))
    columns: dict[str, Column | str] = {
        "metric": "metric",
        "actual": Column("came", _figure),
        "estimate": Column("expected", _figure),
        "difference": percent_column("difference", 1),
        "source": "source of the estimate",
        "vintage": "as of",
    }
    return table(frame, columns, caption="What came, and what was expected.")


def guidance_note(case: Case) -> Fragment:
    """What the comparison can and cannot carry."""
    metrics = case.metrics
    texts = []
    if metrics is not None and "estimate_as_of" in metrics and metrics["estimate_as_of"].isna().any():
        texts.append(
            "Where the date of an estimate is not known it may have been revised after the announcement; "
            "read such a difference as indicative."
        )
    period = case.event.get("estimate_source")
    if pd.notna(period):
        texts.append(f"The estimate in the header comes from the vendor table {period}.")
    return bullets(texts) if texts else paragraph("")


def timeline_table(case: Case) -> Fragment:
    """From the close before to the close of day zero, on the exchange's clock."""
    position = case.calendar.position(pd.DatetimeIndex([case.day_zero]))[0]
    before = case.calendar.sessions[position - 1]
    rows: list[tuple[str, Any, str]] = [
        ("close before", case.calendar.session_close(before), "the last price that cannot know the news"),
        (
            "open of day zero",
            case.calendar.session_open(case.day_zero),
            "first auction after the news" if case.row["timing"] != "dmh" else "",
        ),
        (
            "close of day zero",
            case.calendar.session_close(case.day_zero),
            "end of the first session that could react",
        ),
    ]
    event = case.event
    source = event.get("announced_at_source")
    how = f"from {str(source).replace('_', ' ')}" if pd.notna(source) else "as given by the source"
    if pd.notna(event["announced_at"]):
        rows.append(("release", event["announced_at"], how))
    if pd.notna(event.get("sec_accepted_at")):
        rows.append(
            (
                "8-K accepted by the SEC",
                pd.Timestamp(event["sec_accepted_at"]),
                "upper bound of the release time",
            )
        )
    if pd.notna(event.get("call_at")):
        rows.append(("call begins", event["call_at"], ""))
    frame = pd.DataFrame(rows, columns=["what", "at", "note"])
    frame["at"] = [pd.Timestamp(at).tz_convert(case.zone) for at in frame["at"]]
    frame = frame.sort_values("at", kind="stable", ignore_index=True)
    frame["when"] = [f"{at:%a %Y-%m-%d %H:%M %Z}" for at in frame["at"]]
    return table(frame, {"what": "", "when": "when (exchange clock)", "note": "note"})


def timing_sentence(case: Case) -> Fragment:
    """Timing, day zero, and where a date-only study would have looked."""
    timing = case.row["timing"]
    text = (
        f"Timing {timing} ({words.TIMINGS[timing]}); precision of the instant: {case.event['precision']}. "
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


def legs_table(case: Case) -> Fragment:
    """The legs of the reaction."""
    names = {
        "pre_release": "close to release",
        "release": "release to call",
        "call": "call to end of extended trading",
        "pre_market": "end of extended trading to open",
        "session": "open to close of day zero",
    }
    simple = {
        "close_to_close": "close to close",
        "after_hours": "close to end of extended trading",
        "overnight": "close to open",
        "intraday": "open to close",
    }
    rows = [(names[name], value, "log") for name, value in case.reaction.log.items() if value is not None]
    if rows:
        rows.append(("sum of the legs", sum(value for _, value, _ in rows), "log"))
    rows += [(simple[name], value, "simple") for name, value in case.reaction.simple.items() if value is not None]
    frame = pd.DataFrame(rows, columns=["leg", "value", "scale"])
    return table(
        frame,
        {"leg": "leg", "value": percent_column("return"), "scale": "scale"},
        mark=lambda row: row["leg"] == "sum of the legs",
    )


def legs_notes(case: Case) -> Fragment:
    """What the legs rest on."""
    texts = [
        *case.reaction.notes,
        "The legs are raw, not adjusted for the market, whose own legs are not in the daily data.",
    ]
    return bullets([*texts, NO_CAUSE, "One evening permits description, not inference."])


def own_days_sentence(case: Case) -> Fragment:
    """The reaction among the company's own, in words."""
    earlier = case.earlier
    if len(earlier) < MIN_EARLIER_DAYS:
        return paragraph(own_yardstick(case), "note")
    same = earlier[earlier["surprise"] == case.this["surprise"]]
    text = own_yardstick(case)
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
        "note": "note",
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


def estimation_table(case: Case) -> Fragment:
    """Estimates with and without the firm's other announcements in the estimation window."""
    rows = []
    for label, results in (("other announcements cut", case.results), ("left in", case.kept)):
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
        f"{window['n_missing']} without a price."
    )
    if window["other_in_window"]:
        day = window["other_in_window"]
        text += f" Another announcement of the company falls inside the event window, on day {day}."
    return paragraph(text)


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
        "note": "note",
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
            "day zero": "first session whose close lies strictly after the announcement",
            "abnormal return (AR)": f"return minus what the model expects; model: {case.results.model.definition}",
            "estimation window": f"trading days {settings.estimation[0]} to {settings.estimation[1]}; "
            f"days -1 to +1 around the firm's other announcements: {settings.other_announcements}",
            "standard error": "residual standard deviation with the full forecast-error correction "
            "(Patell 1976; Campbell, Lo and MacKinlay 1997)",
            "t against ordinary days": "AR over its standard error, Student with M - k degrees of freedom",
            "z against own earnings days": "AR over the root mean square of the firm's earlier day-zero ARs, "
            f"at least {MIN_EARLIER_DAYS} of them",
            "rank": "by absolute size among the earlier days and this one; 1 is the largest move",
            "CAR": "sum of abnormal returns; an event leaves a window in which a day is missing",
            "detectable at 80% power": f"{words.MDE_FACTOR} standard errors: the smallest effect that a two-sided "
            "5% test finds four times in five",
            "timing": "bmo before the open, dmh during market hours, amc after the close, closed on a day without trading",
        }
    )


def provenance(case: Case, source: Any) -> Fragment:
    """Where the numbers come from."""
    prints = source.fingerprint()
    event = case.event
    items = {
        "source": source.name,
        "content hash of the source": prints["sha256"],
        "announcement instant from": str(event["announced_at_source"]).replace("_", " ")
        if pd.notna(event.get("announced_at_source"))
        else "the source, unstated",
        "estimate from": str(event["estimate_source"]) if pd.notna(event.get("estimate_source")) else "not stated",
        "market": case.results.market_name or "none",
    }
    if source.name == "sample":
        items["how the sample was chosen"] = (
            "by hand: large companies that survived to the end; averages over it do not describe the market as a whole"
        )
        items["market return"] = "S&P 500 price index, without dividends"
    return facts(items)
