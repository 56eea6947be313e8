"""What one phone sends never decides about another, nor about itself tomorrow.

Each case asks a gate that has seen other chains and one that has seen nothing, and
both must say the same.
"""

from datetime import datetime
from itertools import permutations, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.certificates import DAY, END
from tests.namesakes import NOW, PHONE_CN, ROOT_CN, Line, ca, phone

from linekey.certs.certificate import Certificate
from linekey.mac import Mac
from linekey.provisioning.decision import Reason
from linekey.server.gate import Gate, TurnedAway
from linekey.tls.events import Accept, PeerChain, Refuse

A, B = "000413AABBC0", "000413AABBC1"
LINES = {ids: Line(ids) for ids in (True, False)}


class Watch:
    """A clock that stands where it is put."""

    def __init__(self, now: datetime = NOW) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


def gate(
    roots: list[Certificate], known: list[Certificate] = [], now: datetime = NOW  # noqa: B006
) -> tuple[Gate, Watch]:  # fmt: skip
    watch = Watch(now)
    made = Gate(watch)
    made.trust(roots, known, 1)
    return made, watch


def peer(*chain: Certificate) -> PeerChain:
    return PeerChain(chain[0], chain, (), ())


def say(judge: Gate, chain: tuple[Certificate, ...]) -> tuple[object, ...]:
    """Everything a gate says of a chain, in a handshake and for a request."""
    answer = judge.verify(peer(*chain))
    told = (answer.alert, answer.reason) if isinstance(answer, Refuse) else ()
    return (type(answer), *told, judge.identify(chain))


def test_a_namesake_that_one_phone_sends_shuts_no_other_out() -> None:
    """The attack as it was found: a self-made CA with the intermediate's very name."""
    for line in LINES.values():
        a, b = phone(A, line.inner, ids=line.ids), phone(B, line.inner, ids=line.ids)
        real, root = line.inner.certificate, line.root.certificate
        for namesake, known in product(line.strangers(), ([], [real])):
            judge, _ = gate([root], known)
            assert judge.identify((a, namesake, real)).mac == Mac(A)
            assert isinstance(judge.verify(peer(a, real, namesake)), Accept)
            assert judge.identify((b, real)).mac == Mac(B)
            assert isinstance(judge.verify(peer(b, real)), Accept)


@st.composite
def chains(draw: st.DrawFn, mac: str, line: Line) -> tuple[Certificate, ...]:
    expired = RENEWED[line.ids]
    pool = [
        line.inner.certificate, line.root.certificate, *expired, *line.strangers(),
    ]  # fmt: skip
    leaf = draw(st.sampled_from(LEAVES[line.ids, mac]))
    sent = draw(st.lists(st.sampled_from(pool), max_size=5))
    return (leaf, *sent)


def _renewed(ids: bool) -> list[Certificate]:
    root = LINES[ids].root
    return [
        ca(PHONE_CN, "inner", root, ids=ids, end=NOW - DAY).certificate,
        ca(PHONE_CN, "inner 2", root, ids=ids, end=NOW + DAY).certificate,
    ]


RENEWED = {ids: _renewed(ids) for ids in (True, False)}
LEAVES = {
    (ids, mac): [
        phone(mac, line.inner, ids=ids, own=f"phone {mac}"),
        phone(mac, line.fake, ids=ids),
        phone(mac, line.root, ids=ids),
        phone(mac, line.inner, ids=ids, end=NOW - DAY),
    ]
    for ids, line in LINES.items()
    for mac in (A, B)
}


@settings(max_examples=200)
@given(st.data())
def test_after_any_chains_from_one_phone_a_fresh_process_says_the_same_of_another(
    data: st.DataObject,
) -> None:
    line = LINES[data.draw(st.booleans(), label="key ids")]
    roots = data.draw(
        st.sampled_from([[line.root.certificate], [line.root.certificate, ACME]])
    )
    known = data.draw(
        st.lists(
            st.sampled_from([line.inner.certificate, *RENEWED[line.ids]]), unique=True
        )
    )
    used, watch = gate(roots, known)
    for chain in data.draw(st.lists(chains(A, line), min_size=1, max_size=5)):
        used.verify(peer(*chain))
        used.identify(chain)
        if data.draw(st.booleans()):
            used.identify(chain[:1])
    watch.now = data.draw(st.sampled_from([NOW, NOW + 2 * DAY, END + DAY]))
    chain = data.draw(chains(B, line))
    fresh, _ = gate(roots, known, watch.now)
    assert say(used, chain) == say(fresh, chain)
    assert used.identify(chain[:1]).mac in {None, fresh.identify(chain).mac}


@settings(max_examples=100)
@given(st.data())
def test_in_a_handshake_nothing_seen_before_counts_not_even_of_the_same_phone(
    data: st.DataObject,
) -> None:
    line = LINES[data.draw(st.booleans(), label="key ids")]
    used, _ = gate([line.root.certificate])
    for chain in data.draw(st.lists(chains(A, line), min_size=1, max_size=4)):
        used.verify(peer(*chain))
    chain = data.draw(chains(A, line))
    fresh, _ = gate([line.root.certificate])
    ours, theirs = used.verify(peer(*chain)), fresh.verify(peer(*chain))
    assert type(ours) is type(theirs)
    assert ours.verdict == theirs.verdict


ACME = ca("ACME Phones CA", "acme").certificate


# -- renewals -----------------------------------------------------------------------

ORDERS = [(), ("old",), ("new",), ("old", "new"), ("new", "old")]


@pytest.mark.parametrize("ids", [True, False], ids=["key ids", "no key ids"])
@pytest.mark.parametrize("same_key", [True, False], ids=["same key", "new key"])
@pytest.mark.parametrize("what", ["intermediate", "root"])
def test_a_renewed_ca_is_found_beside_the_expired_one(ids, same_key, what) -> None:
    """Through every order of the trust list, and whatever the phone still sends."""
    over = ca(ROOT_CN, "root", ids=ids) if what == "intermediate" else None
    cn = PHONE_CN if what == "intermediate" else ROOT_CN
    old = ca(cn, "old", over, ids=ids, end=NOW - DAY)
    new = ca(cn, "old" if same_key else "new", over, ids=ids)
    both = {"old": old.certificate, "new": new.certificate}
    inner = new if over else ca(PHONE_CN, "inner", new, ids=ids)
    leaf = phone(A, inner, ids=ids)
    for trusted, sent in product(ORDERS, ORDERS):
        listed = [both[n] for n in trusted]
        if over:
            judge, _ = gate([over.certificate], listed)
            there = "new" in trusted or "new" in sent
        else:
            judge, _ = gate(listed, [inner.certificate])
            there = "new" in trusted
        chain = (leaf, *(both[n] for n in sent))
        found = judge.identify(chain)
        assert found.is_valid(NOW) == there, (trusted, sent, found)
        assert isinstance(judge.verify(peer(*chain)), Accept) == there
        old_alone = "old" in {*trusted, *sent} if over else "old" in trusted
        if not there and same_key and old_alone:
            answer = judge.verify(peer(*chain))
            assert answer.verdict == TurnedAway(Reason.EXPIRED, Mac(A))
            # The operator hears which one it is: the CA, not the phone's own.
            assert f"CN={cn}," in answer.reason
            assert ": it ended on 2026-11-22" in answer.reason
            assert A not in answer.reason


@pytest.mark.parametrize("ids", [True, False], ids=["key ids", "no key ids"])
def test_a_renewal_that_may_not_issue_for_phones_hides_no_ca_that_may(ids) -> None:
    root = ca(ROOT_CN, "root", ids=ids)
    old = ca(PHONE_CN, "inner", root, ids=ids, end=NOW + DAY)
    mail = ca(PHONE_CN, "inner", root, ids=ids, extended_key_usage=["emailProtection"])
    leaf = phone(A, old, ids=ids)
    for sent in permutations([old.certificate, mail.certificate]):
        judge, _ = gate([root.certificate])
        assert judge.identify((leaf, *sent)).not_after == NOW + DAY
        assert judge.identify((leaf, mail.certificate)).problem is not None


@pytest.mark.parametrize("ids", [True, False], ids=["key ids", "no key ids"])
def test_what_is_kept_ends_with_its_path_and_is_proved_again(ids) -> None:
    """The phone has sent both; the operator need not do anything on that day."""
    root = ca(ROOT_CN, "root", ids=ids)
    soon = ca(PHONE_CN, "inner", root, ids=ids, end=NOW + DAY)
    later = ca(PHONE_CN, "inner", root, ids=ids, begin=NOW + DAY / 2)
    leaf = phone(A, soon, ids=ids)
    chain = (leaf, soon.certificate, later.certificate)
    judge, watch = gate([root.certificate])
    answer = judge.verify(peer(*chain))
    assert isinstance(answer, Accept)
    assert judge.identify(chain, answer.verdict).not_after == NOW + DAY
    watch.now = NOW + 2 * DAY
    assert judge.identify(chain, answer.verdict).not_after == END
    assert judge.identify(chain[:1]).not_after == END  # resumed
    assert isinstance(judge.verify(peer(*chain)), Accept)


def test_a_known_phones_expiry_is_said_once_it_is_true() -> None:
    line = LINES[True]
    leaf = phone(A, line.inner, end=NOW + DAY)
    chain = (leaf, line.inner.certificate)
    judge, watch = gate([line.root.certificate])
    verdict = judge.verify(peer(*chain)).verdict
    watch.now = NOW + 2 * DAY
    for asked in (chain, chain[:1]):
        found = judge.identify(asked, verdict if asked is chain else None)
        assert not found.is_valid(watch.now)
        assert (found.mac, found.not_after) == (Mac(A), NOW + DAY)


def test_who_has_only_seen_a_certificate_cannot_shorten_what_is_kept_of_it() -> None:
    """The chain is judged before the key is proved, so anybody may show a phone's."""
    line = LINES[True]
    leaf = phone(A, line.inner)
    short = ca(PHONE_CN, "inner", line.root, end=NOW + DAY)
    judge, watch = gate([line.root.certificate])
    judge.verify(peer(leaf, line.inner.certificate))
    judge.verify(peer(leaf, short.certificate))
    watch.now = NOW + 2 * DAY
    assert judge.identify((leaf,)).is_valid(watch.now)
