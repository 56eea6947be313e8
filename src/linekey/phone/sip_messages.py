"""The SIP messages a phone sends: REGISTER, and replies to what the server asks.

Rules: RFC 3261 §8.1.1 and §10.2 for the request, §8.2.6 for replies (Via, From, To,
Call-ID and CSeq are given back as they came).
"""

from contextlib import suppress
from dataclasses import dataclass

from sipmessage import URI, Address, CSeq, Parameters, Request, Response, Via

from linekey.phone.sip_account import SipAccount

ALLOW = "INVITE, ACK, CANCEL, BYE, OPTIONS, NOTIFY"


@dataclass(frozen=True, slots=True)
class Line:
    """An account on one connection."""

    account: SipAccount
    local_host: str
    local_port: int
    user_agent: str
    contact_id: str
    """Tells this phone's Contact from others of the same account (``line=``)."""

    @property
    def transport(self) -> str:
        """``tls`` or ``tcp``, as in Via and URIs."""
        return "tls" if self.account.tls else "tcp"

    @property
    def contact(self) -> URI:
        """Where this phone is reached: over the connection it opened."""
        return URI(
            scheme="sip",
            user=self.account.user,
            host=_bracketed(self.local_host),
            port=self.local_port,
            parameters=Parameters(transport=self.transport, line=self.contact_id),
        )

    def granted_s(self, message: Response, asked_s: int) -> int:
        """How long the registrar keeps the registration, in seconds, at least 1.

        The ``expires`` of our own Contact, else the Expires header, else what was
        asked (RFC 3261 §10.2.4).
        """
        texts = [message.headers.get("Expires")]
        # Somebody else's Contact may be one that this library cannot read.
        with suppress(ValueError):
            texts[:0] = [
                address.parameters.get("expires")
                for address in message.contact
                if address.uri.parameters.get("line") == self.contact_id
            ]
        for text in texts:
            if text and text.strip().isascii() and text.strip().isdigit():
                return min(max(int(text), 1), 2**31)
        return asked_s


def make_register(
    line: Line,
    *,
    call_id: str,
    tag: str,
    branch: str,
    cseq: int,
    expires_s: int,
    proof: tuple[str, str] | None = None,
) -> bytes:
    """A REGISTER; ``proof`` is an authorization header and its value."""
    account = line.account
    request = Request("REGISTER", URI(scheme="sip", host=account.registrar))
    own = URI(scheme="sip", user=account.user, host=account.registrar)
    request.via = [
        Via(
            transport=line.transport.upper(),
            host=_bracketed(line.local_host),
            port=line.local_port,
            parameters=Parameters(branch=f"z9hG4bK{branch}", rport=None),
        )
    ]
    request.max_forwards = 70
    request.from_address = Address(own, account.display_name, Parameters(tag=tag))
    request.to_address = Address(own, account.display_name)
    request.call_id = call_id
    request.cseq = CSeq(cseq, "REGISTER")
    request.contact = [Address(line.contact)]
    request.expires = expires_s
    request.headers.set("User-Agent", line.user_agent)
    request.headers.set("Allow", ALLOW)
    request.headers.set("Supported", "path")
    if proof is not None:
        request.headers.set(*proof)
    request.content_length = 0
    return bytes(request)


def make_reply(
    request: Request, code: int, phrase: str, user_agent: str, tag: str
) -> bytes:
    """A reply without a body. Raises KeyError or ValueError where none can be sent."""
    response = Response(code, phrase)
    for value in request.headers.getlist("Via"):
        response.headers.add("Via", value)
    response.headers.set("From", request.headers["From"])
    to = request.to_address
    if "tag" not in to.parameters and code > 100:
        response.to_address = Address(to.uri, to.name, to.parameters.replace(tag=tag))
    else:
        response.headers.set("To", request.headers["To"])
    response.headers.set("Call-ID", request.headers["Call-ID"])
    response.headers.set("CSeq", request.headers["CSeq"])
    response.headers.set("User-Agent", user_agent)
    if code in (200, 405):
        response.headers.set("Allow", ALLOW)
    response.content_length = 0
    return bytes(response)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
