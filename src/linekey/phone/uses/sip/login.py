"""What a line answers to digest challenges: all of them, and none without end.

A registrar asks with 401, each proxy before it with 407, and a response that a proxy
put together of several servers' names several realms. Challenges are kept by header
and realm, and every request answers all of them (RFC 3261 §22.3, RFC 8760).

Rules: in one attempt a realm is answered once, and once more where it calls the nonce
stale (RFC 7616 §3.3); anything else that it asks again means a wrong password. No more
than ``MOST_REALMS`` are answered.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from sipmessage import Response

from linekey.digest import Challenge, answer, asked_schemes, challenges_by_realm
from linekey.phone.uses.sip.account import SipAccount

MOST_REALMS: Final = 4
"""Realms on the way to one registrar; two are usual, a proxy's and the registrar's."""
_ANSWERS: Final = {
    401: ("WWW-Authenticate", "Authorization"),
    407: ("Proxy-Authenticate", "Proxy-Authorization"),
}


@dataclass(slots=True)
class _Asked:
    """One challenge, and how often it was answered."""

    challenge: Challenge
    count: int = 0
    """Requests made with this nonce (``nc``)."""
    answers: int = 1
    """Challenges of this realm answered in this attempt."""


class Login:
    """The credentials of one line on one connection.

    ``token`` gives fresh random words for ``cnonce``.
    """

    def __init__(self, account: SipAccount, token: Callable[[], str]) -> None:
        self._account = account
        self._token = token
        self._asked: dict[tuple[str, str], _Asked] = {}

    def begin(self) -> None:
        """A new attempt: what was asked before is answered unasked, and counts anew."""
        for asked in self._asked.values():
            asked.answers = 0

    def challenged(self, message: Response) -> str:
        """Take a 401's or 407's challenges; why they will not be answered, or ``""``.

        The reason is a sentence for the log and the screen.
        """
        asks, answers = _ANSWERS[message.code]
        found = challenges_by_realm(message.headers.getlist(asks))
        if not found:
            named = asked_schemes(message.headers.getlist(asks)) or "none it can read"
            return (
                "the SIP server asks for an authentication this phone does not know: "
                f"{named}"
            )
        for realm, challenge in found.items():
            before = self._asked.get((answers, realm))
            times = 0 if before is None else before.answers
            if before is not None and not challenge.stale:
                same = challenge.nonce == before.challenge.nonce
                if times or same:
                    return (
                        "the SIP server does not take the password of"
                        f" {self._account.auth_user!r} (user_pass)"
                    )
            if times > 1:
                return "the SIP server calls every answer to its challenges stale"
            self._asked[answers, realm] = _Asked(challenge, answers=times + 1)
        if len(self._asked) > MOST_REALMS:
            return f"the SIP server asks for more than {MOST_REALMS} passwords"
        return ""

    def proofs(self, method: str, uri: str) -> list[tuple[str, str]]:
        """The authorization headers of the next request, and their values."""
        made = []
        for (header, _), asked in self._asked.items():
            asked.count += 1
            value = answer(
                asked.challenge,
                username=self._account.auth_user,
                password=self._account.password,
                method=method,
                uri=uri,
                nc=asked.count,
                cnonce=self._token(),
            )
            made.append((header, value))
        return made
