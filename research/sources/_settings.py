"""``columns.toml``: other people's column names, and what a folder of files cannot say itself."""

from __future__ import annotations

import datetime as dt
import tomllib
import zoneinfo
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from research.errors import InputError, in_words, nearest, offences, unreadable
from research.market._checks import TICKER, TICKER_RULE
from research.sources._tables import Table

FILE = "columns.toml"

_EVENTS = (
    "event_id ticker kind announced_at announced_time announced_at_precision session call_at exchange fiscal_period "
    "eps_actual eps_estimate revenue_actual revenue_estimate estimate_as_of surprise_pct"
)
#: Our column names, table by table.
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "events": tuple(_EVENTS.split()),
    "prices": ("date", "ticker", "open", "high", "low", "close", "adj_close", "volume"),
    "returns": ("date", "ticker", "ret", "delisting_return", "delisting_code"),
    "actions": ("ex_date", "ticker", "dividend", "split_ratio", "absorbed"),
    "market": ("date", "ticker", "close", "adj_close", "ret"),
    "factors": ("date",),
    "metrics": (
        "ticker",
        "announced_at",
        "metric",
        "actual",
        "estimate",
        "unit",
        "source",
        "estimate_source",
        "basis",
        "estimate_as_of",
        "note",
    ),
    "intraday": ("ts", "open", "high", "low", "close", "volume"),
    "wire": ("ticker", "announced_at"),
    "filings": ("ticker", "accepted_at", "filed_on"),
}
#: Other people's usual names of required columns: good for a hint, not for a guess.
_SYNONYMS: Mapping[str, tuple[str, ...]] = {
    "ticker": ("symbol", "sym", "tic", "stock", "code", "permno", "name"),
    "date": ("datum", "day", "caldt", "timestamp", "datetime"),
    "close": ("price", "last", "px_last", "prc", "settle", "kurs", "schlusskurs"),
    "ret": ("daily_returns", "total_return", "performance"),
    "accepted_at": ("acceptance_datetime", "accepted", "acceptancedatetime", "timestamp"),
    "announced_at": ("date", "datetime", "timestamp", "announcement_date", "report_date", "rdq", "anndats"),
    "ts": ("timestamp", "time", "datetime", "date"),
}
#: Table of old and new tickers.
_ALIASES = "aliases"
_UNITS = ("decimal", "percent")
#: Keys above the tables; None where any text will do.
_KEYS: Mapping[str, tuple[str, ...] | None] = {
    "timezone": None,
    "calendar": None,
    "market_symbol": None,
    "date_format": None,
    "decimal": (".", ","),
    "returns_unit": _UNITS,
    "factors_unit": _UNITS,
    "missing_delisting_return": None,
}


@dataclass(frozen=True)
class Settings:
    """What ``columns.toml`` says; everything has a default.

    Attributes
    ----------
    columns : mapping of str to mapping of str to str
        Table, our name, their name.
    timezone : str, optional
        Zone of times without an offset.
    calendar : str
        exchange_calendars code whose sessions the dates are.
    market_symbol : str, optional
        What a market file without a ticker column holds.
    date_format : str, optional
        ``strptime`` format of dates that are not year-first.
    decimal : {".", ","}, optional
        Decimal mark of all CSV files.
    returns_unit : {"decimal", "percent"}, optional
        Unit of ``returns`` and of a ``market`` return column. Without it they are decimals, unless they are
        too large for that.
    factors_unit : {"decimal", "percent"}
        Unit of ``factors``.
    missing_delisting_return : float, optional
        What a delisting for poor performance returned where the file does not say; decimals.
    aliases : mapping of str to str
        Old ticker, or whatever else a file calls it, and new ticker.
    """

    columns: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    timezone: str | None = None
    calendar: str = "XNYS"
    market_symbol: str | None = None
    date_format: str | None = None
    decimal: str | None = None
    returns_unit: str | None = None
    factors_unit: str = "decimal"
    missing_delisting_return: float | None = None
    aliases: Mapping[str, str] = field(default_factory=dict)

    @property
    def ticker_aliases(self) -> dict[str, str]:
        """Those of the aliases that are tickers themselves, and so are good for questions as well as for files."""
        return {old: new for old, new in self.aliases.items() if TICKER.fullmatch(old)}


def read_settings(path: Path | None) -> Settings:
    """Read and check ``columns.toml``; defaults without one.

    Raises
    ------
    InputError
        If it is no TOML, or for all keys, tables and values that mean nothing here.
    """
    if path is None:
        return Settings()
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{FILE} cannot be read ({unreadable(error)})", remedy="Save it as UTF-8 text.") from error
    except tomllib.TOMLDecodeError as error:
        raise InputError(
            f"{FILE} is no TOML: {error}", remedy='Write lines such as close = "PX_LAST" below [prices].'
        ) from error
    found: list[tuple[str, str, Any, str]] = []
    tables = {name: value for name, value in content.items() if isinstance(value, dict)}
    plain = {name: value for name, value in content.items() if name not in tables}
    aliases = tables.pop(_ALIASES, {})
    found += _check_aliases(aliases)
    for name, value in plain.items():
        found += _check_key(name, value)
    for name, mapping in tables.items():
        found += _check_mapping(name, mapping)
    if found:
        raise InputError(
            f"{FILE} says what cannot be followed",
            rows=offences(found),
            allowed=f"keys {in_words(_KEYS)}; tables {in_words(f'[{name}]' for name in [*COLUMNS, _ALIASES])}",
        )
    return Settings(columns=tables, aliases=aliases, **plain)


def _check_aliases(aliases: Mapping[str, Any]) -> list[tuple[str, str, Any, str]]:
    """Any name may stand for a ticker, but not for one that is renamed itself: chains would depend on the order."""
    place = f"[{_ALIASES}]"
    found: list[tuple[str, str, Any, str]] = []
    for old, new in aliases.items():
        if not isinstance(new, str) or not TICKER.fullmatch(new) or not old.strip():
            found.append((place, old, new, f"has to stand for a ticker ({TICKER_RULE})"))
        elif new in aliases:
            found.append((place, old, new, "names a ticker that is renamed itself; name the last one"))
    return found


def _check_key(name: str, value: Any) -> list[tuple[str, str, Any, str]]:
    if name not in _KEYS:
        hint = (
            'the symbol is market_symbol = "..."' if name == "market" else nearest(name, [*_KEYS, *COLUMNS, _ALIASES])
        )
        return [("key", name, value, f"is unknown. {hint}".strip())]
    if name == "missing_delisting_return":
        fits = isinstance(value, int | float) and not isinstance(value, bool) and -1 <= value <= 0
        return [] if fits else [("key", name, value, "has to be a number from -1 to 0, such as -0.30")]
    allowed = _KEYS[name]
    if not isinstance(value, str) or not value or (allowed and value not in allowed):
        return [("key", name, value, f"has to be {' or '.join(map(repr, allowed)) if allowed else 'text'}")]
    if name == "date_format" and not _reads_dates(value):
        return [("key", name, value, 'is no format of a date in the manner of strptime, such as "%d/%m/%Y"')]
    if name == "timezone":
        try:
            zoneinfo.ZoneInfo(value)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            zones = sorted(zoneinfo.available_timezones())
            return [("key", name, value, f"is no time zone. {nearest(value, zones)}".strip())]
    return []


def _reads_dates(pattern: str) -> bool:
    """Whether a format of strptime holds day, month and year, so that it brings back the date it wrote."""
    day = dt.date(2013, 11, 28)
    try:
        return dt.datetime.strptime(day.strftime(pattern), pattern).date() == day
    except ValueError:
        return False


def _check_mapping(table: str, mapping: Mapping[str, Any]) -> list[tuple[str, str, Any, str]]:
    if table not in COLUMNS:
        return [("table", f"[{table}]", None, f"is unknown. {nearest(table, [*COLUMNS, _ALIASES])}".strip())]
    place = f"[{table}]"
    known = COLUMNS[table]
    found: list[tuple[str, str, Any, str]] = []
    for ours, theirs in mapping.items():
        # Factors may be called anything.
        if ours not in known and table != "factors":
            found.append((place, ours, theirs, f"is none of our columns. {nearest(ours, known)}".strip()))
        elif not isinstance(theirs, str) or not theirs:
            found.append((place, ours, theirs, "has to be the name of a column, as text"))
    named = [theirs for theirs in mapping.values() if isinstance(theirs, str)]
    twice = sorted({theirs for theirs in named if named.count(theirs) > 1})
    return found + [(place, theirs, None, "is given two of our names") for theirs in twice]


def our_names(table: Table, section: str, settings: Settings) -> Table:
    """Rename a table's columns to ours: as ``columns.toml`` says, else by case and spacing.

    ``Adj Close`` is ``adj_close`` without being told. Where ``columns.toml`` names a column
    and the file has one of our name besides, the named one counts and the other is called
    ``<name>_unmapped``.

    Raises
    ------
    InputError
        If ``columns.toml`` names columns that the file lacks.
    """
    present = [str(column) for column in table.frame.columns]
    mapping = settings.columns.get(section, {})
    absent = [(f"[{section}]", ours, theirs) for ours, theirs in mapping.items() if theirs not in present]
    if absent:
        raise InputError(
            f"{FILE} names columns that {table.name} does not have",
            rows=offences((*row, f"is no column of the file. {nearest(row[2], present)}".strip()) for row in absent),
            allowed=in_words(present),
        )
    renamed = {theirs: ours for ours, theirs in mapping.items()}
    for name in present:
        if name in renamed:
            continue
        folded = fold(name)
        if name in mapping:
            renamed[name] = f"{name}_unmapped"
        elif folded in COLUMNS[section] and folded not in mapping and folded not in {*present, *renamed.values()}:
            renamed[name] = folded
    dates = frozenset(renamed.get(name, name) for name in table.dates)
    return _with_new_tickers(Table(table.name, table.frame.rename(columns=renamed), dates), section, settings)


def _with_new_tickers(table: Table, section: str, settings: Settings) -> Table:
    """Tickers by their new names, in the rows of a long table and in the header of a wide one."""
    aliases = settings.aliases
    if not aliases:
        return table
    if "ticker" in table.frame:
        # Databases keep some names as whole numbers; aliases are text.
        tickers = [aliases.get(str(cell), cell) for cell in table.frame["ticker"]]
        return Table(
            table.name, table.frame.assign(ticker=pd.Series(tickers, table.frame.index, dtype=object)), table.dates
        )
    if section not in ("prices", "returns"):
        return table
    frame = table.frame.rename(columns={old: new for old, new in aliases.items() if old not in COLUMNS[section]})
    twice = sorted(set(frame.columns[frame.columns.duplicated()]))
    if twice:
        raise InputError(
            f"{table.name} has columns for the old and the new name of {in_words(twice)}",
            remedy=f"Keep one of the two columns, or take the name out of [{_ALIASES}] in {FILE}.",
        )
    return Table(table.name, frame, table.dates)


def fold(name: str) -> str:
    """A column name without regard to case, spaces and punctuation."""
    words = "".join(character if character.isalnum() else " " for character in name.casefold()).split()
    return "_".join(words)


def suggestion(name: str, table: Table) -> str:
    """Sentence on which column may be the missing one; empty when none looks like it."""
    present = [str(column) for column in table.frame.columns if column]
    for column in present:
        if fold(column) in _SYNONYMS.get(name, ()):
            return f"Did you mean {column!r}?"
    return nearest(name, present)


def require_columns(table: Table, section: str, required: Sequence[str]) -> None:
    """Raise InputError for every required column that is missing, with the nearest name present."""
    present = [str(column) for column in table.frame.columns]
    missing = [name for name in required if name not in present]
    if missing:
        hints = [suggestion(name, table) for name in missing]
        advice = f'Rename it, or say so in {FILE}: [{section}] {missing[0]} = "their name".'
        raise InputError(
            f"{table.name} has no column {in_words(map(repr, missing))}",
            value=present,
            allowed=in_words(COLUMNS[section]),
            remedy=" ".join([*dict.fromkeys(filter(None, hints)), advice]),
        )
