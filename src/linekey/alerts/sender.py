"""Every target of the settings, and a message sent to one of them by its way."""

import json
import ssl
from datetime import datetime
from pathlib import Path

from linekey.alert_settings import AlertSettings
from linekey.alerts import message, post, smtp
from linekey.alerts.kinds import Kind
from linekey.alerts.targets import Outcome, Target, Webhook, targets_of
from linekey.wire.networks import parse_networks
from linekey.wire.public_tls import public_context


class Sender:
    """Sends one message to one target, by whatever way. Made before it is needed: what
    is wrong with the settings is raised here, as InputError."""

    def __init__(self, settings: AlertSettings, folder: Path) -> None:
        self.targets = targets_of(settings)
        self._settings = settings
        self._allowed = parse_networks(settings.allowed_networks)
        self._context: ssl.SSLContext | None = None
        if self.targets:
            file = settings.ca_file
            self._context = public_context(None if file is None else folder / file)

    async def send(
        self, target: Target, message_id: str, body: str, now: datetime
    ) -> Outcome:
        """Try once."""
        assert self._context is not None
        if isinstance(target, Webhook):
            return await post.post(
                target, message_id, body.encode(), now,
                context=self._context, allowed=self._allowed,
            )  # fmt: skip
        mail = message.mail(
            message_id,
            json.loads(body),
            sender=self._settings.mail_from,
            to=self._settings.mail_to,
        )
        return await smtp.send(mail, self._settings, context=self._context)


def trial(server: str, now: datetime) -> tuple[str, str]:
    """Return the id and the body of a message that says that messages arrive."""
    body = message.document(
        Kind.TEST,
        now,
        server=server,
        cause="test",
        sentence="linekey's alerts arrive here",
        cure="",
        items=(),
        count=0,
    )
    return message.message_id(), json.dumps(body, separators=(",", ":"))
