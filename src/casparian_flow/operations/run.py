"""Runs: a directory becomes tables."""

from __future__ import annotations

from casparian_flow.operations.plan import MakePlan
from casparian_flow.operations.registry import Effect, Operation, Request
from casparian_flow.operations.run_reply import RunReply


class RunFiles(Request, frozen=True, kw_only=True):
    """What to run: a selection with its options, or a saved plan as it is."""

    selection: MakePlan = MakePlan()
    plan: str | None = None
    workers: int | None = None
    job_seconds: float | None = None
    tolerance: float | None = None
    first_contract: str | None = None


OPERATIONS = (Operation("run", RunFiles, RunReply, Effect.EXECUTE, "run.run", "Turn files into tables."),)
