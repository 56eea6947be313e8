"""What a certificate is worth after its end, as the operator says.

A maker's authority ends one day, and its phones live on: Grandstream's first one ends
on 2027-06-11 (MTLS-PROTECT, H), and some of Cisco's certificates have ended. A phone
cannot renew what was built into it. So the operator says what is done with a path that
holds but for its end (``Expired``):

    refuse        nothing is handed out; the TLS handshake already fails
    named         only the phones and groups that say ``registered`` or ``accept``
    registered    phones that were registered before the end, with a second factor
    accept        the certificate counts as before, and each decision says that it ended

The word on the CA nearest to the leaf counts, else the server's (``ExpiredRules``). If
it is ``refuse``, that is final: nobody asks the registry inside a handshake. If not,
the phone's own word counts, then its group's, then the CA's (``policy_for``).

Rules: only an end is forgiven, never a date that is to come, a revoked phone, or a path
that does not hold. Who has come by an ended certificate is no newcomer: nothing waits
for him and no rule registers him.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from linekey.errors import InputError
from linekey.said import say
from linekey.words import choice_hint


class Expired(StrEnum):
    """What is done with a certificate path that has ended."""

    REFUSE = "refuse"
    NAMED = "named"
    REGISTERED = "registered"
    ACCEPT = "accept"

    @property
    def opens(self) -> bool:
        """Whether the handshake lets such a path through, and the registry is asked."""
        return self is not Expired.REFUSE


OF_PHONES = (Expired.REFUSE, Expired.REGISTERED, Expired.ACCEPT)
"""What a phone or a group may say of itself."""


@dataclass(frozen=True, slots=True)
class ExpiredRules:
    """The operator's words: the server's, and those on CAs by the SHA-256 of their key.

    A renewed certificate of a CA has its key, and so its word.
    """

    otherwise: Expired = Expired.REFUSE
    of_cas: Mapping[str, Expired] | None = None

    @property
    def open(self) -> bool:
        """Whether any phone may come after its certificate's end."""
        words = (self.otherwise, *(self.of_cas or {}).values())
        return any(word.opens for word in words)

    def of(self, authorities: Sequence[str]) -> Expired:
        """The word for a path of CAs with these keys (SHA-256), nearest first."""
        for key in authorities:
            if (policy := (self.of_cas or {}).get(key)) is not None:
                return policy
        return self.otherwise


class AtEnd(NamedTuple):
    """What a phone's record says of the time after its certificate's end."""

    expired: Expired | None = None
    registered_at: datetime | None = None
    has_password: bool = False
    """Whether it has an HTTP user name and password."""


def policy_for(
    of_ca: Expired, of_group: str | None, of_phone: Expired | None
) -> Expired:
    """What holds for one phone; ``named`` without anybody's word is ``refuse``."""
    if not of_ca.opens:
        return Expired.REFUSE
    if of_phone is not None:
        return of_phone
    if of_group is not None:
        return Expired(of_group)
    return Expired.REFUSE if of_ca is Expired.NAMED else of_ca


def was_registered(registered_at: datetime | None, end: datetime) -> bool:
    """Whether a phone was registered before its certificate ended. Unknown: no."""
    return registered_at is not None and registered_at <= end


def parse_expired(text: str, *, of_phone: bool = False) -> Expired | None:
    """Read the word on a CA, or a phone's; None for ``default``. Raises InputError."""
    word = text.strip().lower()
    if word == "default":
        return None
    known = OF_PHONES if of_phone else tuple(Expired)
    if word in known:
        return Expired(word)
    after = (
        say("as its group or its CA says") if of_phone else say("as linekey.toml says")
    )
    raise InputError(
        say("no policy for expired certificates: %(text)s", text=repr(text[:40])),
        hint=say(
            "%(choice)s; default: %(after)s",
            choice=choice_hint(word, known),
            after=after,
        ),
    )
