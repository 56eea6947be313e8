"""What the phone uses TLS for. A new use is a folder here, and its line in ``USES``."""

from typing import Final

from linekey.phone.uses.actions.handle import ACTIONS
from linekey.phone.uses.browser.handle import BROWSER
from linekey.phone.uses.directory.handle import DIRECTORY
from linekey.phone.uses.firmware.handle import FIRMWARE
from linekey.phone.uses.network.handle import NETWORK
from linekey.phone.uses.provisioning.handle import PROVISIONING
from linekey.phone.uses.sip.handle import SIP
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
