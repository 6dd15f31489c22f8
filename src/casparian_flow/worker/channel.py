"""One table of one job while its rows arrive: split by its contract, stamped with lineage, staged in its sinks."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial

import pyarrow as pa

from casparian_flow.core.contracts import Contract
from casparian_flow.core.hashing import digest_of_json
from casparian_flow.core.outputs import Role, SealedOutput
from casparian_flow.core.quarantine import QuarantineGroup
from casparian_flow.core.receipts import DriftNote, OutputCounts
from casparian_flow.schema.digest import RowDigest
from casparian_flow.schema.groups import GroupCounter
from casparian_flow.schema.rejections import reject_all
from casparian_flow.schema.validate import Validator
from casparian_flow.sinks.base import Attempt, Staged, Staging
from casparian_flow.sinks.lineage import Lineage
from casparian_flow.worker.behind import Behind


class Channel:
    """Rows of one job for one table, read and judged once, and staged in every sink of that table.

    Nothing is staged before there is a row, so empty outputs leave no file.
    """

    def __init__(
        self, table: str, contract: Contract | None, attempt: Attempt, sinks: Sequence[Staging], lineage: Lineage
    ) -> None:
        self._table = table
        self._contract = contract
        self._attempt = attempt
        self._sinks = sinks
        self._lineage = lineage
        self._validator = None if contract is None else Validator(contract)
        self._groups = GroupCounter(table)
        self._writers: dict[Role, _Writer] = {}
        self._rescued = 0

    def accept(self, batch: pa.RecordBatch, source_row: pa.Array, start: pa.Array | None, end: pa.Array | None) -> None:
        """Take rows in: those that fit the contract are accepted, the others rejected with every reason."""
        assert self._validator is not None
        validated = self._validator.validate(batch, source_row, start, end)
        self._rescued += validated.rescued
        self._write(Role.ACCEPTED, validated.accepted, validated.accepted_row)
        self.reject(validated.rejected, validated.rejected_row)

    def refuse(
        self,
        batch: pa.RecordBatch,
        source_row: pa.Array,
        start: pa.Array | None,
        end: pa.Array | None,
        code: str,
        message: str,
    ) -> None:
        """Reject every row of a batch, for a reason that is no column's."""
        self.reject(reject_all(batch, code, message, start=start, end=end), source_row)

    def reject(self, rejected: pa.RecordBatch, source_row: pa.Array) -> None:
        """Put rejections into quarantine."""
        if rejected.num_rows:
            self._groups.add(rejected)
            self._write(Role.QUARANTINE, rejected, source_row)

    def seal(self) -> tuple[OutputCounts, list[SealedOutput]]:
        """Flush everything to disk; the counts and what was sealed."""
        accepted, quarantined = (
            self._writers[role].rows if role in self._writers else 0 for role in (Role.ACCEPTED, Role.QUARANTINE)
        )
        counts = OutputCounts(
            table=self._table,
            emitted=accepted + quarantined,
            accepted=accepted,
            quarantined=quarantined,
            rescued=self._rescued,
        )
        return counts, [sealed for writer in self._writers.values() for sealed in writer.seal()]

    def groups(self) -> tuple[QuarantineGroup, ...]:
        """The rejections by cause."""
        return self._groups.groups()

    def drift(self) -> list[DriftNote]:
        """How the rows differed from the contract."""
        return [] if self._validator is None else self._validator.drift()

    def discard(self) -> None:
        """Remove what was staged, wherever that is possible; raises SinkError if it was not possible everywhere."""
        with ExitStack() as stack:
            for writer in self._writers.values():
                stack.callback(writer.discard)

    def _write(self, role: Role, batch: pa.RecordBatch, source_row: pa.Array) -> None:
        if batch.num_rows == 0:
            return
        stamped = self._lineage.stamp(batch, source_row)
        if role not in self._writers:
            version = self._contract.version if self._contract else 0
            writer = self._writers[role] = _Writer(_schema_hash(batch.schema))
            for sink in self._sinks:
                writer.add(sink.stage(self._attempt, self._table, role, version, stamped.schema))
        self._writers[role].write(batch, stamped)


class _Writer:
    """Rows of one role on their way into every sink, counted and digested once; later batches are written behind."""

    def __init__(self, schema_hash: str) -> None:
        self.rows = 0
        self._staged: list[Staged] = []
        self._schema_hash = schema_hash
        self._digest = RowDigest()
        self._behind = Behind()

    def add(self, staged: Staged) -> None:
        self._staged.append(staged)

    def write(self, batch: pa.RecordBatch, stamped: pa.RecordBatch) -> None:
        if self.rows:
            self._behind.do(partial(self._take, batch, stamped))
        else:  # a small table needs no thread
            self._take(batch, stamped)
        self.rows += batch.num_rows

    def seal(self) -> list[SealedOutput]:
        self._behind.finish()
        return [staged.seal(self._digest.hex(), self._schema_hash) for staged in self._staged]

    def discard(self) -> None:
        self._behind.stop()
        with ExitStack() as stack:
            for staged in self._staged:
                stack.callback(staged.discard)

    def _take(self, batch: pa.RecordBatch, stamped: pa.RecordBatch) -> None:
        self._digest.update(batch)
        for staged in self._staged:
            staged.write(stamped)


def _schema_hash(schema: pa.Schema) -> str:
    return digest_of_json([[field.name, str(field.type)] for field in schema])
