"""Values that a person put right."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

REPAIRED = "cf.repaired"
"""The code under which a repaired cell keeps what stood in the file."""
MOST_REPAIRS = 10_000
"""Of one file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """What one row of a file is to hold instead: the text of each column named in `after`, null where it is None.

    A row is named by its place in the bytes, so that a repair outlives every later reading of them.
    """

    table: str
    source_row: int
    after: Mapping[str, str | None]
