"""The last released server, on a database that today's linekey has brought up to date.

Its code comes out of this repository by ``git archive``: the newest tag's; without a
tag that of the commit before the newest migration, or, if that is older than the rule
(CONTRIBUTING.md, "A migration"), the one that brought the rule. Where today's schema is
still that one's, the database is moved one step further, as the next expansion will do.

Without ``.git`` (an sdist) there is no other code, so this skips; so it does in a
shallow clone, with the cure.
"""

import asyncio
import io
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.live.conftest import PASSWORD, Place, fill_place
from tests.live.test_serve_command import (
    Serving,
    clean_environment,
    put_server_files,
    workers_of,
)
from tests.postgres import running_cluster
from tests.unit.store.test_beside import make_newer

import linekey
from linekey.store.beside import is_older
from linekey.store.database import open_database
from linekey.store.decisions import read_log
from linekey.store.paths import StateDir
from linekey.store.schema import HEAD

ROOT = Path(__file__).parents[2]
RULE = "src/linekey/store/beside.py"
MIGRATIONS = "src/linekey/store/migrations/versions"
START = (
    "import sys; sys.path.insert(0, {src!r}); from linekey.cli.main import main; main()"
)
GUARD_S = 60
"""Only so that a failure does not hang."""


def git(*words: str) -> str:
    ran = subprocess.run(
        ["git", "-C", str(ROOT), *words],
        capture_output=True,
        text=True,
        timeout=GUARD_S,
    )
    return ran.stdout.strip() if ran.returncode == 0 else ""


def has(commit: str, path: str) -> bool:
    return bool(commit) and bool(git("cat-file", "-t", f"{commit}:{path}"))


def last_server() -> str:
    """The commit whose code is started."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("no git repository here: there is no older server")
    if git("rev-parse", "--is-shallow-repository") == "true":
        pytest.skip(
            "this clone is shallow: git fetch --unshallow --tags (in a workflow:"
            " fetch-depth: 0)"
        )
    tag = git("describe", "--tags", "--abbrev=0", "--match", "v*", "HEAD")
    if tag and git("rev-parse", f"{tag}^{{commit}}") == git("rev-parse", "HEAD"):
        tag = git("describe", "--tags", "--abbrev=0", "--match", "v*", "HEAD^")
    newest = sorted((ROOT / MIGRATIONS).glob("v*.py"))[-1].name
    added = git("log", "-1", "--diff-filter=A", "--format=%H", "--", f"{MIGRATIONS}/{newest}")  # fmt: skip
    before = git("rev-parse", f"{added}^") if added else git("rev-parse", "HEAD")
    rule = git("log", "--diff-filter=A", "--format=%H", "--", RULE).splitlines()
    for commit in (tag, before, *rule):
        if has(commit, RULE):
            return commit
    pytest.skip("the rule is not committed yet")


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the older server's code."""
    commit = last_server()
    folder = tmp_path_factory.mktemp("older")
    packed = subprocess.run(
        ["git", "-C", str(ROOT), "archive", commit, "src"],
        capture_output=True, check=True, timeout=GUARD_S,
    ).stdout  # fmt: skip
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(folder, filter="data")
    return folder / "src"


def knows(src: Path) -> str:
    """The newest schema that this code knows."""
    text = (src / "linekey/store/schema.py").read_text("utf-8")
    found = re.search(r'^HEAD = "(v\d{4})"$', text, re.MULTILINE)
    assert found is not None
    return found[1]


@pytest.fixture(
    params=["sqlite", pytest.param("postgresql", marks=pytest.mark.peer("postgres"))]
)
def upgraded(
    request: pytest.FixtureRequest, tmp_path: Path, shared_lab: Any, older: Path
) -> Iterator[Place]:
    """A registry whose schema is newer than the older server's code."""
    with running_cluster() if request.param == "postgresql" else _nothing() as cluster:
        url = None
        if cluster is not None:
            url = cluster.new()
        state = StateDir.open(tmp_path / "state")
        place = fill_place(state, open_database(state, url), tmp_path, shared_lab)
        if knows(older) == HEAD:
            make_newer(place.database, HEAD)
        put_server_files(place)
        if url is not None:
            settings = state.settings_file
            settings.write_text(f'database_url = "{url}"\n{settings.read_text()}')
        yield place
        place.database.close()


class _nothing:  # noqa: N801 - stands where a context manager is wanted
    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...


@pytest.mark.peer("curl")
async def test_the_last_server_starts_beside_the_newer_one_and_serves_its_phones(
    upgraded: Place, older: Path
) -> None:
    program = [sys.executable, "-c", START.format(src=str(older))]
    where = await asyncio.create_subprocess_exec(
        sys.executable, "-c",
        f"import sys; sys.path.insert(0, {str(older)!r}); import linekey; print(linekey.__file__)",
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, _ = await where.communicate()
    assert Path(out.decode().strip()) == older / "linekey/__init__.py"
    assert Path(linekey.__file__) != older / "linekey/__init__.py"
    process = await asyncio.create_subprocess_exec(
        *program, "serve", "--state", str(upgraded.state.root), "--workers", "2",
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
        env=clean_environment() | {"PYTHONPATH": str(older)},  # the workers', too
    )  # fmt: skip
    serving = Serving(process)
    try:
        serving.url = (await serving.until(r"phones: (https://\S+)/")).group(1)
        await serving.until("Ctrl-C")
        with upgraded.database.read() as connection:
            stage = connection.exec_driver_sql(
                "SELECT version_num FROM alembic_version"
            )
            assert is_older(knows(older), str(stage.scalar_one()))
        await served(upgraded, serving)
        # A worker that dies has to start on the newer tables.
        os.kill(workers_of(process.pid)[0], signal.SIGKILL)
        await serving.until("started again at once")
        for _ in range(4):
            await served(upgraded, serving)
        assert await serving.end() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()
    assert "Traceback" not in "".join(serving.lines)
    # What it decided is on today's record.
    log = read_log(upgraded.database)
    assert [e.mac for e in log if e.outcome == "granted"] == [upgraded.phone] * 5


async def served(place: Place, serving: Serving) -> None:
    certificate, key = place.identity(place.phone)
    got = await place.curl(
        "--cert", certificate, "--key", key, "--retry", "5", "--retry-connrefused",
        f"{serving.url}/snomD785-{place.phone}.htm",
    )  # fmt: skip
    assert PASSWORD in got.out, got.said
