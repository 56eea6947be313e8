"""Neutral terms as the phone's own settings, which are called as Snom's are.

A virtual phone has one machine, whoever made it: SIP, directory and provisioning read
settings by Snom's names. What another maker's file says is kept in neutral terms
(``any.…``); this module says what they come to. It looks at all of them each time,
since a line's address stands in one file and its password in another.

Rules: an outbound proxy is called where there is one, else the registrar, with the
account's transport. TLS without a port is 5061 (RFC 3261 §19.1.2). What has no
counterpart is left, and said (``NOT_DONE``).
"""

from collections.abc import Callable, Mapping
from typing import Final

from linekey.endpoint import parse_host_port
from linekey.phone.document import FunctionKey, PhoneDocument, SettingLine
from linekey.phone.settings import PhoneSettings

MOST: Final = 48
"""Accounts that are looked for; a phone has 16 at most, conference units more."""
MOST_KEYS: Final = 400

_ACCOUNT: Final = {
    "user": "user_name",
    "auth_user": "user_pname",
    "password": "user_pass",
    "display_name": "user_realname",
    "label": "user_idle_text",
    "expires": "user_expiry",
}
_PHONE: Final = {
    "any.directory.base": "ldap_base",
    "any.directory.user": "ldap_username",
    "any.directory.password": "ldap_password",
    "any.directory.name_filter": "ldap_search_filter",
    "any.directory.number_filter": "ldap_number_filter",
    "any.provisioning.url": "setting_server",
    "any.provisioning.user": "http_client_user",
    "any.provisioning.password": "http_client_pass",
    "any.provisioning.interval": "settings_refresh_timer",
    "any.time.server": "ntp_server",
    "any.language": "language",
    "any.admin.password": "admin_mode_password",
}
_SRTP: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    "off": (("user_srtp", "off"),),
    "optional": (("user_srtp", "on"), ("user_savp", "optional")),
    "required": (("user_srtp", "on"), ("user_savp", "mandatory")),
}
NOT_DONE: Final = {
    "any.directory.transport": ("starttls", "StartTLS is not done; LDAPS is"),
}
"""Terms with the value that this phone does not do, and a clause for its log."""

Get = Callable[[str, int | None], str]


def in_own_words(settings: PhoneSettings) -> PhoneDocument:
    """What the neutral terms among these settings come to, as a document."""
    lines: list[SettingLine] = []
    notes: list[str] = []

    def get(name: str, idx: int | None = None) -> str:
        return settings.get(name, idx).strip()

    for account in range(1, MOST + 1):
        if settings.entry("any.account.user", account) is not None:
            lines += _account(get, account)
    for term, name in _PHONE.items():
        if settings.entry(term) is not None:
            lines.append(SettingLine(name, settings.get(term), None, ""))
    if settings.entry("any.directory.server") is not None:
        lines += _directory(get)
    for term, (value, why) in NOT_DONE.items():
        if get(term) == value:
            notes.append(f"{term} is {value}: {why}")
    keys = tuple(
        _key(get, number)
        for number in range(1, MOST_KEYS + 1)
        if settings.entry("any.key.type", number) is not None
    )
    return PhoneDocument(tuple(lines), keys, notes=tuple(notes))


def _account(get: Get, account: int) -> list[SettingLine]:
    def line(name: str, value: str) -> SettingLine:
        return SettingLine(name, value, account, "")

    found = [
        line(name, value)
        for term, name in _ACCOUNT.items()
        if (value := get(f"any.account.{term}", account))
    ]
    registrar = get("any.account.registrar", account)
    outbound = get("any.account.outbound", account)
    transport = get("any.account.transport", account) or "udp"
    host = _host(registrar)
    if outbound:
        found.append(line("user_host", host))
        found.append(line("user_outbound", f"{outbound};transport={transport}"))
    elif registrar:
        found.append(line("user_host", f"{registrar};transport={transport}"))
        found.append(line("user_outbound", ""))
    found += [line(*pair) for pair in _SRTP.get(get("any.account.srtp", account), ())]
    return found


def _host(text: str) -> str:
    """The domain of ``host`` or ``host:port``; an IPv6 address in its brackets."""
    try:
        host, _ = parse_host_port(text, 0)
    except ValueError:
        return text
    return f"[{host}]" if ":" in host else host


def _directory(get: Get) -> list[SettingLine]:
    transport = get("any.directory.transport", None)
    usual = 636 if transport == "ldaps" else 389
    try:
        host, port = parse_host_port(get("any.directory.server", None), usual)
    except ValueError:
        host, port = get("any.directory.server", None), usual
    pairs = (
        ("ldap_server", host),
        ("ldap_port", str(port)),
        ("ldap_over_tls", "on" if transport == "ldaps" else "off"),
    )
    return [SettingLine(name, value, None, "") for name, value in pairs]


def _key(get: Get, number: int) -> FunctionKey:
    kind = get("any.key.type", number)
    value = get("any.key.value", number)
    return FunctionKey(
        number - 1, kind or "none", value, label=get("any.key.label", number)
    )
