"""Sealing: what is secret in the database is unreadable without a key outside it.

A sealed value is AES-256-GCM (NIST SP 800-38D) with the name of its place as
associated data, so that a value moved to another row, or another column, does not
open. The form is ``version (1 byte) | key id (4 bytes) | nonce (12 bytes) |
ciphertext with tag``; nonces are random, good for 2**32 values under one key.

The keys lie in ``keys/database.key``, one a line, newest first: the first seals, all
of them open. So a key is rotated by putting a new one in front and sealing everything
anew (``rotation.rotate_key``). Old keys stay in the file, for backups.

Rule: no error and no ``repr`` here shows a key or an opened value.
"""

import base64
import binascii
import hashlib
import os
from collections.abc import Sequence
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from linekey.errors import StorageError
from linekey.store.paths import StateDir

KEY_FILE = "database.key"
_HEAD = "linekey-database-key-1"
_VERSION = b"\x01"
_NONCE = 12


class KeyRing:
    """The keys of one database, newest first."""

    __slots__ = ("_by_id", "_first", "_state")

    def __init__(self, keys: Sequence[bytes], state: StateDir | None = None) -> None:
        self._state = state
        self._take(keys)

    def _take(self, keys: Sequence[bytes]) -> None:
        if not keys:
            raise ValueError("a key ring needs a key")
        self._by_id = {_key_id(key): AESGCM(key) for key in keys}
        self._first = _key_id(keys[0])

    def __repr__(self) -> str:
        return f"<KeyRing of {len(self._by_id)}>"

    @classmethod
    def open(cls, state: StateDir, *, new: bool = False) -> Self:
        """Read the key file; for a ``new`` database, make it if there is none.

        Raises StorageError if it is not there, if others can read it, or if it is
        damaged.
        """
        data = state.read_key(KEY_FILE)
        if data is None:
            if not new:
                raise StorageError(
                    f"the database's key is missing: {state.key_path(KEY_FILE)}",
                    hint="restore it from backup, or copy it from a server that shares "
                    "the database; without it the database's secrets are lost",
                )
            data = state.write_key(KEY_FILE, format_keys([AESGCM.generate_key(256)]))
        return cls(parse_keys(data), state)

    def rotate(self) -> None:
        """Put a new key in front; from now on it seals. The old ones still open.

        Raises StorageError if the key file cannot be written, or if this ring is of no
        file.
        """
        if self._state is None or (data := self._state.read_key(KEY_FILE)) is None:
            raise StorageError(f"there is no keys/{KEY_FILE} to add a key to")
        keys = [AESGCM.generate_key(256), *parse_keys(data)]
        self._state.replace_key(KEY_FILE, format_keys(keys))
        self._take(keys)

    def _read_again(self) -> None:
        """Another process may have added a key since we opened the file."""
        data = None if self._state is None else self._state.read_key(KEY_FILE)
        if data is not None:
            self._take(parse_keys(data))

    def seal(self, value: bytes, place: str) -> bytes:
        """Encrypt ``value`` for ``place``, such as ``device 000413AABBCC``."""
        nonce = os.urandom(_NONCE)
        cipher = self._by_id[self._first]
        sealed = cipher.encrypt(nonce, value, place.encode())
        return b"".join((_VERSION, self._first, nonce, sealed))

    def unseal(self, sealed: bytes, place: str) -> bytes:
        """Decrypt what was sealed for ``place``.

        Raises StorageError if no key of ours sealed it, if it was changed, or if it was
        sealed for another place.
        """
        cipher = self._by_id.get(sealed[1:5])
        if cipher is None and sealed[:1] == _VERSION:
            self._read_again()
            cipher = self._by_id.get(sealed[1:5])
        if sealed[:1] != _VERSION or cipher is None:
            raise StorageError(
                f"the secrets of {place} are sealed with a key that is not in "
                f"keys/{KEY_FILE}",
                hint="restore the key file that belongs to this database from backup",
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
    """Write a key file's text, the newest key first."""
    lines = [_HEAD, *(base64.b64encode(key).decode() for key in keys)]
    return ("\n".join(lines) + "\n").encode("ascii")


def _key_id(key: bytes) -> bytes:
    return hashlib.sha256(b"linekey key id" + key).digest()[:4]
