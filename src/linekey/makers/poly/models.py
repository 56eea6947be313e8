"""Poly's models, as User-Agents and the macro ``[PHONE_MODEL]`` name them.

How many lines and keys each has is in no source that was read.
"""

from typing import Final

from linekey.catalog.models import Model
from linekey.makers.models import models_of_maker

MODELS: Final[tuple[Model, ...]] = models_of_maker("poly")
