"""What a change of many phones did, or would do: as lines, and as JSON."""

from collections.abc import Sequence
from typing import Any

from linekey.cli.on_use import on_use
from linekey.cli.opening import printable
from linekey.cli.output import console, say

with on_use():
    from linekey.provisioning.difference import Difference
    from linekey.store.devices import Done

SHOWN = 20
"""Phones of each kind that a difference lists; all of them are in --json."""


def done_json(done: Sequence[Done]) -> dict[str, Any]:
    """Write what was done as JSON values: MACs, and what differs in changed ones."""
    return {
        "added": [one.mac.digits for one in done if one.action == "add"],
        "changed": [
            {
                "mac": one.mac.digits,
                "changes": [detail.as_json() for detail in one.details],
            }
            for one in done
            if one.action == "change"
        ],
        "removed": [one.mac.digits for one in done if one.action == "remove"],
    }


def tell_done(
    done: Sequence[Done],
    dry_run: bool,
    actions: Sequence[str] = ("add", "change", "remove"),
) -> None:
    """Print what was done, or would be: some phones of each kind, and the sums."""
    sums = []
    for action, sign, past in (
        ("add", "+", "added"), ("change", "~", "changed"), ("remove", "-", "removed"),
    ):  # fmt: skip
        if action not in actions:
            continue
        those = [one for one in done if one.action == action]
        sums.append(f"{action if dry_run else past} {len(those)}")
        for one in those[:SHOWN]:
            details = "; ".join(map(_detail, one.details))
            text = f"{sign} {one.mac}  {details}".rstrip()
            say(printable(text))
        if len(those) > SHOWN:
            rest = len(those) - SHOWN
            console.print(f"{sign} … and {rest} more; --json lists all", markup=False)
    would = "would " if dry_run else ""
    console.print(f"{would}{', '.join(sums)}", markup=False)


def _detail(one: Difference) -> str:
    what = one.what.removeprefix("setting ")
    if one.before is None:
        return f"{what}: {one.after!r}" if one.after != "changed" else f"{what}: set"
    if one.after is None:
        return f"{what}: removed"
    if one.before == "secret":
        return f"{what}: changed"
    return f"{what}: {one.before!r} → {one.after!r}"
