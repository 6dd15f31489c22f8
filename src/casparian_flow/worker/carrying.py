"""Whether a job can take over the accepted rows of an older job, so that only the rejected ones are read again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from casparian_flow.core.contracts import Contract
from casparian_flow.core.errors import CasparianError
from casparian_flow.core.lineage import RESCUED, SOURCE_ROW
from casparian_flow.core.outputs import Role
from casparian_flow.core.quarantine import Level
from casparian_flow.core.receipts import VerdictNote
from casparian_flow.core.repairs import REPAIRED
from casparian_flow.protocol.messages import Carries, JobOrder
from casparian_flow.schema.cells import Ints
from casparian_flow.schema.treat import accepted_schema
from casparian_flow.sdk import Span
from casparian_flow.sinks.base import Sink
from casparian_flow.worker.premises import Premises

MOST_SPANS = 10_000
MOST_BYTES = 64 << 20
"""Of all spans together: what is read again is kept until it is merged."""
MOST_WRITTEN_AMONG = 100
"""Rows that a person wrote out for records come behind the others only where a job keeps all such records at once."""
SMALLEST_SHARE = 4
"""If more than one part in so many is to be read again, all of it is."""


class _Doubt(Exception):
    """The rows of the older job are not all there, or not as they would be after another reading."""


@dataclass(frozen=True, slots=True)
class CarriedTable:
    """What stays of the older job in one table; rows are numbered as in the source."""

    contract: Contract
    sink: Sink
    job: int
    again: Ints
    """The rows that are read again, ascending."""
    refused: Ints
    """Those of them that the parser itself could not read."""
    kept: int
    """How many accepted rows stay."""
    emitted: int
    """How many rows the whole file has in this table."""

    def rows(self) -> Iterator[tuple[pa.RecordBatch, pa.Array]]:
        """The accepted rows that stay, ascending, as the table has them under the contract now, with their numbers.

        Raises SinkError for what cannot be read, and pa.ArrowInvalid for a number that the new type does not hold.
        """
        if not self.kept:
            return
        schema = accepted_schema(self.contract)
        names = [*schema.names, SOURCE_ROW]
        for batch in self.sink.read(self.contract.table, Role.ACCEPTED, None, names, [self.job]):
            stays = pa.array(~np.isin(_ints(batch.column(SOURCE_ROW)), self.again))
            kept = batch.filter(stays)
            if kept.num_rows:
                columns = [_widened(kept.column(field.name), field.type) for field in schema]
                yield pa.RecordBatch.from_arrays(columns, schema=schema), kept.column(SOURCE_ROW)


@dataclass(frozen=True, slots=True)
class Carried:
    """What a job takes over, by table, and the records that it reads again."""

    job: int
    tables: Mapping[str, CarriedTable]
    spans: tuple[Span, ...]
    verdicts: Sequence[VerdictNote]

    @property
    def bytes(self) -> int:
        """How much of the file is read."""
        return sum(end - start for _, start, end in self.spans)

    @property
    def rows(self) -> int:
        """How many rows are taken over."""
        return sum(table.kept for table in self.tables.values())


def carried(order: JobOrder, premises: Premises) -> Carried | None:
    """What an order takes over; None if its file is to be read whole, for whatever reason."""
    older = order.carries
    if older is None or not older.accepted or (premises.parser.tables == "file" and len(older.accepted) > 1):
        return None
    try:
        found = {table: _carried_table(table, older, order, premises) for table in sorted(older.accepted)}
        spans = _spans([its for _, its in found.values()], order.size)
    except (_Doubt, CasparianError, pa.ArrowInvalid):
        return None
    return Carried(older.job, {table: its for table, (its, _) in found.items()}, spans, older.verdicts)


def _carried_table(table: str, older: Carries, order: JobOrder, premises: Premises) -> tuple[CarriedTable, set[Span]]:
    contract, sink = premises.contracts.get(table), premises.targets.committed(table)
    if contract is None or contract.headerless or sink is None:
        raise _Doubt
    spans, again, refused = _rejected(sink, table, older)
    numbers, repaired = _accepted(sink, table, older, contract)
    told = {each.source_row for each in order.repairs if each.table == table}
    if not told <= set(again.tolist()) | repaired or not repaired <= told:
        raise _Doubt
    if len(refused) > MOST_WRITTEN_AMONG and told & set(refused.tolist()):
        raise _Doubt
    kept = int(np.count_nonzero(~np.isin(numbers, again)))
    emitted = older.accepted[table] + older.quarantined[table]
    return CarriedTable(contract, sink, older.job, again, refused, kept, emitted), spans


def _rejected(sink: Sink, table: str, older: Carries) -> tuple[set[Span], Ints, Ints]:
    """Where the rejected rows are, their numbers, and the numbers of those that were no rows to the parser."""
    if not older.quarantined[table]:
        return set(), np.zeros(0, np.int64), np.zeros(0, np.int64)
    if older.quarantined[table] > MOST_SPANS:
        raise _Doubt
    names = [SOURCE_ROW, "start", "end", "level"]
    rows = sink.read(table, Role.QUARANTINE, None, names, [older.job]).read_all()
    if rows.num_rows != older.quarantined[table] or any(column.null_count for column in rows.columns):
        raise _Doubt
    numbers = _ints(rows.column(SOURCE_ROW))
    places = zip(numbers.tolist(), *(rows.column(name).to_pylist() for name in ("start", "end")), strict=True)
    is_refused = np.asarray(pc.equal(rows.column("level"), str(Level.RECORD)))
    return {Span(*place) for place in places}, np.unique(numbers), np.unique(numbers[is_refused])


def _accepted(sink: Sink, table: str, older: Carries, contract: Contract) -> tuple[Ints, set[int]]:
    """The numbers of the accepted rows, and of those that hold a repaired value.

    A value that was set aside for any other reason might not be, today.
    """
    if not older.accepted[table]:
        return np.zeros(0, np.int64), set()
    schema = accepted_schema(contract)
    reader = sink.read(table, Role.ACCEPTED, None, [*schema.names, SOURCE_ROW], [older.job])
    if not all(_widens(reader.schema.field(field.name).type, field.type) for field in schema):
        raise _Doubt
    reader.close()
    numbers: list[Ints] = []
    repaired: set[int] = set()
    for batch in sink.read(table, Role.ACCEPTED, None, [RESCUED, SOURCE_ROW], [older.job]):
        rows, rescued = batch.column(SOURCE_ROW), batch.column(RESCUED)
        numbers.append(_ints(rows))
        if rescued.null_count < len(rescued):
            if pc.any(pc.not_equal(pc.struct_field(rescued.flatten(), "code"), REPAIRED)).as_py():
                raise _Doubt
            repaired.update(rows.filter(rescued.is_valid()).to_pylist())
    found = np.concatenate(numbers) if numbers else np.zeros(0, np.int64)
    if len(found) != older.accepted[table] or np.any(found[1:] < found[:-1]):
        raise _Doubt
    return found, repaired


def _spans(found: Sequence[set[Span]], size: int) -> tuple[Span, ...]:
    """All spans in order; raises _Doubt if they are no records apart, or so many that all can be read."""
    spans = sorted(set[Span]().union(*found))
    position = row = 0
    for span in spans:
        if not (row < span.source_row and position <= span.start <= span.end <= size):
            raise _Doubt
        row, position = span.source_row, span.end
    most = min(MOST_BYTES, size // SMALLEST_SHARE)
    if len(spans) > MOST_SPANS or sum(end - start for _, start, end in spans) > most:
        raise _Doubt
    return tuple(spans)


def _widens(found: pa.DataType, wanted: pa.DataType) -> bool:
    """Whether every value of a type that the table has is the same value of the one that it is to have."""
    if found.equals(wanted):
        return True
    if pa.types.is_decimal(wanted):
        return bool(pa.types.is_integer(found) or pa.types.is_decimal(found))
    return bool(pa.types.is_integer(wanted) and pa.types.is_integer(found))


def _widened(column: pa.Array, wanted: pa.DataType) -> pa.Array:
    if column.type.equals(wanted):
        return column
    if pa.types.is_decimal(wanted) and pa.types.is_integer(column.type):
        column = column.cast(pa.decimal256(19 + wanted.scale, wanted.scale))
    return column.cast(wanted)


def _ints(column: pa.Array | pa.ChunkedArray) -> Ints:
    return np.asarray(column, dtype=np.int64)
