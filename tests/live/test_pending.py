"""Phones that nobody registered, at the real server: by curl, and the virtual phone."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from tests.live.conftest import PASSWORD, Place
from tests.live.test_serve_phones import cert
from tests.live.test_up import run, staying

from linekey.mac import Mac
from linekey.provisioning.pending import AdoptionRule, MacRange, Policy
from linekey.server.server import utc_now
from linekey.store.adoption import AdoptionRules
from linekey.store.changes import ChangeSearch, read_changes
from linekey.store.devices import Devices
from linekey.store.pending import Approval, Pending, PendingSearch
from linekey.store.vendor_cas import VendorCas

CODE = re.compile(r"Waiting for approval, code (\d{4})<")


def url_of(server: Any, mac: Mac) -> str:
    return f"{server.url}/snomD785-{mac}.htm"


@pytest.mark.peer("curl")
async def test_a_phone_waits_is_approved_and_has_its_file(
    place: Place, record_interop: Any
) -> None:
    mac = place.stranger
    own = cert(place.identity(mac))
    evil = "=cmd|'/c calc'!A1 <script>alert(1)</script> snomD785-SIP"
    async with place.serving(pending__policy="waiting") as server:
        got = await place.curl("-A", evil, *own, url_of(server, mac))
        found = CODE.search(got.out)
        assert found, got.said
        for secret in (PASSWORD, "Deutsch", "user_name", "certificate"):
            assert secret not in got.out
        again = await place.curl(*own, url_of(server, mac))
        assert again.out == got.out
        common = await place.curl("-i", *own, f"{server.url}/snomD785.htm")
        assert "403" in common.out.splitlines()[0]
        (phone,) = Pending(place.database).all()
        assert (phone.mac, phone.code, phone.waited) == (mac, found[1], True)
        assert (phone.vendor, phone.model) == ("lab-snom", "D785")
        assert phone.user_agent == evil
        # Neither a client without a certificate, nor one that asks for another's file.
        other = await place.curl("-i", *own, url_of(server, place.phone))
        assert "403" in other.out.splitlines()[0]
        nobody = await place.curl(url_of(server, mac))
        assert nobody.out == ""
        assert Pending(place.database).count() == 1
        wanted = PendingSearch(macs=frozenset({mac}))
        Pending(place.database).approve(wanted, Approval(label="Hall"), utc_now())
        got = await place.curl(*own, url_of(server, mac))
    assert "<language>Deutsch</language>" in got.out
    assert '<user_idle_text idx="1" perm="RW"></user_idle_text>' in got.out, (
        "taken back"
    )
    assert place.reasons() == [
        "waiting", "waiting", "unknown_phone", "other_phones_file", "no_certificate",
        "own_file",
    ]  # fmt: skip
    record_interop("curl", "pending phone: waiting file, approval, its own file")


@pytest.mark.peer("curl")
async def test_a_rule_registers_at_the_first_request_by_the_policy_of_its_ca(
    place: Place,
) -> None:
    mac = place.stranger
    rule = AdoptionRule("van", (MacRange(place.phone, mac),), "new", model="D785")
    AdoptionRules(place.database).put("van", lambda _: rule, utc_now())
    own = cert(place.identity(mac))
    async with place.serving() as server:
        got = await place.curl("-i", *own, url_of(server, mac))
        assert "403" in got.out.splitlines()[0], "the policy is to refuse"
        for ca in VendorCas(place.database).all():
            VendorCas(place.database).say_of_pending(
                ca.certificate.sha256, Policy.ADOPT
            )
        Devices(place.database).revoke(place.phone, "stolen", utc_now())
        stolen = await place.curl("-i", *cert(place.identity(place.phone)),
                                  url_of(server, place.phone))  # fmt: skip
        assert "403" in stolen.out.splitlines()[0]
        head = await place.curl("-I", *own, url_of(server, mac))
        assert "200" in head.out.splitlines()[0]
        assert Pending(place.database).count() == 1, "HEAD registers nobody"
        got = await place.curl(*own, url_of(server, mac))
        assert "Deutsch" in got.out
        await place.curl(*own, url_of(server, mac))
    assert place.reasons()[-3:] == ["waiting", "adopted", "own_file"]
    assert Devices(place.database).get(mac).label == "new"
    assert Devices(place.database).get(place.phone).state == "revoked"
    with place.database.read() as connection:
        (line,) = read_changes(connection, ChangeSearch(subject=f"device {mac}"))
    assert (line.who, line.place) == ("rule van", "phone at 127.0.0.1")


def test_up_shows_the_code_and_is_provisioned_after_approval(tmp_path: Path) -> None:
    """The documentation's walk, by the commands alone."""
    state = tmp_path / "s"
    with staying(state, options=("--unregistered",)) as (told, _):
        assert "linekey pending approve" in told
        (phone,) = json.loads(run("pending", "list", "--json", state=state).stdout)
        text = f"Waiting for approval, code {phone['code']}"
        assert text in run("phone", "screen", state=state).stdout
        assert json.loads(run("device", "list", "--json", state=state).stdout) == []
        run("layer", "set", "fleet", "language=Deutsch", state=state)
        run("pending", "approve", phone["mac"], "--label", "my desk", state=state)
        run("phone", "provision", state=state)
        for _ in range(20):  # each asks a process; the round takes less than one
            screen = run("phone", "screen", state=state).stdout
            if "Waiting" not in screen:
                break
        assert "Waiting" not in screen
        settings = json.loads(run("phone", "settings", "--json", state=state).stdout)
        values = {row["name"]: row["value"] for row in settings}
        assert values["language"] == "Deutsch"
        assert not values.get("user_idle_text")
        reasons = [
            line["reason"]
            for line in json.loads(run("log", "--json", state=state).stdout)
        ]
    assert reasons[-1] == "own_file"
    assert "waiting" in reasons
