"""One output of a group's members for which no contract exists yet: its rows are surveyed, and kept as they came."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from casparian_flow.protocol.messages import JobOrder, OutputSurvey
from casparian_flow.schema.survey import Survey
from casparian_flow.worker.gathered import Gathered, Run, merged
from casparian_flow.worker.pending import Spilled
from casparian_flow.worker.spill import Spill
from casparian_flow.worker.tables import is_headerless


class Waiting:
    """Members whose files ask for one table and have the same columns; or one member alone, whatever it has.

    `base_table` is the table that they ask for.
    """

    def __init__(self, output: str, base_table: str, path: Path, *, is_named: bool) -> None:
        """`path` is where the rows are kept, without a suffix."""
        self._output = output
        self.base_table = base_table
        self._is_named = is_named
        self._rows = _Kept(path.with_suffix(".rows"))
        self._rejected = _Kept(path.with_suffix(".rejected"))
        self._survey = Survey.empty()
        self._headerless = False
        self._counts: dict[int, int] = {}

    def take(self, rows: Gathered, jobs: Sequence[JobOrder]) -> None:
        """Learn from rows and keep them; `jobs` are all members."""
        self._headerless = is_headerless(rows.batch)
        sources = [(jobs[member].source_hash, count) for member, count in rows.runs]
        self._survey.add_from(rows.batch, rows.source_row, sources)
        for member, count in rows.runs:
            self._counts[member] = self._counts.get(member, 0) + count
        self._rows.add(rows)

    def reject(self, rejected: Gathered) -> None:
        """Keep rejections until their table is known."""
        self._rejected.add(rejected)

    def spilled(self) -> list[Spilled]:
        """Finish the files; what they hold."""
        self.close()
        kept = ((self._rows, False), (self._rejected, True))
        return [
            Spilled(output=self._output, name=each.path.name, runs=each.runs, is_rejected=is_rejected)
            for each, is_rejected in kept
            if each.runs
        ]

    def surveys(self) -> dict[int, OutputSurvey]:
        """What each member found: the first one brings the survey of all, for the others their columns say enough."""
        found: dict[int, OutputSurvey] = {}
        names = self._survey.names
        for member, rows in self._counts.items():
            found[member] = OutputSurvey(
                output=self._output,
                base_table=self.base_table,
                is_named=self._is_named,
                columns=names,
                headerless=self._headerless,
                rows=rows,
                survey=(Survey.empty() if found else self._survey).to_bytes(),
            )
        return found

    def close(self) -> None:
        """Give the files back, whatever they hold."""
        self._rows.close()
        self._rejected.close()


class _Kept:
    """A spill with the runs of its rows; no file before the first of them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.runs: list[Run] = []
        self._spill: Spill | None = None

    def add(self, rows: Gathered) -> None:
        if rows.batch.num_rows == 0:
            return
        if self._spill is None:
            self._spill = Spill(self.path)
        self._spill.write(rows.batch, rows.source_row, rows.start, rows.end)
        self.runs[-1:] = merged([*self.runs[-1:], *(run for run in rows.runs if run.rows)])

    def close(self) -> None:
        if self._spill is not None:
            self._spill.close()
