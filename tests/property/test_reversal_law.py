"""The law of reverts: whatever happened to a table, going back to a snapshot shows exactly what it showed then."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from builders import HomeBuilder
from casparian_flow.core.errors import UsageError
from casparian_flow.core.outputs import PermittedEntry, Role
from casparian_flow.sentinel.recovery import roll_forward
from casparian_flow.sentinel.reversal import permit_reversal, plan_reversal
from casparian_flow.sinks.base import Sink
from casparian_flow.sinks.log import AddedFile, Entry, EntryAction, JobRows, entry_bytes
from casparian_flow.sinks.uri import open_sink
from casparian_flow.store import outputs as output_store
from casparian_flow.store import tables
from sink_builders import DIGEST, a_batch, sealed

TABLE = "events"
Rows = dict[Role, Counter[tuple[int, int]]]


@dataclass
class Past:
    """One table of one sink with everything that was ever visible of it."""

    home: HomeBuilder
    sink: Sink
    location: int
    parser: int
    now_ns: int = 0
    live: dict[int, set[Role]] = field(default_factory=dict)
    shown: dict[int, Rows] = field(default_factory=dict)
    undone: set[int] = field(default_factory=set)
    undone_at: dict[int, set[int]] = field(default_factory=dict)
    jobs_at: dict[int, set[int]] = field(default_factory=dict)
    jobs: set[int] = field(default_factory=set)

    def commit(self, sizes: Sequence[tuple[int, int]], gone: Iterable[int], action: EntryAction) -> None:
        """One permit: jobs with so many accepted and quarantined rows come, others go."""
        self.now_ns += 1
        adds: dict[Role, list[AddedFile]] = {role: [] for role in Role}
        coming = []
        for accepted, quarantined in sizes:
            job = self.home.job(self.location, self.home.version(self.location, str(self.now_ns).encode()), self.parser)
            coming.append(job)
            self.home.rows(job, TABLE, accepted, quarantined, sink_uri=self.sink.uri)
            self.live[job] = set()
            for role, count in ((Role.ACCEPTED, accepted), (Role.QUARANTINE, quarantined)):
                if count:
                    self.live[job].add(role)
                    [file] = sealed(self.sink, job, [a_batch(range(count))], table=TABLE, role=role).files
                    adds[role].append(AddedFile(**_fields(file), jobs=(JobRows(job=job, rows=count),)))
        gone = list(gone)
        entries = []
        with self.home.database.transaction() as connection:
            for role in Role:
                removed = tuple(sorted(job for job in gone if role in self.live[job]))
                if adds[role] or removed:
                    seq = output_store.next_seq(connection, self.sink.uri, TABLE, role)
                    entry = Entry(
                        table=TABLE, role=role, seq=seq, action=action, contract_version=1, schema_hash=DIGEST,
                        adds=tuple(adds[role]), removed_jobs=removed,
                    )  # fmt: skip
                    entries.append(
                        PermittedEntry(sink=self.sink.uri, table=TABLE, role=role, seq=seq, body=entry_bytes(entry))
                    )
            for entry in entries:
                output_store.add_commit(connection, entry, self.now_ns, job=coming[0] if coming else None, attempt=1)
            last = connection.execute(select(func.max(tables.commits.c.id))).scalar_one()
            connection.execute(tables.commits.update().values(is_recorded=True))
            output_store.supersede(connection, self.sink.uri, TABLE, gone)
        self.sink.promote(entries)
        for job in gone:
            del self.live[job]
        self.jobs.update(coming)
        self.note(last)

    def note(self, snapshot: int) -> None:
        self.shown[snapshot] = self.read()
        self.undone_at[snapshot] = set(self.undone)
        self.jobs_at[snapshot] = set(self.jobs)

    def revert(self, to: int) -> bool:
        """Whether there was anything to revert."""
        self.now_ns += 1
        with self.home.database.transaction() as connection:
            try:
                reversal = plan_reversal(connection, self.sink.uri, TABLE, str(to))
            except UsageError:
                return False
            made = permit_reversal(connection, reversal, "a person", "to see", self.now_ns)
        assert roll_forward(self.home.database, lambda _uri: self.sink, self.now_ns).troubles == {}
        self.undone = self.undone_at[to] | (self.jobs - self.jobs_at[to])
        self.live = {job: self.live.get(job) or self.roles(job) for job in self.current()}
        self.note(made)
        return True

    def roles(self, job: int) -> set[Role]:
        row = self.home.database.connection.execute(
            select(tables.materializations).where(tables.materializations.c.job_id == job)
        ).one()
        self.home.database.connection.commit()
        return {role for role, n in ((Role.ACCEPTED, row.accepted), (Role.QUARANTINE, row.quarantined)) if n}

    def read(self) -> Rows:
        """Every visible row as the job that brought it and its position, from the sink alone."""
        found: Rows = {}
        for role in Role:
            found[role] = Counter()
            if self.sink.snapshot(TABLE, role).seq:
                table = self.sink.read(TABLE, role).read_all()
                if table.num_columns:
                    pairs = zip(table["_cf_job_id"].to_pylist(), table["_cf_source_row"].to_pylist(), strict=True)
                    found[role] = Counter(pairs)
        return found

    def current(self) -> set[int]:
        m = tables.materializations.c
        return self._jobs(m.is_current)

    def marked(self) -> set[int]:
        return self._jobs(tables.materializations.c.reverted_in.is_not(None))

    def _jobs(self, which: object) -> set[int]:
        with self.home.database.transaction() as connection:
            return set(connection.execute(select(tables.materializations.c.job_id).where(which)).scalars())


def _fields(file: object) -> dict[str, object]:
    return {name: getattr(file, name) for name in ("name", "size", "digest", "rows")}


sizes = st.tuples(st.integers(0, 3), st.integers(0, 2)).filter(any)


@settings(max_examples=8, deadline=None)
@given(data=st.data())
def test_going_back_to_any_snapshot_shows_what_it_showed_then(data: st.DataObject) -> None:
    folder = Path(tempfile.mkdtemp())
    try:
        with HomeBuilder(folder / "home") as home:
            sink = open_sink(f"parquet://{folder}/out")
            past = Past(home, sink, home.location(home.source()), home.parser())
            past.shown[0] = {role: Counter() for role in Role}
            past.undone_at[0] = past.jobs_at[0] = set()
            for _ in range(data.draw(st.integers(2, 7))):
                act = data.draw(st.sampled_from(["append", "append", "replace", "retire", "revert"]))
                if act == "revert":
                    to = data.draw(st.sampled_from(sorted(past.shown)))
                    if past.revert(to):
                        assert past.read() == past.shown[to]
                        assert past.current() == set(past.live)
                        assert past.marked() == past.undone
                elif act == "retire" and past.live:
                    past.commit(
                        [], data.draw(st.sets(st.sampled_from(sorted(past.live)), min_size=1)), EntryAction.RETIRE
                    )
                elif act == "replace":
                    coming = data.draw(st.lists(sizes, min_size=1, max_size=2))
                    past.commit(coming, list(past.live), EntryAction.REPLACE)
                else:
                    gone = data.draw(st.sets(st.sampled_from(sorted(past.live)), max_size=1)) if past.live else ()
                    past.commit([data.draw(sizes)], gone, EntryAction.APPEND)
            for to in sorted(past.shown):
                before = past.read()
                if past.revert(to):
                    assert past.read() == past.shown[to]
                else:
                    assert before == past.shown[to]
    finally:
        shutil.rmtree(folder)
