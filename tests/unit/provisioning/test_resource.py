"""One clear meaning, or refused with the reason."""

from dataclasses import replace

import pytest

from linekey.catalog.vendors import LAB_VENDOR
from linekey.mac import Mac
from linekey.makers.all import MAKERS
from linekey.provisioning import resource
from linekey.provisioning.decision import Reason
from linekey.provisioning.resource import (
    MAX_TARGET,
    AbsentFile,
    CertificateFile,
    CommonFile,
    Nothing,
    PhoneFile,
    UploadFile,
    parse_target,
)

MAC = Mac("000413AABBCC")
TOKEN = "q3Zt-8uYb_20CharsLong"
SHA256 = "ac6b0efa80c1f92dae01add84cc8ce069e45dd34f7a0a254b4b2dcbbd0f4de88"


def no_labs(vendors: frozenset[str]) -> set[str]:
    """The makers; with each goes its lab."""
    makers = {v for v in vendors if not v.startswith("lab-")}
    assert vendors - makers == {f"lab-{v}" for v in makers if v in MAKERS}
    return makers


@pytest.mark.parametrize(
    ("target", "model", "vendors"),
    [
        ("/snomD785-000413AABBCC.htm", "D785", {"snom"}),
        ("/snomd785-000413aabbcc.HTM", "D785", {"snom"}),
        ("/snom320-000413AABBCC.xml", "320", {"snom"}),
        ("/snomPA1-000413AABBCC.htm", "PA1", {"snom"}),
        ("/snom-000413AABBCC.xml", None, {"snom"}),
        ("/settings-000413AABBCC.xml", None, {"snom", "gigaset"}),
        ("/gigasetP850-000413AABBCC.xml", "P850", {"gigaset"}),
        ("/000413AABBCC", None, {"snom", "gigaset"}),
        ("/000413aabbcc.htm", None, {"snom", "gigaset"}),
        ("/000413AABBCC.xml", None, {"snom", "gigaset", "cisco"}),
        ("/000413AABBCC/snomD785.htm", "D785", {"snom"}),
        ("/000413AABBCC/snomD785-000413aabbcc.htm", "D785", {"snom"}),
        ("/000413aabbcc.cfg", None, {"yealink", "poly"}),
        ("/000413aabbcc-user.cfg", None, {"poly"}),
        ("/cfg000413aabbcc.xml", None, {"grandstream"}),
        ("/SEP000413AABBCC.cnf.xml", None, {"cisco"}),
        ("/?mac=000413AABBCC", None, {"snom", "gigaset"}),
        ("/?MAC=000413aabbcc", None, {"snom", "gigaset"}),
        ("/settings.xml?mac=000413AABBCC", None, {"snom", "gigaset"}),
        ("/settings.xml?x=1&mac=000413AABBCC&mac=000413aabbcc", None, None),
        ("/snomD785-000413AABBCC.htm?mac=000413aabbcc", "D785", {"snom"}),
        ("/snomD785-000413AABBCC.htm?", "D785", {"snom"}),
        ("/snomD785-000413AABBCC.htm?lang=de%20DE", "D785", {"snom"}),
    ],
)
def test_a_phones_file_has_one_meaning(
    target: str, model: str | None, vendors: set[str] | None
) -> None:
    found = parse_target(target.encode())
    assert isinstance(found, PhoneFile)
    assert (found.mac, found.model, found.token) == (MAC, model, None)
    assert vendors is None or no_labs(found.vendors) == vendors
    assert (LAB_VENDOR in found.vendors) is ("snom" in found.vendors)


@pytest.mark.parametrize(
    ("target", "model", "vendors"),
    [
        ("/snomD785.htm", "D785", {"snom"}),
        ("/snom320.xml", "320", {"snom"}),
        ("/SNOMd785.htm", "D785", {"snom"}),
        ("/snom.xml", None, {"snom"}),
        ("/settings.xml", None, {"snom", "gigaset"}),
        ("/gigasetP850.htm", "P850", {"gigaset"}),
        ("/000000000000.cfg", None, {"poly"}),
        ("/y000000000028.cfg", None, {"yealink"}),
        ("/cfg.xml", None, {"grandstream"}),
        ("/cfggrp2614.xml", "GRP2614", {"grandstream"}),
    ],
)
def test_a_common_file_names_no_phone(
    target: str, model: str | None, vendors: set[str]
) -> None:
    found = parse_target(target.encode())
    assert isinstance(found, CommonFile)
    assert (found.model, no_labs(found.vendors)) == (model, vendors)


@pytest.mark.parametrize(
    ("target", "kind", "mac"),
    [
        ("/000413aabbcc.boot", AbsentFile, MAC),
        ("/y000000000000.boot", AbsentFile, None),
        ("/cfg000413aabbcc", AbsentFile, MAC),
        ("/cfg000413aabbcc.bin", AbsentFile, MAC),
        ("/000413AABBCC-license.cfg", AbsentFile, MAC),
        ("/000000000000-license.cfg", AbsentFile, None),
        ("/000000000000-directory.xml", AbsentFile, None),
        ("/000413aabbcc-app.log", UploadFile, MAC),
        ("/000413aabbcc-boot.log", UploadFile, MAC),
        ("/000413aabbcc-phone.cfg", UploadFile, MAC),
        ("/000413aabbcc-web.cfg", UploadFile, MAC),
        ("/000413aabbcc-calls.xml", UploadFile, MAC),
        ("/000413aabbcc-directory.xml", UploadFile, MAC),
        ("/000413aabbcc-local.cfg", UploadFile, MAC),
    ],
)
def test_names_with_nothing_under_them_are_told_apart(
    target: str, kind: type, mac: Mac | None
) -> None:
    found = parse_target(target.encode())
    assert type(found) is kind
    assert found.mac == mac  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("target", "pattern"),
    [
        ("/000413aabbcc.cfg", "{mac}.cfg"),
        ("/000413aabbcc-user.cfg", "{mac}-user.cfg"),
        ("/cfg000413aabbcc.xml", "cfg{mac}.xml"),
        ("/cfggrp2614.xml", "cfg{model}.xml"),
        ("/cfg.xml", "cfg.xml"),
        ("/y000000000108.cfg", "y{number}.cfg"),
        ("/000000000000.cfg", "000000000000.cfg"),
    ],
)
def test_a_name_is_told_as_its_maker_has_it(target: str, pattern: str) -> None:
    found = parse_target(target.encode())
    assert isinstance(found, PhoneFile | CommonFile)
    assert found.pattern == pattern
    served = {f.pattern: f for m in MAKERS.values() for f in m.files}
    assert served[pattern].served


def test_every_name_of_every_maker_is_understood() -> None:
    for maker in MAKERS.values():
        for name in (*maker.files, *maker.uploads):
            text = name.pattern.replace("{mac}", "000413aabbcc")
            text = text.replace("{number}", "000000000108").replace("{model}", "p850")
            found = parse_target(f"/{text}".encode())
            assert not isinstance(found, Nothing), text
            assert maker.id in found.vendors, text
            if isinstance(found, PhoneFile | CommonFile):
                assert getattr(name, "served", True), text


AMBIGUOUS = {
    b"//snomD785-000413AABBCC.htm": "empty segment",
    b"/a//snomD785.htm": "empty segment",
    b"/./snomD785.htm": "'.' or '..'",
    b"/x/../snomD785-000413AABBCC.htm": "'.' or '..'",
    b"/..": "'.' or '..'",
    b"/snomD785-000413AABBCC.htm.": "ends with a dot",
    b"/000413AABBCC./snomD785.htm": "ends with a dot",
    b"/000413AABBCC%2FsnomD785.htm": "encoded slash",
    b"/000413AABBCC%2fsnomD785.htm": "encoded slash",
    b"/000413AABBCC%00.xml": "encoded NUL",
    b"/%2e%2e/000413AABBCC.xml": "percent-encoded",
    b"/%30%30%30413AABBCC.xml": "percent-encoded",
    b"/%2530413AABBCC.xml": "twice",
    b"/%5c000413AABBCC.xml": "encoded backslash",
    b"/snom\\000413AABBCC.xml": "backslash",
    b"/000413AABBCC.xml;jsessionid=1": "semicolon",
    b"/000413AABBCC.xml#frag": "fragment",
    b"/000413AABBCC.xml ": "space or a control",
    b"/000413AABBCC.xml\x00": "space or a control",
    b"/000413AABBCC.xml\t": "space or a control",
    "/０００４13AABBCC.xml".encode(): "not ASCII",
    b"/000413AABBCC.xml\xff": "not ASCII",
    b"/000413AABBCC:80": "punctuation",
    b"http://prov.example/000413AABBCC.xml": "not a path",
    b"prov.example:443": "not a path",
    b"*": "not a path",
    b"": "not a path",
    b"000413AABBCC.xml": "not a path",
    b"?mac=000413AABBCC": "not a path",
    b"/000413AABBCC/snomD785-000413AABBCD.htm": "two different MACs",
    b"/snomD785-000413AABBCC-000413AABBCD.htm": "two different MACs",
    b"/000413AABBCC.xml?mac=000413AABBCD": "the path says",
    b"/000413AABBCC.xml?mac=000413AABBCC&mac=000413AABBCD": "two different MACs",
    b"/000413AABBCC.xml?mac=": "exactly 12 hex",
    b"/000413AABBCC.xml?mac": "exactly 12 hex",
    b"/000413AABBCC.xml?mac=00:04:13:AA:BB:CC": "exactly 12 hex",
    b"/000413AABBCC.xml?mac=%30%3004 13": "no query",
    b"/000413AABBCC.xml?mac=000413AABBC%43": "exactly 12 hex",
    b"/000413AABBCC.xml?m%61c=000413AABBCD": "percent-encoded",
    b"/000413AABBCC.xml?x=1;mac=000413AABBCD": "semicolon",
    b"/000413AABBCC.xml?mac=000413AABBCC#x": "no query",
    b"/prov/T/" + TOKEN.encode() + b"/000413AABBCC.xml": "lower case",
    b"/prov/000413AABBCC.xml?mac=000413AABBCD": "the path says",
    b"/snomD785.htm?mac=000413AABBCC&mac=000413AABBCD": "two different MACs",
    b"/T/" + TOKEN.encode() + b"/000413AABBCC.xml": "lower case",
    b"/certificates/" + SHA256.encode() + b".der?mac=000413AABBCC": "parameters",
    b"/" + b"a" * MAX_TARGET: "longer than",
}


@pytest.mark.parametrize("target", AMBIGUOUS, ids=lambda t: repr(t)[:50])
def test_an_odd_spelling_is_refused_with_what_is_odd(target: bytes) -> None:
    found = parse_target(target)
    assert isinstance(found, Nothing)
    assert found.reason is Reason.AMBIGUOUS_REQUEST
    assert AMBIGUOUS[target] in found.detail


@pytest.mark.parametrize(
    "target",
    [
        "/",
        "/favicon.ico",
        "/snomD785",
        "/snomD785-000413AABBC.htm",
        "/snomD785-000413AABBCCD.htm",
        "/snomD785-000413AABBCC.htm.bak",
        "/x000413AABBCC.xml",
        "/000413AABBCC.xml/x",
        "/a/b/c/d/e/000413AABBCC.xml",
        "/000413AABBCC/prov/snomD785.htm",
        "/000413AABBCC/a/b/snomD785.htm",
        "/certificates/000413AABBCC.xml",
        f"/certificates/x/{SHA256}.der",
        "/000413AABBCC/000413AABBCC/snomD785.htm",
        "/SEP000413AABBCC.xml",
        "/snom000413AABBCC.htm",
        "/firmware.bin?mac=000413AABBCC",
        "/t/short/000413AABBCC.xml",
        f"/t/{TOKEN}",
        f"/t/{TOKEN}/",
        f"/t/{TOKEN}/t/{TOKEN}/000413AABBCC.xml",
        f"/certificates/{SHA256[:-1]}.der",
        f"/certificates/{SHA256}.pem",
    ],
)
def test_what_no_phone_asks_for_is_nothing(target: str) -> None:
    found = parse_target(target.encode())
    assert isinstance(found, Nothing)
    assert found.reason is Reason.NOTHING_THERE


def test_a_token_is_taken_from_its_prefix_and_never_shown() -> None:
    for target in (
        f"/t/{TOKEN}/snomD785-000413AABBCC.htm",
        f"/t/{TOKEN}/snomD785.htm",
        f"/t/{TOKEN}/000413AABBCC",
        f"/t/{TOKEN}/nothing",
        f"/t/{TOKEN}/?mac=000413AABBCC",
        f"/t/{TOKEN}/certificates/{SHA256}.der",
    ):
        found = parse_target(target.encode())
        assert found.token == TOKEN
        assert TOKEN not in repr(found)
        assert found.text.startswith("/t/…/")


@pytest.mark.parametrize(
    "target",
    [
        f"//t/{TOKEN}{TOKEN}/000413AABBCC",
        f"/%74/{TOKEN}/000413AABBCC",
        f"/t%2F{TOKEN}/000413AABBCC",
        f"/T/{TOKEN}/000413AABBCC",
        f"/t/{TOKEN}",
        "/000413AABBCC?token=abcdefgh",
        "/wrong/0123456789abcdefABCDEF01",
    ],
)
def test_a_mistyped_token_is_not_shown_either(target: str) -> None:
    shown = repr(parse_target(target.encode()))
    for secret in (TOKEN, "abcdefgh", "0123456789abcdefABCDEF01"):
        assert secret not in shown


def test_a_certificate_is_named_by_its_fingerprint() -> None:
    found = parse_target(f"/certificates/{SHA256.upper()}.der".encode())
    assert isinstance(found, CertificateFile)
    assert found.sha256 == SHA256
    assert SHA256.upper() in found.text


def test_a_certificates_path_may_say_whose_it_is() -> None:
    found = parse_target(f"/000413aabbcc/certificates/{SHA256}.der".encode())
    assert isinstance(found, CertificateFile)
    assert (found.sha256, found.mac) == (SHA256, MAC)
    deeper = parse_target(f"/prov/000413AABBCC/certificates/{SHA256}.der".encode())
    assert isinstance(deeper, CertificateFile)
    assert deeper.mac == MAC


def test_a_log_upload_is_understood() -> None:
    found = parse_target(b"/000413aabbcc-boot.log")
    assert isinstance(found, UploadFile)
    assert found.mac == MAC


@pytest.mark.parametrize("folder", ["/prov", "/app/provision", "/a/b.c/d_e/f-g"])
@pytest.mark.parametrize(
    "rest",
    [
        "/snomD785-000413AABBCC.htm",
        "/000413AABBCC/snomD785.htm",
        "/?mac=000413AABBCC",
        "/index.php?mac=000413AABBCC&x=1",
        f"/t/{TOKEN}/000413AABBCC.xml",
        "/snomD785.htm",
        f"/certificates/{SHA256}.der",
    ],
)
def test_folders_before_the_file_mean_nothing(folder: str, rest: str) -> None:
    plain, found = parse_target(rest.encode()), parse_target((folder + rest).encode())
    assert not isinstance(found, Nothing)
    assert replace(found, text=plain.text) == plain


def test_where_folders_are_listed_only_those_and_the_root_are_served() -> None:
    bases = ("/prov", "/app/provision")
    for path in ("/prov", "/app/provision", ""):
        target = f"{path}/snomD785-000413AABBCC.htm".encode()
        assert isinstance(parse_target(target, bases=bases), PhoneFile)
    for path in ("/provisioning", "/app", "/prov/x", "/PROV"):
        target = f"{path}/snomD785-000413AABBCC.htm".encode()
        found = parse_target(target, bases=bases)
        assert isinstance(found, Nothing)
        assert f"and this is {path}" in found.detail
        assert "rules.base_paths" in found.detail


@pytest.mark.parametrize(
    ("target", "model"),
    [
        ("/snomD785.htm?mac=000413aabbcc", "D785"),
        ("/prov/snomD785.htm?mac=000413AABBCC", "D785"),
        ("/y000000000000.cfg?mac=000413AABBCC", None),
        ("/index.php?mac=000413AABBCC", None),
    ],
)
def test_a_common_name_with_a_mac_is_that_phones_file(
    target: str, model: str | None
) -> None:
    found = parse_target(target.encode())
    assert isinstance(found, PhoneFile)
    assert (found.mac, found.model) == (MAC, model)


def test_what_is_shown_is_one_short_line_of_ascii() -> None:
    found = parse_target(b"/a\r\nb\x1b[31m\xff" + b"c" * 900)
    assert found.text.replace("…", "").isascii()
    assert found.text.isprintable()
    assert len(found.text) <= 201


@pytest.mark.parametrize(
    "token", ["x6CDXN_9Li4S-u40aDBTZ-HY8i-ZPBJL", "a-b-c-d-e-f-g-h-i-j-k"]
)
@pytest.mark.parametrize(
    "shape", ["/{}", "/{}/snom320.htm", "/a/{}?x=1", "//{}/", "/t/{}/x.htm"]
)
def test_a_token_is_masked_wherever_it_was_mistyped(token: str, shape: str) -> None:
    assert token not in parse_target(shape.format(token).encode()).text


@pytest.mark.parametrize(
    "target",
    [
        b"/x;password=canary", b"/x#access_token=canary", b"http://u:canary@h/x",
        b"/x%3Fapi-key%3Dcanary", b"/x?mac=000413AABBCC&pin=canary",
    ],
)  # fmt: skip
def test_what_reads_like_a_secret_is_not_shown(target: bytes) -> None:
    found = parse_target(target)
    assert "canary" not in found.text


@pytest.mark.parametrize("bases", [(), ("/prov",)])
def test_a_target_that_was_read_before_says_the_same_and_no_token_is_kept(
    bases: tuple[str, ...],
) -> None:
    def kept() -> int:
        return resource._kept.cache_info().currsize

    token = "a-one-time-token-of-28-signs"
    for target in (
        b"/other/snomD785-000413AABBCC.htm?mac=000413AABBCC",
        b"/prov/snomD785-000413AABBCC.htm",
        b"/what/is/this",
        b"/%2e%2e/etc/passwd",
        b"/" + b"a" * 300,
    ):
        first = parse_target(target, bases=bases)
        assert parse_target(target, bases=bases) == first
        assert first == resource._parse(target, bases)
    before = kept()
    for prefix in ("/t/", "/T/", "/prov/t/"):
        parse_target(f"{prefix}{token}/snom320-000413AABBCC.htm".encode(), bases=bases)
    assert kept() == before
