"""The signature of a webhook: Standard Webhooks, symmetric, version 1.

https://github.com/standard-webhooks/standard-webhooks, *spec/standard-webhooks.md*:
HMAC-SHA256 over ``id.timestamp.body``, in base64, behind ``v1,``; the secret is base64
of 24 to 64 bytes behind ``whsec_``. The receiver refuses an old timestamp, and an id
that it has seen.
"""

import base64
import binascii
import hashlib
import hmac
import secrets
from datetime import datetime

_PREFIX = "whsec_"
LEAST_BYTES, MOST_BYTES = 24, 64


def new_secret() -> str:
    """Return a new one, of 32 random bytes."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def parse_secret(text: str) -> bytes:
    """Read a secret. Raises ValueError, which does not repeat it."""
    try:
        key = base64.b64decode(text.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not LEAST_BYTES <= len(key) <= MOST_BYTES:
        raise ValueError(
            f"it is not base64 of {LEAST_BYTES} to {MOST_BYTES} bytes, with or without "
            f"{_PREFIX}; linekey alert secret makes one"
        )
    return key


def signed(key: bytes, message: str, at: datetime, body: bytes) -> dict[str, str]:
    """Return the three headers of a body that is sent ``at``."""
    stamp = str(int(at.timestamp()))
    text = b".".join((message.encode(), stamp.encode(), body))
    digest = hmac.new(key, text, hashlib.sha256).digest()
    return {
        "webhook-id": message,
        "webhook-timestamp": stamp,
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }
