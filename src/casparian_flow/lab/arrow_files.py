"""Rows of one file as uncompressed Arrow files, which can be mapped into memory instead of being read."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import Path

import pyarrow as pa

from casparian_flow.core.lineage import LINEAGE_COLUMNS, SOURCE_ROW
from casparian_flow.core.outputs import Role, SealedOutput
from casparian_flow.sinks.base import Attempt, Sink
from casparian_flow.worker.known_keys import KnownKeys

KeysOf = Callable[[str, Sequence[str], Sequence[str], Collection[int], Path], KnownKeys | None]
"""`Destination.keys_of`: what the rows of a file are compared with."""
URI = "arrow:"
"""What stands for the sink in receipts of such rows."""


def nowhere(table: str) -> None:
    """A file by itself knows of no commits."""


class ArrowFiles:
    """Takes the rows of an attempt as a sink does, for whoever asked for them and nobody else.

    Of the lineage only `_cf_source_row` is kept: the rest is the same in every row.
    """

    def __init__(
        self, folder: Path, keys_of: KeysOf | None = None, committed: Callable[[str], Sink | None] = nowhere
    ) -> None:
        """The folder is there and empty, and whoever made it removes it; without `keys_of` nothing was committed.

        `committed` tells where rows of a table can be read that were committed before.
        """
        self.folder = folder
        self.committed = committed
        self._keys_of = keys_of
        self._written: list[_ArrowFile] = []

    def stage(self, attempt: Attempt, table: str, role: Role, contract_version: int, schema: pa.Schema) -> _ArrowFile:
        """Open a file for one table in one role."""
        file = _ArrowFile(self.folder / f"{len(self._written)}.arrow", table, role, contract_version, schema)
        self._written.append(file)
        return file

    def sinks_of(self, table: str) -> Sequence[ArrowFiles]:
        """Every table lands here."""
        return (self,)

    def discard(self, attempt: Attempt, outputs: Sequence[SealedOutput]) -> None:
        """Nothing: the files go with their folder."""

    def keys_of(
        self, table: str, names: Sequence[str], types: Sequence[str], without: Collection[int], folder: Path
    ) -> KnownKeys | None:
        """What was committed as far as it was told: what lands here is one file by itself."""
        return None if self._keys_of is None else self._keys_of(table, names, types, without, folder)

    def mapped(self, table: str, role: Role) -> pa.Table | None:
        """What was sealed of the table, in the order in which it came; None if that is nothing.

        The rows stay readable after the files were removed.
        """
        parts = [file.mapped() for file in self._written if (file.table, file.role) == (table, role)]
        return pa.concat_tables(parts) if parts else None


class _ArrowFile:
    """One table in one role while it is written."""

    def __init__(self, path: Path, table: str, role: Role, contract_version: int, schema: pa.Schema) -> None:
        self.table = table
        self.role = role
        self._path = path
        self._contract_version = contract_version
        self._kept = [name for name in schema.names if name == SOURCE_ROW or name not in LINEAGE_COLUMNS]
        self._file = pa.OSFile(str(path), "wb")
        self._writer = pa.ipc.new_file(self._file, pa.schema([schema.field(name) for name in self._kept]))
        self._rows = 0

    def write(self, batch: pa.RecordBatch) -> None:
        self._writer.write_batch(batch.select(self._kept))
        self._rows += batch.num_rows

    def seal(self, row_digest: str, schema_hash: str) -> SealedOutput:
        self._close()
        return SealedOutput(
            sink=URI,
            table=self.table,
            role=self.role,
            contract_version=self._contract_version,
            schema_hash=schema_hash,
            rows=self._rows,
            row_digest=row_digest,
            files=(),
        )

    def discard(self) -> None:
        if not self._file.closed:
            self._close()

    def mapped(self) -> pa.Table:
        with pa.memory_map(str(self._path)) as file:
            return pa.ipc.open_file(file).read_all()

    def _close(self) -> None:
        self._writer.close()
        self._file.close()
