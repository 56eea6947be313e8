"""A start says where other makers' phones would not get the root of the chain."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.certificates import ca, ec, leaf

from linekey.certs.build import Issuer
from linekey.certs.certificate import Certificate
from linekey.certs.pem import to_pem
from linekey.errors import CertificateError, InputError
from linekey.mac import Mac
from linekey.provisioning.device import Device
from linekey.provisioning.document import CertificateEntry, Layer
from linekey.server.preflight.anchors import OTHERS, check_anchors
from linekey.server.preflight.checks import read_anchors
from linekey.settings import parse_settings
from linekey.store.database import open_database
from linekey.store.devices import Devices
from linekey.store.layers import Layers, Scope
from linekey.store.of_makers import count_of_makers, fleets_cas
from linekey.store.paths import StateDir
from linekey.trust.anchors import Anchors

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def authority(name: str, above: Issuer | None = None) -> Issuer:
    return ca(name, above, own=ec(name))


ROOT = authority("preflight root")
BETWEEN = authority("preflight intermediate", ROOT)
LEAF = leaf(BETWEEN, "prov.test", leaf_key=ec("preflight leaf"))
MISSING = Anchors(missing=(BETWEEN.certificate,))


def write(folder: Path, name: str, *certificates: Certificate) -> str:
    (folder / name).write_text("".join(map(to_pem, certificates)))
    return name


def rules(anchors: Anchors, *of_fleet: Certificate, phones: int = 2) -> list[str]:
    return [f.rule for f in check_anchors(anchors, of_fleet, lambda: phones, NOW)]


def test_a_missing_root_is_said_where_such_phones_are_registered() -> None:
    (found,) = check_anchors(MISSING, (), lambda: 1_200, NOW)
    assert (found.rule, found.severity) == ("anchor.missing", "warning")
    assert "1,200 registered phones" in found.message
    assert "preflight root" in found.message
    assert "trust_anchor.file" in found.cure
    assert "linekey layer certificate fleet" in found.cure
    assert rules(MISSING, phones=0) == []


def test_a_layer_that_has_it_will_do() -> None:
    assert rules(MISSING, ROOT.certificate) == []
    assert rules(MISSING, LEAF) == ["anchor.missing"]


def test_nobody_is_counted_where_the_root_is_known() -> None:
    def unread() -> int:
        raise AssertionError("nothing to ask")

    known = Anchors(private=(ROOT.certificate,))
    assert list(check_anchors(known, (), unread, NOW)) == []


def test_what_has_expired_or_is_not_above_the_server_is_said() -> None:
    at_end = datetime(2090, 1, 1, tzinfo=UTC)
    known = Anchors(private=(ROOT.certificate,), unused=(LEAF,))
    found = [f.rule for f in check_anchors(known, (), lambda: 0, at_end)]
    assert found == ["anchor.expired", "anchor.unused"]


def test_the_root_is_read_from_the_files_that_are_named(tmp_path: Path) -> None:
    chain = write(tmp_path, "chain.pem", LEAF, BETWEEN.certificate)
    root = write(tmp_path, "root.pem", ROOT.certificate)

    def read(**options: object) -> Anchors:
        dotted = {k.replace("__", "."): v for k, v in options.items()}
        given = parse_settings(options={"certificate": chain, **dotted})
        return read_anchors(given, tmp_path)

    assert read().missing == (BETWEEN.certificate,)
    assert read(trust_anchor__file=root).roots == (ROOT.certificate,)
    off = read(trust_anchor__file=root, trust_anchor__in_files=False)
    assert off == Anchors()
    with pytest.raises(InputError, match=r"no-such\.pem"):
        read(trust_anchor__file="no-such.pem")
    (tmp_path / "nonsense.pem").write_text("no certificate")
    with pytest.raises(CertificateError, match=r"nonsense\.pem"):
        read(trust_anchor__file="nonsense.pem")


def test_the_registry_is_asked_for_other_makers_active_phones(tmp_path: Path) -> None:
    with open_database(StateDir.open(tmp_path)) as database:
        devices = Devices(database)
        for mac, vendor in (
            ("001565000001", "yealink"), ("0004F2000001", "lab-poly"),
            ("000413000001", "snom"), ("001565000002", "yealink"),
        ):  # fmt: skip
            devices.add(Device(Mac(mac), vendor), NOW)
        devices.revoke(Mac("001565000002"), "stolen", NOW)
        assert count_of_makers(database, OTHERS) == 2
        assert fleets_cas(database) == ()
        entry = CertificateEntry(ROOT.certificate.der)
        Layers(database).change(
            Scope.fleet(), lambda _: Layer(certificates=(entry,)), NOW
        )
        assert fleets_cas(database) == (ROOT.certificate,)
