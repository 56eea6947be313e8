"""slapd from exported files: a phone book for phones alone. The client is ldapsearch.

Debian's slapd and ldapsearch are built with GnuTLS.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import peer_path
from tests.live.conftest import LEGACY_OPENSSL, Place, Ran
from tests.live.peers import Peer, free_port, open_folder, running, write_export
from tests.live.test_export_https import SHA1_PHONE, add_sha1_phone, modernize

from linekey.catalog.models import Generation
from linekey.lab.authority import LabAuthority

pytestmark = [pytest.mark.peer("slapd"), pytest.mark.peer("openssl")]

PEOPLE = """
dn: cn=Anna Berg,dc=phonebook
objectClass: inetOrgPerson
cn: Anna Berg
sn: Berg
telephoneNumber: 4711
"""


@asynccontextmanager
async def phone_book(place: Place) -> AsyncIterator[Peer]:
    """slapd with one entry, loaded as the export says."""
    with open_folder() as folder:
        port = free_port()
        made = write_export(place, "slapd", folder, port=port)
        book = folder / "phonebook.ldif"
        book.write_text(book.read_text() + PEOPLE)
        slapadd = peer_path("slapadd")
        assert slapadd is not None
        ran = await place.run(
            slapadd, "-f", str(folder / "slapd.conf"), "-l", str(book)
        )
        assert ran.code == 0, ran.said
        async with running(Peer("slapd", port, folder, made)) as peer:
            yield peer


async def search(
    place: Place, peer: Peer, identity: tuple[str, str] | None, priority: str = ""
) -> Ran:
    configuration = place.folder / "ldap.conf"
    lines = [f"TLS_CACERT {place.lab.server_root_path}", "TLS_REQCERT demand"]
    if identity:
        lines += [f"TLS_CERT {identity[0]}", f"TLS_KEY {identity[1]}"]
    if priority:
        lines.append(f"TLS_CIPHER_SUITE {priority}")
    # A phone's certificate and key are a user's, not the system's (ldap.conf(5)).
    configuration.write_text("\n".join(lines) + "\n")
    process = await asyncio.create_subprocess_exec(
        "ldapsearch", "-x", "-LLL", "-H", f"ldaps://127.0.0.1:{peer.port}",
        "-o", "nettimeout=10", "-b", "dc=phonebook", "(cn=Anna*)", "telephoneNumber",
        env={**os.environ, "LDAPRC": configuration.name, "HOME": str(place.folder)},
        cwd=place.folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(30):
        out, err = await process.communicate()
    assert process.returncode is not None
    return Ran(process.returncode, out.decode(), err.decode())


async def test_a_phone_reads_the_phone_book(place: Place, record_interop: Any) -> None:
    modernize(place)
    async with phone_book(place) as peer:
        got = await search(place, peer, place.identity(place.phone))
    assert "telephoneNumber: 4711" in got.out, got.said + peer.log()
    record_interop("slapd", "LDAPS search with a SHA-256 certificate over TLS 1.2")


async def test_who_has_no_phones_certificate_reads_nothing(
    place: Place, tmp_path: Path, record_interop: Any
) -> None:
    modernize(place)
    other = LabAuthority.open(tmp_path / "other-lab")
    other.device_identity(place.phone, Generation.SHA256)
    path = other.device_path(place.phone, Generation.SHA256)
    forged = (str(path.with_suffix(".pem")), str(path.with_suffix(".key")))
    sha1 = place.identity(SHA1_PHONE, Generation.SHA1)
    async with phone_book(place) as peer:
        for identity in (None, forged, sha1):
            got = await search(place, peer, identity)
            assert got.code != 0
            assert "4711" not in got.said
    record_interop(
        "slapd", "no certificate, a stranger's, an unneeded SHA-1 one", "refused"
    )


async def test_a_sha1_rsa1024_phone_reads_it_where_the_fleet_has_one(
    place: Place, record_interop: Any
) -> None:
    modernize(place)
    add_sha1_phone(place)
    async with phone_book(place) as peer:
        got = await place.run(
            "openssl", "s_client", "-connect", f"127.0.0.1:{peer.port}", "-tls1_2",
            *openssl_identity(place.identity(SHA1_PHONE, Generation.SHA1)),
            given=b"", old=True,
        )  # fmt: skip
        assert "Cipher is ECDHE-RSA-AES" in got.said, got.said + peer.log()
        answer = await ldap_over_openssl(place, peer, SHA1_PHONE, "-tls1_2")
    assert b"4711" in answer, answer
    record_interop("slapd", "SHA-1, RSA-1024 certificate over TLS 1.2")


@pytest.mark.parametrize("version", ["-tls1", "-tls1_1"])
async def test_old_protocols_are_served_only_where_the_fleet_needs_them(
    place: Place, version: str, record_interop: Any
) -> None:
    async with phone_book(place) as peer:
        answer = await ldap_over_openssl(place, peer, place.old_phone, version)
        assert b"4711" in answer, peer.log()
    modernize(place)
    add_sha1_phone(place)
    async with phone_book(place) as peer:
        answer = await ldap_over_openssl(place, peer, place.old_phone, version)
    assert b"4711" not in answer
    label = "TLS 1.0" if version == "-tls1" else "TLS 1.1"
    record_interop("slapd", f"{label} where the fleet has such a phone")
    record_interop("slapd", f"{label} where it has none", "refused")


def openssl_identity(identity: tuple[str, str]) -> list[str]:
    return ["-cert", identity[0], "-key", identity[1]]


# SearchRequest for (cn=Anna*) under dc=phonebook, after an anonymous simple bind
# (RFC 4511 §4.2, §4.5.1), written out: OpenSSL's client speaks no LDAP.
BIND = bytes.fromhex("300c020101600702010304008000")
SEARCH = bytes.fromhex(
    "3043020102633e040c64633d70686f6e65626f6f6b"
    "0a01020a0100020100020100010100"
    "a40c0402636e30068004416e6e61"
    "3011040f74656c6570686f6e654e756d626572"
)


async def ldap_over_openssl(place: Place, peer: Peer, mac: Any, *words: str) -> bytes:
    """What slapd answers to a search by an old phone."""
    place.folder.joinpath("legacy.cnf").write_text(LEGACY_OPENSSL)
    process = await asyncio.create_subprocess_exec(
        "openssl", "s_client", "-connect", f"127.0.0.1:{peer.port}", "-quiet", *words,
        "-cipher", "ALL:@SECLEVEL=0", *openssl_identity(place.identity(mac, Generation.SHA1)),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={**os.environ, "OPENSSL_CONF": str(place.folder / "legacy.cnf")},
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    seen = b""
    try:
        process.stdin.write(BIND)
        async with asyncio.timeout(15):
            while b"4711" not in seen:
                data = await process.stdout.read(4096)
                if not data:
                    break
                if not seen:
                    process.stdin.write(SEARCH)
                seen += data
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
    return seen
