"""HTTP digest against servers and clients that are not ours: Apache, and curl."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from hashlib import md5
from typing import Any

import pytest
from tests.certificates import server
from tests.live.conftest import PASSWORD, Place
from tests.live.peers import NAME, Peer, free_port, open_folder, running
from tests.live.test_phone_nginx import DOCUMENT, phone

from linekey.catalog.vendors import LAB_VENDOR
from linekey.certs.pem import to_pem
from linekey.export.render import Export
from linekey.mac import Mac
from linekey.phone.edge.runner import VirtualPhone
from linekey.phone.state import PhoneState, Status
from linekey.provisioning.device import REALM, Device, DigestCredential
from linekey.provisioning.document import Layer, Setting
from linekey.server.server import utc_now
from linekey.store.devices import Devices

USER, RIGHT, WRONG = "desk", "geheim: 4711", "geraten"
CONFIGURATION = """
ServerRoot {folder}
ServerName localhost
PidFile {folder}/run/apache.pid
DefaultRuntimeDir {folder}/run
ErrorLog {folder}/run/error.log
<IfModule !mpm_event_module>
    LoadModule mpm_event_module {modules}/mod_mpm_event.so
</IfModule>
LoadModule authn_core_module {modules}/mod_authn_core.so
LoadModule authn_file_module {modules}/mod_authn_file.so
LoadModule auth_basic_module {modules}/mod_auth_basic.so
LoadModule auth_digest_module {modules}/mod_auth_digest.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule authz_user_module {modules}/mod_authz_user.so
LoadModule socache_shmcb_module {modules}/mod_socache_shmcb.so
LoadModule ssl_module {modules}/mod_ssl.so
User www-data
Group www-data
LogFormat "%u %>s \\"%r\\" %{{Authorization}}i" phones
CustomLog {folder}/run/access.log phones
Listen 127.0.0.1:{port} https
<VirtualHost *:{port}>
    SSLEngine on
    SSLCertificateFile {folder}/server.crt
    SSLCertificateKeyFile {folder}/server.key
    DocumentRoot {folder}/html
    <Directory {folder}/html>
        AuthType Digest
        AuthName "{realm}"
        AuthDigestProvider file
        AuthDigestAlgorithm MD5
        AuthDigestQop auth
        AuthUserFile {folder}/users
        Require valid-user
    </Directory>
</VirtualHost>
"""


@asynccontextmanager
async def apache(realm: str) -> AsyncIterator[Peer]:
    """Apache over TLS, whose every file asks for a user with digest."""
    with open_folder() as folder:
        identity = server(NAME)
        (folder / "html").mkdir()
        (folder / "server.crt").write_text("".join(map(to_pem, identity.chain)))
        (folder / "server.key").write_bytes(identity.key_pem)
        # htdigest's own format: user, realm, MD5 over both and the password.
        ha1 = md5(f"{USER}:{realm}:{RIGHT}".encode()).hexdigest()
        (folder / "users").write_text(f"{USER}:{realm}:{ha1}\n", "utf-8")
        port = free_port()
        (folder / "apache.conf").write_text(
            CONFIGURATION.format(
                folder=folder, port=port, realm=realm, modules="/usr/lib/apache2/modules"
            ),
            "utf-8",
        )  # fmt: skip
        made = Export("apache", (), (), (), ())
        async with running(Peer("apache", port, folder, made)) as peer:
            yield peer


async def boot(place: Place, peer: Peer, **settings: str) -> PhoneState:
    state = replace(phone(place, peer.url, **settings), bootstrap_server=f"{peer.url}/")
    async with asyncio.timeout(30), VirtualPhone(state) as booted:
        return await booted.round_ended()


@pytest.mark.peer("apache")
@pytest.mark.parametrize("realm", ["phones, and more", "Büro, 2. Stock"])
async def test_apache_gives_a_phone_its_settings_for_the_right_password(
    place: Place, realm: str, record_interop: Any
) -> None:
    async with apache(realm) as peer:
        for name in ("snomD785.htm", f"snomD785-{place.phone}.htm"):
            (peer.folder / "html" / name).write_text(DOCUMENT)
        known = {"http_client_user": USER, "http_client_pass": RIGHT}
        ended = await boot(place, peer, **known)
        wrong = await boot(place, peer, **{**known, "http_client_pass": WRONG})
        nobody = await boot(place, peer)
    assert ended.status is Status.PROVISIONED, (ended.log[-5:], peer.log())
    assert ended.settings.get("language") == "English"
    for refused in (wrong, nobody):
        assert refused.status is Status.REFUSED
        assert {f.status for f in refused.fetched} == {401}
        assert refused.settings.get("language") == ""
    assert f'{USER} 200 "GET /snomD785-{place.phone}.htm' in peer.log()
    assert "qop=auth, nc=00000001" in peer.log()
    said = "".join(map(str, (*ended.log, *wrong.log)))
    assert RIGHT not in said
    assert WRONG not in said
    case = "a comma" if realm.isascii() else "UTF-8"
    record_interop("apache", f"virtual phone: provisioning with HTTP digest MD5, qop, {case} in the realm")  # fmt: skip
    record_interop("apache", "virtual phone: HTTP digest with a wrong password", "refused, told")  # fmt: skip


@pytest.mark.peer("curl")
async def test_curl_proves_itself_to_linekey_serve_with_digest(
    place: Place, record_interop: Any
) -> None:
    mac = Mac("000413AABB02")
    secret = Layer().with_settings(Setting("user_pass", PASSWORD, 1))
    credential = DigestCredential.create(USER, REALM, RIGHT)
    Devices(place.database).add(
        Device(mac, LAB_VENDOR, "D785", digest=credential, layer=secret), utc_now()
    )
    async with place.serving(rules__second_factor_without_certificate=True) as running_:
        port = running_.door.address[1]
        url = f"https://localhost:{port}/snomD785-{mac}.htm"
        got = await place.curl("--digest", "-u", f"{USER}:{RIGHT}", url)
        wrong = await place.curl("-i", "--digest", "-u", f"{USER}:{WRONG}", url)
        nobody = await place.curl("-i", url)
        basic = await place.curl("-i", "--basic", "-u", f"{USER}:{RIGHT}", url)
    assert PASSWORD in got.out, got.said
    for refused in (wrong, nobody, basic):
        assert PASSWORD not in refused.said
        assert " 401 " in refused.out
    assert "digest_accepted" in place.reasons()
    assert "digest_wrong" in place.reasons()
    record_interop("curl", "second factor without a certificate: HTTP digest")
    record_interop("curl", "HTTP digest with a wrong password, or basic", "refused")
