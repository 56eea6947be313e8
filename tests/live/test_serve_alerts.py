"""Each beginning that is no good hello, at linekey and at OpenSSL's own server.

What differs is written in the table with its reason, so that a row which OpenSSL
answers otherwise without one fails here.
"""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.conftest import peer_path
from tests.live.conftest import Place
from tests.live.peers import free_port, open_folder
from tests.pair.broken_hellos import ROWS, hello

from linekey.certs.pem import private_key_to_pem, to_pem

pytestmark = [pytest.mark.peer("openssl")]


def ask(port: int, data: bytes) -> bytes:
    """Send bytes and the end; all that comes until the server ends."""
    got = b""
    address = ("127.0.0.1", port)
    with (
        socket.create_connection(address, timeout=15) as stream,
        contextlib.suppress(OSError),
    ):
        stream.sendall(data)
        stream.shutdown(socket.SHUT_WR)
        while part := stream.recv(65_536):
            got += part
    return got


def read(answer: bytes) -> int | str:
    """The alert's number, "hello" or "silence"."""
    if not answer:
        return "silence"
    if answer[0] == 22:
        return "hello"
    assert (answer[0], answer[3:6], len(answer)) == (21, b"\0\2\2", 7), answer
    return answer[6]


@contextlib.asynccontextmanager
async def openssl_server(place: Place) -> AsyncIterator[int]:
    """``openssl s_server`` with the lab's certificate; its port."""
    program = peer_path("openssl")
    assert program is not None
    with open_folder() as folder:
        chain, key = place.lab.server_identity()
        (folder / "chain.pem").write_text("".join(map(to_pem, chain)))
        (folder / "key.pem").write_bytes(private_key_to_pem(key))
        port = free_port()
        process = await asyncio.create_subprocess_exec(
            program, "s_server", "-accept", f"127.0.0.1:{port}", "-quiet",
            "-cert", str(folder / "chain.pem"), "-key", str(folder / "key.pem"),
            "-cipher", "ALL:@SECLEVEL=0", "-alpn", "http/1.1",
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        try:
            async with asyncio.timeout(20):
                while True:
                    assert process.returncode is None, "s_server ended"
                    with contextlib.suppress(OSError):
                        if read(await asyncio.to_thread(ask, port, hello())) == "hello":
                            break
            yield port
        finally:
            process.kill()
            await process.wait()


async def test_linekey_answers_as_the_rfcs_have_it_and_openssl_alike(
    place: Any,
) -> None:
    wrong = []
    async with place.serving() as server, openssl_server(place) as openssl_port:
        port = int(server.url.rpartition(":")[2])
        for name, row in ROWS.items():
            ours = read(await asyncio.to_thread(ask, port, row.data))
            theirs = read(await asyncio.to_thread(ask, openssl_port, row.data))
            right = "silence" if row.alert is None else int(row.alert)
            expected = right if row.openssl is None else row.openssl
            if (ours, theirs) != (right, expected):
                wrong.append((name, ours, right, theirs, expected))
            assert (row.openssl is None) == (not row.why), name
        await place.logged(len(ROWS))
    assert wrong == []
    told = [entry for entry in place.log() if entry.reason != "granted"]
    assert all(entry.remedy for entry in told)


async def test_the_log_names_what_came_instead_of_tls(place: Any) -> None:
    sent = {
        b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n": ("PROXY protocol header", "send-proxy"),
        b"REGISTER sip:pbx SIP/2.0\r\n": ("plain SIP", "transport to TLS"),
    }  # fmt: skip
    async with place.serving() as server:
        port = int(server.url.rpartition(":")[2])
        for data in sent:
            await asyncio.to_thread(ask, port, data)
        await place.logged(len(sent))
    # On record both are one line: of one network, for one reason, in one minute.
    told = {(entry.sentence, entry.remedy) for entry in place.events}
    for words, cure in sent.values():
        assert any(words in said and cure in remedy for said, remedy in told), told
