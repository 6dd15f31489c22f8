"""The tables that a query can see: committed outputs, their quarantine, and the published control tables."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import Connection

from casparian_flow.core.errors import NotFound
from casparian_flow.core.lineage import JOB_ID, LINEAGE_COLUMNS
from casparian_flow.core.outputs import Role
from casparian_flow.schema.rejections import REJECTION_SCHEMA
from casparian_flow.schema.treat import accepted_schema
from casparian_flow.sentinel.console.guard import TableName
from casparian_flow.sentinel.console.in_force import shown_under
from casparian_flow.sentinel.console.limits import TableSource
from casparian_flow.sentinel.console.rejects_in_force import RejectsInForce
from casparian_flow.sentinel.history.erased import refuse_erased
from casparian_flow.sinks.base import Sink, Snapshot
from casparian_flow.sinks.lineage import stamped_schema
from casparian_flow.sinks.read import joined_schema
from casparian_flow.store import contracts as contract_store
from casparian_flow.store.published import PUBLISHED, read_published
from casparian_flow.store.views import outputs as view

QUARANTINE = "quarantine"
_SCHEMAS = {Role.ACCEPTED: "", Role.QUARANTINE: QUARANTINE}


class Catalog:
    """Resolves the names of a query against one home as it is now, or as it was when a job was recorded."""

    def __init__(
        self,
        connection: Connection,
        open_sink: Callable[[str], Sink],
        default_sink: str,
        as_of: Mapping[tuple[str, str, Role], int] | None = None,
    ) -> None:
        """`as_of` gives, for each log, the last entry that counts; a log that is not there had none."""
        self._connection = connection
        self._open_sink = open_sink
        self._contracts = contract_store.in_force(connection)
        self._sinks = view.sinks_of_tables(connection, default_sink, as_of or ())
        self._limits = as_of

    @property
    def names(self) -> list[str]:
        """Everything that can be named."""
        outputs = {*self._sinks, *self._contracts}
        quarantined = (f"{QUARANTINE}.{table}" for table in view.quarantined_tables(self._connection))
        return sorted([*outputs, *quarantined, *PUBLISHED])

    def sources(self, tables: Iterable[TableName], folder: Path) -> list[TableSource]:
        """What the query's process needs for these tables; what cannot be opened is written into `folder`.

        Raises NotFound, with the nearest name, for a table that does not exist.
        """
        return [self._source(table, folder) for table in sorted(tables, key=lambda table: (table.schema, table.name))]

    def _source(self, table: TableName, folder: Path) -> TableSource:
        schema, name = table.schema.lower(), table.name.lower()
        if schema == QUARANTINE and name in self._sinks:
            return self._quarantine(name, folder)
        if schema in ("", "main") and name in PUBLISHED:
            return self._published(name, folder)
        if schema in ("", "main") and (name in self._sinks or name in self._contracts):
            output = self._output(name, Role.ACCEPTED, folder)
            # What was in force at another moment is what its rows say by themselves.
            contract = self._contracts.get(name) if self._limits is None else None
            return output if contract is None else shown_under(output, contract)
        asked = f"{table.schema}.{table.name}" if table.schema else table.name
        close = difflib.get_close_matches(asked, self.names, n=1)
        raise NotFound(
            f"there is no table {asked}", why=f"did you mean {close[0]}?" if close else "", fix="casparian tables"
        )

    def _quarantine(self, name: str, folder: Path) -> TableSource:
        """Rows of before a column was closed are written into `folder` without its values."""
        rejects, sink = RejectsInForce(self._connection, name), self._sink(name)
        snapshot = self._snapshot(name, Role.QUARANTINE)
        if sink is None or not snapshot.seq or not rejects.is_needed:
            return self._output(name, Role.QUARANTINE, folder)
        rows = rejects.shown(sink.read(name, Role.QUARANTINE, snapshot.seq))
        return _copied(rows, name, Role.QUARANTINE, folder)

    def _output(self, name: str, role: Role, folder: Path) -> TableSource:
        """Parquet files are opened where they are; rows of other sinks are written into `folder` first."""
        snapshot, sink = self._snapshot(name, role), self._sink(name)
        if snapshot.seq and sink is not None and not sink.has_parquet_files:
            return _copied(sink.read(name, role, snapshot.seq), name, role, folder)
        by_version = {Path(file).parent: file for file in reversed(snapshot.files)}
        schemas = [pq.read_schema(file) for _folder, file in sorted(by_version.items())]
        if not schemas and role is Role.QUARANTINE:
            schemas = [stamped_schema(REJECTION_SCHEMA)]
        elif not schemas and name in self._contracts:
            schemas = [stamped_schema(accepted_schema(self._contracts[name]))]
        schema = joined_schema(schemas) if schemas else pa.schema([(JOB_ID, pa.int64())])
        return TableSource(
            schema_name=_SCHEMAS[role],
            name=name,
            columns=list(schema.names),
            files=list(snapshot.files),
            schema=schema.remove_metadata().serialize().to_pybytes(),
            removed_jobs=list(snapshot.removed_jobs),
        )

    def _snapshot(self, name: str, role: Role) -> Snapshot:
        nothing = Snapshot(files=[], removed_jobs=[], jobs=frozenset(), rows=0, seq=0)
        sink = self._sink(name)
        if sink is None:
            return nothing
        if self._limits is None:
            return sink.snapshot(name, role)
        last = self._limits.get((self._sinks[name], name, role))
        if last is not None:
            refuse_erased(self._connection, self._sinks[name], name, role, last)
        return nothing if last is None else sink.snapshot(name, role, last)

    def _sink(self, name: str) -> Sink | None:
        return self._open_sink(self._sinks[name]) if name in self._sinks else None

    def _published(self, name: str, folder: Path) -> TableSource:
        table = read_published(self._connection, name)
        path = folder / f"{name}.arrow"
        with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, table.schema) as writer:
            writer.write_table(table)
        return TableSource(schema_name="", name=name, columns=table.column_names, stream=str(path))


def _copied(rows: pa.RecordBatchReader, name: str, role: Role, folder: Path) -> TableSource:
    """The rows as a Parquet file, written a batch at a time."""
    path = folder / f"{role}.{name}.parquet"
    schema = rows.schema.remove_metadata()
    with pq.ParquetWriter(path, schema, use_dictionary=[*LINEAGE_COLUMNS]) as writer:
        for batch in rows:
            writer.write_batch(batch)
    return TableSource(
        schema_name=_SCHEMAS[role],
        name=name,
        columns=list(schema.names),
        files=[str(path)],
        schema=schema.serialize().to_pybytes(),
    )
