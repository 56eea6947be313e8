"""Whatever an application raises is 503 to be tried again, and told without its text."""

import ast
import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import ClientDisconnect

import linekey
from linekey.errors import Cause, InputError, StorageError
from linekey.wire.asgi_edge import FAULT, Edge, Page

SECRET = "geheim-" + "4711"


class Sent:
    """What left, and what was counted."""

    def __init__(self) -> None:
        self.messages: list[Any] = []
        self.causes: list[str] = []

    async def __call__(self, message: Any) -> None:
        self.messages.append(message)

    @property
    def status(self) -> int:
        return int(self.messages[0]["status"])

    @property
    def body(self) -> bytes:
        return b"".join(m["body"] for m in self.messages[1:])

    def header(self, name: bytes) -> bytes:
        return dict(self.messages[0]["headers"])[name]


async def ask(app: Any, method: str = "GET", **options: Any) -> Sent:
    sent = Sent()
    edge = Edge(
        app, logging.getLogger("test"), on_trouble=sent.causes.append, **options
    )
    await edge({"type": "http", "method": method}, None, sent)
    return sent


def raising(error: BaseException) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise error

    return app


@pytest.mark.parametrize("cause", list(Cause))
async def test_trouble_with_the_storage_is_counted_by_its_cause(cause: Cause) -> None:
    sent = await ask(raising(StorageError(SECRET, hint=SECRET, cause=cause)))
    assert sent.status == 503
    assert sent.causes == [cause.value]
    assert sent.header(b"retry-after") == b"30"
    assert sent.header(b"cache-control") == b"no-store"
    assert SECRET.encode() not in sent.body


@pytest.mark.parametrize(
    "error", [ValueError(SECRET), InputError(SECRET), AssertionError(SECRET)]
)
async def test_a_fault_of_our_own_has_a_number_and_no_text(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    sent = await ask(raising(error))
    assert sent.status == 503
    assert sent.causes == [FAULT]
    number = sent.body.decode().split()[-1]
    assert number in caplog.text
    assert type(error).__name__ in caplog.text
    assert SECRET not in caplog.text
    assert SECRET.encode() not in sent.body


async def test_head_has_no_body_and_the_same_length() -> None:
    error = StorageError("x")
    head, get = await ask(raising(error), "HEAD"), await ask(raising(error))
    assert head.body == b""
    assert head.header(b"content-length") == b"%d" % len(get.body)


async def test_an_answer_that_had_begun_is_not_made_whole() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise ValueError

    sent = await ask(app)
    assert [m["type"] for m in sent.messages] == ["http.response.start"]
    assert sent.causes == [FAULT]


async def test_a_page_of_ones_own_may_tell_more() -> None:
    sent = await ask(
        raising(StorageError("the disk is full", hint="free some")),
        page=lambda scope, t: Page(f"{t.message}: {t.hint}".encode(), b"text/html"),
    )
    assert sent.body == b"the disk is full: free some"
    assert sent.header(b"content-type") == b"text/html"


async def test_what_is_well_passes_and_so_does_a_cancellation() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 404, "headers": []})
        await send({"type": "http.response.body", "body": b"x"})

    sent = await ask(app)
    assert (sent.status, sent.body, sent.causes) == (404, b"x", [])
    with pytest.raises(asyncio.CancelledError):
        await ask(raising(asyncio.CancelledError()))


async def test_an_application_that_says_nothing_is_at_fault() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        return

    sent = await ask(app)
    assert (sent.status, sent.causes) == (503, [FAULT])


async def test_a_client_that_left_in_the_middle_is_no_fault() -> None:
    sent = await ask(raising(ClientDisconnect()))
    assert (sent.messages, sent.causes) == ([], [])


def test_no_application_answers_500_by_itself() -> None:
    """Starlette's own catch-all answers 500 before anybody outside can."""
    found = 0
    for path in Path(linekey.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id in ("Starlette", "FastAPI")
            ):
                found += 1
                options = {k.arg: ast.unparse(k.value) for k in node.keywords}
                assert "Middleware(Edge" in options.get("middleware", ""), path
    assert found >= 3
