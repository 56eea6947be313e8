"""The server's side of HTTP digest, held against RFC 7616 and what curl sends."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linekey.digest import answer, best_challenge, parse_digest, response
from linekey.errors import InputError
from linekey.provisioning.device import DigestCredential
from linekey.provisioning.digest import (
    CLOCKS_APART_S,
    NONCE_LIFETIME_S,
    DigestOutcome,
    DigestResult,
    challenges,
    make_nonce,
    verify,
)

KEY = b"0123456789abcdef0123456789abcdef"
NOW = datetime(2024, 5, 1, 12, 0, tzinfo=UTC)
TARGET = "/snom320-000413AABBCC.htm"
CREDENTIAL = DigestCredential.create("phone, one", "linekey", "s3cret")


def answered(
    *, algorithm: str = "SHA-256", password: str = "s3cret", uri: str = TARGET,
    username: str = "phone, one", now: datetime = NOW, key: bytes = KEY,
) -> str:  # fmt: skip
    offered = challenges("linekey", key, now, algorithms=[algorithm])
    challenge = best_challenge(offered)
    assert challenge is not None
    return answer(
        challenge, username=username, password=password, method="GET", uri=uri,
        nc=1, cnonce="bm9uY2U",
    )  # fmt: skip


def verified(header: str, now: datetime = NOW, **changed: object) -> DigestResult:
    given_: dict[str, object] = {
        "method": "GET", "target": TARGET, "credential": CREDENTIAL, "keys": [KEY],
    }  # fmt: skip
    return verify(header, now=now, **(given_ | changed))  # type: ignore[arg-type]


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
def test_the_right_password_is_verified(algorithm: str) -> None:
    result = verified(answered(algorithm=algorithm))
    assert result.outcome is DigestOutcome.VERIFIED
    assert result.credential is CREDENTIAL


def test_the_ha1_of_rfc_7616_gives_its_response() -> None:
    # §3.9.1; the nonce there is not ours, so the arithmetic holds and it is stale.
    credential = DigestCredential.create(
        "Mufasa", "http-auth@example.org", "Circle of Life"
    )
    header = (
        'Digest username="Mufasa", realm="http-auth@example.org", '
        'uri="/dir/index.html", algorithm=MD5, '
        'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", nc=00000001, '
        'cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", qop=auth, '
        'response="8ca523f5e9506fed4657c9700eebdbec", '
        'opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
    )
    assert (
        verified(header, target="/dir/index.html", credential=credential).outcome
        is DigestOutcome.STALE
    ), "read, and its nonce is not ours"
    parts = parse_digest(header)
    assert parts is not None
    made = response(
        "MD5", ha1=credential.ha1_md5, nonce=parts["nonce"], nc=parts["nc"],
        cnonce=parts["cnonce"], method="GET", uri=parts["uri"],
    )  # fmt: skip
    assert made == parts["response"]


def test_a_header_as_curl_writes_it_is_read() -> None:
    # curl quotes all but algorithm, qop and nc, and puts a space after Digest only.
    nonce = make_nonce(KEY, NOW)
    own = parse_digest(answered(algorithm="MD5"))
    assert own is not None
    header = (
        f'Digest username="phone, one",realm="linekey",nonce="{nonce}",uri="{TARGET}",'
        f'cnonce="bm9uY2U",nc=00000001,algorithm=MD5,'
        f'response="{own["response"]}",qop="auth"'
    )
    assert verified(header).outcome is DigestOutcome.VERIFIED


@pytest.mark.parametrize(
    "changed",
    [
        {"password": "other"},
        {"username": "phone two"},
        {"uri": "/snom320-000413AABBCD.htm"},
    ],
)
def test_a_wrong_part_is_wrong(changed: dict[str, str]) -> None:
    assert verified(answered(**changed)).outcome is DigestOutcome.WRONG


def test_an_answer_for_another_method_is_wrong() -> None:
    assert verified(answered(), method="HEAD").outcome is DigestOutcome.WRONG


def test_an_answer_for_another_realm_is_wrong() -> None:
    other = DigestCredential.create("phone, one", "other", "s3cret")
    assert verified(answered(), credential=other).outcome is DigestOutcome.WRONG


@pytest.mark.parametrize(
    ("age_s", "outcome"),
    [
        (0, DigestOutcome.VERIFIED),
        (NONCE_LIFETIME_S, DigestOutcome.VERIFIED),
        (NONCE_LIFETIME_S + 1, DigestOutcome.STALE),
        (-CLOCKS_APART_S, DigestOutcome.VERIFIED),
        (-CLOCKS_APART_S - 1, DigestOutcome.STALE),
    ],
)
def test_a_nonce_lives_its_time(age_s: int, outcome: DigestOutcome) -> None:
    header = answered()
    assert verified(header, NOW + timedelta(seconds=age_s)).outcome is outcome


@pytest.mark.parametrize("password", ["other", "s3cret"])
@pytest.mark.parametrize("changed", [{"key": b"x" * 32}, {"now": NOW - timedelta(1)}])
def test_with_a_bad_nonce_the_password_is_not_looked_at(
    password: str, changed: dict[str, Any]
) -> None:
    result = verified(answered(password=password, **changed))
    assert result.outcome is DigestOutcome.STALE


def test_where_nobody_has_a_password_every_answer_is_wrong() -> None:
    assert verified(answered(), credential=None).outcome is DigestOutcome.WRONG
    late = NOW + timedelta(seconds=NONCE_LIFETIME_S + 1)
    assert verified(answered(), late, credential=None).outcome is DigestOutcome.STALE


def test_a_nonce_of_another_key_is_stale() -> None:
    assert verified(answered(key=b"x" * 32)).outcome is DigestOutcome.STALE


@pytest.mark.parametrize("key", [b"1" * 32, b"2" * 32])
def test_a_nonce_of_any_key_of_the_ring_is_good(key: bytes) -> None:
    ring = [b"1" * 32, b"2" * 32]
    result = verified(answered(key=key), keys=ring)
    assert result.outcome is DigestOutcome.VERIFIED
    late = NOW + timedelta(seconds=NONCE_LIFETIME_S + 1)
    assert verified(answered(key=key), late, keys=ring).outcome is DigestOutcome.STALE


def test_challenges_come_best_first_and_say_stale() -> None:
    sha, md5 = challenges('a "b"', KEY, NOW, stale=True)
    assert "algorithm=SHA-256" in sha
    assert "algorithm=MD5" in md5
    parameters = parse_digest(sha)
    assert parameters is not None
    assert parameters["realm"] == 'a "b"'
    assert parameters["stale"] == "true"
    assert parameters["qop"] == "auth"


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Basic cGhvbmU6czNjcmV0",
        "Digest",
        'Digest username="phone"',
        answered().replace("qop=auth", "qop=auth-int"),
        answered().replace("algorithm=SHA-256", "algorithm=SHA-512-256"),
        answered().replace("nc=00000001", "nc=1"),
        answered() + ', username="other"',
        answered() + ", userhash=true",
        answered().replace('realm="linekey", ', ""),
        answered() + " garbage",
        answered() + "é",
        answered() + "," * 5000,
    ],
)
def test_what_is_no_digest_answer_is_malformed(header: str) -> None:
    assert verified(header).outcome is DigestOutcome.MALFORMED


def test_a_password_is_in_no_repr() -> None:
    shown = repr(CREDENTIAL) + repr(verified(answered()))
    assert "s3cret" not in shown
    assert CREDENTIAL.ha1_md5 not in shown
    assert CREDENTIAL.ha1_sha256 not in shown


@pytest.mark.parametrize("username", ["", "a:b", "a\nb"])
def test_a_user_name_that_digest_cannot_carry_is_an_input_error(username: str) -> None:
    with pytest.raises(InputError):
        DigestCredential.create(username, "linekey", "x")
    with pytest.raises(InputError):
        DigestCredential.create("a", "linekey", "")


@given(st.text(max_size=200), st.text(max_size=20))
def test_no_header_raises_or_is_verified(text: str, nonce: str) -> None:
    for header in (text, "Digest " + text, f'Digest nonce="{nonce}", {text}'):
        assert verified(header).outcome is not DigestOutcome.VERIFIED
