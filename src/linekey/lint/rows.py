"""Makers' settings by which a rule of ``rules`` is broken, each with its source.

What turns the verification of servers off stands in each maker's ``guards``, since the
server looks at it, too; what a term of the neutral vocabulary says is looked at in
``judge``. Here is what only the lint asks.

Rule: values are compared in lower case, whole. A value that is none of those listed
says nothing.
"""

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from linekey.catalog.evidence import Confidence


@dataclass(frozen=True)
class Row:
    """One setting. ``pattern`` is a regular expression for its whole name."""

    rule: str
    maker: str
    pattern: str
    weak: frozenset[str]
    """Values that break the rule; empty: any URL without TLS does."""
    safe: str
    """What to write instead, for the cure."""
    source: str
    confidence: Confidence
    absent: str = ""
    """Rule that is broken where the setting is not there at all; empty: none. Then
    ``name`` is what to add."""
    name: str = ""

    @cached_property
    def matcher(self) -> re.Pattern[str]:
        """The pattern, compiled."""
        return re.compile(self.pattern, re.ASCII | re.IGNORECASE)


def _row(
    rule: str, maker: str, pattern: str, weak: str, safe: str, source: str,
    confidence: Confidence, absent: str = "", name: str = "",
) -> Row:  # fmt: skip
    values = frozenset(word for word in weak.lower().split("|") if word)
    return Row(rule, maker, pattern, values, safe, source, confidence, absent, name)


_POLY_SOURCE: Final = "PBX-FUSION; PBX-FSPBX; PBX-TELEPROVISIONER"

ROWS: Final[tuple[Row, ...]] = (
    # ---- old TLS ----
    _row("tls.old", "yealink", r"(?:static\.)?security\.default_ssl_method", "0|4",
         "5 (TLS 1.2)", "PBX-FUSION", "M"),
    _row("tls.old", "grandstream", r"P22293|security\.minimum\.tls\.version",
         "10|11|99|tls_1_0|tls_1_1|unlimited", "12", "PBX-FUSION; PBX-FSPBX", "M"),
    _row("tls.old", "grandstream", r"P22294|security\.maximum\.tls\.version",
         "10|11|tls_1_0|tls_1_1", "99", "PBX-FUSION; PBX-FSPBX", "M"),
    _row("tls.old", "poly", r"(?:device\.)?sec\.TLS\.protocol\.\w+",
         "sslv2v3|sslv3|tlsv1_0|tlsv1_1|tlsv1", "TLSv1_2", "PBX-TELEPROVISIONER", "M"),
    _row("tls.suites", "grandstream", r"P8536", "0", "5 (no weak suites)",
         "PBX-FSPBX", "M"),
    # ---- which CAs ----
    _row("ca.unused", "yealink", r"(?:static\.)?security\.ca_cert", "0", "2 (all)",
         "YEALINK-GUIDE T48G p. 217; PBX-TANCREDI", "H"),
    _row("ca.unused", "grandstream", r"P8502|trustedCACertificates\.load",
         "0|default certificates|defaultcertificates", "2 (all)",
         "PBX-FUSION; PBX-FSPBX", "M"),
    _row("ca.plain", "yealink", r"(?:static\.)?trusted_certificates\.url", "", "https",
         "YEALINK-GUIDE p. 940", "H"),
    _row("ca.plain", "snom", r"certificate", "", "https", "SNOM-FILES", "H"),
    # ---- firmware ----
    _row("firmware.plain", "yealink", r"(?:static\.)?firmware\.url", "", "https",
         "PBX-FUSION", "M"),
    _row("firmware.plain", "snom", r"firmware|update_server|firmware_status", "",
         "https", "SNOM-SETTING", "M"),
    _row("firmware.plain", "poly", r"device\.prov\.upgradeServer", "", "https",
         "PBX-WAZO", "M"),
    # ---- URLs that are called ----
    _row("url.plain", "yealink",
         r"action_url\..+|push_xml\.server|remote_phonebook\.data\.\d+\.url"
         r"|linekey\.\d+\.value|programablekey\.\d+\.value", "", "https",
         "PBX-FUSION; PBX-TANCREDI; PBX-WAZO", "H"),
    _row("url.plain", "poly",
         r"apps\.telNotification\.URL|apps\.push\.serverRootURL|mb\.main\.home"
         r"|mb\.idleDisplay\.home", "", "https", "PBX-TELEPROVISIONER; PBX-WAZO", "M"),
    _row("url.plain", "grandstream",
         r"P337|P83(?:0[4-9]|1\d)|xmlApplication\.serverPath|ons\.actionUrl\..+", "",
         "https", "PBX-FUSION", "M"),
    _row("url.plain", "snom", r"action_\w+|fkey|dkey_\w+|gui_fkey\d", "", "https",
         "SNOM-SETTING; SNOM-FILES", "H"),
    # ---- asking others ----
    _row("onboarding.on", "yealink", r"(?:static\.)?auto_provision\.pnp_enable", "1",
         "0", "PBX-FUSION; PBX-TANCREDI", "H", "onboarding.default_on",
         "static.auto_provision.pnp_enable"),
    _row("onboarding.on", "yealink", r"(?:static\.)?zero_touch\.enable", "1", "0",
         "PBX-TANCREDI", "M"),
    _row("onboarding.on", "poly", r"device\.prov\.ztpEnabled", "1", "0",
         "PBX-TELEPROVISIONER; PBX-FUSION", "H"),
    _row("onboarding.on", "snom", r"pnp_config", "on", "off", "SNOM-SETTING", "M"),
    # ---- checks that are off as the phone is made ----
    _row("", "yealink", r"(?:static\.)?security\.cn_validation", "", "1",
         "YEALINK-GUIDE T48G p. 217; PBX-FUSION", "H", "verify.default_off",
         "static.security.cn_validation"),
    _row("", "grandstream", r"P8463|security\.validate\.serverCertificate", "", "1",
         "PBX-FUSION (off on GRP and GXP17xx, on on HT)", "M", "verify.default_off",
         "P8463"),
    _row("", "grandstream", r"P22030|provisioning\.validateHostnameInCertificate", "",
         "1", "PBX-FUSION", "M", "verify.default_off", "P22030"),
    # ---- the rest ----
    _row("client.empty", "snom", r"empty_tls_client_cert", "on", "off",
         "SNOM-SETTING", "L"),
    _row("web.plain", "yealink", r"(?:static\.)?wui\.http_enable", "1", "0",
         "PBX-FUSION; PBX-TANCREDI", "H"),
    _row("web.plain", "snom", r"webserver_type", "http|http_https", "https",
         "SNOM-SETTING", "H"),
)  # fmt: skip

SAFE: Final[dict[tuple[str, str], tuple[str, str]]] = {
    ("directory", "yealink"): ("ldap.tls_mode", "2"),
    ("directory", "poly"): ("dir.corp.transport", "TLS"),
    ("directory", "grandstream"): ("P8037", "1"),
    ("directory", "snom"): ("ldap_over_tls", "on"),
    ("sip", "yealink"): ("account.N.sip_server.1.transport_type", "2"),
    ("sip", "poly"): ("reg.N.server.1.transport", "TLS"),
    ("sip", "grandstream"): ("P130", "2"),
    ("sip", "snom"): ("user_outbound", "HOST:5061;transport=tls"),
    ("srtp", "yealink"): ("account.N.srtp_encryption", "2"),
    ("srtp", "poly"): ("sec.srtp.require", "1"),
    ("srtp", "grandstream"): ("P183", "2"),
    ("srtp", "snom"): ("user_savp", "mandatory"),
}
"""What a term is written as by each maker, for cures: setting, value."""
