"""Generated chains, for which lines of OpenSSL and linekey must say the same.

A world is a small family of authorities: an old root and a new one, the one as signed
by the other and the other way round, intermediates under them, some of them wrong. A
case is a leaf of a world, some of its certificates as sent, in some order, and some as
the phone's own list.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import count

from linekey.certs.build import Issuer, RawExtension, issue, new_key
from linekey.certs.certificate import Certificate
from linekey.certs.dn import Name
from linekey.certs.pem import PrivateKey

TODAY = datetime.now(UTC).replace(microsecond=0)
DAY = timedelta(days=1)
NAME = "server.test"
GOOD = (TODAY - 100 * DAY, TODAY + 100 * DAY)
ENDED = (TODAY - 200 * DAY, TODAY - 2 * DAY)
AHEAD = (TODAY + 2 * DAY, TODAY + 200 * DAY)
_serials = count(1000)


@cache
def key(label: str) -> PrivateKey:
    """One key a label; 1024 bits, which each of the lines takes."""
    return new_key("rsa", 1024)


def only_names_under(domain: str) -> RawExtension:
    """NameConstraints, critical: permitted is this dNSName alone (RFC 5280 §4.2.1.10)."""
    name = domain.encode()
    inner = b"\x82" + bytes([len(name)]) + name
    subtree = b"\x30" + bytes([len(inner)]) + inner
    permitted = b"\xa0" + bytes([len(subtree)]) + subtree
    value = b"\x30" + bytes([len(permitted)]) + permitted
    return "2.5.29.30", True, value


def nscerttype(bits: int) -> RawExtension:
    """Netscape's certificate types."""
    return "2.16.840.1.113730.1.1", False, bytes([3, 2, 0, bits])


@dataclass(frozen=True)
class Case:
    """A server's chain, leaf first, and the phone's own list."""

    world: int
    leaf: Certificate
    sent: tuple[Certificate, ...]
    anchors: tuple[Certificate, ...]


def _dates(draw: random.Random) -> tuple[datetime, datetime]:
    return draw.choices((GOOD, ENDED, AHEAD), (14, 3, 1))[0]


def _authority(
    draw: random.Random, name: Name, own: PrivateKey, above: Issuer | None, *, odd: bool
) -> Issuer:
    begins, ends = _dates(draw)
    fields: dict[str, object] = {"ca": True, "key_ids": draw.random() < 0.7}
    if odd:
        match draw.randrange(9):
            case 0:
                fields["ca"] = False
            case 1:
                fields["ca"] = None
            case 2:
                fields["key_usage"] = ("cRLSign",)
            case 3:
                fields["key_usage"] = ("keyCertSign", "cRLSign")
            case 4:
                fields["extended_key_usage"] = ("clientAuth",)
            case 5:
                fields["path_length"] = 0
            case 6:
                fields["extensions"] = (only_names_under("other.test"),)
            case 7:
                fields["extensions"] = (only_names_under("server.test"),)
            case 8:
                fields = {"version": 1, "key_ids": False}
    made = issue(
        name, own, above, serial=next(_serials), not_before=begins, not_after=ends,
        **fields,  # type: ignore[arg-type]
    )  # fmt: skip
    return Issuer(made, own)


def _leaf(draw: random.Random, own: PrivateKey, above: Issuer) -> Certificate:
    begins, ends = draw.choices((GOOD, ENDED), (12, 1))[0]
    fields: dict[str, object] = {}
    match draw.randrange(12):
        case 0:
            fields["extended_key_usage"] = ("serverAuth",)
        case 1:
            fields["extended_key_usage"] = ("clientAuth",)
        case 2:
            fields["key_usage"] = ("keyAgreement",)
        case 3:
            fields["key_usage"] = ("keyCertSign",)
        case 4:
            fields["extensions"] = (nscerttype(0x80),)
        case 5:
            fields["extensions"] = (nscerttype(0x40),)
        case 6:
            fields["key_usage"] = ("digitalSignature", "keyEncipherment")
    return issue(
        Name.build([("CN", NAME)]), own, above, serial=next(_serials),
        not_before=begins, not_after=ends, dns_names=(NAME,), **fields,  # type: ignore[arg-type]
    )  # fmt: skip


def cases(number: int, seed: int) -> Iterator[Case]:
    """The same cases for the same seed, but for the day and the keys."""
    draw = random.Random(seed)
    made = 0
    for world in count():
        called = {n: Name.build([("O", f"world {world}"), ("CN", n)]) for n in "ONIJ"}
        keys = {n: key(n) for n in "ONIJ"}

        def new(name: str, above: Issuer | None) -> Issuer:
            odd = draw.random() < 0.25
            return _authority(draw, called[name], keys[name], above, odd=odd)  # noqa: B023

        old, young = new("O", None), new("N", None)
        renewed = new("O", None)
        crossed, back = new("N", old), new("O", young)
        first = new("I", draw.choice((young, old)))
        first_too = new("I", draw.choice((young, old, crossed)))
        second = new("J", first)
        roots = [i.certificate for i in (old, young, renewed)]
        middles = [i.certificate for i in (crossed, back, first, first_too, second)]
        for _ in range(20):
            if made == number:
                return
            made += 1
            above = draw.choices((first, second, young, old), (5, 4, 1, 1))[0]
            leaf = _leaf(draw, key("leaf"), above)
            most = draw.choice((0.5, 0.9))
            sent = [c for c in middles if draw.random() < most]
            sent += [c for c in roots if draw.random() < 0.15]
            if draw.random() < 0.5:
                draw.shuffle(sent)
            anchors = [c for c in roots if draw.random() < 0.6]
            anchors += [c for c in middles if draw.random() < 0.06]
            draw.shuffle(anchors)
            if not anchors:
                anchors = [draw.choice(roots)]
            yield Case(world, leaf, tuple(sent), tuple(anchors))
