"""The sections of the report on many announcements: tables and sentences made from the numbers.

The notebook runs the study, regressions and robustness checks with the public functions of the
package; a :class:`Sample` holds what its sections share.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from research.analysis.beats import BeatButDip
from research.analysis.effects import effect
from research.reporting import words
from research.reporting._cross_section_regressions import (
    regression_notes,
    regression_table,
    regressions,
    response_curve,
)
from research.reporting._cross_section_sample import ALL, CLASSES, MIN_EACH, Sample
from research.reporting._cross_section_words import cards, shortfall, title, told, verdict
from research.reporting.samples import choice, choice_sentence, factors_of, ledger, market_of, provenance, selected
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
from research.study.results import EventStudyResults

__all__ = [
    "CLASSES",
    "Sample",
    "cards",
    "choice",
    "choice_sentence",
    "class_table",
    "curve_sentence",
    "definitions",
    "dipped_sentence",
    "dipped_table",
    "estimation_windows",
    "factors_of",
    "family_table",
    "firm_table",
    "ledger",
    "market_of",
    "nothing",
    "payload",
    "placebo_sentence",
    "provenance",
    "regression_notes",
    "regression_table",
    "regressions",
    "response_curve",
    "selected",
    "subperiod_table",
    "tests_table",
    "title",
    "verdict",
]

#: Companies listed at once; more of them are folded away.
COMPANIES = 60

#: Beats that dipped listed at the most; the others are in the notebook's data.
LISTED = 25


def class_table(sample: Sample) -> Fragment:
    """Mean reaction by class over the declared windows, with intervals."""
    frame = sample.frame
    rows = []
    for window in sample.family_windows:
        car = pd.Series(sample.results.car(*window)["car"].to_numpy(), index=frame.index)
        for name in sample.classes:
            chosen = frame["class"] == name
            found = effect(car[chosen], frame["day_zero"][chosen])
            share = float((car[chosen].dropna() > 0).mean()) if found.n_events else np.nan
            rows.append({"class": _whole(name), "window": _days(window), "share": share, **vars(found)})
    columns: dict[str, Column | str] = {
        "window": "window",
        "class": "class",
        "n_events": Column("events", lambda n: f"{n:,}"),
        "estimate": percent_column("mean CAR"),
        "low": percent_column("95% from"),
        "high": percent_column("to"),
        "p_value": Column("p", words.p_value),
        "share": size_column("positive", 0),
        "mde": size_column("detectable"),
    }
    primary = _days(sample.window)
    unknown = int((~frame["class"].isin(sample.classes)).sum())
    without = f" Not shown: {words.count(unknown, 'announcement')} without an estimate." if unknown else ""
    return table(
        pd.DataFrame(rows),
        columns,
        caption="Mean cumulative abnormal return by class of EPS surprise; errors clustered by day zero. "
        "Detectable: the smallest mean that this many events would show four times in five. Marked: primary window."
        + without,
        mark=lambda row: row["window"] == primary,
    )


def nothing(what: str) -> Fragment:
    """A note in the place of a figure that these announcements cannot fill."""
    return paragraph(f"No figure: these announcements do not allow {what}.", "note")


def _whole(name: str) -> str:
    """A name that is not broken over two lines."""
    return name.replace(" ", "\N{NO-BREAK SPACE}")


def estimation_windows(results: EventStudyResults, window: tuple[int, int]) -> list[tuple[int, int]]:
    """Estimation windows of the specification curve: the study's own first, then its last 110 sessions.

    The curve looks one day further than the window on either side, so both end earlier where that day
    would lie in them.
    """
    first, last = results.settings.estimation
    late = max(0, last - (min(window[0], -1) - 2))
    own, shorter = (first - late, last - late), (last - late - 109, last - late)
    return [own, shorter] if shorter[0] > own[0] else [own]


def family_table(sample: Sample) -> Fragment:
    """The same family with adjusted p-values."""
    family = sample.family
    if not len(family):
        return paragraph("There are too few events for a family of tests.", "note")
    shown = family.assign(window=[_days(window) for window in family["window"]])
    shown["class"] = [_whole(name) for name in shown["class"]]
    columns: dict[str, Column | str] = {
        "class": "class",
        "window": "window",
        "t": number_column("t"),
        "p_value": Column("p alone", words.p_value),
        "holm": Column("Holm", words.p_value),
        "benjamini-hochberg": Column("Benjamini-Hochberg", words.p_value),
        "romano_wolf": Column("Romano-Wolf", words.p_value),
    }
    return table(
        shown,
        columns,
        caption=f"{len(shown)} tests that were declared together, p-values of a wild bootstrap by day zero "
        "and adjusted for there being so many. No p alone can be below "
        f"{_smallest(sample.smallest_p)}, none of Holm's below {_smallest(min(1.0, len(shown) * sample.smallest_p))}.",
    )


def _smallest(p: float) -> str:
    return f"{p:.2g}"


def tests_table(sample: Sample) -> Fragment:
    """The default tests of the primary window, one line a test and a pair of columns a class."""
    choices: dict[str, Any] = {"seed": sample.seed, "draws": sample.draws}
    if sample.surprised:
        tests = sample.results.test([sample.window], by="surprise_class", **choices)
        tests = tests[tests["group"].isin(CLASSES)]
    else:
        tests = sample.results.test([sample.window], **choices).assign(group=ALL)
    if not len(tests):
        return paragraph("No class of surprise has an announcement to test.", "note")
    present = [name for name in sample.classes if (tests["group"] == name).any()]
    shown = pd.DataFrame({"test": list(dict.fromkeys(tests["test"]))})
    columns: dict[str, Column | str] = {"test": "test"}
    for name in present:
        own = tests[tests["group"] == name].set_index("test")
        for field in ("statistic", "p_value"):
            shown[f"{name} {field}"] = own[field].reindex(shown["test"]).to_numpy()
        columns[f"{name} statistic"] = number_column(name)
        columns[f"{name} p_value"] = Column("p", words.p_value)
    found = table(
        shown,
        columns,
        caption=f"Tests of no reaction over {_days(sample.window)}: statistic and p by class. "
        "Marked: the headline test. Where they disagree, the weakest claim stands.",
        mark=lambda row: row["test"] == "adjusted_bmp_t",
    )
    found += paragraph(_agreement(tests, present))
    first = tests[tests["group"] == present[0]]
    remarks = [f"{row.test}: {row.definition}" + (f" ({row.note})" if row.note else "") for row in first.itertuples()]
    return found + details(f"How each test is defined (notes for {present[0]})", bullets(remarks))


def _agreement(tests: pd.DataFrame, present: list[str]) -> str:
    """For each class how many of its tests reject, and which do not where they disagree."""
    texts = []
    for name in present:
        p = tests[(tests["group"] == name)].dropna(subset=["p_value"]).set_index("test")["p_value"]
        sure, doubtful = p[p < 0.05], p[p >= 0.05]
        if len(p) < 2:
            texts.append(f"{name}: too few announcements to test")
        elif len(sure) and len(doubtful):
            fewer, verb = (doubtful, "do not") if len(doubtful) <= len(sure) else (sure, "alone do")
            named = words.listing([str(test) for test in fewer.index])
            verb = verb.replace("do", "does") if len(fewer) == 1 else verb
            texts.append(f"{name}: {len(sure)} of {len(p)} reject at 5%, {named} {verb}")
        else:
            texts.append(
                f"{name}: all {len(p)} reject at 5%" if len(sure) else f"{name}: none of {len(p)} rejects at 5%"
            )
    told = "; ".join(texts)
    return f"{told[0].upper()}{told[1:]}."


def _days(window: tuple[int, int]) -> str:
    """A window with typographic minus signs, not broken over two lines."""
    return _whole(f"[{words.number(window[0], 0)}, {words.number(window[1], 0)}]")


# -- firms, periods, beats that dipped ------------------------------------------------------------


def firm_table(sample: Sample) -> Fragment:
    """One line a company: its beats and misses, and the headline without it."""
    if not sample.surprised:
        return _firms_without_surprise(sample)
    rows = []
    without = sample.without_each
    for ticker, part in sample.frame.groupby("ticker", sort=True):
        own = {name: part.loc[part["class"] == name, "car"].dropna() for name in CLASSES}
        gap = effect(part["car"], part["day_zero"], part["gap"])
        rows.append(
            {
                "ticker": ticker,
                "events": len(part),
                "beats": len(own["beat"]),
                "misses": len(own["miss"]),
                "beat": own["beat"].mean() if len(own["beat"]) else np.nan,
                "miss": own["miss"].mean() if len(own["miss"]) else np.nan,
                "gap": gap.estimate,
                "p": gap.p_value if min(len(own["beat"]), len(own["miss"])) >= MIN_EACH else np.nan,
                "without": without["estimate"].get(ticker, np.nan),
            }
        )
    columns: dict[str, Column | str] = {
        "ticker": "company",
        "events": Column("events", str),
        "beats": Column("beats", str),
        "misses": Column("misses", str),
        "beat": percent_column("CAR after beats"),
        "miss": percent_column("after misses"),
        "gap": percent_column("difference"),
        "p": Column("p", words.p_value),
        "without": percent_column("all others"),
    }
    shown = table(
        pd.DataFrame(rows),
        columns,
        caption=f"Company by company, CAR {_days(sample.window)}. All others: beats minus misses without this company. "
        f"No p with fewer than {MIN_EACH} beats or misses: so few say nothing about their spread.",
    )
    return details(f"All {len(rows):,} companies", shown) if len(rows) > COMPANIES else shown


def _firms_without_surprise(sample: Sample) -> Fragment:
    """Mean reaction of each company."""
    rows = []
    for ticker, part in sample.frame.groupby("ticker", sort=True):
        rows.append({"ticker": ticker, **vars(effect(part["car"], part["day_zero"]))})
    columns: dict[str, Column | str] = {
        "ticker": "company",
        "n_events": Column("events", str),
        "estimate": percent_column("mean CAR"),
        "low": percent_column("95% from"),
        "high": percent_column("to"),
        "p_value": Column("p", words.p_value),
    }
    shown = table(pd.DataFrame(rows), columns, caption=f"Company by company, mean CAR {_days(sample.window)}.")
    return details(f"All {len(rows):,} companies", shown) if len(rows) > COMPANIES else shown


def subperiod_table(sample: Sample) -> Fragment:
    """The headline in three consecutive periods."""
    shown = sample.periods
    if not len(shown):
        return paragraph("There are no announcements to split into periods.", "note")
    columns: dict[str, Column | str] = {"first": "from", "last": "to", "n_events": Column("events", lambda n: f"{n:,}")}
    if sample.surprised:
        columns |= {name: Column(name, lambda n: f"{n:,}") for name in ("beats", "misses")}
    columns |= {
        "estimate": percent_column("difference" if sample.surprised else "mean CAR"),
        "low": percent_column("95% from"),
        "high": percent_column("to"),
        "p_value": Column("p", words.p_value),
        "mde": size_column("detectable"),
    }
    few = f"fewer than {MIN_EACH} beats or misses" if sample.surprised else f"fewer than {MIN_EACH} events"
    what = f"{sample.what[0].upper()}{sample.what[1:]}"
    caption = f"{what} in three periods with equal numbers of events. No interval with {few}."
    return table(shown, columns, caption=caption)


def dipped_sentence(beats: BeatButDip | None) -> Fragment:
    """How often a beat fell, beside how often any announcement did."""
    texts = []
    for form, what in (("raw", "fell on day zero"), ("scaled", "fell by more than their typical earnings-day move")):
        if beats is None or not beats.table.loc[form, "n_beats"] > 0:
            continue
        row = beats.table.loc[form]
        sure = told(row["difference"], row["se"], row["p_value"], row["low"], row["high"])
        texts.append(
            f"{int(row['n_both']):,} of {words.count(int(row['n_beats']), 'beat')} {what}: "
            f"{words.percent(row['falls_of_beats'], 1, signed=False)}, where "
            f"{words.percent(row['base_rate'], 1, signed=False)} would be expected if surprise and reaction were "
            f"independent. The difference of {words.percent(row['difference'], 1)} {sure}."
        )
    return bullets(texts) if texts else paragraph("No announcement was a beat.", "note")


def dipped_table(sample: Sample, beats: BeatButDip | None) -> Fragment:
    """Beats that fell by more than their typical move, latest first, with links to their own reports."""
    from research.reporting.notebooks import announcement_slug

    if beats is None or not (beats.table["n_beats"] > 0).any():
        return paragraph("So there is nothing to list.", "note")
    listed = beats.listed("scaled").head(LISTED)
    if not len(listed):
        return paragraph("No beat fell by more than the company's typical earnings-day move.", "note")
    shown = listed.assign(announced=sample.frame.loc[listed.index, "announced_on"])
    columns: dict[str, Column | str] = {
        "ticker": "company",
        "announced": "announced",
        "surprise": percent_column("EPS surprise", 1),
        "ar": percent_column("day-zero AR"),
        "z_own": number_column("z, own days"),
    }
    total = len(beats.listed("scaled"))
    which = f"the latest {LISTED} of {total}" if total > len(listed) else f"all {total}" if total > 1 else "one"
    found = table(
        shown,
        columns,
        caption=f"Beats that fell by more than one typical earnings-day move: {which}. A company's name leads to the "
        "report on that announcement where it was made into the same folder: earnings-study report TICKER DATE.",
    )
    markup = found.markup
    for ticker, day in zip(shown["ticker"], shown["announced"], strict=True):
        address = f"../{announcement_slug(str(ticker), f'{day:%Y-%m-%d}')}/report.html"
        plain = f"<tr><td>{ticker}</td><td>{day:%Y-%m-%d}</td>"
        linked = f'<tr><td><a href="{address}">{ticker}</a></td><td>{day:%Y-%m-%d}</td>'
        markup = markup.replace(plain, linked, 1)
    return Fragment(markup, found.text)


def curve_sentence(sample: Sample, curve: pd.DataFrame) -> Fragment:
    """What the specification curve says."""
    known = curve.dropna(subset=["p_value"])
    if not len(known):
        return paragraph("No specification gives an interval: there are too few announcements.", "note")
    positive = int((known["estimate"] > 0).sum())
    sure = int((known["p_value"] < 0.05).sum())
    medians = [
        f"{words.percent(known.loc[known['day_zero_rule'] == rule, 'estimate'].median())} {text}"
        for rule, text in (("instant", "with day zero from the instant"), ("date", "with the bare date"))
        if (known["day_zero_rule"] == rule).any()
    ]
    text = f"{positive} of {len(known)} specifications have a positive sign and {sure} are distinguishable from zero."
    text += f" Median {words.listing(medians)}." if medians else ""
    few = shortfall(sample)
    text += f" {few[0].upper()}{few[1:]} none of these intervals can be relied on." if few else ""
    return paragraph(text)


def placebo_sentence(sample: Sample, found: Mapping[str, Any]) -> Fragment:
    """The whole pipeline on dates without news."""
    draws = found["draws"].dropna(subset=["t"])
    if not len(draws):
        many = len(found["draws"])
        why = f"None of {many:,} sets of random dates gave a figure" if many else "No placebo was drawn"
        return paragraph(f"{why}, so there is nothing to compare with.", "note")
    rejecting = float((draws["p_value"] < 0.05).mean())
    span = f"{words.percent(draws['estimate'].min())} and {words.percent(draws['estimate'].max())}"
    text = (
        f"On {len(draws):,} sets of random dates without news, clustered as the real ones, the whole pipeline put "
        f"{sample.what} between {span}; its 5% test rejected on {words.percent(rejecting, 1, signed=False)} of them. "
    )
    p = found["p_value"]
    if not np.isfinite(p):
        return paragraph(text + "The real dates give no test statistic to set against them.")
    text += (
        f"Against these, the p-value of the real dates is {words.p_value(p)}; with so many draws it comes in steps of "
    )
    text += f"{_smallest(found['granularity'])} and cannot be smaller"
    if found["moved"] < 0.95:
        text += f". Only {words.percent(found['moved'], 0, signed=False)} of the announcements found a clean date"
    return paragraph(text + ".")


def definitions(sample: Sample) -> Fragment:
    """The terms of the report."""
    return facts(
        {
            "beat, in line, miss": "EPS at least 1% above the estimate, within 1%, at least 1% below",
            "CAR": "sum of abnormal returns over a window; an event leaves a window in which a day is missing",
            "beats minus misses": f"difference of mean CAR {_days(sample.window)}",
            "clustered by day zero": "announcements of one day count as one observation (CR1, Student with G - 1)",
            "p, bootstrap": f"restricted wild-cluster bootstrap, Rademacher signs, {sample.draws:,} draws",
            "Holm, Romano-Wolf": "chance of any false rejection in the family held below the level",
            "Benjamini-Hochberg": "expected share of false rejections held below the level",
            "detectable": f"{words.MDE_FACTOR} standard errors: found four times in five by a 5% test",
            "z, own days": "day-zero AR over the root mean square of the company's earlier earnings days",
            "random dates": "announcements of one day move together, more than five sessions from any known one",
            "effective": "Carter, Schnepel and Steigerwald (2017), errors of a cluster perfectly correlated",
        }
    )


def payload(
    sample: Sample, fits: Mapping[str, Any], curve: pd.DataFrame, beats: BeatButDip | None, placebo: Mapping[str, Any]
) -> dict[str, Any]:
    """The numbers of the report, machine-readable."""
    results = sample.results
    periods = sample.periods.assign(
        first=[f"{day:%Y-%m-%d}" for day in sample.periods["first"]],
        last=[f"{day:%Y-%m-%d}" for day in sample.periods["last"]],
    )
    return {
        "model": results.model.name,
        "market": results.market_name,
        "window": list(sample.window),
        "ledger": {
            "input": len(results.ledger),
            "used": len(results),
            "excluded": {str(reason): int(n) for reason, n in results.exclusions.items()},
        },
        "classes": sample.counts,
        "headline": sample.what,
        ("beats_minus_misses" if sample.surprised else "mean_reaction"): vars(sample.headline),
        "without_each": sample.without_each["estimate"].to_dict(),
        "periods": periods.to_dict("records"),
        "family": [{**row, "window": list(row["window"])} for row in sample.family.to_dict("records")],
        "regressions": {
            name: {
                "coefficients": {str(k): float(v) for k, v in fit.params.items() if not str(k).startswith("ticker=")},
                "se": {str(k): float(v) for k, v in fit.bse.items() if not str(k).startswith("ticker=")},
                "n_events": int(fit.nobs),
                "inference": fit.inference,
            }
            for name, fit in fits.items()
        },
        "specification_curve": [
            {**row, "window": list(row["window"]), "estimation": list(row["estimation"])}
            for row in curve.to_dict("records")
        ],
        "beat_but_dip": None if beats is None else beats.table.to_dict("index"),
        "placebo": {
            "p_value": placebo["p_value"],
            "granularity": placebo["granularity"],
            "draws": len(placebo["draws"]),
            "moved": placebo["moved"],
        },
        "how_chosen": choice_sentence(sample.source_name),
    }
