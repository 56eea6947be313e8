"""Poly's models, as User-Agents and the macro ``[PHONE_MODEL]`` name them.

How many lines and keys each has is in no source that was read.
"""

from typing import Final

from linekey.makers.models import PhoneModel, models_of_maker

MODELS: Final[tuple[PhoneModel, ...]] = models_of_maker("poly")
