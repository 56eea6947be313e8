"""Which phones a foreign server may serve: the registry, as lists that it reads.

A file of its own beside the configuration, written anew at each export: revoked and
unregistered phones are not in it, and each phone is there with the certificate
generations that ``provisioning.authorize`` allows it. What the list cannot hold: the
vendor of a phone, the reason, and anything that changes before the next export.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from linekey.catalog.models import Generation
from linekey.mac import Mac
from linekey.provisioning.authorize import allowed_generations
from linekey.provisioning.device import Device


@dataclass(frozen=True, slots=True)
class ActivePhone:
    """A phone that is registered and not revoked."""

    mac: Mac
    generations: tuple[Generation, ...]
    """Those its certificate may be of; at least one."""


def active_phones(devices: Iterable[Device]) -> tuple[ActivePhone, ...]:
    """Return the active ones of ``devices``, by MAC."""
    found = []
    for device in devices:
        allowed = allowed_generations(device)
        generations = tuple(g for g in Generation if allowed is None or g in allowed)
        if device.state == "active" and generations:
            found.append(ActivePhone(device.mac, generations))
    return tuple(sorted(found, key=lambda phone: phone.mac))


def nginx_map(phones: Iterable[ActivePhone]) -> str:
    """Lines for a ``map`` of nginx: ``MAC:generation`` for each that is allowed."""
    return "".join(
        f"{phone.mac}:{generation} 1;\n"
        for phone in phones
        for generation in phone.generations
    )


def apache_map(phones: Iterable[ActivePhone]) -> str:
    """Lines for a ``RewriteMap`` of Apache: ``MAC generation,generation``."""
    return "".join(f"{phone.mac} {','.join(phone.generations)}\n" for phone in phones)
