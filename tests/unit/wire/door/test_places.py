"""Who gives way at the door: each rule on counts and ages, without a socket or a clock."""

from dataclasses import dataclass
from random import Random
from typing import Any

from linekey.settings import LimitSettings
from linekey.wire.door.places import Placed, Places


@dataclass(eq=False)
class One:
    source: str
    since: float = 0.0
    heard: float = 0.0
    place: Any = None

    has_sent: bool = False


def places(seed: int = 1, **limits: Any) -> Places:
    given = {"half_open": 8, "half_open_per_source": 2, "connections": 20} | limits
    return Places(LimitSettings(**given, shed_after_s=2.0), Random(seed))


def put(room: Places, place: Any, *ones: One) -> list[One]:
    for one in ones:
        room.put(one, place)
    return list(ones)


def some(source: str, count: int, **facts: Any) -> list[One]:
    return [One(source, **facts) for _ in range(count)]


def test_silent_ones_may_wait_while_they_are_few() -> None:
    room = places()
    put(room, room.silent, *some("a", 8))
    assert not room.is_crowded
    assert list(room.overdue(99.0, full=False)) == []


def test_above_the_limit_all_silent_ones_that_are_old_go_at_once_and_no_other() -> None:
    room = places()
    old = put(room, room.silent, *some("a", 5, since=0.0), *some("b", 3, since=1.0))
    put(room, room.silent, *some("a", 2, since=1.5))
    assert room.is_crowded
    assert list(room.overdue(3.0, full=False)) == old
    assert list(room.overdue(1.9, full=False)) == []


def test_when_all_connections_are_taken_old_silent_ones_go_however_few() -> None:
    room = places()
    put(room, room.silent, *some("a", 1))
    assert len(list(room.overdue(2.0, full=True))) == 1


def test_who_has_sent_what_is_not_read_yet_is_not_silent() -> None:
    room = places()
    old = put(room, room.silent, *some("a", 9, since=0.0))
    old[3].has_sent = True
    assert list(room.overdue(2.0, full=False)) == old[:3] + old[4:]


def test_a_byte_now_and_then_makes_no_silent_one_younger() -> None:
    room = places()
    put(room, room.silent, *some("a", 9, since=0.0, heard=2.0))
    assert len(list(room.overdue(2.0, full=False))) == 9


def test_a_source_beyond_its_share_has_ever_more_early_drops_and_others_none() -> None:
    drops = []
    for count in (8, 9, 14, 20):
        dropped = 0
        for seed in range(400):
            room = places(seed)
            few = put(room, room.silent, *some("b", 2))
            many = put(room, room.silent, *some("a", count - 2))
            assert room.early_drop(few[-1]) is None
            victim = room.early_drop(many[-1])
            if victim is not None:
                assert victim.source == "a"
                assert victim is not many[-1]
                dropped += 1
        drops.append(dropped / 400)
    assert drops[0] == 0.0
    assert 0.03 < drops[1] < 0.15  # 1 of 12
    assert 0.4 < drops[2] < 0.6  # 6 of 12
    assert drops[3] == 1.0


def test_at_the_limit_what_is_ending_goes_first_then_silent_then_idle() -> None:
    room = places()
    ending = put(room, room.ending, *some("z", 2))
    silent = put(room, room.silent, *some("b", 3), *some("a", 6))
    idle = put(room, room.idle, *some("c", 4))
    assert room.giving_way() is ending[0]
    for one in ending:
        room.put(one, None)
    for _ in range(20):
        victim = room.giving_way()
        assert victim is not None
        assert victim.source == "a"  # of whom there are most
    for one in silent[3:6]:
        room.put(one, None)  # too few silent ones now to blame them
    assert room.giving_way() is idle[0]


def test_who_asks_slowly_gives_way_before_anybody_is_turned_away() -> None:
    room = places()
    put(room, room.asking, *some("a", 3), *some("b", 2))
    put(room, room.silent, *some("c", 1))
    victim = room.giving_way()
    assert victim is not None
    assert victim.source == "a"
    assert victim.place is room.asking


def test_few_connections_have_small_shares_too() -> None:
    room = places(connections=8, half_open=512, half_open_per_source=64)
    put(room, room.silent, *some("a", 7), *some("b", 1))
    assert not room.is_crowded
    newcomer = list(room.silent)[6]
    for _ in range(50):
        victim = room.giving_way(newcomer)
        assert victim is not None
        assert victim.source == "a"
        assert victim is not newcomer


def test_who_waits_for_a_turn_gives_way_and_never_holds_the_door() -> None:
    room = places()
    put(room, room.handshakes, *some("a", 8))
    put(room, room.turns, *some("a", 9), *some("b", 2))
    for left in range(9, 2, -1):
        victim = room.giving_way()
        assert victim is not None
        assert victim.place is room.turns
        assert victim.source == "a"
        assert room.turns.count("a") == left
        room.put(victim, None)


def test_handshakes_never_take_all_connections() -> None:
    room = places(connections=8, half_open=512, half_open_per_source=64)
    put(room, room.handshakes, *some("a", 4))
    assert not room.has_slot
    assert room.recalled_for("b", 2.0) is not None
    put(room, room.turns, *some("a", 4))
    assert room.giving_way() is not None


def test_who_is_answered_never_gives_way() -> None:
    room = places()
    for one in some("a", 20):
        room.put(one, room.asking)
        room.put(one, None)
    put(room, room.silent, *some("b", 2))
    put(room, room.handshakes, *some("c", 8))
    assert room.giving_way() is None


def test_a_source_within_its_share_need_not_wait_for_one_that_stalls() -> None:
    room = places()
    put(room, room.handshakes, *some("b", 2), *some("a", 6))
    assert not room.has_slot
    victim = room.recalled_for("c", 2.0)
    assert victim is not None
    assert victim.source == "a"
    assert room.recalled_for("a", 2.0) is None
    assert room.recalled_for("b", 2.0) is None  # has its share


def test_a_handshake_that_goes_on_is_never_closed_for_another() -> None:
    room = places()
    put(room, room.handshakes, *some("a", 7, heard=0.1), *some("b", 1, heard=0.0))
    assert room.recalled_for("c", 2.0) is None  # heard of since, or within its share
    for one in list(room.handshakes):
        one.has_sent = True  # it is this end that has not read it
    assert room.recalled_for("c", 99.0) is None
    put(room, room.turns, *some("c", 1))
    assert list(room.overdue(99.0, full=False)) == []


def test_nobody_is_recalled_while_all_keep_to_their_shares() -> None:
    room = places()
    put(room, room.handshakes, *(One(f"s{n // 2}") for n in range(8)))
    assert room.recalled_for("c", 99.0) is None


def test_a_small_door_has_small_shares() -> None:
    room = places(half_open=4, half_open_per_source=64)
    put(room, room.handshakes, *some("a", 4))
    assert room.recalled_for("b", 2.0) is not None


def test_of_many_handshakes_only_the_eldest_are_looked_at_for_each_that_comes() -> None:
    room = places(half_open=40, connections=100)
    put(room, room.handshakes, *some("b", 1), *some("a", 30, heard=99.0))
    put(room, room.handshakes, *some("a", 1, heard=0.0))
    assert room.recalled_for("c", 99.0) is None
    for _ in range(8):
        put(room, room.handshakes, *some("d", 1, heard=99.0))
    put(room, room.turns, *some("c", 1))
    assert len(list(room.recalled(99.0))) == 1  # the sweep sees all


def test_a_stalled_handshake_goes_when_others_wait_and_its_source_has_many() -> None:
    room = places()
    stalled = put(room, room.handshakes, *some("a", 4, heard=0.0))
    put(room, room.handshakes, *some("a", 2, heard=3.0), *some("b", 2, heard=0.0))
    assert list(room.overdue(4.0, full=False)) == []  # nobody waits
    put(room, room.turns, *some("a", 1))
    assert list(room.overdue(3.9, full=False)) == []
    gone = []
    for one in room.overdue(4.0, full=False):
        gone.append(one)
        room.put(one, None)
    assert gone == stalled  # b keeps its share, and who was heard of stays


def test_for_each_other_source_that_waits_one_stalled_handshake_goes_sooner() -> None:
    room = places()
    put(room, room.handshakes, *some("a", 7, heard=0.0), *some("b", 1, heard=0.0))
    put(room, room.turns, *some("a", 5))
    assert list(room.recalled(2.0)) == []  # only its own wait
    put(room, room.turns, *some("c", 3), *some("d", 1))
    assert list(room.recalled(1.9)) == []
    assert [one.source for one in room.recalled(2.0)] == ["a", "a"]


def turn_after_turn(room: Places, now: float) -> list[Placed]:
    """All who wait, in their order; each has its handshake at once."""
    taken = []
    while room.turns:
        taken.append(room.next_turn(now))
        taken[-1].place = None
    return taken


def test_an_office_and_single_phones_take_turns() -> None:
    """Half of the turns are the office's while it has waited longest."""
    room = places()
    office = put(room, room.turns, *some("office", 6))
    single = put(room, room.turns, *(One(f"s{n}") for n in range(6)))
    taken = turn_after_turn(room, 1.0)
    assert taken[:6] == [
        office[0], single[0], office[1], single[1], office[2], single[2],
    ]  # fmt: skip
    assert sorted(map(id, taken)) == sorted(map(id, (*office, *single)))


def test_who_has_its_share_of_handshakes_waits_while_others_do() -> None:
    room = places()
    put(room, room.handshakes, *some("office", 2))
    office = put(room, room.turns, *some("office", 3))
    single = put(room, room.turns, *(One(f"s{n}") for n in range(3)))
    assert turn_after_turn(room, 1.0) == single + office


def test_who_may_have_given_up_comes_last_and_the_newest_of_them_first() -> None:
    room = places(handshake_s=10.0)
    late = put(room, room.turns, *(One(s, since=0.0) for s in ("a", "b", "a")))
    fresh = put(room, room.turns, *(One(s, since=1.0) for s in ("b", "c", "a")))
    taken = turn_after_turn(room, 10.5)
    assert {id(one) for one in taken[:3]} == {id(one) for one in fresh}
    assert {id(one) for one in taken[3:]} == {id(one) for one in late}
    assert taken[3] is not late[0]
