"""The settings of alerts: who is told of what, and how (docs/howto/alerts.md).

Rule: no message of an error repeats a URL, which may hold a secret.
"""

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, model_validator
from pydantic import field_validator as validated

from linekey.section import Count, Port, Seconds, Section

Address = Annotated[str, Field(pattern=r"^[^\s@<>,;:]+@[^\s@<>,;:]+$", max_length=254)]
ALERT_KINDS = (
    "phone.refused", "phone.first_seen", "phone.revoked", "certificate.ends",
    "forecast.changed",
)  # fmt: skip


class AlertSettings(Section):
    """Who is told of what by webhook and mail (docs/howto/alerts.md)."""

    kinds: tuple[str, ...] = ALERT_KINDS
    """What is told: phone.refused, phone.first_seen, phone.revoked, certificate.ends,
    forecast.changed."""
    webhooks: tuple[str, ...] = ()
    """URLs that messages are posted to. A URL may hold a secret and is never printed
    whole."""
    webhook_secret: SecretStr | None = None
    """What signs them, as Standard Webhooks has it: base64 of 24 to 64 bytes behind
    ``whsec_``. ``linekey alert secret`` makes one."""
    allowed_networks: tuple[str, ...] = ()
    """Addresses and networks that webhooks may go to although they are not public, such
    as ``10.1.2.3`` or ``127.0.0.1``; there, and only there, ``http://`` will do."""
    ca_file: Path | None = None
    """PEM file with CAs that webhooks and the mail server may be proved with, besides
    the system's. A relative path starts at the state folder."""
    mail_to: tuple[Address, ...] = ()
    """Addresses that get mail."""
    mail_from: Annotated[str, Field(max_length=254)] = ""
    """The sender's address, which ``mail_to`` needs."""
    smtp_host: Annotated[str, Field(max_length=253)] = ""
    """The mail server's name, as in its certificate."""
    smtp_port: Port = 587
    """Its TCP port: 587 or 25 with ``starttls``, 465 with ``implicit``."""
    smtp_tls: Annotated[str, Field(pattern="^(starttls|implicit)$")] = "starttls"
    """``starttls``: TLS begins by STARTTLS (RFC 3207), and without it nothing is sent;
    ``implicit``: with the connection (RFC 8314). Its certificate is always verified."""
    smtp_user: str = ""
    """Name to log in with; empty: no log-in."""
    smtp_password: SecretStr | None = None
    """Password to log in with."""
    certificate_days: Count = 30
    """Days before its end at which a certificate is told of."""
    wait_s: Seconds = 30.0
    """Seconds that a new alert waits for others of its cause, so that they are told
    together. An alert that is over by then is not told."""
    every_s: Seconds = 300.0
    """Seconds between two messages of one cause, at least. Prometheus' Alertmanager has
    the same two by default (group_wait, group_interval)."""

    @validated("kinds")
    @classmethod
    def _known(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        for name in given:
            if name not in ALERT_KINDS:
                raise ValueError(f"{name!r} is none of {', '.join(ALERT_KINDS)}")
        return given

    @validated("webhooks")
    @classmethod
    def _urls(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        for number, url in enumerate(given, 1):
            if problem := _url_problem(url):
                # The URL itself may hold a secret.
                raise ValueError(f"number {number} {problem}")
        return given

    @validated("allowed_networks")
    @classmethod
    def _networks(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        for text in given:
            ipaddress.ip_network(text, strict=False)
        return given

    @validated("ca_file", mode="before")
    @classmethod
    def _none(cls, given: object) -> object:
        return given or None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.webhooks and self.webhook_secret is None:
            raise ValueError(
                "webhooks need webhook_secret, so that their receiver can tell them "
                "from others' (linekey alert secret makes one)"
            )
        if self.mail_to and not self.smtp_host:
            raise ValueError("mail_to needs smtp_host, the mail server's name")
        if self.mail_to and not re.fullmatch(
            r"[^\s@<>,;:]+@[^\s@<>,;:]+", self.mail_from
        ):
            raise ValueError("mail_to needs mail_from, the sender's address")
        return self


def _url_problem(url: str) -> str:
    """What is wrong with a webhook's URL; empty: nothing."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return "cannot be read"
    if not url.isascii() or not url.isprintable() or " " in url:
        return "has characters that must be percent-encoded"
    if parts.scheme not in ("https", "http") or not host or port == 0:
        return "is not like https://alerts.example.com/linekey"
    if parts.username is not None or parts.password is not None:
        return "has a user name or a password in it; messages are signed instead"
    return "has a fragment (#…), which is never sent" if parts.fragment else ""
