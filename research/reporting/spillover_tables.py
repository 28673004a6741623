"""The tables of a spillover report: tiers, portfolios, shares, the regression over many announcements, the ledger."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from research.analysis.spillover import MEANING, TIERS, UNKNOWN, Spillover
from research.reporting import words
from research.reporting.spillover import Neighbourhood, set_in_words
from research.reporting.tables import (
    Column,
    Fragment,
    bullets,
    details,
    facts,
    number_column,
    paragraph,
    percent_column,
    size_column,
    table,
)

#: A regression on fewer days zero says so beside its figures.
_FEW = 30


def reading_note(reading: str, day: Spillover) -> Fragment:
    """Which reading of the hour the part below holds for; nothing where the hour is known."""
    if not reading:
        return paragraph("")
    return paragraph(f"If the news came {reading}: day zero {words.date(day.day_zero)}.", "note")


def tiers_table(day: Spillover) -> Fragment:
    """Every peer with its tier, by rule, and its abnormal return; those without figures folded away."""
    shown = day.peers.copy()
    shown["own"] = [f"{own:%Y-%m-%d}" if pd.notna(own) else "–" for own in shown["own_day_zero"]]
    shown["order"] = [[*TIERS, UNKNOWN].index(tier) for tier in shown["tier"]]
    shown = shown.sort_values(["order", "peer"], kind="stable")
    columns: dict[str, Column | str] = {
        "peer": "peer",
        "tier": "tier",
        "own": "own day zero nearest",
        "offset": Column("sessions apart", lambda value: words.number(value, 0, signed=True)),
        "car": percent_column("abnormal return"),
        "low": percent_column("95% from"),
        "high": percent_column("to"),
        "t": number_column("t"),
        "p_value": Column("p", words.p_value),
    }
    priced, lost = shown[shown["car"].notna()], shown[shown["car"].isna()]
    rule = bullets([f"{tier}: {meaning}." for tier, meaning in MEANING.items()])
    found = rule
    if len(priced):
        found += table(priced, columns, caption="Peers on that day, sorted into tiers by their own announcements.")
    else:
        found += paragraph("No peer has figures on that day.", "warn")
    if len(lost):
        reasons = table(lost, {"peer": "peer", "tier": "tier", "note": "why"})
        found += details(f"{words.count(len(lost), 'peer')} without figures on that day", reasons)
    return found


def portfolios_table(day: Spillover) -> Fragment:
    """Each tier's equal-weighted portfolio, and the announcer above them."""
    own = {"tier": day.announcer, "who": "the announcer", **day.own.to_dict()}
    rows = [own]
    for tier in TIERS:
        row = day.portfolios.loc[tier]
        rows.append({"tier": tier, "who": ", ".join(row["members"]) or str(row["note"]), **row.to_dict()})
    frame = pd.DataFrame(rows)
    frame["mde"] = words.MDE_FACTOR * frame["se"]
    columns: dict[str, Column | str] = {
        "tier": "portfolio",
        "who": "members",
        "car": percent_column("abnormal return"),
        "se": size_column("standard error"),
        "se_independent": size_column("if independent"),
        "correlation": number_column("implied correlation"),
        "low": percent_column("95% from"),
        "high": percent_column("to"),
        "p_value": Column("p", words.p_value),
        "mde": size_column("detectable at 80% power"),
    }
    notes = [
        f"{tier}: {note}." for tier, note in day.portfolios["note"].items() if note and day.portfolios.loc[tier, "n"]
    ]
    found = table(
        frame,
        columns,
        caption="A tier's portfolio is one series, so its standard error carries the correlation of its members; "
        "beside it what independent members would have.",
        mark=lambda row: row["tier"] == "clean",
    )
    return found + bullets(notes) if notes else found


def shares_table(day: Spillover) -> Fragment:
    """Each tier's share of the announcer's move, with its Fieller set."""
    rows = [{"tier": tier, "ratio": day.shared[tier].ratio, "set": set_in_words(day.shared[tier])} for tier in TIERS]
    columns: dict[str, Column | str] = {
        "tier": "tier",
        "ratio": Column(f"share of {day.announcer}'s move", lambda value: words.percent(value, 0)),
        "set": "Fieller set",
    }
    return table(pd.DataFrame(rows), columns, mark=lambda row: row["tier"] == "clean")


def resilience(near: Neighbourhood) -> Fragment:
    """How much of the announcer's abnormal move the clean peers shared, with what the interval allows to say."""
    texts = []
    for reading, day in near.days:
        shared = day.shared["clean"]
        prefix = f"If the news came {reading}: " if reading else ""
        if shared.kind == "none":
            texts.append(f"{prefix}there is no clean peer, so no share can be given.")
        elif shared.kind == "interval":
            texts.append(
                f"{prefix}the clean peers shared {words.percent(shared.ratio, 0)} of {near.ticker}'s abnormal move "
                f"({set_in_words(shared)})."
            )
        else:
            texts.append(
                f"{prefix}the ratio of the two moves is {words.percent(shared.ratio, 0)}, but {near.ticker}'s own "
                f"abnormal move cannot be told from zero, so the interval is not bounded ({set_in_words(shared)}): "
                "on this day alone the share is not known."
            )
    texts.append(
        "A share of 0% is a group that stood still, 100% one that moved as much, a negative one a group that moved "
        "the other way. "
        "Intervals by Fieller's theorem, with the correlation of both residuals."
    )
    return bullets([text[0].upper() + text[1:] for text in texts])


def pass_table(near: Neighbourhood) -> Fragment:
    """Regression of the peers' abnormal returns on the announcer's, tier by tier."""
    rows = []
    narrow = set(near.group) < set(near.days[0][1].peers["peer"])
    for label, found in (("peers of interest", near.group_through), ("all peers", near.through)):
        if label == "peers of interest" and not narrow:
            continue
        rows += [{"who": label, "tier": tier, **vars(found[tier])} for tier in TIERS]
    frame = pd.DataFrame(rows)
    columns: dict[str, Column | str] = {
        "who": "who",
        "tier": "tier",
        "slope": Column("slope", lambda value: words.number(value, 3, signed=True)),
        "se": number_column("standard error", 3),
        "low": Column("95% from", lambda value: words.number(value, 3, signed=True)),
        "high": Column("to", lambda value: words.number(value, 3, signed=True)),
        "p_value": Column("p", words.p_value),
        "bootstrap_p": Column("bootstrap p", words.p_value),
        "n": Column("pairs", lambda n: f"{n:,}"),
        "n_dates": Column("days zero", lambda n: f"{n:,}"),
        "r_squared": number_column("R²", 3),
    }
    if (frame["note"] != "").any():
        columns["note"] = "note"
    shown = table(
        frame,
        columns,
        caption=f"Abnormal return of a peer on that of {near.ticker} over all announcements; errors clustered by day.",
        mark=lambda row: row["tier"] == "clean",
    )
    return shown + bullets(_pass_notes(near))


def _pass_notes(near: Neighbourhood) -> list[str]:
    texts = [
        "Only the clean tier answers the question: in the others the peers' own news of the same days is part of "
        "what moves.",
        "The panel pools companies that were chosen, not drawn; a slope over it describes these companies.",
    ]
    first, last = near.days[0][1].window
    if first < -1 or last > 1:
        texts.append(
            "The window reaches beyond the one session that the tiers look at, so it may hold news of clean peers' own."
        )
    few = [tier for tier in TIERS if 0 < near.group_through[tier].n_dates < _FEW]
    if few:
        texts.append(
            f"Fewer than {_FEW} days zero ({words.listing(few)}): read the restricted wild-cluster bootstrap's p, "
            "since a Student test "
            "on so few clusters rejects too often."
        )
    reliability = near.group_through["clean"].reliability
    if not np.isnan(reliability):
        texts.append(
            f"The announcer's abnormal return is estimated: {words.percent(reliability, 0, signed=False)} of its "
            "variance is not estimation "
            "error, and the slope is drawn towards zero by that factor."
        )
    return texts


def _span(window: tuple[int, int]) -> str:
    """First and last relative day."""
    first, last = (words.number(day, 0, signed=day > 0) for day in window)
    return f"{first} to {last}"


def definitions(near: Neighbourhood) -> Fragment:
    """The terms of the report."""
    day = near.days[0][1]
    settings = day.results.settings
    return facts(
        {
            "tiers": "by the session distance of a peer's own day zero: 0 confounded, 1 adjacent, more clean; an "
            "announcement of "
            "unknown hour counts with both sessions it may belong to, and news of every kind counts",
            "abnormal return": f"sum over days {_span(day.window)} around {near.ticker}'s day zero of "
            f"return minus what the {near.model} model expects; market: {near.market}",
            "estimation window": f"trading days {_span(settings.estimation)}; days {_span((-1, 1))} around a company's "
            "own earnings announcements are cut",
            "portfolio": "equal-weighted mean return of a tier's peers, estimated as one series; days around any "
            "member's "
            "earnings are cut, and it has no return on days on which a member has none",
            "implied correlation": "of the members' residuals, from the portfolio's standard error",
            "share": "abnormal return of the portfolio over that of the announcer, with Fieller's 95% set (Fieller "
            "1954)",
            "slope": "least squares of a peer's abnormal return on the announcer's; CR1 errors by day zero, t(G - 1) "
            "(Foster 1981)",
            "detectable at 80% power": f"{words.MDE_FACTOR} standard errors",
        }
    )


def ledger(near: Neighbourhood) -> Fragment:
    """Every peer on every plausible day zero is in a tier or has a reason."""
    rows = []
    for reading, day in near.days:
        priced = day.peers["car"].notna()
        for tier in (*TIERS, UNKNOWN):
            rows.append(
                (reading or "day zero", tier, "with figures", int((priced & (day.peers["tier"] == tier)).sum()))
            )
        reasons = day.peers.loc[~priced, "note"].str.split(":").str[0].value_counts()
        rows += [(reading or "day zero", "", str(reason), int(n)) for reason, n in reasons.items()]
        rows.append((reading or "day zero", "", "peers asked for", len(day.peers)))
    frame = pd.DataFrame(rows, columns=["day", "tier", "what", "peers"])
    columns: dict[str, Column | str] = {
        "day": "day",
        "tier": "tier",
        "what": "figures",
        "peers": Column("peers", lambda n: f"{n:,}"),
    }
    return table(frame, columns, mark=lambda row: row["what"] == "peers asked for")


def provenance(near: Neighbourhood, source: Any) -> Fragment:
    """Where the numbers come from, and what was asked for and could not be had."""
    prints = source.fingerprint()
    found = facts(
        {
            "source": source.name,
            "content hash of the source": prints["sha256"],
            "model": near.model,
            "market": near.market,
            "pairs over all announcements": f"{len(near.panel):,}",
        }
    )
    return found + bullets(list(near.problems)) if near.problems else found
