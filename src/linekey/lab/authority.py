"""The lab's authorities and identities, on disk.

::

    lab/                       0700
      vendor/sha1/root.pem …   root and intermediate of each generation, with keys
      vendor/sha256/…
      devices/sha1/<MAC>.pem   a phone's leaf and the intermediate; <MAC>.key
      devices/sha1/shared.pem  the certificate of all phones without their own
      makers/yealink/0.pem …   another maker's authorities, the root first, with keys
      devices/yealink/…        its phones', as above
      server/ca.pem            the lab server CA
      server/server.pem        the server's certificate
      server.json              what `linekey up` last listened on

Everything is made when first asked for and kept: ``linekey up`` twice gives the same
lab; another maker's authorities only when a phone of it is asked for. Files that do not
fit together are an error, never replaced; only the server's certificate is issued anew,
when its names or its dates ask for it. Several processes may use one folder at once.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from linekey.catalog.models import Generation
from linekey.catalog.profile import Profile
from linekey.certs.build import HashName, Issuer
from linekey.certs.certificate import Certificate
from linekey.certs.path import prove
from linekey.certs.pem import PrivateKey
from linekey.errors import StorageError
from linekey.lab import files, maker_ca, server_ca, vendor_ca
from linekey.lab.files import ChainMaker, Pair
from linekey.lab.maker_ca import SHAPES, MakerShape, shape_of
from linekey.mac import Mac


@dataclass(frozen=True, slots=True)
class LabAuthority:
    """The lab of one folder. Build it with ``open``."""

    folder: Path
    vendors: dict[Generation, tuple[Issuer, Issuer]]
    """For each generation the root and the intermediate."""
    server: Issuer
    """The lab server CA."""

    @classmethod
    def open(cls, folder: Path, *, create: bool = True) -> Self:
        """Open the lab in ``folder``, making what is missing if ``create``.

        A new lab takes about half a second, for its keys. Raises StorageError if it
        is not there (and may not be made), is damaged, or cannot be written.
        """
        if not create and not (folder / "server" / "ca.pem").exists():
            raise StorageError(
                f"there is no lab in {str(folder)!r}",
                hint="linekey up makes one, and so does linekey lab identity MAC",
            )
        files.make_folder(folder)
        with files.locked(folder):
            vendors = {g: _open_vendor(folder, g) for g in Generation}
            chain, key = files.keep_pair(
                folder / "server" / "ca",
                server_ca.new_server_key,
                lambda key: (server_ca.issue_server_root(key),),
            )
        return cls(folder, vendors, Issuer(chain[0], key))

    # -- the vendor -----------------------------------------------------------

    def vendor_roots(self) -> tuple[Certificate, ...]:
        """The lab vendor's roots, SHA-1 first."""
        return tuple(root.certificate for root, _ in self.vendors.values())

    def vendor_intermediates(self) -> tuple[Certificate, ...]:
        """The lab vendor's intermediates, SHA-1 first."""
        return tuple(issuer.certificate for _, issuer in self.vendors.values())

    def issue_device(
        self, mac: Mac, generation: Generation, key: PrivateKey
    ) -> tuple[Certificate, ...]:
        """Issue a phone's certificate and keep nothing: leaf, intermediate.

        For tests and benchmarks that need many; one key may serve them all.
        """
        _, intermediate = self.vendors[generation]
        leaf = vendor_ca.issue_device(mac, generation, key, intermediate)
        return leaf, intermediate.certificate

    def device_identity(
        self, mac: Mac, generation: Generation, *, key: PrivateKey | None = None
    ) -> Pair:
        """A phone's chain (leaf, intermediate) and key, the same at every call.

        ``key`` is used when the identity is made, to spare making one. Raises
        StorageError.
        """
        return self._keep(
            self.device_path(mac, generation),
            generation,
            key,
            lambda key: self.issue_device(mac, generation, key),
        )

    def shared_identity(
        self, generation: Generation, *, key: PrivateKey | None = None
    ) -> Pair:
        """Chain and key of all phones without a certificate of their own.

        For 300, 320, 370, PA1 and MP (SNOM-TLS, Authentication of the devices): no MAC
        in it. Raises StorageError.
        """
        _, intermediate = self.vendors[generation]
        return self._keep(
            self.folder / "devices" / generation / "shared",
            generation,
            key,
            lambda key: (
                vendor_ca.issue_shared(generation, key, intermediate),
                intermediate.certificate,
            ),
        )

    def phone_identity(self, row: Profile, mac: Mac) -> Pair:
        """The chain and key that a phone of this kind is made with: shared or its own.

        Raises StorageError.
        """
        if (shape := _shape_for(row)) is not None:
            return self.maker_identity(shape, None if shape.shared_value else mac)
        generation = row.builtin_generation or Generation.SHA256
        if row.shared_certificate:
            return self.shared_identity(generation)
        return self.device_identity(mac, generation)

    def device_path(self, mac: Mac, kind: Generation | str) -> Path:
        """Where a phone's identity lies; its files end in .pem and .key.

        ``kind`` is the generation, or the id of another maker's shape.
        """
        return self.folder / "devices" / kind / str(mac)

    def devices(self) -> list[tuple[Mac, str]]:
        """The phones that have an identity here, by MAC, with generation or shape."""
        return sorted(
            (mac, str(kind))
            for kind in (*Generation, *SHAPES)
            for path in (self.folder / "devices" / kind).glob("*.pem")
            if (mac := Mac.from_bare(path.stem)) is not None
        )

    # -- other makers ----------------------------------------------------------

    def makers_authorities(self, row: Profile) -> tuple[Certificate, ...]:
        """The authorities of the maker of such phones, the root first.

        Snom's roots and intermediates for a Snom, and for whoever has Snom's firmware.
        """
        shape = _shape_for(row)
        if shape is None:
            return (*self.vendor_roots(), *self.vendor_intermediates())
        return tuple(issuer.certificate for issuer in self.open_maker(shape))

    def made_makers(self) -> list[MakerShape]:
        """The shapes of other makers whose authorities were made here already."""
        return [
            shape
            for shape in SHAPES.values()
            if self.maker_path(shape, len(shape.authorities) - 1)
            .with_suffix(".pem")
            .exists()
        ]

    def open_maker(self, shape: MakerShape) -> tuple[Issuer, ...]:
        """Another maker's authorities, the root first; made if they are not there.

        That takes up to some seconds, for RSA-4096 keys. Raises StorageError if they
        are damaged or cannot be written.
        """
        found: list[Issuer] = []
        with files.locked(self.folder):
            for place in range(len(shape.authorities)):
                above = found[-1] if found else None
                found.append(self._open_authority(shape, place, above))
        root, *others = (issuer.certificate for issuer in found)
        if others:
            proof = prove(others[-1], others[:-1], [root], at=None)
            if not proof.ok:
                path = self.maker_path(shape, len(others)).with_suffix(".pem")
                raise files.damaged(path, proof.problems[0].detail)
        return tuple(found)

    def _open_authority(
        self, shape: MakerShape, place: int, above: Issuer | None
    ) -> Issuer:
        path = self.maker_path(shape, place)
        files.make_folder(path.parent.parent)
        chain, key = files.keep_pair(
            path,
            lambda: maker_ca.new_authority_key(shape.authorities[place]),
            lambda key: (maker_ca.issue_authority(shape, place, key, above),),
        )
        return Issuer(chain[0], key)

    def maker_path(self, shape: MakerShape, place: int) -> Path:
        """Where one of another maker's authorities lies; .pem and .key."""
        return self.folder / "makers" / shape.id / str(place)

    def maker_identity(
        self,
        shape: MakerShape,
        mac: Mac | None,
        *,
        model: str = "",
        key: PrivateKey | None = None,
    ) -> Pair:
        """Chain (leaf, intermediates) and key of another maker's phone.

        The same at every call. ``mac`` None is the certificate that all its phones
        share. Raises StorageError.
        """
        issuers = self.open_maker(shape)
        above = tuple(issuer.certificate for issuer in reversed(issuers[1:]))
        path = (
            self.folder / "devices" / shape.id / ("shared" if mac is None else str(mac))
        )
        with files.locked(self.folder):
            files.make_folder(path.parent.parent)
            pair = files.keep_pair(
                path,
                lambda: key or maker_ca.new_leaf_key(shape),
                lambda key: (
                    maker_ca.issue_leaf(shape, key, issuers[-1], mac=mac, model=model),
                    *above,
                ),
            )
        if pair[0][1:] != above or not pair[0][0].issuer.matches(
            issuers[-1].certificate.subject
        ):
            raise files.damaged(
                path.with_suffix(".pem"), "another lab's authorities issued it"
            )
        return pair

    def _keep(
        self,
        path: Path,
        generation: Generation,
        key: PrivateKey | None,
        make_chain: ChainMaker,
    ) -> Pair:
        _, intermediate = self.vendors[generation]
        pair = files.read_pair(path)
        if pair is None:
            with files.locked(self.folder):
                files.make_folder(path.parent.parent)
                pair = files.keep_pair(
                    path,
                    lambda: key or vendor_ca.new_vendor_key(generation),
                    make_chain,
                )
        if pair[0][1:] != (intermediate.certificate,):
            raise files.damaged(
                path.with_suffix(".pem"), "another lab's intermediate issued it"
            )
        return pair

    # -- the server -----------------------------------------------------------

    def server_root(self) -> Certificate:
        """The lab server CA's certificate: what phones and curl must trust."""
        return self.server.certificate

    @property
    def server_root_path(self) -> Path:
        """The file that holds ``server_root``, PEM."""
        return self.folder / "server" / "ca.pem"

    def vendor_paths(self) -> dict[Generation, tuple[Path, Path]]:
        """For each generation the PEM files of root and intermediate."""
        return {
            g: (
                self.folder / "vendor" / g / "root.pem",
                self.folder / "vendor" / g / "intermediate.pem",
            )
            for g in Generation
        }

    def server_identity(
        self,
        names: Sequence[str] = (),
        *,
        now: datetime | None = None,
        hash: HashName = "sha256",
    ) -> Pair:
        """The lab server's chain and key, for ``names`` and for this machine.

        The chain is the leaf alone: who trusts the lab server CA has it. It is kept,
        and issued anew under the same key when its names, hash or dates do not fit.
        ``now`` is the present unless given. Raises InputError for what is no host
        name, StorageError.
        """
        now = now or datetime.now(UTC)
        path = self.folder / "server" / "server"
        with files.locked(self.folder):
            chain, key = files.keep_pair(
                path,
                server_ca.new_server_key,
                lambda key: (
                    server_ca.issue_server(names, key, self.server, now=now, hash=hash),
                ),
            )
            leaf = chain[0]
            fits = leaf.issuer == self.server_root().subject and (
                leaf.authority_key_id == self.server_root().subject_key_id
            )
            if not fits or not server_ca.still_good(leaf, names, now, hash):
                leaf = server_ca.issue_server(
                    names, key, self.server, now=now, hash=hash
                )
                files.write_file(
                    path.with_suffix(".pem"),
                    files.chain_pem((leaf,)),
                    private=False,
                    force=True,
                )
        return (leaf,), key

    def record_urls(
        self, server: str, api: str | None = None, console: str | None = None
    ) -> None:
        """Keep where `linekey up` listens, for ``linekey lab show``."""
        urls = {"server_url": server, "api_url": api, "console_url": console}
        data = json.dumps(urls).encode()
        files.write_file(_urls_file(self.folder), data, private=False, force=True)

    def server_url(self) -> str | None:
        """Where `linekey up` last listened for phones; None when it never did.

        Raises StorageError if the file that says so cannot be read.
        """
        return recorded_url(self.folder, "server_url")

    def api_url(self) -> str | None:
        """Where its API was; None when it never was. Raises as ``server_url`` does."""
        return recorded_url(self.folder, "api_url")

    def console_url(self) -> str | None:
        """Where its console was; None when it never was."""
        return recorded_url(self.folder, "console_url")


def recorded_url(folder: Path, name: str) -> str | None:
    """What ``record_urls`` kept in a lab's folder; None: nothing.

    Raises StorageError if the file cannot be read.
    """
    file = _urls_file(folder)
    try:
        document = json.loads(file.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise StorageError(
            f"cannot read {str(file)!r}: {error}",
            hint="remove it; linekey up writes it anew",
        ) from error
    url = document.get(name) if isinstance(document, dict) else None
    return url if isinstance(url, str) else None


def _shape_for(row: Profile) -> MakerShape | None:
    """The shape of a phone's certificate; None: Snom's, by its generation."""
    if row.model.is_known:
        return None
    return shape_of(row.model.maker, shared=row.shared_certificate)


def _urls_file(folder: Path) -> Path:
    return folder / "server.json"


def _open_vendor(folder: Path, generation: Generation) -> tuple[Issuer, Issuer]:
    """Read or make one generation's root and intermediate, and prove that they fit."""
    here = folder / "vendor" / generation
    files.make_folder(here.parent)
    chain, key = files.keep_pair(
        here / "root",
        lambda: vendor_ca.new_vendor_key(generation),
        lambda key: (vendor_ca.issue_root(generation, key),),
    )
    root = Issuer(chain[0], key)
    chain, key = files.keep_pair(
        here / "intermediate",
        lambda: vendor_ca.new_vendor_key(generation),
        lambda key: (vendor_ca.issue_intermediate(generation, key, root),),
    )
    proof = prove(chain[0], (), [root.certificate], at=None)
    if not proof.ok:
        raise files.damaged(here / "intermediate.pem", proof.problems[0].detail)
    return root, Issuer(chain[0], key)
