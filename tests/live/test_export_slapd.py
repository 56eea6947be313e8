"""slapd from exported files: a phone book for phones alone. The client is ldapsearch.

Debian's slapd and ldapsearch are built with GnuTLS.
"""

import asyncio
import os
import re
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
from tests.live.conftest import LEGACY_OPENSSL, Place, Ran
from tests.live.peers import Peer, accounts_of, exported_peer, free_port
from tests.live.test_export_https import SHA1_PHONE, add_sha1_phone, modernize
from tests.live.test_phone_directory import telling

from linekey.catalog.models import Generation
from linekey.export.account import Account
from linekey.lab.authority import LabAuthority

pytestmark = [pytest.mark.peer("slapd"), pytest.mark.peer("openssl")]

PEOPLE = """
dn: cn=Anna Berg,dc=phonebook
objectClass: inetOrgPerson
cn: Anna Berg
sn: Berg
telephoneNumber: 4711

dn: cn=reader,dc=phonebook
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: reader
userPassword: geheim
"""
ANNA = ("-LLL", "-b", "dc=phonebook", "(cn=Anna*)", "telephoneNumber")
READER = ("-D", "cn=reader,dc=phonebook", "-w", "geheim")

NO_CERTIFICATE = "No certificate was found"
UNKNOWN_CA = "peer cert untrusted or revoked (0x42)"
TOO_WEAK = "peer cert untrusted or revoked (0x102)"
TOO_OLD = "A packet with illegal or unsupported version was received"
"""What slapd says of a refused handshake: words and status of GnuTLS
(gnutls_certificate_status_t: 2 invalid, 0x40 signer not found, 0x100 weak algorithm).
"""
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another")


def phone_book(
    place: Place, *, besides: str = "", started_by: Account | None = None
) -> AbstractAsyncContextManager[Peer]:
    """slapd with one entry, loaded as the export says; it tells what it does.

    ``besides`` is another URL to listen on.
    """

    def command(line: str) -> str:
        return re.sub(r"-h (\S+)", rf"-h '\1 {besides}'", telling(line))

    return exported_peer(
        place, "slapd", append={"phonebook.ldif": PEOPLE}, command=command,
        started_by=started_by,
    )  # fmt: skip


async def ldap(
    place: Place,
    peer: Peer,
    identity: tuple[str, str] | None,
    *words: str,
    program: str = "ldapsearch",
    url: str = "",
    given: bytes = b"",
) -> Ran:
    """Run a program of ldap-utils that shows this certificate."""
    configuration = place.folder / "ldap.conf"
    lines = [f"TLS_CACERT {place.lab.server_root_path}", "TLS_REQCERT demand"]
    if identity:
        lines += [f"TLS_CERT {identity[0]}", f"TLS_KEY {identity[1]}"]
    # A phone's certificate and key are a user's, not the system's (ldap.conf(5)).
    configuration.write_text("\n".join(lines) + "\n")
    process = await asyncio.create_subprocess_exec(
        program, "-x", "-H", url or f"ldaps://{peer.host}:{peer.port}",
        "-o", "nettimeout=10", *words,
        env={**os.environ, "LDAPRC": configuration.name, "HOME": str(place.folder)},
        cwd=place.folder, stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(30):
        out, err = await process.communicate(given)
    assert process.returncode is not None
    return Ran(process.returncode, out.decode(), err.decode())


async def test_a_phone_reads_the_phone_book(place: Place, record_interop: Any) -> None:
    modernize(place)
    async with phone_book(place) as peer:
        got = await ldap(place, peer, place.identity(place.phone), *ANNA)
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
        got = await ldap(place, peer, place.identity(place.phone), *ANNA)
        assert "4711" in got.out, got.said + peer.log()
        for identity, reason in (
            (None, NO_CERTIFICATE),
            (forged, UNKNOWN_CA),
            (sha1, TOO_WEAK),
        ):
            before = len(peer.said)
            got = await ldap(place, peer, identity, *ANNA)
            assert "Can't contact LDAP server" in got.err
            assert "4711" not in got.said
            said = "\n".join(peer.said[before:])
            assert reason in said
            assert "SRCH" not in said
    record_interop(
        "slapd", "no certificate, a stranger's, an unneeded SHA-1 one", "refused"
    )


async def test_a_phone_may_read_and_not_write(
    place: Place, record_interop: Any
) -> None:
    modernize(place)
    good = place.identity(place.phone)
    change = b"dn: cn=Anna Berg,dc=phonebook\nreplace: telephoneNumber\ntelephoneNumber: 666\n"
    async with phone_book(place) as peer:
        got = await ldap(place, peer, good, *READER, *ANNA)
        assert "telephoneNumber: 4711" in got.out, got.said
        got = await ldap(place, peer, good, *READER, program="ldapmodify", given=change)
        assert "Insufficient access (50)" in got.said
        got = await ldap(place, peer, good, *READER, *ANNA)
        assert "telephoneNumber: 4711" in got.out
    record_interop("slapd", "a change of the phone book by a phone", "refused")


async def test_nobody_reads_a_password(place: Place) -> None:
    modernize(place)
    good = place.identity(place.phone)
    wanted = ("-LLL", "-b", "dc=phonebook", "(cn=reader)", "cn", "userPassword")
    async with phone_book(place) as peer:
        for who in ((), READER):
            got = await ldap(place, peer, good, *who, *wanted)
            assert "cn: reader" in got.out, got.said
            assert "userPassword" not in got.out


async def test_without_tls_nothing_is_read_whatever_it_listens_on(place: Place) -> None:
    modernize(place)
    plain = f"ldap://127.0.0.1:{free_port()}"
    async with phone_book(place, besides=plain) as peer:
        got = await ldap(place, peer, place.identity(place.phone), *ANNA)
        assert "telephoneNumber: 4711" in got.out, got.said + peer.log()
        for who in ((), READER):
            got = await ldap(place, peer, None, *who, *ANNA, url=plain)
            assert "Confidentiality required (13)" in got.said, got.said
            assert "4711" not in got.said


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
        answer = await ldap_over_openssl(place, peer, SHA1_PHONE, "-tls1_2")
        assert b"4711" in answer, peer.log()
        answer = await ldap_over_openssl(place, peer, place.old_phone, version)
        assert TOO_OLD in peer.log()
    assert b"4711" not in answer
    label = "TLS 1.0" if version == "-tls1" else "TLS 1.1"
    record_interop("slapd", f"{label} where the fleet has such a phone")
    record_interop("slapd", f"{label} where it has none", "refused")


@AS_ROOT
async def test_started_by_root_it_runs_as_its_own_user(place: Place) -> None:
    modernize(place)
    async with phone_book(place) as peer:
        got = await ldap(place, peer, place.identity(place.phone), *ANNA)
        assert "4711" in got.out, got.said + peer.log()
        assert accounts_of(peer.pid) == ({"openldap"}, {"openldap"})
        data = peer.folder / "data" / "data.mdb"
        assert (data.owner(), data.group()) == ("openldap", "openldap")


@AS_ROOT
async def test_it_starts_without_root_as_the_user_it_is_exported_for(
    place: Place,
) -> None:
    modernize(place)
    nobody = Account("nobody", "nogroup")
    async with phone_book(place, started_by=nobody) as peer:
        got = await ldap(place, peer, place.identity(place.phone), *ANNA)
        assert "4711" in got.out, got.said + peer.log()
        assert accounts_of(peer.pid) == ({"nobody"}, {"nogroup"})


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
