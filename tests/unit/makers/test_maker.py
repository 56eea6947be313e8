"""What makes a phone verify its servers, and what would weaken that."""

import re

import pytest

from linekey.makers.all import MAKERS
from linekey.makers.grammar import Line, written
from linekey.makers.maker import Ca, FileKind, Maker, TrustSettings

OTHERS = [maker for maker in MAKERS.values() if not maker.snom_like]
PEM = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"
CAS = tuple(Ca(PEM, f"https://x/{n}.der", f"{n:064x}") for n in range(12))


@pytest.mark.parametrize("maker", OTHERS, ids=lambda m: m.id)
@pytest.mark.parametrize("count", [0, 1, 2, 12])
@pytest.mark.parametrize("least", ["", "1.0", "1.1", "1.2", "1.3"])
def test_trust_never_weakens_and_can_be_written(
    maker: Maker, count: int, least: str
) -> None:
    lines, notes = maker.trust_lines(TrustSettings(CAS[:count], least, (1, 2)))
    assert lines
    assert not [line for line in lines if maker.weakens(line)]
    assert not written(maker.grammar, lines).skipped
    assert bool(notes) or count < 12
    if count:
        said = [line.value for line in lines]
        assert PEM in said or "https://x/0.der" in said
    if least == "1.3":
        assert any("1.3" in note for note in notes)


@pytest.mark.parametrize(
    ("maker", "name", "value"),
    [
        ("yealink", "static.security.trust_certificates", "0"),
        ("yealink", "security.trust_certificates", "0"),
        ("yealink", "static.security.cn_validation", "0"),
        ("poly", "device.sec.TLS.prov.strictCertCommonNameValidation", "0"),
        ("poly", "sec.TLS.SIP.strictCertCommonNameValidation", "0"),
        ("grandstream", "P8463", "0"),
        ("grandstream", "P8463", ""),
        ("grandstream", "P22030", "0"),
        ("grandstream", "P2367", "0"),
        ("grandstream", "P2411", "No"),
        ("grandstream", "security.validate.serverCertificate", "No"),
        ("grandstream", "account.1.sip.validate.certificationChain", "No"),
        ("snom", "check_fqdn_against_server_cert", "off"),
        ("gigaset", "tls_server_authentication", "off"),
    ],
)
def test_what_weakens_is_known(maker: str, name: str, value: str) -> None:
    assert MAKERS[maker].weakens(Line(name, value))
    assert not MAKERS[maker].weakens(Line(name, "on" if value == "off" else "1"))


@pytest.mark.parametrize("maker", OTHERS, ids=lambda m: m.id)
def test_what_it_writes_itself_it_knows(maker: Maker) -> None:
    lines, _ = maker.trust_lines(TrustSettings(CAS[:2], "1.2", (1,)))
    for row in maker.map.fields:
        for name in row.names:
            bare = name.replace("{n}", "1")
            assert maker.knows(bare)
            secret = row.term.endswith("password")
            assert maker.is_secret(bare) is secret, bare
            assert Line(bare, "x").secret or not secret, bare
    for line in lines:
        assert maker.knows(line.name), line.name
        assert maker.is_secret(line.name) is False


@pytest.mark.parametrize("maker", OTHERS, ids=lambda m: m.id)
def test_every_statement_has_its_source(maker: Maker) -> None:
    grades = {"H", "M", "L"}
    rows = [*maker.files, *maker.uploads, *maker.facts, *maker.guards, *maker.known]
    for row in rows:
        assert row.source
        assert row.confidence in grades
    assert maker.unknown
    assert {grade for _, grade in maker.ouis} <= grades
    for oui, _ in maker.ouis:
        assert re.fullmatch("[0-9A-F]{6}", oui)
    assert any(f.kind is FileKind.OWN and f.served for f in maker.files)


def test_no_ca_is_shown_by_its_bytes() -> None:
    assert "AAAA" not in repr(CAS[0])
