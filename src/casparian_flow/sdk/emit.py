"""What a parser may yield besides plain `(output, data)` pairs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

FIELD_TYPE = b"cf.type"
"""Arrow field metadata: the column's type name, fixed by the parser, never inferred from its text."""

FIELD_ENCODING = b"cf.encoding"
"""Arrow field metadata: how the text of a column is to be read; absent means plain text.

The one encoding is `json`: each cell is one JSON value, tagged by its first character. A JSON string is
`"` followed by the string itself, unescaped and without a closing quote; every other value (number, `true`,
`false`, array, object) is its JSON text. A JSON null is an Arrow null.
"""

FIELD_ORIGINAL = b"cf.original"
"""Arrow field metadata: the header as it stood in the file, where the column's name differs from it."""

SCHEMA_HEADERLESS = b"cf.headerless"
"""Arrow schema metadata: present when the column names were made up, because the file has no header."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of one output with their place in the source.

    `data` is anything a plain pair may carry. `source_row` are the record ordinals from 1 in source order
    (EVTX: record ids, SQLite: rowids); `start` and `end` are byte offsets `[start, end)` into the file. Each
    is an int64 array (or a sequence of ints) as long as the data, or None.
    """

    output: str
    data: Any
    source_row: Any = None
    start: Any = None
    end: Any = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """A record or a span that the parser could not read: it goes to quarantine and counts as one row.

    `code` is a dotted, stable code such as `cf.csv.arity`. Either `start` and `end` (bytes) or `locator`
    (free text such as `chunk 31`) says where it is; `raw` are its bytes, as many as are worth keeping.
    """

    output: str
    code: str
    message: str
    start: int | None = None
    end: int | None = None
    locator: str | None = None
    raw: bytes | None = None
    source_row: int | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a parser detected about a file (its encoding, delimiter, header ...) and how sure it is."""

    name: str
    value: str
    confidence: float = 1.0
    runner_up: str | None = None
