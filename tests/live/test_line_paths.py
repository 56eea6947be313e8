"""The path that a phone builds is the one that its line of OpenSSL builds.

The referees are the lines themselves: each verifies thousands of generated chains, in
one process, over real handshakes with itself.
"""

import json
import os
import ssl
from collections import Counter
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from tests.live.line_cases import NAME, TODAY, Case, cases, key
from tests.live.openssl_lines import run

from linekey.certs.lines import Line, issues, prove_as
from linekey.certs.pem import PrivateKey, private_key_to_pem
from linekey.trust.paths import find_path
from linekey.trust.store import TrustStore

CASES = int(os.environ.get("LINEKEY_PATH_CASES", "2000"))

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


@cache
def drawn() -> tuple[Case, ...]:
    return tuple(cases(CASES + CASES // 2, seed=2021_09_30))


def tried_by(version: str) -> tuple[Case, ...]:
    """``CASES`` of those drawn, without what a line cannot be asked.

    1.1.1k never comes back from some lists with a self-issued certificate that may not
    sign certificates (seen: it takes all of the processor, for ever).
    """
    askable = [
        case
        for case in drawn()
        if version != "1.1.1k"
        or all(issues(a, a) for a in case.anchors if a.self_issued)
    ]
    return tuple(askable[:CASES])


async def verdicts_of(version: str, tried: tuple[Case, ...], folder: Path) -> list[str]:
    """What a line says of each case: ``accepted``, or OpenSSL's word."""
    chains = [
        ([c.der for c in (case.leaf, *case.sent)], [c.der for c in case.anchors])
        for case in tried
    ]
    return await verdicts_on(version, chains, folder, key("leaf"))


async def verdicts_on(
    version: str,
    chains: Sequence[tuple[Sequence[bytes], Sequence[bytes]]],
    folder: Path,
    own: PrivateKey,
) -> list[str]:
    """The same for chains and anchors as bytes; ``own`` is every leaf's key."""
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
    said = await run(version, VERIFY, str(path))
    verdicts: list[str] = json.loads(said.splitlines()[-1])
    return verdicts


def says(line: Line, case: Case) -> tuple[bool, list[str]]:
    result = prove_as(
        line, case.leaf, case.sent, case.anchors, at=TODAY, purpose="server"
    )
    return result.ok, [p.name for p in result.problems]


@pytest.mark.parametrize(
    ("version", "line"),
    [
        pytest.param(v, line, marks=pytest.mark.peer(f"OpenSSL {v}"))
        for v, line in (("1.0.1u", "1.0.1"), ("1.0.2s", "1.0.2"), ("1.1.1k", "1.1.1"))
    ],
)
async def test_each_generated_chain_gets_the_verdict_of_its_line(
    version: str, line: Line, tmp_path: Path, record_property: Any, record_interop: Any
) -> None:
    tried = tried_by(version)
    verdicts = await verdicts_of(version, tried, tmp_path)
    assert len(verdicts) == len(tried) == CASES
    differing = []
    words: Counter[str] = Counter()
    for case, verdict in zip(tried, verdicts, strict=True):
        words[verdict] += 1
        ok, problems = says(line, case)
        if all(a.self_issued for a in case.anchors):
            # The judge's own choice differs in one thing: any anchor may end a path.
            store = TrustStore(authorities=case.anchors)
            chain = (case.leaf, *case.sent)
            assert find_path(chain, store, TODAY, line=line).ok is ok, case
        if ok is not (verdict == "accepted"):
            differing.append((verdict, problems, case))
    assert not differing, f"{len(differing)} of {CASES}: {differing[:3]}"
    # The cases are of use: neither verdict is rare, and many reasons were met.
    assert CASES * 0.08 < words["accepted"] < CASES * 0.9, words
    assert len(words) >= 6, words
    record_property("counted", f"{CASES:,} chains judged as OpenSSL {version}: {words}")
    record_interop(f"OpenSSL {version}", "verdict on each of 2,000 generated chains")


@pytest.mark.parametrize("line", ["0.9.8", "1.0.0"])
def test_lines_that_are_no_program_differ_from_1_0_1_by_alternatives_alone(
    line: Line,
) -> None:
    """Nothing but the rule that is said of them (L): they refuse what needs another."""
    differing = 0
    for case in drawn()[:CASES]:
        ok, _ = says(line, case)
        newer, _ = says("1.0.1", case)
        assert newer or not ok
        differing += ok is not newer
    assert differing
