"""What the phones of a load do, and how often: ``boot,register,keys=3,lookup``.

Rules: what stands first in a phone's life, booting and registering, is done once by
each phone, when it starts; a weight has it done again as often as the others. All else
is chosen by its weight each time a phone has thought for a while. Names are those of
``KINDS``; nothing here draws a number that was not handed in.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

from linekey.digits import digits_of
from linekey.errors import InputError
from linekey.words import choice_hint

MOST_WEIGHT: Final = 1000


@dataclass(frozen=True, slots=True)
class Kind:
    """One thing that a phone does; ``needs`` says what it must have for that."""

    name: str
    does: str
    needs: str
    first: bool = False
    """Whether each phone does it when it starts."""


KINDS: Final = (
    Kind("boot", "switch on and fetch the configuration by mutual TLS", "--server",
         first=True),
    Kind("register", "register the phone's lines over SIP and TLS",
         "an account, from the server or with --registrar", first=True),
    Kind("refresh", "fetch the configuration again", "--server"),
    Kind("keys", "press a function key that opens a page",
         "a function key of type url in its configuration"),
    Kind("lookup", "look a name up in the LDAP directory",
         "ldap_server in its configuration"),
    Kind("actions", "fetch an action URL", "an action URL in its configuration"),
)  # fmt: skip
_BY_NAME: Final = {kind.name: kind for kind in KINDS}


@dataclass(frozen=True, slots=True)
class Mix:
    """What the phones do; ``weights`` 0: only when a phone starts."""

    weights: Mapping[str, int]

    def __contains__(self, name: str) -> bool:
        """Whether the phones do this at all."""
        return name in self.weights

    @property
    def again(self) -> Mapping[str, int]:
        """What is done over and over, with its weight."""
        return {name: weight for name, weight in self.weights.items() if weight}

    def choose(self, chance: float) -> str | None:
        """What comes next for a ``chance`` of 0 to 1; None where nothing is repeated.

        A chance picks the same kind each time.
        """
        again = self.again
        left = chance * sum(again.values())
        for name, weight in again.items():
            if left < weight:
                return name
            left -= weight
        return list(again)[-1] if again else None

    @property
    def text(self) -> str:
        """It as it is written on the command line."""
        return ",".join(
            name if weight == _usual(name) else f"{name}={weight}"
            for name, weight in self.weights.items()
        )

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``boot,register,keys=3``. Raises InputError."""
        weights: dict[str, int] = {}
        for part in filter(None, (part.strip() for part in text.split(","))):
            name, mark, number = part.partition("=")
            name = name.strip().lower()
            if name not in _BY_NAME:
                raise InputError(
                    f"--mix: no phone does {name[:40]!r}",
                    hint=choice_hint(name, _BY_NAME),
                )
            if name in weights:
                raise InputError(
                    f"--mix has {name} twice", hint="write it once, with its weight"
                )
            weight = digits_of(number.strip(), MOST_WEIGHT + 1) if mark else None
            if mark and (weight is None or not 1 <= weight <= MOST_WEIGHT):
                raise InputError(
                    f"--mix: {number[:20]!r} is no weight for {name}",
                    hint=f"write {name}=3, of 1 to {MOST_WEIGHT}",
                )
            weights[name] = _usual(name) if weight is None else weight
        if not weights:
            raise InputError(
                "--mix is empty", hint=f"name one or more of {', '.join(_BY_NAME)}"
            )
        order = [kind.name for kind in KINDS if kind.name in weights]
        return cls({name: weights[name] for name in order})


def _usual(name: str) -> int:
    return 0 if _BY_NAME[name].first else 1
