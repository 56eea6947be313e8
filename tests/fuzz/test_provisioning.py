"""Parsed, or the one documented answer: whatever bytes come."""

import json
from contextlib import suppress
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from linekey.errors import InputError
from linekey.mac import Mac
from linekey.provisioning.decision import Reason
from linekey.provisioning.device import DigestCredential
from linekey.provisioning.digest import DigestOutcome, verify
from linekey.provisioning.document import (
    CertificateEntry,
    Layer,
    Setting,
    parse_setting,
)
from linekey.provisioning.render import render
from linekey.provisioning.resource import Nothing, PhoneFile, parse_target
from linekey.xmldoc import parse_xml

MAC = "000413AABBCC"
PIECES = [
    b"/", b"//", b".", b"..", b"%2f", b"%00", b"%25", b"?", b"&", b"=", b"mac=", b";",
    b"#", b"\\", b"\x00", b"\r\n", b"\xff", b"t", b"-", b".htm", b".xml", b".cfg",
    b"snom", b"D785", b"snomD785-", MAC.encode(), MAC.lower().encode(), b"000413AABBCD",
    b"certificates/", b"ab" * 32, b".der", b"SEP", b".cnf.xml", b"cfg", b"settings",
    b"/t/0123456789abcdef", b" ", b"http://", b"y000000000000", "０".encode(),
]  # fmt: skip
targets = st.binary(max_size=200) | st.lists(
    st.sampled_from(PIECES) | st.binary(max_size=3), max_size=12
).map(b"".join)


@given(targets)
def test_every_target_has_a_meaning_or_a_reason(target: bytes) -> None:
    found = parse_target(target)
    assert len(found.text) <= 201
    assert found.text.isprintable()
    if isinstance(found, Nothing):
        assert found.reason in {Reason.NOTHING_THERE, Reason.AMBIGUOUS_REQUEST}
        assert found.detail
        return
    # What has a meaning was spelled plainly.
    path = target.partition(b"?")[0]
    assert path.isascii()
    assert not set(path) & set(b"%\\;#\x00 \r\n")
    assert b"//" not in path
    assert b".." not in path
    if isinstance(found, PhoneFile):
        assert str(found.mac).lower().encode() in target.lower()


@given(targets)
def test_case_never_changes_whose_file_it_is(target: bytes) -> None:
    one, other = parse_target(target), parse_target(target.upper())
    if isinstance(one, PhoneFile) and isinstance(other, PhoneFile):
        assert one.mac == other.mac


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(
        st.sampled_from(
            ["name", "value", "idx", "perm", "secret", "type", "context", "label",
             "settings", "function_keys", "certificates"]
        ),
        inner,
        max_size=6,
    ),
    max_leaves=20,
)  # fmt: skip


@given(
    st.dictionaries(
        st.sampled_from(["settings", "function_keys", "certificates"]), json_values
    )
)
def test_any_stored_layer_can_be_read_and_rendered(plain: dict) -> None:
    layer = Layer.from_plain(json.loads(json.dumps(plain)))
    body = render(
        layer, firmware=None, mac=Mac(MAC), model=None, blank_secrets=False,
        certificate_url=lambda c: f"https://h/{c.sha256}.der",
    )  # fmt: skip
    assert parse_xml(body).name == "settings"


@given(st.text(max_size=100), st.none() | st.text(max_size=3))
def test_a_typed_setting_is_a_setting_or_an_input_error(
    text: str, perm: str | None
) -> None:
    with suppress(InputError):
        assert isinstance(parse_setting(text, perm), Setting)


@given(st.binary(max_size=300))
def test_a_file_is_certificates_or_an_input_error(data: bytes) -> None:
    with suppress(InputError):
        assert CertificateEntry.from_file(data, "file")


CREDENTIAL = DigestCredential.create("phone", "linekey", "s3cret")
WORDS = [
    "Digest ", "digest", "username", "realm", "nonce", "uri", "response", "qop", "nc",
    "cnonce", "algorithm", "=", '"', "\\", ",", " ", "phone", "linekey", "auth", "MD5",
    "00000001", "/x", "userhash=true",
]  # fmt: skip


@given(st.lists(st.sampled_from(WORDS) | st.text(max_size=3), max_size=40).map("".join))
def test_no_authorization_header_is_more_than_refused(header: str) -> None:
    result = verify(
        header, method="GET", target="/x", credential=CREDENTIAL, keys=[b"k" * 32],
        now=datetime(2024, 5, 1, tzinfo=UTC),
    )  # fmt: skip
    assert result.outcome in {DigestOutcome.MALFORMED, DigestOutcome.STALE}
