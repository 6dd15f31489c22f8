"""The graph of a trace: each thing once, with its facts, and what it has to do with the others."""

from __future__ import annotations

from casparian_flow.operations.registry import Reply

Fact = str | int | float | bool | None | dict[str, str | None]


class TraceNode(Reply, frozen=True, kw_only=True):
    """One thing: `kind` is row, job, parser, environment, bytes, file, table, contract, commit or sink."""

    id: str
    kind: str
    title: str
    facts: dict[str, Fact]


class TraceEdge(Reply, frozen=True, kw_only=True):
    """What one thing has to do with another, read from `start` to `end`."""

    start: str
    end: str
    says: str
