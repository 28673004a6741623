"""Reading what users bring: instants to day zero, tables of announcements, the sample.

    python -m benchmarks.boundary

Each beside what users would do without the package, in the same run; prints the Markdown
of its section.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

import exchange_calendars
import numpy as np
import pandas as pd

import research as es
from benchmarks.engine import best
from research.resources import sample_directory

INSTANTS, ROWS = 1_000_000, 100_000
#: Instants of the slow peers, which go one by one.
FEW = 10_000


def instants(n: int, seed: int = 0) -> pd.DatetimeIndex:
    """Whole minutes of any hour and day of 2005 to 2024, UTC."""
    first, last = (pd.Timestamp(day, tz="UTC").value // 60_000_000_000 for day in ("2005-01-03", "2024-12-30"))
    minutes = np.random.default_rng(seed).integers(first, last, n)
    return pd.DatetimeIndex((minutes * 60_000_000_000).view("M8[ns]")).tz_localize("UTC")


def announcements(n: int, seed: int = 0) -> pd.DataFrame:
    """Firms that announce every quarter, half before the open and half after the close, times as text."""
    rng = np.random.default_rng(seed)
    quarters = 40
    firms = -(-n // quarters)
    sessions = es.TradingCalendar("XNYS").sessions
    sessions = sessions[sessions.searchsorted(pd.Timestamp("2012-01-03")) :]
    place = 63 * np.arange(quarters)[:, None] + rng.integers(0, 25, (quarters, firms))
    early = rng.random(n) < 0.5
    local = sessions[place.ravel()[:n]] + pd.to_timedelta(np.where(early, 7 * 60 + 30, 16 * 60 + 5), unit="min")
    return pd.DataFrame(
        {
            "ticker": np.tile([f"T{i:05d}" for i in range(firms)], quarters)[:n],
            "announced_at": [stamp.isoformat() for stamp in local.tz_localize("America/New_York")],
            "session": np.where(early, "bmo", "amc"),
            "eps_actual": rng.normal(1, 0.2, n).round(2),
            "eps_estimate": rng.normal(1, 0.2, n).round(2),
        }
    )


def peer_day_zero(calendar: exchange_calendars.ExchangeCalendar, moments: pd.DatetimeIndex) -> list[pd.Timestamp]:
    """Session of each instant by exchange_calendars, the same rule: at the close belongs to the next session."""
    return [calendar.minute_to_session(moment, direction="next") for moment in moments]


def peer_timing(calendar: exchange_calendars.ExchangeCalendar, moments: pd.DatetimeIndex) -> list[str]:
    """Timing of each instant by the methods of exchange_calendars."""
    found = []
    for moment in moments:
        date = moment.tz_convert(calendar.tz).tz_localize(None).normalize()
        if not calendar.is_session(date):
            found.append("closed")
        elif moment < calendar.session_open(date):
            found.append("bmo")
        else:
            found.append("dmh" if moment < calendar.session_close(date) else "amc")
    return found


def ratio(ours: float, peer: float) -> str:
    """How many times our seconds a peer takes."""
    return f"{peer / ours:,.0f} times ours" if peer >= 10 * ours else f"{peer / ours:.2f} times ours"


def fresh(code: str) -> float:
    """Shortest of three runs of a line of Python in a process of its own, seconds."""
    return best(lambda: subprocess.run([sys.executable, "-c", code], check=True))


def calendar_rows() -> list[tuple[str, str, str]]:
    """A million instants, beside exchange_calendars."""
    calendar = es.TradingCalendar("XNYS")
    peer = exchange_calendars.get_calendar("XNYS", start="2004-01-02", end="2025-12-31", side="left")
    moments = instants(INSTANTS)
    texts = [stamp.isoformat() for stamp in moments.tz_convert("America/New_York")]
    few, trading = moments[:FEW], moments[calendar.timing(moments) == "dmh"].sort_values()

    def both(values: object) -> tuple[list[str], list[pd.Timestamp]]:
        return calendar.timing(values), calendar.day_zero(values)

    timing, zero = both(few)
    assert peer_timing(peer, few) == list(timing)
    assert peer_day_zero(peer, few) == list(zero)
    assert peer.minutes_to_sessions(trading).equals(calendar.day_zero(trading))
    ours, of_text = best(partial(both, moments)), best(partial(both, texts))
    one_by_one = best(lambda: (peer_timing(peer, few), peer_day_zero(peer, few))) / FEW
    in_session = best(partial(calendar.day_zero, trading))
    vectorised = best(partial(peer.minutes_to_sessions, trading))
    return [
        (f"{INSTANTS:,} instants to timing and day zero", f"{ours:.2f} s", f"{1e6 * ours / INSTANTS:.2f} µs each"),
        ("the same from a list of ISO 8601 text", f"{of_text:.2f} s", f"{1e6 * of_text / INSTANTS:.2f} µs each"),
        (
            "exchange_calendars minute by minute (`is_session`, `session_open`, `session_close`, `minute_to_session`)",
            f"{1e6 * one_by_one:.0f} µs each",
            ratio(ours / INSTANTS, one_by_one),
        ),
        (f"day zero alone of {len(trading):,} sorted instants within sessions", f"{in_session:.3f} s", ""),
        (
            "exchange_calendars `minutes_to_sessions`, which takes nothing else",
            f"{vectorised:.3f} s",
            ratio(in_session, vectorised),
        ),
    ]


def table_rows() -> list[tuple[str, str, str]]:
    """Tables of announcements and the sample, beside what pandas alone takes to parse them unchecked."""
    frame = announcements(ROWS)
    read = best(partial(es.Announcements.from_frame, frame))
    bare = best(lambda: pd.to_datetime(frame["announced_at"], utc=True))
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "events.csv"
        frame.to_csv(path, index=False)
        from_csv = best(partial(es.Announcements.from_csv, path))
        unchecked = best(partial(pd.read_csv, path))
    sample = sample_directory() / "events.csv"
    events, bare_events = best(partial(es.Announcements.from_csv, sample), 5), best(partial(pd.read_csv, sample), 5)
    modules, loaded = (
        fresh("import research as es; es.sample"),
        fresh(
            "import research as es; es.sample.announcements(); es.sample.prices().returns(); es.sample.market_returns()"
        ),
    )
    return [
        (f"`Announcements.from_frame`, {ROWS:,} rows", f"{read:.2f} s", f"{ROWS / read:,.0f} rows a second"),
        ("pandas `to_datetime` of its times alone, nothing checked", f"{bare:.3f} s", ratio(read, bare)),
        (f"`Announcements.from_csv`, {ROWS:,} rows", f"{from_csv:.2f} s", f"{ROWS / from_csv:,.0f} rows a second"),
        ("pandas `read_csv` of that file, nothing checked", f"{unchecked:.3f} s", ratio(from_csv, unchecked)),
        ("announcements of the sample", f"{1e3 * events:.0f} ms", f"`read_csv` alone: {ratio(events, bare_events)}"),
        (
            "announcements, returns and market of the sample in a fresh process",
            f"{loaded:.2f} s",
            f"of which starting Python and importing {modules:.2f} s",
        ),
    ]


def section() -> str:
    """Measure everything and return the Markdown."""
    es.Announcements.from_csv(sample_directory() / "events.csv")  # imports and the calendar, once
    rows = [*calendar_rows(), *table_rows()]
    lines = ["## Boundary", "", "| what | time | and |", "|---|---|---|", *(f"| {a} | {b} | {c} |" for a, b, c in rows)]
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    sys.stdout.write(section())
