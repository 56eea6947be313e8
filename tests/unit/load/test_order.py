"""What a load may be: bounds, whose servers, and what a master's order is taken as."""

from dataclasses import replace
from typing import Any

import pytest

from linekey.errors import InputError
from linekey.load.mix import Mix
from linekey.load.order import (
    LoadOrder,
    host_of,
    may_call,
    parse_rate,
    parse_registrar,
)

GOOD = LoadOrder(
    Mix.parse("boot,register,keys"), 10, 5.0, 30.0, server="https://localhost:8443"
)


def test_a_load_of_this_machine_is_fine() -> None:
    GOOD.check()
    replace(GOOD, mix=Mix.parse("register"), server="", registrar="[::1]:5061").check()


@pytest.mark.parametrize(
    ("change", "message", "hint"),
    [
        ({"phones": 0}, "--phones is 1 to 100,000", ""),
        ({"phones": 100_001}, "--phones is 1 to 100,000", ""),
        ({"rate": 20_000.0}, "--rate is at most", ""),
        ({"for_s": 0.0}, "--for is 1s to 24h", "60s"),
        ({"for_s": 90_000.0}, "--for is 1s to 24h", ""),
        ({"think_s": -1.0}, "--think", ""),
        ({"limit_s": 301.0}, "--limit", ""),
        ({"at_once": 0}, "--at-once", ""),
        ({"server": ""}, "no server is named", "--server"),
        ({"server": "https://prov.example.com"}, "is not this machine", "--i-own prov.example.com"),
        ({"server": "https://10.0.0.7"}, "is not this machine", "--i-own 10.0.0.7"),
        ({"server": "ftp://localhost"}, "no web address", "https://"),
        ({"server": "https://u:p@localhost"}, "no web address", "without user"),
        ({"mix": Mix.parse("register")}, "have no account", "--registrar"),
        ({"mix": Mix.parse("register,keys"), "registrar": "localhost:5061"}, "needs the phones' configuration", "--mix boot,register,keys"),
        ({"mix": Mix.parse("register"), "server": "", "registrar": "pbx.example.com:5061"}, "--registrar names pbx.example.com", "--i-own"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_with_its_cure(
    change: dict[str, Any], message: str, hint: str
) -> None:
    with pytest.raises(InputError) as raised:
        replace(GOOD, **change).check()
    assert message in raised.value.message
    assert raised.value.hint
    assert hint in raised.value.hint


def test_a_named_host_may_be_loaded_and_no_other() -> None:
    owned = ("Prov.Example.com",)
    replace(GOOD, server="https://prov.example.com", owned=owned).check()
    assert may_call("127.0.0.9", ())
    assert not may_call("www.example.com", owned)
    assert not may_call("prov.example.com.evil.example", owned)
    assert not may_call("localhost.evil.example", ())


def test_a_masters_order_is_read_again_and_needs_this_machines_word() -> None:
    there = replace(
        GOOD, server="https://prov.example.com", owned=("prov.example.com",)
    )
    with pytest.raises(InputError, match="is not this machine"):
        LoadOrder.parse(there.as_dict(), ())
    assert LoadOrder.parse(there.as_dict(), there.owned) == there


@pytest.mark.parametrize(
    "change", [{"phones": "many"}, {"mix": "fly"}, {"for_s": 10**9}, {"phones": None}]
)
def test_an_order_that_is_none_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        LoadOrder.parse(GOOD.as_dict() | change, ())
    with pytest.raises(InputError, match="cannot be read"):
        LoadOrder.parse({}, ())


@pytest.mark.parametrize(
    ("text", "rate"), [("50", 50), ("50/s", 50), ("600/m", 10), ("0.5/s", 0.5)]
)
def test_rates_are_phones_a_second(text: str, rate: float) -> None:
    assert parse_rate(text) == rate


@pytest.mark.parametrize(
    "text", ["", "0", "-1", "fast", "5/x", "1/", "nan", "inf", "20000/s", "5/s/s"]
)
def test_what_is_no_rate_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="--rate"):
        parse_rate(text)


def test_a_registrar_is_spoken_to_by_tls_only() -> None:
    assert parse_registrar("sips:pbx.example.com:5061") == "pbx.example.com:5061"
    for text in ("sip:pbx.example.com:5060", "pbx.example.com:5061", "sips:pbx", ""):
        with pytest.raises(InputError, match="--registrar"):
            parse_registrar(text)


def test_hosts_of_addresses() -> None:
    assert host_of("https://[::1]:8443/") == "::1"
    assert host_of("") == ""
    for wrong in ("https://localhost:99999", "http://localhost", "localhost:8443"):
        with pytest.raises(InputError) as caught:
            host_of(wrong)
        assert "https://HOST:PORT" in caught.value.hint
