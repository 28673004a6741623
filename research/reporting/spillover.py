"""The sections of a spillover report: peers in tiers, what can be said of each, and what cannot."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from research.analysis.spillover import TIERS, UNKNOWN, Pass, Shared, Spillover
from research.errors import UsageError
from research.reporting import words
from research.reporting.tables import (
    Fragment,
    cards,
    heading,
    paragraph,
)


@dataclass(frozen=True, eq=False)
class Neighbourhood:
    """What the sections of a spillover report share.

    Attributes
    ----------
    event : Series
        The announcer's row, with ``timing`` and ``day_zero``.
    days : list of (str, Spillover)
        One a plausible day zero, with the reading of the hour that leads to it (empty where it is known).
    group : list of str
        Peers of interest.
    panel : DataFrame
        All the announcer's announcements, as :func:`spillover_panel` returns it.
    through : dict of tier to Pass
        Over all peers; ``group_through`` over the peers of interest only.
    model, market : str
    problems : tuple of str
        What was asked for and could not be had.
    """

    event: pd.Series
    days: list[tuple[str, Spillover]]
    group: list[str]
    panel: pd.DataFrame
    through: dict[str, Pass]
    group_through: dict[str, Pass]
    model: str
    market: str
    problems: tuple[str, ...] = field(default=())

    @property
    def ticker(self) -> str:
        """The announcer."""
        return str(self.event["ticker"])


def names_of(text: str, parameter: str) -> list[str]:
    """Tickers of a comma-separated notebook parameter, without repetition.

    Raises
    ------
    UsageError
        If there are commas but no ticker.
    """
    names = list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if text.strip() and not names:
        raise UsageError("no ticker", parameter=parameter, value=text, allowed="comma-separated tickers")
    return names


def asked_for(
    peers: list[str], group: list[str], ticker: str, columns: list[str]
) -> tuple[list[str], list[str], list[str]]:
    """Peers to study, peers of interest among them, and what has to be said about names that do not fit.

    A name without prices stays among the peers, whose table then gives the reason; the announcer is no peer.
    """
    problems = []
    if ticker in group or ticker in peers:
        problems.append(f"{ticker} is the announcer and is not counted among its own peers.")
    pool = [name for name in (peers or columns) if name != ticker]
    wanted = [name for name in group if name != ticker]
    added = [name for name in wanted if name not in pool]
    missing = [name for name in [*pool, *added] if name not in columns]
    if missing:
        problems.append(f"No prices in the source: {words.listing(missing)}.")
    return [*pool, *added], wanted or pool, problems


def title(near: Neighbourhood) -> Fragment:
    """The report's heading."""
    narrow = set(near.group) < set(near.days[0][1].peers["peer"])
    who = f"peers {words.listing(near.group)}" if narrow and len(near.group) <= 6 else "peers"
    return heading(f"{near.ticker}, announced {near.event['announced_on']:%Y-%m-%d}, and its {who}")


def headline(near: Neighbourhood) -> Fragment:
    """What the clean peers did, whether the question can be answered for the peers of interest, and if not what can."""
    parts = [_one_day(near, reading, day) for reading, day in near.days]
    first = paragraph(" ".join(parts), "verdict")
    second = paragraph(" ".join(filter(None, [_answerable(near), _disagreement(near), _instead(near)])))
    return first + second


def _one_day(near: Neighbourhood, reading: str, day: Spillover) -> str:
    start = f"If the news came {reading}: on" if reading else "On"
    text = (
        f"{start} {words.date(day.day_zero)}, {near.ticker}'s day zero, its abnormal return{_window(day)} was "
        f"{words.percent(day.own['car'])} ({_verdict(day.own)})."
    )
    clean = day.portfolios.loc["clean"]
    if not clean["n"]:
        return f"{text} No peer is clean: {_why_none(day)}."
    members = words.listing(list(clean["members"]))
    kind = "The clean peer" if clean["n"] == 1 else f"The {clean['n']} clean peers"
    return f"{text} {kind}, {members}, moved {words.percent(clean['car'])} ({_verdict(clean)})."


def _window(day: Spillover) -> str:
    return (
        "" if day.window == (0, 0) else f" over days {day.window[0]} to {day.window[1]}".replace("-", "\N{MINUS SIGN}")
    )


def _verdict(row: pd.Series) -> str:
    """Interval and test, with the minimum detectable effect where nothing is distinguishable."""
    interval = f"95% interval {words.interval(row['low'], row['high'])}"
    return f"{interval}; {words.distinguishable(row['car'], row['se'], row['p_value'], 'zero')}"


def _why_none(day: Spillover) -> str:
    counts = {tier: int((day.peers["tier"] == tier).sum()) for tier in (*TIERS[1:], UNKNOWN)}
    known = [f"{n} {'of unknown calendar' if tier == UNKNOWN else tier}" for tier, n in counts.items() if n]
    lost = int(day.peers["car"].isna().sum())
    return words.listing(known) + (f" ({lost} without figures on that day)" if lost else "")


def _answerable(near: Neighbourhood) -> str:
    """Whether the question can be answered for the peers of interest, said in so many words."""
    texts = []
    for reading, day in near.days:
        rows = day.peers[day.peers["peer"].isin(near.group)].set_index("peer")
        usable = rows[(rows["tier"] == "clean") & rows["car"].notna()]
        if len(usable):
            blocked = rows.index[~rows.index.isin(usable.index)]
            if len(blocked) and len(rows) < len(day.peers):
                texts.append(
                    f"Of the peers of interest only {words.listing(list(usable.index))} can be read; "
                    f"{_sorted_out(rows.loc[blocked])}."
                )
            continue
        prefix = f"If the news came {reading}, whether" if reading else "Whether"
        texts.append(
            f"{prefix} {near.ticker} took {words.listing(list(rows.index))} along on that day cannot be answered: "
            f"{_sorted_out(rows)}."
        )
        if (rows["tier"].isin(TIERS[1:]) & rows["car"].notna()).any():
            texts[-1] += f" What they did that day is as much their own news as {near.ticker}'s."
    return " ".join(dict.fromkeys(texts))


def _sorted_out(rows: pd.DataFrame) -> str:
    """Names of peers by what stands in the way."""
    reasons = {
        "confounded": "{} had the same day zero",
        "adjacent": "{} had a day zero one session before or after",
        UNKNOWN: "the calendar of {} is not known around that day",
        "clean": "{} could not be studied",
    }
    priced = rows[rows["car"].notna()]
    lost = rows[rows["car"].isna()]
    parts = [
        reason.format(words.listing(list(priced.index[priced["tier"] == tier])))
        for tier, reason in reasons.items()
        if (priced["tier"] == tier).any()
    ]
    if len(lost):
        parts.append(f"{words.listing(list(lost.index))} {'has' if len(lost) == 1 else 'have'} no figures")
    return "; ".join(parts)


def _disagreement(near: Neighbourhood) -> str:
    """Whether the readings of an unknown hour lead to the same verdict on the clean peers."""
    if len(near.days) < 2:
        return ""
    rows = [day.portfolios.loc["clean"] for _, day in near.days]
    if any(not row["n"] for row in rows):
        return (
            "The hour of the news is not known, and not every reading of it leaves a clean peer: no verdict is given."
        )
    if len({(bool(row["car"] > 0), bool(row["p_value"] < 0.05)) for row in rows}) > 1:
        return (
            "The hour of the news is not known, and its readings lead to different answers on the clean peers: no "
            "verdict is given."
        )
    return "The hour of the news is not known; on the clean peers every reading of it leads to the same answer."


def _instead(near: Neighbourhood) -> str:
    """What can be said over all of the announcer's announcements."""
    through = near.group_through["clean"]
    who = "these peers" if set(near.group) < set(near.days[0][1].peers["peer"]) else "its peers"
    if through.note:
        return f"Over all of {near.ticker}'s announcements nothing can be said of {who} when clean: {through.note}."
    return (
        f"Over {words.count(through.n_dates, 'announcement')} of {near.ticker} on which {who} were clean "
        f"({words.count(through.n, 'pair')}), {_slope(through, near.ticker)}."
    )


def _slope(through: Pass, ticker: str) -> str:
    slope = words.number(through.slope, 3, signed=True)
    per = f"each per cent of {ticker}'s abnormal return went with {slope} per cent of a peer's"
    interval = (
        f"95% interval {words.number(through.low, 3, signed=True)} to {words.number(through.high, 3, signed=True)}"
    )
    p_value = through.p_value if np.isnan(through.bootstrap_p) else through.bootstrap_p
    if p_value < 0.05:
        return f"{per} ({interval}, p {words.p_value(p_value)})"
    detectable = words.number(words.MDE_FACTOR * through.se, 3)
    return (
        f"{per} ({interval}, p {words.p_value(p_value)}): not distinguishable from zero, where a slope of "
        f"{detectable} would be "
        "found four times in five"
    )


def header_cards(near: Neighbourhood) -> Fragment:
    """The figures that matter, of the first plausible day zero."""
    reading, day = near.days[0]
    clean, through = day.portfolios.loc["clean"], near.group_through["clean"]
    shared = day.shared["clean"]
    note = f"if {reading}" if reading else f"{day.day_zero:%Y-%m-%d}"
    limits = " to ".join(words.number(limit, 3, signed=True) for limit in (through.low, through.high))
    return cards(
        [
            (f"{near.ticker}, abnormal", words.percent(day.own["car"]), note),
            (
                "Clean peers, abnormal",
                words.percent(clean["car"]),
                f"{words.count(int(clean['n']), 'peer')}, 95% {words.interval(clean['low'], clean['high'])}"
                if clean["n"]
                else "none is clean",
            ),
            ("Share of the move", words.percent(shared.ratio, 0), set_in_words(shared)),
            (
                "Over all announcements",
                words.number(through.slope, 3, signed=True),
                through.note or f"slope; 95% {limits}",
            ),
        ]
    )


def set_in_words(shared: Shared) -> str:
    """A Fieller set in words."""
    low, high = words.percent(shared.low, 0), words.percent(shared.high, 0)
    return {
        "interval": f"95% {low} to {high}",
        "outside": f"95%: below {low} or above {high}",
        "everything": "95%: any share at all",
        "none": "no figures",
    }[shared.kind]


def payload(near: Neighbourhood) -> dict[str, Any]:
    """The numbers of the report for ``results.json``.

    Where the hour of the news is not known, ``plausible`` has every reading and ``event`` the first one's day zero, as
    in the report on one announcement.
    """
    event = near.event
    days = [_numbers(reading, day) for reading, day in near.days]
    readings = [{"reading": one["reading"], "day_zero": one["day_zero"]} for one in days]
    return {
        "event": {
            "event_id": event["event_id"],
            "ticker": near.ticker,
            "kind": event["kind"],
            "announced_at": event["announced_at"]
            if pd.notna(event["announced_at"])
            else f"{event['announced_on']:%Y-%m-%d}",
            "timing": event["timing"],
            "day_zero": days[0]["day_zero"],
        },
        "model": near.model,
        "market": near.market,
        "group": near.group,
        "days": days,
        **({"plausible": readings} if len(days) > 1 else {}),
        "pass_through": {tier: vars(near.through[tier]) for tier in TIERS},
        "group_pass_through": {tier: vars(near.group_through[tier]) for tier in TIERS},
        "answerable": [bool(set(day.of_tier("clean")) & set(near.group)) for _, day in near.days],
        "problems": list(near.problems),
    }


def _numbers(reading: str, day: Spillover) -> dict[str, Any]:
    figures = ["car", "se", "t", "df", "p_value", "low", "high", "n_observations"]
    peers = day.peers[["peer", "tier", "own_day_zero", "offset", *figures, "note"]]
    portfolios = day.portfolios[["members", "n", *figures, "se_independent", "correlation", "note"]]
    return {
        "reading": reading,
        "day_zero": f"{day.day_zero:%Y-%m-%d}",
        "window": list(day.window),
        "announcer": day.own[figures].to_dict(),
        "peers": peers.to_dict("records"),
        "portfolios": {tier: row.to_dict() for tier, row in portfolios.iterrows()},
        "shared": {tier: vars(day.shared[tier]) for tier in TIERS},
    }
