"""Reads the central directory of a zip file entry by entry, however long it says it is."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

_END = struct.Struct("<4s4H2LH")
_END_MARK = b"PK\x05\x06"
_LOCATOR = struct.Struct("<4sLQL")
_END64 = struct.Struct("<4sQ2H2L4Q")
_ENTRY = struct.Struct("<4s6H3L5H2L")
_ENTRY_MARK = b"PK\x01\x02"
_LONGEST_COMMENT = 1 << 16
_FULL = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class ZipEntry:
    """One entry: its name as bytes, sizes as the directory states them, the mode that Unix gave it, or 0."""

    name: bytes
    size: int
    packed: int
    mode: int
    is_encrypted: bool
    modified: str | None


def zip_members(file: BinaryIO) -> Iterator[ZipEntry]:
    """The entries in the order of the directory; raises ValueError where it is damaged."""
    count, size, end = _directory(file)
    # The directory stands right before its end record, also where other bytes were put before the archive.
    file.seek(max(end - size, 0))
    for _ in range(count):
        head = file.read(_ENTRY.size)
        if len(head) < _ENTRY.size or not head.startswith(_ENTRY_MARK):
            raise ValueError("the list of members is damaged")
        fields = _ENTRY.unpack(head)
        _mark, _made, _needs, flags, _method, time, date, _crc, packed, unpacked, *rest = fields
        name_length, extra_length, comment_length, _disk, _internal, external, _offset = rest
        name, extra = file.read(name_length), file.read(extra_length)
        file.seek(comment_length, os.SEEK_CUR)
        unpacked, packed = _large(extra, unpacked, packed)
        yield ZipEntry(name, unpacked, packed, external >> 16, bool(flags & 1), _moment(date, time))


def _directory(file: BinaryIO) -> tuple[int, int, int]:
    """The number of entries, the bytes that they take, and where they end."""
    whole = file.seek(0, os.SEEK_END)
    start = max(whole - _END.size - _LONGEST_COMMENT, 0)
    file.seek(start)
    tail = file.read()
    at = tail.rfind(_END_MARK)
    if at < 0 or len(tail) - at < _END.size:
        raise ValueError("the end of the zip is missing")
    _mark, _disk, _first, _here, count, size, offset, _comment = _END.unpack_from(tail, at)
    end = start + at
    if _FULL in (size, offset) or count == 0xFFFF:
        return _directory64(file, end)
    return count, size, end


def _directory64(file: BinaryIO, end: int) -> tuple[int, int, int]:
    file.seek(max(end - _LOCATOR.size, 0))
    locator = file.read(_LOCATOR.size)
    if len(locator) < _LOCATOR.size or not locator.startswith(b"PK\x06\x07"):
        raise ValueError("the end of the zip64 is missing")
    place = _LOCATOR.unpack(locator)[2]
    if place > end:
        raise ValueError("the end of the zip64 is damaged")
    file.seek(place)
    record = file.read(_END64.size)
    if len(record) < _END64.size or not record.startswith(b"PK\x06\x06"):
        raise ValueError("the end of the zip64 is damaged")
    fields = _END64.unpack(record)
    return fields[7], fields[8], place


def _large(extra: bytes, unpacked: int, packed: int) -> tuple[int, int]:
    """Both sizes, from the zip64 field where the entry has no room for them."""
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, at)
        values = [value for (value,) in struct.iter_unpack("<Q", extra[at + 4 : at + 4 + length // 8 * 8])]
        if kind == 1:
            if unpacked == _FULL and values:
                unpacked = values.pop(0)
            if packed == _FULL and values:
                packed = values.pop(0)
            break
        at += 4 + length
    return unpacked, packed


def _moment(date: int, time: int) -> str | None:
    """The local time that DOS fields tell, without a zone; None where they tell none."""
    month, day = date >> 5 & 15, date & 31
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return None
    return f"{1980 + (date >> 9)}-{month:02d}-{day:02d}T{time >> 11:02d}:{time >> 5 & 63:02d}:{2 * (time & 31):02d}"
