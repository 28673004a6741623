"""French's data library: its layouts, its units, its missing codes, and its failures."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from loopback import Loopback, zipped

from research.errors import SourceError
from research.market.factors import FactorReturns
from research.sources import french
from research.sources._http import GATEWAY
from research.sources._retry import Budget, Retry, TransientError
from research.sources.replay import SnapshotSource
from research.sources.snapshots import SnapshotStore

THREE = """This file was created by using the 202410 CRSP database.
The Tbill return is the simple daily rate that, over the number of trading days
in the month, compounds to 1-month TBill rate from Ibbotson and Associates Inc.

,Mkt-RF,SMB,HML,RF
20241029,    0.19,   -0.02,   -0.72,   0.018
20241030,   -0.30,    0.12,    0.31,   0.018
20241031,   -1.94,   -0.06,    0.86,   0.018

Copyright 2024 Kenneth R. French
"""
FIVE = """Date,Mkt-RF,SMB,HML,RMW,CMA,RF
20241029,0.19,0.05,-0.72,-0.41,-0.30,0.018
20241030,-0.30,0.20,0.31,-99.99,0.11,0.018
20241031,-1.94,0.10,0.86,0.55,-999,0.018

  Annual Factors: January-December
,Mkt-RF,SMB
  2023,  21.68,  -3.25
"""
MOMENTUM = """Missing data are indicated by -99.99 or -999.

              Mom
20241029     0.55
20241030    -0.63
20241031    -1.51
"""
NAMES = [name for name, _ in french._FILES.values()]


def test_the_layout_with_prose_and_commas():
    table = french.read_text(THREE, "three", ("Mkt-RF", "SMB", "HML", "RF"))
    assert table["date"].tolist() == list(pd.to_datetime(["2024-10-29", "2024-10-30", "2024-10-31"]))
    assert table["date"].dtype == "datetime64[ns]"
    np.testing.assert_allclose(table["Mkt-RF"], [0.0019, -0.0030, -0.0194], rtol=0, atol=1e-15)
    np.testing.assert_allclose(table["RF"], 0.00018, rtol=0, atol=1e-15)


def test_a_header_with_date_missing_codes_and_a_second_table():
    table = french.read_text(FIVE, "five", ("Mkt-RF", "SMB", "HML", "RMW", "CMA", "RF"))
    assert len(table) == 3
    assert np.isnan(table["RMW"][1])
    assert np.isnan(table["CMA"][2])
    assert table["CMA"][1] == pytest.approx(0.0011)


def test_the_layout_with_spaces():
    table = french.read_text(MOMENTUM.replace("\n", "\r\n"), "momentum", ("Mom",))
    np.testing.assert_allclose(table["Mom"], [0.0055, -0.0063, -0.0151], rtol=0, atol=1e-15)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (THREE.replace("Mkt-RF", "Market"), "no column Mkt-RF"),
        ("just prose\n", "no daily row"),
        (THREE.replace("   0.018\n20241031", "\n20241031"), "no number|do not fit"),
        (THREE.replace("0.12,", "0.12, 7,"), "do not fit its header: 20241030"),
        (THREE.replace("20241030", "20241330"), "no number|month"),
        (THREE.replace("-0.30", "n/a"), "no number"),
    ],
)
def test_another_layout_is_refused(text, words):
    with pytest.raises(SourceError, match=words):
        french.read_text(text, "three", ("Mkt-RF", "SMB", "HML", "RF"))


@pytest.fixture
def library(monkeypatch):
    state = Loopback()
    texts = zip(NAMES, (THREE, FIVE, MOMENTUM), strict=True)
    state.zips = {name: zipped(name.replace("_CSV.zip", ".csv"), text) for name, text in texts}
    with state.serving() as url:
        monkeypatch.setenv(GATEWAY, url)
        yield state


def client():
    return french.FrenchClient(Budget(60), Retry(2, 1.0, sleep=lambda s: None, uniform=lambda: 0.5), timeout=0.3)


def test_all_factors_end_to_end(library, tmp_path):
    tables, _, _ = client().fetch("daily", "2024-10-30")
    assert {name: len(table) for name, table in tables.items()} == {"factors3": 2, "factors5": 2, "momentum": 2}
    store = SnapshotStore(tmp_path)
    now = pd.Timestamp("2024-11-15T00:00Z")
    store.land("french", "daily", tables, request={"start": "2024-10-30"}, fetched_at=now)
    bars = pd.DataFrame({"date": pd.to_datetime(["2024-10-30", "2024-10-31"])})
    bars[["open", "high", "low", "close", "volume"]] = 1.0
    store.land("yahoo", "SPY", {"prices": bars}, request={"start": "2024-10-30"}, fetched_at=now)
    source = SnapshotSource(store.state(), "yahoo")
    assert "factors" in source.capabilities
    factors = source.factors()
    assert list(factors.columns) == ["Mkt-RF", "SMB", "HML", "RMW", "CMA", "Mom", "RF"]
    np.testing.assert_allclose(factors["SMB"], [0.0020, 0.0010], rtol=0, atol=1e-15)  # of the five-factor file
    np.testing.assert_allclose(factors["Mom"], [-0.0063, -0.0151], rtol=0, atol=1e-15)
    assert FactorReturns.from_frame(factors).frame.shape == (2, 7)


@pytest.mark.parametrize(
    ("kind", "words"),
    [("500", "fault"), ("429", "rate"), ("truncate", "cut short"), ("html", "no complete zip"), ("hang", "in time")],
)
def test_failures_are_named(library, kind, words):
    library.fail("5_Factors", kind, times=99)
    with pytest.raises(TransientError, match=words):
        client().fetch("daily", "2024-10-30")


def test_a_zip_damaged_inside_is_asked_for_again(library):
    good = library.zips[NAMES[0]]
    start = good.index(b".csv") + 4  # of the compressed bytes
    for place in range(start, start + 30, 3):
        library.zips[NAMES[0]] = good[:place] + bytes([good[place] ^ 0xFF]) + good[place + 1 :]
        with pytest.raises(TransientError, match="no complete zip"):
            client().fetch("daily", "2024-10-30")


def test_a_zip_with_something_else_in_it_is_refused(library):
    library.zips[NAMES[0]] = zipped("readme.md", "nothing")
    with pytest.raises(SourceError, match=r"holds readme\.md"):
        client().fetch("daily", "2024-10-30")
