"""The errors of the package: one base class, each error keeping what it complains about.

A message always says what is wrong, where, what is allowed and what to do about it.
The offending objects travel with the exception, so that a caller can act on them
without parsing text.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

#: Offending rows printed in a message; all of them stay in ``InputError.rows``.
MAX_ROWS_SHOWN = 20


class ResearchError(Exception):
    """Base class of every error that this package raises on purpose.

    Parameters
    ----------
    problem : str
        What is wrong, in one sentence.
    parameter : str, optional
        Name of the argument, column or option concerned.
    value : object, optional
        The value that was given.
    allowed : str, optional
        What would have been accepted.
    remedy : str, optional
        What the reader can do now.

    Attributes
    ----------
    exit_code : int
        What the command line returns for it: 1 the work failed, 2 wrong usage.
    """

    exit_code = 1

    def __init__(
        self,
        problem: str,
        *,
        parameter: str | None = None,
        value: Any = None,
        allowed: str | None = None,
        remedy: str | None = None,
    ) -> None:
        self.problem = problem
        self.parameter = parameter
        self.value = value
        self.allowed = allowed
        self.remedy = remedy
        super().__init__(self._message())

    def _message(self) -> str:
        text = f"{self.parameter}: {self.problem}" if self.parameter else self.problem
        if self.value is not None:
            text += f" (got {_shown(self.value)})"
        if self.allowed:
            text += f"; allowed: {self.allowed}"
        if self.remedy:
            text += f" {self.remedy}" if text.endswith((".", "?", "!")) else f". {self.remedy}"
        return text


class ResearchWarning(UserWarning):
    """Something a reader of the result should know, though it could be computed."""


class UsageError(ResearchError, ValueError):
    """The command, a notebook or a schedule was asked for something that does not exist."""

    exit_code = 2


class ParameterError(UsageError):
    """An argument of a library function or a notebook has an impossible value."""


class NotFoundError(ResearchError, LookupError):
    """A ticker, announcement or series that the data do not contain."""


class ExcludedError(NotFoundError):
    """An announcement that the data contain and that a study left out; the message has the ledger's reason."""


class InputError(ResearchError, ValueError):
    """A table that cannot be used as it is; lists every offending row at once.

    Parameters
    ----------
    problem : str
        What is wrong with the table as a whole.
    rows : DataFrame, optional
        One line per offence with the columns ``row`` (label in the caller's
        table), ``column``, ``value`` and ``problem``.
    **context
        As in :class:`ResearchError`.

    Attributes
    ----------
    rows : DataFrame
        All offences, however many; the message prints the first twenty.
    """

    def __init__(self, problem: str, *, rows: pd.DataFrame | None = None, **context: Any) -> None:
        self.rows = offences([]) if rows is None else rows
        super().__init__(problem, **context)

    def _message(self) -> str:
        text = super()._message()
        lines = [
            f"  row {row!s}, {column}: {problem}" + ("" if value is None else f" (got {_shown(value)})")
            for row, column, value, problem in self.rows.head(MAX_ROWS_SHOWN).itertuples(index=False)
        ]
        hidden = len(self.rows) - len(lines)
        if hidden > 0:
            lines.append(f"  ... and {hidden} more (all of them in the error's .rows)")
        return "\n".join([text, *lines])


class CalendarRangeError(InputError):
    """Instants or dates that lie before or after the sessions the calendar covers."""


class SourceError(ResearchError):
    """A data source could not deliver what was asked of it."""


class ReportError(ResearchError):
    """A notebook failed, or ended without its completion record; nothing was published."""


def _shown(value: Any) -> str:
    """A value as a reader would write it: times in ISO 8601, numbers without their type."""
    if isinstance(value, np.datetime64):
        value = pd.Timestamp(value)
    if isinstance(value, pd.Timestamp) and value is not pd.NaT:
        bare = value.tz is None and value == value.normalize()
        return f"{value:%Y-%m-%d}" if bare else value.isoformat()
    return repr(value.item() if isinstance(value, np.generic) else value)


def offences(items: Iterable[tuple[Any, str, Any, str]]) -> pd.DataFrame:
    """Table of offences ``(row, column, value, problem)`` for :class:`InputError`."""
    return pd.DataFrame(list(items), columns=["row", "column", "value", "problem"], dtype=object)


def nearest(name: str, candidates: Sequence[str]) -> str:
    """Sentence that suggests the candidate closest to ``name``; empty when none is close."""
    folded = {candidate.casefold(): candidate for candidate in candidates}
    found = difflib.get_close_matches(str(name).casefold(), list(folded), n=1, cutoff=0.6)
    return f"Did you mean {folded[found[0]]!r}?" if found else ""


def unreadable(error: OSError | UnicodeDecodeError) -> str:
    """Why a file cannot be read as text, in the system's words or, where those end, ours."""
    return "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else error.strerror or str(error)


def in_words(names: Iterable[Any], limit: int = 30) -> str:
    """Comma-separated list for a message, cut after ``limit`` with the number left out."""
    listed = [str(name) for name in names]
    text = ", ".join(listed[:limit])
    return text if len(listed) <= limit else f"{text} ... ({len(listed) - limit} more)"


def is_whole(value: object) -> bool:
    """Whether a value is an integer, which True and False are not."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def whole_number(parameter: str, value: object, least: int) -> int:
    """An integer of at least ``least``; a ParameterError for anything else."""
    if not is_whole(value) or value < least:  # type: ignore[operator]
        raise ParameterError(
            "not such a number", parameter=parameter, value=value, allowed=f"an integer of at least {least}"
        )
    return int(value)  # type: ignore[call-overload, no-any-return]
