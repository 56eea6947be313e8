"""Who fails when: each day with its phones, its cause and its cure."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from tests.certificates import DAY, END, NOW, ca, key, leaf

from linekey.catalog.profile import profile
from linekey.certs.certificate import Certificate
from linekey.check.forecast import Event, Forecast, Kind, Known, Served, forecast
from linekey.check.phones import Setup, gather_each

NAME = "prov.example.com"
YEAR = timedelta(days=365)
OLD = ca("old root", not_after=NOW + 100 * DAY)
YOUNG = ca("young root")
BETWEEN = ca("between", YOUNG, not_after=NOW + 60 * DAY)


def kind(
    *macs: str,
    model: str = "D785",
    firmware: str = "10.1.185.0",
    roots: Sequence[Certificate] = (),
) -> Kind:
    trusted = tuple(roots) or (YOUNG.certificate,)
    setup = Setup(authorities=trusted)
    gathered = gather_each([(profile(model, firmware), "", setup)], NAME, now=NOW)
    return Kind(gathered.phones[0], macs)


def look(
    kinds: Sequence[Kind],
    *chains: Sequence[Certificate],
    known: Sequence[Known] = (),
    until: datetime = NOW + YEAR,
    new: Sequence[Certificate] = (),
) -> Forecast:
    return forecast(
        kinds,
        [Served(NAME, NAME, tuple(chain)) for chain in chains],
        known,
        now=NOW,
        until=until,
        phones=sum(len(one.macs) for one in kinds),
        renewal=Served("new", NAME, tuple(new)) if new else None,
    )


def told(events: Sequence[Event]) -> list[tuple[int, str, int, str]]:
    return [((e.at - NOW).days, e.kind, e.phones, e.rule) for e in events]


def test_phones_fail_when_the_first_of_the_path_ends() -> None:
    cert = leaf(BETWEEN, NAME, not_after=NOW + 80 * DAY)
    found = look([kind("A", "B")], (cert, BETWEEN.certificate))
    (event,) = found.events
    assert told([event]) == [(60, "accepts", 2, "chain.expired")]
    assert event.what == f"2 phones stop accepting {NAME}"
    assert event.cause == f"{BETWEEN.certificate.label} expires"
    assert event.cure
    assert event.models == (("D785", "10.1.185.0", 2),)
    assert found.exit_code == 1


def test_what_ends_beyond_the_horizon_is_not_told() -> None:
    cert = leaf(YOUNG, NAME, not_after=NOW + 80 * DAY)
    found = look([kind("A")], (cert,), until=NOW + 79 * DAY)
    assert (found.events, found.exit_code) == ((), 0)


def test_each_kind_of_phone_by_its_own_roots() -> None:
    """A sent cross-sign of a root that ends: OpenSSL up to 1.0.2 follows it, even where
    the phone has the young root; who has that alone goes on."""
    own = key("ca young root")
    crossed = ca("young root", OLD, own=own, serial=4711)
    cert = leaf(YOUNG, NAME, not_after=NOW + 300 * DAY)
    kinds = [
        kind("A", roots=(OLD.certificate,)),
        kind("B", roots=(OLD.certificate, YOUNG.certificate)),
        kind("C", roots=(YOUNG.certificate,)),
    ]
    found = look(kinds, (cert, crossed.certificate))
    assert told(found.events)[0] == (100, "accepts", 2, "chain.expired")
    assert found.events[0].macs == ("A", "B")
    assert found.events[1].macs == ("C",), "the leaf's end, for those who are left"
    direct = look(kinds, (cert,))
    assert direct.events[0].macs == ("B", "C"), "A never accepted it"
    assert direct.already[0].macs == ("A",)


def test_phones_of_one_cause_are_one_event_largest_first() -> None:
    cert = leaf(YOUNG, NAME, not_after=NOW + 80 * DAY)
    found = look([kind("B"), kind("A", model="D735")], (cert,))
    (event,) = found.events
    assert event.macs == ("A", "B")
    assert [m[0] for m in event.models] == ["D735", "D785"]


def test_what_is_refused_already_is_told_apart() -> None:
    cert = leaf(OLD, NAME)
    found = look([kind("A"), kind("B", roots=(OLD.certificate,))], (cert,))
    assert told(found.already) == [(0, "accepts", 1, "chain.incomplete")]
    assert found.already[0].macs == ("A",)
    assert found.already[0].what == f"1 phone refuses {NAME}"
    assert [e.macs for e in found.events] == [("B",)]


def test_a_certificate_that_begins_gives_phones_back() -> None:
    cert = leaf(YOUNG, NAME, not_before=NOW + 5 * DAY, not_after=NOW + 500 * DAY)
    found = look([kind("A")], (cert,))
    assert told(found.already) == [(0, "accepts", 1, "chain.not-yet-valid")]
    assert told(found.events) == [(5, "begins", 1, "chain.not-yet-valid")]
    assert found.ends == ()


def test_a_renewal_says_whom_it_loses_and_whom_it_gains() -> None:
    kinds = [kind("A", "B"), kind("C", roots=(OLD.certificate,))]
    new = leaf(OLD, NAME, not_after=NOW + 90 * DAY)
    present = leaf(YOUNG, NAME, not_after=NOW + 500 * DAY)
    found = look(kinds, (present,), new=(new,))
    renewal = found.renewal
    assert renewal is not None
    assert [e.macs for e in renewal.lost] == [("A", "B")]
    assert [e.macs for e in renewal.gained] == [("C",)]
    assert renewal.kept == 1
    assert renewal.lost[0].what == "2 phones refuse new"
    assert found.failing == 0, "the new chain's end takes nothing away yet"
    assert renewal.lost[0].cure
    assert any(e.server == "new" and e.macs == ("C",) for e in found.events)


def test_phones_are_recognised_until_what_vouches_for_them_ends() -> None:
    path = (BETWEEN.certificate, YOUNG.certificate)
    known = [
        Known("snom, generation sha1", ("A",), path, NOW + 60 * DAY, "not seen"),
        Known("snom, generation sha1", ("B",), path, NOW + 30 * DAY),
        Known("old", ("C",), (OLD.certificate,), NOW - DAY),
        Known("later", ("D",), (YOUNG.certificate,), END),
    ]
    found = look([], known=known)
    assert told(found.events) == [(30, "recognised", 1, ""), (60, "recognised", 1, "")]
    own, above = found.events
    assert own.cause.startswith("their own certificates expire")
    assert above.cause.startswith(f"{BETWEEN.certificate.label} expires")
    assert above.condition == "not seen"
    assert found.already[0].macs == ("C",)


def test_a_phone_that_loses_twice_fails_once() -> None:
    first = leaf(YOUNG, NAME, not_after=NOW + 80 * DAY)
    second = leaf(YOUNG, NAME, not_after=NOW + 90 * DAY)
    found = look([kind("A", "B")], (first,), (second,))
    assert [e.phones for e in found.events] == [2, 2]
    assert (found.failing, found.as_dict()["failing"]) == (2, 2)


def test_an_event_keeps_its_id_while_day_cause_and_phones_stay() -> None:
    cert = leaf(YOUNG, NAME, not_after=NOW + 80 * DAY)
    first, again, other = (
        look([kind(*macs)], (cert,)).events[0].id for macs in ("A", "A", "AB")
    )
    assert first == again != other
    subject = {
        look([kind(*macs)], (cert,)).events[0].subject_id for macs in ("A", "AB")
    }
    assert len(subject) == 1


def test_of_two_chains_each_phone_is_judged_by_the_one_that_it_is_sent() -> None:
    """An EC certificate ends for the phones that are shown it, and for no other."""
    rsa = leaf(YOUNG, NAME, not_after=NOW + 80 * DAY)
    ec = leaf(
        YOUNG, NAME, leaf_key=key("ec", "ec", "secp256r1"), not_after=NOW + 40 * DAY
    )
    served = Served.of(NAME, NAME, [(rsa,), (ec,)])
    assert served.chains == ((ec,), (rsa,))
    new, old = kind("NEW"), kind("OLD", model="710", firmware="8.7.5.35")
    assert served.sent_to(new.phone) == (ec,)
    assert served.sent_to(old.phone) == (rsa,)
    (event,) = look([new], served.sent_to(new.phone)).events
    found = forecast([new], [served], (), now=NOW, until=NOW + YEAR, phones=1)
    assert found.events == (event,)


def test_a_renewal_takes_the_place_of_the_chain_of_its_kind() -> None:
    rsa = leaf(YOUNG, NAME, not_after=NOW + 80 * DAY)
    ec = leaf(
        YOUNG, NAME, leaf_key=key("ec", "ec", "secp256r1"), not_after=NOW + 40 * DAY
    )
    new = leaf(YOUNG, NAME, leaf_key=key("ec 2", "ec", "secp256r1"))
    served = Served.of(NAME, NAME, [(rsa,), (ec,)])
    assert served.renewed("new", (new,)).chains == ((new,), (rsa,))
    assert served.renewed("new", (leaf(YOUNG, NAME),)).chains[0] == (ec,)
    alone = Served(NAME, NAME, (rsa,))
    assert alone.renewed("new", (new,)).chains == ((new,),)
    assert alone.renewed("new", (new,), beside=True).chains == ((new,), (rsa,))
