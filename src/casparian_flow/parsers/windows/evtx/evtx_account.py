"""The books of one file: what its headers promise against what was read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from evtx_chunks import CHUNK_SIZE, FileHeader
from evtx_scan import Chunk, Code, reject

from casparian_flow.sdk import Rejected

BELIEVABLE_GAP = 1 << 32
"""A gap of more records than this says that a header lies, not that so many records are lost."""


@dataclass(frozen=True, slots=True)
class _Span:
    """What one sound chunk header claims."""

    first: int
    last: int
    last_id: int
    number: int
    start: int


class Account:
    """Counts chunks, records and losses of one file as they are met."""

    def __init__(self, header: FileHeader, size: int) -> None:
        self._header = header
        self._size = size
        self._spans: list[_Span] = []
        self._doubtful: dict[int, int] = {}
        """Slots without a chunk or without a sound header, and how many records were found there."""
        self._first_time: int | None = None
        self._last_time: int | None = None
        self.chunks_seen = self.chunks_bad = self.chunks_unused = self.crc_bad = 0
        self.expected = self.read = self.id_gaps = self.slots = 0
        self._first_id: int | None = None
        self._last_id: int | None = None

    def add_chunk(self, chunk: Chunk) -> None:
        """Count a chunk and what it promises."""
        self.chunks_seen += 1
        self.crc_bad += chunk.is_crc_bad
        self.chunks_bad += bool(chunk.damage)
        self.expected += len(chunk.records) + chunk.missing
        if chunk.header.promised:
            header = chunk.header
            self._spans.append(
                _Span(header.first_number, header.last_number, header.last_id, chunk.number, chunk.start)
            )
        else:
            self._doubtful[chunk.number] = len(chunk.records)
        self.id_gaps += any(entry.code == Code.ID_GAP for entry in chunk.damage)

    def add_bad_slot(self, number: int) -> None:
        """Count a slot that should hold a chunk and does not."""
        self.chunks_bad += 1
        self._doubtful[number] = 0

    def add_rows(self, ids: np.ndarray, times: np.ndarray) -> None:
        """Count rows that were read, by the ids and times of their record headers."""
        if not len(ids):
            return
        self.read += len(ids)
        low, high = int(ids.min()), int(ids.max())
        self._first_id = low if self._first_id is None else min(low, self._first_id)
        self._last_id = high if self._last_id is None else max(high, self._last_id)
        known = times[times > 0]
        if len(known):
            low, high = int(known.min()), int(known.max())
            self._first_time = low if self._first_time is None else min(low, self._first_time)
            self._last_time = high if self._last_time is None else max(high, self._last_time)

    def close(self) -> Iterator[Rejected]:
        """Compare the chunks with each other; an entry for each gap that no damaged chunk explains."""
        spans = sorted(self._spans, key=lambda span: (span.first, span.number))
        for before, after in pairwise(spans):
            missing = after.first - before.last - 1
            if missing <= 0:
                continue
            between = self._doubtful_between(before.number, after.number)
            lost = missing - sum(between)
            if lost > 0 and missing < BELIEVABLE_GAP:
                self.expected += lost
            if lost > 0 and not between:
                self.id_gaps += 1
                message = f"records {before.last + 1} to {after.first - 1} are in no chunk ({missing} records)"
                yield reject(Code.ID_GAP, message, after.number, after.start, b"")
        self.expected += self._lost_at_the_end(spans)
        declared = self._header.chunks or 0
        if declared > self.slots:
            message = f"the header tells of {declared} chunks, the file ends after {self.slots}"
            self.chunks_bad += declared - self.slots
            yield Rejected(
                "evtx_events",
                Code.TRUNCATED.value,
                message,
                self._size,
                self._size,
                locator=f"chunks {self.slots} to {declared - 1}",
                raw=b"",
            )

    def _lost_at_the_end(self, spans: Sequence[_Span]) -> int:
        """Records that the file header knows of behind the last sound chunk, if something there is damaged."""
        header, last = self._header, max(spans, key=lambda span: span.last_id, default=None)
        if last is None or header.next_id is None or header.is_dirty:
            return 0
        behind = [found for number, found in self._doubtful.items() if number > last.number]
        if not behind and (header.chunks or 0) <= self.slots:
            return 0
        missing = header.next_id - 1 - last.last_id - sum(behind)
        return missing if 0 < missing < BELIEVABLE_GAP else 0

    def _doubtful_between(self, before: int, after: int) -> list[int]:
        """Records found in each doubtful slot on the way from one chunk to the next, round the end of the file."""
        if before < after:
            return [found for number, found in self._doubtful.items() if before < number < after]
        return [found for number, found in self._doubtful.items() if number > before or number < after]

    def verdict(self) -> str:
        """The state of the file in one line."""
        parts = [f"{self.read} of {self.expected} records read"]
        if self.chunks_bad:
            parts.append(f"{self.chunks_bad} damaged or missing chunks")
        if self.id_gaps:
            parts.append(f"{self.id_gaps} gaps in the record numbers")
        if not self._header.is_sound:
            parts.append(self._header.problem)
        whole = self.read == self.expected and not self.chunks_bad and self._header.is_sound
        return ("complete: " if whole else "damaged: ") + "; ".join(parts)

    def row(self) -> dict[str, Any]:
        """The row of `evtx_files`; times are FILETIMEs."""
        return {
            "size": self._size,
            "header_ok": self._header.is_sound,
            "dirty": self._header.is_dirty,
            "chunks_declared": self._header.chunks,
            "chunks_seen": self.chunks_seen,
            "chunks_bad": self.chunks_bad,
            "chunks_unused": self.chunks_unused,
            "crc_bad": self.crc_bad,
            "records_expected": self.expected,
            "records_read": self.read,
            "first_id": self._first_id,
            "last_id": self._last_id,
            "id_gaps": self.id_gaps,
            "first_time": self._first_time,
            "last_time": self._last_time,
            "verdict": self.verdict(),
        }


def slots_in(size: int, start: int) -> int:
    """How many chunk slots, the last one perhaps short, a file of this size has from `start` on."""
    return max(0, -(-(size - start) // CHUNK_SIZE))
