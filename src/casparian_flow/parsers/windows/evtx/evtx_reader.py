"""Chunks to records: the library's output matched with the record headers found, one by one."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from evtx import PyEvtxParser
from evtx_chunks import CHUNK_SIZE
from evtx_salvage import with_file_header, without_caches
from evtx_scan import Chunk, reject_record

from casparian_flow.sdk import Rejected

LIBRARY_ERRORS = (RuntimeError, ValueError, OSError)
MOST_TEXT = 64 << 20
"""Characters of records held from one batch; a batch with more is read chunk by chunk."""


@dataclass(frozen=True, slots=True)
class Found:
    """Records of one chunk: their texts, and which of its record headers they belong to (None: all)."""

    chunk: Chunk
    texts: Sequence[str]
    positions: np.ndarray | None
    rejected: tuple[Rejected, ...]


def read_chunks(chunks: Sequence[Chunk], file: bytes) -> Iterator[Found]:
    """Every record of the chunks in order; each record header ends as a text or as a Rejected.

    `file` is a log of just these chunks.

    The library gets them all at once. Unless what comes back is exactly the records expected, each chunk is
    read by itself, so that an error costs no more than the record it belongs to.
    """
    texts = _read_together(chunks, file)
    if texts is None:
        yield from map(_read_alone, chunks)
        return
    at = 0
    for chunk in chunks:
        yield Found(chunk, texts[at : at + len(chunk.records)], None, ())
        at += len(chunk.records)


def _read_together(chunks: Sequence[Chunk], file: bytes) -> list[str] | None:
    """The texts of exactly the records expected; None at the first sign of anything else."""
    expected = np.concatenate([chunk.records.ids for chunk in chunks]).view(np.uint64)
    texts: list[str] = []
    ids: list[int] = []
    size = 0
    try:
        parser = PyEvtxParser(io.BytesIO(file), number_of_threads=1)
        for record in cast("Iterator[dict[str, Any]]", parser.records_json()):
            ids.append(record["event_record_id"])
            text = record["data"]
            texts.append(text)
            size += len(text)
            if size > MOST_TEXT:
                return None
    except LIBRARY_ERRORS:
        return None
    is_exact = len(ids) == len(expected) and bool((np.array(ids, np.uint64) == expected).all())
    return texts if is_exact else None


def _read_alone(chunk: Chunk) -> Found:
    found = _match(chunk, chunk.data)
    if len(found.texts) == len(chunk.records):
        return found
    retried = _match(chunk, without_caches(chunk.data))
    return retried if len(retried.texts) > len(found.texts) else found


def _match(chunk: Chunk, data: bytes) -> Found:
    """What the library reads, put to the record headers in order; what it skips is rejected with its words."""
    records = chunk.records
    at_id: dict[int, list[int]] = {}
    for position, record in reversed(list(enumerate(records.ids.view(np.uint64).tolist()))):
        at_id.setdefault(record, []).append(position)
    texts: list[str] = []
    positions: list[int] = []
    rejected: list[Rejected] = []
    errors: list[str] = []
    following = 0
    for result in iterate(with_file_header([data]), len(records)):
        if isinstance(result, str):
            errors.append(result)
            continue
        waiting = at_id.get(result["event_record_id"])
        while waiting and waiting[-1] < following:
            waiting.pop()
        if not waiting:
            continue  # a covered span read as a record: nothing in the file says so
        position = waiting.pop()
        rejected += _reject_records(chunk, range(following, position), errors)
        errors.clear()
        texts.append(result["data"])
        positions.append(position)
        following = position + 1
    rejected += _reject_records(chunk, range(following, len(records)), errors)
    return Found(chunk, texts, np.array(positions, np.int64), tuple(rejected))


def _reject_records(chunk: Chunk, positions: range, errors: Sequence[str]) -> Iterator[Rejected]:
    words = itertools.chain(errors[: len(positions)], itertools.repeat(errors[-1] if errors else "no reason given"))
    for position, error in zip(positions, words, strict=False):
        yield reject_record(chunk, position, error)


def iterate(file: bytes, expected: int, *, as_xml: bool = False) -> Iterator[dict[str, Any] | str]:
    """Records as the library gives them, and the text of each of its errors in their place."""
    try:
        parser = PyEvtxParser(io.BytesIO(file), number_of_threads=1)
        records = parser.records() if as_xml else parser.records_json()
    except LIBRARY_ERRORS as refused:
        yield str(refused)
        return
    for _ in range(2 * expected + 2 * len(file) // CHUNK_SIZE + 16):
        try:
            yield cast("dict[str, Any]", next(records))
        except StopIteration:
            return
        except LIBRARY_ERRORS as error:
            yield str(error)
        except BaseException as panic:
            if type(panic).__name__ != "PanicException":
                raise
            yield f"the library panicked: {panic}"
            return
