"""Registered phones that a server's key would shut out are told before the start."""

from datetime import UTC, datetime
from pathlib import Path

from tests import certificates

from linekey.catalog.firmware import Firmware
from linekey.certs.pem import parse_private_key
from linekey.console.forecasting import ShutOut, shut_out
from linekey.mac import parse_mac
from linekey.provisioning.device import Device
from linekey.server.preflight.checks import ServerFiles
from linekey.server.preflight.phones import check_phones
from linekey.store.database import open_database
from linekey.store.devices import Devices
from linekey.store.paths import StateDir

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


def files(kind: str, size: int | str, also: ServerFiles | None = None) -> ServerFiles:
    made = certificates.server("prov.test", kind=kind, size=size)
    return ServerFiles(made.chain, parse_private_key(made.key_pem), also)  # type: ignore[arg-type]


RSA = files("rsa", 2048)
EC = files("ec", "secp256r1")
BOTH = files("rsa", 2048, EC)


SHUT_OUT = ShutOut(1_200, ("D710 8.7.5.35", "A 1", "B 2", "C 3"), "it knows no curve")


def test_phones_that_know_only_rsa_are_named_with_the_cure() -> None:
    (found,) = check_phones(EC, lambda: SHUT_OUT)
    assert found.severity == "warning"
    assert "1,200 registered phones" in found.message
    assert "(D710 8.7.5.35, A 1, B 2 and 1 more): it knows no curve" in found.message
    assert "beside it" in found.cure


def test_nothing_is_said_where_all_are_served() -> None:
    assert list(check_phones(EC, lambda: None)) == []


def test_with_an_rsa_key_the_registry_is_not_read() -> None:
    def unread() -> ShutOut:
        raise AssertionError("nothing to ask")

    for one in (RSA, BOTH, ServerFiles(EC.chain, None)):
        assert list(check_phones(one, unread)) == []


def test_the_registry_is_asked_phone_by_phone(tmp_path: Path) -> None:
    with open_database(StateDir.open(tmp_path)) as database:
        assert shut_out(database, EC.chains, NOW) is None
        devices = Devices(database)
        for mac, model, firmware in (
            ("000413AABBCC", "D785", "10.1.185.0"),
            ("000413AABBCD", "710", "8.7.5.35"),
        ):
            version = Firmware.parse(firmware)
            devices.add(Device(parse_mac(mac), "snom", model, version), NOW)
        lost = shut_out(database, EC.chains, NOW)
        assert lost is not None
        assert (lost.phones, lost.models) == (1, ("D710 8.7.5.35",))
        assert shut_out(database, BOTH.chains, NOW) is None
