"""Several virtual phones in one process, each for itself."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from tests.certificates import MAC, OTHER, authority, device, server
from tests.phone_server import Route, Site, accept, serve

from linekey.errors import LinekeyError, StorageError
from linekey.mac import Mac
from linekey.phone.edge.runner import VirtualPhone
from linekey.phone.edge.several import AT_ONCE, Ended, Start, run_several
from linekey.phone.state import PhoneState, Status, new_phone

FINE = b"<settings><phone-settings><language>English</language></phone-settings></settings>"


def state(mac: Mac, url: str) -> PhoneState:
    made = new_phone(
        mac, "D785", "10.1.33.33", builtin=device(mac), authorities=(authority().certificate,)
    )  # fmt: skip
    return replace(made, bootstrap_server=url) if url else made


@asynccontextmanager
async def site() -> AsyncIterator[Site]:
    async with serve(server(), verify=accept) as found:
        found.answer = lambda asked: Route(FINE)
        yield found


class Full:
    """A disk without room for this phone."""

    def save(self, state: PhoneState) -> None:
        raise StorageError("no space is left", hint="free some")


class Kept:
    """Says when the phone is provisioned; it is told so in a thread."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.provisioned = asyncio.Event()

    def save(self, state: PhoneState) -> None:
        if state.status is Status.PROVISIONED:
            self.loop.call_soon_threadsafe(self.provisioned.set)


async def run(*starts: Start, once: bool = True) -> list[Ended]:
    async with asyncio.timeout(60):
        return await run_several(starts, stop=asyncio.Event(), once=once)


async def test_each_is_provisioned_with_its_own_certificate() -> None:
    async with site() as at:
        ended = await run(*(Start(state(mac, at.url)) for mac in (MAC, OTHER)))
    assert [one.state.mac for one in ended] == [MAC, OTHER]
    assert {one.state.status for one in ended} == {Status.PROVISIONED}
    assert [one.failure for one in ended] == [None, None]
    shown = {asked.path: asked.leaf for asked in at.asked if asked.leaf}
    for mac in (MAC, OTHER):
        leaves = {leaf for path, leaf in shown.items() if str(mac) in path}
        assert leaves == {device(mac).leaf}


@pytest.mark.parametrize("fault", ["disk", "service", "bug"])
async def test_what_ends_one_phone_ends_no_other(fault: str) -> None:
    told: list[tuple[Mac, str]] = []
    stop, over = asyncio.Event(), asyncio.Event()

    async def breaks(phone: VirtualPhone) -> None:
        raise StorageError("the socket is taken") if fault == "service" else KeyError(1)

    def failed(phone: PhoneState, error: LinekeyError) -> None:
        told.append((phone.mac, error.message))
        over.set()

    async with site() as at, asyncio.timeout(60):
        bad = Start(
            state(MAC, at.url),
            Full() if fault == "disk" else None,
            services=() if fault == "disk" else (breaks,),
        )
        kept = Kept()
        good = Start(state(OTHER, at.url), kept)
        running = asyncio.ensure_future(run_several([bad, good], stop=stop, failed=failed))  # fmt: skip
        await over.wait()
        await kept.provisioned.wait()
        assert not running.done(), "the other one goes on"
        stop.set()
        first, second = await running
    assert told == [(MAC, first.failure.message)]  # type: ignore[union-attr]
    assert {"disk": "no space", "service": "is taken", "bug": "KeyError"}[
        fault
    ] in told[0][1]
    assert (second.failure, second.state.status) == (None, Status.PROVISIONED)


async def test_when_none_runs_any_more_it_is_over() -> None:
    ended = await run(
        *(Start(state(mac, ""), Full()) for mac in (MAC, OTHER)), once=False
    )
    assert all(isinstance(one.failure, StorageError) for one in ended)


async def test_one_word_stops_all_those_that_wait_for_their_turn_too() -> None:
    """More phones than may boot at once, at a server that never answers."""
    asked: list[str] = []
    silent, stop = asyncio.Event(), asyncio.Event()

    async def hold(phone: VirtualPhone) -> None:
        asked.append(str(phone.state.mac))
        if len(asked) == AT_ONCE:
            silent.set()
        await asyncio.Event().wait()

    async def never(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await stop.wait()
        writer.close()

    async with (
        await asyncio.start_server(never, "127.0.0.1", 0) as there,
        asyncio.timeout(60),
    ):
        port = there.sockets[0].getsockname()[1]
        macs = [Mac(f"0004130000{n:02X}") for n in range(AT_ONCE + 4)]
        starts = [
            Start(state(mac, f"https://127.0.0.1:{port}/"), services=(hold,))
            for mac in macs
        ]
        running = asyncio.ensure_future(run_several(starts, stop=stop))
        await silent.wait()
        assert len(asked) == AT_ONCE
        stop.set()
        ended = await running
    assert [one.state.mac for one in ended] == macs
    assert [one.failure for one in ended] == [None] * len(macs)
    assert len(asked) == AT_ONCE, "no other one was begun"
