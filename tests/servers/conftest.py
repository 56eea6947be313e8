"""One set of keys a run, and a resolver that knows the test servers."""

import asyncio
from typing import Any

import pytest
from tests.servers.visits import NOW

from linekey.lab.authority import LabAuthority
from linekey.lab.servers.running import Launcher


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> LabAuthority:
    return LabAuthority.open(tmp_path_factory.mktemp("lab"))


@pytest.fixture(scope="session")
def launcher(tmp_path_factory: pytest.TempPathFactory, lab: LabAuthority) -> Launcher:
    return Launcher(tmp_path_factory.mktemp("servers"), NOW, lab)


@pytest.fixture
async def test_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """``*.linekey.test`` is this machine, as a test network's DNS would say."""
    loop = asyncio.get_running_loop()
    ask = loop.getaddrinfo

    async def resolve(host: Any, port: Any, **options: Any) -> Any:
        known = isinstance(host, str) and host.endswith(".linekey.test")
        return await ask("127.0.0.1" if known else host, port, **options)

    monkeypatch.setattr(loop, "getaddrinfo", resolve)
