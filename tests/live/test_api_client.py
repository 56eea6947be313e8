"""A client that openapi-python-client makes of ``docs/reference/openapi.json``."""

import asyncio
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.live.conftest import NOW
from tests.live.test_serve_command import fetch, put_server_files, serve
from tools.client_generator import ROOT, generator

from linekey.provisioning.group import Group
from linekey.store.groups import Groups
from linekey.store.tokens import ApiTokens, Scope

CALLS = Path(__file__).with_name("client_calls.py")

pytestmark = pytest.mark.peer("curl")


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The environment's Python, and the folder with the package."""
    python, folder = generator(), tmp_path_factory.mktemp("client")
    settings = folder / "settings.yml"
    settings.write_text("package_name_override: linekey_client\npost_hooks: []\n")
    made = subprocess.run(
        [str(python), "-m", "openapi_python_client", "generate",
         "--path", str(ROOT / "docs/reference/openapi.json"), "--config", str(settings),
         "--output-path", str(folder / "linekey_client"), "--meta", "none",
         "--fail-on-warning"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    assert made.returncode == 0, made.stdout
    assert "WARNING" not in made.stdout
    return python, folder


async def test_a_generated_client_reads_and_changes(
    place: Any, client: tuple[Path, Path]
) -> None:
    python, folder = client
    put_server_files(place)
    Groups(place.database).add(Group("acme"), NOW)
    tokens = ApiTokens(place.database)
    admin = tokens.add("pbx", Scope.ADMIN, None, NOW)
    of_acme = tokens.add("acme", Scope.ADMIN, None, NOW, ["acme"])
    reader = tokens.add("reader", Scope.READ, None, NOW)
    async with serve(place) as serving:
        assert place.password in (await fetch(place, serving)).out
        process = await asyncio.create_subprocess_exec(
            str(python), str(CALLS), f"{serving.status_url}api/v1",
            admin, of_acme, reader,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
            cwd=folder, env={"PYTHONPATH": str(folder), "PATH": "/usr/bin:/bin"},
        )  # fmt: skip
        async with asyncio.timeout(120):
            out, _ = await process.communicate()
        assert process.returncode == 0, out.decode()
        assert await serving.end() == 0
