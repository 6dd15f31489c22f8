"""Traces rows up to the bytes they come from, and files down to the rows that they became."""

from __future__ import annotations

from enum import StrEnum

from casparian_flow.operations.lineage.graph import TraceEdge, TraceNode
from casparian_flow.operations.registry import Effect, Operation, Reply, Request


class Direction(StrEnum):
    """From rows to bytes is up, from bytes to rows is down."""

    UP = "up"
    DOWN = "down"


class AskTrace(Request, frozen=True, kw_only=True):
    """About what: a row as HASH:RECORD, TABLE:JOB:RECORD or FILE:RECORD; a file, a job or a table.

    Without a direction a row and a table go up, a file goes down, and a job goes both ways.
    """

    subject: str
    direction: Direction | None = None


class Trace(Reply, frozen=True, kw_only=True):
    """What is connected with the subject, as a graph: `roots` are where it begins.

    `kind` is row, file, job or table. At most a hundred things of one kind hang on another.
    """

    subject: str
    kind: str
    directions: list[Direction]
    roots: list[str]
    nodes: list[TraceNode]
    edges: list[TraceEdge]


OPERATIONS = (
    Operation(
        "trace",
        AskTrace,
        Trace,
        Effect.READ,
        "lineage.trace.trace",
        "From rows up to bytes, or from files down to rows.",
    ),
)
