"""Yealink's models: names, numbers of their model files, accounts and line keys.

The number is what a model file is called by (``y000000000108.cfg`` for the T46U). It
does not tell one model from another: sources disagree on some, and one number serves
several. Whatever ``y`` file is asked for is answered alike.
"""

from typing import Final

from linekey.catalog.models import Model
from linekey.makers.models import models_of_maker

MODELS: Final[tuple[Model, ...]] = models_of_maker("yealink")
