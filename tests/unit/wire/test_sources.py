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


def test_one_source_after_another_has_its_turn_and_the_newest_first() -> None:
    turns: Turns[str] = Turns()
    for number in range(4):
        turns.add(f"a{number}", "a")
    turns.add("b0", "b")
    turns.add("c0", "c")
    turns.add("c1", "c")
    assert turns.discard("a2")
    assert not turns.discard("a2")
    taken = [turns.take() for _ in range(len(turns))]
    assert taken == ["a3", "b0", "c1", "a1", "c0", "a0"]
    with pytest.raises(StopIteration):
        turns.take()
