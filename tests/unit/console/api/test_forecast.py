"""The forecast by the API: as by the command, and a chain before it is deployed."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from tests.certificates import DAY, ca, leaf
from tests.unit.console.api.conftest import NOW

from linekey.certs.pem import to_pem
from linekey.check.forecast import Served
from linekey.console.api.forecast import MAX_UNDER_WAY
from linekey.mac import Mac
from linekey.provisioning.device import Device
from linekey.provisioning.document import CertificateEntry, Layer
from linekey.provisioning.group import Group
from linekey.store.devices import Devices
from linekey.store.groups import Groups
from linekey.store.tokens import ApiTokens, Scope

NAME = "prov.example.com"
OURS, ANOTHER = ca("ours"), ca("another")
PRESENT = leaf(OURS, NAME, not_after=NOW + 90 * DAY)
TRUSTS = Layer(certificates=(CertificateEntry(OURS.certificate.der),))


@pytest.fixture
def fleet(world):
    world.served = (Served(NAME, NAME, (PRESENT,)),)
    Devices(world.database).add_all(
        [
            Device(Mac(f"0004130{n:05X}"), "snom", model, "10.1.185.0", layer=TRUSTS)
            for n, model in enumerate(("D785", "D785", "D735"))
        ],
        NOW,
    )
    return world


async def test_what_ends_is_told_with_the_phones(fleet) -> None:
    async with fleet.client(Scope.READ) as http:
        found = (await http.get("forecast")).json()
        (event,) = found["events"]
        assert (found["phones"], event["phones"]) == (3, 3)
        assert event["at"] == (NOW + 90 * DAY).isoformat()
        assert event["macs"] == [f"0004130{n:05X}" for n in range(3)]
        few = (await http.get("forecast?macs=1")).json()["events"][0]
        assert (few["phones"], few["macs"]) == (3, event["macs"][:1])
        soon = await http.get(f"forecast?until={(NOW + 30 * DAY):%Y-%m-%dT00:00:00Z}")
        assert soon.json()["events"] == []
        some = (await http.get("forecast?model=D735")).json()
        assert (some["phones"], some["events"][0]["phones"]) == (1, 1)


async def test_one_that_was_made_before_is_good_enough_for_who_says_so(fleet) -> None:
    phones = Devices(fleet.database)
    async with fleet.client(Scope.READ) as http:

        async def counted(query: str) -> int:
            return int((await http.get(f"forecast?{query}")).json()["phones"])

        assert await counted("max_age=60&macs=0") == 3
        phones.add(Device(Mac("000413FFFFFF"), "snom", "D785"), NOW)
        assert await counted("max_age=60") == 3
        assert await counted("") == 4
        assert await counted("max_age=60&model=D735") == 1
        fleet.now += 2 * timedelta(seconds=60)
        assert await counted("max_age=60") == 4
        fleet.now = fleet.now.replace(year=1970)
        unset = await http.get("forecast?max_age=60")
        assert (unset.status_code, "was not set" in unset.json()["detail"]) == (
            422,
            True,
        )


async def test_a_new_chain_is_judged_before_it_is_deployed(fleet) -> None:
    """By a token that may only read: nothing is changed."""
    better = leaf(OURS, NAME, not_after=NOW + 300 * DAY)
    async with fleet.client(Scope.READ) as http:
        new = (await http.post("forecast", json={"chain": to_pem(better)})).json()
        assert (new["renewal"]["kept"], new["renewal"]["lost"]) == (3, [])
        other = to_pem(leaf(ANOTHER, NAME))
        lost = (await http.post("forecast", json={"chain": other})).json()["renewal"]
        assert [(e["phones"], e["rule"]) for e in lost["lost"]] == [
            (3, "chain.incomplete")
        ]
        assert lost["lost"][0]["cure"]
        also = {"also": [{"name": "sip.example.com", "chain": other}]}
        already = (await http.post("forecast", json=also)).json()["already"]
        assert [(e["server"], e["phones"]) for e in already] == [("sip.example.com", 3)]


async def test_a_token_of_a_group_looks_ahead_for_its_phones(fleet) -> None:
    Groups(fleet.database).add(Group("acme"), NOW)
    first = Mac("000413000000")
    Devices(fleet.database).change(first, lambda d: replace(d, group="acme"), NOW)
    token = ApiTokens(fleet.database).add("a", Scope.READ, None, NOW, ["acme"])
    async with fleet.client(token=token) as http:
        for path in ("forecast", "forecast?group=acme"):
            found = (await http.get(path)).json()
            assert (found["phones"], found["judged"]) == (1, 1)
            assert found["events"][0]["macs"] == [first.digits]
        assert (await http.get("forecast?group=corp")).json()["phones"] == 0
        better = to_pem(leaf(OURS, NAME, not_after=NOW + 300 * DAY))
        new = (await http.post("forecast", json={"chain": better})).json()
        assert new["renewal"]["kept"] == 1


async def test_nobodys_forecasts_keep_those_of_others_out(fleet) -> None:
    async with fleet.client(Scope.READ) as http, fleet.client(Scope.ADMIN) as other:
        asked = [asyncio.create_task(http.get("forecast")) for _ in range(9)]
        answers = await asyncio.gather(*asked, other.get("forecast"))
        statuses = [answer.status_code for answer in answers]
        assert statuses.count(200) == MAX_UNDER_WAY + 1
        assert statuses[-1] == 200
        (late, *_) = [answer for answer in answers if answer.status_code == 429]
        assert int(late.headers["retry-after"]) > 0
        assert (await http.get("forecast")).status_code == 200


async def test_none_that_was_made_for_a_group_is_for_another_of_its_name(fleet) -> None:
    groups, first = Groups(fleet.database), Mac("000413000000")
    tokens = ApiTokens(fleet.database)
    answers = []
    for name in ("a", "b"):
        groups.add(Group("acme"), fleet.now)
        Devices(fleet.database).change(
            first, lambda d, n=name: replace(d, group="acme" if n == "a" else None), NOW
        )
        token = tokens.add(name, Scope.READ, None, fleet.now, ["acme"])
        async with fleet.client(token=token) as http:
            answers.append((await http.get("forecast?max_age=6000")).json()["phones"])
        groups.remove("acme", fleet.now, ungroup=True)
    assert answers == [1, 0]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"chain": "no chain"}, "certificate"),
        ({"chain": ""}, "certificate"),
        ({"until": (NOW - timedelta(days=1)).isoformat()}, "until is not ahead"),
        ({"until": NOW.isoformat()}, "until is not ahead"),
        ({"until": "soon"}, "until"),
        ({"also": [{"name": "", "chain": ""}]}, "also.0.name"),
        ({"also": [{"name": "a", "chain": "x"}] * 17}, "also"),
        ({"chian": "x"}, "chian"),
    ],
)
async def test_what_cannot_be_looked_at_is_told(fleet, body, said) -> None:
    async with fleet.client(Scope.READ) as http:
        answer = await http.post("forecast", json=body)
        assert answer.status_code == 422, answer.text
        assert said in answer.json()["detail"]
