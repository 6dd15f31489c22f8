"""What happens inside the one transaction that makes permitted entries visible in a database."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from casparian_flow.core.errors import InvariantBroken, LogConflict, SinkError, TargetTaken, VerificationFailed
from casparian_flow.core.hashing import digest_of_file
from casparian_flow.core.outputs import PermittedEntry, Role
from casparian_flow.sinks.database_columns import (
    StoredColumn,
    new_columns,
    new_table,
    new_view,
    placed,
    rows_table,
)
from casparian_flow.sinks.database_engine import Connection, Engine, quoted_relation
from casparian_flow.sinks.database_records import Records
from casparian_flow.sinks.database_staging import contract_columns
from casparian_flow.sinks.intact import check_file
from casparian_flow.sinks.layout import table_folder, version_of
from casparian_flow.sinks.log import AddedFile, Entry, parse_entry


def checked_entry(permitted: PermittedEntry, path: str) -> Entry:
    """The entry that a permit fixed. Raises InvariantBroken if it is not what the permit says."""
    entry = parse_entry(permitted.body, path)
    if (entry.table, entry.role, entry.seq) != (permitted.table, permitted.role, permitted.seq):
        raise InvariantBroken("a log entry does not fit its permit", where=path)
    if entry.removed_files:
        raise SinkError(
            f"log entry {entry.seq} of {entry.table} removes files",
            where=path,
            why="a database keeps rows, not files, and its rows need no compaction",
        )
    return entry


def refuse_foreign(connection: Connection, engine: Engine, table: str, role: Role, path: str) -> None:
    """Raises TargetTaken if a name that a new table needs is somebody else's; letter case makes no difference."""
    view = engine.view(table, role)
    names = {view, ("main" if view[0] else "", rows_table(table, role))}
    if found := names & connection.relations():
        name = ".".join(part for part in min(found) if part)
        raise TargetTaken(
            f"the database already has {name}, which is not ours",
            where=path,
            why="a table or view of that name, in any letter case, was made by somebody else",
            fix="choose another table with ?table=NAME, or another file",
        )


class Commit:
    """The entries of one call of `promote`, inside its transaction. `staging` is where the new rows wait."""

    def __init__(self, connection: Connection, engine: Engine, staging: Path, path: str) -> None:
        self._db = connection
        self._engine = engine
        self._staging = staging
        self._path = path
        self._records = Records(connection)

    def add(self, entries: Iterable[tuple[Entry, bytes]]) -> None:
        """Take in those of the entries that are not there.

        Raises LogConflict for a number that is there with other bytes, VerificationFailed for a file that is gone.
        """
        new = [(entry, body) for entry, body in entries if not self._is_there(entry, body)]
        new.sort(key=lambda each: (each[0].table, each[0].role, each[0].seq))
        for (table, role), some in groupby(new, key=lambda each: (each[0].table, each[0].role)):
            of_table = list(some)
            self._load(table, role, [entry for entry, _ in of_table])
            for entry, body in of_table:
                self._records.add_entry(entry, body)
            self._records.advance(table, role)

    def _is_there(self, entry: Entry, body: bytes) -> bool:
        known = self._records.body(entry.table, entry.role, entry.seq)
        if known not in (None, body):
            raise LogConflict(
                f"log entry {entry.seq} of {entry.table} exists with other content",
                where=self._path,
                why="another home writes to this target, or the home was restored from a backup",
            )
        return known is not None

    def _load(self, table: str, role: Role, entries: Sequence[Entry]) -> None:
        """Bring in the rows of files that never were in the database: an entry that undoes names older ones."""
        files = {file.name: file for entry in entries for file in entry.adds}
        loaded = self._records.loaded(table, role, list(files))
        waiting = [file for name, file in files.items() if name not in loaded]
        for version, some in groupby(waiting, key=lambda file: version_of(file.name)):
            of_version = list(some)
            paths = [self._staged(table, role, file) for file in of_version]
            columns = self._columns(table, role, version, paths)
            self._db.load(rows_table(table, role), [column.physical for column in columns], paths)
            self._records.add_files(table, role, version, of_version)

    def _staged(self, table: str, role: Role, file: AddedFile) -> Path:
        """The file, byte for byte as it was sealed: once its rows are in the database nothing else tells."""
        folder = table_folder(self._staging, role, table)
        check_file(folder, file)
        path = folder.path / file.name
        if digest_of_file(path) != file.digest:
            raise VerificationFailed(
                f"a data file of {table} is not as it was sealed", where=str(path), why="its bytes changed since"
            )
        return path

    def _columns(self, table: str, role: Role, version: int, paths: Sequence[Path]) -> list[StoredColumn]:
        """Where the columns of these files go; the table is made, or widened, for a version that is new."""
        found = [contract_columns(pq.read_schema(path)) for path in paths]
        fields = found[0]
        known = self._records.columns(table, role)
        columns = [column for column in known if column.version == version]
        if not columns:
            columns = placed(known, version, fields)
            self._make_room(table, role, known, columns)
            self._records.add_columns(table, role, columns)
        expected = _shape([column.field for column in columns])
        for path, each in zip(paths, found, strict=True):
            if _shape(each) != expected:
                raise VerificationFailed(
                    f"a staged file of {table} has other columns than contract version {version}", where=str(path)
                )
        return columns

    def _make_room(
        self, table: str, role: Role, known: Sequence[StoredColumn], columns: Sequence[StoredColumn]
    ) -> None:
        rows, view = rows_table(table, role), quoted_relation(self._engine.view(table, role))
        if known:
            there = {column.physical for column in known}
            for statement in new_columns(self._engine, rows, [each for each in columns if each.physical not in there]):
                self._db.rows(statement)
            self._db.rows(f"DROP VIEW {view}")
        else:
            refuse_foreign(self._db, self._engine, table, role, self._path)
            self._db.rows(new_table(self._engine, rows, columns))
        self._db.rows(new_view(self._engine, table, role, [*known, *columns]))


def _shape(fields: Sequence[pa.Field]) -> list[tuple[str, pa.DataType]]:
    return [(field.name, field.type) for field in fields]
