"""A certificate of the operator's own, as SNOM-TLS has it ("specify your own client
certificate"): a CA made with the openssl command, a phone with its certificate, and
``linekey trust add`` with its rule. Clients are curl, Python's http.client and the
virtual phone; the servers are ``linekey serve`` with two workers, and one in process.
"""

import asyncio
import http.client
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.live.conftest import PASSWORD, PHONE, STRANGER, Place
from tests.live.peers import bytes_of
from tests.live.test_serve_command import PROGRAM, clean_environment, put_server_files
from tests.live.test_serve_command import serve as serve_process

from linekey.mac import Mac
from linekey.provisioning.device import Device
from linekey.provisioning.document import Layer, Setting
from linekey.server.server import utc_now
from linekey.store.devices import Devices

pytestmark = [pytest.mark.peer("openssl"), pytest.mark.peer("curl")]

OTHER = Mac("000413AABBCF")
"""Registered too, with a secret of its own."""
OTHERS_PASSWORD = "geheim-4712"


@dataclass(frozen=True)
class Own:
    """A CA's file, and the identities it made, by CN."""

    ca: Path
    identities: dict[str, list[str]]


async def make_ca(place: Place, name: str, *cns: str) -> Own:
    """A CA as its operator makes one with openssl, and a client certificate a CN."""
    folder = place.folder / name
    folder.mkdir()
    ca, ca_key = folder / "ca.pem", folder / "ca.key"

    async def openssl(*words: object) -> None:
        ran = await place.run("openssl", *map(str, words))
        assert ran.code == 0, ran.said

    await openssl(
        "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", 400, "-keyout", ca_key,
        "-out", ca, "-subj", f"/O=Example/CN={name}",
        "-addext", "basicConstraints=critical,CA:TRUE",
        "-addext", "keyUsage=critical,keyCertSign,cRLSign",
    )  # fmt: skip
    extensions = folder / "extensions"
    extensions.write_text(
        "basicConstraints=CA:FALSE\nkeyUsage=digitalSignature\n"
        "extendedKeyUsage=clientAuth\n"
    )
    made = {}
    for number, cn in enumerate(cns):
        key, csr, pem = (folder / f"{number}.{end}" for end in ("key", "csr", "pem"))
        await openssl(
            "req", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", csr,
            "-subj", f"/O=Example/ST=000413AABBCF/CN={cn}",
        )  # fmt: skip
        await openssl(
            "x509", "-req", "-in", csr, "-CA", ca, "-CAkey", ca_key, "-CAcreateserial",
            "-days", 300, "-sha256", "-extfile", extensions, "-out", pem,
        )  # fmt: skip
        made[cn] = ["--cert", str(pem), "--key", str(key)]
    return Own(ca, made)


async def linekey(place: Place, *words: object, given: bytes = b"") -> tuple[int, str]:
    """Run the command on the state folder of ``place``."""
    process = await asyncio.create_subprocess_exec(
        *PROGRAM, *map(str, words), "--state", str(place.state.root),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=clean_environment(),
    )  # fmt: skip
    async with asyncio.timeout(60):
        out, _ = await process.communicate(given)
    assert process.returncode is not None
    return process.returncode, out.decode()


def add_other(place: Place) -> None:
    layer = Layer().with_settings(Setting("user_pass", OTHERS_PASSWORD, 1))
    Devices(place.database).add(Device(OTHER, "snom", "D785", layer=layer), utc_now())


def own_path(mac: Mac) -> str:
    return f"snomD785-{mac}.htm"


async def test_ones_own_certificate_gets_its_own_file_and_nobody_elses(
    place: Place, record_interop: Any
) -> None:
    add_other(place)
    own = await make_ca(place, "Example Phones", str(PHONE), str(STRANGER), "a desk")
    code, said = await linekey(place, "trust", "add", own.ca, "--rule", "cn-mac")
    assert code == 0, said
    assert "registered for any vendor, MAC in the CN, as you said" in said
    assert "warning" not in said
    async with place.serving() as server:
        mine = own.identities[str(PHONE)]
        got = await place.curl(*mine, f"{server.url}/{own_path(PHONE)}")
        assert PASSWORD in got.out, got.said
        got = await place.curl(*mine, f"{server.url}/{own_path(OTHER)}")
        assert "reason: other_phones_file" in got.out
        stranger = own.identities[str(STRANGER)]
        for mac in (PHONE, OTHER, STRANGER):
            got = await place.curl(*stranger, f"{server.url}/{own_path(mac)}")
            assert PASSWORD not in got.out
            assert OTHERS_PASSWORD not in got.out
        nameless = own.identities["a desk"]
        got = await place.curl(*nameless, f"{server.url}/{own_path(PHONE)}")
        assert PASSWORD not in got.out
    assert place.reasons() == [
        "own_file", "other_phones_file", "other_phones_file", "other_phones_file",
        "unknown_phone", "no_mac",
    ]  # fmt: skip
    record_interop(
        "openssl", "a CA of one's own vouches for its phones, each its own file"
    )


async def test_without_a_rule_it_is_refused_and_everybody_says_so(place: Place) -> None:
    put_server_files(place)
    own = await make_ca(place, "Example Phones", str(PHONE))
    code, said = await linekey(place, "trust", "add", own.ca)
    assert code == 0
    assert "phones of this CA will be refused" in said
    assert "--rule cn-mac" in said
    code, said = await linekey(place, "serve", "--check")
    assert code == 0, said
    assert "phones of a trusted CA are refused" in said
    assert "linekey trust set " in said
    async with place.serving() as server:
        got = await place.curl(
            *own.identities[str(PHONE)], f"{server.url}/{own_path(PHONE)}"
        )
        assert PASSWORD not in got.out
    assert place.reasons() == ["no_identity_rule"]


async def test_a_changed_rule_holds_at_the_next_request_of_an_open_connection(
    place: Place,
) -> None:
    """In every worker: each connection is one of them, and is asked before and after."""
    put_server_files(place)
    add_other(place)
    own = await make_ca(place, "Example Phones", str(PHONE))
    assert (await linekey(place, "trust", "add", own.ca, "--rule", "cn-mac"))[0] == 0
    context = ssl.create_default_context(cafile=place.lab.server_root_path)
    _, certificate, _, key = own.identities[str(PHONE)]
    context.load_cert_chain(certificate, key)

    def ask(connection: http.client.HTTPSConnection, mac: Mac) -> tuple[int, bytes]:
        connection.request("GET", f"/{own_path(mac)}")
        answer = connection.getresponse()
        return answer.status, answer.read()

    async with serve_process(place, "--workers", "2") as serving:
        host = serving.url.removeprefix("https://")
        open_ones = [
            http.client.HTTPSConnection(host, context=context, timeout=30)
            for _ in range(6)
        ]
        for connection in open_ones:
            status, body = await asyncio.to_thread(ask, connection, PHONE)
            assert (status, PASSWORD.encode() in body) == (200, True)
        # Its ST is the other phone's MAC: from now on it is that phone.
        code, said = await linekey(
            place, "trust", "set", sha256_of(own.ca), "--rule", "st-mac"
        )
        assert code == 0, said
        for connection in open_ones:
            status, body = await asyncio.to_thread(ask, connection, PHONE)
            assert (status, PASSWORD.encode() in body) == (403, False)
            status, body = await asyncio.to_thread(ask, connection, OTHER)
            assert (status, OTHERS_PASSWORD.encode() in body) == (200, True)
        code, _ = await linekey(place, "trust", "set", sha256_of(own.ca), "--no-rule")
        assert code == 0
        for connection in open_ones:
            status, body = await asyncio.to_thread(ask, connection, OTHER)
            assert (status, OTHERS_PASSWORD.encode() in body) == (403, False)
            connection.close()
        assert await serving.end() == 0


def sha256_of(path: Path) -> str:
    from linekey.certs.pem import parse_certificates

    return parse_certificates(path.read_bytes())[0].sha256


async def test_the_virtual_phone_is_provisioned_with_a_certificate_of_ones_own(
    place: Place, tmp_path: Path
) -> None:
    """SNOM-TLS's way: the first file, by the built-in one, brings the phone its own."""
    own = await make_ca(place, "Example Phones", str(PHONE))
    assert (await linekey(place, "trust", "add", own.ca, "--rule", "cn-mac"))[0] == 0
    _, certificate, _, key = own.identities[str(PHONE)]
    both = bytes_of(certificate) + bytes_of(key)
    words = ("device", "set", PHONE, "--secret", "webservice_cert")
    assert (await linekey(place, *words, given=both))[0] == 0
    built_in, built_in_key = place.identity(PHONE)
    async with place.serving() as server:
        for _ in range(2):
            ran = await place.run(
                *PROGRAM, "phone", "run", "--mac", str(PHONE), "--model", "D785",
                "--firmware", "10.1.33.33", "--identity", built_in, "--key", built_in_key,
                "--trust", str(place.lab.server_root_path), "--once", "--json",
                "--setting-server", server.url, "--state", str(tmp_path / "phone"),
            )  # fmt: skip
            assert ran.code == 0, ran.said
    files = [entry for entry in place.log() if entry.reason == "own_file"]
    shown = [entry.certificate_sha256 for entry in files]
    assert shown[0] == sha256_of(Path(built_in))
    assert shown[-1] == sha256_of(Path(certificate))
    assert {entry.vendor for entry in files} == {"lab-snom", "own"}
    assert {entry.mac for entry in place.log()} == {PHONE}
