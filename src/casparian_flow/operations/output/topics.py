"""Topics: which sinks the tables of one name land in, unless a run says otherwise."""

from __future__ import annotations

from casparian_flow.core.outputs import SinkMode
from casparian_flow.operations.registry import Effect, Operation, Reply, Request


class ListTopics(Request, frozen=True, kw_only=True):
    """Every topic that has sinks of its own."""


class TopicSink(Reply, frozen=True, kw_only=True):
    """One sink of a topic, and what happens there to rows that exist."""

    topic: str
    sink: str
    name: str | None
    mode: SinkMode


class TopicEntry(Reply, frozen=True, kw_only=True):
    """Where a topic lands. `by` is the topic that says so, itself or one that its name begins with; null: the home.

    `tables` are those that have rows somewhere and land by it.
    """

    topic: str
    by: str | None
    sinks: list[TopicSink]
    tables: list[str]


class TopicList(Reply, frozen=True, kw_only=True):
    """Each topic with each of its sinks, by name."""

    topics: list[TopicSink]


class ShowTopic(Request, frozen=True, kw_only=True):
    """A topic, or a table: where it lands."""

    topic: str


class SetTopic(Request, frozen=True, kw_only=True):
    """The sinks of a topic, by URI or name, in place of those before."""

    topic: str
    sinks: tuple[str, ...]
    mode: SinkMode = SinkMode.APPEND


class AddToTopic(Request, frozen=True, kw_only=True):
    """More sinks of a topic, by URI or name, beside those it has."""

    topic: str
    sinks: tuple[str, ...]
    mode: SinkMode = SinkMode.APPEND


class RemoveTopic(Request, frozen=True, kw_only=True):
    """A topic that shall have no sinks of its own."""

    topic: str


OPERATIONS = (
    Operation(
        "topic.list",
        ListTopics,
        TopicList,
        Effect.READ,
        "output.topics.list_",
        "Every topic that has sinks of its own.",
    ),
    Operation(
        "topic.show", ShowTopic, TopicEntry, Effect.READ, "output.topics.show", "Where the tables of a topic land."
    ),
    Operation(
        "topic.set",
        SetTopic,
        TopicEntry,
        Effect.EXECUTE,
        "output.topics.set_",
        "Let a topic land in these sinks alone.",
        may_be_tried=True,
    ),
    Operation(
        "topic.add",
        AddToTopic,
        TopicEntry,
        Effect.EXECUTE,
        "output.topics.add",
        "Let a topic land in these sinks too.",
        may_be_tried=True,
    ),
    Operation(
        "topic.remove",
        RemoveTopic,
        TopicEntry,
        Effect.EXECUTE,
        "output.topics.remove",
        "Let a topic have no sinks of its own.",
        may_be_tried=True,
    ),
)
