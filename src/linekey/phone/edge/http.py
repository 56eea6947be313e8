"""The phone's HTTP client: httpx2 over the phone's own connections.

A transport of ours opens each connection through ``wire.dialer`` (so it is the engine
that speaks TLS and the judge that decides) and lets httpcore2 speak HTTP/1.1 on it;
redirects, challenges, limits and time are ours. One request, one connection: a phone
fetches a handful of documents a day.

Rules: an answer is cut off at ``max_bytes``, a redirect chain at ``MAX_REDIRECTS``, the
whole at ``time_limit_s``; informational answers (1xx) are counted
(``edge.informational``); a compressed answer is refused (nothing asked for it, and it
may be a bomb). Only the body of a success is read: what a redirect, a challenge or a
refusal brings besides its head stays with the server. User name and password go to the
origin of the URL that was asked for and to no other.
"""

import asyncio
import contextlib
import logging
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

import httpcore2
import httpx2

from linekey import digest
from linekey.errors import PeerError
from linekey.phone.edge.informational import Bounded
from linekey.phone.urls import parse_url, redact_url
from linekey.trust.connection import ConnectionReport, Purpose
from linekey.wire.dialer import DialError, Stream

MAX_REDIRECTS: Final = 5
"""A limit of linekey's; browsers take 20, a phone's set-up needs one."""
MAX_BYTES: Final = 4 * 1024 * 1024
"""The limit of a provisioning document (``phone.document.LIMITS``)."""
TIME_LIMIT_S: Final = 60.0
_AUTHORIZATION: Final = b"authorization"
# It tells of each request with the whole URL, in which a typed password may stand.
logging.getLogger("httpx2").setLevel(logging.WARNING)
_REFUSAL_BYTES = 4096
"""Bytes of a refusal's page that are read; nginx's have some 200."""
_REFUSAL_S = 2.0
"""Seconds that are waited for them."""
_NO_WEB_ADDRESS: Final = "a redirect to what is no web address"

Dial = Callable[[Purpose, str, int, bool], Awaitable[Stream]]
"""``dial(purpose, host, port, encrypted)``; raises DialError."""


class HttpError(PeerError):
    """No answer that could be used. ``refused``: one end refused the other in TLS."""

    def __init__(self, message: str, *, refused: bool = False, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.refused = refused


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What came. ``url`` is where it came from, after redirects.

    ``body`` is empty unless ``status`` is a success (2xx).
    """

    status: int
    url: str
    body: bytes = field(repr=False)
    content_type: str = ""
    unknown_login: str = ""
    """What a 401 asks for, where the phone can do none of it."""


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
        max_bytes: int,
    ) -> None:
        self._dial = dial
        self._purpose = purpose
        self._ended = ended
        self._max_bytes = max_bytes
        self.refused = False
        self.hint = ""

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if request.url.scheme not in ("http", "https") or not request.url.host:
            raise httpx2.UnsupportedProtocol(_NO_WEB_ADDRESS)
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
        connection = httpcore2.AsyncHTTP11Connection(url.origin, Bounded(stream))
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
            stream=_Body(answer, lambda: self._over(stream), self._max_bytes),
            extensions=answer.extensions,
        )

    async def _over(self, stream: Stream) -> None:
        await stream.aclose()
        report = stream.report()
        self.refused |= report.alert_received is not None
        self.hint = report.hint
        self._ended(report)


class _Body(httpx2.AsyncByteStream):
    """An answer's body, whatever its status; closing it ends the connection.

    Whoever reads more than ``max_bytes`` of it gets HttpError.
    """

    def __init__(
        self,
        answer: httpcore2.Response,
        over: Callable[[], Awaitable[None]],
        max_bytes: int,
    ) -> None:
        self._answer = answer
        self._over = over
        self._max_bytes = max_bytes

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for part in self._answer.aiter_stream():
            size += len(part)
            if size > self._max_bytes:
                raise HttpError(
                    f"the answer is larger than {self._max_bytes} bytes; the phone "
                    "stops",
                    hint="look at what this address gives out",
                )
            yield part

    async def aclose(self) -> None:
        await self._answer.aclose()
        await self._over()


class _Login:
    """Answers a URL's 401 once, twice for a stale nonce; digest before basic."""

    def __init__(self, credentials: Credentials, origin: httpx2.URL) -> None:
        self._credentials = credentials
        self._origin = _origin(origin)
        self._tried: dict[str, int] = {}

    def again(self, answer: httpx2.Response) -> httpx2.Request | None:
        """The request to send after this 401; None if there is nothing to add."""
        url = answer.request.url
        if _origin(url) != self._origin:
            return None
        fields = _challenges(answer)
        challenge = digest.best_challenge(fields)
        tried = self._tried.get(str(url), 0)
        stale = challenge is not None and challenge.stale
        if tried > 1 or (tried and not stale):
            return None
        value = self._value(challenge, fields, url)
        if value is None:
            return None
        self._tried[str(url)] = tried + 1
        sent = answer.request.headers.raw
        headers = [(k, v) for k, v in sent if k.lower() != _AUTHORIZATION]
        headers.append((_AUTHORIZATION, value.encode("utf-8", "surrogateescape")))
        return httpx2.Request("GET", url, headers=headers)

    def _value(
        self, challenge: digest.Challenge | None, fields: list[str], url: httpx2.URL
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
        schemes = (s.name for field in fields for s in digest.split_schemes(field))
        if "basic" in schemes:
            basic = httpx2.BasicAuth(user.username, user.password)
            header = next(basic.auth_flow(httpx2.Request("GET", url))).headers
            return str(header["authorization"])
        return None


def _origin(url: httpx2.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


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
    url, own = _without_login(url)
    transport = _Transport(dial, purpose, ended, max_bytes)
    async with _talking(transport, user_agent, time_limit_s) as client:
        return await _get(client, url, own or credentials)
    raise AssertionError("what keeps an answer from coming is raised")


async def put(
    url: str,
    data: bytes,
    *,
    purpose: Purpose,
    dial: Dial,
    user_agent: str,
    ended: Callable[[ConnectionReport], None],
    time_limit_s: float = TIME_LIMIT_S,
) -> int:
    """PUT a text to one URL; the status. Nothing is redirected, nobody logs in.

    Raises what ``get`` raises.
    """
    url, _ = _without_login(url)
    transport = _Transport(dial, purpose, ended, _REFUSAL_BYTES)
    async with _talking(transport, user_agent, time_limit_s) as client:
        request = client.build_request(
            "PUT", url, content=data, headers={"content-type": "text/plain"}
        )
        answer = await client.send(request, stream=True, auth=httpx2.Auth())
        await answer.aclose()
        return answer.status_code
    raise AssertionError("what keeps an answer from coming is raised")


def _without_login(url: str) -> tuple[str, Credentials | None]:
    """The URL without user and password, and these. Raises InputError."""
    parts = parse_url(url)
    if not parts.username:
        return url.strip(), None
    user = httpx2.URL(url.strip())
    login = Credentials(user.username, user.password)
    return str(user.copy_with(username="", password="")), login


@contextlib.asynccontextmanager
async def _talking(
    transport: _Transport, user_agent: str, time_limit_s: float
) -> AsyncIterator[httpx2.AsyncClient]:
    """A client for one errand; whatever goes wrong in it is an HttpError."""
    client = httpx2.AsyncClient(
        transport=transport,
        trust_env=False,
        follow_redirects=False,
        timeout=None,
        headers={
            "user-agent": user_agent,
            "accept": "*/*",
            "accept-encoding": "identity",
            "connection": "close",
        },
    )
    try:
        async with asyncio.timeout(time_limit_s), client:
            yield client
    except TimeoutError:
        raise HttpError(
            f"no whole answer within {time_limit_s:g} s",
            refused=transport.refused,
            hint=transport.hint
            or "look whether the server is overloaded, or a firewall holds it back",
        ) from None
    except DialError as failed:
        raise HttpError(
            failed.message, refused=failed.refused, hint=failed.hint
        ) from failed
    except HttpError:
        raise
    except PeerError as error:
        raise HttpError(
            error.message, refused=transport.refused, hint=error.hint
        ) from error
    except (httpx2.HTTPError, httpx2.InvalidURL, httpcore2.NetworkError) as error:
        raise HttpError(
            _worded(error), refused=transport.refused, hint=transport.hint
        ) from error
    except (httpcore2.ProtocolError, httpx2.StreamError, UnicodeError) as error:
        raise HttpError(
            f"the answer is no HTTP: {_worded(error)}", refused=transport.refused
        ) from error


async def _get(
    client: httpx2.AsyncClient, url: str, login: Credentials | None
) -> HttpAnswer:
    """Follow redirects and answer challenges; neither's body is read."""
    request: httpx2.Request | None = client.build_request("GET", url)
    redirects = 0
    asked = None if login is None else _Login(login, httpx2.URL(url))
    while request is not None:
        # httpx2 would read the bodies of redirects and challenges, and unpack them.
        answer = await client.send(request, stream=True, auth=httpx2.Auth())
        try:
            request = None
            if answer.has_redirect_location:
                redirects += 1
                if redirects > MAX_REDIRECTS:
                    raise HttpError(
                        f"more than {MAX_REDIRECTS} redirects",
                        hint="look where the server sends the phone; it may go in "
                        "circles",
                    )
                request = answer.next_request
                if request is None:
                    raise httpx2.UnsupportedProtocol(_NO_WEB_ADDRESS)
                request.headers.pop("authorization", None)
            elif answer.status_code == 401 and asked is not None:
                request = asked.again(answer)
            if request is None:
                return await _whole(answer)
        finally:
            await answer.aclose()
    raise AssertionError("the loop ends with an answer or an error")


async def _beginning(answer: httpx2.Response) -> bytes:
    """The first bytes of a refusal's page, which may say why; as far as they come.

    The status is the answer already: a page that breaks off or drips changes nothing.
    """
    body = b""
    with contextlib.suppress(
        TimeoutError, httpx2.HTTPError, httpcore2.NetworkError, httpcore2.ProtocolError
    ):
        async with asyncio.timeout(_REFUSAL_S):
            async for part in answer.aiter_raw():
                body += part
                if len(body) >= _REFUSAL_BYTES:
                    break
    return body[:_REFUSAL_BYTES]


async def _whole(answer: httpx2.Response) -> HttpAnswer:
    """The answer with its body, where the phone has a use for one."""
    body = b""
    if answer.is_success:
        encoding = answer.headers.get("content-encoding", "identity").strip().lower()
        if encoding not in ("identity", ""):
            raise HttpError(
                f"the answer is compressed ({encoding[:40]!r}), unasked",
                hint="switch compression off for phones",
            )
        body = b"".join([part async for part in answer.aiter_raw()])
    elif answer.is_client_error:
        body = await _beginning(answer)
    return HttpAnswer(
        answer.status_code,
        str(answer.url),
        body,
        answer.headers.get("content-type", ""),
        _unknown_login(answer),
    )


def _challenges(answer: httpx2.Response) -> list[str]:
    # Bytes that are no UTF-8 go back as they came.
    return [
        value.decode("utf-8", "surrogateescape")
        for name, value in answer.headers.raw
        if name.lower() == b"www-authenticate"
    ]


def _unknown_login(answer: httpx2.Response) -> str:
    fields = _challenges(answer) if answer.status_code == 401 else []
    names = {s.name for field in fields for s in digest.split_schemes(field)}
    if "basic" in names or digest.best_challenge(fields) is not None:
        return ""
    named = digest.asked_schemes(fields)
    return named.encode("ascii", "replace").decode("ascii")


def _worded(error: Exception) -> str:
    text = str(error).strip() or type(error).__name__
    return redact_url(text[:1].lower() + text[1:])[:300]
