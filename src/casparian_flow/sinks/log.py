"""The log entry: one JSON file per commit of one table, whose bytes are the same whoever writes it.

An entry is `{"body": {…}, "digest": D}` in canonical JSON, where D is the digest of the body's canonical JSON. In log
order an entry first takes away the jobs and files it removes, then adds its files. A job that is removed stays in the
files that hold it, also in those that the same entry adds; readers leave its rows out by `_cf_job_id`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

import msgspec

from casparian_flow.core.errors import InvariantBroken, VerificationFailed
from casparian_flow.core.outputs import Role
from casparian_flow.sinks.layout import is_relative_data_name, is_table_name
from casparian_flow.sinks.sealed_json import open_json, open_text, seal_json

FORMAT_VERSION = 1
FORMAT_OF_PARTS = 2
"""Of an entry that removes a job and adds a file with rows of it: programs that know only 1 would show those rows."""
MAX_SEQ = 2**63 - 1

T = TypeVar("T")


class EntryAction(StrEnum):
    """Why an entry exists. Its effect follows from what it adds and removes alone."""

    APPEND = "append"
    """Rows of new jobs; the jobs that they supersede are removed."""
    REPLACE = "replace"
    """The rows of one run instead of all others."""
    RETIRE = "retire"
    """Files rewritten or dropped; the rows that remain are the same, and in the same order."""
    REVERT = "revert"
    """A person undid jobs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRows:
    """How many rows of a file belong to a job."""

    job: int
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AddedFile:
    """A data file that becomes visible. `name` is relative to the table's folder; `jobs` account for all rows."""

    name: str
    size: int
    digest: str
    rows: int
    jobs: tuple[JobRows, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRecord:
    """What one job attempt did for this table: the proof that travels with the rows."""

    job: int
    attempt: int
    materialization_key: str
    row_digest: str
    emitted: int
    accepted: int
    quarantined: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One commit of one table in one role."""

    table: str
    role: Role
    seq: int
    action: EntryAction
    contract_version: int
    schema_hash: str
    adds: tuple[AddedFile, ...] = ()
    removed_jobs: tuple[int, ...] = ()
    removed_files: tuple[str, ...] = ()
    jobs: tuple[JobRecord, ...] = ()

    @property
    def format(self) -> int:
        """The oldest format by which the entry is understood."""
        added = {part.job for file in self.adds for part in file.jobs}
        return FORMAT_VERSION if added.isdisjoint(self.removed_jobs) else FORMAT_OF_PARTS

    def __post_init__(self) -> None:
        """Refuses an entry that does not add up, before anybody can write it."""
        if complaint := _complaint(self):
            raise InvariantBroken(f"log entry {self.seq} of {self.table} is not valid", why=complaint)


def entry_bytes(entry: Entry) -> bytes:
    """The one encoding of an entry."""
    return seal_json(
        {
            "version": entry.format,
            "table": entry.table,
            "role": entry.role.value,
            "seq": entry.seq,
            "kind": entry.action.value,
            "contract_version": entry.contract_version,
            "schema_hash": entry.schema_hash,
            "adds": [file_value(file) for file in entry.adds],
            "removes": {"jobs": list(entry.removed_jobs), "files": list(entry.removed_files)},
            "jobs": [
                {
                    "job": record.job,
                    "attempt": record.attempt,
                    "materialization_key": record.materialization_key,
                    "row_digest": record.row_digest,
                    "emitted": record.emitted,
                    "accepted": record.accepted,
                    "quarantined": record.quarantined,
                }
                for record in entry.jobs
            ],
        }
    )


def parse_entry(data: bytes, where: str) -> Entry:
    """The entry that the bytes encode; raises VerificationFailed, naming `where`, if they are not one."""
    body = open_json(data, where)
    try:
        return _entry(body)
    except (KeyError, TypeError, ValueError, InvariantBroken) as exc:
        why = f"the field {exc} is missing" if isinstance(exc, KeyError) else str(getattr(exc, "why", "") or exc)
        raise VerificationFailed("a log entry cannot be understood", where=where, why=why) from exc


def removed_jobs_of(data: bytes, where: str) -> tuple[int, ...]:
    """The jobs that an entry takes away, of one that this home has permitted: the rest of it is not looked at.

    Raises VerificationFailed, naming `where`, if the bytes are damaged.
    """
    try:
        return _removals.decode(open_text(data, where)).removes.jobs
    except msgspec.DecodeError as exc:
        raise VerificationFailed("a log entry cannot be understood", where=where, why=str(exc)) from exc


class _Removed(msgspec.Struct, frozen=True):
    jobs: tuple[int, ...]


class _Removal(msgspec.Struct, frozen=True):
    """What `removed_jobs_of` reads of an entry."""

    removes: _Removed


_removals = msgspec.json.Decoder(_Removal)


def _entry(body: Any) -> Entry:
    fields = _fields(body, "version table role seq kind contract_version schema_hash adds removes jobs")
    if fields["version"] not in (FORMAT_VERSION, FORMAT_OF_PARTS):
        raise ValueError(f"its format is {fields['version']!r}, this program knows {FORMAT_OF_PARTS}")
    removes = _fields(fields["removes"], "jobs files")
    entry = Entry(
        table=_text(fields["table"]),
        role=Role(fields["role"]),
        seq=_count(fields["seq"]),
        action=EntryAction(fields["kind"]),
        contract_version=_count(fields["contract_version"]),
        schema_hash=_text(fields["schema_hash"]),
        adds=_each(fields["adds"], added_file),
        removed_jobs=_each(removes["jobs"], _count),
        removed_files=_each(removes["files"], _text),
        jobs=_each(fields["jobs"], _job_record),
    )
    if fields["version"] != entry.format:
        raise ValueError(f"it is of format {entry.format} and says {fields['version']}")
    return entry


def file_value(file: AddedFile) -> dict[str, Any]:
    """A file as entries and checkpoints list it."""
    return {
        "name": file.name,
        "size": file.size,
        "digest": file.digest,
        "rows": file.rows,
        "jobs": [{"job": part.job, "rows": part.rows} for part in file.jobs],
    }


def added_file(value: Any) -> AddedFile:
    """The file that `file_value` described; raises KeyError, TypeError or ValueError."""
    fields = _fields(value, "name size digest rows jobs")
    return AddedFile(
        name=_text(fields["name"]),
        size=_count(fields["size"]),
        digest=_text(fields["digest"]),
        rows=_count(fields["rows"]),
        jobs=_each(fields["jobs"], _job_rows),
    )


def _job_rows(value: Any) -> JobRows:
    fields = _fields(value, "job rows")
    return JobRows(job=_count(fields["job"]), rows=_count(fields["rows"]))


def _job_record(value: Any) -> JobRecord:
    fields = _fields(value, "job attempt materialization_key row_digest emitted accepted quarantined")
    return JobRecord(
        job=_count(fields["job"]),
        attempt=_count(fields["attempt"]),
        materialization_key=_text(fields["materialization_key"]),
        row_digest=_text(fields["row_digest"]),
        emitted=_count(fields["emitted"]),
        accepted=_count(fields["accepted"]),
        quarantined=_count(fields["quarantined"]),
    )


def _fields(value: Any, names: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise TypeError(f"an object is expected, not {type(value).__name__}")
    if unknown := value.keys() - set(names.split()):
        raise ValueError(f"the field {min(unknown)!r} is unknown")
    return value


def _each(value: Any, read: Callable[[Any], T]) -> tuple[T, ...]:
    if not isinstance(value, list):
        raise TypeError(f"a list is expected, not {type(value).__name__}")
    return tuple(map(read, value))


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"text is expected, not {type(value).__name__}")
    return value


def _count(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= MAX_SEQ:
        raise ValueError(f"a number from 0 is expected, not {value!r}")
    return value


def _complaint(entry: Entry) -> str:
    """What is wrong with an entry, or nothing."""
    if not 1 <= entry.seq <= MAX_SEQ:
        return "numbers start at 1"
    if not is_table_name(entry.table):
        return f"{entry.table!r} cannot name a table"
    for name in (*(file.name for file in entry.adds), *entry.removed_files):
        if not is_relative_data_name(entry.table, name):
            return f"{name!r} is not a data file of the table"
    if len({file.name for file in entry.adds}) < len(entry.adds):
        return "it adds a file twice"
    for file in entry.adds:
        if not file.jobs or len({part.job for part in file.jobs}) < len(file.jobs):
            return f"{file.name} lists no job, or one twice"
        if sum(part.rows for part in file.jobs) != file.rows:
            return f"the jobs of {file.name} do not account for its rows"
    if any(record.emitted != record.accepted + record.quarantined for record in entry.jobs):
        return "emitted rows are not accepted plus quarantined"
    return ""
