"""How what `operations.run.run` names is done."""

from __future__ import annotations

import time
from collections.abc import Sequence

import msgspec

from casparian_flow.core.errors import UsageError
from casparian_flow.operations.context import Acting
from casparian_flow.operations.doing.contract.evolving import evolve
from casparian_flow.operations.doing.output.readiness import make_ready
from casparian_flow.operations.doing.rehearsal.replay_outcome import go_on
from casparian_flow.operations.doing.run.enqueue import enqueue
from casparian_flow.operations.doing.run.plan import Prepared, bounds_of, prepare, prepare_saved
from casparian_flow.operations.doing.run.replacing import kept_hashes, refuse_replacing
from casparian_flow.operations.doing.run.reply import Course, reply_of
from casparian_flow.operations.doing.slots import slot_count
from casparian_flow.operations.rehearsal.replay import ReplayReply
from casparian_flow.operations.run.plan import MakePlan
from casparian_flow.operations.run.reply import RunReply
from casparian_flow.operations.run.run import RunFiles
from casparian_flow.protocol.messages import Limits
from casparian_flow.sentinel.planning.catalog import apply_declared
from casparian_flow.sentinel.runs import Policy

FIRST_CONTRACTS = ("adopt", "hold")


def run(acting: Acting, request: RunFiles) -> RunReply:
    """Plan, parse, commit. One bad file never stops the others; what happened to each is in the store."""
    began = time.monotonic()
    checked_policy(acting, request)
    if request.plan is not None and request.selection != MakePlan():
        raise UsageError(
            f"the plan {request.plan} says by itself which files are read, and how",
            fix=f"casparian run --plan {request.plan}",
        )
    resumed = go_on(acting)
    if request.plan is None:
        prepared = prepare(acting, request.selection, tolerance=request.tolerance)
    else:
        prepared = prepare_saved(acting, request.plan)
    return run_prepared(acting, request, prepared, began, resumed)


def run_prepared(
    acting: Acting, request: RunFiles, prepared: Prepared, began: float, resumed: Sequence[ReplayReply]
) -> RunReply:
    """Parse and commit what the plan runs; `began` is when `time.monotonic` said that the work on it began.

    `resumed` are the replays that were taken to their end before.
    """
    policy = checked_policy(acting, request)
    make_ready(acting, prepared)
    _declare(acting, prepared)
    refuse_replacing(acting, prepared)
    began_ns = acting.clock()
    jobs = enqueue(acting, prepared, msgspec.structs.replace(policy, kept_hashes=kept_hashes(prepared)))
    acting.execution.submit(prepared.id, slot_count(acting, request.workers))
    acting.execution.wait(prepared.id, acting.report)
    evolved = evolve(acting, prepared.id)
    course = Course(jobs=jobs, began_ns=began_ns, resumed=resumed, evolved=evolved, seconds=time.monotonic() - began)
    reply = reply_of(acting, prepared, course)
    acting.report("run.finished", {"outcome": reply.outcome})
    return reply


def checked_policy(acting: Acting, request: RunFiles) -> Policy:
    """How its jobs are treated; raises UsageError."""
    governance = acting.settings.governance
    first = request.first_contract or governance.first_contract
    if first not in FIRST_CONTRACTS:
        raise UsageError(f"first contract is {' or '.join(FIRST_CONTRACTS)}, not {first}")
    bounds = bounds_of(acting, request.tolerance)
    return Policy(
        limits=Limits(
            job_seconds=request.job_seconds or acting.settings.run.job_seconds,
            memory_bytes=acting.settings.run.memory_mb << 20,
        ),
        holds_first_contracts=first == "hold",
        tolerance=bounds.share,
        quarantine_bytes=bounds.quarantine_bytes,
        back_off_seconds=acting.settings.run.retry_seconds,
        modes=acting.settings.drift.modes,
        evidence_margin=governance.evidence_margin,
    )


def _declare(acting: Acting, prepared: Prepared) -> None:
    """Put the contracts in force that the parsers of the plan declare."""
    asked = {
        (each.parser.id, each.base_table): (each.parser, each.base_table) for each in prepared.plan.runs if each.parser
    }
    apply_declared(acting.database, prepared.catalog, asked.values(), acting.clock())
