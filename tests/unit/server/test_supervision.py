"""What the service manager is told: when all serve, who hangs, what is wrong."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from linekey.mac import Mac
from linekey.provisioning.device import Device
from linekey.server import supervision
from linekey.server.counters import Counters
from linekey.server.supervision import Supervision, beating, silent, status_text
from linekey.store.database import Database, open_database
from linekey.store.devices import Devices
from linekey.store.paths import StateDir
from linekey.wire.readiness import READY, STATES, Readiness
from linekey.wire.service_manager import ServiceManager

EXPIRES = datetime(2027, 1, 3, tzinfo=UTC)
WELL = Readiness(True, "", "", 2)


@pytest.mark.parametrize(
    ("silences", "hanging"),
    [
        ([0.5, 1.0], []),
        ([15.0, 15.1], [1]),
        ([-60.0, 40.0, 41.0], [1, 2]),  # the first is being started
        ([], []),
    ],
)
def test_a_worker_hangs_after_half_of_the_watchdogs_time(
    silences: list[float], hanging: list[int]
) -> None:
    assert silent(silences, 30.0) == hanging


@pytest.mark.parametrize(
    ("found", "options", "text"),
    [
        (WELL, {}, "serving: 2 workers, 1,042 phones registered, certificate until 2027-01-03"),
        (WELL, {"phones": None}, "serving: 2 workers, certificate until 2027-01-03"),
        (Readiness(True, "", "", 1), {"workers": 1, "phones": 0},
         "serving: 1 worker, 0 phones registered, certificate until 2027-01-03"),
        (Readiness(True, "reserve", "the disk is full", 2), {"phones": None},
         "serving: 2 workers, certificate until 2027-01-03; the disk is full"),
        (Readiness(False, "slow", "the database does not answer in time", 1), {},
         "cannot serve phones: the database does not answer in time"),
        (Readiness(False, "silent", "…", 0), {}, "0 of 2 workers can serve"),
        (Readiness(True, "", "", 1), {"started": False}, "starting: 1 of 2 workers can serve"),
        (WELL, {"kept": "it has expired", "phones": None},
         "kept the old certificate: it has expired; "
         "serving: 2 workers, certificate until 2027-01-03"),
    ],
)  # fmt: skip
def test_the_status_says_how_many_or_what_is_wrong(
    found: Readiness, options: dict[str, object], text: str
) -> None:
    given: dict[str, object] = {
        "workers": 2, "started": True, "phones": 1042, "expires": EXPIRES, **options,
    }  # fmt: skip
    assert status_text(found, **given) == text  # type: ignore[arg-type]


class Manager:
    """A service manager that keeps what it hears."""

    def __init__(self, folder: Path) -> None:
        self.heard = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.heard.bind(str(folder / "notify"))
        self.heard.setblocking(False)
        self.address = str(folder / "notify")

    async def next(self, beginning: str = "") -> str:
        """The next message that starts so."""
        async with asyncio.timeout(20):
            while True:
                data = await asyncio.get_running_loop().sock_recv(self.heard, 4096)
                if data.decode().startswith(beginning):
                    return data.decode()

    def missed(self) -> list[str]:
        """What it has heard and nobody asked for."""
        found = []
        while True:
            try:
                found.append(self.heard.recv(4096).decode())
            except BlockingIOError:
                return found


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    made = Manager(tmp_path)
    yield made
    made.heard.close()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with open_database(StateDir.open(tmp_path / "state")) as found:
        yield found


@asynccontextmanager
async def supervised(
    manager: Manager, counters: Counters, database: Database, watchdog_s: float | None
) -> AsyncIterator[Supervision]:
    told = ServiceManager(manager.address, watchdog_s)
    async with Supervision(
        told, counters, database, workers=2, expires=lambda: EXPIRES
    ) as made:
        yield made


async def test_it_is_ready_when_every_worker_is(
    manager: Manager, database: Database
) -> None:
    Devices(database).add(Device(Mac("000413AABBCC"), "snom", "D785"), EXPIRES)
    counters = Counters(2)
    counters.say(0, READY)
    async with supervised(manager, counters, database, None) as made:
        assert await manager.next() == "STATUS=starting: 1 of 2 workers can serve"
        made.reloading()  # told before all serve, it must not end the start
        made.reloaded()
        counters.say(1, STATES.index("busy"))
        said = await manager.next("STATUS=cannot serve")
        assert "lock" in said
        assert not any("READY=1" in one for one in manager.missed())
        counters.say(0, READY)
        counters.say(1, READY)
        assert await manager.next("READY=1") == (
            "READY=1\nSTATUS=serving: 2 workers, 1 phone registered, "
            "certificate until 2027-01-03"
        )


async def test_a_reload_is_told_from_its_beginning_to_its_end(
    manager: Manager, database: Database
) -> None:
    counters = Counters(2)
    counters.say(0, READY)
    counters.say(1, READY)
    async with supervised(manager, counters, database, None) as made:
        await manager.next("READY=1")
        made.reloading()
        said = await manager.next("RELOADING=1")
        assert int(said.partition("\nMONOTONIC_USEC=")[2]) > 0
        made.reloaded("it has expired")
        assert await manager.next("READY=1") == (
            "READY=1\nSTATUS=kept the old certificate: it has expired"
        )
        assert "; serving: 2 workers" in await manager.next("STATUS=kept the old")
        made.reloaded()
        await manager.next("READY=1\nSTATUS=reloaded")
        made.stopping(10.0, 5.0)
        said = await manager.next("STOPPING=1\nEXTEND_TIMEOUT_USEC=50000000\nSTATUS=")
        assert said.endswith(
            "=telling load balancers for 10 s, then finishing the answers under way"
        )


async def test_the_watchdog_hears_nothing_while_a_worker_is_silent(
    manager: Manager, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervision, "_AGAIN_S", 0.01)
    counters = Counters(2)
    counters.beat(1, within_s=-60)  # its last sign of life is a minute old
    async with beating(counters, 0), supervised(manager, counters, database, 4.0):
        said = await manager.next("STATUS=no sign of life")
        assert said == "STATUS=no sign of life from worker 1: restart is due"
        assert not any("WATCHDOG=1" in one for one in manager.missed())
        counters.beat(1, within_s=supervision.START_S)  # it is started again
        await manager.next("WATCHDOG=1")


async def test_without_a_service_manager_nothing_runs(database: Database) -> None:
    before = asyncio.all_tasks()
    nobody = ServiceManager("", 30.0)
    async with Supervision(
        nobody, Counters(2), database, workers=2, expires=lambda: EXPIRES
    ) as made:
        assert asyncio.all_tasks() == before
        made.reloading()
        made.reloaded()
        made.stopping()
