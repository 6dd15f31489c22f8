"""Output tables: every one in every sink, and everything about one."""

from __future__ import annotations

from casparian_flow.operations.output.history import HistoryEntry
from casparian_flow.operations.registry import Effect, Operation, Reply, Request


class ListOutputs(Request, frozen=True, kw_only=True):
    """All output tables."""


class OutputEntry(Reply, frozen=True, kw_only=True):
    """One table in one sink: what is visible now. `contract` is the version in force, null without one.

    `purged` are rejected rows that were erased for good. `files` counts contents, `jobs` those whose rows are visible;
    `snapshot` is the newest of `snapshots`.
    """

    table: str
    sink: str
    rows: int
    quarantined: int
    contract: int | None
    files: int
    jobs: int
    snapshots: int
    snapshot: int
    last: str
    purged: int = 0


class OutputList(Reply, frozen=True, kw_only=True):
    """Every table in every sink, by name."""

    outputs: list[OutputEntry]


class ShowOutput(Request, frozen=True, kw_only=True):
    """One table; without a sink, the one that a query means."""

    table: str
    sink: str | None = None


class OutputColumn(Reply, frozen=True, kw_only=True):
    """One column as it is read from the sink: its Arrow type, and the contract's where the contract has it."""

    name: str
    type: str
    contract: str | None
    nullable: bool


class HowToRead(Reply, frozen=True, kw_only=True):
    """A line to paste into a tool."""

    tool: str
    text: str


class OutputDetail(Reply, frozen=True, kw_only=True):
    """Everything about one table in one sink. `size` counts the bytes of the files that hold its rows.

    `trouble` says why the sink cannot be read now; then `columns`, `place`, `size` and `read` say what is known.
    """

    output: OutputEntry
    origin: str | None
    place: str
    size: int | None
    columns: list[OutputColumn]
    newest: list[HistoryEntry]
    read: list[HowToRead]
    trouble: str | None


OPERATIONS = (
    Operation(
        "output.list", ListOutputs, OutputList, Effect.READ, "output.outputs.list_", "Every table in every sink."
    ),
    Operation(
        "output.show",
        ShowOutput,
        OutputDetail,
        Effect.READ,
        "output.outputs.show",
        "Everything about one table of a sink.",
    ),
)
