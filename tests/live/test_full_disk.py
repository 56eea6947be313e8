"""A disk of its own that is full: phones are served, strangers wait, prune works."""

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.live.conftest import NOW, PHONE, make_place
from tests.live.test_serve_command import PROGRAM, clean_environment
from tests.live.test_unread_streams import refused_once

from linekey.lab.authority import LabAuthority
from linekey.server.counters import DROPPED, SHORT_OF_ROOM
from linekey.store.decision_log import DecisionLog
from linekey.store.decisions import LogEntry
from linekey.store.reserve import MIB, Reserve

pytestmark = [
    pytest.mark.peer("curl"),
    pytest.mark.skipif(
        sys.platform != "linux" or os.geteuid() != 0,
        reason="mounting a small disk needs root on Linux",
    ),
]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=40m", "tmpfs", str(folder)],
        capture_output=True,
    )
    if mounted.returncode:
        pytest.skip(f"no disk can be mounted: {mounted.stderr.decode()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(disk: Path) -> Path:
    """Leave no room, as some other program's files would."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (MIB, 4_096):
            try:
                while file.write(b"." * size) == size:
                    pass
            except OSError:
                continue
    return ballast


def room(disk: Path) -> int:
    found = os.statvfs(disk)
    return found.f_bavail * found.f_frsize


async def until(true: Callable[[], bool]) -> None:
    while not true():  # noqa: ASYNC110 - another process's disk tells nobody
        await asyncio.sleep(0.1)


def old_lines(place: Any, count: int) -> None:
    async def write() -> None:
        async with DecisionLog(place.database, max_waiting=count) as log:
            line = LogEntry(
                at=NOW - timedelta(days=60), kind="decision", outcome="granted",
                reason="own_file", peer="192.0.2.7", mac=PHONE, target_mac=PHONE,
                resource="x" * 400,
            )  # fmt: skip
            await asyncio.gather(*(log.record(line) for _ in range(count)))

    asyncio.run(write())


def prune(place: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PROGRAM, "log", "--state", str(place.state.root), "prune",
         "--older-than", "30d"],
        capture_output=True, text=True, env=clean_environment(), timeout=120,
    )  # fmt: skip


def test_prune_works_on_a_full_disk_with_nobody_serving(
    disk: Path, shared_lab: LabAuthority
) -> None:
    place = make_place(disk, shared_lab)
    old_lines(place, 3_000)
    reserve = Reserve(place.state.root, 8 * MIB)
    assert reserve.fill()
    place.database.close()
    fill(disk)
    assert room(disk) < 8_192
    ran = prune(place)
    assert ran.returncode == 0, ran.stderr
    assert "deleted 3000 entries" in ran.stdout
    assert re.search(r"the database is \d+\.\d MB smaller", ran.stderr)
    assert reserve.is_lent


async def test_phones_are_served_from_the_reserve_and_strangers_rows_dropped(
    disk: Path, shared_lab: LabAuthority
) -> None:
    place = make_place(disk, shared_lab)
    certificate, key = place.identity(place.phone)

    async def phone() -> Any:
        return await place.curl(
            "--cert", certificate, "--key", key,
            f"{server.url}/snomD785-{place.phone}.htm",
        )  # fmt: skip

    async with place.serving(log__reserve_mb=8) as server:
        reserve = Reserve(place.state.root, 8 * MIB)
        assert reserve.is_whole
        ballast = fill(disk)
        async with asyncio.timeout(60):
            for _ in range(400):  # until the room in the write-ahead log is used up
                got = await phone()
                assert place.password in got.out, got.err
                if reserve.is_lent:
                    break
            assert reserve.is_lent
            before = len(place.log())
            await asyncio.gather(
                *(refused_once(server.door.address[1]) for _ in range(20))
            )
            # Told as not on record.
            await until(lambda: server.counters.total(DROPPED) >= 20)
            for _ in range(50):
                assert place.password in (await phone()).out
            assert len(place.log()) == before + 50
            await until(lambda: server.counters.total(SHORT_OF_ROOM) > 0)
            overview = await place.curl(f"{server.status_url}overview.json")
            assert "the disk is full" in overview.out
            metrics = await place.curl(f"{server.status_url}metrics")
            assert "linekey_disk_full_workers 1.0" in metrics.out
            ready = await place.curl("-i", f"{server.status_url}readyz")
            assert " 200 " in ready.out.splitlines()[0]  # phones are served
            assert '"reserve"' in ready.out
            ballast.unlink()
            await until(lambda: reserve.is_whole)  # filled again by itself
            await until(lambda: not server.counters.total(SHORT_OF_ROOM))
            while "reserve" in (await place.curl(f"{server.status_url}readyz")).out:  # noqa: ASYNC110
                await asyncio.sleep(0.1)
            await refused_once(server.door.address[1])
            await until(lambda: place.log()[-1].reason == "hello.plain_http")
    place.database.close()
