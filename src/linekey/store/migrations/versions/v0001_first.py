"""The first schema: registry, vendor CAs, decision log."""

import sqlalchemy as sa
from alembic import op

revision = "v0001"
down_revision = None
branch_labels = None
depends_on = None

# A migration is history: it repeats the columns and imports nothing of the schema.
_ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables, and the one row of counters."""
    op.create_table(
        "meta",
        sa.Column("name", sa.String(32), primary_key=True),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
    )
    revisions = op.create_table(
        "revision",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("registry", sa.BigInteger, nullable=False),
        sa.Column("layers", sa.BigInteger, nullable=False),
        sa.Column("trust", sa.BigInteger, nullable=False),
    )
    op.bulk_insert(revisions, [{"id": 1, "registry": 1, "layers": 1, "trust": 1}])
    op.create_table(
        "devices",
        sa.Column("mac", sa.String(12), primary_key=True),
        sa.Column("vendor", sa.String(32), nullable=False),
        sa.Column("model", sa.String(64)),
        sa.Column("firmware", sa.String(32)),
        sa.Column("label", sa.Text, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("revoked_reason", sa.Text, nullable=False),
        sa.Column("generations", sa.String(64)),
        sa.Column("token_sha256", sa.String(64)),
        sa.Column("token_used_at", sa.BigInteger),
        sa.Column("digest_username", sa.Text),
        sa.Column("digest_realm", sa.Text),
        sa.Column("layer", sa.Text, nullable=False),
        sa.Column("sealed", sa.LargeBinary),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("changed_at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "layers",
        sa.Column("scope", sa.String(80), primary_key=True),
        sa.Column("layer", sa.Text, nullable=False),
        sa.Column("sealed", sa.LargeBinary),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("changed_at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "vendor_cas",
        sa.Column("sha256", sa.String(64), primary_key=True),
        sa.Column("der", sa.LargeBinary, nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("vendor", sa.String(32)),
        sa.Column("generation", sa.String(16)),
        sa.Column("known_as", sa.Text),
        sa.Column("added_at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "decision_log",
        sa.Column("id", _ROW_NUMBER, primary_key=True, autoincrement=True),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("reason", sa.String(64), nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("cure", sa.Text),
        sa.Column("mac", sa.String(12)),
        sa.Column("target_mac", sa.String(12)),
        sa.Column("resource", sa.Text, nullable=False),
        sa.Column("status", sa.Integer),
        sa.Column("peer", sa.String(64), nullable=False),
        sa.Column("peer_port", sa.Integer, nullable=False),
        sa.Column("tls_version", sa.String(16)),
        sa.Column("suite", sa.String(64)),
        sa.Column("fingerprint", sa.String(64)),
        sa.Column("policy", sa.String(32)),
        sa.Column("server_name", sa.Text),
        sa.Column("certificate_sha256", sa.String(64)),
        sa.Column("vendor", sa.String(32)),
        sa.Column("generation", sa.String(16)),
        sa.Column("user_agent", sa.Text),
    )
    op.create_index("ix_decision_log_at", "decision_log", ["at"])
