"""A draft proven: what follows from it, what the retained rows and bytes say, and what applying it would do."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from casparian_flow.core.amendments import Add, Op
from casparian_flow.core.contract_checks import follows_from_file
from casparian_flow.core.contracts import Contract
from casparian_flow.core.errors import ProposalVoid, VersionChanged
from casparian_flow.core.proofs import Empirical, Impact, Verdicts
from casparian_flow.core.proposal_bodies import Amendment, body_of
from casparian_flow.core.proposals import Kind, Risk, label
from casparian_flow.operations.context import Acting
from casparian_flow.operations.doing.contract.proof_files import FileProof, prove_files
from casparian_flow.operations.doing.contract.proof_rows import StoredRows, check_stored
from casparian_flow.operations.doing.rehearsal.read_before import ReadBefore, read_before
from casparian_flow.schema.amend import amended
from casparian_flow.schema.compatibility import no_text_as_json, risk_of, verdicts
from casparian_flow.sentinel.governance.affected import Affected, affected, concerned
from casparian_flow.sentinel.governance.closing import newly_closed
from casparian_flow.store import contracts as contract_store
from casparian_flow.store import proposals as proposal_store
from casparian_flow.store.evidence import evidence_of
from casparian_flow.store.proposals import Proof
from casparian_flow.store.tombstones import trimmed_jobs
from casparian_flow.store.views import affected as view

MOST_FILES = 64
"""So many files are read again unasked; more of them, or more bytes than the settings say, with `--full` only."""
MOST_NAMED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    """A draft as it was when it was asked about. `sinks` are where the rows of tables are looked at.

    Of the table that is changed and of those that its rules refer to; one without rows has none.
    """

    base: Contract
    new: Contract
    operations: tuple[Op, ...]
    static: Verdicts
    risk: Risk
    touched: Affected
    in_force: dict[str, Contract]
    sinks: dict[str, str]

    @property
    def sink(self) -> str | None:
        """Where the rows of the table are that is changed."""
        return self.sinks.get(self.base.table)


def prove(acting: Acting, proposal: int, *, full: bool = False) -> bool:
    """Propose a draft with everything that is known about it; whether it is proposed now.

    It stays a draft where more would have to be read than is read unasked; `full` reads it however much it is. Raises
    ProposalVoid if its base is not in force any more, VersionChanged if the table moved meanwhile, UsageError if it
    cannot be done.
    """
    with acting.database.transaction() as connection:
        asked = _question(connection, acting, proposal)
    stored = _stored(acting, asked)
    with acting.database.transaction() as connection:
        files, erased = _files(connection, asked, proposal, needs_all=bool(stored.why))
    if not full and not _is_little(acting, files):
        return False
    proofs = list(_read(acting, asked, files))
    as_json = frozenset[str]().union(*(each.as_json for each in proofs))
    asked = replace(asked, static=verdicts(asked.base, asked.operations, as_json))
    empirical = _empirical(asked, stored, proofs, erased)
    with acting.database.transaction() as connection:
        if _question(connection, acting, proposal).touched != asked.touched:
            raise VersionChanged(
                f"files of {asked.base.table} changed while it was proven",
                fix=f"casparian contract propose {label(Kind.AMENDMENT, proposal)}",
            )
        impact = _impact(connection, asked, empirical, proofs)
        proof = Proof(risk=asked.risk, verdicts=asked.static, empirical=empirical, impact=impact)
        proposal_store.propose(connection, proposal, proof, acting.clock())
    return True


def _question(connection: Connection, acting: Acting, proposal: int) -> _Question:
    row = proposal_store.one(connection, proposal)
    body = body_of(row.body)
    assert isinstance(body, Amendment)
    in_force = contract_store.in_force(connection)
    base = in_force.get(row.table_name)
    if base is None or base.hash != row.base_digest:
        raise ProposalVoid(
            f"{label(Kind.AMENDMENT, proposal)} was made for a contract that is not in force any more",
            fix=f"casparian contract show {row.table_name}",
        )
    new = amended(base, body.operations)
    tables = {base.table, *(rule.table for rule in new.rules if rule.table is not None)}
    return _Question(
        base=base,
        new=new,
        operations=body.operations,
        static=verdicts(base, body.operations),
        risk=risk_of(base, body.operations),
        touched=affected(connection, base, body.operations),
        in_force=in_force,
        sinks={table: sink for table in tables if (sink := view.first_sink(connection, table)) is not None},
    )


def _stored(acting: Acting, asked: _Question) -> StoredRows:
    if asked.sink is None:
        return StoredRows()
    modes = acting.settings.drift.modes
    return check_stored(acting.open_sink(asked.sink), asked.base, asked.new, asked.operations, modes)


def _files(connection: Connection, asked: _Question, proposal: int, *, needs_all: bool) -> tuple[list[ReadBefore], int]:
    """The files that have to be read to know: those that speak for it first, by their rows.

    Beside them how many there are that are not read: rows of them were erased, with which nothing can be compared.
    """
    current = {*asked.touched.reopened, *asked.touched.moved}
    said = {each.job: each.rows for each in evidence_of(connection, proposal)}
    jobs = current if needs_all else current & concerned(connection, asked.base, asked.operations)
    if any(name for each in asked.operations for name in no_text_as_json(asked.base, each)):
        jobs |= current & view.one_of_each_parser(connection, asked.base.table)  # how it brings values is not kept
    if not follows_from_file(asked.new):  # then they are tried in the order in which they will be read
        said = {}
    erased = trimmed_jobs(connection, jobs)
    files = sorted(read_before(connection, jobs - erased), key=lambda file: (-said.get(file.job, 0), file.job))
    return files, len(erased.union(asked.touched.erased))


def _is_little(acting: Acting, files: Sequence[ReadBefore]) -> bool:
    size = sum(file.bytes.size for file in files if file.is_retained)
    return len(files) <= MOST_FILES and size <= acting.settings.governance.proof_mb << 20


def _read(acting: Acting, asked: _Question, files: Sequence[ReadBefore]) -> Iterator[FileProof]:
    if not files or asked.sink is None:
        return
    found = prove_files(
        acting,
        files,
        (asked.base, asked.new),
        asked.in_force,
        acting.open_sink(asked.sink),
        filled=[each.column.name for each in asked.operations if isinstance(each, Add)],
        asks_readers=asked.static.keeps_readers,
        sink_of=lambda table: acting.open_sink(asked.sinks[table]) if table in asked.sinks else None,
    )
    for at, proof in enumerate(found, 1):
        acting.report("proof.progressed", {"done": at, "total": len(files)})
        yield proof


def _empirical(asked: _Question, stored: StoredRows, proofs: Sequence[FileProof], erased: int) -> Empirical:
    read = [each for each in proofs if not each.trouble]
    troubled = [each for each in proofs if each.trouble and not each.is_gone]
    again = {each.read.job for each in read}  # what the table has of these was not counted twice
    failing = _beside(stored.failing, again) + sum(each.newly_failing for each in read)
    return Empirical(
        rows_checked=_beside(stored.checked, again) + sum(each.rows for each in read),
        newly_failing=failing,
        released=sum(each.released for each in read),
        still_failing=sum(each.still_failing for each in read),
        files_read=len(read),
        bytes_read=sum(each.read.bytes.size for each in read),
        erased_files=erased,
        is_complete=not troubled,
        contradicts=tuple(_contradictions(asked, failing, read)),
    )


def _beside(by_job: Mapping[int, int], jobs: Collection[int]) -> int:
    return sum(rows for job, rows in by_job.items() if job not in jobs)


def _contradictions(asked: _Question, failing: int, read: Sequence[FileProof]) -> Iterator[str]:
    if asked.static.reads_old and failing:
        where = _named(each.read.display for each in read if each.newly_failing)
        yield f"reads-old: {failing:,} rows that fit today would not fit{where}"
    if strange := sum(each.strange for each in read):
        where = _named(each.read.display for each in read if each.strange)
        yield f"keeps-readers: {strange:,} new rows would not have fit before{where}"


def _named(paths: Iterator[str]) -> str:
    names = sorted(paths)
    return f", of {', '.join(names[:MOST_NAMED])}" + (" and others" if len(names) > MOST_NAMED else "") if names else ""


def _impact(connection: Connection, asked: _Question, empirical: Empirical, proofs: Sequence[FileProof]) -> Impact:
    reopened = set(asked.touched.reopened)
    return Impact(
        released=empirical.released,
        fills=sum(each.fills for each in proofs),
        newly_failing=empirical.newly_failing,
        files_reopened=len(asked.touched.reopened),
        files_rekeyed=len(asked.touched.moved),
        bytes_to_read=asked.touched.bytes_to_read,
        outputs=(asked.base.table,),
        references=tuple(_referring(asked)),
        keeps_clear_history=_keeps_clear(asked),
        replays=tuple(promise for each in proofs if each.read.job in reopened for promise in each.promises),
    )


def _referring(asked: _Question) -> Iterator[str]:
    """Rules of other tables that refer to this one."""
    for table, contract in sorted(asked.in_force.items()):
        for rule in contract.rules:
            if rule.table == asked.base.table:
                yield f"{table}: {rule.name}"


def _keeps_clear(asked: _Question) -> bool:
    """Whether rows that were written before keep in clear what is closed from now on."""
    closed = newly_closed(asked.base, asked.new)
    # Of columns that nobody declared beside closed ones the values were closed all the time.
    return bool(closed) and (not asked.base.is_closed or not closed.isdisjoint(asked.base.names))
