"""The sink that is a folder: immutable files of one format, and one log per table that says which of them count.

Data files are written once, in their final place, and nobody sees them until a log entry names them. The file names
carry job and attempt, so writers never meet; the log's names are given out by the permit, so they do not meet there.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Sequence
from pathlib import Path

import pyarrow as pa

from casparian_flow.core.errors import InvariantBroken, LogConflict, SinkUnavailable
from casparian_flow.core.outputs import PermittedEntry, Role, SealedOutput
from casparian_flow.sinks.base import Attempt, EntryName, Snapshot
from casparian_flow.sinks.checkpoint import CHECKPOINT_EVERY, is_checkpoint_due, write_checkpoint
from casparian_flow.sinks.durable import put_if_absent, sync_folder
from casparian_flow.sinks.explain import write_readme
from casparian_flow.sinks.folder_format import Format
from casparian_flow.sinks.folder_staging import StagedFiles
from casparian_flow.sinks.intact import check_file
from casparian_flow.sinks.layout import (
    NO_JOB,
    ROLE_FOLDERS,
    TableFolder,
    is_table_name,
    number_of,
    owner_of,
    table_folder,
    version_of,
)
from casparian_flow.sinks.log import AddedFile, Entry, parse_entry
from casparian_flow.sinks.owner import claim_folder, owner_of_folder
from casparian_flow.sinks.probe import check_folder
from casparian_flow.sinks.read import scan
from casparian_flow.sinks.rejects import Rejects
from casparian_flow.sinks.resolve import read_entry, resolve_state
from casparian_flow.sinks.rewrite import Rewrite
from casparian_flow.sinks.state import TableState, VisibleFile
from casparian_flow.sinks.sweep import remove_data_files, remove_rewritten, sweep_table
from casparian_flow.sinks.trouble import translated


class FolderSink:
    """Tables as files of one format under one folder."""

    def __init__(self, uri: str, root: Path, form: Format) -> None:
        self.uri = uri
        self.root = root
        self.has_parquet_files = form.is_parquet
        self._format = form

    def check(self) -> None:
        """Raises SinkUnavailable, saying why and what to do, unless the target can be written to."""
        with translated(self.uri):
            check_folder(self.root)
            self._check_format()

    def owner(self) -> str | None:
        """The home that claimed the folder; None as long as no home has."""
        with translated(self.uri):
            return owner_of_folder(self.root)

    def claim(self, home: str) -> None:
        """Make the folder that home's own; raises TargetOwned if another home has it. Allowed twice."""
        with translated(self.uri):
            claim_folder(self.root, self.uri, home)

    def stage(self, attempt: Attempt, table: str, role: Role, contract_version: int, schema: pa.Schema) -> StagedFiles:
        """Open a hidden place for one table of one attempt. Nothing is created before the first rows are flushed."""
        folder = table_folder(self.root, role, table)
        return StagedFiles(self.uri, folder, attempt, role, contract_version, schema, self._format)

    def promote(self, entries: Sequence[PermittedEntry]) -> None:
        """Write the permitted entries into their logs, durably. Doing it again changes nothing.

        Raises LogConflict if a name exists with other bytes, VerificationFailed if a file that an entry names is not
        there, InvariantBroken if an entry is not what its permit says.
        """
        touched: dict[TableFolder, Role] = {}
        due: dict[TableFolder, Role] = {}
        with translated(self.uri):
            for permitted in entries:
                folder = table_folder(self.root, permitted.role, permitted.table)
                self._promote_one(folder, permitted)
                touched[folder] = permitted.role
                if permitted.seq % CHECKPOINT_EVERY == 0 and is_checkpoint_due(folder, permitted.seq):
                    due[folder] = permitted.role
            for folder in touched:
                sync_folder(folder.log)
            for folder, role in due.items():
                _add_checkpoint(folder, role)

    def _promote_one(self, folder: TableFolder, permitted: PermittedEntry) -> None:
        path = folder.entry(permitted.seq)
        entry = parse_entry(permitted.body, str(path))
        if (entry.table, entry.role, entry.seq) != (permitted.table, permitted.role, permitted.seq):
            raise InvariantBroken("a log entry does not fit its permit", where=str(path))
        if not path.exists():
            for file in entry.adds:
                check_file(folder, file)
            write_readme(folder, self._format)
            if put_if_absent(path, permitted.body):
                return
        if path.read_bytes() != permitted.body:
            raise LogConflict(
                f"log entry {permitted.seq} of {permitted.table} exists with other content",
                where=str(path),
                why="another home writes to this target, or the home was restored from a backup",
            )

    def discard(self, attempt: Attempt, outputs: Sequence[SealedOutput]) -> None:
        """Remove the sealed but never promoted files of an attempt; allowed twice."""
        with translated(self.uri):
            for output in outputs:
                folder = table_folder(self.root, output.role, output.table)
                names = [file.name for file in output.files]
                if any(owner_of(output.table, Path(name).name) != attempt for name in names):
                    raise InvariantBroken(
                        f"a file of another attempt cannot be discarded with {attempt.job}.{attempt.attempt}"
                    )
                remove_data_files(folder, names)

    def sweep(self, keep: Sequence[Attempt]) -> int:
        """Remove data files that no log entry names and that belong to none of `keep`; how many went."""
        kept = frozenset(keep)
        with translated(self.uri):
            return sum(
                sweep_table(table_folder(self.root, role, table), role, kept, self._format.suffix)
                for role in Role
                for table in self._folders(role)
            )

    def rewrite(
        self,
        number: int,
        table: str,
        role: Role,
        files: Sequence[VisibleFile],
        schema_hash: str,
        dropped: Sequence[Rejects] = (),
    ) -> tuple[AddedFile, ...]:
        """Put the rows that count of these files, which are of one contract version, into new files that nobody sees.

        Rejected rows that are in `dropped` stay behind. `number` must never have been used before. Raises
        VerificationFailed if a file is not what was sealed, or holds other rows than its commit says; then nothing is
        left behind.
        """
        folder = table_folder(self.root, role, table)
        version = version_of(files[0].file.name)
        owner = Attempt(job=NO_JOB, attempt=number)
        with translated(self.uri):
            rewrite = Rewrite(folder, files, self._format, dropped)
            staged = StagedFiles(self.uri, folder, owner, role, version, rewrite.schema, self._format)
            try:
                for batch in rewrite.batches():
                    staged.write(batch)
                return rewrite.account_for(staged.seal("", schema_hash).files)
            except BaseException:
                staged.discard()
                raise

    def discard_rewritten(self, table: str, numbers: Container[int]) -> None:
        """Remove what rewrites of these numbers wrote that were never permitted; allowed twice."""
        with translated(self.uri):
            for role in Role:
                remove_rewritten(table_folder(self.root, role, table), numbers)

    def erase(self, table: str, role: Role, names: Collection[str]) -> None:
        """Remove data files of a table for good, durably, though log entries name them; allowed twice."""
        with translated(self.uri):
            folder = table_folder(self.root, role, table)
            remove_data_files(folder, names)
            for place in {(folder.path / name).parent for name in names}:
                if place.is_dir():
                    sync_folder(place)

    def lost_files(self, entry: Entry) -> list[str]:
        """The files that an entry would add and that are not there."""
        with translated(self.uri):
            folder = table_folder(self.root, entry.role, entry.table)
            paths = (folder.path / file.name for file in entry.adds)
            return [str(path) for path in paths if not path.exists()]

    def snapshot(self, table: str, role: Role, as_of: int | None = None) -> Snapshot:
        """What is visible now, or was when the entry `as_of` was the last."""
        with translated(self.uri):
            folder = table_folder(self.root, role, table)
            return self._state(folder, role, as_of).snapshot(folder.path)

    def read(
        self,
        table: str,
        role: Role,
        as_of: int | None = None,
        columns: Sequence[str] | None = None,
        jobs: Collection[int] | None = None,
    ) -> pa.RecordBatchReader:
        """The rows now, or after the log entry `as_of`, in log order, a batch at a time; with `jobs`, only theirs."""
        with translated(self.uri):
            folder = table_folder(self.root, role, table)
            return scan(folder, self._state(folder, role, as_of), self._format, columns, jobs)

    def present(self, entries: Collection[EntryName]) -> set[EntryName]:
        """Those of these log entries that are there; reads nothing else."""
        with translated(self.uri):
            return {
                (table, role, seq)
                for table, role, seq in entries
                if table_folder(self.root, role, table).entry(seq).is_file()
            }

    def tables(self, role: Role) -> list[str]:
        """The tables that have at least one log entry, by name."""
        with translated(self.uri):
            return [name for name in self._folders(role) if _has_entries(table_folder(self.root, role, name))]

    def _state(self, folder: TableFolder, role: Role, as_of: int | None) -> TableState:
        state = resolve_state(folder, role, as_of)
        if foreign := next((name for name in state.files if not name.endswith(self._format.suffix)), None):
            raise self._other_format(folder.path / foreign)
        return state

    def _check_format(self) -> None:
        """One table is enough to tell: whoever wrote it asked the same before."""
        for role in Role:
            for table in self._folders(role):
                folder = table_folder(self.root, role, table)
                entry = read_entry(folder, role, 1)
                for file in entry.adds if entry else ():
                    if not file.name.endswith(self._format.suffix):
                        raise self._other_format(folder.path / file.name)
                    return

    def _other_format(self, path: Path) -> SinkUnavailable:
        scheme = path.suffix.removeprefix(".")
        return SinkUnavailable(
            f"{self.uri} holds tables of another format",
            where=str(path),
            why=f"they were written to {scheme}://",
            fix=f"name it {scheme}://{self.root} , or choose another folder",
        )

    def _folders(self, role: Role) -> list[str]:
        try:
            found = list((self.root / ROLE_FOLDERS[role]).iterdir())
        except (FileNotFoundError, NotADirectoryError):
            return []
        return sorted(path.name for path in found if is_table_name(path.name) and path.is_dir())


def _has_entries(folder: TableFolder) -> bool:
    try:
        return any(number_of(path.name) is not None for path in folder.log.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return False


def _add_checkpoint(folder: TableFolder, role: Role) -> None:
    state = resolve_state(folder, role)
    if is_checkpoint_due(folder, state.seq):
        write_checkpoint(folder, role, state)
