"""Surprises against hand-computed figures and plain loops; splits, gaps and looks into the future."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import research as es
from research.events import surprises


def quarterly(eps, ticker="AAA", first="2015-01-28", **columns):
    """An announcement every quarter, before the open."""
    dates = pd.date_range(first, periods=len(eps), freq=pd.DateOffset(months=3))
    frame = pd.DataFrame({"ticker": ticker, "announced_at": dates.strftime("%Y-%m-%d"), "session": "bmo"})
    frame["eps_actual"] = eps
    for name, value in columns.items():
        frame[name] = value
    return frame


def loop_sue(eps, q, method, history=8):
    """Seasonal difference of quarter q against its history, written out."""
    d = {j: eps[j] - eps[j - 4] for j in range(4, len(eps))}
    if method == "foster":
        pairs = [(d[j], d[j - 1]) for j in range(q - history, q) if j - 1 in d]
        if len(pairs) < history or q - 1 not in d:
            return np.nan
        y, x = np.array(pairs).T
        X = np.column_stack([np.ones(history), x])
        beta = np.linalg.solve(X.T @ X, X.T @ y)
        s = np.sqrt(((y - X @ beta) ** 2).sum() / (history - 2))
        return (d[q] - beta[0] - beta[1] * d[q - 1]) / s
    past = [d[j] for j in range(q - history, q) if j in d]
    if len(past) < history:
        return np.nan
    drift = np.mean(past) if method == "seasonal-drift" else 0.0
    return (d[q] - drift) / np.std(past, ddof=1)


@pytest.mark.parametrize("method", surprises.METHODS)
def test_sue_equals_a_plain_loop_and_never_sees_its_own_quarter(method):
    rng = np.random.default_rng(1)
    eps = np.cumsum(rng.normal(0.05, 0.3, 20)).round(2)
    frame = es.Announcements.from_frame(quarterly(eps)).frame
    found = surprises.standardized_unexpected_earnings(frame, method)
    expected = [loop_sue(eps, q, method) if q >= 4 else np.nan for q in range(20)]
    np.testing.assert_allclose(found["sue"], expected, rtol=0, atol=1e-12)
    assert np.isfinite(expected[-1])
    changed = frame.copy()
    changed.loc[15, "eps_actual"] += 5.0
    later = surprises.standardized_unexpected_earnings(changed, method)
    # The quarter's own scale and its history do not move; what came before it even less.
    assert later["scale"].iloc[15] == found["scale"].iloc[15]
    pd.testing.assert_frame_equal(later.iloc[:15], found.iloc[:15])


def test_history_is_per_ticker_and_in_order_of_time_whatever_the_order_of_rows():
    rng = np.random.default_rng(2)
    frames = [quarterly(rng.normal(1, 0.2, 16), ticker) for ticker in ("AAA", "BBB", "CCC")]
    table = pd.concat(frames, ignore_index=True)
    straight = surprises.table(es.Announcements.from_frame(table))
    shuffled = surprises.table(es.Announcements.from_frame(table.sample(frac=1, random_state=3)))
    pd.testing.assert_frame_equal(shuffled.loc[straight.index], straight)
    alone = surprises.table(es.Announcements.from_frame(frames[1]))
    pd.testing.assert_frame_equal(straight.loc[alone.index], alone)


def test_a_missing_quarter_is_not_bridged_by_another_one():
    eps = [1.0, 2.0, 3.0, 4.0, 1.1, 2.1, 3.1, 4.1]
    frame = es.Announcements.from_frame(quarterly(eps).drop(index=1)).frame
    found = surprises.standardized_unexpected_earnings(frame, "seasonal")
    by_date = dict(zip(frame["announced_on"].dt.strftime("%Y-%m"), found["unexpected"], strict=True))
    assert by_date["2016-01"] == pytest.approx(0.1)
    assert np.isnan(by_date["2016-04"])  # its quarter of the year before is the missing one
    assert by_date["2016-07"] == pytest.approx(0.1)


def test_undefined_surprises_say_why():
    short = surprises.standardized_unexpected_earnings(es.Announcements.from_frame(quarterly([1.0] * 10)).frame)
    assert short["sue"].isna().all()
    assert short["note"].iloc[0] == "no earnings, or none of the same quarter a year before"
    assert short["note"].iloc[9] == "5 of 8 earlier seasonal differences"
    flat = surprises.standardized_unexpected_earnings(es.Announcements.from_frame(quarterly([1.0] * 14)).frame)
    assert flat["note"].iloc[13] == "earlier seasonal differences do not vary"
    assert np.isnan(flat["sue"].iloc[13])


def test_a_later_split_moves_no_surprise():
    rng = np.random.default_rng(4)
    eps = rng.normal(2, 0.5, 18).round(2)
    estimate = (eps + rng.normal(0, 0.1, 18)).round(2)
    estimate[3] = 0.01  # the floor binds on the day's basis, and must go on binding
    printed = quarterly(eps, eps_estimate=estimate)
    close = pd.DataFrame(
        {"AAA": rng.uniform(40, 60, 1600)},
        index=_sessions("2014-12-01", 1600),
    )
    before = surprises.table(es.Announcements.from_frame(printed), close=close)
    ratio = 20
    today = printed.assign(
        eps_actual=printed["eps_actual"] / ratio, eps_estimate=printed["eps_estimate"] / ratio, eps_split_divisor=ratio
    )
    after = surprises.table(es.Announcements.from_frame(today), close=close / ratio)
    numbers = [name for name in before.columns if before[name].dtype == float]
    assert {"sue", "price_scaled", "eps_surprise"} <= set(numbers)
    np.testing.assert_allclose(after[numbers], before[numbers], rtol=1e-9, atol=1e-12)


def _sessions(first, n):
    sessions = es.TradingCalendar("XNYS").sessions
    at = sessions.searchsorted(pd.Timestamp(first))
    return sessions[at : at + n]


def test_printed_figures_are_put_on_one_basis_by_the_splits_after_them():
    eps = [4.0, 4.4, 4.8, 5.2, 4.4, 2.4, 2.6, 2.8]  # 2-for-1 between the fifth and the sixth
    frame = es.Announcements.from_frame(quarterly(eps)).frame
    actions = pd.DataFrame({"ticker": ["AAA"], "ex_date": [pd.Timestamp("2016-03-01")], "split_ratio": [2.0]})
    based = surprises.on_one_basis(frame, actions)
    assert based["eps_actual"].tolist() == [2.0, 2.2, 2.4, 2.6, 2.2, 2.4, 2.6, 2.8]
    assert based["eps_split_divisor"].tolist() == [2.0] * 5 + [1.0] * 3
    unexpected = surprises.standardized_unexpected_earnings(based, "seasonal")["unexpected"]
    np.testing.assert_allclose(unexpected[4:], 0.2)
    assert frame["eps_actual"].tolist() == eps
    with pytest.raises(es.ParameterError, match="divided already"):
        surprises.on_one_basis(based, actions)


def test_percentage_surprise_by_hand():
    frame = pd.DataFrame({"eps_actual": [1.1, 0.03, -0.9, 0.2, np.nan], "eps_estimate": [1.0, 0.01, -1.0, 0.0, 1.0]})
    np.testing.assert_allclose(surprises.percentage_surprise(frame), [0.1, 0.4, 0.1, 4.0, np.nan])
    assert np.isnan(surprises.percentage_surprise(frame, floor=0)[3])
    vendor = frame.assign(surprise_pct=[9.9, np.nan, np.nan, np.nan, 12.0])
    assert surprises.percentage_surprise(vendor)[0] == pytest.approx(0.099)
    assert np.isnan(surprises.percentage_surprise(vendor)[4])
    with pytest.raises(es.ParameterError, match="negative floor"):
        surprises.percentage_surprise(frame, floor=float("nan"))
    with pytest.raises(es.InputError, match="no number") as caught:
        surprises.percentage_surprise(frame.astype(object).assign(eps_estimate=["1", "n.m.", -1, "0.1", np.inf]))
    assert caught.value.rows["row"].tolist() == [1, 4]


def test_a_vendor_who_divides_by_a_negative_estimate_does_not_turn_a_beat_into_a_miss():
    frame = pd.DataFrame({"eps_actual": [-0.05, -0.2, 0.08], "eps_estimate": [-0.1, -0.1, 0.08]})
    vendor = frame.assign(surprise_pct=[-50.5, 99.0, -2.39])
    np.testing.assert_allclose(surprises.percentage_surprise(vendor), [0.505, -0.99, -0.0239])


def test_classes_by_the_dead_band():
    values = pd.Series([0.02, 0.0099, -0.0099, -0.01, np.nan, 0.01])
    found = surprises.surprise_class(values)
    assert found.tolist() == ["beat", "in line", "in line", "miss", "no estimate", "beat"]


def test_price_before_the_news_and_price_scaled():
    sessions = _sessions("2015-01-20", 12)
    close = pd.DataFrame({"AAA": np.arange(100.0, 112.0)}, index=sessions)
    table = quarterly([1.0], eps_estimate=[0.8])
    table["announced_at"] = f"{sessions[6]:%Y-%m-%d}"
    announcements = es.Announcements.from_frame(table)
    price = surprises.close_before(announcements.frame, close, announcements.timed()["day_zero"])
    assert price.tolist() == [105.0]  # the session before
    assert surprises.price_scaled(announcements.frame, price)[0] == pytest.approx(0.2 / 105)
    stale = close.iloc[:0]
    assert surprises.close_before(announcements.frame, stale, announcements.timed()["day_zero"]).isna().all()
    assert surprises.close_before(announcements.frame, close[[]], announcements.timed()["day_zero"]).isna().all()


def test_consensus_takes_each_analysts_latest_forecast_before_the_instant():
    table = pd.DataFrame(
        {"ticker": ["AAA"], "announced_at": ["2020-05-05T16:05:00-04:00"], "event_id": ["e"], "eps_actual": [1.5]}
    )
    frame = es.Announcements.from_frame(table).frame
    forecasts = pd.DataFrame(
        [
            ("e", "A", "2020-04-01T12:00Z", 1.0),
            ("e", "A", "2020-05-05T20:04Z", 1.2),  # one minute before
            ("e", "B", "2020-05-05T20:05Z", 9.0),  # at the instant: too late
            ("e", "B", "2020-04-10T12:00Z", 1.4),
            ("e", "C", "2020-01-05T12:00Z", 7.0),  # older than 90 days
            ("e", "D", "2020-03-10T12:00Z", 1.3),
            ("other", "D", "2020-03-10T12:00Z", 5.0),
        ],
        columns=["event_id", "analyst", "forecast_at", "eps"],
    )
    found = surprises.consensus(forecasts, frame)
    assert found["eps_estimate"].tolist() == [1.3]
    assert found["eps_estimate_count"].tolist() == [3]
    assert found["eps_estimate_sd"].iloc[0] == pytest.approx(0.1)
    assert found["estimate_as_of"].iloc[0] == pd.Timestamp("2020-05-05T20:04Z")
    scaled = surprises.dispersion_scaled(pd.concat([frame, found], axis=1))
    assert scaled[0] == pytest.approx(2.0)
    few = pd.concat([frame, found.assign(eps_estimate_count=2)], axis=1)
    assert np.isnan(surprises.dispersion_scaled(few)[0])
    with pytest.raises(es.InputError, match="without an instant or a number"):
        surprises.consensus(forecasts.assign(eps=["x"] + [1.0] * 6), frame)


def test_an_estimate_dated_after_the_announcement_is_refused():
    table = quarterly([1.0], eps_estimate=[0.9], estimate_as_of=["2015-03-01T12:00:00Z"])
    with pytest.raises(es.InputError):
        es.Announcements.from_frame(table)


def test_guidance_revision_needs_a_dated_consensus():
    table = quarterly([1.0, 1.0])
    table = table.assign(
        guidance_low=[1.0, 1.0],
        guidance_high=[1.2, 1.2],
        guidance_consensus=[1.0, 1.0],
        guidance_consensus_as_of=["2015-01-20T12:00:00Z", None],
    )
    frame = es.Announcements.from_frame(table).frame
    found = surprises.guidance_revision(frame)
    np.testing.assert_allclose(found["guidance_revision"], [0.1, np.nan])
    np.testing.assert_allclose(found["guidance_width"], [0.2, np.nan])
    price = pd.Series([50.0, 50.0])
    assert surprises.guidance_revision(frame, price)["guidance_revision"][0] == pytest.approx(0.002)
    with pytest.raises(es.InputError, match="cannot be used") as caught:
        surprises.guidance_revision(frame.assign(guidance_low=2.0, guidance_consensus_as_of="2016-01-01T00:00Z"))
    assert caught.value.rows["row"].tolist() == [0, 0, 1, 1]
    text = frame.assign(guidance_high=["1.2", "about 1.2"], guidance_consensus_as_of=["2015-01-20", "last week"])
    with pytest.raises(es.InputError, match="no number") as caught:
        surprises.guidance_revision(text)
    assert caught.value.rows["row"].tolist() == [1]
    with pytest.raises(es.InputError, match="cannot be read") as caught:
        surprises.guidance_revision(text.assign(guidance_high=1.2))
    assert caught.value.rows[["row", "column"]].to_numpy().tolist() == [[1, "guidance_consensus_as_of"]]
    exact = table.assign(announced_at="2015-02-02T16:05:00-05:00", session=None, ticker=["A", "B"])
    exact["guidance_consensus_as_of"] = ["2015-02-02T21:04:59Z", "2015-02-02T21:05:00Z"]
    with pytest.raises(es.InputError, match="no earlier") as caught:
        surprises.guidance_revision(es.Announcements.from_frame(exact).frame)
    assert caught.value.rows["row"].tolist() == [1]


def guidance(dates, **columns):
    figures = {"eps_estimate": 0.9, "guidance_low": 1.0, "guidance_high": 1.2, "guidance_consensus": 1.0}
    return quarterly([1.0] * len(dates), **figures, guidance_consensus_as_of=dates, **columns)


def test_the_date_of_a_guidance_consensus_is_read_with_the_table(tmp_path):
    table = guidance(["2015-01-20 12:00", "2015-04-27", None])
    found = es.Announcements.from_frame(table, timezone="America/New_York")
    expected = [pd.Timestamp("2015-01-20T17:00Z"), pd.Timestamp("2015-04-27T04:00Z"), pd.NaT]
    assert found.frame["guidance_consensus_as_of"].tolist() == expected
    assert found.covariates == [
        "guidance_low", "guidance_high", "guidance_consensus", "guidance_consensus_as_of",
    ]  # fmt: skip
    np.testing.assert_allclose(surprises.table(found)["guidance_revision"], [0.1, 0.1, np.nan])
    again = es.Announcements.from_frame(found.frame)
    pd.testing.assert_frame_equal(again.frame, found.frame)
    table.to_csv(tmp_path / "events.csv", index=False)
    from_file = es.Announcements.from_csv(tmp_path / "events.csv", timezone="America/New_York")
    assert from_file.frame["guidance_consensus_as_of"].tolist() == expected
    # Nothing but empty cells is an undated consensus, too.
    undated = surprises.table(es.Announcements.from_frame(guidance([None, ""])))
    assert undated["guidance_revision"].isna().all()


def test_one_bad_date_of_guidance_does_not_stop_the_other_measures():
    cells = ["2015-01-20 12:00", "2015-04-27T12:00Z", "last week", "2015-10-28T12:00Z", "2016-02-01"]
    table = guidance(cells)
    table.loc[3, ["announced_at", "session"]] = ["2015-10-28T12:00Z", None]
    with pytest.raises(es.InputError, match="timezone=") as caught:
        es.Announcements.from_frame(table)
    assert caught.value.rows["row"].tolist() == [0, 2, 3, 4]
    assert set(caught.value.rows["column"]) == {"guidance_consensus_as_of"}
    kept = es.Announcements.from_frame(table, errors="ledger")
    assert kept.frame["status"].tolist() == ["invalid", "ok", "invalid", "invalid", "invalid"]
    assert "no earlier than the announcement" in kept.frame["detail"].iloc[3]
    found = surprises.table(kept)
    assert found["eps_surprise"].notna().all()
    assert found["guidance_revision"].iloc[1] == pytest.approx(0.1)


def test_what_a_refusal_of_forecasts_or_guidance_advises_can_be_followed():
    frame = es.Announcements.from_frame(quarterly([1.0, 1.0], event_id=["a", "b"])).frame
    forecasts = pd.DataFrame(
        {"event_id": ["a", "b"], "analyst": "X", "forecast_at": ["2015-01-20 12:00", None], "eps": [1.0, 2.0]}
    )
    with pytest.raises(es.InputError) as caught:
        surprises.consensus(forecasts, frame)
    assert "empty" not in caught.value.remedy
    assert "leave those forecasts out" in caught.value.remedy
    found = surprises.consensus(forecasts.iloc[:1], frame, timezone="America/New_York")
    assert found["estimate_as_of"].tolist() == [pd.Timestamp("2015-01-20T17:00Z"), pd.NaT]
    for days in (-1, 90.0, "90", True, None):
        with pytest.raises(es.ParameterError, match="days"):
            surprises.consensus(forecasts.iloc[:1], frame, days=days)
    with pytest.raises(es.ParameterError, match="timezone"):
        surprises.consensus(forecasts, frame, timezone="Europe/Nowhere")
    # Added later, the column was not read with the table; the advice is to do just that.
    announcements = es.Announcements.from_frame(guidance(["2015-01-20 12:00"]).drop(columns="guidance_consensus_as_of"))
    added = announcements.with_covariates(pd.DataFrame({"guidance_consensus_as_of": ["2015-01-20 12:00"]}))
    with pytest.raises(es.InputError) as caught:
        surprises.table(added)
    assert "Announcements.from_frame" in caught.value.remedy
    read = es.Announcements.from_frame(added.frame, timezone="America/New_York")
    np.testing.assert_allclose(surprises.table(read)["guidance_revision"], [0.1])


@pytest.mark.parametrize(
    "lacking", [["guidance_consensus_as_of"], ["guidance_high"], ["guidance_low", "guidance_high"]]
)
def test_guidance_without_all_of_its_columns_is_missing_and_said_to_be(lacking):
    table = guidance(["2015-01-20", "2015-04-20"])
    whole = es.Announcements.from_frame(table)
    assert surprises.signals(whole)["guidance"].tolist() == [1, 1]
    announcements = es.Announcements.from_frame(table.drop(columns=lacking))
    signals, found = surprises.signals(announcements), surprises.table(announcements)
    assert signals["guidance"].isna().all()
    assert signals["eps"].tolist() == [1, 1]
    assert found["guidance_revision"].isna().all()
    assert found["signals"].tolist() == ["all above", "all above"]
    with pytest.raises(es.InputError, match=" and ".join(lacking)):
        surprises.guidance_revision(announcements.frame)
    none = es.Announcements.from_frame(table.drop(columns="guidance_consensus"))
    assert "guidance" not in surprises.signals(none)
    assert "guidance_revision" not in surprises.table(none)


def test_a_forecast_dated_the_day_of_the_news_may_know_it():
    """Without a time it cannot be told from one written after the announcement."""
    table = pd.DataFrame(
        {
            "ticker": ["AAA", "BBB"],
            "announced_at": ["2020-05-05T16:05:00-04:00", "2020-05-05"],
            "session": "amc",
            "event_id": ["exact", "dated"],
        }
    )
    frame = es.Announcements.from_frame(table).frame.set_axis(["x", "y"], axis="index")
    rows = [
        *((event, "A", "2020-05-05", 9.0) for event in ("exact", "dated")),
        *((event, "A", "2020-05-04", 1.0) for event in ("exact", "dated")),
        *((event, "B", "2020-05-05T11:00:00-04:00", 3.0) for event in ("exact", "dated")),
        *((event, "C", "2020-05-04T23:00:00-04:00", 2.0) for event in ("exact", "dated")),  # the 5th in UTC
        *((event, "D", "2020-02-05", 4.0) for event in ("exact", "dated")),  # 90 days before
        *((event, "E", "2020-02-04", 8.0) for event in ("exact", "dated")),
    ]
    forecasts = pd.DataFrame(rows, columns=["event_id", "analyst", "forecast_at", "eps"])
    found = surprises.consensus(forecasts, frame)
    assert found["eps_estimate"].to_dict() == {"x": 2.5, "y": 2.0}
    assert found["eps_estimate_count"].to_dict() == {"x": 4, "y": 3}
    with pytest.raises(es.InputError) as caught:
        surprises.consensus(forecasts.assign(forecast_at="2020-05-04 12:00", eps=np.nan), frame)
    assert "UTC offset" in caught.value.rows["problem"][0]
    with pytest.raises(es.InputError) as caught:
        surprises.consensus(forecasts.assign(eps=[np.nan, None, *[1.0] * 10]), frame)
    assert caught.value.rows[["row", "column"]].to_numpy().tolist() == [[0, "eps"], [1, "eps"]]


def test_signals_of_metas_evening():
    announcements = es.sample.announcements()
    event = announcements.find("META", "2024-10-30")["event_id"]
    signals = surprises.signals(announcements)
    row = signals.loc[event]
    assert row["eps"] == 1
    assert row["revenue"] == 0  # 40.589 against 40.29 expected: 0.7%
    assert row["capex_2024_low (guidance)"] == 1
    assert "capex_2024_q3" not in signals.columns  # nothing to compare with
    assert surprises.signal_class(signals).loc[event] == "mixed"
    turned = surprises.signals(announcements, orientation={"capex_2024_low (guidance)": -1})
    assert turned.loc[event, "capex_2024_low (guidance)"] == -1
    # A comparison with the year before is no surprise.
    year_ago = announcements.metrics.query("basis == 'year_ago'")
    assert len(year_ago)


def test_classes_of_several_signals():
    signals = pd.DataFrame({"a": [1, 1, 0, -1, np.nan, 0], "b": [1, -1, 0, np.nan, np.nan, 1.0]})
    assert surprises.signal_class(signals).tolist() == [
        "all above", "mixed", "in line", "all below", "no estimate", "all above",
    ]  # fmt: skip


def test_the_floor_binds_on_nine_events_of_the_sample():
    # METHODS 5.5, for the technology names of the sample: on today's basis it would bind on 52.
    frame = es.sample.announcements(["META", "AAPL", "AMZN", "GOOG", "NFLX", "NVDA"]).frame
    divisor = frame["eps_split_divisor"]
    assert int((frame["eps_estimate"].abs() < 0.05 / divisor).sum()) == 9
    assert int((frame["eps_estimate"].abs() < 0.05).sum()) == 52


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"method": "random-walk"}, es.ParameterError),
        *(({"history": history}, es.ParameterError) for history in (3, 8.0, "8", None, np.float64(8))),
    ],
)
def test_impossible_arguments(arguments, error):
    frame = es.Announcements.from_frame(quarterly([1.0] * 6)).frame
    with pytest.raises(error):
        surprises.standardized_unexpected_earnings(frame, **arguments)


def test_missing_columns_are_named():
    frame = es.Announcements.from_frame(quarterly([1.0]).drop(columns="eps_actual")).frame
    with pytest.raises(es.InputError, match="eps_actual"):
        surprises.standardized_unexpected_earnings(frame)
    with pytest.raises(es.InputError, match="revenue_actual and revenue_estimate"):
        surprises.revenue_surprise(frame)
    assert surprises.table(es.Announcements.from_frame(quarterly([1.0]).drop(columns="eps_actual"))).shape == (1, 0)


def test_revenue_surprise_needs_a_positive_estimate():
    frame = pd.DataFrame({"revenue_actual": [11.0, 1.0, 1.0], "revenue_estimate": [10.0, 0.0, -1.0]})
    np.testing.assert_allclose(surprises.revenue_surprise(frame), [0.1, np.nan, np.nan])
