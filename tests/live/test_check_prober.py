"""Servers that misbehave: each gets its own answer, in time, and never an exception."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from tests.certificates import NOW, ca, leaf
from tests.unit.check.flights import (
    DONE,
    alert,
    certificates,
    ecdhe,
    record,
    server_hello,
)  # fmt: skip

from linekey.catalog.profile import all_profiles, profile
from linekey.check.answer import Answer, Reach
from linekey.check.assess import Question
from linekey.check.hellos import Hello, derive
from linekey.check.prober import Limits, Prober
from linekey.check.target import Target
from linekey.cli.checking import _other_addresses
from linekey.tls.alerts import Alert

NAME = "prov.example.com"
ROOT = ca("root")
CHAIN = (leaf(ROOT, NAME),)
FLIGHT = server_hello() + certificates(CHAIN) + ecdhe() + DONE
QUICK = Limits(per_second=None, connect_s=2.0, answer_s=0.3)

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def serving(talk: Talk) -> AsyncIterator[int]:
    async def handle(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            await talk(reader, writer)
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def saying(*parts: bytes, hold: bool = False) -> Talk:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(4096)
        for part in parts:
            writer.write(part)
            await writer.drain()
        if hold:
            await reader.read()

    return talk


def hello() -> Hello:
    return derive(profile("D785", "10.1.33.33"), NAME)


async def ask(port: int, limits: Limits = QUICK) -> Answer:
    (answer,) = (await Prober(limits).ask_all("127.0.0.1", port, [hello()])).values()
    return answer


@pytest.mark.parametrize(
    ("talk", "reach"),
    [
        (saying(FLIGHT, hold=True), Reach.ANSWERED),
        (saying(*(FLIGHT[i : i + 1] for i in range(200)), FLIGHT[200:]), Reach.ANSWERED),
        (saying(alert(70)), Reach.ANSWERED),
        (saying(), Reach.CLOSED),
        (saying(hold=True), Reach.SILENT),
        (saying(FLIGHT[:50], hold=True), Reach.TIMED_OUT),
        (saying(FLIGHT[:50]), Reach.MALFORMED),
        (saying(b"HTTP/1.1 400 Bad Request\r\n\r\n"), Reach.NOT_TLS),
        (saying(record(22, bytes(100))), Reach.MALFORMED),
        (saying(server_hello(), *[record(22, b"\x0b\x0f\xff\xff" + bytes(15000))] * 80),
         Reach.MALFORMED),
    ],
    ids=["good", "byte by byte", "alert", "close", "silent", "stalls", "cut short",
         "http", "garbage", "a megabyte"],
)  # fmt: skip
async def test_each_kind_of_server_gets_its_own_answer(
    talk: Talk, reach: Reach
) -> None:
    async with serving(talk) as port:
        answer = await ask(port)
    assert answer.reach is reach
    assert answer.address == f"127.0.0.1:{port}"


async def test_a_server_that_resets_is_told_as_closed() -> None:
    async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.transport.abort()

    async with serving(reset) as port:
        answer = await ask(port)
    assert answer.reach is Reach.CLOSED


async def test_nobody_listening_costs_one_connection_for_all_hellos() -> None:
    async with serving(saying()) as port:
        pass
    hellos = [derive(p, NAME) for p in (profile("D785", "10.1.33.33"),
                                        profile("370", "8.7.5.35"))]  # fmt: skip
    answers = await Prober(QUICK).ask_all("127.0.0.1", port, hellos)
    assert {a.reach for a in answers.values()} == {Reach.NO_CONNECTION}
    assert len(answers) == 2


async def test_a_name_that_does_not_resolve_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def unknown(*_: object, **__: object) -> None:
        raise OSError(-2, "Name or service not known")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", unknown)
    (answer,) = (await Prober(QUICK).ask_all("x.invalid", 443, [hello()])).values()
    assert answer.reach is Reach.NO_NAME
    assert "name or service not known" in answer.detail


async def test_every_hello_is_sent_once_and_the_cap_is_kept() -> None:
    open_now = most = count = 0

    async def counting(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        nonlocal open_now, most, count
        open_now += 1
        count += 1
        most = max(most, open_now)
        await reader.read(4096)
        writer.write(alert(40))
        await writer.drain()
        await reader.read()
        open_now -= 1

    hellos = list(
        {h.wire_key: h for h in (derive(p, NAME) for p in all_profiles())}.values()
    )
    told = 0

    def tell() -> None:
        nonlocal told
        told += 1

    async with serving(counting) as port:
        limits = Limits(concurrency=2, per_second=None, answer_s=2.0)
        answers = await Prober(limits, told=tell).ask_all("127.0.0.1", port, hellos)
    assert count == told == len(hellos) == len(answers)
    assert most <= 2
    assert {a.alert for a in answers.values()} == {Alert.HANDSHAKE_FAILURE}


async def test_connections_are_begun_no_faster_than_the_rate() -> None:
    starts: list[float] = []
    loop = asyncio.get_running_loop()

    async def noting(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        starts.append(loop.time())
        await reader.read(4096)
        writer.write(alert(40))

    hellos = list(
        {h.wire_key: h for h in (derive(p, NAME) for p in all_profiles())}.values()
    )[:4]
    async with serving(noting) as port:
        limits = Limits(per_second=50.0, answer_s=2.0)
        await Prober(limits).ask_all("127.0.0.1", port, hellos)
    assert (
        starts[-1] - starts[0] >= 0.05
    )  # four starts: three gaps of 20 ms, less jitter


def addresses(*found: str):
    async def resolve(host: str, port: object, **_: object) -> list[object]:
        return [(2, 1, 6, "", (address, port or 0)) for address in found]

    return resolve


async def test_a_name_with_several_addresses_is_asked_at_the_first_that_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loop = asyncio.get_running_loop()
    async with serving(saying(FLIGHT, hold=True)) as port:
        prober = Prober(QUICK)
        # nobody listens at 127.0.0.2; asyncio does not resolve what is an address
        names = addresses("127.0.0.2", "127.0.0.1", "127.0.0.1", "127.0.0.3")
        with monkeypatch.context() as patch:
            patch.setattr(loop, "getaddrinfo", names)
            (answer,) = (await prober.ask_all("many.test", port, [hello()])).values()
    assert answer.reach is Reach.ANSWERED
    assert answer.address == f"127.0.0.1:{port}"
    assert prober.asked == "127.0.0.1"
    assert prober.others == ("127.0.0.2", "127.0.0.3")


async def test_addresses_that_are_all_dead_are_each_knocked_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with serving(saying()) as port:
        pass
    prober = Prober(QUICK)
    names = addresses("127.0.0.2", "127.0.0.1")
    with monkeypatch.context() as patch:
        patch.setattr(asyncio.get_running_loop(), "getaddrinfo", names)
        (answer,) = (await prober.ask_all("many.test", port, [hello()])).values()
    assert answer.reach is Reach.NO_CONNECTION
    assert prober.asked == "127.0.0.1"


def test_a_report_says_which_address_was_asked_and_that_there_are_others() -> None:
    prober = Prober(QUICK)
    where = Target("many.test", 5061)
    question = Question("many.test", NOW)
    assert _other_addresses(where, prober, question) == []
    prober.asked, prober.others = "192.0.2.1", ("2001:db8::7",)
    (note,) = _other_addresses(where, prober, question)
    assert "2 addresses; only 192.0.2.1 was checked, not 2001:db8::7" in note
    assert "linekey check [2001:db8::7]:5061 --name many.test" in note
