"""Rows that did not fit: how many of each job, and what is known about each cause."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, String, Table, Text, UniqueConstraint, text

from casparian_flow.core.quarantine import EntryState
from casparian_flow.store.tables.base import ID, metadata, one_of

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
    Column("reference", String(8), nullable=False, server_default="", comment="the short name of the cause"),
    Column("closed_by_job", BigInteger, comment="the job that read these rows again"),
    Column("closed_at_ns", BigInteger),
    Column("purged_by", BigInteger, comment="the proposal by which the rows were erased for good"),
    Column("bytes", BigInteger, nullable=False, server_default=text("0"), comment="what the rejected rows take"),
    one_of("state", EntryState),
)
Index("ix_cf_quarantine_groups_reference", quarantine.c.reference)

causes = Table(
    "cf_causes",
    metadata,
    Column("reference", String(8), primary_key=True),
    Column("table_name", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("column_name", Text, nullable=False),
    Column("shape", Text, nullable=False),
    Column("parser_name", Text, nullable=False),
    Column("owner", Text),
    Column("note", Text),
    Column("changed_at_ns", BigInteger, nullable=False),
    UniqueConstraint("table_name", "code", "column_name", "shape", "parser_name"),
)
