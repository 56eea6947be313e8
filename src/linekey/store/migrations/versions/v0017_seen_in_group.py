"""In which group a phone was when it was seen, and since when."""

import sqlalchemy as sa
from alembic import op

revision = "v0017"
down_revision = "v0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; what was seen before counts as seen in the group of now."""
    op.add_column("sightings", sa.Column("group", sa.String(64)))
    op.add_column(
        "sightings",
        sa.Column("group_since", sa.BigInteger, nullable=False, server_default="0"),
    )
    op.execute(
        'UPDATE sightings SET group_since = first_at, "group" = '
        '(SELECT "group" FROM devices WHERE devices.mac = sightings.mac)'
    )
