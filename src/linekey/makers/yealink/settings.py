"""What Yealink calls each term, and how it is told whom to trust.

Sources: PBX-FUSION, PBX-WAZO and PBX-TANCREDI agree on most names (H); where one alone
says it, the row has M. Settings of network, provisioning and security begin with
``static.`` since V81 (PBX-WAZO, H).
"""

from collections.abc import Sequence
from typing import Any, Final

from linekey.catalog.evidence import Confidence
from linekey.endpoint import parse_host_port
from linekey.makers.grammar import Line
from linekey.makers.maker import Guard, KnownRow, TrustSettings, language_field
from linekey.makers.mapping import Field, How, Map

ALL: Final = "PBX-FUSION; PBX-WAZO; PBX-TANCREDI"
GUIDE: Final = "YEALINK-GUIDE"

_ON: Final = (("account.{n}.enable", "1"),)


def _row(term: str, name: str, grade: Confidence = "H", **more: Any) -> Field:
    return Field(term=term, names=(name,), source=ALL, confidence=grade, **more)


_SERVER: Final = "account.{n}.sip_server.1"
_PROXY: Final = "account.{n}.outbound_proxy.1"

MAP: Final = Map(
    (
        _row("any.account.user", "account.{n}.user_name", with_it=_ON),
        _row("any.account.auth_user", "account.{n}.auth_name"),
        _row("any.account.password", "account.{n}.password"),
        _row("any.account.display_name", "account.{n}.display_name"),
        _row("any.account.label", "account.{n}.label"),
        Field(
            term="any.account.registrar",
            names=(f"{_SERVER}.address", f"{_SERVER}.port"),
            how=How.HOST_PORT, source=ALL, confidence="H",
        ),
        Field(
            term="any.account.outbound",
            names=(f"{_PROXY}.address", f"{_PROXY}.port"),
            with_it=(("account.{n}.outbound_proxy_enable", "1"),),
            how=How.HOST_PORT, source="PBX-FUSION; PBX-TANCREDI", confidence="H",
        ),
        _row("any.account.transport", f"{_SERVER}.transport_type",
             values=(("udp", "0"), ("tcp", "1"), ("tls", "2"))),
        _row("any.account.srtp", "account.{n}.srtp_encryption", "M",
             values=(("off", "0"), ("optional", "1"), ("required", "2")),
             note="old comments have 1 forced and 2 negotiated"),
        _row("any.account.expires", f"{_SERVER}.expires"),
        _row("any.key.type", "linekey.{n}.type", values=(
            ("none", "0"), ("line", "15"), ("speed", "13"), ("blf", "16"),
            ("url", "17"),
        ), note="17, a URL, is M"),
        _row("any.key.value", "linekey.{n}.value"),
        _row("any.key.label", "linekey.{n}.label"),
        _row("any.key.account", "linekey.{n}.line"),
        Field(
            term="any.directory.server", names=("ldap.host", "ldap.port"),
            with_it=(("ldap.enable", "1"),),
            how=How.HOST_PORT, source="PBX-FUSION; PBX-TANCREDI", confidence="H",
        ),
        _row("any.directory.base", "ldap.base"),
        _row("any.directory.user", "ldap.user"),
        _row("any.directory.password", "ldap.password"),
        _row("any.directory.transport", "ldap.tls_mode",
             values=(("ldap", "0"), ("starttls", "1"), ("ldaps", "2"))),
        _row("any.directory.name_filter", "ldap.name_filter"),
        _row("any.directory.number_filter", "ldap.number_filter"),
        _row("any.provisioning.url", "static.auto_provision.server.url"),
        _row("any.provisioning.user", "static.auto_provision.server.username"),
        _row("any.provisioning.password", "static.auto_provision.server.password"),
        _row("any.provisioning.interval", "static.auto_provision.repeat.minutes",
             unit=60, least=1,
             with_it=(("static.auto_provision.repeat.enable", "1"),)),
        _row("any.time.server", "local_time.ntp_server1"),
        language_field("lang.gui", {
            "en": "English", "de": "German", "fr": "French", "it": "Italian",
            "es": "Spanish", "pl": "Polish", "pt": "Portuguese", "tr": "Turkish",
        }, "PBX-WAZO; PBX-TANCREDI", "M"),
        Field(
            term="any.admin.password", names=("static.security.user_password",),
            form="admin:{}", source="PBX-FUSION; PBX-WAZO", confidence="H",
            note="the key may stand once for each role",
        ),
    )
)  # fmt: skip

ZONES: Final = {
    "Europe/Berlin": ("+1", "Germany(Berlin)"),
    "Europe/Rome": ("+1", "Italy(Rome)"),
    "Europe/London": ("0", "United Kingdom(London)"),
}
"""Offset and Yealink's own name; more are not written anywhere that we read (M)."""
_OFFSET, _NAME, _SUMMER = (
    "local_time.time_zone", "local_time.time_zone_name", "local_time.summer_time"
)  # fmt: skip


_TLS_PORT: Final = "5061"
"""RFC 3261 §19.1.2."""


def _ports(terms: Sequence[Line]) -> list[Line]:
    """The port of SIP over TLS, for hosts that are named without one.

    Every public template writes a port, so what a phone takes without one is not known
    (L: that of UDP).
    """
    tls = {
        t.idx for t in terms if (t.name, t.value) == ("any.account.transport", "tls")
    }
    places = {"any.account.registrar": _SERVER, "any.account.outbound": _PROXY}
    return [
        Line(f"{places[t.name]}.port".replace("{n}", str(t.idx)), _TLS_PORT)
        for t in terms
        if t.name in places and t.idx in tls and t.value and not _has_port(t.value)
    ]


def _has_port(value: str) -> bool:
    return parse_host_port(value, 0)[1] != 0


def own(terms: Sequence[Line]) -> tuple[list[Line], list[str], list[Line]]:
    """The time zone: offset, Yealink's name for it, and summer time by itself.

    And the port of SIP over TLS, where none is named.
    """
    lines: list[Line] = _ports(terms)
    notes: list[str] = []
    rest: list[Line] = []
    for term in terms:
        if term.name != "any.time.zone" or not term.value:
            rest.append(term)
        elif term.value in ZONES:
            offset, name = ZONES[term.value]
            lines += [Line(_OFFSET, offset), Line(_NAME, name), Line(_SUMMER, "2")]
        else:
            notes.append(
                f"any.time.zone: Yealink's name for {term.value[:40]!r} is not known;"
                f" known are {', '.join(ZONES)}: set {_OFFSET} and {_NAME}"
            )
    return lines, notes, rest


def own_read(lines: Sequence[Line]) -> tuple[list[Line], list[Line]]:
    """The same, backwards: by Yealink's name of the zone."""
    by_name = {name: zone for zone, (_, name) in ZONES.items()}
    zone = next((by_name.get(n.value) for n in lines if n.name == _NAME), None)
    if zone is None:
        return [], list(lines)
    kept = [n for n in lines if n.name not in (_OFFSET, _NAME, _SUMMER)]
    return [Line("any.time.zone", zone)], kept


MOST_CAS: Final = 10
"""Certificates of the operator's that a phone keeps (YEALINK-GUIDE p. 940, H)."""
_METHOD: Final = "static.security.default_ssl_method"


def trust(settings: TrustSettings) -> tuple[list[Line], list[str]]:
    """Verify the chain against built-in and given CAs, and the name.

    And ask nobody else, once the phone knows whom: multicast PnP (PBX-FUSION,
    PBX-TANCREDI, H) and the maker's redirection (PBX-TANCREDI, M) are switched off.
    """
    notes: list[str] = []
    lines = [
        Line("static.security.trust_certificates", "1"),
        Line("static.security.ca_cert", "2"),
        Line("static.security.cn_validation", "1"),
    ]
    if settings.asks:
        lines.append(Line("static.auto_provision.pnp_enable", "0"))
        lines.append(Line("static.zero_touch.enable", "0"))
    with_url = [ca for ca in settings.cas if ca.url]
    lines += [
        Line("static.trusted_certificates.url", ca.url) for ca in with_url[:MOST_CAS]
    ]
    notes += [
        f"CA {ca.sha256[:16]}…: a phone keeps {MOST_CAS} of them"
        for ca in with_url[MOST_CAS:]
    ]
    notes += [
        f"CA {ca.sha256[:16]}…: Yealink fetches CAs by URL, and there is none"
        for ca in settings.cas
        if not ca.url
    ]
    match settings.min_tls:
        case "1.2":
            lines.append(Line(_METHOD, "5"))
        case "1.3":
            lines.append(Line(_METHOD, "5"))
            notes.append("any.trust.min_tls: no value for TLS 1.3 is known; 1.2 is set")
        case "1.0" | "1.1":
            lines.append(Line(_METHOD, "3"))
    return lines, notes


GUARDS: Final = (
    Guard(
        r"(?:static\.)?security\.trust_certificates", frozenset({"1"}),
        "the phone accepts any server's certificate", "PBX-FUSION", "M",
    ),
    Guard(
        r"(?:static\.)?security\.cn_validation", frozenset({"1"}),
        "the phone does not look at the server's name",
        f"{GUIDE}, T48G p. 217; PBX-FUSION", "H", checks="name",
    ),
)  # fmt: skip


def _known(pattern: str, meaning: str, grade: Confidence = "H", *, secret: bool = False,
           source: str = ALL) -> KnownRow:  # fmt: skip
    return KnownRow(pattern, secret, meaning, source, grade)


KNOWN: Final = (
    _known(r"account\.\d+\.enable", "whether the account is on"),
    _known(r"account\.\d+\.sip_server\.\d\.(?:address|port|expires|transport_type)",
           "registrars"),
    _known(r"account\.\d+\.outbound_proxy_enable", "whether a proxy is used"),
    _known(r"account\.\d+\.outbound_proxy\.\d\.(?:address|port)", "proxies"),
    _known(r"account\.\d+\.srtp\.cipher_list", "SRTP suites; V87 needs it", "M",
           source="PBX-TANCREDI"),
    _known(r"linekey\.\d+\.extension", "number for pick-up"),
    _known(r"expansion_module\.\d\.key\.\d+\.(?:type|line|value|label|extension)",
           "keys of an expansion module"),
    _known(r"programablekey\.\d+\.(?:type|line|value|label|extension)",
           "programmable keys (so spelt)"),
    _known(r"ldap\.(?:enable|name_attr|numb_attr)", "directory"),
    _known(r"static\.auto_provision\.(?:power_on|pnp_enable|repeat\.enable"
           r"|dhcp_option\.enable|weekly\.\w+|update_file_mode|aes_key_in_file"
           r"|custom\.sync|custom\.protect)", "when and how it asks for its files"),
    _known(r"static\.auto_provision\.aes_key(?:_16)?\.(?:com|mac)",
           "key of encrypted files", secret=True, source=GUIDE),
    _known(r"static\.zero_touch\.enable", "the maker's redirection", "M"),
    _known(r"push_xml\.(?:server|sip_notify|username)", "XML pushed to the phone"),
    _known(r"push_xml\.password", "its password", secret=True),
    _known(r"features\.xml_browser\.user_name", "XML browser"),
    _known(r"features\.xml_browser\.pwd", "its password", secret=True),
    _known(r"features\.action_uri\.enable|features\.action_uri_limit_ip",
           "remote control by URI"),
    _known(r"remote_phonebook\.data\.\d+\.(?:url|name)", "phone books"),
    _known(r"local_time\.(?:ntp_server2|time_zone|time_zone_name|summer_time"
           r"|dst_time_type|start_time|end_time|offset_time)", "time"),
    _known(r"lang\.wui", "language of its pages"),
    _known(r"static\.security\.user_name\.\w+", "names of its roles"),
    _known(r"static\.wui\.https?_enable", "its pages"),
    _known(r"static\.security\.(?:ca_cert|dev_cert|default_ssl_method)", "TLS", "M"),
    _known(r"static\.(?:trusted|server)_certificates\.(?:url|delete)",
           "certificates to fetch", source=GUIDE),
)  # fmt: skip
