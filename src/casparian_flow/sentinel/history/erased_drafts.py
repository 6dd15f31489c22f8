"""Changes of contracts for which erased rows spoke: what others say for them stands, and without it they end."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator

import msgspec
from sqlalchemy import Connection

from casparian_flow.core.amendments import Op
from casparian_flow.core.contracts import Contract
from casparian_flow.core.drift import Axis
from casparian_flow.core.proposal_bodies import body_of
from casparian_flow.core.proposals import Kind, Origin, State
from casparian_flow.core.quarantine import Code
from casparian_flow.core.receipts import Receipt
from casparian_flow.schema.survey import Survey
from casparian_flow.schema.wanted import cause_of
from casparian_flow.sentinel.governance.affected import operations_of
from casparian_flow.sentinel.governance.drafting import LARGEST_SURVEY, MOST_RECEIPTS, rewrite_draft
from casparian_flow.store import contracts as contract_store
from casparian_flow.store import proposals as proposal_store
from casparian_flow.store.engine import AnyRow
from casparian_flow.store.evidence import count_evidence, is_left, lower_evidence, receipts_left
from casparian_flow.store.scrubbing_rejects import Erasure, drafts_behind, purged_of
from casparian_flow.store.views import affected as view


def part_with(connection: Connection, erasure: Erasure, now_ns: int) -> list[int]:
    """Take what the erased rows say out of the changes they speak for; those that live on, undecided.

    One for which nothing else speaks is void, one that was proposed with them is drafted anew. To be done before the
    words about the rows go, in the same transaction; done again it changes nothing more.
    """
    in_force = contract_store.in_force(connection)
    kept = []
    for row in drafts_behind(connection, erasure):
        contract = in_force.get(row.table_name)
        _lower(connection, erasure, row, contract)
        proposal_store.touch(connection, row.touched_by_plan, {row.id: None})  # what the values looked like
        if contract is None or not is_left(connection, row.id):
            proposal_store.move(connection, row.id, State.VOID, now_ns, why=erasure.why)
            continue
        count_evidence(connection, row.id)
        kept.append(row.id if row.state == State.DRAFT else _anew(connection, row, erasure.why, now_ns))
    return kept


def settle(connection: Connection, drafts: Collection[int]) -> None:
    """Let them ask for what the values call for that are still there; to be done once those of erased rows are gone.

    Where no file is left that says what its values look like, they ask for what they asked for.
    """
    in_force = contract_store.in_force(connection)
    for number in drafts:
        row = proposal_store.one(connection, number)
        contract = in_force.get(row.table_name)
        survey = _survey(connection, row)
        proposal_store.touch(connection, row.touched_by_plan, {number: survey})
        if contract is not None and survey is not None and row.origin == Origin.SYSTEM:
            rewrite_draft(connection, proposal_store.one(connection, number), contract)


def _lower(connection: Connection, erasure: Erasure, row: AnyRow, contract: Contract | None) -> None:
    """What each file says less the erased rows; counted from what it said, so that nothing is taken out twice."""
    operations = operations_of(row.body)
    gone: dict[int, int] = defaultdict(int)
    for group in purged_of(connection, erasure, row.table_name):
        if any(_is_of(operation, contract, group.code, group.column_name) for operation in operations):
            gone[group.job_id] += group.rows
    said: dict[int, int] = defaultdict(int)
    for axis, column, rule in {each for operation in operations for each in _causes(operation)}:
        for note in view.said(connection, row.table_name, axis):
            if (note.detail if rule else note.column_name) == (rule or column):
                said[note.job_id] += note.rows
    left = {job: said[job] - rows for job, rows in gone.items()}
    lower_evidence(connection, row.id, left | dict.fromkeys(erasure.earlier, 0))


def _causes(operation: Op) -> Iterator[tuple[Axis, str, str]]:
    cause = cause_of(operation)
    if cause is None:
        return
    yield cause
    if cause[0] is Axis.NULLABILITY:  # the same change lets files in that lack the column
        yield Axis.MISSING_COLUMN, *cause[1:]


def _is_of(operation: Op, contract: Contract | None, code: str, column: str) -> bool:
    """Whether rows of such a group ask for the operation."""
    cause = cause_of(operation)
    if cause is None:
        return False
    axis, name, rule = cause
    if axis is Axis.RULE:
        rules = () if contract is None else contract.rules
        return any(each.name == rule and each.code == code and column == ", ".join(each.columns) for each in rules)
    codes = {Axis.NULLABILITY: (Code.NULL, Code.MISSING_COLUMN), Axis.NEW_COLUMN: (Code.NEW_COLUMN,)}
    is_such = code.startswith(f"{Code.CAST}.") if axis is Axis.TYPE else code in codes.get(axis, ())
    return is_such and column == name


def _anew(connection: Connection, row: AnyRow, why: str, now_ns: int) -> int:
    """What is proposed quotes the rows under a digest: it is void, and a draft without them takes its place."""
    heir = proposal_store.Draft(
        kind=Kind(row.kind),
        signature=row.signature,
        table=row.table_name,
        base_digest=row.base_digest,
        body=body_of(row.body),
        origin=Origin(row.origin),
        proposed_by=row.proposed_by,
        subject=row.subject,
        reason=row.reason,
        plan=row.touched_by_plan,
    )
    return proposal_store.replace_void(connection, row.id, heir, why, now_ns)


def _survey(connection: Connection, row: AnyRow) -> bytes | None:
    """What the values look like of which it is still known."""
    causes = {each[:2] for operation in operations_of(row.body) for each in _causes(operation)}
    receipts = receipts_left(connection, row.id, MOST_RECEIPTS + 1)
    if not causes or len(receipts) > MOST_RECEIPTS:
        return None
    found = [
        Survey.from_bytes(note.survey)
        for text in receipts
        for note in msgspec.json.decode(text, type=Receipt).drift
        if note.survey and note.table == row.table_name and (Axis(note.axis), note.column) in causes
    ]
    merged = Survey.merged(found).to_bytes() if found else None
    return merged if merged is None or len(merged) <= LARGEST_SURVEY else None
