"""nginx, HAProxy and Apache from exported files, before linekey.

Clients are curl and ``openssl s_client``; the backend is the real server through
``server.proxy``. What another phone asks for is decided there, or by the MAC rule.
"""

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from grp import getgrnam
from pathlib import Path
from pwd import getpwnam
from stat import S_IMODE
from typing import Any

import pytest
from tests.live.conftest import PASSWORD, Place
from tests.live.peers import (
    Peer,
    exported_peer,
    free_port,
    ids_of,
    open_folder,
    workers_of,
)

from linekey.catalog.firmware import Firmware
from linekey.catalog.models import Generation
from linekey.catalog.vendors import LAB_VENDOR
from linekey.certs.build import issue, new_key
from linekey.certs.dn import Name
from linekey.certs.pem import private_key_to_pem, to_pem
from linekey.export.account import DEBIAN
from linekey.export.request import Backend, Endpoint, UnixSocket
from linekey.lab.authority import LabAuthority
from linekey.mac import Mac
from linekey.provisioning.device import Device
from linekey.provisioning.document import Layer, Setting
from linekey.server.server import ProvisioningServer, utc_now
from linekey.store.devices import Devices

pytestmark = [pytest.mark.peer("curl"), pytest.mark.peer("openssl")]

PROXIES = [pytest.param(n, marks=pytest.mark.peer(n)) for n in ("nginx", "haproxy", "apache")]  # fmt: skip
SHA1_PHONE = Mac("000413AABB01")
"""A D715 with firmware 10.1: TLS 1.2, and a SHA-1 certificate with RSA-1024."""


def cert(identity: tuple[str, str]) -> list[str]:
    return ["--cert", identity[0], "--key", identity[1]]


def path_of(mac: Mac, model: str = "D785") -> str:
    return f"snom{model}-{mac}.htm"


def modernize(place: Place) -> None:
    """Leave the phone of 2010 out of the fleet."""
    Devices(place.database).remove(place.old_phone, datetime.now(UTC))


def add_sha1_phone(place: Place) -> None:
    Devices(place.database).add(
        Device(
            SHA1_PHONE,
            LAB_VENDOR,
            "D715",
            Firmware.parse("10.1.33.33"),
            layer=Layer().with_settings(Setting("user_pass", PASSWORD, 1)),
        ),
        utc_now(),
    )


@asynccontextmanager
async def behind(
    place: Place, name: str, **options: Any
) -> AsyncIterator[tuple[Peer, ProvisioningServer]]:
    """The peer before a linekey server, with a Unix socket between them."""
    with open_folder() as folder:
        path = folder / "linekey.sock"
        group = DEBIAN[name].group if os.geteuid() == 0 else ""
        async with (
            place.serving(
                proxy__behind_proxy=True,
                proxy__unix_socket=path,
                proxy__unix_group=group,
            ) as server,
            exported_peer(
                place, name, backend=UnixSocket(str(path)), **options
            ) as peer,
        ):
            yield peer, server


@pytest.mark.parametrize("name", PROXIES)
async def test_a_modern_phone_gets_its_file_and_the_log_knows_the_connection(
    place: Place, name: str, record_interop: Any
) -> None:
    modernize(place)
    async with behind(place, name) as (peer, _):
        got = await place.curl(
            "-i",
            *cert(place.identity(place.phone)),
            f"{peer.url}/{path_of(place.phone)}",
        )
    assert "200 OK" in got.out, got.said + peer.log()
    assert PASSWORD in got.out
    (entry,) = place.log()
    assert (entry.outcome, entry.reason) == ("granted", "own_file")
    assert entry.tls_version == "TLSv1.2"
    assert entry.suite == "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"
    assert entry.peer == "127.0.0.1"
    assert entry.policy is None
    record_interop(name, "SHA-256 certificate over TLS 1.2 gets its own file")


@pytest.mark.parametrize("name", PROXIES)
async def test_those_that_serve_phones_are_not_root_and_cannot_change_the_folder(
    place: Place, name: str, record_interop: Any
) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can start it as another user")
    account = DEBIAN[name]
    user, group = getpwnam(account.user).pw_uid, getgrnam(account.group).gr_gid
    async with behind(place, name) as (peer, _):
        got = await place.curl(*cert(place.identity(place.phone)), f"{peer.url}/{path_of(place.phone)}")  # fmt: skip
        assert PASSWORD in got.out, got.said + peer.log()
        for pid in workers_of(peer.pid):
            assert ids_of(pid) == ({user}, {group})
        for folder in (peer.folder, *(peer.folder / f for f in peer.exported.folders)):
            there = folder.stat()
            assert there.st_uid == 0
            assert not there.st_mode & (0o022 if there.st_gid == group else 0o002)
        for folder in peer.exported.folders:
            assert S_IMODE((peer.folder / folder).stat().st_mode) == 0o750
    record_interop(name, f"workers run as {account.user}")


@pytest.mark.parametrize("name", PROXIES)
async def test_linekey_may_also_be_at_an_address(
    place: Place, name: str, record_interop: Any
) -> None:
    path = path_of(place.phone)
    async with place.serving(
        proxy__behind_proxy=True, proxy__trusted_proxies=("127.0.0.1",)
    ) as server:
        backend = Endpoint(*server.door.address)
        async with exported_peer(place, name, backend=backend) as peer:
            got = await place.curl(*cert(place.identity(place.phone)), f"{peer.url}/{path}")  # fmt: skip
    assert PASSWORD in got.out, got.said + peer.log()
    assert place.reasons() == ["own_file"]
    record_interop(name, "before linekey over TCP on loopback")


@pytest.mark.parametrize("name", PROXIES)
async def test_only_the_proxy_can_speak_to_linekey_on_its_socket(
    place: Place, name: str, record_interop: Any
) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can be two other users")
    forged = forged_headers(place, place.phone)
    async with behind(place, name) as (peer, server):
        socket, _ = server.door.address
        words = ["curl", "-sSi", "--unix-socket", socket, *GENUINE, *forged[-4:], f"http://x/{path_of(place.phone)}"]  # fmt: skip
        for user, allowed in (("nobody", False), (DEBIAN[name].user, True)):
            got = await place.run(*words, user=user)
            assert (PASSWORD in got.out) is allowed, got.said
            assert (got.code == 7) is not allowed, got.said
        through = await place.curl(
            *cert(place.identity(place.stranger)), *forged, f"{peer.url}/{path_of(place.phone)}"
        )  # fmt: skip
        assert PASSWORD not in through.out
    assert place.reasons() == ["own_file", "other_phones_file"]
    record_interop(name, "before linekey on a Unix socket, which others cannot reach")


@pytest.mark.parametrize("name", PROXIES)
async def test_a_sha1_rsa1024_phone_gets_its_file_where_the_fleet_has_one(
    place: Place, name: str, record_interop: Any
) -> None:
    modernize(place)
    add_sha1_phone(place)
    identity = place.identity(SHA1_PHONE, Generation.SHA1)
    async with behind(place, name) as (peer, _):
        got = await place.curl(
            *cert(identity), "--tls-max", "1.2", f"{peer.url}/{path_of(SHA1_PHONE, 'D715')}", old=True
        )  # fmt: skip
    assert PASSWORD in got.out, got.said + peer.log()
    (entry,) = place.log()
    assert (entry.reason, entry.generation) == ("own_file", "sha1")
    record_interop(name, "SHA-1, RSA-1024 certificate over TLS 1.2 gets its own file")


@pytest.mark.parametrize("name", PROXIES)
async def test_a_sha1_phone_is_refused_where_the_fleet_has_none(
    place: Place, name: str, record_interop: Any
) -> None:
    modernize(place)
    identity = place.identity(SHA1_PHONE, Generation.SHA1)
    async with behind(place, name) as (peer, _):
        got = await place.curl(
            *cert(identity), f"{peer.url}/{path_of(SHA1_PHONE)}", old=True
        )
    assert "200 OK" not in got.out
    assert PASSWORD not in got.out
    assert place.log() == []
    record_interop(
        name, "SHA-1 certificate where no phone of the fleet has one", "refused"
    )


@pytest.mark.parametrize("name", PROXIES)
@pytest.mark.parametrize("version", ["1.0", "1.1"])
async def test_old_protocols_are_served_only_where_the_fleet_needs_them(
    place: Place, name: str, version: str, record_interop: Any
) -> None:
    identity = place.identity(place.old_phone, Generation.SHA1)
    words = [
        *cert(identity), f"--tlsv{version}", "--tls-max", version,
        "--ciphers", "DHE-RSA-AES128-SHA:AES128-SHA:@SECLEVEL=0",
    ]  # fmt: skip
    target = path_of(place.old_phone, "710")
    async with behind(place, name) as (peer, _):
        got = await place.curl(*words, f"{peer.url}/{target}", old=True)
        assert PASSWORD in got.out, got.said + peer.log()
    (entry,) = place.log()
    assert entry.tls_version == ("TLSv1" if version == "1.0" else "TLSv1.1")
    modernize(place)
    async with behind(place, name) as (peer, _):
        got = await place.curl(*words, f"{peer.url}/{target}", old=True)
    assert got.code == 35, got.said
    assert len(place.log()) == 1
    record_interop(name, f"TLS {version} where the fleet has such a phone")
    record_interop(name, f"TLS {version} where it has none", "refused")


@pytest.mark.parametrize("name", PROXIES)
async def test_what_no_phone_needs_is_not_negotiated(place: Place, name: str) -> None:
    certificate, key = place.identity(place.phone)
    async with behind(place, name) as (peer, _):
        for words in (
            ["-tls1_3"],
            ["-tls1_2", "-cipher", "AES128-SHA256:AES256-GCM-SHA384:@SECLEVEL=0"],
            ["-tls1_2", "-cipher", "CAMELLIA128-SHA:NULL-SHA:ADH-AES128-SHA:@SECLEVEL=0"],
        ):  # fmt: skip
            got = await place.run(
                "openssl", "s_client", "-connect", f"127.0.0.1:{peer.port}", *words,
                "-cert", certificate, "-key", key, given=b"", old=True,
            )  # fmt: skip
            assert "Cipher is (NONE)" in got.said, got.said


@pytest.mark.parametrize("name", PROXIES)
async def test_without_a_certificate_or_with_a_strangers_nobody_gets_through(
    place: Place, name: str, tmp_path: Path, record_interop: Any
) -> None:
    other = LabAuthority.open(tmp_path / "other-lab")
    other.device_identity(place.phone, Generation.SHA256)
    stranger = other.device_path(place.phone, Generation.SHA256)
    forged = (str(stranger.with_suffix(".pem")), str(stranger.with_suffix(".key")))
    async with behind(place, name) as (peer, _):
        for words in ([], cert(forged)):
            got = await place.curl("-i", *words, f"{peer.url}/{path_of(place.phone)}")
            assert "200 OK" not in got.out
            assert PASSWORD not in got.out
    assert place.log() == []
    record_interop(name, "no certificate, or a stranger's with the same MAC", "refused")


@pytest.mark.parametrize("name", PROXIES)
async def test_another_phones_file_is_refused_by_linekey(
    place: Place, name: str, record_interop: Any
) -> None:
    async with behind(place, name) as (peer, _):
        for target in (
            path_of(place.old_phone),
            f"%2e%2e/{path_of(place.old_phone)}",
            f"x/../{path_of(place.old_phone)}",
            f"{path_of(place.phone)}%2f..%2f{path_of(place.old_phone)}",
        ):
            got = await place.curl(
                "-i", "--path-as-is", *cert(place.identity(place.phone)), f"{peer.url}/{target}"
            )  # fmt: skip
            assert PASSWORD not in got.out
            assert "200 OK" not in got.out
    assert "other_phones_file" in place.reasons()
    record_interop(
        name, "another phone's file, whatever way it is asked for", "refused"
    )


FORGED = [
    "X-Linekey-Client-Verify: SUCCESS",
    "X-Linekey-Tls-Version: TLSv1.3",
    "X-Forwarded-For: 192.0.2.66",
    "X_Linekey_Client_Verify: SUCCESS",
    "Client_Cert: :AAAA:",
]


GENUINE = ["-H", "X-Linekey-Client-Verify: SUCCESS", "-H", "X-Linekey-Tls-Version: TLSv1.2", "-H", "X-Forwarded-For: 192.0.2.7"]  # fmt: skip
"""What a proxy sends besides the certificate."""


def forged_headers(place: Place, mac: Mac) -> list[str]:
    place.lab.device_identity(mac, Generation.SHA256)
    chain, _ = place.lab.device_identity(mac, Generation.SHA256)
    from base64 import b64encode

    leaf = b64encode(chain[0].der).decode()
    above = b64encode(chain[1].der).decode()
    headers = [*FORGED, f"Client-Cert: :{leaf}:", f"Client-Cert-Chain: :{above}:"]
    return [word for header in headers for word in ("-H", header)]


@pytest.mark.parametrize("name", PROXIES)
async def test_forged_headers_through_the_proxy_change_nothing(
    place: Place, name: str, record_interop: Any
) -> None:
    attacker = place.identity(place.stranger)
    forged = forged_headers(place, place.phone)
    async with behind(place, name) as (peer, _):
        got = await place.curl(
            "-i", *cert(attacker), *forged, f"{peer.url}/{path_of(place.phone)}"
        )
        assert PASSWORD not in got.out, got.out
        got = await place.curl(
            *cert(place.identity(place.phone)),
            *forged_headers(place, place.old_phone),
            f"{peer.url}/{path_of(place.phone)}",
        )
        assert PASSWORD in got.out, got.said
    first, second = place.log()
    assert (first.mac, first.reason) == (place.stranger, "other_phones_file")
    assert (second.mac, second.reason) == (place.phone, "own_file")
    assert second.peer == "127.0.0.1"
    assert second.tls_version == "TLSv1.2"
    record_interop(name, "forged identity headers", "replaced")


STRIPPING = (
    "x-linekey-tls-version, x-linekey-tls-suite, x-forwarded-for",
    "client-cert, client-cert-chain, x-linekey-client-verify",
)


@pytest.mark.parametrize("name", PROXIES)
async def test_a_connection_header_takes_nothing_out_of_what_linekey_is_told(
    place: Place, name: str, record_interop: Any
) -> None:
    url = f"/{path_of(place.phone)}"
    identity = cert(place.identity(place.phone))
    old = ["--tls-max", "1.0", "--ciphers", "DHE-RSA-AES128-SHA:AES128-SHA:@SECLEVEL=0"]
    async with behind(place, name) as (peer, _):
        for named in STRIPPING:
            for word in ("close", "keep-alive"):
                header = ["-H", f"Connection: {word}, {named}"]
                got = await place.curl(*identity, *header, peer.url + url)
                assert PASSWORD in got.out, got.said + peer.log()
                got = await place.curl("-i", *identity, *header, *old, peer.url + url, old=True)  # fmt: skip
                assert "403" in got.out.splitlines()[0], got.said
    entries = place.log()
    assert [e.reason for e in entries] == ["own_file", "tls_too_old"] * 4
    assert {e.peer for e in entries} == {"127.0.0.1"}
    record_interop(name, "Connection that names linekey's headers", "takes none out")


@pytest.mark.parametrize("name", PROXIES)
async def test_a_phone_that_asks_for_it_has_its_connection_closed(
    place: Place, name: str
) -> None:
    words = ["-v", *cert(place.identity(place.phone))]
    async with behind(place, name) as (peer, _):
        url = f"{peer.url}/{path_of(place.phone)}"
        kept = await place.curl(*words, url)
        closed = await place.curl(*words, "-H", "Connection: close", url)
    assert "left intact" in kept.err
    assert "Closing connection" in closed.err
    assert PASSWORD in kept.out
    assert PASSWORD in closed.out


async def test_forged_headers_sent_directly_get_nothing_and_are_on_record(
    place: Place,
) -> None:
    async with place.serving(
        proxy__behind_proxy=True, proxy__trusted_proxies=("192.0.2.1",)
    ) as server:
        host, port = server.door.address
        url = f"http://{host}:{port}/{path_of(place.phone)}"
        got = await place.curl("-i", *forged_headers(place, place.phone), url)
        plain = await place.curl("-i", url)
    assert "403 Forbidden" in got.out
    assert PASSWORD not in got.out + plain.out
    assert "403 Forbidden" in plain.out
    first, second = place.log()
    assert (first.kind, first.reason, first.outcome) == ("request", "proxy.forged", "refused")  # fmt: skip
    assert "client-cert" in first.detail
    assert first.remedy
    assert second.reason == "proxy.not_listed"


@pytest.mark.parametrize("name", PROXIES)
async def test_a_revocation_acts_at_once_on_a_kept_connection(
    place: Place, name: str
) -> None:
    url = path_of(place.phone)
    async with behind(place, name) as (peer, _):
        words = cert(place.identity(place.phone))
        assert PASSWORD in (await place.curl(*words, f"{peer.url}/{url}")).out
        Devices(place.database).revoke(place.phone, "stolen", utc_now())
        got = await place.curl("-i", *words, f"{peer.url}/{url}")
    assert "403" in got.out.splitlines()[0]
    assert place.reasons()[-1] == "revoked"


@pytest.mark.parametrize("name", PROXIES)
async def test_a_resumed_session_is_the_same_phone(
    place: Place, name: str, tmp_path: Path
) -> None:
    certificate, key = place.identity(place.phone)
    session = str(tmp_path / "session")
    asked = f"GET /{path_of(place.phone)} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    async with behind(place, name) as (peer, _):
        for words in (["-sess_out", session], ["-sess_in", session]):
            got = await place.run(
                "openssl", "s_client", "-connect", f"127.0.0.1:{peer.port}",
                "-servername", "localhost", "-tls1_2", "-ign_eof",
                "-cert", certificate, "-key", key, *words, given=asked.encode(),
            )  # fmt: skip
            assert PASSWORD in got.out, got.said + peer.log()
        assert "Reused, TLSv1.2" in got.out
    assert place.reasons() == ["own_file", "own_file"]


def token_paths(token: str, file: str) -> tuple[str, ...]:
    """URLs with a token, as phones are told them and as people mistype them."""
    return (
        f"t/{token}/{file}", f"prov/t/{token}/{file}", f"a/b/t/{token}", f"%74/{token}/{file}",
        f"prov/%74%2f{token}/{file}", f"prov//T/{token}/{file}", f"prov%2ft%2f{token}",
    )  # fmt: skip


@pytest.mark.parametrize("name", PROXIES)
@pytest.mark.parametrize("gone", [None, "socket", "port"])
async def test_a_token_is_in_no_log_of_the_peer_whether_linekey_answers_or_not(
    place: Place, name: str, gone: str | None, tmp_path: Path
) -> None:
    token = Devices(place.database).new_token(place.old_phone, utc_now())
    identity = cert(place.identity(place.phone))
    async with AsyncExitStack() as stack:
        if gone is None:
            peer, _ = await stack.enter_async_context(behind(place, name))
        else:
            nobody: Backend = UnixSocket(str(tmp_path / "linekey.sock"))
            if gone == "port":
                nobody = Endpoint("127.0.0.1", free_port())
            peer = await stack.enter_async_context(exported_peer(place, name, backend=nobody))  # fmt: skip
        for path in token_paths(token, path_of(place.phone)):
            for words in (identity, []):
                await place.curl("--path-as-is", *words, f"{peer.url}/{path}")
        got = await place.curl("-i", *identity, f"{peer.url}/{path_of(place.phone)}")
    assert got.out.split(" ", 2)[1] in (("502", "503") if gone else ("200",))
    assert "verify=" in peer.log()
    if gone:
        assert " 502 " in peer.log() or " 503 " in peer.log()
    assert token not in peer.log()


def spoofing_identities(place: Place, folder: Path) -> Any:
    """Certificates of the trusted authority whose subject holds the MAC elsewhere."""
    mac = "000413AABBCC"
    subjects = [
        [("O", f"LAB,CN={mac}"), ("CN", "000413AABB99")],
        [("O", f"LAB+CN={mac}"), ("CN", "000413AABB99")],
        [("CN", f"x,CN={mac}")],
        [("CN", f"{mac},O=x")],
        [("CN", f"{mac} ")],
        [("CN", f"{mac}0")],
        [("ST", mac), ("CN", "LAB VoIP Phone")],
        [("O", f"LAB\\,CN={mac}")],
        [("CN", mac), ("CN", "000413AABB99")],
        [("CN", "000413AABB99"), ("CN", mac)],
        [("OU", f"/CN={mac}"), ("CN", "000413AABB99")],
    ]
    key = new_key("rsa", 2048)
    _, issuer = place.lab.vendors[Generation.SHA256]
    for number, subject in enumerate(subjects):
        leaf = issue(
            Name.build(subject), key, issuer, serial=1000 + number,
            not_before=issuer.certificate.not_before, not_after=issuer.certificate.not_after,
            hash="sha256", ca=False,
        )  # fmt: skip
        path = folder / f"spoof{number}"
        path.with_suffix(".pem").write_text(to_pem(leaf) + to_pem(issuer.certificate))
        path.with_suffix(".key").write_bytes(private_key_to_pem(key))
        yield str(path.with_suffix(".pem")), str(path.with_suffix(".key"))
