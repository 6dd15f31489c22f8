"""How what `operations.lineage.trace` names is done."""

from __future__ import annotations

import difflib
import re
import shlex
from collections.abc import Sequence

from casparian_flow.core.errors import NotFound, UsageError
from casparian_flow.core.outputs import Role
from casparian_flow.operations.context import Reading
from casparian_flow.operations.doing.file.lookup import one_file
from casparian_flow.operations.doing.job.jobs import one_job
from casparian_flow.operations.doing.lineage.graph import Graph
from casparian_flow.operations.doing.lineage.taken_out import taken_out
from casparian_flow.operations.doing.output.placement import sink_of
from casparian_flow.operations.doing.query.rows import find_rows, rows_of
from casparian_flow.operations.lineage.trace import AskTrace, Direction, Trace
from casparian_flow.operations.query.rows import FoundRow
from casparian_flow.sentinel.console.rejects_in_force import RejectsInForce
from casparian_flow.store.views import lineage as view
from casparian_flow.store.views import placements

ADDRESS = re.compile(r"(?:blake3:)?([0-9a-f]{8,64}):([0-9]{1,18})")
ROW_OF_JOB = re.compile(r"([a-z0-9_]+):(@last|@-[0-9]{1,6}|[0-9]{10,19}):([0-9]{1,18})")
FILE_AND_RECORD = re.compile(r"(.+):([0-9]{1,18})")


def trace(reading: Reading, request: AskTrace) -> Trace:
    """The lineage of the subject; raises NotFound, with what was probably meant."""
    for understand in (_as_table, _as_job, _as_address, _as_row_of_job, _as_file, _as_record):
        if (found := understand(reading, request)) is not None:
            return found
    close = difflib.get_close_matches(request.subject, placements.table_names(reading.connection), n=1)
    raise NotFound(
        f"there is no row, file, job or table {request.subject!r}",
        why=f"did you mean {close[0]}?" if close else "a row is HASH:RECORD, TABLE:JOB:RECORD or FILE:RECORD",
        fix="casparian files, casparian jobs or casparian output",
    )


def _as_table(reading: Reading, request: AskTrace) -> Trace | None:
    table = request.subject
    if table not in placements.table_names(reading.connection):
        return None
    graph = Graph(reading.connection)
    sink = sink_of(reading.connection, reading.home, reading.cwd, table)
    root = graph.table(table, sink)
    for job in view.current_jobs(reading.connection, sink, table):
        graph.edge(root, graph.job_up(job), "rows by")
    return _answer(request, "table", [Direction.UP], [root], graph)


def _as_job(reading: Reading, request: AskTrace) -> Trace | None:
    subject = request.subject
    if not (subject.startswith("@") or (subject.isascii() and subject.isdigit() and len(subject) > 9)):
        return None
    job = int(one_job(reading.connection, subject)["id"])
    directions = [request.direction] if request.direction else [Direction.UP, Direction.DOWN]
    graph = Graph(reading.connection)
    root = graph.job(job)
    for direction in directions:
        if direction is Direction.UP:
            graph.job_up(job)
        else:
            graph.job_down(job)
    return _answer(request, "job", directions, [root], graph)


def _as_address(reading: Reading, request: AskTrace) -> Trace | None:
    if not (parts := ADDRESS.fullmatch(request.subject)):
        return None
    found = view.hashes_with_prefix(reading.connection, parts[1])
    if len(found) > 1:
        raise UsageError(f"several files begin with {parts[1]}", why=", ".join(found), fix="give more digits")
    return _rows(reading, request, find_rows(reading, found[0], int(parts[2])), found[0]) if found else None


def _as_row_of_job(reading: Reading, request: AskTrace) -> Trace | None:
    """A row of a job, also where later commits took it out: then as it was after the job's own commit."""
    if not (parts := ROW_OF_JOB.fullmatch(request.subject)):
        return None
    job = one_job(reading.connection, parts[2])
    graph, rejects = Graph(reading.connection), RejectsInForce(reading.connection, parts[1])
    found = [
        row
        for output in view.output_of(reading.connection, job["id"], parts[1])
        for role in Role
        if (seq := graph.seq_of(output, role)) is not None
        for row in rows_of(output, role, int(parts[3]), None if output["is_current"] else seq, shown=rejects.batch)
    ]
    return _rows(reading, request, found, None)


def _as_record(reading: Reading, request: AskTrace) -> Trace | None:
    if not (parts := FILE_AND_RECORD.fullmatch(request.subject)):
        return None
    file = one_file(reading.connection, reading.cwd, parts[1])
    source_hash = file["source_hash"]
    return _rows(reading, request, find_rows(reading, source_hash, int(parts[2])) if source_hash else [], source_hash)


def _as_file(reading: Reading, request: AskTrace) -> Trace | None:
    try:
        file = one_file(reading.connection, reading.cwd, request.subject)
    except NotFound:
        return None
    graph = Graph(reading.connection)
    root = graph.file(file)
    for version in view.versions_of(reading.connection, file["id"]):
        held = graph.bytes(version)
        graph.edge(root, held, "holds" if version["id"] == file["version_id"] else "held")
        if request.direction is not Direction.UP:
            for job in view.jobs_of_hash(reading.connection, version["source_hash"]):
                graph.edge(held, graph.job_down(job), "read by")
        else:
            graph.places(held, version["source_hash"])
    return _answer(request, "file", [request.direction or Direction.DOWN], [root], graph)


def _rows(reading: Reading, request: AskTrace, found: Sequence[FoundRow], source_hash: str | None) -> Trace:
    if request.direction is Direction.DOWN:
        raise UsageError("nothing comes after a row", fix="casparian trace ROW --up")
    if not found:
        if source_hash is not None and (reverted := taken_out(reading, source_hash)):
            part = reverted[-1]
            raise NotFound(
                f"{request.subject} is in no table and not in quarantine",
                why=f"{part.table} was reverted by {part.by} on {part.at[:10]}" + (part.reason and f": {part.reason}"),
                fix=part.back,
            )
        raise NotFound(
            f"{request.subject} is in no table and not in quarantine",
            why="records are numbered from 1; header and preamble lines are not counted",
            fix=f"casparian trace {shlex.quote(request.subject.rpartition(':')[0])}",
        )
    graph = Graph(reading.connection)
    return _answer(request, "row", [Direction.UP], [graph.row(row) for row in found], graph)


def _answer(request: AskTrace, kind: str, directions: Sequence[Direction], roots: Sequence[str], graph: Graph) -> Trace:
    return Trace(
        subject=request.subject,
        kind=kind,
        directions=list(directions),
        roots=list(roots),
        nodes=list(graph.nodes.values()),
        edges=graph.edges,
    )
