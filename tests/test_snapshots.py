"""Snapshots: immutable, hashed, whole or not there at all, whatever happens while they are written."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from loopback import Company, Loopback

from research.errors import NotFoundError, ResearchWarning, SourceError, UsageError
from research.sources import _vintages, listing, snapshots, upcoming
from research.sources._differences import differences
from research.sources._http import GATEWAY
from research.sources.protocol import Source, open_source, pinned
from research.sources.replay import SnapshotSource, open_snapshot
from research.sources.snapshots import Snapshot, SnapshotStore, accumulate

T0 = pd.Timestamp("2024-11-15T22:30:00Z")
ONE_DAY = pd.Timedelta(days=1)
DAYS = pd.to_datetime(["2024-10-28", "2024-10-29", "2024-10-30", "2024-10-31", "2024-11-01"]).as_unit("ns")
REQUEST = {"start": "2024-10-28"}


def bars(closes, days=DAYS):
    frame = pd.DataFrame({"date": days[: len(closes)], "open": closes, "high": closes, "low": closes, "close": closes})
    return frame.assign(volume=1000.0).astype(dict.fromkeys(("open", "high", "low", "close"), float))


def events(*rows):
    """Rows of (date, session)."""
    frame = pd.DataFrame(rows, columns=["announced_on", "session"])
    frame["announced_on"] = pd.to_datetime(frame["announced_on"]).astype("datetime64[ns]")
    frame["announced_at"] = pd.Series(pd.NaT, index=frame.index, dtype="datetime64[ns, UTC]")
    frame["text"] = frame["announced_on"].dt.strftime("%B %d, %Y")
    return frame.assign(precision="session", eps_estimate=1.0, eps_actual=1.1, surprise_pct=10.0)


def estimates(*rows):
    """Rows of (time of fetching, consensus)."""
    frame = pd.DataFrame(rows, columns=["fetched_at", "mean"])
    frame["fetched_at"] = pd.to_datetime(frame["fetched_at"], utc=True).astype("datetime64[ns, UTC]")
    return frame.assign(period="next", metric="eps")


@pytest.fixture
def store(tmp_path):
    return SnapshotStore(tmp_path / "snapshots")


def land(store, key, tables, at=T0, source="yahoo"):
    return store.land(source, key, tables, request=REQUEST, fetched_at=at)


def files(root):
    return {str(p.relative_to(root)): p.read_bytes() for p in Path(root).rglob("*") if p.is_file()}


# --- what is kept ------------------------------------------------------------------------


def test_what_lands_comes_back_unchanged(store):
    tables = {"prices": bars([1, 2, 3.25]), "announcements": events(("2024-10-30", "amc")), "none": bars([])}
    vintage = land(store, "META", tables)
    for name, frame in tables.items():
        back = store.newest("yahoo", "META").frame(name)
        assert list(back.columns) == list(frame.columns)
        for column in frame:
            assert back[column].tolist() == frame[column].tolist() or back[column].isna().all()
    assert back["date"].dtype == "datetime64[ns]"
    manifest = vintage.manifest
    assert manifest["request"] == REQUEST
    assert manifest["tables"]["prices"]["rows"] == 3
    assert manifest["fetched_at"] == T0.isoformat()
    assert {"pandas", "pyarrow", "yfinance", "earnings-event-study"} <= set(manifest["versions"])
    assert (vintage.has("prices"), vintage.has("none"), vintage.has("other")) == (True, False, False)


def test_the_bytes_of_a_table_follow_from_its_content_alone():
    frame = bars([1, 2, 3])
    assert _vintages.parquet(frame) == _vintages.parquet(frame.copy())
    assert _vintages.parquet(frame) == _vintages.parquet(frame.astype({"date": "datetime64[us]"}))
    assert b"pandas" not in _vintages.parquet(frame)


def test_both_vintages_are_kept(store):
    first = land(store, "META", {"prices": bars([1, 2])})
    before = files(first.folder)
    second = land(store, "META", {"prices": bars([1, 2, 3])}, T0 + pd.Timedelta(days=1))
    assert [v.name for v in store.vintages("yahoo", "META")] == [first.name, second.name]
    assert files(first.folder) == before
    assert store.newest("yahoo", "META") == second
    assert len(store.state().members) == 1


def test_the_same_content_in_the_same_microsecond_lands_once(store):
    one, two = (land(store, "META", {"prices": bars([1, 2])}) for _ in range(2))
    assert one == two
    assert len(store.vintages()) == 1
    assert store.verify().empty


def test_a_snapshot_has_the_hash_of_its_members_as_its_name(store):
    land(store, "META", {"prices": bars([1, 2])})
    state = store.record(store.state())
    assert store.snapshot(state.id) == store.snapshot(state.id[:5]) == state
    assert [s.id for s in store.snapshots()] == [state.id]
    land(store, "AAPL", {"prices": bars([1, 2])})
    assert store.state().id != state.id
    assert store.snapshot(state.id) == state


def test_the_fingerprint_does_not_depend_on_when_it_was_fetched(store):
    land(store, "META", {"prices": bars([1, 2])})
    first = store.state().fingerprint("yahoo")
    land(store, "META", {"prices": bars([1, 2])}, T0 + pd.Timedelta(days=1))
    again = store.state().fingerprint("yahoo")
    assert (first["sha256"], first["files"]) == (again["sha256"], again["files"])
    assert first["snapshot"] == again["snapshot"] == store.state().id
    land(store, "META", {"prices": bars([1, 2.5])}, T0 + pd.Timedelta(days=2))
    assert store.state().fingerprint("yahoo")["sha256"] != first["sha256"]


def test_nothing_says_where_it_lies(store, tmp_path):
    vintage = land(store, "META", {"prices": bars([1, 2])})
    for thing in (store, vintage, store.state(), SnapshotSource(store.state(), "yahoo")):
        assert str(tmp_path) not in repr(thing)
        assert "0x" not in repr(thing)
    assert not any(str(tmp_path).encode() in data for data in files(store.root).values())


@pytest.mark.parametrize("name", ["", "zzz", "../x"])
def test_an_unknown_snapshot_is_not_found(store, name):
    land(store, "META", {"prices": bars([1, 2])})
    store.record(store.state())
    with pytest.raises(NotFoundError, match="no such snapshot"):
        store.snapshot(name)


@pytest.mark.parametrize("key", ["../evil", "", "a b", ".tmp", "x/y"])
def test_a_key_cannot_leave_the_folder(store, key):
    with pytest.raises(UsageError):
        land(store, key, {"prices": bars([1])})
    assert not store.root.exists()


# --- rows that cannot be had again ---------------------------------------------------------


def test_estimates_are_carried_from_vintage_to_vintage(store):
    land(store, "META", {"estimates": estimates(("2024-10-01", 5.2))})
    table = accumulate("estimates", estimates(("2024-10-20", 5.3)), store.vintages("yahoo", "META"))
    land(store, "META", {"estimates": table}, T0 + pd.Timedelta(days=1))
    # a second process had begun before that one landed
    other = accumulate("estimates", estimates(("2024-10-21", 5.4)), store.vintages("yahoo", "META")[:1])
    land(store, "META", {"estimates": other}, T0 + pd.Timedelta(days=1, seconds=1))
    last = accumulate("estimates", estimates(("2024-10-22", 5.5)), store.vintages("yahoo", "META"))
    assert last["mean"].tolist() == [5.2, 5.3, 5.4, 5.5]


def test_prune_keeps_what_is_needed_and_what_cannot_be_had_again(store):
    old = land(store, "META", {"prices": bars([1]), "estimates": estimates(("2024-10-01", 5.2))})
    store.record(store.state())
    lost = land(store, "AAPL", {"prices": bars([1])}, T0 + pd.Timedelta(hours=1))
    store.record(store.state())
    tomorrow = T0 + pd.Timedelta(days=1)
    newer = land(store, "META", {"prices": bars([1, 2]), "estimates": estimates(("2024-11-01", 5.3))}, tomorrow)
    fresh = land(store, "AAPL", {"prices": bars([1, 2])}, T0 + pd.Timedelta(days=1))
    kept = store.record(store.state())
    removed = store.prune(1)
    assert lost.label in removed
    assert set(store.vintages()) == {old, newer, fresh}  # the old consensus is nowhere else
    assert [s.id for s in store.snapshots()] == [kept.id]
    assert store.verify().empty
    merged = accumulate("estimates", newer.frame("estimates"), [old])
    land(store, "META", {"prices": bars([1, 2]), "estimates": merged}, T0 + pd.Timedelta(days=2))
    store.record(store.state())
    assert old.label in store.prune(1)
    assert store.prune(1) == []
    with pytest.raises(UsageError, match="keep"):
        store.prune(0)


def test_two_prunes_at_once_do_not_disturb_each_other(store, monkeypatch):
    lost = land(store, "META", {"prices": bars([1])})
    also = land(store, "AAPL", {"prices": bars([1])})
    for key in ("META", "AAPL"):
        land(store, key, {"prices": bars([1, 2])}, T0 + ONE_DAY)
    store.record(store.state())
    rename = os.rename

    def first(old, new):
        if Path(old) == also.folder:  # what the other process has just taken away
            shutil.rmtree(also.folder)
        return rename(old, new)

    monkeypatch.setattr(os, "rename", first)
    assert store.prune(1) == [lost.label]
    assert store.verify().empty
    assert len(store.vintages()) == 2


def test_prune_sweeps_up_after_killed_processes_once_they_are_old(store):
    land(store, "META", {"prices": bars([1])})
    store.record(store.state())
    for name, age in (("fresh", 0), ("old", 2 * 24 * 3600)):
        folder = store.root / ".tmp" / name
        folder.mkdir(parents=True)
        (folder / "prices.parquet").write_bytes(b"half")
        os.utime(folder, (time.time() - age,) * 2)
    store.prune(1)
    assert os.listdir(store.root / ".tmp") == ["fresh"]


# --- damage ------------------------------------------------------------------------------


@pytest.fixture
def two(store):
    good = land(store, "AAPL", {"prices": bars([10, 11, 12])})
    paid = pd.DataFrame({"ex_date": DAYS[1:2], "dividend": [0.1], "split_ratio": [np.nan]})
    bad = land(store, "META", {"prices": bars([1, 2, 3]), "actions": paid})
    store.record(store.state())
    return good, bad


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("file", "harm", "problem"),
    [
        ("prices.parquet", flip, "does not match its hash"),
        ("prices.parquet", Path.unlink, "cannot be read"),
        ("prices.parquet", lambda path: path.write_bytes(b""), "does not match its hash"),
        ("manifest.json", flip, "manifest.json|own hash|cannot be read"),
        ("manifest.json", Path.unlink, "is missing"),
        ("manifest.json", lambda path: path.write_text("{}"), "cannot be read|own hash"),
        (
            "manifest.json",
            lambda path: path.write_text(path.read_text().replace("2024-10-28", "1999-10-28")),
            "own hash",
        ),
    ],
)
def test_damage_is_named_and_nothing_else_is_touched(store, two, file, harm, problem):
    _, bad = two
    harm(bad.folder / file)
    before = files(store.root)
    damage = store.verify()
    assert files(store.root) == before
    assert damage["file"].tolist() == [f"yahoo/META/{bad.name}/{file}"]
    assert damage["problem"].str.contains(problem).all()
    fresh = SnapshotStore(store.root)
    source = open_snapshot(None, fresh)
    assert source.prices(["AAPL"]).field("close")["AAPL"].tolist() == [10, 11, 12]
    with pytest.raises(SourceError, match="META") as caught:
        source.prices(["META"])
    assert "verify" in str(caught.value)
    assert store.verify(store.snapshots()[0].id)["file"].tolist() == damage["file"].tolist()


def test_a_stranger_among_the_files_and_a_broken_set_are_named(store, two):
    (two[0].folder / "notes.txt").write_text("mine")
    record = next((store.root / "sets").iterdir())
    record.write_text(record.read_text().replace("AAPL", "AAPX"))
    problems = dict(store.verify().itertuples(index=False))
    assert problems[f"yahoo/AAPL/{two[0].name}/notes.txt"] == "does not belong here"
    assert "does not match its name" in problems[f"sets/{record.name}"]
    assert store.snapshots() == []
    assert listing.snapshot_lines(store) == listing.snapshot_rows(store) == []
    assert record.name in store.damaged_records()[0]


@pytest.mark.parametrize("missing", [None, pd.NaT, pd.NA, np.nan, np.inf, "", np.float64("nan")])
def test_what_is_missing_is_null_in_json(missing):
    assert listing.json_cell(missing) is None
    table = pd.DataFrame({"ticker": ["META", "AAPL"], "expected_on": [missing, pd.Timestamp("2025-01-29")]})
    assert [row["expected_on"] for row in upcoming.rows(table.astype(object))] == [None, "2025-01-29"]


@pytest.mark.parametrize(
    "harm",
    [
        lambda text: text.replace("META", "MEXA"),
        lambda text: text.replace("20241115T", "2024x115T"),  # which the hash does not cover
        lambda text: text[:-5],
        lambda text: "[]",
    ],
)
def test_prune_takes_nothing_away_while_a_record_cannot_be_read(store, two, harm):
    land(store, "META", {"prices": bars([1, 2, 4])}, T0 + pd.Timedelta(days=1))
    record = next((store.root / "sets").iterdir())
    store.record(store.state())
    record.write_text(harm(record.read_text()))
    before = files(store.root)
    with pytest.raises(SourceError, match=f"nothing was removed.*{record.name}"):
        store.prune(1)
    assert files(store.root) == before
    assert len(store.snapshots()) == 1
    with pytest.raises(SourceError, match=record.name):
        store.snapshot(record.stem)


def test_prune_takes_nothing_away_while_a_needed_table_cannot_be_read(store):
    land(store, "META", {"prices": bars([1]), "estimates": estimates(("2024-10-01", 5.2))})
    store.record(store.state())
    heir = land(store, "META", {"estimates": estimates(("2024-10-01", 5.2), ("2024-11-01", 5.3))}, T0 + ONE_DAY)
    store.record(store.state())
    flip(heir.folder / "estimates.parquet")
    before = files(store.root)
    with pytest.raises(SourceError, match=r"estimates\.parquet does not match its hash"):
        store.prune(1)
    assert files(store.root) == before


def test_a_vintage_in_the_place_of_another_is_named(store, two):
    good, bad = two
    shutil.rmtree(bad.folder)
    shutil.copytree(good.folder, bad.folder)
    assert store.verify().to_numpy().tolist() == [[f"{bad.label}/manifest.json", "belongs to another vintage"]]
    with pytest.raises(SourceError, match="belongs to another vintage"):
        open_snapshot(None, SnapshotStore(store.root)).prices(["META"])


def test_a_set_whose_vintage_is_gone_is_named(store, two):
    shutil.rmtree(two[0].folder)
    assert "which is gone" in store.verify()["problem"].iloc[0]


# --- disks that do not take it -------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (errno.ENOSPC, "disk is full"),
        (errno.EDQUOT, "quota"),
        (errno.EACCES, "may not be written"),
        (errno.EROFS, "read-only disk"),
        (errno.EIO, "cannot be written to"),
    ],
)
@pytest.mark.parametrize("call", ["write", "fsync", "rename"])
def test_a_disk_that_refuses_leaves_the_old_state(store, monkeypatch, code, words, call):
    land(store, "META", {"prices": bars([1])})
    before = files(store.root)

    def refuse(*args, **kwargs):
        raise OSError(code, os.strerror(code))

    if call == "write":
        calls = iter([_vintages.write, refuse])  # the second file of three
        monkeypatch.setattr(snapshots, "write", lambda *args: next(calls, refuse)(*args))
    else:
        monkeypatch.setattr(os, call, refuse)
    with pytest.raises(SourceError, match=words) as caught:
        land(store, "META", {"prices": bars([1, 2]), "actions": bars([1])}, T0 + pd.Timedelta(days=1))
    assert "nothing was changed" in str(caught.value)
    monkeypatch.undo()
    assert files(store.root) == before
    assert os.listdir(store.root / ".tmp") == []
    assert store.verify().empty


def test_a_disk_that_is_really_full(tmp_path):
    """A limit on the size of files stands for the end of the disk; the process is a real one."""
    script = (
        "import resource, sys, numpy as np, pandas as pd\n"
        "from research.sources.snapshots import SnapshotStore\n"
        "from research.errors import SourceError\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))\n"
        "frame = pd.DataFrame({'close': np.random.default_rng(0).normal(size=5000)})\n"
        "try:\n"
        "    store, now = SnapshotStore(sys.argv[1]), pd.Timestamp.now('UTC')\n"
        "    store.land('yahoo', 'META', {'prices': frame}, request={}, fetched_at=now)\n"
        "except SourceError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, timeout=60)
    assert "nothing was changed" in done.stdout, done.stderr
    assert SnapshotStore(tmp_path).vintages() == []


def test_a_folder_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "snapshots").write_text("no folder")
    with pytest.raises(SourceError, match="cannot be written to"):
        land(SnapshotStore(tmp_path / "snapshots"), "META", {"prices": bars([1])})


@pytest.fixture
def nobody():
    """Who may not write everywhere, which root may."""
    if os.geteuid():
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_read_only_folder_is_refused(store, monkeypatch, request):
    land(store, "META", {"prices": bars([1])})
    before = files(store.root)
    for folder in (store.root, *(path for path in store.root.rglob("*") if path.is_dir())):
        folder.chmod(0o555)
    monkeypatch.chdir(store.root)  # whose parents only their owner may enter
    request.getfixturevalue("nobody")
    with pytest.raises(SourceError, match="may not be written"):
        land(SnapshotStore("."), "AAPL", {"prices": bars([1])})
    assert open_snapshot(None, SnapshotStore(".")).prices().tickers == ["META"]
    assert files(".") == before


def test_a_snapshot_can_be_read_from_a_folder_that_cannot_be_written(store, two, monkeypatch):
    def refuse(*args, **kwargs):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    for name in ("mkdir", "rename", "replace", "fsync"):
        monkeypatch.setattr(os, name, refuse)
    assert open_snapshot(None, store).prices().tickers == ["AAPL", "META"]


# --- as a source -------------------------------------------------------------------------


def test_nothing_fetched_says_what_to_do(store, monkeypatch):
    monkeypatch.setenv(snapshots.ROOT, str(store.root))
    for spec in ("yahoo",):
        with pytest.raises(SourceError, match="earnings-study fetch TICKER"):
            open_source(spec)
    with pytest.raises(NotFoundError, match="no such snapshot"):
        open_source("snapshot:abc")
    land(store, "META", {"prices": bars([1, 2])})
    with pytest.raises(NotFoundError, match="earnings-study fetch AAPL --source yahoo"):
        open_source("yahoo").prices("AAPL")
    with pytest.raises(NotFoundError, match="earnings-study fetch AAPL IBM --source yahoo"):
        open_source("yahoo").prices(["AAPL", "META", "IBM"])
    with pytest.raises(SourceError, match="--source french"):
        open_source("yahoo").factors()


def test_the_protocol_is_kept(store, monkeypatch):
    monkeypatch.setenv(snapshots.ROOT, str(store.root))
    land(store, "META", {"prices": bars([1, 2, 3]), "announcements": events(("2024-10-29", "amc"))})
    land(store, "SPY", {"prices": bars([4, 5, 6])})
    source = open_source("yahoo")
    assert isinstance(source, Source)
    assert source.capabilities == {"announcements", "prices", "market"}
    assert source.market_symbol == "SPY"
    assert source.announcements().tickers == ["META"]
    assert source.market_returns("SPY").tolist() == pytest.approx([0.25, 0.2])
    assert source.market_returns("SPY").name == "SPY"
    assert source.intraday("META", "2024-10-29") is None
    with pytest.raises(NotFoundError, match="no announcement of SPY"):
        source.announcements("SPY")


def test_a_pinned_source_stays_what_it_was(store, monkeypatch):
    monkeypatch.setenv(snapshots.ROOT, str(store.root))
    land(store, "META", {"prices": bars([1, 2, 3])})
    spec = pinned("yahoo")
    assert spec == f"snapshot:{store.state().id}"
    fingerprint = open_source(spec).fingerprint()
    land(store, "META", {"prices": bars([1, 2, 4])}, T0 + pd.Timedelta(days=1))
    again = open_source(spec)
    assert again.fingerprint() == fingerprint
    assert again.prices().field("close")["META"].tolist() == [1, 2, 3]
    assert open_source("yahoo").prices().field("close")["META"].tolist() == [1, 2, 4]
    assert (pinned("sample"), pinned("files:x"), pinned(spec)) == ("sample", "files:x", spec)


def test_cells_that_a_vendor_cannot_mean_are_left_out_and_counted(store):
    frame = bars([10, 11, 12, 13, 14])
    frame.loc[1, "open"] = 20.0
    frame.loc[2, "close"] = 0.0
    frame.loc[3, "low"] = 0.0
    holiday = frame.iloc[[0]].assign(date=pd.Timestamp("2024-10-27"))
    land(store, "META", {"prices": pd.concat([holiday, frame], ignore_index=True)})
    source = open_snapshot(None, store)
    with pytest.warns(ResearchWarning, match="1 rows on days without a session; 1 closes .*; 2 bars") as caught:
        prices = source.prices()
    assert len(caught) == 1
    close = prices.field("close")["META"]
    np.testing.assert_array_equal(close, [10, 11, np.nan, 13, 14])
    assert prices.field("open")["META"].isna().tolist() == [False, True, True, True, False]


def test_edgar_moves_an_announcement_and_the_table_says_so(store):
    land(store, "META", {"prices": bars([1, 2, 3, 4, 5]), "announcements": events(("2024-10-29", "amc"))})
    accepted = pd.Timestamp("2024-10-30T20:08:33Z")
    day = pd.Timestamp("2024-10-30")
    filings = pd.DataFrame({"accession": ["x"], "filed_on": [day], "json_clock": ["utc"]})
    filings = filings.assign(accepted_at=accepted, public_at=accepted)
    before = open_snapshot(None, store).announcements().find("META", "2024-10-29")
    assert (before["precision"], before["session"]) == ("session", "amc")
    land(store, "META", {"acceptances": filings}, source="edgar")
    source = open_snapshot(None, store)
    event = source.announcements().find("META", "2024-10-30")
    assert event["announced_at"] == accepted
    assert event["announced_at_source"] == "sec_8k_acceptance"
    assert "day zero moved from 2024-10-30 to 2024-10-31" in event["announced_at_note"]
    assert pd.Timestamp(event["sec_accepted_at"]) == accepted
    table = source.reconciliation()
    assert table[["ticker", "agreement"]].to_numpy().tolist() == [["META", "moved"]]


@pytest.mark.parametrize(("value", "problem"), [("relative/path", "absolute"), ("./x", "absolute")])
def test_the_root_has_to_be_absolute(monkeypatch, value, problem):
    monkeypatch.setenv(snapshots.ROOT, value)
    with pytest.raises(UsageError, match=problem):
        snapshots.snapshot_root()


def test_the_root_without_a_variable(monkeypatch, tmp_path):
    monkeypatch.delenv(snapshots.ROOT, raising=False)
    assert snapshots.snapshot_root().parts[-2:] == ("data", "snapshots")
    monkeypatch.setattr(snapshots, "resource_root", lambda: tmp_path)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    assert snapshots.snapshot_root() == tmp_path / "share" / "earnings-study" / "snapshots"


# --- what the vendor changed ---------------------------------------------------------------


def changed(store, before, after):
    old = Snapshot((land(store, "META", before),))
    new = Snapshot((land(store, "META", after, T0 + pd.Timedelta(days=1)),))
    return differences(old, new)


def test_appended_days_and_a_rewritten_close(store):
    table = changed(store, {"prices": bars([1, 2, 3])}, {"prices": bars([1, 2.5, 3, 4, 5])})
    added = table[table["change"] == "added"]
    assert added["row"].tolist() == ["2024-10-31 to 2024-11-01"]
    assert added["detail"].tolist() == ["2 rows"]
    rewritten = table[table["field"] == "close"]
    assert rewritten[["row", "before", "after"]].to_numpy().tolist() == [["2024-10-29", 2.0, 2.5]]


def test_nothing_but_rounding_is_no_difference(store):
    assert changed(store, {"prices": bars([1, 2, 3])}, {"prices": bars([1, 2.0000001, 3])}).empty


def test_a_split_between_two_fetches_is_one_line(store):
    split = pd.DataFrame({"ex_date": DAYS[[3]], "dividend": [np.nan], "split_ratio": [10.0]})
    none = split.iloc[:0]
    before = bars([100, 102, 101])
    after = bars([10, 10.2, 10.1, 10.4]).assign(volume=10000.0)
    table = changed(store, {"prices": before, "actions": none}, {"prices": after, "actions": split})
    prices = table[table["table"] == "prices"]
    assert prices["change"].tolist() == ["added", "rescaled"]
    assert "3 earlier days divided by 10, as the split since then says" in prices["detail"].iloc[1]


def test_a_factor_that_no_split_explains_is_told(store):
    none = pd.DataFrame({"ex_date": DAYS[:1], "dividend": [1.0], "split_ratio": [np.nan]})
    table = changed(store, {"prices": bars([100, 102]), "actions": none}, {"prices": bars([50, 51]), "actions": none})
    assert "which no split since then explains" in table["detail"].iloc[0]


def test_an_announcement_shifted_by_a_day_is_told(store):
    before = events(("2024-07-31", "amc"), ("2024-10-30", "amc"))
    after = events(("2024-07-31", "amc"), ("2024-10-31", "amc"), ("2025-01-29", "amc"))
    table = changed(store, {"announcements": before}, {"announcements": after})
    moved = table[table["change"] == "moved"].iloc[0]
    assert (moved["row"], moved["detail"]) == ("2024-10-30", "by +1 day")
    assert table[table["change"] == "added"]["row"].tolist() == ["2025-01-29"]


def test_companies_that_come_and_go(store):
    a, b = (land(store, key, {"prices": bars([1])}) for key in ("META", "AAPL"))
    table = differences(Snapshot((a,)), Snapshot((b,)))
    assert dict(zip(table["key"], table["change"], strict=True)) == {"AAPL": "added", "META": "removed"}


# --- killed, and two at once ---------------------------------------------------------------

#: Imports once, then forks a child for each line on stdin, so that kills hit the fetch and not the imports.
ZYGOTE = """
import os, sys
import pandas as pd
from research.sources import fetching, yahoo
from research.sources.snapshots import SnapshotStore
import yfinance, curl_cffi.requests, pyarrow.parquet
from research.sources._common import new_york
new_york()
yahoo.PACE = 0
print("ready", flush=True)
for line in sys.stdin:
    root, force, *tickers = line.split()
    pid = os.fork()
    if pid == 0:
        more = {"market": None, "force": force == "force", "start": "2024-01-02"}
        outcome = fetching.fetch(tickers, store=SnapshotStore(root), **more)
        os._exit(0 if outcome.complete else 1)
    print(pid, flush=True)
    if force != "force":
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""


@pytest.fixture
def zygote(monkeypatch):
    state = Loopback()
    for ticker in ("META", "AAPL", "NVDA"):
        state.add(Company(ticker, rows=[("October 30, 2024 at 4 PM EDT", "5.25", "6.03", "+14.86")]))
    with state.serving() as url:
        environment = {**os.environ, GATEWAY: url}
        process = subprocess.Popen(
            [sys.executable, "-c", ZYGOTE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        assert process.stdout.readline() == "ready\n"

        def start(root, *tickers, force=False):
            process.stdin.write(f"{root} {'force' if force else 'wait'} {' '.join(tickers)}\n")
            process.stdin.flush()
            return int(process.stdout.readline())

        def wait():
            return int(process.stdout.readline())

        yield state, start, wait
        process.stdin.close()
        process.wait(timeout=30)


def ended(pid):
    """Wait for a process that is not our child."""
    for _ in range(3000):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return
        if state == "Z":
            return
        time.sleep(0.01)
    raise AssertionError("the fetch does not end")


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="forks, and reads /proc")
def test_kill_9_at_twenty_random_points_never_leaves_half_a_snapshot(zygote, tmp_path):
    _, start, wait = zygote
    tickers = ("META", "AAPL", "NVDA")
    began = time.monotonic()
    start(tmp_path / "whole", *tickers)
    assert wait() == 0
    whole = time.monotonic() - began
    rng = random.Random(20241030)
    seen, killed, trial = set(), 0, 0
    while killed < 20:
        trial += 1
        assert trial <= 80, f"only {killed} fetches could be killed before they ended"
        root = tmp_path / f"killed{trial}"
        began = time.monotonic()
        pid = start(root, *tickers)
        time.sleep(max(0.0, rng.random() * whole - (time.monotonic() - began)))
        with contextlib.suppress(ProcessLookupError):  # where it was quicker than the kill
            os.kill(pid, signal.SIGKILL)
        code = wait()
        assert code in (0, -signal.SIGKILL)
        killed += code != 0
        if code == 0:  # it ended first: the machine is faster now than it was
            whole *= 0.8
        store = SnapshotStore(root)
        landed = store.vintages()
        seen.add(len(landed))
        assert store.verify().empty
        for vintage in landed:
            assert len(vintage.frame("prices")) > 200
            assert {"prices.parquet", "announcements.parquet", "manifest.json"} <= set(os.listdir(vintage.folder))
    assert len(seen) > 2  # the kills hit different moments
    before = {vintage.name for vintage in store.vintages()}
    start(root, *tickers)
    assert wait() == 0
    assert before <= {vintage.name for vintage in store.vintages()}
    assert len(store.vintages()) == len(tickers)  # what had landed was not fetched again
    assert open_snapshot(None, store).prices().tickers == sorted(tickers)


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="forks, and reads /proc")
def test_two_fetches_of_one_company_at_once(zygote, tmp_path):
    _, start, _ = zygote
    pids = [start(tmp_path, "META", force=True) for _ in range(2)]
    for pid in pids:
        ended(pid)
    store = SnapshotStore(tmp_path)
    assert len(store.vintages("yahoo", "META")) == 2
    assert store.verify().empty
    newest = store.newest("yahoo", "META")
    assert len(newest.frame("prices")) > 200
    assert json.loads((newest.folder / "manifest.json").read_text())["incomplete"] == {}
