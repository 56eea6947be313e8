"""What Grandstream calls each term: numbers (P-codes), and their names.

Account 1 has numbers of its own; those of account N from 2 on begin with N + 2, and
where account 1 has 23xx with 2 and N + 2 (PBX-WAZO, PBX-FUSION, H for account 2, M for
the rest). linekey writes numbers; the names that mean the same are taken from an
operator and read in a file.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from linekey.catalog.evidence import Confidence
from linekey.makers.grammar import Line
from linekey.makers.maker import Guard, KnownRow, TrustSettings
from linekey.makers.mapping import Field, How, Map

BOTH: Final = "PBX-FUSION; PBX-WAZO"
ONE: Final = "PBX-FUSION"
ACCOUNTS: Final = 6
"""The maker's template has as many (PBX-FUSION grp26xx, M)."""
KEYS: Final = 40
"""Virtual keys of a GRP2615, the most (PBX-WAZO, M)."""

# term, account 1, the ending from account 2 on, the name, how sure
_ACCOUNT: Final[tuple[tuple[str, str, str, str], ...]] = (
    ("any.account.user", "35", "04", "sip.userid"),
    ("any.account.auth_user", "36", "05", "sip.subscriber.userid"),
    ("any.account.password", "34", "06", "sip.subscriber.password"),
    ("any.account.display_name", "3", "07", "sip.subscriber.name"),
    ("any.account.label", "270", "17", "name"),
    ("any.account.registrar", "47", "02", "sip.server.1.address"),
    ("any.account.outbound", "48", "03", "sip.outboundProxy.1.address"),
    ("any.account.expires", "32", "12", "sip.registerExpiration"),
    ("any.account.transport", "130", "48", "sip.transport"),
    ("any.account.srtp", "183", "43", "audio.srtpMode"),
)
_ENABLE: Final = ("271", "01", "enable")
_VALUES: Final = {
    "any.account.transport": (("udp", "0"), ("tcp", "1"), ("tls", "2")),
    "any.account.srtp": (("off", "0"), ("optional", "1"), ("required", "2"),
                         ("optional", "3")),
}  # fmt: skip


def code(account: int, first: str, later: str) -> str:
    """The P-code of an account's setting."""
    return f"P{first}" if account == 1 else f"P{account + 2}{later}"


def code23(account: int, ending: str) -> str:
    """The same for those that are 23xx in account 1."""
    return f"P2{account + 2}{ending}"


def _grade(account: int) -> Confidence:
    return "H" if account <= 2 else "M"


def _accounts() -> Iterator[Field]:
    for account in range(1, ACCOUNTS + 1):
        on = ((code(account, *_ENABLE[:2]), "1"),)
        for term, first, later, _ in _ACCOUNT:
            yield Field(
                term=term, names=(code(account, first, later),), at=account,
                values=_VALUES.get(term, ()),
                unit=60 if term == "any.account.expires" else 1,
                with_it=on if term == "any.account.user" else (),
                source=BOTH, confidence=_grade(account),
                note="minutes" if term == "any.account.expires" else "",
            )  # fmt: skip


def _keys() -> Iterator[Field]:
    for key in range(1, KEYS + 1):
        grade: Confidence = "M" if key <= 4 else "L"
        for term, number in (
            ("any.key.type", 1361 + 2 * key),
            ("any.key.account", 1362 + 2 * key),
            ("any.key.label", 1463 + 2 * key),
            ("any.key.value", 1464 + 2 * key),
        ):
            yield Field(
                term=term, names=(f"P{number}",), at=key,
                values=(("none", "-1"), ("line", "31"), ("speed", "0"), ("blf", "1"))
                if term == "any.key.type" else (),
                offset=-1 if term == "any.key.account" else 0,
                source=f"{ONE}; public templates of others", confidence=grade,
                note="numbers of keys beyond the fourth are concluded from the first"
                if key > 4 else "",
            )  # fmt: skip


def _row(term: str, number: int, grade: Confidence = "H", **more: Any) -> Field:
    return Field(
        term=term, names=(f"P{number}",), source=BOTH, confidence=grade, **more
    )


_CET: Final = "CET-1CEST-2,M3.5.0/02:00:00,M10.5.0/03:00:00"
_ZONES: Final = (
    ("Europe/Paris", _CET), ("Europe/Berlin", _CET), ("Europe/Madrid", _CET),
    ("Europe/Rome", _CET), ("Europe/Vienna", _CET), ("Europe/Zurich", _CET),
    ("Europe/Amsterdam", _CET), ("Europe/Brussels", _CET), ("Europe/Warsaw", _CET),
    ("Europe/Prague", _CET), ("Europe/Stockholm", _CET), ("Europe/Copenhagen", _CET),
    ("Europe/Oslo", _CET), ("Europe/Budapest", _CET),
)  # fmt: skip

MAP: Final = Map(
    (
        *_accounts(),
        *_keys(),
        Field(
            term="any.directory.server", names=("P8020", "P8021"),
            how=How.HOST_PORT, source=ONE, confidence="H",
        ),
        _row("any.directory.base", 8022),
        _row("any.directory.user", 8023),
        _row("any.directory.password", 8024),
        _row("any.directory.transport", 8037,
             values=(("ldap", "0"), ("ldaps", "1"))),
        _row("any.directory.number_filter", 8025),
        _row("any.directory.name_filter", 8026),
        Field(
            term="any.provisioning.url", names=("P212", "P237"),
            values=(("https", "2"), ("http", "1")),
            how=How.SCHEME_PATH, source=BOTH, confidence="H",
            note="the path stands without its scheme",
        ),
        _row("any.provisioning.user", 1360),
        _row("any.provisioning.password", 1361),
        _row("any.provisioning.interval", 193, "M", unit=60, least=60,
             with_it=(("P194", "1"),), note="minutes"),
        _row("any.time.server", 30),
        _row("any.time.zone", 64, "M", values=_ZONES,
             note="as PBX-WAZO writes Paris; others of the same rules"),
        _row("any.language", 1362, "M", values=tuple(
            (text, text) for text in ("en", "de", "es", "fr", "it", "nl")
        )),
        _row("any.admin.password", 2),
    )
)  # fmt: skip

_NAMED: Final = {
    "ldap.protocol": "P8037", "ldap.server": "P8020", "ldap.port": "P8021",
    "ldap.base": "P8022", "ldap.username": "P8023", "ldap.password": "P8024",
    "ldap.ldapnumberfilter": "P8025",
    "provisioning.config.protocol": "P212", "provisioning.config.serverpath": "P237",
    "provisioning.config.username": "P1360", "provisioning.config.password": "P1361",
    "provisioning.auto.mode": "P194", "provisioning.auto.minute": "P193",
    "provisioning.alwaysauthenticatebeforechallenge": "P20713",
    "datetime.ntp.server.1": "P30", "datetime.timezone": "P64",
    "language.gui": "P1362", "users.admin.password": "P2",
    "users.user.password": "P196", "xmlapplication.serverpath": "P337",
    "security.validate.servercertificate": "P8463",
    "provisioning.validatehostnameincertificate": "P22030",
    "trustedcacertificates.load": "P8502",
    **{f"trustedcacertificates.trustedcacertificate.{n}": f"P{8432 + n}"
       for n in range(1, 7)},
}  # fmt: skip
_WORDS: Final = {
    "yes": "1", "no": "0", "enabled": "1", "disabled": "0", "udp": "0", "tcp": "1",
    "tlsortcp": "2", "tls or tcp": "2", "ldap": "0", "ldaps": "1",
    "enabledbutnotforced": "1", "enabledandforced": "2", "optional": "3",
    "default certificates": "0", "custom certificates": "1", "all certificates": "2",
}  # fmt: skip
_WITH_WORDS: Final = frozenset(
    {"P8037", "P8463", "P22030", "P8502", "P20713"}
    | {code(n, *_ENABLE[:2]) for n in range(1, ACCOUNTS + 1)}
    | {code(n, "130", "48") for n in range(1, ACCOUNTS + 1)}
    | {code(n, "183", "43") for n in range(1, ACCOUNTS + 1)}
    | {code23(n, e) for n in range(1, ACCOUNTS + 1) for e in ("67", "11")}
)  # fmt: skip
_KEY_NAMES: Final = {
    "keymode": 1361,
    "account": 1362,
    "description": 1463,
    "value": 1464,
}


def number_of(name: str) -> str | None:
    """The P-code of a named setting; None: no source tells it."""
    lower = name.lower()
    if lower in _NAMED:
        return _NAMED[lower]
    if found := re.fullmatch(r"account\.([1-9])\.(.+)", lower):
        account, rest = int(found[1]), found[2]
        if account > ACCOUNTS:
            return None
        for _, first, later, named in _ACCOUNT:
            if rest == named.lower():
                return code(account, first, later)
        return {
            "enable": code(account, *_ENABLE[:2]),
            "sip.validate.certificationchain": code23(account, "67"),
            "sip.validate.domaincertificates": code23(account, "11"),
        }.get(rest)
    if found := re.fullmatch(r"pks\.vpk\.([0-9]{1,2})\.(\w+)", lower):
        key = int(found[1])
        start = _KEY_NAMES.get(found[2])
        return f"P{start + 2 * key}" if start and 1 <= key <= KEYS else None
    return None


def translate(line: Line) -> Line:
    """A named setting as its P-code, with the words for it as numbers."""
    number = number_of(line.name)
    if number is None:
        return line
    value = line.value
    if number in _WITH_WORDS:
        value = _WORDS.get(value.strip().lower(), value)
    return Line(number, value, number=line.number)


def own_read(lines: Sequence[Line]) -> tuple[list[Line], list[Line]]:
    """Names become numbers, which the map reads."""
    return [], [translate(line) for line in lines]


MOST_CAS: Final = 6
"""Places for CAs of the operator's (PBX-FUSION, M)."""


def trust(settings: TrustSettings) -> tuple[list[Line], list[str]]:
    """Chain and name are checked, for provisioning and for each account's SIP."""
    notes: list[str] = []
    lines = [Line("P8463", "1"), Line("P22030", "1"), Line("P8502", "2")]
    for number, ca in enumerate(settings.cas[:MOST_CAS]):
        lines.append(Line(f"P{8433 + number}", ca.pem))
    notes += [
        f"CA {ca.sha256[:16]}…: a phone keeps {MOST_CAS} of them"
        for ca in settings.cas[MOST_CAS:]
    ]
    for account in settings.accounts:
        if account <= ACCOUNTS:
            lines.append(Line(code23(account, "67"), "1"))
            lines.append(Line(code23(account, "11"), "1"))
    match settings.min_tls:
        case "1.0" | "1.1" | "1.2":
            lines.append(Line("P22293", settings.min_tls.replace(".", "")))
        case "1.3":
            lines.append(Line("P22293", "12"))
            notes.append("any.trust.min_tls: no value for TLS 1.3 is known; 1.2 is set")
    return lines, notes


_YES: Final = frozenset({"1", "yes", "enabled"})
_CHAIN: Final = "the phone accepts any server's certificate"
_HOST: Final = "the phone does not look at the server's name"
GUARDS: Final = (
    Guard(r"P8463|security\.validate\.serverCertificate", _YES, _CHAIN, ONE, "M",
          reset=True),
    Guard(r"P22030|provisioning\.validateHostnameInCertificate", _YES, _HOST, ONE, "M",
          reset=True, checks="name"),
    Guard(r"P2[3-8]67|account\.\d\.sip\.validate\.certificationChain", _YES,
          "the phone accepts any SIP server's certificate", ONE, "M", reset=True),
    Guard(r"P2[3-8]11|account\.\d\.sip\.validate\.domainCertificates", _YES,
          "the phone does not look at the SIP server's name", ONE, "M", reset=True,
          checks="name"),
)  # fmt: skip


def _known(pattern: str, meaning: str, grade: Confidence = "H", *,
           secret: bool = False) -> KnownRow:  # fmt: skip
    return KnownRow(pattern, secret, meaning, BOTH, grade)


_PASSWORDS: Final = "|".join(code(n, "34", "06") for n in range(1, ACCOUNTS + 1))
KNOWN: Final = (
    _known(_PASSWORDS, "passwords of the accounts", secret=True),
    _known(r"P(?:2|196|1361|8024|1359|7903|83)", "passwords", secret=True),
    _known(r"P(?:279|281|8472)|security\.certificate\.(?:key|password)",
           "key of a certificate of the operator's", "M", secret=True),
    _known(r"account\.\d\.sip\.subscriber\.password", "passwords of the accounts",
           secret=True),
    _known(r"(?:ldap|provisioning\.config|users\.(?:admin|user))\.password",
           "passwords", secret=True),
    _known(r"account\.\d\.(?:enable|name|sip\.userid|sip\.subscriber\.(?:userid|name)"
           r"|sip\.server\.\d\.address|sip\.outboundProxy\.\d\.address"
           r"|sip\.registerExpiration|sip\.transport|audio\.srtpMode)", "accounts"),
    _known(r"P(?:271|2312|2333|2329|31|81|40)", "account 1"),
    _known(r"P(?:[4-8]01)", "whether an account is on"),
    _known(r"pks\.vpk\.\d+\.(?:keyMode|account|description|value)", "keys"),
    _known(r"P(?:194|145|20713|8467|1409)|provisioning\.auto\.(?:mode|minute)",
           "provisioning"),
    _known(r"P843[3-8]|trustedCACertificates\.(?:load|trustedCACertificate\.[1-6])",
           "CAs of the operator's", "M"),
    _known(r"P(?:8502|22293|22294|8536|8402|280)", "TLS", "M"),
    _known(r"P(?:8028|8029|8030|337)", "directory and XML application"),
)  # fmt: skip
