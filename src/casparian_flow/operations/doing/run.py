"""How what `operations.run` names is done."""

from __future__ import annotations

import os
import time

import msgspec

from casparian_flow.core.errors import UsageError
from casparian_flow.core.outputs import SinkMode
from casparian_flow.operations.context import Acting
from casparian_flow.operations.doing.enqueue import enqueue
from casparian_flow.operations.doing.plan import Prepared, prepare, prepare_saved
from casparian_flow.operations.doing.readiness import make_ready
from casparian_flow.operations.doing.run_reply import reply_of
from casparian_flow.operations.run import RunFiles
from casparian_flow.operations.run_reply import RunReply
from casparian_flow.protocol.messages import Limits
from casparian_flow.sentinel.catalog import apply_declared
from casparian_flow.sentinel.runs import Policy

FIRST_CONTRACTS = ("adopt", "hold")


def run(acting: Acting, request: RunFiles) -> RunReply:
    """Plan, parse, commit. One bad file never stops the others; what happened to each is in the store."""
    began = time.monotonic()
    checked_policy(acting, request)
    prepared = prepare(acting, request.selection) if request.plan is None else prepare_saved(acting, request.plan)
    return run_prepared(acting, request, prepared, began)


def run_prepared(acting: Acting, request: RunFiles, prepared: Prepared, began: float) -> RunReply:
    """Parse and commit what the plan runs; `began` is when `time.monotonic` said that the work on it began."""
    policy = checked_policy(acting, request)
    make_ready(acting, prepared)
    _declare(acting, prepared)
    jobs = enqueue(acting, prepared, msgspec.structs.replace(policy, kept_hashes=_kept_hashes(prepared)))
    acting.execution.submit(prepared.id, _workers(acting, request))
    acting.execution.wait(prepared.id, acting.report)
    reply = reply_of(acting, prepared, jobs, time.monotonic() - began)
    acting.report("run.finished", {"outcome": reply.outcome})
    return reply


def checked_policy(acting: Acting, request: RunFiles) -> Policy:
    """How its jobs are treated; raises UsageError."""
    governance = acting.settings.governance
    first = request.first_contract or governance.first_contract
    if first not in FIRST_CONTRACTS:
        raise UsageError(f"first contract is {' or '.join(FIRST_CONTRACTS)}, not {first}")
    tolerance = governance.tolerance if request.tolerance is None else request.tolerance
    return Policy(
        limits=Limits(
            job_seconds=request.job_seconds or acting.settings.run.job_seconds,
            memory_bytes=acting.settings.run.memory_mb << 20,
        ),
        holds_first_contracts=first == "hold",
        tolerance=tolerance,
        back_off_seconds=acting.settings.run.retry_seconds,
    )


def _kept_hashes(prepared: Prepared) -> tuple[str, ...]:
    """The bytes of the selected files that are there: what a replacement keeps where it brings nothing newer."""
    routes = prepared.plan.routes
    if all(target.mode is not SinkMode.REPLACE for target in routes.every_target()):
        return ()
    files = (decision.file for decision in prepared.plan.decisions if decision.file.is_selected)
    return tuple(sorted({file.source_hash for file in files if file.source_hash is not None and not file.is_missing}))


def _declare(acting: Acting, prepared: Prepared) -> None:
    """Put the contracts in force that the parsers of the plan declare."""
    asked = {
        (each.parser.id, each.base_table): (each.parser, each.base_table) for each in prepared.plan.runs if each.parser
    }
    apply_declared(acting.database, prepared.catalog, asked.values(), acting.clock())


def _workers(acting: Acting, request: RunFiles) -> int:
    """How many workers; 0 in the settings means one per core."""
    return request.workers or acting.settings.run.workers or len(os.sched_getaffinity(0))
