"""Who a connection counts for, and that choices among sources are fair and exact."""

from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linekey.wire.sources import Crowd, Turns, source_of


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.7", "192.0.2.7", True),
        ("192.0.2.7", "192.0.2.8", False),
        ("::ffff:192.0.2.7", "192.0.2.7", True),
        ("2001:db8:0:1::1", "2001:db8:0:1:ffff:ffff:ffff:ffff", True),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
        ("fe80::1%eth0", "fe80::2%eth1", True),
        ("::1", "::1", True),
        ("", "192.0.2.7", False),
        ("::x", "::x", True),
    ],
)
def test_a_source_is_an_ipv4_address_or_an_ipv6_64(
    one: str, other: str, same: bool
) -> None:
    assert (source_of(one) == source_of(other)) == same


STEPS = st.lists(st.tuples(st.integers(0, 15), st.sampled_from("abcd")), max_size=80)


@given(STEPS)
def test_a_crowd_counts_as_a_plain_list_would(steps: list[tuple[int, str]]) -> None:
    crowd: Crowd[int] = Crowd()
    plain: dict[int, str] = {}
    for member, source in steps:
        if member in plain:
            assert crowd.discard(member)
            del plain[member]
        else:
            assert not crowd.discard(member)
            crowd.add(member, source)
            plain[member] = source
        counts = Counter(plain.values())
        assert list(crowd) == list(plain)
        assert len(crowd) == len(plain)
        assert crowd.oldest() == next(iter(plain), None)
        heaviest, most = crowd.heaviest()
        assert most == max(counts.values(), default=0)
        assert counts[heaviest] == most
        for each in "abcd":
            assert crowd.count(each) == counts[each]
        if plain:
            assert plain[crowd.any_of(heaviest, Random(1))] == heaviest


def test_each_of_a_source_is_as_likely_as_the_other() -> None:
    crowd: Crowd[int] = Crowd()
    for member in range(8):
        crowd.add(member, "a" if member % 2 else "b")
    crowd.discard(1)
    chance = Random(7)
    drawn = Counter(crowd.any_of("a", chance) for _ in range(3000))
    assert set(drawn) == {3, 5, 7}
    assert min(drawn.values()) > 900
    drawn = Counter(crowd.any_of("a", chance, but=5) for _ in range(3000))
    assert set(drawn) == {3, 7}
    assert min(drawn.values()) > 1400
    assert crowd.any_of("b", chance, but=5) in {0, 2, 4, 6}
    crowd.add(9, "c")
    assert crowd.any_of("c", chance, but=9) == 9


def never(_: object) -> bool:
    return False


def always(_: object) -> bool:
    return True


def test_by_turns_the_eldest_of_all_and_that_of_the_next_source() -> None:
    turns: Turns[str] = Turns()
    for number in range(4):
        turns.add(f"a{number}", "a")
    turns.add("b0", "b")
    turns.add("c0", "c")
    turns.add("c1", "c")
    assert turns.discard("a2")
    assert not turns.discard("a2")
    taken = [turns.take(never, always) for _ in range(len(turns))]
    assert taken == ["a0", "b0", "a1", "c0", "a3", "c1"]
    assert not turns


def test_a_thousand_of_one_source_keep_no_other_waiting() -> None:
    turns: Turns[int] = Turns()
    for number in range(1_000):
        turns.add(number, "flood")
    for number in range(1_000, 1_003):
        turns.add(number, f"s{number}")
    taken = [turns.take(never, always) for _ in range(8)]
    assert {1_000, 1_001, 1_002} < set(taken)


DEEDS = st.lists(
    st.tuples(
        st.sampled_from(["add", "add", "discard", "take", "older"]),
        st.integers(0, 30),
        st.sampled_from("abcd"),
    ),
    max_size=120,
)


@given(DEEDS, st.sets(st.sampled_from("abcd")))
def test_turns_are_given_to_each_once_and_by_the_rule(
    deeds: list[tuple[str, int, str]], full: set[str]
) -> None:
    """Against plain lists: who is late comes last, and before them whose source may
    not; each is its source's eldest, and at least every second one is the eldest of
    all. Nobody is lost or given twice."""
    turns: Turns[int] = Turns()
    plain: dict[int, str] = {}
    added = late_below = 0
    eldest_ago = 0
    for what, number, source in deeds:
        if what == "add":
            turns.add(added, source)
            plain[added] = source
            added += 1
        elif what == "discard":
            assert turns.discard(number) == (plain.pop(number, None) is not None)
        elif what == "older":
            late_below = max(late_below, number)
        elif plain:
            limit = late_below
            taken = turns.take(lambda m: m < limit, lambda s: s not in full)  # noqa: B023
            fresh = [m for m in plain if m >= late_below]
            may = [m for m in fresh if plain[m] not in full]
            among = may or fresh or list(plain)
            assert taken in among
            if may:
                assert taken == min(m for m in may if plain[m] == plain[taken])
                eldest_ago = 0 if taken == min(may) else eldest_ago + 1
                assert eldest_ago <= 1
            else:
                eldest_ago = 0
            del plain[taken]
        assert list(turns) == list(plain)
        assert len(turns) == len(plain)
