"""nginx, HAProxy and Apache from exported files, with an RSA and an EC certificate.

curl and ``openssl s_client`` are each shown the certificate that they can use; a phone of
2010, which knows RSA alone, has its file as before.
"""

import pytest
from tests.live.conftest import PASSWORD, Place
from tests.live.peers import Peer
from tests.live.test_export_https import PROXIES, behind, cert, modernize, path_of
from tests.live.test_serve_two_certificates import kind_of_key

from linekey.catalog.models import Generation

pytestmark = [pytest.mark.peer("curl"), pytest.mark.peer("openssl")]

SNI = ("-servername", "localhost")
HELLOS = [
    ((*SNI, "-tls1_2"), "EC"),
    ((*SNI, "-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"), "EC"),
    ((*SNI, "-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256"), "RSA"),
    ((*SNI, "-tls1_2", "-sigalgs", "RSA+SHA256:RSA-PSS+SHA256"), "RSA"),
    (("-noservername", "-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256"), "RSA"),
]
"""Options of s_client, and the kind of key that it is to be shown."""


async def shown(place: Place, peer: Peer, options: tuple[str, ...]) -> str:
    certificate, key = place.identity(place.phone)
    ran = await place.run(
        "openssl", "s_client", "-connect", f"127.0.0.1:{peer.port}",
        "-cert", certificate, "-key", key, *options, given=b"Q\n",
    )  # fmt: skip
    return await kind_of_key(place, ran)


@pytest.mark.parametrize("name", PROXIES)
async def test_each_hello_is_shown_the_certificate_that_it_can_use(
    place: Place, name: str
) -> None:
    modernize(place)
    async with behind(place, name, both=True) as (peer, _):
        for options, kind in HELLOS:
            assert await shown(place, peer, options) == kind, (options, peer.log())
        nameless = "RSA" if name == "haproxy" else "EC"  # HAProxy takes the first then
        options = ("-noservername", "-tls1_2")
        assert await shown(place, peer, options) == nameless, peer.log()


@pytest.mark.parametrize("name", PROXIES)
async def test_a_new_phone_and_one_of_2010_get_their_files(
    place: Place, name: str
) -> None:
    async with behind(place, name, both=True) as (peer, _):
        new = await place.curl(
            *cert(place.identity(place.phone)), f"{peer.url}/{path_of(place.phone)}"
        )
        old = await place.curl(
            *cert(place.identity(place.old_phone, Generation.SHA1)),
            "--ciphers", "AES128-SHA:@SECLEVEL=0", "--tls-max", "1.0",
            f"{peer.url}/{path_of(place.old_phone, '710')}", old=True,
        )  # fmt: skip
    assert PASSWORD in new.out, new.said + peer.log()
    assert PASSWORD in old.out, old.said + peer.log()
    suites = {str(e.mac): e.suite for e in place.log() if e.outcome == "granted"}
    assert "ECDSA" in (suites[str(place.phone)] or "")
    assert "ECDSA" not in (suites[str(place.old_phone)] or "")
