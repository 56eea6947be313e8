import pytest

from linekey.errors import InputError
from linekey.export.request import (
    Backend,
    Endpoint,
    UnixSocket,
    parse_backend,
    parse_listen,
    parse_name,
    parse_path,
)


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("", "", 443),
        ("*", "", 443),
        (":8443", "", 8443),
        ("192.0.2.1", "192.0.2.1", 443),
        ("192.0.2.1:1", "192.0.2.1", 1),
        ("[2001:db8::1]:65535", "2001:db8::1", 65535),
        ("2001:db8::1", "2001:db8::1", 443),
    ],
)
def test_a_place_to_listen_is_read(text: str, host: str, port: int) -> None:
    assert parse_listen(text, 443) == Endpoint(host, port)


@pytest.mark.parametrize(
    "text", ["example.com:443", "1.2.3.4:0", "1.2.3.4:70000", "1.2.3.4:x", "[::1", "1.2.3.4; include /x"]
)  # fmt: skip
def test_what_is_no_place_to_listen_is_refused_with_a_cure(text: str) -> None:
    with pytest.raises(InputError) as raised:
        parse_listen(text, 443)
    assert raised.value.hint


def test_an_endpoint_is_written_as_every_peer_reads_it() -> None:
    assert Endpoint("", 443).text == "*:443"
    assert Endpoint("::1", 443).text == "[::1]:443"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http://127.0.0.1:8443", Endpoint("127.0.0.1", 8443)),
        ("http://localhost:8443/", Endpoint("127.0.0.1", 8443)),
        ("http://10.1.2.3", Endpoint("10.1.2.3", 80)),
        ("http://[::1]:8443", Endpoint("::1", 8443)),
        ("unix:/run/linekey/linekey.sock", UnixSocket("/run/linekey/linekey.sock")),
    ],
)
def test_a_backend_is_read(text: str, expected: Backend) -> None:
    assert parse_backend(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "http://127.0.0.1:0", "http://[::1]:0", "unix:", "unix:run/x", "unix:/run/a:b", "unix:/run/a b", "unix:/run/x/", "unix:/run/../x", "unix:/a|b",
        "https://127.0.0.1:8443", "http://203.0.113.5:80", "http://8.8.8.8", "http://0.0.0.0:80",
        "http://169.254.1.1", "http://a.example:80", "http://127.0.0.1:8443/x", "http://u:p@127.0.0.1",
        "127.0.0.1:8443", "http://127.0.0.1:99999", "http://[::1", "http://127.0.0.1?x=1",
    ],
)  # fmt: skip
def test_a_backend_that_strangers_could_reach_or_that_is_none_is_refused(text: str) -> None:  # fmt: skip
    with pytest.raises(InputError) as raised:
        parse_backend(text)
    assert raised.value.hint


@pytest.mark.parametrize("text", ["phones.example.com", "localhost", "a-b.c", "192.0.2.1"])  # fmt: skip
def test_a_name_is_a_name(text: str) -> None:
    assert parse_name(text) == text


@pytest.mark.parametrize(
    "text", ["", "a b", "a;b", "*.example.com", "a..b", "a\nb", 'a"b', "${x}", "x" * 64, "ä.de"]
)  # fmt: skip
def test_what_could_mean_something_else_in_a_configuration_is_no_name(text: str) -> None:  # fmt: skip
    with pytest.raises(InputError):
        parse_name(text)


def test_a_path_is_absolute_and_plain() -> None:
    assert parse_path("/etc/linekey/a_b-c.pem", "file") == "/etc/linekey/a_b-c.pem"
    for text in (
        "a",
        "/a b",
        "/a;b",
        "/a/../b",
        '/a"',
        "/a\n",
        "/$a",
        "/a{b}",
        "/a#b",
        "",
    ):
        with pytest.raises(InputError):
            parse_path(text, "file")
