"""Which other servers were given a configuration, from which state of the registry.

``exports.json`` in the state folder: one entry for each folder that ``linekey export``
wrote to. It tells what to write again when phones change, and which servers do not know
yet that a phone was revoked. It holds no secret.
"""

import json
import os
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from linekey.errors import StorageError
from linekey.store.database import Database
from linekey.store.schema import revision

FILE: Final = "exports.json"


@dataclass(frozen=True, slots=True)
class Exported:
    """An export that was written: ``options`` are those of its command."""

    peer: str
    folder: str
    options: dict[str, Any]
    reload: str | None
    """The command that makes the server read it again; None: the usual one."""
    revision: int
    """The registry's counter when it was written."""
    at: str
    """When that was, ISO 8601."""

    @property
    def decides_alone(self) -> bool:
        """Whether that server decides whom it lets in, by its files; the others ask
        linekey at each request."""
        return self.peer in ("kamailio", "freeradius") or bool(
            self.options.get("files")
        )

    @property
    def lets_all_in(self) -> bool:
        """Whether that server knows no single phone: a revoked one gets in."""
        return self.peer == "slapd"

    @property
    def has_passwords(self) -> bool:
        """Whether that server knows accounts' passwords, as their digest."""
        return self.peer == "kamailio"

    def written(self, now_at: int, at: datetime) -> "Exported":
        """The same, written anew."""
        options = dict(self.options)
        return Exported(
            self.peer, self.folder, options, self.reload, now_at,
            at.astimezone(UTC).isoformat(timespec="seconds"),
        )  # fmt: skip


def registry_revision(database: Database) -> int:
    """Return the counter of every change of the registry."""
    with database.read() as connection:
        return int(connection.execute(sa.select(revision.c.registry)).scalar_one())


def read_exports(root: Path) -> list[Exported]:
    """Return what was exported from this state folder. Raises StorageError."""
    path = root / FILE
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
        return [Exported(**row) for row in rows]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError) as error:
        raise StorageError(
            f"{str(path)!r} cannot be read: {type(error).__name__}",
            hint="move it away, then write each export again with linekey export",
        ) from None


def note_export(root: Path, one: Exported) -> None:
    """Keep an export, in the place of the one to the same folder."""
    kept = [other for other in read_exports(root) if other.folder != one.folder]
    rows = [asdict(each) for each in sorted([*kept, one], key=lambda e: e.folder)]
    draft = root / f".{FILE}.{os.getpid()}"
    try:
        draft.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
        draft.replace(root / FILE)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise StorageError(
            f"cannot write {str(root / FILE)!r}: {(error.strerror or '').lower()}",
            hint="make room, or give this user the right to write there",
        ) from None
