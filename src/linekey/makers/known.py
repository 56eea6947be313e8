"""Which settings are known, whoever's phone they are for, and which are secrets.

One question for every place that takes a setting's name from people or stores its
value: Snom's catalogue (``catalog.known_settings``), the neutral vocabulary
(``terms``), and the makers' own settings (``Maker.known``). ``maker:name`` is one
maker's wherever it stands; a name without a maker is Snom's in a layer that makers
share, and in a model's or a phone's own layer also that maker's.

Rule: what any maker calls a secret is one under its bare name, since a layer does not
say whose it is.
"""

import difflib
from collections.abc import Collection, Iterable
from dataclasses import replace
from functools import lru_cache, partial
from typing import Final

from linekey.catalog.known_settings import UnknownSetting, find_known
from linekey.catalog.known_settings import refuse_unknown as refuse_unknown_by
from linekey.catalog.known_settings import why_unknown as why_unknown_snom
from linekey.catalog.secrecy import is_secret as is_secret_snom
from linekey.errors import InputError
from linekey.makers.all import MAKERS
from linekey.makers.grammar import Line
from linekey.makers.maker import Maker
from linekey.makers.terms import TERMS, is_term, problem_of
from linekey.said import say

_NEAR: Final = 0.72
_OTHERS: Final = tuple(m for m in MAKERS.values() if not m.snom_like)


def split(name: str) -> tuple[str, str]:
    """The maker and the name of ``maker:name``; an empty maker for a bare name."""
    maker, colon, rest = name.partition(":")
    return (maker, rest) if colon else ("", name)


@lru_cache(maxsize=8192)
def _secrecy(name: str) -> bool | None:
    """Whether a setting is a secret; None: no maker's setting is called so."""
    if is_term(name):
        term = TERMS.get(name)
        return None if term is None else term.secret
    prefix, bare = split(name)
    if prefix:
        maker = MAKERS.get(prefix)
        if maker is None:
            return None
        if not maker.snom_like:
            return maker.is_secret(bare)
    if find_known(bare) is not None:
        return is_secret_snom(bare)
    if prefix:
        return None
    found = [maker.is_secret(bare) for maker in _OTHERS]
    if any(found):
        return True
    return False if False in found else None


def is_known(name: str) -> bool:
    """Whether any phone is known to have a setting of this name."""
    return _secrecy(name) is not None


def is_secret(name: str) -> bool:
    """Whether a setting of this name is a secret, whatever its value.

    By what is known of it; else by the look of its name (``catalog.secrecy``).
    """
    found = _secrecy(name)
    return is_secret_snom(split(name)[1]) if found is None else found


def why_unknown(
    name: str,
    idx: int | None,
    more: Iterable[str] = (),
    maker: str | None = None,
) -> UnknownSetting | None:
    """Why no phone is known to have this setting; None: it is known just so.

    ``maker`` is whose a bare name is; None: anybody's. ``more`` are other words that
    could have been meant.
    """
    written = name if idx is None else f"{name}[{idx}]"
    if is_term(name):
        problem = problem_of(name, idx)
        if not problem:
            return None
        near = difflib.get_close_matches(name, TERMS, n=1, cutoff=_NEAR)
        return UnknownSetting(written, problem, TERMS[near[0]].written if near else "")
    prefix, bare = split(name)
    if prefix and prefix not in MAKERS:
        near = difflib.get_close_matches(prefix, MAKERS, n=1, cutoff=0.6)
        reason = say(
            "%(maker)s in %(name)s is no maker that linekey writes files for",
            maker=repr(prefix[:20]), name=repr(written[:60]),
        )  # fmt: skip
        return UnknownSetting(written, reason, f"{near[0]}:{bare}" if near else "")
    whose = MAKERS.get(prefix or (maker or "").removeprefix("lab-"))
    if whose is not None and not whose.snom_like:
        return _unknown_of(whose, written, bare, idx, prefix)
    anybody = whose is None and maker is None and idx is None
    has_it = [m.id for m in _OTHERS if idx is None and m.knows(bare)]
    if anybody and has_it:
        return None
    odd = why_unknown_snom(bare, idx, more)
    if odd is not None and not odd.instead and has_it and not prefix:
        return replace(odd, instead=f"{has_it[0]}:{bare}")
    return odd


def _unknown_of(
    maker: Maker, written: str, bare: str, idx: int | None, prefix: str
) -> UnknownSetting | None:
    if idx is None and maker.knows(bare):
        return None
    names = [n.replace("{n}", "1") for f in maker.map.fields for n in f.names]
    near = difflib.get_close_matches(bare, names, n=1, cutoff=_NEAR)
    lead = f"{prefix}:" if prefix else ""
    reason = say(
        "%(name)s is no known setting of %(maker)s",
        name=repr(written), maker=maker.title,
    )  # fmt: skip
    if idx is not None:
        reason = say(
            "%(name)s is no known setting of %(maker)s, whose settings have no idx:"
            " numbers stand in their names",
            name=repr(written), maker=maker.title,
        )  # fmt: skip
    return UnknownSetting(written, reason, f"{lead}{near[0]}" if near else "")


def refuse_unknown(
    slots: Iterable[tuple[str, int | None]],
    marked: Collection[tuple[str, int | None]] = (),
    maker: str | None = None,
) -> None:
    """Raise InputError if any (name, idx) is not a known setting; all are told.

    As ``catalog.known_settings.refuse_unknown``; ``maker`` is as for ``why_unknown``.
    """
    refuse_unknown_by(slots, marked, partial(why_unknown, maker=maker))


def refuse_uncarried(
    settings: Iterable[tuple[str, int | None, str]], maker: str | None = None
) -> None:
    """Raise InputError for the first (name, idx, value) that no file can carry.

    ``maker`` is whose a bare name is, and whose words a neutral setting is written in;
    None: nobody's. No value is repeated.
    """
    whose = MAKERS.get((maker or "").removeprefix("lab-"))
    for name, idx, value in settings:
        prefix, bare = split(name)
        its = MAKERS.get(prefix) if prefix else whose
        if its is None or its.snom_like:
            continue
        line = Line(bare, value, idx)
        lines = [its.translate(line)]
        if is_term(name):
            lines = [] if name.startswith("any.trust.") else its.lines_of([line])[0]
        for one in lines:
            if problem := its.grammar.problem_of(one):
                raise InputError(
                    say(
                        "%(name)s cannot stand in a file of %(maker)s: %(problem)s",
                        name=repr(name[:60]), maker=its.title, problem=problem,
                    ),
                    hint=say("change the value; --allow-unknown takes it as it is,"
                             " and the file leaves it out"),
                )  # fmt: skip
