"""How what `operations.lineage.why` names is done."""

from __future__ import annotations

import re
import shlex

from sqlalchemy import RowMapping

from casparian_flow.core.errors import NotFound, UsageError
from casparian_flow.core.hashing import PREFIX
from casparian_flow.core.proposals import Decision, Kind, label
from casparian_flow.core.times import rfc3339
from casparian_flow.operations.context import Reading
from casparian_flow.operations.doing.file.files import show as show_file
from casparian_flow.operations.doing.file.lookup import one_file
from casparian_flow.operations.doing.job.jobs import one_job
from casparian_flow.operations.doing.job.jobs import show as show_job
from casparian_flow.operations.doing.lineage.taken_out import taken_out
from casparian_flow.operations.doing.lineage.trace import ADDRESS
from casparian_flow.operations.doing.query.rows import find_rows
from casparian_flow.operations.file.files import FileDetail, ShowFile
from casparian_flow.operations.job.jobs import ShowJob
from casparian_flow.operations.lineage.why import AskWhy, DecidedContract, ErasedPart, Why
from casparian_flow.publish.discover import plugin_parsers, shipped_parsers
from casparian_flow.sentinel.planning.routing import Routing, candidates_of
from casparian_flow.store import signed
from casparian_flow.store import tags as tag_store
from casparian_flow.store.tombstones import erased_rows_of
from casparian_flow.store.views import contracts as contract_view
from casparian_flow.store.views import proposals as proposal_view
from casparian_flow.store.views import versions as version_view


def why(reading: Reading, request: AskWhy) -> Why:
    """The decision and its evidence; raises NotFound."""
    path, record, source_hash = _subject(reading, request.subject)
    detail = show_file(reading, ShowFile(file=path))
    current = next((version for version in detail.versions if version.is_current), None)
    job = show_job(reading, ShowJob(job=detail.file.job)) if detail.file.job else None
    if source_hash is None and current is not None:
        source_hash = current.source_hash
    rows = [] if record is None or source_hash is None else find_rows(reading, source_hash, record)
    erased = [] if source_hash is None else _erased(reading, source_hash)
    reverted = [] if source_hash is None else taken_out(reading, source_hash)
    if record is not None and not rows and not erased and not reverted:
        raise NotFound(
            f"record {record} of {path} is in no table and not in quarantine",
            why="records are numbered from 1; header and preamble lines are not counted",
            fix=f"casparian why {shlex.quote(path)}",
        )
    steps = _steps(reading, detail, current.content, current.content_reason) if current else []
    under = {(row.table, row.contract): None for row in rows}
    if job is not None and not under:
        under = {(output.table, output.contract): None for output in job.outputs}
    return Why(
        subject=request.subject,
        steps=steps,
        file=detail,
        job=job,
        record=record,
        rows=rows,
        contracts=[_decided(reading, table, version) for table, version in under if table and version],
        erased=erased,
        reverted=reverted,
    )


def _erased(reading: Reading, source_hash: str) -> list[ErasedPart]:
    return [
        ErasedPart(purge=label(Kind.PURGE, row.proposal_id), table=row.table_name, rows=row.rows, at=rfc3339(row.at_ns))
        for row in erased_rows_of(reading.connection, source_hash)
        if row.rows
    ]


def _decided(reading: Reading, table: str, version: int) -> DecidedContract:
    """What put a contract in force."""
    known = contract_view.of_table(reading.connection, table)
    number = next((row["proposal_id"] for row in known if row["version"] == version and row["proposal_id"]), None)
    row = None if number is None else proposal_view.by_number(reading.connection, number)
    if row is None:
        return DecidedContract(
            table=table, version=version, proposal=None, by=[], at=None, digest=None, is_self_approved=False
        )
    decisions = signed.decisions_about(reading.connection, row["id"], row["digest"]) if row["digest"] else []
    return DecidedContract(
        table=table,
        version=version,
        proposal=label(Kind(row["kind"]), row["id"]),
        by=sorted({each.actor for each in decisions if each.decision == Decision.APPROVE}),
        at=None if row["applied_at_ns"] is None else rfc3339(row["applied_at_ns"]),
        digest=row["digest"],
        is_self_approved=bool(row["is_self_approved"]),
    )


def _subject(reading: Reading, subject: str) -> tuple[str, int | None, str | None]:
    """The absolute path that a subject is about, the record if it names one, and the bytes if it names those."""
    if subject.startswith("@") or (subject.isascii() and subject.isdigit() and len(subject) > 9):
        job = one_job(reading.connection, subject)
        return f"{job['source']}/{job['path']}", None, None
    try:
        one_file(reading.connection, reading.cwd, subject)
    except NotFound:
        if record := re.fullmatch(r"(.+):([0-9]{1,18})", subject):
            if (address := ADDRESS.fullmatch(subject)) and (known := _with_hash(reading, address[1])):
                return f"{known['source']}/{known['path']}", int(address[2]), known["source_hash"]
            return record[1], int(record[2]), None
        raise
    return subject, None, None


def _with_hash(reading: Reading, prefix: str) -> RowMapping | None:
    """A version whose hash begins so, at best one that is there; raises UsageError for several contents."""
    found = version_view.with_prefix(reading.connection, f"{PREFIX}{prefix}")
    if len({row["source_hash"] for row in found}) > 1:
        raise UsageError(f"several hashes begin with {prefix}", fix="give more digits")
    return max(found, key=lambda row: (row["is_current"], row["id"]), default=None)


def _steps(reading: Reading, detail: FileDetail, content: str, reason: str) -> list[str]:
    found = [*plugin_parsers(reading.home.plugins), *shipped_parsers()]
    routing = Routing(parsers=candidates_of(found), rules=tag_store.all_rules(reading.connection))
    return list(routing.choose(detail.file.path, content, reason, detail.tags, size=detail.file.size).steps)
