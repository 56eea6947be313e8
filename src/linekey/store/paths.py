"""Where linekey keeps what it must not lose: one folder, the state folder.

::

    linekey.toml     settings, written by the operator      (may be absent)
    linekey.db       registry and log, SQLite               0600
    keys/            private keys, and the database's key   0700, files 0600
    lab/             what `linekey up` and `linekey lab` made

Rules: what linekey makes here only its own user can read; ``keys/`` is refused when
others can; a key file is never overwritten. Run as root over the folder of a service
account, linekey gives what it makes to that account.
"""

import os
import secrets
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from linekey.errors import InputError, StorageError

ENVIRONMENT = "LINEKEY_STATE"
"""The environment variable that names the state folder."""

_OTHERS = 0o077


@dataclass(frozen=True, slots=True)
class StateDir:
    """A state folder that is there and fit for use. Build it with ``open``."""

    root: Path

    @classmethod
    def open(cls, path: Path | str | None = None, *, create: bool = True) -> Self:
        """Open the folder at ``path``, making what is missing if ``create``.

        Without ``path`` it is ``$LINEKEY_STATE``, else the platform's user state folder
        (on Linux ``~/.local/state/linekey``). Raises StorageError, with a cure, if it
        is not there (and may not be made), is no folder, cannot be written, or if
        others can read ``keys/``.
        """
        state = cls(Path(path) if path is not None else default_state_path())
        root = state.root
        if root.exists() and not root.is_dir():
            raise StorageError(
                f"the state folder {str(root)!r} is not a folder",
                hint="give another folder with --state DIR",
            )
        if not create and not root.is_dir():
            raise StorageError(
                f"there is no state folder {str(root)!r}",
                hint="give yours with --state DIR; linekey up and linekey device add "
                "make a new one",
            )
        state._folder(root)
        if not os.access(root, os.R_OK | os.W_OK | os.X_OK):
            raise _unwritable(root)
        state._folder(state.keys)
        state._check_private(state.keys, "chmod 700")
        return state

    @property
    def settings_file(self) -> Path:
        """``linekey.toml``: linekey's own settings, in TOML; may be absent."""
        return self.root / "linekey.toml"

    @property
    def database_file(self) -> Path:
        """``linekey.db``: the SQLite database."""
        return self.root / "linekey.db"

    @property
    def keys(self) -> Path:
        """``keys/``: private keys and the key that seals the database's secrets."""
        return self.root / "keys"

    @property
    def lab(self) -> Path:
        """``lab/``: the lab's CAs and identities. Made on the first call."""
        path = self.root / "lab"
        self._folder(path)
        return path

    def key_path(self, name: str) -> Path:
        """Where the key file ``name`` lies. Raises InputError for more than a name."""
        if not name or Path(name).name != name or name.startswith("."):
            raise InputError(f"not a plain file name: {name!r}")
        return self.keys / name

    def read_key(self, name: str) -> bytes | None:
        """Read a key file; None if there is none.

        Raises StorageError if others can read it, or if it cannot be read.
        """
        path = self.key_path(name)
        try:
            self._check_private(path, "chmod 600")
            return path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise file_error("read", path, error) from error

    def key_stamp(self, name: str) -> tuple[int, ...] | None:
        """Return what changes whenever a key file is replaced; None: not there."""
        try:
            found = self.key_path(name).stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_ctime_ns, found.st_size

    def write_key(self, name: str, data: bytes) -> bytes:
        """Write a new key file, mode 0600, whole or not at all.

        If there is one already, also one made at this moment by another process, it
        stays and its bytes are returned; so look at what comes back. Raises
        StorageError if the folder cannot be written.
        """
        path = self.key_path(name)
        draft = make_draft(path, data, self.root)
        try:
            os.link(draft, path)
        except FileExistsError:
            there = self.read_key(name)
            assert there is not None  # nobody deletes keys while we run
            return there
        except OSError as error:
            raise file_error("write", path, error) from error
        finally:
            draft.unlink()
        sync_folder(self.keys)
        return data

    def replace_key(self, name: str, data: bytes) -> None:
        """Replace a key file at once, as a whole: a reader finds the old or the new."""
        path = self.key_path(name)
        draft = make_draft(path, data, self.root)
        try:
            draft.replace(path)
        except OSError as error:
            draft.unlink(missing_ok=True)
            raise file_error("write", path, error) from error
        sync_folder(self.keys)

    def make_private_file(self, path: Path) -> None:
        """Make an empty file that only we can read, if there is none yet."""
        try:
            descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        except FileExistsError:
            return
        except OSError as error:
            raise file_error("write", path, error) from error
        os.close(descriptor)
        give_to_owner(path, self.root)

    def _folder(self, path: Path) -> None:
        make_folder(path, None if path == self.root else self.root)

    def _check_private(self, path: Path, cure: str) -> None:
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & _OTHERS:
            raise StorageError(
                f"other users can access {str(path)!r} (mode {mode:04o})",
                hint=f"{cure} {path}; if others may have read it, replace the keys "
                "in it",
            )


def default_state_path() -> Path:
    """``$LINEKEY_STATE``, else the platform's user state folder."""
    if named := os.environ.get(ENVIRONMENT):
        return Path(named)
    from platformdirs import user_state_path

    return user_state_path("linekey")


def make_folder(path: Path, owner: Path | None) -> None:
    """Make a folder, and those above it, for our user alone.

    ``owner``: as root, give it to whoever has that one. Raises StorageError.
    """
    if path.is_dir():
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise file_error("make", path, error) from error
    if owner is not None:
        give_to_owner(path, owner)


def make_draft(path: Path, data: bytes, owner: Path, mode: int = 0o600) -> Path:
    """Write and sync ``data`` beside ``path``, to be linked or renamed to it."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        descriptor = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        give_to_owner(draft, owner)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise file_error("write", path, error) from error
    return draft


def give_to_owner(path: Path, owner: Path) -> None:
    """As root, give ``path`` to the user who has ``owner``."""
    if os.geteuid() == 0:
        found = owner.stat()
        os.chown(path, found.st_uid, found.st_gid)


def file_error(what: str, path: Path, error: OSError) -> StorageError:
    """The error, with its cure, for a file that we cannot read, write or make."""
    return StorageError(
        f"cannot {what} {str(path)!r}: {(error.strerror or str(error)).lower()}",
        hint="let this user access it, or give another folder (--state or --out DIR)",
    )


def sync_folder(path: Path) -> None:
    """Put on the disk which names a folder has."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unwritable(root: Path) -> StorageError:
    return StorageError(
        f"the state folder {str(root)!r} cannot be read and written by this user",
        hint="run linekey as its owner, or give another folder with --state DIR",
    )
