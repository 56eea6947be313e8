import pytest
from hypothesis import given
from hypothesis import strategies as st

from linekey.digest import answer, best_challenge, hash_hex, parse_digest, response

# RFC 7616 §3.9.1.
NONCE = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"
CNONCE = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
RFC = [
    ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
    ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
]


@pytest.mark.parametrize(("algorithm", "expected"), RFC)
def test_the_examples_of_rfc_7616(algorithm: str, expected: str) -> None:
    ha1 = hash_hex(algorithm, "Mufasa:http-auth@example.org:Circle of Life")
    given_ = dict(nonce=NONCE, nc="00000001", cnonce=CNONCE, method="GET")
    assert response(algorithm, ha1=ha1, uri="/dir/index.html", **given_) == expected
    header = answer(
        best_challenge(
            [f'Digest realm="http-auth@example.org", qop="auth, auth-int",'
             f' algorithm={algorithm}, nonce="{NONCE}"']
        ),
        username="Mufasa", password="Circle of Life", method="GET",
        uri="/dir/index.html", nc=1, cnonce=CNONCE,
    )  # fmt: skip
    assert parse_digest(header)["response"] == expected


def test_the_oldest_form_is_answered_without_qop() -> None:
    # RFC 2617 §3.5 gives HA1, HA2 for these; RFC 2069's form hashes H(A1):nonce:H(A2).
    challenge = best_challenge(['Digest realm="r", nonce="n"'])
    header = parse_digest(
        answer(challenge, username="u", password="p", method="REGISTER", uri="sip:h",
               nc=1, cnonce="x")
    )  # fmt: skip
    ha1, ha2 = hash_hex("MD5", "u:r:p"), hash_hex("MD5", "REGISTER:sip:h")
    assert header["response"] == hash_hex("MD5", f"{ha1}:n:{ha2}")
    assert "qop" not in header
    assert "nc" not in header


def test_commas_and_quotes_inside_quotes_stay_there() -> None:
    value = r'Digest realm="a, \"b\", qop=none", nonce="1,2", opaque="x=y", stale=TRUE'
    challenge = best_challenge([value])
    assert challenge.realm == 'a, "b", qop=none'
    assert (challenge.nonce, challenge.opaque, challenge.stale) == ("1,2", "x=y", True)


def test_sha256_is_preferred_whatever_the_order() -> None:
    values = [
        f'Digest realm="r", nonce="{a}", algorithm={a}' for a in ("MD5", "SHA-256")
    ]
    assert best_challenge(values).algorithm == "SHA-256"
    assert best_challenge(reversed(values)).algorithm == "SHA-256"


@pytest.mark.parametrize(
    "value",
    ["", "Basic realm=x", "Digest", 'Digest realm="r"', 'Digest realm="r", realm="s", nonce="n"',
     'Digest realm="r", nonce="n", algorithm=SHA-512-256', 'Digest realm="r, nonce="n"',
     'Digest realm="r", nonce="n", qop="auth-int"', "Digest " + "a=b," * 2000],
)  # fmt: skip
def test_what_cannot_be_answered_is_no_challenge(value: str) -> None:
    assert best_challenge([value]) is None


@given(st.text(max_size=60), st.text('ab"\\, =', max_size=60))
def test_any_header_reads_or_is_none(any_text: str, tricky: str) -> None:
    for value in (any_text, "Digest " + tricky, f'Digest realm="{tricky}", nonce="n"'):
        parse_digest(value)
        best_challenge([value])


@given(st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=20))
def test_what_is_quoted_reads_back(text: str) -> None:
    challenge = best_challenge(['Digest realm="r", nonce="n"'])
    header = answer(challenge, username=text, password="p", method="M", uri="u", nc=1,
                    cnonce="c")  # fmt: skip
    assert parse_digest(header)["username"] == text
