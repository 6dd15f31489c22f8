"""Keys of the rows that a table has: kept from job to job, and read only of jobs that came since."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from casparian_flow.core.contracts import ContractColumn
from casparian_flow.core.errors import NotFound, RuleInvalid
from casparian_flow.core.lineage import JOB_ID
from casparian_flow.core.outputs import Role
from casparian_flow.schema.arrow import normalise
from casparian_flow.schema.cast import cast_column
from casparian_flow.schema.cells import Mask
from casparian_flow.schema.owned_keys import OwnedKeys
from casparian_flow.schema.seen_keys import Keys, key_column
from casparian_flow.sinks.base import Sink

MOST_TABLES = 8
"""Of so many tables keys are kept; those of others are read anew."""


class HasKeys(Protocol):
    """Some keys."""

    def has(self, keys: Keys) -> Mask:
        """Which of them are there."""


@dataclass(frozen=True, slots=True)
class KnownKeys:
    """The keys of a table as it was after its log entry `seq`."""

    table: str
    seq: int
    keys: HasKeys

    def has(self, keys: Keys) -> Mask:
        """Which of them are there."""
        return self.keys.has(keys)


@dataclass(slots=True)
class _Kept:
    jobs: frozenset[int]
    keys: OwnedKeys


class KnownTables:
    """The keys that one worker has read so far."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str, tuple[str, ...], tuple[str, ...]], _Kept] = {}
        self._lock = Lock()

    def keys(
        self,
        sink: Sink,
        table: str,
        names: Sequence[str],
        types: Sequence[str],
        without: Collection[int],
        folder: Path,
    ) -> KnownKeys:
        """The keys that these columns of a table make up in its visible rows, but for those of the jobs `without`.

        They are compared as values of `types`. Raises RuleInvalid if the table has no such columns, and what keeps
        its rows from being read.
        """
        now = sink.snapshot(table, Role.ACCEPTED)
        if not now.seq:
            return KnownKeys(table, 0, OwnedKeys(folder))
        with self._lock:
            place = (sink.uri, table, tuple(names), tuple(types))
            kept = self._kept.pop(place, None) or _Kept(frozenset(), OwnedKeys(folder))
            if gone := kept.jobs - now.jobs:
                kept.keys = kept.keys.without(gone)
            if new := now.jobs - kept.jobs:
                read_keys(kept.keys, sink, table, now.seq, names, types, new)
            kept.jobs = now.jobs
            while len(self._kept) >= MOST_TABLES:
                del self._kept[next(iter(self._kept))]
            self._kept[place] = kept
            return KnownKeys(table, now.seq, kept.keys.without(without))


def read_keys(
    keys: OwnedKeys,
    sink: Sink,
    table: str,
    seq: int,
    names: Sequence[str],
    types: Sequence[str],
    jobs: Collection[int],
) -> None:
    """Add the keys that these columns make up in the rows that jobs brought, as `KnownTables.keys` compares them."""
    try:
        for batch in sink.read(table, Role.ACCEPTED, seq, [*names, JOB_ID], jobs):
            owners = batch.column(JOB_ID).to_numpy(zero_copy_only=False).astype(np.int64, copy=False)
            add_keys(keys, batch, names, types, owners)
    except NotFound as exc:
        raise RuleInvalid(f"{table} has no columns {', '.join(names)}", why=exc.message) from exc


def add_keys(
    keys: OwnedKeys, batch: pa.RecordBatch, names: Sequence[str], types: Sequence[str], owners: npt.NDArray[np.int64]
) -> None:
    """Add the keys that these columns make up in rows as they stand in a table, each with the job that it is of."""
    rows = normalise(batch)
    columns = [ContractColumn(name, kind) for name, kind in zip(names, types, strict=True)]
    found = key_column([cast_column(rows.column(column.name), column)[0] for column in columns])
    keys.add(found.digests[found.is_whole], owners[found.is_whole])
