"""A valid path is found among namesakes, in any order, at two checks a certificate."""

from datetime import timedelta
from itertools import permutations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.certificates import DAY, END, ec
from tests.certificates import START as BEGIN
from tests.namesakes import NOW, PHONE_CN, ROOT_CN, Line, ca, phone

from linekey.certs import path as proof
from linekey.certs import verify_errors as err
from linekey.certs.build import Issuer
from linekey.certs.certificate import Certificate
from linekey.certs.path import PathProblem
from linekey.certs.search import search
from linekey.errors import CertificateError

MAC = "000413AABBCC"


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What each of OpenSSL's proofs may have cost, in signature checks.

    A path has at most the leaf, the others and one root, and OpenSSL checks each
    certificate of a path once, the last one not at all.
    """
    made: list[int] = []
    real = proof.verify

    def counted(leaf, others, roots, **more):
        said = real(leaf, others, roots, **more)
        made.append(
            len(said) - 1 if isinstance(said, tuple) else min(len(others) + 1, 99)
        )
        return said

    monkeypatch.setattr(proof, "verify", counted)
    return made


@pytest.fixture(scope="module", params=[True, False], ids=["key ids", "no key ids"])
def ids(request) -> bool:
    return request.param


@pytest.fixture(scope="module")
def line(ids: bool) -> Line:
    return Line(ids)


ORDERS = [(), ("old",), ("new",), ("old", "new"), ("new", "old")]


@pytest.mark.parametrize("same_key", [True, False], ids=["same key", "new key"])
@pytest.mark.parametrize("signer", ["old", "new"])
@pytest.mark.parametrize("moment", ["both", "new only", "old only", "neither"])
def test_a_renewed_intermediate_helps_in_every_order(
    ids, same_key, signer, moment
) -> None:
    root = ca(ROOT_CN, "root", ids=ids)
    limit = NOW + DAY if moment in ("both", "old only") else NOW - DAY
    old = ca(PHONE_CN, "old", root, ids=ids, end=limit)
    begin = NOW - 2 * DAY if moment in ("both", "new only") else NOW + DAY
    new = ca(PHONE_CN, "old" if same_key else "new", root, ids=ids, begin=begin)
    both = {"old": old.certificate, "new": new.certificate}
    leaf = phone(MAC, {"old": old, "new": new}[signer], ids=ids)
    valid = {"both": {"old", "new"}, "new only": {"new"}, "old only": {"old"},
             "neither": set()}[moment]  # fmt: skip
    for trusted, sent in product(ORDERS, ORDERS):
        there = set(trusted) | set(sent)
        usable = there if same_key else there & {signer}
        found = search(
            leaf,
            [both[n] for n in sent],
            [root.certificate],
            [both[n] for n in trusted],
            now=NOW,
        )
        expected = bool(usable & valid)
        assert found.ok == expected, (trusted, sent, found.problems)
        if not expected and usable:
            # It holds but for its dates, and that is what is said.
            assert found.codes <= err.TIME_ERRORS, (trusted, sent, found.problems)
            assert found.path[-1] == root.certificate
        elif not usable:
            assert found.codes & {*err.TRUST_ERRORS, err.CERT_SIGNATURE_FAILURE}


@pytest.mark.parametrize("same_key", [True, False], ids=["same key", "new key"])
@pytest.mark.parametrize("signer", ["old", "new"])
@pytest.mark.parametrize("old_expired", [True, False])
def test_a_renewed_root_helps_in_every_order(
    ids, same_key, signer, old_expired
) -> None:
    old = ca(ROOT_CN, "old", ids=ids, end=NOW - DAY if old_expired else END)
    new = ca(ROOT_CN, "old" if same_key else "new", ids=ids, begin=NOW - 2 * DAY)
    both = {"old": old.certificate, "new": new.certificate}
    inner = ca(PHONE_CN, "inner", {"old": old, "new": new}[signer], ids=ids)
    leaf = phone(MAC, inner, ids=ids)
    for trusted, sent, given_inner in product(ORDERS, ORDERS, (True, False)):
        usable = set(trusted) if same_key else set(trusted) & {signer}
        found = search(
            leaf,
            [*(both[n] for n in sent), *([] if given_inner else [inner.certificate])],
            [both[n] for n in trusted],
            [inner.certificate] if given_inner else [],
            now=NOW,
        )
        expected = bool(usable - ({"old"} if old_expired else set()))
        assert found.ok == expected, (trusted, sent, found.problems)
        if usable and not expected:
            assert found.codes <= err.TIME_ERRORS


def test_of_several_paths_the_one_that_ends_last_is_taken(ids) -> None:
    root = ca(ROOT_CN, "root", ids=ids)
    ends = [NOW + n * DAY for n in (5, 90, 30)]
    renewals = [ca(PHONE_CN, "inner", root, ids=ids, end=end) for end in ends]
    leaf = phone(MAC, renewals[0], ids=ids)
    for order in permutations(renewals):
        sent = [issuer.certificate for issuer in order]
        found = search(leaf, sent, [root.certificate], now=NOW)
        assert found.path == (leaf, renewals[1].certificate, root.certificate)


def test_what_a_phone_sends_besides_does_not_matter(line: Line) -> None:
    """In whatever order: its own namesakes of the real ones are only looked at."""
    leaf = phone(MAC, line.inner, ids=line.ids)
    strangers = line.strangers()
    for extra in permutations(strangers, 3):
        for sent in (
            [*extra, line.inner.certificate],
            [line.inner.certificate, *extra],
        ):
            found = search(leaf, sent, [line.root.certificate], now=NOW)
            assert found.path == (leaf, line.inner.certificate, line.root.certificate)


@given(st.data())
def test_the_result_is_the_same_in_any_order(data) -> None:
    line = LINES[data.draw(st.booleans())]
    expired = ca(PHONE_CN, "inner", line.root, ids=line.ids, end=NOW - DAY)
    pool = [
        line.inner.certificate, expired.certificate, line.root.certificate,
        *line.strangers(),
    ]  # fmt: skip
    leaf = phone(MAC, data.draw(st.sampled_from([line.inner, line.fake])), ids=line.ids)
    sent = data.draw(st.lists(st.sampled_from(pool), max_size=6, unique=True))
    anchors = data.draw(st.permutations([line.root.certificate, *pool[1:2]]))
    ours = search(leaf, sent, anchors, now=NOW)
    again = search(leaf, data.draw(st.permutations(sent)), anchors[::-1], now=NOW)
    assert (ours.ok, ours.path) == (again.ok, again.path)
    assert ours.codes == again.codes


LINES = {ids: Line(ids) for ids in (True, False)}


def test_an_authority_is_what_says_so(line: Line) -> None:
    own = phone("000413AABBCD", line.inner, own="liar")
    forged = phone(MAC, Issuer(own, ec("liar")))
    found = search(
        forged, [own, line.inner.certificate], [line.root.certificate], now=NOW
    )
    assert found.codes == {err.INVALID_CA}


def test_a_path_that_another_rule_forbids_gives_way_to_one_that_holds(ids) -> None:
    """Two intermediates of one key; one stands under a root that allows none."""
    narrow = ca(ROOT_CN, "narrow", ids=ids, path_length=0)
    wide = ca(f"{ROOT_CN} 2", "wide", ids=ids)
    below_narrow = ca(PHONE_CN, "inner", narrow, ids=ids)
    middle = ca(f"{PHONE_CN} middle", "middle", narrow, ids=ids)
    forbidden = ca(PHONE_CN, "inner", middle, ids=ids)
    allowed = ca(PHONE_CN, "inner", wide, ids=ids, end=NOW + DAY)
    leaf = phone(MAC, below_narrow, ids=ids)
    sent = [forbidden.certificate, middle.certificate, allowed.certificate]
    anchors = [narrow.certificate, wide.certificate]
    found = search(leaf, sent, anchors, now=NOW)
    assert found.path == (leaf, allowed.certificate, wide.certificate)
    found = search(leaf, sent[:2], anchors, now=NOW)
    assert found.codes == {err.PATH_LENGTH_EXCEEDED}


def test_a_root_that_hands_over_to_its_next_key_is_followed() -> None:
    """RFC 4210 §4.4: the new key under the root's name, signed with the old key."""
    old = ca(ROOT_CN, "old root")
    handed_over = ca(ROOT_CN, "new root", old)
    inner = ca(PHONE_CN, "inner", handed_over)
    leaf = phone(MAC, inner)
    for sent in permutations([handed_over.certificate, inner.certificate]):
        found = search(leaf, sent, [old.certificate], now=NOW)
        assert found.ok, found.problems
        assert len(found.path) == 4


def test_without_a_time_dates_do_not_count(line: Line) -> None:
    leaf = phone(MAC, line.inner, end=NOW - DAY)
    given_all = (leaf, [line.inner.certificate], [line.root.certificate])
    assert search(*given_all, now=None).ok
    assert search(*given_all, now=NOW).codes == {err.CERT_HAS_EXPIRED}
    assert search(*given_all, now=BEGIN - DAY).codes == {err.CERT_NOT_YET_VALID}
    with pytest.raises(CertificateError, match="time zone"):
        search(*given_all, now=NOW.replace(tzinfo=None))


def test_the_bounds_of_validity_are_openssls(line: Line) -> None:
    leaf = phone(MAC, line.inner)
    for at in (BEGIN, END, BEGIN - timedelta(seconds=1), END + timedelta(seconds=1),
               END + timedelta(microseconds=1)):  # fmt: skip
        found = search(leaf, [line.inner.certificate], [line.root.certificate], now=at)
        said = proof.verify(
            leaf, [line.inner.certificate], [line.root.certificate], at=at,
            partial_chain=True,
        )  # fmt: skip
        assert found.ok == (not isinstance(said, PathProblem))


# -- what it costs ------------------------------------------------------------------


def crossing(count: int, issuers: list[Certificate]) -> tuple[Certificate, ...]:
    """Like-named certificates, any of which could have issued any other, by names."""
    claims = Issuer(issuers[0], ec("nobody"))
    crowd = [
        ca(PHONE_CN, f"crowd {n}", Issuer(ca(PHONE_CN, "x").certificate, ec("nobody")),
           ids=False).certificate
        for n in range(count - 2)
    ]  # fmt: skip
    top = ca(PHONE_CN, "crowd top", claims, ids=False).certificate
    leaf = phone(MAC, Issuer(ca(PHONE_CN, "x").certificate, ec("nobody")), ids=False)
    return (leaf, *crowd, top)


@pytest.mark.parametrize("count", [3, 5, 10])
def test_crossing_namesakes_cost_two_checks_a_certificate_at_most(
    checks, count
) -> None:
    line = Line()
    for anchors, known in (
        ([line.root.certificate], []),
        ([line.root.certificate], [line.inner.certificate]),
        ([line.inner.certificate], []),
        ([], []),
    ):
        leaf, *sent = crossing(count, [line.root.certificate])
        checks.clear()
        found = search(leaf, sent, anchors, known, now=NOW)
        assert not found.ok
        assert found.problems
        assert sum(checks) <= 2 * count


def test_many_like_named_roots_and_many_who_claim_them_are_not_all_tried(
    checks,
) -> None:
    """Six roots of one name and no identifiers, nine that could stand below each."""
    roots = [ca(ROOT_CN, f"root {n}", ids=False).certificate for n in range(6)]
    claims = [
        ca(PHONE_CN, f"inner {n}", Issuer(roots[n % 6], ec("nobody")), ids=False)
        for n in range(9)
    ]
    leaf = phone(MAC, claims[0], ids=False)
    found = search(leaf, [c.certificate for c in claims], roots, now=NOW)
    assert not found.ok
    assert sum(checks) <= 2 * (1 + len(claims) + len(roots))


def test_a_strangers_key_checks_no_signature(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there is a choice, only what is proved may be used to prove more."""
    used: list[Certificate] = []
    real = proof.verify

    def watched(leaf, others, roots, **more):
        used.extend((*others, *roots))
        return real(leaf, others, roots, **more)

    monkeypatch.setattr(proof, "verify", watched)
    leaf = phone(MAC, line.inner, ids=line.ids)
    sent = [*line.strangers(), line.inner.certificate]
    assert search(leaf, sent, [line.root.certificate], now=NOW).ok
    assert set(used) <= {line.inner.certificate, line.root.certificate}


@given(st.data())
def test_no_chain_costs_more_than_two_checks_a_certificate(data) -> None:
    line = LINES[data.draw(st.booleans())]
    pool = [
        line.inner.certificate,
        line.root.certificate,
        *line.strangers(),
        *_crowd(),
    ]
    leaf = data.draw(st.sampled_from([*LEAVES, _crowd()[0]]))
    sent = data.draw(st.lists(st.sampled_from(pool), max_size=9, unique=True))
    anchors = data.draw(st.lists(st.sampled_from(pool[:4]), max_size=3, unique=True))
    known = data.draw(st.lists(st.sampled_from(pool[:3]), max_size=2, unique=True))
    now = data.draw(st.sampled_from([NOW, END + DAY]))
    made: list[int] = []
    real = proof.verify

    def counted(*given_all, **more):
        said = real(*given_all, **more)
        made.append(len(said) - 1 if isinstance(said, tuple) else len(given_all[1]) + 1)
        return said

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(proof, "verify", counted)
        search(leaf, sent, anchors, known, now=now)
    assert sum(made) <= 2 * len({leaf, *sent, *anchors, *known})


def _crowd() -> tuple[Certificate, ...]:
    if not _CROWD:
        _CROWD.extend(crossing(8, [LINES[True].root.certificate]))
    return tuple(_CROWD)


_CROWD: list[Certificate] = []
LEAVES = [
    phone(MAC, issuer, ids=ids)
    for ids, line in LINES.items()
    for issuer in (line.inner, line.fake, line.fake_alone, line.root)
]


# -- any small hierarchy --------------------------------------------------------------


@st.composite
def hierarchies(draw: st.DrawFn):
    """Names, each with a few certificates: renewed, expired, no authorities, strangers'.

    Returns the certificates by name, roots first, with the key that signed each; the
    key names a stranger uses are nobody's.
    """
    ids = st.booleans()
    counts = draw(st.sampled_from([(3, 3), (2, 2, 2), (1, 2, 1, 2)]))
    dates = st.sampled_from([(BEGIN, END)] * 3 + [(BEGIN, NOW - DAY), (NOW + DAY, END)])
    levels: list[list[tuple[Issuer, str, str]]] = []
    for level, count in enumerate(counts):
        made: list[tuple[Issuer, str, str]] = []
        for number in range(count):
            own = f"h{level} {draw(st.integers(0, 2))}"
            over, signer = None, own
            if level:
                over, signer, _ = draw(st.sampled_from(levels[-1]))
                if draw(st.integers(0, 3)) == 0:  # somebody says so, and it is not true
                    signer = "nobody"
                    over = Issuer(over.certificate, ec(signer))
                    own = f"stranger {level} {number}"
            begin, end = draw(dates)
            issuer = ca(
                f"H{level}", own, over, ids=draw(ids), begin=begin, end=end,
                is_ca=draw(st.sampled_from([True] * 7 + [False])),
            )  # fmt: skip
            made.append((issuer, own, signer))
        levels.append(made)
    return levels


def leads(child, signer: str, pool, roots, now) -> bool:
    """Whether a path of certificates that hold now leads from here to a root."""
    for entry in pool:
        found, own, above = entry[0].certificate, *entry[1:]
        if (
            found.subject.canonical == child.issuer.canonical
            and own == signer
            and proof.ids_agree(child, found)
            and found.not_before <= now <= found.not_after
            and found.is_ca
        ):
            rest = [other for other in pool if other is not entry]
            if found in roots or leads(found, above, rest, roots, now):
                return True
    return False


@given(st.data())
def test_whenever_there_is_a_valid_path_it_is_found_in_any_order(data) -> None:
    levels = data.draw(hierarchies())
    everything = [entry for level in levels for entry in level]
    over, own, _ = data.draw(st.sampled_from(levels[-1]))
    leaf = phone(MAC, over, ids=data.draw(st.booleans()))
    chosen = st.lists(st.sampled_from(everything), unique=True)
    sent, known = data.draw(chosen), data.draw(chosen)
    roots = [i.certificate for i, _, _ in data.draw(
        st.lists(st.sampled_from(levels[0]), unique=True, min_size=1))]  # fmt: skip
    pool = {e[0].certificate: e for e in (*sent, *known)}
    pool |= {e[0].certificate: e for e in everything if e[0].certificate in roots}
    found = search(
        leaf,
        [issuer.certificate for issuer, _, _ in sent],
        roots,
        [issuer.certificate for issuer, _, _ in known],
        now=NOW,
    )
    authorities = all(c.is_ca for c in found.path[1:])
    assert (found.ok and authorities) == leads(leaf, own, [*pool.values()], roots, NOW)
