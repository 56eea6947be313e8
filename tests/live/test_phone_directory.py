"""The virtual phone's directory at OpenLDAP slapd, exported: LDAPS, mutual TLS."""

import asyncio
import re
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Any

import pytest
from tests.live.conftest import Place
from tests.live.peers import NAME, Peer, exported_peer

from linekey.catalog.models import Generation
from linekey.certs.pem import private_key_to_pem
from linekey.phone.edge.runner import VirtualPhone
from linekey.phone.events import Answer, ExceptionAdded
from linekey.phone.identity import DeviceIdentity
from linekey.phone.state import PhoneState, new_phone
from linekey.phone.uses.directory.events import LookupWanted
from linekey.phone.uses.directory.handle import Directory

pytestmark = pytest.mark.peer("slapd")

PEOPLE = """
dn: cn=Ada Lovelace,dc=phonebook
objectClass: inetOrgPerson
cn: Ada Lovelace
sn: Lovelace
telephoneNumber: 401
mobile: +49 170 401

dn: cn=Alan Turing,dc=phonebook
objectClass: inetOrgPerson
cn: Alan Turing
sn: Turing
telephoneNumber: 402

dn: cn=Ada (Lab*),dc=phonebook
objectClass: inetOrgPerson
cn: Ada (Lab*)
sn: Lab
telephoneNumber: 403

dn: cn=50% off,dc=phonebook
objectClass: inetOrgPerson
cn: 50% off
sn: Sale
telephoneNumber: 404

dn: cn=reader,dc=phonebook
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: reader
userPassword: geheim

dn: ou=elsewhere,dc=phonebook
objectClass: referral
objectClass: extensibleObject
ou: elsewhere
ref: ldaps://elsewhere.invalid/dc=elsewhere
"""


def telling(command: str) -> str:
    """slapd that tells what it does; started as exported it is silent."""
    return command.replace("-d 0", "-d stats,trace")


def directory(place: Place) -> AbstractAsyncContextManager[Peer]:
    """slapd from exported files, with people in the phone book."""
    return exported_peer(
        place, "slapd", append={"phonebook.ldif": PEOPLE}, command=telling
    )


def phone(
    place: Place, port: int, *, trusts: bool = True, shows: bool = True, **settings: str
) -> PhoneState:
    chain, key = place.lab.device_identity(place.phone, Generation.SHA256)
    state = new_phone(
        place.phone, "D785", "10.1.33.33",
        builtin=DeviceIdentity(chain, private_key_to_pem(key)) if shows else None,
        authorities=(place.lab.server_root(),) if trusts else (),
    )  # fmt: skip
    given = {
        "ldap_server": NAME, "ldap_port": str(port), "ldap_over_tls": "on",
        "ldap_base": "dc=phonebook", "ldap_search_filter": "(|(cn=%*)(sn=%*))",
        "ldap_number_filter": "(telephoneNumber=%*)", "ldap_display_name": "%cn",
        "ldap_name_attributes": "cn sn", "ldap_number_attributes": "telephoneNumber mobile",
        **settings,
    }  # fmt: skip
    kept = state.settings
    for name, value in given.items():
        kept = kept.provision(name, value).settings
    return replace(state, settings=kept)


async def ask(running: VirtualPhone, text: str) -> Answer:
    async with asyncio.timeout(30):
        return await running.do(LookupWanted(text))


def names(answer: Answer) -> list[str]:
    return [entry["name"] for entry in answer.details["lookup"]["entries"]]


async def test_the_phone_proves_itself_binds_and_finds(
    place: Place, record_interop: Any
) -> None:
    async with directory(place) as peer:
        state = phone(
            place, peer.port, ldap_username="cn=reader,dc=phonebook", ldap_password="geheim"
        )  # fmt: skip
        async with VirtualPhone(state) as running:
            answer = await ask(running, "ada")
            assert answer.ok, (answer, peer.log())
            assert names(answer) == ["Ada (Lab*)", "Ada Lovelace"]
            assert [n["number"] for n in answer.details["lookup"]["entries"][1]["numbers"]] == [
                "401", "+49 170 401",
            ]  # fmt: skip
            by_number = await ask(running, "402")
            assert names(by_number) == ["Alan Turing"]
            escaped = await ask(running, "Ada (Lab*)")
            assert names(escaped) == ["Ada (Lab*)"]
            nobody = await ask(running, "*")
            assert names(nobody) == []
            assert names(await ask(running, "%")) == []
            assert names(await ask(running, "50% off")) == ["50% off"]
            ended = running.state
    assert ended.part(Directory).found is not None
    assert any(
        "asked for a certificate; the phone sent" in d
        for e in ended.log
        for d in e.details
    )
    assert "geheim" not in "".join(map(str, ended.log))
    # Six look-ups, each with its good-bye (RFC 4511 §4.3); slapd may be stopped before
    # it has read the last one.
    bound = set(re.findall(r"(conn=\d+) op=\d+ BIND", peer.log()))
    lost = set(re.findall(r"(conn=\d+) fd=\d+ closed \(connection lost\)", peer.log()))
    assert len(bound) == 6
    assert not bound & lost, peer.log()
    assert peer.log().count(" UNBIND") >= 5
    record_interop(
        "slapd", "virtual phone: LDAPS with its certificate, simple bind, search"
    )
    record_interop("slapd", "virtual phone: a typed % is a percent sign", "found by it")


async def test_hits_are_limited_and_references_are_said(
    place: Place, record_interop: Any
) -> None:
    async with directory(place) as peer:
        state = phone(
            place, peer.port, ldap_max_hits="1",
            ldap_username="cn=reader,dc=phonebook", ldap_password="geheim",
        )  # fmt: skip
        async with VirtualPhone(state) as running:
            answer = await ask(running, "a")
            assert len(names(answer)) == 1
            referred = replace(
                state, settings=state.settings.provision("ldap_base", "ou=elsewhere,dc=phonebook").settings
            )  # fmt: skip
        async with VirtualPhone(referred) as running:
            problem = await ask(running, "a")
    assert "more than 1 hit" in str(answer.details["lookup"]["notes"])
    assert not problem.ok
    assert "refers to another server" in problem.text
    record_interop(
        "slapd", "virtual phone: size limit; a referral", "kept; told, not followed"
    )


async def test_a_login_without_a_password_is_not_sent(place: Place) -> None:
    async with directory(place) as peer:
        state = phone(place, peer.port, ldap_username="cn=reader,dc=phonebook")
        async with VirtualPhone(state) as running:
            answer = await ask(running, "ada")
            nobody = running.state.settings.provision("ldap_username", "").settings
        assert " BIND " not in peer.log()
        async with VirtualPhone(replace(state, settings=nobody)) as running:
            anonymous = await ask(running, "ada")
    assert not answer.ok
    assert "ldap_password is empty" in answer.text
    assert anonymous.ok


async def test_a_base_that_is_not_there_is_told(place: Place) -> None:
    async with directory(place) as peer:
        state = phone(place, peer.port, ldap_base="dc=elsewhere")
        async with VirtualPhone(state) as running:
            answer = await ask(running, "ada")
    assert "refused the search: no_such_object (32)" in answer.text
    assert "ldap_base" in answer.hint


async def test_without_a_certificate_the_directory_is_closed(
    place: Place, record_interop: Any
) -> None:
    async with directory(place) as peer:
        state = phone(place, peer.port)
        async with VirtualPhone(state) as running:
            shown = await ask(running, "ada")
        kept = state.settings.provision("empty_tls_client_cert", "on").settings
        async with VirtualPhone(replace(state, settings=kept)) as running:
            answer = await ask(running, "ada")
            ended = running.state
    assert shown.ok, (shown, peer.log())
    assert not answer.ok
    assert "No certificate was found" in peer.log()
    assert "Ada" not in str(answer.details)
    assert ended.notifications[0].purpose == "ldap"
    record_interop(
        "slapd", "virtual phone: no client certificate", "refused in the handshake"
    )


async def test_a_wrong_password_is_told(place: Place) -> None:
    async with directory(place) as peer:
        state = phone(
            place, peer.port, ldap_username="cn=reader,dc=phonebook", ldap_password="falsch"
        )  # fmt: skip
        async with VirtualPhone(state) as running:
            answer = await ask(running, "ada")
        right = state.settings.provision("ldap_password", "geheim").settings
        async with VirtualPhone(replace(state, settings=right)) as running:
            assert (await ask(running, "ada")).ok, peer.log()
    assert (answer.ok, "invalid_credentials" in answer.text) == (False, True)
    assert "ldap_password" in answer.hint


async def test_an_unknown_directory_goes_to_the_tab_and_an_exception_cures_it(
    place: Place, record_interop: Any
) -> None:
    async with directory(place) as peer:
        state = phone(
            place, peer.port, trusts=False,
            ldap_username="cn=reader,dc=phonebook", ldap_password="geheim",
        )  # fmt: skip
        async with VirtualPhone(state) as running:
            refused = await ask(running, "ada")
            (unknown,) = running.state.trust.unknown
            assert not refused.ok
            assert (unknown.purpose, unknown.peer) == ("ldap", f"{NAME}:{peer.port}")
            await running.do(ExceptionAdded(unknown.certificate.sha256))
            answer = await ask(running, "ada")
    assert answer.ok
    record_interop(
        "slapd", "virtual phone: unknown CA, then an exception", "refused, then works"
    )
