"""What Yahoo's pages and JSON say about earnings: the calendar's texts, and the consensus of the day."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Mapping
from html.parser import HTMLParser
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd

from research.errors import SourceError, in_words, nearest
from research.events.calendar import TradingCalendar
from research.sources._retry import TransientError

NEW_YORK = ZoneInfo("America/New_York")

#: Zone abbreviations of the calendar page.
_ZONES: Mapping[str, dt.tzinfo] = {
    **dict.fromkeys(("EDT", "EST", "ET", "AMERICA/NEW_YORK"), NEW_YORK),
    **dict.fromkeys(("UTC", "GMT", "Z", "GMT+0", "GMT+00:00"), dt.UTC),
    **dict.fromkeys(("CDT", "CST", "CT"), ZoneInfo("America/Chicago")),
    **dict.fromkeys(("MDT", "MST", "MT"), ZoneInfo("America/Denver")),
    **dict.fromkeys(("PDT", "PST", "PT"), ZoneInfo("America/Los_Angeles")),
    "BST": ZoneInfo("Europe/London"),
    **dict.fromkeys(("CET", "CEST"), ZoneInfo("Europe/Berlin")),
    "JST": ZoneInfo("Asia/Tokyo"),
}
_DATE = r"(?P<month>[A-Z][a-z]{2,8})\.? (?P<day>\d{1,2}), (?P<year>\d{4})"
_TEXT = re.compile(
    _DATE
    + r"(?:(?:,| at|,? at)? ?(?P<hour>\d{1,2})(?::(?P<minute>\d{2}))? ?(?P<half>[AaPp])\.?[Mm]\.?"
    + r" ?(?P<zone>[A-Za-z_/]+(?:[+-]\d{1,2}(?::?\d{2})?)?)?)?"
    + r"(?:[,\s(]*(?P<words>[A-Za-z][A-Za-z ]*?)\)?)?"
)
_ISO = re.compile(r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?)?")
_OFFSET = re.compile(r"(?:UTC|GMT)(?P<sign>[+-])(?P<hours>\d{1,2})(?::?(?P<minutes>\d{2}))?")
_NAMES = "January February March April May June July August September October November December".casefold().split()
_MONTHS = {name[:size]: n for size in (3, 9) for n, name in enumerate(_NAMES, start=1)} | {"sept": 9}
#: Words and codes for the part of the day.
_SESSIONS = {
    **dict.fromkeys(("bmo", "before market open", "before open", "pre market", "before hours"), "bmo"),
    **dict.fromkeys(("amc", "after market close", "after close", "post market", "after hours"), "amc"),
    **dict.fromkeys(("dmh", "dmt", "during market hours", "during market"), "dmh"),
    **dict.fromkeys(("tns", "tas", "tbd", "time not supplied", "time as supplied", "n a", ""), None),
}
_COLUMNS = {
    "symbol": "symbol",
    "earnings date": "text",
    "eps estimate": "eps_estimate",
    "reported eps": "eps_actual",
    "surprise (%)": "surprise_pct",
    "surprise(%)": "surprise_pct",
    "surprise %": "surprise_pct",
    "call time": "call_time",
    "earnings call time": "call_time",
}
#: Texts of rows that announce something on no date yet.
_UNDATED = frozenset({"", "-", "--", "tbd", "n/a"})
_NEEDED = ("earnings date", "eps estimate", "reported eps")
_DOWN = ("will be right back", "too many requests", "unusual traffic")
#: Marks of the form that asks for consent to cookies, which comes in place of any page.
_CONSENT = ("collectconsent", 'name="csrftoken"', "consent.yahoo.com")

EVENT_COLUMNS = (
    "text",
    "announced_at",
    "announced_on",
    "precision",
    "session",
    "eps_estimate",
    "eps_actual",
    "surprise_pct",
)
ESTIMATE_COLUMNS = (
    "fetched_at",
    "period",
    "metric",
    "period_end",
    "expected_from",
    "expected_to",
    "date_is_estimate",
    "mean",
    "low",
    "high",
    "n_analysts",
    "year_ago",
)


class _Tables(HTMLParser):
    """Cells of all tables of a page."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tables: list[list[list[str]]] = []
        self._cell: list[str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "table":
            self.tables.append([])
        elif tag == "tr" and self.tables:
            self.tables[-1].append([])
        elif tag in ("td", "th") and self.tables and self.tables[-1]:
            self._cell = []

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th") and self._cell is not None:
            self.tables[-1][-1].append(_spaced("".join(self._cell)))
            self._cell = None

    def handle_data(self, data: str) -> None:
        if self._cell is not None:
            self._cell.append(data)


def _spaced(text: str) -> str:
    """Text with plain single spaces; Yahoo writes narrow no-break ones before AM and PM."""
    return " ".join(text.split())


def calendar_rows(page: str, ticker: str) -> tuple[list[dict[str, str]], int] | None:
    """Rows of the earnings calendar of one company, as text.

    Parameters
    ----------
    page : str
        HTML of ``calendar/earnings?symbol=...``.
    ticker : str

    Returns
    -------
    rows : list of dict
        Those of this company that have a date.
    listed : int
        How many rows the page lists in all: fewer than were asked for on the last page only.

        None instead of both if the page has no table, which is how it says that there is nothing.

    Raises
    ------
    TransientError
        If the page says that the service is not available.
    SourceError
        If it is no page of the earnings calendar, or its columns have changed.
    """
    start = page.lstrip()[:1]
    folded = page.casefold()
    if any(words in folded for words in _DOWN):
        raise TransientError("Yahoo shows a page of regret instead of the earnings calendar")
    if start != "<":
        raise TransientError("Yahoo did not answer with a page where the earnings calendar was due")
    parser = _Tables()
    parser.feed(page)
    if not parser.tables:
        if "</html>" not in folded:
            raise TransientError("Yahoo did not answer: the page of the earnings calendar was cut short")
        if any(words in folded for words in _CONSENT):
            raise TransientError("Yahoo asks for consent to cookies instead of showing the earnings calendar")
        if "earnings" not in folded:
            raise TransientError("Yahoo shows some other page instead of the earnings calendar")
        return None
    header, *rows = parser.tables[0] or [[]]
    names = [_COLUMNS.get(cell.casefold(), cell) for cell in header]
    missing = [name for name in _NEEDED if _COLUMNS[name] not in names]
    if missing:
        raise SourceError(
            f"Yahoo's earnings calendar has no column {in_words(map(repr, missing))}: its layout has changed",
            value=header,
            remedy=nearest(missing[0], header) or "Bring the announcements in a file of your own (files:DIR).",
        )
    ragged = [row for row in rows if len(row) not in (0, 1, len(header))]  # one cell across is no announcement
    if ragged:
        raise SourceError(
            "Yahoo's earnings calendar has rows that do not fit its header: its layout has changed",
            value=ragged[0],
            remedy="Bring the announcements in a file of your own (files:DIR).",
        )
    found = [dict(zip(names, row, strict=True)) for row in rows if len(row) == len(header)]
    dated = [
        row
        for row in found
        if row.get("symbol", ticker).upper() == ticker.upper() and row["text"].casefold() not in _UNDATED
    ]
    return dated, len(rows)


def events(rows: Iterable[Mapping[str, str]], ticker: str, calendar: TradingCalendar) -> pd.DataFrame:
    """Announcements, each with as much of its time as its text really tells.

    A full hour tells the session, not the minute: what Yahoo knows as 16:05 it prints as
    "4 PM". Midnight tells nothing, neither in New York nor in UTC; midnight UTC would
    put the announcement on the evening before, and is read as its date instead.

    Returns
    -------
    DataFrame
        Columns :data:`EVENT_COLUMNS`; ``announced_at`` UTC where the minute is known,
        ``announced_on`` the date in New York, ``precision`` minute, session or date.

    Raises
    ------
    SourceError
        Naming the texts that cannot be read.
    """
    read, unread = [], []
    for row in rows:
        when = _when(row["text"], _SESSIONS.get(_words(row.get("call_time", ""))), calendar)
        if when is None:
            unread.append(row["text"])
        else:
            numbers = {name: _number(row.get(name, "")) for name in ("eps_estimate", "eps_actual", "surprise_pct")}
            read.append({"text": row["text"], **when, **numbers})
    if unread:
        raise SourceError(
            f"Yahoo writes earnings dates of {ticker} in a form that is not known: {in_words(map(repr, unread), 3)}",
            remedy="Report the form, or bring the announcements in a file of your own (files:DIR).",
        )
    frame = pd.DataFrame(read, columns=list(EVENT_COLUMNS))
    frame["announced_at"] = pd.to_datetime(frame["announced_at"], utc=True).dt.as_unit("ns")
    frame["announced_on"] = pd.to_datetime(frame["announced_on"]).dt.as_unit("ns")
    frame = frame.drop_duplicates([name for name in EVENT_COLUMNS if name != "text"])
    return frame.sort_values(["announced_on", "announced_at"], kind="stable", ignore_index=True)


def _words(text: str) -> str:
    return " ".join("".join(c if c.isalpha() else " " for c in text.casefold()).split())


def _when(text: str, flag: str | None, calendar: TradingCalendar) -> dict[str, Any] | None:
    """Instant, date, precision and session of one text; None if it cannot be read."""
    if _ISO.fullmatch(text):
        stamp = pd.Timestamp(text)
        bare = len(text) == 10
        exact = not bare and (stamp.minute, stamp.second) != (0, 0)
        return _placed(stamp, bare, exact, flag, calendar) if bare or stamp.tzinfo else None
    found = _TEXT.fullmatch(text)
    if not found or found["month"].casefold() not in _MONTHS:
        return None
    words = _words(found["words"] or "")
    if words and words not in _SESSIONS:
        return None
    flag = flag or _SESSIONS.get(words)
    try:
        day = dt.datetime(int(found["year"]), _MONTHS[found["month"].casefold()], int(found["day"]))
        if found["hour"] is None:
            return _placed(pd.Timestamp(day), True, False, flag, calendar)
        hour = int(found["hour"]) % 12 + (12 if found["half"].casefold() == "p" else 0)
        zone = _zone(found["zone"] or "EDT")
        if zone is None or not 1 <= int(found["hour"]) <= 12:
            return None
        stamp = pd.Timestamp(day.replace(hour=hour, minute=int(found["minute"] or 0), tzinfo=zone))
    except ValueError:
        return None
    return _placed(stamp, False, found["minute"] is not None and int(found["minute"]) != 0, flag, calendar)


def _zone(name: str) -> dt.tzinfo | None:
    if name.upper() in _ZONES:
        return _ZONES[name.upper()]
    found = _OFFSET.fullmatch(name.upper())
    if not found:
        return None
    size = dt.timedelta(hours=int(found["hours"]), minutes=int(found["minutes"] or 0))
    return dt.timezone(size if found["sign"] == "+" else -size)


def _placed(
    stamp: pd.Timestamp, bare: bool, exact: bool, flag: str | None, calendar: TradingCalendar
) -> dict[str, Any]:
    if not bare:
        instant = stamp.tz_convert("UTC")
        local = instant.tz_convert(NEW_YORK)
        if exact:
            day = local.tz_localize(None).normalize()
            return {"announced_at": instant, "announced_on": day, "precision": "minute", "session": flag}
        if instant == instant.normalize():  # a date, written down as midnight UTC
            stamp, bare = instant.tz_localize(None), True
        elif local == local.normalize():
            stamp, bare = local.tz_localize(None), True
    if bare:
        day = stamp.tz_localize(None).normalize()
        return {
            "announced_at": pd.NaT,
            "announced_on": day,
            "precision": "session" if flag else "date",
            "session": flag,
        }
    # The hour was cut off, not rounded: "9 AM" is taken for before the open, as nearly all such releases are.
    day = local.tz_localize(None).normalize()
    if flag is None and calendar.start <= day < calendar.end:
        timing = str(calendar.timing(pd.DatetimeIndex([instant]))[0])
        flag = {"closed": "amc"}.get(timing, timing)
    return {
        "announced_at": pd.NaT,
        "announced_on": day,
        "precision": "session" if flag else "date",
        "session": flag,
    }


def _number(cell: str) -> float:
    text = cell.replace(",", "").replace("+", "").removesuffix("%").strip()
    try:
        return float(text)
    except ValueError:
        return float("nan")


def estimates(answer: Any, fetched_at: pd.Timestamp) -> pd.DataFrame:
    """Consensus as it stands at one instant.

    Parameters
    ----------
    answer : mapping
        JSON of ``quoteSummary`` with the modules ``calendarEvents`` and ``earningsTrend``.
    fetched_at : Timestamp

    Returns
    -------
    DataFrame
        Columns :data:`ESTIMATE_COLUMNS`; ``period`` is ``next`` for the next announcement, and
        ``0q +1q 0y +1y`` as Yahoo names fiscal periods; ``metric`` eps or revenue.

    Raises
    ------
    SourceError
        If the answer has another shape.
    """
    try:
        result = answer["quoteSummary"]["result"][0]
        upcoming = result.get("calendarEvents", {}).get("earnings", {})
        trend = result.get("earningsTrend", {}).get("trend", [])
        rows = [*_next(upcoming), *(row for item in trend for row in _trend(item))]
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise SourceError("Yahoo's estimates have another shape than before") from error
    frame = pd.DataFrame(rows, columns=[name for name in ESTIMATE_COLUMNS if name != "fetched_at"])
    frame.insert(0, "fetched_at", pd.Timestamp(fetched_at))
    for name in ("fetched_at", "expected_from", "expected_to"):
        frame[name] = pd.to_datetime(frame[name], utc=True).dt.as_unit("ns")
    frame["period_end"] = pd.to_datetime(frame["period_end"]).dt.as_unit("ns")
    for name in ("mean", "low", "high", "n_analysts", "year_ago"):
        frame[name] = frame[name].astype(float)
    for name in ("period", "metric"):
        frame[name] = frame[name].astype(object)
    frame["date_is_estimate"] = frame["date_is_estimate"].astype("boolean")
    return frame


def _raw(value: Any) -> Any:
    """A number of Yahoo's JSON, bare or beside its printed form."""
    plain = value.get("raw") if isinstance(value, Mapping) else value
    return plain if isinstance(plain, int | float) and not isinstance(plain, bool) else None


def _next(upcoming: Mapping[str, Any]) -> list[dict[str, Any]]:
    dates = sorted(date for date in map(_raw, upcoming.get("earningsDate", [])) if date is not None)
    expected = {
        "expected_from": pd.to_datetime(dates[0], unit="s", utc=True) if dates else pd.NaT,
        "expected_to": pd.to_datetime(dates[-1], unit="s", utc=True) if dates else pd.NaT,
        # A span of days is a guess, whatever the flag says.
        "date_is_estimate": bool(upcoming["isEarningsDateEstimate"]) or len(dates) > 1
        if "isEarningsDateEstimate" in upcoming
        else (len(dates) > 1 or None),
    }
    rows = []
    for metric, name in (("eps", "earnings"), ("revenue", "revenue")):
        values = {part: _raw(upcoming.get(f"{name}{part.title()}")) for part in ("low", "high")}
        mean = _raw(upcoming.get(f"{name}Average"))
        if mean is not None or dates:
            rows.append({"period": "next", "metric": metric, "period_end": None, **expected, "mean": mean, **values})
    return rows


def _trend(item: Mapping[str, Any]) -> list[dict[str, Any]]:
    rows = []
    for metric, name, ago in (
        ("eps", "earningsEstimate", "yearAgoEps"),
        ("revenue", "revenueEstimate", "yearAgoRevenue"),
    ):
        part = item.get(name) or {}
        if item.get("period") in ("0q", "+1q", "0y", "+1y") and _raw(part.get("avg")) is not None:
            rows.append(
                {
                    "period": item["period"],
                    "metric": metric,
                    "period_end": item.get("endDate"),
                    "mean": _raw(part.get("avg")),
                    "low": _raw(part.get("low")),
                    "high": _raw(part.get("high")),
                    "n_analysts": _raw(part.get("numberOfAnalysts")),
                    "year_ago": _raw(part.get(ago)),
                }
            )
    return rows
