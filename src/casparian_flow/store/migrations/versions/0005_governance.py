"""Governed changes: proposals, decisions, keys; replays, repairs, backtests; a name for every cause of rejections."""

import json
import secrets
import sqlite3

import sqlalchemy as sa
from alembic import op
from blake3 import blake3

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

PROPOSAL_STATES = (
    "state IN ('draft', 'proposed', 'approved', 'applied', 'changes_requested', 'rejected', 'withdrawn', 'void')"
)
NAME_GROUPS = """
UPDATE cf_quarantine_groups SET reference = (
    SELECT cause_reference(p.name, cf_quarantine_groups.table_name, code, column_name, shape)
    FROM cf_jobs j JOIN cf_parsers p ON p.id = j.parser_id WHERE j.id = job_id
)
"""
ADD_CAUSES = """
INSERT OR IGNORE INTO cf_causes (reference, table_name, code, column_name, shape, parser_name, changed_at_ns)
SELECT q.reference, q.table_name, q.code, q.column_name, q.shape, p.name,
    max(coalesce(j.finished_at_ns, j.queued_at_ns))
FROM cf_quarantine_groups q JOIN cf_jobs j ON j.id = q.job_id JOIN cf_parsers p ON p.id = j.parser_id
GROUP BY q.reference, q.table_name, q.code, q.column_name, q.shape, p.name
ORDER BY min(q.id)
"""
HELD = (
    "SELECT id, table_name, body, evidence, proposed_at_ns, proposed_by FROM schema_contracts WHERE state = 'proposed'"
)
BEHIND = sa.text("SELECT id, source_hash, rows_read FROM cf_jobs WHERE id IN (SELECT value FROM json_each(:jobs))")
ADD_PROPOSAL = sa.text("""
INSERT INTO cf_proposals (id, kind, state, signature, table_name, subject, base_digest, body, evidence_rows,
    evidence_files, round, evidence_digest, risk, digest, origin, proposed_by, drafted_at_ns, proposed_at_ns)
VALUES (:id, 'contract', 'proposed', :signature, :table, :subject, '', :body, :rows, :files, 1, :evidence,
    'additive', :digest, 'system', :by, :at, :at)
""")
ADD_EVIDENCE = sa.text("""
INSERT INTO cf_proposal_evidence (proposal_id, job_id, source_hash, rows, samples, is_signed)
VALUES (:proposal, :job, :source, :rows, '[]', 1)
""")


def upgrade() -> None:
    """Make the new tables and columns, name what is in quarantine, and propose the contracts that are held."""
    _make_proposals()
    _make_remedies()
    _make_trials()
    _add_columns()
    _name_causes(op.get_bind())
    _propose_held(op.get_bind())


def _name_causes(connection: sa.Connection) -> None:
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    driver.create_function("cause_reference", 5, _reference, deterministic=True)
    connection.exec_driver_sql(NAME_GROUPS)
    connection.exec_driver_sql(ADD_CAUSES)


def _propose_held(connection: sa.Connection) -> None:
    """What a person had to decide about a first contract is a proposal now, on the same evidence."""
    for number, held in enumerate(connection.exec_driver_sql(HELD).all(), 1):
        jobs = json.loads(held.evidence).get("jobs", [])
        behind = connection.execute(BEHIND, {"jobs": json.dumps(jobs)}).all()
        body = {"kind": "contract", "contract": json.loads(held.body)}
        evidence = _digest(["evidence", sorted([job.source_hash, job.rows_read, []] for job in behind)])
        about = ["contract", held.table_name, str(held.id), held.proposed_by, ""]
        terms = [number, 1, *about, body, evidence, None, None, None, "additive"]
        proposal = {
            "id": number,
            "signature": _digest(["cause", held.table_name, "new_output", held.table_name, ""]),
            "table": held.table_name,
            "subject": str(held.id),
            "body": _canonical(body),
            "rows": sum(job.rows_read for job in behind),
            "files": len({job.source_hash for job in behind}),
            "evidence": evidence,
            "digest": _digest(["proposal", 2, _home(connection), *terms]),
            "by": held.proposed_by,
            "at": held.proposed_at_ns,
        }
        connection.execute(ADD_PROPOSAL, proposal)
        for job in behind:
            found = {"proposal": number, "job": job.id, "source": job.source_hash, "rows": job.rows_read}
            connection.execute(ADD_EVIDENCE, found)
        connection.exec_driver_sql("UPDATE schema_contracts SET proposal_id = ? WHERE id = ?", (number, held.id))


def _home(connection: sa.Connection) -> str:
    known = connection.exec_driver_sql("SELECT value FROM cf_meta WHERE key = 'home_id'").scalar()
    if known is None:
        known = secrets.token_hex(16)
        connection.exec_driver_sql("INSERT INTO cf_meta (key, value) VALUES ('home_id', ?)", (known,))
    return str(known)


# Digests as they were computed when this was written: they are what the product of that time recomputes.
def _canonical(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _digest(value: object) -> str:
    return "blake3:" + blake3(_canonical(value).encode()).hexdigest()


def _reference(parser: str, table: str, code: str, column: str, shape: str) -> str:
    return _digest(["quarantine", parser, table, code, column, shape]).removeprefix("blake3:")[:8]


def _make_proposals() -> None:
    op.create_table(
        "cf_keys",
        sa.Column("key_id", sa.String(length=32), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("public", sa.LargeBinary(), nullable=False),
        sa.Column("added_at_ns", sa.BigInteger(), nullable=False),
        sa.Column("added_by", sa.Text(), nullable=False),
        sa.Column("revoked_at_ns", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("key_id", name=op.f("pk_cf_keys")),
        sa.UniqueConstraint("public", name=op.f("uq_cf_keys_public")),
    )
    op.create_index(op.f("ix_cf_keys_actor"), "cf_keys", ["actor"], unique=False)
    op.create_table(
        "cf_proposals",
        sa.Column("id", ID, nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("signature", sa.String(length=80), nullable=False),
        sa.Column("table_name", sa.Text(), nullable=True),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("base_digest", sa.String(length=80), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("survey", sa.LargeBinary(), nullable=True),
        sa.Column("evidence_rows", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("evidence_files", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("round", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("evidence_digest", sa.String(length=80), nullable=True),
        sa.Column("verdicts", sa.Text(), nullable=True),
        sa.Column("empirical", sa.Text(), nullable=True),
        sa.Column("impact", sa.Text(), nullable=True),
        sa.Column("risk", sa.String(length=12), nullable=True),
        sa.Column("digest", sa.String(length=80), nullable=True),
        sa.Column("origin", sa.String(length=10), nullable=False),
        sa.Column("proposed_by", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("drafted_at_ns", sa.BigInteger(), nullable=False),
        sa.Column("touched_by_plan", sa.BigInteger(), nullable=True),
        sa.Column("proposed_at_ns", sa.BigInteger(), nullable=True),
        sa.Column("decided_at_ns", sa.BigInteger(), nullable=True),
        sa.Column("applied_at_ns", sa.BigInteger(), nullable=True),
        sa.Column("void_reason", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "kind IN ('contract', 'amendment', 'parser', 'replay', 'purge', 'waiver')",
            name=op.f("ck_cf_proposals_kind_known"),
        ),
        sa.CheckConstraint(
            "origin IN ('system', 'person', 'inference', 'policy')", name=op.f("ck_cf_proposals_origin_known")
        ),
        sa.CheckConstraint(
            PROPOSAL_STATES,
            name=op.f("ck_cf_proposals_state_known"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cf_proposals")),
    )
    op.create_index("ix_cf_proposals_state", "cf_proposals", ["state"], unique=False)
    op.create_index("ix_cf_proposals_table_name", "cf_proposals", ["table_name"], unique=False)
    op.create_index(
        "ix_cf_proposals_touched",
        "cf_proposals",
        ["touched_by_plan"],
        unique=False,
        sqlite_where=sa.text("state IN ('draft', 'proposed', 'changes_requested', 'approved')"),
    )
    op.create_index(
        "uq_cf_proposals_living",
        "cf_proposals",
        ["signature"],
        unique=True,
        sqlite_where=sa.text("state IN ('draft', 'proposed', 'changes_requested', 'approved')"),
    )
    op.create_table(
        "cf_approvals",
        sa.Column("id", ID, nullable=False),
        sa.Column("proposal_id", ID, nullable=False),
        sa.Column("digest", sa.String(length=80), nullable=False),
        sa.Column("decision", sa.String(length=16), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("key_id", sa.String(length=32), nullable=True),
        sa.Column("signature", sa.LargeBinary(), nullable=True),
        sa.Column("is_self", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at_ns", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "decision IN ('approve', 'reject', 'request_changes', 'withdraw', 'policy')",
            name=op.f("ck_cf_approvals_decision_known"),
        ),
        sa.ForeignKeyConstraint(["proposal_id"], ["cf_proposals.id"], name=op.f("fk_cf_approvals_proposal_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cf_approvals")),
        sa.UniqueConstraint("proposal_id", "digest", "actor", name=op.f("uq_cf_approvals_proposal_id_digest_actor")),
    )
    op.create_index(op.f("ix_cf_approvals_proposal_id"), "cf_approvals", ["proposal_id"], unique=False)
    op.create_table(
        "cf_proposal_evidence",
        sa.Column("proposal_id", ID, nullable=False),
        sa.Column("job_id", sa.BigInteger(), nullable=False),
        sa.Column("source_hash", sa.String(length=80), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("samples", sa.Text(), nullable=False),
        sa.Column("is_signed", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["cf_jobs.id"], name=op.f("fk_cf_proposal_evidence_job_id")),
        sa.ForeignKeyConstraint(["proposal_id"], ["cf_proposals.id"], name=op.f("fk_cf_proposal_evidence_proposal_id")),
        sa.PrimaryKeyConstraint("proposal_id", "job_id", name=op.f("pk_cf_proposal_evidence")),
    )


def _make_remedies() -> None:
    op.create_table(
        "cf_options",
        sa.Column("parser_name", sa.Text(), nullable=False),
        sa.Column("base_table", sa.Text(), nullable=False),
        sa.Column("config", sa.Text(), nullable=False),
        sa.Column("set_by", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("replay_id", sa.BigInteger(), nullable=True),
        sa.Column("at_ns", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("parser_name", "base_table", name=op.f("pk_cf_options")),
    )
    op.create_table(
        "cf_causes",
        sa.Column("reference", sa.String(length=8), nullable=False),
        sa.Column("table_name", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("column_name", sa.Text(), nullable=False),
        sa.Column("shape", sa.Text(), nullable=False),
        sa.Column("parser_name", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("changed_at_ns", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("reference", name=op.f("pk_cf_causes")),
        sa.UniqueConstraint(
            "table_name",
            "code",
            "column_name",
            "shape",
            "parser_name",
            name=op.f("uq_cf_causes_table_name_code_column_name_shape_parser_name"),
        ),
    )
    op.create_table(
        "cf_repairs",
        sa.Column("id", ID, nullable=False),
        sa.Column("source_hash", sa.String(length=80), nullable=False),
        sa.Column("parser_name", sa.Text(), nullable=False),
        sa.Column("table_name", sa.Text(), nullable=False),
        sa.Column("source_row", sa.BigInteger(), nullable=False),
        sa.Column("before", sa.Text(), nullable=False),
        sa.Column("after", sa.Text(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("made_at_ns", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at_ns", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cf_repairs")),
    )
    op.create_index("ix_cf_repairs_source_hash", "cf_repairs", ["source_hash"], unique=False)
    op.create_index(
        "uq_cf_repairs_living",
        "cf_repairs",
        ["source_hash", "parser_name", "table_name", "source_row"],
        unique=True,
        sqlite_where=sa.text("revoked_at_ns IS NULL"),
    )
    op.create_table(
        "cf_replays",
        sa.Column("id", ID, nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("proposal_id", ID, nullable=True),
        sa.Column("causes", sa.Text(), nullable=False),
        sa.Column("stage", sa.String(length=10), nullable=False),
        sa.Column("plan_id", sa.BigInteger(), nullable=True),
        sa.Column("config", sa.Text(), nullable=True),
        sa.Column("parser_id", ID, nullable=True),
        sa.Column("selection_digest", sa.String(length=80), nullable=False),
        sa.Column("canary", sa.Integer(), nullable=False),
        sa.Column("stop_reason", sa.Text(), nullable=True),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("made_at_ns", sa.BigInteger(), nullable=False),
        sa.Column("ended_at_ns", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "kind IN ('amendment', 'parser', 'option', 'repair', 'manual')", name=op.f("ck_cf_replays_kind_known")
        ),
        sa.CheckConstraint("stage IN ('canary', 'rest', 'done', 'stopped')", name=op.f("ck_cf_replays_stage_known")),
        sa.ForeignKeyConstraint(["parser_id"], ["cf_parsers.id"], name=op.f("fk_cf_replays_parser_id")),
        sa.ForeignKeyConstraint(["proposal_id"], ["cf_proposals.id"], name=op.f("fk_cf_replays_proposal_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cf_replays")),
    )
    op.create_index(op.f("ix_cf_replays_plan_id"), "cf_replays", ["plan_id"], unique=False)
    op.create_table(
        "cf_tombstones",
        sa.Column("id", ID, nullable=False),
        sa.Column("source_hash", sa.String(length=80), nullable=False),
        sa.Column("location_id", ID, nullable=True),
        sa.Column("table_name", sa.Text(), nullable=False),
        sa.Column("sink_uri", sa.Text(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("action", sa.String(length=8), nullable=False),
        sa.Column("files", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("proposal_id", ID, nullable=True),
        sa.Column("at_ns", sa.BigInteger(), nullable=False),
        sa.Column("receipt", sa.Text(), nullable=False),
        sa.CheckConstraint("action IN ('retired', 'purged', 'trimmed')", name=op.f("ck_cf_tombstones_action_known")),
        sa.ForeignKeyConstraint(["location_id"], ["scout_locations.id"], name=op.f("fk_cf_tombstones_location_id")),
        sa.ForeignKeyConstraint(["proposal_id"], ["cf_proposals.id"], name=op.f("fk_cf_tombstones_proposal_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cf_tombstones")),
    )
    op.create_index(op.f("ix_cf_tombstones_source_hash"), "cf_tombstones", ["source_hash"], unique=False)
    op.create_table(
        "cf_replay_files",
        sa.Column("replay_id", ID, nullable=False),
        sa.Column("version_id", ID, nullable=False),
        sa.Column("old_job", sa.BigInteger(), nullable=False),
        sa.Column("new_job", sa.BigInteger(), nullable=True),
        sa.Column("is_canary", sa.Boolean(), nullable=False),
        sa.Column("expected", sa.Text(), nullable=False),
        sa.Column("outcome", sa.String(length=12), nullable=True),
        sa.CheckConstraint(
            "outcome IN ('done', 'failed', 'differs', 'skipped')", name=op.f("ck_cf_replay_files_outcome_known")
        ),
        sa.ForeignKeyConstraint(["replay_id"], ["cf_replays.id"], name=op.f("fk_cf_replay_files_replay_id")),
        sa.ForeignKeyConstraint(["version_id"], ["scout_versions.id"], name=op.f("fk_cf_replay_files_version_id")),
        sa.PrimaryKeyConstraint("replay_id", "version_id", name=op.f("pk_cf_replay_files")),
    )
    op.create_index(op.f("ix_cf_replay_files_new_job"), "cf_replay_files", ["new_job"], unique=False)


def _make_trials() -> None:
    op.create_table(
        "cf_backtests",
        sa.Column("id", ID, nullable=False),
        sa.Column("parser_name", sa.Text(), nullable=False),
        sa.Column("artifact_hash", sa.String(length=80), nullable=False),
        sa.Column("env_hash", sa.String(length=80), nullable=False),
        sa.Column("against_hash", sa.String(length=80), nullable=True),
        sa.Column("config", sa.Text(), nullable=False),
        sa.Column("contracts", sa.Text(), nullable=False),
        sa.Column("selection", sa.Text(), nullable=False),
        sa.Column("started_at_ns", sa.BigInteger(), nullable=False),
        sa.Column("ended_at_ns", sa.BigInteger(), nullable=True),
        sa.Column("stop_reason", sa.Text(), nullable=True),
        sa.Column("totals", sa.Text(), nullable=False),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cf_backtests")),
    )
    op.create_table(
        "cf_backtest_files",
        sa.Column("backtest_id", ID, nullable=False),
        sa.Column("version_id", ID, nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.String(length=12), nullable=False),
        sa.Column("gained", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("lost", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("changed", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("quarantined", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("released", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("digests", sa.Text(), nullable=False),
        sa.Column("expected", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "outcome IN ('same', 'changed', 'failed', 'not_run')", name=op.f("ck_cf_backtest_files_outcome_known")
        ),
        sa.ForeignKeyConstraint(["backtest_id"], ["cf_backtests.id"], name=op.f("fk_cf_backtest_files_backtest_id")),
        sa.ForeignKeyConstraint(["version_id"], ["scout_versions.id"], name=op.f("fk_cf_backtest_files_version_id")),
        sa.PrimaryKeyConstraint("backtest_id", "version_id", name=op.f("pk_cf_backtest_files")),
    )
    op.create_table(
        "cf_equivalences",
        sa.Column("id", ID, nullable=False),
        sa.Column("materialization_id", ID, nullable=False),
        sa.Column("job_id", sa.BigInteger(), nullable=False),
        sa.Column("old_key", sa.String(length=80), nullable=False),
        sa.Column("new_key", sa.String(length=80), nullable=False),
        sa.Column("old_digest", sa.String(length=80), nullable=False),
        sa.Column("new_digest", sa.String(length=80), nullable=False),
        sa.Column("basis", sa.String(length=10), nullable=False),
        sa.Column("backtest_id", ID, nullable=True),
        sa.Column("proposal_id", ID, nullable=True),
        sa.Column("at_ns", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("basis IN ('digest', 'receipt')", name=op.f("ck_cf_equivalences_basis_known")),
        sa.ForeignKeyConstraint(["backtest_id"], ["cf_backtests.id"], name=op.f("fk_cf_equivalences_backtest_id")),
        sa.ForeignKeyConstraint(
            ["materialization_id"], ["cf_materializations.id"], name=op.f("fk_cf_equivalences_materialization_id")
        ),
        sa.ForeignKeyConstraint(["proposal_id"], ["cf_proposals.id"], name=op.f("fk_cf_equivalences_proposal_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cf_equivalences")),
    )
    op.create_index(
        op.f("ix_cf_equivalences_materialization_id"), "cf_equivalences", ["materialization_id"], unique=False
    )


def _add_columns() -> None:
    op.add_column("cf_jobs", sa.Column("repairs", sa.String(length=80), server_default="", nullable=False))
    op.add_column("cf_jobs", sa.Column("carries", sa.BigInteger(), nullable=True))
    op.add_column("cf_jobs", sa.Column("hold", sa.Text(), nullable=True))
    op.create_index("ix_cf_jobs_oldest", "cf_jobs", ["id"], unique=False, sqlite_where=sa.text("state = 'queued'"))
    op.add_column("cf_materializations", sa.Column("modes", sa.String(length=80), server_default="", nullable=False))
    op.add_column(
        "cf_materializations", sa.Column("purged", sa.BigInteger(), server_default=sa.text("0"), nullable=False)
    )
    op.add_column("cf_parsers", sa.Column("activated_by", sa.BigInteger(), nullable=True))
    op.add_column(
        "cf_quarantine_groups", sa.Column("reference", sa.String(length=8), server_default="", nullable=False)
    )
    op.add_column("cf_quarantine_groups", sa.Column("closed_by_job", sa.BigInteger(), nullable=True))
    op.add_column("cf_quarantine_groups", sa.Column("closed_at_ns", sa.BigInteger(), nullable=True))
    op.add_column("cf_quarantine_groups", sa.Column("purged_by", sa.BigInteger(), nullable=True))
    op.add_column(
        "cf_quarantine_groups", sa.Column("bytes", sa.BigInteger(), server_default=sa.text("0"), nullable=False)
    )
    op.create_index("ix_cf_quarantine_groups_reference", "cf_quarantine_groups", ["reference"], unique=False)
    op.add_column("cf_runs", sa.Column("told_at_ns", sa.BigInteger(), nullable=True))
    op.add_column("schema_contracts", sa.Column("amends", sa.BigInteger(), nullable=True))
    op.add_column("schema_contracts", sa.Column("proposal_id", sa.BigInteger(), nullable=True))
    op.add_column("schema_drift", sa.Column("samples", sa.Text(), server_default="[]", nullable=False))
    op.add_column(
        "scout_sources", sa.Column("when_missing", sa.String(length=8), server_default="keep", nullable=False)
    )
