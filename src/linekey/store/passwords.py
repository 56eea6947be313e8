"""New SIP passwords: one for each account that a phone's own layer has a password of.

Rule: they are random, and nobody chose them; a layer for more than one phone is left
alone, since its phones would have one password.
"""

import secrets
import string
from collections import defaultdict
from collections.abc import Collection
from dataclasses import replace

from linekey.provisioning.device import Device

PASSWORD = "user_pass"  # noqa: S105 - a setting's name
"""The setting with an account's SIP password; its idx is the account's."""
PASSWORDS = frozenset({PASSWORD, "any.account.password"})
"""The same, as a phone of any maker has it, too."""
USERS = frozenset({"user_name", "any.account.user"})
"""Settings with an account's user."""
LENGTH = 20
"""Letters and digits of a new one: 119 bits, and nothing that a PBX must escape."""
_ALPHABET = string.ascii_letters + string.digits


def with_new_passwords(device: Device, accounts: Collection[int] = ()) -> Device:
    """Return the record with new passwords for its accounts, or for some of them.

    An account whose password is empty has none, and gets none. One that has it in
    Snom's words and in neutral ones gets one for both.
    """
    fresh: defaultdict[int | None, str] = defaultdict(new_password)
    settings = tuple(
        replace(setting, value=fresh[setting.idx])
        if setting.name in PASSWORDS
        and setting.value
        and (not accounts or (setting.idx or 0) in accounts)
        else setting
        for setting in device.layer.settings
    )
    return replace(device, layer=replace(device.layer, settings=settings))


def new_password() -> str:
    """Return a random password."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(LENGTH))
