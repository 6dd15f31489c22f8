"""The rules of a guest's stream, without any input or output: which frame may follow which, what must agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import msgspec
import pyarrow as pa

from casparian_flow.core.errors import (
    CasparianError,
    ParserInvalid,
    ParserRaised,
    ParserRefused,
    ParserReserved,
    ParserTransient,
)
from casparian_flow.core.lineage import reserved_names
from casparian_flow.core.receipts import VerdictNote
from casparian_flow.guest.wire import MAX_OUTPUT_NAME, MAX_OUTPUTS, MAX_ROWS, MAX_SCHEMAS, PROTOCOL, Kind
from casparian_flow.worker.decode import decode_batch, decode_schema
from casparian_flow.worker.events import Batch, Began, Ended, Event, Noted, Raised, RejectedRecord
from casparian_flow.worker.frames import BrokenFrame, Frame

MAX_SCHEMA_BYTES = 16 << 20
"""Most bytes of schemas that one section may declare in all."""
MAX_VERDICT_BYTES = 4 << 20
"""Most bytes of verdicts that one section may bring in all: they are kept in the receipt."""

Int64 = Annotated[int, msgspec.Meta(ge=-(1 << 63), le=(1 << 63) - 1)]
Count = Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)]
OutputName = Annotated[str, msgspec.Meta(max_length=MAX_OUTPUT_NAME)]
Text = Annotated[str, msgspec.Meta(max_length=1 << 16)]


class _Head(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The head of a frame."""


class _Hello(_Head, frozen=True):
    protocol: int
    python: Text


class _Begin(_Head, frozen=True):
    job: int


class _Schema(_Head, frozen=True):
    output: OutputName


class _Batch(_Head, frozen=True):
    schema: Annotated[int, msgspec.Meta(ge=0)]
    rows: Annotated[int, msgspec.Meta(ge=0, le=MAX_ROWS)]
    source_row: bool
    start: bool
    end: bool


class _Rejected(_Head, frozen=True):
    output: OutputName
    code: Text
    message: Text
    start: Int64 | None
    end: Int64 | None
    locator: Text | None
    source_row: Int64 | None
    has_raw: bool


class _Verdict(_Head, frozen=True):
    name: Text
    value: Text
    confidence: float
    runner_up: Text | None


class _Verdicts(_Head, frozen=True):
    verdicts: tuple[_Verdict, ...]


class _End(_Head, frozen=True):
    job: int
    counts: dict[OutputName, Count]


class _Failed(_Head, frozen=True):
    job: int
    kind: Literal["permanent", "transient", "raised", "reserved-column", "bad-yield", "invalid"]
    message: Text
    where: Text
    trace: Text


class _Bye(_Head, frozen=True):
    pass


_DECODERS: dict[Kind, msgspec.json.Decoder[Any]] = {
    kind: msgspec.json.Decoder(head)
    for kind, head in (
        (Kind.HELLO, _Hello),
        (Kind.BEGIN, _Begin),
        (Kind.SCHEMA, _Schema),
        (Kind.BATCH, _Batch),
        (Kind.REJECTED, _Rejected),
        (Kind.VERDICTS, _Verdicts),
        (Kind.END, _End),
        (Kind.FAILED, _Failed),
        (Kind.BYE, _Bye),
    )
}
_ERRORS: dict[str, type[CasparianError]] = {
    "permanent": ParserRefused,
    "transient": ParserTransient,
    "raised": ParserRaised,
    "bad-yield": ParserRaised,
    "reserved-column": ParserReserved,
    "invalid": ParserInvalid,
}


@dataclass(slots=True)
class _Section:
    """What is known of the job in progress."""

    job: int
    schemas: list[tuple[str, pa.Schema]] = field(default_factory=list)
    schema_bytes: int = 0
    verdict_bytes: int = 0
    emitted: dict[str, int] = field(default_factory=dict)

    def count(self, output: str, rows: int) -> None:
        """Add to what the output has emitted; raises BrokenFrame if there are too many outputs."""
        if output not in self.emitted and len(self.emitted) == MAX_OUTPUTS:
            raise BrokenFrame(f"more than {MAX_OUTPUTS} outputs in one section")
        self.emitted[output] = self.emitted.get(output, 0) + rows


class Stream:
    """Takes the frames of one guest in order and makes events of them."""

    def __init__(self, parser: str, jobs: Sequence[int], isolation: str = "process") -> None:
        """`isolation` is how that guest is kept apart."""
        self._parser = parser
        self._isolation = isolation
        self._waiting = list(reversed(jobs))
        self._section: _Section | None = None
        self._greeted = False
        self.is_complete = False

    @property
    def job(self) -> int | None:
        """The job in progress, None between sections."""
        return None if self._section is None else self._section.job

    @property
    def blamed(self) -> int | None:
        """The job that a death of the guest is about: the one in progress, else the next; None after the last."""
        if self._section is not None:
            return self._section.job
        return self._waiting[-1] if self._waiting else None

    def accept(self, frame: Frame, log_dropped: int) -> Event | None:
        """The event that a frame means, if any; raises BrokenFrame or ParserReserved if it may not come."""
        try:
            head = _DECODERS[frame.kind].decode(frame.head)
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as exc:
            raise BrokenFrame(f"the head of {frame.kind.name} cannot be read: {exc}") from exc
        if self.is_complete or self._greeted == (frame.kind is Kind.HELLO):
            raise BrokenFrame(f"{frame.kind.name} may not come now")
        event: Event | None = None
        section = self._section
        if isinstance(head, _Hello):
            self._greet(head)
        elif isinstance(head, _Begin):
            event = self._begin(head)
        elif isinstance(head, _Bye):
            self._leave()
        elif section is None:
            raise BrokenFrame(f"{frame.kind.name} outside of any section")
        elif isinstance(head, _Schema):
            _declare(section, head, frame)
        elif isinstance(head, _Batch):
            event = _batch(section, head, frame)
        elif isinstance(head, _Rejected):
            event = _rejected(section, head, frame)
        elif isinstance(head, _Verdicts):
            event = _verdicts(section, head, frame)
        elif isinstance(head, _End):
            event = self._end(section, head, log_dropped)
        else:
            event = self._fail(section, head)
        return event

    def _greet(self, head: _Hello) -> None:
        if head.protocol != PROTOCOL:
            raise BrokenFrame(f"protocol {head.protocol}, expected {PROTOCOL}")
        self._greeted = True

    def _begin(self, head: _Begin) -> Event:
        if self._section is not None or not self._waiting or self._waiting[-1] != head.job:
            raise BrokenFrame(f"BEGIN of job {head.job} may not come now")
        self._waiting.pop()
        self._section = _Section(head.job)
        return Began(head.job)

    def _leave(self) -> None:
        if self._section is not None or self._waiting:
            raise BrokenFrame("BYE before the last job was done")
        self.is_complete = True

    def _end(self, section: _Section, head: _End, log_dropped: int) -> Event:
        if head.job != section.job:
            raise BrokenFrame(f"END of job {head.job} in the section of {section.job}")
        if {k: v for k, v in head.counts.items() if v} != {k: v for k, v in section.emitted.items() if v}:
            raise BrokenFrame(f"the guest counted {head.counts}, but {section.emitted} arrived")
        self._section = None
        return Ended(section.job, dict(head.counts), log_dropped, self._isolation)

    def _fail(self, section: _Section, head: _Failed) -> Event:
        if head.job != section.job:
            raise BrokenFrame(f"FAILED of job {head.job} in the section of {section.job}")
        self._section = None
        error = _ERRORS[head.kind](f"{self._parser}: {head.message}", where=head.where, why=head.trace)
        return Raised(section.job, error)


def _declare(section: _Section, head: _Schema, frame: Frame) -> None:
    section.schema_bytes += frame.body.size
    if len(section.schemas) == MAX_SCHEMAS or section.schema_bytes > MAX_SCHEMA_BYTES:
        raise BrokenFrame("too many schemas in one section")
    if reserved_names([head.output]):
        raise ParserReserved(f"the output {head.output!r} lies in the reserved namespace")
    section.schemas.append((head.output, decode_schema(frame.body)))
    section.count(head.output, 0)


def _batch(section: _Section, head: _Batch, frame: Frame) -> Event:
    if head.schema >= len(section.schemas):
        raise BrokenFrame(f"a batch of schema {head.schema}, which was not declared")
    output, schema = section.schemas[head.schema]
    present = (head.source_row, head.start, head.end)
    batch, (source_row, start, end) = decode_batch(frame.body, schema, head.rows, present)
    section.count(output, batch.num_rows)
    return Batch(section.job, output, batch, source_row, start, end, frame.body.size)


def _verdicts(section: _Section, head: _Verdicts, frame: Frame) -> Event | None:
    """What was detected; without anything the frame only says that its guest is at work."""
    section.verdict_bytes += len(frame.head)
    if section.verdict_bytes > MAX_VERDICT_BYTES:
        raise BrokenFrame(f"more than {MAX_VERDICT_BYTES} bytes of verdicts in one section")
    found = (
        VerdictNote(name=each.name, value=each.value, confidence=each.confidence, runner_up=each.runner_up)
        for each in head.verdicts
    )
    return Noted(section.job, tuple(found)) if head.verdicts else None


def _rejected(section: _Section, head: _Rejected, frame: Frame) -> Event:
    if reserved_names([head.output]):
        raise ParserReserved(f"the output {head.output!r} lies in the reserved namespace")
    if head.start is not None and head.end is not None and head.start > head.end:
        raise BrokenFrame("a rejected record starts after its end")
    section.count(head.output, 1)
    raw = frame.body.to_pybytes() if head.has_raw else None
    return RejectedRecord(
        section.job, head.output, head.code, head.message, head.start, head.end, head.locator, raw, head.source_row
    )
