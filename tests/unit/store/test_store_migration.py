"""A home of the first release is carried over with everything in it."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text

from casparian_flow.core.outputs import SinkMode, SinkTarget
from casparian_flow.core.receipts import Receipt
from casparian_flow.core.routes import Routes, routes_of
from casparian_flow.store import migrate, plans
from casparian_flow.store.database import Database
from casparian_flow.store.engine import make_engine
from casparian_flow.store.views import jobs as job_view

SINK = 'parquet:///out "ä"'
RECEIPT = {
    "counts": [{"table": "sales", "emitted": 2, "accepted": 2, "quarantined": 0, "rescued": 0}],
    "outputs": [
        {
            "table": "sales",
            "role": "accepted",
            "contract_version": 1,
            "schema_hash": "s",
            "rows": 2,
            "row_digest": "d",
            "files": [{"name": "v1/sales_5.1.0.parquet", "rows": 2, "size": 10, "digest": "f"}],
        }
    ],
    "groups": [],
    "drift": [],
    "verdicts": [],
    "isolation": "process",
    "seconds": 0.25,
    "bytes_read": 3,
    "host": "h",
    "user": "u",
    "version": "1",
}
FIRST_RELEASE = [
    "INSERT INTO scout_sources (id, root, \"only\", display, added_at_ns) VALUES (1, X'2F65', X'', '/e', 1)",
    """INSERT INTO scout_locations (id, source_id, rel_path, display, kind, size, mtime_ns, ctime_ns, inode, is_dirty,
        last_scan_id, current_version_id) VALUES (1, 1, X'61', 'a', 'file', 3, 1, 1, 1, 0, 1, 1)""",
    "INSERT INTO scout_hashes VALUES ('h1', 3, 1)",
    """INSERT INTO scout_versions (id, location_id, source_hash, size, mtime_ns, content, content_reason,
        detected_at_ns) VALUES (1, 1, 'h1', 3, 1, 'delimited', 'why', 1)""",
    """INSERT INTO cf_parsers VALUES (1, 'csv', '1', 'a1', 'e1', '/p', 'shipped', 'active', '{}', 1)""",
    "INSERT INTO cf_job_logs VALUES (5, 1, 0, 'stdout', 'a line')",
    """INSERT INTO cf_quarantine_groups VALUES (1, 5, 'sales', 'cf.cast', 'c', 'A', 1, 'm', 's', 'open', 1)""",
    "INSERT INTO cf_verdicts VALUES (5, 0, 'delimiter', ',', 1.0, NULL)",
]
JOB = text(
    """INSERT INTO cf_jobs (id, plan_id, location_id, version_id, source_hash, parser_id, reason, config, config_hash,
        sink_uri, sink_mode, base_table, state, attempt, priority, queued_at_ns, receipt)
    VALUES (:id, 1, 1, 1, 'h1', 1, 'new', '{}', 'c', :sink, :mode, 'sales', :state, 1, 10, 1, :receipt)"""
)
DONE = text(
    """INSERT INTO cf_materializations (id, key, job_id, target_key, source_hash, parser_name, artifact_hash, env_hash,
        config_hash, sink_uri, sink_mode, table_name, contract_hash, contract_version, accepted, quarantined,
        row_digest, is_current, recorded_at_ns)
    VALUES (9, 'k', 5, 't', 'h1', 'csv', 'a1', 'e1', 'c', :sink, 'append', 'sales', 'ch', 1, 2, 1, 'd', 1, 1)"""
)


def make_first_release(path: Path) -> None:
    engine = make_engine(path, read_only=False)
    scripts = migrate._scripts()
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"fn": lambda revision, _context: scripts._upgrade_revs("0001", revision)}
        )
        with connection.begin(), Operations.context(context):
            context.run_migrations()
        with connection.begin():
            for statement in FIRST_RELEASE[:5]:
                connection.exec_driver_sql(statement)
            done = {"sink": SINK, "mode": "append", "receipt": json.dumps(RECEIPT)}
            connection.execute(JOB, {"id": 5, "state": "completed"} | done)
            connection.execute(JOB, {"id": 6, "state": "committing"} | done | {"mode": "replace"})
            connection.execute(JOB, {"id": 7, "state": "failed"} | done | {"receipt": None})
            for statement in FIRST_RELEASE[5:]:
                connection.exec_driver_sql(statement)
            connection.execute(DONE, {"sink": SINK})
    engine.dispose()


def test_a_home_of_the_first_release_is_carried_over_with_its_rows(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite3"
    make_first_release(path)
    database = Database(path)
    with database.transaction() as connection:
        assert migrate.live_fingerprint(connection) == migrate.expected_fingerprint()
        found = {row["id"]: row for row in job_view.list_jobs(connection, job_view.JobFilter(), before=None, limit=9)}
        assert {job: row["state"] for job, row in found.items()} == {5: "completed", 6: "committing", 7: "failed"}
        assert found[5]["routes"] == Routes(default=(SinkTarget(SINK),)).to_json()
        assert routes_of(found[6]["routes"]).default == (SinkTarget(SINK, SinkMode.REPLACE),)
        assert (found[5]["accepted"], found[5]["quarantined"]) == (2, 1)
        for job in (5, 6):
            receipt = msgspec.json.decode(found[job]["receipt"], type=Receipt)
            assert [output.sink for output in receipt.outputs] == [SINK]
            receipt.check_conservation(routes_of(found[job]["routes"]))
        assert found[7]["receipt"] is None
        [done] = plans.done(connection)
        assert (done.sink_uri, done.sink_mode, done.table_name, done.is_current) == (SINK, "append", "sales", True)
        assert len(job_view.last_lines(connection, 5, None, 10)) == len(job_view.verdicts_of(connection, 5)) == 1
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
    database.close()


def test_a_migrated_home_opens_again_without_a_change(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite3"
    make_first_release(path)
    Database(path).close()
    before = path.read_bytes()
    Database(path).close()
    assert path.read_bytes() == before
