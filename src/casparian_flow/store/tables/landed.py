"""Where tables land, and what landed."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from casparian_flow.core.outputs import Role, SinkMode
from casparian_flow.store.tables.base import ID, metadata, one_of

named_sinks = Table(
    "cf_sinks",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("uri", Text, nullable=False, unique=True),
    Column("added_at_ns", BigInteger, nullable=False),
)

topics = Table(
    "schema_topics",
    metadata,
    Column("topic", Text, primary_key=True, comment="a table, or what tables of its name begin with before a `__`"),
    Column("sink_uri", Text, primary_key=True),
    Column("sink_mode", String(10), nullable=False),
    Column("set_at_ns", BigInteger, nullable=False),
    one_of("sink_mode", SinkMode),
)


commits = Table(
    "cf_commits",
    metadata,
    Column("id", ID, primary_key=True),
    Column("sink_uri", Text, nullable=False),
    Column("table_name", Text, nullable=False),
    Column("role", String(12), nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("job_id", BigInteger, comment="null: a commit that only removes rows"),
    Column("attempt", Integer),
    Column("body", LargeBinary, nullable=False, comment="the log entry, byte for byte"),
    Column("permitted_at_ns", BigInteger, nullable=False),
    Column("is_recorded", Boolean, nullable=False),
    Column(
        "reverts_to", BigInteger, comment="the snapshot that a revert goes back to; 0 is the table before its first"
    ),
    Column("actor", Text, comment="who reverted"),
    Column("reason", Text, comment="why, in the words of who reverted"),
    UniqueConstraint("sink_uri", "table_name", "role", "seq"),
    one_of("role", Role),
)
Index("ix_cf_commits_job", commits.c.job_id)
Index("ix_cf_commits_open", commits.c.id, sqlite_where=commits.c.is_recorded.is_(False))

materializations = Table(
    "cf_materializations",
    metadata,
    Column("id", ID, primary_key=True),
    Column("key", String(80), nullable=False, index=True),
    Column("job_id", ForeignKey("cf_jobs.id"), nullable=False, index=True),
    Column("target_key", String(80), nullable=False),
    Column("source_hash", String(80), nullable=False, index=True),
    Column("parser_name", Text, nullable=False),
    Column("artifact_hash", String(80), nullable=False),
    Column("env_hash", String(80), nullable=False),
    Column("config_hash", String(80), nullable=False),
    Column("sink_uri", Text, nullable=False),
    Column("sink_mode", String(10), nullable=False),
    Column("table_name", Text, nullable=False, comment="empty: the file held no rows for any table"),
    Column("contract_hash", String(80), nullable=False),
    Column("contract_version", Integer, nullable=False),
    Column("accepted", BigInteger, nullable=False),
    Column("quarantined", BigInteger, nullable=False),
    Column("row_digest", String(80), nullable=False),
    Column("is_current", Boolean, nullable=False, comment="false: superseded, still readable as of its job"),
    Column("recorded_at_ns", BigInteger, nullable=False),
    Column("reverted_in", BigInteger, comment="the commit that undid it; its bytes are not read again by themselves"),
    Column(
        "is_pinned",
        Boolean,
        nullable=False,
        server_default=text("0"),
        comment="a revert brought it back though no path carries its bytes: only newer bytes supersede it",
    ),
    Column(
        "modes",
        String(80),
        nullable=False,
        server_default="",
        comment="digest of the effective drift modes; empty: it had neither drift nor rejections",
    ),
    Column(
        "purged",
        BigInteger,
        nullable=False,
        server_default=text("0"),
        comment="rejected rows of it that were erased for good; `quarantined` does not count them any more",
    ),
    UniqueConstraint("job_id", "table_name", "sink_uri"),
)

Index(
    "ix_cf_materializations_reverted",
    materializations.c.source_hash,
    sqlite_where=materializations.c.reverted_in.is_not(None),
)

verdicts = Table(
    "cf_verdicts",
    metadata,
    Column("job_id", ForeignKey("cf_jobs.id"), primary_key=True),
    Column("ordinal", Integer, primary_key=True),
    Column("name", Text, nullable=False),
    Column("value", Text, nullable=False),
    Column("confidence", Float, nullable=False),
    Column("runner_up", Text),
)
