"""What HTTP's own rules say of a target and a Host, and that both doors keep them."""

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from linekey.errors import PeerError
from linekey.wire.request_head import (
    Host,
    parse_host,
    place_target,
    read_host,
    split_absolute,
    target_of,
)


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("phones.example.com", Host("phones.example.com", None)),
        ("phones.example.com:8443", Host("phones.example.com", 8443)),
        ("192.0.2.7:", Host("192.0.2.7", None)),
        ("[2001:DB8::0:1]:443", Host("2001:db8::1", 443)),
        ("[::ffff:192.0.2.7]", Host("::ffff:192.0.2.7", None)),
        ("[::FFFF:c000:207]", Host("::ffff:192.0.2.7", None)),
        ("a%20b", Host("a%20b", None)),
        ("", Host("", None)),
        (":80", Host("", 80)),
        ("h:0000000065535", None),
        ("h:65536", None),
        ("h:1:2", None),
        ("h:x", None),
        ("h:８０", None),
        ("2001:db8::1", None),
        ("[::1", None),
        ("[::1]x", None),
        ("[localhost]", None),
        ("[fe80::1%25eth0]", None),
        ("[1.2.3.4]", None),
        ("a b", None),
        ("a/b", None),
        ("a@b", None),
        ("a#b", None),
        ("a\\b", None),
        ("a%2", None),
        ("a,b", Host("a,b", None)),
        ("b\xfccher.example", None),
        ("h\n", None),
    ],
)
def test_a_host_is_read_whole_or_refused(text: str, host: Host | None) -> None:
    if host is None:
        with pytest.raises(PeerError):
            parse_host(text)
    else:
        assert parse_host(text) == host


def headers(*hosts: bytes) -> list[tuple[bytes, bytes]]:
    return [(b"accept", b"*/*"), *((b"host", host) for host in hosts)]


def test_http_1_1_has_one_host_and_http_1_0_at_most_one() -> None:
    assert read_host("1.1", headers(b" x.example:1\t")) == Host("x.example", 1)
    assert read_host("1.0", headers()) is None
    with pytest.raises(PeerError, match="has no Host"):
        read_host("1.1", headers())
    for version in ("1.0", "1.1"):
        with pytest.raises(PeerError, match="2 Host fields"):
            read_host(version, headers(b"x", b"x"))
        with pytest.raises(PeerError, match="no host with a port"):
            read_host(version, headers(b"x/y"))


@pytest.mark.parametrize(
    ("target", "origin"),
    [
        (b"http://h/a.htm", b"/a.htm"),
        (b"HTTPS://h:443/a.htm?mac=1&b", b"/a.htm?mac=1&b"),
        (b"http://h", b"/"),
        (b"http://h?x", b"/?x"),
        (b"http://h//a", b"//a"),
        (b"http://h/a#b", b"/a#b"),
        (b"http:///a", None),
        (b"http://:80/a", None),
        (b"http://u@h/a", None),
        (b"http://u:p@h/a", None),
        (b"http://h:x/a", None),
        (b"http:/h/a", None),
        (b"ftp://h/a", None),
        (b"xhttp://h/a", None),
        (b"//h/a", None),
        (b"/http://h/a", None),
        (b"h:443", None),
        (b"*", None),
        (b"", None),
        (b"/a?b", None),
    ],
)
def test_absolute_form_means_its_path_and_all_else_goes_on_as_it_came(
    target: bytes, origin: bytes | None
) -> None:
    absolute = split_absolute(target)
    assert (None if absolute is None else absolute[1]) == origin
    scope: dict[str, Any] = {}
    place_target(scope, target)
    assert target_of(scope) == (target if origin is None else origin)


@given(st.binary(max_size=40))
@example(b"http://[::1")
@example(b"http://h:99999999999999999999/")
def test_whatever_a_target_is_not_a_byte_of_it_is_changed(target: bytes) -> None:
    scope: dict[str, Any] = {}
    place_target(scope, target)
    assert (
        target.endswith(target_of(scope))
        or target.endswith(b"?")
        or (split_absolute(target) is not None)
    )
