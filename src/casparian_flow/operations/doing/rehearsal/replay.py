"""How what `operations.rehearsal.replay` names is done."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

from casparian_flow.core.errors import CanaryFailed, PlanStale
from casparian_flow.core.proofs import Empirical, Impact, Promise
from casparian_flow.core.proposal_bodies import Selection, request_signature, selection_digest
from casparian_flow.core.proposals import MOVES, Kind, Origin, Risk, State, label
from casparian_flow.core.replays import ReplayKind
from casparian_flow.operations.context import Acting
from casparian_flow.operations.doing.output.readiness import make_sinks_ready
from casparian_flow.operations.doing.rehearsal.replay_outcome import WORKERS, go_on, reply_of
from casparian_flow.operations.doing.rehearsal.replay_selection import AWAY, File, Found, find
from casparian_flow.operations.doing.rehearsal.replay_stopped import raise_if_stopped
from casparian_flow.operations.doing.rehearsal.replay_trial import Outlook, Tried, outlook_of, try_files, within
from casparian_flow.operations.rehearsal.replay import (
    LeftOut,
    PlanReplay,
    ReplayPlan,
    ReplayReply,
    StartReplay,
)
from casparian_flow.sentinel.governance.effects_replay import base_of
from casparian_flow.sentinel.planning import replaying
from casparian_flow.store import proposals as proposal_store
from casparian_flow.store import replays as replay_store
from casparian_flow.store.proposals import Draft, Proof
from casparian_flow.store.replays import Expected, NewReplay

CHANGES = "accepted rows would change or get lost, or every replay is approved here"
"""Why a replay is proposed, not begun."""
DOES_NOTHING = "its options release none of these rows; they do not stand, and no file is read again"


def plan(acting: Acting, request: PlanReplay) -> ReplayPlan:
    """What would be read again; raises NotFound and UsageError. Nothing is kept."""
    found = find(acting, request.groups, request.options)
    tried = list(try_files(acting, found, _within_proof(acting, found.files)))
    outlook = outlook_of(tried)
    return ReplayPlan(
        digest=found.digest,
        parser=found.parser.artifact.label,
        causes=list(found.causes),
        options=dict(found.options),
        files=len(found.files),
        bytes=sum(file.size for file in found.files),
        rows=sum(file.rows for file in found.files),
        unchanged=found.unchanged,
        left_out=_left_out(found),
        tried=len(tried),
        passes=outlook.released,
        fails=outlook.failing,
        accepted_lost=outlook.lost,
        accepted_changed=outlook.changed,
        new_codes=sorted(outlook.codes - {entry.code for entry in found.rejected}),
        failures=[LeftOut(path=each.file.path, why=each.error.message) for each in tried if each.error is not None],
        reopens=found.reopens,
        needs_approval=_needs_approval(acting, outlook),
        why=_why_not(found, tried),
    )


def start(acting: Acting, request: StartReplay) -> ReplayReply:
    """Read the rows of causes again, and wait for it; what a crash left of an earlier replay comes first.

    The first files are tried before anything is queued. Where they would lose or change accepted rows the replay is
    proposed, not begun; where options leave all of them as they are, nothing is begun. Raises CanaryFailed when they
    cannot be read, or do not come out as they did when they were tried: the rest is as it was.
    """
    go_on(acting)
    found = find(acting, request.groups, request.options)
    if request.plan_digest not in (None, found.digest):
        raise PlanStale("the replay is not what it was when it was planned", fix="casparian quarantine list")
    if not found.files:
        return _nothing_read(found)
    make_sinks_ready(acting, found.sinks)
    first = list(try_files(acting, found, found.files[: request.canary]))
    _raise_if_unreadable(first)
    if found.options and _does_nothing(acting, found, first):
        return _nothing_read(found, why=DOES_NOTHING)
    if _needs_approval(acting, outlook_of(first)):
        proposal = propose(acting, found, request.reason)
        return _nothing_read(found, label(Kind.REPLAY, proposal), CHANGES)
    expected: dict[int, Mapping[str, Expected] | None] = {file.job: {} for file in found.files}
    expected |= {each.file.job: each.expected for each in first}
    with acting.database.transaction() as connection:
        plan = replaying.begin(connection, _wanted(acting, request, found), expected, acting.clock())
        begun = None if plan is None else replay_store.of_plan(connection, plan)
    if plan is None or begun is None:
        return _nothing_read(found)
    number = begun.id
    acting.execution.submit(plan, WORKERS)
    acting.execution.wait(plan, acting.report)
    reply = reply_of(acting, number, unchanged=found.unchanged, left_out=_left_out(found), reopens=found.reopens)
    raise_if_stopped(str(number), reply.stopped)
    return reply


def propose(acting: Acting, found: Found, reason: str) -> int:
    """Ask for approval of a replay, with what comes of as many of its files as can be tried; the proposal."""
    body = Selection(
        entries=tuple(found.entries),
        options=dict(found.options),
        repairs=tuple(found.repairs),
        parser=found.parser_id,
    )
    with acting.database.transaction() as connection:  # before it is tried: what moves meanwhile voids the proposal
        base = base_of(connection, body)
    tried = list(try_files(acting, found, _within_proof(acting, found.files)))
    outlook = outlook_of(tried)
    tables = {entry.table for entry in found.rejected}
    proof = Proof(
        risk=Risk.RESTRICTIVE if outlook.lost or outlook.changed else Risk.LOSSLESS,
        empirical=Empirical(
            rows_checked=outlook.rows,
            newly_failing=outlook.lost,
            released=outlook.released,
            still_failing=outlook.failing,
            files_read=len(tried),
            bytes_read=sum(each.bytes_read for each in tried),
            is_complete=len(tried) == len(found.files),
        ),
        impact=Impact(
            released=outlook.released,
            newly_failing=outlook.lost,
            files_reopened=len(found.files),
            bytes_to_read=sum(file.size for file in found.files),
            outputs=tuple(sorted(tables)),
            replays=tuple(
                Promise(
                    version=each.version,
                    job=each.file.job,
                    table=table,
                    accepted=its.accepted,
                    quarantined=its.quarantined,
                    row_digest=its.row_digest,
                )
                for each in tried
                for table, its in sorted(each.expected.items())
            ),
        ),
    )
    with acting.database.transaction() as connection:
        wanted = Draft(
            kind=Kind.REPLAY,
            signature=request_signature(Kind.REPLAY, "", base, body),
            table=next(iter(tables)) if len(tables) == 1 else None,
            base_digest=base,
            body=body,
            origin=Origin.PERSON,
            proposed_by=acting.actor,
            reason=reason,
        )
        proposal = proposal_store.draft(connection, wanted, acting.clock())
        if State.PROPOSED in MOVES[State(proposal_store.one(connection, proposal).state)]:
            proposal_store.propose(connection, proposal, proof, acting.clock())
    return proposal


def _needs_approval(acting: Acting, outlook: Outlook) -> bool:
    """Whether a person has to agree first: rows that are there would be others."""
    return acting.settings.governance.replay_approval == "always" or bool(outlook.lost or outlook.changed)


def _does_nothing(acting: Acting, found: Found, first: Sequence[Tried]) -> bool:
    """Whether no file would have other accepted rows; not said where they are too many to try each of them."""
    rest = found.files[len(first) :]
    if any(map(_does_something, first)) or (rest and len(_within_proof(acting, rest)) < len(rest)):
        return False
    return not any(map(_does_something, try_files(acting, found, rest)))


def _does_something(tried: Tried) -> bool:
    """Whether a file would have other accepted rows, or nobody knows."""
    difference = tried.difference
    return bool(difference.released or difference.lost or difference.changed or tried.error)


def _within_proof(acting: Acting, files: Sequence[File]) -> Sequence[File]:
    return within(files, acting.settings.governance.proof_mb << 20)


def _why_not(found: Found, tried: Sequence[Tried]) -> str | None:
    """Why no file would be read again, if all of them were tried."""
    if not found.files:
        return _why_nothing(found)
    is_idle = len(tried) == len(found.files) and not any(map(_does_something, tried))
    return DOES_NOTHING if found.options and is_idle else None


def _raise_if_unreadable(tried: Sequence[Tried]) -> None:
    for each in tried:
        if each.error is not None:
            raise CanaryFailed(
                f"{each.file.path} cannot be read again: {each.error.message}",
                why=each.error.why,
                fix=f"casparian why {shlex.quote(each.file.path)}",
            )


def _nothing_read(found: Found, proposal: str | None = None, why: str | None = None) -> ReplayReply:
    return ReplayReply(
        replay=None,
        released=0,
        still_failing=0,
        accepted_lost=0,
        unchanged=found.unchanged,
        left_out=_left_out(found),
        proposal=proposal,
        why=_why_nothing(found) if why is None else why,
    )


def _why_nothing(found: Found) -> str:
    """Why no file is read again."""
    if found.unchanged:
        files = "1 file" if found.unchanged == 1 else f"{found.unchanged:,} files"
        return f"{files} would come out as before: parser, options and contract are those they were read with"
    if any(why != AWAY for _, why in found.left_out):
        return "none of its files may be read again without a person who says so"
    if found.left_out or found.files:
        return "the bytes of the files with its rows are not there any more"
    return "none of its rows waits any more"


def _wanted(acting: Acting, request: StartReplay, found: Found) -> NewReplay:
    return NewReplay(
        kind=ReplayKind.OPTION if request.options else ReplayKind.MANUAL,
        causes=found.causes,
        asked_by=acting.actor,
        reason=request.reason,
        selection_digest=selection_digest(found.entries),
        options=request.options or None,
        parser=found.parser_id,
        canary=request.canary,
    )


def _left_out(found: Found) -> list[LeftOut]:
    return [LeftOut(path=path, why=why) for path, why in found.left_out]
