"""Host names by OpenSSL's rules, held against OpenSSL itself."""

import ctypes
import ctypes.util
from ipaddress import ip_address

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from OpenSSL import crypto
from OpenSSL.SSL import _ffi, _lib  # type: ignore[attr-defined]
from tests.unit.certs.conftest import BEGIN, END, named

from linekey.certs.build import issue, new_key
from linekey.certs.host_names import HostFlags, match_host

HOSTNAME_MISMATCH = 62
IP_ADDRESS_MISMATCH = 64


def openssl_says(
    certificate, host: str, flags: int = 0, *, ip: bool = False
) -> bool | None:
    """X509_verify_cert with a host to check, the certificate itself trusted."""
    store = crypto.X509Store()
    store.add_cert(certificate.openssl)
    param = _ffi.gc(_lib.X509_VERIFY_PARAM_new(), _lib.X509_VERIFY_PARAM_free)
    if ip:
        packed = ip_address(host).packed
        assert _lib.X509_VERIFY_PARAM_set1_ip(param, packed, len(packed)) == 1
    else:
        name = host.encode()
        if not _lib.X509_VERIFY_PARAM_set1_host(param, name, len(name)):
            return None  # OpenSSL 4 does not take it for a host name at all
    _lib.X509_VERIFY_PARAM_set_hostflags(param, flags)
    _lib.X509_STORE_set1_param(store._store, param)
    store.set_flags(0x80000 | 0x200000)  # partial chain, no check of time
    try:
        crypto.X509StoreContext(store, certificate.openssl).verify_certificate()
    except crypto.X509StoreContextError as error:
        if error.errors[0] not in {HOSTNAME_MISMATCH, IP_ADDRESS_MISMATCH}:
            raise
        return False
    return True


def system_openssl() -> ctypes.CDLL | None:
    """The machine's own OpenSSL: an older one than the bundled, nearer to phones."""
    name = ctypes.util.find_library("crypto")
    if name is None:
        return None
    library = ctypes.CDLL(name)
    library.d2i_X509.restype = ctypes.c_void_p
    library.X509_free.argtypes = [ctypes.c_void_p]
    library.X509_check_host.argtypes = [
        ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint, ctypes.c_void_p,
    ]  # fmt: skip
    return library


SYSTEM = system_openssl()


def check_host_says(certificate, host: str, flags: int) -> bool:
    """X509_check_host of the machine's OpenSSL."""
    der = ctypes.c_char_p(certificate.der)
    x509 = SYSTEM.d2i_X509(None, ctypes.byref(der), ctypes.c_long(len(certificate.der)))
    assert x509
    try:
        name = host.encode()
        return SYSTEM.X509_check_host(x509, name, len(name), flags, None) == 1
    finally:
        SYSTEM.X509_free(x509)


def agrees(certificate, host: str, flags: int) -> None:
    """Compare with every OpenSSL at hand; at least one must have an answer."""
    ours = match_host(certificate, host, flags)
    assert ours.ok == (ours.matched is not None)
    assert ours.reason
    bundled = openssl_says(certificate, host, flags)
    told = (certificate.dns_names, certificate.common_names, host, flags, ours)
    if bundled is not None:
        assert ours.ok == bundled, told
    if SYSTEM is not None:
        assert ours.ok == check_host_says(certificate, host, flags), told


@pytest.fixture(scope="module")
def make():
    key = new_key("ed25519")  # the quickest to sign with

    def make(*, dns=(), ips=(), cn=("host",)):
        from linekey.certs.dn import Name

        return issue(
            Name.build([("CN", c) for c in cn]), key, None, serial=1,
            not_before=BEGIN, not_after=END, dns_names=dns,
            ip_addresses=[ip_address(i) for i in ips],
        )  # fmt: skip

    return make


LABEL = st.sampled_from(
    ["a", "ab", "www", "f", "foo", "xn--a", "xn--", "A", "-a", "a-", "a--b", "1", ""]
)
PIECE = st.sampled_from(
    [
        "*",
        "a*",
        "*a",
        "f*",
        "*o",
        "f*o",
        "**",
        "xn--*",
        "*-",
        "-*",
        "*-a",
        "a-*",
        "*xn--a",
    ]
)
PATTERN = st.builds(
    lambda parts, tail: ".".join([*parts, *tail]),
    st.lists(st.one_of(LABEL, PIECE), min_size=1, max_size=2),
    st.sampled_from(
        [
            [],
            ["example"],
            ["example", "com"],
            ["Example", "COM"],
            ["e_x", "com"],
            ["example", "com", ""],
            ["example", "*"],
            ["a.*", "com"],
        ]
    ),
)
HOST = st.builds(
    lambda dot, parts, tail: dot + ".".join([*parts, *tail]),
    st.sampled_from(["", "", "", "."]),
    st.lists(
        st.sampled_from(
            [
                "a",
                "ab",
                "www",
                "foo",
                "xn--a",
                "fo",
                "o",
                "*",
                "a-",
                "-a",
                "f*",
                "a_b",
                "a-a",
                "fxn--a",
            ]
        ),
        max_size=3,
    ),
    st.sampled_from(
        [
            ["example", "com"],
            ["EXAMPLE", "com"],
            ["com"],
            ["e_x", "com"],
            ["example", "com", ""],
        ]
    ),
)


@settings(max_examples=1500, deadline=None)
@given(
    st.lists(PATTERN, max_size=2),
    st.lists(PATTERN, min_size=1, max_size=2),
    HOST,
    st.integers(0, 31),
)
@example(["f*.example.com"], ["x"], "foo.example.com", 0)
@example(["*.example.com"], ["x"], "a.b.example.com", 8)
@example(["*.example.com"], ["x"], ".example.com", 0)
@example([], ["*.example.com"], "www.example.com", 0)
def test_our_answer_is_openssls(make, dns, cn, host, flags) -> None:
    if any(not name for name in dns + cn):
        return  # an empty name is tested by itself
    agrees(make(dns=dns, cn=cn), host, flags)


@settings(max_examples=300, deadline=None)
@given(PATTERN, HOST, st.integers(0, 31))
def test_a_name_that_matches_is_never_guessed(make, pattern, host, flags) -> None:
    """A generous mutation: the pattern made from the host, so that matches abound."""
    first, _, rest = host.partition(".")
    for name in (host, f"*.{rest}", f"{first[:1]}*.{rest}", f"*{first[-1:]}.{rest}"):
        if name.strip("."):
            agrees(make(dns=[name]), host, flags)


def test_the_common_name_counts_only_without_a_dns_name(make) -> None:
    assert match_host(make(cn=["a.example"]), "a.example").where == "cn"
    both = make(cn=["a.example"], dns=["b.example"])
    refused = match_host(both, "a.example")
    assert not refused
    assert "flag 1" in refused.reason
    assert match_host(both, "a.example", HostFlags.ALWAYS_CHECK_SUBJECT).where == "cn"


def test_an_address_in_the_san_alone_does_not_silence_the_common_name(make) -> None:
    certificate = make(cn=["a.example"], ips=["192.0.2.1"])
    assert match_host(certificate, "a.example").ok
    assert openssl_says(certificate, "a.example")


def test_firmware_before_8_7_5_71_refuses_wildcards(make) -> None:
    """Default flags 2 there (SNOM-SETTING)."""
    certificate = make(dns=["*.example.com"])
    assert match_host(certificate, "prov.example.com", 0).ok
    refused = match_host(certificate, "prov.example.com", HostFlags.NO_WILDCARDS)
    assert not refused
    assert "flag 2" in refused.reason


@pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8::1", "::1"])
def test_an_address_is_matched_by_its_san_alone(make, address) -> None:
    good = make(ips=[address])
    assert match_host(good, address).where == "ip"
    assert match_host(good, f"[{address}]").ok
    assert openssl_says(good, address, ip=True)
    for bad in (
        make(cn=[address]), make(dns=[address]), make(ips=["192.0.2.9"]), make(dns=["a.b"]),
    ):  # fmt: skip
        refused = match_host(bad, address, HostFlags.ALWAYS_CHECK_SUBJECT)
        assert not refused
        assert address in refused.reason
        assert not openssl_says(bad, address, ip=True)


def test_a_nul_ends_no_name(make) -> None:
    certificate = make(cn=["www.example.com\x00.evil.test"])
    assert not match_host(certificate, "www.example.com")
    dns = make(dns=["www.example.com\x00.evil.test"])
    assert not match_host(dns, "www.example.com")
    assert not match_host(dns, "www.example.com\x00.evil.test")


def test_no_host_and_no_names_are_refused_with_a_reason(make) -> None:
    assert "no host name" in match_host(make(), "").reason
    nameless = make(cn=[""])
    assert not match_host(nameless, "a.example")


def test_the_flags_are_openssls_numbers() -> None:
    assert [f.value for f in HostFlags] == [1, 2, 4, 8, 16]
    assert named("x").values("CN") == ("x",)
