"""Contracts: the approved schema of a table, versioned and addressed by its content."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from casparian_flow.core.hashing import digest_of_json
from casparian_flow.core.ids import ContractHash


class ContractState(StrEnum):
    """Where a contract stands."""

    DRAFT = "draft"
    PROPOSED = "proposed"
    APPROVED = "approved"
    APPLIED = "applied"
    SUPERSEDED = "superseded"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    VOID = "void"


class Origin(StrEnum):
    """How a contract came to be."""

    ADOPTED = "adopted"
    """Drafted from all rows at first contact and taken without review."""
    APPROVED = "approved"
    """Approved by a named person."""
    DECLARED = "declared"
    """Declared by the parser's manifest."""


@dataclass(frozen=True, slots=True)
class ContractColumn:
    """One column of a contract. `type` is a type name; `original` the header as the files have it."""

    name: str
    type: str
    nullable: bool = True
    format: str | None = None
    description: str = ""
    sensitivity: str = "internal"
    original: str | None = None
    note: str = ""
    """What was found out while the type was inferred: ambiguity, candidates for null."""


@dataclass(frozen=True, slots=True)
class Contract:
    """The schema of one table at one version. Columns match by name, never by order."""

    table: str
    version: int
    columns: tuple[ContractColumn, ...]
    headerless: bool = False
    origin: Origin = Origin.ADOPTED

    def __hash__(self) -> int:
        """Of what is unlike in almost any two: a contract is looked up for every file, and may have many columns."""
        return hash((self.table, self.version))

    @property
    def names(self) -> tuple[str, ...]:
        """The column names in the contract's order."""
        return tuple(column.name for column in self.columns)

    @property
    def hash(self) -> ContractHash:
        """Digest of what the contract enforces: names, types, nullability and formats, not its prose."""
        return ContractHash(
            digest_of_json(["contract", self.table, [[c.name, c.type, c.nullable, c.format] for c in self.columns]])
        )


def version_of(digest: str, state: ContractState) -> str:
    """Names what a contract is at one moment; who decides about it may demand that it still is that."""
    return f"{state}-{digest.partition(':')[2][:16]}"
