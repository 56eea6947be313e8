"""Grandstream's models, as their User-Agents name them.

Accounts are in no source that was read.
"""

from typing import Final

from linekey.catalog.models import Model
from linekey.makers.models import models_of_maker

MODELS: Final[tuple[Model, ...]] = models_of_maker("grandstream")
