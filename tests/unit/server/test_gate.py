"""The gate: which alert a chain gets, what is kept, and what ends with the trust."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from linekey.catalog.models import Generation
from linekey.certs.build import Issuer, issue, new_key
from linekey.certs.certificate import Certificate
from linekey.lab.authority import LabAuthority
from linekey.lab.vendor_ca import issue_device
from linekey.mac import Mac
from linekey.provisioning.decision import Reason
from linekey.provisioning.expired import Expired
from linekey.server.gate import ALERTS, Gate, Known, TurnedAway
from linekey.tls.alerts import Alert
from linekey.tls.events import REFUSAL_ALERTS, Accept, PeerChain, Refuse

NOW = datetime(2026, 11, 23, tzinfo=UTC)
MAC = Mac("000413AABBCC")
KEY = new_key()


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> LabAuthority:
    folder: Path = tmp_path_factory.mktemp("lab")
    return LabAuthority.open(folder)


def gate(lab: LabAuthority, now: datetime = NOW) -> Gate:
    made = Gate(lambda: now)
    made.trust(lab.vendor_roots(), (), 1)
    return made


def path_of(lab: LabAuthority) -> tuple[Certificate, ...]:
    chain = lab.issue_device(MAC, Generation.SHA256, KEY)
    return (*chain, lab.vendors[Generation.SHA256][0].certificate)


def peer(*path: Certificate) -> PeerChain:
    return PeerChain(path[0], None, path, ())


def test_a_phones_chain_is_let_in_with_what_it_proves(lab: LabAuthority) -> None:
    answer = gate(lab).verify(peer(*path_of(lab)))
    assert isinstance(answer, Accept)
    assert isinstance(answer.verdict, Known)
    assert answer.verdict.identity.mac == MAC


@pytest.mark.parametrize("years", [-40, 40])
def test_out_of_its_dates_it_gets_certificate_expired(
    lab: LabAuthority, years: int
) -> None:
    then = NOW + timedelta(days=365 * years)
    answer = gate(lab, then).verify(peer(*path_of(lab)))
    assert isinstance(answer, Refuse)
    assert answer.alert is Alert.CERTIFICATE_EXPIRED
    expected = Reason.EXPIRED if years > 0 else Reason.NOT_YET_VALID
    assert answer.verdict == TurnedAway(expected, MAC)
    assert (answer.code, answer.cure) == (expected.value, expected.cure)


def test_a_stranger_with_the_same_names_gets_unknown_ca(lab: LabAuthority) -> None:
    real = lab.vendors[Generation.SHA256][1].certificate
    dates = {"not_before": real.not_before, "not_after": real.not_after}
    forged = issue(real.subject, KEY, None, serial=9, ca=True, **dates)
    leaf = issue_device(MAC, Generation.SHA256, KEY, Issuer(forged, KEY))
    answer = gate(lab).verify(peer(leaf, forged))
    assert isinstance(answer, Refuse)
    assert answer.alert is Alert.UNKNOWN_CA
    assert isinstance(answer.verdict, TurnedAway)
    assert answer.verdict.mac is None


def test_the_leaf_alone_is_enough_once_its_own_chain_was_proved(
    lab: LabAuthority,
) -> None:
    """What a resumed session brings. No other phone profits: order must not matter."""
    path = path_of(lab)
    judge = gate(lab)
    assert judge.identify(path[:1]).problem is Reason.ISSUER_NOT_TRUSTED
    assert judge.identify(path).mac == MAC
    assert judge.identify(path[:1]).mac == MAC
    other = lab.issue_device(Mac("000413AABBCD"), Generation.SHA256, KEY)
    assert judge.identify(other[:1]).problem is Reason.ISSUER_NOT_TRUSTED


def test_in_a_handshake_only_what_is_sent_counts(lab: LabAuthority) -> None:
    path = path_of(lab)
    judge = gate(lab)
    assert isinstance(judge.verify(peer(*path)), Accept)
    assert isinstance(judge.verify(peer(path[0])), Refuse)


def test_a_change_of_trust_leaves_a_resumed_session_its_path(lab: LabAuthority) -> None:
    """Its leaf comes alone; what it was proved with is proved anew, not forgotten."""
    path = path_of(lab)
    judge = gate(lab)
    judge.verify(peer(*path))
    assert judge.trust((*lab.vendor_roots(), lab.server_root()), (), 2)
    assert judge.identify(path[:1]).mac == MAC


def test_what_was_kept_ends_with_the_trust(lab: LabAuthority) -> None:
    path = path_of(lab)
    judge = gate(lab)
    verdict = judge.verify(peer(*path)).verdict
    assert judge.identify(path[:1], verdict).mac == MAC
    assert judge.trust((), (), 2)
    for known in (None, verdict):
        assert judge.identify(path, known).problem is Reason.ISSUER_NOT_TRUSTED


def test_the_same_version_of_trust_forgets_nothing(lab: LabAuthority) -> None:
    judge = gate(lab)
    path = path_of(lab)
    judge.identify(path)
    assert not judge.trust((), (), 1)
    assert judge.identify(path[:1]).mac == MAC


def ended(lab: LabAuthority, *after: Expired | None, now: datetime) -> Gate:
    """A gate after the end: the server's word, and that on the issuing CA."""
    otherwise, of_ca = after
    made = Gate(lambda: now, otherwise or Expired.REFUSE)
    issuer = lab.vendors[Generation.SHA256][1].certificate
    words = {} if of_ca is None else {issuer.public_key_sha256: of_ca}
    made.trust(lab.vendor_roots(), (), 1, expired=words)
    return made


LATER = NOW + timedelta(days=365 * 40)


@pytest.mark.parametrize(
    ("otherwise", "of_ca", "is_let_in"),
    [
        (None, None, False),
        (None, Expired.REGISTERED, True),
        (None, Expired.NAMED, True),
        (Expired.ACCEPT, None, True),
        (Expired.ACCEPT, Expired.REFUSE, False),
    ],
)
def test_an_ended_path_is_let_through_where_the_operator_wants_its_phones(
    lab: LabAuthority,
    otherwise: Expired | None,
    of_ca: Expired | None,
    is_let_in: bool,
) -> None:
    judge = ended(lab, otherwise, of_ca, now=LATER)
    answer = judge.verify(peer(*path_of(lab)))
    assert isinstance(answer, Accept) is is_let_in
    if isinstance(answer, Accept):
        # Marked: it is no valid identity, and authorize is told.
        assert isinstance(answer.verdict, Known)
        assert answer.verdict.identity.mac == MAC
        assert not answer.verdict.identity.is_valid(LATER)
        assert judge.expired_of(answer.verdict.identity).opens


def test_an_ended_path_is_kept_for_a_resumed_session(lab: LabAuthority) -> None:
    path = path_of(lab)
    judge = ended(lab, Expired.ACCEPT, None, now=LATER)
    assert judge.identify(path[:1]).problem is Reason.ISSUER_NOT_TRUSTED
    assert isinstance(judge.verify(peer(*path)), Accept)
    assert judge.identify(path[:1]).mac == MAC
    # The operator changes his mind.
    issuer = lab.vendors[Generation.SHA256][1].certificate
    words = {issuer.public_key_sha256: Expired.REFUSE}
    judge.trust(lab.vendor_roots(), (), 2, expired=words)
    assert not judge.expired_of(judge.identify(path[:1])).opens
    assert isinstance(judge.verify(peer(*path)), Refuse)


def test_what_is_not_valid_yet_is_refused_all_the_same(lab: LabAuthority) -> None:
    before = NOW - timedelta(days=365 * 40)
    judge = ended(lab, Expired.ACCEPT, Expired.ACCEPT, now=before)
    answer = judge.verify(peer(*path_of(lab)))
    assert isinstance(answer, Refuse)
    assert answer.verdict == TurnedAway(Reason.NOT_YET_VALID, MAC)


def test_every_alert_can_be_sent() -> None:
    assert set(ALERTS.values()) <= REFUSAL_ALERTS
