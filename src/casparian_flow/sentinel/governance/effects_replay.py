"""Rejected rows are read again with what somebody approved."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection

from casparian_flow.core.hashing import digest_of_json
from casparian_flow.core.proposal_bodies import Selection, selection_digest
from casparian_flow.core.replays import ReplayKind
from casparian_flow.sentinel.governance.effects import Change, Effect, Effected
from casparian_flow.sentinel.governance.reading_again import begin_promised
from casparian_flow.sentinel.planning.replaying import promised
from casparian_flow.store import contracts as contract_store
from casparian_flow.store import parsers as parser_store
from casparian_flow.store import repairs as repair_store
from casparian_flow.store import replays as replay_store
from casparian_flow.store.replays import NewReplay


def base_of(connection: Connection, body: Selection) -> str:
    """The rows that are to be read again, as far as they still wait, and everything by which they come out as tried.

    No row waits once no path carries any of their bytes.
    """
    jobs = {each.job for each in body.entries}
    waiting = replay_store.waiting(connection, jobs) if replay_store.carriers(connection, jobs) else ()
    still = [each for each in body.entries if (each.job, each.cause) in waiting]
    made_by = None if body.parser is None else _made_by(connection, body.parser, jobs)
    return digest_of_json(["replay", selection_digest(still, body.sources), made_by])


def _base(connection: Connection, change: Change) -> str:
    assert isinstance(change.body, Selection)
    return base_of(connection, change.body)


def _made_by(connection: Connection, parser: int, jobs: Collection[int]) -> dict[str, object]:
    """The artifact that reads, the contracts of all tables that the jobs brought rows to, and the repairs that hold."""
    reader = parser_store.describe(connection, parser)
    tables = {table for brought in replay_store.brought(connection, jobs).values() for table in brought}
    hashes = {job.source_hash for job in replay_store.old_jobs(connection, jobs).values()}
    repairs, _ = repair_store.of_files(connection, reader.name, sorted(hashes))
    return {
        "artifact": [reader.artifact_hash, reader.env_hash, reader.status],
        "newest": replay_store.newest_active(connection).get(reader.name),
        "contracts": {
            table: contract.hash for table, contract in contract_store.in_force(connection).items() if table in tables
        },
        "repairs": {source_hash: repair_store.digest_of_repairs(each) for source_hash, each in repairs.items()},
    }


def _replay(connection: Connection, change: Change) -> Effected:
    """The first files are queued. What was tried has to come out as it did then, nothing else may lose a row."""
    body = change.body
    assert isinstance(body, Selection)
    tried = promised(change.table or "", change.impact.replays if change.impact else ())
    files = {job: tried.get(job, {}) for job in dict.fromkeys(each.job for each in body.entries)}
    kind = ReplayKind.REPAIR if body.repairs else ReplayKind.OPTION if body.options else ReplayKind.MANUAL
    replay = NewReplay(
        kind=kind,
        causes=sorted({each.cause for each in body.entries}),
        asked_by=change.ground.decided_by,
        reason=change.ground.reason or change.wish,
        selection_digest=change.base_digest,
        proposal=change.proposal,
        options=body.options or None,
        parser=body.parser,
    )
    return begin_promised(connection, replay, files, change.ground.now_ns)


REPLAYED = Effect(_base, _replay)
