"""Before the end: who is told, for how long, and what ends the wait."""

import asyncio
import signal
from math import inf
from types import SimpleNamespace
from typing import Any

import pytest

from linekey.server.counters import Counters
from linekey.server.leaving import announce, announced_s
from linekey.server.worker_state import ready
from linekey.settings import StopSettings
from linekey.wire.readiness import LEAVING, READY

SETTINGS = StopSettings(announce_s=7)


@pytest.mark.parametrize(
    ("got", "asked_s", "seconds"),
    [
        (signal.SIGTERM, 1.0, 7.0),
        (signal.SIGTERM, 15.0, 7.0),
        (signal.SIGTERM, 15.1, 0.0),
        (signal.SIGTERM, inf, 0.0),
        (signal.SIGTERM, None, 0.0),  # there is no listener for balancers
        (signal.SIGINT, 1.0, 0.0),
        (0, 1.0, 0.0),  # the parent is gone
    ],
)
def test_the_end_is_announced_where_a_balancer_asks(
    got: int, asked_s: float | None, seconds: float
) -> None:
    health: Any = None if asked_s is None else SimpleNamespace(asked_s=asked_s)
    assert announced_s(got, health, SETTINGS) == seconds


async def test_it_is_not_ready_while_it_is_announced_and_a_second_signal_ends_that() -> (
    None
):
    counters = Counters(2)
    for worker in range(2):
        counters.say(worker, READY)
    assert (await ready(counters)).ready
    signals: asyncio.Queue[int] = asyncio.Queue()
    waiting = asyncio.create_task(announce(counters, signals, 3_600))
    await asyncio.sleep(0)
    found = await ready(counters)
    assert (found.ready, found.cause, found.workers) == (False, LEAVING, 2)
    assert found.as_json()["status"] == "not ready"
    signals.put_nowait(signal.SIGHUP)
    await asyncio.sleep(0)
    assert not waiting.done()
    signals.put_nowait(signal.SIGTERM)
    async with asyncio.timeout(30):
        await waiting


async def test_it_ends_by_itself_and_without_a_balancer_at_once() -> None:
    counters = Counters(1)
    async with asyncio.timeout(30):
        await announce(counters, asyncio.Queue(), 0.01)
        await announce(counters, asyncio.Queue(), 0)
    assert counters.is_leaving
