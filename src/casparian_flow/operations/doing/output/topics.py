"""How what `operations.output.topics` names is done."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from casparian_flow.core.errors import NotFound
from casparian_flow.core.outputs import SinkMode, SinkTarget
from casparian_flow.core.routes import Routes, topics_over
from casparian_flow.operations.context import Reading
from casparian_flow.operations.doing.output.destinations import targets_of_topic, topic_named
from casparian_flow.operations.output.topics import (
    AddToTopic,
    ListTopics,
    RemoveTopic,
    SetTopic,
    ShowTopic,
    TopicEntry,
    TopicList,
    TopicSink,
)
from casparian_flow.operations.writing import Writing
from casparian_flow.settings import Home
from casparian_flow.sinks.uri import open_sink
from casparian_flow.store import destinations as stored
from casparian_flow.store.views import sinks as view


def list_(reading: Reading, _request: ListTopics) -> TopicList:
    """Every topic."""
    routes = _routes(reading.connection, reading.home)
    return TopicList(topics=[sink for topic in routes.topics for sink in _sinks(reading.connection, routes, topic)])


def show(reading: Reading, request: ShowTopic) -> TopicEntry:
    """Where the tables of a topic land now."""
    return _entry(reading.connection, _routes(reading.connection, reading.home), topic_named(request.topic))


def set_(acting: Writing, request: SetTopic) -> TopicEntry:
    """Let a topic land in these sinks from the next run on; rows that are elsewhere stay there."""
    topic = topic_named(request.topic)
    with acting.database.transaction() as connection:
        stored.unset_topic(connection, topic)
        return _add(acting, connection, topic, request.sinks, request.mode)


def add(acting: Writing, request: AddToTopic) -> TopicEntry:
    """Let a topic land in these sinks too; raises UsageError for one that it has."""
    with acting.database.transaction() as connection:
        return _add(acting, connection, topic_named(request.topic), request.sinks, request.mode)


def remove(acting: Writing, request: RemoveTopic) -> TopicEntry:
    """Let a topic land where its tables do without it; raises NotFound. The reply is where that is."""
    topic = topic_named(request.topic)
    with acting.database.transaction() as connection:
        if not stored.unset_topic(connection, topic):
            raise NotFound(f"the topic {topic} has no sinks of its own", fix="casparian topic list")
        return _entry(connection, _routes(connection, acting.home), topic)


def _add(acting: Writing, connection: Connection, topic: str, sinks: Sequence[str], mode: SinkMode) -> TopicEntry:
    targets = targets_of_topic(connection, topic, sinks, mode, acting.cwd)
    # Validated together with those it has, before any is kept.
    Routes(default=(*stored.topics(connection).get(topic, ()), *targets))
    for target in targets:
        open_sink(target.uri)
    stored.add_to_topic(connection, topic, targets, acting.clock())
    return _entry(connection, _routes(connection, acting.home), topic)


def _routes(connection: Connection, home: Home) -> Routes:
    """What holds when a run says nothing about sinks; raises UsageError for targets that contradict each other."""
    return Routes(default=(SinkTarget(home.default_sink),), topics=stored.topics(connection))


def _entry(connection: Connection, routes: Routes, topic: str) -> TopicEntry:
    known = sorted({row["table"] for row in view.shown_tables(connection)})
    return TopicEntry(
        topic=topic,
        by=routes.topic_of(topic),
        sinks=_sinks(connection, routes, topic),
        tables=[table for table in known if topic in topics_over(table) and routes.topic_of(table) in (topic, None)],
    )


def _sinks(connection: Connection, routes: Routes, topic: str) -> list[TopicSink]:
    names = {row.uri: row.name for row in stored.named_sinks(connection)}
    return [
        TopicSink(topic=topic, sink=target.uri, name=names.get(target.uri), mode=target.mode)
        for target in routes.targets_of(topic)
    ]
