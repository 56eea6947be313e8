"""``linekey serve --behind-proxy`` as a process: what it serves, what it refuses."""

import asyncio
import contextlib
import os
import re
import signal
import sys
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from grp import getgrgid, getgrnam
from stat import S_IMODE
from typing import Any

import pytest
from tests.live.conftest import PASSWORD, Place, Ran
from tests.live.peers import open_folder

from linekey.catalog.models import Generation
from linekey.certs.pem import to_pem

pytestmark = [pytest.mark.peer("curl")]


def words(place: Place, *options: str) -> list[str]:
    certificate = place.folder / "server.pem"
    certificate.write_text("".join(map(to_pem, place.lab.server_identity()[0])))
    return [
        sys.executable, "-c", "from linekey.cli.main import main; main()", "serve",
        "--state", str(place.state.root), "--certificate", str(certificate),
        "--port", "0", "--no-status", *options,
    ]  # fmt: skip


@asynccontextmanager
async def serving(place: Place, *options: str) -> AsyncIterator[tuple[int, list[str]]]:
    """The process's TCP port (0: it has none), and what it has said."""
    process = await asyncio.create_subprocess_exec(
        *words(place, *options),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "COLUMNS": "500"},
    )
    assert process.stderr is not None
    said: list[str] = []
    try:
        async with asyncio.timeout(20):
            while not any("Ctrl-C" in line for line in said):
                line = await process.stderr.readline()
                assert line, said
                said.append(line.decode())
        yield listening_port(process.pid), said
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(15):
            _, rest = await process.communicate()
        said.append(rest.decode())
    assert process.returncode == 0, said


def listening_port(pid: int) -> int:
    """The one TCP port on which a process listens (Linux tells in /proc)."""
    inodes = set()
    for fd in os.scandir(f"/proc/{pid}/fd"):
        with contextlib.suppress(OSError):
            if found := re.match(r"socket:\[(\d+)\]", os.readlink(fd.path)):
                inodes.add(found[1])
    with open(f"/proc/{pid}/net/tcp") as table:
        for line in list(table)[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in inodes:
                return int(fields[1].rpartition(":")[2], 16)
    return 0


def headers(place: Place, mac: Any) -> list[str]:
    chain, _ = place.lab.device_identity(mac, Generation.SHA256)
    leaf = b64encode(chain[0].der).decode()
    given = (
        f"Client-Cert: :{leaf}:", "X-Linekey-Client-Verify: SUCCESS",
        "X-Linekey-Tls-Version: TLSv1.2", "X-Forwarded-For: 192.0.2.7",
    )  # fmt: skip
    return [word for header in given for word in ("-H", header)]


async def test_a_listed_proxy_is_served_on_loopback_without_being_told_where(
    place: Place,
) -> None:
    path = f"snomD785-{place.phone}.htm"
    async with serving(place, "--behind-proxy", "127.0.0.1") as (port, said):
        got = await place.curl(*headers(place, place.phone), f"http://127.0.0.1:{port}/{path}")  # fmt: skip
        assert PASSWORD in got.out, (got.said, said)
        other = await place.curl(*headers(place, place.stranger), f"http://127.0.0.1:{port}/{path}")  # fmt: skip
        assert "other_phones_file" in other.out
    first, second = place.log()
    assert (first.reason, first.peer) == ("own_file", "192.0.2.7")
    assert second.reason == "other_phones_file"


async def test_with_several_workers_too(place: Place) -> None:
    path = f"snomD785-{place.phone}.htm"
    options = ("--behind-proxy", "127.0.0.1", "--workers", "2")
    async with serving(place, *options) as (port, said):
        got = await place.curl(*headers(place, place.phone), f"http://127.0.0.1:{port}/{path}")  # fmt: skip
        assert PASSWORD in got.out, (got.said, said)


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_on_a_unix_socket_the_group_is_served_and_nobody_else(
    place: Place, workers: str
) -> None:
    path = f"http://linekey/snomD785-{place.phone}.htm"
    with open_folder() as folder:
        socket = folder / "linekey.sock"
        group = "www-data" if os.geteuid() == 0 else getgrgid(os.getgid()).gr_name
        options = ("--behind-proxy", f"unix:{socket}", "--socket-group", group, "--workers", workers)  # fmt: skip
        async with serving(place, *options) as (port, said):
            assert port == 0
            assert S_IMODE(socket.stat().st_mode) == 0o660
            assert socket.stat().st_gid == getgrnam(group).gr_gid
            asked = ["curl", "-sSi", "--unix-socket", str(socket), *headers(place, place.phone), path]  # fmt: skip
            if os.geteuid() == 0:
                stranger = await place.run(*asked, user="nobody")
                assert stranger.code == 7, stranger.said
                got = await place.run(*asked, user="www-data")
            else:
                got = await place.run(*asked)
            assert PASSWORD in got.out, (got.said, said)
        assert not socket.exists()
    assert any(f"listening on {socket}" in line for line in said)
    assert not any("every user of this machine" in line for line in said)
    assert [(e.reason, e.peer) for e in place.log()] == [("own_file", "192.0.2.7")]


async def test_on_loopback_it_says_who_else_could_be_the_proxy(place: Place) -> None:
    async with serving(place, "--behind-proxy", "127.0.0.1") as (_, said):
        assert any("every user of this machine can connect from 127.0.0.1" in line for line in said)  # fmt: skip


async def test_an_unlisted_address_with_forged_headers_gets_nothing(
    place: Place,
) -> None:
    path = f"snomD785-{place.phone}.htm"
    async with serving(place, "--behind-proxy", "192.0.2.1") as (port, _):
        got = await place.curl("-i", *headers(place, place.phone), f"http://127.0.0.1:{port}/{path}")  # fmt: skip
    assert "403" in got.out.splitlines()[0]
    assert PASSWORD not in got.out
    assert place.reasons() == ["proxy.forged"]


async def test_an_unproved_certificate_gets_nothing_whatever_the_proxy_says(
    place: Place, tmp_path: Any
) -> None:
    from linekey.lab.authority import LabAuthority

    other = LabAuthority.open(tmp_path / "other-lab")
    chain, _ = other.device_identity(place.phone, Generation.SHA256)
    leaf = b64encode(chain[0].der).decode()
    above = b64encode(chain[1].der).decode()
    given = [
        "-H", f"Client-Cert: :{leaf}:", "-H", f"Client-Cert-Chain: :{above}:",
        "-H", "X-Linekey-Client-Verify: SUCCESS", "-H", "X-Linekey-Tls-Version: TLSv1.2",
        "-H", "X-Forwarded-For: 192.0.2.7",
    ]  # fmt: skip
    async with serving(place, "--behind-proxy", "127.0.0.1") as (port, _):
        got = await place.curl("-i", *given, f"http://127.0.0.1:{port}/snomD785-{place.phone}.htm")  # fmt: skip
    assert PASSWORD not in got.out
    assert "403" in got.out.splitlines()[0]
    assert place.reasons() == ["issuer_not_trusted"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--behind-proxy", "127.0.0.1", "--host", "0.0.0.0"], "plain HTTP"),
        (["--behind-proxy", ""], "no proxy is listed"),
        (["--behind-proxy", "proxy.example"], "proxy.trusted_proxies"),
        (["--behind-proxy", "unix:/no/such/folder/x.sock"], "no folder for the socket"),
        (["--behind-proxy", "unix:/tmp/x.sock"], "every user can replace the socket"),
        (
            ["--behind-proxy", "127.0.0.1", "--socket-group", "www-data"],
            "needs a Unix socket",
        ),
    ],
)
async def test_unsafe_combinations_do_not_start_and_name_the_cure(
    place: Place, options: list[str], said: str
) -> None:
    got: Ran = await place.run(*words(place, *options))
    assert got.code == 2, got.said
    assert said in " ".join(got.err.split())
    assert "hint:" in got.err
