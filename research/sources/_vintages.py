"""One vintage: the tables that one fetch of one company brought, and the bytes they are kept in."""

from __future__ import annotations

import errno
import hashlib
import importlib.metadata
import io
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from research import __version__
from research.errors import NotFoundError, SourceError, in_words

ROOT = "EARNINGS_STUDY_SNAPSHOTS"
MANIFEST = "manifest.json"
STAMP = "%Y%m%dT%H%M%S%f"

_LIBRARIES = ("pandas", "pyarrow", "yfinance")


class StorageError(SourceError):
    """The folder of snapshots cannot be written to."""


@dataclass(frozen=True)
class Vintage:
    """What one fetch of one company brought, for ever.

    Attributes
    ----------
    source, key : str
        ``yahoo`` and a ticker, ``edgar`` and a ticker, ``french`` and ``daily``.
    name : str
        Time of the fetch and the first twelve digits of the hash; names sort by time.
    folder : Path
    """

    source: str
    key: str
    name: str
    folder: Path

    def __repr__(self) -> str:
        return f"Vintage({self.label!r})"

    @property
    def label(self) -> str:
        """``source/key/name``."""
        return f"{self.source}/{self.key}/{self.name}"

    @property
    def digest(self) -> str:
        """Beginning of the hash over its tables, as its name has it."""
        return self.name.rpartition("-")[2]

    @property
    def fetched_at(self) -> pd.Timestamp:
        """Time of the fetch, UTC."""
        return pd.Timestamp(pd.to_datetime(self.name.partition("Z-")[0], format=STAMP)).tz_localize("UTC")

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """Source, request, time, tables with rows and hashes, versions; checked against its own hash.

        Raises
        ------
        SourceError
            If it is missing or damaged, or belongs to another vintage than its folder says.
        """
        try:
            content = json.loads((self.folder / MANIFEST).read_text(encoding="utf-8"))
            whole = digest_of(canonical({**content, "manifest_sha256": None}).encode()) == content["manifest_sha256"]
            mine = (content["source"], content["key"], content["sha256"][:12]) == (self.source, self.key, self.digest)
        except FileNotFoundError as error:
            raise self._damaged(MANIFEST, "is missing") from error
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise self._damaged(MANIFEST, "cannot be read") from error
        if whole and mine:
            return dict(content)
        raise self._damaged(MANIFEST, "belongs to another vintage" if whole else "does not match its own hash")

    @property
    def sha256(self) -> str:
        """Hash over the tables, whatever the time at which they were fetched."""
        return str(self.manifest["sha256"])

    def has(self, table: str) -> bool:
        """Whether the vintage has a table of this name with a row in it."""
        return bool(self.manifest["tables"].get(table, {}).get("rows"))

    def read(self, table: str) -> pa.Table:
        """One table, its bytes compared with the hash in the manifest first.

        Raises
        ------
        SourceError
            If the file is missing or damaged.
        NotFoundError
            If the vintage has no such table.
        """
        known = self.manifest["tables"]
        if table not in known:
            raise NotFoundError(f"{self.label} has no table {table}", allowed=in_words(known))
        name = f"{table}.parquet"
        try:
            data = (self.folder / name).read_bytes()
        except OSError as error:
            raise self._damaged(name, "cannot be read") from error
        if digest_of(data) != known[table]["sha256"]:
            raise self._damaged(name, "does not match its hash")
        # Five times as fast for small files as pq.read_table, which sets up a data set first.
        return pq.ParquetFile(pa.BufferReader(data)).read(use_threads=False)

    def frame(self, table: str) -> pd.DataFrame:
        """One table for pandas, every instant and date in nanoseconds."""
        return to_frame(self.read(table))

    def _damaged(self, file: str, problem: str) -> SourceError:
        return SourceError(
            f"snapshot {self.label}: {file} {problem}",
            remedy="`earnings-study snapshots verify` lists all damage; restore the file from a backup, "
            "or remove this folder and fetch again.",
        )


#: Tables whose rows are carried from vintage to vintage, and what tells their rows apart.
ACCUMULATING: Mapping[str, tuple[str, ...]] = {
    "estimates": ("fetched_at", "period", "metric"),
    "intraday": ("ts",),
}


def accumulate(table: str, fresh: pd.DataFrame, earlier: Iterable[Vintage]) -> pd.DataFrame:
    """Fresh rows behind all that earlier vintages hold; of two rows with one key the earlier stays."""
    parts = [vintage.frame(table) for vintage in earlier if vintage.has(table)]
    if not parts:
        return fresh
    keys = list(ACCUMULATING[table])
    rows = pd.concat([part for part in [*parts, fresh] if len(part)], ignore_index=True)
    return rows.drop_duplicates(keys).sort_values(keys, kind="stable", ignore_index=True)[list(parts[0].columns)]


def to_frame(table: pa.Table) -> pd.DataFrame:
    """An Arrow table for pandas: dates and instants in nanoseconds, whatever the file has."""
    frame = table.to_pandas(date_as_object=False, ignore_metadata=True)
    for column in frame.columns:
        if isinstance(frame[column].dtype, pd.DatetimeTZDtype) or frame[column].dtype.kind == "M":
            frame[column] = frame[column].dt.as_unit("ns")
    return frame


def parquet(frame: pd.DataFrame) -> bytes:
    """Bytes that depend on the content alone, not on the version of pandas."""
    table = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)
    for place, column in enumerate(table.schema):
        if pa.types.is_timestamp(column.type) and column.type.tz is None:  # a session label
            table = table.set_column(place, column.name, table.column(place).cast(pa.date32()))
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd", use_dictionary=False, write_statistics=False)
    return buffer.getvalue()


def write(path: Path, data: bytes) -> None:
    """Write a file down to the disk."""
    with path.open("wb") as handle:
        handle.write(data)
        handle.flush()
        os.fsync(handle.fileno())


def flush_folder(folder: Path) -> None:
    """Make the names in a folder last, where the system can."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def names_in(folder: Path) -> list[str]:
    """Names in a folder, sorted; none if there is no such folder."""
    try:
        return sorted(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return []


def digest_of(data: bytes) -> str:
    """Sha-256 as hexadecimal text."""
    return hashlib.sha256(data).hexdigest()


def canonical(content: Mapping[str, Any]) -> str:
    """JSON that is the same for the same content."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"))


def versions() -> dict[str, str]:
    """Versions of what writes the files."""
    versions = {"earnings-event-study": __version__}
    for name in _LIBRARIES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def unwritable(error: OSError) -> StorageError:
    """Error for a write that the system refused."""
    words = {
        errno.ENOSPC: "the disk is full",
        errno.EDQUOT: "the quota of the disk is used up",
        errno.EACCES: "the folder of snapshots may not be written to",
        errno.EPERM: "the folder of snapshots may not be written to",
        errno.EROFS: "the folder of snapshots is on a read-only disk",
    }
    reason = words.get(error.errno or 0, f"the folder of snapshots cannot be written to ({error.strerror or error})")
    return StorageError(
        f"{reason}; nothing was changed",
        remedy=f"Make room or set {ROOT} to another folder; `earnings-study snapshots prune` removes old vintages.",
    )
