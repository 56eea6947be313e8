from typing import Any

from tests.unit.console.api.conftest import MAC, World

from linekey.store.tokens import ApiTokens, Scope

OTHER = "000413AABBCD"


async def test_a_group_is_made_changed_and_deleted(world: World) -> None:
    async with world.client() as http:
        made = await http.put("groups/ACME", json={"note": "ACME Ltd."})
        assert made.status_code == 201
        assert made.json() == {
            "name": "acme", "note": "ACME Ltd.", "vendor_cas": None, "policies": {},
            "phones": 0,
        }  # fmt: skip
        assert (await http.put("groups/acme", json=made.json())).status_code == 200
        tag = made.headers["ETag"]
        change = {"policies": {"blanked_for_shared": "on"}}
        right, late = [
            await http.patch("groups/acme", json=change, headers={"If-Match": tag})
            for _ in "ab"
        ]
        assert right.json()["policies"] == {"blanked_for_shared": "on"}
        assert right.json()["note"] == "ACME Ltd."
        assert late.status_code == 412
        taken = {"policies": {"blanked_for_shared": "default"}, "vendor_cas": []}
        changed = (await http.patch("groups/acme", json=taken)).json()
        assert (changed["policies"], changed["vendor_cas"]) == ({}, [])
        put = await http.put(f"devices/{MAC}", json={"group": "acme"})
        assert put.json()["group"] == "acme"
        assert (await http.get("groups")).json()["items"][0]["phones"] == 1
        kept = await http.delete("groups/acme")
        assert (kept.status_code, kept.json()["code"]) == (422, "input")
        gone = await http.delete("groups/acme?ungroup=true")
        assert gone.status_code == 204
        assert (await http.get(f"devices/{MAC}")).json()["group"] is None


async def test_bad_input_is_told(world: World) -> None:
    async with world.client() as http:
        await http.put("groups/acme", json={})
        for method, path, body, status in (
            ("GET", "groups/nobody", None, 404), ("GET", "groups/a b", None, 404),
            ("PATCH", "groups/nobody", {}, 404), ("DELETE", "groups/nobody", None, 404),
            ("PUT", "groups/a b", {}, 404),
            ("PUT", "groups/acme", {"vendor_cas": ["ab" * 32]}, 422),
            ("PUT", "groups/acme", {"policies": {"x": "on"}}, 422),
            ("PUT", f"devices/{MAC}", {"group": "nobody"}, 422),
            ("GET", "layers/group:nobody", None, 404),
            ("PATCH", "layers/group:nobody", {}, 404),
        ):  # fmt: skip
            answer = await http.request(method, path, json=body)
            assert answer.status_code == status, (method, path, answer.text)
            assert answer.json()["cure"]


async def test_a_dry_run_refuses_what_the_change_would(world: World) -> None:
    token = await fill(world)
    secret = {"name": "of_ours", "value": "x", "secret": True}
    changes: list[dict[str, Any]] = [
        {"group": "beta"}, {"group": None}, {"group": "nobody"},
        {"layer": {"set": [secret]}},
    ]  # fmt: skip
    async with world.client(token=token) as http:
        for change in changes:
            body = {"select": {"all": True}, "change": change}
            tried, done = [
                await http.post(
                    "devices/bulk?allow_unknown=true", json=body | {"dry_run": dry}
                )
                for dry in (True, False)
            ]
            assert tried.status_code == done.status_code == 422, change
            assert "linekey group add" not in done.text, "which is not for this token"
            assert tried.json() == done.json()


async def fill(world: World) -> str:
    """A phone in acme and one in none; return a token for acme alone."""
    async with world.client(token=world.token(Scope.ADMIN)) as http:
        await http.put("groups/acme", json={})
        await http.put("groups/beta", json={})
        for mac, group in ((MAC, "acme"), (OTHER, "beta")):
            body = {"group": group, "model": "D785", "label": group}
            assert (await http.put(f"devices/{mac}", json=body)).status_code == 201
        for scope in ("fleet", "group:acme", "group:beta"):
            body = {"set": [{"name": "language", "value": scope}]}
            assert (await http.patch(f"layers/{scope}", json=body)).status_code == 200
    return ApiTokens(world.database).add("a", Scope.ADMIN, None, world.now, ["acme"])


async def test_a_limited_token_sees_and_changes_what_is_its_groups(
    world: World,
) -> None:
    token = await fill(world)

    async with world.client(token=token) as http:

        async def items(path: str) -> list[Any]:
            document = (await http.get(path)).json()
            assert document["total"] == len(document["items"])
            found: list[Any] = document["items"]
            return found

        assert [d["mac"] for d in await items("devices")] == [MAC]
        assert [g["name"] for g in await items("groups")] == ["acme"]
        assert [one["scope"] for one in await items("layers")] == ["group:acme"]
        assert {c["subject"] for c in await items("changes")} == {
            f"device {MAC}", "group acme", "layer group:acme",
        }  # fmt: skip
        assert await items("vendor-cas") == []
        file = (await http.get(f"devices/{MAC}/file")).text
        assert "group:acme" in file
        tag = (await http.get(f"devices/{MAC}")).headers["ETag"]
        changed = await http.patch(
            f"devices/{MAC}", json={"label": "x"}, headers={"If-Match": tag}
        )
        assert (changed.status_code, changed.json()["label"]) == (200, "x")
        bulk = {"select": {"all": True}, "change": {"label": "all"}}
        assert (await http.post("devices/bulk", json=bulk)).json()["matched"] == 1
        made = await http.post(f"devices/{MAC}/token")
        assert made.status_code == 200
        body = {"set": [{"name": "language", "value": "Deutsch"}]}
        assert (await http.patch("layers/group:acme", json=body)).status_code == 200
        assert (await http.delete(f"devices/{MAC}")).status_code == 204


async def test_what_is_beyond_is_not_there_or_not_for_it(world: World) -> None:
    token = await fill(world)
    free = "000413AABBCE"
    async with world.client(token=token) as http:
        for method, path, body, code in (
            ("GET", "devices/{}", None, "not_found"),
            ("PUT", "devices/{}", {}, "not_found"),
            ("DELETE", "devices/{}", None, "not_found"),
            ("POST", "devices/{}/revoke", None, "not_found"),
            ("GET", "devices/{}/file", None, "not_found"),
            ("POST", "devices/bulk",
             {"select": {"macs": ["{}"]}, "change": {"label": "x"}}, "input"),
        ):  # fmt: skip
            told = []
            for mac in (OTHER, free):
                sent = {**body, "select": {"macs": [mac]}} if body else body
                answer = await http.request(method, path.format(mac), json=sent)
                told.append((answer.status_code, answer.text.replace(mac, "M")))
                assert answer.json()["code"] == code
            assert told[0] == told[1], path
        for group in ("beta", "nobody"):
            moved = await http.patch(f"devices/{MAC}", json={"group": group})
            assert moved.json()["detail"] == f"there is no group {group!r}"
        left = await http.patch(f"devices/{MAC}", json={"group": None})
        assert left.status_code == 422
        marked = {"name": "language", "value": "x", "secret": True}
        answer = await http.patch(f"devices/{MAC}", json={"layer": {"set": [marked]}})
        assert "every layer of all groups" in answer.json()["detail"]
        for method, path in (
            ("PUT", "groups/acme"), ("PUT", "groups/beta"), ("DELETE", "groups/acme"),
            ("POST", "vendor-cas"), ("DELETE", "vendor-cas/" + "ab" * 32),
            ("GET", "alerts"), ("GET", "nothing"), ("POST", f"devices/{MAC}/replace"),
        ):  # fmt: skip
            refused = await http.request(method, path, json={})
            assert (refused.status_code, refused.json()["code"]) == (
                403, "token.groups",
            ), path  # fmt: skip
        for scope in ("fleet", "model:D785", "group:beta", "group:nobody"):
            assert (await http.get(f"layers/{scope}")).status_code == 404


async def test_a_token_whose_group_is_removed_sees_nothing(world: World) -> None:
    token = await fill(world)
    async with world.client(token=token) as http:
        async with world.client(token=world.token(Scope.ADMIN, "again")) as admin:
            gone = await admin.delete("groups/acme?ungroup=true")
            assert gone.status_code == 204
            await admin.put("groups/acme", json={})
            await admin.patch(f"devices/{MAC}", json={"group": "acme"})
        assert (await http.get("devices")).json()["items"] == []
        assert (await http.get("groups")).json()["items"] == []
    (limited,) = [t for t in ApiTokens(world.database).all() if t.name == "a"]
    assert limited.groups == frozenset()


async def test_pages_of_changes_go_on_without_their_numbers(world: World) -> None:
    token = await fill(world)
    async with world.client(token=token) as http:
        for label in "abcdefg":
            await http.patch(f"devices/{MAC}", json={"label": label})
        whole = (await http.get("changes")).json()["items"]
        found: list[Any] = []
        path = "changes?limit=3"
        while path:
            document = (await http.get(path)).json()
            assert document["total"] == len(whole)
            found += document["items"]
            path = document["next"]
        assert found == whole
        assert {line["id"] for line in found} == {None}
        for cursor in ("7", "1.2.3", "a.b", "1.-1"):
            assert (await http.get(f"changes?cursor={cursor}")).status_code == 400
