"""The database sinks: tables and their commits in one DuckDB or SQLite file that anyone can open.

Rows wait as Parquet files in a hidden folder beside the database. A commit is one transaction that moves them in; the
file is opened for it and closed at once. People read the views; which rows these show is kept by `database_records`.
"""

from __future__ import annotations

import errno
import glob
import os
import secrets
import shutil
import stat
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pyarrow as pa

from casparian_flow.core.errors import UsageError
from casparian_flow.core.outputs import PermittedEntry, Role, SealedOutput
from casparian_flow.sinks.base import Attempt, EntryName, Snapshot
from casparian_flow.sinks.database_columns import placed, rows_table
from casparian_flow.sinks.database_commit import Commit, checked_entry, refuse_foreign
from casparian_flow.sinks.database_engine import Connection, Engine
from casparian_flow.sinks.database_nothing import Nothing
from casparian_flow.sinks.database_reading import read_rows
from casparian_flow.sinks.database_records import TABLES, Records
from casparian_flow.sinks.database_rejects import delete_jobs, delete_rejects
from casparian_flow.sinks.database_staging import StagedRows, kept_schema, tidy
from casparian_flow.sinks.durable import make_folder, sync_folder
from casparian_flow.sinks.folder import FolderSink
from casparian_flow.sinks.layout import checked_table, table_folder
from casparian_flow.sinks.parquet_format import ParquetFormat
from casparian_flow.sinks.probe import check_folder
from casparian_flow.sinks.rejects import Rejects
from casparian_flow.sinks.sweep import remove_data_files
from casparian_flow.sinks.trouble import translated
from casparian_flow.sinks.turn import lock_file, reading_turn, writing_turn


class DatabaseSink:
    """Tables in one database file."""

    has_parquet_files = False

    def __init__(self, uri: str, path: Path, engine: Engine) -> None:
        self.uri = uri
        self.path = path
        self._engine = engine
        self._staging = FolderSink(uri, path.with_name(f".{path.name}.staged"), ParquetFormat())
        self._admitted: set[tuple[str, Role, int]] = set()

    def check(self) -> None:
        """Raises SinkUnavailable, saying why and what to do, unless the target can be written to."""
        with translated(self.uri):
            if not self._exists():
                check_folder(self.path if self.path.is_symlink() else self.path.parent)
                return
            check_folder(self.path.parent)
            with writing_turn(self.path), self._engine.writing(self.path) as connection:
                Records(connection).are_here(str(self.path))

    def owner(self) -> str | None:
        """The home that claimed the file; None as long as no home has."""
        with self._reading() as connection:
            return Records(connection).owner()

    def claim(self, home: str) -> None:
        """Make the file that home's own; raises TargetOwned if another home has it. Allowed twice."""
        if self.owner() == home:
            return
        with self._writing() as connection:
            Records(connection).claim(home, self.uri, str(self.path))
            for path in self._begun():  # of somebody who was killed at it: only one at a time writes
                path.unlink(missing_ok=True)

    def stage(self, attempt: Attempt, table: str, role: Role, contract_version: int, schema: pa.Schema) -> StagedRows:
        """Open a hidden place for one table of one attempt. Nothing is created before the first rows are flushed.

        Raises UsageError for a table or column that the database cannot hold, TargetTaken if its name is in use.
        """
        folder = table_folder(self._staging.root, role, table)
        self._engine.view(table, role)
        kept = kept_schema(schema, self._engine.is_native)
        self._admit(table, role, contract_version, schema)
        inner = self._staging.stage(attempt, folder.path.name, role, contract_version, kept)
        return StagedRows(inner, self._staging.root, schema, kept, self._engine.is_native)

    def promote(self, entries: Sequence[PermittedEntry]) -> None:
        """Make the permitted entries visible, all in one durable transaction. Doing it again changes nothing.

        Raises LogConflict if a number exists with other bytes, VerificationFailed if a file that an entry names is not
        there, InvariantBroken if an entry is not what its permit says.
        """
        parsed = []
        for permitted in entries:
            checked_table(permitted.table)
            parsed.append((checked_entry(permitted, str(self.path)), permitted.body))
        with self._writing() as connection:
            Commit(connection, self._engine, self._staging.root, str(self.path)).add(parsed)
        with translated(self.uri):
            for entry, _body in parsed:
                folder = table_folder(self._staging.root, entry.role, entry.table)
                remove_data_files(folder, [file.name for file in entry.adds])
            tidy(self._staging.root)

    def discard(self, attempt: Attempt, outputs: Sequence[SealedOutput]) -> None:
        """Remove the sealed but never promoted files of an attempt; allowed twice."""
        self._staging.discard(attempt, outputs)
        tidy(self._staging.root)

    def sweep(self, keep: Sequence[Attempt]) -> int:
        """Remove the staged files that belong to none of `keep`, and what an interrupted start left; how many went."""
        gone = self._staging.sweep(keep)
        with translated(self.uri):
            tidy(self._staging.root)
            if lock_file(self.path).exists() or self._begun():
                with writing_turn(self.path):
                    for path in self._begun():
                        path.unlink(missing_ok=True)
        return gone

    def snapshot(self, table: str, role: Role, as_of: int | None = None) -> Snapshot:
        """How many rows are visible now, or were when the entry `as_of` was the last."""
        checked_table(table)
        with self._reading() as connection:
            records = Records(connection)
            moment = records.moment(table, role, as_of, str(self.path))
            jobs, rows = records.jobs(moment), records.count(moment)
            return Snapshot(files=(), removed_jobs=(), jobs=jobs, rows=rows, seq=moment.seq)

    def read(
        self,
        table: str,
        role: Role,
        as_of: int | None = None,
        columns: Sequence[str] | None = None,
        jobs: Collection[int] | None = None,
    ) -> pa.RecordBatchReader:
        """The rows now, or after the log entry `as_of`, in log order, a batch at a time; with `jobs`, only theirs.

        The database is closed again before the first batch is read.
        """
        checked_table(table)
        with self._reading() as connection, translated(self.uri):
            moment = Records(connection).moment(table, role, as_of, str(self.path))
            return read_rows(connection, self._engine, moment, columns, str(self.path), jobs)

    def erase(self, table: str, jobs: Mapping[Role, Collection[int]], rejects: Sequence[Rejects] = ()) -> None:
        """Remove the rows of these jobs for good, durably, and these rejected ones. Allowed twice.

        The file is written anew without them.
        """
        checked_table(table)
        if not self._exists():
            return
        with self._writing() as connection:
            for role, behind in jobs.items():
                if Records(connection).columns(table, role):
                    delete_jobs(connection, rows_table(table, role), behind)
            delete_rejects(connection, table, rejects)
        with translated(self.uri), writing_turn(self.path):
            path = self.path.resolve()
            new = path.with_name(self._new_prefix + secrets.token_hex(8))
            try:
                self._engine.copy(path, new)
                shutil.copymode(path, new)
                new.replace(path)
            finally:
                new.unlink(missing_ok=True)
            sync_folder(path.parent)

    def present(self, entries: Collection[EntryName]) -> set[EntryName]:
        """Those of these log entries that are there; the database is opened once for all of them."""
        with self._reading() as connection:
            records = Records(connection)
            return {entry for entry in entries if records.body(*entry) is not None}

    def tables(self, role: Role) -> list[str]:
        """The tables that have at least one log entry, by name."""
        with self._reading() as connection:
            return sorted(Records(connection).tables(role))

    def _admit(self, table: str, role: Role, version: int, schema: pa.Schema) -> None:
        """Refuse, before anything is permitted, what the commit could not do. Asked once per contract version."""
        if (table, role, version) in self._admitted:
            return
        with self._reading() as connection:
            known = Records(connection).columns(table, role)
            if not known:
                refuse_foreign(connection, self._engine, table, role, str(self.path))
            if all(column.version != version for column in known):
                columns = [*known, *placed(known, version, list(schema))]
                count = len({column.physical for column in columns})
                if count > self._engine.most_columns:
                    raise UsageError(
                        f"{table} has too many columns for {self._engine.name}",
                        why=f"{count}, and {self._engine.most_columns} are possible",
                        fix="write to parquet://",
                    )
        self._admitted.add((table, role, version))

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        """The open database, or one without anything where there is none of ours."""
        with translated(self.uri), reading_turn(self.path):
            exists = self._exists()
            if not exists:
                yield Nothing()
                return
            with self._engine.reading(self.path) as connection:
                is_ours = Records(connection).are_here(str(self.path))
                yield connection if is_ours else Nothing(connection.relations())

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        """One transaction on the database, which is made, with our own tables, where there is none."""
        with translated(self.uri):
            make_folder(self.path.parent)
            with writing_turn(self.path):
                self._create()
                with self._engine.writing(self.path) as connection:
                    if not Records(connection).are_here(str(self.path)):
                        for statement in (*TABLES, *self._engine.set_up):
                            connection.rows(statement)
                    yield connection

    def _exists(self) -> bool:
        try:
            mode = self.path.stat().st_mode
        except (FileNotFoundError, NotADirectoryError):
            return False
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(self.path))
        return True

    @property
    def _new_prefix(self) -> str:
        return f".{self.path.name}.new."

    def _begun(self) -> list[Path]:
        """Files that were to become the database."""
        return list(self.path.parent.glob(f"{glob.escape(self._new_prefix)}*"))

    def _create(self) -> None:
        """Make the file if there is none: whole, or not at all."""
        if self._exists():
            return
        new = self.path.with_name(self._new_prefix + secrets.token_hex(8))
        try:
            self._engine.create(new)
            with suppress(FileExistsError):  # somebody else was faster
                os.link(new, self.path)
        finally:
            new.unlink(missing_ok=True)
        sync_folder(self.path.parent)
