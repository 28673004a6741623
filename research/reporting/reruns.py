"""Scheduled reruns: what changed is made anew, in parallel, and the site says how it stands.

A rerun holds the lock of its folder of reports, removes what a killed one left, decides by
input hash what is to be done, makes those reports side by side, and writes the index and
the feed. Each report is published whole or not at all, so that a rerun may be killed at any
moment and simply be started again.
"""

from __future__ import annotations

import datetime as dt
import functools
import hashlib
import json
import os
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from research.errors import ReportError, ResearchError, UsageError
from research.reporting import _changes, _provenance, _watch, notebooks, site
from research.reporting._execution import private_paths, without_paths
from research.reporting._lock import rerun_lock
from research.reporting._parameters import FAILED
from research.reporting._publishing import sweep
from research.reporting._schedule import ANNOUNCEMENT, NotebookJob, Schedule, Task, Watch, read_schedule
from research.reporting._workers import Ended, run_side_by_side

if TYPE_CHECKING:
    from research.events.announcements import Announcements

__all__ = [
    "OUTCOMES",
    "NotebookJob",
    "Outcome",
    "Rerun",
    "Schedule",
    "Watch",
    "default_workers",
    "read_schedule",
    "rerun",
]

_FILES = ("report.html", "notebook.ipynb", "results.json", "manifest.json")
_SNAPSHOT = "snapshot:"
#: What can become of a report, in the order in which it is counted.
OUTCOMES = ("published", "unchanged", "kept", "failed", "excluded")
Tell = Callable[[str], None]
Advance = Callable[[int, int], None]


@dataclass(frozen=True)
class Outcome:
    """What became of one report.

    Attributes
    ----------
    slug : str
    outcome : str
        ``published``; ``unchanged``: same inputs as before; ``kept``: final, and left alone
        though other data came; ``failed``; ``excluded``: a watched announcement that cannot be
        studied, for the reason for which an earlier run failed.
    report : str or None
        Path of ``report.html``, of an earlier version after a failure; None without one.
    status : str or None
        ``final`` or ``preliminary``, of the report that is there.
    message : str
        Why it failed, or cannot be studied.
    """

    slug: str
    outcome: str
    report: str | None
    status: str | None
    message: str = ""


@dataclass(frozen=True)
class Rerun:
    """What a rerun did.

    Attributes
    ----------
    outcomes : tuple of Outcome
        One a report, in the order of the schedule.
    problems : tuple of str
        What went wrong outside a single report, such as a source that cannot be opened.
    index : str
        Path of the site's index.
    """

    outcomes: tuple[Outcome, ...]
    problems: tuple[str, ...]
    index: str

    @property
    def exit_code(self) -> int:
        """0 all well, 1 something failed; what is known to be impossible to study is no failure."""
        return int(bool(self.problems) or any(one.outcome == "failed" for one in self.outcomes))

    def count(self, outcome: str) -> int:
        """Number of reports with this outcome."""
        return sum(one.outcome == outcome for one in self.outcomes)

    def as_dict(self) -> dict[str, Any]:
        """Everything in plain types, for machines."""
        return {
            "exit_code": self.exit_code,
            "counts": {kind: self.count(kind) for kind in OUTCOMES},
            "reports": [asdict(one) for one in self.outcomes],
            "problems": list(self.problems),
            "index": self.index,
        }


def default_workers() -> int:
    """One process for each processor that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def rerun(
    schedule: Schedule | str | Path,
    today: dt.date,
    *,
    workers: int | None = None,
    force: bool = False,
    tell: Tell | None = None,
    advance: Advance | None = None,
) -> Rerun:
    """Bring the reports of a schedule up to date.

    Parameters
    ----------
    schedule : Schedule or path
    today : date
        The day of the run. It decides which announcements are due and how old a report is,
        and never enters a report.
    workers : int, optional
        Reports made at the same time; default one for each processor.
    force : bool, default False
        Make reports anew although their inputs are the same.
    tell : callable, optional
        Called with a line for every report that was published or failed.
    advance : callable, optional
        Called with the number of reports done and the number to do.

    Returns
    -------
    Rerun

    Raises
    ------
    UsageError
        If the schedule or an argument is impossible; nothing ran.
    ReportError
        If another rerun is at work on the same folder, or it cannot be written to.

    Notes
    -----
    Reports are made in processes of their own; a script of yours calls this under
    ``if __name__ == "__main__":``, as always with :mod:`multiprocessing`.
    """
    if not isinstance(schedule, Schedule):
        schedule = read_schedule(schedule)
    workers = default_workers() if workers is None else workers
    if type(workers) is not int or not 1 <= workers <= 256:
        raise UsageError("impossible number of processes", parameter="workers", value=workers, allowed="1 to 256")
    output = Path(os.path.abspath(schedule.output))
    with rerun_lock(output):
        sweep(output)
        plan = _Plan(output, force)
        plan.add_all(schedule, today)
        _make(plan, workers, tell or (lambda line: None), advance or (lambda done, total: None))
        index = output / site.INDEX
        try:
            site.build(
                output,
                today,
                title=schedule.title,
                base_url=schedule.base_url,
                coming=plan.coming,
                problems=[without_paths(problem, private_paths(output)) for problem in plan.problems],
                failures={one.slug for one in plan.outcomes.values() if one.outcome == "failed"},
            )
        except ReportError as error:
            plan.problems.append(f"the index is the old one: {error}")
    return Rerun(tuple(plan.outcomes.values()), tuple(plan.problems), str(index))


class _Plan:
    """Reports of a schedule, sorted into those to make and those that stand as they are."""

    def __init__(self, output: Path, force: bool) -> None:
        self.output, self.force = output, force
        self.outcomes: dict[str, Outcome] = {}
        self.manifests: dict[str, dict[str, Any]] = {}
        self.tasks: dict[str, Task] = {}
        self.coming: list[dict[str, Any]] = []
        self.problems: list[str] = []
        self.remembered: dict[str, str] = {}
        self._fingerprints: dict[str | None, Any] = {}
        self._pins: dict[str, str] = {}

    def add_all(self, schedule: Schedule, today: dt.date) -> None:
        """Everything that the schedule asks for on this day; explicit jobs come before watches."""
        news = functools.cache(_news)  # each source is read once, however many jobs it has
        for job in schedule.jobs:
            try:
                self._add(self._pinned(_task(job, news)), job.where)
            except ResearchError as error:
                self.problems.append(f"{job.where}: {_one_line(error)}")
        for watch in schedule.watches:
            try:
                found = _watch.look(replace(watch, source=self._pin(watch.source)), today, self.output)
                for task in found.tasks:
                    if task.slug not in self.outcomes:
                        self._add(self._pinned(task), watch.where)
            except ResearchError as error:
                self.problems.append(f"{watch.where}: {_one_line(error)}")
                continue
            self.coming += found.coming
            self.problems += found.problems

    def _add(self, task: Task, where: str) -> None:
        if task.slug in self.outcomes:
            if self.tasks.get(task.slug, task).parameters != task.parameters:
                self.problems.append(f"{where}: another job has a report of the same name, {task.slug}")
            return
        manifest = _provenance.manifest(task.info, task.parameters, self._fingerprint(task.parameters.get("source")))
        self.manifests[task.slug], self.tasks[task.slug] = manifest, task
        standing = _standing(self.output, task.slug)
        outcome = self._decision(task, manifest)
        message = self.remembered[task.slug] if outcome == "excluded" else ""
        self.outcomes[task.slug] = replace(standing, outcome=outcome, message=message)

    def _pin(self, source: str) -> str:
        """``source`` as it stands now, for all reports of this run: fetched data by the name of their snapshot."""
        from research.sources.protocol import pinned

        if source not in self._pins:
            self._pins[source] = pinned(source)
        return self._pins[source]

    def _pinned(self, task: Task) -> Task:
        source = task.parameters.get("source")
        return task if source is None else replace(task, parameters={**task.parameters, "source": self._pin(source)})

    def _fingerprint(self, source: str | None) -> Any:
        """Fingerprint of a source, taken once a rerun."""
        if source not in self._fingerprints:
            self._fingerprints[source] = _provenance.source_fingerprint(source)
        return self._fingerprints[source]

    def _decision(self, task: Task, manifest: dict[str, Any]) -> str:
        target = self.output / task.slug
        there = _changes.read_json(target / "manifest.json")
        whole = isinstance(there, dict) and all((target / name).is_file() for name in _FILES)
        failed = target.with_name(task.slug + FAILED)
        known = _exclusion(failed) if task.watched else None
        if known is not None:
            self.remembered[task.slug] = str(known["reason"])
            if not self.force and known.get("input_hash") == manifest["input_hash"]:
                return "excluded"
        if self.force or not whole or failed.exists():
            return "due"
        if there.get("input_hash") == manifest["input_hash"]:
            return "unchanged"
        same = there.get("notebook") == manifest["notebook"] and _lasting(there) == _lasting(manifest)
        return "kept" if task.keep_final and same and there.get("status") == "final" else "due"


def _make(plan: _Plan, workers: int, tell: Tell, advance: Advance) -> None:
    """Make the reports that are due."""
    due = [plan.tasks[slug] for slug, one in plan.outcomes.items() if one.outcome == "due"]
    if not due:
        return
    advance(0, len(due))
    done = 0

    def ended(end: Ended) -> None:
        nonlocal done
        done += 1
        slug, message = end.task.slug, end.failure or ""
        failed = (plan.output / slug).with_name(slug + FAILED)
        if end.log is not None:  # its process could not keep a log by itself
            kept = notebooks.keep_failure(failed, plan.manifests[slug], message, f"{message}\n\n{end.log}\n", None)
            message = f"{message}. {kept}"
        outcome = "failed" if end.failure is not None else "published"
        if outcome == "failed" and slug in plan.remembered:  # other inputs, but is it the same reason?
            found = _exclusion(failed)
            if found is not None and found["reason"] == plan.remembered[slug]:
                outcome, message = "excluded", plan.remembered[slug]
        plan.outcomes[slug] = replace(_standing(plan.output, slug), outcome=outcome, message=message)
        tell(f"{slug}: {outcome}" + (f": {message}" if message else ""))
        advance(done, len(due))

    try:
        run_side_by_side(due, plan.output, workers, ended)
    except OSError as error:  # no process, no temporary folder
        reason = f"the rerun stopped early ({error.strerror or error})"
        plan.problems.append(reason)
        for slug in [slug for slug, one in plan.outcomes.items() if one.outcome == "due"]:
            plan.outcomes[slug] = replace(plan.outcomes[slug], outcome="failed", message=reason)


def _exclusion(failed: Path) -> dict[str, Any] | None:
    """Record of a failed attempt whose announcement the study left out; None for any other."""
    record = _changes.read_json(failed / "failed.json")
    excluded = isinstance(record, dict) and record.get("excluded") is True and isinstance(record.get("reason"), str)
    return record if excluded else None


def _lasting(manifest: dict[str, Any]) -> dict[str, Any]:
    """Parameters of a report, where a later snapshot of the same fetched data counts as the same source."""
    given = dict(manifest.get("parameters") or {})
    if str(given.get("source", "")).startswith(_SNAPSHOT):
        given["source"] = _SNAPSHOT
    return given


def _standing(output: Path, slug: str) -> Outcome:
    """The report as it stands in its folder."""
    page = output / slug / "report.html"
    manifest = _changes.read_json(output / slug / "manifest.json")
    status = manifest.get("status") if isinstance(manifest, dict) else None
    return Outcome(slug, "due", str(page) if page.is_file() else None, status)


def _news(source: str) -> Announcements:
    """Every announcement that a source knows."""
    from research.sources.protocol import open_source

    return open_source(source).news()


def _task(job: NotebookJob, news: Callable[[str], Announcements] = _news) -> Task:
    """The report of an explicit job, under a name that does not change from run to run."""
    values = job.parameters
    if job.slug is not None:
        return Task(job.slug, job.info, values, job.timeout)
    if job.info.name == ANNOUNCEMENT:
        event = news(values["source"]).find(values["ticker"], values["event_date"], kind=values.get("kind") or None)
        values = {**values, "event_date": f"{event['announced_on']:%Y-%m-%d}"}
        slug = notebooks.announcement_slug(event["ticker"], values["event_date"], event["kind"])
        return Task(slug, job.info, values, job.timeout)
    named = {**values, "source": _provenance.portable_source(values["source"])} if "source" in values else values
    digest = hashlib.sha256(json.dumps(named, sort_keys=True).encode()).hexdigest()[:10]
    stem = re.sub("[^a-z0-9]+", "-", job.info.name.lower()).strip("-") or "notebook"
    return Task(f"{stem}-{digest}", job.info, values, job.timeout)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
