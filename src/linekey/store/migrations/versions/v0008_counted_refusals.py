"""Refusals of strangers that are counted in one line, and how many lines a day."""

import sqlalchemy as sa
from alembic import op

revision = "v0008"
down_revision = "v0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns of counted lines, their index, and the table of daily lines."""
    op.add_column(
        "decision_log",
        sa.Column("times", sa.Integer, nullable=False, server_default="1"),
    )
    op.add_column("decision_log", sa.Column("last_at", sa.BigInteger))
    op.add_column("decision_log", sa.Column("network", sa.String(64)))
    op.add_column("decision_log", sa.Column("minute", sa.BigInteger))
    counted = sa.text("network IS NOT NULL")
    op.create_index(
        "ix_decision_log_minute_network_kind_reason",
        "decision_log",
        ["minute", "network", "kind", "reason"],
        unique=True,
        sqlite_where=counted,
        postgresql_where=counted,
    )
    op.create_table(
        "refusal_lines",
        sa.Column("day", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("who", sa.String(16), primary_key=True),
        sa.Column("lines", sa.BigInteger, nullable=False),
    )
