"""PostgreSQL's log has narrow indexes of what decisions are filtered by."""

from alembic import op

revision = "v0021"
down_revision = "v0019"
branch_labels = None
depends_on = None
beside = "v0018"


def upgrade() -> None:
    """Make them; 1,000,000 decisions take some seconds. SQLite goes on without."""
    if op.get_context().dialect.name == "sqlite":
        return
    op.create_index("ix_decision_log_peer", "decision_log", ["peer"])
    op.create_index(
        "ix_decision_log_filters",
        "decision_log",
        ["vendor", "status", "kind", "policy", "tls_version"],
    )
