"""Causes of rejections and what a person has done about them; entries of the quarantine along their life."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, exists, func, literal_column, select, update
from sqlalchemy.dialects.sqlite import insert

from casparian_flow.core.proposal_bodies import Selected
from casparian_flow.core.quarantine import EntryState
from casparian_flow.core.rules import RULE_CODE, RuleKind
from casparian_flow.store.engine import AnyRow
from casparian_flow.store.prepared import Prepared, each_of, listed
from casparian_flow.store.tables import causes, jobs, parsers, quarantine

WAITING = (EntryState.OPEN, EntryState.TRIAGED, EntryState.FIX_READY)
"""What somebody has to deal with."""
KEPT = (*WAITING, EntryState.WAIVED)
"""What has its rows in quarantine."""
_KEY = ("table_name", "code", "column_name", "shape")
_NAMED = ("reference", *_KEY, "parser_name", "changed_at_ns")
TOUCH = Prepared(insert(causes).values({name: bindparam(name) for name in _NAMED}).on_conflict_do_nothing())
BY_REFERENCE = select(causes).where(causes.c.reference == bindparam("named"))
CHANGE = (
    update(causes)
    .where(causes.c.reference == bindparam("named"))
    .values(
        owner=bindparam("its_owner"),
        note=bindparam("its_note"),
        changed_at_ns=bindparam("now_ns"),
    )
)
_is_of_cause = (
    (quarantine.c.reference == bindparam("named"))
    & (quarantine.c.table_name == bindparam("of_table"))
    & quarantine.c.is_current
)
MOVE = (
    update(quarantine)
    .where(_is_of_cause, quarantine.c.state.in_(bindparam("seen", expanding=True)))
    .values(state=bindparam("to"))
)
MAKE_READY = (
    update(quarantine)
    .where(
        quarantine.c.job_id == bindparam("of_job"),
        quarantine.c.table_name == bindparam("of_table"),
        quarantine.c.code == bindparam("its_code"),
        quarantine.c.column_name == bindparam("of_column"),
        quarantine.c.shape == bindparam("its_shape"),
    )
    .where(quarantine.c.state.in_([EntryState.OPEN, EntryState.TRIAGED]))
    .values(state=EntryState.FIX_READY)
)
MAKE_READY_OF = (
    update(quarantine)
    .where(
        quarantine.c.job_id.in_(each_of("jobs")),
        quarantine.c.table_name == bindparam("of_table"),
        quarantine.c.is_current,
    )
    .where(quarantine.c.state.in_([literal_column("'open'"), literal_column("'triaged'")]))
    .values(state=EntryState.FIX_READY)
)
_met = (
    select(causes.c.reference)
    .where(causes.c.table_name == bindparam("of_table"), causes.c.code == bindparam("its_code"))
    .where(causes.c.column_name == bindparam("of_columns"))
)
MAKE_REFERRING_READY = Prepared(
    update(quarantine)
    .where(
        quarantine.c.reference.in_(_met),
        quarantine.c.table_name == bindparam("of_table"),
        quarantine.c.code == bindparam("its_code"),
        quarantine.c.is_current,
        bindparam("of_job").is_(None) | (quarantine.c.job_id == bindparam("of_job")),
    )
    .where(quarantine.c.state.in_([literal_column("'open'"), literal_column("'triaged'")]))
    .values(state=EntryState.FIX_READY)
)
KEPT_OF_CAUSE = (
    select(quarantine.c.job_id, quarantine.c.rows, jobs.c.source_hash)
    .join(jobs, jobs.c.id == quarantine.c.job_id)
    .where(_is_of_cause, quarantine.c.state.in_(KEPT))
    .order_by(quarantine.c.job_id)
)
KEPT_OF_JOBS = Prepared(
    select(
        quarantine.c.job_id,
        quarantine.c.reference,
        quarantine.c.table_name,
        func.sum(quarantine.c.rows).label("rows"),
        jobs.c.source_hash,
    )
    .join(jobs, jobs.c.id == quarantine.c.job_id)
    .where(
        quarantine.c.job_id.in_(each_of("of_jobs")),
        quarantine.c.is_current,
        quarantine.c.state.in_([literal_column(f"'{state}'") for state in KEPT]),
    )
    .group_by(quarantine.c.job_id, quarantine.c.reference, quarantine.c.table_name, jobs.c.source_hash)
)
PURGED_BY = select(func.max(quarantine.c.purged_by)).where(
    quarantine.c.reference == bindparam("named"), quarantine.c.table_name == bindparam("of_table")
)
PARSERS_OF = Prepared(
    select(jobs.c.id, parsers.c.name)
    .join(parsers, parsers.c.id == jobs.c.parser_id)
    .where(jobs.c.id.in_(each_of("of_jobs")))
)
WAITING_OF_CAUSE = (
    select(quarantine.c.job_id, quarantine.c.rows, quarantine.c.sample, jobs.c.source_hash)
    .join(jobs, jobs.c.id == quarantine.c.job_id)
    .where(_is_of_cause, quarantine.c.state.in_(WAITING))
    .order_by(quarantine.c.job_id)
)
WAITING_OF_JOBS = Prepared(
    select(quarantine.c.job_id, quarantine.c.reference)
    .where(
        quarantine.c.job_id.in_(each_of("of_jobs")),
        quarantine.c.is_current,
        quarantine.c.state.in_([literal_column(f"'{state}'") for state in WAITING]),
    )
    .distinct()
)
_entry = quarantine.alias("entry")
_old, _old_parser = jobs.alias("old_jobs"), parsers.alias("old_parsers")
_is_waiting = _entry.c.state.in_(
    [literal_column(f"'{state}'") for state in EntryState if state not in (EntryState.REPLAYED, EntryState.PURGED)]
)
READ_AGAIN = Prepared(
    select(_old.c.id.label("old"), jobs.c.id.label("new"))
    .distinct()
    .select_from(
        jobs.join(parsers, parsers.c.id == jobs.c.parser_id)
        .join(_old, (_old.c.source_hash == jobs.c.source_hash) & (_old.c.id < jobs.c.id))
        .join(_old_parser, (_old_parser.c.id == _old.c.parser_id) & (_old_parser.c.name == parsers.c.name))
        .join(_entry, (_entry.c.job_id == _old.c.id) & _entry.c.is_current.is_(False) & _is_waiting)
    )
    .where(jobs.c.id.in_(each_of("of_jobs")))
)
_before = quarantine.alias("before")
_same = (
    (_before.c.job_id == bindparam("old"))
    & (_before.c.rows == quarantine.c.rows)
    & (_before.c.state.in_([literal_column("'triaged'"), literal_column("'waived'")]))
)
for _name in _KEY:
    _same &= _before.c[_name] == quarantine.c[_name]
HAND_ON = Prepared(
    update(quarantine)
    .where(quarantine.c.job_id == bindparam("new"), exists(select(_before.c.id).where(_same)))
    .values(state=select(_before.c.state).where(_same).scalar_subquery())
)
CLOSE = Prepared(
    update(quarantine)
    .where(
        quarantine.c.job_id == bindparam("old"),
        quarantine.c.is_current.is_(False),
        quarantine.c.state.not_in([literal_column("'replayed'"), literal_column("'purged'")]),
    )
    .values(state=EntryState.REPLAYED, closed_by_job=bindparam("new"), closed_at_ns=bindparam("now_ns"))
)


def touch(connection: Connection, rows: Iterable[dict[str, Any]]) -> None:
    """Give causes that were met their place, so that a person can say something about them; known ones stay.

    A row has `reference`, `table_name`, `code`, `column_name`, `shape`, `parser_name` and `changed_at_ns`. Of two
    causes that share a short name the first keeps it.
    """
    TOUCH.run_all(connection, [{name: row[name] for name in _NAMED} for row in rows])


def cause(connection: Connection, reference: str) -> AnyRow | None:
    """What is known of a cause."""
    return connection.execute(BY_REFERENCE, {"named": reference}).first()


def change(connection: Connection, reference: str, owner: str | None, note: str | None, now_ns: int) -> None:
    """Whose a cause is, and what they say about it."""
    connection.execute(CHANGE, {"named": reference, "its_owner": owner, "its_note": note, "now_ns": now_ns})


def move(connection: Connection, reference: str, table: str, to: EntryState, seen: Sequence[EntryState]) -> int:
    """Move the current entries of a cause that are in one of the states `seen`; how many these were."""
    values = {"named": reference, "of_table": table, "to": to, "seen": list(seen)}
    return connection.execute(MOVE, values).rowcount


def make_ready(connection: Connection, job: int, table: str, code: str, column: str, shape: str) -> None:
    """Something was done that may release rows of an entry: its file is read again."""
    cause = {"of_table": table, "its_code": code, "of_column": column, "its_shape": shape}
    connection.execute(MAKE_READY, {"of_job": job, **cause})


def make_ready_of(connection: Connection, of_jobs: Iterable[int], table: str) -> None:
    """Something changed that may let rows of a table through that these jobs rejected."""
    connection.execute(MAKE_READY_OF, {"jobs": listed(of_jobs), "of_table": table})


def make_referring_ready(connection: Connection, entries: Iterable[tuple[str, str]], job: int | None = None) -> None:
    """Rows came that entries for broken references may have waited for: those of these tables and columns.

    With a `job` only what that job rejected.
    """
    code = f"{RULE_CODE}.{RuleKind.REFERENCE}"
    for table, columns in sorted(entries):
        MAKE_REFERRING_READY.run(connection, of_table=table, its_code=code, of_columns=columns, of_job=job)


def waiting_entries(connection: Connection, reference: str, table: str) -> Sequence[AnyRow]:
    """The entries of a cause that somebody has to deal with, with the bytes that each is of."""
    return connection.execute(WAITING_OF_CAUSE, {"named": reference, "of_table": table}).all()


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """An entry whose rows are in quarantine: the table they missed, how many they are, and of which bytes."""

    entry: Selected
    table: str
    rows: int
    source_hash: str


def kept_entries(connection: Connection, reference: str, table: str) -> Sequence[AnyRow]:
    """The entries of a cause whose rows are in quarantine, waived ones too, with the bytes that each is of."""
    return connection.execute(KEPT_OF_CAUSE, {"named": reference, "of_table": table}).all()


def kept_of(connection: Connection, entries: Iterable[Selected]) -> list[Kept]:
    """Those of the entries whose rows are in quarantine."""
    wanted = {(each.job, each.cause): each for each in entries}
    rows = KEPT_OF_JOBS.rows(connection, of_jobs=listed({job for job, _ in wanted}))
    return [
        Kept(entry=wanted[row.job_id, row.reference], table=row.table_name, rows=row.rows, source_hash=row.source_hash)
        for row in rows
        if (row.job_id, row.reference) in wanted
    ]


def purge_of(connection: Connection, reference: str, table: str) -> int:
    """The proposal by which the rows of a cause were erased last; some must have been."""
    return int(connection.execute(PURGED_BY, {"named": reference, "of_table": table}).scalar_one())


def parsers_of(connection: Connection, of_jobs: Iterable[int]) -> dict[int, str]:
    """The parser of each job: the short name of a cause is made with it."""
    return {row.id: row.name for row in PARSERS_OF.rows(connection, of_jobs=listed(of_jobs))}


def waiting_of(connection: Connection, entries: Sequence[Selected]) -> list[Selected]:
    """Those of the entries that somebody has to deal with."""
    rows = WAITING_OF_JOBS.rows(connection, of_jobs=listed({each.job for each in entries}))
    found = {(row.job_id, row.reference) for row in rows}
    return [each for each in entries if (each.job, each.cause) in found]


def close_read_again(connection: Connection, of_jobs: Sequence[int], now_ns: int) -> None:
    """Close the entries of every job whose bytes were read again by one of these, and whose rows that took out."""
    for pair in READ_AGAIN.rows(connection, of_jobs=listed(of_jobs)):
        close_entries(connection, pair.old, pair.new, now_ns)


def close_entries(connection: Connection, old_job: int, new_job: int, now_ns: int) -> None:
    """The rows that `old_job` rejected, which no table shows any more, were read again by `new_job`.

    What a person had decided about a cause goes on where just as many rows are rejected for it again; that something
    would release them has proven wrong then.
    """
    HAND_ON.run(connection, old=old_job, new=new_job)
    CLOSE.run(connection, old=old_job, new=new_job, now_ns=now_ns)
