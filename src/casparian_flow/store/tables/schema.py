"""Contracts, and how files differ from them."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    text,
)

from casparian_flow.core.contracts import ContractState, Origin
from casparian_flow.store.tables.base import ID, metadata, one_of

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
    Column("amends", BigInteger, comment="the contract that it takes the place of"),
    Column("proposal_id", BigInteger, comment="the proposal that put it in force, or would"),
    one_of("state", ContractState),
    one_of("origin", Origin),
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
    Column("samples", Text, nullable=False, server_default="[]", comment="JSON list of at most three values, treated"),
)
