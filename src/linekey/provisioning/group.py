"""A group of phones, such as a customer's or a site's.

It has a layer between the fleet's and the model's (``service.SharedLayers``), may say
whose certificates its phones have, and has policies of its own where they differ from
what linekey.toml says for all.

Rule: a phone in a group that is not there gets nothing (``authorize``): what would be
forbidden to it is not known.
"""

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from linekey.errors import InputError
from linekey.provisioning.expired import OF_PHONES
from linekey.said import say
from linekey.words import choice_hint

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,46}[a-z0-9])?", re.ASCII)

POLICIES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "blanked_for_shared": ("on", "off"),
        "expired_certificates": tuple(policy.value for policy in OF_PHONES),
    }
)
"""What a group may decide for its phones, and the values there are; a policy that it
says nothing of is as linekey.toml has it. ``blanked_for_shared``: a phone that proves
only its vendor gets its file without secrets (``authorize.Rules``).
``expired_certificates``: what its phones' certificates are worth after their end, where
their CA leaves that open (``expired``)."""

_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Group:
    """A group as it is on record, without its layer."""

    name: str
    note: str = ""
    """The operator's note, such as the customer's name."""
    authorities: Mapping[str, str] | None = None
    """SHA-256 of each CA that its phones' certificates may be from, and that of the
    CA's key, which a renewed certificate of it has, too; None: any that is trusted."""
    policies: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    """Of POLICIES, those that it decides itself."""
    version: int = 0
    """The registry's counter at its last change; never given twice."""

    def allows(self, keys: Iterable[str]) -> bool:
        """Whether a certificate may be from a path with these CA keys (SHA-256)."""
        if self.authorities is None:
            return True
        return not set(keys).isdisjoint(self.authorities.values())


def parse_group(text: str) -> str:
    """Return a group's name as it is kept, in lower case; raises InputError."""
    name = text.strip().lower()
    if _NAME.fullmatch(name):
        return name
    raise InputError(
        say("not a group's name: %(text)s", text=repr(text[:64])),
        hint=say("up to 48 letters, digits, '.', '_' and '-', such as acme-berlin"),
    )


def parse_policy(text: str) -> tuple[str, str]:
    """Read ``NAME=VALUE``; the value is empty for ``default``. Raises InputError."""
    name, _, value = (part.strip().lower() for part in text.partition("="))
    known = POLICIES.get(name)
    if known is None:
        near = difflib.get_close_matches(name, POLICIES, n=1)
        raise InputError(
            say("no policy of a group: %(name)s", name=repr(name[:64])),
            hint=say("did you mean %(near)s?", near=near[0])
            if near
            else say("there are: %(listed)s", listed=_listed()),
        )
    if value == "default":
        return name, ""
    if value not in known:
        raise InputError(
            say(
                "the policy %(name)s cannot be %(value)s",
                name=name,
                value=repr(value[:64]),
            ),
            hint=say(
                "%(choice_hint)s; default: as linekey.toml says",
                choice_hint=choice_hint(value, known),
            ),
        )
    return name, value


def _listed() -> str:
    return ", ".join(f"{name} ({'|'.join(POLICIES[name])})" for name in POLICIES)
