"""``host:port``: one writer, one reader."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linekey.endpoint import bracketed, host_port, parse_endpoint, parse_host_port


@pytest.mark.parametrize(
    ("host", "port", "text"),
    [
        ("prov.example.com", 443, "prov.example.com:443"),
        ("192.0.2.7", 5061, "192.0.2.7:5061"),
        ("2001:db8::7", 1812, "[2001:db8::7]:1812"),
    ],
)
def test_what_is_written_is_read(host: str, port: int, text: str) -> None:
    assert host_port(host, port) == text
    assert parse_host_port(text) == (host, port)
    assert parse_host_port(bracketed(host), port) == (host, port)


@pytest.mark.parametrize(
    "text",
    ["", ":", "host", "host:", ":1812", "host:x", "host:70000", "host:-1", "::1",
     "[]:1", "[::1]", "a:b:1", "host:\u0661"],
)  # fmt: skip
def test_what_is_no_host_and_port_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="HOST:PORT"):
        parse_host_port(text)


@given(st.text("0123456789.:[]ahost ", max_size=24))
def test_an_endpoint_that_is_read_is_written_the_same(text: str) -> None:
    try:
        endpoint = parse_endpoint(text)
    except ValueError as error:
        assert "ADDRESS:PORT" in str(error)  # noqa: PT017 - either outcome is right
    else:
        assert host_port(*endpoint) == text
