"""Which linekey may use a database that a newer one has brought up to its own schema.

Theory of operation. Servers that share a database are upgraded one after the other, so
for a while an older one runs on tables that a newer one has changed; it may even have
to start on them, since a worker that dies is started again. A migration therefore
*expands*: it adds tables, indexes, and columns that may stay empty or have a default,
so that the statements of the linekey before it go on doing what they did. What nobody
uses any more is taken away by a later release (*contract*).

Each migration says in ``beside`` which is the oldest schema whose linekey may go on:
one that expands repeats what the migration before it says, one that contracts names the
oldest that does without what it takes away. The newest one's word is written into the
database, in the row ``beside`` of ``meta``, where an older linekey finds it.

Rules: without that row, or with one that cannot be read, only the linekey that knows
the schema may use it. An older one never migrates, copies or backs up a newer schema:
it does not know all of it.
"""

import re
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from linekey.errors import StorageError
from linekey.store.schema import HEAD, meta

if TYPE_CHECKING:  # its import costs 0.2 s
    from alembic.script import ScriptDirectory

ROW = "beside"
"""The row of ``meta``; its ``sealed`` is plain text here, such as ``v0019``."""
_STAGE = re.compile(r"v\d{4}")


def is_older(stage: str, than: str) -> bool:
    """Whether one schema was made before another; no for what is not one's name."""
    return bool(_STAGE.fullmatch(stage) and _STAGE.fullmatch(than)) and stage < than


def newer_schema(connection: Connection, stage: str | None) -> str:
    """Return the database's schema if it is a newer linekey's, beside which this one
    may go on; otherwise nothing."""
    if stage is None or not is_older(HEAD, stage):
        return ""
    said = connection.execute(
        sa.select(meta.c.sealed).where(meta.c.name == ROW)
    ).scalar()
    oldest = "" if said is None else bytes(said).decode("ascii", "replace")
    fits = _STAGE.fullmatch(oldest) and not is_older(HEAD, oldest)
    return stage if fits else ""


def tell_older(connection: Connection, scripts: "ScriptDirectory") -> None:
    """Write down which linekey may go on beside the newest migration's schema."""
    newest = scripts.get_revision("head")
    assert newest is not None, "there is one head"
    oldest = str(getattr(newest.module, "beside", newest.revision))
    connection.execute(sa.delete(meta).where(meta.c.name == ROW))
    connection.execute(sa.insert(meta).values(name=ROW, sealed=oldest.encode()))


def refuse_newer(stage: str, name: str, what: str) -> None:
    """Refuse to do ``what`` to a database of a newer linekey. Raises StorageError."""
    if is_older(HEAD, stage):
        raise StorageError(
            f"{name} has the schema {stage!r} of a newer linekey, and this one knows "
            f"it up to {HEAD!r}: it cannot {what} all of it",
            hint=f"{what} it with the newer linekey",
        )
