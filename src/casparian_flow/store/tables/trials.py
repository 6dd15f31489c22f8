"""What was tried on bytes that are there, and which keys proved to mean the same rows."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Integer, String, Table, Text, text

from casparian_flow.core.backtests import BacktestOutcome, Basis
from casparian_flow.store.tables.base import ID, metadata, one_of

backtests = Table(
    "cf_backtests",
    metadata,
    Column("id", ID, primary_key=True),
    Column("parser_name", Text, nullable=False),
    Column("artifact_hash", String(80), nullable=False),
    Column("env_hash", String(80), nullable=False),
    Column("against_hash", String(80), comment="the artifact that is active; null: none is"),
    Column("config", Text, nullable=False),
    Column("contracts", Text, nullable=False, comment="JSON: table to hash of its contract"),
    Column("selection", Text, nullable=False, comment="JSON: what was asked for"),
    Column("started_at_ns", BigInteger, nullable=False),
    Column("ended_at_ns", BigInteger),
    Column("stop_reason", Text),
    Column("totals", Text, nullable=False, comment="JSON of the sums over its files"),
    Column("asked_by", Text, nullable=False),
)

_COUNTS = [
    Column(name, BigInteger, nullable=False, server_default=text("0"))
    for name in ("gained", "lost", "changed", "quarantined", "released")
]
backtest_files = Table(
    "cf_backtest_files",
    metadata,
    Column("backtest_id", ForeignKey("cf_backtests.id"), primary_key=True),
    Column("version_id", ForeignKey("scout_versions.id"), primary_key=True),
    Column("ordinal", Integer, nullable=False, comment="worst first"),
    Column("outcome", String(12), nullable=False),
    *_COUNTS,
    Column("digests", Text, nullable=False, comment="JSON: table to the digests of its rows, old and new"),
    Column("expected", Text, nullable=False, comment="JSON: as of a file of a replay; empty: that is not known"),
    Column("error", Text),
    one_of("outcome", BacktestOutcome),
)

equivalences = Table(
    "cf_equivalences",
    metadata,
    Column("id", ID, primary_key=True),
    Column("materialization_id", ForeignKey("cf_materializations.id"), nullable=False, index=True),
    Column("job_id", BigInteger, nullable=False),
    Column("old_key", String(80), nullable=False),
    Column("new_key", String(80), nullable=False),
    Column("old_digest", String(80), nullable=False),
    Column("new_digest", String(80), nullable=False),
    Column("basis", String(10), nullable=False),
    Column("backtest_id", ForeignKey("cf_backtests.id")),
    Column("proposal_id", ForeignKey("cf_proposals.id")),
    Column("at_ns", BigInteger, nullable=False),
    one_of("basis", Basis),
)
