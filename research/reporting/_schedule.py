"""The schedule of reruns: a TOML file, checked completely before anything runs.

Paths in it are relative to the file itself, so that a rerun does not depend on the folder
it is started in.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from research.errors import ParameterError, UsageError, in_words, nearest, unreadable
from research.reporting._parameters import NotebookInfo, check_parameters, check_slug, check_ticker, find_notebook

#: Notebook about one announcement; a watch runs it, and its reports are named after the announcement.
ANNOUNCEMENT = "announcement"
_FILES = "files:"
_REFRESH = ("preliminary", "changed")
_TOP = ("output", "title", "base_url", "source", "timeout", "notebook", "watch")
_NOTEBOOK = ("name", "slug", "parameters", "source", "timeout")
_WATCH = (
    "tickers",
    "tickers_file",
    "since_days",
    "ahead_days",
    "notebook",
    "parameters",
    "source",
    "timeout",
    "refresh",
)


@dataclass(frozen=True)
class Task:
    """One report to be made.

    Attributes
    ----------
    slug : str
    info : NotebookInfo
    parameters : dict
        Checked; all of them.
    timeout : float
        Seconds.
    keep_final : bool
        Whether a final report with the same parameters stays though other inputs changed.
    watched : bool
        Whether a watch found it. Nobody asked for this very report, so that an announcement that
        cannot be studied is told once and then remembered.
    """

    slug: str
    info: NotebookInfo
    parameters: dict[str, Any]
    timeout: float
    keep_final: bool = False
    watched: bool = False


@dataclass(frozen=True)
class NotebookJob:
    """One notebook with its parameters.

    Attributes
    ----------
    info : NotebookInfo
    parameters : dict
        Checked; all of them.
    slug : str or None
        Folder of the report, where the schedule names one.
    timeout : float
        Seconds.
    where : str
        Place in the schedule, for messages.
    """

    info: NotebookInfo
    parameters: dict[str, Any]
    slug: str | None
    timeout: float
    where: str


@dataclass(frozen=True)
class Watch:
    """Announcements of some companies, each to get a report when it comes.

    Attributes
    ----------
    info : NotebookInfo
    tickers : tuple of str or None
        None for every company of the source.
    source : str
    since_days, ahead_days : int
        How far back announcements get a report; how far ahead the index looks.
    parameters : dict
        Besides ticker, date and source.
    refresh : str
        ``preliminary``: a report is made anew only while its event window is incomplete;
        ``changed``: whenever its inputs changed.
    timeout : float
        Seconds a report.
    where : str
        Place in the schedule, for messages.
    """

    info: NotebookInfo
    tickers: tuple[str, ...] | None
    source: str
    since_days: int
    ahead_days: int
    parameters: dict[str, Any]
    refresh: str
    timeout: float
    where: str


@dataclass(frozen=True)
class Schedule:
    """What to rerun, and where the reports go."""

    output: Path
    title: str
    base_url: str
    jobs: tuple[NotebookJob, ...] = field(default=())
    watches: tuple[Watch, ...] = field(default=())


def read_schedule(path: str | Path) -> Schedule:
    """The schedule in a TOML file.

    Parameters
    ----------
    path : path
        Top level: ``output`` (default ``reports``), ``title``, ``base_url``, ``source``
        (default ``sample``), ``timeout`` (default 600); tables ``[[notebook]]`` with ``name``
        and optionally ``slug parameters source timeout``; tables ``[[watch]]`` with ``tickers``
        (a list, or ``"*"`` for every company of the source) or ``tickers_file`` (one a line,
        ``#`` begins a comment), and optionally ``since_days`` (default 7), ``ahead_days``
        (default 30), ``notebook parameters source timeout refresh``.

    Returns
    -------
    Schedule

    Raises
    ------
    UsageError
        If the file is unreadable or anything in it is unknown or impossible, notebooks and
        their parameters included; names are met with the nearest one.
    """
    path = Path(path)
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        problem = f"the schedule cannot be read ({unreadable(error)})"
        raise UsageError(problem, parameter="SCHEDULE", value=str(path)) from error
    except tomllib.TOMLDecodeError as error:
        raise UsageError(
            f"the schedule is not valid TOML: {error}",
            parameter="SCHEDULE",
            value=str(path),
            remedy='Texts stand in quotes, tickers too: tickers = ["ON", "NO"].',
        ) from error
    folder = path.resolve().parent
    _require_known("the schedule", content, _TOP)
    defaults = {
        "source": _text("source", content, "sample"),
        "timeout": _number("timeout", content, 600.0),
    }
    notebooks, watches = (_tables(content, name) for name in ("notebook", "watch"))
    if not notebooks and not watches:
        raise UsageError("the schedule has no jobs", parameter="SCHEDULE", allowed="[[notebook]] and [[watch]] tables")
    return Schedule(
        output=folder / Path(_text("output", content, "reports")).expanduser(),
        title=_text("title", content, "Earnings reports"),
        base_url=_text("base_url", content, ""),
        jobs=tuple(_notebook_job(table, where, defaults, folder) for where, table in notebooks),
        watches=tuple(_watch(table, where, defaults, folder) for where, table in watches),
    )


def _tables(content: Mapping[str, Any], name: str) -> list[tuple[str, dict[str, Any]]]:
    tables = content.get(name, [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise UsageError(f"write [[{name}]] with two brackets, once for each job", parameter=name)
    return [(f"{name} {position}", table) for position, table in enumerate(tables, start=1)]


def _notebook_job(table: Mapping[str, Any], where: str, defaults: Mapping[str, Any], folder: Path) -> NotebookJob:
    _require_known(where, table, _NOTEBOOK)
    info = _notebook(where, _text("name", table, None, where))
    given = _parameters(table, where)
    _source_parameter(info, given, table, where, defaults, folder)
    slug = _text("slug", table, "", where) or None
    if slug is not None:
        check_slug(slug)
    return NotebookJob(info, _checked(info, given, where), slug, _number("timeout", table, defaults["timeout"]), where)


def _watch(table: Mapping[str, Any], where: str, defaults: Mapping[str, Any], folder: Path) -> Watch:
    _require_known(where, table, _WATCH)
    info = _notebook(where, _text("notebook", table, ANNOUNCEMENT, where))
    declared = {parameter.name for parameter in info.parameters}
    missing = {"ticker", "event_date", "source"} - declared
    if missing:
        raise UsageError(
            f"{where}: a watch needs a notebook about one announcement; {info.name} has no {in_words(sorted(missing))}",
            parameter="notebook",
        )
    given = _parameters(table, where)
    own = sorted({"ticker", "event_date"} & set(given))
    if own:
        raise UsageError(f"{where}: a watch sets this itself", parameter=own[0], remedy="Leave it out.")
    source = _source_parameter(info, given, table, where, defaults, folder)
    refresh = _text("refresh", table, "preliminary", where)
    if refresh not in _REFRESH:
        raise UsageError(
            f"{where}: no such policy",
            parameter="refresh",
            value=refresh,
            allowed=in_words(_REFRESH),
            remedy=nearest(refresh, _REFRESH) or None,
        )
    _checked(info, given, where)
    return Watch(
        info=info,
        tickers=_tickers(table, where, folder),
        source=source,
        since_days=_days("since_days", table, 7, where),
        ahead_days=_days("ahead_days", table, 30, where),
        parameters=given,
        refresh=refresh,
        timeout=_number("timeout", table, defaults["timeout"], where),
        where=where,
    )


def _notebook(where: str, name: str) -> NotebookInfo:
    try:
        return find_notebook(name)
    except UsageError as error:
        raise UsageError(f"{where}: {error}") from error


def _checked(info: NotebookInfo, given: Mapping[str, Any], where: str) -> dict[str, Any]:
    try:
        return check_parameters(info, given)
    except ParameterError as error:
        raise ParameterError(f"{where}: {error}") from error
    except UsageError as error:
        raise UsageError(f"{where}: {error}") from error


def _parameters(table: Mapping[str, Any], where: str) -> dict[str, Any]:
    given = table.get("parameters", {})
    if not isinstance(given, dict):
        raise UsageError(f"{where}: parameters are a table of names and values", parameter="parameters", value=given)
    return dict(given)


def _source_parameter(
    info: NotebookInfo,
    given: dict[str, Any],
    table: Mapping[str, Any],
    where: str,
    defaults: Mapping[str, Any],
    folder: Path,
) -> str:
    """Source of a job, written into its parameters with its folder relative to the schedule."""
    if "source" in table and "source" in given:
        raise UsageError(f"{where}: the source is given twice", parameter="source")
    source = given.get("source", _text("source", table, defaults["source"], where))
    if isinstance(source, str) and source.startswith(_FILES):
        source = f"{_FILES}{folder / Path(source.removeprefix(_FILES)).expanduser()}"
    if any(parameter.name == "source" for parameter in info.parameters):
        given["source"] = source
    elif "source" in table:
        raise UsageError(f"{where}: the notebook {info.name} takes no source", parameter="source")
    return str(source)


def _tickers(table: Mapping[str, Any], where: str, folder: Path) -> tuple[str, ...] | None:
    if ("tickers" in table) == ("tickers_file" in table):
        raise UsageError(
            f"{where}: name the companies in one way",
            parameter="tickers",
            allowed='tickers = ["META", ...], tickers = "*" for every company of the source, or tickers_file = "FILE"',
        )
    if table.get("tickers") == "*":
        return None
    listed = table["tickers"] if "tickers" in table else _lines(folder / _text("tickers_file", table, None, where))
    if not isinstance(listed, list) or not listed:
        raise UsageError(f"{where}: this is no list of tickers", parameter="tickers", value=listed)
    for item in listed:
        if not isinstance(item, str):
            raise UsageError(
                f"{where}: a ticker is a text", parameter="tickers", value=item, remedy=f'Put it in quotes: "{item}".'
            )
        check_ticker(f"{where}, tickers", item)
    return tuple(dict.fromkeys(listed))


def _lines(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        problem = f"cannot be read ({unreadable(error)})"
        raise UsageError(problem, parameter="tickers_file", value=path.name) from error
    return [text for line in lines if (text := line.partition("#")[0].strip())]


def _require_known(where: str, table: Mapping[str, Any], known: Sequence[str]) -> None:
    for name in table:
        if name not in known:
            raise UsageError(
                f"{where} knows no such key",
                parameter=name,
                allowed=in_words(known),
                remedy=nearest(name, known) or None,
            )


def _text(name: str, table: Mapping[str, Any], default: str | None, where: str = "the schedule") -> str:
    value = table.get(name, default)
    if not isinstance(value, str) or (name in table and default != "" and not value.strip()):
        raise UsageError(f"{where}: a text is needed", parameter=name, value=value)
    return value


def _number(name: str, table: Mapping[str, Any], default: float, where: str = "the schedule") -> float:
    value = table.get(name, default)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < float("inf"):
        raise UsageError(f"{where}: a positive number is needed", parameter=name, value=value)
    return float(value)


def _days(name: str, table: Mapping[str, Any], default: int, where: str) -> int:
    value = table.get(name, default)
    if type(value) is not int or not 0 <= value <= 36500:
        raise UsageError(
            f"{where}: a whole number of days is needed", parameter=name, value=value, allowed="0 to 36500"
        )
    return value
