"""Certificates and keys in the lab's folder: written whole, never overwritten unasked.

Keys are mode 0600 in folders of mode 0700; a key that others can read is refused. A
pair is written key first, so that a crash between the two leaves a key that the next
run uses. Run as root over another user's state folder, what is made is given to that
user.
"""

import fcntl
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from linekey.certs.certificate import Certificate
from linekey.certs.pem import (
    PrivateKey,
    parse_certificates,
    parse_private_key,
    private_key_to_pem,
    to_pem,
)
from linekey.errors import CertificateError, InputError, StorageError
from linekey.store import paths
from linekey.store.paths import file_error, give_to_owner, make_draft

_OTHERS = 0o077

Pair = tuple[tuple[Certificate, ...], PrivateKey]
"""A chain, leaf first, and the leaf's private key."""

ChainMaker = Callable[[PrivateKey], tuple[Certificate, ...]]
"""Issues a chain, leaf first, for a key."""


def make_folder(path: Path) -> None:
    """Make a folder, and those above it, for our user alone. Raises StorageError."""
    paths.make_folder(path, path.parent)


def write_file(path: Path, data: bytes, *, private: bool, force: bool = False) -> None:
    """Write a file whole or not at all: 0600 if ``private``, else 0644.

    Raises InputError if it is there already and ``force`` is not set, StorageError
    if it cannot be written.
    """
    draft = make_draft(path, data, path.parent, 0o600 if private else 0o644)
    try:
        if force:
            draft.replace(path)
        else:
            os.link(draft, path)  # fails where a rename would overwrite
    except FileExistsError:
        raise InputError(
            f"{str(path)!r} exists already",
            hint="give another folder, or --force to overwrite it",
        ) from None
    except OSError as error:
        raise file_error("write", path, error) from error
    finally:
        draft.unlink(missing_ok=True)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other processes from making files in the folder meanwhile."""
    path = folder / ".lock"
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    except OSError as error:
        raise file_error("write", path, error) from error
    try:
        give_to_owner(path, folder)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def read_pair(path: Path) -> Pair | None:
    """Read ``path`` with suffixes .pem and .key; None where one of them is missing.

    Raises StorageError if others can read the key, if a file cannot be read, or if
    key and certificate do not belong together.
    """
    certificate_path, key_path = path.with_suffix(".pem"), path.with_suffix(".key")
    if not certificate_path.exists() or not key_path.exists():
        return None
    key = _read_key(key_path)
    try:
        chain = tuple(parse_certificates(certificate_path.read_bytes()))
    except CertificateError as error:
        raise damaged(certificate_path, error.message) from error
    except OSError as error:
        raise file_error("read", certificate_path, error) from error
    if not belongs(chain[0], key):
        raise damaged(certificate_path, "its key is not the one beside it")
    return chain, key


def keep_pair(
    path: Path, make_key: Callable[[], PrivateKey], make_chain: ChainMaker
) -> Pair:
    """Read a pair, or make it: the key by ``make_key`` unless there is one already.

    ``make_chain`` is called with the key and returns the chain, leaf first. A
    certificate without its key is an error, never replaced. Raises StorageError.
    """
    if (pair := read_pair(path)) is not None:
        return pair
    certificate_path, key_path = path.with_suffix(".pem"), path.with_suffix(".key")
    if certificate_path.exists():
        raise damaged(certificate_path, f"its key {key_path.name} is missing")
    if key_path.exists():
        key = _read_key(key_path)
    else:
        key = make_key()
        make_folder(path.parent)
        write_file(key_path, private_key_to_pem(key), private=True)
    chain = make_chain(key)
    write_file(certificate_path, chain_pem(chain), private=False)
    return chain, key


def chain_pem(chain: Sequence[Certificate]) -> bytes:
    """Certificates as PEM, in their order."""
    return "".join(map(to_pem, chain)).encode("ascii")


def belongs(certificate: Certificate, key: PrivateKey) -> bool:
    """Whether the certificate is for this key."""
    public = key.public_key().public_bytes(
        Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    )
    return public == certificate.public_key_der


def damaged(path: Path, why: str) -> StorageError:
    """The error for a lab whose files do not fit together."""
    return StorageError(
        f"the lab is damaged at {str(path)!r}: {why}",
        hint=f"restore the file, or move {path.parent} away to have new ones made",
    )


def _read_key(path: Path) -> PrivateKey:
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & _OTHERS:
            raise StorageError(
                f"other users can read the private key {str(path)!r} (mode {mode:04o})",
                hint=f"chmod 600 {path}",
            )
        return parse_private_key(path.read_bytes(), own=True)
    except CertificateError as error:
        raise damaged(path, error.message) from error
    except OSError as error:
        raise file_error("read", path, error) from error
