"""From tables as read to the package's own types, every complaint with its line of the file.

What a file's spelling gets wrong (numbers, dates) is found here, what its content gets
wrong by the types themselves; both end in one error.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd

from research.errors import InputError, ParameterError
from research.events.announcements import Announcements
from research.events.calendar import TradingCalendar
from research.market.intraday import Bars
from research.market.prices import Prices
from research.sources._checks import Offence, checked, no_tickers, refused, repeats, text_column
from research.sources._dates import parse_dates, tidy_instants, with_times
from research.sources._delisting import compounded, imputed, with_delistings
from research.sources._numbers import is_blank, parse_table
from research.sources._settings import COLUMNS, FILE, Settings, fold, our_names, require_columns, suggestion
from research.sources._tables import Table

_BAR_FIELDS = ("open", "high", "low", "close")
_PRICE_FIELDS = (*_BAR_FIELDS, "adj_close", "volume")
_EVENT_NUMBERS = ("eps_actual", "eps_estimate", "revenue_actual", "revenue_estimate", "surprise_pct")
_EVENT_INSTANTS = ("announced_at", "call_at", "estimate_as_of")
#: Columns of price downloads that ``adj_close`` already contains.
_ACTION_NAMES = frozenset({"dividends", "stock_splits", "capital_gains"})
_TRUE_FALSE = {"true": True, "t": True, "yes": True, "y": True, "1": True}
_TRUE_FALSE |= {"false": False, "f": False, "no": False, "n": False, "0": False}
#: French's codes for a missing return, in his percent files.
_FRENCH_MISSING = (-99.99, -999.0)
#: Half of a file's daily returns are below this in decimals, and above it in percent.
_NO_DAILY_RETURN = 0.15
#: So few returns tell nothing about their unit.
_FEWEST = 5
_SAY_PERCENT = f'if the file is in percent, say returns_unit = "percent" in {FILE}'
#: Digits with the marks of numbers, without the leading zero of a code.
_NUMERIC = re.compile(r"[-+(−]?(?:US)?[$€£¥]?\s*(?!0\d)[\d.,'’\s]*\d[\d.,'’\s]*(?:[eE][+-]?\d+)?\s*[%€$£¥)]*")


def announcements(events: Table, metrics: Table | None, settings: Settings) -> Announcements:
    """Announcements from an events file and, if any, a metrics file."""
    events = our_names(events, "events", settings)
    require_columns(events, "events", ["ticker", "announced_at"])
    events, untimed = with_times(events)
    frame, found = _spelled(events, _EVENT_NUMBERS, _EVENT_INSTANTS, settings)
    found += untimed
    zone = settings.timezone
    aliases = settings.ticker_aliases  # for questions: the file's own names are replaced by now
    built = checked(events.name, found, lambda: Announcements.from_frame(frame, timezone=zone, aliases=aliases))
    if metrics is None:
        return built
    metrics = our_names(metrics, "metrics", settings)
    require_columns(metrics, "metrics", ["ticker", "announced_at", "metric", "actual", "estimate"])
    figures, found = _spelled(metrics, ("actual", "estimate"), ("announced_at", "estimate_as_of"), settings)
    # The events are known to be right by now, so what is wrong is wrong with the metrics.
    return checked(
        metrics.name,
        found,
        lambda: Announcements.from_frame(frame, timezone=zone, metrics=figures, aliases=aliases),
    )


def _spelled(
    table: Table, numbers: tuple[str, ...], instants: tuple[str, ...], settings: Settings
) -> tuple[pd.DataFrame, list[Offence]]:
    """Copy of a table with tickers as text, numbers as floats, ISO times, and None for blanks."""
    frame = table.frame.copy()
    frame["ticker"], found = text_column(table, "ticker")
    present = [name for name in numbers if name in frame]
    named = {"ticker", *numbers, *instants, *COLUMNS["events"], *COLUMNS["metrics"]}
    others = [str(name) for name in frame if name not in named]
    covariates = [name for name in others if _looks_numeric(frame[name])]
    percent = {"surprise_pct": 1.0, **dict.fromkeys(covariates, 0.01)}
    values, wrong = parse_table(table, [*present, *covariates], decimal=settings.decimal, percent=percent)
    texts = {column for _, column, *_ in wrong if column in covariates}
    found += [offence for offence in wrong if offence[1] not in texts]
    for name in instants:
        if name in frame:
            frame[name] = _instant_text(frame[name], name in table.dates)
        if name in frame and frame[name].dtype == object:
            frame[name], wrong = tidy_instants(frame[name], settings.date_format)
            found += wrong
    for name in frame.columns.difference(["ticker", *values.columns]):
        if frame[name].dtype == object:
            frame[name] = frame[name].where(frame[name] != "", None)
    read = [name for name in (*present, *covariates) if name not in texts]
    return frame.assign(**{name: values[name] for name in read}), found


def _looks_numeric(column: pd.Series) -> bool:
    """Whether a covariate is a number throughout; codes such as 007 are not."""
    if column.dtype != object:
        return False
    cells = [cell for cell in column if cell is not None and not (isinstance(cell, str) and is_blank(cell))]
    return bool(cells) and all(isinstance(cell, str) and _NUMERIC.fullmatch(cell) for cell in cells)


def _instant_text(column: pd.Series, bare: bool) -> pd.Series:
    """Typed instants as they are; dates, and times that are all midnight in their own zone, as text of a date."""
    zoned = isinstance(column.dtype, pd.DatetimeTZDtype)
    if zoned or pd.api.types.is_datetime64_dtype(column.dtype):
        days = column.dropna().dt.tz_localize(None)
        if not bare and (days != days.dt.normalize()).any():
            return column
        column = column.dt.strftime("%Y-%m-%d")
    return column.astype(object).where(column.notna(), None)


def prices(table: Table, actions: Table | None, settings: Settings) -> tuple[Prices, pd.DataFrame, pd.DataFrame | None]:
    """Prices from a long or wide file; the long rows and the actions come with them."""
    rows, found = _long(table, "prices", _PRICE_FIELDS, ("close",), settings)
    calendar = settings.calendar
    built = checked(table.name, found, lambda: Prices.from_frame(rows, calendar=calendar))
    if actions is None:
        return built, rows, None
    dividends, found = _actions(actions, settings)
    built = checked(actions.name, found, lambda: Prices.from_frame(rows, actions=dividends, calendar=calendar))
    return built, rows, dividends


def _actions(table: Table, settings: Settings) -> tuple[pd.DataFrame, list[Offence]]:
    table = our_names(table, "actions", settings)
    require_columns(table, "actions", ["ex_date", "ticker"])
    ticker, found = text_column(table, "ticker")
    dates, wrong = parse_dates(table.frame["ex_date"], settings.date_format)
    present = [name for name in ("dividend", "split_ratio") if name in table.frame]
    values, unread = parse_table(table, present, decimal=settings.decimal)
    found += wrong + unread
    frame = values.assign(ticker=ticker, ex_date=dates)
    if "absorbed" in table.frame:
        splits = values["split_ratio"].notna() if "split_ratio" in values else pd.Series(False, index=values.index)
        cells = table.frame["absorbed"]
        # Of a dividend there is nothing to say, so that its cell may be blank.
        flags = [
            False if _blank(cell) and not split else _flag(cell) for cell, split in zip(cells, splits, strict=True)
        ]
        found += [
            (
                line,
                "absorbed",
                *((None, "is missing of a split") if _blank(cell) else (cell, "is neither true nor false")),
            )
            for (line, cell), flag in zip(cells.items(), flags, strict=True)
            if flag is None
        ]
        frame["absorbed"] = [bool(flag) for flag in flags]
    return frame, found


def _blank(cell: Any) -> bool:
    return is_blank(cell) if isinstance(cell, str) else cell is None or cell is pd.NA or cell != cell


def _flag(cell: Any) -> bool | None:
    return bool(cell) if isinstance(cell, bool | np.bool_) else _TRUE_FALSE.get(str(cell).casefold())


def returns(table: Table, settings: Settings) -> pd.DataFrame:
    """Simple returns, sessions x tickers, from a long or wide file."""
    percent = _percent_sign(settings.returns_unit)
    fields = ("ret", "delisting_return")
    rows, found = _long(with_delistings(table), "returns", fields, ("ret",), settings, percent=percent)
    values, wrong = _returns_in_decimals(rows["ret"], settings)
    wrong = wrong or _in_percent(rows["ret"], settings)
    if "delisting_return" in rows or "delisting_code" in rows:
        values, odd = _with_delisting(values, rows, settings)
        wrong += odd
    grid, outside = _sessions(rows["date"], settings)
    found += wrong + outside + repeats(rows["date"], rows["ticker"]) + no_tickers(rows["ticker"])
    if found:
        raise refused(table.name, found)
    wide = values.set_axis(pd.MultiIndex.from_frame(rows[["date", "ticker"]])).unstack("ticker")  # noqa: PD010
    return wide.reindex(pd.DatetimeIndex(grid, name="date")).sort_index(axis=1)


def _with_delisting(values: pd.Series, rows: pd.DataFrame, settings: Settings) -> tuple[pd.Series, list[Offence]]:
    """Returns of the last day, the delisting return compounded in; see :mod:`research.sources._delisting`."""
    wrong: list[Offence] = []
    last = pd.Series(np.nan, index=rows.index)
    if "delisting_return" in rows:
        last, wrong = _returns_in_decimals(rows["delisting_return"], settings)
    if "delisting_code" in rows:
        last = imputed(last, rows["delisting_code"], settings.missing_delisting_return)
    return compounded(values, last), wrong


def market(table: Table, settings: Settings) -> dict[str, pd.Series]:
    """Simple returns by symbol; the symbol is empty where neither file nor settings name it."""
    table = _dated(our_names(_aliased(table), "market", settings), "market")
    frame = table.frame
    field = next((name for name in ("ret", "adj_close") if name in frame), "close")
    require_columns(table, "market", ["date", field])
    values, found = parse_table(
        table, [field], decimal=settings.decimal, percent={"ret": _percent_sign(settings.returns_unit)}
    )
    dates, wrong = parse_dates(frame["date"], settings.date_format)
    found += wrong
    if "ticker" in frame:
        symbols, wrong = text_column(table, "ticker")
        found += wrong
    else:
        symbols = pd.Series(settings.market_symbol or "", index=frame.index, dtype=object)
    if field == "ret":
        given = values["ret"]
        values["ret"], wrong = _returns_in_decimals(given, settings)
        wrong = wrong or _in_percent(given, settings)
    else:
        bad = ~(np.isfinite(values[field]) & (values[field] > 0)) & values[field].notna()
        wrong = [(line, field, cell, "is no positive level") for line, cell in values[field][bad].items()]
    grid, outside = _sessions(dates, settings)
    found += wrong + outside + repeats(dates, symbols)
    if found:
        raise refused(table.name, found)
    if values[field].isna().all():
        raise _nothing_in(table)
    result, sessions = {}, pd.DatetimeIndex(grid, name="date")
    for symbol in dict.fromkeys(symbols):
        mine = (symbols == symbol).to_numpy()
        index = pd.DatetimeIndex(dates[mine], name="date")
        series = pd.Series(values.loc[mine, field].to_numpy(), index=index).reindex(sessions)
        result[str(symbol)] = series if field == "ret" else series.pct_change(fill_method=None)
    return result


def factors(table: Table, settings: Settings) -> pd.DataFrame:
    """Factor returns in decimals, one column a factor, on the file's own sessions."""
    table = _dated(our_names(table, "factors", settings), "factors")
    names = [str(name) for name in table.frame.columns if name != "date"]
    if not names:
        raise InputError(f"{table.name} has no column besides the dates", remedy="Give one column a factor.")
    percent = dict.fromkeys(names, _percent_sign(settings.factors_unit))
    values, found = parse_table(table, names, decimal=settings.decimal, percent=percent)
    dates, wrong = parse_dates(table.frame["date"], settings.date_format)
    _, outside = _sessions(dates, settings)
    found += wrong + outside
    if settings.factors_unit == "percent":
        values = values.mask(values.isin(_FRENCH_MISSING)) / 100
    problem = f'is no daily return in decimals; percent? factors_unit = "percent" in {FILE}'
    for name in names:
        large = values[name][values[name].abs() >= 1]
        found += [(line, name, cell, problem) for line, cell in large.items()]
    found += repeats(dates)
    if found:
        raise refused(table.name, found)
    values.index = pd.DatetimeIndex(dates, name="date")
    return values.sort_index()


def bars(table: Table, settings: Settings) -> Bars:
    """Bars within a day; a saved table of yfinance has their starts in ``Datetime``."""
    if "ts" not in {*map(fold, map(str, table.frame)), *settings.columns.get("intraday", {})}:
        starts = {name: "ts" for name in table.frame if fold(str(name)) == "datetime"}
        table = Table(table.name, table.frame.rename(columns=starts), table.dates)
    table = our_names(table, "intraday", settings)
    require_columns(table, "intraday", ["ts", "close"])
    present = [name for name in (*_BAR_FIELDS, "volume") if name in table.frame]
    values, found = parse_table(table, present, decimal=settings.decimal)
    stamps = table.frame["ts"]
    if stamps.dtype == object:
        stamps, wrong = tidy_instants(stamps, settings.date_format)
        found += wrong
    frame = values.assign(ts=stamps)
    return checked(table.name, found, lambda: Bars.from_frame(frame, timezone=settings.timezone))


# --- shared -----------------------------------------------------------------------------


def _long(
    table: Table,
    section: str,
    fields: tuple[str, ...],
    required: tuple[str, ...],
    settings: Settings,
    percent: float | None = None,
) -> tuple[pd.DataFrame, list[Offence]]:
    """Long rows ``date, ticker`` and numbers, from a long or a wide file."""
    named = our_names(_aliased(table) if section == "returns" else table, section, settings)
    named = _dated(named, section, ("ticker", *required))
    wide = "ticker" not in named.frame and not _looks_long(named, fields)
    if wide:
        return _melted(named, required[0], settings, percent)
    if section == "prices" and "adj_close" in named.frame:
        required = ("adj_close",)
        strays = [name for name in named.frame if fold(str(name)) in _ACTION_NAMES]
        named = Table(named.name, named.frame.drop(columns=strays), named.dates)
    _require_tickers_named(named, section)
    require_columns(named, section, ["ticker", *required])
    present = [name for name in fields if name in named.frame]
    values, found = parse_table(
        named, present, decimal=settings.decimal, percent=dict.fromkeys(present, percent) if percent else None
    )
    ticker, wrong = text_column(named, "ticker")
    dates, undated = parse_dates(named.frame["date"], settings.date_format)
    others = named.frame.drop(columns=["date", "ticker", *present])
    return pd.concat([dates, ticker, values, others], axis=1), found + wrong + undated


def _require_tickers_named(table: Table, section: str) -> None:
    """Say what to do with a download of one company, whose ticker is in the name of the file at most."""
    if "ticker" not in table.frame and not suggestion("ticker", table) and section in ("prices", "returns"):
        raise InputError(
            f"{table.name} has no column 'ticker': these look like the figures of one company",
            value=[str(name) for name in table.frame],
            remedy="Add a column ticker with its name in every row, or keep date and one column named after it.",
        )


def _looks_long(table: Table, fields: tuple[str, ...]) -> bool:
    """Whether a file without tickers is one ticker's bars rather than one column a ticker."""
    others = [fold(str(name)) for name in table.frame if name != "date"]
    return any(name in fields for name in others)


def _melted(table: Table, field: str, settings: Settings, percent: float | None) -> tuple[pd.DataFrame, list[Offence]]:
    """A wide file as long rows labelled ``line [ticker]``; blank cells are no rows."""
    tickers = [str(name) for name in table.frame.columns if name != "date"]
    if not tickers:
        raise InputError(f"{table.name} has no column besides the dates", remedy="Give one column a ticker.")
    wrong = no_tickers(pd.Series(tickers, index=["header"] * len(tickers), dtype=object))
    if wrong:
        raise refused(table.name, wrong)
    signs = dict.fromkeys(tickers, percent) if percent else None
    values, found = parse_table(table, tickers, decimal=settings.decimal, percent=signs)
    dates, undated = parse_dates(table.frame["date"], settings.date_format)
    cells = values.to_numpy()
    line, column = np.nonzero(~np.isnan(cells) & dates.notna().to_numpy()[:, None])
    labels = [f"{row} [{tickers[place]}]" for row, place in zip(table.frame.index[line], column, strict=True)]
    rows = pd.DataFrame(
        {
            "date": dates.to_numpy()[line],
            "ticker": np.array(tickers, dtype=object)[column],
            field: cells[line, column],
        },
        index=pd.Index(labels, dtype=object),
    )
    if rows.empty and found + undated:
        raise refused(table.name, found + undated)
    if rows.empty:
        raise _nothing_in(table)
    return rows, found + undated


def _nothing_in(table: Table) -> InputError:
    return InputError(f"{table.name} has no number in any cell", remedy="Check the file it came from.")


def _aliased(table: Table) -> Table:
    """The usual long names of a return are as good as ``ret``."""
    for name in table.frame:
        if fold(str(name)) in {"return", "returns", "daily_return"} and "ret" not in table.frame:
            return Table(table.name, table.frame.rename(columns={name: "ret"}), table.dates)
    return table


def _dated(table: Table, section: str, also: tuple[str, ...] = ()) -> Table:
    """A table with a column ``date``; a nameless first column is an index of dates."""
    if "date" not in table.frame and "" in table.frame:
        table = Table(table.name, table.frame.rename(columns={"": "date"}), table.dates)
    # Without a date nothing tells long from wide, unless something looks like the tickers.
    looks_long = "ticker" in table.frame or suggestion("ticker", table)
    require_columns(table, section, ["date", *also] if also and "date" not in table.frame and looks_long else ["date"])
    return table


def _sessions(dates: pd.Series, settings: Settings) -> tuple[pd.DatetimeIndex, list[Offence]]:
    """Every session from the first date to the last, and the dates that are none."""
    known = pd.DatetimeIndex(dates.dropna())
    calendar = _calendar(settings.calendar, known)
    if not len(known):
        return calendar.sessions[:0], []
    outside = (dates < calendar.start) | (dates > calendar.end)
    odd = dates.notna() & ~dates.isin(calendar.sessions)
    span = f"{calendar.start:%Y-%m-%d} to {calendar.end:%Y-%m-%d}"
    wrong: list[Offence] = [
        (
            line,
            "date",
            f"{dates[line]:%Y-%m-%d}",
            f"lies outside {calendar.code} as covered, {span}"
            if outside[line]
            else f"is no session of {calendar.code}",
        )
        for line in dates.index[odd]
    ]
    inside = (calendar.sessions >= known.min()) & (calendar.sessions <= known.max())
    return calendar.sessions[inside], wrong


def _calendar(code: str, dates: pd.DatetimeIndex) -> TradingCalendar:
    """Calendar of a code, over a span that reaches back to the data where it is recorded so far."""
    usual = TradingCalendar(code)
    if not len(dates) or dates.min() >= usual.start:
        return usual
    try:
        return TradingCalendar(code, start=f"{dates.min().year}-01-01")
    except ParameterError:
        return usual


def _percent_sign(unit: str | None) -> float:
    """What a percent sign in a cell is worth, given that the whole file may be in percent."""
    return 1.0 if unit == "percent" else 0.01


def _returns_in_decimals(values: pd.Series, settings: Settings) -> tuple[pd.Series, list[Offence]]:
    """Returns in decimals, and those that none can be."""
    percent = settings.returns_unit == "percent"
    scaled = values / 100 if percent else values
    bad = (np.isinf(scaled) | (scaled < -1)).to_numpy()
    problem = "is infinite or below -100 %" + ("" if percent else f"; {_SAY_PERCENT}")
    return scaled, [(line, str(values.name), float(values[line]), problem) for line in values.index[bad]]


def _in_percent(values: pd.Series, settings: Settings) -> list[Offence]:
    """The larger returns of a file whose usual size no daily return has, unless columns.toml states the unit."""
    sizes = values.abs()
    moves = sizes[np.isfinite(sizes) & (sizes > 0)]
    if settings.returns_unit is not None or len(moves) < _FEWEST or moves.median() < _NO_DAILY_RETURN:
        return []
    usual = f"in decimals half of the file's returns would exceed {moves.median():.0%} a day; {_SAY_PERCENT}"
    large = values.index[sizes >= moves.median()]
    return [(line, str(values.name), float(values[line]), f'{usual}, or "decimal"') for line in large]
