"""Table names: from a file's name, and which table a shape of columns belongs to."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType

from casparian_flow.core.hashing import PREFIX, digest_of_json

_SUFFIX = re.compile(
    r"""(?:[_\-.\s]*(?:
        \d{4}[_\-.]?\d{2}[_\-.]?\d{2}(?:[T_\-.]?\d{2}[_\-.:]?\d{2}(?:[_\-.:]?\d{2})?Z?)?  # dates, with a time
      | \d{4}[_\-.]\d{2}
      | (?:part|pt|chunk|split|old|bak|backup|copy)[_\-.]?\d*
      | \(\d+\)
      | \d+
    ))+$""",
    re.VERBOSE | re.IGNORECASE,
)
_ROTATION = re.compile(r"\.\d+$")
_EXTENSION = re.compile(r"(?:\.[A-Za-z][A-Za-z0-9]{0,9})+(?:\.\d+)?$")
_NOT_WORD = re.compile(r"[^0-9a-z]+")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
MAX_NAME = 60
CONTROL_PREFIXES = ("cf_", "scout_", "schema_")
"""How the names of the control tables begin: beside them in the console, an output of such a name would be hidden."""


def snake_case(name: str) -> str:
    """The name in lower case words joined by `_`; only `a-z`, `0-9` and `_` remain."""
    return _NOT_WORD.sub("_", _CAMEL.sub("_", name).lower()).strip("_")[:MAX_NAME].strip("_")


def table_from_file_name(file_name: str) -> str:
    """The stem in snake case without trailing dates, digits, rotation and part suffixes.

    What cannot be a table's name alone gets the prefix `t_`: `fw_2026-03-02.csv` is `fw`, `2026.csv` is `t_2026`.
    """
    stem = file_name.rsplit("/", 1)[-1]
    stem = _ROTATION.sub("", stem)
    bare = _EXTENSION.sub("", stem) or stem.lstrip(".")
    return _prefixed(snake_case(_SUFFIX.sub("", bare)) or snake_case(bare)) or "t"


def table_from_output(name: str) -> str:
    """The name of an output or a topic as a table's, with `t_` as for files; empty if no letter or digit is left."""
    return _prefixed(snake_case(name))


def table_of_file(base: str, output: str) -> str:
    """The table of one output where tables are named by their file, whose own is `base`."""
    return f"{base}__{table_from_output(output)}" if output else base


def _prefixed(name: str) -> str:
    return f"t_{name}" if name[:1].isdigit() or name.startswith(CONTROL_PREFIXES) else name


def shape_suffix(columns: Iterable[str]) -> str:
    """Six hex digits that name a shape of columns, whatever their order."""
    return digest_of_json(sorted(columns)).removeprefix(PREFIX)[:6]


def is_same_table(columns: Iterable[str], contract_columns: Iterable[str], *, headerless: bool) -> bool:
    """Whether a file with these columns belongs to the table with that contract.

    It does when they share at least half of the contract's columns by name; without a header, when the
    number of columns is the same.
    """
    found, expected = set(columns), set(contract_columns)
    if headerless:
        return len(found) == len(expected)
    return 2 * len(found & expected) >= len(expected)


def choose_table(
    base: str,
    columns: Iterable[str],
    shapes: Mapping[str, Collection[Collection[str]]],
    *,
    headerless: bool,
    older: Mapping[str, Mapping[str, str]] = MappingProxyType({}),
) -> str | None:
    """The table among `base` and `base__…` that these columns belong to, or None if they found a new one.

    A table has a shape for each version of its contract (`Contract.shapes`): what belonged to it once belongs to it
    ever after, however its contract has changed. With several tables, the one that shares most columns wins, ties to
    the shortest and then smallest name. `older` are names that columns of a table had before, with those that they
    have now: a file that has one has the column.
    """
    names = list(columns)
    fitting = []
    for table, its in shapes.items():
        if table == base or re.fullmatch(re.escape(base) + r"__[0-9a-f]{6}", table):
            now = {older[table].get(name, name) for name in names} if table in older else set(names)
            shared = [len(now.intersection(shape)) for shape in its if is_same_table(now, shape, headerless=headerless)]
            if shared:
                fitting.append((-max(shared), len(table), table))
    return min(fitting)[2] if fitting else None
