"""What may be set to open a URL: phone events and keys."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from linekey.phone.events import Event
from linekey.phone.typed import Number, Text


@dataclass(frozen=True, slots=True)
class ActionHappened(Event):
    """A phone event that an action URL may be set for: ``incoming``, ``dnd_on`` …

    ``asked``: somebody wants to know when there is no URL; a call that comes does not.
    """

    event: Text
    variables: Mapping[str, Text] = field(default_factory=dict)
    sip_headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    asked: bool = False


@dataclass(frozen=True, slots=True)
class KeyPressed(Event):
    """Somebody pressed the function key of this idx (from 0)."""

    idx: Number


@dataclass(frozen=True, slots=True)
class NamedKeyPressed(Event):
    """Somebody pressed a dedicated key: ``directory`` for ``dkey_directory``."""

    name: Text


@dataclass(frozen=True, slots=True)
class SoftKeyPressed(Event):
    """Somebody pressed ``F1``, a digit, ``*`` or ``#``: the page's, if it is one."""

    key: Text
