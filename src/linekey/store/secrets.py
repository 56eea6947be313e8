"""Sealing: what is secret in the database is unreadable without a key outside it.

A sealed value is AES-256-GCM (NIST SP 800-38D) with the name of its place as
associated data, so that a value moved to another row, or another column, does not
open. The form is ``version (1 byte) | key id (4 bytes) | nonce (12 bytes) |
ciphertext with tag``; nonces are random, good for 2**32 values under one key.

The keys lie in ``keys/database.key``, one a line. All of them open; which one seals is
said by the database alone (``Database.change`` asks it in each transaction), never by
the file: so servers with different copies of the file seal alike. A new key is brought
in by ``rotation``. A running process reads the file again when it has changed, and
keeps what it has read until it ends.

From each key one more is derived for the nonces of HTTP digest (HKDF, RFC 5869), so
that this file is all that servers share.

Rule: no error and no ``repr`` here shows a key or an opened value. A key is named by
its id, 8 hex digits of a hash over it.
"""

import base64
import binascii
import contextlib
import hashlib
import os
from collections.abc import Sequence
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from linekey.errors import StorageError
from linekey.store.paths import StateDir

KEY_FILE = "database.key"
_HEAD = "linekey-database-key-1"
_VERSION = b"\x01"
_NONCE = 12

LACKS_HINT = (
    f"copy keys/{KEY_FILE} here from a server that has this key (there: linekey layer "
    "rotate-key --status), or restore it from backup"
)
"""The cure where the key file is not the database's, or no longer."""


class KeyRing:
    """The keys of one database. The first one seals until ``use`` says otherwise."""

    __slots__ = ("_by_id", "_file_ids", "_in_use", "_nonce_keys", "_stamp", "_state")

    def __init__(self, keys: Sequence[bytes], state: StateDir | None = None) -> None:
        if not keys:
            raise ValueError("a key ring needs a key")
        self._state = state
        self._stamp: object = None
        self._by_id: dict[bytes, AESGCM] = {}
        self._nonce_keys: dict[bytes, bytes] = {}
        self._file_ids: tuple[str, ...] = ()
        self._take(keys)
        self._in_use = _key_id(keys[0])

    def _take(self, keys: Sequence[bytes]) -> None:
        # New ones are added and none is dropped: what opened once opens until the end
        # of this process. New dictionaries: other threads may be reading the old ones.
        by_id, nonce_keys = dict(self._by_id), dict(self._nonce_keys)
        for key in keys:
            by_id[_key_id(key)] = AESGCM(key)
            nonce_keys[_key_id(key)] = _nonce_key(key)
        self._by_id, self._nonce_keys = by_id, nonce_keys
        self._file_ids = tuple(_key_id(key).hex() for key in keys)

    def __repr__(self) -> str:
        return f"<KeyRing of {len(self._by_id)}>"

    @classmethod
    def open(cls, state: StateDir, *, new: bool = False) -> Self:
        """Read the key file; for a ``new`` database, make it if there is none.

        Raises StorageError if it is not there, if others can read it, or if it is
        damaged.
        """
        stamp = state.key_stamp(KEY_FILE)
        data = state.read_key(KEY_FILE)
        if data is None:
            if not new:
                raise _missing(state)
            data = state.write_key(KEY_FILE, format_keys([AESGCM.generate_key(256)]))
        ring = cls(parse_keys(data), state)
        ring._stamp = stamp
        return ring

    @property
    def in_use(self) -> str:
        """The id of the key that seals."""
        return self._in_use.hex()

    @property
    def file_ids(self) -> tuple[str, ...]:
        """The ids of the keys that the file had when it was last read, in its order."""
        return self._file_ids

    def has(self, key_id: str) -> bool:
        """Whether a key of this id opens values here."""
        return bytes.fromhex(key_id) in self._by_id

    def use(self, key_id: str) -> None:
        """Seal with this key from now on, as the database says.

        Raises StorageError if it is not here, nor in the file as it is now.
        """
        if not self.has(key_id):
            self.read_again()
        if not self.has(key_id):
            raise StorageError(
                f"keys/{KEY_FILE} lacks the key that the database uses now ({key_id})",
                hint=LACKS_HINT,
            )
        self._in_use = bytes.fromhex(key_id)

    def read_again(self) -> bool:
        """Read the file if it has changed; return whether it had.

        Raises StorageError if it is gone, damaged, or others can read it; then the keys
        stay as they were.
        """
        if self._state is None:
            return False
        stamp = self._state.key_stamp(KEY_FILE)
        if stamp is not None and stamp == self._stamp:
            return False
        data = self._state.read_key(KEY_FILE)
        if data is None:
            raise _missing(self._state)
        self._take(parse_keys(data))
        self._stamp = stamp
        return True

    def nonce_keys(self) -> tuple[bytes, ...]:
        """The keys of HTTP digest nonces: the one to make them with, then all others.

        A nonce that another worker or server made with a key that has only just come
        into the file is good here too: the file is looked at each time (some 3 µs).
        """
        with contextlib.suppress(StorageError):  # told by whoever needs the file
            self.read_again()
        keys, first = self._nonce_keys, self._in_use
        others = (key for name, key in keys.items() if name != first)
        return (keys[first], *others)

    def add_to_file(self) -> str:
        """Make a key, put it second in the file, and return its id.

        It seals nothing yet. Raises StorageError if the file cannot be written.
        """
        state, keys = self._file()
        key = AESGCM.generate_key(256)
        while self.has(_key_id(key).hex()):
            key = AESGCM.generate_key(256)
        self._put(state, [*keys[:1], key, *keys[1:]])
        return _key_id(key).hex()

    def put_first_in_file(self, key_id: str) -> None:
        """Move a key up, for people: the order in the file decides nothing."""
        state, keys = self._file()
        self._put(state, sorted(keys, key=lambda key: _key_id(key).hex() != key_id))

    def drop_from_file(self, key_id: str) -> None:
        """Take a key out of the file. Raises StorageError if it cannot be written."""
        state, keys = self._file()
        self._put(state, [key for key in keys if _key_id(key).hex() != key_id])

    def _file(self) -> tuple[StateDir, list[bytes]]:
        if self._state is None:
            raise StorageError(f"this key ring has no keys/{KEY_FILE}")
        data = self._state.read_key(KEY_FILE)
        if data is None:
            raise _missing(self._state)
        return self._state, parse_keys(data)

    def _put(self, state: StateDir, keys: Sequence[bytes]) -> None:
        state.replace_key(KEY_FILE, format_keys(keys))
        self._take(keys)
        self._stamp = None  # somebody may have written between the two: read it again

    def seal(self, value: bytes, place: str, key_id: str | None = None) -> bytes:
        """Encrypt ``value`` for ``place``, such as ``device 000413AABBCC``.

        ``key_id`` names another key of the ring than the one in use.
        """
        nonce = os.urandom(_NONCE)
        which = self._in_use if key_id is None else bytes.fromhex(key_id)
        sealed = self._by_id[which].encrypt(nonce, value, place.encode())
        return b"".join((_VERSION, which, nonce, sealed))

    def unseal(self, sealed: bytes, place: str) -> bytes:
        """Decrypt what was sealed for ``place``.

        Raises StorageError if no key of ours sealed it, if it was changed, or if it was
        sealed for another place.
        """
        cipher = self._by_id.get(sealed[1:5])
        if cipher is None and sealed[:1] == _VERSION:
            self.read_again()
            cipher = self._by_id.get(sealed[1:5])
        if sealed[:1] != _VERSION or cipher is None:
            raise StorageError(
                f"the secrets of {place} are encrypted with a key that is not in "
                f"keys/{KEY_FILE}",
                hint=LACKS_HINT,
            )
        try:
            return cipher.decrypt(sealed[5:17], sealed[17:], place.encode())
        except InvalidTag:
            raise StorageError(
                f"the secrets of {place} have been changed outside linekey",
                hint="restore the database from backup, or set these secrets again",
            ) from None


def parse_keys(data: bytes) -> list[bytes]:
    """Read a key file. Raises StorageError if it is not one."""
    head, *lines = data.decode("ascii", "replace").split() or [""]
    try:
        keys = [base64.b64decode(line, validate=True) for line in lines]
    except binascii.Error:
        keys = []
    if head != _HEAD or not keys or any(len(key) != 32 for key in keys):
        raise StorageError(
            f"keys/{KEY_FILE} is damaged",
            hint="restore it from backup; without it the database's secrets are lost",
        )
    return keys


def format_keys(keys: Sequence[bytes]) -> bytes:
    """Write a key file's text."""
    lines = [_HEAD, *(base64.b64encode(key).decode() for key in keys)]
    return ("\n".join(lines) + "\n").encode("ascii")


def _key_id(key: bytes) -> bytes:
    return hashlib.sha256(b"linekey key id" + key).digest()[:4]


def _nonce_key(key: bytes) -> bytes:
    """RFC 5869, without a salt: the key is random already (§3.3)."""
    hkdf = HKDF(SHA256(), length=32, salt=None, info=b"linekey digest nonce key 1")
    return hkdf.derive(key)


def sealed_with(sealed: bytes) -> str:
    """The id of the key that a sealed value was sealed with."""
    return bytes(sealed[1:5]).hex()


def _missing(state: StateDir) -> StorageError:
    return StorageError(
        f"the database's key is missing: {state.key_path(KEY_FILE)}",
        hint="restore it from backup, or copy it from a server that shares the "
        "database; without it the database's secrets are lost",
    )
