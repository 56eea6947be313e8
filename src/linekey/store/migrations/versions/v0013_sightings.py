"""One row a phone of what its visits say, and the log's lines of a phone found fast."""

import sqlalchemy as sa
from alembic import op

revision = "v0013"
down_revision = "v0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table and the indexes; phones are seen anew at their next visit."""
    op.create_table(
        "sightings",
        sa.Column("mac", sa.String(12), primary_key=True),
        sa.Column("first_at", sa.BigInteger, nullable=False),
        sa.Column("last_at", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.String(64)),
        sa.Column("outcome", sa.String(16)),
        sa.Column("refused_at", sa.BigInteger),
        sa.Column("certificate_sha256", sa.String(64)),
        sa.Column("issuer_key_sha256", sa.String(64)),
        sa.Column("certificate_ends_at", sa.BigInteger),
        sa.Column("generation", sa.String(16)),
        sa.Column("user_agent", sa.Text),
        sa.Column("peer", sa.String(64), nullable=False),
        sqlite_with_rowid=False,
    )
    for column in ("refused_at", "certificate_ends_at", "generation"):
        op.create_index(f"ix_sightings_{column}", "sightings", [column])
    for column, where in (
        ("mac", "mac IS NOT NULL"),
        ("target_mac", "target_mac IS NOT NULL AND (mac IS NULL OR mac <> target_mac)"),
    ):
        op.create_index(
            f"ix_decision_log_{column}",
            "decision_log",
            [column],
            sqlite_where=sa.text(where),
            postgresql_where=sa.text(where),
        )
