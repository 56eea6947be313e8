"""``user=4711,password=…,registrar=pbx.example.com``: one account as it is typed.

A comma ends a value only where a word and ``=`` follow, or the bare word ``password``,
which says that it is asked for. So a password may hold commas; one with a comma, a word
and ``=`` in it has to be asked for.

Rule: no error repeats a value.
"""

import difflib
import re
from dataclasses import dataclass
from typing import Final

from linekey.errors import InputError
from linekey.makers.terms import ACCOUNT_TERMS, MOST_ACCOUNTS, TERMS, problem_of

WORDS: Final = {term.short: term.name for term in ACCOUNT_TERMS}
"""What may be said of an account, and the term that it is."""
NUMBER: Final = "number"
_ASK: Final = "password"
_WITH_COMMAS: Final = ("password", "display_name", "label")
_NEXT = re.compile(r",(?=\s*(?:(?:[a-z_]+)\s*=|password\s*(?:,|$)))")


@dataclass(frozen=True, slots=True, repr=False)
class Account:
    """One account: its number, and what is said of it by term."""

    number: int
    values: tuple[tuple[str, str], ...]
    """Name of a term, and its value."""
    asks: tuple[str, ...] = ()
    """Names of terms whose values are to be asked for."""

    def __repr__(self) -> str:
        return f"Account({self.number}, {[name for name, _ in self.values]})"


def parse_account(text: str, number: int) -> Account:
    """Read what is typed; ``number`` is the account's, unless it says one.

    Raises InputError for a word that is none of an account's, for a value that it
    cannot have, and for one without a user.
    """
    values: dict[str, str] = {}
    asks: list[str] = []
    for part in _NEXT.split(text):
        word, equals, value = part.strip().partition("=")
        word = word.strip()
        if word == NUMBER and equals:
            if not re.fullmatch(r"[0-9]{1,2}", value.strip(), re.ASCII):
                raise InputError("--account: number is 1, 2, 3 and so on")
            number = int(value)
            continue
        if word == _ASK and not equals:
            asks.append(WORDS[_ASK])
            continue
        if word not in WORDS or not equals:
            raise _unknown(word if equals else "")
        name = WORDS[word]
        if name in values:
            raise InputError(f"--account: {word} is there twice", hint="keep one")
        value = value if TERMS[name].secret else value.strip()
        if "," in value and word not in _WITH_COMMAS:
            raise InputError(
                f"--account: {word} holds a comma, or what follows it has no =",
                hint=f"the words are {', '.join((*WORDS, NUMBER))}",
            )
        if problem := problem_of(name, 1, value):
            raise InputError(f"--account: {problem}")
        values[name] = value
    if not 1 <= number <= MOST_ACCOUNTS:
        raise InputError(
            f"--account: number is {number}", hint=f"it is 1 to {MOST_ACCOUNTS}"
        )
    if WORDS["user"] not in values:
        raise InputError(
            "--account: it says no user",
            hint="such as user=4711,password,registrar=pbx.example.com,transport=tls",
        )
    return Account(number, tuple(values.items()), tuple(asks))


def _unknown(word: str) -> InputError:
    near = difflib.get_close_matches(word, (*WORDS, NUMBER), n=1, cutoff=0.6)
    shown = f": {word[:24]!r}" if re.fullmatch(r"[a-z_]{1,24}", word) else ""
    meant = f"did you mean {near[0]}? " if near else ""
    return InputError(
        f"--account: not a word of an account{shown}",
        hint=f"{meant}it is {', '.join((*WORDS, NUMBER))}, each with = and its"
        " value; a bare password is asked for",
    )
