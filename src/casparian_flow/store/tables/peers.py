"""Workers, watches and callers, and what the home says of itself."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
)

from casparian_flow.core.workers import WorkerState
from casparian_flow.store.tables.base import ID, metadata, one_of

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
    one_of("state", WorkerState),
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


meta = Table(
    "cf_meta",
    metadata,
    Column("key", String(40), primary_key=True),
    Column("value", Text, nullable=False),
)
