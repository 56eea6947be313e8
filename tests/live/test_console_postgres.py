"""Alerts, their messages, users and the console on PostgreSQL, in SQLite's words.

The tests are those of the store and of the console, asked of another database: one
cluster and one database, emptied before each.
"""

import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.pending import A, came, note
from tests.postgres import remembered, running_cluster
from tests.unit.console.web.conftest import PASSWORD, World, text_of
from tests.unit.store import (
    test_alerts,
    test_leases,
    test_log_counts,
    test_notices,
    test_outbox,
    test_sessions,
)
from tests.unit.store.conftest import NOW

from linekey.provisioning.group import Group
from linekey.store.database import Database, open_database
from linekey.store.devices import Devices
from linekey.store.groups import Groups
from linekey.store.paths import StateDir
from linekey.store.users import Users

pytestmark = pytest.mark.peer("postgres")

MODULES = (
    test_alerts, test_leases, test_log_counts, test_notices, test_outbox, test_sessions,
)  # fmt: skip
OF_A_FILE = {"test_what_waits_is_there_after_a_restart"}
"""It opens the folder again."""


def cases() -> Iterator[Any]:
    """Those that need a database and nothing else."""
    for module in MODULES:
        for name, case in inspect.getmembers(module, inspect.isfunction):
            wants = set(inspect.signature(case).parameters)
            is_one = name.startswith("test_") and name not in OF_A_FILE
            if is_one and {"database"} <= wants <= {"database", "now"}:
                yield pytest.param(case, id=f"{module.__name__[-10:]}-{name}")


@pytest.fixture(scope="module")
def emptied(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[[], Database]]:
    root = tmp_path_factory.mktemp("console") / "state"
    with (
        running_cluster() as cluster,
        open_database(StateDir.open(root), cluster.new()) as database,
    ):
        again = remembered(database)

        def empty() -> Database:
            again()
            return database

        yield empty


@pytest.fixture
def database(emptied: Callable[[], Database]) -> Database:
    return emptied()


@pytest.mark.parametrize("case", list(cases()))
async def test_it_is_the_same_there(
    case: Callable[..., Any], database: Database
) -> None:
    given = {"database": database, "now": NOW}
    wants = inspect.signature(case).parameters
    done = case(**{name: given[name] for name in wants})
    if inspect.isawaitable(done):
        await done


async def test_the_consoles_pages(database: Database, tmp_path: Path) -> None:
    world = World(database)
    Groups(database).add(Group("acme"), world.now)
    await note(database, came(A, certificate_model="D785"))
    Users(database).add("anna", "admin", world.now, password=PASSWORD)
    async with world.console() as browser:
        assert (await browser.log_in("anna", "not it")).status_code == 401
        assert (await browser.log_in()).status_code == 303
        form = {"label": "Hall 2", "to_group": "acme"}
        done = await browser.post(f"pending/{A}/do/approve", form, f"pending/{A}")
        assert done.status_code == 303, text_of(done)
        assert Devices(database).get(A).group == "acme"
        many = {"which": "found", "q": "hall", "action": "revoke", "value": "lost"}
        assert "1 phone is meant" in text_of(
            await browser.post("phones/bulk", many, "phones")
        )
        for path in (
            "", "?span=week", "phones?q=hall&sort=-label&seen=never&refused=1",
            f"phones/{A}", f"phones/{A}/file", "pending?state=refused", "pending/rules",
            f"decisions?mac={A}&q=nowhere", "forecast", "forecast?anew=1", "layers",
            "layers/fleet", "authorities", f"changes?mac={A}", "users", "phones/new",
        ):  # fmt: skip
            page = await browser.get(path)
            assert page.status_code == 200, (path, text_of(page))
