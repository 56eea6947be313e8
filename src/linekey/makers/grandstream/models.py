"""Grandstream's models, as their User-Agents name them.

Accounts are in no source that was read.
"""

from typing import Final

from linekey.makers.models import PhoneModel, models_of_maker

MODELS: Final[tuple[PhoneModel, ...]] = models_of_maker("grandstream")
