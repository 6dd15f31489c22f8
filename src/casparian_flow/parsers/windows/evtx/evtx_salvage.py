"""Chunks made readable in memory: a synthetic file header before them, damaged spans covered, headers set right."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence

from evtx_chunks import CHUNK_MAGIC, CHUNK_SIZE, FILE_MAGIC, HEADER_BLOCK, RECORD_MAGIC, RECORDS_START, Records

FILLER_ID = (1 << 63) - 1
"""The record id under which a covered span would appear, should the library read anything out of it."""


def with_file_header(chunks: Sequence[bytes]) -> bytes:
    """The bytes of an event log made of exactly these chunks, each of full size."""
    count = len(chunks)
    head = struct.pack("<8sQQQIHHHH", FILE_MAGIC, 0, count - 1, 0, 128, 1, 3, HEADER_BLOCK, count)
    head = head.ljust(120, b"\0")
    head += struct.pack("<II", 0, zlib.crc32(head))
    return b"".join([head.ljust(HEADER_BLOCK, b"\0"), *chunks])


def patch_chunk(data: bytes, records: Records) -> bytes:
    """A copy of full size whose header fits `records`, with each gap turned into one record without content.

    So a reader that follows record sizes passes over the damage instead of ending there. Nothing inside the
    records found is changed.
    """
    patched = bytearray(data.ljust(CHUNK_SIZE, b"\0"))
    end = int(records.offsets[-1] + records.sizes[-1]) if len(records) else RECORDS_START
    patched[:8] = CHUNK_MAGIC
    last = int(records.ids[-1]) & ((1 << 63) - 1) if len(records) else 0
    struct.pack_into("<QQQQIII", patched, 8, 0, last, 0, last, 128, RECORDS_START, end)
    for start, stop in records.gaps:
        size = stop - start
        if stop <= end and size >= 28:
            patched[start:stop] = bytes(size)
            struct.pack_into("<4sIQ", patched, start, RECORD_MAGIC, size, FILLER_ID)
            struct.pack_into("<I", patched, stop - 4, size)
    struct.pack_into("<I", patched, 52, zlib.crc32(patched[RECORDS_START:end]))
    return bytes(patched)


def without_caches(data: bytes) -> bytes:
    """A copy whose tables of string and template offsets are empty: readers then find both from the records."""
    return data[:128] + bytes(RECORDS_START - 128) + data[RECORDS_START:]
