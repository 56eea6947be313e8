"""Phones of other makers: the rows of the catalogue (``catalog.models``), by maker.

What they can do in TLS is not there, since hardly any source tells it: what is not told
is unknown, and nothing is concluded from a sister model.
"""

from linekey.catalog.models import OTHERS, Model


def models_of_maker(maker: str) -> tuple[Model, ...]:
    """Every model of a maker that the catalogue has."""
    return tuple(model for model in OTHERS.values() if model.maker == maker)


def file_numbers(model: Model) -> tuple[int, ...]:
    """Yealink: the number in its model file, ``y000000000108.cfg``.

    Several where sources disagree; none for makers that have no such numbers.
    """
    return tuple(int(text) for text in model.code.split() if text.isdecimal())
