"""Contracts: the approved schema of a table, versioned and addressed by its content."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from casparian_flow.core.drift import Overrides
from casparian_flow.core.hashing import digest_of_json
from casparian_flow.core.ids import ContractHash
from casparian_flow.core.rules import Rule
from casparian_flow.core.tolerances import Tolerance
from casparian_flow.core.treatments import TEXTUAL, Treatment, is_closed, treatment_in_force


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
    treatment: Treatment | None = None
    """What becomes of its values in the table; None: what its class asks for."""
    treatment_argument: str | None = None
    """The text of FIXED; how many first and last characters PARTIAL keeps, as `3-4`."""
    aliases: tuple[str, ...] = ()
    """Older names: a file that still has one fits."""

    @property
    def treated(self) -> Treatment:
        """What becomes of its values in the table."""
        return treatment_in_force(self.sensitivity, self.treatment)

    @property
    def table_type(self) -> str:
        """The type that its table has, where it has the column at all: some treatments leave text."""
        return "string" if self.treated in TEXTUAL else self.type

    @property
    def is_closed(self) -> bool:
        """Whether its values are to be seen nowhere but in its table, in which they may be treated."""
        return is_closed(self.sensitivity) or self.treated is not Treatment.KEEP


@dataclass(frozen=True, slots=True)
class Contract:
    """The schema of one table at one version. Columns match by name, never by order."""

    table: str
    version: int
    columns: tuple[ContractColumn, ...]
    headerless: bool = False
    origin: Origin = Origin.ADOPTED
    rules: tuple[Rule, ...] = ()
    """What its values have to keep, in the order in which they are asked."""
    drift: Overrides = ()
    """Its own modes; every other axis has that of the settings."""
    tolerance: tuple[Tolerance, ...] = ()
    takes_undeclared: tuple[str, ...] = ()
    """The parsers whose output of this name comes here though they do not declare it: it was drafted from theirs."""
    earlier: tuple[tuple[str, ...], ...] = ()
    """The columns by name of the versions before that had others, newest first: files of that shape stay here."""

    def __hash__(self) -> int:
        """Of what is unlike in almost any two: a contract is looked up for every file, and may have many columns."""
        return hash((self.table, self.version))

    @property
    def names(self) -> tuple[str, ...]:
        """The column names in the contract's order."""
        return tuple(column.name for column in self.columns)

    @property
    def table_columns(self) -> tuple[ContractColumn, ...]:
        """The columns that its table has."""
        return tuple(column for column in self.columns if column.treated is not Treatment.DROP)

    @property
    def is_closed(self) -> bool:
        """Whether a value of it may be one that must not be seen: then what nobody vouches for is not shown."""
        return any(column.is_closed for column in self.columns)

    @property
    def needs_key(self) -> bool:
        """Whether a value of it becomes a pseudonym."""
        return any(column.treated is Treatment.PSEUDONYM for column in self.columns)

    @property
    def older_names(self) -> dict[str, str]:
        """The names that columns had before, with those that they have now."""
        return {older: column.name for column in self.columns for older in column.aliases}

    @property
    def shapes(self) -> tuple[tuple[str, ...], ...]:
        """The columns of every version there was, newest first, by the names that they have now."""
        older = self.older_names
        return (self.names, *(tuple(older.get(name, name) for name in names) for names in self.earlier))

    @property
    def hash(self) -> ContractHash:
        """Digest of what the contract enforces: names, types, nullability, formats, rules, classes and older names.

        Prose, modes and tolerances change no row, and earlier columns are no demand: they are not in it. A contract
        without rules, classed columns and older names has the hash that it had before there were any.
        """
        enforced: list[Any] = [
            "contract",
            self.table,
            [[c.name, c.type, c.nullable, c.format] for c in self.columns],
        ]
        if more := self._beyond_types():
            enforced.append(more)
        return ContractHash(digest_of_json(enforced))

    def _beyond_types(self) -> dict[str, Any]:
        parts: dict[str, Any] = {
            "rules": [
                {name: value for name, value in asdict(rule).items() if value not in (None, ())} for rule in self.rules
            ],
            "classes": {
                column.name: [column.sensitivity, column.treatment, column.treatment_argument]
                for column in self.columns
                if is_closed(column.sensitivity) or column.treatment is not None
            },
            "aliases": {column.name: list(column.aliases) for column in self.columns if column.aliases},
        }
        return {name: part for name, part in parts.items() if part}


def version_of(digest: str, state: StrEnum) -> str:
    """Names what a contract or a proposal is at one moment; who decides may demand that it still is that."""
    return f"{state}-{digest.partition(':')[2][:16]}"
