"""Contracts as files that other tools read and write."""

from __future__ import annotations

from casparian_flow.operations.approval.proposals import ProposalEntry, Reason
from casparian_flow.operations.registry import Effect, Operation, Reply, Request


class Unmapped(Reply, frozen=True, kw_only=True):
    """Something that the other side does not have: where it stands, and what became of it."""

    where: str
    what: str


class ExportContract(Request, frozen=True, kw_only=True):
    """A table and, if not the one in force, a version of its contract; `to` is the file, `-` for standard output."""

    table: str
    to: str
    version: int | None = None
    overwrite: bool = False


class ContractExported(Reply, frozen=True, kw_only=True):
    """What was written, by which version of the standard; `path` is null for standard output."""

    table: str
    version: int
    path: str | None
    standard: str
    columns: int
    rules: int
    unmapped: list[Unmapped]


class ImportContract(Request, frozen=True, kw_only=True):
    """A file of the Open Data Contract Standard (`.yaml`), or one that `infer --write` wrote (`.toml`)."""

    path: str
    reason: Reason = ""


class ContractImported(Reply, frozen=True, kw_only=True):
    """One table of the file. Without a `proposal` there was nothing to change."""

    table: str
    proposal: ProposalEntry | None


class ContractsImported(Reply, frozen=True, kw_only=True):
    """What was proposed, and what of the file it leaves out. Nothing changes before it is approved."""

    imported: list[ContractImported]
    unmapped: list[Unmapped]


OPERATIONS = (
    Operation(
        "contract.import",
        ImportContract,
        ContractsImported,
        Effect.DRAFT,
        "contract.interchange.import_",
        "Propose the contracts of a file.",
        reads=("path",),
    ),
    Operation(
        "contract.export",
        ExportContract,
        ContractExported,
        Effect.READ,
        "contract.interchange.export",
        "Write a contract by the Open Data Contract Standard.",
        writes=("to",),
    ),
)
