"""OpenSSL 1.0.1 to 1.1.1 as programs: what a script makes Node.js do with them.

`make peers` lays the programs down (tests/conftest.py names them). Scripts keep to what
the oldest of them reads: no arrow functions, no ``let``.
"""

import asyncio
import contextlib
import json
import os
import signal
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.conftest import LINES_AT
from tests.live.line_cases import NAME

from linekey.certs.pem import PrivateKey, private_key_to_pem

LIMIT_S = 120.0
"""A guard against a program that hangs."""
CLOCK = "%Y-%m-%d %H:%M:%S"
"""As faketime reads it."""

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

VERIFY = """\
var tls = require('tls'), fs = require('fs');
var given = JSON.parse(fs.readFileSync(JSON.parse(process.argv[1]), 'utf8'));
var next = 0, told = [], open = 0;
function pem(numbers) {
  return numbers.map(function (n) { return given.certificates[n]; });
}
function one() {
  if (next >= given.cases.length) {
    if (!open) { console.log(JSON.stringify(told)); process.exit(0); }
    return;
  }
  var number = next++, one_case = given.cases[number];
  var server;
  try {
    server = tls.createServer({
      key: given.key, cert: pem(one_case.chain).join(''), ciphers: 'AES128-SHA'
    }, function (socket) { socket.on('error', function () {}); });
  } catch (error) {
    told[number] = 'cannot load: ' + error.message;
    setImmediate(one);
    return;
  }
  open++;
  server.on('clientError', function () {});
  server.on('tlsClientError', function () {});
  server.listen(0, '127.0.0.1', function () {
    var over = false, socket = tls.connect({
      host: '127.0.0.1', port: server.address().port, servername: given.name,
      ca: pem(one_case.anchors), rejectUnauthorized: false, ciphers: 'AES128-SHA'
    }, function () {
      end(socket.authorized ? 'accepted' :
        String(socket.authorizationError.message || socket.authorizationError));
    });
    var timer = setTimeout(function () { end('no verdict'); }, 5000);
    function end(verdict) {
      if (over) { return; }
      over = true;
      clearTimeout(timer);
      told[number] = verdict;
      server.close(function () { open--; setImmediate(one); });
      socket.end();
    }
    socket.on('error', function (error) { end('error: ' + error.message); });
    socket.on('close', function () { end('closed'); });
  });
}
for (var i = 0; i < 8; i++) { one(); }
"""
"""Handshakes of a program with itself, many at once: its verdict on each chain."""


def program(line: str) -> str:
    """The program that has this OpenSSL linked in."""
    return str(LINES_AT / f"openssl-{line}" / "node")


def _environment() -> dict[str, str]:
    """Without what this machine tells Node.js of its own authorities; a clock held by
    libfaketime is the calendar's alone, in UTC."""
    own = {k: v for k, v in os.environ.items() if not k.startswith("NODE_")}
    return own | {"TZ": "UTC", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}


async def run(
    line: str,
    script: str,
    given: Any,
    *,
    stdin: bytes = b"",
    flags: tuple[str, ...] = (),
    at: datetime | None = None,
) -> str:
    """Run a script to its end and return what it printed.

    ``at`` holds the program's clock there (peer ``faketime``); timers run all the same.
    """
    clock = [] if at is None else ["faketime", "-f", f"{at.astimezone(UTC):{CLOCK}}"]
    process = await asyncio.create_subprocess_exec(
        *clock, program(line), *flags, "-e", script, json.dumps(given), env=_environment(),
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


async def verdicts_on(
    version: str,
    chains: Sequence[tuple[Sequence[bytes], Sequence[bytes]]],
    folder: Path,
    own: PrivateKey,
    *,
    at: datetime | None = None,
) -> list[str]:
    """What a line says of each chain, leaf first, with these anchors; all in DER.

    ``accepted``, or OpenSSL's word. ``own`` is every leaf's key, ``NAME`` their host.
    ``at`` is what the program's clock says, and goes on saying.
    """
    numbers: dict[bytes, int] = {}

    def numbered(ders: Sequence[bytes]) -> list[int]:
        return [numbers.setdefault(der, len(numbers)) for der in ders]

    told = [{"chain": numbered(c), "anchors": numbered(a)} for c, a in chains]
    given = {
        "name": NAME,
        "key": private_key_to_pem(own).decode(),
        "certificates": [ssl.DER_cert_to_PEM_cert(der) for der in numbers],
        "cases": told,
    }
    path = folder / "cases.json"
    path.write_text(json.dumps(given))
    said = await run(version, VERIFY, str(path), at=at)
    verdicts: list[str] = json.loads(said.splitlines()[-1])
    return verdicts
