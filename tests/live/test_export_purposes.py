"""Certificates that were issued for something else, at linekey and at foreign servers.

Each row of the how-to pages' table is made and shown to the real programs, each as
linekey exports it. Clients are curl.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.live.conftest import PASSWORD, PHONE, Place
from tests.live.test_export_https import PROXIES, behind, modernize, path_of
from tools.purposes import ROWS, PurposeRow

from linekey.catalog.models import Generation
from linekey.certs.build import Issuer, issue, new_key
from linekey.certs.dn import Name
from linekey.certs.pem import private_key_to_pem, to_pem

pytestmark = [pytest.mark.peer("curl")]

KEY = new_key()
NETSCAPE_CERT_TYPE = "2.16.840.1.113730.1.1"


@contextmanager
def shown(place: Place, row: PurposeRow, folder: Path) -> Iterator[list[str]]:
    """curl's words for the phone's certificate with the purposes of ``row``."""
    root, issuing = place.lab.vendors[Generation.SHA256]
    above = issuing.certificate
    dates = {"not_before": above.not_before, "not_after": above.not_after}
    said: dict[str, Any] = {
        "extended_key_usage": row.extended_key_usage,
        "key_usage": row.key_usage,
    }
    if row.netscape_cert_type:
        said["extensions"] = [(NETSCAPE_CERT_TYPE, False, row.netscape_cert_type)]
    if row.of_authority:
        number = ROWS.index(
            row
        )  # each its own: not one authority with two certificates
        cn = f"LAB Phone {number} SHA-256"
        name = Name.build([("O", "LAB technology AG"), ("CN", cn)])
        own = new_key("ec", "secp256r1")
        above = issue(name, own, root, serial=number, ca=True, **dates, **said)
        issuing, said = Issuer(above, own), {}
    leaf = issue(
        Name.build([("CN", str(PHONE))]), KEY, issuing, serial=78, ca=False, **dates, **said
    )  # fmt: skip
    certificate, key = folder / "phone.pem", folder / "phone.key"
    certificate.write_text(to_pem(leaf) + to_pem(above))
    key.write_bytes(private_key_to_pem(KEY))
    yield ["--cert", str(certificate), "--key", str(key)]


async def test_linekey_refuses_other_purposes_within_the_handshake(
    place: Place, tmp_path: Path, record_interop: Any
) -> None:
    async with place.serving() as server:
        for number, row in enumerate(ROWS, 1):
            url = f"{server.url}/{path_of(place.phone)}"
            with shown(place, row, tmp_path) as words:
                got = await place.curl(*words, "--tls-max", "1.2", url)
            await place.logged(number)
            entry = place.events[-1]  # on record, refusals of strangers are counted
            assert (PASSWORD in got.out) is (row.linekey != "refused"), row
            assert entry.reason == (row.reason or "own_file"), row
            assert ("without client" in entry.detail) is ("noted" in row.linekey), row
            if row.reason:
                assert "unsupported certificate" in got.err, got.err
    record_interop("curl", "a certificate for another purpose than TLS", "refused")


@pytest.mark.parametrize("name", PROXIES)
async def test_what_proxies_take_of_other_purposes_is_what_their_pages_say(
    place: Place, name: str, tmp_path: Path, record_interop: Any
) -> None:
    modernize(place)
    async with behind(place, name) as (peer, _):
        for row in ROWS:
            before = len(place.events)
            with shown(place, row, tmp_path) as words:
                got = await place.curl(
                    "-i", *words, f"{peer.url}/{path_of(place.phone)}"
                )
            said = got.said + peer.log()
            reasons = [entry.reason for entry in place.events[before:]]
            if not row.proxies:
                assert PASSWORD not in got.out, row
                assert reasons == [], (row, said)
                refusal = "400 Bad Request" if name == "nginx" else "alert"
                assert refusal in got.said, (row, got.said)
            else:
                # What it lets through is linekey's to judge, and gets the same answer.
                assert reasons == [row.reason or "own_file"], (row, said)
                assert (PASSWORD in got.out) is (row.linekey != "refused"), row
    record_interop(
        name, "a certificate for another purpose, or for serverAuth alone", "refused"
    )
