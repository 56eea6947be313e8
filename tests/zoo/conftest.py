"""One set of keys a run, and a resolver that knows the zoo."""

import asyncio
from typing import Any

import pytest
from tests.zoo.visits import NOW

from linekey.lab.authority import LabAuthority
from linekey.lab.servers.running import ZooKeeper


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> LabAuthority:
    return LabAuthority.open(tmp_path_factory.mktemp("zoo-lab"))


@pytest.fixture(scope="session")
def keeper(tmp_path_factory: pytest.TempPathFactory, lab: LabAuthority) -> ZooKeeper:
    return ZooKeeper(tmp_path_factory.mktemp("zoo"), NOW, lab)


@pytest.fixture
async def zoo_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """``*.zoo.test`` is this machine, as a test network's DNS would say."""
    loop = asyncio.get_running_loop()
    ask = loop.getaddrinfo

    async def resolve(host: Any, port: Any, **options: Any) -> Any:
        known = isinstance(host, str) and host.endswith(".zoo.test")
        return await ask("127.0.0.1" if known else host, port, **options)

    monkeypatch.setattr(loop, "getaddrinfo", resolve)
