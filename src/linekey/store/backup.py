"""A backup is written: one tar file with all that must not be lost.

``manifest.json`` comes first and names every other file with its size and SHA-256; then
``linekey.db``, ``keys/``, ``linekey.toml``, and the server's own certificate and key
where they lie in the state folder. The database is always SQLite's: one of PostgreSQL
is copied into it. Any tar reads the file.

Rules: what is written is one view of the database, however much is written to it
meanwhile. A backup is whole under its name, or not there. How it is put back:
``restoring``.
"""

import contextlib
import hashlib
import io
import json
import os
import sqlite3
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from linekey import __version__
from linekey.errors import InputError, StorageError
from linekey.store import log_alike, log_texts
from linekey.store.copying import fill, snapshot, sqlite_draft
from linekey.store.database import shown
from linekey.store.drafts import draft_name
from linekey.store.look import count_rows, look
from linekey.store.paths import (
    StateDir,
    file_error,
    sync_folder,
)
from linekey.store.schema import HEAD, meta
from linekey.store.secrets import KEY_FILE, LACKS_HINT, KeyRing, sealed_with
from linekey.store.trouble import told_as_storage_error

FORMAT = 1
"""Of the tar file. A newer one is refused."""
MANIFEST = "manifest.json"
DATABASE = "linekey.db"
SETTINGS = "linekey.toml"
_MAX_MANIFEST = 1_000_000
_PIECE = 1_048_576


@dataclass(frozen=True, slots=True)
class Content:
    """What a backup says of itself; ``files`` is name → (size, SHA-256)."""

    made_at: str
    linekey: str
    schema: str
    key: str
    """The id of the key that its secrets are sealed with."""
    rows: dict[str, int]
    files: dict[str, tuple[int, str]]
    links: dict[str, str] = field(default_factory=dict)

    @property
    def has_keys(self) -> bool:
        """Whether the key file is in it."""
        return f"keys/{KEY_FILE}" in self.files

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "format": FORMAT,
            "made_at": self.made_at,
            "linekey": self.linekey,
            "schema": self.schema,
            "key": self.key,
            "rows": self.rows,
            "files": {
                name: {"size": size, "sha256": sha256}
                for name, (size, sha256) in self.files.items()
            },
            "links": self.links,
        }


# Writing


def write_backup(
    state: StateDir,
    url: str | None,
    path: Path,
    at: datetime,
    *,
    named: Iterable[Path] = (),
    with_keys: bool = True,
) -> Content:
    """Write a backup of a state folder to ``path``, mode 0600, while servers run.

    ``url`` is the database's, None for SQLite. ``named`` are further files, of which
    those inside the state folder are taken. Raises InputError if ``path`` is there
    already, StorageError for what cannot be read or written.
    """
    if path.exists() or path.is_symlink():
        raise InputError(
            f"{str(path)!r} is there already",
            hint="give another name, or a folder: the time is put into the name then",
        )
    here = look(state, url)
    with contextlib.ExitStack() as stack:
        name = stack.enter_context(draft_name(path.parent, "backup"))
        draft = path.with_name(name)
        database, rows = stack.enter_context(
            _sqlite_view(state, path.parent, f"{name}.db")
            if url is None
            else _postgresql_view(url, path.parent, f"{name}.db")
        )
        keys = KeyRing.open(state)
        key = _key_of(database)
        if not keys.has(key):
            raise StorageError(
                f"keys/{KEY_FILE} lacks the key of {here.name} ({key}): such a backup "
                "could not be read",
                hint=LACKS_HINT,
            )
        small, links = _small_files(state, named, with_keys)
        files = {DATABASE: _sum_of(database)}
        files |= {name: (len(d), _sha256(d)) for name, d in small.items()}
        content = Content(
            at.isoformat(), __version__, here.schema, key, rows, files, links
        )
        try:
            _write_tar(draft, content, database, small)
            os.link(draft, path)
        except FileExistsError:
            raise InputError(
                f"{str(path)!r} is there already", hint="give another name"
            ) from None
        except OSError as error:
            raise file_error("write", path, error) from error
        finally:
            draft.unlink(missing_ok=True)
        sync_folder(path.parent)
    return content


@contextlib.contextmanager
def _sqlite_view(
    state: StateDir, folder: Path, name: str
) -> Iterator[tuple[Path, dict[str, int]]]:
    """The database as it is at one instant. Writers go on meanwhile (WAL)."""
    path = folder / name
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except OSError as error:
        raise file_error("write", path, error) from error
    try:
        with told_as_storage_error(str(state.database_file)):
            raw = sqlite3.connect(
                f"{state.database_file.absolute().as_uri()}?mode=ro", uri=True,
                timeout=30, isolation_level=None,
            )  # fmt: skip
            with contextlib.closing(raw):
                raw.execute("VACUUM INTO ?", (str(path),))
            with contextlib.closing(sqlite3.connect(path)) as copied:
                rows = _count(copied)
        yield path, rows
    finally:
        path.unlink(missing_ok=True)


def _count(raw: sqlite3.Connection) -> dict[str, int]:
    tables = [
        name
        for (name,) in raw.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE"
            " 'sqlite_%' AND name <> 'alembic_version' ORDER BY name"
        )
        # Indexes, and FTS5's own tables.
        if not name.startswith((log_texts.NAME, log_alike.NAME))
    ]
    return {
        name: raw.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0]  # noqa: S608
        for name in tables
    }


@contextlib.contextmanager
def _postgresql_view(
    url: str, folder: Path, name: str
) -> Iterator[tuple[Path, dict[str, int]]]:
    with snapshot(url) as connection, sqlite_draft(folder, name) as draft:
        stage = connection.exec_driver_sql("SELECT version_num FROM alembic_version")
        if (found := stage.scalar()) != HEAD:
            raise StorageError(
                f"{shown(connection.engine.url)} has the schema {found!r}, and this "
                f"linekey writes backups of {HEAD!r}",
                hint="take it with the linekey that runs now, or by pg_dump",
            )
        rows = count_rows(connection)
        fill(connection, draft, rows, lambda count: None)
        yield draft.path, rows


def _key_of(database: Path) -> str:
    """The id of the key that a copied database's secrets are sealed with."""
    with (
        told_as_storage_error(str(database)),
        contextlib.closing(sqlite3.connect(database)) as raw,
    ):
        row = raw.execute(
            f"SELECT sealed FROM {meta.name} WHERE name = 'key_check'"  # noqa: S608
        ).fetchone()
    if row is None:
        raise StorageError(
            "the database has lost the row that names its key",
            hint="restore it from an earlier backup",
        )
    return sealed_with(bytes(row[0]))


def _small_files(
    state: StateDir, named: Iterable[Path], with_keys: bool
) -> tuple[dict[str, bytes], dict[str, str]]:
    """Read what there is besides the database: name → bytes, and links of folders."""
    root = state.root
    wanted = [state.settings_file] if state.settings_file.exists() else []
    if with_keys:
        wanted += [p for p in sorted(state.keys.iterdir()) if p.is_file()]
    links = {}
    for path in named:
        inside = root / path
        folder = inside.parent
        if not (folder.is_relative_to(root) and inside.is_file()):
            continue
        if folder != root and folder.is_symlink():
            target = os.readlink(folder)
            if Path(target).name == target:  # beside it, as ``certificate deploy`` does
                links[folder.relative_to(root).as_posix()] = target
                inside = folder.parent / target / inside.name
        wanted.append(inside)
    found = {}
    for path in dict.fromkeys(wanted):
        try:
            found[path.relative_to(root).as_posix()] = path.read_bytes()
        except OSError as error:
            raise file_error("read", path, error) from error
    return found, links


def _write_tar(
    draft: Path, content: Content, database: Path, small: dict[str, bytes]
) -> None:
    descriptor = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with (
        os.fdopen(descriptor, "wb") as file,
        tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        text = json.dumps(content.as_json(), indent=1, ensure_ascii=False).encode()
        for name, data in {MANIFEST: text, **small}.items():
            tar.addfile(_member(name, len(data)), io.BytesIO(data))
        with database.open("rb") as source:
            tar.addfile(_member(DATABASE, content.files[DATABASE][0]), source)
        tar.close()
        file.flush()
        os.fsync(file.fileno())


def _member(name: str, size: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, 0o600
    return member


def _sum_of(path: Path) -> tuple[int, str]:
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return path.stat().st_size, sha256


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
