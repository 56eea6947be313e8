"""Certificates that today's OpenSSL does not load, written once more."""

import pytest
from tests.live.odd_certificates import odd_leaves, root

from linekey.certs.certificate import Certificate
from linekey.certs.restate import against_signatures, loads, restate, stand_in

LEAVES = dict(odd_leaves())
READ_BY_OLD_LINES_ALONE = (
    "UTCTime without seconds",
    "GeneralizedTime without seconds",
    "UTCTime without Z",
    "UTCTime that is text",
    "GeneralizedTime without Z",
    "serial number padded",
    "empty serial number",
)


@pytest.mark.parametrize("what", READ_BY_OLD_LINES_ALONE)
def test_a_stand_in_has_the_same_key_and_size_and_is_read(what: str) -> None:
    der = LEAVES[what]
    made = stand_in(der)
    assert made is not None
    assert len(made) == len(der)
    stand = Certificate.from_der(made)
    assert loads(stand)
    assert stand.public_key_der == Certificate.from_der(der).public_key_der


@pytest.mark.parametrize("what", sorted(LEAVES.keys() - set(READ_BY_OLD_LINES_ALONE)))
def test_nothing_stands_in_for_what_is_read_or_what_no_line_reads(what: str) -> None:
    assert stand_in(LEAVES[what]) is None


def test_a_restated_path_is_read_and_its_true_signatures_still_count() -> None:
    leaf = Certificate.from_der(LEAVES["UTCTime without seconds"])
    again = restate((leaf, root()), old=True)
    assert all(map(loads, again))
    assert again[0].not_before == leaf.not_before
    assert again[0].dns_names == leaf.dns_names
    assert not list(against_signatures((leaf, root())))
    broken = Certificate.from_der(leaf.der[:-1] + bytes([leaf.der[-1] ^ 1]))
    assert [p.code for p in against_signatures((broken, root()))] == [7]
