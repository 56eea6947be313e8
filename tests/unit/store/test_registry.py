import asyncio
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from tests.certificates import certificate, ec

import linekey.store.registry
from linekey.mac import Mac
from linekey.provisioning.device import Device
from linekey.provisioning.document import Layer, Setting
from linekey.provisioning.files import SharedLayers
from linekey.provisioning.group import Group
from linekey.store.database import Database, open_database
from linekey.store.devices import Devices
from linekey.store.groups import Groups
from linekey.store.layers import Layers, Scope
from linekey.store.registry import Registry
from linekey.store.vendor_cas import VendorCas, describe_ca

MAC = Mac("000413AABBCC")


@pytest.fixture
def registry(database: Database) -> Iterator[Registry]:
    with Registry(database) as registry:
        yield registry


async def test_a_device_is_found_as_it_is_now(
    database: Database, registry: Registry, now: datetime
) -> None:
    assert await registry.find(MAC, await registry.revision()) is None
    added = Devices(database).add(Device(MAC, "snom", "D785"), now)
    assert await registry.find(MAC, await registry.revision()) == added
    assert await registry.find(MAC, await registry.revision()) is await registry.find(
        MAC, await registry.revision()
    ), "read once"


REVOKER = """
import sys
from datetime import datetime, UTC
from linekey.mac import Mac
from linekey.store.devices import Devices
from linekey.store.opening import open_store
with open_store(sys.argv[1]) as database:
    Devices(database).revoke(Mac(sys.argv[2]), "stolen", datetime.now(UTC))
"""


async def test_a_revocation_by_another_process_holds_at_the_next_look(
    database: Database, registry: Registry, now: datetime
) -> None:
    Devices(database).add(Device(MAC, "snom"), now)
    device = await registry.find(MAC, await registry.revision())
    assert device is not None
    assert device.state == "active"
    revoker = await asyncio.create_subprocess_exec(
        sys.executable, "-c", REVOKER, str(database.state.root), MAC.digits
    )
    assert await revoker.wait() == 0
    device = await registry.find(MAC, await registry.revision())
    assert device is not None
    assert device.state == "revoked"


async def test_removed_and_added_again_is_not_the_old_one(
    database: Database, registry: Registry, now: datetime
) -> None:
    devices = Devices(database)
    devices.add(Device(MAC, "snom", label="old"), now)
    assert (await registry.find(MAC, await registry.revision())) is not None
    devices.remove(MAC, now)
    devices.add(Device(MAC, "snom", label="new"), now)
    device = await registry.find(MAC, await registry.revision())
    assert device is not None
    assert device.label == "new"
    devices.remove(MAC, now)
    assert await registry.find(MAC, await registry.revision()) is None


async def test_a_change_of_another_device_does_not_read_this_one_again(
    database: Database, registry: Registry, now: datetime
) -> None:
    devices = Devices(database)
    devices.add(Device(MAC, "snom"), now)
    before = await registry.find(MAC, await registry.revision())
    devices.add(Device(Mac("000413000001"), "snom"), now)
    assert await registry.find(MAC, await registry.revision()) is before


async def test_layers_follow_every_change_and_tell_their_version(
    database: Database, registry: Registry, now: datetime
) -> None:
    layers = Layers(database)
    empty = await registry.layers("D785", await registry.revision())
    assert (empty.fleet, empty.model, empty.version) == (Layer(), Layer(), (0, 0, 0))

    def how(value: str) -> Layer:
        return Layer((Setting("user_pass", value),))

    layers.change(Scope.fleet(), lambda _: how("1"), now)
    layers.change(Scope.model("D785"), lambda _: how("2"), now)
    shared = await registry.layers("D785", await registry.revision())
    assert (shared.fleet, shared.model) == (how("1"), how("2"))
    assert await registry.layers("D785", await registry.revision()) is shared
    assert (await registry.layers(None, await registry.revision())).model == Layer()
    assert (await registry.layers("D715", await registry.revision())).version == (
        shared.version[0],
        0,
        0,
    )
    layers.change(Scope.fleet(), lambda _: how("3"), now)
    again = await registry.layers("D785", await registry.revision())
    assert again.fleet == how("3")
    assert again.version != shared.version


async def test_a_groups_layer_and_its_cas_follow_every_change(
    database: Database, registry: Registry, now: datetime
) -> None:
    groups, layers = Groups(database), Layers(database)

    async def ask(group: str | None) -> SharedLayers:
        return await registry.layers("D785", await registry.revision(), group)

    def how(value: str) -> Layer:
        return Layer((Setting("user_pass", value),))

    assert (await ask("acme")).group is None  # not there
    groups.add(Group("acme"), now)
    groups.add(Group("beta"), now)
    layers.change(Scope.group("acme"), lambda _: how("1"), now)
    layers.change(Scope.group("beta"), lambda _: how("2"), now)
    layers.change(Scope.model("D785"), lambda _: how("3"), now)
    first = await ask("acme")
    assert first.all == (Layer(), how("1"), how("3"))
    assert await ask("acme") is first
    assert (await ask("beta")).all == (Layer(), how("2"), how("3"))
    assert (await ask(None)).all == (Layer(), Layer(), how("3"))
    assert (await ask("beta")).key != first.key != (await ask(None)).key
    groups.change("acme", lambda g: replace(g, authorities={"a": "b"}), now)
    found = (await ask("acme")).group
    assert found is not None
    assert (found.allows(("b",)), found.allows(("a", "c"))) == (True, False)
    # Made again under its name, with as many changes: nothing kept is taken for it.
    groups.remove("acme", now)
    assert (await ask("acme")).all == (Layer(), Layer(), how("3"))
    groups.add(Group("acme"), now)
    layers.change(Scope.group("acme"), lambda _: how("4"), now)
    assert (await ask("acme")).of_group == how("4")
    assert (await ask("acme")).key != first.key


async def test_authorities_follow_the_trust_list(
    database: Database, registry: Registry
) -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    ca = certificate("Some CA", ec("ca"), ca=True)
    empty = await registry.authorities(await registry.revision())
    assert (empty.roots, empty.intermediates) == ((), ())
    VendorCas(database).add([describe_ca(ca, at)])
    found = await registry.authorities(await registry.revision())
    assert found.roots == (ca,)
    assert found.version != empty.version
    assert await registry.authorities(await registry.revision()) is found
    VendorCas(database).remove(ca.sha256)
    assert (await registry.authorities(await registry.revision())).roots == ()


async def test_only_so_many_devices_are_kept(
    database: Database,
    registry: Registry,
    now: datetime,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(linekey.store.registry, "MAX_CACHED", 3)
    macs = [Mac(f"000413{n:06X}") for n in range(9)]
    Devices(database).add_all([Device(mac, "snom") for mac in macs], now)
    for mac in (*macs, *macs):
        device = await registry.find(mac, await registry.revision())
        assert device is not None
        assert device.mac == mac
    for n in range(100):
        assert (
            await registry.find(Mac(f"AABBCC{n:06X}"), await registry.revision())
            is None
        )
    assert len(registry._devices) == 3


async def test_a_record_that_cannot_be_read_does_not_stop_the_others(
    database: Database, registry: Registry, now: datetime
) -> None:
    other = Mac("000413000001")
    secret = Layer((Setting("user_pass", "p", 1),))
    Devices(database).add_all(
        [replace(Device(mac, "snom"), layer=secret) for mac in (MAC, other)], now
    )
    with database.write() as connection:
        connection.exec_driver_sql(
            "UPDATE devices SET sealed = X'00' WHERE mac = ?", (MAC.digits,)
        )
    with pytest.raises(Exception, match="secrets of device"):
        await registry.find(MAC, await registry.revision())
    assert (await registry.find(other, await registry.revision())) is not None


def test_a_closed_registry_lets_the_database_go(database: Database) -> None:
    with Registry(database), open_database(database.state) as other:
        Registry(other).close()
