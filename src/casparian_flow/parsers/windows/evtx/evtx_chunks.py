"""Where the records of an event log lie: file header, chunk headers and record headers, each checked by itself."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

FILE_MAGIC = b"ElfFile\0"
CHUNK_MAGIC = b"ElfChnk\0"
RECORD_MAGIC = b"**\0\0"
HEADER_BLOCK = 4096
CHUNK_SIZE = 65536
RECORDS_START = 512
MIN_RECORD = 28
FREE_SPACE_AT = 48
NO_CHECKSUMS = 4
"""Flag of a header whose checksums were never written."""

_FILE = struct.Struct("<8sQQQIHHHH")
_CHUNK = struct.Struct("<8sQQQQIIII")
_TAIL = struct.Struct("<II")
_RECORD_WORD = int.from_bytes(RECORD_MAGIC, "little")


@dataclass(frozen=True, slots=True)
class FileHeader:
    """The first block of a log, as far as its own checksum vouches for it."""

    is_sound: bool
    is_dirty: bool
    chunks: int | None
    """How many chunks the log says it has; None without a readable header."""
    next_id: int | None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class ChunkHeader:
    """What a chunk says about itself. Its numbers are a claim, and only a sound header's claim counts."""

    first_number: int
    last_number: int
    first_id: int
    last_id: int
    free_space: int
    data_crc: int
    flags: int
    is_sound: bool

    @property
    def promised(self) -> int:
        """How many records the chunk says it holds; 0 if it cannot be believed."""
        count = self.last_number - self.first_number + 1
        return count if self.is_sound and 0 < count <= (CHUNK_SIZE - RECORDS_START) // MIN_RECORD else 0


@dataclass(frozen=True, slots=True)
class Records:
    """The record headers of a chunk in order. Offsets count from the chunk's start; times are FILETIMEs."""

    offsets: np.ndarray
    sizes: np.ndarray
    ids: np.ndarray
    times: np.ndarray
    gaps: tuple[tuple[int, int], ...] = ()
    """Spans `[start, end)` inside the chunk where record headers should be and are not."""

    def __len__(self) -> int:
        return len(self.offsets)


def read_file_header(block: bytes) -> FileHeader:
    """What the first block says; never raises, whatever the bytes."""
    if block[:8] != FILE_MAGIC or len(block) < 128:
        return FileHeader(False, False, None, None, "the file header is missing or overwritten")
    next_id, chunks = _FILE.unpack_from(block)[3], _FILE.unpack_from(block)[8]
    flags, crc = _TAIL.unpack_from(block, 120)
    if zlib.crc32(block[:120]) != crc and not flags & NO_CHECKSUMS:
        return FileHeader(False, bool(flags & 1), None, None, "the file header does not match its checksum")
    return FileHeader(True, bool(flags & 1), chunks, next_id)


def read_chunk_header(data: bytes) -> ChunkHeader:
    """What the header of a chunk says; `data` holds at least the 512 bytes of the header."""
    fields = _CHUNK.unpack_from(data)
    flags, crc = _TAIL.unpack_from(data, 120)
    checked = zlib.crc32(data[128:RECORDS_START], zlib.crc32(data[:120])) == crc
    is_sound = data[:8] == CHUNK_MAGIC and (checked or bool(flags & NO_CHECKSUMS))
    first_number, last_number, first_id, last_id, _, _, free_space, data_crc = fields[1:]
    return ChunkHeader(first_number, last_number, first_id, last_id, free_space, data_crc, flags, is_sound)


def is_data_sound(data: bytes, header: ChunkHeader) -> bool:
    """Whether the records' bytes match the checksum in the chunk's header."""
    if header.flags & NO_CHECKSUMS:
        return True
    return zlib.crc32(memoryview(data)[RECORDS_START : header.free_space]) == header.data_crc


def find_chains(slots: bytes) -> list[Records | None]:
    """For each slot of a run of them, the last perhaps short: its records, if they are one unbroken chain.

    It leads from byte 512 to where the chunk's header says that its free space begins; None where it does not.
    All slots are looked at together, since asking numpy costs more than what it then does for one of them.
    """
    count = -(-len(slots) // CHUNK_SIZE)
    slots = slots.ljust(count * CHUNK_SIZE, b"\0")
    words, longs = np.frombuffer(slots, "<u4"), np.frombuffer(slots, "<i8")
    ends = words[FREE_SPACE_AT // 4 :: CHUNK_SIZE // 4].astype(np.int64)
    ends[ends > CHUNK_SIZE] = 0
    at = np.flatnonzero(words == _RECORD_WORD)
    at = at[(at % 2 == 0) & (at % (CHUNK_SIZE // 4) >= RECORDS_START // 4)]
    slot, offsets = np.divmod(4 * at, CHUNK_SIZE)
    sizes = words[at + 1].astype(np.int64)
    stops = offsets + sizes
    fit = (sizes >= MIN_RECORD) & (sizes % 4 == 0) & (stops <= ends[slot])
    fit[fit] = words[at[fit] + sizes[fit] // 4 - 1] == sizes[fit]
    at, slot, offsets, sizes, stops = at[fit], slot[fit], offsets[fit], sizes[fit], stops[fit]
    ids, times = longs[at // 2 + 1], longs[at // 2 + 2]
    is_broken = np.zeros(count, np.bool_)
    is_broken[slot[1:][(slot[1:] == slot[:-1]) & (offsets[1:] != stops[:-1])]] = True
    found: list[Records | None] = []
    bounds = np.searchsorted(slot, np.arange(count + 1)).tolist()
    for number, (low, high) in enumerate(pairwise(bounds)):
        is_chain = low < high and offsets[low] == RECORDS_START and stops[high - 1] == ends[number]
        its = slice(low, high)
        is_whole = is_chain and not is_broken[number]
        found.append(Records(offsets[its], sizes[its], ids[its], times[its]) if is_whole else None)
    return found


def find_records(data: bytes, header: ChunkHeader, is_sound: bool, chain: Records | None) -> Records:
    """Every record header of the chunk, with the spans where one is missing.

    A sound chunk is one unbroken `chain` of records, see `find_chains`; anything else is walked, and after a break
    taken up again at the next plausible header. `is_sound` says that a checksum vouches for where the free space
    begins; without it the walk ends where ids fall back, since what lies behind the free space are records of an
    earlier round.
    """
    if is_sound and header.free_space <= len(data):
        return chain or _walk(data, header.free_space, True)
    return _walk(data, min(header.free_space, len(data)) if is_sound else len(data), is_sound)


def _walk(data: bytes, end: int, is_sound: bool) -> Records:
    offsets: list[int] = []
    sizes: list[int] = []
    gaps: list[tuple[int, int]] = []
    at, newest = RECORDS_START, -1
    while at < end:
        if size := _plausible_size(data, at, end):
            record = int.from_bytes(data[at + 8 : at + 16], "little")
            if record <= newest and not is_sound:
                end = at
                break
            newest = record
            offsets.append(at)
            sizes.append(size)
            at += size
            continue
        following = _next_record(data, at + 4, end)
        gaps.append((at, following))
        at = following
    if gaps and gaps[-1][1] == end and not is_sound and (end < len(data) or not any(data[gaps[-1][0] : end])):
        gaps.pop()
    return _records(data, np.array(offsets, np.int64), np.array(sizes, np.int64), tuple(gaps))


def _plausible_size(data: bytes, at: int, end: int) -> int:
    """The size of the record at `at`, or 0 if no record can be there."""
    if at + MIN_RECORD > end or data[at : at + 4] != RECORD_MAGIC:
        return 0
    size = int.from_bytes(data[at + 4 : at + 8], "little")
    stop = at + size
    if size < MIN_RECORD or stop > end:
        return 0
    is_copied = data[stop - 4 : stop] == data[at + 4 : at + 8]
    return size if is_copied or stop == end or data[stop : stop + 4] == RECORD_MAGIC else 0


def _next_record(data: bytes, start: int, end: int) -> int:
    """Where the next plausible record begins, or `end`."""
    at = data.find(RECORD_MAGIC, start, end)
    while at >= 0:
        if at % 4 == 0 and _plausible_size(data, at, end):
            return at
        at = data.find(RECORD_MAGIC, at + 1, end)
    return end


def _records(data: bytes, offsets: np.ndarray, sizes: np.ndarray, gaps: tuple[tuple[int, int], ...] = ()) -> Records:
    """Ids and times of the records at these offsets; offsets are multiples of four, so words are enough."""
    words = np.frombuffer(data, "<u4", len(data) // 4).astype(np.int64)
    at = offsets // 4
    ids = words[at + 2] | words[at + 3] << 32
    times = words[at + 4] | words[at + 5] << 32
    return Records(offsets, sizes, ids, times, gaps)
