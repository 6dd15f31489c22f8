"""Governed changes: what is proposed, on which evidence, who decided, and with which keys."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
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

from casparian_flow.core.proposals import Decision, Kind, Origin, State
from casparian_flow.store.tables.base import ID, metadata, one_of

IS_LIVING = "state IN ('draft', 'proposed', 'changes_requested', 'approved')"
"""The condition of the index by which the living proposal of a cause is found; statements say it in the same words."""

proposals = Table(
    "cf_proposals",
    metadata,
    Column("id", ID, primary_key=True),
    Column("kind", String(12), nullable=False),
    Column("state", String(20), nullable=False),
    Column("signature", String(80), nullable=False, comment="of the cause; one of each lives"),
    Column("table_name", Text, comment="null: it is about no table, or about several"),
    Column(
        "subject", Text, nullable=False, comment="the contract, the parser or the replay that it is about; or empty"
    ),
    Column("base_digest", String(80), nullable=False, comment="of what is in force and would be changed"),
    Column("body", Text, nullable=False, comment="canonical JSON of a `core.proposal_bodies.Body`"),
    Column("survey", LargeBinary, comment="what the values that drifted look like, mergeable"),
    Column("evidence_rows", BigInteger, nullable=False, server_default=text("0")),
    Column("evidence_files", Integer, nullable=False, server_default=text("0")),
    Column("round", Integer, nullable=False, server_default=text("0"), comment="how often it was proposed"),
    Column("evidence_digest", String(80)),
    Column("verdicts", Text, comment="canonical JSON"),
    Column("empirical", Text, comment="canonical JSON"),
    Column("impact", Text, comment="canonical JSON"),
    Column("risk", String(12)),
    Column("digest", String(80), comment="what a decision is bound to; null while it is a draft"),
    Column("origin", String(10), nullable=False),
    Column("proposed_by", Text, nullable=False),
    Column("reason", Text, nullable=False, server_default=""),
    Column("drafted_at_ns", BigInteger, nullable=False),
    Column("touched_by_plan", BigInteger, comment="the last run that brought evidence"),
    Column("proposed_at_ns", BigInteger),
    Column("decided_at_ns", BigInteger),
    Column("applied_at_ns", BigInteger),
    Column("void_reason", Text),
    one_of("kind", Kind),
    one_of("state", State),
    one_of("origin", Origin),
)
Index(
    "uq_cf_proposals_living",
    proposals.c.signature,
    unique=True,
    sqlite_where=text(IS_LIVING),
)
Index("ix_cf_proposals_state", proposals.c.state)
Index("ix_cf_proposals_table_name", proposals.c.table_name)
Index("ix_cf_proposals_touched", proposals.c.touched_by_plan, sqlite_where=text(IS_LIVING))

proposal_evidence = Table(
    "cf_proposal_evidence",
    metadata,
    Column("proposal_id", ForeignKey("cf_proposals.id"), primary_key=True),
    Column("job_id", ForeignKey("cf_jobs.id"), primary_key=True),
    Column("source_hash", String(80), nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("samples", Text, nullable=False, comment="JSON list of at most three values, treated"),
    Column("is_signed", Boolean, nullable=False, comment="false: it came after the digest, and is shown as such"),
)

approvals = Table(
    "cf_approvals",
    metadata,
    Column("id", ID, primary_key=True),
    Column("proposal_id", ForeignKey("cf_proposals.id"), nullable=False, index=True),
    Column("digest", String(80), nullable=False),
    Column("decision", String(16), nullable=False),
    Column("actor", Text, nullable=False),
    Column("key_id", String(32)),
    Column("signature", LargeBinary),
    Column("is_self", Boolean, nullable=False, comment="whether the actor proposed it"),
    Column("reason", Text, nullable=False),
    Column("at_ns", BigInteger, nullable=False),
    UniqueConstraint("proposal_id", "digest", "actor"),
    one_of("decision", Decision),
)

keys = Table(
    "cf_keys",
    metadata,
    Column("key_id", String(32), primary_key=True, comment="from the digest of the public half"),
    Column("actor", Text, nullable=False, index=True),
    Column("public", LargeBinary, nullable=False, unique=True, comment="Ed25519"),
    Column("added_at_ns", BigInteger, nullable=False),
    Column("added_by", Text, nullable=False),
    Column("revoked_at_ns", BigInteger),
)
