"""Which role somebody has, by what an identity provider says. Pure.

Rule: the operator's table decides, its first row that fits; who has none has no role. A
claim that is neither a text nor a list of texts says nothing.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_NOT_OF_A_NAME = re.compile(r"[^A-Za-z0-9._@-]+", re.ASCII)
_MOST_VALUES = 2000


@dataclass(frozen=True, slots=True)
class Grant:
    """A role, and the groups beyond which it sees nothing; None: it is not limited."""

    role: str
    groups: frozenset[str] | None


def grant_of(claim: Any, table: Mapping[str, str]) -> Grant | None:
    """Say which role the values of a claim are; None: none of ``table`` (value to
    ``ROLE GROUP …``) fits."""
    values = [claim] if isinstance(claim, str) else claim
    if not isinstance(values, list) or len(values) > _MOST_VALUES:
        return None
    said = {value for value in values if isinstance(value, str)}
    for value, grant in table.items():
        if value in said:
            role, *groups = grant.replace(",", " ").split()
            return Grant(role, frozenset(groups) if groups else None)
    return None


def names_for(claims: Mapping[str, Any]) -> list[str]:
    """Names for a new user, the best one first; the last is nobody else's."""
    wanted = [claims.get(name) for name in ("preferred_username", "email", "sub")]
    named = [
        _NOT_OF_A_NAME.sub("-", text[:64]).lstrip("._@-")
        for text in wanted
        if isinstance(text, str)
    ]
    whole = hashlib.sha256(str(claims.get("sub")).encode()).hexdigest()
    return [name for name in named if name] + [f"provider-{whole[:16]}"]
