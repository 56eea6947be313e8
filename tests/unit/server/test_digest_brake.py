"""Guessing a phone's HTTP password at the application: what leaves, and what is told."""

import dataclasses
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from tests.memory_brake import MemoryBrake
from tests.unit.server.test_app import (
    MAC,
    NOW,
    OTHER,
    TOKEN,
    Answer,
    Memory,
    identity,
    make_app,
    own_device,
    shared_device,
)

from linekey.catalog.models import Generation
from linekey.digest import answer, best_challenge
from linekey.provisioning.authorize import Rules
from linekey.provisioning.device import REALM, Device, DigestCredential, hash_token
from linekey.provisioning.digest import challenges
from linekey.provisioning.identity import NO_IDENTITY, Identity
from linekey.server.gate import Known
from linekey.tls.versions import Version
from linekey.wire.asgi_tls import ConnectionTls

KEY = b"k" * 32
COMMON = dataclasses.replace(identity(None), generation=Generation.SHA1)
WITH_PASSWORD = shared_device(digest=DigestCredential.create("u", REALM, "right"))
HERE, THERE = "192.0.2.7", "198.51.100.9"
PATH = f"/snom320-{MAC}.htm"


class Place:
    """One server, one clock."""

    def __init__(self, *devices: Device, rules: Rules = Rules()) -> None:  # noqa: B008
        self.memory = Memory(*devices)
        self.brake = MemoryBrake()
        self.app = make_app(self.memory, rules, self.brake)
        self.app._clock = lambda: self.now
        self.now = NOW

    def later(self, seconds: float) -> datetime:
        self.now += timedelta(seconds=seconds)
        return self.now

    async def try_(
        self, password: str | None, *, peer: str = HERE, path: str = PATH,
        who: Identity = COMMON, nonce_at: datetime | None = None, header: str = "",
        method: str = "GET",
    ) -> Answer:  # fmt: skip
        headers: list[tuple[bytes, bytes]] = []
        if password is not None:
            challenge = best_challenge(challenges(REALM, KEY, nonce_at or self.now))
            assert challenge is not None
            header = answer(
                challenge, username="u", password=password, method=method, uri=path,
                nc=1, cnonce="c",
            )  # fmt: skip
        if header:
            headers = [(b"authorization", header.encode())]
        return await self.send(headers, peer, path, who, method)

    async def send(
        self, headers: Sequence[tuple[bytes, bytes]], peer: str, path: str,
        who: Identity, method: str,
    ) -> Answer:  # fmt: skip
        tls = ConnectionTls(
            (), None, Version.TLS1_2, 0xC02F, "SUITE", "modern", None, False,
            Known(who, 0),
        )  # fmt: skip
        scope = {
            "type": "http", "method": method, "raw_path": path.encode(),
            "query_string": b"", "headers": list(headers), "client": (peer, 4711),
            "extensions": {"linekey": tls},
        }  # fmt: skip
        got = Answer()

        async def receive() -> Any:
            return {"type": "http.disconnect"}

        await self.app(scope, receive, got.send)
        return got


def retry_after(got: Answer) -> int:
    (value,) = got.all(b"retry-after")
    return int(value)


async def test_of_sixty_wrong_answers_three_are_read_and_the_log_says_so() -> None:
    place = Place(WITH_PASSWORD)
    got = [await place.try_(f"wrong {n}") for n in range(60)]
    assert [answer.status for answer in got] == [401] * 3 + [429] * 57
    assert {retry_after(answer) for answer in got[2:]} == {1}
    assert all(len(answer.all(b"www-authenticate")) == 2 for answer in got[:3])
    assert {answer.body for answer in got[3:]} == {
        b"too many wrong answers\nreason: second_factor_paused\n"
    }
    lines = place.memory.lines
    assert [(line.reason, line.status) for line in lines] == [
        ("digest_wrong", 401)
    ] * 3 + [("digest_paused", 429)] * 57
    assert "1 s to go" in lines[-1].sentence
    assert "linekey log" in lines[-1].remedy


async def test_a_right_answer_in_a_pause_opens_nothing_elsewhere_and_soon_does() -> (
    None
):
    place = Place(WITH_PASSWORD)
    for n in range(100):
        await place.try_(f"wrong {n}")
        place.later(1)
    paused = await place.try_("right")
    assert paused.status == 429
    assert b"geheim" not in paused.body
    assert 0 < retry_after(paused) <= 60
    place.later(retry_after(paused))
    good = await place.try_("right")
    assert (good.status, b"geheim" in good.body) == (200, True)


@pytest.mark.parametrize("attackers", [[HERE], [f"203.0.113.{n}" for n in range(200)]])
async def test_the_phone_at_its_own_place_is_never_kept_out(
    attackers: list[str],
) -> None:
    """By a neighbour behind its own address, or from very many addresses."""
    place = Place(WITH_PASSWORD)
    assert (await place.try_("right")).status == 200
    for second in range(60):
        for n in range(len(attackers) // 50 + 1):
            await place.try_("wrong", peer=attackers[(second + n) % len(attackers)])
        assert (await place.try_("right")).status == 200, second
        place.later(1)


async def test_a_wrong_answer_that_is_read_in_a_pause_looks_like_any_other() -> None:
    place = Place(WITH_PASSWORD)
    await place.try_("right")
    here = [await place.try_("wrong") for _ in range(10)]
    there = [await place.try_("wrong", peer=THERE) for _ in range(10)]
    assert [(a.status, a.body) for a in here] == [(a.status, a.body) for a in there]
    assert [a.headers for a in here[3:]] == [a.headers for a in there[3:]]


REGISTRIES = {
    "nobody": [],
    "password": [WITH_PASSWORD],
    "revoked": [dataclasses.replace(WITH_PASSWORD, state="revoked")],
    "no password": [shared_device()],
    "token": [shared_device(token_sha256=hash_token(TOKEN))],
    "own certificate": [own_device(model="D785")],
    "another phone": [dataclasses.replace(WITH_PASSWORD, mac=OTHER)],
}


@pytest.mark.parametrize("who", [COMMON, NO_IDENTITY])
@pytest.mark.parametrize("registry", REGISTRIES)
async def test_nobody_learns_from_pauses_or_staleness_who_is_registered(
    registry: str, who: Identity
) -> None:
    rules = Rules(second_factor_without_certificate=True)
    places = [Place(*REGISTRIES[name], rules=rules) for name in (registry, "nobody")]
    for n in range(12):
        old = NOW - timedelta(hours=1) if n % 4 == 3 else None
        seen = []
        for place in places:
            got = await place.try_(f"wrong {n}", who=who, nonce_at=old)
            seen.append((got.status, got.body, got.headers))
            place.later(0.4)
        assert seen[0] == seen[1], n
    assert {line.status for line in places[0].memory.lines} == {401, 429}


async def test_a_revoked_phones_right_password_is_as_wrong_as_any() -> None:
    place = Place(*REGISTRIES["revoked"])
    assert [(await place.try_("right")).status for _ in range(5)] == [401] * 3 + [
        429
    ] * 2
    assert place.brake.homes == {}


@pytest.mark.parametrize(
    "how",
    [
        {"password": "wrong", "nonce_at": NOW - timedelta(hours=1)},
        {"password": "right", "nonce_at": NOW - timedelta(hours=1)},
        {"password": None, "header": "Digest junk"},
        {"password": None, "header": "Basic dTpw"},
        {"password": None, "header": 'Digest username="u"'},
        {"password": None},
    ],
)
async def test_what_is_no_guess_is_not_counted_and_resets_nothing(
    how: dict[str, Any],
) -> None:
    place = Place(WITH_PASSWORD)
    for _ in range(30):
        assert (await place.try_(**how)).status == 401
    assert place.brake.asked == 0
    for _ in range(2):
        await place.try_("wrong")
    assert (await place.try_(**how)).status == 401
    assert (await place.try_("wrong")).status == 401
    assert (await place.try_(**how)).status == 401, "no guess, no pause"
    assert (await place.try_("wrong")).status == 429


@pytest.mark.parametrize("password", ["right", "wrong"])
async def test_a_foreign_nonce_tells_nothing_of_the_password(password: str) -> None:
    place = Place(WITH_PASSWORD)
    got = await place.try_(password, nonce_at=NOW - timedelta(days=1))
    assert all(b"stale=true" in value for value in got.all(b"www-authenticate"))
    assert [line.reason for line in place.memory.lines] == ["digest_stale"]


async def test_tokens_have_no_brake_and_pass_every_pause() -> None:
    """192 random bits cannot be guessed; a phone with a used-up one asks every day."""
    place = Place(dataclasses.replace(WITH_PASSWORD, token_sha256=hash_token(TOKEN)))
    for _ in range(60):
        wrong = await place.try_(None, path=f"/t/{TOKEN}x/snom320-{MAC}.htm")
        assert wrong.status == 401
    assert place.brake.asked == 0
    for _ in range(5):
        await place.try_("wrong")
    assert (await place.try_(None, path=f"/t/{TOKEN}/snom320-{MAC}.htm")).status == 200


async def test_a_phone_with_its_own_certificate_is_never_paused() -> None:
    device = own_device(digest=WITH_PASSWORD.digest)
    who = dataclasses.replace(identity(), generation=Generation.SHA256)
    place = Place(device)
    path = f"/snomD785-{MAC}.htm"
    for _ in range(10):
        await place.try_("wrong", path=path)
        assert (await place.try_("wrong", path=path, who=who)).status == 200


async def test_without_the_rule_nothing_is_held_against_a_password() -> None:
    place = Place(WITH_PASSWORD)
    for _ in range(10):
        assert (await place.try_("right", who=NO_IDENTITY)).status == 401
    assert place.brake.asked == 0


async def test_an_ipv6_network_is_one_source() -> None:
    place = Place(WITH_PASSWORD)
    got = [
        (await place.try_("wrong", peer=f"2001:db8::{n:x}")).status for n in range(1, 9)
    ]
    assert got == [401] * 3 + [429] * 5


async def test_where_only_the_format_is_missing_a_right_password_is_no_wrong_one() -> (
    None
):
    device = dataclasses.replace(WITH_PASSWORD, vendor="cisco", model=None)
    who = dataclasses.replace(COMMON, vendor="cisco")
    place = Place(device)
    path = f"/SEP{MAC.digits}.cnf.xml"
    for _ in range(10):
        assert (await place.try_("right", path=path, who=who)).status == 501
    assert all(tally.wrong == 0 for tally in place.brake.tallies.values())
