"""DuckDB files as a place for tables.

While one process writes a file no other may open it, even to read; so it is opened for each commit and closed at once.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.types as pt

from casparian_flow.core.errors import SinkUnavailable
from casparian_flow.core.outputs import Role
from casparian_flow.sinks.database_engine import LOCK_SECONDS, Relation, quoted

STORAGE_VERSION = "v1.2.0"
"""New files can be opened by every DuckDB from this version on."""

MEMORY_MB = 256
"""What one engine may hold before it writes to its temporary files. Its own choice is most of the machine."""
MEMORY_MB_PER_COLUMN = 1
"""Besides, for each column of a table that it fills or reads: some blocks of 256 KiB are in memory for each."""
_ROWS_AT_ONCE = 65_536
_PAUSE = 0.01
"""Short, since whoever reads all the time leaves the file for moments only."""
_QUARANTINE = "quarantine"
_BUILT_IN = "system.main"
"""Where DuckDB's own functions are: a macro of the same name in the file would be called in their place."""
_TORN = re.compile(r"Corrupt WAL file: entry at byte position (?P<at>\d+)")
_HOLDER = re.compile(r"Conflicting lock is held in (?P<who>.*?\(PID \d+\))")
_MEANING = (
    ("Unique file handle", "this process has it open elsewhere", "close that connection, then repeat the command"),
    ("not a valid DuckDB", "it is not a DuckDB database", "choose another file"),
    ("Could not read enough bytes", "it is damaged", "restore it from a backup, or choose another file"),
    ("Corrupt", "it is damaged", "restore it from a backup, or choose another file"),
    ("read-only", "it is read-only", "change its permissions, or choose another target"),
    ("Permission denied", "permission is denied", "change its permissions, or choose another target"),
    ("No space left", "the disk is full", "free some space; nothing of the commit is visible"),
    ("File too large", "a file may not grow that large there", "raise the limit (ulimit -f), or choose another target"),
)
_TYPES = {
    pa.bool_(): "BOOLEAN",
    pa.int8(): "TINYINT",
    pa.int16(): "SMALLINT",
    pa.int32(): "INTEGER",
    pa.int64(): "BIGINT",
    pa.float64(): "DOUBLE",
    pa.date32(): "DATE",
    pa.timestamp("ns"): "TIMESTAMP_NS",
    pa.timestamp("us"): "TIMESTAMP",
    pa.string(): "VARCHAR",
    pa.binary(): "BLOB",
}
"""Types whose values DuckDB keeps exactly since v1.2.0. Its TIME and TIMESTAMPTZ end at microseconds."""


class DuckDB:
    """What DuckDB keeps: most types as they are, lists and structs too where their parts are."""

    name = "DuckDB"
    set_up: Sequence[str] = (f"CREATE SCHEMA IF NOT EXISTS {_QUARANTINE}",)
    row_number = "rowid"
    key_column = ""
    most_columns = 100_000

    def __init__(self) -> None:
        self._idle: duckdb.DuckDBPyConnection | None = None

    def is_native(self, kind: pa.DataType) -> bool:
        """Whether values of an Arrow type are kept as they are."""
        if pt.is_list(kind):
            return self.is_native(kind.value_type)
        if pt.is_struct(kind):
            names = [kind[at].name for at in range(kind.num_fields)]
            is_clear = all(names) and len({name.casefold() for name in names}) == len(names) > 0
            return is_clear and all(self.is_native(kind[at].type) for at in range(kind.num_fields))
        return kind in _TYPES or bool(pt.is_decimal128(kind) and kind.scale >= 0)

    def column_type(self, stored: pa.DataType) -> str:
        """The declared type."""
        if pt.is_list(stored):
            return self.column_type(stored.value_type) + "[]"
        if pt.is_struct(stored):
            parts = (f"{quoted(part.name)} {self.column_type(part.type)}" for part in stored)
            return f"STRUCT({', '.join(parts)})"
        if pt.is_decimal(stored):
            return f"DECIMAL({stored.precision}, {stored.scale})"
        return _TYPES[stored]

    def as_type(self, expression: str, stored: pa.DataType) -> str:
        """The expression, converted."""
        return f"CAST({expression} AS {self.column_type(stored)})"

    def view(self, table: str, role: Role) -> Relation:
        """`main.table`, and `quarantine.table` for its rejected rows."""
        return _QUARANTINE if role is Role.QUARANTINE else "main", table

    def create(self, path: Path) -> None:
        """Make a new file without tables."""
        with self._attached(path, f"STORAGE_VERSION '{STORAGE_VERSION}'"):
            pass

    def copy(self, path: Path, new: Path) -> None:
        """Write all that is in the file now, and nothing that was in it before, to a new one."""
        with self._attached(path, "READ_ONLY") as engine:
            address = str(new).replace("'", "''")
            engine.execute(f"ATTACH '{address}' AS copied (TYPE duckdb, STORAGE_VERSION '{STORAGE_VERSION}')")
            engine.execute("COPY FROM DATABASE target TO copied")
            engine.execute("DETACH copied")

    @contextmanager
    def writing(self, path: Path) -> Iterator[DuckDBConnection]:
        """The open file in a transaction."""
        with self._attached(path, "READ_WRITE") as file:
            file.execute("BEGIN")
            yield DuckDBConnection(file)
            file.execute("COMMIT")

    @contextmanager
    def reading(self, path: Path) -> Iterator[DuckDBConnection]:
        """The open file; no process can write it meanwhile."""
        with self._attached(path, "READ_ONLY") as file:
            yield DuckDBConnection(file)

    @contextmanager
    def _attached(self, path: Path, option: str) -> Iterator[duckdb.DuckDBPyConnection]:
        """The file as the current database of an engine, which is kept for the next time unless something failed."""
        engine, self._idle = self._idle or _new_engine(), None
        try:
            _attach(engine, path, option)
            engine.execute("USE target")
            yield engine
            engine.execute("USE memory")
            engine.execute("DETACH target")
            self._idle = engine
        except duckdb.Error as exc:
            raise _unavailable(path, exc) from exc
        finally:
            if self._idle is not engine:
                engine.close()


class DuckDBConnection:
    """An open DuckDB file."""

    def __init__(self, file: duckdb.DuckDBPyConnection) -> None:
        self._file = file
        self._columns = 0

    def rows(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run a statement; what it answers."""
        return self._file.execute(statement, list(map(_plain, values))).fetchall()

    def add(self, statement: str, many: Sequence[Sequence[Any]]) -> None:
        """Run a statement once for each sequence of values."""
        if many:
            self._file.executemany(statement, [list(map(_plain, values)) for values in many])

    def relations(self) -> set[Relation]:
        """Every table and view."""
        found = self.rows(
            f"SELECT schema_name, table_name FROM {_BUILT_IN}.duckdb_tables() WHERE database_name = 'target' UNION ALL "
            f"SELECT schema_name, view_name FROM {_BUILT_IN}.duckdb_views() WHERE database_name = 'target' "
            "AND NOT internal"
        )
        return {(str(schema).casefold(), str(name).casefold()) for schema, name in found}

    def load(self, table: str, columns: Sequence[str], files: Sequence[Path]) -> None:
        """Append the rows of staged files to a table."""
        self._make_room(len(columns))
        names, kept = ", ".join(map(quoted, columns)), ", ".join(f"c{at}" for at in range(len(columns)))
        self._file.execute(
            f"INSERT INTO {quoted(table)} ({names}) SELECT {kept} "
            f"FROM {_BUILT_IN}.read_parquet(?, hive_partitioning = false)",
            [[_exactly(path) for path in files]],
        )

    def stream(self, query: str, values: Sequence[Any], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        """The answer to a query in batches of these types."""
        self._make_room(len(schema))
        for batch in self._file.sql(query, params=list(map(_plain, values))).to_arrow_reader(_ROWS_AT_ONCE):
            columns = [column.cast(field.type) for column, field in zip(batch.columns, schema, strict=True)]
            yield pa.RecordBatch.from_arrays(columns, schema=schema)

    def _make_room(self, columns: int) -> None:
        """Let the engine hold what its widest table so far asks for."""
        if columns > self._columns:
            self._columns = columns
            self._file.execute(f"SET memory_limit = '{MEMORY_MB + MEMORY_MB_PER_COLUMN * columns}MB'")


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, str) else value


def _exactly(path: Path) -> str:
    """The path as a pattern that matches nothing else."""
    return re.sub(r"([*?\[])", r"[\1]", str(path))


def _new_engine() -> duckdb.DuckDBPyConnection:
    settings: dict[str, Any] = {
        "autoload_known_extensions": False,
        "autoinstall_known_extensions": False,
        "temp_directory": str(Path(tempfile.gettempdir(), "casparian-duckdb")),
        "memory_limit": f"{MEMORY_MB}MB",
    }
    return duckdb.connect(":memory:", config=settings)


def _attach(engine: duckdb.DuckDBPyConnection, path: Path, option: str) -> None:
    """Waits for a while until no other process has the file; a writer first cuts off what a loss of power tore."""
    address = str(path).replace("'", "''")
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            engine.execute(f"ATTACH '{address}' AS target (TYPE duckdb, {option})")
        except duckdb.Error as exc:
            torn = _TORN.search(str(exc))
            if torn and option == "READ_WRITE" and _cut_torn(path, int(torn["at"])):
                continue
            if not isinstance(exc, duckdb.IOException) or "lock" not in str(exc) or time.monotonic() >= deadline:
                raise
            time.sleep(_PAUSE)
        else:
            return


def _cut_torn(path: Path, at: int) -> bool:
    """End the write-ahead log before its first entry that is not whole; False if it ended there already.

    DuckDB does so itself where the log is too short, and gives up where a part within it was not written. What it
    reported as committed lies before, since that was flushed; should the disk have changed that later, the numbers of
    the commits say so, and the log as it was is kept beside.
    """
    log = Path(f"{path}.wal")
    if log.stat().st_size <= at:
        return False
    kept = Path(f"{log}.torn")
    shutil.copyfile(log, kept)
    with kept.open("rb") as copy:
        os.fsync(copy.fileno())
    os.truncate(log, at)
    return True


def _unavailable(path: Path, error: duckdb.Error) -> SinkUnavailable:
    text = str(error)
    if holder := _HOLDER.search(text):
        why, fix = f"another process has it open: {holder['who']}", "close it there, then repeat the command"
    else:
        found = ((why, fix) for sign, why, fix in _MEANING if sign in text)
        why, fix = next(found, (text.partition("\n")[0], "check the file, or choose another target"))
    return SinkUnavailable("the DuckDB database cannot be used", where=str(path), why=why, fix=fix)
