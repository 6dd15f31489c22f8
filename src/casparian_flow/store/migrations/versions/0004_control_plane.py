"""What a sentinel remembers of runs, workers, their keys, watches, tokens and what it was asked."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the new tables and columns; nothing of this was known before."""
    _add_columns()
    _make_runs()
    _make_workers()
    _make_tokens()
    _make_watches()
    _make_requests()


def _add_columns() -> None:
    op.add_column("scout_locations", sa.Column("growing_since_ns", sa.BigInteger(), nullable=True))
    op.add_column("scout_locations", sa.Column("settles_at_ns", sa.BigInteger(), nullable=True))
    op.add_column("cf_parsers", sa.Column("failures", sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.add_column("cf_parsers", sa.Column("paused_at_ns", sa.BigInteger(), nullable=True))
    op.add_column("cf_jobs", sa.Column("session", sa.Text(), nullable=True))
    op.add_column("cf_jobs", sa.Column("phase", sa.String(length=10), nullable=True))
    op.add_column("cf_jobs", sa.Column("rows_read", sa.BigInteger(), server_default=sa.text("0"), nullable=False))
    op.add_column("cf_jobs", sa.Column("bytes_read", sa.BigInteger(), server_default=sa.text("0"), nullable=False))
    op.add_column("cf_jobs", sa.Column("silent_since_ns", sa.BigInteger(), nullable=True))
    op.create_index(
        "ix_cf_jobs_lease",
        "cf_jobs",
        ["lease_until_ns"],
        unique=False,
        sqlite_where=sa.text("state IN ('dispatched', 'running')"),
    )


def _make_runs() -> None:
    op.create_table(
        "cf_runs",
        sa.Column("plan_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("policy", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("submitted_at_ns", sa.BigInteger(), nullable=False),
        sa.Column("finished_at_ns", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("plan_id", name=op.f("pk_cf_runs")),
    )
    op.create_index(
        "ix_cf_runs_open", "cf_runs", ["plan_id"], unique=False, sqlite_where=sa.text("finished_at_ns IS NULL")
    )


def _make_workers() -> None:
    op.create_table(
        "cf_workers",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("session", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("pid", sa.BigInteger(), nullable=False),
        sa.Column("product", sa.Text(), nullable=False),
        sa.Column("slots", sa.Integer(), nullable=False),
        sa.Column("labels", sa.Text(), nullable=False),
        sa.Column("isolation", sa.Text(), nullable=False),
        sa.Column("environments", sa.Text(), nullable=False),
        sa.Column("parsers", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("joined_at_ns", sa.BigInteger(), nullable=False),
        sa.Column("seen_at_ns", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("state IN ('present', 'draining', 'lost', 'gone')", name=op.f("ck_cf_workers_state_known")),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_cf_workers")),
    )
    op.create_table(
        "cf_worker_keys",
        sa.Column("public_key", sa.String(length=40), nullable=False),
        sa.Column("worker", sa.Text(), nullable=False),
        sa.Column("admitted_at_ns", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at_ns", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("public_key", name=op.f("pk_cf_worker_keys")),
    )


def _make_tokens() -> None:
    op.create_table(
        "cf_tokens",
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("digest", sa.String(length=80), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("made_at_ns", sa.BigInteger(), nullable=False),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("expires_at_ns", sa.BigInteger(), nullable=True),
        sa.Column("used_at_ns", sa.BigInteger(), nullable=True),
        sa.Column("revoked_at_ns", sa.BigInteger(), nullable=True),
        sa.Column("worker", sa.Text(), nullable=True),
        sa.Column("used_by", sa.String(length=40), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_cf_tokens")),
        sa.UniqueConstraint("digest", name=op.f("uq_cf_tokens_digest")),
    )


def _make_watches() -> None:
    op.create_table(
        "cf_watches",
        sa.Column("id", ID, nullable=False),
        sa.Column("operation", sa.String(length=20), nullable=False),
        sa.Column("request", sa.Text(), nullable=False),
        sa.Column("cwd", sa.LargeBinary(), nullable=False),
        sa.Column("settle_seconds", sa.Float(), nullable=False),
        sa.Column("reconcile_seconds", sa.Float(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("added_at_ns", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cf_watches")),
    )


def _make_requests() -> None:
    op.create_table(
        "cf_requests",
        sa.Column("key", sa.String(length=80), nullable=False),
        sa.Column("digest", sa.String(length=80), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("reply", sa.LargeBinary(), nullable=True),
        sa.Column("asked_at_ns", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_cf_requests")),
    )
