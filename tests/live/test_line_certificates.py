"""Odd certificates get the verdict of the phone's line of OpenSSL, and reach the judge.

The lines are the referees; and 1.0.1u, which loads nearly all of them, is the server
that shows them to the virtual phone.
"""

import asyncio
import json
import ssl
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from tests.certificates import MAC, device
from tests.live.line_cases import GOOD, NAME, TODAY, key
from tests.live.odd_certificates import odd_leaves, root
from tests.live.openssl_lines import serving, verdicts_on
from tests.live.test_check_nginx import LINEKEY
from tests.live.test_openssl_lines import Remembering

from linekey.catalog.profile import profile
from linekey.certs.build import Issuer, issue
from linekey.certs.certificate import Certificate
from linekey.certs.dn import Name
from linekey.certs.lines import Line, prove_as, reads
from linekey.certs.pem import private_key_to_pem, to_pem
from linekey.errors import CertificateError
from linekey.phone.state import new_phone

LINES: tuple[tuple[str, Line], ...] = (
    ("1.0.1u", "1.0.1"),
    ("1.0.2o", "1.0.1"),  # in dates it is as 1.0.1; the judge's 1.0.2 is 1.0.2s
    ("1.0.2s", "1.0.2"),
    ("1.1.1k", "1.1.1"),
)
LEAVES = dict(odd_leaves())


def judged(line: Line, der: bytes) -> str:
    try:
        leaf = Certificate.from_der(der)
    except CertificateError:
        return "no certificate"
    if not reads(line, leaf):
        return "no certificate"
    proof = prove_as(line, leaf, (), (root(),), at=TODAY, purpose="server")
    return "accepted" if proof.ok else "refused"


def said(verdict: str) -> str:
    """A line's verdict in our three words; the host name is Node.js's own business."""
    if verdict == "accepted" or "altnames" in verdict:
        return "accepted"
    return "no certificate" if verdict.startswith("cannot load") else "refused"


@pytest.mark.parametrize(
    ("version", "line"),
    [pytest.param(v, x, marks=pytest.mark.peer(f"OpenSSL {v}")) for v, x in LINES],
)
async def test_an_odd_certificate_gets_the_verdict_of_its_line(
    version: str, line: Line, tmp_path: Path, record_interop: Any
) -> None:
    chains = [([der], [root().der]) for der in LEAVES.values()]
    verdicts = await verdicts_on(version, chains, tmp_path, key("leaf"))
    told = {what: said(v) for what, v in zip(LEAVES, verdicts, strict=True)}
    assert {what: judged(line, der) for what, der in LEAVES.items()} == told
    assert len(set(told.values())) == 3
    record_interop(f"OpenSSL {version}", "certificates that a strict parser refuses")


@pytest.mark.parametrize(
    ("version", "line"),
    [pytest.param(v, x, marks=pytest.mark.peer(f"OpenSSL {v}")) for v, x in LINES[::2]],
)
async def test_the_curves_of_an_issuer_are_those_of_the_line(
    version: str, line: Line, tmp_path: Path
) -> None:
    above, chains = Issuer(root(), key("odd root")), []
    for number, curve in enumerate((ec.SECP256R1(), ec.BrainpoolP256R1())):
        own = ec.generate_private_key(curve)
        name = Name.build([("CN", f"middle {number}")])
        dates = {"not_before": GOOD[0], "not_after": GOOD[1]}
        middle = issue(name, own, above, serial=8, ca=True, **dates)  # type: ignore[arg-type]
        leaf = issue(
            Name.build([("CN", NAME)]), key("leaf"), Issuer(middle, own), serial=9,
            dns_names=(NAME,), **dates,  # type: ignore[arg-type]
        )  # fmt: skip
        chains.append((leaf, middle))
    told = await verdicts_on(
        version, [([c.der for c in x], [root().der]) for x in chains], tmp_path,
        key("leaf"),
    )  # fmt: skip
    ours = [
        prove_as(line, a, (b,), (root(),), at=TODAY, purpose="server").ok
        for a, b in chains
    ]
    assert ours == [verdict == "accepted" for verdict in told], told
    assert ours == [True, line != "1.0.1"]


async def visited(port: int, firmware: str, authenticates: bool) -> Remembering:
    state = new_phone(
        MAC, "D745" if firmware > "8.9" else "D715", firmware,
        setting_server=f"https://127.0.0.1:{port}/",
        builtin=device(MAC, "sha1"), authorities=(root(),),
    )  # fmt: skip
    state = replace(state, server_authentication=authenticates)
    phone = Remembering(state, clock=TODAY)
    async with asyncio.timeout(30), phone:
        await phone.round_ended()
    return phone


@pytest.mark.peer("OpenSSL 1.0.1u")
@pytest.mark.parametrize("version", ["SSLv23_method", "TLSv1_method"])
@pytest.mark.parametrize(
    "what",
    ["UTCTime without seconds", "GeneralizedTime without seconds",
     "UTCTime without Z", "empty UTCTime", "empty serial number",
     "serial number padded", "serial number of 100 bytes", "version 1000",
     "keyUsage twice", "unknown critical extension", "empty RDN", "empty issuer"],
)  # fmt: skip
async def test_the_phone_goes_on_with_what_its_own_openssl_reads(
    what: str, version: str, record_interop: Any
) -> None:
    der = LEAVES[what]
    options = {
        "key": private_key_to_pem(key("leaf")).decode(),
        "cert": ssl.DER_cert_to_PEM_cert(der),
        "ciphers": "AES128-SHA",
        "secureProtocol": version,
    }
    async with serving("1.0.1u", options) as port:
        for firmware in ("8.7.5.35", "8.9.3.52"):
            row = profile("D745" if firmware > "8.9" else "D715", firmware)
            for authenticates in (True, False):
                phone = await visited(port, firmware, authenticates)
                report = phone.report
                assert report.verdict is not None, report.error
                assert report.chain[0].der == der
                held = judged(row.match.row.era, der) == "accepted"
                assert report.completed is (held or not authenticates), report.error
                assert report.verdict.accepted is report.completed
    record_interop("OpenSSL 1.0.1u", "shows odd certificates to the virtual phone")


@pytest.mark.peer("OpenSSL 1.0.1u")
@pytest.mark.parametrize(
    "what",
    ["UTCTime without seconds", "GeneralizedTime without seconds", "version 1000"],
)
def test_a_whole_check_of_such_a_server_has_a_verdict_for_each_row(
    what: str, tmp_path: Path, record_interop: Any
) -> None:
    """``linekey check``, of each model and firmware as they leave the factory."""
    trusted = tmp_path / "root.pem"
    trusted.write_text(to_pem(root()))
    options = {
        "key": private_key_to_pem(key("leaf")).decode(),
        "cert": ssl.DER_cert_to_PEM_cert(LEAVES[what]),
        "ciphers": "ALL:!aNULL",
    }

    async def checked() -> subprocess.CompletedProcess[str]:
        async with serving("1.0.1u", options) as port:
            return await asyncio.to_thread(
                subprocess.run,
                [
                    LINEKEY, "check", f"127.0.0.1:{port}", "--name", NAME, "--json",
                    "--rate", "1000", "--trust", trusted,
                ],
                capture_output=True, text=True, timeout=120, check=False,
            )  # fmt: skip

    done = asyncio.run(checked())
    met = {}
    for one in json.loads(done.stdout)["classes"]:
        failed = [f for f in one["findings"] if not f["ok"]]
        assert not any(f["rule"].startswith("reach.") for f in failed)
        form = [f for f in failed if f["rule"] == "chain.date-form"]
        against = [
            f for f in form
            if f["severity"] == "refused" or "would be refused if" in f["message"]
        ]  # fmt: skip
        for phone in one["phones"]:
            row = profile(phone["model"], phone["firmware"])
            held = judged(row.match.row.era, LEAVES[what]) == "accepted"
            assert bool(against) is not held, form
            accepts = held or not row.server_auth_forced
            assert one["outcome"] == ("accepted" if accepts else "phone_refuses")
            met[row.match.row.era] = held
    assert met == {
        "0.9.8": True, "1.0.0": True, "1.0.1": True,
        "1.0.2": "without seconds" not in what,
    }  # fmt: skip
    assert done.returncode == (0 if all(met.values()) else 1), done.stderr
    record_interop("OpenSSL 1.0.1u", "a whole check of a server with odd certificates")
