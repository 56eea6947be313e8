"""PostgreSQL's phones have an index by state, for lists and counts of revoked ones."""

from alembic import op

revision = "v0022"
down_revision = "v0021"
branch_labels = None
depends_on = None
beside = "v0021"


def upgrade() -> None:
    """Make it; 100,000 phones take a moment. SQLite's index of lists has it."""
    if op.get_context().dialect.name != "sqlite":
        op.create_index("ix_devices_state", "devices", ["state", "mac"])
