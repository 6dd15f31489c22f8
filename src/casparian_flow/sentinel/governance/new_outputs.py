"""Outputs that their parser does not declare draft tables: one living draft for each, whatever the order of files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import msgspec
from sqlalchemy import Connection

from casparian_flow.core.closed_parsers import meets_closed_values
from casparian_flow.core.contracts import Contract
from casparian_flow.core.drift import Axis
from casparian_flow.core.proofs import (
    Empirical,
    Evidence,
    Impact,
    cause_signature,
    merged_samples,
    new_output_signature,
)
from casparian_flow.core.proposal_bodies import FirstContract, body_of
from casparian_flow.core.proposals import SYSTEM, Kind, Origin, Risk
from casparian_flow.core.receipts import MOST_NEW_COLUMNS, DriftNote, Receipt
from casparian_flow.schema.draft import draft_contract
from casparian_flow.schema.survey import Survey
from casparian_flow.schema.wanted import closed_as_any_of
from casparian_flow.sentinel.planning.loading import load_registered
from casparian_flow.sentinel.queue.dispatch import relevant_contracts
from casparian_flow.sentinel.queue.lanes import bases_of
from casparian_flow.store import proposals as proposal_store
from casparian_flow.store.causes import make_ready_of
from casparian_flow.store.engine import AnyRow
from casparian_flow.store.evidence import drafts_of_parser, evidence_of, parsers_behind, receipts_left
from casparian_flow.store.facts import Facts
from casparian_flow.store.proposals import Draft, Proof
from casparian_flow.store.views import affected as view

MOST_DRAFTS = 50
"""So many tables may the outputs of one parser ask for at a time; what it has beyond speaks for one draft together."""
LARGEST_SURVEY = 1 << 20
MOST_RECEIPTS = 2000
NOT_ALL = b""
"""Stands for the survey once not every row is in it: then nothing is drafted from it, whatever comes."""
TOO_WIDE = f"not every row was surveyed: it has more than {MOST_NEW_COLUMNS} columns, or its file has too many outputs"
TOO_MANY = f"more than {MOST_DRAFTS} outputs are not declared"


@dataclass(slots=True)
class _Table:
    """What the jobs of one transaction say for one table."""

    name: str
    parser: str
    evidence: dict[int, Evidence] = field(default_factory=dict)
    surveys: list[bytes] = field(default_factory=list)

    def add(self, said: Evidence, survey: bytes) -> None:
        """A job says so much more."""
        known = self.evidence.get(said.job, replace(said, rows=0, samples=()))
        samples = merged_samples(known.samples, said.samples)
        self.evidence[said.job] = replace(known, rows=known.rows + said.rows, samples=samples)
        self.surveys.append(survey)

    @property
    def rows(self) -> int:
        return sum(each.rows for each in self.evidence.values())


def note(
    connection: Connection,
    found: Sequence[tuple[Facts, DriftNote]],
    in_force: Mapping[str, Contract],
    now_ns: int,
) -> list[tuple[int, Evidence]]:
    """Draft a table for every output that has none, and say what speaks for which draft; no row is read.

    Where a table came to take such rows after a job was ordered, its file is to be read again.
    """
    tables: dict[str, _Table] = {}
    others: dict[str, _Table] = {}
    for facts, said in found:
        contract = in_force.get(said.table)
        if contract is not None:
            if facts.parser_name in contract.takes_undeclared:
                make_ready_of(connection, [facts.id], said.table)
            continue
        evidence = Evidence(job=facts.id, source_hash=facts.source_hash, rows=said.rows, samples=said.samples)
        if said.column or said.survey:
            of_table = tables.setdefault(new_output_signature(said.table), _Table(said.table, facts.parser_name))
        else:  # what a receipt has no room for
            of_table = others.setdefault(_of_others(facts.parser_name), _Table("", facts.parser_name))
        of_table.add(evidence, said.survey)
    return [
        (number, each)
        for number, of_table in _drafted(connection, tables, others, found[0][0].plan_id, now_ns)
        for each in of_table.evidence.values()
    ]


def renew(
    connection: Connection, row: AnyRow, in_force: Mapping[str, Contract], why: str, plan: int, now_ns: int
) -> None:
    """Void a proposal whose evidence is not what it was, and propose the table anew."""
    wanted = replace(_wanted(row.signature, row.table_name, _parsers_of(row), plan), survey=row.survey)
    heir = proposal_store.replace_void(connection, row.id, wanted, why, now_ns)
    propose(connection, proposal_store.one(connection, heir), in_force, now_ns)


def propose(connection: Connection, row: AnyRow, in_force: Mapping[str, Contract], now_ns: int) -> None:
    """Put the contract that every surveyed row fits before those who decide; a draft stays one where there is none."""
    if not row.table_name:
        return
    contract = _contract(connection, row, in_force)
    if contract is None:
        proposal_store.rewrite(connection, row.id, _empty(row.table_name, _parsers_of(row)), "", TOO_WIDE)
        return
    proposal_store.rewrite(connection, row.id, FirstContract(contract=contract), "", "")
    jobs = view.current_jobs(connection, row.table_name)
    rows = sum({each.source_hash: each.rows for each in evidence_of(connection, row.id)}.values())
    proof = Proof(
        risk=Risk.RESTRICTIVE if contract.is_closed else Risk.ADDITIVE,  # as a column beside closed ones
        empirical=Empirical(rows_checked=rows, released=rows, is_complete=True),
        impact=Impact(
            released=rows,
            files_reopened=len(jobs),
            bytes_to_read=sum(jobs.values()),
            outputs=(row.table_name,),
        ),
    )
    proposal_store.propose(connection, row.id, proof, now_ns)


def survey_left(connection: Connection, row: AnyRow) -> bytes | None:
    """The survey of the rows that files still have; what it was, where there are too many of them to ask again."""
    receipts = receipts_left(connection, row.id, MOST_RECEIPTS + 1)
    if len(receipts) > MOST_RECEIPTS:
        return _kept(row.survey)
    surveys = [
        each.survey
        for text in receipts
        for each in msgspec.json.decode(text, type=Receipt).drift
        if (each.table, each.axis) == (row.table_name, Axis.NEW_OUTPUT)
    ]
    return _merged(None, surveys)


def is_of_output(row: AnyRow) -> bool:
    """Whether a proposal is the draft of a table for outputs that nobody declares."""
    if row.kind != Kind.CONTRACT or row.origin != Origin.SYSTEM:
        return False
    body = body_of(row.body)
    return isinstance(body, FirstContract) and bool(body.contract.takes_undeclared)


def _drafted(
    connection: Connection,
    tables: Mapping[str, _Table],
    others: Mapping[str, _Table],
    plan: int,
    now_ns: int,
) -> Iterator[tuple[int, _Table]]:
    known = proposal_store.living_of_causes(connection, tables)
    beyond = dict(others)
    room: dict[str, int] = {}
    surveys: dict[int, bytes | None] = {}
    for signature, table in sorted(tables.items(), key=lambda each: (-each[1].rows, each[0])):
        if signature in known:
            number, survey = known[signature].id, known[signature].survey
        else:
            if table.parser not in room:
                room[table.parser] = MOST_DRAFTS - drafts_of_parser(connection, table.parser)
            if room[table.parser] <= 0:
                together = beyond.setdefault(_of_others(table.parser), _Table("", table.parser))
                for each in table.evidence.values():
                    together.add(each, NOT_ALL)
                continue
            room[table.parser] -= 1
            wanted = _wanted(signature, table.name, (table.parser,), plan)
            number, survey = proposal_store.draft(connection, wanted, now_ns), None
        surveys[number] = _merged(_kept(survey), table.surveys)
        yield number, table
    for signature, table in beyond.items():
        wanted = replace(_wanted(signature, None, (table.parser,), plan), reason=f"{table.parser}: {TOO_MANY}")
        number = proposal_store.draft(connection, wanted, now_ns)
        surveys[number] = NOT_ALL
        yield number, table
    proposal_store.touch(connection, plan, surveys)


def _contract(connection: Connection, row: AnyRow, in_force: Mapping[str, Contract]) -> Contract | None:
    """The contract that every row of the evidence fits; None where not every one of them was surveyed."""
    if not row.survey:
        return None
    parsers = [load_registered(connection, number) for number in parsers_behind(connection, row.id)]
    beside = [
        each
        for parser in parsers
        for table, each in relevant_contracts(parser, bases_of(row.table_name), in_force).items()
        if meets_closed_values(parser.artifact.name, parser.manifest.tables, parser.manifest.outputs, {table: each})
    ]
    contract = draft_contract(row.table_name, Survey.from_bytes(row.survey))
    names = tuple(sorted({parser.artifact.name for parser in parsers}))
    columns = tuple(closed_as_any_of(column, beside) for column in contract.columns)
    return replace(contract, columns=columns, takes_undeclared=names) if columns else None


def _merged(known: bytes | None, surveys: Sequence[bytes]) -> bytes | None:
    """One survey of all rows; NOT_ALL if one of these is, or if it became larger than one is kept."""
    if known == NOT_ALL or not all(surveys):
        return NOT_ALL
    if not surveys:
        return known
    merged = Survey.merged(Survey.from_bytes(each) for each in [*([known] if known else []), *surveys])
    data = merged.to_bytes()
    return data if len(data) <= LARGEST_SURVEY and len(merged.columns) <= MOST_NEW_COLUMNS else NOT_ALL


def _kept(survey: bytes | None) -> bytes | None:
    return None if survey is None else bytes(survey)


def _parsers_of(row: AnyRow) -> tuple[str, ...]:
    body = body_of(row.body)
    assert isinstance(body, FirstContract)
    return body.contract.takes_undeclared


def _of_others(parser: str) -> str:
    return cause_signature("", Axis.NEW_OUTPUT, parser, "other")


def _wanted(signature: str, table: str | None, parsers: tuple[str, ...], plan: int) -> Draft:
    return Draft(
        kind=Kind.CONTRACT,
        signature=signature,
        table=table,
        base_digest="",
        body=_empty(table or "", parsers),
        origin=Origin.SYSTEM,
        proposed_by=SYSTEM,
        plan=plan,
    )


def _empty(table: str, parsers: tuple[str, ...]) -> FirstContract:
    """A table of which nobody can say yet what columns it has."""
    return FirstContract(contract=Contract(table=table, version=1, columns=(), takes_undeclared=parsers))
