"""The schema of the control plane, to be read first.

Times are nanoseconds since 1970 in UTC and end in `_ns`. Paths are bytes, since names need not be text; the
readable form stands beside them. JSON columns hold what no statement filters by.
The conditions of indexes are those of SQLite; naming another database here would load its dialect at every start.
"""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from casparian_flow.core.contracts import ContractState, Origin
from casparian_flow.core.files import EntryKind
from casparian_flow.core.jobs import JobState
from casparian_flow.core.outputs import Role, SinkMode
from casparian_flow.core.quarantine import EntryState
from casparian_flow.core.workers import WorkerState

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

ID = BigInteger().with_variant(Integer, "sqlite")


def _one_of(column: str, values: type[StrEnum]) -> CheckConstraint:
    return CheckConstraint(f"{column} IN ({', '.join(repr(str(value)) for value in values)})", name=f"{column}_known")


# --- what the scout knows -------------------------------------------------------------------------------------

sources = Table(
    "scout_sources",
    metadata,
    Column("id", ID, primary_key=True),
    Column("root", LargeBinary, nullable=False),
    Column("only", LargeBinary, nullable=False, comment="the one file of the root that is meant; empty: everything"),
    Column("display", Text, nullable=False),
    Column("ignore", Text, nullable=False, server_default=""),
    Column("added_at_ns", BigInteger, nullable=False),
    UniqueConstraint("root", "only"),
)

scans = Table(
    "scout_scans",
    metadata,
    Column("id", ID, primary_key=True),
    Column("source_id", ForeignKey("scout_sources.id"), nullable=False),
    Column("started_at_ns", BigInteger, nullable=False),
    Column("finished_at_ns", BigInteger),
    Column("entries", Integer),
    Column("problems", Integer),
)

locations = Table(
    "scout_locations",
    metadata,
    Column("id", ID, primary_key=True),
    Column("source_id", ForeignKey("scout_sources.id"), nullable=False),
    Column("rel_path", LargeBinary, nullable=False, comment="a folder that is a row itself ends with a slash"),
    Column("display", Text, nullable=False),
    Column("kind", String(20), nullable=False),
    Column("problem", Text, comment="why an entry that is not an ordinary readable file is one"),
    Column("size", BigInteger, nullable=False),
    Column("mtime_ns", BigInteger, nullable=False),
    Column("ctime_ns", BigInteger, nullable=False),
    Column("inode", BigInteger, nullable=False),
    Column("is_dirty", Boolean, nullable=False, comment="the signs changed since the current version was hashed"),
    Column("is_missing", Boolean, nullable=False, server_default=text("0")),
    Column("part_of", ForeignKey("scout_locations.id"), comment="the database that this file is a companion of"),
    Column("renamed_from", ForeignKey("scout_locations.id")),
    Column("last_scan_id", BigInteger, nullable=False, comment="the last scan that changed this row"),
    Column("current_version_id", BigInteger, comment="the newest version; kept when the file goes missing"),
    Column("growing_since_ns", BigInteger, comment="since when a watch has seen it change; null: it does not"),
    Column("settles_at_ns", BigInteger, comment="when a watch looks whether it still grows; null: it does not wait"),
    UniqueConstraint("source_id", "rel_path"),
    _one_of("kind", EntryKind),
)
Index("ix_scout_locations_dirty", locations.c.source_id, sqlite_where=locations.c.is_dirty.is_(True))
Index("ix_scout_locations_version", locations.c.current_version_id)
Index("ix_scout_locations_renamed", locations.c.renamed_from, sqlite_where=locations.c.renamed_from.is_not(None))
Index(
    "ix_scout_locations_gone", locations.c.source_id, locations.c.inode, sqlite_where=locations.c.is_missing.is_(True)
)
Index("ix_scout_locations_part", locations.c.part_of, sqlite_where=locations.c.part_of.is_not(None))

hashes = Table(
    "scout_hashes",
    metadata,
    Column("source_hash", String(80), primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("first_seen_at_ns", BigInteger, nullable=False),
)

versions = Table(
    "scout_versions",
    metadata,
    Column("id", ID, primary_key=True),
    Column("location_id", ForeignKey("scout_locations.id"), nullable=False, index=True),
    Column("source_hash", ForeignKey("scout_hashes.source_hash"), nullable=False, index=True),
    Column("sha256", String(64)),
    Column("size", BigInteger, nullable=False),
    Column("mtime_ns", BigInteger, nullable=False),
    Column("content", String(40), nullable=False, comment="kind of content shown by the first 64 KiB"),
    Column("content_reason", Text, nullable=False),
    Column("detected_at_ns", BigInteger, nullable=False),
)

rules = Table(
    "scout_rules",
    metadata,
    Column("id", ID, primary_key=True),
    Column("pattern", Text, nullable=False),
    Column("tag", Text, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("parser", Text),
    Column("topic", Text),
    Column("added_at_ns", BigInteger, nullable=False),
    UniqueConstraint("pattern", "tag"),
)

tags = Table(
    "scout_tags",
    metadata,
    Column("location_id", ForeignKey("scout_locations.id"), primary_key=True),
    Column("tag", Text, primary_key=True),
    Column("rule_id", ForeignKey("scout_rules.id"), comment="null: given by a person"),
)

# --- parsers, plans, jobs -------------------------------------------------------------------------------------

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
    _one_of("state", JobState),
)
Index(
    "ix_cf_jobs_claim",
    jobs.c.priority.desc(),
    jobs.c.id,
    sqlite_where=jobs.c.state == text("'queued'"),
)
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

# --- workers, watches, callers ---------------------------------------------------------------------------------

workers = Table(
    "cf_workers",
    metadata,
    Column("name", Text, primary_key=True),
    Column("session", Text, nullable=False, comment="its boot nonce; a restart is another one"),
    Column("host", Text, nullable=False),
    Column("pid", BigInteger, nullable=False),
    Column("product", Text, nullable=False),
    Column("slots", Integer, nullable=False),
    Column("labels", Text, nullable=False, comment="JSON object"),
    Column("isolation", Text, nullable=False),
    Column("environments", Text, nullable=False, comment="JSON list of environment hashes"),
    Column("parsers", Text, nullable=False, comment="JSON list of the parsers it may run; empty: every one"),
    Column("state", String(10), nullable=False),
    Column("joined_at_ns", BigInteger, nullable=False),
    Column("seen_at_ns", BigInteger, nullable=False),
    _one_of("state", WorkerState),
)

worker_keys = Table(
    "cf_worker_keys",
    metadata,
    Column("public_key", String(40), primary_key=True, comment="CURVE, Z85"),
    Column("worker", Text, nullable=False),
    Column("admitted_at_ns", BigInteger, nullable=False),
    Column("revoked_at_ns", BigInteger),
)

tokens = Table(
    "cf_tokens",
    metadata,
    Column("name", String(60), primary_key=True),
    Column(
        "digest",
        String(80),
        nullable=False,
        unique=True,
        comment="of the secret, which is kept nowhere; for `join` of its public half",
    ),
    Column("scopes", Text, nullable=False, comment="separated by spaces; `join` admits one worker"),
    Column("made_at_ns", BigInteger, nullable=False),
    Column("made_by", Text, nullable=False),
    Column("expires_at_ns", BigInteger),
    Column("used_at_ns", BigInteger),
    Column("revoked_at_ns", BigInteger),
    Column("worker", Text, comment="the name that `join` gives"),
    Column("used_by", String(40), comment="the public key that was bound"),
)

watches = Table(
    "cf_watches",
    metadata,
    Column("id", ID, primary_key=True),
    Column("operation", String(20), nullable=False, comment="scan or run"),
    Column("request", Text, nullable=False),
    Column("cwd", LargeBinary, nullable=False),
    Column("settle_seconds", Float, nullable=False),
    Column("reconcile_seconds", Float, nullable=False),
    Column("actor", Text, nullable=False),
    Column("added_at_ns", BigInteger, nullable=False),
)

requests = Table(
    "cf_requests",
    metadata,
    Column("key", String(80), primary_key=True, comment="the Idempotency-Key of a change, with who asked"),
    Column("digest", String(80), nullable=False, comment="of what was asked"),
    Column("status", Integer, comment="null: it is still being done"),
    Column("reply", LargeBinary),
    Column("asked_at_ns", BigInteger, nullable=False),
)

# --- where tables land ----------------------------------------------------------------------------------------

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
    _one_of("sink_mode", SinkMode),
)

# --- what landed ----------------------------------------------------------------------------------------------

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
    _one_of("role", Role),
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
    UniqueConstraint("job_id", "table_name", "sink_uri"),
)

Index(
    "ix_cf_materializations_reverted",
    materializations.c.source_hash,
    sqlite_where=materializations.c.reverted_in.is_not(None),
)

quarantine = Table(
    "cf_quarantine_groups",
    metadata,
    Column("id", ID, primary_key=True),
    Column("job_id", ForeignKey("cf_jobs.id"), nullable=False, index=True),
    Column("table_name", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("column_name", Text, nullable=False),
    Column("shape", Text, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("message", Text, nullable=False),
    Column("sample", Text, nullable=False),
    Column("state", String(12), nullable=False),
    Column("is_current", Boolean, nullable=False),
    _one_of("state", EntryState),
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

# --- contracts ------------------------------------------------------------------------------------------------

contracts = Table(
    "schema_contracts",
    metadata,
    Column("id", ID, primary_key=True),
    Column("table_name", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("state", String(12), nullable=False),
    Column("origin", String(12), nullable=False),
    Column("hash", String(80), nullable=False),
    Column("digest", String(80), nullable=False, comment="what an approval is bound to"),
    Column("body", Text, nullable=False),
    Column("evidence", Text, nullable=False),
    Column("proposed_at_ns", BigInteger, nullable=False),
    Column("proposed_by", Text, nullable=False),
    Column("decided_at_ns", BigInteger),
    Column("decided_by", Text),
    Column("decision_reason", Text),
    _one_of("state", ContractState),
    _one_of("origin", Origin),
)
Index(
    "uq_schema_contracts_in_force",
    contracts.c.table_name,
    unique=True,
    sqlite_where=contracts.c.state == text("'applied'"),
)

drift = Table(
    "schema_drift",
    metadata,
    Column("job_id", ForeignKey("cf_jobs.id"), primary_key=True),
    Column("ordinal", Integer, primary_key=True),
    Column("table_name", Text, nullable=False),
    Column("axis", String(20), nullable=False),
    Column("column_name", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("rows", BigInteger, nullable=False),
)

meta = Table(
    "cf_meta",
    metadata,
    Column("key", String(40), primary_key=True),
    Column("value", Text, nullable=False),
)
