"""Phones by the API: as by commands, with ETags, all or nothing, nothing cut."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from sqlalchemy.engine import Connection
from tests.sightings import LATER, line, visit

from linekey.mac import Mac
from linekey.provisioning.device import Device
from linekey.provisioning.document import Setting
from linekey.store.changes import ChangeSearch, read_changes
from linekey.store.database import Database
from linekey.store.devices import Devices
from linekey.store.layers import Layers
from linekey.store.layers import Scope as LayerScope
from linekey.store.tokens import Scope

MAC = "000413AABBCC"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
CANARY = "canary-93ab"
RECORD = {
    "model": "D785",
    "label": "<b>Hall</b>",
    "layer": {
        "settings": [
            {"name": "user_name", "idx": 1, "value": "4711"},
            {"name": "user_pass", "idx": 1, "value": CANARY},
        ],
        "function_keys": [{"idx": 0, "type": "speed", "value": CANARY, "secret": True}],
    },
}


def fill(world, count: int) -> None:
    Devices(world.database).add_all(
        [
            Device(Mac(f"0004130{number:05X}"), "snom", "D785", label=f"Room {number}")
            for number in range(count)
        ],
        NOW,
    )


async def test_put_makes_a_phone_and_then_changes_nothing(world) -> None:
    async with world.client() as http:
        made = await http.put(f"devices/{MAC}", json=RECORD)
        assert made.status_code == 201, made.text
        again = await http.put("devices/00:04:13:aa:bb:cc", json=RECORD)
        assert again.status_code == 200
        assert again.json() == made.json()
        assert again.headers["etag"] == made.headers["etag"]
        # What GET gives can be sent back as it is.
        got = await http.get(f"devices/{MAC}")
        back = await http.put(
            f"devices/{MAC}", json=got.json(), headers={"If-Match": got.headers["etag"]}
        )
        assert (back.status_code, back.json()) == (200, got.json())
        assert CANARY not in made.text + got.text
        gone = await http.delete(f"devices/{MAC}")
        assert (gone.status_code, gone.content) == (204, b"")
        assert (await http.get(f"devices/{MAC}")).status_code == 404
    layer = {}
    with world.database.read() as connection:
        lines = read_changes(connection, ChangeSearch(subject=f"device {MAC}"))
    assert [line.action for line in lines] == ["remove", "add"]
    assert {(line.who, line.place) for line in lines} == {("admin", "192.0.2.7")}
    assert CANARY not in repr(lines)
    assert layer == {}


async def test_the_secret_that_is_kept_is_the_one_there_was(world) -> None:
    async with world.client() as http:
        await http.put(f"devices/{MAC}", json=RECORD)
        got = (await http.get(f"devices/{MAC}")).json()
        got["label"] = "Door"
        assert (await http.put(f"devices/{MAC}", json=got)).status_code == 200
        lost = {
            "layer": {"settings": [{"name": "user_pass", "idx": 2, "secret": True}]}
        }
        answer = await http.put(f"devices/{MAC}", json=lost)
        assert answer.status_code == 422
    layer = Devices(world.database).get(Mac(MAC)).layer
    assert {s.slot: s.value for s in layer.settings}["user_pass", 1] == CANARY
    assert layer.function_keys[0].value == CANARY


async def test_two_who_change_one_phone_do_not_lose_each_others_work(world) -> None:
    async with world.client() as http:
        await http.put(f"devices/{MAC}", json=RECORD)
        seen = (await http.get(f"devices/{MAC}")).headers["etag"]
        told = {"If-Match": seen}
        first = await http.patch(f"devices/{MAC}", json={"label": "A"}, headers=told)
        assert first.status_code == 200
        for call in (
            http.patch(f"devices/{MAC}", json={"label": "B"}, headers=told),
            http.put(f"devices/{MAC}", json=RECORD, headers=told),
            http.post(f"devices/{MAC}/revoke", headers=told),
            http.delete(f"devices/{MAC}", headers=told),
            http.patch(
                f"devices/{MAC}",
                json={"label": "B"},
                headers={"If-Match": f"W/{first.headers['etag']}"},
            ),
            http.put(f"devices/{MAC}", json=RECORD, headers={"If-None-Match": "*"}),
            http.put("devices/000413000001", json=RECORD, headers={"If-Match": "*"}),
        ):
            answer = await call
            assert answer.status_code == 412
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["code"] == "stale"
        assert (await http.get(f"devices/{MAC}")).json()["label"] == "A"
        assert (await http.get("devices")).json()["total"] == 1


async def test_a_list_goes_on_to_its_end(world) -> None:
    fill(world, 25)
    async with world.client(Scope.READ) as http:
        found, url = [], "devices?limit=10&sort=-label&q=room"
        while url:
            page = (await http.get(url)).json()
            assert page["total"] == 25
            found += [device["label"] for device in page["items"]]
            url = page["next"]
        assert found == sorted(found, reverse=True)
        assert len(set(found)) == 25
        one = (await http.get("devices?label=room 7&model=D7*")).json()
        assert [device["label"] for device in one["items"]] == ["Room 7"]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("modle=D785", "did you mean model?"),
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=x", "limit"),
        ("limit=1&limit=2", "given twice"),
        ("sort=lable", "ordered by"),
        ("cursor=xyz", "cursor"),
        ("cursor=%00%ff", "cursor"),
        ("state=lost", "state"),
        (f"q={'x' * 10_000}", "256"),
        ("where=user_pass[1]%3Dx", "secret"),
        ("where=x", ""),
    ],
)
async def test_a_bad_parameter_is_400_and_cured(world, query: str, said: str) -> None:
    fill(world, 3)
    async with world.client(Scope.READ) as http:
        answer = await http.get(f"devices?{query}")
    assert answer.status_code == 400, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    plain = answer.json()
    assert said in plain["detail"] + plain["cure"]
    assert plain["cure"]


@pytest.mark.parametrize(
    "body",
    [
        {"modle": "D785"},
        {"model": "D999"},
        {"vendor": "nobody"},
        {"firmware": "x"},
        {"label": 5},
        {"layer": {"settings": [{"name": "usr_name", "idx": 1, "value": "x"}]}},
        {"layer": {"settings": [{"name": "user_name", "value": "x"}]}},
        {"layer": {"settings": [{"name": "language", "value": "\0"}]}},
        {"layer": {"settings": [{"name": "language", "value": "a"}] * 2}},
        {"layer": {"certificates": [{"pem": "x"}]}},
        {"state": "revoked"},
        {"generations": ["md5"]},
        [],
        "x",
        None,
    ],
)
async def test_a_bad_record_is_422_and_nothing_is_made(world, body) -> None:
    async with world.client() as http:
        answer = await http.put(f"devices/{MAC}", json=body)
        assert answer.status_code == 422, answer.text
        assert answer.json()["cure"]
        assert (await http.get("devices")).json()["total"] == 0


async def test_an_unknown_setting_is_taken_on_the_callers_word(world) -> None:
    body = {"layer": {"settings": [{"name": "usr_name", "idx": 1, "value": "x"}]}}
    async with world.client() as http:
        refused = await http.put(f"devices/{MAC}", json=body)
        assert "allow_unknown=true" in refused.json()["cure"]
        taken = await http.put(f"devices/{MAC}?allow_unknown=true", json=body)
        assert taken.status_code == 201
        back = await http.put(f"devices/{MAC}", json=taken.json())
        assert back.status_code == 200


async def test_the_help_desk_revokes_restores_and_makes_tokens(world) -> None:
    fill(world, 1)
    mac = "000413000000"
    async with world.client(Scope.HELPDESK) as http:
        revoked = await http.post(f"devices/{mac}/revoke", json={"reason": "stolen"})
        assert revoked.json()["revoked_reason"] == "stolen"
        restored = await http.post(f"devices/{mac}/restore")
        assert restored.json()["state"] == "active"
        made = await http.post(f"devices/{mac}/token")
        assert set(made.json()) == {"mac", "token"}
        shown = await http.get(f"devices/{mac}")
        assert shown.json()["token"] == "unused"
        assert made.json()["token"] not in shown.text


async def test_a_password_is_set_and_shown_nowhere(world) -> None:
    fill(world, 1)
    async with world.client() as http:
        answer = await http.post(
            "devices/000413000000/digest", json={"username": "desk", "password": CANARY}
        )
        assert answer.json()["digest_user"] == "desk"
        assert CANARY not in answer.text
        assert CANARY not in (await http.get("changes")).text
        patched = await http.patch("devices/000413000000", json={"no_digest": True})
        assert patched.json()["digest_user"] is None


async def test_a_patch_sets_unsets_and_resets(world) -> None:
    async with world.client() as http:
        await http.put(f"devices/{MAC}", json=RECORD)
        body = {
            "firmware": "10.1.33.33",
            "model": None,
            "layer": {
                "set": [{"name": "language", "value": "Deutsch"}],
                "unset": ["user_name[1]"],
                "set_keys": [{"idx": 1, "type": "line"}],
                "unset_keys": [{"idx": 0}],
            },
        }
        answer = await http.patch(f"devices/{MAC}", json=body)
        assert answer.status_code == 200, answer.text
        plain = answer.json()
        assert (plain["firmware"], plain["model"]) == ("10.1.33.33", None)
        assert plain["label"] == RECORD["label"]
        names = [setting["name"] for setting in plain["layer"]["settings"]]
        assert names == ["user_pass", "language"]
        assert [key["idx"] for key in plain["layer"]["function_keys"]] == [1]
        again = await http.patch(f"devices/{MAC}", json=body)
        assert again.status_code == 422
        taken = await http.patch(f"devices/{MAC}", json={"label": None, "vendor": None})
        assert (taken.json()["label"], taken.json()["vendor"]) == ("", "snom")


async def test_the_file_is_what_the_phone_gets_but_for_its_secrets(world) -> None:
    Layers(world.database).change(
        LayerScope.fleet(), lambda old: old.with_settings(Setting("language", "x")), NOW
    )
    async with world.client() as http:
        await http.put(f"devices/{MAC}", json=RECORD)
        answer = await http.get(f"devices/{MAC}/file")
    assert answer.headers["content-type"].startswith("text/xml")
    assert answer.headers["linekey-left-out"] == "0"
    assert '<user_name idx="1">4711</user_name>' in answer.text
    assert '<user_pass idx="1">********</user_pass>' in answer.text
    assert "speed ********" in answer.text
    assert "<language>x</language>" in answer.text
    assert CANARY not in answer.text


OTHER = {
    "model": "T46U",
    "layer": {
        "settings": [
            {"name": "any.account.user", "idx": 1, "value": "4711"},
            {"name": "any.account.password", "idx": 1, "value": CANARY},
            {"name": "account.1.label", "value": "Hall"},
        ],
    },
}


async def test_another_makers_phone_has_its_makers_file(world) -> None:
    async with world.client() as http:
        made = await http.put(f"devices/{MAC}", json=OTHER)
        assert made.status_code == 201, made.text
        assert made.json()["vendor"] == "yealink"
        answer = await http.get(f"devices/{MAC}/file")
        merged = await http.get(f"devices/{MAC}/settings")
        found = await http.get("devices", params={"q": "4711"})
        cisco = await http.put("devices/000413AABBCD", json={"vendor": "cisco"})
        assert cisco.status_code == 201
        none = await http.get("devices/000413AABBCD/file")
    assert answer.headers["content-type"].startswith("text/plain")
    assert "account.1.user_name = 4711\n" in answer.text
    assert "account.1.password = ********\n" in answer.text
    assert "static.security.trust_certificates = 1\n" in answer.text
    assert CANARY not in answer.text + merged.text + made.text
    assert [d["mac"] for d in found.json()["items"]] == [MAC]
    assert none.status_code == 422
    assert "cisco" in none.json()["detail"]


@pytest.mark.parametrize(
    ("where", "name", "status"),
    [
        ("layers/fleet", "account.1.label", 422),
        ("layers/fleet", "yealink:account.1.label", 200),
        ("layers/fleet", "any.account.label", 422),  # it needs its idx
        ("layers/model:T46U", "account.1.label", 200),
        ("layers/model:T46U", "lang.gui", 200),
        ("layers/model:D785", "account.1.label", 422),
        (f"devices/{MAC}", "account.1.label", 200),
        (f"devices/{MAC}", "language", 422),
    ],
)
async def test_whose_a_bare_name_is_depends_on_the_layer(
    world, where: str, name: str, status: int
) -> None:
    change = {"set": [{"name": name, "value": "x"}]}
    async with world.client() as http:
        await http.put(f"devices/{MAC}", json=OTHER)
        body = {"layer": change} if where.startswith("devices") else change
        answer = await http.patch(where, json=body)
    assert answer.status_code == status, answer.text


async def test_a_bulk_change_is_tried_and_then_done(world) -> None:
    fill(world, 12)
    body = {
        "select": {"label": "room 1*"},
        "change": {"layer": {"set": [{"name": "language", "value": "Deutsch"}]}},
        "dry_run": True,
    }
    async with world.client() as http:
        tried = (await http.post("devices/bulk", json=body)).json()
        assert (tried["matched"], tried["changed"]) == (3, 3)
        assert tried["items"][0]["changes"] == [
            {"what": "setting language", "from": None, "to": "Deutsch"}
        ]
        assert (await http.get("changes?who=admin")).json()["total"] == 0
        done = await http.post("devices/bulk", json=body | {"dry_run": False})
        assert done.json()["items"] == tried["items"]
        assert (await http.get("changes?who=admin")).json()["total"] == 3
        again = await http.post("devices/bulk", json=body)
        assert (again.json()["matched"], again.json()["changed"]) == (3, 0)


@pytest.mark.parametrize(
    "body",
    [
        {"select": {}, "action": "revoke"},
        {"select": {"all": True, "label": "x"}, "action": "revoke"},
        {"select": {"all": True}},
        {"select": {"all": True}, "action": "revoke", "change": {}},
        {"select": {"all": True}, "action": "revoke", "expected": 11},
        {"select": {"macs": ["000413000000", MAC]}, "action": "revoke"},
        {"select": {"all": True}, "change": {"layer": {"unset": ["language"]}}},
        {"select": {"all": True}, "change": {"model": "D999"}},
    ],
)
async def test_a_bulk_change_never_half_applies(world, body) -> None:
    fill(world, 12)
    devices = Devices(world.database)
    devices.change(
        Mac("000413000000"),
        lambda d: __import__("dataclasses").replace(
            d, layer=d.layer.with_settings(Setting("language", "x"))
        ),
        NOW,
    )
    before = list(devices.all())
    async with world.client() as http:
        answer = await http.post("devices/bulk", json=body)
        assert answer.status_code == 422, answer.text
        assert (await http.get("changes?who=admin")).json()["total"] == 0
    assert list(devices.all()) == before


async def test_odd_labels_come_back_as_they_are(world) -> None:
    labels = ["<script>alert(1)</script>", "=cmd|' /C calc'!A0", "Zürich ☎", '"\\']
    async with world.client() as http:
        for number, label in enumerate(labels):
            mac = f"00041300000{number}"
            answer = await http.put(f"devices/{mac}", json={"label": label})
            assert answer.json()["label"] == label
        page = await http.get("devices")
        assert [d["label"] for d in page.json()["items"]] == labels
        assert page.headers["content-type"] == "application/json"


async def test_a_mac_that_is_none_is_400(world) -> None:
    async with world.client() as http:
        answer = await http.get("devices/0004")
    assert (answer.status_code, answer.json()["code"]) == (400, "parameter")


async def test_a_database_that_is_gone_is_503_with_its_cause(world) -> None:
    async with world.client() as http:
        assert (await http.get("devices")).status_code == 200
        with lost(world.database) as code:
            answer = await http.get("devices")
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == code
    assert int(answer.headers["retry-after"]) > 0
    assert json.loads(answer.content)["cure"]


@contextmanager
def lost(database: Database) -> Iterator[str]:
    """SQLite's file, or PostgreSQL's table, is not there; what the API calls that."""
    if database.is_sqlite:
        database.state.database_file.unlink()
        yield "storage.gone"
        return
    with database.write() as connection:
        connection.exec_driver_sql("ALTER TABLE devices RENAME TO elsewhere")
    yield "storage.damaged"
    with database.write() as connection:
        connection.exec_driver_sql("ALTER TABLE elsewhere RENAME TO devices")


@pytest.mark.parametrize(
    "world",
    [pytest.param("postgres", marks=pytest.mark.peer("postgres"))],
    indirect=True,
)
async def test_a_connection_that_is_cut_in_the_middle_is_503_and_no_change(
    world, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut = "SELECT pg_terminate_backend(pg_backend_pid())"

    def while_reading(database: Database, *_: object) -> None:
        with database.read() as connection:
            connection.exec_driver_sql(cut)

    def while_changing(connection: Connection, *_: object) -> None:
        connection.exec_driver_sql(cut)

    async with world.client() as http:
        made = (await http.put("devices/000413AABBCC", json={"label": "a"})).json()
        with monkeypatch.context() as patched:
            patched.setattr("linekey.console.api.devices.sightings_of", while_reading)
            patched.setattr("linekey.store.devices.put_on_record", while_changing)
            for answer in (
                await http.get("devices"),
                await http.get("devices/000413AABBCC"),
                await http.patch("devices/000413AABBCC", json={"label": "b"}),
                await http.post("devices/bulk", json={
                    "select": {"all": True}, "change": {"label": "b"},
                }),
            ):  # fmt: skip
                told = answer.json()
                assert (answer.status_code, told["status"]) == (503, 503), told
                assert told["code"].startswith("storage."), told
                assert told["cure"]
        assert (await http.get("devices")).json()["items"] == [made]
        assert (await http.get("changes")).json()["total"] == 2  # its token, and itself


async def test_a_phone_is_replaced_and_passwords_are_rotated(world) -> None:
    body = {
        "label": "Hall", "model": "D785",
        "layer": {"settings": [{"name": "user_pass", "idx": 1, "value": "geheim"}]},
    }  # fmt: skip
    new = "000413AABBDD"
    async with world.client() as http:
        tag = (await http.put(f"devices/{MAC}", json=body)).headers["ETag"]
        path, asked = f"devices/{MAC}/replace", {"mac": new, "model": "D735"}
        stale = await http.post(path, json=asked, headers={"If-Match": '"x"'})
        assert stale.status_code == 412
        done = await http.post(path, json=asked, headers={"If-Match": tag})
        assert done.status_code == 201
        assert [done.json()[n] for n in ("mac", "label", "model")] == [
            new, "Hall", "D735",
        ]  # fmt: skip
        assert "geheim" not in done.text
        old = (await http.get(f"devices/{MAC}")).json()
        assert (old["state"], old["layer"]["settings"]) == ("revoked", [])
        assert (await http.post(path, json=asked)).status_code == 422, "there already"
        unknown = await http.post("devices/000413000009/replace", json=asked)
        assert unknown.status_code == 404
        bulk = {"select": {"all": True}, "action": "rotate_passwords"}
        tried = (await http.post("devices/bulk", json=bulk | {"dry_run": True})).json()
        found = (await http.post("devices/bulk", json=bulk)).json()
        assert tried["items"] == found["items"] == [
            {"mac": new, "changes": [
                {"what": "setting user_pass[1]", "from": "secret", "to": "changed"}]},
        ]  # fmt: skip
    (setting,) = Devices(world.database).get(Mac(new)).layer.settings
    assert setting.value not in ("geheim", "")


async def test_what_visits_said_is_shown_and_filters_and_is_not_in_the_etag(
    world,
) -> None:
    async with world.client() as http:
        await http.put(f"devices/{MAC}", json=RECORD)
        await http.put("devices/000413AABBCD", json={"model": "D785"})
        new = await http.get(f"devices/{MAC}")
        assert new.json()["seen"] is None
        await visit(world.database, line(Mac(MAC), user_agent="<b>=1+1</b>"))
        got = await http.get(f"devices/{MAC}")
        assert got.headers["etag"] == new.headers["etag"]
        assert got.json()["seen"]["user_agent"] == "<b>=1+1</b>"
        assert got.json()["seen"]["reason"] == "own_file"
        for query, macs in (
            ("seen=never", ["000413AABBCD"]), ("seen=ever", [MAC]),
            ("refused_since=2020-01-01", []),
            ("certificate_ends_before=2027-01-01", [MAC]),
            ("certificate_generation=sha256&seen=ever", [MAC]),
        ):  # fmt: skip
            found = (await http.get(f"devices?{query}")).json()
            assert [item["mac"] for item in found["items"]] == macs, query
            assert found["total"] == len(macs)
            assert all(i["seen"] is None or i["seen"]["peer"] for i in found["items"])
        for query in ("seen=perhaps", "refused_since=soon", "not_seen_since=1e9"):
            assert (await http.get(f"devices?{query}")).status_code in (400, 422), query
        # It was seen again meanwhile: its record is the same, so nobody was quicker.
        await visit(world.database, line(Mac(MAC), LATER))
        back = await http.put(
            f"devices/{MAC}", json=got.json(), headers={"If-Match": got.headers["etag"]}
        )
        assert (back.status_code, back.headers["etag"]) == (200, got.headers["etag"])
        assert back.json()["seen"]["last_at"] == LATER.isoformat()
