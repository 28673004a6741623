"""The sections of the report on methods: which test to trust when, and what the hour is worth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from research.analysis._designs import BETAS, MARKET_SD, SIGMAS
from research.analysis.dating import WrongDay
from research.analysis.simulation import (
    AGREEMENT,
    FAMILY,
    FULL,
    TABLE_A,
    TABLE_B,
    Simulation,
    Validation,
    band,
)
from research.reporting import words
from research.reporting.samples import choice_sentence
from research.reporting.tables import (
    Column,
    Fragment,
    bullets,
    cards,
    details,
    facts,
    heading,
    number_column,
    paragraph,
    size_column,
    table,
)
from research.study.inference import HEADLINE

__all__ = [
    "PANELS",
    "POWERS",
    "POWER_TESTS",
    "SEASONS",
    "TESTS",
    "VARIANCES",
    "all_cells",
    "definitions",
    "figures",
    "further_table",
    "hours_sentence",
    "hours_table",
    "payload",
    "provenance",
    "season_sentence",
    "sigma_sentence",
    "sigma_table",
    "title",
    "trust_sentences",
    "verdict",
]

#: Designs of the picture of sizes, with what each stands for.
PANELS = {
    "null normal L1": "nothing special",
    "event variance x14, L1": "violent days\n(variance x14)",
    "null skewed chi2(3) L1": "skewed returns",
    "clustered rho=.05 L1": "one common date\n(correlation .05)",
}

#: Tests of that picture, from top to bottom.
TESTS = (
    "adjusted_bmp_t", "grank_t", "bmp_t", "cross_sectional_t", "wild_bootstrap", "hall_t", "generalized_sign_z",
    "wilcoxon", "sign_z", "corrado_rank_z", "crude_dependence_t", "portfolio_z", "patell_z",
)  # fmt: skip

#: Tests of the picture of power: those that keep their size where it is drawn.
POWER_TESTS = (
    "adjusted_bmp_t", "cross_sectional_t", "grank_t", "generalized_sign_z", "wilcoxon", "wild_bootstrap",
)  # fmt: skip

#: Effects of the picture of power, decimals.
POWERS = (0.0, 0.0025, 0.005, 0.01, 0.02)

#: Variance of the day zeros of the power curves by hour.
VARIANCES = {1.0: "quiet news: an ordinary day's variance", 14.0: "earnings: 14 times the variance"}


def _season_label(name: str) -> str:
    design = next(one for one in TABLE_B if one.name == name)
    dates = "one date" if design.spread == 1 else f"{design.spread} days"
    first, last = design.window
    return f"{dates}, window [{words.number(first, 0)}, {words.number(last, 0, signed=last > 0)}]"


#: Labels of the staggered designs.
SEASONS = {design.name: _season_label(design.name) for design in TABLE_B}


def title(validation: Validation) -> Fragment:
    """How much was simulated."""
    n = validation.n_replications * validation.table["design"].nunique()
    return heading(f"Which test to trust, and what the hour is worth: {n:,} simulated studies")


def verdict(validation: Validation, wrong: WrongDay) -> Fragment:
    """What was found, in three sentences and a caveat."""
    must, failed = int(validation.table["must_hold"].sum()), len(validation.failures)
    held = f"All {must}" if not failed else f"{must - failed} of {must}"
    compared = int(validation.table["reference"].notna().sum())
    agreed = compared - len(validation.disagreements)
    moved, missed = wrong.table.loc["all", "moved"], wrong.squared_on_wrong_day
    text = (
        f"{held} sizes that were declared beforehand to hold 5% {'do' if not failed else 'hold'}, and {agreed} of "
        f"{compared} rejection rates agree with an independent simulation. The hour is not a detail: without it "
        f"{words.percent(moved, 0, signed=False)} of the announcements are put one session early, and "
        f"{words.percent(missed, 0, signed=False)} of the squared reaction falls on the wrong day."
    )
    caveat = (
        f"With {validation.n_replications:,} replications a design a true size of 5% shows as anything from "
        f"{words.percent(band(validation.n_replications)[0], 1, signed=False)} to "
        f"{words.percent(band(validation.n_replications)[1], 1, signed=False)}; `earnings-study validate --full` runs "
        f"{FULL:,}. Simulated returns are tamer than real ones, and a correct size says nothing about bias in the data."
    )
    return paragraph(text, "verdict") + paragraph(caveat, "note")


def figures(validation: Validation, wrong: WrongDay, sigma: pd.DataFrame) -> Fragment:
    """The figures that matter."""
    rates = validation.rates([*PANELS, *SEASONS], ["patell_z", "bmp_t", HEADLINE])
    season = rates.loc[list(SEASONS)]
    return cards(
        [
            (
                "Patell on violent days",
                words.percent(rates.loc["event variance x14, L1", "patell_z"], 0, signed=False),
                "rejections of a true null, variance x14",
            ),
            (
                "BMP, one common date",
                words.percent(rates.loc["clustered rho=.05 L1", "bmp_t"], 0, signed=False),
                "rejections of a true null, correlation .05",
            ),
            (
                "Headline test, seasons",
                f"{words.number(100 * season[HEADLINE].min(), 1)} to {words.percent(season[HEADLINE].max(), 1, signed=False)}",
                f"size of {HEADLINE} over {len(season)} designs",
            ),
            (
                "Reaction on the wrong day",
                words.percent(wrong.squared_on_wrong_day, 0, signed=False),
                "of squared reactions, dated without the hour",
            ),
            (
                "Sigma, others left in",
                f"x{words.number(sigma['ratio'].median(), 2)}",
                f"median; up to x{words.number(sigma['ratio'].max(), 2)}",
            ),
        ]
    )


def trust_sentences(validation: Validation) -> Fragment:
    """What each situation does to which tests, read off the simulated sizes."""
    low, high = band(validation.n_replications)
    rates = validation.rates(PANELS, TESTS)
    items = []
    for design, label in PANELS.items():
        row = rates.loc[design].dropna()
        broken = row[row > high].sort_values(ascending=False)
        named = [f"{test} ({words.percent(rate, 0, signed=False)})" for test, rate in broken.items()]
        shy = [str(test) for test in row.index[row < low]]
        text = f"{label.replace(chr(10), ' ')}: "
        text += f"{words.listing(named)} reject too often" if named else "no test rejects too often"
        if shy:
            text += f"; {words.listing(shy)} too seldom"
        missing = [str(test) for test in TESTS if test not in row.index]
        if missing:
            text += f"; {words.listing(missing)} not defined"
        items.append(text + ".")
    everywhere = [test for test in TESTS if rates[test].notna().all() and rates[test].between(low, high).all()]
    told = words.listing(everywhere) if everywhere else "none of them"
    return bullets([text[0].upper() + text[1:] for text in items]) + paragraph(
        f"Inside the band in all {len(PANELS)} situations: {told}."
    )


def season_sentence(validation: Validation) -> Fragment:
    """Which correction keeps its size when announcements are staggered, and how the others fail."""
    low, high = band(validation.n_replications)
    rates = validation.rates(SEASONS, ["bmp_t", "adjusted_bmp_t_event", "adjusted_bmp_t_calendar", HEADLINE])
    worst = rates.max()
    inside = int(rates[HEADLINE].between(low, high).sum())
    return paragraph(
        f"Without a correction BMP rejects up to {words.percent(worst['bmp_t'], 0, signed=False)}; with the correlation "
        f"paired by event time, as common packages compute it, still up to "
        f"{words.percent(worst['adjusted_bmp_t_event'], 0, signed=False)}, because it compares different days; with the "
        f"plain calendar-day mean as little as "
        f"{words.percent(rates['adjusted_bmp_t_calendar'].min(), 1, signed=False)}, because it corrects pairs whose windows "
        f"never meet. Weighted by the overlap of the windows it stays between "
        f"{words.percent(rates[HEADLINE].min(), 1, signed=False)} and {words.percent(worst[HEADLINE], 1, signed=False)}, inside "
        f"the band in {inside} of {len(SEASONS)} designs. It knows only the correlation of the estimation window: what the "
        "event day adds, shared industry news for one, is not in it."
    )


def further_table(validation: Validation) -> Fragment:
    """Sizes under missing days and on real residuals."""
    names = [name for name in validation.table["design"].unique() if name.startswith(("real", "missing"))]
    tests = [HEADLINE, "grank_t", "bmp_t", "cross_sectional_t", "date_clustered_t", "wild_bootstrap", "patell_z"]
    frame = validation.rates(names, tests).reset_index()
    columns: dict[str, Column | str] = {"design": "design"}
    columns |= {test: size_column(test, 1) for test in tests}
    caption = "Rejections of a true null; real residuals are the sample's, in calendar blocks common to all firms"
    return table(frame, columns, caption=caption) + paragraph(
        "A dash is a test without a value. The wild bootstrap enumerates all sign patterns of few dates: with 2 dates "
        "its p-values are multiples of 50%, with 5 of 6.25%, so it cannot reject at 5%.",
        "note",
    )


def all_cells(validation: Validation) -> Fragment:
    """Every simulated cell, folded away."""
    frame = validation.table.copy()
    frame["verdict"] = [
        ("holds" if row.holds else "FAILS") if row.must_hold else "power" if row.power else ""
        for row in frame.itertuples()
    ]
    columns: dict[str, Column | str] = {
        "design": "design",
        "test": "test",
        "rate": size_column("rejections", 1),
        "low": size_column("95% from", 1),
        "high": size_column("to", 1),
        "reference": size_column("published", 1),
        "verdict": "must hold",
    }
    shown = table(frame, columns, mark=lambda row: row["verdict"] == "FAILS")
    return details(f"All {len(frame)} cells", shown)


def hours_table(wrong: WrongDay) -> Fragment:
    """Reactions on day zero and on the date's session, by timing."""
    frame = wrong.table.reset_index()
    names = {"amc": "after the close", "bmo": "before the open", "dmh": "during trading", "closed": "market closed"}
    frame["timing"] = frame["timing"].replace(names)
    columns: dict[str, Column | str] = {
        "timing": "announced",
        "n": Column("announcements", lambda n: f"{n:,}"),
        "moved": size_column("moved to the next session", 0),
        "exact": size_column("mean absolute abnormal return, day zero"),
        "by_date": size_column("session of the date"),
    }
    return table(frame, columns, mark=lambda row: row["timing"] == "all")


def hours_sentence(power: pd.DataFrame) -> Fragment:
    """What ignoring the hour costs in power, and what can still be done without it."""
    items = []
    for variance, label in VARIANCES.items():
        part = power[power["variance"] == variance]
        rate = part.set_index(["arm", "effect"])["rate"]
        for effect in (0.005, 0.01, 0.02):
            exact, ignored, both = (
                words.percent(rate[arm, effect], 0, signed=False)
                for arm in ("hour known, day 0", "date taken for day 0", "hour unknown, days 0 and +1")
            )
            items.append(
                f"{label}, effect {words.percent(effect, 1, signed=False)}: {exact} with the hour, {ignored} when the "
                f"date is taken for day zero, {both} when the hour is left open and both days are tested."
            )
    return bullets([item[0].upper() + item[1:] for item in items])


def sigma_table(sigma: pd.DataFrame) -> Fragment:
    """Quantiles of the ratio."""
    shares = [0.1, 0.25, 0.5, 0.75, 0.9, 1.0]
    frame = pd.DataFrame({"share": shares, "ratio": sigma["ratio"].quantile(shares).to_numpy()})
    frame["t"] = 2 / frame["ratio"]
    columns: dict[str, Column | str] = {
        "share": Column("announcements up to", lambda q: words.percent(q, 0, signed=False)),
        "ratio": number_column("sigma left in / cut"),
        "t": number_column("what remains of t = 2"),
    }
    return table(frame, columns)


def sigma_sentence(sigma: pd.DataFrame, event: str = "") -> Fragment:
    """What leaving other announcements in does, and to one known event."""
    quarter = words.percent(sigma["ratio"].quantile(0.75) - 1, 0, signed=False)
    median = words.percent(sigma["ratio"].median() - 1, 0, signed=False)
    text = (
        f"Over {words.count(len(sigma), 'announcement')} the median sigma grows by {median}, for one in four by {quarter} "
        "or more: a test on ordinary days then asks whether the reaction was large against other earnings days."
    )
    if event in sigma.index:
        row = sigma.loc[event]
        text += (
            f" For {event} sigma is {words.percent(row['cut'], signed=False)} with the cut and "
            f"{words.percent(row['kept'], signed=False)} without."
        )
    return paragraph(text)


def definitions(validation: Validation) -> Fragment:
    """How the numbers were made."""
    first = TABLE_A[0]
    must = int(validation.table["must_hold"].sum())
    return facts(
        {
            "replication": f"{first.n_events} events of as many firms; estimation window "
            f"[{first.estimation[0]}, {first.estimation[1]}], event window [−5, +5], market model; day zero follows "
            "from an instant before the open or after the close before, half of each",
            "returns": f"alpha + beta x market + residual; market N(0.03%, {words.percent(MARKET_SD, 0, signed=False)}), "
            f"beta U({BETAS[0]}, {BETAS[1]}), residual standard deviation U({words.percent(SIGMAS[0], 1, signed=False)}, "
            f"{words.percent(SIGMAS[1], 1, signed=False)})",
            "distributions": "normal, Student t(4), centred chi-squared(3), all of variance one",
            "variance multiple": "on the days of the event window",
            "correlation .05": "one common factor a replication and calendar day",
            "real residuals": "market-model residuals of the sample's companies without their own earnings days, calendar "
            "blocks of 21 sessions",
            "size, power": "share of replications with p at most 5%, effect zero or not",
            "must hold": f"{must} cells declared beforehand; a cell holds inside the binomial band in which all of them lie "
            f"together with probability {words.percent(FAMILY, 0, signed=False)} when every size is 5%",
            "published": f"an independent simulation of the same designs; agreement at "
            f"{words.percent(AGREEMENT, 1, signed=False)}, two samples",
            "wild bootstrap": "199 draws in each replication",
        }
    )


def provenance(validation: Validation, source: Any) -> Fragment:
    """Where the numbers come from."""
    prints = source.fingerprint()
    return facts(
        {
            "source": str(source.name),
            "content hash of the source": prints["sha256"],
            "replications a design": f"{validation.n_replications:,}",
            "seed": str(validation.seed),
        }
    ) + paragraph(choice_sentence(source.name), "note")


def payload(
    validation: Validation,
    powers: Sequence[Simulation],
    wrong: WrongDay,
    hours: pd.DataFrame,
    sigma: pd.DataFrame,
) -> dict[str, Any]:
    """The numbers of the report, machine-readable."""
    return {
        "validation": validation.as_dict(),
        "power": [{"effect": one.design.effect, **one.rates()["rate"].to_dict()} for one in powers],
        "wrong_day": {
            "by_timing": wrong.table.reset_index().to_dict("records"),
            "squared_on_wrong_day": wrong.squared_on_wrong_day,
            "by_relative_day": wrong.paths.reset_index().to_dict("records"),
        },
        "power_of_hours": hours.to_dict("records"),
        "sigma_ratio": {str(q): float(sigma["ratio"].quantile(q)) for q in (0.1, 0.25, 0.5, 0.75, 0.9, 1.0)},
    }
