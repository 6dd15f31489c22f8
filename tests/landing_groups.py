"""Jobs whose guests are made up: what they say is written down, and what lands is read back from a real sink."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

from casparian_flow.core.contracts import Contract
from casparian_flow.core.errors import CasparianError
from casparian_flow.core.hashing import digest_of
from casparian_flow.core.outputs import PermittedEntry, Role, SealedOutput, SinkTarget
from casparian_flow.core.receipts import Receipt
from casparian_flow.core.routes import Routes
from casparian_flow.protocol.bodies import Cast, CastJob, Parse, Permit, Sealed, Surveyed
from casparian_flow.protocol.messages import JobOrder, ParserOrder
from casparian_flow.sentinel.commit.first_contact import found_tables
from casparian_flow.sentinel.commit.in_force import InForce
from casparian_flow.sinks.log import AddedFile, Entry, EntryAction, JobRecord, JobRows, entry_bytes
from casparian_flow.sinks.uri import open_sink
from casparian_flow.worker import execute, together
from casparian_flow.worker.actions import Fenced, Held
from casparian_flow.worker.events import Began, Ended, Event
from casparian_flow.worker.turns import Turns
from guest_orders import a_parser_order


@dataclass(slots=True)
class MadeUp:
    """One job: the content of its file, and what its guest says between BEGIN and END."""

    content: bytes
    events: Callable[[int], Sequence[Event]]
    rows: int
    changes: bool = False
    """Whether somebody writes to the file while it is read."""


@dataclass(slots=True)
class Outcome:
    """What became of one job: its receipt, its rows by table and role, or why it failed."""

    receipt: Receipt | None = None
    rows: dict[tuple[str, str], list[dict[str, Any]]] = field(default_factory=dict)
    error: str = ""
    is_tried_again: bool = False


class Landed:
    """A link that permits everything at once and keeps what it hears."""

    def __init__(self, target: str, answer: Callable[[Sequence[JobOrder]], Fenced | None] = lambda jobs: None) -> None:
        self.target = target
        self.sealed: list[Sealed] = []
        self.surveys: list[tuple[Sequence[JobOrder], Surveyed]] = []
        self.outcomes: dict[int, Outcome] = defaultdict(Outcome)
        self.over: list[int] = []
        self.stops: list[int] = []
        self._answer = answer
        self._seqs: dict[tuple[str, Role], int] = defaultdict(int)

    def started(self, job: JobOrder) -> None:
        """Nothing to keep."""

    def progressed(self, job: JobOrder, rows: int, position: int) -> None:
        """Nothing to keep."""

    def printed(self, job: JobOrder, lines: Sequence[object]) -> None:
        """Nothing to keep."""

    def failed(self, job: JobOrder, error: CasparianError) -> None:
        self.over.append(job.job)
        self.outcomes[job.job].error = f"{error.code}: {error.message}"
        self.outcomes[job.job].is_tried_again = error.transient

    def surveyed(self, jobs: Sequence[JobOrder], outcome: Surveyed) -> bool:
        self.over += [job.job for job in jobs]
        assert [each.job for each in outcome.jobs] == [job.job for job in jobs]
        self.surveys.append((jobs, outcome))
        return True

    def ask(self, jobs: Sequence[JobOrder], outcome: Sealed) -> Permit | Held | Fenced:
        self.over += [job.job for job in jobs]
        assert [each.job for each in outcome.jobs] == [job.job for job in jobs]
        if (refusal := self._answer(jobs)) is not None:
            return refusal
        self.sealed.append(outcome)
        for each in outcome.jobs:
            self.outcomes[each.job].receipt = each.receipt
        return Permit(entries=self._entries(outcome))

    def concluded(self, jobs: Sequence[JobOrder]) -> None:
        """Nothing to keep."""

    def stopped(self, job: JobOrder) -> None:
        self.over.append(job.job)
        self.stops.append(job.job)

    def _entries(self, outcome: Sealed) -> list[PermittedEntry]:
        by_log: dict[tuple[str, Role], list[tuple[int, SealedOutput]]] = defaultdict(list)
        for each in outcome.jobs:
            for output in each.receipt.outputs:
                by_log[output.table, Role(output.role)].append((each.job, output))
        return [self._entry(table, role, outputs) for (table, role), outputs in by_log.items()]

    def _entry(self, table: str, role: Role, outputs: Sequence[tuple[int, SealedOutput]]) -> PermittedEntry:
        self._seqs[table, role] += 1
        files: dict[str, AddedFile] = {}
        for job, output in outputs:
            for file in output.files:
                known = files.get(
                    file.name, AddedFile(name=file.name, size=file.size, digest=file.digest, rows=0, jobs=())
                )
                assert (known.size, known.digest) == (file.size, file.digest)
                files[file.name] = replace(
                    known, rows=known.rows + file.rows, jobs=(*known.jobs, JobRows(job=job, rows=file.rows))
                )
        records = [
            JobRecord(
                job=job,
                attempt=1,
                materialization_key=output.row_digest,
                row_digest=output.row_digest,
                emitted=output.rows,
                accepted=output.rows,
                quarantined=0,
            )
            for job, output in outputs
        ]
        entry = Entry(
            table=table,
            role=role,
            seq=self._seqs[table, role],
            action=EntryAction.APPEND,
            contract_version=outputs[0][1].contract_version,
            schema_hash=outputs[0][1].schema_hash,
            adds=tuple(files.values()),
            jobs=tuple(records),
        )
        return PermittedEntry(sink=self.target, table=table, role=role, seq=entry.seq, body=entry_bytes(entry))


def a_parser(tables: str = "topic", declared: Sequence[str] = ()) -> ParserOrder:
    order = a_parser_order(Path("/nowhere/made_up"))
    return ParserOrder(
        **{name: getattr(order, name) for name in order.__struct_fields__}
        | {"tables": tables, "declared": list(declared)}
    )


def land_all(
    folder: Path,
    jobs: Mapping[int, MadeUp],
    orders: Sequence[Sequence[int]],
    *,
    scheme: str = "parquet",
    contracts: Mapping[str, Contract] | None = None,
    parser: ParserOrder | None = None,
    most: int = together.MOST_JOBS,
    turns: Turns | None = None,
    answer: Callable[[Sequence[JobOrder]], Fenced | None] = lambda jobs: None,
) -> Landed:
    """Read jobs order by order, found the tables that are missing, cast, promote, read everything back."""
    known = dict(contracts or {})
    target = f"{scheme}://{folder / 'out'}" + ("/rows.db" if scheme in ("duckdb", "sqlite") else "")
    (folder / "out").mkdir(parents=True)
    (folder / "files").mkdir()
    parser = parser or a_parser()
    routes = Routes(default=(SinkTarget(target),))
    tools = execute.Tools(open_sink=cache(open_sink), scratch=folder / "scratch")
    tools.scratch.mkdir()
    link = Landed(target, answer)
    written = {job: _write(folder / "files" / f"{job}.txt", job, made) for job, made in jobs.items()}
    patient = patch.multiple(together, MOST_JOBS=most, MOST_SECONDS=1e9, PAUSE_SECONDS=1e9)
    with _guests(jobs, written), patient:
        for order in orders:
            parse = Parse(parser=parser, jobs=[written[job] for job in order], contracts=known, routes=routes)
            execute.parse_group(parse, link, tools, turns or Turns())
    surveys = {each.job: each.outputs for _, outcome in link.surveys for each in outcome.jobs}
    founded = found_tables(dict(sorted(surveys.items())), InForce(known.values()))
    known |= {contract.table: contract for contract in founded.contracts}
    for group, _ in link.surveys:
        casts = [
            CastJob(job=job, tables={each.output: founded.tables[job.job, each.output] for each in surveys[job.job]})
            for job in group
        ]
        execute.cast_group(Cast(parser=parser, jobs=casts, contracts=known, routes=routes), link, tools, Turns())
    assert not list(tools.scratch.iterdir())
    _read_back(tools.open_sink(target), link)
    return link


def _read_back(sink: Any, link: Landed) -> None:
    for role in Role:
        for table in sink.tables(role):
            for row in sink.read(table, role).read_all().to_pylist():
                mine = link.outcomes[row["_cf_job_id"]].rows
                mine.setdefault((table, str(role)), []).append(row)


def _write(path: Path, job: int, made: MadeUp) -> JobOrder:
    path.write_bytes(made.content)
    stat = path.stat()
    return JobOrder(
        job=job,
        attempt=1,
        path=os.fsencode(path),
        size=stat.st_size,
        mtime_ns=stat.st_mtime_ns,
        source_hash=digest_of(made.content),
        file_version=1000 + job,
        base_table="files",
        processed_at_ns=1_700_000_000_000_000_000 + job,
    )


@contextmanager
def _guests(jobs: Mapping[int, MadeUp], written: Mapping[int, JobOrder]) -> Generator[None]:
    """What is said instead of starting guests."""

    def parse(
        _parser: object, orders: Sequence[JobOrder], _limits: object, stop: Any, may_begin: Any, *_: object
    ) -> Generator[Event]:
        for at, order in enumerate(orders):
            made = jobs[order.job]
            yield Began(order.job)
            for event in made.events(order.job):
                if stop.is_cancelled:
                    return
                yield event
            if made.changes:
                with Path(os.fsdecode(order.path)).open("ab") as file:
                    file.write(b"more")
            following = orders[at + 1].job if at + 1 < len(orders) else None
            goes_on = may_begin(following)
            yield Ended(order.job, {"": made.rows}, 0)
            if not goes_on:
                return

    with patch.object(execute, "parse", parse):
        yield
