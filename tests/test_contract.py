"""The public contract from outside: names, shapes, defaults and files that users rely on, to the letter."""

from __future__ import annotations

import copy
import inspect
import json
import pickle
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import exchange_calendars
import numpy as np
import pandas as pd
import pytest
from scipy import stats

import research as es
from research.cli import main
from research.study import benchmarks

pytestmark = [
    pytest.mark.filterwarnings("ignore::research.errors.ResearchWarning"),
    pytest.mark.filterwarnings("ignore:Series.values returning"),  # exchange_calendars on pandas 3.1
]

SAMPLE = Path(__file__).resolve().parent.parent / "data" / "sample"
LEDGER = ["event_id", "ticker", "kind", "announced_at", "timing", "day_zero", "status", "reason", "detail"]
TEST = ["window", "test", "statistic", "df", "p_value", "n_events", "null", "distribution", "definition", "note"]


@pytest.fixture(scope="module")
def inputs():
    events = es.Announcements.from_csv(SAMPLE / "events.csv")
    return events, es.sample.prices().returns(), es.sample.market_returns()


@pytest.fixture(scope="module")
def study(inputs):
    events, returns, market_returns = inputs
    return es.EventStudy(
        events,
        returns,
        model="market",
        market=market_returns,
        factors=None,
        window=(-10, 10),
        estimation=(-250, -11),
        min_observations=100,
        calendar="XNYS",
        known_announcements=None,
        other_announcements="cut",
        unknown_timing="exclude",
    )


@pytest.fixture(scope="module")
def results(study):
    return study.fit()


# -- names, shapes, types ----------------------------------------------------------------------------


def test_defaults_are_those_that_were_agreed():
    def of(function):
        parameters = inspect.signature(function).parameters.values()
        return {p.name: p.default for p in parameters if p.default is not inspect.Parameter.empty}

    assert of(es.EventStudy) == {
        "model": "market",
        "market": None,
        "factors": None,
        "window": (-10, 10),
        "estimation": (-250, -11),
        "min_observations": 100,
        "calendar": "XNYS",
        "known_announcements": None,
        "other_announcements": "cut",
        "unknown_timing": "exclude",
    }
    given = of(es.EventStudyResults.test)
    assert {name: given[name] for name in ("tests", "by", "seed", "draws")} == {
        "tests": "default",
        "by": None,
        "seed": 0,
        "draws": 9999,
    }
    assert of(es.Announcements.from_frame)["errors"] == of(es.Announcements.from_csv)["errors"] == "raise"


def test_series_and_frames_of_the_sources(inputs):
    _, returns, market_returns = inputs
    assert isinstance(market_returns, pd.Series)
    assert market_returns.name == "^GSPC"
    assert all(dtype == np.float64 for dtype in returns.dtypes)
    for index in (returns.index, market_returns.index):
        assert index.dtype == "datetime64[ns]"
        assert index.is_monotonic_increasing
        assert index.tz is None


def test_calendar_answers_in_sessions_and_labels():
    calendar = es.TradingCalendar("XNYS")
    local = ["2024-10-30 16:05", "2024-10-30 15:59", "2024-10-30 08:00", "2024-11-02 10:00"]
    timestamps = pd.to_datetime(local).tz_localize("America/New_York")
    found = calendar.day_zero(timestamps)
    assert isinstance(found, pd.DatetimeIndex)
    assert found.dtype == "datetime64[ns]"
    assert [f"{day:%Y-%m-%d}" for day in found] == ["2024-10-31", "2024-10-30", "2024-10-30", "2024-11-04"]
    assert list(calendar.timing(timestamps)) == ["amc", "dmh", "bmo", "closed"]


def test_tables_per_event(results):
    n = len(results)
    abnormal = results.abnormal_returns
    assert list(abnormal.columns) == list(range(-10, 11))
    assert abnormal.shape == results.standard_errors.shape == (n, 21)
    pd.testing.assert_index_equal(abnormal.columns, results.standard_errors.columns)
    columns = {
        "parameters": ["alpha", "beta", "sigma", "n_observations", "r_squared"],
        "car": ["car", "se", "t", "df", "p_value", "n_days"],
        "bhar": ["bhar", "buy_and_hold", "benchmark", "n_days"],
    }
    tables = {"parameters": results.parameters, "car": results.car(0, 1), "bhar": results.bhar(0, 10)}
    for name, table in tables.items():
        assert list(table.columns) == columns[name]
        pd.testing.assert_index_equal(table.index, abnormal.index)
    assert abnormal.index.names == ["ticker", "day_zero"]
    assert abnormal.index.get_level_values("day_zero").dtype == "datetime64[ns]"
    assert tables["parameters"]["n_observations"].dtype == np.int64


def test_average_has_errors_limits_and_counts(results):
    average = results.average()
    assert list(average.index) == list(range(-10, 11))
    assert {"aar", "aar_se", "aar_low", "aar_high", "caar", "caar_se", "caar_low", "caar_high", "n_events"} <= set(
        average.columns
    )


def test_table_of_tests_is_tidy(results):
    table = results.test([(0, 1), (-1, 1)], tests="default", by=None, seed=0, draws=99)
    assert list(table.columns) == TEST
    assert list(dict.fromkeys(table["window"])) == [(0, 1), (-1, 1)]
    assert not table["definition"].eq("").any()


def test_ledger_has_one_row_per_announcement_in_input_order(inputs, results):
    events, _, _ = inputs
    ledger = results.ledger
    assert list(ledger.columns) == LEDGER
    assert list(ledger["ticker"]) == list(events.frame["ticker"])
    assert ledger["event_id"].is_unique
    assert ledger["day_zero"].dtype == "datetime64[ns]"
    assert set(ledger["status"]) == {"used", "excluded"}
    assert (ledger["status"] == "used").sum() == len(results)
    assert (ledger["reason"].eq("") == ledger["status"].eq("used")).all()


def test_summary_shows_well_in_jupyter_and_plot_returns_axes(results):
    from matplotlib import pyplot
    from matplotlib.axes import Axes

    summary = results.summary([(0, 0)])
    assert "1040" in str(summary)
    assert "<table" in summary._repr_html_()
    assert str(results.summary((0, 0))) == str(summary)
    axes = results.plot()
    assert isinstance(axes, Axes)
    pyplot.close(axes.figure)


def test_public_objects_name_no_address_clock_or_folder(inputs, study, results):
    objects = [*inputs, study, results, es.sample.prices(), es.TradingCalendar("XNYS"), es.MarketModel()]
    objects += [es.open_source("sample"), es.GarchModel(), es.MatchedModel({"A": "x", "B": "x"})]
    for one in objects[0:1] + objects[3:]:
        assert not re.search(r"0x[0-9a-f]{6}|/[a-z]+/|\d\d:\d\d:\d\d", repr(one)), repr(one)


def test_completion_offers_public_names_only():
    assert [name for name in dir(es) if not name.startswith("__")] == sorted(es.__all__)


# -- nothing changes behind anybody's back --------------------------------------------------------------


def test_a_study_cannot_be_changed(study):
    for name in ("model", "settings", "events", "anything"):
        with pytest.raises(AttributeError, match="immutable"):
            setattr(study, name, None)


def test_inputs_cannot_be_changed(inputs):
    factors = es.FactorReturns.from_frame(pd.DataFrame({"RF": 1e-4}, index=pd.bdate_range("2024-01-02", periods=9)))
    for one in (inputs[0], es.sample.prices(), es.TradingCalendar("XNYS"), factors, es.MarketModel()):
        with pytest.raises(AttributeError):
            one.anything = 1
    taken = factors.frame
    taken.iloc[:] = 0.0
    assert (factors.frame == 1e-4).all(axis=None)
    assert repr(pickle.loads(pickle.dumps(factors))) == repr(factors)


def test_what_the_caller_changes_later_does_not_reach_a_study(inputs):
    events, returns, market = (part.frame if isinstance(part, es.Announcements) else part.copy() for part in inputs)
    groups = {"META": "technology", "GOOG": "technology"}
    studies = [
        es.EventStudy(events, returns, market=market),
        es.EventStudy(events, returns.assign(MARKET=market), market="MARKET"),
        es.EventStudy(events, returns, es.MatchedModel(groups)),
    ]
    before = [one.fit().car(0, 1) for one in studies]
    returns.iloc[:] = 0.0
    market.iloc[:] = 0.0
    events["ticker"] = "NONE"
    groups["AAPL"] = "technology"
    for one, expected in zip(studies, before, strict=True):
        pd.testing.assert_frame_equal(one.fit().car(0, 1), expected)


@pytest.mark.parametrize(
    "name", ["ledger", "events", "diagnostics", "parameters", "abnormal_returns", "standard_errors"]
)
def test_tables_that_are_handed_out_are_the_callers(results, name):
    expected = getattr(results, name).copy()
    taken = getattr(results, name)
    taken.iloc[:, 0] = taken.iloc[::-1, 0].to_numpy()
    taken["mine"] = 1
    pd.testing.assert_frame_equal(getattr(results, name), expected)


def test_everything_public_can_be_pickled_and_copied(inputs, study, results):
    for one in (inputs[0], es.sample.prices(), es.TradingCalendar("XNYS"), study, results, es.DimsonModel()):
        for twin in (pickle.loads(pickle.dumps(one)), copy.deepcopy(one)):
            assert repr(twin) == repr(one)
    again = pickle.loads(pickle.dumps(study))
    pd.testing.assert_frame_equal(again.fit().car(0, 1), results.car(0, 1))
    with pytest.raises(AttributeError, match="immutable"):
        again.model = None


def test_errors_survive_a_pickle_with_what_they_carry():
    with pytest.raises(es.InputError) as caught:
        es.Announcements.from_frame(pd.DataFrame({"ticker": ["A", "B"], "announced_at": ["soon", "later"]}))
    twin = pickle.loads(pickle.dumps(caught.value))
    assert str(twin) == str(caught.value)
    assert len(twin.rows) == 2


def test_threads_get_the_same_numbers(study, results):
    expected = results.test([(0, 1)], draws=199)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: study.fit().test([(0, 1)], draws=199), range(4)))
    for one in found:
        pd.testing.assert_frame_equal(one, expected)


# -- mistakes that everybody makes once ------------------------------------------------------------------


def test_prices_in_place_of_returns_are_named(inputs):
    events, returns, market = inputs
    with pytest.raises(es.InputError, match=r"returns: .* look like prices"):
        es.EventStudy(events, es.sample.prices().field("close"), market=market)
    with pytest.raises(es.InputError, match=r"market: .* look like prices"):
        es.EventStudy(events, returns, market=es.sample.market_levels())


@pytest.mark.parametrize("confidence", [95, 0, 1, -0.5, "0.95", None, float("nan")])
def test_a_coverage_is_between_0_and_1(results, confidence):
    for ask in (results.average, results.path):
        with pytest.raises(es.ParameterError, match="confidence"):
            ask(confidence=confidence)


@pytest.mark.parametrize("windows", [0, 1.5, None, [0, 1, 2], [(0, 1, 2)], "0;1", [(0, 11)]])
def test_windows_that_are_none(results, windows):
    with pytest.raises(es.ParameterError, match="window"):
        results.test(windows)


@pytest.mark.parametrize("workers", [0, -1, 1.5, "two"])
def test_threads_are_counted_from_one(study, workers):
    with pytest.raises(es.ParameterError, match="workers"):
        study.fit(workers=workers)


def test_an_almost_right_event_id_is_suggested(results):
    with pytest.raises(es.NotFoundError, match="Did you mean 'META-earnings-2024-10-31'"):
        results.path("META-earnings-2024-10-30")


def test_peers_that_nobody_knows_are_not_left_out_silently(inputs):
    events, returns, _ = inputs
    calendar, day = es.TradingCalendar("XNYS"), pd.Timestamp("2024-10-31")
    names = ["NVDA", "NOPE", "NVDA", "NADA"]
    with pytest.raises(es.NotFoundError, match="NOPE, NADA"):
        benchmarks.clean_peers(events, returns, "META", day, calendar, names)
    assert benchmarks.clean_peers(events, returns, "META", day, calendar, ["NVDA", "AAPL", "NVDA", "META"]) == ["NVDA"]


def test_remedies_that_follow_a_question_need_no_stop():
    error = es.ReportError("it failed. Did you mean 'market'?", remedy="What it left is in x.")
    assert str(error) == "it failed. Did you mean 'market'? What it left is in x."


# -- the founding report, against plain arithmetic on the tables ---------------------------------------------


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """The folder of ``earnings-study report META 2024-10-30``, its stdout and its stderr."""
    return reported(tmp_path_factory.mktemp("report"), "META", "2024-10-30")


def reported(folder, *arguments):
    import contextlib
    import io

    out, err = io.StringIO(), io.StringIO()
    with contextlib.chdir(folder), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main(["report", *arguments])
    assert status == 0, err.getvalue()
    return folder, out.getvalue(), err.getvalue()


def numbers(report):
    folder, out, _ = report
    return json.loads((folder / out.strip()).with_name("results.json").read_text(encoding="utf-8"))


class Plain:
    """Meta's announcement from the tables of the sample, with nothing of the package."""

    def __init__(self):
        calendar = exchange_calendars.get_calendar("XNYS", start="2012-01-01", end="2025-03-01")
        self.sessions = calendar.sessions
        self.closes = calendar.schedule["close"].dt.tz_convert("UTC")
        prices = pd.read_parquet(SAMPLE / "prices_daily.parquet")
        own = prices[prices["ticker"] == "META"].assign(date=lambda t: pd.to_datetime(t["date"]))
        self.prices = own.set_index("date")
        market = pd.read_parquet(SAMPLE / "market_daily.parquet").assign(date=lambda t: pd.to_datetime(t["date"]))
        self.r = self.prices["adj_close"].pct_change().reindex(self.sessions).to_numpy()
        self.m = market.set_index("date")["close"].pct_change().reindex(self.sessions).to_numpy()
        events = pd.read_csv(SAMPLE / "events.csv")
        self.events = events[events["ticker"] == "META"]
        self.days = [self.day_zero(*row) for row in self.events[["announced_at", "session"]].itertuples(index=False)]

    def day_zero(self, announced_at, session):
        if "T" in announced_at:
            return int(np.argmax((self.closes > pd.Timestamp(announced_at)).to_numpy()))
        place = int(self.sessions.get_loc(pd.Timestamp(announced_at)))
        return place + (session == "amc")

    def fit(self, day, cut=True):
        rows = [t for t in range(day - 250, day - 10) if t > 0]
        if cut:
            others = [other for other in self.days if other != day]
            rows = [t for t in rows if all(abs(t - other) > 1 for other in others)]
        rows = [t for t in rows if np.isfinite(self.r[t] + self.m[t])]
        x = np.column_stack([np.ones(len(rows)), self.m[rows]])
        coefficients, rss, *_ = np.linalg.lstsq(x, self.r[rows], rcond=None)
        return rows, x, coefficients, np.sqrt(rss[0] / (len(rows) - 2))

    def car(self, day, first, last, cut=True):
        rows, x, coefficients, s = self.fit(day, cut)
        window = np.arange(day + first, day + last + 1)
        inside = np.column_stack([np.ones(len(window)), self.m[window]])
        car = (self.r[window] - inside @ coefficients).sum()
        covariance = s**2 * (np.eye(len(window)) + inside @ np.linalg.inv(x.T @ x) @ inside.T)
        se = np.sqrt(covariance.sum())
        return car, se, car / se, 2 * stats.t.sf(abs(car / se), len(rows) - 2)


@pytest.fixture(scope="module")
def plain():
    return Plain()


@pytest.mark.slow
def test_report_folder_and_streams(report):
    folder, out, err = report
    assert out == "reports/meta-2024-10-30/report.html\n"
    assert all(line.startswith("earnings-study: ") for line in err.splitlines())
    target = folder / "reports" / "meta-2024-10-30"
    assert {"report.html", "notebook.ipynb", "results.json", "manifest.json"} <= {p.name for p in target.iterdir()}
    assert (target / "report.html").stat().st_size < 1_000_000
    manifest = json.loads((target / "manifest.json").read_text(encoding="utf-8"))
    assert {"parameters", "versions", "source", "input_hash"} <= set(manifest)
    assert manifest["parameters"]["ticker"] == "META"
    assert re.fullmatch("[0-9a-f]{64}", manifest["input_hash"])
    assert re.fullmatch("[0-9a-f]{64}", manifest["source"]["sha256"])


@pytest.mark.slow
def test_results_have_the_agreed_fields(report):
    found = numbers(report)
    assert {"ticker", "announced_at", "timing", "day_zero"} <= set(found["event"])
    assert {"start", "end", "n_observations"} <= set(found["estimation"])
    assert {"alpha", "beta", "sigma"} <= set(found["parameters"])
    assert all({"start", "end", "car", "se", "t", "p_value"} <= set(window) for window in found["windows"])
    assert {"z", "rank", "n"} <= set(found["earnings_day"])
    assert set(found["reaction"]["simple"]) == {"close_to_close", "overnight", "intraday", "after_hours"}
    assert set(found["reaction"]["log"]) == {"pre_release", "release", "call", "pre_market", "session"}
    assert {"input", "used", "excluded"} <= set(found["ledger"])
    assert found["model"] == "market"
    assert type(found["earnings_day"]["rank"]) is int


@pytest.mark.slow
def test_every_figure_of_the_founding_example_follows_from_the_tables(report, plain):
    found = numbers(report)
    day = plain.sessions.get_loc(pd.Timestamp("2024-10-31"))
    assert day == plain.day_zero("2024-10-30T16:05:00-04:00", "amc")
    assert (found["event"]["timing"], found["event"]["day_zero"]) == ("amc", "2024-10-31")
    rows, _, (alpha, beta), s = plain.fit(day)
    estimation = found["estimation"]
    assert estimation["n_observations"] == len(rows) == 231
    assert estimation["start"] == f"{plain.sessions[day - 250]:%Y-%m-%d}"
    assert estimation["end"] == f"{plain.sessions[day - 11]:%Y-%m-%d}"
    np.testing.assert_allclose([found["parameters"][k] for k in ("alpha", "beta", "sigma")], [alpha, beta, s], 1e-9)
    np.testing.assert_allclose(found["day_zero"]["return"], plain.r[day], 1e-12)
    np.testing.assert_allclose(found["day_zero"]["market_return"], plain.m[day], 1e-12)
    for window in found["windows"]:
        expected = plain.car(day, window["start"], window["end"])
        np.testing.assert_allclose([window[k] for k in ("car", "se", "t", "p_value")], expected, 1e-9, 1e-12)
    assert {(0, 0), (0, 1), (-1, 1), (-10, -1)} <= {(w["start"], w["end"]) for w in found["windows"]}


@pytest.mark.slow
def test_its_own_earnings_days_follow_from_the_tables(report, plain):
    day = plain.sessions.get_loc(pd.Timestamp("2024-10-31"))
    earlier = [d for d in plain.days if d < day and len(plain.fit(d)[0]) >= 100]
    moves = np.array([plain.car(d, 0, 0)[0] for d in earlier])
    here = plain.car(day, 0, 0)[0]
    found = numbers(report)["earnings_day"]
    assert found["n"] == len(moves) == 45
    assert found["rank"] == 1 + (np.abs(moves) > abs(here)).sum()
    np.testing.assert_allclose(found["z"], here / np.sqrt((moves**2).mean()), 1e-9)


@pytest.mark.slow
def test_the_legs_of_the_evening_follow_from_the_bars(report, plain):
    bars = pd.read_parquet(SAMPLE / "intraday_META_2024-10-30.parquet")
    ends = bars["ts"].dt.tz_convert("America/New_York") + pd.Timedelta(minutes=1)

    def last(clock):
        return bars["close"][ends <= pd.Timestamp(f"2024-10-30 {clock}", tz="America/New_York")].iloc[-1]

    before, after = plain.prices.loc["2024-10-30"], plain.prices.loc["2024-10-31"]
    points = [before["close"], last("16:05"), last("17:00"), last("20:00"), after["open"], after["close"]]
    found = numbers(report)["reaction"]
    legs = [found["log"][name] for name in ("pre_release", "release", "call", "pre_market", "session")]
    np.testing.assert_allclose(legs, np.diff(np.log(points)), atol=1e-12)
    assert abs(sum(legs) - np.log(567.58 / 591.80)) < 1e-12
    simple = {
        "close_to_close": points[5] / points[0] - 1,
        "overnight": points[4] / points[0] - 1,
        "intraday": points[5] / points[4] - 1,
        "after_hours": points[3] / points[0] - 1,
    }
    for name, value in simple.items():
        np.testing.assert_allclose(found["simple"][name], value, atol=1e-12, err_msg=name)


def test_the_variants_follow_from_the_tables(inputs, plain):
    events, returns, market = inputs
    day = plain.sessions.get_loc(pd.Timestamp("2024-10-31"))
    own = events.for_ticker("META")
    kept = es.EventStudy(own, returns, market=market, other_announcements="keep").fit()
    i = kept.locate("META-earnings-2024-10-31")
    rows, _, (_, beta), s = plain.fit(day, cut=False)
    assert kept.parameters["n_observations"].iloc[i] == len(rows) == 240
    np.testing.assert_allclose(kept.parameters[["beta", "sigma"]].iloc[i], [beta, s], 1e-9)
    np.testing.assert_allclose(kept.car(0, 0).iloc[i][["car", "se", "t", "p_value"]], plain.car(day, 0, 0, False), 1e-9)

    dates = own.frame.assign(announced_at=own.frame["announced_on"].dt.strftime("%Y-%m-%d"))
    bare = es.Announcements.from_frame(dates[["ticker", "announced_at"]])
    wrong = es.EventStudy(bare, returns, market=market, unknown_timing="same-session").fit()
    plain_dates = copy.copy(plain)
    places = [plain.sessions.get_loc(d) for d in own.frame["announced_on"]]
    plain_dates.days = [place + k for place in places for k in (0, 1)]  # both plausible day zeros are cut around
    i = wrong.locate("META-earnings-2024-10-30")
    expected = plain_dates.car(day - 1, 0, 0)[0]
    np.testing.assert_allclose(wrong.abnormal_returns[0].iloc[i], expected, 1e-9)
    np.testing.assert_allclose(plain.r[day - 1], -0.0025, atol=5e-5)


# -- a folder of one's own with everything that is optional ----------------------------------------------------


@pytest.fixture
def folder(tmp_path):
    """Three companies of the sample as somebody else would keep them, with every optional file."""
    mine = tmp_path / "mine"
    (mine / "intraday").mkdir(parents=True)
    names = ["META", "AAPL", "AMZN"]
    prices = pd.read_parquet(SAMPLE / "prices_daily.parquet")
    prices = prices[prices["ticker"].isin(names)].astype({"ticker": str})
    prices["ticker"] = prices["ticker"].replace({"META": "FB"})
    prices.rename(columns={"date": "Datum", "close": "PX_LAST"}).to_parquet(mine / "prices.parquet", index=False)
    for table in ("events", "actions"):
        frame = pd.read_csv(SAMPLE / f"{table}.csv")
        frame[frame["ticker"].isin(names)].to_csv(mine / f"{table}.csv", index=False)
    (mine / "metrics.csv").write_bytes((SAMPLE / "metrics.csv").read_bytes())
    market = pd.read_parquet(SAMPLE / "market_daily.parquet")
    market.to_csv(mine / "market.csv", index=False)
    rng = np.random.default_rng(0)
    small = rng.normal(0, 0.3, (len(market) - 1, 2)).round(4)
    factors = pd.DataFrame({"date": market["date"][1:], "Mkt-RF": 100 * market["close"].pct_change()[1:]})
    factors.assign(SMB=small[:, 0], HML=small[:, 1], RF=0.01).to_csv(mine / "factors.csv", index=False)
    bars = pd.read_parquet(SAMPLE / "intraday_META_2024-10-30.parquet")
    bars[["ts", "close"]].to_csv(mine / "intraday" / "META_2024-10-30.csv", index=False)
    (mine / "columns.toml").write_text(
        'market_symbol = "^GSPC"\nfactors_unit = "percent"\n'
        '[prices]\ndate = "Datum"\nclose = "PX_LAST"\n[aliases]\nFB = "META"\n',
        encoding="utf-8",
    )
    return tmp_path


@pytest.mark.slow
def test_every_optional_file_of_a_folder_reaches_the_report(folder):
    done = reported(folder, "META", "2024-10-30", "--source", "files:mine", "--parameter", "model=ff3")
    found = numbers(done)
    assert found["model"] == "ff3"
    assert set(found["parameters"]) >= {"alpha", "sigma", "Mkt-RF", "SMB", "HML"}
    assert found["reaction"]["log"]["call"] is not None
    assert found["ledger"]["input"] == found["ledger"]["used"] + sum(found["ledger"]["excluded"].values())
    manifest = json.loads((folder / done[1].strip()).with_name("manifest.json").read_text(encoding="utf-8"))
    assert len(manifest["source"]["files"]) == 8
    page = (folder / done[1].strip()).read_text(encoding="utf-8")
    for model in ("market-adjusted", "mean-adjusted", "capm", "ff3"):
        assert f">{model}</" in page
    assert "reality labs" in page


def test_models_are_available_where_their_factors_are():
    days = pd.bdate_range("2024-01-02", periods=300)
    rng = np.random.default_rng(1)
    names = ["Mkt-RF", "SMB", "HML", "RMW", "CMA", "MOM"]
    factors = pd.DataFrame(rng.normal(0, 0.005, (300, 6)), index=days, columns=names).assign(RF=0.0001)
    plain = ["market", "market-adjusted", "mean-adjusted"]
    assert benchmarks.available_models() == plain
    assert benchmarks.available_models(factors) == [*plain, "capm", "ff3", "carhart", "ff5", "ff6"]
    assert benchmarks.available_models(factors[["Mkt-RF", "SMB", "HML", "RF"]]) == [*plain, "capm", "ff3"]
    assert benchmarks.available_models(factors[names]) == plain
    checked = es.FactorReturns.from_frame(factors)
    assert benchmarks.available_models(checked) == benchmarks.available_models(factors)


def test_an_unknown_model_is_wrong_usage_before_anything_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["report", "META", "2024-10-30", "--parameter", "model=markt"]) == 2
    assert "Did you mean 'market'?" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
