"""Certificates that have ended: curl, with a chain that OpenSSL made for the past.

The CA ended yesterday; the phone's own certificate outlives it, as Grandstream's do.
"""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.certificates import ca, certificate, key
from tests.live.conftest import Place

from linekey.catalog.vendors import OperatorRule, TrustRule
from linekey.certs.pem import private_key_to_pem, to_pem
from linekey.mac import Mac
from linekey.provisioning.device import REALM, Device, DigestCredential
from linekey.provisioning.document import Layer, Setting
from linekey.provisioning.expired import Expired
from linekey.server.server import utc_now
from linekey.store.devices import Devices
from linekey.store.vendor_cas import VendorCas, describe_ca

pytestmark = pytest.mark.peer("curl")

EARLY, LATE = Mac("000413AABB21"), Mac("000413AABB22")
"""Registered before the end, and after it."""
SECRET, USER, WORD = "geheim-4719", "desk", "vK3-mQ9.tRw8"
YESTERDAY = datetime.now(UTC) - timedelta(days=1)
ENDED = ca("Ended Phones CA", not_after=YESTERDAY)


def files_of(place: Place, mac: Mac) -> list[str]:
    own = key(f"expired {mac}")
    leaf = certificate([("CN", mac.digits)], own, ENDED)
    folder: Path = place.folder
    pem, key_path = folder / f"{mac.digits}.pem", folder / f"{mac.digits}.key"
    pem.write_text(to_pem(leaf) + to_pem(ENDED.certificate))
    key_path.write_bytes(private_key_to_pem(own))
    return ["--cert", str(pem), "--key", str(key_path)]


def fill(place: Place, policy: Expired | None) -> VendorCas:
    cas = VendorCas(place.database)
    said = OperatorRule(TrustRule.CN_MAC, "snom")
    cas.add([describe_ca(ENDED.certificate, utc_now(), said)])
    cas.say_of_expired(ENDED.certificate.sha256, policy)
    layer = Layer((Setting("user_pass", SECRET, 1),))
    known = DigestCredential.create(USER, REALM, WORD)
    before = YESTERDAY - timedelta(days=300)
    for mac, at in ((EARLY, before), (LATE, utc_now())):
        phone = Device(mac, "snom", "D785", digest=known, layer=layer)
        Devices(place.database).add(phone, at)
    return cas


async def test_by_default_the_handshake_fails(
    place: Place,
) -> None:
    fill(place, None)
    async with place.serving() as running:
        port = running.door.address[1]
        url = f"https://localhost:{port}/snomD785-{EARLY.digits}.htm"
        got = await place.curl(*files_of(place, EARLY), url)
        (line,) = await place.logged(1)
    assert got.code != 0
    assert SECRET not in got.said
    assert "expired" in got.said
    assert (line.kind, line.reason) == ("handshake", "expired")


async def test_registered_phones_come_with_a_second_factor(
    place: Place,
) -> None:
    fill(place, Expired.REGISTERED)
    async with place.serving() as running:
        port = running.door.address[1]

        def url(mac: Mac) -> str:
            return f"https://localhost:{port}/snomD785-{mac.digits}.htm"

        own = files_of(place, EARLY)
        alone = await place.curl("-i", *own, url(EARLY))
        with_it = ["--digest", "-u", f"{USER}:{WORD}"]
        given = await place.curl(*with_it, *own, url(EARLY))
        wrong = await place.curl("-i", "--digest", "-u", f"{USER}:x", *own, url(EARLY))
        other = await place.curl("-i", *with_it, *own, url(LATE))
        late = await place.curl("-i", *with_it, *files_of(place, LATE), url(LATE))
    assert SECRET in given.out, given.said
    for refused in (alone, wrong, late):
        assert " 401 " in refused.out
    assert " 403 " in other.out
    for refused in (alone, wrong, other, late):
        assert SECRET not in refused.said
    reasons = place.reasons()
    for reason in (
        "digest_required", "digest_accepted", "digest_wrong", "other_phones_file",
        "expired_not_accepted",
    ):  # fmt: skip
        assert reason in reasons, reasons
    granted = next(e for e in place.log() if e.reason == "digest_accepted")
    assert "ended" in granted.detail or "valid until" in granted.detail


async def test_accepted_ones_come_as_before_until_the_operator_changes_his_mind(
    place: Place,
) -> None:
    cas = fill(place, Expired.ACCEPT)
    async with place.serving() as running:
        port = running.door.address[1]
        url = f"https://localhost:{port}/snomD785-{LATE.digits}.htm"
        own = files_of(place, LATE)
        # The second request goes over the same connection, the third resumes nothing.
        got = await place.curl(*own, url, url)
        assert got.out.count(SECRET) == 2, got.said
        assert place.reasons().count("expired_accepted") == 2
        cas.say_of_expired(ENDED.certificate.sha256, Expired.REFUSE)
        async with asyncio.timeout(20):
            while "expired" not in place.reasons():  # within a second
                await place.curl(*own, url)


async def test_of_a_named_ca_only_phones_that_say_so_come(place: Place) -> None:
    fill(place, Expired.NAMED)
    devices = Devices(place.database)
    async with place.serving() as running:
        port = running.door.address[1]
        url = f"https://localhost:{port}/snomD785-{EARLY.digits}.htm"
        own = files_of(place, EARLY)
        before = await place.curl(*own, url)
        devices.change(EARLY, lambda d: replace(d, expired=Expired.ACCEPT), utc_now())
        after = await place.curl(*own, url)
    assert SECRET not in before.said
    assert SECRET in after.out, after.said
    assert place.reasons() == ["expired_not_accepted", "expired_accepted"]
