"""For phones of which nothing is known a server is asked nothing."""

from tests.certificates import NOW

from linekey.catalog.profile import profile
from linekey.check.assess import Question
from linekey.check.classes import classes_of, hellos_of
from linekey.check.phones import Setup, gather
from linekey.check.prober import Limits, Prober
from linekey.check.questions import ask_for
from linekey.check.report import Outcome
from linekey.check.run import check_answers, check_chain

UNKNOWN = profile("T46U", "108.86.0.45")
KNOWN = profile("D785", "10.1.33.33")


def classes(*profiles):
    return classes_of(gather(profiles, "x.example", Setup(), now=NOW).phones)


async def test_nothing_is_sent_for_them() -> None:
    asked = await ask_for(
        Prober(Limits()), "unresolvable.invalid", 443, classes(UNKNOWN), name="x"
    )
    assert asked == {}


def test_their_stand_in_is_nobodys_hello() -> None:
    alone, beside = classes(UNKNOWN), classes(UNKNOWN, KNOWN)
    assert hellos_of(alone) == ()
    assert len(beside) == 2
    assert [hello.origin for hello in hellos_of(beside)] == [
        "derived from the matrix row 10.1"
    ]


def test_a_report_has_them_beside_the_others() -> None:
    report = check_answers(
        {}, classes(UNKNOWN), Question("x.example", NOW),
        label="x", host="x.example", port=443, checked_at=NOW, calendar=True,
    )  # fmt: skip
    assert report.counts[Outcome.UNKNOWN] == 1
    assert report.sentence.startswith("unknown: no source tells")
    assert report.exit_code() == 1
    assert report.calendar is not None
    chain = check_chain(
        [], classes(UNKNOWN, KNOWN), Question("x.example", NOW),
        label="x", checked_at=NOW,
    )  # fmt: skip
    assert chain.counts[Outcome.UNKNOWN] == 1
    assert chain.counts[Outcome.PHONE_REFUSES] == 1
