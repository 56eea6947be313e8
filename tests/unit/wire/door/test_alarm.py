"""An alarm rings once, at the time that was set last; all of them have one timer."""

from collections.abc import Callable
from typing import Any

import pytest

from linekey.wire.door.alarm import Alarm, Bell


class Timer:
    def __init__(self, when: float, call: Callable[[], None]) -> None:
        self.when, self.call, self.cancelled = when, call, False

    def cancel(self) -> None:
        self.cancelled = True


class Loop:
    """What alarms ask of a loop, with a clock of the test's."""

    def __init__(self) -> None:
        self.now = 100.0
        self.timers: list[Timer] = []
        self.said: list[str] = []

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        self.said.append(repr(context["exception"]))

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, call: Callable[[], None]) -> Timer:
        self.timers.append(Timer(when, call))
        return self.timers[-1]

    def go_to(self, now: float) -> None:
        self.now = now
        for timer in list(self.timers):
            if timer.when <= now:
                self.timers.remove(timer)
                if not timer.cancelled:
                    timer.call()

    @property
    def running(self) -> list[float]:
        return [timer.when for timer in self.timers if not timer.cancelled]


@pytest.fixture
def loop() -> Loop:
    return Loop()


@pytest.fixture
def bell(loop: Loop) -> Bell:
    return Bell(loop)  # type: ignore[arg-type]


@pytest.fixture
def alarm(bell: Bell) -> Alarm:
    return Alarm(bell)


def test_many_have_one_timer_and_none_keeps_another_from_ringing(
    loop: Loop, bell: Bell
) -> None:
    rung: list[float] = []

    def wrong() -> None:
        raise ZeroDivisionError

    alarms = [Alarm(bell) for _ in range(6)]
    alarms[0].set(10, wrong)
    alarms[1].set(10, lambda: rung.append(loop.now))
    alarms[2].set(3.01, lambda: rung.append(loop.now))
    alarms[3].set(600, lambda: rung.append(loop.now))
    alarms[4].set(3.01, alarms[5].end)
    alarms[5].set(3.01, lambda: rung.append(-1))
    for step in range(2000):
        assert len(loop.running) == 1
        loop.go_to(100 + step / 100)
    assert rung == [103.05, 110], "the twentieth of a second that is not before"
    assert loop.said == ["ZeroDivisionError()"]
    assert loop.running == [700]
    bell.end()
    assert loop.running == []


def test_a_later_time_leaves_the_timer_and_is_kept_to_the_moment(
    loop: Loop, alarm: Alarm
) -> None:
    rung: list[str] = []
    alarm.set(10, lambda: rung.append("first"))
    loop.now = 104
    alarm.set(10, lambda: rung.append("second"))
    assert loop.running == [110]
    loop.go_to(113)
    assert (rung, loop.running) == ([], [114])
    loop.go_to(114)
    assert (rung, loop.running, alarm.is_set) == (["second"], [], False)


def test_an_earlier_time_is_not_slept_through(loop: Loop, alarm: Alarm) -> None:
    rung: list[str] = []
    alarm.set(30, lambda: rung.append("late"))
    alarm.set(2, lambda: rung.append("soon"))
    assert loop.running == [102]
    loop.go_to(102)
    loop.go_to(200)
    assert rung == ["soon"]


def test_what_was_cleared_does_not_ring_and_may_be_set_again(
    loop: Loop, alarm: Alarm
) -> None:
    rung: list[str] = []
    alarm.set(10, lambda: rung.append("never"))
    alarm.clear()
    assert not alarm.is_set
    loop.now = 105
    alarm.set(10, lambda: rung.append("again"))
    loop.go_to(110)
    assert rung == []
    loop.go_to(115)
    assert rung == ["again"]
    alarm.clear()
    loop.go_to(200)
    assert rung == ["again"]


def test_the_loop_holds_nothing_after_the_end(loop: Loop, alarm: Alarm) -> None:
    alarm.set(10, lambda: pytest.fail("it has ended"))
    alarm.end()
    assert loop.running == []
    loop.go_to(200)


def test_it_may_be_set_again_by_what_it_calls(loop: Loop, alarm: Alarm) -> None:
    rung: list[float] = []

    def again() -> None:
        rung.append(loop.now)
        if len(rung) < 3:
            alarm.set(5, again)

    alarm.set(5, again)
    for now in range(101, 130):
        loop.go_to(now)
    assert rung == [105, 110, 115]
