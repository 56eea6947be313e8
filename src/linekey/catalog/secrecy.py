"""What is a secret, by its name and by what it says; and how text is shown without it.

One set of rules for everything that stores, shows or logs:

- a setting is a secret by the catalogue's word, if the catalogue knows it
  (``known_settings``); else by the look of its name (``looks_secret``): whole words,
  parts of words, and words a letter or two away from ``password`` and the like;
- any text is a secret by its content, whatever it stands in (``is_secret_value``): a
  private key; a URL with a password, a one-time token or a parameter named like a
  secret, also in a fragment, a SIP URI or percent-encoded; an XML element, attribute or
  JSON member named so;
- ``mask_url`` puts "…" where ``is_secret_value`` sees something; the rest stays.

Rule: guessing may only add. What an operator marks (``provisioning.document.Mark``) is
a secret whatever is found here. In doubt it is one: a blanked file with one setting too
few is repaired by a second factor, a leaked password by nobody.

Sources: names of the catalogue; parameters of RFC 6749, RFC 6750, RFC 3261 §19.1.1 and
of what web services call theirs; the rest is by the look of a name (L).
"""

import re
from collections.abc import Iterable
from difflib import SequenceMatcher
from functools import lru_cache
from urllib.parse import unquote, unquote_plus

from linekey.catalog.known_settings import Secrecy, find_known

# Names

_WORDS = frozenset(
    {"pass", "passwd", "passwort", "password", "passphrase", "passcode", "pwd", "pw"}
    | {"secret", "secrets", "psk", "pin", "puk", "token", "credential", "credentials"}
    | {"ha1", "kennwort", "geheim", "community", "auth", "apikey", "bearer", "jwt"}
    | {"otp", "totp", "sid", "sig", "signature", "session", "sessionid", "cookie"}
    | {"authorization", "wpa", "wep", "hmac", "cred", "creds"}
    | {"passw", "pasw", "psw", "pswd", "pwrd", "mdp", "clave", "senha", "haslo"}
)
"""Words that make a name a secret's wherever they stand in it."""
_LAST_WORDS = frozenset({"key", "keys", "privkey", "p12", "pkcs12", "pfx", "hash"})
"""Words that do so at its end: ``api_key``, but not ``key_label``."""
_PARTS = (
    *("password", "passwd", "passphrase", "passwort", "passcode", "kennwort"),
    *("secret", "geheim", "token", "credential", "apikey", "privatekey", "sessionid"),
    *(
        "aeskey",
        "userpass",
        "sippass",
        "authpass",
        "accesskey",
        "sharedkey",
        "community",
    ),
    *("motdepasse", "contrase", "wachtwoord", "losungswort", "pincode"),
)
"""Parts of a name, its separators left out, that do so."""
_GLUED = re.compile(
    r"(?!(?:com|by|sur|tres|encom|over|under)pass)[a-z]+pass"
    r"|[a-z]+(?:pw|pwd|pswd|psw|psk)"
    r"|(?!spin$)[a-z]{1,6}pin|pin(?:nr|no|num|number)"
    r"|[a-z]*auth(?!or(?!i[sz])|entic)[a-z]{0,8}"
    r"|(?:auth|ssl|tls|psk|enc|crypt|encrypt|encryption|crypto|aes|des|rsa|sec|sign"
    r"|signing|session|master|server|client|user|root|host|ssh|vpn|wpa|wifi|wlan|srtp"
    r"|pass|cert|web|admin|login|license|licence)keys?"
)
"""Words that are two written as one: ``adminpw``, ``userpin``, ``authkey``."""
_STEMS = (
    "password",
    "passwort",
    "passwd",
    "passphrase",
    "kennwort",
    "secret",
    "credential",
    "community",
    "token",
)
"""What is often misspelt: a word this like one of them counts as it."""
_LIKE = 0.82  # "pasword" 0.93, "passwrod" 0.88, "sercet" 0.83; "sector" 0.67
_KEYS_TO_PRESS = re.compile(r"(?:dkey|gui_?fkey|fkey|context_?key|line_?key|soft_?key)")
_P_CODES = frozenset(
    {
        f"P{number}"
        for number in (2, 34, 83, 196, 279, 281, 1359, 1361, 7903, 8024, 8472)
    }
    | {f"P{account}06" for account in range(4, 9)}
)
"""Settings of Grandstream's, which have numbers instead of names, that hold passwords
or keys (PBX-FUSION, H)."""
_SEPARATORS = re.compile(r"[^A-Za-z0-9]+|(?<=[a-z0-9])(?=[A-Z])")


@lru_cache(maxsize=8192)
def is_secret(name: str) -> bool:
    """Whether a setting of this name is a secret, whatever its value.

    The catalogue's word for a name that it knows, in any case and with an idx at its
    end (``user_pass1``); else ``looks_secret``.
    """
    row = find_known(name)
    return looks_secret(name) if row is None else row.secrecy is Secrecy.SECRET


@lru_cache(maxsize=8192)
def looks_secret(name: str) -> bool:
    """Whether a name looks like a secret's: a setting's, a parameter's, a tag's."""
    words = [word.lower().strip("0123456789") for word in _SEPARATORS.split(name)]
    words = [word for word in words if word]
    raw = {word.lower() for word in _SEPARATORS.split(name)}
    if name.upper() in _P_CODES:
        return True
    if not words:
        return False
    if not _WORDS.isdisjoint(words) or not _WORDS.isdisjoint(raw):
        return True
    glued = "".join(words)
    if any(part in glued for part in _PARTS):
        return True
    if words[-1] in _LAST_WORDS and not _KEYS_TO_PRESS.match(name.lower()):
        return True
    if raw & {"p12", "pkcs12"} or any(map(_GLUED.fullmatch, words)):
        return True
    return any(_like_a_stem(word) for word in {*words, glued} if len(word) >= 4)


def _like_a_stem(word: str) -> bool:
    return any(
        abs(len(word) - len(stem)) <= 2
        and SequenceMatcher(None, word, stem).ratio() >= _LIKE
        for stem in _STEMS
    )


# Content. Each finder gives the spans of the secrets that it sees.

_KEY_BLOCK = re.compile(
    r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----"
    r"(?:.*?-----END [A-Z0-9 ]{0,40}PRIVATE KEY-----|.*)",
    re.DOTALL,
)
_TOKEN = re.compile(r"/t/([A-Za-z0-9_-]{16,128})(?=/|$|[\s?#\"'<>),;:])")
_SCHEME = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]*:)?//", re.ASCII)
_USER_INFO = re.compile(r"//([^/\s?#\"'<>\\]*)@")
_ODD_USER_INFO = re.compile(
    r"//([^/\s:@\"'<>\\]{0,128}:(?![0-9]{0,5}(?:[/?#\s]|$))[^\s\"'<>@…]{0,256})@"
)
"""A password with ``/``, ``?`` or ``#`` as it is: what follows the colon is no port."""
_SIP_USER_INFO = re.compile(
    r"\bsips?:([^\s:@<>\"';?/]{1,128}):([^\s@<>\"'/]{1,256})@", re.IGNORECASE
)
_BARE_USER_INFO = re.compile(
    r"(?:^|(?<=[\s,;(\"'/])(?<!//))([\w.+%~-]{1,64}):([^\s@/\"'<>]{1,256})@(?=[\w\[])"
)
_PARAMETER = re.compile(
    r"(?:^|[?&;#/\s,({\"'])([^\s?&;#=,(){}\"'<>:/]{1,64})=(\"[^\"]*\"|'[^']*'|"
    r"[^\s&;#\"'<>,]*)"
)
_ELEMENT = re.compile(
    r"<([A-Za-z_][\w.-]{0,127})(?:\s[^<>]*)?>"
    r"((?:<!\[CDATA\[[\s\S]*?\]\]>|[^<>])+)</\1\s*>"
)
_MEMBER = re.compile(
    r"(?P<q>[\"'])(?P<name>[^\"'\s]{1,64})(?P=q)\s*:\s*"
    r"(?:\"(?P<double>(?:[^\"\\]|\\.)*)\"|'(?P<single>(?:[^'\\]|\\.)*)'"
    r"|(?P<number>[0-9]{4,}))"
)
"""A number is one from four digits on: a PIN, not a count."""
_BEARER = re.compile(r"\b(?:Bearer|Basic)\s+([A-Za-z0-9+/=._~-]{8,})", re.IGNORECASE)
_LEAST_BEARER = len("Basic 12345678")
_PLACEHOLDER = re.compile(r"\$[A-Za-z_][\w-]*&?|\{\w+\}|%|…|\*+|\(set\)|")
"""Values that stand for another: an action URL's variable, ``{mac}``, a mask."""
_NO_USERS = ("sip", "sips", "mailto", "tel")
"""Schemes, where a user's name would stand before the colon."""
_MEMBER_MARKS = ('":', '" :', "':", "' :")
_MARKS = ("=", "@", "%", "</", "/t/", "PRIVATE KEY", '"', "'")
_DEPTH = 3  # a URL in a parameter of a URL in a parameter

Span = tuple[int, int]


def _spans(text: str, depth: int = _DEPTH) -> list[Span]:
    found: list[Span] = []
    if "PRIVATE KEY" in text:
        blocks = [match.span() for match in _KEY_BLOCK.finditer(text)]
        found += blocks or [(0, len(text))]
    if "/t/" in text:
        found += [match.span(1) for match in _TOKEN.finditer(text)]
    if "@" in text:
        found += [
            match.span(1)
            for pattern in (_USER_INFO, _ODD_USER_INFO)
            for match in pattern.finditer(text)
            if _holds_password(match[1])
        ]
        found += [
            match.span(2)
            for pattern in (_SIP_USER_INFO, _BARE_USER_INFO)
            for match in pattern.finditer(text)
            if not _PLACEHOLDER.fullmatch(match[2])
            and not (pattern is _BARE_USER_INFO and match[1].lower() in _NO_USERS)
        ]
    if "=" in text:
        for match in _PARAMETER.finditer(text):
            found += _parameter(match, depth)
    if "</" in text:
        found += [
            match.span(2)
            for match in _ELEMENT.finditer(text)
            if is_secret(match[1]) and not _PLACEHOLDER.fullmatch(match[2].strip())
        ]
    if any(mark in text for mark in _MEMBER_MARKS):
        for match in _MEMBER.finditer(text):
            group = next(
                g for g in ("double", "single", "number") if match[g] is not None
            )
            if looks_secret(match["name"]) and not _PLACEHOLDER.fullmatch(match[group]):
                found.append(match.span(group))
    found += [match.span(1) for match in _BEARER.finditer(text)]
    if "%" in text and depth:
        found += _encoded(text, depth)
    return found


def _holds_password(user_info: str) -> bool:
    """Whether what stands before the @ is more than a name.

    A password after a colon; or a single word as long as a token.
    """
    decoded = unquote(user_info)
    name, colon, password = decoded.partition(":")
    if colon:
        return bool(password) and not _PLACEHOLDER.fullmatch(password)
    return len(name) >= 20 and "." not in name


def _parameter(match: re.Match[str], depth: int) -> list[Span]:
    start, end = match.span(2)
    value = match[2]
    if value[:1] in "\"'" and len(value) > 1:
        start, end, value = start + 1, end - 1, value[1:-1]
    if _PLACEHOLDER.fullmatch(value):
        return []
    name = _decoded(match[1])
    name = name.rpartition("?")[2].rpartition("&")[2]
    if looks_secret(name):
        return [(start, end)]
    if depth and "%" in value and _spans(unquote_plus(value), depth - 1):
        return [(start, end)]
    return []


def _decoded(text: str) -> str:
    for _ in range(_DEPTH):
        after = unquote(text)
        if after == text:
            break
        text = after
    return text


_ENCODED_WORD = re.compile(r"[^\s\"'<>&;=?#]*%[^\s\"'<>&;=#?]*")


def _encoded(text: str, depth: int) -> list[Span]:
    """Words of a text in which something is hidden by percent-encoding."""
    found = []
    for match in _ENCODED_WORD.finditer(text):
        plain = unquote(match[0])
        if plain == match[0]:
            continue
        known = len(_spans(match[0], 0))
        if len(_spans(plain, depth - 1)) > known:
            # From the first encoded byte on, so that the host stays readable.
            found.append((match.start() + match[0].index("%"), match.end()))
    return found


def is_secret_value(value: str) -> bool:
    """Whether a value holds a secret whatever it stands in.

    Not what stands for another: ``?pass=$user_pass`` and ``{mac}`` hold none.
    """
    return _may_hold(value) and bool(_spans(value))


def _may_hold(text: str) -> bool:
    # The patterns cost microseconds; most values have none of these characters.
    if text.isalnum():
        return False
    for mark in _MARKS:  # not any(): it would cost twice as much, for each line
        if mark in text:
            return True
    return len(text) >= _LEAST_BEARER and _BEARER.search(text) is not None


def mask_url(text: str, typed: Iterable[str] = ()) -> str:
    """Text for logs, pages and JSON: "…" for each secret that it holds.

    ``typed`` are passwords that may stand anywhere in it, whatever the name of the
    parameter, percent-encoded or not. A URL's user name goes, too: a page does not need
    it. Masking twice changes nothing more.
    """
    for value in sorted(filter(None, typed), key=len, reverse=True):
        text = _spellings(value).sub("…", text)
    if not _may_hold(text):
        return text
    while True:  # what one mask leaves may read as another; each takes some away
        names = [match.span(1) for match in _USER_INFO.finditer(text)]
        shown = _cut(text, names + _spans(text))
        if shown == text:
            return shown
        text = shown


def _cut(text: str, spans: Iterable[Span]) -> str:
    parts: list[str] = []
    at = 0
    for start, end in sorted(spans):
        if end <= at or text[start:end] == "…":
            continue
        if start < at:
            at = end
            continue
        parts += (text[at:start], "…")
        at = end
    return "".join((*parts, text[at:])) if parts else text


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
