"""The phone's own certificate: which it has, and which it shows.

Rules:

- Built in: by model (SNOM-TLS, Authentication of the devices, H); the key stays with
  it.
- A firmware patch, made for one device, brings a SHA-256 certificate (SNOM-TLS, Upgrade
  to SHA-2, H). A phone that holds both shows SHA-1 before 8.9.3.40, whatever is set;
  from there on the one that ``phone_cert_type`` chooses (H); where nothing is set,
  SHA-256 with firmware that supports SHA-2 (M: that is what the patch is for), SHA-1
  with the 20 builds between (L).
- ``phone_cert_type``: ``best`` stands in a dump of 10.1.25.0 (M) and is read as the
  strongest that the phone holds (L); ``sha256`` and ``sha1`` are guesses (L).
- ``webserver_cert`` (in five settings dumps, H; SNOM-TLS writes ``webservice_cert``) is
  the operator's own, for connections and for the phone's pages; as PEM certificate and
  key (M). One that cannot be read changes nothing.
- ``empty_tls_client_cert``: shows none (L).
"""

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization

from linekey.catalog.models import CERT_TYPE_FIRMWARE, Generation
from linekey.catalog.profile import Profile
from linekey.certs.certificate import Certificate
from linekey.certs.pem import PrivateKey, parse_bundle, parse_private_key, to_pem
from linekey.errors import CertificateError
from linekey.mac import Mac
from linekey.phone.settings import PhoneSettings

OWN_SETTINGS = ("webserver_cert", "webservice_cert")
"""The setting's two names: that of five settings dumps (H), and SNOM-TLS's."""


@dataclass(frozen=True, slots=True)
class DeviceIdentity:
    """A certificate with its chain and its private key, which no repr shows."""

    chain: tuple[Certificate, ...]
    """Leaf first."""
    key_pem: bytes = field(repr=False, compare=False)
    """The private key, PEM or DER, not encrypted. The leaf says which one it is."""

    @property
    def leaf(self) -> Certificate:
        """The certificate itself."""
        return self.chain[0]

    @property
    def key(self) -> PrivateKey:
        """The private key, opened. Raises CertificateError.

        RSA's own check of a key costs 50 ms and was done where the key was read
        (``parse_identity``), so it is left out here.
        """
        is_der = self.key_pem.startswith(b"\x30")
        load = (
            serialization.load_der_private_key
            if is_der
            else serialization.load_pem_private_key
        )
        try:
            key = load(self.key_pem, None, unsafe_skip_rsa_key_validation=True)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            # The library's message is left out: nothing of a key is ever shown.
            raise CertificateError("the private key cannot be read") from None
        if not isinstance(key, PrivateKey):
            raise CertificateError(f"a phone cannot have a {type(key).__name__}")
        return key

    @property
    def generation(self) -> Generation:
        """By the hash of the leaf's signature: SHA-1 and older, or SHA-2."""
        old = self.leaf.signature_hash in (None, "sha1", "md5", "md4", "md2")
        return Generation.SHA1 if old else Generation.SHA256

    @property
    def signed_with(self) -> str:
        """The hash of the leaf's signature, as it is: MD5 is not called SHA-1."""
        return self.leaf.signature_hash or self.leaf.signature_algorithm

    @property
    def mac(self) -> Mac | None:
        """The MAC, if that is what the CN is (12 hex digits, either case; H)."""
        names = self.leaf.common_names
        return Mac.from_bare(names[0]) if len(names) == 1 else None

    def to_pem(self) -> bytes:
        """Chain and key in one file, of mode 0600."""
        key = self.key_pem
        if not key.lstrip().startswith(b"-----"):
            key = self.key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        chain = "".join(to_pem(certificate) for certificate in self.chain)
        return chain.encode("ascii") + key.strip() + b"\n"


def parse_identity(data: bytes, key: bytes | None = None) -> DeviceIdentity:
    """Read a leaf, its intermediates and its key from PEM.

    ``key`` is the key's own file, where it is not in ``data``. The leaf is the
    certificate that the key belongs to; the others keep their order. Raises
    CertificateError, which shows nothing of the key: no certificate, no or several
    keys, a key that belongs to none of the certificates.
    """
    bundle = parse_bundle(data)
    keys = bundle.keys if key is None else (key,)
    if not bundle.certificates:
        raise CertificateError(
            "no certificate beside the private key",
            hint="the file holds certificate, intermediates and key, as PEM",
        )
    if len(keys) != 1:
        raise CertificateError(
            "no private key" if not keys else f"{len(keys)} private keys",
            hint="give exactly one private key, in the same file or its own",
        )
    public = parse_private_key(keys[0]).public_key()
    spki = public.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    for leaf in bundle.certificates:
        if leaf.public_key_der == spki:
            rest = tuple(c for c in bundle.certificates if c != leaf)
            return DeviceIdentity((leaf, *rest), keys[0])
    raise CertificateError(
        "the private key belongs to none of the certificates",
        hint="give the key that the certificate was issued for",
    )


@dataclass(frozen=True, slots=True)
class IdentityChoice:
    """Which certificate the phone shows now, and why."""

    identity: DeviceIdentity | None
    kind: Literal["built-in", "patched", "own", "none"]
    notes: tuple[str, ...] = ()
    """What was asked for and could not be done, a clause each."""


def choose_identity(
    profile: Profile,
    settings: PhoneSettings,
    builtin: DeviceIdentity | None,
    patched: DeviceIdentity | None,
) -> IdentityChoice:
    """Choose by the rules above. Never raises: what cannot be used is in ``notes``."""
    notes: list[str] = []
    own = _own_identity(settings, notes)
    if own is not None:
        return IdentityChoice(own, "own", tuple(notes))
    wanted = _wanted_generation(profile, settings, notes, patched=patched is not None)
    if patched is not None:
        if not profile.phone_cert_type:
            notes.append(
                f"the SHA-256 certificate is not shown: firmware {profile.firmware} "
                f"has no phone_cert_type, which came with {CERT_TYPE_FIRMWARE}"
            )
        elif wanted == Generation.SHA256 or (wanted is None and profile.supports_sha2):
            return IdentityChoice(patched, "patched", tuple(notes))
        elif wanted is None:
            notes.append(
                f"the SHA-256 certificate is not shown: firmware {profile.firmware} "
                "supports SHA-2 by phone_cert_type alone, and it is not set"
            )
        wanted = None
    if builtin is None:
        notes.append("the phone has no built-in certificate")
        return IdentityChoice(None, "none", tuple(notes))
    if wanted is not None and builtin.generation != wanted:
        notes.append(
            f"phone_cert_type asks for {wanted.value}, and the phone has no such "
            f"certificate; it shows its {builtin.signed_with} one"
        )
    return IdentityChoice(builtin, "built-in", tuple(notes))


def _own_identity(settings: PhoneSettings, notes: list[str]) -> DeviceIdentity | None:
    for name in OWN_SETTINGS:
        value = settings.get(name).strip()
        if not value:
            continue
        own = _parse_setting(value)
        if isinstance(own, DeviceIdentity):
            return own
        notes.append(f"{name} cannot be used: {own}")
    return None


@lru_cache(maxsize=1024)
def _parse_setting(value: str) -> DeviceIdentity | str:
    """The identity in a setting, or a clause why there is none.

    Kept, since the choice is made anew for every connection.
    """
    try:
        return parse_identity(value.encode("utf-8", "replace"))
    except CertificateError as error:
        return error.message


def _wanted_generation(
    profile: Profile, settings: PhoneSettings, notes: list[str], *, patched: bool
) -> Generation | None:
    text = settings.get("phone_cert_type").strip().lower().replace("-", "")
    if not text:
        return None
    if not profile.phone_cert_type:
        notes.append(
            f"phone_cert_type is ignored: firmware {profile.firmware} does not know it"
        )
        return None
    if text == "best":
        return Generation.SHA256 if patched else None
    if text in ("sha256", "sha2"):
        return Generation.SHA256
    if text == "sha1":
        return Generation.SHA1
    notes.append("phone_cert_type has a value that is not known here; it is ignored")
    return None
