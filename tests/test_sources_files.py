"""A folder of one's own files, in the shapes and with the faults that people's files have."""

from __future__ import annotations

import datetime as dt
import errno
import hashlib
import itertools
import math
import os
import re
import shutil
import textwrap
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from research.errors import InputError, NotFoundError, ParameterError, ResearchError, SourceError
from research.resources import sample_directory
from research.sources import files, sample, template
from research.sources._dates import parse_dates, tidy_instants
from research.sources._numbers import number
from research.sources._settings import read_settings
from research.sources.files import FilesSource
from research.sources.protocol import Source, open_source

EVENTS = (
    "ticker,announced_at,session,eps_actual,eps_estimate\nACME,2024-03-05,amc,1.10,1.00\nZZZ,2024-03-06,bmo,2,2.5\n"
)
#: Sessions of 2024-03-04 to 08, a Monday to Friday.
DAYS = ["2024-03-04", "2024-03-05", "2024-03-06", "2024-03-07", "2024-03-08"]
ACME = [100.0, 101.5, 1099.25, 1100.0, 1150.5]
ZZZ = [50.0, 49.5, 49.0, 52.25, 52.0]


def long_prices(sep=",", mark="."):
    lines = [sep.join(["date", "ticker", "close"])]
    for ticker, closes in (("ACME", ACME), ("ZZZ", ZZZ)):
        lines += [sep.join([day, ticker, str(c).replace(".", mark)]) for day, c in zip(DAYS, closes, strict=True)]
    return "\n".join(lines) + "\n"


def wide_prices():
    return "\n".join(["date,ACME,ZZZ", *(f"{d},{a},{z}" for d, a, z in zip(DAYS, ACME, ZZZ, strict=True))])


@pytest.fixture
def folder(tmp_path):
    """Write a folder: keyword = content of NAME.csv; names with a suffix through a dictionary."""

    def write(files=None, **tables):
        directory = tmp_path / "mine"
        directory.mkdir(exist_ok=True)
        content = {f"{name}.csv": text for name, text in {"events": EVENTS, **tables}.items()} | (files or {})
        for name, text in content.items():
            path = directory / name
            path.parent.mkdir(exist_ok=True)
            if isinstance(text, pd.DataFrame):
                text.to_parquet(path)
            elif text is not None:
                path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return directory

    return write


def expected_returns():
    return {
        ticker: [after / before - 1 for before, after in itertools.pairwise(closes)]
        for ticker, closes in (("ACME", ACME), ("ZZZ", ZZZ))
    }


def assert_expected(source):
    table = source.returns()
    assert list(table.columns) == ["ACME", "ZZZ"]
    assert list(table.index) == [pd.Timestamp(day) for day in DAYS]
    assert table.index.dtype == "datetime64[ns]"
    assert table.iloc[0].isna().all()
    for ticker, values in expected_returns().items():
        assert table[ticker].iloc[1:].tolist() == pytest.approx(values, abs=1e-15)


def rows_of(error):
    return {(str(row.row), row.column) for row in error.value.rows.itertuples()}


# --- what loads -------------------------------------------------------------------------


def test_a_plain_folder(folder):
    source = open_source(f"files:{folder(prices=long_prices())}")
    assert isinstance(source, Source)
    assert source.name == "files:mine"
    assert str(folder()) not in repr(source)
    assert source.capabilities == {"announcements", "market", "prices"}
    assert_expected(source)
    events = source.announcements()
    assert events.tickers == ["ACME", "ZZZ"]
    assert list(events.timed()["day_zero"]) == [pd.Timestamp("2024-03-06"), pd.Timestamp("2024-03-06")]
    assert events.frame["eps_actual"].tolist() == [1.10, 2.0]


SHAPES = {
    "wide": wide_prices(),
    "index without a name": wide_prices().replace("date,", ",", 1),
    "row numbers": "\n".join(f"{i - 1 if i else ''},{line}" for i, line in enumerate(long_prices().splitlines())),
    "byte order mark": b"\xef\xbb\xbf" + long_prices().encode(),
    "utf-16": long_prices("\t").encode("utf-16"),
    "windows line ends": long_prices().replace("\n", "\r\n"),
    "blank lines": long_prices().replace("\n", "\n\n") + ",,\n , ,\n",
    "semicolons": long_prices(";"),
    "european": long_prices(";", ","),
    "excel sep line": "sep=;\n" + long_prices(";", ","),
    "tabs": long_prices("\t"),
    "capitals and spaces": long_prices().replace("date,ticker,close", " Date , Ticker, Close "),
    "dollars": long_prices().replace("1099.25", '"$1,099.25"').replace("1150.5", '"$ 1,150.50"'),
    "quoted thousands": long_prices().replace("1099.25", '"1,099.25"').replace("1100.0", '"1,100"'),
    "european thousands": long_prices(";", ",").replace("1099,25", "1.099,25 €").replace("1100,0", "1.100"),
    "spaces and apostrophes": long_prices().replace("1099.25", "1\u00a0099.25").replace("1100.0", "1'100"),
    "compact dates": long_prices().replace("2024-03-", "202403"),
    "midnights": long_prices().replace(",ACME", " 00:00:00,ACME").replace(",ZZZ", "T00:00,ZZZ"),
    "german dates": "\n".join(
        ".".join(reversed(line[:10].split("-"))) + line[10:] if line[0] == "2" else line
        for line in long_prices().splitlines()
    ),
    "midnights with an offset": long_prices()
    .replace(",ACME", " 00:00:00-05:00,ACME")
    .replace(",ZZZ", "T00:00:00Z,ZZZ"),
    "row numbers of pandas, wide": "\n".join(
        f"{i - 1 if i else 'Unnamed: 0'},{line}" for i, line in enumerate(wide_prices().splitlines())
    ),
    "row numbers of R, wide": "\n".join(f'"{i or ""}",{line}' for i, line in enumerate(wide_prices().splitlines())),
    "month names": long_prices().replace("2024-03-04", "04-Mar-2024").replace("2024-03-05", '"Mar 5, 2024"'),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_shapes_that_load_right(folder, shape):
    assert_expected(FilesSource(folder(prices=SHAPES[shape])))


def test_slashed_dates_need_one_proof_or_a_format(folder):
    days = pd.bdate_range("2024-03-04", "2024-03-15")
    american = "date,ACME\n" + "\n".join(f"{d.month}/{d.day}/{d.year},{100 + i}" for i, d in enumerate(days))
    british = "date,ACME\n" + "\n".join(f"{d:%d/%m/%Y},{100 + i}" for i, d in enumerate(days))
    for text in (american, british):
        assert list(FilesSource(folder(prices=text)).prices().sessions) == list(days)
    early = "\n".join(american.splitlines()[:4])
    with pytest.raises(InputError, match="date_format") as caught:
        FilesSource(folder(prices=early)).prices()
    assert len(caught.value.rows) == 3
    told = folder({"columns.toml": 'date_format = "%m/%d/%Y"'}, prices=early)
    assert list(FilesSource(told).prices().sessions) == list(days[:3])


@pytest.mark.parametrize("ticker", ["TRUE", "NA", "NAN", "007", "1e5", "MAR1", "null", "None", "INF"])
@pytest.mark.parametrize("wide", [True, False])
def test_tickers_stay_text(folder, ticker, wide):
    events = EVENTS.replace("ACME", ticker)
    prices = (wide_prices() if wide else long_prices()).replace("ACME", ticker)
    source = FilesSource(folder(events=events, prices=prices))
    assert ticker in source.announcements().tickers
    assert ticker in source.prices().tickers
    assert source.returns([ticker]).notna().sum().item() == 4


def test_parquet_is_as_good_as_csv(folder):
    prices = pd.DataFrame({"ACME": ACME, "ZZZ": ZZZ}, index=pd.to_datetime(DAYS))
    long = prices.rename_axis("date").reset_index().melt("date", var_name="ticker", value_name="close")
    dated = long.assign(date=[stamp.date() for stamp in long["date"]], ticker=pd.Categorical(long["ticker"]))
    events = pd.DataFrame(
        {
            "ticker": ["ACME", "ZZZ"],
            "announced_at": [dt.date(2024, 3, 5), dt.date(2024, 3, 6)],
            "session": ["amc", "bmo"],
        }
    )
    for table in (prices, long, dated):
        directory = folder({"prices.parquet": table, "events.parquet": events, "events.csv": None})
        (directory / "events.csv").unlink(missing_ok=True)
        source = FilesSource(directory)
        assert_expected(source)
        assert list(source.announcements().timed()["day_zero"]) == [pd.Timestamp("2024-03-06")] * 2


def test_parquet_dates_as_databases_keep_them(folder):
    frame = pd.DataFrame({"ticker": "ACME", "close": ACME})
    numbers = frame.assign(date=[int(day.replace("-", "")) for day in DAYS])
    zoned = frame.set_index(pd.DatetimeIndex(DAYS, tz="America/New_York", name="Date"))
    for table in (numbers, zoned, frame.assign(date=pd.DatetimeIndex(DAYS, tz="UTC"))):
        prices = FilesSource(folder({"prices.parquet": table})).prices()
        assert list(prices.sessions) == [pd.Timestamp(day) for day in DAYS]
    for wrong in (
        numbers.assign(date=45355),
        numbers.assign(date=True),
        zoned.set_index(zoned.index.tz_convert("UTC")),
    ):
        with pytest.raises(InputError) as caught:
            FilesSource(folder({"prices.parquet": wrong})).prices()
        assert {column for _, column in rows_of(caught)} == {"date"}
        assert len(caught.value.rows) == 5


def test_parquet_tickers_that_are_no_text(folder):
    frame = pd.DataFrame({"date": pd.to_datetime(DAYS), "ticker": 10107, "close": ACME})
    assert FilesSource(folder({"prices.parquet": frame})).prices().tickers == ["10107"]
    with pytest.raises(InputError, match=r"row numbers are records of the file(.|\n)*ticker") as caught:
        FilesSource(folder({"prices.parquet": frame.assign(ticker=True)})).prices()
    assert len(caught.value.rows) == 5


def test_columns_toml_maps_other_peoples_names(folder):
    toml = """
        timezone = "America/New_York"
        market_symbol = "SPY"
        [prices]
        date = "Datum"
        ticker = "Kürzel"
        close = "PX_LAST"
        [events]
        ticker = "Symbol"
        announced_at = "Report time"
    """
    text = long_prices(";", ",").replace("\n", ";1\n")
    text = text.replace("date;ticker;close;1", "Datum;Kürzel;PX_LAST;close")
    source = FilesSource(
        folder(
            {"columns.toml": toml.encode("utf-8-sig")},
            prices=text,
            events="Symbol,Report time\nACME,2024-03-05 16:05\n",
            market="Date,Close,Adj Close\n2024-03-04,1,100\n2024-03-05,1,101\n2024-03-06,1,99.99\n",
        )
    )
    assert_expected(source)
    assert source.announcements().frame["announced_at"].iloc[0] == pd.Timestamp("2024-03-05T21:05Z")
    assert source.market_symbol == "SPY"
    market = source.market_returns("SPY")
    assert market.name == "SPY"
    assert market.tolist() == pytest.approx([0.01, -0.01], abs=1e-15)
    with pytest.raises(NotFoundError, match="SPY"):
        source.market_returns("^GSPC")


def test_announcement_times_as_spreadsheets_write_them(folder):
    events = (
        "ticker,announced_at,call_at\n"
        "A,3/25/2024 4:05 PM,3/25/2024 5:00 pm\n"
        "B,2024-03-26T12:05:00-07:00,\n"
        "C,26 Mar 2024 08:00:30,\n"
        "D,25.03.2024 16:05,\n"
        "E,3/26/2024 12:30 AM,\n"
    )
    told = folder({"columns.toml": 'timezone = "America/New_York"'}, events=events, prices=wide_prices())
    times = FilesSource(told).announcements().frame["announced_at"]
    assert [f"{t:%d %H:%M:%S}" for t in times] == [
        "25 20:05:00",
        "26 19:05:00",
        "26 12:00:30",
        "25 20:05:00",
        "26 04:30:00",
    ]
    with pytest.raises(InputError, match=r"offset|timezone") as caught:
        FilesSource(folder({"columns.toml": ""}, events=events, prices=wide_prices())).announcements()
    assert {row for row, column in rows_of(caught) if column == "announced_at"} == {"2", "4", "5", "6"}


def test_times_in_a_column_of_their_own(folder):
    toml = 'timezone = "America/New_York"\n[events]\nannounced_at = "anndats"\nannounced_time = "anntims"\n'
    events = (
        "ticker,anndats,anntims,session\n"
        "ACME,20240305,16:05:00,\nZZZ,2024-03-06,4:30 PM,\nA,2024-03-05,00:00:00,amc\nB,2024-03-05,,bmo\n"
    )
    frame = FilesSource(folder({"columns.toml": toml}, events=events, prices=wide_prices())).announcements().frame
    assert frame["announced_at"].tolist()[:2] == [pd.Timestamp("2024-03-05T21:05Z"), pd.Timestamp("2024-03-06T21:30Z")]
    assert frame["announced_at"].isna().tolist() == [False, False, True, True]
    assert frame["announced_on"].tolist()[2:] == [pd.Timestamp("2024-03-05")] * 2
    assert "announced_time" not in frame
    typed = pd.DataFrame({"ticker": ["ACME"], "announced_time": [dt.time(16, 5)]})
    for day in (dt.date(2024, 3, 5), pd.Timestamp("2024-03-05")):
        directory = folder({"columns.toml": toml.partition("[")[0], "events.parquet": typed.assign(announced_at=day)})
        (directory / "events.csv").unlink()
        assert FilesSource(directory).announcements().frame["announced_at"].iloc[0] == pd.Timestamp("2024-03-05T21:05Z")


def test_times_that_are_none_are_named(folder):
    toml = 'timezone = "America/New_York"\n'
    events = "ticker,announced_at,announced_time\nA,2024-03-05,AMC\nB,2024-03-05 16:05,16:05\nC,2024-03-05,25:10\n"
    with pytest.raises(InputError) as caught:
        FilesSource(folder({"columns.toml": toml}, events=events, prices=wide_prices())).announcements()
    assert rows_of(caught) == {("2", "announced_time"), ("3", "announced_time"), ("4", "announced_time")}


@pytest.mark.parametrize(
    "time", ["25:10", "24:00", "16:60", "16:05:61", "13:05 PM", "0:05 am", "16:05+25:00", "1605", "4 PM"]
)
def test_a_time_that_does_not_exist_is_named_as_the_file_has_it(folder, time):
    directory = folder(events=f"ticker,announced_at,announced_time\nA,2024-03-05,{time}\n", prices=wide_prices())
    with pytest.raises(InputError, match="is no time such as 16:05") as caught:
        FilesSource(directory).announcements()
    assert caught.value.rows[["row", "column", "value"]].to_numpy().tolist() == [[2, "announced_time", time]]


def test_a_midnight_behind_the_date_is_no_time_beside_one(folder):
    toml = {"columns.toml": 'timezone = "America/New_York"\n'}
    expected = pd.Timestamp("2024-03-05T21:05Z")
    for midnight in (" 00:00:00", " 0:00", "T00:00", "T00:00:00.000", "T00:00:00-05:00", " 00:00:00Z"):
        events = (
            f"ticker,announced_at,announced_time,session\nA,2024-03-05{midnight},16:05,\nB,2024-03-06{midnight},,amc\n"
        )
        frame = FilesSource(folder(toml, events=events, prices=wide_prices())).announcements().frame
        assert frame["announced_at"].iloc[0] == expected
        assert pd.isna(frame["announced_at"].iloc[1])
        assert frame["announced_on"].iloc[1] == pd.Timestamp("2024-03-06")
    # Beside another row's hour, midnight of a zone is an hour as well.
    events = "ticker,announced_at,announced_time\nA,2024-03-05T00:00Z,16:05\nB,2024-03-06T16:05Z,\n"
    with pytest.raises(InputError, match="stands beside") as caught:
        FilesSource(folder(toml, events=events, prices=wide_prices())).announcements()
    assert rows_of(caught) == {("2", "announced_time")}


@pytest.mark.parametrize("blank", ["", "  "])
def test_a_time_without_a_date_is_a_missing_date(folder, blank):
    events = f"ticker,announced_at,announced_time\nA,{blank},16:05\nB,2024-03-05,\n"
    with pytest.raises(InputError) as caught:
        FilesSource(folder(events=events, prices=wide_prices())).announcements()
    assert caught.value.rows.to_numpy().tolist() == [[2, "announced_at", None, "is missing"]]


def test_midnights_of_an_export_are_dates(folder):
    events = "ticker,announced_at,session\nACME,2024-03-05 00:00:00,amc\nZZZ,2024-03-06 00:00:00,amc\n"
    told = folder({"columns.toml": 'timezone = "America/New_York"'}, events=events, prices=wide_prices())
    announcements = FilesSource(told).announcements()
    assert announcements.frame["announced_at"].isna().all()
    assert list(announcements.timed()["timing"]) == ["amc", "amc"]
    for offset in ("Z", "+00:00", "-05:00"):  # as databases and programs write dates
        directory = folder(events=events.replace(" 00:00:00", f"T00:00:00{offset}"))
        assert FilesSource(directory).announcements().frame["announced_at"].isna().all()
    one_hour = events.replace("2024-03-05 00:00:00", "2024-03-05T16:05:00Z").replace(" 00:00:00", "T00:00:00Z")
    frame = FilesSource(folder(events=one_hour.replace(",amc", ","))).announcements().frame
    assert frame["announced_at"].notna().all()
    for zone in ("UTC", "America/New_York"):
        at = pd.DatetimeIndex(["2024-03-05", "2024-03-06"], tz=zone)
        typed = pd.DataFrame({"ticker": ["ACME", "ZZZ"], "announced_at": at, "session": "amc"})
        directory = folder({"events.parquet": typed})
        (directory / "events.csv").unlink()
        assert list(FilesSource(directory).announcements().timed()["day_zero"]) == [
            pd.Timestamp("2024-03-06"),
            pd.Timestamp("2024-03-07"),
        ]
        (directory / "events.parquet").unlink()


def test_event_numbers_and_covariates(folder):
    events = (
        "ticker;announced_at;session;eps_actual;eps_estimate;surprise_pct;size;sector\n"
        "ACME;2024-03-05;amc;$ 1,10;(0,05);-3,5%;1.234,5;007\n"
        "ZZZ;2024-03-06;bmo;N/A;0,4925;;17,25;012\n"
    )
    frame = FilesSource(folder(events=events, prices=wide_prices())).announcements().frame
    assert frame.loc[0, ["eps_actual", "eps_estimate", "surprise_pct"]].tolist() == [1.10, -0.05, -3.5]
    assert math.isnan(frame.loc[1, "eps_actual"])
    assert math.isnan(frame.loc[1, "surprise_pct"])
    assert frame["size"].tolist() == [1234.5, 17.25]
    assert frame["sector"].tolist() == ["007", "012"]


def test_metrics_come_with_the_announcements(folder):
    metrics = (
        "ticker,announced_at,metric,actual,estimate,unit,source\nACME,2024-03-05,users,3.29,3.31,billion,release\n"
    )
    source = FilesSource(folder(prices=wide_prices(), metrics=metrics))
    assert "metrics" in source.capabilities
    table = source.announcements().metrics
    assert table[["metric", "actual", "estimate"]].to_numpy().tolist() == [["users", 3.29, 3.31]]
    faulty = metrics + "ACME,,users,x,3.31,billion,release\n"
    with pytest.raises(InputError, match=r"metrics\.csv") as caught:
        FilesSource(folder(prices=wide_prices(), metrics=faulty)).announcements()
    assert rows_of(caught) == {("3", "announced_at"), ("3", "actual")}


def test_actions_make_total_returns(folder):
    actions = "ticker,ex_date,dividend,split_ratio,absorbed\nZZZ,2024-03-06,0.5,,no\nACME,2024-03-06,,0.1,WAHR\n"
    faulty = actions + "ZZZ,2024-03-07,,,no\n"
    with pytest.raises(InputError, match=r"actions\.csv") as caught:
        FilesSource(folder(prices=wide_prices(), actions=faulty)).prices()
    assert rows_of(caught) == {("3", "absorbed"), ("4", "dividend")}
    source = FilesSource(folder(prices=wide_prices(), actions=actions.replace("WAHR", "TRUE")))
    assert source.returns().loc["2024-03-06", "ZZZ"] == pytest.approx((49.0 + 0.5) / 49.5 - 1, abs=1e-15)
    assert source.returns().loc["2024-03-06", "ACME"] == pytest.approx(1099.25 / 101.5 - 1, abs=1e-15)
    assert source.prices(["ZZZ"]).returns().loc["2024-03-06", "ZZZ"] == pytest.approx(0.0, abs=1e-15)


def test_only_splits_have_to_say_whether_they_are_absorbed(folder):
    actions = "ex_date,ticker,dividend,split_ratio,absorbed\n2024-03-05,ACME,1.5,,\n2024-03-06,ZZZ,,2,TRUE\n"
    source = FilesSource(folder(prices=long_prices(), actions=actions))
    assert source.returns().loc["2024-03-05", "ACME"] == pytest.approx((101.5 + 1.5) / 100 - 1)
    wrong = actions.replace(",TRUE", ",N/A") + "2024-03-07,ZZZ,,2,maybe\n"
    with pytest.raises(InputError, match=r"row 3, absorbed: is missing of a split\n.*'maybe'") as caught:
        FilesSource(folder(actions=wrong)).prices()
    assert rows_of(caught) == {("3", "absorbed"), ("4", "absorbed")}


def test_columns_toml_is_found_whatever_its_case(folder):
    text = long_prices().replace("close", "PX")
    assert_expected(FilesSource(folder({"Columns.TOML": '[prices]\nclose = "PX"\n'}, prices=text)))


def test_a_download_with_adjusted_closes_may_keep_its_dividend_column(folder):
    text = "Date,Ticker,Open,High,Low,Close,Adj Close,Volume,Dividends,Stock Splits\n"
    text += '2024-03-04,ACME,10,11,9,10,5,"69,846,400",0,0\n2024-03-05,ACME,10,12,9,11,6,"1,000",0.5,0\n'
    source = FilesSource(folder(prices=text))
    assert source.returns().loc["2024-03-05", "ACME"] == pytest.approx(0.2)
    assert source.prices().field("volume")["ACME"].tolist() == [69846400.0, 1000.0]


# --- returns, market, factors, bars -----------------------------------------------------


def test_returns_only(folder):
    text = "date,ticker,ret\n2024-03-04,ACME,0.01\n2024-03-06,ACME,-2%\n2024-03-05,ZZZ,\n2024-03-06,ZZZ,0.5\n"
    source = FilesSource(folder(returns=text))
    assert "prices" not in source.capabilities
    table = source.returns()
    assert table.shape == (3, 2)
    assert table["ACME"].tolist()[::2] == [0.01, -0.02]
    assert math.isnan(table.loc["2024-03-05", "ACME"])
    assert table["ZZZ"].dropna().tolist() == [0.5]
    with pytest.raises(SourceError, match="returns"):
        source.prices()
    assert source.market_returns("ZZZ").to_dict() == {pd.Timestamp("2024-03-06"): 0.5}


def test_wide_returns_in_percent(folder):
    text = "date,ACME,ZZZ\n2024-03-04,1.5,-250\n2024-03-05,-101,3\n"
    with pytest.raises(InputError, match="returns_unit") as caught:
        FilesSource(folder(returns=text)).returns()
    assert {row for row, _ in rows_of(caught)} == {"2 [ZZZ]", "3 [ACME]"}
    told = folder(
        {"columns.toml": 'returns_unit = "percent"'},
        returns=text.replace("-250", "-2.5").replace("-101", "-1"),
    )
    assert FilesSource(told).returns().to_numpy().tolist() == pytest.approx(np.array([[0.015, -0.025], [-0.01, 0.03]]))


@pytest.mark.parametrize("name", ["returns", "market"])
def test_returns_too_large_for_decimals_are_named_until_the_unit_is_stated(folder, name):
    percent = [0.9, -0.8, 0.3, 0.55, -0.05]  # none below -1, so no single cell gives it away
    text = "date,ret\n" if name == "market" else "date,ACME\n"
    text += "".join(f"{day},{value}\n" for day, value in zip(DAYS, percent, strict=True))

    def read(toml=""):
        tables = {"prices": wide_prices(), name: text}
        source = FilesSource(folder({"columns.toml": toml}, **tables))
        return source.market_returns() if name == "market" else source.returns()["ACME"]

    with pytest.raises(InputError, match=r"returns would exceed 55% a day.*returns_unit") as caught:
        read()
    assert {row.split()[0] for row, _ in rows_of(caught)} == {"2", "3", "5"}
    assert read('returns_unit = "percent"').tolist() == pytest.approx([value / 100 for value in percent])
    assert read('returns_unit = "decimal"').tolist() == percent


def test_percent_signs_in_a_file_of_percents_count_once(folder):
    text = "date,ACME\n2024-03-04,1.5%\n2024-03-05,-2\n"
    told = FilesSource(folder({"columns.toml": 'returns_unit = "percent"'}, returns=text))
    assert told.returns()["ACME"].tolist() == [0.015, -0.02]


def test_returns_older_than_the_usual_calendar(folder):
    text = "date,ACME\n1985-09-26,0.01\n1985-09-30,0.02\n"
    table = FilesSource(folder(returns=text)).returns()
    # Hurricane Gloria: no session on 1985-09-27, a Friday.
    assert table["ACME"].to_dict() == {pd.Timestamp("1985-09-26"): 0.01, pd.Timestamp("1985-09-30"): 0.02}
    with pytest.raises(InputError, match="outside XNYS"):
        FilesSource(folder(returns=text.replace("1985-09-30", "2204-03-05"))).returns()


def test_returns_on_days_without_a_session_or_twice(folder):
    text = "date,ticker,ret\n2024-03-02,ACME,0.01\n2024-03-04,ACME,0.01\n2024-03-04,ACME,0.02\n2024-03-05,,1\n"
    with pytest.raises(InputError) as caught:
        FilesSource(folder(returns=text)).returns()
    assert rows_of(caught) == {("2", "date"), ("4", "date"), ("5", "ticker")}


def test_market_file_with_several_symbols_and_a_hole(folder):
    market = "date,ticker,close\n2024-03-04,SPY,100\n2024-03-05,SPY,110\n2024-03-07,SPY,121\n2024-03-08,SPY,242\n"
    market += "2024-03-04,QQQ,10\n2024-03-05,QQQ,5\n"
    source = FilesSource(folder(prices=wide_prices(), market=market))
    assert source.market_returns("SPY").to_dict() == pytest.approx(
        {pd.Timestamp("2024-03-05"): 0.1, pd.Timestamp("2024-03-08"): 1.0}
    )
    assert source.market_returns("QQQ").tolist() == [-0.5]
    assert source.market_returns("ZZZ").tolist() == pytest.approx(expected_returns()["ZZZ"])
    with pytest.raises(NotFoundError, match="SPY"):
        source.market_returns("^GSPC")


def test_market_file_without_symbol_answers_to_any(folder):
    source = FilesSource(
        folder(prices=wide_prices(), market="date,ret\n2024-03-05,0.01\n2024-03-06,N/A\n2024-03-07,0.02\n")
    )
    market = source.market_returns("^GSPC")
    assert market.name == "^GSPC"
    assert market.tolist() == [0.01, 0.02]


def test_the_only_symbol_of_a_market_file_is_the_market(folder):
    one = "date,ticker,close\n2024-03-04,SPY,100\n2024-03-05,SPY,110\n"
    assert FilesSource(folder(prices=wide_prices(), market=one)).market_symbol == "SPY"
    assert FilesSource(folder(market=one + "2024-03-04,QQQ,10\n")).market_symbol is None
    assert FilesSource(folder(market="date,close\n2024-03-04,100\n")).market_symbol is None


def test_a_market_file_without_a_number_is_refused(folder):
    with pytest.raises(InputError, match=r"market\.csv has no number"):
        FilesSource(folder(prices=wide_prices(), market="date,close\n2024-03-04,\n2024-03-05,N/A\n")).market_returns()


def test_market_levels_must_be_levels(folder):
    text = "date,close\n2024-03-04,0\n2024-03-05,-1\n2024-03-05,5\n2024-03-09,5\n"
    with pytest.raises(InputError) as caught:
        FilesSource(folder(prices=wide_prices(), market=text)).market_returns()
    assert rows_of(caught) == {("2", "close"), ("3", "close"), ("4", "date"), ("5", "date")}


def test_factors(folder):
    text = "date,Mkt-RF,SMB,RF\n20240305,1.20,-0.30,0.02\n20240304,-0.50,-99.99,0.02\n"
    with pytest.raises(InputError, match="factors_unit"):
        FilesSource(folder(prices=wide_prices(), factors=text)).factors()
    source = FilesSource(folder({"columns.toml": 'factors_unit = "percent"'}, prices=wide_prices(), factors=text))
    table = source.factors()
    assert list(table.columns) == ["Mkt-RF", "SMB", "RF"]
    assert list(table.index) == [pd.Timestamp("2024-03-04"), pd.Timestamp("2024-03-05")]
    assert table.iloc[1].tolist() == pytest.approx([0.012, -0.003, 0.0002])
    assert math.isnan(table.loc["2024-03-04", "SMB"])


def test_no_factors_is_an_error(folder):
    with pytest.raises(SourceError, match=r"factors\.csv"):
        FilesSource(folder(prices=wide_prices())).factors()


def test_bars(folder):
    good = "ts,close\n2024-03-05T16:00:00-05:00,10\n2024-03-05T16:01:00-05:00,11\n2024-03-05T21:02:00Z,12\n"
    naive = "ts,close\n2024-03-05 16:00,10\n2024-03-05 16:01,11\n"
    files = {"intraday/ACME_2024-03-05.csv": good, "intraday/ZZZ_2024-03-06.csv": naive}
    source = FilesSource(folder(files, prices=wide_prices()))
    assert "intraday" in source.capabilities
    bars = source.intraday("ACME", "2024-03-05")
    assert bars.price_at(pd.Timestamp("2024-03-05T21:02:00Z")) == 11
    assert source.intraday("ACME", source.announcements().find("ACME", "2024-03-05")).frame.equals(bars.frame)
    assert source.intraday("ACME", "2024-03-06") is None
    assert source.intraday("../intraday/ACME", "2024-03-05") is None
    with pytest.raises(InputError, match="timezone") as caught:
        source.intraday("ZZZ", "2024-03-06")
    assert rows_of(caught) == {("2", "ts"), ("3", "ts")}
    told = FilesSource(folder({"columns.toml": 'timezone = "America/New_York"'}))
    assert told.intraday("ZZZ", "2024-03-06").frame.index[0] == pd.Timestamp("2024-03-05T21:00Z")


def test_bars_are_found_whatever_the_case_of_their_name_or_under_an_old_ticker(folder):
    files = {"intraday/acme_2024-03-05.csv": "ts,close\n2024-03-05T21:00Z,10\n2024-03-05T21:01Z,11\n"}
    files["intraday/OLD_2024-03-06.csv"] = files["intraday/acme_2024-03-05.csv"].replace("03-05", "03-06")
    files |= {"columns.toml": '[aliases]\nOLD = "ZZZ"\n', "intraday/.hidden.csv": "x", "intraday/notes.txt": "x"}
    source = FilesSource(folder(files, prices=wide_prices()))
    assert len(source.intraday("ACME", "2024-03-05").frame) == 2
    assert len(source.intraday("ZZZ", "2024-03-06").frame) == 2


@pytest.mark.parametrize("name", ["ACME_20240305.csv", "ACME.csv", "ACME_2024-13-05.parquet"])
def test_bars_whose_name_says_nothing_are_named(folder, name):
    with pytest.raises(SourceError, match=f"names do not say.*{name}"):
        FilesSource(folder({f"intraday/{name}": "ts,close\n"}, prices=wide_prices()))


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_saved_yfinance_bars_load(folder, suffix):
    """What ``Ticker("ACME").history(interval="1m", prepost=True)`` looks like once it is saved."""
    starts = pd.date_range("2024-03-05 15:58", periods=5, freq="min", tz="America/New_York", name="Datetime")
    history = pd.DataFrame({"Open": 10.0, "High": 12.0, "Low": 9.0, "Close": 11.0, "Volume": 100}, index=starts)
    history = history.assign(**{"Dividends": 0.0, "Stock Splits": 0.0})
    saved = history.to_csv() if suffix == "csv" else history.reset_index()
    source = FilesSource(folder({f"intraday/ACME_2024-03-05.{suffix}": saved}, prices=wide_prices()))
    frame = source.intraday("ACME", "2024-03-05").frame
    assert list(frame.index) == list(starts.tz_convert("UTC"))
    assert frame["close"].tolist() == [11.0] * 5


# --- what is refused --------------------------------------------------------------------


def test_a_folder_that_cannot_be_used(folder, tmp_path):
    with pytest.raises(SourceError, match="does not exist"):
        FilesSource(tmp_path / "nowhere")
    (tmp_path / "file.csv").write_text(EVENTS)
    with pytest.raises(SourceError, match="not a folder"):
        FilesSource(tmp_path / "file.csv")
    with pytest.raises(SourceError, match="no file of prices or returns"):
        FilesSource(folder())
    (tmp_path / "mine" / "events.csv").rename(tmp_path / "mine" / "event.csv")
    with pytest.raises(SourceError, match=r"Did you mean 'event\.csv'"):
        FilesSource(tmp_path / "mine")
    (tmp_path / "mine" / "data.xlsx").write_bytes(b"PK\x03\x04")
    with pytest.raises(SourceError, match="CSV UTF-8"):
        FilesSource(tmp_path / "mine")


def test_one_table_twice(folder):
    directory = folder(
        {"prices.parquet": pd.DataFrame({"date": DAYS, "ticker": "A", "close": ACME})}, prices=wide_prices()
    )
    with pytest.raises(SourceError, match="twice"):
        FilesSource(directory)


BAD_TABLES = {
    "no bytes": (b"", "empty"),
    "blank": ("\n \n", "empty"),
    "sep line only": ("sep=;\n", "no rows"),
    "header only": ("date,ticker,close\n", "no rows"),
    "workbook": (b"PK\x03\x04rest", "Excel"),
    "old workbook": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "Excel"),
    "gzip": (b"\x1f\x8b\x08\x00\x00", "gzip"),
    "parquet": (b"PAR1\x15\x04", "Parquet"),
    "web page": ("\n<!DOCTYPE html>\n<html><body>Sign in, please</body></html>\n", "web page"),
    "nul bytes": (b"date,ticker\x00", "NUL"),
    "open quote": ('date,ticker,close\n2024-03-04,"ACME,5\n', "quotation"),
    "same name": ("date,ticker,close,close\n2024-03-04,A,1,1\n", "same name"),
    "wrong name": ("date,ticker,clsoe\n2024-03-04,A,1\n", "columns.toml"),
    "nothing known": ("a,b,c\n1,2,3\n", r"\[prices\] date"),
    "one ticker without its name": ("Date,Open,High,Low,Close\n2024-03-04,1,1,1,1\n", "ticker.*one company"),
    "dates alone": ("date\n2024-03-04\n", "ticker"),
    "only blanks": ("date,ACME\n2024-03-04,\n", "no number"),
}


@pytest.mark.parametrize("case", BAD_TABLES)
def test_tables_that_are_no_tables(folder, case):
    text, words = BAD_TABLES[case]
    with pytest.raises(InputError, match=words) as caught:
        FilesSource(folder(prices=text)).prices()
    assert "prices.csv" in str(caught.value)
    with pytest.raises(ResearchError, match=r"events\.csv"):
        FilesSource(folder(prices=wide_prices(), events=text)).announcements()


def test_wrong_names_suggest_the_nearest(folder):
    with pytest.raises(InputError, match=r"'Datum'.* 'Symbol'.* 'Kurs'"):
        FilesSource(folder(prices="Datum,Symbol,Kurs\n2024-03-04,A,1\n")).prices()
    with pytest.raises(InputError, match="Did you mean 'clsoe'"):
        FilesSource(folder(prices=long_prices().replace("close", "clsoe"))).prices()
    with pytest.raises(InputError, match="Did you mean 'anounced_at'"):
        FilesSource(folder(prices=wide_prices(), events=EVENTS.replace("announced_at", "anounced_at"))).announcements()


def test_every_bad_cell_is_named_with_its_line(folder):
    text = (
        "date,ticker,close\n"
        "2024-03-04,ACME,100\n"
        "2024-03-05,ACME,abc\n"
        "\n"
        "45357,ACME,#DIV/0!\n"
        "2024-03-07,ACME,5%\n"
        "31.02.2024,ACME,7\n"
        "2024-03-08 09:30,ACME,7\n"
        "3/8/24,ACME,7\n"
        "2024-03-09,ACME,8\n"
        "2024-03-08,ACME,-8\n"
        "2024-03-11,ACME,1_000\n"
        "2024-03-12,,9\n"
    )
    with pytest.raises(InputError) as caught:
        FilesSource(folder(prices=text)).prices()
    assert rows_of(caught) == {
        ("3", "close"),
        ("5", "date"),
        ("5", "close"),
        ("6", "close"),
        ("7", "date"),
        ("8", "date"),
        ("9", "date"),
        ("10", "date"),
        ("11", "close"),
        ("12", "close"),
        ("13", "ticker"),
    }
    assert "row 13, ticker: is missing\n" in f"{caught.value}\n"
    message = str(caught.value)
    assert "2024-03-06" in message  # what the serial number 45357 would be
    assert "prices.csv" in message
    assert "lines of the file" in message


def test_every_bad_event_is_named_with_its_line(folder):
    events = (
        "ticker,announced_at,session,eps_actual\n"
        "ACME,2024-03-05,amc,1\n"
        "../../x,2024-03-05,amc,1\n"
        "\n"
        '"Q",45356,amc,1\n'
        "R,2024-03-05,later,1\n"
        "S,2024-03-05,amc,one\n"
        "ACME,2024-03-05,amc,1\n"
        "T,1/2/2024,amc,1\n"
    )
    with pytest.raises(InputError) as caught:
        FilesSource(folder(prices=wide_prices(), events=events)).announcements()
    assert [str(row) for row in caught.value.rows["row"]] == ["3", "5", "6", "7", "8", "9"]
    assert "events.csv" in str(caught.value)


def test_wide_cells_are_named_by_line_and_ticker(folder):
    with pytest.raises(InputError) as caught:
        FilesSource(folder(prices=wide_prices().replace("101.5", "-101.5").replace("49.5", "n.m."))).prices()
    assert rows_of(caught) == {("3 [ACME]", "close"), ("3", "ZZZ")}


def test_ragged_rows_are_named(folder):
    text = long_prices() + "Source: somewhere\n2024-03-11,ZZZ,51,5\n"
    with pytest.raises(InputError) as caught:
        FilesSource(folder(prices=text)).prices()
    assert rows_of(caught) == {("12", "line"), ("13", "line")}


def test_line_numbers_survive_quoted_line_breaks(folder):
    text = 'date,ticker,close,note\n2024-03-04,A,1,"two\nlines"\n2024-03-05,A,x,\n'
    with pytest.raises(InputError) as caught:
        FilesSource(folder(prices=text)).prices()
    assert rows_of(caught) == {("4", "close")}


def test_old_encodings_are_named_by_line(folder):
    text = EVENTS.replace("eps_estimate", "eps_estimate,name").replace("1.00", "1.00,Müller").replace("2.5", "2.5,x")
    with pytest.raises(InputError, match="UTF-8") as caught:
        FilesSource(folder(events=text.encode("cp1252"), prices=wide_prices())).announcements()
    assert rows_of(caught) == {("2", "line")}


@pytest.mark.parametrize("name", ["events.csv", "prices.csv", "market.parquet", "columns.toml"])
def test_files_that_may_not_be_read_are_named(folder, monkeypatch, name):
    market = pd.DataFrame({"date": pd.to_datetime(DAYS), "close": ACME})
    directory = folder({"market.parquet": market, "columns.toml": 'decimal = "."\n'}, prices=long_prices())

    def guarded(real):
        def call(path, *args, **kwargs):
            if Path(path).name == name:
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
            return real(path, *args, **kwargs)

        return call

    for owner, call in ((Path, "read_bytes"), (Path, "read_text"), (pq, "read_table")):
        monkeypatch.setattr(owner, call, guarded(getattr(owner, call)))

    def everything():
        source = FilesSource(directory)
        return source.announcements(), source.prices(), source.market_returns()

    with pytest.raises(InputError, match=rf"{name} cannot be read \(Permission denied\)"):
        everything()


def test_mixed_decimal_marks_are_named(folder):
    text = long_prices(";", ",").replace("49,5", "49.5")
    with pytest.raises(InputError, match="mixes") as caught:
        FilesSource(folder(prices=text)).prices()
    assert rows_of(caught) == {("8", "close")}


def test_a_comma_that_could_be_either_is_refused_until_told(folder):
    text = 'date;ticker;close\n2024-03-04;A;"1,234"\n2024-03-05;A;"1,235"\n'
    with pytest.raises(InputError, match="decimal = ") as caught:
        FilesSource(folder(prices=text)).prices()
    assert len(caught.value.rows) == 2
    for mark, expected in ((",", 1.234), (".", 1234.0)):
        told = FilesSource(folder({"columns.toml": f'decimal = "{mark}"'}, prices=text))
        assert told.prices().field("close")["A"].iloc[0] == expected


BAD_TOML = {
    "no toml": ("[prices\n", "TOML"),
    "latin-1": ('market_symbol = "ü"'.encode("latin-1"), "UTF-8"),
    "unknown key": ('timezon = "UTC"\n', "timezone"),
    "unknown zone": ('timezone = "America/NewYork"\n', "America/New_York"),
    "unknown table": ('[price]\nclose = "x"\n', "prices"),
    "unknown column": ('[prices]\nclosing = "x"\n', "close"),
    "no text": ("[prices]\nclose = 5\n", "text"),
    "two names for one": ('[prices]\nclose = "x"\nopen = "x"\n', "two of our names"),
    "market as a key": ('market = "SPY"\n', "market_symbol"),
    "date format": ('date_format = "DD/MM/YYYY"\n', "strptime"),
    "date format without a year": ('date_format = "%d/%m"\n', "strptime"),
    "unit": ('returns_unit = "bp"\n', "percent"),
}


@pytest.mark.parametrize("case", BAD_TOML)
def test_columns_toml_that_cannot_be_followed(folder, case):
    text, words = BAD_TOML[case]
    with pytest.raises(InputError, match=words):
        FilesSource(folder({"columns.toml": text}, prices=wide_prices()))


def test_the_settings_that_the_manuals_show_are_understood(tmp_path):
    page = (Path(__file__).parents[1] / "docs" / "data.md").read_text(encoding="utf-8")
    shown = page.partition("```toml\n")[2].partition("```")[0]
    docstring = textwrap.dedent(files.__doc__.partition("files cannot::\n")[2])
    switched_on = re.sub(r"(?m)^# (?=\w+ = |\[)", "", template._COLUMNS_TOML)
    for text in (shown, docstring, switched_on):
        path = tmp_path / "columns.toml"
        path.write_text(text, encoding="utf-8")
        settings = read_settings(path)
        assert settings.columns["prices"]["date"] == "Datum"
        assert settings.aliases["FB"] == "META"
        assert settings.timezone == "America/New_York"


def test_columns_toml_that_names_what_is_not_there(folder):
    directory = folder(
        {"columns.toml": '[prices]\nclose = "PX_LST"\n'}, prices=long_prices().replace("close", "PX_LAST")
    )
    with pytest.raises(InputError, match="Did you mean 'PX_LAST'"):
        FilesSource(directory).prices()


def test_unknown_tickers_and_calendars(folder):
    source = FilesSource(folder(prices=wide_prices()))
    for ask in (source.announcements, source.prices, source.returns):
        with pytest.raises(NotFoundError, match="ACME"):
            ask(["ACMEE"])
    with pytest.raises(ParameterError, match="XNYS"):
        FilesSource(folder({"columns.toml": 'calendar = "XNYSE"'})).prices()


# --- fingerprints and copies ------------------------------------------------------------


def test_fingerprint_covers_what_is_used_and_nothing_else(folder):
    files = {
        "columns.toml": 'market_symbol = "SPY"',
        "notes.txt": "x",
        "intraday/ACME_2024-03-05.csv": "ts,close\n",
    }
    directory = folder(files, prices=wide_prices())
    found = FilesSource(directory).fingerprint()
    assert list(found["files"]) == [
        "columns.toml",
        "events.csv",
        "intraday/ACME_2024-03-05.csv",
        "prices.csv",
    ]
    for name, digest in found["files"].items():
        assert hashlib.sha256((directory / name).read_bytes()).hexdigest() == digest
    (directory / "notes.txt").write_text("y")
    assert FilesSource(directory).fingerprint() == found
    (directory / "prices.csv").write_text(wide_prices() + "\n")
    assert FilesSource(directory).fingerprint()["sha256"] != found["sha256"]


def test_callers_cannot_change_what_others_get(folder):
    source = FilesSource(folder(prices=wide_prices(), market="date,ret\n2024-03-05,0.01\n"))
    returns, market = source.returns(), source.market_returns()
    returns.iloc[:] = 9.0
    market.iloc[:] = 9.0
    assert_expected(source)
    assert source.market_returns().tolist() == [0.01]


# --- the whole way ----------------------------------------------------------------------


def test_the_sample_written_out_as_csv_comes_back_the_same(tmp_path):
    shipped = sample_directory()
    for name in ("events.csv", "actions.csv", "metrics.csv"):
        shutil.copy(shipped / name, tmp_path)
    tables = [pd.read_parquet(shipped / f"{name}.parquet") for name in ("prices_daily", "prices_sp500_20")]
    pd.concat(tables).to_csv(tmp_path / "prices.csv", index=False)
    pd.read_parquet(shipped / "market_daily.parquet").to_csv(tmp_path / "market.csv", index=False)
    (tmp_path / "intraday").mkdir()
    bars = pd.read_parquet(shipped / "intraday_META_2024-10-30.parquet")
    bars["ts"] = bars["ts"].dt.tz_convert("America/New_York").map(pd.Timestamp.isoformat)
    bars.to_csv(tmp_path / "intraday" / "META_2024-10-30.csv", index=False)
    source = FilesSource(tmp_path)
    assert source.capabilities == sample.SampleSource().capabilities
    pd.testing.assert_frame_equal(source.returns(), sample.prices().returns(), check_exact=True)
    events = source.announcements()
    pd.testing.assert_frame_equal(events.frame, sample.announcements().frame)
    pd.testing.assert_frame_equal(events.metrics, sample.metrics())
    pd.testing.assert_series_equal(source.market_returns(), sample.market_returns(), check_freq=False)
    row = events.find("META", "2024-10-30")
    pd.testing.assert_frame_equal(source.intraday("META", row).frame, sample.intraday("META", row).frame)


# --- cells ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "mark", "value"),
    [
        ("1,234.5", ".", 1234.5),
        ("1.234,5", ",", 1234.5),
        ("-$0.45", ".", -0.45),
        ("$-0.45", ".", -0.45),
        ("(0.45)", ".", -0.45),
        ("US$5", ".", 5.0),
        ("\u22120.5", ".", -0.5),
        ("6.98464E+07", ".", 69846400.0),
        ("6,98464E+07", ",", 69846400.0),
        ("12 345", ".", 12345.0),
        (".5", ".", 0.5),
    ],
)
def test_numbers(cell, mark, value):
    assert number(cell, mark) == value


@pytest.mark.parametrize(
    "cell", ["1,23.4", "12,34", "1.2.3", "5%", "#REF!", "12abc", "$", "1e", "0x1F", "e5", "TRUE", "5M"]
)
def test_no_numbers(cell):
    with pytest.raises(ValueError, match="is "):
        number(cell)


@pytest.mark.parametrize("cell", ["", "N/A", "#N/A", "nan", "-", "null", "n.a.", "#N/A N/A"])
def test_blanks(cell):
    assert math.isnan(number(cell))


def test_decimals_are_read_to_the_last_digit(folder):
    cells = ["27.89345", "0.1", "1277.3", "123456.789012345"]
    text = "date,ACME\n" + "\n".join(f"{day},{cell}" for day, cell in zip(DAYS, cells, strict=False))
    closes = FilesSource(folder(prices=text)).prices().field("close")["ACME"]
    assert [repr(float(value)) for value in closes] == cells


def test_contradicting_slashes_are_not_guessed():
    dates, wrong = parse_dates(pd.Series(["13/01/2024", "01/13/2024", "2024-01-16"], name="date"))
    assert len(wrong) == 2
    assert dates.notna().tolist() == [False, False, True]


def test_an_impossible_clock_is_left_for_the_announcements_to_name():
    tidy, wrong = tidy_instants(pd.Series(["2024-03-05 25:00", "2024-03-05 13:05 pm"], name="announced_at"))
    assert not wrong
    assert tidy.tolist() == ["2024-03-05T25:00", "2024-03-05T13:05 pm"]


# --- tickers that changed their name, and shares that ceased to trade ----------------------


def test_aliases_rename_tickers_in_every_file(folder):
    toml = '[aliases]\nOLD = "ACME"\n'
    events = EVENTS.replace("ACME", "OLD")
    prices = long_prices().replace("2024-03-04,ACME", "2024-03-04,OLD").replace("2024-03-05,ACME", "2024-03-05,OLD")
    actions = "ex_date,ticker,dividend\n2024-03-06,OLD,0.5\n"
    source = FilesSource(folder({"columns.toml": toml}, events=events, prices=prices, actions=actions))
    assert source.announcements().tickers == ["ACME", "ZZZ"]
    assert source.prices().field("close")["ACME"].tolist() == ACME
    assert source.prices().actions["ticker"].tolist() == ["ACME"]
    wide = wide_prices().replace("ACME", "OLD")
    assert FilesSource(folder({"columns.toml": toml, "actions.csv": None}, prices=wide)).prices().tickers == [
        "ACME",
        "ZZZ",
    ]


def test_aliases_turn_any_name_into_a_ticker(folder):
    toml = '[aliases]\n"ACME US Equity" = "ACME"\n"10107" = "ZZZ"\n"BRK/B" = "BRK-B"\n'
    names = {"ACME": "ACME US Equity", "ZZZ": "10107"}
    events, long, wide = EVENTS, long_prices(), wide_prices()
    for ours, theirs in names.items():
        events, long, wide = (text.replace(ours, theirs) for text in (events, long, wide))
    for prices in (long, wide):
        source = FilesSource(folder({"columns.toml": toml}, events=events, prices=prices))
        assert source.announcements().tickers == ["ACME", "ZZZ"]
        assert_expected(source)
    numbered = pd.DataFrame({"date": pd.to_datetime(DAYS), "ticker": 10107, "close": ZZZ})
    directory = folder({"prices.parquet": numbered})
    (directory / "prices.csv").unlink()
    assert FilesSource(directory).prices().tickers == ["ZZZ"]
    with pytest.raises(InputError, match=r"\[aliases\](.|\n)*BRK/A"):
        FilesSource(folder({"prices.parquet": numbered.assign(ticker="BRK/A")})).prices()


@pytest.mark.parametrize(
    ("toml", "words"),
    [
        ('[aliases]\nFB = "META"\nMETA = "FACE"\n', "renamed itself"),
        ("[aliases]\nFB = 3\n", "has to stand for a ticker"),
        ('[aliases]\n"" = "META"\n', "has to stand for a ticker"),
        ('[aliases]\nFB = "../x"\n', "has to stand for a ticker"),
        ('[alises]\nFB = "META"\n', "Did you mean 'aliases'"),
        ("missing_delisting_return = -1.5\n", "from -1 to 0"),
        ("missing_delisting_return = true\n", "from -1 to 0"),
    ],
)
def test_aliases_and_keys_that_make_no_sense_are_named(folder, toml, words):
    with pytest.raises(InputError, match=words):
        FilesSource(folder({"columns.toml": toml}, prices=long_prices()))


def test_a_day_under_both_names_is_a_repeat(folder):
    both = long_prices() + "2024-03-04,OLD,100\n"
    source = FilesSource(folder({"columns.toml": '[aliases]\nOLD = "ACME"\n'}, prices=both))
    with pytest.raises(InputError, match="repeats"):
        source.prices()
    wide = wide_prices().replace("ZZZ", "OLD")
    with pytest.raises(InputError, match="old and the new name of ACME"):
        FilesSource(folder({"columns.toml": '[aliases]\nOLD = "ACME"\n'}, prices=wide)).prices()


#: PERMNO, date, RET, DLRET, DLSTCD as CRSP exports them.
CRSP = """date,ticker,RET,DLRET,DLSTCD
20240304,ACME,C,,
20240305,ACME,0.01,,
20240306,ACME,0.02,-0.50,584
20240304,ZZZ,0.01,,
20240305,ZZZ,B,-0.25,231
20240306,YYY,0.10,,560
20240305,YYY,0.05,,100
"""


def test_delisting_returns_are_compounded_into_the_last_day(folder):
    directory = folder(returns=CRSP)
    with pytest.warns(UserWarning, match="1 delistings for poor performance have no return"):
        table = FilesSource(directory).returns()
    np.testing.assert_allclose(table["ACME"], [np.nan, 0.01, 1.02 * 0.50 - 1], rtol=0, atol=1e-15)
    np.testing.assert_allclose(table["ZZZ"], [0.01, -0.25, np.nan], rtol=0, atol=1e-15)
    np.testing.assert_allclose(table["YYY"], [np.nan, 0.05, 0.10], rtol=0, atol=1e-15)


def test_a_stated_value_stands_in_for_a_missing_delisting_return(folder):
    directory = folder({"columns.toml": "missing_delisting_return = -0.30\n"}, returns=CRSP)
    table = FilesSource(directory).returns()
    np.testing.assert_allclose(table["YYY"], [np.nan, 0.05, 1.10 * 0.70 - 1], rtol=0, atol=1e-15)
    np.testing.assert_allclose(table["ACME"].iloc[-1], 1.02 * 0.50 - 1, rtol=0, atol=1e-15)


def test_letters_are_no_returns_where_there_are_no_delistings(folder):
    with pytest.raises(InputError, match="is no number"):
        FilesSource(folder(returns="date,ticker,ret\n2024-03-04,ACME,C\n2024-03-05,ACME,0.01\n")).returns()


def test_days_beyond_what_instants_hold_are_named(folder):
    text = "date,ticker,close\n2024-03-04,ACME,1\n3024-03-05,ACME,1\n0204-03-06,ACME,1\n9999-12-31,ACME,1\n"
    with pytest.raises(InputError, match="outside the years 1678 to 2261") as caught:
        FilesSource(folder(prices=text)).prices()
    assert rows_of(caught) == {("3", "date"), ("4", "date"), ("5", "date")}
    days = pd.DatetimeIndex(["2024-03-04", "3024-03-05"], dtype="datetime64[us]")
    directory = folder({"prices.parquet": pd.DataFrame({"date": days, "ticker": "ACME", "close": 1.0})})
    (directory / "prices.csv").unlink()
    with pytest.raises(InputError, match="outside the years 1678 to 2261") as caught:
        FilesSource(directory).prices()
    assert rows_of(caught) == {("2", "date")}
