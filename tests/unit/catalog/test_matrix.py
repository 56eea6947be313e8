"""Every row of SNOM-TLS's cipher matrix, typed here from SNOM-TLS's text."""

import pytest

from linekey.catalog.firmware import Firmware
from linekey.catalog.matrix import ROWS, find_row, firmwares_of
from linekey.catalog.models import MODELS, find_model
from linekey.catalog.profile import profile
from linekey.catalog.suite_columns import PREFERENCE
from linekey.tls.suites import SUITES

OLD = (
    "snom300 snom320 snom360 snom370 snom710 snom720 snom760 snom820 snom821 snom870"
    " snomMP snomPA1"
)
SEED = [  # phones, firmware, versions, Kx, Au, ciphers, bits, modes, MACs
    (OLD, "8.7.3.25.9", "SSL 3, TLS 1.0", "DH, RSA", "NULL, RSA",
     "3DES, DES, NULL, RC4", "56, 128, 168", "CBC", "MD5, SHA1"),
    ("snom300 snom320 snom370 snom710 snomPA1", "8.7.5.35", "TLS 1.0", "DH, RSA",
     "NULL, RSA", "3DES, AES, DES, NULL, RC4", "56, 128, 168", "CBC", "MD5, SHA1"),
    ("snom715 snom720 snom725 snom760 snomD765 snom821 snom870 snomMP", "8.7.5.35",
     "TLS 1.0, TLS 1.1, TLS 1.2", "DH, ECDH, RSA, SRP", "DSS, ECDSA, RSA",
     "3DES, AES, Camellia", "128, 168, 256", "CBC, GCM", "SHA1, SHA256, SHA384"),
    ("snomD305 snomD315 snomD345 snomD375 snomD745", "8.9.3.52",
     "TLS 1.0, TLS 1.1, TLS 1.2", "DH, ECDH, RSA", "ECDSA, RSA", "AES", "128, 256",
     "CBC, GCM", "SHA1, SHA256, SHA384"),
    ("snomD120 snomD305 snomD315 snomD345 snomD375 snomD385 snomD712 snom715 snom725"
     " snomD735 snomD745 snomD765 snomD785", "10.1.20.0 10.1.33.33",
     "TLS 1.0, TLS 1.1, TLS 1.2", "DH, ECDH, RSA", "ECDSA, RSA", "AES", "128, 256",
     "CBC, GCM", "SHA1, SHA256, SHA384"),
]  # fmt: skip
WIRE = {"SSL 3": 0x0300, "TLS 1.0": 0x0301, "TLS 1.1": 0x0302, "TLS 1.2": 0x0303}


@pytest.mark.parametrize(
    ("phone", "firmware", "columns"),
    [
        (phone, firmware, row[2:])
        for row in SEED
        for phone in row[0].split()
        for firmware in row[1].split()
    ],
)
def test_a_phone_at_a_printed_firmware_has_the_printed_columns(
    phone: str, firmware: str, columns: tuple[str, ...]
) -> None:
    match = find_row(find_model(phone), Firmware.parse(firmware))
    row = match.row
    assert [
        row.versions, row.key_exchange, row.authentication, row.ciphers,
        row.key_lengths, row.modes, row.macs,
    ] == [
        tuple(WIRE[version] for version in columns[0].split(", ")),
        *(tuple(column.split(", ")) for column in columns[1:4]),
        tuple(int(bits) for bits in columns[4].split(", ")),
        *(tuple(column.split(", ")) for column in columns[5:]),
    ]  # fmt: skip
    assert match.confidence in ("H", "M")


def test_every_phone_is_written_in_the_matrix_as_its_user_agent_name() -> None:
    for row in SEED:
        for phone in row[0].split():
            assert find_model(phone).user_agent_name == phone


def test_the_printed_rows_are_the_seeds_and_the_others_come_from_notes() -> None:
    printed = [row for row in ROWS if not row.from_note]
    assert [len(row.models) for row in printed] == [len(r[0].split()) for r in SEED]
    assert [row.id for row in ROWS if row.from_note] == ["8.7.5.49-710", "8.7.5.57"]


@pytest.mark.parametrize(
    ("firmware", "expected"),
    [("8.7.5.48", (0x0301,)), ("8.7.5.49", (0x0301, 0x0302, 0x0303))],
)
def test_the_710_is_like_the_715_from_8_7_5_49(
    firmware: str, expected: tuple[int, ...]
) -> None:
    row = find_row(MODELS["D710"], Firmware.parse(firmware)).row
    assert row.versions == expected
    as_715 = find_row(MODELS["D715"], Firmware.parse(firmware)).row
    assert (row.suites == as_715.suites) is (len(expected) == 3)


@pytest.mark.parametrize("name", ["300", "320", "370", "PA1"])
def test_weak_ciphers_are_gone_from_8_7_5_57(name: str) -> None:
    before = find_row(MODELS[name], Firmware.parse("8.7.5.56")).row
    after = find_row(MODELS[name], Firmware.parse("8.7.5.57")).row
    assert before.ciphers == ("3DES", "AES", "DES", "NULL", "RC4")
    assert after.ciphers == ("AES",)
    assert before.versions == after.versions == (0x0301,)
    # What is left is what was there, without the removed ones.
    assert set(after.suites) == {
        n for n in before.suites if SUITES[n].cipher.startswith("AES")
    }


def test_the_end_of_life_note_is_kept() -> None:
    notes = find_row(MODELS["360"], Firmware.parse("8.7.3.25.9")).row.notes
    assert any("end of life" in note for note in notes)


@pytest.mark.parametrize(
    ("model", "firmware", "row", "confidence"),
    [
        ("D785", "10.1.33.33", "10.1", "H"),
        ("D785", "10.1.25.0", "10.1", "M"),  # between two rows
        ("D785", "10.1.169.16", "10.1", "M"),  # after the last
        ("D785", "10.1.1.0", "10.1", "L"),  # before the branch's first
        ("D715", "8.7.5.35", "8.7.5.35-715", "M"),  # firmware cell is the one above
        ("D715", "8.7.5.80", "8.7.5.35-715", "M"),
        ("D715", "8.9.3.60", "8.9.3.52", "L"),  # the branch's row names others
        ("720", "8.9.3.80", "8.9.3.52", "L"),
        ("D712", "8.9.3.60", "8.9.3.52", "L"),
        ("D375", "8.9.3.10", "8.9.3.52", "L"),
        ("300", "8.7.4.1", "8.7.3.25.9", "M"),
        ("320", "8.4.18", "8.7.3.25.9", "L"),
        ("360", "8.7.5.35", "8.7.3.25.9", "L"),  # left out by the newer row
        ("D765", "8.8.3.26", "8.7.5.35-715", "L"),  # a branch without rows
        ("D717", "10.1.33.33", "10.1", "L"),  # in no row
        ("PA1+", "8.7.5.75", "8.7.5.57", "L"),  # in no row, and of that branch
        ("300", "8.7.5.34", "8.7.3.25.9", "M"),
        ("MP", "8.7.5.35", "8.7.5.35-715", "M"),  # not in the PA1's row
        ("D710", "8.7.5.57", "8.7.5.49-710", "M"),
        ("D785", "8.7.5.35", "10.1", "L"),
        ("300", "10.1.20.0", "8.7.5.57", "L"),
    ],
)
def test_between_the_rows_the_nearest_speaks_with_less_confidence(
    model: str, firmware: str, row: str, confidence: str
) -> None:
    match = find_row(MODELS[model], Firmware.parse(firmware))
    assert (match.row.id, match.confidence) == (row, confidence)
    assert match.how


def test_every_row_has_source_and_confidence_and_phones_that_had_its_branch() -> None:
    for row in ROWS:
        assert row.source
        assert row.confidence in ("H", "M", "L")
        for name in row.models:
            assert all(MODELS[name].had_branch(fw.branch) for fw in row.firmwares)


def test_a_reading_of_the_matrix_is_never_as_sure_as_what_it_prints() -> None:
    facts = profile("D710", "8.7.5.49").facts
    said = {(f.name, f.confidence) for f in facts if f.name.startswith("tls.")}
    assert ("tls.note", "H") in said, "since 8.7.5.49 the 710 is as the 715 (SNOM-TLS)"
    assert [f.confidence for f in facts if f.name == "tls.reading"] == ["M"]
    assert ("tls.versions", "H") in said
    assert not any("read as" in note for row in ROWS for note in row.notes)


def test_a_model_in_no_row_is_shown_with_the_newest_row_of_a_branch_it_had() -> None:
    assert [str(fw) for fw in firmwares_of(MODELS["PA1+"])] == ["8.7.5.57"]
    assert [str(fw) for fw in firmwares_of(MODELS["D862"])] == ["10.1.33.33"]
    assert not profile("PA1+", "8.7.5.75").warnings
    assert not profile("PA1+", "8.7.5.75").server_auth_forced


def test_columns_of_the_suites_are_those_of_the_registry() -> None:
    """The registry (IANA) was typed by somebody else."""
    for suite in PREFERENCE:
        name = SUITES[suite.number].name
        kx = {"RSA": "TLS_RSA_", "DH": "TLS_DH", "ECDH": "TLS_ECDH", "SRP": "TLS_SRP_"}
        assert name.startswith(kx[suite.key_exchange])
        assert suite.key_exchange != "DH" or "_DHE_" in name or "_anon_" in name
        assert suite.key_exchange != "ECDH" or "_ECDHE_" in name or "_anon_" in name
        head, _, tail = name.partition("_WITH_")
        proves = {"NULL": "anon", "RSA": "RSA", "DSS": "DSS", "ECDSA": "ECDSA"}
        assert head.split("_")[-1] == proves[suite.authentication]
        cipher = {
            "AES": f"AES_{suite.bits}_", "Camellia": f"CAMELLIA_{suite.bits}_",
            "3DES": "3DES_EDE_CBC_", "RC4": "RC4_128_", "DES": "DES_CBC_",
            "NULL": "NULL_",
        }[suite.cipher]  # fmt: skip
        assert tail.startswith(cipher)
        assert suite.mode is None or f"_{suite.mode}_" in f"_{tail}"
        assert tail.split("_")[-1] == suite.mac.replace("SHA1", "SHA")


def test_no_suite_is_named_twice_and_stronger_ones_come_first() -> None:
    numbers = [suite.number for suite in PREFERENCE]
    assert len(numbers) == len(set(numbers))
    for row in ROWS:
        strong = [n for n in row.suites if "_AES_" in SUITES[n].name]
        weak = [n for n in row.suites if n not in strong and "CAMELLIA" not in
                SUITES[n].name]  # fmt: skip
        assert (
            not strong
            or not weak
            or row.suites.index(strong[-1]) < (row.suites.index(weak[0]))
        )


def test_known_rows_expand_to_the_suites_their_columns_mean() -> None:
    by_id = {row.id: [SUITES[n].openssl_name for n in row.suites] for row in ROWS}
    assert by_id["8.7.5.57"] == ["DHE-RSA-AES128-SHA", "ADH-AES128-SHA", "AES128-SHA"]
    assert set(by_id["8.7.3.25.9"]) == {
        "EDH-RSA-DES-CBC3-SHA", "ADH-DES-CBC3-SHA", "DES-CBC3-SHA", "ADH-RC4-MD5",
        "RC4-SHA", "RC4-MD5", "EDH-RSA-DES-CBC-SHA", "ADH-DES-CBC-SHA", "DES-CBC-SHA",
        "NULL-SHA", "NULL-MD5",
    }  # fmt: skip
    assert by_id["10.1"][:2] == [
        "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-ECDSA-AES256-GCM-SHA384",
    ]  # fmt: skip
    assert len(by_id["10.1"]) == 24
    assert not any("SRP" in name or "DSS" in name for name in by_id["10.1"] if name)
    assert {"SRP-RSA-AES-256-CBC-SHA", "DHE-DSS-CAMELLIA128-SHA"} <= set(
        by_id["8.7.5.35-715"]
    )
