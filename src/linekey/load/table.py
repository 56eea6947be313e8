"""The phones of a load: who they are, from a table or from a folder.

A table is a CSV file; its first line names the columns: ``mac``, and of these any:
``model``, ``firmware``, ``identity`` (the certificate with its chain, PEM, and its key
there or in ``key``), ``user`` and ``password`` (for phones that register without having
booted). A folder has ``MAC.pem`` and ``MAC.key`` for each phone, as ``linekey lab
identity`` writes them. File names count from where the table is.

Rules: keys stay in the files of the machine that runs the phones, and never cross the
wire; a table that is wrong in one row is refused whole, with the line; a certificate
that is for another MAC is taken, since that may be what is to be tried.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from linekey.catalog.firmware import Firmware
from linekey.catalog.models import find_model
from linekey.catalog.profile import newest_firmware
from linekey.certs.pem import parse_bundle, parse_private_key
from linekey.errors import CertificateError, InputError
from linekey.load.order import MOST_PHONES
from linekey.mac import Mac, parse_mac
from linekey.phone.identity import DeviceIdentity
from linekey.store.csv_cells import read_cell, refuse_broken
from linekey.store.csv_rows import MAX_BYTES, csv_rows
from linekey.words import choice_hint

MODEL: Final = "D785"
"""The model of a phone whose row names none."""
COLUMNS: Final = ("mac", "model", "firmware", "identity", "key", "user", "password")


@dataclass(frozen=True, slots=True)
class Row:
    """One phone."""

    mac: Mac
    model: str
    firmware: str
    identity: Path
    key: Path | None = None
    user: str = ""
    password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Table:
    """All phones that a worker has. ``digest`` is the same for the same phones."""

    rows: tuple[Row, ...]

    @property
    def digest(self) -> str:
        """SHA-256 over the MACs in their order."""
        text = " ".join(row.mac.digits for row in self.rows)
        return hashlib.sha256(text.encode()).hexdigest()


def read_table(path: Path) -> Table:
    """Read a table or a folder. Raises InputError, with file and line."""
    try:
        rows = tuple(_of_folder(path) if path.is_dir() else _of_file(path))
    except OSError as error:
        raise InputError(
            f"cannot read {str(path)!r}: {(error.strerror or str(error)).lower()}",
            hint="check the name, and that this user may read it",
        ) from None
    if not rows:
        raise InputError(
            f"{str(path)!r} has no phone",
            hint="give a CSV file with columns mac,identity, or a folder with MAC.pem "
            "and MAC.key for each phone (linekey lab identity writes them)",
        )
    return Table(rows)


def _of_folder(folder: Path) -> Iterator[Row]:
    firmware = str(newest_firmware(find_model(MODEL)))
    for file in sorted(folder.glob("*.pem")):
        try:
            mac = parse_mac(file.stem)
        except InputError:
            continue  # a CA beside them
        key = file.with_suffix(".key")
        yield Row(mac, MODEL, firmware, file, key if key.exists() else None)


def _of_file(path: Path) -> Iterator[Row]:
    with path.open("rb") as file:
        rows = csv_rows(file.read(MAX_BYTES + 1))
    _, head = next(rows, (0, []))
    names = [cell.strip().lower() for cell in head]
    missing = [name for name in ("mac", "identity") if name not in names]
    if missing:
        raise InputError(
            f"{path}: the file has no column {missing[0]}",
            hint=f"its first line names the columns, such as {','.join(COLUMNS)}",
        )
    for place, name in enumerate(names):
        if name not in COLUMNS:
            raise InputError(
                f"{path}: no column is called {name!r}",
                hint=f"{choice_hint(name, COLUMNS)}; remove what a load has no use for",
            )
        if name in names[:place]:
            raise InputError(
                f"{path}: two columns are called {name!r}", hint="remove one of them"
            )
    seen: dict[Mac, int] = {}
    for line, cells in rows:
        if not any(cell.strip() for cell in cells):
            continue
        try:
            if any(cell.strip() for cell in cells[len(names) :]):
                raise InputError(
                    f"{len(cells)} cells, and the first line names {len(names)}",
                    hint='put a cell that has a comma in it into quotes: "a,b"',
                )
            row = _row(dict(zip(names, cells, strict=False)), path.parent)
            if row.mac in seen:
                raise InputError(
                    f"{row.mac} is in line {seen[row.mac]} already",
                    hint="a phone runs once: remove one of the two lines",
                )
        except InputError as error:
            raise InputError(
                f"{path}: line {line}: {error.message}", hint=error.hint
            ) from None
        seen[row.mac] = line
        if len(seen) > MOST_PHONES:
            raise InputError(
                f"{path} has more than {MOST_PHONES:,} phones",
                hint="give each machine a table of its own (--join)",
            )
        yield row


def _row(cells: dict[str, str], folder: Path) -> Row:
    texts = {}
    for name in COLUMNS:
        cell = read_cell(cells.get(name, ""))
        refuse_broken(cell, name)
        texts[name] = cell.text.strip()
    mac = parse_mac(texts["mac"])
    model = find_model(texts["model"] or MODEL)
    firmware = texts["firmware"] and str(Firmware.parse(texts["firmware"]))
    if not texts["identity"]:
        raise InputError(
            f"{mac} has no identity",
            hint="name the PEM file with its certificate; each phone needs its own",
        )
    return Row(
        mac,
        model.name,
        firmware or str(newest_firmware(model)),
        folder / texts["identity"],
        folder / texts["key"] if texts["key"] else None,
        texts["user"],
        texts["password"],
    )


def load_identity(row: Row) -> DeviceIdentity:
    """Read a phone's certificate and key. Raises InputError, with the file.

    That the key is sound is not proved again, which takes 30 ms each; that it is the
    certificate's is looked at.
    """
    try:
        bundle = parse_bundle(row.identity.read_bytes())
        keys = bundle.keys if row.key is None else (row.key.read_bytes(),)
        if not bundle.certificates or len(keys) != 1:
            raise CertificateError(
                f"{len(bundle.certificates)} certificates and {len(keys)} private keys",
                hint="the file holds a certificate, its chain, and one key, there or "
                "in a file of its own (column key)",
            )
        spki = _public(keys[0])
    except OSError as error:
        name = error.filename or row.identity
        raise InputError(
            f"{row.mac}: cannot read {str(name)!r}: {(error.strerror or '').lower()}",
            hint="file names in the table count from the table's folder",
        ) from None
    except CertificateError as error:
        raise InputError(
            f"{row.mac}: {row.identity}: {error.message}", hint=error.hint
        ) from None
    leaf = next((c for c in bundle.certificates if c.public_key_der == spki), None)
    if leaf is None:
        raise InputError(
            f"{row.mac}: the key does not belong to {row.identity}",
            hint="give the key that the certificate was issued for",
        )
    rest = tuple(c for c in bundle.certificates if c != leaf)
    return DeviceIdentity((leaf, *rest), keys[0])


@lru_cache(maxsize=1024)
def _public(key_pem: bytes) -> bytes:
    key = parse_private_key(key_pem, own=True)
    return key.public_key().public_bytes(
        Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    )
