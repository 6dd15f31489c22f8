"""A decision of whoever types: looked up, signed here, sent, and told."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from casparian_flow.clients.cli.render import counted, plain
from casparian_flow.clients.cli.replay_lines import WHAT_STAYS, left_out_lines, rows_text, stopped_lines, undo_commands
from casparian_flow.core.errors import CanaryFailed, KeyMissing, Refused, ScopeMissing, UsageError, VersionChanged
from casparian_flow.core.proposals import Decision, Kind

if TYPE_CHECKING:
    from casparian_flow.clients.cli.face import Face
    from casparian_flow.clients.signing import Signer
    from casparian_flow.operations.approval.keys import FirstDecision, KeyEntry
    from casparian_flow.operations.approval.proposals import Decided, ProposalDetail
    from casparian_flow.operations.rehearsal.replay import ReplayEntry, ReplayReply

MORE_NEEDED = Refused.exit_code
SHORTEST_DIGEST = 6
"""So many characters of a digest tell what somebody saw."""
STOPPED = "stopped"
"""The stage of a replay whose first files did not come out as expected."""


def approve(
    face: Face, named: str, reason: str, *, ask: Callable[[dict[str, Any]], Decided], digest: str | None = None
) -> int:
    """Sign what the proposal is now, `ask` with that, and say what it led to.

    Raises UsageError for a `digest` too short to tell one proposal from another, VersionChanged if it is not how that
    of the proposal begins. The exit code: 4 where others have to approve too, 7 where what it promised did not come
    out as expected.
    """
    seen = _seen(face, named, digest)
    reply = ask(_signed(face, seen, Decision.APPROVE, reason))
    face.show("casparian.approval/1", reply, _approved(reply))
    if reply.replay is not None and reply.replay.replay is not None and reply.replay.replay.stage == STOPPED:
        return CanaryFailed.exit_code
    return 0 if reply.is_applied else MORE_NEEDED


def reject(face: Face, named: str, reason: str, *, changes: bool, digest: str | None = None) -> None:
    """Sign that it is not to be, or not so; raises what `approve` raises of `digest`."""
    from casparian_flow.operations.approval.proposals import RejectProposal

    seen = _seen(face, named, digest)
    signed = _signed(face, seen, Decision.REQUEST_CHANGES if changes else Decision.REJECT, reason)
    reply = face.ask(
        "approval.reject", RejectProposal(proposal=seen.proposal.id, reason=reason, changes=changes, **signed)
    )
    said = "changes requested" if changes else "rejected"
    face.show(
        "casparian.rejection/1", reply, [f"{reply.proposal.id} {said} by {plain(reply.decided_by)}: {plain(reason)}"]
    )


def enrolled(face: Face, signer: Signer) -> KeyEntry | None:
    """The key as the home knows it."""
    from casparian_flow.operations.approval.keys import ListKeys

    known = face.ask("key.list", ListKeys()).keys
    found: KeyEntry | None = next((each for each in known if each.key == signer.key), None)
    return found


def enrol(face: Face, signer: Signer, actor: str | None, *, first: FirstDecision | None = None) -> KeyEntry:
    """Have the key of this person let in; the first of a home with the decision that it is for."""
    from casparian_flow.operations.approval.keys import AddKey

    try:
        entry: KeyEntry = face.ask("key.add", AddKey(public=signer.public, actor=actor, first=first))
    except ScopeMissing as exc:
        raise KeyMissing(
            "your key is not one of this home, and you may not add it",
            why="an administrator of the home has to",
            fix=f"casparian key add --actor NAME --public {signer.public.hex()}",
        ) from exc
    return entry


def _seen(face: Face, named: str, digest: str | None) -> ProposalDetail:
    from casparian_flow.operations.approval.proposals import ShowProposal

    begins = None if digest is None else _beginning(named, digest)
    seen: ProposalDetail = face.ask("approval.show", ShowProposal(proposal=named))
    if begins is not None and not (seen.digest or "").removeprefix("blake3:").startswith(begins):
        raise VersionChanged(
            f"{seen.proposal.id} is not what you saw",
            why=f"its digest is {seen.digest}",
            fix=f"casparian approval show {seen.proposal.id}",
        )
    return seen


def _beginning(named: str, digest: str) -> str:
    """What somebody says that they saw. Empty it is what an unset variable of a shell leaves: that is no look."""
    begins = digest.removeprefix("blake3:")
    if len(begins) < SHORTEST_DIGEST:
        raise UsageError(
            f"--digest takes at least the first {SHORTEST_DIGEST} characters of the digest that you saw",
            why=f"given: {begins!r}" if begins else "it is empty: is a variable of your shell not set?",
            fix=f"casparian approval show {named}",
        )
    return begins


def _signed(face: Face, seen: ProposalDetail, decision: Decision, reason: str) -> dict[str, Any]:
    """What a decision says of itself, signed with the key of this person; the first key of a home is made here."""
    from casparian_flow.clients.signing import key_file, made_signer, signer_at
    from casparian_flow.operations.approval.keys import FirstDecision, ListKeys

    path = key_file(os.environ)
    living = [each for each in face.ask("key.list", ListKeys()).keys if each.is_in_force]
    if living:
        signer = signer_at(path)
        known = enrolled(face, signer)
        if known is None:
            raise KeyMissing("your key is not one of this home", why=f"key {signer.key} of {path}")
    else:
        signer = made_signer(path)
        first = FirstDecision(proposal=seen.proposal.id, decision=decision, reason=reason)
        known = enrol(face, signer, None, first=first)
        face.note(f"your key {signer.key} is the first of this home; keep {path} safe")
    signature = signer.sign(
        home=seen.home,
        proposal=seen.proposal.id,
        digest=seen.digest or "",
        decision=decision,
        actor=known.actor,
        reason=reason,
    )
    return {
        "digest": seen.digest or "",
        "at": signature.at_ns,
        "key": signature.key,
        "signature": signature.signature,
    }


def _approved(reply: Decided) -> Iterator[str]:
    proposal = reply.proposal
    by = ", ".join(map(plain, reply.approvers))
    if not reply.is_applied:
        yield f"{proposal.id} has {len(reply.approvers)} of {proposal.needed} approvals: {by or 'none'}"
        yield from (f"not counted: {plain(why)}" for why in reply.uncounted)
        yield f"next: casparian approve {proposal.id}, by somebody else"
        return
    says = f", self_approved by {by}" if proposal.is_self_approved else f", approved by {by}"
    if proposal.needed is not None and len(reply.approvers) < proposal.needed:
        says += f" (single person: {len(reply.approvers)} is enough)"
    if reply.contract is not None:
        yield f"contract {reply.contract} of {plain(reply.table)} version {reply.version} is in force"
    yield f"{proposal.id} is applied{says}"
    yield f"decided by {plain(reply.decided_by)}, bound to {plain(reply.digest)}"
    if erased := reply.erased:
        rows, files = counted(erased.rows, "row"), counted(erased.files, "file")
        yield f"erased {rows} of {files} from {', '.join(map(plain, erased.tables))}"
        yield from (f"{each.proposal} is void: {plain(each.why)}" for each in erased.ended)
    yield from left_out_lines(reply.left_out)
    if reply.replay is not None and reply.replay.replay is not None:
        yield from _replayed(reply.replay, reply.replay.replay)
        if proposal.kind == Kind.PARSER and reply.replay.stopped is None:
            yield from (f"the other files are read with it by the next run: {plain(each)}" for each in reply.next)
        return
    if reply.unread:
        files = "1 file is gone" if reply.unread == 1 else f"{reply.unread:,} files are gone"
        yield f"nothing was read again: {files}, and the rows stay as they are"
    yield from (f"next: {plain(each)}" for each in reply.next)


def _replayed(reply: ReplayReply, replay: ReplayEntry) -> Iterator[str]:
    yield (
        f"replay {replay.replay} {replay.stage}: {replay.done:,} of {replay.files:,} "
        f"{'file' if replay.files == 1 else 'files'} came out as expected; "
        f"rows: {rows_text(reply)}"
    )
    if reply.stopped is not None:
        yield from stopped_lines(reply.stopped)
    elif replay.stop_reason:
        yield f"because {plain(replay.stop_reason)}"
    yield from (f"undo: {command}" for command in undo_commands(reply.before))
    if reply.before:
        yield WHAT_STAYS
    if reply.stopped is None:
        yield f"next: casparian replay show {replay.replay}"
