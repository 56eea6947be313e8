"""Alerts that hold, messages about them, and who sends them."""

import sqlalchemy as sa
from alembic import op

revision = "v0014"
down_revision = "v0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the three tables."""
    op.create_table(
        "alerts",
        sa.Column("kind", sa.String(32), primary_key=True),
        sa.Column("key", sa.String(128), primary_key=True),
        sa.Column("cause", sa.String(128), nullable=False),
        sa.Column("sentence", sa.Text, nullable=False),
        sa.Column("cure", sa.Text, nullable=False),
        sa.Column("mac", sa.String(12)),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("since_at", sa.BigInteger, nullable=False),
        sa.Column("told_at", sa.BigInteger),
        sa.Column("over_at", sa.BigInteger),
    )
    row_number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "messages",
        sa.Column("id", row_number, primary_key=True, autoincrement=True),
        sa.Column("message", sa.String(64), nullable=False),
        sa.Column("target", sa.String(64), nullable=False),
        sa.Column("label", sa.Text, nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("made_at", sa.BigInteger, nullable=False),
        sa.Column("next_at", sa.BigInteger),
        sa.Column("tried_at", sa.BigInteger),
        sa.Column("problem", sa.Text, nullable=False),
    )
    op.create_index("ix_messages_state_next_at", "messages", ["state", "next_at"])
    op.create_table(
        "leases",
        sa.Column("name", sa.String(32), primary_key=True),
        sa.Column("holder", sa.String(64), nullable=False),
        sa.Column("until_at", sa.BigInteger, nullable=False),
        sa.Column("since_at", sa.BigInteger),
    )
