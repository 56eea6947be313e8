"""Keys, hashes and curves get the verdict of the phone's line of OpenSSL.

The lines are the referees of a table of issuers' RSA sizes and exponents, hashes and
curves; and 1.0.1u shows some of it to the virtual phone and to the check.
"""

import ssl
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.live.line_cases import TODAY, key
from tests.live.odd_certificates import root
from tests.live.openssl_lines import serving, verdicts_on
from tests.live.strength_cases import (
    CURVES,
    EC_HASHES,
    EXPONENTS,
    RSA_HASHES,
    SIZES,
    strength_cases,
)
from tests.live.test_line_certificates import visited
from tests.live.test_openssl_lines import check

from linekey.catalog.profile import Profile, profile
from linekey.certs.certificate import Certificate
from linekey.certs.lines import Line
from linekey.certs.pem import private_key_to_pem
from linekey.check.classes import classes_of
from linekey.check.phones import Setup, gather
from linekey.phone.document import PhoneDocument
from linekey.trust.findings import Verdict
from linekey.trust.judge import TlsSettings, judge
from linekey.trust.store import TrustStore

pytestmark = pytest.mark.peer("openssl")

LINES: tuple[tuple[str, Line], ...] = (
    ("1.0.1u", "1.0.1"),
    ("1.0.2o", "1.0.2"),
    ("1.0.2s", "1.0.2"),
    ("1.1.1k", "1.1.1"),
)
UNCHECKED = {
    "RSA with md4",
    "brainpoolP256r1, explicit",
    "secp160r1, explicit",
    "sect233r1, explicit",
}
"""What the lines accept and linekey has no means to check: refused, and said so."""


BELOW_LEVEL_1 = {
    "RSA of 512 bits", "RSA of 768 bits", "RSA with md4", "RSA with md5", "secp112r1",
}  # fmt: skip
"""What 1.1.1k does not show as a server, so that nobody hears its verdict."""


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[bytes]]:
    return dict(strength_cases(tmp_path_factory.mktemp("keys")))


def row_of(line: Line) -> Profile:
    """A phone of the line that knows RSA and ECDSA; of 1.1.1, which no row is, made."""
    if line == "1.0.1":
        return profile("D715", "8.7.5.35")
    found = profile("D745", "8.9.3.52")
    match = replace(found.match, row=replace(found.match.row, era=line))
    return replace(found, match=match)


def judged(line: Line, chain: list[bytes]) -> Verdict:
    return judge(
        [Certificate.from_der(der) for der in chain], None,
        TrustStore(authorities=(root(),)), row_of(line), TlsSettings(True, False, 0), TODAY,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("version", "line"),
    [pytest.param(v, x, marks=pytest.mark.peer(f"OpenSSL {v}")) for v, x in LINES],
)
async def test_each_key_hash_and_curve_gets_the_verdict_of_its_line(
    version: str,
    line: Line,
    table: dict[str, list[bytes]],
    tmp_path: Path,
    record_interop: Any,
) -> None:
    told = dict(
        zip(
            table,
            await verdicts_on(
                version, [(chain, [root().der]) for chain in table.values()], tmp_path,
                key("leaf"),
            ),
            strict=True,
        )
    )  # fmt: skip
    unshown = {what for what, said in told.items() if said.startswith("cannot load")}
    assert unshown == (BELOW_LEVEL_1 if line == "1.1.1" else set())
    told = {what: said for what, said in told.items() if what not in unshown}
    if line == "1.1.1":
        # SHA-3 came with 1.1.1; the catalogue has no phone of that line
        assert told.pop("RSA with sha3-256") == "accepted"
    ours = {what: judged(line, table[what]) for what in told}
    for what in UNCHECKED & told.keys():
        assert told[what] == "accepted"
        (refusal,) = ours[what].refusals
        assert "what it says is not known" in refusal.message
    assert {what: ours[what].accepted for what in told if what not in UNCHECKED} == {
        what: said == "accepted" for what, said in told.items() if what not in UNCHECKED
    }, told
    refused = {what for what, said in told.items() if said != "accepted"}
    assert {"RSA of 16392 bits", f"RSA of 4096 bits with the exponent {2**64 + 1}"} <= (
        refused
    )
    assert ("brainpoolP384r1" in refused) is (version == "1.0.1u")
    record_interop(
        f"OpenSSL {version}", "verdict by key size, exponent, hash and curve"
    )


def test_the_table_has_what_its_name_says(table: dict[str, list[bytes]]) -> None:
    assert len(table) == (
        len(SIZES) + 2 * len(EXPONENTS) + len(RSA_HASHES) + len(EC_HASHES) + len(CURVES)
        + 5
    )  # fmt: skip
    for what, (_, middle) in table.items():
        if what.startswith("RSA of"):
            info = Certificate.from_der(middle).key
            assert info.kind == "unreadable" or f"RSA of {info.bits} bits" in what
            assert info.bits <= 16_384


@pytest.mark.peer("OpenSSL 1.0.1u")
@pytest.mark.parametrize(
    ("what", "rule"),
    [
        ("RSA with ripemd160", "hash.rare"),
        ("RSA with md4", "chain.malformed"),
        ("prime256v1, explicit", "key.weak"),
        ("secp160r1, explicit", "chain.malformed"),
        ("RSA of 512 bits", "key.weak"),
        ("RSA of 16392 bits", "chain.signature"),
    ],
)
async def test_phone_and_check_say_what_the_line_does(
    what: str, rule: str, table: dict[str, list[bytes]]
) -> None:
    options = {
        "key": private_key_to_pem(key("leaf")).decode(),
        "cert": "".join(map(ssl.DER_cert_to_PEM_cert, table[what])),
        "ciphers": "AES128-SHA",
    }
    rows = [profile("D715", "8.7.5.35"), profile("D745", "8.9.3.52")]
    on = PhoneDocument.of_settings({"tls_server_authentication": "on"})
    setup = Setup(authorities=(root(),), documents=(on,))
    classes = classes_of(gather(rows, "127.0.0.1", setup, now=TODAY).phones)
    async with serving("1.0.1u", options) as port:
        results = await check(port, classes, at=TODAY)
        for row in rows:
            verdict = judged(row.match.row.era, table[what])
            assert rule in {f.rule for f in verdict.findings if not f.ok}
            report = (await visited(port, str(row.firmware), True)).report
            assert report.verdict is not None, report.error
            assert report.completed is verdict.accepted, report.error
            result = results[row.name]
            assert (result.outcome.value == "accepted") is verdict.accepted
            assert rule in {f.rule for f in result.findings if not f.ok}
