"""A device's record: what the operator says about one phone.

The record decides what the phone may have; nothing the phone sends ever changes it.
``generations`` pins which certificates are accepted; None leaves it to the catalogue
(a D785 never had a SHA-1 certificate: SNOM-TLS, *Authentication of the devices*).

Rule: no password and no token is in here, only what is needed to recognise them, and
no ``repr`` shows even that.
"""

import hashlib
import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Self

from linekey.catalog.firmware import Firmware
from linekey.catalog.models import Generation
from linekey.errors import InputError
from linekey.mac import Mac
from linekey.provisioning.document import Layer
from linekey.provisioning.expired import Expired
from linekey.said import say

State = Literal["active", "revoked"]

REALM = "linekey"
"""The realm of HTTP digest credentials (RFC 7616 §3.3); part of every HA1, so it can
never change."""

_TOKEN = re.compile(r"[A-Za-z0-9_-]{16,128}", re.ASCII)


@dataclass(frozen=True, slots=True)
class DigestCredential:
    """User name and HA1 values for HTTP digest (RFC 7616 §3.4.2); never the password.

    HA1 is ``H(username:realm:password)`` in lower-case hex. It is as good as the
    password for this realm, so the store encrypts it and ``repr`` hides it.
    """

    username: str
    realm: str
    ha1_md5: str = field(repr=False)
    ha1_sha256: str = field(repr=False)

    @classmethod
    def create(cls, username: str, realm: str, password: str) -> Self:
        """Compute the HA1 values. Raises InputError for a name digest cannot carry.

        A colon in the user name cannot be told from the separator (RFC 7616 §3.4.4).
        """
        if not username or ":" in username or not username.isprintable():
            raise InputError(
                say(
                    "not a user name for HTTP digest: %(username)s",
                    username=repr(username),
                ),
                hint=say("use printable characters and no colon"),
            )
        if not password:
            raise InputError(
                say("the password for HTTP digest is empty"), hint=say("set one")
            )
        a1 = f"{username}:{realm}:{password}".encode()
        return cls(
            username,
            realm,
            hashlib.md5(a1, usedforsecurity=False).hexdigest(),
            hashlib.sha256(a1).hexdigest(),
        )


@dataclass(frozen=True, slots=True)
class Device:
    """One registered phone."""

    mac: Mac
    vendor: str
    """Vendor's short name as in ``catalog.vendors``, such as ``snom``; empty: not said,
    and any trusted vendor's certificate with this MAC will do."""
    model: str | None = None
    """Name as in ``catalog.models``, such as ``D785``; None: not known."""
    firmware: Firmware | None = None
    state: State = "active"
    revoked_reason: str = ""
    generations: frozenset[Generation] | None = None
    """Certificate generations this phone may use; None: by the catalogue."""
    token_sha256: str | None = field(default=None, repr=False)
    """SHA-256 (hex) of the one-time token last given, used or not."""
    token_used_at: datetime | None = None
    """When that token was used up; None: not yet."""
    digest: DigestCredential | None = None
    label: str = ""
    """The operator's note, such as a room or a person."""
    group: str | None = None
    """Name of the group that it belongs to (``provisioning.group``)."""
    layer: Layer = field(default_factory=Layer)
    registered_at: datetime | None = field(default=None, compare=False)
    """When it was registered; None: not known, as of a record that is not stored."""
    expired: Expired | None = None
    """What is done with its certificate once that has ended, where its CA leaves that
    open (``expired``); None: as its group or its CA says."""
    waited: bool = False
    """Whether it got a waiting file before it was registered (``pending``), so that its
    file begins with taking that back."""
    version: int = 1
    """Counts changes of the record; the key of any cache of rendered files."""


def is_token(text: str) -> bool:
    """Whether ``text`` has the form of a one-time token: 16–128 URL-safe characters."""
    return _TOKEN.fullmatch(text) is not None


def hash_token(token: str) -> str:
    """SHA-256 of a one-time token, lower-case hex: the only form that is stored.

    A plain hash is enough, since a token is random and long, not a password.
    Raises InputError if ``token`` has not the form of one (see ``is_token``).
    """
    if not is_token(token):
        raise InputError(
            say("not a one-time token"),  # the value itself is a secret
            hint=say("a token has 16 to 128 letters, digits, '-' or '_'"),
        )
    return hashlib.sha256(token.encode("ascii")).hexdigest()
