"""The top of an announcement's report: what happened, against which yardstick, how sure one can be.

Every word around a number is written from the number.
"""

from __future__ import annotations

import pandas as pd

from research.reporting import words
from research.reporting.case import Case
from research.reporting.tables import Fragment, cards, heading, paragraph
from research.reporting.unknown_hour import cards_of_readings, headline_of_readings, title_of_readings
from research.study.yardsticks import MIN_EARLIER_DAYS


def title(case: Case, *others: Case) -> Fragment:
    """The report's heading: who, what and the move on day zero."""
    if others:
        return title_of_readings(case, *others)
    period = f" {case.event['fiscal_period']}" if pd.notna(case.event.get("fiscal_period")) else ""
    move = words.percent(case.day["return"])
    what = "" if case.event["kind"] == "earnings" else f" ({case.event['kind']})"
    return heading(f"{case.ticker}{period}{what}, announced {case.event['announced_on']:%Y-%m-%d}: {move} on day zero")


def headline(case: Case, *others: Case) -> Fragment:
    """The first paragraphs: what happened; then against which yardstick, and how sure one can be.

    With several readings of an unknown hour, what each of them would mean.
    """
    if others:
        return headline_of_readings(case, *others)
    happened = " ".join(filter(None, [_what_came(case), _other_metrics(case), _guidance(case), _what_followed(case)]))
    return paragraph(happened, "verdict") + paragraph(f"{own_yardstick(case)} {_ordinary(case)}")


def _when(case: Case) -> str:
    event = case.event
    if pd.notna(event["announced_at"]) and event["precision"] in ("second", "minute"):
        local = event["announced_at"].tz_convert(case.zone)
        return f"on {words.date(local.tz_localize(None).normalize())} at {local:%H:%M} {local:%Z}"
    return f"on {words.date(event['announced_on'])}"


def _what_came(case: Case) -> str:
    event = case.event
    period = f"its results for {event['fiscal_period']}" if pd.notna(event.get("fiscal_period")) else "its results"
    what = period if event["kind"] == "earnings" else f"news ({event['kind']})"
    text = f"{case.ticker} announced {what} {_when(case)}, {words.TIMINGS[case.timing]}"
    actual, estimate = event.get("eps_actual"), event.get("eps_estimate")
    if pd.notna(actual) and pd.notna(estimate):
        surprise = case.this["surprise_pct"]
        named = {"beat": "a beat", "miss": "a miss", "in line": "in line"}[case.this["surprise"]]
        text += (
            f": earnings per share of {words.number(actual)} against {words.number(estimate)} expected, "
            f"{named} ({words.percent(surprise, 1)})"
        )
    return text + "."


def _other_metrics(case: Case) -> str:
    """Every metric but EPS against the first consensus named for it."""
    metrics = case.metrics
    if metrics is None or "basis" not in metrics:
        return ""
    consensus = metrics[(metrics["basis"] == "consensus") & (metrics["metric"] != "eps")].dropna(
        subset=["actual", "estimate"]
    )
    rows = consensus.drop_duplicates("metric").itertuples()
    found = [f"{row.metric.replace('_', ' ')} {words.percent(row.actual / row.estimate - 1, 1)}" for row in rows]
    return f"Against expectations: {words.listing(found)}." if found else ""


def _guidance(case: Case) -> str:
    """What moved in the company's own outlook."""
    metrics = case.metrics
    if metrics is None or "basis" not in metrics:
        return ""
    moved = metrics[(metrics["basis"] == "previous_guidance") & (metrics["actual"] != metrics["estimate"])]
    found = [
        f"{row.metric.replace('_', ' ')} {'raised' if row.actual > row.estimate else 'lowered'} "
        f"from {words.number(row.estimate, 0)} to {words.number(row.actual, 0)} {str(row.unit).replace('_', ' ')}"
        for row in moved.dropna(subset=["actual", "estimate"]).itertuples()
    ]
    return f"Guidance: {words.listing(found)}." if found else ""


def _what_followed(case: Case) -> str:
    market = case.market_return
    beside = f" while {case.results.market_name} returned {words.percent(market)}" if pd.notna(market) else ""
    return (
        f"The first session that could react, day zero, was {words.date(case.day_zero)}: the share returned "
        f"{words.percent(case.day['return'])}{beside}, an abnormal return of {words.percent(case.day['ar'])} "
        f"({case.results.model.name} model)."
    )


def own_yardstick(case: Case) -> str:
    """Day zero against the firm's own earlier event days, in words."""
    n, kind = int(case.day["n_own"]), case.event["kind"]
    days = f"{kind} days" if kind == "earnings" else f"days of {kind} news"
    if n < MIN_EARLIER_DAYS:
        earlier = words.count(n, f"earlier {days.replace('days', 'day', 1)}", f"earlier {days}")
        return (
            f"With {earlier} in the data (at least {MIN_EARLIER_DAYS} are needed) the move cannot be set against the "
            f"company's own {days}."
        )
    rank = int(case.day["rank_own"])
    return (
        f"Against {case.ticker}'s own {n} earlier {days} that is {words.size_in_words(rank, n)}: in absolute size "
        f"it ranks {words.ordinal(rank)} of {n + 1}, at {words.number(case.day['z_own'], 2, signed=True)} times their "
        f"typical (root mean square) move of {words.percent(case.day['rms_own'], 1, signed=False)}."
    )


def _ordinary(case: Case) -> str:
    day = case.day
    return (
        f"Against ordinary days it is {words.distinguishable(day['ar'], day['ar_se'], day['p_value'], 'zero')}; "
        f"95% interval {words.interval(day['ar_low'], day['ar_high'])}, t {words.number(day['t'])}."
    )


def header_cards(case: Case, *others: Case) -> Fragment:
    """The five figures that matter; of an unknown hour, those of each reading."""
    if others:
        return cards_of_readings(case, *others)
    day, n = case.day, int(case.day["n_own"])
    known = n >= MIN_EARLIER_DAYS
    surprise = case.this["surprise_pct"]
    estimate = case.event.get("eps_estimate")
    figures = [
        (
            "Return on day zero",
            words.percent(day["return"]),
            f"{case.results.market_name or 'no market'} {words.percent(case.market_return)}",
        ),
        (
            "Abnormal return",
            words.percent(day["ar"]),
            f"95% interval {words.interval(day['ar_low'], day['ar_high'])}",
        ),
        (
            f"Against own {case.event['kind']} days",
            words.number(day["z_own"], 2, signed=True) if known else "–",
            f"z; rank {int(day['rank_own'])} of {n + 1} by size" if known else f"only {words.count(n, 'earlier day')}",
        ),
        (
            "Against ordinary days",
            f"t {words.number(day['t'])}",
            f"p {words.p_value(day['p_value'])}, {day['df']:.0f} degrees of freedom",
        ),
        (
            "EPS surprise",
            words.percent(surprise, 1),
            f"{words.number(case.event.get('eps_actual'))} against {words.number(estimate)}"
            if pd.notna(estimate)
            else "no estimate",
        ),
    ]
    return cards(figures if case.event["kind"] == "earnings" else figures[:-1])
