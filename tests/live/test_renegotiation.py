"""A server that asks to renegotiate: Apache with ``SSLVerifyClient`` in a ``<Location>``.

It completes the handshake without asking for a certificate, reads the request, and then
wants a second handshake. Phones' OpenSSL follows that; the virtual phone does not, and
says so.
"""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from tests.live.peers import Peer, free_port, open_folder, running
from tests.live.test_openssl_lines import visited
from tests.phone_pki import server, vendor

from linekey.certs.pem import to_pem
from linekey.export.render import Export

APACHE = """\
ServerRoot {folder}
ServerName localhost
PidFile {folder}/run/apache.pid
Listen 127.0.0.1:{port}
User www-data
Group www-data
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule socache_shmcb_module /usr/lib/apache2/modules/mod_socache_shmcb.so
LoadModule ssl_module /usr/lib/apache2/modules/mod_ssl.so
ErrorLog {folder}/run/error.log
DocumentRoot {folder}
SSLEngine on
SSLProtocol TLSv1.2
SSLCertificateFile {folder}/server.pem
SSLCACertificateFile {folder}/vendor.pem
<Location "/">
  SSLVerifyClient require
  SSLVerifyDepth 3
</Location>
"""


@pytest.mark.peer("apache")
async def test_apache_with_sslverifyclient_in_a_location_is_told_as_that(
    record_interop: Any,
) -> None:
    async with AsyncExitStack() as stack:
        folder: Path = stack.enter_context(open_folder())
        port = free_port()
        (folder / "server.pem").write_bytes(server("127.0.0.1").to_pem())
        (folder / "vendor.pem").write_text(
            "".join(to_pem(v.certificate) for v in vendor("sha256"))
        )
        (folder / "apache.conf").write_text(APACHE.format(folder=folder, port=port))
        peer = Peer("apache", port, folder, Export("apache", (), (), (), ()))
        async with running(peer):
            async with asyncio.timeout(60):
                phone = await visited(port, "D785", "10.1.33.33")
    log = [line for entry in phone.state.log for line in (entry.text, *entry.details)]
    said = "\n".join([phone.report.error, phone.report.hint, *log])
    assert "renegotiate" in said, (said, peer.log())
    assert "SSLVerifyClient" in said
    assert "no common cipher suite" not in said
    record_interop(
        "apache",
        "SSLVerifyClient in a Location: a renegotiation is refused",
        "refused, told",
    )
