"""A server that this phone does not accept, and one that does not accept this phone."""

import asyncio
import itertools
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from tests.certificates import END, MAC, NOW, authority, device, named, server
from tests.phone_server import INTERIM, MODERN, Route, Site, accept, serve

from linekey.phone.edge.runner import VirtualPhone
from linekey.phone.events import ExceptionAdded
from linekey.phone.state import PhoneState, Status, new_phone
from linekey.phone.uses.provisioning.events import ProvisioningWanted
from linekey.tls.alerts import Alert
from linekey.tls.events import PeerChain, Refuse
from linekey.trust.connection import Purpose

FINE = b"<settings><phone-settings><a>1</a></phone-settings></settings>"
STRANGE = authority("TEST unknown root")
SHA1_ROOT = authority("TEST old root", "sha1", 1024)
_numbers = itertools.count()


def phone(
    site: Site, model: str = "D785", firmware: str = "10.1.33.33", **changes
) -> PhoneState:
    state = new_phone(
        MAC,
        model,
        firmware,
        setting_server=site.url,
        builtin=device(MAC, "sha1" if model in ("D715", "300", "710") else "sha256"),
        authorities=(authority().certificate, SHA1_ROOT.certificate),
    )
    return replace(state, **changes)


async def boot(state: PhoneState, clock: datetime = NOW) -> PhoneState:
    async with asyncio.timeout(20), VirtualPhone(state, clock=clock) as running:
        return await running.round_ended()


PAST = datetime(2020, 1, 1, tzinfo=UTC)
REFUSED = [
    # server certificate, the alert the server must see, rule
    ("unknown root", server(root=STRANGE), Alert.UNKNOWN_CA, "chain.incomplete"),
    ("expired", server(not_after=PAST), Alert.CERTIFICATE_EXPIRED, "chain.expired"),
    ("other name", server("other.test"), Alert.BAD_CERTIFICATE, "name."),
    (
        "CN is the address",
        server("127.0.0.1", names=()),
        Alert.BAD_CERTIFICATE,
        "name.",
    ),
]


@pytest.mark.parametrize(
    ("what", "identity", "alert", "rule"),
    REFUSED,
    ids=lambda v: v if isinstance(v, str) else "",
)
async def test_the_server_sees_the_right_alert_and_the_phone_says_why(
    what: str, identity, alert: Alert, rule: str
) -> None:
    async with serve(identity, verify=accept) as site:
        state = await boot(phone(site))
        await site.wait_ended(2)
    assert {event.alert_received for event in site.ended} == {alert}
    assert site.asked == []
    assert state.status is Status.REFUSED
    (entry,) = state.trust.unknown
    assert entry.certificate == identity.leaf
    assert entry.purpose == Purpose.PROVISIONING
    assert entry.times == 2
    assert entry.peer == f"127.0.0.1:{site.port}"
    line = next(e for e in state.log if "server refused" in e.text)
    assert any(d.startswith(rule) for d in line.details), line.details
    assert state.notifications[0].sha256 == identity.leaf.sha256


async def test_after_an_exception_the_phone_connects_and_another_certificate_still_fails() -> (
    None
):
    first = server(root=STRANGE)
    async with serve(first, verify=accept) as site:
        site.answer = lambda asked: Route(FINE)
        async with asyncio.timeout(20), VirtualPhone(phone(site), clock=NOW) as running:
            state = await running.round_ended()
            assert state.status is Status.REFUSED
            assert (await running.do(ExceptionAdded(first.leaf.sha256))).ok
            assert (await running.do(ProvisioningWanted("again"))).ok
            state = await running.round_ended()
    assert state.status is Status.PROVISIONED
    assert state.trust.unknown == ()
    second = server(root=STRANGE, kind="ec", size="secp256r1")
    async with serve(second, verify=accept) as site:
        state = await boot(replace(state, bootstrap_server=site.url))
    assert state.status is Status.REFUSED
    assert [u.certificate for u in state.trust.unknown] == [second.leaf]


@pytest.mark.parametrize(
    ("firmware", "connects"), [("8.9.3.60", True), ("10.1.33.33", False)]
)
async def test_8_x_accepts_any_server_by_default_and_says_what_that_means(
    firmware: str, connects: bool
) -> None:
    async with serve(server(root=STRANGE, not_after=PAST), verify=accept) as site:
        site.answer = lambda asked: Route(FINE)
        state = await boot(phone(site, "D715", firmware))
    assert (state.status is Status.PROVISIONED) is connects
    details = " ".join(d for e in state.log for d in e.details)
    assert "chain.incomplete" in details
    assert ("auth.off (warning)" in details) is connects


async def test_8_x_with_authentication_activated_refuses_as_10_x_does() -> None:
    async with serve(server(root=STRANGE), verify=accept) as site:
        state = await boot(phone(site, "D715", "8.9.3.60", server_authentication=True))
    assert state.status is Status.REFUSED


@pytest.mark.parametrize(
    ("firmware", "knows"), [("8.9.3.60", True), ("8.9.3.52", False)]
)
async def test_a_sha2_chain_is_taken_with_a_doubt_where_the_table_has_sha1_alone(
    firmware: str, knows: bool
) -> None:
    async with serve(server(), verify=accept) as site:
        site.answer = lambda asked: Route(FINE)
        state = await boot(phone(site, "D715", firmware, server_authentication=True))
    assert state.status is Status.PROVISIONED
    assert any("hash.table" in d for e in state.log for d in e.details) is not knows


@pytest.mark.parametrize(
    ("year", "connects"), [(1970, False), (2026, True), (2040, False)]
)
async def test_validity_is_judged_by_the_phones_clock(
    year: int, connects: bool
) -> None:
    assert END.year < 2040
    async with serve(server(), verify=accept) as site:
        site.answer = lambda asked: Route(FINE)
        state = await boot(phone(site), datetime(year, 6, 1, tzinfo=UTC))
    assert (state.status is Status.PROVISIONED) is connects
    assert state.log[0].at.year == year


async def test_a_server_that_refuses_the_phone_is_told_by_its_alert() -> None:
    def revoked(_: PeerChain) -> Refuse:
        return Refuse(Alert.CERTIFICATE_REVOKED, "revoked")

    async with serve(server(), verify=revoked, require=True) as site:
        state = await boot(phone(site))
    assert state.status is Status.REFUSED
    assert state.trust.unknown == ()
    errors = [e for e in state.log if "alert received" in e.text]
    assert "certificate_revoked" in errors[0].text
    assert state.notifications[0].title == "Connection failed"


async def test_a_phone_that_shows_no_certificate_is_refused_by_a_server_that_needs_one() -> (
    None
):
    async with serve(server(), verify=accept, require=True) as site:
        state = phone(site)
        settings = state.settings.provision("empty_tls_client_cert", "on").settings
        state = await boot(replace(state, settings=settings))
    assert state.status is Status.REFUSED
    assert any("the phone sent none" in d for e in state.log for d in e.details)


async def test_a_server_without_a_common_version_is_refused_and_nothing_is_swapped() -> (
    None
):
    async with serve(server(), policy=MODERN) as site:
        state = await boot(phone(site, "710", "8.7.5.35"))
    assert state.status is Status.REFUSED
    details = " ".join(d for e in state.log for d in e.details)
    assert "not offered, as OpenSSL" in details
    assert "3DES" in details
    assert "RC4" in details


async def test_a_phone_whose_suites_no_engine_speaks_says_so_and_lives() -> None:
    async with serve(server(), policy=INTERIM) as site:
        state = await boot(phone(site, "300", "8.7.3.25.9"))
    assert state.status in (Status.REFUSED, Status.FAILED)
    text = " ".join((e.text + " ".join(e.details)) for e in state.log)
    assert "SSL 3" in text or "none of the cipher suites" in text
    assert site.asked == []


def test_the_strange_roots_name_is_the_tests_own() -> None:
    assert STRANGE.certificate.subject == named("TEST unknown root")
