"""What a revert of a table leaves behind: who, why, to which snapshot, and which rows it undid or brought back."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; nothing was reverted before."""
    op.add_column("cf_commits", sa.Column("reverts_to", sa.BigInteger(), nullable=True))
    op.add_column("cf_commits", sa.Column("actor", sa.Text(), nullable=True))
    op.add_column("cf_commits", sa.Column("reason", sa.Text(), nullable=True))
    op.add_column("cf_materializations", sa.Column("reverted_in", sa.BigInteger(), nullable=True))
    op.add_column(
        "cf_materializations", sa.Column("is_pinned", sa.Boolean(), server_default=sa.text("0"), nullable=False)
    )
    op.create_index(
        "ix_cf_materializations_reverted",
        "cf_materializations",
        ["source_hash"],
        unique=False,
        sqlite_where=sa.text("reverted_in IS NOT NULL"),
    )
