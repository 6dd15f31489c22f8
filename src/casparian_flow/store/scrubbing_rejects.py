"""Removes what the control database repeats of rejected rows that are erased; what else their files brought stays."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Executable, bindparam, case, delete, func, literal_column, null, or_, select, update

from casparian_flow.core.proposals import Kind
from casparian_flow.core.tombstones import erased_behind
from casparian_flow.store.engine import AnyRow
from casparian_flow.store.prepared import each_of
from casparian_flow.store.scrubbing import scrub_words
from casparian_flow.store.tables import drift, job_logs, jobs, proposal_evidence, proposals, quarantine


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """What one purge erased: of `trimmed` jobs the rows of these causes, of `earlier` ones all that they rejected."""

    hashes: frozenset[str]
    tables: frozenset[str]
    causes: frozenset[str]
    trimmed: frozenset[int]
    earlier: frozenset[int]
    by: str

    @property
    def why(self) -> str:
        """Why what was proposed with these rows ends."""
        return erased_behind(self.by)


LISTS = ("hashes", "tables", "causes", "trimmed", "earlier", "both", "why")
_of_bytes = select(jobs.c.id).where(jobs.c.source_hash.in_(each_of("hashes")))
_of_tables = proposals.c.table_name.in_(each_of("tables"))
_behind = select(proposal_evidence.c.proposal_id).where(proposal_evidence.c.job_id.in_(each_of("both")))
_landed = jobs.c.id.in_(each_of("both"))
_is_undecided = proposals.c.state.in_(
    [literal_column(f"'{state}'") for state in ("draft", "proposed", "changes_requested")]
)
DRAFTS_BEHIND = (
    select(proposals)
    .where(proposals.c.kind == literal_column("'amendment'"), _is_undecided, _of_tables, proposals.c.id.in_(_behind))
    .order_by(proposals.c.id)
)
PURGED_OF = select(quarantine.c.job_id, quarantine.c.code, quarantine.c.column_name, quarantine.c.rows).where(
    quarantine.c.table_name == bindparam("of_table"),
    quarantine.c.job_id.in_(each_of("trimmed")),
    quarantine.c.reference.in_(each_of("causes")),
)
STATEMENTS: tuple[Executable, ...] = (
    update(quarantine)
    .where(
        quarantine.c.table_name.in_(each_of("tables")),
        or_(
            quarantine.c.job_id.in_(each_of("earlier")),
            quarantine.c.job_id.in_(each_of("trimmed")) & quarantine.c.reference.in_(each_of("causes")),
        ),
    )
    .values(message="", sample=""),
    update(drift)
    .where(drift.c.job_id.in_(each_of("both")), drift.c.table_name.in_(each_of("tables")))
    .values(samples="[]"),
    delete(job_logs).where(job_logs.c.job_id.in_(_of_bytes)),
    update(jobs)
    .where(jobs.c.source_hash.in_(each_of("hashes")))
    .values(error_message=case((jobs.c.error_code.is_(None), null()), else_=""), error_why=null()),
    update(jobs)
    .where(jobs.c.source_hash.in_(each_of("hashes")), ~_landed)
    .values(receipt=func.json_remove(jobs.c.receipt, "$.groups", "$.drift", "$.verdicts")),
    update(proposals)
    .where(proposals.c.kind.not_in([Kind.PURGE, Kind.AMENDMENT]), _of_tables, proposals.c.id.in_(_behind))
    .where(_is_undecided)
    .values(state="void", void_reason=bindparam("why")),
    update(proposals).where(_of_tables, proposals.c.id.in_(_behind)).values(survey=null()),
    update(proposal_evidence)
    .where(
        proposal_evidence.c.job_id.in_(each_of("both")),
        proposal_evidence.c.proposal_id.in_(select(proposals.c.id).where(_of_tables)),
    )
    .values(samples="[]"),
)
RECEIPTS = select(jobs.c.id, jobs.c.receipt).where(_landed, jobs.c.receipt.is_not(None))
SET_RECEIPT = update(jobs).where(jobs.c.id == bindparam("number")).values(receipt=bindparam("its_receipt"))


def scrub_rejects(connection: Connection, erasure: Erasure, without_value: Callable[[str], str]) -> None:
    """Leave nothing of these rows but numbers, names and digests.

    What may be of any row of their files goes too: printed lines, messages of attempts that failed, values that stand
    in drafts. Changes of contracts that were drafted with them are the caller's, and repairs.
    """
    these = _lists(erasure) | {"why": erasure.why}
    for statement in STATEMENTS:
        connection.execute(statement, {name: these[name] for name in _named(statement)})
    for row in connection.execute(RECEIPTS, {"both": these["both"]}).all():
        receipt = _forgetting(row.receipt, erasure.tables)
        connection.execute(SET_RECEIPT, {"number": row.id, "its_receipt": receipt})
    scrub_words(connection, erasure.hashes, without_value, by=erasure.by)


def drafts_behind(connection: Connection, erasure: Erasure) -> Sequence[AnyRow]:
    """The changes of contracts that can still be decided and for which one of the jobs speaks."""
    these = _lists(erasure)
    return connection.execute(DRAFTS_BEHIND, {"tables": these["tables"], "both": these["both"]}).all()


def purged_of(connection: Connection, erasure: Erasure, table: str) -> Sequence[AnyRow]:
    """What of a table went of jobs that stay: of each, code, column and how many rows."""
    these = _lists(erasure)
    named = {"of_table": table, "trimmed": these["trimmed"], "causes": these["causes"]}
    return connection.execute(PURGED_OF, named).all()


def _lists(erasure: Erasure) -> dict[str, str]:
    return {
        name: json.dumps(sorted(values))
        for name, values in (
            ("hashes", erasure.hashes),
            ("tables", erasure.tables),
            ("causes", erasure.causes),
            ("trimmed", erasure.trimmed),
            ("earlier", erasure.earlier),
            ("both", erasure.trimmed | erasure.earlier),
        )
    }


def _named(statement: Executable) -> set[str]:
    """The lists that a statement asks for."""
    asked: dict[str, object] = statement.compile().params  # type: ignore[attr-defined]
    return {name for name in LISTS if name in asked}


def _forgetting(text: str, tables: frozenset[str]) -> str:
    """A receipt without the values that it repeats of these tables; every number in it stays."""
    receipt = json.loads(text)
    for group in receipt.get("groups", ()):
        if group["table"] in tables:
            group.update(message="", sample="")
    for note in receipt.get("drift", ()):
        if note["table"] in tables:
            note.update(samples=[], survey="")
    return json.dumps(receipt)
