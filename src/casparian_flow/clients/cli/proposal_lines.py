"""A proposal for a person: what it changes, what follows from that, who decided what."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from casparian_flow.clients.cli.render import Column, counted, plain, size_text, table_lines
from casparian_flow.clients.cli.render import Kind as Shown
from casparian_flow.core.proposals import MOVES, Kind, State

if TYPE_CHECKING:
    from casparian_flow.clients.cli.face import Face
    from casparian_flow.core.proofs import Impact
    from casparian_flow.operations.approval.proposals import ProposalDetail, ProposalEntry

EVIDENCE = (Column("path"), Column("rows", Shown.COUNT), Column("samples"), Column("source_hash"))
MOST_NAMES = 5
"""So many proposals are named in one line."""

_BY_SOMEBODY = frozenset({State.REJECTED, State.WITHDRAWN, State.CHANGES_REQUESTED})
"""States whose reason begins with who wanted it so."""


def proposal_lines(face: Face, detail: ProposalDetail, *, is_tried: bool = False) -> Iterator[str]:
    """The lines of `approval show`. A draft that was `is_tried` takes too much reading to be proven unasked."""
    from msgspec import to_builtins

    proposal = detail.proposal
    about = f" {plain(proposal.table)}" if proposal.table else ""
    yield f"{proposal.id} {proposal.kind}{about}: {plain(proposal.what)}"
    why = "" if detail.void_reason is None else plain(detail.void_reason)
    joint = " by " if proposal.state in _BY_SOMEBODY else ": "
    yield f"state      {plain(proposal.state)}" + (joint + why if why else "")
    if detail.trouble:
        yield f"NOT VALID  {plain(detail.trouble)}"
    yield f"by         {plain(proposal.proposed_by)}" + (f": {plain(detail.reason)}" if detail.reason else "")
    for step in detail.operations:
        yield f"change     {plain(step.says)}"
    yield from (f"or         {plain(hint)}" for hint in detail.hints)
    yield from _verdict_lines(detail)
    if proposal.risk is not None:
        yield f"risk       {proposal.risk}: {_counted(proposal)}"
    for each in detail.decisions:
        said = f"{each.decision} by {plain(each.actor)} at {each.at}"
        said += ", self_approved" if each.is_self and each.decision == "approve" else ""
        said += f": {plain(each.reason)}" if each.reason else ""
        yield f"decided    {said}" + (f"; NOT VALID, {plain(each.trouble)}" if each.trouble else "")
    if detail.digest:
        yield f"digest     {plain(detail.digest)}"
    if detail.since:
        yield f"since      {detail.since:,} rows more than what was proposed"
    if detail.evidence:
        yield ""
        yield from table_lines(map(to_builtins, detail.evidence), EVIDENCE, face.paper)
    if proposal.state == State.PROPOSED:
        yield ""
        yield f"next: casparian {_next(detail)}"
    elif proposal.kind == Kind.AMENDMENT and State.PROPOSED in MOVES[State(proposal.state)]:
        yield ""
        yield f"next: casparian contract propose {proposal.id}" + (" --full" if is_tried else "")


def enough_lines(proposals: Sequence[ProposalEntry]) -> Iterator[str]:
    """Why fewer approvals are enough than the risk of a proposal asks for; each reason once, with whom it is about."""
    for because in dict.fromkeys(each.enough_because for each in proposals if each.enough_because):
        names = [each.id for each in proposals if each.enough_because == because]
        more = f" and {len(names) - MOST_NAMES:,} more" if len(names) > MOST_NAMES else ""
        yield f"1 approval is enough for {', '.join(names[:MOST_NAMES])}{more}: {plain(because)}"


def _next(detail: ProposalDetail) -> str:
    """What to do about a proposal that waits: one that the data contradict, or that was not proven, is not applied."""
    seen, name = detail.empirical, detail.proposal.id
    if detail.proposal.kind != Kind.AMENDMENT or seen is None:
        return f"approve {name} --reason TEXT"
    if seen.contradicts or not seen.is_complete:
        return f"approval withdraw {name} --reason TEXT"
    return f"approve {name} --reason TEXT"


def _verdict_lines(detail: ProposalDetail) -> Iterator[str]:
    if (static := detail.static) is not None:
        yield f"static     reads-old {_yes(static.reads_old)}   keeps-readers {_yes(static.keeps_readers)}"
        yield from (f"           {plain(why)}" for why in static.because)
    if (seen := detail.empirical) is not None:
        how = "complete" if seen.is_complete else "not complete"
        # A backtest does not count the rows that it compared.
        of_all = f" of {seen.rows_checked:,}" if seen.rows_checked else ""
        failing = f"{seen.newly_failing:,}{of_all} rows newly fail"
        yield (
            f"empirical  {failing}, {seen.released:,} leave quarantine ({_files(seen.files_read)} read again: {how})"
        )
        if seen.erased_files:
            yield f"           {_unread(seen.erased_files)}"
        yield from (f"           CONTRADICTED: {plain(why)}" for why in seen.contradicts)
    if (impact := detail.impact) is not None:
        yield from _impact_lines(detail.proposal, impact)


def _impact_lines(proposal: ProposalEntry, impact: Impact) -> Iterator[str]:
    if proposal.kind == Kind.PARSER:
        yield (
            f"impact     {_files(impact.files_reopened)} with rejected rows "
            f"({size_text(impact.bytes_to_read)}) read again at once"
        )
        if promised := len({each.job for each in impact.replays}):
            yield f"           {_files(promised)} as in the backtest, which releases {counted(impact.released, 'row')}"
        yield "           all other files: their next run, or casparian backtest --rekey for those that stay the same"
    else:
        yield (
            f"impact     fills {counted(impact.fills, 'cell')}, releases {counted(impact.released, 'row')}; "
            f"{_files(impact.files_reopened)} read again, {impact.files_rekeyed:,} by receipt without a write"
        )
    if impact.outputs:
        yield f"           tables {plain(', '.join(impact.outputs))}"
    if impact.keeps_clear_history:
        yield "           what is there already stays in clear; a purge would erase it"
        yield "           what the home says of its values in words goes; repairs that hold one are revoked"


def _counted(proposal: ProposalEntry) -> str:
    if proposal.enough_because:
        said = f"{proposal.enough} approval is enough here, {proposal.approvals} so far: "
        return f"{said}{plain(proposal.enough_because)} (else {proposal.needed} are needed)"
    who = "1 approval" if proposal.needed == 1 else f"{proposal.needed} approvals"
    said = f"{who} needed, {proposal.approvals} so far"
    if proposal.is_by_policy:
        return f"{said}, by policy"
    return f"{said}; self_approved" if proposal.is_self_approved else said


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count:,} files"


def _unread(count: int) -> str:
    if count == 1:
        return "1 file with erased rows was not read: its rows stay as they are"
    return f"{count:,} files with erased rows were not read: their rows stay as they are"


def _yes(is_so: bool) -> str:
    return "yes" if is_so else "no"
