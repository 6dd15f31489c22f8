"""Where tables land: sinks that have a name, and the targets of topics."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, delete, insert, select

from casparian_flow.core.outputs import SinkMode, SinkTarget
from casparian_flow.store.engine import AnyRow
from casparian_flow.store.tables import named_sinks as sinks_table
from casparian_flow.store.tables import topics as topics_table

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")

NAMED_SINKS = select(sinks_table).order_by(sinks_table.c.name)
URI_OF_NAME = select(sinks_table.c.uri).where(sinks_table.c.name == bindparam("of_name"))
FORGET_SINK = delete(sinks_table).where(sinks_table.c.name == bindparam("of_name"))
TOPICS = select(topics_table).order_by(topics_table.c.topic, topics_table.c.sink_uri)
TOPICS_TO = (
    select(topics_table.c.topic).where(topics_table.c.sink_uri == bindparam("uri")).order_by(topics_table.c.topic)
)
UNSET_TOPIC = delete(topics_table).where(topics_table.c.topic == bindparam("of_topic"))


def is_sink_name(text: str) -> bool:
    """Whether a sink may be given this name: it cannot be taken for a URI, a path or an option."""
    return _NAME.fullmatch(text) is not None


def named_sinks(connection: Connection) -> Sequence[AnyRow]:
    """Every sink that has a name."""
    return connection.execute(NAMED_SINKS).all()


def uri_of_name(connection: Connection, name: str) -> str | None:
    """The sink of that name; None if there is none."""
    found: str | None = connection.execute(URI_OF_NAME, {"of_name": name}).scalar_one_or_none()
    return found


def name_sink(connection: Connection, name: str, uri: str, now_ns: int) -> None:
    """Give a sink a name; neither may be taken."""
    connection.execute(insert(sinks_table), {"name": name, "uri": uri, "added_at_ns": now_ns})


def forget_sink(connection: Connection, name: str) -> None:
    """Take a sink's name away; what is in it stays."""
    connection.execute(FORGET_SINK, {"of_name": name})


def topics(connection: Connection) -> dict[str, tuple[SinkTarget, ...]]:
    """The targets of every topic that has its own."""
    found: dict[str, list[SinkTarget]] = defaultdict(list)
    for row in connection.execute(TOPICS):
        found[row.topic].append(SinkTarget(row.sink_uri, SinkMode(row.sink_mode)))
    return {topic: tuple(targets) for topic, targets in found.items()}


def topics_to(connection: Connection, uri: str) -> list[str]:
    """The topics that land in a sink."""
    return list(connection.execute(TOPICS_TO, {"uri": uri}).scalars())


def add_to_topic(connection: Connection, topic: str, targets: Sequence[SinkTarget], now_ns: int) -> None:
    """Let a topic land in these targets too; there must be one, and none that it has."""
    connection.execute(
        insert(topics_table),
        [{"topic": topic, "sink_uri": target.uri, "sink_mode": target.mode, "set_at_ns": now_ns} for target in targets],
    )


def unset_topic(connection: Connection, topic: str) -> bool:
    """Let a topic land where tables without a topic do; whether it had targets of its own."""
    return connection.execute(UNSET_TOPIC, {"of_topic": topic}).rowcount > 0
