"""What a forecast of a registry reads: names, phones' certificates, groups' CAs."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.certificates import DAY, ca, leaf
from tests.sightings import line, visit

from linekey.catalog.vendors import OperatorRule, TrustRule
from linekey.certs.host_names import match_host
from linekey.check.forecast import Event
from linekey.console.forecasting import ahead_of, name_of
from linekey.mac import Mac
from linekey.provisioning.device import REALM, Device, DigestCredential
from linekey.provisioning.expired import Expired
from linekey.provisioning.group import Group
from linekey.store.changes import Actor
from linekey.store.database import Database, open_database
from linekey.store.devices import Devices
from linekey.store.groups import Groups
from linekey.store.paths import StateDir
from linekey.store.vendor_cas import VendorCas, describe_ca

ROOT = ca("forecasting root")
NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
SOON, LATER = ca("ends soon", not_after=NOW + 60 * DAY), ca("ends later")
SAID = OperatorRule(TrustRule.CN_MAC, "snom")
FREE, ACME, CORP = (Mac(f"00041300000{n}") for n in range(3))


@pytest.mark.parametrize(
    ("names", "dns", "ips", "meant"),
    [
        (("set.example.com",), ("a.example.com",), (), "set.example.com"),
        ((), ("*.example.com", "a.example.com"), (), "a.example.com"),
        ((), ("*.example.com",), ("192.0.2.1",), "192.0.2.1"),
        ((), ("*.example.com",), (), "any.example.com"),
    ],
)
def test_a_server_is_called_by_a_name_that_its_certificate_is_for(
    names: tuple[str, ...], dns: tuple[str, ...], ips: tuple[str, ...], meant: str
) -> None:
    certificate = leaf(ROOT, *dns, ips=ips)
    assert name_of(names, [certificate]) == meant
    assert names or match_host(certificate, meant).ok


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """Two CAs of one maker; a phone in no group, and one in each of two groups."""
    with open_database(StateDir.open(tmp_path / "state")) as database:
        cas = [describe_ca(one.certificate, NOW, SAID) for one in (SOON, LATER)]
        VendorCas(database).add(cas)
        for name, allowed in (("acme", SOON), ("corp", LATER)):
            its = allowed.certificate
            Groups(database).add(
                Group(name, authorities={its.sha256: its.public_key_sha256}), NOW
            )
        Devices(database).add_all(
            [
                Device(mac, "snom", "D785", "10.1.185.0", group=group)
                for mac, group in ((FREE, None), (ACME, "acme"), (CORP, "corp"))
            ],
            NOW,
        )
        yield database


def ends(database: Database, days: int = 400) -> list[Event]:
    found = ahead_of(database, [], at=NOW, until=NOW + days * DAY)
    return [event for event in found.events if event.kind == "recognised"]


def came(database: Database, mac: Mac, issuer: Any, end: datetime) -> None:
    """The phone showed a certificate of that CA whose path ends then."""
    key = issuer.certificate.public_key_sha256
    seen = line(mac, NOW, issuer_key_sha256=key, certificate_ends_at=end)
    asyncio.run(visit(database, seen))


def test_a_group_counts_on_the_cas_that_it_allows_alone(database: Database) -> None:
    found = {event.macs: event.condition for event in ends(database)}
    assert set(found) == {(FREE.digits,), (ACME.digits,)}
    assert "one of 2 authorities" in found[FREE.digits,]
    assert "one of 2" not in found[ACME.digits,], "it allows one alone"
    VendorCas(database).remove(LATER.certificate.sha256)
    notes = ahead_of(database, [], at=NOW, until=NOW + DAY).notes
    assert any("1 phone of the group 'corp'" in note for note in notes)


def test_a_certificate_that_was_seen_says_more_than_the_record(
    database: Database,
) -> None:
    came(database, FREE, LATER, LATER.certificate.not_after)
    assert [event.macs for event in ends(database)] == [(ACME.digits,)]
    came(database, FREE, LATER, NOW + 30 * DAY)
    first, second = ends(database)
    assert (first.macs, first.condition) == ((FREE.digits,), "")
    assert first.at.date() == (NOW + 30 * DAY).date()
    assert (
        first.cause
        == "their own certificates expire (issued by CN=ends later,O=linekey TEST)"
    )
    assert "not seen yet" in second.condition


def test_a_phone_whose_ca_was_renewed_goes_on_with_it(database: Database) -> None:
    came(database, ACME, SOON, SOON.certificate.not_after)
    assert {event.macs for event in ends(database)} == {(FREE.digits,), (ACME.digits,)}
    renewed = ca("ends soon", not_after=NOW + 900 * DAY)
    assert renewed.certificate.public_key_sha256 == SOON.certificate.public_key_sha256
    VendorCas(database).add([describe_ca(renewed.certificate, NOW, SAID)])
    assert ends(database) == []


def test_who_is_limited_to_groups_is_told_of_theirs(database: Database) -> None:
    mine = database.acting(Actor("acme", "192.0.2.7"), frozenset({"acme"}))
    found = ahead_of(mine, [], at=NOW, until=NOW + 400 * DAY)
    assert found.phones == 1
    assert [event.macs for event in found.events] == [(ACME.digits,)]


def test_who_is_let_in_after_the_end_is_a_note_and_no_loss(database: Database) -> None:
    """A CA's word, then each phone's; who has no password for it is lost all the
    same."""
    cas = VendorCas(database)
    cas.say_of_expired(SOON.certificate.sha256, Expired.ACCEPT)
    assert ends(database) == []
    found = ahead_of(database, [], at=NOW, until=NOW + 400 * DAY)
    assert found.failing == 0
    assert found.exit_code == 0
    accepted = [note for note in found.notes if "accepted after that" in note]
    assert len(accepted) == 2
    assert "2027-01-28" in accepted[0]
    assert "second factor" not in accepted[0]
    cas.say_of_expired(SOON.certificate.sha256, Expired.REGISTERED)
    first, second = ends(database)
    assert {first.macs, second.macs} == {(FREE.digits,), (ACME.digits,)}
    assert "no HTTP password" in first.cure
    known = DigestCredential.create("u", REALM, "p")
    Devices(database).change(ACME, lambda d: replace(d, digest=known), NOW)
    Devices(database).change(FREE, lambda d: replace(d, expired=Expired.REFUSE), NOW)
    (left,) = ends(database)
    assert left.macs == (FREE.digits,)
    assert "--expired" in left.cure
    notes = ahead_of(database, [], at=NOW, until=NOW + 400 * DAY).notes
    assert any("with a second factor, as you set: 1" in note for note in notes)
    # Not of what ends later than is asked for.
    notes = ahead_of(database, [], at=NOW, until=NOW + 10 * DAY).notes
    assert not any("as you set" in note for note in notes)


def test_the_servers_word_holds_where_the_ca_has_none(database: Database) -> None:
    found = ahead_of(
        database, [], at=NOW, until=NOW + 400 * DAY, expired=Expired.ACCEPT
    )
    assert found.events == ()
    VendorCas(database).say_of_expired(SOON.certificate.sha256, Expired.REFUSE)
    found = ahead_of(
        database, [], at=NOW, until=NOW + 400 * DAY, expired=Expired.ACCEPT
    )
    assert len(found.events) == 2


def test_who_was_registered_after_the_end_is_not_let_in(database: Database) -> None:
    VendorCas(database).say_of_expired(SOON.certificate.sha256, Expired.REGISTERED)
    late = NOW + 90 * DAY
    known = DigestCredential.create("u", REALM, "p")
    mac = Mac("000413000009")
    Devices(database).add(Device(mac, "snom", "D785", group="acme", digest=known), late)
    already = ahead_of(database, [], at=late, until=late + DAY).already
    macs = {one for event in already for one in event.macs}
    assert mac.digits in macs
