"""Runs: a directory becomes tables."""

from __future__ import annotations

from casparian_flow.operations.limits import Seconds, Share, SlotCount
from casparian_flow.operations.registry import Effect, Operation, Request
from casparian_flow.operations.run.plan import MakePlan
from casparian_flow.operations.run.reply import RunReply


class RunFiles(Request, frozen=True, kw_only=True):
    """What to run: a selection with its options, or a saved plan as it is."""

    selection: MakePlan = MakePlan()
    plan: str | None = None
    workers: SlotCount | None = None
    job_seconds: Seconds | None = None
    tolerance: Share | None = None
    first_contract: str | None = None


OPERATIONS = (Operation("run", RunFiles, RunReply, Effect.EXECUTE, "run.run.run", "Turn files into tables."),)
