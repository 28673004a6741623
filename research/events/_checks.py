"""Rows of an announcements table: read, placed on the calendar, compared with each other."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from research.errors import CalendarRangeError, ParameterError, nearest
from research.events import _cells
from research.events._tables import Findings
from research.events.calendar import TradingCalendar

REQUIRED = ("ticker", "announced_at")
NUMBERS = ("eps_actual", "eps_estimate", "revenue_actual", "revenue_estimate", "surprise_pct")
#: Order of the known columns in the table.
COLUMNS = (
    "event_id",
    "ticker",
    "kind",
    "announced_at",
    "announced_on",
    "precision",
    "session",
    "call_at",
    "exchange",
    "fiscal_period",
    "eps_actual",
    "eps_estimate",
    "revenue_actual",
    "revenue_estimate",
    "estimate_as_of",
    "surprise_pct",
    "status",
    "detail",
)
KNOWN = (*COLUMNS[:-2], "announced_at_precision")
#: Names of the package's own results, which no covariate may take.
RESERVED = ("status", "detail", "timing", "day_zero", "assumed")
UNKNOWN_TIMING = ("exclude", "same-session", "next-session")
_OPTIONAL = {"fiscal_period", "estimate_as_of", *NUMBERS}
DEFAULT_EXCHANGE = "XNYS"


def zone_of(timezone: str | dt.tzinfo | None) -> dt.tzinfo | None:
    """Time zone of naive times, from its name.

    Raises
    ------
    ParameterError
    """
    if timezone is None or isinstance(timezone, dt.tzinfo):
        return timezone
    try:
        return zoneinfo.ZoneInfo(timezone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, TypeError, OSError) as error:
        raise ParameterError(
            "unknown time zone",
            parameter="timezone",
            value=timezone,
            allowed="an IANA name such as America/New_York, UTC or Asia/Tokyo",
            remedy=nearest(str(timezone), sorted(zoneinfo.available_timezones())) or None,
        ) from error


def ticker_aliases(aliases: Mapping[str, str] | None) -> dict[str, str]:
    """Checked copy of a mapping from one ticker to the one used for it.

    Raises
    ------
    ParameterError
    """
    found = dict(aliases or {})
    for name in (*found, *found.values()):
        if not isinstance(name, str) or not _cells.TICKER.fullmatch(name):
            raise ParameterError(
                "no ticker", parameter="aliases", value=name, allowed='a mapping such as {"FB": "META"}'
            )
    return found


def checked_rows(
    frame: pd.DataFrame, zone: dt.tzinfo | None, aliases: Mapping[str, str], findings: Findings
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Typed table in input order and the place of each row on its exchange's calendar.

    Parameters
    ----------
    frame : DataFrame
        Under the package's column names.
    zone : tzinfo or None
        Zone of times without an offset.
    aliases : mapping of str to str
    findings : Findings
        Receives what is wrong.

    Returns
    -------
    table : DataFrame
        The columns of :data:`COLUMNS` that exist, then the covariates. RangeIndex.
    placed : DataFrame
        ``timing``, ``day_zero``, ``assumed``; NaT for rows of unknown timing and for rows
        with findings.
    """
    cells = {str(name): list(frame[name]) for name in frame.columns}
    n_rows = len(frame)

    def read(column: str, reader: Callable[[Any], Any], default: Any = None) -> list[Any]:
        return findings.read(column, cells.get(column, [None] * n_rows), reader, default)

    table = {
        "ticker": [aliases.get(name, name) for name in read("ticker", _cells.ticker, "")],
        "kind": read("kind", _cells.kind, ""),
        "exchange": read("exchange", _exchange, ""),
        "session": read("session", _cells.session_flag),
        "call_at": _utc(read("call_at", partial(_cells.instant, zone=zone))),
        "fiscal_period": read("fiscal_period", _cells.text),
        **{name: np.array(read(name, _cells.number, np.nan)) for name in NUMBERS},
    }
    moments = read("announced_at", partial(_cells.moment, zone=zone))
    dates = read("announced_on", _cells.bare_date)
    precision = "announced_at_precision" if "announced_at_precision" in cells else "precision"
    table.update(when(table, moments, dates, read(precision, _cells.precision), findings))
    table["estimate_as_of"] = as_of(table, read("estimate_as_of", partial(_cells.moment, zone=zone)), findings)
    given_ids = read("event_id", _cells.text)

    typed = _typed(table)
    placed = _place_valid(typed, findings)
    _contradictions(typed, placed, findings)
    typed["event_id"] = _identify(typed, placed, given_ids, findings)
    typed["status"] = [findings.status(row) for row in range(n_rows)]
    typed["detail"] = [findings.detail(row) for row in range(n_rows)]
    kept = [name for name in COLUMNS if name in typed and (name not in _OPTIONAL or name in cells)]
    covariates = frame[[name for name in frame.columns if name not in KNOWN]]
    return pd.concat([typed[kept], covariates.reset_index(drop=True)], axis="columns"), placed


def place(table: pd.DataFrame, calendar: TradingCalendar, unknown_timing: str = "exclude") -> pd.DataFrame:
    """Timing and day zero of rows on one calendar (METHODS 1.2 and 1.3).

    Parameters
    ----------
    table : DataFrame
        ``announced_at``, ``announced_on``, ``session``; its index names rows in errors.
    calendar : TradingCalendar
    unknown_timing : str
        One of :data:`UNKNOWN_TIMING`.

    Returns
    -------
    DataFrame
        ``timing``, ``day_zero`` (NaT where the timing is unknown and excluded), ``assumed``.

    Raises
    ------
    CalendarRangeError
    """
    exact = table["announced_at"].notna()
    flagged = ~exact & table["session"].notna()
    unknown = ~exact & ~flagged
    timing = pd.Series("unknown", index=table.index, dtype=object)
    day_zero = pd.Series(pd.NaT, index=table.index, dtype="datetime64[ns]")
    if exact.any():
        timing[exact] = calendar.timing(table.loc[exact, "announced_at"])
        day_zero[exact] = calendar.day_zero(table.loc[exact, "announced_at"])
    if flagged.any():
        timing[flagged] = table.loc[flagged, "session"]
        day_zero[flagged] = calendar.day_zero_from_date(
            table.loc[flagged, "announced_on"], table.loc[flagged, "session"]
        )
    assumed = unknown & (unknown_timing != "exclude")
    if unknown.any():
        flag = "amc" if unknown_timing == "next-session" else "bmo"
        # Asked for even when the rows are excluded: their dates must lie in the span.
        found = calendar.day_zero_from_date(table.loc[unknown, "announced_on"], flag)
        if unknown_timing != "exclude":
            day_zero[unknown] = found
    return pd.DataFrame({"timing": timing, "day_zero": day_zero, "assumed": assumed})


def nowhere(index: pd.Index) -> pd.DataFrame:
    """What :func:`place` returns, for rows that have no place."""
    return pd.DataFrame(
        {
            "timing": pd.Series("unknown", index=index, dtype=object),
            "day_zero": pd.Series(pd.NaT, index=index, dtype="datetime64[ns]"),
            "assumed": False,
        },
        index=index,
    )


def _exchange(cell: Any) -> str:
    if _cells.is_missing(cell):
        return DEFAULT_EXCHANGE
    try:
        return TradingCalendar(cell.strip() if isinstance(cell, str) else cell).code
    except ParameterError as error:
        raise _cells.CellError(f"{error.problem}. {error.remedy or ''}".strip()) from error


def _utc(moments: list[pd.Timestamp | None]) -> pd.DatetimeIndex:
    plain = [np.datetime64("NaT", "ns") if m is None else m.tz_localize(None).to_datetime64() for m in moments]
    return pd.DatetimeIndex(np.array(plain, dtype="M8[ns]")).tz_localize("UTC")


def when(
    table: dict[str, Any],
    moments: list[_cells.Moment | None],
    given_dates: list[pd.Timestamp | None],
    given_precisions: Sequence[str | None],
    findings: Findings,
) -> dict[str, Any]:
    """``announced_at``, ``announced_on`` and ``precision`` of each row.

    ``table`` holds the lists ``exchange`` and ``session``. A date given beside a missing
    time stands in for it; beside a time it must agree.
    """
    instants, dates, precisions = [], [], []
    for row, (moment, given, precision) in enumerate(zip(moments, given_dates, given_precisions, strict=True)):
        if moment is None:
            moment = _cells.Moment(date=given)
            if given is None and row not in findings:
                findings.add(row, "announced_at", None, "is missing")
        date, instant = moment.date, moment.instant
        if instant is not None:
            date = _local_date(instant, table["exchange"][row])
            if given is not None and given != date:
                findings.add(row, "announced_on", f"{given:%Y-%m-%d}", f"announced_at falls on {date:%Y-%m-%d}")
        elif precision in ("minute", "second") and date is not None:
            findings.add(row, "announced_at", f"{date:%Y-%m-%d}", f"a bare date, but its precision is {precision}")
        flagged = "session" if table["session"][row] else "date"
        precisions.append(precision or (flagged if instant is None else moment.precision))
        # Known to the day only: the time of day is a placeholder and says nothing.
        instants.append(None if precision == "date" else instant)
        dates.append(np.datetime64("NaT") if date is None else date.to_datetime64())
    return {
        "announced_at": _utc(instants),
        "announced_on": pd.DatetimeIndex(np.array(dates, dtype="M8[ns]")),
        "precision": precisions,
    }


def _local_date(instant: pd.Timestamp, exchange: str) -> pd.Timestamp:
    zone = TradingCalendar(exchange or DEFAULT_EXCHANGE).timezone
    return instant.tz_convert(zone).tz_localize(None).normalize()


def as_of(table: dict[str, Any], moments: list[_cells.Moment | None], findings: Findings) -> pd.DatetimeIndex:
    """Instants of the estimates, a bare date at its local midnight; notes those too late."""
    instants: list[pd.Timestamp | None] = []
    for row, moment in enumerate(moments):
        if moment is None:
            instants.append(None)
            continue
        exchange, announced = table["exchange"][row] or DEFAULT_EXCHANGE, table["announced_at"][row]
        instant: Any = moment.instant
        if instant is None and moment.date is not None:
            instant = moment.date.tz_localize(TradingCalendar(exchange).timezone).tz_convert("UTC")
        if instant > announced or _local_date(instant, exchange) > table["announced_on"][row]:
            findings.add(row, "estimate_as_of", str(instant), "is after the announcement")
        instants.append(instant)
    return _utc(instants)


def _typed(table: dict[str, Any]) -> pd.DataFrame:
    # None, not NaN, marks an absent flag or period, whatever strings are made of.
    kept = {name: pd.Series(table[name], dtype=object) for name in ("session", "fiscal_period")}
    return pd.DataFrame({**table, **kept})


def _place_valid(table: pd.DataFrame, findings: Findings) -> pd.DataFrame:
    """Place the rows without findings, each on its own exchange; note those outside its span."""
    placed = nowhere(table.index)
    valid = table[[row not in findings for row in table.index]]
    for code, rows in valid.groupby("exchange", sort=False):
        calendar = TradingCalendar(str(code))
        while True:
            try:
                found = place(rows, calendar)
                break
            except CalendarRangeError as error:
                # Once for instants, once for dates with a flag, once for those without.
                for row, _, value, problem in error.rows.itertuples(index=False):
                    findings.add(row, "announced_at", value, f"lies {problem} ({code})")
                rows = rows.drop(index=list(error.rows["row"]))
        placed.loc[found.index] = found
    return placed


def _contradictions(table: pd.DataFrame, placed: pd.DataFrame, findings: Findings) -> None:
    """Exact times whose flag says otherwise."""
    timing, flag = placed["timing"], table["session"]
    stated = table["announced_at"].notna() & flag.notna() & placed["day_zero"].notna()
    # On a day without a session both "before the open" and "after the close" are true.
    wrong = stated & (timing != flag) & ((timing != "closed") | (flag == "dmh"))
    for row in np.flatnonzero(wrong):
        instant = table["announced_at"].iloc[row]
        findings.add(
            int(row),
            "session",
            flag.iloc[row],
            f"contradicts announced_at {instant}, which is {timing.iloc[row]}",
        )
        placed.loc[row, "day_zero"] = pd.NaT


def _identify(table: pd.DataFrame, placed: pd.DataFrame, given: list[str | None], findings: Findings) -> list[str]:
    """Identifier of each row; notes rows that repeat an earlier one."""
    first: dict[tuple[Any, ...], int] = {}
    names: list[str] = []
    rows = zip(table["ticker"], table["kind"], table["announced_on"], placed["day_zero"], strict=True)
    for row, (ticker, kind, date, day) in enumerate(rows):
        known = day is not pd.NaT
        stamp = day if known else date
        text = "undated" if stamp is pd.NaT else f"{stamp:%Y-%m-%d}"
        names.append(given[row] or f"{ticker or 'unnamed'}-{kind or 'unknown'}-{text}")
        if row in findings:
            continue
        day_name = f"day zero {text}" if known else f"date {text} of unknown timing"
        keys: list[tuple[tuple[Any, ...], str, Any]] = [
            ((ticker, kind, known, text), "ticker", f"same ticker, kind and {day_name} as row ")
        ]
        if given[row]:
            keys.append(((given[row],), "event_id", "same event_id as row "))
        for key, column, problem in keys:
            earlier = first.setdefault(key, row)
            if earlier != row:
                value = ticker if column == "ticker" else given[row]
                findings.add_repeat(row, column, value, f"{problem}{findings.labels[earlier]}")
    # A name that the caller gave to a valid row is his; the others make way.
    rank = [(row in findings, given[row] is None) for row in range(len(names))]
    return _unique(names, rank)


def _unique(names: list[str], rank: list[tuple[bool, bool]]) -> list[str]:
    """Names with ``-2``, ``-3`` ... where taken; lower ranks choose first."""
    result, taken = list(names), set()
    for row in sorted(range(len(names)), key=rank.__getitem__):
        copy, name = 1, names[row]
        while name in taken:
            copy += 1
            name = f"{names[row]}-{copy}"
        taken.add(name)
        result[row] = name
    return result
