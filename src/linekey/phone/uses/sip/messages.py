"""The SIP messages a phone sends: REGISTER, and replies to what the server asks.

Rules: RFC 3261 §8.1.1 and §10.2 for the request, §8.2.6 for replies (Via, From, To,
Call-ID and CSeq are given back as they came). A Contact carries the phone's
``+sip.instance`` and ``reg-id=1`` (RFC 5626 §4.1, §4.2), so a registrar knows that the
binding of a new connection takes the place of the one before. Snom phones send the same
two; ``outbound`` in Supported, which lets a registrar act on them, is linekey's own.
``keep`` in Via asks whether the server answers keep-alives (RFC 6223 §4.2).
"""

import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property

from sipmessage import URI, Address, Parameters, Request, Response, Via

from linekey.digits import digits_of
from linekey.endpoint import bracketed
from linekey.mac import Mac
from linekey.phone.uses.sip.account import MAX_EXPIRY_S, SipAccount
from linekey.phone.uses.sip.syntax import has_tag, read_address

METHODS = ("INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "NOTIFY")
ALLOW = ", ".join(METHODS)
OUTBOUND, NO_OUTBOUND = "path, outbound", "path"
"""Values of Supported: with RFC 5626, and for a server that refuses it (439)."""
_HAS_OB = re.compile(r";\s*ob\s*(?=[;>,=]|$)", re.ASCII | re.IGNORECASE)


def instance_urn(mac: Mac) -> str:
    """The name of one phone for ever, for ``+sip.instance``: a UUID of its MAC.

    By RFC 5626 §4.1: version 1 of RFC 4122 at time 0, the MAC as node; a phone makes no
    second one, so the time says nothing. Snom phones end theirs in the MAC, too.
    """
    return f"urn:uuid:00000000-0000-1000-8000-{mac.digits.lower()}"


@dataclass(frozen=True)
class Line:
    """An account on one connection; what all its messages say is written once."""

    account: SipAccount
    local_host: str
    local_port: int
    user_agent: str
    contact_id: str
    """Tells this phone's Contact from others of the same account (``line=``)."""
    instance: str
    """The phone's own URN (``instance_urn``)."""

    @property
    def transport(self) -> str:
        """``tls`` or ``tcp``, as in Via and URIs."""
        return "tls" if self.account.tls else "tcp"

    @cached_property
    def registrar(self) -> URI:
        """The Request-URI of a REGISTER: the domain alone (RFC 3261 §10.2)."""
        return URI(scheme="sip", host=self.account.registrar)

    @cached_property
    def own(self) -> str:
        """The account's own address, for From and To."""
        uri = URI(scheme="sip", user=self.account.user, host=self.account.registrar)
        return str(Address(uri, self.account.display_name))

    @cached_property
    def contact(self) -> str:
        """Where this phone is reached: over the connection it opened."""
        parameters = Parameters(transport=self.transport, line=self.contact_id)
        uri = URI(
            scheme="sip",
            user=self.account.user,
            host=bracketed(self.local_host),
            port=self.local_port,
            parameters=parameters,
        )
        # sipmessage would percent-encode the plus and the quotes.
        return f'{Address(uri)};reg-id=1;+sip.instance="<{self.instance}>"'

    @cached_property
    def via(self) -> str:
        """The Via without its parameters: each request has a branch of its own."""
        return str(
            Via(
                transport=self.transport.upper(),
                host=bracketed(self.local_host),
                port=self.local_port,
            )
        )

    def granted_s(self, message: Response, asked_s: int) -> int:
        """How long the registrar keeps the registration, in seconds, at least 1.

        The ``expires`` of our own Contact, else the Expires header, else what was
        asked (RFC 3261 §10.2.4). A registrar that does not know ``+sip.instance`` also
        lists what earlier connections left; of those this connection's own counts.
        """
        texts = [message.headers.get("Expires")]
        # Somebody else's Contact may be one that this library cannot read.
        with suppress(ValueError):
            ours = [
                address
                for address in message.contact
                if address.uri.parameters.get("line") == self.contact_id
            ]
            ours.sort(key=lambda address: address.uri.port != self.local_port)
            texts[:0] = [address.parameters.get("expires") for address in ours]
        for text in texts:
            granted = digits_of(text or "", MAX_EXPIRY_S)
            if granted is not None:
                return max(granted, 1)
        return asked_s


def keep_alives_s(message: Response) -> int | None:
    """What a 2xx says of keep-alives: None nothing, else that the server answers them.

    The number is how often it wants them, in seconds, 0 where it does not say: from
    Flow-Timer (RFC 5626 §4.4), else ``keep=`` in our Via (RFC 6223 §4.3). That outbound
    is in use (Require, or ``ob`` in Path) says the same without a number.
    """
    headers = message.headers
    flow_timer = digits_of(headers.get("Flow-Timer") or "", MAX_EXPIRY_S)
    if flow_timer is not None:
        return flow_timer
    via = (headers.get("Via") or "").partition(",")[0].split(";")[1:]
    for parameter in via:
        name, _, value = parameter.partition("=")
        seconds = digits_of(value, MAX_EXPIRY_S)
        if name.strip().lower() == "keep" and seconds is not None:
            return seconds
    outbound = any(
        word.strip().lower() == "outbound"
        for value in headers.getlist("Require")
        for word in value.split(",")
    )
    path = any(_HAS_OB.search(value) is not None for value in headers.getlist("Path"))
    return 0 if outbound or path else None


def make_register(
    line: Line,
    *,
    call_id: str,
    tag: str,
    branch: str,
    cseq: int,
    expires_s: int,
    supported: str = OUTBOUND,
    proofs: Iterable[tuple[str, str]] = (),
) -> bytes:
    """A REGISTER; ``proofs`` are authorization headers and their values."""
    request = Request("REGISTER", line.registrar)
    add = request.headers.add
    add("Via", f"{line.via};branch=z9hG4bK{branch};rport;keep")
    add("Max-Forwards", "70")
    add("From", f"{line.own};tag={tag}")
    add("To", line.own)
    add("Call-ID", call_id)
    add("CSeq", f"{cseq} REGISTER")
    add("Contact", line.contact)
    add("Expires", str(expires_s))
    add("User-Agent", line.user_agent)
    add("Allow", ALLOW)
    add("Supported", supported)
    for header, value in proofs:
        add(header, value)
    add("Content-Length", "0")
    return bytes(request)


def make_reply(
    request: Request,
    code: int,
    phrase: str,
    user_agent: str,
    tag: str,
    *,
    headers: Iterable[tuple[str, str]] = (),
    agent_header: str = "User-Agent",
) -> bytes:
    """A reply without a body; what it gives back is as it came, byte for byte.

    Raises KeyError or ValueError where none can be sent: there is no Via, or what a
    reply needs cannot be read. A 400 gives back what there is.
    """
    asked, lenient = request.headers, code == 400
    lines = [f"SIP/2.0 {code} {phrase}"]
    lines += [f"Via: {value}" for value in asked.getlist("Via")]
    if len(lines) == 1:
        raise ValueError("a request without Via")
    for name in ("From", "To", "Call-ID", "CSeq"):
        value = asked.get(name)
        if value is None:
            if lenient or code == 505:
                continue
            raise KeyError(name)
        if name == "To" and code > 100:
            try:
                tagged = has_tag(read_address(value)[2])
            except ValueError:
                if not lenient and code != 505:
                    raise
                tagged = False
            value = value if tagged else f"{value};tag={tag}"
        lines.append(f"{name}: {value}")
    lines.append(f"{agent_header}: {user_agent}")
    more = list(headers)
    if code in (200, 405) and not any(name == "Allow" for name, _ in more):
        lines.append(f"Allow: {ALLOW}")
    lines += [f"{name}: {value}" for name, value in more]
    lines += ["Content-Length: 0", "", ""]
    return "\r\n".join(lines).encode("utf-8", "surrogateescape")
