"""The command ``earnings-study``: thin, and slow imports wait until they are needed.

stdout carries the path of each report and nothing else; progress and messages go to
stderr, one line each. Exit codes: 0 all well, 1 the work failed, 2 wrong usage, 130
interrupted.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn

from research import __version__

_PROGRAM = "earnings-study"
_ANNOUNCEMENT = "announcement"


class _Parser(argparse.ArgumentParser):
    """A parser whose complaints take one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{_PROGRAM}: {message} (see {self.prog} --help)\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog=_PROGRAM, description="Event studies of earnings announcements, as reports.")
    parser.add_argument("--version", action="version", version=f"{_PROGRAM} {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)

    report = commands.add_parser("report", help="report on one announcement")
    report.add_argument("ticker", metavar="TICKER", help="ticker of the company, such as META")
    report.add_argument("date", metavar="DATE", help="day of the announcement or its day zero, as YYYY-MM-DD")
    report.add_argument("--source", default="sample", help="sample (default) or files:DIR")
    _add_run_options(report)

    run = commands.add_parser("run", help="run any notebook")
    run.add_argument("notebook", metavar="NOTEBOOK", help="its name, as `notebooks` lists it")
    _add_run_options(run)

    notebooks = commands.add_parser("notebooks", help="list the notebooks, their parameters and defaults")
    notebooks.add_argument("--debug", action="store_true", help="show tracebacks")
    return parser


def _add_run_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--parameter",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="set a parameter of the notebook; repeatable",
    )
    parser.add_argument("--output", default="reports", metavar="DIR", help="folder of the reports (default: reports)")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments; those of the process by default.

    Returns
    -------
    int
        The exit code.
    """
    options = _parser().parse_args(argv)
    if argv is None and not options.debug:
        sys.excepthook = _in_one_line
    logging.getLogger("papermill").addHandler(logging.NullHandler())  # its findings reach us as errors
    try:
        return _COMMANDS[options.command](options)
    except KeyboardInterrupt:
        _tell("interrupted; nothing was published")
        return 130
    except BrokenPipeError:  # the reader of our stdout has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except _research_error() as error:
        if options.debug:
            traceback.print_exc()
        _tell(str(error))
        return int(error.exit_code)


def _research_error() -> Any:
    from research.errors import ResearchError

    return ResearchError


def _in_one_line(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Report what nobody foresaw without a traceback."""
    text = " ".join(str(error).split())
    _tell(f"unexpected {kind.__name__}: {text} (a fault of the program; --debug shows where)")


def _tell(line: str) -> None:
    print(f"{_PROGRAM}: {line}", file=sys.stderr, flush=True)


def _given(options: argparse.Namespace, **own: str) -> dict[str, str]:
    """Parameters of the command line; ``own`` are those that have an argument to themselves."""
    from research.errors import UsageError

    given = dict(own)
    for item in options.parameter:
        name, equals, value = item.partition("=")
        if not equals or not name.strip():
            raise UsageError("malformed option", parameter="--parameter", value=item, allowed="NAME=VALUE")
        if name.strip() in given:
            raise UsageError("this parameter is given twice", parameter="--parameter", value=item)
        given[name.strip()] = value
    return given


def _report(options: argparse.Namespace) -> int:
    from research.reporting import notebooks
    from research.sources.protocol import open_source

    notebooks.check_ticker("TICKER", options.ticker)
    notebooks.check_date("DATE", options.date)
    given = _given(options, ticker=options.ticker, event_date=options.date, source=options.source)
    info = notebooks.find_notebook(_ANNOUNCEMENT)
    notebooks.check_parameters(info, given)
    event = open_source(options.source).announcements().find(options.ticker, options.date)
    announced_on = f"{event['announced_on']:%Y-%m-%d}"
    if announced_on != options.date:
        _tell(f"{options.date} is the day zero of the announcement of {announced_on}")
        given["event_date"] = announced_on
    slug = notebooks.announcement_slug(options.ticker, announced_on)
    return _run_and_print(notebooks.run_notebook(info, given, options.output, slug=slug, progress=_tell))


def _run(options: argparse.Namespace) -> int:
    from research.reporting import notebooks

    info = notebooks.find_notebook(options.notebook)
    return _run_and_print(notebooks.run_notebook(info, _given(options), options.output, progress=_tell))


def _run_and_print(path: Path) -> int:
    print(path, flush=True)
    return 0


def _notebooks(options: argparse.Namespace) -> int:
    from research.errors import UsageError
    from research.reporting import notebooks

    for name in notebooks.notebook_names():
        try:
            info = notebooks.find_notebook(name)
        except UsageError as error:  # one unfinished notebook does not hide the others
            _tell(str(error))
            continue
        print(f"{info.name}: {info.title}")
        for parameter in info.parameters:
            line = f"  {parameter.name}: {parameter.type} = {parameter.default!r}"
            print(f"{line}  # {parameter.help}" if parameter.help else line)
    return 0


_COMMANDS = {"report": _report, "run": _run, "notebooks": _notebooks}
