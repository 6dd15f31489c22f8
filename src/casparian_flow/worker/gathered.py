"""Rows of one output as a batch, of one job or of several one after another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import pyarrow as pa

from casparian_flow.core.errors import InvariantBroken


class Run(NamedTuple):
    """So many rows, one after another, of one member of a group: by its place among the group's jobs."""

    member: int
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """Rows with the places where they stand in their sources; `runs` says whose they are, in order."""

    batch: pa.RecordBatch
    source_row: pa.Array
    start: pa.Array | None = None
    end: pa.Array | None = None
    runs: Sequence[Run]

    def __post_init__(self) -> None:
        if sum(run.rows for run in self.runs) != self.batch.num_rows:
            raise InvariantBroken("rows that belong to nobody", why=f"{self.batch.num_rows} rows, {self.runs}")

    @classmethod
    def of(
        cls,
        member: int,
        batch: pa.RecordBatch,
        source_row: pa.Array,
        start: pa.Array | None = None,
        end: pa.Array | None = None,
    ) -> Gathered:
        """Rows that all belong to one member."""
        runs = (Run(member, batch.num_rows),)
        return cls(batch=batch, source_row=source_row, start=start, end=end, runs=runs)

    @property
    def members(self) -> list[int]:
        """Whose rows these are, each once."""
        return list(dict.fromkeys(run.member for run in self.runs))

    def with_batch(self, batch: pa.RecordBatch) -> Gathered:
        """The same rows, told otherwise."""
        return replace(self, batch=batch)

    def with_members(self, places: Mapping[int, int]) -> Gathered:
        """The same rows, their members by other numbers."""
        return replace(self, runs=[Run(places[member], rows) for member, rows in self.runs])

    def part(self, first: int, last: int) -> Gathered:
        """The rows of some of the runs, from number `first` up to `last`, which is not among them."""
        at = sum(run.rows for run in self.runs[:first])
        runs = self.runs[first:last]
        rows = sum(run.rows for run in runs)
        return Gathered(
            batch=self.batch.slice(at, rows),
            source_row=self.source_row.slice(at, rows),
            start=None if self.start is None else self.start.slice(at, rows),
            end=None if self.end is None else self.end.slice(at, rows),
            runs=runs,
        )

    def parts(self) -> Iterator[Gathered]:
        """The rows of each run by themselves."""
        at = 0
        for run in self.runs:
            yield Gathered.of(
                run.member,
                self.batch.slice(at, run.rows),
                self.source_row.slice(at, run.rows),
                None if self.start is None else self.start.slice(at, run.rows),
                None if self.end is None else self.end.slice(at, run.rows),
            )
            at += run.rows

    def goes_with(self, other: Gathered) -> bool:
        """Whether both can be one batch: the same columns, and the same is known about their places."""
        return (
            (self.start is None) == (other.start is None)
            and (self.end is None) == (other.end is None)
            and self.batch.schema.equals(other.batch.schema, check_metadata=True)
        )


def gather(parts: Sequence[Gathered]) -> Gathered:
    """All of these rows, in order, as one batch; all of them go with each other."""
    if len(parts) == 1:
        return parts[0]
    first = parts[0]
    starts = [part.start for part in parts if part.start is not None]
    ends = [part.end for part in parts if part.end is not None]
    return Gathered(
        batch=pa.concat_batches([part.batch for part in parts]),
        source_row=pa.concat_arrays([part.source_row for part in parts]),
        start=None if first.start is None else pa.concat_arrays(starts),
        end=None if first.end is None else pa.concat_arrays(ends),
        runs=merged([run for part in parts for run in part.runs]),
    )


def merged(runs: Sequence[Run]) -> list[Run]:
    """The same runs, those of one member that follow each other as one."""
    found: list[Run] = []
    for run in runs:
        if found and found[-1].member == run.member:
            found[-1] = Run(run.member, found[-1].rows + run.rows)
        else:
            found.append(run)
    return found
