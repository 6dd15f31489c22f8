"""What became of the rows of a replay, row by row."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection

from casparian_flow.core.errors import CasparianError, NotFound
from casparian_flow.core.lineage import JOB_ID, SOURCE_ROW
from casparian_flow.core.outputs import Role
from casparian_flow.lab.comparing import Comparing, PlacedRows
from casparian_flow.operations.context import Acting
from casparian_flow.store import replays as replay_store
from casparian_flow.store.engine import AnyRow
from casparian_flow.store.replays import Expected

NOTHING = Expected(0, 0)
_PLACES = pa.schema([("file", pa.int64()), ("place", pa.int64())])


@dataclass(frozen=True, slots=True, kw_only=True)
class Became:
    """Of the rejected rows how many were `released` and are `still` rejected, and of the others how many are not there.

    `newly` rejected ones were not rejected before; `lost` is counted as in `lab.comparing.FileDifference`.
    """

    released: int = 0
    still: int = 0
    newly: int = 0
    lost: int = 0

    def __add__(self, other: Became) -> Became:
        """Both together."""
        return Became(
            released=self.released + other.released,
            still=self.still + other.still,
            newly=self.newly + other.newly,
            lost=self.lost + other.lost,
        )


@dataclass(frozen=True, slots=True)
class _Pair:
    """What one file brought to one table, before and now."""

    old_job: int
    new_job: int
    had: Expected
    has: Expected

    @property
    def by_numbers(self) -> Became:
        """What the numbers alone say: rows that take each other's place are not seen."""
        had, has = self.had, self.has
        return Became(
            released=max(has.accepted - had.accepted, 0),
            still=min(has.quarantined, had.quarantined),
            newly=max(has.quarantined - had.quarantined, 0),
            lost=max(had.accepted - has.accepted, 0),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayedRows:
    """Which files of a replay came out, and where their rows are and were, as the home has it recorded."""

    certain: Became
    """Of those whose numbers say all."""
    others: Mapping[tuple[str, str], Sequence[_Pair]]
    """The others, by sink and table."""
    first_entries: Mapping[tuple[str, str, str], int]


def replayed_rows(connection: Connection, replay: int, files: Sequence[AnyRow]) -> ReplayedRows:
    """The rows of these files, which were read again."""
    brought = replay_store.brought(connection, [job for file in files for job in (file.old_job, file.new_job)])
    certain = Became()
    others = []
    for file in files:
        before, now = brought.get(file.old_job, {}), brought.get(file.new_job, {})
        took_all_over = file.carried and file.carried == sum(each.accepted for each in before.values())
        for table in sorted({*before, *now}):
            pair = _Pair(file.old_job, file.new_job, before.get(table, NOTHING), now.get(table, NOTHING))
            if took_all_over or _says_all(pair):
                certain += pair.by_numbers
            else:
                others.append((table, pair))
    sinks = replay_store.sinks_of(connection, [pair.old_job for _, pair in others])
    found: dict[tuple[str, str], list[_Pair]] = defaultdict(list)
    for table, pair in others:
        found[sinks[pair.old_job, table], table].append(pair)
    return ReplayedRows(certain=certain, others=found, first_entries=replay_store.first_entries(connection, replay))


def became(acting: Acting, rows: ReplayedRows) -> Became:
    """What became of them; where rows cannot be read any more, what their numbers say. Not inside a transaction."""
    total = rows.certain
    if not rows.others:
        return total
    acting.home.staging.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="replayed-", dir=acting.home.staging, ignore_cleanup_errors=True) as scratch:
        for (sink, table), pairs in rows.others.items():
            try:
                total += _by_place(acting, rows, sink, table, pairs, Path(scratch))
            except CasparianError:  # erased, or out of reach since they landed
                total = sum((pair.by_numbers for pair in pairs), start=total)
    return total


def _says_all(pair: _Pair) -> bool:
    """Whether no two rows can have taken each other's place: there was nothing, or on one side nothing is rejected."""
    had, has = pair.had, pair.has
    before, now = had.accepted + had.quarantined, has.accepted + has.quarantined
    return not before or (before == now and not (had.quarantined and has.quarantined))


def _by_place(
    acting: Acting, rows: ReplayedRows, uri: str, table: str, pairs: Sequence[_Pair], scratch: Path
) -> Became:
    sink = acting.open_sink(uri)

    def placed(role: Role, jobs: Sequence[int], as_of: int | None) -> pa.RecordBatchReader:
        try:
            read = sink.read(table, role, as_of=as_of, columns=[JOB_ID, SOURCE_ROW], jobs=jobs)
        except NotFound:  # a table to which nothing of that kind was ever brought
            return pa.RecordBatchReader.from_batches(_PLACES, [])
        return pa.RecordBatchReader.from_batches(_PLACES, _placed(read, pa.array(jobs, pa.int64())))

    def before(role: Role) -> pa.RecordBatchReader:
        first = rows.first_entries.get((uri, table, role))
        if first == 1:
            return pa.RecordBatchReader.from_batches(_PLACES, [])
        return placed(role, [pair.old_job for pair in pairs], None if first is None else first - 1)

    def now(role: Role) -> pa.RecordBatchReader:
        return placed(role, [pair.new_job for pair in pairs], None)

    with ExitStack() as opened, Comparing(scratch) as comparing:
        old, new = (
            PlacedRows(
                opened.enter_context(closing(side(Role.ACCEPTED))), opened.enter_context(closing(side(Role.QUARANTINE)))
            )
            for side in (before, now)
        )
        found = comparing.compare_places(old, new)
    rejected = sum(pair.has.quarantined for pair in pairs)
    return Became(
        released=found.released,
        still=rejected - found.quarantined,
        newly=found.quarantined,
        lost=found.lost,
    )


def _placed(read: pa.RecordBatchReader, jobs: pa.Int64Array) -> Iterator[pa.RecordBatch]:
    with closing(read):
        for batch in read:
            file = pc.index_in(batch.column(JOB_ID).cast(pa.int64()), jobs).cast(pa.int64())
            yield pa.RecordBatch.from_arrays([file, batch.column(SOURCE_ROW)], schema=_PLACES)
