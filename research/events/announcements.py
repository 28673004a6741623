"""Announcements: what was announced, by whom and when, checked once at the boundary."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from research.errors import NotFoundError, ParameterError, in_words, nearest
from research.events import _checks
from research.events._columns import with_numbers
from research.events._metrics import checked_metrics
from research.events._tables import Findings, read_csv, row_labels, with_known_names
from research.events.calendar import TradingCalendar

#: Dates listed when an announcement is not found.
_DATES_SHOWN = 8


class Announcements:
    """Table of announcements whose every row was read, placed and compared.

    Immutable; made by :meth:`from_frame` or :meth:`from_csv`. Whatever cannot be used is
    either one error over all rows (``errors="raise"``) or a row with a ``status`` other
    than ``ok`` and the reason in ``detail`` (``errors="ledger"``): no row is dropped.

    Notes
    -----
    Instants are kept in UTC and turned into dates at the row's own exchange. A bare date is
    a date at the exchange, and needs a session flag (``bmo``, ``dmh``, ``amc``), or its
    timing is unknown (METHODS 1.1 and 1.3).
    """

    __slots__ = ("_aliases", "_frame", "_metrics", "_placed")

    _frame: pd.DataFrame
    _placed: pd.DataFrame
    _metrics: pd.DataFrame | None
    _aliases: dict[str, str]

    def __init__(
        self,
        frame: pd.DataFrame,
        placed: pd.DataFrame,
        metrics: pd.DataFrame | None,
        aliases: dict[str, str],
    ) -> None:
        # Parts that were checked already; users come in through the class methods.
        for name, value in zip(
            ("_frame", "_placed", "_metrics", "_aliases"), (frame, placed, metrics, aliases), strict=True
        ):
            object.__setattr__(self, name, value)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"Announcements are immutable; cannot set {name!r}")

    def __reduce__(self) -> tuple[Any, ...]:
        return Announcements, (self._frame, self._placed, self._metrics, self._aliases)

    @classmethod
    def from_frame(
        cls,
        frame: pd.DataFrame,
        *,
        timezone: str | dt.tzinfo | None = None,
        aliases: Mapping[str, str] | None = None,
        metrics: pd.DataFrame | None = None,
        errors: str = "raise",
        columns: Mapping[str, str] | None = None,
    ) -> Announcements:
        """Check a table of announcements.

        Parameters
        ----------
        frame : DataFrame of shape (n, any)
            Required ``ticker`` and ``announced_at``. Optional: ``event_id``, ``kind``
            (default ``earnings``), ``session`` (``bmo``, ``dmh``, ``amc`` or blank),
            ``announced_at_precision`` (``second``, ``minute``, ``session``, ``date``; with
            ``date`` the time of day counts as a placeholder and is ignored),
            ``call_at``, ``exchange`` (default ``XNYS``), ``fiscal_period``, ``eps_actual``,
            ``eps_estimate``, ``revenue_actual``, ``revenue_estimate``, ``surprise_pct``,
            ``estimate_as_of``. Every further column is carried along as a covariate; one named
            ``guidance_consensus_as_of`` is read as ``estimate_as_of`` is. The :attr:`frame` of
            another Announcements is accepted and checked anew.
        timezone : str or tzinfo, optional
            Zone of times without a UTC offset, which are an error otherwise. Midnight
            without an offset is a bare date in either case.
        aliases : mapping of str to str, optional
            Ticker to the ticker used for it, such as ``{"FB": "META"}``.
        metrics : DataFrame, optional
            Long table of figures and estimates: ``ticker``, ``announced_at``, ``metric`` and
            any of ``actual``, ``estimate``, ``unit``, ``source``, ``estimate_as_of``.
        errors : {"raise", "ledger"}
            What to do with rows that cannot be used.
        columns : mapping of str to str, optional
            Column name in ``frame`` to the name above.

        Returns
        -------
        Announcements

        Raises
        ------
        InputError
            Wrong column names, an empty table; with ``errors="raise"`` every offending row
            by its index label: unreadable cells, times without an offset, instants outside
            the calendar, a flag that contradicts an exact time, an estimate dated after the
            announcement, repeats of ticker, kind and day zero (or of ``event_id``). Metrics
            raise in either case.
        CalendarRangeError
            An InputError of its own class where nothing but the span of the calendar is wrong.
        ParameterError
            Impossible ``timezone``, ``aliases`` or ``errors``.
        """
        options = _Options(timezone, aliases, metrics, errors, columns)
        return cls._checked(frame, [], options)

    @classmethod
    def from_csv(
        cls,
        path: Any,
        *,
        timezone: str | dt.tzinfo | None = None,
        aliases: Mapping[str, str] | None = None,
        metrics: pd.DataFrame | None = None,
        errors: str = "raise",
        columns: Mapping[str, str] | None = None,
    ) -> Announcements:
        """Check a CSV file of announcements.

        Cells are read as text, so that tickers such as ``NA``, ``TRUE`` and ``007`` survive;
        covariates that hold nothing but plain numbers become numeric. Errors name rows by
        their line in the file (the header is line 1).

        Parameters
        ----------
        path : str or path-like
            UTF-8, with or without a byte order mark; comma, semicolon or tab.
        timezone, aliases, metrics, errors, columns
            As in :meth:`from_frame`.

        Returns
        -------
        Announcements

        Raises
        ------
        InputError, ParameterError
            As in :meth:`from_frame`; also for an unreadable or empty file.
        """
        options = _Options(timezone, aliases, metrics, errors, columns)
        table, ragged = read_csv(path)
        return cls._checked(table, ragged, options, text=True)

    @classmethod
    def repeated(cls, pattern: Announcements, rows: np.ndarray, sessions: pd.DatetimeIndex) -> Announcements:
        """Rows of ``pattern`` over again, before the open of ``sessions`` (unchecked); numbered, without metrics."""
        frame = pattern._frame.iloc[rows].reset_index(drop=True)
        frame["event_id"] = [str(i) for i in range(len(frame))]
        frame["announced_on"] = sessions
        placed = pattern.timed().iloc[rows].reset_index(drop=True)
        placed["timing"], placed["day_zero"] = "bmo", sessions
        return cls(frame, placed, None, pattern._aliases)

    @classmethod
    def _checked(cls, frame: pd.DataFrame, ragged: list[Any], options: _Options, text: bool = False) -> Announcements:
        table = with_known_names(
            _without_verdicts(frame),
            options.columns,
            what="announcements",
            required=_checks.REQUIRED,
            known=_checks.KNOWN,
            reserved=_checks.RESERVED,
        )
        findings = Findings(row_labels(table))
        for offence in ragged:
            findings.add(*offence)
        if text:
            untyped = table.columns.difference([*_checks.KNOWN, _checks.GUIDANCE_AS_OF], sort=False)
            table = with_numbers(table, untyped, findings)
        rows, placed = _checks.checked_rows(table, options.zone, options.aliases, findings)
        if len(findings) and options.errors == "raise":
            raise findings.error(
                f"{len(findings)} of {len(rows)} announcements cannot be used as they stand",
                'Correct them, or pass errors="ledger" to keep them as excluded rows.',
            )
        metrics = options.metrics
        if metrics is not None:
            metrics = checked_metrics(metrics, rows, options.zone, options.aliases)
        return cls(rows, placed, metrics, options.aliases)

    def __len__(self) -> int:
        return len(self._frame)

    def __repr__(self) -> str:
        days = self._frame["announced_on"].dropna()
        span = f", {days.min():%Y-%m-%d}..{days.max():%Y-%m-%d}" if len(days) else ""
        unusable = int((self._frame["status"] != "ok").sum())
        note = f", {unusable} unusable" if unusable else ""
        return f"Announcements({len(self)} of {len(self.tickers)} tickers{span}{note})"

    @property
    def frame(self) -> pd.DataFrame:
        """Copy of the table, in input order, RangeIndex.

        ``event_id``, ``ticker``, ``kind``, ``announced_at`` (UTC; NaT for a bare date),
        ``announced_on`` (exchange-local date, tz-naive), ``precision``, ``session`` (the flag
        as given, or None), ``call_at`` (UTC), ``exchange``, those optional columns that the
        input had, ``status`` (``ok``, ``invalid``, ``duplicate``), ``detail``, covariates.
        """
        return self._frame.copy()

    @property
    def metrics(self) -> pd.DataFrame | None:
        """Copy of the metrics table with the ``event_id`` of each row, or None without one."""
        return None if self._metrics is None else self._metrics.copy()

    @property
    def tickers(self) -> list[str]:
        """Tickers in alphabetical order."""
        return sorted(set(map(str, self._frame["ticker"].unique())) - {""})

    @property
    def covariates(self) -> list[str]:
        """Names of the columns that the package gives no meaning of its own."""
        return [str(name) for name in self._frame.columns if name not in _checks.COLUMNS]

    def for_ticker(self, ticker: str) -> Announcements:
        """Announcements of one ticker (or of the ticker it is an alias of).

        Raises
        ------
        NotFoundError
            If it has none.
        """
        return self.select((self._frame["ticker"] == self._known_ticker(ticker)).to_numpy())

    def select(self, rows: Any) -> Announcements:
        """Part of the announcements, in input order.

        Parameters
        ----------
        rows : array-like of bool, shape (n,), or list of event_id
            Which to keep. Metrics go with their announcements.

        Returns
        -------
        Announcements

        Raises
        ------
        NotFoundError
            Unknown ``event_id``.
        ParameterError
            A mask of another length.
        """
        kept = self._mask(rows)
        frame = self._frame[kept].reset_index(drop=True)
        metrics = self._metrics
        if metrics is not None:
            metrics = metrics[metrics["event_id"].isin(frame["event_id"])].reset_index(drop=True)
        return Announcements(frame, self._placed[kept].reset_index(drop=True), metrics, self._aliases)

    def with_covariates(self, columns: pd.DataFrame) -> Announcements:
        """The announcements with further columns carried along.

        Parameters
        ----------
        columns : DataFrame of shape (n, any)
            One row an announcement, in the order of :attr:`frame`; its index is not used.

        Returns
        -------
        Announcements

        Raises
        ------
        ParameterError
            Another number of rows, or names that the table has or the package gives a meaning.
        """
        taken = [str(name) for name in columns if name in {*self._frame.columns, *_checks.KNOWN, *_checks.RESERVED}]
        if taken or len(columns) != len(self):
            raise ParameterError(
                f"names that are taken: {in_words(taken)}" if taken else f"{len(columns)} rows",
                parameter="columns",
                allowed=f"{len(self)} rows under new names",
            )
        frame = pd.concat([self._frame, columns.set_axis(self._frame.index, axis="index")], axis="columns")
        return Announcements(frame, self._placed, self._metrics, self._aliases)

    def find(self, ticker: str, date: str | dt.date, *, kind: str | None = None) -> pd.Series:
        """The announcement of a ticker on a date.

        Parameters
        ----------
        ticker : str
        date : str or date-like
            Its exchange-local date, or its day zero.
        kind : str, optional
            Which one, where several kinds fall on that date; default ``earnings``.

        Returns
        -------
        Series
            Row of :attr:`frame`, with ``timing`` and ``day_zero`` on its own exchange.

        Raises
        ------
        NotFoundError
            Unknown ticker or kind, or nothing usable on that date; the nearest dates are listed.
        ParameterError
            A malformed date, or several kinds of which none is ``earnings``.
        """
        name, day = self._known_ticker(ticker), _calendar_date(date)
        own = (self._frame["ticker"] == name) & (self._frame["status"] == "ok")
        if kind is not None:
            known = sorted(set(self._frame.loc[own, "kind"]))
            if kind not in known:
                raise NotFoundError(
                    f"{name} has no announcements of this kind",
                    parameter="kind",
                    value=kind,
                    allowed=in_words(known) or "no usable announcement",
                    remedy=nearest(str(kind), known) or None,
                )
            own &= self._frame["kind"] == kind
        on_date = self._frame["announced_on"] == day
        found = np.flatnonzero(own & (on_date | (self._placed["day_zero"] == day)))
        if not len(found):
            raise self._nothing_on(name, day, kind, own)
        kinds = self._frame["kind"].iloc[found].to_numpy()
        if kind is None and len(set(kinds)) > 1:
            if "earnings" not in kinds:
                raise ParameterError(
                    f"{name} has several announcements on {day:%Y-%m-%d}",
                    parameter="kind",
                    allowed=in_words(sorted(set(kinds))),
                    remedy="Say which kind is meant.",
                )
            found = found[kinds == "earnings"]
        # Of two of a kind, one has this date and the other this day zero: the date decides.
        best = max(found.tolist(), key=lambda row: bool(on_date.iloc[row]))
        row: pd.Series = self._frame.iloc[best].astype(object)
        for name in ("timing", "day_zero"):
            row[name] = self._placed[name].iloc[best]
        return row

    def timed(self, calendar: TradingCalendar | str | None = None, unknown_timing: str = "exclude") -> pd.DataFrame:
        """Timing and day zero of every announcement (METHODS 1.2 and 1.3).

        Parameters
        ----------
        calendar : TradingCalendar or str, optional
            One calendar for all; by default each row's own exchange.
        unknown_timing : {"exclude", "same-session", "next-session"}
            Day zero of a bare date without a flag: none, the first session on or after the
            date, or the first session after it.

        Returns
        -------
        DataFrame
            Indexed like :attr:`frame`: ``timing`` (``bmo``, ``dmh``, ``amc``, ``closed``,
            ``unknown``), ``day_zero`` (tz-naive session label; NaT where the timing is unknown
            and excluded, or the row's status is not ``ok``), ``assumed`` (True where day zero
            follows from ``unknown_timing``).

        Raises
        ------
        ParameterError
            Impossible ``unknown_timing`` or calendar code.
        CalendarRangeError
            Announcements outside the span of ``calendar``, by their place in :attr:`frame`.
        """
        if unknown_timing not in _checks.UNKNOWN_TIMING:
            raise ParameterError(
                "no policy for unknown timing",
                parameter="unknown_timing",
                value=unknown_timing,
                allowed=", ".join(_checks.UNKNOWN_TIMING),
                remedy=nearest(str(unknown_timing), _checks.UNKNOWN_TIMING) or None,
            )
        result = self._placed.copy()
        if calendar is not None:
            result = self._placed_on(result, self._frame["status"] == "ok", calendar, unknown_timing)
        elif unknown_timing != "exclude":
            # Rows of known timing stand as they were placed when the table was checked.
            undecided = (self._frame["status"] == "ok") & (result["timing"] == "unknown")
            result = self._placed_on(result, undecided, None, unknown_timing)
        unusable = self._frame["status"] != "ok"
        result.loc[unusable, "day_zero"] = pd.NaT
        result.loc[unusable, "assumed"] = False
        return result

    def _placed_on(
        self, result: pd.DataFrame, rows: pd.Series, calendar: TradingCalendar | str | None, unknown_timing: str
    ) -> pd.DataFrame:
        usable = self._frame[rows]
        groups = usable.groupby("exchange", sort=False) if calendar is None else [(calendar, usable)]
        for code, part in groups:
            one = code if isinstance(code, TradingCalendar) else TradingCalendar(str(code))
            result.loc[part.index] = _checks.place(part, one, unknown_timing)
        return result

    def _known_ticker(self, ticker: str) -> str:
        name = self._aliases.get(ticker, ticker)
        if name not in self.tickers:
            raise NotFoundError(
                "no announcements of this ticker",
                parameter="ticker",
                value=ticker,
                allowed=in_words(self.tickers),
                remedy=nearest(str(ticker), self.tickers) or None,
            )
        return name

    def _nothing_on(self, ticker: str, day: pd.Timestamp, kind: str | None, own: pd.Series) -> NotFoundError:
        dates = self._frame.loc[own, "announced_on"].drop_duplicates()
        close = dates.iloc[np.argsort((dates - day).abs().to_numpy(), kind="stable")[:_DATES_SHOWN]]
        listed = in_words(f"{date:%Y-%m-%d}" for date in close)
        left = len(dates) - len(close)
        return NotFoundError(
            f"{ticker} announced nothing{f' of kind {kind!r}' if kind else ''} on {day:%Y-%m-%d}",
            parameter="date",
            allowed=f"{listed}{f' (the nearest; {left} more)' if left else ''}" if listed else "no usable date",
            remedy="A day zero is accepted as well.",
        )

    def _mask(self, rows: Any) -> np.ndarray:
        if isinstance(rows, pd.Series) and pd.api.types.is_bool_dtype(rows.dtype):
            rows = rows.fillna(False).to_numpy(dtype=bool)  # comparisons may yield missing truth values
        given = np.asarray(rows)
        if given.dtype == bool:
            if given.shape != (len(self),):
                raise ParameterError(
                    "a mask of another length",
                    parameter="rows",
                    value=given.shape,
                    allowed=f"{len(self)} truth values",
                )
            return given
        wanted = [str(name) for name in given.reshape(-1)]
        known = set(self._frame["event_id"])
        unknown = [name for name in wanted if name not in known]
        if unknown:
            raise NotFoundError(
                f"no such announcements: {in_words(unknown)}",
                parameter="rows",
                remedy=nearest(unknown[0], sorted(known)) or None,
            )
        return self._frame["event_id"].isin(wanted).to_numpy()


class _Options:
    """Arguments shared by the two constructors, checked before any row is."""

    def __init__(
        self,
        timezone: str | dt.tzinfo | None,
        aliases: Mapping[str, str] | None,
        metrics: pd.DataFrame | None,
        errors: str,
        columns: Mapping[str, str] | None,
    ) -> None:
        if errors not in ("raise", "ledger"):
            raise ParameterError("no such treatment", parameter="errors", value=errors, allowed="raise, ledger")
        self.zone = _checks.zone_of(timezone)
        self.aliases = _checks.ticker_aliases(aliases)
        self.metrics, self.errors, self.columns = metrics, errors, dict(columns or {})


def _without_verdicts(frame: pd.DataFrame) -> pd.DataFrame:
    """The table without ``status`` and ``detail`` if it is an earlier Announcements' own frame."""
    own = isinstance(frame, pd.DataFrame) and {"status", "detail", "event_id"} <= set(frame.columns)
    if not own or not frame["status"].isin(["ok", "invalid", "duplicate"]).all():
        return frame
    return frame.drop(columns=["status", "detail"])


def _calendar_date(value: Any) -> pd.Timestamp:
    if not isinstance(value, str | dt.date | np.datetime64):  # a number would count nanoseconds from 1970
        raise _no_date(value)
    try:
        day = pd.Timestamp(dt.date.fromisoformat(value)) if isinstance(value, str) else pd.Timestamp(value)
    except (ValueError, TypeError) as error:
        raise _no_date(value) from error
    if day is pd.NaT or day.tz is not None or day != day.normalize():
        raise _no_date(value)
    return day.as_unit("ns")


def _no_date(value: Any) -> ParameterError:
    return ParameterError(
        "no calendar date",
        parameter="date",
        value=str(value),
        allowed="a date such as 2024-10-30, without a time",
    )
