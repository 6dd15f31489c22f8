"""How what `operations.why` names is done."""

from __future__ import annotations

import re
import shlex

from casparian_flow.core.errors import NotFound
from casparian_flow.operations.context import Reading
from casparian_flow.operations.doing.files import show as show_file
from casparian_flow.operations.doing.jobs import one_job
from casparian_flow.operations.doing.jobs import show as show_job
from casparian_flow.operations.doing.lookup import one_file
from casparian_flow.operations.doing.rows import find_rows
from casparian_flow.operations.files import FileDetail, ShowFile
from casparian_flow.operations.jobs import ShowJob
from casparian_flow.operations.why import AskWhy, Why
from casparian_flow.publish.discover import plugin_parsers, shipped_parsers
from casparian_flow.sentinel.routing import Routing, candidates_of
from casparian_flow.store import tags as tag_store


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
