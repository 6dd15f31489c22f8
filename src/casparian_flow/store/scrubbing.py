"""Removes what the control database repeats of values of bytes that are erased: samples, messages, printed lines."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable
from typing import Any

from sqlalchemy import Connection, Executable, bindparam, case, delete, func, literal_column, null, select, update

from casparian_flow.core.hashing import PREFIX, SHORT_HASH
from casparian_flow.core.proposals import Kind, State
from casparian_flow.core.reasons import RunReason, SkipReason
from casparian_flow.store.contracts import void_with_proposals
from casparian_flow.store.prepared import each_of
from casparian_flow.store.tables import (
    backtest_files,
    contracts,
    decisions,
    drift,
    job_logs,
    jobs,
    proposal_evidence,
    proposals,
    quarantine,
    repairs,
    replay_files,
    replays,
    requests,
    verdicts,
    versions,
)

QUOTING = [RunReason.PARSER_CHANGED, RunReason.PREVIOUS_FAILED, SkipReason.GAVE_UP]
"""Decisions that repeat what the last error said."""
_jobs = select(jobs.c.id).where(jobs.c.source_hash.in_(each_of("hashes")))
_behind = select(proposal_evidence.c.proposal_id).where(proposal_evidence.c.source_hash.in_(each_of("hashes")))
_versions = select(versions.c.id).where(versions.c.source_hash.in_(each_of("hashes")))
STATEMENTS: tuple[Executable, ...] = (
    update(quarantine).where(quarantine.c.job_id.in_(_jobs)).values(message="", sample=""),
    update(drift).where(drift.c.job_id.in_(_jobs)).values(samples="[]"),
    delete(job_logs).where(job_logs.c.job_id.in_(_jobs)),
    delete(verdicts).where(verdicts.c.job_id.in_(_jobs)),
    update(jobs)
    .where(jobs.c.source_hash.in_(each_of("hashes")))
    .values(
        receipt=func.json_remove(jobs.c.receipt, "$.groups", "$.drift", "$.verdicts"),
        error_message=case((jobs.c.error_code.is_(None), null()), else_=""),
        error_why=null(),
    ),
    update(proposals)
    .where(proposals.c.kind != Kind.PURGE, proposals.c.id.in_(_behind))
    .where(
        proposals.c.state.in_([literal_column(f"'{state}'") for state in ("draft", "proposed", "changes_requested")])
    )
    .values(state="void", void_reason="rows behind it were erased"),
    update(proposals).where(proposals.c.id.in_(_behind)).values(survey=null()),
    update(proposal_evidence).where(proposal_evidence.c.source_hash.in_(each_of("hashes"))).values(samples="[]"),
)
FOR_GOOD: tuple[Executable, ...] = (
    update(decisions).where(decisions.c.version_id.in_(_versions), decisions.c.reason.in_(QUOTING)).values(detail=""),
    update(backtest_files).where(backtest_files.c.version_id.in_(_versions)).values(error=null()),
    update(requests).where(requests.c.status.is_not(None)).values(reply=null()),
)
"""Words about the bytes that may hold any of their values."""
REPAIRS = (
    update(repairs)
    .where(repairs.c.source_hash.in_(each_of("hashes")))
    .values(before="{}", after="{}", revoked_at_ns=func.coalesce(repairs.c.revoked_at_ns, bindparam("now_ns")))
)
"""A repair without its values must not hold: its file may come back."""
STOPS = (
    update(replays)
    .where(
        replays.c.stop_reason.is_not(None),
        replays.c.id.in_(select(replay_files.c.replay_id).where(replay_files.c.version_id.in_(_versions))),
    )
    .values(stop_reason=bindparam("why"))
)
BODIES = ((contracts, select(contracts.c.id, contracts.c.body)), (proposals, select(proposals.c.id, proposals.c.body)))
TOLD = (
    update(proposals)
    .where(proposals.c.id == bindparam("number"), proposals.c.digest.is_not(None))
    .values(
        void_reason=func.coalesce(proposals.c.void_reason + "; ", "") + bindparam("why"),
        state=case(
            (proposals.c.state.in_([State.PROPOSED, State.CHANGES_REQUESTED]), State.VOID), else_=proposals.c.state
        ),
    )
)
"""What was signed is another text than what is left, and nobody can decide about it."""


def scrub(
    connection: Connection, hashes: Iterable[str], without_value: Callable[[str], str], *, by: str, now_ns: int
) -> None:
    """Leave nothing of these bytes but numbers, names and digests; notes of columns lose the value they repeat.

    A proposal that was made with such a note says that its text was erased, and `by` what. No repair holds any more.
    """
    named = sorted(hashes)
    these = {"hashes": json.dumps(named)}
    for statement in STATEMENTS:
        connection.execute(statement, these)
    connection.execute(REPAIRS, these | {"now_ns": now_ns})
    scrub_words(connection, named, without_value, by=by)


def scrub_words(
    connection: Connection, named: Collection[str], without_value: Callable[[str], str], *, by: str
) -> None:
    """The part of it that cannot be told apart by rows: why replays stopped, and notes of columns."""
    these = {"hashes": json.dumps(sorted(named))}
    connection.execute(STOPS, these | {"why": f"erased by {by}"})
    for statement in FOR_GOOD:
        connection.execute(statement, these)
    shorts = {source_hash.removeprefix(PREFIX)[:SHORT_HASH] for source_hash in named}
    for table, query in BODIES:
        change = update(table).where(table.c.id == bindparam("number")).values(body=bindparam("its_body"))
        for row in connection.execute(query).all():
            said = json.loads(row.body)
            if _forget(spelled_columns(said), shorts, without_value):
                body = json.dumps(said, sort_keys=True, ensure_ascii=False)
                connection.execute(change, {"number": row.id, "its_body": body})
                if table is proposals:
                    connection.execute(TOLD, {"number": row.id, "why": f"its text was erased by {by}"})
    void_with_proposals(connection)


def spelled_columns(said: dict[str, Any]) -> list[dict[str, str]]:
    """The columns that a contract, its proposal or an amendment spells out."""
    added = [step["column"] for step in said.get("operations", ()) if isinstance(step.get("column"), dict)]
    return [*said.get("contract", said).get("columns", ()), *added]


def _forget(columns: Iterable[dict[str, str]], shorts: set[str], without_value: Callable[[str], str]) -> bool:
    """Whether one of the columns had a note that names these bytes."""
    named = [column for column in columns if any(short in column.get("note", "") for short in shorts)]
    for column in named:
        column["note"] = without_value(column["note"])
    return bool(named)
