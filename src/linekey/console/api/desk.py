"""What every path of the API has in common: the database, ETags, pages, answers."""

import asyncio
import hashlib
import json
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Annotated, Any, TypeVar

from fastapi import Header, Query, Request
from pydantic import BaseModel
from pydantic_core import PydanticSerializationError, to_json
from starlette.responses import JSONResponse, Response

from linekey.check.forecast import Served
from linekey.console.api.problems import ProblemError
from linekey.console.asking import Asking
from linekey.console.watch import Watch
from linekey.errors import InputError, StorageError
from linekey.mac import Mac, parse_mac
from linekey.provisioning.expired import Expired
from linekey.said import say
from linekey.store.database import Database
from linekey.store.log_counts import HourCounts
from linekey.trust.anchors import NO_ANCHORS, Anchors
from linekey.trust.findings import Finding
from linekey.wire.readiness import Readiness

_log = logging.getLogger("linekey.api")

READ_WITHIN_S, CHANGE_WITHIN_S, WORK_WITHIN_S = 10.0, 120.0, 60.0
"""A change of 100,000 phones is one transaction."""
MAX_LIMIT = 1000
_THREADS = 4

T = TypeVar("T")

Limit = Annotated[
    int, Query(ge=1, le=MAX_LIMIT, description="At most so many; next has the rest.")
]
Cursor = Annotated[
    str | None, Query(max_length=4096, description="From next; where to go on.")
]
IfMatch = Annotated[
    str | None,
    Header(description="ETags of which one must be the present one; else 412."),
]
AllowUnknown = Annotated[
    bool, Query(description="Take settings that linekey does not know as they are.")
]


class Desk:
    """One database, as the API works on it; close it."""

    def __init__(
        self,
        database: Database,
        *,
        clock: Callable[[], datetime],
        public_url: str,
        ready: Callable[[], Awaitable[Readiness]],
        metrics: Callable[[], Awaitable[bytes]],
        served: Callable[[], Sequence[Served]] = lambda: (),
        anchors: Callable[[], Anchors] = lambda: NO_ANCHORS,
        findings: Callable[[], Sequence[Finding]] | None = None,
        watch: Watch | None = None,
        expired: Expired = Expired.REFUSE,
    ) -> None:
        self.clock, self.public_url = clock, public_url
        self.ready, self.metrics = ready, metrics
        self.served = served
        """This server by its chain of now, as a forecast asks for it."""
        self.anchors = anchors
        """The roots of its chains of now, which phones are given."""
        self.findings = findings
        """What a start would find now; raises LinekeyError for files it cannot use.
        None: nobody can say."""
        self.watch = watch
        """Where forecasts of lately are kept; None: each is made anew."""
        self.expired = expired
        """What linekey.toml says of certificates that have ended."""
        self.hours = HourCounts()
        self._database = database
        self._reading = Asking(database, _THREADS, "api")
        # Apart: a change may wait long for others', and no reader is to wait for it.
        self._changing = Asking(database, 2, "api-changes")
        self._noting = Asking(database, 1, "api-notes")
        # One at a time: it is work for a processor, which phones need as well.
        self._working = Asking(database, 1, "api-forecast")
        self._notes: dict[str, asyncio.Task[None]] = {}

    def close(self) -> None:
        """Let the threads go."""
        for asking in (self._reading, self._changing, self._noting, self._working):
            asking.close()

    async def look_up(self, question: Callable[[Database], T]) -> T:
        """Ask the whole database, before it is known who calls. Raises StorageError."""
        return await self._reading.ask(lambda: question(self._database), READ_WITHIN_S)

    async def read(self, request: Request, question: Callable[[Database], T]) -> T:
        """Ask the database as the caller. Raises StorageError, also when it does not
        answer."""
        database = self._as_caller(request)
        return await self._reading.ask(lambda: question(database), READ_WITHIN_S)

    async def work(self, request: Request, question: Callable[[Database], T]) -> T:
        """Ask what takes a while; others that ask so wait. Raises StorageError."""
        database = self._as_caller(request)
        return await self._working.ask(lambda: question(database), WORK_WITHIN_S)

    async def change(self, request: Request, how: Callable[[Database], T]) -> T:
        """Change the database as the caller."""
        database = self._as_caller(request)
        return await self._changing.ask(lambda: how(database), CHANGE_WITHIN_S)

    def _as_caller(self, request: Request) -> Database:
        return self._database.acting(request.state.actor, groups_of(request))

    def note(self, what: str, how: Callable[[Database], None]) -> None:
        """Write something down when there is time; nobody waits for it.

        Of one ``what`` one is under way at most. Trouble is logged.
        """
        if what in self._notes:
            return

        async def write() -> None:
            try:
                await self._noting.ask(lambda: how(self._database), CHANGE_WITHIN_S)
            except StorageError as error:
                _log.warning("%s is not noted: %s", what, error.message)

        task = asyncio.get_running_loop().create_task(write())
        self._notes[what] = task
        task.add_done_callback(lambda _: self._notes.pop(what, None))


def groups_of(request: Request) -> frozenset[str] | None:
    """The groups beyond which the caller sees nothing; None: he is not limited."""
    found: frozenset[str] | None = request.state.groups
    return found


class JsonAnswer(JSONResponse):
    """JSON with times in ISO 8601.

    It is written when it is made: of long ones in a thread, not where phones wait.
    """

    def render(self, content: Any) -> bytes:
        """Write it."""
        text = json.dumps(content, ensure_ascii=False, default=_plain)
        return text.encode("utf-8", "backslashreplace")


class ListAnswer(JsonAnswer):
    """JSON of many entries whose times are texts already; written in a third of it."""

    def render(self, content: Any) -> bytes:
        """Write it."""
        try:
            return to_json(content)
        except PydanticSerializationError:  # half a character, which JSON can escape
            return super().render(content)


def _plain(value: Any) -> str:
    return str(value.isoformat() if hasattr(value, "isoformat") else value)


def etag(document: Any) -> str:
    """The ETag of a document: it changes whenever anything in it does."""
    text = json.dumps(document, sort_keys=True, default=_plain).encode()
    return f'"{hashlib.sha256(text).hexdigest()[:24]}"'


def answer(
    document: Any,
    status: int = 200,
    *,
    beside: dict[str, Any] | None = None,
    **headers: str,
) -> Response:
    """Answer with a document and its ETag, which says nothing of what is ``beside``."""
    tagged = {"ETag": etag(document)}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    whole = document if beside is None else document | beside
    return JsonAnswer(whole, status_code=status, headers=tagged | named)


def check_match(if_match: str | None, document: Any) -> None:
    """Raise ProblemError 412 unless If-Match has the document's ETag.

    ``document`` is None where there is none. No weak tag matches (RFC 9110 §13.1.1).
    """
    if if_match is None:
        return
    if document is not None:
        given = [tag.strip() for tag in if_match.split(",")]
        if given == ["*"] or etag(document) in given:
            return
        raise ProblemError("stale", say("it was changed meanwhile, by somebody else"))
    raise ProblemError("stale", say("it is not, or no longer, there"))


def check_none_match(if_none_match: str | None, is_there: bool) -> None:
    """Raise ProblemError 412 where ``If-None-Match: *`` wants that nothing is there."""
    if is_there and if_none_match is not None and if_none_match.strip() == "*":
        raise ProblemError("stale", say("it is there already"))


def mac_of(text: str) -> Mac:
    """Read the MAC of a path. Raises ProblemError 400."""
    try:
        return parse_mac(text)
    except InputError as error:
        raise ProblemError.of(error, "parameter") from None


def next_url(request: Request, cursor: str | None) -> str | None:
    """Where a list goes on."""
    if cursor is None:
        return None
    return str(request.url.include_query_params(cursor=cursor))


class WordsShown(BaseModel):
    """What a sentence was made of, for who says it in another language."""

    text: str
    """``%(name)s`` is the place of a value."""
    values: dict[str, str | int]
    """Some are sentences themselves."""


class Page(BaseModel):
    """A part of a list."""

    total: int
    """How many there are in all."""
    next: str | None
    """Where the list goes on; null: this is its end."""
