"""What a phone gives besides a certificate that is not enough: token or password.

A one-time token stands in the URL, an HTTP user name and password come by HTTP digest
(``digest``). Rule: a token is compared in constant time, and only its hash is here.
"""

import hmac
from dataclasses import dataclass

from linekey.provisioning.decision import Reason
from linekey.provisioning.device import (
    Device,
    DigestCredential,
    hash_token,
    is_token,
)
from linekey.provisioning.digest import DigestOutcome, DigestResult
from linekey.said import say

Answer = tuple[Reason, str]
"""A reason, and its detail."""


@dataclass(frozen=True, slots=True)
class SecondFactor:
    """What the phone gave besides its certificate.

    ``digest`` is what ``digest.verify`` made of its Authorization header, held against
    the credential of this request's device. The one-time token is the resource's.
    """

    digest: DigestResult | None = None
    paused_s: int = 0
    """Not 0: an answer came, but in a pause that has so many seconds to go, so it was
    not read, and ``digest`` is None (``brake``)."""


def second_factor(
    given: SecondFactor | None, token: str | None, device: Device, without: Answer
) -> Answer:
    """Return the answer for a phone whose certificate alone is not enough.

    ``without`` is that for one that gave none, and has no password to give. A phone
    goes on asking with its used token at every boot.
    """
    by_token = _token(token, device) if token is not None else None
    if by_token and by_token[0] is Reason.TOKEN_ACCEPTED:
        return by_token
    digest = given.digest if given else None
    if digest is not None and device.digest is not None:
        return _digest(digest, device.digest)
    if given and given.paused_s and device.digest is not None:
        return Reason.DIGEST_PAUSED, say(
            "%(paused_s)s s to go", paused_s=given.paused_s
        )
    if by_token and by_token[0] is Reason.TOKEN_WRONG:
        return by_token
    if device.digest is not None:
        return Reason.DIGEST_REQUIRED, ""
    if by_token and without[0] is Reason.SECRETS_LEFT_OUT:
        return without[0], say("token %(by_token)s", by_token=by_token[1])
    return by_token or without


def _digest(given: DigestResult, expected: DigestCredential) -> Answer:
    if given.outcome is DigestOutcome.STALE:
        return Reason.DIGEST_STALE, given.detail
    if given.outcome is not DigestOutcome.VERIFIED:
        return Reason.DIGEST_WRONG, given.detail
    if given.credential != expected:
        return Reason.DIGEST_WRONG, say("the credential of another device")
    return Reason.DIGEST_ACCEPTED, ""


def _token(token: str, device: Device) -> Answer:
    expected = device.token_sha256
    if expected is None or not is_token(token):
        return Reason.TOKEN_WRONG, "" if expected else say("this device has no token")
    if not hmac.compare_digest(hash_token(token), expected.lower()):
        return Reason.TOKEN_WRONG, ""
    if device.token_used_at is not None:
        return Reason.TOKEN_USED, say(
            "used on %(token_used_at)s",
            token_used_at=f"{device.token_used_at:%Y-%m-%d %H:%M}",
        )
    return Reason.TOKEN_ACCEPTED, ""
