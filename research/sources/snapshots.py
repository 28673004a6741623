"""Everything that was ever fetched: immutable, hashed, kept side by side.

::

    data/snapshots/
        yahoo/META/20261122T065311123456Z-1a2b3c4d5e6f/    a vintage: one company, one fetch
            manifest.json  prices.parquet  actions.parquet ...
        edgar/META/...  french/daily/...
        sets/9f8e7d6c5b4a.json                             a snapshot: which vintages belong together

A vintage is written into a temporary folder, flushed to the disk and renamed: whoever is
killed, and whenever, leaves the old state or the new one. Nothing is written twice and
nothing is changed, so that no lock is needed: two processes that fetch one company leave
two vintages, of which the later counts. The name of a snapshot is the hash of what it holds.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import shutil
import time
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from research.errors import NotFoundError, SourceError, UsageError, in_words
from research.market._checks import TICKER
from research.resources import resource_root
from research.sources._vintages import (
    ACCUMULATING,
    MANIFEST,
    ROOT,
    STAMP,
    Vintage,
    accumulate,
    canonical,
    digest_of,
    flush_folder,
    names_in,
    parquet,
    to_frame,
    unwritable,
    versions,
    write,
)

__all__ = ["Snapshot", "SnapshotStore", "Vintage", "accumulate", "snapshot_root", "to_frame"]

_FORMAT = 1
_SETS = "sets"
_SCRATCH = ".tmp"
_VINTAGE = re.compile(r"\d{8}T\d{12}Z-[0-9a-f]{12}")
_SET = re.compile(r"([0-9a-f]{12})\.json")
_DAMAGED_SET = "Restore it from a backup, or remove this file: the snapshot is then no longer known by its name."
#: A temporary folder this old belongs to a process that was killed.
_ABANDONED = 24 * 3600.0


def snapshot_root() -> Path:
    """Folder of the snapshots.

    The environment variable ``EARNINGS_STUDY_SNAPSHOTS`` where it is set, ``data/snapshots`` of
    a checkout, else ``earnings-study/snapshots`` in the user's data folder.

    Raises
    ------
    UsageError
        If the variable holds a relative path, which would mean another folder in every process.
    """
    given = os.environ.get(ROOT, "").strip()
    if given:
        path = Path(given).expanduser()
        if not path.is_absolute():
            raise UsageError("has to be an absolute path", parameter=ROOT, value=given)
        return path
    root = resource_root()
    if (root / "pyproject.toml").is_file():
        return root / "data" / "snapshots"
    home = os.environ.get("XDG_DATA_HOME", "").strip() or "~/.local/share"
    return Path(home).expanduser() / "earnings-study" / "snapshots"


@dataclass(frozen=True)
class Snapshot:
    """A set of vintages under one name, which is the hash of what they hold.

    Attributes
    ----------
    members : tuple of Vintage
        One for each source and key, sorted.
    """

    members: tuple[Vintage, ...]

    def __repr__(self) -> str:
        return f"Snapshot({self.id!r}, {len(self.members)} vintages)"

    @cached_property
    def id(self) -> str:
        """Twelve hexadecimal digits; the same for the same content, whenever it was fetched."""
        lines = (f"{m.source}/{m.key}/{m.digest}\n" for m in self.members)
        return digest_of("".join(lines).encode())[:12]

    @property
    def fetched_at(self) -> pd.Timestamp:
        """Time of the latest fetch in it, UTC."""
        return max(member.fetched_at for member in self.members)

    def keys(self, source: str) -> list[str]:
        """Keys of one source, sorted."""
        return [member.key for member in self.members if member.source == source]

    def find(self, source: str, key: str) -> Vintage | None:
        """The vintage of one source and key; None without."""
        return self._index.get((source, key))

    @cached_property
    def _index(self) -> dict[tuple[str, str], Vintage]:
        return {(member.source, member.key): member for member in self.members}

    def fingerprint(self, name: str) -> dict[str, Any]:
        """Hash of each member's tables, and one over all of them; times of fetching do not enter."""
        files = {f"{member.source}/{member.key}": member.sha256 for member in self.members}
        lines = "".join(f"{digest}  {label}\n" for label, digest in files.items())
        return {"source": name, "sha256": digest_of(lines.encode()), "files": files, "snapshot": self.id}


class SnapshotStore:
    """The folder of snapshots.

    Parameters
    ----------
    root : Path, optional
        Default :func:`snapshot_root`.
    """

    def __init__(self, root: str | Path | None = None) -> None:
        self.root = snapshot_root() if root is None else Path(root)

    def __repr__(self) -> str:
        return "SnapshotStore()"

    def land(
        self,
        source: str,
        key: str,
        tables: Mapping[str, pd.DataFrame],
        *,
        request: Mapping[str, Any],
        fetched_at: pd.Timestamp,
        facts: Mapping[str, Any] | None = None,
        incomplete: Mapping[str, str] | None = None,
    ) -> Vintage:
        """Write a vintage, all of it or nothing.

        Parameters
        ----------
        source, key : str
        tables : mapping of str to DataFrame
        request : mapping
            What was asked for; no secrets.
        fetched_at : Timestamp
            Time-zone-aware.
        facts : mapping, optional
            What the service says about the company.
        incomplete : mapping, optional
            Tables that could not be had, each with the reason.

        Raises
        ------
        SourceError
            If it cannot be written; nothing is left behind.
        """
        if not TICKER.fullmatch(key):
            raise UsageError("no key of a snapshot", parameter="key", value=key)
        files = {f"{name}.parquet": parquet(frame) for name, frame in sorted(tables.items())}
        listed = {
            name: {"rows": len(tables[name]), "sha256": digest_of(files[f"{name}.parquet"])} for name in sorted(tables)
        }
        digest = digest_of("".join(f"{entry['sha256']}  {name}\n" for name, entry in listed.items()).encode())
        moment = pd.Timestamp(fetched_at).tz_convert("UTC")
        manifest: dict[str, Any] = {
            "format": _FORMAT,
            "source": source,
            "key": key,
            "fetched_at": moment.isoformat(),
            "request": dict(request),
            "tables": listed,
            "facts": dict(facts or {}),
            "incomplete": dict(incomplete or {}),
            "versions": versions(),
            "sha256": digest,
            "manifest_sha256": None,
        }
        manifest["manifest_sha256"] = digest_of(canonical(manifest).encode())
        files[MANIFEST] = (json.dumps(manifest, indent=1, sort_keys=True) + "\n").encode()
        name = f"{moment.strftime(STAMP)}Z-{digest[:12]}"
        vintage = Vintage(source, key, name, self.root / source / key / name)
        self._place(files, vintage)
        return vintage

    def _place(self, files: Mapping[str, bytes], vintage: Vintage) -> None:
        scratch = self.root / _SCRATCH / uuid.uuid4().hex
        try:
            scratch.mkdir(parents=True)
            for name, data in files.items():
                write(scratch / name, data)
            flush_folder(scratch)
            vintage.folder.parent.mkdir(parents=True, exist_ok=True)
            os.rename(scratch, vintage.folder)
            for folder in (vintage.folder.parent, vintage.folder.parent.parent, self.root):
                flush_folder(folder)
        except OSError as error:
            shutil.rmtree(scratch, ignore_errors=True)
            if error.errno in (errno.EEXIST, errno.ENOTEMPTY):  # the same content, landed in the same microsecond
                return
            raise unwritable(error) from error
        except BaseException:  # an interrupt or a fault: no half folder stays, and the error goes on as it is
            shutil.rmtree(scratch, ignore_errors=True)
            raise

    def vintages(self, source: str | None = None, key: str | None = None) -> list[Vintage]:
        """All vintages, those of one source or of one key, oldest first within each key."""
        found = []
        for owner in [source] if source else self._sources():
            for name in [key] if key else names_in(self.root / owner):
                folder = self.root / owner / name
                found += [
                    Vintage(owner, name, vintage, folder / vintage)
                    for vintage in names_in(folder)
                    if _VINTAGE.fullmatch(vintage)
                ]
        return found

    def newest(self, source: str, key: str) -> Vintage | None:
        """The latest vintage of a source and key; None without."""
        found = self.vintages(source, key)
        return found[-1] if found else None

    def _sources(self) -> list[str]:
        return [name for name in names_in(self.root) if name != _SETS and not name.startswith(".")]

    def state(self) -> Snapshot:
        """The latest vintage of every source and key.

        Raises
        ------
        SourceError
            If there is none at all.
        """
        latest = {(vintage.source, vintage.key): vintage for vintage in self.vintages()}
        if not latest:
            raise SourceError(
                "nothing has been fetched yet",
                remedy="Fetch the companies of interest first: earnings-study fetch TICKER ... --source yahoo",
            )
        return Snapshot(tuple(latest[name] for name in sorted(latest)))

    def record(self, snapshot: Snapshot) -> Snapshot:
        """Write down which vintages a snapshot holds, so that its name can be used later.

        Raises
        ------
        SourceError
            If it cannot be written.
        """
        path = self.root / _SETS / f"{snapshot.id}.json"
        text = json.dumps({"format": _FORMAT, "members": [m.label for m in snapshot.members]}, indent=0) + "\n"
        if path.is_file() and path.read_text(encoding="utf-8", errors="replace") == text:
            return snapshot
        scratch = self.root / _SCRATCH / f"{uuid.uuid4().hex}.json"
        try:
            scratch.parent.mkdir(parents=True, exist_ok=True)
            path.parent.mkdir(parents=True, exist_ok=True)
            write(scratch, text.encode())
            os.replace(scratch, path)  # what was there named vintages with the same content
            flush_folder(path.parent)
        except OSError as error:
            scratch.unlink(missing_ok=True)
            raise unwritable(error) from error
        return snapshot

    def snapshots(self) -> list[Snapshot]:
        """Recorded snapshots, oldest first; without those of :meth:`damaged_records`."""
        return self._recorded()[0]

    def damaged_records(self) -> list[str]:
        """What is wrong with each record of a snapshot that cannot be read, in words."""
        return self._recorded()[1]

    def _recorded(self) -> tuple[list[Snapshot], list[str]]:
        found, damaged = [], []
        for path in self._set_files():
            try:
                found.append(self._read_set(path))
            except SourceError as error:
                damaged.append(error.problem)
        return sorted(found, key=lambda snapshot: (snapshot.fetched_at, snapshot.id)), damaged

    def snapshot(self, name: str) -> Snapshot:
        """A recorded snapshot by its name, of which the beginning will do.

        Raises
        ------
        NotFoundError
            If there is none, or more than one.
        SourceError
            If its record is damaged.
        """
        known = [path.stem for path in self._set_files()]
        found = [known_name for known_name in known if name and known_name.startswith(name.casefold())]
        if len(found) != 1:
            raise NotFoundError(
                "no such snapshot" if not found else "several snapshots begin so",
                parameter="snapshot",
                value=name,
                allowed=in_words(found or known) or "none, nothing has been fetched yet",
                remedy="`earnings-study snapshots list` shows them.",
            )
        return self._read_set(self.root / _SETS / f"{found[0]}.json")

    def _set_files(self) -> list[Path]:
        return [self.root / _SETS / name for name in names_in(self.root / _SETS) if _SET.fullmatch(name)]

    def _read_set(self, path: Path) -> Snapshot:
        try:
            labels = json.loads(path.read_text(encoding="utf-8"))["members"]
            parts = [str(label).split("/") for label in labels]
            members = tuple(Vintage(s, key, name, self.root / s / key / name) for s, key, name in parts)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise SourceError(
                f"snapshot {path.stem}: {_SETS}/{path.name} cannot be read", remedy=_DAMAGED_SET
            ) from error
        snapshot = Snapshot(members)
        named = all(_VINTAGE.fullmatch(member.name) for member in members)
        if not named or f"{snapshot.id}.json" != path.name or not members:
            raise SourceError(f"snapshot {path.stem}: {_SETS}/{path.name} does not match its name", remedy=_DAMAGED_SET)
        return snapshot

    def verify(self, name: str | None = None) -> pd.DataFrame:
        """Compare every file with its hash; nothing is changed.

        Parameters
        ----------
        name : str, optional
            A snapshot; default everything there is.

        Returns
        -------
        DataFrame
            One row per damaged file: ``file`` (relative to the folder of snapshots), ``problem``.
        """
        wrong: list[tuple[str, str]] = []
        if name is None:
            members: Iterable[Vintage] = self.vintages()
            for path in self._set_files():
                try:
                    gone = [m.label for m in self._read_set(path).members if not m.folder.is_dir()]
                    wrong += [(f"{_SETS}/{path.name}", f"names {label}, which is gone") for label in gone]
                except SourceError as error:
                    wrong.append((f"{_SETS}/{path.name}", error.problem.partition(".json ")[2]))
        else:
            members = self.snapshot(name).members
        for vintage in members:
            wrong += _damage(vintage)
        return pd.DataFrame(wrong, columns=["file", "problem"], dtype=object)

    def prune(self, keep: int) -> list[str]:
        """Remove all but the latest ``keep`` snapshots, and vintages that none of them needs.

        The latest vintage of every key stays in any case, and so does one whose point-in-time
        rows (estimates, minute bars: what cannot be had again) the latest one has not taken over.
        Folders that killed processes left behind go, once a day old.

        Returns
        -------
        list of str
            What was removed.

        Raises
        ------
        SourceError
            If a record or a manifest is damaged, before anything is removed; if something cannot be removed.
        """
        if keep < 1:
            raise UsageError("at least one snapshot is kept", parameter="keep", value=keep)
        # Everything is read before anything goes: a record that cannot be read may need any vintage.
        recorded, damaged = self._recorded()
        if damaged:
            raise SourceError(f"nothing was removed: {'; '.join(damaged)}", remedy=_DAMAGED_SET)
        needed = {member.label for snapshot in recorded[-keep:] for member in snapshot.members}
        every = self.vintages()
        latest = {(vintage.source, vintage.key): vintage for vintage in every}
        spare = [one for one in every if one.label not in needed and one != latest[one.source, one.key]]
        spare = [one for one in spare if _taken_over(one, latest[one.source, one.key])]
        removed = []
        try:
            for snapshot in recorded[:-keep]:
                (self.root / _SETS / f"{snapshot.id}.json").unlink(missing_ok=True)
                removed.append(f"{_SETS}/{snapshot.id}.json")
            for vintage in spare:
                # Renamed first: who is killed here leaves no half vintage.
                doomed = self.root / _SCRATCH / uuid.uuid4().hex
                doomed.parent.mkdir(exist_ok=True)
                try:
                    os.rename(vintage.folder, doomed)
                except FileNotFoundError:  # another process prunes as well
                    continue
                shutil.rmtree(doomed)
                removed.append(vintage.label)
            self._sweep()
        except OSError as error:
            raise unwritable(error) from error
        return removed

    def _sweep(self) -> None:
        for name in names_in(self.root / _SCRATCH):
            path = self.root / _SCRATCH / name
            with contextlib.suppress(FileNotFoundError):  # its process has just finished with it
                if time.time() - path.stat().st_mtime < _ABANDONED:
                    continue
                if path.is_dir():
                    shutil.rmtree(path)
                else:
                    path.unlink()


def _taken_over(vintage: Vintage, heir: Vintage) -> bool:
    """Whether the latest vintage holds every row that could not be had again."""
    for table, keys in ACCUMULATING.items():
        if not vintage.has(table):
            continue
        if not heir.has(table):
            return False
        mine, theirs = (pd.MultiIndex.from_frame(v.frame(table)[list(keys)]) for v in (vintage, heir))
        if not mine.isin(theirs).all():
            return False
    return True


def _damage(vintage: Vintage) -> list[tuple[str, str]]:
    folder = f"{vintage.source}/{vintage.key}/{vintage.name}"
    try:
        tables = vintage.manifest["tables"]
    except SourceError as error:
        return [(f"{folder}/{MANIFEST}", error.problem.partition(f"{MANIFEST} ")[2])]
    wrong = []
    for table in tables:
        try:
            vintage.read(table)
        except SourceError as error:
            wrong.append((f"{folder}/{table}.parquet", error.problem.partition(".parquet ")[2]))
    known = {MANIFEST, *(f"{table}.parquet" for table in tables)}
    return wrong + [
        (f"{folder}/{name}", "does not belong here") for name in names_in(vintage.folder) if name not in known
    ]
