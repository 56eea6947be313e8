"""The alert of a verdict is the one that ``openssl s_client`` sends to such a server."""

import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from tests.certificates import DAY, ca, key
from tests.live.test_check_openssl import (
    LEAF,
    MID,
    MIDDLE,
    NAME,
    ROOT,
    SPAN,
    TODAY,
    s_server,
    server,
)  # fmt: skip

from linekey.catalog.profile import profile
from linekey.certs.build import Issuer
from linekey.certs.certificate import Certificate
from linekey.certs.pem import to_pem
from linekey.trust.judge import TlsSettings, judge
from linekey.trust.store import TrustStore

pytestmark = pytest.mark.peer("openssl")

STRANGER = ca("alert stranger", **SPAN)
NO_CA = ca("alert no ca", ROOT, **{**SPAN, "ca": False})
TIGHT = ca("alert tight", ROOT, path_length=0, **SPAN)
BELOW = ca("alert below", TIGHT, **SPAN)
FORGED = Issuer(MIDDLE.certificate, key("impostor"))
PHONE = replace(profile("D785", "10.1.33.33"), max_key_bits=None)
SETTINGS = TlsSettings(server_authentication=True, check_fqdn=True, host_flags=0)
CASES: dict[str, tuple[Certificate, ...]] = {
    "good": (server(MIDDLE, NAME), MID),
    "expired": (
        server(MIDDLE, NAME, not_before=TODAY - 9 * DAY, not_after=TODAY - DAY), MID
    ),
    "early": (server(MIDDLE, NAME, not_before=TODAY + DAY), MID),
    "other name": (server(MIDDLE, "other.example.com"), MID),
    "no intermediate": (server(MIDDLE, NAME),),
    "self-signed": (server(None, NAME),),
    "another root": (server(STRANGER, NAME), STRANGER.certificate),
    "for clients": (server(MIDDLE, NAME, extended_key_usage=["clientAuth"]), MID),
    "not a ca": (server(NO_CA, NAME), NO_CA.certificate),
    "too deep": (server(BELOW, NAME), BELOW.certificate, TIGHT.certificate),
    "forged": (server(FORGED, NAME), MID),
    "critical": (
        server(MIDDLE, NAME, extensions=[("1.2.3.4", True, b"\x05\x00")]), MID
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_s_client_sends_the_alert_of_the_verdict(case: str, tmp_path: Path) -> None:
    chain = CASES[case]
    trusted = tmp_path / "trusted.pem"
    trusted.write_text(to_pem(ROOT.certificate))
    with s_server(tmp_path, chain, LEAF) as port:
        done = subprocess.run(
            [
                "openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-tls1_2",
                "-servername", NAME, "-verify_hostname", NAME, "-partial_chain",
                "-verify_return_error", "-CAfile", str(trusted), "-no-CApath",
                "-no-CAstore", "-state",
            ],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30,
            check=False,
        )  # fmt: skip
    sent = re.search(r"alert write:fatal:(.+)", done.stderr)
    verdict = judge(
        chain, NAME, TrustStore((ROOT.certificate,)), PHONE, SETTINGS, TODAY
    )
    if case == "good":
        assert verdict.accepted, verdict.reason
        assert sent is None, done.stderr
        return
    assert sent is not None, done.stderr
    assert verdict.alert is not None
    assert sent[1].strip().lower().replace(" ", "_") == verdict.alert.label
