"""What a database file must be able to do to hold tables: the part of each sink that differs between engines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa

from casparian_flow.core.outputs import Role

LOCK_SECONDS = 20.0
"""How long another process may hold the file before it is reported."""

Relation = tuple[str, str]
"""Schema and name of a table or view; the schema is empty where an engine has only one."""


class Connection(Protocol):
    """An open database file. Statements use `?` for values."""

    def rows(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run a statement; what it answers."""

    def add(self, statement: str, many: Sequence[Sequence[Any]]) -> None:
        """Run a statement once for each sequence of values."""

    def relations(self) -> set[Relation]:
        """Every table and view, schema and name casefolded."""

    def load(self, table: str, columns: Sequence[str], files: Sequence[Path]) -> None:
        """Append the rows of staged files, in order, to a table whose columns are given in the files' order."""

    def stream(self, query: str, values: Sequence[Any], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        """The answer to a query in batches of these types."""


class Engine(Protocol):
    """One kind of database file. Every method translates the engine's errors into SinkUnavailable."""

    name: str
    set_up: Sequence[str]
    """Statements that run once, after the tables of the commits were created."""
    row_number: str
    """The column by which rows of a table stand in the order in which they were added."""
    key_column: str
    """The declaration of `row_number` in a new table, empty if rows have it anyway."""
    most_columns: int

    def is_native(self, kind: pa.DataType) -> bool:
        """Whether values of an Arrow type are kept as they are."""

    def column_type(self, stored: pa.DataType) -> str:
        """The declared type of a column that keeps such values."""

    def as_type(self, expression: str, stored: pa.DataType) -> str:
        """The expression, converted to the type that keeps such values."""

    def view(self, table: str, role: Role) -> Relation:
        """Under which name people find a table's current rows; raises UsageError if the engine reserves it."""

    def create(self, path: Path) -> None:
        """Make a new database file without tables; it must not exist."""

    def writing(self, path: Path) -> AbstractContextManager[Connection]:
        """The open file in a transaction that ends with the block: committed durably, or undone by an error."""

    def copy(self, path: Path, new: Path) -> None:
        """Write all that is in the file now, and nothing that was in it before, to a new one."""

    def reading(self, path: Path) -> AbstractContextManager[Connection]:
        """The open file, for reading only, as it is at one moment."""


def quoted(name: str) -> str:
    """A name as an identifier."""
    return '"' + name.replace('"', '""') + '"'


def quoted_relation(relation: Relation) -> str:
    """A relation's name in a statement."""
    schema, name = relation
    return f"{quoted(schema)}.{quoted(name)}" if schema else quoted(name)
