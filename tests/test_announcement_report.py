"""The notebooks of one announcement and of its neighbours, cell by cell: the text follows the numbers."""

import ast
import json
import re
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import research as es
from research.reporting import _completion, evening, hypotheses, plots_reaction
from research.reporting import spillover as spillover_report
from research.reporting._inputs import collect
from research.reporting.case import same_verdict
from research.resources import notebook_directory

ZONE = "America/New_York"

pytestmark = pytest.mark.filterwarnings("ignore::research.errors.ResearchWarning")


class Report:
    """What a notebook showed: one text per cell, and the names it left behind."""

    def __init__(self, texts, names):
        self.cells, self.names = texts, names

    @property
    def text(self):
        return "\n".join(self.cells.values())

    @property
    def results(self):
        return self.names["_record"]


def run(notebook, **parameters):
    """Run a notebook's cells in this process, in order, without a kernel."""
    cells = json.loads((Path(notebook_directory()) / f"{notebook}.ipynb").read_text())["cells"]
    shown: dict[str, list[str]] = {}
    current = ""
    names = {"display": lambda *items: shown[current].extend(map(repr, items))}
    for cell in (cell for cell in cells if cell["cell_type"] == "code"):
        current = cell["id"]
        shown[current] = []
        tree = ast.parse("".join(cell["source"]))
        if current == "complete":
            call = tree.body[-1].value
            names["_record"] = _completion.plain(eval(compile(ast.Expression(call.args[0]), current, "eval"), names))
            break
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, current, "exec"), names)
        if last is not None:
            value = eval(compile(ast.Expression(last.value), current, "eval"), names)
            if value is not None:
                shown[current].append(repr(value))
        if current == "parameters":
            names.update(parameters)
    return Report({name: "\n".join(texts) for name, texts in shown.items()}, names)


@pytest.fixture(scope="module")
def meta():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return run("announcement")


# ------------------------------------------------------------------ the sample's evening in words


def test_text_says_which_part_fell_into_which_leg(meta):
    text = meta.cells["evening"]
    for part in (
        "From close to close the price moved −4.18 log per cent: +0.83 from the close to the release",
        "−2.51 from the release to the call",
        "−1.56 from the call to 20:00",
        "+2.07 from 20:00 to the open",
        "−3.02 from the open to the close. The largest leg is that from the open to the close.",
        "Over the same spans the market moved 0.00, −0.15, −0.23, −0.43 and −1.08, −1.88 in all.",
    ):
        assert part in text
    assert "−3.4% within 9 minutes of the release, back at zero by 16:30" in text
    assert "−3.2% at 20:00, −1.1% at the open and −4.1% at the close" in text


def test_no_cause_is_claimed(meta):
    lowered = meta.text.lower()
    for claim in ("caused", "because of the", "due to", "no effect", "thanks to"):
        assert claim not in lowered
    assert "They do not say why." in meta.cells["legs-notes"]


def test_every_marked_bar_is_listed_and_what_hangs_on_it_is_said(meta):
    text = meta.cells["marks"]
    assert all(f"Wed {clock} | high | late close print" in text for clock in ("16:25", "16:33", "16:43"))
    assert text.count("stale open") >= 2
    assert "reads differently" in text


def test_results_keep_their_contract_and_the_legs_add_up(meta):
    found = meta.results["reaction"]
    assert set(found["log"]) == {"pre_release", "release", "call", "pre_market", "session"}
    assert set(found["simple"]) == {"close_to_close", "overnight", "intraday", "after_hours"}
    total = np.log1p(found["simple"]["close_to_close"])
    assert abs(sum(found["log"].values()) - total) < 1e-12
    assert abs(sum(leg["value"] for leg in found["segments"]) - total) < 1e-12
    assert found["market"]["multiple"] == 3
    assert meta.results["earnings_day"]["rank"] == 41
    assert type(meta.results["earnings_day"]["rank"]) is int
    assert len(found["marks"]) == 5
    assert json.loads(json.dumps(meta.results, allow_nan=False)) == meta.results
    ledger = meta.results["ledger"]
    assert ledger["input"] == 1040 == ledger["used"] + sum(ledger["excluded"].values())


def test_volume_and_variance_are_those_of_the_study(meta):
    case = meta.names["case"]
    z = case.day["ar"] / case.day["ar_se"]
    assert f"was {z**2:.2f} on day zero" in meta.cells["activity"]
    assert "log of volume stood" in meta.cells["activity"]


def test_picture_is_accessible_small_and_the_same_every_time(meta):
    case = meta.names["case"]
    picture = plots_reaction.evening(case.reaction, case.ticker, case.zone)
    svg = picture.svg()
    assert svg == plots_reaction.evening(case.reaction, case.ticker, case.zone).svg()
    assert len(svg) < 400_000
    for station in ("release 16:05 at 596.76", "call begins 17:00 at 581.99", "waterfall of legs"):
        assert station in picture.alt
    assert "5 prints that the filter finds doubtful, left out" in picture.caption


def test_the_switch_shows_the_raw_path():
    raw = run("announcement", bar_filter="off")
    assert raw.results["reaction"]["bar_filter"] == "off"
    assert "kept in every figure" in raw.cells["marks"]
    with pytest.raises(es.ParameterError, match="on, off"):
        evening.filter_switch("yes")


def test_a_multiple_that_is_no_number_is_refused():
    with pytest.raises(es.ParameterError, match="SYMBOL:NUMBER"):
        evening.market_bars(es.open_source("sample"), "SPXL:three", None, None, None)


def test_first_paragraph_says_what_happened_with_both_yardsticks(meta):
    first, second = meta.cells["headline"].splitlines()
    for part in (
        "META announced its results for 2024Q3 on Wednesday 2024-10-30 at 16:05 EDT, after the close",
        "earnings per share of 6.03 USD against 5.25 expected, a beat (+14.8%)",
        "On Thursday 2024-10-31, the first session that could react (day zero), the share returned −4.09% while the "
        "S&P 500 returned −1.86%: an abnormal return of −1.45% (market model)",
        "Of META's 46 earnings days so far this one is among the quietest: 41st by size, −0.14 times the typical move "
        "of 10.2%",
        "95% interval −4.12% to +1.22%",
        "not distinguishable from zero (p 0.286); with 80% power this design detects moves of 3.8% or more",
    ):
        assert part in first
    assert "revenue +0.7%" in second
    assert "capex 2024 low raised from 37 to 38 USD billion" in second
    assert "total expenses 2024 high lowered from 99 to 98 USD billion" in second


def test_five_cards(meta):
    lines = meta.cells["cards"].splitlines()
    assert lines == [
        "Return on day zero: −4.09% (S&P 500 −1.86%)",
        "Abnormal return: −1.45% (95% interval −4.12% to +1.22%)",
        "Against own earnings days: z −0.14 (41st of 46 by size)",
        "Against ordinary days: t −1.07 (p 0.286, 229 degrees of freedom)",
        "EPS surprise: +14.8% (6.03 against 5.25 USD)",
    ]


def test_columns_without_content_are_left_out(meta):
    assert "comparison as of" not in meta.cells["announcement"]
    assert "None of these comparisons carries a date" in meta.cells["guidance"]
    assert "note" not in meta.cells["benchmarks"]
    assert "not known" not in meta.cells["announcement"]


def test_short_history_and_missing_opens_are_said_once():
    found = run("announcement", event_date="2013-07-24")
    assert "No earlier earnings day of META could be studied, too few" in found.cells["headline"]
    assert "Against own earnings days: – (no earlier day)" in found.cells["cards"]
    assert found.results["earnings_day"]["rank"] is None
    pepsi = run("announcement", ticker="PEP", event_date="2022-10-12")
    assert "On the same day, the first session that could react" in pepsi.cells["headline"]
    assert pepsi.cells["evening"] == ""
    assert pepsi.cells["legs-notes"].startswith("No opening price on day zero")
    # The SEC accepted the 8-K on the evening before the session that the source names.
    assert "on an earlier day than the announcement of the source, with the same day zero" in pepsi.cells["timeline"]
    assert "the source gives no hour, only the side of the session" in pepsi.cells["timing"]


# ------------------------------------------------------------------ news of unknown hour


def test_earnings_of_unknown_hour_have_every_reading_in_every_section():
    found = run("announcement", ticker="BAC", event_date="2021-04-15")
    assert found.cells["heading"] == "BAC 2021Q1, announced 2021-04-15 at an unknown hour: −2.86% or +1.06%"
    top = found.cells["headline"]
    assert "earnings per share of 0.86 against 0.66 expected, a beat (+30.6%)" in top  # the vendor's own percentage
    assert "an abnormal return of −4.39% (p 0.036, 4th by size of 32 earnings days so far)" in top
    assert "an abnormal return of +0.46% (p 0.825, 28th by size of 32 earnings days so far)" in top
    for cell in ("activity", "own-days", "path", "benchmarks", "same-day"):
        for reading in (
            "before the close of that day: day zero Thursday",
            "after the close of that day: day zero Friday",
        ):
            assert f"If the news came {reading}" in found.cells[cell], cell
    assert "If the news came before the close of that day" in found.cells["estimation-sentence"]
    assert all(day in found.cells["timeline"] for day in ("Thu 2021-04-15 16:00", "Fri 2021-04-16 16:00"))


@pytest.mark.parametrize(
    ("date", "kind", "days"),
    [("2023-02-27", "strategy", ["2023-02-27", "2023-02-28"]), ("2024-04-18", "product", ["2024-04-18", "2024-04-19"])],
)
def test_news_of_unknown_hour_shows_both_sessions_and_withholds_the_verdict(date, kind, days):
    found = run("announcement", event_date=date)
    record = found.results
    assert record["event"]["kind"] == kind
    assert record["event"]["timing"] == "unknown"
    assert [one["day_zero"] for one in record["plausible"]] == days
    returns = es.sample.prices().returns()["META"]
    assert [one["return"] for one in record["plausible"]] == pytest.approx([returns[day] for day in days])
    # The two sessions moved in opposite directions.
    assert np.sign(record["plausible"][0]["abnormal_return"]) != np.sign(record["plausible"][1]["abnormal_return"])
    assert record["verdict"] == "withheld"
    assert record["day_zero"]["p_value"] is None
    assert all(window["start"] <= 0 and window["end"] >= 1 for window in record["windows"])
    assert "no verdict is given" in found.cells["headline"]
    assert "at an hour that is not known" in found.cells["headline"]
    assert all(day in found.cells["readings"] for day in days)
    assert "the cut concerns news of the same kind" in found.cells["estimation-sentence"]
    assert "earnings days cut as well" in found.cells["estimation-table"]
    assert "Verdict: withheld" in found.cells["cards"]


def test_an_earnings_day_inside_the_window_of_other_news_is_named():
    found = run("announcement", event_date="2024-04-18")
    assert "earnings on day +5" in found.cells["estimation-sentence"]


def test_the_verdict_is_shared_only_where_direction_and_test_agree():
    class One:
        def __init__(self, ar, p):
            self.day = pd.Series({"ar": ar, "p_value": p})

    assert same_verdict(One(0.01, 0.2), One(0.03, 0.3))
    assert same_verdict(One(0.05, 0.01), One(0.04, 0.02))
    assert not same_verdict(One(0.05, 0.01), One(0.04, 0.2))
    assert not same_verdict(One(0.01, 0.2), One(-0.01, 0.2))


def test_a_day_without_trading_leaves_one_reading():
    table = pd.DataFrame({"ticker": ["META"], "announced_at": ["2024-04-20"], "kind": ["product"]})  # a Saturday
    known = es.Announcements.from_frame(table)
    event = known.find("META", "2024-04-20")
    calendar = es.TradingCalendar("XNYS")
    found = hypotheses.hypotheses(known, event, calendar)
    assert [one.event["day_zero"] for one in found] == [pd.Timestamp("2024-04-22")]


# ------------------------------------------------------------------ one's own data, good and bad


DAYS = es.TradingCalendar("XNYS").sessions[
    es.TradingCalendar("XNYS").sessions.slice_indexer("2023-01-03", "2024-06-28")
]
EVENT = pd.Timestamp("2024-05-14")


def folder(tmp_path, bars, call="2024-05-14T17:00:00-04:00", at="2024-05-14T16:05:00-04:00", extra=()):
    """A folder of one company with its past announcements, two peers, a market and one evening of bars."""
    rng = np.random.default_rng(11)
    base = tmp_path / "mine"
    (base / "intraday").mkdir(parents=True)
    market = rng.normal(0, 0.008, len(DAYS))
    rows = []
    for name in ("ACME", "PEER", "TWIN"):
        closes = 100 * np.exp(np.cumsum(market + rng.normal(0, 0.01, len(DAYS))))
        opens = closes * np.exp(rng.normal(0, 0.004, len(DAYS)))
        rows.append(pd.DataFrame({"date": DAYS, "ticker": name, "open": opens, "close": closes}))
    prices = pd.concat(rows)
    prices.to_csv(base / "prices.csv", index=False, date_format="%Y-%m-%d")
    pd.DataFrame({"date": DAYS, "ret": market}).to_csv(base / "market.csv", index=False, date_format="%Y-%m-%d")
    dates = ["2023-02-14", "2023-05-16", "2023-08-15", "2023-11-14", "2024-02-13"]
    lines = ["ticker,announced_at,session,call_at,eps_actual,eps_estimate"]
    lines += [f"ACME,{date},amc,,1.0,0.9" for date in dates]
    lines += [f"TWIN,{date},amc,,1.0,0.9" for date in [*dates, "2024-05-14"]]
    lines += [f"ACME,{at},,{call},1.2,1.0", *extra]
    (base / "events.csv").write_text("\n".join(lines) + "\n")
    if bars is not None:
        own = prices[(prices["ticker"] == "ACME") & (prices["date"] == EVENT)]["close"].iloc[0]
        (base / "intraday" / "ACME_2024-05-14.csv").write_text(bars(own))
    return f"files:{base}"


def tape(first="15:50", offset="-04:00", extra="", every=1):
    """CSV of bars around the event from ``first`` on."""

    def write(close):
        start = pd.Timestamp(f"2024-05-14 {first}", tz=ZONE)
        minutes = pd.date_range(start, pd.Timestamp("2024-05-14 20:00", tz=ZONE), freq=f"{every}min", inclusive="left")
        steps = np.where(minutes < pd.Timestamp("2024-05-14 16:05", tz=ZONE), 1.0, 0.96)
        lines = [
            f"{minute:%Y-%m-%dT%H:%M:00}{offset},{close * step * (1 + 1e-4 * (i % 3)):.4f}"
            for i, (minute, step) in enumerate(zip(minutes, steps, strict=True))
        ]
        return "\n".join(["ts,close", *lines, *([extra] if extra else [])]) + "\n"

    return write


def report_of(tmp_path, bars, **choices):
    source = folder(tmp_path, bars, **choices)
    return run("announcement", ticker="ACME", event_date="2024-05-14", source=source, market_bars="SPY")


def intact(found):
    """The rest of the report is there: figures, tables, and a record that JSON can hold."""
    assert found.results["day_zero"]["abnormal_return"] is not None
    assert found.results["windows"]
    assert found.results["reaction"]["simple"]["overnight"] is not None
    assert "estimation days" in found.cells["benchmarks"]
    json.dumps(found.results, allow_nan=False)
    return found.cells["legs-notes"]


def test_own_bars_give_all_legs(tmp_path):
    found = report_of(tmp_path, tape())
    intact(found)
    log = found.results["reaction"]["log"]
    assert all(value is not None for value in log.values())
    assert sum(log.values()) == pytest.approx(
        np.log1p(found.results["reaction"]["simple"]["close_to_close"]), abs=1e-12
    )
    assert log["release"] == pytest.approx(np.log(0.96), abs=1e-3)


AT = "2024-05-14T16:05:00-04:00"


def test_metrics_with_the_least_they_need(tmp_path):
    source = folder(tmp_path, None)
    lines = ["ticker,announced_at,metric,actual,estimate,basis", f"ACME,{AT},capex,5,4,previous_guidance"]
    lines += [f"ACME,{AT},users,5,0,consensus", f"ACME,{AT},margin,3,2,consensus"]
    (tmp_path / "mine" / "metrics.csv").write_text("\n".join(lines) + "\n")
    found = run("announcement", ticker="ACME", event_date="2024-05-14", source=source)
    assert "Against expectations: margin +50.0%. Guidance: capex raised from 4 to 5." in found.cells["headline"]
    assert "None" not in found.cells["headline"]
    shown = found.cells["announcement"]
    assert "users | 5.00 | 0.00 | consensus | –" in shown
    assert "Sources" not in shown
    assert "earnings per share | 1.20 | 1.00 | +20.0" in shown


@pytest.mark.parametrize(
    ("eps", "sentence", "card"),
    [
        ("1.2,0", "earnings per share of 1.20 against 0.00 expected, a beat. On", "1.20 against 0.00"),
        (",1.0", "after the close. On", "no reported figure"),
        ("1.2,", "after the close. On", "no estimate"),
        ("-0.4,-0.5", "earnings per share of −0.40 against −0.50 expected, a beat (+20.0%). On", "−0.40 against −0.50"),
    ],
)
def test_odd_estimates(tmp_path, eps, sentence, card):
    source = folder(tmp_path, None)
    path = tmp_path / "mine" / "events.csv"
    path.write_text(path.read_text().replace(",1.2,1.0", f",{eps}"))
    found = run("announcement", ticker="ACME", event_date="2024-05-14", source=source)
    assert sentence in found.cells["headline"]
    assert card in found.cells["cards"]


def test_market_without_a_name_gets_none_invented(tmp_path):
    source = folder(tmp_path, None)
    found = run("announcement", ticker="ACME", event_date="2024-05-14", source=source)
    assert found.results["market"] == "market"
    assert "while the market returned" in found.cells["headline"]
    assert "S&P 500" not in found.text
    base = tmp_path / "mine"
    (base / "columns.toml").write_text('market_symbol = "^GSPC"\n')
    named = run("announcement", ticker="ACME", event_date="2024-05-14", source=source)
    assert named.results["market"] == "^GSPC"
    assert named.results["day_zero"] == found.results["day_zero"]


def test_no_market_at_all(tmp_path):
    source = folder(tmp_path, None)
    (tmp_path / "mine" / "market.csv").unlink()
    given = {"ticker": "ACME", "event_date": "2024-05-14", "source": source}
    with pytest.raises(es.NotFoundError, match="no market series"):
        run("announcement", **given)
    found = run("announcement", model="mean-adjusted", **given)
    assert found.results["market"] is None
    assert "Return on day zero:" in found.cells["cards"]
    assert "(no market return)" in found.cells["cards"]
    assert "while" not in found.cells["headline"]
    lone = pd.read_csv(tmp_path / "mine" / "prices.csv").query("ticker == 'ACME'")
    lone.to_csv(tmp_path / "mine" / "prices.csv", index=False)
    events = (tmp_path / "mine" / "events.csv").read_text().splitlines()
    (tmp_path / "mine" / "events.csv").write_text("\n".join(line for line in events if "TWIN" not in line) + "\n")
    found = run("announcement", model="mean-adjusted", **given)
    assert "mean-adjusted" in found.cells["benchmarks"]
    assert "market-adjusted" not in found.cells["benchmarks"]


def test_factors_of_the_source_bring_their_models(tmp_path):
    source = folder(tmp_path, None)
    rng = np.random.default_rng(3)
    names = ["Mkt-RF", "SMB", "HML", "RF"]
    factors = pd.DataFrame(rng.normal(0, 0.005, (len(DAYS), 4)), index=DAYS, columns=names).assign(RF=0.0001)
    factors.rename_axis("date").to_csv(tmp_path / "mine" / "factors.csv", date_format="%Y-%m-%d")
    (tmp_path / "mine" / "columns.toml").write_text('returns_unit = "decimal"\n')
    given = {"ticker": "ACME", "event_date": "2024-05-14", "source": source}
    found = run("announcement", model="ff3", **given)
    assert set(found.results["parameters"]) == {"alpha", "beta", "Mkt-RF", "SMB", "HML", "sigma"}
    assert found.results["parameters"]["beta"] is None
    assert "ff3 | none" in found.cells["benchmarks"]
    assert "carhart" not in found.cells["benchmarks"]
    event = found.names["case"]
    rows = factors.index[factors.index.get_indexer([event.day_zero])[0] + np.arange(-250, -10)]
    returns = event.results  # the loading of an ordinary regression on the days that the study kept
    path = returns.estimation_path(event.event["event_id"])
    kept = path.index[path["residual"].notna()]
    assert set(kept) <= set(rows)
    data = es.open_source(source)
    y = data.returns().loc[kept, "ACME"] - factors.loc[kept, "RF"]
    x = np.column_stack([np.ones(len(kept)), factors.loc[kept, names[:3]]])
    expected = np.linalg.lstsq(x, y.to_numpy(), rcond=None)[0]
    got = [found.results["parameters"][name] for name in ("alpha", "Mkt-RF", "SMB", "HML")]
    assert got == pytest.approx(expected, abs=1e-12)


def test_window_without_day_zero_is_refused():
    with pytest.raises(es.ParameterError, match="first day <= 0 <= last day"):
        run("announcement", window="3,5")


def test_no_bars(tmp_path):
    found = report_of(tmp_path, None)
    assert "No bars within the day" in intact(found)
    assert set(found.results["reaction"]["log"].values()) == {None}


def test_bars_that_start_after_the_release(tmp_path):
    found = report_of(tmp_path, tape(first="16:30"))
    assert "they begin at 16:30" in intact(found)
    assert found.results["reaction"]["log"]["release"] is None
    assert sum(leg["value"] for leg in found.results["reaction"]["segments"]) == pytest.approx(
        np.log1p(found.results["reaction"]["simple"]["close_to_close"]), abs=1e-12
    )


def test_bars_without_offsets(tmp_path):
    notes = intact(report_of(tmp_path, tape(offset="")))
    assert "The bars of ACME cannot be used" in notes
    assert "time zone" in notes
    # All rows offend; a report names some, the library's error has them all.
    assert notes.count("carries no time zone") == 3
    assert re.search(r"; and \d+ more\.", notes)


def test_overlapping_bars(tmp_path):
    notes = intact(report_of(tmp_path, tape(extra="2024-05-14T19:59:20-04:00,100")))
    assert "The bars of ACME cannot be used" in notes
    assert "before it has ended" in notes


def test_bars_on_another_share_basis(tmp_path):
    notes = intact(report_of(tmp_path, lambda close: tape()(close / 10)))
    assert "share basis" in notes


def test_call_before_the_release(tmp_path):
    notes = intact(report_of(tmp_path, tape(), call="2024-05-14T15:00:00-04:00"))
    assert "is not after the release at 16:05" in notes


def test_bars_of_five_minutes(tmp_path):
    found = report_of(tmp_path, tape(every=5))
    assert found.results["reaction"]["log"]["release"] == pytest.approx(np.log(0.96), abs=1e-3)


# ------------------------------------------------------------------ spillover


@pytest.fixture(scope="module")
def neighbours():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return run("spillover")


def test_the_hyperscalers_question_is_declined_and_answered_over_all_announcements(neighbours):
    text = neighbours.cells["headline"]
    assert "Whether META took AMZN, GOOG and MSFT along on that day cannot be answered" in text
    assert "MSFT had the same day zero" in text
    assert "AMZN and GOOG had a day zero one session before or after" in text
    assert "announcements of META on which these peers were clean" in text
    assert neighbours.results["answerable"] == [False]


def test_spillover_results_match_the_study(neighbours):
    day = neighbours.results["days"][0]
    assert day["day_zero"] == "2024-10-31"
    assert round(100 * day["announcer"]["car"], 3) == -1.449
    assert day["portfolios"]["clean"]["members"] == ["NFLX", "NVDA"]
    assert day["shared"]["clean"]["kind"] == "everything"
    assert "the interval is not bounded" in neighbours.cells["share"]
    json.dumps(neighbours.results, allow_nan=False)


def test_spillover_ledger_accounts_for_every_peer(neighbours):
    peers = neighbours.results["days"][0]["peers"]
    assert len(peers) == 24
    assert "peers asked for | 24" in neighbours.cells["ledger"]


def test_spillover_of_news_of_unknown_hour_has_both_days():
    found = run("spillover", event_date="2024-04-18", group="")
    assert [day["day_zero"] for day in found.results["days"]] == ["2024-04-18", "2024-04-19"]
    assert "hour of the news is not known" in found.cells["headline"]
    # As in the report on one announcement, so that the runner knows how far the data must reach.
    assert [one["day_zero"] for one in found.results["plausible"]] == ["2024-04-18", "2024-04-19"]
    parameters = {"source": "sample", "event_date": "2024-04-18", "window": "0,0"}
    assert collect(found.results, parameters)["window_ends"] == "2024-04-19"


def test_all_peers_confounded(tmp_path):
    source = folder(tmp_path, None)
    found = run("spillover", ticker="ACME", event_date="2024-05-14", source=source, peers="TWIN", group="")
    assert "cannot be answered: TWIN had the same day zero" in found.cells["headline"]
    assert "is as much their own news as ACME's" in found.cells["headline"]
    assert found.results["days"][0]["portfolios"]["clean"]["n"] == 0
    assert "There is no clean peer" in found.cells["share"]


def test_peers_without_prices_and_the_announcer_among_its_peers(tmp_path):
    source = folder(tmp_path, None)
    found = run(
        "spillover", ticker="ACME", event_date="2024-05-14", source=source, peers="ACME,NOPE,TWIN", group="NOPE"
    )
    problems = found.cells["provenance"]
    assert "No prices in the source: NOPE" in problems
    assert "ACME is the announcer" in problems
    assert "cannot be answered: NOPE has no figures" in found.cells["headline"]
    assert "their own news" not in found.cells["headline"]


def test_a_peer_without_a_known_calendar_is_not_called_clean(tmp_path):
    source = folder(tmp_path, None)
    found = run("spillover", ticker="ACME", event_date="2024-05-14", source=source, group="PEER")
    assert "the calendar of PEER is not known around that day" in found.cells["headline"]


def test_names_of_a_parameter():
    assert spillover_report.names_of(" A, B ,A,", "peers") == ["A", "B"]
    assert spillover_report.names_of("", "peers") == []
    with pytest.raises(es.UsageError, match="no ticker"):
        spillover_report.names_of(" , ,", "peers")
