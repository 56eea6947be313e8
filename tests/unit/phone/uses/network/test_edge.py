"""What eapol_test's output says of a login; excerpts of runs of version 2.10."""

import pytest

from linekey.phone.uses.network.edge import _why

CALLED = "192.0.2.5:1812"
CHALLENGED = """\
Sending RADIUS message to authentication server
Received 64 bytes from RADIUS server
Received RADIUS message
EAP: Status notification: accept proposed method (param=TLS)
"""
OWN_TLS = (
    CHALLENGED
    + """\
OpenSSL: tls_connection_client_cert - SSL_use_certificate_file failed \
error:0A00018F:SSL routines::ee key too small
TLS: Failed to set TLS connection parameters
EAP-TLS: Failed to initialize SSL.
EAPOL test timed out
FAILURE
"""
)


@pytest.mark.parametrize(
    ("output", "said"),
    [
        (OWN_TLS, "does not take the phone's certificate, key or authorities: ee key"),
        (CHALLENGED + "EAPOL test timed out", "answered 1 time, and then no more"),
        (CHALLENGED + "FAILURE", "answered 1 time, and the supplicant ended"),
        (
            CHALLENGED + "Incoming RADIUS packet did not have correct"
            " Message-Authenticator - dropped\nEAPOL test timed out",
            "answers, but not with the same secret",
        ),
        ("Sending RADIUS message\nEAPOL test timed out", "does not answer"),
        ("", "does not answer"),
    ],
)
def test_a_server_does_not_answer_only_where_no_packet_came(
    output: str, said: str
) -> None:
    reason, hint = _why(CALLED, output, shown=False)
    assert said in reason
    assert hint
    assert ("does not answer" in reason) is ("Received" not in output)
