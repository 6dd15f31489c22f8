"""The columns that a parser can declare for its outputs."""

from __future__ import annotations

from dataclasses import dataclass

SENSITIVITIES = ("public", "internal", "personal", "secret")


@dataclass(frozen=True, slots=True)
class Column:
    """One declared column.

    `type` is a type name of the contract language: `boolean int64 float64 decimal(p,s) date time
    timestamp timestamp_tz(zone) duration string binary json list<T> struct<name: T, ...>`.
    `format` says how text becomes the type (a `strptime` pattern for the temporal ones).
    """

    name: str
    type: str = "string"
    nullable: bool = True
    format: str | None = None
    description: str = ""
    sensitivity: str = "internal"
