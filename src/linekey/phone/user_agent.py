"""The User-Agents a phone sends, by HTTP and SIP (SNOM-AGENT: real strings, H).

The operator can replace it (``http_user_agent_string``, H), which is why a server may
take it for a hint and never for evidence. Other makers' are templates with sources in
``makers``; in SIP they are read on from those (L).
"""

from typing import Final

from linekey.catalog.firmware import Firmware
from linekey.catalog.models import Model
from linekey.mac import Mac
from linekey.makers.all import maker_of

_LONG = Firmware.parse("8.7.5")
_EXPANSIONS = Firmware.parse("10.1")
_IN_SIP: Final = {
    "yealink": "Yealink {model} {firmware}",
    "poly": "{model}-UA/{firmware}",
    "grandstream": "Grandstream {model} {firmware}",
}


def user_agent(model: Model, firmware: Firmware, mac: Mac, configured: str = "") -> str:
    """The header's value; ``configured`` is ``http_user_agent_string``, may be empty.

    Three shapes were seen of desk phones: 8.4 without a MAC, 8.7.5 with one at the end,
    10.1 with the counts of expansion modules behind it; and one of DECT bases, with a
    capital and no ``-SIP``, the MAC in lower case (M). The build string in the middle
    is left out: it is a build's, and none is known for most versions (L).
    """
    if configured.strip():
        return "".join(c for c in configured.strip() if 0x20 <= ord(c) < 0x7F)
    if not model.is_known and (maker := maker_of(model.maker)) and maker.user_agents:
        digits = mac.digits.lower()
        pairs = (digits[at : at + 2] for at in range(0, 12, 2))
        return maker.user_agents[0].format(
            model=model.user_agent_name,
            firmware=firmware,
            mac=digits,
            mac_colons=":".join(pairs),
        )
    if model.is_dect_base:
        digits = mac.digits.lower()
        return f"Mozilla/4.0 (compatible; Snom {model.name} {firmware} {digits})"
    parts = [f"{model.user_agent_name}-SIP", str(firmware)]
    if firmware >= _LONG:
        parts.append(str(mac))
    if firmware >= _EXPANSIONS:
        parts.append("SXM:0 UXM:0")
    return f"Mozilla/4.0 (compatible; {' '.join(parts)})"


def sip_user_agent(
    model: Model, firmware: Firmware, mac: Mac, *, with_mac: bool
) -> str:
    """The header's value in SIP: ``snomD862/10.1.226.13``, and the MAC behind it where
    ``mac_info_in_sip_register`` is on (SNOM-AGENT, H; of DECT bases none, L)."""
    template = "{model}/{firmware}"
    if not model.is_known:
        template = _IN_SIP.get(model.maker, template)
    text = template.format(model=model.user_agent_name, firmware=firmware)
    return f"{text} {mac}" if with_mac else text
