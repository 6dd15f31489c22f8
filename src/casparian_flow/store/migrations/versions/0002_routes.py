"""Several sinks per job and per topic: routes instead of one sink, topics, named sinks."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MODES = "sink_mode IN ('append', 'replace', 'error')"
STATES = "state IN ('queued', 'dispatched', 'running', 'committing', 'completed', 'failed', 'aborted', 'rejected')"

KEPT_OF_JOBS = """id, plan_id, location_id, version_id, source_hash, parser_id, reason, config, config_hash, base_table,
    state, attempt, priority, cancel_requested, worker, lease_until_ns, not_before_ns, error_code, error_message,
    error_why, is_transient, failures, queued_at_ns, started_at_ns, finished_at_ns"""
# The text is that of `core.routes.Routes.to_json`.
CARRY_JOBS = f"""
INSERT INTO cf_jobs_new ({KEPT_OF_JOBS}, routes, receipt)
SELECT {KEPT_OF_JOBS},
    json_object('default', json_array(json_object('mode', sink_mode, 'uri', sink_uri)), 'topics', json_object()),
    CASE WHEN receipt IS NOT NULL THEN json_replace(receipt, '$.outputs', json((
        SELECT json_group_array(json_set(value, '$.sink', sink_uri)) FROM json_each(receipt, '$.outputs')
    ))) END
FROM cf_jobs
"""  # noqa: S608 fixed names
COLUMNS_OF_MATERIALIZATIONS = """id, key, job_id, target_key, source_hash, parser_name, artifact_hash, env_hash,
    config_hash, sink_uri, sink_mode, table_name, contract_hash, contract_version, accepted, quarantined, row_digest,
    is_current, recorded_at_ns"""
CARRY_MATERIALIZATIONS = f"""
INSERT INTO cf_materializations_new ({COLUMNS_OF_MATERIALIZATIONS})
SELECT {COLUMNS_OF_MATERIALIZATIONS} FROM cf_materializations
"""  # noqa: S608 fixed names


def upgrade() -> None:
    """Make the new tables; make jobs and materializations anew, since a column in a constraint cannot be dropped."""
    _make_topics()
    _make_jobs_anew()
    _make_materializations_anew()


def _make_topics() -> None:
    op.create_table(
        "cf_sinks",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("uri", sa.Text(), nullable=False),
        sa.Column("added_at_ns", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_cf_sinks")),
        sa.UniqueConstraint("uri", name=op.f("uq_cf_sinks_uri")),
    )
    op.create_table(
        "schema_topics",
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("sink_uri", sa.Text(), nullable=False),
        sa.Column("sink_mode", sa.String(length=10), nullable=False),
        sa.Column("set_at_ns", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(MODES, name=op.f("ck_schema_topics_sink_mode_known")),
        sa.PrimaryKeyConstraint("topic", "sink_uri", name=op.f("pk_schema_topics")),
    )


def _make_jobs_anew() -> None:
    op.create_table(
        "cf_jobs_new",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("plan_id", sa.BigInteger(), nullable=False),
        sa.Column("location_id", ID, nullable=False),
        sa.Column("version_id", ID, nullable=False),
        sa.Column("source_hash", sa.String(length=80), nullable=False),
        sa.Column("parser_id", ID, nullable=False),
        sa.Column("reason", sa.String(length=30), nullable=False),
        sa.Column("config", sa.Text(), nullable=False),
        sa.Column("config_hash", sa.String(length=80), nullable=False),
        sa.Column("routes", sa.Text(), nullable=False),
        sa.Column("base_table", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("cancel_requested", sa.Boolean(), server_default=sa.text("0"), nullable=False),
        sa.Column("worker", sa.Text(), nullable=True),
        sa.Column("lease_until_ns", sa.BigInteger(), nullable=True),
        sa.Column("not_before_ns", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("error_code", sa.Text(), nullable=True),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.Column("error_why", sa.Text(), nullable=True),
        sa.Column("is_transient", sa.Boolean(), nullable=True),
        sa.Column("failures", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("queued_at_ns", sa.BigInteger(), nullable=False),
        sa.Column("started_at_ns", sa.BigInteger(), nullable=True),
        sa.Column("finished_at_ns", sa.BigInteger(), nullable=True),
        sa.Column("receipt", sa.Text(), nullable=True),
        sa.CheckConstraint(STATES, name=op.f("ck_cf_jobs_state_known")),
        sa.ForeignKeyConstraint(["location_id"], ["scout_locations.id"], name=op.f("fk_cf_jobs_location_id")),
        sa.ForeignKeyConstraint(["parser_id"], ["cf_parsers.id"], name=op.f("fk_cf_jobs_parser_id")),
        sa.ForeignKeyConstraint(["version_id"], ["scout_versions.id"], name=op.f("fk_cf_jobs_version_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cf_jobs")),
    )
    op.execute(CARRY_JOBS)
    op.drop_table("cf_jobs")
    op.rename_table("cf_jobs_new", "cf_jobs")
    op.create_index(
        "ix_cf_jobs_claim",
        "cf_jobs",
        [sa.literal_column("priority DESC"), "id"],
        unique=False,
        sqlite_where=sa.text("state = 'queued'"),
        postgresql_where=sa.text("state = 'queued'"),
    )
    op.create_index(
        "ix_cf_jobs_committing",
        "cf_jobs",
        ["id"],
        unique=False,
        sqlite_where=sa.text("state = 'committing'"),
        postgresql_where=sa.text("state = 'committing'"),
    )
    for column in ("plan_id", "source_hash", "version_id"):
        op.create_index(op.f(f"ix_cf_jobs_{column}"), "cf_jobs", [column], unique=False)


def _make_materializations_anew() -> None:
    op.create_table(
        "cf_materializations_new",
        sa.Column("id", ID, nullable=False),
        sa.Column("key", sa.String(length=80), nullable=False),
        sa.Column("job_id", sa.BigInteger(), nullable=False),
        sa.Column("target_key", sa.String(length=80), nullable=False),
        sa.Column("source_hash", sa.String(length=80), nullable=False),
        sa.Column("parser_name", sa.Text(), nullable=False),
        sa.Column("artifact_hash", sa.String(length=80), nullable=False),
        sa.Column("env_hash", sa.String(length=80), nullable=False),
        sa.Column("config_hash", sa.String(length=80), nullable=False),
        sa.Column("sink_uri", sa.Text(), nullable=False),
        sa.Column("sink_mode", sa.String(length=10), nullable=False),
        sa.Column("table_name", sa.Text(), nullable=False),
        sa.Column("contract_hash", sa.String(length=80), nullable=False),
        sa.Column("contract_version", sa.Integer(), nullable=False),
        sa.Column("accepted", sa.BigInteger(), nullable=False),
        sa.Column("quarantined", sa.BigInteger(), nullable=False),
        sa.Column("row_digest", sa.String(length=80), nullable=False),
        sa.Column("is_current", sa.Boolean(), nullable=False),
        sa.Column("recorded_at_ns", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["cf_jobs.id"], name=op.f("fk_cf_materializations_job_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cf_materializations")),
        sa.UniqueConstraint(
            "job_id", "table_name", "sink_uri", name=op.f("uq_cf_materializations_job_id_table_name_sink_uri")
        ),
    )
    op.execute(CARRY_MATERIALIZATIONS)
    op.drop_table("cf_materializations")
    op.rename_table("cf_materializations_new", "cf_materializations")
    for column in ("job_id", "key", "source_hash"):
        op.create_index(op.f(f"ix_cf_materializations_{column}"), "cf_materializations", [column], unique=False)
