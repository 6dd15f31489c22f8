"""Which files that were held for their rejected rows would be judged otherwise now, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec
from sqlalchemy import Connection

from casparian_flow.core.contracts import Contract
from casparian_flow.core.errors import QuarantineFull
from casparian_flow.core.holds import Hold, judging_hashes, tolerances_digest
from casparian_flow.sentinel.commit.tolerance import Brought, judge_counts, least_sample
from casparian_flow.store import holds, rejected


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How much may be rejected: which share of a file, where its tables do not say, and bytes in all, if not 0."""

    share: float = 1.0
    quarantine_bytes: int = 0


def lifted(connection: Connection, contracts: Mapping[str, Contract], bounds: Bounds) -> dict[int, str]:
    """The jobs whose hold ended, with the reason.

    A file is judged by what was counted of it then. It is not read again under the very tolerances that held it, even
    if it would pass alone: what else a run brings may count. For the room that is left the oldest come first.
    """
    rows = holds.held(connection)
    room = bounds.quarantine_bytes - rejected.bytes_held(connection) if rows and bounds.quarantine_bytes else None
    found: dict[int, str] = {}
    for row in rows:
        hold = msgspec.json.decode(row.hold, type=Hold)
        why = _why(hold, row.error_code, contracts, bounds)
        more = hold.bytes - row.own_bytes
        if why is None or (room is not None and more > room):
            continue
        found[row.id] = why
        if room is not None:
            room -= more
    return found


def _why(hold: Hold, code: str, contracts: Mapping[str, Contract], bounds: Bounds) -> str | None:
    now = judging_hashes(hold.counts, contracts)
    if changed := sorted(table for table, known in hold.contracts.items() if now.get(table) != known):
        return f"the contract of {changed[0]} changed since it was held"
    is_same = tolerances_digest(hold.counts, contracts, bounds.share) == hold.tolerances
    if code == QuarantineFull.code and is_same:
        return "there is room in the quarantine for its rejected rows"
    if is_same or judge_counts(hold.counts, Brought(), contracts, bounds.share) is not None:
        return None
    why = f"{hold.quarantined:,} of its {hold.emitted:,} rows were rejected, which is tolerated now"
    if (sample := least_sample(hold.counts, contracts)) is not None:
        why += f": they are fewer than the {sample:,} from which on the ratio counts"
    return why
