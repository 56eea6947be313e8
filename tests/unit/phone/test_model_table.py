"""SNOM-TLS's table of models, row by row, at the phone itself.

The rows are typed from SNOM-TLS (Authentication of the devices), not taken from the
catalogue: what a phone shows, whether it takes a SHA-2 chain, and what a patch does to
it, just below and at the firmware the row names.
"""

import pytest
from tests.certificates import MAC, NOW, authority, device, server

from linekey.catalog.firmware import Firmware
from linekey.phone.events import PatchInstalled, SettingEntered
from linekey.phone.machine import Machine
from linekey.phone.patch import make_patch
from linekey.phone.state import new_phone
from linekey.trust.judge import judge

NEVER = ("300", "320", "370", "PA1", "MP")
FROM_8_9_3_60 = (
    "710", "715", "D712", "720", "760", "D725", "D745", "D765", "D305", "D315", "D345",
    "D375",
)  # fmt: skip
ALWAYS = ("D120", "D735", "D785", "D385")
FIRMWARES = ("8.7.5.35", "8.9.3.59", "8.9.3.60", "10.1.20.0", "10.1.33.33")
PHONES = [
    (model, firmware, row)
    for row, models in (
        ("never", NEVER), ("later", FROM_8_9_3_60), ("always", ALWAYS)
    )
    for model in models
    for firmware in FIRMWARES
]  # fmt: skip


def knows_sha2(row: str, firmware: str) -> bool:
    """What SNOM-TLS's column "Supported Hash algorithm" says."""
    if row == "later":
        return Firmware.parse(firmware) >= Firmware.parse("8.9.3.60")
    return row == "always"


def phone(model: str, firmware: str, row: str) -> Machine:
    generation = "sha256" if row == "always" else "sha1"
    return Machine(
        new_phone(
            MAC, model, firmware, builtin=device(MAC, generation),
            authorities=(authority().certificate,),
        )
    )  # fmt: skip


@pytest.mark.parametrize(("model", "firmware", "row"), PHONES)
def test_a_phone_takes_a_sha2_chain_with_a_doubt_where_its_row_has_none(
    model: str, firmware: str, row: str
) -> None:
    state = phone(model, firmware, row).state
    verdict = judge(
        server().chain, "127.0.0.1", state.trust, state.profile, state.tls_settings, NOW
    )
    hashes = [f for f in verdict.findings if f.rule == "hash.table" and not f.ok]
    assert not any(f.refuses for f in hashes)
    assert bool(hashes) is not knows_sha2(row, firmware), verdict.findings


@pytest.mark.parametrize(("model", "firmware", "row"), PHONES)
def test_a_patch_moves_exactly_the_sha1_phones_that_know_sha2(
    model: str, firmware: str, row: str
) -> None:
    machine = phone(model, firmware, row)
    before = machine.state.identity
    told = machine.handle(PatchInstalled(make_patch(MAC, device(MAC, "sha256"))), NOW)
    moves = row == "later" and knows_sha2(row, firmware)
    assert told[-1].ok is moves, told[-1]
    if not moves:
        assert machine.state.identity == before
        reason = {
            "never": "SHA-1",
            "later": "does not support SHA-2",
            "always": "built in",
        }
        assert reason[row] in told[-1].text
        return
    assert machine.state.identity.kind == "patched"
    machine.handle(SettingEntered("phone_cert_type", "sha1"), NOW)
    assert machine.state.identity.kind == "built-in"
