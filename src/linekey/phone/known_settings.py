"""The settings whose meaning this phone knows, each with its source.

The most usual others are named with their meaning alone. All the rest are kept and
listed as unknown: a phone has some 2,500, and linekey speaks of TLS. Defaults that
depend on the firmware come from the profile (``default_of``).
"""

from dataclasses import dataclass
from typing import Final

from linekey.catalog import settings_rules
from linekey.catalog.evidence import Confidence
from linekey.catalog.firmware import Firmware
from linekey.catalog.profile import Profile
from linekey.phone.action_urls import ACTIONS

_FACTS: Final = "facts/snom.md §3"
_VENDOR_EXAMPLE: Final = "vendor pages Desk Phone Configuration Files, <phone-settings>"
_CONFIGURATIONS: Final = "public provisioning templates; meaning read off the name"
REFRESH_TIMER: Final = "settings_refresh_timer"


@dataclass(frozen=True, slots=True)
class KnownSetting:
    """One setting: what it is, on whose word."""

    name: str
    meaning: str
    source: str = _FACTS
    confidence: Confidence = "H"


_ROWS: Final = (
    KnownSetting("setting_server", "provisioning URL; {mac} becomes the MAC"),
    KnownSetting(
        "tls_server_authentication",
        "verify server certificates; in 8.x, once on, only a factory reset clears it",
        f"seed, Server Authentication; name: {_FACTS}",
    ),
    KnownSetting(
        "check_fqdn_against_server_cert",
        "the name connected to must be in the server's certificate",
    ),
    KnownSetting(
        "host_name_validation_flags", "sum of OpenSSL's X509_CHECK_FLAG values"
    ),
    KnownSetting(
        "webservice_cert",
        "the operator's own certificate with its key (PEM)",
        f"seed, Uploading the Phone Certificate; format: {_FACTS}",
        "M",
    ),
    KnownSetting(
        "webserver_cert", "the other name of webservice_cert", _FACTS, "M"
    ),
    KnownSetting(
        "phone_cert_type",
        "sha256 or sha1: which of its certificates the phone uses (8.9.3.40)",
        f"seed, Phone's Web Server Certificate; values: {_FACTS}",
        "L",
    ),
    KnownSetting(
        "empty_tls_client_cert",
        "answer a certificate request with an empty list",
        _FACTS,
        "L",
    ),
    KnownSetting(
        "skip_provisioning_urls_on_tls_error",
        "give the rest of a round up once a TLS connection failed",
        _FACTS,
        "L",
    ),
    KnownSetting("http_user_agent_string", "replaces the User-Agent"),
    KnownSetting("http_client_user", "user name for HTTP authentication"),
    KnownSetting("http_client_pass", "password for HTTP authentication"),
    KnownSetting("webserver_type", "off, http, https or http_https"),
    KnownSetting("http_port", "port of the phone's pages, 80"),
    KnownSetting("https_port", "port of the phone's pages over TLS, 443"),
    KnownSetting("http_user", "user name for the phone's pages", _FACTS, "M"),
    KnownSetting("http_pass", "password for the phone's pages", _FACTS, "M"),
    KnownSetting("admin_mode", "administrator's mode on or off"),
    KnownSetting("admin_mode_password", "the administrator's password"),
    KnownSetting(
        REFRESH_TIMER, "seconds after which the phone fetches its settings again",
        "vendor page settings_refresh_timer", "M",
    ),
    *(
        KnownSetting(name, meaning)
        for name, meaning in {
            "user_active": "whether the account is used",
            "user_outbound": "host:port;transport=tls",
            "user_host": "registrar",
            "user_name": "account",
            "user_pname": "user name for authentication",
            "user_pass": "password",
            "user_realname": "display name",
            "user_expiry": "seconds of a registration",
            "user_srtp": "encrypt speech",
            "user_savp": "off, optional or mandatory",
            "ldap_over_tls": "LDAPS on or off",
            "ldap_server": "host name",
            "ldap_port": "port",
            "ldap_base": "search base",
            "ldap_username": "bind name",
            "ldap_password": "bind password",
            "ldap_search_filter": "filter for names; % is what was typed",
            "ldap_number_filter": "filter for numbers; % is what was typed",
            "ldap_name_attributes": "attributes that hold names",
            "ldap_number_attributes": "attributes that hold numbers",
            "ldap_display_name": "how an entry is shown",
            "ldap_max_hits": "entries at most, 50",
            "ieee8021x_eap_auth_method": "EAP method",
            "ieee8021x_eap_md5_username": "EAP-MD5 user name",
            "ieee8021x_eap_md5_password": "EAP-MD5 password",
        }.items()
    ),
    *(
        KnownSetting(name, meaning, _VENDOR_EXAMPLE)
        for name, meaning in {
            "language": "language of the phone's menus",
            "web_language": "language of the phone's pages",
            "timezone": "time zone, such as GER+1",
            "tone_scheme": "country whose dial and ring-back tones are played",
            "date_us_format": "write the month before the day",
            "time_24_format": "write 15:00, not 3:00 pm",
            "dialnumber_us_format": "write numbers as in North America",
            "phone_name": "host name of the phone",
            "update_policy": "whether firmware is updated by itself or on asking",
            "firmware_status": "URL of the document that names the firmware",
            "firmware_interval": "minutes between two looks at firmware_status",
        }.items()
    ),
    *(
        KnownSetting(name, meaning, _CONFIGURATIONS, "M")
        for name, meaning in {
            "ntp_server": "where the phone asks the time",
            "ntp_refresh_timer": "seconds between two questions for the time",
            "dst": "when daylight saving begins and ends",
            "dhcp": "take the address from DHCP",
            "vlan": "number and priority of the virtual network",
            "user_mailbox": "number of the voice mailbox",
            "user_idle_text": "what an idle line shows",
            "user_dtmf_info": "how key tones are sent",
            "display_method": "whether callers show as name, number or both",
            "call_waiting": "whether a second call is let through",
            "vol_speaker": "loudness of the loudspeaker",
            "vol_ringer": "loudness of the bell",
            "backlight": "brightness of the display in use",
            "backlight_idle": "brightness of the display at rest",
            "keyboard_lock_emergency": "numbers that a locked phone still dials",
            "provisioning_order": "where setting_server is looked for, in which order",
            "pnp_config": "ask the network for setting_server by multicast",
            "web_logout_timer": "minutes after which the pages log out",
        }.items()
    ),
    *(
        KnownSetting(name, f"URL that is fetched on {event}")
        for event, name in ACTIONS.items()
    ),
)  # fmt: skip

KNOWN: Final[dict[str, KnownSetting]] = {row.name: row for row in _ROWS}


def find_known(name: str) -> KnownSetting | None:
    """The row for a setting, with or without an idx at its end; None if unknown."""
    lower = name.lower()
    return KNOWN.get(lower) or KNOWN.get(lower.rstrip("0123456789"))


def default_of(name: str, profile: Profile, firmware: Firmware) -> str:
    """The factory default of a setting that TLS or the pages depend on; else empty."""
    match name.lower():
        case "check_fqdn_against_server_cert":
            return "on" if profile.check_fqdn_default else "off"
        case "host_name_validation_flags":
            return str(profile.host_flags_default)
        case "tls_server_authentication":
            on = profile.server_auth_forced or profile.server_auth_default
            return "on" if on else "off"
        case "admin_mode_password":
            return "" if settings_rules.ADMIN_PASSWORD.holds(firmware) else "0000"
        case "webserver_type":
            return "http_https"
        case "http_port":
            return "80"
        case "https_port":
            return "443"
        case "ldap_max_hits":
            return "50"
        case "admin_mode":
            return "on"
        case _:
            return ""
