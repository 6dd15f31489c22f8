"""How what `operations.run` names is done."""

from __future__ import annotations

import os
import shutil
import time

from casparian_flow.core.errors import UsageError
from casparian_flow.operations.context import Acting
from casparian_flow.operations.doing.enqueue import enqueue
from casparian_flow.operations.doing.plan import Prepared, prepare, prepare_saved
from casparian_flow.operations.doing.readiness import make_ready
from casparian_flow.operations.doing.run_reply import reply_of
from casparian_flow.operations.run import RunFiles
from casparian_flow.operations.run_reply import RunReply
from casparian_flow.protocol.messages import Limits
from casparian_flow.sentinel.catalog import apply_declared
from casparian_flow.sentinel.drive import drive
from casparian_flow.sentinel.orders import Dispatcher
from casparian_flow.sentinel.service import Policy, Sentinel

FIRST_CONTRACTS = ("adopt", "hold")


def run(acting: Acting, request: RunFiles) -> RunReply:
    """Plan, parse, commit. One bad file never stops the others; what happened to each is in the store."""
    began = time.monotonic()
    policy = _policy(acting, request)
    prepared = prepare(acting, request.selection) if request.plan is None else prepare_saved(acting, request.plan)
    make_ready(acting, prepared)
    sentinel = _sentinel(acting, prepared, request, policy)
    jobs = enqueue(acting, prepared, sentinel)
    if jobs:
        with acting.workers(_workers(acting, request)) as pool:
            drive(sentinel, pool, acting.clock)
    sentinel.finish(_present_hashes(prepared), acting.clock())
    shutil.rmtree(acting.home.staging, ignore_errors=True)
    reply = reply_of(acting, prepared, sentinel, jobs, time.monotonic() - began)
    acting.report("run.finished", {"outcome": reply.outcome})
    return reply


def _policy(acting: Acting, request: RunFiles) -> Policy:
    governance = acting.settings.governance
    first = request.first_contract or governance.first_contract
    if first not in FIRST_CONTRACTS:
        raise UsageError(f"first contract is {' or '.join(FIRST_CONTRACTS)}, not {first}")
    tolerance = governance.tolerance if request.tolerance is None else request.tolerance
    return Policy(
        holds_first_contracts=first == "hold",
        tolerance=tolerance,
        back_off_seconds=acting.settings.run.retry_seconds,
    )


def _present_hashes(prepared: Prepared) -> set[str]:
    """The bytes of the selected files that are there: what a replacement keeps where it brings nothing newer."""
    files = (decision.file for decision in prepared.plan.decisions if decision.file.is_selected)
    return {file.source_hash for file in files if file.source_hash is not None and not file.is_missing}


def _sentinel(acting: Acting, prepared: Prepared, request: RunFiles, policy: Policy) -> Sentinel:
    asked = {
        (each.parser.id, each.base_table): (each.parser, each.base_table) for each in prepared.plan.runs if each.parser
    }
    apply_declared(acting.database, prepared.catalog, asked.values(), acting.clock())
    limits = Limits(
        job_seconds=request.job_seconds or acting.settings.run.job_seconds,
        memory_bytes=acting.settings.run.memory_mb << 20,
    )
    dispatcher = Dispatcher(
        acting.database,
        prepared.catalog.registered,
        str(acting.home.staging),
        limits,
        _workers(acting, request),
    )
    return Sentinel(acting.database, dispatcher, acting.open_sink, policy, acting.report)


def _workers(acting: Acting, request: RunFiles) -> int:
    """How many workers; 0 in the settings means one per core."""
    return request.workers or acting.settings.run.workers or len(os.sched_getaffinity(0))
