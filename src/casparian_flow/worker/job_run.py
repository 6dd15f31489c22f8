"""One attempt of one job while its guest speaks: every row goes to a channel or waits in a spill."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

import pyarrow as pa

from casparian_flow.core.contracts import Contract
from casparian_flow.core.errors import InvariantBroken, SourceChanged, SourceUnreadable
from casparian_flow.core.quarantine import Code
from casparian_flow.core.receipts import Receipt, VerdictNote
from casparian_flow.protocol.bodies import JobReceipt, JobSurvey, Sealed, Surveyed
from casparian_flow.protocol.messages import JobOrder, OutputSurvey, ParserOrder
from casparian_flow.schema.rejections import rejections_of_records
from casparian_flow.schema.survey import Survey
from casparian_flow.sdk.emit import Rejected
from casparian_flow.sinks.base import Attempt
from casparian_flow.worker.channel import Channel
from casparian_flow.worker.events import Batch, Ended, Noted, RejectedRecord
from casparian_flow.worker.pending import Pending, Spilled, job_folder, write_pending
from casparian_flow.worker.seal import lineage_of, receipt_of, seal_channels
from casparian_flow.worker.spill import Spill
from casparian_flow.worker.tables import Place, base_table, is_headerless, place_of, under_contract
from casparian_flow.worker.targets import Destination

REJECTIONS_AT_ONCE = 1000


class JobRun:
    """Takes the events of one attempt in, and ends sealed, surveyed or discarded."""

    def __init__(
        self,
        parser: ParserOrder,
        order: JobOrder,
        contracts: Mapping[str, Contract],
        targets: Destination,
        scratch: Path,
    ) -> None:
        """Raises SourceUnreadable or SourceChanged if the file is not the version that was ordered."""
        self.order = order
        self._parser = parser
        self._contracts = contracts
        self._targets = targets
        self._attempt = Attempt(job=order.job, attempt=order.attempt)
        self._folder = job_folder(scratch, order.job, order.attempt)
        self._lineage = lineage_of(parser, order)
        self._outputs: dict[str, _Output] = {}
        self._channels: dict[str, Channel] = {}
        self._verdicts: list[VerdictNote] = []
        self.rows = 0
        """Rows and rejected records so far."""
        self.position = 0
        """How far into the file the last row reaches, as far as the parser tells."""
        self._began = time.monotonic()
        self._stamp = self._look()
        if (self._stamp.st_size, self._stamp.st_mtime_ns) != (order.size, order.mtime_ns):
            raise SourceChanged("the file changed after it was scanned", fix="casparian run")

    def take(self, event: Batch) -> None:
        """Take rows of one output in."""
        batch = event.batch
        self.rows += batch.num_rows
        if event.end is not None and len(event.end):
            self.position = max(self.position, event.end[-1].as_py())
        output = self._output(event.output)
        if output.place is None:
            output.place = self._place(event.output, batch)
        source_row = output.number(batch.num_rows) if event.source_row is None else event.source_row
        place = output.place
        if not place.is_declared:
            self._channel(place).refuse(
                batch,
                source_row,
                event.start,
                event.end,
                Code.OUTPUT_UNDECLARED,
                f"the parser does not declare an output {event.output!r}",
            )
        elif place.contract is not None:
            self._channel(place).accept(under_contract(batch, place.contract), source_row, event.start, event.end)
        else:
            output.survey(batch, source_row, event.start, event.end, self.order.source_hash)

    def reject(self, event: RejectedRecord) -> None:
        """Take in a record that the parser could not read."""
        self.rows += 1
        self.position = max(self.position, event.end or 0)
        output = self._output(event.output)
        output.rejections.append(
            Rejected(
                output=event.output,
                code=event.code,
                message=event.message,
                start=event.start,
                end=event.end,
                locator=event.locator,
                raw=event.raw,
                source_row=event.source_row if event.source_row is not None else output.number(1)[0].as_py(),
            )
        )
        if len(output.rejections) >= REJECTIONS_AT_ONCE:
            self._flush_rejections(output)

    def note(self, event: Noted) -> None:
        """Keep what the parser detected."""
        self._verdicts.append(
            VerdictNote(name=event.name, value=event.value, confidence=event.confidence, runner_up=event.runner_up)
        )

    def finish(self, ended: Ended, isolation: str) -> Sealed | Surveyed:
        """Seal what has its contract; if an output still waits for one, leave everything ready for it.

        Raises SourceChanged if the file changed while it was read, and InvariantBroken unless every row that the
        parser emitted is sealed or waits.
        """
        self._check_unchanged()
        for name, output in self._outputs.items():
            if output.place is None:
                output.place = self._place(name, None)
            self._flush_rejections(output)
        seconds = time.monotonic() - self._began
        sealed = seal_channels(self._channels.values())
        receipt = receipt_of(sealed, tuple(self._verdicts), isolation, seconds, self.order.size)
        waiting = {name: output for name, output in self._outputs.items() if output.is_waiting}
        self._check_none_is_lost(ended, receipt, sum(output.spilled for output in waiting.values()))
        if not waiting:
            shutil.rmtree(self._folder, ignore_errors=True)
            return Sealed(jobs=[JobReceipt(job=self.order.job, attempt=self.order.attempt, receipt=receipt)])
        spilled = [output.close(name) for name, output in waiting.items()]
        write_pending(self._folder, Pending(receipt=receipt, spilled=spilled))
        survey = JobSurvey(
            job=self.order.job,
            attempt=self.order.attempt,
            outputs=[self._survey_of(name, output) for name, output in waiting.items()],
            sealed=list(receipt.outputs),
        )
        return Surveyed(jobs=[survey])

    def _check_none_is_lost(self, ended: Ended, receipt: Receipt, spilled: int) -> None:
        emitted = sum(ended.emitted.values())
        kept = sum(count.emitted for count in receipt.counts) + spilled
        if emitted != kept:
            raise InvariantBroken("rows were lost between the parser and the sink", why=f"{kept} of {emitted} arrived")

    def discard(self) -> None:
        """Leave nothing of this attempt behind; raises SinkError if a sink did not let its part go."""
        with ExitStack() as stack:
            stack.callback(shutil.rmtree, self._folder, ignore_errors=True)
            for output in self._outputs.values():
                stack.callback(output.close_spills)
            for channel in self._channels.values():
                stack.callback(channel.discard)

    def _output(self, name: str) -> _Output:
        if name not in self._outputs:
            self._outputs[name] = _Output(self._folder / str(len(self._outputs)))
        return self._outputs[name]

    def _place(self, output: str, batch: pa.RecordBatch | None) -> Place:
        """Where the output goes; an output without any row goes by its bare name."""
        if batch is None:
            base = base_table(self._parser, self.order, output)
            return Place(base, self._contracts.get(base), is_waiting=False)
        columns = batch.schema.names
        return place_of(self._parser, self.order, output, columns, is_headerless(batch), self._contracts)

    def _channel(self, place: Place) -> Channel:
        if place.table not in self._channels:
            # An output that is only rejected may share the table of one that is not.
            contract = place.contract or self._contracts.get(place.table)
            sinks = self._targets.sinks_of(place.table)
            self._channels[place.table] = Channel(place.table, contract, self._attempt, sinks, self._lineage)
        return self._channels[place.table]

    def _flush_rejections(self, output: _Output) -> None:
        if not output.rejections:
            return
        rejected = rejections_of_records(output.rejections)
        source_row = pa.array([each.source_row for each in output.rejections], pa.int64())
        output.rejections.clear()
        if output.place is None or output.is_waiting:
            output.spill_rejections(rejected, source_row)
        else:
            self._channel(output.place).reject(rejected, source_row)

    def _survey_of(self, name: str, output: _Output) -> OutputSurvey:
        return OutputSurvey(
            output=name,
            base_table=base_table(self._parser, self.order, name),
            is_named=self._parser.tables != "file",
            columns=output.surveyed.names,
            headerless=output.headerless,
            rows=output.rows_spilled,
            survey=output.surveyed.to_bytes(),
        )

    def _look(self) -> os.stat_result:
        try:
            return Path(os.fsdecode(self.order.path)).stat()
        except OSError as exc:
            raise SourceUnreadable("the file cannot be read", why=exc.strerror or str(exc)) from exc

    def _check_unchanged(self) -> None:
        now, before = self._look(), self._stamp
        if (now.st_size, now.st_mtime_ns, now.st_ctime_ns, now.st_ino) != (
            before.st_size,
            before.st_mtime_ns,
            before.st_ctime_ns,
            before.st_ino,
        ):
            raise SourceChanged("the file changed while it was read", fix="casparian run")


class _Output:
    """One output of the parser: where it goes, or its survey and its spilled rows until that is known."""

    def __init__(self, spill_path: Path) -> None:
        self.place: Place | None = None
        self.rejections: list[Rejected] = []
        self.surveyed = Survey.empty()
        self.headerless = False
        self._next_row = 1
        self._path = spill_path
        self._rows: Spill | None = None
        self._rejected: Spill | None = None

    @property
    def is_waiting(self) -> bool:
        """Whether rows wait for a contract."""
        return self.place is not None and self.place.is_waiting and self.place.contract is None

    @property
    def rows_spilled(self) -> int:
        """How many rows wait, without those that the parser rejected."""
        return self._rows.rows if self._rows else 0

    @property
    def spilled(self) -> int:
        """How many rows and rejections wait."""
        return self.rows_spilled + (self._rejected.rows if self._rejected else 0)

    def number(self, count: int) -> pa.Array:
        """Ordinals for rows whose parser gives none."""
        first, self._next_row = self._next_row, self._next_row + count
        return pa.array(range(first, self._next_row), pa.int64())

    def survey(
        self,
        batch: pa.RecordBatch,
        source_row: pa.Array,
        start: pa.Array | None,
        end: pa.Array | None,
        source_hash: str,
    ) -> None:
        """Learn from rows without a contract, and keep them as they came."""
        self.headerless = is_headerless(batch)
        self.surveyed.add(batch, source_row, source_hash)
        if batch.num_rows == 0:
            return
        if self._rows is None:
            self._rows = Spill(self._path.with_suffix(".rows"))
        self._rows.write(batch, source_row, start, end)

    def spill_rejections(self, rejected: pa.RecordBatch, source_row: pa.Array) -> None:
        """Keep rejections until their table is known."""
        if self._rejected is None:
            self._rejected = Spill(self._path.with_suffix(".rejected"))
        self._rejected.write(rejected, source_row, None, None)

    def close(self, name: str) -> Spilled:
        """Finish the spills; where they are."""
        self.close_spills()
        return Spilled(
            output=name,
            rows=self._path.with_suffix(".rows").name if self._rows else None,
            rejected=self._path.with_suffix(".rejected").name if self._rejected else None,
            count=self.spilled,
        )

    def close_spills(self) -> None:
        """Give the files back, whatever they hold."""
        for spill in (self._rows, self._rejected):
            if spill is not None:
                spill.close()
