"""Certificates no vendor makes, shown by openssl s_client: refused in words, or read."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from linekey.catalog.models import Generation
from linekey.certs.build import Issuer, issue, new_key
from linekey.certs.certificate import Certificate
from linekey.certs.dn import Name
from linekey.certs.pem import PrivateKey, private_key_to_pem, to_pem

pytestmark = pytest.mark.peer("openssl")

BEGIN, END = datetime(2020, 1, 1, tzinfo=UTC), datetime(2035, 1, 1, tzinfo=UTC)


class Forger:
    """Makes certificates that look like the phone's; one key serves all of them."""

    def __init__(self, place: Any) -> None:
        _, self.vendor = place.lab.vendors[Generation.SHA256]
        self.phone = str(place.phone)
        self.key = new_key("rsa", 2048)

    def leaf(
        self,
        *cns: str,
        issuer: Issuer | None = None,
        until: datetime = END,
        ca: bool | None = False,
        key: PrivateKey | None = None,
    ) -> Certificate:
        return issue(
            Name.build([*(("CN", cn) for cn in cns or (self.phone,)), ("O", "LAB")]),
            key or self.key,
            issuer or self.vendor,
            serial=4711,
            not_before=BEGIN,
            not_after=until,
            ca=ca,
        )

    def with_vendor(self, leaf: Certificate) -> list[Certificate]:
        return [leaf, self.vendor.certificate]


def namesake(forger: Forger) -> list[Certificate]:
    """The right MAC under an issuer that has the vendor's name, and another key."""
    key = new_key("rsa", 2048)
    false = issue(
        forger.vendor.certificate.subject, key, None,
        serial=2, not_before=BEGIN, not_after=END, ca=True,
    )  # fmt: skip
    return [forger.leaf(issuer=Issuer(false, key)), false]


def under_another_phone(forger: Forger) -> list[Certificate]:
    """The right MAC, signed by the key of another phone's true certificate."""
    key = new_key("rsa", 2048)
    other = forger.leaf("000413AABBCE", key=key)
    return [forger.leaf(issuer=Issuer(other, key)), *forger.with_vendor(other)]


def expired(forger: Forger) -> list[Certificate]:
    return forger.with_vendor(forger.leaf(until=datetime(2021, 1, 1, tzinfo=UTC)))


def named(*cns: str) -> Callable[[Forger], list[Certificate]]:
    def make(forger: Forger) -> list[Certificate]:
        return forger.with_vendor(forger.leaf(*cns))

    return make


async def show(
    place: Any, server: Any, folder: Path, chain: list[Certificate], key: PrivateKey
) -> Any:
    """Ask for the phone's file with this chain; what openssl and the server said."""
    certificate, key_file = folder / "shown.pem", folder / "shown.key"
    certificate.write_text("".join(map(to_pem, chain)))
    key_file.write_bytes(private_key_to_pem(key))
    return await place.run(
        "openssl", "s_client", "-connect", server.url.removeprefix("https://"),
        "-tls1_2", "-cert", str(certificate), "-cert_chain", str(certificate),
        "-key", str(key_file), "-ign_eof", "-CAfile", str(place.lab.server_root_path),
        given=f"GET /snomD785-{place.phone}.htm HTTP/1.0\r\n\r\n".encode(),
    )  # fmt: skip


async def true_phone(place: Any, server: Any, folder: Path) -> str:
    chain, key = place.lab.device_identity(place.phone, Generation.SHA256)
    return str((await show(place, server, folder, list(chain), key)).out)


@pytest.mark.parametrize(
    ("make", "reason", "alert"),
    [
        (namesake, "issuer_not_trusted", "unknown ca"),
        (under_another_phone, "issuer_not_an_authority", "unknown ca"),
        (expired, "expired", "certificate expired"),
        (named("000413AABBCC\0"), "no_mac", "certificate unknown"),
        (named("000413AABBCC\0.example"), "no_mac", "certificate unknown"),
        (named("０００４１３ＡＡＢＢＣＣ"), "no_mac", "certificate unknown"),
        (named("000413ΑΑBBCC"), "no_mac", "certificate unknown"),
        (named("000413AABBCC "), "no_mac", "certificate unknown"),
        (named("00:04:13:AA:BB:CC"), "no_mac", "certificate unknown"),
        (named("000413AABBCC", "000413AABBCE"), "several_names", "certificate unknown"),
        (named("000413AABBCC", "000413AABBCC"), "several_names", "certificate unknown"),
    ],
    ids=[
        "namesake", "leaf as issuer", "expired", "NUL at the end", "NUL inside",
        "full width", "Greek", "space", "colons", "two CNs", "the same CN twice",
    ],
)  # fmt: skip
async def test_what_proves_nothing_is_refused_inside_the_handshake(
    place: Any,
    tmp_path: Path,
    make: Callable[[Forger], list[Certificate]],
    reason: str,
    alert: str,
) -> None:
    forger = Forger(place)
    async with place.serving() as server:
        got = await show(place, server, tmp_path, make(forger), forger.key)
        assert alert in got.err
        assert place.password not in got.said
        assert "HTTP/1" not in got.out
        assert place.password in await true_phone(place, server, tmp_path)
    refused, served = place.log()
    assert (refused.kind, refused.reason) == ("handshake", reason)
    assert refused.certificate_sha256
    assert refused.sentence
    assert "\0" not in refused.sentence
    assert served.reason == "own_file"


async def test_a_mac_in_lower_case_is_the_same_mac(place: Any, tmp_path: Path) -> None:
    forger = Forger(place)
    chain = named(forger.phone.lower())(forger)
    async with place.serving() as server:
        got = await show(place, server, tmp_path, chain, forger.key)
    assert place.password in got.out
    assert place.reasons() == ["own_file"]


async def test_another_phones_true_certificate_gets_403(
    place: Any, tmp_path: Path
) -> None:
    forger = Forger(place)
    chain = named("000413AABBCD")(forger)
    async with place.serving() as server:
        got = await show(place, server, tmp_path, chain, forger.key)
    assert "HTTP/1.1 403" in got.out
    assert place.password not in got.out
    assert place.reasons() == ["other_phones_file"]
