"""Sessions without tickets, as old phones have them: kept however a connection ends.

The client is Python's ssl on the system's OpenSSL; nginx, with the same certificate,
is asked the same beside linekey.
"""

import asyncio
import contextlib
import socket
import ssl
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.live.conftest import Place
from tests.live.nginx_beside import beside

pytestmark = [pytest.mark.peer("openssl"), pytest.mark.peer("nginx")]

TIMES = 3


def fin(stream: ssl.SSLSocket) -> None:
    """End the transport alone: no close_notify."""
    stream.close()


def close_notify(stream: ssl.SSLSocket) -> None:
    """Say close_notify, and wait for the other end's."""
    with contextlib.suppress(OSError, ssl.SSLError):
        stream.unwrap()
    stream.close()


def reset(stream: ssl.SSLSocket) -> None:
    """Break the transport off with a reset."""
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    stream.close()


END = {"FIN": fin, "close_notify": close_notify, "reset": reset}


def old_client(place: Place, version: ssl.TLSVersion) -> ssl.SSLContext:
    """A phone of 2010: one old version, no tickets."""
    context = ssl.create_default_context(cafile=str(place.lab.server_root_path))
    context.check_hostname = False
    context.load_cert_chain(*place.identity(place.phone))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = version
    context.options |= ssl.OP_NO_TICKET
    context.set_ciphers("ALL:@SECLEVEL=0")
    return context


def visit(
    context: ssl.SSLContext,
    port: int,
    session: ssl.SSLSession | None,
    end: Callable[[ssl.SSLSocket], None],
    request: bytes,
) -> tuple[ssl.SSLSession | None, bool]:
    """Connect, ask if there is something to ask, and end; session and whether reused."""
    raw = socket.create_connection(("127.0.0.1", port), timeout=15)
    stream = context.wrap_socket(raw, session=session)
    if request:
        stream.sendall(request)
        assert stream.recv(65_536).startswith(b"HTTP/1.1 ")
    reused = bool(stream.session_reused)
    kept = stream.session
    end(stream)
    return kept, reused


def resumed(
    context: ssl.SSLContext,
    port: int,
    end: Callable[[ssl.SSLSocket], None],
    request: bytes,
) -> int:
    """How many of TIMES further connections are resumed."""
    session, _ = visit(context, port, None, end, request)
    count = 0
    for _ in range(TIMES):
        session, reused = visit(context, port, session, end, request)
        count += reused
    return count


@pytest.mark.parametrize("asks", [True, False], ids=["one request", "no request"])
@pytest.mark.parametrize("end", list(END))
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_2])
async def test_a_session_without_a_ticket_is_resumed_whoever_ended_how(
    place: Any, version: ssl.TLSVersion, end: str, asks: bool
) -> None:
    path = f"/snomD785-{place.phone}.htm"
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    context = old_client(place, version)
    given = (context, END[end], request if asks else b"")

    def ask(port: int) -> int:
        return resumed(given[0], port, given[1], given[2])

    async with place.serving() as server, beside(place) as nginx_port:
        port = int(server.url.rpartition(":")[2])
        ours = await asyncio.to_thread(ask, port)
        theirs = await asyncio.to_thread(ask, nginx_port)
    assert ours == TIMES
    assert ours >= theirs


@pytest.mark.parametrize("option", ["-tls1", "-tls1_2"])
async def test_s_client_without_tickets_resumes_what_it_closed_itself(
    place: Any, tmp_path: Path, option: str
) -> None:
    session = str(tmp_path / "session.pem")
    certificate, key = place.identity(place.phone)
    async with place.serving() as server:
        words = [
            "openssl", "s_client", "-connect", server.url.removeprefix("https://"),
            option, "-no_ticket", "-cipher", "ALL:@SECLEVEL=0", "-cert", certificate,
            "-key", key, "-cert_chain", certificate,
        ]  # fmt: skip
        # Without -ign_eof it says close_notify at the end of its input, asking nothing.
        first = await place.run(*words, "-sess_out", session, given=b"")
        assert "\nNew, " in first.out, first.said
        again = await place.run(*words, "-sess_in", session, given=b"")
    assert "\nReused, " in again.out, again.said
