"""Phones that nobody has registered yet, and the rules that register them."""

import sqlalchemy as sa
from alembic import op

revision = "v0015"
down_revision = "v0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the tables and columns; no phone has waited so far."""
    op.create_table(
        "pending",
        sa.Column("mac", sa.String(12), primary_key=True),
        sa.Column("state", sa.String(16), nullable=False, server_default="open"),
        sa.Column("refused_reason", sa.Text, nullable=False, server_default=""),
        sa.Column("code", sa.String(8), nullable=False),
        sa.Column("vendor", sa.String(32), nullable=False),
        sa.Column("model", sa.String(64)),
        sa.Column("model_by", sa.String(16)),
        sa.Column("generation", sa.String(16)),
        sa.Column("issuer", sa.Text, nullable=False),
        sa.Column("issuer_key_sha256", sa.String(64)),
        sa.Column("certificate_sha256", sa.String(64)),
        sa.Column("certificate_ends_at", sa.BigInteger),
        sa.Column("user_agent", sa.Text),
        sa.Column("peer", sa.String(64), nullable=False),
        sa.Column("first_at", sa.BigInteger, nullable=False),
        sa.Column("last_at", sa.BigInteger, nullable=False),
        sa.Column("count", sa.BigInteger, nullable=False),
        sa.Column("waited", sa.Integer, nullable=False),
        sa.Column("group", sa.String(48)),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "adoption_rules",
        sa.Column("name", sa.String(48), primary_key=True),
        sa.Column("ranges", sa.Text, nullable=False),
        sa.Column("label", sa.Text, nullable=False),
        sa.Column("group", sa.String(48)),
        sa.Column("model", sa.String(64)),
        sa.Column("vendor", sa.String(32), nullable=False),
        sa.Column("adopts", sa.Integer, nullable=False),
        sa.Column("changed_at", sa.BigInteger, nullable=False),
    )
    op.add_column("vendor_cas", sa.Column("pending", sa.String(16)))
    waited = sa.Column("waited", sa.Integer, nullable=False, server_default="0")
    op.add_column("devices", waited)
