"""``linekey check --fleet``: the phones of the registry, as they are set up."""

import json
import subprocess
import sysconfig
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.certificates import DAY, ca, leaf

from linekey.catalog.firmware import Firmware
from linekey.catalog.models import Generation
from linekey.catalog.vendors import LAB_VENDOR, OperatorRule, TrustRule
from linekey.certs.pem import to_pem
from linekey.lab.authority import LabAuthority
from linekey.mac import Mac
from linekey.provisioning.device import Device
from linekey.provisioning.document import CertificateEntry, Layer, Setting
from linekey.store.devices import Devices
from linekey.store.layers import Layers, Scope
from linekey.store.opening import open_store
from linekey.store.vendor_cas import VendorCas, describe_ca

LINEKEY = str(Path(sysconfig.get_path("scripts")) / "linekey")
TODAY = datetime.now(UTC).replace(microsecond=0)
SPAN = {"not_before": TODAY - DAY, "not_after": TODAY + 800 * DAY}
ROOT = ca("fleet root", **SPAN)
NAME = "prov.example.com"
NEW, BARE, OFF, GONE, UNKNOWN = (Mac(f"000413AABB{n:02d}") for n in range(5))


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Five phones: one provisioned with our root by its model, others not."""
    folder = tmp_path / "state"
    entry = CertificateEntry(ROOT.certificate.der)
    firmware = Firmware.parse("10.1.33.33")
    with open_store(folder, create=True) as database:
        devices = Devices(database)
        for device in (
            Device(NEW, "snom", "D785", firmware),
            Device(BARE, "snom", "D735", firmware),
            Device(
                OFF, "snom", "D735", firmware,
                layer=Layer(
                    (Setting("check_fqdn_against_server_cert", "off"),), (), (entry,)
                ),
            ),
            Device(GONE, "snom", "D785", firmware, state="revoked"),
            Device(UNKNOWN, "snom", None, None),
        ):  # fmt: skip
            devices.add(device, TODAY)
        Layers(database).change(
            Scope.model("D785"), lambda layer: layer.with_certificates(entry), TODAY
        )
    return folder


def test_each_phone_is_judged_with_its_own_certificates_and_settings(
    state: Path, tmp_path: Path
) -> None:
    other_name = leaf(ROOT, "else.example.com", **SPAN)
    chain = tmp_path / "chain.pem"
    chain.write_text(to_pem(other_name))
    done = subprocess.run(
        [
            LINEKEY, "check", "--chain", str(chain), "--name", NAME, "--fleet",
            "--state", str(state), "--json",
        ],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    report = json.loads(done.stdout)
    rows = {p["model"]: row for row in report["classes"] for p in row["phones"]}
    assert set(rows) == {f"D785 {NEW}", f"D735 {BARE}", f"D735 {OFF}"}

    def refusals(phone: str) -> list[str]:
        return [
            f["rule"]
            for f in rows[phone]["findings"]
            if f["severity"] == "refused" and not f["ok"]
        ]

    assert refusals(f"D785 {NEW}") == ["name.mismatch"]
    assert refusals(f"D735 {BARE}") == ["chain.incomplete", "name.mismatch"]
    assert refusals(f"D735 {OFF}") == []
    assert report["sentence"].startswith("of 3 phones 1 accepts, 2 refuse the server")
    assert (report["phones"]["accepted"], report["phones"]["phone_refuses"]) == (1, 2)
    assert done.returncode == 1
    assert "left out 1 phone without a model in the record" in done.stderr.replace(
        "\n", " "
    )


def test_an_empty_registry_is_said_with_what_to_do(tmp_path: Path) -> None:
    with open_store(tmp_path / "empty", create=True):
        pass
    done = subprocess.run(
        [
            LINEKEY, "check", "localhost", "--fleet", "--state", str(tmp_path / "empty")
        ],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "linekey device add" in done.stderr


def test_imported_cas_of_the_maker_count_and_the_operators_own_do_not(
    tmp_path: Path,
) -> None:
    folder, phone = tmp_path / "state", Mac("000413AABB77")
    with open_store(folder, create=True) as database:
        lab = LabAuthority.open(folder / "lab")
        lab_cas = (*lab.vendor_roots(), *lab.vendor_intermediates())
        VendorCas(database).add(
            [
                *(describe_ca(c, TODAY) for c in lab_cas),
                describe_ca(
                    ROOT.certificate, TODAY, OperatorRule(TrustRule.CN_MAC, "snom")
                ),
            ]
        )
        firmware = Firmware.parse("10.1.33.33")
        for mac, vendor in ((NEW, LAB_VENDOR), (BARE, "snom")):
            Devices(database).add(Device(mac, vendor, "D785", firmware), TODAY)
        by_lab, _ = lab.device_identity(phone, Generation.SHA256)
    refused = {}
    for name, chain in (("lab", by_lab), ("own", (leaf(ROOT, NAME, **SPAN),))):
        (tmp_path / "chain.pem").write_text("".join(map(to_pem, chain)))
        done = subprocess.run(
            [
                LINEKEY, "check", "--chain", str(tmp_path / "chain.pem"), "--name",
                NAME, "--fleet", "--state", str(folder), "--json",
            ],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        for row in json.loads(done.stdout)["classes"]:
            for shown in row["phones"]:
                refused[name, shown["model"][-12:]] = any(
                    f["rule"].startswith("chain.") and f["severity"] == "refused"
                    for f in row["findings"]
                    if not f["ok"]
                )
    assert refused == {
        ("lab", str(NEW)): False,
        ("lab", str(BARE)): True,
        ("own", str(NEW)): True,
        ("own", str(BARE)): True,
    }
