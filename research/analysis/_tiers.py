"""Which peers can be read on another company's day: by the rule of METHODS 6.8, not by a list."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from research.events.announcements import Announcements
from research.events.calendar import TradingCalendar

#: In the order of what can be concluded from them; ``unknown`` is no tier but the absence of one.
TIERS = ("clean", "adjacent", "confounded")
UNKNOWN = "unknown"

#: What each tier means, in the words of a report.
MEANING = {
    "clean": "no announcement of its own within one session",
    "adjacent": "its own day zero is one session before or after",
    "confounded": "its own day zero is the same session",
    UNKNOWN: "its announcements around that date are not known, so it may have had one",
}

#: Quarterly announcements lie at most this many days apart; between two known ones further apart one may be missing.
QUARTER = 135

#: Nearer than this many days to a known announcement there is no other one, whatever is missing further away.
NEAR = 60


def peer_days(announcements: Announcements, calendar: TradingCalendar) -> pd.DataFrame:
    """Day zeros of everything known, an announcement of unknown hour with both its plausible ones.

    Returns
    -------
    DataFrame
        ``event_id, ticker, kind, timing, announced_on, day_zero, position`` (on the calendar's sessions),
        without repetition, sorted by ticker and day.
    """
    frame = announcements.frame
    own_clock = bool((frame["exchange"] != calendar.code).any())
    found = []
    for policy in ("same-session", "next-session"):
        timed = announcements.timed(None if own_clock else calendar, unknown_timing=policy)
        rows = frame[["event_id", "ticker", "kind", "announced_on"]].assign(
            timing=timed["timing"], day_zero=timed["day_zero"]
        )
        found.append(rows.dropna(subset=["day_zero"]))
    table = pd.concat(found, ignore_index=True).drop_duplicates(["event_id", "day_zero"])
    table["position"] = calendar.sessions.searchsorted(pd.DatetimeIndex(table["day_zero"]))
    return table.sort_values(["ticker", "day_zero"], kind="stable", ignore_index=True)


def assign_tiers(
    days: pd.DataFrame, day_zero: pd.Timestamp, peers: Iterable[str], calendar: TradingCalendar
) -> pd.DataFrame:
    """Tier of each peer on one day.

    Parameters
    ----------
    days : DataFrame
        As :func:`peer_days` returns it.
    day_zero : Timestamp
        The announcer's.
    peers : iterable of str
        Without the announcer.
    calendar : TradingCalendar

    Returns
    -------
    DataFrame, one row a peer in the order given
        ``peer, tier`` (``clean, adjacent, confounded`` or ``unknown``), ``own_day_zero`` (the nearest; NaT for
        ``unknown``), ``offset`` (sessions from the announcer's day zero to it), ``timing``, ``kind``.

    Notes
    -----
    A calendar is known on a day that lies within 60 days of a known announcement, or between two that are at most 135
    days apart: elsewhere the announcement of that quarter may be missing from the table.
    """
    place = int(calendar.sessions.searchsorted(day_zero))
    stamp = np.array([pd.Timestamp(day_zero).as_unit("ns").value])
    rows = []
    for peer in peers:
        own = days[days["ticker"] == peer]
        if not _is_known(_stamps(own), stamp)[0]:
            rows.append((peer, UNKNOWN, pd.NaT, np.nan, "", ""))
            continue
        offsets = own["position"].to_numpy() - place
        i = int(np.argmin(np.abs(offsets)))
        distance = abs(int(offsets[i]))
        tier = "confounded" if distance == 0 else "adjacent" if distance == 1 else "clean"
        nearest = own.iloc[i]
        rows.append((peer, tier, nearest["day_zero"], float(offsets[i]), nearest["timing"], nearest["kind"]))
    return pd.DataFrame(rows, columns=["peer", "tier", "own_day_zero", "offset", "timing", "kind"])


def pairs(days: pd.DataFrame, events: pd.DataFrame, peers: Iterable[str], calendar: TradingCalendar) -> pd.DataFrame:
    """Tier of every peer on the day zero of every announcer's event, at once.

    Parameters
    ----------
    days : DataFrame
        As :func:`peer_days` returns it.
    events : DataFrame
        ``event_id, ticker, day_zero`` of the announcers.
    peers : iterable of str
    calendar : TradingCalendar

    Returns
    -------
    DataFrame
        ``event_id, announcer, day_zero, peer, tier, offset``; a company is never its own peer.
    """
    place = calendar.sessions.searchsorted(pd.DatetimeIndex(events["day_zero"]))
    stamps = pd.DatetimeIndex(events["day_zero"]).as_unit("ns").asi8
    found = []
    for peer in peers:
        own = days[days["ticker"] == peer]
        positions = np.sort(own["position"].to_numpy())
        offset = _nearest(positions, np.asarray(place))
        distance = np.abs(offset)
        tier = np.select([distance == 0, distance == 1], ["confounded", "adjacent"], "clean").astype(object)
        tier[~_is_known(_stamps(own), stamps)] = UNKNOWN
        table = pd.DataFrame(
            {
                "event_id": events["event_id"].to_numpy(),
                "announcer": events["ticker"].to_numpy(),
                "day_zero": events["day_zero"].to_numpy(),
                "peer": peer,
                "tier": tier,
                "offset": np.where(tier == UNKNOWN, np.nan, offset),
            }
        )
        found.append(table[table["announcer"] != peer])
    columns = ["event_id", "announcer", "day_zero", "peer", "tier", "offset"]
    return pd.concat(found, ignore_index=True)[columns] if found else pd.DataFrame(columns=columns)


def _stamps(own: pd.DataFrame) -> np.ndarray:
    """Day zeros of one company in nanoseconds, sorted."""
    return np.sort(pd.DatetimeIndex(own["day_zero"]).as_unit("ns").asi8)


def _is_known(own: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Whether a company's calendar is known on each wanted day, from its sorted announcements."""
    edged = np.concatenate([[-np.inf], own, [np.inf]])
    place = np.searchsorted(own, wanted, side="right")
    before, after = wanted - edged[place], edged[np.searchsorted(own, wanted, side="left") + 1] - wanted
    day = pd.Timedelta(days=1).value
    return np.asarray((before + after <= QUARTER * day) | (np.minimum(before, after) <= NEAR * day))


def _nearest(sorted_values: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Signed distance from each wanted value to the nearest of the sorted ones; NaN without any."""
    if not len(sorted_values):
        return np.full(len(wanted), np.nan)
    after = np.clip(np.searchsorted(sorted_values, wanted), 0, len(sorted_values) - 1)
    before = np.clip(after - 1, 0, None)
    ahead, behind = sorted_values[after] - wanted, sorted_values[before] - wanted
    return np.where(np.abs(behind) <= np.abs(ahead), behind, ahead).astype(np.float64)
