"""What is done about rejected rows and lost files: replays, repairs, standing options, tombstones."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, String, Table, Text

from casparian_flow.core.replays import ReplayKind, ReplayOutcome, ReplayStage
from casparian_flow.core.tombstones import TombstoneAction
from casparian_flow.store.tables.base import ID, metadata, one_of

replays = Table(
    "cf_replays",
    metadata,
    Column("id", ID, primary_key=True),
    Column("kind", String(10), nullable=False),
    Column("proposal_id", ForeignKey("cf_proposals.id")),
    Column("causes", Text, nullable=False, comment="JSON list of the references that it is to close"),
    Column("stage", String(10), nullable=False),
    Column("plan_id", BigInteger, index=True, comment="the run that is on its way"),
    Column("config", Text, comment="JSON of the options under which it reads; null: those in force"),
    Column("parser_id", ForeignKey("cf_parsers.id"), comment="the artifact that reads; null: the active one"),
    Column("selection_digest", String(80), nullable=False),
    Column("canary", Integer, nullable=False, comment="how many files go first"),
    Column("stop_reason", Text),
    Column("asked_by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("made_at_ns", BigInteger, nullable=False),
    Column("ended_at_ns", BigInteger),
    one_of("kind", ReplayKind),
    one_of("stage", ReplayStage),
)

replay_files = Table(
    "cf_replay_files",
    metadata,
    Column("replay_id", ForeignKey("cf_replays.id"), primary_key=True),
    Column("version_id", ForeignKey("scout_versions.id"), primary_key=True),
    Column("old_job", BigInteger, nullable=False),
    Column("new_job", BigInteger, index=True),
    Column("is_canary", Boolean, nullable=False),
    Column(
        "expected", Text, nullable=False, comment="JSON: table to accepted, quarantined, digest of its rows or null"
    ),
    Column("outcome", String(12), comment="null: not over"),
    one_of("outcome", ReplayOutcome),
)

repairs = Table(
    "cf_repairs",
    metadata,
    Column("id", ID, primary_key=True),
    Column("source_hash", String(80), nullable=False),
    Column("parser_name", Text, nullable=False),
    Column("table_name", Text, nullable=False),
    Column("source_row", BigInteger, nullable=False),
    Column("before", Text, nullable=False, comment="JSON: column to text, treated"),
    Column("after", Text, nullable=False, comment="JSON: column to text"),
    Column("author", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("made_at_ns", BigInteger, nullable=False),
    Column("revoked_at_ns", BigInteger),
)
Index("ix_cf_repairs_source_hash", repairs.c.source_hash)
Index(
    "uq_cf_repairs_living",
    repairs.c.source_hash,
    repairs.c.parser_name,
    repairs.c.table_name,
    repairs.c.source_row,
    unique=True,
    sqlite_where=repairs.c.revoked_at_ns.is_(None),
)

options = Table(
    "cf_options",
    metadata,
    Column("parser_name", Text, primary_key=True),
    Column("base_table", Text, primary_key=True),
    Column("config", Text, nullable=False, comment="JSON of the options that stand until they are unset"),
    Column("set_by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("replay_id", BigInteger, comment="the replay that left them behind"),
    Column("at_ns", BigInteger, nullable=False),
)

tombstones = Table(
    "cf_tombstones",
    metadata,
    Column("id", ID, primary_key=True),
    Column("source_hash", String(80), nullable=False, index=True),
    Column("location_id", ForeignKey("scout_locations.id")),
    Column("table_name", Text, nullable=False),
    Column("sink_uri", Text, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("action", String(8), nullable=False),
    Column("files", Text, nullable=False, comment="JSON list of the data files that went, each behind its role"),
    Column("actor", Text, nullable=False),
    Column("proposal_id", ForeignKey("cf_proposals.id")),
    Column("at_ns", BigInteger, nullable=False),
    Column("receipt", Text, nullable=False, comment="canonical JSON: what went, and the digest of who allowed it"),
    one_of("action", TombstoneAction),
)
