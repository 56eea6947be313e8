"""Groups of phones, and tokens that are limited to some."""

import sqlalchemy as sa
from alembic import op

revision = "v0011"
down_revision = "v0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table and the columns; nobody is in a group, no token is limited."""
    op.create_table(
        "groups",
        sa.Column("name", sa.String(48), primary_key=True),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("authorities", sa.Text),
        sa.Column("policies", sa.Text, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("changed_at", sa.BigInteger, nullable=False),
    )
    op.add_column("devices", sa.Column("group", sa.String(48)))
    op.create_index("ix_devices_group_mac", "devices", ["group", "mac"])
    op.add_column("api_tokens", sa.Column("groups", sa.Text))
    op.add_column("changes", sa.Column("group", sa.String(48)))
    op.add_column("changes", sa.Column("left_group", sa.String(48)))
    op.create_index("ix_changes_group_at", "changes", ["group", "at"])
    op.add_column("decision_log", sa.Column("group", sa.String(48)))
    grouped = sa.text('"group" IS NOT NULL')
    op.create_index(
        "ix_decision_log_group_at",
        "decision_log",
        ["group", "at"],
        sqlite_where=grouped,
        postgresql_where=grouped,
    )
