"""Passwords that can be guessed, that several phones have, or that anybody may fetch.

Rule: a password is compared and never shown, and no hash of one either. What a template
puts in is not looked at.

Sources: makers' defaults as the templates of PBX-TEMPLATES have them (M); the shortest
length that NIST SP 800-63B §5.1.1.1 allows is eight.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from linekey.lint.finding import LintFinding, found
from linekey.lint.meaning import Said
from linekey.lint.source import Source

SHORTEST: Final = 8
TERMS: Final = {
    "any.account.password": "any.account.user",
    "any.directory.password": "any.directory.user",
    "any.provisioning.password": "any.provisioning.user",
    "any.admin.password": "",
    "any.web.password": "any.web.user",
}
"""Terms that are passwords, and whose name goes with each."""
_OF_PHONES: Final = ("any.account.password", "any.admin.password", "any.web.password")
"""Those that each phone has its own of: a directory's may be one for all."""
_COMMON: Final = frozenset(
    "password passwort passw0rd admin administrator user root guest default secret "
    "geheim test changeme letmein welcome qwerty asdfgh abc123 phone telefon voip sip "
    "pbx 456 123 22222 23646 789234 0000 1234 yealink polycom poly snom grandstream "
    "gigaset".split()
)


class Spoken(NamedTuple):
    """A file, and what it says."""

    source: Source
    said: tuple[Said, ...]


def trivial(spoken: Spoken) -> Iterator[LintFinding]:
    """Passwords of one file that can be guessed."""
    users = {(s.term, s.idx): s.value for s in spoken.said if not s.open}
    for said in spoken.said:
        if said.term not in TERMS or said.open or not said.value:
            continue
        user = users.get((TERMS[said.term], said.idx), "")
        if reason := why_trivial(_bare(said.value), user):
            yield found(
                spoken.source, "password.trivial", said.line, detail=reason, show=False
            )


def why_trivial(password: str, user: str = "") -> str:
    """Why a password can be guessed, a clause; empty: nothing is known against it.

    The clause tells nothing that helps to guess it: not its length, nor its letters.
    """
    low = password.lower()
    if user and low == user.lower():
        return "it is the user's name"
    if low in _COMMON or low.rstrip("0123456789!.") in _COMMON:
        return "it is one of those that are tried first"
    if len(set(low)) <= 2 or _is_run(low):
        return "it is a run of the same or of neighbouring characters"
    if len(password) < SHORTEST:
        return f"it has fewer than {SHORTEST} characters"
    return ""


def _is_run(text: str) -> bool:
    steps = {ord(b) - ord(a) for a, b in pairwise(text)}
    return len(text) > 1 and steps in ({1}, {-1}, {0})


def _bare(value: str) -> str:
    """Without the role before it: Yealink writes ``admin:secret``."""
    return re.sub(r"^(?:admin|user|var):", "", value)


def common(spoken: Spoken) -> Iterator[LintFinding]:
    """Passwords of lines in a file that is not one phone's by its name."""
    if not _is_common(spoken.source.name):
        return
    for said in spoken.said:
        if said.term == "any.account.password" and said.value and not said.open:
            yield found(spoken.source, "password.common", said.line, show=False)


_COMMON_NAME: Final = re.compile(
    r"y0{7,}[0-9]*\.(?:cfg|boot)|0{12}[\w-]*\.(?:cfg|xml)|cfg(?:[a-z]{2,3}[0-9]\w*)?\.xml"
    r"|snom(?:[A-Za-z]?[0-9]{2,4})?\.(?:htm|xml)",
    re.IGNORECASE,
)


def _is_common(name: str) -> bool:
    """Whether phones ask for a file of this name whatever their MAC is."""
    return _COMMON_NAME.fullmatch(_last(name)) is not None


def shared(files: Sequence[Spoken]) -> Iterator[tuple[int, LintFinding]]:
    """Passwords that files of several phones have, each with the place of its file.

    A phone is told by the MAC in its file's name; a file without one is a phone of its
    own.
    """
    by_value: dict[tuple[str, str], list[tuple[int, Said]]] = {}
    for place, spoken in enumerate(files):
        for said in spoken.said:
            if said.term in _OF_PHONES and not said.open and said.value.strip():
                key = said.term, _bare(said.value)
                by_value.setdefault(key, []).append((place, said))
    for holders in by_value.values():
        whose = {phone_of(files[place].source.name) for place, _ in holders}
        if len(whose) < 2:
            continue
        others = len(whose) - 1
        detail = f"{others} other{'s' if others > 1 else ''} of these files"
        told: set[int] = set()
        for place, said in holders:
            if place not in told:
                told.add(place)
                yield place, found(
                    files[place].source, "password.shared", said.line,
                    detail=f"with {detail}", show=False,
                )  # fmt: skip


_MAC: Final = re.compile(r"(?<![0-9a-fA-F])([0-9a-fA-F]{12})(?![0-9a-fA-F])")


def phone_of(name: str) -> str:
    """The phone whose file it is by its name: its MAC, else the whole name."""
    found_ = _MAC.search(_last(name).removeprefix("cfg").removeprefix("y"))
    return name if found_ is None or not found_[1].strip("0") else found_[1].upper()


def _last(name: str) -> str:
    return re.split(r"[/\\]", name)[-1]
