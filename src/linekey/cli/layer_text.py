"""A layer of settings, keys and certificates, as the command line prints it.

Rule: a secret is shown as "(set)", in JSON as ``"secret": true`` without its value. A
setting that no phone is known to have is kept, and marked as unknown.
"""

from linekey.cli.on_use import on_use
from linekey.cli.opening import printable, read_secret
from linekey.cli.output import note

with on_use():
    from linekey.makers.known import why_unknown
    from linekey.provisioning.difference import slot_text
    from linekey.provisioning.document import Layer, Mark, Setting, parse_slot


def secret_setting(text: str, perm: str | None = None) -> Setting:
    """Ask for the value of the setting ``text`` (name or name[idx]); mark it."""
    name, idx = parse_slot(text)
    value = read_secret(slot_text(name, idx))
    return Setting(name, value, idx, perm, Mark.SECRET)


def note_shell_history(setting: Setting) -> None:
    """Say how to give a secret that was typed on the command line."""
    name = slot_text(setting.name, setting.idx)
    note(f"note: next time use --secret '{name}': the shell's history keeps this")


def layer_lines(layer: Layer) -> list[str]:
    """Write a layer for people, a line for each entry, without its secrets."""
    lines = []
    for s in layer.settings:
        shown = "(set)" if s.secret else printable(s.value)
        perm = f"  perm {s.perm!r}" if s.perm is not None else ""
        odd = "" if why_unknown(s.name, s.idx) is None else "  (not a known setting)"
        mark = "" if s.mark is None else f"  marked {s.mark.value}"
        lines.append(f"{slot_text(s.name, s.idx)} = {shown}{perm}{mark}{odd}")
    for key in layer.function_keys:
        shown = "(set)" if key.secret else printable(key.value)
        label = f"  {printable(key.label)!r}" if key.label else ""
        context = f"  context {key.context}" if key.context != "active" else ""
        mark = "" if key.mark is None else f"  marked {key.mark.value}"
        lines.append(f"key {key.idx}: {key.type} {shown}{label}{context}{mark}")
    lines += [
        f"certificate {entry.certificate.label}  sha256 {entry.certificate.sha256}"
        for entry in layer.certificates
    ]
    lines += [f"UNREADABLE: {text}" for text in layer.unreadable]
    return lines
