"""The sections of the report on methods: which test to trust when, and what the hour is worth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from research.analysis._designs import BETAS, MARKET_SD, SIGMAS
from research.analysis.dating import ARMS, WrongDay
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
from research.reporting.samples import choice_sentence, market_of
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
    "market_of",
    "payload",
    "power_table",
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
    "event variance x14, L1": "violent days\n(variance ×14)",
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


def _share(value: float, digits: int = 2) -> str:
    """A decimal fraction without a sign, in per cent."""
    return words.percent(value, digits, signed=False)


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
        f"{_share(moved, 0)} of the announcements are put one session early, and "
        f"{_share(missed, 0)} of the squared reaction falls on the wrong day."
    )
    caveat = (
        f"With {validation.n_replications:,} replications a design a true size of 5% shows as anything from "
        f"{_share(band(validation.n_replications)[0], 1)} to "
        f"{_share(band(validation.n_replications)[1], 1)}; the command earnings-study validate --full runs "
        f"{FULL:,}. Simulated returns are tamer than real ones, and a correct size says nothing about bias in the data."
    )
    return paragraph(text, "verdict") + paragraph(caveat, "note")


def figures(validation: Validation, wrong: WrongDay) -> Fragment:
    """The figures that matter."""
    rates = validation.rates([*PANELS, *SEASONS], ["patell_z", "bmp_t", HEADLINE])
    season = rates.loc[list(SEASONS)]
    return cards(
        [
            (
                "Patell on violent days",
                _share(rates.loc["event variance x14, L1", "patell_z"], 0),
                "rejections of a true null, variance ×14",
            ),
            (
                "BMP, one common date",
                _share(rates.loc["clustered rho=.05 L1", "bmp_t"], 0),
                "rejections of a true null, correlation .05",
            ),
            (
                "Headline test, seasons",
                f"{words.number(100 * season[HEADLINE].min(), 1)} to {_share(season[HEADLINE].max(), 1)}",
                f"size of {HEADLINE} over {len(season)} designs",
            ),
            (
                "Reaction on the wrong day",
                _share(wrong.squared_on_wrong_day, 0),
                "of squared reactions, dated without the hour",
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
        named = [f"{test} ({_share(rate, 0)})" for test, rate in broken.items()]
        shy = [str(test) for test in row.index[row < low]]
        text = f"{label.replace(chr(10), ' ')}: "
        text += f"{words.listing(named)} above the band" if named else "no test above the band"
        if shy:
            text += f"; {words.listing(shy)} below it"
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
        f"Without a correction BMP rejects up to {_share(worst['bmp_t'], 0)}; with correlations paired by event time, "
        f"as common packages compute it, still up to {_share(worst['adjusted_bmp_t_event'], 0)}, because it compares "
        f"different days; with the plain calendar-day mean as little as "
        f"{_share(rates['adjusted_bmp_t_calendar'].min(), 1)}, because it corrects pairs whose windows never meet. "
        f"Weighted by the overlap of the windows it stays between {_share(rates[HEADLINE].min(), 1)} and "
        f"{_share(worst[HEADLINE], 1)}, inside the band in {inside} of {len(SEASONS)} designs. It knows only the "
        "correlation of the estimation window: what the event day adds, shared industry news for one, is not in it."
    )


#: Headings of the designs that are in neither table.
FURTHER = {
    "missing days 5%, L3": "5% of days missing, [−1, +1]",
    "real residuals, scattered, L1": "real, scattered, day 0",
    "real residuals, season of 10 days, L3": "real, 10 days, [−1, +1]",
    "real residuals, two dates, L1": "real, two dates, day 0",
}


def further_table(validation: Validation) -> Fragment:
    """Sizes under missing days and on real residuals."""
    tests = [*TESTS, "date_clustered_t"]
    frame = validation.rates(FURTHER, tests).T.reset_index()
    columns: dict[str, Column | str] = {"test": "test"}
    columns |= {name: size_column(label, 1) for name, label in FURTHER.items()}
    caption = "Rejections of a true null; real residuals are the sample's, in calendar blocks common to all firms"
    note = (
        "The wild bootstrap enumerates all sign patterns where dates are few: with 2 dates its p-values are multiples "
        "of 50%, with 5 of 6.25%, so it cannot reject at 5%. Hall's skewness-adjusted t is liberal: over 3,000 "
        "replications it rejects 6.4% of true nulls under t(4) and 7.0% to 8.6% on real residuals; a rejection by "
        "hall_t alone is weak evidence."
    )
    return table(frame, columns, caption=caption, mark=lambda row: row["test"] == HEADLINE) + paragraph(note, "note")


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


def power_table(hours: pd.DataFrame) -> Fragment:
    """Power by effect, variance and dating."""
    wide = hours.pivot_table(index=["variance", "effect"], columns="arm", values="rate", sort=False).reset_index()
    wide["variance"] = [f"×{value:g}" for value in wide["variance"]]
    columns: dict[str, Column | str] = {"variance": "variance of day zero", "effect": size_column("effect", 1)}
    columns |= {arm: size_column(arm, 0) for arm in ARMS}
    return table(wide, columns, caption=f"Rejections by {HEADLINE}; an effect of 0 is its size")


def hours_sentence(hours: pd.DataFrame) -> Fragment:
    """What ignoring the hour costs in power, and what can still be done without it."""
    rate = hours.set_index(["variance", "arm", "effect"])["rate"]
    told = []
    for variance, effect, spread in (
        (1.0, 0.01, "on days of ordinary variance"),
        (14.0, 0.02, "on days of 14 times the variance"),
    ):
        exact, ignored, both = (
            _share(rate[variance, arm, effect], 0)
            for arm in ("hour known, day 0", "date taken for day 0", "hour unknown, days 0 and +1")
        )
        told.append(
            f"an effect of {_share(effect, 0)} {spread} is found in {exact} of the studies with the hour, in {ignored} "
            f"when the date is taken for day zero, and in {both} when the hour is left open and days 0 and +1 are "
            "tested together"
        )
    return paragraph(f"{told[0][0].upper()}{told[0][1:]}; {told[1]}.")


def sigma_table(sigma: pd.DataFrame) -> Fragment:
    """Quantiles of the ratio."""
    shares = [0.1, 0.25, 0.5, 0.75, 0.9, 1.0]
    frame = pd.DataFrame({"share": shares, "ratio": sigma["ratio"].quantile(shares).to_numpy()})
    frame["t"] = 2 / frame["ratio"]
    columns: dict[str, Column | str] = {
        "share": Column("announcements up to", lambda q: _share(q, 0)),
        "ratio": number_column("sigma left in / cut"),
        "t": number_column("what remains of t = 2"),
    }
    return table(frame, columns)


def sigma_sentence(sigma: pd.DataFrame, event: str = "") -> Fragment:
    """What leaving other announcements in does, and to one known event."""
    quarter = _share(sigma["ratio"].quantile(0.75) - 1, 0)
    median = _share(sigma["ratio"].median() - 1, 0)
    text = (
        f"Over {words.count(len(sigma), 'announcement')} the median sigma grows by {median}, one in four by "
        f"{quarter} or more: the test then asks in part whether the reaction was large against other earnings days."
    )
    if event in sigma.index:
        row = sigma.loc[event]
        text += f" For {event} sigma is {_share(row['cut'])} with the cut and {_share(row['kept'])} without."
    return paragraph(text)


def definitions(validation: Validation) -> Fragment:
    """How the numbers were made."""
    first = TABLE_A[0]
    must = int(validation.table["must_hold"].sum())
    return facts(
        {
            "replication": f"{first.n_events} events of as many firms; estimation window "
            f"[{words.number(first.estimation[0], 0)}, {words.number(first.estimation[1], 0)}], "
            "event window [−5, +5], market model; "
            "day zero follows from an instant before the open or after the close before, half of each",
            "returns": f"alpha + beta × market + residual; market N(0.03%, {_share(MARKET_SD, 0)}), "
            f"beta U({BETAS[0]}, {BETAS[1]}), residual standard deviation U({_share(SIGMAS[0], 1)}, "
            f"{_share(SIGMAS[1], 1)})",
            "distributions": "normal, Student t(4), centred chi-squared(3), all of variance one",
            "variance multiple": "on the days of the event window",
            "correlation .05": "one common factor a replication and calendar day",
            "real residuals": "market-model residuals of the sample's companies without their own earnings days, "
            "calendar blocks of 21 sessions",
            "size, power": "share of replications with p at most 5%, effect zero or not",
            "must hold": f"{must} cells declared beforehand; a cell holds inside the binomial band in which all of "
            f"them lie together with probability {_share(FAMILY, 0)} when every size is 5%",
            "published": f"an independent simulation of the same designs; agreement at "
            f"{_share(AGREEMENT, 1)}, two samples",
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
