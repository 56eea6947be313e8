"""What a change changes: in words, for the record of changes and for a preview.

Rule: no secret's value is in here, nor that of a setting that linekey does not know
and nobody let into common files: such a value may be one. It shows as "secret" and
"changed".
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from linekey.provisioning.device import Device
from linekey.provisioning.document import FunctionKey, Layer, Setting

SECRET, CHANGED = "secret", "changed"
"""What stands for a value that is not told: where it was, and where another one is."""
MAX_VALUE = 1024
"""Characters of a value that are told; of a longer one its length and SHA-256."""


@dataclass(frozen=True, slots=True)
class Difference:
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
    found = list(_plain(old, new))
    for what, old_secret, new_secret in (
        ("one-time token", *_each(before, after, "token_sha256")),
        ("digest password", *_each(before, after, "digest")),
    ):
        if old_secret != new_secret:
            found.append(_hidden(what, old_secret, new_secret))
    layers = (d.layer if d else Layer() for d in (before, after))
    return (*found, *between_layers(*layers))


def between_layers(before: Layer, after: Layer) -> tuple[Difference, ...]:
    """Say what differs between two layers."""
    if before == after:
        return ()
    found = [
        *_entries(
            {f"setting {slot_text(*s.slot)}": s for s in before.settings},
            {f"setting {slot_text(*s.slot)}": s for s in after.settings},
        ),
        *_entries(
            {f"key {k.idx} {k.context}": k for k in before.function_keys},
            {f"key {k.idx} {k.context}": k for k in after.function_keys},
        ),
    ]
    old, new = (
        {
            f"certificate {e.certificate.sha256}": str(e.certificate.subject)
            for e in them
        }
        for them in (before.certificates, after.certificates)
    )
    return (*found, *_plain(old, new))


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
        "state": device.state,
        "revoked_reason": device.revoked_reason,
        "generations": None if generations is None else ",".join(sorted(generations)),
        "digest_user": None if device.digest is None else device.digest.username,
    }
    return {name: value for name, value in given.items() if value}


def _each(before: Device | None, after: Device | None, name: str) -> tuple[Any, Any]:
    return getattr(before, name, None), getattr(after, name, None)


def _plain(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[Difference]:
    for what in dict.fromkeys((*old, *new)):
        if old.get(what) != new.get(what):
            yield Difference(what, _short(old.get(what)), _short(new.get(what)))


def _entries(
    old: Mapping[str, Setting | FunctionKey], new: Mapping[str, Setting | FunctionKey]
) -> Iterator[Difference]:
    for what in dict.fromkeys((*old, *new)):
        was, now = old.get(what), new.get(what)
        if was == now:
            continue
        if all(entry is None or _may_be_told(entry) for entry in (was, now)):
            yield Difference(what, _short(_text(was)), _short(_text(now)))
        else:
            yield _hidden(what, was, now)


def _may_be_told(entry: Setting | FunctionKey) -> bool:
    return entry.shared if isinstance(entry, Setting) else not entry.secret


def _text(entry: Setting | FunctionKey | None) -> str | None:
    if entry is None:
        return None
    text = entry.value if isinstance(entry, Setting) else entry.text
    if isinstance(entry, FunctionKey) and entry.label:
        text = f"{text} ({entry.label})"
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
