"""Factory defaults of the settings that TLS, the directory or the pages depend on.

Those that depend on the firmware come from its row of the catalogue. Which settings
there are is ``catalog.known_settings``.
"""

from typing import Final

from linekey.catalog import settings_rules
from linekey.catalog.firmware import Firmware
from linekey.catalog.profile import Profile

REFRESH_TIMER: Final = "settings_refresh_timer"


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
