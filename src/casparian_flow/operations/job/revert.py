"""Undoes one job in every table that shows its rows: what that would do, and doing it."""

from __future__ import annotations

from casparian_flow.operations.registry import Effect, Operation, Reply, Request


class PlanJobRevert(Request, frozen=True, kw_only=True):
    """One job: its id, the beginning of it, `@last`, or `@-1` for the one before the last."""

    job: str


class TableRevert(Reply, frozen=True, kw_only=True):
    """What it does to one table of one sink. `rows_out` and `rows_back` count accepted rows.

    `newest` is the snapshot that the table is at before.
    """

    table: str
    sink: str
    newest: int
    rows_before: int
    rows_after: int
    rows_out: int
    rows_back: int
    quarantined_before: int
    quarantined_after: int
    jobs_back: list[str]


class JobRevertPlan(Reply, frozen=True, kw_only=True):
    """What undoing a job does. Its bytes, those at `path`, are not read again by a run afterwards.

    `newest` is the newest snapshot of all these tables.
    """

    job: str
    path: str
    newest: int
    tables: list[TableRevert]


class RevertJob(Request, frozen=True, kw_only=True):
    """As `PlanJobRevert`; with `newest`, only while that still is what the plan said."""

    job: str
    reason: str
    newest: int | None = None


class JobReverted(Reply, frozen=True, kw_only=True):
    """What was done. `made` are the snapshots that it made, one for each table of the plan."""

    plan: JobRevertPlan
    made: list[int]
    by: str
    reason: str


OPERATIONS = (
    Operation(
        "jobs.plan_revert",
        PlanJobRevert,
        JobRevertPlan,
        Effect.READ,
        "job.revert.plan",
        "What undoing a job would do.",
    ),
    Operation(
        "jobs.revert",
        RevertJob,
        JobReverted,
        Effect.EXECUTE,
        "job.revert.revert",
        "Undo one job in every table that shows its rows.",
    ),
)
