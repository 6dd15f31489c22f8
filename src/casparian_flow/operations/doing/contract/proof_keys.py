"""The keys that files of a proof are compared with: those that tables have while they are read again."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from casparian_flow.core.outputs import Role
from casparian_flow.lab.rehearsal import Rehearsed
from casparian_flow.schema.cells import Mask
from casparian_flow.schema.owned_keys import OwnedKeys
from casparian_flow.schema.seen_keys import Keys
from casparian_flow.sinks.base import Sink
from casparian_flow.worker.known_keys import KnownKeys, KnownTables, add_keys, read_keys

_Columns = tuple[tuple[str, ...], tuple[str, ...]]
"""The columns that make up a key, as the new contract calls them, and their types there."""
MOST_LEFT = 64
"""Jobs whose keys are passed over one by one; those of so many are taken out at once."""


@dataclass(slots=True)
class _Own:
    """Keys of one table: those that it has, those of files that were read again, and the jobs that read these before.

    Of a table with many files no key is copied for one of them.
    """

    stored: OwnedKeys
    again: OwnedKeys
    left: set[int] = field(default_factory=set)

    def leave(self, job: int) -> None:
        """What the table has of that job counts no more."""
        self.left.add(job)
        if len(self.left) >= MOST_LEFT:
            self.stored, self.left = self.stored.without(self.left), set()


@dataclass(frozen=True, slots=True)
class _Others:
    """The keys of all files but that of one job, which is being read."""

    own: _Own
    job: int

    def has(self, keys: Keys) -> Mask:
        """Which of them are there."""
        return self.own.stored.has_beside(keys, {*self.own.left, self.job}) | self.own.again.has_beside(
            keys, {self.job}
        )


class ProofKeys:
    """Of the table that is changed the keys of its visible rows, but for those of files that were read again.

    These count with the rows that they would have then, and the file that is being read is not compared with itself:
    so it goes when the change is applied, file by file. Keys of other tables are those of their visible rows. What does
    not fit into memory lies in `folder`.
    """

    def __init__(
        self, table: str, stored: Mapping[str, str], sink_of: Callable[[str], Sink | None], folder: Path
    ) -> None:
        """`stored` are the columns of the new contract that the table has, with their names there."""
        self._table = table
        self._stored = stored
        self._sink_of = sink_of
        self._folder = folder
        self._others = KnownTables()
        self._own: dict[_Columns, _Own] = {}
        self._job = 0

    def begin(self, job: int) -> None:
        """From now on the file that this job read is read again."""
        self._job = job

    def keys_of(
        self, table: str, names: Sequence[str], types: Sequence[str], without: Collection[int], folder: Path
    ) -> KnownKeys | None:
        """As `Destination.keys_of`, for the file that is being read; None for a table without rows."""
        if (sink := self._sink_of(table)) is None:
            return None
        if table != self._table:
            return self._others.keys(sink, table, names, types, without, self._folder)
        columns = tuple(names), tuple(types)
        if columns not in self._own:
            self._own[columns] = _Own(self._read(sink, columns), OwnedKeys(self._folder))
        return KnownKeys(table, 0, _Others(self._own[columns], self._job))

    def end(self, found: Rehearsed) -> None:
        """The file came to these rows, which stand in the place of those that it has in the table."""
        rows = found.accepted.get(self._table)
        for columns, own in self._own.items():
            own.leave(self._job)
            for batch in [] if rows is None else rows.select(columns[0]).to_batches():
                add_keys(own.again, batch, *columns, np.full(batch.num_rows, self._job, np.int64))

    def _read(self, sink: Sink, columns: _Columns) -> OwnedKeys:
        keys, (names, types) = OwnedKeys(self._folder), columns
        now = sink.snapshot(self._table, Role.ACCEPTED)
        there = [self._stored[name] for name in names if name in self._stored]
        if now.seq and len(there) == len(names):  # a row without one of the columns has no key
            read_keys(keys, sink, self._table, now.seq, there, types, now.jobs)
        return keys
