"""A server's new certificate and key are put in place as one.

``certificates/current`` is a symbolic link to a folder that holds both, and changes in
one step: whoever reads through it finds the old pair or the new one, never one half of
each. The folders before it stay, the newest few, to go back to.

Rules: a pair that is there is never changed, only followed by another; the key is its
user's alone; what could not be written leaves the link as it was.
"""

import contextlib
import os
import re
import secrets
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from linekey.certs.certificate import Certificate
from linekey.certs.pem import to_pem
from linekey.errors import InputError, LinekeyError
from linekey.server.preflight.checks import read_chain
from linekey.settings import Settings
from linekey.store.paths import (
    file_error,
    give_to_owner,
    make_folder,
    sync_folder,
)

USUAL = ("certificates/current/chain.pem", "certificates/current/key.pem")
"""Where ``linekey.toml`` should say that they are."""
KEPT = 3
"""Pairs that are kept besides the one in use."""
CHAIN_MODE, KEY_MODE = 0o640, 0o600
_NAME = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{8}")
_CURE = (
    f'write certificate = "{USUAL[0]}" and key = "{USUAL[1]}" into linekey.toml, '
    "above its first [section], then deploy again"
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a pair goes: the link, and the two files' names behind it."""

    link: Path
    chain: str
    key: str

    @property
    def chain_path(self) -> Path:
        """The chain in use."""
        return self.link / self.chain

    def holds(self, chain_pem: bytes, key_pem: bytes) -> bool:
        """Whether just this pair is in place."""
        try:
            return (
                self.chain_path.read_bytes() == chain_pem
                and (self.link / self.key).read_bytes() == key_pem
            )
        except OSError:
            return False


def place_of(settings: Settings, root: Path, leaf: Certificate) -> Place:
    """Find where the settings say that certificate and key are.

    Of two, the one for a key of the same kind as ``leaf``'s, which shall replace it.
    Raises InputError, with the lines to write, where the two cannot change as one.
    """
    if settings.proxy.behind_proxy:
        raise InputError(
            "linekey runs behind a proxy, which has the certificate and its key",
            hint="ask the phones with --dry-run, then give both to the proxy",
        )
    if not settings.certificate or not settings.key:
        raise InputError("linekey.toml names no certificate and key", hint=_CURE)
    chain, key = _pair_of(settings, root, leaf)
    link = root / chain.parent
    if chain.parent != key.parent or chain.name == key.name:
        raise InputError(
            f"{str(chain)!r} and {str(key)!r} are not two files of one folder, so they "
            "cannot be replaced in one step",
            hint=_CURE,
        )
    if link == root or (os.path.lexists(link) and not link.is_symlink()):
        raise InputError(
            f"certificate and key are in {str(link)!r}, which is a folder and no link: "
            "they cannot be replaced in one step",
            hint=_CURE,
        )
    return Place(link, chain.name, key.name)


def _pair_of(settings: Settings, root: Path, leaf: Certificate) -> tuple[Path, Path]:
    pairs = list(zip(settings.certificate, settings.key, strict=False))
    if len(pairs) == 1:
        return pairs[0]
    kinds = []
    for chain, _ in pairs:
        try:
            kinds.append(read_chain(root / chain)[0].key.kind)
        except LinekeyError:
            kinds.append("")  # nothing is there yet
    if leaf.key.kind in kinds:
        return pairs[kinds.index(leaf.key.kind)]
    if "" in kinds:
        return pairs[kinds.index("")]
    raise InputError(
        f"the new certificate is for a {leaf.key.text} key, and linekey.toml names "
        "none of that kind",
        hint="name a place for it: certificate and key are lists, a file for each kind",
    )


def chain_pem(chain: Sequence[Certificate]) -> bytes:
    """Return the chain as it is written: certificates alone, leaf first."""
    return "".join(to_pem(certificate) for certificate in chain).encode("ascii")


def put_in_place(
    place: Place,
    chain: Sequence[Certificate],
    key_pem: bytes,
    *,
    owner: Path,
    at: datetime,
) -> Path:
    """Write the pair and let the link point to it; return its folder.

    As root, all of it is given to whoever has ``owner``. Raises StorageError; then the
    pair before is still in use.
    """
    store = place.link.parent
    make_folder(store, owner)
    name = f"{at:%Y%m%dT%H%M%SZ}-{chain[0].sha256[:8].lower()}"
    draft = store / f".{name}.{secrets.token_hex(4)}"
    link = store / f".link.{secrets.token_hex(4)}"
    folder = store / name
    try:
        draft.mkdir(mode=0o700)
        give_to_owner(draft, owner)
        _write(draft / place.chain, chain_pem(chain), CHAIN_MODE, owner)
        _write(draft / place.key, key_pem, KEY_MODE, owner)
        sync_folder(draft)
        draft.rename(folder)
        link.symlink_to(name)
        link.replace(place.link)
        sync_folder(store)
    except OSError as error:
        raise file_error("write", folder, error) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
        link.unlink(missing_ok=True)
    _clear(store, name)
    return folder


def _write(path: Path, data: bytes, mode: int, owner: Path) -> None:
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(descriptor, mode)  # whatever the umask says
        file.write(data)
        file.flush()
        os.fsync(descriptor)
    give_to_owner(path, owner)


def _clear(store: Path, current: str) -> None:
    """Delete all but the newest few of the pairs that are no longer in use.

    A pair that another link in the folder leads to is in use: a certificate of another
    kind may lie beside.
    """
    paths = list(store.iterdir())
    used = {path.resolve().name for path in paths if path.is_symlink()} | {current}
    old = sorted(
        path
        for path in paths
        if _NAME.fullmatch(path.name) and path.is_dir() and path.name not in used
    )
    for path in old[:-KEPT]:
        with contextlib.suppress(OSError):  # the next deployment tries again
            shutil.rmtree(path)
