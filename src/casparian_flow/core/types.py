"""The type names that contracts are written in."""

from __future__ import annotations

import re
from dataclasses import dataclass

from casparian_flow.core.errors import UsageError

SIMPLE_TYPES = frozenset(
    {"boolean", "int64", "float64", "date", "time", "timestamp", "duration", "string", "binary", "json"}
)
COMPOUND_TYPES = ("decimal(10,2)", "list<int64>", "struct<a: int64, b: string>", "timestamp_tz(Europe/Berlin)")
"""Types that say more, each with an example of how."""


@dataclass(frozen=True, slots=True)
class ColumnType:
    """One parsed type. `name` is the constructor; `args` are its numbers or zone; `fields` its parts."""

    name: str
    args: tuple[int | str, ...] = ()
    fields: tuple[tuple[str, ColumnType], ...] = ()

    def __str__(self) -> str:
        if self.name == "list":
            return f"list<{self.fields[0][1]}>"
        if self.name == "struct":
            return "struct<" + ", ".join(f"{key}: {value}" for key, value in self.fields) + ">"
        return self.name + (f"({','.join(map(str, self.args))})" if self.args else "")


STRING = ColumnType("string")
MAX_DEPTH = 16


def parse_type(text: str, depth: int = 0) -> ColumnType:
    """The type that a text names; raises UsageError that says which part is unknown."""
    text = text.strip()
    if depth > MAX_DEPTH:
        raise UsageError(f"type nests deeper than {MAX_DEPTH}")
    if text in SIMPLE_TYPES:
        return ColumnType(text)
    if decimal := re.fullmatch(r"decimal\(\s*(\d+)\s*,\s*(\d+)\s*\)", text):
        precision, scale = int(decimal[1]), int(decimal[2])
        if not 1 <= precision <= 38 or scale > precision:
            raise UsageError(f"decimal precision is 1 to 38 with a scale no larger: {text}")
        return ColumnType("decimal", (precision, scale))
    if zoned := re.fullmatch(r"timestamp_tz\(\s*([A-Za-z0-9_+\-/:]+)\s*\)", text):
        return ColumnType("timestamp_tz", (zoned[1],))
    if text.startswith("list<") and text.endswith(">"):
        return ColumnType("list", (), (("item", parse_type(text[5:-1], depth + 1)),))
    if text.startswith("struct<") and text.endswith(">"):
        pairs = (part.partition(":") for part in _split(text[7:-1]))
        return ColumnType("struct", (), tuple((key.strip(), parse_type(value, depth + 1)) for key, _, value in pairs))
    raise UsageError(f"unknown type {text!r}", fix="one of: " + " ".join(sorted({*SIMPLE_TYPES, *COMPOUND_TYPES})))


def _split(text: str) -> list[str]:
    """Parts between commas that are not inside brackets."""
    parts, depth, start = [], 0, 0
    for at, char in enumerate(text):
        depth += (char in "<(") - (char in ">)")
        if char == "," and depth == 0:
            parts.append(text[start:at])
            start = at + 1
    return [*parts, text[start:]] if text.strip() else parts
