"""The phone's state: its authorities, and its verdict on a chain."""

import json
from dataclasses import replace

from tests.certificates import MAC, NOW, authority, server

from linekey.catalog.firmware import Firmware
from linekey.catalog.root_lists import lists_for
from linekey.phone.state import PhoneState, new_phone
from linekey.trust.judge import judge


def test_the_authorities_are_the_makers_and_mozillas_list_of_the_firmware() -> None:
    maker = authority("A maker").certificate
    lists = lists_for(Firmware.parse("8.7.5.35"))
    phone = new_phone(MAC, "D715", "8.7.5.35").with_roots(lists, (maker, maker))
    assert phone.trust.authorities == (maker, *lists.newest)
    kept = PhoneState.from_dict(json.loads(json.dumps(phone.as_dict())))
    assert kept.maker_authorities == (maker,)
    assert kept.trust.authorities == ()  # the firmware brings them


def test_a_verdict_that_hangs_on_the_firmwares_date_says_so_first() -> None:
    chain, root = server().chain, authority().certificate
    lists = lists_for(Firmware.parse("10.1.999.9"))
    newest = replace(lists, newest=(*lists.newest, root))
    phone = new_phone(MAC, "D785", "10.1.999.9").with_roots(newest)
    verdict = phone.verdict_on(chain, "127.0.0.1", NOW)
    assert verdict.accepted
    assert verdict.findings[0].rule == "phone.firmware-date"
    both = replace(newest, oldest=(root,))
    verdict = phone.with_roots(both).verdict_on(chain, "127.0.0.1", NOW)
    assert verdict.accepted
    assert verdict.findings[0].rule != "phone.firmware-date"
    # The maker's CAs are in every list.
    verdict = phone.with_roots(lists, (root,)).verdict_on(chain, "127.0.0.1", NOW)
    assert verdict.accepted
    assert verdict.findings[0].rule != "phone.firmware-date"


def test_no_revocation_list_is_ever_looked_at() -> None:
    state = new_phone(MAC, "D785", "10.1.33.33", authorities=(authority().certificate,))
    verdict = judge(
        server().chain, "127.0.0.1", state.trust, state.profile, state.tls_settings, NOW
    )
    assert verdict.accepted
    (finding,) = [f for f in verdict.findings if f.rule == "chain.revocation"]
    assert not finding.refuses
