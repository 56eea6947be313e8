"""What strangers cost a server that runs: lines on disk, lines on stderr; and pruning."""

import asyncio
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.live.conftest import NOW
from tests.live.test_serve_command import put_server_files, serve
from tests.live.test_unread_streams import refused_once

from linekey.server import server as web_server
from linekey.store.decision_log import DecisionLog
from linekey.store.decisions import LogEntry, read_log

pytestmark = pytest.mark.peer("curl")


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_a_thousand_refusals_are_a_few_lines_in_the_log_and_on_stderr(
    place: Any, workers: str
) -> None:
    put_server_files(place)
    async with serve(place, "--workers", workers) as serving:
        port = int(serving.url.rpartition(":")[2])
        for _ in range(20):
            await asyncio.gather(*(refused_once(port) for _ in range(50)))
        assert await serving.end() == 0
    said = [line for text in serving.lines for line in text.splitlines()]
    told = [json.loads(line) for line in said if line.startswith("{")]
    assert sum(t.get("reason") == "hello.plain_http" for t in told) >= 1
    # At most ten a minute of each process, and the number of the others.
    assert sum(t.get("reason") == "hello.plain_http" for t in told) <= 11 * 2 * 2
    lines = read_log(place.database)
    assert sum(line.times for line in lines) == 1_000
    assert {line.network for line in lines} == {"127.0.0.0/24"}
    assert len(lines) <= 3, "a line for each minute"


@pytest.mark.parametrize("with_certificate", [True, False])
async def test_a_scan_of_files_that_are_not_there_is_counted_and_answered(
    place: Any, with_certificate: bool
) -> None:
    options = {} if with_certificate else {
        "rules__second_factor_without_certificate": True
    }  # fmt: skip
    async with place.serving(**options) as server:
        urls = [f"{server.url}/backup-{n}.zip" for n in range(60)]
        words: tuple[str, ...] = ()
        if with_certificate:
            certificate, key = place.identity(place.stranger)
            words = ("--cert", certificate, "--key", key)
        got = await place.curl(*words, "-w", "%{http_code}\n", *urls)
    assert got.out.count("404") == 60, got.said
    lines = place.log()
    assert sum(line.times for line in lines) == 60
    assert {line.reason for line in lines} == {"nothing_there"}
    # A phone's certificate was proved: some lines of its own; nobody: counted only.
    own = [line for line in lines if line.network is None]
    assert len(own) == (20 if with_certificate else 0)


async def test_a_server_deletes_what_is_too_old_by_itself(
    place: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web_server, "_ROOM_EVERY_S", 0.01)
    line = LogEntry(
        at=NOW, kind="decision", outcome="granted", reason="own_file",
        peer="192.0.2.7", mac=place.phone, target_mac=place.phone,
    )  # fmt: skip
    old = LogEntry(
        at=NOW - timedelta(days=31), kind="handshake", outcome="refused",
        reason="hello.not_tls", peer="192.0.2.7",
    )  # fmt: skip
    async with DecisionLog(place.database) as log:
        for days in (0, 5, 8):
            await log.record(replace(line, at=NOW - timedelta(days=days)))
        await log.record(old)
    async with asyncio.timeout(60), place.serving(log__keep_days=7, log__reserve_mb=1):
        while len(place.log()) > 2:  # noqa: ASYNC110 - the server tells nobody
            await asyncio.sleep(0.05)
    assert {entry.at for entry in place.log()} == {NOW, NOW - timedelta(days=5)}
