"""Where the list of roots is not known exactly, both ends are judged and told."""

from datetime import date

import pytest
from tests.certificates import DAY, NOW, ca, leaf

from linekey.catalog.profile import profile
from linekey.catalog.root_lists import RootLists
from linekey.certs.certificate import Certificate
from linekey.trust.findings import Verdict
from linekey.trust.judge import TlsSettings, judge
from linekey.trust.root_age import DEPENDS, ROOT_DATE, difference_of, judge_both
from linekey.trust.store import TrustStore

NAME = "prov.example.com"
ROOT, OTHER = ca("root of a list"), ca("another")
CHAIN = (leaf(ROOT, NAME),)
D785 = profile("D785", "10.1.33.33")
ON = TlsSettings(server_authentication=True, check_fqdn=True, host_flags=0)


def _both(
    newest: tuple[Certificate, ...],
    oldest: tuple[Certificate, ...] | None,
    *,
    name: str = NAME,
    settings: TlsSettings = ON,
    model: str = "D785",
    firmware: str = "10.1.33.33",
) -> Verdict:
    lists = RootLists(
        newest,
        date(2026, 1, 1),
        oldest,
        None if oldest is None else date(2016, 1, 1),
        oldest is None,
        "one of two lists",
    )
    return judge_both(
        CHAIN,
        name,
        TrustStore(authorities=newest),
        None if oldest is None else TrustStore(authorities=oldest),
        lists,
        profile(model, firmware),
        settings,
        NOW,
    )


@pytest.mark.parametrize("newest_knows", [True, False])
def test_whichever_list_knows_the_root_the_difference_stands_first(
    newest_knows: bool,
) -> None:
    knows, knows_not = (ROOT.certificate,), (OTHER.certificate,)
    verdict = _both(knows, knows_not) if newest_knows else _both(knows_not, knows)
    assert verdict.accepted is newest_knows  # the newest list's verdict
    first = verdict.findings[0]
    assert (first.rule, first.ok, first.severity) == (DEPENDS, False, "warning")
    assert "list of 2026-01-01" in first.message
    assert "that of 2016-01-01" in first.message
    assert "--firmware-date" in first.cure
    assert difference_of(verdict) == first


def test_lists_that_agree_say_nothing_and_the_verdict_is_the_judges() -> None:
    store = TrustStore(authorities=(ROOT.certificate,))
    alone = judge(CHAIN, NAME, store, D785, ON, NOW)
    assert _both((ROOT.certificate,), (ROOT.certificate,)) == alone
    assert _both((ROOT.certificate,), None) == alone
    assert difference_of(alone) is None


def test_a_phone_that_authenticates_nobody_is_told_what_would_be() -> None:
    off = TlsSettings(server_authentication=False, check_fqdn=False, host_flags=0)
    verdict = _both(
        (ROOT.certificate,),
        (OTHER.certificate,),
        settings=off,
        model="D715",
        firmware="8.9.3.80",
    )
    assert verdict.accepted
    found = difference_of(verdict)
    assert found is not None
    assert found.rule == ROOT_DATE
    assert "if it authenticated servers" in found.message


def test_a_server_refused_either_way_is_not_said_to_be_accepted() -> None:
    verdict = _both((ROOT.certificate,), (OTHER.certificate,), name="else.example.com")
    assert not verdict.accepted
    found = difference_of(verdict)
    assert found is not None
    assert found.rule == ROOT_DATE
    assert "refused either way" in found.message
    assert "accepts" not in found.message


def test_no_chain_and_no_clock_are_the_judges_business() -> None:
    store = TrustStore()
    lists = RootLists((), date(2026, 1, 1), (), date(2016, 1, 1), False, "two")
    empty = judge_both((), NAME, store, store, lists, D785, ON, NOW)
    assert [f.rule for f in empty.findings] == ["chain.empty"]
    with pytest.raises(ValueError, match="time zone"):
        judge_both(
            CHAIN, NAME, store, store, lists, D785, ON, (NOW + DAY).replace(tzinfo=None)
        )
