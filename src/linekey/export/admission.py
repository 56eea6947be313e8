"""Who of the registry is let in, for a server that decides so by itself.

A server that forwards to linekey lets linekey decide. One that has nobody to ask gets
the active phones as a list, in groups: those that need OpenSSL's security level 0, and
those that do not. Where a server knows who knocks before the handshake (EAP does), an
old phone then opens nothing for the others, and a SHA-1 certificate is no way in for a
phone that has SHA-2 only.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

from linekey.export.needs import Kind, Needs, ServerKey, fleet_needs, kind_of
from linekey.mac import Mac
from linekey.provisioning.device import Device


@dataclass(frozen=True, slots=True)
class Group:
    """Active phones that are met in one way."""

    level_0: bool
    """Whether they need OpenSSL's security level 0."""
    macs: tuple[Mac, ...]
    needs: Needs
    """What these phones need, and no more."""

    @property
    def name(self) -> str:
        """``level0`` or ``modern``: a word for configurations."""
        return "level0" if self.level_0 else "modern"


def admitted(
    devices: Iterable[Device], server_key: ServerKey = "RSA"
) -> tuple[Group, ...]:
    """Sort the active ones of ``devices``; a group without phones is left out.

    Without any phone there is one group, modern and empty: nobody is let in.
    """
    needs = partial(fleet_needs, server_key=server_key)
    sorted_in: dict[bool, list[Device]] = {False: [], True: []}
    level_0_of: dict[Kind, bool] = {}
    for device in devices:
        if device.state != "active":
            continue
        kind = kind_of(device)
        if kind not in level_0_of:
            level_0_of[kind] = needs([device]).level_0
        sorted_in[level_0_of[kind]].append(device)
    if not any(sorted_in.values()):
        return (Group(False, (), needs([])),)
    return tuple(
        Group(level_0, tuple(sorted(d.mac for d in members)), needs(members))
        for level_0, members in sorted_in.items()
        if members
    )
