"""What there is to tell, as the registry, its phones' visits and the log have it."""

from dataclasses import replace
from datetime import datetime, timedelta

from tests.certificates import ca, ec, leaf
from tests.selections import FLEET, HALL, OLD, POLY, ROOM
from tests.sightings import LATER, NOW, fleet_that_came, line, refused, visit

from linekey.alerts.kinds import Noticed
from linekey.store import notices
from linekey.store.alerts import see
from linekey.store.database import Database
from linekey.store.devices import Devices
from linekey.store.vendor_cas import VendorCas, describe_ca

DAY = timedelta(days=1)


def claimed(at: datetime = NOW) -> object:
    return line(
        None, at, kind="handshake", target_mac=POLY, outcome="refused",
        reason="expired", detail="<script>what a peer sent</script>",
    )  # fmt: skip


def shown(found: list[Noticed]) -> set[tuple[str | None, str]]:
    return {(one.mac, one.cause) for one in found}


async def fleet(database: Database) -> None:
    await fleet_that_came(database)
    Devices(database).change(OLD, lambda d: replace(d, state="active"), NOW)


async def test_phones_that_were_refused_last_are_found(database: Database) -> None:
    await fleet(database)
    assert shown(notices.refused(database, LATER)) == {(OLD.digits, "revoked")}
    assert notices.refused(database, LATER + DAY) == [], "not for more than a day"
    await visit(database, refused(HALL, LATER, reason="token_wrong"))
    assert shown(notices.refused(database, LATER)) == {
        (OLD.digits, "revoked"), (HALL.digits, "token_wrong"),
    }  # fmt: skip
    await visit(database, line(HALL, LATER + timedelta(minutes=2)))
    assert shown(notices.refused(database, LATER)) == {(OLD.digits, "revoked")}
    Devices(database).revoke(OLD, "stolen", LATER)
    assert notices.refused(database, LATER) == [], "that is no news of a revoked one"


async def test_a_refused_handshake_counts_until_the_phone_comes_through(
    database: Database,
) -> None:
    await fleet(database)
    await visit(database, claimed())  # type: ignore[arg-type]
    since = NOW - timedelta(minutes=1)
    found = notices.refused_handshakes(database, NOW, since)
    assert shown(found) == {(POLY.digits, "expired")}
    assert "script" not in found[0].sentence + found[0].cure
    see(database, found[0].kind, found, NOW)
    later = NOW + timedelta(hours=2)
    assert shown(notices.refused_handshakes(database, later, later)) == {
        (POLY.digits, "expired")
    }, "it is remembered without the log"
    assert notices.refused_handshakes(database, NOW + 2 * DAY, NOW + 2 * DAY) == []
    await visit(database, line(POLY, later))
    assert notices.refused_handshakes(database, later, later) == []


async def test_strangers_are_nobody(database: Database) -> None:
    await visit(database, claimed())  # type: ignore[arg-type]
    assert notices.refused_handshakes(database, NOW, NOW - DAY) == []


async def test_who_came_for_the_first_time(database: Database) -> None:
    await fleet(database)
    came = {mac for mac, _ in shown(notices.first_seen(database, NOW))}
    assert came == {HALL.digits, ROOM.digits, OLD.digits}
    assert notices.first_seen(database, LATER) == [], "the second visit is no first"


async def test_who_is_revoked(database: Database) -> None:
    Devices(database).add_all(FLEET, NOW)
    before = notices.registry_version(database)
    Devices(database).revoke(HALL, "stolen", NOW)
    assert notices.registry_version(database) != before
    assert HALL.digits in {one.mac for one in notices.revoked(database, NOW)}


async def test_certificates_that_end_soon(database: Database) -> None:
    await fleet(database)
    ends = notices.ending_phones(database, 30, NOW)
    assert [(one.mac, one.text) for one in ends] == [
        (ROOM.digits, "ends 2026-02-01 12:00 UTC")
    ]
    soon = ca("soon", own=ec("soon"), not_after=NOW + 20 * DAY)
    late = ca("late", own=ec("late"), not_after=NOW + 40 * DAY)
    VendorCas(database).add([describe_ca(one.certificate, NOW) for one in (soon, late)])
    (found,) = notices.ending_authorities(database, 30, NOW)
    assert found.text == f"{soon.certificate.label} ends 2026-02-20 12:00 UTC"


def test_a_certificate_of_a_short_life_ends_soon_when_a_third_is_left() -> None:
    issuer = ca("any", own=ec("any"))

    def soon(life: int, left: int) -> bool:
        certificate = leaf(
            issuer, "a.b", leaf_key=ec("l"), not_after=NOW + left * DAY,
            not_before=NOW - (life - left) * DAY,
        )  # fmt: skip
        return bool(notices.ending_here([certificate], "server:x:", 30, NOW))

    assert soon(90, 29)
    assert not soon(90, 31)
    assert soon(6, 1)
    assert not soon(6, 3)
    assert soon(90, -1), "what has ended, too"
