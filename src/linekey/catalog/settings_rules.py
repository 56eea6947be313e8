"""What a firmware version brings or changes: rules with a beginning, per branch.

Each ``SinceRule`` says what holds from ``since`` on and what held before, with its
source. How a branch is chosen is told in ``firmware.Since``.
"""

from dataclasses import dataclass

from linekey.catalog.evidence import Confidence, Rule
from linekey.catalog.firmware import Firmware, Since
from linekey.catalog.models import CERT_TYPE_FIRMWARE, SHA2_FIRMWARE

_BASE64 = Since.of("8.7.5.52", "8.9.3.41")
_UPLOADING = "SNOM-TLS, Uploading Server Certificates via Provisioning"
_CHECK = "SNOM-SETTING, check_fqdn_against_server_cert"
_FLAGS = "SNOM-SETTING, host_name_validation_flags"


@dataclass(frozen=True, slots=True)
class SinceRule:
    """One rule that began with a firmware."""

    name: str
    since: Since
    now: str
    """What holds from ``since`` on."""
    before: str
    """What held before."""
    source: str
    confidence: Confidence
    note: str = ""

    def holds(self, firmware: Firmware) -> bool:
        """Say whether ``firmware`` is at or past the beginning."""
        return firmware.is_at_least(self.since)

    def rule(self, firmware: Firmware) -> Rule:
        """Return the statement that is true for ``firmware``."""
        holds = self.holds(firmware)
        since = f"since {self.since}" if holds else f"before {self.since}"
        text = f"{self.now if holds else self.before} ({since})"
        return Rule(self.name, text, self.source, self.confidence)


SERVER_AUTH_SETTING = SinceRule(
    "server_auth.setting",
    Since.of("8.2.30"),
    "verification of server certificates can be switched on; in 8.x it is off by"
    " default, and once on only a factory reset clears it",
    "server certificates are never verified",
    "SNOM-TLS, Server Authentication, Version 8.x",
    "H",
)
SERVER_AUTH_FORCED = SinceRule(
    "server_auth.forced",
    Since.of("10.0"),
    "server certificates are always verified; this cannot be disabled",
    "server certificates are not verified by default",
    "SNOM-TLS, Server Authentication, Version 10.x",
    "H",
    note='SNOM-TLS says "as of version 10.x"; 9.x, which nobody names, counts as 8.x',
)
CHECK_FQDN = SinceRule(
    "check_fqdn.setting",
    Since.of("8.7.5", "8.8.3.26"),
    "check_fqdn_against_server_cert exists: the name connected to must be in the"
    " certificate; an IP address must be a SAN iPAddress",
    "check_fqdn_against_server_cert does not exist",
    f"{_CHECK}; SNOM-DUMP, a PA1 with 8.7.5",
    "H",
    note="check_fqdn_against_server_cert: a late 8.7.5 has it (H); from which build is"
    " not known, and read as 8.7.5, like host_name_validation_flags, which has no"
    " effect without it",
)
CHECK_FQDN_DEFAULT = SinceRule(
    "check_fqdn.default",
    Since.of("10.0"),
    "check_fqdn_against_server_cert is on by default",
    "check_fqdn_against_server_cert is off by default, and without effect unless"
    " server authentication is on",
    _CHECK,
    "H",
)
HOST_FLAGS = SinceRule(
    "host_flags.setting",
    Since.of("8.7.5"),
    "host_name_validation_flags exists: a sum of OpenSSL's X509_CHECK_FLAG values",
    "host_name_validation_flags does not exist",
    _FLAGS,
    "H",
)
HOST_FLAGS_DEFAULT = SinceRule(
    "host_flags.default",
    Since.of("8.7.5.71"),
    "host_name_validation_flags is 0 by default: wildcards, also partial ones, match",
    "host_name_validation_flags is 2 by default: wildcard certificates fail",
    _FLAGS,
    "H",
    note="host_name_validation_flags: 8.8 and 8.9 are read as having default 0",
)
SHA2 = SinceRule(
    "sha2.firmware",
    SHA2_FIRMWARE,
    "the firmware supports SHA-2",
    "the firmware supports SHA-1 only",
    "SNOM-TLS, Authentication of the devices, IMPORTANT",
    "H",
)
PHONE_CERT_TYPE = SinceRule(
    "phone_cert_type",
    CERT_TYPE_FIRMWARE,
    "phone_cert_type can switch the phone's certificate to a SHA-256 one",
    "phone_cert_type does not exist: a phone that holds both shows its SHA-1 one",
    "SNOM-TLS, Phone's Web Server Certificate",
    "H",
    note="phone_cert_type: its values are undocumented; best stands in a settings dump"
    " of a D785 with 10.1.25.0 (M) and is read as the strongest that the phone holds"
    " (L). It is 20 builds older than SHA-2 support itself (8.9.3.60), as SNOM-TLS"
    " says; how a phone came by a second certificate before that is not known",
)
BASE64_CERTIFICATES = SinceRule(
    "certificates.base64",
    _BASE64,
    'provisioning reads <certificate type="base64">, effective at once',
    "provisioning reads <certificate url> only, fetched after all documents",
    f"{_UPLOADING}; per branch: SNOM-FILES",
    "H",
    note="base64 certificates: 8.8 is not spoken for, and read as without",
)
SIGNED_BY = SinceRule(
    "certificates.signed_by",
    _BASE64,
    "a provisioned certificate may be signed by anyone",
    "a provisioned certificate must be signed by one of the phone's authorities or"
    " server certificates",
    f"{_UPLOADING}; per branch: SNOM-FILES",
    "H",
    note="signed by: 8.8 is not spoken for, and read as still restricted",
)
SIP_SRV_NAME = SinceRule(
    "sip.srv_name",
    Since.of("10.1.63.0"),
    "SIP over TLS by SRV: the name checked is the outbound proxy, else the registrar",
    "SIP over TLS by SRV: the name check does not fully follow RFC 5922",
    f"{_CHECK}; RFC 5922 §4",
    "H",
)
LDAP_SUBSTRINGS = SinceRule(
    "ldap.substrings",
    Since.of("10.1.27.0"),
    "% in an LDAP filter is the typed text as it stands: %* begins with, *%* contains",
    "% in an LDAP filter is the beginning of a value: (sn=%) finds what begins so",
    "SNOM-LDAP; PBX-TANCREDI, change of its defaults of 2021-09-20",
    "M",
    note="LDAP: what a bare % does from 10.1.27.0 on is open, since the vendor says"
    " that most old filters still work (L: the whole value)",
)
ADMIN_PASSWORD = SinceRule(
    "admin_password.default",
    Since.of("10.1.185.0"),
    "the administrator's password is empty by default",
    "the administrator's password is 0000 by default",
    "SNOM-SETTING, admin_mode_password",
    "H",
)

SINCE_RULES: tuple[SinceRule, ...] = (
    SERVER_AUTH_SETTING,
    SERVER_AUTH_FORCED,
    CHECK_FQDN,
    CHECK_FQDN_DEFAULT,
    HOST_FLAGS,
    HOST_FLAGS_DEFAULT,
    SHA2,
    PHONE_CERT_TYPE,
    BASE64_CERTIFICATES,
    SIGNED_BY,
    SIP_SRV_NAME,
    LDAP_SUBSTRINGS,
    ADMIN_PASSWORD,
)

STANDING_RULES: tuple[Rule, ...] = (
    Rule(
        "certificate.patch",
        "a SHA-1 phone moves to SHA-2 by a firmware patch made for this one device",
        "SNOM-TLS, Upgrade to SHA-2",
        "H",
    ),
    Rule(
        "trust.exception",
        "a refused certificate is listed as unknown; added as an exception, that very"
        " certificate is accepted from then on",
        "SNOM-TLS, Adding Unknown Certificates",
        "H",
    ),
    Rule(
        "trust.authorities",
        "the authorities are Mozilla's list as of the firmware",
        "SNOM-TLS, Adding Unknown Certificates",
        "H",
    ),
    Rule(
        "trust.upload",
        "a certificate uploaded by hand must be DER and signed by one of the phone's"
        " authorities or server certificates",
        "SNOM-TLS, Manually Uploading Certificates",
        "H",
    ),
    Rule(
        "revocation.crl",
        "no certificate revocation lists",
        "SNOM-TLS, Limitations",
        "H",
    ),
    Rule(
        "lifecycle",
        "no certificate lifecycle management, such as SCEP",
        "SNOM-TLS, Limitations",
        "H",
    ),
)
"""What holds for every model and firmware."""
