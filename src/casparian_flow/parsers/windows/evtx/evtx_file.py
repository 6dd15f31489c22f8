"""One event log from its first byte to its last, in bounded memory."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import BinaryIO

import numpy as np
import pyarrow as pa
from evtx_account import Account, slots_in
from evtx_chunks import CHUNK_MAGIC, CHUNK_SIZE, HEADER_BLOCK, Records, find_chains, read_file_header
from evtx_columns import UNIX_EPOCH, Events
from evtx_mixed import find_mixed_data, read_mixed_data
from evtx_reader import Found, read_chunks
from evtx_salvage import with_file_header
from evtx_scan import OUTPUT, Chunk, Code, is_unused, reject_record, reject_slot, scan_chunk

from casparian_flow.sdk import PermanentError, Rejected, Rows, Verdict
from casparian_flow.sdk.emit import FIELD_ENCODING

CHUNKS_AT_ONCE = 16
ROWS_AT_ONCE = 16_384
TEXT_AT_ONCE = 32 << 20


class EventLog:
    """Reads one file once; what it yields goes out as it is found."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._size = os.fstat(file.fileno()).st_size
        block = file.read(HEADER_BLOCK)
        self._header = read_file_header(block)
        self._block = block
        self._first_chunk = 0 if block[:8] == CHUNK_MAGIC else HEADER_BLOCK
        self._account = Account(self._header, self._size)
        self._events = Events()
        self._places: list[tuple[Chunk, np.ndarray | None]] = []
        self._mixed: set[int] = set()

    def read(self, order: Sequence[str]) -> Iterator[Rows | Rejected | Verdict]:
        """Rows, entries and the row about the file; PermanentError if there is nothing of an event log in it."""
        if not self._size:
            raise PermanentError("the file is empty")
        if not self._header.is_sound and not self._has_chunks():
            raise PermanentError("not an event log: neither its header nor any chunk can be recognised")
        if not self._header.is_sound:
            wiped = self._block[: self._first_chunk]
            yield Rejected(
                OUTPUT, Code.HEADER.value, self._header.problem, 0, len(wiped), locator="file header", raw=wiped
            )
        waiting: list[Chunk] = []
        for item in self._scan():
            if isinstance(item, Rejected):
                yield item
                continue
            yield from item.damage
            waiting.append(item)
            if len(waiting) == CHUNKS_AT_ONCE:
                yield from self._take(waiting, order)
                waiting = []
        if waiting:
            yield from self._take(waiting, order)
        yield from self._flush(order)
        yield from self._account.close()
        yield Rows("evtx_files", self._file_row())
        yield Verdict("completeness", self._account.verdict())

    def _has_chunks(self) -> bool:
        slots = range(self._first_chunk, self._size, CHUNK_SIZE)
        return any(os.pread(self._file.fileno(), 8, start) == CHUNK_MAGIC for start in slots)

    def _scan(self) -> Iterator[Chunk | Rejected]:
        """The chunks in the order of the file, and an entry for each slot that should be one."""
        doubtful: list[int] = []
        self._account.slots = slots_in(self._size, self._first_chunk)
        for number, data, chain in self._read_slots():
            chunk = scan_chunk(number, self._first_chunk + number * CHUNK_SIZE, data, chain)
            if chunk is None:
                doubtful.append(number)
                continue
            yield from self._reject_slots(doubtful)
            doubtful = []
            self._account.add_chunk(chunk)
            yield chunk
        declared = self._header.chunks or 0
        lost = [number for number in doubtful if number < declared or not is_unused(self._read_slot(number)[1])]
        self._account.chunks_unused = len(doubtful) - len(lost)
        yield from self._reject_slots(lost)

    def _read_slots(self) -> Iterator[tuple[int, bytes, Records | None]]:
        """Every slot with its bytes and, if it holds one unbroken chain of records, these."""
        for first in range(0, self._account.slots, CHUNKS_AT_ONCE):
            start = self._first_chunk + first * CHUNK_SIZE
            slots = os.pread(self._file.fileno(), CHUNKS_AT_ONCE * CHUNK_SIZE, start)
            chains = find_chains(slots)
            for at, chain in enumerate(chains):
                yield first + at, slots[at * CHUNK_SIZE : (at + 1) * CHUNK_SIZE], chain

    def _read_slot(self, number: int) -> tuple[int, bytes]:
        start = self._first_chunk + number * CHUNK_SIZE
        return start, os.pread(self._file.fileno(), CHUNK_SIZE, start)

    def _reject_slots(self, numbers: Sequence[int]) -> Iterator[Rejected]:
        """An entry for each slot without a chunk; neighbours that are all zeros share one."""
        zeroed: list[int] = []
        for number in numbers:
            self._account.add_bad_slot(number)
            start, data = self._read_slot(number)
            is_zeroed = len(data) == CHUNK_SIZE and not any(data)
            if zeroed and not (is_zeroed and number == zeroed[-1] + 1):
                yield self._reject_zeroed(zeroed)
                zeroed = []
            if is_zeroed:
                zeroed.append(number)
            else:
                yield reject_slot(number, start, data)
        if zeroed:
            yield self._reject_zeroed(zeroed)

    def _reject_zeroed(self, numbers: Sequence[int]) -> Rejected:
        count = len(numbers)
        locator, what = f"chunk {numbers[0]}", "the chunk is all zeros"
        if count > 1:
            locator, what = f"chunks {numbers[0]} to {numbers[-1]}", f"{count} chunks are all zeros"
        start = self._first_chunk + numbers[0] * CHUNK_SIZE
        return Rejected(
            OUTPUT, Code.CHUNK_ZEROED.value, what, start, start + count * CHUNK_SIZE, locator=locator, raw=b""
        )

    def _take(self, chunks: Sequence[Chunk], order: Sequence[str]) -> Iterator[Rows | Rejected]:
        with_records = [chunk for chunk in chunks if len(chunk.records)]
        if not with_records:
            return
        file = with_file_header([chunk.data for chunk in with_records])
        mixed = find_mixed_data(file, len(with_records))
        self._mixed = {chunk.number for chunk, is_mixed in zip(with_records, mixed, strict=True) if is_mixed}
        for found in read_chunks(with_records, file):
            yield from found.rejected
            yield from self._add(found)
            if len(self._events) >= ROWS_AT_ONCE or self._events.text_size >= TEXT_AT_ONCE:
                yield from self._flush(order)

    def _add(self, found: Found) -> Iterator[Rejected]:
        first, positions = len(self._events), found.positions
        unreadable = self._events.add(found.texts)
        if unreadable:
            positions = np.arange(len(found.texts)) if positions is None else positions
            for at, reason in unreadable:
                yield reject_record(found.chunk, int(positions[at]), reason)
            positions = np.delete(positions, [at for at, _ in unreadable])
        if found.chunk.number in self._mixed:
            complete = read_mixed_data(found.chunk)
            for row, record in enumerate(_pick(found.chunk.records.ids, positions).tolist(), first):
                if payload := complete.get(record):
                    self._events.replace_payload(row, payload)
        self._places.append((found.chunk, positions))

    def _flush(self, order: Sequence[str]) -> Iterator[Rows]:
        if not len(self._events):
            return
        places = self._places
        starts = np.concatenate([chunk.start + _pick(chunk.records.offsets, at) for chunk, at in places])
        sizes = np.concatenate([_pick(chunk.records.sizes, at) for chunk, at in places])
        ids = np.concatenate([_pick(chunk.records.ids, at) for chunk, at in places])
        times = np.concatenate([_pick(chunk.records.times, at) for chunk, at in places])
        counts = [len(chunk.records) if at is None else len(at) for chunk, at in places]
        columns = self._events.columns(times)
        columns["record_state"] = pa.array([chunk.state.value for chunk, _ in places]).take(_repeat(counts))
        columns["chunk_no"] = pa.array([chunk.number for chunk, _ in places], pa.int64()).take(_repeat(counts))
        columns["record_offset"] = pa.array(starts)
        self._account.add_rows(ids, times)
        self._events, self._places = Events(), []
        batch = pa.RecordBatch.from_arrays([columns[name] for name in order], schema=_schema(columns, order))
        yield Rows(OUTPUT, batch, source_row=ids, start=starts, end=starts + sizes)

    def _file_row(self) -> pa.RecordBatch:
        row = {name: pa.array([value]) for name, value in self._account.row().items()}
        for name in ("chunks_declared", "first_id", "last_id"):
            row[name] = row[name].cast(pa.int64())
        for name in ("first_time", "last_time"):
            row[name] = pa.array([_nanos(row[name][0].as_py())], pa.int64()).cast(pa.timestamp("ns", "UTC"))
        return pa.RecordBatch.from_pydict(row)


def _schema(columns: Mapping[str, pa.Array], order: Sequence[str]) -> pa.Schema:
    tagged = {FIELD_ENCODING: b"json"}
    return pa.schema(
        [pa.field(name, columns[name].type, metadata=tagged if name == "payload" else None) for name in order]
    )


def _pick(values: np.ndarray, positions: np.ndarray | None) -> np.ndarray:
    return values if positions is None else values[positions]


def _repeat(counts: Sequence[int]) -> pa.Array:
    return pa.array(np.repeat(np.arange(len(counts), dtype=np.int32), counts))


def _nanos(filetime: int | None) -> int | None:
    nanos = (filetime - UNIX_EPOCH) * 100 if filetime is not None else None
    return nanos if nanos is not None and -(1 << 63) <= nanos < 1 << 63 else None
