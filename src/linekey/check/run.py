"""A whole check as a function: answers or a chain file in, a report out.

Pure: whoever calls has asked the server (``linekey.check.prober``) or read the file.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from linekey.catalog.authorities import ALL_CAS, known_ca
from linekey.certs.certificate import Certificate
from linekey.check.answer import Answer, Reach
from linekey.check.assess import (
    Question,
    assess_answer,
    assess_chain,
    assess_unknown,
)
from linekey.check.calendar import calendar_of
from linekey.check.classes import PhoneClass
from linekey.check.other_answers import with_other_answers
from linekey.check.report import (
    CalendarEntry,
    ClassResult,
    Report,
    phones_in_words,
)
from linekey.tls.versions import Version
from linekey.trust.findings import Verdict
from linekey.trust.judge import judge
from linekey.trust.name_check import names_of
from linekey.trust.validity import day

_MAKER: Final = "snom"
"""Whose phones the catalogue has, as ``KnownCa.vendor`` says it."""


def check_chain(
    chain: Sequence[Certificate],
    classes: Sequence[PhoneClass],
    question: Question,
    *,
    label: str,
    checked_at: datetime,
    phone_clock: datetime | None = None,
    notes: Sequence[str] = (),
    calendar: bool = False,
) -> Report:
    """What every class would say to a chain that is on no server yet."""
    classes = _knowing_maker(classes, chain)
    results = tuple(
        assess_unknown(c) if c.is_unknown else assess_chain(c, chain, question)
        for c in classes
    )
    return Report(
        target={
            "kind": "chain",
            "label": label,
            "name": question.name,
            "host": None,
            "port": None,
        },
        checked_at=checked_at,
        at=question.at,
        phone_clock=phone_clock,
        classes=results,
        notes=(*notes, *_unseen_maker(classes, (chain,))),
        chain=tuple(describe(c) for c in chain),
        calendar=_calendar(
            [c for c in classes if not c.is_unknown],
            {c.id: chain for c in classes},
            question,
        )
        if calendar
        else None,
    )


def check_answers(
    answers: Mapping[tuple[object, ...], Answer],
    classes: Sequence[PhoneClass],
    question: Question,
    *,
    label: str,
    host: str,
    port: int,
    checked_at: datetime,
    phone_clock: datetime | None = None,
    notes: Sequence[str] = (),
    calendar: bool = False,
    elapsed_s: float = 0.0,
) -> Report:
    """What every class makes of a server's answers, keyed by ``Hello.wire_key``.

    There must be one for the hello of each class of which anything is known. Answers to
    their variants (``check.variants``) are looked at as well, and any answer at all
    shows that the server is there.
    """
    spoke = any(a.reach is Reach.ANSWERED for a in answers.values())
    # what the server sent to one hello may be what it left out for another
    seen = dict.fromkeys(c for a in answers.values() for c in a.chain)
    question = replace(question, known=(*question.known, *seen))
    classes = _knowing_maker(classes, seen)

    def assess(phones: PhoneClass, answer: Answer) -> ClassResult:
        return assess_answer(phones, answer, question, others_answered=spoke)

    results = tuple(
        assess_unknown(c)
        if c.is_unknown
        else with_other_answers(
            c,
            assess(c, answers[c.first.hello.wire_key]),
            answers,
            question.name,
            assess,
        )
        for c in classes
    )
    classes = [c for c in classes if not c.is_unknown]
    chains = {c.id: answers[c.first.hello.wire_key].chain for c in classes}
    distinct = dict.fromkeys(chain for chain in chains.values() if chain)
    more = [*notes, *_unseen_maker(classes, distinct)]
    if len(distinct) > 1:
        more.append(_who_is_shown_which(classes, chains, distinct))
    return Report(
        target={
            "kind": "server",
            "label": label,
            "name": question.name,
            "host": host,
            "port": port,
        },
        checked_at=checked_at,
        at=question.at,
        phone_clock=phone_clock,
        classes=results,
        notes=tuple(more),
        connections=len(answers)
        + sum(
            a.late is not None or a.version is Version.TLS1_3 for a in answers.values()
        ),
        elapsed_s=elapsed_s,
        chain=tuple(describe(c) for c in next(iter(distinct), ())),
        calendar=_calendar(classes, chains, question) if calendar else None,
    )


def _who_is_shown_which(
    classes: Sequence[PhoneClass],
    chains: Mapping[str, tuple[Certificate, ...]],
    distinct: Iterable[tuple[Certificate, ...]],
) -> str:
    """Which phones get which of a server's certificates: ``path`` has it for each."""
    shown = []
    for chain in distinct:
        pairs = [p for c in classes if chains[c.id] == chain for p in c.pairs]
        leaf = chain[0]
        shown.append(
            f"{leaf.label} with an {leaf.key.text} key (SHA-256 {leaf.sha256[:16]}) "
            f"to {len(pairs):,}: {phones_in_words(pairs)}"
        )
    return (
        f"the server shows {len(shown)} different chains, depending on the hello: "
        f"{' | '.join(shown)}"
    )


def _knowing_maker(
    classes: Sequence[PhoneClass], sent: Iterable[Certificate]
) -> list[PhoneClass]:
    """The classes with those CAs of their maker that a server sent on their tab.

    linekey ships none of them: they are known by their fingerprints.
    """
    known = ((c, known_ca(c)) for c in sent)
    found = [c for c, ca in known if ca is not None and ca.vendor == _MAKER]
    if not found:
        return list(classes)
    return [
        replace(
            c,
            phones=tuple(
                replace(p, state=p.state.knowing_maker(found)) for p in c.phones
            ),
        )
        for c in classes
    ]


def _unseen_maker(
    classes: Sequence[PhoneClass], chains: Iterable[Sequence[Certificate]]
) -> list[str]:
    """That a chain leads to a CA which the phones have and linekey does not."""
    names = {ca.name for ca in ALL_CAS if ca.vendor == _MAKER}
    here = {c for p in classes for c in p.first.state.maker_authorities}
    return list(
        dict.fromkeys(
            f"the chain leads to {chain[-1].issuer_label}, by its name a CA of the "
            "phones' maker: phones have it on their Certificate Authorities tab, "
            "linekey has only its fingerprint; append it to the chain, or import it "
            "(linekey trust add) and check with --fleet, to see their verdict"
            for chain in chains
            if chain
            and not chain[-1].self_issued
            and names & set(chain[-1].issuer.values("CN"))
            and not any(ca.subject.matches(chain[-1].issuer) for ca in here)
        )
    )


def _calendar(
    classes: Sequence[PhoneClass],
    chains: Mapping[str, Sequence[Certificate]],
    question: Question,
) -> tuple[CalendarEntry, ...]:
    def judge_at(phones: PhoneClass, at: datetime) -> Verdict:
        phone = phones.first
        return judge(
            chains[phones.id],
            question.name,
            phone.state.trust,
            phone.profile,
            phone.state.tls_settings,
            at,
        )

    return calendar_of(classes, question.at, judge_at)


def describe(certificate: Certificate) -> dict[str, Any]:
    """A certificate for reports."""
    return {
        "subject": str(certificate.subject),
        "label": certificate.label,
        "issuer": str(certificate.issuer),
        "serial": f"{certificate.serial:x}",
        "names": names_of(certificate),
        "not_before": day(certificate.not_before),
        "not_after": day(certificate.not_after),
        "key": certificate.key.text,
        "signature_algorithm": certificate.signature_algorithm,
        "version": certificate.version,
        "sha256": certificate.sha256,
        "sha1": certificate.sha1,
    }
