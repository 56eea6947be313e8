"""The operator's word on the phones of a CA; what the certificate says is not stored.

``vendor`` held what the CA's name suggested to the linekey that imported it. The
catalogue is asked for that each time now, so that it may learn, and the column is the
operator's; ``generation`` called MD5 signatures SHA-1.
"""

import sqlalchemy as sa
from alembic import op

revision = "v0007"
down_revision = "v0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Change ``vendor_cas`` and keep every CA in it."""
    op.execute("UPDATE vendor_cas SET vendor = NULL")
    with op.batch_alter_table("vendor_cas") as table:
        table.add_column(sa.Column("rule", sa.String(16)))
        table.drop_column("generation")
        table.drop_column("known_as")
