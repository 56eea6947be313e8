"""docs/howto/several-servers.md, run to the letter: two servers, HAProxy, PostgreSQL.

The page's commands run in one shell, in a folder of their own, while phones ask all the
time; only its addresses on loopback are others for each run, so that two runs do not
meet. The tests are one walk: each leaves what the next one needs.
"""

import asyncio
import contextlib
import os
import random
import re
import shlex
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from tests.live.asking import Asking
from tests.postgres import PLACES

from linekey.export.pass_through import parse_member, pass_through
from linekey.export.request import parse_listen
from linekey.store.decisions import read_log
from linekey.store.opening import open_store

pytestmark = [
    pytest.mark.peer("haproxy"), pytest.mark.peer("postgres"), pytest.mark.peer("curl"),
    pytest.mark.peer("openssl"), pytest.mark.asyncio(loop_scope="module"),
]  # fmt: skip

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "howto" / "several-servers.md"
EXAMPLE = ROOT / "examples" / "several-servers"
BLOCK = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
ADDRESS = re.compile(r"\b127\.0\.0\.(1[0-2]|2[12])\b")
MAC = "000413000001"
GUARD_S = 120
"""Only so that a failure does not hang."""
AS_NOBODY = ("initdb", "pg_ctl", "pg_basebackup", "createdb", "psql")
"""What refuses root, or belongs to what does."""


def commands(heading: str) -> list[str]:
    """The commands of one section of the page."""
    _, found, section = PAGE.read_text("utf-8").partition(f"\n## {heading}\n")
    assert found, heading
    section = section.partition("\n## ")[0]
    lines = "".join(BLOCK.findall(section)).splitlines()
    return [line[2:] for line in lines if line.startswith("$ ")]


@dataclass
class World:
    """A shell in the example's folder, and the network that stands for the page's."""

    folder: Path
    network: str
    shell: asyncio.subprocess.Process
    said: dict[str, str] = field(default_factory=dict)

    def here(self, text: str) -> str:
        return ADDRESS.sub(rf"{self.network}.\1", text)

    async def follow(self, heading: str) -> str:
        """Run a section; what it printed altogether."""
        return "".join([await self.run(line) for line in commands(heading)])

    async def run(self, command: str) -> str:
        """Run one of the page's commands; it has to succeed."""
        assert self.shell.stdin is not None
        assert self.shell.stdout is not None
        self.shell.stdin.write(f'{self.here(command)}\necho "=== $? ==="\n'.encode())
        lines = []
        async with asyncio.timeout(GUARD_S):
            while True:
                line = (await self.shell.stdout.readline()).decode("utf-8", "replace")
                assert line, f"the shell ended in {command}:\n{''.join(lines)}"
                if found := re.fullmatch(r"(.*)=== (\d+) ===\n", line):
                    lines.append(found[1])
                    break
                lines.append(line)
        said = self.said[command] = "".join(lines)
        assert found[2] == "0", f"{command}:\n{said}\n{self.logs()}"
        return said

    def logs(self) -> str:
        return "\n".join(
            f"--- {path.name}\n{path.read_text('utf-8', 'replace')[-3000:]}"
            for path in sorted(self.folder.glob("*.log"))
        )

    def asking(self, **given: Any) -> Asking:
        pair = self.folder / "phones" / MAC
        return Asking(
            (self.here("127.0.0.10"), 8443), self.folder / "ca.pem",
            (f"{pair}.pem", f"{pair}.key"), f"/snomD785-{MAC}.htm", "Deutsch",
            "phones.example.test", **given,
        )  # fmt: skip

    def granted(self) -> int:
        """How many files left, by the record."""
        with open_store(self.folder / "one", create=False) as database:
            return sum(e.outcome == "granted" for e in read_log(database))

    def peers(self) -> set[str]:
        """Whom files went to, by the record."""
        with open_store(self.folder / "one", create=False) as database:
            return {e.peer for e in read_log(database) if e.outcome == "granted"}

    def refused(self) -> list[str]:
        with open_store(self.folder / "one", create=False) as database:
            return [e.reason for e in read_log(database) if e.outcome == "refused"]


# PostgreSQL's own folder first: Debian's programs in /usr/bin choose a version by name.
PATHS = os.pathsep.join(reversed(PLACES.split(os.pathsep)))


def preamble() -> Iterator[str]:
    """Where programs lie, and who runs what refuses root."""
    program = Path(sys.executable).parent
    yield f"export PATH={program}:/usr/sbin:{shlex.quote(PATHS)}"
    yield "export NO_COLOR=1"
    if os.geteuid() != 0:
        yield "export LINEKEY_AS_MYSELF=1"
        return
    for name in AS_NOBODY:
        path = shutil.which(name, path=PATHS)
        assert path is not None
        real = shlex.quote(path)
        yield f'{name}() {{ runuser -u nobody -- {real} "$@"; }}'


def free_network() -> str:
    return f"127.{random.randint(10, 250)}.{random.randint(1, 250)}"


def make_folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="linekey-several-"))
    folder.chmod(0o755)
    if os.geteuid() == 0:
        shutil.chown(folder, "nobody")
    return folder


def move_here(made: World) -> None:
    """Put this run's addresses in place of the example's."""
    for path in made.folder.rglob("*"):
        if path.suffix in (".toml", ".cfg", ".conf"):
            path.write_text(made.here(path.read_text("utf-8")))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world() -> AsyncIterator[World]:
    folder = make_folder()
    environment = {k: v for k, v in os.environ.items() if not k.startswith("LINEKEY_")}
    shell = await asyncio.create_subprocess_exec(
        "bash", "--norc", cwd=folder, env=environment, start_new_session=True,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    made = World(folder, free_network(), shell)
    try:
        for line in preamble():
            await made.run(line)
        copy, *rest = commands("Make it")
        await made.run(copy.replace("examples/several-servers", str(EXAMPLE)))
        move_here(made)
        for command in rest:
            await made.run(command)
        await made.follow("Start it")
        yield made
    finally:
        await end(made)


async def end(made: World) -> None:
    """Whatever a test has left: all of it is in the shell's session, or PostgreSQL."""
    for name in ("haproxy", "one", "two"):
        with contextlib.suppress(OSError, ValueError):
            os.kill(int((made.folder / f"{name}.pid").read_text()), 15)
    for name in ("standby", "primary"):
        with contextlib.suppress(AssertionError, TimeoutError, OSError):
            if (made.folder / name / "postmaster.pid").exists():
                await made.run(f"pg_ctl -D {name} -m immediate stop")
    with contextlib.suppress(ProcessLookupError):
        os.killpg(made.shell.pid, 15)
    made.shell.kill()
    await made.shell.wait()
    shutil.rmtree(made.folder, ignore_errors=True)


async def test_the_examples_haproxy_is_what_linekey_exports() -> None:
    members = ["one=127.0.0.11:8443", "two=127.0.0.12:8443"]
    made = pass_through(
        [parse_member(text) for text in members],
        listen=parse_listen("127.0.0.10:8443", 443), folder="/etc/linekey/haproxy",
    )  # fmt: skip
    assert (EXAMPLE / "haproxy.cfg").read_text("utf-8") == made.files[0].text
    text = PAGE.read_text("utf-8")
    for member in members:
        assert f"--server {member}" in text


async def test_the_page_ends_with_a_phone_that_has_its_file(world: World) -> None:
    (fetched,) = [s for c, s in world.said.items() if c.startswith("curl")]
    assert "Deutsch" in fetched
    (log,) = [s for c, s in world.said.items() if c.startswith("linekey log")]
    assert MAC in log
    assert "from 127.0.0.1" in log


async def test_one_server_after_the_other_is_restarted_and_no_phone_fails(
    world: World,
) -> None:
    async with world.asking() as phones:
        await phones.more()
        await world.follow("Restart one server after the other")
        await phones.until_served()
    assert phones.failed == [], world.logs()
    assert phones.served > 100
    assert world.refused() == []
    # Each by its own address, which HAProxy told, and none by HAProxy's.
    assert world.peers() == {"127.0.0.1", *phones.sources}


async def test_a_lost_server_is_not_missed(world: World) -> None:
    lose, *again = commands("Lose a server")
    async with world.asking() as phones:
        await phones.more()
        await world.run(lose)
        killed = asyncio.get_running_loop().time()
        await phones.until_served(5)
        for command in again:
            await world.run(command)
        await phones.until_served()
    late = [a for a in phones.failed if a.at - a.seconds > killed + 1.0]
    assert late == [], world.logs()
    assert len(phones.failed) <= len(phones.sources)


async def test_a_fail_over_loses_no_decision_and_needs_no_restart(world: World) -> None:
    before = world.granted()
    pids = [(world.folder / f"{name}.pid").read_text() for name in ("one", "two")]
    stop, promote = commands("The database fails over")
    async with world.asking(pause_s=0.05) as phones:
        await phones.more()
        await world.run(stop)
        while not any(a.status == 503 for a in phones.asked):
            await phones.more(1)
        await phones.more(2)  # for as long as there is no database
        await world.run(promote)
        await phones.until_served()
    told = [a for a in phones.failed if a.status == 503]
    assert told
    assert all(a.retry_after for a in told), "each is told when to come again"
    lost = [a for a in phones.failed if a.status != 503]
    assert len(lost) <= len(phones.sources), lost  # under way at HAProxy's change
    for pid in pids:
        os.kill(int(pid), 0)  # the very processes
    # Every file that left is on the record of the database that took over.
    assert world.granted() - before >= phones.served


async def test_it_stops_as_the_page_has_it(world: World) -> None:
    await world.follow("Stop it")
    for name in ("one", "two", "haproxy"):
        pid = int((world.folder / f"{name}.pid").read_text())
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    for name in ("one", "two"):
        log = (world.folder / f"{name}.log").read_text()
        assert "shut down cleanly" in log
        assert "Traceback" not in log
