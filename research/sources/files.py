"""One's own data: a folder of CSV or Parquet files.

=========== ============================================================================
file        content
=========== ============================================================================
events      announcements: ``ticker, announced_at`` and what :class:`Announcements` knows; the time may
            stand in a column ``announced_time`` of its own
prices      long (``date, ticker, close`` and/or ``adj_close``, optional ``open high low
            volume``) or wide (``date`` and one column of closes a ticker)
returns     long (``date, ticker, ret``) or wide; simple total returns; CRSP's ``DLRET`` and
            ``DLSTCD`` are understood (:mod:`research.sources._delisting` says how)
actions     ``ex_date, ticker, dividend, split_ratio, absorbed``
market      ``date`` and ``close``, ``adj_close`` or ``ret``; with ``ticker`` for several
factors     ``date`` and one column a factor
metrics     the long metrics table of :class:`Announcements`
wire        ``ticker, announced_at``: exact times of press releases
filings     ``ticker, accepted_at``, optional ``filed_on``: the SEC's acceptances of 8-K filings with results
intraday/   ``TICKER_YYYY-MM-DD`` (date of the announcement): bars with ``ts, close``, optional
            ``open high low volume``
=========== ============================================================================

Where there is ``wire`` or ``filings``, they correct and sharpen the instants of ``events`` by the rule of
:mod:`research.sources.reconciliation`; a row of ``events`` whose ``announced_at_source`` is ``wire`` is an
exact time itself. ``announced_at_note`` says why an instant is not that of ``events``.
``events`` and one of ``prices`` and ``returns`` are needed. Each is a ``.csv`` (comma,
semicolon, tab; decimal point or comma; UTF-8) or a ``.parquet``. ``columns.toml`` maps other
people's column names and says what files cannot::

    timezone = "America/New_York"      # of times without an offset
    market_symbol = "SPY"              # what a market file without tickers holds
    date_format = "%d/%m/%Y"           # only where day and month cannot be told apart
    missing_delisting_return = -0.30   # of delistings for poor performance without a return
    [prices]
    date = "Datum"                     # ours = "theirs"
    close = "px_last"
    [aliases]
    FB = "META"                        # old ticker = "new ticker", in every file
    "META US Equity" = "META"          # or whatever else a file calls it
"""

from __future__ import annotations

import datetime as dt
import re
import warnings
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from research.errors import NotFoundError, ResearchWarning, SourceError, in_words, nearest
from research.events.announcements import Announcements
from research.market.intraday import Bars
from research.market.prices import Prices
from research.sources import _frames, _own_instants
from research.sources._common import (
    EventLike,
    announcement_day,
    fingerprint,
    require_tickers,
    select_tickers,
    ticker_list,
)
from research.sources._settings import COLUMNS, FILE, Settings, our_names, read_settings
from research.sources._tables import Table, read_table

_SUFFIXES = (".csv", ".parquet")
_BARS = re.compile(r"(?P<ticker>.+)_(?P<date>\d{4}-\d{2}-\d{2})\.(csv|parquet)", re.IGNORECASE)
_NEEDED = "events and one of prices and returns, each as .csv or .parquet"


class FilesSource:
    """A folder of one's own files behind the protocol of :class:`research.sources.protocol.Source`.

    Files are found when the source is opened and read when first asked for; each is read once.

    Parameters
    ----------
    directory : str or Path
        The folder.

    Attributes
    ----------
    name : str
        ``files:`` and the folder's own name, without the path to it.
    capabilities : frozenset of str
        What the files allow. ``prices`` is missing where there are only returns.
    market_symbol : str or None
        What ``columns.toml`` calls the market series, or the only ticker of the market file.

    Raises
    ------
    SourceError
        If the folder does not exist, has no events, has neither prices nor returns, or
        has one table twice.
    InputError
        If ``columns.toml`` cannot be followed.
    """

    def __init__(self, directory: str | Path) -> None:
        folder = Path(directory).expanduser()
        if not folder.is_dir():
            problem = "is a file, not a folder" if folder.exists() else "does not exist"
            raise SourceError(
                f"the folder {problem}",
                parameter="files:DIR",
                value=str(directory),
                remedy=f"It needs {_NEEDED}.",
            )
        self.name = f"files:{folder.name or folder.resolve().name}"
        self._files = _find(folder)
        self._settings_file = _settings_file(folder)
        self._settings: Settings = read_settings(self._settings_file)
        self._bars = _find_bars(folder, self._settings.aliases)

    def __repr__(self) -> str:
        return f"FilesSource({self.name.removeprefix('files:')!r})"

    @property
    def capabilities(self) -> frozenset[str]:
        """What the files allow: always announcements and, from prices or returns, a market."""
        optional = {name for name in ("prices", "factors", "metrics") if name in self._files}
        return frozenset({"announcements", "market"} | optional | ({"intraday"} if self._bars else set()))

    @property
    def market_symbol(self) -> str | None:
        """Symbol of the market file: what ``columns.toml`` says, else its only ticker; None where neither tells.

        Raises
        ------
        InputError
            If ``columns.toml`` does not say, and the market file cannot be read.
        """
        if self._settings.market_symbol:
            return self._settings.market_symbol
        named = [symbol for symbol in self._market if symbol]
        return named[0] if len(named) == 1 else None

    def announcements(self, tickers: str | Iterable[str] | None = None) -> Announcements:
        """Announcements, with the metrics table where there is one.

        Raises
        ------
        InputError
            Naming the file and, line by line, every row that cannot be used.
        NotFoundError
            If a ticker has none.
        """
        return select_tickers(self._announcements, tickers)

    def news(self) -> Announcements:
        """The announcements: the file holds every kind."""
        return self.announcements()

    def prices(self, tickers: str | Iterable[str] | None = None) -> Prices:
        """Daily prices, with the actions where there are any.

        Raises
        ------
        SourceError
            If the folder holds returns only.
        InputError, NotFoundError
            As in :meth:`announcements`.
        """
        if "prices" not in self._files:
            raise SourceError(
                f"{self.name} has returns, but no prices", remedy="Ask for .returns(), or add a prices file."
            )
        if tickers is None:
            return self._prices
        wanted = ticker_list(tickers)
        require_tickers(wanted, self._prices.tickers, "prices")
        rows, actions = self._price_rows
        part = rows[rows["ticker"].isin(wanted)]
        if actions is not None:
            actions = actions[actions["ticker"].isin(wanted)]
        return Prices.from_frame(part, actions=actions, calendar=self._settings.calendar)

    def returns(self, tickers: str | Iterable[str] | None = None) -> pd.DataFrame:
        """Simple total returns: those of the returns file, else those that follow from the prices.

        Returns
        -------
        DataFrame, shape (n_sessions, n_tickers)
            Decimals, on every session from the first date to the last; missing stays NaN.

        Raises
        ------
        InputError, NotFoundError
            As in :meth:`announcements`.
        """
        table = self._returns
        if tickers is None:
            return table.copy()
        wanted = ticker_list(tickers)
        require_tickers(wanted, table.columns, "returns")
        return table[wanted].copy()

    def market_returns(self, symbol: str = "^GSPC") -> pd.Series:
        """Simple returns of a market series.

        From the market file; without one, or where it lacks the symbol, from the prices or
        returns if the symbol is one of their tickers. A market file without a ticker column
        holds what ``market_symbol`` in ``columns.toml`` says, or, where that says
        nothing, whatever symbol is asked for.

        Returns
        -------
        Series
            Named ``symbol``, decimals, on sessions, without NaN.

        Raises
        ------
        NotFoundError
            If no file has the symbol.
        InputError
            As in :meth:`announcements`.
        """
        series = self._market.get(symbol)
        if series is None and set(self._market) == {""}:
            series = self._market[""]
        if series is None and symbol in self._returns.columns:
            series = self._returns[symbol]
        if series is None:
            known = [*self._market, *self._returns.columns]
            raise NotFoundError(
                f"{self.name} has no market series of this symbol",
                parameter="symbol",
                value=symbol,
                allowed=in_words(known),
                remedy=" ".join(filter(None, [nearest(symbol, known), "Add a market file, or ask for one of these."])),
            )
        return series.dropna().rename(symbol)

    def intraday(self, ticker: str, event: EventLike) -> Bars | None:
        """Bars of the file ``intraday/TICKER_YYYY-MM-DD``; None without one.

        Raises
        ------
        InputError
            As in :meth:`announcements`.
        """
        day = announcement_day(event, self._settings.timezone or "America/New_York")
        path = self._bars.get((ticker.casefold(), f"{day:%Y-%m-%d}"))
        if path is None:
            return None
        return _frames.bars(read_table(path, f"intraday/{path.name}"), self._settings)

    def factors(self) -> pd.DataFrame:
        """Factor returns in decimals on sessions, one column a factor.

        Raises
        ------
        SourceError
            If the folder has no factors.
        InputError
            As in :meth:`announcements`.
        """
        if "factors" not in self._files:
            raise SourceError(
                f"{self.name} has no factors",
                allowed=in_words(sorted(self.capabilities)),
                remedy="Add factors.csv: date and one column a factor, in decimals.",
            )
        return _frames.factors(self._table("factors"), self._settings)

    def fingerprint(self) -> dict[str, Any]:
        """Sha-256 of every file in use, ``columns.toml`` included, and one over all of them."""
        files = {path.name: path for path in self._files.values()}
        files |= {f"intraday/{path.name}": path for path in self._bars.values()}
        if self._settings_file:
            files[FILE] = self._settings_file
        return fingerprint(self.name, files)

    def _table(self, section: str) -> Table:
        return read_table(self._files[section])

    def reconciliation(self, tickers: str | Iterable[str] | None = None) -> pd.DataFrame:
        """Instants of the events file, of the wire and of the SEC side by side, and which one counts.

        Returns
        -------
        DataFrame
            ``ticker`` and the columns of :func:`research.sources.reconciliation.reconcile`, one row for each
            earnings announcement in New York, in the order of the file; then the rows of the wire and the
            filings that belong to none, their ``agreement`` ``unmatched``, and ``detail`` says which they are.

        Warns
        -----
        ResearchWarning
            The first time, if there are such rows, with their number.

        Raises
        ------
        InputError, NotFoundError
            As in :meth:`announcements`.
        """
        table, left = self._side_by_side
        if len(left):
            table = pd.concat([table, left.astype(table.dtypes)]) if len(table) else left
        if tickers is not None:
            wanted = ticker_list(tickers)
            require_tickers(wanted, self._announcements.tickers, "announcements")
            table = table[table["ticker"].isin(wanted)]
        return table.reset_index(drop=True)

    @cached_property
    def _events(self) -> Table:
        return self._table("events")

    @cached_property
    def _metrics(self) -> Table | None:
        return self._table("metrics") if "metrics" in self._files else None

    @property
    def _names(self) -> dict[str, str]:
        """Names of the files."""
        return {name: path.name for name, path in self._files.items()}

    @cached_property
    def _given(self) -> Announcements:
        return _frames.announcements(self._events, self._metrics, self._settings)

    @cached_property
    def _side_by_side(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Instants of the announcements, and the press releases and filings that belong to none, told once."""
        known = self._given.tickers
        own: dict[str, pd.DataFrame | None] = {"wire": None, "filings": None}
        for name, read in (("wire", _own_instants.wire_times), ("filings", _own_instants.filings)):
            if name in self._files:
                own[name] = read(self._table(name), self._settings, known)
        left = _own_instants.left_over(self._given, own["wire"], own["filings"], self._names)
        if len(left):
            files = " and ".join(self._names[name] for name in own if name in self._names)
            warnings.warn(
                f"{self.name}: {len(left)} {'row' if len(left) == 1 else 'rows'} of {files} "
                "without an earnings announcement in the events file; .reconciliation() lists them as unmatched",
                ResearchWarning,
                stacklevel=4,
            )
        return _own_instants.side_by_side(self._given, own["wire"], own["filings"]), left

    @cached_property
    def _announcements(self) -> Announcements:
        """The announcements at the instants that count."""
        if not {"wire", "filings"} & set(self._files):
            return self._given
        events = our_names(self._events, "events", self._settings)
        return _own_instants.reconciled(
            self._given, self._side_by_side[0], events, self._metrics, self._settings, self._names
        )

    @cached_property
    def _price_rows(self) -> tuple[pd.DataFrame, pd.DataFrame | None]:
        return self._checked_prices[1:]

    @cached_property
    def _prices(self) -> Prices:
        return self._checked_prices[0]

    @cached_property
    def _checked_prices(self) -> tuple[Prices, pd.DataFrame, pd.DataFrame | None]:
        actions = self._table("actions") if "actions" in self._files else None
        return _frames.prices(self._table("prices"), actions, self._settings)

    @cached_property
    def _returns(self) -> pd.DataFrame:
        if "returns" not in self._files:
            return self._prices.returns()
        return _frames.returns(self._table("returns"), self._settings)

    @cached_property
    def _market(self) -> dict[str, pd.Series]:
        if "market" not in self._files:
            return {}
        return _frames.market(self._table("market"), self._settings)


def _find(folder: Path) -> dict[str, Path]:
    """The known tables of a folder, without regard to the case of their names."""
    found: dict[str, list[Path]] = {}
    others = []
    for path in sorted(folder.iterdir()):
        stem, suffix = path.stem.casefold(), path.suffix.casefold()
        if path.is_file() and stem in COLUMNS and stem != "intraday" and suffix in _SUFFIXES:
            found.setdefault(stem, []).append(path)
        elif path.is_file():
            others.append(path.name)
    twice = [in_words(path.name for path in paths) for paths in found.values() if len(paths) > 1]
    if twice:
        raise SourceError(f"the folder has one table twice: {'; '.join(twice)}", remedy="Keep one of each.")
    missing = "events" if "events" not in found else ""
    if not missing and not {"prices", "returns"} & set(found):
        missing = "prices or returns"
    if missing:
        raise SourceError(
            f"the folder has no file of {missing}",
            parameter="files:DIR",
            value=folder.name,
            allowed=_NEEDED,
            remedy=_misnamed(missing.split()[0], others),
        )
    return {name: paths[0] for name, paths in found.items()}


def _misnamed(wanted: str, others: list[str]) -> str | None:
    """Hint at a file that may be the missing one."""
    workbooks = [name for name in others if name.casefold().endswith((".xlsx", ".xls"))]
    if workbooks:
        return f"Save the sheets of {in_words(workbooks)} as 'CSV UTF-8'."
    return nearest(f"{wanted}.csv", others) or (f"It holds {in_words(others)}." if others else "It holds no file.")


def _find_bars(folder: Path, aliases: Mapping[str, str]) -> dict[tuple[str, str], Path]:
    """Files of bars by ticker, without regard to its case, and date."""
    inside = folder / "intraday"
    if not inside.is_dir():
        return {}
    found: dict[tuple[str, str], Path] = {}
    misnamed = []
    for path in sorted(inside.iterdir()):
        if not path.is_file() or path.suffix.casefold() not in _SUFFIXES or path.name.startswith("."):
            continue
        named = _BARS.fullmatch(path.name)
        if not named or not _is_date(named["date"]):
            misnamed.append(path.name)
            continue
        key = (aliases.get(named["ticker"], named["ticker"]).casefold(), named["date"])
        if key in found:
            raise SourceError(
                f"intraday/ has the same bars twice: {found[key].name}, {path.name}",
                remedy="Keep one of them.",
            )
        found[key] = path
    if misnamed:
        raise SourceError(
            f"intraday/ has files whose names do not say what they hold: {in_words(misnamed)}",
            allowed="TICKER_YYYY-MM-DD.csv or .parquet, the date of the announcement",
            remedy="Rename them, or take them out of the folder.",
        )
    return found


def _is_date(text: str) -> bool:
    try:
        return bool(dt.date.fromisoformat(text))
    except ValueError:
        return False


def _settings_file(folder: Path) -> Path | None:
    found = [path for path in sorted(folder.iterdir()) if path.is_file() and path.name.casefold() == FILE]
    if len(found) > 1:
        raise SourceError(
            f"the folder has {FILE} twice: {in_words(path.name for path in found)}", remedy="Keep one of them."
        )
    return found[0] if found else None
