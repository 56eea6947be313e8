"""A database of each earlier schema, with rows in it, is opened: all is still there."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

import linekey.store
from linekey.catalog.vendors import OperatorRule, TrustRule
from linekey.certs.build import issue, new_key
from linekey.certs.dn import Name
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
from linekey.store.vendor_cas import VendorCas

MIGRATIONS = Path(linekey.store.__file__).parent / "migrations"
SECRET = Layer((Setting("user_pass", "geheim", 1),))
DEVICE = Device(
    Mac("000413AABBCC"), "snom", "D785", label="Zürich", layer=SECRET,
    digest=DigestCredential.create("desk", "linekey", "4711"), version=7,
)  # fmt: skip

_PANASONIC = "SIP Phone Client Authentication Self CA Certificate V2"
CA = issue(
    Name.build([("CN", _PANASONIC)]), new_key("rsa", 1024), None, serial=1, hash="md5",
    not_before=datetime(2016, 1, 1, tzinfo=UTC), ca=True,
    not_after=datetime(2036, 1, 1, tzinfo=UTC),
)  # fmt: skip
"""An earlier linekey knew neither its name nor its hash."""


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
        put(
            "vendor_cas", sha256=CA.sha256, der=CA.der, role="root", vendor="snom",
            generation="sha1", known_as=None, added_at=5,
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
        (ca,) = VendorCas(database).all()
        assert (ca.certificate, ca.role, ca.said) == (CA, "root", None)
        # What it was taken for then is asked of the certificate and the catalogue now.
        assert (ca.vendor, ca.generation) == ("panasonic", None)
        said = OperatorRule(TrustRule.CN_MAC)
        assert VendorCas(database).say(CA.sha256, said).said == said
        assert rotate_key(database) == 2
        assert rotation(database).done
        assert Devices(database).get(DEVICE.mac) == DEVICE
