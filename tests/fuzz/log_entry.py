"""Entries of a table's log: files in a folder that anybody may have written to."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

from casparian_flow.core.errors import VerificationFailed
from casparian_flow.core.outputs import Role
from casparian_flow.sinks.checkpoint import newest_checkpoint, write_checkpoint
from casparian_flow.sinks.layout import TableFolder
from casparian_flow.sinks.log import AddedFile, Entry, EntryAction, JobRecord, JobRows, entry_bytes, parse_entry
from casparian_flow.sinks.sealed_json import open_json, seal_json
from casparian_flow.sinks.state import TableState

from .target import Target, scratch

_PLACE = scratch()
CHECKPOINT = 7
DIGEST = "blake3:" + "0" * 64


def check(data: bytes) -> None:
    """As a file, and as a body whose digest is right: VerificationFailed, or an entry that is written the same."""
    read(data)
    read_checkpoint(data)
    try:
        body = json.loads(data)
        sealed = seal_json(body)
    except (ValueError, RecursionError):  # nothing of ours writes that; as bytes it was read above
        return
    read(sealed)
    read_checkpoint(sealed)


def read(data: bytes) -> None:
    """One file of the log."""
    try:
        entry = parse_entry(data, "fuzzed")
    except VerificationFailed:
        return
    assert parse_entry(entry_bytes(entry), "again") == entry
    with suppress(VerificationFailed):
        state = TableState(entry.seq - 1)
        state.apply(entry)
        assert state.snapshot(Path("fuzzed")).rows >= 0


def read_checkpoint(data: bytes) -> None:
    """One summary of the log, which is passed over unless it is whole."""
    folder = TableFolder(_PLACE / "events")
    folder.checkpoints.mkdir(parents=True, exist_ok=True)
    folder.checkpoint(CHECKPOINT).write_bytes(data)
    state = newest_checkpoint(folder, Role.ACCEPTED)
    if state is not None:
        with suppress(VerificationFailed):
            assert state.snapshot(folder.path).rows >= 0


def seeds() -> list[bytes]:
    """Entries of every kind, as files and as bodies."""
    entries = [
        an_entry(1, EntryAction.APPEND, (added(11),)),
        an_entry(2, EntryAction.REPLACE, (added(12), added(13)), removed_jobs=(11,)),
        an_entry(3, EntryAction.REVERT, (), removed_jobs=(12, 13)),
        an_entry(4, EntryAction.RETIRE, (), removed_files=(added(11).name,)),
    ]
    files = [entry_bytes(entry) for entry in entries]
    folder = TableFolder(scratch() / "events")
    state = TableState(CHECKPOINT - 1)
    state.apply(an_entry(CHECKPOINT, EntryAction.APPEND, (added(12), added(13))))
    write_checkpoint(folder, Role.ACCEPTED, state)
    files.append(folder.checkpoint(CHECKPOINT).read_bytes())
    return files + [json.dumps(open_json(file, "seed")).encode() for file in files]


def added(job: int) -> AddedFile:
    return AddedFile(
        name=f"v1/events_{job}.1.0.parquet", size=1000, digest=DIGEST, rows=3, jobs=(JobRows(job=job, rows=3),)
    )


def an_entry(
    seq: int,
    action: EntryAction,
    adds: tuple[AddedFile, ...],
    removed_jobs: tuple[int, ...] = (),
    removed_files: tuple[str, ...] = (),
) -> Entry:
    return Entry(
        table="events",
        role=Role.ACCEPTED,
        seq=seq,
        action=action,
        contract_version=1,
        schema_hash=DIGEST,
        adds=adds,
        removed_jobs=removed_jobs,
        removed_files=removed_files,
        jobs=tuple(a_record(part.job) for file in adds for part in file.jobs),
    )


def a_record(job: int) -> JobRecord:
    return JobRecord(
        job=job, attempt=1, materialization_key=DIGEST, row_digest=DIGEST, emitted=3, accepted=3, quarantined=0
    )


TARGET = Target(
    law="only VerificationFailed is raised; what is an entry is written back the same",
    check=check,
    seeds=seeds,
)
