"""The servers that share a database, and the keys that each of them has."""

import sqlalchemy as sa
from alembic import op

revision = "v0003"
down_revision = "v0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table of servers."""
    op.create_table(
        "servers",
        sa.Column("name", sa.String(255), primary_key=True),
        sa.Column("place", sa.Text, nullable=False),
        sa.Column("run", sa.String(32), nullable=False),
        sa.Column("key_ids", sa.Text, nullable=False),
        sa.Column("started_at", sa.BigInteger, nullable=False),
        sa.Column("seen_at", sa.BigInteger, nullable=False),
    )
