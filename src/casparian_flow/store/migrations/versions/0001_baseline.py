"""The tables of the first release."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make every table."""
    op.create_table(
        "cf_commits",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("sink_uri", sa.Text(), nullable=False),
        sa.Column("table_name", sa.Text(), nullable=False),
        sa.Column("role", sa.String(length=12), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("job_id", sa.BigInteger(), nullable=True, comment="null: a commit that only removes rows"),
        sa.Column("attempt", sa.Integer(), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=False, comment="the log entry, byte for byte"),
        sa.Column("permitted_at_ns", sa.BigInteger(), nullable=False),
        sa.Column("is_recorded", sa.Boolean(), nullable=False),
        sa.CheckConstraint("role IN ('accepted', 'quarantine')", name=op.f("ck_cf_commits_role_known")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cf_commits")),
        sa.UniqueConstraint(
            "sink_uri", "table_name", "role", "seq", name=op.f("uq_cf_commits_sink_uri_table_name_role_seq")
        ),
    )
    op.create_index("ix_cf_commits_job", "cf_commits", ["job_id"], unique=False)
    op.create_index("ix_cf_commits_open", "cf_commits", ["id"], unique=False, sqlite_where=sa.text("is_recorded IS 0"))
    op.create_table(
        "cf_meta",
        sa.Column("key", sa.String(length=40), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_cf_meta")),
    )
    op.create_table(
        "cf_parsers",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("artifact_hash", sa.String(length=80), nullable=False),
        sa.Column("env_hash", sa.String(length=80), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("origin", sa.String(length=20), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("manifest", sa.Text(), nullable=False),
        sa.Column("registered_at_ns", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cf_parsers")),
        sa.UniqueConstraint(
            "name", "artifact_hash", "env_hash", name=op.f("uq_cf_parsers_name_artifact_hash_env_hash")
        ),
    )
    op.create_table(
        "cf_plans",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("made_at_ns", sa.BigInteger(), nullable=False),
        sa.Column("request", sa.Text(), nullable=False),
        sa.Column(
            "fingerprint",
            sa.String(length=80),
            nullable=False,
            comment="digest of every decision; a changed world changes it",
        ),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cf_plans")),
    )
    op.create_table(
        "schema_contracts",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("table_name", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("origin", sa.String(length=12), nullable=False),
        sa.Column("hash", sa.String(length=80), nullable=False),
        sa.Column("digest", sa.String(length=80), nullable=False, comment="what an approval is bound to"),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("proposed_at_ns", sa.BigInteger(), nullable=False),
        sa.Column("proposed_by", sa.Text(), nullable=False),
        sa.Column("decided_at_ns", sa.BigInteger(), nullable=True),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("decision_reason", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "origin IN ('adopted', 'approved', 'declared')", name=op.f("ck_schema_contracts_origin_known")
        ),
        sa.CheckConstraint(
            "state IN ('draft', 'proposed', 'approved', 'applied', 'superseded', 'rejected', 'withdrawn', 'void')",
            name=op.f("ck_schema_contracts_state_known"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_schema_contracts")),
    )
    op.create_index(
        "uq_schema_contracts_in_force",
        "schema_contracts",
        ["table_name"],
        unique=True,
        sqlite_where=sa.text("state = 'applied'"),
        postgresql_where=sa.text("state = 'applied'"),
    )
    op.create_table(
        "scout_hashes",
        sa.Column("source_hash", sa.String(length=80), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("first_seen_at_ns", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("source_hash", name=op.f("pk_scout_hashes")),
    )
    op.create_table(
        "scout_rules",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("pattern", sa.Text(), nullable=False),
        sa.Column("tag", sa.Text(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("parser", sa.Text(), nullable=True),
        sa.Column("topic", sa.Text(), nullable=True),
        sa.Column("added_at_ns", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_scout_rules")),
        sa.UniqueConstraint("pattern", "tag", name=op.f("uq_scout_rules_pattern_tag")),
    )
    op.create_table(
        "scout_sources",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column(
            "only",
            sa.LargeBinary(),
            nullable=False,
            comment="the one file of the root that is meant; empty: everything",
        ),
        sa.Column("display", sa.Text(), nullable=False),
        sa.Column("ignore", sa.Text(), server_default="", nullable=False),
        sa.Column("added_at_ns", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_scout_sources")),
        sa.UniqueConstraint("root", "only", name=op.f("uq_scout_sources_root_only")),
    )
    op.create_table(
        "scout_locations",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("source_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "rel_path", sa.LargeBinary(), nullable=False, comment="a folder that is a row itself ends with a slash"
        ),
        sa.Column("display", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column(
            "problem", sa.Text(), nullable=True, comment="why an entry that is not an ordinary readable file is one"
        ),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("mtime_ns", sa.BigInteger(), nullable=False),
        sa.Column("ctime_ns", sa.BigInteger(), nullable=False),
        sa.Column("inode", sa.BigInteger(), nullable=False),
        sa.Column(
            "is_dirty", sa.Boolean(), nullable=False, comment="the signs changed since the current version was hashed"
        ),
        sa.Column("is_missing", sa.Boolean(), server_default=sa.text("0"), nullable=False),
        sa.Column(
            "part_of",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=True,
            comment="the database that this file is a companion of",
        ),
        sa.Column("renamed_from", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("last_scan_id", sa.BigInteger(), nullable=False, comment="the last scan that changed this row"),
        sa.Column(
            "current_version_id",
            sa.BigInteger(),
            nullable=True,
            comment="the newest version; kept when the file goes missing",
        ),
        sa.CheckConstraint(
            "kind IN ('file', 'symlink_loop', 'symlink_broken', 'symlink', 'fifo', 'socket', 'device', "
            "'unreadable', 'ignored', 'special')",
            name=op.f("ck_scout_locations_kind_known"),
        ),
        sa.ForeignKeyConstraint(["part_of"], ["scout_locations.id"], name=op.f("fk_scout_locations_part_of")),
        sa.ForeignKeyConstraint(["renamed_from"], ["scout_locations.id"], name=op.f("fk_scout_locations_renamed_from")),
        sa.ForeignKeyConstraint(["source_id"], ["scout_sources.id"], name=op.f("fk_scout_locations_source_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_scout_locations")),
        sa.UniqueConstraint("source_id", "rel_path", name=op.f("uq_scout_locations_source_id_rel_path")),
    )
    op.create_index(
        "ix_scout_locations_dirty",
        "scout_locations",
        ["source_id"],
        unique=False,
        sqlite_where=sa.text("is_dirty IS 1"),
    )
    op.create_index(
        "ix_scout_locations_gone",
        "scout_locations",
        ["source_id", "inode"],
        unique=False,
        sqlite_where=sa.text("is_missing IS 1"),
    )
    op.create_index(
        "ix_scout_locations_part",
        "scout_locations",
        ["part_of"],
        unique=False,
        sqlite_where=sa.text("part_of IS NOT NULL"),
    )
    op.create_index(
        "ix_scout_locations_renamed",
        "scout_locations",
        ["renamed_from"],
        unique=False,
        sqlite_where=sa.text("renamed_from IS NOT NULL"),
    )
    op.create_index("ix_scout_locations_version", "scout_locations", ["current_version_id"], unique=False)
    op.create_table(
        "scout_scans",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("source_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("started_at_ns", sa.BigInteger(), nullable=False),
        sa.Column("finished_at_ns", sa.BigInteger(), nullable=True),
        sa.Column("entries", sa.Integer(), nullable=True),
        sa.Column("problems", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["source_id"], ["scout_sources.id"], name=op.f("fk_scout_scans_source_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_scout_scans")),
    )
    op.create_table(
        "cf_decisions",
        sa.Column("location_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("plan_id", sa.BigInteger(), nullable=False),
        sa.Column("version_id", sa.BigInteger(), nullable=True),
        sa.Column("action", sa.String(length=4), nullable=False),
        sa.Column("reason", sa.String(length=30), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("parser", sa.Text(), nullable=True),
        sa.CheckConstraint("action IN ('run', 'skip')", name=op.f("ck_cf_decisions_action_known")),
        sa.ForeignKeyConstraint(["location_id"], ["scout_locations.id"], name=op.f("fk_cf_decisions_location_id")),
        sa.PrimaryKeyConstraint("location_id", name=op.f("pk_cf_decisions")),
    )
    op.create_index(op.f("ix_cf_decisions_reason"), "cf_decisions", ["reason"], unique=False)
    op.create_table(
        "scout_tags",
        sa.Column("location_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("tag", sa.Text(), nullable=False),
        sa.Column(
            "rule_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=True,
            comment="null: given by a person",
        ),
        sa.ForeignKeyConstraint(["location_id"], ["scout_locations.id"], name=op.f("fk_scout_tags_location_id")),
        sa.ForeignKeyConstraint(["rule_id"], ["scout_rules.id"], name=op.f("fk_scout_tags_rule_id")),
        sa.PrimaryKeyConstraint("location_id", "tag", name=op.f("pk_scout_tags")),
    )
    op.create_table(
        "scout_versions",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("location_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("source_hash", sa.String(length=80), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=True),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("mtime_ns", sa.BigInteger(), nullable=False),
        sa.Column("content", sa.String(length=40), nullable=False, comment="kind of content shown by the first 64 KiB"),
        sa.Column("content_reason", sa.Text(), nullable=False),
        sa.Column("detected_at_ns", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["location_id"], ["scout_locations.id"], name=op.f("fk_scout_versions_location_id")),
        sa.ForeignKeyConstraint(
            ["source_hash"], ["scout_hashes.source_hash"], name=op.f("fk_scout_versions_source_hash")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_scout_versions")),
    )
    op.create_index(op.f("ix_scout_versions_location_id"), "scout_versions", ["location_id"], unique=False)
    op.create_index(op.f("ix_scout_versions_source_hash"), "scout_versions", ["source_hash"], unique=False)
    op.create_table(
        "cf_jobs",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("plan_id", sa.BigInteger(), nullable=False),
        sa.Column("location_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("version_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("source_hash", sa.String(length=80), nullable=False),
        sa.Column("parser_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("reason", sa.String(length=30), nullable=False),
        sa.Column("config", sa.Text(), nullable=False),
        sa.Column("config_hash", sa.String(length=80), nullable=False),
        sa.Column("sink_uri", sa.Text(), nullable=False),
        sa.Column("sink_mode", sa.String(length=10), nullable=False),
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
        sa.CheckConstraint("sink_mode IN ('append', 'replace', 'error')", name=op.f("ck_cf_jobs_sink_mode_known")),
        sa.CheckConstraint(
            "state IN ('queued', 'dispatched', 'running', 'committing', 'completed', 'failed', 'aborted', 'rejected')",
            name=op.f("ck_cf_jobs_state_known"),
        ),
        sa.ForeignKeyConstraint(["location_id"], ["scout_locations.id"], name=op.f("fk_cf_jobs_location_id")),
        sa.ForeignKeyConstraint(["parser_id"], ["cf_parsers.id"], name=op.f("fk_cf_jobs_parser_id")),
        sa.ForeignKeyConstraint(["version_id"], ["scout_versions.id"], name=op.f("fk_cf_jobs_version_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cf_jobs")),
    )
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
    op.create_index(op.f("ix_cf_jobs_plan_id"), "cf_jobs", ["plan_id"], unique=False)
    op.create_index(op.f("ix_cf_jobs_source_hash"), "cf_jobs", ["source_hash"], unique=False)
    op.create_index(op.f("ix_cf_jobs_version_id"), "cf_jobs", ["version_id"], unique=False)
    op.create_table(
        "cf_job_logs",
        sa.Column("job_id", sa.BigInteger(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("stream", sa.String(length=10), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["cf_jobs.id"], name=op.f("fk_cf_job_logs_job_id")),
        sa.PrimaryKeyConstraint("job_id", "attempt", "line", name=op.f("pk_cf_job_logs")),
    )
    op.create_table(
        "cf_materializations",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
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
        sa.Column("table_name", sa.Text(), nullable=False, comment="empty: the file held no rows for any table"),
        sa.Column("contract_hash", sa.String(length=80), nullable=False),
        sa.Column("contract_version", sa.Integer(), nullable=False),
        sa.Column("accepted", sa.BigInteger(), nullable=False),
        sa.Column("quarantined", sa.BigInteger(), nullable=False),
        sa.Column("row_digest", sa.String(length=80), nullable=False),
        sa.Column(
            "is_current", sa.Boolean(), nullable=False, comment="false: superseded, still readable as of its job"
        ),
        sa.Column("recorded_at_ns", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["cf_jobs.id"], name=op.f("fk_cf_materializations_job_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cf_materializations")),
        sa.UniqueConstraint("job_id", "table_name", name=op.f("uq_cf_materializations_job_id_table_name")),
    )
    op.create_index(op.f("ix_cf_materializations_job_id"), "cf_materializations", ["job_id"], unique=False)
    op.create_index(op.f("ix_cf_materializations_key"), "cf_materializations", ["key"], unique=False)
    op.create_index(op.f("ix_cf_materializations_source_hash"), "cf_materializations", ["source_hash"], unique=False)
    op.create_table(
        "cf_quarantine_groups",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("job_id", sa.BigInteger(), nullable=False),
        sa.Column("table_name", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("column_name", sa.Text(), nullable=False),
        sa.Column("shape", sa.Text(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("sample", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("is_current", sa.Boolean(), nullable=False),
        sa.CheckConstraint(
            "state IN ('open', 'triaged', 'fix_ready', 'replayed', 'waived', 'purged')",
            name=op.f("ck_cf_quarantine_groups_state_known"),
        ),
        sa.ForeignKeyConstraint(["job_id"], ["cf_jobs.id"], name=op.f("fk_cf_quarantine_groups_job_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cf_quarantine_groups")),
    )
    op.create_index(op.f("ix_cf_quarantine_groups_job_id"), "cf_quarantine_groups", ["job_id"], unique=False)
    op.create_table(
        "cf_verdicts",
        sa.Column("job_id", sa.BigInteger(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("confidence", sa.Float(), nullable=False),
        sa.Column("runner_up", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["job_id"], ["cf_jobs.id"], name=op.f("fk_cf_verdicts_job_id")),
        sa.PrimaryKeyConstraint("job_id", "ordinal", name=op.f("pk_cf_verdicts")),
    )
    op.create_table(
        "schema_drift",
        sa.Column("job_id", sa.BigInteger(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("table_name", sa.Text(), nullable=False),
        sa.Column("axis", sa.String(length=20), nullable=False),
        sa.Column("column_name", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["cf_jobs.id"], name=op.f("fk_schema_drift_job_id")),
        sa.PrimaryKeyConstraint("job_id", "ordinal", name=op.f("pk_schema_drift")),
    )
