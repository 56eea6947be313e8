"""What a change changes: in words, for the record of changes and for a preview.

Rule: no secret's value is in here, nor that of a setting that linekey does not know
and nobody let into common files: such a value may be one. It shows as "secret" and
"changed".
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from linekey.provisioning.device import Device
from linekey.provisioning.document import FunctionKey, Layer, Setting

SECRET, CHANGED = "secret", "changed"
"""What stands for a value that is not told: where it was, and where another one is."""
MAX_VALUE = 1024
"""Characters of a value that are told; of a longer one its length and SHA-256."""


_Entry = Setting | FunctionKey
_HIDDEN = (("one-time token", "token_sha256"), ("digest password", "digest"))
_NOTHING = Layer()


class Difference(NamedTuple):
    """One thing before and after; None: it was not, or is no longer, there."""

    what: str
    before: str | None
    after: str | None

    def as_json(self) -> dict[str, Any]:
        """It as JSON values."""
        return {"what": self.what, "from": self.before, "to": self.after}


def between_devices(
    before: Device | None, after: Device | None
) -> tuple[Difference, ...]:
    """Say what differs between two records; None: there is none."""
    old, new = _record(before), _record(after)
    found = [] if old == new else list(_plain(old, new))
    for what, name in _HIDDEN:
        was, now = getattr(before, name, None), getattr(after, name, None)
        if was is not now and was != now:
            found.append(_hidden(what, was, now))
    layers = (d.layer if d else _NOTHING for d in (before, after))
    return (*found, *between_layers(*layers))


def between_layers(before: Layer, after: Layer) -> tuple[Difference, ...]:
    """Say what differs between two layers."""
    if before == after:
        return ()
    found = list(_entries(before.settings, after.settings, _setting_words))
    if before.function_keys or after.function_keys:
        found += _entries(before.function_keys, after.function_keys, _key_words)
    if before.certificates == after.certificates:
        return tuple(found)
    old, new = (
        {
            f"certificate {e.certificate.sha256}": str(e.certificate.subject)
            for e in them
        }
        for them in (before.certificates, after.certificates)
    )
    return (*found, *_plain(old, new))


def _setting_words(name: str, idx: int | None) -> str:
    return f"setting {name}" if idx is None else f"setting {name}[{idx}]"


def _key_words(idx: int, context: str) -> str:
    return f"key {idx} {context}"


def slot_text(name: str, idx: int | None) -> str:
    """Write ``name`` or ``name[idx]``."""
    return name if idx is None else f"{name}[{idx}]"


def _record(device: Device | None) -> dict[str, str]:
    if device is None:
        return {}
    generations = device.generations
    given = {
        "vendor": device.vendor,
        "model": device.model,
        "firmware": None if device.firmware is None else str(device.firmware),
        "label": device.label,
        "group": device.group,
        "state": device.state,
        "revoked_reason": device.revoked_reason,
        "generations": None if generations is None else ",".join(sorted(generations)),
        "expired": device.expired,
        "digest_user": None if device.digest is None else device.digest.username,
    }
    return {name: value for name, value in given.items() if value}


def _plain(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[Difference]:
    for what in dict.fromkeys((*old, *new)):
        if old.get(what) != new.get(what):
            yield Difference(what, _short(old.get(what)), _short(new.get(what)))


def _entries(
    before: Sequence[_Entry],
    after: Sequence[_Entry],
    name: Callable[..., str],
) -> Iterator[Difference]:
    if not before or not after:
        for entry in before or after:
            told = _may_be_told(entry)
            text = _short(_text(entry)) if told else CHANGED if after else SECRET
            what = name(*entry.slot)
            yield (
                Difference(what, None, text) if after else Difference(what, text, None)
            )
        return
    if len(before) == len(after):  # nearly always, and nearly all of it the same
        pairs = list(zip(before, after, strict=True))
        if all(was is now or was.slot == now.slot for was, now in pairs):
            yield from _of_pairs(pairs, name)
            return
    old, new = ({entry.slot: entry for entry in them} for them in (before, after))
    slots = dict.fromkeys((*old, *new))
    yield from _of_pairs([(old.get(slot), new.get(slot)) for slot in slots], name)


def _of_pairs(
    pairs: Iterable[tuple[_Entry | None, _Entry | None]], name: Callable[..., str]
) -> Iterator[Difference]:
    for was, now in pairs:
        if was is now or was == now:
            continue
        entry = now if was is None else was
        assert entry is not None
        what = name(*entry.slot)
        if (was is None or _may_be_told(was)) and (now is None or _may_be_told(now)):
            yield Difference(what, _short(_text(was)), _short(_text(now)))
        else:
            yield _hidden(what, was, now)


def _may_be_told(entry: _Entry) -> bool:
    return entry.shared if isinstance(entry, Setting) else not entry.secret


def _text(entry: _Entry | None) -> str | None:
    if entry is None:
        return None
    if isinstance(entry, Setting):
        text = entry.value
    else:
        text = f"{entry.text} ({entry.label})" if entry.label else entry.text
    return text if entry.perm is None else f"{text} [perm {entry.perm}]"


def _hidden(what: str, was: object, now: object) -> Difference:
    return Difference(
        what, None if was is None else SECRET, None if now is None else CHANGED
    )


def _short(text: str | None) -> str | None:
    if text is None or len(text) <= MAX_VALUE:
        return text
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return f"({len(text)} characters, SHA-256 {digest})"
