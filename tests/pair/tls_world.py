"""Certificates, contexts and a pump for tests of TLS with both ends in memory."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from tests.certificates import certificate, key

from linekey.certs.build import Issuer
from linekey.certs.certificate import Certificate
from linekey.tls.engine import (
    Accept,
    ClientEngine,
    Event,
    Identity,
    PeerChain,
    ServerEngine,
    client_context,
    server_context,
)
from linekey.tls.policy import LEGACY, MODERN, Policy
from linekey.tls.versions import Version

MAC = "000413AABBCC"
HOST = "prov.example.com"

POLICY_FOR = {
    Version.TLS1_0: LEGACY,
    Version.TLS1_1: LEGACY,
    Version.TLS1_2: MODERN,
    Version.TLS1_3: MODERN,
}


@dataclass(frozen=True)
class Device:
    """A phone's chain, as the vendor's: root → intermediate → leaf."""

    root: Certificate
    intermediate: Certificate
    leaf: Certificate
    identity: Identity
    leaf_only: Identity
    root_issuer: Issuer
    issuer: Issuer


def device(generation: Literal["sha1", "sha256"] = "sha256") -> Device:
    return _device(generation)


@lru_cache(maxsize=4)
def _device(generation: Literal["sha1", "sha256"]) -> Device:
    bits = 1024 if generation == "sha1" else 2048
    root_key, middle_key, leaf_key = (key(f"world {n}", "rsa", bits) for n in (1, 2, 3))
    root = certificate(f"TEST root {generation}", root_key, hash=generation, ca=True)
    root_issuer = Issuer(root, root_key)
    middle = certificate(
        f"TEST intermediate {generation}", middle_key, root_issuer,
        hash=generation, ca=True,
    )  # fmt: skip
    issuer = Issuer(middle, middle_key)
    leaf = certificate(MAC, leaf_key, issuer, hash=generation)
    return Device(
        root, middle, leaf, Identity((leaf, middle), leaf_key),
        Identity((leaf,), leaf_key), root_issuer, issuer,
    )  # fmt: skip


def server_identity(kind: str = "rsa", size: int | str = 2048) -> Identity:
    return _server_identity(kind, size)


@lru_cache(maxsize=4)
def _server_identity(kind: str, size: int | str) -> Identity:
    own = key("server", kind, size)
    return Identity((certificate(HOST, own, dns_names=[HOST]),), own)


def accept(_: PeerChain) -> Accept:
    return Accept()


def remember(chain: PeerChain) -> Accept:
    """Accepts, with what it was asked as the verdict."""
    return Accept(chain)


def client(version: Version = Version.TLS1_2, *, high: Version | None = None, **more):
    """A client context that speaks one version (or up to ``high``) as its policy has."""
    high = high or version
    policies: Sequence[Policy] = [
        POLICY_FOR[v] for v in POLICY_FOR if version <= v <= high
    ]
    numbers = dict.fromkeys(s.number for p in policies for s in p.suite_values)
    if high < Version.TLS1_3:
        numbers = {n: None for n in numbers if n >> 8 != 0x13}
    more.setdefault("verify", accept)
    more.setdefault("suites", list(numbers))
    return client_context(min_version=version, max_version=high, **more)


def server(version: Version | Policy = Version.TLS1_2, **more):
    policy = version if isinstance(version, Policy) else POLICY_FOR[version]
    more.setdefault("verify", accept)
    return server_context(more.pop("identity", server_identity()), policy, **more)


@dataclass(frozen=True)
class Meeting:
    """Two engines after their bytes have gone to and fro until nobody had more."""

    client: ClientEngine
    server: ServerEngine
    at_client: list[Event]
    at_server: list[Event]


def meet(
    server_context_, client_context_, *, hello=None, session=None, **more
) -> Meeting:
    near = ClientEngine(
        client_context_, server_name=more.get("server_name", HOST), session=session
    )
    far = ServerEngine(server_context_, hello=hello)
    meeting = Meeting(near, far, [], [])
    pump(meeting)
    return meeting


def pump(meeting: Meeting) -> None:
    moved = True
    while moved:
        moved = False
        for source, target, events in (
            (meeting.client, meeting.server, meeting.at_server),
            (meeting.server, meeting.client, meeting.at_client),
        ):
            data = source.take_output()
            if data:
                moved = True
                events += target.receive(data)


def names(events: list[Event]) -> list[str]:
    return [type(event).__name__ for event in events]
