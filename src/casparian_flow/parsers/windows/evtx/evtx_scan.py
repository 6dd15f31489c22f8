"""One chunk of an event log judged: what is there, what is damaged, and the bytes to read it from."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from evtx_chunks import (
    CHUNK_MAGIC,
    CHUNK_SIZE,
    RECORD_MAGIC,
    RECORDS_START,
    ChunkHeader,
    Records,
    find_records,
    is_data_sound,
    read_chunk_header,
)
from evtx_salvage import patch_chunk

from casparian_flow.sdk import Rejected

OUTPUT = "evtx_events"
RAW_KEPT = 4096
"""How many bytes of a damaged span are kept with its entry."""
_CHECKED = slice(8, 128)
"""What a chunk's header says behind its magic, with both checksums; the records have ranges of their own."""


class Code(StrEnum):
    """Why a span of a log is in quarantine."""

    HEADER = "cf.evtx.header"
    CHUNK_MAGIC = "cf.evtx.chunk_magic"
    CHUNK_CRC = "cf.evtx.chunk_crc"
    CHUNK_ZEROED = "cf.evtx.chunk_zeroed"
    TRUNCATED = "cf.evtx.truncated"
    RECORD = "cf.evtx.record"
    ID_GAP = "cf.evtx.id_gap"


class State(StrEnum):
    """How far a record can be relied on."""

    LIVE = "live"
    """Read from a chunk whose checksums match, or that carries none."""
    UNVERIFIED = "unverified"
    """Read from a chunk whose checksums do not match."""
    RECOVERED = "recovered"
    """Read from a chunk that a reader would have given up on, or given up in the middle of."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """A chunk with at least its header's magic intact or proven. `data` is what to hand to the library."""

    number: int
    start: int
    header: ChunkHeader
    records: Records
    state: State
    data: bytes
    is_crc_bad: bool
    damage: tuple[Rejected, ...]

    @property
    def missing(self) -> int:
        """How many records its header promises that have no record header."""
        return max(0, self.header.promised - len(self.records))


def reject(code: Code, message: str, number: int, start: int, data: bytes) -> Rejected:
    """The quarantine entry of the span that begins at `start` and holds `data`."""
    return Rejected(
        OUTPUT, code.value, message, start, start + len(data), locator=f"chunk {number}", raw=bytes(data[:RAW_KEPT])
    )


def reject_record(chunk: Chunk, position: int, reason: str) -> Rejected:
    """The entry of one record whose header is sound and whose content is not."""
    start, size = int(chunk.records.offsets[position]), int(chunk.records.sizes[position])
    message = f"record {chunk.records.ids[position]} cannot be read: {reason[:400]}"
    return reject(Code.RECORD, message, chunk.number, chunk.start + start, chunk.data[start : start + size])


def is_unused(data: bytes) -> bool:
    """Whether a slot without magic looks like one that was never written, or not since an earlier round."""
    return data[RECORDS_START : RECORDS_START + 4] != RECORD_MAGIC


def reject_slot(number: int, start: int, data: bytes) -> Rejected:
    """The entry of a whole slot in which no chunk can be recognised."""
    if len(data) < CHUNK_SIZE:
        return reject(Code.TRUNCATED, f"the file ends {len(data)} bytes into a chunk", number, start, data)
    return reject(Code.CHUNK_MAGIC, "no chunk begins here, and its header is beyond repair", number, start, data)


def scan_chunk(number: int, start: int, data: bytes, chain: Records | None) -> Chunk | None:
    """The chunk in a slot, or None if nothing in it can be relied on; `chain` is what `find_chains` found there.

    A chunk of which only the magic is damaged is proven by the checksum of its header, and read.
    """
    if len(data) < RECORDS_START:
        return None
    damage: list[Rejected] = []
    has_magic = data[:8] == CHUNK_MAGIC
    mended = data if has_magic else CHUNK_MAGIC + data[8:]
    header = read_chunk_header(mended)
    if not has_magic:
        if not header.is_sound or header.flags & 4:
            return None
        message = "the chunk's magic is overwritten; its header checksum proves the rest of it"
        damage.append(reject(Code.CHUNK_MAGIC, message, number, start, data[:8]))
    is_whole = RECORDS_START <= header.free_space <= len(data)
    data_sound = is_whole and is_data_sound(mended, header)
    records = find_records(mended, header, header.is_sound or data_sound, chain)
    is_short = len(data) < CHUNK_SIZE and not is_whole
    is_crc_bad = not is_short and not (header.is_sound and data_sound)
    if is_crc_bad:
        part = "records" if header.is_sound else "header" if data_sound else "header and records"
        message = f"the checksum does not match ({part}); {len(records)} records were found, {header.promised} promised"
        damage.append(reject(Code.CHUNK_CRC, message, number, start + _CHECKED.start, data[_CHECKED]))
    for gap_start, gap_end in records.gaps:
        is_last = is_short and gap_end == len(data)
        message = "the file ends inside this record" if is_last else "no record can be recognised here"
        code = Code.TRUNCATED if is_last else Code.RECORD
        damage.append(reject(code, message, number, start + gap_start, data[gap_start:gap_end]))
    chunk_ends_at = start + len(data)
    if is_short and not records.gaps:
        damage.append(reject(Code.TRUNCATED, "the file ends inside this chunk", number, chunk_ends_at, b""))
    missing = header.promised - len(records)
    if missing > 0 and not records.gaps and not is_short:
        at = start + header.free_space
        message = f"the chunk promises {header.promised} records and holds {len(records)} without a break between them"
        damage.append(reject(Code.ID_GAP, message, number, at, b""))
    needs_patch = not has_magic or bool(records.gaps) or len(data) < CHUNK_SIZE or not header.is_sound
    state = State.RECOVERED if needs_patch else State.UNVERIFIED if is_crc_bad else State.LIVE
    bytes_to_read = patch_chunk(data, records) if needs_patch else data
    return Chunk(number, start, header, records, state, bytes_to_read, is_crc_bad, tuple(damage))
