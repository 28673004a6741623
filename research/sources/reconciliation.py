"""One instant from several: what the wire, EDGAR and a vendor say about an announcement.

The rule, in this order:

1. an exact time from the wire (``source`` wire, precision second or minute);
2. EDGAR, where it contradicts the vendor: the filing was public before the vendor's time began
   (nobody files results before they are out), or became so only more than the tolerance after
   it had ended (a vendor's date a day early looks like this);
3. EDGAR's acceptance, where it falls on the vendor's day and into its part of that day: an upper bound
   of the release, but a recorded time; and where the vendor has a date without any session;
4. the vendor's time, with its precision;
5. the vendor's bare date with its session: a company that announces in the morning and files
   in the evening is not moved to the evening.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from research.errors import ParameterError
from research.events.calendar import TradingCalendar

NEW_YORK = "America/New_York"
#: How long after the end of the vendor's time a filing may become public without contradicting it.
TOLERANCE = pd.Timedelta(hours=12)
#: How long before its beginning: clocks and rounding.
_SLACK = pd.Timedelta(minutes=15)
#: A filing this far from an announcement belongs to another one.
_APART = pd.Timedelta(days=6)

COLUMNS = (
    "announced_at",
    "announced_on",
    "precision",
    "session",
    "announced_at_source",
    "sec_accepted_at",
    "vendor_day_zero",
    "edgar_day_zero",
    "gap_hours",
    "agreement",
    "detail",
)


def reconcile(
    vendor: pd.DataFrame,
    acceptances: pd.DataFrame | None,
    calendar: TradingCalendar,
    *,
    wire: pd.DataFrame | None = None,
    name: str = "vendor",
    tolerance: pd.Timedelta = TOLERANCE,
) -> pd.DataFrame:
    """Announcement instants of one company from several sources, side by side, and the one that counts.

    Parameters
    ----------
    vendor : DataFrame
        ``announced_at`` (UTC or NaT), ``announced_on`` (New York date), ``precision``, ``session``.
    acceptances : DataFrame or None
        ``accepted_at`` and ``public_at`` (UTC) of the company's 8-K filings with item 2.02.
    calendar : TradingCalendar
    wire : DataFrame, optional
        ``announced_at`` (UTC) of press releases whose exact time is known.
    name : str
        What the vendor is called in ``announced_at_source``.
    tolerance : Timedelta
        See the rule above.

    Returns
    -------
    DataFrame
        Indexed like ``vendor``, with the columns :data:`COLUMNS`. ``agreement`` is ``agrees``,
        ``moved`` (another day zero than the vendor's), ``sharpened`` (a time where there was none, on
        the same day zero), ``differs`` (EDGAR would put day zero elsewhere, but does not contradict)
        or ``alone`` (no filing near); ``gap_hours`` is from the end of the vendor's time to the filing.

    Raises
    ------
    ParameterError
        If the tolerance is negative.
    """
    if tolerance < pd.Timedelta(0):
        raise ParameterError("a tolerance is not negative", parameter="tolerance", value=str(tolerance))
    table = vendor.reset_index(drop=True)
    begin, end = _spans(table, calendar)
    filings = _matched(begin, end, acceptances)
    releases = _matched(begin, end, None if wire is None else wire.assign(public_at=wire["announced_at"]))
    zeros = day_zeros(table, calendar)
    rows = []
    for place, row in enumerate(table.to_dict("records")):
        filing = filings.get(place)
        release = releases.get(place)
        rows.append(_decide(row, begin[place], end[place], zeros[place], filing, release, calendar, name, tolerance))
    frame = pd.DataFrame(rows, columns=list(COLUMNS), index=vendor.index)
    for column in ("announced_at", "sec_accepted_at"):
        frame[column] = pd.to_datetime(frame[column], utc=True).dt.as_unit("ns")
    for column in ("announced_on", "vendor_day_zero", "edgar_day_zero"):
        frame[column] = pd.to_datetime(frame[column]).dt.as_unit("ns")
    return frame


def unmatched(vendor: pd.DataFrame, acceptances: pd.DataFrame, calendar: TradingCalendar) -> pd.DataFrame:
    """Filings with item 2.02 that belong to no announcement of the vendor: early figures, or gaps in its list."""
    begin, end = _spans(vendor.reset_index(drop=True), calendar)
    numbered = acceptances.assign(place=range(len(acceptances)))
    used = {filing["place"] for filing in _matched(begin, end, numbered).values()}
    return acceptances[~numbered["place"].isin(used).to_numpy()]


def near(vendor: pd.DataFrame, acceptances: pd.DataFrame, calendar: TradingCalendar) -> np.ndarray:
    """Whether each filing is close enough to some announcement to belong to it, shape (n_filings,)."""
    begin, end = _spans(vendor.reset_index(drop=True), calendar)
    apart = _apart(begin, end, acceptances)
    return np.asarray((apart <= _APART.value).any(axis=0))


def _spans(table: pd.DataFrame, calendar: TradingCalendar) -> tuple[pd.DatetimeIndex, pd.DatetimeIndex]:
    """First and last instant that each of the vendor's times allows."""
    days = pd.DatetimeIndex(table["announced_on"]).as_unit("ns")
    midnight = days.tz_localize(NEW_YORK)
    begin, end = midnight.tz_convert("UTC"), (days + pd.Timedelta(days=1)).tz_localize(NEW_YORK).tz_convert("UTC")
    place = calendar.sessions.get_indexer(days)
    opens = pd.DatetimeIndex(np.where(place >= 0, calendar.opens.asi8[place], begin.asi8)).tz_localize("UTC")
    closes = pd.DatetimeIndex(np.where(place >= 0, calendar.closes.asi8[place], end.asi8)).tz_localize("UTC")
    session = table["session"].to_numpy(dtype=object)
    known = (place >= 0) & table["announced_at"].isna().to_numpy()
    begin = pd.DatetimeIndex(
        np.where(known & (session == "dmh"), opens.asi8, np.where(known & (session == "amc"), closes.asi8, begin.asi8))
    ).tz_localize("UTC")
    end = pd.DatetimeIndex(
        np.where(known & (session == "bmo"), opens.asi8, np.where(known & (session == "dmh"), closes.asi8, end.asi8))
    ).tz_localize("UTC")
    exact = pd.DatetimeIndex(table["announced_at"]).as_unit("ns")
    timed = exact.notna()
    return exact.where(timed, begin).as_unit("ns"), exact.where(timed, end).as_unit("ns")


def _apart(begin: pd.DatetimeIndex, end: pd.DatetimeIndex, filings: pd.DataFrame) -> np.ndarray:
    """Nanoseconds between each announcement and each filing, shape (n_announcements, n_filings)."""
    public = pd.DatetimeIndex(filings["public_at"]).as_unit("ns").asi8[None, :]
    return np.maximum(begin.asi8[:, None] - public, public - end.asi8[:, None]).clip(min=0)


def _matched(begin: pd.DatetimeIndex, end: pd.DatetimeIndex, filings: pd.DataFrame | None) -> dict[int, dict[str, Any]]:
    """The nearest filing of each announcement; each filing is used once, the closest pairs first."""
    if filings is None or filings.empty or not len(begin):
        return {}
    apart = _apart(begin, end, filings)
    found: dict[int, dict[str, Any]] = {}
    used: set[int] = set()
    rows = filings.to_dict("records")
    for flat in np.argsort(apart, axis=None, kind="stable"):
        place, column = (int(number) for number in np.unravel_index(flat, apart.shape))
        if apart[place, column] > _APART.value:
            break
        if place not in found and column not in used:
            found[place] = {str(key): value for key, value in rows[column].items()}
            used.add(column)
    return found


def day_zeros(table: pd.DataFrame, calendar: TradingCalendar) -> list[Any]:
    """Day zero of each row, NaT where there is neither an instant nor a session."""
    zeros: list[Any] = [pd.NaT] * len(table)
    timed = table["announced_at"].notna().to_numpy()
    flagged = ~timed & table["session"].notna().to_numpy()
    for place, zero in zip(
        np.flatnonzero(timed), calendar.day_zero(pd.DatetimeIndex(table["announced_at"][timed])), strict=True
    ):
        zeros[place] = zero
    for place, zero in zip(
        np.flatnonzero(flagged),
        calendar.day_zero_from_date(
            pd.DatetimeIndex(table["announced_on"][flagged]), table["session"][flagged].to_numpy(dtype=object)
        ),
        strict=True,
    ):
        zeros[place] = zero
    return zeros


def _decide(
    row: dict[str, Any],
    begin: pd.Timestamp,
    end: pd.Timestamp,
    vendor_zero: Any,
    filing: dict[str, Any] | None,
    release: dict[str, Any] | None,
    calendar: TradingCalendar,
    name: str,
    tolerance: pd.Timedelta,
) -> dict[str, Any]:
    kept = {
        "announced_at": row["announced_at"],
        "announced_on": row["announced_on"],
        "precision": row["precision"],
        "session": row["session"],
        "announced_at_source": name,
        "vendor_day_zero": vendor_zero,
        "agreement": "alone",
        "detail": "",
    }
    edgar_zero: Any = pd.NaT
    if filing is not None:
        public = filing["public_at"]
        edgar_zero = calendar.day_zero(pd.DatetimeIndex([public]))[0]
        kept |= {
            "sec_accepted_at": filing["accepted_at"],
            "edgar_day_zero": edgar_zero,
            "gap_hours": round((public - end) / pd.Timedelta(hours=1), 2),
        }
    if release is not None:
        return {**kept, **_released(release["public_at"], row, vendor_zero, calendar), "announced_at_source": "wire"}
    if filing is None:
        return kept
    clock = f"{public.tz_convert(NEW_YORK):%Y-%m-%d %H:%M} New York"
    early = public < begin - _SLACK
    late = public > end + tolerance
    delayed = public != filing["accepted_at"]
    if early or late or pd.isna(vendor_zero):
        hours = tolerance / pd.Timedelta(hours=1)
        reason = {True: f"more than {hours:g} hours after the {name}'s time", False: f"and the {name} gives no session"}
        why = f"public on EDGAR at {clock}, " + (f"before the {name}'s time begins" if early else reason[late])
        moved = pd.notna(vendor_zero) and edgar_zero != vendor_zero
        if moved:
            why += f"; day zero moved from {vendor_zero:%Y-%m-%d} to {edgar_zero:%Y-%m-%d}"
        return {
            **kept,
            **_edgar(public, delayed),
            "announced_at_source": "sec_filing_date" if delayed else "sec_8k_acceptance",
            "agreement": "moved" if moved else "sharpened",
            "detail": why,
        }
    if edgar_zero != vendor_zero:
        return {**kept, "agreement": "differs", "detail": f"public on EDGAR at {clock}, which alone would not move it"}
    if not delayed and _same_part(public, row, begin, end, calendar):
        return {
            **kept,
            **_edgar(public, delayed),
            "announced_at_source": "sec_8k_acceptance",
            "agreement": "sharpened",
            "detail": f"accepted by EDGAR at {clock}, an upper bound of the release",
        }
    return {**kept, "agreement": "agrees"}


def _released(
    instant: pd.Timestamp, row: dict[str, Any], vendor_zero: Any, calendar: TradingCalendar
) -> dict[str, Any]:
    """What an exact time from the wire makes of the vendor's."""
    if pd.notna(row["announced_at"]) and row["announced_at"] == instant:
        return {"agreement": "agrees"}
    zero = calendar.day_zero(pd.DatetimeIndex([instant]))[0]
    why = f"released on the wire at {instant.tz_convert(NEW_YORK):%Y-%m-%d %H:%M:%S} New York"
    if pd.isna(vendor_zero) or zero == vendor_zero:
        return {**_at(instant), "agreement": "sharpened", "detail": why}
    why += f"; day zero moved from {vendor_zero:%Y-%m-%d} to {zero:%Y-%m-%d}"
    return {**_at(instant), "agreement": "moved", "detail": why}


def _same_part(
    public: pd.Timestamp, row: dict[str, Any], begin: pd.Timestamp, end: pd.Timestamp, calendar: TradingCalendar
) -> bool:
    """Whether a filing became public on the vendor's day and in its part of the day."""
    if pd.isna(row["announced_at"]):
        return bool(begin <= public <= end)
    timing = calendar.timing(pd.DatetimeIndex([public, row["announced_at"]]))
    day = public.tz_convert(NEW_YORK).tz_localize(None).normalize()
    return bool(timing[0] == timing[1] and day == row["announced_on"])


def _at(instant: pd.Timestamp) -> dict[str, Any]:
    local = instant.tz_convert(NEW_YORK)
    return {
        "announced_at": instant,
        "announced_on": local.tz_localize(None).normalize(),
        "precision": "second" if local.second else "minute",
        "session": None,
    }


def _edgar(public: pd.Timestamp, delayed: bool) -> dict[str, Any]:
    """A filing as an announcement: its instant, or, where it waited for the morning, that day before the open."""
    if not delayed:
        return _at(public)
    day = public.tz_convert(NEW_YORK).tz_localize(None).normalize()
    return {"announced_at": pd.NaT, "announced_on": day, "precision": "session", "session": "bmo"}
