"""Before the end: who is told, for how long, and what ends the wait."""

import asyncio
import signal
import socket
from collections.abc import Iterator
from math import inf
from types import SimpleNamespace
from typing import Any

import pytest

from linekey.server.counters import Counters
from linekey.server.leaving import BEGIN_S, announce, announced_s, one_begins
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


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


def starting() -> Counters:
    """Two workers that have not begun."""
    counters = Counters(2)
    for worker in range(2):
        counters.beat(worker, within_s=60)
    return counters


async def test_where_phones_have_connected_a_worker_is_waited_for(
    listener: socket.socket,
) -> None:
    counters, signals = starting(), asyncio.Queue[int]()
    with socket.create_connection(listener.getsockname()):
        waiting = asyncio.create_task(one_begins(counters, listener, signals))
        await asyncio.sleep(0)
        signals.put_nowait(signal.SIGHUP)
        await asyncio.sleep(0)
        assert not waiting.done()
        counters.beat(1)
        async with asyncio.timeout(BEGIN_S / 2):
            await waiting


async def test_a_second_signal_ends_that(listener: socket.socket) -> None:
    signals = asyncio.Queue[int]()
    with socket.create_connection(listener.getsockname()):
        waiting = asyncio.create_task(one_begins(starting(), listener, signals))
        await asyncio.sleep(0)
        signals.put_nowait(signal.SIGINT)
        async with asyncio.timeout(BEGIN_S / 2):
            await waiting


async def test_nobody_is_waited_for_where_no_phone_is(listener: socket.socket) -> None:
    async with asyncio.timeout(BEGIN_S / 2):
        await one_begins(starting(), listener, asyncio.Queue[int]())


async def test_no_worker_is_waited_for_where_one_has_begun(
    listener: socket.socket,
) -> None:
    counters = starting()
    counters.beat(0)
    with socket.create_connection(listener.getsockname()):
        async with asyncio.timeout(BEGIN_S / 2):
            await one_begins(counters, listener, asyncio.Queue[int]())
