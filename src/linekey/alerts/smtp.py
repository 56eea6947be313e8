"""A message sent by mail, once: SMTP (RFC 5321) inside TLS, or not at all.

Rules: the server's certificate and name are verified; a server that offers no STARTTLS
gets nothing, no name and no password either. One attempt ends within ``WITHIN_S``,
whatever the server does: its socket is shut then.
"""

import asyncio
import contextlib
import smtplib
import socket
import ssl
import threading
from collections.abc import Sequence
from email.message import EmailMessage
from typing import Any

from linekey.alert_settings import AlertSettings
from linekey.alerts.message import plainly
from linekey.alerts.targets import Outcome
from linekey.wire.public_tls import tls_trouble
from linekey.wire.system_words import os_text

WITHIN_S = 60.0
"""RFC 5321 §4.5.3.2 would wait 5 minutes for each answer; this tries again instead."""
_EACH_S = 20.0
_GRACE_S = 2.0
_MAX_SAID = 200


async def send(
    mail: EmailMessage,
    settings: AlertSettings,
    *,
    context: ssl.SSLContext,
    within_s: float = WITHIN_S,
) -> Outcome:
    """Send it once. Whatever happens is the outcome; raises nothing of the server's."""
    try:
        # The socket is shut at ``within_s``; a handshake that drips has none yet.
        async with asyncio.timeout(within_s + _GRACE_S):
            return await asyncio.to_thread(_send, mail, settings, context, within_s)
    except TimeoutError:
        return Outcome(False, _late(within_s))


def _send(
    mail: EmailMessage,
    settings: AlertSettings,
    context: ssl.SSLContext,
    within_s: float,
) -> Outcome:
    ended = threading.Event()
    held: list[smtplib.SMTP] = []

    def end() -> None:
        ended.set()
        for one in held:
            with contextlib.suppress(OSError, AttributeError):
                one.sock.shutdown(socket.SHUT_RDWR)  # type: ignore[union-attr]

    timer = threading.Timer(within_s, end)
    timer.daemon = True
    timer.start()
    try:
        return _talk(mail, settings, context, held, min(_EACH_S, within_s))
    except smtplib.SMTPRecipientsRefused as error:
        return Outcome(
            False, f"it takes mail for nobody: {_refusals(error.recipients)}"
        )
    except smtplib.SMTPAuthenticationError as error:
        return Outcome(False, f"the log-in is refused: {_said(error)}")
    except smtplib.SMTPResponseException as error:
        return Outcome(False, f"it refuses: {_said(error)}")
    except smtplib.SMTPServerDisconnected:
        closed = "it closed the connection"
        return Outcome(False, _late(within_s) if ended.is_set() else closed)
    except smtplib.SMTPException as error:
        return Outcome(False, plainly(str(error), _MAX_SAID))
    except ssl.SSLError as error:
        return Outcome(False, tls_trouble(error))
    except TimeoutError:
        return Outcome(False, "it does not answer in time")
    except socket.gaierror:
        return Outcome(False, f"no address is known for {settings.smtp_host!r}")
    except (OSError, ValueError) as error:
        if ended.is_set():
            return Outcome(False, _late(within_s))
        reason = os_text(error) if isinstance(error, OSError) else type(error).__name__
        return Outcome(False, f"cannot connect: {reason.lower()}")
    finally:
        timer.cancel()
        for one in held:
            one.close()


class _Held(smtplib.SMTP):
    """A connection that is in ``held`` before it is made, to be ended by others.

    It is made by the constructor: only what that is given does smtplib name in TLS.
    """

    def __init__(
        self, held: list[smtplib.SMTP], host: str, port: int, here: str, each_s: float
    ) -> None:
        self.held = held
        super().__init__(host, port, here, each_s)

    def connect(self, *where: Any, **how: Any) -> tuple[int, bytes]:
        self.held.append(self)
        return super().connect(*where, **how)


class _HeldInTLS(_Held, smtplib.SMTP_SSL):
    """The same inside TLS from its first byte."""

    def __init__(
        self,
        held: list[smtplib.SMTP],
        host: str,
        port: int,
        here: str,
        each_s: float,
        context: ssl.SSLContext,
    ) -> None:
        self.held = held
        smtplib.SMTP_SSL.__init__(
            self, host, port, here, timeout=each_s, context=context
        )


def _talk(
    mail: EmailMessage,
    settings: AlertSettings,
    context: ssl.SSLContext,
    held: list[smtplib.SMTP],
    each_s: float,
) -> Outcome:
    host, port = settings.smtp_host, settings.smtp_port
    here = socket.gethostname() or "localhost"
    server = (
        _HeldInTLS(held, host, port, here, each_s, context)
        if settings.smtp_tls == "implicit"
        else _Held(held, host, port, here, each_s)
    )
    server.ehlo_or_helo_if_needed()
    if settings.smtp_tls == "starttls":
        if not server.has_extn("starttls"):
            return Outcome(
                False,
                "it offers no STARTTLS, and nothing is sent without TLS",
            )
        server.starttls(context=context)
        server.ehlo_or_helo_if_needed()
    if settings.smtp_user:
        secret = settings.smtp_password
        server.login(
            settings.smtp_user, "" if secret is None else secret.get_secret_value()
        )
    refused = server.send_message(mail, settings.mail_from, list(settings.mail_to))
    with contextlib.suppress(smtplib.SMTPException, OSError):
        server.quit()  # it has the mail already
    if refused:
        return Outcome(True, f"not for all: {_refusals(refused)}")
    return Outcome(True)


def _late(within_s: float) -> str:
    return f"not done within {within_s:g} seconds"


def _refusals(found: dict[str, tuple[int, bytes]]) -> str:
    shown: Sequence[str] = [
        f"{who}: {code} {_text(said)}" for who, (code, said) in found.items()
    ]
    return plainly("; ".join(shown), 2 * _MAX_SAID)


def _said(error: smtplib.SMTPResponseException) -> str:
    return f"{error.smtp_code} {_text(error.smtp_error)}"


def _text(said: bytes | str) -> str:
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
    return plainly(text, _MAX_SAID)
