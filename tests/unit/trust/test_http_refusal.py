import pytest
from hypothesis import given
from hypothesis import strategies as st

from linekey.trust.http_refusal import HttpRefusal, read_http_refusal

# As nginx 1.22 and Apache 2.4 word them; Caddy's and others' own words below.
NGINX = "<html><head><title>400 {0}</title></head><body><center><h1>400 Bad Request</h1></center><center>{0}</center></body></html>"


@pytest.mark.parametrize(
    ("status", "body", "refusal"),
    [
        (400, NGINX.format("The SSL certificate error"), HttpRefusal.CERTIFICATE_REFUSED),
        (400, NGINX.format("No required SSL certificate was sent"), HttpRefusal.CERTIFICATE_MISSING),
        (400, NGINX.format("The plain HTTP request was sent to HTTPS port"), HttpRefusal.PLAIN_HTTP),
        (400, "Reason: You're speaking plain HTTP to an SSL-enabled server port.", HttpRefusal.PLAIN_HTTP),
        (400, "Client sent an HTTP request to an HTTPS server.", HttpRefusal.PLAIN_HTTP),
        (400, "This combination of host and port requires TLS.", HttpRefusal.PLAIN_HTTP),
        (403, "client certificate required", HttpRefusal.CERTIFICATE_MISSING),
        (403, "403.7 - Forbidden: SSL client certificate is required.", HttpRefusal.CERTIFICATE_MISSING),
        (403, "Your client certificate is untrusted or invalid.", HttpRefusal.CERTIFICATE_REFUSED),
        (403, "<p>Your certificate has expired</p>", HttpRefusal.CERTIFICATE_REFUSED),
        (495, "", HttpRefusal.CERTIFICATE_REFUSED),
        (496, "", HttpRefusal.CERTIFICATE_MISSING),
        (497, "", HttpRefusal.PLAIN_HTTP),
    ],
)  # fmt: skip
def test_an_answer_that_speaks_of_tls_is_read(
    status: int, body: str, refusal: HttpRefusal
) -> None:
    said = read_http_refusal(status, body.encode())
    assert said is not None
    assert said.refusal is refusal
    assert bool(said.words) is bool(body)
    assert "<" not in said.words


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, "certificate"),
        (404, "not found"),
        (404, "The requested URL /certificate.der was not found on this server."),
        (404, "no certificate of that name"),
        (410, "the certificate is gone"),
        (403, "You don't have permission to access /certificate.der on this server."),
        (403, "no access to /certs/my-certificate-1 and certificate.pem"),
        (500, "certificate"),
        (400, "Bad Request"),
    ],
)
def test_an_answer_that_speaks_of_something_else_is_not(status: int, body: str) -> None:
    assert read_http_refusal(status, body.encode()) is None


@given(st.integers(100, 599), st.binary(max_size=300))
def test_what_is_quoted_is_one_short_printable_line(status: int, body: bytes) -> None:
    said = read_http_refusal(status, body + b" certificate")
    if said is not None:
        assert said.words.isprintable()
        assert len(said.words) <= 120
