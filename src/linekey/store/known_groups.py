"""Which groups there are, by name, and what is said of one that is not."""

import difflib
from collections.abc import Collection

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from linekey.errors import InputError
from linekey.said import say
from linekey.store.schema import groups


def known_groups(
    connection: Connection, within: frozenset[str] | None = None
) -> frozenset[str]:
    """Return the names of all groups, of those that are ``within``."""
    found = frozenset(connection.execute(sa.select(groups.c.name)).scalars())
    return found if within is None else found & within


def no_group(
    name: str, known: Collection[str], within: frozenset[str] | None = None
) -> InputError:
    """The error for a group that is not among those that are known, to who is limited
    to those ``within``."""
    near = difflib.get_close_matches(name, sorted(known), n=1)
    if near:
        hint = f"did you mean {near[0]}?"
    elif within is None:
        hint = f"linekey group add {name}"
    else:
        hint = f"yours: {', '.join(sorted(known)) or 'none'}"
    return InputError(say("there is no group %(name)s", name=repr(name)), hint=hint)
