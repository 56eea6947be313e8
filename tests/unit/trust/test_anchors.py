"""The root of a server's chain is found in its file, where it is named, or publicly."""

import pytest
from tests.certificates import DAY, END, ca, certificate, ec, leaf

from linekey.catalog.roots import releases, roots_at
from linekey.certs.build import Issuer
from linekey.trust import anchors
from linekey.trust.anchors import NO_ANCHORS, anchors_of, lacking


def authority(name: str, above: Issuer | None = None, **more: object) -> Issuer:
    return ca(name, above, **({"own": ec(name)} | more))  # type: ignore[arg-type]


ROOT = authority("anchor root")
BETWEEN = authority("anchor intermediate", ROOT)
LEAF = leaf(BETWEEN, "prov.test", leaf_key=ec("anchor leaf"))
CHAIN = (LEAF, BETWEEN.certificate)


def test_the_root_at_the_end_of_the_file_is_it() -> None:
    found = anchors_of([(*CHAIN, ROOT.certificate)])
    assert (found.private, found.missing) == ((ROOT.certificate,), ())


def test_the_root_is_found_among_what_is_named() -> None:
    other = authority("anchor of somebody else").certificate
    found = anchors_of([CHAIN], [other, ROOT.certificate])
    assert found.roots == (ROOT.certificate,)
    assert found.unused == (other,)


def test_a_missing_intermediate_may_be_named_too() -> None:
    named = [BETWEEN.certificate, ROOT.certificate]
    found = anchors_of([(LEAF,)], named)
    assert (found.roots, found.unused) == ((ROOT.certificate,), ())


def test_what_nobody_has_is_missing_and_a_layer_may_have_it() -> None:
    found = anchors_of([CHAIN])
    assert (found.roots, found.missing) == ((), (BETWEEN.certificate,))
    assert lacking(found, []) == (BETWEEN.certificate,)
    assert lacking(found, [ROOT.certificate]) == ()


def test_a_namesake_with_another_key_is_not_the_root() -> None:
    namesake = authority("anchor root", own=ec("somebody else's key"))
    found = anchors_of([CHAIN], [namesake.certificate])
    assert (found.roots, found.unused) == ((), (namesake.certificate,))


def test_of_a_renewed_root_the_one_that_ends_last_counts() -> None:
    renewed = authority("anchor root", not_after=END + 900 * DAY).certificate
    assert anchors_of([CHAIN], [ROOT.certificate, renewed]).roots == (renewed,)
    assert anchors_of([CHAIN], [renewed, ROOT.certificate]).roots == (renewed,)


def test_the_nearest_root_counts_where_it_was_cross_signed() -> None:
    """As ISRG Root X1 and DST Root CA X3, whose end phones met on 2021-09-30."""
    older = authority("anchor root of before")
    crossed = certificate("anchor root", ec("anchor root"), older, ca=True)
    chain = (*CHAIN, crossed)
    assert anchors_of([chain], [older.certificate, ROOT.certificate]).roots == (
        ROOT.certificate,
    )
    assert anchors_of([chain], [older.certificate]).roots == (older.certificate,)


def test_of_two_intermediates_the_one_that_leads_on_is_taken() -> None:
    """The one that ends later leads to a root that nobody has."""
    lost = authority("anchor lost root")
    later = certificate(
        "anchor intermediate", ec("anchor intermediate"), lost, ca=True,
        not_after=END + 900 * DAY,
    )  # fmt: skip
    chain = (LEAF, later, BETWEEN.certificate)
    assert anchors_of([chain], [ROOT.certificate]).roots == (ROOT.certificate,)


def test_each_of_two_chains_has_its_root() -> None:
    second = authority("anchor second root")
    other = (leaf(second, "prov.test", leaf_key=ec("anchor other leaf")),)
    found = anchors_of([other, CHAIN], [ROOT.certificate, second.certificate])
    assert found.roots == (second.certificate, ROOT.certificate)
    assert anchors_of([CHAIN, CHAIN], [ROOT.certificate]).roots == (ROOT.certificate,)


def test_a_certificate_that_signed_itself_is_its_own_root() -> None:
    alone = leaf(None, "prov.test", leaf_key=ec("anchor alone"))
    assert anchors_of([(alone,)]).private == (alone,)


def test_a_public_root_is_found_without_being_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(anchors, "_public", lambda: (ROOT.certificate,))
    for named in ([], [ROOT.certificate]):
        found = anchors_of([CHAIN], named)
        assert (found.private, found.public) == ((), (ROOT.certificate,))


def test_public_roots_are_those_of_mozillas_newest_list() -> None:
    newest = roots_at(releases()[-1].date)
    some = newest[0]
    assert anchors_of([(some,)]).public == (some,)


def test_where_there_is_no_chain_nothing_is_said() -> None:
    assert anchors_of([]) == NO_ANCHORS


def test_a_loop_of_issuers_ends() -> None:
    one = certificate("loop one", ec("one"), authority("loop two"), ca=True)
    two = certificate("loop two", ec("loop two"), Issuer(one, ec("one")), ca=True)
    found = anchors_of([(leaf(Issuer(two, ec("loop two")), "x"), two, one)])
    assert found.roots == ()
    assert found.missing
