"""One table of one attempt on its way into data files: rows are gathered, gathered rows are written into parts."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from casparian_flow.core.errors import InvariantBroken
from casparian_flow.core.outputs import Role, SealedFile, SealedOutput
from casparian_flow.sinks.base import Attempt
from casparian_flow.sinks.durable import sync_folder
from casparian_flow.sinks.folder_format import Format, Part
from casparian_flow.sinks.layout import TableFolder, data_file, version_folder
from casparian_flow.sinks.shared_folder import filling
from casparian_flow.sinks.sweep import remove_data_files
from casparian_flow.sinks.trouble import translated


class StagedFiles:
    """Rows of one table that nobody sees yet."""

    def __init__(
        self,
        uri: str,
        folder: TableFolder,
        attempt: Attempt,
        role: Role,
        contract_version: int,
        schema: pa.Schema,
        form: Format,
    ) -> None:
        self._uri = uri
        self._folder = folder
        self._attempt = attempt
        self._role = role
        self._contract_version = contract_version
        self._schema = schema
        self._format = form
        self._waiting: list[pa.RecordBatch] = []
        self._waiting_rows = 0
        self._waiting_bytes = 0
        self._part: Part | None = None
        self._files: list[SealedFile] = []
        self._created: list[str] = []
        self._is_closed = False

    def write(self, batch: pa.RecordBatch) -> None:
        """Add rows, lineage columns included; every batch has the schema given to `stage`."""
        self._refuse_if_closed()
        if not batch.schema.equals(self._schema):
            raise InvariantBroken(
                f"a batch of {self._folder.path.name} has another schema than was staged",
                why=f"{batch.schema.names} instead of {self._schema.names}",
            )
        start = 0
        while start < batch.num_rows:
            piece = batch.slice(start, self._format.rows_at_once - self._waiting_rows)
            start += piece.num_rows
            self._waiting.append(piece)
            self._waiting_rows += piece.num_rows
            self._waiting_bytes += piece.nbytes
            if self._is_enough():
                self._flush()

    def seal(self, row_digest: str, schema_hash: str) -> SealedOutput:
        """Flush everything to disk and tell what was written; no write may follow."""
        self._refuse_if_closed()
        if self._waiting or not self._created:
            self._flush()
        with translated(self._uri):
            self._finish_part()
            sync_folder(self._version_folder)
        self._is_closed = True
        return SealedOutput(
            sink=self._uri,
            table=self._folder.path.name,
            role=self._role,
            contract_version=self._contract_version,
            schema_hash=schema_hash,
            rows=sum(file.rows for file in self._files),
            row_digest=row_digest,
            files=tuple(self._files),
        )

    def discard(self) -> None:
        """Remove what was written; allowed at any time before promotion, and twice."""
        self._is_closed = True
        self._waiting.clear()
        if self._part is not None:
            self._part.abandon()
            self._part = None
        with translated(self._uri):
            remove_data_files(self._folder, self._created)
        self._created.clear()

    @property
    def _version_folder(self) -> Path:
        return self._folder.path / version_folder(self._contract_version)

    def _refuse_if_closed(self) -> None:
        if self._is_closed:
            raise InvariantBroken(f"rows of {self._folder.path.name} were sealed or discarded already")

    def _is_enough(self) -> bool:
        """Large rows are written earlier, so that memory does not depend on what is in them."""
        return self._waiting_rows >= self._format.rows_at_once or self._waiting_bytes >= self._format.bytes_at_once

    def _flush(self) -> None:
        rows = pa.Table.from_batches(self._waiting, self._schema)
        self._waiting, self._waiting_rows, self._waiting_bytes = [], 0, 0
        with translated(self._uri):
            if self._part is None:
                self._part = self._open_part(rows)
            self._part.write(rows)
            if self._part.size >= self._format.part_bytes:
                self._finish_part()

    def _open_part(self, first: pa.Table) -> Part:
        name = data_file(self._folder.path.name, self._attempt, len(self._created), self._format.suffix)
        with filling(self._version_folder):
            part = self._format.create(self._version_folder / name, self._schema, first)
        self._created.append(f"{self._version_folder.name}/{name}")
        return part

    def _finish_part(self) -> None:
        if self._part is not None:
            size, rows, digest = self._part.finish()
            self._part = None
            self._files.append(SealedFile(name=self._created[-1], rows=rows, size=size, digest=digest))
