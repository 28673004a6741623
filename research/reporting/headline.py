"""The top of an announcement's report: what happened, against which yardstick, how sure one can be.

Every word around a number is written from the number.
"""

from __future__ import annotations

from typing import Any

import pandas as pd
from scipy import stats

from research.events.surprises import FLOOR
from research.reporting import words
from research.reporting.case import Case, same_verdict
from research.reporting.tables import Fragment, cards, heading, paragraph
from research.study.yardsticks import MIN_EARLIER_DAYS


def title(case: Case, *others: Case) -> Fragment:
    """The report's heading: who, what, and the move on day zero; of an unknown hour, both moves.

    It names both plausible sessions of news of unknown hour and takes neither for granted.
    """
    period = f" {case.event['fiscal_period']}" if pd.notna(case.event.get("fiscal_period")) else ""
    what = "" if case.event["kind"] == "earnings" else f" ({case.event['kind']})"
    when = f"{case.ticker}{period}{what}, announced {case.event['announced_on']:%Y-%m-%d}"
    if others:
        moves = " or ".join(words.percent(one.day["return"]) for one in (case, *others))
        return heading(f"{when} at an unknown hour: {moves}")
    return heading(f"{when}: {words.percent(case.day['return'])} on day zero")


def headline(case: Case, *others: Case) -> Fragment:
    """What happened and how it compares, both yardsticks named; then whatever else was announced.

    With several readings of an unknown hour, what each of them would mean, what they share, and
    the window that holds both.
    """
    if others:
        first, second = _of_readings(case, *others)
    else:
        first = f"{what_came(case)} {_what_followed(case)} {_own_days(case)} {_ordinary_days(case)}"
        second = ""
    besides = " ".join(filter(None, [second, _other_metrics(case), _guidance(case)]))
    return paragraph(first, "verdict") + paragraph(besides) if besides else paragraph(first, "verdict")


def _when(case: Case) -> str:
    event = case.event
    if case.reading:
        return f"on {words.date(event['announced_on'])}, at an hour that is not known"
    if pd.notna(event["announced_at"]) and event["precision"] in ("second", "minute"):
        local = event["announced_at"].tz_convert(case.zone)
        day = words.date(local.tz_localize(None).normalize())
        return f"on {day} at {local:%H:%M} {local:%Z}, {words.TIMINGS[case.timing]}"
    return f"on {words.date(event['announced_on'])}, {words.TIMINGS[case.timing]}"


def what_came(case: Case) -> str:
    """Who announced what and when, with its EPS against the estimate where there is one."""
    event = case.event
    period = f"its results for {event['fiscal_period']}" if pd.notna(event.get("fiscal_period")) else "its results"
    what = period if event["kind"] == "earnings" else f"news ({event['kind']})"
    text = f"{case.ticker} announced {what} {_when(case)}"
    if isinstance(event.get("headline"), str) and event["kind"] != "earnings":
        return f"{text}: {event['headline'].rstrip('.')}."
    actual, estimate = event.get("eps_actual"), event.get("eps_estimate")
    if pd.notna(actual) and pd.notna(estimate):
        surprise = case.this["surprise_pct"]
        named = {"beat": "a beat", "miss": "a miss", "in line": "in line"}.get(str(case.this["surprise"]), "")
        telling = pd.notna(surprise) and abs(estimate) >= FLOOR  # of an estimate near zero no percentage makes sense
        size = f" ({words.percent(surprise, 1)})" if telling else ""
        judged = f", {named}{size}" if named else ""
        text += (
            f": earnings per share of {words.number(actual)}{_currency(case)} against {words.number(estimate)} "
            f"expected{judged}"
        )
    return text + "."


def _currency(case: Case) -> str:
    """Unit of the EPS where a metrics table says so, with a space before it."""
    metrics = case.metrics
    if metrics is None or "unit" not in metrics:
        return ""
    units = metrics.loc[metrics["metric"] == "eps", "unit"].dropna().unique()
    return f" {units[0]}" if len(units) == 1 else ""


def _other_metrics(case: Case) -> str:
    """Every metric but EPS against the first consensus named for it."""
    metrics = case.metrics
    if metrics is None or "basis" not in metrics:
        return ""
    consensus = metrics[(metrics["basis"] == "consensus") & (metrics["metric"] != "eps")].dropna(
        subset=["actual", "estimate"]
    )
    rows = consensus.drop_duplicates("metric").itertuples()
    found = [
        f"{row.metric.replace('_', ' ')} {words.percent((row.actual - row.estimate) / abs(row.estimate), 1)}"
        for row in rows
        if row.estimate != 0
    ]
    return f"Against expectations: {words.listing(found)}." if found else ""


def _guidance(case: Case) -> str:
    """What moved in the company's own outlook."""
    metrics = case.metrics
    if metrics is None or "basis" not in metrics:
        return ""
    moved = metrics[(metrics["basis"] == "previous_guidance") & (metrics["actual"] != metrics["estimate"])]
    found = [
        f"{row.metric.replace('_', ' ')} {'raised' if row.actual > row.estimate else 'lowered'} "
        f"from {_plain(row.estimate)} to {_plain(row.actual)} {str(row.unit or '').replace('_', ' ')}".rstrip()
        for row in moved.dropna(subset=["actual", "estimate"]).itertuples()
    ]
    return f"Guidance: {words.listing(found)}." if found else ""


def _plain(value: Any) -> str:
    """A number without needless decimals: ``38``, ``38.5``."""
    return words.number(value, 0 if float(value).is_integer() else 2)


def _what_followed(case: Case) -> str:
    same_day = case.day_zero == case.event["announced_on"]
    day = "On the same day" if same_day else f"On {words.date(case.day_zero)}"
    return f"{day}, the first session that could react (day zero), {_moves(case)} ({case.results.model.name} model)."


def _moves(case: Case) -> str:
    market = case.market_return
    name = words.market(case.results.market_name)
    beside = f" while {name} returned {words.percent(market)}" if pd.notna(market) else ""
    return (
        f"the share returned {words.percent(case.day['return'])}{beside}: an abnormal return of "
        f"{words.percent(case.day['ar'])}"
    )


def days_of(case: Case) -> str:
    """What days like the one of the report are called."""
    return "earnings days" if case.event["kind"] == "earnings" else f"days of {case.event['kind']} news"


def _own_days(case: Case) -> str:
    """Day zero against the firm's own event days, in a sentence."""
    n = int(case.day["n_own"])
    if n < MIN_EARLIER_DAYS:
        return too_few_days(case)
    rank = int(case.day["rank_own"])
    return (
        f"Of {case.ticker}'s {n + 1} {days_of(case)} so far this one is {words.size_in_words(rank, n)}: "
        f"{words.ordinal(rank)} by size, {words.number(case.day['z_own'], 2, signed=True)} times the typical move of "
        f"{words.percent(case.day['rms_own'], 1, signed=False)}."
    )


def too_few_days(case: Case) -> str:
    """Why the move cannot be set against the firm's own days."""
    n = int(case.day["n_own"])
    days = days_of(case)
    earlier = f"No earlier {days.replace('days', 'day', 1)}" if n == 0 else f"Only {n} earlier {days}"
    if n == 1:
        earlier = f"Only one earlier {days.replace('days', 'day', 1)}"
    return (
        f"{earlier} of {case.ticker} could be studied, too few (at least {MIN_EARLIER_DAYS} are needed) to set the "
        "move against the company's own."
    )


def _ordinary_days(case: Case) -> str:
    day = case.day
    return (
        f"Against ordinary days (95% interval {words.interval(day['ar_low'], day['ar_high'])}) it is "
        f"{words.distinguishable(day['ar'], day['ar_se'], day['p_value'], 'zero')}."
    )


def header_cards(case: Case, *others: Case) -> Fragment:
    """The five figures that matter; of an unknown hour, those of each reading."""
    if others:
        return _cards_of_readings(case, *others)
    day, n = case.day, int(case.day["n_own"])
    known = n >= MIN_EARLIER_DAYS
    figures = [
        ("Return on day zero", words.percent(day["return"]), _market_note(case)),
        (
            "Abnormal return",
            words.percent(day["ar"]),
            f"95% interval {words.interval(day['ar_low'], day['ar_high'])}",
        ),
        (
            f"Against own {days_of(case)}",
            f"z {words.number(day['z_own'], 2, signed=True)}" if known else "–",
            f"{words.ordinal(int(day['rank_own']))} of {n + 1} by size" if known else _only(n),
        ),
        (
            "Against ordinary days",
            f"t {words.number(day['t'], 2, signed=True)}",
            f"p {words.p_value(day['p_value'])}, {day['df']:.0f} degrees of freedom",
        ),
        _fifth_card(case),
    ]
    return cards(figures)


def _only(n: int) -> str:
    return "no earlier day" if n == 0 else f"only {words.count(n, 'earlier day')}"


def _market_note(case: Case) -> str:
    if pd.isna(case.market_return):
        return "no market return"
    return f"{words.market(case.results.market_name).removeprefix('the ')} {words.percent(case.market_return)}"


def _fifth_card(case: Case) -> tuple[str, str, str]:
    """The earnings surprise; for news without one, the abnormal return over the primary window."""
    if case.event["kind"] == "earnings":
        actual, estimate = case.event.get("eps_actual"), case.event.get("eps_estimate")
        note = f"{words.number(actual)} against {words.number(estimate)}{_currency(case)}"
        if pd.isna(estimate) or pd.isna(actual):
            note = "no estimate" if pd.isna(estimate) else "no reported figure"
        return "EPS surprise", words.percent(case.this["surprise_pct"], 1), note
    first, last = case.results.settings.window
    if not first <= 0 <= 1 <= last:
        return "Timing", case.timing, words.TIMINGS[case.timing]
    two = case.results.car(0, 1).iloc[case.position]
    return "Abnormal, days 0 and +1", words.percent(two["car"]), f"p {words.p_value(two['p_value'])}"


# ---------------------------------------------------------------- an hour that is not known


def _of_readings(*cases: Case) -> tuple[str, str]:
    """What each reading of the hour would mean; what they share, and the window that holds all."""
    parts = [
        f"If it came {one.reading}, day zero is {words.date(one.day_zero)}: {_moves(one)} "
        f"(p {words.p_value(one.day['p_value'])}{_rank(one)})."
        for one in cases
    ]
    return " ".join([what_came(cases[0]), *parts]), f"{_verdict(*cases)} {_both(cases)}".strip()


def _rank(case: Case) -> str:
    n = int(case.day["n_own"])
    if n < MIN_EARLIER_DAYS:
        return ""
    return f", {words.ordinal(int(case.day['rank_own']))} by size of {n + 1} {days_of(case)} so far"


def _verdict(*cases: Case) -> str:
    rejects = [bool(one.day["p_value"] < 0.05) for one in cases]
    if not same_verdict(*cases):
        if any(rejects):
            return "The readings lead to different verdicts, so none is given."
        return (
            "The readings point in opposite directions, so no verdict is given; on neither is the abnormal return of "
            "day zero distinguishable from that of an ordinary day."
        )
    if all(rejects):
        side = "above" if cases[0].day["ar"] > 0 else "below"
        return f"On either reading the abnormal return of day zero is distinguishable from zero, and {side} it."
    return "On neither reading is the abnormal return of day zero distinguishable from that of an ordinary day."


def _both(cases: tuple[Case, ...]) -> str:
    """The window that contains every plausible day zero."""
    case, last = cases[0], len(cases) - 1
    if case.results.settings.window[1] < last:
        return ""
    one = case.results.car(0, last).iloc[case.position]
    half = stats.t.ppf(0.975, one["df"]) * one["se"]
    return (
        f"Over the {words.count(last + 1, 'session')} together, which hold the reaction on any reading, the abnormal "
        f"return is {words.percent(one['car'])} (95% interval {words.interval(one['car'] - half, one['car'] + half)}), "
        f"{words.distinguishable(one['car'], one['se'], one['p_value'], 'zero')}."
    )


def _cards_of_readings(*cases: Case) -> Fragment:
    """Return and abnormal return of each plausible session, and whether there is a verdict."""
    figures = []
    for one in cases:
        figures.append((f"Return, {one.day_zero:%Y-%m-%d}", words.percent(one.day["return"]), _market_note(one)))
        figures.append(
            (
                f"Abnormal return, {one.day_zero:%Y-%m-%d}",
                words.percent(one.day["ar"]),
                f"t {words.number(one.day['t'], 2, signed=True)}, 95% interval "
                f"{words.interval(one.day['ar_low'], one.day['ar_high'])}",
            )
        )
    verdict = "shared" if same_verdict(*cases) else "withheld"
    figures.append(("Verdict", verdict, "both readings agree" if verdict == "shared" else "the readings disagree"))
    return cards(figures)
