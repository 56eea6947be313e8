"""Whose word counts on ended certificates, and how it is typed."""

from datetime import UTC, datetime, timedelta

import pytest

from linekey.errors import InputError
from linekey.provisioning.expired import (
    OF_PHONES,
    Expired,
    ExpiredRules,
    parse_expired,
    policy_for,
    was_registered,
)

R, N, G, A = Expired.REFUSE, Expired.NAMED, Expired.REGISTERED, Expired.ACCEPT
END = datetime(2027, 6, 11, tzinfo=UTC)


@pytest.mark.parametrize(
    ("of_ca", "of_group", "of_phone", "holds"),
    [
        (R, None, None, R), (R, "accept", None, R), (R, None, A, R),
        (N, None, None, R), (N, "registered", None, G), (N, "registered", A, A),
        (N, None, G, G), (G, None, None, G), (G, "refuse", None, R), (G, None, A, A),
        (A, None, None, A), (A, "registered", None, G), (A, "accept", R, R),
    ],
)  # fmt: skip
def test_the_phones_word_then_its_groups_then_the_cas(
    of_ca: Expired, of_group: str | None, of_phone: Expired | None, holds: Expired
) -> None:
    assert policy_for(of_ca, of_group, of_phone) is holds


def test_the_ca_nearest_to_the_leaf_counts_else_the_server() -> None:
    rules = ExpiredRules(N, {"root": A, "issuing": G})
    assert rules.of(["issuing", "root"]) is G
    assert rules.of(["other", "root"]) is A
    assert rules.of(["other"]) is N
    assert rules.of([]) is N
    assert rules.open
    assert not ExpiredRules().open
    assert not ExpiredRules(R, {"root": R}).open
    assert ExpiredRules(R, {"root": N}).open


def test_registered_before_the_end_means_not_after_it() -> None:
    assert was_registered(END, END)
    assert not was_registered(END + timedelta(microseconds=1), END)
    assert not was_registered(None, END)


def test_a_word_is_read_as_it_is_typed() -> None:
    assert parse_expired(" Registered ") is G
    assert parse_expired("named") is N
    assert parse_expired("default") is None
    assert [parse_expired(word, of_phone=True) for word in OF_PHONES] == [R, G, A]


@pytest.mark.parametrize("text", ["", "accpet", "yes", "x" * 500, "accept;refuse"])
def test_another_word_is_refused_with_those_there_are(text: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_expired(text)
    assert "refuse, named, registered, accept" in caught.value.hint
    assert len(caught.value.message) < 120


def test_a_phone_is_not_named() -> None:
    with pytest.raises(InputError, match="no policy"):
        parse_expired("named", of_phone=True)
