"""What no phone sends: each leaves a reason, nothing goes out, the server goes on."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from linekey.catalog.models import Generation
from linekey.tls.hello import build_client_hello, new_client_hello
from linekey.tls.versions import Version


def port_of(server: Any) -> int:
    return int(server.url.rpartition(":")[2])


async def send_raw(server: Any, *pieces: bytes, seconds: float = 10) -> bytes:
    """Send bytes over TCP and return all that comes until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port_of(server))
    try:
        async with asyncio.timeout(seconds):
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
            return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


@asynccontextmanager
async def phone_connection(
    place: Any, server: Any, mac: Any = None
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(place.lab.server_root_path)
    context.load_cert_chain(*place.identity(mac or place.phone))
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", port_of(server), ssl=context, server_hostname="localhost"
    )
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def ask(place: Any, server: Any, data: bytes) -> bytes:
    """Send bytes over a phone's good connection; all that comes until its end."""
    async with phone_connection(place, server) as (reader, writer):
        writer.write(data)
        async with asyncio.timeout(10):
            return await reader.read()


@asynccontextmanager
async def strangers(server: Any, count: int, first: bytes = b"") -> AsyncIterator[None]:
    """Connections that send ``first`` and then nothing, held while inside."""
    held = []
    try:
        for _ in range(count):
            _, writer = await asyncio.open_connection("127.0.0.1", port_of(server))
            writer.write(first)
            held.append(writer)
        yield
    finally:
        for writer in held:
            writer.transport.abort()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - the door's counts tell no event
            await asyncio.sleep(0)


async def still_serves(place: Any, server: Any) -> None:
    got = await ask(
        place,
        server,
        f"GET /snomD785-{place.phone}.htm HTTP/1.1\r\nHost: x\r\n"
        "Connection: close\r\n\r\n".encode(),
    )
    assert got.startswith(b"HTTP/1.1 200 OK")
    assert place.password.encode() in got


def hello(size: int = 0) -> bytes:
    return build_client_hello(
        new_client_hello(
            random=bytes(32),
            max_version=Version.TLS1_2,
            suites=[0xC02F] * (1 + size // 2),
            groups=(23, 29),
            signature_algorithms=(0x0401, 0x0804),
        )
    )


def alert_of(answer: bytes) -> int | None:
    return answer[-1] if answer[:1] == b"\x15" and len(answer) == 7 else None


async def test_plain_http_is_told_to_speak_https(place: Any) -> None:
    async with place.serving() as server:
        got = await send_raw(server, b"GET /snom.htm HTTP/1.1\r\nHost: x\r\n\r\n")
        assert got.startswith(b"HTTP/1.1 400")
        assert b"https://" in got
        await place.logged(1)
        await still_serves(place, server)
    assert place.reasons()[0] == "hello.plain_http"


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (b"\x00" * 64, "hello.not_tls"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "hello.not_tls"),
        (b"\xff" * 64, "hello.not_tls"),
        (b"\x80\x2e\x01\x03\x01" + bytes(44), "hello.ssl2"),
        (b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00", "hello.broken"),
        (b"\x16\x03\x01\x00\x04\x0e\x00\x00\x00", "hello.broken"),
    ],
)
async def test_garbage_is_no_hello(place: Any, sent: bytes, reason: str) -> None:
    async with place.serving() as server:
        await send_raw(server, sent)
        await place.logged(1)
        await still_serves(place, server)
    assert place.reasons()[0] == reason


async def test_a_hello_cut_short_is_on_record_when_the_peer_leaves(place: Any) -> None:
    whole = hello()
    async with place.serving() as server:
        _, writer = await asyncio.open_connection("127.0.0.1", port_of(server))
        writer.write(whole[: len(whole) // 2])
        await writer.drain()
        writer.close()
        await place.logged(1)
        await still_serves(place, server)
    assert place.reasons()[0] == "hello.gone"
    assert "in the middle" in place.log()[0].sentence


async def test_an_enormous_hello_is_refused_before_it_is_whole(place: Any) -> None:
    async with place.serving(limits__hello_bytes=4096) as server:
        got = await send_raw(server, hello(60_000)[:20_000])
        assert alert_of(got) is not None
        await place.logged(1)
        await still_serves(place, server)
    assert place.reasons()[0] == "hello.too_large"


async def test_a_slow_drip_is_cut_off_however_steadily_it_drips(place: Any) -> None:
    async with place.serving(limits__handshake_s=0.3) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(server))
        dripping = True

        async def drip() -> None:
            for byte in hello():
                if not dripping:
                    return
                writer.write(bytes([byte]))
                await asyncio.sleep(0.02)

        async with asyncio.TaskGroup() as group, asyncio.timeout(10):
            group.create_task(drip())
            await reader.read()
            dripping = False
        writer.close()
        await place.logged(1)
        await still_serves(place, server)
    assert place.reasons()[0] == "hello.too_slow"


async def test_silence_after_the_servers_flight_is_cut_off(place: Any) -> None:
    async with place.serving(limits__handshake_s=0.3) as server:
        got = await send_raw(server, hello())
        assert got[:1] == b"\x16"
        await place.logged(1)
        await still_serves(place, server)
    assert place.reasons()[0] == "handshake.too_slow"
    assert place.log()[0].fingerprint


async def test_a_hello_that_offers_nothing_safe_gets_the_right_alert(
    place: Any,
) -> None:
    old = build_client_hello(
        new_client_hello(random=bytes(32), max_version=Version.TLS1_0, suites=[0x0005])
    )
    async with place.serving() as server:
        got = await send_raw(server, old)
        assert alert_of(got) == 40
        await place.logged(1)
    assert place.reasons()[0] == "handshake.no_policy"
    assert "RC4" in place.log()[0].sentence


@pytest.mark.parametrize(
    ("sent", "status", "reason"),
    [
        (b"\x00\x01\x02garbage\r\n\r\n", b"400", "request.not_http"),
        (b"GET\r\n\r\n", b"400", "request.not_http"),
        (b"GET / HTTP/1.1\r\nA" + b"x" * 20_000, b"431", "request.head_too_large"),
        (
            b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 200 + b"\r\n",
            b"431",
            "request.head_too_large",
        ),
        (b"GET /" + b"a" * 20_000, b"4", "request.head_too_large"),
        (
            b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n",
            b"413",
            "request.body_too_large",
        ),
    ],
)
async def test_http_garbage_after_a_good_handshake(
    place: Any, sent: bytes, status: bytes, reason: str
) -> None:
    async with place.serving() as server:
        got = await ask(place, server, sent)
        assert got.startswith(b"HTTP/1.1 " + status), got
        assert place.password.encode() not in got
        await place.logged(1)
        await still_serves(place, server)
    entry = place.log()[0]
    assert (entry.kind, entry.reason) == ("request", reason)
    assert entry.certificate_sha256


async def test_a_chunked_body_without_end_is_cut_off(place: Any) -> None:
    chunk = b"1000\r\n" + b"x" * 4096 + b"\r\n"
    head = b"POST /snom.htm HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    async with place.serving(limits__body_bytes=8192) as server:
        got = await ask(place, server, head + chunk * 8)
        assert got.startswith((b"HTTP/1.1 413", b"HTTP/1.1 405")), got
        await still_serves(place, server)


async def test_a_request_that_drips_is_cut_off(place: Any) -> None:
    async with place.serving(limits__request_s=0.3) as server:
        got = await ask(place, server, b"GET /snom.htm HTTP/1.1\r\nHost:")
        assert got.startswith(b"HTTP/1.1 408")
        await place.logged(1)
        await still_serves(place, server)
    assert place.reasons()[0] == "request.too_slow"


async def test_requests_piped_behind_a_refusal_are_each_decided_by_themselves(
    place: Any,
) -> None:
    paths = [
        f"/snom710-{place.old_phone}.htm",
        f"/snomD785-{place.phone}.htm",
        f"/snom710-{place.old_phone}.htm",
    ]
    sent = "".join(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n" for path in paths)
    sent += "GET /snomD785.htm HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    async with place.serving() as server:
        got = await ask(place, server, sent.encode())
    parts = got.split(b"HTTP/1.1 ")[1:]
    assert [part[:3] for part in parts] == [b"403", b"200", b"403", b"200"]
    assert [place.password.encode() in part for part in parts] == [
        False, True, False, False,
    ]  # fmt: skip
    assert place.reasons() == [
        "other_phones_file", "own_file", "other_phones_file", "common_file",
    ]  # fmt: skip


async def test_nothing_piped_behind_a_broken_request_is_answered(place: Any) -> None:
    good = f"GET /snomD785-{place.phone}.htm HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    async with place.serving() as server:
        got = await ask(place, server, b"BROKEN\r\n\r\n" + good)
        assert got.startswith(b"HTTP/1.1 400")
        assert place.password.encode() not in got


async def test_an_idle_connection_is_closed_after_keep_alive(place: Any) -> None:
    async with place.serving(limits__keep_alive_s=0.2) as server:
        got = await ask(place, server, b"GET /snomD785.htm HTTP/1.1\r\nHost: x\r\n\r\n")
    assert got.startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("first", [b"", b"\x16\x03"], ids=["silent", "dripping"])
async def test_connections_without_a_hello_keep_no_phone_out_and_go_at_once(
    place: Any, first: bytes
) -> None:
    options = {"limits__half_open": 4, "limits__shed_after_s": 0.5}
    async with place.serving(**options) as server, strangers(server, 12, first):
        await still_serves(place, server)
        await until(lambda: server.door.connections == 0)
        assert server.door.shed_count == 12
    shed = [e.sentence for e in place.log() if e.reason == "hello.shed"]
    assert 1 <= len(shed) < 12  # a line for all of a source at that moment
    assert "more of its source" in "".join(shed)


async def test_handshakes_that_stall_keep_neither_others_nor_their_own_source_out(
    place: Any,
) -> None:
    options = {"limits__half_open": 4, "limits__shed_after_s": 0.2}
    async with place.serving(**options) as server, strangers(server, 12, hello()):
        await until(lambda: server.door.half_open == 4)
        await still_serves(place, server)  # of the same source
        assert server.door.shed_count >= 1
    assert "handshake.shed" in place.reasons()


async def test_a_phone_of_another_source_gets_a_place_from_one_that_has_many(
    place: Any,
) -> None:
    options = {"limits__half_open": 4, "limits__shed_after_s": 30}
    async with place.serving(**options) as server, strangers(server, 12, hello()):
        await until(lambda: len(server.door.places.turns) == 8)
        certificate, key = place.identity(place.phone)
        got = await place.curl(
            "--interface", "127.0.0.2", "--cert", certificate, "--key", key,
            f"{server.url}/snomD785-{place.phone}.htm",
        )  # fmt: skip
        assert place.password in got.out, got.said
        assert server.door.shed_count == 1
        assert server.door.half_open == 4
    assert "handshake.shed" in place.reasons()


async def test_a_whole_office_behind_one_address_waits_its_turn_and_is_served(
    place: Any,
) -> None:
    # A busy machine may take its time; that nobody is shed for it is another matter.
    options = {"limits__half_open": 2, "limits__shed_after_s": 60.0}
    async with place.serving(**options) as server:
        async with asyncio.TaskGroup() as group:
            for _ in range(24):
                group.create_task(still_serves(place, server))
        assert server.door.shed_count == 0


async def test_at_the_limit_one_without_a_request_gives_way(place: Any) -> None:
    options = {"limits__connections": 4, "limits__half_open_per_source": 1}
    async with contextlib.AsyncExitStack() as stack:
        server = await stack.enter_async_context(place.serving(**options))
        for _ in range(4):
            await stack.enter_async_context(phone_connection(place, server))
        await until(lambda: len(server.door.places.asking) == 4)
        await still_serves(place, server)
    assert "request.shed" in place.reasons()


async def test_who_needs_no_certificate_and_never_asks_keeps_nobody_out(
    place: Any,
) -> None:
    options = {
        "limits__connections": 8,
        "rules__second_factor_without_certificate": True,
    }
    context = ssl.create_default_context(cafile=str(place.lab.server_root_path))
    async with place.serving(**options) as server:
        held = []
        for _ in range(20):
            _, writer = await asyncio.open_connection(
                "127.0.0.1", port_of(server), ssl=context, server_hostname="localhost"
            )
            held.append(writer)
        certificate, key = place.identity(place.phone)
        for source in ("127.0.0.2", "127.0.0.1"):
            got = await place.curl(
                "--interface", source, "--cert", certificate, "--key", key,
                f"{server.url}/snomD785-{place.phone}.htm",
            )  # fmt: skip
            assert place.password in got.out, got.said
        assert server.door.connections <= 8
        for writer in held:
            writer.transport.abort()
    assert "request.shed" in place.reasons()


@pytest.mark.parametrize("count", [40, 200])
async def test_few_connections_are_not_held_by_silent_ones(
    place: Any, count: int
) -> None:
    options = {"limits__connections": 10, "limits__shed_after_s": 60}
    async with place.serving(**options) as server, strangers(server, count):
        await still_serves(place, server)
        assert server.door.connections <= 11


async def test_refused_ones_that_hang_on_give_way_first(place: Any) -> None:
    async with (
        place.serving(limits__connections=4) as server,
        strangers(server, 4, b"\x00" * 64),
    ):
        await until(lambda: len(server.door.places.ending) == 4)
        await still_serves(place, server)
        assert server.door.shed_count == 0


async def test_at_the_limit_an_idle_connection_gives_way(place: Any) -> None:
    async with place.serving(limits__connections=3) as server:
        request = b"GET /snomD785.htm HTTP/1.1\r\nHost: x\r\n\r\n"
        async with (
            phone_connection(place, server) as one,
            phone_connection(place, server) as two,
        ):
            for reader, writer in (one, two):
                writer.write(request)
                assert (await reader.readline()).startswith(b"HTTP/1.1 200")
            await still_serves(place, server)
            assert server.door.connections <= 3


async def test_a_flood_of_refusals_is_counted_and_bounded(place: Any) -> None:
    async with place.serving(limits__refusal_queue=1) as server:
        async with asyncio.TaskGroup() as group:
            for _ in range(40):
                group.create_task(send_raw(server, b"\x00" * 8))
        await still_serves(place, server)
        assert server.door.refused_count == 40
    kept = [r for r in place.reasons() if r == "hello.not_tls"]
    assert 1 <= len(kept) <= 40


async def test_an_expired_chain_gets_the_alert_for_it(place: Any) -> None:
    from datetime import UTC, datetime

    from linekey.server.preflight.checks import ServerFiles
    from linekey.server.server import ProvisioningServer

    chain, key = place.lab.server_identity()
    from linekey.settings import parse_settings

    settings = parse_settings(
        options={"host": "127.0.0.1", "port": 0, "status.enabled": False}
    )
    late = datetime(2090, 1, 1, tzinfo=UTC)
    async with ProvisioningServer(
        settings, place.database, ServerFiles(chain, key), clock=lambda: late
    ) as server:
        with pytest.raises(ssl.SSLError, match="certificate expired"):
            await ask(place, server, b"GET / HTTP/1.1\r\n\r\n")
    (entry,) = place.log()
    assert (entry.kind, entry.reason) == ("handshake", "expired")
    assert entry.target_mac == place.phone


async def test_a_store_that_cannot_record_hands_nothing_out(place: Any) -> None:
    async with place.serving() as server:
        await server._decisions.aclose()
        got = await ask(
            place,
            server,
            f"GET /snomD785-{place.phone}.htm HTTP/1.1\r\nHost: x\r\n"
            "Connection: close\r\n\r\n".encode(),
        )
    assert got.startswith(b"HTTP/1.1 503")
    assert place.password.encode() not in got


async def test_a_sha1_phone_on_the_door_is_no_reason_for_a_modern_one_to_get_less(
    place: Any,
) -> None:
    place.identity(place.old_phone, Generation.SHA1)
    async with (
        place.serving() as server,
        phone_connection(place, server) as (_, writer),
    ):
        assert writer.get_extra_info("cipher")[1] == "TLSv1.3"
