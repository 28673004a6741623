"""The regressions of the report on many announcements, with the bootstrap beside every clustered p-value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from research.analysis.bootstrap import wild_cluster_bootstrap
from research.analysis.clusters import effective_clusters
from research.analysis.comparison import Comparison, compare
from research.analysis.ranks import rank_surprises
from research.analysis.regressions import regress
from research.analysis.response import ArctanResponse, arctan_response
from research.errors import ResearchError
from research.reporting import words
from research.reporting._cross_section_sample import Sample, column
from research.reporting.tables import Column, Fragment, bullets, number_column, paragraph, percent_column, table


def regressions(sample: Sample) -> tuple[dict[str, Any], list[str]]:
    """The regressions of the report, and why some of them could not be run.

    Returns
    -------
    fits : dict of heading to statsmodels results
    notes : list of str
    """
    extra, ranks_note = _rank_covariates(sample)
    controls = " + run_up" if "run_up" in extra else ""
    several = len(set(sample.frame["ticker"])) > 1
    specifications: list[tuple[str, str, dict[str, Any]]] = [
        ("rank", "car ~ surprise_rank", {}),
        ("rank, firm effects", "car ~ surprise_rank", {"fixed_effects": "ticker"}),
        ("with controls", f"car ~ surprise_rank{controls} + C(timing)", {}),
        ("own history", "car ~ sue_winsorised", {"fixed_effects": "ticker"} if several else {}),
    ]
    fits: dict[str, Any] = {}
    notes = [ranks_note]
    if "surprise_rank" not in extra:
        specifications = specifications[3:]
    for name, formula, choices in specifications:
        if name == "rank, firm effects" and not several:
            notes.append("Not estimated: firm effects, since all announcements are of one company.")
            continue
        try:
            fits[name] = regress(sample.results, formula, sample.window, data=extra, **choices)
        except ResearchError as error:
            notes.append(f"Not estimated: {name}. {error.problem[0].upper()}{error.problem[1:]}.")
    return fits, notes


def run_up(sample: Sample) -> tuple[int, int] | None:
    """Days before both day zero and the response's window; None where the study has none."""
    first, last = sample.results.settings.window[0], min(-1, sample.window[0] - 1)
    return (first, last) if first <= last else None


def _rank_covariates(sample: Sample) -> tuple[pd.DataFrame, str]:
    """Rank of the surprise, run-up and winsorised SUE."""
    frame = sample.frame
    extra = pd.DataFrame(index=frame.index)
    try:
        ranks = rank_surprises(frame["eps_surprise"], frame["day_zero"])
        extra["surprise_rank"] = ranks.rank
        note = f"surprise_rank: {ranks.label}, from −0.5 to +0.5, so its coefficient is best minus worst group."
    except ResearchError as error:
        note = f"No regression on ranks: {error.problem}."
    span = run_up(sample)
    if span is not None:
        extra["run_up"] = sample.results.car(*span)["car"].to_numpy()
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
        by = "day_zero" if len(set(fit.sample["day_zero"])) > 1 else "ticker"
        boot = wild_cluster_bootstrap(fit, term, cluster=by, draws=sample.draws, seed=sample.seed)
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
                "effective": effective_clusters(fit, by, boot.term),
            }
        )
    if not rows:
        return bullets(notes)
    terms = {str(term) for fit in fits.values() for term in fit.params.index}
    span = run_up(sample)
    texts = [
        f"Response: CAR [{words.number(sample.window[0], 0)}, {words.number(sample.window[1], 0)}] in decimals, so a "
        "coefficient of 0.0100 is one per cent.",
        *notes,
    ]
    if span is not None and "run_up" in terms:
        days = " to ".join(f"day {words.number(day, 0)}" for day in dict.fromkeys(span))
        texts.append(f"run_up: abnormal return of {days}.")
    if "sue_winsorised" in terms:
        texts.append(
            "sue_winsorised: standardized unexpected earnings (seasonal random walk with drift), cut at its 1st and "
            "99th percentile."
        )
    shifts = [term.split("[T.")[1].rstrip("]") for term in sorted(terms) if term.startswith("C(timing)[T.")]
    if shifts:
        kinds = words.listing([f"{name} ({words.TIMINGS[name]})" for name in shifts])
        texts.append(f"C(timing): what {kinds} adds to the other announcements' reaction.")
    texts.append("Errors are clustered by company and day zero where there are at least 30 of both, else by day zero.")
    columns: dict[str, Column | str] = {
        "name": "regression",
        "term": "coefficient",
        "estimate": percent_column("estimate"),
        "low": percent_column("95% from"),
        "high": percent_column("to"),
        "p": Column("p", words.p_value),
        "boot": Column("p, bootstrap", words.p_value),
        "clusters": Column("clusters", lambda n: f"{n:,}"),
        "effective": number_column("effective", 0),
    }
    shown = table(
        pd.DataFrame(rows),
        columns,
        caption="The surprise's coefficient in each regression with the restricted wild-cluster bootstrap by day zero "
        "(interval and p), the one to read where firms are few. Effective: equal clusters that would tell as much.",
    )
    return shown + bullets(texts)
