"""`casparian contract`: the schema of each table, and how it came to be."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from casparian_flow.clients.cli.amending import amendment_options, operations_of
from casparian_flow.clients.cli.deciding import approve as decide
from casparian_flow.clients.cli.face import Face, pass_face
from casparian_flow.clients.cli.nouns import Noun
from casparian_flow.clients.cli.options import shared_options
from casparian_flow.clients.cli.proposal_lines import proposal_lines
from casparian_flow.clients.cli.render import Column, Kind, plain, table_lines
from casparian_flow.core.contracts import ContractState
from casparian_flow.core.errors import VersionChanged

if TYPE_CHECKING:
    from casparian_flow.operations.contract.contracts import ContractChange, ContractDetail
    from casparian_flow.operations.contract.interchange import ContractImported, Unmapped

COLUMNS = (
    Column("id"),
    Column("table"),
    Column("version"),
    Column("state"),
    Column("origin"),
    Column("columns", Kind.COUNT),
    Column("decided_by"),
    Column("decided", Kind.TIME),
)
FIELDS = (
    Column("name"),
    Column("type"),
    Column("nullable"),
    Column("format"),
    Column("original"),
    Column("note"),
)


@click.group("contract", cls=Noun)
@shared_options
def command() -> None:
    """The schema of each table, and how it came to be."""


@command.command("list")
@click.option(
    "--state",
    "states",
    multiple=True,
    type=click.Choice([state.value for state in ContractState]),
    help="In this state; may be repeated.",
)
@pass_face
def list_(face: Face, states: tuple[str, ...]) -> None:
    """Contracts in force, and those that wait for a person."""
    from casparian_flow.operations.contract.contracts import ContractEntry, ListContracts

    reply = face.ask("contract.list", ListContracts(states=tuple(map(ContractState, states))))
    face.show_list("casparian.contracts/1", "contracts", reply.contracts, COLUMNS, ContractEntry)


@command.command("show")
@click.argument("contract")
@click.option("--version", "number", type=click.IntRange(min=1), metavar="V", help="Another version than the current.")
@pass_face
def show(face: Face, contract: str, number: int | None) -> None:
    """One contract: CONTRACT is its number or its table, or a proposal, such as A-8, that would change one."""
    from casparian_flow.operations.contract.contracts import ShowContract

    reply = face.ask("contract.show", ShowContract(contract=contract, version=number))
    face.show("casparian.contract/1", reply, _lines(face, reply))


def _lines(face: Face, detail: ContractDetail) -> Iterator[str]:
    from msgspec import to_builtins

    contract = detail.contract
    if detail.is_proposed:
        is_made = contract.state == ContractState.APPLIED
        changed = f", which {'changed' if is_made else 'changes'} contract {contract.id}" if contract.id else ""
        yield f"{'became' if is_made else 'would be':9} {plain(contract.table)} version {contract.version}{changed}"
    else:
        yield f"contract  {contract.id}: {plain(contract.table)} version {contract.version}"
    yield f"state     {plain(contract.state)}, {plain(contract.origin)}"
    yield f"proposed  {plain(contract.proposed)} by {plain(contract.proposed_by)}"
    if contract.decided:
        reason = f": {plain(detail.decision_reason)}" if detail.decision_reason else ""
        by_whom = "self_approved by" if detail.is_self_approved else "by"
        yield f"decided   {plain(contract.decided)} {by_whom} {plain(contract.decided_by)}{reason}"
    if detail.proposal:
        yield f"proposal  {detail.proposal}: casparian approval show {detail.proposal}"
    if detail.digest:
        yield f"digest    {plain(detail.digest)}"
    yield from map(_change_line, detail.changes)
    for rule in detail.rules:
        yield f"rule      {plain(rule)}"
    for axis, mode in detail.drift.items():
        yield f"drift     {axis}={mode}"
    for limit in detail.tolerance:
        yield f"tolerance {plain(limit)}"
    yield ""
    yield from table_lines(map(to_builtins, detail.fields), FIELDS, face.paper)


def _change_line(change: ContractChange) -> str:
    if change.before is None:
        return f"+ {change.what:<8}{plain(change.after)}"
    if change.after is None:
        return f"- {change.what:<8}{plain(change.before)}"
    return f"~ {change.what:<8}{plain(change.before)} -> {plain(change.after)}"


@command.command("approve")
@click.argument("contract", type=click.IntRange(1, 2**63 - 1))
@click.option("--reason", default="", metavar="TEXT", help="Kept with the decision, and signed.")
@pass_face
def approve(face: Face, contract: int, reason: str) -> int:
    """Agree to the first contract that waits under that number: the same as `approve` with its proposal."""
    from casparian_flow.operations.contract.contracts import ApproveContract, ShowContract

    seen = face.ask("contract.show", ShowContract(contract=str(contract)))
    if seen.proposal is None:
        raise VersionChanged(f"contract {contract} is {seen.contract.state}, and does not wait for a decision")
    return decide(
        face,
        seen.proposal,
        reason,
        ask=lambda signed: face.ask("contract.approve", ApproveContract(contract=contract, reason=reason, **signed)),
    )


@command.command("amend")
@click.argument("table")
@amendment_options
@click.option("--from-data", is_flag=True, help="Propose what the drift of its files asks for.")
@click.option("--reason", default="", metavar="TEXT", help="Kept with the proposal.")
@pass_face
def amend(face: Face, table: str, *, from_data: bool, reason: str, **asked: tuple[str, ...]) -> None:
    """Propose a change of TABLE's contract; nothing changes before it is approved."""
    from casparian_flow.operations.contract.amendment import AmendContract

    request = AmendContract(table=table, operations=operations_of(asked), from_data=from_data, reason=reason)
    reply = face.ask("contract.amend", request)
    face.show("casparian.proposal/1", reply, proposal_lines(face, reply, is_tried=True))


@command.command("propose")
@click.argument("proposal")
@click.option("--full", is_flag=True, help="Read whatever is needed to prove it, however much that is.")
@pass_face
def propose(face: Face, proposal: str, *, full: bool) -> None:
    """Prove the draft PROPOSAL, such as A-8, and put it before those who decide."""
    from casparian_flow.operations.contract.amendment import ProposeAmendment

    reply = face.ask("contract.propose", ProposeAmendment(proposal=proposal, full=full))
    face.show("casparian.proposal/1", reply, proposal_lines(face, reply, is_tried=True))


@command.command("export")
@click.argument("table")
@click.argument("to", metavar="OUT.yaml")
@click.option("--version", "number", type=click.IntRange(min=1), metavar="V", help="Another version than the current.")
@click.option("--overwrite", is_flag=True, help="Replace a file that is there.")
@pass_face
def export(face: Face, table: str, to: str, number: int | None, overwrite: bool) -> None:
    """Write a contract by the Open Data Contract Standard, version 3; - is standard output."""
    from casparian_flow.operations.contract.interchange import ExportContract

    reply = face.ask("contract.export", ExportContract(table=table, to=to, version=number, overwrite=overwrite))
    if reply.path is None:
        return
    face.show(
        "casparian.contract-export/1",
        reply,
        [
            f"{plain(table)} version {reply.version}, {reply.columns} columns: written to {plain(reply.path)}",
            *_unmapped_lines(reply.unmapped, "what other readers of the standard do not see"),
        ],
    )


@command.command("import")
@click.argument("path", metavar="FILE")
@click.option("--reason", default="", metavar="TEXT", help="Kept with the proposals.")
@pass_face
def import_(face: Face, path: str, reason: str) -> None:
    """Propose what FILE says: one of the Open Data Contract Standard, or one that `infer --write` wrote (.toml).

    Nothing changes before it is approved.
    """
    from casparian_flow.operations.contract.interchange import ImportContract

    reply = face.ask("contract.import", ImportContract(path=path, reason=reason))
    face.show(
        "casparian.contract-import/1",
        reply,
        [
            *(line for each in reply.imported for line in _imported_lines(each)),
            *_unmapped_lines(reply.unmapped, "what no contract of ours says"),
        ],
    )


def _imported_lines(each: ContractImported) -> Iterator[str]:
    if each.proposal is None:
        yield f"{plain(each.table)} is as the file says already"
        return
    proposal = each.proposal
    yield f"{proposal.id} {plain(each.table)}: {plain(proposal.what)}, {proposal.state}"
    yield f"next: casparian approval show {proposal.id}"


def _unmapped_lines(unmapped: list[Unmapped], heading: str) -> Iterator[str]:
    if unmapped:
        yield f"{heading}:"
    for each in unmapped:
        yield f"  {plain(each.where)}: {plain(each.what)}"
