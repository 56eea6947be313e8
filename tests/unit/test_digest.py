from hashlib import md5

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linekey.digest import (
    answer,
    best_challenge,
    hash_hex,
    parse_digest,
    response,
    split_schemes,
)

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


@pytest.mark.parametrize(
    ("value", "schemes", "realm"),
    [
        ('Basic realm="a", Digest realm="b", nonce=n', "basic digest", "b"),
        ('Digest realm="b, c", nonce="n", Basic realm="a"', "digest basic", "b, c"),
        ('Negotiate, Basic realm="x"', "negotiate basic", None),
        ("Negotiate oRQw/+~==, NTLM,Digest realm=b ,nonce=n", "negotiate ntlm digest", "b"),
        ('Newauth realm="apps", type=1, title="Login to \\"apps\\"", Basic realm="simple"', "newauth basic", None),
        ('Digest realm="Büro", nonce="n", charset=UTF-8', "digest", "Büro"),
        ('Basic realm="Büro"', "basic", None),
        (' ,, DIGEST\trealm = "b" ,, nonce = n , ', "digest", "b"),
        ('Digest realm="b",\r\n nonce="n"', "digest", "b"),
        ('Digest realm="b" nonce="n"', "", None),
        ('realm="b", nonce="n"', "", None),
        ('Digest realm="b, nonce="n"', "", None),
        ('Basic realm="a", Digest realm="b", nonce="n", nonce="m"', "", None),
        ('Digest realm="b\x00", nonce="n"', "", None),
    ],
)  # fmt: skip
def test_challenges_that_share_a_field_are_told_apart(
    value: str, schemes: str, realm: str | None
) -> None:
    # The example with two schemes is RFC 9110 §11.6.1's own.
    assert [s.name for s in split_schemes(value)] == schemes.split()
    challenge = best_challenge([value])
    assert (None if challenge is None else challenge.realm) == realm


def test_an_answer_is_one_digest_and_nothing_else() -> None:
    assert parse_digest('Digest username="u", realm="r"') == {
        "username": "u",
        "realm": "r",
    }
    assert parse_digest('Digest username="u", Basic realm="r"') is None
    assert parse_digest('Digest username="ü"') is None


@pytest.mark.parametrize("charset", ["utf-8", "latin-1"])
def test_a_realm_beyond_ascii_is_hashed_and_sent_back_byte_for_byte(
    charset: str,
) -> None:
    realm = "Büro".encode(charset)
    field = b'Digest realm="' + realm + b'", nonce="n"'
    challenge = best_challenge([field.decode("utf-8", "surrogateescape")])
    header = answer(challenge, username="jörg", password="p", method="GET", uri="/",
                    nc=1, cnonce="c").encode("utf-8", "surrogateescape")  # fmt: skip
    ha1 = md5("jörg".encode() + b":" + realm + b":p").hexdigest()
    proof = response("MD5", ha1=ha1, nonce="n", nc="", cnonce="", method="GET", uri="/", qop="")  # fmt: skip
    assert b'realm="' + realm + b'"' in header
    assert f'response="{proof}"'.encode() in header


def test_a_server_that_takes_hashed_user_names_gets_one() -> None:
    # RFC 7616 §3.4.4: username = H(username:realm); A1 keeps the name itself.
    value = 'Digest realm="r", nonce="n", algorithm=SHA-256, userhash=true, qop="auth"'
    header = parse_digest(
        answer(best_challenge([value]), username="jörg", password="p", method="GET",
               uri="/", nc=1, cnonce="c")
    )  # fmt: skip
    assert header["username"] == hash_hex("SHA-256", "jörg:r")
    assert header["userhash"] == "true"
    ha1 = hash_hex("SHA-256", "jörg:r:p")
    assert header["response"] == response(
        "SHA-256", ha1=ha1, nonce="n", nc="00000001", cnonce="c", method="GET", uri="/"
    )


@given(st.text(max_size=60), st.text('ab"\\, =', max_size=60))
def test_any_header_reads_or_is_none(any_text: str, tricky: str) -> None:
    for value in (any_text, "Digest " + tricky, f'Digest realm="{tricky}", nonce="n"'):
        split_schemes(value)
        parse_digest(value)
        best_challenge([value])


TOKENS = st.text("abcDEF-1", min_size=1, max_size=5)
VALUES = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=12)
OFFERED = st.lists(
    st.tuples(
        TOKENS,
        st.dictionaries(TOKENS.map(str.lower), VALUES, min_size=1, max_size=4)
        | st.sampled_from(["", "QWxhZGRpbg==", "a/b+c"]),
    ),
    min_size=1,
    max_size=5,
)


@given(OFFERED, st.sampled_from([", ", ",", " ,, ", ",\t"]))
def test_whatever_a_server_offers_in_one_field_reads_back(
    offered: list[tuple[str, dict[str, str] | str]], comma: str
) -> None:
    texts, meant = [], []
    for name, more in offered:
        if isinstance(more, str):
            texts.append(f"{name} {more}".strip())
            meant.append((name.lower(), {}))
            continue
        quoted = {k: v.replace("\\", "\\\\").replace('"', '\\"') for k, v in more.items()}  # fmt: skip
        texts.append(f"{name} " + comma.join(f'{k}="{v}"' for k, v in quoted.items()))
        meant.append((name.lower(), more))
    read = split_schemes(comma.join(texts))
    assert [(s.name, dict(s.parameters)) for s in read] == meant


@given(st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=20))
def test_what_is_quoted_reads_back(text: str) -> None:
    challenge = best_challenge(['Digest realm="r", nonce="n"'])
    header = answer(challenge, username=text, password="p", method="M", uri="u", nc=1,
                    cnonce="c")  # fmt: skip
    assert parse_digest(header)["username"] == text
