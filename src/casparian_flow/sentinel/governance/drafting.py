"""Drift drafts changes: one living draft for each contract and cause, whatever the order of files and jobs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import msgspec
from sqlalchemy import Connection

from casparian_flow.core.amendments import Op
from casparian_flow.core.contracts import Contract
from casparian_flow.core.drift import BUILT_IN, DRAFTING, Axis, Modes
from casparian_flow.core.errors import CasparianError
from casparian_flow.core.proofs import Evidence, cause_signature, merged_samples
from casparian_flow.core.proposal_bodies import Amendment, body_of
from casparian_flow.core.proposals import SYSTEM, Kind, Origin, State
from casparian_flow.core.receipts import DriftNote, Receipt
from casparian_flow.schema.compatibility import risk_of, verdicts
from casparian_flow.schema.survey import Survey
from casparian_flow.schema.wanted import cause_of, change_wanted, is_refused_by
from casparian_flow.sentinel.governance import new_outputs
from casparian_flow.sentinel.governance.affected import operations_of
from casparian_flow.store import contracts as contract_store
from casparian_flow.store import proposals as proposal_store
from casparian_flow.store import replays as replay_store
from casparian_flow.store import runs as run_store
from casparian_flow.store.engine import AnyRow
from casparian_flow.store.evidence import (
    count_evidence,
    drop_gone,
    is_left,
    note_evidence,
    receipts_left,
    signed_evidence,
)
from casparian_flow.store.facts import Facts

MOST_DRAFTS = 200
"""So many living drafts that nobody asked for may a table have; what else drifts is one more for each axis."""
LARGEST_SURVEY = 1 << 20
MOST_RECEIPTS = 2000
"""What so many files say is merged anew where others do not speak for a draft any more."""
OTHER = "other"
BASE_MOVED = "another version of the contract came into force"
READ_AGAIN = "no file asks for it any more: those that did were read again, or are gone"
NO_RUN = 0
"""Stands for the run where rows went without one; the next that ends looks at what they spoke for."""
OUTGROWN = "the evidence outgrew what was proposed"


@dataclass(slots=True)
class _Cause:
    """What the jobs of one transaction say for one draft."""

    contract: Contract
    axis: Axis
    column: str
    rule: str
    evidence: dict[int, Evidence] = field(default_factory=dict)
    survey: Survey | None = None

    @property
    def rows(self) -> int:
        return sum(each.rows for each in self.evidence.values())

    def count(self, said: Evidence) -> None:
        """A job says so much more."""
        known = self.evidence.get(said.job, replace(said, rows=0, samples=()))
        samples = merged_samples(known.samples, said.samples)
        self.evidence[said.job] = replace(known, rows=known.rows + said.rows, samples=samples)

    def add(self, facts: Facts, note: DriftNote) -> None:
        self.count(Evidence(job=facts.id, source_hash=facts.source_hash, rows=note.rows, samples=note.samples))
        if note.survey:
            survey = Survey.from_bytes(note.survey)
            self.survey = survey if self.survey is None else self.survey.merge(survey)


def note(
    connection: Connection,
    group: Sequence[tuple[Facts, Receipt]],
    in_force: Mapping[str, Contract],
    behind: Mapping[str, Contract],
    now_ns: int,
) -> None:
    """Keep what the drift of these jobs asks for; called in the transaction that records them, and reads no row.

    `behind` are the contracts under which they were accepted: where another one is in force since, their files are read
    again under it, and say then what is left to say.
    """
    if not any(receipt.drift for _, receipt in group):
        return
    modes = modes_of(connection, group[0][0].plan_id)
    causes = dict(_causes(connection, group, in_force, behind, modes))
    known = proposal_store.living_of_causes(connection, causes)
    surveys = {row.id: _bytes(causes[signature].survey, row.survey) for signature, row in known.items()}
    found = [(row.id, each) for signature, row in known.items() for each in causes[signature].evidence.values()]
    new = {signature: cause for signature, cause in causes.items() if signature not in known}
    for number, cause in _draft(connection, new, group[0][0].plan_id, now_ns):
        surveys[number] = _bytes(cause.survey, None)
        found += ((number, each) for each in cause.evidence.values())
    said = [(facts, each) for facts, receipt in group for each in receipt.drift if each.axis == Axis.NEW_OUTPUT]
    if said and modes.new_output in DRAFTING:
        found += new_outputs.note(connection, said, in_force, now_ns)
    note_evidence(connection, found)
    proposal_store.touch(connection, group[0][0].plan_id, surveys)


def close(connection: Connection, plan: int, margin: float, now_ns: int) -> None:
    """A run is over: what it touched is brought up to date, in the transaction that ends the run.

    Drafts say what all their evidence asks for and what follows from that. A proposal whose base moved, or whose
    evidence is by more than `margin` beyond what was proposed, is void, and drafted anew with all its evidence. One for
    which no file speaks any more is void.
    """
    touched = proposal_store.touched(connection, [plan, NO_RUN])
    in_force = contract_store.in_force(connection) if touched else {}
    for row in touched:
        is_new = new_outputs.is_of_output(row)
        is_drift = row.kind == Kind.AMENDMENT and row.origin == Origin.SYSTEM
        if not (is_new or is_drift) or row.state == State.APPROVED:
            continue
        if not is_left(connection, row.id):
            proposal_store.move(connection, row.id, State.VOID, now_ns, why=READ_AGAIN)
            continue
        ask = new_outputs.survey_left if is_new else _survey_left
        survey = ask(connection, row) if drop_gone(connection, row.id) else row.survey
        proposal_store.touch(connection, plan, {row.id: survey})
        count_evidence(connection, row.id)
        row = proposal_store.one(connection, row.id)
        contract = in_force.get(row.table_name)
        if is_new:
            _close_new(connection, row, in_force, margin, plan, now_ns)
            continue
        has_moved = contract is None or contract.hash != row.base_digest
        if has_moved:
            _renew(connection, row, contract, BASE_MOVED, plan, now_ns)
        elif row.state == State.DRAFT:
            assert contract is not None
            rewrite_draft(connection, row, contract)
        elif _has_outgrown(connection, row, margin):
            _renew(connection, row, contract, OUTGROWN, plan, now_ns)


def _close_new(
    connection: Connection, row: AnyRow, in_force: Mapping[str, Contract], margin: float, plan: int, now_ns: int
) -> None:
    if row.table_name in in_force:
        proposal_store.move(connection, row.id, State.VOID, now_ns, why=BASE_MOVED)
    elif row.state == State.DRAFT:
        new_outputs.propose(connection, row, in_force, now_ns)
    elif _has_outgrown(connection, row, margin):
        new_outputs.renew(connection, row, in_force, OUTGROWN, plan, now_ns)


def _causes(
    connection: Connection,
    group: Sequence[tuple[Facts, Receipt]],
    in_force: Mapping[str, Contract],
    behind: Mapping[str, Contract],
    modes: Modes,
) -> Iterator[tuple[str, _Cause]]:
    found: dict[str, _Cause] = {}
    known = _Foreseen(connection, group)
    for facts, receipt in group:
        for each in receipt.drift:
            contract = in_force.get(each.table)
            if contract is None or behind.get(each.table) != contract:
                continue
            axis = Axis(each.axis)
            if axis is Axis.NEW_OUTPUT:
                continue
            if modes.with_overrides(contract.drift).of(axis) not in DRAFTING:
                continue
            detail = _detail(contract, axis, each)
            signature = cause_signature(each.table, axis, each.column, detail)
            rule = each.detail if axis is Axis.RULE else ""
            if known.says(facts, contract, axis, each.column, rule):
                continue
            cause = found.setdefault(signature, _Cause(contract, axis, each.column, rule))
            cause.add(facts, each)
    yield from found.items()


class _Foreseen:
    """What was known to drift when a change was approved: by the change itself, of the files read again for it."""

    def __init__(self, connection: Connection, group: Sequence[tuple[Facts, Receipt]]) -> None:
        tables = {each.table for _, receipt in group for each in receipt.drift}
        self._changes = [
            (row.id, row.table_name, operations_of(row.body)) for row in replay_store.of_amendments(connection, tables)
        ]
        replays = [replay for replay, _, _ in self._changes]
        hashes = {facts.source_hash for facts, receipt in group if receipt.drift}
        self._read_by = replay_store.read_by(connection, replays, hashes) if replays else set()

    def says(self, facts: Facts, contract: Contract, axis: Axis, column: str, rule: str) -> bool:
        """Whether such drift of that file only repeats what somebody approved, and what is still in force."""
        return any(
            table == contract.table
            and (replay, facts.source_hash) in self._read_by
            and any(is_refused_by(each, contract, axis, column, rule) for each in operations)
            for replay, table, operations in self._changes
        )


def modes_of(connection: Connection, plan: int) -> Modes:
    """The modes under which a run's jobs were judged."""
    row = run_store.run_of(connection, plan)
    return BUILT_IN if row is None else msgspec.json.decode(row.policy, type=_Judged).modes


class _Judged(msgspec.Struct):
    """As much of a run's policy as is asked for here."""

    modes: Modes = BUILT_IN


def _detail(contract: Contract, axis: Axis, note: DriftNote) -> str:
    if axis is Axis.TYPE:
        return _type_of(contract, note.column)
    return note.detail if axis is Axis.RULE else ""


def _type_of(contract: Contract, name: str) -> str:
    return next((column.type for column in contract.columns if column.name == name), "")


def _draft(
    connection: Connection, causes: Mapping[str, _Cause], plan: int, now_ns: int
) -> Iterator[tuple[int, _Cause]]:
    """New drafts where a change of the contract helps, those of most rows first, and what speaks for each.

    What is beyond the drafts that a table may have speaks together for the one of all others on its axis.
    """
    room: dict[str, int] = {}
    others: dict[str, _Cause] = {}
    for signature, cause in sorted(causes.items(), key=lambda each: (-each[1].rows, each[0])):
        table = cause.contract.table
        operations = change_wanted(cause.contract, cause.axis, cause.column, cause.rule, cause.survey)
        if not operations:
            continue
        if table not in room:
            room[table] = MOST_DRAFTS - proposal_store.drafted_by_system(connection, table)
        if room[table] > 0:
            room[table] -= 1
            yield proposal_store.draft(connection, _wanted(cause.contract, operations, signature, plan), now_ns), cause
            continue
        of_all = cause_signature(table, cause.axis, "", OTHER)
        other = others.setdefault(of_all, _Cause(cause.contract, cause.axis, "", ""))
        for each in cause.evidence.values():
            other.count(each)
    for signature, cause in others.items():
        yield proposal_store.draft(connection, _wanted(cause.contract, (), signature, plan), now_ns), cause


def _wanted(contract: Contract, operations: tuple[Op, ...], signature: str, plan: int) -> proposal_store.Draft:
    return proposal_store.Draft(
        kind=Kind.AMENDMENT,
        signature=signature,
        table=contract.table,
        base_digest=contract.hash,
        body=Amendment(operations=operations),
        origin=Origin.SYSTEM,
        proposed_by=SYSTEM,
        plan=plan,
    )


def rewrite_draft(connection: Connection, row: AnyRow, contract: Contract) -> None:
    """Let a draft say what all its evidence asks for."""
    operations = _asked_now(row, contract)
    if not operations:
        return
    try:
        static, risk = verdicts(contract, operations), risk_of(contract, operations)
    except CasparianError:  # who proves it is told why it cannot be done
        static, risk = None, None
    body = Amendment(operations=operations)
    proposal_store.rewrite(connection, row.id, body, contract.hash, row.reason, verdicts=static, risk=risk)


def _renew(connection: Connection, row: AnyRow, contract: Contract | None, why: str, plan: int, now_ns: int) -> None:
    """Void it, and draft it anew on what is in force, if that still asks for it."""
    operations = () if contract is None else _asked_now(row, contract)
    if contract is None or not operations:
        proposal_store.move(connection, row.id, State.VOID, now_ns, why=why)
        return
    wanted = replace(_wanted(contract, operations, _signature(row, contract), plan), survey=row.survey)
    heir = proposal_store.replace_void(connection, row.id, wanted, why, now_ns)
    rewrite_draft(connection, proposal_store.one(connection, heir), contract)


def _asked_now(row: AnyRow, contract: Contract) -> tuple[Op, ...]:
    """What its cause asks for by all that is known of the values; nothing for the draft of all others."""
    body = body_of(row.body)
    assert isinstance(body, Amendment)
    cause = cause_of(body.operations[0]) if body.operations else None
    if cause is None:
        return ()
    survey = None if row.survey is None else Survey.from_bytes(row.survey)
    return change_wanted(contract, *cause, survey)


def _survey_left(connection: Connection, row: AnyRow) -> bytes | None:
    """The survey of the values that files still have: what only others had must not go on asking for more.

    What it was, where there are too many of them to ask again.
    """
    known: bytes | None = row.survey
    operations = operations_of(row.body)
    cause = cause_of(operations[0]) if operations else None
    receipts = receipts_left(connection, row.id, MOST_RECEIPTS + 1)
    if cause is None or known is None or len(receipts) > MOST_RECEIPTS:
        return known
    found = [
        Survey.from_bytes(each.survey)
        for text in receipts
        for each in msgspec.json.decode(text, type=Receipt).drift
        if each.survey and (each.table, each.axis, each.column) == (row.table_name, *cause[:2])
    ]
    return _bytes(Survey.merged(found), None) if found else known


def _signature(row: AnyRow, contract: Contract) -> str:
    """That of its cause under the contract that is in force now: the type of its column may be another one."""
    body = body_of(row.body)
    assert isinstance(body, Amendment)
    cause = cause_of(body.operations[0]) if body.operations else None
    if cause is None or cause[0] is not Axis.TYPE:
        return str(row.signature)
    return cause_signature(contract.table, Axis.TYPE, cause[1], _type_of(contract, cause[1]))


def _has_outgrown(connection: Connection, row: AnyRow, margin: float) -> bool:
    rows, files = signed_evidence(connection, row.id)
    return bool(row.evidence_rows > rows * (1 + margin) or row.evidence_files > files * (1 + margin))


def _bytes(survey: Survey | None, known: bytes | None) -> bytes | None:
    if survey is None:
        return known
    merged = (survey if known is None else Survey.from_bytes(known).merge(survey)).to_bytes()
    return merged if len(merged) <= LARGEST_SURVEY else known
