"""Looks into the flatbuffer of an Arrow IPC message for what Arrow itself does not tell before it decodes.

A length in such a message is only a number that the sender wrote. Layout: Arrow's format/Message.fbs.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np

RECORD_BATCH = 3
_U16 = struct.Struct("<H")
_I32 = struct.Struct("<i")
_U32 = struct.Struct("<I")
_CONTINUATION = 0xFFFFFFFF
_PREFIX = 8

_MESSAGE_TYPE, _MESSAGE_HEADER, _MESSAGE_BODY = 1, 2, 3
_BATCH_LENGTH, _BATCH_NODES, _BATCH_COMPRESSION = 0, 1, 3


class Malformed(ValueError):
    """The bytes are no such message."""


@dataclass(frozen=True, slots=True)
class BatchHeader:
    """What a record batch message claims about itself. `longest` is the length of its longest (nested) column."""

    rows: int
    longest: int
    body_length: int
    total: int
    is_compressed: bool


def read_batch_header(message: memoryview) -> BatchHeader:
    """The header of an encapsulated record batch message; raises Malformed, reads nothing outside of it."""
    try:
        return _read(message)
    except (struct.error, ValueError, IndexError) as exc:
        raise Malformed(str(exc)) from exc


def _read(message: memoryview) -> BatchHeader:
    if _U32.unpack_from(message, 0)[0] != _CONTINUATION:
        raise Malformed("no continuation mark")
    size = _I32.unpack_from(message, 4)[0]
    if not 0 < size <= len(message) - _PREFIX or size % 8:
        raise Malformed(f"metadata length {size}")
    meta = message[_PREFIX : _PREFIX + size]
    root = _Table(meta, _U32.unpack_from(meta, 0)[0])
    if root.number(_MESSAGE_TYPE, "<B") != RECORD_BATCH:
        raise Malformed("not a record batch")
    batch = root.table(_MESSAGE_HEADER)
    nodes = batch.structs(_BATCH_NODES, 16)
    lengths = np.frombuffer(nodes, "<i8")[::2]
    if lengths.size and lengths.min() < 0:
        raise Malformed("negative length")
    body = root.number(_MESSAGE_BODY, "<q")
    return BatchHeader(
        rows=batch.number(_BATCH_LENGTH, "<q"),
        longest=int(lengths.max()) if lengths.size else 0,
        body_length=body,
        total=_PREFIX + size + body,
        is_compressed=batch.offset(_BATCH_COMPRESSION) != 0,
    )


class _Table:
    """One flatbuffer table. Every position is checked by `struct`, which never reads outside of its buffer."""

    def __init__(self, buffer: memoryview, at: int) -> None:
        self._buffer = buffer
        self._at = at
        self._vtable = at - _I32.unpack_from(buffer, at)[0]
        if self._vtable < 0:
            raise Malformed("table outside of the message")
        self._vtable_size = _U16.unpack_from(buffer, self._vtable)[0]

    def offset(self, field: int) -> int:
        """The absolute position of a field, 0 if it is absent."""
        slot = 4 + 2 * field
        if slot + 2 > self._vtable_size:
            return 0
        relative: int = _U16.unpack_from(self._buffer, self._vtable + slot)[0]
        return self._at + relative if relative else 0

    def number(self, field: int, form: str) -> int:
        at = self.offset(field)
        return int(struct.unpack_from(form, self._buffer, at)[0]) if at else 0

    def table(self, field: int) -> _Table:
        at = self._target(field)
        return _Table(self._buffer, at)

    def structs(self, field: int, size: int) -> memoryview:
        """The bytes of a vector of structs."""
        at = self._target(field)
        count = _U32.unpack_from(self._buffer, at)[0]
        if at + 4 + count * size > len(self._buffer):
            raise Malformed("vector outside of the message")
        return self._buffer[at + 4 : at + 4 + count * size]

    def _target(self, field: int) -> int:
        at = self.offset(field)
        if not at:
            raise Malformed("a required part is absent")
        return at + int(_U32.unpack_from(self._buffer, at)[0])
