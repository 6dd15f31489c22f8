"""From what a person says about sinks and topics to the routes of a run."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from sqlalchemy import Connection

from casparian_flow.core.errors import NotFound, UsageError
from casparian_flow.core.outputs import SinkMode, SinkTarget
from casparian_flow.core.routes import Routes
from casparian_flow.core.tables import CONTROL_PREFIXES, table_from_output
from casparian_flow.operations.context import Acting
from casparian_flow.sinks.layout import checked_table, is_table_name
from casparian_flow.sinks.uri import SinkUri, parse_uri
from casparian_flow.store import destinations as stored


def choose_routes(
    acting: Acting, sinks: Sequence[str], topics: Mapping[str, Sequence[str]], mode: SinkMode, table: str | None
) -> tuple[Routes, str | None]:
    """Where each table goes, and the table that all files belong to if one was asked for.

    A topic given here counts more than one that is set in the home, that more than `sinks`, these more than the home's
    own sink. Raises UsageError, NotFound or SinkUnavailable for what cannot be a target.
    """
    with acting.database.transaction() as connection:
        default = [sink_named(connection, text, acting.cwd) for text in sinks or (acting.home.default_sink,)]
        chosen = stored.topics(connection)
        for topic, texts in topics.items():
            name = topic_named(topic)
            chosen[name] = targets_of_topic(connection, name, texts, mode, acting.cwd)
    routes = Routes(default=tuple(SinkTarget(sink.target, mode) for sink in default), topics=chosen)
    for uri in routes.sinks:
        acting.open_sink(uri)  # a sink that there is not must not change what is known of the files
    _refuse_shared_place(routes)
    return routes, _one_table(table, default)


def sink_named(connection: Connection, text: str, cwd: Path) -> SinkUri:
    """The sink that a URI or the name of one stands for, made absolute."""
    if "://" not in text and (uri := stored.uri_of_name(connection, text)) is not None:
        text = uri
    elif "://" not in text and stored.is_sink_name(text):
        known = ", ".join(row.name for row in stored.named_sinks(connection))
        raise NotFound(
            f"there is no sink named {text}",
            why=f"known are {known}" if known else "no sink has a name yet",
            fix=f"casparian sink add parquet://{text} --name {text}",
        )
    return parse_uri(text).absolute(str(cwd))


def topic_named(text: str) -> str:
    """A topic as tables are named: `Sales Data` is `sales_data`. Raises UsageError if nothing is left."""
    topic = text if is_table_name(text) else table_from_output(text)
    if not topic:
        raise UsageError(f"{text!r} cannot be a topic", why="it has no letter or digit", fix="--topic sales=URI")
    return checked_table(topic)


def targets_of_topic(
    connection: Connection, topic: str, sinks: Sequence[str], mode: SinkMode, cwd: Path
) -> tuple[SinkTarget, ...]:
    """The targets of one topic; a URI of it may name no other table."""
    found = [sink_named(connection, text, cwd) for text in sinks]
    for sink in found:
        if sink.table not in (None, topic):
            raise UsageError(
                f"the sink of the topic {topic} names the table {sink.table}",
                why="a topic's tables keep their names",
                fix=f"--topic {topic}={sink.target}",
            )
    return tuple(SinkTarget(sink.target, mode) for sink in found)


def _refuse_shared_place(routes: Routes) -> None:
    """Refuse two sinks in one place, by links or of two kinds: they would write over each other's logs."""
    uri_of: dict[str, str] = {}
    for uri in routes.sinks:
        other = uri_of.setdefault(os.path.realpath(parse_uri(uri).path), uri)
        if other != uri:
            raise UsageError(f"{other} and {uri} are the same place", fix="give each sink a place of its own")


def _one_table(asked: str | None, sinks: Sequence[SinkUri]) -> str | None:
    """The table that was asked for, by its option or in the sinks' URIs; raises UsageError if they differ."""
    named = {sink.table for sink in sinks}
    if len(named) > 1:
        shown = ", ".join(sorted(name or "none" for name in named))
        raise UsageError(f"the sinks name different tables: {shown}", fix="name the table once, with --table")
    [table] = named
    if asked is not None and table not in (None, asked):
        raise UsageError(f"the sink names the table {table}, the option {asked}", fix="name the table once")
    table = asked if asked is not None else table
    if table is not None and table.startswith(CONTROL_PREFIXES):
        raise UsageError(f"the control tables have names like {table}", fix=f"--table t_{table}")
    return None if table is None else checked_table(table)
