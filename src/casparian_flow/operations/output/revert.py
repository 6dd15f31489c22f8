"""Takes a table back to an earlier snapshot: what that would do, and doing it."""

from __future__ import annotations

from casparian_flow.operations.registry import Effect, Operation, Reply, Request


class PlanRevert(Request, frozen=True, kw_only=True):
    """One table and the snapshot to go back to: a number of its history, `@last`, or `@-1` for the one before it.

    0 is the table before its first commit. Without a sink, the one that a query means.
    """

    table: str
    snapshot: str
    sink: str | None = None


class RevertPlan(Reply, frozen=True, kw_only=True):
    """What a revert does. `rows_out` and `rows_back` count accepted rows.

    `held` files are there and are not read again by a run; those of the same bytes count once.
    """

    table: str
    sink: str
    snapshot: int
    newest: int
    rows_before: int
    rows_after: int
    rows_out: int
    rows_back: int
    quarantined_before: int
    quarantined_after: int
    jobs_out: list[str]
    jobs_back: list[str]
    held: int


class RevertOutput(Request, frozen=True, kw_only=True):
    """As `PlanRevert`; with `newest`, only while that still is the table's newest snapshot."""

    table: str
    snapshot: str
    sink: str | None = None
    reason: str = ""
    newest: int | None = None


class Reverted(Reply, frozen=True, kw_only=True):
    """What was done: the snapshot that the revert made, which can be reverted like any other."""

    plan: RevertPlan
    made: int
    by: str
    reason: str


OPERATIONS = (
    Operation(
        "output.plan_revert", PlanRevert, RevertPlan, Effect.READ, "output.revert.plan", "What a revert would do."
    ),
    Operation(
        "output.revert",
        RevertOutput,
        Reverted,
        Effect.EXECUTE,
        "output.revert.revert",
        "Take a table back to an earlier snapshot.",
    ),
)
