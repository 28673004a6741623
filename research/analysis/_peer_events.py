"""Events of a study whose day zero is another company's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from research.events.announcements import Announcements

#: Kind under which the peers' days enter the study; their own announcements are cut under it.
KIND = "spillover"


def around(window: tuple[int, int]) -> tuple[int, int]:
    """The event window that is fitted: the one that is summed, day zero included."""
    return min(0, window[0]), max(0, window[1])


def events_on(tickers: list[str], sessions: list[pd.Timestamp]) -> Announcements:
    """Events whose day zero is a session: dates with the flag of news before the open."""
    frame = pd.DataFrame({"ticker": tickers, "announced_at": [f"{day:%Y-%m-%d}" for day in sessions]})
    return Announcements.from_frame(frame.assign(session="bmo", kind=KIND))


def known_under(announcements: Announcements, aliases: Mapping[str, Sequence[str]]) -> Announcements | None:
    """Earnings announcements of the aliases' members under the study's kind and the alias's name; None without any.

    Only earnings days are cut from an estimation window, as in a study of earnings: other news is rarer and
    its hour often unknown.
    """
    frame = announcements.frame
    frame = frame[(frame["status"] == "ok") & (frame["kind"] == "earnings")]
    parts = [frame[frame["ticker"].isin(list(members))].assign(ticker=name) for name, members in aliases.items()]
    known = pd.concat(parts, ignore_index=True)[["ticker", "announced_at", "announced_on", "session", "precision"]]
    if known.empty:
        return None
    instants = known["announced_at"].dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    known["announced_at"] = instants.where(known["announced_at"].notna(), known["announced_on"].dt.strftime("%Y-%m-%d"))
    table = known[["ticker", "announced_at", "session"]].drop_duplicates().assign(kind=KIND)
    return Announcements.from_frame(table.reset_index(drop=True), errors="ledger")
