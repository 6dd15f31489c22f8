"""SQLite files as a place for tables."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pyarrow.types as pt

from casparian_flow.core.errors import SinkUnavailable, UsageError
from casparian_flow.core.outputs import Role
from casparian_flow.sinks.database_engine import LOCK_SECONDS, Relation, quoted

_ROWS_AT_ONCE = 8192
_NAN = "NaN"
"""SQLite has no NaN and would store a null; the text stays what it is in a column without a declared type."""
_QUARANTINE = "_cf_quarantine__"
"""No file brings a table with the reserved prefix, while tables named after a quarantine exist in the wild."""
_TOUCH = "SELECT count(*) FROM sqlite_schema"
_MEANING = {
    "SQLITE_BUSY": ("another process has it locked", "close the program that uses it, then repeat the command"),
    "SQLITE_LOCKED": ("another process has it locked", "close the program that uses it, then repeat the command"),
    "SQLITE_READONLY": ("it is read-only", "change its permissions, or choose another target"),
    "SQLITE_CANTOPEN": ("it cannot be opened or created there", "check the path, or choose another target"),
    "SQLITE_NOTADB": ("it is not an SQLite database", "choose another file"),
    "SQLITE_CORRUPT": ("it is damaged", "restore it from a backup, or choose another file"),
    "SQLITE_FULL": ("the disk is full", "free some space; nothing of the commit is visible"),
    "SQLITE_IOERR": (
        "the disk is full or broken, or a file may not grow that large there",
        "free some space or raise the limit (ulimit -f); nothing of the commit is visible",
    ),
    "SQLITE_AUTH": ("it refuses the statement", "choose another file"),
}


class SQLite:
    """What SQLite keeps: whole numbers, floats, text and bytes; everything else as one of these."""

    name = "SQLite"
    set_up: Sequence[str] = (
        "CREATE INDEX _cf_changes_seq ON _cf_changes (table_name, role, seq)",
        "CREATE INDEX _cf_current_job ON _cf_current (table_name, role, job_id)",
        "CREATE INDEX _cf_files_name ON _cf_files (table_name, role, name)",
        "CREATE INDEX _cf_files_job ON _cf_files (table_name, role, job_id)",
    )
    row_number = "_cf_row"
    key_column = '"_cf_row" INTEGER PRIMARY KEY'
    most_columns = 1990

    def is_native(self, kind: pa.DataType) -> bool:
        """Whether values of an Arrow type are kept as they are."""
        return bool(pt.is_signed_integer(kind) or pt.is_float64(kind) or pt.is_string(kind) or pt.is_binary(kind))

    def column_type(self, stored: pa.DataType) -> str:
        """The declared type. Floats have none: REAL would lose the sign of -0.0."""
        if pt.is_integer(stored):
            return "INTEGER"
        return "TEXT" if pt.is_string(stored) else "BLOB" if pt.is_binary(stored) else ""

    def as_type(self, expression: str, stored: pa.DataType) -> str:
        """The expression, converted."""
        return f"CAST({expression} AS {self.column_type(stored) or 'REAL'})"

    def view(self, table: str, role: Role) -> Relation:
        """`table`, and `_cf_quarantine__table` for its rejected rows."""
        if table.startswith("sqlite_"):
            raise UsageError(
                f"{table!r} cannot name a table in SQLite",
                why="names that start with sqlite_ are reserved there",
                fix="choose another name with ?table=NAME",
            )
        return "", (_QUARANTINE if role is Role.QUARANTINE else "") + table

    def create(self, path: Path) -> None:
        """Make a new file without tables: SQLite takes an empty file for one."""
        path.touch(exist_ok=False)

    def copy(self, path: Path, new: Path) -> None:
        """Write all that is in the file now, and nothing that was in it before, to a new one."""
        with _opened(path, "rw") as file:
            file.execute("VACUUM INTO ?", (str(new),))

    @contextmanager
    def writing(self, path: Path) -> Iterator[SQLiteConnection]:
        """The open file in a transaction. After it there is one file, without a journal beside it."""
        with _opened(path, "rw") as file:
            file.execute("PRAGMA synchronous = EXTRA")  # a journal that comes back would undo what it was for
            file.execute("BEGIN IMMEDIATE")
            try:
                yield SQLiteConnection(file)
                file.execute("COMMIT")
            finally:
                if file.in_transaction:
                    file.execute("ROLLBACK")

    @contextmanager
    def reading(self, path: Path) -> Iterator[SQLiteConnection]:
        """The open file, as it is at one moment; writers of other processes wait meanwhile."""
        if _journal(path).exists():  # a writer is at work, or was killed; then this undoes what it left
            with _opened(path, "rw") as file:
                file.execute(_TOUCH)
        with _opened(path, "ro") as file:
            file.execute("BEGIN")
            file.execute(_TOUCH)
            yield SQLiteConnection(file)


class SQLiteConnection:
    """An open SQLite file."""

    def __init__(self, file: sqlite3.Connection) -> None:
        self._file = file

    def rows(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run a statement; what it answers."""
        return self._file.execute(statement, tuple(values)).fetchall()

    def add(self, statement: str, many: Sequence[Sequence[Any]]) -> None:
        """Run a statement once for each sequence of values."""
        self._file.executemany(statement, many)

    def relations(self) -> set[Relation]:
        """Every table and view."""
        found = self.rows("SELECT name FROM sqlite_schema WHERE type IN ('table', 'view')")
        return {("", str(name).casefold()) for (name,) in found}

    def load(self, table: str, columns: Sequence[str], files: Sequence[Path]) -> None:
        """Append the rows of staged files to a table."""
        names, marks = ", ".join(map(quoted, columns)), ", ".join("?" * len(columns))
        statement = f"INSERT INTO {quoted(table)} ({names}) VALUES ({marks})"
        for path in files:
            with pq.ParquetFile(path) as file:
                for batch in file.iter_batches(batch_size=_ROWS_AT_ONCE):
                    self._file.executemany(statement, zip(*map(_bound, batch.columns), strict=True))

    def stream(self, query: str, values: Sequence[Any], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        """The answer to a query in batches of these types."""
        cursor = self._file.execute(query, tuple(values))
        while rows := cursor.fetchmany(_ROWS_AT_ONCE):
            columns = zip(*rows, strict=True)
            arrays = [_array(column, field.type) for column, field in zip(columns, schema, strict=True)]
            yield pa.RecordBatch.from_arrays(arrays, schema=schema)


def _journal(path: Path) -> Path:
    return path.with_name(path.name + "-journal")


def _bound(column: pa.Array) -> list[Any]:
    """The values as SQLite takes them."""
    values: list[Any] = column.to_pylist()
    if pt.is_floating(column.type) and pc.any(pc.is_nan(column)).as_py():
        return [_NAN if value is not None and math.isnan(value) else value for value in values]
    return values


def _array(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    try:
        return pa.array(values, kind)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        if not pt.is_floating(kind):
            raise
        return pa.array([math.nan if value == _NAN else value for value in values], kind)


@contextmanager
def _opened(path: Path, mode: str) -> Iterator[sqlite3.Connection]:
    address = f"{path.as_uri()}?mode={mode}"
    try:
        with closing(sqlite3.connect(address, uri=True, timeout=LOCK_SECONDS, isolation_level=None)) as file:
            file.execute("PRAGMA trusted_schema = OFF")
            yield file
    except sqlite3.Error as exc:
        raise _unavailable(path, exc) from exc


def _unavailable(path: Path, error: sqlite3.Error) -> SinkUnavailable:
    code = getattr(error, "sqlite_errorname", "")
    name = next((name for name in _MEANING if code.startswith(name)), "")
    why, fix = _MEANING.get(name, (str(error), "check the file, or choose another target"))
    return SinkUnavailable(
        "the SQLite database cannot be used", where=str(path), why=f"{why} ({code or error})", fix=fix
    )
