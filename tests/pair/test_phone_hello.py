"""The hello that leaves the phone is the matrix row's, for every phone of the catalogue."""

import pytest
from tests.phone_pki import MAC, device

from linekey.catalog.profile import Profile, all_profiles
from linekey.errors import InputError
from linekey.mac import Mac
from linekey.net.phone_runner import VirtualPhone
from linekey.phone.state import new_phone
from linekey.tls.engine import ClientEngine
from linekey.tls.hello import parse_client_hello
from linekey.tls.parameters import group_name
from linekey.tls.suites import EMPTY_RENEGOTIATION_INFO_SCSV, SUITES, name_of
from linekey.tls.versions import Version


@pytest.mark.parametrize("row", all_profiles(), ids=lambda r: r.name)
async def test_the_phone_offers_what_its_row_says_and_names_what_it_cannot(
    row: Profile,
) -> None:
    state = new_phone(
        MAC,
        row.model.name,
        row.firmware,
        builtin=device(MAC, row.builtin_generation.value),
    )
    phone = VirtualPhone(state)
    speakable = [n for n in row.suites if SUITES[n].known_by_engine]
    if not speakable:
        with pytest.raises(InputError, match="none of the cipher suites"):
            phone.offer()
        return
    offer = phone.offer()
    engine = ClientEngine(offer.context, server_name="prov.test")
    hello = parse_client_hello(engine.take_output())
    assert hello is not None
    offered = [n for n in hello.suites if n != EMPTY_RENEGOTIATION_INFO_SCSV]
    assert set(offered) <= set(row.suites), (
        "nothing the phone does not speak is offered"
    )
    assert offered == [n for n in row.suites if n in offered], "in the row's order"
    said = " ".join(offer.notes)
    for number in set(row.suites) - set(offered) - {EMPTY_RENEGOTIATION_INFO_SCSV}:
        assert name_of(number) in said
    assert hello.max_version == row.max_version
    assert set(hello.versions) == {v for v in row.versions if v >= Version.TLS1_0}
    assert ("SSL 3 is not offered" in said) is (row.min_version < Version.TLS1_0)
    assert hello.server_name == "prov.test"
    for number in set(hello.groups) - set(row.groups):
        assert "the engine adds" in said
        assert group_name(number) in said
    assert [
        n for n in hello.signature_algorithms if n not in row.signature_algorithms
    ] == []


def test_phones_of_one_kind_share_what_is_costly_and_keep_their_own_certificate() -> (
    None
):
    one, two = (
        VirtualPhone(
            new_phone(mac, "D785", "10.1.33.33", builtin=device(mac, "sha256"))
        ).offer()
        for mac in (MAC, Mac.from_bare("000413AABB02"))
    )
    assert one.context.ssl is two.context.ssl
    assert one.own_leaf != two.own_leaf
    assert [o.context.own.leaf for o in (one, two)] == [
        o.own_leaf.openssl for o in (one, two)
    ]


def test_the_catalogue_has_phones_to_try() -> None:
    assert len(all_profiles()) > 20
