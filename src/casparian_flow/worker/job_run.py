"""One attempt of one job while its guest speaks: its rows are kept until its end, or land at once if they are many."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from casparian_flow.core.errors import SourceChanged, SourceUnreadable
from casparian_flow.core.receipts import VerdictNote
from casparian_flow.protocol.messages import JobOrder
from casparian_flow.schema.closed_verdicts import closed_verdict
from casparian_flow.schema.rejections import rejections_of_records
from casparian_flow.schema.treat import closed_rejections
from casparian_flow.sdk.emit import Rejected
from casparian_flow.worker.events import Batch, Ended, Noted, RejectedRecord
from casparian_flow.worker.gathered import Gathered
from casparian_flow.worker.landing import Ending, Landing
from casparian_flow.worker.pending import job_folder
from casparian_flow.worker.premises import Premises
from casparian_flow.worker.spill import Spill, read_spill
from casparian_flow.worker.tables import Place
from casparian_flow.worker.treating import is_ours

KEPT_BYTES = 8 << 20
"""A job with more than this is no small file: its rows are written as they come."""
REJECTIONS_AT_ONCE = 1000
_RECORD_BYTES = 500
"""What a rejected record takes besides its bytes and its message, about."""
_BATCH_BYTES = 2_000
_COLUMN_BYTES = 1_500
"""What a batch and each of its columns take besides their values, about: many small ones are no small file."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Rows as they arrived, of an output whose place is known."""

    output: str
    place: Place
    batch: pa.RecordBatch
    source_row: pa.Array
    start: pa.Array | None
    end: pa.Array | None

    def of_member(self, member: int) -> Gathered:
        """The rows as those of a member of a group."""
        return Gathered.of(member, self.batch, self.source_row, self.start, self.end)


class JobRun:
    """Takes the events of one attempt in; once it ended it can land together with others."""

    def __init__(self, premises: Premises, order: JobOrder) -> None:
        """Raises SourceUnreadable or SourceChanged if the file is not the version that was ordered."""
        self.order = order
        self._premises = premises
        self._outputs: dict[str, _Output] = {}
        self._verdicts: list[VerdictNote] = []
        self._landing: Landing | None = None
        self._ending: Ending | None = None
        self.pieces: list[Piece] = []
        """The rows that are kept here, in order."""
        self.bytes = 0
        """How much is kept here."""
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
            output.place = self._premises.places.of(self.order, event.output, batch)
        source_row = output.number(batch.num_rows) if event.source_row is None else event.source_row
        piece = Piece(event.output, output.place, batch, source_row, event.start, event.end)
        if self._landing is not None:
            self._landing.take(piece.output, piece.place, piece.of_member(0))
            return
        self.pieces.append(piece)
        self._keep(event.frame_bytes + _BATCH_BYTES + batch.num_columns * _COLUMN_BYTES)

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
        size = _RECORD_BYTES + len(event.raw or b"") + len(event.message)
        output.bytes += size
        if self._landing is None:
            self._keep(size)
        elif len(output.rejections) >= REJECTIONS_AT_ONCE or output.bytes > KEPT_BYTES:
            self._land_rejections(self._landing, event.output, output, 0)

    def note(self, event: Noted) -> None:
        """Keep what the parser detected."""
        if not self._premises.is_closed:
            self._verdicts += event.verdicts
            return
        ours = is_ours(self._premises.parser)
        self._verdicts += [closed_verdict(each, is_ours=ours) for each in event.verdicts]

    def end(self, ended: Ended) -> None:
        """The file was read to its end; raises SourceChanged if it changed meanwhile."""
        self._check_unchanged()
        for name, output in self._outputs.items():
            if output.place is None:
                output.place = self._premises.places.of_nothing(self.order, name)
        self._ending = Ending(
            emitted=sum(ended.emitted.values()),
            places={name: output.place for name, output in self._outputs.items() if output.place is not None},
            verdicts=tuple(self._verdicts),
            isolation=ended.isolation,
            seconds=time.monotonic() - self._began,
        )

    @property
    def ending(self) -> Ending:
        """What it came to; only after its end."""
        assert self._ending is not None
        return self._ending

    @property
    def landing(self) -> Landing | None:
        """Where its rows are already; None as long as they are kept here."""
        return self._landing

    @property
    def waits(self) -> bool:
        """Whether some of its rows wait for a contract."""
        return any(place.waits for place in self.ending.places.values())

    def land_rejections(self, landing: Landing, member: int) -> None:
        """Hand the records that could not be read to where the job lands; only after its end, and after its rows.

        What is kept here is still here afterwards, so that a job whose group came to nothing can land alone.
        """
        for name, output in self._outputs.items():
            self._land_rejections(landing, name, output, member)

    def discard(self) -> None:
        """Leave nothing of this attempt behind; raises SinkError if a sink did not let its part go."""
        with ExitStack() as stack:
            if self._landing is not None:
                stack.callback(self._landing.discard)
            for output in self._outputs.values():
                stack.callback(output.close)

    def _keep(self, size: int) -> None:
        self.bytes += size
        if self.bytes > KEPT_BYTES:
            landing = self._landing = Landing(self._premises, [self.order])
            pieces, self.pieces = self.pieces, []
            for piece in pieces:
                landing.take(piece.output, piece.place, piece.of_member(0))

    def _output(self, name: str) -> _Output:
        if name not in self._outputs:
            self._outputs[name] = _Output()
        return self._outputs[name]

    def _land_rejections(self, landing: Landing, name: str, output: _Output, member: int) -> None:
        for found, source_row in output.rejected():
            rejected = found
            if self._premises.is_closed:
                rejected = closed_rejections(found, is_vouched=is_ours(self._premises.parser))
            if output.place is None:
                folder = job_folder(self._premises.scratch, self.order.job, self.order.attempt)
                output.put_aside(rejected, source_row, folder / f"{list(self._outputs).index(name)}.unplaced")
            else:
                landing.reject(name, output.place, Gathered.of(member, rejected, source_row))
        if self._landing is not None:
            output.forget_rejections()

    def _look(self) -> os.stat_result:
        try:
            return os.stat(self.order.path)  # noqa: PTH116 - it is bytes, and this is asked twice of every file
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
    """One output of the parser: where it goes, and its records that could not be read."""

    def __init__(self) -> None:
        self.place: Place | None = None
        self.rejections: list[Rejected] = []
        self.bytes = 0
        self._next_row = 1
        self._aside: tuple[Path, Spill] | None = None

    def number(self, count: int) -> pa.Array:
        """Ordinals for rows whose parser gives none."""
        first, self._next_row = self._next_row, self._next_row + count
        return pa.array(np.arange(first, self._next_row, dtype=np.int64))

    def put_aside(self, rejected: pa.RecordBatch, source_row: pa.Array, path: Path) -> None:
        """Keep rejections until the place is known, which may be as late as the end of the file."""
        if self._aside is None:
            self._aside = path, Spill(path)
        self._aside[1].write(rejected, source_row, None, None)

    def rejected(self) -> Iterator[tuple[pa.RecordBatch, pa.Array]]:
        """What was put aside, if the place is known by now, and what came since, in order."""
        if self.place is not None and self._aside is not None:
            path, spill = self._aside
            spill.close()
            self._aside = None
            for rejected, source_row, _start, _end in read_spill(path):
                yield rejected, source_row
        for at in range(0, len(self.rejections), REJECTIONS_AT_ONCE):
            some = self.rejections[at : at + REJECTIONS_AT_ONCE]
            yield rejections_of_records(some), pa.array([each.source_row for each in some], pa.int64())

    def forget_rejections(self) -> None:
        """They are where they belong."""
        self.rejections, self.bytes = [], 0

    def close(self) -> None:
        """Give the file back."""
        if self._aside is not None:
            self._aside[1].close()
