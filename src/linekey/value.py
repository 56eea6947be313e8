"""Values that are made for every request: unchangeable to mypy, plain at run time.

``dataclass(frozen=True)`` sets each field through ``object.__setattr__``: a value of
ten fields takes three times as long to make, and a request makes some fifteen. So what
a request makes is a ``@value``: mypy refuses whoever changes one, as it does with a
frozen class, and nothing is paid while it runs. Equality and hash are a frozen class's.
Precedent: attrs' documentation, "Frozen classes with zero runtime cost".

Everything else stays ``dataclass(frozen=True, slots=True)``.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform, overload

_Class = TypeVar("_Class")


@overload
def value(cls: type[_Class], /) -> type[_Class]: ...
@overload
def value(*, kw_only: bool) -> Callable[[type[_Class]], type[_Class]]: ...
@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def value(
    cls: type[_Class] | None = None, /, *, kw_only: bool = False
) -> type[_Class] | Callable[[type[_Class]], type[_Class]]:
    """Make a class of values, with slots."""
    make = dataclass(slots=True, unsafe_hash=True, kw_only=kw_only)
    return make if cls is None else make(cls)
