"""A parser may run by itself, and reads again what its other versions rejected."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection

from casparian_flow.core.proofs import Impact
from casparian_flow.core.proposal_bodies import selection_digest
from casparian_flow.core.replays import ReplayKind
from casparian_flow.sentinel.governance.effects import Change, Effect, Effected
from casparian_flow.sentinel.governance.reading_again import begin_promised
from casparian_flow.sentinel.governance.upgrades import upgrade_of
from casparian_flow.sentinel.planning.replaying import promised
from casparian_flow.store import contracts as contract_store
from casparian_flow.store import parsers as parser_store
from casparian_flow.store.causes import make_ready_of
from casparian_flow.store.governed import activate
from casparian_flow.store.replays import Expected, NewReplay


def _base(connection: Connection, change: Change) -> str:
    """The artifact that was proposed: its content, wherever it lies by now."""
    return str(parser_store.describe(connection, int(change.subject)).artifact_hash)


def _activate(connection: Connection, change: Change) -> Effected:
    parser = int(change.subject)
    activate(connection, parser, change.proposal)
    found = upgrade_of(connection, parser)
    if not found.jobs:
        return Effected(unread=found.gone)
    for table in found.tables:
        make_ready_of(connection, [each.job for each in found.entries], table)
    replay = NewReplay(
        kind=ReplayKind.PARSER,
        causes=sorted({each.cause for each in found.entries}),
        asked_by=change.ground.decided_by,
        reason=change.ground.reason,
        selection_digest=selection_digest(found.entries),
        proposal=change.proposal,
        parser=parser,
    )
    expected = _expected(connection, change.impact)
    nobody_tried: Mapping[str, Expected] | None = {} if _keeps_rows(change.impact) else None
    files = {job: expected.get(job, nobody_tried) for job in found.jobs}
    return begin_promised(connection, replay, files, change.ground.now_ns)


def _expected(connection: Connection, impact: Impact | None) -> dict[int, Mapping[str, Expected] | None]:
    """What its backtest said of files, by job; nothing of those that a contract of now would judge otherwise."""
    promises = impact.replays if impact else ()
    in_force = contract_store.in_force(connection)
    hashes = {table: contract.hash for table, contract in in_force.items()}
    moved = {each.job for each in promises if hashes.get(each.table, "") != each.contract}
    return promised("", (each for each in promises if each.job not in moved))


def _keeps_rows(impact: Impact | None) -> bool:
    """Whether nobody who decided has seen that accepted rows get lost: then that stops the replay."""
    return impact is None or not impact.newly_failing


ACTIVATED = Effect(_base, _activate)
