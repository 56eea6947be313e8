"""Kamailio from exported files: a registrar that knows which phone registers.

The client is ``openssl s_client`` with a REGISTER typed into it.
"""

import asyncio
import hashlib
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.live.conftest import LEGACY_OPENSSL, Place
from tests.live.peers import NAME, Peer, free_port, open_folder, running, write_export
from tests.live.test_export_https import (
    SHA1_PHONE,
    add_sha1_phone,
    modernize,
    spoofing_identities,
)

from linekey.catalog.models import Generation
from linekey.lab.authority import LabAuthority

pytestmark = [pytest.mark.peer("kamailio"), pytest.mark.peer("openssl")]

USER, SECRET = "4711", "sip-geheim"


def ha1(user: str = USER, secret: str = SECRET) -> str:
    return hashlib.md5(f"{user}:{NAME}:{secret}".encode()).hexdigest()


@asynccontextmanager
async def registrar(place: Place, *accounts: tuple[str, str]) -> AsyncIterator[Peer]:
    """Kamailio with accounts (user, MAC), all with the same password."""
    with open_folder() as folder:
        port = free_port()
        made = write_export(place, "kamailio", folder, port=port)
        with (folder / "dbtext" / "subscriber").open("a") as table:
            for user, mac in accounts:
                table.write(f"{user}:{NAME}:{ha1(user)}:{mac}\n")
        async with running(Peer("kamailio", port, folder, made)) as peer:
            yield peer


def register(
    user: str = USER, *, challenge: str = "", secret: str = SECRET, as_user: str = "", cseq: int = 1
) -> bytes:  # fmt: skip
    authorization = ""
    if challenge:
        nonce = re.search(r'nonce="([^"]+)"', challenge)
        assert nonce is not None
        who = as_user or user
        a1 = hashlib.md5(f"{who}:{NAME}:{secret}".encode()).hexdigest()
        a2 = hashlib.md5(f"REGISTER:sip:{NAME}".encode()).hexdigest()
        answer = hashlib.md5(f"{a1}:{nonce[1]}:00000001:abcd:auth:{a2}".encode()).hexdigest()  # fmt: skip
        authorization = (
            f'Authorization: Digest username="{who}", realm="{NAME}", nonce="{nonce[1]}", '
            f'uri="sip:{NAME}", qop=auth, nc=00000001, cnonce="abcd", response="{answer}"\r\n'
        )
    return (
        f"REGISTER sip:{NAME} SIP/2.0\r\n"
        f"Via: SIP/2.0/TLS 127.0.0.1:5061;branch=z9hG4bK{cseq}{user};rport\r\n"
        f"From: <sip:{user}@{NAME}>;tag=1\r\nTo: <sip:{user}@{NAME}>\r\n"
        f"Call-ID: c{user}@127.0.0.1\r\nCSeq: {cseq} REGISTER\r\nMax-Forwards: 70\r\n"
        f"Contact: <sip:{user}@127.0.0.1:5061;transport=tls>\r\nExpires: 300\r\n"
        f"{authorization}Content-Length: 0\r\n\r\n"
    ).encode()


class Line:
    """``openssl s_client`` that stays open: write a request, read an answer."""

    def __init__(self, process: Any) -> None:
        self.process = process
        self.text = ""

    async def ask(self, request: bytes) -> str:
        self.process.stdin.write(request)
        await self.process.stdin.drain()
        return await self.read()

    async def read(self) -> str:
        """The next SIP answer, or all there was until the connection ended."""
        async with asyncio.timeout(15):
            while True:
                found = re.search(r"SIP/2\.0 \d.*?\r?\n\r?\n", self.text, re.DOTALL)
                if found:
                    self.text = self.text[found.end() :]
                    return found.group(0)
                more = await self.process.stdout.read(65536)
                if not more:
                    return self.text
                self.text += more.decode("latin-1")


@asynccontextmanager
async def line(
    place: Place, peer: Peer, identity: tuple[str, str] | None, *words: str
) -> AsyncIterator[Line]:
    configuration = place.folder / "legacy.cnf"
    configuration.write_text(LEGACY_OPENSSL)
    files = ["-cert", identity[0], "-key", identity[1]] if identity else []
    process = await asyncio.create_subprocess_exec(
        "openssl", "s_client", "-connect", f"127.0.0.1:{peer.port}", "-quiet",
        "-CAfile", str(place.lab.server_root_path), "-verify_return_error", *files, *words,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT, env={**os.environ, "OPENSSL_CONF": str(configuration)},
    )  # fmt: skip
    try:
        yield Line(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_a_phone_registers_its_own_account(
    place: Place, record_interop: Any
) -> None:
    async with (
        registrar(place, (USER, str(place.phone))) as peer,
        line(place, peer, place.identity(place.phone)) as phone,
    ):
        challenge = await phone.ask(register())
        assert challenge.startswith("SIP/2.0 401"), challenge + peer.log()
        answer = await phone.ask(register(challenge=challenge, cseq=2))
    assert answer.startswith("SIP/2.0 200"), answer + peer.log()
    assert f"sip:{USER}@127.0.0.1" in answer
    record_interop("kamailio", "REGISTER over TLS, client certificate and digest")


async def test_an_account_is_refused_to_another_phone_with_the_right_password(
    place: Place, record_interop: Any
) -> None:
    async with registrar(
        place, (USER, "000413AABB99"), ("4712", str(place.phone))
    ) as peer:
        async with line(place, peer, place.identity(place.phone)) as phone:
            challenge = await phone.ask(register())
            answer = await phone.ask(register(challenge=challenge, cseq=2))
            assert answer.startswith("SIP/2.0 403 This account belongs"), answer
        async with line(place, peer, place.identity(place.phone)) as phone:
            challenge = await phone.ask(register())
            answer = await phone.ask(
                register(challenge=challenge, as_user="4712", cseq=2)
            )
            assert answer.startswith("SIP/2.0 403 This account is not yours"), answer
    record_interop("kamailio", "right password from another phone", "403")


async def test_a_wrong_password_is_challenged_again(place: Place) -> None:
    async with (
        registrar(place, (USER, str(place.phone))) as peer,
        line(place, peer, place.identity(place.phone)) as phone,
    ):
        challenge = await phone.ask(register())
        answer = await phone.ask(register(challenge=challenge, secret="x", cseq=2))
    assert answer.startswith("SIP/2.0 401"), answer


async def test_an_account_without_a_mac_is_nobodys(place: Place) -> None:
    async with (
        registrar(place, (USER, "")) as peer,
        line(place, peer, place.identity(place.phone)) as phone,
    ):
        challenge = await phone.ask(register())
        answer = await phone.ask(register(challenge=challenge, cseq=2))
    assert answer.startswith(("SIP/2.0 401", "SIP/2.0 403")), answer


async def test_an_account_taken_out_is_out_without_a_restart(place: Place) -> None:
    async with (
        registrar(place, (USER, str(place.phone))) as peer,
        line(place, peer, place.identity(place.phone)) as phone,
    ):
        challenge = await phone.ask(register())
        answer = await phone.ask(register(challenge=challenge, cseq=2))
        assert answer.startswith("SIP/2.0 200"), answer
        table = peer.folder / "dbtext" / "subscriber"
        table.write_text(table.read_text().splitlines(keepends=True)[0])
        later = table.stat().st_mtime + 2  # the file system's clock ticks in seconds
        os.utime(table, (later, later))
        challenge = await phone.ask(register(cseq=3))
        answer = await phone.ask(register(challenge=challenge, cseq=4))
        assert answer.startswith("SIP/2.0 401"), answer


async def test_old_phones_register_where_the_fleet_has_them(
    place: Place, record_interop: Any
) -> None:
    add_sha1_phone(place)
    accounts = [("1", str(SHA1_PHONE)), ("2", str(place.old_phone))]
    async with registrar(place, *accounts) as peer:
        for user, mac, words in (
            ("1", SHA1_PHONE, ["-tls1_2"]),
            ("2", place.old_phone, ["-tls1"]),
        ):
            identity = place.identity(mac, Generation.SHA1)
            async with line(place, peer, identity, *words) as phone:
                challenge = await phone.ask(register(user))
                assert challenge.startswith("SIP/2.0 401"), challenge + peer.log()
                answer = await phone.ask(register(user, challenge=challenge, cseq=2))
                assert answer.startswith("SIP/2.0 200"), answer
    record_interop("kamailio", "SHA-1, RSA-1024 certificate; TLS 1.0 and 1.2")


async def test_no_certificate_a_strangers_or_a_sha1_one_too_many_are_refused(
    place: Place, tmp_path: Path, record_interop: Any
) -> None:
    modernize(place)
    other = LabAuthority.open(tmp_path / "other-lab")
    other.device_identity(place.phone, Generation.SHA256)
    path = other.device_path(place.phone, Generation.SHA256)
    forged = (str(path.with_suffix(".pem")), str(path.with_suffix(".key")))
    sha1 = place.identity(SHA1_PHONE, Generation.SHA1)
    async with registrar(place, (USER, str(place.phone))) as peer:
        for identity in (None, forged, sha1):
            async with line(place, peer, identity, "-tls1_2") as phone:
                assert "SIP/2.0" not in await phone.read()
        async with line(place, peer, place.identity(place.phone), "-tls1_1") as phone:
            assert "SIP/2.0" not in await phone.read()
    record_interop("kamailio", "no certificate, or a stranger's", "refused")


async def test_no_other_attribute_passes_for_the_cn(
    place: Place, tmp_path: Path
) -> None:
    mac = str(place.phone)
    async with registrar(place, (USER, mac)) as peer:
        for number, identity in enumerate(spoofing_identities(place, tmp_path)):
            async with line(place, peer, identity) as phone:
                answer = await phone.ask(register())
                if answer.startswith("SIP/2.0 401"):
                    answer = await phone.ask(register(challenge=answer, cseq=2))
                if number == SECOND_CN:
                    continue  # told on the page: Kamailio reads the first CN
                assert answer.startswith("SIP/2.0 403"), (number, answer)


SECOND_CN = 8
"""CN=000413AABBCC, CN=000413AABB99: no vendor's authority issues two CNs."""
