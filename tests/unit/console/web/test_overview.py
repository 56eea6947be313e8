"""The first page, and the lists of what happened."""

import html
import re
from datetime import UTC, timedelta
from typing import Any

import pytest
from tests.certificates import DAY, ca
from tests.unit.console.web.conftest import World, english_in, text_of

from linekey.alerts.targets import Outcome
from linekey.certs.pem import to_pem
from linekey.console.web.language import languages
from linekey.console.web.reasons import tell_forecast
from linekey.mac import Mac
from linekey.provisioning.device import Device
from linekey.provisioning.group import Group
from linekey.said import say, together, words_of
from linekey.store import log_search, outbox
from linekey.store.decision_log import DecisionLog
from linekey.store.decisions import LogEntry
from linekey.store.devices import Devices
from linekey.store.groups import Groups

MAC = Mac("000413AABBCC")


async def fill(world: World) -> None:
    Devices(world.database).add(Device(MAC, "snom", "D785"), world.now)
    async with DecisionLog(world.database) as log:
        for number in range(60):
            await log.record(
                LogEntry(
                    at=world.now - timedelta(minutes=number), kind="decision",
                    outcome="refused" if number % 3 else "granted", mac=MAC,
                    reason="revoked" if number % 3 else "own_file", target_mac=MAC,
                    peer="192.0.2.7", resource="/snomD785.htm",
                )
            )  # fmt: skip
    world.user("clara", "viewer")


async def test_it_counts_what_was_decided(world: World) -> None:
    await fill(world)
    async with world.console("clara") as browser:
        for path in ("", "?span=week", "?span=nonsense"):
            page = await browser.get(path)
            text = text_of(page)
            assert "20 granted in" in text
            assert "40 refused in" in text
            assert page.text.count("<rect class=") >= 2
        assert "This device is revoked" in text or "revoked" in text


async def test_the_newest_decisions_are_shown_however_old_they_are(
    world: World,
) -> None:
    world.user("clara", "viewer")
    async with DecisionLog(world.database) as log:
        for days in (30, 40):
            await log.record(
                LogEntry(
                    at=world.now - timedelta(days=days), kind="decision",
                    outcome="refused", reason="revoked", mac=MAC, target_mac=MAC,
                    peer="192.0.2.7", resource=f"/{days}.htm",
                )
            )  # fmt: skip
    async with world.console("clara") as browser:
        text = text_of(await browser.get(""))
        assert "/30.htm" in text
        assert "/40.htm" in text


async def test_what_was_not_delivered_is_counted(world: World) -> None:
    world.user("clara", "viewer")
    Groups(world.database).add(Group("acme"), world.now)
    world.user("gina", "viewer", ["acme"])
    async with world.console("clara") as browser:
        assert "Alerts not delivered" not in text_of(await browser.get(""))
    body = {"type": "test", "data": {"summary": "1 phone is refused"}}
    with world.database.write() as connection:
        target = [("w", "https://x/…")]
        outbox.put(connection, "msg_1", "test", body, target, world.now)
    (one,) = outbox.due(world.database, world.now)
    outbox.note(
        world.database, one, Outcome(False, "it answers 410", True), world.now, 0.0
    )
    async with world.console("clara") as browser:
        assert "Alerts not delivered 1" in text_of(await browser.get(""))
    async with world.console("gina") as browser:
        assert "Alerts not delivered" not in text_of(await browser.get(""))


async def test_decisions_go_on_and_are_searched(world: World) -> None:
    await fill(world)
    async with world.console("clara") as browser:
        first = await browser.get("decisions?outcome=refused&reason=revoked")
        assert "40 decisions" in text_of(first)
        page = await browser.get(f"decisions?mac={MAC.digits}")
        assert "60 decisions" in text_of(page)
        following = page.text.rpartition('rel="next"')[0].rpartition('href="')[2]
        following = following.partition('"')[0].replace("&amp;", "&")
        rest = await browser.http.get(following)
        assert rest.text.count('data-label="Outcome"') == 10
        assert "To the beginning" in text_of(rest)
        none = await browser.get("decisions?since=2026-11-29T11:58&peer=192.0.2.7")
        assert "3 decisions" in text_of(none)
        for bad in ("since=soon", "mac=x", "cursor=x", "outcome=maybe"):
            assert (await browser.get(f"decisions?{bad}")).status_code == 400


async def test_changes_are_listed(world: World) -> None:
    await fill(world)
    async with world.console("clara") as browser:
        page = await browser.get("changes?subject=device 000413AABBCC")
        assert "1 change" in text_of(page)
        assert "added" in text_of(page)
        assert (await browser.get("changes?mac=x")).status_code == 400


async def test_the_forecast_and_the_authorities(world: World) -> None:
    await fill(world)
    world.user("anna", "admin")
    async with world.console("anna") as browser:
        page = await browser.get("forecast")
        assert "What ends, and when" in text_of(page)
        asked = await browser.post("forecast", {"chain": "nonsense"})
        assert asked.status_code == 422
        assert (await browser.get("forecast?until=2020-01-01")).status_code == 422
        bad = await browser.post("authorities", {"pem": "nonsense"})
        assert bad.status_code == 422
        missing = await browser.get(f"authorities/{'ab' * 32}/remove")
        assert missing.status_code == 404


@pytest.mark.parametrize(
    ("event", "is_so", "german"),
    [
        ({"kind": "recognised", "phones": 1}, True, "1 Telefon wird nicht mehr erkannt"),
        ({"kind": "recognised"}, False, "1.970 Telefone werden nicht mehr erkannt"),
        ({"kind": "begins"}, False, "1.970 Telefone nehmen a%(n)s nun an"),
        ({"kind": "accepts"}, True, "1.970 Telefone weisen a%(n)s ab"),
        ({"kind": "accepts"}, False, "1.970 Telefone nehmen a%(n)s nicht mehr an"),
        ({"kind": "accepts", "condition": "x"}, False,
         "vielleicht: 1.970 Telefone nehmen a%(n)s nicht mehr an"),
    ],
)  # fmt: skip
def test_events_are_told_in_german(event: Any, is_so: bool, german: str) -> None:
    whole = {"phones": 1970, "server": "a%(n)s", "condition": None, "sentence": "x"}
    whole |= {"cause": "y", "cure": ""} | event
    found = {
        "already": [whole] if is_so else [], "events": [] if is_so else [whole],
        "renewal": None, "condition": "z", "notes": [], "words": {},
    }  # fmt: skip
    for code, told in (("de", german), ("en", "x")):
        tell_forecast(found, languages(UTC)[code])
        assert whole["told"] == told


def test_a_sentence_within_a_sentence_is_told_in_german() -> None:
    german = languages(UTC)["de"]
    ends = together([say("%(certificate)s expires", certificate=c) for c in "AB"])
    whole = say("%(what)s: %(why)s", what=ends, why="the server sends no certificate")
    assert (
        german.tell(whole)
        == "A läuft ab und B läuft ab: the server sends no certificate"
    )
    why = say("the server sends no certificate")
    whole = say("%(what)s: %(why)s", what=ends, why=why)
    for words in (None, words_of([whole])):
        told = german.tell(str(whole) if words else whole, words)
        assert told == "A läuft ab und B läuft ab: der Server sendet kein Zertifikat"
    assert languages(UTC)["en"].tell(whole) == whole
    assert german.tell("root") == "root"  # a name, and no word of the program


PAGES = ("", "forecast", "authorities", "decisions", "phones", f"phones/{MAC}")


async def test_german_pages_have_no_english_sentence(world: World) -> None:
    await fill(world)
    Devices(world.database).add(Device(Mac("000413AABBCD"), "snom", "D1"), world.now)
    world.user("anna", "admin")
    async with world.console("anna") as browser:
        shown = [text_of(await browser.get(path)) for path in PAGES]
        for name, days, rule in (("Own", 400, "cn-mac"), ("Other", 20, "")):
            body = {
                "pem": to_pem(ca(name, not_after=world.now + days * DAY).certificate)
            }
            await browser.post("authorities", body | {"rule": rule})
        english = shown + [text_of(await browser.get(path)) for path in PAGES]
        found = english_in(english)
        german = [
            text_of(await browser.get(path, **{"accept-language": "de"}))
            for path in PAGES
        ]
    # What is looked for is what the English pages have of these tables.
    assert {
        "no vendor CA is trusted; add one with linekey trust add FILE.",
        "%(certificate)s is self-signed, and is not on the phone",
        "MAC in the CN",
        "this device is revoked",
        "nothing says where its phones' certificates hold the MAC",
        "%(authority)s expires on %(day)s; its phones are refused from then on.",
    } <= found
    assert english_in(german) == set()


async def test_a_list_of_decisions_says_that_there_are_more_than_were_counted(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(world)
    async with world.console("clara") as browser:
        monkeypatch.setattr(log_search, "COUNTED", 7)
        page = text_of(await browser.get("decisions?q=snomD785"))
        assert "at least 7 decisions" in page
        german = await browser.get("decisions?q=snomD785", **{"accept-language": "de"})
        assert "mindestens 7 Entscheidungen" in text_of(german)
        assert "60 decisions" in text_of(await browser.get("decisions"))


async def test_a_search_that_looked_at_a_part_of_the_log_says_so(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_search, "COUNTED", 5)
    monkeypatch.setattr(log_search, "BACK", 20)
    await fill(world)
    async with world.console("clara") as browser:
        page = await browser.get("decisions?q=zz")
        assert "no decision so far; searched back to" in text_of(page)
        assert 'rel="next"' in page.text
        assert "No decisions" not in text_of(page)
        seen = text_of(await browser.get("decisions?q=no"))
        assert "at least 5 decisions" in seen
        assert "searched back" in seen
        while 'rel="next"' in page.text:
            (address,) = re.findall(r'href="/console/([^"]+)" rel="next"', page.text)
            page = await browser.get(html.unescape(address))
        assert "searched to the oldest decision" in text_of(page)
