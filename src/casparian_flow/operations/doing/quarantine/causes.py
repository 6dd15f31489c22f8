"""How what `operations.quarantine.causes` names is done."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, RowMapping

from casparian_flow.core.contracts import Contract
from casparian_flow.core.drift import Axis
from casparian_flow.core.errors import Erased, NotFound, UsageError
from casparian_flow.core.proofs import cause_signature, new_output_signature
from casparian_flow.core.proposals import Kind, label
from casparian_flow.core.quarantine import OPEN_STATES, TRIAGE, Code, EntryState
from casparian_flow.core.times import rfc3339
from casparian_flow.operations.context import Reading
from casparian_flow.operations.doing.quarantine.fixes import Cause, suggested
from casparian_flow.operations.quarantine.causes import GroupEntry, GroupList, ListGroups, Triaged, TriageGroup
from casparian_flow.operations.writing import Writing
from casparian_flow.store import causes as cause_store
from casparian_flow.store import contracts as contract_store
from casparian_flow.store import parsers as parser_store
from casparian_flow.store import proposals as proposal_store
from casparian_flow.store import standing as standing_store
from casparian_flow.store.views import quarantine as view

DAY_NS = 86_400_000_000_000
LONGEST = 1000
"""Of what a person writes down about a cause."""


def list_(reading: Reading, request: ListGroups) -> GroupList:
    """The causes that keep rows in quarantine now."""
    found = view.list_groups(
        reading.connection,
        table=request.table,
        code=request.code,
        states=OPEN_STATES if request.state is None else (request.state,),
        owner=request.owner,
    )
    groups = _entries(reading.connection, found, reading.now_ns)
    return GroupList(
        groups=groups,
        rows=sum(group.rows for group in groups),
        next=[f"casparian quarantine show {group.group}" for group in groups[:1] if group.purge is None],
    )


def triage(acting: Writing, request: TriageGroup) -> Triaged:
    """Keep who looks after a cause and what they found; entries that wait for no fix are triaged then, or open again.

    Raises NotFound, or UsageError for a state that only an approved change may give.
    """
    if request.state not in TRIAGE:
        raise UsageError(f"nobody sets an entry to {request.state} by hand", why="a person says open or triaged")
    for text in (request.owner, request.note):
        if text is not None and len(text) > LONGEST:
            raise UsageError(f"an owner or a note has at most {LONGEST} characters")
    now_ns = acting.clock()
    with acting.database.transaction() as connection:
        group = find_group(connection, request.group, now_ns)
        known = cause_store.cause(connection, group.group)
        if known is None:
            raise NotFound(f"nothing is kept about the cause {group.group}", fix="casparian quarantine list")
        owner = known.owner if request.owner is None else request.owner or None
        note = known.note if request.note is None else request.note or None
        cause_store.change(connection, group.group, owner, note, now_ns)
        seen = [state for state in TRIAGE if state is not request.state]
        moved = cause_store.move(connection, group.group, group.table, request.state, seen)
        return Triaged(group=find_group(connection, group.group, now_ns), moved=moved)


def find_group(
    connection: Connection, named: str, now_ns: int, states: Collection[EntryState] = OPEN_STATES
) -> GroupEntry:
    """The group of that reference with entries in one of these states, or the one that begins so.

    Raises NotFound, UsageError if there are several, or Erased if all that it had was erased for good.
    """
    found = _named(connection, named, now_ns, states)
    if not found:
        refuse_purged(connection, named, now_ns)
        raise NotFound(f"there is no quarantine group {named!r}", fix="casparian quarantine list")
    if len(found) > 1:
        raise UsageError(f"{named!r} names {len(found)} groups", why=", ".join(group.group for group in found[:5]))
    return found[0]


def refuse_purged(connection: Connection, named: str, now_ns: int) -> None:
    """Raises Erased if the group of that name has no rows because they were erased for good."""
    purged = _named(connection, named, now_ns, (EntryState.PURGED,))
    if len(purged) == 1 and (purge := purged[0].purge) is not None:
        raise Erased(
            f"the {purged[0].rows:,} rejected rows of {purged[0].group} were {purged[0].message}",
            why="nothing of them is kept; `casparian run FILE --force` reads their file again, if it is there",
            fix=f"casparian approval show {purge}",
        )


def _named(connection: Connection, named: str, now_ns: int, states: Collection[EntryState]) -> list[GroupEntry]:
    rows = view.list_groups(connection, states=states) if named else []
    return _entries(connection, [row for row in rows if row["group"].startswith(named)], now_ns)


def _entries(connection: Connection, found: Sequence[RowMapping], now_ns: int) -> list[GroupEntry]:
    read_by = {row["parser_id"]: parser_store.describe(connection, row["parser_id"]) for row in found}
    contracts = contract_store.in_force(connection)
    options = {number: json.loads(parser.manifest).get("options", {}) for number, parser in read_by.items()}
    return [
        _entry(
            row,
            read_by[row["parser_id"]].name,
            options[row["parser_id"]],
            _nulls(connection, row) if "null" in options[row["parser_id"]] else (),
            _proposal_for(connection, row, contracts.get(row["table"])),
            _purge_of(connection, row),
            now_ns,
        )
        for row in found
    ]


def _purge_of(connection: Connection, row: RowMapping) -> _Purge | None:
    """By what all the rows of a group were erased, if they were."""
    if row["purged_by"] is None or row["states"] != EntryState.PURGED:
        return None
    purge = proposal_store.one(connection, row["purged_by"])
    return _Purge(label(Kind.PURGE, purge.id), rfc3339(purge.applied_at_ns)[:10])


class _Purge(NamedTuple):
    name: str
    day: str


def _nulls(connection: Connection, row: RowMapping) -> tuple[str, ...]:
    """The words that mean null wherever rows of a cause are read, under what stands by now."""
    if not row["code"].startswith(Code.CAST):
        return ()
    words: dict[str, None] = {}
    for job in view.read_with(connection, row["table"], row["group"]):
        standing = standing_store.standing_of(connection, job.parser, job.base_table)
        given = json.loads(job.config) | standing
        words |= dict.fromkeys(word for word in given.get("null", "").split(",") if word)
    return tuple(words)


def _entry(
    row: RowMapping,
    parser: str,
    options: Collection[str],
    nulls: tuple[str, ...],
    proposal: str | None,
    purge: _Purge | None,
    now_ns: int,
) -> GroupEntry:
    states = row["states"].split(",")
    state = next(each for each in EntryState if each in states)
    cause = Cause(
        reference=row["group"],
        parser=parser,
        table=row["table"],
        code=row["code"],
        column=row["column"],
        sample=row["sample"],
        rows=row["rows"],
        state=state,
        nulls=nulls,
    )
    fix = None if purge is not None else suggested(cause, options)
    return GroupEntry(
        group=row["group"],
        table=row["table"],
        code=row["code"],
        column=row["column"],
        shape=row["shape"],
        rows=row["rows"],
        files=row["files"],
        message=row["message"] if purge is None else f"erased by {purge.name} on {purge.day}",
        sample=row["sample"],
        job=str(row["job"]),
        parser=parser,
        state=state,
        owner=row["owner"],
        note=row["note"],
        first_seen=rfc3339(row["first_seen_ns"]),
        last_seen=rfc3339(row["last_seen_ns"]),
        age_days=max(0, now_ns - row["first_seen_ns"]) // DAY_NS,
        fix=fix.short if fix is not None else _decided_by(proposal) if purge is None else None,
        proposal=proposal,
        purge=None if purge is None else purge.name,
    )


def _decided_by(proposal: str | None) -> str | None:
    """Where a person decides on the change under which rows would fit, if there is one."""
    return None if proposal is None else f"casparian approval show {proposal}"


def _proposal_for(connection: Connection, row: RowMapping, contract: Contract | None) -> str | None:
    """The proposed change of the contract under which the rows would fit, by the cause for which it was drafted."""
    code, name = row["code"], row["column"]
    column = next((each for each in contract.columns if each.name == name), None) if contract is not None else None
    if code == Code.OUTPUT_UNDECLARED:
        signature = new_output_signature(row["table"])
    elif column is None:
        return None
    elif code == Code.NULL:
        signature = cause_signature(row["table"], Axis.NULLABILITY, name)
    elif code == Code.MISSING_COLUMN:
        signature = cause_signature(row["table"], Axis.MISSING_COLUMN, name)
    elif code.startswith(f"{Code.CAST}."):
        signature = cause_signature(row["table"], Axis.TYPE, name, column.type)
    else:
        return None
    living = proposal_store.living(connection, signature)
    return None if living is None else label(Kind(living.kind), living.id)
