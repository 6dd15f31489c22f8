"""`casparian contract`: the schema of each table, and how it came to be."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from casparian_flow.clients.cli.face import Face, pass_face
from casparian_flow.clients.cli.nouns import Noun
from casparian_flow.clients.cli.options import shared_options
from casparian_flow.clients.cli.render import Column, Kind, plain, table_lines
from casparian_flow.core.contracts import ContractState

if TYPE_CHECKING:
    from casparian_flow.operations.contract import ContractDetail

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
    from casparian_flow.operations.contract import ContractEntry, ListContracts

    reply = face.ask("contract.list", ListContracts(states=tuple(map(ContractState, states))))
    face.show_list("casparian.contracts/1", "contracts", reply.contracts, COLUMNS, ContractEntry)


@command.command("show")
@click.argument("contract")
@click.option("--version", "number", type=click.IntRange(min=1), metavar="V", help="Another version than the current.")
@pass_face
def show(face: Face, contract: str, number: int | None) -> None:
    """One contract: CONTRACT is its number or its table."""
    from casparian_flow.operations.contract import ShowContract

    reply = face.ask("contract.show", ShowContract(contract=contract, version=number))
    face.show("casparian.contract/1", reply, _lines(face, reply))


def _lines(face: Face, detail: ContractDetail) -> Iterator[str]:
    from msgspec import to_builtins

    contract = detail.contract
    yield f"contract  {contract.id}: {plain(contract.table)} version {contract.version}"
    yield f"state     {plain(contract.state)}, {plain(contract.origin)}"
    yield f"proposed  {plain(contract.proposed)} by {plain(contract.proposed_by)}"
    if contract.decided:
        reason = f": {plain(detail.decision_reason)}" if detail.decision_reason else ""
        yield f"decided   {plain(contract.decided)} by {plain(contract.decided_by)}{reason}"
    yield f"digest    {plain(detail.digest)}"
    yield ""
    yield from table_lines(map(to_builtins, detail.fields), FIELDS, face.paper)


@command.command("approve")
@click.argument("contract", type=click.IntRange(1, 2**63 - 1))
@click.option("--reason", default="", metavar="TEXT", help="Kept with the decision.")
@pass_face
def approve(face: Face, contract: int, reason: str) -> None:
    """Put a proposed contract in force; the next run reads its files again."""
    from casparian_flow.operations.contract import ApproveContract

    reply = face.ask("contract.approve", ApproveContract(contract=contract, reason=reason))
    face.show(
        "casparian.approval/1",
        reply,
        [
            f"contract {reply.contract} of {plain(reply.table)} version {reply.version} is in force",
            f"decided by {plain(reply.decided_by)}, bound to {reply.digest}",
            "next: casparian run",
        ],
    )
