"""OpenSSL 1.0.1 to 1.1.1 as programs: what a script makes Node.js do with them.

`make peers` lays the programs down (tests/conftest.py names them). Scripts keep to what
the oldest of them reads: no arrow functions, no ``let``.
"""

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.conftest import LINES_AT

LIMIT_S = 30.0
"""A guard against a program that hangs."""

CLIENT = """\
var tls = require('tls'), asked = JSON.parse(process.argv[1]), said = '';
var socket = tls.connect(asked.options, function () {
  console.log('verdict ' + (socket.authorizationError || 'accepted'));
  socket.write(asked.request || '');
});
socket.on('data', function (data) { said += data; });
socket.on('error', function (error) { console.log('error ' + error.message); });
socket.on('close', function () { console.log(said); process.exit(0); });
"""
"""Connects, tells its verdict, sends the request and prints what comes back."""

SERVER = """\
var tls = require('tls'), options = JSON.parse(process.argv[1]);
var server = tls.createServer(options, function (socket) {
  socket.on('error', function () {});
  socket.once('data', function () {
    socket.end('HTTP/1.0 200 OK\\r\\nContent-Length: 0\\r\\n\\r\\n');
  });
});
server.on('clientError', function () {});
server.listen(0, '127.0.0.1', function () { console.log(server.address().port); });
"""
"""Listens on a port of its own choice, prints it, and answers each request with 200."""


def program(line: str) -> str:
    """The program that has this OpenSSL linked in."""
    return str(LINES_AT / f"openssl-{line}" / "node")


def _environment() -> dict[str, str]:
    """Without what this machine tells Node.js of its own authorities."""
    return {k: v for k, v in os.environ.items() if not k.startswith("NODE_")}


async def run(
    line: str,
    script: str,
    given: Any,
    *,
    stdin: bytes = b"",
    flags: tuple[str, ...] = (),
) -> str:
    """Run a script to its end and return what it printed."""
    process = await asyncio.create_subprocess_exec(
        program(line), *flags, "-e", script, json.dumps(given), env=_environment(),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        async with asyncio.timeout(LIMIT_S):
            out, _ = await process.communicate(stdin)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
    return out.decode("utf-8", "replace")


@asynccontextmanager
async def serving(
    line: str, options: dict[str, Any], *flags: str
) -> AsyncIterator[int]:
    """Run ``SERVER`` with ``tls.createServer``'s options; its port."""
    process = await asyncio.create_subprocess_exec(
        program(line), *flags, "-e", SERVER, json.dumps(options), env=_environment(),
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        async with asyncio.timeout(LIMIT_S):
            told = await process.stdout.readline()
        yield int(told)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
        await process.wait()
