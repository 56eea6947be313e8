"""Alerts by the API: what holds, what was not delivered, and once more."""

from tests.unit.console.api.conftest import NOW

from linekey.alerts.kinds import Kind, Noticed
from linekey.alerts.targets import Outcome
from linekey.store import alerts, outbox
from linekey.store.tokens import Scope


def fill(database) -> None:
    found = [
        Noticed(
            kind=kind, key=mac, cause="expired", sentence="it has expired",
            cure="renew it", since=NOW, mac=mac,
        )
        for kind, mac in ((Kind.REFUSED, "000413AABBCC"), (Kind.REVOKED, "000413AABBCD"))
    ]  # fmt: skip
    for one in found:
        alerts.see(database, one.kind, [one], NOW)
    body = {"type": "test", "data": {"summary": "1 phone is refused"}}
    with database.write() as connection:
        outbox.put(connection, "msg_1", "test", body, [("w", "https://x/…")], NOW)
    (one,) = outbox.due(database, NOW)
    outbox.note(database, one, Outcome(False, "it answers 410", True), NOW, 0.0)


async def test_what_holds_is_listed(world) -> None:
    fill(world.database)
    async with world.client(Scope.READ) as http:
        found = (await http.get("alerts")).json()
        assert (found["total"], len(found["items"])) == (2, 2)
        some = (await http.get("alerts?kind=phone.refused")).json()
        assert [one["mac"] for one in some["items"]] == ["000413AABBCC"]
        assert (await http.get("alerts?kind=phone.refusd")).status_code == 400


async def test_what_was_not_delivered_is_listed_and_put_back(world) -> None:
    fill(world.database)
    async with world.client(Scope.READ) as http:
        found = (await http.get("alerts/messages")).json()
        (one,) = found["items"]
        assert found["total"] == 1
        assert (one["state"], one["target"]) == ("undelivered", "https://x/…")
        sent = (await http.get("alerts/messages?state=sent")).json()
        assert sent == {"total": 0, "items": []}
        assert (await http.post("alerts/messages/1/retry")).status_code == 403
    async with world.client(Scope.ADMIN) as http:
        got = await http.post("alerts/messages/1/retry")
        assert got.json() == {"waiting": 1}
        (one,) = (await http.get("alerts/messages?state=waiting")).json()["items"]
        assert one["attempts"] == 0
        missing = await http.post("alerts/messages/7/retry")
        assert missing.status_code == 422
        assert "no message 7" in missing.json()["detail"]
