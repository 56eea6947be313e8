"""Factory defaults of the settings that TLS, the directory or the pages depend on.

Those that depend on the firmware come from its row of the catalogue; one that the
firmware does not have is empty. Which settings there are is ``catalog.known_settings``.
"""

from typing import Final

from linekey.catalog.profile import Profile
from linekey.catalog.settings_rules import ADMIN_PASSWORD

REFRESH_TIMER: Final = "settings_refresh_timer"


def default_of(name: str, profile: Profile) -> str:
    """The factory default of a setting that TLS or the pages depend on; else empty."""
    match name.lower():
        case "check_fqdn_against_server_cert" if profile.check_fqdn_available:
            return "on" if profile.check_fqdn_default else "off"
        case "host_name_validation_flags" if profile.host_flags_available:
            return str(profile.host_flags_default)
        case "phone_cert_type" if profile.server_auth_forced:
            return "best"  # a settings dump of 10.1.25.0 (M)
        case "empty_tls_client_cert" | "skip_provisioning_urls_on_tls_error":
            return "off"
        case "admin_mode_password":
            return "" if ADMIN_PASSWORD.holds(profile.firmware) else "0000"
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
