"""A database of each earlier schema, with rows in it, is opened: all is still there."""

from datetime import datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

import linekey.store
from linekey.mac import Mac
from linekey.provisioning.device import Device, DigestCredential
from linekey.provisioning.document import Layer, Setting
from linekey.store.database import KEY_CHECK, KEY_TEXT, open_database
from linekey.store.devices import Devices
from linekey.store.layers import Layers, Scope
from linekey.store.paths import StateDir
from linekey.store.records import device_values, layer_values
from linekey.store.rotation import rotate_key, rotation
from linekey.store.schema import HEAD
from linekey.store.secrets import KeyRing

MIGRATIONS = Path(linekey.store.__file__).parent / "migrations"
SECRET = Layer((Setting("user_pass", "geheim", 1),))
DEVICE = Device(
    Mac("000413AABBCC"), "snom", "D785", label="Zürich", layer=SECRET,
    digest=DigestCredential.create("desk", "linekey", "4711"), version=7,
)  # fmt: skip


def earlier() -> list[str]:
    steps = ScriptDirectory(str(MIGRATIONS)).walk_revisions()
    return [step.revision for step in steps if step.revision != HEAD]


def make_old(state: StateDir, stage: str) -> None:
    """Make the database as the linekey of that schema left it."""
    state.make_private_file(state.database_file)
    keys = KeyRing.open(state, new=True)
    engine = sa.create_engine(f"sqlite:///{state.database_file}")
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, stage)
        old = sa.MetaData()
        old.reflect(connection)

        def put(table: str, **values: object) -> None:
            there = {c.name for c in old.tables[table].columns}
            connection.execute(
                sa.insert(old.tables[table]).values(
                    {name: value for name, value in values.items() if name in there}
                )
            )

        put("meta", name="key_check", sealed=keys.seal(KEY_TEXT, KEY_CHECK))
        put("devices", changed_at=1, **device_values(DEVICE, keys))
        put(
            "layers", scope="fleet", version=3, changed_at=1,
            **layer_values("fleet", SECRET, keys),
        )  # fmt: skip
    engine.dispose()


@pytest.mark.parametrize("stage", earlier())
def test_an_earlier_database_is_opened_with_everything_in_it(
    state: StateDir, now: datetime, stage: str
) -> None:
    make_old(state, stage)
    with open_database(state) as database:
        assert Devices(database).get(DEVICE.mac) == DEVICE
        assert Layers(database).get(Scope.fleet()) == SECRET
        assert rotate_key(database) == 2
        assert rotation(database).done
        assert Devices(database).get(DEVICE.mac) == DEVICE
