"""Which settings are secrets.

A setting is a secret by its name (``user_pass``, ``ldap_password``,
``webserver_cert``) or by its value (a private key, a URL with a password or a
one-time token in it), whatever its name. In doubt it is a secret: a blanked file with
one setting too few is repaired by a second factor, a leaked password by nobody.

Sources: setting names of facts snom.md §3 (H); ``keyboard_lock_pw``, ``user_hash`` and
the like from Snom's public setting names (M); the rest is by the look of a name (L).
"""

import re
from collections.abc import Iterable
from functools import lru_cache

_EXACT = frozenset(
    {
        "webservice_cert",  # seed: certificate with its key
        "webserver_cert",  # facts snom.md §3: the same in two settings dumps
        "webservice_key",
        "webserver_key",
        "user_hash",
        "user_pin",
    }
)
_SECRET_WORDS = frozenset(
    {"pass", "passwd", "password", "passphrase", "pwd", "pw", "secret", "psk", "pin"}
    | {"token", "credential", "credentials", "ha1"}
)
_KEY_WORDS = frozenset({"key", "keys", "privkey", "p12", "pkcs12", "pfx"})
_GLUED = ("password", "passwd", "passphrase", "secret", "private_key", "privatekey")
_NOT_A_KEY = ("dkey_", "fkey", "gui_fkey")  # keys to press

_BY_VALUE = re.compile(
    r"PRIVATE KEY"  # any PEM private key
    r"|://[^/\s?#@]*:[^/\s?#@]*@"  # user:password@host
    r"|/t/[A-Za-z0-9_-]{16,128}(?:/|$|\s)"  # our own one-time tokens
    r"|[?&](?:token|password|passwd|pass|pwd|secret|pin|apikey|api_key|key)=[^&\s]",
    re.IGNORECASE,
)


@lru_cache(maxsize=4096)
def is_secret(name: str) -> bool:
    """Whether a setting of this name is a secret, whatever its value.

    Case and trailing digits (``user_pass1``) make no difference.
    """
    folded = name.lower().rstrip("0123456789")
    if folded.rstrip("_") in _EXACT or name.lower() in _EXACT:
        return True
    if any(part in folded for part in _GLUED):
        return True
    words = [word.rstrip("0123456789") for word in re.split(r"[_.\-]", folded) if word]
    if any(word in _SECRET_WORDS for word in words):
        return True
    return bool(words) and words[-1] in _KEY_WORDS and not folded.startswith(_NOT_A_KEY)


def is_secret_value(value: str) -> bool:
    """Whether a value is a secret whatever it stands in.

    A private key, a URL with user and password, a URL with a one-time token or with a
    parameter that is named like a secret.
    """
    # The pattern costs a microsecond; most values have none of its characters.
    if "/" not in value and "PRIVATE" not in value and "=" not in value:
        return False
    return _BY_VALUE.search(value) is not None


_MASKS = (
    (re.compile(r"://[^/\s?#]*@"), "://…@"),
    (re.compile(r"/t/[A-Za-z0-9_-]{16,128}(?=/|$|\s|[?#])"), "/t/…"),
    (
        re.compile(
            r"([?&](?:token|password|passwd|pass|pwd|secret|pin|apikey|api_key|key)=)"
            r"[^&#\s]+",
            re.IGNORECASE,
        ),
        r"\1…",
    ),
)


def mask_url(text: str, typed: Iterable[str] = ()) -> str:
    """A URL for logs and pages: without user and password, tokens and the like.

    ``typed`` are passwords that may stand anywhere in it, whatever the name of the
    parameter, percent-encoded or not; ``text`` may be a sentence around the URL.
    """
    for value in sorted(filter(None, typed), key=len, reverse=True):
        text = _spellings(value).sub("…", text)
    for pattern, replacement in _MASKS:
        text = pattern.sub(replacement, text)
    return text


def _spellings(value: str) -> re.Pattern[str]:
    """A value as it may stand in a URL: each character itself or percent-encoded.

    As a whole word only, so that a PIN of one digit does not eat the port.
    """
    ways = []
    for character in value:
        encoded = "".join(f"%{b:02X}" for b in character.encode("utf-8", "replace"))
        blank = r"|\+" if character == " " else ""
        ways.append(f"(?:{re.escape(character)}|{encoded}{blank})")
    return re.compile(
        r"(?<![\w%.~-])" + "".join(ways) + r"(?![\w%~-]|\.\w)", re.IGNORECASE
    )
