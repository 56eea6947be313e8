import pytest

from linekey.catalog.profile import Profile, all_profiles, profile
from linekey.tls.hello import build_client_hello, parse_client_hello

PROFILES = all_profiles()


@pytest.mark.parametrize("phone", PROFILES, ids=lambda p: p.name)
def test_a_derived_hello_survives_the_wire_and_says_what_the_row_says(
    phone: Profile,
) -> None:
    hello = phone.client_hello("prov.example.com", bytes(range(32)))
    read = parse_client_hello(build_client_hello(hello))
    assert read == hello
    assert read.suites == (*phone.suites, 0x00FF)
    assert read.max_version == phone.max_version
    assert read.record_version == 0x0301
    assert read.compressions == (0,)
    assert (read.session_id, read.alpn) == (b"", ())
    assert max(read.versions) == phone.max_version
    assert (read.server_name is not None) is phone.sends_server_name
    assert read.groups == phone.groups
    assert read.signature_algorithms == phone.signature_algorithms


def test_an_old_phone_sends_no_extension_at_all() -> None:
    hello = profile("300", "8.7.3.25.9").client_hello("prov.example.com")
    assert hello.extensions == ()
    assert hello.versions == (0x0301,)


def test_openssl_1_0_0_sends_a_session_ticket_and_without_ec_suites_no_curves() -> None:
    hello = profile("300", "8.7.5.35").client_hello("prov.example.com")
    assert hello.extensions == ((35, b""),)
    assert hello.versions == (0x0301,)


def test_a_modern_phone_sends_openssls_extensions_in_openssls_order() -> None:
    hello = profile("D785", "10.1.33.33").client_hello("prov.example.com")
    assert [number for number, _ in hello.extensions] == [0, 11, 10, 35, 13]
    assert hello.server_name == "prov.example.com"
    # OpenSSL 1.0.2's well-known list of curves, and 1.0.1's.
    expected = "23-25-28-27-24-26-22-14-13-11-12-9-10"
    assert "-".join(map(str, hello.groups)) == expected
    older = profile("D715", "8.7.5.35").client_hello("prov.example.com")
    expected = "14-13-25-11-12-24-9-10-22-23-8-6-7-20-21-4-5-18-19-1-2-3-15-16-17"
    assert "-".join(map(str, older.groups)) == expected
    assert 0x0401 in hello.signature_algorithms
    assert 0x0201 in hello.signature_algorithms


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1", None])
def test_an_address_is_never_sent_as_a_name(host: str | None) -> None:
    assert profile("D785", "10.1.33.33").client_hello(host).server_name is None


def test_equal_rows_give_equal_hellos_so_they_are_sent_once() -> None:
    hellos = {
        (p.match.row.id, build_client_hello(p.client_hello("h.example")))
        for p in PROFILES
    }
    rows = {p.match.row.id for p in PROFILES}
    assert len(hellos) == len(rows)
    # 8.9.3.52 and 10.1 have equal columns; so have the 715's row and the 710's later.
    assert len({wire for _, wire in hellos}) == len(rows) - 2


def test_that_it_is_derived_is_among_the_facts_of_each_profile() -> None:
    for phone in PROFILES:
        assert any(
            r.name == "hello.derived" and r.confidence == "L" for r in phone.facts
        )
