"""Which URLs a phone fetches, from its ``setting_server``.

Rules (SNOM-SETTING, ``setting_server``, H):

- ``{mac}`` becomes the MAC, upper-case.
- Without a file name the phone GETs ``<base>/snom<Model>.htm``, then
  ``<base>/snom<Model>-<MAC>.htm``.
- With a file name and no ``{mac}`` it also fetches a MAC-specific file derived from it:
  ``name.htm`` → ``name-<MAC>.htm`` (H that it does; the derived form is M, after the
  form without a file name).
- With a file name and ``{mac}`` it fetches that one alone.

A last path segment is a file name when it has a dot or the ``{mac}``, or when a query
follows; else it is a folder (L: the vendor draws no line).
"""

from urllib.parse import SplitResult, urljoin, urlsplit, urlunsplit

from linekey.catalog.secrecy import mask_url
from linekey.certs.host_names import parse_address
from linekey.errors import InputError
from linekey.mac import Mac
from linekey.phone.typed import untypable

_MARK_SPELLINGS = ("{mac}", "{MAC}", "%7Bmac%7D", "%7bmac%7d")
MAX_URL = 2048
"""Characters; the limit that browsers of the phones' age had."""
MAX_HOST = 253
"""Characters of a name in text form (RFC 1035 §2.3.4)."""


def parse_url(text: str) -> SplitResult:
    """Read an http or https URL. Raises InputError for anything else.

    The message never repeats a user name or password that stands in the URL.
    """
    stripped = text.strip()
    hint = "write https://host/path"
    if len(stripped) > MAX_URL:
        raise InputError(f"a URL of {len(stripped)} characters", hint=hint)
    if " " in stripped or untypable(stripped):
        raise InputError("a URL with white space or control characters", hint=hint)
    try:
        url = urlsplit(stripped)
        port_is_fine = url.port is None or url.port > 0
    except ValueError:
        raise InputError("a URL with a broken host or port", hint=hint) from None
    if url.scheme not in ("http", "https") or not url.hostname or not port_is_fine:
        raise InputError(f"not an http or https URL: {redact_url(text)!r}", hint=hint)
    return url


def is_host(text: str) -> bool:
    """Whether ``text`` can be a host to call: a name, or an address without brackets.

    The resolver says whether there is such a host; here go what no resolver can be
    asked for (a NUL, a blank), and what is more than a host (a port, a URL).
    """
    return (
        0 < len(text) <= MAX_HOST
        and text.isprintable()
        and not set(text) & set(" /@[]")
        and (":" not in text or parse_address(text.partition("%")[0]) is not None)
    )


def redact_url(text: str) -> str:
    """The URL without user name, password and one-time token, for logs and pages."""
    return mask_url(text)


def settings_urls(setting_server: str, user_agent_name: str, mac: Mac) -> list[str]:
    """The documents of a provisioning round, in order.

    ``user_agent_name`` is the model as its files are called, ``snomD785``. Raises
    InputError for what is no http or https URL.
    """
    given = setting_server.strip()
    if "://" not in given and given:
        given = f"http://{given}"  # the vendor's short form: a bare host means http (M)
    personal = any(mark in given for mark in _MARK_SPELLINGS)
    url = parse_url(with_mac(given, mac))
    folder, _, name = url.path.rpartition("/")
    raw_name = given.partition("?")[0].rpartition("/")[2] if url.path else ""
    is_file = (
        "." in name or bool(url.query) or any(m in raw_name for m in _MARK_SPELLINGS)
    )
    if is_file and name:
        own = urlunsplit(url._replace(fragment=""))
        if personal:
            return [own]
        stem, dot, suffix = name.rpartition(".")
        derived = f"{stem}-{mac}{dot}{suffix}" if dot else f"{name}-{mac}"
        return [
            own,
            urlunsplit(url._replace(path=f"{folder}/{derived}", fragment="")),
        ]
    base = url.path.rstrip("/")
    return [
        urlunsplit(url._replace(path=f"{base}/{file}", fragment=""))
        for file in (f"{user_agent_name}.htm", f"{user_agent_name}-{mac}.htm")
    ]


def with_mac(text: str, mac: Mac) -> str:
    """Put the MAC in for ``{mac}``."""
    for mark in _MARK_SPELLINGS:
        text = text.replace(mark, str(mac))
    return text


def nested_url(text: str, base: str, mac: Mac) -> str:
    """A URL that a document names, ``{mac}`` expanded; relative to that document (M).

    Raises InputError for what is no http or https URL.
    """
    try:
        joined = urljoin(base, with_mac(text.strip(), mac))
    except ValueError:
        raise InputError("a URL that cannot be read", hint="https://host/…") from None
    return urlunsplit(parse_url(joined)._replace(fragment=""))
