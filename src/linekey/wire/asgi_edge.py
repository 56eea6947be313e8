"""The outermost layer of every ASGI application: what goes wrong is 503, never 500.

A phone that gets 503 with ``Retry-After`` comes again; one that gets 500 may take it
for the end of its configuration. So whatever an application raises ends here: trouble
with the storage by its cause, anything else as a fault of linekey's own, which is
logged with an id that the answer names, too.

Rules: the answer holds nothing of what the exception says. An answer that had begun
already is cut off, so that nobody takes it for a whole one.
"""

import logging
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from starlette.requests import ClientDisconnect

from linekey.errors import StorageError
from linekey.wire.faults import log_fault

FAULT = "fault"
"""The cause where linekey itself is at fault, beside those of ``errors.Cause``."""
RETRY_AFTER_S = 30
"""Seconds after which a phone may come again."""

App = Callable[[Any, Any, Any], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why there is no answer: ``cause`` is one of ``errors.Cause``, or ``FAULT``."""

    cause: str
    message: str
    """For who may see it all; no secret, but names of this installation."""
    hint: str
    public: str
    """For anybody."""


@dataclass(frozen=True, slots=True)
class Page:
    """The body of a 503 and what it is."""

    body: bytes
    content_type: bytes = b"text/plain; charset=utf-8"


class _NoAnswerError(Exception):
    """The application came back without a word; never leaves this module."""


def plain_page(scope: Any, trouble: Trouble) -> Page:
    """Return what a phone is told."""
    return Page(f"{trouble.public}\n".encode())


class Edge:
    """Answers 503 for ``app`` where it raises.

    ``log`` is told of it; ``on_trouble`` counts it by its cause; ``page`` writes it.
    """

    def __init__(
        self,
        app: App,
        log: logging.Logger,
        *,
        on_trouble: Callable[[str], None] = lambda cause: None,
        page: Callable[[Any, Trouble], Page] = plain_page,
    ) -> None:
        self._app = app
        self._log = log
        self._on_trouble = on_trouble
        self._page = page

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Hand a request on, and answer it if nobody else does."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def watched(message: Any) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, watched)
            if started:
                return
            raise _NoAnswerError  # which uvicorn would answer 500
        except ClientDisconnect:
            return  # nobody is there to be answered
        except Exception as error:  # noqa: BLE001 - nothing is ever answered 500
            trouble = self._told(scope, error)
        self._on_trouble(trouble.cause)
        if not started:  # else the server cuts the connection: the answer is not whole
            await send_unavailable(scope, send, self._page(scope, trouble))

    def _told(self, scope: Any, error: Exception) -> Trouble:
        if isinstance(error, StorageError):
            self._log.error("answered 503: %s (%s)", error.message, error.hint)
            return Trouble(
                error.cause.value,
                error.message,
                error.hint,
                "the server cannot look up or record this request now",
            )
        number = secrets.token_hex(4)
        log_fault(self._log, f"answered 503, fault {number}: {scope['method']}", error)
        said = f"a fault of linekey's own, number {number}"
        return Trouble(FAULT, said, "find it in the log, and report it", said)


async def send_unavailable(scope: Any, send: Any, page: Page) -> None:
    """Answer 503, to be asked again later."""
    await send(
        {
            "type": "http.response.start",
            "status": 503,
            "headers": [
                (b"content-type", page.content_type),
                (b"content-length", b"%d" % len(page.body)),
                (b"cache-control", b"no-store"),
                (b"retry-after", b"%d" % RETRY_AFTER_S),
            ],
        }
    )
    body = b"" if scope["method"] == "HEAD" else page.body
    await send({"type": "http.response.body", "body": body})
