"""Which exported servers do not know yet what was changed in the registry."""

from collections.abc import Iterator
from pathlib import Path

from linekey.cli.on_use import on_use
from linekey.cli.opening import opened
from linekey.cli.output import warn

with on_use():
    from linekey.store.exported import Exported, read_exports, registry_revision

_CURE = (
    "linekey export --watch writes it anew and reloads the server; or export it again "
    "by hand"
)


def say_who_still_lets_in(state: Path | None, whom: str = "it") -> None:
    """Name the servers that decide by a list which was exported before.

    ``whom``: who is revoked, or has no record any more, as the sentence goes on.
    """
    for one, is_old in _exports(state):
        if one.lets_all_in:
            warn(
                f"{one.peer} with {one.folder} lets every phone of its CAs in, also "
                f"{whom}; what it lists of phones it takes from the registry with the "
                "next export",
                "linekey export --watch does that; docs/howto/slapd.md says how to "
                "keep the phone itself out",
            )
        if one.decides_alone and is_old:
            warn(f"{one.peer} with {one.folder} ({one.at}) still lets {whom} in", _CURE)


def say_who_has_old_passwords(state: Path | None) -> None:
    """Name the servers whose accounts were exported before passwords changed."""
    for one, is_old in _exports(state):
        if one.has_passwords and is_old:
            warn(
                f"{one.peer} with {one.folder} ({one.at}) has the old passwords", _CURE
            )


def _exports(state: Path | None) -> Iterator[tuple[Exported, bool]]:
    with opened(state) as database:
        exports = read_exports(database.state.root)
        now_at = registry_revision(database)
    for one in exports:
        yield one, one.revision != now_at
