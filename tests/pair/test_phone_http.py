"""The phone's HTTP: redirects, passwords, limits, and servers that misbehave."""

import asyncio
import base64
import gzip
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx2
import pytest
from tests.certificates import MAC, NOW, authority, device, server
from tests.phone_server import Asked, Route, Site, accept, serve

from linekey import digest
from linekey.errors import InputError
from linekey.phone.edge import http
from linekey.phone.edge.runner import VirtualPhone
from linekey.phone.state import new_phone
from linekey.trust.connection import ConnectionReport, Purpose
from linekey.wire.dialer import dial

JOE = http.Credentials("joe", "pass: word")


def running() -> VirtualPhone:
    state = new_phone(
        MAC,
        "D785",
        "10.1.33.33",
        builtin=device(),
        authorities=(authority().certificate,),
    )
    return VirtualPhone(state, clock=NOW)


async def get(url: str, **more) -> tuple[http.HttpAnswer, list[ConnectionReport]]:
    reports: list[ConnectionReport] = []
    answer = await http.get(
        url,
        purpose=Purpose.PROVISIONING,
        dial=running().connect,
        user_agent="ua",
        ended=reports.append,
        **more,
    )
    return answer, reports


async def fails(url: str, says: str, **more) -> http.HttpError:
    with pytest.raises(http.HttpError) as caught:
        await get(url, **more)
    assert says in caught.value.message
    return caught.value


async def test_an_answer_comes_with_a_report_of_its_connection() -> None:
    async with serve(server(), verify=accept) as site:
        site.routes = {
            "/a%20b?c=1": Route(b"hello", headers=(("content-type", "text/xml"),))
        }
        answer, (report,) = await get(f"{site.url}/a%20b?c=1")
    assert (answer.status, answer.body, answer.content_type) == (
        200,
        b"hello",
        "text/xml",
    )
    assert report.completed
    assert report.client_certificate == device().leaf
    assert report.error == ""
    assert site.asked[0].headers["accept-encoding"] == "identity"


async def test_redirects_are_followed_and_a_circle_is_not() -> None:
    async with serve(server(), verify=accept) as site:
        site.routes = {
            "/1": Route(status=302, headers=(("location", "/2"),)),
            "/2": Route(status=307, headers=(("location", "3?x"),)),
            "/3?x": Route(b"there"),
            "/loop": Route(status=302, headers=(("location", "/loop"),)),
            "/ftp": Route(status=302, headers=(("location", "ftp://h/x"),)),
            "/bad": Route(status=302, headers=(("location", "https://[::1"),)),
        }
        answer, reports = await get(f"{site.url}/1")
        assert (answer.body, answer.url) == (b"there", f"{site.url}/3?x")
        assert len(reports) == 3
        await fails(f"{site.url}/loop", "redirects")
        await fails(f"{site.url}/ftp", "")
        await fails(f"{site.url}/bad", "")


def digest_site(site: Site, algorithm: str, *, stale: int = 0) -> None:
    nonces = iter(range(100))
    state = {"nonce": "n-first", "stale": stale}

    def answer(asked: Asked) -> Route:
        given = digest.parse_digest(asked.headers.get("authorization", "")) or {}
        if given.get("nonce") == state["nonce"]:
            if state["stale"]:
                state["stale"] -= 1
                state["nonce"] = f"n-{next(nonces)}"
                return challenge(", stale=true")
            ha1 = digest.hash_hex(algorithm, f"joe:lab:{JOE.password}")
            good = digest.response(
                algorithm, ha1=ha1, nonce=given["nonce"], nc=given["nc"], cnonce=given["cnonce"],
                method="GET", uri=asked.path,
            )  # fmt: skip
            if given["response"] == good:
                return Route(b"secret")
        return challenge("")

    def challenge(more: str) -> Route:
        value = f'Digest realm="lab", nonce="{state["nonce"]}", qop="auth,auth-int", algorithm={algorithm}{more}'
        return Route(
            b"no",
            401,
            (("www-authenticate", 'Basic realm="a, b"'), ("www-authenticate", value)),
        )

    site.answer = answer


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
@pytest.mark.parametrize("stale", [0, 1])
async def test_digest_is_answered_before_basic_also_after_a_stale_nonce(
    algorithm: str, stale: int
) -> None:
    async with serve(server(), verify=accept) as site:
        digest_site(site, algorithm, stale=stale)
        answer, _ = await get(f"{site.url}/x?y=1", credentials=JOE)
    assert (answer.status, answer.body) == (200, b"secret")
    assert len(site.asked) == 2 + stale
    assert "authorization" not in site.asked[0].headers


async def test_a_wrong_password_is_tried_once() -> None:
    async with serve(server(), verify=accept) as site:
        digest_site(site, "MD5")
        answer, _ = await get(
            f"{site.url}/x", credentials=http.Credentials("joe", "wrong")
        )
    assert answer.status == 401
    assert len(site.asked) == 2


@pytest.mark.parametrize(
    ("field", "scheme"),
    [
        ('Basic realm="lab", Digest realm="lab", nonce="n"', "Digest"),
        ('Digest realm="lab", nonce="n", Basic realm="lab"', "Digest"),
        ('Negotiate, Basic realm="lab"', "Basic"),
        ('Basic realm="Büro"', "Basic"),
        ('Digest realm="Büro", nonce="n", charset=UTF-8', "Digest"),
    ],
)
async def test_challenges_in_one_field_are_told_apart(field: str, scheme: str) -> None:
    async with serve(server(), verify=accept) as site:
        site.answer = lambda asked: (
            Route(asked.headers["authorization"].encode("latin-1")) if "authorization" in asked.headers
            else Route(status=401, headers=(("www-authenticate", field),))
        )  # fmt: skip
        answer, _ = await get(f"{site.url}/x", credentials=JOE)
    name, _, rest = answer.body.decode().partition(" ")
    assert name == scheme
    if name == "Digest":
        realm = "Büro" if "Büro" in field else "lab"
        assert f'realm="{realm}"' in rest
        ha1, ha2 = (digest.hash_hex("MD5", f"joe:{realm}:{JOE.password}"), digest.hash_hex("MD5", "GET:/x"))  # fmt: skip
        assert f'response="{digest.hash_hex("MD5", f"{ha1}:n:{ha2}")}"' in rest


@pytest.mark.parametrize(
    ("field", "unknown"),
    [
        ("Negotiate", "negotiate"),
        ('NTLM, Bearer realm="x"', "ntlm, bearer"),
        ('Digest realm="r", nonce="n", algorithm=SHA-1', "digest with SHA-1"),
        ('Negotiate, Basic realm="lab"', ""),
        ("", ""),
    ],
)
async def test_an_authentication_that_the_phone_cannot_do_is_named(
    field: str, unknown: str
) -> None:
    async with serve(server(), verify=accept) as site:
        headers = (("www-authenticate", field),) if field else ()
        site.answer = lambda asked: Route(status=401, headers=headers)
        answer, _ = await get(f"{site.url}/x", credentials=JOE)
    assert (answer.status, answer.unknown_login) == (401, unknown)


async def test_a_redirect_is_asked_without_the_password_of_the_page_before() -> None:
    async with serve(server(), verify=accept) as site:

        def answer(asked: Asked) -> Route:
            if "authorization" not in asked.headers:
                return Route(
                    status=401,
                    headers=(("www-authenticate", 'Digest realm="r", nonce="n"'),),
                )
            if asked.path == "/x":
                return Route(status=302, headers=(("location", "/y"),))
            return Route(asked.headers["authorization"].encode())

        site.answer = answer
        got, _ = await get(f"{site.url}/x", credentials=JOE)
    assert site.paths == ["/x", "/x", "/y", "/y"]
    assert b'uri="/y"' in got.body


async def test_basic_is_answered_and_credentials_in_the_url_win_and_are_not_sent_on() -> (
    None
):
    async with serve(server(), verify=accept) as site:
        site.answer = lambda asked: (
            Route(asked.headers["authorization"].encode()) if "authorization" in asked.headers
            else Route(status=401, headers=(("www-authenticate", "basic realm=x"),))
        )  # fmt: skip
        answer, _ = await get(f"{site.url}/x", credentials=JOE)
        assert answer.body == b"Basic " + base64.b64encode(b"joe:pass: word")
        answer, _ = await get(
            f"{site.url.replace('://', '://amy:pw%40@')}/x", credentials=JOE
        )
        assert answer.body == b"Basic " + base64.b64encode(b"amy:pw@")
        assert "amy" not in answer.url


async def test_a_redirect_to_another_server_does_not_get_the_password() -> None:
    async with (
        serve(server(), verify=accept) as thief,
        serve(server(), verify=accept) as site,
    ):
        thief.answer = lambda asked: Route(
            status=401, headers=(("www-authenticate", "basic realm=x"),)
        )
        site.answer = lambda asked: Route(
            status=302, headers=(("location", f"{thief.url}/x"),)
        )
        answer, _ = await get(f"{site.url}/x", credentials=JOE)
    assert answer.status == 401
    assert all("authorization" not in asked.headers for asked in thief.asked)


@asynccontextmanager
async def plain(
    handle: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[str]:
    tasks: set[asyncio.Task[None]] = set()

    async def on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await handle(reader, writer)
        except (OSError, asyncio.CancelledError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    listener = await asyncio.start_server(on, "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    finally:
        listener.close()
        for task in tasks:
            task.cancel()
        await listener.wait_closed()


@asynccontextmanager
async def flood(head: bytes, body: bytes) -> AsyncIterator[tuple[str, list[int]]]:
    """A server that sends ``body`` again and again until the phone hangs up.

    Asked without a password it sends ``head`` and the flood, else an answer of two
    bytes. The list's one number is how many bytes of the flood the phone's end took.
    """
    taken = [0]

    async def handle(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        asked = (await reader.readuntil(b"\r\n\r\n")).lower()
        if b"\r\nauthorization:" in asked or asked.startswith(b"get /there "):
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
            return
        writer.write(head + b"\r\ncontent-length: 1000000000000\r\n\r\n")
        while True:
            writer.write(body)
            await writer.drain()
            taken[0] += len(body)

    async with plain(handle) as peer:
        yield f"http://{peer}/", taken


ZEROS = bytes(65536)
BOMB = gzip.compress(bytes(16 * 1024 * 1024))
MOST_TAKEN = 20_000_000
"""What the buffers of both ends may hold, with a margin."""


async def test_a_hundred_megabytes_are_cut_off_early() -> None:
    async with flood(b"HTTP/1.1 200 OK", ZEROS) as (url, taken):
        await fails(url, "larger than 100000 bytes", max_bytes=100_000)
    assert taken[0] < MOST_TAKEN


@pytest.mark.parametrize(
    ("head", "body"),
    [(b"", ZEROS), (b"\r\ncontent-encoding: gzip", BOMB)],
    ids=["plain", "gzip"],
)
@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (b"HTTP/1.1 302 Found\r\nlocation: /there", 200),
        (b'HTTP/1.1 401 No\r\nwww-authenticate: Digest realm="a", nonce="b"', 200),
        (b"HTTP/1.1 401 No\r\nwww-authenticate: Negotiate", 401),
        (b"HTTP/1.1 404 No", 404),
    ],
    ids=["redirect", "challenge", "unknown challenge", "refusal"],
)
async def test_what_a_redirect_a_challenge_or_a_refusal_brings_is_not_taken(
    answer: bytes, status: int, head: bytes, body: bytes
) -> None:
    tracemalloc.start()
    try:
        async with asyncio.timeout(20), flood(answer + head, body) as (url, taken):
            got, reports = await get(url, credentials=JOE, max_bytes=1_000_000)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert got.status == status
    if status == 200:
        assert got.body == b"ok"
    else:  # its first words, which may say why; as they came
        assert len(got.body) <= 4096
    assert len(reports) == (2 if status == 200 else 1)
    assert taken[0] < MOST_TAKEN
    assert most < 8_000_000, "nothing was unpacked"


MISBEHAVIOUR = {
    "closes": b"", "garbage": b"\x00\xff" * 50, "ssh": b"SSH-2.0-x\r\n", "half a head": b"HTTP/1.1 200 OK\r\ncontent-le",
    "short body": b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc", "endless head": b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 100_000,
    "two lengths": b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab", "bad chunk": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
    "bad status": b"HTTP/1.1 999999 OK\r\n\r\n", "compressed": b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 3\r\n\r\nabc",
}  # fmt: skip


@pytest.mark.parametrize("what", MISBEHAVIOUR)
@pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "tls"])
async def test_a_server_that_answers_nonsense_is_the_one_documented_error(
    what: str, encrypted: bool
) -> None:
    async with serve(
        server() if encrypted else None, verify=accept if encrypted else None
    ) as site:
        site.raw = MISBEHAVIOUR[what]
        error = await fails(f"{site.url}/x", "")
    assert error.message
    assert not error.refused


@pytest.mark.parametrize("what", ["closes", "garbage", "ssh", "bad status"])
async def test_a_server_that_speaks_no_tls_is_the_one_documented_error(
    what: str,
) -> None:
    async def nonsense(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await reader.read(100)
        writer.write(MISBEHAVIOUR[what])
        await writer.drain()

    async with plain(nonsense) as peer:
        error = await fails(f"https://{peer}/", "")
    assert error.message


async def test_a_server_that_never_answers_costs_a_bounded_time() -> None:
    async def silent(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await asyncio.Event().wait()

    async with plain(silent) as peer:
        await fails(f"http://{peer}/", "no whole answer within 0.2 s", time_limit_s=0.2)
        await fails(
            f"https://{peer}/", "no whole answer within 0.2 s", time_limit_s=0.2
        )
        host, _, port = peer.rpartition(":")
        offer = running().offer()
        with pytest.raises(Exception, match=r"no handshake within 0\.1 s"):
            await dial(Purpose.SIP, host, int(port), offer=offer, handshake_limit_s=0.1)


async def test_a_server_that_drips_is_cut_off() -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
        while True:
            writer.write(b"x")
            await asyncio.sleep(0.01)

    async with plain(drip) as peer:
        await fails(f"http://{peer}/", "no whole answer", time_limit_s=0.3)


async def test_nobody_there_is_said_in_words() -> None:
    async with plain(lambda r, w: asyncio.sleep(0)) as peer:
        pass
    error = await fails(f"https://{peer}/", "cannot connect: connection refused")
    assert "whether the server runs" in error.hint


@pytest.mark.parametrize(
    "url", ["ftp://h/", "https://", "x", "https://h:99999/", "https://h/a\nb"]
)
async def test_what_is_no_web_address_never_reaches_the_network(url: str) -> None:
    with pytest.raises(InputError):
        await get(url)


async def test_a_dripping_handshake_in_single_bytes_still_works() -> None:
    async with serve(server(), verify=accept, fragment=1) as site:
        site.routes = {"/x": Route(b"ok")}
        answer, (report,) = await get(f"{site.url}/x")
    assert answer.body == b"ok"
    assert report.client_certificate_asked


def test_httpx_is_never_given_a_context_of_its_own() -> None:
    assert not issubclass(http._Transport, httpx2.AsyncHTTPTransport)


HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
DONE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


async def test_a_few_informational_answers_are_passed_over_and_no_more() -> None:
    async with serve(server(), verify=accept) as site:
        site.raw = HINTS * 5 + DONE
        answer, _ = await get(f"{site.url}/x")
        assert answer.body == b"ok"
        site.raw = HINTS * 6 + DONE
        error = await fails(f"{site.url}/x", "more than 5 answers that are none (1xx)")
    assert error.hint


async def test_megabytes_of_informational_answers_are_not_read() -> None:
    async with serve(server(), verify=accept) as site:
        site.raw = HINTS * 200_000
        async with asyncio.timeout(20):
            await fails(f"{site.url}/x", "more than 5")
        site.raw = b"HTTP/1.1 100 Continue\r\n" + b"X: y\r\n" * 500_000
        async with asyncio.timeout(20):
            await fails(f"{site.url}/x", "")


async def put(url: str, data: bytes = b"a log\n") -> tuple[int, list[ConnectionReport]]:
    reports: list[ConnectionReport] = []
    status = await http.put(
        url,
        data,
        purpose=Purpose.PROVISIONING,
        dial=running().connect,
        user_agent="ua",
        ended=reports.append,
    )
    return status, reports


async def test_a_log_is_put_with_its_length_and_answered_by_a_status() -> None:
    async with serve(server(), verify=accept) as site:
        site.routes = {"/x-boot.log": Route(status=201)}
        status, (report,) = await put(f"{site.url}/x-boot.log")
    assert status == 201
    assert report.completed
    headers = site.asked[0].headers
    assert (headers["content-length"], headers["content-type"]) == ("6", "text/plain")


@pytest.mark.parametrize("status", [302, 401, 405, 500])
async def test_whatever_a_server_says_to_a_log_is_only_a_status(status: int) -> None:
    async with serve(server(), verify=accept) as site:
        elsewhere = (("location", "/y"), ("www-authenticate", 'Basic realm="x"'))
        site.routes = {"/x": Route(status=status, headers=elsewhere)}
        host = site.url.removeprefix("https://")
        assert (await put(f"https://joe:secret@{host}/x"))[0] == status
    assert site.paths == ["/x"]
    assert "authorization" not in site.asked[0].headers


async def test_a_log_that_reaches_nobody_is_an_error_in_words() -> None:
    async with serve(server(), verify=accept) as site:
        url = site.url
    with pytest.raises(http.HttpError):
        await put(f"{url}/x")
    with pytest.raises(InputError):
        await put("ftp://x.example/x")
