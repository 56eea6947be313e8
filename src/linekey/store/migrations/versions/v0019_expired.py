"""What certificates are worth after their end; when each phone was registered."""

import sqlalchemy as sa
from alembic import op

revision = "v0019"
down_revision = "v0018"
branch_labels = None
depends_on = None
beside = "v0018"


def upgrade() -> None:
    """Add the columns; a phone of before counts as registered at its last change.

    That is no earlier than it was, so nobody is let in who was not there in time.
    """
    op.add_column("vendor_cas", sa.Column("expired", sa.String(16)))
    op.add_column("devices", sa.Column("expired", sa.String(16)))
    op.add_column("devices", sa.Column("registered_at", sa.BigInteger))
    op.execute("UPDATE devices SET registered_at = changed_at")
