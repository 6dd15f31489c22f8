"""Sinks: the places where tables land, their names, and whether they can be written to."""

from __future__ import annotations

from casparian_flow.operations.registry import Effect, Operation, Reply, Request


class ListSinks(Request, frozen=True, kw_only=True):
    """Every sink."""


class SinkEntry(Reply, frozen=True, kw_only=True):
    """One sink. `rows` are the current ones of its tables, `last` is when the newest were recorded."""

    sink: str
    name: str | None
    is_default: bool
    topics: list[str]
    tables: int
    rows: int
    last: str | None


class SinkList(Reply, frozen=True, kw_only=True):
    """The home's own sink, and every other that has a name, a topic or a commit."""

    sinks: list[SinkEntry]


class AddSink(Request, frozen=True, kw_only=True):
    """A sink and the name that it gets. Nothing is written to it."""

    uri: str
    name: str


class CheckSink(Request, frozen=True, kw_only=True):
    """A sink by its URI or its name."""

    sink: str


class WaitingCommit(Reply, frozen=True, kw_only=True):
    """An entry of a table's log that was permitted and is not known to be visible; `job` is null if it adds no rows."""

    table: str
    role: str
    seq: int
    job: str | None
    message: str | None
    why: str | None


class SinkChecked(Reply, frozen=True, kw_only=True):
    """A sink that this home can write to. `is_claimed`: this home did already; `waiting` makes a run refuse it."""

    sink: str
    is_claimed: bool
    tables: int
    waiting: list[WaitingCommit]


class RemoveSink(Request, frozen=True, kw_only=True):
    """The name of a sink."""

    name: str


class SinkRemoved(Reply, frozen=True, kw_only=True):
    """The name that is gone, and the sink that it stood for, which stays as it is."""

    name: str
    sink: str


OPERATIONS = (
    Operation(
        "sink.list", ListSinks, SinkList, Effect.READ, "output.sinks.list_", "Every sink, its name and what is in it."
    ),
    Operation(
        "sink.add", AddSink, SinkEntry, Effect.EXECUTE, "output.sinks.add", "Give a sink a name.", may_be_tried=True
    ),
    Operation(
        "sink.check",
        CheckSink,
        SinkChecked,
        Effect.READ,
        "output.sinks.check",
        "Whether this home can write to a sink.",
        reads=("sink",),
    ),
    Operation(
        "sink.remove",
        RemoveSink,
        SinkRemoved,
        Effect.EXECUTE,
        "output.sinks.remove",
        "Forget the name of a sink.",
        may_be_tried=True,
    ),
)
