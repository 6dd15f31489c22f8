"""Turns the body of a frame into Arrow data that the host may touch: checked before, while and after decoding."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import pyarrow as pa

from casparian_flow.core.errors import ParserReserved
from casparian_flow.core.lineage import reserved_names
from casparian_flow.guest.plain import is_plain
from casparian_flow.guest.wire import MAX_COLUMNS, MAX_ROWS
from casparian_flow.worker.frames import BrokenFrame
from casparian_flow.worker.ipc_message import Malformed, read_batch_header

_REMEMBERED_BYTES = 16 << 10


def decode_schema(body: pa.Buffer) -> pa.Schema:
    """The declared schema; raises BrokenFrame, or ParserReserved for `_cf_` columns.

    Files of a kind declare the same one again and again: what was found good is not looked at anew.
    """
    return _known(body.to_pybytes()) if body.size <= _REMEMBERED_BYTES else _decode(body)


@lru_cache(maxsize=128)
def _known(body: bytes) -> pa.Schema:
    return _decode(pa.py_buffer(body))


def _decode(body: pa.Buffer) -> pa.Schema:
    try:
        schema = pa.ipc.read_schema(body)
        names = schema.names
        for field in schema:
            _read_texts(field.type)
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError) as exc:
        raise BrokenFrame(f"the schema cannot be read: {exc}") from exc
    if reserved := reserved_names(names):
        raise ParserReserved(f"columns of the reserved namespace: {', '.join(reserved)}")
    if len(names) > MAX_COLUMNS:
        raise BrokenFrame(f"{len(names)} columns; {MAX_COLUMNS} is the most")
    if len(set(names)) < len(names):
        raise BrokenFrame("several columns of one name")
    for metadata in (schema.metadata, *(field.metadata for field in schema)):
        if any(not key.startswith(b"cf.") for key in metadata or {}):
            raise BrokenFrame("metadata that the sdk does not define")
    for field in schema:
        if not is_plain(field.type):
            raise BrokenFrame(f"column {field.name!r} has the type {field.type}, which may not be sent")
    return schema


def _read_texts(kind: pa.DataType) -> None:
    """Raises UnicodeDecodeError, a ValueError, for names of inner fields or time zones that are not UTF-8.

    Arrow takes them as they come; whoever asks for one later would meet the error far from its cause.
    """
    if pa.types.is_timestamp(kind):
        _ = kind.tz
    for at in range(kind.num_fields):
        inner = kind.field(at)
        _ = inner.name
        _read_texts(inner.type)


def decode_batch(
    body: pa.Buffer, schema: pa.Schema, rows: int, present: Sequence[bool]
) -> tuple[pa.RecordBatch, list[pa.Int64Array | None]]:
    """The batch, fully validated, and its places in the order of `present`; raises BrokenFrame."""
    places_size = 8 * rows * sum(present)
    message = body.slice(0, body.size - places_size) if body.size >= places_size else None
    if message is None or not 0 <= rows <= MAX_ROWS:
        raise BrokenFrame(f"a batch of {rows} rows in {body.size} bytes")
    try:
        header = read_batch_header(memoryview(message))
    except Malformed as exc:
        raise BrokenFrame(f"not an Arrow batch: {exc}") from exc
    if header.is_compressed:
        raise BrokenFrame("compressed batches are not allowed")
    if header.rows != rows or header.total != message.size:
        raise BrokenFrame(f"the batch claims {header.rows} rows in {header.total} bytes, not {rows} in {message.size}")
    if header.longest > max(rows, 8 * header.body_length):
        raise BrokenFrame(f"a nested column of {header.longest} elements without bytes")
    try:
        batch = pa.ipc.read_record_batch(message, schema)
        batch.validate(full=True)
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError) as exc:
        raise BrokenFrame(f"the batch is not valid Arrow data: {exc}") from exc
    if batch.num_rows != rows:
        raise BrokenFrame(f"the batch has {batch.num_rows} rows, not {rows}")
    return batch, _places(body, message.size, rows, present)


def _places(body: pa.Buffer, at: int, rows: int, present: Sequence[bool]) -> list[pa.Int64Array | None]:
    found: list[pa.Int64Array | None] = []
    for is_there in present:
        if not is_there:
            found.append(None)
            continue
        found.append(pa.Array.from_buffers(pa.int64(), rows, [None, body.slice(at, 8 * rows)]))
        at += 8 * rows
    _, start, end = found
    if start is not None and end is not None and (start.to_numpy() > end.to_numpy()).any():
        raise BrokenFrame("a row starts after its end")
    return found
