"""Heading, verdict and cards of the report on many announcements, every word from a number."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from research.reporting import words
from research.reporting.samples import choice_sentence
from research.reporting.tables import Fragment, heading, paragraph
from research.reporting.tables import cards as card_row

if TYPE_CHECKING:
    from research.reporting._cross_section_sample import Sample

#: Fewer events than this in a class and the design cannot answer (METHODS 8.9).
MIN_EVENTS = 10


def title(sample: Sample) -> Fragment:
    """Who, when, and the headline number."""
    frame = sample.frame
    firms = frame["ticker"].nunique()
    who = (
        words.listing(sorted(frame["ticker"].unique()))
        if 0 < firms <= 4
        else words.count(firms, "company", "companies")
    )
    if not len(frame):
        return heading("No announcement could be studied")
    span = f"{frame['day_zero'].min():%Y}–{frame['day_zero'].max():%Y}"
    return heading(f"{words.count(len(frame), 'earnings announcement')} of {who}, {span}: beats and misses")


def verdict(sample: Sample, curve: pd.DataFrame | None = None) -> Fragment:
    """What was found, how far it can be trusted, and what the choice of the sample forbids."""
    texts = [_finding(sample)]
    if not _too_small(sample):
        texts.append(" ".join(filter(None, [_strength(sample, curve), _one_firm(sample), _fading(sample)])))
    return (
        paragraph(texts[0], "verdict")
        + Fragment("".join(paragraph(text).markup for text in texts[1:]), "\n".join(texts[1:]))
        + paragraph(choice_sentence(sample.source_name), "warn")
    )


def _too_small(sample: Sample) -> bool:
    counts = sample.counts
    return min(counts["beat"], counts["miss"]) < MIN_EVENTS or not np.isfinite(sample.headline.p_value)


def _finding(sample: Sample) -> str:
    counts, found = sample.counts, sample.headline
    first, last = sample.window
    told = (
        f"{words.count(counts['beat'], 'beat')}, {counts['in line']:,} in line and "
        f"{words.count(counts['miss'], 'miss', 'misses')}"
    )
    if _too_small(sample):
        return (
            f"{told}: with fewer than {MIN_EVENTS} beats or misses this design cannot say whether "
            f"the two were received differently."
        )
    frame = sample.frame
    means = frame.groupby("class")["car"].mean()
    return (
        f"{told}. Over days {first} to {last} the shares moved {words.percent(means['beat'])} abnormally after "
        f"beats and {words.percent(means['miss'])} after misses. The difference, {words.percent(found.estimate)}, is "
        f"{words.distinguishable(found.estimate, found.se, found.p_value, 'zero')}; "
        f"95% interval {words.interval(found.low, found.high)}."
    )


def _strength(sample: Sample, curve: pd.DataFrame | None) -> str:
    """One word for the evidence, by stated rules."""
    found = sample.headline
    if found.p_value >= 0.05:
        return ""
    sign = np.sign(found.estimate)
    firms_agree = bool((np.sign(sample.without_each["estimate"]) == sign).all())
    all_firms_sure = bool((sample.without_each["p_value"] < 0.05).all())
    periods_agree = bool((np.sign(sample.periods["estimate"]) == sign).all())
    known = pd.DataFrame() if curve is None else curve.dropna(subset=["p_value"])
    share = float(((np.sign(known["estimate"]) == sign) & (known["p_value"] < 0.05)).mean()) if len(known) else np.nan
    strong = found.p_value < 0.01 and all_firms_sure and periods_agree and not share < 0.9
    reasons = [
        "without any one company it stays distinguishable from zero"
        if all_firms_sure
        else (
            "its sign survives leaving out any one company" if firms_agree else "its sign depends on a single company"
        ),
        "it has the same sign in all three periods" if periods_agree else "its sign differs between periods",
    ]
    if np.isfinite(share):
        reasons.append(f"{words.percent(share, 0, signed=False)} of {len(known)} specifications agree")
    return f"On this sample the evidence is {'consistent' if strong else 'suggestive'}: {words.listing(reasons)}."


def _one_firm(sample: Sample) -> str:
    """Whether one firm carries the number, and which one moves it most."""
    found, table = sample.headline, sample.without_each.dropna(subset=["estimate"])
    if len(table) < 2:
        return "All announcements are of one company."
    lost = table[table["p_value"] >= 0.05]
    if found.p_value < 0.05 and len(lost):
        carriers = words.listing([str(name) for name in lost.index[:3]])
        return f"It is carried by {carriers}: without it the interval includes zero."
    name = str(table["change"].abs().idxmax())
    return f"{name} moves it most: without it the difference is {words.percent(float(table['estimate'][name]))}."


def _fading(sample: Sample) -> str:
    """Weaker or stronger since a given year, with how sure that is."""
    change, periods = sample.trend, sample.periods
    if not np.isfinite(change.p_value):
        return ""
    since = periods["first"].iloc[-1]
    late = float(periods["estimate"].iloc[-1])
    if change.p_value < 0.05:
        direction = "weaker" if abs(late) < abs(late - change.estimate) else "stronger"
        return (
            f"It is {direction} since {since:%Y}: {words.percent(late)}, a change of {words.percent(change.estimate)} "
            f"(95% interval {words.interval(change.low, change.high)})."
        )
    sure = words.distinguishable(change.estimate, change.se, change.p_value, "none")
    return (
        f"In the last third, since {since:%Y}, it is {words.percent(late)}; the change of "
        f"{words.percent(change.estimate)} from before is {sure}."
    )


def cards(sample: Sample) -> Fragment:
    """The figures that matter."""
    found, counts = sample.headline, sample.counts
    frame = sample.frame
    without = sample.without_each["estimate"].dropna()
    means = {name: frame.loc[frame["class"] == name, "car"].mean() for name in ("beat", "miss")}
    window = f"[{sample.window[0]}, {sample.window[1]}]"
    return card_row(
        [
            ("Announcements used", f"{len(sample.results):,}", f"of {len(sample.results.ledger):,}"),
            (f"After beats, {window}", words.percent(means["beat"]), words.count(counts["beat"], "beat")),
            (f"After misses, {window}", words.percent(means["miss"]), words.count(counts["miss"], "miss", "misses")),
            (
                "Beats minus misses",
                words.percent(found.estimate),
                f"95% interval {words.interval(found.low, found.high, 1)}",
            ),
            (
                "Without any one company",
                f"{words.percent(without.min(), 1)} to {words.percent(without.max(), 1)}" if len(without) else "–",
                words.count(frame["ticker"].nunique(), "company", "companies"),
            ),
        ]
    )
