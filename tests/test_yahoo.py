"""The real yfinance client against a played Yahoo: shapes, traps, and every way in which it fails."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from loopback import CRUMB, Company, Loopback
from yfinance.data import SingletonMeta

from research.errors import SourceError
from research.events.calendar import TradingCalendar
from research.sources import _yahoo_pages as pages
from research.sources import yahoo
from research.sources._http import GATEWAY
from research.sources._retry import Budget, BudgetError, Retry, TransientError
from research.sources.replay import SnapshotSource, _on_basis
from research.sources.snapshots import SnapshotStore
from research.study.study import EventStudy

NOW = pd.Timestamp("2024-11-15T22:30:00Z")
ROWS = [
    ("January 29, 2025 at 4 PM EST", "6.75", "-", "-"),
    ("October 30, 2024 at 4:05 PM EDT", "5.25", "6.03", "+14.86"),
    ("July 31, 2024 at 4 PM EDT", "4.73", "5.16", "+9.09"),
    ("April 24, 2024 at 7 AM EDT", "4.32", "4.71", "+9.03"),
]
UPCOMING = {
    "earningsDate": [{"raw": 1738184400, "fmt": "2025-01-29"}],
    "isEarningsDateEstimate": False,
    "earningsAverage": {"raw": 6.75, "fmt": "6.75"},
    "earningsLow": {"raw": 6.1},
    "earningsHigh": {"raw": 7.2},
    "revenueAverage": {"raw": 46_980_000_000, "fmt": "46.98B"},
}
TREND = [
    {
        "period": "0q",
        "endDate": "2024-12-31",
        "earningsEstimate": {
            "avg": {"raw": 6.7},
            "low": {},
            "numberOfAnalysts": {"raw": 38},
            "yearAgoEps": {"raw": 5.33},
        },
        "revenueEstimate": {"avg": {"raw": 46.9e9}},
    }
]


@pytest.fixture
def yahoo_played(monkeypatch):
    # yfinance keeps one cookie and crumb a process; each test begins without
    monkeypatch.setattr(SingletonMeta, "_instances", {})
    state = Loopback()
    state.now = NOW
    state.add(Company("META", rows=list(ROWS), upcoming=dict(UPCOMING), trend=TREND))
    state.add(Company("SPY", instrument="ETF"))
    with state.serving() as url:
        monkeypatch.setenv(GATEWAY, url)
        yield state


@pytest.fixture
def slept():
    return []


@pytest.fixture
def client(slept):
    def make(attempts=2, seconds=600.0, now=NOW, timeout=5.0, base=1.0, **more):
        retry = Retry(attempts, base, sleep=slept.append, uniform=lambda: 0.5)
        return yahoo.YahooClient(Budget(seconds), retry, pace=0, timeout=timeout, now=lambda: now, **more)

    return make


# --- what comes in -----------------------------------------------------------------------


def test_a_company_comes_with_all_its_tables(yahoo_played, client):
    tables, facts, incomplete = client().fetch("META", "2023-01-03")
    assert incomplete == {}
    assert facts == {"currency": "USD", "exchange": "NMS", "instrument": "EQUITY"}
    assert set(tables) == {"prices", "actions", "announcements", "estimates", "intraday"}
    sessions = TradingCalendar().sessions
    expected = sessions[(sessions >= "2023-01-03") & (sessions <= "2024-11-15")]
    prices = tables["prices"].set_index("date")
    assert prices.index.equals(pd.DatetimeIndex(expected, name="date"))
    truth = yahoo_played.companies["META"].bars(expected)
    for name in ("open", "high", "low", "close", "volume"):
        np.testing.assert_allclose(prices[name], truth[name], rtol=1e-12)


def test_cookie_and_crumb_are_those_of_the_real_client(yahoo_played, client):
    client().fetch("META", "2024-01-02")
    assert yahoo_played.asked("fc.yahoo.com")
    assert yahoo_played.asked("getcrumb")
    summaries = yahoo_played.asked("quoteSummary")
    assert summaries
    assert all(CRUMB.replace("/", "%2F") in path for path in summaries)


def test_a_fund_has_prices_and_nothing_else(yahoo_played, client):
    tables, facts, _ = client().fetch("SPY", "2024-01-02")
    assert set(tables) == {"prices", "actions"}
    assert facts["instrument"] == "ETF"
    assert not yahoo_played.asked("calendar/earnings")


@pytest.mark.parametrize(
    ("now", "last"),
    [
        ("2024-11-15T20:00:00Z", "2024-11-14"),  # the session is running
        ("2024-11-15T21:10:00Z", "2024-11-14"),  # it has ended, but is not settled
        ("2024-11-15T21:21:00Z", "2024-11-15"),
        ("2024-11-17T12:00:00Z", "2024-11-15"),  # a Sunday
        ("2024-11-29T18:30:00Z", "2024-11-29"),  # after an early close at 13:00
    ],
)
def test_a_running_session_is_no_bar(yahoo_played, client, now, last):
    yahoo_played.now = pd.Timestamp(now)
    tables, _, _ = client(now=pd.Timestamp(now)).fetch("SPY", "2024-11-01")
    assert tables["prices"]["date"].iloc[-1] == pd.Timestamp(last)


def test_all_pages_of_the_calendar_are_read(yahoo_played, client):
    quarters = pd.date_range("1964-01-30", periods=230, freq="91D")
    yahoo_played.companies["META"].rows = [(f"{day:%B %d, %Y} at 4 PM EST", "1", "1", "0") for day in quarters[::-1]]
    tables, _, _ = client().fetch("META", "2024-01-02")
    assert len(yahoo_played.asked("calendar/earnings")) == 3
    assert len(tables["announcements"]) == 230


def test_a_page_that_repeats_itself_ends_the_paging(yahoo_played, client, monkeypatch):
    monkeypatch.setattr(yahoo, "_PAGE", 4)
    yahoo_played.page = lambda query: Loopback.page(yahoo_played, {**query, "offset": ["0"]})
    tables, _, _ = client().fetch("META", "2024-01-02")
    assert len(tables["announcements"]) == 4


def test_total_returns_follow_from_raw_bars_and_split_adjusted_dividends(yahoo_played, client, tmp_path):
    company = yahoo_played.companies["META"]
    company.dividends = {"2024-03-01": 0.05, "2024-06-10": 0.06, "2024-09-03": 0.07}
    company.splits = {"2024-06-10": (10, 1), "2024-08-05": (3, 2)}
    store = SnapshotStore(tmp_path)
    tables, facts, _ = client().fetch("META", "2024-01-02")
    store.land("yahoo", "META", tables, request={"start": "2024-01-02"}, fetched_at=NOW, facts=facts)
    source = SnapshotSource(store.state(), "yahoo")
    close = tables["prices"].set_index("date")["close"]
    expected = close.pct_change(fill_method=None)
    for day, amount in company.dividends.items():  # Yahoo's amounts are on today's shares, as its closes are
        at = close.index.get_loc(pd.Timestamp(day))
        expected.iloc[at] = (close.iloc[at] + amount) / close.iloc[at - 1] - 1
    got = source.returns(["META"])["META"]
    np.testing.assert_allclose(got.iloc[1:], expected.iloc[1:], rtol=0, atol=1e-14)
    declared = source.prices(["META"]).actions.dropna(subset="dividend").set_index("ex_date")["dividend"]
    np.testing.assert_allclose(declared, [0.05 * 15, 0.06 * 15, 0.07], rtol=1e-12)


def test_capital_gains_of_a_fund_count_as_dividends(client):
    day = pd.Timestamp("2024-11-14", tz="America/New_York")
    bar = {"Open": 1.0, "High": 1.0, "Low": 1.0, "Close": 1.0, "Volume": 1, "Stock Splits": 0.0}
    history = pd.DataFrame([{**bar, "Dividends": 0.25, "Capital Gains": 0.5}], index=[day])
    assert client()._daily(history, "SPY")["actions"]["dividend"].tolist() == [0.75]


# --- when an announcement was ------------------------------------------------------------

FORMS = [
    ("October 30, 2024 at 4 PM EDT", "2024-10-30", "amc", "session", None),
    ("October 30, 2024 at 4:05 PM EDT", "2024-10-30", None, "minute", "2024-10-30T20:05Z"),
    ("Oct 30, 2024, 4 PM EDT", "2024-10-30", "amc", "session", None),
    ("Oct 30, 2024, 4 PMEDT", "2024-10-30", "amc", "session", None),
    ("Oct 30, 2024, 4:05\u202fPM EDT", "2024-10-30", None, "minute", "2024-10-30T20:05Z"),
    ("Jan 25, 2024 at 8:30 AM EST", "2024-01-25", None, "minute", "2024-01-25T13:30Z"),
    ("Jan 25, 2024 at 7 AM EST", "2024-01-25", "bmo", "session", None),
    ("Jan 25, 2024 at 11 AM EST", "2024-01-25", "dmh", "session", None),
    ("Jul 3, 2024 at 1 PM EDT", "2024-07-03", "amc", "session", None),  # closes at 13:00 that day
    ("May 4, 2024 at 8 AM EDT", "2024-05-04", "amc", "session", None),  # a Saturday: the next session
    ("Oct 30, 2024, 8:05 PM UTC", "2024-10-30", None, "minute", "2024-10-30T20:05Z"),
    ("Oct 31, 2024, 6:30 AM GMT+9", "2024-10-30", None, "minute", "2024-10-30T21:30Z"),
    ("Oct 30, 2024, 1:05 PM PDT", "2024-10-30", None, "minute", "2024-10-30T20:05Z"),
    ("Oct 30, 2024", "2024-10-30", None, "date", None),
    ("Oct 30, 2024, 12 AM EDT", "2024-10-30", None, "date", None),
    ("October 29, 2024 at 8 PM EDT", "2024-10-30", None, "date", None),  # midnight UTC: the date of the day after
    ("February 3, 2025 at 7 PM EST", "2025-02-04", None, "date", None),
    ("Oct 30, 2024, After Market Close", "2024-10-30", "amc", "session", None),
    ("Oct 30, 2024 (Before Market Open)", "2024-10-30", "bmo", "session", None),
    ("Oct 30, 2024, Time Not Supplied", "2024-10-30", None, "date", None),
    ("Oct 30, 2024, TAS", "2024-10-30", None, "date", None),
    ("October 30, 2099 at 4 PM EDT", "2099-10-30", None, "date", None),  # beyond every calendar
    ("2024-10-30", "2024-10-30", None, "date", None),
    ("2024-10-30T20:05:00.000Z", "2024-10-30", None, "minute", "2024-10-30T20:05Z"),
    ("2024-10-30T20:00:00Z", "2024-10-30", "amc", "session", None),
    ("2024-10-30T00:00:00Z", "2024-10-30", None, "date", None),
]


@pytest.mark.parametrize(("text", "day", "session", "precision", "instant"), FORMS)
def test_every_known_form_of_a_date_is_read(text, day, session, precision, instant):
    text = pages._spaced(text)
    row = pages.events([{"text": text}], "META", TradingCalendar()).iloc[0]
    assert (row["announced_on"], row["precision"]) == (pd.Timestamp(day), precision)
    assert (row["session"] if isinstance(row["session"], str) else None) == session
    assert pd.isna(row["announced_at"]) if instant is None else row["announced_at"] == pd.Timestamp(instant)


UNKNOWN = [
    "Q4 2024",
    "30/10/2024",
    "Oct 30, 2024 at 4 PM XYZ",
    "Febtember 3, 2024",
    "Oct 32, 2024",
    "Oct 30, 2024 at 13 PM EDT",
    "2024-10-30T16:05:00",
]


@pytest.mark.parametrize("text", UNKNOWN)
def test_an_unknown_form_is_refused_and_named(text):
    with pytest.raises(SourceError, match="form that is not known") as caught:
        pages.events([{"text": "Oct 30, 2024"}, {"text": text}], "META", TradingCalendar())
    assert repr(text) in str(caught.value)


def test_a_column_with_the_part_of_the_day_counts():
    row = {"text": "Oct 30, 2024", "call_time": "AMC"}
    assert pages.events([row], "META", TradingCalendar())["session"].tolist() == ["amc"]


def test_rows_of_other_companies_and_repeats_are_not_taken(yahoo_played, client):
    company = yahoo_played.companies["META"]
    company.rows = [*ROWS, ROWS[2]]
    tables, _, _ = client().fetch("META", "2024-01-02")
    assert len(tables["announcements"]) == len(ROWS)
    page = yahoo_played.page({"symbol": ["META"], "offset": ["0"], "size": ["100"]}).replace(">META<", ">METB<", 1)
    rows, listed = pages.calendar_rows(page, "META")
    assert (len(rows), listed) == (len(company.rows) - 1, len(company.rows))


def test_rows_that_do_not_fit_the_header_are_no_silence(yahoo_played):
    page = yahoo_played.page({"symbol": ["META"], "offset": ["0"], "size": ["100"]})
    notice = page.replace("<tbody>", '<tbody><tr><td colspan="6">An advertisement</td></tr>')
    assert pages.calendar_rows(notice, "META")[0] == pages.calendar_rows(page, "META")[0]
    with pytest.raises(SourceError, match="do not fit its header"):
        pages.calendar_rows(page.replace("</td></tr>", "</td><td>new</td></tr>"), "META")


def test_rows_without_a_date_do_not_end_the_paging(yahoo_played, client):
    dated = [(f"October {1 + i % 28}, {2020 - i // 28} at 4 PM EDT", "1", "1", "0") for i in range(130)]
    yahoo_played.companies["META"].rows = [("-", "-", "-", "-"), ("TBD", "-", "-", "-"), *dated]
    tables, _, _ = client().fetch("META", "2024-01-02")
    assert len(tables["announcements"]) == 130


# --- consensus and minute bars, which cannot be had again ----------------------------------


def test_consensus_is_kept_with_its_time_and_used_for_the_announcement(yahoo_played, client, tmp_path):
    store = SnapshotStore(tmp_path)

    def land(now):
        yahoo_played.now = pd.Timestamp(now)
        made = client(now=pd.Timestamp(now)).fetch("META", "2024-01-02", store.vintages("yahoo", "META"))
        store.land("yahoo", "META", made[0], request={"start": "2024-01-02"}, fetched_at=pd.Timestamp(now))

    company = yahoo_played.companies["META"]
    land("2024-11-15T22:30Z")
    company.upcoming = {**UPCOMING, "earningsAverage": {"raw": 6.9}}
    land("2025-01-29T15:00Z")
    company.upcoming = {**UPCOMING, "earningsDate": [{"raw": 1745956800}], "earningsAverage": {"raw": 5.2}}
    company.rows[0] = ("January 29, 2025 at 4:01 PM EST", "8.02", "8.02", "0.00")  # revised afterwards
    land("2025-01-31T22:30Z")
    source = SnapshotSource(store.state(), "yahoo")
    table = source.estimates("META")
    nearest = table[(table["period"] == "next") & (table["metric"] == "eps")]
    assert nearest["mean"].tolist() == [6.75, 6.9, 5.2]
    assert nearest["fetched_at"].is_monotonic_increasing
    assert set(table["period"]) == {"next", "0q"}
    event = source.announcements("META").find("META", "2025-01-29")
    assert event["eps_estimate"] == 6.9
    assert pd.Timestamp(event["estimate_as_of"]) == pd.Timestamp("2025-01-29T15:00Z")
    earlier = source.announcements("META").find("META", "2024-10-30")
    assert (earlier["eps_estimate"], pd.isna(earlier["estimate_as_of"])) == (5.25, True)


@pytest.mark.parametrize(("listed", "expected"), [(0.68, 0.69), (6.8, 6.9), (np.nan, 0.69), (0.0, 0.69)])
def test_a_kept_consensus_follows_the_vendor_to_the_shares_after_a_split(listed, expected):
    assert _on_basis(6.9, listed, 10.0) == pytest.approx(expected)
    assert _on_basis(6.9, listed, 1.0) == 6.9


def test_announcements_that_are_still_to_come_are_listed_and_never_studied(yahoo_played, client, tmp_path):
    store = SnapshotStore(tmp_path)
    for ticker in ("META", "SPY"):
        made = client().fetch(ticker, "2023-01-03")
        store.land("yahoo", ticker, made[0], request={"start": "2023-01-03"}, fetched_at=NOW)
    source = SnapshotSource(store.state(), "yahoo")
    coming = source.announcements("META").find("META", "2025-01-29")
    assert (coming["eps_estimate"], pd.isna(coming["eps_actual"])) == (6.75, True)
    assert pd.Timestamp(coming["estimate_as_of"]) == NOW
    with pytest.warns(UserWarning, match="fewer than 3"):
        results = EventStudy(source.announcements(), source.returns(), market=source.market_returns()).fit()
    ledger = results.ledger.set_index("event_id")
    assert ledger.loc[coming["event_id"], ["status", "reason"]].tolist() == ["excluded", "outside-price-history"]
    assert (ledger["status"] == "used").sum() == 3


def test_minute_bars_are_fetched_while_they_can_be_and_carried_on(yahoo_played, client, tmp_path):
    store = SnapshotStore(tmp_path)
    made = client().fetch("META", "2024-01-02")
    bars = made[0]["intraday"]
    days = bars["ts"].dt.tz_convert("America/New_York").dt.strftime("%Y-%m-%d")
    assert sorted(set(days)) == ["2024-10-29", "2024-10-30", "2024-10-31"]
    requests = list(yahoo_played.asked("interval=1m"))
    assert len(requests) == 1
    assert "includePrePost=true" in requests[0]
    store.land("yahoo", "META", made[0], request={"start": "2024-01-02"}, fetched_at=NOW)
    later = pd.Timestamp("2025-01-10T22:30Z")
    yahoo_played.now = later
    again = client(now=later).fetch("META", "2024-01-02", store.vintages("yahoo", "META"))
    assert len(yahoo_played.asked("interval=1m")) == 1  # out of Yahoo's reach by now
    pd.testing.assert_frame_equal(again[0]["intraday"], bars)
    source = SnapshotSource(store.state(), "yahoo")
    found = source.intraday("META", "2024-10-30")
    assert len(found) == len(bars)
    assert source.intraday("META", "2024-07-31") is None


def test_estimates_come_in_both_spellings_of_numbers():
    earnings = {"earningsDate": [1738184400, 1738600000], "earningsAverage": 6.75}
    plain = {"quoteSummary": {"result": [{"calendarEvents": {"earnings": earnings}}]}}
    table = pages.estimates(plain, NOW)
    assert table["mean"].tolist()[0] == 6.75
    assert table["date_is_estimate"].tolist()[0]  # a span of days is a guess
    with pytest.raises(SourceError, match="another shape"):
        pages.estimates({"quoteSummary": {"result": None}}, NOW)


# --- failures ----------------------------------------------------------------------------

RATE, FAULT, TIME, CUT, BROKEN = "limits the rate", "fault of its own", "no answer in time", "cut short", "broke"


@pytest.mark.parametrize(
    ("pattern", "kind", "words"),
    [
        ("chart", "429", RATE),
        ("chart", "500", FAULT),
        ("chart", "hang", TIME),
        ("chart", "truncate", CUT),
        ("chart", "reset", BROKEN),
        ("chart", "html", "data where data was due"),
        ("chart", "down", "not available"),
        ("chart", "empty", "empty table of prices"),
        ("calendar/earnings", "429", RATE),
        ("calendar/earnings", "500", FAULT),
        ("calendar/earnings", "hang", TIME),
        ("calendar/earnings", "truncate", CUT),
        ("calendar/earnings", "down", "page of regret"),
        ("calendar/earnings", "empty", "page where the earnings calendar was due"),
        ("calendar/earnings", "html", "asks for consent to cookies"),
        ("calendar/earnings", "other", "some other page"),
    ],
)
def test_a_failure_is_asked_again_and_then_named(yahoo_played, client, slept, pattern, kind, words):
    yahoo_played.fail(pattern, kind, times=99)
    with pytest.raises(TransientError, match=words) as caught:
        client(attempts=3, timeout=0.4).fetch("META", "2024-01-02")
    assert "Yahoo" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(slept) == 2


@pytest.mark.parametrize("kind", ["429", "500", "truncate", "reset", "html", "down", "empty"])
def test_a_failure_that_passes_is_outlived(yahoo_played, client, slept, kind):
    clean, _, _ = client().fetch("SPY", "2024-01-02")
    # yfinance asks a second time by itself where it was refused, with other cookies
    yahoo_played.fail("chart", kind, times=2 if kind in ("429", "500") else 1)
    tables, _, incomplete = client(attempts=3).fetch("SPY", "2024-01-02")
    assert slept or kind == "reset"  # curl itself takes a new connection where an old one broke
    assert incomplete == {}
    pd.testing.assert_frame_equal(tables["prices"], clean["prices"])


def test_rate_limits_in_waves_are_waited_out_as_long_as_the_service_asks(yahoo_played, client, slept):
    for skip in (0, 2, 4):
        yahoo_played.fail("chart", "429", times=2, skip=skip)
    told = []
    tables, _, _ = client(attempts=6, base=0.5, tell=told.append).fetch("SPY", "2024-01-02")
    assert len(tables["prices"]) > 200
    assert slept
    assert min(slept) >= 2.0
    assert any("asking again" in line for line in told)


def test_estimates_that_fail_do_not_take_the_prices_with_them(yahoo_played, client):
    yahoo_played.fail("quoteSummary", "500", times=99)
    tables, _, incomplete = client().fetch("META", "2024-01-02")
    assert "estimates" not in tables
    assert list(incomplete) == ["estimates"]
    assert "HTTP 500" in incomplete["estimates"]


def test_a_crumb_that_is_refused_is_asked_for_again(yahoo_played, client, slept):
    yahoo_played.fail("getcrumb", "429", times=3)
    tables, _, incomplete = client(attempts=3).fetch("META", "2024-01-02")
    assert incomplete == {}
    assert len(tables["estimates"])
    assert slept


def test_a_second_client_of_the_process_gets_its_own_cookie(yahoo_played, client):
    for _ in range(2):
        tables, _, incomplete = client().fetch("META", "2024-01-02")
        assert incomplete == {}
        assert len(tables["estimates"])


def test_a_page_in_the_middle_of_the_calendar_that_is_none_is_no_end_of_it(yahoo_played, client):
    rows = [(f"October {1 + i % 28}, {2020 - i // 28} at 4 PM EDT", "1", "1", "0") for i in range(130)]
    yahoo_played.companies["META"].rows = rows
    yahoo_played.fail("offset=100", "html")
    tables, _, _ = client().fetch("META", "2024-01-02")
    assert len(tables["announcements"]) == 130


def test_yahoos_own_reason_is_told(yahoo_played, client, slept):
    yahoo_played.fail("chart", "refuse", times=99)
    with pytest.raises(SourceError, match=r"HTTP 400\): Data doesn't exist for startDate") as caught:
        client().fetch("SPY", "2024-01-02")
    assert not isinstance(caught.value, TransientError)
    assert slept == []


def test_an_unknown_ticker_is_named_at_once(yahoo_played, client, slept):
    with pytest.raises(SourceError, match="no such ticker") as caught:
        client(attempts=5).fetch("NOPE", "2024-01-02")
    assert not isinstance(caught.value, TransientError)
    assert slept == []


def test_a_company_without_announcements_is_told_apart(yahoo_played, client):
    yahoo_played.companies["META"].rows = []
    with pytest.raises(SourceError, match="lists no earnings announcement of META"):
        client().fetch("META", "2024-01-02")


@pytest.mark.parametrize("column", ["open", "close", "volume"])
def test_a_missing_column_of_prices_is_a_changed_layout(yahoo_played, client, column):
    yahoo_played.columns_missing = {column}
    with pytest.raises(SourceError, match=r"another shape|layout has changed") as caught:
        client().fetch("SPY", "2024-01-02")
    assert not isinstance(caught.value, TransientError)


def test_a_changed_column_of_the_calendar_is_named(yahoo_played, client):
    columns = list(yahoo_played.companies["META"].page_columns)
    columns[2] = "Report Date"
    yahoo_played.companies["META"].page_columns = tuple(columns)
    with pytest.raises(SourceError, match=r"no column 'earnings date'.*layout has changed"):
        client().fetch("META", "2024-01-02")


def test_a_foreign_session_is_refused(yahoo_played, client):
    yahoo_played.add(Company("BP.L", zone="Europe/London"))
    with pytest.raises(SourceError, match="trades in Europe/London"):
        client().fetch("BP.L", "2024-01-02")


@pytest.mark.parametrize(
    ("gateway", "words"),
    [("http://127.0.0.1:9", "no connection|refused"), ("http://no-such-host.invalid", "name cannot be resolved")],
)
def test_offline_says_so(monkeypatch, client, gateway, words):
    monkeypatch.setenv(GATEWAY, gateway)
    with pytest.raises(TransientError, match=words) as caught:
        client(timeout=2).fetch("META", "2024-01-02")
    assert caught.value.unreachable


def test_the_budget_ends_everything(yahoo_played, slept):
    yahoo_played.fail("chart", "429", times=99)
    clock = iter(range(0, 10_000, 20))
    retry = Retry(50, 1.0, sleep=slept.append, uniform=lambda: 0.0)
    bounded = yahoo.YahooClient(Budget(300, clock=lambda: next(clock)), retry, pace=0, now=lambda: NOW)
    with pytest.raises(BudgetError, match="time budget of 300 s"):
        bounded.fetch("SPY", "2024-01-02")
    assert len(slept) < 20


def test_the_settings_of_yfinance_are_left_as_they_were(yahoo_played, client):
    import yfinance

    before = yfinance.config.debug.hide_exceptions
    with pytest.raises(SourceError):
        client().fetch("NOPE", "2024-01-02")
    assert yfinance.config.debug.hide_exceptions == before


def test_backing_off_doubles_up_to_a_cap_with_jitter():
    low, high = Retry(9, 2.0, 90.0, uniform=lambda: 0.0), Retry(9, 2.0, 90.0, uniform=lambda: 1.0)
    assert [low.delay(n) for n in range(1, 8)] == [1, 2, 4, 8, 16, 32, 45]
    assert [high.delay(n) for n in range(1, 8)] == [2, 4, 8, 16, 32, 64, 90]
