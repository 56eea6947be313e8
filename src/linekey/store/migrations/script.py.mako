"""${message}."""

from alembic import op

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = None
depends_on = None
# The oldest schema whose linekey still works on what this leaves (store.beside).
beside = ...


def upgrade() -> None:
    """Go to this step."""
    ${upgrades if upgrades else "raise NotImplementedError"}
