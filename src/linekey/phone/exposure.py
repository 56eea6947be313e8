"""Secrets and certificates that came by a way where others could read or change them.

SNOM-TLS asks for "a trusted environment" where certificate and key are provisioned. A
document that came by plain HTTP (at whatever hop of a redirect), or from a server that
the phone did not authenticate, may have been read and replaced on its way: the phone
takes it, as real ones do, and says so, by setting and URL.
"""

from collections.abc import Iterable
from urllib.parse import urlsplit

from linekey.catalog.secrecy import is_secret, is_secret_value
from linekey.phone.document import PhoneDocument
from linekey.phone.identity import OWN_SETTINGS
from linekey.phone.urls import redact_url

_NAMES = 8
"""Settings that one warning names; the rest is counted."""

CURE = (
    "provision over https, with TLS server authentication on, and replace what came "
    "this way before"
)


def open_way(urls: Iterable[str], *, authenticates: bool) -> str:
    """Where the way to these URLs (redirects in order) is open, a clause; or empty.

    ``authenticates``: whether the phone verifies servers.
    """
    asked = [url for url in urls if url]
    for url in asked:
        if urlsplit(url).scheme.lower() != "https":
            return f"by plain HTTP from {redact_url(url)}"
    if not authenticates and asked:
        return f"from {redact_url(asked[-1])}, which the phone did not authenticate"
    return ""


def exposed_names(document: PhoneDocument) -> tuple[str, ...]:
    """What of a document must not be read or changed on its way, by its names."""
    names = [
        line.name if line.idx is None else f"{line.name}[{line.idx}]"
        for line in document.settings
        if line.value
        and (
            line.name.lower() in OWN_SETTINGS
            or is_secret(line.name)
            or is_secret_value(line.value)
        )
    ]
    names += [
        f"function key {key.idx}"
        for key in document.function_keys
        if is_secret_value(key.value)
    ]
    if any(line.text for line in document.certificates):
        names.append("<certificate type=base64>")
    return tuple(dict.fromkeys(names))


def warning(names: tuple[str, ...], way: str) -> str:
    """The sentence for the phone's log."""
    shown = ", ".join(names[:_NAMES])
    if len(names) > _NAMES:
        shown += f" and {len(names) - _NAMES} more"
    return (
        f"{shown} came {way}: whoever stands in between could read and replace what "
        f"came; {CURE}"
    )
