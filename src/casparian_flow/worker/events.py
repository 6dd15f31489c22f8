"""What a guest reports about the jobs of its group, in order, after every check that needs no contract."""

from __future__ import annotations

import msgspec
import pyarrow as pa

from casparian_flow.core.errors import CasparianError
from casparian_flow.core.receipts import VerdictNote


class Began(msgspec.Struct, frozen=True):
    """The parser starts with this job; every event up to its Ended or Raised is about it.

    If it comes a second time, the job is read anew, and what came of it before is void.
    """

    job: int


class Batch(msgspec.Struct, frozen=True):
    """Rows of one output, fully validated; `source_row`, `start` and `end` are int64 without nulls, or None.

    A batch without rows tells the columns of an output that may stay empty.
    """

    job: int
    output: str
    batch: pa.RecordBatch
    source_row: pa.Int64Array | None
    start: pa.Int64Array | None
    end: pa.Int64Array | None
    frame_bytes: int
    """What it keeps of the memory, however little of that its columns use."""


class RejectedRecord(msgspec.Struct, frozen=True):
    """A record that the parser could not read; it counts as one row of its output."""

    job: int
    output: str
    code: str
    message: str
    start: int | None
    end: int | None
    locator: str | None
    raw: bytes | None
    source_row: int | None


class Noted(msgspec.Struct, frozen=True):
    """What the parser detected about the file, in the order in which it said so."""

    job: int
    verdicts: tuple[VerdictNote, ...]


class Printed(msgspec.Struct, frozen=True):
    """One line that the parser wrote; `stream` is stdout, stderr or log. `job` is None outside of any section."""

    job: int | None
    stream: str
    text: str


class Ended(msgspec.Struct, frozen=True):
    """The parser read the file to its end. `emitted` counts rows and rejected records per output.

    `log_dropped` are the bytes it printed beyond the limit. `isolation` is how its process was kept apart.
    """

    job: int
    emitted: dict[str, int]
    log_dropped: int
    isolation: str = "process"


class Raised(msgspec.Struct, frozen=True):
    """The job failed; nothing more comes for it."""

    job: int
    error: CasparianError


class Quiet(msgspec.Struct, frozen=True):
    """Nothing has come for a moment; the guest lives."""


Event = Quiet | Began | Batch | RejectedRecord | Noted | Printed | Ended | Raised
