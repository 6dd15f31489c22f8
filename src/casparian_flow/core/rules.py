"""What a value rule says."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

RULE_CODE = "cf.rule"


class RuleKind(StrEnum):
    """Which kind of demand it is; the last two are about a row among others, the rest about a value by itself."""

    RANGE = "range"
    SET = "set"
    PATTERN = "pattern"
    LENGTH = "length"
    UNIQUE = "unique"
    REFERENCE = "reference"


class UniqueScope(StrEnum):
    """Among which rows a key is unique."""

    FILE = "file"
    TABLE = "table"


ROW_RULES = frozenset({RuleKind.UNIQUE, RuleKind.REFERENCE})
"""Kinds whose answer depends on other rows."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One demand on values that are not null and fit their type; a null is not asked.

    `low` and `high` are inclusive bounds, of a range in the column's type, of a length whole numbers. `values` is a
    set, each as the text of the column's type. `pattern` is an RE2 expression for the whole text. `references` are
    the columns of `table` which the row's `columns` have to be found in. One flat record, since dataclasses know no
    unions: each kind uses the fields named for it in `core.contract_checks`, and leaves the others alone.
    """

    name: str
    kind: RuleKind
    columns: tuple[str, ...]
    low: str | None = None
    high: str | None = None
    values: tuple[str, ...] = ()
    pattern: str | None = None
    scope: UniqueScope | None = None
    table: str | None = None
    references: tuple[str, ...] = ()

    @property
    def code(self) -> str:
        """The code of a rejection by this rule."""
        return f"{RULE_CODE}.{self.kind}"

    @property
    def is_about_rows(self) -> bool:
        """Whether its answer depends on other rows."""
        return self.kind in ROW_RULES

    @property
    def needs_order(self) -> bool:
        """Whether its answer depends on what was committed before: then jobs of its table come one after another."""
        return self.kind is RuleKind.REFERENCE or self.scope is UniqueScope.TABLE
