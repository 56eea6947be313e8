"""Why something was decided, in the language of the page.

The log has a reason's name and, in English, what this case has beyond its sentence. The
sentence is the one that the command line prints, or its translation; what this case
adds is said in the page's language where ``recorded`` finds what it was made of.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from linekey.console.facts import DecisionLine
from linekey.console.web.language import Language
from linekey.provisioning.decision import Reason
from linekey.wire.door.refusal import REFUSALS

_REASONS = frozenset(Reason)


class Told(NamedTuple):
    """A reason in words."""

    sentence: str
    detail: str
    """What this case adds; empty: nothing."""
    cure: str
    foreign: bool = False
    """Whether ``detail`` is English in a page of another language."""


def told(line: Mapping[str, Any], language: Language) -> Told:
    """Tell a line of the log, as the API gives it."""
    reason, detail = line["reason"], line["detail"] or ""
    row = Reason(reason) if reason in _REASONS else REFUSALS.get(reason)
    if row is None:
        sentence, _ = language.in_words(detail or reason)
        return Told(sentence, "", language.in_words(line["cure"] or "")[0])
    decided = line["kind"] == "decision"
    if language.code == "en" and (not decided or reason not in _REASONS):
        # The door's line has the whole sentence of its case.
        return Told(detail or row.sentence, "", line["cure"] or row.cure)
    whole = f"{row.sentence} ("
    if detail.startswith(whole) and detail.endswith(")"):
        detail = detail.removeprefix(whole)[:-1]
    if detail == row.sentence:
        detail = ""
    extra, foreign = language.in_words(detail)
    if reason == Reason.REVOKED:
        extra, foreign = detail, False  # the operator's own words
    return Told(language.t(row.sentence), extra, language.t(row.cure), foreign)


def tell_forecast(found: dict[str, Any], language: Language) -> None:
    """Put a forecast, as the API has it, into the language.

    Each event gets its sentence as ``told``; a note is a pair with whether it is in
    English all the same.
    """
    words = found["words"]
    renewal = found["renewal"] or {"lost": (), "gained": ()}
    for events, is_so in (
        (found["already"], True), (found["events"], False), (renewal["lost"], True),
        (renewal["gained"], False),
    ):  # fmt: skip
        for event in events:
            event["told"] = (
                event["sentence"]
                if language.code == "en"
                else _event(event, is_so, language)
            )
            for name in ("cause", "cure", "condition"):
                event[name] = event[name] and language.tell(event[name], words)
    found["condition"] = language.tell(found["condition"], words)
    found["notes"] = [language.in_words(note, words) for note in found["notes"]]


def _event(event: Mapping[str, Any], is_so: bool, language: Language) -> str:
    count, kind, n = event["phones"], event["kind"], language.n
    if kind == "recognised" and is_so:
        return n(
            "%(n)s phone is not recognised any more",
            "%(n)s phones are not recognised any more", count,
        )  # fmt: skip
    if kind == "recognised":
        return n(
            "%(n)s phone stops being recognised", "%(n)s phones stop being recognised",
            count,
        )  # fmt: skip
    if kind == "begins":
        text = n(
            "%(n)s phone begins accepting %(server)s",
            "%(n)s phones begin accepting %(server)s", count,
        )  # fmt: skip
    elif is_so:
        text = n(
            "%(n)s phone refuses %(server)s", "%(n)s phones refuse %(server)s", count
        )
    else:
        text = n(
            "%(n)s phone stops accepting %(server)s",
            "%(n)s phones stop accepting %(server)s", count,
        )  # fmt: skip
    if event["condition"]:
        text = language.t("perhaps: %(what)s").replace("%(what)s", text)
    return text.replace("%(server)s", str(event["server"]))


def why(line: DecisionLine, language: Language) -> str:
    """A line's sentence; in another language at least its reason's."""
    said, foreign = language.in_words(line.sentence)
    if not foreign:
        return said
    named = name_of(line.reason, language)
    return said if named == line.reason else named


def name_of(reason: str, language: Language) -> str:
    """A reason's sentence, without any case."""
    if reason in _REASONS:
        return language.t(Reason(reason).sentence)
    row = REFUSALS.get(reason)
    return reason if row is None else language.t(row.sentence)
