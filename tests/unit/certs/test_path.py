"""OpenSSL decides; of what it refuses, everything is told and not the first thing."""

from datetime import UTC, datetime, timedelta
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from OpenSSL import crypto
from OpenSSL.SSL import _lib  # type: ignore[attr-defined]
from tests.unit.certs.conftest import BEGIN, END, Family

from linekey.certs.build import Issuer
from linekey.certs.path import candidate_paths, prove
from linekey.errors import CertificateError

NOW = datetime(2025, 6, 1, tzinfo=UTC)


def first_error(leaf, others, roots, *, at, purpose=None, partial=False) -> int:
    """OpenSSL alone, asked directly: 0 or its first error."""
    store = crypto.X509Store()
    for root in roots:
        store.add_cert(root.openssl)
    store.set_time(at)
    if purpose:
        _lib.X509_STORE_set_purpose(store._store, {"client": 1, "server": 2}[purpose])
    if partial:
        store.set_flags(0x80000)
    context = crypto.X509StoreContext(store, leaf.openssl, [c.openssl for c in others])
    try:
        context.verify_certificate()
    except crypto.X509StoreContextError as error:
        return error.errors[0]
    return 0


def told(result) -> list[tuple[int, int]]:
    return [(p.code, p.depth) for p in result.problems]


@pytest.mark.parametrize("hash_name", ["md5", "sha1", "sha256"])
def test_old_hashes_and_small_keys_are_proved_like_any_other(keys, hash_name) -> None:
    family = Family(keys, hash_name)
    result = prove(family.leaf, [family.intermediate], [family.root], at=NOW)
    assert result.ok
    assert result.path == (family.leaf, family.intermediate, family.root)
    assert result.problems == ()


def test_a_broken_signature_of_an_old_hash_is_still_refused(keys) -> None:
    family = Family(keys, "sha1")
    other = Issuer(family.intermediate, keys[3])  # right name, wrong key
    forged = family.make("000413AABBCC", 2, other)
    result = prove(forged, [family.intermediate], [family.root], at=NOW)
    assert told(result) == [(7, 0)]
    assert result.problems[0].name == "X509_V_ERR_CERT_SIGNATURE_FAILURE"


def test_a_failed_proof_leaves_nothing_in_openssls_queue(keys, family: Family) -> None:
    """A stale entry would break the TLS connection whose callback asks for a proof."""
    forged = family.make("x", 2, Issuer(family.intermediate, keys[3]))
    assert prove(forged, [family.intermediate], [family.root], at=NOW).codes == {7}
    assert _lib.ERR_peek_error() == 0


def test_a_version_1_leaf_and_root_are_accepted(keys, family: Family) -> None:
    leaf = family.make("old", 3, family.as_issuer(1), version=1)
    assert prove(leaf, [family.intermediate], [family.root], at=NOW).ok
    root = family.make("old root", 0, None, version=1)
    below = family.make("x", 3, Issuer(root, keys[0]))
    assert prove(below, [], [root], at=NOW).ok


def test_an_expired_leaf_and_an_unknown_root_are_both_told(family: Family) -> None:
    late = END + timedelta(days=1)
    result = prove(family.leaf, [family.intermediate, family.root], [], at=late)
    assert told(result) == [(10, 0), (10, 1), (10, 2), (19, 2)]
    early = BEGIN - timedelta(days=1)
    result = prove(family.leaf, [], [], at=early)
    assert told(result) == [(9, 0), (20, 0)]
    assert "neither sent nor trusted" in result.problems[1].detail


def test_every_dimension_at_once(keys, family: Family) -> None:
    """Forged, by a leaf that is no authority, expired, for another use, unknown root."""
    liar = family.make("liar", 2, family.as_issuer(1), ca=False)
    forged = family.make(
        "x", 3, Issuer(liar, keys[0]), not_after=NOW - timedelta(days=9),
        extended_key_usage=["emailProtection"],
    )  # fmt: skip
    result = prove(
        forged, [family.intermediate, liar, family.root], [], at=NOW, purpose="server"
    )
    assert told(result) == [(7, 0), (10, 0), (26, 0), (79, 1), (19, 3)]
    assert not result.ok


def test_no_time_means_no_dates(family: Family) -> None:
    assert prove(family.leaf, [family.intermediate], [family.root], at=None).ok
    with pytest.raises(CertificateError, match="time zone"):
        prove(family.leaf, [], [], at=datetime(2025, 1, 1))


def test_the_bounds_of_validity_are_openssls(family: Family) -> None:
    for at in (BEGIN, END, BEGIN - timedelta(seconds=1), END + timedelta(seconds=1)):
        result = prove(family.leaf, [family.intermediate], [family.root], at=at)
        asked = first_error(family.leaf, [family.intermediate], [family.root], at=at)
        assert result.ok == (asked == 0)
        assert len(result.codes) == (0 if result.ok else 1)


def test_a_namesake_of_the_authority_does_not_pass(keys, family: Family) -> None:
    """The right MAC from another authority with the very same names."""
    false_root = family.make("root", 3, None, ca=True)
    false = family.make("intermediate", 3, Issuer(false_root, keys[3]), ca=True)
    leaf = family.make("000413AABBCC", 2, Issuer(false, keys[3]))
    result = prove(leaf, [family.intermediate], [family.root], at=NOW)
    assert told(result) == [(20, 0)]
    assert "another key signed this one" in result.problems[0].detail
    result = prove(leaf, [false, false_root], [family.root], at=NOW)
    assert 19 in result.codes
    assert "same name" in result.problems[-1].detail


def test_a_self_signed_leaf_is_told_as_that(family: Family) -> None:
    lone = family.make("000413AABBCC", 3, None)
    assert told(prove(lone, [], [family.root], at=NOW)) == [(18, 0)]
    assert prove(lone, [], [lone], at=NOW).ok


def test_partial_chains_end_anywhere_if_allowed(family: Family) -> None:
    given = (family.leaf, [], [family.intermediate])
    assert told(prove(*given, at=NOW)) == [(2, 1)]
    assert prove(*given, at=NOW, partial_chain=True).ok
    assert prove(family.leaf, [], [family.leaf], at=NOW, partial_chain=True).ok


def test_every_path_length_is_counted(keys, family: Family) -> None:
    root = family.make("root", 0, None, ca=True, path_length=0)
    middle = family.make("middle", 1, Issuer(root, keys[0]), ca=True, path_length=0)
    low = family.make("low", 2, Issuer(middle, keys[1]), ca=True)
    leaf = family.make("x", 3, Issuer(low, keys[2]))
    result = prove(leaf, [low, middle], [root], at=NOW)
    assert told(result) == [(25, 2), (25, 3)]
    assert first_error(leaf, [low, middle], [root], at=NOW) == 25


def test_name_constraints_hidden_behind_expiry_are_told(keys, family: Family) -> None:
    # RFC 5280 §4.2.1.10: permitted dNSName "example.com", critical.
    constraint = bytes.fromhex("300fa00d300b8209") + b"a.example"
    root = family.make(
        "root", 0, None, ca=True, extensions=[("2.5.29.30", True, constraint)]
    )
    leaf = family.make(
        "x", 1, Issuer(root, keys[0]), dns_names=["b.example"],
        not_after=NOW - timedelta(days=1),
    )  # fmt: skip
    assert told(prove(leaf, [], [root], at=NOW)) == [(10, 0), (47, 0)]


def test_extra_and_misordered_intermediates_are_harmless(keys, family) -> None:
    extra = family.make("extra", 3, family.as_issuer(0), ca=True)
    second = family.make("second", 3, family.as_issuer(1), ca=True)
    leaf = family.make("x", 2, Issuer(second, keys[3]))
    sent = [family.intermediate, extra, second, second, leaf]
    result = prove(leaf, sent, [family.root], at=NOW)
    assert result.ok
    assert result.path == (leaf, second, family.intermediate, family.root)


def test_a_cross_sign_is_a_path_of_its_own(keys, family: Family) -> None:
    """One authority's key under two roots, one of them expired: the caller can tell."""
    old_root = family.make("old root", 3, None, ca=True, not_after=NOW - timedelta(1))
    cross = family.make("intermediate", 1, Issuer(old_root, keys[3]), ca=True)
    paths = candidate_paths(
        family.leaf, [cross, family.intermediate], [old_root, family.root]
    )
    assert {p[-1] for p in paths} == {old_root, family.root}
    only_cross = candidate_paths(family.leaf, [cross], [old_root, family.root])
    assert [p[-1] for p in only_cross] == [old_root]


def test_a_circle_and_a_crowd_end(keys, family: Family) -> None:
    a = family.make("a", 0, Issuer(family.make("b", 1, None), keys[1]), ca=True)
    b = family.make("b", 1, Issuer(a, keys[0]), ca=True, key_ids=False)
    leaf = family.make("x", 2, Issuer(b, keys[1]), key_ids=False)
    assert not prove(leaf, [a, b], [], at=NOW).ok
    crowd = [
        family.make("same", 0, Issuer(family.make("same", 0, None), keys[0]),
                    ca=True, serial=n + 1, key_ids=False)
        for n in range(40)
    ]  # fmt: skip
    lost = family.make("x", 1, Issuer(crowd[0], keys[0]), key_ids=False)
    assert len(candidate_paths(lost, crowd, [])) <= 16
    assert not prove(lost, crowd, [family.root], at=NOW).ok


PURPOSES = [
    {},
    {"extended_key_usage": ["serverAuth"]},
    {"extended_key_usage": ["clientAuth"]},
    {"extended_key_usage": ["serverAuth", "clientAuth"]},
    {"extended_key_usage": ["anyExtendedKeyUsage"]},
    {"extended_key_usage": ["2.16.840.1.113730.4.1"]},
    {"key_usage": ["keyEncipherment"]},
    {"key_usage": ["digitalSignature"]},
    {"key_usage": ["keyAgreement"]},
    {"key_usage": ["keyCertSign"]},
]


@pytest.mark.parametrize("purpose", ["server", "client"])
@pytest.mark.parametrize("options", PURPOSES, ids=str)
def test_purposes_are_openssls(family: Family, options, purpose) -> None:
    leaf = family.make("x", 3, family.as_issuer(1), **options)
    given = (leaf, [family.intermediate], [family.root])
    assert prove(*given, at=NOW).ok
    ours = prove(*given, at=NOW, purpose=purpose)
    assert ours.ok == (first_error(*given, at=NOW, purpose=purpose) == 0)


@pytest.mark.parametrize("options", PURPOSES[:6], ids=str)
def test_purposes_of_authorities_are_openssls(family: Family, options, keys) -> None:
    authority = family.make("ca", 3, family.as_issuer(0), ca=True, **options)
    leaf = family.make("x", 2, Issuer(authority, keys[3]))
    given = (leaf, [authority], [family.root])
    ours = prove(*given, at=NOW, purpose="server")
    assert ours.ok == (first_error(*given, at=NOW, purpose="server") == 0)


@pytest.fixture(scope="module")
def relatives(keys, family: Family):
    """Good and bad certificates that share names, to be thrown together."""
    twin = family.make("intermediate", 3, family.as_issuer(0), ca=True, serial=9)
    expired = family.make(
        "intermediate", 1, family.as_issuer(0), ca=True, not_after=NOW - timedelta(1)
    )
    no_ca = family.make("intermediate", 1, family.as_issuer(0), ca=False)
    false_root = family.make("root", 3, None, ca=True)
    leaves = [
        family.leaf,
        family.make("x", 2, Issuer(twin, keys[3])),
        family.make("x", 2, Issuer(family.intermediate, keys[0])),
        family.make("x", 2, family.as_issuer(1), key_ids=False, version=1),
        family.intermediate,
        family.root,
    ]
    others = [family.intermediate, twin, expired, no_ca, false_root, family.root]
    roots = [family.root, false_root, family.intermediate]
    return leaves, others, roots


@settings(max_examples=300, deadline=None)
@given(st.data(), st.booleans())
def test_ok_is_openssls_word_and_its_error_is_among_ours(
    relatives, data, partial
) -> None:
    leaves, others, roots = relatives
    leaf = data.draw(st.sampled_from(leaves))
    sent = data.draw(st.lists(st.sampled_from(others), max_size=4))
    trusted = data.draw(st.lists(st.sampled_from(roots), max_size=2))
    at = data.draw(
        st.sampled_from([NOW, END + timedelta(days=1), BEGIN - timedelta(1)])
    )
    ours = prove(leaf, sent, trusted, at=at, partial_chain=partial)
    error = first_error(
        leaf,
        [c for c in dict.fromkeys(sent) if c != leaf],
        trusted,
        at=at,
        partial=partial,
    )
    assert ours.ok == (error == 0) == (not ours.problems)
    assert ours.path[0] == leaf
    if error:
        trust = {2, 18, 19, 20, 21}
        assert error in ours.codes or (error in trust and ours.codes & trust)
    assert len(set(told(ours))) <= len(ours.problems)
    for one, other in combinations(ours.problems, 2):
        assert (one.code, one.certificate) != (other.code, other.certificate)
