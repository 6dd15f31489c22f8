"""The notes of columns: which of them repeat a value of a file, and what they say without it."""

from __future__ import annotations

import re

NO_VALUES = "no values"
BUT_FOR = " but for "
WOULD_CHANGE = "a float would change "
SUCH_AS = ", such as "
_VALUE = re.compile(
    rf"(?P<but>would be .*?{BUT_FOR}).*|(?P<change>{WOULD_CHANGE}).*|beyond int64{SUCH_AS}.*", re.DOTALL
)


def names_a_value(note: str) -> bool:
    """Whether the note repeats what a cell holds, and where it is."""
    return _VALUE.search(note) is not None


def without_value(note: str) -> str:
    """The note without any cell's value, and without its place."""
    return _VALUE.sub(_unnamed, note)


def _unnamed(found: re.Match[str]) -> str:
    if said := found["but"] or found["change"]:
        return f"{said}values not shown here"
    return "beyond int64"
