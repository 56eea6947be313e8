"""Wrong answers to HTTP digest challenges, and where phones proved themselves."""

import sqlalchemy as sa
from alembic import op

revision = "v0006"
down_revision = "v0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the two tables."""
    op.create_table(
        "digest_attempts",
        sa.Column("scope", sa.String(96), primary_key=True),
        sa.Column("mac", sa.String(12)),
        sa.Column("wrong", sa.Integer, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("forgotten_at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "digest_places",
        sa.Column("mac", sa.String(12), primary_key=True),
        sa.Column("source", sa.String(64), nullable=False),
        sa.Column("leaf", sa.String(64)),
    )
