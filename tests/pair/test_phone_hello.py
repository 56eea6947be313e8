"""The hello that leaves the phone is the matrix row's, for every phone of the catalogue."""

import asyncio
import re
from dataclasses import replace

import pytest
from OpenSSL import SSL
from tests.certificates import MAC, device

from linekey.catalog.profile import Profile, all_profiles
from linekey.errors import InputError
from linekey.mac import Mac
from linekey.phone.edge.runner import VirtualPhone
from linekey.phone.hello import differences
from linekey.phone.state import new_phone
from linekey.tls.engine import ClientEngine
from linekey.tls.hello import ClientHello, parse_client_hello
from linekey.tls.parameters import (
    extension_name,
    group_name,
    point_format_name,
    signature_name,
)
from linekey.tls.suites import EMPTY_RENEGOTIATION_INFO_SCSV, SUITES, name_of
from linekey.tls.versions import Version
from linekey.trust.connection import Purpose
from linekey.wire.dialer import DialError, dial


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
    name = "prov.test" if offer.sends_server_name else None
    engine = ClientEngine(offer.context, server_name=name)
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
    assert ("answers in SSL 3" in said) is (row.min_version < Version.TLS1_0)
    assert hello.server_name == name
    assert set(hello.groups) <= set(row.groups)
    assert set(hello.signature_algorithms) <= set(row.signature_algorithms)


ROWS = {row.match.row.id: row for row in all_profiles()}
LISTS = {  # what a hello has as lists, and the registry that names the numbers
    "suites": name_of,
    "groups": group_name,
    "point_formats": point_format_name,
    "signature_algorithms": signature_name,
}


async def on_the_wire(row: Profile, host: str) -> tuple[ClientHello, tuple[str, ...]]:
    """The bytes that a phone of this row sends to a server, and what it says of them."""
    taken: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        taken.set_result(await reader.read(65536))
        writer.close()

    builtin = device(MAC, row.builtin_generation.value)
    phone = VirtualPhone(new_phone(MAC, row.model.name, row.firmware, builtin=builtin))
    async with await asyncio.start_server(take, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(DialError) as caught:
            await dial(Purpose.PROVISIONING, host, port, offer=phone.offer())
        hello = parse_client_hello(await taken)
    assert hello is not None
    return hello, caught.value.report.notes


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
async def test_the_wire_is_the_derived_hello_but_for_exactly_what_the_log_says(
    row: Profile,
) -> None:
    sent, notes = await on_the_wire(row, "localhost")
    wanted = row.client_hello("localhost")
    assert (sent.record_version, sent.legacy_version, sent.compressions) == (
        wanted.record_version, wanted.legacy_version, wanted.compressions,
    )  # fmt: skip
    assert sent.session_id == wanted.session_id
    differing: set[str] = set()
    for part, name in LISTS.items():
        ours, theirs = getattr(sent, part), getattr(wanted, part)
        assert [n for n in ours if n in theirs] == [n for n in theirs if n in ours], (
            part
        )
        differing |= {name(n) for n in set(ours) ^ set(theirs)}
    ours, theirs = ([n for n, _ in hello.extensions] for hello in (sent, wanted))
    assert sorted(ours) == sorted(theirs), "no extension more, and none less"
    if ours != theirs:
        differing |= {extension_name(n) for n in ours}
    assert sent.server_name == wanted.server_name
    assert sent.server_name == ("localhost" if row.sends_server_name else None)
    told = " ".join(notes)
    said = {
        name
        for note in notes
        if re.search(r"OpenSSL [\d.]+ (does not have|offers them|adds|sets)", note)
        for name in note.rpartition(": ")[2].split(", ")
    }
    assert said == differing
    assert ("SSL 3" in told) is (row.min_version < Version.TLS1_0)


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
async def test_an_address_is_never_sent_as_a_server_name(row: Profile) -> None:
    sent, _ = await on_the_wire(row, "127.0.0.1")
    assert sent.server_name is None


def test_each_part_of_a_hello_that_differs_is_a_difference() -> None:
    base = ROWS["10.1"].client_hello("a.example")
    kept = base.extensions
    for other, part in (
        (replace(base, record_version=0x0303), "record version"),
        (replace(base, legacy_version=0x0302), "hello version"),
        (replace(base, suites=base.suites[1:]), "suites"),
        (replace(base, suites=base.suites[::-1]), "suites"),
        (replace(base, compressions=(1, 0)), "compression methods"),
        (replace(base, session_id=bytes(32)), "bytes of session id"),
        (replace(base, extensions=(*kept, (22, b""))), "extensions"),
        (replace(base, extensions=kept[::-1]), "extensions"),
        (ROWS["10.1"].client_hello("b.example"), "contents of extensions"),
    ):
        found = differences(base, other)
        assert [d.part for d in found] == [part]
        assert found[0].sentences
    assert differences(base, base) == ()


def test_a_suite_that_is_listed_and_not_offered_for_want_of_a_user_is_told_so() -> None:
    builtin = device(MAC, "sha256")
    phone = VirtualPhone(new_phone(MAC, "D715", "8.7.5.35", builtin=builtin))
    (note,) = [n for n in phone.offer().notes if "SRP user name" in n]
    listed = phone.offer().context.ssl  # OpenSSL's own list, before any user is asked
    names = SSL.Connection(listed, None).get_cipher_list()
    assert "SRP-RSA-AES-128-CBC-SHA" in names
    assert "TLS_SRP_SHA_RSA_WITH_AES_128_CBC_SHA" in note
    assert "3DES" not in note


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
