"""One table of one sink whose every moment is remembered, for the laws about its past."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from sqlalchemy import func, select

from builders import HomeBuilder
from casparian_flow.core.errors import PlanStale, UsageError
from casparian_flow.core.outputs import PermittedEntry, Role
from casparian_flow.sentinel.commit.rolling import roll_forward
from casparian_flow.sentinel.history.compaction import (
    Compaction,
    begin,
    carry_out,
    file_sink,
    give_up,
    permit_compaction,
    plan_compaction,
)
from casparian_flow.sentinel.history.merging import Merged
from casparian_flow.sentinel.history.reversal import permit_reversal, plan_reversal
from casparian_flow.sinks.base import Attempt, Sink
from casparian_flow.sinks.lineage import stamped_schema
from casparian_flow.sinks.log import AddedFile, Entry, EntryAction, JobRecord, JobRows, entry_bytes
from casparian_flow.store import outputs as output_store
from casparian_flow.store import tables
from casparian_flow.store.rewrites import OpenRewrite
from sink_builders import DIGEST, a_batch, stamped

TABLE = "events"
Rows = dict[Role, list[tuple[int, int]]]
"""In the order in which they are read."""


def in_any_order(rows: Rows) -> dict[Role, Counter[tuple[int, int]]]:
    """The same for the same rows."""
    return {role: Counter(found) for role, found in rows.items()}


def record(part: JobRows) -> JobRecord:
    """What the log says of a job that brought so many rows."""
    return JobRecord(
        job=part.job, attempt=1, materialization_key=DIGEST, row_digest=DIGEST, emitted=part.rows, accepted=part.rows,
        quarantined=0,
    )  # fmt: skip


@dataclass
class Past:
    """The table with everything that was ever visible of it."""

    home: HomeBuilder
    sink: Sink
    location: int
    parser: int
    now_ns: int = 0
    live: dict[int, set[Role]] = field(default_factory=dict)
    shown: dict[int, Rows] = field(default_factory=dict)
    seqs: dict[int, dict[Role, int]] = field(default_factory=dict)
    undone: set[int] = field(default_factory=set)
    undone_at: dict[int, set[int]] = field(default_factory=dict)
    jobs_at: dict[int, set[int]] = field(default_factory=dict)
    jobs: set[int] = field(default_factory=set)

    def begin(self) -> None:
        """Remember the table before its first commit."""
        self.shown[0] = {role: [] for role in Role}
        self.seqs[0] = dict.fromkeys(Role, 0)
        self.undone_at[0] = self.jobs_at[0] = set()

    def commit(self, sizes: Sequence[tuple[int, int]], gone: Iterable[int], action: EntryAction) -> None:
        """One permit: jobs with so many accepted and quarantined rows come, in one file of each role; others go."""
        self.now_ns += 1
        parts: dict[Role, list[JobRows]] = {role: [] for role in Role}
        coming = []
        for accepted, quarantined in sizes:
            job = self.home.job(self.location, self.home.version(self.location, str(self.now_ns).encode()), self.parser)
            coming.append(job)
            self.home.rows(job, TABLE, accepted, quarantined, sink_uri=self.sink.uri)
            self.live[job] = set()
            for role, count in ((Role.ACCEPTED, accepted), (Role.QUARANTINE, quarantined)):
                if count:
                    self.live[job].add(role)
                    parts[role].append(JobRows(job=job, rows=count))
        adds = {role: [self.file(role, parts[role])] if parts[role] else [] for role in Role}
        gone = list(gone)
        entries = []
        with self.home.database.transaction() as connection:
            for role in Role:
                removed = tuple(sorted(job for job in gone if role in self.live[job]))
                if adds[role] or removed:
                    seq = output_store.next_seq(connection, self.sink.uri, TABLE, role)
                    entry = Entry(
                        table=TABLE, role=role, seq=seq, action=action, contract_version=1, schema_hash=DIGEST,
                        adds=tuple(adds[role]), removed_jobs=removed, jobs=tuple(record(part) for part in parts[role]),
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

    def file(self, role: Role, parts: Sequence[JobRows]) -> AddedFile:
        """A file of rows of several jobs, as a group leaves it."""
        attempt = Attempt(job=parts[0].job, attempt=1)
        staged = self.sink.stage(attempt, TABLE, role, 1, stamped_schema(a_batch().schema))
        for part in parts:
            staged.write(stamped(a_batch(range(part.rows)), part.job))
        [file] = staged.seal(DIGEST, DIGEST).files
        return AddedFile(name=file.name, size=file.size, digest=file.digest, rows=file.rows, jobs=tuple(parts))

    def note(self, snapshot: int) -> None:
        self.shown[snapshot] = self.read()
        self.seqs[snapshot] = {role: self.sink.snapshot(TABLE, role).seq for role in Role}
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

    def plan(self) -> Compaction:
        """What a compaction would do now."""
        with self.home.database.transaction() as connection:
            return plan_compaction(connection, self.sink.uri, TABLE)

    def rewrite(self, compaction: Compaction) -> tuple[OpenRewrite, list[Merged]]:
        """Do all of it but the commit."""
        with self.home.database.transaction() as connection:
            begun = begin(connection, compaction)
        return begun, carry_out(compaction, begun, file_sink(self.sink, TABLE))

    def permit(self, compaction: Compaction, begun: OpenRewrite, merged: Sequence[Merged]) -> bool:
        """Whether it could be committed; the table shows the same as before in any case."""
        self.now_ns += 1
        before = self.read()
        try:
            with self.home.database.transaction() as connection:
                made = permit_compaction(connection, compaction, begun, merged, "a person", self.now_ns)
        except PlanStale:
            made = None
        give_up(self.home.database, lambda _uri: self.sink, begun)
        if made is not None:
            assert roll_forward(self.home.database, lambda _uri: self.sink, self.now_ns).troubles == {}
            self.note(made)
        assert self.read() == before
        return made is not None

    def roles(self, job: int) -> set[Role]:
        row = self.home.database.connection.execute(
            select(tables.materializations).where(tables.materializations.c.job_id == job)
        ).one()
        self.home.database.connection.commit()
        return {role for role, n in ((Role.ACCEPTED, row.accepted), (Role.QUARANTINE, row.quarantined)) if n}

    def read(self, snapshot: int | None = None) -> Rows:
        """Every row that is or was visible, as the job that brought it and its position, from the sink alone."""
        found: Rows = {}
        for role in Role:
            seq = self.sink.snapshot(TABLE, role).seq if snapshot is None else self.seqs[snapshot][role]
            found[role] = []
            if seq:
                table = self.sink.read(TABLE, role, seq).read_all()
                if table.num_columns:
                    pairs = zip(table["_cf_job_id"].to_pylist(), table["_cf_source_row"].to_pylist(), strict=True)
                    found[role] = list(pairs)
        return found

    def current(self) -> set[int]:
        m = tables.materializations.c
        return self._jobs(m.is_current)

    def marked(self) -> set[int]:
        return self._jobs(tables.materializations.c.reverted_in.is_not(None))

    def _jobs(self, which: object) -> set[int]:
        with self.home.database.transaction() as connection:
            return set(connection.execute(select(tables.materializations.c.job_id).where(which)).scalars())
