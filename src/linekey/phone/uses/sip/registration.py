"""A phone's registration: one account, from connecting to unregistering.

*Theory of operation.* ``Registration`` is told what happened (``started``,
``connected``, ``received``, ``disconnected``, ``stopping``, and ``tick`` when its
``due`` has come) and answers each with what to do: ``Connect``, ``Send``, ``Hang up``,
and events to log. It moves as ``states.LINE_STATES`` says; it owns no socket and no
clock.

Rules: RFC 3261 §10.2 (REGISTER, Call-ID kept, CSeq grows, Expires), §22 with RFC 8760
(digest, in ``sip.login``), §10.2.8 (423 and Min-Expires), §21.5.4 (Retry-After);
RFC 5626 §4.5 (delays that double, with jitter), §6 (439: once more without outbound);
the phone's ``check-sync`` (vendor, H). One attempt sends at most ``FURTHER_TRIES``
REGISTERs after its first, whatever the server asks. A missing pong means a dead
connection only where the server said that it answers pings, or has answered one on this
connection (RFC 5626 §4.4, RFC 6223); many servers do not.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from sipmessage import Request, Response

from linekey.digits import digits_of
from linekey.phone.transitions import follow
from linekey.phone.uses.sip.account import MAX_EXPIRY_S, SipAccount
from linekey.phone.uses.sip.login import Login
from linekey.phone.uses.sip.messages import (
    METHODS,
    NO_OUTBOUND,
    OUTBOUND,
    Line,
    keep_alives_s,
    make_register,
    make_reply,
)
from linekey.phone.uses.sip.states import LINE_STATES, LineState
from linekey.phone.uses.sip.stream import PING, PONG, Ping, Pong, Received
from linekey.phone.uses.sip.syntax import (
    Flawed,
    flaw_of,
    read_address,
    readable,
    refusal,
)

RETRY_FIRST_S = 30.0
"""RFC 5626 §4.5: the base time when a flow to the only proxy failed."""
RETRY_MOST_S = 1800.0
ANSWER_WITHIN_S = 32.0
"""Timer F of RFC 3261 §17.1.2.2: 64 × T1."""
FURTHER_TRIES = 5
"""What one attempt can need: a proxy's 407, the registrar's 401, a nonce gone stale, a
423 and a 439."""
PING_EVERY_S = 60.0
"""Unless the server wants them more often (Flow-Timer, ``keep``)."""
PING_LEAST_S = 10.0
"""However often it wants them."""
PONG_WITHIN_S = 10.0
"""RFC 5626 §4.4.1."""

TOLD_FLAWS = 10
"""Messages of one connection that could not be served and stand in the log."""
SDP = "application/sdp"
_EXTENSIONS = frozenset({"outbound", "path"})


@dataclass(frozen=True, slots=True)
class Connect:
    """Open a connection to the account's host, over TLS if it says so."""

    host: str
    port: int
    tls: bool


@dataclass(frozen=True, slots=True)
class Send:
    """Write these bytes to the connection."""

    data: bytes


@dataclass(frozen=True, slots=True)
class HangUp:
    """Close the connection."""


@dataclass(frozen=True, slots=True)
class LineChanged:
    """The state changed; ``reason`` is a sentence for the log and the screen."""

    state: LineState
    reason: str


@dataclass(frozen=True, slots=True)
class MessageRefused:
    """The server sent a message that was not served; ``text`` says why, for the log."""

    text: str


@dataclass(frozen=True, slots=True)
class ResyncRequested:
    """The server asks to fetch the configuration again (NOTIFY check-sync)."""

    reboot: bool


@dataclass(frozen=True, slots=True)
class CallArrived:
    """An INVITE came; the virtual phone has no ear, and says busy."""

    remote: str
    display_remote: str
    call_id: str
    headers: tuple[tuple[str, str], ...]


Action = (
    Connect
    | Send
    | HangUp
    | LineChanged
    | MessageRefused
    | ResyncRequested
    | CallArrived
)


class Registration:
    """One account's registration.

    ``instance`` is the phone's URN (``sip_messages.instance_urn``). ``token`` gives
    fresh random words of at least 12 letters; ``jitter`` gives 0…1.
    """

    def __init__(
        self,
        account: SipAccount,
        user_agent: str,
        *,
        instance: str,
        token: Callable[[], str],
        jitter: Callable[[], float],
    ) -> None:
        self.account = account
        self.state = LineState.IDLE
        self.reason = ""
        self.due: datetime | None = None
        """When ``tick`` wants to be called next; None: not at all."""
        self.registered_until: datetime | None = None
        self._user_agent = user_agent
        self._token = token
        self._jitter = jitter
        self._call_id = f"{token()}@{token()[:8]}"
        self._tag = token()
        self._contact_id = token()
        self._instance = instance
        self._cseq = 0
        self._failures = 0
        self._server = 0
        """Which of the account's servers is called; the next where one fails."""
        self._expires_s = account.expires_s
        self._line: Line | None = None
        self._login = Login(account, token)
        self._supported = OUTBOUND
        self._tries = 0
        """REGISTERs of this attempt after its first."""
        self._lengthened = False
        self._refresh_at: datetime | None = None
        self._ping_at: datetime | None = None
        self._ping_every_s = PING_EVERY_S
        self._pinged_at: datetime | None = None
        self._pong_by: datetime | None = None
        self._answers_pings = False
        self._flaws = 0

    # --- what happened -----------------------------------------------------------

    def started(self, now: datetime) -> list[Action]:
        """Begin, or begin again at once."""
        if self.state not in (LineState.IDLE, LineState.WAITING):
            return []
        self.due = None
        servers = self.account.servers
        server = servers[self._server % len(servers)]
        return [
            self._to(LineState.CONNECTING, f"connecting to {server.host}"),
            Connect(server.host, server.port, server.tls),
        ]

    def connected(
        self, local_host: str, local_port: int, now: datetime
    ) -> list[Action]:
        """The connection stands; its own address goes into Via and Contact."""
        self._line = Line(
            self.account,
            local_host,
            local_port,
            self._user_agent,
            self._contact_id,
            self._instance,
        )
        self._login = Login(self.account, self._token)
        self._expires_s = self.account.expires_s
        self._ping_every_s = PING_EVERY_S
        self._answers_pings, self._pinged_at = False, None
        self._flaws = 0
        return [
            self._to(LineState.REGISTERING, "registering"),
            self._begin(now),
        ]

    def received(self, message: Received, now: datetime) -> list[Action]:
        """The server said something."""
        match message:
            case Flawed():
                return self._flawed(message)
            case Ping():
                return [Send(PONG)]
            case Pong():
                self._ponged(now)
                return []
            case Request():
                return self._request(message)
            case Response():
                return self._response(message, now)

    def disconnected(self, reason: str, now: datetime) -> list[Action]:
        """The connection could not be had, or is gone; ``reason`` is a sentence."""
        self._line = None
        if self.state is not LineState.REGISTERED:
            self._server += 1
        self.registered_until = None
        if self.state in (LineState.IDLE, LineState.UNREGISTERING):
            self.due = None
            return (
                []
                if self.state is LineState.IDLE
                else [self._to(LineState.IDLE, reason)]
            )
        return [self._wait(reason, now)]

    def stopping(self, now: datetime) -> list[Action]:
        """Unregister, if there is something to unregister."""
        known = self.state is LineState.REGISTERED or (
            self.state is LineState.REGISTERING and self.registered_until is not None
        )  # the second: a refresh is under way
        if known and self._line is not None:
            self._expires_s = 0
            return [
                self._to(LineState.UNREGISTERING, "unregistering"),
                self._begin(now),
            ]
        had_connection, self._line, self.due = self._line is not None, None, None
        actions: list[Action] = []
        if self.state is not LineState.IDLE:
            actions.append(self._to(LineState.IDLE, "stopped"))
        return [*actions, HangUp()] if had_connection else actions

    def tick(self, now: datetime) -> list[Action]:
        """``due`` has come (calling it early does nothing)."""
        if self.due is None or now < self.due:
            return []
        match self.state:
            case LineState.WAITING:
                return self.started(now)
            case LineState.REGISTERING | LineState.UNREGISTERING:
                self._server += 1
                return self._give_up("the SIP server does not answer", now)
            case LineState.REGISTERED:
                return self._tend(now)
        self.due = None
        return []

    # --- inside --------------------------------------------------------------------

    def _tend(self, now: datetime) -> list[Action]:
        if self._pong_by is not None and now >= self._pong_by:
            return self._give_up("the SIP server no longer answers keep-alives", now)
        if self._refresh_at is not None and now >= self._refresh_at:
            return [
                self._to(LineState.REGISTERING, "refreshing the registration"),
                self._begin(now),
            ]
        self._ping_at = now + timedelta(seconds=self._ping_every_s)
        self._pinged_at = now
        if self._answers_pings and self._pong_by is None:
            self._pong_by = now + timedelta(seconds=PONG_WITHIN_S)
        self._schedule()
        return [Send(PING)]

    def _ponged(self, now: datetime) -> None:
        asked, self._pinged_at = self._pinged_at, None
        if asked is not None and now <= asked + timedelta(seconds=PONG_WITHIN_S):
            self._answers_pings = True
        if self._pong_by is not None:
            self._pong_by = None
            self._schedule()

    def _schedule(self) -> None:
        times = (self._refresh_at, self._ping_at, self._pong_by)
        self.due = min((t for t in times if t is not None), default=None)

    def _to(self, state: LineState, reason: str) -> LineChanged:
        self.state, self.reason = follow(LINE_STATES, self.state, state), reason
        return LineChanged(state, reason)

    def _wait(self, reason: str, now: datetime, at_least_s: float = 0) -> LineChanged:
        delay = min(RETRY_MOST_S, RETRY_FIRST_S * 2**self._failures)
        delay *= 0.5 + 0.5 * self._jitter()  # RFC 5626 §4.5: between half and all of it
        delay = max(delay, min(at_least_s, RETRY_MOST_S))
        self._failures = min(self._failures + 1, 16)
        self._forget_timers()
        self.due = now + timedelta(seconds=delay)
        return self._to(LineState.WAITING, f"{reason}; next try in {delay:.0f} s")

    def _give_up(
        self, reason: str, now: datetime, at_least_s: float = 0
    ) -> list[Action]:
        self._line = None
        self.registered_until = None
        if self.state is LineState.UNREGISTERING:
            self._forget_timers()
            return [HangUp(), self._to(LineState.IDLE, reason)]
        return [HangUp(), self._wait(reason, now, at_least_s)]

    def _forget_timers(self) -> None:
        self._refresh_at = self._ping_at = self._pong_by = self.due = None

    def _begin(self, now: datetime) -> Send:
        """The first REGISTER of an attempt."""
        self._tries, self._lengthened = 0, False
        self._login.begin()
        return self._register(now)

    def _again(self, now: datetime) -> list[Action]:
        """One more REGISTER of this attempt, if it may have one."""
        if self._tries >= FURTHER_TRIES:
            return self._give_up(
                f"the SIP server was not content with {self._tries + 1} REGISTERs", now
            )
        self._tries += 1
        return [self._register(now)]

    def _register(self, now: datetime) -> Send:
        assert self._line is not None, "a REGISTER needs a connection"
        self._cseq += 1
        self._forget_timers()
        self.due = now + timedelta(seconds=ANSWER_WITHIN_S)
        return Send(
            make_register(
                self._line,
                call_id=self._call_id,
                tag=self._tag,
                branch=self._token(),
                cseq=self._cseq,
                expires_s=self._expires_s,
                supported=self._supported,
                proofs=self._login.proofs("REGISTER", f"sip:{self.account.registrar}"),
            )
        )

    def _response(self, message: Response, now: datetime) -> list[Action]:
        sequence = (message.headers.get("CSeq") or "").split()
        ours = [str(self._cseq), "REGISTER"]
        if sequence != ours or message.headers.get("Call-ID") != self._call_id:
            return []  # late, or not for us (RFC 3261 §8.1.3.2)
        if self.state not in (LineState.REGISTERING, LineState.UNREGISTERING):
            return []
        code = message.code
        if code < 200:
            return []
        if code < 300:
            return self._accepted(message, now)
        if code in (401, 407):
            refusal = self._login.challenged(message)
            return self._give_up(refusal, now) if refusal else self._again(now)
        if code == 439 and self._supported == OUTBOUND:
            self._supported = NO_OUTBOUND
            return self._again(now)
        if code == 423 and self._expires_s and not self._lengthened:
            least = digits_of(message.headers.get("Min-Expires") or "", MAX_EXPIRY_S)
            if least is not None and self._expires_s < least < MAX_EXPIRY_S:
                self._expires_s, self._lengthened = least, True
                return self._again(now)
        phrase = " ".join(message.phrase.split())[:80]
        after = (message.headers.get("Retry-After") or "").split("(")[0].split(";")[0]
        return self._give_up(
            f"the SIP server refused the registration: {code} {phrase}",
            now,
            digits_of(after, int(RETRY_MOST_S)) or 0,
        )

    def _accepted(self, message: Response, now: datetime) -> list[Action]:
        if self.state is LineState.UNREGISTERING:
            self._forget_timers()
            self._line = None
            self.registered_until = None
            return [self._to(LineState.IDLE, "unregistered"), HangUp()]
        assert self._line is not None
        granted = self._line.granted_s(message, self._expires_s)
        self._failures = 0
        self.registered_until = now + timedelta(seconds=granted)
        # Early enough for a retry, never a busy loop.
        self._refresh_at = now + timedelta(seconds=max(granted * 0.5, granted - 300, 1))
        wanted_s = keep_alives_s(message)
        if wanted_s is not None:
            self._answers_pings = True
        if wanted_s:  # RFC 5626 §4.4: between 80 % and all of it
            self._ping_every_s = min(
                PING_EVERY_S, max(PING_LEAST_S, wanted_s * (0.8 + 0.2 * self._jitter()))
            )
        self._ping_at = now + timedelta(seconds=self._ping_every_s)
        self._pong_by = None
        self._schedule()
        return [
            self._to(
                LineState.REGISTERED,
                f"registered as {self.account.address} for {granted} s",
            )
        ]

    def _request(self, message: Request) -> list[Action]:
        if message.method == "ACK":
            return []
        flawed = flaw_of(message)
        if flawed is not None:
            return self._flawed(flawed)
        try:
            code, phrase, headers, extra = _verdict(message)
            return [self._reply(message, code, phrase, headers), *extra]
        except (KeyError, ValueError):
            return []  # nothing an answer could be sent to (RFC 3261 §8.2.6.2)

    def _reply(
        self,
        message: Request,
        code: int,
        phrase: str,
        headers: Sequence[tuple[str, str]] = (),
    ) -> Send:
        agent, tag = self._user_agent, self._tag
        return Send(make_reply(message, code, phrase, agent, tag, headers=headers))

    def _flawed(self, message: Flawed) -> list[Action]:
        """Answer as the RFC wants it, and tell the first few of a connection."""
        actions: list[Action] = []
        done = "passed over"
        if message.code and message.request is not None:
            with suppress(ValueError):
                reply = self._reply(message.request, message.code, message.phrase)
                actions.append(reply)
                done = f"answered {message.code}"
        self._flaws += 1
        if self._flaws <= TOLD_FLAWS:
            last = "; more are not told" if self._flaws == TOLD_FLAWS else ""
            text = f"a SIP message was {done}: {message.reason}{last}"
            actions.append(MessageRefused(text))
        return actions


_Verdict = tuple[int, str, Sequence[tuple[str, str]], list[Action]]
"""Code, phrase and headers of the answer, and what else the request means."""


def _verdict(message: Request) -> _Verdict:
    """Answer code, phrase and headers for a request, and what else it means."""
    refused = refusal(message, METHODS, _EXTENSIONS)
    if refused is not None:
        return refused.code, refused.phrase, refused.headers, []
    match message.method:
        case "OPTIONS":
            return 200, "OK", (), []
        case "NOTIFY":
            event, *parameters = (
                (message.headers.get("Event") or "").lower().replace(" ", "").split(";")
            )
            if event == "check-sync":
                asked = ResyncRequested("reboot=true" in parameters)
                return 200, "OK", (), [asked]
            if event in ("message-summary", "keep-alive"):
                return 200, "OK", (), []
            return 489, "Bad Event", (), []
        case "INVITE":
            return _call(message)
    return 481, "Call/Transaction Does Not Exist", (), []  # BYE and CANCEL


def _call(message: Request) -> _Verdict:
    """A call is told, and refused: nobody can pick up."""
    kind = (message.headers.get("Content-Type") or "").partition(";")[0].strip().lower()
    if message.body and kind != SDP and not kind.startswith("multipart/"):
        return 415, "Unsupported Media Type", (("Accept", SDP),), []  # §8.2.3
    name, uri, _ = read_address(message.headers["From"])
    headers = tuple(
        (key.lower(), readable(value))
        for key in message.headers.keys()  # noqa: SIM118 - no mapping
        for value in message.headers.getlist(key)[:1]
    )
    call = CallArrived(
        readable(uri), readable(name), readable(message.headers["Call-ID"]), headers
    )
    return 486, "Busy Here", (), [call]
