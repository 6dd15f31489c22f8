"""Why and whence: the decision behind a file, a job or a record, and the chain from its rows back to its bytes."""

from __future__ import annotations

import re
import shlex

from casparian_flow.core.errors import NotFound
from casparian_flow.operations.context import Reading
from casparian_flow.operations.files import FileDetail, ShowFile
from casparian_flow.operations.files import show as show_file
from casparian_flow.operations.jobs import JobDetail, ShowJob, one_job
from casparian_flow.operations.jobs import show as show_job
from casparian_flow.operations.lookup import one_file
from casparian_flow.operations.registry import Effect, Operation, Reply, Request
from casparian_flow.operations.rows import FoundRow, find_rows
from casparian_flow.publish.discover import plugin_parsers, shipped_parsers
from casparian_flow.sentinel.routing import Routing, candidates_of
from casparian_flow.store import tags as tag_store


class AskWhy(Request, frozen=True, kw_only=True):
    """About what: a file, `FILE:RECORD` for one record of it, or a job."""

    subject: str


class Why(Reply, frozen=True, kw_only=True):
    """The answer. `steps` are what was tried to find a parser, in order; the last one decided.

    `job` is the last one that read these bytes, with the versions of parser and contract; `rows` are what the record
    became.
    """

    subject: str
    steps: list[str]
    file: FileDetail
    job: JobDetail | None
    record: int | None
    rows: list[FoundRow]


def why(reading: Reading, request: AskWhy) -> Why:
    """The decision and its evidence; raises NotFound."""
    path, record = _subject(reading, request.subject)
    detail = show_file(reading, ShowFile(file=path))
    current = next((version for version in detail.versions if version.is_current), None)
    job = show_job(reading, ShowJob(job=detail.file.job)) if detail.file.job else None
    rows = [] if record is None or current is None else find_rows(reading, current.source_hash, record)
    if record is not None and not rows:
        raise NotFound(
            f"record {record} of {path} is in no table and not in quarantine",
            why="records are numbered from 1; header and preamble lines are not counted",
            fix=f"casparian why {shlex.quote(path)}",
        )
    steps = _steps(reading, detail, current.content, current.content_reason) if current else []
    return Why(subject=request.subject, steps=steps, file=detail, job=job, record=record, rows=rows)


def _subject(reading: Reading, subject: str) -> tuple[str, int | None]:
    """The absolute path that a subject is about, and the record if it names one."""
    if subject.startswith("@") or (subject.isascii() and subject.isdigit() and len(subject) > 9):
        job = one_job(reading.connection, subject)
        return f"{job['source']}/{job['path']}", None
    try:
        one_file(reading.connection, reading.cwd, subject)
    except NotFound:
        if record := re.fullmatch(r"(.+):([0-9]{1,18})", subject):
            return record[1], int(record[2])
        raise
    return subject, None


def _steps(reading: Reading, detail: FileDetail, content: str, reason: str) -> list[str]:
    found = [*plugin_parsers(reading.home.plugins), *shipped_parsers()]
    routing = Routing(parsers=candidates_of(found), rules=tag_store.all_rules(reading.connection))
    return list(routing.choose(detail.file.path, content, reason, detail.tags, size=detail.file.size).steps)


OPERATIONS = (Operation("why", AskWhy, Why, Effect.READ, why, "Why a file, a record or a job is as it is."),)
