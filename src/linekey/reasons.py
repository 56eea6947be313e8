"""What a code means, in one kind of row: for people, for HTTP and for TLS.

Why a request was decided as it was (``provisioning.decision``), what the door turned
away (``wire.door.refusal``), what the API does not do (``console.api.problems``), what
a phone does not take from an HTTP server (``trust.http_refusal``) and what is unsafe to
start with (``server.preflight.finding``) are tables of these rows. The rules of a
verdict (``trust.rules``) are another kind: each names its source and how sure that is,
and their cures are made from what was seen.

Rules: a code never changes its meaning; scripts rely on it. Texts are one sentence,
lower case, without a full stop; a cure says what the operator does, and is empty where
nothing is to be done.
"""

from typing import Literal, NamedTuple

from linekey.tls.alerts import Alert

Severity = Literal["refused", "warning", "note"]
"""``refused`` ends it; ``warning`` lets less through, or will end it; ``note`` does
neither."""


class Row(NamedTuple):
    """What one code means.

    ``statuses`` are those that HTTP is answered with, ``alert`` what TLS is answered
    with; empty and None where there is none, or where it depends on the case.
    """

    sentence: str
    cure: str = ""
    severity: Severity = "refused"
    statuses: tuple[int, ...] = ()
    alert: Alert | None = None

    @property
    def status(self) -> int:
        """The one HTTP status. ValueError where there is another number of them."""
        (status,) = self.statuses
        return status


def sentence(text: str) -> str:
    """Write a lower-case clause as a sentence; commands stay as they are."""
    if not text:
        return ""
    head = text if text.startswith("linekey ") else text[:1].upper() + text[1:]
    return head if head.endswith((".", "!", "?")) else f"{head}."
