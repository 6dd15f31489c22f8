"""Every text that the database keeps either never repeats what a cell holds, or is closed with the cell's column."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pyarrow as pa
import pytest
from sqlalchemy import Connection, LargeBinary, Text

from casparian_flow.core.contract_text import to_json
from casparian_flow.core.contracts import Contract, ContractColumn
from casparian_flow.core.quarantine import QuarantineGroup
from casparian_flow.core.receipts import DriftNote, Receipt, VerdictNote
from casparian_flow.publish.manifest import EntryForm, Manifest
from casparian_flow.schema.survey import Survey
from casparian_flow.sentinel.governance.closing import close_columns
from casparian_flow.sentinel.planning.catalog import manifest_text
from casparian_flow.store import closing, closings
from casparian_flow.store.database import Database
from casparian_flow.store.tables import metadata

NAMES = frozenset(
    {
        "actor", "added_by", "asked_by", "author", "base_table", "code", "column_name", "decided_by", "error_code",
        "made_by", "name", "only", "origin", "owner", "parser", "parser_name", "path", "proposed_by", "set_by",
        "sink_uri", "subject", "table_name", "tag", "topic", "uri", "worker",
    }
)  # fmt: skip
"""Names of things and of people, in whatever table but `cf_verdicts`: a parser names its verdicts as it likes."""
NEVER = {
    "cf_approvals.reason": "a person's",
    "cf_approvals.signature": "a signature",
    "cf_backtests.config": "options that a person gave",
    "cf_backtests.contracts": "names and digests",
    "cf_backtests.selection": "names and numbers",
    "cf_backtests.stop_reason": "numbers of files and rows",
    "cf_backtests.totals": "numbers",
    "cf_backtest_files.digests": "digests",
    "cf_backtest_files.expected": "numbers and digests",
    "cf_causes.note": "a person's",
    "cf_commits.body": "names of files, numbers, digests",
    "cf_commits.reason": "a person's",
    "cf_jobs.config": "options that a person gave",
    "cf_jobs.hold": "names of tables, numbers, digests",
    "cf_jobs.routes": "names of sinks",
    "cf_jobs.session": "a nonce",
    "cf_keys.public": "a key",
    "cf_meta.value": "numbers, names, digests, reasons of persons",
    "cf_options.config": "options that a person gave",
    "cf_options.reason": "a person's",
    "cf_parsers.manifest": "what a parser declares",
    "cf_parsers.version": "a version",
    "cf_plans.request": "what a person asked for",
    "cf_plans.summary": "numbers",
    "cf_proposals.empirical": "numbers, and paths of files",
    "cf_proposals.impact": "numbers and digests",
    "cf_proposals.reason": "a person's",
    "cf_proposals.verdicts": "what follows from two contracts",
    "cf_proposals.void_reason": "ours, or a person's",
    "cf_repairs.reason": "a person's",
    "cf_replay_files.expected": "numbers and digests",
    "cf_replays.causes": "digests",
    "cf_replays.config": "options that a person gave",
    "cf_replays.reason": "a person's",
    "cf_runs.policy": "settings",
    "cf_tokens.scopes": "words of ours",
    "cf_tombstones.files": "names of files",
    "cf_tombstones.receipt": "numbers and digests",
    "cf_watches.cwd": "a path",
    "cf_watches.request": "what a person asked for",
    "cf_workers.environments": "digests",
    "cf_workers.host": "a host",
    "cf_workers.isolation": "a word of ours",
    "cf_workers.labels": "what a worker says of itself",
    "cf_workers.parsers": "names",
    "cf_workers.product": "a version",
    "cf_workers.session": "a nonce",
    "schema_contracts.decision_reason": "a person's",
    "schema_contracts.evidence": "numbers of jobs, and a person's reason",
    "schema_drift.detail": "a rule's name or a type",
    "scout_locations.display": "a path",
    "scout_locations.problem": "what the operating system says of a path",
    "scout_locations.rel_path": "a path",
    "scout_rules.pattern": "a person's",
    "scout_sources.display": "a path",
    "scout_sources.ignore": "a person's",
    "scout_sources.root": "a path",
    "scout_versions.content_reason": "words of ours",
}
CLOSED = {
    "cf_backtest_files.error",
    "cf_causes.shape",
    "cf_decisions.detail",
    "cf_job_logs.text",
    "cf_jobs.error_message",
    "cf_jobs.error_why",
    "cf_jobs.receipt",
    "cf_proposal_evidence.samples",
    "cf_proposals.body",
    "cf_proposals.survey",
    "cf_quarantine_groups.message",
    "cf_quarantine_groups.sample",
    "cf_quarantine_groups.shape",
    "cf_repairs.after",
    "cf_repairs.before",
    "cf_replays.stop_reason",
    "cf_requests.reply",
    "cf_verdicts.name",
    "cf_verdicts.runner_up",
    "cf_verdicts.value",
    "schema_contracts.body",
    "schema_drift.samples",
}
"""What `close_columns` closes: the test below plants a value in each."""

PLANTED = "§7⁄Zy0n-9471"
"""With signs that stay in its shape."""
SHAPE = "§9⁄A9A-9999"
HASH = "blake3:" + "ab" * 32
NOTE = f"would be int64 but for '{PLANTED}' ({'ab' * 6}:3)"


def test_every_text_column_has_a_decision() -> None:
    texts = {
        f"{table.name}.{column.name}"
        for table in metadata.sorted_tables
        for column in table.c
        if isinstance(column.type, (Text, LargeBinary)) and (column.name not in NAMES or table.name == "cf_verdicts")
    }
    assert texts - NEVER.keys() - CLOSED == set(), "may they repeat what a cell holds? then a scrub has to reach them"
    assert (NEVER.keys() | CLOSED) - texts == set(), "columns that are not there any more"


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    database = Database(tmp_path / "state.sqlite3")
    with database.transaction() as connection:
        yield connection
    database.close()


def insert(connection: Connection, table: str, **values: object) -> None:
    """One row; what is not given is as empty as it may be."""
    known = metadata.tables[table]
    empty: dict[str, object] = {
        column.name: _nothing(column.type.python_type)
        for column in known.c
        if not column.nullable and column.server_default is None and column.name != "id"
    }
    connection.execute(known.insert(), empty | values)


def _nothing(kind: type) -> object:
    return {str: "", int: 0, bytes: b"", float: 0.0, bool: False}[kind]


def dump(connection: Connection) -> dict[str, str]:
    """Every column of the database as text."""
    found: dict[str, list[str]] = {}
    for table in metadata.sorted_tables:
        for row in connection.execute(table.select()).mappings():
            for name, value in row.items():
                text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
                found.setdefault(f"{table.name}.{name}", []).append(text)
    return {name: "\n".join(texts) for name, texts in found.items()}


def clear_in(connection: Connection) -> set[str]:
    escaped = json.dumps(PLANTED)[1:-1]
    return {name for name, text in dump(connection).items() if any(each in text for each in (PLANTED, escaped, SHAPE))}


def column(*, closed: bool = False) -> ContractColumn:
    return ContractColumn("pin", "int64", sensitivity="secret" if closed else "internal", note="" if closed else NOTE)


BEFORE = Contract("staff", 1, (ContractColumn("name", "string"), column()))
AFTER = Contract("staff", 2, (ContractColumn("name", "string"), column(closed=True)))
MANIFEST = Manifest(name="staff", entry=next(iter(EntryForm)), outputs={"staff": BEFORE.columns[:1]})


def plant(connection: Connection) -> None:
    """The value wherever it may come to, by a job that nobody closed."""
    insert(connection, "scout_sources", id=1, root=b"/e", display="/e")
    insert(connection, "scout_locations", id=1, source_id=1, rel_path=b"a", display="a", kind="file")
    insert(connection, "scout_hashes", source_hash=HASH)
    insert(connection, "scout_versions", id=1, location_id=1, source_hash=HASH, content="text")
    insert(connection, "cf_parsers", id=1, name="staff", path="/plugins/staff.py", manifest=manifest_text(MANIFEST))
    group = QuarantineGroup(
        table="staff", code="cf.cast", column="pin", shape=SHAPE, rows=1, sample=PLANTED,
        message=f"pin: expected int64, found '{PLANTED}'",
    )  # fmt: skip
    note = DriftNote(table="staff", axis="type", column="pin", detail="", rows=1, samples=(PLANTED,), survey=surveyed())
    verdict = VerdictNote(name=PLANTED, value=PLANTED, confidence=1.0, runner_up=PLANTED)
    receipt = Receipt(
        counts=(), outputs=(), groups=(group,), drift=(note,), verdicts=(verdict,), isolation="", seconds=0.0,
        bytes_read=0,
    )  # fmt: skip
    insert(
        connection, "cf_jobs", id=1, location_id=1, version_id=1, source_hash=HASH, parser_id=1, state="failed",
        error_code="parser-raised", error_message=f"staff: ValueError: {PLANTED}", error_why=PLANTED,
        receipt=msgspec.json.encode(receipt).decode(),
    )  # fmt: skip
    insert(
        connection, "cf_quarantine_groups", id=1, job_id=1, table_name="staff", code="cf.cast", column_name="pin",
        shape=SHAPE, message=group.message, sample=PLANTED, state="open", reference="3adb6945",
    )  # fmt: skip
    insert(
        connection, "cf_causes", reference="3adb6945", table_name="staff", code="cf.cast", column_name="pin",
        shape=SHAPE, parser_name="staff",
    )  # fmt: skip
    insert(
        connection, "cf_verdicts", job_id=1, ordinal=0, name=PLANTED, value=PLANTED, runner_up=PLANTED, confidence=1.0
    )
    insert(connection, "cf_job_logs", job_id=1, attempt=1, line=1, stream="stdout", text=f"row {PLANTED}")
    insert(
        connection, "schema_drift", job_id=1, ordinal=0, table_name="staff", axis="type", column_name="pin",
        samples=json.dumps([PLANTED]),
    )  # fmt: skip
    insert(
        connection, "cf_decisions", location_id=1, version_id=1, action="run", reason="previous_failed",
        detail=f"ValueError: {PLANTED}",
    )  # fmt: skip
    insert(connection, "cf_backtests", id=1, parser_name="staff")
    insert(connection, "cf_backtest_files", backtest_id=1, version_id=1, outcome="failed", error=f"at {PLANTED}")
    insert(connection, "cf_replays", id=1, kind="manual", stage="stopped", stop_reason=f"a: cf.x: {PLANTED}")
    insert(connection, "cf_replay_files", replay_id=1, version_id=1, old_job=1, expected="{}")
    insert(connection, "cf_requests", key="k", status=200, reply=PLANTED.encode())
    insert(
        connection, "cf_repairs", id=1, source_hash=HASH, parser_name="staff", table_name="staff", source_row=1,
        before=json.dumps({"pin": PLANTED}), after=json.dumps({"pin": PLANTED}),
    )  # fmt: skip
    asked = {
        "kind": "amendment",
        "operations": [{"op": "add", "column": {"name": "pin", "type": "int64", "note": NOTE}}],
    }
    insert(
        connection, "cf_proposals", id=1, kind="amendment", state="rejected", signature="s", table_name="staff",
        body=json.dumps(asked, ensure_ascii=False), origin="system", survey=surveyed(), digest="d",
    )  # fmt: skip
    insert(
        connection, "cf_proposal_evidence", proposal_id=1, job_id=1, source_hash=HASH, samples=json.dumps([PLANTED]),
        is_signed=True,
    )  # fmt: skip
    insert(
        connection, "schema_contracts", id=1, table_name="staff", version=1, state="applied", origin="adopted",
        body=to_json(BEFORE),
    )  # fmt: skip


def surveyed() -> bytes:
    """The survey of a column with the value, as drift brings it."""
    survey = Survey.empty()
    batch = pa.record_batch({"pin": pa.array([PLANTED])})
    survey.add_from(batch, pa.array([1], pa.int64()), [(HASH, 1)])
    return survey.to_bytes()


def test_what_is_closed_is_closed_wherever_it_was_said(connection: Connection) -> None:
    plant(connection)
    assert clear_in(connection) == CLOSED, "the value is planted in every column that may repeat one"
    unrepaired = close_columns(connection, {"staff": BEFORE}, AFTER, by="A-9", now_ns=7)
    assert clear_in(connection) == set()
    assert unrepaired == {1}
    assert closings.due(connection) is not None


def test_what_many_jobs_said_is_closed_part_by_part(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(connection)
    for job in (2, 3):
        insert(
            connection, "cf_jobs", id=job, location_id=1, version_id=1, source_hash=HASH, parser_id=1, state="failed",
            error_code="parser-raised", error_message=f"staff: ValueError: {PLANTED}",
        )  # fmt: skip
        insert(connection, "cf_job_logs", job_id=job, attempt=1, line=1, stream="stdout", text=f"row {PLANTED}")
        insert(connection, "cf_verdicts", job_id=job, ordinal=0, name="last", value=PLANTED, confidence=1.0)
    monkeypatch.setattr(closing, "AT_ONCE", 2)
    close_columns(connection, {"staff": BEFORE}, AFTER, by="A-9", now_ns=7)
    assert clear_in(connection) == set()


def test_what_was_closed_before_stays_as_it_is_when_more_is_closed(connection: Connection) -> None:
    plant(connection)
    close_columns(connection, {"staff": BEFORE}, AFTER, by="A-9", now_ns=7)
    before = dump(connection)
    more = replace(AFTER, columns=tuple(replace(each, sensitivity="secret") for each in AFTER.columns))
    close_columns(connection, {"staff": AFTER}, more, by="A-10", now_ns=8)
    changed = {name for name, text in dump(connection).items() if text != before[name]}
    assert changed == {
        "cf_backtest_files.error", "cf_replays.stop_reason", "cf_meta.value",
    }, "which say by what they were closed, and how often something was"  # fmt: skip
