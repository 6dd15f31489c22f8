"""Merges the small files of a table: what that would do, and doing it."""

from __future__ import annotations

from casparian_flow.operations.registry import Effect, Operation, Reply, Request


class PlanCompaction(Request, frozen=True, kw_only=True):
    """One table; without a sink, the one that a query means."""

    table: str
    sink: str | None = None


class Merging(Reply, frozen=True, kw_only=True):
    """Files that become one: those of one contract version that follow each other.

    `role` says whether they hold accepted rows or quarantined ones. `left_out` counts superseded rows in them.
    """

    role: str
    contract: int
    files: int
    size: int
    rows: int
    left_out: int


class CompactionPlan(Reply, frozen=True, kw_only=True):
    """What a compaction would do. `files` are those that hold rows of the table now, quarantine included."""

    table: str
    sink: str
    snapshot: int
    files: int
    size: int
    merges: list[Merging]


class CompactOutput(Request, frozen=True, kw_only=True):
    """As `PlanCompaction`."""

    table: str
    sink: str | None = None


class Compacted(Reply, frozen=True, kw_only=True):
    """What was done. `made` is the snapshot that the compaction made, null if there was nothing to merge.

    `files` and `size` are those of the table's files afterwards; the old ones stay for the past.
    """

    plan: CompactionPlan
    made: int | None
    files: int
    size: int


OPERATIONS = (
    Operation(
        "output.compact",
        CompactOutput,
        Compacted,
        Effect.EXECUTE,
        "output.compact.compact",
        "Merge the small files of a table.",
    ),
    Operation(
        "output.plan_compact",
        PlanCompaction,
        CompactionPlan,
        Effect.READ,
        "output.compact.plan",
        "Which files of a table a compaction would merge.",
    ),
)
