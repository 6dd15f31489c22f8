"""One attempt that reads some records of a file again, and takes over the accepted rows of the others."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import numpy as np
import pyarrow as pa

from casparian_flow.core.contracts import Contract
from casparian_flow.core.errors import ParserRereadsOtherwise
from casparian_flow.core.tables import table_from_output
from casparian_flow.protocol.messages import JobOrder
from casparian_flow.schema.cells import Ints
from casparian_flow.worker.carrying import Carried, CarriedTable
from casparian_flow.worker.events import Batch, Ended, Noted, RejectedRecord
from casparian_flow.worker.job_run import JobRun
from casparian_flow.worker.landing import Landing
from casparian_flow.worker.premises import Premises
from casparian_flow.worker.tables import Place

_BEYOND = np.iinfo(np.int64).max
"""Comes after every span, so that a number beyond all of them is found beside something."""


class CarryingRun(JobRun):
    """Takes in what the parser yields of spans. Its rows land as those of a job that read the whole file.

    Of a record that was accepted in one table and rejected in another only what it brings to the latter is new. Where
    the parser yields what it did not yield of the whole file ParserRereadsOtherwise is raised: then nothing lands, and
    the job is tried again with the whole file.
    """

    def __init__(self, premises: Premises, order: JobOrder, carried: Carried) -> None:
        super().__init__(premises, order)
        self._carried = carried
        self._left = {table: its.emitted - its.kept for table, its in carried.tables.items()}
        self._places = {table: Place(table, its.contract) for table, its in carried.tables.items()}
        self._spans = {span.source_row: span for span in carried.spans}
        self._ordered = np.array([*carried.spans, (_BEYOND, _BEYOND, _BEYOND)], np.int64)
        self._passed = dict.fromkeys(carried.tables, 0)
        self._verdicts = list(carried.verdicts)
        self._landing = Landing(premises, [order], carried)
        self.rows = carried.rows

    def take(self, event: Batch) -> None:
        """Take rows of one output in."""
        table, its = self._table_of(event.output)
        rows = event.batch.num_rows
        if not rows:
            return
        if event.source_row is None or event.start is None or event.end is None:
            raise self._otherwise("rows without their places")
        numbers = _ints(event.source_row)
        places = np.column_stack([numbers, _ints(event.start), _ints(event.end)])
        at = np.searchsorted(self._ordered[:, 0], numbers)
        strange = np.flatnonzero((self._ordered[at] != places).any(axis=1))
        if len(strange):
            number, start, end = places[strange[0]].tolist()
            raise self._otherwise(f"a record {number} at {start} to {end}")
        chosen = np.isin(numbers, its.again)
        if np.isin(numbers, its.refused).any():
            raise self._otherwise("a row where it rejected a record")
        count = int(np.count_nonzero(chosen))
        self._pass(table, rows - count)
        if not count:
            return
        self._count(table, count)
        which = pa.array(chosen)
        batch = completed(event.batch, its.contract).filter(which)
        rows_of, starts, ends = (place.filter(which) for place in (event.source_row, event.start, event.end))
        super().take(msgspec.structs.replace(event, batch=batch, source_row=rows_of, start=starts, end=ends))
        if self._output(event.output).place != self._places[table]:
            raise self._otherwise(f"rows of another table than {table}")

    def reject(self, event: RejectedRecord) -> None:
        """Take in a record that the parser could not read."""
        table, its = self._table_of(event.output)
        number = event.source_row
        if number is None or self._spans.get(number) != (number, event.start, event.end):
            raise self._otherwise(f"a rejected record {number}")
        if number not in its.again:
            self._pass(table, 1)
            return
        if number not in its.refused:
            raise self._otherwise("a rejected record where it had a row")
        self._count(table, 1)
        self._output(event.output).place = self._places[table]
        super().reject(event)

    def note(self, event: Noted) -> None:
        """What it finds out about spans says nothing of the file: the verdicts are those of the whole."""

    def end(self, ended: Ended) -> None:
        """All spans were read; raises SourceChanged if the file changed meanwhile."""
        for table, left in self._left.items():
            if left:
                raise self._otherwise(f"{left} records of {table} less")
        super().end(ended)
        emitted = sum(table.emitted for table in self._carried.tables.values())
        self._ending = replace(self.ending, emitted=emitted, places=self._places)

    def _table_of(self, output: str) -> tuple[str, CarriedTable]:
        """The table of an output: where the file names tables, the only one that it has rows in."""
        tables = self._carried.tables
        is_named = self._premises.parser.tables != "file"
        table = (table_from_output(output) or self.order.base_table) if is_named else next(iter(tables))
        if table not in tables:
            raise self._otherwise(f"an output {output!r}")
        return table, tables[table]

    def _count(self, table: str, rows: int) -> None:
        self._left[table] -= rows
        if self._left[table] < 0:
            raise self._otherwise(f"more records of {table}")

    def _pass(self, table: str, rows: int) -> None:
        """Leave out what the table has of records that are read again for another one: no more than are taken over."""
        self._passed[table] += rows
        if self._passed[table] > self._carried.tables[table].kept:
            raise self._otherwise(f"more records of {table}")

    def _otherwise(self, what: str) -> ParserRereadsOtherwise:
        return ParserRereadsOtherwise(
            f"{self._premises.parser.name}: spans of the file are not what they are in the whole of it",
            why=f"it yields {what}",
            fix=f"casparian parser test {self._premises.parser.name}",
        )


def run_of(premises: Premises, order: JobOrder, carried: Carried | None) -> JobRun:
    """The attempt on an order, of all of its file unless something is carried over."""
    return JobRun(premises, order) if carried is None else CarryingRun(premises, order, carried)


def _ints(places: pa.Int64Array) -> Ints:
    return np.asarray(places, dtype=np.int64)


def completed(batch: pa.RecordBatch, contract: Contract) -> pa.RecordBatch:
    """The batch with every column of the contract: the whole file had each of them in every batch."""
    there = set(batch.schema.names)
    for column in contract.columns:
        if there.isdisjoint((column.name, *column.aliases)):
            batch = batch.append_column(column.name, pa.nulls(batch.num_rows, pa.string()))
    return batch
