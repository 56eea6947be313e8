"""The phone fetches its firmware from nginx, as a server's files lie there."""

import hashlib
import random
from dataclasses import replace

import pytest
from tests.live.conftest import Place
from tests.live.test_phone_nginx import phone, plain_nginx

from linekey.phone.edge.runner import VirtualPhone
from linekey.phone.events import ExceptionAdded
from linekey.phone.uses.firmware.events import FirmwareWanted
from linekey.phone.uses.firmware.handle import FirmwareFile

pytestmark = pytest.mark.peer("nginx")

IMAGE = random.Random(9).randbytes(5_000_000)
NAMES = """<?xml version="1.0" encoding="utf-8"?>
<firmware-settings><firmware perm="">fw/snomD785-10.1.140.15-SIP-r.bin</firmware></firmware-settings>"""


async def test_firmware_is_named_by_a_document_and_fetched_whole_from_nginx(
    place: Place,
) -> None:
    async with plain_nginx(place, "location / { root html; }") as peer:
        html = peer.folder / "html"
        (html / "fw").mkdir()
        (html / "fw" / "snomD785-10.1.140.15-SIP-r.bin").write_bytes(IMAGE)
        (html / "D785.xml").write_text(NAMES)
        state = phone(place, peer.url, trusts=False)
        kept = state.settings.provision("firmware_status", f"{peer.url}/D785.xml")
        async with VirtualPhone(replace(state, settings=kept.settings)) as running:
            await running.round_ended()
            refused = await running.do(FirmwareWanted())
            assert not refused.ok
            (unknown,) = running.state.trust.unknown
            assert unknown.purpose == "firmware"
            await running.do(ExceptionAdded(unknown.certificate.sha256))
            answer = await running.do(FirmwareWanted())
            assert answer.ok, answer
            last = running.state.part(FirmwareFile).last
            assert last is not None
            assert last.size == len(IMAGE)
            assert last.sha256 == hashlib.sha256(IMAGE).hexdigest()
