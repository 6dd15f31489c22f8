"""How what `operations.output.sinks` names is done."""

from __future__ import annotations

from collections import defaultdict

from sqlalchemy import Connection, RowMapping

from casparian_flow.core.errors import NotFound, UsageError
from casparian_flow.core.outputs import Role
from casparian_flow.core.times import rfc3339
from casparian_flow.operations.context import Reading
from casparian_flow.operations.doing.output.destinations import sink_named
from casparian_flow.operations.doing.output.readiness import check_sink
from casparian_flow.operations.output.sinks import (
    AddSink,
    CheckSink,
    ListSinks,
    RemoveSink,
    SinkChecked,
    SinkEntry,
    SinkList,
    SinkRemoved,
    WaitingCommit,
)
from casparian_flow.operations.writing import Writing
from casparian_flow.sinks.uri import open_sink
from casparian_flow.store import destinations as stored
from casparian_flow.store.meta import HOME_ID, meta_value
from casparian_flow.store.views import sinks as view


def list_(reading: Reading, _request: ListSinks) -> SinkList:
    """Every sink, the home's own first."""
    return SinkList(sinks=_entries(reading.connection, reading.home.default_sink))


def add(acting: Writing, request: AddSink) -> SinkEntry:
    """Give a sink a name; raises UsageError if name or sink are taken, SinkUnavailable for a kind there is not."""
    if not stored.is_sink_name(request.name):
        raise UsageError(
            f"{request.name!r} cannot name a sink", why="a name has 1 to 40 of a-z, 0-9, - and _, no sign first"
        )
    with acting.database.transaction() as connection:
        if (known := stored.uri_of_name(connection, request.name)) is not None:
            raise UsageError(f"{request.name} is a sink already", where=known, fix=f"casparian sink check {known}")
        sink = sink_named(connection, request.uri, acting.cwd)
        if sink.table is not None:
            raise UsageError(f"a named sink holds many tables, not {sink.table} alone", fix=sink.target)
        open_sink(sink.target)
        for row in stored.named_sinks(connection):
            if row.uri == sink.target:
                raise UsageError(f"{sink.target} is named {row.name} already", fix=f"casparian sink remove {row.name}")
        stored.name_sink(connection, request.name, sink.target, acting.clock())
        entries = _entries(connection, acting.home.default_sink)
    return next(entry for entry in entries if entry.sink == sink.target)


def check(reading: Reading, request: CheckSink) -> SinkChecked:
    """Try whether this home can write to a sink, as a run would; leaves nothing behind. Raises SinkError if not."""
    connection = reading.connection
    sink = open_sink(sink_named(connection, request.sink, reading.cwd).target)
    home = meta_value(connection, HOME_ID)
    sink.check()
    check_sink(connection, sink, home)
    return SinkChecked(
        sink=sink.uri,
        is_claimed=sink.owner() is not None,
        tables=len(sink.tables(Role.ACCEPTED)),
        waiting=[
            WaitingCommit(
                table=row["table"],
                role=row["role"],
                seq=row["seq"],
                job=None if row["job"] is None else str(row["job"]),
                message=row["message"],
                why=row["why"],
            )
            for row in view.waiting_commits(connection, sink.uri)
        ],
    )


def remove(acting: Writing, request: RemoveSink) -> SinkRemoved:
    """Forget a name; raises NotFound, and UsageError while a topic lands in the sink."""
    with acting.database.transaction() as connection:
        uri = stored.uri_of_name(connection, request.name)
        if uri is None:
            raise NotFound(f"there is no sink named {request.name}", fix="casparian sink list")
        if topics := stored.topics_to(connection, uri):
            raise UsageError(
                f"the sink {request.name} is in use",
                where=uri,
                why=f"the topic {topics[0]} lands there",
                fix=f"casparian topic remove {topics[0]}",
            )
        stored.forget_sink(connection, request.name)
    return SinkRemoved(name=request.name, sink=uri)


def _entries(connection: Connection, default: str) -> list[SinkEntry]:
    names = {row.uri: row.name for row in stored.named_sinks(connection)}
    tables: dict[str, list[RowMapping]] = defaultdict(list)
    for row in view.shown_tables(connection):
        tables[row["sink"]].append(row)
    return [
        SinkEntry(
            sink=uri,
            name=names.get(uri),
            is_default=uri == default,
            topics=stored.topics_to(connection, uri),
            tables=len(its := tables[uri]),
            rows=sum(int(row["rows"]) for row in its),
            last=rfc3339(max(row["recorded_at_ns"] for row in its)) if its else None,
        )
        for uri in dict.fromkeys([default, *view.known_sinks(connection)])
    ]
