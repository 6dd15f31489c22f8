"""How what `operations.file.files` names is done."""

from __future__ import annotations

import base64
import os
from collections.abc import Sequence

import msgspec
from sqlalchemy import RowMapping

from casparian_flow.core.errors import NotFound, UsageError
from casparian_flow.core.files import EntryKind, FileState, display_path
from casparian_flow.core.jobs import INTERRUPTED, JobState
from casparian_flow.core.reasons import RunReason, SkipReason
from casparian_flow.core.times import parse_since, rfc3339
from casparian_flow.operations.context import Reading
from casparian_flow.operations.doing.file.lookup import one_file
from casparian_flow.operations.doing.source.lookup import one_source
from casparian_flow.operations.file.entry_kinds import KINDS
from casparian_flow.operations.file.files import (
    FileDetail,
    FileEntry,
    FileJob,
    FileList,
    FileVersionEntry,
    ListFiles,
    ShowFile,
)
from casparian_flow.operations.home import machine
from casparian_flow.store.views import files as view
from casparian_flow.store.views import history, sources

AWAITING_APPROVAL = "awaiting-approval"
"""The code of a job that was rejected because a person has to approve a contract; its message names the tables."""


def list_(reading: Reading, request: ListFiles) -> FileList:
    """The files that the request selects, in the order of source and path."""
    if not 1 <= request.limit <= 10_000:
        raise UsageError("a page holds 1 to 10000 files")
    where = view.FileFilter(
        source=None if request.source is None else _source(reading, request.source),
        tag=request.tag,
        untagged=request.untagged,
        states=request.states,
        extension=request.extension,
        since_ns=None if request.since is None else parse_since(request.since, reading.now_ns),
    )
    after = None if request.after is None else _decode(request.after)
    rows = view.list_files(reading.connection, where, after=after, limit=request.limit + 1)
    page = rows[: request.limit]
    has_more = len(rows) > len(page)
    return FileList(
        files=_entries(reading, page),
        next_cursor=_encode(page[-1]) if has_more else None,
    )


def show(reading: Reading, request: ShowFile) -> FileDetail:
    """One file with its versions, tags and jobs; raises NotFound, or UsageError if several are meant."""
    row = one_file(reading.connection, reading.cwd, request.file)
    return FileDetail(
        file=_entries(reading, [row])[0],
        tags=history.tags_of(reading.connection, row["id"]),
        also_at=history.paths_with(reading.connection, row["source_hash"], row["id"]),
        versions=[
            FileVersionEntry(
                version=each["id"],
                source_hash=each["source_hash"],
                sha256=each["sha256"],
                size=each["size"],
                content=each["content"],
                content_reason=each["content_reason"],
                detected=rfc3339(each["detected_at_ns"]),
                is_current=each["id"] == row["version_id"],
            )
            for each in history.versions_of(reading.connection, row["id"])
        ],
        jobs=[
            FileJob(
                job=str(each["id"]),
                state=each["state"],
                reason=each["reason"],
                parser=each["parser"],
                error=each["error_code"],
                message=each["error_message"],
                queued=rfc3339(each["queued_at_ns"]),
            )
            for each in history.jobs_of(reading.connection, row["id"])
        ],
    )


def _entries(reading: Reading, rows: Sequence[RowMapping]) -> list[FileEntry]:
    tables = view.tables_of(reading.connection, [row["source_hash"] for row in rows if row["source_hash"]])
    is_killed = any(row["state"] == FileState.ACTIVE for row in rows) and machine.lock_holder(reading.home.lock) is None
    return [_entry(row, tables.get(row["source_hash"], []), is_killed=is_killed) for row in rows]


def _entry(row: RowMapping, tables: list[str], *, is_killed: bool) -> FileEntry:
    reason, detail = _explain(row, is_killed=is_killed)
    return FileEntry(
        path=row["path"],
        source=row["source"],
        state=FileState(row["state"]),
        reason=reason,
        detail=detail,
        size=row["size"],
        mtime=rfc3339(row["mtime_ns"]),
        content=row["content"],
        parser=row["parser"],
        job=None if row["job_id"] is None else str(row["job_id"]),
        tables=tables,
    )


def _explain(row: RowMapping, *, is_killed: bool) -> tuple[str, str]:
    """The code and the words for why a file is in its state; `is_killed`: nobody is there who could do its job."""
    is_current = row["decided_version_id"] in (None, row["version_id"])
    decided, detail = (row["decided"], row["decided_detail"]) if is_current and row["decided"] else (None, "")
    is_skip = decided is not None and row["action"] == "skip"
    match FileState(row["state"]):
        case FileState.MISSING:
            return SkipReason.SOURCE_MISSING, "the last scan did not find it"
        case FileState.SKIPPED if row["kind"] != EntryKind.FILE:
            return SkipReason.NOT_SELECTED, row["problem"] or KINDS[row["kind"]]
        case FileState.SKIPPED if row["part_of"] is not None:
            return SkipReason.NOT_SELECTED, f"part of {row['part_of']}"
        case FileState.SKIPPED if row["job_state"] == JobState.ABORTED:
            return SkipReason.CANCELLED, row["error_message"] or detail
        case FileState.SKIPPED if row["job_state"] == JobState.REJECTED and not is_skip:
            return _rejection(row["error_code"] or "", row["error_message"] or "")
        case FileState.NEW | FileState.CHANGED if row["is_dirty"] and row["settles_at_ns"] is not None:
            return SkipReason.GROWING, f"it changed a moment ago; looked at again at {rfc3339(row['settles_at_ns'])}"
        case FileState.FAILED if decided == RunReason.HOLD_LIFTED and row["decided_plan"] > row["job_plan"]:
            return decided, detail
        case FileState.FAILED:
            return (decided if is_skip else row["error_code"]) or "failed", row["error_message"] or detail
        case FileState.NEW | FileState.CHANGED if row["error_code"] == INTERRUPTED and not row["is_dirty"]:
            return INTERRUPTED, f"{row['error_message']}; the next run reads it"
        case FileState.CHANGED:
            return RunReason.BYTES_CHANGED, row["problem"] or "changed since it was read"
        case FileState.ACTIVE if is_killed:
            return INTERRUPTED, "its process ended; the next run puts it right"
        case FileState.ACTIVE:
            return decided or RunReason.NEW, f"its job is {row['job_state']}"
        case FileState.NEW if row["version_id"] is None:
            return RunReason.NEW, row["problem"] or "not hashed yet"
        case FileState.NEW:
            return decided or RunReason.NEW, detail or "not planned yet"
        case _:
            return decided or SkipReason.UP_TO_DATE, detail or "read to its end, and unchanged since"


def _rejection(code: str, message: str) -> tuple[str, str]:
    if code == AWAITING_APPROVAL:
        return SkipReason.AWAITING_APPROVAL, f"the contract of {message} waits for a person"
    return code, message


def _source(reading: Reading, named: str) -> str:
    """The number of the source that is meant; one that was removed is only known by its whole path."""
    try:
        return str(one_source(reading.connection, reading.cwd, named)["id"])
    except NotFound:
        named = display_path(os.fsencode(named))
        if not sources.was_source(reading.connection, named):
            raise
        return named


def _encode(row: RowMapping) -> str:
    place = [row["source_id"], row["rel_path"].hex()]
    return base64.urlsafe_b64encode(msgspec.json.encode(place)).decode()


def _decode(cursor: str) -> view.FileCursor:
    try:
        source_id, path = msgspec.json.decode(base64.urlsafe_b64decode(cursor), type=tuple[int, str])
        return view.FileCursor(source_id, bytes.fromhex(path))
    except ValueError as exc:
        raise UsageError("the cursor is not one that a list gave out") from exc
