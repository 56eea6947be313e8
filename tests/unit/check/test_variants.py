"""A variant differs from the phone's hello in one thing, and is asked when it can tell."""

import pytest
from tests.certificates import ca, leaf

from linekey.catalog.profile import Profile, all_profiles, profile
from linekey.check.answer import Answer, Reach
from linekey.check.hellos import Hello, derive, read_capture
from linekey.check.variants import (
    Change,
    control_hellos,
    name_variant,
    needs_control,
    variants_of,
    worth_asking,
)
from linekey.tls.alerts import Alert
from linekey.tls.hello import parse_client_hello
from linekey.tls.suites import SIGNALS, SUITES
from linekey.tls.versions import Version

NAME = "prov.example.com"
ROWS = {row.match.row.id: row for row in all_profiles()}
NEW = derive(profile("D785", "10.1.33.33"), NAME)
CHAIN = (leaf(ca("root"), NAME),)


def answered(suite: int, hello: Hello = NEW) -> Answer:
    return Answer(
        Reach.ANSWERED,
        version=Version.TLS1_2,
        suite=SUITES[suite],
        suite_number=suite,
        chain=CHAIN,
    )


def plain(hello: Hello) -> list[int]:
    return [n for n in hello.client_hello.suites if n not in SIGNALS]


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_each_variant_is_sound_and_differs_in_its_change_alone(row: Profile) -> None:
    hello = derive(row, NAME)
    changes = {}
    for variant in variants_of(hello, NAME):
        changes[variant.change] = variant.hello
        read = parse_client_hello(variant.hello.to_bytes(bytes(32)))
        assert read is not None
        assert variant.hello.versions == hello.versions
        own, other = hello.client_hello, variant.hello.client_hello
        assert own.suites[-1] == other.suites[-1], "the signal stays last"
        if variant.change is Change.SERVER_NAME:
            assert other.server_name == (None if row.sends_server_name else NAME)
            assert plain(variant.hello) == plain(hello)
            kept = [e for e in own.extensions if e[0] != 0]
            assert [e for e in other.extensions if e[0] != 0] == kept
            continue
        assert other.extensions == own.extensions
        if variant.change is Change.ORDER:
            assert plain(variant.hello) == plain(hello)[::-1]
        else:
            chosen = plain(variant.hello)
            assert chosen == [n for n in plain(hello) if n in chosen]
            word = variant.change.value
            for number in plain(hello):
                suite = SUITES[number]
                fits = word in (suite.authentication, suite.key_exchange)
                if variant.change in (Change.DHE, Change.ECDHE):
                    fits = suite.key_exchange == word
                elif variant.change is Change.RSA:
                    fits = suite.authentication == word
                assert (number in chosen) is fits
    assert Change.SERVER_NAME in changes
    assert (Change.ECDSA in changes) is ("ECDSA" in row.authentications)


def test_an_address_and_a_capture_have_no_variant_of_the_name() -> None:
    assert name_variant(NEW, "192.0.2.7") is None
    captured = read_capture(NEW.to_bytes(bytes(32)), "x.pcap")
    assert [v.change for v in variants_of(captured, NAME)].count(
        Change.SERVER_NAME
    ) == 0
    assert Change.ORDER not in [v.change for v in variants_of(captured, NAME)]


def test_what_is_asked_depends_on_what_was_answered() -> None:
    def asked(answer: Answer, **more: bool) -> set[Change]:
        return {v.change for v in worth_asking(NEW, answer, NAME, **more)}

    rsa, ecdsa = answered(0xC02F), answered(0xC02B)
    assert asked(rsa) == {Change.SERVER_NAME, Change.ORDER, Change.ECDSA}
    assert asked(ecdsa) == {Change.SERVER_NAME, Change.ORDER, Change.RSA}
    assert asked(rsa, follows=True) == {Change.DHE}
    assert asked(Answer(Reach.ANSWERED, alert=Alert.HANDSHAKE_FAILURE)) == {
        Change.SERVER_NAME
    }
    for reach in (Reach.CLOSED, Reach.SILENT):
        assert asked(Answer(reach)) == {Change.SERVER_NAME}
    for reach in (Reach.NO_CONNECTION, Reach.TIMED_OUT, Reach.NOT_TLS, Reach.NO_NAME):
        assert asked(Answer(reach)) == set()


@pytest.mark.parametrize("reach", [Reach.CLOSED, Reach.SILENT])
def test_a_control_is_needed_where_no_hello_got_a_word(reach: Reach) -> None:
    closed, alert = (Answer(reach), Answer(Reach.ANSWERED, alert=Alert.DECODE_ERROR))
    assert needs_control({(1,): closed})
    assert needs_control({(1,): closed, (2,): Answer(Reach.TIMED_OUT)})
    assert not needs_control({(1,): closed, (2,): alert})
    assert not needs_control({(1,): Answer(Reach.NO_CONNECTION)})
    controls = control_hellos({NEW.wire_key: closed}, NAME)
    assert NEW.wire_key not in [h.wire_key for h in controls]
    assert len(controls) == len({derive(p, NAME).wire_key for p in all_profiles()}) - 1
