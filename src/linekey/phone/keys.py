"""What keys do: the types of function keys, and keys that settings name.

Rules (PBX-TEMPLATES, M):

- A dedicated key *NAME* does what ``dkey_NAME`` says: ``url https://…``, ``keyevent
  F_…``, ``redirect`` and the like, as a function key's type and value do.
- The four keys under the screen, while no page gives them a meaning, do what
  ``context_key`` of idx 0 to 3 says; with 10.1.25.0 to 10.1.49.11 that was
  ``gui_fkey1`` to 4, which is read where the other is not set.
- The value may be XML: ``<action><url target="https://…" when="on press"/></action>``
  is read as ``url https://…`` (``phone.document``).
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from linekey.phone.document import FunctionKey

KEY_TYPES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "line": "would take line {value}",
        "speed": "would call {value}",
        "dest": "would call {value}, and shows whether it is busy",
        "blf": "would pick up or call {value}, and shows whether it is busy",
        "xfer": "would transfer the call to {value}",
        "transfer": "would transfer the call to {value}",
        "dtmf": "would send the tones {value}",
        "intercom": "would call {value}, which answers by itself",
        "park+orbit": "would park the call at {value}",
        "park orbit": "would park the call at {value}",
        "orbit": "would park the call at {value}",
        "redirect": "would redirect calls to {value}",
        "mb": "would call the mailbox",
        "icom": "would call {value}, which answers by itself",
        "multicast": "would speak to the group {value}",
        "recorder": "would record the call",
        "push2talk": "would call {value} for as long as it is held",
        "keyevent": "would run its own function {value}",
        "none": "does nothing: this key has no function",
    }
)
"""What a key of a type does on a real phone, for sentences; ``url`` opens a page."""

_NAME = re.compile(r"[a-z][a-z0-9_]{0,40}")


@dataclass(frozen=True, slots=True)
class NamedKey:
    """What a key is set to: the setting as written, and it as a function key."""

    setting: str
    key: FunctionKey


def is_key_name(text: str) -> bool:
    """Whether ``text`` can name a dedicated key: ``directory``, ``dkey_directory``."""
    return _NAME.fullmatch(text.lower()) is not None


def settings_of(name: str) -> tuple[tuple[str, int | None], ...]:
    """Where what a key does may stand, best first: setting and idx.

    ``name`` is ``F1`` to ``F4`` or a dedicated key's.
    """
    lowered = name.lower()
    if re.fullmatch(r"f[1-4]", lowered):
        number = int(lowered[1])
        return (("context_key", number - 1), (f"gui_fkey{number}", None))
    return ((f"dkey_{lowered.removeprefix('dkey_')}", None),)


def find_named_key(
    name: str, setting: Callable[[str, int | None], str]
) -> NamedKey | None:
    """What the key ``name`` is set to; None where it is not.

    ``setting`` gives a setting's value by name and idx.
    """
    for setting_name, idx in settings_of(name):
        value = setting(setting_name, idx).strip()
        if value:
            kind, _, rest = value.partition(" ")
            written = setting_name if idx is None else f"{setting_name}[{idx}]"
            key = FunctionKey(0, kind.lower(), rest.strip(), label=name.upper())
            return NamedKey(written, key)
    return None
