"""The columns that a parser can declare for its outputs, with what their values have to keep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

SENSITIVITIES = ("public", "internal", "personal", "secret")
TREATMENTS = ("keep", "drop", "null", "fixed", "partial", "pseudonym")


@dataclass(frozen=True, slots=True)
class Column:
    """One declared column.

    `type` is a type name of the contract language: `boolean int64 float64 decimal(p,s) date time
    timestamp timestamp_tz(zone) duration string binary json list<T> struct<name: T, ...>`.
    `format` says how text becomes the type (a `strptime` pattern for the temporal ones).

    Values of a `personal` or `secret` column stand nowhere but in their table: not in quarantine, samples, logs or
    messages. `treatment` says what stands in the table: `keep` (personal columns have it by themselves), `drop`,
    `null`, `fixed` (the text `treatment_argument`), `partial` (so many first and last characters as
    `treatment_argument` says, such as `"3-4"`) or `pseudonym` (secret columns have it by themselves).
    """

    name: str
    type: str = "string"
    nullable: bool = True
    format: str | None = None
    description: str = ""
    sensitivity: str = "internal"
    treatment: str | None = None
    treatment_argument: str | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """One demand on values that are there and have their column's type; a value that is null is not asked.

    `kind` says which: `range` takes `low` and `high`, either or both, inclusive and as the column has its values;
    `set` takes `values`; `pattern` a regular expression (RE2) for the whole text; `length` `low` and `high` as numbers
    of characters, bytes or items; `unique` the `scope` in which no other row may have the same values of `columns`,
    `file` or `table`; `reference` a `table` in whose columns `references` the values of `columns` have to be found.
    Several columns are for the last two only.
    """

    name: str
    kind: str
    columns: str | Sequence[str]
    low: float | str | None = None
    high: float | str | None = None
    values: Sequence[str | float] = ()
    pattern: str | None = None
    scope: str | None = None
    table: str | None = None
    references: str | Sequence[str] = ()
