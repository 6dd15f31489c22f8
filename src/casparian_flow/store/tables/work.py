"""Parsers, plans and jobs."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from casparian_flow.core.jobs import JobState
from casparian_flow.store.tables.base import ID, metadata, one_of

parsers = Table(
    "cf_parsers",
    metadata,
    Column("id", ID, primary_key=True),
    Column("name", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("artifact_hash", String(80), nullable=False),
    Column("env_hash", String(80), nullable=False),
    Column("path", Text, nullable=False),
    Column("origin", String(20), nullable=False),
    Column("status", String(20), nullable=False),
    Column("manifest", Text, nullable=False),
    Column("registered_at_ns", BigInteger, nullable=False),
    Column(
        "failures",
        Integer,
        nullable=False,
        server_default=text("0"),
        comment="of its attempts since the last success",
    ),
    Column("paused_at_ns", BigInteger, comment="since then its jobs are refused; null: it runs"),
    Column("activated_by", BigInteger, comment="the proposal that let it run; null: nobody was asked"),
    UniqueConstraint("name", "artifact_hash", "env_hash"),
)

plans = Table(
    "cf_plans",
    metadata,
    Column("id", ID, primary_key=True),
    Column("made_at_ns", BigInteger, nullable=False),
    Column("request", Text, nullable=False),
    Column("fingerprint", String(80), nullable=False, comment="digest of every decision; a changed world changes it"),
    Column("summary", Text, nullable=False),
)

decisions = Table(
    "cf_decisions",
    metadata,
    Column("location_id", ForeignKey("scout_locations.id"), primary_key=True),
    Column("plan_id", BigInteger, nullable=False),
    Column("version_id", BigInteger),
    Column("action", String(4), nullable=False),
    Column("reason", String(30), nullable=False, index=True),
    Column("detail", Text, nullable=False),
    Column("parser", Text),
    CheckConstraint("action IN ('run', 'skip')", name="action_known"),
)

runs = Table(
    "cf_runs",
    metadata,
    Column("plan_id", BigInteger, primary_key=True, autoincrement=False),
    Column("policy", Text, nullable=False, comment="JSON of `sentinel.runs.Policy`"),
    Column("actor", Text, nullable=False),
    Column("submitted_at_ns", BigInteger, nullable=False),
    Column("finished_at_ns", BigInteger, comment="null: it has open jobs, or something waits for its end"),
    Column("told_at_ns", BigInteger, comment="when its lineage events were written; null: not yet"),
)
Index("ix_cf_runs_open", runs.c.plan_id, sqlite_where=runs.c.finished_at_ns.is_(None))

jobs = Table(
    "cf_jobs",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("plan_id", BigInteger, nullable=False, index=True),
    Column("location_id", ForeignKey("scout_locations.id"), nullable=False),
    Column("version_id", ForeignKey("scout_versions.id"), nullable=False, index=True),
    Column("source_hash", String(80), nullable=False, index=True),
    Column("parser_id", ForeignKey("cf_parsers.id"), nullable=False),
    Column("reason", String(30), nullable=False),
    Column("config", Text, nullable=False),
    Column("config_hash", String(80), nullable=False),
    Column("routes", Text, nullable=False, comment="which sinks each table goes to: JSON of `core.routes`"),
    Column("base_table", Text, nullable=False),
    Column("state", String(12), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("cancel_requested", Boolean, nullable=False, server_default=text("0")),
    Column("worker", Text),
    Column("lease_until_ns", BigInteger),
    Column("not_before_ns", BigInteger, nullable=False, server_default=text("0")),
    Column("error_code", Text),
    Column("error_message", Text),
    Column("error_why", Text),
    Column("is_transient", Boolean),
    Column("failures", Integer, nullable=False, server_default=text("0")),
    Column("queued_at_ns", BigInteger, nullable=False),
    Column("started_at_ns", BigInteger),
    Column("finished_at_ns", BigInteger),
    Column("receipt", Text),
    Column("session", Text, comment="the boot nonce of the worker that holds it"),
    Column("phase", String(10), comment="what its worker said last that it does"),
    Column("rows_read", BigInteger, nullable=False, server_default=text("0")),
    Column("bytes_read", BigInteger, nullable=False, server_default=text("0")),
    Column("silent_since_ns", BigInteger, comment="since when its parser gave no sign of life"),
    Column("repairs", String(80), nullable=False, server_default="", comment="digest of those its order carried"),
    Column("carries", BigInteger, comment="the job whose accepted rows it may take over"),
    Column("hold", Text, comment="JSON of `core.holds`: what was judged of a file of which too much was rejected"),
    one_of("state", JobState),
)
Index(
    "ix_cf_jobs_claim",
    jobs.c.priority.desc(),
    jobs.c.id,
    sqlite_where=jobs.c.state == text("'queued'"),
)
Index("ix_cf_jobs_oldest", jobs.c.id, sqlite_where=jobs.c.state == text("'queued'"))
Index(
    "ix_cf_jobs_lease",
    jobs.c.lease_until_ns,
    sqlite_where=text("state IN ('dispatched', 'running')"),
)
Index(
    "ix_cf_jobs_committing",
    jobs.c.id,
    sqlite_where=jobs.c.state == text("'committing'"),
)

job_logs = Table(
    "cf_job_logs",
    metadata,
    Column("job_id", ForeignKey("cf_jobs.id"), primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("line", Integer, primary_key=True),
    Column("stream", String(10), nullable=False),
    Column("text", Text, nullable=False),
)
