"""The rows that one job has of outputs which its parser does not declare: counted, with samples, and surveyed."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from casparian_flow.core.drift import Axis
from casparian_flow.core.errors import CasparianError
from casparian_flow.core.proofs import MOST_SAMPLES
from casparian_flow.core.receipts import LONGEST_OUTPUT_SURVEY, MOST_NEW_COLUMNS, DriftNote
from casparian_flow.schema.survey import Survey

_LONGEST_SAMPLE = 200


@dataclass(slots=True)
class Room:
    """How many columns may still be surveyed of all such outputs of one job; who comes later gets none."""

    columns: int = MOST_NEW_COLUMNS

    def take(self, count: int) -> bool:
        """Whether so many more may be."""
        if count > self.columns:
            return False
        self.columns -= count
        return True


@dataclass(slots=True)
class _NewOutput:
    rows: int = 0
    samples: list[tuple[int, str]] = field(default_factory=list)
    """The first rows, each with its number."""
    survey: Survey | None = field(default_factory=Survey.empty)
    """None once not every row is in it."""


class NewOutputs:
    """Takes in rows batch by batch; how rows are cut into batches changes nothing of what it knows."""

    def __init__(self, source: str, room: Room | None) -> None:
        """`source` is the hash of the bytes that the rows came from; without `room` nothing is surveyed."""
        self._source = source
        self._room = room
        self._found: dict[str, _NewOutput] = {}

    def take(self, output: str, batch: pa.RecordBatch, source_row: pa.Array, texts: pa.Array) -> None:
        """Take in rows of an output; `texts` say each of them in words."""
        if not batch.num_rows:
            return
        known = self._found.setdefault(output, _NewOutput())
        known.rows += batch.num_rows
        numbers = np.asarray(source_row, dtype=np.int64)
        first = np.argsort(numbers, kind="stable")[:MOST_SAMPLES]
        known.samples += [(int(numbers[at]), texts[int(at)].as_py()[:_LONGEST_SAMPLE]) for at in first]
        known.samples = sorted(known.samples)[:MOST_SAMPLES]
        if known.survey is not None and not self._survey(known.survey, batch, source_row):
            known.survey = None

    def notes(self, table: str) -> list[DriftNote]:
        """What is to be told of each of them, by name."""
        return [
            DriftNote(
                table=table,
                axis=Axis.NEW_OUTPUT,
                column=output,
                detail="",
                rows=each.rows,
                samples=tuple(dict.fromkeys(text for _, text in each.samples)),
                survey=_bounded(each.survey),
                source_row=each.samples[0][0],
            )
            for output, each in sorted(self._found.items())
        ]

    def _survey(self, survey: Survey, batch: pa.RecordBatch, source_row: pa.Array) -> bool:
        """Learn from rows; false where they have more columns than there is room for, or types that do not exist."""
        if self._room is None or not self._room.take(len(set(batch.schema.names) - survey.columns.keys())):
            return False
        try:
            survey.add_from(batch, source_row, [(self._source, batch.num_rows)])
        except CasparianError:  # the rows are rejected whatever they are; who drafts is told that nothing is known
            return False
        return True


def _bounded(survey: Survey | None) -> bytes:
    data = b"" if survey is None else survey.to_bytes()
    return data if len(data) <= LONGEST_OUTPUT_SURVEY else b""
