"""A registry's phones as phones to judge for: who can be, and who is unknown."""

from dataclasses import dataclass, field

import pytest
from tests.certificates import NOW, ca

from linekey.check.forecast import forecast
from linekey.check.phones import Setup
from linekey.check.registered import as_linekey_writes, by_certificate, judged_kinds
from linekey.provisioning.document import Layer, Setting
from linekey.provisioning.entries import CertificateEntry


@dataclass
class Some:
    model: str | None
    vendor: str = "snom"
    firmware: str | None = "10.1.33.33"
    group: str | None = None
    generations: str | None = None
    layer: Layer = field(default_factory=Layer)
    macs: tuple[str, ...] = ("000413000001",)


def test_phones_of_which_no_source_tells_are_counted_as_unknown_with_the_cure() -> None:
    others = Some("T46U", "yealink", None, macs=("805EC0000001", "805EC0000002"))
    judged = judged_kinds([Some("D785"), others], {}, Setup(), now=NOW)
    assert [kind.macs for kind in judged.kinds] == [("000413000001",)]
    assert judged.unknown == 2
    (note,) = judged.notes
    assert note.startswith("2 phones are counted as unknown: no source tells what the")
    assert "linekey check --model T46U --hello FILE" in note


@pytest.mark.parametrize(
    ("model", "vendor", "beginning"),
    [
        ("VVX 450", "poly", "1 phone is counted as unknown"),
        ("CP-8841-3PCC", "cisco", "1 phone is not judged"),
        (None, "yealink", "1 phone is not judged"),
    ],
)
def test_each_says_why(model, vendor: str, beginning: str) -> None:
    judged = judged_kinds([Some(model, vendor, None)], {}, Setup(), now=NOW)
    assert judged.kinds == ()
    assert judged.unknown == 1
    assert judged.notes[0].startswith(beginning)


def test_a_forecast_carries_the_number() -> None:
    made = forecast([], [], [], now=NOW, until=NOW, phones=3, unknown=3)
    assert made.as_dict()["unknown"] == 3
    assert made.as_dict()["judged"] == 0


def test_of_other_makers_certificates_no_generation_is_concluded() -> None:
    found = by_certificate([Some("T46U", "yealink"), Some("D785")])
    assert found == {
        ("yealink", None): ("000413000001",),
        ("snom", "sha256"): ("000413000001",),
    }


def test_what_linekey_writes_for_another_maker_has_trust_on_and_the_cas() -> None:
    entry = CertificateEntry(ca("root").certificate.der)
    layer = Layer(
        settings=(Setting("tls_server_authentication", "off"),), certificates=(entry,)
    )
    added = CertificateEntry(ca("the server's root").certificate.der)
    written = as_linekey_writes(layer, Layer(certificates=(added, entry)))
    assert {s.name: s.value for s in written.settings} == {
        "tls_server_authentication": "on",
        "check_fqdn_against_server_cert": "on",
    }
    assert written.certificates == (added, entry)
