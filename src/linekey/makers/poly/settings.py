"""What Poly calls each term, and how it is told whom to trust.

Sources: PBX-WAZO (which holds the maker's own sample files), PBX-FUSION, PBX-FSPBX and
PBX-TELEPROVISIONER.
"""

from collections.abc import Sequence
from typing import Any, Final

from linekey.catalog.evidence import Confidence
from linekey.makers.grammar import Line
from linekey.makers.maker import Guard, KnownRow, TrustSettings, language_field
from linekey.makers.mapping import Field, How, Map

ALL: Final = "PBX-WAZO; PBX-FUSION; PBX-FSPBX"


def _row(term: str, name: str, grade: Confidence = "H", source: str = ALL,
         **more: Any) -> Field:  # fmt: skip
    return Field(term=term, names=(name,), source=source, confidence=grade, **more)


MAP: Final = Map(
    (
        _row("any.account.user", "reg.{n}.address"),
        _row("any.account.auth_user", "reg.{n}.auth.userId"),
        _row("any.account.password", "reg.{n}.auth.password"),
        _row("any.account.display_name", "reg.{n}.displayName"),
        _row("any.account.label", "reg.{n}.label"),
        Field(
            term="any.account.registrar",
            names=("reg.{n}.server.1.address", "reg.{n}.server.1.port"),
            with_it=(("reg.{n}.server.1.register", "1"),),
            how=How.HOST_PORT, source=ALL, confidence="H",
        ),
        Field(
            term="any.account.outbound",
            names=("reg.{n}.outboundProxy.address", "reg.{n}.outboundProxy.port"),
            how=How.HOST_PORT, source=ALL, confidence="H",
        ),
        _row("any.account.transport", "reg.{n}.server.1.transport",
             values=(("udp", "UDPOnly"), ("tcp", "TCPOnly"), ("tls", "TLS"))),
        _row("any.account.expires", "reg.{n}.server.1.expires"),
        Field(
            term="any.directory.server", names=("dir.corp.address", "dir.corp.port"),
            with_it=(("feature.corporateDirectory.enabled", "1"),),
            how=How.HOST_PORT, source="PBX-WAZO", confidence="H",
            note="the switch beside it is L",
        ),
        _row("any.directory.base", "dir.corp.baseDN"),
        _row("any.directory.user", "dir.corp.user"),
        _row("any.directory.password", "dir.corp.password"),
        _row("any.directory.transport", "dir.corp.transport", "L",
             values=(("ldap", "TCP"), ("ldaps", "TLS")),
             note="TCP is H; TLS is in weak sources only"),
        _row("any.directory.name_filter", "dir.corp.filterPrefix", "M"),
        Field(
            term="any.provisioning.url",
            names=("device.prov.serverType", "device.prov.serverName"),
            values=(("https", "HTTPS"), ("http", "HTTP"),
                    ("https", "3"), ("http", "2")),
            how=How.SCHEME_PATH, source="PBX-FUSION; PBX-TELEPROVISIONER",
            confidence="M",
            note="the scheme stands as a word in some sources and as a number in"
            " others; the word is written, both are read",
        ),
        _row("any.provisioning.user", "device.prov.user"),
        _row("any.provisioning.password", "device.prov.password"),
        _row("any.provisioning.interval", "prov.polling.period", least=3600,
             source="POLY-UCS 5.8.1, polling",
             with_it=(("prov.polling.enabled", "1"), ("prov.polling.mode", "rel"))),
        _row("any.time.server", "tcpIpApp.sntp.address",
             with_it=(("tcpIpApp.sntp.address.overrideDHCP", "1"),)),
        language_field("lcl.ml.lang", {
            "en": "English_United_States", "de": "German_Germany",
            "fr": "French_France", "it": "Italian_Italy", "es": "Spanish_Spain",
        }, "PBX-WAZO", "M"),
        _row("any.admin.password", "device.auth.localAdminPassword",
             note="one source allows digits only (M)"),
    )
)  # fmt: skip

_SRTP: Final = {
    "off": ("0", "0", "0"),
    "optional": ("1", "1", "0"),
    "required": ("1", "1", "1"),
}
_SRTP_NAMES: Final = ("enable", "offer", "require")
ZONES: Final = {
    "Etc/UTC": 0, "UTC": 0, "Europe/London": 0, "Europe/Lisbon": 0,
    "Europe/Berlin": 3600, "Europe/Paris": 3600, "Europe/Madrid": 3600,
    "Europe/Rome": 3600, "Europe/Vienna": 3600, "Europe/Zurich": 3600,
    "Europe/Amsterdam": 3600, "Europe/Brussels": 3600, "Europe/Warsaw": 3600,
    "Europe/Prague": 3600, "Europe/Stockholm": 3600, "Europe/Athens": 7200,
    "Europe/Helsinki": 7200, "America/New_York": -18000, "America/Chicago": -21600,
    "America/Denver": -25200, "America/Los_Angeles": -28800,
}  # fmt: skip
"""Seconds from UTC in winter: all that the phone's setting says."""
_OFFSET: Final = "tcpIpApp.sntp.gmtOffset"


def own(terms: Sequence[Line]) -> tuple[list[Line], list[str], list[Line]]:
    """SRTP's three switches, the time zone, and keys, which lie in two tables."""
    lines: list[Line] = []
    notes: list[str] = []
    rest: list[Line] = []
    keys: dict[int, dict[str, str]] = {}
    for term in terms:
        if term.name == "any.account.srtp" and term.value in _SRTP:
            lines += [
                Line(f"reg.{term.idx}.srtp.{name}", value)
                for name, value in zip(_SRTP_NAMES, _SRTP[term.value], strict=True)
            ]
        elif term.name == "any.time.zone" and term.value:
            if term.value in ZONES:
                lines.append(Line(_OFFSET, str(ZONES[term.value])))
                lines.append(Line(f"{_OFFSET}.overrideDHCP", "1"))
            else:
                notes.append(
                    f"any.time.zone: the offset of {term.value[:40]!r} is not in"
                    f" linekey's list; set {_OFFSET}, in seconds"
                )
        elif term.name.startswith("any.key.") and term.idx is not None:
            keys.setdefault(term.idx, {})[term.name.removeprefix("any.key.")] = (
                term.value
            )
        else:
            rest.append(term)
    key_lines, key_notes = _keys(keys)
    return lines + key_lines, notes + key_notes, rest


def _keys(keys: dict[int, dict[str, str]]) -> tuple[list[Line], list[str]]:
    if not keys:
        return [], []
    lines = [Line("lineKey.reassignment.enabled", "1")]
    notes: list[str] = []
    watched = 0
    for number, key in sorted(keys.items()):
        match key.get("type", ""):
            case "line":
                lines.append(Line(f"lineKey.{number}.category", "Line"))
                lines.append(Line(f"lineKey.{number}.index", key.get("account") or "1"))
            case "blf":
                watched += 1
                entry = f"attendant.resourceList.{watched}"
                lines += [
                    Line(f"lineKey.{number}.category", "BLF"),
                    Line(f"lineKey.{number}.index", str(watched)),
                    Line(f"{entry}.address", key.get("value", "")),
                    Line(f"{entry}.label", key.get("label", "")),
                    Line(f"{entry}.type", "normal"),
                ]
            case "none":
                lines.append(Line(f"lineKey.{number}.category", "Unassigned"))
            case "":
                notes.append(f"any.key.type[{number}] is missing: the key is left out")
            case other:
                notes.append(
                    f"any.key.type[{number}]: {other}: Poly keeps these in its"
                    " directory file, which linekey does not write"
                )
    return lines, notes


def own_read(lines: Sequence[Line]) -> tuple[list[Line], list[Line]]:
    """The same, backwards."""
    values = {line.name: line.value for line in lines}
    used: set[str] = set()
    terms: list[Line] = []
    for offset in (values.get(_OFFSET),):
        zone = next((z for z, s in ZONES.items() if str(s) == offset), None)
        if zone is not None:
            terms.append(Line("any.time.zone", zone))
            used |= {_OFFSET, f"{_OFFSET}.overrideDHCP"}
    for number in range(1, 49):
        names = [f"reg.{number}.srtp.{name}" for name in _SRTP_NAMES]
        found = tuple(values.get(name, "") for name in names)
        said = next((ours for ours, theirs in _SRTP.items() if theirs == found), None)
        if said is not None:
            terms.append(Line("any.account.srtp", said, number))
            used.update(names)
    for name, category in values.items():
        number_text = name.removeprefix("lineKey.").removesuffix(".category")
        if not name.startswith("lineKey.") or not number_text.isdecimal():
            continue
        number = int(number_text)
        index = values.get(f"lineKey.{number}.index", "")
        kind = {"line": "line", "blf": "blf", "unassigned": "none"}.get(
            category.lower()
        )
        if kind is None or not 1 <= number <= 400:
            continue
        terms.append(Line("any.key.type", kind, number))
        used |= {name, f"lineKey.{number}.index", "lineKey.reassignment.enabled"}
        if kind == "line" and index.isdecimal():
            terms.append(Line("any.key.account", index, number))
        if kind == "blf":
            entry = f"attendant.resourceList.{index}"
            for ours, theirs in (("value", "address"), ("label", "label")):
                if text := values.get(f"{entry}.{theirs}"):
                    terms.append(Line(f"any.key.{ours}", text, number))
            used |= {f"{entry}.{part}" for part in ("address", "label", "type")}
    return terms, [line for line in lines if line.name not in used]


MOST_CAS: Final = 2
"""CAs of the operator's in the platform's store (PBX-FUSION, PBX-FSPBX, H)."""
_STRICT: Final = "strictCertCommonNameValidation"


def trust(settings: TrustSettings) -> tuple[list[Line], list[str]]:
    """Names are checked; the CAs stand in the platform's store, inline.

    No switch that turns the check of chains off was seen: an unknown CA fails (L). The
    maker's redirection is switched off where the file says whom to ask
    (PBX-TELEPROVISIONER, PBX-FUSION, H).
    """
    notes: list[str] = []
    lines = [
        Line(f"device.sec.TLS.prov.{_STRICT}", "1"),
        Line(f"device.sec.TLS.syslog.{_STRICT}", "1"),
        Line(f"sec.TLS.SIP.{_STRICT}", "1"),
    ]
    if settings.asks:
        lines.append(Line("device.prov.ztpEnabled", "0"))
    for number, ca in enumerate(settings.cas[:MOST_CAS], 1):
        lines += [
            Line(f"device.sec.TLS.customCaCert{number}", ca.pem),
            Line(f"device.sec.TLS.profile.caCertList{number}", f"Platform{number}"),
        ]
    if settings.cas:
        sip = min(len(settings.cas), MOST_CAS)
        lines += [
            Line("device.sec.TLS.profileSelection.provisioning", "PlatformProfile1"),
            Line("sec.TLS.profileSelection.SIP", f"PlatformProfile{sip}"),
        ]
    if len(settings.cas) > 1:
        notes.append(
            "two CAs: the first is for provisioning, the second for SIP, since a"
            " profile is known to take one"
        )
    notes += [
        f"CA {ca.sha256[:16]}…: a phone keeps {MOST_CAS} of them"
        for ca in settings.cas[MOST_CAS:]
    ]
    match settings.min_tls:
        case "1.2" | "1.3":
            lines += [
                Line("device.sec.TLS.protocol.prov", "TLSv1_2"),
                Line("sec.TLS.protocol.sip", "TLSv1_2"),
            ]
            if settings.min_tls == "1.3":
                notes.append(
                    "any.trust.min_tls: no value for TLS 1.3 is known; 1.2 is set"
                )
        case "1.0" | "1.1":
            notes.append(
                f"any.trust.min_tls: {settings.min_tls} needs no setting, and the only"
                " value known is for 1.2"
            )
    return lines, notes


GUARDS: Final = (
    Guard(
        rf"(?:device\.)?sec\.TLS\.(?:\w+\.)*{_STRICT}", frozenset({"1"}),
        "the phone does not look at the server's name",
        "PBX-FUSION; PBX-FSPBX; PBX-TELEPROVISIONER", "H", checks="name",
    ),
)  # fmt: skip


def _known(pattern: str, meaning: str, grade: Confidence = "H", *, secret: bool = False,
           source: str = ALL) -> KnownRow:  # fmt: skip
    return KnownRow(pattern, secret, meaning, source, grade)


KNOWN: Final = (
    _known(r"device\.set|device\.(?!sec\.TLS\.customDeviceCert)[\w.]+\.set",
           "twins: whether the setting beside it is applied"),
    _known(r"reg\.\d+\.(?:server|outboundProxy)\.(?:\d\.)?"
           r"(?:address|port|transport|expires|register)", "registrars and proxies"),
    _known(r"reg\.\d+\.(?:lineKeys|type|srtp\.(?:enable|offer|require))", "lines"),
    _known(r"sec\.srtp\.(?:enable|offer|require)", "SRTP of all lines"),
    _known(r"attendant\.resourceList\.\d+\.(?:address|label|type)", "watched lines"),
    _known(r"lineKey\.(?:reassignment\.enabled|\d+\.(?:category|index))", "keys"),
    _known(r"dir\.corp\.(?:scope|attribute\.\d+\.(?:name|label|type))", "directory"),
    _known(r"feature\.corporateDirectory\.enabled", "directory", "L"),
    _known(r"device\.prov\.(?:tagSerialNo|ztpEnabled|upgradeServer)", "provisioning"),
    _known(r"prov\.polling\.(?:enabled|mode|time|timeRandomEnd)", "polling"),
    _known(r"tcpIpApp\.sntp\.(?:gmtOffset|(?:address|gmtOffset)\.overrideDHCP)",
           "time"),
    _known(r"device\.sntp\.(?:serverName|gmtOffset)", "time while booting"),
    _known(r"device\.sec\.TLS\.(?:customCaCert\d|profile\.(?:caCertList|"
           r"cipherSuiteDefault|cipherSuite|deviceCert)\d"
           r"|profileSelection\.\w+|protocol\.\w+)", "TLS of the platform"),
    _known(r"sec\.TLS\.(?:customCaCert\.\d|profileSelection\.\w+|protocol\.\w+)",
           "TLS of applications"),
    _known(r"device\.sec\.TLS\.customDeviceCert\d\.(?:publicCert|privateKey)(?:\.set)?",
           "a certificate of the operator's", "M", secret=True),
    _known(r"mb\.(?:main\.home|idleDisplay\.(?:home|refresh))", "browser", "M"),
)  # fmt: skip
