"""How another process reaches a running phone: a Unix socket in the phone's folder.

The folder is its owner's alone (0700), so whoever can open the socket could as well
change the files. One JSON object a line in, one out (``phone.requests``).
"""

import asyncio
import json
import os
import socket
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from linekey.errors import InputError, LinekeyError, StorageError
from linekey.phone.edge.runner import Service, VirtualPhone
from linekey.phone.report import describe_phone
from linekey.phone.requests import MAX_REQUEST, answer_as_dict, parse_request

ANSWER_LIMIT_S: Final = 90.0
"""Seconds until a request is given up: above the limit of whatever it may wait for
(``http.TIME_LIMIT_S`` is the longest), so that who asks learns that one's reason."""
_MARGIN_S: Final = 5.0
More = Mapping[str, Callable[[VirtualPhone, Mapping[str, Any]], Awaitable[Any]]]
"""Requests by name beside the plain events: what is asked of the phone, not done."""


async def _report(phone: VirtualPhone, request: Mapping[str, Any]) -> dict[str, Any]:
    return {"details": describe_phone(phone.state)}


READS: Final[More] = {"report": _report}
"""What only looks: ``report`` is ``phone.report.describe_phone`` of this moment, with
what no state folder keeps (lines, screen)."""


@contextmanager
def _short(path: Path) -> Iterator[str]:
    """A name that fits into sun_path (108 bytes), however deep the socket lies."""
    plain = str(path)
    if len(os.fsencode(plain)) < 100 or not Path("/proc/self/fd").is_dir():
        yield plain
        return
    descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{descriptor}/{path.name}"
    finally:
        os.close(descriptor)


def control(
    path: Path, more: More | None = None, *, answer_limit_s: float = ANSWER_LIMIT_S
) -> Service:
    """A service that answers requests at ``path`` for as long as the phone runs.

    A request that takes longer than ``answer_limit_s`` is answered with that.
    """

    async def serve(phone: VirtualPhone) -> None:
        async def handle(
            reader: asyncio.StreamReader, writer: asyncio.StreamWriter
        ) -> None:
            try:
                async with asyncio.timeout(_MARGIN_S):
                    line = await reader.readline()
                try:
                    async with asyncio.timeout(answer_limit_s):
                        answer = await _answer(phone, line, more or {})
                except TimeoutError:
                    answer = _too_slow(answer_limit_s)
                async with asyncio.timeout(_MARGIN_S):
                    writer.write(json.dumps(answer, default=str).encode() + b"\n")
                    await writer.drain()
            except (OSError, TimeoutError, ValueError):
                pass  # whoever asked is gone, or sent no line within the limits
            finally:
                writer.close()

        with _short(path) as name:
            server = await asyncio.start_unix_server(
                handle, name, limit=MAX_REQUEST * 2
            )
            # A socket that is left behind is replaced by the next one.
            async with server:
                await asyncio.get_running_loop().create_future()

    return serve


def _too_slow(limit_s: float) -> dict[str, Any]:
    return {
        "ok": False,
        "text": f"the phone has not answered within {limit_s:g} s",
        "hint": "what was asked for may still happen: look at linekey phone log",
    }


async def _answer(phone: VirtualPhone, line: bytes, more: More) -> dict[str, Any]:
    try:
        document = json.loads(line)
    except (ValueError, RecursionError):
        return {"ok": False, "text": "the request is no JSON", "hint": ""}
    try:
        known = {**READS, **more}
        extra = (
            known.get(str(document.get("do"))) if isinstance(document, dict) else None
        )
        if extra is not None:
            return {"ok": True, "text": "", "hint": "", **await extra(phone, document)}
        return answer_as_dict(await phone.do(parse_request(document)))
    except LinekeyError as error:
        return {"ok": False, "text": error.message, "hint": error.hint}


def ask(path: Path, request: Mapping[str, Any]) -> dict[str, Any]:
    """Send one request to the process that runs the phone; its answer.

    Blocks for ``ANSWER_LIMIT_S`` and a few seconds at most. Raises StorageError if
    nobody listens.
    """
    data = json.dumps(request).encode()
    if len(data) > MAX_REQUEST * 2:
        raise InputError(f"a request of {len(data)} bytes is too large")
    try:
        with socket.socket(socket.AF_UNIX) as client, _short(path) as name:
            client.settimeout(ANSWER_LIMIT_S + 2 * _MARGIN_S)
            client.connect(name)
            client.sendall(data + b"\n")
            client.shutdown(socket.SHUT_WR)
            with client.makefile("rb") as file:
                answer = json.loads(file.readline(MAX_REQUEST * 4) or b"{}")
    except (OSError, ValueError) as error:
        raise StorageError(
            f"the process that runs the phone does not answer: {error}",
            hint="check that linekey phone run (or linekey up) is still running",
        ) from error
    if not isinstance(answer, dict) or "ok" not in answer:
        raise StorageError("the process that runs the phone closed the connection")
    return answer
