"""Indexes for lists of many phones, and of decisions by their reasons."""

from alembic import op

revision = "v0012"
down_revision = "v0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make them; 1,000,000 decisions take some seconds."""
    op.create_index(
        "ix_decision_log_outcome_reason", "decision_log", ["outcome", "reason"]
    )
    if op.get_context().dialect.name == "sqlite":
        op.create_index(
            "ix_devices_list",
            "devices",
            ["mac", "label", "model", "firmware", "vendor", "state", "group",
             "revoked_reason", "changed_at"],
        )  # fmt: skip
