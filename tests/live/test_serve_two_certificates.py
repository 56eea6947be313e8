"""A server with an RSA and an EC certificate, asked by clients of every age.

curl and ``openssl s_client`` with the system's OpenSSL, and real programs of the
phones' age; each phone is shown the one that it can use, and resumes with it.
"""

import asyncio
import re
import socket
import ssl
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tests.conftest import LINES
from tests.live.conftest import Place, Ran
from tests.live.openssl_lines import CLIENT, run
from tests.live.test_openssl_lines import ALL_SUITES, TLS1_0, identity_of

from linekey.catalog.models import Generation
from linekey.certs.build import new_key
from linekey.certs.pem import private_key_to_pem, to_pem
from linekey.lab.server_ca import issue_server
from linekey.server.preflight.checks import read_server_files
from linekey.server.server import ProvisioningServer, utc_now
from linekey.settings import parse_settings

pytestmark = [pytest.mark.peer("openssl"), pytest.mark.peer("curl")]


@asynccontextmanager
async def both(place: Place) -> Any:
    """The server, with its files written and read as ``linekey serve`` reads them."""
    folder = place.state.root
    names = ["localhost", "127.0.0.1"]
    for name, key in (("rsa", new_key()), ("ec", new_key("ec", "secp256r1"))):
        leaf = issue_server(names, key, place.lab.server, now=utc_now())
        (folder / f"{name}.pem").write_text(to_pem(leaf))
        (folder / f"{name}.key").write_bytes(private_key_to_pem(key))
        (folder / f"{name}.key").chmod(0o600)
    settings = parse_settings(
        'certificate = ["rsa.pem", "ec.pem"]\nkey = ["rsa.key", "ec.key"]\n',
        options={"host": "127.0.0.1", "port": 0, "status.port": 0},
    )
    files = read_server_files(settings, folder)
    async with ProvisioningServer(settings, place.database, files) as server:
        yield server


def port_of(server: ProvisioningServer) -> int:
    return int(server.url.rpartition(":")[2])


async def shown(place: Place, server: ProvisioningServer, *options: str) -> str:
    """The kind of the key that openssl was shown."""
    certificate, key = place.identity(place.phone)
    ran = await place.run(
        "openssl", "s_client", "-connect", f"127.0.0.1:{port_of(server)}",
        "-cert", certificate, "-key", key, *options, given=b"Q\n",
    )  # fmt: skip
    return await kind_of_key(place, ran)


async def kind_of_key(place: Place, ran: Ran) -> str:
    """The kind of the key in the certificate that s_client printed."""
    subject = re.search(r"-----BEGIN.*?-----END CERTIFICATE-----\n", ran.out, re.DOTALL)
    assert subject is not None, ran.said
    text = await place.run("openssl", "x509", "-noout", "-text", given=subject[0].encode())  # fmt: skip
    algorithm = re.search(r"Public Key Algorithm: (\S+)", text.out)
    assert algorithm is not None
    return {"id-ecPublicKey": "EC", "rsaEncryption": "RSA"}[algorithm[1]]


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ((), "EC"),
        (("-tls1_2",), "EC"),
        (("-tls1_3",), "EC"),
        (("-tls1_3", "-sigalgs", "RSA-PSS+SHA256"), "RSA"),
        (("-tls1_2", "-sigalgs", "RSA+SHA256:RSA-PSS+SHA256"), "RSA"),
        (("-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256"), "RSA"),
        (("-tls1_2", "-cipher", "AES128-SHA"), "RSA"),
        (("-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"), "EC"),
        (("-tls1_2", "-groups", "P-384"), "RSA"),  # not the curve of the EC key
    ],
)
async def test_each_hello_is_shown_the_certificate_that_it_can_use(
    place: Place, options: tuple[str, ...], kind: str
) -> None:
    async with both(place) as server:
        assert await shown(place, server, *options) == kind


async def test_a_new_phone_and_one_of_2010_get_their_files_and_resume(
    place: Place, record_interop: Any
) -> None:
    async with both(place) as server:
        for mac, generation, old in (
            (place.phone, Generation.SHA256, False),
            (place.old_phone, Generation.SHA1, True),
        ):
            certificate, key = place.identity(mac, generation)
            model = "710" if old else "D785"
            speaks = ["--tls-max", "1.2"]
            if old:
                speaks = [
                    "--tlsv1.0",
                    "--tls-max",
                    "1.1",
                    "--ciphers",
                    "AES128-SHA@SECLEVEL=0",
                ]
            ran = await place.curl(
                "--cert", certificate, "--key", key, *speaks,
                f"{server.url}/snom{model}-{mac}.htm", old=old,
            )  # fmt: skip
            assert place.password in ran.out, ran.said
        await asyncio.to_thread(resume, place, port_of(server), "ECDHE-ECDSA-AES128-GCM-SHA256")  # fmt: skip
        await asyncio.to_thread(resume, place, port_of(server), "AES128-GCM-SHA256")
    new, old_one = (e for e in place.log() if e.outcome == "granted")
    assert new.suite == "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"
    assert old_one.suite == "TLS_RSA_WITH_AES_128_CBC_SHA"
    record_interop("curl", "of two certificates, phones of 2010 are shown RSA's")


def resume(place: Place, port: int, suite: str) -> None:
    """With either certificate a session is taken up again."""
    context = ssl.create_default_context(cafile=str(place.lab.server_root_path))
    context.check_hostname = False
    context.load_cert_chain(*place.identity(place.phone))
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(suite)
    session = None
    for reused in (False, True, True):
        with socket.create_connection(("127.0.0.1", port), timeout=15) as raw:
            stream = context.wrap_socket(raw, session=session)
            assert stream.session_reused is reused, suite
            session = stream.session
            stream.close()


@pytest.mark.parametrize(
    "line", [pytest.param(n, marks=pytest.mark.peer(f"OpenSSL {n}")) for n in LINES]
)
async def test_programs_of_the_phones_age_are_served(
    place: Place, line: str, record_interop: Any
) -> None:
    async with both(place) as server:
        for more in ({}, TLS1_0, {"ciphers": "AES128-SHA"}):
            options = {
                **identity_of(place, Generation.SHA1), **ALL_SUITES, **more,
                "host": "127.0.0.1", "port": port_of(server), "servername": "localhost",
                "ca": [place.lab.server_root_path.read_text()],
            }  # fmt: skip
            request = f"GET /snom710-{place.old_phone}.htm HTTP/1.0\r\n\r\n"
            said = await run(line, CLIENT, {"options": options, "request": request})
            assert place.password in said, (more, said)
    suites = [entry.suite or "" for entry in place.log()]
    assert ["ECDSA" in suite for suite in suites] == [True, True, False]
    record_interop(
        f"OpenSSL {line}", "of two certificates it is shown the one it knows"
    )
