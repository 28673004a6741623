"""Rows of an announcements table: read, placed on the calendar, compared with each other."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from research.errors import CalendarRangeError, ParameterError, nearest
from research.events import _cells
from research.events._columns import Columns, Moments, Stamps, nat
from research.events._iso import MINUTE
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
#: When the consensus was known that new guidance is compared with: a covariate, read and checked with the rest.
GUIDANCE_AS_OF = "guidance_consensus_as_of"
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
    columns = Columns(frame, findings, zone)
    tickers = columns.values("ticker", _cells.ticker, "")
    table: dict[str, Any] = {
        "ticker": np.array([aliases.get(name, name) for name in tickers], dtype=object) if aliases else tickers,
        "kind": columns.values("kind", _cells.kind, ""),
        "exchange": columns.values("exchange", _exchange, ""),
        "session": columns.values("session", _cells.session_flag),
        "call_at": in_utc(columns.instants("call_at")),
        "fiscal_period": columns.values("fiscal_period", _cells.text),
        **{name: columns.numbers(name) for name in NUMBERS},
    }
    moments, dates = columns.moments("announced_at"), columns.dates("announced_on")
    precision = "announced_at_precision" if "announced_at_precision" in columns else "precision"
    table.update(when(table, moments, dates, columns.values(precision, _cells.precision), findings))
    table["estimate_as_of"] = as_of(table, columns.moments("estimate_as_of"), findings)
    covariates = frame[[name for name in frame.columns if name not in KNOWN]].reset_index(drop=True)
    if GUIDANCE_AS_OF in columns:
        moments = columns.moments(GUIDANCE_AS_OF)
        covariates[GUIDANCE_AS_OF] = as_of(table, moments, findings, GUIDANCE_AS_OF, strictly=True)
    given_ids = columns.values("event_id", _cells.text)

    for name in ("session", "fiscal_period"):
        # None, not NaN, marks an absent flag or period, whatever strings are made of.
        table[name] = pd.Series(table[name], dtype=object)
    typed = pd.DataFrame({name: table[name] for name in ("announced_at", "announced_on", "session")})
    placed = _place_valid(typed, table["exchange"], findings)
    _contradictions(typed, placed, findings)
    table["event_id"] = _identify(table, placed, given_ids, findings)
    table["status"], table["detail"] = findings.verdicts()
    kept = [name for name in COLUMNS if name in table and (name not in _OPTIONAL or name in columns)]
    return pd.concat([pd.DataFrame({name: table[name] for name in kept}), covariates], axis="columns"), placed


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
        remedy = f". {error.remedy}" if error.remedy else ""
        raise _cells.CellError(f"{error.problem}; allowed: {error.allowed}{remedy}") from error


def in_utc(instants: Stamps) -> pd.DatetimeIndex:
    """Index in UTC of instants on the clock of UTC."""
    return pd.DatetimeIndex(instants).tz_localize("UTC")


def when(
    table: Mapping[str, Any], moments: Moments, given: Moments, precisions: NDArray[Any], findings: Findings
) -> dict[str, Any]:
    """``announced_at``, ``announced_on`` and ``precision`` of each row.

    Parameters
    ----------
    table : mapping
        Holds the arrays ``exchange`` and ``session``.
    moments, given : Moments
        The columns ``announced_at`` and ``announced_on``. A date stands in for a missing
        time; beside a time or another date it must agree.
    precisions : ndarray of str or None
        As given.
    findings : Findings
    """
    exact = ~np.isnat(moments.instants)
    dates = np.where(exact, local_dates(moments.instants, table["exchange"]), moments.dates)
    missing = np.isnat(dates) & np.isnat(given.dates) & ~moments.refused & ~given.refused
    for row in np.flatnonzero(missing).tolist():
        findings.add(row, "announced_at", None, "is missing")
    unlike = ~np.isnat(dates) & ~np.isnat(given.dates) & (dates != given.dates)
    for row in np.flatnonzero(unlike).tolist():
        problem = f"announced_at falls on {_day(dates[row])}"
        findings.add(row, "announced_on", _day(given.dates[row]), problem)
    dates = np.where(np.isnat(dates) & ~exact, given.dates, dates)
    inexact = ~exact & ~np.isnat(dates) & np.isin(precisions, ("minute", "second"))
    for row in np.flatnonzero(inexact).tolist():
        problem = f"a bare date, but its precision is {precisions[row]}"
        findings.add(row, "announced_at", _day(dates[row]), problem)
    whole = moments.instants.view(np.int64) % MINUTE == 0
    flagged = np.array([flag is not None for flag in table["session"]])
    found = np.select([exact & whole, exact, flagged], ["minute", "second", "session"], "date")
    stated = np.array([precision is not None for precision in precisions])
    # Known to the day only: the time of day is a placeholder and says nothing.
    known = exact & (precisions != "date")
    return {
        "announced_at": in_utc(np.where(known, moments.instants, np.datetime64("NaT", "ns"))),
        "announced_on": pd.DatetimeIndex(dates),
        "precision": np.where(stated, precisions, found),
    }


def _day(date: np.datetime64) -> str:
    return str(date)[:10]


def _by_exchange(exchanges: NDArray[Any]) -> Iterator[tuple[TradingCalendar, NDArray[np.intp]]]:
    """Calendar and rows of each exchange; unreadable ones count as the default."""
    codes, names = pd.factorize(exchanges)
    for code, name in enumerate(names):
        yield TradingCalendar(name or DEFAULT_EXCHANGE), np.flatnonzero(codes == code)


def local_dates(instants: Stamps, exchanges: NDArray[Any]) -> Stamps:
    """Date of each instant at its exchange; NaT where there is none. Shape (n,)."""
    found = nat(len(instants))
    for calendar, places in _by_exchange(exchanges):
        rows = places[~np.isnat(instants[places])]
        local = in_utc(instants[rows]).tz_convert(calendar.timezone)
        found[rows] = local.tz_localize(None).normalize().to_numpy()
    return found


def beginnings(moments: Moments, exchanges: NDArray[Any]) -> pd.DatetimeIndex:
    """Instants of moments in UTC, a bare date at the beginning of its local day. Shape (n,)."""
    instants = moments.instants.copy()
    for calendar, places in _by_exchange(exchanges):
        bare = places[~np.isnat(moments.dates[places])]
        days = pd.DatetimeIndex(moments.dates[bare])
        # Some zones skip midnight on the day that summer time begins.
        begins = days.tz_localize(calendar.timezone, ambiguous=np.ones(len(bare), bool), nonexistent="shift_forward")
        instants[bare] = begins.tz_convert("UTC").tz_localize(None).to_numpy()
    return in_utc(instants)


def as_of(
    table: Mapping[str, Any],
    moments: Moments,
    findings: Findings,
    column: str = "estimate_as_of",
    *,
    strictly: bool = False,
) -> pd.DatetimeIndex:
    """Instants of the estimates, a bare date at the beginning of its local day; notes those too late.

    With ``strictly`` an estimate of the very instant of the announcement is too late as well.
    """
    found = beginnings(moments, table["exchange"])
    announced, on = (pd.DatetimeIndex(table[name]) for name in ("announced_at", "announced_on"))
    days = pd.DatetimeIndex(local_dates(found.tz_localize(None).to_numpy(), table["exchange"]))
    for row in np.flatnonzero(np.asarray(found > announced) | np.asarray(days > on)).tolist():
        findings.add(row, column, str(found[row]), "is after the announcement")
    for row in np.flatnonzero(np.asarray(found == announced)).tolist() if strictly else []:
        findings.add(row, column, str(found[row]), "is no earlier than the announcement")
    return found


def _place_valid(table: pd.DataFrame, exchanges: NDArray[Any], findings: Findings) -> pd.DataFrame:
    """Place the rows without findings, each on its own exchange; note those outside its span."""
    placed = nowhere(table.index)
    valid = ~findings.faulty()
    for calendar, places in _by_exchange(exchanges):
        rows = table.iloc[places[valid[places]]]
        while True:
            try:
                found = place(rows, calendar)
                break
            except CalendarRangeError as error:
                # Once for instants, once for dates with a flag, once for those without.
                for row, _, value, problem in error.rows.itertuples(index=False):
                    findings.add(row, "announced_at", value, f"lies {problem} ({calendar.code})", out_of_range=True)
                rows = rows.drop(index=list(error.rows["row"]))
        if len(found) == len(placed):
            return found
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


def _identify(table: Mapping[str, Any], placed: pd.DataFrame, given: NDArray[Any], findings: Findings) -> list[str]:
    """Identifier of each row; notes rows that repeat an earlier one."""
    known = placed["day_zero"].notna().to_numpy()
    stamps = np.where(known, placed["day_zero"].to_numpy(), table["announced_on"].to_numpy())
    (firm, firms), (kind, kinds), (day, days) = map(pd.factorize, (table["ticker"], table["kind"], stamps))
    # The last element is that of code -1.
    texts = np.array([*pd.DatetimeIndex(days).strftime("%Y-%m-%d"), "undated"], dtype=object)[day]
    valid = ~findings.faulty()
    series = firm * len(kinds) + kind
    for row, earlier in _repeats((series * 2 + known) * (len(days) + 1) + day, valid):
        text = f"day zero {texts[row]}" if known[row] else f"date {texts[row]} of unknown timing"
        problem = f"same ticker, kind and {text} as row {findings.labels[earlier]}"
        findings.add_repeat(row, "ticker", table["ticker"][row], problem)
    codes, _ = pd.factorize(given)
    for row, earlier in _repeats(codes, valid & (codes >= 0)):
        findings.add_repeat(row, "event_id", given[row], f"same event_id as row {findings.labels[earlier]}")
    prefixes = np.array([f"{a or 'unnamed'}-{b or 'unknown'}-" for a in firms for b in kinds], dtype=object)
    names = np.where(codes >= 0, given, prefixes[series] + texts)
    # A name that the caller gave to a valid row is his; the others make way.
    return _unique(names.tolist(), findings.faulty(), codes < 0)


def _repeats(key: NDArray[np.int64], valid: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Rows whose key an earlier valid row has, each with the first such row."""
    rows = np.flatnonzero(valid)
    again = pd.Series(key[rows]).duplicated().to_numpy()
    if not again.any():
        return []
    _, first, group = np.unique(key[rows], return_index=True, return_inverse=True)
    return list(zip(rows[again].tolist(), rows[first[group[again]]].tolist(), strict=True))


def _unique(names: list[str], *last: NDArray[np.bool_]) -> list[str]:
    """Names with ``-2``, ``-3`` ... where taken; the rows marked in ``last`` choose last."""
    if len(set(names)) == len(names):
        return names
    result, taken = list(names), set()
    copies: dict[str, int] = {}
    for row in np.lexsort(last[::-1]).tolist():
        name, copy = names[row], copies.get(names[row], 1)
        while name in taken:
            copy += 1
            name = f"{names[row]}-{copy}"
        taken.add(name)
        copies[names[row]] = copy
        result[row] = name
    return result
