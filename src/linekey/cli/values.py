"""What a shell offers for a value, by what the help calls it: MAC, MODEL, LAYER, ….

Rules: one name means one thing in every verb's help, so a new verb's values complete by
themselves; nothing is written, and what cannot be read at once is not offered.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from linekey.mac import Mac


@dataclass(frozen=True, slots=True)
class Value:
    """One offer, as Typer's shells take it."""

    value: str
    help: str = ""
    type: str = "plain"


def values_of(ctx: Any, metavar: str | None) -> Callable[[str], list[Value]] | None:
    """Return what completes a value of this name in this command; None: the shell."""
    offers = _OFFERS.get((metavar or "").rstrip("….").strip("[]"))
    if offers is None:
        return None

    def find(incomplete: str) -> list[Value]:
        typed = incomplete.casefold()
        found = (Value(word) for word in offers(ctx, incomplete))
        return [v for v in found if v.value.casefold().startswith(typed)]

    return find


def _root(ctx: Any) -> Path:
    from linekey.store.paths import default_state_path

    return Path(ctx.params.get("state") or default_state_path())


def _stored(ctx: Any, kind: str, beginning: str) -> list[str]:
    from linekey.store.glance import names_beginning

    return names_beginning(_root(ctx), kind, beginning)


def _macs(ctx: Any, incomplete: str) -> Iterable[str]:
    words = ctx.command_path.split()
    if "phone" in words:
        return _phones(_root(ctx))
    return _stored(ctx, "MAC", incomplete.upper())


def _phones(root: Path) -> list[str]:
    try:
        found = [Mac.from_bare(path.name) for path in (root / "phones").iterdir()]
    except OSError:
        return []
    return sorted(str(mac) for mac in found if mac is not None)


def _models(_ctx: Any, _incomplete: str) -> Iterable[str]:
    from linekey.catalog.models import MODELS, OTHERS

    return [*MODELS, *OTHERS]


def _layers(ctx: Any, incomplete: str) -> Iterable[str]:
    kind, colon, rest = incomplete.partition(":")
    if not colon:
        return ("fleet", "model:", "group:", "device:")
    if kind == "model":
        return (f"model:{name}" for name in _models(ctx, rest))
    name = {"device": "MAC", "group": "GROUP"}.get(kind)
    found = _stored(ctx, name, rest) if name else ()
    return (f"{kind}:{word}" for word in found)


def _names(ctx: Any, incomplete: str) -> Iterable[str]:
    path = ctx.command_path.removeprefix(ctx.find_root().command_path).split()
    if path[:1] == ["test-servers"]:
        from linekey.lab.servers.catalogue import BY_NAME

        return list(BY_NAME)
    kind = {"token": "TOKEN", "group": "GROUP"}.get(path[0] if path else "")
    if kind is None or path[1:] == ["add"]:
        return ()
    return _stored(ctx, kind, incomplete)


def _peers(_ctx: Any, _incomplete: str) -> Iterable[str]:
    from linekey.export.peers import PEERS

    return list(PEERS)


def _vendors(_ctx: Any, _incomplete: str) -> Iterable[str]:
    from linekey.catalog.vendors import KNOWN_VENDORS

    return sorted(KNOWN_VENDORS)


_OFFERS: dict[str, Callable[[Any, str], Iterable[str]]] = {
    "MAC": _macs,
    "MODEL": _models,
    "LAYER": _layers,
    "NAME": _names,
    "PEER": _peers,
    "VENDOR": _vendors,
    "GROUP": lambda ctx, typed: _stored(ctx, "GROUP", typed),
}
