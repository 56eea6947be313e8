"""The index of decisions by time has what they are filtered by, too."""

from alembic import op

revision = "v0018"
down_revision = "v0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make it in place of the one by time alone; 1,000,000 decisions take seconds."""
    op.drop_index("ix_decision_log_at", "decision_log")
    op.create_index(
        "ix_decision_log_list",
        "decision_log",
        ["at", "kind", "outcome", "reason", "peer", "vendor", "status", "policy",
         "tls_version", "group"],
    )  # fmt: skip
