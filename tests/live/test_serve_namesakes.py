"""CAs of one name at a real server: renewed ones, and one that a stranger made."""

from base64 import b64encode
from datetime import timedelta
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from tests.live.peers import free_port

from linekey.catalog.models import Generation
from linekey.certs.build import Issuer, issue, new_key
from linekey.certs.certificate import Certificate
from linekey.certs.pem import private_key_to_pem, to_pem
from linekey.lab.vendor_ca import issue_device
from linekey.server.server import utc_now
from linekey.store.vendor_cas import VendorCas, describe_ca

pytestmark = [pytest.mark.peer("curl"), pytest.mark.peer("openssl")]

ORDERS = [(), ("old",), ("new",), ("old", "new"), ("new", "old")]
DAY = timedelta(days=1)
KEY = new_key("rsa", 2048)


def renewed(
    place: Any, key: Any, *, expired: bool, over: Issuer | None = None
) -> Issuer:
    """An intermediate with the very name of the lab's, under the lab's root."""
    root, inner = place.lab.vendors[Generation.SHA256]
    now = utc_now()
    made = issue(
        inner.certificate.subject, key, over or root, serial=99 + expired, ca=True,
        key_ids=False, not_before=inner.certificate.not_before,
        not_after=now - DAY if expired else now + 99 * DAY,
    )  # fmt: skip
    return Issuer(made, key)


def trust(place: Any, *certificates: Certificate) -> None:
    cas = VendorCas(place.database)
    for ca in cas.all():
        cas.remove(ca.certificate.sha256)
    cas.add([describe_ca(c, utc_now()) for c in certificates])


def files(folder: Path, *chain: Certificate) -> list[str]:
    """curl's words for a phone that shows this chain."""
    pem, key = folder / "chain.pem", folder / "phone.key"
    pem.write_text("".join(map(to_pem, chain)))
    key.write_bytes(private_key_to_pem(KEY))
    return ["--cert", str(pem), "--key", str(key)]


@pytest.mark.parametrize("same_key", [True, False], ids=["same key", "new key"])
async def test_a_renewed_intermediate_counts_from_its_import(
    place: Any, tmp_path: Path, same_key: bool
) -> None:
    root, inner = place.lab.vendors[Generation.SHA256]
    other = inner.key if same_key else new_key("rsa", 2048)
    both = {
        "old": renewed(place, inner.key, expired=True),
        "new": renewed(place, other, expired=False),
    }
    leaf = issue_device(place.phone, Generation.SHA256, KEY, both["new"])
    for listed in ORDERS[1:]:
        trust(place, root.certificate, *(both[n].certificate for n in listed))
        async with place.serving() as server:
            url = f"{server.url}/snomD785-{place.phone}.htm"
            for sent in ORDERS:
                words = files(tmp_path, leaf, *(both[n].certificate for n in sent))
                got = await place.curl(*words, url)
                there = "new" in {*listed, *sent}
                assert (place.password in got.out) == there, (listed, sent, got.said)
    assert set(place.reasons()) <= {"own_file", "expired", "issuer_not_trusted"}


def namesakes(place: Any) -> list[Certificate]:
    """What anybody can make: the intermediate's name, another key, nobody's signature."""
    stranger = new_key("rsa", 2048)
    claimed = place.lab.vendors[Generation.SHA256]
    return [
        renewed(
            place, stranger, expired=False, over=Issuer(ca.certificate, stranger)
        ).certificate
        for ca in claimed
    ]


@pytest.mark.parametrize("behind_proxy", [False, True], ids=["door", "proxy"])
async def test_a_namesake_that_one_phone_sends_shuts_no_other_out(
    place: Any, tmp_path: Path, behind_proxy: bool
) -> None:
    root, inner = place.lab.vendors[Generation.SHA256]
    trust(place, root.certificate)
    leaves = [issue_device(mac, Generation.SHA256, KEY, inner)
              for mac in (place.stranger, place.phone)]  # fmt: skip
    port = free_port()
    options = {
        "port": port,
        "proxy__behind_proxy": True,
        "proxy__trusted_proxies": ["127.0.0.1"],
    }
    async with place.serving(**(options if behind_proxy else {})) as server:
        base = f"http://127.0.0.1:{port}" if behind_proxy else server.url

        async def ask(leaf: Certificate, *sent: Certificate) -> str:
            words = (
                headers(leaf, *sent) if behind_proxy else files(tmp_path, leaf, *sent)
            )
            got = await place.curl(*words, f"{base}/snomD785-{place.phone}.htm")
            return str(got.out)

        for namesake, first in product(namesakes(place), (True, False)):
            sent = (namesake, inner.certificate)
            assert "other_phones_file" in await ask(
                leaves[0], *sent[:: 1 if first else -1]
            )
            assert place.password in await ask(leaves[1], inner.certificate)
            # A change of the list must not bring it back either.
            trust(place, root.certificate, place.lab.server_root())
            assert place.password in await ask(leaves[1], inner.certificate)
            trust(place, root.certificate)


def headers(leaf: Certificate, *sent: Certificate) -> list[str]:
    chain = ", ".join(f":{b64encode(c.der).decode()}:" for c in sent)
    given = (
        f"Client-Cert: :{b64encode(leaf.der).decode()}:", f"Client-Cert-Chain: {chain}",
        "X-Linekey-Client-Verify: SUCCESS", "X-Linekey-Tls-Version: TLSv1.2",
        "X-Forwarded-For: 192.0.2.7",
    )  # fmt: skip
    return [word for header in given for word in ("-H", header)]
