"""How the rows of one job differ from a contract: counted, with samples and a survey of the values that differ."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from casparian_flow.core.drift import Axis
from casparian_flow.core.proofs import MOST_SAMPLES
from casparian_flow.core.receipts import LONGEST_SURVEY, DriftNote
from casparian_flow.schema.cells import Ints
from casparian_flow.schema.rendering import as_text
from casparian_flow.schema.survey import Survey
from casparian_flow.sdk.emit import FIELD_ENCODING

MOST_SURVEYS = 50
"""Of the differences of one table so many have a survey in the receipt, those of the most rows."""
_LONGEST_SAMPLE = 200


@dataclass(slots=True)
class _Difference:
    rows: int = 0
    first: int | None = None
    samples: dict[str, int] = field(default_factory=dict)
    """Texts with the first row that has each."""
    survey: Survey = field(default_factory=Survey.empty)


class Differences:
    """Takes in what differs, batch by batch; how rows are cut into batches changes nothing of what it knows."""

    def __init__(self, source: str | None) -> None:
        """`source` is the hash of the bytes that the rows came from; without it, differences are only counted."""
        self._source = source
        self._found: dict[tuple[str, str, str], _Difference] = {}

    def __bool__(self) -> bool:
        """Whether anything differs."""
        return bool(self._found)

    def rows(self, axis: Axis, column: str) -> int:
        """In how many rows a column differs on that axis."""
        return sum(each.rows for key, each in self._found.items() if key[:2] == (axis.value, column))

    def note(
        self, axis: Axis, column: str, detail: str, rows: Ints, values: pa.Array | None = None, form: pa.Field = None
    ) -> None:
        """One difference in the rows that stand at `rows` in the source.

        `values` are what they have there, as it came, and `form` the field that it came in; None where there is none.
        """
        if not len(rows):
            return
        known = self._found.setdefault((axis.value, column, detail), _Difference())
        known.rows += len(rows)
        first = int(rows.min())
        known.first = first if known.first is None else min(known.first, first)
        if values is None or self._source is None:
            return
        if len(known.samples) < MOST_SAMPLES or first < max(known.samples.values()):
            known.samples = _sampled(known.samples, rows, values, form)
        batch = pa.RecordBatch.from_arrays([values], schema=pa.schema([form.with_name(column)]))
        known.survey.add_from(batch, pa.array(rows), [(self._source, len(rows))])

    def notes(self, table: str) -> list[DriftNote]:
        """All of them in a fixed order."""
        by_rows = sorted(self._found.items(), key=lambda item: (-item[1].rows, item[0]))
        surveyed = dict(item for item in by_rows if item[1].survey.rows)
        surveys = {key: surveyed[key].survey.to_bytes() for key in list(surveyed)[:MOST_SURVEYS]}
        return [
            DriftNote(
                table=table,
                axis=axis,
                column=column,
                detail=detail,
                rows=each.rows,
                samples=tuple(sorted(each.samples, key=lambda text: (each.samples[text], text))),
                survey=_bounded(surveys.get((axis, column, detail), b"")),
                source_row=each.first,
            )
            for (axis, column, detail), each in sorted(self._found.items())
        ]


def _bounded(survey: bytes) -> bytes:
    return survey if len(survey) <= LONGEST_SURVEY else b""


def _sampled(known: dict[str, int], rows: Ints, values: pa.Array, form: pa.Field) -> dict[str, int]:
    """The first few texts that differ, of those known and those that come, each with its first row."""
    order = np.argsort(rows, kind="stable")
    tagged = (form.metadata or {}).get(FIELD_ENCODING) == b"json"
    texts = pc.utf8_slice_codeunits(as_text(values.take(pa.array(order)), tagged=tagged), 0, _LONGEST_SAMPLE)
    distinct = texts.dictionary_encode()
    _, firsts = np.unique(np.asarray(distinct.indices), return_index=True)
    found = dict(known)
    for at in np.sort(firsts)[: 2 * MOST_SAMPLES]:
        text, row = texts[int(at)].as_py(), int(rows[order[at]])
        found[text] = min(found.get(text, row), row)
    kept = sorted(found, key=lambda text: (found[text], text))[:MOST_SAMPLES]
    return {text: found[text] for text in kept}
