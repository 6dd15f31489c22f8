"""Finds the rejected rows of causes in a sink, by what the rows themselves say.

What the home says of a cause may have been closed since: its name alone stays what it was.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping

import pyarrow as pa

from casparian_flow.core.lineage import JOB_ID
from casparian_flow.core.outputs import Role
from casparian_flow.core.quarantine import group_reference
from casparian_flow.sinks.base import Sink
from casparian_flow.sinks.rejects import CAUSE_COLUMNS, Rejects


def rejects_of(
    sink: Sink, table: str, causes: Mapping[int, Collection[str]], parsers: Mapping[int, str]
) -> list[Rejects]:
    """The rows that a table has in quarantine of these jobs, each with its causes and the name of its parser."""
    found: dict[tuple[str, str, str], set[int]] = defaultdict(set)
    references: dict[tuple[str, str, str, str], str] = {}
    for batch in sink.read(table, Role.QUARANTINE, columns=[*CAUSE_COLUMNS, JOB_ID], jobs=causes):
        told = pa.Table.from_batches([batch]).group_by([*CAUSE_COLUMNS, JOB_ID]).aggregate([])
        for row in told.to_pylist():
            code, column, shape = (row[name] or "" for name in CAUSE_COLUMNS)
            kind = (parsers[row[JOB_ID]], code, column, shape)
            if kind not in references:
                references[kind] = group_reference(kind[0], table, code, column, shape)
            if references[kind] in causes[row[JOB_ID]]:
                found[code, column, shape].add(row[JOB_ID])
    return [
        Rejects(code=code, column=column, shape=shape, jobs=frozenset(jobs))
        for (code, column, shape), jobs in sorted(found.items())
    ]
