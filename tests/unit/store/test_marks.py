"""Names and values that were marked as secrets, and what an older linekey left plain."""

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from tests.old_schema import Row, step_back

from linekey.catalog import secrecy
from linekey.catalog.known_settings import known_settings
from linekey.errors import InputError
from linekey.mac import Mac
from linekey.makers.all import MAKERS
from linekey.makers.terms import TERMS
from linekey.provisioning.device import Device
from linekey.provisioning.document import FunctionKey, Layer, Mark, Setting
from linekey.store.database import SECRETS_KNOWN, Database, open_database
from linekey.store.devices import Devices
from linekey.store.layers import Layers, Scope
from linekey.store.paths import StateDir
from linekey.store.schema import changes, devices, layers, meta, revision

BEFORE = "v0008"
"""The schema before marks were kept."""
NOW = datetime(2026, 11, 23, tzinfo=UTC)
A, B = Mac("000413AABBC0"), Mac("000413AABBC1")
FLEET, MODEL = Scope.fleet(), Scope.model("D785")
CANARY = "canary-7f3a91"


def put(database: Database, scope: Scope, *settings: Setting) -> Layer:
    return Layers(database).change(scope, lambda old: old.with_settings(*settings), NOW)


def bytes_of(database: Database) -> bytes:
    root = database.state.root
    return b"".join(p.read_bytes() for p in sorted(root.glob("linekey.db*")))


def test_a_mark_stays_with_its_value(database: Database) -> None:
    put(database, MODEL, Setting("community", CANARY, mark=Mark.SECRET))
    (kept,) = Layers(database).get(MODEL).settings
    assert (kept.value, kept.mark, kept.secret) == (CANARY, Mark.SECRET, True)
    assert CANARY.encode() not in bytes_of(database)


def test_a_marked_name_is_a_secret_in_every_layer_from_then_on(
    database: Database,
) -> None:
    Devices(database).add(Device(A, "snom"), NOW)
    put(database, MODEL, Setting("site_code", f"{CANARY}-model", mark=Mark.SECRET))
    put(database, FLEET, Setting("Site_Code", f"{CANARY}-fleet"))
    put(database, Scope.device(A), Setting("site_code", f"{CANARY}-device", 3))
    Devices(database).add_all(
        [Device(B, "snom", layer=Layer((Setting("site_code", f"{CANARY}-b"),)))], NOW
    )
    for scope in (FLEET, MODEL, Scope.device(A), Scope.device(B)):
        (setting,) = Layers(database).get(scope).settings
        assert setting.secret, scope
    assert Layers(database).marks() == {"site_code"}
    assert CANARY.encode() not in bytes_of(database)


def test_what_lay_plain_is_sealed_when_its_name_is_marked(database: Database) -> None:
    Devices(database).add(
        Device(A, "snom", layer=Layer((Setting("site_code", f"{CANARY}-a"),))), NOW
    )
    put(database, FLEET, Setting("site_code", f"{CANARY}-f"), Setting("language", "x"))
    before = Devices(database).get(A).version
    assert CANARY.encode() in bytes_of(database)
    put(database, MODEL, Setting("site_code", f"{CANARY}-m", mark=Mark.SECRET))
    assert CANARY.encode() not in bytes_of(database)
    assert Devices(database).get(A).layer.settings[0].value == f"{CANARY}-a"
    assert Devices(database).get(A).version > before
    assert {s.name: s.secret for s in Layers(database).get(FLEET).settings} == {
        "site_code": True,
        "language": False,
    }


def test_a_mark_outlives_the_value_and_is_taken_back_by_name(
    database: Database,
) -> None:
    put(database, FLEET, Setting("site_code", "1", mark=Mark.SECRET))
    layers_ = Layers(database)
    layers_.change(FLEET, lambda old: old.without_setting("site_code"), NOW)
    assert put(database, FLEET, Setting("site_code", "2")).settings[0].secret
    with pytest.raises(InputError, match="is marked as secret"):
        put(database, MODEL, Setting("site_code", "3", mark=Mark.PUBLIC))
    with pytest.raises(InputError, match="not marked"):
        layers_.unmark(["language"])
    layers_.unmark(["Site_Code"])
    assert put(database, FLEET, Setting("site_code", "4")).settings[0].secret
    assert not put(database, MODEL, Setting("site_code", "5")).settings[0].secret


def test_the_newer_word_wins_over_public(database: Database) -> None:
    put(database, FLEET, Setting("site_code", CANARY, mark=Mark.PUBLIC))
    assert Layers(database).get(FLEET).shareable().settings
    put(database, MODEL, Setting("site_code", "x", mark=Mark.SECRET))
    assert not Layers(database).get(FLEET).shareable().settings
    assert CANARY.encode() not in bytes_of(database)


PLAIN = {
    "settings": [
        {"name": "user_pasword", "idx": 1, "value": f"{CANARY}-1"},
        {"name": "language", "value": "English"},
        {"name": "no name", "value": "kept as it is"},
        {"name": "user_pass", "idx": 1, "secret": True},
    ],
    "function_keys": [
        {"idx": 0, "type": "url", "context": "active",
         "value": f"https://h/#token={CANARY}"},
    ],
    "certificates": [],
}  # fmt: skip
"""A layer as an older linekey stored it: fewer names were known to be secrets."""


def make_older(state: StateDir, layer: str = json.dumps(PLAIN)) -> None:
    """Put a database of the schema before marks in the place of the one there."""

    def older(table: str, row: Row) -> Row | None:
        if table == "meta" and row["name"] == "secret_marks":
            return None
        return {**row, "layer": layer} if "layer" in row else row

    step_back(open_database(state), BEFORE, older)


def test_an_older_database_is_sealed_when_it_is_opened(
    database: Database, state: StateDir
) -> None:
    secret = Setting("user_pass", f"{CANARY}-2", 1)
    Devices(database).add(Device(A, "snom", layer=Layer((secret,))), NOW)
    put(database, FLEET, secret)
    with database.read() as connection:
        before = connection.execute(sa.select(revision)).one()
    database.close()
    make_older(state)
    assert CANARY.encode() in bytes_of(database)
    with open_database(state) as newer:
        assert CANARY.encode() not in bytes_of(newer)
        for scope in (FLEET, Scope.device(A)):
            layer = Layers(newer).get(scope)
            assert {s.name: s.value for s in layer.settings} == {
                "user_pasword": f"{CANARY}-1",
                "language": "English",
                "user_pass": f"{CANARY}-2",
            }
            assert layer.function_keys == (
                FunctionKey(0, "url", f"https://h/#token={CANARY}"),
            )
            assert len(layer.unreadable) == 1
        with newer.read() as connection:
            after = connection.execute(sa.select(revision)).one()
            text = connection.execute(sa.select(layers.c.layer)).scalar_one()
        assert after.layers > before.layers
        assert "kept as it is" in text
    with open_database(state) as again, again.read() as connection:
        assert connection.execute(sa.select(revision)).one() == after


def test_what_an_earlier_guess_sealed_of_an_unknown_name_stays_one() -> None:
    plain = {"settings": [{"name": "x_thing", "secret": True}], "function_keys": []}
    layer = Layer.from_plain(plain, {"setting x_thing": CANARY})
    assert layer.settings[0].mark is Mark.SECRET
    guessed = {"settings": [{"name": "x_pw", "secret": True, "guessed": True}]}
    layer = Layer.from_plain(guessed, {"setting x_pw": CANARY})
    assert (layer.settings[0].mark, layer.settings[0].secret) == (None, True)
    known = {"settings": [{"name": "encrypt_secrets", "secret": True}]}
    layer = Layer.from_plain(known, {"setting encrypt_secrets": "on"})
    assert not layer.settings[0].secret


def test_a_damaged_row_keeps_nobody_from_opening(
    database: Database, state: StateDir
) -> None:
    put(database, FLEET, Setting("language", "x"))
    database.close()
    make_older(state, "not json")
    with open_database(state) as newer, newer.read() as connection:
        assert connection.execute(sa.select(layers.c.layer)).scalar() == "not json"


def test_nothing_deleted_can_be_read_in_the_file(
    database: Database, tmp_path: Path
) -> None:
    put(database, FLEET, Setting("language", CANARY))
    put(database, FLEET, Setting("language", "English"))
    with database.write() as connection:
        connection.execute(sa.delete(changes))  # which tells what it was
    database.forget_deleted()
    assert CANARY.encode() not in bytes_of(database)


def test_what_a_later_linekey_knows_to_be_secret_is_sealed_when_it_opens(
    database: Database, state: StateDir
) -> None:
    """Grandstream's passwords have numbers for names, which linekey did not know."""
    Devices(database).add(Device(A, "grandstream", "GRP2614"), NOW)
    with database.write() as connection:
        plain = {"settings": [{"name": "P34", "value": CANARY}], "function_keys": []}
        text = json.dumps(plain | {"certificates": []})
        connection.execute(sa.update(devices).values(layer=text))
        line = {"what": "setting P34", "from": None, "to": CANARY}
        connection.execute(sa.update(changes).values(details=json.dumps([line])))
        connection.execute(
            sa.update(meta).where(meta.c.name == "secret_marks").values(sealed=b"")
        )
    database.close()
    assert CANARY.encode() in bytes_of(database)
    for _ in range(2):
        with open_database(state) as newer:
            assert CANARY.encode() not in bytes_of(newer)
            (setting,) = Layers(newer).get(Scope.device(A)).settings
            assert (setting.name, setting.value, setting.secret) == (
                "P34",
                CANARY,
                True,
            )
            with newer.read() as connection:
                known = sa.select(meta.c.sealed).where(meta.c.name == "secret_marks")
                assert int(connection.execute(known).scalar_one()) == SECRETS_KNOWN


def test_a_rule_that_knows_more_secrets_has_a_number_of_its_own() -> None:
    """Whoever adds a name raises ``SECRETS_KNOWN``, and writes the new digest here."""
    told = [row.name for row in known_settings().values() if row.secrecy == "secret"]
    makers = [
        f"{maker.id} {row.pattern}"
        for maker in MAKERS.values()
        for row in maker.known
        if row.secret
    ]
    terms = [term.name for term in TERMS.values() if term.secret]
    looks = [
        *sorted(secrecy._WORDS), *sorted(secrecy._LAST_WORDS), *secrecy._PARTS,
        *secrecy._STEMS, *sorted(secrecy._P_CODES), secrecy._GLUED.pattern,
    ]  # fmt: skip
    text = "\n".join([*sorted(told), *sorted(makers), *sorted(terms), *looks])
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    assert (SECRETS_KNOWN, digest) == (2, "9c692b7bb7784998")
