"""HAProxy that passes TCP through: what it is told, and servers that make no sense."""

import pytest

from linekey.errors import InputError
from linekey.export.account import Account
from linekey.export.pass_through import Member, parse_member, pass_through
from linekey.export.render import MARK
from linekey.export.request import Endpoint

ONE = Member("one", Endpoint("192.0.2.11", 443))
TWO = Member("two", Endpoint("2001:db8::2", 8443), 9000)
EVERYWHERE = Endpoint("", 443)


@pytest.mark.parametrize(
    ("text", "member"),
    [
        ("one=192.0.2.11:443", ONE),
        ("one=192.0.2.11", ONE),
        ("two=[2001:db8::2]:8443,9000", TWO),
    ],
)
def test_a_server_is_read(text: str, member: Member) -> None:
    assert parse_member(text) == member


@pytest.mark.parametrize(
    "text",
    [
        "", "one", "=192.0.2.11:443", "one=", "one=:443", "one=*:443", "one=host:443",
        "one=192.0.2.11:0", "one=192.0.2.11:99999", "one=192.0.2.11:443,",
        "one=192.0.2.11:443,0", "one=192.0.2.11:443,70000", "one=192.0.2.11:443,x",
        "a b=192.0.2.11:443", "one\nserver=192.0.2.11:443", "-one=192.0.2.11:443",
    ],
)  # fmt: skip
def test_what_is_no_server_is_refused_with_the_form(text: str) -> None:
    with pytest.raises(InputError) as raised:
        parse_member(text)
    assert "192.0.2.1" in raised.value.hint


def test_the_configuration_names_the_servers_and_keeps_a_source_with_its_own() -> None:
    made = pass_through([ONE, TWO], listen=EVERYWHERE, folder="/etc/linekey/haproxy")
    text, unit = (file.text for file in made.files)
    for line in (
        "bind :::443 v4v6",
        "balance source",
        "hash-type consistent",
        "default-server send-proxy-v2 check inter 2s fall 2 rise 1",
        "server one 192.0.2.11:443 port 8481",
        "server two [2001:db8::2]:8443 port 9000",
        "user haproxy",
    ):
        assert f"    {line}\n" in text
    assert "ssl" not in text
    assert "ExecStart=/usr/sbin/haproxy -Ws -f /etc/linekey/haproxy/haproxy.cfg" in unit
    assert all(MARK in file.text[:400] for file in made.files)
    assert made.run[-1] == "haproxy -f /etc/linekey/haproxy/haproxy.cfg"
    assert any("proxy.protocol_from" in note for note in made.notes)


def test_another_account_and_address_are_taken() -> None:
    made = pass_through(
        [ONE],
        listen=Endpoint("192.0.2.10", 8443),
        folder="/f",
        account=Account("me", "us"),
    )
    assert "bind 192.0.2.10:8443\n" in made.files[0].text
    assert "    user me\n    group us\n" in made.files[0].text


@pytest.mark.parametrize(
    ("members", "listen", "words"),
    [
        ([ONE, ONE], EVERYWHERE, "the name 'one'"),
        (
            [ONE, Member("other", ONE.address)],
            EVERYWHERE,
            "the address '192.0.2.11:443'",
        ),
        ([ONE], ONE.address, "a server's own address"),
    ],
)
def test_servers_that_cannot_be_told_apart_are_refused(
    members: list[Member], listen: Endpoint, words: str
) -> None:
    with pytest.raises(InputError, match=words):
        pass_through(members, listen=listen, folder="/f")
