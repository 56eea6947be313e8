"""What is told a balancer, by what the workers said."""

import asyncio
from typing import Any

import pytest

from linekey.errors import Cause, StorageError
from linekey.server.counters import Counters
from linekey.server.worker_state import WorkerState, ready
from linekey.store.registry import Revision
from linekey.wire.asgi_edge import FAULT
from linekey.wire.readiness import (
    FRESH_S,
    READY,
    RESERVE,
    STATES,
    Report,
    judge,
    sentence_of,
)

BUSY = STATES.index(Cause.BUSY)
FULL = STATES.index(Cause.FULL)


@pytest.mark.parametrize(
    ("reports", "cause", "workers"),
    [
        ([], "silent", 0),
        ([Report(0, 0)], "silent", 0),
        ([Report(READY, FRESH_S + 1)], "silent", 0),
        ([Report(READY, 1)], "", 1),
        ([Report(READY, 1), Report(READY, 2)], "", 2),
        # A worker that hangs, or is being started again, accepts nobody.
        ([Report(READY, 1), Report(BUSY, FRESH_S + 1), Report(0, 0)], "", 1),
        # One that is alive may have the next phone.
        ([Report(READY, 1), Report(BUSY, 1)], "busy", 2),
        ([Report(FULL, 0.5), Report(BUSY, 1)], "full", 2),
    ],
)
def test_ready_is_said_by_somebody_and_denied_by_nobody(
    reports: list[Report], cause: str, workers: int
) -> None:
    found = judge(reports)
    assert (found.ready, found.cause, found.workers) == (not cause, cause, workers)
    assert found.as_json()["status"] == ("not ready" if cause else "ready")
    assert bool(found.reason) == bool(cause)


@pytest.mark.parametrize(
    ("reports", "ready", "cause"),
    [
        ([Report(RESERVE, 1)], True, "reserve"),
        ([Report(READY, 0.5), Report(RESERVE, 1)], True, "reserve"),
        ([Report(RESERVE, 0.5), Report(FULL, 1)], False, "full"),
        ([Report(RESERVE, FRESH_S + 1), Report(READY, 1)], True, ""),
    ],
)
def test_who_lives_on_the_reserve_serves_and_says_so(
    reports: list[Report], ready: bool, cause: str
) -> None:
    found = judge(reports)
    assert (found.ready, found.cause) == (ready, cause)
    assert found.as_json().get("cause", "") == cause


def test_every_state_is_told_in_words() -> None:
    said = {sentence_of(n) for n in range(READY + 1, len(STATES))}
    assert len(said) == len(Cause) + 2  # and the reserve, and a fault of ours
    assert STATES[-1] == FAULT


class Store:
    """Looks up and records, or raises."""

    def __init__(self) -> None:
        self.looking: Exception | None = None
        self.recording: Exception | None = None
        self.probes = 0
        self.is_short_of_room = False

    async def revision(self) -> Revision:
        if self.looking:
            raise self.looking
        return Revision(1, 1, 1)

    async def probe(self) -> None:
        self.probes += 1
        if self.recording:
            raise self.recording


async def test_a_worker_says_what_it_can_do(caplog: pytest.LogCaptureFixture) -> None:
    counters, store = Counters(2), Store()
    states = [WorkerState(counters, n, store, store) for n in range(2)]
    for state in states:
        await state.check()
    assert judge(counters.reports()).as_json() == {"status": "ready", "workers": 2}
    store.looking = StorageError("s3cr3t", cause=Cause.SLOW)
    await states[1].check()
    await states[1].check()
    assert judge(counters.reports()).cause == "slow"
    assert caplog.text.count("worker 1 cannot serve") == 1, "told once"
    store.looking, store.recording = None, StorageError("x", cause=Cause.FULL)
    await states[1].check()
    assert judge(counters.reports()).cause == "full"
    store.recording = ValueError("s3cr3t")
    await states[1].check()
    assert judge(counters.reports()).cause == FAULT
    store.recording = None
    await states[1].check()
    assert judge(counters.reports()).ready
    assert "worker 1 can serve again" in caplog.text
    store.is_short_of_room = True
    await states[1].check()
    assert judge(counters.reports()).as_json()["cause"] == "reserve"
    assert caplog.text.count("cannot serve") == 3, "it can"
    assert "s3cr3t" not in caplog.text


async def test_nothing_is_written_while_nobody_asks() -> None:
    counters, store = Counters(), Store()
    speaking = asyncio.ensure_future(WorkerState(counters, 0, store, store).run())
    await asyncio.sleep(0)
    assert store.probes == 0
    found = await ready(counters)
    assert found.ready
    assert store.probes == 1
    speaking.cancel()


async def test_an_answer_comes_although_no_worker_says_anything(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("linekey.server.worker_state._WAIT_S", 0.02)
    found = await ready(Counters(2))
    assert (found.ready, found.cause) == (False, "silent")


def test_counting_goes_on_beside_it() -> None:
    counters: Any = Counters(2)
    counters.row(0).add(0)
    counters.say(0, READY)
    counters.ask()
    assert counters.total(0) == 1
    assert [r.state for r in counters.reports()] == [READY, 0]
