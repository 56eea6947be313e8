"""A backup is put back: proved to be whole first, then all of it moved to its place.

Rule: nothing is put back before it is found whole, of a schema that is known, and
opened by its key; and nothing that is there is written over.
"""

import contextlib
import hashlib
import json
import os
import shutil
import sqlite3
import tarfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path, PurePosixPath

from linekey.errors import InputError, StorageError
from linekey.store.backup import DATABASE, FORMAT, MANIFEST, Content
from linekey.store.database import KEY_CHECK
from linekey.store.drafts import draft_name
from linekey.store.paths import (
    StateDir,
    file_error,
    give_to_owner,
    make_folder,
    sync_folder,
)
from linekey.store.schema import meta
from linekey.store.secrets import KEY_FILE, LACKS_HINT, KeyRing
from linekey.store.trouble import told_as_storage_error

_MAX_MANIFEST = 1_000_000
_PIECE = 1_048_576


@contextlib.contextmanager
def unpacked(path: Path, folder: Path) -> Iterator[tuple[Content, Path]]:
    """Unpack a backup into a folder of its own in ``folder``, proved to be whole.

    The folder is deleted at the end, with what was not moved away. Raises InputError,
    with what to do, for a file that is no backup, not whole, changed, or of a newer
    linekey; StorageError where it cannot be written.
    """
    with draft_name(folder, "restore") as name:
        place = folder / name
        try:
            place.mkdir(mode=0o700)
        except OSError as error:
            raise file_error("make", place, error) from error
        with _unpacked(path, place) as content:
            yield content, place


@contextlib.contextmanager
def _unpacked(path: Path, place: Path) -> Iterator[Content]:
    try:
        try:
            with tarfile.open(path, "r:") as tar:
                content = _read_manifest(path, tar)
                _refuse_newer(path, content)
                _unpack(path, tar, content, place)
        except tarfile.TarError as error:
            raise _broken(path, f"no whole tar file ({str(error).lower()})") from None
        except EOFError:
            raise _broken(path, "it ends too early") from None
        except OSError as error:
            if error.filename is not None and Path(error.filename) == path:
                raise InputError(
                    f"cannot read {str(path)!r}: {(error.strerror or '').lower()}",
                    hint="check the file's name, and that this user may read it",
                ) from None
            raise file_error("write", place, error) from error
        yield content
    finally:
        shutil.rmtree(place)


def _broken(path: Path, what: str) -> InputError:
    return InputError(
        f"{str(path)!r} is no whole backup of linekey: {what}",
        hint="copy it anew from where it was kept, or take another backup; nothing was "
        "changed",
    )


def _read_manifest(path: Path, tar: tarfile.TarFile) -> Content:
    first = tar.next()
    if first is None or first.name != MANIFEST or first.size > _MAX_MANIFEST:
        raise _broken(path, f"it does not begin with {MANIFEST}")
    text = tar.extractfile(first)
    assert text is not None  # it is a regular file: it has a size
    try:
        said = json.loads(text.read())
        if said["format"] > FORMAT:
            raise _too_new(path, f"format {said['format']}", str(said["linekey"]))
        return Content(
            str(said["made_at"]), str(said["linekey"]), str(said["schema"]),
            str(said["key"]), {str(k): int(v) for k, v in said["rows"].items()},
            {
                _safe(name): (int(one["size"]), str(one["sha256"]))
                for name, one in said["files"].items()
            },
            {_safe(name): _plain(to) for name, to in said["links"].items()},
        )  # fmt: skip
    except (ValueError, KeyError, TypeError, AttributeError):
        raise _broken(path, f"its {MANIFEST} is damaged") from None


def _safe(name: str) -> str:
    """A path below the state folder, or ValueError."""
    parts = PurePosixPath(name).parts
    if not parts or name.startswith("/") or ".." in parts or "\0" in name:
        raise ValueError(name)
    return name


def _plain(name: str) -> str:
    if PurePosixPath(name).name != name or name in (".", ".."):
        raise ValueError(name)
    return name


def _refuse_newer(path: Path, content: Content) -> None:
    from linekey.store.migrations import versions

    known = {file.name[:5] for file in Path(versions.__path__[0]).glob("v[0-9]*.py")}
    if content.schema not in known:
        raise _too_new(path, f"schema {content.schema}", content.linekey)


def _too_new(path: Path, what: str, version: str) -> InputError:
    return InputError(
        f"{str(path)!r} was made by a newer linekey ({version}, {what})",
        hint="install that linekey, then restore with it; nothing was changed",
    )


def _unpack(path: Path, tar: tarfile.TarFile, content: Content, place: Path) -> None:
    missing = dict(content.files)
    for member in tar:
        if member.name == MANIFEST:
            continue
        if member.name not in missing or not member.isreg():
            raise _broken(path, f"{member.name!r} does not belong into it")
        size, sha256 = missing.pop(member.name)
        target = place / member.name
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        source = tar.extractfile(member)
        assert source is not None
        digest, written = hashlib.sha256(), 0
        descriptor = os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            while data := source.read(_PIECE):
                digest.update(data)
                written += file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if (written, digest.hexdigest()) != (size, sha256):
            raise _broken(path, f"{member.name} is damaged or was changed")
    if missing:
        raise _broken(path, f"{sorted(missing)[0]} is missing in it")


def check_unpacked(place: Path, content: Content, keys_from: StateDir) -> None:
    """See that the database is whole and that the key opens it.

    The key is the backup's, or, where it has none, the state folder's. Raises
    StorageError, with what to do.
    """
    database = place / DATABASE
    with (
        told_as_storage_error("the database in the backup"),
        contextlib.closing(sqlite3.connect(database)) as raw,
    ):
        (said,) = raw.execute("PRAGMA quick_check(1)").fetchone()
        sealed = raw.execute(
            f"SELECT sealed FROM {meta.name} WHERE name = 'key_check'"  # noqa: S608
        ).fetchone()
    if said != "ok" or sealed is None:
        raise StorageError(
            f"the database in the backup is damaged ({said})",
            hint="restore an earlier backup; nothing was changed",
        )
    holder = StateDir(place) if content.has_keys else keys_from
    if not holder.key_path(KEY_FILE).exists():
        raise StorageError(
            f"the backup has no keys, and there is no {holder.key_path(KEY_FILE)}",
            hint=f"put the key file with the key {content.key} there first (mode "
            "0600): it was kept apart; nothing was changed",
        )
    try:
        KeyRing.open(holder).unseal(bytes(sealed[0]), KEY_CHECK)
    except StorageError:
        raise StorageError(
            f"keys/{KEY_FILE} does not open the backup, which needs the key "
            f"{content.key}",
            hint=LACKS_HINT,
        ) from None


def set_aside(state: StateDir, content: Content, at: datetime) -> Path | None:
    """Move what a backup would replace into a folder of its own; None: nothing."""
    names = _in_the_way(state, content)
    if not names:
        return None
    first = place = state.root / f"replaced-{at:%Y%m%dT%H%M%SZ}"
    number = 1
    while os.path.lexists(place):
        number += 1
        place = first.with_name(f"{first.name}-{number}")
    make_folder(place, state.root)
    for name in names:
        target = place / name
        make_folder(target.parent, state.root)
        (state.root / name).rename(target)
    sync_folder(place)
    return place


def refuse_replacing(state: StateDir, content: Content) -> None:
    """Refuse where something is in the way. Raises StorageError."""
    if names := _in_the_way(state, content):
        raise StorageError(
            f"{str(state.root)!r} is not empty: it has {', '.join(names[:3])}",
            hint="stop linekey and give --replace: what is there is moved into a "
            "folder replaced-…; or restore into another folder with --state DIR",
        )


def _in_the_way(state: StateDir, content: Content) -> list[str]:
    names = [f"{DATABASE}{end}" for end in ("", "-wal", "-shm", "-journal")] + [
        n for n in [*content.files, *content.links] if n != DATABASE
    ]
    return [n for n in names if os.path.lexists(state.root / n)]


def place_files(state: StateDir, place: Path, content: Content) -> None:
    """Move what was unpacked to its place, the database last.

    Until that is there, every command says that it is gone.
    """
    last = [DATABASE] if (place / DATABASE).exists() else []
    for name in [*(n for n in content.files if n != DATABASE), *last]:
        target = state.root / name
        make_folder(target.parent, state.root)
        give_to_owner(place / name, state.root)
        try:
            os.link(place / name, target)
        except OSError as error:
            raise file_error("write", target, error) from error
    for name, to in content.links.items():
        link = state.root / name
        link.symlink_to(to)
    sync_folder(state.keys)
    sync_folder(state.root)
