"""The virtual phone against servers that are not ours: openssl, nginx, curl."""

import asyncio
import os
import re
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from tests.certificates import MAC, NOW, OTHER, authority, device, server, vendor
from tests.conftest import peer_path

from linekey.catalog.models import Generation, find_model
from linekey.certs.certificate import Certificate
from linekey.certs.pem import private_key_to_pem, to_pem
from linekey.lab.authority import LabAuthority
from linekey.phone.edge.runner import VirtualPhone
from linekey.phone.events import ExceptionAdded
from linekey.phone.identity import DeviceIdentity
from linekey.phone.pages.server import PhoneServer
from linekey.phone.state import PhoneState, Status, new_phone
from linekey.phone.uses.provisioning.events import ProvisioningWanted
from linekey.wire.door.listener import bind

FINE = (
    "<settings><phone-settings><language>English</language></phone-settings></settings>"
)
STRANGE = authority("TEST unknown root")


def phone(
    url: str, model: str = "D785", firmware: str = "10.1.33.33", mac=MAC, **changes
) -> PhoneState:
    generation = find_model(model).builtin.value
    state = new_phone(
        mac, model, firmware, setting_server=url, builtin=device(mac, generation),
        authorities=(authority().certificate,),
    )  # fmt: skip
    return replace(state, **changes)


async def boot(state: PhoneState) -> PhoneState:
    async with asyncio.timeout(30), VirtualPhone(state, clock=NOW) as running:
        return await running.round_ended()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Log:
    """What a program printed so far, and a wait for a line of it."""

    def __init__(self, stream: asyncio.StreamReader) -> None:
        self.text = ""
        self._stream = stream
        self._grown = asyncio.Condition()
        self._task = asyncio.ensure_future(self._read())

    async def _read(self) -> None:
        while data := await self._stream.read(4096):
            async with self._grown:
                self.text += data.decode("latin-1")
                self._grown.notify_all()

    async def wait(self, pattern: str) -> str:
        async with asyncio.timeout(15), self._grown:
            await self._grown.wait_for(lambda: re.search(pattern, self.text))
        return self.text

    async def close(self) -> None:
        await self._task


@asynccontextmanager
async def program(*words: object) -> AsyncIterator[Log]:
    process = await asyncio.create_subprocess_exec(
        *map(str, words),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert process.stdout is not None
    log = Log(process.stdout)
    try:
        yield log
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
        await log.close()


def write(folder: Path, identity, *, root=None) -> None:
    (folder / "server.pem").write_bytes(identity.to_pem())
    roots = [
        v.certificate for generation in ("sha1", "sha256") for v in vendor(generation)
    ]
    (folder / "vendor.pem").write_text("".join(map(to_pem, roots)))


@asynccontextmanager
async def s_server(
    folder: Path, identity, *options: str
) -> AsyncIterator[tuple[str, Log]]:
    """``openssl s_server -WWW`` over the files of ``folder``."""
    shows: tuple[str, ...] = ()
    if identity is not None:
        write(folder, identity)
        shows = (
            "-cert",
            "server.pem",
            "-key",
            "server.pem",
            "-cipher",
            "ALL:@SECLEVEL=0",
        )
    port = free_port()
    here = Path.cwd()
    os.chdir(folder)
    try:
        words = (
            "openssl",
            "s_server",
            "-accept",
            f"127.0.0.1:{port}",
            "-state",
            "-WWW",
            *shows,
            *options,
        )
        async with program(*words) as log:
            await log.wait("ACCEPT")
            yield f"https://127.0.0.1:{port}", log
    finally:
        os.chdir(here)


@pytest.mark.peer("openssl")
@pytest.mark.parametrize(
    ("model", "firmware", "option", "version"),
    [
        ("D785", "10.1.33.33", "-tls1_2", "TLSv1.2"),
        ("D785", "10.1.33.33", "-tls1_1", "TLSv1.1"),
        ("D715", "8.9.3.60", "-tls1_2", "TLSv1.2"),
        ("710", "8.7.5.35", "-tls1", "TLSv1"),
    ],
)
async def test_openssl_s_server_serves_phones_of_every_age(
    tmp_path: Path, model: str, firmware: str, option: str, version: str
) -> None:
    name = find_model(model).user_agent_name
    for path in (f"{name}.htm", f"{name}-{MAC}.htm"):
        (tmp_path / path).write_text(FINE)
    options = (option, "-Verify", "3", "-verify_return_error", "-CAfile", "vendor.pem")
    async with s_server(tmp_path, server(), *options) as (url, log):
        state = await boot(phone(url, model, firmware))
        assert state.status is Status.PROVISIONED, (state.log, log.text)
        assert state.last_tls is not None
        assert state.last_tls.version == version
        assert str(MAC) in await log.wait(f"CN ?= ?{MAC}")


@pytest.mark.peer("openssl")
@pytest.mark.parametrize(
    ("identity", "alert"),
    [
        (server(root=STRANGE), "unknown CA"),
        (server("other.test"), "bad certificate"),
        (server(not_after=NOW.replace(year=2020)), "certificate expired"),
    ],
    ids=["unknown", "name", "expired"],
)
async def test_openssl_sees_the_alert_that_says_why(
    tmp_path: Path, identity, alert: str
) -> None:
    async with s_server(tmp_path, identity, "-tls1_2") as (url, log):
        state = await boot(phone(url))
        assert state.status is Status.REFUSED
        assert alert in await log.wait(f"SSL3 alert read:fatal:{alert}")


@pytest.mark.peer("openssl")
async def test_openssl_demands_a_certificate_and_the_phone_says_that_it_was_refused(
    tmp_path: Path,
) -> None:
    options = (
        "-tls1_2",
        "-Verify",
        "3",
        "-verify_return_error",
        "-CAfile",
        "server.pem",
    )
    async with s_server(tmp_path, server(), *options) as (url, _):
        state = await boot(phone(url))
    assert state.status is Status.REFUSED
    assert any("alert received: unknown_ca" in e.text for e in state.log)


@pytest.mark.peer("openssl")
@pytest.mark.parametrize("authenticates", [False, True])
async def test_a_server_without_any_certificate_is_taken_only_where_nobody_is_authenticated(
    tmp_path: Path, authenticates: bool
) -> None:
    for path in ("snom710.htm", f"snom710-{MAC}.htm"):
        (tmp_path / path).write_text(FINE)
    anonymous = ("-tls1", "-nocert", "-cipher", "ADH-AES128-SHA:@SECLEVEL=0")
    async with s_server(tmp_path, None, *anonymous) as (url, log):
        old = phone(url, "710", "8.7.5.35", server_authentication=authenticates)
        state = await boot(old)
        assert ("FILE:" in log.text) is not authenticates, (
            "no request to nobody knows whom"
        )
    assert (state.status is Status.PROVISIONED) is not authenticates
    details = " ".join(d for e in state.log for d in e.details)
    assert ("anybody could be there" in details) is not authenticates
    assert ("chain.empty" in details) is authenticates


NGINX = """
{user} daemon off; pid {folder}/pid; error_log {folder}/error.log info; worker_processes 1;
events {{ worker_connections 64; }}
http {{
  log_format dn '$ssl_client_s_dn'; access_log {folder}/names.log dn;
  access_log {folder}/access.log; client_body_temp_path {folder}; proxy_temp_path {folder};
  fastcgi_temp_path {folder}; uwsgi_temp_path {folder}; scgi_temp_path {folder};
  map $ssl_client_s_dn $cn {{ default ""; "~CN=(?<mac>[0-9A-Fa-f]{{12}})" $mac; }}
  server {{
    listen 127.0.0.1:{port} ssl;
    ssl_certificate {folder}/server.pem; ssl_certificate_key {folder}/server.pem;
    ssl_protocols TLSv1 TLSv1.1 TLSv1.2 TLSv1.3; ssl_ciphers ALL:@SECLEVEL=0;
    ssl_client_certificate {folder}/vendor.pem; ssl_verify_client on; ssl_verify_depth 3;
    root {folder}/www;
    location /old/ {{ return 301 https://127.0.0.1:{port}/; }}
    location ~ "-(?<wanted>[0-9A-F]{{12}})\\.htm$" {{ if ($wanted != $cn) {{ return 403; }} }}
  }}
}}
"""


@asynccontextmanager
async def nginx(
    folder: Path, identity, vendors: tuple[Certificate, ...] = ()
) -> AsyncIterator[str]:
    write(folder, identity)
    if vendors:
        (folder / "vendor.pem").write_text("".join(map(to_pem, vendors)))
    port = free_port()
    (folder / "nginx.conf").write_text(
        NGINX.format(
            folder=folder, port=port, user="user root;" if os.geteuid() == 0 else ""
        )
    )
    (folder / "www").mkdir(exist_ok=True)
    program_path = peer_path("nginx")
    assert program_path
    async with program(
        program_path, "-c", folder / "nginx.conf", "-e", "stderr", "-p", folder
    ) as log:
        async with asyncio.timeout(15):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                except OSError:
                    await asyncio.sleep(0.02)  # nginx says nothing when it listens
                else:
                    writer.close()
                    break
        assert "emerg" not in log.text
        yield f"https://127.0.0.1:{port}"


@pytest.mark.peer("nginx")
@pytest.mark.parametrize(
    ("model", "firmware"), [("D785", "10.1.33.33"), ("D715", "8.9.3.60")]
)
async def test_nginx_knows_the_phone_by_its_certificate_and_gives_it_its_own_file(
    tmp_path: Path, model: str, firmware: str
) -> None:
    name = find_model(model).user_agent_name
    async with nginx(tmp_path, server()) as url:
        (tmp_path / "www" / f"{name}.htm").write_text(FINE)
        (tmp_path / "www" / f"{name}-{MAC}.htm").write_text(FINE)
        state = await boot(phone(url, model, firmware))
        assert state.status is Status.PROVISIONED, state.log
        assert [f.status for f in state.fetched] == [200, 200]
        thief = phone(f"{url}/{name}-{MAC}.htm?{{mac}}", model, firmware, OTHER)
        assert (await boot(thief)).fetched[-1].status == 403
    assert (
        f"snom{name.removeprefix('snom')}-SIP {firmware}"
        in (tmp_path / "access.log").read_text()
    )


@pytest.mark.peer("nginx")
async def test_nginx_reads_the_name_of_a_lab_phone_as_that_of_a_real_one(
    tmp_path: Path, shared_lab: LabAuthority
) -> None:
    chain, key = shared_lab.device_identity(MAC, Generation.SHA256)
    own = DeviceIdentity(chain, private_key_to_pem(key))
    vendors = (*shared_lab.vendor_roots(), *shared_lab.vendor_intermediates())
    async with nginx(tmp_path, server(), vendors) as url:
        for path in ("snomD785.htm", f"snomD785-{MAC}.htm"):
            (tmp_path / "www" / path).write_text(FINE)
        assert (await boot(phone(url, builtin=own))).status is Status.PROVISIONED
    named = (tmp_path / "names.log").read_text().splitlines()[-1]
    # The vendor's: emailAddress=security@snom.com,CN=<MAC>,O=…,L=Berlin,ST=Berlin,C=DE
    assert named == (
        f"emailAddress=security@lab.invalid,CN={MAC},O=LAB technology AG,L=Berlin,"
        "ST=Berlin,C=DE"
    )
    assert named == str(chain[0].subject)


@pytest.mark.peer("nginx")
async def test_nginx_under_an_unknown_ca_needs_an_exception_first(
    tmp_path: Path,
) -> None:
    identity = server(root=STRANGE)
    async with nginx(tmp_path, identity) as url:
        (tmp_path / "www" / "snomD785.htm").write_text(FINE)
        async with asyncio.timeout(30), VirtualPhone(phone(url), clock=NOW) as running:
            assert (await running.round_ended()).status is Status.REFUSED
            await running.do(ExceptionAdded(identity.leaf.sha256))
            await running.do(ProvisioningWanted("again"))
            state = await running.round_ended()
        assert state.status is Status.PROVISIONED, state.log
        # Without -Verify in the phone's favour nginx answers 400 to a phone of no vendor.
        bare = phone(url, builtin=server("stranger.example"), trust=state.trust)
        assert {f.status for f in (await boot(bare)).fetched} == {400}
    assert "unknown ca" in (tmp_path / "error.log").read_text()


@pytest.mark.peer("curl")
@pytest.mark.peer("openssl")
async def test_curl_and_openssl_can_fetch_the_phones_certificate_from_its_pages(
    tmp_path: Path,
) -> None:
    curl, openssl = shutil.which("curl"), shutil.which("openssl")
    assert curl
    assert openssl
    listener = bind("127.0.0.1", 0)
    pages = PhoneServer(listener)
    root, _ = vendor("sha256")
    (tmp_path / "root.pem").write_text(to_pem(root.certificate))
    port = listener.getsockname()[1]
    async with VirtualPhone(phone(""), clock=NOW, services=(pages,)) as running:
        await running.round_ended()
        async with program(
            curl, "-sS", "--cacert", tmp_path / "root.pem", "--connect-to", f"{MAC}:443:127.0.0.1:{port}",
            "-o", tmp_path / "page", "-w", "%{http_code}\\n", f"https://{MAC}/",
        ) as log:  # fmt: skip
            text = await log.wait(r"\d{3}\n")
        assert text.strip() in ("200", "302", "303"), text
        async with program(
            openssl, "s_client", "-connect", f"127.0.0.1:{port}", "-showcerts"
        ) as log:
            text = await log.wait("END CERTIFICATE")
    listener.close()
    assert to_pem(device().leaf).strip() in text.replace("\r", "")
