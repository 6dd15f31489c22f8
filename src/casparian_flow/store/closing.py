"""Closes what the control database repeats of values that may not be seen from now on, in words and in samples."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec
from sqlalchemy import Connection, Executable, bindparam, exists, func, literal_column, null, or_, select, update

from casparian_flow.core.quarantine import QuarantineGroup
from casparian_flow.core.receipts import Receipt, VerdictNote
from casparian_flow.store import closings
from casparian_flow.store.engine import AnyRow
from casparian_flow.store.prepared import each_of
from casparian_flow.store.scrubbing import QUOTING
from casparian_flow.store.scrubbing import TOLD as VOID_AS_TOLD
from casparian_flow.store.tables import (
    backtest_files,
    backtests,
    causes,
    contracts,
    decisions,
    drift,
    job_logs,
    jobs,
    parsers,
    proposal_evidence,
    proposals,
    quarantine,
    repairs,
    replay_files,
    replays,
    requests,
    verdicts,
)

AT_ONCE = 1000
"""Jobs of which everything that is kept is looked at together."""
PARSERS = select(parsers.c.id, parsers.c.name, parsers.c.manifest)
MEETING = select(jobs.c.id, jobs.c.source_hash, parsers.c.name.label("parser")).join(
    parsers, parsers.c.id == jobs.c.parser_id
)
OF_PARSERS = jobs.c.parser_id.in_(each_of("parsers"))
OF_FILES = jobs.c.parser_id.in_(each_of("by_file")) & jobs.c.base_table.in_(each_of("bases"))
_jobs, _hashes = each_of("jobs"), each_of("hashes")
GROUPS = (
    select(quarantine, parsers.c.path)
    .join(jobs, jobs.c.id == quarantine.c.job_id)
    .join(parsers, parsers.c.id == jobs.c.parser_id)
    .where(quarantine.c.job_id.in_(_jobs))
)
CLOSE_GROUP = (
    update(quarantine)
    .where(quarantine.c.id == bindparam("number"))
    .values(message=bindparam("its_message"), sample=bindparam("its_sample"), shape=bindparam("its_shape"))
)
CLOSE_CAUSE = (
    update(causes)
    .where(causes.c.reference == bindparam("named"), causes.c.table_name == bindparam("of_table"))
    .values(shape=bindparam("its_shape") + " " + causes.c.reference)
)
"""No two causes are alike, and those that their values told apart go on being two."""
DRIFT = select(drift.c.job_id, drift.c.ordinal, drift.c.table_name, drift.c.column_name, drift.c.samples).where(
    drift.c.job_id.in_(_jobs), drift.c.samples != literal_column("'[]'")
)
CLOSE_DRIFT = (
    update(drift)
    .where(drift.c.job_id == bindparam("of_job"), drift.c.ordinal == bindparam("at"))
    .values(samples=bindparam("its_samples"))
)
RECEIPTS = (
    select(jobs.c.id, jobs.c.receipt, parsers.c.path)
    .join(parsers, parsers.c.id == jobs.c.parser_id)
    .where(jobs.c.id.in_(_jobs), jobs.c.receipt.is_not(None))
    .where(or_(*(func.json_array_length(jobs.c.receipt, f"$.{each}") > 0 for each in ("groups", "drift", "verdicts"))))
)
CLOSE_RECEIPT = update(jobs).where(jobs.c.id == bindparam("of_job")).values(receipt=bindparam("its_receipt"))
VERDICTS = (
    select(verdicts, parsers.c.path)
    .join(jobs, jobs.c.id == verdicts.c.job_id)
    .join(parsers, parsers.c.id == jobs.c.parser_id)
    .where(verdicts.c.job_id.in_(_jobs))
)
CLOSE_VERDICT = (
    update(verdicts)
    .where(verdicts.c.job_id == bindparam("of_job"), verdicts.c.ordinal == bindparam("at"))
    .values(name=bindparam("its_name"), value=bindparam("its_value"), runner_up=bindparam("second"))
)
ERRORS = (
    select(jobs.c.id, jobs.c.error_code, jobs.c.error_message, jobs.c.error_why, parsers.c.name)
    .join(parsers, parsers.c.id == jobs.c.parser_id)
    .where(jobs.c.id.in_(_jobs), jobs.c.error_code.is_not(None))
)
CLOSE_ERROR = (
    update(jobs)
    .where(jobs.c.id == bindparam("of_job"))
    .values(error_message=bindparam("its_message"), error_why=bindparam("its_why"))
)
CLOSE_LINES = (
    update(job_logs)
    .where(job_logs.c.job_id.in_(_jobs))
    .values(text="‹text " + func.length(job_logs.c.text).concat(" chars›"))
)
CLOSE_DECISIONS = (
    update(decisions)
    .where(
        decisions.c.reason.in_(QUOTING),
        decisions.c.version_id.in_(select(jobs.c.version_id).where(jobs.c.id.in_(_jobs))),
    )
    .values(detail=bindparam("why"))
)
CLOSE_TRIALS = (
    update(backtest_files)
    .where(
        backtest_files.c.error.is_not(None),
        backtest_files.c.backtest_id.in_(select(backtests.c.id).where(backtests.c.parser_name.in_(each_of("names")))),
    )
    .values(error=bindparam("why"))
)
CLOSE_STOPS = (
    update(replays)
    .where(
        replays.c.stop_reason.is_not(None),
        exists(
            select(replay_files.c.replay_id).where(
                replay_files.c.replay_id == replays.c.id,
                replay_files.c.old_job.in_(_jobs) | replay_files.c.new_job.in_(_jobs),
            )
        ),
    )
    .values(stop_reason=bindparam("why"))
)
CLOSE_REPLIES = update(requests).where(requests.c.status.is_not(None)).values(reply=null())
REPAIRS = select(repairs).where(
    or_(repairs.c.table_name == bindparam("of_table"), repairs.c.source_hash.in_(_hashes)),
    repairs.c.parser_name.in_(each_of("names")),
)
CLOSE_REPAIR = (
    update(repairs)
    .where(repairs.c.id == bindparam("number"))
    .values(before=bindparam("its_before"), after=bindparam("its_after"), revoked_at_ns=bindparam("revoked"))
)
PROPOSALS = select(proposals.c.id, proposals.c.table_name, proposals.c.body, proposals.c.survey).where(
    or_(
        proposals.c.table_name == bindparam("of_table"),
        proposals.c.id.in_(select(proposal_evidence.c.proposal_id).where(proposal_evidence.c.job_id.in_(_jobs))),
    )
)
CLOSE_PROPOSAL = (
    update(proposals)
    .where(proposals.c.id == bindparam("number"))
    .values(body=bindparam("its_body"), survey=bindparam("its_survey"))
)
CLOSE_EVIDENCE = (
    update(proposal_evidence)
    .where(proposal_evidence.c.proposal_id == bindparam("number"), proposal_evidence.c.samples != "[]")
    .values(samples="[]")
)
CONTRACTS = select(contracts.c.id, contracts.c.table_name, contracts.c.body).where(
    contracts.c.table_name == bindparam("of_table")
)
CLOSE_CONTRACT = update(contracts).where(contracts.c.id == bindparam("number")).values(body=bindparam("its_body"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Meeting:
    """Jobs that may have come upon the values, by number, with their bytes; the names of their parsers.

    `loud` are those of which every word was kept.
    """

    jobs: Mapping[int, str]
    loud: tuple[int, ...]
    parsers: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A proposal with nothing closed in it; `has_samples`: its evidence may keep them."""

    body: str
    survey: bytes | None
    has_samples: bool


class Told(Protocol):
    """What is left of everything that may repeat a value. What was closed before comes back as it is."""

    def group(self, group: QuarantineGroup, path: str) -> QuarantineGroup:
        """A group that the parser at `path` brought."""
        ...

    def samples(self, table: str, column: str, samples: Sequence[str]) -> Sequence[str]:
        """Samples of a column."""
        ...

    def receipt(self, receipt: Receipt, path: str) -> Receipt:
        """A receipt of the parser at `path`."""
        ...

    def verdict(self, verdict: VerdictNote, path: str) -> VerdictNote:
        """What the parser at `path` detected."""
        ...

    def error(self, parser: str, code: str, message: str, why: str | None) -> tuple[str, str | None]:
        """What is told of an error, and why it happened."""
        ...

    def repair(
        self, table: str, before: Mapping[str, str | None], after: Mapping[str, str | None]
    ) -> tuple[Mapping[str, str | None], Mapping[str, str | None]]:
        """What is told of a repair."""
        ...

    def proposal(self, table: str | None, body: str, survey: bytes | None) -> Said:
        """What is left of a proposal."""
        ...

    def contract(self, table: str, body: str) -> str:
        """What is left of the text of a contract."""
        ...


class _Changes:
    """One statement for many rows, made together: alone each would take as long as all. The same change is one."""

    def __init__(self, connection: Connection, statement: Executable) -> None:
        self._connection = connection
        self._statement = statement
        self._found: dict[tuple[object, ...], dict[str, object]] = {}

    def add(self, values: Mapping[str, object]) -> None:
        """One row more."""
        self._found[tuple(values.values())] = dict(values)

    def make(self) -> None:
        """Change all of them."""
        if self._found:
            self._connection.execute(self._statement, list(self._found.values()))


def meeting(
    connection: Connection,
    named: Sequence[int],
    by_file: Sequence[int],
    bases: Sequence[str],
    *,
    loud: Sequence[int],
    loud_bases: Sequence[str],
) -> Meeting:
    """The jobs of these parsers: all those of `named`, of `by_file` those of files with these base names.

    `loud` and `loud_bases` are those of them of which every word was kept until now.
    """

    def of(parsers: Sequence[int], files: Sequence[str]) -> Sequence[AnyRow]:
        given = {"parsers": parsers, "by_file": by_file, "bases": files}
        return connection.execute(MEETING.where(or_(OF_PARSERS, OF_FILES)), _lists(given)).all()

    found = of(named, bases)
    return Meeting(
        jobs={row.id: row.source_hash for row in found},
        loud=tuple(row.id for row in of(loud, loud_bases)),
        parsers=tuple(sorted({row.parser for row in found})),
    )


def close(connection: Connection, table: str, met: Meeting, told: Told, *, by: str, now_ns: int) -> set[int]:
    """Leave nothing closed in what is kept of a table and of these jobs; those of which a repair holds no more.

    A decided proposal whose text changed says that it was closed `by` what. The file itself is to be written anew
    afterwards, and what is out to be read anew, see `closings`.
    """
    of_all = _lists({"jobs": met.jobs, "hashes": sorted(set(met.jobs.values())), "names": met.parsers})
    for some in _parts(sorted(met.jobs)):
        _close_rows(connection, some, told)
    why = f"its text was closed by {by}"
    for some in _parts(met.loud):
        _close_words(connection, some, told, why)
    connection.execute(CLOSE_TRIALS, of_all | {"why": why})
    connection.execute(CLOSE_STOPS, of_all | {"why": why})
    connection.execute(CLOSE_REPLIES)
    _close_proposals(connection, table, of_all, told, why)
    for row in connection.execute(CONTRACTS, {"of_table": table}).all():
        if (body := told.contract(row.table_name, row.body)) != row.body:
            connection.execute(CLOSE_CONTRACT, {"number": row.id, "its_body": body})
    closings.add(connection)
    unrepaired = _close_repairs(connection, of_all | {"of_table": table}, told, now_ns)
    return {job for job, source_hash in met.jobs.items() if source_hash in unrepaired}


def _close_rows(connection: Connection, these: dict[str, str], told: Told) -> None:
    """What is kept of causes, drift and whole receipts."""
    change_groups, change_causes = _Changes(connection, CLOSE_GROUP), _Changes(connection, CLOSE_CAUSE)
    for row in connection.execute(GROUPS, these).all():
        was = QuarantineGroup(
            table=row.table_name,
            code=row.code,
            column=row.column_name,
            shape=row.shape,
            rows=row.rows,
            sample=row.sample,
            message=row.message,
        )
        if (now := told.group(was, row.path)) == was:
            continue
        change = {"its_message": now.message, "its_sample": now.sample, "its_shape": now.shape}
        change_groups.add({"number": row.id} | change)
        if now.shape != was.shape:
            change_causes.add({"named": row.reference, "of_table": row.table_name, "its_shape": now.shape})
    change_drift = _Changes(connection, CLOSE_DRIFT)
    for row in connection.execute(DRIFT, these).all():
        samples = json.loads(row.samples)
        if (shown := list(told.samples(row.table_name, row.column_name, samples))) != samples:
            text = json.dumps(shown, ensure_ascii=False)
            change_drift.add({"of_job": row.job_id, "at": row.ordinal, "its_samples": text})
    change_receipts = _Changes(connection, CLOSE_RECEIPT)
    for row in connection.execute(RECEIPTS, these).all():
        receipt = msgspec.json.decode(row.receipt, type=Receipt)
        if (kept := told.receipt(receipt, row.path)) != receipt:
            text = msgspec.json.encode(kept).decode()
            change_receipts.add({"of_job": row.id, "its_receipt": text})
    change_verdicts = _Changes(connection, CLOSE_VERDICT)
    for row in connection.execute(VERDICTS, these).all():
        said = VerdictNote(name=row.name, value=row.value, confidence=row.confidence, runner_up=row.runner_up)
        if (closed := told.verdict(said, row.path)) != said:
            left: dict[str, object] = {"its_name": closed.name, "its_value": closed.value, "second": closed.runner_up}
            change_verdicts.add({"of_job": row.job_id, "at": row.ordinal} | left)

    for changes in (change_groups, change_causes, change_drift, change_receipts, change_verdicts):
        changes.make()


def _close_words(connection: Connection, these: dict[str, str], told: Told, why: str) -> None:
    """What parsers printed, what errors said, and what was decided because of them."""
    connection.execute(CLOSE_DECISIONS, these | {"why": why})
    connection.execute(CLOSE_LINES, these)
    change_errors = _Changes(connection, CLOSE_ERROR)
    for row in connection.execute(ERRORS, these).all():
        message, reason = told.error(row.name, row.error_code, row.error_message or "", row.error_why)
        if (message, reason) != (row.error_message, row.error_why):
            change: dict[str, object] = {"its_message": message, "its_why": reason}
            change_errors.add({"of_job": row.id} | change)

    change_errors.make()


def _close_proposals(connection: Connection, table: str, these: dict[str, str], told: Told, why: str) -> None:
    for row in connection.execute(PROPOSALS, these | {"of_table": table}).all():
        said = told.proposal(row.table_name, row.body, row.survey)
        if (said.body, said.survey) != (row.body, row.survey):
            change = {"number": row.id, "its_body": said.body, "its_survey": said.survey}
            connection.execute(CLOSE_PROPOSAL, change)
        cleared = 0 if said.has_samples else connection.execute(CLOSE_EVIDENCE, {"number": row.id}).rowcount
        if cleared or said.body != row.body:
            connection.execute(VOID_AS_TOLD, {"number": row.id, "why": why})


def _close_repairs(connection: Connection, these: dict[str, str], told: Told, now_ns: int) -> set[str]:
    """A repair without one of its values must not hold; the bytes of those that did."""
    ended = set()
    changes = _Changes(connection, CLOSE_REPAIR)
    for row in connection.execute(REPAIRS, these).all():
        was = json.loads(row.before), json.loads(row.after)
        before, after = told.repair(row.table_name, *was)
        if (dict(before), dict(after)) == was:
            continue
        revoked: Any = row.revoked_at_ns
        if dict(after) != was[1] and revoked is None:
            revoked = now_ns
            ended.add(row.source_hash)
        changes.add({"number": row.id, "its_before": _text(before), "its_after": _text(after), "revoked": revoked})
    changes.make()
    return ended


def _text(values: Mapping[str, str | None]) -> str:
    return json.dumps(dict(values), ensure_ascii=False)


def _parts(jobs: Sequence[int]) -> Iterator[dict[str, str]]:
    """The jobs, so many at once that what is kept of them fits into memory."""
    for at in range(0, len(jobs), AT_ONCE):
        yield _lists({"jobs": jobs[at : at + AT_ONCE]})


def _lists(named: Mapping[str, Iterable[object]]) -> dict[str, str]:
    return {name: json.dumps(list(values)) for name, values in named.items()}
