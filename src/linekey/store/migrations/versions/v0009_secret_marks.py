"""Names of settings that the operator marked as secrets."""

import sqlalchemy as sa
from alembic import op

revision = "v0009"
down_revision = "v0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table; ``store.marks`` seals what lies plain when it is first opened."""
    op.create_table(
        "secret_names",
        sa.Column("name", sa.String(128), primary_key=True),
        sa.Column("marked_at", sa.BigInteger, nullable=False),
    )
