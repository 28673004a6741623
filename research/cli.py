"""The command ``earnings-study``: thin, and slow imports wait until they are needed.

stdout carries the path of each report and nothing else; progress and messages go to
stderr, one line each. Exit codes: 0 all well, 1 the work failed, 2 wrong usage, 130
interrupted.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import traceback
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
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
    report.add_argument("--source", default="sample", help="sample (default), yahoo, snapshot:ID or files:DIR")
    _add_run_options(report)

    run = commands.add_parser("run", help="run any notebook")
    run.add_argument("notebook", metavar="NOTEBOOK", help="its name, as `notebooks` lists it")
    _add_run_options(run)

    rerun = commands.add_parser("rerun", help="bring the reports of a schedule up to date")
    rerun.add_argument("schedule", metavar="SCHEDULE.toml", help="jobs, as docs/scheduling.md describes them")
    rerun.add_argument("--workers", type=int, metavar="N", help="reports at a time (default: one a processor)")
    rerun.add_argument("--force", action="store_true", help="make reports anew although their inputs are the same")
    rerun.add_argument("--json", action="store_true", help="write one JSON document to stdout instead of paths")
    rerun.add_argument("--today", metavar="DATE", help="day of the run, as YYYY-MM-DD (default: today)")
    rerun.add_argument("--debug", action="store_true", help="show tracebacks")

    notebooks = commands.add_parser("notebooks", help="list the notebooks, their parameters and defaults")
    notebooks.add_argument("--debug", action="store_true", help="show tracebacks")
    validate = commands.add_parser(
        "validate", help="simulate size and power of the tests; fails if a size that must hold 5%% does not"
    )
    validate.add_argument("--full", action="store_true", help="3,000 replications a design instead of 250")
    validate.add_argument("--json", action="store_true", help="write one JSON document to stdout instead of a table")
    validate.add_argument("--debug", action="store_true", help="show tracebacks")
    _add_data_commands(commands)
    return parser


def _add_data_commands(commands: Any) -> None:
    fetch = commands.add_parser(
        "fetch", help="fetch companies into snapshots; interrupted, it goes on where it stopped"
    )
    fetch.add_argument("tickers", nargs="*", metavar="TICKER", help="companies (none for --source french)")
    fetch.add_argument(
        "--source", action="append", metavar="NAME", help="yahoo (default), edgar or french; repeatable, or with commas"
    )
    fetch.add_argument("--start", default="2000-01-01", metavar="DATE", help="first date (default: 2000-01-01)")
    fetch.add_argument("--market", default="SPY", metavar="TICKER", help="fetched along (default: SPY; '' for none)")
    fetch.add_argument("--force", action="store_true", help="fetch also what is up to date")
    fetch.add_argument("--budget", type=float, default=3600, metavar="SECONDS", help="for everything (default: 3600)")
    fetch.add_argument("--json", action="store_true", help="write one JSON document to stdout instead of the snapshot")

    snapshots = commands.add_parser("snapshots", help="what has been fetched: list, show, verify, diff, prune")
    actions = snapshots.add_subparsers(dest="action", metavar="ACTION", required=True)
    show = [actions.add_parser("list", help="list the snapshots")]
    show.append(actions.add_parser("show", help="list what one holds"))
    show[-1].add_argument("snapshot", metavar="ID", help="its name, of which the beginning will do")
    show.append(actions.add_parser("verify", help="compare every file with its hash"))
    show[-1].add_argument("snapshot", nargs="?", metavar="ID", help="only this one (default: everything)")
    show.append(actions.add_parser("diff", help="what the vendor changed"))
    show[-1].add_argument(
        "snapshot", metavar="ID|TICKER", help="an earlier snapshot, or a ticker: its two latest vintages"
    )
    show[-1].add_argument("second", nargs="?", metavar="ID", help="a later one (default: the latest state)")
    show.append(actions.add_parser("prune", help="remove old snapshots, and what only they need"))
    show[-1].add_argument("--keep", type=int, required=True, metavar="N", help="how many of the latest to keep")

    template = commands.add_parser("template", help="write a filled-in folder for one's own data")
    template.add_argument("directory", metavar="DIR", help="a new folder")
    upcoming = commands.add_parser("upcoming", help="next announcements: expected date and figures, earlier reactions")
    upcoming.add_argument("tickers", nargs="+", metavar="TICKER", help="companies that were fetched")
    for parser in (*show, upcoming):
        parser.add_argument("--json", action="store_true", help="write one JSON document to stdout instead of lines")
    for parser in (fetch, *show, template, upcoming):
        parser.add_argument("--debug", action="store_true", help="show tracebacks")


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
        with _warnings_in_one_line(options.debug):
            return _COMMANDS[options.command](options)
    except KeyboardInterrupt:
        rerunning = options.command == "rerun"
        _tell("interrupted; " + ("what was published stays" if rerunning else "nothing was published"))
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


@contextmanager
def _warnings_in_one_line(debug: bool) -> Iterator[None]:
    """Tell each warning once, without the place in the program; with ``debug`` as Python does."""
    told: set[str] = set()

    def show(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
        text = " ".join(str(message).split())
        if text not in told:
            told.add(text)
            _tell(f"warning: {text}")

    with warnings.catch_warnings():
        if not debug:
            warnings.showwarning = show
        yield


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
    from research.sources.protocol import open_source, pinned

    notebooks.check_ticker("TICKER", options.ticker)
    notebooks.check_date("DATE", options.date)
    source = pinned(options.source)  # so that the report names its snapshot
    given = _given(options, ticker=options.ticker, event_date=options.date, source=source)
    info = notebooks.find_notebook(_ANNOUNCEMENT)
    notebooks.check_parameters(info, given)
    event = open_source(source).news().find(options.ticker, options.date, kind=given.get("kind") or None)
    announced_on = f"{event['announced_on']:%Y-%m-%d}"
    if announced_on != options.date:
        _tell(f"{options.date} is the day zero of the announcement of {announced_on}")
        given["event_date"] = announced_on
    slug = notebooks.announcement_slug(event["ticker"], announced_on, event["kind"])
    return _run_and_print(notebooks.run_notebook(info, given, options.output, slug=slug, progress=_tell))


def _run(options: argparse.Namespace) -> int:
    from research.reporting import notebooks

    info = notebooks.find_notebook(options.notebook)
    given = _given(options)
    if "source" in given:
        from research.sources.protocol import pinned

        given["source"] = pinned(given["source"])
    return _run_and_print(notebooks.run_notebook(info, given, options.output, progress=_tell))


def _run_and_print(path: Path) -> int:
    print(path, flush=True)
    return 0


def _rerun(options: argparse.Namespace) -> int:
    import datetime

    from research.reporting import notebooks, reruns

    if options.today is not None:
        notebooks.check_date("--today", options.today)
    day = datetime.date.fromisoformat(options.today) if options.today else datetime.date.today()
    schedule = reruns.read_schedule(options.schedule)
    with _Progress() as progress:
        done = reruns.rerun(
            schedule,
            day,
            workers=options.workers,
            force=options.force,
            tell=progress.tell,
            advance=progress.advance,
        )
    for line in done.problems:
        _tell(line)
    counts = ", ".join(f"{done.count(kind)} {kind}" for kind in reruns.OUTCOMES)
    _tell(f"{counts}; index {done.index}")
    if options.json:
        print(json.dumps(done.as_dict(), indent=2, ensure_ascii=False), flush=True)
    else:
        for one in done.outcomes:
            if one.outcome == "published":
                print(one.report, flush=True)
    return done.exit_code


def _validate(options: argparse.Namespace) -> int:
    from research.analysis.simulation import FULL, QUICK, validate

    with _Progress("replication") as progress:
        outcome = validate(FULL if options.full else QUICK, progress=progress.advance)
    if options.json:
        print(json.dumps(outcome.as_dict(), indent=2, ensure_ascii=False), flush=True)
    else:
        for line in outcome.lines():
            print(line)
    _tell(outcome.sentence())
    return 0 if outcome.passed else 1


class _Progress:
    """A bar on a terminal; elsewhere, as in a log, a line for each report."""

    def __init__(self, unit: str = "report") -> None:
        self._unit = unit
        self._bar: Any = None

    def __enter__(self) -> _Progress:
        return self

    def __exit__(self, *details: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def advance(self, done: int, total: int) -> None:
        if self._bar is None and total and sys.stderr.isatty():
            from tqdm import tqdm

            self._bar = tqdm(total=total, unit=self._unit, file=sys.stderr, leave=False)
        if self._bar is not None:
            self._bar.update(done - self._bar.n)

    def tell(self, line: str) -> None:
        if self._bar is not None:
            self._bar.clear()
        _tell(line)
        if self._bar is not None:
            self._bar.refresh()


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


def _fetch(options: argparse.Namespace) -> int:
    from research.sources import fetching, listing
    from research.sources._progress import FetchProgress

    sources = [name.strip() for item in options.source or ["yahoo"] for name in item.split(",")]
    with FetchProgress(_tell) as progress:
        try:
            outcome = fetching.fetch(
                options.tickers,
                sources,
                start=options.start,
                market=options.market or None,
                force=options.force,
                budget=options.budget,
                tell=progress.tell,
                step=progress.step,
            )
        except KeyboardInterrupt:
            _tell("interrupted; what has landed is kept, the same command goes on from there")
            return 130
    for line in listing.outcome_lines(outcome):
        _tell(line)
    if options.json:
        print(listing.outcome_json(outcome), flush=True)
    elif outcome.snapshot is not None:
        print(outcome.snapshot.id, flush=True)
    return 0 if outcome.complete else 1


def _snapshots(options: argparse.Namespace) -> int:
    from research.sources import listing
    from research.sources.snapshots import SnapshotStore

    store = SnapshotStore()
    if options.action == "verify":
        damage = store.verify(options.snapshot)
        _print(damage.to_dict("records") if options.json else listing.damage_lines(damage), options.json)
        _tell(f"{len(damage)} damaged" if len(damage) else "all files match their hashes")
        return 1 if len(damage) else 0
    if options.action == "prune":
        removed = store.prune(options.keep)
        _print(removed, options.json)
        _tell(f"{len(removed)} removed")
        return 0
    if options.action == "list":
        found = listing.snapshot_rows(store) if options.json else listing.snapshot_lines(store)
        damaged = store.damaged_records()
        _print(found, options.json)
        for problem in damaged:
            _tell(f"damaged: {problem}")
        if not found and not damaged:
            _tell("no snapshots yet; earnings-study fetch TICKER ... makes the first")
        return 1 if damaged else 0
    elif options.action == "show":
        show = listing.member_rows if options.json else listing.show_lines
        _print(show(store, options.snapshot), options.json)
    else:
        compare = listing.difference_rows if options.json else listing.difference_lines
        _print(compare(store, options.snapshot, options.second), options.json)
    return 0


def _print(content: Iterable[Any], as_json: bool) -> None:
    """Lines of text, or rows as one JSON document."""
    if as_json:
        print(json.dumps(list(content), indent=2, ensure_ascii=False), flush=True)
        return
    for line in content:
        print(line)


def _template(options: argparse.Namespace) -> int:
    from research.sources import template

    folder = template.write_template(options.directory)
    print(folder, flush=True)
    command = f"earnings-study report {template.TICKER} {template.EVENT_DATE} --source files:{options.directory}"
    _tell(f"edit the files, or try it as it is: {command}")
    return 0


def _upcoming(options: argparse.Namespace) -> int:
    import pandas as pd

    from research.sources import upcoming
    from research.sources.replay import open_snapshot

    tickers = [ticker.upper() for ticker in options.tickers]
    table = upcoming.upcoming(open_snapshot(None), tickers, pd.Timestamp.now(tz="UTC"))
    _print(upcoming.rows(table) if options.json else upcoming.lines(table), options.json)
    return 0


_COMMANDS = {
    "report": _report,
    "run": _run,
    "rerun": _rerun,
    "notebooks": _notebooks,
    "fetch": _fetch,
    "snapshots": _snapshots,
    "template": _template,
    "upcoming": _upcoming,
    "validate": _validate,
}
