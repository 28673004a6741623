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
from research.analysis.bootstrap import wild_cluster_bootstrap
from research.analysis.clusters import effective_clusters
from research.analysis.comparison import Comparison, compare
from research.analysis.effects import effect
from research.analysis.ranks import rank_surprises
from research.analysis.regressions import regress
from research.analysis.response import ArctanResponse, arctan_response
from research.errors import ResearchError
from research.reporting import words
from research.reporting._cross_section_sample import CLASSES, Sample, column
from research.reporting._cross_section_words import cards, title, verdict
from research.reporting.samples import choice, choice_sentence, ledger, provenance, selected
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

__all__ = [
    "Sample",
    "cards",
    "choice",
    "choice_sentence",
    "class_table",
    "curve_sentence",
    "definitions",
    "dipped_sentence",
    "dipped_table",
    "family_table",
    "firm_table",
    "ledger",
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

#: Beats and misses that a company needs for a p-value of its own.
MIN_EACH = 5

#: Beats that dipped listed at the most; the others are in the notebook's data.
LISTED = 25


def class_table(sample: Sample) -> Fragment:
    """Mean reaction by class over the declared windows, with intervals."""
    frame = sample.frame
    rows = []
    for window in sample.family_windows:
        car = pd.Series(sample.results.car(*window)["car"].to_numpy(), index=frame.index)
        for name in CLASSES:
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
    return table(
        pd.DataFrame(rows),
        columns,
        caption="Mean cumulative abnormal return by class of EPS surprise; errors clustered by day zero. "
        "Detectable: the smallest mean that this many events would show four times in five. Marked: primary window.",
        mark=lambda row: row["window"] == primary,
    )


def _whole(name: str) -> str:
    """A name that is not broken over two lines."""
    return name.replace(" ", "\N{NO-BREAK SPACE}")


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
        "and adjusted for there being so many.",
    )


def tests_table(sample: Sample) -> Fragment:
    """The default tests of the primary window, one line a test and a pair of columns a class."""
    if not sample.results.events["surprise_class"].isin(CLASSES).any():
        return paragraph("No class of surprise has an announcement to test.", "note")
    tests = sample.results.test([sample.window], by="surprise_class", seed=sample.seed, draws=sample.draws)
    tests = tests[tests["group"].isin(CLASSES)]
    present = [name for name in CLASSES if (tests["group"] == name).any()]
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
    first = tests[tests["group"] == present[0]]
    remarks = [f"{row.test}: {row.definition}" + (f" ({row.note})" if row.note else "") for row in first.itertuples()]
    return found + details(f"How each test is defined (notes for {present[0]})", bullets(remarks))


def _days(window: tuple[int, int]) -> str:
    """A window with typographic minus signs."""
    return f"[{words.number(window[0], 0)}, {words.number(window[1], 0)}]"


# -- regressions ------------------------------------------------------------------------------


def regressions(sample: Sample) -> tuple[dict[str, Any], list[str]]:
    """The regressions of the report, and why some of them could not be run.

    Returns
    -------
    fits : dict of heading to statsmodels results
    notes : list of str
    """
    extra, ranks_note = _rank_covariates(sample)
    specifications: list[tuple[str, str, dict[str, Any]]] = [
        ("rank", "car ~ surprise_rank", {"cluster": "day_zero"}),
        ("rank, firm effects", "car ~ surprise_rank", {"cluster": "day_zero", "fixed_effects": "ticker"}),
        ("with controls", "car ~ surprise_rank + run_up + C(timing)", {"cluster": ["ticker", "day_zero"]}),
        ("own history", "car ~ sue_winsorised", {"cluster": "day_zero", "fixed_effects": "ticker"}),
    ]
    fits: dict[str, Any] = {}
    notes = [ranks_note] if ranks_note else []
    for name, formula, choices in specifications:
        try:
            fits[name] = regress(sample.results, formula, sample.window, data=extra, **choices)
        except ResearchError as error:
            notes.append(f"Not estimated: {name}. {error.problem[0].upper()}{error.problem[1:]}.")
    return fits, notes


def _rank_covariates(sample: Sample) -> tuple[pd.DataFrame, str]:
    """Rank of the surprise, run-up and winsorised SUE."""
    frame = sample.frame
    extra = pd.DataFrame(index=frame.index)
    note = ""
    try:
        ranks = rank_surprises(frame["eps_surprise"], frame["day_zero"])
        extra["surprise_rank"] = ranks.rank
        note = f"surprise_rank: {ranks.label}, from −0.5 to +0.5, so its coefficient is best minus worst group."
    except ResearchError as error:
        extra["surprise_rank"] = np.nan
        note = f"No ranks: {error.problem}."
    first = sample.results.settings.window[0]
    extra["run_up"] = sample.results.car(first, -1)["car"].to_numpy() if first < 0 else np.nan
    sue = pd.Series(column(sample.results.events, "sue", np.nan), index=frame.index, dtype=float)
    bounds = sue.quantile([0.01, 0.99]).to_numpy()
    extra["sue_winsorised"] = sue.clip(*bounds) if np.isfinite(bounds).all() else sue
    return extra, note


def response_curve(sample: Sample) -> ArctanResponse | None:
    """The fitted response curve; None where the events cannot identify one."""
    try:
        return arctan_response(sample.results, "eps_surprise", sample.window)
    except ResearchError:
        return None


def regression_table(fits: Mapping[str, Any]) -> Comparison | Fragment:
    """The regressions side by side."""
    if not fits:
        return paragraph("No regression could be estimated on these announcements.", "note")
    return compare(fits, hide=["ticker="])


def regression_notes(sample: Sample, fits: Mapping[str, Any], notes: list[str]) -> Fragment:
    """What the coefficients are, and the bootstrap beside every clustered p-value."""
    rows = []
    for name, fit in fits.items():
        term = next(name for name in ("surprise_rank", "sue_winsorised") if name in fit.params.index)
        boot = wild_cluster_bootstrap(fit, term, cluster="day_zero", draws=sample.draws, seed=sample.seed)
        rows.append(
            {
                "name": name,
                "term": boot.term,
                "estimate": boot.estimate,
                "low": boot.low,
                "high": boot.high,
                "p": float(fit.pvalues[boot.term]),
                "boot": boot.p_value,
                "clusters": boot.n_clusters,
                "effective": effective_clusters(fit, "day_zero", boot.term),
            }
        )
    texts = [
        f"Response: CAR {_days(sample.window)} in decimals, so a coefficient of 0.0100 is one per cent.",
        *notes,
        "run_up: abnormal return from the window's first day to day −1. sue_winsorised: standardized unexpected "
        "earnings (seasonal random walk with drift), cut at its 1st and 99th percentile.",
    ]
    if not rows:
        return bullets(texts)
    columns: dict[str, Column | str] = {
        "name": "regression",
        "term": "coefficient",
        "estimate": percent_column("estimate"),
        "low": percent_column("95% from"),
        "high": percent_column("to"),
        "p": Column("p, clustered", words.p_value),
        "boot": Column("p, bootstrap", words.p_value),
        "clusters": Column("days", lambda n: f"{n:,}"),
        "effective": number_column("effective", 0),
    }
    shown = table(
        pd.DataFrame(rows),
        columns,
        caption="The surprise's coefficient in each regression with the restricted wild-cluster bootstrap by day zero "
        "(interval and p), the one to read where firms are few. Effective: equal clusters that would tell as much.",
    )
    return shown + bullets(texts)


# -- firms, periods, beats that dipped ------------------------------------------------------------


def firm_table(sample: Sample) -> Fragment:
    """One line a company: its beats and misses, and the headline without it."""
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
    return table(
        pd.DataFrame(rows),
        columns,
        caption=f"Company by company, CAR {_days(sample.window)}. All others: beats minus misses without this company. "
        f"No p with fewer than {MIN_EACH} beats or misses: so few say nothing about their spread.",
    )


def subperiod_table(sample: Sample) -> Fragment:
    """The headline in three consecutive periods."""
    shown = sample.periods
    columns: dict[str, Column | str] = {
        "first": "from",
        "last": "to",
        "n_events": Column("events", lambda n: f"{n:,}"),
        "estimate": percent_column("beats minus misses"),
        "low": percent_column("95% from"),
        "high": percent_column("to"),
        "p_value": Column("p", words.p_value),
        "mde": size_column("detectable"),
    }
    caption = "Beats minus misses in three periods with equal numbers of events."
    return table(shown, columns, caption=caption)


def dipped_sentence(beats: BeatButDip) -> Fragment:
    """How often a beat fell, beside how often any announcement did."""
    texts = []
    for form, what in (("raw", "fell on day zero"), ("scaled", "fell by more than their typical earnings-day move")):
        row = beats.table.loc[form]
        if not row["n_beats"] > 0:
            continue
        p = row["p_value"]
        sure = words.distinguishable(row["difference"], row["se"], p, "no difference")
        texts.append(
            f"{int(row['n_both']):,} of {int(row['n_beats']):,} beats {what}: "
            f"{words.percent(row['falls_of_beats'], 1, signed=False)}, where "
            f"{words.percent(row['base_rate'], 1, signed=False)} would be expected if surprise and reaction were "
            f"independent. The difference of {words.percent(row['difference'], 1)} is {sure}."
        )
    return bullets(texts) if texts else paragraph("No announcement was a beat.", "note")


def dipped_table(sample: Sample, beats: BeatButDip) -> Fragment:
    """Beats that fell by more than their typical move, latest first, with links to their own reports."""
    from research.reporting.notebooks import announcement_slug

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
    which = f"the latest {LISTED} of {total}" if total > len(listed) else f"all {total}"
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


def curve_sentence(curve: pd.DataFrame) -> Fragment:
    """What the specification curve says."""
    known = curve.dropna(subset=["p_value"])
    if not len(known):
        return paragraph("No specification could be estimated.", "note")
    positive = int((known["estimate"] > 0).sum())
    sure = int((known["p_value"] < 0.05).sum())
    dated = known[known["day_zero_rule"] == "date"]["estimate"].median()
    exact = known[known["day_zero_rule"] == "instant"]["estimate"].median()
    text = (
        f"{positive} of {len(known)} specifications have a positive sign and {sure} are distinguishable from zero. "
        f"Median {words.percent(exact)} with day zero from the instant, {words.percent(dated)} with the bare date."
    )
    return paragraph(text)


def placebo_sentence(found: Mapping[str, Any]) -> Fragment:
    """The whole pipeline on dates without news."""
    draws = found["draws"]
    if not len(draws):
        return paragraph("No placebo was drawn.", "note")
    rejecting = float((draws["t"].abs() > 1.96).mean())
    span = f"{words.percent(draws['estimate'].min())} and {words.percent(draws['estimate'].max())}"
    text = (
        f"On {len(draws)} sets of random dates without news, clustered as the real ones, the whole pipeline gave "
        f"beats minus misses between {span}; "
        f"{words.percent(rejecting, 0, signed=False)} of them were beyond 1.96 standard errors (5% expected). "
        f"Against these, the p-value of the real dates is {words.p_value(found['p_value'])} "
        f"(it cannot be smaller than {1 / (len(draws) + 1):.3f} with so many draws)."
    )
    return paragraph(text)


def definitions(sample: Sample) -> Fragment:
    """The terms of the report."""
    return facts(
        {
            "beat, in line, miss": "EPS at least 1% above the estimate, within 1%, at least 1% below",
            "CAR": "sum of abnormal returns over a window; an event leaves a window in which a day is missing",
            "beats minus misses": f"difference of mean CAR [{sample.window[0]}, {sample.window[1]}]",
            "clustered by day zero": "announcements of one day count as one observation (CR1, Student with G - 1)",
            "p, bootstrap": f"restricted wild-cluster bootstrap, Rademacher signs, {sample.draws:,} draws",
            "Holm, Romano-Wolf": "chance of any false rejection in the family held below the level",
            "Benjamini-Hochberg": "expected share of false rejections held below the level",
            "detectable": f"{words.MDE_FACTOR} standard errors: found four times in five by a 5% test",
            "z, own days": "day-zero AR over the root mean square of the company's earlier earnings days",
            "effective": "Carter, Schnepel and Steigerwald (2017), errors of a cluster perfectly correlated",
        }
    )


def payload(
    sample: Sample, fits: Mapping[str, Any], curve: pd.DataFrame, beats: BeatButDip, placebo: Mapping[str, Any]
) -> dict[str, Any]:
    """The numbers of the report, machine-readable."""
    results = sample.results
    periods = sample.periods.assign(
        first=sample.periods["first"].dt.strftime("%Y-%m-%d"), last=sample.periods["last"].dt.strftime("%Y-%m-%d")
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
        "beats_minus_misses": vars(sample.headline),
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
        "beat_but_dip": beats.table.to_dict("index"),
        "placebo": {"p_value": placebo["p_value"], "draws": len(placebo["draws"])},
        "how_chosen": choice_sentence(sample.source_name),
    }
