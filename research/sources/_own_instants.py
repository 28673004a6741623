"""One's own wire times and SEC acceptances, and the announcements that follow from all of them."""

from __future__ import annotations

import zoneinfo
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

import pandas as pd

from research.errors import InputError, nearest
from research.events.announcements import Announcements
from research.sources._checks import Offence, checked, no_tickers, refused, text_column
from research.sources._common import new_york
from research.sources._dates import YEARS, parse_dates, tidy_instants
from research.sources._settings import FILE, Settings, our_names, require_columns
from research.sources._tables import Table
from research.sources.edgar import NEW_YORK, public_at
from research.sources.reconciliation import COLUMNS, day_zeros, near, reconcile, unmatched

#: How an instant of the events file is called in a reconciliation where the file does not say.
OWN = "file"
#: What ``announced_at_source`` of an events file says of an exact time of a press release.
WIRE = "wire"
#: Filings accepted later on a day carry the date of the next one.
_CUT_OFF = pd.Timedelta(hours=17, minutes=30)
_EXACT = ("second", "minute")
_HOME = "XNYS"


def wire_times(table: Table, settings: Settings, known: Collection[str] | None = None) -> pd.DataFrame:
    """Press releases by line of their file: ``ticker`` and ``announced_at`` (UTC).

    Raises
    ------
    InputError
        Naming every row without a ticker (one of ``known``, where those are given) or an exact time
        within the sessions of New York.
    """
    tickers, instants, _ = _read(table, "wire", "announced_at", settings, known=known)
    return pd.DataFrame({"ticker": tickers, "announced_at": instants})


def filings(table: Table, settings: Settings, known: Collection[str] | None = None) -> pd.DataFrame:
    """Acceptances of 8-K filings with results by line: ``ticker``, ``accepted_at`` and ``public_at`` (UTC).

    Without ``filed_on``, a filing accepted after 17:30 New York, or on no session, is filed on the next session.

    Raises
    ------
    InputError
        Naming every row without a ticker (one of ``known``, where those are given) or an exact time
        within the sessions of New York, and dates that are none.
    """
    tickers, accepted, dates = _read(table, "filings", "accepted_at", settings, "filed_on", known)
    public = []
    for instant, filed in zip(accepted, dates, strict=True):
        wall = instant.tz_convert(NEW_YORK).tz_localize(None)
        public.append(public_at(wall, _filing_date(wall) if pd.isna(filed) else filed))
    frame = pd.DataFrame({"ticker": tickers, "accepted_at": accepted})
    return frame.assign(public_at=pd.DatetimeIndex(public))


def side_by_side(
    announcements: Announcements, wire: pd.DataFrame | None, accepted: pd.DataFrame | None
) -> pd.DataFrame:
    """Reconciliation of the earnings announcements on New York's exchange.

    Parameters
    ----------
    announcements : Announcements
        Rows whose ``announced_at_source`` is ``wire`` count as press releases themselves.
    wire, accepted : DataFrame or None
        From :func:`wire_times` and :func:`filings`.

    Returns
    -------
    DataFrame
        Indexed by the row of ``announcements.frame``: ``ticker`` and the columns of
        :func:`research.sources.reconciliation.reconcile`.
    """
    vendor, releases = _vendor(announcements), _releases(announcements, wire)
    calendar = new_york()
    parts = []
    for ticker, rows in vendor.groupby("ticker", sort=False):
        mine = [None if table is None else table[table["ticker"] == ticker] for table in (accepted, releases)]
        parts.append(reconcile(rows, mine[0], calendar, wire=mine[1], name=OWN).assign(ticker=ticker))
    if not parts:
        return _typed([])
    table = pd.concat(parts).sort_index()
    frame = announcements.frame
    if "announced_at_source" in frame:
        stated = frame["announced_at_source"].reindex(table.index)
        own = (table["announced_at_source"] == OWN) & stated.notna()
        table["announced_at_source"] = table["announced_at_source"].mask(own, stated)
    return table[["ticker", *COLUMNS]]


def left_over(
    announcements: Announcements,
    wire: pd.DataFrame | None,
    accepted: pd.DataFrame | None,
    names: Mapping[str, str],
) -> pd.DataFrame:
    """Press releases and filings that belong to no announcement, in the columns of :func:`side_by_side`.

    Parameters
    ----------
    announcements, wire, accepted
        As in :func:`side_by_side`.
    names : mapping of str to str
        What the files of ``wire`` and ``filings`` are called.

    Returns
    -------
    DataFrame
        ``agreement`` is ``unmatched``; ``detail`` says which row of which file it is, and why. There is no
        instant that counts.
    """
    vendor, releases, calendar = _vendor(announcements), _releases(announcements, wire), new_york()
    rows = []
    if releases is not None:
        for line, row in _unmatched(vendor, releases.assign(public_at=releases["announced_at"])):
            detail = _why(row, row["announced_at"], f"row {line} of {names['wire']}")
            rows.append({"ticker": row["ticker"], "announced_at_source": WIRE, "detail": detail})
    if accepted is not None:
        for line, row in _unmatched(vendor, accepted.assign(own=False)):
            at, public = row["accepted_at"], row["public_at"]
            rows.append(
                {
                    "ticker": row["ticker"],
                    "announced_at_source": "sec_filing_date" if public != at else "sec_8k_acceptance",
                    "sec_accepted_at": at,
                    "edgar_day_zero": calendar.day_zero([public])[0],
                    "detail": _why(row, at, f"row {line} of {names['filings']}"),
                }
            )
    return _typed(rows).assign(agreement="unmatched")


def _typed(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Rows of a reconciliation as a table, however few."""
    frame = pd.DataFrame(rows, columns=["ticker", *COLUMNS])
    for column in ("announced_at", "sec_accepted_at"):
        frame[column] = pd.to_datetime(frame[column], utc=True).dt.as_unit("ns")
    for column in ("announced_on", "vendor_day_zero", "edgar_day_zero"):
        frame[column] = pd.to_datetime(frame[column]).dt.as_unit("ns")
    return frame.assign(gap_hours=frame["gap_hours"].astype(float))


def _unmatched(vendor: pd.DataFrame, table: pd.DataFrame) -> Iterator[tuple[Any, pd.Series]]:
    """Rows of a file that belong to no announcement, by line; ``near`` says whether one is close to them."""
    calendar, parts = new_york(), []
    for ticker, mine in table.groupby("ticker", sort=False):
        events = vendor[vendor["ticker"] == ticker]
        rest = unmatched(events, mine, calendar)
        parts.append(rest.assign(near=near(events, rest, calendar))[~rest["own"]])
    if parts:
        yield from pd.concat(parts).sort_index().iterrows()


def _why(row: pd.Series, instant: pd.Timestamp, place: str) -> str:
    none = f"no earnings announcement of {row['ticker']} in New York is within six days"
    why = "the announcement near it has a closer one" if row["near"] else none
    return f"{place}, {instant.tz_convert(NEW_YORK):%Y-%m-%d %H:%M:%S} New York: {why}"


def _vendor(announcements: Announcements) -> pd.DataFrame:
    """Earnings announcements on New York's exchange, as :func:`research.sources.reconciliation.reconcile` has them."""
    frame = announcements.frame
    timing = announcements.timed()["timing"]
    exact = frame["precision"].isin(_EXACT)
    flags = frame["session"].where(frame["session"].notna(), timing.where(timing.isin(["bmo", "dmh", "amc"]), None))
    vendor = frame[["ticker", "announced_on", "precision"]].assign(
        announced_at=frame["announced_at"].where(exact), session=flags.astype(object).where(flags.notna(), None)
    )
    return vendor[_usable(frame)]


def _usable(frame: pd.DataFrame) -> pd.Series:
    return (frame["status"] == "ok") & (frame["kind"] == "earnings") & (frame["exchange"] == _HOME)


def _releases(announcements: Announcements, wire: pd.DataFrame | None) -> pd.DataFrame | None:
    """Press releases of the wire file and, marked ``own``, those of the events file that it does not have."""
    frame = announcements.frame
    known = [] if wire is None else [wire.assign(own=False)]
    if "announced_at_source" in frame:
        said = frame["announced_at_source"].astype(str).str.strip().str.casefold() == WIRE
        rows = frame.loc[said & _usable(frame) & frame["precision"].isin(_EXACT), ["ticker", "announced_at"]]
        if wire is not None:
            rows = rows[~pd.MultiIndex.from_frame(rows).isin(pd.MultiIndex.from_frame(wire))]
        known.append(rows.assign(own=True))
    return pd.concat(known) if known else None


def reconciled(
    announcements: Announcements,
    table: pd.DataFrame,
    events: Table,
    figures: Table | None,
    settings: Settings,
    names: Mapping[str, str],
) -> Announcements:
    """Announcements at the instants that count.

    Parameters
    ----------
    announcements : Announcements
    table : DataFrame
        From :func:`side_by_side`.
    events : Table
        The file they came from: its lines name the rows, and only what it has is taken over.
    figures : Table or None
        The file of the metrics, whose lines name their rows.
    settings : Settings
        Whose aliases the announcements answer to.
    names : mapping of str to str
        As in :func:`left_over`.

    Returns
    -------
    Announcements
        With ``announced_at_source``, ``sec_accepted_at`` and ``announced_at_note`` among its covariates.

    Raises
    ------
    InputError
        If two announcements end up on one day zero, or an estimate later than its announcement; each row says
        which file put what where.
    """
    before = announcements.frame
    after = before.drop(columns=["announced_on", "precision", "status", "detail"])
    after = after.assign(announced_at=_texts(before), announced_at_precision=before["precision"])
    if "event_id" not in events.frame:
        after = after.drop(columns="event_id")  # it follows from day zero, which may be another now
    changed = table[table["agreement"].isin(["moved", "sharpened"])]
    after.loc[changed.index, "announced_at"] = _texts(changed)
    after.loc[changed.index, "announced_at_precision"] = changed["precision"]
    after.loc[changed.index, "session"] = changed["session"]
    after = _explained(after, table)
    after.index = events.frame.index
    aliases, moves = settings.ticker_aliases, _moves(before, changed, events.name, names)
    try:
        built = checked(events.name, [], lambda: Announcements.from_frame(after, aliases=aliases))
    except InputError as error:
        raise _with_moves(error, _concerned(table, moves, events.frame.index)) from error
    metrics = announcements.metrics
    if metrics is None or figures is None:
        return built
    owners = pd.Series(before.index, index=before["event_id"])
    owner = metrics["event_id"].map(owners).set_axis(figures.frame.index)
    metrics = metrics.set_axis(figures.frame.index)
    moved = owner.map(after["announced_at"].set_axis(before.index)[changed.index])
    metrics = metrics.assign(announced_at=moved.astype(object).where(moved.notna(), _texts(metrics)))
    metrics = metrics.drop(columns=["event_id", "announced_on"])
    try:
        return checked(figures.name, [], lambda: Announcements.from_frame(after, metrics=metrics, aliases=aliases))
    except InputError as error:
        said = {
            line: [f"{moves[row][0]} its announcement {moves[row][1]}"] for line, row in owner.items() if row in moves
        }
        raise _with_moves(error, lambda line, column: said.get(line, [])) from error


def _moves(
    before: pd.DataFrame, changed: pd.DataFrame, own: str, names: Mapping[str, str]
) -> dict[Any, tuple[str, str]]:
    """Which file put each announcement at another instant, and where: two halves of a sentence, by row."""
    found = {}
    for row, now in changed.iterrows():
        file = names.get("wire" if now["announced_at_source"] == WIRE else "filings", own)
        found[row] = (f"{file} puts", f"at {_when(now)}, {own} at {_when(before.loc[row])}")
    return found


def _when(row: pd.Series) -> str:
    if pd.notna(row["announced_at"]):
        return f"{row['announced_at'].tz_convert(NEW_YORK):%Y-%m-%d %H:%M:%S} New York"
    session = f" {row['session']}" if isinstance(row["session"], str) else ""
    return f"{row['announced_on']:%Y-%m-%d}{session}"


def _concerned(
    table: pd.DataFrame, moves: Mapping[Any, tuple[str, str]], lines: pd.Index
) -> Callable[[Any, str], list[str]]:
    """What was done to the announcement of a line and, where it is one too many, to those on its day zero."""
    zeros = pd.Series(day_zeros(table, new_york()), index=table.index, dtype="datetime64[ns]")

    def said(line: Any, column: str) -> list[str]:
        row = lines.get_loc(line)
        rows = [row]
        if column == "ticker" and row in table.index:
            same = (table["ticker"] == table.at[row, "ticker"]) & (zeros == zeros[row])
            rows += [other for other in table.index[same] if other != row]
        places = {other: "it" if other == row else f"row {lines[other]}" for other in rows if other in moves}
        return [f"{moves[other][0]} {place} {moves[other][1]}" for other, place in places.items()]

    return said


def _with_moves(error: InputError, said: Callable[[Any, str], list[str]]) -> InputError:
    """The error with what was done to the instants of its rows."""
    problems = [
        "; ".join([problem, *said(line, column)]) for line, column, _, problem in error.rows.itertuples(index=False)
    ]
    rows = error.rows.assign(problem=pd.Series(problems, index=error.rows.index, dtype=object))
    return type(error)(error.problem, rows=rows, value=error.value, allowed=error.allowed, remedy=error.remedy)


def _explained(frame: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """Announcements with what their instants rest on; where nothing is known, what the file says stays."""
    found = {
        "announced_at_source": table["announced_at_source"].mask(table["announced_at_source"] == OWN),
        "sec_accepted_at": table["sec_accepted_at"].map(lambda at: at.isoformat(), na_action="ignore"),
        "announced_at_note": table["detail"].mask(table["detail"] == ""),
    }
    for name, values in found.items():
        own = frame[name].astype(object) if name in frame else pd.Series(None, index=frame.index, dtype=object)
        known = values.astype(object).reindex(frame.index)
        known = known.where(known.notna(), own)
        frame = frame.assign(**{name: known.where(known.notna(), None)})
    return frame


def _texts(frame: pd.DataFrame) -> pd.Series:
    """Instants in the ISO spelling, or the dates where there is no instant."""
    stamps = frame["announced_at"].map(lambda at: at.isoformat(), na_action="ignore").astype(object)
    return stamps.where(frame["announced_at"].notna(), frame["announced_on"].dt.strftime("%Y-%m-%d"))


# --- reading ------------------------------------------------------------------------------


def _read(
    table: Table,
    section: str,
    instant: str,
    settings: Settings,
    date: str | None = None,
    known: Collection[str] | None = None,
) -> tuple[pd.Series, pd.Series, pd.Series]:
    """Tickers, instants in UTC and dates (NaT where there are none)."""
    table = our_names(table, section, settings)
    require_columns(table, section, ["ticker", instant])
    tickers, found = text_column(table, "ticker")
    found += no_tickers(tickers)
    if known is not None:
        found += _strangers(tickers, known, {line for line, *_ in found})
    instants, wrong = _instants(table.frame[instant], settings)
    found += wrong
    dates = pd.Series(pd.NaT, index=table.frame.index, dtype="datetime64[ns]")
    if date in table.frame:
        given = table.frame[date]
        present = given.notna() & (given.astype(str).str.strip() != "")
        read, wrong = parse_dates(given[present], settings.date_format)
        dates[present] = read
        found += wrong + _outside(read, given)
    if found:
        raise refused(table.name, found)
    return tickers, instants, dates


def _strangers(tickers: pd.Series, known: Collection[str], refused_lines: Collection[Any]) -> list[Offence]:
    """Rows of companies of which there is no announcement."""
    candidates = sorted(known)
    hints = {name: nearest(name, candidates) for name in tickers.unique() if name not in known}
    return [
        (line, "ticker", name, f"is no ticker of the events file. {hints[name]}".strip())
        for line, name in tickers.items()
        if name in hints and line not in refused_lines
    ]


def _instants(column: pd.Series, settings: Settings) -> tuple[pd.Series, list[Offence]]:
    """Instants in UTC, NaT where there is an offence."""
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        wrong: list[Offence] = [(line, str(column.name), None, "is missing") for line in column.index[column.isna()]]
        far = column.notna() & ~column.dt.year.between(*YEARS)
        wrong += [(line, str(column.name), str(column[line]), _no_session()) for line in column.index[far]]
        values = column.mask(far).dt.tz_convert("UTC").dt.as_unit("ns")
        return values, wrong + _outside(values, column)
    if pd.api.types.is_datetime64_dtype(column.dtype):
        column = column.dt.strftime("%Y-%m-%dT%H:%M:%S").astype(object).where(column.notna(), "")
    texts, wrong = tidy_instants(column, settings.date_format)
    refused_lines = {line for line, *_ in wrong}
    read = []
    for line, text in texts.items():
        instant, problem = (pd.NaT, "") if line in refused_lines else _instant(text, settings)
        if problem:
            wrong.append((line, str(column.name), text or None, problem))
        read.append(instant)
    values = pd.to_datetime(pd.Series(read, index=column.index), utc=True).dt.as_unit("ns")
    return values, wrong + _outside(values, column)


def _outside(values: pd.Series, cells: pd.Series) -> list[Offence]:
    """Instants, and dates, of which the sessions of New York know no day zero."""
    calendar = new_york()
    begin, end = calendar.start, calendar.closes[-1]
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        odd = (values < begin.tz_localize(NEW_YORK)) | (values >= end)
    else:
        odd = (values < begin) | (values > calendar.end)
    return [(line, str(cells.name), str(cells[line]), _no_session()) for line in values.index[odd]]


def _no_session() -> str:
    calendar = new_york()
    return f"lies outside the sessions of New York, {calendar.start:%Y-%m-%d} to {calendar.end:%Y-%m-%d}"


def _instant(text: Any, settings: Settings) -> tuple[Any, str]:
    """One instant, or what is wrong with it."""
    if not isinstance(text, str) or not text:
        return pd.NaT, "is missing"
    if ":" not in text:
        return pd.NaT, "has no time of day"
    try:
        stamp = pd.Timestamp(text)
    except ValueError:
        return pd.NaT, "cannot be read as a date and a time; write 2024-10-30T16:05:00-04:00"
    if not YEARS[0] <= stamp.year <= YEARS[1]:
        return pd.NaT, _no_session()
    if stamp.tzinfo is None and settings.timezone is None:
        return pd.NaT, f"is a time without a UTC offset; add it, or say timezone in {FILE}"
    if stamp.tzinfo is None:
        zone = zoneinfo.ZoneInfo(settings.timezone or "UTC")
        stamp = stamp.tz_localize(zone, ambiguous="NaT", nonexistent="NaT")
        if pd.isna(stamp):
            return pd.NaT, f"does not exist, or exists twice, where the clocks of {settings.timezone} change"
    return stamp.tz_convert("UTC"), ""


def _filing_date(wall: pd.Timestamp) -> pd.Timestamp:
    """Date of a filing accepted at a time of the New York clock."""
    sessions = new_york().sessions
    day = wall.normalize()
    late = wall - day > _CUT_OFF
    return sessions[sessions.searchsorted(day, side="right" if late else "left")]
