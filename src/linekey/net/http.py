"""The phone's HTTP client: httpx2 over the phone's own connections.

A transport of ours opens each connection through ``net.dialer`` (so it is the engine
that speaks TLS and the judge that decides) and lets httpcore2 speak HTTP/1.1 on it;
redirects, limits and time are httpx2's and ours. One request, one connection: a phone
fetches a handful of documents a day.

Rules: an answer is cut off at ``max_bytes``, a redirect chain at ``MAX_REDIRECTS``, the
whole at ``time_limit_s``; a compressed answer is refused (nothing asked for it, and it
may be a bomb). User name and password go to the origin of the URL that was asked for
and to no other.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from dataclasses import dataclass, field
from typing import Final

import httpcore2
import httpx2

from linekey import digest
from linekey.errors import PeerError
from linekey.net.dialer import DialError, Stream
from linekey.phone.connection import ConnectionReport, Purpose
from linekey.phone.urls import parse_url, redact_url

MAX_REDIRECTS: Final = 5
"""A limit of linekey's; browsers take 20, a phone's set-up needs one."""
MAX_BYTES: Final = 4 * 1024 * 1024
"""The limit of a provisioning document (``phone.document.LIMITS``)."""
TIME_LIMIT_S: Final = 60.0

Dial = Callable[[Purpose, str, int, bool], Awaitable[Stream]]
"""``dial(purpose, host, port, encrypted)``; raises DialError."""


class HttpError(PeerError):
    """No answer that could be used. ``refused``: one end refused the other in TLS."""

    def __init__(self, message: str, *, refused: bool = False, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.refused = refused


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What came. ``url`` is where it came from, after redirects."""

    status: int
    url: str
    body: bytes = field(repr=False)
    content_type: str = ""


@dataclass(frozen=True, slots=True)
class Credentials:
    """``http_client_user`` and ``http_client_pass``."""

    username: str
    password: str = field(repr=False)


class _Transport(httpx2.AsyncBaseTransport):
    """Opens a connection a request, and tells of each when it is over."""

    def __init__(
        self,
        dial: Dial,
        purpose: Purpose,
        ended: Callable[[ConnectionReport], None],
    ) -> None:
        self._dial = dial
        self._purpose = purpose
        self._ended = ended
        self.refused = False

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if request.url.scheme not in ("http", "https") or not request.url.host:
            raise httpx2.UnsupportedProtocol("a redirect to what is no web address")
        encrypted = request.url.scheme == "https"
        port = request.url.port or (443 if encrypted else 80)
        try:
            stream = await self._dial(self._purpose, request.url.host, port, encrypted)
        except DialError as failed:
            self.refused |= failed.refused
            self._ended(failed.report)
            raise
        url = httpcore2.URL(
            scheme=request.url.raw_scheme,
            host=request.url.raw_host,
            port=request.url.port,
            target=request.url.raw_path,
        )
        connection = httpcore2.AsyncHTTP11Connection(url.origin, stream)
        try:
            answer = await connection.handle_async_request(
                httpcore2.Request(
                    method=request.method,
                    url=url,
                    headers=request.headers.raw,
                    content=request.stream,
                    extensions=request.extensions,
                )
            )
        except BaseException:
            await self._over(stream)
            raise
        return httpx2.Response(
            answer.status,
            headers=answer.headers,
            stream=_Body(answer, lambda: self._over(stream)),
            extensions=answer.extensions,
        )

    async def _over(self, stream: Stream) -> None:
        await stream.aclose()
        report = stream.report()
        self.refused |= report.alert_received is not None
        self._ended(report)


class _Body(httpx2.AsyncByteStream):
    """The answer's body; closing it ends the connection."""

    def __init__(
        self, answer: httpcore2.Response, over: Callable[[], Awaitable[None]]
    ) -> None:
        self._answer = answer
        self._over = over

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._answer.aiter_stream():
            yield part

    async def aclose(self) -> None:
        await self._answer.aclose()
        await self._over()


class _Login(httpx2.Auth):
    """Answers a 401 once, twice for a stale nonce; digest before basic."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials

    def auth_flow(
        self, request: httpx2.Request
    ) -> Generator[httpx2.Request, httpx2.Response, None]:
        answer = yield request
        for attempt in range(2):
            asked = answer.request.url
            same = (asked.scheme, asked.host, asked.port) == (
                request.url.scheme,
                request.url.host,
                request.url.port,
            )
            if answer.status_code != 401 or not same:
                return
            challenges = answer.headers.get_list("www-authenticate")
            challenge = digest.best_challenge(challenges)
            if attempt and not (challenge and challenge.stale):
                return
            again = httpx2.Request("GET", asked, headers=request.headers)
            value = self._value(challenge, challenges, asked)
            if value is None:
                return
            again.headers["authorization"] = value
            answer = yield again

    def _value(
        self, challenge: digest.Challenge | None, challenges: list[str], url: httpx2.URL
    ) -> str | None:
        user = self._credentials
        if challenge is not None:
            return digest.answer(
                challenge,
                username=user.username,
                password=user.password,
                method="GET",
                uri=url.raw_path.decode("ascii"),
                nc=1,
                cnonce=secrets.token_hex(8),
            )
        if any(text.strip().lower().startswith("basic") for text in challenges):
            basic = httpx2.BasicAuth(user.username, user.password)
            header = next(basic.auth_flow(httpx2.Request("GET", url))).headers
            return str(header["authorization"])
        return None


async def get(
    url: str,
    *,
    purpose: Purpose,
    dial: Dial,
    user_agent: str,
    ended: Callable[[ConnectionReport], None],
    credentials: Credentials | None = None,
    max_bytes: int = MAX_BYTES,
    time_limit_s: float = TIME_LIMIT_S,
) -> HttpAnswer:
    """GET one URL as the phone does.

    ``ended`` is called for every connection, before this returns or raises. User and
    password in the URL win over ``credentials``. Raises InputError for what is no http
    or https URL and HttpError for everything that keeps an answer from coming.
    """
    parts = parse_url(url)
    url = url.strip()
    if parts.username:
        user = httpx2.URL(url)
        credentials = Credentials(user.username, user.password)
        url = str(user.copy_with(username="", password=""))
    transport = _Transport(dial, purpose, ended)
    client = httpx2.AsyncClient(
        transport=transport,
        trust_env=False,
        follow_redirects=True,
        max_redirects=MAX_REDIRECTS,
        timeout=None,
        headers={
            "user-agent": user_agent,
            "accept": "*/*",
            "accept-encoding": "identity",
            "connection": "close",
        },
        auth=_Login(credentials) if credentials is not None else None,
    )
    try:
        async with asyncio.timeout(time_limit_s), client:
            return await _get(client, url, max_bytes)
    except TimeoutError:
        raise HttpError(
            f"no whole answer within {time_limit_s:g} s",
            refused=transport.refused,
            hint="look whether the server is overloaded, or a firewall holds it back",
        ) from None
    except DialError as failed:
        raise HttpError(
            failed.message, refused=failed.refused, hint=failed.hint
        ) from failed
    except httpx2.TooManyRedirects:
        raise HttpError(
            f"more than {MAX_REDIRECTS} redirects",
            hint="look where the server sends the phone; it may go in circles",
        ) from None
    except (httpx2.HTTPError, httpx2.InvalidURL, httpcore2.NetworkError) as error:
        raise HttpError(_worded(error), refused=transport.refused) from error
    except (httpcore2.ProtocolError, httpx2.StreamError, UnicodeError) as error:
        raise HttpError(
            f"the answer is no HTTP: {_worded(error)}", refused=transport.refused
        ) from error


async def _get(client: httpx2.AsyncClient, url: str, max_bytes: int) -> HttpAnswer:
    async with client.stream("GET", url) as answer:
        encoding = answer.headers.get("content-encoding", "identity").strip().lower()
        if encoding not in ("identity", ""):
            raise HttpError(
                f"the answer is compressed ({encoding[:40]!r}), unasked",
                hint="switch compression off for phones",
            )
        parts: list[bytes] = []
        size = 0
        async for part in answer.aiter_raw():
            size += len(part)
            if size > max_bytes:
                raise HttpError(
                    f"the answer is larger than {max_bytes} bytes; the phone stops",
                    hint=f"look at what {redact_url(url)} gives out",
                )
            parts.append(part)
        return HttpAnswer(
            answer.status_code,
            str(answer.url),
            b"".join(parts),
            answer.headers.get("content-type", ""),
        )


def _worded(error: Exception) -> str:
    text = str(error).strip() or type(error).__name__
    return redact_url(text[:1].lower() + text[1:])[:300]
