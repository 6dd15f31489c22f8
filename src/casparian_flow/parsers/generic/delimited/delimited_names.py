"""The column names of a table, made from its header."""

from __future__ import annotations

from functools import lru_cache

import pyarrow as pa

from casparian_flow.sdk import PermanentError
from casparian_flow.sdk.emit import FIELD_ORIGINAL, SCHEMA_HEADERLESS
from casparian_flow.sdk.json_columns import MAX_COLUMNS

MOST_NAMES = 256 << 10
"""Most bytes that the names of a table's columns may take together."""
_RESERVED = "_cf_"


@lru_cache(maxsize=16)
def schema_of(header: tuple[tuple[bytes | None, ...], ...], arity: int) -> pa.Schema:
    """The schema: all text, each name unique; `cf.original` keeps a header that had to be changed.

    Files with the same header share one. Raises PermanentError for more columns, or longer names, than a table may
    have.
    """
    if arity > MAX_COLUMNS:
        raise PermanentError(f"its lines have more fields than the {MAX_COLUMNS:,} columns that a table may have")
    if (size := sum(len(cell) for row in header for cell in row[:arity] if cell)) > MOST_NAMES:
        raise PermanentError(f"its header is {size:,} bytes long; {MOST_NAMES:,} are the most for the names of columns")
    if not header:
        made_up = [pa.field(f"column_{i}", pa.string()) for i in range(1, arity + 1)]
        return pa.schema(made_up, metadata={SCHEMA_HEADERLESS: b"1"})
    fields: list[pa.Field] = []
    seen: set[str] = set()
    for i in range(arity):
        parts = [cell.decode("utf-8", "replace") for row in header if i < len(row) and (cell := row[i])]
        original = " ".join(part for part in parts if part)
        name = _unique(_legal(original, i + 1), seen)
        seen.add(name)
        metadata = None if name == original else {FIELD_ORIGINAL: original.encode()}
        fields.append(pa.field(name, pa.string(), metadata=metadata))
    return pa.schema(fields)


def _legal(original: str, number: int) -> str:
    name = original.replace("\x00", "")
    if not name.strip():
        return f"column_{number}"
    return "x" + name if name.lower().startswith(_RESERVED) else name


def _unique(name: str, seen: set[str]) -> str:
    if name not in seen:
        return name
    number = 2
    while f"{name}_{number}" in seen:
        number += 1
    return f"{name}_{number}"
