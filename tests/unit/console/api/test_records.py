"""What happened is listed whole and once, whatever the clock does meanwhile."""

import json
from datetime import timedelta
from typing import Any

import pytest
from tests.certificates import ca
from tests.sightings import line, visit
from tests.unit.console.api.conftest import MAC, World

from linekey.console.api.desk import JsonAnswer, ListAnswer
from linekey.mac import Mac
from linekey.provisioning.device import Device
from linekey.provisioning.document import Layer
from linekey.provisioning.entries import CertificateEntry
from linekey.provisioning.group import Group
from linekey.store import log_search
from linekey.store.devices import Devices
from linekey.store.groups import Groups
from linekey.store.tokens import ApiTokens, Scope

BACK = [timedelta(0), timedelta(hours=-5), timedelta(hours=-5), timedelta(minutes=1),
        timedelta(days=-400), timedelta(minutes=2)]  # fmt: skip
"""The clock at each of some changes, against that at the first."""


@pytest.mark.parametrize("groups", [None, ["acme"]])
async def test_a_clock_set_back_loses_and_repeats_no_line(
    world: World, groups: list[str] | None
) -> None:
    Groups(world.database).add(Group("acme"), world.now)
    Devices(world.database).add(Device(Mac(MAC), "snom", group="acme"), world.now)
    begun = world.now
    token = ApiTokens(world.database).add("a", Scope.ADMIN, None, begun, groups)
    async with world.client(token=token) as http:
        for number, back in enumerate(BACK):
            world.now = begun + back
            changed = await http.patch(f"devices/{MAC}", json={"label": f"n{number}"})
            assert changed.status_code == 200
            reason = f"n{number}"
            came = line(Mac(MAC), world.now, reason=reason, group="acme")
            await visit(world.database, came)

        async def walk(path: str) -> list[Any]:
            found, address = [], f"{path}&limit=2"
            while address:
                page = (await http.get(address)).json()
                found += page["items"]
                address = page["next"]
            assert len(found) == page["total"]
            return found

        labels = [
            one["to"]
            for each in await walk(f"changes?who=a&mac={MAC}")
            for one in each["changes"]
        ]
        reasons = [one["reason"] for one in await walk(f"decisions?mac={MAC}")]
        (device,) = (await http.get("devices")).json()["items"]
    written = [f"n{number}" for number in reversed(range(len(BACK)))]
    # Who sees all has them as they were written; a line's number is not everybody's.
    by_time = sorted(written, key=lambda n: (BACK[int(n[1])], int(n[1])), reverse=True)
    assert labels == reasons == (written if groups is None else by_time)
    assert device["seen"]["last_at"] == (begun + max(BACK)).isoformat()
    (kept,) = (one for one in ApiTokens(world.database).all() if one.name == "a")
    assert kept.used_at is not None
    assert kept.used_at >= begun, "nor is it used before it was"


@pytest.mark.parametrize("groups", [None, ["acme"]])
async def test_lines_with_a_text_are_counted_so_far_and_listed_all(
    world: World, monkeypatch: pytest.MonkeyPatch, groups: list[str] | None
) -> None:
    monkeypatch.setattr(log_search, "COUNTED", 5)
    Groups(world.database).add(Group("acme"), world.now)
    token = ApiTokens(world.database).add("a", Scope.ADMIN, None, world.now, groups)
    for number in range(9):
        at = world.now + timedelta(seconds=number)
        await visit(world.database, line(Mac(MAC), at, detail="x7", group="acme"))
        if number < 5:
            await visit(world.database, line(Mac(MAC), at, detail="y7", group="acme"))
    async with world.client(token=token) as http:
        for text, there, said in (
            ("x7", 9, (5, "at least")), ("Y7", 5, (5, "exact")), ("z7", 0, (0, "exact")),
        ):  # fmt: skip
            found, address = [], f"decisions?limit=2&q={text}"
            while address:
                page = (await http.get(address)).json()
                assert (page["total"], page["total_is"]) == said
                found += [one["at"] for one in page["items"]]
                address = page["next"]
            assert (len(found), found) == (there, sorted(found, reverse=True))
        page = (await http.get("decisions?limit=2")).json()
        assert (page["total"], page["total_is"]) == (14, "exact")


@pytest.mark.parametrize("groups", [None, ["acme"]])
async def test_what_no_index_finds_is_looked_for_in_a_part_of_the_log_at_a_time(
    world: World, monkeypatch: pytest.MonkeyPatch, groups: list[str] | None
) -> None:
    monkeypatch.setattr(log_search, "COUNTED", 2)
    monkeypatch.setattr(log_search, "BACK", 5)
    Groups(world.database).add(Group("acme"), world.now)
    token = ApiTokens(world.database).add("a", Scope.ADMIN, None, world.now, groups)
    for number in range(16):
        at = world.now + timedelta(seconds=number)
        said = "zz" if number in (1, 13) else ""
        await visit(world.database, line(Mac(MAC), at, detail=said, group="acme"))
    found, pages, address = [], [], "decisions?limit=2&q=zz"
    async with world.client(token=token) as http:
        while address:
            page = (await http.get(address)).json()
            assert (page["total"], page["total_is"]) == (1, "at least")
            assert (page["searched_to"] is None) is (page["next"] is None)
            found += [one["at"] for one in page["items"]]
            pages.append(page["searched_to"])
            address = page["next"]
    at = [(world.now + timedelta(seconds=n)).isoformat() for n in (13, 1)]
    assert found == at
    assert pages == [*sorted(pages[:-1], reverse=True), None]
    assert len(pages) >= 3


def test_a_long_list_is_written_as_all_answers_are() -> None:
    for content in (
        {"items": [{"a": None, "b": [1, True, "K\u00f6ln \U0001f600"]}], "next": None},
        {"items": ["half a character: \ud83d"]},
    ):
        quick, plain = ListAnswer(content), JsonAnswer(content)
        assert json.loads(quick.body) == json.loads(plain.body)
        assert quick.media_type == plain.media_type


async def test_no_list_has_a_time_that_is_not_a_text_yet(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such a one would be written otherwise than everywhere else."""
    said: list[object] = []
    monkeypatch.setattr(
        ListAnswer, "render", lambda self, content: said.append(content) or b"{}"
    )
    certificate = CertificateEntry(ca("Root").certificate.der)
    layer = Layer(certificates=(certificate,))
    Devices(world.database).add(Device(Mac(MAC), "snom", layer=layer), world.now)
    await visit(world.database, line(Mac(MAC), world.now))
    async with world.client() as http:
        for path in ("devices", "decisions"):
            assert (await http.get(path)).status_code == 200
    assert [len(one["items"]) for one in said] == [1, 1]  # type: ignore[index]
    json.dumps(said)
