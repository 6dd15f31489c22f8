"""Tries a replay: its files are read as they would be and compared with what is there, and nothing is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from casparian_flow.core.contract_checks import follows_from_file
from casparian_flow.core.errors import CasparianError
from casparian_flow.core.keys import config_hash
from casparian_flow.core.routes import Routes, routes_of
from casparian_flow.lab.comparing import Comparing, FileDifference, FileRows
from casparian_flow.lab.rehearsal import Rehearsed, Retained, rehearse
from casparian_flow.lab.rehearsals import rows_of
from casparian_flow.operations.context import Acting
from casparian_flow.operations.doing.rehearsal.committed_keys import committed_keys
from casparian_flow.operations.doing.rehearsal.replay_selection import File, Found
from casparian_flow.operations.doing.rehearsal.rows_there import rows_there
from casparian_flow.protocol.messages import Carries, Limits
from casparian_flow.sentinel.home_key import home_key
from casparian_flow.sentinel.planning.registered import parser_order
from casparian_flow.sentinel.planning.replaying import table_asked_for
from casparian_flow.sentinel.queue.carrying import Reading, carries_of
from casparian_flow.sentinel.queue.dispatch import relevant_contracts
from casparian_flow.sinks.base import Sink
from casparian_flow.store import contracts as contract_store
from casparian_flow.store import equivalences
from casparian_flow.store import repairs as repair_store
from casparian_flow.store import replays as replay_store
from casparian_flow.store.engine import AnyRow
from casparian_flow.store.replays import Expected
from casparian_flow.store.views.file_places import places_of
from casparian_flow.worker.zygotes import Zygotes


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """One file as it would come out. `error` says why it would not; `expected` what it brings to each table.

    Nothing is expected of a file whose rows follow from more than its bytes: then none may get lost.
    """

    file: File
    version: int
    difference: FileDifference = field(default_factory=FileDifference)
    bytes_read: int = 0
    rows: int = 0
    quarantined: int = 0
    codes: frozenset[str] = frozenset()
    expected: Mapping[str, Expected] = field(default_factory=dict)
    error: CasparianError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What comes of the files that were tried, added up. `failing` are rows in quarantine then, whatever for."""

    rows: int
    released: int
    failing: int
    lost: int
    changed: int
    codes: frozenset[str]


def outlook_of(tried: Iterable[Tried]) -> Outlook:
    """The sums over these files."""
    every = list(tried)
    return Outlook(
        rows=sum(each.rows for each in every),
        released=sum(each.difference.released for each in every),
        failing=sum(each.quarantined for each in every),
        lost=sum(each.difference.lost for each in every),
        changed=sum(each.difference.changed for each in every),
        codes=frozenset().union(*(each.codes for each in every)),
    )


def within(files: Sequence[File], most_bytes: int) -> Sequence[File]:
    """As many of the first files as have so many bytes together, and one in any case."""
    left = most_bytes
    for at, file in enumerate(files):
        left -= file.size
        if left < 0:
            return files[: max(at, 1)]
    return files


def try_files(acting: Acting, found: Found, files: Sequence[File]) -> Iterator[Tried]:
    """Read these files of a replay, one after the other; no sink and no table of the home is written to."""
    jobs = [file.job for file in files]
    with acting.database.transaction() as connection:
        carriers = replay_store.carriers(connection, jobs)
        older = replay_store.old_jobs(connection, jobs)
        places = places_of(connection, [row.version for row in carriers.values()])
        contracts = contract_store.in_force(connection)
        name, hashes = found.parser.artifact.name, [file.source_hash for file in files]
        repairs, _ = repair_store.of_files(connection, name, hashes)
        there: dict[int, list[AnyRow]] = {job: [] for job in jobs}
        for row in equivalences.shown(connection, jobs):
            there[row.job_id].append(row)
        modes = acting.settings.drift.modes
        carries = {
            file.job: carries_of(
                connection,
                _reading(file, older[file.job]),
                found.parser,
                routes_of(older[file.job].routes),
                relevant_contracts(found.parser, [file.base_table], contracts),
                modes,
            )
            for file in files
        }
    key = home_key(acting.home, acting.database).needed_by(contracts.values())
    acting.home.staging.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="trial-", dir=acting.home.staging, ignore_cleanup_errors=True) as folder:
        scratch = Path(folder)
        with acting.database.transaction() as connection:
            keys_of = committed_keys(acting, connection, contracts, scratch)
        with closing(Zygotes(scratch)) as zygotes, Comparing(scratch) as comparing:
            for file in files:
                version = carriers[file.job].version
                place = places[version]
                retained = Retained(
                    path=place.root.rstrip(b"/") + b"/" + place.rel_path,
                    size=place.size,
                    mtime_ns=place.mtime_ns,
                    source_hash=file.source_hash,
                    base_table=file.base_table,
                    version=version,
                )
                tried = Tried(file=file, version=version)
                read = partial(
                    rehearse,
                    parser_order(found.parser, dict(file.options)),
                    retained,
                    relevant_contracts(found.parser, [file.base_table], contracts),
                    modes,
                    repairs.get(file.source_hash, ()),
                    scratch,
                    limits=Limits(
                        job_seconds=acting.settings.run.job_seconds,
                        memory_bytes=acting.settings.run.memory_mb << 20,
                    ),
                    zygotes=zygotes,
                    pseudonym_key=key,
                    keys_of=keys_of,
                    supersedes=[file.job],
                    committed=partial(_first_sink, acting, routes_of(older[file.job].routes)),
                )
                try:
                    came = _as_a_job_would(read, carries[file.job])
                except CasparianError as exc:
                    yield Tried(file=file, version=version, error=exc)
                    continue
                before = rows_there(acting, there[file.job])
                yield _tried(tried, came, _only_more(before, came) or comparing.compare(before, rows_of(came)))


def _as_a_job_would(read: Callable[..., Rehearsed], carries: Carries | None) -> Rehearsed:
    """A reading that takes rows over if that comes to anything, else one of the whole file."""
    if carries is not None:
        with suppress(CasparianError):
            return read(carries=carries)
    return read()


def _reading(file: File, older: AnyRow) -> Reading:
    return Reading(
        older=file.job,
        source_hash=file.source_hash,
        size=file.size,
        config_hash=config_hash(dict(file.options), table_asked_for(older)),
        base_table=file.base_table,
    )


def _first_sink(acting: Acting, routes: Routes, table: str) -> Sink:
    return acting.open_sink(routes.targets_of(table)[0].uri)


def _only_more(before: FileRows, came: Rehearsed) -> FileDifference | None:
    """The difference where every accepted row was taken over: what is more was rejected before; None elsewhere."""
    accepted = sum(each.accepted for each in before.values())
    if came.receipt.carries is None or came.receipt.carried != accepted:
        return None
    more = came.receipt.accepted - accepted
    digests = {table: (each.digest, came.digests.get(table, "")) for table, each in before.items()}
    return FileDifference(gained=more, released=more, digests=digests)


def _tried(tried: Tried, came: Rehearsed, difference: FileDifference) -> Tried:
    counts = {each.table: each for each in came.receipt.counts}
    follows = all(follows_from_file(came.contracts[table]) for table in counts if table in came.contracts)
    expected = {
        table: Expected(each.accepted, each.quarantined, came.digests.get(table))
        for table, each in counts.items()
        if follows
    }
    return Tried(
        file=tried.file,
        version=tried.version,
        difference=difference,
        bytes_read=came.receipt.bytes_read,
        rows=sum(each.emitted for each in counts.values()),
        quarantined=sum(each.quarantined for each in counts.values()),
        codes=frozenset(group.code for group in came.receipt.groups),
        expected=expected,
    )
