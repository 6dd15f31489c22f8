"""What the directives of a log say: the lines with `#` in front."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from casparian_flow.sdk.emit import FIELD_ORIGINAL
from casparian_flow.sdk.lines import Int64s, LineBlock

MOST_COLUMNS = 2000
MOST_TEXT = 200
_FIELDS = re.compile(r"#Fields:\s*(\S.*)", re.IGNORECASE)
_SAID = re.compile(r"#(Software|Version|Date|Start-Date|Log-type|Time Format|Remark):\s*(.*)", re.IGNORECASE)
_NOT_WORD = re.compile(r"[^0-9a-z]+")


@dataclass(frozen=True, slots=True)
class Fields:
    """The fields of the lines below one `#Fields` line. Lines are split at commas or at white space."""

    names: tuple[str, ...]
    has_commas: bool


@dataclass(frozen=True, slots=True)
class Directives:
    """The names of all fields of a file, and what else its first directives say."""

    names: Sequence[str]
    said: Mapping[str, str]

    def columns(self) -> pa.Schema:
        """One text column per field, under a name that needs no quotes in SQL."""
        taken: set[str] = set()
        columns = []
        for place, original in enumerate(self.names, start=1):
            base = _NOT_WORD.sub("_", original.lower()).strip("_") or f"column_{place}"
            base = f"x_{base}" if base.startswith("cf_") else base
            name, times = base, 1
            while name in taken:
                times += 1
                name = f"{base}_{times}"
            taken.add(name)
            columns.append(pa.field(name, pa.string(), metadata={FIELD_ORIGINAL: original.encode()}))
        return pa.schema(columns)


def directive_lines(block: LineBlock) -> Int64s:
    """The indices of the lines that begin with `#`."""
    return np.flatnonzero(np.asarray(pc.starts_with(block.text, "#")))


def fields_of(line: str) -> Fields | None:
    """The fields that a line names, None if it is another directive or names far too many.

    A name that comes twice gets a number: the names of a line are unique.
    """
    found = _FIELDS.match(line)
    if found is None:
        return None
    text = found[1].strip()
    has_commas = "," in text and not re.search(r"\s", text)
    names: list[str] = []
    taken: dict[str, int] = {}
    for name in text.split(",") if has_commas else text.split():
        taken[name] = taken.get(name, 0) + 1
        names.append(name if taken[name] == 1 else f"{name}_{taken[name]}")
    return Fields(tuple(names), has_commas) if len(names) <= MOST_COLUMNS else None


def read_directives(blocks: Iterable[LineBlock]) -> Directives:
    """The directives of a whole file; of each name but `Fields` the first."""
    names: dict[str, None] = {}
    said: dict[str, str] = {}
    for block in blocks:
        for at in directive_lines(block).tolist():
            line = block.text[at].as_py()
            fields = fields_of(line)
            if fields is not None and len(names.keys() | fields.names) <= MOST_COLUMNS:
                names.update(dict.fromkeys(fields.names))
            elif other := _SAID.match(line):
                said.setdefault(other[1].lower(), other[2].strip()[:MOST_TEXT])
    return Directives(tuple(names), said)
