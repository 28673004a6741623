"""Company news of any kind as an event to study: one day zero where the hour is known, both plausible ones where not.

A bare date leaves two sessions that could have reacted first: its own, if the news came before the
close, and the next one, if it came after. Each is a hypothesis with a day zero of its own; a
verdict is given only where both lead to the same one.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from research.errors import ParameterError
from research.events.announcements import Announcements
from research.events.calendar import TradingCalendar

#: Flag under which each hypothesis places a bare date (METHODS 1.3).
_FLAGS = {"before the close of that day": "bmo", "after the close of that day": "amc"}


@dataclass(frozen=True)
class Hypothesis:
    """One reading of when the news came.

    Attributes
    ----------
    label : str
        Empty where the hour is known.
    announcements : Announcements
        Everything known, the event read that way.
    studied : Announcements
        The part that the study of the event holds.
    event : Series
        The event's row, with ``timing`` and ``day_zero``.
    """

    label: str
    announcements: Announcements
    studied: Announcements
    event: pd.Series


def hypotheses(announcements: Announcements, event: pd.Series, calendar: TradingCalendar) -> list[Hypothesis]:
    """The readings of an event's hour: one where it is known or makes no difference, else two.

    Parameters
    ----------
    announcements : Announcements
        Everything known.
    event : Series
        As ``Announcements.find`` returns it.
    calendar : TradingCalendar

    Returns
    -------
    list of Hypothesis
        In the order of their days zero.
    """
    if event["timing"] != "unknown":
        return [Hypothesis("", announcements, _studied(announcements, event), event)]
    frame = announcements.frame
    row = frame["event_id"] == event["event_id"]
    found: list[Hypothesis] = []
    for label, flag in _FLAGS.items():
        day = calendar.day_zero_from_date(pd.DatetimeIndex([event["announced_on"]]), [flag])[0]
        if found and found[0].event["day_zero"] == day:
            break  # a day without trading: either way the next session is the first
        read = Announcements.from_frame(frame.assign(session=frame["session"].where(~row, flag)), errors="ledger")
        placed = event.copy()
        placed["session"], placed["day_zero"] = flag, day
        found.append(Hypothesis(label, read, _studied(read, placed), placed))
    return found


def _studied(announcements: Announcements, event: pd.Series) -> Announcements:
    """Earnings are studied among earnings; other news among everything, so that same-day earnings show."""
    if event["kind"] != "earnings":
        return announcements
    return announcements.select((announcements.frame["kind"] == "earnings").to_numpy())


def with_earnings_cut(announcements: Announcements, event: pd.Series) -> Announcements:
    """What is known of a company, its earnings counted as news of the event's kind.

    A study cuts days around other announcements of the *same* kind only. Given this table as
    ``known_announcements`` it cuts the days around earnings as well.
    """
    frame = announcements.for_ticker(str(event["ticker"])).frame
    if event["kind"] == "earnings":
        raise ParameterError("earnings are cut already", parameter="event", value=event["event_id"])
    frame["kind"] = str(event["kind"])
    columns = [name for name in ("ticker", "kind", "announced_at", "session", "exchange") if name in frame]
    instants = frame["announced_at"].dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    given = instants.where(frame["announced_at"].notna(), frame["announced_on"].dt.strftime("%Y-%m-%d"))
    usable = (frame["status"] == "ok").to_numpy()
    return Announcements.from_frame(frame.assign(announced_at=given)[columns][usable], errors="ledger")
