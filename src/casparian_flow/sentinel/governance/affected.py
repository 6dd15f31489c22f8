"""Which files a change of a contract touches, and which move to the new contract as they are."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from casparian_flow.core.amendments import Add, Drop, Narrow, Op, Relax, Rename, SetDrift, SetTolerance, Widen
from casparian_flow.core.contracts import Contract
from casparian_flow.core.drift import Axis
from casparian_flow.core.proofs import Evidence, merged_samples
from casparian_flow.core.proposal_bodies import Amendment, body_of
from casparian_flow.core.proposals import Kind, Origin
from casparian_flow.core.types import parse_type
from casparian_flow.schema.amend import rule_of
from casparian_flow.schema.compatibility import verdicts
from casparian_flow.schema.wanted import cause_of, change_wanted
from casparian_flow.store import proposals as proposal_store
from casparian_flow.store.tombstones import trimmed_jobs
from casparian_flow.store.views import affected as view

_NUMBERS = frozenset({"int64", "decimal"})
_ABOUT_VALUES = (Axis.TYPE, Axis.NULLABILITY, Axis.MISSING_COLUMN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Affected:
    """The jobs that have rows in the table now, apart: files to read again, and files whose rows stay the same.

    `erased` would be read again, too, were rejected rows of them not erased, which would be back then.
    """

    reopened: tuple[int, ...]
    moved: tuple[int, ...]
    erased: tuple[int, ...]
    bytes_to_read: int


def affected(connection: Connection, base: Contract, operations: Sequence[Op]) -> Affected:
    """What the change touches of a table.

    A file moves only if every row that was accepted from it is accepted again and is the same row: then reading it
    would change nothing. Raises UsageError for operations that the contract cannot be changed by.
    """
    current = view.current_jobs(connection, base.table)
    if _keeps_values(operations) and verdicts(base, operations).reads_old:
        touched = concerned(connection, base, operations)
    else:
        touched = set(current)
    erased = trimmed_jobs(connection, touched)
    reopened = tuple(job for job in current if job in touched and job not in erased)
    return Affected(
        reopened=reopened,
        moved=tuple(job for job in current if job not in touched),
        erased=tuple(job for job in current if job in erased),
        bytes_to_read=sum(current[job] for job in reopened),
    )


def concerned(connection: Connection, base: Contract, operations: Iterable[Op]) -> set[int]:
    """The jobs that have rows which are judged otherwise, as far as their drift and their quarantine tell.

    What accepted rows come to where less is accepted than before is not known by that.
    """
    return {job for operation in operations for job in _touched(connection, base, operation)}


def said_by_files(connection: Connection, base: Contract, operations: Iterable[Op]) -> list[Evidence]:
    """What the drift of the files that a table has now says for operations, one piece of evidence for each job."""
    found: dict[int, Evidence] = {}
    for cause in filter(None, map(cause_of, operations)):
        axis, column, rule = cause
        for row in view.said(connection, base.table, axis):
            if (rule or column) != (row.detail if rule else row.column_name):
                continue
            known = found.get(row.job_id, Evidence(job=row.job_id, source_hash=row.source_hash, rows=0))
            samples = merged_samples(known.samples, json.loads(row.samples))
            found[row.job_id] = replace(known, rows=known.rows + row.rows, samples=samples)
    return list(found.values())


def wanted_by_files(connection: Connection, base: Contract, but: Sequence[Op]) -> tuple[Op, ...]:
    """What all drift of the files that a table has now asks for, whatever the modes; `but` what is asked for anyway."""
    asked = {cause_of(each) for each in but}
    drafted = {
        cause_of(operation): operation
        for row in proposal_store.living_of_table(connection, base.table)
        if row.kind == Kind.AMENDMENT and row.origin == Origin.SYSTEM and row.base_digest == base.hash
        for operation in operations_of(row.body)
    }
    found: dict[object, Op] = {}
    for axis in Axis:
        for row in view.said(connection, base.table, axis):
            rule = row.detail if axis is Axis.RULE else ""
            for operation in change_wanted(base, axis, row.column_name, rule, None):
                cause = cause_of(operation)
                if cause not in asked:
                    found[cause] = drafted.get(cause, operation)
    return tuple(found.values())


def operations_of(body: str) -> tuple[Op, ...]:
    """What the text of a proposal asks to be done to a contract; nothing if it is about something else."""
    asked = body_of(body)
    return asked.operations if isinstance(asked, Amendment) else ()


def _keeps_values(operations: Iterable[Op]) -> bool:
    """Whether a row that fits before and after is the same row."""
    return all(
        isinstance(each, Relax | SetTolerance | SetDrift)
        or (isinstance(each, Add) and each.column.nullable)
        or (isinstance(each, Widen) and parse_type(each.type).name in _NUMBERS)
        for each in operations
    )


def _touched(connection: Connection, base: Contract, operation: Op) -> Iterator[int]:
    match operation:
        case Add():
            # Without a header the new column is the next one, whatever it is called.
            name = None if base.headerless else operation.column.name
            yield from view.drifted(connection, base.table, Axis.NEW_COLUMN, name)
        case Widen() | Narrow() | Drop():
            yield from _about(connection, base, operation.column)
        case Rename():
            yield from view.drifted(connection, base.table, Axis.NEW_COLUMN, operation.to)
        case Relax(column=str(column)):
            yield from _about(connection, base, column)
        case Relax():
            rule = rule_of(base, operation.rule or "")
            yield from view.against_rule(connection, base.table, rule.name)
        case SetDrift():
            yield from view.judged_by_modes(connection, base.table)


def _about(connection: Connection, base: Contract, column: str) -> Iterator[int]:
    for axis in _ABOUT_VALUES:
        yield from view.drifted(connection, base.table, axis, column)
    yield from view.rejected_in(connection, base.table, column)
