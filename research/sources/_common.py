"""What every source needs: fingerprints, selections, and the day an announcement is filed under."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import pandas as pd

from research.errors import NotFoundError, ParameterError, in_words, nearest
from research.events.announcements import Announcements
from research.events.calendar import TradingCalendar

#: What the word for an announcement may be: a row of ``Announcements.frame``, an instant, a date, text.
EventLike: TypeAlias = pd.Series | pd.Timestamp | dt.date | str


def new_york() -> TradingCalendar:
    """Sessions of New York from 1950 on: vendors list announcements from before the usual calendar."""
    return TradingCalendar("XNYS", start="1950-01-03")


def file_hash(path: Path) -> str:
    """Sha-256 of a file's bytes, as hexadecimal text."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def fingerprint(name: str, files: Mapping[str, Path]) -> dict[str, Any]:
    """Hashes of a source's files, and one over all of them that no listing order can change.

    Parameters
    ----------
    name : str
        Name of the source.
    files : mapping of str to Path
        Relative name of each file, and where it is.

    Returns
    -------
    dict
        ``source``, ``sha256`` (over the sorted lines ``<hash>  <relative name>``) and
        ``files`` (relative name to hash, sorted).
    """
    hashes = {relative: file_hash(files[relative]) for relative in sorted(files)}
    lines = "".join(f"{digest}  {relative}\n" for relative, digest in hashes.items())
    return {"source": name, "sha256": hashlib.sha256(lines.encode()).hexdigest(), "files": hashes}


def ticker_list(tickers: str | Iterable[str]) -> list[str]:
    """Tickers asked for, each once, in the order given; a single one may come as plain text."""
    listed = [tickers] if isinstance(tickers, str) else list(tickers)
    if not listed:
        raise ParameterError("an empty list of tickers", parameter="tickers", remedy="Leave it out for all.")
    return list(dict.fromkeys(listed))


def require_tickers(tickers: Iterable[str], known: Iterable[str], what: str) -> None:
    """Raise NotFoundError naming every ticker that ``known`` lacks."""
    available = list(known)
    unknown = [ticker for ticker in tickers if ticker not in set(available)]
    if unknown:
        raise NotFoundError(
            f"no {what} for {in_words(unknown)}",
            parameter="tickers",
            allowed=in_words(sorted(available)),
            remedy=nearest(unknown[0], available) or None,
        )


def select_tickers(announcements: Announcements, tickers: str | Iterable[str] | None) -> Announcements:
    """Those announcements whose ticker was asked for; all for None."""
    if tickers is None:
        return announcements
    wanted = ticker_list(tickers)
    require_tickers(wanted, announcements.tickers, "announcements")
    return announcements.select(announcements.frame["ticker"].isin(wanted).to_numpy())


def announcement_day(event: EventLike, timezone: str = "America/New_York") -> pd.Timestamp:
    """Exchange-local calendar date of an announcement, tz-naive.

    Parameters
    ----------
    event : Series, Timestamp, date or str
        A row of ``Announcements.frame`` (its ``announced_on`` counts), an instant with a
        time zone (turned into ``timezone`` first), or a date.
    timezone : str
        Zone in which an instant is read as a date.

    Returns
    -------
    Timestamp

    Raises
    ------
    ParameterError
        If it can be read as neither.
    """
    given: Any = event
    if isinstance(event, pd.Series):
        dated = event.get("announced_on")
        given = event.get("announced_at") if dated is None or pd.isna(dated) else dated
    try:
        moment = pd.Timestamp(given)
    except (ValueError, TypeError) as error:
        raise _no_day(given) from error
    if pd.isna(moment):
        raise _no_day(given)
    if moment.tzinfo is not None:
        moment = moment.tz_convert(timezone).tz_localize(None)
    return moment.normalize()


def _no_day(event: object) -> ParameterError:
    return ParameterError(
        "no announcement and no date",
        parameter="date",
        value=str(event),
        allowed="a row of Announcements.frame, an instant with a time zone, or a date as YYYY-MM-DD",
    )
