"""What a table of daily CSV files must hold, told by reading the files alone: nothing of the product is asked.

One file is a header and lines without quotes. The oracle keeps what persons decided (columns, null words, repairs,
rules) as plain values, and reads every file anew each time it is asked.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

Place = tuple[str, int]
"""The name of a file, and the number of a record in it, from 1."""

_WHOLE = re.compile(r"[+-]?(?:0|[1-9][0-9]{0,17})")
_DECIMAL = re.compile(r"[+-]?[0-9]+\.[0-9]+|[+-]?[0-9]+")


def _int64(text: str) -> int:
    if not _WHOLE.fullmatch(text):
        raise ValueError(text)
    return int(text)


def _float64(text: str) -> float:
    if not _DECIMAL.fullmatch(text):
        raise ValueError(text)
    return float(text)


READERS: Mapping[str, Callable[[str], Any]] = {
    "int64": _int64,
    "float64": _float64,
    "date": date.fromisoformat,
    "string": str,
}


@dataclass
class Column:
    """A column as a person would describe it; `names` are those under which files may have it, today's first."""

    names: list[str]
    type: str


@dataclass
class Rule:
    """A condition on the values of one column; null is not asked."""

    code: str
    column: str
    holds: Callable[[Any], bool]


@dataclass
class Reading:
    """What comes of all files."""

    rows: dict[Place, dict[str, Any]] = field(default_factory=dict)
    rejected: dict[Place, str] = field(default_factory=dict)
    """For each record that is no row the code of its first fault."""
    rescued: set[tuple[str, int, str, str]] = field(default_factory=set)
    """File, record, column and text of every value that has no column, or that a person put right."""

    @property
    def codes(self) -> Counter[str]:
        """How many records have each code."""
        return Counter(self.rejected.values())


@dataclass
class Terms:
    """What was decided so far about one table."""

    columns: list[Column]
    null_words: set[str] = field(default_factory=set)
    repairs: dict[Place, dict[str, str]] = field(default_factory=dict)
    rules: list[Rule] = field(default_factory=list)

    def read(self, files: Mapping[str, str]) -> Reading:
        """Every file under what is decided now."""
        found = Reading()
        for name, text in files.items():
            header, *lines = text.splitlines()
            for number, line in enumerate(lines, 1):
                self._take(found, (name, number), header.split(","), line.split(","))
        return found

    def _take(self, found: Reading, place: Place, header: list[str], cells: list[str]) -> None:
        if len(cells) != len(header):
            found.rejected[place] = "cf.csv.arity"
            return
        written = dict(zip(header, cells, strict=True))
        righted = self.repairs.get(place, {})
        given = written | righted
        row: dict[str, Any] = {}
        for column in self.columns:
            name = next((name for name in column.names if name in given), None)
            text = None if name is None else given.pop(name)
            if text is None or text == "" or text in self.null_words:
                row[column.names[0]] = None
                continue
            try:
                row[column.names[0]] = READERS[column.type](text)
            except ValueError:
                found.rejected[place] = f"cf.cast.{column.type}"
                return
        for rule in self.rules:
            value = row[rule.column]
            if value is not None and not rule.holds(value):
                found.rejected[place] = rule.code
                return
        found.rows[place] = row
        found.rescued |= {(*place, name, written[name]) for name in righted}
        found.rescued |= {(*place, name, text) for name, text in given.items() if text and text not in self.null_words}
