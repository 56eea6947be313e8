"""What the phone uses TLS for. A new use is a folder here, and its line in ``USES``."""

from typing import Final

from linekey.phone.uses.actions.use import ACTIONS
from linekey.phone.uses.browser.use import BROWSER
from linekey.phone.uses.directory.use import DIRECTORY
from linekey.phone.uses.firmware.use import FIRMWARE
from linekey.phone.uses.network.use import NETWORK
from linekey.phone.uses.provisioning.use import PROVISIONING
from linekey.phone.uses.sip.use import SIP
from linekey.phone.uses.use import Use

USES: Final[tuple[Use, ...]] = (
    PROVISIONING,
    SIP,
    ACTIONS,
    BROWSER,
    DIRECTORY,
    NETWORK,
    FIRMWARE,
)
