"""The User-Agent a phone sends (facts/snom.md §6: real strings, H).

The operator can replace it (``http_user_agent_string``, H), which is why a server may
take it for a hint and never for evidence.
"""

from linekey.catalog.firmware import Firmware
from linekey.catalog.models import Model
from linekey.mac import Mac

_LONG = Firmware.parse("8.7.5")
_EXPANSIONS = Firmware.parse("10.1")


def user_agent(model: Model, firmware: Firmware, mac: Mac, configured: str = "") -> str:
    """The header's value; ``configured`` is ``http_user_agent_string``, may be empty.

    Three shapes were seen of desk phones: 8.4 without a MAC, 8.7.5 with one at the end,
    10.1 with the counts of expansion modules behind it; and one of DECT bases, with a
    capital and no ``-SIP``, the MAC in lower case (M). The build string in the middle
    is left out: it is a build's, and none is known for most versions (L).
    """
    if configured.strip():
        return "".join(c for c in configured.strip() if 0x20 <= ord(c) < 0x7F)
    if model.is_dect_base:
        digits = mac.digits.lower()
        return f"Mozilla/4.0 (compatible; Snom {model.name} {firmware} {digits})"
    parts = [f"{model.user_agent_name}-SIP", str(firmware)]
    if firmware >= _LONG:
        parts.append(str(mac))
    if firmware >= _EXPANSIONS:
        parts.append("SXM:0 UXM:0")
    return f"Mozilla/4.0 (compatible; {' '.join(parts)})"
