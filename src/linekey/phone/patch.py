"""The firmware patch that gives one SHA-1 phone a SHA-256 certificate.

The vendor's patch is made per device and its format is not public (SNOM-TLS, Upgrade to
SHA-2). This is linekey's own format, for virtual phones only: a JSON document ::

    {"format": "linekey-phone-patch/1",
     "mac": "000413AABBCC",
     "identity": "<PEM: leaf, intermediates, private key>",
     "seal": "<base64>"}

``seal`` is the leaf key's SHA-256 signature over format, MAC and the DER of every
certificate, so a patch that was made for another phone, or put together from two, does
not pass; that the leaf is worth anything is for the server to decide, as always. The
file holds a private key: write it with mode 0600.

A phone refuses a patch (SNOM-TLS, Upgrade to SHA-2 and table of models, H): for another
MAC; with a firmware below the model's SHA-2 version; on a model that supports SHA-1
only; and where the built-in certificate is SHA-2 already (M: there is nothing to
upgrade).
"""

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from linekey.catalog.models import Generation
from linekey.catalog.profile import Profile
from linekey.certs.certificate import Certificate
from linekey.certs.pem import PrivateKey
from linekey.errors import CertificateError, InputError
from linekey.mac import Mac
from linekey.phone.identity import DeviceIdentity, parse_identity

FORMAT: Final = "linekey-phone-patch/1"
MAX_PATCH: Final = 64 * 1024
"""Bytes. A patch with three certificates has some 8 kB."""


@dataclass(frozen=True, slots=True)
class Patch:
    """A patch whose seal holds."""

    mac: Mac
    identity: DeviceIdentity


def make_patch(mac: Mac, identity: DeviceIdentity) -> bytes:
    """Make the patch file for one phone: bytes for a file of mode 0600.

    Raises CertificateError unless ``identity`` is a SHA-2 one whose CN is ``mac``.
    """
    _check(mac, identity)
    key = identity.key
    message = _sealed(mac, identity.chain)
    if isinstance(key, rsa.RSAPrivateKey):
        seal = key.sign(message, padding.PKCS1v15(), hashes.SHA256())
    elif isinstance(key, ec.EllipticCurvePrivateKey):
        seal = key.sign(message, ec.ECDSA(hashes.SHA256()))
    else:
        raise CertificateError(f"a phone cannot have a {type(key).__name__}")
    document = {
        "format": FORMAT,
        "mac": str(mac),
        "identity": identity.to_pem().decode("ascii"),
        "seal": base64.b64encode(seal).decode("ascii"),
    }
    return json.dumps(document, indent=2).encode("ascii") + b"\n"


def read_patch(data: bytes) -> Patch:
    """Read a patch file and verify its seal. Raises InputError; shows no key."""
    if len(data) > MAX_PATCH:
        raise InputError(f"a patch of {len(data)} bytes; the limit is {MAX_PATCH}")
    hint = "make one with `linekey lab patch MAC`"
    try:
        document = json.loads(data)
        form, mac_text = document["format"], document["mac"]
        pem, seal_text = document["identity"], document["seal"]
        texts = (form, mac_text, pem, seal_text)
        if not all(isinstance(text, str) for text in texts):
            raise TypeError
        seal = base64.b64decode(seal_text, validate=True)
    except (ValueError, KeyError, TypeError, RecursionError, binascii.Error):
        raise InputError("the file is no linekey phone patch", hint=hint) from None
    mac = Mac.from_bare(mac_text)
    if form != FORMAT or mac is None:
        raise InputError(
            f"a patch of another format or without a MAC: {form[:40]!r}", hint=hint
        )
    identity = parse_identity(pem.encode("utf-8", "replace"))
    _check(mac, identity)
    if not _holds(identity.key, seal, _sealed(mac, identity.chain)):
        raise InputError(
            f"the patch for {mac} was altered: its seal does not hold", hint=hint
        )
    return Patch(mac, identity)


def refusal(patch: Patch, mac: Mac, profile: Profile) -> str:
    """Why this phone does not take the patch, one clause; empty if it does."""
    model = profile.model
    if patch.mac != mac:
        return f"it was made for {patch.mac}; this phone is {mac}"
    if not model.is_known:
        return f"patches are Snom's, and the {model.name} is another maker's"
    if model.sha2_since is None:
        return f"the {model.name} supports SHA-1 only"
    if model.builtin is Generation.SHA256:
        return f"the {model.name} has a SHA-2 certificate built in"
    if not profile.supports_sha2:
        return (
            f"firmware {profile.firmware} does not support SHA-2; the {model.name} "
            f"does from {model.sha2_since} on"
        )
    return ""


def _check(mac: Mac, identity: DeviceIdentity) -> None:
    if identity.mac != mac:
        raise CertificateError(
            f"the patch's certificate is not {mac}'s: {identity.leaf.label}"
        )
    if identity.generation is not Generation.SHA256:
        raise CertificateError("the patch's certificate is not a SHA-2 one")


def _sealed(mac: Mac, chain: Sequence[Certificate]) -> bytes:
    parts = [FORMAT.encode(), str(mac).encode(), *(c.der for c in chain)]
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def _holds(key: PrivateKey, seal: bytes, message: bytes) -> bool:
    public = key.public_key()
    try:
        if isinstance(public, rsa.RSAPublicKey):
            public.verify(seal, message, padding.PKCS1v15(), hashes.SHA256())
        elif isinstance(public, ec.EllipticCurvePublicKey):
            public.verify(seal, message, ec.ECDSA(hashes.SHA256()))
        else:
            return False
    except InvalidSignature:
        return False
    return True
