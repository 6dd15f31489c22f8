"""What the control database repeats of erased rejected rows goes; what it says of other rows of their files stays."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection

from casparian_flow.schema.notes import without_value
from casparian_flow.store.database import Database
from casparian_flow.store.scrubbing_rejects import Erasure, scrub_rejects

PLANTED = "Zy0n-9471"
ERASURE = Erasure(
    hashes=frozenset({"h1"}),
    tables=frozenset({"t"}),
    causes=frozenset({"c1"}),
    trimmed=frozenset({2}),
    earlier=frozenset({1}),
    by="X-9",
)


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    """Bytes that job 1 read, job 2 read again, and job 3 failed to; others, that job 4 read."""
    database = Database(tmp_path / "state.sqlite3")
    with database.transaction() as connection:
        insert(connection, "scout_sources", id=1, root=b"/e", only=b"", display="/e", added_at_ns=1)
        insert(
            connection, "cf_parsers", id=1, name="csv", version="1", artifact_hash="a", env_hash="e", path="p",
            origin="shipped", status="active", manifest="{}", registered_at_ns=1,
        )  # fmt: skip
        for place in (1, 2):
            insert(
                connection, "scout_locations", id=place, source_id=1, rel_path=b"%d" % place, display=str(place),
                kind="file", size=3, mtime_ns=1, ctime_ns=1, inode=1, is_dirty=0, is_missing=0, last_scan_id=1,
                current_version_id=place,
            )  # fmt: skip
            insert(connection, "scout_hashes", source_hash=f"h{place}", size=3, first_seen_at_ns=1)
            insert(
                connection, "scout_versions", id=place, location_id=place, source_hash=f"h{place}", size=3, mtime_ns=1,
                content="delimited", content_reason="why", detected_at_ns=1,
            )  # fmt: skip
        for job, place in ((1, 1), (2, 1), (3, 1), (4, 2)):
            is_failed = job == 3
            insert(
                connection, "cf_jobs", id=job, plan_id=1, location_id=place, version_id=place, source_hash=f"h{place}",
                parser_id=1, reason="new", config="{}", config_hash="c", routes="[]", base_table="t",
                state="failed" if is_failed else "completed", attempt=1, priority=0, queued_at_ns=1,
                error_code="parser-raised" if is_failed else None, error_message=PLANTED if is_failed else None,
                error_why=PLANTED if is_failed else None, receipt=a_receipt("t"),
            )  # fmt: skip
            insert(connection, "cf_job_logs", job_id=job, attempt=1, line=1, stream="stdout", text=PLANTED)
            if is_failed:  # what did not land has no findings
                continue
            insert(
                connection, "schema_drift", job_id=job, ordinal=0, table_name="t", axis="type", column_name="n",
                detail="int64", rows=1, samples=json.dumps([PLANTED]),
            )  # fmt: skip
            for cause in ("c1", "c2"):
                insert(
                    connection, "cf_quarantine_groups", job_id=job, table_name="t", code="cf.cast.int64",
                    column_name="n", shape=cause, rows=1, message=f"{PLANTED} {cause}", sample=PLANTED, state="open",
                    is_current=1, reference=cause,
                )  # fmt: skip
        yield connection
    database.close()


def insert(connection: Connection, table: str, **values: object) -> None:
    names, marks = ", ".join(f'"{name}"' for name in values), ", ".join("?" for _ in values)
    connection.exec_driver_sql(f"INSERT INTO {table} ({names}) VALUES ({marks})", tuple(values.values()))


def rows(connection: Connection, query: str) -> list[tuple[object, ...]]:
    return [tuple(row) for row in connection.exec_driver_sql(query).all()]


def a_receipt(table: str) -> str:
    group = {"table": table, "code": "cf.cast.int64", "column": "n", "shape": "c1", "rows": 1, "sample": PLANTED}
    note = {"table": table, "axis": "type", "column": "n", "rows": 1, "samples": [PLANTED], "survey": PLANTED}
    return json.dumps({"counts": [1], "groups": [group | {"message": PLANTED}], "drift": [note]})


def erase(connection: Connection) -> None:
    scrub_rejects(connection, ERASURE, without_value)


def test_the_entries_of_the_cause_keep_their_numbers_and_no_value(connection: Connection) -> None:
    erase(connection)
    kept = rows(connection, "SELECT job_id, reference FROM cf_quarantine_groups WHERE sample != '' OR message != ''")
    assert kept == [(2, "c2"), (4, "c1"), (4, "c2")]
    assert rows(connection, "SELECT sum(rows) FROM cf_quarantine_groups") == [(6,)]


def test_receipts_stay_without_the_values_and_messages_of_failures_go(connection: Connection) -> None:
    erase(connection)
    receipts = dict(rows(connection, "SELECT id, receipt FROM cf_jobs"))
    assert [job for job, text in receipts.items() if PLANTED in str(text)] == [4]
    assert json.loads(str(receipts[2]))["groups"][0]["rows"] == json.loads(str(receipts[2]))["drift"][0]["rows"] == 1
    assert rows(connection, "SELECT error_message, error_why FROM cf_jobs WHERE id = 3") == [("", None)]
    assert rows(connection, "SELECT error_message FROM cf_jobs WHERE id = 2") == [(None,)]


def test_printed_lines_and_values_that_drifted_go_for_these_bytes_alone(connection: Connection) -> None:
    erase(connection)
    assert rows(connection, "SELECT job_id FROM cf_job_logs") == [(4,)]
    assert rows(connection, "SELECT job_id FROM schema_drift WHERE samples != '[]'") == [(4,)]


@pytest.mark.parametrize(
    ("table", "job", "state", "became"),
    [("t", 2, "draft", "void"), ("t", 4, "draft", "draft"), ("u", 2, "draft", "draft"), ("t", 1, "applied", "applied")],
)
def test_a_proposal_that_was_made_with_such_values_ends(
    connection: Connection, table: str, job: int, state: str, became: str
) -> None:
    insert(
        connection, "cf_proposals", id=1, kind="waiver", state=state, signature="s", table_name=table, subject="",
        base_digest="b", body='{"kind": "amendment", "operations": []}', origin="system", proposed_by="casparian",
        drafted_at_ns=1, survey=PLANTED.encode(),
    )  # fmt: skip
    insert(
        connection, "cf_proposal_evidence", proposal_id=1, job_id=job, source_hash="h1" if job < 4 else "h2", rows=1,
        samples=json.dumps([PLANTED]), is_signed=0,
    )  # fmt: skip
    erase(connection)
    [(now, survey)] = rows(connection, "SELECT state, survey FROM cf_proposals")
    is_touched = (table, job) in (("t", 1), ("t", 2))
    assert (now, survey is None) == (became, is_touched)
    [(samples,)] = rows(connection, "SELECT samples FROM cf_proposal_evidence")
    assert (samples == "[]") is is_touched
