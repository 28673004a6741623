"""The two notebooks on many announcements: from the command line to the page, and the words on it."""

from __future__ import annotations

import json
import re

import numpy as np
import pandas as pd
import pytest

import research as es
from research.analysis.effects import Effect
from research.reporting import cross_section as report
from research.reporting import drift as drift_report
from research.reporting import plots_cross_section, plots_drift, samples
from research.reporting._cross_section_regressions import run_up
from research.reporting.notebooks import find_notebook, run_notebook
from tests.panels import ragged_panel

pytestmark = pytest.mark.filterwarnings("ignore::research.errors.ResearchWarning")


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Page and results of both notebooks on the sample, with few draws."""
    folder = tmp_path_factory.mktemp("reports")
    found = {}
    for name, parameters in {"cross_section": {"draws": "199", "placebo_draws": "3"}, "drift": {}}.items():
        path = run_notebook(name, parameters, folder)
        found[name] = (path.read_text(encoding="utf-8"), json.loads(path.with_name("results.json").read_text()))
        assert not path.with_name("notebook.log").exists()
    return found


def text_of(page):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


def test_both_print_the_ledger_before_anything_is_claimed(pages):
    for name, (page, results) in pages.items():
        text = text_of(page)
        assert "999 of 1,040 announcements used" in text, name
        assert "27 unknown-timing" in text
        assert text.index("announcements used") < text.index("What was found", text.index("announcements used"))
        assert results["ledger"] == {
            "input": 1040, "used": 999, "excluded": {"unknown-timing": 27, "short-estimation": 14},
        }  # fmt: skip


def test_both_say_how_the_companies_were_chosen(pages):
    for page, results in pages.values():
        assert "chosen by hand, not drawn" in text_of(page)
        assert "no average reaction, no drift, no hit rate" in results["how_chosen"]


def test_numbers_of_the_page_are_those_of_the_public_functions(pages):
    page, results = pages["cross_section"]
    events = es.surprises.with_measures(es.sample.announcements())
    study = es.EventStudy(events, es.sample.prices().returns(), market=es.sample.market_returns()).fit()
    frame = study.car(0, 1).assign(kind=study.events["surprise_class"].to_numpy())
    gap = frame.loc[frame["kind"] == "beat", "car"].mean() - frame.loc[frame["kind"] == "miss", "car"].mean()
    assert results["beats_minus_misses"]["estimate"] == pytest.approx(gap, rel=1e-12)
    assert f"{100 * gap:+.2f}%" in text_of(page)
    assert results["classes"] == {name: int((frame["kind"] == name).sum()) for name in report.CLASSES}
    assert len(results["without_each"]) == 25
    assert len(results["specification_curve"]) == 45
    assert sum(row["primary"] for row in results["specification_curve"]) == 1


def test_beats_that_dipped_lead_to_their_own_reports(pages):
    page, _ = pages["cross_section"]
    links = re.findall(r'href="\.\./([a-z0-9.-]+)/report\.html"', page)
    assert len(links) == 25
    frame = es.sample.announcements().frame
    known = set(frame["ticker"].str.lower() + "-" + frame["announced_on"].dt.strftime("%Y-%m-%d"))
    assert set(links) <= known


def test_drift_says_where_the_windows_ended(pages):
    page, results = pages["drift"]
    held = results["held"]
    assert held["used"] + sum(held["left_out"].values()) == 999
    assert sum(held["ended"].values()) == held["used"]
    assert "sessions before the next announcement" in text_of(page)
    assert results["groups"]["looks_ahead"] is True
    assert set(results["by_benchmark"]) == {"market-adjusted", "market, alpha 0", "market"}
    text = text_of(page)
    assert "Against the market-adjusted benchmark" in text  # none with an estimated intercept leads


def test_no_page_claims_what_a_test_cannot(pages):
    for page, _ in pages.values():
        text = text_of(page).lower()
        for phrase in ("no effect", "caused by", "proves", "significant"):
            assert phrase not in text
        for found in re.finditer(r"not distinguishable from", text):
            assert "80% power" in text[found.start() : found.start() + 200]
            assert "95% interval" in text[found.start() : found.start() + 260]


def test_selection_of_tickers_and_dates():
    events = es.sample.announcements()
    some = samples.selected(events, "META, AAPL", "2020-01-01", "2021-12-31")
    assert set(some.tickers) == {"META", "AAPL"}
    assert some.frame["announced_on"].between("2020-01-01", "2021-12-31").all()
    assert len(samples.selected(events)) == len(events)
    with pytest.raises(es.NotFoundError):
        samples.selected(events, "METAA")
    with pytest.raises(es.NotFoundError, match="in this period"):
        samples.selected(events, "META", "1999-01-01", "1999-12-31")
    for keywords in ({"start": "01/02/2020"}, {"start": "2021-01-01", "end": "2020-01-01"}):
        with pytest.raises(es.ParameterError):
            samples.selected(events, **keywords)


@pytest.mark.parametrize(("name", "tickers"), [("cross_section", "META"), ("drift", "META,AAPL")])
def test_a_small_choice_ends_in_words_not_in_an_error(tmp_path, name, tickers):
    parameters = {"tickers": tickers, "start": "2016-01-01"}
    if name == "cross_section":
        parameters |= {"draws": "99", "placebo_draws": "2"}
    path = run_notebook(name, parameters, tmp_path)
    text = text_of(path.read_text(encoding="utf-8"))
    assert "cannot say whether" in text or "too few days" in text
    assert not re.findall(r"\bnan\b|– to –|\b1 beats\b|is cannot", text)


@pytest.fixture(scope="module")
def unsurprised(tmp_path_factory):
    """A folder of announcements without a figure or an estimate."""
    folder = tmp_path_factory.mktemp("source")
    frame = es.sample.announcements(["META", "JPM", "KO", "BAC"]).frame
    kept = frame[frame["announced_at"].notna() & (frame["announced_on"] >= pd.Timestamp("2018-01-01"))]
    kept[["ticker", "announced_at"]].to_csv(folder / "events.csv", index=False)
    returns = es.sample.prices().returns()[["META", "JPM", "KO", "BAC"]].loc["2016-06-01":]
    returns.to_csv(folder / "returns.csv")
    es.sample.market_returns().loc["2016-06-01":].rename("ret").to_csv(folder / "market.csv")
    return folder


@pytest.mark.parametrize("name", ["cross_section", "drift"])
def test_announcements_without_any_surprise_are_studied_together(tmp_path, unsurprised, name):
    parameters = {"source": f"files:{unsurprised}"}
    if name == "cross_section":
        parameters |= {"draws": "99", "placebo_draws": "19"}
    path = run_notebook(name, parameters, tmp_path)
    text = text_of(path.read_text(encoding="utf-8"))
    results = json.loads(path.with_name("results.json").read_text())
    assert not re.findall(r"\bnan\b|– to –", text)
    if name == "cross_section":
        assert "beats and misses cannot be told apart" in text
        assert results["headline"] == "the mean reaction"
        assert results["mean_reaction"]["n_events"] == results["ledger"]["used"]
        assert results["placebo"]["granularity"] == 1 / 20
        assert results["beat_but_dip"] is None
    else:
        assert "No event has a surprise, so all announcements are held together." in text
        assert list(results["groups"]["counts"]) == ["all announcements"]


def test_run_up_ends_before_the_window_that_it_explains():
    """An abnormal return on both sides of the regression would explain itself."""
    results = es.EventStudy(
        es.surprises.with_measures(es.sample.announcements(["META", "AMZN", "JPM", "KO"])),
        es.sample.prices().returns(),
        market=es.sample.market_returns(),
        window=(-10, 10),
    ).fit()
    for window, span in (((0, 1), (-10, -1)), ((-5, 5), (-10, -6)), ((-10, 10), None), ((2, 5), (-10, -1))):
        sample = report.Sample(results, window, "sample", 99, 0)
        assert run_up(sample) == span
        fits, notes = report.regressions(sample)
        assert ("run_up" in fits["with controls"].params.index) == (span is not None)
        text = report.regression_notes(sample, fits, notes).text
        assert ("run_up: abnormal return of day −10 to day −6" in text) == (span == (-10, -6))


def test_estimation_windows_of_the_curve_leave_room():
    results = es.EventStudy(
        es.sample.announcements(["META"]), es.sample.prices().returns(), market=es.sample.market_returns()
    ).fit()
    assert report.estimation_windows(results, (0, 1)) == [(-250, -11), (-120, -11)]
    assert report.estimation_windows(results, (-10, 10)) == [(-251, -12), (-121, -12)]


def test_disagreement_of_tests_is_told_by_name():
    from research.reporting.cross_section import _agreement

    tests = pd.DataFrame(
        [("beat", "a", 0.01), ("beat", "b", 0.2), ("beat", "c", 0.03), ("miss", "a", 0.5), ("miss", "b", 0.6)],
        columns=["group", "test", "p_value"],
    )
    assert _agreement(tests, ["beat", "miss"]) == (
        "Beat: 2 of 3 reject at 5%, b does not; miss: none of 2 rejects at 5%."
    )


def test_placebo_is_told_with_its_resolution(pages):
    text, results = text_of(pages["cross_section"][0]), pages["cross_section"][1]
    assert results["placebo"]["granularity"] == 1 / 4
    assert "it comes in steps of 0.25 and cannot be smaller" in text
    sample = planted_sample(0.0)
    none = {"draws": pd.DataFrame(columns=["estimate", "t", "p_value"]), "p_value": np.nan}
    assert "nothing to compare with" in report.placebo_sentence(sample, none).text


def test_a_period_with_few_misses_has_no_interval():
    sample = planted_sample(0.02)
    frame = sample.frame
    early = frame["day_zero"].sort_values().index[: 2 * len(frame) // 3]
    misses = [event for event in early if frame["gap"][event] == 0]
    frame.loc[misses[2:], "gap"] = np.nan
    table = sample.periods
    assert table.iloc[0]["misses"] == 2
    assert np.isnan(table.iloc[0]["p_value"])
    assert np.isfinite(table.iloc[0]["estimate"])
    assert table.iloc[-1]["p_value"] < 1
    assert table["beats"].sum() + table["misses"].sum() == table["n_events"].sum()
    assert "since" not in report.verdict(sample).text  # no trend is claimed from such a period


def test_many_companies_are_shown_at_both_ends():
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"estimate": np.sort(rng.normal(0.02, 0.01, 120))}, index=[f"F{i:03d}" for i in range(120)])
    table = table.assign(low=table["estimate"] - 0.01, high=table["estimate"] + 0.01)
    picture = plots_cross_section.without_each(table, 0.02, "beats minus misses")
    assert picture.figure.get_figheight() < 12
    assert "the 20 with the smallest and the 20 with the largest" in picture.caption
    assert len(picture.data) == 120


def _effect(t):
    return Effect(0.03, 0.03 / t, t, 40.0, 0.01, 0.0, 0.1, 0.05, 90, 41)


def test_the_placebo_figure_counts_what_its_p_value_counts():
    observed = _effect(4.25)
    draws = pd.DataFrame({"t": np.linspace(-5, 5, 101)})
    picture = plots_cross_section.placebo(draws, observed, 0.17, "beats minus misses")
    assert "16 of 101 sets without news have as large a t" in picture.alt
    assert picture.data["sets"].sum() == 101
    alone = plots_cross_section.placebo(draws, _effect(9.0), 0.01, "x")
    assert "None of 101 sets without news has as large a t" in alone.alt
    nothing = plots_cross_section.placebo(draws, _effect(np.nan), np.nan, "x")
    assert "no t-statistic" in nothing.alt


def test_figures_of_drift_name_the_groups_with_their_signs():
    days = np.arange(2, 11)
    rows = [
        pd.DataFrame({"group": g, "relative_day": days, "car": 0.01 * (1 - g), "low": -0.1, "high": 0.1})
        for g in range(3)
    ]
    picture = plots_drift.drift_paths(pd.concat(rows), ["worst third", "middle third", "best third"], [3, 3, 3], "x")
    assert "best third minus worst third −2.0%" in picture.alt
    alone = plots_drift.drift_paths(rows[0], ["all announcements"], [3], "x")
    assert "all announcements +1.0%" in alone.alt


def test_parameters_are_declared_with_types_and_help():
    for name in ("cross_section", "drift"):
        info = find_notebook(name)
        named = {parameter.name: parameter for parameter in info.parameters}
        assert {"tickers", "start", "end", "source", "market", "estimation"} <= set(named)
        assert all(parameter.help for parameter in info.parameters if parameter.name != "seed")


# -- words follow numbers ----------------------------------------------------------------------


def planted_sample(effect, seed=0, until=None):
    """A sample whose beats rise and misses fall by ``effect`` on day zero (until a share of the events)."""
    panel = ragged_panel(seed=seed, n_firms=24, last="2019-12-31")
    frame = panel.announcements.frame
    rng = np.random.default_rng(seed)
    sign = rng.choice([1.0, -1.0], len(frame))
    table = frame[["ticker", "announced_at"]].assign(eps_actual=1 + 0.1 * sign, eps_estimate=1.0)
    announcements = es.surprises.with_measures(es.Announcements.from_frame(table))
    returns = panel.returns.copy()
    days = announcements.timed()["day_zero"]
    late = days > days.quantile(until) if until is not None else pd.Series(False, index=days.index)
    for ticker, day, up, gone in zip(frame["ticker"], days, sign, late, strict=True):
        if pd.notna(day) and not gone:
            returns.loc[day, ticker] += effect * up
    results = es.EventStudy(announcements, returns, market=panel.market).fit()
    return report.Sample(results, (0, 1), "files:x", 199, 0)


def test_the_verdict_says_consistent_suggestive_or_neither():
    strong = report.verdict(planted_sample(0.05)).text
    assert "is distinguishable from zero" in strong
    assert "the evidence is consistent" in strong
    none = report.verdict(planted_sample(0.0)).text
    assert "not distinguishable from zero" in none
    assert "80% power" in none
    assert "evidence is" not in none
    fading = report.verdict(planted_sample(0.05, until=0.6)).text
    assert "It is weaker since" in fading


def test_a_design_that_cannot_answer_says_why():
    sample = planted_sample(0.05)
    days = sample.frame["day_zero"].sort_values().unique()[[0, 30, 60, 90]]
    sample.frame["day_zero"] = days[np.arange(len(sample.frame)) % 4]
    assert "with announcements on fewer than 5 days this design cannot say" in report.verdict(sample).text
    few = planted_sample(0.05)
    few.frame.loc[few.frame.index[9:], "gap"] = np.nan
    few.frame.loc[few.frame.index[9:], "class"] = "in line"
    assert "with fewer than 10 beats or misses this design cannot say" in report.verdict(few).text


def test_a_long_window_warns_of_the_intercept():
    panel = ragged_panel(n_firms=10)
    for model, warned in (("market", True), ("market-adjusted", False)):
        results = es.EventStudy(panel.announcements, panel.returns, model, panel.market, window=(0, 30)).fit()
        assert ("estimated intercept" in report.verdict(report.Sample(results, (0, 30), "x", 9, 0)).text) == warned
        assert "estimated intercept" not in report.verdict(report.Sample(results, (0, 10), "x", 9, 0)).text


def test_a_result_that_one_firm_carries_is_said_to_be():
    sample = planted_sample(0.0, seed=4)
    # All of the difference comes from one firm's beats and misses.
    frame = sample.frame
    carrier = frame["ticker"].value_counts().index[0]
    own = (frame["ticker"] == carrier) & frame["gap"].notna()
    frame.loc[own, "car"] += np.where(frame.loc[own, "gap"] == 1, 0.35, -0.35)
    text = report.verdict(sample).text
    assert f"It is carried by {carrier}" in text
    assert "suggestive" in text


def test_sources_of_unknown_choice_say_so():
    assert "does not know how the companies" in samples.choice_sentence("files:x")
    assert "does not know" in report.verdict(planted_sample(0.02)).text


def test_pictures_are_described_and_repeatable():
    sample = planted_sample(0.03)
    pictures = [
        plots_cross_section.class_paths(sample.paths, sample.counts),
        plots_cross_section.without_each(sample.without_each, sample.headline.estimate, "beats minus misses"),
    ]
    for picture in pictures:
        assert len(picture.alt) > 60
        assert "nan" not in picture.alt.lower()
    again = plots_cross_section.class_paths(sample.paths, sample.counts)
    assert again.svg() == pictures[0].svg()


def test_group_names_follow_the_grouping():
    values = pd.Series(np.random.default_rng(0).normal(size=60))
    days = pd.Series(pd.Timestamp("2020-02-03"), index=values.index)
    terciles = drift_report.group_names(_ranks(values, days, "terciles"))
    assert terciles == ["worst third", "middle third", "best third"]
    assert drift_report.group_names(_ranks(values, days, "sign"))[0] == "negative"
    assert drift_report.group_names(_ranks(values, days, "deciles"))[-1] == "decile 10"


def _ranks(values, days, grouping):
    from research.analysis.ranks import rank_surprises

    return rank_surprises(values, days, grouping)
