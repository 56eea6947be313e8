"""A server's bytes made an Answer: any bytes give one, and no exception.

The prober feeds what arrives and says how the connection ended; what cannot be read is
an answer, too (``Reach.MALFORMED``, ``Reach.NOT_TLS``), with the reason in words.
"""

from linekey.certs.certificate import Certificate
from linekey.check.answer import Answer, KeyExchange, Reach
from linekey.errors import CertificateError
from linekey.tls.alerts import Alert
from linekey.tls.errors import TlsError
from linekey.tls.messages import (
    AlertMessage,
    CertificateMessage,
    CertificateRequest,
    EncryptedFollows,
    FlightReader,
    Message,
    ServerHello,
    ServerHelloDone,
    ServerKeyExchange,
)
from linekey.tls.versions import Version
from linekey.trust.client_refusal import CertificateWish


class AnswerReader:
    """Reads one server's answer to one hello."""

    def __init__(self, address: str = "") -> None:
        self._reader = FlightReader()
        self._address = address
        self._hello: ServerHello | None = None
        self._chain: tuple[Certificate, ...] = ()
        self._unreadable = ""
        self._exchange: ServerKeyExchange | None = None
        self._wish: CertificateWish | None = None
        self._alert: Alert | None = None
        self._alert_number: int | None = None
        self._problem = ""
        self._not_tls = False
        self._complete = False
        self._seen = False

    @property
    def done(self) -> bool:
        """Whether nothing more is worth waiting for."""
        return self._complete or bool(self._problem) or self._reader.done

    def feed(self, data: bytes) -> None:
        """Take bytes as they arrive."""
        if self.done:
            return
        self._seen = self._seen or bool(data)
        try:
            for message in self._reader.feed(data):
                self._take(message)
        except TlsError as error:
            self._problem = error.message
            self._not_tls = self._hello is None and error.kind == "not_tls"
        except CertificateError as error:
            self._problem = f"a name in the server's request: {error.message}"

    def _take(self, message: Message) -> None:
        if isinstance(message, ServerHello):
            self._hello = message
        elif isinstance(message, CertificateMessage):
            try:
                self._chain = tuple(Certificate.from_der(d) for d in message.chain_der)
            except CertificateError as error:
                self._unreadable = error.message
        elif isinstance(message, ServerKeyExchange):
            self._exchange = message
        elif isinstance(message, CertificateRequest):
            self._wish = CertificateWish.of(message)
        elif isinstance(message, AlertMessage):
            # an unrecognized_name warning goes before a good answer (RFC 6066 §3)
            if message.fatal or message.alert is Alert.CLOSE_NOTIFY:
                self._alert = message.alert
                self._alert_number = message.number
        elif isinstance(message, ServerHelloDone | EncryptedFollows):
            self._complete = True

    def timed_out(self, limit_s: float, elapsed_ms: float = 0.0) -> Answer:
        """The answer when the limit ran out; complete all the same if it was."""
        if self.done:
            return self.finish(elapsed_ms)
        reach, what = Reach.TIMED_OUT, "no whole answer"
        if not self._seen:
            reach, what = Reach.SILENT, "no answer"
        return self._answer(reach, f"{what} within {limit_s:g} seconds", elapsed_ms)

    def finish(self, elapsed_ms: float = 0.0) -> Answer:
        """The answer when nothing more will come."""
        if self._problem:
            reach = Reach.NOT_TLS if self._not_tls else Reach.MALFORMED
            return self._answer(reach, self._problem, elapsed_ms)
        if self._alert_number is not None:
            if self._alert is Alert.CLOSE_NOTIFY and self._hello is None:
                return self._answer(
                    Reach.CLOSED, "it said close_notify and nothing else", elapsed_ms
                )
            if self._alert is None:
                self._alert = Alert.HANDSHAKE_FAILURE
                detail = f"unregistered alert {self._alert_number}"
                return self._answer(Reach.ANSWERED, detail, elapsed_ms)
            return self._answer(Reach.ANSWERED, "", elapsed_ms)
        if self._complete:
            return self._answer(Reach.ANSWERED, "", elapsed_ms)
        if not self._seen:
            return self._answer(
                Reach.CLOSED, "it closed without sending a byte", elapsed_ms
            )
        return self._answer(
            Reach.MALFORMED,
            "the server closed in the middle of its first messages",
            elapsed_ms,
        )

    def _answer(self, reach: Reach, detail: str, elapsed_ms: float) -> Answer:
        hello = self._hello
        version = None
        if hello is not None:
            try:
                version = Version(hello.version)
            except ValueError:
                return Answer(
                    Reach.MALFORMED,
                    f"the server answers with the version 0x{hello.version:04x}",
                    self._address,
                    elapsed_ms,
                )
        suite = None if hello is None else hello.suite
        return Answer(
            reach,
            detail,
            self._address,
            elapsed_ms,
            self._alert,
            version,
            suite,
            None if hello is None else hello.suite_number,
            self._chain,
            self._key_exchange(),
            self._wish,
            unreadable=self._unreadable,
        )

    def _key_exchange(self) -> KeyExchange | None:
        hello, exchange = self._hello, self._exchange
        if hello is None or hello.suite is None:
            return None
        if exchange is None:
            return KeyExchange(hello.suite.key_exchange)
        return KeyExchange(
            exchange.kind, exchange.group_name, exchange.group, exchange.bits
        )
