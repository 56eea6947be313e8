"""The door's end: who is finished with, who is still served, who is cut off."""

import asyncio
from contextlib import asynccontextmanager
from typing import Any

from tests.pair.test_door import Joined, Wire, lab, phone  # noqa: F401 -- a fixture

from linekey.lab.authority import LabAuthority
from linekey.tls.events import Accept, DataReceived, HandshakeCompleted, PeerClosed
from linekey.tls.versions import Version
from linekey.wire.door.connection import DoorConnection

REQUEST = b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n"


class Site:
    """An application that answers when it is let."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.go.set()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.go.wait()
        headers = [(b"content-length", b"2")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"ok"})


class Ending(Wire):
    """A transport that the event loop takes away once it is closed."""

    connection: DoorConnection

    def _lost(self) -> None:
        if not self.closed:
            self.closed = True
            asyncio.get_running_loop().call_soon(self.connection.connection_lost, None)

    def close(self) -> None:
        self._lost()

    def abort(self) -> None:
        self._lost()


class Phone:
    """One phone at the door."""

    def __init__(self, joined: Joined, own: LabAuthority) -> None:
        self.wire = Ending()
        self.connection = self.wire.connection = DoorConnection(joined.door)
        self.engine = phone(own, Version.TLS1_2)  # two round trips
        self.events: list[Any] = []
        self.connection.connection_made(self.wire)

    async def turn(self, rounds: int = 8) -> None:
        for _ in range(rounds):
            if (out := self.engine.take_output()) and not self.wire.closed:
                self.connection.data_received(out)
            await asyncio.sleep(0)
            sent, self.wire.sent = self.wire.sent, b""
            if sent:
                self.events += self.engine.receive(sent)

    async def ask(self) -> None:
        self.engine.send(REQUEST)
        await self.turn()

    @property
    def got(self) -> bytes:
        return b"".join(e.data for e in self.events if isinstance(e, DataReceived))

    @property
    def is_open(self) -> bool:
        return any(isinstance(e, HandshakeCompleted) for e in self.events)


@asynccontextmanager
async def open_door(own: LabAuthority) -> Any:
    site = Site()
    joined = Joined(own, site, lambda _: Accept())
    joined.door._drain_s = 60.0  # a test that needs it fails by its own guard
    async with asyncio.timeout(50):
        await joined.door.__aenter__()
        try:
            yield joined, site
        finally:
            await joined.door.close()
            joined.listener.close()


async def test_a_phone_in_the_middle_of_its_handshake_is_still_served(
    lab: LabAuthority,  # noqa: F811
) -> None:
    async with open_door(lab) as (joined, _):
        halfway = Phone(joined, lab)
        await halfway.turn(1)
        assert not halfway.is_open
        closing = asyncio.create_task(joined.door.close())
        await asyncio.sleep(0)
        await halfway.turn()
        assert halfway.is_open
        await halfway.ask()
        assert b" 200 " in halfway.got
        assert b"connection: close" in halfway.got
        await closing
    assert joined.refusals == []


async def test_a_phone_that_has_not_asked_yet_is_waited_for(
    lab: LabAuthority,  # noqa: F811
) -> None:
    async with open_door(lab) as (joined, _):
        early = Phone(joined, lab)
        await early.turn()
        assert early.is_open
        closing = asyncio.create_task(joined.door.close())
        await asyncio.sleep(0)
        await early.ask()
        assert b"connection: close" in early.got
        await closing


async def test_an_answer_under_way_is_finished_and_an_idle_phone_let_go(
    lab: LabAuthority,  # noqa: F811
) -> None:
    async with open_door(lab) as (joined, site):
        idle, busy = Phone(joined, lab), Phone(joined, lab)
        for each in (idle, busy):
            await each.turn()
        await idle.ask()
        assert b"connection: close" not in idle.got
        site.go.clear()
        await busy.ask()
        assert busy.got == b""
        closing = asyncio.create_task(joined.door.close())
        await idle.turn()
        assert any(isinstance(e, PeerClosed) for e in idle.events)
        assert idle.wire.closed
        assert not busy.wire.closed
        site.go.set()
        await busy.turn()
        assert b" 200 " in busy.got
        await closing


async def test_who_says_nothing_is_waited_for_a_moment_and_recorded(
    lab: LabAuthority,  # noqa: F811
) -> None:
    async with open_door(lab) as (joined, _):
        silent = Phone(joined, lab)  # its hello stays here
        await joined.door.close()
        assert silent.wire.closed
    (refusal,) = joined.refusals
    assert (refusal.code, refusal.reason) == ("hello.gone", "the server ends")


async def test_who_takes_too_long_is_cut_off_and_recorded(
    lab: LabAuthority,  # noqa: F811
) -> None:
    async with open_door(lab) as (joined, _):
        slow = Phone(joined, lab)
        await slow.turn(1)
        joined.door._drain_s = 0.02
        await joined.door.close()
        assert slow.wire.closed
    (refusal,) = joined.refusals
    assert (refusal.code, refusal.reason) == ("handshake.gone", "the server ends")


async def test_before_the_end_answers_close_their_connections(
    lab: LabAuthority,  # noqa: F811
) -> None:
    async with open_door(lab) as (joined, _):
        kept = Phone(joined, lab)
        await kept.turn()
        await kept.ask()
        assert b"connection: close" not in kept.got
        joined.door.leave()
        joined.door.leave()  # each second anew
        await kept.ask()
        assert kept.got.count(b"connection: close") == 1
        late = Phone(joined, lab)  # and who comes is served as before
        await late.turn()
        await late.ask()
        assert b" 200 " in late.got
