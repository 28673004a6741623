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

#: Fewer events than this in a class, or fewer day zeros, and the design cannot answer (METHODS 8.9).
MIN_EVENTS, MIN_CLUSTERS = 10, 5

#: Windows past this day sum an estimated intercept over too many days (METHODS 3.11).
LONG = 10


def title(sample: Sample) -> Fragment:
    """Who, when, and what is compared."""
    frame = sample.frame
    firms = frame["ticker"].nunique()
    who = (
        words.listing(sorted(frame["ticker"].unique()))
        if 0 < firms <= 4
        else words.count(firms, "company", "companies")
    )
    if not len(frame):
        return heading("No announcement could be studied")
    first, last = frame["day_zero"].min().year, frame["day_zero"].max().year
    span = f"{first} to {last}" if first < last else str(first)
    what = "beats and misses" if sample.surprised else "the reaction"
    return heading(f"{words.count(len(frame), 'earnings announcement')} of {who}, {span}: {what}")


def verdict(sample: Sample, curve: pd.DataFrame | None = None) -> Fragment:
    """What was found, how far it can be trusted, and what the choice of the sample forbids."""
    texts = [_finding(sample)]
    if not too_small(sample):
        texts.append(" ".join(filter(None, [_strength(sample, curve), _one_firm(sample), _fading(sample)])))
    return (
        paragraph(texts[0], "verdict")
        + Fragment("".join(paragraph(text).markup for text in texts[1:]), "\n".join(texts[1:]))
        + _long_window(sample)
        + paragraph(choice_sentence(sample.source_name), "warn")
    )


def _long_window(sample: Sample) -> Fragment:
    """A warning where an estimated intercept is summed over a long window."""
    first, last = sample.window
    if last <= LONG or not sample.results.model.constant:
        return Fragment("", "")
    return paragraph(
        f"The window reaches past day +{LONG}, and the model's estimated intercept is carried over its "
        f"{last - first + 1} days, which can move a figure by several per cent: read it beside the market-adjusted "
        "rows of the specification curve, or set model=market-adjusted.",
        "warn",
    )


def too_small(sample: Sample) -> bool:
    """Whether the design cannot answer (METHODS 8.9)."""
    return bool(shortfall(sample))


def shortfall(sample: Sample) -> str:
    """Why the design cannot answer; empty where it can."""
    if sample.fewest < MIN_EVENTS:
        return f"with fewer than {MIN_EVENTS} {'beats or misses' if sample.surprised else 'announcements'}"
    if sample.headline.n_clusters < MIN_CLUSTERS:
        return f"with announcements on fewer than {MIN_CLUSTERS} days"
    return "" if np.isfinite(sample.headline.p_value) else f"since {sample.headline.note}"


def told(estimate: float, se: float, p: float, low: float, high: float, against: str = "zero") -> str:
    """Verdict on one estimate, verb included, with its interval and what could have been detected."""
    if pd.isna(p):
        return f"cannot be told from {against}: so few events give no standard error"
    return f"is {words.distinguishable(estimate, se, p, against)}; 95% interval {words.interval(low, high)}"


def _finding(sample: Sample) -> str:
    found, first, last = sample.headline, *sample.window
    from_day, to_day = words.number(first, 0), words.number(last, 0)
    days = f"over days {from_day} to {to_day}" if first < last else f"on day {from_day}"
    means = sample.frame.groupby("class")["car"].mean()
    if not sample.surprised:
        texts = ["No announcement has an estimate beside its figure, so beats and misses cannot be told apart."]
        if too_small(sample):
            few = shortfall(sample)
            return " ".join([*texts, f"{few[0].upper()}{few[1:]} this design cannot say how news was received."])
        mean = words.percent(found.estimate)
        result = told(found.estimate, found.se, found.p_value, found.low, found.high)
        return " ".join([*texts, f"{days.capitalize()} the shares moved {mean} abnormally on average, which {result}."])
    counts = sample.counts
    unknown = len(sample.frame) - sum(counts.values())
    kinds = [words.count(counts["beat"], "beat"), f"{counts['in line']:,} in line"]
    kinds.append(words.count(counts["miss"], "miss", "misses"))
    classes = words.listing([*kinds, f"{unknown:,} without an estimate"] if unknown else kinds)
    if too_small(sample):
        text = f"{classes}: {shortfall(sample)} this design cannot say whether the two were received differently."
        if np.isfinite(found.low):
            text += f" The 95% interval of the difference is {words.interval(found.low, found.high, 1)}."
        return text
    return (
        f"{classes}. {days.capitalize()} the shares moved {words.percent(means['beat'])} abnormally after "
        f"beats and {words.percent(means['miss'])} after misses. The difference, {words.percent(found.estimate)}, "
        f"{told(found.estimate, found.se, found.p_value, found.low, found.high)}."
    )


def _strength(sample: Sample, curve: pd.DataFrame | None) -> str:
    """One word for the evidence, by stated rules."""
    found = sample.headline
    if found.p_value >= 0.05:
        return ""
    sign = np.sign(found.estimate)
    others, periods = sample.without_each.dropna(subset=["estimate"]), sample.periods.dropna(subset=["estimate"])
    firms_agree = len(others) > 1 and bool((np.sign(others["estimate"]) == sign).all())
    all_firms_sure = len(others) > 1 and bool((others["p_value"] < 0.05).all())
    periods_agree = len(periods) > 1 and bool((np.sign(periods["estimate"]) == sign).all())
    known = pd.DataFrame() if curve is None else curve.dropna(subset=["p_value"])
    share = float(((np.sign(known["estimate"]) == sign) & (known["p_value"] < 0.05)).mean()) if len(known) else np.nan
    strong = found.p_value < 0.01 and all_firms_sure and periods_agree and not share < 0.9
    reasons = []
    if all_firms_sure:
        reasons.append("without any one company it stays distinguishable from zero")
    elif len(others) > 1:
        reasons.append(
            "its sign survives leaving out any one company" if firms_agree else "its sign depends on a single company"
        )
    if len(periods) > 1:
        many = {2: "both", 3: "all three"}.get(len(periods), f"all {len(periods)}")
        agreed = f"it has the same sign in {many} periods"
        reasons.append(agreed if periods_agree else "its sign differs between periods")
    if np.isfinite(share):
        reasons.append(f"{words.percent(share, 0, signed=False)} of {len(known)} specifications agree")
    word = "consistent" if strong else "suggestive"
    return f"On this sample the evidence is {word}" + (f": {words.listing(reasons)}." if reasons else ".")


def _one_firm(sample: Sample) -> str:
    """Whether one firm carries the number, and which one moves it most."""
    found, table = sample.headline, sample.without_each.dropna(subset=["estimate"])
    if len(table) < 2:
        only = len(set(sample.frame["ticker"])) == 1
        return "All announcements are of one company." if only else ""
    lost = table[table["p_value"] >= 0.05]
    if found.p_value < 0.05 and len(lost):
        carriers = [str(name) for name in lost.index[:3]]
        named = words.listing(carriers) if len(lost) <= 3 else f"{', '.join(carriers)} and {len(lost) - 3} others"
        without = "it" if len(lost) == 1 else "any one of them"
        return f"It is carried by {named}: without {without} the interval includes zero."
    name = str(table["change"].abs().idxmax())
    return f"{name} moves it most: without it the figure is {words.percent(float(table['estimate'][name]))}."


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
    result = told(change.estimate, change.se, change.p_value, change.low, change.high)
    return (
        f"In the last third of the announcements, since {since:%Y}, it is {words.percent(late)}; the change of "
        f"{words.percent(change.estimate)} from before {result}."
    )


def cards(sample: Sample) -> Fragment:
    """The figures that matter."""
    found, counts = sample.headline, sample.counts
    frame = sample.frame
    without = sample.without_each["estimate"].dropna()
    means = {name: frame.loc[frame["class"] == name, "car"].mean() for name in ("beat", "miss")}
    window = f"[{words.number(sample.window[0], 0)}, {words.number(sample.window[1], 0)}]"
    surely = (
        f"95% interval {words.interval(found.low, found.high, 1)}" if np.isfinite(found.low) else "no interval: too few"
    )
    figures = [("Announcements used", f"{len(sample.results):,}", f"of {len(sample.results.ledger):,}")]
    if sample.surprised:
        figures += [
            (f"After beats, {window}", words.percent(means["beat"]), words.count(counts["beat"], "beat")),
            (f"After misses, {window}", words.percent(means["miss"]), words.count(counts["miss"], "miss", "misses")),
            ("Beats minus misses", words.percent(found.estimate), surely),
        ]
    else:
        figures.append((f"Mean reaction, {window}", words.percent(found.estimate), surely))
    if len(without) > 1:
        figures.append(
            (
                "Without any one company",
                f"{words.percent(without.min(), 1)} to {words.percent(without.max(), 1)}",
                words.count(frame["ticker"].nunique(), "company", "companies"),
            )
        )
    return card_row(figures)
